// SPDX-License-Identifier: MIT
/* A container as reports and `ebpfmon list containers` show it. */
#include <string.h>
#include "container/container.h"
#include "../names.h" /* not include/names.h, which the search path has first */
#include "report/report_container.h"

static void image_json(struct jw *j, const struct container_info *info)
{
	if (!info->image && !info->image_id && !info->image_digest)
		return;
	jw_object(j, "image", JSON_INLINE);
	jw_str_if(j, "name", info->image);
	jw_str_if(j, "id", info->image_id);
	jw_str_if(j, "digest", info->image_digest);
	jw_end(j);
}

static void pod_json(struct jw *j, const struct container *c)
{
	const struct container_info *info = &c->info;

	if (!info->pod_name && !info->pod_uid)
		return;
	jw_object(j, "pod", JSON_INLINE);
	jw_str_if(j, "name", info->pod_name);
	jw_str_if(j, "namespace", info->pod_namespace);
	jw_str_if(j, "uid", info->pod_uid);
	jw_str_if(j, "qos", c->qos);
	jw_true_if(j, "sandbox", info->sandbox);
	jw_end(j);
}

static void labels_json(struct jw *j, const struct container_info *info)
{
	/* Labels are anybody's text: as key and value of objects, not as keys of one. */
	jw_array(j, "labels", JSON_INLINE);
	for (size_t i = 0; i < info->nr_labels; i++) {
		const char *s = info->labels[i], *eq = s ? strchr(s, '=') : NULL;

		if (!s)
			continue;
		jw_object(j, NULL, JSON_INLINE);
		jw_bytes(j, "key", s, eq ? (size_t)(eq - s) : strlen(s));
		jw_str(j, "value", eq ? eq + 1 : "");
		jw_end(j);
	}
	jw_end(j);
}

static void mounts_json(struct jw *j, const struct container_info *info)
{
	jw_array(j, "mounts", JSON_LINES);
	for (size_t i = 0; i < info->nr_mounts; i++) {
		const struct container_mount *m = &info->mounts[i];

		jw_object(j, NULL, JSON_INLINE);
		jw_str_if(j, "destination", m->destination);
		jw_str_if(j, "source", m->source);
		jw_str_if(j, "type", m->type);
		jw_str_if(j, "name", m->name);
		jw_bool(j, "read_only", !m->rw);
		jw_end(j);
	}
	jw_end(j);
}

static void caps_json(struct jw *j, const char *key, __u64 caps)
{
	jw_array(j, key, JSON_INLINE);
	for (unsigned int cap = 0; cap < 64; cap++)
		if (caps >> cap & 1 && name_capability(cap))
			jw_str(j, NULL, name_capability(cap));
	jw_end(j);
}

static bool listed(const struct container_info *info, const char *address)
{
	for (size_t i = 0; i < info->nr_networks; i++) {
		const struct container_network *n = &info->networks[i];

		if ((n->ipv4 && !strcmp(n->ipv4, address)) ||
		    (n->ipv6 && !strcmp(n->ipv6, address)))
			return true;
	}
	return false;
}

static void address_json(struct jw *j, const char *address, const char *network, const char *mac)
{
	if (!address)
		return;
	jw_object(j, NULL, JSON_INLINE);
	jw_str(j, "address", address);
	jw_str_if(j, "network", network);
	jw_str_if(j, "mac", mac);
	jw_end(j);
}

/* What the runtime says, then what its network namespace has besides. */
static void networks_json(struct jw *j, const struct container *c)
{
	const struct container_info *info = &c->info;

	jw_array(j, "networks", JSON_INLINE);
	for (size_t i = 0; i < info->nr_networks; i++)
		jw_str(j, NULL, info->networks[i].name);
	jw_end(j);
	jw_array(j, "addresses", JSON_INLINE);
	for (size_t i = 0; i < info->nr_networks; i++) {
		const struct container_network *n = &info->networks[i];

		address_json(j, n->ipv4, n->name, n->mac);
		address_json(j, n->ipv6, n->name, n->mac);
	}
	for (size_t i = 0; i < c->nr_addresses; i++)
		if (!listed(info, c->addresses[i]))
			address_json(j, c->addresses[i], NULL, NULL);
	jw_end(j);
}

/* What the runtime was told. */
static void config_json(struct jw *j, const struct container_info *info)
{
	jw_str_if(j, "user", info->user);
	jw_true_if(j, "privileged", info->privileged);
	jw_true_if(j, "readonly_root", info->readonly_root);
	jw_str_if(j, "hostname", info->hostname);
	jw_str_if(j, "seccomp", info->seccomp);
	if (info->caps_known)
		caps_json(j, "capabilities", info->caps);
	jw_str_if(j, "rootfs", info->rootfs);
	jw_str_if(j, "bundle", info->bundle);
}

/* What its first process has, by the kernel. */
static void seen_json(struct jw *j, const struct container_seen *s)
{
	static const char *const modes[] = {"none", "strict", "filter"};

	if (!s->known)
		return;
	jw_object(j, "first_process", JSON_INLINE);
	jw_str(j, "seccomp", s->seccomp < 3 ? modes[s->seccomp] : "unknown");
	jw_bool(j, "no_new_privs", s->no_new_privs);
	jw_u64(j, "uid", s->uid);
	jw_u64(j, "gid", s->gid);
	caps_json(j, "effective", s->cap_effective);
	caps_json(j, "bounding", s->cap_bounding);
	jw_end(j);
}

static void parents_json(struct jw *j, const struct container *c)
{
	if (!c->parent)
		return;
	jw_array(j, "parents", JSON_INLINE);
	for (c = c->parent; c; c = c->parent) {
		jw_object(j, NULL, JSON_INLINE);
		jw_str(j, "id", c->id);
		jw_str_if(j, "name", c->info.name);
		jw_str_if(j, "runtime", c->runtime);
		jw_end(j);
	}
	jw_end(j);
}

static __u64 to_wall(__u64 boot, __s64 boot_to_wall)
{
	return boot ? boot + (__u64)boot_to_wall : 0;
}

void report_container_json(struct jw *j, const struct container *c, __s64 boot_to_wall)
{
	jw_str(j, "id", c->id ? c->id : "");
	jw_str_if(j, "name", c->info.name);
	jw_str_if(j, "runtime", c->runtime);
	image_json(j, &c->info);
	pod_json(j, c);
	parents_json(j, c);
	jw_time(j, "created", to_wall(c->created, boot_to_wall));
	jw_time(j, "started", to_wall(c->started, boot_to_wall));
	jw_time(j, "stopped", to_wall(c->stopped, boot_to_wall));
	jw_bool(j, "existing", c->existing);
	jw_u64_if(j, "init_pid", c->init_pid ? c->init_pid : (__u64)c->info.init_pid);
	jw_str_if(j, "cgroup", c->cgroup_path);
	config_json(j, &c->info);
	seen_json(j, &c->seen);
	networks_json(j, c);
	labels_json(j, &c->info);
	mounts_json(j, &c->info);
}
