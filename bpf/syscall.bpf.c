// SPDX-License-Identifier: GPL-2.0
/*
 * System calls: the one program on sys_exit (and, when durations are wanted, on sys_enter). It
 * counts, and passes the exit on to the subsystems that want it.
 *
 * At sys_exit the number reads -1 after rt_sigreturn. A call that does not return (exit,
 * exit_group) is counted when its task ends; one still blocked when recording ends is counted by
 * user space, from /proc/PID/task/TID/syscall.
 *
 * A seccomp filter comes before sys_enter: a call that it answers itself has an exit and no entry.
 */
#include "check.bpf.h"
#include "leader.bpf.h"
#include "uring.bpf.h"
#include "traced.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct call_key {
	__u64 cgroup;
	__u32 tgid;
	__u32 start; /* low bits of the start time: a pid that was used again is another process */
	__u32 nr; /* ABI and number; EV_CALL_* */
	__s32 err;
};

#define LEADER_PROBES 4 /* in how many places an entry may have the count of a call */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct call_key);
	__type(value, struct ev_syscall_calls);
} syscall_calls SEC(".maps");

/* Calls that found no room there, without their processes: the sums of a container lack nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct call_key);
	__type(value, struct ev_syscall_calls);
} syscall_calls_rest SEC(".maps");

/* A new record is written here first: too big for the stack beside what else is there. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ev_syscall_calls);
} syscall_new SEC(".maps");

/*
 * Calls under way, when durations are wanted. Key: tid. The entry of a task stays until it ends: a
 * call that exits without having begun was denied, that of a task without an entry began before.
 */
struct inflight {
	__u64 begin; /* 0: none under way */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct inflight);
} syscall_inflight SEC(".maps");

/*
 * Tasks whose next exit from the kernel is special. Key: tid. A child comes out of the fork that
 * its parent called (FIRST_FORK: not the child's call); a task comes out of execve() with the ABI
 * of its new program (FIRST_EXEC: the number is the old ABI's).
 */
enum first { FIRST_FORK = 1, FIRST_EXEC_NATIVE, FIRST_EXEC_COMPAT };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u32);
} syscall_first SEC(".maps");

static __always_inline void call_add(struct ev_syscall_calls *v, __u64 ns, bool denied)
{
	__sync_fetch_and_add(&v->count, 1);
	if (denied)
		__sync_fetch_and_add(&v->denied, 1);
	if (ns) {
		__sync_fetch_and_add(&v->total, ns);
		if (ns > v->longest)
			v->longest =
				ns; /* two CPUs at once may lose the smaller: bounded by one call */
	}
}

/* Without branches: the verifier would follow both arms. */
static __always_inline __u32 call_key_nr(const struct seen *who)
{
	return who->call.sysnr | who->setup * EV_CALL_SETUP | who->call.filtered * EV_CALL_FILTERED;
}

/* Only when there is no room here either does a call travel by itself. */
static __always_inline void call_rest(struct call_key *k, struct ev_syscall_calls *v)
{
	struct ev_syscall_calls *old;

	k->tgid = k->start = 0;
	old = counter_rest(&syscall_calls_rest, k, &v->hdr, sizeof(*v));
	if (old)
		call_add(old, v->total, v->denied);
}

/* Counts a call of a first thread; false: it has no entry, or no place for this one. */
static __always_inline bool leader_count(struct seen *who)
{
	__u32 nr = call_key_nr(who), at;
	__s32 err = who->call.err;
	struct ev_leader *l;

	if (!who->leader)
		who->leader = leader_find(who);
	l = leader_entry(who);
	if (!l)
		return false;
	at = (nr ^ (__u32)err << 3) * 2654435769u >> (32 - EV_LEADER_BITS);
#pragma unroll
	for (__u32 i = 0; i < LEADER_PROBES; i++) {
		struct ev_call_count *c = &l->call[(at + i) & (EV_LEADER_CALLS - 1)];

		if (c->count && (c->nr != nr || c->err != err))
			continue;
		if (!c->count) {
			c->nr = nr;
			c->err = err;
			c->time = bpf_ktime_get_boot_ns();
		}
		c->count++;
		return true;
	}
	return false;
}

/* The entry of a first thread by its place; NULL: it has none. */
static __always_inline struct ev_leader *leader_of(struct task_struct *t, __u32 slot)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct ev_leader *l = cfg.leaders ? bpf_map_lookup_elem(&leaders, &slot) : NULL;

	return l && l->hdr.pid == tid && l->hdr.start == task_start(t) && !l->ended ? l : NULL;
}

/* It may have become another program, or user, unless it has gone to another container. */
static __always_inline void leader_name(struct ev_leader *l, struct task_struct *t)
{
	if (l->hdr.cgroup != current_cgroup_id())
		return;
	l->hdr.uid = BPF_CORE_READ(t, real_cred, uid.val);
	l->hdr.gid = BPF_CORE_READ(t, real_cred, gid.val);
	bpf_get_current_comm(l->hdr.comm, sizeof(l->hdr.comm));
}

static __always_inline void leader_executed(struct task_struct *t)
{
	struct ev_leader *l = leader_of(t, leader_slot(bpf_get_current_pid_tgid()));

	if (l)
		leader_name(l, t);
}

/* Nothing may be written behind the update: the place may be another's then. */
static __always_inline void leader_ended(struct task_struct *t)
{
	__u32 slot = leader_slot(bpf_get_current_pid_tgid()), ended = LEADER_ENDED;
	struct ev_leader *l = leader_of(t, slot);

	if (!l)
		return;
	leader_name(l, t);
	l->ended = 1;
	bpf_map_update_elem(&leaders_owned, &slot, &ended, BPF_EXIST);
}

static __always_inline void call_count(struct seen *who)
{
	const struct outcome *o = &who->call;
	struct ev_syscall_calls *v;
	struct call_key k;
	__u32 zero = 0;

	if (cfg.leaders && leader_count(who))
		return;
	k.cgroup = who->cgroup;
	k.tgid = who->tgid;
	k.start = who->start;
	k.nr = call_key_nr(who);
	k.err = o->err;
	v = bpf_map_lookup_elem(&syscall_calls, &k);
	if (v) {
		call_add(v, o->ns, o->denied);
		return;
	}
	v = bpf_map_lookup_elem(&syscall_new, &zero);
	if (!v)
		return;
	seen_header(&v->hdr, who, EV_syscall_calls, sizeof(*v), bpf_ktime_get_boot_ns());
	v->nr = o->sysnr;
	v->err = o->err;
	v->filtered = o->filtered;
	v->count = 1;
	v->denied = o->denied;
	v->total = v->longest = o->ns;
	if (!filter_task(v->hdr.pid, v->hdr.uid, v->hdr.comm))
		return;
	if (bpf_map_update_elem(&syscall_calls, &k, v, BPF_NOEXIST) == 0)
		return;
	/* another CPU was first, or the map is full */
	struct ev_syscall_calls *old = bpf_map_lookup_elem(&syscall_calls, &k);

	if (old)
		call_add(old, o->ns, o->denied);
	else
		call_rest(&k, v);
}

#define SYS_PATH(n) (1u << (n))
/* Which arguments of which calls are paths, for --syscalls=trace. */
static __always_inline __u32 call_paths(__u32 nr)
{
	switch (nr) {
#ifdef __NR_open
	case __NR_open:
	case __NR_stat:
	case __NR_lstat:
	case __NR_access:
	case __NR_unlink:
	case __NR_rmdir:
	case __NR_mkdir:
	case __NR_chmod:
	case __NR_chown:
	case __NR_lchown:
	case __NR_readlink:
	case __NR_creat:
	case __NR_mknod:
	case __NR_utime:
#endif
	case __NR_chdir:
	case __NR_chroot:
	case __NR_truncate:
	case __NR_statfs:
	case __NR_umount2:
	case __NR_getxattr:
	case __NR_setxattr:
	case __NR_execve:
	case __NR_memfd_create: return SYS_PATH(0);
#ifdef __NR_rename
	case __NR_rename:
	case __NR_link:
	case __NR_symlink:
#endif
	case __NR_mount:
	case __NR_pivot_root: return SYS_PATH(0) | SYS_PATH(1);
	case __NR_renameat2:
	case __NR_renameat:
	case __NR_linkat: return SYS_PATH(1) | SYS_PATH(3);
	case __NR_symlinkat: return SYS_PATH(0) | SYS_PATH(2);
#ifdef __NR_newfstatat
	case __NR_newfstatat:
#endif
	case __NR_openat:
	case __NR_openat2:
	case __NR_unlinkat:
	case __NR_mkdirat:
	case __NR_statx:
	case __NR_readlinkat:
	case __NR_faccessat:
	case __NR_faccessat2:
	case __NR_fchmodat:
	case __NR_fchownat:
	case __NR_mknodat:
	case __NR_execveat:
	case __NR_utimensat: return SYS_PATH(1);
	}
	return 0;
}

static __always_inline void trace_fill(struct ev_syscall_call *e, const struct sys_call *c,
				       const struct outcome *o)
{
	e->nr = e->args.nr = o->sysnr;
	__builtin_memcpy(e->args.a, c->a, sizeof(c->a));
	e->ret = o->ret;
	e->err = o->err;
	e->denied = o->denied;
	e->duration = o->ns;
}

/* The stream leaves the end of the ring to the other events, which are few. */
static __always_inline bool trace_has_room(void)
{
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) <= cfg.stream_bytes;
}

/* A call with paths among its arguments: built in the scratch space. */
static __always_inline void trace_paths(const struct sys_call *c, const struct outcome *o,
					__u32 paths)
{
	struct scratch *s = ev_begin(EV_syscall_call, sizeof(struct ev_syscall_call));
	struct ev_syscall_call *e;

	if (!s)
		return;
	if (!trace_has_room()) {
		ev_lost(EV_syscall_call);
		ev_abort(s);
		return;
	}
	e = (struct ev_syscall_call *)s->buf;
	trace_fill(e, c, o);
	e->args.str_mask = paths;
	/* call_paths(): one of the first two, and another behind it */
	tail_ustr(s, &e->args.s[0], (void *)(paths & SYS_PATH(0) ? c->a[0] : c->a[1]));
	if (paths & (paths - 1))
		tail_ustr(s, &e->args.s[1],
			  (void *)(paths & SYS_PATH(3)	 ? c->a[3]
				   : paths & SYS_PATH(2) ? c->a[2]
							 : c->a[1]));
	ev_end(s, false);
}

static __always_inline void call_trace(const struct seen *who, const struct sys_call *c,
				       const struct outcome *o)
{
	__u32 paths = call_paths(c->nr);
	struct ev_syscall_call *e;
	struct ev_hdr h;

	if (!ev_enabled(EV_syscall_call))
		return;
	if (paths) {
		trace_paths(c, o, paths);
		return;
	}
	seen_header(&h, who, EV_syscall_call, sizeof(*e), o->now);
	if (!filter_task(h.pid, h.uid, h.comm))
		return;
	e = trace_has_room() ? bpf_ringbuf_reserve(&ring, sizeof(*e), 0) : NULL;
	if (!e) {
		ev_lost(EV_syscall_call);
		return;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->hdr = h;
	trace_fill(e, c, o);
	bpf_ringbuf_submit(e, ev_wakeup(false));
}

/* Calls out of which a task may come for the first time: the fork and exec families of both ABIs. */
static __always_inline bool call_may_be_first(int nr)
{
	switch (nr) {
#ifdef __NR_fork
	case __NR_fork:
	case __NR_vfork:
#endif
	case __NR_clone:
	case __NR_clone3:
	case __NR_execve:
	case __NR_execveat:
	case COMPAT_fork:
	case COMPAT_clone:
	case COMPAT_vfork:
	case COMPAT_execve:
	case COMPAT_execveat: return true;
	}
	return nr < 0;
}

/* What has begun is over; tells how long it took, or that a filter answered the call. */
static __always_inline void call_end(__u32 tid, bool may_deny, struct outcome *o)
{
	struct inflight *f = bpf_map_lookup_elem(&syscall_inflight, &tid);

	if (!f)
		return;
	if (f->begin)
		o->ns = o->now - f->begin;
	else
		o->denied = o->filtered && may_deny;
	f->begin = 0;
}

SEC("tp_btf/sys_enter")
int syscall_enter(void *ctx)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct inflight f = {}, *old;

	if (!current_watched())
		return 0;
	f.begin = bpf_ktime_get_boot_ns();
	old = bpf_map_lookup_elem(&syscall_inflight, &tid);
	if (old) /* its own: nobody else writes it */
		*old = f;
	else
		bpf_map_update_elem(&syscall_inflight, &tid, &f, BPF_ANY);
	return 0;
}

/* Hands the exit to whoever wants this call. */
static __always_inline void call_pass_on(void *ctx, struct seen *who, struct pt_regs *regs)
{
	const struct outcome *o = &who->call;
	struct io_now *now = &who->io;
	struct sys_call c;

	now->nr = o->nr;
	if (now->nr >= EV_NR_SYSCALLS || !(cfg.calls[now->nr / 64] >> (now->nr % 64) & 1))
		return;
	now->end[0].dir =
		o->sysnr < EV_NR_SYSCALLS /* EV_ABI_NATIVE */ ? io_plain(now->nr) : IO_NONE;
	barrier();
	if (!now->end[0].dir) {
		bpf_tail_call(ctx, &sys_progs, now->nr);
	} else if (!o->err) {
		sys_read(&c, regs);
		io_plain_end(ctx, now, c.a[0], o->ret);
	}
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(syscall_exit, struct pt_regs *regs, long ret)
{
	struct seen *who = seen_watched();
	struct task_struct *t;
	__u32 tid, abi, what = 0;
	struct outcome *o;
	struct sys_call c;
	int nr;

	if (!who) {
		/* every call on the host passes here: no more than one comparison for them */
		if (sys_nr_direct(regs) == __NR_setns)
			bpf_tail_call(ctx, &sys_progs, SYS_OUTSIDE * EV_NR_SYSCALLS + __NR_setns);
		return 0;
	}
	o = &who->call;
	t = (struct task_struct *)bpf_get_current_task();
	tid = bpf_get_current_pid_tgid();
	nr = sys_nr_direct(regs);
	abi = sys_abi_current();
	if (call_may_be_first(nr)) {
		__u32 *first = bpf_map_lookup_elem(&syscall_first, &tid);

		what = first ? *first : 0;
		if (what)
			bpf_map_delete_elem(&syscall_first, &tid);
		if (what == FIRST_FORK)
			return 0;
		if (what)
			abi = what == FIRST_EXEC_COMPAT ? EV_ABI_COMPAT : EV_ABI_NATIVE;
	}
	if (nr < 0) {
		nr = __NR_rt_sigreturn;
		abi = EV_ABI_NATIVE;
		ret = 0; /* the interrupted code's register, not a result */
	}
	o->sysnr = EV_SYSNR(abi, nr & 0xffff);
#if defined(__TARGET_ARCH_x86)
	if (nr & EV_X32_BIT)
		o->sysnr = EV_SYSNR(EV_ABI_X32, nr & 0xffff);
#endif
	o->ret = ret;
	o->err = ret < 0 && ret > -4096 ? -ret : 0;
	o->nr = sys_is_multiplexed(abi, nr) ? sys_multiplexed(nr, sys_first_arg(regs))
					    : sys_native(abi, nr);
	o->filtered = call_filtered(t, o->nr, regs, ret);
	o->ns = o->denied = 0;
	if (cfg.time_syscalls) {
		o->now = bpf_ktime_get_boot_ns();
		call_end(tid, !what, o);
	}
	barrier();
	if (cfg.count_syscalls)
		call_count(who);
	if (cfg.trace_syscalls) {
		sys_read(&c, regs);
		call_trace(who, &c, o);
	}
	if (cfg.join_checks && task_has_checks(tid))
		checks_resolve(who, tid, o->sysnr, o->err);
	call_pass_on(ctx, who, regs);
	return 0;
}

/* What the calls of io_shapes move, before those that account it. */
SEC("tp_btf/sys_exit")
int SYS_EXIT(syscall_io, struct pt_regs *regs, long ret)
{
	struct io_now *now = io_now_get();
	struct sys_call c;

	if (!now)
		return 0;
	sys_read(&c, regs);
	sys_demultiplex(&c);
	io_ends(now, &c, ret);
	io_next(ctx, now, IO_NOBODY);
	return 0;
}

TRACED("tp_btf/task_newtask", syscall_newtask, struct task_struct *child)
{
	__u32 tid = BPF_CORE_READ(child, pid);
	struct inflight none = {};

	if (!cgroup_watched(task_cgroup_id(child)))
		return 0;
#if defined(__TARGET_ARCH_x86)
	/* ret_from_fork() passes sys_exit there; on arm64 the child goes straight to user mode */
	__u32 what = FIRST_FORK;

	bpf_map_update_elem(&syscall_first, &tid, &what, BPF_ANY);
#endif
	if (cfg.time_syscalls)
		bpf_map_update_elem(&syscall_inflight, &tid, &none, BPF_ANY);
	return 0;
}

TRACED("tp_btf/sched_process_exec", syscall_exec, struct task_struct *t)
{
	__u32 tid = bpf_get_current_pid_tgid(), what = FIRST_EXEC_NATIVE;
	struct pt_regs *regs;
	int nr;

	if (!current_watched())
		return 0;
	regs = task_regs(t);
	if (!regs)
		return 0;
	nr = sys_nr(regs);
	if (nr == COMPAT_execve || nr == COMPAT_execveat)
		what = FIRST_EXEC_COMPAT;
	bpf_map_update_elem(&syscall_first, &tid, &what, BPF_ANY);
	leader_executed(t);
	return 0;
}

/* exit(2) and exit_group(2), which never return. */
static __always_inline void last_call(struct task_struct *t)
{
	__u32 abi, tid = bpf_get_current_pid_tgid();
	struct seen *who = seen_watched();
	struct pt_regs *regs;
	struct outcome *o;
	struct sys_call c;
	bool exits;
	int nr;

	if (!who)
		return;
	o = &who->call;
	bpf_map_delete_elem(&syscall_first, &tid);
	if (cfg.time_syscalls)
		bpf_map_delete_elem(&syscall_inflight, &tid);
	regs = task_regs(t);
	nr = regs ? sys_nr(regs) : -1;
	abi = sys_abi(t);
	exits = abi == EV_ABI_NATIVE ? nr == __NR_exit || nr == __NR_exit_group
				     : nr == COMPAT_exit || nr == COMPAT_exit_group;
	o->sysnr = EV_SYSNR(abi, nr);
	if (cfg.join_checks && task_has_checks(tid))
		checks_resolve(who, tid, exits ? o->sysnr : CHECK_NO_CALL, 0);
	if (cfg.join_checks)
		bpf_map_delete_elem(&task_checks, &tid);
	if (!exits)
		return;
	o->filtered = task_filtered(t);
	o->ret = 0;
	o->ns = o->err = o->denied = 0;
	barrier();
	if (cfg.count_syscalls)
		call_count(who);
	if (cfg.trace_syscalls) {
		sys_read_image(&c, regs);
		o->now = bpf_ktime_get_boot_ns();
		call_trace(who, &c, o);
	}
}

TRACED("tp_btf/sched_process_exit", syscall_task_exit, struct task_struct *t)
{
	last_call(t);
	leader_ended(t);
	return 0;
}

/* The arguments by which filters tell calls apart: include/arguments.def. */

struct arguments_key {
	__u64 cgroup;
	__u32 tgid;
	__u32 start;
	__u32 nr; /* EV_CALL_* */
	__s32 err;
	__u32 a, b, c;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct arguments_key);
	__type(value, struct ev_syscall_arguments);
} syscall_arguments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct arguments_key);
	__type(value, struct ev_syscall_arguments);
} syscall_arguments_rest SEC(".maps");

#ifndef __NR_arch_prctl
#define __NR_arch_prctl -1
#endif

static __always_inline bool keep_arguments(const struct sys_call *c, struct arguments_key *k)
{
	switch (c->nr) {
#define ARGUMENTS(call, what, i0, m0, i1, m1, i2, m2)                                              \
	case __NR_##call:                                                                          \
		k->a = c->a[i0] & (m0);                                                            \
		k->b = c->a[i1] & (m1);                                                            \
		k->c = c->a[i2] & (m2);                                                            \
		return true;
#include "arguments.def"
	}
	return false;
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(syscall_arguments_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct ev_syscall_arguments e = {}, *v;
	struct arguments_key k = {};
	struct sys_call c;

	sys_read(&c, regs);
	if (!ev_enabled(EV_syscall_arguments) || !keep_arguments(&c, &k))
		goto out;
	k.cgroup = current_cgroup_id();
	k.tgid = bpf_get_current_pid_tgid() >> 32;
	k.start = task_start(t) >> 10;
	k.err = ret < 0 && ret > -4096 ? -ret : 0;
	e.filtered = call_filtered(t, c.nr, regs, ret);
	k.nr = EV_SYSNR(c.abi, c.raw & 0xffff) | (task_in_setup(t) ? EV_CALL_SETUP : 0) |
	       (e.filtered ? EV_CALL_FILTERED : 0);
	v = bpf_map_lookup_elem(&syscall_arguments, &k);
	if (v) {
		__sync_fetch_and_add(&v->count, 1);
		goto out;
	}
	ev_header(&e.hdr, EV_syscall_arguments, sizeof(e));
	e.nr = EV_SYSNR(c.abi, c.raw & 0xffff);
	e.a = k.a;
	e.b = k.b;
	e.c = k.c;
	e.err = k.err;
	e.count = 1;
	if (!filter_task(e.hdr.pid, e.hdr.uid, e.hdr.comm) ||
	    !bpf_map_update_elem(&syscall_arguments, &k, &e, BPF_NOEXIST))
		goto out;
	v = bpf_map_lookup_elem(&syscall_arguments, &k);
	k.tgid = k.start = 0;
	if (!v)
		v = counter_rest(&syscall_arguments_rest, &k, &e.hdr, sizeof(e));
	if (v)
		__sync_fetch_and_add(&v->count, 1);
out:
	sys_next(ctx, EVS_syscall, c.nr);
	return 0;
}

/* io_uring: what its requests ask for. */

struct uring_key {
	__u64 cgroup;
	__u32 tgid;
	__u32 start;
	__u32 op; /* EV_CALL_SETUP */
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct uring_key);
	__type(value, struct ev_syscall_io_uring);
} syscall_io_uring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct uring_key);
	__type(value, struct ev_syscall_io_uring);
} syscall_io_uring_rest SEC(".maps");

static __always_inline void uring_add(struct ev_syscall_io_uring *v, bool silent)
{
	__sync_fetch_and_add(&v->count, 1);
	if (silent)
		__sync_fetch_and_add(&v->silent, 1);
}

/* @silent: the request asked for no completion if it succeeds. */
static __always_inline void uring_count(__u32 op, bool silent)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct ev_syscall_io_uring e = {}, *v;
	struct uring_key k = {};

	if (!current_watched() || !ev_enabled(EV_syscall_io_uring))
		return;
	k.cgroup = current_cgroup_id();
	k.tgid = bpf_get_current_pid_tgid() >> 32;
	k.start = task_start(t) >> 10;
	k.op = op | (task_in_setup(t) ? EV_CALL_SETUP : 0);
	v = bpf_map_lookup_elem(&syscall_io_uring, &k);
	if (v) {
		uring_add(v, silent);
		return;
	}
	ev_header(&e.hdr, EV_syscall_io_uring, sizeof(e));
	e.op = op;
	e.count = 1;
	e.silent = silent;
	if (!filter_task(e.hdr.pid, e.hdr.uid, e.hdr.comm) ||
	    !bpf_map_update_elem(&syscall_io_uring, &k, &e, BPF_NOEXIST))
		return;
	v = bpf_map_lookup_elem(&syscall_io_uring, &k);
	k.tgid = k.start = 0;
	if (!v)
		v = counter_rest(&syscall_io_uring_rest, &k, &e.hdr, sizeof(e));
	if (v)
		uring_add(v, silent);
}

static __always_inline void uring_count_request(struct io_kiocb *req)
{
	uring_count(BPF_CORE_READ(req, opcode), BPF_CORE_READ(req, flags) & REQ_F_CQE_SKIP);
}

TRACED("tp_btf/io_uring_submit_req", syscall_uring, struct io_kiocb *req)
{
	uring_count_request(req);
	return 0;
}

/* What submit_req was called before 6.2, with other arguments in every few versions. */
SEC("raw_tp/io_uring_submit_sqe")
int syscall_uring_sqe(__u64 *ctx)
{
	struct io_kiocb *req = NULL;
	__u64 first = ctx[0], second = ctx[1]; /* read here: the verifier wants constant offsets */

	barrier_var(first);
	barrier_var(second);
	if (LINUX_KERNEL_VERSION < KERNEL(5, 14) && !bpf_core_field_exists(req->poll_refs))
		uring_count(second & 0xff, false); /* ring, opcode, …; nothing is silent yet */
	else if (LINUX_KERNEL_VERSION < KERNEL(6, 0)) /* ring, request, [user_data,] opcode, … */
		uring_count_request((struct io_kiocb *)second);
	else /* request, … */
		uring_count_request((struct io_kiocb *)first);
	return 0;
}
