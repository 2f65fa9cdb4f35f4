// SPDX-License-Identifier: MIT
/*
 * An AppArmor profile (apparmor.d(5)), without includes, so that it is whole where no policy is
 * installed. Names of files that the container made differ from run to run: their directory is allowed.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "advise_render.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "wire.h"

/* Path in double quotes; what would be a pattern is escaped, a process's own number is any. */
static void path(FILE *out, const char *s, const char *more)
{
	bool proc = !strncmp(s, "/proc/", 6) && isdigit((unsigned char)s[6]);

	fputc('"', out);
	if (proc) {
		fputs("/proc/[0-9]*", out);
		s += 6;
		s += strspn(s, "0123456789");
	}
	for (; *s; s++)
		if (strchr("\"\\*?[]{}^@", *s))
			fprintf(out, "\\%c", *s);
		else if (*s >= 0x20 && *s < 0x7f)
			fputc(*s, out);
		else
			fprintf(out, "\\%03o", (unsigned char)*s);
	fprintf(out, "%s\"", more);
}

static void capabilities(FILE *out, const struct advice *a)
{
	for (unsigned int i = 0; i < ADVICE_CAPS; i++) {
		if (!a->needed[i].runs || !name_capability(i))
			continue;
		fprintf(out, "\tcapability ");
		for (const char *s = name_capability(i) + 4; *s; s++)
			fputc(tolower((unsigned char)*s), out);
		fprintf(out, ",\n");
	}
}

/* Sockets by family, as they were asked for; all when that is not known. */
static void network(FILE *out, const struct advice *a)
{
	static const struct {
		__u32 family;
		const char *name;
	} families[] = {{1, "unix"}, {2, "inet"}, {10, "inet6"}, {16, "netlink"}, {17, "packet"}};
	struct advice_entry e = advice_call(a, "socket");
	int nr = syscall_number(EV_ABI_NATIVE, "socket");
	bool known = e.arguments >= e.count && !advice_call(a, "socketcall").runs;

	if (!known)
		fprintf(out, "\tnetwork,\n");
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && known; i++)
		for (size_t k = 0; k < a->nr_arguments; k++)
			if (a->arguments[k].abi == EV_ABI_NATIVE && (int)a->arguments[k].nr == nr &&
			    a->arguments[k].value[0] == families[i].family) {
				fprintf(out, "\tnetwork %s,\n", families[i].name);
				break;
			}
	fprintf(out, "\tunix,\n");
}

/* Whole kinds of operations that a call by its name stands for. */
static void operations(FILE *out, const struct advice *a)
{
	static const struct {
		const char *call, *rule;
	} rules[] = {
		{"mount", "mount"},    {"move_mount", "mount"},
		{"umount2", "umount"}, {"pivot_root", "pivot_root"},
		{"ptrace", "ptrace"},  {"process_vm_readv", "ptrace"},
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (advice_call(a, rules[i].call).runs)
			fprintf(out, "\t%s,\n", rules[i].rule);
}

static void file_rule(FILE *out, const struct facts *f, const char *name)
{
	fprintf(out, "\t");
	path(out, name, "");
	fprintf(out, " r%s%s%s,\n", fact_find(&f->sets[FACT_WRITTEN], name) ? "wkl" : "",
		fact_find(&f->sets[FACT_MAPPED], name) ? "m" : "",
		fact_find(&f->sets[FACT_EXECUTABLES], name) ? "mix" : "");
}

static void made_rules(FILE *out, const struct facts *f)
{
	const struct fact_set *s = &f->sets[FACT_WRITTEN];
	char dir[4096], last[4096] = "";

	for (size_t i = 0; i < s->nr; i++) {
		const char *end = strrchr(s->v[i].key, '/');

		if (!end || !fact_find(&f->sets[FACT_CREATED], s->v[i].key))
			continue;
		snprintf(dir, sizeof(dir), "%.*s", (int)(end - s->v[i].key), s->v[i].key);
		/* in / itself, only the very file */
		if (!*dir) {
			fprintf(out, "\t");
			path(out, s->v[i].key, "");
			fprintf(out, " rwkl,\n");
		} else if (strcmp(dir, last) != 0) {
			fprintf(out, "\t");
			path(out, dir, "/{,**}");
			fprintf(out, " rwkl,\n");
			snprintf(last, sizeof(last), "%s", dir);
		}
	}
}

void advice_apparmor(FILE *out, const struct advice *a, const struct advice_form *form)
{
	const struct facts *f = &a->facts;
	char name[64];

	(void)form;
	advice_name(name, sizeof(name), a);
	advice_warn(out, a, "# warning: ");
	fprintf(out, "profile ebpfmon-%s flags=(attach_disconnected,mediate_deleted) {\n", name);
	capabilities(out, a);
	network(out, a);
	operations(out, a);
	/* a container's own processes, and the runtime that stops it */
	fprintf(out, "\tsignal,\n");
	for (size_t i = 0; i < f->sets[FACT_EXECUTABLES].nr; i++)
		if (!fact_find(&f->sets[FACT_OPENED], f->sets[FACT_EXECUTABLES].v[i].key))
			file_rule(out, f, f->sets[FACT_EXECUTABLES].v[i].key);
	for (size_t i = 0; i < f->sets[FACT_OPENED].nr; i++)
		if (f->sets[FACT_OPENED].v[i].key[0] == '/')
			file_rule(out, f, f->sets[FACT_OPENED].v[i].key);
	for (size_t i = 0; i < f->sets[FACT_WRITTEN].nr; i++)
		if (f->sets[FACT_WRITTEN].v[i].key[0] == '/' &&
		    !fact_find(&f->sets[FACT_OPENED], f->sets[FACT_WRITTEN].v[i].key))
			file_rule(out, f, f->sets[FACT_WRITTEN].v[i].key);
	made_rules(out, f);
	fprintf(out, "}\n");
}
