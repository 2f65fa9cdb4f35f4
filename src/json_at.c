// SPDX-License-Identifier: MIT
#include <math.h>
#include "json_at.h"

const cJSON *json_at(const cJSON *o, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(o, key);
}

const char *json_text(const cJSON *o, const char *key)
{
	const cJSON *v = json_at(o, key);

	return cJSON_IsString(v) ? v->valuestring : "";
}

double json_number(const cJSON *o, const char *key)
{
	const cJSON *v = json_at(o, key);
	double d = cJSON_IsNumber(v) ? v->valuedouble : 0;

	return isfinite(d) && d > 0 && d < 9e15 ? d : 0;
}
