// SPDX-License-Identifier: GPL-2.0
/*
 * Where the paths of calls lead that leave no object behind. The kernel asks its security modules
 * once it has found directory and entry: there is the answer, whatever the argument looked like,
 * who changes it meanwhile, and however soon everything is gone. Kernels without kprobes do
 * without: see tail_path_arg().
 *
 * The functions have had these arguments from 5.10 to 7.3 (include/linux/security.h).
 */
#include "resolved.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define PF_IO_WORKER 0x10 /* io_uring's own threads: they return from no system call */
#define PF_KTHREAD   0x200000

static __always_inline void missed(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&resolved_missed, &zero);

	if (n)
		++*n;
}

static __always_inline void resolve(struct resolved *r, struct scratch *s, struct vfsmount *mnt,
				    struct dentry *dentry)
{
	struct super_block *sb = BPF_CORE_READ(dentry, d_sb);

	r->start = thread_start();
	r->mount_id = BPF_CORE_READ(real_mount(mnt), mnt_id);
	r->fs = BPF_CORE_READ(sb, s_magic);
	r->dev = BPF_CORE_READ(sb, s_dev);
	r->ino = BPF_CORE_READ(dentry, d_inode, i_ino); /* 0: it is to be made */
	s->off = __builtin_offsetof(struct resolved, names);
	r->len = path_walk_to_root(s, dentry, mnt);
	r->mount_len = r->len - s->walk_mount ?: 1;
	r->path_flags = s->walk_flags | PATH_IN_CALL;
}

/* Keeps where @dentry on @mnt is, for the exit of the call that the current task is in. */
static __always_inline int keep(enum which which, struct vfsmount *mnt, struct dentry *dentry)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct resolved_key key = resolved_key(which);
	struct resolved *r;
	struct scratch *s;
	__u32 nr, form;

	if (!current_watched() || BPF_CORE_READ(t, flags) & (PF_IO_WORKER | PF_KTHREAD))
		return 0;
	nr = current_call();
	form = call_form(nr);
	if (!form || form == BY_FD) /* an open or a bind that creates; a file that is known */
		return 0;
	s = scratch_get();
	if (!s)
		return 0;
	if (s->busy) {
		resolved_forget(which); /* a call that begins anew comes by twice */
		missed();
		return 0;
	}
	s->busy = 1;
	r = (struct resolved *)s->buf;
	r->nr = nr;
	resolve(r, s, mnt, dentry);
	if (bpf_map_update_elem(&resolved_paths, &key, r, BPF_ANY))
		missed();
	s->busy = 0;
	return 0;
}

/* Hooks that are given a directory and what is, or will be, in it. (Not const: clang 22 then refuses BPF_CORE_READ.) */
#define IN_DIRECTORY(hook)                                                                         \
	SEC("kprobe/security_path_" #hook)                                                         \
	int BPF_KPROBE(paths_##hook, struct path *dir, struct dentry *dentry)                      \
	{                                                                                          \
		return keep(FIRST_PATH, BPF_CORE_READ(dir, mnt), dentry);                          \
	}

IN_DIRECTORY(unlink)
IN_DIRECTORY(rmdir)
IN_DIRECTORY(mkdir)
IN_DIRECTORY(mknod)
IN_DIRECTORY(symlink)

/* Hooks that are given what it is about. @nth: which of their arguments that is. */
#define ITSELF(name, hook, nth)                                                                    \
	SEC("kprobe/security_" #hook)                                                              \
	int paths_##name(struct pt_regs *ctx)                                                      \
	{                                                                                          \
		struct path *path = (void *)PT_REGS_PARM##nth(ctx);                                \
                                                                                                   \
		return keep(FIRST_PATH, BPF_CORE_READ(path, mnt), BPF_CORE_READ(path, dentry));    \
	}

ITSELF(chmod, path_chmod, 1)
ITSELF(chown, path_chown, 1)
ITSELF(truncate, path_truncate, 1)
ITSELF(mount, sb_mount, 2)
ITSELF(move_mount, move_mount, 2)
ITSELF(pivotroot, sb_pivotroot, 2)

SEC("kprobe/security_sb_umount")
int BPF_KPROBE(paths_umount, struct vfsmount *mnt)
{
	return keep(FIRST_PATH, mnt, BPF_CORE_READ(mnt, mnt_root));
}

SEC("kprobe/security_path_rename")
int BPF_KPROBE(paths_rename, struct path *old_dir, struct dentry *old, struct path *new_dir,
	       struct dentry *new)
{
	keep(FIRST_PATH, BPF_CORE_READ(old_dir, mnt), old);
	return keep(SECOND_PATH, BPF_CORE_READ(new_dir, mnt), new);
}

/* Both names are on one mount: otherwise the call has failed by now. */
SEC("kprobe/security_path_link")
int BPF_KPROBE(paths_link, struct dentry *old, struct path *new_dir, struct dentry *new)
{
	keep(FIRST_PATH, BPF_CORE_READ(new_dir, mnt), old);
	return keep(SECOND_PATH, BPF_CORE_READ(new_dir, mnt), new);
}
