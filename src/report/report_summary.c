// SPDX-License-Identifier: MIT
/* The figures that a person reads first. */
#include <stdlib.h>
#include <string.h>
#include "report/report_state.h"

#define TOP 5

struct top {
	const void *entry[TOP];
	__u64 value[TOP];
};

static void top_add(struct top *t, const void *entry, __u64 value)
{
	unsigned int i = TOP;

	if (!value || value <= t->value[TOP - 1])
		return;
	while (--i && t->value[i - 1] < value) {
		t->value[i] = t->value[i - 1];
		t->entry[i] = t->entry[i - 1];
	}
	t->value[i] = value;
	t->entry[i] = entry;
}

static void top_syscalls(struct report *rep, struct jw *j)
{
	struct call_sum *sums;
	void **list;
	size_t nr = report_call_sums(rep, PHASE_RUN, &sums, &list);
	struct top errors = {0};

	jw_object(j, "syscalls", JSON_INLINE);
	jw_u64(j, "count", rep->syscalls.count[PHASE_RUN]);
	jw_u64(j, "distinct", nr);
	jw_u64(j, "errors", rep->syscalls.errors[PHASE_RUN]);
	jw_array(j, "top", JSON_INLINE);
	for (size_t i = 0; i < nr && i < TOP; i++) {
		jw_object(j, NULL, JSON_INLINE);
		jw_str(j, "name", sums[i].name);
		jw_u64(j, "count", sums[i].count);
		jw_end(j);
	}
	jw_end(j);
	for (size_t i = 0; i < nr; i++)
		for (size_t k = 0; k < sums[i].nr_calls; k++)
			if (sums[i].calls[k]->err)
				top_add(&errors, sums[i].calls[k], sums[i].calls[k]->count);
	jw_array(j, "top_errors", JSON_INLINE);
	for (size_t i = 0; i < TOP && errors.entry[i]; i++)
		report_call_json(j, errors.entry[i]);
	jw_end(j);
	jw_end(j);
	free(sums);
	free(list);
}

static void top_files(struct report *rep, struct jw *j)
{
	const struct file_stats *s = &rep->files.total[PHASE_RUN];
	struct hash_node *n;
	struct top top = {0};
	__u64 read = 0, written = 0;

	table_for_each(&rep->files.all, n)
	{
		const struct report_file *f = (const struct report_file *)n;

		read += f->st.reads != 0;
		written += f->st.writes != 0;
		top_add(&top, f, f->st.read_bytes + f->st.written_bytes);
	}
	jw_object(j, "files", JSON_INLINE);
	jw_u64(j, "distinct", rep->files.all.h.nr);
	jw_u64(j, "read", read);
	jw_u64(j, "written", written);
	report_file_stats_json(j, s);
	jw_array(j, "top", JSON_INLINE);
	for (size_t i = 0; i < TOP && top.entry[i]; i++) {
		const struct report_file *f = top.entry[i];

		jw_object(j, NULL, JSON_INLINE);
		jw_bytes(j, "path", f->node.key, f->node.len);
		jw_u64(j, "read_bytes", f->st.read_bytes);
		jw_u64(j, "written_bytes", f->st.written_bytes);
		jw_end(j);
	}
	jw_end(j);
	jw_end(j);
}

/* Processes, and how many different programs they ran. */
static void top_processes(struct report *rep, struct jw *j)
{
	const struct report_processes *ps = &rep->processes;
	struct table seen = {.limit = ps->all.h.nr};
	struct top top = {0};
	struct hash_node *n;
	__u64 in_setup = 0;
	bool fresh;

	table_for_each(&ps->all, n)
	{
		const struct report_process *p = (const struct report_process *)n;

		in_setup += p->setup;
		if (!p->setup)
			top_add(&top, p, p->cpu_time);
		if (!p->setup && p->exe.s)
			table_get(rep, &seen, p->exe.s, p->exe.len, sizeof(struct hash_node),
				  &fresh);
	}
	jw_object(j, "processes", JSON_INLINE);
	jw_u64(j, "count", ps->all.h.nr - in_setup);
	jw_u64(j, "executables", seen.h.nr);
	jw_u64(j, "execs", rep->events[PHASE_RUN][EV_process_exec]);
	jw_u64(j, "failed_execs", rep->events[PHASE_RUN][EV_process_exec_failed]);
	jw_u64(j, "threads", ps->threads);
	jw_array(j, "top_cpu", JSON_INLINE);
	for (size_t i = 0; i < TOP && top.entry[i]; i++) {
		const struct report_process *p = top.entry[i];

		jw_object(j, NULL, JSON_INLINE);
		report_process_ref(j, p, 0, NULL);
		jw_u64(j, "cpu_time", p->cpu_time);
		jw_end(j);
	}
	jw_end(j);
	jw_end(j);
	hash_free(&seen.h);
}

static void top_network(struct report *rep, struct jw *j)
{
	const struct report_tcp *t = &rep->tcp;
	struct top top = {0};
	struct hash_node *n;
	char s[64];

	table_for_each(&t->peers, n)
	{
		const struct report_peer *p = (const struct report_peer *)n;

		top_add(&top, p, 1 + p->sent + p->received);
	}
	jw_object(j, "network", JSON_INLINE);
	jw_u64(j, "connections_out", t->opened);
	jw_u64(j, "connections_in", t->accepted);
	jw_u64(j, "connections_failed", t->failed);
	jw_u64(j, "listeners", t->listeners.t.h.nr);
	jw_u64(j, "sent_bytes", t->sent);
	jw_u64(j, "received_bytes", t->received);
	jw_u64(j, "udp_sent_bytes", t->udp_sent);
	jw_u64(j, "udp_received_bytes", t->udp_received);
	jw_array(j, "top_peers", JSON_INLINE);
	for (size_t i = 0; i < TOP && top.entry[i]; i++) {
		const struct report_peer *p = top.entry[i];

		report_address(s, sizeof(s), &p->addr);
		jw_object(j, NULL, JSON_INLINE);
		jw_str(j, "address", s);
		jw_u64(j, p->direction == DIR_IN ? "local_port" : "port", p->port);
		jw_u64(j, "connections", p->connections);
		jw_u64(j, "sent_bytes", p->sent);
		jw_u64(j, "received_bytes", p->received);
		jw_end(j);
	}
	jw_end(j);
	jw_end(j);
}

void report_summary_json(struct report *rep, struct jw *j)
{
	jw_object(j, "summary", JSON_LINES);
	jw_time(j, "first_activity", rep->first);
	jw_time(j, "last_activity", rep->last);
	top_processes(rep, j);
	top_syscalls(rep, j);
	top_files(rep, j);
	top_network(rep, j);
	jw_object(j, "ipc", JSON_INLINE);
	jw_u64(j, "channels", rep->ipc.channels.h.nr);
	jw_u64(j, "signals", rep->ipc.signals);
	jw_u64(j, "signals_crossing", rep->ipc.signals_crossing);
	jw_end(j);
	jw_end(j);
}
