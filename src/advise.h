/* SPDX-License-Identifier: MIT */
/*
 * Least privilege, from reports: which system calls and which capabilities a container needs. Pure:
 * reports are read by the caller, and are not trusted; what is written comes from our own tables.
 */
#ifndef EBPFMON_ADVISE_H
#define EBPFMON_ADVISE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>

#define ADVICE_ABIS  3
#define ADVICE_CALLS 1024
#define ADVICE_CAPS  64

struct cJSON;

/* Why advice may not be the whole truth. */
enum advice_doubt {
	DOUBT_LOST = 1 << 0,
	DOUBT_EXISTING = 1 << 1,
	DOUBT_SHORT = 1 << 2,
	DOUBT_COVERAGE = 1 << 3,
	DOUBT_FOLDED = 1 << 4,
	DOUBT_NO_FILTER = 1 << 5,
	DOUBT_IO_URING = 1 << 6,
	DOUBT_NO_START = 1 << 7,
	DOUBT_NO_CALLS = 1 << 8,
	DOUBT_NO_CHECKS = 1 << 9,
	DOUBT_DENIED = 1 << 10,
};

struct advice_entry {
	__u32 runs; /* in how many reports */
	__u32 last; /* the report it was last seen in, from 1 */
	__u64 count;
};

struct advice {
	__u32 reports;
	unsigned int doubts; /* enum advice_doubt */
	struct advice_entry calls[ADVICE_ABIS][ADVICE_CALLS];
	struct advice_entry needed[ADVICE_CAPS], denied[ADVICE_CAPS];
};

/* Takes a report in. 0, or -EINVAL when it is none that this version knows. */
int advice_add(struct advice *a, const struct cJSON *report);

enum advice_action { ADVICE_ERRNO, ADVICE_LOG, ADVICE_KILL };

/* The profile, in the OCI form that all runtimes read; @runtime "runc", "crun", or NULL: both. */
void advice_seccomp(FILE *out, const struct advice *a, const char *runtime,
		    enum advice_action action);
/* The profile to record under: it allows everything. */
void advice_recording_profile(FILE *out);
/* Per entry, how often and in how many of the reports, or why else it is there. */
void advice_seccomp_explain(FILE *out, const struct advice *a, const char *runtime);
/* As options of docker, OCI and Kubernetes, in one JSON document. */
void advice_capabilities(FILE *out, const struct advice *a);
void advice_warn(FILE *out, const struct advice *a);

#endif
