/* SPDX-License-Identifier: MIT */
/*
 * What a runtime itself calls after it has loaded the filter: from the table that ships
 * (base_sets.def), and from what `ebpfmon calibrate` measured on this host.
 */
#ifndef EBPFMON_BASE_SET_H
#define EBPFMON_BASE_SET_H

#include "facts.h"

#define BASE_SET_DIR "/var/lib/ebpfmon" /* sets are in base/RUNTIME-VERSION.json below it */

enum base_mode { BASE_PLAIN, BASE_NNP, BASE_ALWAYS };

struct base_choice {
	const char *runtime, *version; /* NULL: of all that are known */
	enum base_mode mode; /* BASE_NNP: the container runs with no_new_privs */
	struct fact_set measured; /* base_set_read(): "RUNTIME\tVERSION\tMODE\tCALL" -> starts */
};

/* Why a call is in. */
struct base_reason {
	const char *runtime, *version; /* NULL: always in */
	__u64 starts; /* in how many it was measured here; 0: it is in the table */
};

/* Is @name in? Then *@why says why, with strings that live as long as @c. */
bool base_set_has(const struct base_choice *c, const char *name, struct base_reason *why);
/* Is any set known of the runtime and version that were chosen? */
bool base_set_known(const struct base_choice *c);
/* Reads the sets that were measured, below @dir. There may be none. 0 or -errno, after saying why. */
int base_set_read(struct base_choice *c, const char *dir);
void base_set_free(struct base_choice *c);
/* A name or version as files of sets are called by. */
bool base_set_is_word(const char *s);
const char *base_mode_name(enum base_mode mode);

#endif
