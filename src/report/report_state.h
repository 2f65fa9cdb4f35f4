/* SPDX-License-Identifier: MIT */
/*
 * What a report is made of while it is being recorded. One struct report per container; each part
 * (process, syscall, file, ipc, tcp) keeps its own tables and turns them into JSON at the end.
 * Everything lives in the report's arena; nothing is freed before the report is.
 */
#ifndef EBPFMON_REPORT_STATE_H
#define EBPFMON_REPORT_STATE_H

#include "buf.h"
#include "hash.h"
#include "record.h"
#include "report/arena.h"
#include "report/json_writer.h"
#include "report/report.h"
#include "report/report_parts.h"

struct container;
struct session;

struct report {
	struct hash_node node; /* in the sink, by container */
	struct report *next;
	const struct container *container;
	const struct report_limits *limits;
	const struct report_sink *sink;
	struct arena arena;
	struct arena index; /* what is only needed while reports are written */
	__u64 seed[2];
	struct buf scratch;
	__u64 first, last; /* wall time of the first and the last record */
	__s64 boot_to_wall;
	__u64 events[PHASE__MAX][EV__MAX];
	__u64 failed[PHASE__MAX][EV__MAX]; /* of them, those that carry an error */
	struct report_processes processes;
	struct report_syscalls syscalls;
	struct report_files files;
	struct report_ipc ipc;
	struct report_tcp tcp;
	struct tally checks; /* for capabilities, but probes */
	__u64 probes;
};

static inline enum phase record_phase(const struct record *r)
{
	return r->hdr->flags & EV_F_SETUP ? PHASE_SETUP : PHASE_RUN;
}

/* The kernel's -ENOENT and a positive ENOENT are the same error. */
static inline __u32 report_errno(__s32 err)
{
	return err < 0 ? 0u - (__u32)err : (__u32)err;
}

/* report_table.c: bounded tables of entries that begin with a struct hash_node. */
/* The entry of @key, made of @size zeroed bytes when it is new (*fresh). NULL: no room. */
void *table_get(struct report *rep, struct table *t, const void *key, size_t len, size_t size,
		bool *fresh);
void *table_find(const struct report *rep, const struct table *t, const void *key, size_t len);
/* All entries in the order of @cmp (of pointers to entries); free() it. NULL when empty or no memory. */
void **table_sorted(const struct table *t, int (*cmp)(const void *, const void *));
/* The same, in the order of their keys' bytes. */
void **table_by_key(const struct table *t);
/* At most report_limits.string bytes of a string field; NULL when absent. */
const char *report_string(const struct report *rep, const struct ev_hdr *hdr, struct ev_ref ref,
			  size_t *len);
struct text report_text_copy(struct report *rep, const char *s, size_t len);
/* A vector of NUL-ended strings as a JSON array of bounded length. */
void report_vector(const struct report *rep, struct buf *b, const char *s, size_t len, bool *cut);
/* The fields of @r, as members of a JSON object, appended to @b. */
void report_fields(struct report *rep, struct buf *b, const struct record *r);

/* Counts @r in the tally under everything it says. */
void tally_add(struct report *rep, struct tally *t, const struct record *r);
/* An array of the entries of event @type, or of all that the tally holds (-1). */
void tally_json(const struct report *rep, struct jw *j, const char *key, const struct tally *t,
		int type);

/* The process a record is of; made known when it was not. NULL: none, or no room. */
struct report_process *report_process_of(struct report *rep, const struct record *r);
/* "process", "pid" and "comm": who. @p may be NULL. */
void report_process_ref(struct jw *j, const struct report_process *p, __u32 pid, const char *comm);

/* One part each: record handlers, in the dispatch table of report.c … */
typedef void report_handler(struct report *rep, const struct record *r);
report_handler report_fork, report_exec, report_exit, report_process_existing, report_leave,
	report_process_event;
report_handler report_syscall, report_arguments, report_io_uring, report_check;
report_handler report_open, report_inherit, report_file_io, report_change;
report_handler report_channel, report_channel_io, report_pipe, report_unix_connect,
	report_unix_accept, report_unix_name, report_ipc_event;
report_handler report_connect, report_accept, report_listen, report_close, report_existing,
	report_datagrams;

/* … and their share of the document. */
void report_process_json(struct report *rep, struct jw *j);
void report_syscall_json(struct report *rep, struct jw *j);
void report_capability_json(struct report *rep, struct jw *j);
void report_syscall_setup_json(struct report *rep, struct jw *j);
void report_file_json(struct report *rep, struct jw *j);
void report_ipc_json(struct report *rep, struct jw *j);
void report_tcp_json(struct report *rep, struct jw *j);
void report_call_json(struct jw *j, const struct report_call *c);
/* The system calls of a phase, most frequent first; free @out and @list. Returns how many. */
size_t report_call_sums(const struct report *rep, enum phase phase, struct call_sum **out,
			void ***list);
void report_errno_name(char *out, size_t size, __u32 err);
void report_summary_json(struct report *rep, struct jw *j);
void report_file_stats_json(struct jw *j, const struct file_stats *s);
void report_flags_json(struct jw *j, const char *key, enum field_type type, __u32 flags);
/* The value's name, or "other". */
const char *report_enum(enum field_type type, __u32 value);
struct container_mount;
const char *report_volume_kind(const struct report *rep, const struct report_volume *v,
			       const struct container_mount **mount);

/* Puts connections into @by_ends, which all reports share; then finds each one's other end there. */
void report_tcp_index(struct report *rep, struct hash *by_ends);
void report_tcp_join(struct report *rep, const struct hash *by_ends);
void report_ipc_join(struct report *rep);
void report_address(char *out, size_t size, const struct ev_addr *a);
/* The first of all reports of this recording. */
const struct report *report_first(const struct report *rep);
void report_container_ref(struct jw *j, const char *key, const struct container *c);

/* report_doc.c: the whole document. */
int report_write(struct report *rep, struct jw *j, const struct session *end);
/* Reasons why this report is not the whole truth, as bits of report_partial_names. */
unsigned int report_partial(const struct report *rep, const struct session *end);
__u64 report_folded(const struct report *rep);

#endif
