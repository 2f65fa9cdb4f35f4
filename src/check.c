// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "json_at.h"
#include "oci_profile.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "wire.h"

const char *check_kind_name(enum check_kind kind)
{
	static const char *const names[] = {"blocked", "perhaps_blocked", "unneeded"};

	return names[kind];
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

/*
 * A call as far as it is recorded: @g keeps the lower half of some arguments. The upper one is zero
 * then, or the sign of an int. NULL: nothing of them is known.
 */
static struct oci_call call_of(__u32 abi, __u32 nr, const struct advice_arguments *g)
{
	struct oci_call c = {abi, nr, {0}, {~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull}};
	const char *name = name_syscall(EV_SYSNR(abi, nr));

	for (size_t i = 0; g && i < sizeof(known_arguments) / sizeof(known_arguments[0]); i++) {
		if (strcmp(known_arguments[i].call, name) != 0)
			continue;
		for (int k = 0; k < ADVICE_ARGS; k++) {
			__u32 mask = known_arguments[i].arg[k].mask, v = g->value[k];
			int index = known_arguments[i].arg[k].index;

			if (!mask)
				continue;
			c.args[index] = v;
			c.unknown[index] = (__u32)~mask | (v >> 31 ? 0xffffffffull << 32 : 0);
		}
	}
	return c;
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
	snprintf(f->name, sizeof(f->name), "%s%s", name_abi(sysnr >> 16), name_syscall(sysnr));
	va_start(args, fmt);
	vsnprintf(f->why, sizeof(f->why), fmt, args);
	va_end(args);
}

static void add_arguments(struct check *c, const cJSON *profile, const struct advice *a,
			  const struct advice_entry *e, __u32 abi, __u32 nr)
{
	__u64 unknown = e->count;
	struct oci_answer answer;
	struct oci_call call;

	for (size_t i = 0; i < a->nr_arguments; i++) {
		const struct advice_arguments *g = &a->arguments[i];

		if (g->abi != abi || g->nr != nr)
			continue;
		unknown -= g->count < unknown ? g->count : unknown;
		call = call_of(abi, nr, g);
		answer = oci_profile_answer(profile, &call);
		if (answer.fails)
			add(c, answer.passes ? CHECK_PERHAPS : CHECK_BLOCKED, EV_SYSNR(abi, nr),
			    g->count, "with arguments 0x%x, 0x%x, 0x%x", g->value[0], g->value[1],
			    g->value[2]);
	}
	call = call_of(abi, nr, NULL);
	answer = oci_profile_answer(profile, &call);
	if (unknown && answer.fails)
		add(c, answer.passes ? CHECK_PERHAPS : CHECK_BLOCKED, EV_SYSNR(abi, nr), unknown,
		    answer.passes ? "by arguments that are not in the record"
				  : "no rule lets it pass");
}

static void add_recorded(struct check *c, const cJSON *profile, const struct advice *a)
{
	for (__u32 abi = 0; abi < ADVICE_ABIS; abi++)
		for (__u32 nr = 0; nr < ADVICE_CALLS; nr++) {
			const struct advice_entry *e = &a->calls[abi][nr];

			if (!e->runs)
				continue;
			if (!oci_profile_has_abi(profile, abi))
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
		struct oci_call call = call_of(EV_ABI_NATIVE, nr, NULL);
		struct oci_answer answer;

		if (!name || advice_call(a, name).runs || base_set_has(base, name, &why))
			continue;
		answer = oci_profile_answer(profile, &call);
		if (answer.passes)
			add(c, CHECK_UNNEEDED, EV_SYSNR(EV_ABI_NATIVE, nr), 0, "%s",
			    answer.fails ? "never called; allowed by its arguments"
					 : "never called");
	}
}

static cJSON *given(const struct advice *a)
{
	const struct fact_set *s = &a->facts.sets[FACT_CONFIGURED];
	cJSON *caps = cJSON_CreateArray();

	for (size_t i = 0; i < s->nr; i++)
		cJSON_AddItemToArray(caps, cJSON_CreateString(s->v[i].key));
	return caps;
}

int check_profile(struct check *c, const cJSON *profile, const struct advice *a,
		  const struct base_choice *base, const char **wrong)
{
	cJSON *caps, *plain;
	const cJSON *rule;

	*c = (struct check){};
	*wrong = oci_profile_wrong(profile);
	if (*wrong)
		return -EINVAL;
	c->has_arch_map = json_at(profile, "archMap") != NULL;
	cJSON_ArrayForEach(rule, json_at(profile, "syscalls"))
	{
		c->has_conditions |= cJSON_GetArraySize(json_at(rule, "includes")) ||
				     cJSON_GetArraySize(json_at(rule, "excludes"));
	}
	caps = given(a);
	plain = oci_profile_of_docker(profile, caps);
	if (plain) {
		add_recorded(c, plain, a);
		add_unneeded(c, plain, a, base);
	}
	cJSON_Delete(caps);
	cJSON_Delete(plain);
	return !plain || c->no_memory ? -ENOMEM : 0;
}
