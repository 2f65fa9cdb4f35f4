/* SPDX-License-Identifier: MIT */
/*
 * Least privilege: reports go in (advice_add), the advice is a struct, renderers write it
 * (advise_render.h). Pure but for memory: reports are read by the caller, and are not trusted.
 */
#ifndef EBPFMON_ADVISE_H
#define EBPFMON_ADVISE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>
#include "facts.h"

#define ADVICE_ABIS	 3 /* EV_ABI_NATIVE, _COMPAT, _X32 */
#define ADVICE_CALLS	 1024
#define ADVICE_CAPS	 64
#define ADVICE_ARGS	 3 /* of a call, kept by a record (include/arguments.def) */
#define ADVICE_ARGUMENTS 1024 /* different ones; beyond, calls are not narrowed */

struct cJSON;

/* Why advice may not be the whole truth; what each means is in advise.c. */
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
	DOUBT_NO_END = 1 << 11,
	DOUBT_KILLED = 1 << 12,
	DOUBT_NO_RELOAD = 1 << 13,
	DOUBT_NO_EXEC = 1 << 14,
	DOUBT_REFUSED = 1 << 15,
};

/* Phases of a container's life; of several reports, one that shows it is enough. */
enum advice_phase {
	PHASE_START = 1 << 0,
	PHASE_END = 1 << 1,
	PHASE_STOP = 1 << 2, /* it ended, and not by SIGKILL */
	PHASE_RELOAD = 1 << 3, /* a signal that servers take for it was delivered */
	PHASE_EXEC = 1 << 4, /* a command was brought in (docker exec) */
};

struct advice_entry {
	__u32 runs; /* in how many reports */
	__u32 last; /* the report it was last seen in, from 1 */
	__u64 count; /* of calls; of the runtime's before the entry point, those under the filter */
	__u64 setup; /* of these, the runtime's */
	__u64 denied; /* by a filter, beside @count */
	__u64 refused; /* of @count, those that failed as if by a filter, where a record cannot tell */
	__u64 arguments; /* of @count, those whose arguments are known */
	__u64 vain; /* of @count, those that failed because something is not there (advise.c) */
	char error[16]; /* how the last of these failed */
	char first[16]; /* the first process, by name; "" when only the runtime made it */
};

/* Arguments that a call was made with, by the places of include/arguments.def. */
struct advice_arguments {
	__u32 abi, nr;
	__u32 value[ADVICE_ARGS];
	__u64 count;
};

struct advice_capability {
	__u32 runs, last;
	__u64 count;
	char first[16], call[40]; /* who was asked first, and in which call */
	bool alone; /* needed where no other capability would have done */
};

struct advice {
	__u32 reports;
	unsigned int doubts; /* enum advice_doubt, of all reports */
	unsigned int phases; /* enum advice_phase */
	__u64 duration; /* ns, of all reports */
	struct advice_entry calls[ADVICE_ABIS][ADVICE_CALLS];
	struct advice_arguments *arguments; /* each once */
	size_t nr_arguments;
	struct advice_capability needed[ADVICE_CAPS], denied[ADVICE_CAPS];
	struct facts facts;
};

/* NULL: no memory. */
struct advice *advice_new(void);
void advice_free(struct advice *a);
/* Takes a report in. 0; -EINVAL when it is none that this version knows; -ENOMEM. */
int advice_add(struct advice *a, const struct cJSON *report);
/* A line for each doubt, begun with @prefix ("ebpfmon: warning: ", "# "). */
void advice_warn(FILE *out, const struct advice *a, const char *prefix);

/* Was the call made, or tried while a filter denied it, under this ABI? */
bool advice_uses_abi(const struct advice *a, __u32 abi);
/* Did each of its calls fail, as what it asked for was not there? Then no run can show what it is for. */
bool advice_in_vain(const struct advice_entry *e);
/* Profiles name calls whatever the ABI: what all ABIs' calls of this name come to. runs 0: none. */
struct advice_entry advice_call(const struct advice *a, const char *name);

#endif
