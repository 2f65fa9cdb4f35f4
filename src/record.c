// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include "record.h"

static bool in_tail(struct ev_ref r, size_t size, size_t len)
{
	return r.len == 0 || (r.off >= size && (size_t)r.off + r.len <= len);
}

static struct ev_ref get_ref(const void *buf, const struct field_desc *f)
{
	struct ev_ref r;

	memcpy(&r, (const char *)buf + f->offset, sizeof(r));
	return r;
}

static bool is_ref(const struct field_desc *f)
{
	return f->type == FT_str || f->type == FT_path || f->type == FT_strv;
}

int record_check(const void *buf, size_t len)
{
	const struct event_desc *d;
	struct ev_hdr hdr;

	if (len < sizeof(hdr) || len > EV_MAX_LEN)
		return -EBADMSG;
	memcpy(&hdr, buf, sizeof(hdr));
	if (hdr.type >= EV__MAX || hdr.len != len)
		return -EBADMSG;
	d = &event_descs[hdr.type];
	if (len < d->size)
		return -EBADMSG;
	for (unsigned int i = 0; i < d->nr_fields; i++) {
		const struct field_desc *f = &d->fields[i];

		if (is_ref(f) && !in_tail(get_ref(buf, f), d->size, len))
			return -EBADMSG;
		if (f->type == FT_sysargs) {
			struct ev_sysargs a;

			memcpy(&a, (const char *)buf + f->offset, sizeof(a));
			if (!in_tail(a.s[0], d->size, len) || !in_tail(a.s[1], d->size, len))
				return -EBADMSG;
		}
	}
	return 0;
}

/* ---- paths ---- */

/*
 * "bash\0bin\0usr\0" -> "/usr/bin/bash", in place: reversing all bytes and then each name again
 * keeps the length, and the NULs become the slashes.
 */
static void reverse(char *s, size_t len)
{
	for (size_t i = 0; i < len / 2; i++) {
		char c = s[i];

		s[i] = s[len - 1 - i];
		s[len - 1 - i] = c;
	}
}

static void turn_round(char *s, size_t len)
{
	reverse(s, len);
	for (size_t begin = 0; begin < len;) {
		size_t end = begin + 1;

		s[begin] = '/';
		while (end < len && s[end])
			end++;
		reverse(s + begin + 1, end - begin - 1);
		begin = end;
	}
}

/* Removes "//", "." and ".." by the letters alone; the new length, at least 1. */
static size_t clean(char *s, size_t len)
{
	size_t out = 0;

	for (size_t i = 0; i < len;) {
		size_t end;

		while (i < len && s[i] == '/')
			i++;
		for (end = i; end < len && s[end] != '/'; end++)
			;
		if (end - i == 2 && s[i] == '.' && s[i + 1] == '.') {
			while (out && s[--out] != '/')
				;
		} else if (end > i && !(end - i == 1 && s[i] == '.')) {
			s[out++] = '/';
			memmove(s + out, s + i, end - i);
			out += end - i;
		}
		i = end;
	}
	if (!out)
		s[out++] = '/';
	return out;
}

/*
 * What record_normalise() has to look at in a record of one type. The flags that go with a path
 * are found by name: "path" has "path_flags". A path called "filename" has none and is a call's
 * argument; every other path without flags was walked by the kernel side and is left as it is:
 * the name of a memfd may hold "/../", and cleaning would let it pass for another file.
 */
struct path_plan {
	const struct field_desc *path;
	const struct field_desc *flags; /* NULL: none */
	bool argument; /* whatever the flags say */
};

struct plan {
	struct path_plan paths[4];
	unsigned int nr_paths;
	const struct field_desc *mount;
};

static struct plan plans[EV__MAX];

static const struct field_desc *flags_field(const struct event_desc *d, const char *path)
{
	size_t n = strlen(path);

	for (unsigned int i = 0; i < d->nr_fields; i++) {
		const char *m = d->fields[i].member;

		if (d->fields[i].type == FT_pathflags && !strncmp(m, path, n) &&
		    !strcmp(m + n, "_flags"))
			return &d->fields[i];
	}
	return NULL;
}

/* Priority 201: after schema.c has filled event_descs (200), before anything else asks. */
static __attribute__((constructor(201))) void make_plans(void)
{
	for (int type = 0; type < EV__MAX; type++) {
		const struct event_desc *d = &event_descs[type];
		struct plan *p = &plans[type];

		for (unsigned int i = 0; i < d->nr_fields; i++) {
			const struct field_desc *f = &d->fields[i];

			if (f->type == FT_path &&
			    p->nr_paths < sizeof(p->paths) / sizeof(p->paths[0]))
				p->paths[p->nr_paths++] =
					(struct path_plan){f, flags_field(d, f->member),
							   !strcmp(f->member, "filename")};
			else if (f->type == FT_str && !strcmp(f->member, "mount"))
				p->mount = f;
		}
	}
}

static void normalise_path(char *buf, const struct path_plan *p)
{
	struct ev_ref r = get_ref(buf, p->path);
	char *s = buf + r.off;

	if (r.len > 1 && !s[0]) { /* an abstract socket's name; a walked path begins with a name */
		s[0] = '@';
		return;
	}
	if (!r.len || s[r.len - 1])
		return;
	turn_round(s, r.len);
	if (p->argument ||
	    (p->flags && record_number((struct ev_hdr *)buf, p->flags) & PATH_ARGUMENT)) {
		r.len = clean(s, r.len);
		memcpy(buf + p->path->offset, &r, sizeof(r));
	}
}

void record_normalise(void *buf)
{
	const struct ev_hdr *hdr = buf;
	const struct plan *p = &plans[hdr->type];
	struct ev_ref r;

	for (unsigned int i = 0; i < p->nr_paths; i++)
		normalise_path(buf, &p->paths[i]);
	if (!p->mount)
		return;
	r = get_ref(buf, p->mount);
	if (!r.len && r.off >= event_descs[hdr->type].size &&
	    r.off < hdr->len) { /* mounted at the root: "/" */
		r.len = 1;
		memcpy((char *)buf + p->mount->offset, &r, sizeof(r));
	}
}

bool record_same_whose(struct record_whose *w, const struct record *r)
{
	struct ev_hdr hdr = *r->hdr;

	hdr.time = 0;
	hdr.len = 0;
	if (r->epoch && w->epoch == r->epoch && w->container == r->container &&
	    w->process == r->process && !memcmp(&w->hdr, &hdr, sizeof(hdr)))
		return true;
	*w = (struct record_whose){hdr, r->container, r->process, r->epoch};
	return false;
}

/* ---- access ---- */

const char *record_bytes(const struct ev_hdr *hdr, struct ev_ref ref, size_t *len)
{
	*len = ref.len;
	return ref.len ? (const char *)hdr + ref.off : NULL;
}

__u64 record_number(const struct ev_hdr *hdr, const struct field_desc *f)
{
	const char *p = (const char *)hdr + f->offset;
	__u64 v8;
	__u32 v4;

	if (type_descs[f->type].size == sizeof(v8)) {
		memcpy(&v8, p, sizeof(v8));
		return v8;
	}
	memcpy(&v4, p, sizeof(v4));
	return f->type == FT_i32 || f->type == FT_err ? (__u64)(__s64)(__s32)v4 : v4;
}
