// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>
#include "config.h"
#include "container/cgroup_path.h"
#include "container/table.h"

struct item {
	struct container c;
	struct item *next;
};

struct node {
	__u64 id;
	char *path;
	struct container *container; /* NULL: in none */
	bool removed; /* counters may still come for it: kept for a while */
	__u64 removed_at;
	UT_hash_handle hh;
};

struct container_table {
	struct container_select sel;
	struct node *nodes;
	struct item *containers, **tail;
};

const char *container_name(const struct container *c)
{
	return c->info.name ? c->info.name : c->id;
}

struct container_table *container_table_new(const struct container_select *sel)
{
	struct container_table *t = calloc(1, sizeof(*t));

	if (t) {
		t->sel = *sel;
		t->tail = &t->containers;
	}
	return t;
}

static void node_drop(struct container_table *t, struct node *n)
{
	HASH_DEL(t->nodes, n);
	free(n->path);
	free(n);
}

void container_table_free(struct container_table *t)
{
	struct node *n, *next;

	if (!t)
		return;
	HASH_ITER(hh, t->nodes, n, next)
	node_drop(t, n);
	for (struct item *i = t->containers, *after; i; i = after) {
		after = i->next;
		container_info_free(&i->c.info);
		free(i->c.cgroup_path);
		free(i->c.id);
		free(i);
	}
	free(t);
}

static struct node *node_add(struct container_table *t, __u64 id, const char *path, size_t len)
{
	struct node *n;

	HASH_FIND(hh, t->nodes, &id, sizeof(id), n);
	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->id = id;
	n->path = strndup(path, len);
	if (!n->path) {
		free(n);
		return NULL;
	}
	HASH_ADD(hh, t->nodes, id, sizeof(n->id), n);
	return n;
}

static struct container *container_new(struct container_table *t, struct node *n, const char *id,
				       __u64 now)
{
	struct item *i = calloc(1, sizeof(*i));
	const char *base = strrchr(n->path, '/');

	if (!i)
		return NULL;
	i->c.cgroup = n->id;
	i->c.cgroup_path = strdup(n->path);
	i->c.id = strdup(id ? id : base && base[1] ? base + 1 : n->path);
	i->c.created = now;
	i->c.exit_code = -1;
	if (!i->c.cgroup_path || !i->c.id) {
		free(i->c.cgroup_path);
		free(i->c.id);
		free(i);
		return NULL;
	}
	*t->tail = i;
	t->tail = &i->next;
	n->container = &i->c;
	return &i->c;
}

static bool match_one(const char *pattern, const char *what, bool prefix)
{
	if (!what)
		return false;
	if (fnmatch(pattern, what, 0) == 0)
		return true;
	return prefix && strlen(pattern) >= 4 && strncmp(what, pattern, strlen(pattern)) == 0;
}

static bool wanted(const struct container_table *t, const struct container *c)
{
	const char *base = strrchr(c->cgroup_path, '/');

	if (!t->sel.nr)
		return true;
	for (unsigned int i = 0; i < t->sel.nr; i++) {
		const char *p = t->sel.patterns[i];

		if (match_one(p, c->id, true) || match_one(p, c->info.name, false) ||
		    match_one(p, c->info.id, true) || match_one(p, base ? base + 1 : NULL, false))
			return true;
	}
	return false;
}

static void mark(const struct container_table *t, __u64 cgroup, __u32 flags)
{
	if (t->sel.mark)
		t->sel.mark(t->sel.arg, cgroup, flags);
}

static void decide(struct container_table *t, struct container *c, enum container_state state)
{
	if (c->state != CT_UNDECIDED)
		return;
	c->state = state;
	mark(t, c->cgroup, state == CT_IGNORED ? CG_IGNORED : CG_DECIDED);
	if (t->sel.decided)
		t->sel.decided(t->sel.arg, c);
}

/* Asks the runtimes' records. Takes over the id they give: a cgroup's name need not be it. */
static void learn(struct container_table *t, struct container *c, const char *runtime)
{
	struct container_info info = {};

	if (c->info.id)
		return;
	if (runtime_lookup(&t->sel.runtimes, c->cgroup_path, NULL, runtime, &info))
		return;
	c->info = info;
	if (info.runtime)
		c->runtime = info.runtime;
	if (info.id) {
		char *id = strdup(info.id);

		if (id) {
			free(c->id);
			c->id = id;
		}
	}
}

/* Is this very cgroup a container by its path? Then it is one of its own, also inside another. */
static struct container *by_path(struct container_table *t, struct node *n, __u64 now)
{
	struct cgroup_path parsed;
	struct container *c;
	size_t len = strlen(n->path);

	if (cgroup_path_parse(n->path, len, &parsed) || parsed.depth_end != len)
		return NULL;
	c = container_new(t, n, parsed.id, now);
	if (!c)
		return NULL;
	c->runtime = parsed.runtime;
	learn(t, c, parsed.runtime);
	return c;
}

struct container *container_table_create(struct container_table *t, __u64 id, __u64 parent,
					 const char *path, size_t len, __u64 now)
{
	struct node *n, *up;
	struct container *c;

	HASH_FIND(hh, t->nodes, &id, sizeof(id), n);
	if (n)
		return n->container;
	n = node_add(t, id, path, len);
	if (!n)
		return NULL;
	c = by_path(t, n, now);
	if (c) {
		decide(t, c, wanted(t, c) ? CT_WATCHED : CT_IGNORED);
		return c;
	}
	HASH_FIND(hh, t->nodes, &parent, sizeof(parent), up);
	/* runtimes make several levels at once: only where something runs is a container */
	if (up && up->container && up->container->state == CT_WATCHED) {
		n->container = up->container;
		return n->container;
	}
	/* the path does not say: wait for what is executed there, unless it was asked for by name */
	c = container_new(t, n, NULL, now);
	if (c && t->sel.nr && wanted(t, c))
		decide(t, c, CT_WATCHED);
	return c;
}

void container_table_remove(struct container_table *t, __u64 id, __u64 now)
{
	struct node *n;

	HASH_FIND(hh, t->nodes, &id, sizeof(id), n);
	if (!n)
		return;
	if (n->container && n->container->cgroup == id)
		decide(t, n->container, CT_IGNORED);
	n->removed = true;
	n->removed_at = now;
}

struct container *container_table_add(struct container_table *t, __u64 id, const char *path,
				      const char *name, __u64 now)
{
	struct node *n = node_add(t, id, path, strlen(path));
	struct container *c = n ? container_new(t, n, NULL, now) : NULL;

	if (!c)
		return NULL;
	c->runtime = "ebpfmon";
	c->info.name = strdup(name);
	c->state = CT_WATCHED;
	mark(t, id, CG_RUN | CG_DECIDED);
	return c;
}

struct container *container_table_find(struct container_table *t, __u64 cgroup)
{
	struct node *n;

	HASH_FIND(hh, t->nodes, &cgroup, sizeof(cgroup), n);
	return n ? n->container : NULL;
}

void container_table_entry(struct container_table *t, struct container *c)
{
	learn(t, c, NULL);
	decide(t, c, wanted(t, c) ? CT_WATCHED : CT_IGNORED);
}

void container_table_expire(struct container_table *t, __u64 now, __u64 age)
{
	struct node *n, *next;

	for (struct item *i = t->containers; i; i = i->next)
		if (i->c.state == CT_UNDECIDED && now > i->c.created + age)
			decide(t, &i->c, CT_IGNORED);
	HASH_ITER(hh, t->nodes, n, next)
	if (n->removed && now > n->removed_at + age)
		node_drop(t, n);
}

int container_table_each(struct container_table *t, int (*fn)(struct container *c, void *arg),
			 void *arg)
{
	for (struct item *i = t->containers; i; i = i->next) {
		int err = i->c.state == CT_IGNORED ? 0 : fn(&i->c, arg);

		if (err)
			return err;
	}
	return 0;
}

/* ---- what runs already ---- */

char *cgroup_mount(void)
{
	char line[8192], point[4096], *out = NULL;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	if (!f)
		return NULL;
	while (!out && fgets(line, sizeof(line), f)) {
		char *dash = strstr(line, " - ");

		if (dash && strncmp(dash + 3, "cgroup2 ", 8) == 0 &&
		    sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1)
			out = strdup(point);
	}
	fclose(f);
	return out;
}

struct scan {
	struct container_table *t;
	__u64 now;
	struct container_info *known; /* running containers, from the runtimes' records */
	size_t nr_known;
};

static int remember(const struct container_info *info, void *arg)
{
	struct scan *s = arg;
	struct container_info *grown;

	if (!info->id)
		return 0;
	grown = realloc(s->known, (s->nr_known + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->known = grown;
	memset(&grown[s->nr_known], 0, sizeof(*grown));
	if (runtime_lookup(&s->t->sel.runtimes, info->nr_cgroups ? info->cgroups[0] : NULL,
			   info->id, info->runtime, &grown[s->nr_known]) == 0)
		s->nr_known++;
	return 0;
}

static struct container *by_state(struct scan *s, struct node *n)
{
	for (size_t i = 0; i < s->nr_known; i++)
		for (size_t j = 0; j < s->known[i].nr_cgroups; j++)
			if (!strcmp(s->known[i].cgroups[j], n->path)) {
				struct container *c =
					container_new(s->t, n, s->known[i].id, s->now);

				if (!c)
					return NULL;
				c->info = s->known[i];
				memset(&s->known[i], 0, sizeof(s->known[i]));
				c->runtime = c->info.runtime;
				return c;
			}
	return NULL;
}

static void scan_one(struct scan *s, __u64 id, const char *path, struct container *above)
{
	struct node *n = node_add(s->t, id, path, strlen(path));
	struct container *c;

	if (!n || n->container)
		return;
	c = by_path(s->t, n, s->now);
	if (!c)
		c = by_state(s, n);
	if (c) {
		c->existing = true;
		c->started = s->now;
		decide(s->t, c, wanted(s->t, c) ? CT_WATCHED : CT_IGNORED);
	} else if (above && above->state == CT_WATCHED) {
		n->container = above;
		mark(s->t, id, CG_DECIDED);
	}
}

#define SCAN_DEPTH 32

/* @dirfd is taken over. @path is the cgroup's path below the mount, "" for the root. */
static void scan_dir(struct scan *s, int dirfd, const char *path, struct container *above,
		     int depth)
{
	DIR *d = fdopendir(dirfd);
	struct dirent *e;

	if (!d) {
		close(dirfd);
		return;
	}
	while ((e = readdir(d))) {
		char child[CGROUP_PATH_MAX];
		struct stat st;
		int fd;

		if (e->d_type != DT_DIR || e->d_name[0] == '.' ||
		    snprintf(child, sizeof(child), "%s/%s", path, e->d_name) >= (int)sizeof(child))
			continue;
		fd = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) || depth >= SCAN_DEPTH) {
			close(fd);
			continue;
		}
		scan_one(s, st.st_ino, child, above); /* the inode number is the cgroup's id */
		scan_dir(s, fd, child, container_table_find(s->t, st.st_ino), depth + 1);
	}
	closedir(d);
}

int container_table_scan(struct container_table *t, __u64 now)
{
	struct scan s = {.t = t, .now = now};
	char *mount = cgroup_mount();
	int fd;

	if (!mount)
		return -ENOENT;
	fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(mount);
	if (fd < 0)
		return -errno;
	runtime_list(&t->sel.runtimes, remember, &s);
	scan_dir(&s, fd, "", NULL, 0);
	for (size_t i = 0; i < s.nr_known; i++)
		container_info_free(&s.known[i]);
	free(s.known);
	return 0;
}
