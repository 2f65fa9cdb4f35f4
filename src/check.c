// SPDX-License-Identifier: MIT
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "json_at.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "wire.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#if defined(__x86_64__)
static const char *const archs[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
static const char native_arch[] = "amd64"; /* in Docker's conditions */
#else
static const char *const archs[] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "-"};
static const char native_arch[] = "arm64";
#endif
static const char *const prefixes[] = {"", "compat:", "x32:"};

const char *check_kind_name(enum check_kind kind)
{
	static const char *const names[] = {"blocked", "perhaps_blocked", "unneeded"};

	return names[kind];
}

static bool has_string(const cJSON *list, const char *s)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, list)
	{
		if (cJSON_IsString(v) && !strcmp(v->valuestring, s))
			return true;
	}
	return false;
}

/* ---- is it one? ---- */

static const struct action {
	const char *name;
	bool passes;
} actions[] = {
	{"SCMP_ACT_ALLOW", true}, {"SCMP_ACT_LOG", true},	   {"SCMP_ACT_ERRNO", false},
	{"SCMP_ACT_KILL", false}, {"SCMP_ACT_KILL_THREAD", false}, {"SCMP_ACT_KILL_PROCESS", false},
	{"SCMP_ACT_TRAP", false}, {"SCMP_ACT_TRACE", false},	   {"SCMP_ACT_NOTIFY", false},
};

static const struct action *action_of(const cJSON *o, const char *member)
{
	const char *name = json_text(o, member);

	for (size_t i = 0; i < NR(actions); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}

enum operation { OP_NE, OP_LT, OP_LE, OP_EQ, OP_GE, OP_GT, OP_MASKED, OP__NR };

static enum operation operation_of(const cJSON *arg)
{
	static const char *const names[] = {"SCMP_CMP_NE",	 "SCMP_CMP_LT", "SCMP_CMP_LE",
					    "SCMP_CMP_EQ",	 "SCMP_CMP_GE", "SCMP_CMP_GT",
					    "SCMP_CMP_MASKED_EQ"};
	const char *op = json_text(arg, "op");
	int i = 0;

	while (i < OP__NR && strcmp(names[i], op) != 0)
		i++;
	return i;
}

static bool is_index(const cJSON *arg)
{
	const cJSON *v = json_at(arg, "index");

	return cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble <= 5 &&
	       v->valuedouble == floor(v->valuedouble);
}

static const char *wrong_rule(const cJSON *rule)
{
	const cJSON *arg;

	if (!action_of(rule, "action"))
		return "syscalls[].action";
	if (!cJSON_IsArray(json_at(rule, "names")) && !cJSON_IsString(json_at(rule, "name")))
		return "syscalls[].names";
	cJSON_ArrayForEach(arg, json_at(rule, "args"))
	{
		if (!is_index(arg))
			return "syscalls[].args[].index";
		if (operation_of(arg) == OP__NR)
			return "syscalls[].args[].op";
		if (!cJSON_IsNumber(json_at(arg, "value")))
			return "syscalls[].args[].value";
	}
	return NULL;
}

static const char *wrong_member(const cJSON *profile)
{
	const cJSON *rules = json_at(profile, "syscalls"), *rule;
	const char *wrong = NULL;

	if (!action_of(profile, "defaultAction"))
		return "defaultAction";
	if (rules && !cJSON_IsArray(rules) && !cJSON_IsNull(rules))
		return "syscalls";
	cJSON_ArrayForEach(rule, rules)
	{
		if (!wrong)
			wrong = wrong_rule(rule);
	}
	return wrong;
}

/* ---- what it says ---- */

static bool lists_abi(const cJSON *profile, __u32 abi)
{
	const cJSON *list = json_at(profile, "architectures"), *m;

	if (abi == EV_ABI_NATIVE || has_string(list, archs[abi]))
		return true; /* runtimes add the native one */
	cJSON_ArrayForEach(m, json_at(profile, "archMap"))
	{
		if (!strcmp(json_text(m, "architecture"), archs[EV_ABI_NATIVE]) &&
		    has_string(json_at(m, "subArchitectures"), archs[abi]))
			return true;
	}
	return false;
}

static bool any_given(const cJSON *caps, const struct advice *a)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, caps)
	{
		if (cJSON_IsString(v) && fact_find(&a->facts.sets[FACT_CONFIGURED], v->valuestring))
			return true;
	}
	return false;
}

/* Docker's conditions: all capabilities of "includes" are given, none of "excludes". */
static bool applies(const cJSON *rule, const struct advice *a)
{
	const cJSON *in = json_at(rule, "includes"), *out = json_at(rule, "excludes"), *v;

	cJSON_ArrayForEach(v, json_at(in, "caps"))
	{
		if (!cJSON_IsString(v) ||
		    !fact_find(&a->facts.sets[FACT_CONFIGURED], v->valuestring))
			return false;
	}
	if (cJSON_GetArraySize(json_at(in, "arches")) &&
	    !has_string(json_at(in, "arches"), native_arch))
		return false;
	return !any_given(json_at(out, "caps"), a) &&
	       !has_string(json_at(out, "arches"), native_arch);
}

static bool names(const cJSON *rule, const char *name)
{
	return has_string(json_at(rule, "names"), name) || !strcmp(json_text(rule, "name"), name);
}

static const struct known_argument {
	const char *call;
	struct {
		int index;
		__u32 mask;
	} arg[ADVICE_ARGS];
} known_arguments[] = {
#define ARGUMENTS(call, what, i1, m1, i2, m2, i3, m3) {#call, {{i1, m1}, {i2, m2}, {i3, m3}}},
#include "arguments.def"
};

enum fit { NO, YES, UNKNOWN };

/* The value of the argument a condition asks for, and which of its bits were kept. */
static bool recorded_value(const char *name, const struct advice_arguments *g, int index,
			   __u64 *value, __u64 *kept)
{
	for (size_t i = 0; g && i < NR(known_arguments); i++) {
		if (strcmp(known_arguments[i].call, name) != 0)
			continue;
		for (int k = 0; k < ADVICE_ARGS; k++)
			if (known_arguments[i].arg[k].mask &&
			    known_arguments[i].arg[k].index == index) {
				*value = g->value[k];
				*kept = known_arguments[i].arg[k].mask;
				return true;
			}
	}
	return false;
}

static __u64 constant(const cJSON *arg, const char *key)
{
	double d = cJSON_GetNumberValue(json_at(arg, key));

	return isfinite(d) && d > 0 && d < 1.8e19 ? (__u64)d : 0;
}

static enum fit condition(const char *name, const cJSON *arg, const struct advice_arguments *g)
{
	__u64 value = 0, kept = 0, want = constant(arg, "value");
	enum operation op = operation_of(arg);
	bool fits[OP__NR];

	if (!recorded_value(name, g, json_at(arg, "index")->valueint, &value, &kept))
		return UNKNOWN;
	if (op == OP_MASKED) {
		if (want & ~kept & 0xffffffffu)
			return UNKNOWN;
		return (value & want) == constant(arg, "valueTwo") ? YES : NO;
	}
	/* bits that were not kept decide, unless those that were differ */
	if (kept != 0xffffffffu && (op != OP_EQ || (value & kept) == (want & kept)))
		return UNKNOWN;
	fits[OP_NE] = value != want;
	fits[OP_LT] = value < want;
	fits[OP_LE] = value <= want;
	fits[OP_EQ] = value == want;
	fits[OP_GE] = value >= want;
	fits[OP_GT] = value > want;
	return fits[op] ? YES : NO;
}

/* All must fit; several on one argument are alternatives, as runc and crun take them. */
static enum fit conditions(const char *name, const cJSON *args, const struct advice_arguments *g)
{
	enum fit all = YES;

	for (int index = 0; index < 6; index++) {
		enum fit best = NO;
		bool any = false;
		const cJSON *arg;

		cJSON_ArrayForEach(arg, args)
		{
			enum fit fit;

			if (json_at(arg, "index")->valueint != index)
				continue;
			any = true;
			fit = condition(name, arg, g);
			if (fit == YES || best == NO)
				best = fit == YES ? YES : fit;
		}
		if (any && best == NO)
			return NO;
		if (any && best == UNKNOWN)
			all = UNKNOWN;
	}
	return all;
}

/* Does a call pass? A rule without conditions beats those with. */
static enum fit passes(const cJSON *profile, const struct advice *a, const char *name,
		       const struct advice_arguments *g)
{
	enum fit otherwise = action_of(profile, "defaultAction")->passes ? YES : NO,
		 best = otherwise;
	bool decided = false;
	const cJSON *rule;

	cJSON_ArrayForEach(rule, json_at(profile, "syscalls"))
	{
		enum fit passed = action_of(rule, "action")->passes ? YES : NO, fit;

		if (!names(rule, name) || !applies(rule, a))
			continue;
		if (!cJSON_GetArraySize(json_at(rule, "args")))
			return passed;
		fit = decided ? NO : conditions(name, json_at(rule, "args"), g);
		if (fit == YES) {
			best = passed;
			decided = true;
		} else if (fit == UNKNOWN && passed != best) {
			best = UNKNOWN;
		}
	}
	return best;
}

/* ---- findings ---- */

__attribute__((format(printf, 5, 6))) static void add(struct check *c, enum check_kind kind,
						      __u32 sysnr, __u64 count, const char *fmt,
						      ...)
{
	struct check_finding *more = realloc(c->v, (c->nr + 1) * sizeof(*more)), *f;
	va_list args;

	if (!more) {
		c->no_memory = true;
		return;
	}
	c->v = more;
	f = &more[c->nr++];
	*f = (struct check_finding){.kind = kind, .count = count};
	snprintf(f->name, sizeof(f->name), "%s%s", prefixes[sysnr >> 16], name_syscall(sysnr));
	va_start(args, fmt);
	vsnprintf(f->why, sizeof(f->why), fmt, args);
	va_end(args);
}

static void add_arguments(struct check *c, const cJSON *profile, const struct advice *a,
			  const struct advice_entry *e, __u32 abi, __u32 nr)
{
	const char *name = name_syscall(EV_SYSNR(abi, nr));
	__u64 unknown = e->count;

	for (size_t i = 0; i < a->nr_arguments; i++) {
		const struct advice_arguments *g = &a->arguments[i];
		enum fit fit;

		if (g->abi != abi || g->nr != nr)
			continue;
		unknown -= g->count < unknown ? g->count : unknown;
		fit = passes(profile, a, name, g);
		if (fit != YES)
			add(c, fit == NO ? CHECK_BLOCKED : CHECK_PERHAPS, EV_SYSNR(abi, nr),
			    g->count, "with arguments 0x%x, 0x%x, 0x%x", g->value[0], g->value[1],
			    g->value[2]);
	}
	if (!unknown)
		return;
	switch (passes(profile, a, name, NULL)) {
	case NO: add(c, CHECK_BLOCKED, EV_SYSNR(abi, nr), unknown, "no rule lets it pass"); break;
	case UNKNOWN:
		add(c, CHECK_PERHAPS, EV_SYSNR(abi, nr), unknown,
		    "by arguments that are not in the record");
		break;
	case YES: break;
	}
}

static void add_recorded(struct check *c, const cJSON *profile, const struct advice *a)
{
	for (__u32 abi = 0; abi < ADVICE_ABIS; abi++)
		for (__u32 nr = 0; nr < ADVICE_CALLS; nr++) {
			const struct advice_entry *e = &a->calls[abi][nr];

			if (!e->runs)
				continue;
			if (!lists_abi(profile, abi))
				add(c, CHECK_BLOCKED, EV_SYSNR(abi, nr), e->count,
				    "its architecture is not listed: the process is killed");
			else
				add_arguments(c, profile, a, e, abi, nr);
		}
}

static void add_unneeded(struct check *c, const cJSON *profile, const struct advice *a,
			 const struct base_choice *base)
{
	struct base_reason why;

	for (__u32 nr = 0; nr < ADVICE_CALLS; nr++) {
		const char *name = name_syscall(EV_SYSNR(EV_ABI_NATIVE, nr));
		enum fit fit;

		if (!name || advice_call(a, name).runs || base_set_has(base, name, &why))
			continue;
		fit = passes(profile, a, name, NULL);
		if (fit != NO)
			add(c, CHECK_UNNEEDED, EV_SYSNR(EV_ABI_NATIVE, nr), 0, "%s",
			    fit == YES ? "never called" : "never called; allowed by its arguments");
	}
}

int check_profile(struct check *c, const cJSON *profile, const struct advice *a,
		  const struct base_choice *base, const char **wrong)
{
	const cJSON *rule;

	*c = (struct check){};
	*wrong = wrong_member(profile);
	if (*wrong)
		return -EINVAL;
	c->has_arch_map = json_at(profile, "archMap") != NULL;
	cJSON_ArrayForEach(rule, json_at(profile, "syscalls"))
	{
		c->has_conditions |= cJSON_GetArraySize(json_at(rule, "includes")) ||
				     cJSON_GetArraySize(json_at(rule, "excludes"));
	}
	add_recorded(c, profile, a);
	add_unneeded(c, profile, a, base);
	return c->no_memory ? -ENOMEM : 0;
}
