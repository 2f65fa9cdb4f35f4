/* SPDX-License-Identifier: MIT */
/*
 * The table of processes: who is who, from fork, exec and exit records and, for processes that
 * were there before, from /proc. An entry outlives its process for a while, since counters and
 * sockets may still name it; reports keep what they show themselves. Bounded.
 */
#ifndef EBPFMON_PROCESS_H
#define EBPFMON_PROCESS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include "events.h"

struct process {
	__u32 pid; /* with start: its identity */
	__u64 start; /* CLOCK_BOOTTIME, ns */
	__u32 ppid, vpid, uid, gid;
	__u64 cgroup;
	struct process *parent; /* NULL when not known */
	char comm[EV_COMM_LEN + 1];
	char *exe; /* path, NULL when not known; not necessarily UTF-8 */
	size_t exe_len;
	char *args; /* argument vector, each ended by NUL; NULL when not known */
	size_t args_len;
	bool args_cut;
	/* The command that was brought in by "exec" (docker exec) and that it descends from, or is; 0: none. */
	__u32 session_pid;
	__u64 session_start; /* CLOCK_BOOTTIME, ns */
	bool setup; /* has not executed anything inside the container yet */
	bool existing; /* was there before recording started */
	bool zombie; /* had ended already when it was found */
	bool exited;
	bool left; /* was moved out of the container: what became of it is not known */
	__u64 end; /* when it ended; 0 while it runs */
	int exit_code, exit_signal;
	__u64 cpu_time, max_rss; /* ns, bytes; known at exit */
	__u32 nr_threads; /* threads made beyond the first */
	__u32 index; /* its number in the order of appearance, from 0: dense, for tables beside */
};

#endif
