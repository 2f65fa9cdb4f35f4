// SPDX-License-Identifier: MIT
/* What --container and --unit mean, and the table that applies it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "config.h"
#include "container/select.h"
#include "container/table.h"

#define A "2895b90dd032de3eebd1a81db7ec57373c58e2a6f2d1a2703bea9d3784197356"
#define B "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char *labels[] = {"app=web", "tier=front=end", "star=a*b", "empty="};

static const struct container web = {
	.id = A,
	.cgroup_path = "/system.slice/docker-" A ".scope",
	.runtime = "docker",
	.info = {.id = A,
		 .name = "web",
		 .image = "docker.io/library/nginx:1.25",
		 .image_id = "sha256:feedfacecafe",
		 .image_digest = "sha256:d1d1d1d1",
		 .pod_name = "web-0",
		 .pod_namespace = "prod",
		 .pod_uid = "2a1b3c4d-0e5f-4a6b-8c7d-9e0f1a2b3c4d",
		 .labels = labels,
		 .nr_labels = 4},
};

/* Of this one, nothing is known. */
static const struct container bare = {.id = "db-1", .cgroup_path = "/x/db-1"};

static void test_fits(void **state)
{
	static const struct {
		const char *pattern;
		enum select_fit web, bare;
	} t[] = {
		{A, FIT_EXACT, 0},
		{"2895b90dd032", FIT_PREFIX, 0},
		{"2895", FIT_PREFIX, 0},
		{"289", 0, 0},
		{"895b", 0, 0},
		{"2895*", FIT_GLOB, 0},
		{"id:2895", FIT_PREFIX, 0},
		{"id:web", 0, 0},
		{"web", FIT_EXACT, 0},
		{"name:web", FIT_EXACT, 0},
		{"name:2895", 0, 0},
		{"we", 0, 0},
		{"we?", FIT_GLOB, 0},
		{"*", FIT_GLOB, FIT_GLOB},
		{"[wx]eb", FIT_GLOB, 0},
		{"docker-" A ".scope", FIT_EXACT, 0},
		{"/system.slice/*", FIT_GLOB, 0},
		{"/x/db-1", 0, FIT_EXACT},
		{"db-1", 0, FIT_EXACT},
		{"db-", 0, 0}, /* a name is no id to give the beginning of */
		{"image:nginx", FIT_GLOB, 0},
		{"image:nginx:1.25", FIT_GLOB, 0},
		{"image:nginx*", FIT_GLOB, 0},
		{"image:nginx:1.26", 0, 0},
		{"image:docker.io/library/nginx", FIT_GLOB, 0},
		{"image:*/nginx", FIT_GLOB, 0},
		{"image:ngin", 0, 0},
		{"image:sha256:feedface", FIT_GLOB, 0},
		{"image:feedface", FIT_GLOB, 0},
		{"image:d1d1d1", FIT_GLOB, 0},
		{"image:feed", 0, 0}, /* too little of a hash to tell */
		{"image:*", FIT_GLOB, 0},
		{"label:app", FIT_GLOB, 0},
		{"label:app=web", FIT_GLOB, 0},
		{"label:app=w*", FIT_GLOB, 0},
		{"label:app=db", 0, 0},
		{"label:ap", 0, 0},
		{"label:tier=front=end", FIT_GLOB, 0},
		{"label:star=a*b", FIT_GLOB, 0},
		{"label:empty", FIT_GLOB, 0},
		{"label:empty=", FIT_GLOB, 0},
		{"label:", 0, 0},
		{"pod:web-0", FIT_GLOB, 0},
		{"pod:prod/web-0", FIT_GLOB, 0},
		{"pod:prod/*", FIT_GLOB, 0},
		{"pod:test/web-0", 0, 0},
		{"pod:*/web-?", FIT_GLOB, 0},
		{"pod:2a1b3c4d-0e5f-4a6b-8c7d-9e0f1a2b3c4d", FIT_GLOB, 0},
		{"runtime:docker", FIT_GLOB, 0},
		{"runtime:runc", 0, 0},
		{"nokind:web", 0, 0},
		{"", 0, 0},
		{"image:", 0, 0},
		{"[", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (select_fits(t[i].pattern, &web) != t[i].web)
			fail_msg("'%s' fits web: %d", t[i].pattern,
				 select_fits(t[i].pattern, &web));
		if (select_fits(t[i].pattern, &bare) != t[i].bare)
			fail_msg("'%s' fits bare: %d", t[i].pattern,
				 select_fits(t[i].pattern, &bare));
	}
}

/* A registry's port is no tag, and a digest is none either. */
static void test_images(void **state)
{
	static const struct {
		const char *image, *pattern;
		bool fits;
	} t[] = {
		{"host:5000/a/b", "image:host:5000/a/b", true},
		{"host:5000/a/b:1", "image:host:5000/a/b", true},
		{"host:5000/a/b", "image:host", false},
		{"nginx@sha256:abcdef", "image:nginx", true},
		{"nginx:1@sha256:abcdef", "image:nginx", true},
		{"localhost/mine:1", "image:mine", true},
		{"quay.io/x/nginx", "image:nginx", false},
		{"nginx", "image:docker.io/library/nginx", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct container c = {
			.id = A, .cgroup_path = "/a", .info = {.image = (char *)t[i].image}};

		if (!select_fits(t[i].pattern, &c) != !t[i].fits)
			fail_msg("%s, %s", t[i].image, t[i].pattern);
	}
}

static void test_hostile(void **state)
{
	char *lots = malloc(100001);
	struct container c = {.id = A,
			      .cgroup_path = "",
			      .info = {.name = lots, .image = lots, .pod_name = lots}};

	(void)state;
	assert_non_null(lots);
	memset(lots, 'x', 100000);
	lots[100000] = '\0';
	assert_int_equal(select_fits("image:x", &c), FIT_NONE);
	assert_int_equal(select_fits("pod:a/x", &c), FIT_NONE);
	assert_int_equal(select_fits("x", &c), FIT_NONE);
	assert_int_equal(select_fits(lots, &c), FIT_EXACT);
	assert_false(select_fits_unit(lots, "a.service", 9));
	assert_false(select_fits_unit("a", lots, 100000));
	free(lots);
}

static void test_units(void **state)
{
	static const struct {
		const char *pattern, *unit;
		bool fits;
	} t[] = {
		{"nginx", "nginx.service", true},
		{"nginx.service", "nginx.service", true},
		{"nginx", "nginx.socket", false},
		{"nginx", "nginx.slice", false},
		{"ngin*", "nginx.service", true},
		{"*", "system.slice", false},
		{"*.slice", "system.slice", true},
		{"user@1000.service", "user@1000.service", true},
		{"php8.2-fpm", "php8.2-fpm.service", true},
		{"", ".service", true},
		{"nginx", "xnginx.service", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (select_fits_unit(t[i].pattern, t[i].unit, strlen(t[i].unit)) != t[i].fits)
			fail_msg("%s, %s", t[i].pattern, t[i].unit);
}

static void test_kinds(void **state)
{
	(void)state;
	assert_true(select_is_single("web"));
	assert_true(select_is_single("id:2895"));
	assert_false(select_is_single("we*"));
	assert_false(select_is_single("image:nginx"));
	assert_false(select_is_single("label:app=web"));
	assert_true(select_is_glob("label:app=*"));
	assert_false(select_is_glob("label:app=web"));
}

static void test_names(void **state)
{
	struct container c = {.id = "web"};

	(void)state;
	assert_string_equal(container_name(&c), "web");
	strcpy(c.short_id, "2895b90dd032");
	assert_string_equal(container_name(&c), "2895b90dd032");
	c.info.name = "db";
	assert_string_equal(container_name(&c), "db");
}

/* ---- the table, with a host's files below a directory of its own ---- */

struct host {
	char root[64];
	struct container_table *t;
	struct container_select sel;
	unsigned int nr_decided;
	__u32 flags[100]; /* as marked last, by cgroup */
};

static void mark(void *arg, __u64 cgroup, __u32 flags)
{
	((struct host *)arg)->flags[cgroup] = flags;
}

static void decided(void *arg, struct container *c)
{
	(void)c;
	((struct host *)arg)->nr_decided++;
}

static int setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	strcpy(h->root, "/tmp/test_select.XXXXXX");
	assert_non_null(mkdtemp(h->root));
	h->sel = (struct container_select){
		.runtimes = {.root = h->root}, .mark = mark, .decided = decided, .arg = h};
	*state = h;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct host *h = *state;

	container_table_free(h->t);
	nftw(h->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(h);
	return 0;
}

static void put_n(const struct host *h, const char *path, const char *text, size_t len)
{
	char full[PATH_MAX];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", h->root, path);
	for (char *s = full + strlen(h->root) + 1; (s = strchr(s, '/')); s++) {
		*s = '\0';
		mkdir(full, 0755);
		*s = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void put(const struct host *h, const char *path, const char *text)
{
	put_n(h, path, text, strlen(text));
}

static void put_docker_at(const struct host *h, const char *data_root, const char *id,
			  const char *name)
{
	char path[200], text[400];

	snprintf(path, sizeof(path), "%s/containers/%s/config.v2.json", data_root, id);
	snprintf(text, sizeof(text),
		 "{\"ID\":\"%s\",\"Name\":\"/%s\",\"Config\":{\"Image\":\"nginx:1\","
		 "\"Labels\":{\"app\":\"%s\"}}}",
		 id, name, name);
	put(h, path, text);
}

static void put_docker(const struct host *h, const char *id, const char *name)
{
	put_docker_at(h, "/var/lib/docker", id, name);
}

static struct container *made(struct host *h, __u64 id, __u64 parent, const char *path)
{
	return container_table_create(
		h->t,
		&(struct cgroup_made){
			.id = id, .parent = parent, .path = path, .len = strlen(path), .now = 1});
}

static void watch(struct host *h, const char *const *patterns, unsigned int nr)
{
	h->sel.patterns = patterns;
	h->sel.nr = nr;
	h->t = container_table_new(&h->sel);
	assert_non_null(h->t);
}

static void test_start_later(void **state)
{
	static const char *const patterns[] = {"label:app=web"};
	struct host *h = *state;
	struct container *c;

	watch(h, patterns, 1);
	put_docker(h, A, "web");
	put_docker(h, B, "db");
	c = made(h, 1, 50, "/docker/" A);
	assert_int_equal(c->state, CT_WATCHED);
	assert_string_equal(container_name(c), "web");
	assert_int_equal(h->flags[1], CG_DECIDED);
	c = made(h, 2, 50, "/docker/" B);
	assert_int_equal(c->state, CT_IGNORED);
	assert_int_equal(h->flags[2], CG_IGNORED);
	/* what is made inside is theirs: not another container, whatever it executes */
	assert_ptr_equal(made(h, 3, 2, "/docker/" B "/system.slice"), c);
	assert_int_equal(h->flags[3], CG_IGNORED);
	assert_ptr_equal(made(h, 4, 1, "/docker/" A "/x"), container_table_find(h->t, 1));
	assert_int_equal(h->flags[4], CG_DECIDED);
}

/* In a directory that a user owns, nobody is the system's container, whatever he calls it. */
static void test_delegated(void **state)
{
	struct host *h = *state;
	char *mount = cgroup_mount(), path[PATH_MAX], full[2 * PATH_MAX];

	if (!mount || geteuid())
		skip();
	watch(h, NULL, 0);
	put_docker(h, A, "web");
	snprintf(path, sizeof(path), "%s/system.slice/x.service/docker/cgroup.procs", mount);
	put(h, path, "");
	free(mount);
	assert_string_equal(container_name(made(h, 1, 50, "/system.slice/x.service/docker/" A)),
			    "web");
	snprintf(full, sizeof(full), "%s%s", h->root, path);
	*strrchr(full, '/') = '\0';
	assert_int_equal(chown(full, 1000, 1000), 0);
	put_docker(h, B, "db");
	assert_string_equal(container_name(made(h, 2, 50, "/system.slice/x.service/docker/" B)),
			    "0123456789ab");
}

/* The state comes after the cgroup: undecided until it is there. */
static void test_wait_for_metadata(void **state)
{
	static const char *const patterns[] = {"web"};
	struct host *h = *state;
	struct container *c;

	watch(h, patterns, 1);
	c = made(h, 1, 50, "/docker/" A);
	assert_int_equal(c->state, CT_UNDECIDED);
	assert_ptr_equal(made(h, 2, 1, "/docker/" A "/init"), c);
	container_table_entry(h->t, c, 1000);
	assert_int_equal(c->state, CT_UNDECIDED);
	container_table_expire(h->t, 2000, 30000000000);
	assert_int_equal(c->state, CT_UNDECIDED);
	assert_int_equal(h->nr_decided, 0);
	put_docker(h, A, "web");
	container_table_expire(h->t, 3000, 30000000000);
	assert_int_equal(c->state, CT_WATCHED);
	assert_int_equal(h->nr_decided, 1);
	assert_int_equal(h->flags[1], CG_DECIDED);
	assert_int_equal(h->flags[2], CG_DECIDED);
}

static void test_metadata_never_comes(void **state)
{
	static const char *const patterns[] = {"web"};
	struct host *h = *state;
	struct container *c, *d;

	watch(h, patterns, 1);
	c = made(h, 1, 50, "/docker/" A);
	container_table_entry(h->t, c, 1000);
	container_table_expire(h->t, 4000001000, 30000000000);
	assert_int_equal(c->state, CT_IGNORED);
	assert_int_equal(h->flags[1], CG_IGNORED);
	/* gone before anybody could say who it was */
	d = made(h, 2, 50, "/docker/" B);
	put_docker(h, B, "web");
	container_table_remove(h->t, 2, 5);
	assert_int_equal(d->state, CT_WATCHED);
	/* in another container, nobody outside vouches for a name */
	d = made(h, 3, 1, "/docker/" A "/docker/" B);
	assert_int_equal(d->state, CT_IGNORED);
}

/* Root's process, in no container, with the command line @argv (@len bytes). */
static void put_process(const struct host *h, int pid, const char *comm, const char *argv,
			size_t len)
{
	char path[64], text[128];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	put(h, path, comm);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	put(h, path, "0::/system.slice/docker.service\n");
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	snprintf(text, sizeof(text), "Name:\tx\nUid:\t%u\t%u\t%u\t%u\n", geteuid(), geteuid(),
		 geteuid(), geteuid());
	put(h, path, text);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	put_n(h, path, argv, len);
}

/* Its runtime keeps its records where only its command line says, and others spent all that may be spent on asking. */
static void test_asked_again(void **state)
{
	static const char argv[] = "dockerd\0--data-root\0/own/data";
	static const char *const patterns[] = {"web"};
	struct host *h = *state;
	struct container *c;
	char path[96];

	watch(h, patterns, 1);
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/docker/%064x", (unsigned int)i);
		c = made(h, 100 + (__u64)i, 50, path);
		assert_int_equal(c->state, CT_UNDECIDED);
		container_table_entry(h->t, c, 1000);
	}
	put_process(h, 50, "dockerd\n", argv, sizeof(argv));
	put_docker_at(h, "/own/data", A, "web");
	c = made(h, 1, 50, "/docker/" A);
	container_table_entry(h->t, c, 1000);
	assert_int_equal(c->state, CT_UNDECIDED);
	container_table_expire(h->t, 1000001000, 30000000000);
	assert_int_equal(c->state, CT_WATCHED);
	assert_string_equal(container_name(c), "web");
}

static void test_nested(void **state)
{
	static const char *const patterns[] = {"web"};
	struct host *h = *state;
	struct container *outer, *inner, *deepest;

	watch(h, patterns, 1);
	put_docker(h, A, "web");
	outer = made(h, 1, 50, "/docker/" A);
	made(h, 2, 1, "/docker/" A "/docker");
	inner = made(h, 3, 2, "/docker/" A "/docker/" B);
	assert_ptr_not_equal(inner, outer);
	assert_ptr_equal(inner->parent, outer);
	assert_null(outer->parent);
	assert_string_equal(inner->id, B);
	/* a way out it is not: who watches the outer one watches this */
	assert_int_equal(inner->state, CT_WATCHED);
	assert_string_equal(container_name(inner), "0123456789ab");
	deepest = made(h, 4, 3, "/docker/" A "/docker/" B "/lxc.payload.x");
	assert_ptr_equal(deepest->parent, inner);
	assert_int_equal(deepest->state, CT_WATCHED);
	/* on the host, beside them: a directory above is no container */
	made(h, 5, 50, "/docker");
	assert_null(made(h, 6, 5, "/docker/" B)->parent);
}

static void test_unit_watched(void **state)
{
	static const char *const units[] = {"nginx", "web*"};
	struct host *h = *state;
	struct container *c, *d;

	h->sel.units = units;
	h->sel.nr_units = 2;
	watch(h, NULL, 0);
	c = made(h, 1, 50, "/system.slice/nginx.service");
	assert_int_equal(c->state, CT_WATCHED);
	assert_string_equal(container_name(c), "nginx.service");
	assert_string_equal(c->runtime, "systemd");
	assert_int_equal(h->flags[1], CG_RUN | CG_DECIDED);
	assert_ptr_equal(made(h, 2, 1, "/system.slice/nginx.service/worker"), c);
	/* a container inside is one, and watched; another one is not */
	d = made(h, 3, 1, "/system.slice/nginx.service/docker/" A);
	assert_ptr_equal(d->parent, c);
	assert_int_equal(d->state, CT_WATCHED);
	assert_int_equal(made(h, 4, 50, "/docker/" B)->state, CT_IGNORED);
	assert_int_equal(made(h, 5, 50, "/system.slice/website.service")->state, CT_WATCHED);
	d = made(h, 6, 50, "/system.slice/ssh.service");
	assert_int_equal(d->state, CT_UNDECIDED);
	container_table_entry(h->t, d, 5);
	assert_int_equal(d->state, CT_IGNORED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fits),  cmocka_unit_test(test_images),
		cmocka_unit_test(test_units), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_kinds), cmocka_unit_test(test_names),
		T(test_start_later),	      T(test_delegated),
		T(test_wait_for_metadata),    T(test_metadata_never_comes),
		T(test_asked_again),	      T(test_nested),
		T(test_unit_watched),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
