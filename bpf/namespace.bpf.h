/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whose namespaces these are. A process that entered a container's namespaces without its cgroup
 * (nsenter) is not the container's, but it is told (container.enter).
 *
 * Inode numbers of namespaces are used again as soon as one is gone. So `namespaces` names a
 * witness with each, a process of the container, and what it says counts only while that process
 * lives, in a watched cgroup, in that very namespace.
 */
#ifndef EBPFMON_NAMESPACE_BPF_H
#define EBPFMON_NAMESPACE_BPF_H

#include "task.bpf.h"

struct witness {
	__u64 start;
	__u32 tgid;
	__u32 pad;
};

/* Key: inode number, which no two namespaces of whatever kind share. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 32768); /* six of a container's: of 5,000 containers */
	__type(key, __u32);
	__type(value, struct witness);
} namespaces SEC(".maps");

enum ns_kind { NS_MNT, NS_PID, NS_NET, NS_IPC, NS_UTS, NS_USER, NS__MAX };

/* As clone(2) calls them. */
static const __u32 ns_flags[NS__MAX] = {
	[NS_MNT] = 0x00020000, [NS_PID] = 0x20000000, [NS_NET] = 0x40000000,
	[NS_IPC] = 0x08000000, [NS_UTS] = 0x04000000, [NS_USER] = 0x10000000,
};

/* The inode numbers of a task's namespaces; 0 where it has none any more. Its children's pid namespace. */
__inline_always void task_namespaces(struct task_struct *t, __u32 ns[NS__MAX])
{
	struct nsproxy *p = BPF_CORE_READ(t, nsproxy);

	ns[NS_MNT] = BPF_CORE_READ(p, mnt_ns, ns.inum);
	ns[NS_PID] = BPF_CORE_READ(p, pid_ns_for_children, ns.inum);
	ns[NS_NET] = BPF_CORE_READ(p, net_ns, ns.inum);
	ns[NS_IPC] = BPF_CORE_READ(p, ipc_ns, ns.inum);
	ns[NS_UTS] = BPF_CORE_READ(p, uts_ns, ns.inum);
	ns[NS_USER] = BPF_CORE_READ(t, real_cred, user_ns, ns.inum);
}

/*
 * The cgroup that the namespace's container has now, by its witness; 0: there is none. A function of its own:
 * verified once.
 */
__attribute__((noinline)) __u64 namespace_cgroup(__u32 inum, __u32 kind)
{
	struct witness *w = bpf_map_lookup_elem(&namespaces, &inum);
	__u32 have[NS__MAX] = {};
	struct task_struct *t;
	__u64 cgroup;

	if (!w)
		return 0;
	t = host_task(w->tgid);
	if (!t || task_start(t) != w->start)
		return 0;
	task_namespaces(t, have);
#pragma unroll
	for (__u32 i = 0; i < NS__MAX; i++)
		if (i == kind && have[i] != inum)
			return 0;
	cgroup = task_cgroup_id(t);
	return cgroup_watched(cgroup) ? cgroup : 0;
}

/* A process of a container is a witness for those of its namespaces that are not the host's. */
__inline_always void namespaces_put(struct task_struct *t)
{
	struct witness w = {.tgid = BPF_CORE_READ(t, tgid), .start = task_start(t)};
	__u32 ns[NS__MAX] = {};

	task_namespaces(t, ns);
#pragma unroll
	for (int i = 0; i < NS__MAX; i++)
		if (ns[i] && ns[i] != cfg.host_ns[i] && !namespace_cgroup(ns[i], i))
			bpf_map_update_elem(&namespaces, &ns[i], &w, BPF_ANY);
}

/* With the witness they go. */
__inline_always void namespaces_drop(struct task_struct *t)
{
	__u32 ns[NS__MAX] = {}, tgid = BPF_CORE_READ(t, tgid);
	struct witness *w;

	task_namespaces(t, ns);
#pragma unroll
	for (int i = 0; i < NS__MAX; i++) {
		w = bpf_map_lookup_elem(&namespaces, &ns[i]);
		if (w && w->tgid == tgid)
			bpf_map_delete_elem(&namespaces, &ns[i]);
	}
}

/*
 * The container whose namespaces the current task is in: the innermost things first, as several
 * containers may share a network. *@which gets those that are the same container's, as clone(2)
 * calls them.
 */
__inline_always __u64 namespaces_owner(struct task_struct *t, __u32 *which)
{
	__u32 ns[NS__MAX] = {};
	__u64 owner = 0, cgroup;

	task_namespaces(t, ns);
#pragma unroll
	for (int i = 0; i < NS__MAX; i++) {
		if (!ns[i] || ns[i] == cfg.host_ns[i])
			continue;
		cgroup = namespace_cgroup(ns[i], i);
		if (!owner)
			owner = cgroup;
		*which |= ns_flags[i] & -(__u32)(same(cgroup, owner) & ~same(cgroup, 0));
	}
	return owner;
}

#endif
