/* SPDX-License-Identifier: MIT */
/* Whole lines to a descriptor, a batch at a time. */
#ifndef EBPFMON_OUTPUT_H
#define EBPFMON_OUTPUT_H

#include "buf.h"

#define OUTPUT_BATCH 65536 /* bytes that are kept before they are written without being asked */

struct output {
	struct buf buf;
	int fd;
	int err; /* first failure; from then on records are counted and dropped */
	unsigned long long dropped; /* records (lines) that were not written, or not as a whole */
};

/* Writes what is there. 0 or the first error there ever was, as -errno. */
int output_flush(struct output *o);
/* At the end of a record: writes when enough has come together. */
int output_record(struct output *o);
/* Flushes, closes and frees. */
void output_close(struct output *o);

#endif
