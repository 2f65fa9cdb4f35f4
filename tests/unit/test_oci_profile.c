// SPDX-License-Identifier: MIT
/*
 * What a profile says of a call, by our reading of the document, against what the kernel answers to
 * that call under libseccomp's filter of the same profile. Nothing happens in the kernel: in the filter
 * that is loaded, each action is replaced by an error number that stands for it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "json_at.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "oci_profile.h"
#include "probe.h"
#include "seccomp_filter.h"
#include "wire.h"

#define TOKEN	 2000 /* the first of the error numbers that stand for actions; none of the kernel's */
#define MAX_RETS 16
#define X32_BIT	 0x40000000

static cJSON *parse(const char *text)
{
	cJSON *doc = cJSON_Parse(text);

	assert_non_null(doc);
	return doc;
}

/* ---- the kernel's answer ---- */

static long raw_call(const struct oci_call *c)
{
	long nr = c->abi == EV_ABI_X32 ? (long)c->nr | X32_BIT : (long)c->nr, result = -1;

#if defined(__x86_64__)
	if (c->abi == EV_ABI_COMPAT) {
		__asm__ volatile("int $0x80"
				 : "=a"(result)
				 : "a"(nr), "b"(c->args[0]), "c"(c->args[1]), "d"(c->args[2])
				 : "memory", "r8", "r9", "r10", "r11");
		return (int)result;
	}
#endif
	result = syscall(nr, c->args[0], c->args[1], c->args[2]);
	return result == -1 ? -errno : result;
}

/* Replaces the actions of @f by error numbers from TOKEN on; which is which is in @rets. */
static void disarm(struct sock_fprog *f, __u32 *rets)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < f->len; i++) {
		struct sock_filter *in = &f->filter[i];
		unsigned int k = 0;

		if (BPF_CLASS(in->code) != BPF_RET)
			continue;
		while (k < nr && rets[k] != in->k)
			k++;
		assert_true(k < MAX_RETS);
		rets[k] = in->k;
		nr = k == nr ? nr + 1 : nr;
		in->k = SECCOMP_RET_ERRNO | (TOKEN + k);
	}
}

static void __attribute__((noreturn))
child(const struct sock_fprog *f, const struct oci_call *calls, size_t nr, long *results)
{
	signal(SIGILL, SIG_DFL);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, f))
		_exit(1);
	for (size_t i = 0; i < nr; i++)
		results[i] = raw_call(&calls[i]);
	__builtin_trap(); /* not even to exit is allowed */
}

static struct oci_verdict verdict_of(__u32 ret)
{
	switch (ret & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW: return (struct oci_verdict){OCI_ALLOW, 0};
	case SECCOMP_RET_LOG: return (struct oci_verdict){OCI_LOG, 0};
	case SECCOMP_RET_ERRNO: return (struct oci_verdict){OCI_ERRNO, ret & SECCOMP_RET_DATA};
	default: return (struct oci_verdict){OCI_KILL, 0};
	}
}

/* What the kernel answers to each of @calls under @profile; false: libseccomp takes no such profile. */
static bool ask_kernel(const cJSON *profile, const struct oci_call *calls, size_t nr,
		       struct oci_verdict *verdicts)
{
	size_t len = nr * sizeof(long);
	long *results = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	__u32 rets[MAX_RETS] = {0};
	struct sock_fprog f;
	int status;
	pid_t pid;

	assert_ptr_not_equal(results, MAP_FAILED);
	if (seccomp_filter_make(profile, &f)) {
		munmap(results, len);
		return false;
	}
	disarm(&f, rets);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		child(&f, calls, nr, results);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status)); /* it came to the end, under the filter */
	for (size_t i = 0; i < nr; i++) {
		long k = -results[i] - TOKEN;

		assert_in_range(k, 0, MAX_RETS - 1);
		verdicts[i] = verdict_of(rets[k]);
	}
	free(f.filter);
	munmap(results, len);
	return true;
}

/* ---- profiles by chance, always the same ones ---- */

static __u32 chance(__u32 below)
{
	static __u64 state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (__u32)(state >> 32) % below;
}

static const char *const tried[] = {"getpriority", "prctl", "keyctl"};

#define NR_TRIED (sizeof(tried) / sizeof(tried[0]))

static const char *an_action(void)
{
	static const char *const actions[] = {"ALLOW", "ALLOW", "LOG", "ERRNO", "KILL_PROCESS"};

	return actions[chance(sizeof(actions) / sizeof(actions[0]))];
}

/*
 * Two kinds of profiles: a rule for each call, with any comparison of each argument; or several
 * for a call, all of the same comparison. Where conditions on an argument overlap in part (a <= 3, a > 1), libseccomp's filter may
 * miss one that fits. A mask is never 0 in its lower half: libseccomp takes that for no condition.
 */
static void put_args(FILE *f, const char *only)
{
	static const char *const ops[] = {"NE", "LT", "LE", "EQ", "GE", "GT"};
	static const char *const values[] = {"1",	   "2", "3",
					     "4294967297", "0", "18446744069414584320"};
	__u32 nr = chance(4);

	for (__u32 i = 0; i < nr; i++) {
		const char *op = only ? only : chance(7) ? ops[chance(6)] : "MASKED_EQ";
		bool masked = !strcmp(op, "MASKED_EQ");

		fprintf(f, "%s{\"index\":%u,\"op\":\"SCMP_CMP_%s\",\"value\":%s,\"valueTwo\":%s}",
			i ? "," : "", only ? chance(3) : i, op,
			masked && only ? "3" : values[chance(masked ? 4 : 6)], values[chance(5)]);
	}
}

static void put_rule(FILE *f, const char *first, const char *second, const char *only)
{
	fprintf(f, "{\"names\":[\"%s\",\"%s\",\"no_such_call\"],\"action\":\"SCMP_ACT_%s\",", first,
		second, an_action());
	if (chance(2))
		fprintf(f, "\"errnoRet\":%u,", 1 + chance(3));
	fprintf(f, "\"args\":[");
	if (chance(4))
		put_args(f, only);
	fprintf(f, "]}");
}

static void put_profile(FILE *f)
{
	static const char *const alone[] = {"EQ", "MASKED_EQ", NULL};
	const char *only = alone[chance(3)], *sep = "";
	__u32 rules = 1 + chance(only ? 5 : NR_TRIED);

	fprintf(f, "{\"defaultAction\":\"SCMP_ACT_%s\",\"defaultErrnoRet\":38,\"architectures\":[",
		chance(3) ? "ERRNO" : an_action());
	for (__u32 abi = 0; oci_arch_name(abi); abi++)
		if (chance(4)) {
			fprintf(f, "%s\"%s\"", sep, oci_arch_name(abi));
			sep = ",";
		}
	fprintf(f, "],\"syscalls\":[");
	for (__u32 i = 0; i < rules; i++) {
		fprintf(f, "%s", i ? "," : "");
		if (only)
			put_rule(f, tried[chance(NR_TRIED)], tried[chance(NR_TRIED)], only);
		else
			put_rule(f, tried[i], "read", NULL);
	}
	fprintf(f, "]}");
}

static cJSON *a_profile(void)
{
	char text[8192] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");
	cJSON *doc;

	put_profile(f);
	fclose(f);
	doc = parse(text);
	assert_null(oci_profile_wrong(doc));
	return doc;
}

/* Each of the calls under each ABI there is, with small arguments and some beyond 32 bits. */
static size_t all_calls(struct oci_call *calls)
{
	static const __u64 values[] = {0, 1, 2, 0x100000001ull, 0xffffffff00000000ull};
	size_t nr = 0;

	for (__u32 abi = 0; abi <= EV_ABI_X32; abi++)
		for (size_t i = 0; i < NR_TRIED && oci_arch_name(abi) && probe_has_abi(abi); i++)
			for (int k = 0; k < 5 * 5 * 3; k++)
				calls[nr++] = (struct oci_call){
					.abi = abi,
					.nr = (__u32)syscall_number(abi, tried[i]),
					.args = {values[k % 5], values[k / 5 % 5], values[k / 25]},
				};
	return nr;
}

#define PROFILES 200
#define CALLS	 (3 * 3 * 75)

static void the_kernel_agrees(void **state)
{
	static struct oci_call calls[CALLS];
	static struct oci_verdict kernel[CALLS];
	unsigned int compared = 0, unsure = 0, kinds[OCI__KINDS] = {0};
	size_t nr = all_calls(calls);

	(void)state;
	for (int i = 0; i < PROFILES; i++) {
		cJSON *profile = a_profile();

		if (ask_kernel(profile, calls, nr, kernel))
			for (size_t k = 0; k < nr; k++) {
				struct oci_answer a = oci_profile_answer(profile, &calls[k]);
				bool same = a.verdict.kind == kernel[k].kind &&
					    a.verdict.err == kernel[k].err;

				if ((a.sure && !same) ||
				    !(oci_passes(kernel[k]) ? a.passes : a.fails))
					fail_msg(
						"%s: ABI %u, call %u (%llx %llx %llx): kernel %d %d, not %d %d",
						cJSON_PrintUnformatted(profile), calls[k].abi,
						calls[k].nr, calls[k].args[0], calls[k].args[1],
						calls[k].args[2], kernel[k].kind, kernel[k].err,
						a.verdict.kind, a.verdict.err);
				compared++;
				unsure += !a.sure;
				kinds[kernel[k].kind]++;
			}
		cJSON_Delete(profile);
	}
	printf("# %u compared, %u of them with rules that contradict each other\n", compared,
	       unsure);
	/* most profiles are taken, and most of what they say is clear */
	assert_true(compared > PROFILES * nr * 3 / 4 && unsure < compared / 4);
	for (int kind = 0; kind < OCI_ASK; kind++)
		assert_true(kinds[kind] > compared / 50);
}

/* Of bits that are not known, what is said is true whatever they are. */
static void unknown_bits(void **state)
{
	static const __u64 masks[] = {0, 1, 2, 3, ~0ull};
	static struct oci_call calls[CALLS];
	size_t nr = all_calls(calls);
	unsigned int both = 0;

	(void)state;
	for (int i = 0; i < PROFILES / 4; i++) {
		cJSON *profile = a_profile();

		for (size_t k = 0; k < nr; k++) {
			struct oci_call c = calls[k];
			struct oci_answer a, known = oci_profile_answer(profile, &c);

			for (int n = 0; n < 3; n++) {
				c.unknown[n] = masks[chance(5)];
				c.args[n] ^= masks[chance(5)] & c.unknown[n];
			}
			a = oci_profile_answer(profile, &c);
			assert_true(a.passes >= known.passes && a.fails >= known.fails);
			if (a.sure)
				assert_memory_equal(&a.verdict, &known.verdict, sizeof(a.verdict));
			both += a.passes && a.fails;
		}
		cJSON_Delete(profile);
	}
	assert_true(both > 100);
}

/* Calls that are really made, each in a child: what came back, or what killed it. */
static void calls_are_made(void **state)
{
	cJSON *profile =
		parse("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
		      "{\"names\":[\"keyctl\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38},"
		      "{\"names\":[\"getppid\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"},"
		      "{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_ALLOW\"}]}");
	static const struct {
		const char *name;
		int signal;
		long result;
	} rows[] = {
		{"ptrace", 0, -EPERM},	{"getppid", SIGSYS, 0}, {"keyctl", 0, -ENOSYS},
		{"getppid", SIGSYS, 0}, {"bpf", 0, -EPERM},
	};
	struct probe p[5] = {0}, allowed = {0};

	(void)state;
	for (size_t i = 0; i < 5; i++)
		p[i].call.nr = (__u32)syscall_number(EV_ABI_NATIVE, rows[i].name);
	assert_int_equal(probe_calls(profile, p, 5), 0);
	for (size_t i = 0; i < 5; i++) {
		assert_true(p[i].done);
		assert_int_equal(p[i].signal, rows[i].signal);
		assert_int_equal(p[i].result, rows[i].result);
	}
	allowed.call.nr = (__u32)syscall_number(EV_ABI_NATIVE, "getpid");
	assert_int_equal(probe_calls(profile, &allowed, 1), 0);
	assert_true(allowed.result > 0);
	assert_int_equal(probe_calls(profile, p, 0), 0);
	assert_true(probe_has_abi(EV_ABI_NATIVE));
	cJSON_Delete(profile);
}

/* ---- by hand, from the runtime-spec ---- */

#define NATIVE (oci_arch_name(EV_ABI_NATIVE))
#define ERRNO(n)                                                                                   \
	{                                                                                          \
		OCI_ERRNO, n                                                                       \
	}
#define PLAIN(...) "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[" __VA_ARGS__ "]}"

static void by_the_specification(void **state)
{
	static const struct {
		const char *profile;
		struct oci_verdict verdict; /* of prctl(15) */
	} rows[] = {
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\"}", {OCI_ALLOW, 0}},
		{"{\"defaultAction\":\"SCMP_ACT_KILL\"}", {OCI_KILL, 0}},
		{"{\"defaultAction\":\"SCMP_ACT_TRAP\"}", {OCI_KILL, 0}},
		{"{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", {OCI_ASK, 0}},
		/* "defaultErrnoRet ... if not specified, its default value is EPERM", and so of errnoRet */
		{PLAIN(""), ERRNO(EPERM)},
		{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38}", ERRNO(ENOSYS)},
		{PLAIN("{\"names\":[\"prctl\"],\"action\":\"SCMP_ACT_ALLOW\"}"), {OCI_ALLOW, 0}},
		{PLAIN("{\"names\":[\"prctl\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":2}"),
		 ERRNO(ENOENT)},
		{PLAIN("{\"names\":[\"ptrace\"],\"action\":\"SCMP_ACT_ALLOW\"}"), ERRNO(EPERM)},
		{PLAIN("{\"names\":[\"prctl\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
		       "{\"index\":0,\"value\":15,\"op\":\"SCMP_CMP_EQ\"}]}"),
		 {OCI_ALLOW, 0}},
		{PLAIN("{\"names\":[\"prctl\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
		       "{\"index\":0,\"value\":12,\"valueTwo\":12,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}"),
		 {OCI_ALLOW, 0}},
		{PLAIN("{\"names\":[\"prctl\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
		       "{\"index\":0,\"value\":15,\"op\":\"SCMP_CMP_EQ\"},"
		       "{\"index\":1,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}"),
		 ERRNO(EPERM)},
	};
	struct oci_call c = {.nr = (__u32)syscall_number(EV_ABI_NATIVE, "prctl"), .args = {15}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cJSON *doc = parse(rows[i].profile);
		struct oci_answer a = oci_profile_answer(doc, &c);

		assert_null(oci_profile_wrong(doc));
		assert_int_equal(a.verdict.kind, rows[i].verdict.kind);
		assert_int_equal(a.verdict.err, rows[i].verdict.err);
		assert_true(a.sure && a.passes != a.fails);
		cJSON_Delete(doc);
	}
}

static void one_call_less(void **state)
{
	cJSON *doc = parse(PLAIN(
		      "{\"names\":[\"read\",\"prctl\",\"prctl\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		      "{\"names\":[\"prctl\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[]},"
		      "{\"names\":[\"ptrace\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}")),
	      *less = oci_profile_without(doc, "prctl");
	struct oci_call c = {.nr = (__u32)syscall_number(EV_ABI_NATIVE, "prctl")};

	(void)state;
	assert_true(oci_profile_allows(doc, "prctl") && oci_profile_allows(less, "read"));
	assert_false(oci_profile_allows(less, "prctl"));
	assert_false(oci_profile_allows(doc, "ptrace"));
	/* as the others that are refused, and no empty rule is left */
	assert_int_equal(oci_profile_answer(less, &c).verdict.err, ENOSYS);
	assert_int_equal(cJSON_GetArraySize(json_at(less, "syscalls")), 2);
	cJSON_Delete(less);
	cJSON_Delete(doc);
}

/* Docker's own default profile is of this form (profiles/seccomp of moby). */
static void dockers_conditions(void **state)
{
	static const struct {
		const char *rule; /* allows prctl */
		bool applies;
	} rows[] = {
		{"\"names\":[\"prctl\"]", true},
		{"\"name\":\"prctl\"", true},
		{"\"names\":[\"prctl\"],\"includes\":{\"caps\":[\"CAP_CHOWN\"]}", true},
		{"\"names\":[\"prctl\"],\"includes\":{\"caps\":[\"CAP_CHOWN\",\"CAP_BPF\"]}",
		 false},
		{"\"names\":[\"prctl\"],\"excludes\":{\"caps\":[\"CAP_BPF\"]}", true},
		{"\"names\":[\"prctl\"],\"excludes\":{\"caps\":[\"CAP_BPF\",\"CAP_CHOWN\"]}",
		 false},
		{"\"names\":[\"prctl\"],\"includes\":{\"arches\":[\"s390x\"]}", false},
		{"\"names\":[\"prctl\"],\"includes\":{\"arches\":[\"s390x\",\"amd64\",\"arm64\"]}",
		 true},
		{"\"names\":[\"prctl\"],\"excludes\":{\"arches\":[\"amd64\",\"arm64\"]}", false},
		{"\"names\":[\"prctl\"],\"includes\":{},\"excludes\":{}", true},
	};
	struct oci_call c = {.nr = (__u32)syscall_number(EV_ABI_NATIVE, "prctl")};
	cJSON *caps = parse("[\"CAP_CHOWN\",\"CAP_KILL\"]"), *doc, *plain;
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(
			text, sizeof(text),
			"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[{\"architecture\":\"%s\","
			"\"subArchitectures\":[\"%s\"]},{\"architecture\":\"SCMP_ARCH_S390\","
			"\"subArchitectures\":[\"SCMP_ARCH_MIPS\"]}],"
			"\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\",%s}]}",
			NATIVE, oci_arch_name(EV_ABI_COMPAT), rows[i].rule);
		doc = parse(text);
		plain = oci_profile_of_docker(doc, caps);
		assert_int_equal(oci_profile_answer(plain, &c).passes, rows[i].applies);
		assert_true(oci_profile_has_abi(plain, EV_ABI_COMPAT));
		assert_false(oci_profile_has_abi(plain, EV_ABI_X32));
		assert_null(json_at(plain, "archMap"));
		cJSON_Delete(plain);
		cJSON_Delete(doc);
	}
	cJSON_Delete(caps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_agrees),	cmocka_unit_test(unknown_bits),
		cmocka_unit_test(by_the_specification), cmocka_unit_test(one_call_less),
		cmocka_unit_test(dockers_conditions),	cmocka_unit_test(calls_are_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
