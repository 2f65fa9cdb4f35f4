// SPDX-License-Identifier: GPL-2.0
/*
 * What the benchmark compares with: the least that a watcher can do.
 *
 * floor_enter, floor_exit: return at once. All that is left is the price of a tracepoint to which
 * something is attached.
 * ring_exit: one record of 64 bytes for every call that returns in one cgroup, without a wake-up:
 * what a ring buffer can take when nothing but the record is to be done.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __u64 cgroup = 0;

struct record {
	__u64 words[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dropped SEC(".maps");

SEC("raw_tp/sys_enter")
int floor_enter(void *ctx)
{
	return 0;
}

SEC("raw_tp/sys_exit")
int floor_exit(void *ctx)
{
	return 0;
}

SEC("raw_tp/sys_exit")
int ring_exit(void *ctx)
{
	struct record *r;
	__u32 zero = 0;
	__u64 *n;

	if (bpf_get_current_cgroup_id() != cgroup)
		return 0;
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (r) {
		for (int i = 0; i < 8; i++)
			r->words[i] = cgroup;
		bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
		return 0;
	}
	n = bpf_map_lookup_elem(&dropped, &zero);
	if (n)
		++*n;
	return 0;
}
