// SPDX-License-Identifier: MIT
/* The report sink: gives each record to the parts, and at the end writes what they made of it. */
#include "report/report.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "container/container.h"
#include "log.h"
#include "report/report_sink.h"
#include "session.h"

/*
 * What is done with each event. Records of the set-up phase are the runtime's doing: only the
 * handlers that keep the phases apart themselves get them (setup), the others' are just counted.
 */
static const struct {
	report_handler *run;
	bool setup;
} handlers[EV__MAX] = {
	[EV_process_fork] = {report_fork, true},
	[EV_process_exec] = {report_exec, true},
	[EV_process_exit] = {report_exit, true},
	[EV_process_existing] = {report_process_existing, true},
	[EV_container_leave] = {report_leave, true},
	[EV_process_exec_failed] = {report_process_event, false},
	[EV_process_credentials] = {report_process_event, false},
	[EV_process_namespaces] = {report_process_event, false},
	[EV_syscall_calls] = {report_syscall, true},
	[EV_syscall_arguments] = {report_arguments, false},
	[EV_syscall_io_uring] = {report_io_uring, false},
	[EV_capability_checks] = {report_check, false},
	[EV_file_open] = {report_open, true},
	[EV_file_inherit] = {report_inherit, true},
	[EV_file_io] = {report_file_io, true},
	[EV_file_create] = {report_change, false},
	[EV_file_rename] = {report_change, false},
	[EV_file_unlink] = {report_change, false},
	[EV_file_mkdir] = {report_change, false},
	[EV_file_rmdir] = {report_change, false},
	[EV_file_link] = {report_change, false},
	[EV_file_symlink] = {report_change, false},
	[EV_file_chmod] = {report_change, false},
	[EV_file_chown] = {report_change, false},
	[EV_file_xattr] = {report_change, false},
	[EV_file_truncate] = {report_change, false},
	[EV_file_mount] = {report_change, false},
	[EV_file_umount] = {report_change, false},
	[EV_ipc_pipe] = {report_pipe, false},
	[EV_ipc_channel] = {report_channel, false},
	[EV_ipc_io] = {report_channel_io, false},
	[EV_ipc_unix_bind] = {report_unix_name, false},
	[EV_ipc_unix_listen] = {report_unix_name, false},
	[EV_ipc_unix_connect] = {report_unix_connect, false},
	[EV_ipc_unix_accept] = {report_unix_accept, false},
	[EV_ipc_sysv] = {report_ipc_event, false},
	[EV_ipc_signal] = {report_ipc_event, false},
	[EV_ipc_ptrace] = {report_ipc_event, false},
	[EV_ipc_process_vm] = {report_ipc_event, false},
	[EV_ipc_pidfd_getfd] = {report_ipc_event, false},
	[EV_tcp_connect] = {report_connect, false},
	[EV_tcp_accept] = {report_accept, false},
	[EV_tcp_listen] = {report_listen, false},
	[EV_tcp_close] = {report_close, false},
	[EV_tcp_existing] = {report_existing, false},
	[EV_tcp_datagrams] = {report_datagrams, false},
};

static struct report_sink *sink_of(struct sink *s)
{
	return (struct report_sink *)s;
}

static void set_limits(struct report *rep, const struct report_limits *l)
{
	rep->processes.all.limit = l->processes;
	rep->processes.calls.limit = l->process_syscalls;
	rep->processes.events.t.limit = l->process_events;
	rep->syscalls.all.limit = l->syscalls;
	rep->syscalls.arguments.t.limit = l->syscalls;
	rep->syscalls.io_uring.t.limit = l->syscalls;
	rep->checks.t.limit = l->syscalls;
	rep->files.all.limit = l->files;
	rep->files.directories.limit = l->directories;
	rep->files.volumes.limit = l->volumes;
	rep->files.changes.t.limit = l->changes;
	rep->ipc.channels.limit = l->channels;
	rep->ipc.users.limit = l->channel_users;
	rep->ipc.events.t.limit = l->ipc_events;
	rep->tcp.by_sock.limit = 2 * l->connections;
	rep->tcp.failures.limit = l->connections;
	rep->tcp.peers.limit = l->peers;
	rep->tcp.listeners.t.limit = l->peers;
	rep->tcp.datagrams.t.limit = l->peers;
}

static struct report *report_new(struct report_sink *s, const struct container *c)
{
	struct report *rep = calloc(1, sizeof(*rep));

	if (!rep)
		return NULL;
	rep->container = c;
	rep->sink = s;
	rep->limits = &s->limits;
	rep->arena.own.limit = s->limits.memory;
	rep->arena.shared = &s->memory;
	rep->index.own.limit = s->limits.memory;
	memcpy(rep->seed, s->seed, sizeof(rep->seed));
	set_limits(rep, &s->limits);
	if (hash_add(&s->by_container, hash_bytes(s->seed, &rep->container, sizeof(c)), &rep->node,
		     &rep->container, sizeof(c))) {
		free(rep);
		return NULL;
	}
	if (s->last)
		s->last->next = rep;
	else
		s->first = rep;
	s->last = rep;
	s->nr++;
	return rep;
}

static struct report *report_of(struct report_sink *s, const struct container *c)
{
	struct report *rep = s->cached;

	if (rep && rep->container == c)
		return rep;
	rep = (struct report *)hash_find(&s->by_container, hash_bytes(s->seed, &c, sizeof(c)), &c,
					 sizeof(c));
	if (!rep)
		rep = report_new(s, c);
	if (rep)
		s->cached = rep;
	return rep;
}

static bool has_error(const struct record *r)
{
	for (unsigned int i = r->desc->nr_fields; i--;)
		if (r->desc->fields[i].type == FT_err)
			return record_number(r->hdr, &r->desc->fields[i]) != 0;
	return false;
}

static int report_event(struct sink *sink, const struct record *r)
{
	struct report_sink *s = sink_of(sink);
	struct report *rep = report_of(s, r->container);
	__u16 type = r->hdr->type;
	enum phase phase = record_phase(r);

	if (!rep) {
		s->no_room++;
		return 0;
	}
	rep->boot_to_wall = r->boot_to_wall;
	if (!rep->first || r->wall < rep->first)
		rep->first = r->wall;
	if (r->wall > rep->last)
		rep->last = r->wall;
	rep->events[phase][type]++;
	if (has_error(r))
		rep->failed[phase][type]++;
	if (handlers[type].run && (phase == PHASE_RUN || handlers[type].setup))
		handlers[type].run(rep, r);
	return 0;
}

/* The reports' text is made from their JSON: what is shown and what is kept cannot differ. */
static int write_text(struct report_sink *s, struct report *rep, const struct session *end)
{
	struct jw j = {.fd = -1};
	cJSON *doc = NULL;
	int err = report_write(rep, &j, end);

	if (!err) {
		doc = cJSON_ParseWithLength(j.b.data, j.b.len);
		err = doc ? report_text(s->text, doc, s->text_width) : -ENOMEM;
	}
	if (err && err != -EPIPE)
		log_error("cannot show the summary: %s", strerror(-err));
	cJSON_Delete(doc);
	jw_free(&j);
	return err;
}

static void join_ends(struct report_sink *s)
{
	struct hash by_ends = {.seed = {s->seed[0], s->seed[1]}};

	for (struct report *rep = s->first; rep; rep = rep->next)
		report_tcp_index(rep, &by_ends);
	for (struct report *rep = s->first; rep; rep = rep->next)
		report_tcp_join(rep, &by_ends);
	hash_free(&by_ends);
	for (struct report *rep = s->first; rep; rep = rep->next)
		report_ipc_join(rep);
}

static int report_finish(struct sink *sink, const struct session *end)
{
	struct report_sink *s = sink_of(sink);
	int err = 0, ret = 0;

	if (!s->nr && s->json && s->out.file) {
		log_error("no container was seen: %s is not written", s->out.shown);
		return -ENOENT;
	}
	if (s->no_room)
		log_warn("no memory for some containers' reports: %llu records are in none",
			 (unsigned long long)s->no_room);
	join_ends(s);
	for (struct report *rep = s->first; rep; rep = rep->next) {
		if (report_partial(rep, end))
			s->partial++;
		if (s->json) {
			err = report_output_write(&s->out, rep, end);
			ret = ret ? ret : err;
		}
		if (s->text) {
			err = write_text(s, rep, end);
			ret = ret ? ret : err;
		}
	}
	err = report_output_finish(&s->out);
	return ret ? ret : err;
}

static void report_free(struct report *rep)
{
	struct hash *tables[] = {
		&rep->processes.all.h,
		&rep->processes.calls.h,
		&rep->processes.events.t.h,
		&rep->syscalls.all.h,
		&rep->files.all.h,
		&rep->files.directories.h,
		&rep->files.volumes.h,
		&rep->files.changes.t.h,
		&rep->ipc.channels.h,
		&rep->ipc.users.h,
		&rep->ipc.events.t.h,
		&rep->tcp.by_sock.h,
		&rep->tcp.failures.h,
		&rep->tcp.peers.h,
		&rep->tcp.listeners.t.h,
		&rep->tcp.datagrams.t.h,
		&rep->syscalls.arguments.t.h,
		&rep->syscalls.io_uring.t.h,
		&rep->checks.t.h,
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		hash_free(tables[i]);
	buf_free(&rep->scratch);
	arena_free(&rep->index);
	arena_free(&rep->arena);
	free(rep);
}

static void sink_free(struct sink *sink)
{
	struct report_sink *s = sink_of(sink);
	struct report *rep, *next;

	for (rep = s->first; rep; rep = next) {
		next = rep->next;
		report_free(rep);
	}
	hash_free(&s->by_container);
	report_output_close(&s->out);
	free(s->version);
	free(s);
}

static const struct sink_ops report_ops = {
	.name = "report",
	.event = report_event,
	.finish = report_finish,
	.free = sink_free,
};

void report_host_get(struct report_host *h)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct utsname u;

	memset(h, 0, sizeof(*h));
	if (!uname(&u)) {
		snprintf(h->hostname, sizeof(h->hostname), "%.*s", (int)sizeof(h->hostname) - 1,
			 u.nodename);
		snprintf(h->kernel, sizeof(h->kernel), "%s", u.release);
		snprintf(h->machine, sizeof(h->machine), "%.*s", (int)sizeof(h->machine) - 1,
			 u.machine);
	}
	h->cpus = cpus > 0 ? (unsigned int)cpus : 0;
	if (f) {
		if (fgets(h->boot_id, sizeof(h->boot_id), f))
			h->boot_id[strcspn(h->boot_id, "\n")] = 0;
		fclose(f);
	}
}

static void default_limits(struct report_limits *l)
{
#define LIMIT(member, value, doc) l->member = l->member ? l->member : (value);
	REPORT_LIMITS(LIMIT)
#undef LIMIT
}

struct sink *sink_report_new(const struct report_options *opt, int *err)
{
	struct report_sink *s = calloc(1, sizeof(*s));

	*err = -ENOMEM;
	if (!s)
		return NULL;
	s->out.fd = s->out.dirfd = -1;
	s->sink.ops = &report_ops;
	s->sink.all_events = true;
	s->sink.keeps_containers = true;
	s->limits = opt->limits;
	default_limits(&s->limits);
	s->memory.limit = s->limits.memory_total;
	s->text = opt->text;
	s->text_width = opt->text_width;
	s->version = strdup(opt->version ? opt->version : "unknown");
	if (!s->version)
		goto out;
	if (opt->host)
		s->host = *opt->host;
	else
		report_host_get(&s->host);
	hash_seed(s->seed);
	s->json = opt->output;
	if (s->json) {
		*err = report_output_open(&s->out, opt->output);
		if (*err)
			goto out;
	}
	*err = 0;
	return &s->sink;
out:
	sink_free(&s->sink);
	return NULL;
}

unsigned int sink_report_containers(const struct sink *s)
{
	return ((const struct report_sink *)s)->nr;
}

bool sink_report_partial(const struct sink *s)
{
	return ((const struct report_sink *)s)->partial;
}

const struct report *report_first(const struct report *rep)
{
	return rep->sink->first;
}
