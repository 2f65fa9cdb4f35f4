// SPDX-License-Identifier: MIT
/* Each test makes a host's file tree below a directory of its own: struct runtime_paths.root. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "container/runtime.h"

#define A	   "2895b90dd032de3eebd1a81db7ec57373c58e2a6f2d1a2703bea9d3784197356"
#define B	   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD	   "2a1b3c4d-0e5f-4a6b-8c7d-9e0f1a2b3c4d"
#define POD_	   "2a1b3c4d_0e5f_4a6b_8c7d_9e0f1a2b3c4d"
#define POD_PATH   "/kubepods.slice/kubepods-pod" POD_ ".slice/"
#define TASKS	   "/run/containerd/io.containerd.runtime.v2.task"
#define DOCKER_RUN "/run/docker/runtime-runc/moby/"

struct host {
	char root[64];
	struct runtime_paths paths;
	struct container_info info;
	long user; /* somebody who is not the system */
};

static int setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	strcpy(h->root, "/tmp/test_runtime.XXXXXX");
	assert_non_null(mkdtemp(h->root));
	h->paths.root = h->root;
	h->user = geteuid() ? (long)geteuid() : 1000;
	*state = h;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct host *h = *state;

	container_info_free(&h->info);
	nftw(h->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(h);
	return 0;
}

static void host_path(const struct host *h, const char *path, char *full)
{
	char *slash;

	assert_true(snprintf(full, PATH_MAX, "%s%s", h->root, path) < PATH_MAX);
	for (slash = full + strlen(h->root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
}

static void put_n(const struct host *h, const char *path, const void *text, size_t len)
{
	char full[PATH_MAX];
	FILE *f;

	host_path(h, path, full);
	f = fopen(full, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void put(const struct host *h, const char *path, const char *text)
{
	put_n(h, path, text, strlen(text));
}

static void put_users(const struct host *h, const char *path, const char *text)
{
	char full[PATH_MAX];

	put(h, path, text);
	host_path(h, path, full);
	if (geteuid() == 0)
		assert_int_equal(chown(full, (uid_t)h->user, (gid_t)h->user), 0);
}

static void put_uid(const struct host *h, int pid, unsigned int uid)
{
	char path[64], status[256];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	snprintf(
		status, sizeof(status),
		"Name:\tx\\nUid:\t0\t0\t0\t0\nUmask:\t0022\nUid:\t%u\t%u\t%u\t%u\nGid:\t0\t0\t0\t0\n",
		uid, uid, geteuid(), uid);
	put(h, path, status);
}

static void put_process(const struct host *h, int pid, const char *comm, const char *cmdline,
			size_t len, const char *cgroup)
{
	char path[64], stat[256];

	snprintf(stat, sizeof(stat),
		 "%d (a) b) c) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 9\n", pid);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	put(h, path, stat);
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	put(h, path, comm);
	put_uid(h, pid, geteuid());
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	put_n(h, path, cmdline, len);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	put(h, path, cgroup);
}

static int look(struct host *h, const char *cgroup, const char *id)
{
	container_info_free(&h->info);
	return runtime_lookup(&h->paths, cgroup, id, NULL, &h->info);
}

static bool has(char **list, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], s))
			return true;
	return false;
}

static const struct container_mount *mount_at(const struct container_info *info, const char *at)
{
	for (size_t i = 0; i < info->nr_mounts; i++)
		if (!strcmp(info->mounts[i].destination, at))
			return &info->mounts[i];
	fail_msg("no mount at %s", at);
	return NULL;
}

#define CONFIG_V2(id)                                                                              \
	"{\"ID\":\"" id "\",\"Name\":\"/web\",\"Image\":\"sha256:feed\","                          \
	"\"Driver\":\"overlay2\","                                                                 \
	"\"State\":{\"Running\":true,\"Pid\":42},"                                                 \
	"\"Config\":{\"Image\":\"nginx:1.25\",\"User\":\"www\",\"Hostname\":\"h\","                \
	"\"Labels\":{\"a\":\"b\",\"io.kubernetes.pod.name\":\"p\"}},"                              \
	"\"NetworkSettings\":{\"Networks\":{\"front\":{"                                           \
	"\"IPAddress\":\"172.18.0.2\",\"GlobalIPv6Address\":\"fd00::2\","                          \
	"\"MacAddress\":\"02:42:ac:12:00:02\"},\"back\":{\"IPAddress\":\"\"}}},"                   \
	"\"MountPoints\":{\"/data\":{\"Destination\":\"/data\",\"Source\":\"/v/vol/_data\","       \
	"\"Name\":\"vol\",\"Type\":\"volume\",\"RW\":true},\"/b\":{\"Destination\":\"/b\","        \
	"\"Source\":\"/tmp\",\"Name\":\"\",\"Type\":\"bind\",\"RW\":false}}}"

#define STATE(id, cgroups)                                                                         \
	"{\"id\":\"" id "\",\"init_process_pid\":42,\"init_process_start\":777,"                   \
	"\"config\":{\"rootfs\":\"/r\",\"readonlyfs\":true,\"hostname\":\"h2\","                   \
	"\"capabilities\":{\"Bounding\":[\"CAP_CHOWN\",\"CAP_BPF\",\"CAP_NONSENSE\",7]},"          \
	"\"labels\":[\"x=y=z\",\"bundle=/b/" id "\",\"bad\"],\"seccomp\":null},"                   \
	"\"cgroup_paths\":{" cgroups "}}"

#define BUNDLE                                                                                     \
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":5,\"gid\":6}},"                  \
	"\"root\":{\"path\":\"rootfs\"},\"hostname\":\"h3\",\"annotations\":{\"note\":\"n\"},"     \
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"           \
	"{\"destination\":\"/m\",\"type\":\"none\",\"source\":\"/s\","                             \
	"\"options\":[\"rbind\",\"ro\"]},"                                                         \
	"{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"/x\"}],"                   \
	"\"linux\":{\"seccomp\":{}}}"

static void put_docker(const struct host *h, const char *data_root)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/containers/" A "/config.v2.json", data_root);
	put(h, path, CONFIG_V2(A));
	snprintf(path, sizeof(path), "%s/containers/" A "/hostconfig.json", data_root);
	put(h, path,
	    "{\"ReadonlyRootfs\":false,\"Privileged\":false,\"Tmpfs\":{\"/t\":\"size=1m,ro\"}}");
}

static void test_docker(void **state)
{
	struct host *h = *state;
	const struct container_mount *m;

	put_docker(h, "/var/lib/docker");
	put(h, "/var/lib/docker/image/overlay2/repositories.json",
	    "{\"Repositories\":{\"mirror/nginx\":{\"mirror/nginx@sha256:0000\":\"sha256:feed\"},"
	    "\"nginx\":{\"nginx:1.25\":\"sha256:feed\",\"nginx@sha256:eeee\":\"sha256:beef\","
	    "\"nginx@sha256:d1d1\":\"sha256:feed\"}}}");
	put(h, DOCKER_RUN A "/state.json",
	    STATE(A, "\"\":\"/sys/fs/cgroup/unified/docker/" A "\","
		     "\"memory\":\"/sys/fs/cgroup/memory/x/docker/" A "\""));
	put(h, TASKS "/moby/" A "/config.json", BUNDLE);
	put_process(h, 42, "nginx\n", "", 0, "0::/docker/" A "\n");
	assert_int_equal(look(h, "/docker/" A, NULL), 0);
	assert_string_equal(h->info.id, A);
	assert_string_equal(h->info.name, "web");
	assert_string_equal(h->info.image, "nginx:1.25");
	assert_string_equal(h->info.image_id, "sha256:feed");
	assert_string_equal(h->info.image_digest, "sha256:d1d1");
	assert_string_equal(h->info.runtime, "docker");
	assert_string_equal(h->info.user, "www");
	assert_string_equal(h->info.hostname, "h");
	assert_string_equal(h->info.pod_name, "p");
	assert_string_equal(h->info.rootfs, "/r");
	assert_string_equal(h->info.seccomp, "unconfined");
	assert_true(has(h->info.labels, h->info.nr_labels, "a=b"));
	assert_int_equal(h->info.nr_networks, 2);
	assert_string_equal(h->info.networks[0].name, "front");
	assert_string_equal(h->info.networks[0].ipv4, "172.18.0.2");
	assert_string_equal(h->info.networks[0].ipv6, "fd00::2");
	assert_string_equal(h->info.networks[0].mac, "02:42:ac:12:00:02");
	assert_string_equal(h->info.networks[1].name, "back");
	assert_null(h->info.networks[1].ipv4);
	assert_int_equal(h->info.init_pid, 42);
	assert_true(h->info.caps_known);
	assert_true(h->info.caps == (1ULL << 0 | 1ULL << 39));
	assert_int_equal(h->info.nr_cgroups, 2);
	m = mount_at(&h->info, "/data");
	assert_string_equal(m->type, "volume");
	assert_string_equal(m->name, "vol");
	assert_true(m->rw);
	m = mount_at(&h->info, "/b");
	assert_string_equal(m->type, "bind");
	assert_null(m->name);
	assert_false(m->rw);
	m = mount_at(&h->info, "/t");
	assert_string_equal(m->type, "tmpfs");
	assert_false(m->rw);

	/* by its id, by a child, by the path in another hierarchy, and not by another's path */
	assert_int_equal(look(h, NULL, A), 0);
	assert_int_equal(look(h, "/docker/" A "/init/x", NULL), 0);
	assert_int_equal(look(h, "/x/docker/" A, NULL), 0);
	assert_int_equal(look(h, "/docker/" B, NULL), -ENOENT);
	assert_int_equal(look(h, "/docker/" B, A), -ENOENT);
	/* what a container's root could make up: the id of somebody else */
	assert_int_equal(look(h, "/docker/" B "/docker/" A, NULL), -ENOENT);
}

static void test_docker_stopped(void **state)
{
	struct host *h = *state;

	put_docker(h, "/var/lib/docker");
	/* its runc state has gone: believed where only dockerd could have made the path */
	assert_int_equal(look(h, "/system.slice/docker-" A ".scope", NULL), 0);
	assert_string_equal(h->info.name, "web");
	assert_string_equal(h->info.seccomp, "default");
	assert_int_equal(h->info.init_pid, 0);
	assert_int_equal(look(h, "/docker/" B "/docker/" A, NULL), -ENOENT);
	/* a user's word about the system's container */
	assert_int_equal(look(h,
			      "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" A
			      ".scope",
			      NULL),
			 -ENOENT);
}

static void test_docker_security(void **state)
{
	static const struct {
		const char *host, *seccomp;
		bool privileged;
	} t[] = {
		{"{\"Privileged\":true}", "unconfined", true},
		{"{\"SecurityOpt\":[\"no-new-privileges\",\"seccomp=unconfined\"]}", "unconfined",
		 false},
		{"{\"SecurityOpt\":[\"seccomp={}\"]}", "profile", false},
		{"{\"SecurityOpt\":[\"seccomp=builtin\"]}", "default", false},
		{"{\"SecurityOpt\":null}", "default", false},
		{"{\"SecurityOpt\":[7,{},\"seccomp\"],\"Privileged\":\"yes\",\"Tmpfs\":[1]}",
		 "default", false},
		{"[]", "default", false},
		{"not json", "default", false},
	};
	struct host *h = *state;

	put_docker(h, "/var/lib/docker");
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		put(h, "/var/lib/docker/containers/" A "/hostconfig.json", t[i].host);
		assert_int_equal(look(h, NULL, A), 0);
		assert_string_equal(h->info.seccomp, t[i].seccomp);
		assert_int_equal(h->info.privileged, t[i].privileged);
	}
}

static void test_docker_data_root(void **state)
{
	static const char argv[] = "dockerd\0--data-root\0/own/data\0--exec-root=/own/exec";
	struct host *h = *state;

	put_docker(h, "/own/data");
	assert_int_equal(look(h, "/docker/" A, NULL), -ENOENT);
	/* a process that only calls itself so, in a container */
	put_process(h, 50, "dockerd\n", argv, sizeof(argv), "0::/docker/" B "\n");
	assert_int_equal(look(h, "/docker/" A, NULL), -ENOENT);
	put_process(h, 50, "dockerd\n", argv, sizeof(argv), "0::/system.slice/docker.service\n");
	put(h, "/own/exec/runtime-runc/moby/" A "/state.json",
	    STATE(A, "\"\":\"/sys/fs/cgroup/docker/" A "\""));
	assert_int_equal(look(h, "/docker/" A, NULL), 0);
	assert_string_equal(h->info.rootfs, "/r");
	h->paths.no_proc_scan = true;
	assert_int_equal(look(h, "/docker/" A, NULL), -ENOENT);
	put(h, "/etc/docker/daemon.json", "{\"data-root\":\"/own/data/\",\"exec-root\":5}");
	assert_int_equal(look(h, "/docker/" A, NULL), 0);
	assert_null(h->info.rootfs);
	/* --userns-remap */
	put(h, "/etc/docker/daemon.json", "{\"data-root\":\"/remap\"}");
	put_docker(h, "/remap/165536.165536");
	assert_int_equal(look(h, "/docker/" A, NULL), 0);
}

#define NS_PER_S 1000000000ULL

/* A dockerd whose data is somewhere else each time: container number @i is found if processes were asked anew. */
static bool asked_anew(struct host *h, int i)
{
	char argv[64], path[128], config[128], id[65];
	int n = snprintf(argv, sizeof(argv), "dockerd%c--data-root%c/own/%d", 0, 0, i) + 1;

	snprintf(id, sizeof(id), "%064x", (unsigned int)i);
	snprintf(path, sizeof(path), "/own/%d/containers/%s/config.v2.json", i, id);
	snprintf(config, sizeof(config), "{\"ID\":\"%s\",\"Name\":\"/web\"}", id);
	put(h, path, config);
	put_process(h, 50, "dockerd\n", argv, (size_t)n, "0::/system.slice/docker.service\n");
	snprintf(path, sizeof(path), "/docker/%s", id);
	return !look(h, path, NULL);
}

static void test_walks_are_bounded(void **state)
{
	static const char argv[] = "dockerd\0--data-root\0/own/data";
	struct runtime_walks walks = {.now = 5 * NS_PER_S};
	struct host *h = *state;
	int walked = 0, i = 0;

	h->paths.walks = &walks;
	/* containers that nobody knows, a hundred a second for ten seconds */
	for (; i < 1000; i++, walks.now += NS_PER_S / 100)
		walked += asked_anew(h, i);
	assert_in_range(walked, 10, 10 + 20);
	assert_false(asked_anew(h, i++));
	walks.now += NS_PER_S;
	assert_true(asked_anew(h, i++));
	/* what was told is good for a second, without another walk, and longer than its teller for no more */
	walks.now += NS_PER_S;
	put_docker(h, "/own/data");
	put_process(h, 50, "dockerd\n", argv, sizeof(argv), "0::/system.slice/docker.service\n");
	assert_int_equal(look(h, "/docker/" A, NULL), 0);
	put_process(h, 50, "sh\n", argv, sizeof(argv), "0::/system.slice/docker.service\n");
	assert_int_equal(look(h, "/docker/" A, NULL), 0);
	walks.now += NS_PER_S;
	assert_int_equal(look(h, "/docker/" A, NULL), -ENOENT);
	/* a clock that was ahead is no reason to ask more, or never again */
	walks.now -= NS_PER_S / 2;
	assert_false(asked_anew(h, i++));
	walks.now += 2 * NS_PER_S;
	assert_true(asked_anew(h, i++));
	runtime_walks_free(&walks);
	h->paths.walks = NULL;
}

static void test_runc(void **state)
{
	struct host *h = *state;

	put(h, "/run/runc/web/state.json",
	    STATE("web",
		  "\"\":\"/sys/fs/cgroup/unified/foo\",\"pids\":\"/sys/fs/cgroup/pids/deep/foo\""));
	put(h, "/run/runc/inner/state.json", STATE("inner", "\"\":\"/sys/fs/cgroup/foo/bar\""));
	put(h, "/b/web/config.json", BUNDLE);
	put_process(h, 42, "sh\n", "", 0, "0::/foo\n");
	assert_int_equal(look(h, "/foo", NULL), 0);
	assert_string_equal(h->info.id, "web");
	assert_string_equal(h->info.runtime, "runc");
	assert_string_equal(h->info.user, "5:6");
	assert_string_equal(h->info.hostname, "h2");
	assert_string_equal(h->info.bundle, "/b/web");
	assert_true(has(h->info.labels, h->info.nr_labels, "x=y=z"));
	assert_true(has(h->info.labels, h->info.nr_labels, "note=n"));
	assert_int_equal(h->info.nr_mounts, 1);
	assert_string_equal(mount_at(&h->info, "/m")->type, "bind");
	assert_false(mount_at(&h->info, "/m")->rw);
	assert_int_equal(look(h, "/deep/foo/child", NULL), 0);
	assert_string_equal(h->info.id, "web");
	assert_int_equal(look(h, "/foo/bar/x", NULL), 0);
	assert_string_equal(h->info.id, "inner");
	assert_int_equal(look(h, "/foobar", NULL), -ENOENT);
	assert_int_equal(look(h, "/f", NULL), -ENOENT);
	assert_int_equal(look(h, "/", NULL), -ENOENT);
	/* a hint that is wrong does not hide the one who is there */
	assert_int_equal(look(h, "/foo", "nobody"), 0);
	assert_string_equal(h->info.id, "web");
	assert_int_equal(look(h, "/foo (deleted)", NULL), 0);
}

static int created(struct host *h, const char *cgroup, int pid)
{
	container_info_free(&h->info);
	return runtime_creator(&h->paths, cgroup, pid, &h->info);
}

#define BUNDLE_AT(path)                                                                            \
	"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},"                                \
	"\"annotations\":{\"app\":\"x\"},\"linux\":{\"cgroupsPath\":\"" path "\"}}"

/* What the process that made a cgroup says, before there is any state. */
static void test_creator(void **state)
{
	static const char run[] = "runc\0--root\0/own\0run\0--bundle\0/b/web\0web";
	static const char here[] = "/usr/bin/crun\0create\0web";
	static const char exec[] = "runc\0exec\0web";
	static const char odd[] = "runc\0run\0../web";
	struct host *h = *state;
	char link[PATH_MAX];

	put(h, "/b/web/config.json", BUNDLE_AT("/x/web"));
	put_process(h, 60, "runc\n", run, sizeof(run), "0::/\n");
	assert_int_equal(created(h, "/x/web", 60), 0);
	assert_string_equal(h->info.id, "web");
	assert_string_equal(h->info.runtime, "runc");
	assert_string_equal(h->info.bundle, "/b/web");
	assert_true(has(h->info.labels, h->info.nr_labels, "app=x"));
	/* the directory above is not it, nor is what is called alike */
	assert_int_equal(created(h, "/x", 60), -ENOENT);
	assert_int_equal(created(h, "/y/x/web", 60), -ENOENT);
	assert_int_equal(created(h, "/x/web/sub", 60), -ENOENT);
	/* relative to where the runtime is, or nowhere */
	put(h, "/b/web/config.json", BUNDLE_AT("web"));
	assert_int_equal(created(h, "/system.slice/web", 60), 0);
	assert_int_equal(created(h, "/system.slice/cobweb", 60), -ENOENT);
	put(h, "/b/web/config.json", BUNDLE);
	assert_int_equal(created(h, "/own/web", 60), 0);
	assert_int_equal(created(h, "/own/bew", 60), -ENOENT);
	/* the bundle is where it stands */
	put_process(h, 61, "crun\n", here, sizeof(here), "0::/\n");
	assert_int_equal(created(h, "/web", 61), -ENOENT);
	snprintf(link, sizeof(link), "%s/proc/61/cwd", h->root);
	assert_int_equal(symlink("/b/web", link), 0);
	assert_int_equal(created(h, "/web", 61), 0);
	assert_string_equal(h->info.runtime, "crun");
	/* called after the descriptor that it was executed by */
	put_process(h, 68, "3\n", here, sizeof(here), "0::/\n");
	snprintf(link, sizeof(link), "%s/proc/68/cwd", h->root);
	assert_int_equal(symlink("/b/web", link), 0);
	assert_int_equal(created(h, "/web", 68), 0);
	assert_string_equal(h->info.runtime, "crun");
	put_uid(h, 68, 1234);
	assert_int_equal(created(h, "/web", 68), -ENOENT);
	/* anybody else */
	put_process(h, 62, "runc\n", exec, sizeof(exec), "0::/\n");
	assert_int_equal(created(h, "/web", 62), -ENOENT);
	put_process(h, 63, "bash\n", run, sizeof(run), "0::/\n");
	assert_int_equal(created(h, "/x/web", 63), -ENOENT);
	put_process(h, 64, "runc\n", run, sizeof(run), "0::/docker/" B "\n");
	assert_int_equal(created(h, "/x/web", 64), -ENOENT);
	put_process(h, 65, "runc\n", odd, sizeof(odd), "0::/\n");
	assert_int_equal(created(h, "/x/web", 65), -ENOENT);
	put_process(h, 66, "runc\n", "", 0, "0::/\n");
	assert_int_equal(created(h, "/x/web", 66), -ENOENT);
	put_process(h, 67, "runc\n", run, sizeof(run), "0::/\n");
	put(h, "/b/web/config.json", BUNDLE_AT("/x/web"));
	assert_int_equal(created(h, "/x/web", 67), 0);
	/* a user's process, which not being dumpable makes look like root's in /proc */
	put_uid(h, 67, 1234);
	assert_int_equal(created(h, "/x/web", 67), -ENOENT);
	assert_int_equal(created(h, "/x/web", 4000000), -ENOENT);
	assert_int_equal(created(h, "x", 60), -ENOENT);
	assert_int_equal(created(h, "/x/web", 0), -ENOENT);
}

/* The files of a seed of fuzz_runtime, each to its place: see there. */
static void put_seed(const struct host *h, const char *name)
{
	static const struct {
		char letter;
		const char *path;
	} places[] = {
		{'D', "/var/lib/docker/containers/" A "/config.v2.json"},
		{'H', "/var/lib/docker/containers/" A "/hostconfig.json"},
		{'I', "/var/lib/docker/image/vfs/repositories.json"},
		{'S', DOCKER_RUN A "/state.json"},
		{'R', "/run/runc/web/state.json"},
		{'B', "/b/web/config.json"},
		{'G', "/proc/42/cgroup"},
		{'Z', "/proc/42/stat"},
	};
	char path[256], text[32768];
	char *save = NULL;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/fuzz_runtime/%s", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: run the tests from the top directory", path);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	for (char *p = strtok_r(text, "\x1e", &save); p; p = strtok_r(NULL, "\x1e", &save))
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			if (places[i].letter == *p)
				put(h, places[i].path, p + 1);
}

/* What dockerd 20.10 wrote, and what `docker inspect` said of the container. */
static void test_real_docker(void **state)
{
	struct host *h = *state;

	put_seed(h, "docker");
	assert_int_equal(look(h, "/docker/" A, NULL), 0);
	assert_non_null(strstr(h->info.name, "ebpfmon-live-"));
	assert_string_equal(h->info.image, "ebpfmon-live:1");
	assert_string_equal(
		h->info.image_id,
		"sha256:5a52b19b18ed39b5aa1e68bb2f48ce9a3c59de052b0b5c089d28af42b70ae4c4");
	assert_null(h->info.image_digest); /* imported: no registry has it */
	assert_string_equal(h->info.user, "7:8");
	assert_string_equal(h->info.hostname, "2895b90dd032");
	assert_string_equal(h->info.seccomp, "unconfined");
	assert_true(has(h->info.labels, h->info.nr_labels, "app=live"));
	assert_int_equal(h->info.nr_labels, 1);
	assert_string_equal(mount_at(&h->info, "/data")->name, "vol1");
	assert_string_equal(mount_at(&h->info, "/host")->source, "/tmp");
	assert_false(mount_at(&h->info, "/host")->rw);
	assert_string_equal(mount_at(&h->info, "/work")->type, "tmpfs");
	assert_int_equal(h->info.nr_networks, 1);
	assert_string_equal(h->info.networks[0].name, "none");
	assert_null(h->info.networks[0].ipv4);
	assert_int_equal(h->info.init_pid, 42);
	assert_int_equal(__builtin_popcountll(h->info.caps), 37);
	assert_false(h->info.privileged);
	assert_int_equal(h->info.nr_cgroups, 1);
}

/* runc 1.1.5's, of a bundle made by hand. */
static void test_real_runc(void **state)
{
	struct host *h = *state;

	put_seed(h, "runc");
	assert_int_equal(look(h, "/x/web", NULL), 0);
	assert_string_equal(h->info.id, "web");
	assert_string_equal(h->info.runtime, "runc");
	assert_string_equal(h->info.bundle, "/b/web");
	assert_true(h->info.readonly_root);
	assert_int_equal(h->info.init_pid, 42);
	assert_true(has(h->info.labels, h->info.nr_labels, "app=live"));
	assert_int_equal(mount_at(&h->info, "/tmp")->rw, true);
}

static void test_runc_root_option(void **state)
{
	static const char argv[] = "runc\0--root\0/own/runc\0run\0web";
	struct host *h = *state;

	put(h, "/own/runc/web/state.json", STATE("web", "\"\":\"/sys/fs/cgroup/foo\""));
	assert_int_equal(look(h, "/foo", NULL), -ENOENT);
	put_process(h, 60, "runc\n", argv, sizeof(argv), "0::/\n");
	assert_int_equal(look(h, "/foo", NULL), 0);
	assert_string_equal(h->info.runtime, "runc");
	put_process(h, 60, "12\n", argv, sizeof(argv), "0::/\n");
	assert_int_equal(look(h, "/foo", NULL), 0);
}

/* The same, at work for containerd: who is seen first does not say whose it is. */
static void test_runc_of_containerd(void **state)
{
	static const char argv[] =
		"runc\0--root\0/own/runc/live\0--log\0/own/io.containerd.runtime.v2.task/live/web/log.json"
		"\0create\0--bundle\0/own/io.containerd.runtime.v2.task/live/web\0web";
	struct host *h = *state;

	put(h, "/own/runc/live/web/state.json", STATE("web", "\"\":\"/sys/fs/cgroup/foo\""));
	put_process(h, 60, "runc\n", argv, sizeof(argv), "0::/\n");
	assert_int_equal(look(h, "/foo", NULL), 0);
	assert_string_equal(h->info.runtime, "containerd");
}

static void test_crun(void **state)
{
	struct host *h = *state;

	put(h, "/run/crun/web/status",
	    "{\"pid\":42,\"process-start-time\":777,"
	    "\"cgroup-path\":\"/system.slice/crun-web.scope\","
	    "\"rootfs\":\"/r\",\"bundle\":\"/b/web\"}");
	put(h, "/b/web/config.json", BUNDLE);
	put_process(h, 42, "sh\n", "", 0, "0::/system.slice/crun-web.scope\n");
	assert_int_equal(look(h, "/system.slice/crun-web.scope/x", NULL), 0);
	assert_string_equal(h->info.runtime, "crun");
	assert_string_equal(h->info.seccomp, "profile");
	assert_string_equal(h->info.rootfs, "/r");
	assert_int_equal(h->info.init_pid, 42);
}

static void test_containerd(void **state)
{
	struct host *h = *state;
	const struct container_mount *m;

	put(h, TASKS "/k8s.io/" A "/config.json",
	    "{\"ociVersion\":\"1.1.0\",\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
	    "\"annotations\":{\"io.kubernetes.cri.container-type\":\"container\","
	    "\"io.kubernetes.cri.container-name\":\"app\","
	    "\"io.kubernetes.cri.image-name\":\"docker.io/library/nginx:1\","
	    "\"io.kubernetes.cri.sandbox-name\":\"web-0\","
	    "\"io.kubernetes.cri.sandbox-namespace\":\"prod\","
	    "\"io.kubernetes.cri.sandbox-uid\":\"" POD "\"},"
	    "\"mounts\":[{\"destination\":\"/cfg\",\"type\":\"bind\",\"source\":"
	    "\"/var/lib/kubelet/pods/" POD "/volumes/kubernetes.io~configmap/settings\","
	    "\"options\":[\"rbind\",\"rro\"]}],\"linux\":{\"cgroupsPath\":"
	    "\"kubepods-pod" POD_ ".slice:cri-containerd:" A "\"}}");
	put(h, TASKS "/k8s.io/" A "/init.pid", "42");
	put_process(h, 42, "nginx\n", "", 0, "0::" POD_PATH "cri-containerd-" A ".scope\n");
	assert_int_equal(look(h, POD_PATH "cri-containerd-" A ".scope", NULL), 0);
	assert_string_equal(h->info.name, "app");
	assert_string_equal(h->info.image, "docker.io/library/nginx:1");
	assert_string_equal(h->info.pod_name, "web-0");
	assert_string_equal(h->info.pod_namespace, "prod");
	assert_string_equal(h->info.pod_uid, POD);
	assert_string_equal(h->info.runtime, "containerd");
	assert_string_equal(h->info.bundle, TASKS "/k8s.io/" A);
	assert_string_equal(h->info.rootfs, TASKS "/k8s.io/" A "/rootfs");
	assert_true(h->info.readonly_root);
	assert_false(h->info.sandbox);
	assert_int_equal(h->info.init_pid, 42);
	m = mount_at(&h->info, "/cfg");
	assert_string_equal(m->type, "volume");
	assert_string_equal(m->name, "settings");
	assert_false(m->rw);
	/* ctr run NAME: told by no path, but by its bundle */
	put(h, TASKS "/default/mine/config.json",
	    "{\"ociVersion\":\"1.1.0\",\"linux\":{\"cgroupsPath\":\"/default/mine\"}}");
	assert_int_equal(look(h, "/default/mine", NULL), 0);
	assert_string_equal(h->info.id, "mine");
}

static void test_podman(void **state)
{
	static const char store[] = "/var/lib/containers/storage/overlay-containers/";
	struct host *h = *state;
	char path[256];

	snprintf(path, sizeof(path), "%scontainers.json", store);
	put(h, path,
	    "[{\"id\":\"" B "\",\"names\":[\"other\"]},7,{\"id\":\"" A "\",\"names\":[\"db\"],"
	    "\"image\":\"cafe\",\"metadata\":"
	    "\"{\\\"image-name\\\":\\\"docker.io/postgres:16\\\"}\"}]");
	snprintf(path, sizeof(path), "%s" A "/userdata/config.json", store);
	put(h, path,
	    "{\"ociVersion\":\"1.1.0\",\"annotations\":{\"io.container.manager\":\"libpod\"},"
	    "\"mounts\":[{\"destination\":\"/data\",\"type\":\"bind\",\"source\":"
	    "\"/var/lib/containers/storage/volumes/pg/_data\",\"options\":[\"rbind\"]}]}");
	put(h, "/run/containers/storage/overlay-containers/" A "/userdata/pidfile", "42\n");
	put_process(h, 42, "postgres\n", "", 0, "0::/machine.slice/libpod-" A ".scope/container\n");
	assert_int_equal(look(h, "/machine.slice/libpod-" A ".scope/container", NULL), 0);
	assert_string_equal(h->info.name, "db");
	assert_string_equal(h->info.image, "docker.io/postgres:16");
	assert_string_equal(h->info.image_id, "cafe");
	assert_null(h->info.image_digest);
	put(h, "/var/lib/containers/storage/overlay-images/images.json",
	    "[7,{\"id\":\"bad\",\"digest\":\"sha256:bad\"},{\"id\":\"cafe\",\"digest\":\"sha256:d1\"}]");
	assert_int_equal(look(h, "/machine.slice/libpod-" A ".scope/container", NULL), 0);
	assert_string_equal(h->info.image_digest, "sha256:d1");
	assert_string_equal(h->info.runtime, "podman");
	assert_string_equal(mount_at(&h->info, "/data")->name, "pg");
	assert_int_equal(h->info.init_pid, 42);
	put(h, "/var/lib/containers/storage/overlay-containers/containers.json", "[{\"id\":");
	assert_int_equal(look(h, NULL, A), 0);
	assert_null(h->info.name);
}

static void test_podman_scope_of_proc(void **state)
{
	struct host *h = *state;

	/* /proc names crun's child cgroup: the scope above it is the container's too */
	put(h, "/run/containers/storage/overlay-containers/" A "/userdata/pidfile", "42\n");
	put_process(h, 42, "x\n", "", 0, "0::/machine.slice/libpod-" A ".scope/container\n");
	assert_int_equal(look(h, "/machine.slice/libpod-" A ".scope", NULL), 0);
}

static void test_crio(void **state)
{
	struct host *h = *state;

	put(h, "/run/containers/storage/overlay-containers/" A "/userdata/config.json",
	    "{\"ociVersion\":\"1.1.0\",\"annotations\":{\"io.container.manager\":\"cri-o\","
	    "\"io.kubernetes.cri-o.ContainerType\":\"sandbox\","
	    "\"io.kubernetes.container.name\":\"POD\","
	    "\"io.kubernetes.pod.name\":\"web\",\"io.kubernetes.pod.namespace\":\"ns\","
	    "\"io.kubernetes.pod.uid\":\"" POD "\",\"io.kubernetes.cri-o.ImageName\":\"pause:3\","
	    "\"io.kubernetes.cri-o.Labels\":\"{}\"}}");
	assert_int_equal(look(h, POD_PATH "crio-" A ".scope", NULL), 0);
	assert_string_equal(h->info.runtime, "cri-o");
	assert_string_equal(h->info.name, "POD");
	assert_string_equal(h->info.image, "pause:3");
	assert_string_equal(h->info.pod_name, "web");
	assert_true(h->info.sandbox);
	assert_false(has(h->info.labels, h->info.nr_labels, "io.kubernetes.cri-o.Labels={}"));
}

static void test_lxc(void **state)
{
	struct host *h = *state;

	put(h, "/var/lib/lxc/web/config",
	    "# comment = no\nlxc.uts.name = web-host\n"
	    "lxc.rootfs.path=dir:/var/lib/lxc/web/rootfs \n"
	    "lxc.mount.entry = /srv srv none bind,ro 0 0\nlxc.mount.entry = proc proc proc x 0 0\n"
	    "nonsense\n=\n\nlxc.mount.entry\n");
	assert_int_equal(look(h, "/lxc.payload.web/init.scope", NULL), 0);
	assert_string_equal(h->info.runtime, "lxc");
	assert_string_equal(h->info.name, "web");
	assert_string_equal(h->info.hostname, "web-host");
	assert_string_equal(h->info.rootfs, "/var/lib/lxc/web/rootfs");
	assert_int_equal(h->info.nr_mounts, 1);
	assert_false(mount_at(&h->info, "/srv")->rw);
	assert_int_equal(look(h, "/lxc.payload.other", NULL), -ENOENT);
	/* its second cgroup of that name; but a container may be called so, too */
	assert_int_equal(look(h, "/lxc.payload.web-1", NULL), 0);
	assert_string_equal(h->info.id, "web");
	put(h, "/var/lib/lxc/web-1/config", "lxc.uts.name = other\n");
	assert_int_equal(look(h, "/lxc.payload.web-1", NULL), 0);
	assert_string_equal(h->info.id, "web-1");
	assert_int_equal(look(h, "/lxc.payload.web-x", NULL), -ENOENT);
	assert_int_equal(look(h, "/lxc.payload.web-", NULL), -ENOENT);
}

static void test_nspawn(void **state)
{
	struct host *h = *state;

	put(h, "/run/systemd/machines/deb",
	    "# private\nNAME=deb\nSERVICE=systemd-nspawn\nROOT=/var/lib/machines/deb\nLEADER=42\n"
	    "CLASS=container\n");
	put_process(h, 42, "systemd\n", "", 0, "0::/machine.slice/machine-deb.scope/payload\n");
	assert_int_equal(look(h, "/machine.slice/machine-deb.scope/payload/x", NULL), 0);
	assert_string_equal(h->info.runtime, "systemd-nspawn");
	assert_string_equal(h->info.rootfs, "/var/lib/machines/deb");
	assert_int_equal(h->info.init_pid, 42);
	put(h, "/run/systemd/machines/vm", "NAME=vm\nCLASS=vm\nLEADER=42\n");
	assert_int_equal(look(h, "/machine.slice/machine-vm.scope", NULL), -ENOENT);
}

static void test_rootless(void **state)
{
	struct host *h = *state;
	char cgroup[512], path[256], text[1024], full[PATH_MAX], to[PATH_MAX];

	snprintf(text, sizeof(text), "me:x:%ld:%ld::/home/me:/bin/sh\n", h->user, h->user);
	put(h, "/etc/passwd", text);
	snprintf(cgroup, sizeof(cgroup),
		 "/user.slice/user-%ld.slice/user@%ld.service/user.slice/libpod-" A ".scope",
		 h->user, h->user);
	assert_int_equal(look(h, cgroup, NULL), -ENOENT);
	put_users(h, "/home/me/.local/share/containers/storage/overlay-containers/containers.json",
		  "[{\"id\":\"" A "\",\"names\":[\"mine\"]}]");
	assert_int_equal(look(h, cgroup, NULL), 0);
	assert_string_equal(h->info.name, "mine");
	/* his files are no witness for the system's cgroups */
	assert_int_equal(look(h, "/machine.slice/libpod-" A ".scope", NULL), -ENOENT);
	snprintf(path, sizeof(path), "/run/user/%ld/crun/evil/status", h->user);
	put_users(h, path, "{\"pid\":42,\"cgroup-path\":\"/system.slice\"}");
	assert_int_equal(look(h, "/system.slice/x.service", NULL), -ENOENT);
	snprintf(cgroup, sizeof(cgroup), "/user.slice/user-%ld.slice/user@%ld.service/foo", h->user,
		 h->user);
	assert_int_equal(look(h, cgroup, NULL), -ENOENT);
	snprintf(text, sizeof(text), "{\"pid\":42,\"cgroup-path\":\"%s\"}", cgroup);
	put_users(h, path, text);
	assert_int_equal(look(h, cgroup, NULL), 0);
	assert_string_equal(h->info.runtime, "crun");
	/* links that he placed are not followed: neither of the file nor of a directory above it */
	host_path(h, path, full);
	assert_int_equal(unlink(full), 0);
	host_path(h, "/secret/status", to);
	put_users(h, "/secret/status", text);
	assert_int_equal(symlink(to, full), 0);
	assert_int_equal(look(h, cgroup, NULL), -ENOENT);
	assert_int_equal(unlink(full), 0);
	*strrchr(full, '/') = '\0';
	assert_int_equal(rmdir(full), 0);
	*strrchr(to, '/') = '\0';
	assert_int_equal(symlink(to, full), 0);
	assert_int_equal(look(h, cgroup, NULL), -ENOENT);
}

static void test_hostile_arguments(void **state)
{
	static const char *const ids[] = {"", ".", "..", "../x", "a/b", "/etc", "a b", "a\n"};
	struct host *h = *state;
	char path[5000];

	put(h, "/var/lib/docker/containers/x/config.v2.json", "{\"ID\":\"../x\"}");
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		assert_int_equal(look(h, "/docker/" A, ids[i]), -EINVAL);
	assert_int_equal(look(h, NULL, NULL), -EINVAL);
	assert_int_equal(look(h, "", NULL), -EINVAL);
	assert_int_equal(look(h, "relative", NULL), -EINVAL);
	assert_int_equal(look(h, "/a/../b", NULL), -EINVAL);
	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(look(h, path, NULL), -EINVAL);
	assert_null(h->info.id);
}

static void test_hostile_files(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"null",
		"7",
		"\"x\"",
		"[]",
		"{}",
		"{\"ID\":7}",
		"{\"ID\":\"" B "\"}",
		"{\"ID\":\"" A "\"",
		"\xff\xfe",
		"{\"ID\":null,\"State\":[]}",
	};
	static const char config[] = "/var/lib/docker/containers/" A "/config.v2.json";
	struct host *h = *state;
	char full[PATH_MAX], to[PATH_MAX];
	char *big;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put(h, config, texts[i]);
		assert_int_equal(look(h, "/docker/" A, NULL), -ENOENT);
	}
	/* wrong types everywhere, but its own id */
	put(h, config,
	    "{\"ID\":\"" A "\",\"Name\":[],\"Config\":7,\"State\":{\"Running\":true,\"Pid\":1e99},"
	    "\"MountPoints\":[1,{},{\"Destination\":\"\"}],"
	    "\"NetworkSettings\":\"x\",\"Image\":{}}");
	assert_int_equal(look(h, "/docker/" A, NULL), 0);
	assert_null(h->info.name);
	assert_int_equal(h->info.init_pid, 0);
	/* nesting that would exhaust a careless parser's stack */
	big = malloc(6 << 20);
	assert_non_null(big);
	memset(big, '[', 3 << 20);
	put_n(h, config, big, 3 << 20);
	assert_int_equal(look(h, "/docker/" A, NULL), -ENOENT);
	/* valid, but over 4 MiB */
	memset(big, ' ', 6 << 20);
	memcpy(big, CONFIG_V2(A), sizeof(CONFIG_V2(A)) - 1);
	put_n(h, config, big, 4 << 20);
	assert_int_equal(look(h, "/docker/" A, NULL), 0);
	put_n(h, config, big, (4 << 20) + 1);
	assert_int_equal(look(h, "/docker/" A, NULL), -ENOENT);
	free(big);
	/* a FIFO would block whoever opens it, a link leads elsewhere, a directory is no file */
	host_path(h, config, full);
	assert_int_equal(unlink(full), 0);
	assert_int_equal(mkfifo(full, 0600), 0);
	assert_int_equal(look(h, "/docker/" A, NULL), -ENOENT);
	assert_int_equal(unlink(full), 0);
	put(h, "/elsewhere", CONFIG_V2(A));
	host_path(h, "/elsewhere", to);
	assert_int_equal(symlink(to, full), 0);
	assert_int_equal(look(h, "/docker/" A, NULL), -ENOENT);
	assert_int_equal(unlink(full), 0);
	assert_int_equal(mkdir(full, 0700), 0);
	assert_int_equal(look(h, "/docker/" A, NULL), -ENOENT);
}

static void test_lying_states(void **state)
{
	struct host *h = *state;

	/* the whole host, a relative path, another's id, a path that climbs */
	put(h, "/run/runc/all/state.json",
	    STATE("all", "\"\":\"/sys/fs/cgroup\",\"a\":\"/sys/fs/cgroup/a/\""));
	put(h, "/run/runc/rel/state.json",
	    STATE("rel", "\"\":\"foo\",\"x\":7,\"y\":\"/sys/fs/cgroupfoo\""));
	put(h, "/run/runc/lie/state.json", STATE("other", "\"\":\"/sys/fs/cgroup/foo\""));
	put(h, "/run/runc/up/state.json", STATE("up", "\"\":\"/sys/fs/cgroup/x/../foo\""));
	put(h, "/run/crun/all/status", "{\"pid\":42,\"cgroup-path\":\"/\"}");
	assert_int_equal(look(h, "/foo", NULL), -ENOENT);
	assert_int_equal(look(h, "/x/../foo", NULL), -EINVAL);
	assert_int_equal(look(h, "/", NULL), -ENOENT);
}

static void test_lists_are_bounded(void **state)
{
	struct host *h = *state;
	size_t size = 1 << 20, n;
	char *text = malloc(size);

	assert_non_null(text);
	n = (size_t)snprintf(text, size, "{\"ID\":\"" A "\",\"Config\":{\"Labels\":{");
	for (int i = 0; i < 5000; i++)
		n += (size_t)snprintf(text + n, size - n, "\"k%d\":\"v\",", i);
	n += (size_t)snprintf(text + n, size - n, "\"last\":\"");
	memset(text + n, 'x', 10000);
	n += 10000;
	n += (size_t)snprintf(text + n, size - n, "\"}}}");
	put_n(h, "/var/lib/docker/containers/" A "/config.v2.json", text, n);
	assert_int_equal(look(h, NULL, A), 0);
	assert_int_equal(h->info.nr_labels, 512);
	free(text);
}

struct listed {
	int n, ended, stop_at;
	char ids[8][129];
};

static int note(struct container_info *info, void *arg)
{
	struct listed *l = arg;

	if (!info->init_pid) {
		l->ended++;
		return 0;
	}
	assert_true(l->n < 8);
	strcpy(l->ids[l->n++], info->id);
	return l->n == l->stop_at ? -E2BIG : 0;
}

static void test_list(void **state)
{
	struct host *h = *state;
	struct listed l = {.n = 0};
	char text[256];

	assert_int_equal(runtime_list(&h->paths, note, &l), 0);
	assert_int_equal(l.n, 0);
	/* one container, known to three places */
	put_docker(h, "/var/lib/docker");
	put(h, DOCKER_RUN A "/state.json", STATE(A, "\"\":\"/sys/fs/cgroup/docker/" A "\""));
	put(h, TASKS "/moby/" A "/config.json", BUNDLE);
	/* two of the same name, one that has ended, one whose pid is another's now */
	put(h, "/run/runc/web/state.json", STATE("web", "\"\":\"/sys/fs/cgroup/foo\""));
	put(h, "/run/crun/web/status", "{\"pid\":43}");
	put(h, "/run/crun/dead/status", "{\"pid\":44}");
	put(h, "/run/crun/reused/status", "{\"pid\":42,\"process-start-time\":776}");
	put(h, "/run/systemd/machines/deb", "NAME=deb\nCLASS=container\nLEADER=43\n");
	put(h, "/var/lib/lxc/off/config", "lxc.uts.name = off\n");
	put_process(h, 42, "x\n", "", 0, "0::/docker/" A "\n");
	put_process(h, 43, "x\n", "", 0, "0::/y\n");
	snprintf(text, sizeof(text), "/run/user/%ld/crun/mine/status", h->user);
	put_users(h, text, "{\"pid\":43,\"cgroup-path\":\"/system.slice\"}");
	assert_int_equal(runtime_list(&h->paths, note, &l), 0);
	assert_int_equal(l.n, 5);
	assert_string_equal(l.ids[0], A);
	assert_string_equal(l.ids[1], "web");
	assert_string_equal(l.ids[2], "web");
	assert_string_equal(l.ids[3], "deb");
	assert_string_equal(l.ids[4], "mine");
	assert_int_equal(l.ended, 3); /* dead, reused, off */
	l = (struct listed){.stop_at = 2};
	assert_int_equal(runtime_list(&h->paths, note, &l), -E2BIG);
	assert_int_equal(l.n, 2);
}

struct counted {
	int users, others;
};

static int count(struct container_info *info, void *arg)
{
	struct counted *c = arg;

	if (!info->init_pid)
		return 0;
	if (!strncmp(info->id, "many-", 5))
		c->users++;
	else
		c->others++;
	return 0;
}

/* A user who has more, or longer, files than anybody needs keeps nobody busy, and hides no one else. */
static void test_user_floods(void **state)
{
	static const char status[] = "{\"pid\":42,\"cgroup-path\":\"/x\"}";
	const size_t size = 3 << 20;
	struct host *h = *state;
	struct counted c = {.users = 0};
	char path[256], *big = malloc(size);

	assert_non_null(big);
	put_process(h, 42, "x\n", "", 0, "0::/x\n");
	put(h, "/run/crun/web/status", status);
	for (int i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "/run/user/%ld/crun/many-%d/status", h->user, i);
		put_users(h, path, status);
	}
	assert_int_equal(runtime_list(&h->paths, count, &c), 0);
	assert_in_range(c.users, 500, 2048);
	assert_int_equal(c.others, 1);
	/* 60 MiB of them */
	memset(big, ' ', size);
	memcpy(big, status, sizeof(status) - 1);
	for (int i = 0; i < 5000; i++) {
		char full[PATH_MAX];

		snprintf(path, sizeof(path), "/run/user/%ld/crun/many-%d/status", h->user, i);
		host_path(h, path, full);
		if (i < 20)
			put_n(h, path, big, size); /* the owner stays */
		else
			assert_int_equal(unlink(full), 0);
	}
	c = (struct counted){.users = 0};
	assert_int_equal(runtime_list(&h->paths, count, &c), 0);
	assert_in_range(c.users, 1, 6);
	assert_int_equal(c.others, 1);
	free(big);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_docker),
		T(test_docker_stopped),
		T(test_docker_security),
		T(test_docker_data_root),
		T(test_walks_are_bounded),
		T(test_runc),
		T(test_creator),
		T(test_runc_root_option),
		T(test_runc_of_containerd),
		T(test_real_docker),
		T(test_real_runc),
		T(test_crun),
		T(test_containerd),
		T(test_podman),
		T(test_podman_scope_of_proc),
		T(test_crio),
		T(test_lxc),
		T(test_nspawn),
		T(test_rootless),
		T(test_hostile_arguments),
		T(test_hostile_files),
		T(test_lying_states),
		T(test_lists_are_bounded),
		T(test_list),
		T(test_user_floods),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
