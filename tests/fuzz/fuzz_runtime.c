// SPDX-License-Identifier: MIT
/*
 * Any bytes as the runtimes' state files: no crash, no leak, and what comes out keeps the limits that
 * runtime.h promises. The input is several files: a byte 0x1e, a letter that says which file, its
 * content. The same containers are looked for whatever they say.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "container/container.h"
#include "container/runtime.h"
#include "container/select.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define A     "2895b90dd032de3eebd1a81db7ec57373c58e2a6f2d1a2703bea9d3784197356"
#define POD   "/kubepods.slice/kubepods-pod2a1b3c4d_0e5f_4a6b_8c7d_9e0f1a2b3c4d.slice/"
#define STORE "/var/lib/containers/storage/overlay-containers/"

static const struct {
	char letter;
	const char *path;
} files[] = {
	{'D', "/var/lib/docker/containers/" A "/config.v2.json"},
	{'H', "/var/lib/docker/containers/" A "/hostconfig.json"},
	{'I', "/var/lib/docker/image/vfs/repositories.json"},
	{'S', "/run/docker/runtime-runc/moby/" A "/state.json"},
	{'T', "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" A "/config.json"},
	{'R', "/run/runc/web/state.json"},
	{'B', "/b/web/config.json"},
	{'C', "/run/crun/web/status"},
	{'P', STORE "containers.json"},
	{'V', STORE "volatile-containers.json"},
	{'J', "/var/lib/containers/storage/overlay-images/images.json"},
	{'U', STORE A "/userdata/config.json"},
	{'F', STORE A "/userdata/pidfile"},
	{'L', "/var/lib/lxc/web/config"},
	{'M', "/run/systemd/machines/web"},
	{'E', "/etc/docker/daemon.json"},
	{'W', "/etc/passwd"},
	{'X', "/proc/60/cmdline"},
	{'Y', "/proc/60/comm"},
	{'Q', "/proc/60/status"},
	{'K', "/proc/60/cgroup"},
	{'G', "/proc/42/cgroup"},
	{'Z', "/proc/42/stat"},
};

#define NR_FILES (sizeof(files) / sizeof(files[0]))

static char root[] = "/dev/shm/ebpfmon-fuzz.XXXXXX";

static void check(int ok)
{
	if (!ok)
		abort();
}

static void full_path(const char *path, char *full)
{
	snprintf(full, PATH_MAX, "%s%s", root, path);
	for (char *s = full + strlen(root) + 1; (s = strchr(s, '/')); s++) {
		*s = '\0';
		mkdir(full, 0755);
		*s = '/';
	}
}

static void clean(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	if (system(command))
		fprintf(stderr, "%s is left\n", root);
}

static void prepare(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	if (!mkdtemp(root)) {
		memcpy(root, "/tmp", 4); /* no /dev/shm */
		strcpy(root, "/tmp/ebpfmon-fuzz.XXXXXX");
		check(mkdtemp(root) != NULL);
	}
	atexit(clean);
}

static void put(char letter, const uint8_t *content, size_t len)
{
	char full[PATH_MAX];
	FILE *f;

	for (size_t i = 0; i < NR_FILES; i++) {
		if (files[i].letter != letter)
			continue;
		full_path(files[i].path, full);
		f = fopen(full, "w");
		check(f != NULL);
		fwrite(content, 1, len, f);
		fclose(f);
	}
}

static void remove_files(void)
{
	char full[PATH_MAX];

	for (size_t i = 0; i < NR_FILES; i++) {
		snprintf(full, sizeof(full), "%s%s", root, files[i].path);
		unlink(full);
	}
}

static void check_string(const char *s)
{
	check(!s || strlen(s) <= 4096);
}

static int check_info(struct container_info *info, void *arg)
{
	struct container c = {
		.id = info->id, .runtime = info->runtime, .cgroup_path = "/x", .info = *info};
	static const char *const patterns[] = {
		"web",	     "2895",	    "image:n*", "image:sha256:5a52b19b",
		"label:app", "label:app=*", "pod:*/*",	"runtime:docker"};

	(void)arg;
	check(info->id && info->nr_labels <= 512 && info->nr_mounts <= 512 &&
	      info->nr_networks <= 512 && info->nr_cgroups <= 512 && info->init_pid >= 0);
	check_string(info->name);
	check_string(info->image);
	check_string(info->image_id);
	check_string(info->image_digest);
	check_string(info->user);
	check_string(info->hostname);
	check_string(info->pod_name);
	for (size_t i = 0; i < info->nr_labels; i++)
		check(strchr(info->labels[i], '=') && strlen(info->labels[i]) <= 4096);
	for (size_t i = 0; i < info->nr_mounts; i++)
		check(info->mounts[i].destination && strlen(info->mounts[i].destination) <= 4096);
	for (size_t i = 0; i < info->nr_networks; i++)
		check(info->networks[i].name != NULL);
	for (size_t i = 0; i < info->nr_cgroups; i++)
		check(info->cgroups[i][0] == '/' && info->cgroups[i][1]);
	check(!info->seccomp || !strcmp(info->seccomp, "default") ||
	      !strcmp(info->seccomp, "unconfined") || !strcmp(info->seccomp, "profile"));
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		select_fits(patterns[i], &c);
	return 0;
}

static void ask(const struct runtime_paths *p)
{
	static const char *const cgroups[] = {
		"/docker/" A,
		"/system.slice/docker-" A ".scope",
		"/foo",
		"/x/web",
		"/machine.slice/libpod-" A ".scope/container",
		POD "crio-" A ".scope",
		POD "cri-containerd-" A ".scope",
		"/lxc.payload.web",
		"/machine.slice/machine-web.scope",
	};

	for (size_t i = 0; i < sizeof(cgroups) / sizeof(cgroups[0]); i++) {
		struct container_info info = {.init_pid = 0};
		int err = runtime_lookup(p, cgroups[i], NULL, NULL, &info);

		check(!err || err == -ENOENT);
		if (!err)
			check_info(&info, NULL);
		container_info_free(&info);
		memset(&info, 0, sizeof(info));
		err = runtime_creator(p, cgroups[i], 60, &info);
		check(!err || err == -ENOENT);
		if (!err)
			check_info(&info, NULL);
		container_info_free(&info);
	}
	check(!runtime_list(p, check_info, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct runtime_paths paths = {.root = root};
	size_t at = 0;

	prepare();
	remove_files();
	while (at + 1 < size) {
		const uint8_t *next =
			data[at] == 0x1e ? memchr(data + at + 2, 0x1e, size - at - 2) : NULL;
		size_t end = next ? (size_t)(next - data) : size;

		if (data[at] != 0x1e)
			break;
		put((char)data[at + 1], data + at + 2, end - at - 2);
		at = end;
	}
	ask(&paths);
	return 0;
}
