// SPDX-License-Identifier: MIT
/* From reports to advice: what counts, and what is doubtful. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "advise.h"
#include "json_at.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "wire.h"

#define SHORT_NS                                                                                   \
	10000000000ull /* records that are shorter have hardly seen all that a container does */
#define TREE_DEPTH 200

struct advice *advice_new(void)
{
	return calloc(1, sizeof(struct advice));
}

void advice_free(struct advice *a)
{
	if (!a)
		return;
	facts_free(&a->facts);
	free(a->arguments);
	free(a);
}

/* ---- system calls ---- */

/* "compat:mmap2" -> its entry, ABI and number; NULL: there is no such call. */
static struct advice_entry *call_of(struct advice *a, const char *name, __u32 *abi, __u32 *nr)
{
	int n;

	*abi = 0;
	for (__u32 i = 1; i < ADVICE_ABIS; i++)
		if (!strncmp(name, name_abi(i), strlen(name_abi(i)))) {
			*abi = i;
			name += strlen(name_abi(i));
		}
	n = syscall_number(*abi, name);
	*nr = (__u32)n;
	if (n < 0 || n >= ADVICE_CALLS || !name_syscall(EV_SYSNR(*abi, *nr)))
		return NULL;
	return &a->calls[*abi][*nr];
}

/* Errors that say: what you ask for is not here. Others come of the moment, or are an answer. */
static bool is_vain(const char *err)
{
	static const char *const errors[] = {"ENOENT",	   "ENOTTY", "ENOSYS",	     "EINVAL",
					     "EOPNOTSUPP", "ENODEV", "EAFNOSUPPORT", "ENOTDIR"};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(err, errors[i]))
			return true;
	return false;
}

static void add_vain(struct advice_entry *e, const cJSON *errors)
{
	const cJSON *err;

	cJSON_ArrayForEach(err, errors)
	{
		if (!err->string || !is_vain(err->string))
			continue;
		e->vain += json_count(errors, err->string);
		snprintf(e->error, sizeof(e->error), "%.15s", err->string);
	}
}

bool advice_in_vain(const struct advice_entry *e)
{
	return e->runs && !e->setup && e->vain == e->count;
}

/* A filter answers with one of these; so does the kernel. Only a timed record tells which it was. */
static __u64 refusals(const cJSON *errors)
{
	return json_count(errors, "ENOSYS") + json_count(errors, "EPERM");
}

static bool is_refused(const struct advice_entry *e)
{
	return e->refused && e->refused == e->count;
}

/*
 * Of the runtime's calls before the entry point, those count that were made under the filter.
 * Returns how many there were under one.
 */
static __u64 add_calls(struct advice *a, const cJSON *calls, bool setup, bool timed)
{
	__u64 filtered = 0;
	const cJSON *c;
	__u32 abi, nr;

	cJSON_ArrayForEach(c, calls)
	{
		struct advice_entry *e = call_of(a, json_text(c, "name"), &abi, &nr);
		__u64 under = json_count(c, "filtered"), denied = json_count(c, "denied");
		__u64 count = setup ? under : json_count(c, "count");

		filtered += under;
		if (!e || (setup && !under))
			continue;
		if (denied > count)
			denied = count;
		e->denied += denied;
		if (denied)
			a->doubts |= DOUBT_DENIED;
		if (denied == count)
			continue;
		if (e->last != a->reports)
			e->runs++;
		e->last = a->reports;
		e->count += count - denied;
		e->setup += setup ? count : 0;
		if (!denied)
			add_vain(e, json_at(c, "errors"));
		if (under && !timed)
			e->refused += refusals(json_at(c, "errors"));
	}
	return filtered;
}

/* The first process to make each call; the tree is in the order of their appearance. */
static void add_first(struct advice *a, const cJSON *list, unsigned int depth)
{
	const cJSON *p, *c;
	__u32 abi, nr;

	cJSON_ArrayForEach(p, list)
	{
		cJSON_ArrayForEach(c, json_at(json_at(p, "syscalls"), "calls"))
		{
			struct advice_entry *e = call_of(a, json_text(c, "name"), &abi, &nr);

			if (e && !e->first[0])
				snprintf(e->first, sizeof(e->first), "%.15s", json_text(p, "comm"));
		}
		if (depth < TREE_DEPTH)
			add_first(a, json_at(p, "children"), depth + 1);
	}
}

static bool argument_value(const cJSON *c, const char *key, __u32 *value)
{
	const char *text = json_text(c, key);
	unsigned long long v;
	char *end;

	if (strncmp(text, "0x", 2) != 0)
		return false;
	errno = 0;
	v = strtoull(text, &end, 16);
	*value = (__u32)v;
	return !errno && !*end && v <= 0xffffffffu;
}

static struct advice_arguments *arguments_get(struct advice *a, const struct advice_arguments *key)
{
	struct advice_arguments *more;

	for (size_t i = 0; i < a->nr_arguments; i++)
		if (!memcmp(&a->arguments[i], key, offsetof(struct advice_arguments, count)))
			return &a->arguments[i];
	if (a->nr_arguments == ADVICE_ARGUMENTS)
		return NULL;
	more = realloc(a->arguments, (a->nr_arguments + 1) * sizeof(*more));
	if (!more)
		return NULL;
	a->arguments = more;
	more[a->nr_arguments] = *key;
	return &more[a->nr_arguments++];
}

/* What finds no room is not counted as known, and the call is then not narrowed. */
static void add_arguments(struct advice *a, const cJSON *list)
{
	static const char *const keys[ADVICE_ARGS] = {"a", "b", "c"};
	const cJSON *c;

	cJSON_ArrayForEach(c, list)
	{
		struct advice_arguments key = {}, *at;
		struct advice_entry *e = call_of(a, json_text(c, "nr"), &key.abi, &key.nr);
		__u64 count = json_count(c, "count");
		bool ok = e != NULL;

		for (int i = 0; i < ADVICE_ARGS; i++)
			ok = ok && argument_value(c, keys[i], &key.value[i]);
		at = ok ? arguments_get(a, &key) : NULL;
		if (at) {
			at->count += count;
			e->arguments += count;
		}
	}
}

/* ---- capabilities ---- */

/* Where @weak is asked for first and @strong does as well; @unless: calls that ask for @weak alone. */
static const struct {
	const char *weak, *strong, *unless;
} alternatives[] = {
	{"CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE", "open_by_handle_at"},
	{"CAP_BPF", "CAP_SYS_ADMIN", ""},
	{"CAP_PERFMON", "CAP_SYS_ADMIN", ""},
	{"CAP_SYSLOG", "CAP_SYS_ADMIN", ""},
	{"CAP_CHECKPOINT_RESTORE", "CAP_SYS_ADMIN", ""},
};

#define NR_ALTERNATIVES (sizeof(alternatives) / sizeof(alternatives[0]))

static int capability_number(const char *name)
{
	for (unsigned int i = 0; i < ADVICE_CAPS; i++) {
		const char *known = name_capability(i);

		if (known && !strcmp(known, name))
			return (int)i;
	}
	return -1;
}

static bool same_place(const cJSON *a, const cJSON *b)
{
	return json_number(a, "process") == json_number(b, "process") &&
	       !strcmp(json_text(a, "nr"), json_text(b, "nr"));
}

/*
 * A weaker capability that was asked for just before, in the same calls, and refused: it would
 * have done. Its name, or NULL.
 */
static const char *weaker(const cJSON *checks, const cJSON *granted)
{
	const cJSON *c;

	for (size_t i = 0; i < NR_ALTERNATIVES; i++) {
		if (strcmp(json_text(granted, "cap"), alternatives[i].strong) != 0)
			continue;
		cJSON_ArrayForEach(c, checks)
		{
			if (!strcmp(json_text(c, "cap"), alternatives[i].weak) &&
			    cJSON_IsFalse(json_at(c, "granted")) && !*json_text(c, "error") &&
			    same_place(c, granted) &&
			    json_number(c, "count") >= json_number(granted, "count"))
				return alternatives[i].weak;
		}
	}
	return NULL;
}

static void add_capability(const struct advice *a, struct advice_capability *e, const cJSON *c,
			   bool alone)
{
	if (!e->runs) {
		snprintf(e->first, sizeof(e->first), "%.15s", json_text(c, "comm"));
		snprintf(e->call, sizeof(e->call), "%.39s", json_text(c, "nr"));
	}
	if (e->last != a->reports)
		e->runs++;
	e->last = a->reports;
	e->count += json_count(c, "count");
	e->alone |= alone;
}

static bool asked_alone(const cJSON *c)
{
	for (size_t i = 0; i < NR_ALTERNATIVES; i++)
		if (!strcmp(json_text(c, "cap"), alternatives[i].weak))
			return !strcmp(json_text(c, "nr"), alternatives[i].unless);
	return true;
}

/*
 * Needed: granted to the process's own credentials, no probe, and the call then succeeded. Denied,
 * perhaps wanted: the call failed with EPERM or EACCES.
 */
static void add_checks(struct advice *a, const cJSON *checks)
{
	const cJSON *c;

	cJSON_ArrayForEach(c, checks)
	{
		int cap = capability_number(json_text(c, "cap"));
		const char *err = json_text(c, "error"), *weak;

		if (cap < 0 || cJSON_IsTrue(json_at(c, "probe")) ||
		    !cJSON_IsTrue(json_at(c, "own")))
			continue;
		if (cJSON_IsTrue(json_at(c, "granted")) && !*err) {
			weak = weaker(checks, c);
			add_capability(a, &a->needed[weak ? capability_number(weak) : cap], c,
				       !weak && asked_alone(c));
		} else if (cJSON_IsFalse(json_at(c, "granted")) &&
			   (!strcmp(err, "EPERM") || !strcmp(err, "EACCES"))) {
			add_capability(a, &a->denied[cap], c, true);
		}
	}
}

/* Where the strong one is needed anyhow, the weak one is not. */
static void resolve_alternatives(struct advice *a)
{
	for (size_t i = 0; i < NR_ALTERNATIVES; i++) {
		struct advice_capability *weak =
			&a->needed[capability_number(alternatives[i].weak)];

		if (weak->runs && !weak->alone &&
		    a->needed[capability_number(alternatives[i].strong)].runs)
			*weak = (struct advice_capability){};
	}
}

/* ---- honesty ---- */

static bool has_program(const cJSON *report, const char *subsystem)
{
	const cJSON *c;

	cJSON_ArrayForEach(c, json_at(report, "coverage"))
	{
		if (!strcmp(json_text(c, "subsystem"), subsystem) &&
		    cJSON_IsTrue(json_at(c, "active")))
			return true;
	}
	return false;
}

static bool is_partial(const cJSON *report, const char *why)
{
	const cJSON *p;

	cJSON_ArrayForEach(p, json_at(json_at(report, "recording"), "partial"))
	{
		if (cJSON_IsString(p) && !strcmp(p->valuestring, why))
			return true;
	}
	return false;
}

static bool has_exec(const cJSON *list, unsigned int depth)
{
	const cJSON *p;

	cJSON_ArrayForEach(p, list)
	{
		if (json_at(p, "exec_session") ||
		    (depth < TREE_DEPTH && has_exec(json_at(p, "children"), depth + 1)))
			return true;
	}
	return false;
}

static bool has_reload(const cJSON *signals)
{
	static const char *const reloading[] = {"SIGHUP", "SIGUSR1", "SIGUSR2"};
	const cJSON *s;

	cJSON_ArrayForEach(s, signals)
	{
		/* neither ignored nor lost: include/events/ipc.def */
		if (!cJSON_IsNumber(json_at(s, "result")) || json_number(s, "result") > 0)
			continue;
		for (size_t i = 0; i < sizeof(reloading) / sizeof(reloading[0]); i++)
			if (!strcmp(json_text(s, "sig"), reloading[i]))
				return true;
	}
	return false;
}

static unsigned int phases_of(const cJSON *report)
{
	unsigned int seen = 0;

	if (!is_partial(report, "was_running_before"))
		seen |= PHASE_START;
	if (!is_partial(report, "still_running"))
		seen |= PHASE_END;
	if (seen & PHASE_END &&
	    strcmp(json_text(json_at(report, "container"), "exit_signal"), "SIGKILL") != 0)
		seen |= PHASE_STOP;
	if (has_reload(json_at(json_at(report, "ipc"), "signals")))
		seen |= PHASE_RELOAD;
	if (has_exec(json_at(json_at(report, "processes"), "tree"), 0))
		seen |= PHASE_EXEC;
	return seen;
}

static bool any_refused(const struct advice *a)
{
	for (__u32 abi = 0; abi < ADVICE_ABIS; abi++)
		for (__u32 nr = 0; nr < ADVICE_CALLS; nr++)
			if (is_refused(&a->calls[abi][nr]))
				return true;
	return false;
}

/*
 * What all reports together leave open, judged anew with each. Reload and exec are asked of servers
 * alone: of others, it is the rule that nobody does either.
 */
static unsigned int unseen(const struct advice *a)
{
	bool server = a->facts.sets[FACT_LISTENERS].nr != 0;
	unsigned int doubts = 0;

	if (a->duration < SHORT_NS)
		doubts |= DOUBT_SHORT;
	if (!(a->phases & PHASE_START))
		doubts |= DOUBT_EXISTING;
	if (!(a->phases & PHASE_END))
		doubts |= DOUBT_NO_END;
	else if (!(a->phases & PHASE_STOP))
		doubts |= DOUBT_KILLED;
	if (server && !(a->phases & PHASE_RELOAD))
		doubts |= DOUBT_NO_RELOAD;
	if (server && !(a->phases & PHASE_EXEC))
		doubts |= DOUBT_NO_EXEC;
	if (any_refused(a))
		doubts |= DOUBT_REFUSED;
	return doubts;
}

static void add_doubts(struct advice *a, const cJSON *report, bool filtered)
{
	const cJSON *setup = json_at(json_at(report, "setup"), "syscalls");
	static const unsigned int together = DOUBT_SHORT | DOUBT_EXISTING | DOUBT_NO_END |
					     DOUBT_KILLED | DOUBT_NO_RELOAD | DOUBT_NO_EXEC |
					     DOUBT_REFUSED;

	if (is_partial(report, "lost_records") || json_number(json_at(report, "lost"), "total") > 0)
		a->doubts |= DOUBT_LOST;
	if (is_partial(report, "missing_coverage"))
		a->doubts |= DOUBT_COVERAGE;
	if (is_partial(report, "folded"))
		a->doubts |= DOUBT_FOLDED;
	if (!filtered)
		a->doubts |= DOUBT_NO_FILTER;
	if (a->facts.sets[FACT_OPERATIONS].nr || advice_call(a, "io_uring_setup").runs)
		a->doubts |= DOUBT_IO_URING;
	if (!cJSON_GetArraySize(json_at(setup, "calls")))
		a->doubts |= DOUBT_NO_START;
	if (!cJSON_GetArraySize(json_at(json_at(report, "syscalls"), "calls")))
		a->doubts |= DOUBT_NO_CALLS;
	if (!has_program(report, "capability"))
		a->doubts |= DOUBT_NO_CHECKS;
	a->phases |= phases_of(report);
	a->duration += json_count(json_at(report, "recording"), "duration");
	a->doubts = (a->doubts & ~together) | unseen(a);
}

int advice_add(struct advice *a, const cJSON *report)
{
	const cJSON *syscalls = json_at(report, "syscalls");
	const cJSON *setup = json_at(json_at(report, "setup"), "syscalls");
	bool timed = cJSON_IsTrue(json_at(json_at(report, "recording"), "syscall_time"));
	__u64 filtered;

	if (strcmp(json_text(report, "schema"), "ebpfmon.report") != 0 ||
	    json_number(report, "schema_version") != 1)
		return -EINVAL;
	a->reports++;
	filtered = add_calls(a, json_at(syscalls, "calls"), false, timed);
	add_calls(a, json_at(setup, "calls"), true, timed);
	add_first(a, json_at(json_at(report, "processes"), "tree"), 0);
	add_arguments(a, json_at(syscalls, "arguments"));
	add_checks(a, json_at(json_at(report, "capabilities"), "checks"));
	resolve_alternatives(a);
	if (facts_add(&a->facts, report, a->reports))
		return -ENOMEM;
	add_doubts(a, report, filtered);
	return 0;
}

static void list_calls(FILE *out, const struct advice *a, bool (*is)(const struct advice_entry *e))
{
	const char *sep = ": ";

	for (__u32 abi = 0; abi < ADVICE_ABIS; abi++)
		for (__u32 nr = 0; nr < ADVICE_CALLS; nr++)
			if (is(&a->calls[abi][nr])) {
				fprintf(out, "%s%s%s", sep, name_abi(abi),
					name_syscall(EV_SYSNR(abi, nr)));
				sep = ", ";
			}
}

static bool is_denied(const struct advice_entry *e)
{
	return e->denied != 0;
}

static void warn_denied(FILE *out, const struct advice *a)
{
	list_calls(out, a, is_denied);
}

static void warn_refused(FILE *out, const struct advice *a)
{
	list_calls(out, a, is_refused);
}

/* Names of operations come from a report: only letters, digits and '_' are shown. */
static void warn_operations(FILE *out, const struct advice *a)
{
	const struct fact_set *s = &a->facts.sets[FACT_OPERATIONS];
	const char *sep = ": ";

	for (size_t i = 0; i < s->nr; i++) {
		const char *k = s->v[i].key;

		if (k[strspn(k, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")])
			continue;
		fprintf(out, "%s%s", sep, k);
		sep = ", ";
	}
}

void advice_warn(FILE *out, const struct advice *a, const char *prefix)
{
	/* in the order of enum advice_doubt */
	static const struct {
		const char *why;
		void (*more)(FILE *out, const struct advice *a);
	} doubts[] = {
		{"records were lost: calls may be missing", NULL},
		{"the container was running before the recording: its start is missing", NULL},
		{"the records are shorter than 10 s together: merge more runs, with reload and stop",
		 NULL},
		{"programs could not be loaded (coverage of the report)", NULL},
		{"the report was full and folded entries", NULL},
		{"no seccomp filter while recording: start it under `ebpfmon recommend seccomp --recording-profile`",
		 NULL},
		{"io_uring was used: its operations pass seccomp by", warn_operations},
		{"the runtime's set-up was not recorded: the base set is from tables alone", NULL},
		{"a report has no system calls", NULL},
		{"capability checks were not recorded", NULL},
		{"a filter denied calls while recording; where it always did, they are left out",
		 warn_denied},
		{"the container was still running at the end of the recording: its stop is missing",
		 NULL},
		{"it ended by SIGKILL alone: a graceful stop is missing", NULL},
		{"it listens, and no SIGHUP, SIGUSR1 or SIGUSR2 reached it: a reload, if it has one, is missing",
		 NULL},
		{"it listens, and nothing was executed in it from outside: a health check or a shell by exec is missing",
		 NULL},
		{"all calls of these failed with ENOSYS or EPERM, perhaps by the filter (--syscalls=time tells), and are allowed",
		 warn_refused},
	};

	for (size_t i = 0; i < sizeof(doubts) / sizeof(doubts[0]); i++) {
		if (!(a->doubts & 1u << i))
			continue;
		fprintf(out, "%s%s", prefix, doubts[i].why);
		if (doubts[i].more)
			doubts[i].more(out, a);
		fprintf(out, "\n");
	}
}

/* ---- what renderers ask ---- */

bool advice_uses_abi(const struct advice *a, __u32 abi)
{
	for (__u32 nr = 0; nr < ADVICE_CALLS; nr++)
		if (a->calls[abi][nr].runs || a->calls[abi][nr].denied)
			return true;
	return abi == EV_ABI_NATIVE;
}

struct advice_entry advice_call(const struct advice *a, const char *name)
{
	struct advice_entry sum = {};

	for (__u32 abi = 0; abi < ADVICE_ABIS; abi++) {
		int nr = syscall_number(abi, name);
		const struct advice_entry *e;

		if (nr < 0 || nr >= ADVICE_CALLS)
			continue;
		e = &a->calls[abi][nr];
		if (e->runs > sum.runs)
			sum.runs = e->runs;
		sum.count += e->count;
		sum.setup += e->setup;
		sum.denied += e->denied;
		sum.arguments += e->arguments;
		sum.vain += e->vain;
		if (e->error[0])
			memcpy(sum.error, e->error, sizeof(sum.error));
		if (!sum.first[0])
			memcpy(sum.first, e->first, sizeof(sum.first));
	}
	return sum;
}
