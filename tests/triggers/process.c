// SPDX-License-Identifier: MIT
/* Triggers of include/events/process.def. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "trigger.h"

static void fork_fact(pid_t child, bool thread, const char *flags)
{
	fact("process.fork");
	fact_vpid("process.child.pid", child);
	fact_int("process.child.vpid", child);
	fact_bool("process.child.thread", thread);
	fact_list("process.clone_flags", flags);
	fact_end();
}

/* How a process ended, in the words of waitpid. */
static void exit_fact(pid_t pid, int status)
{
	fact("process.exit");
	fact_owner(pid);
	if (WIFSIGNALED(status))
		fact_str("process.exit.signal", WTERMSIG(status) == SIGKILL   ? "SIGKILL"
						: WTERMSIG(status) == SIGSEGV ? "SIGSEGV"
						: WTERMSIG(status) == SIGTERM ? "SIGTERM"
						: WTERMSIG(status) == SIGABRT ? "SIGABRT"
									      : "?");
	else
		fact_int("process.exit.code", WEXITSTATUS(status));
	fact_bool("process.exit.core_dumped", WIFSIGNALED(status) && WCOREDUMP(status));
	fact_end();
}

static void reap(pid_t pid)
{
	exit_fact(pid, wait_for(pid));
}

static int return_44(void *arg)
{
	(void)arg;
	return 44;
}

static void run_fork(int argc, char **argv)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	static char stack[65536];
	pthread_t thread;
	pid_t pid;

	(void)argc;
	(void)argv;
	complete("process.exit");
	for (int i = 0; i < 3; i++) {
		pid = must(raw_fork());
		if (!pid)
			_exit(i);
		fork_fact(pid, false, "");
		reap(pid);
	}
	pid = vfork();
	if (!pid)
		_exit(40);
	fork_fact(pid, false, "CLONE_VM CLONE_VFORK");
	reap(pid);
	pid = must(clone(return_44, stack + sizeof(stack) - 64, CLONE_FS | CLONE_FILES | SIGCHLD,
			 NULL));
	fork_fact(pid, false, "CLONE_FS CLONE_FILES");
	reap(pid);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		_exit(43);
	if (pid > 0) {
		fork_fact(pid, false, "");
		reap(pid);
	}
	for (int i = 0; i < 2; i++) {
		must(-pthread_create(&thread, NULL, thread_nothing, NULL));
		fact("process.fork");
		fact_vpid("process.child.pid", getpid());
		fact_bool("process.child.thread", true);
		fact_list("process.clone_flags",
			  "CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_THREAD CLONE_SYSVSEM "
			  "CLONE_SETTLS CLONE_PARENT_SETTID CLONE_CHILD_CLEARTID");
		fact_end();
		pthread_join(thread, NULL);
	}
}

/* A tree of processes that stay until told, for the harness to look up in /proc. */
static void run_tree(int argc, char **argv)
{
	int gate[2];
	pid_t pids[3];
	char c;

	(void)argc;
	(void)argv;
	must(pipe(gate));
	for (int i = 0; i < 3; i++) {
		pids[i] = must(raw_fork()); /* fork(3) is a clone(2) with flags */
		if (!pids[i]) {
			close(gate[1]);
			if (read(gate[0], &c, 1) < 0)
				_exit(1);
			_exit(10 + i);
		}
		fork_fact(pids[i], false, "");
	}
	close(gate[0]);
	wait_for_go();
	close(gate[1]);
	for (int i = 0; i < 3; i++)
		reap(pids[i]);
}

static void exec_fact(pid_t pid, const char *file, char *const *argv, const char *cwd)
{
	fact("process.exec");
	fact_owner(pid);
	fact_str("process.executable.path", self_path());
	fact_str("process.exec.filename", file);
	fact_strv("process.command_args", argv);
	fact_str("process.working_directory", cwd);
	fact_int("process.effective_user.id", geteuid());
}

/* Executes in a child; the parent tells, as the child's memory is gone. */
static pid_t exec_child(const char *file, char *const *argv, const char *cwd)
{
	pid_t pid = must(fork());

	if (!pid) {
		if (chdir(cwd))
			_exit(98);
		execv(file, argv);
		_exit(99);
	}
	exec_fact(pid, file, argv, cwd);
	return pid;
}

static void write_file(const char *path, const char *text, size_t len, mode_t mode)
{
	int fd = must(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));

	if (write(fd, text, len) != (ssize_t)len)
		die("%s: %m", path);
	close(fd);
}

static void exec_script(void)
{
	static char text[5000];
	char *path = below_base("script.sh");
	char *argv[] = {(char *)"zero", (char *)"one", NULL};
	char *seen[] = {(char *)self_path(), (char *)"noop", path, (char *)"one", NULL};
	pid_t pid;
	int len = snprintf(text, sizeof(text), "#!%s noop\necho\n", self_path());

	write_file(path, text, len, 0755);
	pid = must(fork());
	if (!pid) {
		execv(path, argv);
		_exit(99);
	}
	exec_fact(pid, path, seen, base());
	fact_str("process.exec.interpreter", self_path());
	fact_end();
	reap(pid);
}

static void exec_long(int nr, int size)
{
	char **argv = calloc(nr + 3, sizeof(char *));
	pid_t pid;

	argv[0] = (char *)"trigger";
	argv[1] = (char *)"noop";
	for (int i = 0; i < nr; i++) {
		argv[2 + i] = calloc(1, size + 1);
		memset(argv[2 + i], 'a' + i % 26, size);
	}
	pid = exec_child(self_path(), argv, base());
	fact_end();
	reap(pid);
}

static void exec_memfd(void)
{
	char *argv[] = {(char *)"in-memory", (char *)"noop", NULL};
	int in = must(open(self_path(), O_RDONLY | O_CLOEXEC));
	int fd = must(memfd_create("payload", MFD_CLOEXEC));
	static char buf[65536];
	char name[32];
	ssize_t n;
	pid_t pid;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(fd, buf, n) != n)
			die("memfd: %m");
	pid = must(fork());
	if (!pid) {
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		_exit(99);
	}
	snprintf(name, sizeof(name), "/dev/fd/%d", fd);
	fact("process.exec");
	fact_owner(pid);
	fact_strv("process.command_args", argv);
	fact_list("process.executable.flags.any", "memfd");
	fact_str("process.exec.filename", name);
	fact_end();
	reap(pid);
	close(fd);
	close(in);
}

static void exec_deleted(void)
{
	char *path = below_base("gone");
	char *argv[] = {path, (char *)"noop", NULL};
	int in = must(open(self_path(), O_RDONLY | O_CLOEXEC)), out, fd;
	static char buf[65536];
	ssize_t n;
	pid_t pid;

	out = must(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			die("%s: %m", path);
	close(out);
	close(in);
	fd = must(open(path, O_PATH | O_CLOEXEC));
	unlink(path);
	pid = must(fork());
	if (!pid) {
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		_exit(99);
	}
	fact("process.exec");
	fact_owner(pid);
	fact_strv("process.command_args", argv);
	fact_list("process.executable.flags.any", "deleted");
	fact_end();
	reap(pid);
	close(fd);
}

static void *exec_in_thread(void *arg)
{
	char **argv = arg;

	execv(self_path(), argv);
	_exit(99);
}

static void exec_thread(void)
{
	char *argv[] = {(char *)"from-a-thread", (char *)"noop", NULL};
	pthread_t thread;
	pid_t pid = must(fork());

	if (!pid) {
		pthread_create(&thread, NULL, exec_in_thread, argv);
		pause();
		_exit(97);
	}
	exec_fact(pid, self_path(), argv, base());
	fact_end();
	reap(pid);
}

static void exec_spawn(void)
{
	char *argv[] = {(char *)"spawned", (char *)"exit", (char *)"6", NULL};
	pid_t pid;

	must(-posix_spawn(&pid, self_path(), NULL, NULL, argv, environ));
	exec_fact(pid, self_path(), argv, base());
	fact_end();
	reap(pid);
}

static void run_exec(int argc, char **argv)
{
	char *plain[] = {(char *)"trigger", (char *)"noop", (char *)"", (char *)"b \"c\"\n", NULL};
	char *bytes[] = {(char *)"trigger", (char *)"noop", (char *)"\xff\xfe", (char *)"\xc3\xa4",
			 NULL};
	pid_t pid;

	(void)argc;
	(void)argv;
	complete("process.exit");
	pid = exec_child(self_path(), plain, "/");
	fact_end();
	reap(pid);
	pid = exec_child(self_path(), bytes, base());
	fact_end();
	reap(pid);
	exec_script();
	exec_long(60, 60); /* 3.6 KiB: every tool must keep it whole */
	exec_long(1000, 100); /* 100 KiB: may be cut, and says so */
	exec_memfd();
	exec_deleted();
	exec_thread();
	exec_spawn();
}

static void exec_failed(const char *file, const char *path)
{
	char *argv[] = {(char *)"x", NULL};
	int err;

	execv(file, argv);
	err = errno;
	fact("process.exec_failed");
	fact_str("process.exec.filename", path);
	fact_err(err);
	fact_end();
}

static void run_exec_failed(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	write_file(below_base("plain.txt"), "text", 4, 0644);
	write_file(below_base("empty"), "\1\2\3\4", 4, 0755);
	exec_failed("/no/such/program", "/no/such/program");
	exec_failed(below_base("plain.txt"), below_base("plain.txt"));
	exec_failed(below_base("empty"), below_base("empty"));
	exec_failed("plain.txt/x", below_base("plain.txt/x"));
	exec_failed("missing", below_base("missing"));
	exec_failed("./sub/../missing", below_base("missing"));
	exec_failed("", base());
}

static void *thread_exit_group(void *arg)
{
	wait_state(getpid(), 'Z'); /* the leader is gone */
	syscall(SYS_exit_group, (int)(long)arg);
	return NULL;
}

static void *thread_exit(void *arg)
{
	wait_state(getpid(), 'Z');
	syscall(SYS_exit, (int)(long)arg);
	return NULL;
}

static void leader_first(void *arg)
{
	pthread_t thread;

	pthread_create(&thread, NULL, arg ? thread_exit_group : thread_exit, (void *)9L);
	syscall(SYS_exit, 3);
}

static void end_by_signal(void *arg)
{
	int sig = (int)(long)arg;
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	signal(sig, SIG_DFL);
	if (sig == SIGSEGV)
		*(volatile char *)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) =
			1;
	else if (sig == SIGABRT)
		abort();
	else
		kill(getpid(), sig);
	pause();
}

static void end_with(void *arg)
{
	syscall(SYS_exit_group, (int)(long)arg);
}

static void run_exit(int argc, char **argv)
{
	static const int codes[] = {0, 1, 7, 255};
	static const int sigs[] = {SIGKILL, SIGTERM, SIGSEGV, SIGABRT};

	(void)argc;
	(void)argv;
	for (int i = 0; i < 4; i++)
		reap(spawn(end_with, (void *)(long)codes[i]));
	for (int i = 0; i < 4; i++)
		reap(spawn(end_by_signal, (void *)(long)sigs[i]));
	reap(spawn(leader_first, (void *)1L));
	reap(spawn(leader_first, NULL));
}

/* From /proc: setfsuid(-1) would tell as well, but is a call of the kind that is counted here. */
static int fs_uid(void)
{
	char line[256];
	int uid = -1;
	FILE *f = fopen("/proc/thread-self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Uid: %*d %*d %*d %d", &uid) == 1)
			break;
	if (f)
		fclose(f);
	return uid;
}

/* What the kernel says of the caller's credentials after the call. */
static void cred_fact(const char *op)
{
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	uid_t r, e, s;

	must(syscall(SYS_getresuid, &r, &e, &s));
	must(syscall(SYS_capget, &hdr, data));
	fact("process.credentials");
	fact_str("syscall.name", op);
	fact_int("process.user.id", r);
	fact_int("process.effective_user.id", e);
	fact_int("process.saved_user.id", s);
	fact_int("process.filesystem_user.id", fs_uid());
	must(syscall(SYS_getresgid, &r, &e, &s));
	fact_int("process.group.id", r);
	fact_int("process.effective_group.id", e);
	fact_int("process.saved_group.id", s);
	fact_int("caps.effective", (long long)data[1].effective << 32 | data[0].effective);
	fact_end();
}

static void cred_groups(void *arg)
{
	gid_t groups[] = {7, 8, 9};

	(void)arg;
	must(syscall(SYS_setgroups, 3, groups));
	cred_fact("setgroups");
	must(syscall(SYS_setgid, 1000));
	cred_fact("setgid");
	must(syscall(SYS_setuid, 1001));
	cred_fact("setuid");
}

static void cred_reuid(void *arg)
{
	(void)arg;
	must(syscall(SYS_setregid, 20, 21));
	cred_fact("setregid");
	must(syscall(SYS_setresgid, 22, 23, 24));
	cred_fact("setresgid");
	must(syscall(SYS_setreuid, 0, 1002));
	cred_fact("setreuid");
	must(syscall(SYS_setresuid, 1002, 1002, 0));
	cred_fact("setresuid");
}

static void cred_capset(void *arg)
{
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	(void)arg;
	must(syscall(SYS_capget, &hdr, data));
	data[0].effective &= ~(1u << CAP_CHOWN);
	must(syscall(SYS_capset, &hdr, data));
	cred_fact("capset");
	syscall(SYS_setfsuid, 1003);
	cred_fact("setfsuid");
}

static void run_credentials(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	wait_for(spawn(cred_groups, NULL));
	wait_for(spawn(cred_reuid, NULL));
	wait_for(spawn(cred_capset, NULL));
}

static void ns_fact(const char *op, const char *flags, long ret)
{
	int err = ret < 0 ? errno : 0;

	fact("process.namespaces");
	fact_str("syscall.name", op);
	fact_list("process.namespaces", flags);
	fact_err(err);
	fact_end();
}

/* clone and clone3: with namespaces, where they are refused, and without, which is told by nobody. */
static void ns_clone(void)
{
	struct clone_args args = {.flags = CLONE_NEWUTS | CLONE_NEWIPC, .exit_signal = SIGCHLD};
	long pid;

	pid = syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid)
		_exit(0);
	ns_fact("clone", "CLONE_NEWUTS", pid);
	wait_for(pid);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		_exit(0);
	ns_fact("clone3", "CLONE_NEWUTS CLONE_NEWIPC", pid);
	wait_for(pid);
	ns_fact("clone", "CLONE_NEWNS",
		syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, NULL, NULL, NULL, NULL));
	pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid)
		_exit(0);
	wait_for(pid);
}

static void ns_child(void *arg)
{
	int uts = must(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC));

	(void)arg;
	ns_fact("unshare", "CLONE_NEWUTS", unshare(CLONE_NEWUTS));
	ns_fact("unshare", "CLONE_NEWNS CLONE_NEWIPC", unshare(CLONE_NEWNS | CLONE_NEWIPC));
	ns_fact("setns", "CLONE_NEWUTS", setns(uts, CLONE_NEWUTS));
	ns_fact("setns", "", setns(uts, 0));
	ns_fact("setns", "CLONE_NEWNET", setns(-1, CLONE_NEWNET));
	ns_fact("setns", "CLONE_NEWNET", setns(uts, CLONE_NEWNET));
	ns_clone();
}

static void run_namespaces(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	complete("process.namespaces");
	if (wait_for(spawn(ns_child, NULL)))
		die("the child failed");
}

const struct trigger process_triggers[] = {
	{"process.fork", run_fork, NULL, "fork, vfork, clone, clone3, threads"},
	{"process.tree", run_tree, NULL, "three children that stay until told (use -w)"},
	{"process.exec", run_exec, NULL, "execve, script, memfd, deleted file, thread, long argv"},
	{"process.exec_failed", run_exec_failed, NULL, "ENOENT, EACCES, ENOEXEC, ENOTDIR"},
	{"process.exit", run_exit, NULL, "by code, by signal, leader first"},
	{"process.credentials", run_credentials, NULL, "set*id, setgroups, capset"},
	{"process.namespaces", run_namespaces, NULL, "unshare, setns, clone, clone3"},
	{NULL, NULL, NULL, NULL},
};
