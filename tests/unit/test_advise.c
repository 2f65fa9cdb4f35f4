// SPDX-License-Identifier: MIT
/* Advice against reports that the tests write themselves. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "advise.h"

#define HEAD "{\"schema\":\"ebpfmon.report\",\"schema_version\":1,"

static struct advice advice;

static int add(const char *json)
{
	cJSON *doc = cJSON_Parse(json);
	int err;

	assert_non_null(doc);
	err = advice_add(&advice, doc);
	cJSON_Delete(doc);
	return err;
}

static cJSON *profile(enum advice_action action)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	cJSON *doc;

	advice_seccomp(f, &advice, "runc", action);
	fclose(f);
	doc = cJSON_Parse(text);
	free(text);
	assert_non_null(doc);
	return doc;
}

static bool names(const cJSON *doc, int rule, const char *name)
{
	const cJSON *r = cJSON_GetArrayItem(cJSON_GetObjectItem(doc, "syscalls"), rule), *n;

	cJSON_ArrayForEach(
		n, cJSON_GetObjectItem(r, "names")) if (!strcmp(n->valuestring, name)) return true;
	return false;
}

static void recorded_calls_are_allowed(void **state)
{
	cJSON *doc;

	(void)state;
	memset(&advice, 0, sizeof(advice));
	assert_int_equal(add(HEAD
			     "\"syscalls\":{\"calls\":[{\"name\":\"socket\",\"count\":2},"
			     "{\"name\":\"keyctl\",\"count\":3,\"denied\":3,\"filtered\":3},"
			     "{\"name\":\"no\\\"such\",\"count\":1}]},"
			     "\"setup\":{\"syscalls\":{\"calls\":[{\"name\":\"mount\",\"count\":1},"
			     "{\"name\":\"getgid\",\"count\":1,\"filtered\":1}]}}}"),
			 0);
	doc = profile(ADVICE_ERRNO);
	assert_true(names(doc, 0, "socket"));
	assert_true(names(doc, 0, "getgid"));
	assert_true(names(doc, 0, "futex"));
	assert_false(names(doc, 0, "mount"));
	assert_false(names(doc, 0, "keyctl"));
	assert_true(names(doc, 1, "mount"));
	assert_true(names(doc, 1, "clone3"));
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "architectures")), 1);
	assert_true(advice.doubts & DOUBT_DENIED);
	cJSON_Delete(doc);
	doc = profile(ADVICE_KILL);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "syscalls")), 1);
	cJSON_Delete(doc);
}

static void reports_merge(void **state)
{
	(void)state;
	memset(&advice, 0, sizeof(advice));
	add(HEAD "\"syscalls\":{\"calls\":[{\"name\":\"read\",\"count\":2,\"filtered\":2}]}}");
	add(HEAD "\"syscalls\":{\"calls\":[{\"name\":\"read\",\"count\":5,\"filtered\":5}]}}");
	assert_int_equal(advice.reports, 2);
#ifdef __x86_64__
	assert_int_equal(advice.calls[0][0].runs, 2);
	assert_int_equal(advice.calls[0][0].count, 7);
#endif
	assert_false(advice.doubts & DOUBT_NO_FILTER);
	assert_true(advice.doubts & DOUBT_SHORT);
}

static void needed_capabilities(void **state)
{
	(void)state;
	memset(&advice, 0, sizeof(advice));
	add(HEAD
	    "\"capabilities\":{\"checks\":["
	    "{\"cap\":\"CAP_CHOWN\",\"granted\":true,\"own\":true,\"count\":1},"
	    "{\"cap\":\"CAP_KILL\",\"granted\":true,\"own\":false,\"count\":1},"
	    "{\"cap\":\"CAP_FOWNER\",\"granted\":true,\"own\":true,\"error\":\"ENOENT\",\"count\":1},"
	    "{\"cap\":\"CAP_SYS_ADMIN\",\"granted\":true,\"probe\":true,\"own\":true,\"count\":1},"
	    "{\"cap\":\"CAP_NET_RAW\",\"granted\":false,\"own\":true,\"error\":\"EPERM\",\"count\":1}]}}");
	assert_int_equal(advice.needed[0].runs, 1);
	assert_int_equal(advice.needed[3].runs, 0);
	assert_int_equal(advice.needed[5].runs, 0);
	assert_int_equal(advice.needed[21].runs, 0);
	assert_int_equal(advice.denied[13].runs, 1);
}

static void hostile_reports(void **state)
{
	(void)state;
	memset(&advice, 0, sizeof(advice));
	assert_int_equal(add("[]"), -EINVAL);
	assert_int_equal(add("{\"schema\":1}"), -EINVAL);
	assert_int_equal(
		add(HEAD "\"syscalls\":7,\"coverage\":{},\"recording\":[],\"lost\":\"x\"}"), 0);
	assert_int_equal(add(HEAD
			     "\"syscalls\":{\"calls\":[7,{},{\"name\":9},{\"name\":\"compat:\"},"
			     "{\"name\":\"read\",\"count\":-1e300}]}}"),
			 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_calls_are_allowed),
		cmocka_unit_test(reports_merge),
		cmocka_unit_test(needed_capabilities),
		cmocka_unit_test(hostile_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
