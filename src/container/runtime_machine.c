// SPDX-License-Identifier: MIT
/* System containers: LXC, LXD and Incus by their configuration, nspawn by machined's state. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "container/runtime_priv.h"

/* Call @fn for each "key = value" of @text, which it takes apart; comments are skipped. */
static void each_pair(char *text, void (*fn)(const char *key, char *value, void *arg), void *arg)
{
	char *save = NULL;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char *key = l + strspn(l, " \t"), *value = strchr(key, '='), *end;

		if (*key == '#' || !value)
			continue;
		for (end = value; end > key && (end[-1] == ' ' || end[-1] == '\t'); end--)
			;
		*end = '\0';
		value++;
		value += strspn(value, " \t");
		end = value + strlen(value);
		while (end > value && strchr(" \t\r", end[-1]))
			*--end = '\0';
		fn(key, value, arg);
	}
}

/* "SOURCE DESTINATION TYPE OPTIONS …", as in fstab(5); the destination lacks its first "/". */
static void lxc_mount(struct container_info *info, char *value)
{
	char *save = NULL, path[PATH_MAX];
	const char *source = strtok_r(value, " \t", &save);
	const char *destination = strtok_r(NULL, " \t", &save);
	const char *type = strtok_r(NULL, " \t", &save);
	const char *options = strtok_r(NULL, " \t", &save);
	struct container_mount *mount;
	int n;

	if (!destination || !type)
		return;
	n = snprintf(path, sizeof(path), "%s%s", destination[0] == '/' ? "" : "/", destination);
	if (n < 0 || (size_t)n >= sizeof(path) || !strncmp(path, "/dev", 4) ||
	    !strncmp(path, "/proc", 5) || !strncmp(path, "/sys", 4))
		return;
	mount = info_add_mount(info, path);
	if (!mount || mount->type)
		return;
	if (options && strstr(options, "bind"))
		type = "bind";
	info_set(&mount->type, type);
	if (!strcmp(type, "bind"))
		info_set(&mount->source, source);
	mount->rw = !options || !(!strncmp(options, "ro,", 3) || !strcmp(options, "ro") ||
				  strstr(options, ",ro"));
}

static void lxc_pair(const char *key, char *value, void *arg)
{
	struct container_info *info = arg;

	if (!strcmp(key, "lxc.uts.name") || !strcmp(key, "lxc.utsname")) {
		info_set(&info->hostname, value);
	} else if (!strcmp(key, "lxc.rootfs.path") || !strcmp(key, "lxc.rootfs")) {
		/* "dir:/path", "overlay:…", or the path alone */
		info_set(&info->rootfs, strncmp(value, "dir:", 4) ? value : value + 4);
	} else if (!strcmp(key, "lxc.mount.entry")) {
		lxc_mount(info, value);
	} else if (!strcmp(key, "lxc.seccomp.profile") || !strcmp(key, "lxc.seccomp")) {
		info_set(&info->seccomp, "profile");
	} else if (!strcmp(key, "lxc.cgroup.dir.container")) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "/%s", value + (value[0] == '/'));
		info_add_cgroup(info, path);
	}
}

static int lxc_config(const struct rt *rt, const struct rt_place *at, const char *sub,
		      const char *id, struct container_info *info)
{
	static const char *const files[] = {"config", "lxc.conf"};
	char rel[PATH_MAX];

	for (size_t i = 0; i < RT_LEN(files); i++) {
		_cleanup_str_ char *text = NULL;
		size_t len;

		snprintf(rel, sizeof(rel), "%s%s/%s", sub, id, files[i]);
		if (rt_read(rt, at, rel, &text, &len))
			continue;
		each_pair(text, lxc_pair, info);
		info_set(&info->id, id);
		info_set(&info->name, id);
		info_set(&info->runtime, "lxc");
		return 0;
	}
	return -ENOENT;
}

/*
 * Where a cgroup lxc.payload.NAME is left from before, LXC takes lxc.payload.NAME-1, and so on
 * (cgfsng.c): a container is called so only if it has a configuration of its own.
 */
int lxc_fill(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
	     struct container_info *info)
{
	const char *dash = strrchr(id, '-');
	_cleanup_str_ char *name = NULL;

	if (!lxc_config(rt, at, sub, id, info))
		return 0;
	if (!dash || dash == id || !dash[1] || dash[1 + strspn(dash + 1, "0123456789")])
		return -ENOENT;
	name = strndup(id, (size_t)(dash - id));
	return name ? lxc_config(rt, at, sub, name, info) : -ENOENT;
}

struct machine {
	struct container_info *info;
	bool named; /* it says the name that its file has */
	bool virtual;
	const char *id;
};

/* systemd's src/machine/machine.c: machine_save() */
static void machine_pair(const char *key, char *value, void *arg)
{
	struct machine *m = arg;

	if (!strcmp(key, "NAME")) {
		m->named = !strcmp(value, m->id);
	} else if (!strcmp(key, "CLASS")) {
		m->virtual = strcmp(value, "container") != 0;
	} else if (!strcmp(key, "LEADER")) {
		long pid = strtol(value, NULL, 10);

		m->info->init_pid = pid > 0 && pid <= 1 << 22 ? (pid_t)pid : 0;
	} else if (!strcmp(key, "ROOT")) {
		info_set(&m->info->rootfs, value);
	} else if (!strcmp(key, "SERVICE")) {
		/* "nspawn" is systemd-nspawn's word for itself; libvirt says libvirt-lxc */
		info_set(&m->info->runtime, strcmp(value, "nspawn") ? value : "systemd-nspawn");
	}
}

int machine_fill(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
		 struct container_info *info)
{
	struct container_info said = {.init_pid = 0};
	struct machine m = {.info = &said, .id = id};
	_cleanup_str_ char *text = NULL;
	size_t len;

	(void)sub;
	if (rt_read(rt, at, id, &text, &len))
		return -ENOENT;
	each_pair(text, machine_pair, &m);
	if (!m.named || m.virtual) {
		container_info_free(&said);
		return -ENOENT;
	}
	info_set(&info->id, id);
	info_set(&info->name, id);
	info_set(&info->rootfs, said.rootfs);
	info_set(&info->runtime, said.runtime);
	info_set(&info->runtime, "systemd-nspawn");
	if (!info->init_pid)
		info->init_pid = said.init_pid;
	container_info_free(&said);
	return 0;
}
