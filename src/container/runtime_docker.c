// SPDX-License-Identifier: MIT
/* Docker: DATA-ROOT/[UID.GID/]containers/ID/{config.v2,hostconfig}.json (moby's container.go). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "container/runtime_priv.h"

static void add_labels(struct container_info *info, const cJSON *labels)
{
	const cJSON *l;

	cJSON_ArrayForEach(l, labels)
	{
		const char *value = cJSON_GetStringValue(l);

		if (!l->string || !value)
			continue;
		info_add_label(info, l->string, value);
		info_annotation(info, l->string, value);
	}
}

static void add_mounts(struct container_info *info, const cJSON *points)
{
	const cJSON *m;

	cJSON_ArrayForEach(m, points)
	{
		const char *destination = state_str(m, "Destination");
		struct container_mount *mount = info_add_mount(info, destination);

		if (!mount || mount->type)
			continue;
		info_set(&mount->source, state_str(m, "Source"));
		info_set(&mount->name, state_str(m, "Name"));
		info_set(&mount->type, state_str(m, "Type"));
		/* Docker before 1.13 wrote no type */
		info_set(&mount->type, mount->name ? "volume" : "bind");
		mount->rw = state_true(m, "RW");
	}
}

static void add_host_config(struct container_info *info, const cJSON *host)
{
	const cJSON *t, *opts = state_obj(host, "SecurityOpt");

	info->privileged = state_true(host, "Privileged");
	info->readonly_root = state_true(host, "ReadonlyRootfs");
	cJSON_ArrayForEach(t, state_obj(host, "Tmpfs"))
	{
		struct container_mount *mount = info_add_mount(info, t->string);
		const char *o = cJSON_GetStringValue(t);

		if (!mount || mount->type)
			continue;
		info_set(&mount->type, "tmpfs");
		mount->rw = !o || (strncmp(o, "ro,", 3) && strcmp(o, "ro") && !strstr(o, ",ro"));
	}
	cJSON_ArrayForEach(t, opts)
	{
		const char *o = cJSON_GetStringValue(t);

		/* "seccomp:…" until 1.11; "default" and "builtin" are what it is anyway */
		if (!o || strncmp(o, "seccomp", 7) || (o[7] != '=' && o[7] != ':'))
			continue;
		if (!strcmp(o + 8, "unconfined"))
			info_set(&info->seccomp, "unconfined");
		else if (strcmp(o + 8, "default") && strcmp(o + 8, "builtin"))
			info_set(&info->seccomp, "profile");
	}
	if (info->privileged)
		info_set(&info->seccomp, "unconfined");
}

static void add_config(struct container_info *info, const cJSON *json)
{
	const cJSON *config = state_obj(json, "Config"), *state = state_obj(json, "State"), *n;
	const char *name = state_str(json, "Name");

	info_set(&info->runtime, "docker");
	if (name)
		info_set(&info->name, name + (name[0] == '/'));
	info_set(&info->image, state_str(config, "Image"));
	info_set(&info->image_digest, state_str(json, "Image"));
	info_set(&info->user, state_str(config, "User"));
	info_set(&info->hostname, state_str(config, "Hostname"));
	if (state_true(state, "Running") && !info->init_pid)
		info->init_pid = state_pid(state, "Pid");
	add_labels(info, state_obj(config, "Labels"));
	add_mounts(info, state_obj(json, "MountPoints"));
	cJSON_ArrayForEach(n, state_obj(state_obj(json, "NetworkSettings"), "Networks"))
		info_add(&info->networks, &info->nr_networks, n->string);
}

int docker_fill(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
		struct container_info *info)
{
	_cleanup_json_ cJSON *config = NULL, *host = NULL;
	char rel[PATH_MAX];
	const char *said;

	snprintf(rel, sizeof(rel), "%s%scontainers/%s/config.v2.json", sub, *sub ? "/" : "", id);
	config = rt_json(rt, at, rel);
	said = state_str(config, "ID");
	if (!said || strcmp(said, id))
		return -ENOENT;
	snprintf(rel, sizeof(rel), "%s%scontainers/%s/hostconfig.json", sub, *sub ? "/" : "", id);
	host = rt_json(rt, at, rel);
	info_set(&info->id, id);
	add_config(info, config);
	if (host)
		add_host_config(info, host);
	return 0;
}
