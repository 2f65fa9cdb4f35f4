/* SPDX-License-Identifier: MIT */
/*
 * One formatter per field type, for each of the forms a value is shown in. None allocates but
 * through the buffer. Pure.
 */
#ifndef EBPFMON_VALUE_H
#define EBPFMON_VALUE_H

#include "buf.h"
#include "record.h"

enum value_form {
	FORM_JSON, /* a complete JSON value */
	FORM_PLAIN, /* for CSV: raw text, but '\', invalid UTF-8 and control characters as in JSON strings; caller quotes */
	FORM_TEXT, /* for a terminal: as PLAIN, sizes and durations with units */
};

/*
 * Appends the field's value. Returns false, and appends nothing, when the value is absent: an empty
 * reference, and 0 where the type has no zero: err, sig, pid, id, ino, time, dev, fstype, pathflags.
 */
bool value_format(struct buf *b, const struct record *r, const struct field_desc *f,
		  enum value_form form);

/* Bytes in a form: a JSON string with its quotes, or plain. */
void value_bytes(struct buf *b, const char *s, size_t len, enum value_form form);

/* A word of a command line: a JSON string, or quoted as a shell would read it, $'\x1b' for what is not text. */
void value_word(struct buf *b, const char *s, size_t len, enum value_form form);

/* The name of a system call, "compat:" before those of the 32-bit ABI. */
void value_syscall(struct buf *b, __u32 sysnr);

/* A point in time, CLOCK_REALTIME in ns: RFC 3339 in UTC; in TEXT the local time of day. */
bool value_time(struct buf *b, __u64 wall, enum value_form form);

/*
 * Bytes as the inside of a JSON string (no quotes). Valid UTF-8 passes, control characters, '"',
 * and '\' are escaped as JSON wants; a byte that is not valid UTF-8 becomes the private-use
 * character U+F700 + byte (so 0xff is \uf7ff), and so does each byte of a U+F700..U+F7FF that was there:
 * the way back is exact, and documented in docs/manual.
 */
void value_json_bytes(struct buf *b, const char *s, size_t len);

#endif
