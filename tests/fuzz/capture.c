// SPDX-License-Identifier: MIT
/*
 * ebpfmon itself, linked with --wrap=pipeline_feed: every record that the kernel sends is written to the
 * file EBPFMON_CAPTURE as well, one behind the other. For seeds of the fuzzers (tests/fuzz/seeds.sh).
 */
#include <stdio.h>
#include <stdlib.h>
#include "pipeline.h"

void __wrap_pipeline_feed(struct pipeline *p, const void *data, size_t len);
void __real_pipeline_feed(struct pipeline *p, const void *data, size_t len);

void __wrap_pipeline_feed(struct pipeline *p, const void *data, size_t len)
{
	static FILE *out;

	if (!out)
		out = fopen(getenv("EBPFMON_CAPTURE"), "wbe");
	if (!out || fwrite(data, len, 1, out) != 1) {
		perror("EBPFMON_CAPTURE");
		exit(1);
	}
	__real_pipeline_feed(p, data, len);
}
