// SPDX-License-Identifier: MIT
/* ebpfmon diff: what one report has that the other has not. */
#include <string.h>
#include "advise_render.h"
#include "commands.h"
#include "log.h"
#include "options.h"
#include "report_read.h"

static const char *const kind_names[FACT_COMPARED] = {
	[FACT_CALLS] = "syscalls",
	[FACT_CAPABILITIES] = "capabilities",
	[FACT_EXECUTABLES] = "executables",
	[FACT_WRITTEN] = "files_written",
	[FACT_PEERS] = "peers",
	[FACT_LISTENERS] = "listeners",
};

/* The next entry of @s from *@i on that @other has not; NULL: there is none. */
static const struct fact *next_only(const struct fact_set *s, const struct fact_set *other,
				    size_t *i)
{
	while (*i < s->nr) {
		const struct fact *f = &s->v[(*i)++];

		if (!fact_find(other, f->key))
			return f;
	}
	return NULL;
}

static size_t show_text(const struct facts *a, const struct facts *b)
{
	size_t differences = 0;

	for (int kind = 0; kind < FACT_COMPARED; kind++)
		for (int side = 0; side < 2; side++) {
			const struct fact *f;
			size_t i = 0;

			while ((f = next_only(side ? &b->sets[kind] : &a->sets[kind],
					      side ? &a->sets[kind] : &b->sets[kind], &i))) {
				printf("%c %-14s ", side ? '+' : '-', kind_names[kind]);
				advice_text(stdout, f->key);
				printf("\n");
				differences++;
			}
		}
	return differences;
}

static size_t show_json(const struct facts *a, const struct facts *b)
{
	static const char *const sides[] = {"only_first", "only_second"};
	size_t differences = 0;

	printf("{");
	for (int kind = 0; kind < FACT_COMPARED; kind++) {
		printf("%s\n\t\"%s\": {", kind ? "," : "", kind_names[kind]);
		for (int side = 0; side < 2; side++) {
			const struct fact *f;
			const char *sep = "";
			size_t i = 0;

			printf("%s\"%s\": [", side ? ", " : "", sides[side]);
			while ((f = next_only(side ? &b->sets[kind] : &a->sets[kind],
					      side ? &a->sets[kind] : &b->sets[kind], &i))) {
				fputs(sep, stdout);
				advice_quote(stdout, f->key);
				sep = ", ";
				differences++;
			}
			printf("]");
		}
		printf("}");
	}
	printf("\n}\n");
	return differences;
}

int cmd_diff(int argc, char **argv)
{
	struct advice *sides[2] = {NULL, NULL};
	struct options o;
	int status = options_parse(&o, OPT_DIFF, argc, argv);

	if (status)
		return status > 0 ? EXIT_OK : EXIT_USAGE;
	for (int i = 0; i < 2 && status == EXIT_OK; i++) {
		char prefix[300];

		sides[i] = report_read(o.operands + i, 1);
		if (!sides[i]) {
			status = EXIT_FAIL;
			break;
		}
		/* what the seccomp filter did is of no matter here */
		sides[i]->doubts &=
			DOUBT_LOST | DOUBT_EXISTING | DOUBT_COVERAGE | DOUBT_FOLDED | DOUBT_NO_END;
		snprintf(prefix, sizeof(prefix), "ebpfmon: warning: report %d: ", i + 1);
		advice_warn(stderr, sides[i], prefix);
	}
	if (status == EXIT_OK &&
	    (o.form ? show_json : show_text)(&sides[0]->facts, &sides[1]->facts))
		status = EXIT_FINDINGS;
	if (fflush(stdout))
		status = EXIT_FAIL;
	advice_free(sides[0]);
	advice_free(sides[1]);
	return status;
}
