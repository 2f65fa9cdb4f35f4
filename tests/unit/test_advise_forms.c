// SPDX-License-Identifier: MIT
/* Capabilities and AppArmor as they are written, reports as they are read, base sets that a host has measured. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "advice.h"
#include "json_at.h"
#include "json_file.h"
#include "report_read.h"

static struct advice_form form;

static void add_whole(const char *json)
{
	assert_int_equal(add(json), 0);
}

static const char *capabilities(enum capability_form how)
{
	static char text[1 << 14];
	FILE *f = fmemopen(text, sizeof(text), "w");

	assert_non_null(f);
	advice_capabilities(f, advice, how);
	fclose(f);
	return text;
}

#define CHECK(process, nr, cap, granted, more)                                                     \
	"{\"process\":" process ",\"nr\":\"" nr "\",\"cap\":\"" cap "\",\"granted\":" granted      \
	",\"own\":true,\"comm\":\"a\\\"b\",\"count\":2" more "}"

/* Chowned a file, read another's, was refused a raw socket; of what it had, KILL was never asked for. */
static void record_checks(void)
{
	add_whole(
		HEAD
		"\"container\":{\"capabilities\":[\"CAP_CHOWN\",\"CAP_KILL\",\"CAP_DAC_OVERRIDE\"]},"
		"\"capabilities\":{\"checks\":[" CHECK("1", "chown", "CAP_CHOWN", "true", "") "," CHECK(
			"1", "socket", "CAP_NET_RAW", "false",
			",\"error\":\"EPERM\"") "," CHECK("1", "openat", "CAP_DAC_READ_SEARCH",
							  "false", "") "," CHECK("1", "openat",
										 "CAP_DAC_OVERRIDE",
										 "true", "") "]}}");
}

static void capabilities_in_each_form(void **state)
{
	(void)state;
	record_checks();
	assert_string_equal(capabilities(CAPS_DOCKER),
			    "--cap-drop=ALL --cap-add=CHOWN --cap-add=DAC_READ_SEARCH\n");
	assert_string_equal(capabilities(CAPS_OCI),
			    "{\"bounding\": [\"CAP_CHOWN\", \"CAP_DAC_READ_SEARCH\"], "
			    "\"effective\": [\"CAP_CHOWN\", \"CAP_DAC_READ_SEARCH\"], "
			    "\"permitted\": [\"CAP_CHOWN\", \"CAP_DAC_READ_SEARCH\"]}\n");
	assert_string_equal(capabilities(CAPS_KUBERNETES),
			    "{\"capabilities\": {\"drop\": [\"ALL\"], \"add\": [\"CHOWN\", "
			    "\"DAC_READ_SEARCH\"]}}\n");
}

static bool is_list(const cJSON *list, const char *expected)
{
	cJSON *want = cJSON_Parse(expected);
	bool same = cJSON_Compare(list, want, true);

	cJSON_Delete(want);
	return same;
}

static void capabilities_with_evidence(void **state)
{
	const cJSON *e;
	cJSON *doc;

	(void)state;
	record_checks();
	record_checks();
	doc = cJSON_Parse(capabilities(CAPS_JSON));
	assert_non_null(doc);
	assert_true(is_list(json_at(doc, "configured_never_needed"),
			    "[\"CAP_DAC_OVERRIDE\",\"CAP_KILL\"]"));
	assert_true(is_list(json_at(doc, "denied"), "[\"CAP_NET_RAW\"]"));
	assert_true(is_list(json_at(doc, "docker"), "[\"--cap-drop=ALL\",\"--cap-add=CHOWN\","
						    "\"--cap-add=DAC_READ_SEARCH\"]"));
	e = cJSON_GetArrayItem(json_at(doc, "evidence"), 0);
	assert_string_equal(json_text(e, "capability"), "CAP_CHOWN");
	assert_string_equal(json_text(e, "process"), "a\"b");
	assert_string_equal(json_text(e, "syscall"), "chown");
	assert_int_equal(json_number(e, "count"), 4);
	assert_int_equal(json_number(e, "runs"), 2);
	e = cJSON_GetArrayItem(json_at(doc, "denied_evidence"), 0);
	assert_string_equal(json_text(e, "syscall"), "socket");
	cJSON_Delete(doc);
}

static void nothing_needed(void **state)
{
	(void)state;
	add_whole(HEAD "\"capabilities\":{\"checks\":[]}}");
	assert_string_equal(capabilities(CAPS_DOCKER), "--cap-drop=ALL\n");
	assert_string_equal(capabilities(CAPS_OCI),
			    "{\"bounding\": [], \"effective\": [], \"permitted\": []}\n");
}

/* ---- AppArmor ---- */

static const char *apparmor(void)
{
	static char text[1 << 14];
	FILE *f = fmemopen(text, sizeof(text), "w");

	assert_non_null(f);
	advice->doubts = 0;
	advice_apparmor(f, advice, &form);
	fclose(f);
	return text;
}

static void an_apparmor_profile(void **state)
{
	const char *text;

	(void)state;
	add_whole(
		HEAD
		"\"container\":{\"name\":\"We b\"},"
		"\"capabilities\":{\"checks\":[" CHECK(
			"1", "chown", "CAP_CHOWN", "true",
			"") "]},"
			    "\"syscalls\":{\"calls\":[{\"name\":\"socket\",\"count\":1},{\"name\":\"ptrace\",\"count\":1}],"
			    "\"arguments\":[{\"nr\":\"socket\",\"a\":\"0xa\",\"b\":\"0x1\",\"c\":\"0x0\",\"count\":1}]},"
			    "\"processes\":{\"tree\":[{\"execs\":[{\"exe\":\"/bin/sh\",\"phase\":\"run\"}]}]},"
			    "\"files\":{\"list\":[{\"path\":\"/etc/a*{b\",\"opens\":1},"
			    "{\"path\":\"/proc/17/stat\",\"opens\":1},{\"path\":\"/lib/c.so\",\"opens\":1,\"mmaps\":1},"
			    "{\"path\":\"/d\",\"type\":\"directory\",\"opens\":1},"
			    "{\"path\":\"/var/log/x.1\",\"opens\":1,\"created\":1},"
			    "{\"path\":\"/data/kept\",\"opens\":1,\"writes\":3},"
			    "{\"path\":\"/top\",\"opens\":1,\"created\":1}]}}");
	text = apparmor();
	assert_ptr_equal(strstr(text, "profile ebpfmon-we-b flags=("), text);
	assert_non_null(strstr(text, "\tcapability chown,\n"));
	assert_non_null(strstr(text, "\tnetwork inet6,\n"));
	assert_null(strstr(text, "network inet,"));
	assert_non_null(strstr(text, "\tptrace,\n"));
	assert_null(strstr(text, "\tmount,\n"));
	assert_non_null(strstr(text, "\t\"/bin/sh\" rmix,\n"));
	assert_non_null(strstr(text, "\t\"/etc/a\\*\\{b\" r,\n"));
	assert_non_null(strstr(text, "\t\"/proc/[0-9]*/stat\" r,\n"));
	assert_non_null(strstr(text, "\t\"/lib/c.so\" rm,\n"));
	assert_non_null(strstr(text, "\t\"/d/\" r,\n"));
	assert_non_null(strstr(text, "\t\"/data/kept\" rwkl,\n"));
	assert_non_null(strstr(text, "\t\"/var/log/{,**}\" rwkl,\n")); /* what was made there */
	assert_null(strstr(text, "\"/{,**}\""));
	assert_string_equal(text + strlen(text) - 4, ",\n}\n");
}

static void sockets_not_known(void **state)
{
	(void)state;
	add_whole(HEAD "\"syscalls\":{\"calls\":[{\"name\":\"socket\",\"count\":2}]}}");
	assert_non_null(strstr(apparmor(), "\tnetwork,\n"));
}

/* ---- from files ---- */

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void reports_from_files(void **state)
{
	char dir[] = "/tmp/ebpfmon-test-XXXXXX", good[64], bad[64];
	char *const both[] = {good, bad};
	struct advice *a;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(good, sizeof(good), "%s/good", dir);
	snprintf(bad, sizeof(bad), "%s/bad", dir);
	write_file(dir, "good", HEAD "\"container\":{\"name\":\"w\"}}");
	a = report_read((char *const[]){good, good}, 2);
	assert_int_equal(a->reports, 2);
	assert_string_equal(a->facts.name, "w");
	advice_free(a);
	assert_null(report_read(both, 2)); /* there is none */
	write_file(dir, "bad", "{\"schema\":\"ebpfmon.report\",\"schema_version\":2}");
	assert_null(report_read(both, 2));
	write_file(dir, "bad", "no JSON");
	assert_null(report_read(both, 2));
	unlink(good);
	unlink(bad);
	rmdir(dir);
}

#define SET(runtime, mode, calls)                                                                  \
	"{\"schema\":\"ebpfmon.base_set\",\"schema_version\":1,\"runtime\":\"" runtime             \
	"\",\"version\":\"9.9\",\"modes\":{\"" mode "\":[" calls "]}}"

static void measured_base_sets(void **state)
{
	struct base_choice c = {.runtime = "runx", .version = "9.9"}, none = {0}, wrong = {0};
	char dir[] = "/tmp/ebpfmon-test-XXXXXX", sub[64];
	struct base_reason why;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(base_set_read(&none, dir), 0); /* nothing was measured */
	snprintf(sub, sizeof(sub), "%s/base", dir);
	assert_int_equal(mkdir(sub, 0755), 0);
	write_file(sub, "runx-9.9.json",
		   SET("runx", "plain", "{\"name\":\"keyctl\",\"starts\":7}"));
	write_file(sub, ".hidden.json", "x");
	write_file(sub, "notes", "x");
	assert_false(base_set_known(&c));
	assert_int_equal(base_set_read(&c, dir), 0);
	assert_true(base_set_known(&c));
	assert_true(base_set_has(&c, "keyctl", &why));
	assert_int_equal(why.starts, 7);
	assert_true(base_set_has(&c, "rt_sigreturn", &why)); /* always in */
	assert_false(base_set_has(&c, "capset", &why)); /* runc's */
	c.mode = BASE_NNP;
	assert_false(base_set_has(&c, "keyctl", &why));
	write_file(sub, "bad.json", SET("../x", "plain", ""));
	assert_true(base_set_read(&wrong, dir) < 0);
	write_file(sub, "bad.json", SET("runx", "nnp", "{\"name\":\"a b\"}"));
	assert_true(base_set_read(&wrong, dir) < 0);
	base_set_free(&c);
	base_set_free(&none);
	base_set_free(&wrong);
	for (const char *const *n = (const char *const[]){"runx-9.9.json", ".hidden.json", "notes",
							  "bad.json", NULL};
	     *n; n++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", sub, *n);
		unlink(path);
	}
	rmdir(sub);
	rmdir(dir);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(capabilities_in_each_form),
		TEST(capabilities_with_evidence),
		TEST(nothing_needed),
		TEST(an_apparmor_profile),
		TEST(sockets_not_known),
		TEST(reports_from_files),
		TEST(measured_base_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
