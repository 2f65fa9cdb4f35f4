/* SPDX-License-Identifier: GPL-2.0 */
/* Unix sockets: which one a descriptor is, what it is called, and who is at its other end. */
#ifndef EBPFMON_UNIX_BPF_H
#define EBPFMON_UNIX_BPF_H

#include "io.bpf.h"

#define AF_UNIX	       1
#define SOCK_DGRAM     2
#define SOCK_SEQPACKET 5
#define SUN_PATH       2 /* struct sockaddr_un: offset of the name */
#define SUN_PATH_MAX   108

/* The unix socket that @f is, or NULL. */
__inline_always struct sock *file_unix_sock(struct file *f)
{
	struct sock *sk;

	if (!f || (BPF_CORE_READ(f, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	sk = file_sock(f); /* NULL: a name in the file system, opened with O_PATH */
	return sk && BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX ? sk : NULL;
}

__inline_always __u32 unix_kind(struct sock *sk)
{
	switch (BPF_CORE_READ(sk, sk_type)) {
	case SOCK_STREAM: return IPCKIND_UNIX_STREAM;
	case SOCK_DGRAM: return IPCKIND_UNIX_DGRAM;
	case SOCK_SEQPACKET: return IPCKIND_UNIX_SEQPACKET;
	}
	return IPCKIND_OTHER;
}

/* Inode of a socket's descriptor; 0 before accept(2) gave it one, and after it was closed. */
__inline_always __u64 sock_ino(struct sock *sk)
{
	struct socket *sock = BPF_CORE_READ(sk, sk_socket);
	struct socket_alloc *both;

	if (!sock)
		return 0;
	both = (void *)sock - bpf_core_field_offset(struct socket_alloc, socket);
	return BPF_CORE_READ(both, vfs_inode.i_ino);
}

__inline_always struct sock *unix_peer(struct sock *sk)
{
	struct unix_sock *u = (struct unix_sock *)sk;

	return READ_ADDRESS(u, peer);
}

/*
 * Who is at the other end, as SO_PEERCRED has it: who called connect(2), who called listen(2), who
 * called socketpair(2). Datagram sockets keep nobody.
 */
__inline_always __u32 unix_peer_pid(struct sock *sk)
{
	struct pid *pid = BPF_CORE_READ(sk, sk_peer_pid);

	return pid ? BPF_CORE_READ(pid, numbers[0].nr) : 0;
}

/* Appends the name of socket @sk at s->off; returns path flags. A function of its own: verified once. */
__attribute__((noinline)) int unix_name(__u64 sk)
{
	struct unix_sock *u = (struct unix_sock *)sk;
	struct unix_address *addr = BPF_CORE_READ(u, addr);
	struct dentry *dentry = BPF_CORE_READ(u, path.dentry);
	struct scratch *s = scratch_get();
	struct ev_ref ref;
	char *dst;
	__u32 len;
	long n;

	dst = s ? tail_room(s) : NULL;
	if (!dst || !addr)
		return 0;
	if (dentry)
		return tail_path(s, &ref, NULL, dentry, BPF_CORE_READ(u, path.mnt));
	len = BPF_CORE_READ(addr, len) - SUN_PATH;
	if (!len || len > SUN_PATH_MAX)
		return 0;
	bound(len, 127);
	if (bpf_probe_read_kernel(dst, len, (void *)addr->name + SUN_PATH))
		return 0;
	if (!dst[0]) {
		s->off += len;
		return 0;
	}
	/* closed: it has let go of its file; the letters of the path are left */
	n = bpf_probe_read_kernel_str(dst, SUN_PATH_MAX, (void *)addr->name + SUN_PATH);
	if (n > 1)
		s->off += n - 1;
	return PATH_ARGUMENT;
}

/*
 * The name that a socket is bound to; none: an empty string. Returns path flags. A path is that of the
 * file in the tree; when that is not in this mount namespace's (PATH_UNREACHABLE), as those see it
 * who bound it. An abstract name is as the kernel has it: beginning with a NUL, which no path does,
 * and which record_normalise() makes '@'.
 */
__inline_always __u32 tail_unix_name(struct scratch *s, struct ev_ref *ref, struct sock *sk)
{
	__u32 off = s->off, flags = unix_name((__u64)sk);

	if (s->off != off) {
		ref->off = off;
		ref->len = s->off - off;
	}
	return flags;
}

/* A name as a caller gave it, in a struct sockaddr_un of @len bytes. Returns path flags. */
__inline_always __u32 tail_unix_arg(struct scratch *s, struct ev_ref *ref, __u64 uaddr, __u32 len)
{
	char *dst = tail_room(s);
	__u16 family = 0;
	char first = 0;

	len -= SUN_PATH;
	if (!dst || !uaddr || !len || len > SUN_PATH_MAX)
		return 0;
	bound(len, 127);
	bpf_probe_read_user(&family, sizeof(family), (void *)uaddr);
	if (family != AF_UNIX)
		return 0;
	bpf_probe_read_user(&first, 1, (void *)uaddr + SUN_PATH);
	if (first)
		return tail_path_arg(s, ref, EV_AT_FDCWD, (void *)uaddr + SUN_PATH, len + 1);
	if (!bpf_probe_read_user(dst, len, (void *)uaddr + SUN_PATH))
		tail_take(s, ref, len);
	return 0;
}

#endif
