// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "path_lookup.h"

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
static ssize_t resolve(pid_t pid, int root_fd, const char *path, int flags, char *out)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | flags,
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

/* The directory resolved, the last name (@last, with its slash, @len bytes) as it is. */
static ssize_t resolve_parent(pid_t pid, int root_fd, const char *dir, const char *last, size_t len,
			      char *out)
{
	ssize_t n = resolve(pid, root_fd, dir, O_DIRECTORY, out);

	if (n < 0)
		return n;
	if (n == 1) /* "/": the last name brings its own slash */
		n = 0;
	if (n + len >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(out + n, last, len);
	return n + len;
}

ssize_t path_lookup(pid_t pid, const char *path, size_t len, bool follow, char *out)
{
	const char *last = memrchr(path, '/', len);
	char copy[PATH_MAX], proc[64];
	ssize_t n;
	int root_fd;

	if (!last || len >= PATH_MAX || memchr(path, 0, len))
		return -EINVAL;
	snprintf(proc, sizeof(proc), "/proc/%d/root", pid);
	root_fd = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	if (follow) {
		snprintf(copy, sizeof(copy), "%.*s", (int)len, path);
		n = resolve(pid, root_fd, copy, 0, out);
	} else {
		snprintf(copy, sizeof(copy), "%.*s", (int)(last > path ? last - path : 1), path);
		n = resolve_parent(pid, root_fd, copy, last, len - (last - path), out);
	}
	close(root_fd);
	return n;
}
