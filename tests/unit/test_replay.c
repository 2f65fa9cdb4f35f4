// SPDX-License-Identifier: MIT
/* A command run and compared, and advice put into its words: with /bin/sh, no container. */
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
#include "apply.h"
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

/* ---- advice in the words of a command ---- */

/* The words with a blank between them, the directory as DIR. */
static const char *joined(const struct apply *a, char *const *argv)
{
	static char text[2048];
	char *at;

	text[0] = 0;
	for (char *const *w = argv; *w; w++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? " " : "",
			 *w);
	while ((at = strstr(text, a->dir))) {
		memcpy(at, "DIR", 3);
		memmove(at + 3, at + strlen(a->dir), strlen(at + strlen(a->dir)) + 1);
	}
	return text;
}

static void options_of_docker(void **state)
{
	char *const command[] = {"docker", "run", "{}", "image", "a{}", NULL};
	struct apply a = {.command = command};
	cJSON *profile = cJSON_Parse("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"), *kept;
	cJSON *caps = cJSON_Parse("[\"CAP_CHOWN\",\"CAP_KILL\"]");
	char path[128], **argv;

	(void)state;
	assert_int_equal(apply_open(&a), 0);
	argv = apply_argv(&a, profile, caps);
	assert_string_equal(
		joined(&a, argv),
		"docker run --security-opt seccomp=DIR/seccomp.json --cap-drop ALL --cap-add CHOWN "
		"--cap-add KILL --security-opt no-new-privileges image a{}");
	apply_free(argv);
	snprintf(path, sizeof(path), "%s/seccomp.json", a.dir);
	kept = json_read(path);
	assert_true(cJSON_Compare(kept, profile, true));
	cJSON_Delete(kept);
	a.new_privileges = true;
	argv = apply_argv(&a, profile, NULL);
	assert_string_equal(
		joined(&a, argv),
		"docker run --security-opt seccomp=DIR/seccomp.json --cap-drop ALL image a{}");
	apply_free(argv);
	argv = apply_argv(&a, NULL, NULL); /* as it is */
	assert_string_equal(joined(&a, argv), "docker run image a{}");
	apply_free(argv);
	snprintf(path, sizeof(path), "%s", a.dir);
	apply_close(&a);
	assert_int_equal(access(path, F_OK), -1);
	cJSON_Delete(profile);
	cJSON_Delete(caps);
}

static void a_bundle_of_runc(void **state)
{
	char *const command[] = {"runc", "run", "--bundle={}", "name", NULL};
	char where[] = "/tmp/ebpfmon-test-XXXXXX", path[256], root[256];
	struct apply a = {.command = command, .bundle = where};
	cJSON *config = cJSON_Parse(
		"{\"root\":{\"path\":\"rootfs\"},\"process\":{\"capabilities\":{\"ambient\":"
		"[\"CAP_BPF\"]}},\"linux\":{\"seccomp\":{\"a\":1},\"kept\":2}}");
	cJSON *profile = cJSON_Parse("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"), *made;
	cJSON *caps = cJSON_Parse("[\"CAP_CHOWN\"]");
	char **argv;

	(void)state;
	assert_non_null(mkdtemp(where));
	snprintf(path, sizeof(path), "%s/config.json", where);
	assert_int_equal(json_write(path, config), 0);
	assert_int_equal(apply_open(&a), 0);
	argv = apply_argv(&a, profile, caps);
	assert_string_equal(joined(&a, argv), "runc run --bundle=DIR name");
	apply_free(argv);
	snprintf(root, sizeof(root), "%s/config.json", a.dir);
	made = json_read(root);
	snprintf(root, sizeof(root), "%s/rootfs", where);
	assert_string_equal(json_text(json_at(made, "root"), "path"), root);
	assert_true(cJSON_Compare(json_at(json_at(made, "linux"), "seccomp"), profile, true));
	assert_int_equal(json_number(json_at(made, "linux"), "kept"), 2);
	assert_true(cJSON_IsTrue(json_at(json_at(made, "process"), "noNewPrivileges")));
	assert_null(json_at(json_at(json_at(made, "process"), "capabilities"), "ambient"));
	assert_true(cJSON_Compare(
		json_at(json_at(json_at(made, "process"), "capabilities"), "bounding"), caps,
		true));
	cJSON_Delete(made);
	unlink(path);
	assert_null(apply_argv(&a, profile, caps)); /* there is no bundle any more */
	apply_close(&a);
	rmdir(where);
	cJSON_Delete(config);
	cJSON_Delete(profile);
	cJSON_Delete(caps);
}

static void no_place_for_it(void **state)
{
	char *const command[] = {"docker", "run", "{}x", NULL};
	struct apply a = {.command = command};

	(void)state;
	assert_int_equal(apply_open(&a), -EINVAL);
	assert_int_equal(a.dir[0], 0);
	apply_close(&a);
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
		cmocka_unit_test(options_of_docker),
		cmocka_unit_test(a_bundle_of_runc),
		cmocka_unit_test(no_place_for_it),
		cmocka_unit_test(documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
