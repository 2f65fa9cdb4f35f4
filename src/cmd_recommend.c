// SPDX-License-Identifier: MIT
/* ebpfmon recommend: the least permissions, from reports. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "advise.h"
#include "commands.h"
#include "json_file.h"
#include "log.h"

struct request {
	const char *what, *runtime;
	enum advice_action action;
	bool strict, explain, recording_profile;
	int first; /* the first report in argv */
};

static const char usage[] =
	"Usage: ebpfmon recommend seccomp|capabilities [OPTIONS] REPORT...\n"
	"       ebpfmon recommend --verify [OPTIONS] REPORT... -- COMMAND...   (--verify --help)\n"
	"  --for docker|podman|runc|crun     with the base set of that runtime alone (default: of all)\n"
	"  --default-action errno|log|kill   of calls that are not allowed (errno: ENOSYS)\n"
	"  --explain                         for each entry, why it is there\n"
	"  --recording-profile               the profile to record under: allows everything\n"
	"  --strict                          end with status 4 when a report is not the whole truth\n";

static int one_of(const char *value, const char *const *names)
{
	for (int i = 0; value && names[i]; i++)
		if (!strcmp(value, names[i]))
			return i;
	return -1;
}

static int parse(struct request *r, int argc, char **argv)
{
	static const char *const runtimes[] = {"docker", "runc", "podman", "crun", NULL};
	static const char *const base[] = {"runc", "runc", NULL, NULL};
	static const char *const actions[] = {"errno", "log", "kill", NULL};
	int i, n;

	r->what = argc > 1 ? argv[1] : "";
	for (i = 2; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--strict")) {
			r->strict = true;
		} else if (!strcmp(argv[i], "--explain")) {
			r->explain = true;
		} else if (!strcmp(argv[i], "--recording-profile")) {
			r->recording_profile = true;
		} else if (!strcmp(argv[i], "--for")) {
			n = one_of(argv[++i], runtimes);
			if (n < 0)
				return -EINVAL;
			r->runtime = base[n];
			if (!base[n])
				log_warn(
					"no base set of crun is measured: runc's is used, with what the record holds");
		} else if (!strcmp(argv[i], "--default-action")) {
			n = one_of(argv[++i], actions);
			if (n < 0)
				return -EINVAL;
			r->action = n;
		} else {
			return -EINVAL;
		}
	}
	r->first = i;
	if (strcmp(r->what, "seccomp") && strcmp(r->what, "capabilities"))
		return -EINVAL;
	return i < argc || r->recording_profile ? 0 : -EINVAL;
}

static int answer(const struct request *r, const struct advice *a)
{
	advice_warn(stderr, a);
	if (r->strict && a->doubts)
		return EXIT_PARTIAL;
	if (!strcmp(r->what, "capabilities"))
		advice_capabilities(stdout, a);
	else if (r->explain)
		advice_seccomp_explain(stdout, a, r->runtime);
	else
		advice_seccomp(stdout, a, r->runtime, r->action);
	return fflush(stdout) ? EXIT_FAIL : EXIT_OK;
}

int cmd_recommend(int argc, char **argv)
{
	struct request r = {0};
	struct advice *a;
	int status = EXIT_OK;

	if (argc > 1 && !strcmp(argv[1], "--verify"))
		return cmd_verify(argc - 1, argv + 1);
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return EXIT_OK;
	}
	if (parse(&r, argc, argv)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (r.recording_profile) {
		advice_recording_profile(stdout);
		return EXIT_OK;
	}
	a = calloc(1, sizeof(*a));
	for (int i = r.first; a && i < argc && status == EXIT_OK; i++) {
		cJSON *doc = json_read(argv[i]);

		if (!doc || advice_add(a, doc)) {
			if (doc)
				log_error("%s is not a report of this version", argv[i]);
			status = EXIT_FAIL;
		}
		cJSON_Delete(doc);
	}
	if (!a)
		status = EXIT_FAIL;
	if (status == EXIT_OK)
		status = answer(&r, a);
	free(a);
	return status;
}
