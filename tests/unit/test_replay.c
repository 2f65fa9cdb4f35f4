// SPDX-License-Identifier: MIT
/* A command run and compared: with /bin/sh, no container; and documents in files. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "json_at.h"
#include "json_file.h"
#include "replay.h"

static struct outcome shell(const struct replay *r, const char *script)
{
	char *const argv[] = {"/bin/sh", "-c", (char *)script, NULL};
	struct outcome o = {0};

	assert_int_equal(replay_run(r, argv, &o), 0);
	return o;
}

static void what_came_of_it(void **state)
{
	const struct replay r = {.timeout = 60};
	struct outcome o = shell(&r, "echo out; echo err >&2; read x || echo nothing; exit 3");

	(void)state;
	assert_int_equal(o.status, 3);
	assert_string_equal(o.out.text, "out\nnothing\n");
	assert_int_equal(o.out.len, 12);
	assert_string_equal(o.err.text, "err\n");
	outcome_free(&o);
	o = shell(&r, "kill -TERM $$");
	assert_int_equal(o.status, 128 + 15);
	assert_null(o.out.text);
	outcome_free(&o);
	/* much, on both at once, and from a child that outlives its parent */
	o = shell(&r, "(head -c 300000 /dev/zero; echo end) & head -c 200000 /dev/zero >&2; wait");
	assert_int_equal(o.out.len, 300004);
	assert_int_equal(o.err.len, 200000);
	outcome_free(&o);
}

static void what_cannot_be_run(void **state)
{
	const struct replay r = {.timeout = 60};
	char *const none[] = {"/no/such/program", NULL}, *const directory[] = {"/", NULL};
	struct outcome o = {0};

	(void)state;
	assert_int_equal(replay_run(&r, none, &o), 0);
	assert_int_equal(o.status, 127); /* as sh(1) has it */
	outcome_free(&o);
	assert_int_equal(replay_run(&r, directory, &o), 0);
	assert_int_equal(o.status, 126);
	outcome_free(&o);
}

static void what_takes_too_long(void **state)
{
	const struct replay r = {.timeout = 1};
	struct outcome o = shell(&r, "trap 'echo asked; exit 0' TERM; echo begun; sleep 60 & wait");

	(void)state;
	assert_int_equal(o.status, -1);
	assert_string_equal(o.out.text, "begun\nasked\n");
	outcome_free(&o);
}

static void what_is_ignored(void **state)
{
	struct replay r = {.timeout = 60, .nr_ignore = 2};
	struct outcome a, b;

	(void)state;
	assert_int_equal(regcomp(&r.ignore[0], "[0-9]+", REG_EXTENDED | REG_NEWLINE), 0);
	assert_int_equal(regcomp(&r.ignore[1], "^#.*$|x*", REG_EXTENDED | REG_NEWLINE), 0);
	a = shell(&r, "echo 17 18 y; echo '# at 5'; echo end 9 >&2");
	assert_string_equal(a.err.text, "end *\n");
	b = shell(&r, "echo 7 188 y; echo '# at 61'; echo end 10 >&2");
	assert_int_equal(replay_effect(&a, &b, true), EFFECT_NONE);
	assert_non_null(strstr(a.out.text, "* * y\n"));
	outcome_free(&b);
	b = shell(&r, "echo 7 188 z");
	assert_int_equal(replay_effect(&a, &b, true), EFFECT_RESULT);
	outcome_free(&a);
	outcome_free(&b);
	regfree(&r.ignore[0]);
	regfree(&r.ignore[1]);
}

static void effects(void **state)
{
	static const struct {
		const char *want, *got;
		bool log;
		enum effect effect;
	} rows[] = {
		{"echo a", "echo a", true, EFFECT_NONE},
		{"echo a; echo b >&2", "echo a; echo c >&2", true, EFFECT_LOG},
		{"echo a; echo b >&2", "echo a; echo c >&2", false, EFFECT_NONE},
		{"echo a", "echo a; exit 1", true, EFFECT_EXIT},
		{"echo a", "echo b", true, EFFECT_RESULT},
		{"echo a", "true", true, EFFECT_RESULT},
		{"echo a", "echo b; exit 1", true, EFFECT_RESULT},
		{"echo a", "exit 1", true, EFFECT_START},
		{"exit 1", "exit 1", true, EFFECT_NONE},
	};
	const struct replay r = {.timeout = 60};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outcome want = shell(&r, rows[i].want), got = shell(&r, rows[i].got);

		assert_int_equal(replay_effect(&want, &got, rows[i].log), rows[i].effect);
		outcome_free(&want);
		outcome_free(&got);
	}
	for (int e = 0; e < EFFECT__MAX; e++)
		assert_non_null(effect_names[e]);
}

/* ---- documents in files ---- */

static void documents(void **state)
{
	char path[] = "/tmp/ebpfmon-test-XXXXXX";
	int fd = mkstemp(path);
	cJSON *doc;

	(void)state;
	assert_true(fd >= 0);
	assert_null(json_read(path)); /* empty */
	assert_int_equal(write(fd, "[1, {\"a\": \"b\"}]\n", 17), 17);
	doc = json_read(path);
	assert_string_equal(json_text(cJSON_GetArrayItem(doc, 1), "a"), "b");
	cJSON_Delete(doc);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_null(json_read("/no/such/file"));
	assert_null(json_read("/tmp")); /* a directory */
	doc = cJSON_Parse("{\"k\":[true]}");
	assert_int_equal(json_write("/no/such/directory/file", doc), -ENOENT);
	assert_int_equal(json_write("/dev/full", doc), -ENOSPC);
	assert_int_equal(json_write(path, doc), 0);
	cJSON_Delete(doc);
	doc = json_read(path);
	assert_true(cJSON_IsTrue(cJSON_GetArrayItem(json_at(doc, "k"), 0)));
	cJSON_Delete(doc);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_came_of_it),
		cmocka_unit_test(what_cannot_be_run),
		cmocka_unit_test(what_takes_too_long),
		cmocka_unit_test(what_is_ignored),
		cmocka_unit_test(effects),
		cmocka_unit_test(documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
