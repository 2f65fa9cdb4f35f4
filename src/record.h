/* SPDX-License-Identifier: MIT */
/*
 * One record: checked bytes from the kernel, and what user space knows beside them. Pure.
 */
#ifndef EBPFMON_RECORD_H
#define EBPFMON_RECORD_H

#include <stdbool.h>
#include "schema.h"

struct container;
struct process;

/* What every sink gets. All pointers are lent for the call only. */
struct record {
	const struct ev_hdr *hdr; /* passed record_check() and record_normalise() */
	const struct event_desc *desc; /* of hdr->type */
	const struct container *container; /* never NULL */
	const struct process *process; /* the acting process; NULL when it is not known */
	__u64 wall; /* hdr->time as CLOCK_REALTIME, ns since the epoch */
	__s64 boot_to_wall; /* add to any FT_time field to get CLOCK_REALTIME; ns */
	__u64 epoch; /* counts up when what container or process say may have changed; 0: not known */
};

/*
 * Whose a record is, to be kept for comparison: of the next record when it is the same container's,
 * process's and task's, and nothing that is known of them has changed.
 */
struct record_whose {
	struct ev_hdr hdr;
	const struct container *container;
	const struct process *process;
	__u64 epoch;
};

/* Is @r of the same type and the same as @w? If not, and it is known, @w becomes @r's. */
bool record_same_whose(struct record_whose *w, const struct record *r);

/*
 * Bounds check of a received record: type known, lengths right, every reference inside the tail.
 * The bytes come from memory that an attacker may have shaped; nothing else looks at them before.
 * Returns 0, or -EBADMSG.
 */
int record_check(const void *buf, size_t len);

/*
 * Turns the paths of a checked record from the form in which the kernel side walks them (names
 * from the leaf up, each ended by a NUL) into plain absolute paths, in place; a reference to a
 * mount point, which is a prefix of the path, becomes right by that. Paths that came from a
 * call's argument (PATH_ARGUMENT) are cleaned of "//", "." and ".." too.
 */
void record_normalise(void *buf);

/* The bytes of a string or path field; *len is set. Not NUL-terminated. NULL when absent. */
const char *record_bytes(const struct ev_hdr *hdr, struct ev_ref ref, size_t *len);
/* The value of any numeric field as 64 bits (signed types sign-extended). */
__u64 record_number(const struct ev_hdr *hdr, const struct field_desc *f);

#endif
