// SPDX-License-Identifier: MIT
/* Gates A and C: the command is run again. Gate B is in verify_negative.c, D in verify_portability.c. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>
#include "advise.h"
#include "base_set.h"
#include "json_at.h"
#include "log.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "oci_profile.h"
#include "safety.h"
#include "verify.h"
#include "wire.h"

#define CALLS 1024 /* numbers that are looked at, of each ABI */

int verify_run(const struct verify *v, const cJSON *profile, const cJSON *caps, struct outcome *o)
{
	char **argv = apply_argv(&v->apply, profile, caps);
	int err;

	if (!argv)
		return -EINVAL;
	err = replay_run(&v->replay, argv, o);
	if (err)
		log_error("cannot run %s: %s", argv[0], strerror(-err));
	apply_free(argv);
	return err;
}

int verify_effect(const struct verify *v, const cJSON *profile, const cJSON *caps, bool log,
		  struct outcome *got)
{
	int err = verify_run(v, profile, caps, got);

	return err ? err : (int)replay_effect(&v->want, got, log);
}

void verify_difference(cJSON *out, const char *key, const struct captured *a,
		       const struct captured *b)
{
	const struct captured *sides[] = {a, b};
	static const char *const names[] = {"without", "under"};
	cJSON *o = cJSON_AddObjectToObject(out, key);
	size_t at = 0;
	char line[121];

	while (at < a->len && at < b->len && a->text[at] == b->text[at])
		at++;
	while (at && a->text[at - 1] != '\n')
		at--;
	for (int i = 0; i < 2; i++) {
		size_t len = at < sides[i]->len ? strcspn(sides[i]->text + at, "\n") : 0;

		len = len < sizeof(line) ? len : sizeof(line) - 1;
		if (len)
			memcpy(line, sides[i]->text + at, len);
		line[len] = 0;
		cJSON_AddStringToObject(o, names[i], line);
	}
}

void verify_outcome(const struct verify *v, const struct outcome *got, cJSON *out)
{
	cJSON_AddNumberToObject(out, "exit_status", got->status);
	verify_difference(out, "output", &v->want.out, &got->out);
	verify_difference(out, "log", &v->want.err, &got->err);
}

int verify_oracle(struct verify *v, cJSON *out)
{
	cJSON *o = cJSON_AddObjectToObject(out, "oracle");
	enum effect worst = EFFECT_NONE;

	v->log_is_stable = true;
	for (unsigned int i = 0; i < v->runs; i++) {
		struct outcome again = {0};
		enum effect e;
		int err = verify_run(v, NULL, NULL, i ? &again : &v->want);

		if (err)
			return err;
		if (!i)
			continue;
		e = replay_effect(&v->want, &again, true);
		if (e == EFFECT_LOG)
			v->log_is_stable = false;
		if (e > worst && e > EFFECT_LOG)
			verify_difference(o, "difference", &v->want.out, &again.out);
		worst = e > worst ? e : worst;
		outcome_free(&again);
	}
	if (v->want.status < 0)
		worst = EFFECT_RESULT; /* it never ends: no oracle */
	cJSON_AddNumberToObject(o, "runs", v->runs);
	cJSON_AddBoolToObject(o, "same", worst <= EFFECT_LOG);
	cJSON_AddNumberToObject(o, "exit_status", v->want.status);
	cJSON_AddNumberToObject(o, "output_bytes", (double)v->want.out.len);
	cJSON_AddBoolToObject(o, "log_is_stable", v->log_is_stable);
	return worst <= EFFECT_LOG;
}

int verify_replay(const struct verify *v, cJSON *out)
{
	cJSON *o = cJSON_AddObjectToObject(out, "replay"), *effects;
	int worst = EFFECT_NONE;

	effects = cJSON_AddArrayToObject(o, "effects");
	for (unsigned int i = 0; i < v->runs; i++) {
		struct outcome got = {0};
		int e = verify_effect(v, v->profile, v->caps, v->log_is_stable, &got);

		if (e < 0)
			return e;
		cJSON_AddItemToArray(effects, cJSON_CreateString(effect_names[e]));
		if (e > worst) {
			cJSON_DeleteItemFromObject(o, "output");
			cJSON_DeleteItemFromObject(o, "log");
			cJSON_DeleteItemFromObject(o, "exit_status");
			verify_outcome(v, &got, o);
		}
		worst = e > worst ? e : worst;
		outcome_free(&got);
	}
	/* other messages are told, but what was asked for is there */
	cJSON_AddBoolToObject(o, "passed", worst <= EFFECT_LOG);
	return worst <= EFFECT_LOG;
}

/* ---- gate C ---- */

/* Why @name is kept whatever a run without it shows; NULL: it is to be tried. */
static const char *kept_because(const struct verify *v, const struct advice *a, const char *name)
{
	const char *why = safety_reason(name);
	struct advice_entry e = advice_call(a, name);
	const struct base_choice no_runtime = {.runtime = ""};
	struct base_reason always;

	/* the profile of no report has no calls of other ABIs than the native one */
	if (oci_profile_allows(v->base, name) || base_set_has(&no_runtime, name, &always) ||
	    (e.setup && e.setup == e.count))
		return "the runtime's, or always in";
	return why || !advice_in_vain(&e) ? why : "every call of it failed";
}

/* The worst of some runs; one that does any harm is enough. */
static int ablate(const struct verify *v, const cJSON *profile, const cJSON *caps)
{
	int e = EFFECT_NONE;

	for (int i = 0; i < VERIFY_REPEATS && e == EFFECT_NONE; i++) {
		struct outcome got = {0};

		e = verify_effect(v, profile, caps, v->log_is_stable, &got);
		outcome_free(&got);
	}
	return e;
}

static int add_effect(cJSON *to, const char *name, int effect)
{
	cJSON *o;

	if (effect < 0)
		return effect;
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "name", name);
	cJSON_AddStringToObject(o, "class", effect_names[effect]);
	cJSON_AddItemToArray(to, o);
	return 0;
}

static int ablate_call(const struct verify *v, const char *name, cJSON *entries)
{
	cJSON *without = oci_profile_without(v->profile, name);
	int effect = ablate(v, without, v->caps);

	cJSON_Delete(without);
	log_info("without %s: %s", name, effect < 0 ? strerror(-effect) : effect_names[effect]);
	return add_effect(entries, name, effect);
}

static void add_kept(cJSON *kept, const char *name, const char *why)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "name", name);
	cJSON_AddStringToObject(o, "why", why);
	cJSON_AddItemToArray(kept, o);
}

static int ablate_caps(const struct verify *v, cJSON *out)
{
	cJSON *list = cJSON_AddArrayToObject(out, "capabilities");
	int n = cJSON_GetArraySize(v->caps), err = 0;

	for (int i = 0; i < n && !err; i++) {
		cJSON *fewer = cJSON_Duplicate(v->caps, true);

		cJSON_DeleteItemFromArray(fewer, i);
		err = add_effect(list, cJSON_GetArrayItem(v->caps, i)->valuestring,
				 ablate(v, v->profile, fewer));
		cJSON_Delete(fewer);
	}
	return err;
}

/* Does the profile allow this call, and has no ABI before @abi one of the same name? */
static bool is_entry(const struct verify *v, __u32 abi, const char *name)
{
	for (__u32 before = 0; before < abi; before++)
		if (syscall_number(before, name) >= 0)
			return false;
	return oci_profile_allows(v->profile, name);
}

static int ablate_calls(const struct verify *v, const struct advice *a, cJSON *o)
{
	cJSON *entries = cJSON_AddArrayToObject(o, "entries");
	cJSON *kept = cJSON_AddArrayToObject(o, "kept");
	int err = 0;

	for (__u32 abi = 0; abi <= EV_ABI_X32; abi++)
		for (__u32 nr = 0; nr < CALLS && !err; nr++) {
			const char *name = name_syscall(EV_SYSNR(abi, nr)), *why;

			if (!name || !is_entry(v, abi, name))
				continue;
			why = kept_because(v, a, name);
			if (why)
				add_kept(kept, name, why);
			else
				err = ablate_call(v, name, entries);
		}
	return err;
}

static void add_score(cJSON *o)
{
	const cJSON *entries = json_at(o, "entries"), *e;
	int scored = cJSON_GetArraySize(entries), needed = 0;

	cJSON_ArrayForEach(e, entries)
	{
		needed += strcmp(json_text(e, "class"), effect_names[EFFECT_NONE]) != 0;
	}
	cJSON_AddNumberToObject(o, "repeats", VERIFY_REPEATS);
	cJSON_AddNumberToObject(o, "scored", scored);
	cJSON_AddNumberToObject(o, "needed", needed);
	if (scored)
		cJSON_AddNumberToObject(o, "score", (double)needed / scored);
}

int verify_minimality(const struct verify *v, cJSON *out)
{
	cJSON *o = cJSON_AddObjectToObject(out, "minimality");
	struct advice *a = advice_new();
	int err = a ? 0 : -ENOMEM;
	const cJSON *report;

	cJSON_ArrayForEach(report, v->reports)
	{
		err = err ? err : advice_add(a, report);
	}
	err = err ? err : ablate_calls(v, a, o);
	err = err ? err : ablate_caps(v, o);
	add_score(o);
	advice_free(a);
	return err ? err : 1;
}

void verify_profile(const struct verify *v, cJSON *out)
{
	cJSON *o = cJSON_AddObjectToObject(out, "profile");
	unsigned int known = 0, allowed = 0;

	for (__u32 nr = 0; nr < CALLS; nr++) {
		const char *name = name_syscall(EV_SYSNR(EV_ABI_NATIVE, nr));

		known += name != NULL;
		allowed += name && oci_profile_allows(v->profile, name);
	}
	cJSON_AddNumberToObject(o, "entries", allowed);
	cJSON_AddNumberToObject(o, "known", known);
	cJSON_AddNumberToObject(o, "blocked", known ? 1 - (double)allowed / known : 0);
	cJSON_AddItemToObject(o, "capabilities", cJSON_Duplicate(v->caps, true));
}
