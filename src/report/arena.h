/* SPDX-License-Identifier: MIT */
/*
 * Memory that is given out piece by piece and freed at once, within a budget: what a container
 * can make a report cost. NULL means "no room": the caller folds what it wanted to keep.
 */
#ifndef EBPFMON_REPORT_ARENA_H
#define EBPFMON_REPORT_ARENA_H

#include <stddef.h>

struct budget {
	size_t used, limit;
};

struct arena {
	struct arena_chunk *chunks;
	size_t left; /* bytes left in the newest chunk */
	struct budget own;
	struct budget *shared; /* of all reports together; may be NULL */
};

/* @size zeroed bytes, aligned for any type; NULL when the budget or the memory is spent. */
void *arena_alloc(struct arena *a, size_t size);
/* A copy of @len bytes, with a NUL behind them. */
char *arena_copy(struct arena *a, const void *data, size_t len);
void arena_free(struct arena *a);

#endif
