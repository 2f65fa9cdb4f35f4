/* SPDX-License-Identifier: MIT */
/* A command that starts a container, under advice or as it is. */
#ifndef EBPFMON_APPLY_H
#define EBPFMON_APPLY_H

#include <stdbool.h>

struct cJSON;

struct apply {
	char *const *command; /* with "{}" in it; ended by NULL */
	const char *
		bundle; /* of an OCI runtime: "{}" is a changed copy's path; NULL: "{}" is options */
	const char *runtime; /* what "{runtime}" in the command becomes; NULL: nothing does */
	bool new_privileges; /* without no-new-privileges */
	char dir[64]; /* where profile and copy are; apply_open() makes it */
};

/* 0, or -errno after saying what is wrong. */
int apply_open(struct apply *a);
void apply_close(struct apply *a);
/*
 * The command with the advice put in: @profile and @caps (an array of names), or as it is when they
 * are NULL. It is good until the next one is made. NULL after saying what is wrong; the
 * caller frees it with apply_free().
 */
char **apply_argv(const struct apply *a, const struct cJSON *profile, const struct cJSON *caps);
void apply_free(char **argv);

#endif
