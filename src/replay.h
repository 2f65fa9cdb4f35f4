/* SPDX-License-Identifier: MIT */
/* A command run to its end, what came of it, and how that differs from what came of it before. */
#ifndef EBPFMON_REPLAY_H
#define EBPFMON_REPLAY_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#define REPLAY_IGNORE_MAX 16

struct replay {
	unsigned int timeout; /* seconds; then SIGTERM, and SIGKILL after ten more */
	regex_t ignore[REPLAY_IGNORE_MAX]; /* what matches is no difference: each becomes a '*' */
	unsigned int nr_ignore;
};

struct captured {
	char *text; /* ended by a 0 that is not counted */
	size_t len;
};

struct outcome {
	int status; /* exit status; 128+N: signal N; -1: it took too long */
	struct captured out, err;
};

/* What taking something away did, the worst last. */
enum effect {
	EFFECT_NONE,
	EFFECT_LOG, /* other messages on standard error */
	EFFECT_EXIT, /* another exit status */
	EFFECT_RESULT, /* other output, or it took too long */
	EFFECT_START, /* another exit status, and no output where there was some: it did not start */
	EFFECT__MAX,
};

extern const char *const effect_names[EFFECT__MAX];

/*
 * Runs @argv (ended by NULL; found by PATH, no shell) with nothing to read. 0, or -errno: it could
 * not be run. Then the outcome is the caller's to free; otherwise it is untouched.
 */
int replay_run(const struct replay *r, char *const *argv, struct outcome *o);
void outcome_free(struct outcome *o);
/* Standard error counts only where @log says that it is always the same. */
enum effect replay_effect(const struct outcome *want, const struct outcome *got, bool log);

#endif
