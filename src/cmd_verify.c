// SPDX-License-Identifier: MIT
/* ebpfmon recommend --verify: does the container do the same under the advice, and nothing else? */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "advise_render.h"
#include "commands.h"
#include "json_at.h"
#include "json_file.h"
#include "log.h"
#include "oci_profile.h"
#include "options.h"
#include "verify.h"

struct request {
	struct options o;
	struct verify v;
	struct advice_form form;
	char *runtimes; /* what v.runtimes point into */
};

/* ---- the command line ---- */

static int split_runtimes(struct request *r)
{
	char *list = r->runtimes = r->o.runtimes ? strdup(r->o.runtimes) : NULL;
	struct verify *v = &r->v;

	for (char *word; (word = strsep(&list, ","));) {
		if (!*word || v->nr_runtimes == VERIFY_RUNTIMES_MAX) {
			log_error("--runtime: names with commas between, at most %d",
				  VERIFY_RUNTIMES_MAX);
			return -EINVAL;
		}
		v->runtimes[v->nr_runtimes++] = word;
	}
	v->apply.runtime = v->runtimes[0];
	return 0;
}

static int compile_ignores(struct replay *r, const struct string_list *l)
{
	for (unsigned int i = 0; i < l->nr; i++) {
		if (r->nr_ignore == REPLAY_IGNORE_MAX ||
		    regcomp(&r->ignore[r->nr_ignore], l->v[i], REG_EXTENDED | REG_NEWLINE)) {
			log_error("--ignore: too many, or not a regular expression: %s", l->v[i]);
			return -EINVAL;
		}
		r->nr_ignore++;
	}
	return 0;
}

/* 0, 1 (--help was asked for) or -EINVAL, after saying what is wrong. */
static int parse(struct request *r, int argc, char **argv)
{
	int err = options_parse(&r->o, OPT_VERIFY, argc, argv);

	if (err)
		return err;
	r->v.runs = r->o.runs;
	r->v.replay.timeout = (unsigned int)((r->o.timeout + 999999999) / 1000000000);
	r->v.apply.command = r->o.command;
	r->v.apply.bundle = r->o.bundle;
	r->v.apply.new_privileges = r->o.new_privileges;
	err = split_runtimes(r);
	return err ? err : compile_ignores(&r->v.replay, &r->o.ignores);
}

/* ---- the advice ---- */

static cJSON *from_advice(const struct advice *a, const struct request *r, bool seccomp)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	cJSON *doc;

	if (!f)
		return NULL;
	if (seccomp)
		advice_seccomp(f, a, &r->form);
	else
		advice_capabilities(f, a, CAPS_JSON);
	fclose(f);
	doc = cJSON_Parse(text);
	free(text);
	return doc;
}

static cJSON *profile_read(const char *path)
{
	cJSON *profile = json_read(path);
	const char *wrong = profile ? oci_profile_wrong(profile) : NULL;

	if (!wrong)
		return profile;
	log_error("%s is not a seccomp profile: '%s' is missing or wrong", path, wrong);
	cJSON_Delete(profile);
	return NULL;
}

/* What Docker makes of @profile, which is deleted. */
static cJSON *decided(const cJSON *profile, const cJSON *caps)
{
	cJSON *plain = profile ? oci_profile_of_docker(profile, caps) : NULL;

	cJSON_Delete((cJSON *)profile);
	return plain;
}

/* The caller deletes what it finds in @r->v, whatever is returned. */
static int take_advice(struct request *r, const cJSON *reports)
{
	struct advice *a = advice_new();
	const cJSON *report;
	cJSON *caps;
	int err = a ? 0 : -ENOMEM;

	if (a)
		r->v.base = from_advice(a, r, true);
	cJSON_ArrayForEach(report, reports)
	{
		if (!err && advice_add(a, report)) {
			log_error("a report is not of this version");
			err = -EINVAL;
		}
	}
	if (!err) {
		advice_warn(stderr, a, "ebpfmon: warning: ");
		r->v.profile = r->o.profile ? profile_read(r->o.profile) : from_advice(a, r, true);
		caps = from_advice(a, r, false);
		r->v.caps =
			cJSON_DetachItemFromObject(cJSON_GetObjectItem(caps, "oci"), "bounding");
		cJSON_Delete(caps);
		if (r->o.profile &&
		    !r->o.bundle) /* Docker decides its conditions; runc and crun know of none */
			r->v.profile = decided(r->v.profile, r->v.caps);
		if (!r->v.profile || !r->v.caps || !r->v.base)
			err = -ENOMEM;
	}
	advice_free(a);
	return err;
}

static cJSON *read_reports(char *const *paths, int nr)
{
	cJSON *all = cJSON_CreateArray();

	for (int i = 0; i < nr; i++) {
		cJSON *doc = json_read(paths[i]);

		if (!doc) {
			cJSON_Delete(all);
			return NULL;
		}
		cJSON_AddItemToArray(all, doc);
	}
	return all;
}

/* ---- the answer ---- */

static double value(const cJSON *o, const char *key)
{
	return cJSON_IsNumber(json_at(o, key)) ? json_at(o, key)->valuedouble : 0;
}

static const char *passed(const cJSON *gate)
{
	return cJSON_IsTrue(json_at(gate, "passed")) ? "passed" : "FAILED";
}

static void print_difference(const cJSON *gate, const char *key)
{
	const cJSON *d = json_at(gate, key);

	if (*json_text(d, "without") || *json_text(d, "under"))
		printf("    %s: '%s', then '%s'\n", key, json_text(d, "without"),
		       json_text(d, "under"));
}

/* Each as "CAP_X: what was tried"; the name alone is what is told. */
static void print_untried(const cJSON *list)
{
	const char *sep = ", not tried: ";
	const cJSON *o;

	cJSON_ArrayForEach(o, list)
	{
		printf("%s%.*s", sep, (int)strcspn(o->valuestring, ":"), o->valuestring);
		sep = " ";
	}
	printf("\n");
}

static void print_negative(const cJSON *gate)
{
	const cJSON *o, *w;

	printf("B negative     %s: %s %s\n", passed(gate), json_text(gate, "action"),
	       json_text(gate, "error"));
	cJSON_ArrayForEach(o, json_at(gate, "abis"))
	{
		printf("    %s: %g calls refused as declared, %g allowed\n", json_text(o, "abi"),
		       value(o, "refused"), value(o, "allowed"));
		cJSON_ArrayForEach(w, json_at(o, "wrong"))
			printf("    wrong: %s\n", w->valuestring);
	}
	o = json_at(gate, "families");
	printf("    socket families: %g refused, %g allowed\n", value(o, "refused"),
	       value(o, "allowed"));
	cJSON_ArrayForEach(w, json_at(o, "wrong")) printf("    wrong: %s\n", w->valuestring);
	o = json_at(gate, "capabilities");
	printf("    dropped capabilities: %d missed as they should be",
	       cJSON_GetArraySize(json_at(o, "refused")));
	print_untried(json_at(o, "untried"));
	cJSON_ArrayForEach(w, json_at(o, "wrong")) printf("    wrong: %s\n", w->valuestring);
	cJSON_ArrayForEach(o, json_at(gate, "canaries"))
	{
		if (cJSON_IsTrue(json_at(o, "allowed")))
			printf("    %s is allowed%s\n", json_text(o, "name"),
			       cJSON_IsTrue(json_at(o, "recorded"))
				       ? ": it was recorded"
				       : " and was never used (--args?)");
	}
}

static void print_classes(const char *what, const cJSON *list)
{
	const cJSON *o;

	printf("    %s not needed in these runs:", what);
	cJSON_ArrayForEach(o, list)
	{
		if (!strcmp(json_text(o, "class"), effect_names[EFFECT_NONE]))
			printf(" %s", json_text(o, "name"));
	}
	printf("\n");
}

static void print_portability(const cJSON *gate)
{
	const cJSON *o, *mode, *e;

	printf("D portability  %s\n",
	       cJSON_IsTrue(json_at(gate, "rejected")) ? "REJECTED" : passed(gate));
	cJSON_ArrayForEach(o, json_at(gate, "runtimes"))
	{
		printf("    %s:%s\n", json_text(o, "runtime"),
		       cJSON_IsTrue(json_at(o, "same"))
			       ? ""
			       : " without the advice it does otherwise than the first");
		cJSON_ArrayForEach(mode, json_at(o, "modes"))
		{
			printf("\t%s:", cJSON_IsTrue(json_at(mode, "no_new_privileges"))
						? "no-new-privileges"
						: "new privileges");
			cJSON_ArrayForEach(e, json_at(mode, "effects"))
				printf(" %s", e->valuestring);
			printf("\n");
			print_difference(mode, "output");
			print_difference(mode, "log");
		}
		print_difference(o, "difference");
	}
}

static void print_text(const cJSON *doc)
{
	const cJSON *o = json_at(doc, "profile"), *c;

	printf("profile        %g of %g calls allowed (%.0f%% refused); capabilities:",
	       value(o, "entries"), value(o, "known"), 100 * value(o, "blocked"));
	cJSON_ArrayForEach(c, json_at(o, "capabilities")) printf(" %s", c->valuestring);
	o = json_at(doc, "oracle");
	printf("%s\noracle         %s: exit status %g, %g bytes of output\n",
	       cJSON_GetArraySize(json_at(json_at(doc, "profile"), "capabilities")) ? "" : " none",
	       cJSON_IsTrue(json_at(o, "same"))
		       ? "the same each time"
		       : "REJECTED: not the same each time without the advice",
	       value(o, "exit_status"), value(o, "output_bytes"));
	print_difference(o, "difference");
	o = json_at(doc, "replay");
	if (o) {
		printf("A replay       %s:", passed(o));
		cJSON_ArrayForEach(c, json_at(o, "effects")) printf(" %s", c->valuestring);
		printf("\n");
		print_difference(o, "output");
		print_difference(o, "log");
	}
	if (json_at(doc, "negative"))
		print_negative(json_at(doc, "negative"));
	if (json_at(doc, "portability"))
		print_portability(json_at(doc, "portability"));
	o = json_at(doc, "minimality");
	if (o) {
		printf("C minimality   %g of %g entries outside of the safety class are needed\n",
		       value(o, "needed"), value(o, "scored"));
		print_classes("calls", json_at(o, "entries"));
		print_classes("capabilities", json_at(o, "capabilities"));
	}
}

static int answer(const struct request *r, const cJSON *doc)
{
	char *json = r->o.json ? cJSON_Print(doc) : NULL;

	if (json)
		puts(json);
	else if (!r->o.json)
		print_text(doc);
	free(json);
	return fflush(stdout) ? -EIO : 0;
}

/* The gates one after the other: what fails early would make the later ones meaningless. */
static int gates(struct request *r, cJSON *doc)
{
	int ok, a, b, d = 1;

	verify_profile(&r->v, doc);
	ok = verify_oracle(&r->v, doc);
	if (ok != 1)
		return ok ? EXIT_FAIL : EXIT_PARTIAL;
	a = verify_replay(&r->v, doc);
	b = a < 0 ? a : verify_negative(&r->v, doc);
	if (b >= 0 && r->v.nr_runtimes)
		d = verify_portability(&r->v, doc);
	if (b < 0 || d < 0 || (a && r->o.ablate && verify_minimality(&r->v, doc) < 0))
		return EXIT_FAIL;
	cJSON_AddBoolToObject(doc, "passed", a && b && d);
	if (a && b && cJSON_IsTrue(json_at(json_at(doc, "portability"), "rejected")))
		return EXIT_PARTIAL;
	return a && b && d ? EXIT_OK : EXIT_FINDINGS;
}

static int verify(struct request *r)
{
	cJSON *reports = read_reports(r->o.operands, r->o.nr_operands);
	cJSON *doc = cJSON_CreateObject();
	int status = EXIT_FAIL;

	r->v.reports = reports;
	if (reports && !take_advice(r, reports) && !apply_open(&r->v.apply)) {
		status = gates(r, doc);
		if (status != EXIT_FAIL && answer(r, doc))
			status = EXIT_FAIL;
	}
	apply_close(&r->v.apply);
	outcome_free(&r->v.want);
	cJSON_Delete((cJSON *)r->v.profile);
	cJSON_Delete((cJSON *)r->v.base);
	cJSON_Delete((cJSON *)r->v.caps);
	cJSON_Delete(reports);
	cJSON_Delete(doc);
	return status;
}

int cmd_verify(int argc, char **argv)
{
	struct request r = {};
	int err = parse(&r, argc, argv), status = err > 0 ? EXIT_OK : EXIT_USAGE;

	if (!err) {
		status = recommend_form(&r.form, &r.o);
		status = status == EXIT_OK ? verify(&r) : status;
	}
	for (unsigned int i = 0; i < r.v.replay.nr_ignore; i++)
		regfree(&r.v.replay.ignore[i]);
	base_set_free(&r.form.base);
	free(r.runtimes);
	return status;
}
