// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include "schema.h"

const struct type_desc type_descs[FT__MAX] = {
#define TYPE(name, ctype, doc) {#name, doc, sizeof(ctype)},
#include "types.def"
#undef TYPE
};

const char *const subsystem_names[EVS__MAX] = {
#define SUBSYSTEM(name, doc) #name,
#include "subsystems.def"
#undef SUBSYSTEM
};

const char *const subsystem_docs[EVS__MAX] = {
#define SUBSYSTEM(name, doc) doc,
#include "subsystems.def"
#undef SUBSYSTEM
};

static struct event_desc table[EV__MAX];
const struct event_desc *const event_descs = table;

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ROW(type, member, key, doc, role)                                                          \
	{#member, key, doc, offsetof(self, member), FT_##type, role},
#define FIELD(type, member, key, doc) ROW(type, member, key, doc, ROLE_FIELD)
#define SUM(type, member, key, doc)   ROW(type, member, key, doc, ROLE_SUM)
#define MAX(type, member, key, doc)   ROW(type, member, key, doc, ROLE_MAX)
#define HIDDEN(type, member, doc)     ROW(type, member, NULL, doc, ROLE_HIDDEN)

/* A block per event gives its struct a name, self, that ROW can take offsets of. */
#define DESCRIBE(sub_, name_, doc_, counter_, ...)                                                 \
	{                                                                                          \
		typedef struct ev_##sub_##_##name_ self;                                           \
		static const struct field_desc f[] = {__VA_ARGS__};                                \
		table[EV_##sub_##_##name_] =                                                       \
			(struct event_desc){#sub_ "." #name_, #sub_,	    doc_,	f,         \
					    COUNT(f),	      sizeof(self), EVS_##sub_, counter_}; \
	}
#define EVENT(sub, name, doc, fields)	DESCRIBE(sub, name, doc, false, fields)
#define COUNTER(sub, name, doc, fields) DESCRIBE(sub, name, doc, true, fields)

/* Priority 200: before the constructors of those who read it. */
static __attribute__((constructor(200))) void fill_table(void)
{
#include "events/all.def"
}

int event_by_name(const char *name)
{
	for (int i = 0; i < EV__MAX; i++)
		if (!strcmp(name, event_descs[i].name))
			return i;
	return -1;
}

/* Levenshtein, for short names only. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[64], n = strlen(b);

	if (n >= COUNT(row) || strlen(a) >= COUNT(row))
		return -1;
	for (unsigned int j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned int i = 1; a[i - 1]; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (unsigned int j = 1; j <= n; j++) {
			unsigned int best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

const char *event_nearest(const char *name)
{
	const char *best = subsystem_names[0];
	unsigned int least = -1;

	for (int i = 0; i < EV__MAX + EVS__MAX; i++) {
		const char *candidate =
			i < EV__MAX ? event_descs[i].name : subsystem_names[i - EV__MAX];
		unsigned int d = distance(name, candidate);

		if (d < least) {
			least = d;
			best = candidate;
		}
	}
	return best;
}

const struct field_desc *field_by_key(const struct event_desc *ev, const char *key)
{
	for (unsigned int i = 0; i < ev->nr_fields; i++)
		if (ev->fields[i].key && !strcmp(ev->fields[i].key, key))
			return &ev->fields[i];
	return NULL;
}
