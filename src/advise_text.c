// SPDX-License-Identifier: MIT
/* Strings of reports in what is advised: they are anybody's. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "advise_render.h"
#include "utf8.h"

/* The code point at *@s, which is moved behind it; what is no UTF-8 is taken as bytes. */
static unsigned int next_point(const char **s)
{
	__u32 c;
	size_t n = utf8_decode(*s, strnlen(*s, 4), &c);

	if (!n)
		return (unsigned char)*(*s)++;
	*s += n;
	return c;
}

/* Beyond the 16 bits of \u, JSON has surrogates, and YAML \U. */
static void quote(FILE *out, const char *s, bool yaml)
{
	fputc('"', out);
	while (*s) {
		unsigned int c = next_point(&s);

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", (int)c);
		else if (c >= 0x20 && c < 0x7f)
			fputc((int)c, out);
		else if (c < 0x10000)
			fprintf(out, "\\u%04x", c);
		else if (yaml)
			fprintf(out, "\\U%08x", c);
		else
			fprintf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10 & 0x3ff),
				0xdc00 + ((c - 0x10000) & 0x3ff));
	}
	fputc('"', out);
}

void advice_quote(FILE *out, const char *s)
{
	quote(out, s, false);
}

void advice_yaml(FILE *out, const char *s)
{
	quote(out, s, true);
}

void advice_shell(FILE *out, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_./:=,@%+-";

	if (*s && !s[strspn(s, plain)]) {
		fputs(s, out);
		return;
	}
	fputs("$'", out);
	for (; *s; s++)
		if (*s == '\'' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s >= 0x20 && *s < 0x7f)
			fputc(*s, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*s);
	fputc('\'', out);
}

void advice_text(FILE *out, const char *s)
{
	for (; *s; s++)
		if (*s >= 0x20 && *s < 0x7f && *s != '\\')
			fputc(*s, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*s);
}

/* A DNS label, which is what Kubernetes wants, and all others take. */
static void label(char *out, size_t size, const char *s)
{
	size_t n = 0;

	for (; *s && n + 1 < size && n < 63; s++)
		if (isalnum((unsigned char)*s))
			out[n++] = (char)tolower((unsigned char)*s);
		else if (n && out[n - 1] != '-')
			out[n++] = '-';
	while (n && out[n - 1] == '-')
		n--;
	out[n] = 0;
}

void advice_label(char *out, size_t size, const char *s)
{
	label(out, size, s);
	if (!*out)
		snprintf(out, size, "data");
}

void advice_name(char *out, size_t size, const struct advice *a)
{
	label(out, size, a->facts.name);
	if (!*out)
		snprintf(out, size, "workload");
}

void advice_profile_name(char *out, size_t size, const struct advice *a,
			 const struct advice_form *f)
{
	char name[64];

	advice_name(name, sizeof(name), a);
	if (f->profile)
		snprintf(out, size, "%s", f->profile);
	else
		snprintf(out, size, "%s-seccomp.json", name);
}
