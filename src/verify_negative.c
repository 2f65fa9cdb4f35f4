// SPDX-License-Identifier: MIT
/* Gate B: what the profile refuses is refused as it says; what nobody used is not allowed. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "capability_probe.h"
#include "json_at.h"
#include "log.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "oci_profile.h"
#include "probe.h"
#include "verify.h"
#include "wire.h"

#define CALLS 1024 /* numbers that are tried, of each ABI */

/* Arguments that no call takes: what is let through by mistake does nothing. */
#define NOTHING                                                                                    \
	{                                                                                          \
		~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull                                           \
	}

static const char *const abi_names[] = {"native", "compat", "x32"};

/* Never allowed unless recorded. The socket families are those of exploits: what they open is large. */
static const struct {
	const char *call;
	int family; /* of "socket"; 0: the call whatever its arguments */
	const char *shown;
} canaries[] = {
	{"unshare", 0, "unshare"},	  {"mount", 0, "mount"},
	{"ptrace", 0, "ptrace"},	  {"bpf", 0, "bpf"},
	{"keyctl", 0, "keyctl"},	  {"socket", AF_ALG, "AF_ALG"},
	{"socket", AF_VSOCK, "AF_VSOCK"},
};

/* Made by the kernel's own uprobes only: no filter sees them (kernel/seccomp.c, since 6.12 and 6.18). */
static const char *const unseen[] = {"uretprobe", "uprobe"};

static bool is_unseen(const struct oci_call *c)
{
	const char *name = name_syscall(EV_SYSNR(c->abi, c->nr));

	for (size_t i = 0; name && i < sizeof(unseen) / sizeof(unseen[0]); i++)
		if (c->abi != EV_ABI_COMPAT && !strcmp(name, unseen[i]))
			return true;
	return false;
}

static bool as_declared(const struct probe *p, struct oci_verdict v)
{
	if (v.kind == OCI_ERRNO)
		return p->done && !p->signal && p->result == -v.err;
	return p->done && p->signal == SIGSYS;
}

static void add_wrong(cJSON *wrong, const struct probe *p)
{
	const char *name = name_syscall(EV_SYSNR(p->call.abi, p->call.nr));
	const char *sig = name_signal((unsigned int)p->signal);
	const char *err = p->result < 0 ? name_errno((int)p->result) : NULL;
	char text[160];

	snprintf(text, sizeof(text), "%s %s (%u, first argument %lld): %s", abi_names[p->call.abi],
		 name ? name : "?", p->call.nr, (long long)p->call.args[0],
		 p->signal ? (sig ? sig : "a signal")
		 : err	   ? err
			   : "it went through");
	cJSON_AddItemToArray(wrong, cJSON_CreateString(text));
}

/* Of @nr calls, those that are to be refused are made; how many were, and which were not. */
static int try_calls(const struct verify *v, struct probe *probes, size_t nr, cJSON *o)
{
	cJSON *wrong = cJSON_AddArrayToObject(o, "wrong");
	unsigned int refused = 0, allowed = 0;
	size_t n = 0;
	int err;

	for (size_t i = 0; i < nr; i++) {
		struct oci_answer answer = oci_profile_answer(v->profile, &probes[i].call);

		if (is_unseen(&probes[i].call))
			continue;
		if (answer.passes)
			allowed++;
		else if (answer.verdict.kind != OCI_ASK)
			probes[n++] = probes[i];
	}
	err = probe_calls(v->profile, probes, n);
	if (err) {
		log_error("cannot try calls under the profile: %s", strerror(-err));
		return err;
	}
	for (size_t i = 0; i < n; i++)
		if (as_declared(&probes[i],
				oci_profile_answer(v->profile, &probes[i].call).verdict))
			refused++;
		else
			add_wrong(wrong, &probes[i]);
	cJSON_AddNumberToObject(o, "refused", refused);
	cJSON_AddNumberToObject(o, "allowed", allowed);
	return !cJSON_GetArraySize(wrong);
}

static int try_abi(const struct verify *v, __u32 abi, cJSON *abis)
{
	struct probe *probes;
	cJSON *o;
	int ok;

	if (abi >= sizeof(abi_names) / sizeof(abi_names[0]) || !probe_has_abi(abi))
		return 1; /* there is nothing to refuse */
	probes = calloc(CALLS, sizeof(*probes));
	if (!probes)
		return -ENOMEM;
	for (__u32 nr = 0; nr < CALLS; nr++)
		probes[nr].call = (struct oci_call){.abi = abi, .nr = nr, .args = NOTHING};
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "abi", abi_names[abi]);
	cJSON_AddItemToArray(abis, o);
	ok = try_calls(v, probes, CALLS, o);
	free(probes);
	return ok;
}

static int try_families(const struct verify *v, cJSON *out)
{
	struct probe probes[AF_MAX] = {0};
	int nr = syscall_number(EV_ABI_NATIVE, "socket");

	for (int f = 0; f < AF_MAX; f++)
		probes[f].call = (struct oci_call){
			.abi = EV_ABI_NATIVE, .nr = (__u32)nr, .args = {(__u64)f, SOCK_STREAM, 0}};
	return try_calls(v, probes, AF_MAX, cJSON_AddObjectToObject(out, "families"));
}

/* ---- capabilities ---- */

#define CAPS 64

static bool is_kept(const cJSON *caps, const char *name)
{
	const cJSON *c;

	cJSON_ArrayForEach(c, caps)
	{
		if (cJSON_IsString(c) && !strcmp(c->valuestring, name))
			return true;
	}
	return false;
}

/* What a dropped capability is needed for is refused. */
static int try_capabilities(const struct verify *v, cJSON *out)
{
	cJSON *o = cJSON_AddObjectToObject(out, "capabilities");
	cJSON *lists[] = {[CAP_UNTRIED] = cJSON_AddArrayToObject(o, "untried"),
			  [CAP_REFUSED] = cJSON_AddArrayToObject(o, "refused"),
			  [CAP_WENT_THROUGH] = cJSON_AddArrayToObject(o, "wrong")};
	enum capability_answer answer;
	const char *name, *what;
	char text[120];
	__u64 keep = 0;

	for (unsigned int i = 0; i < CAPS; i++)
		if ((name = name_capability(i)) && is_kept(v->caps, name))
			keep |= 1ull << i;
	for (unsigned int i = 0; i < CAPS; i++) {
		int err;

		name = name_capability(i);
		if (!name || keep >> i & 1)
			continue;
		err = capability_probe(keep, i, &answer, &what);
		if (err) {
			log_error("cannot try capabilities: %s", strerror(-err));
			return err;
		}
		snprintf(text, sizeof(text), "%s%s%s", name, what ? ": " : "", what ? what : "");
		cJSON_AddItemToArray(lists[answer], cJSON_CreateString(text));
	}
	return !cJSON_GetArraySize(lists[CAP_WENT_THROUGH]);
}

/* ---- canaries ---- */

static bool has_call(const cJSON *calls, const char *key, const char *name, int family)
{
	const cJSON *c;

	cJSON_ArrayForEach(c, calls)
	{
		const char *n = cJSON_GetStringValue(json_at(c, key));
		const char *a = cJSON_GetStringValue(json_at(c, "a"));

		if (n && !strcmp(n, name) && (!family || (a && strtol(a, NULL, 0) == family)))
			return true;
	}
	return false;
}

static bool was_recorded(const struct verify *v, const char *name, int family)
{
	const cJSON *r;

	cJSON_ArrayForEach(r, v->reports)
	{
		const cJSON *syscalls = json_at(r, "syscalls");

		if (family ? has_call(json_at(syscalls, "arguments"), "nr", name, family)
			   : has_call(json_at(syscalls, "calls"), "name", name, 0))
			return true;
	}
	return false;
}

static bool try_canaries(const struct verify *v, cJSON *out)
{
	cJSON *list = cJSON_AddArrayToObject(out, "canaries");
	bool ok = true;

	for (size_t i = 0; i < sizeof(canaries) / sizeof(canaries[0]); i++) {
		int nr = syscall_number(EV_ABI_NATIVE, canaries[i].call);
		struct oci_call c = {.abi = EV_ABI_NATIVE,
				     .nr = (__u32)nr,
				     .args = {(__u64)canaries[i].family, SOCK_SEQPACKET, 0}};
		bool used = was_recorded(v, canaries[i].call, canaries[i].family);
		bool allowed = canaries[i].family
				       ? oci_profile_answer(v->profile, &c).passes
				       : oci_profile_allows(v->profile, canaries[i].call);
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "name", canaries[i].shown);
		cJSON_AddBoolToObject(o, "recorded", used);
		cJSON_AddBoolToObject(o, "allowed", allowed);
		cJSON_AddItemToArray(list, o);
		ok &= used || !allowed;
	}
	return ok;
}

int verify_negative(const struct verify *v, cJSON *out)
{
	struct oci_verdict other = oci_profile_default(v->profile);
	cJSON *o = cJSON_AddObjectToObject(out, "negative"), *abis;
	int ok = 1, one;

	abis = cJSON_AddArrayToObject(o, "abis");
	cJSON_AddStringToObject(o, "action",
				cJSON_GetStringValue(json_at(v->profile, "defaultAction")));
	if (other.kind == OCI_ERRNO && name_errno(other.err))
		cJSON_AddStringToObject(o, "error", name_errno(other.err));
	for (__u32 abi = 0; abi <= EV_ABI_X32 && ok >= 0; abi++) {
		one = try_abi(v, abi, abis);
		ok = one < 0 ? one : ok && one;
	}
	if (ok >= 0) {
		one = try_families(v, o);
		ok = one < 0 ? one : ok && one;
	}
	if (ok >= 0) {
		one = try_capabilities(v, o);
		ok = one < 0 ? one : ok && one;
	}
	if (ok >= 0)
		ok = try_canaries(v, o) && ok;
	cJSON_AddBoolToObject(o, "passed", ok == 1);
	return ok;
}
