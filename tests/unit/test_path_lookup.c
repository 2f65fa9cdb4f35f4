// SPDX-License-Identifier: MIT
/* Where path arguments lead, and for how long what was found stands. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "clock.h"
#include "path_lookup.h"

struct tree {
	struct path_lookup *lookup;
	char dir[PATH_MAX];
	char link[PATH_MAX + 8]; /* @dir/link -> @dir/a */
};

static void below(const struct tree *t, const char *name, char *out)
{
	snprintf(out, PATH_MAX, "%.64s/%s", t->dir, name);
}

static int setup(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));
	char *real, path[PATH_MAX];

	assert_non_null(t);
	strcpy(t->dir, "/tmp/test_path_lookup.XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	real = realpath(t->dir, NULL);
	assert_non_null(real);
	strcpy(t->dir, real);
	free(real);
	below(t, "a", path);
	assert_int_equal(mkdir(path, 0700), 0);
	below(t, "b", path);
	assert_int_equal(mkdir(path, 0700), 0);
	below(t, "link", t->link);
	assert_int_equal(symlink("a", t->link), 0);
	t->lookup = path_lookup_new();
	assert_non_null(t->lookup);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tree *t = *state;
	char path[PATH_MAX];

	unlink(t->link);
	below(t, "a", path);
	rmdir(path);
	below(t, "b", path);
	rmdir(path);
	rmdir(t->dir);
	path_lookup_free(t->lookup);
	free(t);
	return 0;
}

static __u64 now(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

/* The record of this process of @made: @name below the tree leads to @want. */
static void leads_by(const struct tree *t, struct path_owner by, const char *name, bool follow,
		     const char *want)
{
	char path[PATH_MAX], out[PATH_MAX], expected[PATH_MAX];
	ssize_t n;

	below(t, name, path);
	below(t, want, expected);
	n = path_lookup(t->lookup, &by, path, strlen(path), follow, out);
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(out, expected, n);
}

static void leads(const struct tree *t, __u64 made, const char *name, bool follow, const char *want)
{
	leads_by(t, (struct path_owner){getpid(), 1, made}, name, follow, want);
}

static void relink(const struct tree *t, const char *to)
{
	assert_int_equal(unlink(t->link), 0);
	assert_int_equal(symlink(to, t->link), 0);
}

static void test_last_name(void **state)
{
	const struct tree *t = *state;

	leads(t, now(), "link/x", false, "a/x"); /* nothing is there */
	leads(t, now(), "link", false, "link");
	leads(t, now(), "link", true, "a");
}

/* A record that was made before the look-up gets what it found; a later one asks again. */
static void test_stands(void **state)
{
	const struct tree *t = *state;
	__u64 before = now();

	leads(t, before, "link/x", false, "a/x");
	leads(t, before, "link", true, "a");
	relink(t, "b");
	leads(t, before, "link/y", false, "a/y");
	leads(t, before, "link", true, "a");
	leads(t, now(), "link/y", false, "b/y");
	leads(t, now(), "link", true, "b");
	leads(t, before, "link/y", false, "b/y"); /* there is one place for it */
}

/* So does what was not found. */
static void test_stands_missing(void **state)
{
	const struct tree *t = *state;
	struct path_owner by = {getpid(), 1, now()};
	char path[PATH_MAX], out[PATH_MAX];

	below(t, "late/x", path);
	assert_int_equal(path_lookup(t->lookup, &by, path, strlen(path), false, out), -ENOENT);
	below(t, "late", out);
	assert_int_equal(symlink("a", out), 0);
	assert_int_equal(path_lookup(t->lookup, &by, path, strlen(path), false, out), -ENOENT);
	leads(t, now(), "late/x", false, "a/x");
	below(t, "late", out);
	assert_int_equal(unlink(out), 0);
}

/* Another process may have another root, also one that got the same pid. */
static void test_owners(void **state)
{
	const struct tree *t = *state;
	__u64 before = now();

	leads(t, before, "link/x", false, "a/x");
	relink(t, "b");
	leads_by(t, (struct path_owner){getpid(), 2, before}, "link/x", false, "b/x");
	leads_by(t, (struct path_owner){getppid(), 1, before}, "link/x", false, "b/x");
}

static void test_refused(void **state)
{
	const struct tree *t = *state;
	struct path_owner by = {getpid(), 1, now()};
	char out[PATH_MAX], lengthy[PATH_MAX + 1];

	memset(lengthy, '/', sizeof(lengthy));
	assert_int_equal(path_lookup(t->lookup, &by, "x", 1, false, out), -EINVAL);
	assert_int_equal(path_lookup(t->lookup, &by, "/a\0b", 4, false, out), -EINVAL);
	assert_int_equal(path_lookup(t->lookup, &by, lengthy, sizeof(lengthy), true, out), -EINVAL);
	by.pid = 0x7fffffff;
	assert_int_equal(path_lookup(t->lookup, &by, "/tmp/x", 6, false, out), -ENOENT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_last_name), T(test_stands),  T(test_stands_missing),
		T(test_owners),	   T(test_refused),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
