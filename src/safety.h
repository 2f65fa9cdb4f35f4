/* SPDX-License-Identifier: MIT */
/* Calls that advice keeps though a run without them may look the same: safety.def. */
#ifndef EBPFMON_SAFETY_H
#define EBPFMON_SAFETY_H

/* Why @name is kept; NULL: it is none of them. */
const char *safety_reason(const char *name);

#endif
