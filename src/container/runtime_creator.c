// SPDX-License-Identifier: MIT
/*
 * Who made the cgroup? runc and crun write their state after the container's process is there, and
 * remove it when it has gone; `runc run` of something that takes 20 ms leaves nothing to find. But
 * they make the cgroup themselves (unless systemd does it for them, and then its name says enough),
 * the bundle is complete by then, and their command line says where it is.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "container/cgroup_path.h"
#include "container/runtime_priv.h"

static const char *const runtimes[] = {"runc", "crun", "youki"};

/* What `runc [--root DIR] run|create [--bundle DIR] ID` says. */
struct command_line {
	const char *id; /* these point into the command line */
	const char *bundle; /* NULL: the current directory */
};

static bool starts_container(const char *argv, size_t len)
{
	for (const char *a = argv; a < argv + len; a += strlen(a) + 1)
		if (!strcmp(a, "run") || !strcmp(a, "create") || !strcmp(a, "restore"))
			return true;
	return false;
}

/* Which of them is called so, or NULL. */
static const char *runtime_of(const char *comm)
{
	for (size_t i = 0; i < RT_LEN(runtimes); i++)
		if (!strcmp(comm, runtimes[i]))
			return runtimes[i];
	return NULL;
}

static int read_command_line(const char *argv, size_t len, struct command_line *c)
{
	*c = (struct command_line){.id = NULL};
	if (!starts_container(argv, len))
		return -ENOENT;
	for (const char *a = argv; a < argv + len; a += strlen(a) + 1)
		c->id = a; /* the last one */
	c->bundle = rt_option(argv, len, "--bundle");
	if (!c->bundle)
		c->bundle = rt_option(argv, len, "-b");
	return c->id && c->id[0] != '-' && cgroup_path_id_is_safe(c->id) ? 0 : -ENOENT;
}

/* The bundle's directory, absolute, as the host sees it. */
static int bundle_dir(const struct rt *rt, pid_t pid, const char *said, char *dir, size_t size)
{
	char link[PATH_MAX], cwd[PATH_MAX];
	ssize_t n;

	if (said && said[0] == '/')
		return (size_t)snprintf(dir, size, "%s", said) < size ? 0 : -ENOENT;
	snprintf(link, sizeof(link), "%s/proc/%d/cwd", rt->root, pid);
	n = readlink(link, cwd, sizeof(cwd) - 1);
	if (n <= 0 || cwd[0] != '/')
		return -ENOENT;
	cwd[n] = '\0';
	n = snprintf(dir, size, "%s%s%s", cwd, said && *said ? "/" : "", said ? said : "");
	return n > 0 && (size_t)n < size ? 0 : -ENOENT;
}

/*
 * A runtime makes the directories above the container's, too. The container's is the one that the
 * bundle names, or that ends in what it names, or in the id when it names none.
 */
static bool is_its_cgroup(const cJSON *config, const char *id, const char *path)
{
	const char *said = state_str(state_obj(config, "linux"), "cgroupsPath");
	size_t len = strlen(path), n;

	if (said && said[0] == '/')
		while (said[1] == '/')
			said++;
	else if (!said)
		said = id;
	n = strlen(said);
	while (n > 1 && said[n - 1] == '/')
		n--;
	if (len < n || strncmp(path + len - n, said, n))
		return false;
	return said[0] == '/' ? len == n : len > n && path[len - n - 1] == '/';
}

/* Who drives the runtime: containerd keeps a bundle in its state directory, below its namespace. */
static const char *driver(const char *bundle)
{
	const char *task = strstr(bundle, "/io.containerd.runtime.v2.task/");

	if (!task)
		return NULL;
	return strstr(task, "/moby/") ? "docker" : "containerd";
}

int rt_creator(struct rt *rt, pid_t creator, const char *cgroup_path, struct container_info *info)
{
	_cleanup_str_ char *comm = NULL, *argv = NULL;
	_cleanup_json_ cJSON *config = NULL;
	struct command_line c;
	const char *runtime;
	struct rt_place at;
	char dir[PATH_MAX];
	size_t len;
	int err;

	comm = rt_process_name(rt, creator);
	if (!comm)
		return -ENOENT;
	/* first whose it is: of others, nothing is read that they could choose */
	runtime = runtime_of(comm);
	if (!runtime || !rt_process_is_trusted(rt, creator))
		return -ENOENT;
	argv = rt_proc_read(rt, creator, "cmdline", &len);
	if (!argv || !len || read_command_line(argv, len, &c) ||
	    bundle_dir(rt, creator, c.bundle, dir, sizeof(dir)))
		return -ENOENT;
	rt_system_place(&at, dir);
	config = rt_json(rt, &at, "config.json");
	if (!config || !is_its_cgroup(config, c.id, cgroup_path))
		return -ENOENT;
	err = bundle_config(rt, &at, "config.json", info);
	if (err)
		return err;
	info_set(&info->id, c.id);
	info_set(&info->runtime, driver(dir));
	info_set(&info->runtime, runtime);
	info_add_cgroup(info, cgroup_path);
	return 0;
}
