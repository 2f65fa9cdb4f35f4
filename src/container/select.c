// SPDX-License-Identifier: MIT
#include "container/select.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include "container/container.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static bool has_glob(const char *s)
{
	return strpbrk(s, "*?[");
}

static bool is_id64(const char *id)
{
	return strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64;
}

/* A value that somebody chose may hold '*' itself: what is the same, fits. */
static enum select_fit fits_text(const char *pattern, const char *value)
{
	if (!value || !*value)
		return FIT_NONE;
	if (!strcmp(pattern, value))
		return FIT_EXACT;
	return has_glob(pattern) && !fnmatch(pattern, value, 0) ? FIT_GLOB : FIT_NONE;
}

static enum select_fit best(enum select_fit a, enum select_fit b)
{
	return a > b ? a : b;
}

static enum select_fit fits_one_id(const char *pattern, const char *id)
{
	enum select_fit fit = fits_text(pattern, id);
	size_t n = strlen(pattern);

	if (!fit && id && n >= SELECT_PREFIX_MIN && is_id64(id) && !strncmp(id, pattern, n))
		fit = FIT_PREFIX;
	return fit;
}

static enum select_fit fits_id(const char *pattern, const struct container *c)
{
	return best(fits_one_id(pattern, c->id), fits_one_id(pattern, c->info.id));
}

static enum select_fit fits_name(const char *pattern, const struct container *c)
{
	return fits_text(pattern, c->info.name);
}

/* Without a kind: an id, a name, or the cgroup's own name or path. */
static enum select_fit fits_any(const char *pattern, const struct container *c)
{
	const char *base = strrchr(c->cgroup_path, '/');
	enum select_fit fit = best(fits_id(pattern, c), fits_name(pattern, c));

	if (pattern[0] == '/')
		return best(fit, fits_text(pattern, c->cgroup_path));
	return best(fit, fits_text(pattern, base ? base + 1 : NULL));
}

/* The reference without its registry, where that is the usual one: as `docker ps` shows it. */
static const char *familiar(const char *image)
{
	static const char *const usual[] = {"docker.io/library/", "docker.io/",
					    "index.docker.io/library/", "localhost/"};

	for (size_t i = 0; i < LEN(usual); i++)
		if (!strncmp(image, usual[i], strlen(usual[i])))
			return image + strlen(usual[i]);
	return image;
}

/* "host:5000/name:tag@digest" without tag and digest. */
static void repository(const char *image, char *out, size_t size)
{
	char *slash, *colon;

	snprintf(out, size, "%s", image);
	out[strcspn(out, "@")] = '\0';
	slash = strrchr(out, '/');
	colon = strrchr(slash ? slash : out, ':');
	if (colon)
		*colon = '\0';
}

static enum select_fit fits_hash(const char *pattern, const char *hash)
{
	static const char sha[] = "sha256:";
	size_t n;

	if (!hash)
		return FIT_NONE;
	if (!strncmp(hash, sha, sizeof(sha) - 1) && strncmp(pattern, sha, sizeof(sha) - 1) != 0)
		hash += sizeof(sha) - 1;
	n = strlen(pattern);
	return n >= SELECT_PREFIX_MIN + 2 && !strncmp(hash, pattern, n) ? FIT_GLOB : FIT_NONE;
}

/* The whole reference or the repository, with and without the usual registry; or a hash. */
static enum select_fit fits_image(const char *pattern, const struct container *c)
{
	const char *image = c->info.image;
	char whole[4200], last[4200];
	bool fit = false;

	if (image) {
		repository(image, whole, sizeof(whole));
		repository(familiar(image), last, sizeof(last));
		fit = fits_text(pattern, image) || fits_text(pattern, familiar(image)) ||
		      fits_text(pattern, whole) || fits_text(pattern, last);
	}
	return fit || fits_hash(pattern, c->info.image_id) ||
			       fits_hash(pattern, c->info.image_digest)
		       ? FIT_GLOB
		       : FIT_NONE;
}

/* "key": has it; "key=value": with this value. */
static enum select_fit fits_label(const char *pattern, const struct container *c)
{
	bool key_only = !strchr(pattern, '=');

	for (size_t i = 0; i < c->info.nr_labels; i++) {
		const char *label = c->info.labels[i];
		size_t key = strcspn(label, "=");

		if (key_only ? strlen(pattern) == key && !strncmp(pattern, label, key)
			     : fits_text(pattern, label))
			return FIT_GLOB;
	}
	return FIT_NONE;
}

/* "namespace/name", "name", or the pod's uid. */
static enum select_fit fits_pod(const char *pattern, const struct container *c)
{
	const struct container_info *info = &c->info;
	char whole[8300];

	if (fits_text(pattern, info->pod_uid))
		return FIT_GLOB;
	if (!info->pod_name)
		return FIT_NONE;
	if (!strchr(pattern, '/'))
		return fits_text(pattern, info->pod_name) ? FIT_GLOB : FIT_NONE;
	snprintf(whole, sizeof(whole), "%s/%s", info->pod_namespace ? info->pod_namespace : "",
		 info->pod_name);
	return fits_text(pattern, whole) ? FIT_GLOB : FIT_NONE;
}

static enum select_fit fits_runtime(const char *pattern, const struct container *c)
{
	return fits_text(pattern, c->runtime) ? FIT_GLOB : FIT_NONE;
}

static const struct kind {
	const char *prefix;
	bool single;
	enum select_fit (*fits)(const char *pattern, const struct container *c);
} kinds[] = {
	{"id:", true, fits_id},	       {"name:", true, fits_name},
	{"image:", false, fits_image}, {"label:", false, fits_label},
	{"pod:", false, fits_pod},     {"runtime:", false, fits_runtime},
	{"", true, fits_any}, /* last: it is every pattern's beginning */
};

static const struct kind *kind_of(const char **pattern)
{
	size_t i = 0;

	while (strncmp(*pattern, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
		i++;
	*pattern += strlen(kinds[i].prefix);
	return &kinds[i];
}

enum select_fit select_fits(const char *pattern, const struct container *c)
{
	const struct kind *k = kind_of(&pattern);

	return k->fits(pattern, c);
}

bool select_is_glob(const char *pattern)
{
	return has_glob(pattern);
}

bool select_is_single(const char *pattern)
{
	const struct kind *k = kind_of(&pattern);

	return k->single && !has_glob(pattern);
}

bool select_fits_unit(const char *pattern, const char *unit, size_t n)
{
	static const char *const types[] = {".service", ".scope", ".slice",
					    ".socket",	".mount", ".swap"};
	char name[256], typed[512];
	size_t len = strlen(pattern);

	if (n >= sizeof(name) || len >= sizeof(typed) - sizeof(".service"))
		return false;
	memcpy(name, unit, n);
	name[n] = '\0';
	for (size_t i = 0; i < LEN(types); i++) {
		size_t t = strlen(types[i]);

		if (len > t && !strcmp(pattern + len - t, types[i]))
			return fits_text(pattern, name);
	}
	snprintf(typed, sizeof(typed), "%s.service", pattern);
	return fits_text(typed, name);
}
