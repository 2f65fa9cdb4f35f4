// SPDX-License-Identifier: MIT
/* ebpfmon recommend: the least permissions, from reports. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "advise_render.h"
#include "commands.h"
#include "log.h"
#include "options.h"
#include "report_read.h"

struct request {
	struct options o;
	struct advice *a;
	struct advice_form form;
};

static void seccomp(FILE *out, const struct request *r)
{
	if (r->o.explain)
		advice_seccomp_explain(out, r->a, &r->form);
	else
		advice_seccomp(out, r->a, &r->form);
}

static void capabilities(FILE *out, const struct request *r)
{
	advice_capabilities(out, r->a, r->o.form);
}

static void docker(FILE *out, const struct request *r)
{
	advice_docker(out, r->a, &r->form);
}

static void compose(FILE *out, const struct request *r)
{
	advice_compose(out, r->a, &r->form);
}

static void kubernetes(FILE *out, const struct request *r)
{
	advice_kubernetes(out, r->a, &r->form);
}

static void apparmor(FILE *out, const struct request *r)
{
	advice_apparmor(out, r->a, &r->form);
}

static const struct what {
	const char *name;
	void (*answer)(FILE *out, const struct request *r);
	bool with_profile; /* --profile writes it */
} answers[] = {
	{"seccomp", seccomp, false},	  {"capabilities", capabilities, false},
	{"docker", docker, true},	  {"compose", compose, true},
	{"kubernetes", kubernetes, true}, {"apparmor", apparmor, false},
};

#define NR_ANSWERS (sizeof(answers) / sizeof(answers[0]))

static const struct what *what_of(const char *name)
{
	for (size_t i = 0; i < NR_ANSWERS; i++)
		if (!strcmp(answers[i].name, name))
			return &answers[i];
	log_error(
		"recommend: '%s' is none of seccomp, capabilities, docker, compose, kubernetes, apparmor",
		name);
	return NULL;
}

int recommend_form(struct advice_form *f, const struct options *o)
{
	/* Docker runs runc; podman either */
	static const char *const runtimes[] = {
		[RUNTIME_DOCKER] = "runc", [RUNTIME_RUNC] = "runc", [RUNTIME_CRUN] = "crun"};

	*f = (struct advice_form){
		.action = (enum advice_action)o->action, .args = o->args, .profile = o->profile};
	f->base.runtime = o->runtime == RUNTIME_PODMAN ? NULL : runtimes[o->runtime];
	f->base.version = o->version;
	f->base.mode = o->no_new_privs ? BASE_NNP : BASE_PLAIN;
	if (base_set_read(&f->base, o->state ? o->state : BASE_SET_DIR))
		return EXIT_FAIL;
	if (base_set_known(&f->base))
		return EXIT_OK;
	log_error("no base set is known of %s %s: `ebpfmon calibrate` measures one",
		  f->base.runtime ? f->base.runtime : "a runtime of version",
		  o->version ? o->version : "");
	return EXIT_FAIL;
}

static int write_profile(const struct request *r)
{
	FILE *f = fopen(r->o.profile, "we");
	bool ok = f != NULL;

	if (f) {
		advice_seccomp(f, r->a, &r->form);
		ok = !ferror(f);
		ok &= fclose(f) == 0;
	}
	if (!ok)
		log_error("cannot write %s: %s", r->o.profile, strerror(errno));
	return ok ? EXIT_OK : EXIT_FAIL;
}

static int answer(const struct request *r, const struct what *what)
{
	int status = EXIT_OK;

	advice_warn(stderr, r->a, "ebpfmon: warning: ");
	if (r->o.strict && r->a->doubts)
		return EXIT_PARTIAL;
	if (what->with_profile && r->o.profile)
		status = write_profile(r);
	if (status == EXIT_OK)
		what->answer(stdout, r);
	return fflush(stdout) ? EXIT_FAIL : status;
}

/* Wherever it is among the options, it is moved to the front: what it takes is a table of its own. */
static bool take_verify(int argc, char **argv)
{
	char *verify;
	int i = 1;

	while (i < argc && strcmp(argv[i], "--") != 0 && strcmp(argv[i], "--verify") != 0)
		i++;
	if (i == argc || strcmp(argv[i], "--verify") != 0)
		return false;
	verify = argv[i];
	for (; i > 1; i--)
		argv[i] = argv[i - 1];
	argv[1] = verify;
	return true;
}

int cmd_recommend(int argc, char **argv)
{
	struct request r = {};
	const struct what *what;
	int err, status;

	if (take_verify(argc, argv))
		return cmd_verify(argc - 1, argv + 1);
	err = options_parse(&r.o, OPT_RECOMMEND, argc, argv);
	if (err)
		return err > 0 ? EXIT_OK : EXIT_USAGE;
	what = what_of(r.o.operands[0]);
	if (!what)
		return EXIT_USAGE;
	if (r.o.recording_profile) {
		advice_recording_profile(stdout);
		return fflush(stdout) ? EXIT_FAIL : EXIT_OK;
	}
	if (r.o.nr_operands < 2) {
		log_error("recommend %s: from which reports? (see --help)", what->name);
		return EXIT_USAGE;
	}
	status = recommend_form(&r.form, &r.o);
	if (status == EXIT_OK && !(r.a = report_read(r.o.operands + 1, r.o.nr_operands - 1)))
		status = EXIT_FAIL;
	if (status == EXIT_OK)
		status = answer(&r, what);
	base_set_free(&r.form.base);
	advice_free(r.a);
	return status;
}
