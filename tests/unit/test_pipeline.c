// SPDX-License-Identifier: MIT
/* Records of containers that are not decided yet: none is lost, none leaks, the order stays. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "pipeline.h"
#include "records.h"

#define A	  "2895b90dd032de3eebd1a81db7ec57373c58e2a6f2d1a2703bea9d3784197356"
#define B	  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SECOND	  1000000000ULL
#define UNDECIDED (30 * SECOND)

/* Takes what a sink gets: the type and the pid, in which the tests number their records. */
struct taker {
	struct sink sink;
	unsigned int nr;
	struct {
		enum ev_type type;
		__u32 pid;
		char container[65];
	} got[64];
	unsigned long total;
};

struct host {
	char root[64];
	struct pipeline p;
	struct filter filter;
	struct taker taker;
	_Alignas(8) char unaligned[1 + EV_MAX_LEN];
};

static int take(struct sink *s, const struct record *r)
{
	struct taker *t = (struct taker *)s;

	t->total++;
	if (t->nr == 64)
		return 0;
	t->got[t->nr].type = r->hdr->type;
	t->got[t->nr].pid = r->hdr->pid;
	snprintf(t->got[t->nr++].container, 65, "%s", r->container->id);
	return 0;
}

static const struct sink_ops ops = {.name = "take", .event = take};

static void decided(void *arg, struct container *c)
{
	pipeline_decided(arg, c);
}

static int setup(void **state)
{
	static const char *const patterns[] = {"web"};
	struct host *h = calloc(1, sizeof(*h));
	struct container_select sel = {.patterns = patterns, .nr = 1, .decided = decided};

	assert_non_null(h);
	strcpy(h->root, "/tmp/test_pipeline.XXXXXX");
	assert_non_null(mkdtemp(h->root));
	sel.runtimes.root = h->root;
	sel.arg = &h->p;
	memset(h->filter.events, true, sizeof(h->filter.events));
	h->taker.sink.ops = &ops;
	h->p.filter = &h->filter;
	h->p.sinks = &h->taker.sink;
	h->p.containers = container_table_new(&sel);
	assert_non_null(h->p.containers);
	assert_int_equal(pipeline_init(&h->p), 0);
	*state = h;
	return 0;
}

static const char dir[] = "/var/lib/docker/containers/" A;

static int teardown(void **state)
{
	struct host *h = *state;
	char path[PATH_MAX];
	char *slash;

	pipeline_exit(&h->p);
	container_table_free(h->p.containers);
	snprintf(path, sizeof(path), "%s%s/config.v2.json", h->root, dir);
	unlink(path);
	while ((slash = strrchr(path, '/')) > path + 5) {
		*slash = '\0';
		rmdir(path);
	}
	free(h);
	return 0;
}

/* Its runtime writes down that A is called web. */
static void name_it(const struct host *h, const char *name)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s%s/config.v2.json", h->root, dir);
	for (char *s = path + strlen(h->root) + 1; (s = strchr(s, '/')); s++) {
		*s = '\0';
		mkdir(path, 0755);
		*s = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "{\"ID\":\"" A "\",\"Name\":\"/%s\"}", name);
	fclose(f);
}

static void feed(struct host *h, union any_record *u, __u64 cgroup, __u32 number, __u64 time)
{
	u->hdr.cgroup = cgroup;
	u->hdr.pid = u->hdr.tid = number;
	u->hdr.start = number;
	u->hdr.time = time;
	/* an iterator's records lie one right behind the other: at any address */
	memcpy(h->unaligned + 1, u, u->hdr.len);
	pipeline_feed(&h->p, h->unaligned + 1, u->hdr.len);
}

static void cgroup_made(struct host *h, __u64 id, const char *path)
{
	struct ev_container_cgroup_create *e;
	union any_record u;

	begin_record(&u, EV_container_cgroup_create);
	e = (void *)&u;
	e->id = id;
	e->parent = 999;
	e->path = add_bytes(&u, path, strlen(path));
	feed(h, &u, 1, 1000000 + (__u32)id, 1); /* a process that is not there */
}

static void opened(struct host *h, __u64 cgroup, __u32 number)
{
	struct ev_file_open *e;
	union any_record u;

	begin_record(&u, EV_file_open);
	e = (void *)&u;
	e->path = ADD_WALK(&u, "f");
	feed(h, &u, cgroup, number, 2);
}

static void entered(struct host *h, __u64 cgroup, __u32 number)
{
	union any_record u;

	begin_record(&u, EV_process_exec);
	((struct ev_process_exec *)&u)->entry = 1;
	feed(h, &u, cgroup, number, 3);
}

static unsigned int opens(const struct host *h, __u32 *numbers)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < h->taker.nr; i++)
		if (h->taker.got[i].type == EV_file_open)
			numbers[n++] = h->taker.got[i].pid;
	return n;
}

static void removed(struct host *h, __u64 id)
{
	union any_record u;

	begin_record(&u, EV_container_cgroup_remove);
	((struct ev_container_cgroup_remove *)&u)->id = id;
	feed(h, &u, 1, 1000000 + (__u32)id, SECOND);
}

/* What still comes of a container whose cgroup is gone is its own, for a while. */
static void test_gone(void **state)
{
	struct host *h = *state;
	__u32 numbers[64];

	name_it(h, "web");
	cgroup_made(h, 10, "/docker/" A);
	removed(h, 10);
	assert_true(container_table_gone(h->p.containers, 10));
	opened(h, 10, 2000001);
	assert_int_equal(opens(h, numbers), 1);
	pipeline_expire(&h->p, SECOND + UNDECIDED, UNDECIDED);
	opened(h, 10, 2000002);
	assert_int_equal(opens(h, numbers), 2);
	pipeline_expire(&h->p, SECOND + UNDECIDED + 1, UNDECIDED);
	opened(h, 10, 2000003);
	assert_int_equal(opens(h, numbers), 2);
	assert_int_equal(h->p.stray, 1);
}

/* A signal that reaches a process of container 10. */
static void signalled(struct host *h, __u64 sender_cgroup, __u32 number)
{
	struct ev_ipc_signal *e;
	union any_record u;

	begin_record(&u, EV_ipc_signal);
	e = (void *)&u;
	e->sender_cgroup = sender_cgroup;
	e->target_cgroup = 10;
	feed(h, &u, 10, number, 4);
}

/* Who acts upon a container from outside (its runtime, kill(1) on the host) is none of its processes. */
static void test_outside(void **state)
{
	struct host *h = *state;

	name_it(h, "web");
	cgroup_made(h, 10, "/docker/" A);
	signalled(h, 1, 3000001);
	signalled(h, 10, 3000002);
	removed(h, 10);
	assert_int_equal(h->taker.nr, 4);
	assert_null(process_find(h->p.processes, 1000010, 1000010));
	assert_null(process_find(h->p.processes, 3000001, 3000001));
	assert_non_null(process_find(h->p.processes, 3000002, 3000002));
}

static void ended(struct host *h, __u32 number, __u8 code)
{
	union any_record u;

	begin_record(&u, EV_process_exit);
	((struct ev_process_exit *)&u)->code = code;
	feed(h, &u, 10, number, 5);
}

/* Of two threads that end together both may be told as the last of their process: it ends once. */
static void test_ends_once(void **state)
{
	struct host *h = *state;

	name_it(h, "web");
	cgroup_made(h, 10, "/docker/" A);
	ended(h, 4000001, 0);
	ended(h, 4000002, 2);
	ended(h, 4000001, 3);
	assert_int_equal(h->taker.nr, 3);
	assert_int_equal(h->taker.got[1].pid, 4000001);
	assert_int_equal(h->taker.got[2].pid, 4000002);
	assert_int_equal(process_find(h->p.processes, 4000001, 4000001)->exit_code, 3);
}

static void test_known_at_once(void **state)
{
	struct host *h = *state;
	__u32 numbers[64];

	name_it(h, "web");
	cgroup_made(h, 10, "/docker/" A);
	cgroup_made(h, 11, "/docker/" B);
	opened(h, 10, 2000001);
	opened(h, 11, 2000002);
	assert_int_equal(opens(h, numbers), 1);
	assert_int_equal(numbers[0], 2000001);
}

static void test_known_later(void **state)
{
	struct host *h = *state;
	__u32 numbers[64];

	cgroup_made(h, 10, "/docker/" A);
	opened(h, 10, 2000001);
	entered(h, 10, 2000002);
	opened(h, 10, 2000003);
	pipeline_expire(&h->p, SECOND, UNDECIDED);
	opened(h, 10, 2000004);
	/* nobody has seen anything of it */
	assert_int_equal(h->taker.nr, 0);
	name_it(h, "web");
	pipeline_expire(&h->p, 2 * SECOND, UNDECIDED);
	opened(h, 10, 2000005);
	assert_int_equal(opens(h, numbers), 4);
	assert_int_equal(numbers[0], 2000001);
	assert_int_equal(numbers[1], 2000003);
	assert_int_equal(numbers[2], 2000004);
	assert_int_equal(numbers[3], 2000005);
	for (unsigned int i = 0; i < h->taker.nr; i++)
		assert_string_equal(h->taker.got[i].container, A);
	for (int i = 0; i < EV__MAX; i++)
		assert_int_equal(h->p.lost[i], 0);
}

static void test_another_one_later(void **state)
{
	struct host *h = *state;

	cgroup_made(h, 10, "/docker/" A);
	opened(h, 10, 2000001);
	entered(h, 10, 2000002);
	name_it(h, "db");
	pipeline_expire(&h->p, 2 * SECOND, UNDECIDED);
	opened(h, 10, 2000003);
	assert_int_equal(h->taker.nr, 0);
	assert_null(h->p.backlogs);
}

static void test_never_known(void **state)
{
	struct host *h = *state;

	cgroup_made(h, 10, "/docker/" A);
	opened(h, 10, 2000001);
	entered(h, 10, 2000002);
	pipeline_expire(&h->p, 4 * SECOND, UNDECIDED);
	name_it(h, "web");
	opened(h, 10, 2000003);
	assert_int_equal(h->taker.nr, 0);
	assert_null(h->p.backlogs);
}

/* That it ended was lost: looked for once, it is found to be gone, as is a cgroup. Who is there stays. */
static void test_lost_ends(void **state)
{
	struct host *h = *state;

	name_it(h, "web");
	cgroup_made(h, 10, "/docker/" A);
	for (__u32 i = 0; i < 100; i++)
		opened(h, 10, 5000000 + i); /* no kernel has such pids */
	pipeline_expire(&h->p, 100 * SECOND, UNDECIDED);
	pipeline_expire(&h->p, 200 * SECOND, UNDECIDED);
	assert_int_equal(process_table_count(h->p.processes, NULL), 100);
	assert_false(container_table_gone(h->p.containers, 10));
	h->p.ends_lost = true;
	pipeline_expire(&h->p, 300 * SECOND, UNDECIDED);
	assert_false(h->p.ends_lost);
	assert_true(container_table_gone(h->p.containers, 10));
	pipeline_expire(&h->p, 400 * SECOND, UNDECIDED);
	assert_int_equal(process_table_count(h->p.processes, NULL), 0);
}

/* More than there is room for: what is missing is counted, of wanted containers only. */
static void test_no_room(void **state)
{
	struct host *h = *state;
	const unsigned long many = 60000;
	unsigned long got, lost;

	cgroup_made(h, 10, "/docker/" A);
	cgroup_made(h, 11, "/docker/" B);
	for (unsigned long i = 0; i < many; i++) {
		opened(h, 10, 2000001);
		opened(h, 11, 2000001);
	}
	entered(h, 10, 2000002);
	entered(h, 11, 2000003);
	name_it(h, "web");
	pipeline_expire(&h->p, 4 * SECOND, UNDECIDED);
	got = h->taker.total;
	lost = 0;
	for (int i = 0; i < EV__MAX; i++)
		lost += h->p.lost[i];
	assert_true(h->p.lost[EV_file_open] > 0 && got > 1000);
	/* cgroup_create, the opens, the entry's exec, which may not have fitted either, and container.start with it */
	assert_true(got + lost == many + 2 || got + lost == many + 3);
}

/* However many nobody has decided about: what is kept of all is bounded, and given back. */
static void test_many_undecided(void **state)
{
	static char name[4000];
	struct host *h = *state;
	union any_record u;

	memset(name, 'x', sizeof(name));
	for (__u32 i = 0; i < 200; i++) {
		char path[100];

		snprintf(path, sizeof(path), "/docker/%064x", i);
		cgroup_made(h, 100 + i, path);
		assert_true(h->p.backlogged <= (i + 1) * 4096);
	}
	for (__u32 i = 0; i < 200 * 200; i++) {
		begin_record(&u, EV_process_exec_failed);
		((struct ev_process_exec_failed *)&u)->filename = add_bytes(&u, name, sizeof(name));
		feed(h, &u, 100 + i % 200, 2000000 + i, 2);
	}
	assert_in_range(h->p.backlogged, 32 << 20, 64 << 20);
	pipeline_expire(&h->p, SECOND + UNDECIDED, UNDECIDED);
	assert_null(h->p.backlogs);
	assert_int_equal(h->p.backlogged, 0);
	assert_int_equal(h->taker.total, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_known_at_once), T(test_known_later),    T(test_another_one_later),
		T(test_never_known),   T(test_no_room),	       T(test_gone),
		T(test_lost_ends),     T(test_many_undecided), T(test_outside),
		T(test_ends_once),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
