// SPDX-License-Identifier: MIT
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "buf.h"
#include "json_file.h"
#include "log.h"

#define FILE_MAX (256u << 20) /* bytes */

cJSON *json_read(const char *path)
{
	FILE *f = fopen(path, "re");
	struct buf data = {};
	cJSON *doc = NULL;
	size_t n = 0;

	if (!f) {
		log_error("cannot read %s: %s", path, strerror(errno));
		return NULL;
	}
	while (buf_grow(&data, 1 << 16) && (n = fread(data.data + data.len, 1, 1 << 16, f)) > 0 &&
	       (data.len += n) <= FILE_MAX)
		;
	if (data.err)
		log_error("%s: there is no memory to read it", path);
	else if (ferror(f))
		log_error("cannot read %s: %s", path, strerror(errno));
	else if (data.len > FILE_MAX)
		log_error("%s is larger than %u MiB", path, FILE_MAX >> 20);
	else if (!(doc = cJSON_ParseWithLength(data.data, data.len)))
		log_error("%s is not a JSON document", path);
	buf_free(&data);
	fclose(f);
	return doc;
}

int json_write(const char *path, const cJSON *doc)
{
	char *text = cJSON_Print(doc);
	FILE *f = text ? fopen(path, "we") : NULL;
	int err = 0;

	if (!f || fputs(text, f) < 0)
		err = -errno;
	if (f && fclose(f))
		err = -errno;
	free(text);
	if (err || !f) {
		log_error("cannot write %s: %s", path, strerror(err ? -err : ENOMEM));
		return err ? err : -ENOMEM;
	}
	return 0;
}
