/* SPDX-License-Identifier: MIT */
/* A fresh advice for each test, and the reports that tests add to it. Behind cmocka.h. */
#ifndef EBPFMON_TESTS_ADVICE_H
#define EBPFMON_TESTS_ADVICE_H

#include <cjson/cJSON.h>
#include "advise_render.h"

#define HEAD "{\"schema\":\"ebpfmon.report\",\"schema_version\":1,"

static struct advice *advice;

static int fresh(void **state)
{
	(void)state;
	advice = advice_new();
	return advice ? 0 : -1;
}

static int done(void **state)
{
	(void)state;
	advice_free(advice);
	return 0;
}

static int add(const char *json)
{
	cJSON *doc = cJSON_Parse(json);
	int err;

	assert_non_null(doc);
	err = advice_add(advice, doc);
	cJSON_Delete(doc);
	return err;
}

#endif
