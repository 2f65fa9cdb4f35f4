/* SPDX-License-Identifier: MIT */
/* The sinks that stream: lines as things happen. Each takes its descriptor over. NULL: no memory, or errno. */
#ifndef EBPFMON_SINKS_H
#define EBPFMON_SINKS_H

#include "sink.h"

/* One JSON object a line. */
struct sink *sink_jsonl_new(int fd);
/* One readable line an event. */
struct sink *sink_text_new(int fd, bool colour);
/* RFC 4180: a file per event type in @dir, which is made when it is not there. */
struct sink *sink_csv_new(const char *dir);

#endif
