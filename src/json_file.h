/* SPDX-License-Identifier: MIT */
/* JSON documents in files. */
#ifndef EBPFMON_JSON_FILE_H
#define EBPFMON_JSON_FILE_H

struct cJSON;

/* Reads @path, up to 256 MiB. NULL after saying what is wrong; the caller deletes it. */
struct cJSON *json_read(const char *path);
/* 0, or -errno after saying what is wrong. */
int json_write(const char *path, const struct cJSON *doc);

#endif
