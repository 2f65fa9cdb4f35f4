/* SPDX-License-Identifier: MIT */
/*
 * Which container a cgroup belongs to. The kernel side knows cgroup ids and reports each cgroup
 * that is made; here its path is parsed, the runtime's records are asked, and it is decided
 * whether it is a container, and one that is wanted.
 */
#ifndef EBPFMON_CONTAINER_TABLE_H
#define EBPFMON_CONTAINER_TABLE_H

#include "container/container.h"

struct container_table;

struct container_select {
	const char *const *patterns; /* of containers: container/select.h */
	unsigned int nr;
	const char *const *units; /* of systemd units */
	unsigned int nr_units; /* neither patterns nor units: every container */
	struct runtime_paths runtimes;
	/* Tells the kernel side about a cgroup: enum ev_cgroup_flags. NULL: nobody to tell. */
	void (*mark)(void *arg, __u64 cgroup, __u32 flags);
	/* Watched containers stay known when they are gone: somebody refers to them until the end. */
	bool keep;
	/* Lets the owner know that an undecided container was decided. NULL: needs not know. */
	void (*decided)(void *arg, struct container *c);
	void *arg;
};

struct container_table *container_table_new(const struct container_select *sel);
void container_table_free(struct container_table *t);

/*
 * Finds the containers that run already, from cgroupfs, and decides which of them are wanted. A
 * pattern that fits the whole id or name of one means that one, not those whose id only begins so;
 * the beginning of an id means, from then on, the one that it was found to be. @now:
 * CLOCK_BOOTTIME, ns. 0 or -errno.
 */
int container_table_scan(struct container_table *t, __u64 now);

/* Which of the containers that run does pattern (or unit) number @i mean? Calls @fn, if any, for each. */
unsigned int container_table_meant(struct container_table *t, unsigned int i,
				   int (*fn)(struct container *c, void *arg), void *arg);
bool container_table_unit_found(struct container_table *t, unsigned int i);

/* A cgroup that was made. */
struct cgroup_made {
	__u64 id, parent;
	const char *path;
	size_t len;
	pid_t by; /* the process that made it; 0: not known */
	__u64 now;
};

/* Its container, which may be undecided, or NULL when it is in none. */
struct container *container_table_create(struct container_table *t, const struct cgroup_made *m);
/* A cgroup is gone. What belongs to it may still come: it is found for a while (container_table_expire()). */
void container_table_remove(struct container_table *t, __u64 id, __u64 now);

/* A cgroup made by ourselves, for `ebpfmon run`. */
struct container *container_table_add(struct container_table *t, __u64 id, const char *path,
				      const char *name, __u64 now);

/* The container that the cgroup belongs to, or NULL. */
struct container *container_table_find(struct container_table *t, __u64 cgroup);

/* Is there no such cgroup (any more)? Then no process is in it, either. */
bool container_table_gone(struct container_table *t, __u64 cgroup);
/* The same, of a cgroup that was known, and not forgotten yet. */
bool container_table_removed(struct container_table *t, __u64 cgroup);

/* Something was executed in namespaces of its own: an undecided cgroup is a container after all. */
void container_table_entry(struct container_table *t, struct container *c, __u64 now);
/* Its first process runs, or was found: what /proc says of it. @start: 0 for one that was found. */
void container_table_running(struct container_table *t, struct container *c, pid_t pid,
			     __u64 start);
/* Looks which cgroups are still there: some removals were not told. */
void container_table_look(struct container_table *t, __u64 now);
/*
 * Undecided cgroups older than @age ns are no containers; cgroups gone for as long are forgotten, and
 * containers with the last of theirs, unless they are kept. No container may be held over this call.
 * Asks the runtimes once more for what a container needs before it can be decided.
 */
void container_table_expire(struct container_table *t, __u64 now, __u64 age);

/* Calls @fn for each container that is not ignored, in the order of their appearance; a non-zero return ends it. */
int container_table_each(struct container_table *t, int (*fn)(struct container *c, void *arg),
			 void *arg);

/* Where the hierarchy that tells containers apart is mounted; NULL when there is none. Caller frees. */
char *cgroup_mount(void);

#endif
