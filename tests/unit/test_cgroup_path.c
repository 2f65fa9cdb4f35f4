// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "container/cgroup_path.h"

#define A	   "2895b90dd032de3eebd1a81db7ec57373c58e2a6f2d1a2703bea9d3784197356"
#define B	   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID	   "2a1b3c4d-0e5f-4a6b-8c7d-9e0f1a2b3c4d"
#define UID_	   "2a1b3c4d_0e5f_4a6b_8c7d_9e0f1a2b3c4d"
#define STATIC_UID "d41d8cd98f00b204e9800998ecf8427e"
#define BUILD	   "xkz4kyzkuqsm3wuxqhlnvtbvc"
#define USER	   "/user.slice/user-1000.slice/user@1000.service"
#define POD_SLICE  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice"

/* A '|' in the path marks where the container's cgroup ends; none: at the end. */
struct good {
	const char *path, *runtime, *id, *pod, *qos;
	unsigned int nested;
	long owner;
};

#define SYS .owner = -1

static const struct good good[] = {
	/* docker */
	{"/docker/" A, "docker", A, SYS},
	{"/docker/" A "|/init.scope", "docker", A, SYS},
	{"/docker/" A "|/system.slice/ssh.service", "docker", A, SYS},
	{"/system.slice/docker-" A ".scope", "docker", A, SYS},
	{"/system.slice/docker-" A ".scope|/init", "docker", A, SYS},
	{"/docker-" A ".scope", "docker", A, SYS},
	{"/my.slice/my-app.slice/docker-" A ".scope", "docker", A, SYS},
	{"/../docker/" A, "docker", A, SYS},
	{"/../../system.slice/docker-" A ".scope", "docker", A, SYS},
	{"/system.slice/docker.service/docker/" A, "docker", A, SYS},
	{"/actions_job/" A, NULL, A, SYS}, /* --cgroup-parent */
	{"/" A, NULL, A, SYS},
	{"/moby/" A, "docker", A, SYS},
	{"/system.slice:docker:" A, "docker", A, SYS},
	{"/docker/buildkit/" BUILD, "buildkit", BUILD, SYS},
	{"/buildkit/" BUILD, "buildkit", BUILD, SYS},
	{"/system.slice/buildkit-" BUILD ".scope", "buildkit", BUILD, SYS},
	/* cgroup v1: the same below every controller, and systemd's own hierarchy */
	{"/docker/" A "|/tasks", "docker", A, SYS},
	{"/system.slice/containerd.service/docker/" A, "docker", A, SYS},
	{"/user.slice/user-1000.slice/session-3.scope/" A, NULL, A, SYS},
	/* rootless docker: his own manager's scope, his own word */
	{USER "/user.slice/docker-" A ".scope", "docker", A, .owner = 1000},
	{USER "/docker-" A ".scope", "docker", A, .owner = 1000},
	{USER "/app.slice/docker.service/docker/" A, "docker", A, .owner = 1000},
	/* docker in docker, kind, minikube */
	{"/docker/" A "/docker/" B, "docker", B, .nested = 1, SYS},
	{"/docker/" A "/docker/" B "|/x", "docker", B, .nested = 1, SYS},
	{"/docker/" A "|/" B, "docker", A, SYS}, /* a bare name inside is no proof */
	{"/docker/" A "|/x/" B, "docker", A, SYS},
	{"/docker/" A "/system.slice/docker-" B ".scope", "docker", B, .nested = 1, SYS},
	{"/docker/" A "/kubelet/kubepods/burstable/pod" UID "/" B, NULL, B, UID, "burstable", 1,
	 -1},
	{"/system.slice/docker-" A ".scope/kubelet.slice/kubelet-kubepods.slice/"
	 "kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" UID_ ".slice/"
	 "cri-containerd-" B ".scope",
	 "containerd", B, UID, "besteffort", 1, -1},
	{"/docker/" A "/docker/" B "/docker/" A, "docker", A, .nested = 2, SYS},
	/* a pod's facts end at the container: what is nested in it is not in the pod itself */
	{POD_SLICE "/cri-containerd-" A ".scope/docker/" B, "docker", B, .nested = 1, SYS},
	/* containerd through CRI */
	{POD_SLICE "/cri-containerd-" A ".scope", "containerd", A, UID, "burstable", 0, -1},
	{POD_SLICE "/docker-" A ".scope", "docker", A, UID, "burstable", 0, -1},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" A ".scope", "containerd", A,
	 UID, "guaranteed", 0, -1},
	{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" STATIC_UID
	 ".slice/cri-containerd-" A ".scope",
	 "containerd", A, STATIC_UID, "besteffort", 0, -1},
	{"/kubepods/burstable/pod" UID "/" A, NULL, A, UID, "burstable", 0, -1},
	{"/kubepods/besteffort/pod" UID "/" A "|/sub", NULL, A, UID, "besteffort", 0, -1},
	{"/kubepods/pod" UID "/" A, NULL, A, UID, "guaranteed", 0, -1},
	{"/kubepods/burstable/pod" STATIC_UID "/" A, NULL, A, STATIC_UID, "burstable", 0, -1},
	{"/kubepods/pod" UID "/cri-containerd-" A, "containerd", A, UID, "guaranteed", 0, -1},
	{"/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" A, "containerd", A, UID,
	 "burstable", 0, -1},
	{"/system.slice/containerd.service/kubepods-besteffort-pod" UID_ ".slice:cri-containerd:" A,
	 "containerd", A, UID, "besteffort", 0, -1},
	{"/kubepods-pod" UID_ ".slice:crio:" A, "cri-o", A, UID, "guaranteed", 0, -1},
	{"/k8s.io/" A, "containerd", A, SYS},
	{"/default/" A, "containerd", A, SYS},
	{"/system.slice/nerdctl-" A ".scope", "containerd", A, SYS},
	{USER "/user.slice/nerdctl-" A ".scope", "containerd", A, .owner = 1000},
	/* CRI-O */
	{POD_SLICE "/crio-" A ".scope", "cri-o", A, UID, "burstable", 0, -1},
	{POD_SLICE "/crio-" A ".scope|/container", "cri-o", A, UID, "burstable", 0, -1},
	{"/kubepods/besteffort/pod" UID "/crio-" A, "cri-o", A, UID, "besteffort", 0, -1},
	/* podman */
	{"/machine.slice/libpod-" A ".scope", "podman", A, SYS},
	{"/machine.slice/libpod-" A ".scope|/container", "podman", A, SYS},
	{"/machine.slice/machine-libpod_pod_" B ".slice/libpod-" A ".scope", "podman", A, B, SYS},
	{"/libpod_parent/libpod-" A, "podman", A, SYS},
	{"/libpod_parent/" B "/libpod-" A, "podman", A, B, SYS}, /* B is the pod */
	{"/machine.slice/machine-libpod_pod_" B "0.slice/libpod-" A ".scope", "podman", A, SYS},
	{USER "/user.slice/libpod-" A ".scope|/container", "podman", A, .owner = 1000},
	{USER "/user.slice/user-libpod_pod_" B ".slice/libpod-" A ".scope", "podman", A, B,
	 .owner = 1000},
	{USER "/app.slice/web.service/libpod-payload-" A, "podman", A, .owner = 1000},
	{"/system.slice/web.service/libpod-payload-" A, "podman", A, SYS},
	/* LXC, LXD, Incus, Proxmox */
	{"/lxc.payload.web1", "lxc", "web1", SYS},
	{"/lxc.payload.web1|/system.slice/nginx.service", "lxc", "web1", SYS},
	{"/lxc.payload/web1", "lxc", "web1", SYS},
	{"/lxc/web-1", "lxc", "web-1", SYS},
	{"/lxc/100|/ns/init.scope", "lxc", "100", SYS},
	{"/lxc.payload.project_c1", "lxc", "project_c1", SYS},
	{"/lxc.payload.a/lxc.payload.b", "lxc", "b", .nested = 1, SYS},
	{"/lxc.payload.a/lxc/b", "lxc", "b", .nested = 1, SYS},
	{"/lxc.payload.a/docker/" A, "docker", A, .nested = 1, SYS},
	{USER "/lxc.payload.mine", "lxc", "mine", .owner = 1000},
	/* machined */
	{"/machine.slice/systemd-nspawn@deb12.service|/payload", "systemd-nspawn", "deb12", SYS},
	{"/machine.slice/systemd-nspawn@my\\x2dbox.service", "systemd-nspawn", "my-box", SYS},
	{"/machine.slice/machine-deb12.scope|/payload/init.scope", "systemd-nspawn", "deb12", SYS},
	{"/machine.slice/machine-my\\x2dbox.scope", "systemd-nspawn", "my-box", SYS},
	{"/machine.slice/machine-lxc\\x2d4242\\x2dweb.scope", "libvirt-lxc", "4242-web", SYS},
	/* OCI runtimes with the systemd driver and no daemon */
	{"/system.slice/runc-web.scope", "runc", "web", SYS},
	{"/system.slice/crun-web.scope", "crun", "web", SYS},
	/* clouds */
	{"/ecs/" STATIC_UID "/" A, "docker", A, SYS},
	{"/ecs/cluster/" UID "/" A, "docker", A, SYS},
	{"/ecs/" STATIC_UID "/" STATIC_UID "-1234567890", NULL, STATIC_UID "-1234567890", SYS},
	{"/garden/70fe5d33-ae20-4c56-6b2e-1eff", "garden", "70fe5d33-ae20-4c56-6b2e-1eff", SYS},
	{"/system.slice/garden.service/garden/good/70fe5d33-ae20-4c56-6b2e-1eff", "garden",
	 "70fe5d33-ae20-4c56-6b2e-1eff", SYS},
	{"/mesos/" UID, "mesos", UID, SYS},
};

struct bad {
	const char *path;
	int err;
};

static const struct bad bad[] = {
	/* no container's */
	{"/", -ENOENT},
	{"/init.scope", -ENOENT},
	{"/system.slice/docker.service", -ENOENT},
	{"/system.slice/containerd.service", -ENOENT},
	{"/user.slice/user-1000.slice/session-3.scope", -ENOENT},
	{USER "/app.slice/org.gnome.Terminal.slice/vte-spawn-" UID ".scope", -ENOENT},
	{USER "/user.slice/podman-4421.scope", -ENOENT},
	{"/docker", -ENOENT},
	{"/docker/", -ENOENT},
	{"/docker/buildkit", -ENOENT},
	{"/kubepods.slice", -ENOENT},
	{POD_SLICE, -ENOENT},
	{"/kubepods/burstable/pod" UID, -ENOENT},
	{"/foo", -ENOENT}, /* plain runc: runtime_lookup()'s */
	{"/default/web", -ENOENT}, /* ctr: anybody's */
	{"/..", -ENOENT},
	/* helpers */
	{"/machine.slice/libpod-conmon-" A ".scope", -ENOENT},
	{USER "/user.slice/libpod-conmon-" A ".scope", -ENOENT},
	{POD_SLICE "/crio-conmon-" A ".scope", -ENOENT},
	{"/machine.slice/machine-libpod_pod_" A ".slice", -ENOENT},
	{"/libpod_parent/" A, -ENOENT},
	{"/system.slice/web.service/supervisor", -ENOENT},
	{"/lxc.monitor.web1", -ENOENT},
	{"/lxc.monitor/web1", -ENOENT},
	{"/lxc.pivot", -ENOENT},
	{"/lxc", -ENOENT},
	{"/garden/good", -ENOENT},
	/* VMs */
	{"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope", -ENOENT},
	{"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator", -ENOENT},
	/* look-alikes */
	{"/user.slice/user-1000.slice/docker-" A ".slice", -ENOENT},
	{"/system.slice/docker-" A ".service", -ENOENT},
	{"/system.slice/docker-" A, -ENOENT},
	{"/system.slice/evil.service/docker-" A ".scope", -ENOENT},
	{"/user.slice/user-1000.slice/session-3.scope/docker-" A ".scope", -ENOENT},
	{"/system.slice/xdocker-" A ".scope", -ENOENT},
	{"/system.slice/docker-" A ".scope.d", -ENOENT},
	{"/system.slice/docker-" A "0.scope", -ENOENT},
	{"/docker/2895B90DD032DE3EEBD1A81DB7EC57373C58E2A6F2D1A2703BEA9D3784197356", -ENOENT},
	{"/docker/895b90dd032de3eebd1a81db7ec57373c58e2a6f2d1a2703bea9d3784197356", -ENOENT},
	{"/docker/" A "0", -ENOENT},
	{"/docker/g895b90dd032de3eebd1a81db7ec57373c58e2a6f2d1a2703bea9d3784197356", -ENOENT},
	{"/x.slice:evil:" A, -ENOENT},
	{"/x.service:docker:" A, -ENOENT},
	{"/a/b/lxc/web1", -ENOENT},
	{"/my.slice/systemd-nspawn@x.service", -ENOENT},
	{"/system.slice/machine-x.scope", -ENOENT},
	{"/machine.slice/machine-a\\x2fb.scope", -ENOENT}, /* '/' in disguise */
	{"/machine.slice/machine-a\\x00b.scope", -ENOENT},
	{"/machine.slice/machine-\\x2e\\x2e.scope", -ENOENT}, /* ".." in disguise */
	{"/machine.slice/machine-a\\x2.scope", -ENOENT},
	{"/machine.slice/machine-.scope", -ENOENT},
	{"/lxc.payload.", -ENOENT},
	{"/lxc.payload...", -ENOENT},
	{"/lxc.payload.a b", -ENOENT},
	{"/lxc.payload.a\033[2J", -ENOENT},
	{"/lxc.payload.a\nb", -ENOENT},
	{"/system.slice/docker-" A ".scope\n", -ENOENT},
	{"/docker/" A "\n/x", -ENOENT},
	{"/user.slice/user-1000.slice/user-docker-" A ".slice", -ENOENT},
	{USER "/app.slice/docker-" A ".service", -ENOENT},
	{"/system.slice/docker-" A ".scope ", -ENOENT},
	{"/DOCKER/x", -ENOENT},
	{"/:::", -ENOENT},
	{"/::", -ENOENT},
	/* no kernel's */
	{"", -EINVAL},
	{"docker/" A, -EINVAL},
	{"//docker/" A, -EINVAL},
	{"/docker//" A, -EINVAL},
	{"/docker/./" A, -EINVAL},
	{"/docker/../docker/" A, -EINVAL},
	{"/docker/" A "/..", -EINVAL},
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct good *g = &good[i];
		char path[CGROUP_PATH_MAX];
		struct cgroup_path cp;
		size_t end = strlen(g->path);
		char *bar;

		strcpy(path, g->path);
		bar = strchr(path, '|');
		if (bar) {
			end = (size_t)(bar - path);
			memmove(bar, bar + 1, strlen(bar));
		}
		if (cgroup_path_parse(path, strlen(path), &cp))
			fail_msg("%s: not found", path);
		if (strcmp(cp.id, g->id) || cp.depth_end != end)
			fail_msg("%s: id %s, ends at %zu not %zu", path, cp.id, cp.depth_end, end);
		if (!cp.runtime != !g->runtime || (g->runtime && strcmp(cp.runtime, g->runtime)))
			fail_msg("%s: runtime %s", path, cp.runtime ? cp.runtime : "NULL");
		if (strcmp(cp.pod_uid, g->pod ? g->pod : ""))
			fail_msg("%s: pod %s", path, cp.pod_uid);
		if (!cp.qos != !g->qos || (g->qos && strcmp(cp.qos, g->qos)))
			fail_msg("%s: qos %s", path, cp.qos ? cp.qos : "NULL");
		if (cp.nested != g->nested || cp.owner_uid != g->owner)
			fail_msg("%s: nested %u, owner %ld", path, cp.nested, cp.owner_uid);
	}
}

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cgroup_path cp, before;
		int err;

		memset(&cp, 0x5a, sizeof(cp));
		before = cp;
		err = cgroup_path_parse(bad[i].path, strlen(bad[i].path), &cp);
		if (err != bad[i].err)
			fail_msg("%s: %d, not %d (id %s)", bad[i].path, err, bad[i].err,
				 err ? "" : cp.id);
		assert_memory_equal(&cp, &before, sizeof(cp));
	}
}

static void test_hostile_lengths(void **state)
{
	char path[CGROUP_PATH_MAX + 1];
	struct cgroup_path cp;

	(void)state;
	assert_int_equal(cgroup_path_parse(NULL, 3, &cp), -EINVAL);
	assert_int_equal(cgroup_path_parse("/docker/\0" A, 8 + 65, &cp), -EINVAL);
	/* not NUL-terminated, and ending within the id */
	assert_int_equal(cgroup_path_parse("/docker/" A, 8 + 63, &cp), -ENOENT);
	assert_int_equal(cgroup_path_parse("/docker/" A "junk", 8 + 64, &cp), 0);
	/* 255 bytes is a cgroup's name, 256 is none's */
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	assert_int_equal(cgroup_path_parse(path, 256, &cp), -ENOENT);
	assert_int_equal(cgroup_path_parse(path, 257, &cp), -EINVAL);
	/* the whole length, all of it components */
	for (size_t i = 0; i < sizeof(path); i += 2)
		path[i] = '/';
	assert_int_equal(cgroup_path_parse(path, CGROUP_PATH_MAX - 2, &cp), -ENOENT);
	assert_int_equal(cgroup_path_parse(path, CGROUP_PATH_MAX, &cp), -EINVAL);
	/* an LXC name longer than the id's room */
	memset(path, 'n', 200);
	memcpy(path, "/lxc.payload.", 13);
	assert_int_equal(cgroup_path_parse(path, 13 + 128, &cp), 0);
	assert_int_equal(strlen(cp.id), 128);
	assert_int_equal(cgroup_path_parse(path, 13 + 129, &cp), -ENOENT);
}

static void test_deleted(void **state)
{
	const char *path = "/docker/" A " (deleted)";
	struct cgroup_path cp;

	(void)state;
	assert_int_equal(cgroup_path_parse(path, strlen(path), &cp), 0);
	assert_string_equal(cp.id, A);
	assert_int_equal(cp.depth_end, 8 + 64);
}

static void test_enclosing(void **state)
{
	const char *path = "/docker/" A "/docker/" B "/child";
	struct cgroup_path cp;

	(void)state;
	assert_int_equal(cgroup_path_parse(path, strlen(path), &cp), 0);
	assert_string_equal(cp.id, B);
	assert_int_equal(cgroup_path_parse(path, cp.depth_start, &cp), 0);
	assert_string_equal(cp.id, A);
	assert_int_equal(cp.nested, 0);
	assert_int_equal(cgroup_path_parse(path, cp.depth_start, &cp), -ENOENT);
}

static void test_owner(void **state)
{
	static const struct {
		const char *path;
		long owner;
	} t[] = {
		{USER, 1000},
		{USER "/x", 1000},
		{"/user.slice/user-0.slice/user@0.service", 0},
		{"/user.slice/user-1000.slice/session-3.scope", -1},
		{"/user.slice/user-1000.slice", -1},
		{"/x/user.slice/user-1000.slice/user@1000.service", -1},
		{"/user.slice/user-1.slice/user@.service", -1},
		{"/user.slice/user-1.slice/user@1x.service", -1},
		{"/user.slice/user-1.slice/user@99999999999.service", -1},
		{"/user.slice/user-1.slice/user@4294967296.service", -1},
		{"user.slice", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(cgroup_path_owner(t[i].path, strlen(t[i].path)), t[i].owner);
}

/* A megabyte of path, of each kind that could make the parser work: refused for its length. */
static void test_megabyte(void **state)
{
	static const char *const pieces[] = {
		"/", "a", "/a", "/docker/" A, "/..", "x.slice:docker:", "/kubepods-kubepods-"};
	const size_t size = 1 << 20;
	char *path = malloc(size);
	struct cgroup_path cp;
	const char *unit;
	size_t n;

	(void)state;
	assert_non_null(path);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		for (size_t j = 0, len = strlen(pieces[i]); j < size; j++)
			path[j] = pieces[i][j % len];
		path[0] = '/';
		assert_int_equal(cgroup_path_parse(path, size, &cp), -EINVAL);
		assert_int_equal(cgroup_path_owner(path, size), -1);
		assert_int_equal(cgroup_path_unit(path, size, &unit, &n), -ENOENT);
	}
	free(path);
}

static void test_unit(void **state)
{
	static const struct {
		const char *path, *unit;
	} t[] = {
		{"/system.slice/nginx.service", "nginx.service"},
		{"/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"},
		{"/system.slice", "system.slice"},
		{"/user.slice/user-1000.slice/session-3.scope", "session-3.scope"},
		{USER, "user@1000.service"},
		{USER "/app.slice/web.service", "web.service"},
		{"/system.slice/dbus.socket", "dbus.socket"},
		{"/system.slice/var-lib.mount", "var-lib.mount"},
		{"/system.slice/_cpu.service", "cpu.service"},
		{"/lxc.payload.a/system.slice/nginx.service", NULL}, /* another systemd's */
		{"/docker/" A "/x.service", NULL},
		{"/system.slice/docker-" A ".scope", NULL}, /* a container */
		{"/system.slice/nginx.service/worker", NULL},
		{"/.service", NULL},
		{"/", NULL},
		{"/nginx", NULL},
		{"nginx.service", NULL},
		{"/a//nginx.service", NULL},
		{"/system.slice/nginx.services", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *unit = NULL;
		size_t n = 0;
		int err = cgroup_path_unit(t[i].path, strlen(t[i].path), &unit, &n);

		if (err != (t[i].unit ? 0 : -ENOENT))
			fail_msg("%s: %d", t[i].path, err);
		if (!err && (n != strlen(t[i].unit) || memcmp(unit, t[i].unit, n)))
			fail_msg("%s: %.*s", t[i].path, (int)n, unit);
	}
}

static void test_safe_id(void **state)
{
	static const char *const no[] = {"",  ".",   "..",  "a/b",  "../x",
					 "/", "a b", "a\n", "a\\b", "\x80"};
	char lots[130];

	(void)state;
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(cgroup_path_id_is_safe(no[i]));
	memset(lots, 'a', sizeof(lots));
	lots[129] = '\0';
	assert_false(cgroup_path_id_is_safe(lots));
	assert_false(cgroup_path_id_is_safe(NULL));
	assert_true(cgroup_path_id_is_safe(A));
	assert_true(cgroup_path_id_is_safe("...web_1:2@x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_hostile_lengths),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_enclosing),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_megabyte),
		cmocka_unit_test(test_unit),
		cmocka_unit_test(test_safe_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
