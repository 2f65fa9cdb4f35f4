/* SPDX-License-Identifier: MIT */
/*
 * The report: what each container did, as one JSON document per container, and as text for a
 * terminal made from that document. docs/manual/report.md describes the document,
 * docs/report.schema.json defines it.
 */
#ifndef EBPFMON_REPORT_H
#define EBPFMON_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define REPORT_SCHEMA  "ebpfmon.report"
#define REPORT_VERSION 1

struct cJSON;
struct sink;

/* LIMIT(member, default, what it bounds), per container. What finds no room is folded and counted. */
#define REPORT_LIMITS(LIMIT)                                                                       \
	LIMIT(processes, 20000, "processes in the tree")                                           \
	LIMIT(execs, 40000, "executed programs, over all processes")                               \
	LIMIT(process_syscalls, 400000, "(process, system call, error) triples")                   \
	LIMIT(syscalls, 16384, "(phase, system call, error) triples")                              \
	LIMIT(files, 50000, "files")                                                               \
	LIMIT(files_per_directory, 20000, "files of one directory that are listed one by one")     \
	LIMIT(directories, 10000, "directories that files are folded into")                        \
	LIMIT(volumes, 1000, "mount points")                                                       \
	LIMIT(changes, 20000, "changes to the file tree")                                          \
	LIMIT(process_events, 10000, "failed execs, credential and namespace changes")             \
	LIMIT(channels, 20000, "pipes, sockets and other channels")                                \
	LIMIT(channel_users, 60000, "(channel, process) pairs")                                    \
	LIMIT(ipc_events, 10000, "signals, System V operations, ptrace and the like")              \
	LIMIT(connections, 10000, "TCP connections")                                               \
	LIMIT(peers, 10000, "remote ends, listeners and UDP peers, each")                          \
	LIMIT(string, 4096, "bytes of one string")                                                 \
	LIMIT(memory, 192u << 20, "bytes of memory for one container's report")                    \
	LIMIT(memory_total, 1u << 30, "bytes of memory for all reports together")

struct report_limits {
#define LIMIT(member, value, doc) size_t member;
	REPORT_LIMITS(LIMIT)
#undef LIMIT
};

/* What the report says about the machine. */
struct report_host {
	char hostname[128], kernel[128], machine[64], boot_id[64];
	unsigned int cpus;
};

struct report_options {
	/*
	 * Where the JSON goes: "-" is stdout; a directory (it exists as one, or the name ends in
	 * '/': then it is made) gets NAME.json for each container; anything else is the file for
	 * the first container, and those after it get theirs beside it, as FILE-NAME.json. NULL:
	 * no JSON.
	 */
	const char *output;
	FILE *text; /* the same as text, at the end; NULL: none */
	unsigned int text_width; /* columns; 0: 100 */
	const char *version; /* ebpfmon's */
	const struct report_host *host; /* NULL: this machine, asked now */
	struct report_limits limits; /* 0: the default */
};

/*
 * The sink. The options are copied but for @text. @err gets the reason when NULL is returned:
 * a place that cannot be written is found now and not after an hour of recording. What goes
 * wrong is said on stderr as well.
 *
 * Containers that records name must live until finish(): their facts are read then. finish()
 * returns 0; -ENOENT when FILE was asked for and no container was seen; or the first failure to
 * write. Reports that can be written are, whatever happens to others.
 */
struct sink *sink_report_new(const struct report_options *opt, int *err);

/* How many containers have been seen, and whether the report of any is not the whole truth. */
unsigned int sink_report_containers(const struct sink *s);
bool sink_report_partial(const struct sink *s);

/* Fills @h from uname(2), /proc and sysconf(3). */
void report_host_get(struct report_host *h);

/*
 * A report read back from JSON, as text of @width columns (0: 100). Everything that came from a
 * container is escaped. Returns 0; -EINVAL when @doc is not a report that this version knows.
 */
int report_text(FILE *out, const struct cJSON *doc, unsigned int width);

#endif
