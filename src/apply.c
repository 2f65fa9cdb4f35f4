// SPDX-License-Identifier: MIT
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "apply.h"
#include "json_file.h"
#include "log.h"

#define PLACE	    "{}"
#define RUNTIME	    "{runtime}"
#define FIXED_WORDS 16 /* options that are not capabilities */

int apply_open(struct apply *a)
{
	bool there = false, runtime = false;

	for (char *const *w = a->command; *w; w++) {
		there |= a->bundle ? strstr(*w, PLACE) != NULL : !strcmp(*w, PLACE);
		runtime |= strstr(*w, RUNTIME) != NULL;
	}
	if (!there) {
		log_error("the command has no argument {}: that is where %s",
			  a->bundle ? "the bundle's directory goes"
				    : "the advice goes, as options");
		return -EINVAL;
	}
	if (runtime != (a->runtime != NULL)) {
		log_error("%s", runtime ? "the command has {runtime}: --runtime says which"
					: "--runtime: the command has no {runtime} to put it in");
		return -EINVAL;
	}
	snprintf(a->dir, sizeof(a->dir), "/tmp/ebpfmon-verify-XXXXXX");
	if (!mkdtemp(a->dir)) {
		log_error("cannot make %s: %s", a->dir, strerror(errno));
		a->dir[0] = 0;
		return -EIO;
	}
	return 0;
}

static const char *const files[] = {"seccomp.json", "config.json"};

void apply_close(struct apply *a)
{
	char path[128];

	for (size_t i = 0; a->dir[0] && i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", a->dir, files[i]);
		unlink(path);
	}
	if (a->dir[0] && rmdir(a->dir))
		log_warn("cannot remove %s: %s", a->dir, strerror(errno));
	a->dir[0] = 0;
}

void apply_free(char **argv)
{
	for (char **w = argv; w && *w; w++)
		free(*w);
	free(argv);
}

/* ---- docker and podman: options ---- */

struct words {
	char **v;
	size_t nr;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static void add(struct words *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&w->v[w->nr], fmt, ap) < 0) {
		w->v[w->nr] = NULL;
		w->failed = true;
	} else {
		w->nr++;
	}
	va_end(ap);
}

static void add_options(const struct apply *a, struct words *w, const cJSON *caps)
{
	const cJSON *c;

	add(w, "--security-opt");
	add(w, "seccomp=%s/%s", a->dir, files[0]);
	add(w, "--cap-drop");
	add(w, "ALL");
	cJSON_ArrayForEach(c, caps)
	{
		add(w, "--cap-add");
		add(w, "%s", c->valuestring + strlen("CAP_"));
	}
	if (!a->new_privileges) {
		add(w, "--security-opt");
		add(w, "no-new-privileges");
	}
}

/* ---- runc, crun: a bundle ---- */

static void set(cJSON *o, const char *key, cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(o, key);
	cJSON_AddItemToObject(o, key, value);
}

static void put_advice(const struct apply *a, cJSON *config, const cJSON *profile,
		       const cJSON *caps)
{
	static const char *const sets[] = {"bounding", "effective", "permitted"};
	cJSON *process = cJSON_GetObjectItemCaseSensitive(config, "process");
	cJSON *all = cJSON_CreateObject();

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		cJSON_AddItemToObject(all, sets[i], cJSON_Duplicate(caps, true));
	set(process, "capabilities", all);
	set(process, "noNewPrivileges", cJSON_CreateBool(!a->new_privileges));
	set(cJSON_GetObjectItemCaseSensitive(config, "linux"), "seccomp",
	    cJSON_Duplicate(profile, true));
}

/* config.json of the copy; the root stays where it is. */
static int write_bundle(const struct apply *a, const cJSON *profile, const cJSON *caps)
{
	char path[4200], full[4200];
	cJSON *config, *root;
	const char *where;
	int err;

	snprintf(path, sizeof(path), "%s/config.json", a->bundle);
	config = json_read(path);
	if (!config)
		return -EINVAL;
	root = cJSON_GetObjectItemCaseSensitive(config, "root");
	where = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "path"));
	if (where && where[0] != '/') {
		char *real = realpath(a->bundle, NULL);

		snprintf(full, sizeof(full), "%s/%s", real ? real : a->bundle, where);
		free(real);
		set(root, "path", cJSON_CreateString(full));
	}
	if (profile)
		put_advice(a, config, profile, caps);
	snprintf(path, sizeof(path), "%s/%s", a->dir, files[1]);
	err = json_write(path, config);
	cJSON_Delete(config);
	return err;
}

/* ---- both ---- */

static const char *put_in(const struct apply *a, FILE *f, const char *word)
{
	if (a->runtime && !strncmp(word, RUNTIME, strlen(RUNTIME))) {
		fputs(a->runtime, f);
		return word + strlen(RUNTIME);
	}
	if (a->bundle && !strncmp(word, PLACE, strlen(PLACE))) {
		fputs(a->dir, f);
		return word + strlen(PLACE);
	}
	fputc(*word, f);
	return word + 1;
}

static void add_word(const struct apply *a, struct words *w, const char *word)
{
	size_t len;
	FILE *f = open_memstream(&w->v[w->nr], &len);

	while (f && *word)
		word = put_in(a, f, word);
	if (!f || fclose(f) || !w->v[w->nr])
		w->failed = true;
	else
		w->nr++;
}

char **apply_argv(const struct apply *a, const cJSON *profile, const cJSON *caps)
{
	size_t room = FIXED_WORDS + 2 * (size_t)cJSON_GetArraySize(caps);
	struct words w = {0};
	char path[128];
	int err = 0;

	for (char *const *c = a->command; *c; c++)
		room += 1;
	snprintf(path, sizeof(path), "%s/%s", a->dir, files[0]);
	if (a->bundle)
		err = write_bundle(a, profile, caps);
	else if (profile)
		err = json_write(path, profile);
	w.v = err ? NULL : calloc(room, sizeof(*w.v));
	if (!w.v)
		return NULL;
	for (char *const *c = a->command; *c; c++)
		if (a->bundle || strcmp(*c, PLACE) != 0)
			add_word(a, &w, *c);
		else if (profile)
			add_options(a, &w, caps);
	if (w.failed) {
		apply_free(w.v);
		return NULL;
	}
	return w.v;
}
