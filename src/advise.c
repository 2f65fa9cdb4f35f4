// SPDX-License-Identifier: MIT
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include "advise.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "wire.h"

#define SHORT_NS 10e9 /* a record that is shorter has hardly seen all that a container does */

static const struct {
	const char *who, *why, *calls;
} base_sets[] = {
#define BASE(who, why, calls) {who, why, calls},
#include "base_sets.def"
};

#define NR_BASES (sizeof(base_sets) / sizeof(base_sets[0]))

#if defined(__x86_64__)
static const char *const archs[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
static const char *const archs[] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64"};
#endif

static const char *const prefixes[] = {"", "compat:", "x32:"};

/* ---- reading: anything may be missing, or of another type ---- */

static const cJSON *at(const cJSON *o, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(o, key);
}

static const char *text(const cJSON *o, const char *key)
{
	const cJSON *v = at(o, key);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static double number(const cJSON *o, const char *key)
{
	const cJSON *v = at(o, key);

	return cJSON_IsNumber(v) && isfinite(v->valuedouble) && v->valuedouble > 0 &&
			       v->valuedouble < 9e15
		       ? v->valuedouble
		       : 0;
}

static void seen(const struct advice *a, struct advice_entry *e, double count)
{
	if (e->last != a->reports)
		e->runs++;
	e->last = a->reports;
	e->count += (__u64)count;
}

/* "compat:mmap2" -> its ABI and number; false: there is no such call. */
static bool call_of(const char *name, __u32 *abi, __u32 *nr)
{
	int n;

	*abi = 0;
	for (__u32 i = 1; i < ADVICE_ABIS; i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i]))) {
			*abi = i;
			name += strlen(prefixes[i]);
		}
	n = syscall_number(*abi, name);
	*nr = (__u32)n;
	return n >= 0 && n < ADVICE_CALLS && name_syscall(EV_SYSNR(*abi, *nr));
}

static double add_calls(struct advice *a, const cJSON *calls, bool setup)
{
	double filtered = 0;
	const cJSON *c;
	__u32 abi, nr;

	cJSON_ArrayForEach(c, calls)
	{
		double under = number(c, "filtered"), denied = number(c, "denied");

		filtered += under;
		if (denied > 0)
			a->doubts |= DOUBT_DENIED;
		if (!call_of(text(c, "name"), &abi, &nr) || (setup && under <= 0))
			continue;
		if (denied < number(c, "count"))
			seen(a, &a->calls[abi][nr], number(c, "count"));
	}
	return filtered;
}

static int capability_number(const char *name)
{
	for (unsigned int i = 0; i < ADVICE_CAPS; i++) {
		const char *known = name_capability(i);

		if (known && !strcmp(known, name))
			return (int)i;
	}
	return -1;
}

/*
 * Needed: granted by the process's own credentials, no probe, and the call then succeeded. Denied,
 * perhaps wanted: the call failed with EPERM or EACCES.
 */
static void add_check(struct advice *a, const cJSON *c)
{
	int cap = capability_number(text(c, "cap"));
	const char *err = text(c, "error");

	if (cap < 0 || cJSON_IsTrue(at(c, "probe")) || !cJSON_IsTrue(at(c, "own")))
		return;
	if (cJSON_IsTrue(at(c, "granted")) && !*err)
		seen(a, &a->needed[cap], number(c, "count"));
	else if (!cJSON_IsTrue(at(c, "granted")) &&
		 (!strcmp(err, "EPERM") || !strcmp(err, "EACCES")))
		seen(a, &a->denied[cap], number(c, "count"));
}

static bool has_program(const cJSON *report, const char *subsystem)
{
	const cJSON *c;

	cJSON_ArrayForEach(c,
			   at(report, "coverage")) if (!strcmp(text(c, "subsystem"), subsystem) &&
						       cJSON_IsTrue(at(c, "active"))) return true;
	return false;
}

static void add_doubts(struct advice *a, const cJSON *report, double filtered)
{
	const cJSON *recording = at(report, "recording"), *p;
	static const struct {
		const char *name;
		unsigned int doubt;
	} partial[] = {
		{"lost_records", DOUBT_LOST},
		{"was_running_before", DOUBT_EXISTING},
		{"missing_coverage", DOUBT_COVERAGE},
		{"folded", DOUBT_FOLDED},
	};

	cJSON_ArrayForEach(
		p, at(recording, "partial")) for (size_t i = 0;
						  i < sizeof(partial) / sizeof(partial[0]);
						  i++) if (cJSON_IsString(p) &&
							   !strcmp(p->valuestring, partial[i].name))
		a->doubts |= partial[i].doubt;
	if (number(at(report, "lost"), "total") > 0)
		a->doubts |= DOUBT_LOST;
	if (number(recording, "duration") < SHORT_NS)
		a->doubts |= DOUBT_SHORT;
	if (filtered <= 0)
		a->doubts |= DOUBT_NO_FILTER;
	if (cJSON_GetArraySize(at(at(report, "syscalls"), "io_uring")))
		a->doubts |= DOUBT_IO_URING;
	if (!cJSON_GetArraySize(at(at(at(report, "setup"), "syscalls"), "calls")))
		a->doubts |= DOUBT_NO_START;
	if (!cJSON_GetArraySize(at(at(report, "syscalls"), "calls")))
		a->doubts |= DOUBT_NO_CALLS;
	if (!has_program(report, "capability"))
		a->doubts |= DOUBT_NO_CHECKS;
}

int advice_add(struct advice *a, const cJSON *report)
{
	const cJSON *c;
	double filtered;

	if (strcmp(text(report, "schema"), "ebpfmon.report") ||
	    number(report, "schema_version") != 1)
		return -EINVAL;
	a->reports++;
	filtered = add_calls(a, at(at(report, "syscalls"), "calls"), false);
	add_calls(a, at(at(at(report, "setup"), "syscalls"), "calls"), true);
	cJSON_ArrayForEach(c, at(at(report, "capabilities"), "checks"))
	{
		add_check(a, c);
	}
	add_doubts(a, report, filtered);
	return 0;
}

/* ---- system calls ---- */

static bool in_list(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; (p = strstr(p, name)); p += len)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

/* Why @name is in without having been recorded; NULL: it is not. */
static const char *base_of(const char *name, const char *runtime)
{
	for (size_t i = 0; i < NR_BASES; i++)
		if ((!i || !runtime || !strcmp(base_sets[i].who, runtime)) &&
		    in_list(base_sets[i].calls, name))
			return base_sets[i].why;
	return NULL;
}

/* Profiles name calls, whatever the ABI: the same name in all of them. */
static const struct advice_entry *recorded(const struct advice *a, const char *name)
{
	for (__u32 abi = 0; abi < ADVICE_ABIS; abi++) {
		int nr = syscall_number(abi, name);

		if (nr >= 0 && nr < ADVICE_CALLS && a->calls[abi][nr].runs)
			return &a->calls[abi][nr];
	}
	return NULL;
}

static bool uses_abi(const struct advice *a, __u32 abi)
{
	for (__u32 nr = 0; nr < ADVICE_CALLS; nr++)
		if (a->calls[abi][nr].runs)
			return true;
	return abi == EV_ABI_NATIVE;
}

typedef void name_visitor(FILE *out, const struct advice *a, const char *runtime, const char *name,
			  bool allowed, unsigned int *nr);

/* Every call that the kernel may know, by the ABIs in use; a name that two of them have comes once. */
static void each_name(FILE *out, const struct advice *a, const char *runtime, name_visitor *visit)
{
	unsigned int printed = 0;

	for (__u32 abi = 0; abi < ADVICE_ABIS; abi++)
		for (__u32 nr = 0; uses_abi(a, abi) && nr < ADVICE_CALLS; nr++) {
			const char *name = name_syscall(EV_SYSNR(abi, nr));

			if (!name || (abi && syscall_number(EV_ABI_NATIVE, name) >= 0))
				continue;
			visit(out, a, runtime, name, recorded(a, name) || base_of(name, runtime),
			      &printed);
		}
}

static void print_name(FILE *out, const char *name, unsigned int *nr)
{
	fprintf(out, "%s\"%s\"", !*nr ? "" : *nr % 8 ? ", " : ",\n\t\t\t\t", name);
	++*nr;
}

static void print_allowed(FILE *out, const struct advice *a, const char *runtime, const char *name,
			  bool allowed, unsigned int *nr)
{
	(void)a;
	(void)runtime;
	if (allowed)
		print_name(out, name, nr);
}

static void print_other(FILE *out, const struct advice *a, const char *runtime, const char *name,
			bool allowed, unsigned int *nr)
{
	(void)a;
	(void)runtime;
	if (!allowed)
		print_name(out, name, nr);
}

void advice_seccomp(FILE *out, const struct advice *a, const char *runtime,
		    enum advice_action action)
{
	static const char *const actions[] = {"SCMP_ACT_ERRNO", "SCMP_ACT_LOG",
					      "SCMP_ACT_KILL_PROCESS"};
	const char *sep = "";

	fprintf(out, "{\n\t\"defaultAction\": \"%s\",\n", actions[action]);
	if (action == ADVICE_ERRNO)
		fprintf(out, "\t\"defaultErrnoRet\": 38,\n");
	fprintf(out, "\t\"architectures\": [");
	for (__u32 abi = 0; abi < ADVICE_ABIS; abi++)
		if (uses_abi(a, abi)) {
			fprintf(out, "%s\"%s\"", sep, archs[abi]);
			sep = ", ";
		}
	fprintf(out, "],\n\t\"syscalls\": [\n\t\t{\n\t\t\t\"names\": [\n\t\t\t\t");
	each_name(out, a, runtime, print_allowed);
	fprintf(out, "\n\t\t\t],\n\t\t\t\"action\": \"SCMP_ACT_ALLOW\"\n\t\t}");
	if (action == ADVICE_ERRNO) {
		/* Docker 20.10 ignores defaultErrnoRet, and libc falls back on ENOSYS only */
		fprintf(out, ",\n\t\t{\n\t\t\t\"names\": [\n\t\t\t\t");
		each_name(out, a, runtime, print_other);
		fprintf(out,
			"\n\t\t\t],\n\t\t\t\"action\": \"SCMP_ACT_ERRNO\",\n\t\t\t\"errnoRet\": 38\n\t\t}");
	}
	fprintf(out, "\n\t]\n}\n");
}

void advice_recording_profile(FILE *out)
{
	fprintf(out, "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": []}\n");
}

static void explain(FILE *out, const struct advice *a, const char *runtime, const char *name,
		    bool allowed, unsigned int *nr)
{
	const struct advice_entry *e = recorded(a, name);

	(void)nr;
	if (e)
		fprintf(out, "%-24s recorded %llu times, in %u of %u reports\n", name,
			(unsigned long long)e->count, e->runs, a->reports);
	else if (allowed)
		fprintf(out, "%-24s %s\n", name, base_of(name, runtime));
}

void advice_seccomp_explain(FILE *out, const struct advice *a, const char *runtime)
{
	each_name(out, a, runtime, explain);
}

/* ---- capabilities ---- */

static void cap_list(FILE *out, const struct advice_entry *e, const char *before, unsigned int skip)
{
	const char *sep = "";

	for (unsigned int i = 0; i < ADVICE_CAPS; i++)
		if (e[i].runs && name_capability(i)) {
			fprintf(out, "%s\"%s%s\"", sep, before, name_capability(i) + skip);
			sep = ", ";
		}
}

void advice_capabilities(FILE *out, const struct advice *a)
{
	const char *sep = "";

	fprintf(out, "{\n\t\"docker\": [\"--cap-drop=ALL\"");
	for (unsigned int i = 0; i < ADVICE_CAPS; i++)
		if (a->needed[i].runs)
			fprintf(out, ", \"--cap-add=%s\"", name_capability(i) + 4);
	fprintf(out, "],\n\t\"oci\": {");
	for (size_t i = 0; i < 3; i++) {
		static const char *const sets[] = {"bounding", "effective", "permitted"};

		fprintf(out, "%s\"%s\": [", i ? ", " : "", sets[i]);
		cap_list(out, a->needed, "", 0);
		fprintf(out, "]");
	}
	fprintf(out, "},\n\t\"kubernetes\": {\"capabilities\": {\"drop\": [\"ALL\"], \"add\": [");
	cap_list(out, a->needed, "", 4);
	fprintf(out, "]}},\n\t\"evidence\": [");
	for (unsigned int i = 0; i < ADVICE_CAPS; i++)
		if (a->needed[i].runs) {
			fprintf(out,
				"%s\n\t\t{\"capability\": \"%s\", \"count\": %llu, \"runs\": %u}",
				sep, name_capability(i), (unsigned long long)a->needed[i].count,
				a->needed[i].runs);
			sep = ",";
		}
	fprintf(out, "\n\t],\n\t\"denied\": [");
	cap_list(out, a->denied, "", 0);
	fprintf(out, "]\n}\n");
}

/* ---- honesty ---- */

void advice_warn(FILE *out, const struct advice *a)
{
	static const char *const why[] = {
		"records were lost: calls may be missing",
		"the container was running before the recording: its start is missing",
		"a record is shorter than 10 s: merge more runs, with reload and stop",
		"programs could not be loaded (coverage of the report)",
		"the report was full and folded entries",
		"no seccomp filter while recording: start it under `ebpfmon recommend seccomp --recording-profile`",
		"io_uring was used: its operations pass seccomp by",
		"the runtime's set-up was not recorded: the base set is from tables alone",
		"a report has no system calls",
		"capability checks were not recorded",
		"a filter denied calls while recording: they are left out",
	};

	for (size_t i = 0; i < sizeof(why) / sizeof(why[0]); i++)
		if (a->doubts & 1u << i)
			fprintf(out, "ebpfmon: warning: %s\n", why[i]);
}
