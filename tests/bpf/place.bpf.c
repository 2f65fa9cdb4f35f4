// SPDX-License-Identifier: GPL-2.0
/* Fills `place`, which user space has mapped. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "place.h"

char LICENSE[] SEC("license") = "GPL";

struct place place = {};

SEC("raw_tp")
int place_find(void *ctx)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();

	place.memory_at = (__u64)place.memory;
	place.task = (__u64)t;
	place.cgroup = (__u64)BPF_CORE_READ(t, cgroups, dfl_cgrp);
	return 0;
}
