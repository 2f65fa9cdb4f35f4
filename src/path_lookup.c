// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "clock.h"
#include "hash.h"
#include "path_lookup.h"

#define KEPT 256

/* What one look-up found. */
struct found {
	pid_t pid; /* 0: none */
	bool directory; /* nothing else would do */
	__u64 start;
	__u64 at; /* when it began, CLOCK_BOOTTIME in ns */
	ssize_t result; /* bytes, or -errno */
	size_t len;
	char *text; /* @len bytes of path, then the result */
};

struct path_lookup {
	__u64 seed[2];
	struct found found[KEPT]; /* each process and path has its place; the latest is there */
};

struct path_lookup *path_lookup_new(void)
{
	struct path_lookup *l = calloc(1, sizeof(*l));

	if (l)
		hash_seed(l->seed);
	return l;
}

void path_lookup_free(struct path_lookup *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < KEPT; i++)
		free(l->found[i].text);
	free(l);
}

/* Where @fd is, as its mount namespace names it. */
static ssize_t fd_path(int fd, char *out)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, PATH_MAX - 1);
	if (n < 0)
		return -errno;
	out[n] = 0;
	return n;
}

/* @path below @root becomes a path as seen from inside; both as the mount namespace names them. */
static ssize_t strip_root(char *path, ssize_t len, const char *root, ssize_t root_len)
{
	if (root_len == 1) /* "/" */
		return len;
	if (len < root_len || memcmp(path, root, root_len) ||
	    (path[root_len] && path[root_len] != '/'))
		return -EXDEV;
	memmove(path, path + root_len, len - root_len + 1);
	len -= root_len;
	if (!len) {
		strcpy(path, "/");
		len = 1;
	}
	return len;
}

/* May a look-up in this mount namespace wait for somebody: a FUSE daemon, a server, an automounter? */
static bool may_wait(pid_t pid)
{
	static const char *const waiting[] = {" - fuse", " - nfs", " - autofs", " - cifs",
					      " - smb",	 " - 9p",  " - ceph",	" - afs"};
	char path[64], line[8192];
	bool hit = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	f = fopen(path, "re");
	if (!f)
		return true;
	while (!hit && fgets(line, sizeof(line), f))
		for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++)
			hit |= strstr(line, waiting[i]) != NULL;
	fclose(f);
	return hit;
}

/*
 * @path, all of it, below @root_fd: where the kernel says that it leads. The cache alone does not
 * do where following a link would write its access time; then, if nothing can make us wait, without it.
 */
static ssize_t resolve_below(pid_t pid, int root_fd, const char *path, bool directory, char *out)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | (directory ? O_DIRECTORY : 0),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED,
	};
	char root[PATH_MAX];
	ssize_t n, root_len;
	int fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	if (fd < 0 && (errno == EAGAIN || errno == EINVAL) && !may_wait(pid)) {
		how.resolve &= ~RESOLVE_CACHED; /* unknown before 5.12, too */
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	}
	if (fd < 0)
		return -errno;
	n = fd_path(fd, out);
	close(fd);
	root_len = fd_path(root_fd, root);
	if (n < 0 || root_len < 0)
		return n < 0 ? n : root_len;
	return strip_root(out, n, root, root_len);
}

static ssize_t resolve(pid_t pid, const char *path, size_t len, bool directory, char *out)
{
	char copy[PATH_MAX], proc[64];
	ssize_t n;
	int root_fd;

	snprintf(proc, sizeof(proc), "/proc/%d/root", pid);
	root_fd = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	snprintf(copy, sizeof(copy), "%.*s", (int)len, path);
	n = resolve_below(pid, root_fd, copy, directory, out);
	close(root_fd);
	return n;
}

static bool stands_for(const struct found *f, const struct path_owner *by, const char *path,
		       size_t len, bool directory)
{
	return f->pid == by->pid && f->start == by->start && f->at >= by->made &&
	       f->directory == directory && f->len == len && !memcmp(f->text, path, len);
}

/* Nothing is kept when there is no memory for it. */
static void keep(struct found *f, const struct path_owner *by, __u64 at, const char *path,
		 size_t len, bool directory, const char *out, ssize_t n)
{
	size_t out_len = n > 0 ? n : 0;
	char *text = malloc(len + out_len);

	free(f->text);
	*f = (struct found){};
	if (!text)
		return;
	memcpy(text, path, len);
	memcpy(text + len, out, out_len);
	*f = (struct found){.pid = by->pid,
			    .directory = directory,
			    .start = by->start,
			    .at = at,
			    .result = n,
			    .len = len,
			    .text = text};
}

/* resolve(), or what it said since the record was made. */
static ssize_t resolve_once(struct path_lookup *l, const struct path_owner *by, const char *path,
			    size_t len, bool directory, char *out)
{
	struct found *f =
		&l->found[(hash_bytes(l->seed, path, len) + 2 * (__u64)by->pid + directory) % KEPT];
	ssize_t n;
	__u64 at;

	if (!stands_for(f, by, path, len, directory)) {
		at = clock_ns(CLOCK_BOOTTIME);
		n = resolve(by->pid, path, len, directory, out);
		keep(f, by, at, path, len, directory, out, n);
		return n;
	}
	if (f->result > 0)
		memcpy(out, f->text + len, f->result);
	return f->result;
}

ssize_t path_lookup(struct path_lookup *l, const struct path_owner *by, const char *path,
		    size_t len, bool follow, char *out)
{
	const char *last = memrchr(path, '/', len);
	size_t dir, name;
	ssize_t n;

	if (!last || len >= PATH_MAX || memchr(path, 0, len))
		return -EINVAL;
	if (follow)
		return resolve_once(l, by, path, len, false, out);
	name = len - (last - path);
	dir = last > path ? last - path : 1;
	n = resolve_once(l, by, path, dir, true, out);
	if (n < 0)
		return n;
	if (n == 1) /* "/": the last name brings its own slash */
		n = 0;
	if (n + name >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(out + n, last, name);
	return n + name;
}
