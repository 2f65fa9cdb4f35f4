// SPDX-License-Identifier: MIT
/* Triggers of include/events/syscall.def: calls in known numbers that nothing else here makes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

	usleep(100000);
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
	compat_calls();
	open_ended("syscall.calls"); /* the program makes others as well */
}

/* Still in pause when the recording ends; the harness stops the recording first. */
static void run_blocked(int argc, char **argv)
{
	pid_t pid = spawn(block_forever, NULL);

	(void)argc;
	(void)argv;
	usleep(100000);
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

const struct trigger syscall_triggers[] = {
	{"syscall.calls", run_calls, NULL, "counts and errnos, never returning, 32-bit"},
	{"syscall.blocked", run_blocked, NULL, "a call still blocked at the end (use -w)"},
	{"syscall.call", run_call, NULL, "single calls, for --syscalls=trace"},
	{NULL, NULL, NULL, NULL},
};
