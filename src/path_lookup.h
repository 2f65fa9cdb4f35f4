/* SPDX-License-Identifier: MIT */
/*
 * Symbolic links in path arguments. A call that leaves no object behind (unlink, rename) gives
 * only its argument and the directory that it is relative to. Here the argument's directory is
 * looked up below the process's own root, after the fact.
 *
 * What a look-up found stands for the records that were made before it: it was nearer to them than another would be.
 * So a reader that is behind looks a directory up once, not for every name that was removed from it.
 *
 * The directory tree is the container's, so nothing may make us wait: the lookup takes what is in
 * the kernel's cache (RESOLVE_CACHED), where the call has just left it, and goes beyond it only when
 * the mount namespace has no file system that asks somebody (FUSE, NFS, automounts).
 */
#ifndef EBPFMON_PATH_LOOKUP_H
#define EBPFMON_PATH_LOOKUP_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct path_lookup;

struct path_lookup *path_lookup_new(void);
void path_lookup_free(struct path_lookup *l);

/* Whose path it is: a process, which another with its pid is not. @start and @made: CLOCK_BOOTTIME, ns. */
struct path_owner {
	pid_t pid;
	__u64 start;
	__u64 made; /* when the record was */
};

/*
 * @path, absolute below the root of @by->pid, @len bytes: its directory with symbolic links resolved, then its last
 * name as it was; with @follow, that is resolved as well. @out holds PATH_MAX bytes. The length, or -errno: -EAGAIN
 * when the cache did not have it, -ENOENT when process or directory are gone.
 */
ssize_t path_lookup(struct path_lookup *l, const struct path_owner *by, const char *path,
		    size_t len, bool follow, char *out);

#endif
