/* SPDX-License-Identifier: MIT */
/* Documents that others wrote, reports and profiles: anything may be missing, or of another type. */
#ifndef EBPFMON_JSON_AT_H
#define EBPFMON_JSON_AT_H

#include <cjson/cJSON.h>

/* The member @key of @o; NULL when there is none, or @o is no object. */
const cJSON *json_at(const cJSON *o, const char *key);
/* The string that is there, or "". */
const char *json_text(const cJSON *o, const char *key);
/* The number that is there if it is above 0, finite and exact as an integer (below 2^53); or 0. */
double json_number(const cJSON *o, const char *key);
#define json_count(o, key) ((__u64)json_number(o, key))

#endif
