/* SPDX-License-Identifier: MIT */
/*
 * What a seccomp profile in the OCI form says of a call (runtime-spec, config-linux.md#seccomp), read
 * from the document itself: the second opinion beside libseccomp's. Pure.
 */
#ifndef EBPFMON_OCI_PROFILE_H
#define EBPFMON_OCI_PROFILE_H

#include <linux/types.h>
#include <stdbool.h>

struct cJSON;

enum oci_kind { OCI_ALLOW, OCI_LOG, OCI_ERRNO, OCI_KILL, OCI_OTHER };

struct oci_verdict {
	enum oci_kind kind;
	int err; /* of OCI_ERRNO */
};

struct oci_call {
	__u32 abi, nr; /* as in wire.h: EV_ABI_NATIVE, … */
	__u64 args[6];
};

/*
 * The first rule that fits decides, otherwise the default action. A call of an ABI that
 * "architectures" leaves out kills: that is libseccomp's action for it, which no runtime changes.
 */
struct oci_verdict oci_profile_verdict(const struct cJSON *profile, const struct oci_call *c);
/* Does it list the ABI? Without a list, only the native one. */
bool oci_profile_has_abi(const struct cJSON *profile, __u32 abi);
/* The default action. */
struct oci_verdict oci_profile_default(const struct cJSON *profile);
/* The action of one of "syscalls". */
struct oci_verdict oci_rule_verdict(const struct cJSON *rule);
/* Some rule allows @name, perhaps by its arguments only. */
bool oci_profile_allows(const struct cJSON *profile, const char *name);
/*
 * A copy of @profile that does not allow @name: it gets what the profile's other calls get. The
 * caller deletes it. NULL: no memory.
 */
struct cJSON *oci_profile_without(const struct cJSON *profile, const char *name);

#endif
