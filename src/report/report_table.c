// SPDX-License-Identifier: MIT
/* Bounded tables, and tallies: records that say the same thing, counted. */
#include <stdlib.h>
#include <string.h>
#include "report/report_state.h"
#include "value.h"

struct tally_entry {
	struct hash_node node; /* key: the event's type, then its fields as JSON */
	__u16 type;
	bool existing;
	char comm[EV_COMM_LEN + 1];
	__u64 count, first, last;
	__u64 sums[TALLY_SUMS];
};

/* Fields that would tell apart what a reader wants counted together. */
static const char *const left_out[] = {"mount_id", "target_tid", "fd", "backlog"};

void *table_find(const struct report *rep, const struct table *t, const void *key, size_t len)
{
	return hash_find(&t->h, hash_bytes(rep->seed, key, len), key, len);
}

void *table_get(struct report *rep, struct table *t, const void *key, size_t len, size_t size,
		bool *fresh)
{
	__u64 hv = hash_bytes(rep->seed, key, len);
	struct hash_node *n = hash_find(&t->h, hv, key, len);
	char *kept;

	*fresh = false;
	if (n)
		return n;
	if (t->h.nr >= t->limit)
		return NULL;
	/* The key lies behind the entry: one piece of memory, one budget. */
	n = arena_alloc(&rep->arena, size + len + 1);
	if (!n)
		return NULL;
	kept = (char *)n + size;
	if (len)
		memcpy(kept, key, len);
	if (hash_add(&t->h, hv, n, kept, len))
		return NULL;
	if (t->last)
		t->last->after = n;
	else
		t->first = n;
	t->last = n;
	*fresh = true;
	return n;
}

void **table_sorted(const struct table *t, int (*cmp)(const void *, const void *))
{
	void **list = t->h.nr ? malloc(t->h.nr * sizeof(void *)) : NULL;
	struct hash_node *n;
	size_t i = 0;

	if (!list)
		return NULL;
	table_for_each(t, n) list[i++] = n;
	qsort(list, i, sizeof(void *), cmp);
	return list;
}

struct by_key {
	const char *key;
	size_t len;
	void *entry;
};

static int cmp_key(const void *a, const void *b)
{
	const struct by_key *x = a, *y = b;
	int c = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);

	if (c)
		return c;
	return x->len < y->len ? -1 : x->len > y->len;
}

void **table_by_key(const struct table *t)
{
	/* Keys beside the entries: a million of them are sorted without a look at each entry. */
	struct by_key *keys = t->h.nr ? malloc(t->h.nr * sizeof(*keys)) : NULL;
	void **list = (void **)keys;
	struct hash_node *n;
	size_t i = 0;

	if (!keys)
		return NULL;
	table_for_each(t, n) keys[i++] = (struct by_key){n->key, n->len, n};
	qsort(keys, i, sizeof(*keys), cmp_key);
	/* An element is wider than a pointer: writing never overtakes reading. */
	for (size_t k = 0; k < i; k++) {
		void *entry = keys[k].entry;

		memcpy(&list[k], &entry, sizeof(entry));
	}
	return list;
}

const char *report_string(const struct report *rep, const struct ev_hdr *hdr, struct ev_ref ref,
			  size_t *len)
{
	const char *s = record_bytes(hdr, ref, len);

	if (s && *len > rep->limits->string)
		*len = rep->limits->string;
	return s;
}

struct text report_text_copy(struct report *rep, const char *s, size_t len)
{
	struct text t = {.s = s && len ? arena_copy(&rep->arena, s, len) : NULL};

	t.len = t.s ? len : 0;
	return t;
}

/* A vector of strings, each ended by a NUL, as an array of at most report_limits.string bytes. */
void report_vector(const struct report *rep, struct buf *b, const char *s, size_t len, bool *cut)
{
	size_t max = rep->limits->string, used = 0;

	*cut = false;
	buf_char(b, '[');
	while (used < len) {
		size_t n = strnlen(s + used, len - used), show = n;

		if (used + n > max) {
			*cut = true;
			show = used < max ? max - used : 0;
		}
		if (used)
			buf_str(b, ", ");
		buf_char(b, '"');
		value_json_bytes(b, s + used, show);
		buf_char(b, '"');
		used += n + 1;
		if (*cut)
			break;
	}
	buf_char(b, ']');
}

static bool is_left_out(const struct field_desc *f)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (!strcmp(f->member, left_out[i]))
			return true;
	return false;
}

/* One field as a JSON value; false when it is absent. Strings are cut at the report's limit. */
static bool field_value(struct report *rep, struct buf *b, const struct record *r,
			const struct field_desc *f)
{
	struct ev_ref ref;
	const char *s;
	size_t len;
	bool cut;

	if (f->type != FT_str && f->type != FT_path && f->type != FT_strv)
		return value_format(b, r, f, FORM_JSON);
	memcpy(&ref, (const char *)r->hdr + f->offset, sizeof(ref));
	if (f->type == FT_strv) {
		s = record_bytes(r->hdr, ref, &len);
		if (s)
			report_vector(rep, b, s, len, &cut);
		return s;
	}
	s = report_string(rep, r->hdr, ref, &len);
	if (!s)
		return false;
	buf_char(b, '"');
	value_json_bytes(b, s, len);
	buf_char(b, '"');
	return true;
}

void report_fields(struct report *rep, struct buf *b, const struct record *r)
{
	for (unsigned int i = 0; i < r->desc->nr_fields; i++) {
		const struct field_desc *f = &r->desc->fields[i];
		size_t start = b->len;

		if (f->role != ROLE_FIELD || is_left_out(f))
			continue;
		if (start)
			buf_str(b, ", ");
		buf_char(b, '"');
		buf_str(b, f->type == FT_err ? "error" : f->member);
		buf_str(b, "\": ");
		if (!field_value(rep, b, r, f) && b->data) {
			b->len = start;
			b->data[start] = 0;
		}
	}
}

static void add_sums(struct tally_entry *e, const struct record *r)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < r->desc->nr_fields && nr < TALLY_SUMS; i++)
		if (r->desc->fields[i].role == ROLE_SUM)
			e->sums[nr++] += record_number(r->hdr, &r->desc->fields[i]);
}

void tally_add(struct report *rep, struct tally *t, const struct record *r)
{
	struct report_process *p = report_process_of(rep, r);
	struct tally_entry *e = NULL;
	struct buf *b = &rep->scratch;
	__u16 type = r->hdr->type;
	bool fresh = false;

	buf_reset(b);
	if (p)
		buf_printf(b, "\"process\": %u, ", p->id);
	if (r->hdr->pid)
		buf_printf(b, "\"pid\": %u", r->hdr->pid);
	report_fields(rep, b, r);
	/* The type goes last into the key, where no member can be mistaken for it. */
	buf_add(b, &type, sizeof(type));
	if (!b->err)
		e = table_get(rep, &t->t, b->data, b->len, sizeof(*e), &fresh);
	b->err = 0;
	if (!e) {
		t->t.folded++;
		t->folded[type]++;
		return;
	}
	if (fresh) {
		e->type = type;
		e->first = r->wall;
		e->existing = r->hdr->flags & EV_F_EXISTING;
		memcpy(e->comm, r->hdr->comm, EV_COMM_LEN);
	}
	e->last = r->wall > e->last ? r->wall : e->last;
	e->count++;
	add_sums(e, r);
}

static int by_first(const void *a, const void *b)
{
	const struct tally_entry *x = *(struct tally_entry *const *)a;
	const struct tally_entry *y = *(struct tally_entry *const *)b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->type - y->type;
}

static void entry_json(struct jw *j, const struct tally_entry *e)
{
	const struct event_desc *d = &event_descs[e->type];
	unsigned int nr = 0;

	jw_object(j, NULL, JSON_INLINE);
	jw_str(j, "event", d->name);
	jw_raw(j, NULL, e->node.key, e->node.len - sizeof(e->type));
	jw_str_if(j, "comm", e->comm);
	if (!d->counter)
		jw_u64(j, "count", e->count);
	for (unsigned int i = 0; i < d->nr_fields && nr < TALLY_SUMS; i++)
		if (d->fields[i].role == ROLE_SUM)
			jw_u64(j, d->fields[i].member, e->sums[nr++]);
	jw_time(j, "first", e->first);
	jw_time(j, "last", e->last);
	jw_true_if(j, "existing", e->existing);
	jw_end(j);
}

void tally_json(const struct report *rep, struct jw *j, const char *key, const struct tally *t,
		int type)
{
	void **list = table_sorted(&t->t, by_first);

	(void)rep;
	jw_array(j, key, JSON_LINES);
	for (size_t i = 0; list && i < t->t.h.nr; i++) {
		const struct tally_entry *e = list[i];

		if (type < 0 || e->type == type)
			entry_json(j, e);
	}
	jw_end(j);
	free(list);
}
