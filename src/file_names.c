// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "file_names.h"

struct entry {
	__u64 id, cgroup;
	__u32 path_len, mount_len, flags;
	UT_hash_handle hh;
	char path[];
};

struct file_names {
	struct entry *all; /* uthash keeps the order of insertion: the first is the oldest */
	size_t max;
};

struct file_names *file_names_new(size_t max)
{
	struct file_names *f = calloc(1, sizeof(*f));

	if (f)
		f->max = max;
	return f;
}

static void drop(struct file_names *f, struct entry *e)
{
	HASH_DEL(f->all, e);
	free(e);
}

void file_names_free(struct file_names *f)
{
	struct entry *e, *next;

	if (!f)
		return;
	HASH_ITER(hh, f->all, e, next)
	drop(f, e);
	free(f);
}

int file_names_set(struct file_names *f, __u64 id, __u64 cgroup, const struct file_name *name)
{
	struct entry *e;

	HASH_FIND(hh, f->all, &id, sizeof(id), e);
	if (e)
		drop(f, e);
	if (f->max && HASH_COUNT(f->all) >= f->max)
		drop(f, f->all);
	e = malloc(sizeof(*e) + name->path_len);
	if (!e)
		return -ENOMEM;
	memset(e, 0, sizeof(*e));
	e->id = id;
	e->cgroup = cgroup;
	e->path_len = name->path_len;
	e->mount_len = name->mount_len;
	e->flags = name->flags;
	memcpy(e->path, name->path, name->path_len);
	HASH_ADD(hh, f->all, id, sizeof(e->id), e);
	return 0;
}

int file_names_get(struct file_names *f, __u64 id, struct file_name *name)
{
	struct entry *e;

	HASH_FIND(hh, f->all, &id, sizeof(id), e);
	if (!e)
		return -ENOENT;
	name->path = e->path;
	name->path_len = e->path_len;
	name->mount_len = e->mount_len;
	name->flags = e->flags;
	return 0;
}

void file_names_expire(struct file_names *f, bool (*gone)(void *arg, __u64 cgroup), void *arg)
{
	struct entry *e, *next;

	HASH_ITER(hh, f->all, e, next)
	if (gone(arg, e->cgroup))
		drop(f, e);
}
