// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "probe.h"
#include "seccomp_filter.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "wire.h"

#define NOBODY	   65534
#define CHILD_SECS 5 /* a call that hangs was let through: its child is killed by SIGALRM */

/* ---- the children ---- */

#if defined(__x86_64__)
static long call_compat(const struct oci_call *c)
{
	long result = (long)c->nr;

	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 : "b"(c->args[0]), "c"(c->args[1]), "d"(c->args[2]), "S"(c->args[3]),
			   "D"(c->args[4])
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}
#else
static long call_compat(const struct oci_call *c)
{
	(void)c;
	return -ENOSYS;
}
#endif

static long make_call(const struct oci_call *c)
{
	long nr = c->abi == EV_ABI_X32 ? (long)c->nr | EV_X32_BIT : (long)c->nr;
	long result;

	if (c->abi == EV_ABI_COMPAT)
		return call_compat(c);
	result =
		syscall(nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4], c->args[5]);
	return result == -1 ? -errno : result;
}

/* From here on nothing but the calls themselves is made: the filter may refuse all others. */
static void __attribute__((noreturn))
child(const struct sock_fprog *filter, struct probe *probes, size_t nr)
{
	/* what a call dies of is its answer: without 32-bit emulation int 0x80 is SIGSEGV */
	signal(SIGSEGV, SIG_DFL);
	signal(SIGSYS, SIG_DFL);
	alarm(CHILD_SECS);
	setsid();
	if (setgid(NOBODY) || setuid(NOBODY))
		errno = 0; /* it was nobody before: the filter is what is asked for */
	if (filter && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter)))
		_exit(1);
	for (size_t i = 0; i < nr; i++) {
		if (probes[i].done)
			continue;
		probes[i].result = make_call(&probes[i].call);
		if (!probes[i].result) /* a fork was let through: its child must not go on */
			_exit(0);
		probes[i].done = true;
	}
	_exit(0);
}

/* The first call that has no answer yet is the one that a killed child died of. */
static int bury(int status, struct probe *probes, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!probes[i].done) {
			if (WIFSIGNALED(status))
				probes[i].signal = WTERMSIG(status);
			else if (WEXITSTATUS(status))
				return -EPERM; /* there was no filter to live under */
			probes[i].done = true;
			return 1;
		}
	return 0;
}

static int run_children(const struct sock_fprog *filter, struct probe *probes, size_t nr)
{
	int err = 1, status;

	while (err > 0) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (!pid)
			child(filter, probes, nr);
		while (waitpid(pid, &status, 0) < 0)
			if (errno != EINTR)
				return -errno;
		err = bury(status, probes, nr);
	}
	return err;
}

/* Children answer in memory that they share: under the filter they may not be able to write. */
static int probe_under(const struct sock_fprog *filter, struct probe *probes, size_t nr)
{
	size_t len = nr * sizeof(*probes);
	struct probe *shared =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err;

	if (shared == MAP_FAILED)
		return -errno;
	memcpy(shared, probes, len);
	err = run_children(filter, shared, nr);
	memcpy(probes, shared, len);
	munmap(shared, len);
	return err;
}

int probe_calls(const struct cJSON *profile, struct probe *probes, size_t nr)
{
	struct sock_fprog filter;
	int err = nr ? seccomp_filter_make(profile, &filter) : 0;

	if (err || !nr)
		return err;
	err = probe_under(&filter, probes, nr);
	free(filter.filter);
	return err;
}

bool probe_has_abi(__u32 abi)
{
#if defined(__x86_64__)
	struct probe p = {.call = {.abi = abi}};
	int nr = syscall_number(abi, "getpid");

	/* the filter sees x32 calls whether the kernel has them or not; int 0x80 may be no call at all */
	if (abi != EV_ABI_COMPAT)
		return true;
	p.call.nr = (__u32)nr;
	return nr >= 0 && !probe_under(NULL, &p, 1) && !p.signal && p.result > 0;
#else
	return abi == EV_ABI_NATIVE;
#endif
}
