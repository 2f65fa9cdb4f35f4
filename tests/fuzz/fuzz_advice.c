// SPDX-License-Identifier: MIT
/*
 * Any bytes as a report and, behind a byte 0x1e, as a profile: no crash, no leak; what is advised is
 * JSON where it is meant to be, and no control character comes out anywhere.
 */
#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "advise_render.h"
#include "check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef void renderer(FILE *out, const struct advice *a, const struct advice_form *f);

static void capabilities(FILE *out, const struct advice *a, const struct advice_form *f)
{
	(void)f;
	advice_capabilities(out, a, CAPS_JSON);
}

static void warnings(FILE *out, const struct advice *a, const struct advice_form *f)
{
	(void)f;
	advice_warn(out, a, "# ");
}

static const struct {
	renderer *render;
	bool json;
} renderers[] = {
	{advice_seccomp, true},	  {capabilities, true},	   {advice_seccomp_explain, false},
	{advice_docker, false},	  {advice_compose, false}, {advice_kubernetes, false},
	{advice_apparmor, false}, {warnings, false},
};

static void render(const struct advice *a, const struct advice_form *f, size_t which)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	cJSON *doc;

	if (!out)
		return;
	renderers[which].render(out, a, f);
	fclose(out);
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\n' && text[i] != '\t') ||
		    (unsigned char)text[i] >= 0x7f)
			abort();
	if (renderers[which].json) {
		doc = cJSON_ParseWithLength(text, len);
		if (!doc)
			abort();
		cJSON_Delete(doc);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *split = memchr(data, 0x1e, size);
	size_t first = split ? (size_t)(split - data) : size;
	cJSON *report = cJSON_ParseWithLength((const char *)data, first);
	cJSON *profile =
		split ? cJSON_ParseWithLength((const char *)split + 1, size - first - 1) : NULL;
	struct advice *a = advice_new();
	struct advice_form f = {.args = size / 8 & 1, .action = size / 16 % 3};
	struct check c = {};
	const char *wrong;

	if (a && !advice_add(a, report)) {
		/* one of them each time: looking up the names of calls is slow under sanitizers */
		render(a, &f, size % (sizeof(renderers) / sizeof(renderers[0])));
		if (!check_profile(&c, profile, a, &f.base, &wrong))
			for (size_t i = 0; i < c.nr; i++)
				if (!*check_kind_name(c.v[i].kind))
					abort();
		free(c.v);
	}
	advice_free(a);
	cJSON_Delete(report);
	cJSON_Delete(profile);
	return 0;
}
