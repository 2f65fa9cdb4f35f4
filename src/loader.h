/* SPDX-License-Identifier: MIT */
/*
 * Gets the BPF programs into the kernel. What the kernel refuses is left out with its reason, and
 * the rest goes on. Only the loader and the source know libbpf.
 */
#ifndef EBPFMON_LOADER_H
#define EBPFMON_LOADER_H

#include <linux/types.h>
#include "config.h"
#include "session.h"

struct loader;

struct loader_options {
	struct ev_config config;
	bool subsystems[EVS__MAX];
	char cgroup_controller[32]; /* of config.cgroup_hierarchy, when that is one of v1 */
	bool trace_enter; /* attach sys_enter, too */
	bool ask_verifier; /* fill coverage.verified, and let the verifier say why it refuses a program */
	bool no_classic; /* programs of sys_enter and sys_exit stay what their sections say */
	__u32 ring_bytes; /* a power of two */
};

/* 0 or -errno; says why on stderr. On success *@out is the caller's. */
int loader_open(struct loader **out, const struct loader_options *o);
/* From here on records flow. */
int loader_attach(struct loader *l);
/*
 * Stops the flow; maps stay readable. Notes in the coverage how often the kernel has left a program out because it, or
 * another instance of it, was under way on that CPU (bpf_prog_info.recursion_misses, 5.12+).
 */
void loader_detach(struct loader *l);
void loader_close(struct loader *l);

/*
 * Between these two no task of ordinary priority takes the CPU from the caller. Where classic tracepoints stand
 * in (7.1+), the kernel leaves their programs out on a CPU on which a bpf(2) call on a map is under way: whoever
 * took the CPU from it would not be recorded. On other kernels they do nothing.
 */
void loader_hold_cpu(const struct loader *l);
void loader_release_cpu(const struct loader *l);

/* Rows of hooks.def with what became of them. */
const struct coverage *loader_coverage(const struct loader *l, unsigned int *nr);

/* The reader goes to sleep: a ring that fills up wakes it; when @eager, the next record. After loader_attach(). */
void loader_sleeps(const struct loader *l, bool eager);

/* The map called @name, or -ENOENT. */
int loader_map(const struct loader *l, const char *name);
/* An iterator program's output, to be read to its end; -errno when there is none. The caller closes it. */
int loader_iterate(const struct loader *l, const char *program);

/*
 * enum ev_cgroup_flags of a cgroup. @add: also of one that the kernel side has not seen being made;
 * of the others it has forgotten those that are gone, and is not to be reminded of them.
 */
int loader_mark(const struct loader *l, __u64 cgroup, __u32 flags, __u64 created, bool add);
/* The processes of the marked cgroups are known: whoever is not is on the way in. After loader_attach(). */
void loader_scanned(const struct loader *l);

#endif
