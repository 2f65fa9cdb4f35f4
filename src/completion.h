/* SPDX-License-Identifier: MIT */
/* Completion for bash, from the tables of commands, options and events (`ebpfmon --completion bash`). */
#ifndef EBPFMON_COMPLETION_H
#define EBPFMON_COMPLETION_H

#include <stdio.h>
#include "options.h"

/* What may follow a command. */
struct completion {
	const char *command;
	enum option_commands options; /* whose rows of options.def it takes; 0: none */
	const char *words; /* what else, separated by blanks; or NULL */
};

/* Writes the script for the commands up to one without a name; an exit status. */
int completion_bash(FILE *out, const struct completion *commands);

#endif
