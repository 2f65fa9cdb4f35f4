/* SPDX-License-Identifier: MIT */
/* The arguments of a streamed system call, decoded where they are known. Pure. */
#ifndef EBPFMON_SYSARGS_H
#define EBPFMON_SYSARGS_H

#include <stdbool.h>
#include "buf.h"
#include "record.h"

/* As many as the call has (all six when it is not known): a JSON array of strings, or "a, b, c". */
void sysargs_format(struct buf *b, const struct ev_hdr *hdr, const struct ev_sysargs *a, bool json);

#endif
