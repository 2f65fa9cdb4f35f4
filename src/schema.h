/* SPDX-License-Identifier: MIT */
/*
 * The events as tables: what the .def files in include/events declare, for code that handles every event
 * alike. Pure: no I/O, no libbpf.
 */
#ifndef EBPFMON_SCHEMA_H
#define EBPFMON_SCHEMA_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include "events.h"

enum field_type {
#define TYPE(name, ctype, doc) FT_##name,
#include "types.def"
#undef TYPE
	FT__MAX
};

enum field_role {
	ROLE_FIELD, /* what happened, or what a counter is summed for */
	ROLE_SUM, /* a counter's sum: records of the same key add up */
	ROLE_MAX, /* a counter's maximum */
	ROLE_HIDDEN, /* for user space's own use, never shown */
};

struct field_desc {
	const char *member; /* C name: "path" */
	const char *key; /* name it is shown under: "file.path"; NULL when hidden */
	const char *doc;
	__u16 offset; /* bytes from the start of the record */
	__u8 type; /* enum field_type */
	__u8 role; /* enum field_role */
};

struct event_desc {
	const char *name; /* "file.open" */
	const char *subsystem; /* "file" */
	const char *doc;
	const struct field_desc *fields;
	__u16 nr_fields;
	__u16 size; /* fixed part, bytes, header included */
	__u8 sub; /* enum ev_subsystem */
	bool counter;
};

struct type_desc {
	const char *name;
	const char *doc;
	__u16 size;
};

/* EV__MAX rows, by enum ev_type; filled before main() begins. */
extern const struct event_desc *const event_descs;
extern const struct type_desc type_descs[FT__MAX];
extern const char *const subsystem_names[EVS__MAX];
extern const char *const subsystem_docs[EVS__MAX];

/* The event called @name ("file.open"), or -1. */
int event_by_name(const char *name);
/* The event or subsystem name nearest to @name by edit distance, for error messages. */
const char *event_nearest(const char *name);
/* The field of @ev shown under @key, or NULL. */
const struct field_desc *field_by_key(const struct event_desc *ev, const char *key);

#endif
