// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "log.h"
#include "output.h"

#ifndef RWF_DONTCACHE /* linux/fs.h, since 6.14 */
#define RWF_DONTCACHE 0x80
#endif

static int open_special(const char *path, const struct stat *seen)
{
	struct stat st;
	int fd = -EPERM;

	if (seen->st_uid != 0 && seen->st_uid != geteuid() && !S_ISCHR(seen->st_mode))
		return -EPERM;
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && st.st_dev == seen->st_dev && st.st_ino == seen->st_ino)
		return fd;
	close(fd); /* another one by now */
	return -EPERM;
}

int output_create(const char *path)
{
	bool there = true;
	struct stat st;
	int fd;

	if (lstat(path, &st))
		there = false;
	if (there && S_ISLNK(st.st_mode))
		fd = -ELOOP;
	else if (there && !S_ISREG(st.st_mode))
		fd = open_special(path, &st);
	else if (there && unlink(path) && errno != ENOENT)
		fd = -errno;
	else if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
		fd = -errno;
	if (fd < 0)
		log_error("cannot write %s: %s%s", path, strerror(-fd),
			  fd == -ELOOP ? " (a symbolic link: name the file itself)" : "");
	return fd;
}

static unsigned long long lines(const char *s, size_t len)
{
	unsigned long long n = 0;

	for (const char *end = s + len; s < end && (s = memchr(s, '\n', end - s)); s++)
		n++;
	return n;
}

/* A full disk may have taken half a line: a file then ends with the line before it. */
static void take_back(int fd, size_t bytes)
{
	struct stat st;
	off_t at;

	if (!bytes || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return;
	at = lseek(fd, 0, SEEK_CUR);
	if (at == st.st_size && at >= (off_t)bytes && !ftruncate(fd, at - (off_t)bytes))
		lseek(fd, at - (off_t)bytes, SEEK_SET);
}

static bool writable(struct output *o, int ms)
{
	struct pollfd p = {.fd = o->fd, .events = POLLOUT};
	int n = poll(&p, 1, ms);

	if (n == 0)
		o->err = -ETIMEDOUT;
	return n != 0;
}

/*
 * As write(2). A batch is a flood's: were it kept, each page would be fresh memory, which costs more than all
 * else that is done to a record, and would push out what others on the machine have cached.
 */
static ssize_t write_some(struct output *o, const char *data, size_t len)
{
	struct iovec v = {(char *)data, len};
	ssize_t n;

	if (len < OUTPUT_BATCH || o->cached)
		return write(o->fd, data, len);
	n = pwritev2(o->fd, &v, 1, -1, RWF_DONTCACHE);
	if (n >= 0 || errno != EOPNOTSUPP)
		return n;
	o->cached = true;
	return write(o->fd, data, len);
}

/*
 * Writes all of it. The number of bytes written; less than @len with o->err set. A signal that comes
 * while the reader does not read (EINTR, or a part was written) is the word to end: then nobody
 * waits for it for long.
 */
static size_t write_all(struct output *o, const char *data, size_t len)
{
	bool hurry = false;
	size_t done = 0;

	while (!o->err && done < len) {
		size_t most = hurry && len - done > PIPE_BUF ? PIPE_BUF : len - done;
		ssize_t n;

		if (hurry && !writable(o, OUTPUT_HURRY_MS))
			break;
		n = write_some(o, data + done, most);
		if (n >= 0)
			done += n;
		else if (errno == EAGAIN) /* somebody else made the descriptor non-blocking */
			writable(o, -1);
		else if (errno != EINTR)
			o->err = -errno;
		hurry |= n >= 0 ? (size_t)n < most : errno == EINTR;
	}
	return done;
}

int output_flush(struct output *o)
{
	const char *data = o->buf.data, *last;
	size_t len = o->buf.len, done;

	if (o->buf.err) { /* the record under way when memory ran out is not whole */
		last = len ? memrchr(data, '\n', len) : NULL;
		len = last ? last + 1 - data : 0;
		o->dropped++;
	}
	done = write_all(o, data, len);
	if (done < len) {
		last = done ? memrchr(data, '\n', done) : NULL;
		take_back(o->fd, done - (last ? last + 1 - data : 0));
		done = last ? last + 1 - data : 0;
		o->dropped += lines(data + done, len - done);
	}
	if (o->buf.err && !o->err)
		o->err = o->buf.err;
	buf_reset(&o->buf);
	return o->err;
}

int output_record(struct output *o)
{
	return o->buf.len >= OUTPUT_BATCH || o->buf.err ? output_flush(o) : o->err;
}

/* What a descriptor writes to, for a message. */
static const char *target(int fd, char *buf, size_t size)
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = fd < 0 ? -1 : readlink(link, buf, size - 1);
	if (n < 0)
		return "the output";
	buf[n] = '\0';
	return buf;
}

void output_close(struct output *o)
{
	char buf[512];

	output_flush(o);
	if (o->dropped && o->err != -EPIPE) /* a reader that has seen enough is no trouble */
		log_error("cannot write to %s: %s (%llu lines are missing)",
			  target(o->fd, buf, sizeof(buf)), strerror(-o->err), o->dropped);
	buf_free(&o->buf);
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}
