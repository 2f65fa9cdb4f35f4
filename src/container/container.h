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

/* What was seen of a container's first process, other than what the runtime was told. */
struct container_seen {
	bool known;
	__u8 seccomp; /* mode of the task: 0 none, 1 strict, 2 a filter */
	bool no_new_privs;
	__u32 uid, gid; /* effective, as the host sees them */
	__u64 cap_effective, cap_bounding;
};

struct container {
	__u64 cgroup; /* id of the cgroup that is the container's */
	char *cgroup_path; /* in the default hierarchy */
	char *id; /* 64 hex digits, or the runtime's name for it */
	char short_id[13]; /* what container_name() shows of an id of 64 digits */
	const char *runtime; /* "docker", "runc", "ebpfmon" (run), "systemd" (a unit), … */
	const char *qos; /* Kubernetes' class of the pod, or NULL */
	struct container *parent; /* the container that it runs in, or NULL */
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
	bool known; /* is a container, whether it is wanted or not: by its path, by state, by what it ran */
	bool by_path; /* its path says so, and names its id */
	bool nested; /* its path names containers around it: nothing outside vouches for the id */
	bool unit; /* a systemd unit that was asked for: there is no runtime, and no set-up phase */
	bool lingers; /* has had connections, whose end may come long after its own */
	__u64 entered; /* its entry point ran while its metadata was still missing; 0: no */
	struct container_seen seen;
	struct backlog *backlog; /* the pipeline's: what waits for it to be decided */
	char **addresses; /* of its network namespace, other than loopback's */
	size_t nr_addresses;
};

/*
 * What to call it: its name. When nobody knows one, its id: of 64 digits the first 12, as docker,
 * podman and crictl do; ids that somebody chose (runc, LXC) are names already.
 */
const char *container_name(const struct container *c);

#endif
