// SPDX-License-Identifier: MIT
/* The command line: what is taken and what is refused, and that help, manual and completion tell of all of it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "advise_render.h"
#include "commands.h"
#include "completion.h"
#include "manual.h"
#include "options.h"
#include "schema.h"

#define WORDS_MAX 80

/* Parses words that are separated by blanks; "" stands for an empty one. */
static int parse(struct options *o, enum option_commands command, const char *line)
{
	static char copies[8][4096]; /* options point into their words */
	static unsigned int turn;
	char *copy = copies[turn++ % 8], *argv[WORDS_MAX] = {"ebpfmon"}, *save = NULL;
	int argc = 1;

	snprintf(copy, sizeof(copies[0]), "%s", line);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(argc < WORDS_MAX - 1);
		argv[argc++] = strcmp(w, "\"\"") ? w : "";
	}
	return options_parse(o, command, argc, argv);
}

static void test_defaults(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, OPT_RECORD, ""), 0);
	assert_int_equal(o.buffer, 8 << 20);
	assert_int_equal(parse(&o, OPT_RECORD, "--syscalls=trace"), 0);
	assert_int_equal(o.buffer, 32 << 20);
	assert_int_equal(parse(&o, OPT_RECORD, ""), 0);
	assert_int_equal(o.duration, 0);
	assert_int_equal(o.format, FORMAT_DEFAULT);
	assert_int_equal(o.syscalls, SYSCALLS_TOTALS);
	for (int i = 0; i < EV__MAX; i++)
		assert_int_equal(o.events[i], i != EV_container_cgroup_create &&
						      i != EV_container_cgroup_remove &&
						      i != EV_container_cgroup_attach);
}

static void test_values(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, OPT_RECORD,
			       "-c web --container=label:app -d 5m -o r.json -f jsonl -p 7 -p 8 "
			       "-u 1000 --comm sh --path /etc --port 65535 --buffer 64K "
			       "--syscalls trace --color never -wxsqv --strict --sandbox"),
			 0);
	assert_int_equal(o.containers.nr, 2);
	assert_string_equal(o.containers.v[1], "label:app");
	assert_true(o.duration == 300000000000ULL);
	assert_string_equal(o.output, "r.json");
	assert_int_equal(o.format, FORMAT_JSONL);
	assert_int_equal(o.pids.nr, 2);
	assert_int_equal(o.pids.v[1], 8);
	assert_int_equal(o.uids.v[0], 1000);
	assert_int_equal(o.ports.v[0], 65535);
	assert_string_equal(o.comms.v[0], "sh");
	assert_string_equal(o.prefixes.v[0], "/etc");
	assert_int_equal(o.buffer, 65536);
	assert_int_equal(o.syscalls, SYSCALLS_TRACE);
	assert_int_equal(o.color, COLOR_NEVER);
	assert_true(o.wait && o.exit_with_container && o.summary && o.quiet && o.verbose &&
		    o.strict && o.sandbox);
}

static void test_units(void **state)
{
	static const struct {
		const char *text;
		unsigned long long ns;
	} rows[] = {
		{"-d 2", 2000000000},	{"-d 2s", 2000000000},	  {"-d 30ms", 30000000},
		{"-d 1M", 60000000000}, {"-d 1h", 3600000000000}, {"-d 1d", 86400000000000},
	};
	struct options o;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(&o, OPT_RECORD, rows[i].text), 0);
		assert_true(o.duration == rows[i].ns);
	}
}

static void test_events(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, OPT_RECORD, "-e process,tcp.connect"), 0);
	for (int i = 0; i < EV__MAX; i++)
		assert_int_equal(o.events[i], !strcmp(event_descs[i].subsystem, "process") ||
						      i == EV_tcp_connect);
	assert_int_equal(parse(&o, OPT_RECORD, "-e -file.open"), 0);
	assert_false(o.events[EV_file_open]);
	assert_true(o.events[EV_file_rename] && o.events[EV_process_exec]);
	assert_int_equal(parse(&o, OPT_RECORD, "-e file,-file.open"), 0);
	assert_true(!o.events[EV_file_open] && o.events[EV_file_rename] &&
		    !o.events[EV_process_exec]);
}

static void test_operands(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, OPT_RUN, "-q -n x -- ls -l --help"), 0);
	assert_string_equal(o.name, "x");
	assert_string_equal(o.command[0], "ls");
	assert_string_equal(o.command[2], "--help");
	assert_null(o.command[3]);
	/* what follows the command is its own, with "--" or without */
	assert_int_equal(parse(&o, OPT_RUN, "-q ls -d"), 0);
	assert_int_equal(o.nr_operands, 2);
	assert_int_equal(parse(&o, OPT_RECOMMEND,
			       "seccomp --for podman a.json --args b.json "
			       "--default-action kill --no-new-privileges"),
			 0);
	assert_int_equal(o.nr_operands, 3);
	assert_string_equal(o.operands[2], "b.json");
	assert_int_equal(o.runtime, RUNTIME_PODMAN);
	assert_int_equal(o.action, ADVICE_KILL);
	assert_true(o.args && o.no_new_privs && !o.explain);
	assert_int_equal(parse(&o, OPT_RECOMMEND, "capabilities -f oci r"), 0);
	assert_int_equal(o.form, CAPS_OCI);
	assert_int_equal(parse(&o, OPT_CHECK, "--profile p.json -f json r"), 0);
	assert_int_equal(o.form, 1);
	assert_string_equal(o.profile, "p.json");
	assert_int_equal(parse(&o, OPT_DIFF, "a b"), 0);
	assert_int_equal(parse(&o, OPT_CALIBRATE, "--starts 10000"), 0);
	assert_int_equal(o.starts, 10000);
	assert_int_equal(o.nr_operands, 0);
}

static void test_refused(void **state)
{
	static const struct {
		enum option_commands command;
		const char *line;
	} rows[] = {
		{OPT_RECORD, "--no-such"},
		{OPT_RECORD, "-Z"},
		{OPT_RECORD, "-c"},
		{OPT_RECORD, "-c \"\""},
		{OPT_RECORD, "operand"},
		{OPT_RECORD, "-n x"}, /* of run alone */
		{OPT_RECORD, "-d 0"},
		{OPT_RECORD, "-d -1"},
		{OPT_RECORD, "-d 5y"},
		{OPT_RECORD, "-d 99999999999999999999"},
		{OPT_RECORD, "-d 300000d"}, /* more ns than there are */
		{OPT_RECORD, "--buffer 3M"},
		{OPT_RECORD, "--buffer 32K"},
		{OPT_RECORD, "--buffer 2G"},
		{OPT_RECORD, "-p 1x"},
		{OPT_RECORD, "-p +1"},
		{OPT_RECORD, "-p 4294967296"},
		{OPT_RECORD, "--port 65536"},
		{OPT_RECORD, "-e nothing"},
		{OPT_RECORD, "-e ,"},
		{OPT_RECORD, "-e file,-"},
		{OPT_RECORD, "-f xml"},
		{OPT_RECORD, "--color blue"},
		{OPT_RECORD, "--syscalls all"},
		{OPT_RUN, "-q"},
		{OPT_RUN, "-c x -- ls"},
		{OPT_RECOMMEND, "--for lxc seccomp r"},
		{OPT_RECOMMEND, "--default-action allow seccomp r"},
		{OPT_RECOMMEND, ""},
		{OPT_DIFF, "a"},
		{OPT_DIFF, "a b c"},
		{OPT_DIFF, "-f yaml a b"},
		{OPT_CHECK, "--profile p"},
		{OPT_CALIBRATE, "--starts 0"},
		{OPT_CALIBRATE, "--starts 10001"},
		{OPT_CALIBRATE, "runc crun"},
	};
	struct options o;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (parse(&o, rows[i].command, rows[i].line) != -EINVAL)
			fail_msg("taken: %s", rows[i].line);
}

static void test_lists_are_bounded(void **state)
{
	static const char *const options[] = {"-p 1", "-c x"};
	char line[4096];
	struct options o;

	(void)state;
	/* WORDS_MAX words are not enough for 65 pairs: -p1 is one word */
	for (size_t k = 0; k < 2; k++)
		for (int n = LIST_MAX; n <= LIST_MAX + 1; n++) {
			line[0] = 0;
			for (int i = 0; i < n; i++)
				sprintf(line + strlen(line), " %.2s%s", options[k], options[k] + 3);
			assert_int_equal(parse(&o, OPT_RECORD, line), n > LIST_MAX ? -EINVAL : 0);
		}
}

/* ---- recommend --verify: reports, then a command behind "--" ---- */

static void test_verify(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, OPT_VERIFY,
			       "a.json --runs 2 b.json --timeout=90 -- docker --runs {} -- x"),
			 0);
	assert_int_equal(o.runs, 2);
	assert_true(o.timeout == 90000000000ull);
	assert_int_equal(o.nr_operands, 2);
	assert_string_equal(o.operands[0], "a.json");
	assert_string_equal(o.operands[1], "b.json");
	assert_string_equal(o.command[0], "docker");
	assert_string_equal(o.command[3], "--");
	assert_null(o.command[5]);
	assert_int_equal(parse(&o, OPT_VERIFY, "--for crun --args a.json -- x"), 0);
	assert_int_equal(o.runtime, RUNTIME_CRUN);
	assert_true(o.args);
	assert_int_equal(o.runs, 3); /* unless said otherwise */
	assert_true(o.timeout == 60000000000ull);
}

static void test_verify_refused(void **state)
{
	static const char *const refused[] = {
		"a.json", /* no command */
		"a.json --",
		"-- docker", /* no report */
		"--runs 1 a.json -- x", /* nothing to differ from */
		"--for lxc a.json -- x",
		"--explain a.json -- x", /* recommend's */
	};
	struct options o;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(parse(&o, OPT_VERIFY, refused[i]), -EINVAL);
	assert_int_equal(parse(&o, OPT_RECOMMEND, "--ablate seccomp a.json"), -EINVAL);
}

/* ---- what is made from the table ---- */

static const struct {
	enum option_commands command;
	const char *long_name;
	char letter;
} every[] = {
#define GROUP(title)
#define OPTION(c, l, n, a, p, m, h) {OPT_##c, n, l},
#include "options.def"
};

#define NR_EVERY (sizeof(every) / sizeof(every[0]))

struct made {
	FILE *f;
	char *s;
	size_t len;
};

static FILE *begin(struct made *m)
{
	m->f = open_memstream(&m->s, &m->len);
	assert_non_null(m->f);
	return m->f;
}

static void test_help(void **state)
{
	static const enum option_commands commands[] = {
		OPT_RECORD, OPT_RUN, OPT_RECOMMEND, OPT_DIFF, OPT_CHECK, OPT_CALIBRATE, OPT_VERIFY};

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct made m;

		options_help(begin(&m), commands[i]);
		fclose(m.f);
		assert_ptr_equal(strstr(m.s, "Usage: ebpfmon "), m.s);
		for (size_t k = 0; k < NR_EVERY; k++) {
			char want[64];
			bool there;

			snprintf(want, sizeof(want), "  %c%c%c --%s ", every[k].letter ? '-' : ' ',
				 every[k].letter ? every[k].letter : ' ',
				 every[k].letter ? ',' : ' ', every[k].long_name);
			there = strstr(m.s, want);
			/* two commands may have options of one name */
			if (!!(every[k].command & commands[i]) && !there)
				fail_msg("no '%s' in the help of %d", want, commands[i]);
		}
		for (const char *s = m.s; *s; s += strcspn(s, "\n") + 1)
			assert_true(strcspn(s, "\n") <= 100 || !strncmp(s, "Usage:", 6));
		free(m.s);
	}
}

static void test_manual(void **state)
{
	struct made m;

	(void)state;
	assert_int_equal(manual_page(begin(&m)), EXIT_OK);
	fclose(m.f);
	assert_ptr_equal(strstr(m.s, ".TH EBPFMON 8"), m.s);
	for (size_t k = 0; k < NR_EVERY; k++) {
		char want[96] = "\\fB\\-\\-";

		for (const char *s = every[k].long_name; *s; s++)
			sprintf(want + strlen(want), "%s%c", *s == '-' ? "\\" : "", *s);
		strcat(want, "\\fR");
		if (!strstr(m.s, want))
			fail_msg("the manual has no %s", every[k].long_name);
	}
	free(m.s);
}

static void test_manual_cannot_be_written(void **state)
{
	FILE *f = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	assert_int_equal(manual_page(f), EXIT_FAIL);
	fclose(f);
}

static void test_completion(void **state)
{
	static const struct completion commands[] = {
		{"record", OPT_RECORD, NULL},
		{"diff", OPT_DIFF, NULL},
		{"list", 0, "events containers"},
		{NULL, 0, NULL},
	};
	struct made m;

	(void)state;
	assert_int_equal(completion_bash(begin(&m), commands), EXIT_OK);
	fclose(m.f);
	assert_non_null(strstr(m.s, "local commands='record diff list'\n"));
	assert_non_null(strstr(m.s, "\tlist) words='events containers' ;;\n"));
	assert_non_null(strstr(m.s, "\tdiff) words=' --format'; ! _ebpfmon_value "));
	assert_non_null(strstr(m.s, "record:-c | record:--container) _ebpfmon_containers ;;\n"));
	assert_non_null(strstr(
		m.s,
		"diff:-f | diff:--format | check:-f | check:--format) _ebpfmon_words 'text json' ;;\n"));
	assert_non_null(
		strstr(m.s, "record:-d | record:--duration | run:-d | run:--duration) ;;\n"));
	for (int i = 0; i < EV__MAX; i++) {
		char want[64];

		snprintf(want, sizeof(want), " %s", event_descs[i].name);
		assert_non_null(strstr(m.s, want));
	}
	free(m.s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lists_are_bounded),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_verify_refused),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_manual_cannot_be_written),
		cmocka_unit_test(test_completion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
