// SPDX-License-Identifier: MIT
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem() */
#endif
#include "container/cgroup_path.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define COMPONENT_MAX 255 /* NAME_MAX: cgroupfs takes no longer names */
#define LEN(a)	      (sizeof(a) / sizeof((a)[0]))

struct span {
	const char *s;
	size_t n;
};

/* What may stand between a rule's prefix and suffix. */
enum id_kind {
	ID_HEX64, /* 64 lower-case hex digits: docker, podman, CRI */
	ID_NAME, /* a name that somebody chose */
	ID_UNIT, /* the same, escaped as systemd does (\x2d for '-') */
	ID_BUILD, /* BuildKit: 25 of [0-9a-z] */
	ID_GUID, /* hex groups joined by '-', at least four dashes: garden, mesos */
	ID_TASK, /* Fargate: 32 hex digits, '-', decimal digits */
};

/* Where the component has to stand. */
enum place {
	IN_ANY, /* anywhere: the mark in the name is enough */
	IN_SLICE, /* where systemd puts scopes: a slice, or the root of a manager's tree */
	IN_POD, /* in the cgroup of a Kubernetes pod */
	IN_DIR, /* in the directory named in .dir */
	IN_TOP_DIR, /* in .dir at the top of a tree: the host's, a container's, a unit's */
	IN_TASK_DIR, /* one or two levels below .dir */
	IN_HOST, /* anywhere outside of other containers */
};

struct rule {
	const char *runtime;
	enum place place;
	const char *dir;
	const char *prefix;
	enum id_kind kind;
	const char *suffix;
};

/* The "runtime" of rows whose fit is no container: later rows need not try. */
static const char no_container[] = "none";

/*
 * The forms, most specific first: the first row that fits a component wins, and of all components
 * that fit, the innermost. Rules for adding rows:
 *
 *  - Helpers of a container are no container: conmon's scopes (crio-conmon-ID, libpod-conmon-ID),
 *    lxc.monitor.NAME, libpod_pod_ID fall through as no ID_HEX64 fits them. A row with ID_NAME
 *    must not let such names in.
 *  - A ".scope" is a container's only where systemd puts scopes (IN_SLICE). A directory that a
 *    service made in its own delegated subtree, /system.slice/x.service/docker-ID.scope, is a
 *    look-alike, and so are docker-ID.slice, docker-ID.service, upper-case or 63-digit ids.
 *  - A user's manager may create genuine scopes of any name, and rootless runtimes do. Such a
 *    path is accepted but marked with its owner_uid: the id is that user's word.
 *  - A component of 64 bare hex digits is taken for a container of an unknown runtime
 *    (docker run --cgroup-parent=/x), but inside another container only if its directory shows
 *    the mark of a runtime (docker/, kubepods/…): there it would be too cheap a disguise.
 *  - ctr and nerdctl: /NAMESPACE/NAME is ambiguous with any cgroup two levels deep. Only
 *    64-digit names in the namespaces known to be containerd's are accepted; others are found
 *    through the runtime's records, as is plain runc with a cgroupsPath of its own.
 */
static const struct rule rules[] = {
	/* systemd's cgroup driver: PREFIX-ID.scope */
	{"docker", IN_SLICE, NULL, "docker-", ID_HEX64, ".scope"},
	{"containerd", IN_SLICE, NULL, "cri-containerd-", ID_HEX64, ".scope"},
	{"containerd", IN_SLICE, NULL, "nerdctl-", ID_HEX64, ".scope"},
	{"cri-o", IN_SLICE, NULL, "crio-", ID_HEX64, ".scope"},
	{"podman", IN_SLICE, NULL, "libpod-", ID_HEX64, ".scope"},
	{"buildkit", IN_SLICE, NULL, "buildkit-", ID_BUILD, ".scope"},
	{"runc", IN_SLICE, NULL, "runc-", ID_UNIT, ".scope"},
	{"crun", IN_SLICE, NULL, "crun-", ID_UNIT, ".scope"},

	/* machined; VMs (machine-qemu\x2d…) are machines too, but none of ours */
	{"systemd-nspawn", IN_DIR, "machine.slice", "systemd-nspawn@", ID_UNIT, ".service"},
	{no_container, IN_DIR, "machine.slice", "machine-qemu\\x2d", ID_UNIT, ".scope"},
	{"libvirt-lxc", IN_DIR, "machine.slice", "machine-lxc\\x2d", ID_UNIT, ".scope"},
	{"systemd-nspawn", IN_DIR, "machine.slice", "machine-", ID_UNIT, ".scope"},

	/* the cgroupfs driver: directories */
	{"cri-o", IN_POD, NULL, "crio-", ID_HEX64, ""},
	{"containerd", IN_POD, NULL, "cri-containerd-", ID_HEX64, ""},
	{NULL, IN_POD, NULL, "", ID_HEX64, ""},
	{no_container, IN_DIR, "libpod_parent", "", ID_HEX64, ""}, /* a pod */
	{"podman", IN_ANY, NULL, "libpod-payload-", ID_HEX64, ""},
	{"podman", IN_ANY, NULL, "libpod-", ID_HEX64, ""},
	{"docker", IN_DIR, "docker", "", ID_HEX64, ""},
	{"docker", IN_TOP_DIR, "moby", "", ID_HEX64, ""},
	{"containerd", IN_TOP_DIR, "default", "", ID_HEX64, ""},
	{"containerd", IN_TOP_DIR, "k8s.io", "", ID_HEX64, ""},
	{"buildkit", IN_DIR, "buildkit", "", ID_BUILD, ""},

	/* LXC, and LXD and Incus, which use it; Proxmox has /lxc/VMID/ns */
	{"lxc", IN_ANY, NULL, "lxc.payload.", ID_NAME, ""},
	{"lxc", IN_DIR, "lxc.payload", "", ID_NAME, ""},
	{"lxc", IN_TOP_DIR, "lxc", "", ID_NAME, ""},

	/* clouds */
	{"docker", IN_TASK_DIR, "ecs", "", ID_HEX64, ""},
	{NULL, IN_TASK_DIR, "ecs", "", ID_TASK, ""},
	{"garden", IN_TASK_DIR, "garden", "", ID_GUID, ""},
	{"mesos", IN_TOP_DIR, "mesos", "", ID_GUID, ""},

	{NULL, IN_HOST, NULL, "", ID_HEX64, ""},
};

/*
 * "SLICE:PREFIX:ID" is OCI's cgroupsPath for the systemd driver. A runtime that uses the cgroupfs
 * driver takes it for a directory's name, as containerd does when only the kubelet uses systemd.
 */
static const struct {
	const char *prefix;
	const char *runtime;
} colon_prefixes[] = {
	{"cri-containerd", "containerd"}, {"docker", "docker"}, {"crio", "cri-o"},
	{"nerdctl", "containerd"},	  {"libpod", "podman"},
};

/* What is known of the components passed so far. */
struct walk {
	struct span dir[3]; /* parent, its parent, and that one's; n == 0: the root */
	bool kubepods; /* inside of Kubernetes' subtree */
	const char *qos;
	char pod_uid[65];
	bool in_pod; /* the parent is a pod's cgroup */
	bool found;
};

static bool span_is(struct span a, const char *s)
{
	return a.s && a.n == strlen(s) && memcmp(a.s, s, a.n) == 0;
}

static bool span_ends(struct span a, const char *s)
{
	size_t n = strlen(s);

	return a.n > n && memcmp(a.s + a.n - n, s, n) == 0;
}

static bool strip_prefix(struct span *a, const char *s)
{
	size_t n = strlen(s);

	if (a->n < n || memcmp(a->s, s, n) != 0)
		return false;
	a->s += n;
	a->n -= n;
	return true;
}

static bool strip_suffix(struct span *a, const char *s)
{
	size_t n = strlen(s);

	if (a->n < n || memcmp(a->s + a->n - n, s, n) != 0)
		return false;
	a->n -= n;
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool all_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (hex_value(s[i]) < 0)
			return false;
	return n > 0;
}

static bool all_digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return n > 0;
}

/* Printable, no '/' and no blank: what is chosen here ends up in file names and in reports. */
static bool name_char(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '/' && c != '\\';
}

bool cgroup_path_id_is_safe(const char *id)
{
	if (!id || !*id || strlen(id) > 128 || !strcmp(id, ".") || !strcmp(id, ".."))
		return false;
	for (const char *c = id; *c; c++)
		if (!name_char((unsigned char)*c))
			return false;
	return true;
}

/* Copy a name, undoing systemd's \xNN where @escaped. */
static bool copy_name(struct span v, bool escaped, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.s[i];

		if (escaped && c == '\\') {
			if (v.n - i < 4 || v.s[i + 1] != 'x' || !all_hex(v.s + i + 2, 2))
				return false;
			c = (unsigned char)(hex_value(v.s[i + 2]) << 4 | hex_value(v.s[i + 3]));
			i += 3;
		}
		if (!name_char(c) || n + 1 >= size)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return cgroup_path_id_is_safe(out);
}

static bool is_guid(struct span v)
{
	size_t dashes = 0;

	for (size_t i = 0; i < v.n; i++) {
		if (v.s[i] == '-')
			dashes++;
		else if (hex_value(v.s[i]) < 0)
			return false;
	}
	return dashes >= 4 && v.n >= 20 && v.n <= 64 && v.s[0] != '-';
}

static bool is_build_id(struct span v)
{
	if (v.n != 25)
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (!((v.s[i] >= '0' && v.s[i] <= '9') || (v.s[i] >= 'a' && v.s[i] <= 'z')))
			return false;
	return true;
}

static bool take_id(struct span v, enum id_kind kind, char *out, size_t size)
{
	switch (kind) {
	case ID_HEX64:
		if (v.n != 64 || !all_hex(v.s, v.n))
			return false;
		break;
	case ID_BUILD:
		if (!is_build_id(v))
			return false;
		break;
	case ID_GUID:
		if (!is_guid(v))
			return false;
		break;
	case ID_TASK:
		if (v.n < 34 || v.n > 64 || !all_hex(v.s, 32) || v.s[32] != '-' ||
		    !all_digits(v.s + 33, v.n - 33))
			return false;
		break;
	case ID_NAME:
	case ID_UNIT: return copy_name(v, kind == ID_UNIT, out, size);
	}
	return copy_name(v, false, out, size);
}

/* The root of some manager's tree: nothing above, a container's cgroup, or a delegated unit. */
static bool is_tree_root(struct span dir, bool container_above)
{
	return !dir.n || container_above || span_ends(dir, ".service") ||
	       span_ends(dir, ".scope") || span_ends(dir, ".slice");
}

static bool in_place(const struct walk *w, const struct rule *r, bool container_above,
		     bool container_above_dir)
{
	switch (r->place) {
	case IN_ANY: return true;
	case IN_SLICE:
		if (!w->dir[0].n || container_above || span_ends(w->dir[0], ".slice"))
			return true;
		/* "-.slice" of a user's manager is its service's cgroup */
		return w->dir[0].n > 5 && !memcmp(w->dir[0].s, "user@", 5) &&
		       span_ends(w->dir[0], ".service");
	case IN_POD: return w->in_pod;
	case IN_DIR: return span_is(w->dir[0], r->dir);
	case IN_TOP_DIR:
		return span_is(w->dir[0], r->dir) && is_tree_root(w->dir[1], container_above_dir);
	case IN_TASK_DIR:
		return span_is(w->dir[0], r->dir) || span_is(w->dir[1], r->dir) ||
		       span_is(w->dir[2], r->dir);
	case IN_HOST: return !w->found;
	}
	return false;
}

/* A pod's uid: a UUID, with '_' for '-' where systemd named it, or a static pod's 32 digits. */
static bool take_pod_uid(struct span v, char *out)
{
	char uid[37];

	if (v.n == 32 && all_hex(v.s, 32)) {
		memcpy(out, v.s, 32);
		out[32] = '\0';
		return true;
	}
	if (v.n != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? (v.s[i] != '-' && v.s[i] != '_') : hex_value(v.s[i]) < 0)
			return false;
		uid[i] = dash ? '-' : v.s[i];
	}
	uid[36] = '\0';
	memcpy(out, uid, sizeof(uid));
	return true;
}

static bool take_qos(struct span *v, const char *sep, const char **qos)
{
	static const char *const classes[] = {"burstable", "besteffort", "guaranteed"};

	for (size_t i = 0; i < LEN(classes); i++) {
		struct span rest = *v;

		if (strip_prefix(&rest, classes[i]) && (!rest.n || strip_prefix(&rest, sep))) {
			*qos = classes[i];
			*v = rest;
			return true;
		}
	}
	return false;
}

/* "[PARENT-]kubepods[-QOS]-podUID", a slice's name without ".slice". */
static bool take_pod_slice(struct span v, struct walk *w)
{
	const char *qos = NULL;

	for (;;) {
		const char *dash;

		if (strip_prefix(&v, "kubepods") && (!v.n || v.s[0] == '-'))
			break;
		dash = memchr(v.s, '-', v.n);
		if (!dash)
			return false;
		v.n -= (size_t)(dash + 1 - v.s);
		v.s = dash + 1;
	}
	w->kubepods = true;
	strip_prefix(&v, "-");
	if (take_qos(&v, "-", &qos))
		w->qos = qos;
	if (!strip_prefix(&v, "pod") || !take_pod_uid(v, w->pod_uid))
		return false;
	if (!qos)
		w->qos = "guaranteed";
	return true;
}

/*
 * A pod of podman's, whose id has 64 digits: PARENT-libpod_pod_ID.slice, or, without systemd,
 * libpod_parent/ID.
 */
static bool take_podman_pod(const struct walk *w, struct span v, char *out)
{
	static const char mark[] = "libpod_pod_";

	if (strip_suffix(&v, ".slice")) {
		const char *at =
			v.n > sizeof(mark) ? memmem(v.s, v.n, mark, sizeof(mark) - 1) : NULL;

		if (!at)
			return false;
		at += sizeof(mark) - 1;
		v = (struct span){at, v.n - (size_t)(at - v.s)};
	} else if (!span_is(w->dir[0], "libpod_parent")) {
		return false;
	}
	if (v.n != 64 || !all_hex(v.s, v.n))
		return false;
	memcpy(out, v.s, v.n);
	out[v.n] = '\0';
	return true;
}

/* Learn from a component that is no container what it says about pods. */
static void note_pod(struct walk *w, struct span c)
{
	struct span v = c;
	const char *qos;

	w->in_pod = false;
	if (take_podman_pod(w, c, w->pod_uid))
		return;
	if (span_is(c, "kubepods")) {
		w->kubepods = true;
		w->qos = NULL;
		return;
	}
	if (strip_suffix(&v, ".slice")) {
		w->in_pod = take_pod_slice(v, w);
		return;
	}
	if (!w->kubepods)
		return;
	if (take_qos(&v, "/", &qos)) {
		w->qos = qos;
	} else if (strip_prefix(&v, "pod") && take_pod_uid(v, w->pod_uid)) {
		w->in_pod = true;
		if (!w->qos)
			w->qos = "guaranteed";
	}
}

static bool match_colon(struct walk *w, struct span c, struct cgroup_path *out)
{
	const char *c1 = memchr(c.s, ':', c.n), *c2;
	struct span slice, prefix, id;

	if (!c1)
		return false;
	c2 = memchr(c1 + 1, ':', c.n - (size_t)(c1 + 1 - c.s));
	if (!c2)
		return false;
	slice = (struct span){c.s, (size_t)(c1 - c.s)};
	prefix = (struct span){c1 + 1, (size_t)(c2 - c1 - 1)};
	id = (struct span){c2 + 1, c.n - (size_t)(c2 + 1 - c.s)};
	if (slice.n && !strip_suffix(&slice, ".slice"))
		return false;
	for (size_t i = 0; i < LEN(colon_prefixes); i++) {
		if (!span_is(prefix, colon_prefixes[i].prefix) ||
		    !take_id(id, ID_HEX64, out->id, sizeof(out->id)))
			continue;
		take_pod_slice(slice, w);
		out->runtime = colon_prefixes[i].runtime;
		return true;
	}
	return false;
}

static bool match_rule(const struct walk *w, struct span c, bool container_above,
		       bool container_above_dir, struct cgroup_path *out)
{
	char id[sizeof(out->id)];

	for (size_t i = 0; i < LEN(rules); i++) {
		const struct rule *r = &rules[i];
		struct span v = c;

		if (!strip_prefix(&v, r->prefix) || !strip_suffix(&v, r->suffix) ||
		    !in_place(w, r, container_above, container_above_dir) ||
		    !take_id(v, r->kind, id, sizeof(id)))
			continue;
		if (r->runtime == no_container)
			return false;
		out->runtime = r->runtime;
		memcpy(out->id, id, sizeof(id));
		return true;
	}
	return false;
}

static bool next_component(const char *path, size_t len, size_t *pos, struct span *c)
{
	const char *slash;

	if (*pos >= len || ++*pos >= len) /* past the '/' */
		return false;
	c->s = path + *pos;
	slash = memchr(c->s, '/', len - *pos);
	c->n = slash ? (size_t)(slash - c->s) : len - *pos;
	*pos += c->n;
	return true;
}

/* Would a kernel print this? ".." comes first, when the reader's cgroup namespace is elsewhere. */
static bool well_formed(const char *path, size_t len)
{
	struct span c = {NULL, 0};
	bool front = true;
	size_t pos = 0;

	if (!path || !len || len >= CGROUP_PATH_MAX || path[0] != '/' || memchr(path, '\0', len))
		return false;
	while (next_component(path, len, &pos, &c)) {
		bool up = span_is(c, "..");

		if (!c.n || c.n > COMPONENT_MAX || span_is(c, ".") || (up && !front))
			return false;
		front = front && up;
	}
	return true;
}

static void strip_deleted(const char *path, size_t *len)
{
	struct span v = {path, *len};

	/* /proc/PID/cgroup of a process that outlives its cgroup */
	if (strip_suffix(&v, " (deleted)"))
		*len = v.n;
}

int cgroup_path_parse(const char *path, size_t len, struct cgroup_path *out)
{
	bool container_above = false, container_above_dir = false;
	struct cgroup_path best = {.owner_uid = -1}, cur;
	struct walk w = {.qos = NULL};
	struct span c = {NULL, 0};
	unsigned int found = 0;
	size_t pos = 0;

	if (!well_formed(path, len))
		return -EINVAL;
	strip_deleted(path, &len);

	while (next_component(path, len, &pos, &c)) {
		bool hit;

		if (span_is(c, ".."))
			continue;
		cur = (struct cgroup_path){.depth_start = pos - c.n, .depth_end = pos};
		hit = match_colon(&w, c, &cur) ||
		      match_rule(&w, c, container_above, container_above_dir, &cur);
		if (hit) {
			memcpy(cur.pod_uid, w.pod_uid, sizeof(cur.pod_uid));
			cur.qos = w.pod_uid[0] ? w.qos : NULL;
			cur.nested = found++;
			best = cur;
			/* what is inside has a tree, and pods, of its own */
			w = (struct walk){.found = true};
		} else {
			note_pod(&w, c);
		}
		w.dir[2] = w.dir[1];
		w.dir[1] = w.dir[0];
		w.dir[0] = c;
		container_above_dir = container_above;
		container_above = hit;
	}
	if (!found)
		return -ENOENT;
	best.owner_uid = cgroup_path_owner(path, len);
	*out = best;
	return 0;
}

int cgroup_path_unit(const char *path, size_t len, const char **unit, size_t *n)
{
	static const char *const types[] = {".service", ".scope", ".slice",
					    ".socket",	".mount", ".swap"};
	struct cgroup_path container;
	struct span c = {NULL, 0}, v;
	size_t pos = 0;

	if (!well_formed(path, len) || !cgroup_path_parse(path, len, &container))
		return -ENOENT;
	while (next_component(path, len, &pos, &c))
		;
	/* systemd puts '_' before names that the kernel would take for its own files */
	v = c;
	if (v.n && v.s[0] == '_')
		strip_prefix(&v, "_");
	for (size_t i = 0; v.n && i < LEN(types); i++)
		if (span_ends(v, types[i])) {
			*unit = v.s;
			*n = v.n;
			return 0;
		}
	return -ENOENT;
}

long cgroup_path_owner(const char *path, size_t len)
{
	struct span c = {NULL, 0};
	size_t pos = 0;
	long uid = 0;

	if (!well_formed(path, len))
		return -1;
	/* /user.slice/user-UID.slice/user@UID.service: fixed by systemd, made by root */
	if (!next_component(path, len, &pos, &c) || !span_is(c, "user.slice") ||
	    !next_component(path, len, &pos, &c) || !strip_prefix(&c, "user-") ||
	    !next_component(path, len, &pos, &c) || !strip_prefix(&c, "user@") ||
	    !strip_suffix(&c, ".service") || c.n > 10 || !all_digits(c.s, c.n))
		return -1;
	for (size_t i = 0; i < c.n; i++)
		uid = uid * 10 + (c.s[i] - '0');
	return uid <= (long)UINT32_MAX ? uid : -1;
}
