// SPDX-License-Identifier: MIT
/* ebpfmon doctor: loads every program, attaches it for a moment, and tells what became of it. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "commands.h"
#include "loader.h"
#include "log.h"
#include "recorder.h"

struct check {
	const char *name;
	bool ok;
	const char *help; /* what to do when it is not */
};

static bool check_all(struct check *c, size_t nr)
{
	char *mount = cgroup_mount();
	bool all = true;

	c[0] = (struct check){"root", geteuid() == 0, "run it as root: sudo ebpfmon doctor"};
	c[1] = (struct check){"BTF of the kernel", !access("/sys/kernel/btf/vmlinux", R_OK),
			      "a kernel with CONFIG_DEBUG_INFO_BTF=y; Debian's kernels have it"};
	c[2] = (struct check){"cgroup hierarchy", mount != NULL,
			      "mount -t cgroup2 none /sys/fs/cgroup/unified"};
	free(mount);
	for (size_t i = 0; i < nr; i++)
		all &= c[i].ok;
	return all;
}

/* As a recording of all that there is would do, with every filter: more no verifier is asked to follow. */
static int probe(struct loader **out)
{
	struct options o = {.syscalls = SYSCALLS_TRACE, .buffer = 1 << 16};
	struct loader_options lo = {};
	int err;

	memset(o.events, true, sizeof(o.events));
	recorder_settings(&o, &lo);
	lo.config.nr_pids = lo.config.nr_uids = EV_FILTER_MAX;
	lo.config.nr_comms = lo.config.nr_ports = EV_FILTER_MAX;
	lo.config.leaders = 1;
	lo.ask_verifier = true;
	err = loader_open(out, &lo);
	if (!err) {
		loader_attach(*out);
		loader_detach(*out);
	}
	return err;
}

static void print_text(const struct check *checks, size_t nr, const struct loader *l)
{
	const struct coverage *c;
	unsigned int rows = 0;
	struct utsname u;

	uname(&u);
	printf("kernel %s, %s\n\n", u.release, u.machine);
	for (size_t i = 0; i < nr; i++)
		printf("  %-22s %s%s%s\n", checks[i].name, checks[i].ok ? "yes" : "NO",
		       checks[i].ok ? "" : ": ", checks[i].ok ? "" : checks[i].help);
	if (!l)
		return;
	printf("\n%-10s %-26s %-8s %s\n", "SUBSYSTEM", "PROGRAM", "STATE", "HOOK, OR WHY NOT");
	c = loader_coverage(l, &rows);
	for (unsigned int i = 0; i < rows; i++)
		printf("%-10s %-26s %-8s %s%s\n", c[i].subsystem, c[i].program,
		       c[i].active  ? "ok"
		       : c[i].spare ? "spare"
				    : "missing",
		       c[i].active ? c[i].hook : "", c[i].active ? "" : c[i].reason);
}

static void print_json(const struct check *checks, size_t nr, const struct loader *l)
{
	cJSON *root = cJSON_CreateObject(), *host = cJSON_AddObjectToObject(root, "host"),
	      *list = cJSON_AddArrayToObject(root, "coverage");
	const struct coverage *c = NULL;
	unsigned int rows = 0;
	struct utsname u;
	char *text;

	uname(&u);
	cJSON_AddStringToObject(host, "kernel", u.release);
	cJSON_AddStringToObject(host, "machine", u.machine);
	for (size_t i = 0; i < nr; i++)
		cJSON_AddBoolToObject(host, checks[i].name, checks[i].ok);
	if (l)
		c = loader_coverage(l, &rows);
	for (unsigned int i = 0; i < rows; i++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "subsystem", c[i].subsystem);
		cJSON_AddStringToObject(o, "program", c[i].program);
		cJSON_AddStringToObject(o, "hook", c[i].hook);
		cJSON_AddBoolToObject(o, "active", c[i].active);
		cJSON_AddStringToObject(o, "doc", c[i].doc);
		if (!c[i].active) {
			cJSON_AddStringToObject(o, "reason", c[i].reason);
			cJSON_AddBoolToObject(o, "missing", coverage_is_missing(&c[i]));
		}
		if (c[i].verified)
			cJSON_AddNumberToObject(o, "verified_insns", c[i].verified);
		cJSON_AddItemToArray(list, o);
	}
	text = cJSON_Print(root);
	if (text)
		puts(text);
	cJSON_free(text);
	cJSON_Delete(root);
}

int cmd_doctor(int argc, char **argv)
{
	bool format = argc == 3 && !strcmp(argv[1], "-f");
	bool json = format && !strcmp(argv[2], "json");
	struct loader *l = NULL;
	struct check checks[3];
	unsigned int rows = 0;
	int status = EXIT_OK;

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		printf("Usage: ebpfmon doctor [-f text|json]\n");
		return EXIT_OK;
	}
	if (format && !json && strcmp(argv[2], "text") != 0) {
		log_error("doctor: '%s' is neither text nor json", argv[2]);
		return EXIT_USAGE;
	}
	if (argc > 1 && !format) {
		log_error("doctor: unexpected argument '%s' (see --help)", argv[1]);
		return EXIT_USAGE;
	}
	if (!check_all(checks, 3))
		status = EXIT_FAIL;
	else if (probe(&l))
		status = EXIT_FAIL;
	(json ? print_json : print_text)(checks, 3, l);
	if (l) {
		const struct coverage *c = loader_coverage(l, &rows);

		for (unsigned int i = 0; i < rows; i++)
			if (coverage_is_missing(&c[i]))
				status = EXIT_FINDINGS;
	}
	loader_close(l);
	return status;
}
