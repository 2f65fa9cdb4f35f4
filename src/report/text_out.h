/* SPDX-License-Identifier: MIT */
/* Lines for a terminal from strings of a report: escaped, counted in columns, cut where they must. */
#ifndef EBPFMON_REPORT_TEXT_OUT_H
#define EBPFMON_REPORT_TEXT_OUT_H

#include <stdio.h>
#include "buf.h"

struct text_out {
	FILE *out;
	struct buf line;
	unsigned int col, width;
	int err;
};

/* The line so far goes out, the next begins. */
void text_end(struct text_out *t);
/* Our own words, printed as they are: ASCII or single-column UTF-8. */
__attribute__((format(printf, 2, 3))) void text_add(struct text_out *t, const char *fmt, ...);
/* A string from a report, at most @max columns of it (0: what the line has left). NULL is nothing. */
void text_put(struct text_out *t, const char *s, unsigned int max);
/* Blanks up to column @col. */
void text_pad(struct text_out *t, unsigned int col);
/* 1234567 -> "1,234,567"; bytes and nanoseconds with units. @out needs 32 bytes; it is returned. */
const char *text_count(char *out, double v);
const char *text_bytes(char *out, double v);
const char *text_ns(char *out, double v);

#endif
