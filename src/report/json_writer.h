/* SPDX-License-Identifier: MIT */
/*
 * Writes one JSON document, straight to a descriptor or into memory, without building a tree of
 * it first: a report may list a million files. @key is NULL for elements of an array. Strings are
 * bytes, escaped by value_json_bytes(); keys must be plain.
 */
#ifndef EBPFMON_REPORT_JSON_WRITER_H
#define EBPFMON_REPORT_JSON_WRITER_H

#include <linux/types.h>
#include <stdbool.h>
#include "buf.h"

#define JSON_DEPTH 160

enum json_style {
	JSON_LINES, /* each member on a line of its own */
	JSON_INLINE, /* all on one line */
};

struct jw {
	struct buf b;
	int fd; /* -1: keep everything in @b */
	int err; /* first failure: 0 or -errno */
	unsigned int depth;
	__u64 time_sec; /* the second that @time shows */
	char time[32];
	struct {
		char close;
		bool lines, any;
	} stack[JSON_DEPTH];
};

void jw_object(struct jw *j, const char *key, enum json_style style);
void jw_array(struct jw *j, const char *key, enum json_style style);
void jw_end(struct jw *j);
void jw_u64(struct jw *j, const char *key, __u64 v);
void jw_i64(struct jw *j, const char *key, __s64 v);
void jw_bool(struct jw *j, const char *key, bool v);
/* NULL is written as null. */
void jw_str(struct jw *j, const char *key, const char *s);
void jw_bytes(struct jw *j, const char *key, const char *s, size_t len);
/* Nanoseconds since the epoch as RFC 3339 in UTC; 0 is left out. */
void jw_time(struct jw *j, const char *key, __u64 wall);
/* Text that is JSON already: a value, or (key NULL, in an object) members. Empty is left out. */
void jw_raw(struct jw *j, const char *key, const char *s, size_t len);
/* For figures that say nothing when they are 0, false or absent: left out then. */
void jw_u64_if(struct jw *j, const char *key, __u64 v);
void jw_true_if(struct jw *j, const char *key, bool v);
void jw_str_if(struct jw *j, const char *key, const char *s);
/* Writes out the rest. Returns 0, or the first failure as -errno. */
int jw_finish(struct jw *j);
void jw_free(struct jw *j);

/* Nanoseconds since the epoch as RFC 3339 in UTC; @out needs 32 bytes. */
void jw_format_time(char *out, __u64 wall);

#endif
