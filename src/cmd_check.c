// SPDX-License-Identifier: MIT
/* ebpfmon check: what a seccomp profile would block, and what it allows without need. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "advise_render.h"
#include "check.h"
#include "commands.h"
#include "json_file.h"
#include "log.h"
#include "options.h"
#include "report_read.h"

static void show_text(const struct check *c)
{
	for (size_t i = 0; i < c->nr; i++) {
		const struct check_finding *f = &c->v[i];

		printf("%-16s %-24s %s", check_kind_name(f->kind), f->name, f->why);
		if (f->count)
			printf(" (%llu times)", (unsigned long long)f->count);
		printf("\n");
	}
}

static void show_json(const struct check *c)
{
	printf("{");
	for (int kind = 0; kind < CHECK__KINDS; kind++) {
		const char *sep = "";

		printf("%s\n\t\"%s\": [", kind ? "," : "", check_kind_name(kind));
		for (size_t i = 0; i < c->nr; i++) {
			const struct check_finding *f = &c->v[i];

			if ((int)f->kind != kind)
				continue;
			printf("%s\n\t\t{\"name\": \"%s\", \"count\": %llu, \"why\": \"%s\"}", sep,
			       f->name, (unsigned long long)f->count, f->why);
			sep = ",";
		}
		printf("%s]", *sep ? "\n\t" : "");
	}
	printf("\n}\n");
}

static int check(const struct options *o, const struct advice *a, const struct base_choice *base)
{
	cJSON *profile = json_read(o->profile);
	const char *wrong;
	struct check c = {};
	int err = profile ? check_profile(&c, profile, a, base, &wrong) : -ENOENT;

	if (err == -EINVAL)
		log_error("%s is not a seccomp profile: '%s' is missing or wrong", o->profile,
			  wrong);
	if (err == -ENOMEM)
		log_error("there is no memory for the findings");
	if (c.has_conditions)
		log_warn(
			"%s has 'includes' or 'excludes': Docker decides by them, as is done here by the report's capabilities; runc and crun ignore them",
			o->profile);
	if (c.has_arch_map)
		log_warn("%s has 'archMap', which Docker alone understands", o->profile);
	if (!err)
		(o->form ? show_json : show_text)(&c);
	free(c.v);
	cJSON_Delete(profile);
	if (err || fflush(stdout))
		return EXIT_FAIL;
	return c.nr ? EXIT_FINDINGS : EXIT_OK;
}

int cmd_check(int argc, char **argv)
{
	struct base_choice base = {};
	struct advice *a;
	struct options o;
	int status = options_parse(&o, OPT_CHECK, argc, argv);

	if (status)
		return status > 0 ? EXIT_OK : EXIT_USAGE;
	if (!o.profile) {
		log_error("check: which profile? (--profile FILE)");
		return EXIT_USAGE;
	}
	a = report_read(o.operands, o.nr_operands);
	status = a && !base_set_read(&base, o.state ? o.state : BASE_SET_DIR) ? EXIT_OK : EXIT_FAIL;
	if (status == EXIT_OK) {
		advice_warn(stderr, a, "ebpfmon: warning: ");
		status = check(&o, a, &base);
	}
	base_set_free(&base);
	advice_free(a);
	return status;
}
