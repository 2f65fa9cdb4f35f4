/* SPDX-License-Identifier: MIT */
/* Where a container wrote, and what to mount there so that its root can be read-only. Pure. */
#ifndef EBPFMON_ADVISE_PLACES_H
#define EBPFMON_ADVISE_PLACES_H

#include "facts.h"

#define PLACES_MAX 256 /* with more, the root stays writable */

enum place_kind {
	PLACE_TMPFS, /* all that is in it, the container made */
	PLACE_VOLUME, /* it holds files of the image, too */
	PLACE_BIND, /* a directory of the host */
};

struct place {
	enum place_kind kind;
	bool configured, writable;
	char path[4096], source[4096]; /* source: of those that are configured */
};

struct places {
	struct place v[PLACES_MAX];
	unsigned int nr;
	bool root_writable; /* it wrote into / itself, or to too many places */
};

/* NULL: no memory. free() it. */
struct places *places_of(const struct facts *f);

#endif
