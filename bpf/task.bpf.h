/* SPDX-License-Identifier: GPL-2.0 */
/* Tasks other than the current one, and whether the current one is who acts. */
#ifndef EBPFMON_TASK_BPF_H
#define EBPFMON_TASK_BPF_H

#include "sys.bpf.h"

#define PF_KTHREAD 0x00200000
#define STACK_MAX                                                                                  \
	32768 /* THREAD_SIZE: 16 KiB, twice that under KASAN; what follows is never a stack */

/* Where a tracepoint's arguments are: on the stack. The verifier forbids arithmetic on @ctx, so its value is copied. */
__inline_always __u64 ctx_address(void *ctx)
{
	__u64 here = 0;

	bpf_probe_read_kernel(&here, sizeof(here), &ctx);
	return here;
}

/*
 * Does the program run on the current task's own stack? What interrupts the task in the kernel has
 * another stack on x86-64 and arm64. (On x86-64 an interrupt out of user mode has not: so this holds
 * when the task is known to be in a system call.) @here: ctx_address().
 */
__inline_always bool on_task_stack(__u64 here)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	__u64 stack = (__u64)BPF_CORE_READ(t, stack);

	return here >= stack && here - stack < STACK_MAX;
}

__inline_always bool task_is_kernel(struct task_struct *t)
{
	return BPF_CORE_READ(t, flags) & PF_KTHREAD;
}

/* How the namespace of depth @level numbers @t's process; 0: it does not see it. */
__inline_always __u32 task_vpid_at(struct task_struct *t, __u32 level)
{
	struct pid *pid = BPF_CORE_READ(t, group_leader, thread_pid);
	struct upid up = {};

	if (level > BPF_CORE_READ(pid, level) || level > 32 /* MAX_PID_NS_LEVEL */)
		return 0;
	bpf_core_read(&up, sizeof(up), &pid->numbers[level]);
	return up.nr;
}

__inline_always __u32 task_pid_level(struct task_struct *t)
{
	return BPF_CORE_READ(t, thread_pid, level);
}

/* The task that a struct pid stands for; NULL when it is gone. */
__inline_always struct task_struct *pid_task(struct pid *pid)
{
	struct hlist_node *link = pid ? BPF_CORE_READ(pid, tasks[0].first) : NULL;

	return link ? (void *)link - bpf_core_field_offset(struct task_struct, pid_links) : NULL;
}

/* The process that a struct pid stands for, as the host sees it; the bare number when its task is gone. */
__inline_always __u32 pid_tgid(struct pid *pid)
{
	struct task_struct *t = pid_task(pid);

	if (t)
		return BPF_CORE_READ(t, tgid);
	return pid ? BPF_CORE_READ(pid, numbers[0].nr) : 0;
}

#define XA_INTERNAL 2 /* the two low bits of an entry that is a node: include/linux/xarray.h */
#define XA_DEPTH    6 /* pids have 22 bits, of which a node resolves at least 4 */

/*
 * What the current task's pid namespace of depth @level knows by the number @vpid; NULL: nothing. A
 * pid namespace keeps its numbers in a tree, walked here as idr_find() does.
 */
__inline_always struct pid *pid_numbered(__u32 vpid, __u32 level)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct pid *self = BPF_CORE_READ(t, thread_pid);
	__u32 mask = bpf_core_field_size(((struct xa_node *)0)->slots) / sizeof(void *) - 1;
	struct xa_node *node;
	struct upid up = {};
	void *entry;

	if (!vpid || level > 32)
		return NULL;
	bpf_core_read(&up, sizeof(up), &self->numbers[level]);
	entry = BPF_CORE_READ(up.ns, idr.idr_rt.xa_head);
	for (int i = 0; i < XA_DEPTH && ((__u64)entry & 3) == XA_INTERNAL; i++) {
		node = entry - XA_INTERNAL;
		__u32 slot = vpid >> (BPF_CORE_READ(node, shift) & 31);

		/* the root's node may be too low for the number: then there is no such pid */
		if (i == 0 && slot > mask)
			return NULL;
		bpf_core_read(&entry, sizeof(entry), &node->slots[slot & mask]);
	}
	return entry;
}

/* The process that the current task means by @vpid, as the host sees it; 0: there is none. */
__inline_always __u32 vpid_tgid(__u32 vpid)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();

	return pid_tgid(pid_numbered(vpid, task_pid_level(t)));
}

/* The leader of the process that the host knows by the number @tgid; NULL: there is none. */
__inline_always struct task_struct *host_task(__u32 tgid)
{
	return pid_task(pid_numbered(tgid, 0));
}

#endif
