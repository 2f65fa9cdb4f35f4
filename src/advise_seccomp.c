// SPDX-License-Identifier: MIT
#include <string.h>
#include <sys/socket.h>
#include "advise_render.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "oci_profile.h"
#include "safety.h"
#include "wire.h"

#define RULES_PER_CALL 32 /* a call with more different arguments is not narrowed */

static const char *const docker_default[] = {
#define ALLOWED(name) #name,
#include "docker_default.def"
};

#define NR_DOCKER_DEFAULT (sizeof(docker_default) / sizeof(docker_default[0]))

struct narrow_row {
	const char *name;
	struct {
		int index;
		__u32 mask; /* 0: no such argument */
	} arg[ADVICE_ARGS];
};

static const struct narrow_row narrow_rows[] = {
#define ARGUMENTS(call, what, i1, m1, i2, m2, i3, m3) {#call, {{i1, m1}, {i2, m2}, {i3, m3}}},
#include "arguments.def"
};

#define NR_NARROW (sizeof(narrow_rows) / sizeof(narrow_rows[0]))

/*
 * Narrowed whether that is asked for or not: a family stands for a part of the kernel, and the odd ones
 * (AF_ALG, AF_VSOCK) are what exploits ask for. A program names its families; it does not compute them.
 */
static const struct narrow_row family_row = {"socket", {{0, 0xffffffffu}}};
/* Of these two, which it is depends on what a name resolves to, and not on the program. */
static const struct advice_arguments inet[] = {{.value = {AF_INET}}, {.value = {AF_INET6}}};

/* ---- what is in ---- */

enum verdict { LEFT_OUT, ALLOWED_WHOLE, ALLOWED_NARROWED };

static const struct narrow_row *narrow_row(const char *name)
{
	for (size_t i = 0; i < NR_NARROW; i++)
		if (!strcmp(narrow_rows[i].name, name))
			return &narrow_rows[i];
	return NULL;
}

static bool is_of(const struct advice_arguments *g, const char *name)
{
	const char *its = name_syscall(EV_SYSNR(g->abi, g->nr));

	return its && !strcmp(its, name);
}

static bool same_values(const struct narrow_row *row, const struct advice_arguments *a,
			const struct advice_arguments *b)
{
	for (int i = 0; i < ADVICE_ARGS; i++)
		if ((a->value[i] ^ b->value[i]) & row->arg[i].mask)
			return false;
	return true;
}

/* The rules that calls are narrowed to. */
struct narrow_rules {
	const struct advice_arguments *v[RULES_PER_CALL];
	size_t nr; /* more than RULES_PER_CALL: too many */
};

static void add_rule(struct narrow_rules *rules, const struct narrow_row *row,
		     const struct advice_arguments *g)
{
	for (size_t i = 0; i < rules->nr && i < RULES_PER_CALL; i++)
		if (same_values(row, rules->v[i], g))
			return;
	if (rules->nr < RULES_PER_CALL)
		rules->v[rules->nr] = g;
	rules->nr++;
}

/* Arguments of the row's call that are different, whatever the ABI. */
static void narrow_rules(const struct advice *a, const struct narrow_row *row,
			 struct narrow_rules *rules)
{
	bool has_inet = false;

	rules->nr = 0;
	for (size_t i = 0; i < a->nr_arguments; i++) {
		const struct advice_arguments *g = &a->arguments[i];

		if (!is_of(g, row->name))
			continue;
		add_rule(rules, row, g);
		has_inet |= same_values(row, g, &inet[0]) || same_values(row, g, &inet[1]);
	}
	for (size_t i = 0; row == &family_row && has_inet && i < 2; i++)
		add_rule(rules, row, &inet[i]);
}

/* Why @name cannot be narrowed by its arguments; NULL: nothing speaks against it. */
static const char *not_narrowed(const struct advice *a, const struct advice_form *f,
				const char *name)
{
	struct advice_entry e = advice_call(a, name);
	struct base_reason why;

	if (!strcmp(name, "clone3"))
		return "its flags lie behind a pointer, which no filter can follow";
	if (!narrow_row(name))
		return "";
	if (e.setup || base_set_has(&f->base, name, &why))
		return "the runtime calls it, too";
	if (e.arguments < e.count)
		return "not all its arguments are known";
	if (!strncmp(name, "socket", 6) && advice_uses_abi(a, EV_ABI_COMPAT))
		return "32-bit programs reach it by socketcall as well";
	return NULL;
}

/*
 * By which arguments calls of @name are narrowed, and to which rules. NULL: they are not; then *why says
 * why, or is "" where nobody would ask.
 */
static const struct narrow_row *narrowing(const struct advice *a, const struct advice_form *f,
					  const char *name, struct narrow_rules *rules,
					  const char **why)
{
	const struct narrow_row *rows[] = {f->args ? narrow_row(name) : NULL,
					   !strcmp(name, family_row.name) ? &family_row : NULL};

	*why = f->args || rows[1] ? not_narrowed(a, f, name) : "";
	for (size_t i = 0; !*why && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!rows[i])
			continue;
		narrow_rules(a, rows[i], rules);
		if (rules->nr <= RULES_PER_CALL)
			return rows[i];
	}
	*why = *why ? *why : "it was made with too many different arguments";
	return NULL;
}

static enum verdict verdict(const struct advice *a, const struct advice_form *f, const char *name)
{
	struct base_reason why;
	struct narrow_rules rules;
	const char * not ;

	if (!advice_call(a, name).runs)
		return base_set_has(&f->base, name, &why) ? ALLOWED_WHOLE : LEFT_OUT;
	return narrowing(a, f, name, &rules, &not ) ? ALLOWED_NARROWED : ALLOWED_WHOLE;
}

/* Every call that the kernel may know, by the ABIs in use; a name that two of them have comes once. */
static const char *next_name(const struct advice *a, __u32 *abi, __u32 *nr)
{
	for (; *abi < ADVICE_ABIS; ++*abi, *nr = 0) {
		while (advice_uses_abi(a, *abi) && *nr < ADVICE_CALLS) {
			const char *name = name_syscall(EV_SYSNR(*abi, *nr));

			++*nr;
			if (name && (!*abi || syscall_number(EV_ABI_NATIVE, name) < 0))
				return name;
		}
	}
	return NULL;
}

#define EACH_NAME(a, name)                                                                         \
	for (__u32 abi_ = 0, nr_ = 0, once_ = 1; once_; once_ = 0)                                 \
		for (const char *name; (name = next_name(a, &abi_, &nr_));)

/* ---- the profile ---- */

static void print_names(FILE *out, const struct advice *a, const struct advice_form *f,
			enum verdict want)
{
	unsigned int nr = 0;

	EACH_NAME(a, name)
	{
		if (verdict(a, f, name) != want)
			continue;
		fprintf(out, "%s\"%s\"", !nr ? "" : nr % 8 ? ", " : ",\n\t\t\t\t", name);
		nr++;
	}
}

/* One rule per different arguments: several conditions on one argument mean different things. */
static void print_narrowed(FILE *out, const struct advice *a, const struct advice_form *f,
			   const char *name)
{
	struct narrow_rules rules;
	const char *why;
	const struct narrow_row *row = narrowing(a, f, name, &rules, &why);

	for (size_t i = 0; row && i < rules.nr; i++) {
		const char *sep = "";

		fprintf(out,
			",\n\t\t{\n\t\t\t\"names\": [\"%s\"],\n\t\t\t\"action\": \"SCMP_ACT_ALLOW\","
			"\n\t\t\t\"args\": [",
			name);
		for (int k = 0; k < ADVICE_ARGS; k++) {
			if (!row->arg[k].mask)
				continue;
			fprintf(out,
				"%s\n\t\t\t\t{\"index\": %d, \"value\": %u, \"valueTwo\": %u, "
				"\"op\": \"SCMP_CMP_MASKED_EQ\"}",
				sep, row->arg[k].index, row->arg[k].mask,
				rules.v[i]->value[k] & row->arg[k].mask);
			sep = ",";
		}
		fprintf(out, "\n\t\t\t]\n\t\t}");
	}
}

void advice_seccomp(FILE *out, const struct advice *a, const struct advice_form *f)
{
	static const char *const actions[] = {"SCMP_ACT_ERRNO", "SCMP_ACT_LOG",
					      "SCMP_ACT_KILL_PROCESS"};
	const char *sep = "";

	fprintf(out, "{\n\t\"defaultAction\": \"%s\",\n", actions[f->action]);
	if (f->action == ADVICE_ERRNO)
		fprintf(out, "\t\"defaultErrnoRet\": 38,\n");
	fprintf(out, "\t\"architectures\": [");
	for (__u32 abi = 0; abi < ADVICE_ABIS; abi++)
		if (advice_uses_abi(a, abi) && oci_arch_name(abi)) {
			fprintf(out, "%s\"%s\"", sep, oci_arch_name(abi));
			sep = ", ";
		}
	fprintf(out, "],\n\t\"syscalls\": [\n\t\t{\n\t\t\t\"names\": [\n\t\t\t\t");
	print_names(out, a, f, ALLOWED_WHOLE);
	fprintf(out, "\n\t\t\t],\n\t\t\t\"action\": \"SCMP_ACT_ALLOW\"\n\t\t}");
	if (f->action == ADVICE_ERRNO) {
		/* Docker 20.10 ignores defaultErrnoRet, and libc falls back on ENOSYS only */
		fprintf(out, ",\n\t\t{\n\t\t\t\"names\": [\n\t\t\t\t");
		print_names(out, a, f, LEFT_OUT);
		fprintf(out,
			"\n\t\t\t],\n\t\t\t\"action\": \"SCMP_ACT_ERRNO\",\n\t\t\t\"errnoRet\": 38\n\t\t}");
	}
	EACH_NAME(a, name)
	{
		if (verdict(a, f, name) == ALLOWED_NARROWED)
			print_narrowed(out, a, f, name);
	}
	fprintf(out, "\n\t]\n}\n");
}

void advice_recording_profile(FILE *out)
{
	/* an ABI that is left out kills, whatever the default action */
	fprintf(out, "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": [");
	for (__u32 abi = 0; oci_arch_name(abi); abi++)
		fprintf(out, "%s\"%s\"", abi ? ", " : "", oci_arch_name(abi));
	fprintf(out, "], \"syscalls\": []}\n");
}

/* ---- why ---- */

static void explain_recorded(FILE *out, const struct advice *a, const struct advice_entry *e)
{
	fprintf(out, "recorded %llu times, in %u of %u reports", (unsigned long long)e->count,
		e->runs, a->reports);
	if (e->setup == e->count)
		fprintf(out, ", by the runtime before the entry point");
	else if (e->setup)
		fprintf(out, ", %llu by the runtime before the entry point",
			(unsigned long long)e->setup);
	if (e->first[0]) {
		fprintf(out, ", first by ");
		advice_text(out, e->first);
	}
	if (e->denied)
		fprintf(out, "; denied %llu times", (unsigned long long)e->denied);
	if (advice_in_vain(e)) {
		fprintf(out, "; every call failed (");
		advice_text(out, e->error);
		fprintf(out, "), kept for where it would not");
	}
}

static void explain_safety(FILE *out, const char *name)
{
	const char *why = safety_reason(name);

	if (why)
		fprintf(out, "; safety class: %s", why);
}

static void explain_base(FILE *out, const struct base_choice *base, const char *name)
{
	struct base_reason why;

	if (!base_set_has(base, name, &why))
		return;
	if (!why.runtime)
		fprintf(out, "always in: signals, the end, and what the vDSO falls back to");
	else if (why.starts)
		fprintf(out, "the runtime makes it after the filter is loaded: %s, %llu starts",
			why.runtime, (unsigned long long)why.starts);
	else
		fprintf(out, "%s %s makes it after the filter is loaded", why.runtime, why.version);
}

static void explain_narrowed(FILE *out, const struct advice *a, const struct advice_form *f,
			     const char *name)
{
	struct narrow_rules rules;
	const char *why;
	const struct narrow_row *row = narrowing(a, f, name, &rules, &why);

	if (row)
		fprintf(out, "; narrowed, %s: %zu", row == &family_row ? "families" : "rules",
			rules.nr);
	else if (*why)
		fprintf(out, "; not narrowed: %s", why);
}

static void explain_docker(FILE *out, const struct advice *a, const struct advice_form *f)
{
	unsigned int more = 0, col = 80;

	for (size_t i = 0; i < NR_DOCKER_DEFAULT; i++)
		more += syscall_number(EV_ABI_NATIVE, docker_default[i]) >= 0 &&
			verdict(a, f, docker_default[i]) == LEFT_OUT;
	fprintf(out, "\nDocker's default allows %u calls that this does not:", more);
	for (size_t i = 0; i < NR_DOCKER_DEFAULT; i++) {
		const char *name = docker_default[i];

		if (syscall_number(EV_ABI_NATIVE, name) < 0 || verdict(a, f, name) != LEFT_OUT)
			continue;
		if (col + strlen(name) + 1 > 78) {
			fprintf(out, "\n ");
			col = 1;
		}
		col += fprintf(out, " %s", name);
	}
	fprintf(out, "\n");
}

void advice_seccomp_explain(FILE *out, const struct advice *a, const struct advice_form *f)
{
	EACH_NAME(a, name)
	{
		struct advice_entry e = advice_call(a, name);

		if (verdict(a, f, name) == LEFT_OUT) {
			if (e.denied)
				fprintf(out, "%-24s left out: a filter denied it, %llu times\n",
					name, (unsigned long long)e.denied);
			continue;
		}
		fprintf(out, "%-24s ", name);
		if (e.runs)
			explain_recorded(out, a, &e);
		else
			explain_base(out, &f->base, name);
		if (e.runs) {
			explain_safety(out, name);
			explain_narrowed(out, a, f, name);
		}
		fprintf(out, "\n");
	}
	explain_docker(out, a, f);
}
