// SPDX-License-Identifier: MIT
/* Any bytes as a command line, its words ended by NULs, the first byte choosing the command. */
#include <errno.h>
#include <stdio.h>
#include "fuzz.h"
#include "log.h"
#include "options.h"

#define WORDS_MAX 300

/* What is said is of no interest here; libFuzzer writes to the descriptor, not to the stream. */
static void be_quiet(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	stdout = stderr = fopen("/dev/null", "we");
	check(stdout != NULL);
}

static void check_list(const struct string_list *l)
{
	check(l->nr <= LIST_MAX);
	for (unsigned int i = 0; i < l->nr; i++)
		check(l->v[i] && *l->v[i]);
}

static void check_options(const struct options *o, enum option_commands command)
{
	check_list(&o->containers);
	check_list(&o->units);
	check_list(&o->comms);
	check_list(&o->prefixes);
	check(o->pids.nr <= LIST_MAX && o->uids.nr <= LIST_MAX && o->ports.nr <= LIST_MAX);
	check(o->syscalls >= SYSCALLS_TOTALS && o->syscalls <= SYSCALLS_TRACE);
	check(o->format >= FORMAT_DEFAULT && o->format <= FORMAT_TEXT);
	check(o->color >= COLOR_AUTO && o->color <= COLOR_NEVER);
	/* a ring's size; the loader shifts it */
	check(o->buffer >= 65536 && !(o->buffer & (o->buffer - 1)));
	check(o->duration <= 1ULL << 62);
	check(command != OPT_RUN || *o->command);
	check(o->nr_operands >= 0 && o->nr_operands <= WORDS_MAX);
	for (int i = 0; i < o->nr_operands; i++)
		check(o->operands[i] != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum option_commands commands[] = {OPT_RECORD, OPT_RUN,   OPT_RECOMMEND,
							OPT_DIFF,   OPT_CHECK, OPT_CALIBRATE};
	enum option_commands command;
	char *words, *argv[WORDS_MAX + 2] = {"ebpfmon"};
	struct options o;
	int argc = 1, err;

	if (!size)
		return 0;
	be_quiet();
	command = commands[data[0] % (sizeof(commands) / sizeof(commands[0]))];
	words = malloc(size);
	memcpy(words, data + 1, size - 1);
	words[size - 1] = '\0';
	for (char *w = words; w < words + size && argc <= WORDS_MAX; w += strlen(w) + 1)
		argv[argc++] = w;
	argv[argc] = NULL;
	err = options_parse(&o, command, argc, argv);
	check(err == 0 || err == 1 || err == -EINVAL);
	if (!err)
		check_options(&o, command);
	free(words);
	return 0;
}
