// SPDX-License-Identifier: MIT
/* Filling in a struct container_info: every field once, every list bounded. */
#include <stddef.h>
#include <string.h>
#include "container/runtime_priv.h"

void info_set_n(char **field, const char *value, size_t len)
{
	if (*field || !value || !len)
		return;
	*field = strndup(value, len < RT_STR_MAX ? len : RT_STR_MAX);
}

void info_set(char **field, const char *value)
{
	if (value)
		info_set_n(field, value, strlen(value));
}

void info_add(char ***list, size_t *n, const char *value)
{
	char **bigger;

	if (!value || !*value || *n >= RT_LIST_MAX)
		return;
	for (size_t i = 0; i < *n; i++)
		if (!strcmp((*list)[i], value))
			return;
	bigger = realloc(*list, (*n + 1) * sizeof(**list));
	if (!bigger)
		return;
	*list = bigger;
	bigger[*n] = strndup(value, RT_STR_MAX);
	if (bigger[*n])
		++*n;
}

void info_add_label(struct container_info *info, const char *key, const char *value)
{
	char pair[RT_STR_MAX];
	size_t k = strlen(key), v = strlen(value);

	if (!k || k + 2 > sizeof(pair) || info->nr_labels >= RT_LIST_MAX)
		return;
	if (v > sizeof(pair) - k - 2)
		v = sizeof(pair) - k - 2;
	memcpy(pair, key, k);
	pair[k] = '=';
	memcpy(pair + k + 1, value, v);
	pair[k + 1 + v] = '\0';
	/* the first source is the best one: a key is not added again */
	for (size_t i = 0; i < info->nr_labels; i++)
		if (!strncmp(info->labels[i], pair, k + 1))
			return;
	info_add(&info->labels, &info->nr_labels, pair);
}

/* The mount at @destination, new or as it was; NULL when there are too many. */
struct container_mount *info_add_mount(struct container_info *info, const char *destination)
{
	struct container_mount *bigger;

	if (!destination || !*destination || info->nr_mounts >= RT_LIST_MAX)
		return NULL;
	for (size_t i = 0; i < info->nr_mounts; i++)
		if (!strcmp(info->mounts[i].destination, destination))
			return &info->mounts[i];
	bigger = realloc(info->mounts, (info->nr_mounts + 1) * sizeof(*bigger));
	if (!bigger)
		return NULL;
	info->mounts = bigger;
	bigger += info->nr_mounts;
	memset(bigger, 0, sizeof(*bigger));
	bigger->destination = strndup(destination, RT_STR_MAX);
	if (!bigger->destination)
		return NULL;
	info->nr_mounts++;
	return bigger;
}

/* The network of that name, new or as it was; NULL when there are too many. */
struct container_network *info_add_network(struct container_info *info, const char *name)
{
	struct container_network *bigger;

	if (!name || !*name || info->nr_networks >= RT_LIST_MAX)
		return NULL;
	for (size_t i = 0; i < info->nr_networks; i++)
		if (!strcmp(info->networks[i].name, name))
			return &info->networks[i];
	bigger = realloc(info->networks, (info->nr_networks + 1) * sizeof(*bigger));
	if (!bigger)
		return NULL;
	info->networks = bigger;
	bigger += info->nr_networks;
	*bigger = (struct container_network){.name = strndup(name, RT_STR_MAX)};
	if (!bigger->name)
		return NULL;
	info->nr_networks++;
	return bigger;
}

/* "nginx@sha256:…": whoever asked for the image by its digest got that one. */
void info_digest_of_image(struct container_info *info)
{
	const char *at = info->image ? strrchr(info->image, '@') : NULL;

	if (at && !strncmp(at, "@sha256:", 8))
		info_set(&info->image_digest, at + 1);
}

/* "/" names no container: believing it would hand over the whole host. */
void info_add_cgroup(struct container_info *info, const char *path)
{
	size_t len = path ? strlen(path) : 0;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len < 2 || len >= RT_STR_MAX || path[0] != '/' || strstr(path, "/.."))
		return;
	if (path[len]) {
		char *cut = strndup(path, len);

		info_add(&info->cgroups, &info->nr_cgroups, cut);
		free(cut);
		return;
	}
	info_add(&info->cgroups, &info->nr_cgroups, path);
}

/*
 * Annotations and labels whose meaning is fixed by whoever sets them. Where several name the same
 * field, the first found wins.
 */
static const struct {
	const char *key;
	size_t field;
} annotations[] = {
#define FIELD(key, field)                                                                          \
	{                                                                                          \
		key, offsetof(struct container_info, field)                                        \
	}
	/* containerd's CRI plugin */
	FIELD("io.kubernetes.cri.container-name", name),
	FIELD("io.kubernetes.cri.image-name", image),
	FIELD("io.kubernetes.cri.sandbox-name", pod_name),
	FIELD("io.kubernetes.cri.sandbox-namespace", pod_namespace),
	FIELD("io.kubernetes.cri.sandbox-uid", pod_uid),
	/* the kubelet: CRI-O passes them on, cri-dockerd as labels */
	FIELD("io.kubernetes.container.name", name),
	FIELD("io.kubernetes.pod.name", pod_name),
	FIELD("io.kubernetes.pod.namespace", pod_namespace),
	FIELD("io.kubernetes.pod.uid", pod_uid),
	/* CRI-O */
	FIELD("io.kubernetes.cri-o.ImageName", image),
	FIELD("io.kubernetes.cri-o.ImageRef", image_id),
	FIELD("io.kubernetes.cri-o.Name", name),
	/* nerdctl */
	FIELD("nerdctl/name", name),
	FIELD("nerdctl/hostname", hostname),
#undef FIELD
};

static const char *const sandbox_keys[] = {
	"io.kubernetes.cri.container-type",
	"io.kubernetes.cri-o.ContainerType",
	"io.kubernetes.docker.type",
};

void info_annotation(struct container_info *info, const char *key, const char *value)
{
	for (size_t i = 0; i < RT_LEN(annotations); i++)
		if (!strcmp(key, annotations[i].key))
			info_set((char **)((char *)info + annotations[i].field), value);
	for (size_t i = 0; i < RT_LEN(sandbox_keys); i++)
		if (!strcmp(key, sandbox_keys[i]) &&
		    (!strcmp(value, "sandbox") || !strcmp(value, "podsandbox")))
			info->sandbox = true;
}

/* capability.h's numbers, in their order */
static const char *const cap_names[] = {
	"CHOWN",
	"DAC_OVERRIDE",
	"DAC_READ_SEARCH",
	"FOWNER",
	"FSETID",
	"KILL",
	"SETGID",
	"SETUID",
	"SETPCAP",
	"LINUX_IMMUTABLE",
	"NET_BIND_SERVICE",
	"NET_BROADCAST",
	"NET_ADMIN",
	"NET_RAW",
	"IPC_LOCK",
	"IPC_OWNER",
	"SYS_MODULE",
	"SYS_RAWIO",
	"SYS_CHROOT",
	"SYS_PTRACE",
	"SYS_PACCT",
	"SYS_ADMIN",
	"SYS_BOOT",
	"SYS_NICE",
	"SYS_RESOURCE",
	"SYS_TIME",
	"SYS_TTY_CONFIG",
	"MKNOD",
	"LEASE",
	"AUDIT_WRITE",
	"AUDIT_CONTROL",
	"SETFCAP",
	"MAC_OVERRIDE",
	"MAC_ADMIN",
	"SYSLOG",
	"WAKE_ALARM",
	"BLOCK_SUSPEND",
	"AUDIT_READ",
	"PERFMON",
	"BPF",
	"CHECKPOINT_RESTORE",
};

_Static_assert(sizeof(cap_names) / sizeof(cap_names[0]) == 41, "CAP_CHECKPOINT_RESTORE is 40");

/* @names: a JSON array of "CAP_X". Returns whether the set is now known. */
bool info_set_caps(struct container_info *info, const cJSON *names)
{
	const cJSON *n;

	if (info->caps_known || !cJSON_IsArray(names))
		return info->caps_known;
	cJSON_ArrayForEach(n, names)
	{
		const char *s = cJSON_GetStringValue(n);

		if (!s)
			continue;
		if (!strncmp(s, "CAP_", 4))
			s += 4;
		for (size_t i = 0; i < RT_LEN(cap_names); i++)
			if (!strcmp(s, cap_names[i]))
				info->caps |= 1ULL << i;
	}
	info->caps_known = true;
	return true;
}

const cJSON *state_obj(const cJSON *obj, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(obj, key);
}

const char *state_str(const cJSON *obj, const char *key)
{
	const char *s = cJSON_GetStringValue(state_obj(obj, key));

	return s && *s ? s : NULL;
}

bool state_true(const cJSON *obj, const char *key)
{
	return cJSON_IsTrue(state_obj(obj, key));
}

uint64_t state_u64(const cJSON *obj, const char *key)
{
	const cJSON *n = state_obj(obj, key);

	/* 2^53: above, a double is no exact number */
	if (!cJSON_IsNumber(n) || !(n->valuedouble >= 0 && n->valuedouble < 9007199254740992.0))
		return 0;
	return (uint64_t)n->valuedouble;
}

pid_t state_pid(const cJSON *obj, const char *key)
{
	uint64_t pid = state_u64(obj, key);

	return pid <= 1 << 22 ? (pid_t)pid : 0; /* PID_MAX_LIMIT */
}

static void free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void container_info_free(struct container_info *info)
{
	char *const strings[] = {
		info->id,      info->name,     info->image,	    info->image_digest,
		info->runtime, info->pod_name, info->pod_namespace, info->pod_uid,
		info->user,    info->bundle,   info->rootfs,	    info->hostname,
		info->seccomp, info->image_id,
	};

	for (size_t i = 0; i < RT_LEN(strings); i++)
		free(strings[i]);
	for (size_t i = 0; i < info->nr_mounts; i++) {
		free(info->mounts[i].destination);
		free(info->mounts[i].source);
		free(info->mounts[i].type);
		free(info->mounts[i].name);
	}
	free(info->mounts);
	free_list(info->labels, info->nr_labels);
	for (size_t i = 0; i < info->nr_networks; i++) {
		free(info->networks[i].name);
		free(info->networks[i].ipv4);
		free(info->networks[i].ipv6);
		free(info->networks[i].mac);
	}
	free(info->networks);
	free_list(info->cgroups, info->nr_cgroups);
	memset(info, 0, sizeof(*info));
}
