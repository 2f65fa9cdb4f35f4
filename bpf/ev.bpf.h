/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every BPF program is built on: the shared maps, the filter, the record under construction
 * and the one way it leaves the kernel. The loader makes each map once and gives it to all
 * objects (every map defined here is shared by name).
 */
#ifndef EBPFMON_EV_BPF_H
#define EBPFMON_EV_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "events.h"
#include "config.h"

#define __inline_always static inline __attribute__((always_inline, unused))

/*
 * BPF_CORE_READ() by plain loads, which cost a tenth of the helper's copies, where the kernel lets a
 * program say what an address points to (6.2, as bpf_cgrp_storage_get()). What cannot be read is 0, too.
 */
enum bpf_func_id___6_2 { BPF_FUNC_cgrp_storage_get___6_2 };

extern void *bpf_rdonly_cast(const void *address, __u32 btf_id) __ksym __weak;

#define KERNEL_CAST(p) ((typeof(*(p)) *)bpf_rdonly_cast(p, bpf_core_type_id_kernel(typeof(*(p)))))

/* An address that a function is given has to be a number to the verifier: by the helper. */
#define READ_ADDRESS(src, a, ...)                                                                  \
	({                                                                                         \
		___type((src), a, ##__VA_ARGS__) __address;                                        \
		BPF_CORE_READ_INTO(&__address, src, a, ##__VA_ARGS__);                             \
		__address;                                                                         \
	})

#undef BPF_CORE_READ
#define BPF_CORE_READ(src, a, ...)                                                                 \
	(bpf_core_enum_value_exists(enum bpf_func_id___6_2, BPF_FUNC_cgrp_storage_get___6_2)       \
		 ? ___arrow(KERNEL_CAST(src), a, ##__VA_ARGS__)                                    \
		 : READ_ADDRESS(src, a, ##__VA_ARGS__))

/*
 * The current task, for plain loads; from 5.11 on. Cast where that can be done (6.2): for each load by a pointer
 * that it trusts, the verifier looks through the names of all of the kernel's types.
 */
__inline_always struct task_struct *current_direct(void)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();

	return bpf_core_enum_value_exists(enum bpf_func_id___6_2, BPF_FUNC_cgrp_storage_get___6_2)
		       ? KERNEL_CAST(t)
		       : (void *)bpf_get_current_task_btf();
}

/* Set by the loader before the programs are verified: what is off costs nothing. */
const volatile struct ev_config cfg SEC(".rodata.cfg") = {};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} ring SEC(".maps");

/* cgroups that may be, or are, a container's. A cgroup that is not here is not watched. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct ev_cgroup);
} cgroups SEC(".maps");

enum member_flags {
	MEMBER_SETUP = 1 << 0, /* moved in by a runtime, and has executed nothing yet */
	MEMBER_MOVED =
		1 << 1, /* moved by somebody inside: a manager's child, or a nested runtime's */
};

struct member {
	__u64 start; /* of the process: a pid that was used again is another process */
	__u64 cgroup; /* where it was seen last: when it is moved, the kernel tells only where to */
	__u32 flags;
	__u32 pad;
};

/*
 * The processes of watched cgroups. Key: tgid. What a process causes while it ends (SIGCHLD) is
 * later than its exit, so an entry stays until the task is freed; by then the pid may be another's.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536); /* taken at once, 5 MiB: kprobes see this map as well */
	__type(key, __u32);
	__type(value, struct member);
} members SEC(".maps");

/* User space has it mapped, and writes it as well. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ev_state);
} state SEC(".maps");

/* Records that did not fit the ring (or found no room to be built), per event. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EV__MAX);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

/*
 * Where a record with strings is built. Only process context may use it: a program that
 * interrupts another one on the same CPU (socket states in softirq, signals from timers) builds
 * on its stack. `busy` turns what would still be a clash into a counted loss.
 */
#define SCRATCH_TAIL 16384 /* strings begin below this offset */
struct scratch {
	__u32 busy;
	__u32 off; /* where the next string goes */
	/* path_walk: the state of a walk is kept here, where the verifier does not follow it */
	__u64 walk_dentry, walk_mnt; /* where it is */
	__u64 walk_ns; /* the mount namespace whose root it looks for */
	__u32 walk_mount; /* bytes that belong to the file's own mount */
	__u32 walk_crossed; /* has left the file's own mount */
	__u32 walk_flags; /* enum ev_pathflags */
	__u32 walk_begin;
	__u8 buf[EV_MAX_LEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/*
 * For lengths that were checked already: clang knows that @mask (all ones) changes nothing and
 * would leave it out, but the verifier does not remember the check. @x is hidden from clang.
 */
#define bound(x, mask)                                                                             \
	do {                                                                                       \
		asm volatile("" : "+r"(x));                                                        \
		(x) &= (mask);                                                                     \
	} while (0)

/* ---- filter ---- */

__inline_always bool ev_enabled(__u32 type)
{
	return cfg.events[type / 64] >> (type % 64) & 1;
}

/*
 * The cgroup that tells a task's container: that of the default hierarchy or, where no v2 tree is
 * in use, that of one v1 controller. A task's cgroups outlive its exit.
 */
__inline_always __u64 task_cgroup_id(struct task_struct *t)
{
	void *at = BPF_CORE_READ(t, cgroups);
	struct cgroup *c = NULL; /* one for both: some programs have no stack to spare */

	if (!cfg.cgroup_hierarchy) {
		at += bpf_core_field_offset(struct css_set, dfl_cgrp);
	} else {
		at += bpf_core_field_offset(struct css_set, subsys);
		at += (cfg.cgroup_subsys & 31) * sizeof(void *);
		bpf_probe_read_kernel(&c, sizeof(c), at);
		at = (void *)c + bpf_core_field_offset(struct cgroup_subsys_state, cgroup);
	}
	bpf_probe_read_kernel(&c, sizeof(c), at);
	return BPF_CORE_READ(c, kn, id);
}

__inline_always __u64 current_cgroup_id(void)
{
	if (!cfg.cgroup_hierarchy)
		return bpf_get_current_cgroup_id();
	return task_cgroup_id((struct task_struct *)bpf_get_current_task());
}

__inline_always struct ev_cgroup *cgroup_watched(__u64 id)
{
	struct ev_cgroup *c = bpf_map_lookup_elem(&cgroups, &id);

	return c && !(c->flags & CG_IGNORED) ? c : NULL;
}

__inline_always struct ev_cgroup *current_watched(void)
{
	return cgroup_watched(current_cgroup_id());
}

__inline_always volatile struct ev_state *state_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&state, &zero);
}

/* To be called behind every change of `cgroups`, `members`, or a task's place. */
__inline_always void state_changed(void)
{
	struct ev_state *st = (void *)state_get();

	if (st)
		__sync_fetch_and_add(&st->generation, 1);
}

/* 1: equal. Without a branch: of each in a loop the verifier would follow both arms. */
__inline_always __u64 same(__u64 a, __u64 b)
{
	__u64 differs = a ^ b, sign = -differs;

	barrier_var(sign);
	return ~(differs | sign) >> 63;
}

/* The user's filters by process; events that keep the tables right are not subject to them. */
__inline_always bool filter_task(__u32 tgid, __u32 uid, const char *comm)
{
	__u64 hit;

	if (cfg.nr_pids) {
		hit = 0;
		for (__u32 i = 0; i < EV_FILTER_MAX; i++)
			if (i < cfg.nr_pids)
				hit |= same(cfg.pids[i], tgid);
		if (!hit)
			return false;
	}
	if (cfg.nr_uids) {
		hit = 0;
		for (__u32 i = 0; i < EV_FILTER_MAX; i++)
			if (i < cfg.nr_uids)
				hit |= same(cfg.uids[i], uid);
		if (!hit)
			return false;
	}
	if (cfg.nr_comms) {
		const __u64 *have = (const __u64 *)comm;

		hit = 0;
		for (__u32 i = 0; i < EV_FILTER_MAX; i++) {
			const volatile __u64 *want = (const volatile __u64 *)cfg.comms[i];

			if (i < cfg.nr_comms)
				hit |= same(want[0], have[0]) & same(want[1], have[1]);
		}
		if (!hit)
			return false;
	}
	return true;
}

/* The user's filter by port: either end's. */
__inline_always bool filter_port(__u32 local, __u32 peer)
{
	__u64 hit = 0;

	if (!cfg.nr_ports)
		return true;
	for (__u32 i = 0; i < EV_FILTER_MAX; i++)
		if (i < cfg.nr_ports)
			hit |= same(cfg.ports[i], local) | same(cfg.ports[i], peer);
	return hit;
}

/* ---- header ---- */

__inline_always __u32 task_vpid(struct task_struct *t)
{
	struct pid *pid = BPF_CORE_READ(t, group_leader, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	struct upid up = {};

	if (level > 32) /* MAX_PID_NS_LEVEL */
		return 0;
	bpf_core_read(&up, sizeof(up), &pid->numbers[level]);
	return up.nr;
}

__inline_always __u64 task_start(struct task_struct *t)
{
	return BPF_CORE_READ(t, group_leader, start_boottime);
}

/* What is kept of the task's process; NULL: it was in no watched cgroup. */
__inline_always struct member *task_member(struct task_struct *t)
{
	__u32 tgid = BPF_CORE_READ(t, tgid);
	struct member *m = bpf_map_lookup_elem(&members, &tgid);

	return m && m->start == task_start(t) ? m : NULL;
}

/*
 * enum member_flags of a task in a watched cgroup. The kernel tells of a move some time after it:
 * till then the task runs in its new place without an entry, so who has none is on the way in.
 * (Those that were there before recording began get theirs from the scan.)
 */
__inline_always __u32 task_flags(struct task_struct *t)
{
	volatile struct ev_state *st = state_get();
	struct member *m = task_member(t);

	if (m)
		return m->flags;
	return st && st->scanned ? MEMBER_SETUP : 0;
}

__inline_always bool task_in_setup(struct task_struct *t)
{
	return task_flags(t) & MEMBER_SETUP;
}

__inline_always bool current_in_setup(void)
{
	return task_in_setup((struct task_struct *)bpf_get_current_task());
}

/* Any task, not only the current one. */
__inline_always void ev_header_of(struct ev_hdr *h, __u32 type, __u32 len, struct task_struct *t)
{
	h->type = type;
	h->len = len;
	h->pad = 0;
	h->time = bpf_ktime_get_boot_ns();
	h->cgroup = task_cgroup_id(t);
	h->start = task_start(t);
	h->pid = BPF_CORE_READ(t, tgid);
	h->tid = BPF_CORE_READ(t, pid);
	h->vpid = task_vpid(t);
	h->ppid = BPF_CORE_READ(t, real_parent, tgid);
	h->uid = BPF_CORE_READ(t, real_cred, uid.val);
	h->gid = BPF_CORE_READ(t, real_cred, gid.val);
	h->flags = task_in_setup(t) ? EV_F_SETUP : 0;
	/* filter_task() compares all of it, and the header may lie where another name was */
	__builtin_memset(h->comm, 0, sizeof(h->comm));
	bpf_core_read_str(h->comm, sizeof(h->comm), &t->comm);
}

__inline_always void ev_header(struct ev_hdr *h, __u32 type, __u32 len)
{
	ev_header_of(h, type, len, (struct task_struct *)bpf_get_current_task());
}

/* ---- the way out ---- */

__inline_always void ev_lost(__u32 type)
{
	__u64 *n = bpf_map_lookup_elem(&lost, &type);

	if (n)
		__sync_fetch_and_add(n, 1);
}

/* For want of room the process's phase, and that it leaves, are not known from here on. */
__inline_always void member_put(__u32 tgid, __u64 start, __u64 cgroup, __u32 flags, __u64 how)
{
	struct member m = {.start = start, .cgroup = cgroup, .flags = flags};

	if (bpf_map_update_elem(&members, &tgid, &m, how) && how == BPF_ANY)
		ev_lost(EV_container_cgroup_attach);
}

/*
 * Wake-ups cost more than all else together: the reader polls on a timer, and is woken early only
 * when the ring fills up while it sleeps, or when @urgent (rare events that it must act on). When
 * nothing happens it polls less often, and the first record wakes it.
 */
__inline_always __u64 ev_wakeup(bool urgent)
{
	volatile struct ev_state *st = state_get();

	if (urgent)
		return BPF_RB_FORCE_WAKEUP;
	if (!st || st->awake)
		return BPF_RB_NO_WAKEUP;
	if (!st->eager && bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) <= cfg.wakeup_bytes)
		return BPF_RB_NO_WAKEUP;
	st->awake = 1;
	return BPF_RB_FORCE_WAKEUP;
}

/*
 * The way out of events: but for call_trace(), which builds its record in the ring. Counters that leave their maps
 * early (io_retire()) go back there if the ring is full. false: it is counted as lost.
 */
__inline_always bool ev_output(void *rec, __u32 type, __u64 len, bool urgent)
{
	if (!bpf_ringbuf_output(&ring, rec, len, ev_wakeup(urgent)))
		return true;
	ev_lost(type);
	return false;
}

/* A record without strings, built on the stack (any context). */
#define ev_submit_fixed(rec, type, urgent) ev_output(rec, type, sizeof(*(rec)), urgent)

/*
 * What a counter's map has no room for is summed without its process, in a map called like it and _rest:
 * the sums of a container lack nothing. Returns the entry that the caller is to add to; NULL: the record
 * @h has become it. (Only when there is no room here either does it travel by itself.) The caller has
 * taken the process out of @key.
 */
__inline_always void *counter_rest(void *map, const void *key, struct ev_hdr *h, __u64 size)
{
	void *old = bpf_map_lookup_elem(map, key);

	h->pid = h->tid = h->vpid = h->ppid = 0;
	h->start = 0;
	h->flags |= EV_F_NOPROC;
	if (old || !bpf_map_update_elem(map, key, h, BPF_NOEXIST))
		return old;
	old = bpf_map_lookup_elem(map, key);
	if (!old)
		ev_output(h, h->type, size, false);
	return old;
}

/* ---- records with strings: process context only ---- */

__inline_always struct scratch *scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

/* The scratch space, zeroed up to @size; NULL when it is taken (counted as lost). */
__inline_always struct scratch *scratch_take(__u32 type, __u32 size)
{
	struct scratch *s = scratch_get();

	if (!s)
		return NULL;
	if (s->busy) {
		ev_lost(type);
		return NULL;
	}
	s->busy = 1;
	__builtin_memset(s->buf, 0, size);
	s->off = size;
	return s;
}

/* Gives it back if the filters leave out the task in its header: then NULL. */
__inline_always struct scratch *scratch_filter(struct scratch *s)
{
	struct ev_hdr *h = (struct ev_hdr *)s->buf;

	if (filter_task(h->pid, h->uid, h->comm))
		return s;
	s->busy = 0;
	return NULL;
}

/*
 * Begins a record of the current task: returns the scratch space, zeroed up to @size, its header
 * filled; NULL when the event is off, filtered out, or the space is taken (counted as lost).
 * Every successful ev_begin() is followed by ev_end() or ev_abort(). At the exit of a system call
 * call_begin() does the same for less.
 */
__inline_always struct scratch *ev_begin_always(__u32 type, __u32 size)
{
	struct scratch *s = scratch_take(type, size);

	if (s)
		ev_header((struct ev_hdr *)s->buf, type, size);
	return s;
}

__inline_always struct scratch *ev_begin(__u32 type, __u32 size)
{
	struct scratch *s = ev_enabled(type) ? ev_begin_always(type, size) : NULL;

	return s ? scratch_filter(s) : NULL;
}

__inline_always void ev_abort(struct scratch *s)
{
	s->busy = 0;
}

__inline_always bool ev_end(struct scratch *s, bool urgent)
{
	struct ev_hdr *h = (struct ev_hdr *)s->buf;
	__u64 len = s->off;
	bool sent;

	if (len > EV_MAX_LEN)
		len = EV_MAX_LEN;
	h->len = len;
	sent = ev_output(s->buf, h->type, len, urgent);
	s->busy = 0;
	return sent;
}

/* Room for @max bytes at s->off, which stays below SCRATCH_TAIL for that; NULL when it is full. */
__inline_always void *tail_room(struct scratch *s)
{
	__u32 off = s->off;
	void *room;

	if (off >= SCRATCH_TAIL)
		return NULL;
	bound(off, SCRATCH_TAIL - 1);
	room = &s->buf[off];
	/* clang would test s->off again where callers test the result: before 6.12 that tells the verifier nothing */
	asm volatile("" : "+r"(room));
	return room;
}

__inline_always void tail_take(struct scratch *s, struct ev_ref *ref, __u32 len)
{
	ref->off = s->off;
	ref->len = len;
	s->off += len;
}

/* NUL-terminated string in kernel or user memory, up to 4096 bytes; the NUL is not kept. */
__inline_always void tail_kstr(struct scratch *s, struct ev_ref *ref, const void *src)
{
	void *dst = tail_room(s);
	long n;

	if (!dst || !src)
		return;
	n = bpf_probe_read_kernel_str(dst, 4096, src);
	if (n > 1)
		tail_take(s, ref, n - 1);
}

__inline_always int tail_ustr(struct scratch *s, struct ev_ref *ref, const void *src)
{
	void *dst = tail_room(s);
	long n;

	if (!dst || !src)
		return -1;
	n = bpf_probe_read_user_str(dst, 4096, src);
	if (n > 1)
		tail_take(s, ref, n - 1);
	return n;
}

#endif
