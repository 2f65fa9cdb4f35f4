// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include "process_table.h"

static struct process_table *t;

static struct ev_hdr of(int type, __u32 pid, __u64 start, __u32 ppid, __u64 time)
{
	return (struct ev_hdr){.type = type,
			       .pid = pid,
			       .tid = pid,
			       .start = start,
			       .ppid = ppid,
			       .time = time,
			       .cgroup = 5};
}

static void fork_of(__u32 pid, __u64 start, __u32 child, __u64 child_start)
{
	struct ev_process_fork f = {.hdr = of(EV_process_fork, pid, start, 1, child_start),
				    .child_pid = child,
				    .child_start = child_start,
				    .child_cgroup = 5};

	f.hdr.len = sizeof(f);
	process_table_record(t, &f.hdr);
}

static void exit_of(__u32 pid, __u64 start, __u64 time)
{
	struct ev_process_exit x = {.hdr = of(EV_process_exit, pid, start, 1, time)};

	x.hdr.len = sizeof(x);
	process_table_record(t, &x.hdr);
}

static int setup(void **state)
{
	(void)state;
	t = process_table_new(100);
	return !t;
}

static int teardown(void **state)
{
	(void)state;
	process_table_free(t);
	return 0;
}

/* A pid that was used again is another process, and has no part in the first one's session. */
static void test_pid_reuse(void **state)
{
	struct process *a, *b;

	(void)state;
	fork_of(10, 1, 20, 100);
	a = process_find(t, 20, 100);
	a->session_pid = 20;
	a->session_start = 100;
	exit_of(20, 100, 200);
	fork_of(10, 1, 20, 300);
	a = process_find(t, 20, 100);
	b = process_find(t, 20, 300);
	assert_non_null(a);
	assert_non_null(b);
	assert_ptr_not_equal(a, b);
	assert_true(a->exited);
	assert_false(b->exited);
	assert_int_equal(b->session_pid, 0);
	assert_ptr_equal(process_find_live(t, 20), b);
}

static void test_session_descends(void **state)
{
	struct process *a;

	(void)state;
	fork_of(10, 1, 20, 100);
	a = process_find(t, 20, 100);
	a->session_pid = 20;
	a->session_start = 100;
	fork_of(20, 100, 21, 110);
	fork_of(21, 110, 22, 120);
	exit_of(21, 110, 130);
	assert_int_equal(process_find(t, 22, 120)->session_pid, 20);
	assert_int_equal(process_find(t, 22, 120)->session_start, 100);
	assert_int_equal(process_find(t, 10, 1)->session_pid, 0);
}

/* Whoever is gone for long is forgotten, but not while a child refers to it. */
static void test_expire(void **state)
{
	(void)state;
	fork_of(10, 1, 20, 100);
	fork_of(20, 100, 21, 110);
	exit_of(20, 100, 200);
	process_table_expire(t, 150);
	assert_non_null(process_find(t, 20, 100));
	process_table_expire(t, 1000);
	assert_non_null(process_find(t, 20, 100));
	exit_of(21, 110, 300);
	process_table_expire(t, 1000);
	process_table_expire(t, 1000);
	assert_null(process_find(t, 20, 100));
	assert_null(process_find(t, 21, 110));
	assert_non_null(process_find(t, 10, 1));
	assert_int_equal(process_table_count(t, NULL), 1);
}

/* One that left may come back: then it stays. */
static void test_left_and_back(void **state)
{
	struct ev_container_leave l = {.hdr = of(EV_container_leave, 10, 1, 1, 200)};

	(void)state;
	fork_of(10, 1, 20, 100);
	l.hdr.len = sizeof(l);
	process_table_record(t, &l.hdr);
	assert_true(process_find(t, 10, 1)->left);
	fork_of(10, 1, 30, 300);
	assert_false(process_find(t, 10, 1)->left);
	process_table_expire(t, 1000);
	assert_non_null(process_find(t, 10, 1));
}

/* Children may come before their parents: pids wrap around. */
static void test_settle(void **state)
{
	struct ev_process_existing x = {};

	(void)state;
	for (int i = 0; i < 2; i++) {
		x.hdr = i ? of(EV_process_existing, 30, 50, 1, 500)
			  : of(EV_process_existing, 20, 60, 30, 500);
		x.hdr.len = sizeof(x);
		x.hdr.flags = EV_F_EXISTING;
		process_table_record(t, &x.hdr);
	}
	assert_null(process_find(t, 20, 60)->parent);
	process_table_settle(t);
	assert_ptr_equal(process_find(t, 20, 60)->parent, process_find(t, 30, 50));
}

/* Whose exits are lost do not stay: at most one entry for each pid. */
static void test_lost_exits(void **state)
{
	(void)state;
	for (__u64 i = 1; i <= 1000; i++)
		fork_of(1, 1, 1000 + i % 10, 100 + i);
	process_table_expire(t, 5000);
	assert_int_equal(process_table_count(t, NULL), 10 + 1);
	assert_non_null(process_find(t, 1000, 100 + 1000));
	assert_null(process_find(t, 1000, 100 + 990));
}

/* A runtime outside is no process of the container, its child is. */
static void test_outside(void **state)
{
	struct ev_process_fork f = {.hdr = of(EV_process_fork, 10, 1, 1, 100),
				    .child_pid = 20,
				    .child_start = 100,
				    .child_cgroup = 5};

	(void)state;
	f.hdr.len = sizeof(f);
	f.hdr.flags = EV_F_OUTSIDE;
	assert_null(process_table_record(t, &f.hdr));
	assert_null(process_find(t, 10, 1));
	assert_true(process_find(t, 20, 100)->setup);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pid_reuse),	  TEST(test_session_descends), TEST(test_expire),
		TEST(test_left_and_back), TEST(test_settle),	       TEST(test_outside),
		TEST(test_lost_exits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
