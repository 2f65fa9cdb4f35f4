// SPDX-License-Identifier: MIT
#include "commands.h"
#include "manual.h"
#include "options.h"

static const char *const before[] = {
	".TH EBPFMON 8 \"\" \"ebpfmon " EBPFMON_VERSION "\" \"System administration\"",
	".SH NAME",
	"ebpfmon \\- record what containers do",
	".SH SYNOPSIS",
	"\\fBebpfmon\\fR [\\fBrecord\\fR] [\\fIOPTIONS\\fR]",
	".br",
	"\\fBebpfmon run\\fR [\\fIOPTIONS\\fR] \\fB\\-\\-\\fR \\fICOMMAND\\fR [\\fIARGUMENT\\fR]...",
	".br",
	"\\fBebpfmon list\\fR \\fBevents\\fR|\\fBcontainers\\fR [\\fB\\-f\\fR \\fBtext\\fR|\\fBjson\\fR|\\fBmarkdown\\fR]",
	".br",
	"\\fBebpfmon recommend seccomp\\fR|\\fBcapabilities\\fR|\\fBdocker\\fR|\\fBcompose\\fR|\\fBkubernetes\\fR|\\fBapparmor\\fR [\\fIOPTIONS\\fR] \\fIREPORT\\fR...",
	".br",
	"\\fBebpfmon recommend \\-\\-verify\\fR [\\fIOPTIONS\\fR] \\fIREPORT\\fR... \\fB\\-\\-\\fR \\fICOMMAND\\fR... \\fB{}\\fR \\fIARGUMENT\\fR...",
	".br",
	"\\fBebpfmon diff\\fR [\\fIOPTIONS\\fR] \\fIREPORT\\fR \\fIREPORT\\fR",
	".br",
	"\\fBebpfmon check\\fR [\\fIOPTIONS\\fR] \\fB\\-\\-profile\\fR \\fIPROFILE\\fR \\fIREPORT\\fR...",
	".br",
	"\\fBebpfmon calibrate\\fR [\\fIOPTIONS\\fR] [\\fBrunc\\fR|\\fBcrun\\fR]",
	".br",
	"\\fBebpfmon doctor\\fR [\\fB\\-f\\fR \\fBtext\\fR|\\fBjson\\fR]",
	".SH DESCRIPTION",
	"\\fBebpfmon\\fR records, with eBPF programs in the kernel, what every container on this host does:",
	"its processes, system calls, files, communication between processes, and network connections.",
	"\\fBrecord\\fR (the default) watches containers that run and those that start later; \\fBrun\\fR starts a command",
	"in a cgroup of its own and watches it as if it were a container.",
	"\\fBlist events\\fR shows every event with its fields, \\fBlist containers\\fR what runs on this host, and",
	"\\fBdoctor\\fR what of all this the running kernel offers.",
	".PP",
	"Without \\fB\\-o\\fR, events go to standard output while they happen: as text on a terminal, as JSON lines in a pipe.",
	"With \\fB\\-o\\fR, each container's report is written when the recording ends, whole or not at all.",
	".SH OPTIONS",
	NULL,
};

static const char *const after[] = {
	".SH EXIT STATUS",
	".TP",
	"0",
	"The recording is complete. SIGINT and SIGTERM end a recording properly.",
	".TP",
	"1",
	"It did not work: not root, no BTF, output not writable, ... Standard error says what.",
	".TP",
	"2",
	"The command line is wrong.",
	".TP",
	"3",
	"\\fBdiff\\fR: the reports differ; \\fBcheck\\fR: the profile blocks what is needed, or allows what is not;",
	"\\fBrecommend \\-\\-verify\\fR: a gate was not passed.",
	".TP",
	"4",
	"With \\fB\\-\\-strict\\fR: events were lost, or a program could not be loaded; \\fBrecommend\\fR: a report is not the whole truth.",
	"\\fBrecommend \\-\\-verify\\fR: the command does not do the same twice as it is.",
	".TP",
	"5",
	"No container is what \\fB\\-\\-container\\fR or \\fB\\-\\-unit\\fR means, or several are. Standard error lists them.",
	".TP",
	"130",
	"SIGINT, when no report was asked for.",
	".PP",
	"\\fBrun\\fR ends with the status of its command (128 + N when signal N ended it), or 125 when ebpfmon itself failed.",
	".SH ENVIRONMENT",
	".TP",
	"NO_COLOR",
	"When set, text has no colours.",
	".SH EXAMPLES",
	".nf",
	"ebpfmon \\-\\-container web \\-o report.json",
	"ebpfmon \\-c 'image:nginx*' \\-c label:app=web \\-o reports/",
	"ebpfmon \\-e process.exec,tcp | jq \\-r .process.executable.path",
	"ebpfmon run \\-o report.json \\-\\- make test",
	".fi",
	NULL,
};

static void lines(FILE *out, const char *const *l)
{
	while (*l)
		fprintf(out, "%s\n", *l++);
}

int manual_page(FILE *out)
{
	lines(out, before);
	options_man(out);
	lines(out, after);
	return ferror(out) ? EXIT_FAIL : EXIT_OK;
}
