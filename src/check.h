/* SPDX-License-Identifier: MIT */
/*
 * A seccomp profile (OCI runtime-spec, config-linux.md; with Docker's includes, excludes and archMap)
 * against what was recorded. Pure; the profile is not trusted.
 */
#ifndef EBPFMON_CHECK_H
#define EBPFMON_CHECK_H

#include "advise.h"
#include "base_set.h"

struct cJSON;

struct check_finding {
	enum check_kind {
		CHECK_BLOCKED, /* recorded, and the profile does not let it pass */
		CHECK_PERHAPS, /* it depends on arguments that the record has not */
		CHECK_UNNEEDED, /* allowed, and neither recorded nor the runtime's */
		CHECK__KINDS,
	} kind;
	char name[64]; /* of the call, with its ABI's prefix as in a report */
	char why[160];
	__u64 count;
};

struct check {
	struct check_finding *v;
	size_t nr;
	bool no_memory;
	/* what the profile uses that not every runtime understands */
	bool has_conditions, has_arch_map;
};

/*
 * 0; -EINVAL when @profile is none: then *@wrong says which member. Conditions on capabilities
 * are decided by those that the container was given. free() c->v.
 */
int check_profile(struct check *c, const struct cJSON *profile, const struct advice *a,
		  const struct base_choice *base, const char **wrong);
const char *check_kind_name(enum check_kind kind);

#endif
