/* SPDX-License-Identifier: MIT */
/*
 * What containers did, as sets of strings that reports can be merged in and compared by. Pure. Of
 * strings from a report nothing is believed but that they are UTF-8 without a NUL.
 */
#ifndef EBPFMON_FACTS_H
#define EBPFMON_FACTS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct cJSON;

enum fact_kind {
	FACT_CALLS, /* as in a report, with their ABI's prefix */
	FACT_CAPABILITIES, /* that were granted, and the call succeeded */
	FACT_EXECUTABLES,
	FACT_WRITTEN, /* paths */
	FACT_PEERS, /* "tcp ADDRESS PORT" */
	FACT_LISTENERS,
	FACT_COMPARED, /* those above are what reports are compared by */
	FACT_MOUNTS = FACT_COMPARED, /* destination TAB type TAB source or name TAB "ro" or "rw" */
	FACT_OPERATIONS, /* of io_uring */
	FACT_CONFIGURED, /* capabilities it was given */
	FACT_USERS, /* "UID:GID" of its processes */
	FACT_OPENED, /* paths; directories end in '/' */
	FACT_FOUND, /* paths that were opened and had been there before */
	FACT_MAPPED, /* paths of which memory was mapped */
	FACT_CREATED, /* paths that came to be */
	FACT__MAX,
};

struct fact {
	char *key;
	__u64 count;
	__u32 runs, last; /* in how many reports; the last of them, from 1 */
};

struct fact_set {
	struct fact *v; /* after facts_settle(): in the order of their keys, each once */
	size_t nr, room;
	bool no_memory;
};

struct facts {
	struct fact_set sets[FACT__MAX];
	bool gained; /* a program was executed that gave its process more rights than it had */
	char name[256], image[256], user[64]; /* of the last report that has it */
};

void fact_add(struct fact_set *s, const char *key, __u64 count, __u32 report);
/* Sorts, and makes one of those that are the same. */
void fact_settle(struct fact_set *s);
void fact_set_free(struct fact_set *s);
const struct fact *fact_find(const struct fact_set *s, const char *key);

/* Takes in report number @nr (from 1), which is one. 0 or -ENOMEM. */
int facts_add(struct facts *f, const struct cJSON *report, __u32 nr);
void facts_free(struct facts *f);

#endif
