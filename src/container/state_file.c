// SPDX-License-Identifier: MIT
/* Reading files that others wrote: bounded, never blocking, never led astray by links. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH */
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "container/runtime_priv.h"

#define STATE_FILE_MAX (4UL << 20)

void rt_system_place(struct rt_place *at, const char *path)
{
	*at = (struct rt_place){
		.path = (char *)path, .trusted = strlen(path), .owner = RT_OWNER_SYSTEM};
}

/*
 * A user's file: open the part of the path that root made, then go on without links and without
 * leaving that file system, so that neither a link nor a FUSE mount of his leads elsewhere.
 * No fallback: before openat2() (5.6) users' files are not read.
 */
static int open_users(const struct rt *rt, const struct rt_place *at, const char *rel, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)flags,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	char base[PATH_MAX], rest[PATH_MAX];
	_cleanup_fd_ int dir = -1;
	const char *below = at->path + at->trusted;
	int n, fd;

	if (!rt->users->files)
		return -EDQUOT;
	rt->users->files--;
	n = snprintf(base, sizeof(base), "%s%.*s", rt->root, (int)at->trusted, at->path);
	if (n < 0 || (size_t)n >= sizeof(base))
		return -ENAMETOOLONG;
	below += strspn(below, "/");
	n = snprintf(rest, sizeof(rest), "%s%s%s", below, *below && *rel ? "/" : "", rel);
	if (n < 0 || (size_t)n >= sizeof(rest))
		return -ENAMETOOLONG;
	dir = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, dir, n ? rest : ".", &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/* Who may have written a file that is believed? For the system: root, and whoever runs this. */
static bool owner_ok(const struct rt_place *at, uid_t uid)
{
	if (at->owner >= 0)
		return uid == (uid_t)at->owner;
	return uid == 0 || uid == geteuid();
}

int rt_open(const struct rt *rt, const struct rt_place *at, const char *rel, int flags)
{
	char path[PATH_MAX];
	struct stat st;
	int n, fd;

	/* O_NONBLOCK: a FIFO in the file's place must not stop us */
	flags |= O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	if (at->owner >= 0) {
		fd = open_users(rt, at, rel, flags);
		if (fd < 0)
			return fd;
	} else {
		n = snprintf(path, sizeof(path), "%s%s%s%s", rt->root, at->path, *rel ? "/" : "",
			     rel);
		if (n < 0 || (size_t)n >= sizeof(path))
			return -ENAMETOOLONG;
		/* a place itself may be a link that root made (/var/lib/docker -> /data/docker) */
		if (!*rel)
			flags &= ~O_NOFOLLOW;
		fd = open(path, flags);
		if (fd < 0)
			return -errno;
	}
	if (fstat(fd, &st)) {
		n = -errno;
		close(fd);
		return n;
	}
	if (!owner_ok(at, st.st_uid) && !S_ISDIR(st.st_mode)) {
		close(fd);
		return -EPERM;
	}
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

/* Everything of @fd, NUL-terminated. The size is not believed: /proc says 0, and files grow. */
static int slurp(int fd, size_t max, char **buf, size_t *len)
{
	size_t size = 4096, n = 0;
	char *b = malloc(size), *bigger;

	if (!b)
		return -ENOMEM;
	for (;;) {
		ssize_t got = read(fd, b + n, size - n - 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int err = -errno;

			free(b);
			return err;
		}
		n += (size_t)got;
		if (n > max) {
			free(b);
			return -EFBIG;
		}
		if (!got)
			break;
		if (n + 1 < size)
			continue;
		bigger = realloc(b, size * 2);
		if (!bigger) {
			free(b);
			return -ENOMEM;
		}
		b = bigger;
		size *= 2;
	}
	b[n] = '\0';
	*buf = b;
	*len = n;
	return 0;
}

int rt_read(const struct rt *rt, const struct rt_place *at, const char *rel, char **buf,
	    size_t *len)
{
	_cleanup_fd_ int fd = rt_open(rt, at, rel, 0);
	size_t max = STATE_FILE_MAX;
	struct stat st;
	int err;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (at->owner >= 0 && rt->users->bytes < max)
		max = rt->users->bytes;
	if ((size_t)st.st_size > max)
		return -EFBIG;
	err = slurp(fd, max, buf, len);
	if (!err && at->owner >= 0)
		rt->users->bytes -= *len;
	return err;
}

cJSON *rt_json(const struct rt *rt, const struct rt_place *at, const char *rel)
{
	_cleanup_str_ char *buf = NULL;
	cJSON *json;
	size_t len = 0;

	if (rt_read(rt, at, rel, &buf, &len))
		return NULL;
	json = cJSON_ParseWithLength(buf, len);
	if (json && !cJSON_IsObject(json) && !cJSON_IsArray(json)) {
		cJSON_Delete(json);
		return NULL;
	}
	return json;
}

/* Call @fn for each entry of a directory; a non-zero return ends it and is returned. */
int rt_each(const struct rt *rt, const struct rt_place *at, const char *rel,
	    int (*fn)(const char *name, void *arg), void *arg)
{
	int err = 0, fd = rt_open(rt, at, rel, O_DIRECTORY);
	struct dirent *e;
	DIR *dir;

	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return 0;
	}
	while (!err && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		if (at->owner >= 0 && !rt->users->files)
			break;
		err = fn(e->d_name, arg);
	}
	closedir(dir);
	return err;
}

/* A file of /proc/@pid, NUL-terminated, or NULL. */
char *rt_proc_read(const struct rt *rt, pid_t pid, const char *file, size_t *len)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX];
	char *buf = NULL;
	int n;

	n = snprintf(path, sizeof(path), "%s/proc/%d/%s", rt->root, pid, file);
	if (n < 0 || (size_t)n >= sizeof(path))
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || slurp(fd, STATE_FILE_MAX, &buf, len))
		return NULL;
	return buf;
}

/* proc(5): "pid (comm) state ppid … starttime" with starttime the 22nd; comm is anything. */
bool rt_alive(const struct rt *rt, pid_t pid, uint64_t start)
{
	_cleanup_str_ char *stat = NULL;
	uint64_t begun = 0;
	char state = 0;
	size_t len;
	char *p;

	if (pid <= 0)
		return false;
	stat = rt_proc_read(rt, pid, "stat", &len);
	p = stat ? strrchr(stat, ')') : NULL;
	if (!p || sscanf(p + 1, " %c", &state) != 1 || state == 'Z' || state == 'X')
		return false;
	if (!start)
		return true;
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		begun = strtoull(p + 1, NULL, 10);
	/* another process has got the number since */
	return begun == start;
}
