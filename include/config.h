/* SPDX-License-Identifier: MIT */
/* Settings that the loader gives to the BPF programs, and the values of the maps both sides use. */
#ifndef EBPFMON_CONFIG_H
#define EBPFMON_CONFIG_H

#define EV_FILTER_MAX	8
#define MULTIPLEXED_IPC 32 /* socketcall(2) has fewer calls, ipc(2) as well */
#define EV_PROBES	5
#define EV_NR_SYSCALLS	512 /* numbers of the native ABI stay below this */

struct ev_range {
	__u64 begin, end; /* addresses; end is outside */
};

struct ev_config {
	__u64 events[2]; /* bit per enum ev_type: wanted by a sink */
	__u64 calls[EV_NR_SYSCALLS /
		    64]; /* bit per system call: a program of hooks.def wants its exit */
	__u64 wakeup_bytes; /* wake the reader when this much waits in the ring */
	__u64 stream_bytes; /* syscall.call is not sent when this much waits: the rest is the others' */
	__u32 adopt_new; /* cgroups created from now on may be containers */
	__u32 count_syscalls; /* keep syscall.calls */
	__u32 leaders; /* first threads have an entry in a map of their own: no filters, no durations */
	__u32 time_syscalls; /* sys_enter is attached: durations are known */
	__u32 trace_syscalls; /* send syscall.call for every call */
	__u32 join_checks; /* capability checks are seen: sys_exit tells what became of the calls */
	__u32 resolves; /* there are kprobes: bpf/paths.bpf.c tells where calls led */
	__u32 audit_off; /* the kernel's audit was off when recording began */
	__u32 preempted; /* the kernel may preempt programs of tracepoints: bpf/traced.bpf.h */
	__u32 classic_sys; /* programs of sys_enter and sys_exit are classic tracepoints: bpf/sys.bpf.h */
	struct ev_range probes
		[EV_PROBES]; /* kernel functions that ask for a capability without auditing it */
	struct ev_range cap_capable; /* cap_capable(), which all checks end in */
	__u32 cgroup_hierarchy; /* whose cgroups tell containers apart: 0 is v2, else a v1 hierarchy's id */
	__u32 cgroup_subsys; /* v1: which controller it has, as css_set.subsys[] counts them */
	__u32 host_ns
		[6]; /* inode numbers of the host's namespaces: enum ns_kind of bpf/namespace.bpf.h */
	__u32 self_tgid; /* ebpfmon itself */
	__u32 nr_pids, nr_uids, nr_comms, nr_ports; /* filters; 0: everything */
	__u32 pids[EV_FILTER_MAX];
	__u32 uids[EV_FILTER_MAX];
	__u32 ports[EV_FILTER_MAX];
	char comms[EV_FILTER_MAX][16] __attribute__((aligned(8)));
};

enum ev_cgroup_flags {
	CG_IGNORED = 1 << 0, /* user space decided: not a container, or not a wanted one */
	CG_RUN =
		1
		<< 1, /* made by `ebpfmon run`: its first exec is the entry point, in whatever namespace */
	CG_DECIDED = 1 << 2, /* user space decided that it is watched */
};

struct ev_cgroup {
	__u32 flags;
	__u32 pad;
	__u64 created; /* CLOCK_REALTIME seconds are not to be had on 5.10: CLOCK_BOOTTIME, ns */
};

/* What both sides write while recording. */
struct ev_state {
	/*
	 * Counts up whenever what was learnt about a task may have become wrong: it moved, left its
	 * set-up phase, was freed (its address may be another's), or user space decided about its
	 * container. See struct seen in bpf/sys.bpf.h.
	 */
	__u64 generation;
	__u64 scanned; /* the processes that were there before are known */
	__u64 awake; /* the reader is at work, or has been woken: user space clears it before it waits */
	__u64 eager; /* the reader waits long, for the first record: nothing has happened for a while */
};

#endif
