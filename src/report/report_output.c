// SPDX-License-Identifier: MIT
/*
 * Where documents go. A file is written under a temporary name in its own directory, and, when all
 * are written, synced and renamed: there is the whole report under its name, or what was there before. Directories are
 * opened once, at the start, and names of containers are hostile.
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

#define NAME_LEN  180 /* of a report's file name, without what is added to it */
#define TMP_TRIES 100
#define SYNC_ALL  16 /* files from which on the whole file system is synced */

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

/* Opens a file that did not exist; *name is its random name. */
static int open_tmp(const struct report_output *o, char *name, size_t size)
{
	__u64 seed[2];
	int fd, tries = 0;

	do {
		hash_seed(seed);
		snprintf(name, size, ".ebpfmon-%016llx.tmp", (unsigned long long)seed[0]);
		fd = openat(o->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0600);
	} while (fd < 0 && errno == EEXIST && ++tries < TMP_TRIES);
	return fd < 0 ? -errno : fd;
}

/* Finds out now, and not after an hour of recording, that nothing can be written there. */
static int try_writing(struct report_output *o)
{
	char name[64];
	int fd = open_tmp(o, name, sizeof(name));

	if (fd < 0)
		return fail(o, "cannot write to", fd);
	close(fd);
	unlinkat(o->dirfd, name, 0);
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

/* Writes it under a random name, and tells the kernel to begin with putting it on the disk. */
static int write_tmp(struct report_output *o, struct report *rep, const struct session *end,
		     struct report_named *f)
{
	struct jw j = {0};
	int fd = open_tmp(o, f->tmp, sizeof(f->tmp)), err;

	if (fd < 0)
		return fd;
	j.fd = fd;
	err = report_write(rep, &j, end);
	jw_free(&j);
	if (!err)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	if (close(fd) && !err)
		err = -errno;
	if (err)
		unlinkat(o->dirfd, f->tmp, 0);
	return err;
}

static int sync_file(const struct report_output *o, const struct report_named *f)
{
	int fd = openat(o->dirfd, f->tmp, O_WRONLY | O_NOFOLLOW | O_CLOEXEC), err = 0;

	if (fd < 0 || fsync(fd))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* @synced: it is on the disk already. */
static int name_file(const struct report_output *o, const struct report_named *f, bool synced)
{
	int err = synced ? 0 : sync_file(o, f);

	if (!err && renameat(o->dirfd, f->tmp, o->dirfd, f->name))
		err = -errno;
	if (!err)
		return 0;
	unlinkat(o->dirfd, f->tmp, 0);
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
	for (size_t i = 0; i < o->nr_files; i++)
		free(o->files[i].name);
	free(o->files);
	free(o->file);
	free(o->shown);
	if (o->dirfd >= 0)
		close(o->dirfd);
	if (o->fd > STDERR_FILENO)
		close(o->fd);
}
