// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "process_table.h"

struct key {
	__u64 start;
	__u32 pid;
	__u32 pad;
};

struct entry {
	struct process p;
	struct key key;
	UT_hash_handle hh;
	__u32 live_pid;
	UT_hash_handle live_hh; /* by pid, while it lives */
	struct entry *next_exited; /* in the order they ended */
	unsigned int children;
	bool queued;
};

#define RECENT 256

struct process_table {
	struct entry *all, *live;
	struct entry *recent[RECENT]; /* by pid: the one that was found last; every record asks */
	struct entry *exited_head, **exited_tail;
	size_t max, forgotten;
	__u32 next_index;
};

struct process_table *process_table_new(size_t max)
{
	struct process_table *t = calloc(1, sizeof(*t));

	if (t) {
		t->max = max;
		t->exited_tail = &t->exited_head;
	}
	return t;
}

static void entry_free(struct process_table *t, struct entry *e)
{
	if (e->p.parent)
		((struct entry *)e->p.parent)->children--;
	HASH_DELETE(hh, t->all, e);
	if (t->recent[e->key.pid % RECENT] == e)
		t->recent[e->key.pid % RECENT] = NULL;
	free(e->p.exe);
	free(e->p.args);
	free(e);
}

void process_table_free(struct process_table *t)
{
	struct entry *e, *next;

	if (!t)
		return;
	HASH_CLEAR(live_hh, t->live);
	HASH_ITER(hh, t->all, e, next)
	{
		e->p.parent = NULL;
		entry_free(t, e);
	}
	free(t);
}

struct process *process_find(struct process_table *t, __u32 pid, __u64 start)
{
	struct key k = {.start = start, .pid = pid};
	struct entry **recent = &t->recent[pid % RECENT], *e = *recent;

	if (e && e->key.pid == pid && e->key.start == start)
		return &e->p;
	HASH_FIND(hh, t->all, &k, sizeof(k), e);
	if (!e)
		return NULL;
	*recent = e;
	return &e->p;
}

struct process *process_find_live(struct process_table *t, __u32 pid)
{
	struct entry *e;

	HASH_FIND(live_hh, t->live, &pid, sizeof(pid), e);
	return e ? &e->p : NULL;
}

static void enqueue(struct process_table *t, struct entry *e)
{
	e->queued = true;
	e->next_exited = NULL;
	*t->exited_tail = e;
	t->exited_tail = &e->next_exited;
}

/* Goes through at most @tries of those that are gone. */
static void forget_some(struct process_table *t, size_t tries, __u64 before)
{
	while (t->all && t->exited_head && tries--) {
		struct entry *e = t->exited_head;

		if (HASH_CNT(hh, t->all) <= t->max && e->p.end >= before)
			break;
		t->exited_head = e->next_exited;
		if (!t->exited_head)
			t->exited_tail = &t->exited_head;
		e->queued = false;
		if (!e->p.exited && !e->p.left) /* is back */
			continue;
		if (e->children) { /* its turn comes again when they are gone */
			enqueue(t, e);
			continue;
		}
		entry_free(t, e);
		t->forgotten++;
	}
}

void process_table_expire(struct process_table *t, __u64 before)
{
	forget_some(t, HASH_CNT(hh, t->all), before);
}

/* Whoever had the pid before is gone, also if its exit was lost. */
static void set_live(struct process_table *t, struct entry *e)
{
	struct entry *old;

	e->live_pid = e->key.pid;
	HASH_REPLACE(live_hh, t->live, live_pid, sizeof(e->live_pid), e, old);
	if (!old || old == e || old->queued)
		return;
	old->p.left = true;
	old->p.end = e->p.start;
	enqueue(t, old);
}

/* Whoever was brought in by "exec" has its descendants in the same session. */
static void set_parent(struct entry *e, struct entry *parent)
{
	e->p.parent = &parent->p;
	parent->children++;
	e->p.session_pid = parent->p.session_pid;
	e->p.session_start = parent->p.session_start;
}

static struct entry *entry_new(struct process_table *t, __u32 pid, __u64 start, __u32 ppid)
{
	struct entry *e, *parent;

	forget_some(t, 64, 0);
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->key.pid = e->p.pid = pid;
	e->key.start = e->p.start = start;
	e->p.ppid = ppid;
	e->p.index = t->next_index++;
	parent = (struct entry *)process_find_live(t, ppid);
	if (parent && parent->key.start <= start)
		set_parent(e, parent);
	HASH_ADD(hh, t->all, key, sizeof(e->key), e);
	set_live(t, e);
	return e;
}

static void replace(char **field, size_t *field_len, const char *data, size_t len)
{
	char *copy;

	if (!data)
		return;
	copy = malloc(len + 1);
	if (!copy)
		return;
	memcpy(copy, data, len);
	copy[len] = 0;
	free(*field);
	*field = copy;
	*field_len = len;
}

static void learn_fork(struct process_table *t, const struct ev_process_fork *f,
		       struct entry *parent)
{
	struct entry *child;

	if (f->thread) {
		if (parent)
			parent->p.nr_threads++;
		return;
	}
	if (process_find(t, f->child_pid, f->child_start))
		return;
	child = entry_new(t, f->child_pid, f->child_start, f->hdr.pid);
	if (!child)
		return;
	child->p.vpid = f->child_vpid;
	child->p.uid = f->hdr.uid;
	child->p.gid = f->hdr.gid;
	child->p.cgroup = f->child_cgroup;
	if (!parent) { /* a runtime outside: that much is known of it */
		child->p.setup = true;
		memcpy(child->p.comm, f->hdr.comm, sizeof(f->hdr.comm));
		return;
	}
	child->p.setup = parent->p.setup;
	memcpy(child->p.comm, parent->p.comm, sizeof(child->p.comm));
	replace(&child->p.exe, &child->p.exe_len, parent->p.exe, parent->p.exe_len);
	replace(&child->p.args, &child->p.args_len, parent->p.args, parent->p.args_len);
	child->p.args_cut = parent->p.args_cut;
}

static void learn_exec(const struct ev_process_exec *x, struct entry *e)
{
	size_t len;
	const char *s = record_bytes(&x->hdr, x->exe, &len);

	replace(&e->p.exe, &e->p.exe_len, s, len);
	s = record_bytes(&x->hdr, x->argv, &len);
	replace(&e->p.args, &e->p.args_len, s, len);
	e->p.args_cut = x->argv_cut;
}

static void learn_existing(const struct ev_process_existing *x, struct entry *e)
{
	size_t len;
	const char *s = record_bytes(&x->hdr, x->exe, &len);

	replace(&e->p.exe, &e->p.exe_len, s, len);
	e->p.zombie = x->zombie;
}

static void retire(struct process_table *t, struct entry *e)
{
	struct entry *live = (struct entry *)process_find_live(t, e->key.pid);

	if (live == e)
		HASH_DELETE(live_hh, t->live, e);
	if (!e->queued)
		enqueue(t, e);
}

static void learn_exit(struct process_table *t, const struct ev_process_exit *x, struct entry *e)
{
	e->p.exited = true;
	e->p.end = x->hdr.time;
	e->p.exit_code = x->code;
	e->p.exit_signal = x->sig;
	e->p.cpu_time = x->cpu_time;
	e->p.max_rss = x->max_rss;
	retire(t, e);
}

/* Nothing more is heard of it. It may come back. */
static void learn_leave(struct process_table *t, const struct ev_hdr *hdr, struct entry *e)
{
	e->p.left = true;
	e->p.end = hdr->time;
	retire(t, e);
}

void process_table_lose(struct process_table *t, struct process *p, __u64 now)
{
	p->left = true;
	p->end = now;
	retire(t, (struct entry *)p);
}

void process_table_settle(struct process_table *t)
{
	struct entry *e, *next, *parent;

	HASH_ITER(hh, t->all, e, next)
	{
		parent = (struct entry *)process_find_live(t, e->p.ppid);
		if (e->p.existing && !e->p.parent && parent && parent != e &&
		    parent->key.start <= e->key.start)
			set_parent(e, parent);
	}
}

struct process *process_table_record(struct process_table *t, const struct ev_hdr *hdr)
{
	struct entry *e;

	if (hdr->type == EV_process_fork && hdr->flags & EV_F_OUTSIDE)
		learn_fork(t, (const void *)hdr, NULL);
	if (hdr->flags & EV_F_NOPROC || !hdr->pid)
		return NULL;
	e = (struct entry *)process_find(t, hdr->pid, hdr->start);
	if (hdr->flags & EV_F_OUTSIDE)
		return e ? &e->p : NULL;
	if (!e)
		e = entry_new(t, hdr->pid, hdr->start, hdr->ppid);
	if (!e)
		return NULL;
	if (!event_descs[hdr->type].counter) { /* a counter's header is of when it began */
		e->p.vpid = hdr->vpid;
		e->p.uid = hdr->uid;
		e->p.gid = hdr->gid;
		e->p.cgroup = hdr->cgroup;
		e->p.setup = hdr->flags & EV_F_SETUP;
		e->p.left = false;
		e->p.existing |= !!(hdr->flags & EV_F_EXISTING);
		if (hdr->pid == hdr->tid)
			memcpy(e->p.comm, hdr->comm, sizeof(hdr->comm));
	}
	switch (hdr->type) {
	case EV_process_fork: learn_fork(t, (const void *)hdr, e); break;
	case EV_process_exec: learn_exec((const void *)hdr, e); break;
	case EV_process_existing: learn_existing((const void *)hdr, e); break;
	case EV_container_leave: learn_leave(t, hdr, e); break;
	case EV_process_exit: learn_exit(t, (const void *)hdr, e); break;
	}
	return &e->p;
}

int process_table_each(struct process_table *t, int (*fn)(struct process *p, void *arg), void *arg)
{
	struct entry *e, *next;
	int err = 0;

	HASH_ITER(hh, t->all, e, next)
	{
		err = fn(&e->p, arg);
		if (err)
			break;
	}
	return err;
}

size_t process_table_count(const struct process_table *t, size_t *forgotten)
{
	if (forgotten)
		*forgotten = t->forgotten;
	return HASH_CNT(hh, t->all);
}
