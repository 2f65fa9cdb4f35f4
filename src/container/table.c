// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>
#include "config.h"
#include "container/cgroup_path.h"
#include "container/processes.h"
#include "container/hierarchy.h"
#include "container/select.h"
#include "container/table.h"
#include "log.h"

/* How long after its entry point ran a container's metadata may still turn up. */
#define METADATA_NS 3000000000ULL
/*
 * How much longer a container is remembered that had connections: the kernel may go on with one for
 * minutes when its process is gone (tcp_fin_timeout, tcp_orphan_retries).
 */
#define LINGER 10

struct item {
	struct container c; /* first: an item is found by its container */
	struct item *next;
	unsigned int nr_nodes; /* cgroups that are its, its own included */
	unsigned int nr_inside; /* containers whose parent it is */
	bool empty; /* its cgroup was there before, and nobody in it: mostly left behind */
	pid_t first; /* of one that was there before: the oldest process */
};

struct node {
	__u64 id;
	char *path;
	struct container *container; /* NULL: in none */
	bool removed; /* counters may still come for it: kept for a while */
	__u64 removed_at;
	UT_hash_handle hh;
};

#define RECENT 64

struct container_table {
	struct container_select sel;
	char *mount; /* of the hierarchy; NULL: there is none */
	struct node *nodes;
	struct node *recent[RECENT]; /* by id: the one that was found last; every record asks */
	struct item *containers, **tail;
	/* per pattern: the id that it was found to mean, or NULL */
	char **pinned;
	bool *exact; /* means a whole name or id: no beginning of one */
	struct runtime_walks walks;
};

const char *container_name(const struct container *c)
{
	if (c->info.name)
		return c->info.name;
	return c->short_id[0] ? c->short_id : c->id;
}

struct container_table *container_table_new(const struct container_select *sel)
{
	struct container_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->sel = *sel;
	t->tail = &t->containers;
	t->mount = cgroup_mount();
	t->pinned = calloc(sel->nr + 1, sizeof(*t->pinned));
	t->exact = calloc(sel->nr + 1, sizeof(*t->exact));
	if (!t->pinned || !t->exact) {
		container_table_free(t);
		return NULL;
	}
	return t;
}

static void node_drop(struct container_table *t, struct node *n)
{
	if (n->container)
		((struct item *)n->container)->nr_nodes--;
	HASH_DEL(t->nodes, n);
	if (t->recent[n->id % RECENT] == n)
		t->recent[n->id % RECENT] = NULL;
	free(n->path);
	free(n);
}

static void item_free(struct item *i)
{
	container_info_free(&i->c.info);
	for (size_t k = 0; k < i->c.nr_addresses; k++)
		free(i->c.addresses[k]);
	free(i->c.addresses);
	free(i->c.cgroup_path);
	free(i->c.id);
	free(i);
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
		item_free(i);
	}
	for (unsigned int i = 0; t->pinned && i < t->sel.nr; i++)
		free(t->pinned[i]);
	free(t->pinned);
	free(t->exact);
	runtime_walks_free(&t->walks);
	free(t->mount);
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

static void node_give(struct node *n, struct container *c)
{
	n->container = c;
	if (c)
		((struct item *)c)->nr_nodes++;
}

static bool set_id(struct container *c, const char *id)
{
	char *copy = strdup(id);

	if (!copy)
		return false;
	free(c->id);
	c->id = copy;
	c->short_id[0] = '\0';
	if (strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64)
		snprintf(c->short_id, sizeof(c->short_id), "%.12s", id);
	return true;
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
	i->c.created = now;
	i->c.exit_code = -1;
	if (!i->c.cgroup_path || !set_id(&i->c, id ? id : base && base[1] ? base + 1 : n->path)) {
		free(i->c.cgroup_path);
		free(i->c.id);
		free(i);
		return NULL;
	}
	*t->tail = i;
	t->tail = &i->next;
	node_give(n, &i->c);
	return &i->c;
}

/* The container around a new cgroup, given whose the cgroup above is. */
static struct container *enclosing(struct container *above)
{
	while (above && !above->known)
		above = above->parent;
	return above;
}

static void set_parent(struct container *c, struct container *above)
{
	if (c->parent) /* counted already */
		return;
	c->parent = enclosing(above);
	if (c->parent)
		((struct item *)c->parent)->nr_inside++;
}

static bool meant_by(const struct container_table *t, unsigned int i, const struct container *c)
{
	enum select_fit fit = select_fits(t->sel.patterns[i], c);

	if (fit != FIT_PREFIX)
		return fit;
	if (t->pinned[i])
		return !strcmp(t->pinned[i], c->id);
	return !t->exact[i];
}

/* Whoever watches a container watches what runs inside of it, too, or nesting would be a way out. */
static bool wanted(const struct container_table *t, const struct container *c)
{
	if (!t->sel.nr && !t->sel.nr_units)
		return true;
	if (c->unit || (c->parent && c->parent->state == CT_WATCHED))
		return true;
	for (unsigned int i = 0; i < t->sel.nr; i++)
		if (meant_by(t, i, c))
			return true;
	return false;
}

static bool wanted_unit(const struct container_table *t, const char *unit, size_t n)
{
	for (unsigned int i = 0; i < t->sel.nr_units; i++)
		if (select_fits_unit(t->sel.units[i], unit, n))
			return true;
	return false;
}

static void mark(const struct container_table *t, __u64 cgroup, __u32 flags)
{
	if (t->sel.mark)
		t->sel.mark(t->sel.arg, cgroup, flags);
}

static __u32 flags_of(const struct container *c)
{
	if (c->state == CT_IGNORED)
		return CG_IGNORED;
	return c->unit ? CG_RUN | CG_DECIDED : CG_DECIDED;
}

static void decide(struct container_table *t, struct container *c, enum container_state state)
{
	struct node *n, *next;

	if (c->state != CT_UNDECIDED)
		return;
	c->state = state;
	mark(t, c->cgroup, flags_of(c));
	if (((struct item *)c)->nr_nodes > 1)
		HASH_ITER(hh, t->nodes, n, next)
	if (n->container == c && n->id != c->cgroup && !n->removed)
		mark(t, n->id, flags_of(c));
	if (t->sel.decided)
		t->sel.decided(t->sel.arg, c);
}

/* Takes over what a runtime says, its id too: a cgroup's name need not be it. */
static void take_info(struct container *c, const struct container_info *info)
{
	char *pod_uid = c->info.pod_uid;

	c->info = *info;
	if (c->info.pod_uid)
		free(pod_uid);
	else
		c->info.pod_uid = pod_uid;
	if (info->runtime)
		c->runtime = c->info.runtime;
	if (info->id)
		set_id(c, info->id);
}

/* A record is found by a cgroup above, too: is it that of the container around this one? */
static bool is_of_parent(const struct container *c, const struct container_info *info)
{
	if (!info->id)
		return false;
	if (c->nested && strcmp(info->id, c->id) != 0)
		return true;
	for (const struct container *p = c->parent; p; p = p->parent)
		if (!strcmp(p->id, info->id))
			return true;
	return false;
}

/*
 * Whoever owns the directory that a cgroup was made in may make, and name, more of them there: a
 * service's user (Delegate=), for instance. 0: root, or it is gone by now.
 */
static long delegated_to(const struct container_table *t, const char *path)
{
	const char *root = t->sel.runtimes.root, *slash = strrchr(path, '/');
	char dir[2 * CGROUP_PATH_MAX];
	struct stat st;
	int n;

	if (!t->mount || !slash)
		return 0;
	n = snprintf(dir, sizeof(dir), "%s%s%.*s", root ? root : "", t->mount, (int)(slash - path),
		     path);
	return n > 0 && (size_t)n < sizeof(dir) && !stat(dir, &st) ? (long)st.st_uid : 0;
}

/*
 * Asks the runtimes' records. @by: who made the cgroup, if that was just now. @now: 0 when running
 * processes have been asked for further places already.
 */
static void learn(struct container_table *t, struct container *c, pid_t by, __u64 now)
{
	struct runtime_paths where = t->sel.runtimes;
	struct container_info info = {};
	int err;

	if (c->info.id || c->unit)
		return;
	where.no_proc_scan |= !now;
	where.walks = &t->walks;
	t->walks.now = now;
	where.delegated_to = delegated_to(t, c->cgroup_path);
	/* who is root in a container can make as many of these as he likes: they must cost little */
	if (c->nested)
		where.no_proc_scan = where.ids_only = true;
	err = runtime_lookup(&where, c->cgroup_path, NULL, c->runtime, &info);
	if (err && by && !c->nested)
		err = runtime_creator(&t->sel.runtimes, c->cgroup_path, by, &info);
	if (err)
		return;
	if (is_of_parent(c, &info))
		container_info_free(&info);
	else
		take_info(c, &info);
}

/* Is this very cgroup a container by its path? Then it is one of its own, also inside another. */
static struct container *by_path(struct container_table *t, struct node *n, struct container *above,
				 __u64 now)
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
	c->qos = parsed.qos;
	set_parent(c, above);
	c->nested = parsed.nested;
	c->by_path = c->known = true;
	if (parsed.pod_uid[0])
		c->info.pod_uid = strdup(parsed.pod_uid);
	return c;
}

/* Is it a systemd unit that was asked for? */
static struct container *by_unit(struct container_table *t, struct node *n, struct container *above,
				 __u64 now)
{
	struct container *c;
	const char *unit;
	size_t len;

	if (!t->sel.nr_units || cgroup_path_unit(n->path, strlen(n->path), &unit, &len) ||
	    !wanted_unit(t, unit, len))
		return NULL;
	c = container_new(t, n, NULL, now);
	if (!c)
		return NULL;
	c->runtime = "systemd";
	c->info.name = strndup(unit, len);
	set_parent(c, above);
	c->unit = c->known = true;
	return c;
}

/* Does the process that made it say whose it is? Found so: what is gone before it can be looked for. */
static struct container *by_creator(struct container_table *t, struct node *n,
				    struct container *above, const struct cgroup_made *m)
{
	struct container_info info = {};
	struct container *c;

	if (!m->by || (above && above->known && !above->unit) ||
	    runtime_creator(&t->sel.runtimes, n->path, m->by, &info))
		return NULL;
	c = container_new(t, n, NULL, m->now);
	if (!c) {
		container_info_free(&info);
		return NULL;
	}
	take_info(c, &info);
	set_parent(c, above);
	c->known = true;
	return c;
}

/* Decides if it can be: what nobody could put a name to yet may still be what was asked for. */
static void try_decide(struct container_table *t, struct container *c, bool last)
{
	if (wanted(t, c))
		decide(t, c, CT_WATCHED);
	else if (last || !t->sel.nr || !c->by_path || c->nested || c->info.id)
		decide(t, c, CT_IGNORED);
}

struct container *container_table_create(struct container_table *t, const struct cgroup_made *m)
{
	struct container *c, *above;
	struct node *n, *up;

	HASH_FIND(hh, t->nodes, &m->id, sizeof(m->id), n);
	if (n)
		return n->container;
	n = node_add(t, m->id, m->path, m->len);
	if (!n)
		return NULL;
	HASH_FIND(hh, t->nodes, &m->parent, sizeof(m->parent), up);
	above = up ? up->container : NULL;
	c = by_unit(t, n, above, m->now);
	if (!c)
		c = by_path(t, n, above, m->now);
	if (!c)
		c = by_creator(t, n, above, m);
	if (c) {
		learn(t, c, m->by, m->now);
		try_decide(t, c, false);
		return c;
	}
	/* runtimes make several levels at once: only what is known to be one has the others inside */
	if (above && (above->known || above->state == CT_WATCHED)) {
		node_give(n, above);
		if (above->state != CT_UNDECIDED)
			mark(t, n->id, flags_of(above));
		return above;
	}
	/* nobody says: wait for what is executed there, unless it was asked for by name */
	c = container_new(t, n, NULL, m->now);
	if (!c)
		return NULL;
	set_parent(c, above);
	if (t->sel.nr && wanted(t, c))
		decide(t, c, CT_WATCHED);
	return c;
}

void container_table_remove(struct container_table *t, __u64 id, __u64 now)
{
	struct node *n;

	HASH_FIND(hh, t->nodes, &id, sizeof(id), n);
	if (!n)
		return;
	if (n->container && n->container->cgroup == id && n->container->state == CT_UNDECIDED) {
		if (n->container->by_path)
			learn(t, n->container, 0, now);
		decide(t, n->container,
		       n->container->known && wanted(t, n->container) ? CT_WATCHED : CT_IGNORED);
	}
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
	c->known = true;
	c->state = CT_WATCHED;
	mark(t, id, CG_RUN | CG_DECIDED);
	return c;
}

struct container *container_table_find(struct container_table *t, __u64 cgroup)
{
	struct node **recent = &t->recent[cgroup % RECENT], *n = *recent;

	if (n && n->id == cgroup)
		return n->container;
	HASH_FIND(hh, t->nodes, &cgroup, sizeof(cgroup), n);
	if (!n)
		return NULL;
	*recent = n;
	return n->container;
}

void container_table_entry(struct container_table *t, struct container *c, __u64 now)
{
	c->known = true;
	learn(t, c, 0, now);
	if (c->state != CT_UNDECIDED)
		return;
	if (!c->entered)
		c->entered = now;
	try_decide(t, c, false);
}

static void add_address(const char *address, void *arg)
{
	struct container *c = arg;
	char **more = realloc(c->addresses, (c->nr_addresses + 1) * sizeof(*more));

	if (!more)
		return;
	c->addresses = more;
	more[c->nr_addresses] = strdup(address);
	if (more[c->nr_addresses])
		c->nr_addresses++;
}

static void drop_addresses(struct container *c)
{
	while (c->nr_addresses)
		free(c->addresses[--c->nr_addresses]);
}

void container_table_running(struct container_table *t, struct container *c, pid_t pid, __u64 start)
{
	struct container_seen seen = {};

	if (t->sel.runtimes.root &&
	    *t->sel.runtimes.root) /* another host's: its /proc is not ours */
		return;
	if (!c->seen.known)
		container_seen_read(pid, &seen);
	drop_addresses(c);
	container_addresses_read(pid, add_address, c);
	/* the number may be another process's by now */
	if (start && !container_process_is(pid, start))
		drop_addresses(c);
	else if (seen.known)
		c->seen = seen;
}

/* Its runtime has had time to write down what it knows. */
static void retry(struct container_table *t, struct container *c, __u64 now)
{
	bool last = now > c->entered + METADATA_NS;

	learn(t, c, 0, now);
	try_decide(t, c, last);
	if (last && c->state == CT_IGNORED)
		log_warn("nothing is known of container %s but its id: it is not recorded",
			 container_name(c));
}

/* Containers without a cgroup, of which nothing more can come. */
static void forget(struct container_table *t)
{
	struct item **at = &t->containers, *i;

	while ((i = *at)) {
		bool kept = t->sel.keep && i->c.state == CT_WATCHED;

		if (i->nr_nodes || i->nr_inside || kept || i->c.state == CT_UNDECIDED) {
			at = &i->next;
			continue;
		}
		*at = i->next;
		if (i->c.parent)
			((struct item *)i->c.parent)->nr_inside--;
		item_free(i);
	}
	t->tail = at;
}

static bool is_lingering(const struct node *n)
{
	return n->container && n->container->lingers;
}

bool container_table_gone(struct container_table *t, __u64 cgroup)
{
	struct node *n;

	HASH_FIND(hh, t->nodes, &cgroup, sizeof(cgroup), n);
	return !n || n->removed;
}

bool container_table_removed(struct container_table *t, __u64 cgroup)
{
	struct node *n;

	HASH_FIND(hh, t->nodes, &cgroup, sizeof(cgroup), n);
	return n && n->removed;
}

void container_table_look(struct container_table *t, __u64 now)
{
	const char *root = t->sel.runtimes.root;
	struct node *n, *next;

	if (!t->mount)
		return;
	HASH_ITER(hh, t->nodes, n, next)
	{
		char path[2 * CGROUP_PATH_MAX];
		struct stat st;
		int len =
			snprintf(path, sizeof(path), "%s%s%s", root ? root : "", t->mount, n->path);

		/* another one may have the name by now */
		if (!n->removed && len > 0 && (size_t)len < sizeof(path) &&
		    (stat(path, &st) ? errno == ENOENT : st.st_ino != n->id))
			container_table_remove(t, n->id, now);
	}
}

void container_table_expire(struct container_table *t, __u64 now, __u64 age)
{
	struct node *n, *next;

	for (struct item *i = t->containers; i; i = i->next) {
		if (i->c.state != CT_UNDECIDED)
			continue;
		if (i->c.entered)
			retry(t, &i->c, now);
		else if (now > i->c.created + age)
			decide(t, &i->c, CT_IGNORED);
	}
	HASH_ITER(hh, t->nodes, n, next)
	if (n->removed && now > n->removed_at + (is_lingering(n) ? LINGER * age : age))
		node_drop(t, n);
	forget(t);
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
	struct cgroup_hierarchy h;

	return cgroup_hierarchy_find(&h) ? NULL : strdup(h.mount);
}

struct scan {
	struct container_table *t;
	char *mount;
	__u64 now;
	struct container_info *known; /* running containers, from the runtimes' records */
	size_t nr_known;
};

static int remember(struct container_info *info, void *arg)
{
	struct scan *s = arg;
	struct container_info *grown;

	if (!info->id || !info->init_pid)
		return 0;
	grown = realloc(s->known, (s->nr_known + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->known = grown;
	grown[s->nr_known++] = *info;
	memset(info, 0, sizeof(*info));
	return 0;
}

/* The running container whose records name this cgroup; its owner may take what it points to. */
static struct container_info *record_of(struct scan *s, const char *path)
{
	for (size_t i = 0; i < s->nr_known; i++)
		for (size_t j = 0; j < s->known[i].nr_cgroups; j++)
			if (!strcmp(s->known[i].cgroups[j], path))
				return &s->known[i];
	return NULL;
}

static void take_record(struct container *c, struct container_info *record)
{
	take_info(c, record);
	memset(record, 0, sizeof(*record));
}

static struct container *by_state(struct scan *s, struct node *n)
{
	struct container_info *record = record_of(s, n->path);
	struct container *c = record ? container_new(s->t, n, record->id, s->now) : NULL;

	if (c)
		take_record(c, record);
	return c;
}

/* What is known of one that its path names: mostly it was found with all that run; LXC lists nothing. */
static void learn_running(struct scan *s, struct container *c)
{
	struct container_info *record = record_of(s, c->cgroup_path);

	if (record && !strcmp(record->id, c->id))
		take_record(c, record);
	else
		learn(s->t, c, 0, 0);
}

static void scan_one(struct scan *s, __u64 id, const char *path, struct container *above)
{
	struct node *n = node_add(s->t, id, path, strlen(path));
	struct container *c;

	if (!n || n->container)
		return;
	c = by_unit(s->t, n, above, s->now);
	if (!c)
		c = by_path(s->t, n, above, s->now);
	if (!c)
		c = by_state(s, n);
	if (!c) {
		node_give(n, above);
		return;
	}
	set_parent(c, above);
	c->known = c->existing = true;
	c->started = s->now;
	if (!c->info.id && !c->unit)
		learn_running(s, c);
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

unsigned int container_table_meant(struct container_table *t, unsigned int i,
				   int (*fn)(struct container *c, void *arg), void *arg)
{
	unsigned int n = 0;

	for (struct item *it = t->containers; it; it = it->next) {
		if (!it->c.known || it->c.unit || it->empty || !meant_by(t, i, &it->c))
			continue;
		n++;
		if (fn && fn(&it->c, arg))
			break;
	}
	return n;
}

bool container_table_unit_found(struct container_table *t, unsigned int i)
{
	for (struct item *it = t->containers; it; it = it->next)
		if (it->c.unit &&
		    select_fits_unit(t->sel.units[i], it->c.info.name, strlen(it->c.info.name)))
			return true;
	return false;
}

/* Whose beginning of an id was meant; unless it is somebody's whole name. */
static void pin(struct container_table *t, unsigned int i)
{
	const struct container *one = NULL;
	unsigned int nr = 0;

	for (struct item *it = t->containers; it; it = it->next) {
		enum select_fit fit = select_fits(t->sel.patterns[i], &it->c);

		if (it->empty)
			continue;
		if (fit == FIT_EXACT)
			t->exact[i] = true;
		if (fit != FIT_PREFIX)
			continue;
		nr++;
		one = &it->c;
	}
	if (nr == 1 && !t->exact[i])
		t->pinned[i] = strdup(one->id);
}

/* Whether it runs, and since when: as long as its oldest process. */
static void look_inside(struct container_table *t, struct item *i)
{
	struct container_processes ps;

	container_processes_read(t->mount, i->c.cgroup_path, &ps);
	i->empty = !ps.nr;
	i->first = ps.first;
	if (ps.first)
		i->c.created = i->c.started = ps.since;
}

int container_table_scan(struct container_table *t, __u64 now)
{
	struct scan s = {.t = t, .now = now, .mount = t->mount};
	int fd;

	if (!s.mount)
		return -ENOENT;
	fd = open(s.mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	runtime_list(&t->sel.runtimes, remember, &s);
	scan_dir(&s, fd, "", NULL, 0);
	for (size_t i = 0; i < s.nr_known; i++)
		container_info_free(&s.known[i]);
	free(s.known);
	for (struct item *i = t->containers; i; i = i->next)
		if (i->c.existing)
			look_inside(t, i);
	/* first all of them: which one a pattern means depends on the others; and outer ones first */
	for (unsigned int i = 0; i < t->sel.nr; i++)
		if (select_is_single(t->sel.patterns[i]))
			pin(t, i);
	for (struct item *i = t->containers; i; i = i->next) {
		if (i->c.existing)
			decide(t, &i->c, wanted(t, &i->c) ? CT_WATCHED : CT_IGNORED);
		if (i->first && i->c.state == CT_WATCHED)
			container_table_running(
				t, &i->c, i->c.info.init_pid ? i->c.info.init_pid : i->first, 0);
	}
	return 0;
}
