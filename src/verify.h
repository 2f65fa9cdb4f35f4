/* SPDX-License-Identifier: MIT */
/*
 * The gates that advice must pass (docs/test/least-privilege.md). Each adds what it found to a JSON
 * document, from which the text is made.
 */
#ifndef EBPFMON_VERIFY_H
#define EBPFMON_VERIFY_H

#include "apply.h"
#include "replay.h"

#define VERIFY_REPEATS	    3 /* of gate C, before an entry counts as not needed */
#define VERIFY_RUNTIMES_MAX 8

struct cJSON;

struct verify {
	struct apply apply;
	struct replay replay;
	unsigned int runs;
	char *runtimes[VERIFY_RUNTIMES_MAX]; /* for {runtime}; all gates but D use the first */
	unsigned int nr_runtimes;
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
/*
 * Gate D: every runtime, with and without no_new_privs, under the same profile. "rejected" is set where
 * nothing is wrong but that a runtime does otherwise without the advice, too.
 */
int verify_portability(struct verify *v, struct cJSON *out);
/*
 * Runs the command once: under @profile and @caps, or as it is when they are NULL. 0, or -errno after saying
 * what is wrong; then the outcome is untouched, otherwise the caller's to free.
 */
int verify_run(const struct verify *v, const struct cJSON *profile, const struct cJSON *caps,
	       struct outcome *o);
/* The same, and enum effect of what it did beside what it does as it is; @log: its messages count. */
int verify_effect(const struct verify *v, const struct cJSON *profile, const struct cJSON *caps,
		  bool log, struct outcome *got);
/* How the command ended, and its first differences from how it does as it is, as members of @out. */
void verify_outcome(const struct verify *v, const struct outcome *got, struct cJSON *out);
/* What the first difference looks like, for people: a line of each side, as member @key of @out. */
void verify_difference(struct cJSON *out, const char *key, const struct captured *without,
		       const struct captured *under);
/* The share of known calls that the profile refuses. */
void verify_profile(const struct verify *v, struct cJSON *out);

#endif
