/* SPDX-License-Identifier: MIT */
/* One recording from start to end, for `record` and `run` alike. */
#ifndef EBPFMON_RECORDER_H
#define EBPFMON_RECORDER_H

#include "loader.h"
#include "options.h"
#include "pipeline.h"
#include "source.h"

struct recorder {
	struct options *options;
	struct loader *loader;
	struct source *source;
	struct pipeline pipeline;
	struct filter filter;
	struct session session;
	struct container_table *containers;
	__u64 next_sweep;
	__u64 ends_lost; /* records of processes' and cgroups' ends, as of the last sweep */
	bool scanned; /* what runs already is in the table: from here on cgroups come by their creation */
	bool interrupted; /* by SIGINT */
	unsigned int quiet_turns; /* in which no record came */
	bool own_output; /* stdout carries data */
};

/* What a recording with these options asks of the kernel. */
void recorder_settings(const struct options *o, struct loader_options *lo);

/* Programs loaded, containers known, sinks ready. 0 or -errno, after saying what is wrong. */
int recorder_open(struct recorder *r, struct options *o);
/* Records flow; what runs already is in the table. */
int recorder_start(struct recorder *r);
/* One turn of the loop: true while recording shall go on. */
bool recorder_turn(struct recorder *r);
/* Ends it, and lets every sink finish. An exit status. */
int recorder_finish(struct recorder *r, const char *why);
void recorder_close(struct recorder *r);

#endif
