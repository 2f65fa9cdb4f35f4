/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Paths, from the kernel's own dentries and mounts up to the task's root: the true path as the
 * container sees it, whatever the memory of the caller says. Names are appended leaf first, each
 * ended by a NUL ("bash\0bin\0usr\0"), one copy per name; user space turns them round
 * (record_normalise()). "/" is one empty name.
 */
#ifndef EBPFMON_PATH_BPF_H
#define EBPFMON_PATH_BPF_H

#include "ev.bpf.h"

#define PATH_DEPTH	100	/* names and mounts; deeper paths lose their beginning, and say so */
#define PATH_LIMIT	4096	/* bytes */

enum walk { WALK_ON, WALK_END };

static __always_inline struct vfsmount *mount_vfs(struct mount *m)
{
	return (void *)m + bpf_core_field_offset(struct mount, mnt);
}

/* At the root of a mount: on to where it is mounted. */
static __always_inline enum walk walk_cross(struct scratch *s)
{
	struct mount *m = (void *)s->walk_mnt - bpf_core_field_offset(struct mount, mnt);
	struct mount *up = BPF_CORE_READ(m, mnt_parent);

	if (!s->walk_crossed) {
		s->walk_crossed = 1;
		s->walk_mount = s->off - s->walk_begin;
	}
	if (up == m || !up) {
		s->walk_flags |= PATH_UNREACHABLE;
		return WALK_END;
	}
	s->walk_dentry = (__u64)BPF_CORE_READ(m, mnt_mountpoint);
	s->walk_mnt = (__u64)mount_vfs(up);
	return WALK_ON;
}

static __always_inline enum walk walk_step(struct scratch *s)
{
	struct dentry *d = (void *)s->walk_dentry, *parent;
	struct vfsmount *vm = (void *)s->walk_mnt;
	__u32 off = s->off;
	long n;

	if (s->walk_dentry == s->walk_root_dentry && s->walk_mnt == s->walk_root_mnt)
		return WALK_END;
	if (vm && d == BPF_CORE_READ(vm, mnt_root))
		return walk_cross(s);
	if (off >= SCRATCH_TAIL || off - s->walk_begin > PATH_LIMIT) {
		s->walk_flags |= PATH_TRUNCATED;
		return WALK_END;
	}
	n = bpf_probe_read_kernel_str(&s->buf[off & (SCRATCH_TAIL - 1)], 256,
				      BPF_CORE_READ(d, d_name.name));
	if (n > 0)
		s->off = off + n;
	parent = BPF_CORE_READ(d, d_parent);
	if (parent == d || !parent) {	/* pipes, memfds: not in any tree */
		s->walk_flags |= PATH_UNREACHABLE;
		return WALK_END;
	}
	s->walk_dentry = (__u64)parent;
	return WALK_ON;
}

/*
 * Appends the names from @dentry on @mnt up to (@root_dentry, @root_mnt) at s->off. A function of
 * its own, with numbers as arguments: verified once, whoever calls it, and accepted by 5.10, which
 * has no bpf_loop(). Returns the bytes taken; walk_mount and walk_flags hold what else it found.
 */
__attribute__((noinline)) int path_walk(__u64 dentry, __u64 mnt, __u64 root_dentry, __u64 root_mnt)
{
	struct scratch *s = scratch_get();
	__u32 off;
	int i;

	if (!s)
		return 0;
	s->walk_begin = s->off;
	s->walk_dentry = dentry;
	s->walk_mnt = mnt;
	s->walk_root_dentry = root_dentry;
	s->walk_root_mnt = root_mnt;
	s->walk_mount = s->walk_crossed = s->walk_flags = 0;
	for (i = 0; i < PATH_DEPTH; i++)
		if (walk_step(s) == WALK_END)
			break;
	if (i == PATH_DEPTH)
		s->walk_flags |= PATH_TRUNCATED;
	off = s->off;
	if (off == s->walk_begin && off < SCRATCH_TAIL) {
		s->buf[off & (SCRATCH_TAIL - 1)] = 0;
		s->off = off + 1;
	}
	if (!s->walk_crossed)
		s->walk_mount = s->off - s->walk_begin;	/* the mount of the task's root itself */
	return s->off - s->walk_begin;
}

__inline_always int path_walk_to_root(struct dentry *dentry, struct vfsmount *mnt)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();

	return path_walk((__u64)dentry, (__u64)mnt, (__u64)BPF_CORE_READ(t, fs, root.dentry),
			 (__u64)BPF_CORE_READ(t, fs, root.mnt));
}

/* The path of (@dentry, @mnt) into @ref; @mount, when wanted, becomes its prefix that is the mount point. */
__inline_always __u32 tail_path(struct scratch *s, struct ev_ref *ref, struct ev_ref *mount,
				struct dentry *dentry, struct vfsmount *mnt)
{
	__u32 off = s->off;
	__u32 len = path_walk_to_root(dentry, mnt);
	__u32 flags = s->walk_flags;

	ref->off = off;
	ref->len = len;
	if (mount) {
		mount->off = off;
		mount->len = len - s->walk_mount;	/* 0: mounted at the root */
	}
	/* d_unlinked(): unhashed, and not the root of a tree */
	if (!BPF_CORE_READ(dentry, d_hash.pprev) && BPF_CORE_READ(dentry, d_parent) != dentry)
		flags |= PATH_DELETED;
	return flags;
}

__inline_always __u32 tail_file_path(struct scratch *s, struct ev_ref *ref, struct ev_ref *mount, struct file *f)
{
	return tail_path(s, ref, mount, BPF_CORE_READ(f, f_path.dentry), BPF_CORE_READ(f, f_path.mnt));
}

/* An open file of the current task, or NULL. */
__inline_always struct file *fd_file(int fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **table, *f = NULL;

	if (fd < 0 || !fdt || (__u32)fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	table = BPF_CORE_READ(fdt, fd);
	bpf_probe_read_kernel(&f, sizeof(f), &table[fd]);
	return f;
}

#define EV_AT_FDCWD -100

/*
 * A path argument of a *at() call: the string, then the directory that it is relative to, walked.
 * For calls that leave no object behind to ask (unlink, a failed open). Returns path flags.
 */
__inline_always __u32 tail_path_at(struct scratch *s, struct ev_ref *ref, int dirfd, const void *ustr)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 begin = s->off, flags = PATH_ARGUMENT;
	struct path base = {};
	char first = 0;
	void *dst = tail_room(s);
	long n = dst && ustr ? bpf_probe_read_user_str(dst, 4096, ustr) : -1;
	struct file *f;

	ref->off = begin;
	if (n <= 0) {
		flags |= PATH_UNREADABLE;
		if (ustr)
			return flags;	/* no string at all */
	} else {
		s->off += n;
		bpf_probe_read_kernel(&first, 1, dst);
	}
	if (first != '/') {
		if (dirfd == EV_AT_FDCWD) {
			base.dentry = BPF_CORE_READ(task, fs, pwd.dentry);
			base.mnt = BPF_CORE_READ(task, fs, pwd.mnt);
		} else {
			f = fd_file(dirfd);
			if (f) {
				base.dentry = BPF_CORE_READ(f, f_path.dentry);
				base.mnt = BPF_CORE_READ(f, f_path.mnt);
			}
		}
		if (base.dentry) {
			path_walk_to_root(base.dentry, base.mnt);
			flags |= s->walk_flags;
		}
	}
	ref->len = s->off - begin;
	return flags;
}

#endif
