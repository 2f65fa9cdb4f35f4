/* SPDX-License-Identifier: MIT */
/*
 * Which container does a cgroup path belong to?
 *
 * A pure function of the path: no I/O, no allocation, no state. The rules are a table in
 * cgroup_path.c, with the reasons beside them; docs for the forms are the runtimes' own sources.
 *
 * A name proves nothing: whoever may create cgroups may name them as he likes. Two fields say how
 * far to believe a result, and runtime_lookup() uses both:
 *  - owner_uid: the path lies in what systemd has delegated to this user (user@UID.service).
 *    Only that user's own runtimes may vouch for it, never the system's.
 *  - nested: the container lies inside others, whose root may have made the name up.
 */
#ifndef EBPFMON_CONTAINER_CGROUP_PATH_H
#define EBPFMON_CONTAINER_CGROUP_PATH_H

#include <stdbool.h>
#include <stddef.h>

#define CGROUP_PATH_MAX 4096 /* PATH_MAX, which the kernel's cgroup_path() is bounded by */

struct cgroup_path {
	const char *runtime; /* static: "docker", "containerd", "cri-o", "podman", "lxc",
				 * "systemd-nspawn", "libvirt-lxc", "runc", "crun", "buildkit",
				 * "garden", "mesos"; NULL when the path alone does not say */
	char id[129]; /* 64 hex digits, or the name of an LXC/nspawn/runc container */
	char pod_uid
		[65]; /* Kubernetes pod, in its form with dashes, or podman's id of one; else "" */
	const char *qos; /* static: "guaranteed", "burstable", "besteffort"; or NULL */
	size_t depth_start; /* offset of the container's own component; parsing
				 * path[0..depth_start) again gives the enclosing container */
	size_t depth_end; /* offset just past it: what is deeper is a child of it */
	unsigned int nested; /* containers around this one; 0 when outermost */
	long owner_uid; /* user whose delegated subtree holds it, or -1: the system's */
};

/*
 * Parse `len` bytes of @path (not necessarily NUL-terminated) as the kernel prints a cgroup path:
 * the third field of /proc/PID/cgroup, or the cgroup tracepoints' path. v1, v2 and hybrid alike.
 *
 * Returns 0 and fills @out when the path is, or lies within, the cgroup of a container (the
 * innermost one); -ENOENT when it is none's; -EINVAL when no kernel would print it (relative,
 * embedded NUL, empty component, ".." other than at the front, a component over 255 bytes,
 * CGROUP_PATH_MAX or longer). @out is untouched on failure.
 */
int cgroup_path_parse(const char *path, size_t len, struct cgroup_path *out);

/*
 * Is the cgroup at @path that of a systemd unit of this host (and not of one in a container)? Its
 * name, a piece of @path, goes to @unit and @n. 0, or -ENOENT.
 */
int cgroup_path_unit(const char *path, size_t len, const char **unit, size_t *n);

/* The user whose delegated subtree (user@UID.service) holds @path, or -1. Never fails. */
long cgroup_path_owner(const char *path, size_t len);

/* May @id be used as one component of a path name? No '/', no control byte, not "." or "..". */
bool cgroup_path_id_is_safe(const char *id);

#endif
