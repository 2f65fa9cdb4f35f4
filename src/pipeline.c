// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include "container/processes.h"
#include "file_names.h"
#include "path_lookup.h"
#include "pipeline.h"

#define BACKLOG_MIN   4096
#define BACKLOG_MAX   (4u << 20) /* bytes kept for a container that is not decided, */
#define BACKLOG_ALL   (64u << 20) /* and for all of them: somebody may make any number */
#define FILES_MAX     262144
#define PROCESSES_MAX 100000

/* Records of a container that may turn out to be none: kept in order until it is decided. */
struct backlog {
	struct backlog *next, **at; /* of pipeline.backlogs */
	struct container *container;
	__u32 lost[EV__MAX]; /* what did not fit */
	size_t len, cap;
	char data[];
};

int pipeline_init(struct pipeline *p)
{
	p->epoch = 1;
	p->scratch = aligned_alloc(64, (EV_MAX_LEN + 2 * PATH_MAX + 63) & ~63);
	p->files = file_names_new(FILES_MAX);
	p->processes = process_table_new(PROCESSES_MAX);
	p->lookup = path_lookup_new();
	return p->scratch && p->files && p->processes && p->lookup ? 0 : -ENOMEM;
}

/* It is the caller's to free. */
static struct backlog *backlog_take(struct pipeline *p, struct backlog *b)
{
	*b->at = b->next;
	if (b->next)
		b->next->at = b->at;
	b->container->backlog = NULL;
	p->backlogged -= b->cap;
	return b;
}

void pipeline_exit(struct pipeline *p)
{
	while (p->backlogs)
		free(backlog_take(p, p->backlogs));
	file_names_free(p->files);
	process_table_free(p->processes);
	path_lookup_free(p->lookup);
	free(p->scratch);
}

/* @wanted: by the filters; of what they leave out, the report's tree still gets the processes. */
static void give(struct pipeline *p, struct record *r, bool wanted)
{
	bool selected = wanted && p->filter->events[r->hdr->type];

	if (!wanted && r->desc->sub != EVS_process)
		return;
	for (struct sink *s = p->sinks; s; s = s->next) {
		int err;

		if (!selected && !s->all_events)
			continue;
		err = s->ops->event(s, r);
		if (err && !p->err)
			p->err = err;
	}
}

/* An open that created its file is file.create as well: the kernel side sends one record for both. */
static bool creates(const struct pipeline *p, const struct ev_hdr *hdr)
{
	return hdr->type == EV_file_open && ((const struct ev_file_open *)hdr)->created &&
	       p->filter->events[EV_file_create];
}

/* ---- filters ---- */

static bool path_wanted(const struct pipeline *p, const struct ev_hdr *hdr,
			const struct event_desc *d)
{
	bool any = false;

	for (unsigned int i = 0; i < d->nr_fields; i++) {
		const struct field_desc *f = &d->fields[i];
		const char *s;
		size_t len;

		if (f->type != FT_path)
			continue;
		any = true;
		s = record_bytes(hdr, *(const struct ev_ref *)((const char *)hdr + f->offset),
				 &len);
		for (unsigned int j = 0; s && j < p->filter->nr_prefixes; j++) {
			size_t n = strlen(p->filter->prefixes[j]);

			if (len >= n && !memcmp(s, p->filter->prefixes[j], n))
				return true;
		}
	}
	return !any;
}

static bool port_wanted(const struct pipeline *p, const struct ev_hdr *hdr,
			const struct event_desc *d)
{
	bool any = false;

	for (unsigned int i = 0; i < d->nr_fields; i++) {
		const struct field_desc *f = &d->fields[i];
		__u64 port;

		if (f->type != FT_port)
			continue;
		any = true;
		port = record_number(hdr, f);
		for (unsigned int j = 0; j < p->filter->nr_ports; j++)
			if (port == p->filter->ports[j])
				return true;
	}
	return !any;
}

static bool number_wanted(const __u32 *list, unsigned int nr, __u32 n)
{
	bool hit = !nr;

	for (unsigned int i = 0; i < nr; i++)
		hit |= list[i] == n;
	return hit;
}

static bool task_wanted(const struct filter *f, const struct ev_hdr *hdr)
{
	bool hit = !f->nr_comms;

	for (unsigned int i = 0; i < f->nr_comms; i++)
		hit |= !strncmp(f->comms[i], hdr->comm, sizeof(hdr->comm) - 1);
	return hit && number_wanted(f->pids, f->nr_pids, hdr->pid) &&
	       number_wanted(f->uids, f->nr_uids, hdr->uid);
}

static bool wanted(const struct pipeline *p, const struct record *r)
{
	const struct filter *f = p->filter;

	return (r->desc->sub != EVS_process || task_wanted(f, r->hdr)) &&
	       (!f->nr_prefixes || path_wanted(p, r->hdr, r->desc)) &&
	       (!f->nr_ports || port_wanted(p, r->hdr, r->desc));
}

/* ---- what only user space knows ---- */

static struct ev_hdr *scratch_copy(struct pipeline *p, const struct ev_hdr *hdr)
{
	if ((const char *)hdr != p->scratch)
		memcpy(p->scratch, hdr, hdr->len);
	return (struct ev_hdr *)p->scratch;
}

/* Puts bytes behind the record and lets @ref lead to them. */
static void set_bytes(struct ev_hdr *hdr, struct ev_ref *ref, const char *s, size_t len)
{
	if (!s || hdr->len + len > EV_MAX_LEN)
		return;
	memcpy((char *)hdr + hdr->len, s, len);
	ref->off = hdr->len;
	ref->len = len;
	hdr->len += len;
}

static void set_path(struct ev_hdr *hdr, struct ev_ref *ref, const char *path, size_t len)
{
	if (len <= PATH_MAX)
		set_bytes(hdr, ref, path, len);
}

static void name_file(struct pipeline *p, struct ev_hdr *hdr)
{
	struct ev_file_io *io = (struct ev_file_io *)hdr;
	struct file_name name;

	if (file_names_get(p->files, io->file, &name))
		return;
	set_path(hdr, &io->path, name.path, name.path_len);
	io->path_flags = name.flags;
	io->mount.off = io->path.off;
	io->mount.len = name.mount_len;
}

static void remember_file(struct pipeline *p, const struct ev_hdr *hdr, struct ev_ref path,
			  struct ev_ref mount, __u32 flags, __u64 id)
{
	struct file_name name = {.mount_len = mount.len, .flags = flags};

	name.path = record_bytes(hdr, path, &name.path_len);
	if (name.path && id)
		file_names_set(p->files, id, hdr->cgroup, &name);
}

/* Below the root of the process that called, or, when it is gone already, of the container's first. */
static ssize_t lookup(struct pipeline *p, const struct record *r, const char *path, size_t len,
		      bool follow, char *out)
{
	const struct container *c = r->container;
	struct path_owner caller = {r->hdr->pid, r->hdr->start, r->hdr->time};
	struct path_owner init = {c->init_pid, c->init_start, r->hdr->time};
	ssize_t n = path_lookup(p->lookup, &caller, path, len, follow, out);

	if (n < 0 && init.pid && init.pid != caller.pid)
		n = path_lookup(p->lookup, &init, path, len, follow, out);
	return n;
}

static void resolve_path(struct pipeline *p, struct record *r, struct ev_hdr *hdr,
			 struct ev_ref *ref, __u32 *flags)
{
	char out[PATH_MAX];
	const char *path;
	size_t len;
	ssize_t n;

	if (!(*flags & PATH_ARGUMENT) ||
	    *flags & (PATH_UNREADABLE | PATH_UNREACHABLE | PATH_TRUNCATED))
		return;
	path = record_bytes(hdr, *ref, &len);
	if (!path)
		return;
	n = lookup(p, r, path, len, *flags & PATH_FOLLOW, out);
	if (n < 0)
		return;
	*flags |= PATH_LOOKUP;
	if ((size_t)n != len || memcmp(out, path, n))
		set_path(hdr, ref, out, n);
}

/* A call that failed may have found nothing where its argument led: that stays as it was written. */
static bool failed(const struct event_desc *d, const struct ev_hdr *hdr)
{
	for (unsigned int i = 0; i < d->nr_fields; i++)
		if (d->fields[i].type == FT_err && record_number(hdr, &d->fields[i]))
			return true;
	return false;
}

/* Every path of the record that came from a call's argument. */
static void resolve_paths(struct pipeline *p, struct record *r, struct ev_hdr *hdr)
{
	const struct event_desc *d = r->desc;

	for (unsigned int i = 0; i < d->nr_fields; i++) {
		const struct field_desc *f = &d->fields[i];
		static const struct {
			const char *path, *flags;
		} pairs[] = {
			{"path", "path_flags"},
			{"target", "target_flags"},
		};

		if (f->type != FT_path)
			continue;
		for (unsigned int j = 0; j < 2; j++)
			for (unsigned int k = 0;
			     !strcmp(f->member, pairs[j].path) && k < d->nr_fields; k++)
				if (!strcmp(d->fields[k].member, pairs[j].flags))
					resolve_path(p, r, hdr, (void *)((char *)hdr + f->offset),
						     (void *)((char *)hdr + d->fields[k].offset));
	}
}

static void judge_exe(const struct record *r, struct ev_hdr *hdr)
{
	struct ev_process_exec *x = (struct ev_process_exec *)hdr;
	__u64 created = (r->container->created + r->boot_to_wall) / 1000000000;

	if (x->modified_at && (__u64)x->modified_at > created)
		x->exe_flags |= EXE_MODIFIED;
}

/*
 * The kernel side sends a signal that crosses cgroups twice, once for each that is watched. When both are
 * the same container's, the one in the target's name is one too many.
 */
static bool signal_doubled(const struct pipeline *p, const struct container *c,
			   const struct ev_hdr *hdr)
{
	const struct ev_ipc_signal *s = (const struct ev_ipc_signal *)hdr;

	return hdr->type == EV_ipc_signal && s->sender_cgroup && hdr->cgroup != s->sender_cgroup &&
	       container_table_find(p->containers, s->sender_cgroup) == c;
}

/*
 * The kernel counts a process's threads down before it tells of a thread's exit: of two that exit together both may be
 * told as the last. The later record knows no less than the first, which may have come before the exit code was set.
 */
static bool exit_doubled(const struct pipeline *p, const struct ev_hdr *hdr)
{
	const struct process *x;

	if (hdr->type != EV_process_exit)
		return false;
	x = process_find(p->processes, hdr->pid, hdr->start);
	return x && x->exited;
}

static void judge_signal(struct pipeline *p, struct ev_hdr *hdr)
{
	struct ev_ipc_signal *s = (struct ev_ipc_signal *)hdr;

	if (!(hdr->flags & EV_F_NOPROC))
		s->crosses = container_table_find(p->containers, s->sender_cgroup) !=
			     container_table_find(p->containers, s->target_cgroup);
}

/* Returns the record to show, a copy with more in it: p->scratch. */
static struct ev_hdr *enrich(struct pipeline *p, struct record *r)
{
	struct ev_hdr *hdr = scratch_copy(p, r->hdr);

	switch (hdr->type) {
	case EV_file_io: name_file(p, hdr); break;
	case EV_process_exec: judge_exe(r, hdr); break;
	case EV_ipc_signal: judge_signal(p, hdr); break;
	case EV_file_open: {
		struct ev_file_open *e = (void *)hdr;

		remember_file(p, hdr, e->path, e->mount, e->path_flags, e->err ? 0 : e->file);
		break;
	}
	case EV_process_existing: {
		struct ev_process_existing *e = (void *)hdr;

		if (r->process)
			set_bytes(hdr, &e->argv, r->process->args, r->process->args_len);
		e->argv_cut = r->process && r->process->args_cut;
		break;
	}
	case EV_file_inherit: {
		struct ev_file_inherit *e = (void *)hdr;

		remember_file(p, hdr, e->path, e->mount, e->path_flags, e->file);
		break;
	}
	}
	if (event_descs[hdr->type].sub == EVS_file && !failed(r->desc, hdr))
		resolve_paths(p, r, hdr);
	return hdr;
}

/* ---- containers ---- */

static struct record record_of(const struct pipeline *p, const struct container *c,
			       const struct ev_hdr *hdr)
{
	return (struct record){
		.hdr = hdr,
		.desc = &event_descs[hdr->type],
		.container = c,
		.wall = hdr->time + p->boot_to_wall,
		.boot_to_wall = p->boot_to_wall,
		.epoch = p->epoch,
	};
}

static void append(struct ev_hdr *hdr, struct ev_ref *ref, const char *s)
{
	if (s)
		set_path(hdr, ref, s, strnlen(s, PATH_MAX - 1));
}

void pipeline_start(struct pipeline *p, struct container *c, const struct ev_hdr *by)
{
	union {
		struct ev_container_start e;
		char room[sizeof(struct ev_container_start) + 3 * PATH_MAX];
	} u = {};
	struct record r;

	u.e.hdr = *by;
	u.e.hdr.type = EV_container_start;
	u.e.hdr.len = sizeof(u.e);
	append(&u.e.hdr, &u.e.image, c->info.image);
	append(&u.e.hdr, &u.e.runtime, c->runtime);
	append(&u.e.hdr, &u.e.path, c->cgroup_path);
	r = record_of(p, c, &u.e.hdr);
	r.process = process_find(p->processes, by->pid, by->start);
	give(p, &r, true);
}

static void stop(struct pipeline *p, struct container *c, const struct ev_process_exit *x)
{
	struct ev_container_stop e = {.hdr = x->hdr, .code = x->code, .sig = x->sig};
	struct record r;

	c->stopped = x->hdr.time;
	c->exit_code = x->code;
	c->exit_signal = x->sig;
	e.hdr.type = EV_container_stop;
	e.hdr.len = sizeof(e);
	e.duration = x->hdr.time - (c->started ? c->started : c->created);
	r = record_of(p, c, &e.hdr);
	r.process = process_find(p->processes, x->hdr.pid, x->hdr.start);
	give(p, &r, true);
	p->wanted_stopped = true;
}

static void see(struct container *c, const struct ev_process_exec *x)
{
	c->seen = (struct container_seen){
		.known = true,
		.seccomp = x->seccomp,
		.no_new_privs = x->no_new_privs,
		.uid = x->euid,
		.gid = x->egid,
		.cap_effective = x->cap_effective,
		.cap_bounding = x->cap_bounding,
	};
}

/*
 * systemd's own preparations are part of a service's life: nobody else would tell them. The kernel
 * side hears of a unit only when its cgroup is there, and may have taken its first tasks for set-up.
 */
static void no_setup(const struct container *c, struct ev_hdr *hdr)
{
	if (!c->unit)
		return;
	hdr->flags &= ~EV_F_SETUP;
	if (hdr->type == EV_process_exec && !c->started)
		((struct ev_process_exec *)hdr)->entry = 1;
}

/* The first program executed in a container is its entry point, and its process the container's first. */
static void follow_life(struct pipeline *p, struct container *c, const struct ev_hdr *hdr)
{
	if (hdr->type == EV_process_exec && ((const struct ev_process_exec *)hdr)->entry &&
	    !c->started) {
		/* its runtime has written its state by now */
		container_table_entry(p->containers, c, hdr->time);
		see(c, (const struct ev_process_exec *)hdr);
		container_table_running(p->containers, c, (pid_t)hdr->pid, hdr->start);
		c->started = hdr->time;
		c->init_pid = hdr->pid;
		c->init_start = hdr->start;
		pipeline_start(p, c, hdr);
	}
}

/*
 * A program that the runtime brought into a container that runs (docker exec) begins a session; its
 * descendants belong to it. What is executed by whoever entered a nested container is its own.
 */
static void follow_session(const struct container *c, const struct ev_hdr *hdr, struct process *p)
{
	const struct ev_process_exec *x = (const struct ev_process_exec *)hdr;

	if (hdr->type != EV_process_exec || !x->entry || !p || c->unit)
		return;
	if (!c->started) {
		p->session_pid = 0;
		p->session_start = 0;
	} else if (x->entry == ENTRY_SETUP && !c->stopped) {
		p->session_pid = p->pid;
		p->session_start = p->start;
	}
}

/* clone3(2) may have a child born in another cgroup, out of sight. */
static void follow_child(struct pipeline *p, const struct ev_hdr *hdr)
{
	const struct ev_process_fork *f = (const struct ev_process_fork *)hdr;
	struct process *child;

	if (hdr->type != EV_process_fork || f->thread ||
	    container_table_find(p->containers, f->child_cgroup))
		return;
	child = process_find(p->processes, f->child_pid, f->child_start);
	if (child)
		process_table_lose(p->processes, child, hdr->time);
}

/* ---- what was there before ---- */

static bool outside(const struct pipeline *p, const struct process *x)
{
	return !x->parent || container_table_find(p->containers, x->parent->cgroup) !=
				     container_table_find(p->containers, x->cgroup);
}

/* A container's first process: of those that came from outside the one that is 1 to itself, else the oldest. */
static int find_first(struct process *x, void *arg)
{
	struct pipeline *p = arg;
	struct container *c = container_table_find(p->containers, x->cgroup);
	const struct process *have;

	if (!c || !c->existing || !x->existing || !outside(p, x))
		return 0;
	have = process_find(p->processes, c->init_pid, c->init_start);
	if (have && (have->vpid == 1) >= (x->vpid == 1) &&
	    ((have->vpid == 1) != (x->vpid == 1) || have->start <= x->start))
		return 0;
	c->init_pid = x->pid;
	c->init_start = x->start;
	return 0;
}

/* Whoever else came from outside was brought in by "exec". An orphan of a session is not told from others. */
static int find_session(struct process *x, void *arg)
{
	struct pipeline *p = arg;
	struct container *c = container_table_find(p->containers, x->cgroup);
	struct process *root = x;

	if (!c || !c->existing || !x->existing)
		return 0;
	while (!outside(p, root))
		root = root->parent;
	if (root->pid == c->init_pid && root->start == c->init_start)
		return 0;
	/* in the host's pid namespace an orphan's new parent is outside as well: nobody knows */
	if (root->vpid == root->pid)
		return 0;
	x->session_pid = root->pid;
	x->session_start = root->start;
	return 0;
}

void pipeline_settle(struct pipeline *p)
{
	p->epoch++;
	process_table_settle(p->processes);
	process_table_each(p->processes, find_first, p);
	process_table_each(p->processes, find_session, p);
	p->learning = false;
}

/* ---- what is gone ---- */

static bool gone(void *arg, __u64 cgroup)
{
	return container_table_gone(arg, cgroup);
}

/* Its cgroup is gone, or it is, though its exit was not told. */
static int lose(struct process *x, void *arg)
{
	struct pipeline *p = arg;

	if (x->exited || x->left)
		return 0;
	if (container_table_gone(p->containers, x->cgroup) ||
	    (p->ends_lost && !container_process_is((pid_t)x->pid, x->start)))
		process_table_lose(p->processes, x, p->now);
	return 0;
}

void pipeline_expire(struct pipeline *p, __u64 now, __u64 age)
{
	p->epoch++;
	container_table_expire(p->containers, now, age);
	process_table_expire(p->processes, now > age ? now - age : 0);
	if (now < p->next_expiry)
		return;
	p->next_expiry = now + age;
	p->now = now;
	if (p->ends_lost)
		container_table_look(p->containers, now);
	process_table_each(p->processes, lose, p);
	p->ends_lost = false;
	file_names_expire(p->files, gone, p->containers);
	malloc_trim(0);
}

/* ---- a record's way ---- */

/* Who signals a process of the container from elsewhere, or makes and removes its cgroups, is none of its processes. */
static void judge_actor(const struct pipeline *p, const struct container *c, struct ev_hdr *hdr)
{
	__u64 actor;

	switch (hdr->type) {
	case EV_container_cgroup_create:
	case EV_container_cgroup_remove: actor = hdr->cgroup; break;
	case EV_ipc_signal: actor = ((const struct ev_ipc_signal *)hdr)->sender_cgroup; break;
	default: return;
	}
	if (!(hdr->flags & EV_F_NOPROC) && container_table_find(p->containers, actor) != c)
		hdr->flags |= EV_F_OUTSIDE;
}

_Static_assert(sizeof(struct ev_file_create) <= sizeof(struct ev_file_open),
	       "one becomes the other in its place");

static void give_create(struct pipeline *p, struct record *r, struct ev_hdr *hdr)
{
	struct ev_file_open open = *(struct ev_file_open *)hdr;
	struct ev_file_create *e = (struct ev_file_create *)hdr;

	hdr->type = EV_file_create;
	e->kind = open.kind;
	e->node = 0;
	e->mode = open.mode;
	e->err = 0;
	r->desc = &event_descs[EV_file_create];
	give(p, r, wanted(p, r));
}

static void dispatch(struct pipeline *p, struct container *c, struct ev_hdr *hdr)
{
	struct record r = record_of(p, c, hdr);
	bool exits = hdr->type == EV_process_exit, doubled = exit_doubled(p, hdr);

	no_setup(c, hdr);
	if (signal_doubled(p, c, hdr))
		return;
	judge_actor(p, c, hdr);
	r.process = process_table_record(p->processes, hdr);
	if (p->learning || doubled)
		return;
	if (r.desc->sub == EVS_process) {
		follow_session(c, hdr, process_find(p->processes, hdr->pid, hdr->start));
		follow_child(p, hdr);
		follow_life(p, c, hdr);
	}
	c->lingers |= r.desc->sub == EVS_tcp;
	hdr = enrich(p, &r);
	r.hdr = hdr;
	give(p, &r, wanted(p, &r));
	if (creates(p, hdr))
		give_create(p, &r, hdr);
	if (exits && c->init_pid == hdr->pid && c->init_start == hdr->start && !c->stopped)
		stop(p, c, (const struct ev_process_exit *)hdr);
}

/* Makes one, or makes it twice as large. NULL: there is no room. */
static struct backlog *backlog_grow(struct pipeline *p, struct container *c)
{
	struct backlog *b = c->backlog;
	size_t old = b ? b->cap : 0, cap = b ? 2 * old : BACKLOG_MIN;

	if (cap > BACKLOG_MAX || p->backlogged - old + cap > BACKLOG_ALL)
		return NULL;
	b = realloc(b, sizeof(*b) + cap);
	if (!b)
		return NULL;
	if (!c->backlog)
		*b = (struct backlog){.container = c, .next = p->backlogs, .at = &p->backlogs};
	b->cap = cap;
	p->backlogged += cap - old;
	*b->at = c->backlog = b;
	if (b->next)
		b->next->at = &b->next;
	return b;
}

static void backlog_lose(struct pipeline *p, struct backlog *b, __u32 type)
{
	if (b)
		b->lost[type]++;
	else
		p->lost[type]++;
}

static void backlog_add(struct pipeline *p, struct container *c, const struct ev_hdr *hdr)
{
	size_t need = (hdr->len + 7) & ~7u;
	struct backlog *b = c->backlog;

	while (!b || b->len + need > b->cap) {
		struct backlog *grown = backlog_grow(p, c);

		if (!grown) {
			backlog_lose(p, b, hdr->type);
			if (creates(p, hdr))
				backlog_lose(p, b, EV_file_create);
			return;
		}
		b = grown;
	}
	memcpy(b->data + b->len, hdr, hdr->len);
	b->len += need;
}

void pipeline_decided(struct pipeline *p, struct container *c)
{
	struct backlog *b = c->backlog;

	if (!b)
		return;
	backlog_take(p, b); /* first: what it holds may be fed again */
	for (size_t off = 0; c->state == CT_WATCHED && off < b->len;) {
		struct ev_hdr *hdr = (void *)(b->data + off);

		off += (hdr->len + 7) & ~7u;
		dispatch(p, c, hdr);
	}
	for (int i = 0; c->state == CT_WATCHED && i < EV__MAX; i++)
		p->lost[i] += b->lost[i];
	free(b);
}

static void cgroup_event(struct pipeline *p, const struct ev_hdr *hdr)
{
	if (hdr->type == EV_container_cgroup_create) {
		const struct ev_container_cgroup_create *e = (const void *)hdr;
		size_t len;
		const char *path = record_bytes(hdr, e->path, &len);

		if (path)
			container_table_create(p->containers, &(struct cgroup_made){
								      .id = e->id,
								      .parent = e->parent,
								      .path = path,
								      .len = len,
								      .by = (pid_t)hdr->pid,
								      .now = hdr->time,
							      });
	}
}

void pipeline_feed(struct pipeline *p, const void *data, size_t len)
{
	struct ev_hdr *hdr = (struct ev_hdr *)p->scratch;
	struct container *c;
	__u64 cgroup, time;
	bool removed;

	p->nr_records++;
	if (len > EV_MAX_LEN || record_check(data, len)) {
		p->bad++;
		return;
	}
	memcpy(p->scratch, data, len);
	record_normalise(hdr);
	if (event_descs[hdr->type].sub == EVS_process ||
	    event_descs[hdr->type].sub == EVS_container)
		p->epoch++; /* the tables learn from it */
	/* what is kept of a container passes through the scratch as well, once it is decided */
	removed = hdr->type == EV_container_cgroup_remove;
	time = hdr->time;
	cgroup_event(p, hdr);
	cgroup = hdr->cgroup;
	if (hdr->type ==
	    EV_container_cgroup_create) /* by the runtime, from outside: it is the container's all the same */
		cgroup = ((struct ev_container_cgroup_create *)hdr)->id;
	else if (removed)
		cgroup = ((struct ev_container_cgroup_remove *)hdr)->id;
	c = container_table_find(p->containers, cgroup);
	if (!c) {
		p->stray++;
		return;
	}
	if (c->state == CT_UNDECIDED && hdr->type == EV_process_exec &&
	    ((struct ev_process_exec *)hdr)->entry) {
		void *copy = malloc(
			hdr->len); /* what was kept comes first, and passes through the scratch */

		if (copy)
			memcpy(copy, hdr, hdr->len);
		container_table_entry(p->containers, c, hdr->time);
		if (copy)
			memcpy(hdr, copy, ((struct ev_hdr *)copy)->len);
		free(copy);
	}
	if (c->state == CT_UNDECIDED)
		backlog_add(p, c, hdr);
	else if (c->state == CT_WATCHED)
		dispatch(p, c, hdr);
	if (removed)
		container_table_remove(p->containers, cgroup, time);
}

void pipeline_flush(struct pipeline *p)
{
	for (struct sink *s = p->sinks; s; s = s->next) {
		int err = s->ops->flush ? s->ops->flush(s) : 0;

		if (err && !p->err)
			p->err = err;
	}
}

int pipeline_finish(struct pipeline *p, const struct session *session)
{
	int first = 0;

	for (struct sink *s = p->sinks; s; s = s->next) {
		int err = s->ops->finish ? s->ops->finish(s, session) : 0;

		if (err && !first)
			first = err;
	}
	return first;
}
