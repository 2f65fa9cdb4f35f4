// SPDX-License-Identifier: MIT
/* Where runtimes keep their state: the well-known places, and those that running ones name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "container/cgroup_path.h"
#include "container/runtime_priv.h"

#define PLACES_MAX 256
#define TASKS	   "io.containerd.runtime.v2.task"

static const struct {
	enum rt_kind kind;
	const char *path;
} well_known[] = {
	{RT_DOCKER, "/var/lib/docker"},
	{RT_DOCKER, "/var/snap/docker/common/var-lib-docker"},
	{RT_STORAGE, "/var/lib/containers/storage"},
	{RT_STORAGE, "/run/containers/storage"},
	{RT_STATE, "/run/runc"},
	{RT_STATE, "/run/crun"},
	{RT_STATE, "/run/youki"},
	{RT_STATE_NS, "/run/docker/runtime-runc"},
	{RT_STATE_NS, "/run/docker/runtime-crun"},
	{RT_STATE_NS, "/run/containerd/runc"},
	{RT_STATE_NS, "/run/k3s/containerd/runc"},
	{RT_STATE_NS, "/var/snap/microk8s/common/run/containerd/runc"},
	{RT_BUNDLE_NS, "/run/containerd/" TASKS},
	{RT_BUNDLE_NS, "/run/docker/containerd/daemon/" TASKS},
	{RT_BUNDLE_NS, "/run/k3s/containerd/" TASKS},
	{RT_BUNDLE_NS, "/var/snap/microk8s/common/run/containerd/" TASKS},
	{RT_LXC, "/var/lib/lxc"},
	{RT_LXC, "/run/incus"},
	{RT_LXC, "/var/log/incus"},
	{RT_LXC, "/var/lib/incus/containers"},
	{RT_LXC, "/var/snap/lxd/common/lxd/logs"},
	{RT_LXC, "/var/log/lxd"},
	{RT_MACHINE, "/run/systemd/machines"},
};

/* The same for a user, below $XDG_RUNTIME_DIR or his home. */
static const struct {
	enum rt_kind kind;
	const char *path;
} users_run[] =
	{
		{RT_STORAGE, "containers"},
		{RT_STATE, "runc"},
		{RT_STATE, "crun"},
		{RT_STATE_NS, "docker/runtime-runc"},
		{RT_BUNDLE_NS, "docker/containerd/daemon/" TASKS},
		{RT_STATE_NS, "containerd-rootless/runc"},
},
  users_home[] = {
	  {RT_DOCKER, ".local/share/docker"},
	  {RT_STORAGE, ".local/share/containers/storage"},
	  {RT_LXC, ".local/share/lxc"},
};

/* Add a place; one that is known already, relative or overlong adds nothing. */
int rt_add(struct rt *rt, enum rt_kind kind, long owner, size_t trusted, const char *path)
{
	struct rt_place *bigger;
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (path[0] != '/' || len >= PATH_MAX / 2 || rt->nr_places >= PLACES_MAX)
		return 0;
	for (size_t i = 0; i < rt->nr_places; i++) {
		const struct rt_place *p = &rt->places[i];

		if (p->kind == kind && p->owner == owner && strlen(p->path) == len &&
		    !memcmp(p->path, path, len))
			return 0;
	}
	bigger = realloc(rt->places, (rt->nr_places + 1) * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	rt->places = bigger;
	bigger += rt->nr_places;
	*bigger = (struct rt_place){
		.path = strndup(path, len),
		.owner = owner,
		.kind = kind,
		.trusted = owner < 0 || trusted > len ? len : trusted,
	};
	if (!bigger->path)
		return -ENOMEM;
	rt->nr_places++;
	return 0;
}

static int add_below(struct rt *rt, enum rt_kind kind, long owner, size_t trusted, const char *dir,
		     const char *below)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, below);

	if (n < 0 || (size_t)n >= sizeof(path))
		return 0;
	return rt_add(rt, kind, owner, trusted, path);
}

/* What dockerd keeps below its --exec-root: its own containerd's tasks and runc's state. */
int rt_add_docker_exec_root(struct rt *rt, long owner, size_t trusted, const char *exec_root)
{
	int err = add_below(rt, RT_STATE_NS, owner, trusted, exec_root, "runtime-runc");

	if (!err)
		err = add_below(rt, RT_STATE_NS, owner, trusted, exec_root, "runtime-crun");
	if (!err)
		err = add_below(rt, RT_BUNDLE_NS, owner, trusted, exec_root,
				"containerd/daemon/" TASKS);
	return err;
}

/* A user's home according to /etc/passwd, which getpwuid() would not look for below rt->root. */
static int users_home_dir(const struct rt *rt, long uid, char *home, size_t size)
{
	_cleanup_str_ char *passwd = NULL;
	char *line, *save = NULL;
	struct rt_place at;
	size_t len;

	rt_system_place(&at, "/etc");
	if (rt_read(rt, &at, "passwd", &passwd, &len))
		return -ENOENT;
	for (line = strtok_r(passwd, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *field[7] = {line};
		size_t n = 1;

		for (char *c = line; *c && n < 7; c++) {
			if (*c != ':')
				continue;
			*c = '\0';
			field[n++] = c + 1;
		}
		if (n < 7 || strtol(field[2], NULL, 10) != uid || field[5][0] != '/' ||
		    strlen(field[5]) >= size)
			continue;
		strcpy(home, field[5]);
		return 0;
	}
	return -ENOENT;
}

int rt_add_user(struct rt *rt, long uid)
{
	char dir[PATH_MAX / 2];
	int err = 0;

	snprintf(dir, sizeof(dir), "/run/user/%ld", uid);
	for (size_t i = 0; !err && i < RT_LEN(users_run); i++)
		err = add_below(rt, users_run[i].kind, uid, strlen(dir), dir, users_run[i].path);
	if (err || users_home_dir(rt, uid, dir, sizeof(dir)) || !dir[1])
		return err;
	for (size_t i = 0; !err && i < RT_LEN(users_home); i++)
		err = add_below(rt, users_home[i].kind, uid, strlen(dir), dir, users_home[i].path);
	return err;
}

static int add_one_user(const char *name, void *arg)
{
	char *end;
	long uid = strtol(name, &end, 10);

	return *end || uid <= 0 ? 0 : rt_add_user(arg, uid);
}

int rt_add_all_users(struct rt *rt)
{
	struct rt_place at;

	rt_system_place(&at, "/run/user");
	return rt_each(rt, &at, "", add_one_user, rt);
}

/* dockerd's configuration: both keys are optional, and so is the file. */
static int add_docker_config(struct rt *rt, const char *file)
{
	_cleanup_json_ cJSON *json = NULL;
	const char *data, *exec;
	struct rt_place at;
	char dir[PATH_MAX];
	char *slash;
	int err = 0;

	if (file[0] != '/' || strlen(file) >= sizeof(dir))
		return 0;
	strcpy(dir, file);
	slash = strrchr(dir, '/');
	*slash = '\0';
	rt_system_place(&at, dir);
	json = rt_json(rt, &at, slash + 1);
	data = state_str(json, "data-root");
	if (!data)
		data = state_str(json, "graph"); /* until Docker 17.05 */
	exec = state_str(json, "exec-root");
	if (data)
		err = rt_add(rt, RT_DOCKER, RT_OWNER_SYSTEM, 0, data);
	if (!err && exec)
		err = rt_add_docker_exec_root(rt, RT_OWNER_SYSTEM, 0, exec);
	return err;
}

static int add_given(struct rt *rt, enum rt_kind kind, const char *const *list)
{
	int err = 0;

	for (; !err && list && *list; list++)
		err = rt_add(rt, kind, RT_OWNER_SYSTEM, 0, *list);
	return err;
}

/* A new question, or another user: what the one spent is not missing for the other. */
void rt_allow(struct rt *rt)
{
	rt->allowance = (struct rt_allowance){.files = RT_USERS_FILES, .bytes = RT_USERS_BYTES};
	rt->users = &rt->allowance;
}

int rt_init(struct rt *rt, const struct runtime_paths *p)
{
	static const struct runtime_paths none;
	const char *const *exec;
	int err;

	*rt = (struct rt){.paths = p ? p : &none};
	rt->root = rt->paths->root ? rt->paths->root : "";
	rt_allow(rt);
	p = rt->paths;
	err = add_given(rt, RT_DOCKER, p->docker_data_roots);
	if (!err)
		err = add_given(rt, RT_STATE, p->oci_roots);
	if (!err)
		err = add_given(rt, RT_STORAGE, p->storage_roots);
	for (exec = p->docker_exec_roots; !err && exec && *exec; exec++)
		err = rt_add_docker_exec_root(rt, RT_OWNER_SYSTEM, 0, *exec);
	for (size_t i = 0; !err && i < RT_LEN(well_known); i++)
		err = rt_add(rt, well_known[i].kind, RT_OWNER_SYSTEM, 0, well_known[i].path);
	if (!err)
		err = add_docker_config(rt, "/etc/docker/daemon.json");
	if (err)
		rt_exit(rt);
	return err;
}

/* All but the first @left. */
void rt_drop_places(struct rt *rt, size_t left)
{
	while (rt->nr_places > left)
		free(rt->places[--rt->nr_places].path);
}

void rt_exit(struct rt *rt)
{
	rt_drop_places(rt, 0);
	free(rt->places);
	rt->places = NULL;
}

/* ---- running processes ---- */

/* The value of an option of @argv (@len bytes, NUL-separated): "--opt=V", "--opt V", "-o V". */
const char *rt_option(const char *argv, size_t len, const char *name)
{
	size_t n = strlen(name);

	for (const char *a = argv; a < argv + len; a += strlen(a) + 1) {
		const char *next = a + strlen(a) + 1;

		if (!strncmp(a, name, n) && a[n] == '=' && name[1] == '-')
			return a + n + 1;
		if (!strcmp(a, name) && next < argv + len)
			return next;
	}
	return NULL;
}

static int add_dockerd(struct rt *rt, const char *argv, size_t len)
{
	static const char *const data[] = {"--data-root", "-g", "--graph"};
	const char *v = NULL;
	int err = 0;

	for (size_t i = 0; !v && i < RT_LEN(data); i++)
		v = rt_option(argv, len, data[i]);
	if (v)
		err = rt_add(rt, RT_DOCKER, RT_OWNER_SYSTEM, 0, v);
	v = rt_option(argv, len, "--exec-root");
	if (!err && v)
		err = rt_add_docker_exec_root(rt, RT_OWNER_SYSTEM, 0, v);
	v = rt_option(argv, len, "--config-file");
	if (!err && v)
		err = add_docker_config(rt, v);
	return err;
}

/*
 * runc and crun, and whoever runs them: "--root DIR" is DIR/ID/. When it is containerd, which has the
 * log in the task's directory, DIR is one of a namespace.
 */
static int add_oci(struct rt *rt, const char *argv, size_t len)
{
	const char *v = rt_option(argv, len, "--root"), *log = rt_option(argv, len, "--log");
	const char *slash = v ? strrchr(v, '/') : NULL;
	char dir[PATH_MAX];

	if (!slash)
		return 0;
	if (!log || !strstr(log, "/" TASKS "/"))
		return rt_add(rt, RT_STATE, RT_OWNER_SYSTEM, 0, v);
	if ((size_t)(slash - v) >= sizeof(dir))
		return 0;
	memcpy(dir, v, (size_t)(slash - v));
	dir[slash - v] = '\0';
	return rt_add(rt, RT_STATE_NS, RT_OWNER_SYSTEM, 0, dir);
}

static int add_podman(struct rt *rt, const char *argv, size_t len)
{
	const char *v = rt_option(argv, len, "--root");

	return v ? rt_add(rt, RT_STORAGE, RT_OWNER_SYSTEM, 0, v) : 0;
}

/* "conmon -b STORAGE/overlay-containers/ID/userdata": of podman and of CRI-O. */
static int add_conmon(struct rt *rt, const char *argv, size_t len)
{
	const char *b = rt_option(argv, len, "-b");
	const char *driver = b ? strstr(b, "-containers/") : NULL;
	char dir[PATH_MAX];

	while (driver && driver > b && driver[-1] != '/')
		driver--;
	if (!driver || driver == b || (size_t)(driver - b) >= sizeof(dir))
		return 0;
	memcpy(dir, b, (size_t)(driver - b));
	dir[driver - b] = '\0';
	return rt_add(rt, RT_STORAGE, RT_OWNER_SYSTEM, 0, dir);
}

/* A shim's "-address" is DIR/containerd.sock; tasks are in DIR, or DIR/daemon (docker's own). */
static int add_shim(struct rt *rt, const char *argv, size_t len)
{
	const char *v = rt_option(argv, len, "-address");
	const char *slash = v ? strrchr(v, '/') : NULL;
	char dir[PATH_MAX];
	int err;

	if (!slash || (size_t)(slash - v) >= sizeof(dir))
		return 0;
	memcpy(dir, v, (size_t)(slash - v));
	dir[slash - v] = '\0';
	err = add_below(rt, RT_BUNDLE_NS, RT_OWNER_SYSTEM, 0, dir, TASKS);
	if (!err)
		err = add_below(rt, RT_BUNDLE_NS, RT_OWNER_SYSTEM, 0, dir, "daemon/" TASKS);
	if (!err)
		err = add_below(rt, RT_STATE_NS, RT_OWNER_SYSTEM, 0, dir, "runc");
	return err;
}

static const struct {
	const char *comm; /* as the kernel has it: 15 bytes */
	int (*add)(struct rt *rt, const char *argv, size_t len);
} daemons[] = {
	{"dockerd", add_dockerd},
	{"runc", add_oci},
	{"crun", add_oci},
	{"youki", add_oci},
	{"podman", add_podman},
	{"conmon", add_conmon},
	{"containerd-shim", add_shim},
};

/* Is one of the cgroups in this /proc/PID/cgroup a container's? Copies its id. */
static bool in_container(const char *cgroup, char *id, size_t size)
{
	const char *line = cgroup;

	while (line && *line) {
		const char *end = strchr(line, '\n');
		size_t len = end ? (size_t)(end - line) : strlen(line);
		const char *path = memchr(line, '/', len);
		struct cgroup_path cp;

		if (path && !cgroup_path_parse(path, len - (size_t)(path - line), &cp)) {
			snprintf(id, size, "%s", cp.id);
			return true;
		}
		line = end ? end + 1 : NULL;
	}
	return false;
}

/*
 * Is it root's, or ours? By what the kernel says of its ids: the owner of its directory in /proc is
 * root whenever a process, anybody's, is not dumpable.
 */
static bool is_roots(const struct rt *rt, pid_t pid)
{
	size_t len;
	_cleanup_str_ char *status = rt_proc_read(rt, pid, "status", &len);
	/* comm, the first line, has its newlines escaped */
	const char *line = status ? strstr(status, "\nUid:") : NULL;
	unsigned int uid[4];

	if (!line || sscanf(line, "\nUid: %u %u %u %u", &uid[0], &uid[1], &uid[2], &uid[3]) != 4)
		return false;
	for (size_t i = 0; i < RT_LEN(uid); i++)
		if (uid[i] && uid[i] != geteuid())
			return false;
	return true;
}

/*
 * May this process's command line be believed? Anybody can call himself dockerd, and what he
 * names would be read as the truth about others: only root's processes, in no container other
 * than our own.
 */
bool rt_process_is_trusted(const struct rt *rt, pid_t pid)
{
	_cleanup_str_ char *theirs = NULL, *ours = NULL;
	char their_id[129] = "", our_id[129] = "";
	size_t len;

	if (!is_roots(rt, pid))
		return false;
	theirs = rt_proc_read(rt, pid, "cgroup", &len);
	if (!theirs)
		return false;
	if (!in_container(theirs, their_id, sizeof(their_id)))
		return true;
	ours = rt_proc_read(rt, getpid(), "cgroup", &len);
	return ours && in_container(ours, our_id, sizeof(our_id)) && !strcmp(their_id, our_id);
}

/*
 * What root's process is called. crun executes a copy of itself by descriptor, and until 6.14 the kernel
 * then takes the descriptor's number for the name: its command line has the other one. Of others nothing
 * is read that they could choose.
 */
char *rt_process_name(const struct rt *rt, pid_t pid)
{
	_cleanup_str_ char *argv = NULL;
	const char *slash;
	size_t len;
	char *comm = rt_proc_read(rt, pid, "comm", &len);

	if (!comm)
		return NULL;
	comm[strcspn(comm, "\n")] = '\0';
	if (!comm[0] || comm[strspn(comm, "0123456789")] || !rt_process_is_trusted(rt, pid))
		return comm;
	argv = rt_proc_read(rt, pid, "cmdline", &len);
	if (!argv || !len)
		return comm;
	slash = strrchr(argv, '/');
	free(comm);
	return strdup(slash ? slash + 1 : argv);
}

static int add_process(const char *name, void *arg)
{
	_cleanup_str_ char *comm = NULL, *argv = NULL;
	struct rt *rt = arg;
	char *end;
	long pid = strtol(name, &end, 10);
	size_t len;

	if (*end || pid <= 0 || pid > INT_MAX)
		return 0;
	comm = rt_process_name(rt, (pid_t)pid);
	if (!comm)
		return 0;
	for (size_t i = 0; i < RT_LEN(daemons); i++) {
		if (strcmp(comm, daemons[i].comm) || !rt_process_is_trusted(rt, (pid_t)pid))
			continue;
		argv = rt_proc_read(rt, (pid_t)pid, "cmdline", &len);
		return argv ? daemons[i].add(rt, argv, len) : 0;
	}
	return 0;
}

/* ---- how often they are asked ---- */

#define WALK_NS	    1000000000ULL /* between two walks, in the long run; and how long one is believed */
#define WALKS_AHEAD 16 /* how many of them may come at once: containers start in groups */

static void forget(struct runtime_walks *w)
{
	while (w->nr_places)
		free(w->places[--w->nr_places].path);
}

void runtime_walks_free(struct runtime_walks *w)
{
	forget(w);
	free(w->places);
	w->places = NULL;
}

/* Keeps the places from the @first on, which this walk has told, and only those: whoever named others has gone. */
static int remember(const struct rt *rt, size_t first)
{
	struct runtime_walks *w = rt->paths->walks;
	size_t nr = rt->nr_places - first;
	struct rt_place *bigger;

	forget(w);
	bigger = nr ? realloc(w->places, nr * sizeof(*bigger)) : w->places;
	if (nr && !bigger)
		return -ENOMEM;
	w->places = bigger;
	for (; w->nr_places < nr; w->nr_places++) {
		bigger[w->nr_places] = rt->places[first + w->nr_places];
		bigger[w->nr_places].path = strdup(bigger[w->nr_places].path);
		if (!bigger[w->nr_places].path)
			return -ENOMEM;
	}
	return 0;
}

/* Adds what the last walk told, if that is not too long ago. */
int rt_add_told(struct rt *rt)
{
	const struct runtime_walks *w = rt->paths->walks;
	int err = 0;

	if (!w || w->now >= w->made + WALK_NS)
		return 0;
	for (size_t i = 0; !err && i < w->nr_places; i++)
		err = rt_add(rt, w->places[i].kind, w->places[i].owner, w->places[i].trusted,
			     w->places[i].path);
	return err;
}

bool rt_may_walk(const struct rt *rt)
{
	const struct runtime_walks *w = rt->paths->walks;

	return !rt->paths->no_proc_scan && (!w || w->spent < w->now + WALKS_AHEAD * WALK_NS);
}

int rt_add_from_processes(struct rt *rt)
{
	struct runtime_walks *w = rt->paths->walks;
	size_t before = rt->nr_places;
	struct rt_place at;
	int err;

	if (rt->paths->no_proc_scan)
		return 0;
	rt_system_place(&at, "/proc");
	err = rt_each(rt, &at, "", add_process, rt);
	if (err || !w)
		return err;
	w->made = w->now;
	w->spent = (w->spent > w->now ? w->spent : w->now) + WALK_NS;
	return remember(rt, before);
}
