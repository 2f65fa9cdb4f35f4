// SPDX-License-Identifier: MIT
#include "container/runtime.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "container/cgroup_path.h"
#include "container/runtime_priv.h"

/*
 * What each kind of place can do. Order matters: a field belongs to the first that knows it, so
 * whoever knows the user's own words (docker, podman) comes before the OCI runtimes below them,
 * and their state (which has the cgroups of every hierarchy) before the bundles.
 */
static const struct {
	enum rt_kind kind;
	enum { SUB_NONE, SUB_EACH, SUB_STORAGE, SUB_DOCKER } subs;
	const char *ids; /* directory of the containers, below the sub-directory */
	int (*fill)(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
		    struct container_info *info);
} kinds[] = {
	{RT_DOCKER, SUB_DOCKER, "containers", docker_fill},
	{RT_STORAGE, SUB_STORAGE, "", storage_fill},
	{RT_STATE, SUB_NONE, "", state_fill},
	{RT_STATE_NS, SUB_EACH, "", state_fill},
	{RT_BUNDLE_NS, SUB_EACH, "", bundle_fill},
	{RT_LXC, SUB_NONE, "", lxc_fill},
	{RT_MACHINE, SUB_NONE, "", machine_fill},
};

/* One walk over the places. */
struct visit {
	struct rt *rt;
	const struct rt_place *at;
	size_t kind; /* index into kinds[] */
	const char *sub;
	const char *id; /* only this one, or NULL: all */
	int (*fn)(struct visit *v, const char *id);
	/* of the callbacks */
	struct container_info *info;
	const char *cgroup_path;
	size_t best;
	int (*list_fn)(struct container_info *info, void *arg);
	void *list_arg;
	char **seen;
	size_t nr_seen;
	bool found;
};

static bool is_hex64(const char *id)
{
	return strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64;
}

static int visit_id(const char *name, void *arg)
{
	struct visit *v = arg;

	return cgroup_path_id_is_safe(name) ? v->fn(v, name) : 0;
}

static int visit_sub(const char *sub, void *arg)
{
	struct visit *v = arg;
	const char *ids = kinds[v->kind].ids;
	char rel[PATH_MAX];
	int n;

	v->sub = sub;
	if (v->id)
		return v->fn(v, v->id);
	n = snprintf(rel, sizeof(rel), "%s%s%s", sub, *sub && *ids ? "/" : "", ids);
	if (n < 0 || (size_t)n >= sizeof(rel))
		return 0;
	return rt_each(v->rt, v->at, rel, visit_id, v);
}

static int visit_named_sub(const char *name, void *arg)
{
	struct visit *v = arg;
	size_t len = strlen(name), digits;

	switch (kinds[v->kind].subs) {
	case SUB_STORAGE:
		if (len <= 11 || strcmp(name + len - 11, "-containers"))
			return 0;
		break;
	case SUB_DOCKER: /* UID.GID: dockerd --userns-remap */
		digits = strspn(name, "0123456789");
		if (!digits || name[digits] != '.' ||
		    strspn(name + digits + 1, "0123456789") != len - digits - 1)
			return 0;
		break;
	default: break;
	}
	return cgroup_path_id_is_safe(name) ? visit_sub(name, v) : 0;
}

/* Call v->fn for container v->id, or all, of the places of @kind that belong to @owner. */
static int visit_kind(struct visit *v, size_t kind, long owner)
{
	int err = 0;

	v->kind = kind;
	for (size_t i = 0; !err && i < v->rt->nr_places; i++) {
		/* not a pointer into the array held for long: nothing adds places meanwhile */
		v->at = &v->rt->places[i];
		if (v->at->kind != kinds[kind].kind || v->at->owner != owner)
			continue;
		if (kinds[kind].subs == SUB_NONE || kinds[kind].subs == SUB_DOCKER)
			err = visit_sub("", v);
		if (!err && kinds[kind].subs != SUB_NONE)
			err = rt_each(v->rt, v->at, "", visit_named_sub, v);
	}
	return err;
}

static int fill_one(struct visit *v, const char *id)
{
	if (!kinds[v->kind].fill(v->rt, v->at, v->sub, id, v->info))
		v->found = true;
	/* a name is unique in its place only: two runtimes' "web" are two containers */
	return v->found && !is_hex64(id);
}

/* Which kinds may know a container of @runtime? */
static bool kind_serves(enum rt_kind kind, const char *runtime)
{
	if (!runtime)
		return true;
	if (!strcmp(runtime, "lxc"))
		return kind == RT_LXC;
	if (!strcmp(runtime, "systemd-nspawn") || !strcmp(runtime, "libvirt-lxc"))
		return kind == RT_MACHINE;
	return kind != RT_LXC && kind != RT_MACHINE;
}

/* Merge all that the places of @owner know of @id. */
static bool fill_by_id(struct rt *rt, const char *id, const char *runtime, long owner,
		       struct container_info *info)
{
	struct visit v = {.rt = rt, .id = id, .fn = fill_one, .info = info};
	int stop = 0;

	for (size_t k = 0; !stop && k < RT_LEN(kinds); k++)
		if (kind_serves(kinds[k].kind, runtime))
			stop = visit_kind(&v, k, owner);
	return v.found;
}

static void add_proc_cgroups(const struct rt *rt, struct container_info *info)
{
	_cleanup_str_ char *text = NULL;
	char *save = NULL;
	size_t len;

	text = rt_proc_read(rt, info->init_pid, "cgroup", &len);
	if (!text)
		return;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char *path = strchr(l, ':');

		path = path ? strchr(path + 1, ':') : NULL;
		if (path)
			info_add_cgroup(info, path + 1);
	}
}

/*
 * Up to where the path itself says that the container begins: crun and nspawn put the processes in
 * a child (libpod-ID.scope/container, machine-x.scope/payload), a systemd inside in its init.scope.
 */
static void trim_cgroups(struct container_info *info)
{
	struct container_info trimmed = {.nr_cgroups = 0};

	for (size_t i = 0; i < info->nr_cgroups; i++) {
		char *path = info->cgroups[i];
		struct cgroup_path cp;

		if (!cgroup_path_parse(path, strlen(path), &cp) && !strcmp(cp.id, info->id))
			path[cp.depth_end] = '\0';
		info_add_cgroup(&trimmed, path);
		free(path);
	}
	free(info->cgroups);
	info->cgroups = trimmed.cgroups;
	info->nr_cgroups = trimmed.nr_cgroups;
}

/* A user cannot have containers outside of his own slice, whatever his files say. */
static void drop_foreign_cgroups(struct container_info *info, long owner)
{
	char mine[64];
	size_t kept = 0;

	snprintf(mine, sizeof(mine), "/user.slice/user-%ld.slice/", owner);
	for (size_t i = 0; i < info->nr_cgroups; i++) {
		if (!strncmp(info->cgroups[i], mine, strlen(mine)))
			info->cgroups[kept++] = info->cgroups[i];
		else
			free(info->cgroups[i]);
	}
	info->nr_cgroups = kept;
}

/* What can only be said when all places have been asked. */
static void finish(const struct rt *rt, struct container_info *info, const char *runtime,
		   long owner)
{
	if (!rt_alive(rt, info->init_pid, info->init_start)) {
		info->init_pid = 0;
		info->init_start = 0;
	}
	if (!info->nr_cgroups && info->init_pid)
		add_proc_cgroups(rt, info);
	if (info->id)
		trim_cgroups(info);
	if (owner >= 0)
		drop_foreign_cgroups(info, owner);
	info_set(&info->runtime, runtime);
	info_digest_of_image(info);
	if (info->runtime && !strcmp(info->runtime, "docker"))
		info_set(&info->seccomp, "default");
}

/* Length of the longest of its cgroups that is @path or an ancestor of it; 0: none. */
static size_t match_cgroup(const struct container_info *info, const char *path)
{
	size_t best = 0;

	for (size_t i = 0; i < info->nr_cgroups; i++) {
		size_t len = strlen(info->cgroups[i]);

		if (len > best && !strncmp(path, info->cgroups[i], len) &&
		    (!path[len] || path[len] == '/'))
			best = len;
	}
	return best;
}

/* What is asked for. */
struct query {
	const char *path; /* or NULL */
	const char *id; /* or NULL: find it by the path */
	const char *runtime; /* or NULL */
	long owner;
	bool trust_path; /* the path names this id, and nobody else could have made it */
};

static int find_by_id(struct rt *rt, const struct query *q, struct container_info *out)
{
	struct container_info info = {.init_pid = 0};
	bool ok;

	ok = fill_by_id(rt, q->id, q->runtime, q->owner, &info);
	if (ok)
		finish(rt, &info, q->runtime, q->owner);
	if (ok && q->path)
		ok = info.nr_cgroups ? match_cgroup(&info, q->path) > 0 : q->trust_path;
	if (!ok) {
		container_info_free(&info);
		return -ENOENT;
	}
	*out = info;
	return 0;
}

/* Is this state's cgroup the one asked for, and more exactly than what was found so far? */
static int match_one(struct visit *v, const char *id)
{
	struct container_info info = {.init_pid = 0};
	size_t len = 0;

	if (!kinds[v->kind].fill(v->rt, v->at, v->sub, id, &info)) {
		finish(v->rt, &info, NULL, v->at->owner);
		len = match_cgroup(&info, v->cgroup_path);
	}
	if (len > v->best) {
		v->best = len;
		container_info_free(v->info);
		*v->info = info;
	} else {
		container_info_free(&info);
	}
	return 0;
}

static int find_by_path(struct rt *rt, const struct query *q, struct container_info *out)
{
	struct container_info info = {.init_pid = 0}, more = {.init_pid = 0};
	struct visit v = {.rt = rt, .fn = match_one, .info = &info, .cgroup_path = q->path};

	for (size_t k = 0; k < RT_LEN(kinds); k++)
		if (kinds[k].kind == RT_STATE || kinds[k].kind == RT_STATE_NS ||
		    kinds[k].kind == RT_BUNDLE_NS || kinds[k].kind == RT_MACHINE)
			visit_kind(&v, k, q->owner);
	if (!v.best)
		return -ENOENT;
	/* others may know more of it, but it is this one only if it has the same cgroup */
	if (is_hex64(info.id)) {
		struct query again = *q;

		again.id = info.id;
		again.trust_path = false;
		if (!find_by_id(rt, &again, &more)) {
			container_info_free(&info);
			info = more;
		}
	}
	*out = info;
	return 0;
}

static int find(struct rt *rt, const struct query *q, struct container_info *out)
{
	int err = -ENOENT;

	if (q->id)
		err = find_by_id(rt, q, out);
	if (err && q->path && !rt->paths->ids_only)
		err = find_by_path(rt, q, out);
	return err;
}

/* In the places that running processes name. Last: on most hosts the well-known ones are all there are. */
static int find_elsewhere(struct rt *rt, const struct query *q, struct container_info *out)
{
	size_t known = rt->nr_places;
	int err = rt_add_told(rt);

	if (!err)
		err = rt->nr_places > known ? find(rt, q, out) : -ENOENT;
	if (err != -ENOENT || !rt_may_walk(rt))
		return err;
	rt_drop_places(rt, known);
	err = rt_add_from_processes(rt);
	if (!err)
		err = rt->nr_places > known ? find(rt, q, out) : -ENOENT;
	return err;
}

/* Into @buf: the path as the state files spell it. */
static int normal_path(const char *path, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	size_t len = strlen(path);

	if (path[0] != '/' || len >= size)
		return -EINVAL;
	if (len > sizeof(deleted) && !strcmp(path + len - (sizeof(deleted) - 1), deleted))
		len -= sizeof(deleted) - 1;
	while (len > 1 && path[len - 1] == '/')
		len--;
	memcpy(buf, path, len);
	buf[len] = '\0';
	return 0;
}

int runtime_lookup(const struct runtime_paths *p, const char *cgroup_path, const char *id_hint,
		   const char *runtime_hint, struct container_info *out)
{
	struct query q = {.runtime = runtime_hint, .owner = RT_OWNER_SYSTEM};
	char path[CGROUP_PATH_MAX];
	struct cgroup_path cp;
	struct rt rt;
	int err;

	if ((!cgroup_path && !id_hint) || (id_hint && !cgroup_path_id_is_safe(id_hint)))
		return -EINVAL;
	q.id = id_hint;
	if (cgroup_path) {
		err = normal_path(cgroup_path, path, sizeof(path));
		if (err)
			return err;
		q.path = path;
		q.owner = cgroup_path_owner(path, strlen(path));
		if (q.owner < 0 && p && p->delegated_to > 0)
			q.owner = p->delegated_to;
		err = cgroup_path_parse(path, strlen(path), &cp);
		if (err == -EINVAL)
			return err;
		if (!err) {
			if (!q.id)
				q.id = cp.id;
			if (!q.runtime)
				q.runtime = cp.runtime;
			q.trust_path = !cp.nested && !strcmp(q.id, cp.id);
		}
		/* root's manager is the system */
		if (q.owner == 0)
			q.owner = RT_OWNER_SYSTEM;
	}
	err = rt_init(&rt, p);
	if (err)
		return err;
	if (q.owner >= 0)
		err = rt_add_user(&rt, q.owner);
	if (!err)
		err = find(&rt, &q, out);
	if (err == -ENOENT && q.owner < 0)
		err = find_elsewhere(&rt, &q, out);
	rt_exit(&rt);
	return err;
}

int runtime_creator(const struct runtime_paths *p, const char *cgroup_path, pid_t creator,
		    struct container_info *out)
{
	struct container_info info = {.init_pid = 0};
	struct rt rt;
	int err;

	if (creator <= 0 || cgroup_path[0] != '/')
		return -ENOENT;
	err = rt_init(&rt, p);
	if (err)
		return err;
	err = rt_creator(&rt, creator, cgroup_path, &info);
	if (!err) {
		finish(&rt, &info, NULL, RT_OWNER_SYSTEM);
		*out = info;
	} else {
		container_info_free(&info);
	}
	rt_exit(&rt);
	return err;
}

/* ---- list ---- */

/* Has this container been listed? What is unique: 64 digits anywhere, a name in its place. */
static bool seen(struct visit *v, const char *id)
{
	char key[PATH_MAX];
	size_t before = v->nr_seen;
	char **bigger;

	if (is_hex64(id))
		snprintf(key, sizeof(key), "%ld %s", v->at->owner, id);
	else
		snprintf(key, sizeof(key), "%ld %d %.1000s %.300s %s", v->at->owner,
			 (int)kinds[v->kind].kind, v->at->path, v->sub, id);
	for (size_t i = 0; i < before; i++)
		if (!strcmp(v->seen[i], key))
			return true;
	bigger = realloc(v->seen, (before + 1) * sizeof(*bigger));
	if (!bigger)
		return false;
	v->seen = bigger;
	bigger[before] = strdup(key);
	if (bigger[before])
		v->nr_seen++;
	return false;
}

static int list_one(struct visit *v, const char *id)
{
	struct container_info info = {.init_pid = 0};
	bool ok;
	int err = 0;

	if (seen(v, id))
		return 0;
	if (is_hex64(id)) {
		ok = fill_by_id(v->rt, id, NULL, v->at->owner, &info);
	} else {
		ok = !kinds[v->kind].fill(v->rt, v->at, v->sub, id, &info);
	}
	if (ok) {
		finish(v->rt, &info, NULL, v->at->owner);
		err = v->list_fn(&info, v->list_arg);
	}
	container_info_free(&info);
	return err;
}

int runtime_list(const struct runtime_paths *p, int (*fn)(struct container_info *info, void *arg),
		 void *arg)
{
	struct visit v = {.fn = list_one, .list_fn = fn, .list_arg = arg};
	struct rt rt;
	int err = rt_init(&rt, p);

	if (err)
		return err;
	v.rt = &rt;
	err = rt_add_all_users(&rt);
	if (!err)
		err = rt_add_from_processes(&rt);
	for (size_t i = 0; !err && i < rt.nr_places; i++) {
		long owner = rt.places[i].owner;
		bool done = false;

		/* each owner once */
		for (size_t j = 0; j < i; j++)
			done = done || rt.places[j].owner == owner;
		rt_allow(&rt);
		for (size_t k = 0; !done && !err && k < RT_LEN(kinds); k++)
			err = visit_kind(&v, k, owner);
	}
	for (size_t i = 0; i < v.nr_seen; i++)
		free(v.seen[i]);
	free(v.seen);
	rt_exit(&rt);
	return err;
}
