/* SPDX-License-Identifier: MIT */
/*
 * What a seccomp profile in the OCI form says of a call (runtime-spec, config-linux.md#seccomp), read
 * from the document itself: the second opinion beside libseccomp's (seccomp_filter.h). Pure.
 */
#ifndef EBPFMON_OCI_PROFILE_H
#define EBPFMON_OCI_PROFILE_H

#include <linux/types.h>
#include <stdbool.h>

struct cJSON;

enum oci_kind {
	OCI_ALLOW,
	OCI_LOG, /* it passes as well */
	OCI_ERRNO,
	OCI_KILL, /* SIGSYS, be it of the process, the thread or a trap */
	OCI_ASK, /* another process decides (trace, notify) */
	OCI__KINDS,
};

struct oci_verdict {
	enum oci_kind kind;
	int err; /* of OCI_ERRNO */
};

struct oci_call {
	__u32 abi, nr; /* as in wire.h: EV_ABI_NATIVE, … */
	__u64 args[6];
	__u64 unknown[6]; /* bits of the arguments that are not known */
};

struct oci_answer {
	struct oci_verdict verdict; /* of the first rule that surely fits, or the default */
	/* What may come of it. Both: bits that are not known decide, or rules contradict each other. */
	bool passes, fails;
	bool sure; /* no rule may say anything else than @verdict */
};

/* The comparisons, as libseccomp numbers them. */
enum oci_op { OCI_NE = 1, OCI_LT, OCI_LE, OCI_EQ, OCI_GE, OCI_GT, OCI_MASKED_EQ, OCI__OPS };

struct oci_condition {
	unsigned int index; /* of the argument, 0 to 5 */
	enum oci_op op;
	__u64 value, two; /* OCI_MASKED_EQ: the mask, and what is to be under it */
};

/* NULL when it is a profile; else the member that is missing or wrong. What is below wants one. */
const char *oci_profile_wrong(const struct cJSON *profile);
/*
 * What libseccomp and the runtimes make of it: a rule without conditions decides; then one whose
 * conditions fit; then the default action. A rule that says what the default says is none. A call of
 * an ABI that is not listed kills: that is libseccomp's action for it, which no runtime changes. The
 * multiplexers of 32-bit x86 (socketcall, ipc) go by their own name here.
 */
struct oci_answer oci_profile_answer(const struct cJSON *profile, const struct oci_call *c);
bool oci_passes(struct oci_verdict v);
/* "SCMP_ARCH_X86_64", …; NULL: this machine has no such ABI. */
const char *oci_arch_name(__u32 abi);
/* Is it listed? The native one always is: runtimes add it. */
bool oci_profile_has_abi(const struct cJSON *profile, __u32 abi);
/* The default action. */
struct oci_verdict oci_profile_default(const struct cJSON *profile);
/* The action of one of "syscalls". */
struct oci_verdict oci_rule_verdict(const struct cJSON *rule);
/* One of a rule's "args". */
struct oci_condition oci_condition(const struct cJSON *arg);
/* Of a rule's "args", two are on the same argument: then each is a rule of its own to runc and crun. */
bool oci_args_are_alternatives(const struct cJSON *args);
/* Some rule allows @name, perhaps by its arguments only. */
bool oci_profile_allows(const struct cJSON *profile, const char *name);
/*
 * A copy of @profile that does not allow @name: it gets what the profile's other calls get. The
 * caller deletes it. NULL: no memory.
 */
struct cJSON *oci_profile_without(const struct cJSON *profile, const char *name);
/*
 * What Docker hands to the runtime: a copy in which the rules are decided that hang on "includes" and
 * "excludes" (by @caps, an array of names: those that the container is given), and "archMap" is made
 * into "architectures". The caller deletes it. NULL: no memory.
 */
struct cJSON *oci_profile_of_docker(const struct cJSON *profile, const struct cJSON *caps);

#endif
