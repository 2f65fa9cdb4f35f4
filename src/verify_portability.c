// SPDX-License-Identifier: MIT
/* Gate D: one profile, other runtimes: each loads it at another moment, and calls other things after it. */
#include <cjson/cJSON.h>
#include "verify.h"

/* Messages are the runtime's, too, and differ between runtimes: they are no finding. */
static int try_mode(struct verify *v, bool new_privileges, cJSON *o)
{
	cJSON *effects = cJSON_AddArrayToObject(o, "effects");
	int worst = EFFECT_NONE;

	cJSON_AddBoolToObject(o, "no_new_privileges", !new_privileges);
	v->apply.new_privileges = new_privileges;
	for (unsigned int i = 0; i < v->runs; i++) {
		struct outcome got = {0};
		int e = verify_effect(v, v->profile, v->caps, false, &got);

		if (e < 0)
			return e;
		cJSON_AddItemToArray(effects, cJSON_CreateString(effect_names[e]));
		if (e != EFFECT_NONE && worst == EFFECT_NONE)
			verify_outcome(v, &got, o);
		worst = e > worst ? e : worst;
		outcome_free(&got);
	}
	return worst == EFFECT_NONE;
}

static int add_mode(struct verify *v, bool new_privileges, cJSON *modes)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddItemToArray(modes, o);
	return try_mode(v, new_privileges, o);
}

/* Does the command do the same by this runtime, as it is? */
static int is_same(const struct verify *v, cJSON *o)
{
	struct outcome got = {0};
	int err = verify_run(v, NULL, NULL, &got);
	bool same = !err && replay_effect(&v->want, &got, false) == EFFECT_NONE;

	cJSON_AddBoolToObject(o, "same", same);
	if (!err && !same) {
		verify_difference(o, "difference", &v->want.out, &got.out);
		verify_difference(o, "log", &v->want.err, &got.err);
	}
	outcome_free(&got);
	return err ? err : same;
}

/* A program that gains privileges cannot do its work where it may not: then that is not asked. */
static int try_modes(struct verify *v, cJSON *modes)
{
	const bool gains = v->apply.new_privileges;
	int without, with = gains ? 1 : add_mode(v, false, modes);

	if (with < 0)
		return with;
	without = add_mode(v, true, modes);
	v->apply.new_privileges = gains;
	return without < 0 ? without : with && without;
}

int verify_portability(struct verify *v, cJSON *out)
{
	cJSON *gate = cJSON_AddObjectToObject(out, "portability");
	cJSON *list = cJSON_AddArrayToObject(gate, "runtimes");
	bool rejected = false, failed = false;
	int ok = 1;

	for (unsigned int i = 0; i < v->nr_runtimes && ok >= 0; i++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddItemToArray(list, o);
		cJSON_AddStringToObject(o, "runtime", v->runtimes[i]);
		v->apply.runtime = v->runtimes[i];
		ok = is_same(v, o);
		rejected |= !ok;
		if (ok > 0) {
			ok = try_modes(v, cJSON_AddArrayToObject(o, "modes"));
			failed |= !ok;
		}
	}
	v->apply.runtime = v->runtimes[0];
	cJSON_AddBoolToObject(gate, "passed", !rejected && !failed);
	cJSON_AddBoolToObject(gate, "rejected", rejected && !failed);
	return ok < 0 ? ok : !rejected && !failed;
}
