/* SPDX-License-Identifier: MIT */
/* Which of the host's cgroup hierarchies tells containers apart. */
#ifndef EBPFMON_CONTAINER_HIERARCHY_H
#define EBPFMON_CONTAINER_HIERARCHY_H

struct cgroup_hierarchy {
	unsigned int id; /* as the kernel numbers it; 0: the default one, cgroup v2 */
	char controller[32]; /* of v1, by its name in /proc/cgroups; "" for v2 */
	char mount[4096];
};

/*
 * Cgroup v2 where it is mounted, also beside v1 (hybrid: runtimes make a container's cgroup in
 * all hierarchies). Else the v1 hierarchy of a controller for which every runtime makes a cgroup
 * for each container. 0, or -ENOENT when there is neither.
 */
int cgroup_hierarchy_find(struct cgroup_hierarchy *h);

/* The part of cgroup_hierarchy_find() that reads: from a mountinfo and a /proc/cgroups. Pure but for @h. */
int cgroup_hierarchy_parse(struct cgroup_hierarchy *h, const char *mountinfo, const char *cgroups);

#endif
