// SPDX-License-Identifier: MIT
/*
 * podman and CRI-O, which share containers/storage: DIR/DRIVER-containers/containers.json,
 * DIR/DRIVER-containers/ID/userdata/ and DIR/DRIVER-images/images.json (containers/storage; libpod;
 * cri-o's container_server.go).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "container/runtime_priv.h"

/* "metadata" is a JSON document in a string. */
static void add_metadata(struct container_info *info, const char *text)
{
	_cleanup_json_ cJSON *json = text ? cJSON_Parse(text) : NULL;

	info_set(&info->image, state_str(json, "image-name"));
	info_set(&info->image_id, state_str(json, "image-id"));
	info_set(&info->pod_name, state_str(json, "pod-name"));
	info_set(&info->pod_namespace, state_str(json, "namespace"));
	info_set(&info->name, state_str(json, "name"));
}

static int add_entry(struct container_info *info, const cJSON *list, const char *id)
{
	const cJSON *c;

	cJSON_ArrayForEach(c, list)
	{
		const char *said = state_str(c, "id");

		if (!said || strcmp(said, id))
			continue;
		info_set(&info->id, id);
		info_set(&info->name,
			 cJSON_GetStringValue(cJSON_GetArrayItem(state_obj(c, "names"), 0)));
		add_metadata(info, state_str(c, "metadata"));
		info_set(&info->image_id, state_str(c, "image"));
		return 0;
	}
	return -ENOENT;
}

/* The digest of the image's manifest. @sub: "DRIVER-containers". */
static void add_digest(const struct rt *rt, const struct rt_place *at, const char *sub,
		       struct container_info *info)
{
	static const char sha[] = "sha256:";
	const char *id = info->image_id, *dash = strrchr(sub, '-');
	_cleanup_json_ cJSON *images = NULL;
	char rel[PATH_MAX];
	const cJSON *image;

	if (!id || info->image_digest || !dash)
		return;
	if (!strncmp(id, sha, strlen(sha)))
		id += strlen(sha);
	snprintf(rel, sizeof(rel), "%.*s-images/images.json", (int)(dash - sub), sub);
	images = rt_json(rt, at, rel);
	cJSON_ArrayForEach(image, images)
	{
		const char *said = state_str(image, "id");

		if (said && !strcmp(said, id))
			info_set(&info->image_digest, state_str(image, "digest"));
	}
}

int storage_fill(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
		 struct container_info *info)
{
	/* --rm containers are in the volatile one, as they need not survive a crash */
	static const char *const lists[] = {"containers.json", "volatile-containers.json"};
	_cleanup_str_ char *pid = NULL;
	char rel[PATH_MAX];
	int found = -ENOENT;
	size_t len;

	/* first the OCI annotations: of CRI-O's names, they have the short one */
	snprintf(rel, sizeof(rel), "%s/%s/userdata/config.json", sub, id);
	if (!bundle_config(rt, at, rel, info))
		found = 0;
	for (size_t i = 0; i < RT_LEN(lists); i++) {
		_cleanup_json_ cJSON *list = NULL;

		snprintf(rel, sizeof(rel), "%s/%s", sub, lists[i]);
		list = rt_json(rt, at, rel);
		if (!add_entry(info, list, id))
			found = 0;
	}
	snprintf(rel, sizeof(rel), "%s/%s/userdata/pidfile", sub, id);
	if (!info->init_pid && !rt_read(rt, at, rel, &pid, &len)) {
		long n = strtol(pid, NULL, 10);

		info->init_pid = n > 0 && n <= 1 << 22 ? (pid_t)n : 0;
		found = info->init_pid ? 0 : found;
	}
	if (!found) {
		info_set(&info->id, id);
		info_set(&info->runtime, info->pod_uid ? "cri-o" : "podman");
		/* the name may have the digest that was asked for */
		info_digest_of_image(info);
		add_digest(rt, at, sub, info);
	}
	return found;
}
