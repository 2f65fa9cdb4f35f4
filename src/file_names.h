/* SPDX-License-Identifier: MIT */
/*
 * Which path an open file has. The kernel counts reads and writes per open file, by number; the
 * record of its opening (or first use) said where it is. Bounded: the oldest are forgotten.
 */
#ifndef EBPFMON_FILE_NAMES_H
#define EBPFMON_FILE_NAMES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct file_names;

struct file_name {
	const char *path;
	size_t path_len, mount_len; /* the mount point is a prefix of the path */
	__u32 flags; /* enum ev_pathflags */
};

struct file_names *file_names_new(size_t max);
void file_names_free(struct file_names *f);
/* Of a process in @cgroup. Copies @path. -ENOMEM costs the name and nothing else. */
int file_names_set(struct file_names *f, __u64 id, __u64 cgroup, const struct file_name *name);
/* Forgets the files of the cgroups that are gone. */
void file_names_expire(struct file_names *f, bool (*gone)(void *arg, __u64 cgroup), void *arg);
/* 0 and *@name, lent until the next set; -ENOENT. */
int file_names_get(struct file_names *f, __u64 id, struct file_name *name);

#endif
