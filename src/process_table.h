/* SPDX-License-Identifier: MIT */
/* The table behind struct process: made from fork, exec and exit records. Pure. */
#ifndef EBPFMON_PROCESS_TABLE_H
#define EBPFMON_PROCESS_TABLE_H

#include "process.h"
#include "record.h"

struct process_table;

/*
 * @max: processes kept, live ones not counted against it as long as memory lasts: when there are
 * more, those that ended longest ago and have no children in the table are forgotten.
 */
struct process_table *process_table_new(size_t max);
void process_table_free(struct process_table *t);

/* NULL when it is not known. The pointer lasts until the next process_table_record(). */
struct process *process_find(struct process_table *t, __u32 pid, __u64 start);
/* The live process with this pid, whenever it started. */
struct process *process_find_live(struct process_table *t, __u32 pid);

/* Forgets those that ended before @before (CLOCK_BOOTTIME, ns) and have no children in the table. */
void process_table_expire(struct process_table *t, __u64 before);
/* It must be gone, though nobody told. */
void process_table_lose(struct process_table *t, struct process *p, __u64 now);
/* When all that were there before are known: who is whose child, whatever the order they came in. */
void process_table_settle(struct process_table *t);

/*
 * Learns from a checked and normalised record, and returns the process that acts in it (made when
 * it was not known), or NULL when there is none (EV_F_NOPROC), or no memory. Of one that is not the
 * container's (EV_F_OUTSIDE) nothing is learned: it is another container's, or NULL.
 */
struct process *process_table_record(struct process_table *t, const struct ev_hdr *hdr);

/* Calls @fn for each process in the table; a non-zero return ends it and is returned. */
int process_table_each(struct process_table *t, int (*fn)(struct process *p, void *arg), void *arg);

/* Processes known now, and how many were forgotten. */
size_t process_table_count(const struct process_table *t, size_t *forgotten);

#endif
