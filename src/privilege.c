// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "log.h"
#include "privilege.h"

#define NICE	 (-10)
#define CAP_LAST 63 /* of two 32-bit words */

#ifndef CAP_BPF
#define CAP_BPF 39
#endif
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif

/* What is still done while recording, and what for. */
static const int kept[] = {
	CAP_BPF, /* bpf(2): counters out of their maps, the iterator over what is open at the end */
	CAP_SYS_PTRACE, /* /proc/PID/root and syscall of whoever runs in a container */
	CAP_DAC_READ_SEARCH, /* the runtimes' state files, of other users too */
	CAP_DAC_OVERRIDE, /* an output directory that is another user's: sudo ebpfmon -o report.json */
	CAP_FOWNER, /* an older report of another user's in a sticky directory */
};

#define NR(a) (sizeof(a) / sizeof((a)[0]))

const char *privilege_missing(void)
{
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {};
	unsigned long long have;

	if (syscall(SYS_capget, &hdr, data))
		return NULL;
	have = data[0].effective | (unsigned long long)data[1].effective << 32;
	if (have >> CAP_SYS_ADMIN & 1) /* stands for both */
		return NULL;
	return !(have >> CAP_BPF & 1)	    ? "CAP_BPF"
	       : !(have >> CAP_PERFMON & 1) ? "CAP_PERFMON"
					    : NULL;
}

/*
 * A container that forks without end would otherwise get most of every CPU. Tasks of different
 * sessions compete as sessions first (sched(7), autogroup): that of a service is its own.
 */
static void raise_priority(void)
{
	int fd;

	if (getpriority(PRIO_PROCESS, 0) > NICE && setpriority(PRIO_PROCESS, 0, NICE))
		log_debug("cannot raise the priority: %s", strerror(errno));
	if (getsid(0) != getpid())
		return;
	fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && dprintf(fd, "%d", NICE) < 0)
		log_debug("cannot raise the session's priority: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* What is left of CAP_SYS_NICE: the lowest real-time priority, for loader_hold_cpu(). */
static void keep_realtime(void)
{
	struct rlimit limit = {1, 1};

	if (setrlimit(RLIMIT_RTPRIO, &limit))
		log_debug("cannot set RLIMIT_RTPRIO: %s", strerror(errno));
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {};
	unsigned long long keep = 0;

	for (size_t i = 0; i < NR(kept); i++)
		keep |= 1ULL << kept[i];
	for (int cap = 0; cap <= CAP_LAST;
	     cap++) /* nothing is executed again: the set stays empty */
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &hdr, data)) {
		log_warn("cannot read the own capabilities: %s", strerror(errno));
		return;
	}
	if (!(data[CAP_BPF / 32].permitted & 1U << CAP_BPF % 32))
		keep |= 1ULL << CAP_SYS_ADMIN; /* which then stands for it */
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= keep >> 32 * i;
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &hdr, data))
		log_warn("cannot drop capabilities: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		log_warn("cannot set no_new_privs: %s", strerror(errno));
}

/* ---- the filter ---- */

/* What the loop, the sinks, /proc, libc and libbpf call. */
static const char *const calls[] = {
	"access",
	"brk",
	"clock_gettime",
	"clock_nanosleep",
	"close",
	"dup",
	"epoll_ctl",
	"epoll_pwait",
	"epoll_wait",
	"exit",
	"exit_group",
	"faccessat",
	"faccessat2",
	"fcntl",
	"fstat",
	"fstatfs",
	"fsync",
	"ftruncate",
	"futex",
	"getdents64",
	"geteuid",
	"getpid",
	"getrandom",
	"gettid",
	"ioctl",
	"linkat",
	"lseek",
	"lstat",
	"madvise",
	"mkdir",
	"mkdirat",
	"mmap",
	"mprotect",
	"mremap",
	"munmap",
	"newfstatat",
	"open",
	"openat",
	"openat2",
	"poll",
	"ppoll",
	"pread64",
	"pwrite64",
	"read",
	"readlink",
	"readlinkat",
	"readv",
	"rename",
	"renameat",
	"renameat2",
	"restart_syscall",
	"rmdir",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sched_getaffinity",
	"sched_yield",
	"stat",
	"statfs",
	"statx",
	"sysinfo",
	"tgkill",
	"uname",
	"unlink",
	"unlinkat",
	"wait4",
	"write",
	"writev",
	"pwritev2",
	"name_to_handle_at",
	"sync_file_range",
	"sync_file_range2",
	"syncfs",
	"fdatasync",
	"sched_getscheduler",
	"sched_setscheduler",
};

/* No program and no map is made any more. */
static const enum bpf_cmd bpf_commands[] = {
	BPF_MAP_LOOKUP_ELEM,	BPF_MAP_UPDATE_ELEM,  BPF_MAP_DELETE_ELEM,
	BPF_MAP_GET_NEXT_KEY,	BPF_MAP_LOOKUP_BATCH, BPF_MAP_LOOKUP_AND_DELETE_BATCH,
	BPF_OBJ_GET_INFO_BY_FD, BPF_LINK_CREATE,      BPF_ITER_CREATE,
	BPF_LINK_DETACH,
};

/* Anything else ends the process: who gets that far is not ebpfmon any more. */
static int put_filter(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < NR(calls); i++) {
		int nr = seccomp_syscall_resolve_name(calls[i]);

		if (nr >= 0) /* arm64 does not have all of them */
			err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
	}
	for (size_t i = 0; !err && i < NR(bpf_commands); i++) {
		struct scmp_arg_cmp command = {0, SCMP_CMP_EQ, bpf_commands[i], 0};

		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1, command);
	}
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}

int privilege_settle(bool sandbox)
{
	int err;

	raise_priority();
	keep_realtime();
	drop_capabilities();
	if (!sandbox)
		return 0;
	err = put_filter();
	if (err)
		log_error("--sandbox: the kernel does not take the filter: %s", strerror(-err));
	return err;
}
