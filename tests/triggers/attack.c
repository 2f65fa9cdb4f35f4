// SPDX-License-Identifier: MIT
/* Attempts to have something done and something else recorded. What was done is by the kernel's word: /proc/self/fd, fstat. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "trigger.h"

static volatile bool stop;

static void plain_file(const char *path)
{
	must(mknod(path, S_IFREG | 0644, 0));
}

/* An open file: @path is where it is, NULL: where /proc says. Closes it. */
static void opened_at(int fd, const char *path)
{
	char link[64], at[4096];
	struct stat st;
	ssize_t n;

	must(fd);
	must(fstat(fd, &st));
	if (!path) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = must(readlink(link, at, sizeof(at) - 1));
		at[n] = 0;
		path = at;
	}
	fact("file.open");
	fact_str("file.path", path);
	fact_int("file.inode", st.st_ino);
	fact_err(0);
	fact_end();
	close(fd);
}

/* ---- a thread that swaps the path between the kernel's look and the tracer's ---- */

static char swapped[16];

static void *swap_path(void *arg)
{
	(void)arg;
	while (!stop) {
		memcpy(swapped, "evil", 5);
		memcpy(swapped, "good", 5);
	}
	return NULL;
}

static void run_swap(int argc, char **argv)
{
	pthread_t thread;

	(void)argc;
	(void)argv;
	plain_file("good");
	plain_file("evil");
	memcpy(swapped, "good", 5);
	pthread_create(&thread, NULL, swap_path, NULL);
	for (int i = 0; i < 400; i++) {
		int fd = syscall(SYS_openat, AT_FDCWD, swapped, O_RDONLY, 0);

		if (fd >= 0)
			opened_at(fd, NULL);
		else if (errno != ENOENT) /* half a name */
			die("openat: %m");
	}
	stop = true;
	pthread_join(thread, NULL);
	open_ended("file.open"); /* half names */
}

/* ---- directories that change places during the walk ---- */

static void *swap_directories(void *arg)
{
	(void)arg;
	while (!stop)
		syscall(SYS_renameat2, AT_FDCWD, "d1", AT_FDCWD, "d2", 2 /* RENAME_EXCHANGE */);
	return NULL;
}

static void run_rename(int argc, char **argv)
{
	char *either[] = {below_base("d1/f"), below_base("d2/f"), NULL};
	pthread_t thread;
	struct stat st;

	(void)argc;
	(void)argv;
	must(mkdir("d1", 0755));
	must(mkdir("d2", 0755));
	plain_file("d1/f");
	plain_file("d2/f");
	pthread_create(&thread, NULL, swap_directories, NULL);
	for (int i = 0; i < 200; i++) {
		int fd = must(syscall(SYS_openat, AT_FDCWD, "d1/f", O_RDONLY, 0));

		must(fstat(fd, &st));
		close(fd);
		fact("file.open");
		fact_strv("file.path.any", either);
		fact_int("file.inode", st.st_ino);
		fact_end();
	}
	stop = true;
	pthread_join(thread, NULL);
}

/* ---- other ABIs ---- */

#ifdef __x86_64__
static long call_i386(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static void try_i386(void *arg)
{
	(void)arg;
	_exit(call_i386(20, 0, 0, 0) == getpid() ? 0 : 1); /* getpid */
}

static void abi_fact(const char *name, int err, int count)
{
	fact("syscall.calls");
	fact_str("syscall.name", name);
	fact_err(err);
	fact_int("syscall.count", count);
	fact_end();
	open_ended("syscall.calls");
}

static void run_abis(int argc, char **argv)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long fd;

	(void)argc;
	(void)argv;
	if (low == MAP_FAILED)
		die("mmap: %m");
	plain_file("other-abi");
	strcpy(low, "other-abi");
	if (!wait_for(spawn(try_i386, NULL))) {
		opened_at(call_i386(5, (uintptr_t)low, O_RDONLY, 0), NULL); /* open */
		opened_at(call_i386(295, AT_FDCWD, (uintptr_t)low, O_RDONLY), NULL); /* openat */
		abi_fact("compat:open", 0, 1);
		abi_fact("compat:openat", 0, 1);
	}
	fd = syscall(0x40000000 | SYS_openat, AT_FDCWD, low, O_RDONLY, 0);
	if (fd >= 0)
		opened_at(fd, NULL);
	/* a kernel without x32 (Debian's boot it with syscall.x32=y) says ENOSYS, and that is told */
	abi_fact("x32:openat", fd < 0 ? ENOSYS : 0, 1);
	if (fd < 0) {
		fact("file.open");
		fact_str("file.path", below_base("other-abi"));
		fact_err(ENOSYS);
		fact_end();
	}
}
#endif

/* ---- ways to a file that do not name it ---- */

static void run_descriptors(int argc, char **argv)
{
	char path[128];
	int dir, fd;

	(void)argc;
	(void)argv;
	must(mkdir("d", 0755));
	plain_file("d/f");
	plain_file("target");
	dir = must(open("d", O_PATH | O_DIRECTORY));
	fact("file.open");
	fact_str("file.path", below_base("d"));
	fact_end();
	opened_at(openat(dir, "f", O_RDONLY), NULL);
	opened_at(openat(dir, "../target", O_RDONLY), NULL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/f", dir);
	opened_at(open(path, O_RDONLY), NULL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/../d/../target", dir);
	opened_at(open(path, O_RDONLY), NULL);
	snprintf(path, sizeof(path), "/proc/self/cwd/d/f");
	opened_at(open(path, O_RDONLY), NULL);
	snprintf(path, sizeof(path), "/proc/self/root%s/d/f", base());
	opened_at(open(path, O_RDONLY), NULL);
	/* the directory gets another name under the descriptor, then none */
	must(rename("d", "moved"));
	opened_at(openat(dir, "f", O_RDONLY), NULL);
	fd = must(openat(dir, "f", O_PATH));
	fact("file.open");
	fact_str("file.path", below_base("moved/f"));
	fact_end();
	must(unlinkat(dir, "f", 0));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	opened_at(open(path, O_RDONLY), below_base("moved/f"));
}

/* ---- deep: 30 directories of 200 bytes, then 100 of one ---- */

static void run_deep(int argc, char **argv)
{
	static char full[16384], name[200];

	(void)argc;
	(void)argv;
	memset(name, 'd', sizeof(name) - 1);
	snprintf(full, sizeof(full), "%s", base());
	for (int i = 0; i < 130; i++) {
		const char *next = i < 30 ? name : "n";

		must(mkdir(next, 0755));
		must(chdir(next));
		strcat(strcat(full, "/"), next);
		open_ended("file.mkdir");
	}
	plain_file("f");
	strcat(full, "/f");
	opened_at(open("f", O_RDONLY), full);
}

/* ---- /proc that is none ---- */

static void run_proc(int argc, char **argv)
{
	int fd;

	(void)argc;
	(void)argv;
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mount("none", "/proc", "tmpfs", 0, NULL));
	must(mkdir("/proc/self", 0755));
	plain_file("/proc/self/status");
	fd = must(open("/proc/self/status", O_RDONLY));
	fact("file.open");
	fact_str("file.path", "/proc/self/status");
	fact_str("file.fs", "tmpfs");
	fact_str("file.mount.path", "/proc");
	fact_end();
	close(fd);
	fact("file.mount");
	fact_str("file.path", "/proc");
	fact_str("mount.type", "tmpfs");
	fact_end();
	open_ended("file.mount");
}

/* ---- who it says it is ---- */

static void spoof_child(const char *name)
{
	char *argv[] = {(char *)"/usr/sbin/sshd -D\n\x1b[2J\xff", (char *)"noop", (char *)"\"}",
			NULL};

	prctl(PR_SET_NAME, name);
	execv(self_path(), argv);
	_exit(99);
}

static void run_spoof(int argc, char **argv)
{
	static const char name[] = "sshd\n\x1b[1m\xff\"";
	char *seen[] = {(char *)"/usr/sbin/sshd -D\n\x1b[2J\xff", (char *)"noop", (char *)"\"}",
			NULL};
	pid_t pid = must(fork());

	(void)argc;
	if (!pid)
		spoof_child(name);
	wait_for(pid);
	fact("process.exec");
	fact_owner(pid);
	fact_str("process.executable.path", self_path());
	fact_strv("process.command_args", seen);
	fact_str("process.old_comm", name);
	fact_end();
	plain_file("f");
	memset(argv[0], 'x', strlen(argv[0])); /* what /proc/PID/cmdline shows */
	prctl(PR_SET_NAME, name);
	close(must(open("f", O_RDONLY)));
	fact("file.open");
	fact_str("process.comm", name);
	fact_str("process.executable.path", self_path());
	fact_str("file.path", below_base("f"));
	fact_end();
}

/* ---- nearly all that execve(2) takes: a quarter of an 8 MiB stack ---- */

static void run_argv(int argc, char **argv)
{
	static char *many[20];
	pid_t pid;

	(void)argc;
	(void)argv;
	many[0] = (char *)"trigger";
	many[1] = (char *)"noop";
	for (int i = 2; i < 18; i++) {
		many[i] = calloc(1, 131000);
		memset(many[i], '\n', 130000);
	}
	pid = must(fork());
	if (!pid) {
		execv(self_path(), many);
		_exit(99);
	}
	if (wait_for(pid))
		die("the child failed");
	fact("process.exec");
	fact_owner(pid);
	fact_str("process.executable.path", self_path());
	fact_bool("process.command_args_truncated", true);
	fact_end();
}

const struct trigger attack_triggers[] = {
	{"attack.swap", run_swap, NULL, "a path that another thread changes during the call"},
	{"attack.rename", run_rename, NULL, "directories that are exchanged during the walk"},
#ifdef __x86_64__
	{"attack.abis", run_abis, NULL, "opens by i386's and x32's numbers"},
#endif
	{"attack.descriptors", run_descriptors, NULL, "/proc/self/fd, dirfds, names that are gone"},
	{"attack.deep", run_deep, NULL, "6 KiB of path in 130 directories"},
	{"attack.proc", run_proc, NULL, "a tmpfs over /proc"},
	{"attack.spoof", run_spoof, NULL, "comm and argv of somebody else, with terminal escapes"},
	{"attack.argv", run_argv, NULL, "two megabytes of arguments"},
	{NULL, NULL, NULL, NULL},
};
