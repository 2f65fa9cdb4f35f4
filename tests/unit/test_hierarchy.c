// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "container/hierarchy.h"

#define MEMORY "32 25 0:28 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
#define CPU    "33 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:7 - cgroup cgroup rw,cpu,cpuacct\n"
#define PIDS   "34 25 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
#define NAMED  "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,none,name=pids\n"
#define V2     "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
#define TABLE                                                                                      \
	"#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t0\t1\t1\ncpu\t3\t2\t1\n"           \
	"cpuacct\t3\t2\t1\nmemory\t5\t9\t1\npids\t11\t9\t1\n"

static const struct {
	const char *mountinfo, *cgroups, *mount, *controller;
	unsigned int id;
	int err;
} rows[] = {
	{V2, TABLE, "/sys/fs/cgroup/unified", "", 0, 0},
	{MEMORY CPU PIDS V2, TABLE, "/sys/fs/cgroup/unified", "", 0, 0}, /* hybrid */
	{MEMORY CPU PIDS, TABLE, "/sys/fs/cgroup/pids", "pids", 11, 0},
	{MEMORY CPU, TABLE, "/sys/fs/cgroup/memory", "memory", 5, 0},
	{CPU, TABLE, "/sys/fs/cgroup/cpu,cpuacct", "cpu", 3, 0},
	{NAMED, TABLE, NULL, NULL, 0, -ENOENT}, /* a name is no controller */
	{PIDS, "pids\t0\t9\t1\n", NULL, NULL, 0, -ENOENT}, /* v2 has it */
	/* part of a hierarchy is not the hierarchy: paths would not be what the kernel says */
	{"34 25 0:30 /docker/x /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n", TABLE, NULL, NULL,
	 0, -ENOENT},
	{"", "", NULL, NULL, 0, -ENOENT},
	{"garbage\n\n - \n1 2 - cgroup\n", "pids\n", NULL, NULL, 0, -ENOENT},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cgroup_hierarchy h = {.id = 77, .mount = "untouched"};

		assert_int_equal(cgroup_hierarchy_parse(&h, rows[i].mountinfo, rows[i].cgroups),
				 rows[i].err);
		if (rows[i].err) {
			assert_int_equal(h.id, 77);
			assert_string_equal(h.mount, "untouched");
			continue;
		}
		assert_int_equal(h.id, rows[i].id);
		assert_string_equal(h.mount, rows[i].mount);
		assert_string_equal(h.controller, rows[i].controller);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
