/* SPDX-License-Identifier: MIT */
/* Whole lines to a descriptor, a batch at a time. */
#ifndef EBPFMON_OUTPUT_H
#define EBPFMON_OUTPUT_H

#include <stdbool.h>
#include "buf.h"

/* Bytes that are kept before they are written without being asked; as many at once go around the page cache. */
#define OUTPUT_BATCH (512 << 10)

#define OUTPUT_HURRY_MS 3000 /* how long a reader may take for a piece when ebpfmon is to end */

struct output {
	struct buf buf;
	int fd;
	int err; /* first failure; from then on records are counted and dropped */
	bool cached; /* the kernel or the file system cannot do without keeping what is written */
	unsigned long long dropped; /* records (lines) that were not written, or not as a whole */
};

/*
 * A file to write to, mode 0600, instead of one that was there; a FIFO or a device that is ours is written to.
 * Never by a symbolic link, nor into a file or FIFO that somebody else has put there. A descriptor,
 * or -errno after saying what is wrong.
 */
int output_create(const char *path);
/* Writes what is there. 0 or the first error there ever was, as -errno. */
int output_flush(struct output *o);
/* At the end of a record: writes when enough has come together. */
int output_record(struct output *o);
/* Flushes, closes and frees. */
void output_close(struct output *o);

#endif
