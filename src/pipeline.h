/* SPDX-License-Identifier: MIT */
/*
 * What happens to a record between the kernel and the sinks: it is checked, its container and
 * process are found, what only user space knows is filled in, and every sink gets it. Knows no
 * libbpf: tests feed it bytes.
 */
#ifndef EBPFMON_PIPELINE_H
#define EBPFMON_PIPELINE_H

#include "container/table.h"
#include "process_table.h"
#include "sink.h"

struct file_names;
struct path_lookup;

struct filter {
	bool events[EV__MAX]; /* what the sinks get */
	const char *const
		*prefixes; /* paths; records with a path that has none of these are left out */
	unsigned int nr_prefixes;
	const __u32 *ports; /* network records with neither port in here are left out */
	unsigned int nr_ports;
	/* the kernel's filters by task, once more: process.fork, exec and exit it sends anyway */
	const __u32 *pids, *uids;
	unsigned int nr_pids, nr_uids;
	const char *const *comms;
	unsigned int nr_comms;
};

struct pipeline {
	struct container_table *containers;
	struct process_table *processes;
	struct file_names *files; /* identity of an open file -> path, for the I/O counters */
	struct path_lookup *lookup;
	const struct filter *filter;
	struct sink *sinks;
	__s64 boot_to_wall;
	__u64 bad; /* records that failed record_check() */
	__u64 stray; /* records of cgroups that nobody told us about */
	__u64 nr_records;
	__u64 epoch; /* of struct record */
	__u64 lost
		[EV__MAX]; /* records that had to wait for their container to be decided, and found no room */
	int err; /* first error of a sink */
	/* filled while a record is under way */
	char *scratch; /* EV_MAX_LEN + room for a path, 8-aligned */
	struct backlog *backlogs; /* records of containers that are not decided yet */
	size_t backlogged; /* bytes that they take */
	bool learning; /* records are for the tables only */
	__u64 now, next_expiry; /* CLOCK_BOOTTIME, ns */
	bool ends_lost; /* of processes or cgroups: pipeline_expire() then looks who is still there */
	bool wanted_stopped; /* a wanted container has ended: for --exit-with-container */
};

int pipeline_init(struct pipeline *p);
void pipeline_exit(struct pipeline *p);

/* One record as it came from the kernel, at any address. Never fails: what is wrong is counted. */
void pipeline_feed(struct pipeline *p, const void *data, size_t len);
/*
 * What was there before comes twice: first, with p->learning set, the tables learn from it; this
 * finds out how it hangs together, and then the sinks get it.
 */
void pipeline_settle(struct pipeline *p);
/* Forgets what is over for @age ns. To be called now and then, with no container in hand. */
void pipeline_expire(struct pipeline *p, __u64 now, __u64 age);
/* Give to every sink: after a batch, and at the end. */
void pipeline_flush(struct pipeline *p);
int pipeline_finish(struct pipeline *p, const struct session *s);

/* For the container table: an undecided container was decided. */
void pipeline_decided(struct pipeline *p, struct container *c);
/* Announces a container as started (its entry point ran, or it was found running). */
void pipeline_start(struct pipeline *p, struct container *c, const struct ev_hdr *by);

#endif
