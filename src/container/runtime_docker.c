// SPDX-License-Identifier: MIT
/* Docker: DATA-ROOT/[UID.GID/]containers/ID/{config.v2,hostconfig}.json (moby's container.go). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "container/cgroup_path.h"
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

static void add_networks(struct container_info *info, const cJSON *networks)
{
	const cJSON *n;

	cJSON_ArrayForEach(n, networks)
	{
		struct container_network *net = info_add_network(info, n->string);

		if (!net)
			continue;
		info_set(&net->ipv4, state_str(n, "IPAddress"));
		info_set(&net->ipv6, state_str(n, "GlobalIPv6Address"));
		info_set(&net->mac, state_str(n, "MacAddress"));
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
	const cJSON *config = state_obj(json, "Config"), *state = state_obj(json, "State");
	const char *name = state_str(json, "Name");

	info_set(&info->runtime, "docker");
	if (name)
		info_set(&info->name, name + (name[0] == '/'));
	info_set(&info->image, state_str(config, "Image"));
	info_set(&info->image_id, state_str(json, "Image"));
	info_set(&info->user, state_str(config, "User"));
	info_set(&info->hostname, state_str(config, "Hostname"));
	if (state_true(state, "Running") && !info->init_pid)
		info->init_pid = state_pid(state, "Pid");
	add_labels(info, state_obj(config, "Labels"));
	add_mounts(info, state_obj(json, "MountPoints"));
	add_networks(info, state_obj(state_obj(json, "NetworkSettings"), "Networks"));
}

/*
 * The digest that a registry gave: image/DRIVER/repositories.json maps "nginx@sha256:…" to the id
 * of the image. An image may be in several repositories: the one counts that the user named.
 */
static const char *digest_of(const cJSON *repositories, const struct container_info *info)
{
	const char *found = NULL;
	const cJSON *repository, *ref;

	cJSON_ArrayForEach(repository, repositories)
	{
		size_t n = repository->string ? strlen(repository->string) : 0;
		bool named = info->image && n && !strncmp(info->image, repository->string, n) &&
			     strchr(":@", info->image[n]);

		cJSON_ArrayForEach(ref, repository)
		{
			const char *at = ref->string ? strstr(ref->string, "@sha256:") : NULL;
			const char *id = cJSON_GetStringValue(ref);

			if (at && id && !strcmp(id, info->image_id) && (named || !found))
				found = at + 1;
		}
		if (named && found)
			break;
	}
	return found;
}

static void add_digest(const struct rt *rt, const struct rt_place *at, const char *sub,
		       const char *driver, struct container_info *info)
{
	_cleanup_json_ cJSON *json = NULL;
	char rel[PATH_MAX];

	if (!driver || !info->image_id || info->image_digest || !cgroup_path_id_is_safe(driver))
		return;
	snprintf(rel, sizeof(rel), "%s%simage/%s/repositories.json", sub, *sub ? "/" : "", driver);
	json = rt_json(rt, at, rel);
	info_set(&info->image_digest, digest_of(state_obj(json, "Repositories"), info));
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
	add_digest(rt, at, sub, state_str(config, "Driver"), info);
	if (host)
		add_host_config(info, host);
	return 0;
}
