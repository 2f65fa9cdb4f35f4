/* SPDX-License-Identifier: MIT */
/*
 * A sink takes records and makes something of them: lines, files, a report. Sinks know the
 * schema and the container table, never libbpf and never one another.
 */
#ifndef EBPFMON_SINK_H
#define EBPFMON_SINK_H

#include "record.h"

struct sink;
struct session;

struct sink_ops {
	const char *name;
	/*
	 * Each returns 0 or -errno; an error of event() ends the recording, with the report still written.
	 * The sink says on stderr what it could not write and why, in one line, by the end of free(): nobody else does.
	 */
	int (*event)(struct sink *s, const struct record *r);
	int (*flush)(
		struct sink *s); /* after each batch: what was taken becomes visible to readers */
	int (*finish)(struct sink *s, const struct session *end); /* the record is complete */
	void (*free)(struct sink *s);
};

struct sink {
	const struct sink_ops *ops;
	bool keeps_containers; /* refers to containers until it is freed */
	bool all_events; /* gets records the user's event selection leaves out, too (the report's process tree) */
	struct sink *next;
};

#endif
