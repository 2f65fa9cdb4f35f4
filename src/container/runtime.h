/* SPDX-License-Identifier: MIT */
/*
 * What the container runtimes' own state files say about a container: no daemon is asked.
 *
 * Everything read is untrusted: a missing, unreadable, oversized, malformed or lying file costs
 * the facts it would have given and nothing else. Strings are copied as they are (escape them on
 * output), cut at 4096 bytes; lists stop at 512 entries. Of a user's (rootless) files no more is
 * read for one question than a few thousand and 16 MiB, so that he cannot keep us busy with them.
 */
#ifndef EBPFMON_CONTAINER_RUNTIME_H
#define EBPFMON_CONTAINER_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct container_mount {
	char *destination; /* in the container */
	char *source; /* on the host; NULL for tmpfs */
	char *type; /* "bind", "volume", "tmpfs", … */
	char *name; /* of the volume, or NULL */
	bool rw;
};

struct container_network {
	char *name;
	char *ipv4, *ipv6, *mac; /* the container's own, or NULL */
};

/* All strings may be NULL: not known. Zero-initialise, and free with container_info_free(). */
struct container_info {
	char *id;
	char *name;
	char *image; /* as the user named it: "nginx:1.25" */
	char *image_id; /* the runtime's own id of it, a hash of its configuration: "sha256:…" */
	char *image_digest; /* what the registry calls it, a hash of the manifest: "sha256:…" */
	char *runtime; /* as in struct cgroup_path, also "runc" and "crun" */
	char *pod_name, *pod_namespace, *pod_uid; /* podman's pods: the id */
	char **labels; /* "key=value" */
	size_t nr_labels;
	struct container_mount *mounts; /* the user's, not the runtime's /proc, /dev… */
	size_t nr_mounts;
	char *user; /* as configured: a name, "uid" or "uid:gid" */
	bool privileged;
	bool readonly_root;
	bool sandbox; /* a pod's pause container */
	char *bundle; /* OCI bundle's directory on the host */
	char *rootfs; /* on the host */
	pid_t init_pid; /* host pid; 0: not known or not running */
	uint64_t init_start; /* its start time in ticks (/proc/PID/stat, field 22); 0: unknown */
	char *hostname;
	uint64_t caps; /* configured bounding set, one bit per CAP_*; see caps_known */
	bool caps_known;
	char *seccomp; /* "default", "unconfined", "profile" or NULL */
	struct container_network *networks;
	size_t nr_networks;
	char **cgroups; /* its cgroups' paths, one per distinct path in the hierarchies */
	size_t nr_cgroups;
};

void container_info_free(struct container_info *info);

/*
 * Walks over all processes, for the places that their command lines name. One takes milliseconds for
 * every hundred processes, and is for nothing when nobody knows the container: whoever has many questions
 * keeps this between them. What a walk told is used for a second; then, or when it was not enough, there
 * is another one, but no more than one a second and a few in advance. Zero-initialise, and free what it
 * points to with runtime_walks_free().
 */
struct runtime_walks {
	uint64_t now; /* ns of any clock: the asker sets it before each question */
	uint64_t made; /* the last one */
	uint64_t spent; /* up to then the one a second is spent, maybe in advance */
	struct rt_place *places; /* what the last one told */
	size_t nr_places;
};

void runtime_walks_free(struct runtime_walks *w);

/* Where to look, beyond the well-known places. Arrays end with NULL and may be NULL themselves. */
struct runtime_paths {
	const char *root; /* put before every host path; NULL or "": none */
	const char *const *docker_data_roots; /* dockerd --data-root */
	const char *const *docker_exec_roots; /* dockerd --exec-root */
	const char *const *oci_roots; /* runc/crun --root */
	const char *const *storage_roots; /* podman and CRI-O --root (containers/storage) */
	bool no_proc_scan; /* do not ask running processes' command lines */
	struct runtime_walks *walks; /* how often they may be asked; NULL: for every question */
	bool ids_only; /* look for the id that is asked for; do not search all state for a cgroup */
	long delegated_to; /* user who owns the directory that the cgroup is in; 0: the system's */
};

/*
 * Find the container whose cgroup is @cgroup_path, or an ancestor of it. @id_hint (a full id) and
 * @runtime_hint may be NULL, and @cgroup_path may be NULL when @id_hint is given. Finds containers
 * that cgroup_path_parse() cannot tell, plain runc and crun, by the cgroups their state names.
 *
 * Record and path must agree: state that names another cgroup is not used, and of a path in a
 * user's delegated subtree (by its path, or @p->delegated_to) only that user's own files are believed.
 *
 * Returns 0 with @out filled (its old content is not freed), -ENOENT when nothing knows it,
 * -EINVAL on arguments that name nothing, -ENOMEM. @out is untouched on failure. Reads files:
 * a miss costs a walk of /proc, unless there is @p->walks.
 */
int runtime_lookup(const struct runtime_paths *p, const char *cgroup_path, const char *id_hint,
		   const char *runtime_hint, struct container_info *out);

/*
 * The same, the moment a cgroup is made: @creator is the process that made it. When that is an OCI
 * runtime its command line names the container, and the bundle beside it says all that is known
 * before the container runs, however short it lives and whatever directory its state is in. Only
 * root's own runtimes outside of containers are believed, and only for the cgroup that the bundle
 * names. 0 or -ENOENT.
 */
int runtime_creator(const struct runtime_paths *p, const char *cgroup_path, pid_t creator,
		    struct container_info *out);

/*
 * Call @fn for every container known to the state files; its init_pid is 0 when its first process is gone. What @info
 * points to lasts for the call; @fn may take it and leave zeroes. A non-zero return of @fn ends the
 * walk and is returned. Returns 0 or -ENOMEM otherwise.
 */
int runtime_list(const struct runtime_paths *p, int (*fn)(struct container_info *info, void *arg),
		 void *arg);

#endif
