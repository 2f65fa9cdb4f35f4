/* SPDX-License-Identifier: MIT */
/* The command line: one table (options.def) behind parsing, --help, the manual page and completion. */
#ifndef EBPFMON_OPTIONS_H
#define EBPFMON_OPTIONS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>
#include "events.h"

#define LIST_MAX 64

struct string_list {
	const char *v[LIST_MAX];
	unsigned int nr;
};

struct number_list {
	__u32 v[LIST_MAX];
	unsigned int nr;
};

enum syscalls_mode { SYSCALLS_TOTALS, SYSCALLS_TIME, SYSCALLS_TRACE };
enum format { FORMAT_DEFAULT, FORMAT_REPORT, FORMAT_JSONL, FORMAT_CSV, FORMAT_TEXT };
enum option_runtime { RUNTIME_ANY, RUNTIME_DOCKER, RUNTIME_PODMAN, RUNTIME_RUNC, RUNTIME_CRUN };
enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct options {
	struct string_list containers, units, comms, prefixes;
	struct number_list pids, uids, ports;
	bool events[EV__MAX];
	enum syscalls_mode syscalls;
	enum format format;
	enum color color;
	__u64 duration; /* ns; 0: until a signal */
	__u32 buffer; /* bytes, of the ring */
	const char *output, *name;
	bool wait, exit_with_container, summary, strict, quiet, verbose, sandbox;
	char *const *command; /* of `run` and --verify, ended by NULL */
	struct string_list ignores; /* recommend --verify */
	const char *bundle, *runtimes;
	__u32 runs;
	__u64 timeout; /* ns */
	bool ablate, new_privileges, json;
	/* recommend, diff, check, calibrate */
	char *const *operands;
	int nr_operands;
	enum option_runtime runtime;
	int action; /* enum advice_action, or -1 */
	int form; /* of recommend capabilities: enum capability_form; of diff and check: 1 is JSON */
	__u32 starts;
	bool explain, recording_profile, args, no_new_privs;
	const char *profile, *state, *version;
};

enum option_commands {
	OPT_RECORD = 1,
	OPT_RUN = 2,
	OPT_BOTH = OPT_RECORD | OPT_RUN,
	OPT_RECOMMEND = 4,
	OPT_DIFF = 8,
	OPT_CHECK = 16,
	OPT_COMPARE = OPT_DIFF | OPT_CHECK,
	OPT_CALIBRATE = 32,
	OPT_VERIFY = 64, /* recommend --verify */
	OPT_ADVISE = OPT_RECOMMEND | OPT_VERIFY,
	OPT_BASE = OPT_ADVISE | OPT_CHECK | OPT_CALIBRATE,
};

/*
 * Parses argv[1..] of @command (argv[0] is its name). 0; or 1 when --help was asked for and given;
 * or -EINVAL after saying what is wrong.
 */
int options_parse(struct options *o, enum option_commands command, int argc, char *const *argv);
void options_help(FILE *out, enum option_commands command);
void options_man(FILE *out);
/* For src/completion.c: long options, each with a blank before it; cases of a shell's `case`. */
void options_completion_names(FILE *out, enum option_commands command);
void options_completion_values(FILE *out);

#endif
