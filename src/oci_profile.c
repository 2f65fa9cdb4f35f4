// SPDX-License-Identifier: MIT
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include "json_at.h"
#include "oci_profile.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "wire.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define LOW_HALF  0xffffffffull

#if defined(__x86_64__)
static const char *const arch_names[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
static const char docker_arch[] = "amd64"; /* in Docker's conditions */
#else
static const char *const arch_names[] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
static const char docker_arch[] = "arm64";
#endif

static const struct {
	const char *name;
	enum oci_kind kind;
} actions[] = {
	{"SCMP_ACT_ALLOW", OCI_ALLOW},	    {"SCMP_ACT_LOG", OCI_LOG},
	{"SCMP_ACT_ERRNO", OCI_ERRNO},	    {"SCMP_ACT_KILL", OCI_KILL},
	{"SCMP_ACT_KILL_THREAD", OCI_KILL}, {"SCMP_ACT_KILL_PROCESS", OCI_KILL},
	{"SCMP_ACT_TRAP", OCI_KILL},	    {"SCMP_ACT_TRACE", OCI_ASK},
	{"SCMP_ACT_NOTIFY", OCI_ASK},
};

static const char *const op_names[OCI__OPS] = {
	[OCI_NE] = "SCMP_CMP_NE",
	[OCI_LT] = "SCMP_CMP_LT",
	[OCI_LE] = "SCMP_CMP_LE",
	[OCI_EQ] = "SCMP_CMP_EQ",
	[OCI_GE] = "SCMP_CMP_GE",
	[OCI_GT] = "SCMP_CMP_GT",
	[OCI_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

/* ---- reading ---- */

static int index_of(const cJSON *array, const char *text)
{
	const cJSON *v;
	int i = 0;

	if (!cJSON_IsArray(array))
		return -1;
	cJSON_ArrayForEach(v, array)
	{
		if (cJSON_IsString(v) && !strcmp(v->valuestring, text))
			return i;
		i++;
	}
	return -1;
}

/* OCI__KINDS: there is no such action. */
static enum oci_kind kind_of(const char *action)
{
	for (size_t i = 0; i < NR(actions); i++)
		if (!strcmp(actions[i].name, action))
			return actions[i].kind;
	return OCI__KINDS;
}

static struct oci_verdict verdict(const cJSON *o, const char *action, const char *err)
{
	struct oci_verdict v = {kind_of(json_text(o, action)), 0};

	if (v.kind == OCI_ERRNO)
		v.err = cJSON_IsNumber(json_at(o, err)) ? json_at(o, err)->valueint : EPERM;
	return v;
}

struct oci_verdict oci_profile_default(const cJSON *profile)
{
	return verdict(profile, "defaultAction", "defaultErrnoRet");
}

struct oci_verdict oci_rule_verdict(const cJSON *rule)
{
	return verdict(rule, "action", "errnoRet");
}

bool oci_passes(struct oci_verdict v)
{
	return v.kind == OCI_ALLOW || v.kind == OCI_LOG;
}

static bool same(struct oci_verdict a, struct oci_verdict b)
{
	return a.kind == b.kind && a.err == b.err;
}

static __u64 constant(const cJSON *arg, const char *key)
{
	double d = cJSON_GetNumberValue(json_at(arg, key));

	if (!isfinite(d) || d <= 0)
		return 0;
	return d < 0x1p64 ? (__u64)d : ~0ull;
}

struct oci_condition oci_condition(const cJSON *arg)
{
	struct oci_condition c = {(unsigned int)constant(arg, "index"), OCI_NE,
				  constant(arg, "value"), constant(arg, "valueTwo")};

	while (c.op < OCI__OPS && strcmp(op_names[c.op], json_text(arg, "op")) != 0)
		c.op++;
	return c;
}

bool oci_args_are_alternatives(const cJSON *args)
{
	unsigned int used = 0;
	const cJSON *arg;

	cJSON_ArrayForEach(arg, args)
	{
		unsigned int bit = 1u << oci_condition(arg).index;

		if (used & bit)
			return true;
		used |= bit;
	}
	return false;
}

const char *oci_arch_name(__u32 abi)
{
	return abi < NR(arch_names) ? arch_names[abi] : NULL;
}

bool oci_profile_has_abi(const cJSON *profile, __u32 abi)
{
	const char *name = oci_arch_name(abi);

	return abi == EV_ABI_NATIVE ||
	       (name && index_of(json_at(profile, "architectures"), name) >= 0);
}

/* ---- is it one? ---- */

static const char *wrong_rule(const cJSON *rule)
{
	const cJSON *arg;

	if (kind_of(json_text(rule, "action")) == OCI__KINDS)
		return "syscalls[].action";
	if (!cJSON_IsArray(json_at(rule, "names")) && !cJSON_IsString(json_at(rule, "name")))
		return "syscalls[].names";
	cJSON_ArrayForEach(arg, json_at(rule, "args"))
	{
		const cJSON *index = json_at(arg, "index");

		if (!cJSON_IsNumber(index) || index->valuedouble < 0 || index->valuedouble > 5 ||
		    index->valuedouble != floor(index->valuedouble))
			return "syscalls[].args[].index";
		if (oci_condition(arg).op == OCI__OPS)
			return "syscalls[].args[].op";
		if (!cJSON_IsNumber(json_at(arg, "value")))
			return "syscalls[].args[].value";
	}
	return NULL;
}

const char *oci_profile_wrong(const cJSON *profile)
{
	const cJSON *rules = json_at(profile, "syscalls"), *rule;
	const char *wrong = NULL;

	if (kind_of(json_text(profile, "defaultAction")) == OCI__KINDS)
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

enum fit { NO, PERHAPS, YES };

static enum fit decide(bool surely, bool possibly)
{
	return surely ? YES : possibly ? PERHAPS : NO;
}

static enum fit fits(const struct oci_condition *c, const struct oci_call *call)
{
	/* libseccomp compares the lower half alone where arguments are 32 bits wide */
	__u64 width = call->abi == EV_ABI_NATIVE ? ~0ull : LOW_HALF;
	__u64 unknown = call->unknown[c->index] & width;
	__u64 low = call->args[c->index] & width & ~unknown, high = low | unknown;
	__u64 value = c->value & width, mask = value, two = c->two & width;

	switch (c->op) {
	case OCI_LT: return decide(high < value, low < value);
	case OCI_LE: return decide(high <= value, low <= value);
	case OCI_GE: return decide(low >= value, high >= value);
	case OCI_GT: return decide(low > value, high > value);
	case OCI_EQ:
	case OCI_NE:
		mask = width;
		two = value;
		break;
	default: break;
	}
	bool possibly = !((low ^ two) & mask & ~unknown); /* libseccomp masks both sides */
	bool surely = possibly && !(mask & unknown);

	return c->op == OCI_NE ? decide(!possibly, !surely) : decide(surely, possibly);
}

static enum fit all_fit(const cJSON *args, const struct oci_call *call)
{
	bool any = oci_args_are_alternatives(args);
	enum fit best = any ? NO : YES;
	const cJSON *arg;

	cJSON_ArrayForEach(arg, args)
	{
		struct oci_condition c = oci_condition(arg);
		enum fit fit = fits(&c, call);

		if (any ? fit > best : fit < best)
			best = fit;
	}
	return best;
}

static struct oci_answer surely(struct oci_verdict v)
{
	return (struct oci_answer){v, oci_passes(v), !oci_passes(v), true};
}

static void may(struct oci_answer *a, struct oci_verdict v)
{
	if (!a->passes && !a->fails) {
		*a = surely(v);
		return;
	}
	a->sure &= same(a->verdict, v);
	a->passes |= oci_passes(v);
	a->fails |= !oci_passes(v);
}

struct oci_answer oci_profile_answer(const cJSON *profile, const struct oci_call *c)
{
	const char *name = name_syscall(EV_SYSNR(c->abi, c->nr));
	struct oci_verdict other = oci_profile_default(profile);
	struct oci_answer a = {.sure = true};
	bool decided = false;
	const cJSON *rule;

	if (!oci_profile_has_abi(profile, c->abi))
		return surely((struct oci_verdict){OCI_KILL, 0});
	cJSON_ArrayForEach(rule, json_at(profile, "syscalls"))
	{
		struct oci_verdict v = oci_rule_verdict(rule);
		const cJSON *args = json_at(rule, "args");
		enum fit fit;

		if (!name || same(v, other) || index_of(json_at(rule, "names"), name) < 0)
			continue;
		if (!cJSON_GetArraySize(args))
			return surely(v);
		fit = all_fit(args, c);
		if (fit == NO)
			continue;
		may(&a, v);
		if (fit == YES && !decided) {
			a.verdict = v;
			decided = true;
		}
	}
	if (!decided) {
		may(&a, other);
		a.verdict = other;
	}
	return a;
}

bool oci_profile_allows(const cJSON *profile, const char *name)
{
	const cJSON *rule;

	cJSON_ArrayForEach(rule, json_at(profile, "syscalls"))
	{
		if (oci_rule_verdict(rule).kind == OCI_ALLOW &&
		    index_of(json_at(rule, "names"), name) >= 0)
			return true;
	}
	return false;
}

/* ---- others made of it ---- */

cJSON *oci_profile_without(const cJSON *profile, const char *name)
{
	cJSON *copy = cJSON_Duplicate(profile, true), *rules, *refused = NULL;
	int at_rule = 0;

	rules = cJSON_GetObjectItemCaseSensitive(copy, "syscalls");
	while (at_rule < cJSON_GetArraySize(rules)) {
		cJSON *rule = cJSON_GetArrayItem(rules, at_rule);
		cJSON *names = cJSON_GetObjectItemCaseSensitive(rule, "names");
		bool allows = oci_rule_verdict(rule).kind == OCI_ALLOW;
		int i;

		while (allows && (i = index_of(names, name)) >= 0)
			cJSON_DeleteItemFromArray(names, i);
		if (!allows && !refused && !cJSON_GetArraySize(json_at(rule, "args")))
			refused = names;
		/* a rule without names is none that a runtime accepts */
		if (!cJSON_GetArraySize(names))
			cJSON_DeleteItemFromArray(rules, at_rule);
		else
			at_rule++;
	}
	if (refused && index_of(refused, name) < 0)
		cJSON_AddItemToArray(refused, cJSON_CreateString(name));
	return copy;
}

static bool any_of(const cJSON *names, const cJSON *given)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, names)
	{
		if (cJSON_IsString(v) && index_of(given, v->valuestring) >= 0)
			return true;
	}
	return false;
}

/* All capabilities of "includes" are given, none of "excludes"; the architecture is one, and none. */
static bool applies(const cJSON *rule, const cJSON *caps)
{
	const cJSON *in = json_at(rule, "includes"), *out = json_at(rule, "excludes"), *v;
	const cJSON *arches = json_at(in, "arches");

	cJSON_ArrayForEach(v, json_at(in, "caps"))
	{
		if (!cJSON_IsString(v) || index_of(caps, v->valuestring) < 0)
			return false;
	}
	return (!cJSON_GetArraySize(arches) || index_of(arches, docker_arch) >= 0) &&
	       !any_of(json_at(out, "caps"), caps) &&
	       index_of(json_at(out, "arches"), docker_arch) < 0;
}

static void add_all(cJSON *to, const cJSON *strings)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, strings)
	{
		if (cJSON_IsString(v))
			cJSON_AddItemToArray(to, cJSON_CreateString(v->valuestring));
	}
}

static void decide_arch_map(cJSON *copy)
{
	cJSON *map = cJSON_DetachItemFromObjectCaseSensitive(copy, "archMap"), *archs;
	const cJSON *m;

	if (map && !json_at(copy, "architectures"))
		cJSON_AddArrayToObject(copy, "architectures");
	archs = cJSON_GetObjectItemCaseSensitive(copy, "architectures");
	cJSON_ArrayForEach(m, map)
	{
		if (!strcmp(json_text(m, "architecture"), arch_names[EV_ABI_NATIVE]))
			add_all(archs, json_at(m, "subArchitectures"));
	}
	cJSON_Delete(map);
}

cJSON *oci_profile_of_docker(const cJSON *profile, const cJSON *caps)
{
	cJSON *copy = cJSON_Duplicate(profile, true), *rules, *name;

	decide_arch_map(copy);
	rules = cJSON_GetObjectItemCaseSensitive(copy, "syscalls");
	for (int i = 0; i < cJSON_GetArraySize(rules);) {
		cJSON *rule = cJSON_GetArrayItem(rules, i);

		if (!applies(rule, caps)) {
			cJSON_DeleteItemFromArray(rules, i);
			continue;
		}
		name = cJSON_DetachItemFromObjectCaseSensitive(rule, "name"); /* one, of old */
		if (name && !json_at(rule, "names"))
			cJSON_AddArrayToObject(rule, "names");
		if (cJSON_IsString(name))
			cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(rule, "names"),
					     cJSON_Duplicate(name, false));
		cJSON_Delete(name);
		cJSON_DeleteItemFromObjectCaseSensitive(rule, "includes");
		cJSON_DeleteItemFromObjectCaseSensitive(rule, "excludes");
		i++;
	}
	return copy;
}
