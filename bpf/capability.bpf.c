// SPDX-License-Identifier: GPL-2.0
/*
 * Checks for capabilities. The tracepoint (from 6.14 on) does not say whether the check is a probe
 * that nobody audits: the function that asked does, which the stack names. Before 6.14 the end of
 * cap_capable() is hooked, whose options say it.
 */
#include "check.bpf.h"
#include "task.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define CAP_OPT_NOAUDIT 2
#define CAP_SYS_ADMIN_	21
#define FRAMES		10 /* cap_capable(), security_capable(), who asked, and what the tracepoint adds */

static __always_inline bool is_probe_address(__u64 address)
{
	bool hit = false;

	for (__u32 i = 0; i < EV_PROBES; i++)
		hit |= address - cfg.probes[i].begin < cfg.probes[i].end - cfg.probes[i].begin;
	return hit;
}

/* The memory-overcommit check: so frequent that its stack is not asked for. */
static __always_inline bool is_overcommit(__u32 cap, int nr)
{
	return cap == CAP_SYS_ADMIN_ &&
	       (nr == __NR_mmap || nr == __NR_brk || nr == __NR_mprotect || nr == __NR_mremap);
}

static __always_inline bool stack_has_probe(void *ctx)
{
	__u64 frames[FRAMES] = {};
	bool hit = false;
	long n = bpf_get_stack(ctx, frames, sizeof(frames), 0);

	if (n < 0)
		return false;
	for (__u32 i = 0; i < FRAMES; i++)
		hit |= is_probe_address(frames[i]);
	return hit;
}

static __always_inline __u32 namespace_of(struct task_struct *t, struct user_namespace *ns)
{
	if (!BPF_CORE_READ(ns, level))
		return CAPNS_INITIAL;
	return ns == BPF_CORE_READ(t, real_cred, user_ns) ? CAPNS_OWN : CAPNS_OTHER;
}

/* Adds to the checks of a call that is under way; false: no room. */
static __always_inline bool check_add(struct checks *p, const struct check *c)
{
	for (__u32 i = 0; i < CHECKS_PER_CALL; i++) {
		if (i >= p->nr) {
			p->c[i] = *c;
			p->nr = i + 1;
			return true;
		}
		if (p->c[i].what == c->what && p->c[i].count < 0xffff) {
			p->c[i].count++;
			return true;
		}
	}
	return false;
}

static __always_inline void check_keep(const struct check *c, int nr)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct checks *p = bpf_map_lookup_elem(&task_checks, &tid);

	if (nr < 0 || !cfg.join_checks) { /* a page fault: no call to wait for */
		check_count(c, CHECK_NO_CALL, 0);
		return;
	}
	if (!p) {
		struct checks first = {.nr = 1, .c = {*c}};

		if (!bpf_map_update_elem(&task_checks, &tid, &first, BPF_NOEXIST))
			check_mark(tid, 1);
		else
			check_count(c, CHECK_NO_CALL, 0);
	} else if (!check_add(p, c)) {
		check_count(c, CHECK_NO_CALL, 0);
	}
}

static __always_inline void check_begin(const struct cred *cred, struct user_namespace *ns,
					__u32 cap, int ret, __u32 flags, int nr)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct check c = {.count = 1};

	flags |= ret ? 0 : CHECK_GRANTED;
	if (cred == BPF_CORE_READ(t, cred) && cred == BPF_CORE_READ(t, real_cred))
		flags |= CHECK_OWN;
	flags |= namespace_of(t, ns) << 3;
	c.what = flags << 8 | (cap & 0xff);
	check_keep(&c, nr);
}

SEC("tp_btf/cap_capable")
int BPF_PROG(capability_check, const struct cred *cred, struct user_namespace *target,
	     const struct user_namespace *capable, int cap, int ret)
{
	bool probe;
	int nr;

	if (!current_watched() || !ev_enabled(EV_capability_checks) || !on_task_stack(ctx))
		return 0;
	nr = current_call();
	probe = is_overcommit(cap, nr) || stack_has_probe(ctx);
	check_begin(cred, target, cap, ret, probe ? CHECK_PROBE : 0, nr);
	return 0;
}

SEC("fexit/cap_capable")
int BPF_PROG(capability_check_exit, const struct cred *cred, struct user_namespace *target, int cap,
	     unsigned int opts, int ret)
{
	if (!current_watched() || !ev_enabled(EV_capability_checks))
		return 0;
	check_begin(cred, target, cap, ret, opts & CAP_OPT_NOAUDIT ? CHECK_PROBE : 0,
		    current_call());
	return 0;
}
