/* SPDX-License-Identifier: MIT */
/* The events as documents, from their declarations. */
#ifndef EBPFMON_EVENTS_DOC_H
#define EBPFMON_EVENTS_DOC_H

#include <stdbool.h>
#include "buf.h"

/* docs/manual/events.md */
void events_doc_markdown(struct buf *b);
/* For `ebpfmon list events`: a table for people, or one JSON document. */
void events_list(struct buf *b, bool json);

#endif
