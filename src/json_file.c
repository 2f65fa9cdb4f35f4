// SPDX-License-Identifier: MIT
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "json_file.h"
#include "log.h"

#define FILE_MAX (256u << 20) /* bytes */

cJSON *json_read(const char *path)
{
	FILE *f = fopen(path, "re");
	cJSON *doc = NULL;
	char *data = NULL;
	long len;

	if (!f) {
		log_error("cannot read %s: %s", path, strerror(errno));
		return NULL;
	}
	if (!fseek(f, 0, SEEK_END) && (len = ftell(f)) >= 0 && len <= (long)FILE_MAX) {
		rewind(f);
		data = malloc((size_t)len + 1);
		if (data && fread(data, 1, (size_t)len, f) == (size_t)len)
			doc = cJSON_ParseWithLength(data, (size_t)len);
	}
	if (!doc)
		log_error("%s is not a JSON document", path);
	free(data);
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
