// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "capability_probe.h"

#define OTHER	    65534 /* somebody else's user and group */
#define OTHERS_FILE "/tmp/other"
#define CHILD_SECS  5

/*
 * What operations find: made while the child still has all capabilities, in namespaces of its own. -1 where
 * it could not be: then the operation fails otherwise, and proves nothing.
 */
struct stage {
	int file; /* OTHERS_FILE: mode 0 */
	int own; /* of ours, but of OTHER's group */
	pid_t process; /* of OTHER's */
	int queue; /* of OTHER's, mode 0 */
};

/* ---- operations: 0, or -errno; EPERM and EACCES are the kernel's no ---- */

static long result(long r)
{
	return r < 0 ? -errno : 0;
}

/* A call that is made to fail with @err: so it does when nothing forbids it. */
static long wants(long r, int err)
{
	return r < 0 && errno == err ? 0 : result(r);
}

static long op_chown(const struct stage *s)
{
	return result(fchown(s->own, OTHER, (gid_t)-1));
}

static long op_dac_override(const struct stage *s)
{
	(void)s;
	return result(open(OTHERS_FILE, O_WRONLY | O_CLOEXEC));
}

static long op_dac_read_search(const struct stage *s)
{
	(void)s;
	return result(open(OTHERS_FILE, O_RDONLY | O_CLOEXEC));
}

static long op_fowner(const struct stage *s)
{
	return result(fchmod(s->file, 0));
}

/* Without, it does not fail: the bit is not set. */
static long op_fsetid(const struct stage *s)
{
	struct stat st;

	if (fchmod(s->own, 02755) || fstat(s->own, &st))
		return -EIO;
	return st.st_mode & S_ISGID ? 0 : -EPERM;
}

static long op_kill(const struct stage *s)
{
	return result(kill(s->process, 0));
}

static long op_setgid(const struct stage *s)
{
	gid_t other = OTHER;

	(void)s;
	return result(syscall(SYS_setgroups, 1, &other));
}

static long op_setuid(const struct stage *s)
{
	(void)s;
	return result(syscall(SYS_setresuid, -1, OTHER, -1));
}

static long op_setpcap(const struct stage *s)
{
	(void)s;
	return result(prctl(PR_CAPBSET_DROP, CAP_WAKE_ALARM, 0, 0, 0));
}

static long op_linux_immutable(const struct stage *s)
{
	int flags = FS_APPEND_FL;

	return result(ioctl(s->own, FS_IOC_SETFLAGS, &flags));
}

static long op_net_bind_service(const struct stage *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(1)};

	(void)s;
	return result(bind(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&a,
			   sizeof(a)));
}

static long op_net_admin(const struct stage *s)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	(void)s;
	return result(ioctl(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), SIOCSIFFLAGS, &r));
}

static long op_net_raw(const struct stage *s)
{
	(void)s;
	return result(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
}

static long op_ipc_lock(const struct stage *s)
{
	struct rlimit none = {0, 0};
	char byte;

	(void)s;
	return setrlimit(RLIMIT_MEMLOCK, &none) ? -EIO : result(mlock(&byte, 1));
}

static long op_ipc_owner(const struct stage *s)
{
	struct msqid_ds d;

	return result(msgctl(s->queue, IPC_STAT, &d));
}

/* Not even a module's name is looked up without. */
static long op_sys_module(const struct stage *s)
{
	(void)s;
	return wants(syscall(SYS_delete_module, "", O_NONBLOCK), ENOENT);
}

static long op_sys_chroot(const struct stage *s)
{
	(void)s;
	return result(chroot("/"));
}

static long op_sys_ptrace(const struct stage *s)
{
	return result(syscall(SYS_kcmp, getpid(), s->process, 1 /* KCMP_VM */, 0, 0));
}

static long op_sys_admin(const struct stage *s)
{
	(void)s;
	return result(sethostname("x", 1));
}

/* With a wrong magic number, so that nothing comes of it. */
static long op_sys_boot(const struct stage *s)
{
	(void)s;
	return wants(syscall(SYS_reboot, 0, 0, 0, NULL), EINVAL);
}

static long op_sys_nice(const struct stage *s)
{
	(void)s;
	return result(setpriority(PRIO_PROCESS, 0, -1));
}

static long op_sys_resource(const struct stage *s)
{
	struct rlimit less = {10, 10}, more = {10, 11};

	(void)s;
	return setrlimit(RLIMIT_CORE, &less) ? -EIO : result(setrlimit(RLIMIT_CORE, &more));
}

/* Sets neither the time nor the zone. */
static long op_sys_time(const struct stage *s)
{
	(void)s;
	return result(syscall(SYS_settimeofday, NULL, NULL));
}

/* There is no terminal to hang up. */
static long op_sys_tty_config(const struct stage *s)
{
	(void)s;
	return result(vhangup());
}

static long op_mknod(const struct stage *s)
{
	(void)s;
	return result(mknod("/tmp/null", S_IFCHR | 0600, makedev(1, 3)));
}

static long op_lease(const struct stage *s)
{
	return result(fcntl(s->file, F_SETLEASE, F_RDLCK));
}

/* The kernel's answer to a message to its audit. */
static long ask_audit(__u16 type)
{
	struct {
		struct nlmsghdr head;
		char text[8];
	} ask = {{sizeof(ask), type, NLM_F_REQUEST | NLM_F_ACK, 1, 0}, "probe"};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr err;
		char rest[512];
	} got = {0};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);

	if (fd < 0 || send(fd, &ask, sizeof(ask), 0) < 0 ||
	    recv(fd, &got, sizeof(got), MSG_DONTWAIT) < (ssize_t)sizeof(got.head))
		return -EIO;
	return got.head.nlmsg_type == NLMSG_ERROR ? got.err.error : 0;
}

static long op_audit_write(const struct stage *s)
{
	(void)s;
	return ask_audit(AUDIT_USER);
}

static long op_audit_control(const struct stage *s)
{
	(void)s;
	return ask_audit(AUDIT_GET);
}

static long op_audit_read(const struct stage *s)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = 1 /* AUDIT_NLGRP_READLOG */};

	(void)s;
	return result(bind(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT),
			   (struct sockaddr *)&a, sizeof(a)));
}

static long op_setfcap(const struct stage *s)
{
	struct vfs_cap_data none = {VFS_CAP_REVISION_2, {{0, 0}, {0, 0}}};

	return result(fsetxattr(s->own, "security.capability", &none, sizeof(none), 0));
}

static long op_syslog(const struct stage *s)
{
	(void)s;
	return result(klogctl(1 /* SYSLOG_ACTION_OPEN: does nothing */, NULL, 0));
}

static long op_wake_alarm(const struct stage *s)
{
	(void)s;
	return result(timerfd_create(CLOCK_BOOTTIME_ALARM, TFD_CLOEXEC));
}

/* An empty one, which nobody takes. */
static long op_bpf(const struct stage *s)
{
	union bpf_attr none = {0};

	(void)s;
	return wants(syscall(SYS_bpf, BPF_BTF_LOAD, &none, sizeof(none)), EINVAL);
}

/*
 * One operation for each capability that has one which nothing else is needed for. Left out are those
 * that only security modules ask for (MAC_*), that hardware or a file on a disk is needed for, and that the
 * host's settings may give to everybody (PERFMON). @stronger does as well.
 */
static const struct {
	unsigned int cap, stronger;
	const char *what;
	long (*make)(const struct stage *s);
} operations[] = {
	{CAP_CHOWN, CAP_CHOWN, "chown", op_chown},
	{CAP_DAC_OVERRIDE, CAP_DAC_OVERRIDE, "open for writing, mode 0", op_dac_override},
	{CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE, "open for reading, mode 0", op_dac_read_search},
	{CAP_FOWNER, CAP_FOWNER, "chmod of another's file", op_fowner},
	{CAP_FSETID, CAP_FSETID, "set-group-id of another group", op_fsetid},
	{CAP_KILL, CAP_KILL, "kill", op_kill},
	{CAP_SETGID, CAP_SETGID, "setgroups", op_setgid},
	{CAP_SETUID, CAP_SETUID, "setresuid", op_setuid},
	{CAP_SETPCAP, CAP_SETPCAP, "prctl(PR_CAPBSET_DROP)", op_setpcap},
	{CAP_LINUX_IMMUTABLE, CAP_LINUX_IMMUTABLE, "append-only flag", op_linux_immutable},
	{CAP_NET_BIND_SERVICE, CAP_NET_BIND_SERVICE, "bind to port 1", op_net_bind_service},
	{CAP_NET_ADMIN, CAP_NET_ADMIN, "interface up", op_net_admin},
	{CAP_NET_RAW, CAP_NET_RAW, "raw socket", op_net_raw},
	{CAP_IPC_LOCK, CAP_IPC_LOCK, "mlock beyond the limit", op_ipc_lock},
	{CAP_IPC_OWNER, CAP_IPC_OWNER, "another's message queue", op_ipc_owner},
	{CAP_SYS_MODULE, CAP_SYS_MODULE, "delete_module", op_sys_module},
	{CAP_SYS_CHROOT, CAP_SYS_CHROOT, "chroot", op_sys_chroot},
	{CAP_SYS_PTRACE, CAP_SYS_PTRACE, "kcmp with another's process", op_sys_ptrace},
	{CAP_SYS_ADMIN, CAP_SYS_ADMIN, "sethostname", op_sys_admin},
	{CAP_SYS_BOOT, CAP_SYS_BOOT, "reboot", op_sys_boot},
	{CAP_SYS_NICE, CAP_SYS_NICE, "setpriority", op_sys_nice},
	{CAP_SYS_RESOURCE, CAP_SYS_RESOURCE, "a higher limit", op_sys_resource},
	{CAP_SYS_TIME, CAP_SYS_TIME, "settimeofday", op_sys_time},
	{CAP_SYS_TTY_CONFIG, CAP_SYS_TTY_CONFIG, "vhangup", op_sys_tty_config},
	{CAP_MKNOD, CAP_MKNOD, "mknod", op_mknod},
	{CAP_LEASE, CAP_LEASE, "lease of another's file", op_lease},
	{CAP_AUDIT_WRITE, CAP_AUDIT_WRITE, "message to the audit", op_audit_write},
	{CAP_AUDIT_CONTROL, CAP_AUDIT_CONTROL, "state of the audit", op_audit_control},
	{CAP_SETFCAP, CAP_SETFCAP, "capabilities of a file", op_setfcap},
	{CAP_SYSLOG, CAP_SYS_ADMIN, "syslog", op_syslog},
	{CAP_WAKE_ALARM, CAP_WAKE_ALARM, "alarm timer", op_wake_alarm},
	{CAP_AUDIT_READ, CAP_AUDIT_READ, "the audit's multicast", op_audit_read},
	{CAP_BPF, CAP_SYS_ADMIN, "bpf(BPF_BTF_LOAD)", op_bpf},
};

#define NR_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* ---- the child ---- */

static int file_of(const char *path, uid_t user, mode_t mode)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 || fchown(fd, user, OTHER) || fchmod(fd, mode) ? -1 : fd;
}

/*
 * It is that user's when this returns. It ends when its parent does, however that is: PR_SET_PDEATHSIG would
 * not kill it, as the parent may not.
 */
static pid_t other_process(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -1;
	pid = fork();
	if (pid) {
		close(ends[1]);
		return read(ends[0], &byte, 1) == 1 ? pid : -1;
	}
	close(ends[0]);
	if (!syscall(SYS_setresgid, OTHER, OTHER, OTHER) &&
	    !syscall(SYS_setresuid, OTHER, OTHER, OTHER) && write(ends[1], "", 1) == 1)
		while (read(ends[1], &byte, 1) > 0)
			;
	_exit(0);
}

static int other_queue(void)
{
	int q = msgget(IPC_PRIVATE, 0);
	struct msqid_ds d;

	if (q < 0 || msgctl(q, IPC_STAT, &d))
		return -1;
	d.msg_perm.uid = OTHER;
	d.msg_perm.gid = OTHER;
	d.msg_perm.mode = 0;
	return msgctl(q, IPC_SET, &d) ? -1 : q;
}

static void set_up(struct stage *s)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/tmp", "tmpfs", 0, NULL))
		_exit(CAP_UNTRIED);
	s->file = file_of(OTHERS_FILE, OTHER, 0);
	s->own = file_of("/tmp/own", 0, 0600);
	s->process = other_process();
	s->queue = other_queue();
	if (syscall(SYS_setgroups, 0, NULL))
		_exit(CAP_UNTRIED);
}

static bool keep_only(__u64 keep)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct now[2], set[2] = {0};

	if (syscall(SYS_capget, &head, now))
		return false;
	for (int i = 0; i < 2; i++) {
		set[i].permitted = now[i].permitted & (__u32)(keep >> 32 * i);
		set[i].effective = set[i].permitted;
	}
	return !syscall(SYS_capset, &head, set);
}

static void __attribute__((noreturn)) child(__u64 keep, long (*make)(const struct stage *s))
{
	struct stage s = {0};
	long r;

	alarm(CHILD_SECS);
	setsid();
	set_up(&s);
	if (!keep_only(keep))
		_exit(CAP_UNTRIED);
	r = make(&s);
	_exit(!r ? CAP_WENT_THROUGH : r == -EPERM || r == -EACCES ? CAP_REFUSED : CAP_UNTRIED);
}

/* The answer with the capabilities @keep, or -errno. */
static int answer_under(__u64 keep, long (*make)(const struct stage *s))
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		child(keep, make);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : CAP_UNTRIED;
}

int capability_probe(__u64 keep, unsigned int cap, enum capability_answer *answer,
		     const char **what)
{
	int with, without;

	*answer = CAP_UNTRIED;
	*what = NULL;
	for (size_t i = 0; i < NR_OPERATIONS; i++) {
		if (operations[i].cap != cap || keep >> operations[i].stronger & 1)
			continue;
		/* only what goes through with the capability proves something when it does not */
		with = answer_under(keep | 1ull << cap, operations[i].make);
		without = with == CAP_WENT_THROUGH ? answer_under(keep, operations[i].make) : with;
		if (without < 0)
			return without;
		*what = operations[i].what;
		*answer = with == CAP_WENT_THROUGH ? (enum capability_answer)without : CAP_UNTRIED;
	}
	return 0;
}
