// SPDX-License-Identifier: MIT
#include <cjson/cJSON.h>
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "json_at.h"
#include "oci_profile.h"
#include "seccomp_filter.h"

#define FILTER_MAX (4096 * sizeof(struct sock_filter)) /* BPF_MAXINSNS */

static uint32_t action_of(struct oci_verdict v)
{
	switch (v.kind) {
	case OCI_ALLOW: return SCMP_ACT_ALLOW;
	case OCI_LOG: return SCMP_ACT_LOG;
	case OCI_ERRNO: return SCMP_ACT_ERRNO((uint32_t)v.err);
	default: return SCMP_ACT_KILL_PROCESS;
	}
}

/* The comparisons are numbered as libseccomp's are. */
_Static_assert((int)OCI_NE == (int)SCMP_CMP_NE && (int)OCI_LT == (int)SCMP_CMP_LT &&
		       (int)OCI_LE == (int)SCMP_CMP_LE && (int)OCI_EQ == (int)SCMP_CMP_EQ &&
		       (int)OCI_GE == (int)SCMP_CMP_GE && (int)OCI_GT == (int)SCMP_CMP_GT &&
		       (int)OCI_MASKED_EQ == (int)SCMP_CMP_MASKED_EQ,
	       "enum oci_op");

static struct scmp_arg_cmp compare_of(const cJSON *arg)
{
	struct oci_condition c = oci_condition(arg);

	return (struct scmp_arg_cmp){c.index, (enum scmp_compare)c.op, c.value, c.two};
}

static int add_rule(scmp_filter_ctx ctx, uint32_t action, int nr, const cJSON *args)
{
	bool each = oci_args_are_alternatives(args);
	struct scmp_arg_cmp all[6];
	unsigned int n = 0;
	const cJSON *arg;
	int err = 0;

	cJSON_ArrayForEach(arg, args)
	{
		all[n] = compare_of(arg);
		if (each)
			err = err ? err : seccomp_rule_add_array(ctx, action, nr, 1, all);
		else
			n++;
	}
	return each ? err : seccomp_rule_add_array(ctx, action, nr, n, all);
}

/* A name that libseccomp does not know is left out, as runtimes do: it gets the default action. */
static int add_rules(scmp_filter_ctx ctx, const cJSON *profile)
{
	uint32_t fallback = action_of(oci_profile_default(profile));
	const cJSON *rule, *name;

	cJSON_ArrayForEach(rule, json_at(profile, "syscalls"))
	{
		uint32_t action = action_of(oci_rule_verdict(rule));
		const cJSON *args = json_at(rule, "args");

		if (action == fallback)
			continue;
		cJSON_ArrayForEach(name, json_at(rule, "names"))
		{
			int nr = cJSON_IsString(name)
					 ? seccomp_syscall_resolve_name(name->valuestring)
					 : __NR_SCMP_ERROR;
			int err = nr == __NR_SCMP_ERROR ? 0 : add_rule(ctx, action, nr, args);

			if (err)
				return err;
		}
	}
	return 0;
}

static int add_archs(scmp_filter_ctx ctx, const cJSON *profile)
{
#if defined(__x86_64__)
	static const uint32_t archs[] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32};
#else
	static const uint32_t archs[] = {SCMP_ARCH_AARCH64, SCMP_ARCH_ARM};
#endif

	for (uint32_t abi = 0; abi < sizeof(archs) / sizeof(archs[0]); abi++) {
		int err = oci_profile_has_abi(profile, abi) ? seccomp_arch_add(ctx, archs[abi]) : 0;

		if (err && err != -EEXIST)
			return err;
	}
	return 0;
}

int seccomp_filter_make(const cJSON *profile, struct sock_fprog *out)
{
	scmp_filter_ctx ctx = seccomp_init(action_of(oci_profile_default(profile)));
	int fd = memfd_create("filter", MFD_CLOEXEC);
	struct sock_filter *code = malloc(FILTER_MAX);
	long n = -ENOMEM;

	if (ctx && code && fd >= 0) {
		n = add_archs(ctx, profile);
		n = n ? n : add_rules(ctx, profile);
		n = n ? n : seccomp_export_bpf(ctx, fd);
		if (!n)
			n = pread(fd, code, FILTER_MAX, 0);
	}
	if (fd >= 0)
		close(fd);
	seccomp_release(ctx);
	if (n <= 0) {
		free(code);
		return n ? (int)n : -EINVAL;
	}
	*out = (struct sock_fprog){(unsigned short)((size_t)n / sizeof(*code)), code};
	return 0;
}
