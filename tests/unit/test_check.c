// SPDX-License-Identifier: MIT
/* Profiles against a real report: busybox in runc 1.1.5, recorded by tests/live/advice.py's workload. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "advise_render.h"
#include "check.h"
#include "report_read.h"

#define PLAIN "\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86_64\"],"

static struct advice *advice;
static struct base_choice base = {.runtime = "runc"};

static int load(void **state)
{
	char *const paths[] = {"tests/unit/reports/shell.json"};

	(void)state;
	advice = report_read(paths, 1);
	return advice ? 0 : -1;
}

static int done(void **state)
{
	(void)state;
	advice_free(advice);
	return 0;
}

/* The profile that is advised. */
static cJSON *advised(bool args)
{
	static char text[1 << 17];
	struct advice_form f = {.base = base, .args = args};
	FILE *out = fmemopen(text, sizeof(text), "w");

	advice_seccomp(out, advice, &f);
	fclose(out);
	return cJSON_Parse(text);
}

/* Checks and deletes @profile; how many findings of @kind there are, of @name alone if it is given. */
static int findings(cJSON *profile, enum check_kind kind, const char *name)
{
	struct check c;
	const char *wrong;
	int nr = 0;

	assert_non_null(profile);
	assert_int_equal(check_profile(&c, profile, advice, &base, &wrong), 0);
	for (size_t i = 0; i < c.nr; i++)
		nr += c.v[i].kind == kind && (!name || !strcmp(c.v[i].name, name));
	free(c.v);
	cJSON_Delete(profile);
	return nr;
}

static void what_is_advised_is_clean(void **state)
{
	(void)state;
	for (int kind = 0; kind < CHECK__KINDS; kind++) {
		assert_int_equal(findings(advised(false), kind, NULL), 0);
		assert_int_equal(findings(advised(true), kind, NULL), 0);
	}
}

#ifdef __x86_64__ /* the report is one of x86-64 */
static void default_actions(void **state)
{
	(void)state;
	assert_int_equal(findings(cJSON_Parse("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"),
				  CHECK_BLOCKED, NULL),
			 0);
	assert_true(findings(cJSON_Parse("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"), CHECK_UNNEEDED,
			     NULL) > 200);
	assert_int_equal(findings(cJSON_Parse("{" PLAIN "\"syscalls\":[]}"), CHECK_UNNEEDED, NULL),
			 0);
	/* every one, by each of its arguments where they are known */
	assert_true(findings(cJSON_Parse("{" PLAIN "\"syscalls\":[]}"), CHECK_BLOCKED, "execve"));
	assert_int_equal(
		findings(cJSON_Parse("{" PLAIN "\"syscalls\":null}"), CHECK_BLOCKED, "ptrace"), 0);
}

#define RULE(name, more) "{\"names\":[\"" name "\"],\"action\":\"SCMP_ACT_ALLOW\"" more "}"

static int blocked_sockets(const char *rules, enum check_kind kind)
{
	char text[1024];

	snprintf(text, sizeof(text), "{" PLAIN "\"syscalls\":[%s]}", rules);
	return findings(cJSON_Parse(text), kind, "socket");
}

static void arguments_decide(void **state)
{
	(void)state;
	/* nslookup makes sockets of AF_INET (2) alone */
	assert_int_equal(blocked_sockets(RULE("socket", ""), CHECK_BLOCKED), 0);
	assert_int_equal(blocked_sockets(RULE("socket", ",\"args\":[{\"index\":0,\"value\":2,"
							"\"op\":\"SCMP_CMP_EQ\"}]"),
					 CHECK_BLOCKED),
			 0);
	assert_true(blocked_sockets(RULE("socket", ",\"args\":[{\"index\":0,\"value\":10,"
						   "\"op\":\"SCMP_CMP_EQ\"}]"),
				    CHECK_BLOCKED) > 0);
	/* several on one argument are alternatives */
	assert_int_equal(
		blocked_sockets(RULE("socket",
				     ",\"args\":[{\"index\":0,\"value\":10,\"op\":\"SCMP_CMP_EQ\"},"
				     "{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]"),
				CHECK_BLOCKED),
		0);
	/* of the type, the flags are not in the record: it may be or not */
	assert_true(blocked_sockets(RULE("socket", ",\"args\":[{\"index\":1,\"value\":2,"
						   "\"op\":\"SCMP_CMP_EQ\"}]"),
				    CHECK_PERHAPS) > 0);
	/* the fourth argument is not kept at all */
	assert_true(blocked_sockets(RULE("socket", ",\"args\":[{\"index\":3,\"value\":2,"
						   "\"op\":\"SCMP_CMP_GT\"}]"),
				    CHECK_PERHAPS) > 0);
}

static void dockers_conditions(void **state)
{
	(void)state;
	assert_int_equal(blocked_sockets(RULE("socket", ",\"includes\":{\"caps\":[\"CAP_CHOWN\"]}"),
					 CHECK_BLOCKED),
			 0);
	assert_true(blocked_sockets(RULE("socket", ",\"includes\":{\"caps\":[\"CAP_NO_SUCH\"]}"),
				    CHECK_BLOCKED));
	assert_true(blocked_sockets(RULE("socket", ",\"excludes\":{\"caps\":[\"CAP_CHOWN\"]}"),
				    CHECK_BLOCKED));
	assert_true(blocked_sockets(RULE("socket", ",\"includes\":{\"arches\":[\"s390\"]}"),
				    CHECK_BLOCKED));
}
#endif

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *profile, *member;
	} wrong[] = {
		{"[]", "defaultAction"},
		{"{\"defaultAction\":\"allow\"}", "defaultAction"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":{\"a\":1}}", "syscalls"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[7]}", "syscalls[].action"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\"}]}",
		 "syscalls[].names"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\","
		 "\"names\":[1],\"args\":[{\"index\":6}]}]}",
		 "syscalls[].args[].index"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\","
		 "\"names\":[],\"args\":[{\"index\":0,\"op\":\"EQ\"}]}]}",
		 "syscalls[].args[].op"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cJSON *doc = cJSON_Parse(wrong[i].profile);
		const char *member = NULL;
		struct check c;

		assert_int_equal(check_profile(&c, doc, advice, &base, &member), -EINVAL);
		assert_string_equal(member, wrong[i].member);
		cJSON_Delete(doc);
	}
}

static void facts_of_a_real_report(void **state)
{
	const struct facts *f = &advice->facts;

	(void)state;
	assert_non_null(fact_find(&f->sets[FACT_WRITTEN], "/tmp/f"));
	assert_non_null(fact_find(&f->sets[FACT_CREATED], "/tmp/f"));
	assert_non_null(fact_find(&f->sets[FACT_EXECUTABLES], "/bin/busybox"));
	assert_int_equal(f->sets[FACT_EXECUTABLES].nr, 1);
	assert_non_null(fact_find(&f->sets[FACT_CAPABILITIES], "CAP_CHOWN"));
	assert_non_null(fact_find(&f->sets[FACT_CALLS], "execve"));
	assert_null(fact_find(&f->sets[FACT_CALLS], "pivot_root")); /* runc's own */
	assert_null(fact_find(&f->sets[FACT_CALLS], ""));
}

static void sets_merge(void **state)
{
	struct fact_set s = {};

	(void)state;
	fact_add(&s, "b", 1, 1);
	fact_add(&s, "a", 2, 1);
	fact_add(&s, "b", 3, 1);
	fact_settle(&s);
	fact_add(&s, "b", 1, 2);
	fact_settle(&s);
	assert_int_equal(s.nr, 2);
	assert_int_equal(fact_find(&s, "b")->count, 5);
	assert_int_equal(fact_find(&s, "b")->runs, 2);
	assert_int_equal(fact_find(&s, "a")->runs, 1);
	fact_set_free(&s);
}

static void base_sets(void **state)
{
	struct base_choice c = {.runtime = "runc", .version = "1.1.5+ds1"};
	struct base_reason why;

	(void)state;
	assert_true(base_set_known(&c));
	assert_true(base_set_has(&c, "rt_sigreturn", &why));
	assert_null(why.runtime); /* always in */
	assert_true(base_set_has(&c, "capset", &why));
	assert_string_equal(why.version, "1.1.5");
	assert_false(base_set_has(&c, "openat2", &why));
	assert_false(base_set_has(&c, "", &why));
	assert_false(base_set_has(&c, "cap", &why));
	c.mode = BASE_NNP;
	assert_false(base_set_has(&c, "capset", &why));
	c.version = "1.1.50";
	assert_false(base_set_known(&c));
	c.version = NULL;
	assert_true(base_set_has(&c, "openat2", &why)); /* of all versions */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_advised_is_clean),
#ifdef __x86_64__
		cmocka_unit_test(default_actions),
		cmocka_unit_test(arguments_decide),
		cmocka_unit_test(dockers_conditions),
#endif
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(facts_of_a_real_report),
		cmocka_unit_test(sets_merge),
		cmocka_unit_test(base_sets),
	};

	return cmocka_run_group_tests(tests, load, done);
}
