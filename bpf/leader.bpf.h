/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is counted of first threads (include/leader.h). A thread has the place of its tid, if that is free: no search,
 * no hash, and an exit finds the place in struct seen. Only the thread itself writes there, at the exits of its
 * system calls, an execve(2) and its end, from when it has put the place into leaders_owned until it calls itself ended, or its cgroup is
 * gone; then user space takes the numbers, and gives the place free. (The lock of that map's bucket is also what
 * orders one side's reads behind the other's writes.) What finds no place here is in the counters' hashes, as is
 * what other threads do.
 */
#ifndef EBPFMON_LEADER_BPF_H
#define EBPFMON_LEADER_BPF_H

#include "sys.bpf.h"
#include "leader.h"

#define LEADERS	    1024 /* a power of two */
#define LEADER_NONE ~0u /* in struct seen: it has no place */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LEADERS);
	__type(key, __u32);
	__type(value, struct ev_leader);
} leaders SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LEADERS);
	__type(key, __u32);
	__type(value, __u32); /* enum ev_leader_state */
} leaders_owned SEC(".maps");

__inline_always __u32 leader_slot(__u32 tid)
{
	return tid & (LEADERS - 1);
}

/*
 * The place of a first thread that makes a call, taken if it is free; LEADER_NONE, or the place + 1. Masks instead
 * of branches, as the verifier would follow each of them.
 */
__inline_always __u32 leader_find(const struct seen *who)
{
	__u32 tid = bpf_get_current_pid_tgid(), slot = leader_slot(tid), lives = LEADER_LIVES;
	struct ev_leader *l = bpf_map_lookup_elem(&leaders, &slot);
	__u64 mine;

	if (!l)
		return LEADER_NONE;
	if (same(l->hdr.pid, 0) & same(tid, who->tgid) &&
	    !bpf_map_update_elem(&leaders_owned, &slot, &lives, BPF_NOEXIST)) {
		seen_header(&l->hdr, who, EV_syscall_calls, sizeof(struct ev_syscall_calls),
			    bpf_ktime_get_boot_ns());
		l->setup = l->hdr;
		l->ended = 0;
	}
	mine = same(l->hdr.pid, tid) & same(l->hdr.start, who->started) & same(l->ended, 0) &
	       same(l->hdr.cgroup, who->cgroup);
	return (slot + 1) | (mine - 1);
}

/* The entry of the thread whose call ends, which syscall_exit has looked for; NULL: it has none. */
__inline_always struct ev_leader *leader_entry(const struct seen *who)
{
	__u32 slot = who->leader - 1;
	struct ev_leader *l = cfg.leaders ? bpf_map_lookup_elem(&leaders, &slot) : NULL;

	return l && l->hdr.pid == who->tgid ? l : NULL;
}

#endif
