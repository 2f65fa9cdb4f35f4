// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "options.h"
#include "schema.h"

#define TIMES_MAX 10000

struct option_row {
	const char *group; /* set: a heading, nothing else */
	enum option_commands commands;
	char letter;
	const char *name, *arg, *help;
	int (*parse)(const char *name, const char *value, void *member);
	size_t offset;
};

/* ---- parsers: each says what is wrong, and returns 0 or -EINVAL ---- */

static int parse_flag(const char *name, const char *value, void *member)
{
	(void)name;
	(void)value;
	*(bool *)member = true;
	return 0;
}

static int parse_string(const char *name, const char *value, void *member)
{
	if (!*value) {
		log_error("--%s needs a value", name);
		return -EINVAL;
	}
	*(const char **)member = value;
	return 0;
}

static int parse_list(const char *name, const char *value, void *member)
{
	struct string_list *l = member;

	if (l->nr == LIST_MAX) {
		log_error("--%s can be given %d times at most", name, LIST_MAX);
		return -EINVAL;
	}
	return parse_string(name, value, &l->v[l->nr++]);
}

static int parse_numbers(const char *name, const char *value, unsigned long max, void *member)
{
	struct number_list *l = member;
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*value) || n > max) {
		log_error("--%s: '%s' is not a number from 0 to %lu", name, value, max);
		return -EINVAL;
	}
	if (l->nr == LIST_MAX) {
		log_error("--%s can be given %d times at most", name, LIST_MAX);
		return -EINVAL;
	}
	l->v[l->nr++] = n;
	return 0;
}

static int parse_number_list(const char *name, const char *value, void *member)
{
	return parse_numbers(name, value, 0xffffffff, member);
}

static int parse_port_list(const char *name, const char *value, void *member)
{
	return parse_numbers(name, value, 0xffff, member);
}

struct unit {
	const char *name;
	__u64 factor;
};

static int parse_units(const char *name, const char *value, const struct unit *units, __u64 max,
		       __u64 *out)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(value, &end, 10);
	if (!errno && isdigit((unsigned char)*value) && n)
		for (const struct unit *u = units; u->name; u++)
			if (!strcasecmp(end, u->name) && n <= max / u->factor) {
				*out = n * u->factor;
				return 0;
			}
	log_error("--%s: '%s' is not valid", name, value);
	return -EINVAL;
}

static int parse_duration(const char *name, const char *value, void *member)
{
	static const struct unit units[] = {
		{"", 1000000000},     {"s", 1000000000},     {"ms", 1000000}, {"m", 60000000000},
		{"h", 3600000000000}, {"d", 86400000000000}, {NULL, 0}};

	return parse_units(name, value, units, 1ULL << 62, member);
}

static int parse_size(const char *name, const char *value, void *member)
{
	static const struct unit units[] = {
		{"", 1}, {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {NULL, 0}};
	__u64 n = 0;
	int err = parse_units(name, value, units, 1u << 30, &n);

	if (!err && (n & (n - 1) || n < 65536)) {
		log_error("--%s: '%s' is not a power of two of at least 64K", name, value);
		err = -EINVAL;
	}
	if (!err)
		*(__u32 *)member = n;
	return err;
}

static int parse_enum(const char *name, const char *value, const char *const *names, int first,
		      void *member)
{
	char all[128] = "";

	for (int i = 0; names[i]; i++) {
		if (!strcmp(value, names[i])) {
			*(int *)member = first + i;
			return 0;
		}
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "",
			 names[i]);
	}
	log_error("--%s: '%s' is none of %s", name, value, all);
	return -EINVAL;
}

static const char *const syscalls_names[] = {"totals", "time", "trace", NULL};
static const char *const format_names[] = {"json", "jsonl", "csv", "text", NULL};
static const char *const color_names[] = {"auto", "always", "never", NULL};
static const char *const runtime_names[] = {"docker", "podman", "runc", "crun", NULL};
static const char *const action_names[] = {"errno", "log", "kill", NULL};
static const char *const form_names[] = {"json", "docker", "oci", "kubernetes", NULL};
static const char *const style_names[] = {"text", "json", NULL};

static int parse_syscalls(const char *name, const char *value, void *member)
{
	return parse_enum(name, value, syscalls_names, SYSCALLS_TOTALS, member);
}

static int parse_format(const char *name, const char *value, void *member)
{
	return parse_enum(name, value, format_names, FORMAT_REPORT, member);
}

static int parse_runtime(const char *name, const char *value, void *member)
{
	return parse_enum(name, value, runtime_names, RUNTIME_DOCKER, member);
}

static int parse_action(const char *name, const char *value, void *member)
{
	return parse_enum(name, value, action_names, 0, member);
}

static int parse_form(const char *name, const char *value, void *member)
{
	return parse_enum(name, value, form_names, 0, member);
}

static int parse_style(const char *name, const char *value, void *member)
{
	return parse_enum(name, value, style_names, 0, member);
}

static int parse_times(const char *name, const char *value, __u32 least, void *member)
{
	struct number_list l = {};
	int err = parse_number_list(name, value, &l);

	if (!err && (l.v[0] < least || l.v[0] > TIMES_MAX)) {
		log_error("--%s: it must be from %u to %d", name, least, TIMES_MAX);
		err = -EINVAL;
	}
	if (!err)
		*(__u32 *)member = l.v[0];
	return err;
}

static int parse_starts(const char *name, const char *value, void *member)
{
	return parse_times(name, value, 1, member);
}

/* One run alone has nothing to differ from. */
static int parse_runs(const char *name, const char *value, void *member)
{
	return parse_times(name, value, 2, member);
}

static int parse_color(const char *name, const char *value, void *member)
{
	return parse_enum(name, value, color_names, COLOR_AUTO, member);
}

/* A subsystem, or one event; 0 when it is neither. */
static int set_events(bool *events, const char *what, bool on)
{
	int hits = 0;

	for (int i = 0; i < EV__MAX; i++)
		if (!strcmp(what, event_descs[i].name) || !strcmp(what, event_descs[i].subsystem)) {
			events[i] = on;
			hits++;
		}
	return hits;
}

static int parse_events(const char *name, const char *value, void *member)
{
	char *copy = strdup(value), *save = NULL;
	bool *events = member;
	int err = copy ? 0 : -ENOMEM;

	if (!value[strspn(value, ",")]) {
		log_error("--%s needs a value", name);
		err = -EINVAL;
	}
	/* a list that only takes away takes away from everything */
	if (value[0] != '-')
		memset(events, 0, EV__MAX * sizeof(*events));
	for (char *w = copy ? strtok_r(copy, ",", &save) : NULL; w && !err;
	     w = strtok_r(NULL, ",", &save)) {
		bool on = *w != '-';

		if (set_events(events, on ? w : w + 1, on))
			continue;
		log_error(
			"--%s: there is no event or subsystem '%s'; did you mean '%s'? (ebpfmon list events)",
			name, on ? w : w + 1, event_nearest(on ? w : w + 1));
		err = -EINVAL;
	}
	free(copy);
	return err;
}

/* ---- the table ---- */

static const struct option_row rows[] = {
#define GROUP(title) {.group = title, .commands = OPT_BOTH},
#define OPTION(c, l, n, a, p, m, h)                                                                \
	{.commands = OPT_##c,                                                                      \
	 .letter = l,                                                                              \
	 .name = n,                                                                                \
	 .arg = a,                                                                                 \
	 .parse = p,                                                                               \
	 .offset = offsetof(struct options, m),                                                    \
	 .help = h},
#include "options.def"
};

#define NR_ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

/* Who takes options, and how many operands beside them. */
static const struct usage {
	enum option_commands command;
	const char *name, *synopsis;
	int least, most;
	const char *more; /* that --help says below it */
} usages[] = {
	{OPT_RECORD, "record", "[record] [OPTIONS]", 0, 0, NULL},
	{OPT_RUN, "run", "run [OPTIONS] -- COMMAND [ARGUMENT]...", 1, 1 << 20, NULL},
	{OPT_RECOMMEND, "recommend",
	 "recommend seccomp|capabilities|docker|compose|kubernetes|apparmor [OPTIONS] REPORT...", 1,
	 1 << 20,
	 "Does a container do the same under the advice, and nothing else? `ebpfmon recommend --verify --help`\n"},
	{OPT_VERIFY, "recommend --verify",
	 "recommend --verify [OPTIONS] REPORT... -- COMMAND... {} ARGUMENT...", 1, 1 << 20,
	 "Runs COMMAND as it is and then under the advice of the reports, and compares output and exit\n"
	 "status. {} becomes the options of the advice (docker, podman), or with --bundle a copy of the\n"
	 "bundle (runc, crun):\n"
	 "  ebpfmon recommend --verify web.json -- docker run --rm {} IMAGE\n"
	 "  ebpfmon recommend --verify --bundle DIR web.json -- runc run -b {} NAME\n"
	 "  ebpfmon recommend --verify --runtime docker,podman web.json -- {runtime} run --rm {} IMAGE\n"
	 "Ends with 0: all gates passed; 3: one did not; 4: COMMAND does not do the same twice, or by\n"
	 "another runtime, as it is. Only what COMMAND does is compared: of a server, let it be a script that\n"
	 "asks, pauses, executes, reloads and stops (docs/manual/recommend.md has one).\n"},
	{OPT_DIFF, "diff", "diff [OPTIONS] REPORT REPORT", 2, 2,
	 "What one record has that the other has not: system calls, capabilities, executables, files written,\n"
	 "peers, listeners. Ends with 0: they are the same; 3: they are not.\n"},
	{OPT_CHECK, "check", "check [OPTIONS] --profile PROFILE REPORT...", 1, 1 << 20,
	 "What PROFILE would have blocked of what the reports hold, and what it allows without need. Ends with\n"
	 "0: nothing; 3: something was found.\n"},
	{OPT_CALIBRATE, "calibrate", "calibrate [OPTIONS] [RUNTIME]", 0, 1,
	 "Measures the system calls that RUNTIME (runc) itself makes under a container's filter, with many\n"
	 "starts (root): the base set, which `recommend` then takes beside those that ship.\n"},
};

#define NR_USAGES (sizeof(usages) / sizeof(usages[0]))

static const struct usage *usage_of(enum option_commands command)
{
	const struct usage *u = usages;

	while (u->command != command)
		u++;
	return u;
}

static void defaults(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->starts = 150;
	o->runs = 3;
	o->timeout = 60000000000ull;
	for (int i = 0; i < EV__MAX; i++)
		o->events[i] = strncmp(event_descs[i].name, "container.cgroup_", 17) != 0;
}

/* Where the command begins that follows "--", which ends the options and operands; 0: there is none. */
static int command_at(int argc, char *const *argv)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], "--"))
			return i + 1;
	return 0;
}

static int apply(struct options *o, const struct option_row *r, const char *value)
{
	return r->parse(r->name, value, (char *)o + r->offset);
}

int options_parse(struct options *o, enum option_commands command, int argc, char *const *argv)
{
	struct option longs[NR_ROWS + 2];
	const struct usage *usage = usage_of(command);
	/* "+": what follows run's own options is its command's */
	char shorts[3 * NR_ROWS + 4] = "+:h";
	int n = 0, at, c, behind = command == OPT_VERIFY ? command_at(argc, argv) : 0;

	defaults(o);
	argc = behind ? behind - 1 : argc;
	for (int i = 0; i < NR_ROWS; i++) {
		if (rows[i].group || !(rows[i].commands & command))
			continue;
		longs[n++] = (struct option){
			rows[i].name, rows[i].arg ? required_argument : no_argument, NULL, 256 + i};
		if (rows[i].letter)
			sprintf(shorts + strlen(shorts), "%c%s", rows[i].letter,
				rows[i].arg ? ":" : "");
	}
	longs[n++] = (struct option){"help", no_argument, NULL, 'h'};
	longs[n] = (struct option){};
	opterr = 0;
	optind = 0; /* begin anew, whatever a call before has left (getopt(3), NOTES) */
	while ((c = getopt_long(argc, argv, shorts + (command != OPT_RUN), longs, &at)) != -1) {
		int row = c - 256, err;

		if (c == 'h') {
			options_help(stdout, command);
			return 1;
		}
		if (c == '?' || c == ':') {
			log_error("%s '%s' (see --help)",
				  c == ':' ? "a value is missing after" : "unknown option",
				  argv[optind - 1]);
			return -EINVAL;
		}
		for (int i = 0; row < 0 && i < NR_ROWS; i++)
			if (rows[i].letter == c && rows[i].commands & command)
				row = i;
		err = apply(o, &rows[row], optarg);
		if (err)
			return err;
	}
	if (command == OPT_VERIFY && !behind) {
		log_error("%s: which command? (ebpfmon %s)", usage->name, usage->synopsis);
		return -EINVAL;
	}
	if (!o->buffer)
		o->buffer = o->syscalls == SYSCALLS_TRACE ? 32 << 20 : 8 << 20;
	o->operands = argv + optind;
	o->command = behind ? argv + behind : o->operands;
	o->nr_operands = argc - optind;
	if (o->nr_operands > usage->most) {
		log_error("unexpected argument '%s' (see --help)", argv[optind + usage->most]);
		return -EINVAL;
	}
	if (o->nr_operands < usage->least) {
		log_error("%s: something is missing (ebpfmon %s)", usage->name, usage->synopsis);
		return -EINVAL;
	}
	return 0;
}

/* ---- what people read ---- */

static void wrap(FILE *out, const char *text, int indent, int width)
{
	int col = indent;

	while (*text) {
		int word = strcspn(text, " ");

		if (col > indent && col + 1 + word > width) {
			fprintf(out, "\n%*s", indent, "");
			col = indent;
		} else if (col > indent) {
			fputc(' ', out);
			col++;
		}
		fprintf(out, "%.*s", word, text);
		col += word;
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static bool group_has(int i, enum option_commands command)
{
	while (++i < NR_ROWS && !rows[i].group)
		if (rows[i].commands & command)
			return true;
	return false;
}

void options_help(FILE *out, enum option_commands command)
{
	fprintf(out, "Usage: ebpfmon %s\n", usage_of(command)->synopsis);
	fputs(usage_of(command)->more ? usage_of(command)->more : "", out);
	for (int i = 0; i < NR_ROWS; i++) {
		char left[64];

		if (rows[i].group) {
			if (group_has(i, command))
				fprintf(out, "\n%s:\n", rows[i].group);
			continue;
		}
		if (!(rows[i].commands & command))
			continue;
		snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", rows[i].letter ? '-' : ' ',
			 rows[i].letter ? rows[i].letter : ' ', rows[i].letter ? "," : " ",
			 rows[i].name, rows[i].arg ? " " : "", rows[i].arg ? rows[i].arg : "");
		fprintf(out, "%-29s%s", left, strlen(left) < 30 ? " " : "\n");
		fprintf(out, "%*s", strlen(left) < 30 ? 0 : 30, "");
		wrap(out, rows[i].help, 30, 100);
	}
	fprintf(out, "  -h, --help                  show this\n");
}

static void man_text(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '-' || *s == '\\')
			fputc('\\', out);
		fputc(*s, out);
	}
}

static void man_commands(FILE *out, enum option_commands commands)
{
	const char *sep = " (";

	for (size_t i = 0; i < NR_USAGES; i++)
		if (usages[i].command & commands) {
			fprintf(out, "%s%s", sep, usages[i].name);
			sep = ", ";
		}
	fprintf(out, " only)");
}

void options_man(FILE *out)
{
	for (int i = 0; i < NR_ROWS; i++) {
		if (rows[i].group) {
			fprintf(out, ".SS %s\n", rows[i].group);
			continue;
		}
		fprintf(out, ".TP\n");
		if (rows[i].letter)
			fprintf(out, "\\fB\\-%c\\fR, ", rows[i].letter);
		fprintf(out, "\\fB\\-\\-");
		man_text(out, rows[i].name);
		fprintf(out, "\\fR");
		if (rows[i].arg)
			fprintf(out, " \\fI%s\\fR", rows[i].arg);
		fputc('\n', out);
		man_text(out, rows[i].help);
		if (rows[i].commands != OPT_BOTH)
			man_commands(out, rows[i].commands);
		fputc('\n', out);
	}
}

/* ---- what a shell completes ---- */

void options_completion_names(FILE *out, enum option_commands command)
{
	for (int i = 0; i < NR_ROWS; i++)
		if (!rows[i].group && rows[i].commands & command)
			fprintf(out, " --%s", rows[i].name);
}

/* The shell's command for the value called @arg; what is not here cannot be known beforehand. */
static void completion_value(FILE *out, const char *arg)
{
	static const struct {
		const char *arg, *shell;
		const char *const *names;
	} values[] = {
		{"PATTERN", "_ebpfmon_containers", NULL},
		{"LIST", "_ebpfmon_events", NULL},
		{"FILE|DIR|-", "_ebpfmon_files", NULL},
		{"PREFIX", "_ebpfmon_files", NULL},
		{"MODE", "_ebpfmon_words", syscalls_names},
		{"FORMAT", "_ebpfmon_words", format_names},
		{"WHEN", "_ebpfmon_words", color_names},
		{"RUNTIME", "_ebpfmon_words", runtime_names},
		{"ACTION", "_ebpfmon_words", action_names},
		{"FORM", "_ebpfmon_words", form_names},
		{"STYLE", "_ebpfmon_words", style_names},
		{"FILE", "_ebpfmon_files", NULL},
		{"DIR", "_ebpfmon_files", NULL},
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (strcmp(arg, values[i].arg) != 0)
			continue;
		fprintf(out, " %s", values[i].shell);
		for (int n = 0; values[i].names && values[i].names[n]; n++)
			fprintf(out, "%s%s", n ? " " : " '", values[i].names[n]);
		fprintf(out, "%s", values[i].names ? "'" : "");
	}
}

/* "run:-e | run:--events)": options of different commands may share a name. */
static void completion_case(FILE *out, const struct option_row *r)
{
	const char *sep = "\t";
	unsigned int commands = r->commands;

	if (commands & OPT_VERIFY) /* the same word begins it */
		commands = (commands & ~OPT_VERIFY) | OPT_RECOMMEND;
	for (size_t i = 0; i < NR_USAGES; i++) {
		if (!(usages[i].command & commands))
			continue;
		if (r->letter)
			fprintf(out, "%s%s:-%c", sep, usages[i].name, r->letter);
		fprintf(out, "%s%s:--%s", r->letter ? " | " : sep, usages[i].name, r->name);
		sep = " | ";
	}
	fprintf(out, ")");
}

void options_completion_values(FILE *out)
{
	for (int i = 0; i < NR_ROWS; i++) {
		if (rows[i].group || !rows[i].arg)
			continue;
		completion_case(out, &rows[i]);
		completion_value(out, rows[i].arg);
		fprintf(out, " ;;\n");
	}
}
