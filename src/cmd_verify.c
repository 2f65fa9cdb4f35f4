// SPDX-License-Identifier: MIT
/* ebpfmon recommend --verify: does the container do the same under the advice, and nothing else? */
#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "advise_render.h"
#include "commands.h"
#include "json_at.h"
#include "json_file.h"
#include "log.h"
#include "verify.h"

struct request {
	struct verify v;
	const char *profile, *runtime;
	bool ablate, args, json;
	int reports; /* the first of them in argv */
};

static const char usage[] =
	"Usage: ebpfmon recommend --verify [OPTIONS] REPORT... -- COMMAND... {} ARGUMENT...\n"
	"Runs COMMAND as it is and then under the advice of the reports, and compares output and exit status.\n"
	"{} becomes the options of the advice (docker, podman): --verify web.json -- docker run --rm {} IMAGE\n"
	"  --bundle DIR       of runc and crun: {} becomes a copy of the bundle with the advice put in:\n"
	"                     --verify --bundle DIR web.json -- runc run -b {} NAME\n"
	"  --runtime LIST     several, with commas between: {runtime} in COMMAND becomes each of them, and the same\n"
	"                     profile has to do, with and without no-new-privileges (gate D):\n"
	"                     --verify --runtime docker,podman web.json -- {runtime} run --rm {} IMAGE\n"
	"  --runs N           how often, without and with the advice (3)\n"
	"  --timeout SECONDS  that a run may take (60)\n"
	"  --ignore REGEX     what matches is no difference (extended regular expression); repeatable\n"
	"  --ablate           also leave out each entry in turn: which of them are needed? Takes long\n"
	"  --for RUNTIME      docker, podman, runc or crun: with the base set of that one alone\n"
	"  --args             calls narrowed by their arguments, as `recommend seccomp --args` does\n"
	"  --profile FILE     this seccomp profile instead of the advised one\n"
	"  --new-privileges   without no-new-privileges: for programs that gain them (sudo, su)\n"
	"  --json             the findings as a JSON document\n"
	"Ends with 0: all gates passed; 3: one did not; 4: COMMAND does not do the same twice, or by another\n"
	"runtime, as it is\n";

enum {
	OPT_BUNDLE = 1,
	OPT_RUNTIME,
	OPT_RUNS,
	OPT_TIMEOUT,
	OPT_IGNORE,
	OPT_ABLATE,
	OPT_ARGS,
	OPT_FOR,
	OPT_PROFILE,
	OPT_NEW,
	OPT_JSON
};

static const struct option options[] = {
	{"bundle", required_argument, NULL, OPT_BUNDLE},
	{"runtime", required_argument, NULL, OPT_RUNTIME},
	{"runs", required_argument, NULL, OPT_RUNS},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"ignore", required_argument, NULL, OPT_IGNORE},
	{"ablate", no_argument, NULL, OPT_ABLATE},
	{"args", no_argument, NULL, OPT_ARGS},
	{"for", required_argument, NULL, OPT_FOR},
	{"profile", required_argument, NULL, OPT_PROFILE},
	{"new-privileges", no_argument, NULL, OPT_NEW},
	{"json", no_argument, NULL, OPT_JSON},
	{0},
};

/* ---- the command line ---- */

static int number(const char *text, unsigned int min, unsigned int *value)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < min || n > 100000) {
		log_error("not a number from %u on: %s", min, text);
		return -EINVAL;
	}
	*value = (unsigned int)n;
	return 0;
}

/* The words stay where they are, in argv. */
static int runtimes(struct verify *v, char *list)
{
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

static int ignore(struct replay *r, const char *text)
{
	if (r->nr_ignore == REPLAY_IGNORE_MAX ||
	    regcomp(&r->ignore[r->nr_ignore], text, REG_EXTENDED | REG_NEWLINE)) {
		log_error("--ignore: too many, or not a regular expression: %s", text);
		return -EINVAL;
	}
	r->nr_ignore++;
	return 0;
}

static int base_runtime(struct request *r, const char *name)
{
	static const struct {
		const char *name, *base;
	} known[] = {{"docker", "runc"}, {"runc", "runc"}, {"podman", NULL}, {"crun", NULL}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(name, known[i].name)) {
			r->runtime = known[i].base;
			return 0;
		}
	log_error("--for: docker, podman, runc or crun, not %s", name);
	return -EINVAL;
}

static int take_option(struct request *r, int option)
{
	switch (option) {
	case OPT_BUNDLE: r->v.apply.bundle = optarg; return 0;
	case OPT_RUNTIME: return runtimes(&r->v, optarg);
	case OPT_RUNS: return number(optarg, 2, &r->v.runs);
	case OPT_TIMEOUT: return number(optarg, 1, &r->v.replay.timeout);
	case OPT_IGNORE: return ignore(&r->v.replay, optarg);
	case OPT_ABLATE: r->ablate = true; return 0;
	case OPT_ARGS: r->args = true; return 0;
	case OPT_FOR: return base_runtime(r, optarg);
	case OPT_PROFILE: r->profile = optarg; return 0;
	case OPT_NEW: r->v.apply.new_privileges = true; return 0;
	case OPT_JSON: r->json = true; return 0;
	default: return -EINVAL;
	}
}

/* argv[1..] up to "--" is ours; behind it is the command. The number of words that are ours. */
static int parse(struct request *r, int argc, char **argv)
{
	int ours = 1, option, err = 0;

	while (ours < argc && strcmp(argv[ours], "--") != 0)
		ours++;
	if (ours + 1 >= argc)
		return -EINVAL;
	r->v.apply.command = argv + ours + 1;
	optind = 0;
	while (!err && (option = getopt_long(ours, argv, "", options, NULL)) != -1)
		err = take_option(r, option);
	r->reports = optind;
	if (err || optind >= ours)
		return -EINVAL;
	return ours;
}

/* ---- the advice ---- */

static cJSON *from_advice(const struct advice *a, const struct request *r, bool seccomp)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct advice_form form = {.base = {.runtime = r->runtime}, .args = r->args};
	cJSON *doc;

	if (!f)
		return NULL;
	if (seccomp)
		advice_seccomp(f, a, &form);
	else
		advice_capabilities(f, a, CAPS_JSON);
	fclose(f);
	doc = cJSON_Parse(text);
	free(text);
	return doc;
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
		r->v.profile = r->profile ? json_read(r->profile) : from_advice(a, r, true);
		caps = from_advice(a, r, false);
		r->v.caps =
			cJSON_DetachItemFromObject(cJSON_GetObjectItem(caps, "oci"), "bounding");
		cJSON_Delete(caps);
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
	char *json = r->json ? cJSON_Print(doc) : NULL;

	if (json)
		puts(json);
	else if (!r->json)
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
	if (b < 0 || d < 0 || (a && r->ablate && verify_minimality(&r->v, doc) < 0))
		return EXIT_FAIL;
	cJSON_AddBoolToObject(doc, "passed", a && b && d);
	if (a && b && cJSON_IsTrue(json_at(json_at(doc, "portability"), "rejected")))
		return EXIT_PARTIAL;
	return a && b && d ? EXIT_OK : EXIT_FINDINGS;
}

int cmd_verify(int argc, char **argv)
{
	struct request r = {.v.runs = 3, .v.replay.timeout = 60};
	cJSON *reports, *doc = cJSON_CreateObject();
	int ours = parse(&r, argc, argv), status = EXIT_FAIL;

	if (ours < 0) {
		fputs(usage, argc > 1 && !strcmp(argv[1], "--help") ? stdout : stderr);
		cJSON_Delete(doc);
		return argc > 1 && !strcmp(argv[1], "--help") ? EXIT_OK : EXIT_USAGE;
	}
	reports = read_reports(argv + r.reports, ours - r.reports);
	r.v.reports = reports;
	if (reports && !take_advice(&r, reports) && !apply_open(&r.v.apply)) {
		status = gates(&r, doc);
		if (status != EXIT_FAIL && answer(&r, doc))
			status = EXIT_FAIL;
	}
	apply_close(&r.v.apply);
	outcome_free(&r.v.want);
	for (unsigned int i = 0; i < r.v.replay.nr_ignore; i++)
		regfree(&r.v.replay.ignore[i]);
	cJSON_Delete((cJSON *)r.v.profile);
	cJSON_Delete((cJSON *)r.v.base);
	cJSON_Delete((cJSON *)r.v.caps);
	cJSON_Delete(reports);
	cJSON_Delete(doc);
	return status;
}
