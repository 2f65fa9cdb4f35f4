/* SPDX-License-Identifier: MIT */
/*
 * What an event is shown as: its columns, each with a dotted key. First those that every event
 * has (time, container, process), then its own fields; columns whose keys share a beginning stand
 * together, so that JSON can nest them. JSON, CSV, text and the documents are made from this.
 */
#ifndef EBPFMON_COLUMNS_H
#define EBPFMON_COLUMNS_H

#include "value.h"

#define COLUMN_DEPTH 5 /* parts of a key: a.b.c.d.e */

struct column {
	const char *key; /* "process.executable.path" */
	const char *type; /* name of the type */
	const char *doc;
	const struct field_desc *field; /* NULL: one that every event has */
	/* of a common column: as value_format() */
	bool (*get)(struct buf *b, const struct record *r, enum value_form form);
	__u8 depth; /* parts of the key */
	struct {
		__u8 off, len;
		__u16 group; /* equal in two columns: the keys are equal up to here */
	} part[COLUMN_DEPTH];
	__u8 shared; /* first parts that it has in common with the column before it */
	struct {
		char *s;
		size_t len;
	} lead[COLUMN_DEPTH]; /* JSON up to the value, when the first 0, 1, … objects are open */
};

struct columns {
	const struct column *col;
	unsigned int nr;
	unsigned int nr_common; /* how many of them every event has */
	/*
	 * The run of columns [whose, own) says whose event it is, and of which kind: alike in records of
	 * one type that record_same_whose() finds to be so. Those from own on may differ.
	 */
	unsigned int whose, own;
};

/* The columns of an event; made on first use, never freed. NULL .col without memory. */
const struct columns *columns_of(enum ev_type type);

/* Appends the value; false, and nothing, when it is absent. */
bool column_format(struct buf *b, const struct record *r, const struct column *c,
		   enum value_form form);

#endif
