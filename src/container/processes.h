/* SPDX-License-Identifier: MIT */
/* What cgroupfs and /proc say about the processes of a container that runs. */
#ifndef EBPFMON_CONTAINER_PROCESSES_H
#define EBPFMON_CONTAINER_PROCESSES_H

#include <sys/types.h>
#include "container/container.h"

struct container_processes {
	unsigned int nr; /* of its cgroup and all below */
	pid_t first; /* the one that started first; 0: there is none */
	__u64 since; /* when that was: CLOCK_BOOTTIME, ns, to a clock tick */
};

/* @mount: where the hierarchy that @cgroup_path is in is mounted. */
void container_processes_read(const char *mount, const char *cgroup_path,
			      struct container_processes *out);

/* What the kernel says of @pid: its seccomp mode, capabilities and so on. False: it is gone. */
bool container_seen_read(pid_t pid, struct container_seen *out);

/* Is @pid (still) the process that started at @start, CLOCK_BOOTTIME in ns? */
bool container_process_is(pid_t pid, __u64 start);

/*
 * The addresses of @pid's network namespace, unless it is ours: "127.0.0.1" and link-local ones left
 * out. Calls @fn for each, up to 64.
 */
void container_addresses_read(pid_t pid, void (*fn)(const char *address, void *arg), void *arg);

#endif
