/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls: number, ABI, arguments, and the dispatch of their exits. One program is attached
 * to sys_exit (bpf/syscall.bpf.c); programs that want certain calls are tail-called from it. An
 * exit passes from subsystem to subsystem: sys_progs[(subsystem + 1) * EV_NR_SYSCALLS + nr] is
 * who comes after that subsystem, the first row who comes first. The loader fills it from
 * src/hooks.def.
 */
#ifndef EBPFMON_SYS_BPF_H
#define EBPFMON_SYS_BPF_H

#include "ev.bpf.h"

#define SYS_OUTSIDE (EVS__MAX + 1) /* the row of tasks that are in no container */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, (SYS_OUTSIDE + 1) * EV_NR_SYSCALLS);
	__type(key, __u32);
	__type(value, __u32);
} sys_progs SEC(".maps");

/* Number in the compat ABI -> number of the same call in the native one, + 1; 0: there is none. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EV_NR_SYSCALLS);
	__type(key, __u32);
	__type(value, __u32);
} compat_nr SEC(".maps");

/*
 * The i386 ABI has system calls that stand for many: socketcall(2) and ipc(2), whose first argument
 * says which. Index: that argument, ipc's behind MULTIPLEXED_IPC; value as in compat_nr.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MULTIPLEXED_IPC);
	__type(key, __u32);
	__type(value, __u32);
} multiplexed_nr SEC(".maps");

/* __NR_openat and so on: numbers of the native ABI, for programs that serve several calls. */
#include <asm/unistd.h>

/* The few numbers of the compat ABI that cannot wait for translation. */
#define SOCKETCALL_send	   9 /* include/uapi/linux/net.h */
#define SOCKETCALL_recv	   10
#define COMPAT_exit	   1
#define COMPAT_fork	   2
#define COMPAT_execve	   11
#define COMPAT_clone	   120
#define COMPAT_vfork	   190
#define COMPAT_truncate64  193
#define COMPAT_ftruncate64 194
#if defined(__TARGET_ARCH_x86)
#define COMPAT_umount	  22 /* without flags */
#define COMPAT_old_mmap	  90 /* arguments in memory */
#define COMPAT_socketcall 102
#define COMPAT_ipc	  117
#define COMPAT_exit_group 252
#define COMPAT_execveat	  358
#elif defined(__TARGET_ARCH_arm64)
#define COMPAT_umount	  ~0u /* EABI has neither */
#define COMPAT_old_mmap	  ~0u
#define COMPAT_socketcall ~0u
#define COMPAT_ipc	  ~0u
#define COMPAT_exit_group 248
#define COMPAT_execveat	  387
#endif

__inline_always __u32 sys_abi(struct task_struct *t)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(t, thread_info.status) & 2 /* TS_COMPAT */ ? EV_ABI_COMPAT
									: EV_ABI_NATIVE;
#elif defined(__TARGET_ARCH_arm64)
	return BPF_CORE_READ(t, thread_info.flags) >> 22 & 1 /* TIF_32BIT */ ? EV_ABI_COMPAT
									     : EV_ABI_NATIVE;
#endif
}

__inline_always int sys_nr(struct pt_regs *regs)
{
	int nr = -1;

#if defined(__TARGET_ARCH_x86)
	bpf_probe_read_kernel(&nr, sizeof(nr), &regs->orig_ax);
#elif defined(__TARGET_ARCH_arm64)
	bpf_probe_read_kernel(&nr, sizeof(nr), &regs->syscallno);
#endif
	return nr;
}

/* The same of the current task, which kernels from 5.11 on let read without a helper. */
__inline_always __u32 sys_abi_current(void)
{
	struct task_struct *t;

	if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return sys_abi((struct task_struct *)bpf_get_current_task());
	t = (void *)bpf_get_current_task_btf();
#if defined(__TARGET_ARCH_x86)
	return t->thread_info.status & 2 ? EV_ABI_COMPAT : EV_ABI_NATIVE;
#elif defined(__TARGET_ARCH_arm64)
	return t->thread_info.flags >> 22 & 1 ? EV_ABI_COMPAT : EV_ABI_NATIVE;
#endif
}

/*
 * What a tp_btf program is given it may read as it is. tests/bpf runs the same programs as raw_tp, which
 * bpf(2) can do by itself (BPF_PROG_TEST_RUN), and where the verifier has to be told the type.
 */
#ifdef TEST_RUN
#define given(p) KERNEL_CAST(p)
#else
#define given(p) (p)
#endif

/* Number of the call that a program on sys_enter or sys_exit was given the registers of. */
__inline_always int sys_nr_direct(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return given(regs)->orig_ax;
#elif defined(__TARGET_ARCH_arm64)
	return given(regs)->syscallno;
#endif
}

/* Where the registers of the current task's system call are: at the top of its kernel stack. */
__inline_always struct pt_regs *task_regs(struct task_struct *t)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) /* 5.15 */
		return (struct pt_regs *)bpf_task_pt_regs((void *)bpf_get_current_task_btf());
	return BPF_CORE_READ(t, stack) + 16384 /* THREAD_SIZE */ -
	       bpf_core_type_size(struct pt_regs);
}

/* ---- programs at the exit ---- */

/*
 * From 7.1 on the kernel may preempt a program of tp_btf/sys_exit, and leaves the program out for whoever
 * comes to it on that CPU until it has ended. There the loader makes all programs of sys_exit classic
 * tracepoints, which run with preemption off (cfg.classic_sys): their context is the record of the tracepoint.
 */
__inline_always struct pt_regs *sys_exit_regs(__u64 *ctx)
{
	if (cfg.classic_sys)
		return (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	return (void *)ctx[0];
}

/* In one arm each, behind barriers: the verifier takes no computed offset into the context. */
__inline_always long sys_exit_ret(__u64 *ctx)
{
	long ret;

	if (cfg.classic_sys) {
		ret = ctx[2];
		barrier_var(ret);
	} else {
		ret = ctx[1];
		barrier_var(ret);
	}
	return ret;
}

/* The head of a program of SEC("tp_btf/sys_exit"), as BPF_PROG() is of others. */
#define SYS_EXIT(name, args...)                                                                    \
	name(__u64 *ctx);                                                                          \
	static __always_inline typeof(name(0)) ____##name(void *ctx, ##args);                      \
	typeof(name(0)) name(__u64 *ctx)                                                           \
	{                                                                                          \
		return ____##name(ctx, sys_exit_regs(ctx), sys_exit_ret(ctx));                     \
	}                                                                                          \
	static __always_inline typeof(name(0)) ____##name(void *ctx, ##args)

/* ---- who makes the call ---- */

/*
 * What is known of one call at its end. It is kept in a map, behind a barrier(): the verifier would follow each
 * combination of what is known of values on the stack to the end of the program.
 */
struct outcome {
	__s32 nr; /* native */
	__u32 sysnr;
	__s32 err; /* 0: it succeeded */
	__u32 filtered; /* 1: made under a seccomp filter */
	__u32 denied; /* 1: the filter answered it */
	__u32 pad;
	long ret;
	__u64 now; /* CLOCK_BOOTTIME, where a record or a duration needs it */
	__u64 ns; /* how long it took; 0: not known */
};

/* What one call moves: bpf/io.bpf.h. */
struct io_end {
	__u64 file; /* struct file; 0: closed */
	__u64 bytes;
	__u32 dir; /* enum io_dir; IO_NONE: this end is not there */
	__u32 class; /* enum io_class */
};

struct io_now {
	struct io_end end[2];
	__u32 nr; /* the system call's native number */
	__u32 pad;
};

/*
 * What this CPU found out about the tasks that it saw at the exit of system calls. Most exits are of a task
 * that was there before, watched or not: then nothing is looked up. Those that call each other (a pipe's
 * ends, a server and its client) mostly have a slot each. seen_watched() fills a slot, whoever
 * calls it; .call and .io are written by syscall_exit, syscall_io
 * and syscall_task_exit alone. What syscall_exit tail-calls may read its
 * own slot, as no other exit is dealt with on this CPU meanwhile.
 */
struct seen {
	__u64 task; /* address of its task_struct */
	__u64 generation; /* as of which this is true */
	__u64 cgroup;
	__u32 tgid;
	__u32 start; /* low bits of the start time: a pid that was used again is another process */
	__u32 watched;
	__u32 setup;
	/* for headers */
	__u64 started; /* the whole start time */
	__u32 vpid;
	__u32 leader; /* its entry of leaders, + 1; 0: not looked for yet */
	struct outcome call;
	struct io_now io;
};

#define SEEN_BITS 4

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << SEEN_BITS);
	__type(key, __u32);
	__type(value, struct seen);
} seen SEC(".maps");

/* The slot of a task, which may be another's. Fibonacci hashing: the high bits depend on all others. */
__inline_always struct seen *seen_slot(const struct task_struct *t)
{
	__u32 slot = (__u32)((__u64)t >> 6) * 2654435769u >> (32 - SEEN_BITS);

	return bpf_map_lookup_elem(&seen, &slot);
}

__inline_always void seen_look(struct seen *s, struct task_struct *t)
{
	s->cgroup = current_cgroup_id();
	s->watched = !!cgroup_watched(s->cgroup);
	s->leader = 0;
	if (!s->watched)
		return;
	s->tgid = bpf_get_current_pid_tgid() >> 32;
	s->started = task_start(t);
	s->start = s->started >> 10;
	s->setup = task_in_setup(t);
	s->vpid = task_vpid(t);
}

/* Of the current task, if it is watched; else NULL. */
__inline_always struct seen *seen_watched(void)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	volatile struct ev_state *now = state_get();
	struct seen *s = seen_slot(t);
	__u64 g;

	if (!s || !now)
		return NULL;
	g = now->generation; /* before looking: what changes meanwhile is looked at again next time */
	if (s->task != (__u64)t || s->generation != g) {
		seen_look(s, t);
		s->task = (__u64)t;
		s->generation = g;
	}
	return s->watched ? s : NULL;
}

/* The same for programs that syscall_exit tail-calls: it has looked. */
__inline_always const struct seen *seen_caller(void)
{
	return seen_slot((struct task_struct *)bpf_get_current_task());
}

/* ev_header() of the current task, with what is known of it already. */
__inline_always void seen_header(struct ev_hdr *h, const struct seen *who, __u32 type, __u32 len,
				 __u64 now)
{
	struct task_struct *t;

	h->type = type;
	h->len = len;
	h->pad = 0;
	h->time = now;
	h->cgroup = who->cgroup;
	h->start = who->started;
	h->pid = who->tgid;
	h->tid = bpf_get_current_pid_tgid();
	h->vpid = who->vpid;
	h->flags = who->setup ? EV_F_SETUP : 0;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
		t = current_direct(); /* plain loads, instead of a copy for each */
		h->ppid = t->real_parent->tgid;
		h->uid = t->real_cred->uid.val;
		h->gid = t->real_cred->gid.val;
	} else {
		t = (void *)bpf_get_current_task();
		h->ppid = BPF_CORE_READ(t, real_parent, tgid);
		h->uid = BPF_CORE_READ(t, real_cred, uid.val);
		h->gid = BPF_CORE_READ(t, real_cred, gid.val);
	}
	bpf_get_current_comm(h->comm, sizeof(h->comm));
}

/* ev_begin() for programs that syscall_exit tail-calls. */
__inline_always struct scratch *call_begin(__u32 type, __u32 size)
{
	const struct seen *who = seen_caller();
	struct scratch *s = who && ev_enabled(type) ? scratch_take(type, size) : NULL;

	if (!s)
		return NULL;
	seen_header((struct ev_hdr *)s->buf, who, type, size, bpf_ktime_get_boot_ns());
	return scratch_filter(s);
}

struct sys_call {
	__u32 abi;
	__u32 raw; /* as the ABI numbers it */
	__u32 nr; /* the same call in the native ABI: what programs compare with __NR_x */
	__u64 a[6];
};

/* Native number of a call, or EV_NR_SYSCALLS when it has none. */
__inline_always __u32 sys_native(__u32 abi, __u32 raw)
{
	__u32 *nr;

	if (abi == EV_ABI_NATIVE)
		return raw & 0x3fffffff; /* x32 sets bit 30; most numbers are the same */
	nr = bpf_map_lookup_elem(&compat_nr, &raw);
	return nr && *nr ? *nr - 1 : EV_NR_SYSCALLS;
}

/* The native number of the call that the current task is in; negative: in none. */
__inline_always int current_call(void)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct pt_regs *regs = task_regs(t);
	int nr = regs ? sys_nr(regs) : -1;

	return nr < 0 ? nr : (int)sys_native(sys_abi(t), nr);
}

__inline_always void sys_fill(struct sys_call *c, const struct pt_regs *r)
{
#if defined(__TARGET_ARCH_x86)
	c->raw = r->orig_ax;
	if (c->abi == EV_ABI_COMPAT) {
		c->a[0] = (__u32)r->bx;
		c->a[1] = (__u32)r->cx;
		c->a[2] = (__u32)r->dx;
		c->a[3] = (__u32)r->si;
		c->a[4] = (__u32)r->di;
		c->a[5] = (__u32)r->bp;
	} else {
		c->a[0] = r->di;
		c->a[1] = r->si;
		c->a[2] = r->dx;
		c->a[3] = r->r10;
		c->a[4] = r->r8;
		c->a[5] = r->r9;
	}
#elif defined(__TARGET_ARCH_arm64)
	c->raw = r->syscallno;
	c->a[0] = r->orig_x0;
	c->a[1] = r->user_regs.regs[1];
	c->a[2] = r->user_regs.regs[2];
	c->a[3] = r->user_regs.regs[3];
	c->a[4] = r->user_regs.regs[4];
	c->a[5] = r->user_regs.regs[5];
#endif
	c->nr = sys_native(c->abi, c->raw);
}

/*
 * Who made which call with which arguments, at its exit: the kernel keeps them in the registers'
 * image. @regs is what the program was given: the verifier lets it be read as it is.
 */
__inline_always void sys_read(struct sys_call *c, struct pt_regs *regs)
{
	c->abi = sys_abi_current();
	sys_fill(c, given(regs));
}

/* The same from task_regs(). */
__inline_always void sys_read_image(struct sys_call *c, struct pt_regs *regs)
{
	struct pt_regs r = {};

	bpf_probe_read_kernel(&r, sizeof(r), regs);
	c->abi = sys_abi_current();
	sys_fill(c, &r);
}

/* The same of a call that stands for many: socketcall(2) or ipc(2), and its first argument. */
__inline_always __u32 sys_multiplexed(__u32 raw, __u64 call)
{
	__u32 i =
		raw == COMPAT_ipc ? MULTIPLEXED_IPC + (call & 0xffff) /* above: a version */ : call;
	__u32 *nr = raw == COMPAT_ipc || call < MULTIPLEXED_IPC
			    ? bpf_map_lookup_elem(&multiplexed_nr, &i)
			    : NULL;

	return nr && *nr ? *nr - 1 : EV_NR_SYSCALLS;
}

__inline_always bool sys_is_multiplexed(__u32 abi, __u32 raw)
{
	return abi == EV_ABI_COMPAT && (raw == COMPAT_socketcall || raw == COMPAT_ipc);
}

/* Arguments of ipc(2) (call, first, second, third, ptr, fifth) as the call takes them that it stands for. */
__inline_always void sys_ipc_args(struct sys_call *c)
{
	__u64 first = c->a[1], second = c->a[2], third = c->a[3], ptr = c->a[4], fifth = c->a[5];

	c->a[0] = first;
	c->a[1] = second;
	c->a[2] = third;
	c->a[3] = ptr;
	switch (c->nr) {
	case __NR_semop:
	case __NR_msgsnd:
	case __NR_msgrcv:
	case __NR_shmat: c->a[1] = ptr, c->a[2] = second, c->a[3] = third; break;
	case __NR_semtimedop: c->a[1] = ptr, c->a[2] = second, c->a[3] = fifth; break;
	case __NR_msgctl:
	case __NR_shmctl: c->a[2] = ptr; break;
	case __NR_shmdt: c->a[0] = ptr; break;
	}
}

/* Arguments of socketcall(2): an array in memory. One by one, as the last may end a page. */
__inline_always void sys_socketcall_args(struct sys_call *c)
{
	bool four = c->a[0] == SOCKETCALL_send || c->a[0] == SOCKETCALL_recv;
	__u32 *at = (__u32 *)c->a[1];

#pragma unroll
	for (int i = 0; i < 6; i++) {
		__u32 a = 0;

		if (i < 4 || !four) /* send() and recv() have no address */
			bpf_probe_read_user(&a, sizeof(a), at + i);
		c->a[i] = a;
	}
}

/* To be called behind sys_read() where a call may have come by way of socketcall(2) or ipc(2). */
__inline_always void sys_demultiplex(struct sys_call *c)
{
	if (!sys_is_multiplexed(c->abi, c->raw))
		return;
	c->nr = sys_multiplexed(c->raw, c->a[0]);
	if (c->raw == COMPAT_ipc)
		sys_ipc_args(c);
	else
		sys_socketcall_args(c);
}

/* First argument of a call of the 32-bit ABI. */
__inline_always __u32 sys_first_arg(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	__u64 bx = 0;

	bpf_probe_read_kernel(&bx, sizeof(bx), &regs->bx);
	return bx;
#else
	return 0; /* what needs it is i386's */
#endif
}

/* Hands the exit to the next subsystem that wants this call. Does not return when there is one. */
__inline_always void sys_next(void *ctx, __u32 subsystem, __u32 nr)
{
	if (nr < EV_NR_SYSCALLS)
		bpf_tail_call(ctx, &sys_progs, (subsystem + 1) * EV_NR_SYSCALLS + nr);
}

#endif
