/* SPDX-License-Identifier: MIT */
/*
 * Advice as what runtimes read. Pure: what is written comes from our own tables, but for paths, names
 * and addresses, which are escaped.
 */
#ifndef EBPFMON_ADVISE_RENDER_H
#define EBPFMON_ADVISE_RENDER_H

#include "advise.h"
#include "base_set.h"

enum advice_action { ADVICE_ERRNO, ADVICE_LOG, ADVICE_KILL };

struct advice_form {
	struct base_choice base;
	enum advice_action action; /* of calls that are not allowed */
	bool args; /* narrow calls by their arguments */
	const char *profile; /* the file that holds the seccomp profile; NULL: NAME-seccomp.json */
};

/* The profile, in the OCI form that all runtimes read. */
void advice_seccomp(FILE *out, const struct advice *a, const struct advice_form *f);
/* The profile to record under: it allows everything. */
void advice_recording_profile(FILE *out);
/* Per entry, how often, by whom and in how many of the reports, or why else it is there. */
void advice_seccomp_explain(FILE *out, const struct advice *a, const struct advice_form *f);

enum capability_form { CAPS_JSON, CAPS_DOCKER, CAPS_OCI, CAPS_KUBERNETES };

/* CAPS_JSON: all forms and the evidence, in one document. */
void advice_capabilities(FILE *out, const struct advice *a, enum capability_form form);
/* Options of docker run, on one line that is not ended. */
void advice_capability_flags(FILE *out, const struct advice *a);

/* All advice together: a command line, a compose file, a Pod and its NetworkPolicy. */
void advice_docker(FILE *out, const struct advice *a, const struct advice_form *f);
void advice_compose(FILE *out, const struct advice *a, const struct advice_form *f);
void advice_kubernetes(FILE *out, const struct advice *a, const struct advice_form *f);
/* A profile as apparmor_parser(8) reads it. */
void advice_apparmor(FILE *out, const struct advice *a, const struct advice_form *f);

/* A string of a report in double quotes, for JSON and for YAML; ASCII only. */
void advice_quote(FILE *out, const char *s);
void advice_yaml(FILE *out, const char *s);
/* The same as one word of bash. */
void advice_shell(FILE *out, const char *s);
/* The same for people: what is not printable ASCII, and '\', as \xNN. */
void advice_text(FILE *out, const char *s);
/* In letters that a DNS label has; "data" when none is left. @size of 64 holds all. */
void advice_label(char *out, size_t size, const char *s);
/* What to call it: the container's name as such a label, or "workload". */
void advice_name(char *out, size_t size, const struct advice *a);
/* The file of the seccomp profile, as the user or we call it. */
void advice_profile_name(char *out, size_t size, const struct advice *a,
			 const struct advice_form *f);

#endif
