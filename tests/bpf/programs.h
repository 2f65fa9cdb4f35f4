/* SPDX-License-Identifier: MIT */
/*
 * The BPF programs, loaded by the project's own loader, but run one call at a time by bpf(2)
 * (BPF_PROG_TEST_RUN), in place of the kernel's tracepoints. The kernel runs no tp_btf program so
 * (bpf_prog_test_run_tracing(), net/bpf/test_run.c): the same sources are compiled once more with
 * TEST_RUN, by which they are raw_tp programs. Whatever fails here fails the test (cmocka).
 */
#ifndef EBPFMON_TESTS_PROGRAMS_H
#define EBPFMON_TESTS_PROGRAMS_H

#include <linux/types.h>
#include "events.h"
#include "loader.h"

struct place_bpf;
struct ring_buffer;

struct programs {
	struct loader *loader;
	struct ring_buffer *ring;
	struct place_bpf *place;
	struct {
		const char *name;
		int fd;
	} program[128]; /* those that a tracepoint would run */
	unsigned int nr_programs;
	__u64 cgroup; /* id of the cgroup that this process is in */
	/* what has come out of the ring */
	unsigned long received[EV__MAX];
	unsigned long broken; /* refused by record_check() */
	enum ev_type keep;
	_Alignas(8) char kept[EV_MAX_LEN]; /* the last record of the type `keep`, normalised */
};

/* Why the programs cannot be run here; NULL: they can. */
const char *programs_refused(void);

/* Does the kernel have programs' function @name (kfunc)? */
bool programs_kernel_has(const char *name);
/* All events, counts, durations and the stream on; the caller changes what it wants otherwise. */
struct loader_options programs_options(void);
/* Loads them; the process's cgroup is watched. */
void programs_open(struct programs *p, const struct loader_options *o);
void programs_close(struct programs *p);
/* Empties maps and ring, and has the process's cgroup watched. */
void programs_forget(struct programs *p);

/* Runs a program once, on what its tracepoint would hand it: up to 12 values. */
#define RUN(p, name, ...) programs_run(p, name, (const __u64[12]){__VA_ARGS__})
void programs_run(struct programs *p, const char *name, const __u64 args[12]);

/* The entry, the exit of a system call: number and arguments as they lie in the registers' image. */
struct call {
	int nr;
	__u64 a[6];
	long ret;
};
void programs_enter(struct programs *p, const struct call *c);
void programs_exit(struct programs *p, const struct call *c);
/* A copy of @text in kernel memory: its address there. */
__u64 programs_string(struct programs *p, const char *text);

/* Takes what is in the ring. */
void programs_drain(struct programs *p);
unsigned long programs_lost(const struct programs *p, enum ev_type type);

#define ANY (-1)
/* What syscall.calls maps have, for a number and an errno or ANY: the sums. */
struct ev_syscall_calls programs_counted(const struct programs *p, const char *map, int sysnr,
					 int err);
/* Puts entries that mean nothing into a map until it takes no more. */
void programs_fill(const struct programs *p, const char *map);
void programs_clear(const struct programs *p, const char *map);

#endif
