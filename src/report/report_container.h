/* SPDX-License-Identifier: MIT */
#ifndef EBPFMON_REPORT_CONTAINER_H
#define EBPFMON_REPORT_CONTAINER_H

#include "report/json_writer.h"

struct container;

/* Adds the members of an object: everything that is known of @c. docs/report.schema.json: container. */
void report_container_json(struct jw *j, const struct container *c, __s64 boot_to_wall);

#endif
