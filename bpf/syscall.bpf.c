// SPDX-License-Identifier: GPL-2.0
/*
 * System calls: the one program on sys_exit (and, when durations are wanted, on sys_enter). It
 * counts, and passes the exit on to the subsystems that want it.
 *
 * At sys_exit the number reads -1 after rt_sigreturn. A call that does not return (exit,
 * exit_group) is counted when its task ends; one still blocked when recording ends is counted by
 * user space, from /proc/PID/task/TID/syscall.
 */
#include "sys.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct call_key {
	__u64 cgroup;
	__u32 tgid;
	__u32 start; /* low bits of the start time: a pid that was used again is another process */
	__u32 nr; /* ABI and number; bit 31: set-up phase */
	__s32 err;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct call_key);
	__type(value, struct ev_syscall_calls);
} syscall_calls SEC(".maps");

/* A new record is written here first: too big for the stack beside what else is there. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ev_syscall_calls);
} syscall_new SEC(".maps");

/* Calls under way, when durations are wanted. Key: tid. */
struct inflight {
	__u64 begin;
	__u32 sysnr;
	__u32 pad;
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

static __always_inline void call_add(struct ev_syscall_calls *v, __u64 ns)
{
	__sync_fetch_and_add(&v->count, 1);
	if (ns) {
		__sync_fetch_and_add(&v->total, ns);
		if (ns > v->longest)
			v->longest =
				ns; /* two CPUs at once may lose the smaller: bounded by one call */
	}
}

static __always_inline void call_count(struct task_struct *t, __u32 sysnr, __s32 err, __u64 ns)
{
	struct ev_syscall_calls *v;
	struct call_key k = {};
	__u32 zero = 0;

	k.cgroup = bpf_get_current_cgroup_id();
	k.tgid = bpf_get_current_pid_tgid() >> 32;
	k.start = task_start(t) >> 10;
	k.nr = sysnr | (task_in_setup(t) ? 1u << 31 : 0);
	k.err = err;
	v = bpf_map_lookup_elem(&syscall_calls, &k);
	if (v) {
		call_add(v, ns);
		return;
	}
	v = bpf_map_lookup_elem(&syscall_new, &zero);
	if (!v)
		return;
	ev_header(&v->hdr, EV_syscall_calls, sizeof(*v));
	v->nr = sysnr;
	v->err = err;
	v->count = 1;
	v->total = v->longest = ns;
	if (!filter_task(v->hdr.pid, v->hdr.uid, v->hdr.comm))
		return;
	if (bpf_map_update_elem(&syscall_calls, &k, v, BPF_NOEXIST) == 0)
		return;
	/* another CPU was first, or the map is full: then this one call travels by itself */
	struct ev_syscall_calls *old = bpf_map_lookup_elem(&syscall_calls, &k);

	if (old)
		call_add(old, ns);
	else
		ev_output(v, EV_syscall_calls, sizeof(*v), false);
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

static __always_inline void call_trace(struct pt_regs *regs, __u32 sysnr, long ret, __u64 ns)
{
	struct scratch *s = ev_begin(EV_syscall_call, sizeof(struct ev_syscall_call));
	struct ev_syscall_call *e;
	struct sys_call c;
	__u32 n = 0;

	if (!s)
		return;
	e = (struct ev_syscall_call *)s->buf;
	sys_read(&c, regs);
	e->nr = e->args.nr = sysnr;
	e->args.str_mask = call_paths(c.nr);
	__builtin_memcpy(e->args.a, c.a, sizeof(c.a));
#pragma unroll
	for (int i = 0; i < 4;
	     i++) { /* unrolled: clang's loop has two ways in, which 6.1 refuses */
		if (e->args.str_mask >> i & 1 && n < 2) {
			if (n == 0)
				tail_ustr(s, &e->args.s[0], (void *)c.a[i]);
			else
				tail_ustr(s, &e->args.s[1], (void *)c.a[i]);
			n++;
		}
	}
	e->ret = ret;
	e->err = ret < 0 && ret > -4096 ? -ret : 0;
	e->duration = ns;
	ev_end(s, false);
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

SEC("tp_btf/sys_enter")
int BPF_PROG(syscall_enter, struct pt_regs *regs, long id)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct inflight f = {};

	if (!current_watched())
		return 0;
	f.begin = bpf_ktime_get_boot_ns();
	f.sysnr = id;
	bpf_map_update_elem(&syscall_inflight, &tid, &f, BPF_ANY);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(syscall_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *t;
	__u32 tid, abi, sysnr;
	__u64 ns = 0;
	int nr;

	if (!current_watched())
		return 0;
	t = (struct task_struct *)bpf_get_current_task();
	tid = bpf_get_current_pid_tgid();
	nr = sys_nr(regs);
	abi = sys_abi(t);
	if (call_may_be_first(nr)) {
		__u32 *first = bpf_map_lookup_elem(&syscall_first, &tid);
		__u32 what = first ? *first : 0;

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
	sysnr = EV_SYSNR(abi, nr & 0xffff);
#if defined(__TARGET_ARCH_x86)
	if (nr & 0x40000000)
		sysnr = EV_SYSNR(EV_ABI_X32, nr & 0xffff);
#endif
	if (cfg.time_syscalls) {
		struct inflight *f = bpf_map_lookup_elem(&syscall_inflight, &tid);

		if (f) {
			ns = bpf_ktime_get_boot_ns() - f->begin;
			bpf_map_delete_elem(&syscall_inflight, &tid);
		}
	}
	if (cfg.count_syscalls)
		call_count(t, sysnr, ret < 0 && ret > -4096 ? -ret : 0, ns);
	if (cfg.trace_syscalls)
		call_trace(regs, sysnr, ret, ns);
	if (sys_is_multiplexed(abi, nr))
		nr = sys_multiplexed(nr, sys_first_arg(regs));
	else
		nr = sys_native(abi, nr);
	if (nr >= 0 && nr < EV_NR_SYSCALLS)
		bpf_tail_call(ctx, &sys_progs, nr);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(syscall_newtask, struct task_struct *child)
{
	__u32 tid = BPF_CORE_READ(child, pid), what = FIRST_FORK;

	if (cgroup_watched(task_cgroup_id(child)))
		bpf_map_update_elem(&syscall_first, &tid, &what, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(syscall_exec, struct task_struct *t)
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
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(syscall_task_exit, struct task_struct *t)
{
	__u32 abi, tid = bpf_get_current_pid_tgid();
	struct pt_regs *regs;
	bool exits;
	int nr;

	if (!current_watched())
		return 0;
	bpf_map_delete_elem(&syscall_first, &tid);
	if (cfg.time_syscalls)
		bpf_map_delete_elem(&syscall_inflight, &tid);
	regs = task_regs(t);
	if (!regs)
		return 0;
	nr = sys_nr(regs);
	abi = sys_abi(t);
	exits = abi == EV_ABI_NATIVE ? nr == __NR_exit || nr == __NR_exit_group
				     : nr == COMPAT_exit || nr == COMPAT_exit_group;
	if (!exits)
		return 0;
	if (cfg.count_syscalls)
		call_count(t, EV_SYSNR(abi, nr), 0, 0);
	if (cfg.trace_syscalls)
		call_trace(regs, EV_SYSNR(abi, nr), 0, 0);
	return 0;
}
