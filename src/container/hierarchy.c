// SPDX-License-Identifier: MIT
#include "container/hierarchy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>

#define FILE_MAX (1 << 20)

/* The controllers whose v1 hierarchy will do, the best first. */
static const char *const controllers[] = {"pids",    "memory",	"devices", "cpu",
					  "cpuacct", "freezer", "cpuset",  "perf_event"};

static bool has_word(const char *list, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (const char *end = list + len; list < end;) {
		size_t this = strcspn(list, ",");

		if (this > (size_t)(end - list))
			this = end - list;
		if (this == n && !memcmp(list, word, n))
			return true;
		list += this + 1;
	}
	return false;
}

/* "… / /mount/point options - type source super,options" (proc(5)); only mounts of the whole tree. */
static bool mount_of(const char *line, const char *type, const char *controller, char point[4096])
{
	size_t len = strcspn(line, "\n"), words;
	const char *dash = memmem(line, len, " - ", 3), *super;
	char root[4096], is[64], source[4096];

	if (!dash || sscanf(dash, " - %63s %4095s", is, source) != 2 || strcmp(is, type) ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) != 2 || strcmp(root, "/"))
		return false;
	if (!controller)
		return true;
	super = line + len;
	while (super > dash && super[-1] != ' ')
		super--;
	words = line + len - super;
	return has_word(super, words, controller);
}

static bool find_mount(const char *mountinfo, const char *type, const char *controller,
		       char point[4096])
{
	for (const char *line = mountinfo; *line;) {
		if (mount_of(line, type, controller, point))
			return true;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return false;
}

/* /proc/cgroups: "controller hierarchy cgroups enabled", hierarchy 0 where v1 does not have it. */
static unsigned int hierarchy_of(const char *cgroups, const char *controller)
{
	for (const char *line = cgroups; *line;) {
		unsigned int id;
		char name[64];

		if (sscanf(line, "%63s %u", name, &id) == 2 && !strcmp(name, controller))
			return id;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return 0;
}

int cgroup_hierarchy_parse(struct cgroup_hierarchy *h, const char *mountinfo, const char *cgroups)
{
	struct cgroup_hierarchy found = {};

	if (find_mount(mountinfo, "cgroup2", NULL, found.mount)) {
		*h = found;
		return 0;
	}
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		found.id = hierarchy_of(cgroups, controllers[i]);
		if (!found.id || !find_mount(mountinfo, "cgroup", controllers[i], found.mount))
			continue;
		snprintf(found.controller, sizeof(found.controller), "%s", controllers[i]);
		*h = found;
		return 0;
	}
	return -ENOENT;
}

/* A whole file of /proc, or "". The caller frees. */
static char *read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, FILE_MAX + 1);

	if (f && text && fread(text, 1, FILE_MAX, f) == 0)
		text[0] = 0;
	if (f)
		fclose(f);
	return text;
}

int cgroup_hierarchy_find(struct cgroup_hierarchy *h)
{
	char *mountinfo = read_file("/proc/self/mountinfo"), *cgroups = read_file("/proc/cgroups");
	int err = -ENOMEM;

	if (mountinfo && cgroups)
		err = cgroup_hierarchy_parse(h, mountinfo, cgroups);
	free(mountinfo);
	free(cgroups);
	return err;
}
