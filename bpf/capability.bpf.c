// SPDX-License-Identifier: GPL-2.0
/*
 * Checks for capabilities. The tracepoint (from 6.14 on) does not say whether the check is a probe
 * that nobody audits: the function that asked does, which the stack names. Before 6.14 the end of
 * cap_capable() is hooked, whose options say it.
 */
#include "check.bpf.h"
#include "task.bpf.h"
#include "traced.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define CAP_OPT_NOAUDIT	 2
#define PF_EXITING	 0x4
#define CAP_AUDIT_WRITE_ 29
#define FRAMES                                                                                     \
	8 /* what the tracepoint adds (up to 4), cap_capable(), security_capable(), who asked */

/*
 * Without a branch, of which the verifier would follow both arms: for each address and each range that was
 * more than it has patience for (7.3, arm64). Begin and end are less than half of all addresses apart.
 */
static __always_inline bool is_in(const volatile struct ev_range *r, __u64 address)
{
	__u64 at = address - r->begin, size = r->end - r->begin;

	return (~at & (at - size)) >> 63;
}

static __always_inline bool is_probe_address(__u64 address)
{
	bool hit = false;

	for (__u32 i = 0; i < EV_PROBES; i++)
		hit |= is_in(&cfg.probes[i], address);
	return hit;
}

/*
 * Where the return addresses of the tracepoint and of cap_capable() lie above the tracepoint's
 * arguments, in words: always the same, unless another tracer comes or goes, as both functions have
 * one frame. Walking the stack takes a microsecond, and tmpfs asks at each block that it gives out.
 */
struct frame_layout {
	__u32 capable_at, caller_at; /* 0: not known */
};

static struct frame_layout layout;

#define LAYOUT_MAX 32

static __always_inline __u64 stack_word(__u64 base, __u32 at)
{
	__u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), (void *)(base + 8 * at));
	return word;
}

/*
 * Finds the addresses of two frames in the stack, the second behind the first. What was found is kept
 * where the verifier does not follow it. CPUs that learn at the same time find the same.
 */
static __always_inline void layout_learn(__u64 base, __u64 capable, __u64 caller)
{
	volatile struct frame_layout *l = &layout;

	l->capable_at = l->caller_at = 0;
	for (__u32 at = 1; at < LAYOUT_MAX; at++) {
		__u64 word = stack_word(base, at);

		if (!l->capable_at) {
			if (word == capable)
				l->capable_at = at;
		} else if (!l->caller_at && word == caller) {
			l->caller_at = at;
		}
	}
}

/* Who called cap_capable(); 0: the stack has to be walked. */
static __always_inline __u64 caller_by_layout(__u64 base)
{
	struct frame_layout l = layout;

	if (!l.caller_at || !is_in(&cfg.cap_capable, stack_word(base, l.capable_at)))
		return 0;
	return stack_word(base, l.caller_at);
}

/* Masks instead of conditions, for is_in()'s reason. */
static __always_inline bool walk_has_probe(void *ctx, __u64 base)
{
	__u64 frames[FRAMES] = {}, capable = 0, caller = 0, below = 0, behind = 0;
	bool hit = false;
	long n = bpf_get_stack(ctx, frames, sizeof(frames), 0);

	if (n < 0)
		return false;
	for (__u32 i = 0; i < FRAMES; i++) {
		hit |= is_probe_address(frames[i]);
		caller |= frames[i] & below & ~behind;
		behind |= below;
		capable |= frames[i] & -(__u64)is_in(&cfg.cap_capable, frames[i]) & ~below;
		below |= -(__u64)is_in(&cfg.cap_capable, frames[i]);
	}
	if (capable && caller)
		layout_learn(base, capable, caller);
	return hit;
}

/* Nobody audits the check whose tracepoint's arguments are at @base. */
static __always_inline bool is_probe(void *ctx, __u64 base)
{
	__u64 caller = caller_by_layout(base);

	return is_probe_address(caller) || walk_has_probe(ctx, base);
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

/*
 * A page fault has no call to wait for, nor has a task that ends: what it asks for when its end has been told
 * would be left for the next task of its number.
 */
static __always_inline bool has_call(int nr)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();

	return nr >= 0 && cfg.join_checks && !(BPF_CORE_READ(t, flags) & PF_EXITING);
}

static __always_inline void check_keep(const struct check *c, int nr)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct checks *p = bpf_map_lookup_elem(&task_checks, &tid);

	if (!has_call(nr)) {
		check_count(NULL, c, CHECK_NO_CALL, 0);
		return;
	}
	if (!p) {
		struct checks first = {check_state(c->what & 0xff), 1, {*c}};

		if (!bpf_map_update_elem(&task_checks, &tid, &first, BPF_NOEXIST))
			check_mark(tid, 1);
		else
			check_count(NULL, c, CHECK_NO_CALL, 0);
		return;
	}
	if (!p->nr) {
		p->before = check_state(c->what & 0xff);
		check_mark(tid, 1);
	}
	if (!check_add(p, c))
		check_count(NULL, c, CHECK_NO_CALL, 0);
}

static __always_inline void check_begin(const struct cred *cred, struct user_namespace *ns,
					__u32 cap, int ret, __u32 flags, int nr)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct check c = {.count = 1};

	flags |= ret ? 0 : CHECK_GRANTED;
	/* what is written to an audit that is off goes nowhere, and libaudit goes on without */
	flags |= cap == CAP_AUDIT_WRITE_ && cfg.audit_off ? CHECK_PROBE : 0;
	if (cred == BPF_CORE_READ(t, cred) && cred == BPF_CORE_READ(t, real_cred))
		flags |= CHECK_OWN;
	flags |= namespace_of(t, ns) << 3;
	c.what = flags << 8 | (cap & 0xff);
	check_keep(&c, nr);
}

TRACED("tp_btf/cap_capable", capability_check, const struct cred *cred,
       struct user_namespace *target, const struct user_namespace *capable, int cap, int ret)
{
	__u64 base = ctx_address(ctx);

	if (!ev_enabled(EV_capability_checks) || !on_task_stack(base) || !seen_watched())
		return 0;
	check_begin(cred, target, cap, ret, is_probe(ctx, base) ? CHECK_PROBE : 0, current_call());
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
