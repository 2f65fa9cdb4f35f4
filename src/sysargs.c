// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include "names.h"
#include "sysargs.h"
#include "value.h"

/*
 * How each argument is read, a letter each:
 *	i number  u unsigned  x hexadecimal (addresses)  d directory descriptor  s string
 *	o open flags  c clone flags  m mode  g signal  p mmap protection  f mmap flags  a address family  M mount flags
 */
static const struct {
	const char *name, *args;
} calls[] = {
	{"read", "ixu"}, {"write", "ixu"}, {"open", "som"}, {"close", "i"}, {"stat", "sx"}, {"fstat", "ix"},
	{"lstat", "sx"}, {"poll", "xui"}, {"lseek", "iii"}, {"mmap", "xupfii"}, {"mprotect", "xup"},
	{"munmap", "xu"}, {"brk", "x"}, {"rt_sigaction", "gxxu"}, {"rt_sigprocmask", "ixxu"}, {"ioctl", "ixx"},
	{"pread64", "ixui"}, {"pwrite64", "ixui"}, {"readv", "ixu"}, {"writev", "ixu"}, {"access", "sm"},
	{"pipe", "x"}, {"pipe2", "xo"}, {"dup", "i"}, {"dup2", "ii"}, {"dup3", "iio"}, {"nanosleep", "xx"},
	{"getpid", ""}, {"gettid", ""}, {"getppid", ""}, {"getuid", ""}, {"geteuid", ""}, {"getgid", ""},
	{"getegid", ""}, {"socket", "aii"}, {"connect", "ixu"}, {"accept", "ixx"}, {"accept4", "ixxi"},
	{"sendto", "ixuixu"}, {"recvfrom", "ixuixx"}, {"sendmsg", "ixi"}, {"recvmsg", "ixi"}, {"shutdown", "ii"},
	{"bind", "ixu"}, {"listen", "ii"}, {"socketpair", "aiix"}, {"clone", "cxxxx"}, {"clone3", "xu"}, {"fork", ""},
	{"vfork", ""}, {"execve", "sxx"}, {"execveat", "dsxxi"}, {"exit", "i"}, {"exit_group", "i"},
	{"wait4", "ixix"}, {"waitid", "iixix"}, {"kill", "ig"}, {"tkill", "ig"}, {"tgkill", "iig"}, {"fcntl", "iix"},
	{"ftruncate", "ii"}, {"truncate", "si"}, {"getdents64", "ixu"}, {"getcwd", "xu"}, {"chdir", "s"},
	{"fchdir", "i"}, {"rename", "ss"}, {"renameat", "dsds"}, {"renameat2", "dsdsu"}, {"mkdir", "sm"},
	{"mkdirat", "dsm"}, {"rmdir", "s"}, {"creat", "sm"}, {"link", "ss"}, {"linkat", "dsdsi"}, {"unlink", "s"},
	{"unlinkat", "dsi"}, {"symlink", "ss"}, {"symlinkat", "sds"}, {"readlink", "sxu"}, {"readlinkat", "dsxu"},
	{"chmod", "sm"}, {"fchmod", "im"}, {"fchmodat", "dsm"}, {"chown", "sii"}, {"fchown", "iii"},
	{"lchown", "sii"}, {"fchownat", "dsiii"}, {"umask", "m"}, {"setuid", "i"}, {"setgid", "i"},
	{"setreuid", "ii"}, {"setresuid", "iii"}, {"setresgid", "iii"}, {"mknod", "smu"}, {"mknodat", "dsmu"},
	{"mount", "sssMx"}, {"umount2", "si"}, {"chroot", "s"}, {"pivot_root", "ss"}, {"unshare", "c"}, {"setns", "ic"},
	{"openat", "dsom"}, {"openat2", "dsxu"}, {"newfstatat", "dsxi"}, {"statx", "dsiux"}, {"faccessat", "dsm"},
	{"faccessat2", "dsmi"}, {"utimensat", "dsxi"}, {"memfd_create", "su"}, {"prctl", "ixxxx"}, {"ptrace", "iixx"},
	{"futex", "xiixxi"}, {"epoll_create1", "o"}, {"epoll_ctl", "iiix"}, {"epoll_wait", "ixii"},
	{"epoll_pwait", "ixiixu"}, {"getrandom", "xuu"}, {"prlimit64", "iixx"}, {"set_tid_address", "x"},
	{"set_robust_list", "xu"}, {"rseq", "xuix"}, {"arch_prctl", "ix"}, {"sendfile", "iixu"},
	{"setsockopt", "iiixu"}, {"getsockopt", "iiixx"}, {"getsockname", "ixx"}, {"getpeername", "ixx"},
	{"statfs", "sx"}, {"fstatfs", "ix"}, {"capget", "xx"}, {"capset", "xx"}, {"seccomp", "uux"}, {"sched_yield", ""},
};

struct bit {
	__u64 value;
	const char *name;
};

static const struct bit prot_bits[] = {{PROT_READ, "PROT_READ"}, {PROT_WRITE, "PROT_WRITE"}, {PROT_EXEC, "PROT_EXEC"}, {0, NULL}};
static const struct bit map_bits[] = {{MAP_SHARED, "MAP_SHARED"}, {MAP_PRIVATE, "MAP_PRIVATE"}, {MAP_FIXED, "MAP_FIXED"},
	{MAP_ANONYMOUS, "MAP_ANONYMOUS"}, {MAP_GROWSDOWN, "MAP_GROWSDOWN"}, {MAP_DENYWRITE, "MAP_DENYWRITE"},
	{MAP_LOCKED, "MAP_LOCKED"}, {MAP_NORESERVE, "MAP_NORESERVE"}, {MAP_POPULATE, "MAP_POPULATE"},
	{MAP_STACK, "MAP_STACK"}, {MAP_HUGETLB, "MAP_HUGETLB"}, {0, NULL}};

static void put_bits(struct buf *b, const struct bit *bits, __u64 v)
{
	bool any = false;

	for (; bits->name; bits++)
		if (v & bits->value) {
			buf_printf(b, "%s%s", any ? "|" : "", bits->name);
			v &= ~bits->value;
			any = true;
		}
	if (v || !any)
		buf_printf(b, any ? "|0x%llx" : "0x%llx", v);
}

static void put_flags(struct buf *b, enum field_type type, __u64 v)
{
	__u64 rest = v;
	bool any = false;

	for (const struct flag_name *n = flag_names(type); n->name; n++)
		if ((v & n->mask) == n->value && ((rest & n->value) || !n->value)) {
			buf_printf(b, "%s%s", any ? "|" : "", n->name);
			rest &= ~n->value;
			any = true;
		}
	if (rest || !any)
		buf_printf(b, any ? "|0x%llx" : "0x%llx", rest);
}

static void put_family(struct buf *b, __u64 v)
{
	static const char *const names[] = {[AF_UNSPEC] = "AF_UNSPEC", [AF_UNIX] = "AF_UNIX", [AF_INET] = "AF_INET",
		[AF_INET6] = "AF_INET6", [AF_NETLINK] = "AF_NETLINK", [AF_PACKET] = "AF_PACKET", [AF_ALG] = "AF_ALG", [AF_VSOCK] = "AF_VSOCK"};

	if (v < sizeof(names) / sizeof(names[0]) && names[v])
		buf_str(b, names[v]);
	else
		buf_u64(b, v);
}

static const char *args_of(__u32 sysnr)
{
	const char *name = name_syscall(sysnr);

	for (size_t i = 0; name && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].name, name))
			return calls[i].args;
	return "xxxxxx";
}

static void put_one(struct buf *b, char how, __u64 v)
{
	switch (how) {
	case 'i': buf_i64(b, (int)v == (__s64)v || v >> 32 == 0 ? (int)v : (__s64)v); break;
	case 'u': buf_u64(b, v); break;
	case 'd':
		if ((int)v == AT_FDCWD)
			buf_str(b, "AT_FDCWD");
		else
			buf_i64(b, (int)v);
		break;
	case 'o': put_flags(b, FT_oflags, (__u32)v); break;
	case 'c': put_flags(b, FT_cloneflags, (__u32)v & ~0xffu); break;
	case 'M': put_flags(b, FT_mntflags, (__u32)v); break;
	case 'm': buf_printf(b, "0%llo", v & 07777777); break;
	case 'g':
		if (name_signal(v))
			buf_str(b, name_signal(v));
		else
			buf_i64(b, (int)v);
		break;
	case 'p': put_bits(b, prot_bits, v); break;
	case 'f': put_bits(b, map_bits, v); break;
	case 'a': put_family(b, v); break;
	default: buf_printf(b, "0x%llx", v);
	}
}

void sysargs_format(struct buf *b, const struct ev_hdr *hdr, const struct ev_sysargs *a, bool json)
{
	const char *how = args_of(a->nr);
	unsigned int next = 0;

	if (json)
		buf_char(b, '[');
	for (unsigned int i = 0; i < 6 && how[i]; i++) {
		if (i)
			buf_str(b, json ? "," : ", ");
		if (json)
			buf_char(b, '"');
		if (a->str_mask >> i & 1 && next < 2) {
			size_t len;
			const char *s = record_bytes(hdr, a->s[next++], &len);

			if (s)
				value_json_bytes(b, s, len);
			else
				buf_printf(b, "0x%llx", a->a[i]);
		} else {
			put_one(b, how[i] == 's' ? 'x' : how[i], a->a[i]);
		}
		if (json)
			buf_char(b, '"');
	}
	if (json)
		buf_char(b, ']');
}
