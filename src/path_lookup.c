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
	if (root_len == 1)	/* "/" */
		return len;
	if (len < root_len || memcmp(path, root, root_len) || (path[root_len] && path[root_len] != '/'))
		return -EXDEV;
	memmove(path, path + root_len, len - root_len + 1);
	len -= root_len;
	if (!len) {
		strcpy(path, "/");
		len = 1;
	}
	return len;
}

ssize_t path_lookup(pid_t pid, const char *path, size_t len, char *out)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED,
	};
	char dir[PATH_MAX], root[PATH_MAX], proc[64];
	const char *last = memrchr(path, '/', len);
	ssize_t n, root_len;
	int root_fd, fd;

	if (!last || len >= PATH_MAX || memchr(path, 0, len))
		return -EINVAL;
	snprintf(dir, sizeof(dir), "%.*s", (int)(last > path ? last - path : 1), path);
	snprintf(proc, sizeof(proc), "/proc/%d/root", pid);
	root_fd = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	fd = syscall(SYS_openat2, root_fd, dir, &how, sizeof(how));
	n = fd < 0 ? -errno : fd_path(fd, out);
	root_len = fd_path(root_fd, root);
	if (fd >= 0)
		close(fd);
	close(root_fd);
	if (n < 0)
		return n;
	if (root_len < 0)
		return root_len;
	n = strip_root(out, n, root, root_len);
	if (n < 0)
		return n;
	if (n == 1)	/* "/": the last name brings its own slash */
		n = 0;
	len -= last - path;
	if (n + len >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(out + n, last, len);
	return n + len;
}
