// SPDX-License-Identifier: MIT
#include <cjson/cJSON.h>
#include <errno.h>
#include "json_file.h"
#include "log.h"
#include "report_read.h"

struct advice *report_read(char *const *paths, int nr)
{
	struct advice *a = advice_new();
	int err = a ? 0 : -ENOMEM;

	for (int i = 0; i < nr && !err; i++) {
		cJSON *doc = json_read(paths[i]);

		err = doc ? advice_add(a, doc) : -ENOENT;
		if (err == -EINVAL)
			log_error(
				"%s is not a report of this version: 'schema' or 'schema_version' is not ours",
				paths[i]);
		cJSON_Delete(doc);
	}
	if (err == -ENOMEM)
		log_error("there is no memory for the reports");
	if (!err)
		return a;
	advice_free(a);
	return NULL;
}
