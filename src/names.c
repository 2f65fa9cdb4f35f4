// SPDX-License-Identifier: MIT
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "names.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- errno ---- */

/* Results that a tracer sees and no program does: the kernel turns them into EINTR or a restart. */
static const struct {
	int err;
	const char *name;
} kernel_errors[] = {
	{512, "ERESTARTSYS"},
	{513, "ERESTARTNOINTR"},
	{514, "ERESTARTNOHAND"},
	{515, "ENOIOCTLCMD"},
	{516, "ERESTART_RESTARTBLOCK"},
	{517, "EPROBE_DEFER"},
	{521, "EBADHANDLE"},
	{524, "ENOTSUPP"},
	{529, "EIOCBQUEUED"},
};

const char *name_errno(int err)
{
	const char *name;

	if (err < 0 && err > -4096)
		err = -err;
	name = strerrorname_np(err);
	for (size_t i = 0; !name && i < COUNT(kernel_errors); i++)
		if (kernel_errors[i].err == err)
			name = kernel_errors[i].name;
	return name;
}

/* ---- signals ---- */

static const char *const signal_names[] = {
	[1] = "SIGHUP", "SIGINT",    "SIGQUIT",	 "SIGILL",   "SIGTRAP",	  "SIGABRT",  "SIGBUS",
	"SIGFPE",	"SIGKILL",   "SIGUSR1",	 "SIGSEGV",  "SIGUSR2",	  "SIGPIPE",  "SIGALRM",
	"SIGTERM",	"SIGSTKFLT", "SIGCHLD",	 "SIGCONT",  "SIGSTOP",	  "SIGTSTP",  "SIGTTIN",
	"SIGTTOU",	"SIGURG",    "SIGXCPU",	 "SIGXFSZ",  "SIGVTALRM", "SIGPROF",  "SIGWINCH",
	"SIGIO",	"SIGPWR",    "SIGSYS",	 "SIGRT_0",  "SIGRT_1",	  "SIGRT_2",  "SIGRT_3",
	"SIGRT_4",	"SIGRT_5",   "SIGRT_6",	 "SIGRT_7",  "SIGRT_8",	  "SIGRT_9",  "SIGRT_10",
	"SIGRT_11",	"SIGRT_12",  "SIGRT_13", "SIGRT_14", "SIGRT_15",  "SIGRT_16", "SIGRT_17",
	"SIGRT_18",	"SIGRT_19",  "SIGRT_20", "SIGRT_21", "SIGRT_22",  "SIGRT_23", "SIGRT_24",
	"SIGRT_25",	"SIGRT_26",  "SIGRT_27", "SIGRT_28", "SIGRT_29",  "SIGRT_30", "SIGRT_31",
	"SIGRT_32",
};

const char *name_signal(unsigned int sig)
{
	return sig < COUNT(signal_names) ? signal_names[sig] : NULL;
}

/* ---- capabilities: include/uapi/linux/capability.h ---- */

static const char *const capability_names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

const char *name_capability(unsigned int cap)
{
	return cap < COUNT(capability_names) ? capability_names[cap] : NULL;
}

/* ---- system calls ---- */

#if defined(__x86_64__)
static const __u32 archs[] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32};
#elif defined(__aarch64__)
static const __u32 archs[] = {SCMP_ARCH_AARCH64, SCMP_ARCH_ARM, SCMP_ARCH_AARCH64};
#endif

#define NR_MAX 1024

/* Newer than Debian's libseccomp; these numbers are the same on every architecture. */
static const struct {
	__u32 nr;
	const char *name;
} newer[] = {
	{451, "cachestat"},	    {452, "fchmodat2"},	       {453, "map_shadow_stack"},
	{454, "futex_wake"},	    {455, "futex_wait"},       {456, "futex_requeue"},
	{457, "statmount"},	    {458, "listmount"},	       {459, "lsm_get_self_attr"},
	{460, "lsm_set_self_attr"}, {461, "lsm_list_modules"}, {462, "mseal"},
	{463, "setxattrat"},	    {464, "getxattrat"},       {465, "listxattrat"},
	{466, "removexattrat"},	    {467, "open_tree_attr"},   {468, "file_getattr"},
	{469, "file_setattr"},	    {470, "listns"},	       {471, "rseq_slice_yield"},
#ifdef __x86_64__ /* x86-64's own; i386 has other calls there, which libseccomp knows */
	{335, "uretprobe"},	    {336, "uprobe"},
#endif
};

static const char *newer_name(__u32 nr)
{
	for (size_t i = 0; i < COUNT(newer); i++)
		if (newer[i].nr == nr)
			return newer[i].name;
	return NULL;
}

/* libseccomp allocates each name: asked once, kept. Reached from one thread only. */
static const char *cache[COUNT(archs)][NR_MAX];
static bool asked[COUNT(archs)][NR_MAX];

const char *name_syscall(__u32 sysnr)
{
	__u32 abi = sysnr >> 16, nr = sysnr & 0xffff;

	if (abi >= COUNT(archs) || nr >= NR_MAX)
		return NULL;
	if (!asked[abi][nr]) {
		asked[abi][nr] = true;
		cache[abi][nr] = seccomp_syscall_resolve_num_arch(
			archs[abi], abi == EV_ABI_X32 ? nr | EV_X32_BIT : nr);
		if (!cache[abi][nr])
			cache[abi][nr] = newer_name(nr);
	}
	return cache[abi][nr];
}

const char *name_abi(__u32 abi)
{
	static const char *const prefixes[] = {"", "compat:", "x32:"};

	return abi < COUNT(prefixes) ? prefixes[abi] : "";
}

int syscall_number(__u32 abi, const char *name)
{
	int nr;

	if (abi >= COUNT(archs))
		return -1;
	nr = seccomp_syscall_resolve_name_arch(archs[abi], name);
	for (size_t i = 0; nr < 0 && i < COUNT(newer); i++)
		if (!strcmp(newer[i].name, name))
			return newer[i].nr;
	return nr < 0 ? -1 : nr & ~EV_X32_BIT; /* pseudo calls of libseccomp are negative */
}

/* ---- enumerations ---- */

struct enum_name {
	__u64 value;
	const char *name;
};

static const struct enum_name sigcodes[] = {
	{0, "SI_USER"},
	{0x80, "SI_KERNEL"},
	{(__u32)-1, "SI_QUEUE"},
	{(__u32)-2, "SI_TIMER"},
	{(__u32)-3, "SI_MESGQ"},
	{(__u32)-4, "SI_ASYNCIO"},
	{(__u32)-5, "SI_SIGIO"},
	{(__u32)-6, "SI_TKILL"},
	{(__u32)-60, "SI_ASYNCNL"},
	{(__u32)-7, "SI_DETHREAD"},
#define CODE(sig, code)                                                                            \
	{                                                                                          \
		EV_SIGCODE(sig, code), #code                                                       \
	}
	CODE(SIGCHLD, CLD_EXITED),
	CODE(SIGCHLD, CLD_KILLED),
	CODE(SIGCHLD, CLD_DUMPED),
	CODE(SIGCHLD, CLD_TRAPPED),
	CODE(SIGCHLD, CLD_STOPPED),
	CODE(SIGCHLD, CLD_CONTINUED),
	CODE(SIGSEGV, SEGV_MAPERR),
	CODE(SIGSEGV, SEGV_ACCERR),
	CODE(SIGSEGV, SEGV_BNDERR),
	CODE(SIGSEGV, SEGV_PKUERR),
	CODE(SIGBUS, BUS_ADRALN),
	CODE(SIGBUS, BUS_ADRERR),
	CODE(SIGBUS, BUS_OBJERR),
	CODE(SIGBUS, BUS_MCEERR_AR),
	CODE(SIGBUS, BUS_MCEERR_AO),
	CODE(SIGILL, ILL_ILLOPC),
	CODE(SIGILL, ILL_ILLOPN),
	CODE(SIGILL, ILL_ILLADR),
	CODE(SIGILL, ILL_ILLTRP),
	CODE(SIGILL, ILL_PRVOPC),
	CODE(SIGILL, ILL_PRVREG),
	CODE(SIGILL, ILL_COPROC),
	CODE(SIGILL, ILL_BADSTK),
	CODE(SIGFPE, FPE_INTDIV),
	CODE(SIGFPE, FPE_INTOVF),
	CODE(SIGFPE, FPE_FLTDIV),
	CODE(SIGFPE, FPE_FLTOVF),
	CODE(SIGFPE, FPE_FLTUND),
	CODE(SIGFPE, FPE_FLTRES),
	CODE(SIGFPE, FPE_FLTINV),
	CODE(SIGFPE, FPE_FLTSUB),
	CODE(SIGTRAP, TRAP_BRKPT),
	CODE(SIGTRAP, TRAP_TRACE),
	CODE(SIGTRAP, TRAP_BRANCH),
	CODE(SIGTRAP, TRAP_HWBKPT),
	CODE(SIGIO, POLL_IN),
	CODE(SIGIO, POLL_OUT),
	CODE(SIGIO, POLL_MSG),
	CODE(SIGIO, POLL_ERR),
	CODE(SIGIO, POLL_PRI),
	CODE(SIGIO, POLL_HUP),
#undef CODE
	{EV_SIGCODE(SIGSYS, 1), "SYS_SECCOMP"},
	{EV_SIGCODE(SIGSYS, 2), "SYS_USER_DISPATCH"},
	{0, NULL},
};

/* statfs(2), and include/uapi/linux/magic.h */
static const struct enum_name fstypes[] = {
	{0x794c7630, "overlay"},
	{0xef53, "ext4"},
	{0x58465342, "xfs"},
	{0x9123683e, "btrfs"},
	{0x01021994, "tmpfs"},
	{0x858458f6, "ramfs"},
	{0x9fa0, "proc"},
	{0x62656572, "sysfs"},
	{0x63677270, "cgroup2"},
	{0x27e0eb, "cgroup"},
	{0x1cd1, "devpts"},
	{0x19800202, "mqueue"},
	{0x50495045, "pipefs"},
	{0x534f434b, "sockfs"},
	{0x09041934, "anon_inode"},
	{0x6e736673, "nsfs"},
	{0xcafe4a11, "bpf"},
	{0x65735546, "fuse"},
	{0x6969, "nfs"},
	{0x73717368, "squashfs"},
	{0xe0f5e1e2, "erofs"},
	{0xf2f52010, "f2fs"},
	{0x2fc12fc1, "zfs"},
	{0x01021997, "9p"},
	{0x64626720, "debugfs"},
	{0x74726163, "tracefs"},
	{0x73636673, "securityfs"},
	{0x958458f6, "hugetlbfs"},
	{0x4d44, "vfat"},
	{0x9660, "iso9660"},
	{0xff534d42, "cifs"},
	{0xfe534d42, "smb2"},
	{0x5346544e, "ntfs"},
	{0x42494e4d, "binfmt_misc"},
	{0x6165676c, "pstore"},
	{0xde5e81e4, "efivarfs"},
	{0x62656570, "configfs"},
	{0x50494446, "pidfs"},
	{0x5345434d, "secretmem"},
	{0x454d444d, "devmem"},
	{0x6b414653, "afs"},
	{0xc36400, "ceph"},
	{0x2011bab0, "exfat"},
	{0x7366746e, "ntfs3"},
	{0xca451a4e, "bcachefs"},
	{0x0187, "autofs"},
	{0xf15f, "ecryptfs"},
	{0xf97cff8c, "selinuxfs"},
	{0x67596969, "rpc_pipefs"},
	{0x62646576, "bdev"},
	{0x64646178, "dax"},
	{0x444d4142, "dmabuf"},
	{0x7655821, "resctrl"},
	{0x01161970, "gfs2"},
	{0x7461636f, "ocfs2"},
	{0x474d454d, "guest_memfd"},
	{0, NULL},
};

static const struct enum_name families[] = {
	{2, "ipv4"},	 {10, "ipv6"},	 {0, "unspecified"}, {1, "unix"},
	{16, "netlink"}, {17, "packet"}, {40, "vsock"},	     {0, NULL},
};

static const struct enum_name filekinds[] = {
	{FILEKIND_OTHER, "other"},	   {FILEKIND_REGULAR, "regular"},
	{FILEKIND_DIRECTORY, "directory"}, {FILEKIND_SYMLINK, "symlink"},
	{FILEKIND_CHARDEV, "char_device"}, {FILEKIND_BLOCKDEV, "block_device"},
	{FILEKIND_FIFO, "fifo"},	   {FILEKIND_SOCKET, "socket"},
	{FILEKIND_ANON, "anonymous"},	   {0, NULL},
};

static const struct enum_name ipckinds[] = {
	{IPCKIND_OTHER, "other"},
	{IPCKIND_PIPE, "pipe"},
	{IPCKIND_FIFO, "fifo"},
	{IPCKIND_UNIX_STREAM, "unix_stream"},
	{IPCKIND_UNIX_DGRAM, "unix_dgram"},
	{IPCKIND_UNIX_SEQPACKET, "unix_seqpacket"},
	{IPCKIND_EVENTFD, "eventfd"},
	{IPCKIND_MQUEUE, "mqueue"},
	{IPCKIND_SIGNALFD, "signalfd"},
	{IPCKIND_NETLINK, "netlink"},
	{0, NULL},
};

/* include/uapi/linux/ptrace.h, and arch/x86/include/uapi/asm/ptrace-abi.h */
static const struct enum_name ptracereqs[] = {
	{0, "PTRACE_TRACEME"},
	{1, "PTRACE_PEEKTEXT"},
	{2, "PTRACE_PEEKDATA"},
	{3, "PTRACE_PEEKUSER"},
	{4, "PTRACE_POKETEXT"},
	{5, "PTRACE_POKEDATA"},
	{6, "PTRACE_POKEUSER"},
	{7, "PTRACE_CONT"},
	{8, "PTRACE_KILL"},
	{9, "PTRACE_SINGLESTEP"},
	{12, "PTRACE_GETREGS"},
	{13, "PTRACE_SETREGS"},
	{14, "PTRACE_GETFPREGS"},
	{15, "PTRACE_SETFPREGS"},
	{16, "PTRACE_ATTACH"},
	{17, "PTRACE_DETACH"},
	{24, "PTRACE_SYSCALL"},
	{30, "PTRACE_ARCH_PRCTL"},
	{31, "PTRACE_SYSEMU"},
	{32, "PTRACE_SYSEMU_SINGLESTEP"},
	{33, "PTRACE_SINGLEBLOCK"},
	{0x4200, "PTRACE_SETOPTIONS"},
	{0x4201, "PTRACE_GETEVENTMSG"},
	{0x4202, "PTRACE_GETSIGINFO"},
	{0x4203, "PTRACE_SETSIGINFO"},
	{0x4204, "PTRACE_GETREGSET"},
	{0x4205, "PTRACE_SETREGSET"},
	{0x4206, "PTRACE_SEIZE"},
	{0x4207, "PTRACE_INTERRUPT"},
	{0x4208, "PTRACE_LISTEN"},
	{0x4209, "PTRACE_PEEKSIGINFO"},
	{0x420a, "PTRACE_GETSIGMASK"},
	{0x420b, "PTRACE_SETSIGMASK"},
	{0x420c, "PTRACE_SECCOMP_GET_FILTER"},
	{0x420d, "PTRACE_SECCOMP_GET_METADATA"},
	{0x420e, "PTRACE_GET_SYSCALL_INFO"},
	{0, NULL},
};

static const struct enum_name sysvops[] = {
	{SYSVOP_OTHER, "other"},
	{SYSVOP_SHMGET, "shmget"},
	{SYSVOP_SHMAT, "shmat"},
	{SYSVOP_SHMDT, "shmdt"},
	{SYSVOP_SHMCTL, "shmctl"},
	{SYSVOP_MSGGET, "msgget"},
	{SYSVOP_MSGSND, "msgsnd"},
	{SYSVOP_MSGRCV, "msgrcv"},
	{SYSVOP_MSGCTL, "msgctl"},
	{SYSVOP_SEMGET, "semget"},
	{SYSVOP_SEMOP, "semop"},
	{SYSVOP_SEMCTL, "semctl"},
	{0, NULL},
};

static const struct enum_name seccomps[] = {
	{0, "disabled"}, {1, "strict"}, {2, "filter"}, {0, NULL}};

static const struct enum_name capnss[] = {
	{CAPNS_INITIAL, "initial"}, {CAPNS_OWN, "own"}, {CAPNS_OTHER, "other"}, {0, NULL}};

/* include/uapi/linux/io_uring.h: enum io_uring_op */
static const char *const uring_names[] = {
	"nop",
	"readv",
	"writev",
	"fsync",
	"read_fixed",
	"write_fixed",
	"poll_add",
	"poll_remove",
	"sync_file_range",
	"sendmsg",
	"recvmsg",
	"timeout",
	"timeout_remove",
	"accept",
	"async_cancel",
	"link_timeout",
	"connect",
	"fallocate",
	"openat",
	"close",
	"files_update",
	"statx",
	"read",
	"write",
	"fadvise",
	"madvise",
	"send",
	"recv",
	"openat2",
	"epoll_ctl",
	"splice",
	"provide_buffers",
	"remove_buffers",
	"tee",
	"shutdown",
	"renameat",
	"unlinkat",
	"mkdirat",
	"symlinkat",
	"linkat",
	"msg_ring",
	"fsetxattr",
	"setxattr",
	"fgetxattr",
	"getxattr",
	"socket",
	"uring_cmd",
	"send_zc",
	"sendmsg_zc",
	"read_multishot",
	"waitid",
	"futex_wait",
	"futex_wake",
	"futex_waitv",
	"fixed_fd_install",
	"ftruncate",
	"bind",
	"listen",
	"recv_zc",
	"epoll_wait",
	"readv_fixed",
	"writev_fixed",
	"pipe",
};

static const struct enum_name *const enums[FT__MAX] = {
	[FT_sigcode] = sigcodes,   [FT_fstype] = fstypes,   [FT_family] = families,
	[FT_filekind] = filekinds, [FT_ipckind] = ipckinds, [FT_ptracereq] = ptracereqs,
	[FT_sysvop] = sysvops,	   [FT_seccomp] = seccomps, [FT_capns] = capnss,
};

const char *name_enum(enum field_type type, __u64 value)
{
	if (type == FT_sig)
		return name_signal(value);
	if (type == FT_sysnr)
		return name_syscall(value);
	if (type == FT_cap)
		return name_capability(value);
	if (type == FT_uringop)
		return value < COUNT(uring_names) ? uring_names[value] : NULL;
	for (const struct enum_name *e = enums[type]; e && e->name; e++)
		if (e->value == value)
			return e->name;
	return NULL;
}

/* ---- flags ---- */

#define BIT(v, n)                                                                                  \
	{                                                                                          \
		v, v, n                                                                            \
	}

/* include/uapi/asm-generic/fcntl.h; those that differ per architecture as this one has them */
#include <fcntl.h>
#ifdef __aarch64__ /* glibc's O_LARGEFILE is 0 where long has 64 bits; the kernel's is not */
#define KERNEL_O_LARGEFILE 0400000
#else
#define KERNEL_O_LARGEFILE 0100000
#endif
static const struct flag_name oflags[] = {
	{O_ACCMODE, O_RDONLY, "O_RDONLY"},
	{O_ACCMODE, O_WRONLY, "O_WRONLY"},
	{O_ACCMODE, O_RDWR, "O_RDWR"},
	BIT(O_CREAT, "O_CREAT"),
	BIT(O_EXCL, "O_EXCL"),
	BIT(O_NOCTTY, "O_NOCTTY"),
	BIT(O_TRUNC, "O_TRUNC"),
	BIT(O_APPEND, "O_APPEND"),
	BIT(O_NONBLOCK, "O_NONBLOCK"),
	BIT(O_SYNC, "O_SYNC"),
	{O_SYNC, O_DSYNC, "O_DSYNC"},
	BIT(O_ASYNC, "O_ASYNC"),
	BIT(O_DIRECT, "O_DIRECT"),
	BIT(KERNEL_O_LARGEFILE, "O_LARGEFILE"),
	BIT(O_TMPFILE, "O_TMPFILE"),
	{O_TMPFILE, O_DIRECTORY, "O_DIRECTORY"},
	BIT(O_NOFOLLOW, "O_NOFOLLOW"),
	BIT(O_NOATIME, "O_NOATIME"),
	BIT(O_CLOEXEC, "O_CLOEXEC"),
	BIT(O_PATH, "O_PATH"),
	{0, 0, NULL},
};

#include <linux/sched.h>
static const struct flag_name cloneflags[] = {
	BIT(CLONE_VM, "CLONE_VM"),
	BIT(CLONE_FS, "CLONE_FS"),
	BIT(CLONE_FILES, "CLONE_FILES"),
	BIT(CLONE_SIGHAND, "CLONE_SIGHAND"),
	BIT(CLONE_PIDFD, "CLONE_PIDFD"),
	BIT(CLONE_PTRACE, "CLONE_PTRACE"),
	BIT(CLONE_VFORK, "CLONE_VFORK"),
	BIT(CLONE_PARENT, "CLONE_PARENT"),
	BIT(CLONE_THREAD, "CLONE_THREAD"),
	BIT(CLONE_NEWNS, "CLONE_NEWNS"),
	BIT(CLONE_SYSVSEM, "CLONE_SYSVSEM"),
	BIT(CLONE_SETTLS, "CLONE_SETTLS"),
	BIT(CLONE_PARENT_SETTID, "CLONE_PARENT_SETTID"),
	BIT(CLONE_CHILD_CLEARTID, "CLONE_CHILD_CLEARTID"),
	BIT(CLONE_DETACHED, "CLONE_DETACHED"),
	BIT(CLONE_UNTRACED, "CLONE_UNTRACED"),
	BIT(CLONE_CHILD_SETTID, "CLONE_CHILD_SETTID"),
	BIT(CLONE_NEWCGROUP, "CLONE_NEWCGROUP"),
	BIT(CLONE_NEWUTS, "CLONE_NEWUTS"),
	BIT(CLONE_NEWIPC, "CLONE_NEWIPC"),
	BIT(CLONE_NEWUSER, "CLONE_NEWUSER"),
	BIT(CLONE_NEWPID, "CLONE_NEWPID"),
	BIT(CLONE_NEWNET, "CLONE_NEWNET"),
	BIT(CLONE_IO, "CLONE_IO"),
	/* the low byte: clone(2) has the child's exit signal there, unshare(2) and clone3(2) a flag */
	{CSIGNAL, SIGCHLD, "SIGCHLD"},
	{CSIGNAL, CLONE_NEWTIME, "CLONE_NEWTIME"},
	{0, 0, NULL},
};

#include <linux/mount.h>
static const struct flag_name mntflags[] = {
	{0xffff0000, 0xc0ed0000,
	 "MS_MGC_VAL"}, /* old callers' magic; the kernel ignores these bits then */
	BIT(MS_RDONLY, "MS_RDONLY"),
	BIT(MS_NOSUID, "MS_NOSUID"),
	BIT(MS_NODEV, "MS_NODEV"),
	BIT(MS_NOEXEC, "MS_NOEXEC"),
	BIT(MS_SYNCHRONOUS, "MS_SYNCHRONOUS"),
	BIT(MS_REMOUNT, "MS_REMOUNT"),
	BIT(MS_MANDLOCK, "MS_MANDLOCK"),
	BIT(MS_DIRSYNC, "MS_DIRSYNC"),
	BIT(MS_NOATIME, "MS_NOATIME"),
	BIT(MS_NODIRATIME, "MS_NODIRATIME"),
	BIT(MS_BIND, "MS_BIND"),
	BIT(MS_MOVE, "MS_MOVE"),
	BIT(MS_REC, "MS_REC"),
	BIT(MS_SILENT, "MS_SILENT"),
	BIT(MS_UNBINDABLE, "MS_UNBINDABLE"),
	BIT(MS_PRIVATE, "MS_PRIVATE"),
	BIT(MS_SLAVE, "MS_SLAVE"),
	BIT(MS_SHARED, "MS_SHARED"),
	BIT(MS_RELATIME, "MS_RELATIME"),
	BIT(MS_STRICTATIME, "MS_STRICTATIME"),
	BIT(MS_LAZYTIME, "MS_LAZYTIME"),
	BIT(256, "MS_NOSYMFOLLOW"),
	BIT(MS_POSIXACL, "MS_POSIXACL"),
	BIT(MS_KERNMOUNT, "MS_KERNMOUNT"),
	BIT(MS_I_VERSION, "MS_I_VERSION"),
	{0, 0, NULL},
};

static const struct flag_name exeflags[] = {
	BIT(EXE_UPPER, "upper"), BIT(EXE_LOWER, "lower"),     BIT(EXE_MODIFIED, "modified"),
	BIT(EXE_MEMFD, "memfd"), BIT(EXE_DELETED, "deleted"), {0, 0, NULL},
};

static const struct flag_name pathflags[] = {
	BIT(PATH_ARGUMENT, "argument"),	  BIT(PATH_LOOKUP, "lookup"),
	BIT(PATH_DELETED, "deleted"),	  BIT(PATH_UNREACHABLE, "unreachable"),
	BIT(PATH_TRUNCATED, "truncated"), BIT(PATH_UNREADABLE, "unreadable"),
	BIT(PATH_FOLLOW, "follow"),	  BIT(PATH_IN_CALL, "in_call"),
	BIT(PATH_EMPTY, "empty"),	  {0, 0, NULL},
};

static const struct flag_name none[] = {{0, 0, NULL}};

static const struct flag_name *const flags[FT__MAX] = {
	[FT_oflags] = oflags,	  [FT_cloneflags] = cloneflags, [FT_mntflags] = mntflags,
	[FT_exeflags] = exeflags, [FT_pathflags] = pathflags,
};

const struct flag_name *flag_names(enum field_type type)
{
	return flags[type] ? flags[type] : none;
}

const char *flag_take(const struct flag_name **table, __u64 *rest)
{
	for (const struct flag_name *n = *table; n->name; n++)
		if ((*rest & n->mask) == n->value) {
			*rest &= ~n->mask;
			*table = n + 1;
			return n->name;
		}
	return NULL;
}

bool name_in_list(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; len && (p = strstr(p, name)); p += len)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}
