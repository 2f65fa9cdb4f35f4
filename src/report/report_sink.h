/* SPDX-License-Identifier: MIT */
/* The sink and where its documents go; see report.h. */
#ifndef EBPFMON_REPORT_SINK_H
#define EBPFMON_REPORT_SINK_H

#include "report/report_state.h"
#include "sink.h"

/* A report that is written, and not yet under its name: a file without any (@fd), or under another (@tmp). */
struct report_named {
	char *name;
	int fd; /* -1: closed */
	char tmp[64]; /* "": none */
};

/* Where documents are written. */
struct report_output {
	int dirfd; /* the directory; -1: straight to @fd */
	int fd; /* stdout, or a device or FIFO that was named */
	char *file; /* name in the directory, for the first container; NULL: NAME.json for all */
	char *shown; /* as the user wrote it, for messages */
	unsigned int written;
	struct report_named *files; /* of this run: none of them replaces another */
	size_t nr_files, cap_files;
	unsigned int nameless; /* files that are open and have no name */
};

struct report_sink {
	struct sink sink;
	struct report_limits limits;
	struct report_host host;
	struct report_output out;
	bool json;
	FILE *text;
	unsigned int text_width;
	char *version;
	__u64 seed[2];
	struct budget memory;
	struct report *first, *last, *cached;
	struct hash by_container;
	unsigned int nr, partial;
	__u64 no_room; /* records of containers that no report could be begun for */
};

int report_output_open(struct report_output *o, const char *where);
/* Writes the report of the next container, as @write fills the document in. 0 or -errno. */
int report_output_write(struct report_output *o, struct report *rep, const struct session *end);
/* Those that were written to files are on the disk, and under their names. 0 or the first -errno. */
int report_output_finish(struct report_output *o);
void report_output_close(struct report_output *o);

#endif
