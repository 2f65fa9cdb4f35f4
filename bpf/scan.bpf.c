// SPDX-License-Identifier: GPL-2.0
/*
 * The starting state: an iterator over all tasks, run once when recording starts, tells which
 * processes the watched containers have. The reader of the iterator gets records, one behind the other.
 */
#include "path.bpf.h"
#include "namespace.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline void walk_for(struct scratch *s, struct ev_ref *ref, struct task_struct *t,
				     struct dentry *dentry, struct vfsmount *mnt)
{
	__u32 off = s->off;

	ref->len = path_walk_for(s, t, dentry, mnt);
	ref->off = off;
}

SEC("iter/task")
int process_existing(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;
	struct ev_process_existing *e;
	struct scratch *s;
	__u64 cgroup, len;
	struct file *exe;

	if (!t || BPF_CORE_READ(t, group_leader) != t)
		return 0;
	cgroup = task_cgroup_id(t);
	if (!cgroup_watched(cgroup))
		return 0;
	/* one that began since the programs were attached is there already */
	member_put(BPF_CORE_READ(t, tgid), task_start(t), cgroup, 0, BPF_NOEXIST);
	namespaces_put(t);
	s = ev_begin_always(EV_process_existing, sizeof(*e));
	if (!s)
		return 0;
	e = (struct ev_process_existing *)s->buf;
	ev_header_of(&e->hdr, EV_process_existing, sizeof(*e), t);
	e->hdr.flags |= EV_F_EXISTING;
	e->zombie = BPF_CORE_READ(t, signal, live.counter) <=
		    0; /* its leader may end before a process does */
	exe = BPF_CORE_READ(t, mm, exe_file);
	if (exe)
		walk_for(s, &e->exe, t, BPF_CORE_READ(exe, f_path.dentry),
			 BPF_CORE_READ(exe, f_path.mnt));
	walk_for(s, &e->cwd, t, BPF_CORE_READ(t, fs, pwd.dentry), BPF_CORE_READ(t, fs, pwd.mnt));
	len = s->off;
	if (len > EV_MAX_LEN)
		len = EV_MAX_LEN;
	e->hdr.len = len;
	bpf_seq_write(ctx->meta->seq, s->buf, len);
	ev_abort(s);
	return 0;
}
