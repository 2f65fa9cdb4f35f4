// SPDX-License-Identifier: MIT
#include "commands.h"
#include "completion.h"
#include "schema.h"

static const char *const before[] = {
	"# bash completion for ebpfmon; made by `ebpfmon --completion bash`",
	"_ebpfmon_words()",
	"{",
	"\tmapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")",
	"}",
	"",
	"_ebpfmon_files()",
	"{",
	"\tcompopt -o filenames 2>/dev/null",
	"\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")",
	"}",
	"",
	"# of a list the part behind the last comma is completed",
	"_ebpfmon_events()",
	"{",
	"\tlocal head='' i",
	"\t[[ $cur != *,* ]] || head=${cur%,*},",
	"\tcur=${cur##*,}",
	"\t[[ $cur != -* ]] || head+=- cur=${cur#-}",
	"\t_ebpfmon_words \"$events\"",
	"\tfor i in \"${!COMPREPLY[@]}\"; do COMPREPLY[i]=$head${COMPREPLY[i]}; done",
	"\tcompopt -o nospace 2>/dev/null",
	"}",
	"",
	"# names and ids of what runs",
	"_ebpfmon_containers()",
	"{",
	"\t_ebpfmon_words \"$(\"${COMP_WORDS[0]}\" list containers -f json 2>/dev/null |",
	"\t\tsed -nE 's/^[[:space:]]*\"(id|name)\":[[:space:]]*\"([A-Za-z0-9_.-]+)\",?$/\\2/p')\"",
	"}",
	"",
	"_ebpfmon_value()",
	"{",
	"\tcase $1 in",
	NULL,
};

static const char *const middle[] = {
	"\t*) return 1 ;;",
	"\tesac",
	"\treturn 0",
	"}",
	"",
	"# bash splits at \"=\", too: --color=al comes as three words",
	"_ebpfmon()",
	"{",
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=record words i",
	"\tCOMPREPLY=()",
	"\tif [[ $cur = = ]]; then",
	"\t\tcur=",
	"\telif [[ $prev = = ]]; then",
	"\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}",
	"\tfi",
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do",
	"\t\t[[ ${COMP_WORDS[i]} != -- ]] || break",
	"\tdone",
	"\tif ((i < COMP_CWORD - 1)); then",
	"\t\t_ebpfmon_files",
	"\t\treturn",
	"\telif ((i == COMP_CWORD - 1)); then",
	"\t\tmapfile -t COMPREPLY < <(compgen -c -- \"$cur\")",
	"\t\treturn",
	"\tfi",
	NULL,
};

static const char *const after[] = {
	"\t*) return ;;",
	"\tesac",
	"\t((COMP_CWORD > 1)) || words=\"$commands --version --man --completion $words\"",
	"\t_ebpfmon_words \"$words --help\"",
	"}",
	"complete -F _ebpfmon ebpfmon",
	NULL,
};

static void lines(FILE *out, const char *const *l)
{
	while (*l)
		fprintf(out, "%s\n", *l++);
}

static void event_words(FILE *out)
{
	fprintf(out, "\tlocal events='");
	for (int i = 0; i < EVS__MAX; i++)
		fprintf(out, "%s%s", i ? " " : "", subsystem_names[i]);
	for (int i = 0; i < EV__MAX; i++)
		fprintf(out, " %s", event_descs[i].name);
	fprintf(out, "'\n");
}

static void command_names(FILE *out, const struct completion *commands)
{
	fprintf(out, "\tlocal commands='");
	for (const struct completion *c = commands; c->command; c++)
		fprintf(out, "%s%s", c == commands ? "" : " ", c->command);
	fprintf(out,
		"'\n"
		"\t((COMP_CWORD == 1)) || [[ \" $commands \" != *\" ${COMP_WORDS[1]} \"* ]] ||\n"
		"\t\tcommand=${COMP_WORDS[1]}\n"
		"\tcase $command in\n");
}

int completion_bash(FILE *out, const struct completion *commands)
{
	lines(out, before);
	options_completion_values(out);
	lines(out, middle);
	event_words(out);
	command_names(out, commands);
	for (const struct completion *c = commands; c->command; c++) {
		fprintf(out, "\t%s) words='%s", c->command, c->words ? c->words : "");
		if (c->options)
			options_completion_names(out, c->options);
		fprintf(out, "'%s ;;\n",
			c->options ? "; ! _ebpfmon_value \"$command:$prev\" || return" : "");
	}
	lines(out, after);
	return ferror(out) ? EXIT_FAIL : EXIT_OK;
}
