// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <linux/mman.h>
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
	{"read", "ixu"},
	{"write", "ixu"},
	{"open", "som"},
	{"close", "i"},
	{"stat", "sx"},
	{"fstat", "ix"},
	{"lstat", "sx"},
	{"poll", "xui"},
	{"lseek", "iii"},
	{"mmap", "xupfii"},
	{"mprotect", "xup"},
	{"munmap", "xu"},
	{"brk", "x"},
	{"rt_sigaction", "gxxu"},
	{"rt_sigprocmask", "ixxu"},
	{"ioctl", "ixx"},
	{"pread64", "ixui"},
	{"pwrite64", "ixui"},
	{"readv", "ixu"},
	{"writev", "ixu"},
	{"access", "sm"},
	{"pipe", "x"},
	{"pipe2", "xo"},
	{"dup", "i"},
	{"dup2", "ii"},
	{"dup3", "iio"},
	{"nanosleep", "xx"},
	{"getpid", ""},
	{"gettid", ""},
	{"getppid", ""},
	{"getuid", ""},
	{"geteuid", ""},
	{"getgid", ""},
	{"getegid", ""},
	{"socket", "aii"},
	{"connect", "ixu"},
	{"accept", "ixx"},
	{"accept4", "ixxi"},
	{"sendto", "ixuixu"},
	{"recvfrom", "ixuixx"},
	{"sendmsg", "ixi"},
	{"recvmsg", "ixi"},
	{"shutdown", "ii"},
	{"bind", "ixu"},
	{"listen", "ii"},
	{"socketpair", "aiix"},
	{"clone", "cxxxx"},
	{"clone3", "xu"},
	{"fork", ""},
	{"vfork", ""},
	{"execve", "sxx"},
	{"execveat", "dsxxi"},
	{"exit", "i"},
	{"exit_group", "i"},
	{"wait4", "ixix"},
	{"waitid", "iixix"},
	{"kill", "ig"},
	{"tkill", "ig"},
	{"tgkill", "iig"},
	{"fcntl", "iix"},
	{"ftruncate", "ii"},
	{"truncate", "si"},
	{"getdents64", "ixu"},
	{"getcwd", "xu"},
	{"chdir", "s"},
	{"fchdir", "i"},
	{"rename", "ss"},
	{"renameat", "dsds"},
	{"renameat2", "dsdsu"},
	{"mkdir", "sm"},
	{"mkdirat", "dsm"},
	{"rmdir", "s"},
	{"creat", "sm"},
	{"link", "ss"},
	{"linkat", "dsdsi"},
	{"unlink", "s"},
	{"unlinkat", "dsi"},
	{"symlink", "ss"},
	{"symlinkat", "sds"},
	{"readlink", "sxu"},
	{"readlinkat", "dsxu"},
	{"chmod", "sm"},
	{"fchmod", "im"},
	{"fchmodat", "dsm"},
	{"chown", "sii"},
	{"fchown", "iii"},
	{"lchown", "sii"},
	{"fchownat", "dsiii"},
	{"umask", "m"},
	{"setuid", "i"},
	{"setgid", "i"},
	{"setreuid", "ii"},
	{"setresuid", "iii"},
	{"setresgid", "iii"},
	{"mknod", "smu"},
	{"mknodat", "dsmu"},
	{"mount", "sssMx"},
	{"umount2", "si"},
	{"chroot", "s"},
	{"pivot_root", "ss"},
	{"unshare", "c"},
	{"setns", "ic"},
	{"openat", "dsom"},
	{"openat2", "dsxu"},
	{"newfstatat", "dsxi"},
	{"statx", "dsiux"},
	{"faccessat", "dsm"},
	{"faccessat2", "dsmi"},
	{"utimensat", "dsxi"},
	{"memfd_create", "su"},
	{"prctl", "ixxxx"},
	{"ptrace", "iixx"},
	{"futex", "xiixxi"},
	{"epoll_create1", "o"},
	{"epoll_ctl", "iiix"},
	{"epoll_wait", "ixii"},
	{"epoll_pwait", "ixiixu"},
	{"getrandom", "xuu"},
	{"prlimit64", "iixx"},
	{"set_tid_address", "x"},
	{"set_robust_list", "xu"},
	{"rseq", "xuix"},
	{"arch_prctl", "ix"},
	{"sendfile", "iixu"},
	{"setsockopt", "iiixu"},
	{"getsockopt", "iiixx"},
	{"getsockname", "ixx"},
	{"getpeername", "ixx"},
	{"statfs", "sx"},
	{"fstatfs", "ix"},
	{"capget", "xx"},
	{"capset", "xx"},
	{"seccomp", "uux"},
	{"sched_yield", ""},
};

#define BIT(name)                                                                                  \
	{                                                                                          \
		name, name, #name                                                                  \
	}

static const struct flag_name prot_names[] = {
	BIT(PROT_READ), BIT(PROT_WRITE), BIT(PROT_EXEC), {0, 0, NULL}};
static const struct flag_name map_names[] = {
	{MAP_TYPE, MAP_SHARED, "MAP_SHARED"},
	{MAP_TYPE, MAP_PRIVATE, "MAP_PRIVATE"},
	{MAP_TYPE, MAP_SHARED_VALIDATE, "MAP_SHARED_VALIDATE"},
	BIT(MAP_FIXED),
	BIT(MAP_ANONYMOUS),
	BIT(MAP_GROWSDOWN),
	BIT(MAP_DENYWRITE),
	BIT(MAP_LOCKED),
	BIT(MAP_NORESERVE),
	BIT(MAP_POPULATE),
	BIT(MAP_STACK),
	BIT(MAP_HUGETLB),
	BIT(MAP_FIXED_NOREPLACE),
	{0, 0, NULL},
};

static void put_flags(struct buf *b, const struct flag_name *table, __u64 v)
{
	const char *name;
	bool any = false;

	for (; (name = flag_take(&table, &v)); any = true) {
		if (any)
			buf_char(b, '|');
		buf_str(b, name);
	}
	if (v || !any) {
		if (any)
			buf_char(b, '|');
		buf_hex(b, v);
	}
}

static void put_family(struct buf *b, __u64 v)
{
	static const char *const names[] = {
		[AF_UNSPEC] = "AF_UNSPEC", [AF_UNIX] = "AF_UNIX",	[AF_INET] = "AF_INET",
		[AF_INET6] = "AF_INET6",   [AF_NETLINK] = "AF_NETLINK", [AF_PACKET] = "AF_PACKET",
		[AF_ALG] = "AF_ALG",	   [AF_VSOCK] = "AF_VSOCK"};

	if (v < sizeof(names) / sizeof(names[0]) && names[v])
		buf_str(b, names[v]);
	else
		buf_u64(b, v);
}

/* Reached for every traced call: found by name once, then by number. One thread only. */
static const char *args_of(__u32 sysnr)
{
	static const char *known[3][1024];
	__u32 abi = sysnr >> 16, nr = sysnr & 0xffff;
	const char *name, *args = "xxxxxx";

	if (abi >= 3 || nr >= 1024)
		return args;
	if (known[abi][nr])
		return known[abi][nr];
	name = name_syscall(sysnr);
	for (size_t i = 0; name && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].name, name))
			args = calls[i].args;
	return known[abi][nr] = args;
}

/* Registers are 64 bits wide; an int in one may have anything above its 32. */
static void put_int(struct buf *b, __u64 v)
{
	buf_i64(b, v >> 32 ? (__s64)v : (int)v);
}

static void put_dirfd(struct buf *b, __u64 v)
{
	if ((int)v == AT_FDCWD)
		buf_str(b, "AT_FDCWD");
	else
		buf_i64(b, (int)v);
}

static void put_unsigned(struct buf *b, __u64 v)
{
	buf_u64(b, v);
}

static void put_hex(struct buf *b, __u64 v)
{
	buf_hex(b, v);
}

static void put_oflags(struct buf *b, __u64 v)
{
	put_flags(b, flag_names(FT_oflags), (__u32)v);
}

static void put_cloneflags(struct buf *b, __u64 v)
{
	put_flags(b, flag_names(FT_cloneflags), v);
}

static void put_mntflags(struct buf *b, __u64 v)
{
	put_flags(b, flag_names(FT_mntflags), (__u32)v);
}

static void put_mode(struct buf *b, __u64 v)
{
	buf_digits(b, v, 8, v & 0170000 ? 7 : 4);
}

static void put_signal(struct buf *b, __u64 v)
{
	const char *name = name_signal((unsigned int)v);

	if (name)
		buf_str(b, name);
	else
		buf_i64(b, (int)v);
}

static void put_prot(struct buf *b, __u64 v)
{
	if (v)
		put_flags(b, prot_names, v);
	else
		buf_str(b, "PROT_NONE");
}

static void put_map(struct buf *b, __u64 v)
{
	put_flags(b, map_names, v);
}

static void (*const putters[128])(struct buf *b, __u64 v) = {
	['i'] = put_int,	['u'] = put_unsigned, ['d'] = put_dirfd,  ['o'] = put_oflags,
	['c'] = put_cloneflags, ['M'] = put_mntflags, ['m'] = put_mode,	  ['g'] = put_signal,
	['p'] = put_prot,	['f'] = put_map,      ['a'] = put_family, ['x'] = put_hex,
	['s'] = put_hex,
};

void sysargs_format(struct buf *b, const struct ev_hdr *hdr, const struct ev_sysargs *a, bool json)
{
	const char *how = args_of(a->nr);
	unsigned int next = 0;

	if (json)
		buf_char(b, '[');
	for (unsigned int i = 0; i < 6 && how[i]; i++) {
		const char *str = NULL;
		size_t len;

		if (i)
			buf_str(b, json ? "," : ", ");
		if (a->str_mask >> i & 1 && next < 2)
			str = record_bytes(hdr, a->s[next++], &len);
		if (str) {
			value_word(b, str, len, json ? FORM_JSON : FORM_PLAIN);
			continue;
		}
		if (json)
			buf_char(b, '"');
		putters[(unsigned char)how[i]](b, a->a[i]);
		if (json)
			buf_char(b, '"');
	}
	if (json)
		buf_char(b, ']');
}
