// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base_set.h"
#include "json_at.h"
#include "json_file.h"
#include "log.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */

static const char *const mode_names[] = {"plain", "nnp", "always"};

#define always BASE_ALWAYS
#define plain  BASE_PLAIN
#define nnp    BASE_NNP
static const struct {
	const char *runtime, *version;
	enum base_mode mode;
	const char *calls;
} shipped[] = {
#define BASE(runtime, version, mode, calls) {#runtime, version, mode, calls},
#include "base_sets.def"
};
#undef always
#undef plain
#undef nnp

#define NR_SHIPPED (sizeof(shipped) / sizeof(shipped[0]))

const char *base_mode_name(enum base_mode mode)
{
	return mode_names[mode];
}

/* Debian's "1.1.5+ds1" is upstream's 1.1.5. */
static bool same_version(const char *chosen, const char *has)
{
	return !chosen || !strcmp(chosen, has) ||
	       (!strncmp(chosen, has, strlen(has)) && strchr("+~-", chosen[strlen(has)]));
}

static bool chosen(const struct base_choice *c, const char *runtime, const char *version)
{
	return (!c->runtime || !strcmp(c->runtime, runtime)) && same_version(c->version, version);
}

/* A key of @measured, taken apart in @copy. */
struct measured_key {
	char copy[256];
	char *runtime, *version, *mode, *call;
};

static bool measured_split(struct measured_key *k, const char *key)
{
	char *save = NULL;

	snprintf(k->copy, sizeof(k->copy), "%s", key);
	k->runtime = strtok_r(k->copy, "\t", &save);
	k->version = k->runtime ? strtok_r(NULL, "\t", &save) : NULL;
	k->mode = k->version ? strtok_r(NULL, "\t", &save) : NULL;
	k->call = k->mode ? strtok_r(NULL, "\t", &save) : NULL;
	return k->call != NULL;
}

bool base_set_has(const struct base_choice *c, const char *name, struct base_reason *why)
{
	struct measured_key k;

	for (size_t i = 0; i < NR_SHIPPED; i++) {
		bool in_all = shipped[i].mode == BASE_ALWAYS;

		if ((!in_all && (shipped[i].mode != c->mode ||
				 !chosen(c, shipped[i].runtime, shipped[i].version))) ||
		    !name_in_list(shipped[i].calls, name))
			continue;
		*why = (struct base_reason){in_all ? NULL : shipped[i].runtime,
					    in_all ? NULL : shipped[i].version, 0};
		return true;
	}
	for (size_t i = 0; i < c->measured.nr; i++) {
		const char *key = c->measured.v[i].key;

		if (!measured_split(&k, key) || strcmp(k.call, name) != 0 ||
		    strcmp(k.mode, mode_names[c->mode]) != 0 || !chosen(c, k.runtime, k.version))
			continue;
		*why = (struct base_reason){"measured on this host", "", c->measured.v[i].count};
		return true;
	}
	return false;
}

bool base_set_known(const struct base_choice *c)
{
	struct measured_key k;

	for (size_t i = 0; i < NR_SHIPPED; i++)
		if (shipped[i].mode == c->mode && chosen(c, shipped[i].runtime, shipped[i].version))
			return true;
	for (size_t i = 0; i < c->measured.nr; i++)
		if (measured_split(&k, c->measured.v[i].key) && chosen(c, k.runtime, k.version))
			return true;
	return false;
}

bool base_set_is_word(const char *s)
{
	return *s && strlen(s) < 60 &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+~-")];
}

static int take(struct base_choice *c, const cJSON *doc)
{
	const char *runtime = json_text(doc, "runtime"), *version = json_text(doc, "version");
	const cJSON *call;
	char key[256];

	if (strcmp(json_text(doc, "schema"), "ebpfmon.base_set") != 0 ||
	    json_number(doc, "schema_version") != 1 || !base_set_is_word(runtime) ||
	    !base_set_is_word(version))
		return -EINVAL;
	for (int mode = BASE_PLAIN; mode <= BASE_NNP; mode++)
		cJSON_ArrayForEach(call, json_at(json_at(doc, "modes"), mode_names[mode]))
		{
			if (!base_set_is_word(json_text(call, "name")))
				return -EINVAL;
			snprintf(key, sizeof(key), "%s\t%s\t%s\t%s", runtime, version,
				 mode_names[mode], json_text(call, "name"));
			fact_add(&c->measured, key, json_count(call, "starts"), 1);
		}
	return 0;
}

int base_set_read(struct base_choice *c, const char *dir)
{
	char path[4400];
	struct dirent *e;
	int err = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%.4000s/base", dir);
	d = opendir(path);
	if (!d && errno != ENOENT)
		log_warn("what `calibrate` measured is left out: cannot read %s: %s", path,
			 strerror(errno));
	while (d && !err && (e = readdir(d))) {
		size_t len = strlen(e->d_name);
		cJSON *doc;

		if (e->d_name[0] == '.' || len < 6 || strcmp(e->d_name + len - 5, ".json") != 0)
			continue;
		snprintf(path, sizeof(path), "%.4000s/base/%s", dir, e->d_name);
		doc = json_read(path);
		err = doc ? take(c, doc) : -EINVAL;
		if (doc && err)
			log_error("%s is not a base set of this version", path);
		cJSON_Delete(doc);
	}
	if (d)
		closedir(d);
	fact_settle(&c->measured);
	return c->measured.no_memory ? -ENOMEM : err;
}

void base_set_free(struct base_choice *c)
{
	fact_set_free(&c->measured);
}
