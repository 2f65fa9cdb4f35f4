/* SPDX-License-Identifier: MIT */
/* Where records come from: the ring, the counter maps, the iterators. */
#ifndef EBPFMON_SOURCE_H
#define EBPFMON_SOURCE_H

#include "loader.h"
#include "pipeline.h"

struct source;

int source_open(struct source **out, const struct loader *l, struct pipeline *p);
void source_close(struct source *s);

/*
 * Takes what waits in the ring, waiting up to @ms milliseconds (a signal ends the wait; when @eager, so
 * does a record), and gives it to the pipeline. The number of records, or -errno.
 */
int source_poll(struct source *s, int ms, bool eager);
/* Counters of processes that have ended: final, so they are taken and removed. 0 or -errno. */
int source_sweep(struct source *s);
/* Everything that is left: the ring, then all counters. After loader_detach(). */
int source_drain(struct source *s);
/* The records an iterator program writes. */
int source_iterate(struct source *s, const char *program);
/* How many records of an event were lost so far. */
__u64 source_lost_of(const struct source *s, enum ev_type type);
/* Adds, per event, what was lost so far. */
void source_lost(const struct source *s, __u64 lost[EV__MAX]);

#endif
