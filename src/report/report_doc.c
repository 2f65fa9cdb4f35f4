// SPDX-License-Identifier: MIT
/* The whole document: head, container, what was seen and what not, then each part's share. */
#include <stdlib.h>
#include <string.h>
#include "container/container.h"
#include "../names.h"	/* not include/names.h, which the search path has first */
#include "report/report_sink.h"
#include "session.h"

enum partial {
	PARTIAL_EXISTING	= 1 << 0,
	PARTIAL_RUNNING		= 1 << 1,
	PARTIAL_LOST		= 1 << 2,
	PARTIAL_COVERAGE	= 1 << 3,
	PARTIAL_FOLDED		= 1 << 4,
};

static const char *const partial_names[] = {
	"was_running_before",	/* what it did before the recording is not here */
	"still_running",	/* what it would do later is not here */
	"lost_records", "missing_coverage", "folded",
};

static __u64 total_lost(const struct session *end)
{
	__u64 sum = end->lost_other;

	for (unsigned int i = 0; i < EV__MAX; i++)
		sum += end->lost[i];
	return sum;
}

__u64 report_folded(const struct report *rep)
{
	const struct report_processes *ps = &rep->processes;

	return ps->all.folded + ps->folded_forks + ps->folded_execs + ps->calls.folded +
	       ps->events.t.folded + rep->syscalls.all.folded + rep->files.folded_records +
	       rep->files.changes.t.folded + rep->files.volumes.folded + rep->ipc.channels.folded +
	       rep->ipc.users.folded + rep->ipc.events.t.folded + rep->tcp.folded +
	       rep->tcp.listeners.t.folded + rep->tcp.datagrams.t.folded + rep->tcp.peers.folded;
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
		if (!end->coverage[i].active)
			why |= PARTIAL_COVERAGE;
	if (report_folded(rep))
		why |= PARTIAL_FOLDED;
	return why;
}

static void host_json(struct json *j, const struct report_host *h)
{
	json_object(j, "host", JSON_INLINE);
	json_str(j, "hostname", h->hostname);
	json_str(j, "kernel", h->kernel);
	json_str(j, "machine", h->machine);
	json_u64(j, "cpus", h->cpus);
	json_str_if(j, "boot_id", h->boot_id);
	json_end(j);
}

static void recording_json(const struct report *rep, struct json *j, const struct session *end)
{
	unsigned int why = report_partial(rep, end);

	json_object(j, "recording", JSON_LINES);
	json_time(j, "start", end->begin);
	json_time(j, "end", end->end);
	json_u64(j, "duration", end->end > end->begin ? end->end - end->begin : 0);
	json_str(j, "end_reason", end->end_reason ? end->end_reason : "unknown");
	json_array(j, "subsystems", JSON_INLINE);
	for (unsigned int i = 0; i < EVS__MAX; i++)
		if (end->subsystems[i])
			json_str(j, NULL, subsystem_names[i]);
	json_end(j);
	json_bool(j, "syscall_time", end->syscall_time);
	json_bool(j, "complete", !why);
	json_array(j, "partial", JSON_INLINE);
	for (unsigned int i = 0; i < sizeof(partial_names) / sizeof(partial_names[0]); i++)
		if (why & 1u << i)
			json_str(j, NULL, partial_names[i]);
	json_end(j);
	json_end(j);
}

void report_container_ref(struct json *j, const char *key, const struct container *c)
{
	json_object(j, key, JSON_INLINE);
	json_str_if(j, "id", c->id);
	json_str_if(j, "name", c->info.name);
	json_end(j);
}

static void image_json(struct json *j, const struct container_info *info)
{
	if (!info->image && !info->image_digest)
		return;
	json_object(j, "image", JSON_INLINE);
	json_str_if(j, "name", info->image);
	json_str_if(j, "digest", info->image_digest);
	json_end(j);
}

static void pod_json(struct json *j, const struct container_info *info)
{
	if (!info->pod_name && !info->pod_uid)
		return;
	json_object(j, "pod", JSON_INLINE);
	json_str_if(j, "name", info->pod_name);
	json_str_if(j, "namespace", info->pod_namespace);
	json_str_if(j, "uid", info->pod_uid);
	json_end(j);
}

static void labels_json(struct json *j, const struct container_info *info)
{
	/* Labels are anybody's text: as key and value of objects, not as keys of one. */
	json_array(j, "labels", JSON_INLINE);
	for (size_t i = 0; i < info->nr_labels; i++) {
		const char *s = info->labels[i], *eq = s ? strchr(s, '=') : NULL;

		if (!s)
			continue;
		json_object(j, NULL, JSON_INLINE);
		json_bytes(j, "key", s, eq ? (size_t)(eq - s) : strlen(s));
		json_str(j, "value", eq ? eq + 1 : "");
		json_end(j);
	}
	json_end(j);
}

static void mounts_json(struct json *j, const struct container_info *info)
{
	json_array(j, "mounts", JSON_LINES);
	for (size_t i = 0; i < info->nr_mounts; i++) {
		const struct container_mount *m = &info->mounts[i];

		json_object(j, NULL, JSON_INLINE);
		json_str_if(j, "destination", m->destination);
		json_str_if(j, "source", m->source);
		json_str_if(j, "type", m->type);
		json_str_if(j, "name", m->name);
		json_bool(j, "read_only", !m->rw);
		json_end(j);
	}
	json_end(j);
}

static void config_json(struct json *j, const struct container_info *info)
{
	json_str_if(j, "user", info->user);
	json_true_if(j, "privileged", info->privileged);
	json_true_if(j, "readonly_root", info->readonly_root);
	json_str_if(j, "hostname", info->hostname);
	json_str_if(j, "seccomp", info->seccomp);
	if (info->caps_known) {
		json_array(j, "capabilities", JSON_INLINE);
		for (unsigned int cap = 0; cap < 64; cap++)
			if (info->caps >> cap & 1 && name_capability(cap))
				json_str(j, NULL, name_capability(cap));
		json_end(j);
	}
	json_array(j, "networks", JSON_INLINE);
	for (size_t i = 0; i < info->nr_networks; i++)
		json_str(j, NULL, info->networks[i]);
	json_end(j);
}

static __u64 to_wall(__u64 boot, __s64 boot_to_wall)
{
	return boot ? boot + (__u64)boot_to_wall : 0;
}

static void container_json(const struct report *rep, struct json *j, const struct session *end)
{
	const struct container *c = rep->container;
	const char *sig = c->exit_signal ? name_signal((unsigned int)c->exit_signal) : NULL;

	json_object(j, "container", JSON_LINES);
	json_str(j, "id", c->id ? c->id : "");
	json_str_if(j, "name", c->info.name);
	json_str_if(j, "runtime", c->runtime);
	image_json(j, &c->info);
	pod_json(j, &c->info);
	json_time(j, "created", to_wall(c->created, end->boot_to_wall));
	json_time(j, "started", to_wall(c->started, end->boot_to_wall));
	json_time(j, "stopped", to_wall(c->stopped, end->boot_to_wall));
	json_bool(j, "existing", c->existing);
	if (c->stopped) {
		json_i64(j, "exit_code", c->exit_code);
		json_str_if(j, "exit_signal", sig);
	}
	json_u64_if(j, "init_pid", c->init_pid);
	json_str_if(j, "cgroup", c->cgroup_path);
	config_json(j, &c->info);
	labels_json(j, &c->info);
	mounts_json(j, &c->info);
	json_end(j);
}

static void coverage_json(struct json *j, const struct session *end)
{
	json_array(j, "coverage", JSON_LINES);
	for (unsigned int i = 0; i < end->nr_coverage; i++) {
		const struct coverage *c = &end->coverage[i];

		json_object(j, NULL, JSON_INLINE);
		json_str(j, "program", c->program ? c->program : "");
		json_str(j, "subsystem", c->subsystem ? c->subsystem : "");
		json_str(j, "hook", c->hook ? c->hook : "");
		json_bool(j, "active", c->active);
		if (!c->active)
			json_bytes(j, "reason", c->reason, strnlen(c->reason, sizeof(c->reason)));
		json_end(j);
	}
	json_end(j);
}

static void lost_json(struct json *j, const struct session *end)
{
	json_object(j, "lost", JSON_INLINE);
	json_u64(j, "total", total_lost(end));
	json_u64(j, "other", end->lost_other);
	json_object(j, "events", JSON_INLINE);
	for (unsigned int i = 0; i < EV__MAX; i++)
		json_u64_if(j, event_descs[i].name, end->lost[i]);
	json_end(j);
	json_end(j);
}

static void limits_json(const struct report *rep, struct json *j)
{
	json_object(j, "limits", JSON_INLINE);
#define LIMIT(member, value, doc) json_u64(j, #member, rep->limits->member);
	REPORT_LIMITS(LIMIT)
#undef LIMIT
	json_u64(j, "memory_used", rep->arena.own.used);
	json_end(j);
}

/* How often each event happened. Counters are left out: how often they are drained says nothing. */
static void events_json(const struct report *rep, struct json *j, enum phase phase)
{
	json_object(j, "events", JSON_LINES);
	for (unsigned int i = 0; i < EV__MAX; i++) {
		if (event_descs[i].counter || !rep->events[phase][i])
			continue;
		json_object(j, event_descs[i].name, JSON_INLINE);
		json_u64(j, "count", rep->events[phase][i]);
		json_u64_if(j, "failed", rep->failed[phase][i]);
		json_end(j);
	}
	json_end(j);
}

static void setup_json(struct report *rep, struct json *j)
{
	json_object(j, "setup", JSON_LINES);
	events_json(rep, j, PHASE_SETUP);
	json_object(j, "files", JSON_INLINE);
	report_file_stats_json(j, &rep->files.total[PHASE_SETUP]);
	json_end(j);
	report_syscall_setup_json(rep, j);
	json_end(j);
}

int report_write(struct report *rep, struct json *j, const struct session *end)
{
	json_object(j, NULL, JSON_LINES);
	json_str(j, "schema", REPORT_SCHEMA);
	json_u64(j, "schema_version", REPORT_VERSION);
	json_object(j, "tool", JSON_INLINE);
	json_str(j, "name", "ebpfmon");
	json_str(j, "version", rep->sink->version);
	json_end(j);
	host_json(j, &rep->sink->host);
	recording_json(rep, j, end);
	container_json(rep, j, end);
	report_summary_json(rep, j);
	lost_json(j, end);
	json_u64(j, "folded", report_folded(rep));
	events_json(rep, j, PHASE_RUN);
	report_process_json(rep, j);
	report_syscall_json(rep, j);
	report_file_json(rep, j);
	report_ipc_json(rep, j);
	report_tcp_json(rep, j);
	setup_json(rep, j);
	coverage_json(j, end);
	limits_json(rep, j);
	return json_finish(j);
}
