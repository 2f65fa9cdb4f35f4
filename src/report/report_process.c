// SPDX-License-Identifier: MIT
/* Who ran what: the tree of processes, each with the programs it executed. */
#include <stdlib.h>
#include <string.h>
#include "../names.h" /* not include/names.h, which the search path has first */
#include "process.h"
#include "report/report_state.h"

/*
 * Readers limit how deep a document may nest (jq 1.6 at 256, Python near 1000), and a process
 * takes two levels. What is deeper is listed under its ancestor at this depth; "ppid" stays true.
 */
#define TREE_DEPTH 50
/* How far up the parents of a process that was there before are made known. */
#define ANCESTORS	  32
#define CLONE_PARENT_FLAG 0x8000

struct process_key {
	__u64 start;
	__u32 pid, pad;
};

static struct report_process *find(const struct report *rep, __u32 pid, __u64 start)
{
	struct process_key k = {.start = start, .pid = pid};

	return table_find(rep, &rep->processes.all, &k, sizeof(k));
}

static struct report_process *get(struct report *rep, __u32 pid, __u64 start, bool *fresh)
{
	struct report_processes *ps = &rep->processes;
	struct process_key k = {.start = start, .pid = pid};
	struct report_process *p = table_get(rep, &ps->all, &k, sizeof(k), sizeof(*p), fresh);

	if (!p || !*fresh)
		return p;
	p->pid = pid;
	p->start = start;
	p->id = (__u32)ps->all.h.nr - 1;
	return p;
}

/* Makes @p a child of @parent, unless it has a parent or that would close a circle. */
static void adopt(struct report_process *parent, struct report_process *p)
{
	if (!parent || p->parent)
		return;
	/* A process without children has no descendants to search: the usual case, a new one. */
	for (struct report_process *up = p->children || parent == p ? parent : NULL; up;
	     up = up->parent)
		if (up == p)
			return;
	p->parent = parent;
	if (parent->last_child)
		parent->last_child->sibling = p;
	else
		parent->children = p;
	parent->last_child = p;
}

static void set_comm(struct report_process *p, const char *comm)
{
	memcpy(p->comm, comm, EV_COMM_LEN);
}

static void set_args(struct report *rep, struct report_process *p, const char *s, size_t len)
{
	struct buf b = {0};
	bool cut;

	report_vector(rep, &b, s, len, &cut);
	if (!b.err)
		p->args = report_text_copy(rep, b.data, b.len);
	p->args_cut |= cut;
	buf_free(&b);
}

static void set_session(struct report_process *p, const struct process *t)
{
	p->session_pid = t->session_pid;
	p->session_start = t->session_start;
}

/* What the process table knows of a process that no record has told of yet. */
static void from_table(struct report *rep, struct report_process *p, const struct process *t)
{
	p->ppid = t->ppid;
	p->vpid = t->vpid;
	p->uid = t->uid;
	p->gid = t->gid;
	p->existing = t->existing;
	p->zombie = t->zombie;
	p->setup = t->setup;
	set_session(p, t);
	set_comm(p, t->comm);
	if (t->exe)
		p->exe = report_text_copy(rep, t->exe,
					  t->exe_len < rep->limits->string ? t->exe_len
									   : rep->limits->string);
	p->args_cut = t->args_cut;
	if (t->args && t->args_len)
		set_args(rep, p, t->args, t->args_len);
}

/* The parents of @t inside the container, from the top down; the nearest is returned. */
static struct report_process *ancestors(struct report *rep, const struct process *t)
{
	const struct process *chain[ANCESTORS];
	struct report_process *p = NULL, *above = NULL;
	unsigned int nr = 0;
	bool fresh;

	for (const struct process *up = t->parent; up && nr < ANCESTORS; up = up->parent) {
		if (up->cgroup != t->cgroup)
			break;
		chain[nr++] = up;
	}
	while (nr--) {
		p = get(rep, chain[nr]->pid, chain[nr]->start, &fresh);
		if (!p)
			return above;
		if (fresh)
			from_table(rep, p, chain[nr]);
		adopt(above, p);
		above = p;
	}
	return p;
}

static struct report_process *new_process(struct report *rep, const struct record *r)
{
	const struct ev_hdr *h = r->hdr;
	struct report_process *parent = r->process ? ancestors(rep, r->process) : NULL, *p;
	bool fresh;

	p = get(rep, h->pid, h->start, &fresh);
	if (!p) {
		rep->processes.all.folded++;
		return NULL;
	}
	if (r->process)
		from_table(rep, p, r->process);
	p->vpid = h->vpid;
	p->ppid = h->ppid;
	p->uid = h->uid;
	p->gid = h->gid;
	set_comm(p, h->comm);
	p->setup = h->flags & EV_F_SETUP;
	adopt(parent, p);
	return p;
}

struct report_process *report_process_of(struct report *rep, const struct record *r)
{
	struct report_processes *ps = &rep->processes;
	const struct ev_hdr *h = r->hdr;
	struct report_process *p = ps->cached;

	if (h->flags & (EV_F_NOPROC | EV_F_OUTSIDE) || !h->pid)
		return NULL;
	if (!p || p->pid != h->pid || p->start != h->start) {
		p = find(rep, h->pid, h->start);
		if (!p)
			p = new_process(rep, r);
		if (!p)
			return NULL;
		ps->cached = p;
	}
	if (!(h->flags & EV_F_SETUP))
		p->setup = false;
	return p;
}

void report_process_ref(struct jw *j, const struct report_process *p, __u32 pid, const char *comm)
{
	if (p)
		jw_u64(j, "process", p->id);
	jw_u64_if(j, "pid", p ? p->pid : pid);
	jw_str_if(j, "comm", comm && *comm ? comm : p ? p->comm : NULL);
}

void report_fork(struct report *rep, const struct record *r)
{
	const struct ev_process_fork *e = (const struct ev_process_fork *)r->hdr;
	struct report_process *p = report_process_of(rep, r), *child;
	bool fresh;

	if (e->thread) {
		rep->processes.threads++;
		if (p)
			p->threads++;
		return;
	}
	rep->processes.forked++;
	child = get(rep, e->child_pid, e->child_start, &fresh);
	if (!child) {
		rep->processes.folded_forks++;
		return;
	}
	if (fresh) {
		child->vpid = e->child_vpid;
		child->ppid = r->hdr->pid;
		child->uid = r->hdr->uid;
		child->gid = r->hdr->gid;
		child->setup = r->hdr->flags & EV_F_SETUP;
		set_comm(child, r->hdr->comm);
		if (p) {
			child->exe = p->exe;
			child->args = p->args;
			child->args_cut = p->args_cut;
		}
	}
	if (p && fresh) {
		child->session_pid = p->session_pid;
		child->session_start = p->session_start;
	}
	adopt(e->flags & CLONE_PARENT_FLAG && p ? p->parent : p, child);
}

static void keep_exec(struct report *rep, struct report_process *p, const struct record *r)
{
	struct report_processes *ps = &rep->processes;
	struct report_exec *x = NULL;

	if (ps->nr_execs < rep->limits->execs)
		x = arena_alloc(&rep->arena, sizeof(*x));
	if (x) {
		buf_reset(&rep->scratch);
		report_fields(rep, &rep->scratch, r);
		x->fields = report_text_copy(rep, rep->scratch.data, rep->scratch.len);
		rep->scratch.err = 0;
	}
	if (!x || !x->fields.s) {
		ps->folded_execs++;
		p->folded_execs++;
		return;
	}
	x->time = r->wall;
	x->setup = record_phase(r) == PHASE_SETUP;
	if (p->last_exec)
		p->last_exec->next = x;
	else
		p->execs = x;
	p->last_exec = x;
	ps->nr_execs++;
}

void report_exec(struct report *rep, const struct record *r)
{
	const struct ev_process_exec *e = (const struct ev_process_exec *)r->hdr;
	struct report_process *p = report_process_of(rep, r);
	const char *s;
	size_t len;

	if (!p) {
		rep->processes.folded_execs++;
		return;
	}
	set_comm(p, r->hdr->comm);
	if (r->process)
		set_session(p, r->process);
	p->uid = r->hdr->uid;
	p->gid = r->hdr->gid;
	s = report_string(rep, r->hdr, e->exe, &len);
	p->exe = report_text_copy(rep, s, len);
	p->args_cut = e->argv_cut;
	p->args = (struct text){0};
	s = record_bytes(r->hdr, e->argv, &len);
	if (s)
		set_args(rep, p, s, len);
	keep_exec(rep, p, r);
}

void report_process_existing(struct report *rep, const struct record *r)
{
	struct report_process *p = report_process_of(rep, r), *parent;

	if (!p || p->parent || !r->process || !r->process->parent)
		return;
	/* of another cgroup below the container's: it need not have come first */
	parent = find(rep, r->process->parent->pid, r->process->parent->start);
	adopt(parent, p);
}

void report_leave(struct report *rep, const struct record *r)
{
	struct report_process *p = report_process_of(rep, r);

	if (!p)
		return;
	p->left = true;
	p->end = r->hdr->time;
}

void report_exit(struct report *rep, const struct record *r)
{
	const struct ev_process_exit *e = (const struct ev_process_exit *)r->hdr;
	struct report_process *p = report_process_of(rep, r);

	rep->processes.exited++;
	if (!p)
		return;
	p->exited = true;
	p->end = r->hdr->time;
	p->code = e->code;
	p->signal = (int)e->sig;
	p->core = e->core;
	p->cpu_time = e->cpu_time;
	p->max_rss = e->max_rss;
}

void report_process_event(struct report *rep, const struct record *r)
{
	tally_add(rep, &rep->processes.events, r);
}

static __u64 to_wall(const struct report *rep, __u64 boot)
{
	return boot ? boot + (__u64)rep->boot_to_wall : 0;
}

static void execs_json(struct jw *j, const struct report_process *p)
{
	jw_array(j, "execs", JSON_INLINE);
	for (const struct report_exec *x = p->execs; x; x = x->next) {
		jw_object(j, NULL, JSON_INLINE);
		jw_time(j, "time", x->time);
		jw_str(j, "phase", x->setup ? "setup" : "run");
		jw_raw(j, NULL, x->fields.s, x->fields.len);
		jw_end(j);
	}
	jw_end(j);
	jw_u64_if(j, "folded_execs", p->folded_execs);
}

static void exit_json(const struct report *rep, struct jw *j, const struct report_process *p)
{
	const char *sig = p->signal ? name_signal((unsigned int)p->signal) : NULL;

	if (!p->exited)
		return;
	jw_time(j, "end", to_wall(rep, p->end));
	jw_i64(j, "exit_code", p->code);
	if (sig)
		jw_str(j, "exit_signal", sig);
	else
		jw_u64_if(j, "exit_signal", (__u64)p->signal);
	jw_true_if(j, "core_dumped", p->core);
	jw_u64(j, "cpu_time", p->cpu_time);
	jw_u64(j, "max_rss", p->max_rss);
}

static void own_calls_json(struct jw *j, const struct report_process *p)
{
	jw_object(j, "syscalls", JSON_INLINE);
	jw_u64(j, "count", p->nr_calls[PHASE_RUN]);
	jw_u64(j, "errors", p->nr_errors[PHASE_RUN]);
	jw_u64_if(j, "setup", p->nr_calls[PHASE_SETUP]);
	jw_u64_if(j, "folded", p->folded_calls);
	jw_array(j, "calls", JSON_INLINE);
	for (const struct report_call *c = p->calls; c; c = c->next)
		report_call_json(j, c);
	jw_end(j);
	jw_end(j);
}

/* All of a process but its children; the object stays open. */
static void process_json(const struct report *rep, struct jw *j, const struct report_process *p)
{
	jw_object(j, NULL, JSON_INLINE);
	jw_u64(j, "id", p->id);
	jw_u64(j, "pid", p->pid);
	jw_u64(j, "vpid", p->vpid);
	jw_u64(j, "ppid", p->ppid);
	if (p->parent)
		jw_u64(j, "parent", p->parent->id);
	jw_time(j, "start", to_wall(rep, p->start));
	jw_str(j, "comm", p->comm);
	if (p->exe.s)
		jw_bytes(j, "exe", p->exe.s, p->exe.len);
	jw_raw(j, "args", p->args.s, p->args.len);
	jw_true_if(j, "args_truncated", p->args_cut);
	jw_u64(j, "uid", p->uid);
	jw_u64(j, "gid", p->gid);
	jw_true_if(j, "setup", p->setup);
	jw_true_if(j, "existing", p->existing);
	jw_true_if(j, "zombie", p->zombie);
	if (p->session_pid) {
		const struct report_process *first = find(rep, p->session_pid, p->session_start);

		jw_object(j, "exec_session", JSON_INLINE);
		report_process_ref(j, first, p->session_pid, NULL);
		jw_time(j, "start", to_wall(rep, p->session_start));
		jw_end(j);
	}
	if (p->left)
		jw_time(j, "left", to_wall(rep, p->end));
	jw_u64(j, "threads", 1 + (__u64)p->threads);
	exit_json(rep, j, p);
	if (p->execs || p->folded_execs)
		execs_json(j, p);
	if (p->nr_calls[PHASE_RUN] || p->nr_calls[PHASE_SETUP])
		own_calls_json(j, p);
	jw_u64_if(j, "files_opened", p->files_opened);
	jw_u64_if(j, "file_read_bytes", p->read_bytes);
	jw_u64_if(j, "file_written_bytes", p->written_bytes);
}

/* What lies deeper than the tree may nest: all descendants of @top, one after the other. */
static void flat_json(const struct report *rep, struct jw *j, const struct report_process *top)
{
	const struct report_process *p = top->children;

	while (p) {
		process_json(rep, j, p);
		jw_bool(j, "flattened", true);
		jw_end(j);
		if (p->children) {
			p = p->children;
			continue;
		}
		while (p != top && !p->sibling)
			p = p->parent;
		p = p == top ? NULL : p->sibling;
	}
}

static void tree_json(const struct report *rep, struct jw *j, const struct report_process *p,
		      unsigned int depth)
{
	process_json(rep, j, p);
	if (p->children) {
		jw_array(j, "children", JSON_LINES);
		if (depth == TREE_DEPTH)
			flat_json(rep, j, p);
		else
			for (const struct report_process *c = p->children; c; c = c->sibling)
				tree_json(rep, j, c, depth + 1);
		jw_end(j);
	}
	jw_end(j);
}

void report_process_json(struct report *rep, struct jw *j)
{
	const struct report_processes *ps = &rep->processes;
	const struct hash_node *n;

	jw_object(j, "processes", JSON_LINES);
	jw_u64(j, "listed", ps->all.h.nr);
	jw_u64(j, "forked", ps->forked);
	jw_u64(j, "exited", ps->exited);
	jw_u64(j, "threads", ps->threads);
	jw_object(j, "folded", JSON_INLINE);
	jw_u64(j, "forks", ps->folded_forks);
	jw_u64(j, "records", ps->all.folded);
	jw_u64(j, "execs", ps->folded_execs);
	jw_u64(j, "syscalls", ps->calls.folded);
	jw_u64(j, "events", ps->events.t.folded);
	jw_end(j);
	jw_array(j, "tree", JSON_LINES);
	table_for_each(&ps->all, n)
	{
		const struct report_process *p = (const struct report_process *)n;

		if (!p->parent)
			tree_json(rep, j, p, 0);
	}
	jw_end(j);
	tally_json(rep, j, "exec_failed", &ps->events, EV_process_exec_failed);
	tally_json(rep, j, "credentials", &ps->events, EV_process_credentials);
	tally_json(rep, j, "namespaces", &ps->events, EV_process_namespaces);
	jw_end(j);
}
