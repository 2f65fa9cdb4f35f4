// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "advise_places.h"

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]);
}

/* What every runtime mounts or writes itself. */
static bool is_runtimes(const char *path)
{
	static const char *const own[] = {"/proc",	 "/sys",	  "/dev",
					  "/etc/hosts",	 "/etc/hostname", "/etc/resolv.conf",
					  "/run/secrets"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (is_below(path, own[i]))
			return true;
	return false;
}

static struct place *place_new(struct places *p)
{
	if (p->nr == PLACES_MAX) {
		p->root_writable = true;
		return NULL;
	}
	p->v[p->nr] = (struct place){};
	return &p->v[p->nr++];
}

static void add_configured(struct places *p, const char *key)
{
	static const struct {
		const char *type;
		enum place_kind kind;
	} kinds[] = {{"tmpfs", PLACE_TMPFS}, {"volume", PLACE_VOLUME}, {"bind", PLACE_BIND}};
	char copy[3 * 4096 + 64], *save = copy, *path, *type, *source;
	struct place *at;

	snprintf(copy, sizeof(copy), "%s", key);
	path = strsep(&save, "\t");
	type = strsep(&save, "\t");
	source = strsep(&save, "\t");
	if (!source || is_runtimes(path))
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(type, kinds[i].type) != 0 || !(at = place_new(p)))
			continue;
		at->kind = kinds[i].kind;
		at->configured = true;
		snprintf(at->path, sizeof(at->path), "%s", path);
		snprintf(at->source, sizeof(at->source), "%s", source);
	}
}

/* The innermost place that @path is in. */
static struct place *place_at(struct places *p, const char *path)
{
	struct place *best = NULL;

	for (unsigned int i = 0; i < p->nr; i++)
		if (is_below(path, p->v[i].path) &&
		    (!best || strlen(p->v[i].path) > strlen(best->path)))
			best = &p->v[i];
	return best;
}

/* Files of the image in @dir: opened, and nobody of the container had made them. */
static bool holds_found(const struct facts *f, const char *dir)
{
	const struct fact_set *found = &f->sets[FACT_FOUND];

	for (size_t i = 0; i < found->nr; i++)
		if (is_below(found->v[i].key, dir) &&
		    !fact_find(&f->sets[FACT_CREATED], found->v[i].key))
			return true;
	return false;
}

static void add_written(struct places *p, const struct facts *f, const char *path)
{
	struct place *at = place_at(p, path);
	const char *end = strrchr(path, '/');
	char dir[4096];

	if (*path != '/' || is_runtimes(path))
		return;
	if (at) {
		at->writable = true;
		return;
	}
	snprintf(dir, sizeof(dir), "%.*s", (int)(end - path), path);
	/* a directory that it made is inside of one that it found */
	while (fact_find(&f->sets[FACT_CREATED], dir))
		*strrchr(dir, '/') = 0;
	if (!*dir) {
		p->root_writable = true;
		return;
	}
	at = place_new(p);
	if (!at)
		return;
	at->kind = holds_found(f, dir) ? PLACE_VOLUME : PLACE_TMPFS;
	at->writable = true;
	snprintf(at->path, sizeof(at->path), "%s", dir);
}

/* A place inside of one that is to be made for the root is not needed. */
static void drop_inner(struct places *p)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < p->nr; i++) {
		bool inner = false;

		for (unsigned int k = 0; k < p->nr && !p->v[i].configured; k++)
			inner |= k != i && !p->v[k].configured &&
				 is_below(p->v[i].path, p->v[k].path);
		if (!inner)
			p->v[used++] = p->v[i];
	}
	p->nr = used;
}

struct places *places_of(const struct facts *f)
{
	struct places *p = calloc(1, sizeof(*p));

	for (size_t i = 0; p && i < f->sets[FACT_MOUNTS].nr; i++)
		add_configured(p, f->sets[FACT_MOUNTS].v[i].key);
	for (size_t i = 0; p && i < f->sets[FACT_WRITTEN].nr; i++)
		add_written(p, f, f->sets[FACT_WRITTEN].v[i].key);
	if (p)
		drop_inner(p);
	return p;
}
