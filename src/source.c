// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "clock.h"
#include "leader.h"
#include "log.h"
#include "source.h"

#define BATCH	4096 /* counters taken at a time */
#define KEY_MAX 128
#define TURN	65536 /* records taken in one turn: then signals, time and files have theirs */

struct source;
struct counter_map;

/* Hands on what an entry stands for, if it is final or @all are wanted; true: it is to be removed. */
typedef bool take_fn(struct source *s, const struct counter_map *m, const void *key,
		     const void *value, bool all);

struct counter_map {
	int fd;
	__u32 key_size, value_size;
	take_fn *take;
};

struct source {
	const struct loader *loader;
	struct pipeline *pipeline;
	struct ring_buffer *ring;
	struct counter_map counters[2 * EV__MAX + 1];
	unsigned int nr_counters;
	struct ev_leader *leaders; /* the map's memory; NULL: it is not used */
	size_t leaders_size; /* bytes */
	unsigned int taken; /* records, in this turn */
	__u64 swept; /* pipeline.nr_records at the last sweep */
	__u64 told_until; /* CLOCK_BOOTTIME, ns: what happened before has come out of the ring */
	bool left; /* the last sweep left what is younger */
	bool more; /* the turn ended before the ring was empty */
	void *keys, *values; /* BATCH of the largest */
	int nr_cpus;
};

static int on_record(void *arg, void *data, size_t len)
{
	struct source *s = arg;

	pipeline_feed(s->pipeline, data, len);
	s->more = ++s->taken >= TURN;
	return s->more ? -EAGAIN : 0;
}

/* One turn: what is in the ring, but no more than TURN records. The number of records, or -errno. */
static int consume(struct source *s)
{
	__u64 begin = clock_ns(CLOCK_BOOTTIME);
	int n;

	s->taken = 0;
	s->more = false;
	n = ring_buffer__consume(s->ring);
	if (s->more)
		return (int)s->taken;
	s->told_until = begin;
	return n == -EINTR ? 0 : n;
}

/*
 * Is this counter final? Its process is gone, or out of sight, or all of its cgroup is. One that is younger than
 * what the ring has told may be of a process and a cgroup that are not known yet.
 */
static bool is_final(struct source *s, const struct ev_hdr *hdr)
{
	const struct process *p;

	if (hdr->time > s->told_until) {
		s->left = true;
		return false;
	}
	p = process_find(s->pipeline->processes, hdr->pid, hdr->start);
	if (p && (p->exited || p->left))
		return true;
	return container_table_gone(s->pipeline->containers, hdr->cgroup);
}

/* The value is the record. */
static bool take_counter(struct source *s, const struct counter_map *m, const void *key,
			 const void *value, bool all)
{
	(void)key;
	if (!all && !is_final(s, value))
		return false;
	pipeline_feed(s->pipeline, value, m->value_size);
	return true;
}

static void feed_leader(struct source *s, const struct ev_leader *l)
{
	for (int i = 0; i < EV_LEADER_FILES; i++)
		if (l->file_at[i] &&
		    (l->file[i].io.reads || l->file[i].io.writes || l->file[i].io.mmaps))
			pipeline_feed(s->pipeline, &l->file[i].io, sizeof(l->file[i].io));
	for (int i = 0; i < EV_LEADER_CALLS; i++) {
		const struct ev_call_count *c = &l->call[i];
		struct ev_syscall_calls e = {
			.hdr = c->nr & EV_CALL_SETUP ? l->setup : l->hdr,
			.nr = c->nr & ~(EV_CALL_SETUP | EV_CALL_FILTERED),
			.err = c->err,
			.filtered = !!(c->nr & EV_CALL_FILTERED),
			.count = c->count,
		};

		if (!c->count)
			continue;
		e.hdr.time = c->time;
		e.hdr.flags = c->nr & EV_CALL_SETUP ? EV_F_SETUP : 0;
		pipeline_feed(s->pipeline, &e, sizeof(e));
	}
}

/*
 * May this first thread's entry be taken: does nobody write there any more? While it lives, only its cgroup is read
 * (0: the entry is just being made).
 */
static bool leader_is_final(struct source *s, const struct ev_leader *l, __u32 state)
{
	__u64 cgroup = __atomic_load_n(&l->hdr.cgroup, __ATOMIC_ACQUIRE);

	if (state == LEADER_ENDED)
		return is_final(s, &l->hdr);
	return container_table_removed(s->pipeline->containers, cgroup);
}

/* The key is its place, the value its state (bpf/leader.bpf.h): the record is in the other map's memory. */
static bool take_leader(struct source *s, const struct counter_map *m, const void *key,
			const void *value, bool all)
{
	const __u32 *slot = key, *state = value;
	struct ev_leader *l = &s->leaders[*slot];

	(void)m;
	if (!all && !leader_is_final(s, l, *state))
		return false;
	feed_leader(s, l);
	memset(l, 0, sizeof(*l));
	return true;
}

static void add_counter(struct source *s, const char *name, take_fn *take)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd = loader_map(s->loader, name);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || info.key_size > KEY_MAX)
		return;
	s->counters[s->nr_counters++] = (struct counter_map){
		.fd = fd,
		.key_size = info.key_size,
		.value_size = info.value_size,
		.take = take,
	};
}

/* The map of a counter is called like its event: "file_io" holds file.io; "_rest" what found no room in it. */
static void find_counters(struct source *s)
{
	for (int type = 0; type < EV__MAX; type++) {
		char name[64];

		if (!event_descs[type].counter)
			continue;
		snprintf(name, sizeof(name), "%s", event_descs[type].name);
		*strchr(name, '.') = '_';
		add_counter(s, name, take_counter);
		strcat(name, "_rest");
		add_counter(s, name, take_counter);
	}
}

static int map_leaders(struct source *s)
{
	int fd = loader_map(s->loader, "leaders");
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	void *at;

	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.max_entries == 1) /* no thread has an entry: loader.c */
		return 0;
	s->leaders_size = (size_t)info.max_entries * sizeof(*s->leaders);
	at = mmap(NULL, s->leaders_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	s->leaders = at;
	add_counter(s, "leaders_owned", take_leader);
	return 0;
}

int source_open(struct source **out, const struct loader *l, struct pipeline *p)
{
	struct source *s = calloc(1, sizeof(*s));
	__u32 largest = 0;
	int err;

	if (!s)
		return -ENOMEM;
	s->loader = l;
	s->pipeline = p;
	s->nr_cpus = libbpf_num_possible_cpus();
	s->ring = ring_buffer__new(loader_map(l, "ring"), on_record, s, NULL);
	err = map_leaders(s);
	find_counters(s);
	for (unsigned int i = 0; i < s->nr_counters; i++)
		if (s->counters[i].value_size > largest)
			largest = s->counters[i].value_size;
	s->keys = malloc((size_t)BATCH * KEY_MAX);
	s->values = malloc((size_t)BATCH * (largest + 1));
	if (!err && (!s->ring || !s->keys || !s->values || s->nr_cpus < 0))
		err = -ENOMEM;
	if (err) {
		source_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void source_close(struct source *s)
{
	if (!s)
		return;
	ring_buffer__free(s->ring);
	if (s->leaders)
		munmap(s->leaders, s->leaders_size);
	free(s->keys);
	free(s->values);
	free(s);
}

int source_poll(struct source *s, int ms, bool eager)
{
	struct pollfd pfd = {.fd = ring_buffer__epoll_fd(s->ring), .events = POLLIN};

	/* most records come without a wake-up: look whether the wait was ended or not */
	if (ms && !s->more) {
		loader_sleeps(s->loader, eager);
		poll(&pfd, 1, ms);
	}
	return consume(s);
}

/*
 * Goes through one map. A counter is handed on exactly once, when nothing can be added to it any
 * more, and then removed: sums stay exact without a copy of what was handed on before.
 */
static int take_counters(struct source *s, const struct counter_map *m, bool all)
{
	void *in = NULL;
	__u64 cursor = 0; /* of the kernel: a bucket number */
	int err = 0;

	while (!err) {
		__u32 n = BATCH;

		loader_hold_cpu(s->loader);
		err = bpf_map_lookup_batch(m->fd, in, &cursor, s->keys, s->values, &n, NULL);
		if (err && err != -ENOENT) /* -ENOENT: these were the last */
			n = 0;
		in = &cursor;
		for (__u32 i = 0; i < n; i++) {
			const char *value = (char *)s->values + (size_t)i * m->value_size;
			const char *key = (char *)s->keys + (size_t)i * m->key_size;

			if (m->take(s, m, key, value, all))
				bpf_map_delete_elem(m->fd, key);
		}
		loader_release_cpu(s->loader);
	}
	return err == -ENOENT ? 0 : err;
}

static int take_all_counters(struct source *s, bool all)
{
	int first = 0;

	for (unsigned int i = 0; i < s->nr_counters; i++) {
		int err = take_counters(s, &s->counters[i], all);

		if (err && !first)
			first = err;
	}
	return first;
}

int source_sweep(struct source *s)
{
	/* looking through maps is most of what an idle recording costs: who is gone has sent a record */
	if (s->swept == s->pipeline->nr_records && !s->left)
		return 0;
	s->swept = s->pipeline->nr_records;
	s->left = false;
	return take_all_counters(s, false);
}

int source_drain(struct source *s)
{
	int err;

	while ((err = consume(s)) > 0)
		;
	return err < 0 ? err : take_all_counters(s, true);
}

int source_iterate(struct source *s, const char *program)
{
	int fd = loader_iterate(s->loader, program), err = 0;
	size_t have = 0, cap = 4 * EV_MAX_LEN;
	ssize_t n;
	char *buf;

	if (fd < 0)
		return fd;
	buf = malloc(cap);
	if (!buf)
		err = -ENOMEM;
	while (!err && (n = read(fd, buf + have, cap - have)) != 0) {
		size_t off = 0;

		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				err = -errno;
			continue;
		}
		have += n;
		/* records lie one behind the other; the last may not be complete yet */
		while (have - off >= sizeof(struct ev_hdr)) {
			struct ev_hdr hdr;

			memcpy(&hdr, buf + off, sizeof(hdr));
			if (hdr.len < sizeof(hdr) || hdr.len > EV_MAX_LEN) {
				err = -EBADMSG;
				break;
			}
			if (have - off < hdr.len)
				break;
			pipeline_feed(s->pipeline, buf + off, hdr.len);
			off += hdr.len;
		}
		memmove(buf, buf + off, have - off);
		have -= off;
	}
	free(buf);
	close(fd);
	return err;
}

__u64 source_lost_of(const struct source *s, enum ev_type type)
{
	int fd = loader_map(s->loader, "lost");
	__u64 *per_cpu = calloc(s->nr_cpus, sizeof(*per_cpu)), sum = 0;
	__u32 key = type;

	loader_hold_cpu(s->loader);
	if (per_cpu && fd >= 0 && !bpf_map_lookup_elem(fd, &key, per_cpu))
		for (int cpu = 0; cpu < s->nr_cpus; cpu++)
			sum += per_cpu[cpu];
	loader_release_cpu(s->loader);
	free(per_cpu);
	return sum;
}

void source_lost(const struct source *s, __u64 lost[EV__MAX])
{
	for (int type = 0; type < EV__MAX; type++)
		lost[type] += source_lost_of(s, type);
}
