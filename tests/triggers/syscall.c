// SPDX-License-Identifier: MIT
/* Triggers of include/events/syscall.def: calls in known numbers that nothing else here makes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "trigger.h"

static void calls_fact(pid_t pid, const char *name, int err, long count)
{
	fact("syscall.calls");
	fact_owner(pid);
	fact_str("syscall.name", name);
	fact_err(err);
	fact_int("syscall.count", count);
	fact_end();
}

/* The call @n times, each of which must end alike. */
static void repeat(const char *name, int n, long nr, long a, long b, long c)
{
	long ret = 0;

	for (int i = 0; i < n; i++)
		ret = syscall(nr, a, b, c);
	calls_fact(getpid(), name, ret < 0 ? errno : 0, n);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void handle(int sig)
{
	struct sigaction sa = {.sa_handler = on_signal};

	must(sigaction(sig, &sa, NULL));
}

/* Known calls, successes and failures, one of them both. */
static void ordinary(void)
{
	struct timespec ms = {0, 1000000};

	repeat("getppid", 1000, SYS_getppid, 0, 0, 0);
	repeat("sched_yield", 123, SYS_sched_yield, 0, 0, 0);
	repeat("getpgid", 7, SYS_getpgid, -1, 0, 0);
	repeat("getpgid", 3, SYS_getpgid, 0, 0, 0);
	repeat("dup", 13, SYS_dup, -1, 0, 0);
	repeat("chdir", 2, SYS_chdir, (long)"/no/such/place", 0, 0);
	repeat("personality", 5, SYS_personality, 0xffffffff, 0, 0);
	repeat("getpriority", 4, SYS_getpriority, 0, 0, 0);
	repeat("nanosleep", 3, SYS_nanosleep, (long)&ms, 0, 0);
	repeat("sysinfo", 2, SYS_sysinfo, 8, 0, 0);
}

/* A handler runs and returns: rt_sigreturn, whose number reads -1 at its end. */
static void interrupted(void)
{
	struct itimerval t = {.it_value = {0, 50000}};

	handle(SIGALRM);
	must(setitimer(ITIMER_REAL, &t, NULL));
	calls_fact(getpid(), "setitimer", 0, 1);
	if (raw_pause() != -1)
		die("pause returned");
	calls_fact(getpid(), RAW_PAUSE, EINTR, 1);
	for (int i = 0; i < 4; i++)
		must(syscall(SYS_tgkill, getpid(), getpid(), SIGALRM));
	calls_fact(getpid(), "tgkill", 0, 4);
	calls_fact(getpid(), "rt_sigreturn", 0, 5);
}

static void block_forever(void *arg)
{
	(void)arg;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		raw_pause();
}

/* Calls that never come back: a pause whose process is killed, and exit_group itself. */
static void never_returning(void)
{
	pid_t pid = spawn(block_forever, NULL);

	wait_state(pid, 'S');
	kill(pid, SIGKILL);
	wait_for(pid);
	fact("syscall.calls");
	fact_owner(pid);
	fact_str("syscall.name", RAW_PAUSE);
	fact_str("error", "KILLED"); /* none, or one that the program never got to see */
	fact_int("syscall.count", 1);
	fact_end();
	pid = must(raw_fork());
	if (!pid)
		syscall(SYS_exit_group, 0);
	wait_for(pid);
	calls_fact(pid, "exit_group", 0, 1);
}

static void *second_thread(void *arg)
{
	wait_state(getpid(), 'Z'); /* the first has ended */
	for (int i = 0; i < 17; i++)
		must(getsid(0));
	execv(self_path(), arg);
	_exit(99);
}

static void first_thread(void *arg)
{
	pthread_t thread;

	for (int i = 0; i < 11; i++)
		must(getsid(0));
	must(-pthread_create(&thread, NULL, second_thread, arg));
	syscall(SYS_exit, 0);
}

/* A process that has two first threads one after the other: execve(2) makes the caller the first. */
static void first_threads(void)
{
	char *argv[] = {(char *)"again", (char *)"getsid", (char *)"5", NULL};
	pid_t pid = spawn(first_thread, argv);

	if (wait_for(pid))
		die("the second first thread failed");
	calls_fact(pid, "getsid", 0, 11 + 17 + 5);
}

#ifdef __x86_64__
static long compat(long nr, long a)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(nr), "b"(a), "c"(0), "d"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static void try_compat(void *arg)
{
	(void)arg;
	_exit(compat(20, 0) == getpid() ? 0 : 1); /* getpid */
}

/* The 32-bit ABI numbers differently: 64 is getppid there, semget here. */
static void compat_calls(void)
{
	pid_t pid = spawn(try_compat, NULL);

	if (wait_for(pid)) {
		fprintf(stderr, "trigger: no 32-bit system calls here\n");
		return;
	}
	calls_fact(pid, "compat:getpid", 0, 1);
	for (int i = 0; i < 17; i++)
		compat(64, 0);
	calls_fact(getpid(), "compat:getppid", 0, 17);
	for (int i = 0; i < 9; i++)
		if (compat(41, -1) != -EBADF)
			die("compat dup");
	calls_fact(getpid(), "compat:dup", EBADF, 9);
}
#else
static void compat_calls(void)
{
}
#endif

static void run_calls(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	ordinary();
	interrupted();
	never_returning();
	first_threads();
	compat_calls();
	open_ended("syscall.calls"); /* the program makes others as well */
}

/* Still in pause when the recording ends; the harness stops the recording first. */
static void run_blocked(int argc, char **argv)
{
	pid_t pid = spawn(block_forever, NULL);

	(void)argc;
	(void)argv;
	wait_state(pid, 'S');
	calls_fact(pid, RAW_PAUSE, 0, 1);
	open_ended("syscall.calls");
}

static void call_fact(const char *name, long long result, int err)
{
	fact("syscall.call");
	fact_str("syscall.name", name);
	if (!err)
		fact_int("syscall.result", result);
	fact_err(err);
	fact_end();
}

static void run_call(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (int i = 0; i < 20; i++)
		call_fact("getppid", syscall(SYS_getppid), 0);
	for (int i = 0; i < 5; i++)
		call_fact("dup", syscall(SYS_dup, -1), EBADF);
	call_fact("chdir", syscall(SYS_chdir, "/no/such/place"), ENOENT);
	call_fact("umask", syscall(SYS_umask, 022), 0);
	open_ended("syscall.call");
}

/* --- arguments that filters can tell apart --- */

static void arguments_fact(const char *name, unsigned int first, unsigned int second,
			   unsigned int third, int err, int count)
{
	const unsigned int values[] = {first, second, third};
	static const char *const keys[] = {"syscall.argument.first", "syscall.argument.second",
					   "syscall.argument.third"};
	char text[16];

	fact("syscall.arguments");
	fact_str("syscall.name", name);
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "0x%x", values[i]);
		fact_str(keys[i], text);
	}
	fact_err(err);
	fact_int("syscall.count", count);
	fact_end();
}

static void sockets(int n, int family, int type, int protocol, int err)
{
	int fd;

	for (int i = 0; i < n; i++) {
		fd = socket(family, type, protocol);
		if (fd >= 0)
			close(fd);
		else if (errno != err)
			die("socket: %m");
	}
	arguments_fact("socket", family, type & 0xf, protocol, err, n);
}

static void run_arguments(int argc, char **argv)
{
	int pair[2];

	(void)argc;
	(void)argv;
	sockets(3, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, 0);
	sockets(2, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP, 0);
	sockets(1, AF_INET, SOCK_STREAM, IPPROTO_UDP, EPROTONOSUPPORT);
	sockets(4, 99, SOCK_STREAM, 0, EAFNOSUPPORT);
	for (int i = 0; i < 2; i++) {
		must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
		close(pair[0]);
		close(pair[1]);
	}
	arguments_fact("socketpair", AF_UNIX, SOCK_SEQPACKET, 0, 0, 2);
	for (int i = 0; i < 5; i++)
		must(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	arguments_fact("prctl", PR_GET_DUMPABLE, 0, 0, 0, 5);
	for (int i = 0; i < 6; i++)
		must(syscall(SYS_personality, 0xffffffffUL));
	arguments_fact("personality", 0xffffffff, 0, 0, 0, 6);
	for (int i = 0; i < 7; i++)
		ioctl(-1, FIONREAD, &pair);
	arguments_fact("ioctl", FIONREAD, 0, 0, EBADF, 7);
	must(unshare(0));
	arguments_fact("unshare", 0, 0, 0, 0, 1);
	open_ended("syscall.arguments"); /* libc asks for things as well */
}

/* --- capabilities --- */

static void probe_fact(const char *name, bool granted, bool probe, const char *call, int err,
		       int count)
{
	fact("capability.checks");
	fact_str("capability.name", name);
	fact_bool("capability.granted", granted);
	fact_bool("capability.probe", probe);
	fact_bool("capability.own_credentials", true);
	fact_str("syscall.name", call);
	fact_err(err);
	fact_int("capability.count", count);
	fact_end();
}

static void check_fact(const char *name, bool granted, const char *call, int error, int count)
{
	probe_fact(name, granted, false, call, error, count);
}

static void unprivileged_child(void *arg)
{
	(void)arg;
	must(syscall(SYS_setresuid, 65534, 65534, 65534)); /* and the capabilities go */
	for (int i = 0; i < 3; i++)
		if (chroot(".") == 0 || errno != EPERM)
			die("chroot without the capability: %m");
	check_fact("CAP_SYS_CHROOT", false, "chroot", EPERM, 3);
	if (setpriority(PRIO_PROCESS, 0, -5) == 0)
		die("setpriority without the capability");
	check_fact("CAP_SYS_NICE", false, "setpriority", errno, 1);
}

static void other_user(void *arg)
{
	(void)arg;
	must(syscall(SYS_setuid, 65534));
	check_fact("CAP_SETUID", true, "setuid", 0, 1);
}

static void run_capabilities(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (int i = 0; i < 4; i++)
		must(chroot("."));
	check_fact("CAP_SYS_CHROOT", true, "chroot", 0, 4);
	must(syscall(SYS_mknodat, AT_FDCWD, "null", S_IFCHR | 0600, makedev(1, 3)));
	check_fact("CAP_MKNOD", true, "mknodat", 0, 1);
	must(syscall(SYS_setuid, 0)); /* who needs a capability to stay who it is? */
	probe_fact("CAP_SETUID", true, true, "setuid", 0, 1);
	if (wait_for(spawn(unprivileged_child, NULL)) || wait_for(spawn(other_user, NULL)))
		die("the child failed");
	open_ended("capability.checks"); /* setresuid, and what the kernel asks by the way */
}

const struct trigger syscall_triggers[] = {
	{"syscall.calls", run_calls, NULL, "counts and errnos, never returning, 32-bit"},
	{"syscall.blocked", run_blocked, NULL, "a call still blocked at the end (use -w)"},
	{"syscall.call", run_call, NULL, "single calls, for --syscalls=trace"},
	{"syscall.arguments", run_arguments, NULL, "sockets, prctl, ioctl, by their arguments"},
	{"capability.checks", run_capabilities, NULL, "with the capability, and without"},
	{NULL, NULL, NULL, NULL},
};
