// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "facts.h"
#include "json_at.h"

#define TREE_DEPTH 200 /* deeper than any report that is ours */
#define EPHEMERAL  32768 /* Linux hands out ports from here on (ip_local_port_range) */

/* ---- sets ---- */

void fact_add(struct fact_set *s, const char *key, __u64 count, __u32 report)
{
	struct fact *more;

	if (!*key)
		return;
	if (s->nr == s->room) {
		more = realloc(s->v, (s->room * 2 + 64) * sizeof(*more));
		if (!more) {
			s->no_memory = true;
			return;
		}
		s->v = more;
		s->room = s->room * 2 + 64;
	}
	s->v[s->nr] = (struct fact){strdup(key), count, 1, report};
	if (s->v[s->nr].key)
		s->nr++;
	else
		s->no_memory = true;
}

static int by_key(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;
	int n = strcmp(x->key, y->key);

	return n ? n : (x->last > y->last) - (x->last < y->last);
}

void fact_settle(struct fact_set *s)
{
	size_t used = 0;

	if (s->nr)
		qsort(s->v, s->nr, sizeof(*s->v), by_key);
	for (size_t i = 0; i < s->nr; i++) {
		struct fact *f = &s->v[i], *prev = used ? &s->v[used - 1] : NULL;

		if (!prev || strcmp(prev->key, f->key) != 0) {
			s->v[used++] = *f;
			continue;
		}
		prev->count += f->count;
		if (prev->last != f->last)
			prev->runs += f->runs;
		prev->last = f->last;
		free(f->key);
	}
	s->nr = used;
}

const struct fact *fact_find(const struct fact_set *s, const char *key)
{
	struct fact want = {.key = (char *)key};
	size_t low = 0, high = s->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int n = strcmp(s->v[mid].key, want.key);

		if (!n)
			return &s->v[mid];
		if (n < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

void fact_set_free(struct fact_set *s)
{
	for (size_t i = 0; i < s->nr; i++)
		free(s->v[i].key);
	free(s->v);
	*s = (struct fact_set){};
}

/* ---- what a report says ---- */

/* Who only sent a signal is listed as well, though of outside: it made no call in here. */
static bool is_inside(const cJSON *p)
{
	return !cJSON_IsTrue(json_at(p, "setup")) &&
	       (cJSON_GetArraySize(json_at(p, "execs")) ||
		json_number(json_at(p, "syscalls"), "count") > 0);
}

/* Processes of the workload: what they executed, and as whom. */
static void add_processes(struct facts *f, const cJSON *list, __u32 nr, unsigned int depth)
{
	const cJSON *p, *e;
	char user[32];

	cJSON_ArrayForEach(p, list)
	{
		if (is_inside(p)) {
			snprintf(user, sizeof(user), "%u:%u", (unsigned int)json_number(p, "uid"),
				 (unsigned int)json_number(p, "gid"));
			fact_add(&f->sets[FACT_USERS], user, 1, nr);
		}
		cJSON_ArrayForEach(e, json_at(p, "execs"))
		{
			if (strcmp(json_text(e, "phase"), "run") != 0)
				continue;
			fact_add(&f->sets[FACT_EXECUTABLES], json_text(e, "exe"), 1, nr);
			if (json_number(p, "uid") > 0 &&
			    json_number(e, "euid") != json_number(p, "uid"))
				f->gained = true;
		}
		if (depth < TREE_DEPTH)
			add_processes(f, json_at(p, "children"), nr, depth + 1);
	}
}

static void add_file(struct facts *f, const cJSON *c, __u32 nr)
{
	const char *path = json_text(c, "path");
	__u64 created = json_count(c, "created"), writes = json_count(c, "writes");
	bool directory = !strcmp(json_text(c, "type"), "directory");
	char key[4200];

	snprintf(key, sizeof(key), "%.4100s%s", path, directory && strcmp(path, "/") ? "/" : "");
	fact_add(&f->sets[FACT_OPENED], key, json_count(c, "opens"), nr);
	if (!created && json_number(c, "opens") > json_number(c, "failed") && !directory)
		fact_add(&f->sets[FACT_FOUND], path, json_count(c, "opens"), nr);
	if (json_number(c, "mmaps") > 0)
		fact_add(&f->sets[FACT_MAPPED], path, json_count(c, "mmaps"), nr);
	if (created)
		fact_add(&f->sets[FACT_CREATED], path, created, nr);
	if (writes || created)
		fact_add(&f->sets[FACT_WRITTEN], path, writes + created, nr);
}

static bool is_one_of(const char *word, const char *const *words, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

/* Changes that succeeded; a new name is one, too. */
static void add_change(struct facts *f, const cJSON *c, __u32 nr)
{
	static const char *const changing[] = {"file.create",	"file.rename", "file.unlink",
					       "file.mkdir",	"file.rmdir",  "file.link",
					       "file.symlink",	"file.chmod",  "file.chown",
					       "file.truncate", "file.mknod",  "file.xattr"};
	static const char *const making[] = {"file.create", "file.mkdir", "file.symlink",
					     "file.mknod"};
	static const char *const renaming[] = {"file.rename", "file.link"};
	const char *event = json_text(c, "event"), *path = json_text(c, "path");
	const char *target = json_text(c, "target");
	__u64 count = json_count(c, "count");

	if (*json_text(c, "error") ||
	    !is_one_of(event, changing, sizeof(changing) / sizeof(changing[0])))
		return;
	fact_add(&f->sets[FACT_WRITTEN], path, count, nr);
	if (is_one_of(event, making, sizeof(making) / sizeof(making[0])))
		fact_add(&f->sets[FACT_CREATED], path, count, nr);
	if (is_one_of(event, renaming, sizeof(renaming) / sizeof(renaming[0]))) {
		fact_add(&f->sets[FACT_WRITTEN], target, count, nr);
		fact_add(&f->sets[FACT_CREATED], target, count, nr);
	}
}

static void add_files(struct facts *f, const cJSON *files, __u32 nr)
{
	const cJSON *c;

	cJSON_ArrayForEach(c, json_at(files, "list"))
	{
		add_file(f, c, nr);
	}
	cJSON_ArrayForEach(c, json_at(files, "changes"))
	{
		add_change(f, c, nr);
	}
}

static void add_end(struct fact_set *s, const char *protocol, const char *address, double port,
		    __u64 count, __u32 nr)
{
	char key[128];

	/* an address is digits, letters, dots and colons; anything else is none */
	if (!*address || address[strspn(address, "0123456789abcdefABCDEF.:")] || port > 65535)
		return;
	snprintf(key, sizeof(key), "%s %.60s %u", protocol, address, (unsigned int)port);
	fact_add(s, key, count ? count : 1, nr);
}

/*
 * Of UDP there is no listen(2): who got something on a port that Linux would not have handed out
 * is a server; who sent from another one has a peer.
 */
static void add_network(struct facts *f, const cJSON *report, __u32 nr)
{
	const cJSON *c, *tcp = json_at(report, "tcp");

	cJSON_ArrayForEach(c, json_at(tcp, "listeners"))
	{
		add_end(&f->sets[FACT_LISTENERS], "tcp", json_text(c, "local_addr"),
			json_number(c, "local_port"), json_count(c, "count"), nr);
	}
	cJSON_ArrayForEach(c, json_at(tcp, "peers"))
	{
		if (!strcmp(json_text(c, "direction"), "out"))
			add_end(&f->sets[FACT_PEERS], "tcp", json_text(c, "address"),
				json_number(c, "port"), json_count(c, "connections"), nr);
	}
	cJSON_ArrayForEach(c, json_at(json_at(report, "udp"), "peers"))
	{
		double port = json_number(c, "local_port");

		if (json_number(c, "receives") > 0 && port > 0 && port < EPHEMERAL)
			add_end(&f->sets[FACT_LISTENERS], "udp", json_text(c, "local_addr"), port,
				json_count(c, "receives"), nr);
		else if (json_number(c, "sends") > 0)
			add_end(&f->sets[FACT_PEERS], "udp", json_text(c, "peer_addr"),
				json_number(c, "peer_port"), json_count(c, "sends"), nr);
	}
}

static void add_mounts(struct facts *f, const cJSON *container, __u32 nr)
{
	const cJSON *m;
	char key[3 * 4096 + 64];

	cJSON_ArrayForEach(m, json_at(container, "mounts"))
	{
		const char *where = json_text(m, "destination"), *name = json_text(m, "name");
		const char *source = *name ? name : json_text(m, "source");

		if (strpbrk(where, "\t\n") || strpbrk(source, "\t\n") || *where != '/')
			continue;
		snprintf(key, sizeof(key), "%.4095s\t%.60s\t%.4095s\t%s", where,
			 *name ? "volume" : json_text(m, "type"), source,
			 cJSON_IsTrue(json_at(m, "read_only")) ? "ro" : "rw");
		fact_add(&f->sets[FACT_MOUNTS], key, 1, nr);
	}
}

static void copy(char *out, size_t size, const char *text)
{
	if (*text)
		snprintf(out, size, "%s", text);
}

static void add_container(struct facts *f, const cJSON *container, __u32 nr)
{
	const cJSON *c;

	copy(f->name, sizeof(f->name), json_text(container, "name"));
	copy(f->image, sizeof(f->image), json_text(json_at(container, "image"), "name"));
	copy(f->user, sizeof(f->user), json_text(container, "user"));
	cJSON_ArrayForEach(c, json_at(container, "capabilities"))
	{
		if (cJSON_IsString(c))
			fact_add(&f->sets[FACT_CONFIGURED], c->valuestring, 1, nr);
	}
	add_mounts(f, container, nr);
}

static void add_named(struct fact_set *s, const cJSON *list, const char *key, __u32 nr)
{
	const cJSON *c;

	cJSON_ArrayForEach(c, list)
	{
		fact_add(s, json_text(c, key), json_count(c, "count"), nr);
	}
}

static void add_capabilities(struct facts *f, const cJSON *checks, __u32 nr)
{
	const cJSON *c;

	cJSON_ArrayForEach(c, checks)
	{
		if (cJSON_IsTrue(json_at(c, "granted")) && cJSON_IsTrue(json_at(c, "own")) &&
		    !*json_text(c, "error"))
			fact_add(&f->sets[FACT_CAPABILITIES], json_text(c, "cap"),
				 json_count(c, "count"), nr);
	}
}

int facts_add(struct facts *f, const cJSON *report, __u32 nr)
{
	const cJSON *syscalls = json_at(report, "syscalls");
	bool no_memory = false;

	add_named(&f->sets[FACT_CALLS], json_at(syscalls, "calls"), "name", nr);
	add_named(&f->sets[FACT_OPERATIONS], json_at(syscalls, "io_uring"), "op", nr);
	add_capabilities(f, json_at(json_at(report, "capabilities"), "checks"), nr);
	add_processes(f, json_at(json_at(report, "processes"), "tree"), nr, 0);
	add_files(f, json_at(report, "files"), nr);
	add_network(f, report, nr);
	add_container(f, json_at(report, "container"), nr);
	for (int i = 0; i < FACT__MAX; i++) {
		fact_settle(&f->sets[i]);
		no_memory |= f->sets[i].no_memory;
	}
	return no_memory ? -ENOMEM : 0;
}

void facts_free(struct facts *f)
{
	for (int i = 0; i < FACT__MAX; i++)
		fact_set_free(&f->sets[i]);
}
