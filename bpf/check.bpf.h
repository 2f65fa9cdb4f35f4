/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Under which filter a system call was made, and capability checks that wait for the end of theirs.
 *
 * A check does not know what becomes of its call, so it is kept with its task until sys_exit.
 * Most calls ask for no capability: check_marks, an array, says cheaply that a task has none.
 */
#ifndef EBPFMON_CHECK_BPF_H
#define EBPFMON_CHECK_BPF_H

#include "sys.bpf.h"

#define SECCOMP_MODE_FILTER_ 2

__inline_always bool task_filtered(struct task_struct *t)
{
	return BPF_CORE_READ(t, seccomp.mode) == SECCOMP_MODE_FILTER_;
}

/* Did this call install a filter? prctl(2) and seccomp(2) can. */
__inline_always bool call_installs_filter(__u32 nr, struct pt_regs *regs, long ret)
{
	struct sys_call c;

	if (nr != __NR_seccomp && nr != __NR_prctl)
		return false;
	sys_read(&c, regs);
	return nr == __NR_seccomp ? c.a[0] == 1 /* SECCOMP_SET_MODE_FILTER */ && ret >= 0
				  : c.a[0] == 22 /* PR_SET_SECCOMP */ && ret == 0;
}

/*
 * Was the call that ends here made under a seccomp filter? The mode is that of its end: the call
 * that installed the first filter was made under none.
 */
__inline_always bool call_filtered(struct task_struct *t, __u32 nr, struct pt_regs *regs, long ret)
{
	if (!task_filtered(t))
		return false;
	if (!call_installs_filter(nr, regs, ret))
		return true;
	if (bpf_core_field_exists(t->seccomp.filter_count))
		return BPF_CORE_READ(t, seccomp.filter_count.counter) > 1;
	return !task_in_setup(t);
}

/* ---- checks ---- */

#define CHECKS_PER_CALL 8
#define CHECK_MARKS	16384 /* a power of two */
#define CHECK_NO_CALL	0xffffffffu
#define CAP_SETGID_	6
#define CAP_SETUID_	7
#define CAP_SETPCAP_	8

enum check_flags {
	CHECK_GRANTED = 1 << 0,
	CHECK_PROBE = 1 << 1,
	CHECK_OWN = 1 << 2,
	CHECK_NS = 3 << 3, /* enum ev_capns */
};

struct check {
	__u16 what; /* capability, and check_flags above it */
	__u16 count;
};

struct checks {
	__u64 before; /* check_state() when the first check was made */
	__u32 nr; /* 0: none in this call */
	struct check c[CHECKS_PER_CALL];
};

/* Key: tid. Of a task that has made checks, until it ends: tar(1) makes some in each second call. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct checks);
} task_checks SEC(".maps");

/* How many tasks of a hash of tids have checks in their calls. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CHECK_MARKS);
	__type(key, __u32);
	__type(value, __u32);
} check_marks SEC(".maps");

struct check_key {
	__u64 cgroup;
	__u32 tgid;
	__u32 start;
	__u32 nr; /* bit 31: set-up phase */
	__s32 err;
	__u32 what;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct check_key);
	__type(value, struct ev_capability_checks);
} capability_checks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct check_key);
	__type(value, struct ev_capability_checks);
} capability_checks_rest SEC(".maps");

__inline_always void check_mark(__u32 tid, __u32 n)
{
	__u32 slot = tid & (CHECK_MARKS - 1), *mark = bpf_map_lookup_elem(&check_marks, &slot);

	if (mark)
		__sync_fetch_and_add(mark, n);
}

__inline_always bool task_has_checks(__u32 tid)
{
	__u32 slot = tid & (CHECK_MARKS - 1), *mark = bpf_map_lookup_elem(&check_marks, &slot);

	return mark && *mark;
}

/* @who: the current task, if that is known; else NULL. */
__inline_always void check_count(const struct seen *who, const struct check *c, __u32 sysnr,
				 __s32 err)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	bool setup = who ? who->setup : task_in_setup(t);
	struct ev_capability_checks e = {}, *v;
	struct check_key k = {};

	k.cgroup = who ? who->cgroup : current_cgroup_id();
	k.tgid = bpf_get_current_pid_tgid() >> 32;
	k.start = who ? who->start : task_start(t) >> 10;
	k.nr = setup ? sysnr ^ 1u << 31 : sysnr;
	k.err = err;
	k.what = c->what;
	v = bpf_map_lookup_elem(&capability_checks, &k);
	if (v) {
		__sync_fetch_and_add(&v->count, c->count);
		return;
	}
	ev_header(&e.hdr, EV_capability_checks, sizeof(e));
	e.cap = c->what & 0xff;
	e.granted = !!(c->what >> 8 & CHECK_GRANTED);
	e.probe = !!(c->what >> 8 & CHECK_PROBE);
	e.own = !!(c->what >> 8 & CHECK_OWN);
	e.ns = c->what >> 11 & 3;
	e.nr = sysnr;
	e.err = err;
	e.count = c->count;
	if (!filter_task(e.hdr.pid, e.hdr.uid, e.hdr.comm) ||
	    !bpf_map_update_elem(&capability_checks, &k, &e, BPF_NOEXIST))
		return;
	v = bpf_map_lookup_elem(&capability_checks, &k);
	k.tgid = k.start = 0;
	if (!v)
		v = counter_rest(&capability_checks_rest, &k, &e.hdr, sizeof(e));
	if (v)
		__sync_fetch_and_add(&v->count, c->count);
}

/*
 * What tells whether a call would have done the same without the capability that it asked for first:
 * capset() only needs SETPCAP to inherit what was neither permitted nor inherited (cap_capset() of
 * security/commoncap.c), setuid(x) only needs SETUID when the real or the saved id becomes another one
 * (kernel/sys.c), setgid() likewise.
 */
__inline_always __u64 check_state(__u32 cap)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct cred *cred = BPF_CORE_READ(t, cred);
	__u64 inherited = 0, permitted = 0;

	if (cap == CAP_SETUID_)
		return (__u64)BPF_CORE_READ(cred, uid.val) << 32 | BPF_CORE_READ(cred, suid.val);
	if (cap == CAP_SETGID_)
		return (__u64)BPF_CORE_READ(cred, gid.val) << 32 | BPF_CORE_READ(cred, sgid.val);
	if (cap != CAP_SETPCAP_)
		return 0;
	bpf_core_read(&inherited, sizeof(inherited), &cred->cap_inheritable);
	bpf_core_read(&permitted, sizeof(permitted), &cred->cap_permitted);
	return inherited | permitted;
}

/* Inlined: 5.10 on arm64 takes no tail calls from a program with functions, and syscall_exit makes them. */
__inline_always bool check_was_idle(__u32 sysnr, __u32 cap, __u64 before)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct cred *cred = BPF_CORE_READ(t, cred);
	__u64 inherited = 0;

	if ((cap == CAP_SETUID_ && sysnr == __NR_setuid) ||
	    (cap == CAP_SETGID_ && sysnr == __NR_setgid))
		return check_state(cap) == before;
	if (cap != CAP_SETPCAP_ || sysnr != __NR_capset)
		return 0;
	bpf_core_read(&inherited, sizeof(inherited), &cred->cap_inheritable);
	return !(inherited & ~before);
}

/* The call @sysnr of the current task is over, with @err: so much for the checks made in it. */
__inline_always void checks_resolve(const struct seen *who, __u32 tid, __u32 sysnr, __s32 err)
{
	struct checks *p = bpf_map_lookup_elem(&task_checks, &tid);

	if (!p || !p->nr)
		return;
	/* these calls make one check */
	if (!err && check_was_idle(sysnr, p->c[0].what & 0xff, p->before))
		p->c[0].what |= CHECK_PROBE << 8;
	for (__u32 i = 0; i < CHECKS_PER_CALL; i++)
		if (i < p->nr)
			check_count(who, &p->c[i], sysnr, err);
	p->nr = 0;
	check_mark(tid, -1);
}

#endif
