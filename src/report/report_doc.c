// SPDX-License-Identifier: MIT
/* The whole document: head, container, what was seen and what not, then each part's share. */
#include <stdlib.h>
#include <string.h>
#include "container/container.h"
#include "../names.h" /* not include/names.h, which the search path has first */
#include "report/report_container.h"
#include "report/report_sink.h"
#include "session.h"

enum partial {
	PARTIAL_EXISTING = 1 << 0,
	PARTIAL_RUNNING = 1 << 1,
	PARTIAL_LOST = 1 << 2,
	PARTIAL_COVERAGE = 1 << 3,
	PARTIAL_FOLDED = 1 << 4,
};

static const char *const partial_names[] = {
	"was_running_before", /* what it did before the recording is not here */
	"still_running", /* what it would do later is not here */
	"lost_records",	      "missing_coverage", "folded",
};

static __u64 total_missed(const struct session *end)
{
	__u64 sum = 0;

	for (unsigned int i = 0; i < end->nr_coverage; i++)
		sum += end->coverage[i].missed;
	return sum;
}

static __u64 total_lost(const struct session *end)
{
	__u64 sum = end->lost_other;

	for (unsigned int i = 0; i < EV__MAX; i++)
		sum += end->lost[i];
	return sum + total_missed(end);
}

__u64 report_folded(const struct report *rep)
{
	const struct report_processes *ps = &rep->processes;

	return ps->all.folded + ps->folded_forks + ps->folded_execs + ps->calls.folded +
	       ps->events.t.folded + rep->syscalls.all.folded + rep->syscalls.arguments.t.folded +
	       rep->syscalls.io_uring.t.folded + rep->checks.t.folded + rep->files.folded_records +
	       rep->files.changes.t.folded + rep->files.volumes.folded + rep->ipc.channels.folded +
	       rep->ipc.users.folded + rep->ipc.events.t.folded + rep->tcp.folded +
	       rep->tcp.listeners.t.folded + rep->tcp.datagrams.t.folded + rep->tcp.peers.folded;
}

/* Programs of subsystems that nobody asked for are not missed. */
static bool is_missing(const struct coverage *c, const struct session *end)
{
	if (!coverage_is_missing(c))
		return false;
	for (unsigned int i = 0; i < EVS__MAX; i++)
		if (c->subsystem && !strcmp(c->subsystem, subsystem_names[i]))
			return end->subsystems[i];
	return true;
}

unsigned int report_partial(const struct report *rep, const struct session *end)
{
	unsigned int why = 0;

	if (rep->container->existing)
		why |= PARTIAL_EXISTING;
	if (!rep->container->stopped)
		why |= PARTIAL_RUNNING;
	if (total_lost(end))
		why |= PARTIAL_LOST;
	for (unsigned int i = 0; i < end->nr_coverage; i++)
		if (is_missing(&end->coverage[i], end))
			why |= PARTIAL_COVERAGE;
	if (report_folded(rep))
		why |= PARTIAL_FOLDED;
	return why;
}

static void host_json(struct jw *j, const struct report_host *h)
{
	jw_object(j, "host", JSON_INLINE);
	jw_str(j, "hostname", h->hostname);
	jw_str(j, "kernel", h->kernel);
	jw_str(j, "machine", h->machine);
	jw_u64(j, "cpus", h->cpus);
	jw_str_if(j, "boot_id", h->boot_id);
	jw_end(j);
}

static void recording_json(const struct report *rep, struct jw *j, const struct session *end)
{
	unsigned int why = report_partial(rep, end);

	jw_object(j, "recording", JSON_LINES);
	jw_time(j, "start", end->begin);
	jw_time(j, "end", end->end);
	jw_u64(j, "duration", end->end > end->begin ? end->end - end->begin : 0);
	jw_str(j, "end_reason", end->end_reason ? end->end_reason : "unknown");
	jw_array(j, "subsystems", JSON_INLINE);
	for (unsigned int i = 0; i < EVS__MAX; i++)
		if (end->subsystems[i])
			jw_str(j, NULL, subsystem_names[i]);
	jw_end(j);
	jw_bool(j, "syscall_time", end->syscall_time);
	jw_bool(j, "complete", !why);
	jw_array(j, "partial", JSON_INLINE);
	for (unsigned int i = 0; i < sizeof(partial_names) / sizeof(partial_names[0]); i++)
		if (why & 1u << i)
			jw_str(j, NULL, partial_names[i]);
	jw_end(j);
	jw_end(j);
}

void report_container_ref(struct jw *j, const char *key, const struct container *c)
{
	jw_object(j, key, JSON_INLINE);
	jw_str_if(j, "id", c->id);
	jw_str_if(j, "name", c->info.name);
	jw_end(j);
}

static void container_json(const struct report *rep, struct jw *j, const struct session *end)
{
	const struct container *c = rep->container;
	const char *sig = c->exit_signal ? name_signal((unsigned int)c->exit_signal) : NULL;

	jw_object(j, "container", JSON_LINES);
	report_container_json(j, c, end->boot_to_wall);
	if (c->stopped) {
		jw_i64(j, "exit_code", c->exit_code);
		jw_str_if(j, "exit_signal", sig);
	}
	jw_end(j);
}

static void coverage_json(struct jw *j, const struct session *end)
{
	jw_array(j, "coverage", JSON_LINES);
	for (unsigned int i = 0; i < end->nr_coverage; i++) {
		const struct coverage *c = &end->coverage[i];

		jw_object(j, NULL, JSON_INLINE);
		jw_str(j, "program", c->program ? c->program : "");
		jw_str(j, "subsystem", c->subsystem ? c->subsystem : "");
		jw_str(j, "hook", c->hook ? c->hook : "");
		jw_str_if(j, "gives", c->doc);
		jw_bool(j, "active", c->active);
		jw_true_if(j, "missing", is_missing(c, end));
		jw_u64_if(j, "missed", c->missed);
		if (!c->active)
			jw_bytes(j, "reason", c->reason, strnlen(c->reason, sizeof(c->reason)));
		jw_end(j);
	}
	jw_end(j);
}

static void lost_json(struct jw *j, const struct session *end)
{
	jw_object(j, "lost", JSON_INLINE);
	jw_u64(j, "total", total_lost(end));
	jw_u64(j, "other", end->lost_other);
	jw_u64(j, "missed", total_missed(end));
	jw_object(j, "events", JSON_INLINE);
	for (unsigned int i = 0; i < EV__MAX; i++)
		jw_u64_if(j, event_descs[i].name, end->lost[i]);
	jw_end(j);
	jw_end(j);
}

static void limits_json(const struct report *rep, struct jw *j)
{
	jw_object(j, "limits", JSON_INLINE);
#define LIMIT(member, value, doc) jw_u64(j, #member, rep->limits->member);
	REPORT_LIMITS(LIMIT)
#undef LIMIT
	jw_u64(j, "memory_used", rep->arena.own.used);
	jw_end(j);
}

/* How often each event happened. Counters are left out: how often they are drained says nothing. */
static void events_json(const struct report *rep, struct jw *j, enum phase phase)
{
	jw_object(j, "events", JSON_LINES);
	for (unsigned int i = 0; i < EV__MAX; i++) {
		if (event_descs[i].counter || !rep->events[phase][i])
			continue;
		jw_object(j, event_descs[i].name, JSON_INLINE);
		jw_u64(j, "count", rep->events[phase][i]);
		jw_u64_if(j, "failed", rep->failed[phase][i]);
		jw_end(j);
	}
	jw_end(j);
}

static void setup_json(struct report *rep, struct jw *j)
{
	jw_object(j, "setup", JSON_LINES);
	events_json(rep, j, PHASE_SETUP);
	jw_object(j, "files", JSON_INLINE);
	report_file_stats_json(j, &rep->files.total[PHASE_SETUP]);
	jw_end(j);
	report_syscall_setup_json(rep, j);
	jw_end(j);
}

int report_write(struct report *rep, struct jw *j, const struct session *end)
{
	jw_object(j, NULL, JSON_LINES);
	jw_str(j, "schema", REPORT_SCHEMA);
	jw_u64(j, "schema_version", REPORT_VERSION);
	jw_object(j, "tool", JSON_INLINE);
	jw_str(j, "name", "ebpfmon");
	jw_str(j, "version", rep->sink->version);
	jw_end(j);
	host_json(j, &rep->sink->host);
	recording_json(rep, j, end);
	container_json(rep, j, end);
	report_summary_json(rep, j);
	lost_json(j, end);
	jw_u64(j, "folded", report_folded(rep));
	events_json(rep, j, PHASE_RUN);
	report_process_json(rep, j);
	report_syscall_json(rep, j);
	report_capability_json(rep, j);
	report_file_json(rep, j);
	report_ipc_json(rep, j);
	report_tcp_json(rep, j);
	setup_json(rep, j);
	coverage_json(j, end);
	limits_json(rep, j);
	return jw_finish(j);
}
