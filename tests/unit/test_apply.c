// SPDX-License-Identifier: MIT
/* The words of a command, with the advice put in as options or as a bundle. */
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

static cJSON *profile, *caps;
static char bundle[64];

static int fresh(void **state)
{
	char path[96];
	FILE *f;

	(void)state;
	profile = cJSON_Parse("{\"defaultAction\":\"SCMP_ACT_ERRNO\"}");
	caps = cJSON_Parse("[\"CAP_CHOWN\",\"CAP_SETUID\"]");
	snprintf(bundle, sizeof(bundle), "/tmp/test-apply-XXXXXX");
	if (!profile || !caps || !mkdtemp(bundle))
		return -1;
	snprintf(path, sizeof(path), "%s/config.json", bundle);
	f = fopen(path, "we");
	if (!f)
		return -1;
	fputs("{\"process\":{\"noNewPrivileges\":false,\"args\":[\"true\"]},"
	      "\"root\":{\"path\":\"rootfs\"},\"linux\":{\"seccomp\":{\"old\":1}}}",
	      f);
	return fclose(f);
}

static int done(void **state)
{
	char path[96];

	(void)state;
	cJSON_Delete(profile);
	cJSON_Delete(caps);
	snprintf(path, sizeof(path), "%s/config.json", bundle);
	unlink(path);
	return rmdir(bundle);
}

/* The words, with spaces between, of the command under the advice or as it is. */
static void assert_words(const struct apply *a, bool advised, const char *fmt)
{
	char **argv = apply_argv(a, advised ? profile : NULL, advised ? caps : NULL);
	char got[1024] = "", want[1024];
	const char *dir = strchr(fmt, '@');

	assert_non_null(argv);
	for (char **w = argv; *w; w++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", w == argv ? "" : " ",
			 *w);
	apply_free(argv);
	if (dir)
		snprintf(want, sizeof(want), "%.*s%s%s", (int)(dir - fmt), fmt, a->dir, dir + 1);
	else
		snprintf(want, sizeof(want), "%s", fmt);
	assert_string_equal(got, want);
}

static void options(void **state)
{
	char *command[] = {"{runtime}", "run", "{}", "a{}b", "IMAGE", NULL};
	struct apply a = {.command = command, .runtime = "podman"};

	(void)state;
	assert_int_equal(apply_open(&a), 0);
	assert_words(&a, false, "podman run a{}b IMAGE");
	assert_words(
		&a, true,
		"podman run --security-opt seccomp=@/seccomp.json --cap-drop ALL --cap-add CHOWN "
		"--cap-add SETUID --security-opt no-new-privileges a{}b IMAGE");
	a.new_privileges = true;
	a.runtime = "docker";
	assert_words(
		&a, true,
		"docker run --security-opt seccomp=@/seccomp.json --cap-drop ALL --cap-add CHOWN "
		"--cap-add SETUID a{}b IMAGE");
	apply_close(&a);
}

static void in_words(void **state)
{
	char *command[] = {"sh", "-c", "{runtime} run -b {} x; {runtime} delete x", NULL};
	struct apply a = {.command = command, .bundle = bundle, .runtime = "/opt/runc"};

	(void)state;
	assert_int_equal(apply_open(&a), 0);
	assert_words(&a, false, "sh -c /opt/runc run -b @ x; /opt/runc delete x");
	apply_close(&a);
}

/* config.json of the copy, as it is read by a runtime. */
static cJSON *config_of(const struct apply *a, bool advised)
{
	char **argv = apply_argv(a, advised ? profile : NULL, advised ? caps : NULL);
	char path[128];

	assert_non_null(argv);
	apply_free(argv);
	snprintf(path, sizeof(path), "%s/config.json", a->dir);
	return json_read(path);
}

static void bundles(void **state)
{
	char *command[] = {"runc", "run", "-b", "{}", "x", NULL};
	struct apply a = {.command = command, .bundle = bundle};
	cJSON *c;
	char root[96];

	(void)state;
	assert_int_equal(apply_open(&a), 0);
	c = config_of(&a, false);
	snprintf(root, sizeof(root), "%s/rootfs", bundle);
	assert_string_equal(json_text(json_at(c, "root"), "path"), root);
	assert_non_null(json_at(json_at(json_at(c, "linux"), "seccomp"), "old"));
	assert_true(cJSON_IsFalse(json_at(json_at(c, "process"), "noNewPrivileges")));
	cJSON_Delete(c);

	c = config_of(&a, true);
	assert_true(cJSON_Compare(json_at(json_at(c, "linux"), "seccomp"), profile, true));
	assert_true(cJSON_IsTrue(json_at(json_at(c, "process"), "noNewPrivileges")));
	assert_true(cJSON_Compare(
		json_at(json_at(json_at(c, "process"), "capabilities"), "bounding"), caps, true));
	cJSON_Delete(c);

	a.new_privileges = true;
	c = config_of(&a, true);
	assert_true(cJSON_IsFalse(json_at(json_at(c, "process"), "noNewPrivileges")));
	cJSON_Delete(c);
	snprintf(root, sizeof(root), "%s", a.dir);
	apply_close(&a);
	assert_int_equal(access(root, F_OK), -1);
}

static void refused(void **state)
{
	char *nowhere[] = {"docker", "run", NULL}, *inside[] = {"docker", "run", "x{}", NULL};
	char *no_runtime[] = {"docker", "{}", NULL}, *which[] = {"{runtime}", "{}", NULL};
	struct apply a = {.command = nowhere};

	(void)state;
	assert_int_equal(apply_open(&a), -EINVAL);
	a.command = inside; /* options are words of their own */
	assert_int_equal(apply_open(&a), -EINVAL);
	a.command = which;
	assert_int_equal(apply_open(&a), -EINVAL);
	a.command = no_runtime;
	a.runtime = "podman";
	assert_int_equal(apply_open(&a), -EINVAL);
	apply_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(options, fresh, done),
		cmocka_unit_test_setup_teardown(in_words, fresh, done),
		cmocka_unit_test_setup_teardown(bundles, fresh, done),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
