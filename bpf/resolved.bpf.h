/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls that leave no object behind (unlink, rename, chmod): what their arguments are, and where
 * the kernel says that they led. The hooks of bpf/paths.bpf.c keep the latter, per task, from inside
 * of the call; the call's program takes it at the exit. Without hooks there is only the argument.
 */
#ifndef EBPFMON_RESOLVED_BPF_H
#define EBPFMON_RESOLVED_BPF_H

#include "path.bpf.h"
#include "sys.bpf.h"

#ifndef __NR_fchmodat2 /* newer than the headers of Debian 12 */
#define __NR_fchmodat2 452
#endif
#ifndef __NR_setxattrat
#define __NR_setxattrat	   463
#define __NR_removexattrat 466
#endif

/* How a call names its file, and where its other arguments begin. 0: by path, and no hook tells more. */
enum form {
	BY_PATH = 1, /* path, ... */
	BY_AT, /* directory, path, ... */
	BY_FD, /* descriptor, ... */
	BY_OTHER, /* in an order of its own */
};

static const volatile __u8 forms[EV_NR_SYSCALLS] = {
#ifdef __NR_unlink
	[__NR_mknod] = BY_PATH,	      [__NR_rename] = BY_PATH,	    [__NR_unlink] = BY_PATH,
	[__NR_rmdir] = BY_PATH,	      [__NR_mkdir] = BY_PATH,	    [__NR_link] = BY_PATH,
	[__NR_chmod] = BY_PATH,	      [__NR_chown] = BY_PATH,	    [__NR_lchown] = BY_PATH,
	[__NR_symlink] = BY_OTHER,
#endif
#ifdef __NR_renameat
	[__NR_renameat] = BY_AT,
#endif
	[__NR_mknodat] = BY_AT,	      [__NR_renameat2] = BY_AT,	    [__NR_unlinkat] = BY_AT,
	[__NR_mkdirat] = BY_AT,	      [__NR_linkat] = BY_AT,	    [__NR_fchmodat] = BY_AT,
	[__NR_fchownat] = BY_AT,      [__NR_fchmodat2] = BY_AT,	    [__NR_truncate] = BY_PATH,
	[__NR_umount2] = BY_PATH,     [__NR_fchmod] = BY_FD,	    [__NR_fchown] = BY_FD,
	[__NR_ftruncate] = BY_FD,     [__NR_symlinkat] = BY_OTHER,  [__NR_mount] = BY_OTHER,
	[__NR_move_mount] = BY_OTHER, [__NR_pivot_root] = BY_OTHER, [__NR_fsetxattr] = BY_FD,
	[__NR_fremovexattr] = BY_FD,  [__NR_setxattrat] = BY_AT,    [__NR_removexattrat] = BY_AT,
};

static __always_inline __u32 call_form(__u32 nr)
{
	if (nr >= EV_NR_SYSCALLS)
		return 0;
	bound(nr, EV_NR_SYSCALLS - 1);
	return forms[nr];
}

/* ---- what the hooks keep ---- */

/* A call's paths: rename and link have two. */
enum which { FIRST_PATH, SECOND_PATH };

struct resolved_key {
	__u64 pid_tgid;
	__u64 which;
};

struct resolved {
	/* whose it is: of this thread, in this call */
	__u64 start;
	__u32 nr;
	/* as in FILE_ID; lengths of names[] */
	__u32 len, mount_len, path_flags;
	__u32 mount_id, fs, dev;
	__u32 pad;
	__u64 ino;
	__u8 names[PATH_LIMIT];
};

/*
 * Of calls between hook and exit. Not made as needed: 5.10 warns of kprobes that allocate. When it is
 * full, a path stays as its argument says, with the flag for that, and resolved_missed counts it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct resolved_key);
	__type(value, struct resolved);
} resolved_paths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} resolved_missed SEC(".maps");

__inline_always struct resolved_key resolved_key(enum which which)
{
	return (struct resolved_key){bpf_get_current_pid_tgid(), which};
}

__inline_always __u64 thread_start(void)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(t, start_boottime);
}

/* What was kept of the current call, or NULL. */
__inline_always struct resolved *resolved_find(enum which which, __u32 nr)
{
	struct resolved_key key = resolved_key(which);
	struct resolved *r = cfg.resolves ? bpf_map_lookup_elem(&resolved_paths, &key) : NULL;

	return r && r->nr == nr && r->start == thread_start() ? r : NULL;
}

__inline_always void resolved_forget(enum which which)
{
	struct resolved_key key = resolved_key(which);

	if (cfg.resolves)
		bpf_map_delete_elem(&resolved_paths, &key);
}

/* Appends its path. Path flags; 0 when there was no room. */
__inline_always __u32 tail_resolved(struct scratch *s, struct ev_ref *ref, const struct resolved *r)
{
	__u32 len = r->len;
	void *dst = tail_room(s);

	bound(len, 2 * PATH_LIMIT - 1);
	if (!dst || bpf_probe_read_kernel(dst, len, r->names))
		return PATH_IN_CALL | PATH_UNREADABLE;
	tail_take(s, ref, len);
	return r->path_flags;
}

#endif
