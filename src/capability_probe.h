/* SPDX-License-Identifier: MIT */
/*
 * Are capabilities missed? Operations that need just one, made in children that have all capabilities
 * but some. What they do is done to things that the children themselves made.
 */
#ifndef EBPFMON_CAPABILITY_PROBE_H
#define EBPFMON_CAPABILITY_PROBE_H

#include <linux/types.h>

enum capability_answer {
	CAP_UNTRIED, /* no operation is known, or it is refused here with the capability, too */
	CAP_REFUSED, /* as it should be */
	CAP_WENT_THROUGH,
};

/*
 * With the capabilities @keep alone (a bit for each), the operation that needs @cap, which is none of
 * them. @what: the operation, as a static string, or NULL. 0 or -errno: no child can be made.
 */
int capability_probe(__u64 keep, unsigned int cap, enum capability_answer *answer,
		     const char **what);

#endif
