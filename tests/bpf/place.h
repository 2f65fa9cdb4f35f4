/* SPDX-License-Identifier: MIT */
/*
 * What tracepoints would hand to the programs: kernel memory that a test may write (registers,
 * strings), and the addresses of kernel objects of its own. Both sides see it.
 */
#ifndef EBPFMON_TESTS_PLACE_H
#define EBPFMON_TESTS_PLACE_H

struct place {
	__u64 memory_at; /* where the kernel has `memory` */
	__u64 task; /* struct task_struct of the caller */
	__u64 cgroup; /* struct cgroup that it is in, of the default hierarchy */
	__u8 memory[4096];
};

#endif
