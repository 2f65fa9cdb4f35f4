// SPDX-License-Identifier: MIT
/*
 * Where documents go. A file is written without a name in its own directory and, when all are written, synced and
 * named: there is the whole report under its name, or what was there before, and nothing is left behind by whoever is
 * killed meanwhile. Where a file system has no files without names, or they are too many, it has a temporary one.
 * Directories are opened once, at the start, and names of containers are hostile.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "container/container.h"
#include "log.h"
#include "report/report_sink.h"

#define NAME_LEN     180 /* of a report's file name, without what is added to it */
#define TMP_TRIES    100
#define SYNC_ALL     16 /* files from which on the whole file system is synced */
#define NAMELESS_MAX 256 /* of 1024 descriptors, which is what a process usually may have open */

static int fail(const struct report_output *o, const char *what, int err)
{
	log_error("%s %s: %s", what, o->shown, strerror(-err));
	return err;
}

static int open_dir(struct report_output *o, const char *path)
{
	o->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return o->dirfd < 0 ? -errno : 0;
}

static void random_name(char *name, size_t size)
{
	__u64 seed[2];

	hash_seed(seed);
	snprintf(name, size, ".ebpfmon-%016llx.tmp", (unsigned long long)seed[0]);
}

/* Opens a file without a name, or else one that did not exist, under the random name f->tmp. */
static int open_tmp(const struct report_output *o, struct report_named *f)
{
	int fd = -1, tries = 0;

	f->tmp[0] = 0;
	if (o->nameless < NAMELESS_MAX)
		fd = openat(o->dirfd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	do {
		random_name(f->tmp, sizeof(f->tmp));
		fd = openat(o->dirfd, f->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0600);
	} while (fd < 0 && errno == EEXIST && ++tries < TMP_TRIES);
	return fd < 0 ? -errno : fd;
}

static void remove_tmp(const struct report_output *o, struct report_named *f)
{
	if (f->tmp[0])
		unlinkat(o->dirfd, f->tmp, 0);
}

/* Finds out now, and not after an hour of recording, that nothing can be written there. */
static int try_writing(struct report_output *o)
{
	struct report_named f;
	int fd = open_tmp(o, &f);

	if (fd < 0)
		return fail(o, "cannot write to", fd);
	close(fd);
	remove_tmp(o, &f);
	return 0;
}

static int open_directory(struct report_output *o, const char *where)
{
	int err;

	if (mkdir(where, 0700) && errno != EEXIST)
		return fail(o, "cannot make directory", -errno);
	err = open_dir(o, where);
	if (err)
		return fail(o, "cannot open directory", err);
	return try_writing(o);
}

static int open_file(struct report_output *o, const char *where)
{
	char *copy = strdup(where), *base = copy ? strrchr(copy, '/') : NULL;
	int err = -ENOMEM;

	if (!copy)
		return err;
	o->file = strdup(base ? base + 1 : copy);
	if (base)
		base[base == copy ? 1 : 0] = 0;
	if (o->file)
		err = open_dir(o, base ? copy : ".");
	free(copy);
	if (err)
		return fail(o, "cannot write", err);
	return try_writing(o);
}

int report_output_open(struct report_output *o, const char *where)
{
	size_t len = strlen(where);
	struct stat st;

	o->shown = strdup(where);
	if (!o->shown)
		return -ENOMEM;
	if (!len)
		return fail(o, "no name of a file to write to", -EINVAL);
	if (!strcmp(where, "-")) {
		o->fd = STDOUT_FILENO;
		return 0;
	}
	if (where[len - 1] == '/' || (!stat(where, &st) && S_ISDIR(st.st_mode)))
		return open_directory(o, where);
	if (!lstat(where, &st) && S_ISLNK(st.st_mode) && strncmp(where, "/dev/", 5)) {
		log_error("%s is a symbolic link: name the file itself", where);
		return -ELOOP;
	}
	/* A device or a FIFO is written to; to rename a file over /dev/null would be a bad joke. */
	if (!strncmp(where, "/dev/", 5) || (!stat(where, &st) && !S_ISREG(st.st_mode))) {
		o->fd = open(where, O_WRONLY | O_CLOEXEC);
		return o->fd < 0 ? fail(o, "cannot write", -errno) : 0;
	}
	return open_file(o, where);
}

/* A name that is one component, visible, and plain ASCII, whatever the container is called. */
static void plain_name(char *out, size_t size, const char *name)
{
	size_t i;

	for (i = 0; name[i] && i + 1 < size; i++) {
		char c = name[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '_' || c == '-' || (c == '.' && i);

		out[i] = plain ? c : '_';
	}
	out[i] = 0;
	if (!i)
		snprintf(out, size, "container");
}

static bool is_used(const struct report_output *o, const char *name)
{
	for (size_t i = 0; i < o->nr_files; i++)
		if (!strcmp(o->files[i].name, name))
			return true;
	return false;
}

/* Room for another file at the end of the list, which does not count yet; NULL: no memory. */
static struct report_named *next_file(struct report_output *o)
{
	size_t cap = o->cap_files ? 2 * o->cap_files : 16;
	struct report_named *files;

	if (o->nr_files < o->cap_files)
		return &o->files[o->nr_files];
	files = realloc(o->files, cap * sizeof(*files));
	if (!files)
		return NULL;
	o->files = files;
	o->cap_files = cap;
	return &o->files[o->nr_files];
}

/* "web.json"; "web-0123456789ab.json" when that is taken or the name had to be changed; then "-2". */
static char *pick_name(struct report_output *o, const struct container *c)
{
	const char *called = container_name(c);
	char plain[NAME_LEN], id[13], *name = NULL;
	const char *dot = o->file ? strrchr(o->file, '.') : NULL;
	int stem =
		o->file ? (int)(dot && dot != o->file ? dot - o->file : (long)strlen(o->file)) : 0;
	const char *end = dot && dot != o->file ? dot : o->file ? "" : ".json";

	if (o->file && !o->written)
		return strdup(o->file);
	plain_name(plain, sizeof(plain), called ? called : "");
	plain_name(id, sizeof(id), c->id ? c->id : "");
	for (unsigned int nr = called && !strcmp(called, plain) ? 0 : 1; nr < 100000; nr++) {
		char more[32] = "";
		int n;

		if (nr == 1)
			snprintf(more, sizeof(more), "-%s", id);
		else if (nr)
			snprintf(more, sizeof(more), "-%s-%u", id, nr);
		n = asprintf(&name, "%.*s%s%s%s%s", stem, o->file ? o->file : "", stem ? "-" : "",
			     plain, more, end);
		if (n < 0)
			return NULL;
		if (!is_used(o, name))
			return name;
		free(name);
	}
	return NULL;
}

/* Writes it, and tells the kernel to begin with putting it on the disk. */
static int write_tmp(struct report_output *o, struct report *rep, const struct session *end,
		     struct report_named *f)
{
	struct jw j = {0};
	int fd = open_tmp(o, f), err;

	f->fd = -1;
	if (fd < 0)
		return fd;
	j.fd = fd;
	err = report_write(rep, &j, end);
	jw_free(&j);
	if (!err)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	if (!err && !f->tmp[0]) { /* closed, it would be gone */
		f->fd = fd;
		o->nameless++;
		return 0;
	}
	if (close(fd) && !err)
		err = -errno;
	if (err)
		remove_tmp(o, f);
	return err;
}

static int sync_file(const struct report_output *o, const struct report_named *f)
{
	int fd = f->fd, err = 0;

	if (fd < 0)
		fd = openat(o->dirfd, f->tmp, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		err = -errno;
	if (fd >= 0 && fd != f->fd)
		close(fd);
	return err;
}

/* The file's own name or, as a link replaces nothing, f->tmp, to be renamed. */
static int link_file(const struct report_output *o, struct report_named *f)
{
	const char *name = f->name;
	char self[32];
	int tries = 0;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
	while (linkat(AT_FDCWD, self, o->dirfd, name, AT_SYMLINK_FOLLOW)) {
		if (errno != EEXIST || ++tries > TMP_TRIES) {
			f->tmp[0] = 0;
			return -errno;
		}
		random_name(f->tmp, sizeof(f->tmp));
		name = f->tmp;
	}
	return 0;
}

/* @synced: it is on the disk already. */
static int name_file(const struct report_output *o, struct report_named *f, bool synced)
{
	int err = synced ? 0 : sync_file(o, f);

	if (!err && f->fd >= 0)
		err = link_file(o, f);
	if (!err && f->tmp[0] && renameat(o->dirfd, f->tmp, o->dirfd, f->name))
		err = -errno;
	if (!err)
		return 0;
	remove_tmp(o, f);
	log_error("cannot write %s (%s): %s", f->name, o->shown, strerror(-err));
	return err;
}

int report_output_finish(struct report_output *o)
{
	/*
	 * An fsync(2) for each of 2,000 files takes seconds, one syncfs(2) for all a fraction of one. It writes
	 * what others wrote, too, so for a few files it is not worth it; and it reports others' errors (since
	 * 5.8): then each file is asked.
	 */
	bool synced = o->nr_files >= SYNC_ALL && !syncfs(o->dirfd);
	int first = 0;

	for (size_t i = 0; i < o->nr_files; i++) {
		int err = name_file(o, &o->files[i], synced);

		if (err && !first)
			first = err;
	}
	/* some file systems cannot sync a directory */
	if (o->nr_files && fsync(o->dirfd) && errno != EINVAL && errno != ENOTSUP && !first)
		first = fail(o, "cannot write to", -errno);
	return first;
}

static int write_stream(struct report_output *o, struct report *rep, const struct session *end)
{
	struct jw j = {.fd = o->fd};
	int err = report_write(rep, &j, end);

	jw_free(&j);
	return err;
}

int report_output_write(struct report_output *o, struct report *rep, const struct session *end)
{
	const char *called = container_name(rep->container);
	struct report_named *f;
	int err;

	if (o->dirfd < 0) {
		err = write_stream(o, rep, end);
		if (err && err != -EPIPE)
			fail(o, "cannot write to", err);
		return err;
	}
	f = next_file(o);
	if (f)
		f->name = pick_name(o, rep->container);
	if (!f || !f->name)
		return fail(o, "cannot write to", -ENOMEM);
	err = write_tmp(o, rep, end, f);
	if (err)
		log_error("cannot write %s for container %s (%s): %s", f->name,
			  called ? called : "?", o->shown, strerror(-err));
	else if (o->file && o->written)
		log_warn("%s holds the first container; the report of %s is %s beside it", o->shown,
			 called ? called : "another", f->name);
	if (err)
		free(f->name);
	else
		o->nr_files++;
	o->written++;
	return err;
}

void report_output_close(struct report_output *o)
{
	for (size_t i = 0; i < o->nr_files; i++) {
		free(o->files[i].name);
		if (o->files[i].fd >= 0)
			close(o->files[i].fd);
	}
	free(o->files);
	free(o->file);
	free(o->shown);
	if (o->dirfd >= 0)
		close(o->dirfd);
	if (o->fd > STDERR_FILENO)
		close(o->fd);
}
