/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Paths, from the kernel's own dentries and mounts up to the root of the task's mount namespace:
 * the true path as the container sees it, whatever the memory of the caller says, and the same
 * one from within a chroot. Names are appended leaf first, each ended by a NUL
 * ("bash\0bin\0usr\0"), one copy per name; user space turns them round (record_normalise()).
 * "/" is one empty name.
 */
#ifndef EBPFMON_PATH_BPF_H
#define EBPFMON_PATH_BPF_H

#include "ev.bpf.h"

/* Names and mounts in one call of path_walk(): more take the verifier longer, in every program. */
#define PATH_STEPS  24
#define PATH_ROUNDS 100 /* calls: 4096 bytes hold 2048 names */
#define PATH_LIMIT  4096 /* bytes; longer paths lose their beginning, and say so */

enum walk { WALK_ON, WALK_END };

__inline_always struct mount *real_mount(struct vfsmount *mnt)
{
	return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

/* At the root of a mount: on to where it is mounted. */
__inline_always enum walk walk_cross(struct scratch *s)
{
	struct mount *m = real_mount((struct vfsmount *)s->walk_mnt);
	struct mount *up = BPF_CORE_READ(m, mnt_parent);

	if (!s->walk_crossed) {
		s->walk_crossed = 1;
		s->walk_mount = s->off - s->walk_begin;
	}
	if (up == m || !up) { /* detached, or of another namespace? */
		if ((__u64)BPF_CORE_READ(m, mnt_ns) != s->walk_ns)
			s->walk_flags |= PATH_UNREACHABLE;
		return WALK_END;
	}
	s->walk_dentry = (__u64)BPF_CORE_READ(m, mnt_mountpoint);
	s->walk_mnt = (__u64)up + bpf_core_field_offset(struct mount, mnt);
	return WALK_ON;
}

#define ONES	   0x0101010101010101ull /* in each byte */
#define NAME_WORDS 2 /* read by plain loads; most names are shorter than that */

/*
 * As bpf_probe_read_kernel_str() of @name, 256 bytes at most: which copies byte by byte. Any struct of
 * whole words will do for the cast. The first byte of a word that is 0 is the lowest whose top bit is set in
 * @zero; multiplying adds up how many are below it.
 */
__inline_always long name_read(__u8 *dst, const unsigned char *name)
{
	const __u64 *words;

	if (!bpf_core_enum_value_exists(enum bpf_func_id___6_2, BPF_FUNC_cgrp_storage_get___6_2))
		return bpf_probe_read_kernel_str(dst, 256, name);
	words = (const __u64 *)KERNEL_CAST((struct pt_regs *)name);
#pragma unroll
	for (int i = 0; i < NAME_WORDS; i++) {
		__u64 w = words[i], zero = (w - ONES) & ~w & ONES << 7;

		((__u64 *)dst)[i] = w;
		if (zero)
			return 8 * i + ((((zero & -zero) - 1) >> 7 & ONES) * ONES >> 56) + 1;
	}
	return bpf_probe_read_kernel_str(dst, 256, name);
}

__inline_always enum walk walk_step(struct scratch *s)
{
	struct dentry *d = (void *)s->walk_dentry, *parent;
	struct vfsmount *vm = (void *)s->walk_mnt;
	__u32 off = s->off;
	long n;

	if (vm && d == BPF_CORE_READ(vm, mnt_root))
		return walk_cross(s);
	n = off < SCRATCH_TAIL
		    ? name_read(&s->buf[off & (SCRATCH_TAIL - 1)], BPF_CORE_READ(d, d_name.name))
		    : 0;
	if (off >= SCRATCH_TAIL || (n > 0 && off + n - s->walk_begin > PATH_LIMIT)) {
		s->walk_flags |= PATH_TRUNCATED;
		return WALK_END;
	}
	if (n > 0)
		s->off = off + n;
	parent = BPF_CORE_READ(d, d_parent);
	if (parent == d || !parent) { /* pipes, memfds: not in any tree */
		s->walk_flags |= PATH_UNREACHABLE;
		return WALK_END;
	}
	s->walk_dentry = (__u64)parent;
	return WALK_ON;
}

/*
 * Some steps of a walk whose state is in the scratch space. A function of its own, without
 * arguments: verified once, whoever calls it, and accepted by 5.10, which has no bpf_loop().
 */
__attribute__((noinline)) int path_walk(void)
{
	struct scratch *s = scratch_get();

	if (!s)
		return WALK_END;
	for (int i = 0; i < PATH_STEPS; i++)
		if (walk_step(s) == WALK_END)
			return WALK_END;
	return WALK_ON;
}

/* The same to its end, for the same reason. */
__attribute__((noinline)) int path_walk_on(void)
{
	struct scratch *s = scratch_get();
	int state = WALK_ON;
	__u32 off;

	if (!s)
		return 0;
	for (int i = 0; i < PATH_ROUNDS && state == WALK_ON; i++)
		state = path_walk();
	if (state == WALK_ON)
		s->walk_flags |= PATH_TRUNCATED;
	off = s->off;
	if (off == s->walk_begin && off < SCRATCH_TAIL) {
		s->buf[off & (SCRATCH_TAIL - 1)] = 0;
		s->off = off + 1;
	}
	if (!s->walk_crossed)
		s->walk_mount = s->off - s->walk_begin;
	return 0;
}

/*
 * Appends the names from @dentry on @mnt up to the root of @t's namespace at s->off. Returns the
 * bytes taken; walk_mount (how many of them lie below the file's own mount) and walk_flags say
 * what it found.
 */
__inline_always __u32 path_walk_for(struct scratch *s, struct task_struct *t, struct dentry *dentry,
				    struct vfsmount *mnt)
{
	s->walk_begin = s->off;
	s->walk_dentry = (__u64)dentry;
	s->walk_mnt = (__u64)mnt;
	s->walk_ns = (__u64)BPF_CORE_READ(t, nsproxy, mnt_ns);
	s->walk_mount = s->walk_crossed = s->walk_flags = 0;
	path_walk_on();
	return s->off - s->walk_begin;
}

__inline_always __u32 path_walk_to_root(struct scratch *s, struct dentry *dentry,
					struct vfsmount *mnt)
{
	return path_walk_for(s, (struct task_struct *)bpf_get_current_task(), dentry, mnt);
}

/* The path of (@dentry, @mnt) into @ref; @mount, when wanted, becomes its prefix that is the mount point. */
__inline_always __u32 tail_path(struct scratch *s, struct ev_ref *ref, struct ev_ref *mount,
				struct dentry *dentry, struct vfsmount *mnt)
{
	__u32 off = s->off;
	__u32 len = path_walk_to_root(s, dentry, mnt);
	__u32 flags = s->walk_flags;

	ref->off = off;
	ref->len = len;
	if (mount) {
		mount->off = off;
		mount->len = len - s->walk_mount ?: 1; /* at the root: "/" */
	}
	/* d_unlinked(): unhashed, and not the root of a tree */
	if (!BPF_CORE_READ(dentry, d_hash.pprev) && BPF_CORE_READ(dentry, d_parent) != dentry)
		flags |= PATH_DELETED;
	return flags;
}

__inline_always __u32 tail_file_path(struct scratch *s, struct ev_ref *ref, struct ev_ref *mount,
				     struct file *f)
{
	return tail_path(s, ref, mount, BPF_CORE_READ(f, f_path.dentry),
			 BPF_CORE_READ(f, f_path.mnt));
}

/* An open file of the current task, or NULL. */
__inline_always struct file *fd_file(int fd)
{
	struct file **table, *f = NULL;
	struct task_struct *t;
	struct fdtable *fdt;
	__u32 max;

	if (bpf_core_enum_value_exists(enum bpf_func_id,
				       BPF_FUNC_get_current_task_btf)) { /* 5.11 */
		t = current_direct();
		fdt = t->files->fdt;
		max = fdt->max_fds;
		table = fdt->fd;
	} else {
		t = (void *)bpf_get_current_task();
		fdt = BPF_CORE_READ(t, files, fdt);
		max = BPF_CORE_READ(fdt, max_fds);
		table = BPF_CORE_READ(fdt, fd);
	}
	if (fd < 0 || (__u32)fd >= max)
		return NULL;
	bpf_probe_read_kernel(&f, sizeof(f), &table[fd]);
	return f;
}

#define EV_AT_FDCWD -100

/* The directory that an argument beginning with @first is relative to. */
__inline_always void path_base(struct path *base, char first, int dirfd)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct file *f;

	if (first == '/') {
		base->dentry = BPF_CORE_READ(t, fs, root.dentry);
		base->mnt = BPF_CORE_READ(t, fs, root.mnt);
	} else if (dirfd == EV_AT_FDCWD) {
		base->dentry = BPF_CORE_READ(t, fs, pwd.dentry);
		base->mnt = BPF_CORE_READ(t, fs, pwd.mnt);
	} else {
		f = fd_file(dirfd);
		if (!f)
			return;
		base->dentry = BPF_CORE_READ(f, f_path.dentry);
		base->mnt = BPF_CORE_READ(f, f_path.mnt);
	}
}

/*
 * A path argument of a *at() call: the string, then the directory that it is relative to, walked.
 * For calls that leave no object behind to ask (unlink, a failed open). An absolute one stands
 * alone; in a chroot it becomes relative ("./" before it) to the task's root. An empty one is no
 * name below the directory, but the directory (or, with AT_EMPTY_PATH, the file) itself. Returns
 * path flags. @dst is tail_room(), its byte 0 a dot, behind which the string was read, with @n as
 * bpf_probe_read_*_str() said.
 */
__inline_always __u32 path_arg_settle(struct scratch *s, struct ev_ref *ref, int dirfd, char *dst,
				      long n)
{
	__u32 begin = s->off, flags = PATH_ARGUMENT;
	struct path base = {};
	__u32 end;

	if (n < 0)
		return flags | PATH_UNREADABLE;
	if (n <= 1) { /* 1 is its NUL; older kernels (6.1) say 0 */
		n = 1;
		dst[1] = '\0';
		flags |= PATH_EMPTY;
	}
	s->off = end = begin + 1 + n;
	if (flags & PATH_EMPTY)
		ref->off = end;
	path_base(&base, dst[1], dirfd);
	if (base.dentry) {
		__u32 len = path_walk_to_root(s, base.dentry, base.mnt);

		flags |= s->walk_flags;
		if (dst[1] == '/' && len == 1)
			s->off = end;
		else if (dst[1] == '/')
			ref->off = begin;
	}
	ref->len = s->off - ref->off;
	return flags;
}

__inline_always char *path_arg_room(struct scratch *s, struct ev_ref *ref)
{
	char *dst = tail_room(s);

	ref->off = s->off + 1;
	if (dst)
		dst[0] = '.';
	return dst;
}

/* Of a string in user memory. @max: its bytes, with its NUL, if it has one. */
__inline_always __u32 tail_path_arg(struct scratch *s, struct ev_ref *ref, int dirfd,
				    const void *ustr, __u32 max)
{
	char *dst = path_arg_room(s, ref);

	if (!dst)
		return PATH_ARGUMENT | PATH_TRUNCATED;
	return path_arg_settle(s, ref, dirfd, dst, bpf_probe_read_user_str(dst + 1, max, ustr));
}

/* Of one that the kernel has copied already. */
__inline_always __u32 tail_path_copied(struct scratch *s, struct ev_ref *ref, int dirfd,
				       const struct filename *name)
{
	char *dst = path_arg_room(s, ref);
	long n;

	if (!dst)
		return PATH_ARGUMENT | PATH_TRUNCATED;
	n = bpf_probe_read_kernel_str(dst + 1, PATH_LIMIT, BPF_CORE_READ(name, name));
	return path_arg_settle(s, ref, dirfd, dst, n);
}

__inline_always __u32 tail_path_at(struct scratch *s, struct ev_ref *ref, int dirfd,
				   const void *ustr)
{
	return tail_path_arg(s, ref, dirfd, ustr, PATH_LIMIT);
}

#endif
