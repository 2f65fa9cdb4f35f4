/* SPDX-License-Identifier: MIT */
/* Facts about one recording that reports state: when, where, what was seen and what was lost. */
#ifndef EBPFMON_SESSION_H
#define EBPFMON_SESSION_H

#include <linux/types.h>
#include <stdbool.h>
#include <string.h>
#include "events.h"

/* One row per BPF program: which event it serves, and whether it could be had. */
struct coverage {
	const char *program; /* "file_open" */
	const char *subsystem;
	const char *hook; /* "tp_btf/sched_process_exec", "sys_exit: open openat" */
	const char *doc; /* what it gives */
	bool active;
	__u32 verified; /* instructions that the kernel's verifier walked; 0: not asked for */
	__u64 missed; /* runs that the kernel left out, on whatever task of the host */
	bool spare; /* the record lacks nothing without it: another program gives the same, or less exactly */
	char reason[160]; /* why not, and what that costs */
};

#define NOT_ASKED_FOR "not asked for"
#define LACKS	      "this kernel lacks " /* how the reason begins where it cannot tell that */

/* Does the record lack what it gives? */
static inline bool coverage_is_missing(const struct coverage *c)
{
	return !c->active && !c->spare && strcmp(c->reason, NOT_ASKED_FOR) != 0;
}

struct session {
	__u64 begin, end; /* CLOCK_REALTIME, ns */
	__u64 begin_boot, end_boot; /* CLOCK_BOOTTIME, ns */
	__s64 boot_to_wall;
	const struct coverage *coverage;
	unsigned int nr_coverage;
	__u64 lost[EV__MAX]; /* records that did not fit, exactly, per event */
	__u64 lost_other; /* records that failed record_check(), or belonged to no known cgroup */
	bool subsystems[EVS__MAX]; /* which were asked for */
	bool syscall_time; /* --syscalls=time */
	const char *end_reason; /* "signal", "duration", "container stopped", "command exited", … */
};

#endif
