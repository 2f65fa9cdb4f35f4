/* SPDX-License-Identifier: MIT */
/*
 * The gates that advice must pass (docs/test/least-privilege.md). Each adds what it found to a JSON
 * document, from which the text is made.
 */
#ifndef EBPFMON_VERIFY_H
#define EBPFMON_VERIFY_H

#include "apply.h"
#include "replay.h"

#define VERIFY_REPEATS 3 /* of gate C, before an entry counts as not needed */

struct cJSON;

struct verify {
	struct apply apply;
	struct replay replay;
	unsigned int runs;
	const struct cJSON *reports; /* array */
	const struct cJSON *profile, *caps; /* the advice */
	const struct cJSON
		*base; /* the profile of no report: what is in without having been recorded */
	struct outcome want; /* what the command does as it is; verify_oracle() sets it */
	bool log_is_stable;
};

/* Each: 1 passed, 0 not, or -errno after saying what is wrong. */
int verify_oracle(struct verify *v, struct cJSON *out);
int verify_replay(const struct verify *v, struct cJSON *out);
int verify_negative(const struct verify *v, struct cJSON *out);
/* Gate C: only measured, so it passes when it could be. */
int verify_minimality(const struct verify *v, struct cJSON *out);
/* The share of known calls that the profile refuses. */
void verify_profile(const struct verify *v, struct cJSON *out);

#endif
