// SPDX-License-Identifier: MIT
#include <cjson/cJSON.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "probe.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "wire.h"

#define NOBODY	   65534
#define CHILD_SECS 5 /* a call that hangs was let through: its child is killed by SIGALRM */
#define FILTER_MAX (4096 * sizeof(struct sock_filter)) /* BPF_MAXINSNS */
#define X32_BIT	   0x40000000

/* ---- the filter, as runtimes make it ---- */

static uint32_t action_of(struct oci_verdict v)
{
	switch (v.kind) {
	case OCI_ALLOW: return SCMP_ACT_ALLOW;
	case OCI_LOG: return SCMP_ACT_LOG;
	case OCI_ERRNO: return SCMP_ACT_ERRNO((uint32_t)v.err);
	default: return SCMP_ACT_KILL_PROCESS;
	}
}

static const struct {
	const char *name;
	enum scmp_compare op;
} compares[] = {
	{"SCMP_CMP_NE", SCMP_CMP_NE},
	{"SCMP_CMP_LT", SCMP_CMP_LT},
	{"SCMP_CMP_LE", SCMP_CMP_LE},
	{"SCMP_CMP_EQ", SCMP_CMP_EQ},
	{"SCMP_CMP_GE", SCMP_CMP_GE},
	{"SCMP_CMP_GT", SCMP_CMP_GT},
	{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

static struct scmp_arg_cmp compare_of(const cJSON *arg)
{
	const char *op = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(arg, "op"));
	const cJSON *two = cJSON_GetObjectItemCaseSensitive(arg, "valueTwo");
	struct scmp_arg_cmp c = {
		.arg = (unsigned int)cJSON_GetNumberValue(
			cJSON_GetObjectItemCaseSensitive(arg, "index")),
		.datum_a = (scmp_datum_t)cJSON_GetNumberValue(
			cJSON_GetObjectItemCaseSensitive(arg, "value")),
		.datum_b = cJSON_IsNumber(two) ? (scmp_datum_t)two->valuedouble : 0,
	};

	for (size_t i = 0; op && i < sizeof(compares) / sizeof(compares[0]); i++)
		if (!strcmp(op, compares[i].name))
			c.op = compares[i].op;
	return c;
}

/* runc and crun add a rule for each comparison when two of them are on the same argument. */
static int add_rule(scmp_filter_ctx ctx, uint32_t action, int nr, const cJSON *args)
{
	struct scmp_arg_cmp all[6];
	unsigned int n = 0, used = 0;
	bool twice = false;
	const cJSON *arg;
	int err = 0;

	cJSON_ArrayForEach(arg, args)
	{
		struct scmp_arg_cmp c = compare_of(arg);

		if (c.arg > 5)
			return -EINVAL;
		twice |= used >> c.arg & 1;
		used |= 1u << c.arg;
		if (n < 6)
			all[n++] = c;
	}
	if (!twice)
		return seccomp_rule_add_array(ctx, action, nr, n, all);
	cJSON_ArrayForEach(arg, args)
	{
		struct scmp_arg_cmp c = compare_of(arg);

		err = err ? err : seccomp_rule_add_array(ctx, action, nr, 1, &c);
	}
	return err;
}

/* A name that libseccomp does not know is left out, as runtimes do: it gets the default action. */
static int add_rules(scmp_filter_ctx ctx, const cJSON *profile)
{
	uint32_t fallback = action_of(oci_profile_default(profile));
	const cJSON *rule, *name;

	cJSON_ArrayForEach(rule, cJSON_GetObjectItemCaseSensitive(profile, "syscalls"))
	{
		uint32_t action = action_of(oci_rule_verdict(rule));
		const cJSON *args = cJSON_GetObjectItemCaseSensitive(rule, "args");

		if (action == fallback)
			continue;
		cJSON_ArrayForEach(name, cJSON_GetObjectItemCaseSensitive(rule, "names"))
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

/* The filter's program, which the caller frees. Its length in bytes, or -errno. */
static long filter_of(const cJSON *profile, struct sock_filter **program)
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
		return n ? n : -EINVAL;
	}
	*program = code;
	return n;
}

/* ---- the children ---- */

#if defined(__x86_64__)
static long call_compat(const struct oci_call *c)
{
	long result = (long)c->nr;

	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 : "b"(c->args[0]), "c"(c->args[1]), "d"(c->args[2]), "S"(c->args[3]),
			   "D"(c->args[4])
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}
#else
static long call_compat(const struct oci_call *c)
{
	(void)c;
	return -ENOSYS;
}
#endif

static long make_call(const struct oci_call *c)
{
	long nr = c->abi == EV_ABI_X32 ? (long)c->nr | X32_BIT : (long)c->nr;
	long result;

	if (c->abi == EV_ABI_COMPAT)
		return call_compat(c);
	result =
		syscall(nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4], c->args[5]);
	return result == -1 ? -errno : result;
}

/* From here on nothing but the calls themselves is made: the filter may refuse all others. */
static void __attribute__((noreturn))
child(const struct sock_fprog *filter, struct probe *probes, size_t nr)
{
	alarm(CHILD_SECS);
	setsid();
	if (setgid(NOBODY) || setuid(NOBODY))
		errno = 0; /* it was nobody before: the filter is what is asked for */
	if (filter && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter)))
		_exit(1);
	for (size_t i = 0; i < nr; i++) {
		if (probes[i].done)
			continue;
		probes[i].result = make_call(&probes[i].call);
		if (!probes[i].result) /* a fork was let through: its child must not go on */
			_exit(0);
		probes[i].done = true;
	}
	_exit(0);
}

/* The first call that has no answer yet is the one that a killed child died of. */
static int bury(int status, struct probe *probes, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!probes[i].done) {
			if (WIFSIGNALED(status))
				probes[i].signal = WTERMSIG(status);
			else if (WEXITSTATUS(status))
				return -EPERM; /* there was no filter to live under */
			probes[i].done = true;
			return 1;
		}
	return 0;
}

static int run_children(const struct sock_fprog *filter, struct probe *probes, size_t nr)
{
	int err = 1, status;

	while (err > 0) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (!pid)
			child(filter, probes, nr);
		while (waitpid(pid, &status, 0) < 0)
			if (errno != EINTR)
				return -errno;
		err = bury(status, probes, nr);
	}
	return err;
}

/* Children answer in memory that they share: under the filter they may not be able to write. */
static int probe_under(const struct sock_fprog *filter, struct probe *probes, size_t nr)
{
	size_t len = nr * sizeof(*probes);
	struct probe *shared =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err;

	if (shared == MAP_FAILED)
		return -errno;
	memcpy(shared, probes, len);
	err = run_children(filter, shared, nr);
	memcpy(probes, shared, len);
	munmap(shared, len);
	return err;
}

int probe_calls(const cJSON *profile, struct probe *probes, size_t nr)
{
	struct sock_filter *code;
	struct sock_fprog filter;
	long n = nr ? filter_of(profile, &code) : 0;
	int err;

	if (n <= 0)
		return (int)n;
	filter.len = (unsigned short)((size_t)n / sizeof(*code));
	filter.filter = code;
	err = probe_under(&filter, probes, nr);
	free(code);
	return err;
}

bool probe_has_abi(__u32 abi)
{
#if defined(__x86_64__)
	struct probe p = {.call = {.abi = abi}};
	int nr = syscall_number(abi, "getpid");

	/* the filter sees x32 calls whether the kernel has them or not; int 0x80 may be no call at all */
	if (abi != EV_ABI_COMPAT)
		return true;
	p.call.nr = (__u32)nr;
	return nr >= 0 && !probe_under(NULL, &p, 1) && !p.signal && p.result > 0;
#else
	return abi == EV_ABI_NATIVE;
#endif
}
