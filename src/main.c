// SPDX-License-Identifier: MIT
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "commands.h"
#include "completion.h"
#include "log.h"
#include "manual.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *doc;
	enum option_commands options; /* of options.def: which it takes; for completion, with: */
	const char *words; /* what else may follow it */
};

static const struct command commands[] = {
	{"record", cmd_record,
	 "watch containers until they end, a signal comes or time is up (the default command)",
	 OPT_RECORD, NULL},
	{"run", cmd_run, "run a command and watch it as if it were a container", OPT_RUN, "--"},
	{"recommend", cmd_recommend, "the least permissions that reports show a container to need",
	 OPT_ADVISE, "seccomp capabilities docker compose kubernetes apparmor --verify"},
	{"diff", cmd_diff, "what one report has that another has not", OPT_DIFF, NULL},
	{"check", cmd_check, "what a seccomp profile would block, and what it allows without need",
	 OPT_CHECK, NULL},
	{"calibrate", cmd_calibrate,
	 "measure what a runtime calls after it has loaded the filter, by many starts",
	 OPT_CALIBRATE, "runc crun"},
	{"list", cmd_list, "list events, containers", 0, "events containers -f text json markdown"},
	{"doctor", cmd_doctor, "what this kernel offers, what is missing, and what that costs", 0,
	 "-f text json"},
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(void)
{
	printf("ebpfmon %s: record what containers do\n\n", EBPFMON_VERSION);
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  ebpfmon %-9s %s\n", commands[i].name, commands[i].doc);
	printf("\nExamples:\n"
	       "  ebpfmon --container web -o report.json   a report of the container called web\n"
	       "  ebpfmon -o reports/ -d 60s               a report of every container, for a minute\n"
	       "  ebpfmon -e process,tcp | jq .            events as they happen, as JSON lines\n"
	       "  ebpfmon run -- make test                 what a command does, as text\n\n"
	       "`ebpfmon COMMAND --help` tells the options; `man ebpfmon` tells all.\n");
	return EXIT_OK;
}

static int completion(const char *shell)
{
	struct completion all[NR_COMMANDS + 1] = {};

	if (!shell || strcmp(shell, "bash") != 0) {
		log_error("--completion: for which shell? There is bash");
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < NR_COMMANDS; i++)
		all[i] = (struct completion){commands[i].name, commands[i].options,
					     commands[i].words};
	return completion_bash(stdout, all);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *c = argc > 1 ? find(argv[1]) : NULL;

	signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error of write(2) */
	if (c)
		return c->run(argc - 1, argv + 1);
	if (argc > 1 &&
	    (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")))
		return help();
	if (argc > 1 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
		printf("ebpfmon %s\n", EBPFMON_VERSION);
		return EXIT_OK;
	}
	if (argc > 1 && !strcmp(argv[1], "--man"))
		return manual_page(stdout);
	if (argc > 1 && !strcmp(argv[1], "--completion"))
		return completion(argc > 2 ? argv[2] : NULL);
	if (argc > 1 && argv[1][0] != '-') {
		log_error("there is no command '%s' (ebpfmon --help lists them)", argv[1]);
		return EXIT_USAGE;
	}
	return cmd_record(argc, argv);
}
