// SPDX-License-Identifier: GPL-2.0
/*
 * Processes and the cgroups they live in: those that were there, fork, exec, exit, credentials,
 * namespaces; cgroups as they come and go. These records keep user space's tables right, so they are sent whatever the
 * user selected.
 */
#include "sys.bpf.h"
#include "path.bpf.h"
#include "namespace.bpf.h"
#include "traced.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define PF_EXIT_GROUP	 0x00000004 /* SIGNAL_GROUP_EXIT, include/linux/sched/signal.h */
#define PFA_NO_NEW_PRIVS 1 /* bit of task->atomic_flags */
#define OVERLAYFS_MAGIC	 0x794c7630
#define ARGV_MAX	 8192 /* power of two: bytes of the argument vector that are kept */

/* Name of a task before exec: by the time of sched_process_exec it is gone. Key: tid. */
struct comm {
	char name[EV_COMM_LEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct comm);
} old_comm SEC(".maps");

/* ---- cgroups ---- */

static __always_inline bool cgroup_tells(struct cgroup *c)
{
	return BPF_CORE_READ(c, root, hierarchy_id) == (int)cfg.cgroup_hierarchy;
}

static __always_inline __u64 kernfs_parent_id(struct kernfs_node *kn)
{
	struct kernfs_node___parent *old = (void *)kn;

	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent, id);
	return BPF_CORE_READ(old, parent, id);
}

TRACED("tp_btf/cgroup_mkdir", container_cgroup_create, struct cgroup *cgrp, const char *path)
{
	struct ev_container_cgroup_create *e;
	struct ev_cgroup info = {}, *up;
	__u64 id, parent = 0;
	struct scratch *s;

	if (!cgroup_tells(cgrp))
		return 0;
	id = BPF_CORE_READ(cgrp, kn, id);
	parent = kernfs_parent_id(BPF_CORE_READ(cgrp, kn));
	up = bpf_map_lookup_elem(&cgroups, &parent);
	if (up && !(up->flags & CG_IGNORED))
		info.flags = up->flags; /* inside a container: watched like it */
	else if (!cfg.adopt_new)
		return 0;
	info.created = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&cgroups, &id, &info, BPF_ANY))
		ev_lost(EV_container_cgroup_create); /* the map is full: a whole container may be missing */
	s = ev_begin_always(EV_container_cgroup_create, sizeof(*e));
	if (!s)
		return 0;
	e = (struct ev_container_cgroup_create *)s->buf;
	e->id = id;
	e->parent = parent;
	tail_kstr(s, &e->path, path);
	ev_end(s, true);
	return 0;
}

TRACED("tp_btf/cgroup_rmdir", container_cgroup_remove, struct cgroup *cgrp, const char *path)
{
	struct ev_container_cgroup_remove e = {};
	__u64 id;

	if (!cgroup_tells(cgrp))
		return 0;
	id = BPF_CORE_READ(cgrp, kn, id);
	if (bpf_map_delete_elem(&cgroups, &id))
		return 0;
	ev_header(&e.hdr, EV_container_cgroup_remove, sizeof(e));
	e.id = id;
	ev_submit_fixed(&e, EV_container_cgroup_remove, true);
	return 0;
}

/*
 * A process that is moved to where nobody watches is the container's no longer; what it does from
 * now on is not told, but that it went is. Its programs' execs are, while it is in the container's
 * namespaces (container.enter).
 */
static __always_inline void member_leaves(struct task_struct *t, struct member *m, __u64 to,
					  const char *path)
{
	struct ev_container_leave *e;
	__u32 tgid = BPF_CORE_READ(t, tgid);
	struct scratch *s;

	s = ev_begin_always(EV_container_leave, sizeof(*e));
	if (s) {
		e = (struct ev_container_leave *)s->buf;
		ev_header_of(&e->hdr, EV_container_leave, sizeof(*e), t);
		e->target = tgid;
		e->mover = bpf_get_current_pid_tgid() >> 32;
		e->id = to;
		e->hdr.cgroup = m->cgroup;
		tail_kstr(s, &e->path, path);
		ev_end(s, false);
	}
	bpf_map_delete_elem(&members, &tgid);
}

/*
 * A process that is moved in from outside is the runtime's until it executes something. A move
 * by somebody inside (systemd in a container) is the workload's own. When the kernel tells of a
 * move it is done: that a process came from inside is known from `members` only.
 */
TRACED("tp_btf/cgroup_attach_task", container_cgroup_attach, struct cgroup *dst, const char *path,
       struct task_struct *t, bool threadgroup)
{
	struct ev_container_cgroup_attach e = {};
	__u64 id = BPF_CORE_READ(dst, kn, id);
	__u32 tgid = BPF_CORE_READ(t, tgid), flags;
	struct member *m;

	if (!cgroup_tells(dst))
		return 0;
	m = task_member(t);
	if (!cgroup_watched(id)) {
		if (m && threadgroup)
			member_leaves(t, m, id, path);
		state_changed();
		return 0;
	}
	if (m)
		flags = m->flags | MEMBER_MOVED;
	else if (current_watched() && tgid != bpf_get_current_pid_tgid() >> 32)
		flags = MEMBER_MOVED;
	else
		flags = MEMBER_SETUP;
	if (!m || threadgroup)
		member_put(tgid, task_start(t), id, flags, BPF_ANY);
	state_changed();
	ev_header_of(&e.hdr, EV_container_cgroup_attach, sizeof(e), t);
	e.target = tgid;
	e.target_start = e.hdr.start;
	e.mover = bpf_get_current_pid_tgid() >> 32;
	e.id = id;
	e.hdr.cgroup = id;
	ev_submit_fixed(&e, EV_container_cgroup_attach, false);
	return 0;
}

/* ---- life of a process ---- */

#define CLONE_THREAD 0x00010000

/*
 * clone3() may put the child into another cgroup (CLONE_INTO_CGROUP): a runtime outside puts it
 * into a container, and a process of a container may put it outside of all.
 */
TRACED("tp_btf/task_newtask", process_fork, struct task_struct *child, __u64 clone_flags)
{
	__u64 from = current_cgroup_id(), to = task_cgroup_id(child);
	bool from_watched = cgroup_watched(from), to_watched = cgroup_watched(to);
	struct ev_process_fork e = {};

	if (!from_watched && !to_watched)
		return 0;
	e.child_pid = BPF_CORE_READ(child, tgid);
	e.thread = !!(clone_flags & CLONE_THREAD);
	e.child_start = task_start(child);
	if (!e.thread && to_watched)
		member_put(e.child_pid, e.child_start, to,
			   from_watched ? task_flags((void *)bpf_get_current_task()) : MEMBER_SETUP,
			   BPF_ANY);
	ev_header(&e.hdr, EV_process_fork, sizeof(e));
	if (!from_watched) { /* the runtime is not the container's; its child is */
		e.hdr.cgroup = to;
		e.hdr.flags |= EV_F_OUTSIDE;
	}
	e.child_tid = BPF_CORE_READ(child, pid);
	e.child_vpid = task_vpid(child);
	e.child_cgroup = to;
	e.flags = clone_flags;
	ev_submit_fixed(&e, EV_process_fork, false);
	return 0;
}

TRACED("tp_btf/task_rename", process_rename, struct task_struct *t, const char *comm)
{
	__u32 tid = BPF_CORE_READ(t, pid);
	struct comm c = {};

	if (!current_watched())
		return 0;
	bpf_core_read_str(c.name, sizeof(c.name), &t->comm);
	bpf_map_update_elem(&old_comm, &tid, &c, BPF_ANY);
	return 0;
}

/* Seconds since the epoch at which the inode last changed; 0 when the kernel does not say. */
static __always_inline __s64 inode_ctime(struct inode *inode)
{
	struct inode___ctime *old = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec))
		return BPF_CORE_READ(inode, i_ctime_sec);
	return BPF_CORE_READ(old, i_ctime.tv_sec);
}

/*
 * Where an executable comes from. Overlayfs keeps, right behind its VFS inode, the dentry of the
 * upper layer's copy (struct ovl_inode, fs/overlayfs/ovl_entry.h): set, the file was written in
 * this container. Overlayfs may be a module, whose types CO-RE does not see; the place is the same.
 * A function of its own: verified once, and its result does not multiply the states of callers.
 */
__attribute__((noinline)) __u32 exe_flags(__u64 file)
{
	struct file *f = (struct file *)file;
	struct inode *inode = BPF_CORE_READ(f, f_inode);
	struct dentry *d = BPF_CORE_READ(f, f_path.dentry);
	__u64 magic = BPF_CORE_READ(inode, i_sb, s_magic);
	char name[8] = {};
	__u32 flags = 0;
	void *upper = NULL;

	if (magic == OVERLAYFS_MAGIC) {
		bpf_probe_read_kernel(&upper, sizeof(upper),
				      (void *)inode + bpf_core_type_size(struct inode));
		flags |= upper ? EXE_UPPER : EXE_LOWER;
	}
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(d, d_name.name));
	if (BPF_CORE_READ(d, d_parent) == d && name[0] == 'm' && name[1] == 'e' && name[2] == 'm' &&
	    name[3] == 'f' && name[4] == 'd' && name[5] == ':')
		flags |= EXE_MEMFD;
	if (!BPF_CORE_READ(inode, i_nlink))
		flags |= EXE_DELETED;
	return flags;
}

/*
 * Does this exec end the set-up phase? runc executes itself again (from a memfd, or the same file)
 * before it has entered the container's namespaces; what comes after is the entry point. A command
 * of `ebpfmon run` need not have namespaces of its own.
 */
static __always_inline bool exec_is_entry(struct task_struct *t, struct ev_cgroup *cg, __u32 exe)
{
	__u32 ns;

	if (cg->flags & CG_RUN)
		return true;
	if (exe & EXE_MEMFD)
		return false;
	ns = BPF_CORE_READ(t, nsproxy, mnt_ns, ns.inum);
	return ns != cfg.host_ns[NS_MNT] &&
	       ns != BPF_CORE_READ(t, real_parent, nsproxy, mnt_ns, ns.inum);
}

static __always_inline void exec_argv(struct scratch *s, struct ev_ref *argv, __u32 *cut,
				      struct task_struct *t)
{
	unsigned long begin = BPF_CORE_READ(t, mm, arg_start);
	unsigned long len = BPF_CORE_READ(t, mm, arg_end) - begin;
	void *dst = tail_room(s);

	if (!dst || !begin)
		return;
	if (len > ARGV_MAX - 1) {
		len = ARGV_MAX - 1;
		*cut = 1;
	}
	if (bpf_probe_read_user(dst, len & (ARGV_MAX - 1), (void *)begin) == 0)
		tail_take(s, argv, len & (ARGV_MAX - 1));
}

static __always_inline void caps_read(struct task_struct *t, struct ev_process_exec *e)
{
	struct cred *cred = BPF_CORE_READ(t, real_cred);

	e->euid = BPF_CORE_READ(cred, euid.val);
	e->egid = BPF_CORE_READ(cred, egid.val);
	bpf_core_read(&e->cap_effective, 8, &cred->cap_effective);
	bpf_core_read(&e->cap_permitted, 8, &cred->cap_permitted);
	bpf_core_read(&e->cap_inheritable, 8, &cred->cap_inheritable);
	bpf_core_read(&e->cap_bounding, 8, &cred->cap_bset);
	bpf_core_read(&e->cap_ambient, 8, &cred->cap_ambient);
}

static __always_inline void exec_paths(struct scratch *s, struct ev_process_exec *e,
				       struct task_struct *t, struct linux_binprm *bprm,
				       struct file *exe)
{
	const char *filename = BPF_CORE_READ(bprm, filename), *interp = BPF_CORE_READ(bprm, interp);
	struct dentry *pwd = BPF_CORE_READ(t, fs, pwd.dentry);

	tail_file_path(s, &e->exe, NULL, exe);
	tail_kstr(s, &e->filename, filename);
	if (interp != filename)
		tail_kstr(s, &e->interpreter, interp);
	tail_path(s, &e->cwd, NULL, pwd, BPF_CORE_READ(t, fs, pwd.mnt));
}

/*
 * ---- processes outside that are in a container's namespaces ----
 *
 * Told when they enter, and with each program they execute there (which also tells those that
 * were moved out of the container, or born in its namespaces).
 */

static __always_inline void enter_header(struct ev_container_enter *e, __u64 owner, __u32 which)
{
	e->hdr.flags |= EV_F_OUTSIDE;
	e->own_cgroup = e->hdr.cgroup;
	e->hdr.cgroup = owner;
	e->namespaces = which;
}

static __always_inline void exec_outside(struct task_struct *t)
{
	__u32 mnt = BPF_CORE_READ(t, nsproxy, mnt_ns, ns.inum), which = 0;
	__u32 pid = BPF_CORE_READ(t, nsproxy, pid_ns_for_children, ns.inum);
	struct ev_container_enter *e;
	struct scratch *s;
	__u64 owner;

	/* whoever only shares a network with a container does nothing to it by executing a program */
	if (mnt == cfg.host_ns[NS_MNT] && pid == cfg.host_ns[NS_PID])
		return;
	owner = namespaces_owner(t, &which);
	if (!owner || !(which & (ns_flags[NS_MNT] | ns_flags[NS_PID])))
		return;
	s = ev_begin_always(EV_container_enter, sizeof(*e));
	if (!s)
		return;
	e = (struct ev_container_enter *)s->buf;
	enter_header(e, owner, which);
	exec_argv(s, &e->argv, &e->argv_cut, t);
	ev_end(s, false);
}

TRACED("tp_btf/sched_process_exec", process_exec, struct task_struct *t, int old_pid,
       struct linux_binprm *bprm)
{
	struct ev_cgroup *cg = current_watched();
	struct ev_process_exec *e;
	__u32 tid = old_pid;
	struct super_block *sb;
	struct inode *inode;
	struct scratch *s;
	struct file *exe;
	struct comm *old;
	__u32 flags, m_flags, entry = 0;

	if (!cg) {
		exec_outside(t);
		return 0;
	}
	exe = READ_ADDRESS(t, mm, exe_file);
	inode = BPF_CORE_READ(exe, f_inode);
	sb = BPF_CORE_READ(inode, i_sb);
	flags = exe_flags((__u64)exe);
	m_flags = task_flags(t);
	if (m_flags && exec_is_entry(t, cg, flags)) {
		entry = m_flags & MEMBER_SETUP ? ENTRY_SETUP : ENTRY_MOVED;
		member_put(BPF_CORE_READ(t, tgid), task_start(t), current_cgroup_id(), 0, BPF_ANY);
		state_changed();
		namespaces_put(t);
	}
	s = ev_begin_always(EV_process_exec, sizeof(*e));
	if (!s)
		return 0;
	e = (struct ev_process_exec *)s->buf;
	e->entry = entry;
	e->exe_flags = flags;
	e->dev = BPF_CORE_READ(sb, s_dev);
	e->fs = BPF_CORE_READ(sb, s_magic);
	e->ino = BPF_CORE_READ(inode, i_ino);
	/* seconds against seconds: the record's reader turns "created" into wall-clock time */
	e->modified_at = inode_ctime(inode);
	e->seccomp = BPF_CORE_READ(t, seccomp.mode);
	e->no_new_privs = BPF_CORE_READ(t, atomic_flags) & PFA_NO_NEW_PRIVS;
	caps_read(t, e);
	exec_paths(s, e, t, bprm, exe);
	exec_argv(s, &e->argv, &e->argv_cut, t);
	old = bpf_map_lookup_elem(&old_comm, &tid);
	if (old) {
		tail_kstr(s, &e->old_comm, old->name);
		bpf_map_delete_elem(&old_comm, &tid);
	}
	ev_end(s, entry);
	return 0;
}

TRACED("tp_btf/sched_process_exit", process_exit, struct task_struct *t)
{
	struct ev_process_exit e = {};
	struct task_struct *leader;
	struct signal_struct *sig;
	__u32 tid = bpf_get_current_pid_tgid();
	int code;

	if (!current_watched())
		return 0;
	bpf_map_delete_elem(&old_comm, &tid);
	if (BPF_CORE_READ(t, group_leader) == t)
		namespaces_drop(t); /* while it still has them */
	sig = BPF_CORE_READ(t, signal);
	if (BPF_CORE_READ(sig, live.counter) > 0)
		return 0;
	leader = BPF_CORE_READ(t, group_leader);
	ev_header(&e.hdr, EV_process_exit, sizeof(e));
	/* what wait(2) will report: kernel/exit.c, wait_task_zombie() */
	code = BPF_CORE_READ(leader, exit_code);
	if (BPF_CORE_READ(sig, flags) & PF_EXIT_GROUP)
		code = BPF_CORE_READ(sig, group_exit_code);
	e.code = code >> 8 & 0xff;
	e.sig = code & 0x7f;
	e.core = !!(code & 0x80);
	e.duration = e.hdr.time - e.hdr.start;
	e.cpu_time = BPF_CORE_READ(sig, sum_sched_runtime) + BPF_CORE_READ(t, se.sum_exec_runtime);
	if (leader != t)
		e.cpu_time += BPF_CORE_READ(leader, se.sum_exec_runtime);
	e.max_rss = BPF_CORE_READ(sig, maxrss) * 4096;
	ev_submit_fixed(&e, EV_process_exit, false);
	return 0;
}

TRACED("tp_btf/sched_process_free", process_free, struct task_struct *t)
{
	__u32 tgid = BPF_CORE_READ(t, tgid);

	if (tgid == (__u32)BPF_CORE_READ(t, pid) && task_member(t))
		bpf_map_delete_elem(&members, &tgid);
	state_changed(); /* its address may be another's next */
	return 0;
}

/* ---- at the exit of a system call ---- */

SEC("tp_btf/sys_exit")
int SYS_EXIT(process_exec_failed, struct pt_regs *regs, long ret)
{
	struct ev_process_exec_failed *e;
	struct scratch *s;
	struct sys_call c;

	sys_read(&c, regs);
	if (ret < 0) {
		s = call_begin(EV_process_exec_failed, sizeof(*e));
		if (s) {
			e = (struct ev_process_exec_failed *)s->buf;
			e->err = -ret;
			if (c.nr == __NR_execveat)
				tail_path_at(s, &e->filename, c.a[0], (void *)c.a[1]);
			else
				tail_path_at(s, &e->filename, EV_AT_FDCWD, (void *)c.a[0]);
			ev_end(s, false);
		}
	}
	sys_next(ctx, EVS_process, c.nr);
	return 0;
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(process_credentials, struct pt_regs *regs, long ret)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct ev_process_credentials e = {};
	struct cred *cred;
	struct sys_call c;

	sys_read(&c, regs);
	if (ret >= 0 && ev_enabled(EV_process_credentials)) {
		ev_header(&e.hdr, EV_process_credentials, sizeof(e));
		cred = BPF_CORE_READ(t, real_cred);
		e.op = EV_SYSNR(c.abi, c.raw);
		e.euid = BPF_CORE_READ(cred, euid.val);
		e.suid = BPF_CORE_READ(cred, suid.val);
		e.fsuid = BPF_CORE_READ(cred, fsuid.val);
		e.egid = BPF_CORE_READ(cred, egid.val);
		e.sgid = BPF_CORE_READ(cred, sgid.val);
		bpf_core_read(&e.cap_effective, 8, &cred->cap_effective);
		bpf_core_read(&e.cap_permitted, 8, &cred->cap_permitted);
		bpf_core_read(&e.cap_inheritable, 8, &cred->cap_inheritable);
		if (filter_task(e.hdr.pid, e.hdr.uid, e.hdr.comm))
			ev_submit_fixed(&e, EV_process_credentials, false);
	}
	sys_next(ctx, EVS_process, c.nr);
	return 0;
}

#define CLONE_NEWTIME 0x00000080 /* for clone(2) part of the child's signal */
#define CLONE_NEW     0x7e020000 /* all others: include/uapi/linux/sched.h */

/* Which namespaces a call asks for. Most clones ask for none. */
static __always_inline __u32 namespaces_asked(const struct sys_call *c)
{
	__u64 flags = 0;

	switch (c->nr) {
	case __NR_setns: return c->a[1];
	case __NR_clone: return c->a[0] & CLONE_NEW;
	case __NR_clone3: /* struct clone_args begins with them */
		bpf_probe_read_user(&flags, sizeof(flags), (void *)c->a[0]);
		return flags & (CLONE_NEW | CLONE_NEWTIME);
	}
	return c->a[0];
}

/* The parent's return from clone tells of the child's; the child's own return is not looked at. */
SEC("tp_btf/sys_exit")
int SYS_EXIT(process_namespaces, struct pt_regs *regs, long ret)
{
	struct ev_process_namespaces e = {};
	struct sys_call c;
	bool clone;

	sys_read(&c, regs);
	clone = c.nr == __NR_clone || c.nr == __NR_clone3;
	e.flags = namespaces_asked(&c);
	if (ev_enabled(EV_process_namespaces) && !(clone && (!e.flags || !ret))) {
		ev_header(&e.hdr, EV_process_namespaces, sizeof(e));
		e.op = EV_SYSNR(c.abi, c.raw);
		e.err = ret < 0 ? -ret : 0;
		if (filter_task(e.hdr.pid, e.hdr.uid, e.hdr.comm))
			ev_submit_fixed(&e, EV_process_namespaces, false);
	}
	sys_next(ctx, EVS_process, c.nr);
	return 0;
}

/* For tasks of no container: in whose namespaces are they now? */
SEC("tp_btf/sys_exit")
int SYS_EXIT(container_enter, struct pt_regs *regs, long ret)
{
	struct ev_container_enter e = {};
	__u32 which = 0;
	__u64 owner;

	if (ret)
		return 0;
	owner = namespaces_owner((struct task_struct *)bpf_get_current_task(), &which);
	if (!owner)
		return 0;
	ev_header(&e.hdr, EV_container_enter, sizeof(e));
	enter_header(&e, owner, which);
	ev_submit_fixed(&e, EV_container_enter, false);
	return 0;
}

/* ---- the starting state ---- */

static __always_inline void walk_for(struct scratch *s, struct ev_ref *ref, struct task_struct *t,
				     struct dentry *dentry, struct vfsmount *mnt)
{
	__u32 off = s->off;

	ref->len = path_walk_for(s, t, dentry, mnt);
	ref->off = off;
}

/*
 * Over all tasks, when recording starts: which processes the watched containers have. The reader gets
 * records, one behind the other.
 */
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
	alone_begin();
	s = ev_begin_always(EV_process_existing, sizeof(*e));
	if (!s) {
		alone_end();
		return 0;
	}
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
	alone_end();
	return 0;
}
