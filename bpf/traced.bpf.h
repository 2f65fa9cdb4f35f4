/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs of tracepoints that the kernel may leave out: whoever comes to a program that is under way on
 * that CPU passes without it. From 7.1 on (cfg.preempted) that is so as often as a task is preempted in one, and
 * who runs meanwhile shares the CPU's maps with it. So TRACED() makes of one text
 *
 *	NAME			works with preemption off: its CPU's maps are its own
 *	NAME_second, NAME_third	come behind it, and do what has not been done yet: any of them may lose its CPU,
 *				and the kernel leave it out, in the moments before and behind its work
 *	NAME_last		the same, and forgets what the call was about
 *
 * The loader leaves the copies out on other kernels, but for those of TRACED_NESTED(), tracepoints that interrupts
 * come to while a task is there: they have NAME and NAME_last everywhere.
 *
 * What all are left out of is lost, and can be told: it is what the first was left out of, less what the others
 * have done. Programs of sys_exit, which call each other, have another way: sys_exit_regs() in sys.bpf.h.
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

/* A program, by the name of the first. */
union traced_name {
	char name[32];
	__u64 word[4];
};

__inline_always __u64 name_sum(const union traced_name *n)
{
	return n->word[0] ^ n->word[1] ^ n->word[2] ^ n->word[3];
}

/*
 * What has been dealt with: the call of one tracepoint in one program, by the address that it gives them.
 * An interrupt may bring another on top: two are in use at most. What the last program was kept from forgetting is
 * forgotten with the next such call, or as newer ones come.
 */
#define DEALT_WITH 4

struct dealt_with {
	struct {
		__u64 address;
		__u64 program; /* name_sum(); 0: free */
	} call[DEALT_WITH];
	__u32 puts;
	__u32 pad;
};

/*
 * Between two programs a task that can be preempted may change its CPU: the task's own; its CPU's, when the kernel
 * has no memory for that at the moment.
 */
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

__inline_always struct dealt_with *dealt_with_of_task(void)
{
	if (!cfg.preempted)
		return NULL;
	return bpf_task_storage_get(&dealt_with_by_task, bpf_get_current_task_btf(), NULL,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
}

__inline_always struct dealt_with *dealt_with_of_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&dealt_with_by_cpu, &zero);
}

__inline_always bool dealt_with_find(struct dealt_with *d, const union traced_name *n,
				     __u64 address, bool forget)
{
	if (!d)
		return false;
	for (int i = 0; i < DEALT_WITH; i++)
		if (d->call[i].address == address && d->call[i].program == name_sum(n)) {
			if (forget)
				d->call[i].program = 0;
			return true;
		}
	return false;
}

__inline_always bool dealt_with_has(const union traced_name *n, __u64 address, bool forget)
{
	return dealt_with_find(dealt_with_of_task(), n, address, forget) ||
	       dealt_with_find(dealt_with_of_cpu(), n, address, forget);
}

__inline_always void dealt_with_put(const union traced_name *n, __u64 address)
{
	struct dealt_with *d = dealt_with_of_task();
	__u32 i;

	if (!d)
		d = dealt_with_of_cpu();
	if (!d || dealt_with_find(d, n, address, false))
		return;
	i = d->puts++ % DEALT_WITH;
	d->call[i].address = address;
	d->call[i].program = name_sum(n);
}

/* How often copies have done what the first was left out of. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, union traced_name);
	__type(value, __u64);
} copied SEC(".maps");

__inline_always void copied_count(const union traced_name *n)
{
	__u64 zero = 0, *count = bpf_map_lookup_elem(&copied, n);

	if (!count) {
		bpf_map_update_elem(&copied, n, &zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&copied, n);
	}
	if (count)
		__sync_fetch_and_add(count, 1);
}

#define TRACED_CALL(name, args...)                                                                 \
	_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wint-conversion\"")      \
		____##name(___bpf_ctx_cast(args));                                                 \
	_Pragma("GCC diagnostic pop")

#define TRACED_COPY(section, name, suffix, last)                                                   \
	SEC(section)                                                                               \
	int name##suffix(unsigned long long *ctx)                                                  \
	{                                                                                          \
		union traced_name first = {#name};                                                 \
                                                                                                   \
		alone_begin();                                                                     \
		if (!dealt_with_has(&first, ctx[0], last)) {                                       \
			name##_body(ctx);                                                          \
			if (!(last))                                                               \
				dealt_with_put(&first, ctx[0]);                                    \
			copied_count(&first);                                                      \
		}                                                                                  \
		alone_end();                                                                       \
		return 0;                                                                          \
	}

/* The text is there once, as a function: copies are small. */
#define TRACED_TEXT(copies, section, name, args...)                                                \
	static __always_inline int ____##name(unsigned long long *ctx, ##args);                    \
	static __attribute__((noinline)) int name##_body(unsigned long long *ctx)                  \
	{                                                                                          \
		TRACED_CALL(name, args)                                                            \
		return 0;                                                                          \
	}                                                                                          \
	SEC(section)                                                                               \
	int name(unsigned long long *ctx)                                                          \
	{                                                                                          \
		union traced_name first = {#name};                                                 \
                                                                                                   \
		alone_begin();                                                                     \
		name##_body(ctx);                                                                  \
		if (copies)                                                                        \
			dealt_with_put(&first, ctx[0]);                                            \
		alone_end();                                                                       \
		return 0;                                                                          \
	}                                                                                          \
	TRACED_COPY(section, name, _second, false)                                                 \
	TRACED_COPY(section, name, _third, false)                                                  \
	TRACED_COPY(section, name, _last, true)                                                    \
	static __always_inline int ____##name(unsigned long long *ctx, ##args)

/* As BPF_PROG(), with its section; at least one argument. */
#define TRACED(section, name, args...)	      TRACED_TEXT(cfg.preempted, section, name, ##args)
#define TRACED_NESTED(section, name, args...) TRACED_TEXT(true, section, name, ##args)

#endif
