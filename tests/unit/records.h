/* SPDX-License-Identifier: MIT */
/* Making records, and judging what is made of them: for the unit tests and the fuzzer. */
#ifndef EBPFMON_TESTS_RECORDS_H
#define EBPFMON_TESTS_RECORDS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "container/container.h"
#include "process.h"
#include "record.h"

union any_record {
	struct ev_hdr hdr;
	char bytes[EV_MAX_LEN];
	__u64 align;
};

/* An empty record of a type; strings are put behind it by add_bytes(). */
static inline void begin_record(union any_record *u, enum ev_type type)
{
	memset(u->bytes, 0, event_descs[type].size);
	u->hdr.type = type;
	u->hdr.len = event_descs[type].size;
}

static inline struct ev_ref add_bytes(union any_record *u, const void *s, size_t len)
{
	struct ev_ref r = {u->hdr.len, (__u16)len};

	memcpy(u->bytes + u->hdr.len, s, len);
	u->hdr.len += len;
	return r;
}

/* With the NUL that ends the literal. */
#define ADD_WALK(u, literal) add_bytes(u, literal, sizeof(literal))
#define ADD_STR(u, literal)  add_bytes(u, literal, sizeof(literal) - 1)

static inline const struct field_desc *field_of(enum ev_type type, const char *member)
{
	for (unsigned int i = 0; i < event_descs[type].nr_fields; i++)
		if (!strcmp(event_descs[type].fields[i].member, member))
			return &event_descs[type].fields[i];
	abort();
}

/* ---- judging ---- */

/* By RFC 3629's table of well-formed sequences, not by decoding as the code under test does. */
static inline size_t well_formed(const unsigned char *s, size_t len)
{
	static const struct {
		unsigned char from, to, second_from, second_to, length;
	} rows[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (s[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (s[0] < rows[i].from || s[0] > rows[i].to)
			continue;
		if (len < rows[i].length || s[1] < rows[i].second_from || s[1] > rows[i].second_to)
			return 0;
		for (size_t j = 2; j < rows[i].length; j++)
			if (s[j] < 0x80 || s[j] > 0xbf)
				return 0;
		return rows[i].length;
	}
	return 0;
}

/* Valid UTF-8 in which nothing can steer a terminal: neither C0, DEL, nor C1. */
static inline bool harmless(const char *str, size_t len)
{
	const unsigned char *s = (const unsigned char *)str;

	for (size_t i = 0, n; i < len; i += n) {
		n = well_formed(s + i, len - i);
		if (!n || s[i] < 0x20 || s[i] == 0x7f || (s[i] == 0xc2 && s[i + 1] < 0xa0))
			return false;
	}
	return true;
}

/* The bytes that a JSON string stands for: a character U+F700 + n is the byte n. In place; the length. */
static inline size_t original_bytes(char *str)
{
	unsigned char *s = (unsigned char *)str, *out = s;

	while (*s) {
		if (s[0] == 0xef && s[1] >= 0x9c && s[1] <= 0x9f) {
			*out++ = (unsigned char)((s[1] & 3) << 6 | (s[2] & 0x3f));
			s += 3;
		} else {
			*out++ = *s++;
		}
	}
	*out = 0;
	return (size_t)(out - (unsigned char *)str);
}

/* No object has a key twice. */
static inline bool keys_unique(const cJSON *json)
{
	for (const cJSON *a = json->child; a; a = a->next) {
		for (const cJSON *b = a->next; b && a->string; b = b->next)
			if (!strcmp(a->string, b->string))
				return false;
		if (!keys_unique(a))
			return false;
	}
	return true;
}

/* The value at a dotted path, or NULL. */
static inline cJSON *at(cJSON *json, const char *path)
{
	char part[64];

	while (json && *path) {
		size_t n = strcspn(path, ".");

		memcpy(part, path, n);
		part[n] = 0;
		json = cJSON_GetObjectItemCaseSensitive(json, part);
		path += n + (path[n] == '.');
	}
	return json;
}

static inline const char *str_at(cJSON *json, const char *path)
{
	const char *s = cJSON_GetStringValue(at(json, path));

	return s ? s : "(none)";
}

#endif
