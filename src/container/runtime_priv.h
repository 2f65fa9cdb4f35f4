/* SPDX-License-Identifier: MIT */
/* Shared by the files of the runtime lookup, and by nobody else. */
#ifndef EBPFMON_CONTAINER_RUNTIME_PRIV_H
#define EBPFMON_CONTAINER_RUNTIME_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cjson/cJSON.h>
#include "container/runtime.h"

#define RT_LEN(a)	(sizeof(a) / sizeof((a)[0]))
#define RT_STR_MAX	4096 /* longer strings are cut */
#define RT_LIST_MAX	512 /* longer lists are cut */
#define RT_OWNER_SYSTEM (-1L)

/* What a user's files may cost, for one question: he can make them as many and as long as he likes. */
#define RT_USERS_FILES 2048
#define RT_USERS_BYTES (16UL << 20)

/* What a place holds. */
enum rt_kind {
	RT_DOCKER, /* DIR/containers/ID/config.v2.json */
	RT_STATE, /* DIR/ID/state.json (runc) or DIR/ID/status (crun) */
	RT_STATE_NS, /* DIR/NAMESPACE/ID/state.json */
	RT_BUNDLE_NS, /* DIR/NAMESPACE/ID/config.json: containerd's tasks */
	RT_STORAGE, /* DIR/DRIVER-containers/: podman and CRI-O */
	RT_LXC, /* DIR/NAME/config or DIR/NAME/lxc.conf */
	RT_MACHINE, /* DIR/NAME: systemd-machined */
};

/*
 * A directory where state may be. The first @trusted bytes of its path are root's; below that a
 * user's place (owner >= 0) is walked without following any symbolic link, as the user could have
 * placed them, and only files that the user owns are read.
 */
struct rt_place {
	char *path;
	size_t trusted;
	long owner;
	enum rt_kind kind;
};

/* How many more of a user's files, and bytes of them, may be read. */
struct rt_allowance {
	size_t files, bytes;
};

struct rt {
	const struct runtime_paths *paths;
	const char *root;
	struct rt_place *places;
	size_t nr_places;
	struct rt_allowance *users; /* spent by whoever reads */
	struct rt_allowance allowance; /* where it points */
};

/* runtime_places.c */
int rt_init(struct rt *rt, const struct runtime_paths *p);
void rt_exit(struct rt *rt);
void rt_allow(struct rt *rt);
int rt_add(struct rt *rt, enum rt_kind kind, long owner, size_t trusted, const char *path);
int rt_add_user(struct rt *rt, long uid);
int rt_add_all_users(struct rt *rt);
int rt_add_from_processes(struct rt *rt);
int rt_add_told(struct rt *rt);
bool rt_may_walk(const struct rt *rt);
void rt_drop_places(struct rt *rt, size_t left);
int rt_add_docker_exec_root(struct rt *rt, long owner, size_t trusted, const char *exec_root);

/* state_file.c: reading, all relative to a place. @fmt makes a path below it. */
int rt_open(const struct rt *rt, const struct rt_place *at, const char *rel, int flags);
int rt_read(const struct rt *rt, const struct rt_place *at, const char *rel, char **buf,
	    size_t *len);
cJSON *rt_json(const struct rt *rt, const struct rt_place *at, const char *rel);
int rt_each(const struct rt *rt, const struct rt_place *at, const char *rel,
	    int (*fn)(const char *name, void *arg), void *arg);
char *rt_proc_read(const struct rt *rt, pid_t pid, const char *file, size_t *len);
bool rt_alive(const struct rt *rt, pid_t pid, uint64_t start);
void rt_system_place(struct rt_place *at, const char *path);

/* info.c: fields are filled once; what is set stays. A failed allocation leaves the field NULL. */
void info_set(char **field, const char *value);
void info_set_n(char **field, const char *value, size_t len);
void info_add(char ***list, size_t *n, const char *value);
void info_add_label(struct container_info *info, const char *key, const char *value);
struct container_mount *info_add_mount(struct container_info *info, const char *destination);
struct container_network *info_add_network(struct container_info *info, const char *name);
void info_digest_of_image(struct container_info *info);
void info_add_cgroup(struct container_info *info, const char *path);
void info_annotation(struct container_info *info, const char *key, const char *value);
bool info_set_caps(struct container_info *info, const cJSON *names);
const char *state_str(const cJSON *obj, const char *key);
const cJSON *state_obj(const cJSON *obj, const char *key);
bool state_true(const cJSON *obj, const char *key);
pid_t state_pid(const cJSON *obj, const char *key);
uint64_t state_u64(const cJSON *obj, const char *key);

/*
 * One per kind of place. fill(): add what the place knows of container @id, found below @sub (a
 * namespace or storage driver's directory, "" if the kind has none); 0, or -ENOENT if nothing.
 */
int docker_fill(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
		struct container_info *info);
int state_fill(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
	       struct container_info *info);
int bundle_fill(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
		struct container_info *info);
int storage_fill(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
		 struct container_info *info);
int lxc_fill(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
	     struct container_info *info);
int machine_fill(const struct rt *rt, const struct rt_place *at, const char *sub, const char *id,
		 struct container_info *info);

/* What @creator's command line names: 0 and @info filled, and maybe a place more; or -ENOENT. */
int rt_creator(struct rt *rt, pid_t creator, const char *cgroup_path, struct container_info *info);
/* comm, or what stands for it; the caller's, or NULL. */
char *rt_process_name(const struct rt *rt, pid_t pid);
bool rt_process_is_trusted(const struct rt *rt, pid_t pid);
const char *rt_option(const char *argv, size_t len, const char *name);

/* Add what an OCI bundle's config.json, at @rel below @at, says. 0 or -ENOENT. */
int bundle_config(const struct rt *rt, const struct rt_place *at, const char *rel,
		  struct container_info *info);

static inline void rt_free_str(char **p)
{
	free(*p);
}

static inline void rt_free_json(cJSON **p)
{
	cJSON_Delete(*p);
}

static inline void rt_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define _cleanup_str_  __attribute__((cleanup(rt_free_str)))
#define _cleanup_json_ __attribute__((cleanup(rt_free_json)))
#define _cleanup_fd_   __attribute__((cleanup(rt_close_fd)))

#endif
