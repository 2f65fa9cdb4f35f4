/* SPDX-License-Identifier: MIT */
/* A container as the rest of the program sees it. The table that holds them is in table.h. */
#ifndef EBPFMON_CONTAINER_H
#define EBPFMON_CONTAINER_H

#include <linux/types.h>
#include <stdbool.h>
#include "container/runtime.h"

enum container_state {
	CT_UNDECIDED, /* a new cgroup: may be a container, may be none */
	CT_WATCHED,
	CT_IGNORED,
};

struct container {
	__u64 cgroup; /* id of the cgroup that is the container's */
	char *cgroup_path; /* in the default hierarchy */
	char *id; /* 64 hex digits, or the runtime's name for it */
	const char *runtime; /* "docker", "runc", "ebpfmon" (run), … */
	struct container_info info; /* from the runtime; all NULL when nothing is known */
	enum container_state state;
	__u32 init_pid; /* first process, host pid; 0 until known */
	__u64 init_start;
	__u64 created; /* cgroup created or found, CLOCK_BOOTTIME ns */
	__u64 started; /* entry point executed, CLOCK_BOOTTIME ns; 0: not yet */
	__u64 stopped; /* 0: still running */
	int exit_code; /* of the first process; -1 until known */
	int exit_signal;
	bool existing; /* was running before recording started */
};

/* What to call it: its name, or the first 12 characters of its id. */
const char *container_name(const struct container *c);

#endif
