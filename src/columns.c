// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include "columns.h"
#include "container/container.h"
#include "process.h"

#define SCHEMA_VERSION 1

static bool text(struct buf *b, const char *s, size_t len, enum value_form form)
{
	if (s)
		value_bytes(b, s, len, form);
	return s;
}

static bool number(struct buf *b, const struct record *r, __u32 v)
{
	if (r->hdr->flags & EV_F_NOPROC)
		return false;
	buf_u64(b, v);
	return true;
}

#define GETTER(name) static bool name(struct buf *b, const struct record *r, enum value_form form)
#define NUMBER(name, member)                                                                       \
	static bool name(struct buf *b, const struct record *r, enum value_form form)              \
	{                                                                                          \
		(void)form;                                                                        \
		return number(b, r, r->hdr->member);                                               \
	}

GETTER(get_version)
{
	(void)r;
	(void)form;
	buf_u64(b, SCHEMA_VERSION);
	return true;
}

GETTER(get_time)
{
	return value_time(b, r->wall, form);
}

GETTER(get_event)
{
	return text(b, r->desc->name, strlen(r->desc->name), form);
}

GETTER(get_phase)
{
	const char *phase = r->hdr->flags & EV_F_SETUP ? "setup" : "run";

	return text(b, phase, strlen(phase), form);
}

GETTER(get_existing)
{
	if (r->hdr->flags & EV_F_EXISTING)
		buf_str(b, form == FORM_TEXT ? "yes" : "true");
	return r->hdr->flags & EV_F_EXISTING;
}

GETTER(get_outside)
{
	if (r->hdr->flags & EV_F_OUTSIDE)
		buf_str(b, form == FORM_TEXT ? "yes" : "true");
	return r->hdr->flags & EV_F_OUTSIDE;
}

GETTER(get_io_uring)
{
	if (r->hdr->flags & EV_F_IO_URING)
		buf_str(b, form == FORM_TEXT ? "yes" : "true");
	return r->hdr->flags & EV_F_IO_URING;
}

GETTER(get_container_id)
{
	const char *id = r->container->id;

	return text(b, id, id ? strlen(id) : 0, form);
}

GETTER(get_container_name)
{
	const char *name = container_name(r->container);

	return text(b, name, name ? strlen(name) : 0, form);
}

/* Not of every event: a container in no other one has none. */
GETTER(get_container_parents)
{
	const struct container *c = r->container->parent;

	if (!c)
		return false;
	if (form == FORM_JSON)
		buf_char(b, '[');
	for (bool first = true; c; c = c->parent, first = false) {
		if (!first)
			buf_char(b, form == FORM_JSON ? ',' : ' ');
		value_word(b, c->id, strlen(c->id), form);
	}
	if (form == FORM_JSON)
		buf_char(b, ']');
	return true;
}

GETTER(get_comm)
{
	if (r->hdr->flags & EV_F_NOPROC)
		return false;
	return text(b, r->hdr->comm, strnlen(r->hdr->comm, EV_COMM_LEN), form);
}

GETTER(get_exe)
{
	return r->process && text(b, r->process->exe, r->process->exe_len, form);
}

GETTER(get_session_pid)
{
	(void)form;
	if (!r->process || !r->process->session_pid)
		return false;
	buf_u64(b, r->process->session_pid);
	return true;
}

GETTER(get_session_start)
{
	if (!r->process || !r->process->session_pid)
		return false;
	return value_time(b, r->process->session_start + (__u64)r->boot_to_wall, form);
}

NUMBER(get_pid, pid)
NUMBER(get_tid, tid)
NUMBER(get_vpid, vpid)
NUMBER(get_ppid, ppid)
NUMBER(get_uid, uid)
NUMBER(get_gid, gid)

/* What every event has. */
static const struct column common[] = {
	{"schema_version", "u32", "version of this form; within a version there are only additions",
	 .get = get_version},
	{"time", "time", "when", .get = get_time},
	{"event", "str", "subsystem and name of the event", .get = get_event},
	{"phase", "str",
	 "setup: the runtime prepares the container; run: after its entry point was executed",
	 .get = get_phase},
	{"existing", "boolean", "state found when recording started, not something that happened",
	 .get = get_existing},
	{"via_io_uring", "boolean",
	 "done by a request to io_uring, which neither is a system call nor passes a seccomp filter",
	 .get = get_io_uring},
	{"container.id", "str", "id of the container", .get = get_container_id},
	{"container.name", "str", "its name, or the beginning of its id",
	 .get = get_container_name},
	{"container.parents", "strv",
	 "ids of the containers that it runs in, from the innermost out",
	 .get = get_container_parents},
	{"process.outside", "boolean",
	 "the process is not in the container's cgroup: not the container's, but acting upon it",
	 .get = get_outside},
	{"exec_session.pid", "pid",
	 "the process that was brought into the running container from outside (docker exec, kubectl exec), and that this process is or descends from; absent for the entry point's own",
	 .get = get_session_pid},
	{"exec_session.start", "time",
	 "when that process started: with its pid, the session's identity",
	 .get = get_session_start},
	{"process.pid", "pid", "process, as the host sees it", .get = get_pid},
	{"process.tid", "pid", "task (thread), as the host sees it", .get = get_tid},
	{"process.vpid", "pid", "process, as its own pid namespace sees it", .get = get_vpid},
	{"process.parent_pid", "pid", "parent process, as the host sees it", .get = get_ppid},
	{"process.user.id", "uid", "real user id, as the host sees it", .get = get_uid},
	{"process.group.id", "gid", "real group id, as the host sees it", .get = get_gid},
	{"process.comm", "str", "name of the task", .get = get_comm},
	{"process.executable.path", "path", "the file that the process runs", .get = get_exe},
};

#define NR_COMMON (sizeof(common) / sizeof(common[0]))

static void split(struct column *c)
{
	const char *p = c->key;

	while (c->depth < COLUMN_DEPTH) {
		size_t len = strcspn(p, ".");

		c->part[c->depth].off = p - c->key;
		c->part[c->depth].len = len;
		c->depth++;
		if (!p[len])
			break;
		p += len + 1;
	}
}

/* Columns that are alike in the first parts get the number of the first of them. */
static void number_groups(struct column *cols, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		for (unsigned int d = 0; d < cols[i].depth; d++) {
			unsigned int end = cols[i].part[d].off + cols[i].part[d].len, j = 0;

			while (j < i && !(cols[j].depth > d &&
					  cols[j].part[d].off + cols[j].part[d].len == (int)end &&
					  !memcmp(cols[j].key, cols[i].key, end)))
				j++;
			cols[i].part[d].group = j == i ? i : cols[j].part[d].group;
		}
}

/* ",\"a\":{\"b\":" for each number of parts that may be open already; false: no memory. */
static bool make_leads(struct column *c)
{
	for (unsigned int d = 0; d < c->depth; d++) {
		struct buf b = {};

		buf_char(&b, ',');
		for (unsigned int i = d; i < c->depth; i++) {
			buf_char(&b, '"');
			buf_add(&b, c->key + c->part[i].off, c->part[i].len);
			buf_str(&b, i + 1 < c->depth ? "\":{" : "\":");
		}
		c->lead[d].s = b.data;
		c->lead[d].len = b.len;
		if (b.err)
			return false;
	}
	return true;
}

/* How many parts of their keys two columns share: objects that stay open from one to the next. */
static unsigned int shared(const struct column *a, const struct column *b)
{
	unsigned int d = 0;

	while (d + 1 < a->depth && d + 1 < b->depth && a->part[d].group == b->part[d].group)
		d++;
	return d;
}

static int by_group(const void *a, const void *b)
{
	const struct column *x = a, *y = b;

	for (unsigned int d = 0; d < x->depth && d < y->depth; d++)
		if (x->part[d].group != y->part[d].group)
			return x->part[d].group < y->part[d].group ? -1 : 1;
	return (int)x->depth - (int)y->depth;
}

static void free_columns(struct column *cols, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		for (unsigned int d = 0; d < cols[i].depth; d++)
			free(cols[i].lead[d].s);
	free(cols);
}

static void make(struct columns *out, const struct event_desc *d)
{
	struct column *cols = calloc(NR_COMMON + d->nr_fields, sizeof(*cols));
	unsigned int nr = 0;

	if (!cols)
		return;
	for (unsigned int i = 0; i < NR_COMMON; i++)
		if (!field_by_key(d, common[i].key)) /* an event's own field replaces it */
			cols[nr++] = common[i];
	out->nr_common = nr;
	for (unsigned int i = 0; i < d->nr_fields; i++) {
		const struct field_desc *f = &d->fields[i];

		if (f->key)
			cols[nr++] = (struct column){f->key, type_descs[f->type].name, f->doc,
						     .field = f};
	}
	for (unsigned int i = 0; i < nr; i++)
		split(&cols[i]);
	number_groups(cols, nr);
	qsort(cols, nr, sizeof(*cols), by_group);
	for (unsigned int i = 0; i < nr; i++) {
		cols[i].shared = i ? shared(&cols[i - 1], &cols[i]) : 0;
		if (!make_leads(&cols[i])) {
			free_columns(cols, nr);
			return;
		}
	}
	for (unsigned int i = 0; i < nr && !cols[i].field; i++) {
		if (cols[i].get == get_time)
			out->whose = i + 1;
		out->own = i + 1;
	}
	out->nr = nr;
	out->col = cols;
}

const struct columns *columns_of(enum ev_type type)
{
	static struct columns all[EV__MAX];

	if (!all[type].col)
		make(&all[type], &event_descs[type]);
	return &all[type];
}

bool column_format(struct buf *b, const struct record *r, const struct column *c,
		   enum value_form form)
{
	return c->field ? value_format(b, r, c->field, form) : c->get(b, r, form);
}
