// SPDX-License-Identifier: MIT
#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>
#include "json_at.h"
#include "oci_profile.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "wire.h"

static const struct {
	const char *name;
	enum oci_kind kind;
} kinds[] = {
	{"SCMP_ACT_ALLOW", OCI_ALLOW},	    {"SCMP_ACT_LOG", OCI_LOG},
	{"SCMP_ACT_ERRNO", OCI_ERRNO},	    {"SCMP_ACT_KILL", OCI_KILL},
	{"SCMP_ACT_KILL_THREAD", OCI_KILL}, {"SCMP_ACT_KILL_PROCESS", OCI_KILL},
};

#if defined(__x86_64__)
static const char *const arch_names[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#else
static const char *const arch_names[] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", ""};
#endif

#define NR_ARCHS (sizeof(arch_names) / sizeof(arch_names[0]))

static bool is(const cJSON *v, const char *text)
{
	return cJSON_IsString(v) && !strcmp(v->valuestring, text);
}

static int index_of(const cJSON *array, const char *text)
{
	int n = cJSON_IsArray(array) ? cJSON_GetArraySize(array) : 0;

	for (int i = 0; i < n; i++)
		if (is(cJSON_GetArrayItem(array, i), text))
			return i;
	return -1;
}

static struct oci_verdict verdict(const cJSON *action, const cJSON *err)
{
	struct oci_verdict v = {OCI_OTHER, 0};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (is(action, kinds[i].name))
			v.kind = kinds[i].kind;
	if (v.kind == OCI_ERRNO)
		v.err = cJSON_IsNumber(err) ? err->valueint : EPERM;
	return v;
}

struct oci_verdict oci_profile_default(const cJSON *profile)
{
	return verdict(json_at(profile, "defaultAction"), json_at(profile, "defaultErrnoRet"));
}

struct oci_verdict oci_rule_verdict(const cJSON *rule)
{
	return verdict(json_at(rule, "action"), json_at(rule, "errnoRet"));
}

bool oci_profile_has_abi(const cJSON *profile, __u32 abi)
{
	const cJSON *archs = json_at(profile, "architectures");

	if (!cJSON_GetArraySize(archs))
		return abi == EV_ABI_NATIVE;
	return abi < NR_ARCHS && index_of(archs, arch_names[abi]) >= 0;
}

/* One entry of "args": the comparison of libseccomp's seccomp_rule_add(3). */
static bool fits(const cJSON *arg, const struct oci_call *c)
{
	const cJSON *op = json_at(arg, "op"), *index = json_at(arg, "index");
	__u64 value = (__u64)cJSON_GetNumberValue(json_at(arg, "value"));
	const cJSON *two = json_at(arg, "valueTwo");
	__u64 v;

	if (!cJSON_IsNumber(index) || index->valueint < 0 || index->valueint > 5)
		return false;
	v = c->args[index->valueint];
	if (is(op, "SCMP_CMP_MASKED_EQ"))
		return (v & value) == (cJSON_IsNumber(two) ? (__u64)two->valuedouble : 0);
	return (is(op, "SCMP_CMP_EQ") && v == value) || (is(op, "SCMP_CMP_NE") && v != value) ||
	       (is(op, "SCMP_CMP_LT") && v < value) || (is(op, "SCMP_CMP_LE") && v <= value) ||
	       (is(op, "SCMP_CMP_GT") && v > value) || (is(op, "SCMP_CMP_GE") && v >= value);
}

/* The arguments of one rule must all fit; but runc and crun take several on the same one as alternatives. */
static bool all_fit(const cJSON *args, const struct oci_call *c)
{
	bool by_index[6] = {false}, wanted[6] = {false};
	const cJSON *arg;

	cJSON_ArrayForEach(arg, args)
	{
		const cJSON *index = json_at(arg, "index");

		if (!cJSON_IsNumber(index) || index->valueint < 0 || index->valueint > 5)
			return false;
		wanted[index->valueint] = true;
		by_index[index->valueint] |= fits(arg, c);
	}
	return !memcmp(by_index, wanted, sizeof(wanted));
}

struct oci_verdict oci_profile_verdict(const cJSON *profile, const struct oci_call *c)
{
	const char *name = name_syscall(EV_SYSNR(c->abi, c->nr));
	const cJSON *rule;

	if (!oci_profile_has_abi(profile, c->abi))
		return (struct oci_verdict){OCI_KILL, 0};
	cJSON_ArrayForEach(rule, json_at(profile, "syscalls"))
	{
		if (name && index_of(json_at(rule, "names"), name) >= 0 &&
		    all_fit(json_at(rule, "args"), c))
			return oci_rule_verdict(rule);
	}
	return oci_profile_default(profile);
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
