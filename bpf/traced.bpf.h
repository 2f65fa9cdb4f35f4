/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs of tracepoints on kernels that may preempt them (7.1 and newer: cfg.preempted). A program that
 * is preempted there shares its CPU's maps with those that run meanwhile, and whoever comes to the
 * same program on that CPU passes without it. So TRACED() makes of one text
 *
 *	NAME		works with preemption off: its CPU's maps are its own
 *	NAME_again	comes behind it, and does what the kernel left NAME out of: NAME may lose its CPU
 *			in the moments before and behind its work. The loader leaves it out on other kernels
 *
 * What both are left out of is lost, and can be told: it is what the first was left out of, less what the second
 * has done. Programs of sys_exit, which call each other, have another way: sys_exit_regs() in sys.bpf.h.
 */
#ifndef EBPFMON_TRACED_BPF_H
#define EBPFMON_TRACED_BPF_H

#include "ev.bpf.h"

extern void bpf_preempt_disable(void) __ksym __weak; /* 6.11 */
extern void bpf_preempt_enable(void) __ksym __weak;

__inline_always void alone_begin(void)
{
	if (cfg.preempted)
		bpf_preempt_disable();
}

__inline_always void alone_end(void)
{
	if (cfg.preempted)
		bpf_preempt_enable();
}

/*
 * What the first of two programs has dealt with, for the second: by the address that the tracepoint gave
 * them. It lives as long as the call of one tracepoint, and one that an interrupt brings on top takes another
 * place: two are in use at most. What the second program was kept from taking out stays: when all are in
 * use, that is all of them.
 */
#define DEALT_WITH 4

struct dealt_with {
	__u64 what[DEALT_WITH]; /* 0: free */
};

/* Between two programs a task that can be preempted may change its CPU: the task's own. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct dealt_with);
} dealt_with_by_task SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dealt_with);
} dealt_with_by_cpu SEC(".maps");

__inline_always struct dealt_with *dealt_with_get(void)
{
	__u32 zero = 0;

	if (cfg.preempted)
		return bpf_task_storage_get(&dealt_with_by_task, bpf_get_current_task_btf(), NULL,
					    BPF_LOCAL_STORAGE_GET_F_CREATE);
	return bpf_map_lookup_elem(&dealt_with_by_cpu, &zero);
}

__inline_always void dealt_with_put(__u64 what)
{
	struct dealt_with *d = dealt_with_get();

	if (!d)
		return;
	for (int i = 0; i < DEALT_WITH; i++)
		if (!d->what[i]) {
			d->what[i] = what;
			return;
		}
	__builtin_memset(d, 0, sizeof(*d));
	d->what[0] = what;
}

/* Was it there? When it cannot be known: rather not at all than twice. */
__inline_always bool dealt_with_take(__u64 what)
{
	struct dealt_with *d = dealt_with_get();

	if (!d)
		return true;
	for (int i = 0; i < DEALT_WITH; i++)
		if (d->what[i] == what) {
			d->what[i] = 0;
			return true;
		}
	return false;
}

/* How often a second program has done what the first was left out of. Key: the first's name. */
struct again_key {
	char program[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct again_key);
	__type(value, __u64);
} again_done SEC(".maps");

__inline_always void again_count(const struct again_key *first)
{
	__u64 zero = 0, *n = bpf_map_lookup_elem(&again_done, first);

	if (!n) {
		bpf_map_update_elem(&again_done, first, &zero, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&again_done, first);
	}
	if (n)
		__sync_fetch_and_add(n, 1);
}

#define TRACED_CALL(name, args...)                                                                 \
	_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wint-conversion\"")      \
		____##name(___bpf_ctx_cast(args));                                                 \
	_Pragma("GCC diagnostic pop")

/* As BPF_PROG(), with its section; at least one argument. */
#define TRACED(section, name, args...)                                                             \
	static __always_inline int ____##name(unsigned long long *ctx, ##args);                    \
	SEC(section)                                                                               \
	int name(unsigned long long *ctx)                                                          \
	{                                                                                          \
		alone_begin();                                                                     \
		TRACED_CALL(name, args)                                                            \
		if (cfg.preempted)                                                                 \
			dealt_with_put(ctx[0]);                                                    \
		alone_end();                                                                       \
		return 0;                                                                          \
	}                                                                                          \
	SEC(section)                                                                               \
	int name##_again(unsigned long long *ctx)                                                  \
	{                                                                                          \
		struct again_key first = {#name};                                                  \
                                                                                                   \
		alone_begin();                                                                     \
		if (!dealt_with_take(ctx[0])) {                                                    \
			TRACED_CALL(name, args)                                                    \
			again_count(&first);                                                       \
		}                                                                                  \
		alone_end();                                                                       \
		return 0;                                                                          \
	}                                                                                          \
	static __always_inline int ____##name(unsigned long long *ctx, ##args)

#endif
