/* SPDX-License-Identifier: MIT */
/*
 * What the kernel answers to calls under a seccomp profile: they are made, by number, in children
 * that live under the filter that libseccomp makes of the profile, as runtimes do.
 */
#ifndef EBPFMON_PROBE_H
#define EBPFMON_PROBE_H

#include <stddef.h>
#include "oci_profile.h"

struct probe {
	struct oci_call call;
	bool done; /* it was answered, or it killed */
	int signal; /* that killed the child; 0: it came back */
	long result; /* as of the instruction: -errno or a value */
};

/*
 * Makes each call of @probes (@nr of them) under @profile, without privileges. Only calls that the
 * profile refuses should be asked for. 0, or -errno: no filter can be made of the profile, or no
 * child can be made. A call of an ABI that this kernel lacks stays !done.
 */
int probe_calls(const struct cJSON *profile, struct probe *probes, size_t nr);
/* Can calls of @abi be made here? Asked of the kernel, without a filter. */
bool probe_has_abi(__u32 abi);

#endif
