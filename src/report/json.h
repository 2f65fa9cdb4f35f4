/* SPDX-License-Identifier: MIT */
/*
 * Writes one JSON document, straight to a descriptor or into memory, without building a tree of
 * it first: a report may list a million files. @key is NULL for elements of an array. Strings are
 * bytes, escaped by value_json_bytes(); keys must be plain.
 */
#ifndef EBPFMON_REPORT_JSON_H
#define EBPFMON_REPORT_JSON_H

#include <linux/types.h>
#include <stdbool.h>
#include "buf.h"

#define JSON_DEPTH 160

enum json_style {
	JSON_LINES,	/* each member on a line of its own */
	JSON_INLINE,	/* all on one line */
};

struct json {
	struct buf b;
	int fd;			/* -1: keep everything in @b */
	int err;		/* first failure: 0 or -errno */
	unsigned int depth;
	struct {
		char close;
		bool lines, any;
	} stack[JSON_DEPTH];
};

void json_object(struct json *j, const char *key, enum json_style style);
void json_array(struct json *j, const char *key, enum json_style style);
void json_end(struct json *j);
void json_u64(struct json *j, const char *key, __u64 v);
void json_i64(struct json *j, const char *key, __s64 v);
void json_bool(struct json *j, const char *key, bool v);
/* NULL is written as null. */
void json_str(struct json *j, const char *key, const char *s);
void json_bytes(struct json *j, const char *key, const char *s, size_t len);
/* Nanoseconds since the epoch as RFC 3339 in UTC; 0 is left out. */
void json_time(struct json *j, const char *key, __u64 wall);
/* Text that is JSON already: a value, or (key NULL, in an object) members. Empty is left out. */
void json_raw(struct json *j, const char *key, const char *s, size_t len);
/* For figures that say nothing when they are 0, false or absent: left out then. */
void json_u64_if(struct json *j, const char *key, __u64 v);
void json_true_if(struct json *j, const char *key, bool v);
void json_str_if(struct json *j, const char *key, const char *s);
/* Writes out the rest. Returns 0, or the first failure as -errno. */
int json_finish(struct json *j);
void json_free(struct json *j);

/* Ten-digit and nine-digit parts of an RFC 3339 time; @out needs 32 bytes. */
void json_format_time(char *out, __u64 wall);

#endif
