// SPDX-License-Identifier: MIT
/* Triggers of include/events/file.def. All happens below the work directory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "trigger.h"

#ifndef SYS_setxattrat
#define SYS_setxattrat	  463
#define SYS_removexattrat 466
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static const char *kind_name(mode_t mode)
{
	return S_ISREG(mode)	? "regular"
	       : S_ISDIR(mode)	? "directory"
	       : S_ISCHR(mode)	? "char_device"
	       : S_ISBLK(mode)	? "block_device"
	       : S_ISFIFO(mode) ? "fifo"
	       : S_ISSOCK(mode) ? "socket"
				: "other";
}

/* Where the descriptor leads, as the kernel says. */
static const char *fd_path(int fd)
{
	static char path[8192];
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return NULL;
	path[n] = 0;
	return path;
}

static void stat_facts(const struct stat *st)
{
	char dev[32];

	snprintf(dev, sizeof(dev), "%u:%u", major(st->st_dev), minor(st->st_dev));
	fact_str("file.device", dev);
	fact_int("file.inode", st->st_ino);
}

/*
 * What an open did: @path is where it must have led if the descriptor cannot tell (in a chroot
 * without /proc) or there is none.
 */
static int open_fact(int fd, const char *path, int flags, bool created)
{
	static const struct {
		int flag;
		const char *name;
	} names[] = {
		{O_CREAT, "O_CREAT"},	      {O_EXCL, "O_EXCL"},	  {O_TRUNC, "O_TRUNC"},
		{O_APPEND, "O_APPEND"},	      {O_NONBLOCK, "O_NONBLOCK"}, {O_CLOEXEC, "O_CLOEXEC"},
		{O_DIRECTORY, "O_DIRECTORY"}, {O_NOFOLLOW, "O_NOFOLLOW"}, {O_PATH, "O_PATH"},
	};
	int err = fd < 0 ? errno : 0;
	const char *at = NULL;
	char words[256] = "";
	struct stat st;

	if (fd >= 0 && !path)
		at = fd_path(fd);
	fact("file.open");
	fact_str("file.path", path ?: at ?: "?");
	fact_err(err);
	fact_bool("file.created", created);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((flags & names[i].flag) == names[i].flag)
			strcat(strcat(words, names[i].name), " ");
	fact_list("file.open_flags.bits", words);
	if (fd >= 0) {
		must(fstat(fd, &st));
		stat_facts(&st);
		fact_int("file.descriptor", fd);
		fact_str("file.type", kind_name(st.st_mode));
		fact_octal("file.mode", st.st_mode & 07777);
	}
	fact_end();
	return fd;
}

/* open(2) with its fact; the file must be there. */
static int opened(const char *path, int flags)
{
	int fd = openat(AT_FDCWD, path, flags, 0);

	if (fd < 0)
		die("%s: %m", path);
	return open_fact(fd, NULL, flags, false);
}

static void create_fact(const char *path, const char *kind, mode_t mode, int err)
{
	fact("file.create");
	fact_str("file.path", path);
	if (!err) {
		fact_str("file.type", kind);
		fact_octal("file.mode", mode);
	}
	fact_err(err);
	fact_end();
}

/* Makes a file of @size bytes; the making is told by open and create facts, its I/O by io_fact. */
static int made(const char *path, size_t size)
{
	int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
	int fd = must(openat(AT_FDCWD, path, flags, 0644));

	open_fact(fd, NULL, flags, true);
	create_fact(path, "regular", 0644, 0);
	if (size)
		must(ftruncate(fd, size));
	return fd;
}

static void make(const char *path, size_t size)
{
	close(made(path, size));
}

/* --- file.open --- */

static void open_plain(const char *file)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
	const char *fresh = below_base("created"), *excl = below_base("excl");
	int fd;

	close(open_fact(syscall(SYS_openat, AT_FDCWD, file, O_RDONLY), NULL, 0, false));
#ifdef SYS_open
	close(open_fact(syscall(SYS_open, file, O_RDWR | O_APPEND, 0), NULL, O_APPEND, false));
	close(open_fact(syscall(SYS_creat, fresh, 0600), NULL, O_CREAT | O_TRUNC, true));
#else
	close(open_fact(openat(AT_FDCWD, fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600), NULL,
			O_CREAT | O_TRUNC, true));
#endif
	create_fact(fresh, "regular", 0600, 0);
	fd = openat(AT_FDCWD, excl, O_WRONLY | O_CREAT | O_EXCL, 0640);
	close(open_fact(fd, NULL, O_CREAT | O_EXCL, true));
	create_fact(excl, "regular", 0640, 0);
	/* O_CREAT of what is there creates nothing */
	close(open_fact(openat(AT_FDCWD, excl, O_WRONLY | O_CREAT, 0600), NULL, O_CREAT, false));
	fd = syscall(SYS_openat2, AT_FDCWD, file, &how, sizeof(how));
	close(open_fact(fd, NULL, O_CLOEXEC, false));
	close(opened("/dev/null", O_RDWR));
	close(opened("/proc/self/status", O_RDONLY));
	close(opened(base(), O_RDONLY | O_DIRECTORY));
}

/* Ways to the same file: a directory's descriptor, links, "..", "." and "//". */
static void open_ways(void)
{
	int dir;

	must(mkdir("dir", 0755));
	must(mkdir("dir/sub", 0755));
	make(below_base("dir/f"), 10);
	must(symlink("f", "dir/link"));
	must(symlink("dir", "linkdir"));
	must(symlink(below_base("dir/f"), "abslink"));
	dir = opened("dir", O_RDONLY | O_DIRECTORY);
	close(open_fact(openat(dir, "f", O_RDONLY), below_base("dir/f"), 0, false));
	close(open_fact(openat(dir, "../dir/./sub/..//f", O_RDONLY), below_base("dir/f"), 0,
			false));
	close(opened("dir/link", O_RDONLY));
	close(opened("linkdir/link", O_RDONLY));
	close(opened("abslink", O_RDONLY));
	close(opened("linkdir/../dir/f", O_RDONLY));
	must(chdir("dir/sub"));
	close(open_fact(openat(AT_FDCWD, "../f", O_RDONLY), below_base("dir/f"), 0, false));
	must(chdir(base()));
	close(dir);
}

static void open_failing(const char *file)
{
	open_fact(openat(AT_FDCWD, "/no/such/file", O_RDONLY), "/no/such/file", 0, false);
	open_fact(openat(AT_FDCWD, "missing", O_RDWR), below_base("missing"), 0, false);
	open_fact(openat(AT_FDCWD, "dir/../x//./missing", O_RDONLY), below_base("x/missing"), 0,
		  false);
	open_fact(openat(AT_FDCWD, "f/x", O_RDONLY), below_base("f/x"), 0, false);
	open_fact(openat(AT_FDCWD, file, O_RDWR | O_CREAT | O_EXCL, 0600), file, O_CREAT | O_EXCL,
		  false);
	open_fact(openat(AT_FDCWD, "dir", O_WRONLY), below_base("dir"), 0, false);
	open_fact(openat(AT_FDCWD, "abslink", O_RDONLY | O_NOFOLLOW), below_base("abslink"),
		  O_NOFOLLOW, false);
	open_fact(openat(AT_FDCWD, "", O_RDONLY), base(), 0, false);
}

/* Without capabilities a file of mode 000 is refused. */
static void open_refused(void *arg)
{
	(void)arg;
	must(syscall(SYS_setresuid, 12345, 12345, 12345));
	open_fact(openat(AT_FDCWD, "closed", O_RDONLY), below_base("closed"), 0, false);
}

static void run_open(int argc, char **argv)
{
	const char *file = below_base("f");

	(void)argc;
	(void)argv;
	complete("file.create");
	make(file, 100);
	make(below_base("closed"), 1);
	must(chmod("closed", 0));
	open_plain(file);
	open_ways();
	open_failing(file);
	if (wait_for(spawn(open_refused, NULL)))
		die("the child failed");
}

/* In a chroot the path is told from the container's root: the process cannot know its own. */
static void open_chrooted(void *arg)
{
	(void)arg;
	must(chroot("jail"));
	must(chdir("/"));
	close(open_fact(openat(AT_FDCWD, "/etc/f", O_RDONLY), below_base("jail/etc/f"), 0, false));
	close(open_fact(openat(AT_FDCWD, "etc/../etc/f", O_RDONLY), below_base("jail/etc/f"), 0,
			false));
	open_fact(openat(AT_FDCWD, "/etc/missing", O_RDONLY), below_base("jail/etc/missing"), 0,
		  false);
}

static void run_chroot(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	must(mkdir("jail", 0755));
	must(mkdir("jail/etc", 0755));
	make(below_base("jail/etc/f"), 5);
	if (wait_for(spawn(open_chrooted, NULL)))
		die("the child failed");
}

/* A bind mount over a directory, a tmpfs in it, and a file bound over a file. */
static void bind_child(void *arg)
{
	(void)arg;
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mount("src", "dst", NULL, MS_BIND, NULL));
	close(open_fact(openat(AT_FDCWD, "dst/f", O_RDONLY), below_base("dst/f"), 0, false));
	must(mount("none", "dst/tmp", "tmpfs", 0, NULL));
	make(below_base("dst/tmp/t"), 3);
	close(opened("dst/tmp/t", O_RDONLY));
	must(mount("src/f", "over", NULL, MS_BIND, NULL));
	close(open_fact(openat(AT_FDCWD, "over", O_RDONLY), below_base("over"), 0, false));
	open_fact(openat(AT_FDCWD, "dst/missing", O_RDONLY), below_base("dst/missing"), 0, false);
}

static void run_bind(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	must(mkdir("src", 0755));
	must(mkdir("dst", 0755));
	must(mkdir("src/tmp", 0755));
	make(below_base("src/f"), 5);
	make(below_base("over"), 0);
	if (wait_for(spawn(bind_child, NULL)))
		die("the child failed");
}

/* A path of over 4096 bytes is reached in steps; its beginning may be cut, which must be said. */
static void run_deep(int argc, char **argv)
{
	static char name[200];
	char *full = strdup(base());

	(void)argc;
	(void)argv;
	memset(name, 'd', sizeof(name) - 1);
	for (int i = 0; i < 10; i++) {
		must(mkdir(name, 0755));
		must(chdir(name));
		full = realloc(full, strlen(full) + sizeof(name) + 8);
		strcat(strcat(full, "/"), name);
	}
	strcat(full, "/f");
	open_fact(openat(AT_FDCWD, "f", O_RDWR | O_CREAT, 0644), full, O_CREAT, true);
	for (int i = 0; i < 60; i++) {
		must(mkdir("n", 0755));
		must(chdir("n"));
	}
	full[strlen(full) - 2] = 0;
	full = realloc(full, strlen(full) + 200);
	for (int i = 0; i < 60; i++)
		strcat(full, "/n");
	strcat(full, "/g");
	open_fact(openat(AT_FDCWD, "g", O_RDWR | O_CREAT, 0644), full, O_CREAT, true);
}

/* Names of bytes that are no text, and of characters that need escaping. */
static void run_names(int argc, char **argv)
{
	static const char *const names[] = {
		"\xff\xfe", "a\nb", "q\"q\\",	    "tab\t", "\xc3\xa4\xe2\x82\xac",
		"\x1b[31m", " ",    "\xef\x9c\x80", ",;'",
	};

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = below_base(names[i]);

		open_fact(openat(AT_FDCWD, path, O_RDWR | O_CREAT, 0644), path, O_CREAT, true);
	}
}

/* --- file.io --- */

struct io {
	long reads, read_bytes, writes, written_bytes, mmaps;
};

static void io_fact(const char *path, struct io io)
{
	fact("file.io");
	fact_str("file.path", path);
	fact_int("file.reads", io.reads);
	fact_int("file.read_bytes", io.read_bytes);
	fact_int("file.writes", io.writes);
	fact_int("file.written_bytes", io.written_bytes);
	fact_int("file.mmaps", io.mmaps);
	fact_end();
}

static char buf[65536];

static void io_single(void)
{
	int fd = made(below_base("rw"), 0);
	struct io io = {0};

	for (int i = 0; i < 100; i++)
		io.written_bytes += must(write(fd, buf, 1000 + i));
	io.writes += 100;
	io.written_bytes += must(pwrite(fd, buf, 777, 10));
	io.writes++;
	must(lseek(fd, 0, SEEK_SET));
	for (int i = 0; i < 10; i++)
		io.read_bytes += must(read(fd, buf, 4096));
	io.reads += 10;
	io.read_bytes += must(pread(fd, buf, 123, 5));
	io.reads++;
	close(fd);
	io_fact(below_base("rw"), io);
}

static void io_vector(void)
{
	struct iovec iov[3] = {{buf, 100}, {buf, 200}, {buf, 333}};
	int fd = made(below_base("vec"), 0);
	struct io io = {0};

	io.written_bytes += must(writev(fd, iov, 3));
	io.written_bytes += must(pwritev(fd, iov, 2, 1000));
	io.written_bytes += must(pwritev2(fd, iov, 1, 5000, 0));
	io.writes = 3;
	must(lseek(fd, 0, SEEK_SET));
	io.read_bytes += must(readv(fd, iov, 3));
	io.read_bytes += must(preadv(fd, iov, 2, 10));
	io.read_bytes += must(preadv2(fd, iov, 3, 20, 0));
	io.reads = 3;
	close(fd);
	io_fact(below_base("vec"), io);
}

/* The kernel moves the bytes: each call reads the one file and writes the other. */
static void io_between(void)
{
	int a = made(below_base("from"), 50000), b = made(below_base("to"), 0), p[2];
	struct io from = {0}, to = {0};
	long n;

	n = must(sendfile(b, a, NULL, 20000));
	from.reads++, from.read_bytes += n, to.writes++, to.written_bytes += n;
	n = copy_file_range(a, NULL, b, NULL, 10000, 0);
	if (n >= 0)
		from.reads++, from.read_bytes += n, to.writes++, to.written_bytes += n;
	must(pipe2(p, O_CLOEXEC));
	n = must(splice(a, NULL, p[1], NULL, 3000, 0));
	from.reads++, from.read_bytes += n;
	n = must(splice(p[0], NULL, b, NULL, n, 0));
	to.writes++, to.written_bytes += n;
	close(a);
	close(b);
	io_fact(below_base("from"), from);
	io_fact(below_base("to"), to);
}

static void io_mapped(void)
{
	int fd = made(below_base("map"), 8192);
	struct io io = {.mmaps = 2};

	if (mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ||
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096) == MAP_FAILED)
		die("mmap: %m");
	close(fd);
	io_fact(below_base("map"), io);
}

/* One file, opened twice and by two processes, many times: sums must not mix or get lost. */
static void io_child(void *arg)
{
	int fd = opened(arg, O_RDONLY);

	must(read(fd, buf, 4000));
	must(read(fd, buf, 4000));
	close(fd);
	io_fact(arg, (struct io){.reads = 2, .read_bytes = 5000});
}

static void io_often(void)
{
	char *path = below_base("often");
	struct io io = {0};
	int fd = made(path, 0);

	io.written_bytes += must(write(fd, buf, 5000));
	io.writes++;
	close(fd);
	wait_for(spawn(io_child, path));
	for (int i = 0; i < 300; i++) {
		fd = opened(path, O_RDONLY);
		io.read_bytes += must(read(fd, buf, 10 + i));
		io.reads++;
		close(fd);
	}
	io_fact(path, io);
}

static void run_io(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	open_ended("file.io"); /* what is written to standard output is a file's as well, maybe */
	io_single();
	io_vector();
	io_between();
	io_mapped();
	io_often();
}

/* --- file.inherit: opened before the recording, used in it --- */

static int inherited = -1;

static void prepare_inherit(void)
{
	inherited = must(open("inherited", O_RDWR | O_CREAT, 0644));
}

static void run_inherit(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (int i = 0; i < 11; i++)
		must(write(inherited, buf, 100));
	fact("file.inherit");
	fact_str("file.path", below_base("inherited"));
	fact_str("file.type", "regular");
	fact_end();
	open_ended("file.inherit"); /* standard input and output may be files, too */
	io_fact(below_base("inherited"), (struct io){.writes = 11, .written_bytes = 1100});
	open_ended("file.io");
}

/* --- the tree --- */

static void run_create(int argc, char **argv)
{
	int dir, ret;

	(void)argc;
	(void)argv;
	make(below_base("by-open"), 0);
	must(mkdir("d", 0755));
	must(symlink("d", "ld"));
	ret = must(mknod("fifo", S_IFIFO | 0620, 0));
	create_fact(below_base("fifo"), "fifo", 0620, 0);
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	ret = must(mknodat(dir, "reg", S_IFREG | 0644, 0));
	create_fact(below_base("d/reg"), "regular", 0644, 0);
	ret = must(mknod("ld/sock", S_IFSOCK | 0600, 0));
	create_fact(below_base("d/sock"), "socket", 0600, 0);
	ret = mknod("fifo", S_IFIFO | 0620, 0);
	create_fact(below_base("fifo"), "fifo", 0, ret ? errno : 0);
	ret = mknod("none/x", S_IFREG | 0620, 0);
	create_fact(below_base("none/x"), "regular", 0, ret ? errno : 0);
	close(dir);
}

static void two_fact(const char *event, const char *from, const char *to, int ret, int flags)
{
	int err = ret ? errno : 0;

	fact(event);
	fact_str("file.path", below_base(from));
	fact_str("file.target_path", below_base(to));
	if (flags)
		fact_int("file.rename_flags", flags);
	fact_err(err);
	fact_end();
}

static void run_rename(int argc, char **argv)
{
	int dir;

	(void)argc;
	(void)argv;
	make(below_base("a"), 1);
	make(below_base("b"), 2);
	must(mkdir("d", 0755));
	must(mkdir("d/e", 0755));
	must(symlink("d", "ld"));
	must(symlink("a", "la"));
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	two_fact("file.rename", "a", "a2", rename("a", "a2"), 0);
	two_fact("file.rename", "a2", "d/a3", renameat(AT_FDCWD, "a2", dir, "a3"), 0);
	two_fact("file.rename", "d/a3", "a4", rename("ld/./a3", below_base("a4")), 0);
	/* the link, not what it leads to */
	two_fact("file.rename", "la", "lb", rename("la", "lb"), 0);
	two_fact("file.rename", "a4", "b", syscall(SYS_renameat2, AT_FDCWD, "a4", AT_FDCWD, "b", 2),
		 2);
	two_fact("file.rename", "a4", "b", syscall(SYS_renameat2, AT_FDCWD, "a4", AT_FDCWD, "b", 1),
		 1);
	two_fact("file.rename", "b", "a4", rename("b", "a4"), 0); /* replaces */
	two_fact("file.rename", "d/e", "e", rename("d/e", "e"), 0); /* a directory */
	two_fact("file.rename", "none", "x", rename("none", "x"), 0);
	two_fact("file.rename", "e", "a4", rename("e", "a4"), 0);
	close(dir);
}

static void one_fact(const char *event, const char *name, int ret)
{
	int err = ret ? errno : 0;

	fact(event);
	fact_str("file.path", *name ? below_base(name) : base());
	fact_err(err);
	fact_end();
}

static void run_unlink(int argc, char **argv)
{
	int dir;

	(void)argc;
	(void)argv;
	make(below_base("a"), 1);
	make(below_base("b"), 1);
	must(mkdir("d", 0755));
	make(below_base("d/c"), 1);
	make(below_base("d/e"), 1);
	must(symlink("d", "ld"));
	must(symlink("b", "lb"));
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	one_fact("file.unlink", "a", unlink("a"));
	one_fact("file.unlink", "lb", unlink("lb"));
	one_fact("file.unlink", "d/c", unlink("ld/c"));
	one_fact("file.unlink", "d/e", unlinkat(dir, "e", 0));
	one_fact("file.unlink", "a", unlink("a"));
	one_fact("file.unlink", "d", unlink("d"));
	one_fact("file.unlink", "b/x", unlink("b/x"));
	/* no name at all: what it is relative to stands for it */
	one_fact("file.unlink", "", unlink(""));
	one_fact("file.unlink", "d", unlinkat(dir, "", 0));
	close(dir);
}

static void run_rmdir(int argc, char **argv)
{
	int dir;

	(void)argc;
	(void)argv;
	complete("file.unlink");
	must(mkdir("d", 0755));
	must(mkdir("d/e", 0755));
	must(mkdir("d/f", 0755));
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	one_fact("file.rmdir", "d", rmdir("d"));
	one_fact("file.rmdir", "d/e", rmdir("d/../d/e"));
	one_fact("file.rmdir", "d/f", unlinkat(dir, "f", AT_REMOVEDIR));
	one_fact("file.rmdir", "none", rmdir("none"));
	close(dir);
	one_fact("file.rmdir", "d", rmdir("d"));
}

static void mkdir_fact(const char *name, mode_t mode, int ret)
{
	int err = ret ? errno : 0;

	fact("file.mkdir");
	fact_str("file.path", below_base(name));
	if (!err)
		fact_octal("file.mode", mode);
	fact_err(err);
	fact_end();
}

static void run_mkdir(int argc, char **argv)
{
	int dir;

	(void)argc;
	(void)argv;
	mkdir_fact("d", 0755, mkdir("d", 0755));
	must(symlink("d", "ld"));
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	mkdir_fact("d/e", 0700, mkdirat(dir, "e", 0700));
	mkdir_fact("d/f", 0711, mkdir("ld/f/", 0711));
	mkdir_fact("d", 0, mkdir("d", 0755));
	mkdir_fact("none/x", 0, mkdir("none/x", 0755));
	close(dir);
}

static void run_link(int argc, char **argv)
{
	int dir;

	(void)argc;
	(void)argv;
	make(below_base("a"), 1);
	must(mkdir("d", 0755));
	must(symlink("a", "la"));
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	two_fact("file.link", "a", "b", link("a", "b"), 0);
	two_fact("file.link", "a", "d/c", linkat(AT_FDCWD, "a", dir, "c", 0), 0);
	two_fact("file.link", "la", "d/l", link("la", "d/l"), 0); /* the link itself */
	two_fact("file.link", "a", "f", linkat(AT_FDCWD, "la", AT_FDCWD, "f", AT_SYMLINK_FOLLOW),
		 0);
	two_fact("file.link", "a", "b", link("a", "b"), 0);
	two_fact("file.link", "none", "x", link("none", "x"), 0);
	close(dir);
}

static void symlink_fact(const char *name, const char *content, int ret)
{
	int err = ret ? errno : 0;

	fact("file.symlink");
	fact_str("file.path", below_base(name));
	fact_str("file.link_content", content);
	fact_err(err);
	fact_end();
}

static void run_symlink(int argc, char **argv)
{
	int dir;

	(void)argc;
	(void)argv;
	must(mkdir("d", 0755));
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	symlink_fact("a", "/no/such/../place", symlink("/no/such/../place", "a"));
	symlink_fact("d/b", "../x", symlinkat("../x", dir, "b"));
	symlink_fact("a", "y", symlink("y", "a"));
	close(dir);
}

static void chmod_fact(const char *name, mode_t mode, int ret)
{
	int err = ret ? errno : 0;

	fact("file.chmod");
	fact_str("file.path", below_base(name));
	fact_octal("file.mode", mode);
	fact_err(err);
	fact_end();
}

static void run_chmod(int argc, char **argv)
{
	int fd = made(below_base("a"), 1), dir;

	(void)argc;
	(void)argv;
	must(mkdir("d", 0755));
	make(below_base("d/b"), 1);
	must(symlink("d/b", "lb"));
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	chmod_fact("a", 0600, chmod("a", 0600));
	chmod_fact("a", 04755, fchmod(fd, 04755));
	chmod_fact("d/b", 0640, fchmodat(dir, "b", 0640, 0));
	chmod_fact("d/b", 0666, chmod("lb", 0666));
	chmod_fact("d", 01777, chmod("d/.", 01777));
	chmod_fact("none", 0600, chmod("none", 0600));
	if (kernel_at_least(6, 6))
		chmod_fact("d/b", 0604, syscall(SYS_fchmodat2, dir, "b", 0604, 0));
	close(dir);
	close(fd);
}

static void xattr_fact(const char *name, const char *attribute, bool removed, int size, int ret)
{
	int err = ret ? errno : 0;

	fact("file.xattr");
	fact_str("file.path", below_base(name));
	fact_str("file.xattr.name", attribute);
	fact_bool("file.xattr.removed", removed);
	fact_int("file.xattr.size", size);
	fact_err(err);
	fact_end();
}

static void xattr_at(int dir)
{
	struct {
		unsigned long long value;
		unsigned int size, flags;
	} args = {(unsigned long long)"four", 4, 0};

	xattr_fact("a", "trusted.at", false, 4,
		   syscall(SYS_setxattrat, dir, "la", 0, "trusted.at", &args, sizeof(args)));
	xattr_fact("a", "trusted.at", true, 0,
		   syscall(SYS_removexattrat, dir, "a", AT_SYMLINK_NOFOLLOW, "trusted.at"));
	close(dir);
}

/* Attributes that every file system here has: tmpfs takes no user.* before 6.6. */
static void run_xattr(int argc, char **argv)
{
	int fd = made(below_base("a"), 1);

	(void)argc;
	(void)argv;
	must(symlink("a", "la"));
	xattr_fact("a", "trusted.one", false, 5, setxattr("a", "trusted.one", "value", 5, 0));
	xattr_fact("a", "trusted.two", false, 0, setxattr("la", "trusted.two", "", 0, 0));
	xattr_fact("la", "trusted.link", false, 1, lsetxattr("la", "trusted.link", "x", 1, 0));
	xattr_fact("a", "trusted.fd", false, 3, fsetxattr(fd, "trusted.fd", "abc", 3, 0));
	xattr_fact("a", "trusted.one", false, 2,
		   setxattr("a", "trusted.one", "xx", 2, XATTR_CREATE));
	xattr_fact("a", "trusted.one", true, 0, removexattr("a", "trusted.one"));
	xattr_fact("a", "trusted.one", true, 0, removexattr("a", "trusted.one"));
	xattr_fact("a", "trusted.two", true, 0, removexattr("la", "trusted.two"));
	xattr_fact("la", "trusted.link", true, 0, lremovexattr("la", "trusted.link"));
	xattr_fact("a", "trusted.fd", true, 0, fremovexattr(fd, "trusted.fd"));
	xattr_fact("none", "user.x", false, 1, setxattr("none", "user.x", "x", 1, 0));
	if (kernel_at_least(6, 13))
		xattr_at(opened(".", O_RDONLY | O_DIRECTORY));
	close(fd);
}

static void chown_fact(const char *name, int owner, int group, int ret)
{
	int err = ret ? errno : 0;

	fact("file.chown");
	fact_str("file.path", below_base(name));
	fact_int("file.owner.id", owner);
	fact_int("file.group.id", group);
	fact_err(err);
	fact_end();
}

static void run_chown(int argc, char **argv)
{
	int fd = made(below_base("a"), 1), dir;

	(void)argc;
	(void)argv;
	must(mkdir("d", 0755));
	make(below_base("d/b"), 1);
	must(symlink("d/b", "lb"));
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	chown_fact("a", 1, 2, chown("a", 1, 2));
	chown_fact("a", -1, 3, fchown(fd, -1, 3));
	chown_fact("lb", 4, -1, lchown("lb", 4, -1));
	chown_fact("d/b", 5, 6, chown("lb", 5, 6));
	chown_fact("d/b", 7, 8, fchownat(dir, "b", 7, 8, 0));
	chown_fact("none", 1, 1, chown("none", 1, 1));
	close(dir);
	close(fd);
}

static void truncate_fact(const char *name, long len, int ret)
{
	int err = ret ? errno : 0;

	fact("file.truncate");
	fact_str("file.path", below_base(name));
	fact_int("file.size", len);
	fact_err(err);
	fact_end();
}

static void run_truncate(int argc, char **argv)
{
	int fd = made(below_base("a"), 0);

	(void)argc;
	(void)argv;
	must(symlink("a", "la"));
	truncate_fact("a", 5000, truncate("a", 5000));
	truncate_fact("a", 100, ftruncate(fd, 100));
	truncate_fact("a", 0, truncate("la", 0));
	truncate_fact("none", 1, truncate("none", 1));
	truncate_fact("a", -1, truncate("a", -1));
	close(fd);
}

static void mount_fact(const char *op, const char *path, const char *source, const char *type,
		       const char *flags, long ret)
{
	int err = ret < 0 ? errno : 0;

	fact("file.mount");
	fact_str("syscall.name", op);
	if (path)
		fact_str("file.path", path);
	if (source)
		fact_str("mount.source", source);
	if (type)
		fact_str("mount.type", type);
	if (flags)
		fact_list("mount.flags", flags);
	fact_err(err);
	fact_end();
}

static void umount_fact(const char *path, int flags, int ret)
{
	int err = ret < 0 ? errno : 0;

	fact("file.umount");
	fact_str("file.path", path);
	fact_int("mount.flags", flags);
	fact_err(err);
	fact_end();
}

/* The new mount API; each of its calls that changes the tree is an event. */
static void mount_new_api(void)
{
	int fs, mnt;

	fs = must(syscall(SYS_fsopen, "tmpfs", 0));
	must(syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0));
	mnt = must(syscall(SYS_fsmount, fs, 0, 0));
	mount_fact("fsmount", NULL, NULL, NULL, NULL, mnt);
	mount_fact("move_mount", below_base("new"), NULL, NULL, NULL,
		   must(syscall(SYS_move_mount, mnt, "", AT_FDCWD, "new", 4 /* F_EMPTY_PATH */)));
	umount_fact(below_base("new"), MNT_DETACH, umount2("new", MNT_DETACH));
	close(mnt);
	close(fs);
}

static void mount_child(void *arg)
{
	(void)arg;
	must(unshare(CLONE_NEWNS));
	mount_fact("mount", "/", NULL, NULL, "MS_REC MS_PRIVATE",
		   mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	mount_fact("mount", below_base("m"), "none", "tmpfs", "MS_NOSUID MS_NODEV",
		   must(mount("none", "m", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m")));
	mount_fact("mount", below_base("m"), NULL, NULL, "MS_REMOUNT MS_RDONLY",
		   must(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL)));
	mount_fact("mount", below_base("b"), "src", NULL, "MS_BIND",
		   must(mount("src", "b", NULL, MS_BIND, NULL)));
	umount_fact(below_base("b"), 0, umount2("b", 0));
	umount_fact(below_base("m"), MNT_DETACH, umount2("m", MNT_DETACH));
	umount_fact(below_base("m"), 0, umount2("m", 0));
	mount_fact("mount", below_base("none"), "x", "tmpfs", "",
		   mount("x", "none", "tmpfs", 0, NULL));
	mount_fact("mount", below_base("m"), "x", "nofs", "", mount("x", "m", "nofs", 0, NULL));
	mount_new_api();
}

static void run_mount(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	must(mkdir("m", 0755));
	must(mkdir("src", 0755));
	must(mkdir("b", 0755));
	must(mkdir("new", 0755));
	if (wait_for(spawn(mount_child, NULL)))
		die("the child failed");
}

/* --- paths that nobody can look up afterwards --- */

/* Exact where the kernel lets the call be watched from inside, else marked as the argument's. */
static void resolved_fact(const char *event, const char *name, const char *target)
{
	fact(event);
	fact_str("file.path.resolved", below_base(name));
	if (target)
		fact_str("file.target_path.resolved", below_base(target));
	fact_end();
}

static void chroot_child(void *arg)
{
	(void)arg;
	must(chroot("jail"));
	must(chdir("/"));
	must(mkdir("/link/g", 0755));
	resolved_fact("file.mkdir", "jail/real/g", NULL);
	must(rmdir("../../link/g"));
	resolved_fact("file.rmdir", "jail/real/g", NULL);
}

static void removed_link(void)
{
	must(mkdir("d", 0755));
	must(symlink("d", "link"));
	make(below_base("d/f"), 1);
	must(rename("link/f", "link/g"));
	must(chmod("link/g", 0600));
	must(truncate("link/g", 5));
	must(unlink("link/g"));
	must(unlink("link")); /* whoever looks now finds nothing */
	must(rmdir("d"));
	resolved_fact("file.rename", "d/f", "d/g");
	resolved_fact("file.chmod", "d/g", NULL);
	resolved_fact("file.truncate", "d/g", NULL);
	resolved_fact("file.unlink", "d/g", NULL);
	resolved_fact("file.unlink", "link", NULL);
	resolved_fact("file.rmdir", "d", NULL);
}

static char raced[] = "p/x";
static bool race_over;

static void *race(void *arg)
{
	while (!__atomic_load_n(&race_over, __ATOMIC_RELAXED))
		__atomic_store_n(raced, raced[0] == 'p' ? 'q' : 'p', __ATOMIC_RELAXED);
	return arg;
}

/* Another thread changes the argument during the call: which directory was made, only the tree tells. */
static void changed_argument(void)
{
	pthread_t thread;

	must(mkdir("p", 0755));
	must(mkdir("q", 0755));
	must(-pthread_create(&thread, NULL, race, NULL));
	for (int i = 0; i < 100; i++) {
		const char *made = "p/x";

		must(mkdir(raced, 0755));
		if (access(made, F_OK))
			made = "q/x";
		resolved_fact("file.mkdir", made, NULL);
		must(rmdir(made));
		resolved_fact("file.rmdir", made, NULL);
	}
	__atomic_store_n(&race_over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

static void run_paths(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	removed_link();
	changed_argument();
	must(mkdir("jail", 0755));
	must(mkdir("jail/real", 0755));
	must(symlink("/real", "jail/link"));
	if (wait_for(spawn(chroot_child, NULL)))
		die("the child failed");
	open_ended("file.mkdir"); /* those that are only made for the others */
	open_ended("file.truncate"); /* so that the file has a size */
}

const struct trigger file_triggers[] = {
	{"file.open", run_open, NULL, "open, openat, openat2, creat; dirfd, links, .., failures"},
	{"file.open.chroot", run_chroot, NULL, "opens in a chroot"},
	{"file.open.bind", run_bind, NULL, "opens in bind mounts and on tmpfs"},
	{"file.open.deep", run_deep, NULL, "paths of 2 KiB, and 70 directories deep"},
	{"file.open.names", run_names, NULL, "names that are no text"},
	{"file.io", run_io, NULL, "read, write, p-, -v, sendfile, copy_file_range, splice, mmap"},
	{"file.inherit", run_inherit, prepare_inherit, "a file opened before (use -w)"},
	{"file.create", run_create, NULL, "open with O_CREAT, mknod"},
	{"file.rename", run_rename, NULL, "rename, renameat, renameat2"},
	{"file.unlink", run_unlink, NULL, "unlink, unlinkat"},
	{"file.mkdir", run_mkdir, NULL, "mkdir, mkdirat"},
	{"file.rmdir", run_rmdir, NULL, "rmdir, unlinkat"},
	{"file.link", run_link, NULL, "link, linkat"},
	{"file.symlink", run_symlink, NULL, "symlink, symlinkat"},
	{"file.chmod", run_chmod, NULL, "chmod, fchmod, fchmodat, fchmodat2"},
	{"file.chown", run_chown, NULL, "chown, fchown, lchown, fchownat"},
	{"file.xattr", run_xattr, NULL, "setxattr, lsetxattr, fsetxattr, removexattr and kin"},
	{"file.truncate", run_truncate, NULL, "truncate, ftruncate"},
	{"file.paths", run_paths, NULL,
	 "links and arguments that change, and vanish, during the call"},
	{"file.mount", run_mount, NULL, "mount, umount2, the new mount calls"},
	{NULL, NULL, NULL, NULL},
};
