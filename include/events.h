/* SPDX-License-Identifier: MIT */
/*
 * The events, from their declarations in events/<subsystem>.def. There an event reads
 *
 *	EVENT(subsystem, name, "Sentence.",
 *		FIELD(type, member, "shown.as", "what it is") ...)
 *
 * and an in-kernel sum, drained from its map as a record like any other,
 *
 *	COUNTER(subsystem, name, "Sentence.",
 *		FIELD(...) what it is summed for
 *		SUM(type, member, "shown.as", "...") MAX(type, member, "shown.as", "..."))
 *
 * From it come here: enum ev_type (EV_file_open), and struct ev_file_open that BPF fills.
 * HIDDEN(type, member, "doc") is a field for user space's own use: never shown.
 */
#ifndef EBPFMON_EVENTS_H
#define EBPFMON_EVENTS_H

#include "wire.h"
#include "names.h"

/* The C type of each field type: struct file members are declared as evt_path path; */
#define TYPE(name, ctype, doc) typedef ctype evt_##name;
#include "types.def"
#undef TYPE

enum ev_subsystem {
#define SUBSYSTEM(name, doc) EVS_##name,
#include "subsystems.def"
#undef SUBSYSTEM
	EVS__MAX
};

#define EVENT(sub, name, doc, fields)	EV_##sub##_##name,
#define COUNTER(sub, name, doc, fields) EV_##sub##_##name,
enum ev_type {
#include "events/all.def"
	EV__MAX
};
#undef EVENT
#undef COUNTER

#define FIELD(type, member, key, doc) evt_##type member;
#define HIDDEN(type, member, doc)     evt_##type member;
#define SUM(type, member, key, doc)   evt_##type member;
#define MAX(type, member, key, doc)   evt_##type member;
#define EVENT(sub, name, doc, fields)                                                              \
	struct ev_##sub##_##name {                                                                 \
		struct ev_hdr hdr;                                                                 \
		fields                                                                             \
	};
#define COUNTER(sub, name, doc, fields)                                                            \
	struct ev_##sub##_##name {                                                                 \
		struct ev_hdr hdr;                                                                 \
		fields                                                                             \
	};
#include "events/all.def"
#undef EVENT
#undef COUNTER
#undef FIELD
#undef HIDDEN
#undef SUM
#undef MAX

#endif
