// SPDX-License-Identifier: MIT
#include <string.h>
#include "advise_render.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */

/* ["CAP_CHOWN", …], without the first @skip letters of each. */
static void cap_list(FILE *out, const struct advice_capability *e, unsigned int skip)
{
	const char *sep = "";

	fprintf(out, "[");
	for (unsigned int i = 0; i < ADVICE_CAPS; i++)
		if (e[i].runs && name_capability(i)) {
			fprintf(out, "%s\"%s\"", sep, name_capability(i) + skip);
			sep = ", ";
		}
	fprintf(out, "]");
}

static void docker_flags(FILE *out, const struct advice *a, const char *quote, const char *sep)
{
	fprintf(out, "%s--cap-drop=ALL%s", quote, quote);
	for (unsigned int i = 0; i < ADVICE_CAPS; i++)
		if (a->needed[i].runs && name_capability(i))
			fprintf(out, "%s%s--cap-add=%s%s", sep, quote, name_capability(i) + 4,
				quote);
}

void advice_capability_flags(FILE *out, const struct advice *a)
{
	docker_flags(out, a, "", " ");
}

static void oci_sets(FILE *out, const struct advice *a)
{
	static const char *const sets[] = {"bounding", "effective", "permitted"};

	fprintf(out, "{");
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		fprintf(out, "%s\"%s\": ", i ? ", " : "", sets[i]);
		cap_list(out, a->needed, 0);
	}
	fprintf(out, "}");
}

static void kubernetes_context(FILE *out, const struct advice *a)
{
	fprintf(out, "{\"capabilities\": {\"drop\": [\"ALL\"], \"add\": ");
	cap_list(out, a->needed, 4);
	fprintf(out, "}}");
}

/* What a report calls a process is anybody's; a call's name is looked up in our table. */
static void evidence(FILE *out, const struct advice_capability *all)
{
	const char *sep = "";

	fprintf(out, "[");
	for (unsigned int i = 0; i < ADVICE_CAPS; i++) {
		const struct advice_capability *e = &all[i];

		if (!e->runs || !name_capability(i))
			continue;
		fprintf(out, "%s\n\t\t{\"capability\": \"%s\", \"count\": %llu, \"runs\": %u", sep,
			name_capability(i), (unsigned long long)e->count, e->runs);
		fprintf(out, ", \"process\": ");
		advice_quote(out, e->first);
		fprintf(out, ", \"syscall\": ");
		advice_quote(out, e->call);
		fprintf(out, "}");
		sep = ",";
	}
	fprintf(out, "%s]", *sep ? "\n\t" : "");
}

static void never_needed(FILE *out, const struct advice *a)
{
	const struct fact_set *s = &a->facts.sets[FACT_CONFIGURED];
	const char *sep = "";

	fprintf(out, "[");
	for (unsigned int i = 0; i < ADVICE_CAPS; i++) {
		const char *name = name_capability(i);

		if (!name || a->needed[i].runs || !fact_find(s, name))
			continue;
		fprintf(out, "%s\"%s\"", sep, name);
		sep = ", ";
	}
	fprintf(out, "]");
}

static void document(FILE *out, const struct advice *a)
{
	fprintf(out, "{\n\t\"docker\": [");
	docker_flags(out, a, "\"", ", ");
	fprintf(out, "],\n\t\"oci\": ");
	oci_sets(out, a);
	fprintf(out, ",\n\t\"kubernetes\": ");
	kubernetes_context(out, a);
	fprintf(out, ",\n\t\"evidence\": ");
	evidence(out, a->needed);
	fprintf(out, ",\n\t\"configured_never_needed\": ");
	never_needed(out, a);
	fprintf(out, ",\n\t\"denied\": ");
	cap_list(out, a->denied, 0);
	fprintf(out, ",\n\t\"denied_evidence\": ");
	evidence(out, a->denied);
	fprintf(out, "\n}\n");
}

void advice_capabilities(FILE *out, const struct advice *a, enum capability_form form)
{
	if (form == CAPS_JSON) {
		document(out, a);
		return;
	}
	if (form == CAPS_DOCKER)
		advice_capability_flags(out, a);
	else if (form == CAPS_OCI)
		oci_sets(out, a);
	else
		kubernetes_context(out, a);
	fprintf(out, "\n");
}
