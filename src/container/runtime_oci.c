// SPDX-License-Identifier: MIT
/*
 * OCI: the bundle's config.json (opencontainers/runtime-spec, config.md), runc's state.json
 * (libcontainer/container_linux.go: State) and crun's status (libcrun/status.c).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "container/runtime_priv.h"

#define ALL_CAPS ((1ULL << 38) - 1) /* up to CAP_AUDIT_READ, which every kernel has */

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

/* The runtime's own furniture is in every container: it would only hide what the user asked for. */
static bool is_furniture(const char *destination)
{
	static const char *const dirs[] = {
		"/proc",
		"/sys",
		"/dev",
		"/etc/resolv.conf",
		"/etc/hostname",
		"/etc/hosts",
		"/run/.containerenv",
		"/run/secrets",
		"/.dockerenv",
	};

	for (size_t i = 0; i < RT_LEN(dirs); i++)
		if (below(destination, dirs[i]))
			return true;
	return false;
}

/*
 * A volume is a bind mount to the OCI runtime; its source tells: DIR/volumes/NAME/_data (docker,
 * podman) and DIR/pods/UID/volumes/PLUGIN/NAME (kubelet).
 */
static void set_volume(struct container_mount *mount, const char *source)
{
	const char *v = strstr(source, "/volumes/");
	const char *name, *end;

	if (!v)
		return;
	name = v + strlen("/volumes/");
	end = strchr(name, '/');
	if (!end)
		return;
	if (strcmp(end, "/_data")) {
		if (!strstr(source, "/pods/") || strncmp(name, "kubernetes.io~", 14))
			return;
		name = end + 1;
		end = name + strcspn(name, "/");
	}
	info_set_n(&mount->name, name, (size_t)(end - name));
	info_set(&mount->type, "volume");
}

static void add_mount(struct container_info *info, const char *destination, const char *type,
		      const char *source, bool rw)
{
	struct container_mount *mount;

	if (!destination || is_furniture(destination) ||
	    (!strcmp(type, "tmpfs") && !strcmp(destination, "/run")))
		return;
	mount = info_add_mount(info, destination);
	if (!mount || mount->type)
		return;
	mount->rw = rw;
	if (!strcmp(type, "bind") && source) {
		info_set(&mount->source, source);
		set_volume(mount, source);
	}
	info_set(&mount->type, type);
}

static void add_mounts(struct container_info *info, const cJSON *mounts)
{
	const cJSON *m, *o;

	cJSON_ArrayForEach(m, mounts)
	{
		const char *type = state_str(m, "type");
		bool rw = true, bind = false;

		cJSON_ArrayForEach(o, state_obj(m, "options"))
		{
			const char *s = cJSON_GetStringValue(o);

			if (s && (!strcmp(s, "ro") || !strcmp(s, "rro")))
				rw = false;
			if (s && (!strcmp(s, "bind") || !strcmp(s, "rbind")))
				bind = true;
		}
		/* the spec lets "bind" be said in the options, with any type or none */
		if (bind || !type)
			type = "bind";
		add_mount(info, state_str(m, "destination"), type, state_str(m, "source"), rw);
	}
}

static void add_annotations(struct container_info *info, const cJSON *annotations)
{
	const cJSON *a;

	cJSON_ArrayForEach(a, annotations)
	{
		const char *value = cJSON_GetStringValue(a);

		if (!a->string || !value)
			continue;
		info_annotation(info, a->string, value);
		/* CRI-O keeps dozens of its own there, some of them JSON documents */
		if (strncmp(a->string, "io.kubernetes.cri-o.", 20))
			info_add_label(info, a->string, value);
		if (!strcmp(a->string, "io.container.manager"))
			info_set(&info->runtime, !strcmp(value, "libpod") ? "podman" : value);
	}
}

static void set_user(struct container_info *info, const cJSON *user)
{
	char s[64];

	if (info->user || !cJSON_IsNumber(state_obj(user, "uid")))
		return;
	snprintf(s, sizeof(s), "%llu:%llu", (unsigned long long)state_u64(user, "uid"),
		 (unsigned long long)state_u64(user, "gid"));
	info_set(&info->user, s);
}

static void set_seccomp(struct container_info *info, const cJSON *seccomp)
{
	bool docker = info->runtime && !strcmp(info->runtime, "docker");

	if (!cJSON_IsObject(seccomp))
		info_set(&info->seccomp, "unconfined");
	else /* docker_fill() has seen it if the user asked for another one */
		info_set(&info->seccomp, docker ? "default" : "profile");
}

/*
 * The path that cgroupsPath stands for. Relative ones and those of the systemd driver
 * ("slice:prefix:name") depend on the runtime's settings: its state says, or /proc.
 */
static void add_cgroups_path(struct container_info *info, const char *path)
{
	if (path && path[0] == '/' && !strchr(path, ':'))
		info_add_cgroup(info, path);
}

int bundle_config(const struct rt *rt, const struct rt_place *at, const char *rel,
		  struct container_info *info)
{
	_cleanup_json_ cJSON *json = rt_json(rt, at, rel);
	const cJSON *process = state_obj(json, "process"), *root = state_obj(json, "root");
	const cJSON *lnx = state_obj(json, "linux");
	const char *slash = strrchr(rel, '/'), *path = state_str(root, "path");
	char dir[PATH_MAX];
	int n;

	if (!cJSON_IsObject(json) || !state_str(json, "ociVersion"))
		return -ENOENT;
	n = snprintf(dir, sizeof(dir), "%s%s%.*s", at->path, slash ? "/" : "",
		     slash ? (int)(slash - rel) : 0, rel);
	if (n > 0 && (size_t)n < sizeof(dir))
		info_set(&info->bundle, dir);
	if (path && path[0] == '/')
		info_set(&info->rootfs, path);
	else if (path && info->bundle &&
		 (size_t)snprintf(dir, sizeof(dir), "%s/%s", info->bundle, path) < sizeof(dir))
		info_set(&info->rootfs, dir);
	add_annotations(info, state_obj(json, "annotations"));
	info->readonly_root |= state_true(root, "readonly");
	info_set(&info->hostname, state_str(json, "hostname"));
	set_user(info, state_obj(process, "user"));
	info_set_caps(info, state_obj(state_obj(process, "capabilities"), "bounding"));
	add_mounts(info, state_obj(json, "mounts"));
	set_seccomp(info, state_obj(lnx, "seccomp"));
	/* runc's state is more exact: it knows every hierarchy's path */
	if (!info->nr_cgroups)
		add_cgroups_path(info, state_str(lnx, "cgroupsPath"));
	if (info->caps_known && (info->caps & ALL_CAPS) == ALL_CAPS &&
	    !cJSON_GetArraySize(state_obj(lnx, "maskedPaths")) &&
	    !strcmp(info->seccomp ? info->seccomp : "", "unconfined"))
		info->privileged = true;
	return 0;
}

int bundle_fill(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
		struct container_info *info)
{
	_cleanup_str_ char *pid = NULL;
	char rel[PATH_MAX];
	size_t len;
	int err;

	info_set(&info->runtime, strcmp(sub, "moby") ? "containerd" : "docker");
	snprintf(rel, sizeof(rel), "%s/%s/config.json", sub, id);
	err = bundle_config(rt, at, rel, info);
	if (err)
		return err;
	info_set(&info->id, id);
	snprintf(rel, sizeof(rel), "%s/%s/init.pid", sub, id);
	if (!info->init_pid && !rt_read(rt, at, rel, &pid, &len)) {
		long n = strtol(pid, NULL, 10);

		info->init_pid = n > 0 && n <= 1 << 22 ? (pid_t)n : 0;
	}
	return 0;
}

/*
 * cgroup_paths: controller → directory. Below /sys/fs/cgroup, v1 has a mount for each controller,
 * or for several ("cpu,cpuacct"); "" is v2, at "unified" in the hybrid layout.
 */
static void add_cgroup_paths(struct container_info *info, const cJSON *paths)
{
	static const char mnt[] = "/sys/fs/cgroup";
	const cJSON *p;

	cJSON_ArrayForEach(p, paths)
	{
		const char *s = cJSON_GetStringValue(p);

		if (!s || !p->string || !below(s, mnt))
			continue;
		s += sizeof(mnt) - 1;
		if (!p->string[0] && !below(s, "/unified")) {
			info_add_cgroup(info, s);
			continue;
		}
		s = *s ? strchr(s + 1, '/') : NULL;
		if (s)
			info_add_cgroup(info, s);
	}
}

/* runc keeps annotations, and the bundle, as "key=value" strings. */
static void add_state_labels(struct container_info *info, const cJSON *labels)
{
	const cJSON *l;

	cJSON_ArrayForEach(l, labels)
	{
		char *s = cJSON_GetStringValue(l), *eq = s ? strchr(s, '=') : NULL;

		if (!eq)
			continue;
		*eq = '\0';
		if (!strcmp(s, "bundle")) {
			info_set(&info->bundle, eq + 1);
		} else {
			info_annotation(info, s, eq + 1);
			if (strncmp(s, "io.kubernetes.cri-o.", 20))
				info_add_label(info, s, eq + 1);
		}
		*eq = '=';
	}
}

static int runc_state(const cJSON *json, const char *id, struct container_info *info)
{
	const cJSON *config = state_obj(json, "config");
	const char *said = state_str(json, "id");

	if (!said || strcmp(said, id))
		return -ENOENT;
	/* youki's state.json is the OCI "state" document, and says less */
	if (!config) {
		if (!info->init_pid)
			info->init_pid = state_pid(json, "pid");
		info_set(&info->bundle, state_str(json, "bundle"));
		return info->init_pid ? 0 : -ENOENT;
	}
	info->init_pid = state_pid(json, "init_process_pid");
	info->init_start = state_u64(json, "init_process_start");
	info_set(&info->rootfs, state_str(config, "rootfs"));
	info->readonly_root |= state_true(config, "readonlyfs");
	info_set(&info->hostname, state_str(config, "hostname"));
	info_set_caps(info, state_obj(state_obj(config, "capabilities"), "Bounding"));
	add_state_labels(info, state_obj(config, "labels"));
	add_cgroup_paths(info, state_obj(json, "cgroup_paths"));
	set_seccomp(info, state_obj(config, "seccomp"));
	return 0;
}

static int crun_status(const cJSON *json, struct container_info *info)
{
	if (!state_pid(json, "pid"))
		return -ENOENT;
	info->init_pid = state_pid(json, "pid");
	info->init_start = state_u64(json, "process-start-time");
	info_set(&info->rootfs, state_str(json, "rootfs"));
	info_set(&info->bundle, state_str(json, "bundle"));
	info_add_cgroup(info, state_str(json, "cgroup-path"));
	return 0;
}

/* Read config.json of the bundle that a state names. A user's must lie in a place of that user. */
static void add_bundle(const struct rt *rt, const struct rt_place *state,
		       struct container_info *info)
{
	struct rt_place at = {.owner = state->owner};

	if (!info->bundle || info->bundle[0] != '/')
		return;
	at.path = info->bundle;
	at.trusted = strlen(at.path);
	if (state->owner >= 0) {
		at.trusted = 0;
		for (size_t i = 0; i < rt->nr_places && !at.trusted; i++) {
			const struct rt_place *p = &rt->places[i];

			if (p->owner == state->owner && p->trusted > 1 &&
			    !strncmp(p->path, at.path, p->trusted) && at.path[p->trusted] == '/')
				at.trusted = p->trusted;
		}
		if (!at.trusted)
			return;
	}
	bundle_config(rt, &at, "config.json", info);
}

int state_fill(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
	       struct container_info *info)
{
	_cleanup_json_ cJSON *json = NULL;
	const char *sep = *sub ? "/" : "", *runtime = "runc";
	char rel[PATH_MAX];
	int err;

	snprintf(rel, sizeof(rel), "%s%s%s/state.json", sub, sep, id);
	json = rt_json(rt, at, rel);
	if (json) {
		err = runc_state(json, id, info);
		if (!err && !state_obj(json, "config"))
			runtime = "youki";
	} else {
		runtime = "crun";
		snprintf(rel, sizeof(rel), "%s%s%s/status", sub, sep, id);
		json = rt_json(rt, at, rel);
		err = json ? crun_status(json, info) : -ENOENT;
	}
	if (err)
		return err;
	info_set(&info->id, id);
	/* who drives runc is known from its root: a namespace of docker's or of containerd's */
	if (*sub)
		info_set(&info->runtime, strcmp(sub, "moby") ? "containerd" : "docker");
	add_bundle(rt, at, info);
	info_set(&info->runtime, runtime);
	return 0;
}
