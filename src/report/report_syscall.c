// SPDX-License-Identifier: MIT
/* Which system calls, how often, with which results: per container and phase, and per process. */
#include <stdio.h>
#include <stdlib.h>
#include "../names.h" /* not include/names.h, which the search path has first */
#include "report/report_state.h"

struct call_key {
	__u32 scope; /* process id, or the phase */
	__u32 nr, err;
};

static const char *const abi_names[] = {
	[EV_ABI_NATIVE] = "native",
	[EV_ABI_COMPAT] = "compat",
	[EV_ABI_X32] = "x32",
};

void report_errno_name(char *out, size_t size, __u32 err)
{
	const char *name = name_errno((int)err);

	if (name)
		snprintf(out, size, "%s", name);
	else
		snprintf(out, size, "E%u", err);
}

static void call_name(char *out, size_t size, __u32 sysnr)
{
	const char *name = name_syscall(sysnr);
	const char *prefix = name_abi(sysnr >> 16);

	if (name)
		snprintf(out, size, "%s%s", prefix, name);
	else
		snprintf(out, size, "%ssyscall_%u", prefix, sysnr & 0xffff);
}

static struct report_call *call_get(struct report *rep, struct table *t, __u32 scope,
				    const struct ev_syscall_calls *e, bool *fresh)
{
	struct call_key k = {.scope = scope, .nr = e->nr, .err = report_errno(e->err)};
	struct report_call *c = table_get(rep, t, &k, sizeof(k), sizeof(*c), fresh);

	if (!c) {
		t->folded += e->count;
		return NULL;
	}
	c->nr = k.nr;
	c->err = k.err;
	c->count += e->count;
	c->filtered += e->filtered ? e->count : 0;
	c->denied += e->denied;
	c->total += e->total;
	if (e->longest > c->longest)
		c->longest = e->longest;
	return c;
}

void report_syscall(struct report *rep, const struct record *r)
{
	const struct ev_syscall_calls *e = (const struct ev_syscall_calls *)r->hdr;
	struct report_process *p = report_process_of(rep, r);
	enum phase phase = record_phase(r);
	struct report_syscalls *s = &rep->syscalls;
	struct report_call *c;
	bool fresh;

	s->count[phase] += e->count;
	s->errors[phase] += e->err ? e->count : 0;
	s->timed |= e->total != 0;
	c = call_get(rep, &s->all, phase, e, &fresh);
	if (c)
		c->phase = phase;
	else
		s->folded[phase] += e->count;
	if (!p)
		return;
	p->nr_calls[phase] += e->count;
	p->nr_errors[phase] += e->err ? e->count : 0;
	if (phase == PHASE_SETUP)
		return;
	c = call_get(rep, &rep->processes.calls, p->id, e, &fresh);
	if (!c) {
		p->folded_calls += e->count;
	} else if (fresh) {
		c->next = p->calls;
		p->calls = c;
	}
}

void report_call_json(struct jw *j, const struct report_call *c)
{
	char name[64];

	call_name(name, sizeof(name), c->nr);
	jw_object(j, NULL, JSON_INLINE);
	jw_str(j, "name", name);
	if (c->err) {
		report_errno_name(name, sizeof(name), c->err);
		jw_str(j, "error", name);
	}
	jw_u64(j, "count", c->count);
	jw_u64_if(j, "time_total", c->total);
	jw_u64_if(j, "time_max", c->longest);
	jw_end(j);
}

static int by_call(const void *a, const void *b)
{
	const struct report_call *x = *(struct report_call *const *)a;
	const struct report_call *y = *(struct report_call *const *)b;

	if (x->phase != y->phase)
		return x->phase < y->phase ? -1 : 1;
	if (x->nr != y->nr)
		return x->nr < y->nr ? -1 : 1;
	return x->err < y->err ? -1 : x->err > y->err;
}

static int by_count(const void *a, const void *b)
{
	const struct call_sum *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->nr < y->nr ? -1 : 1;
}

size_t report_call_sums(const struct report *rep, enum phase phase, struct call_sum **out,
			void ***list)
{
	void **calls = table_sorted(&rep->syscalls.all, by_call);
	size_t nr = rep->syscalls.all.h.nr, used = 0;
	struct call_sum *sums = calls ? calloc(nr, sizeof(*sums)) : NULL;

	for (size_t i = 0; sums && i < nr; i++) {
		struct report_call *c = calls[i];
		struct call_sum *s;

		if (c->phase != phase)
			continue;
		if (!used || sums[used - 1].nr != c->nr) {
			sums[used].nr = c->nr;
			call_name(sums[used].name, sizeof(sums->name), c->nr);
			sums[used++].calls = (struct report_call **)calls + i;
		}
		s = &sums[used - 1];
		s->nr_calls++;
		s->count += c->count;
		s->errors += c->err ? c->count : 0;
		s->filtered += c->filtered;
		s->denied += c->denied;
		s->total += c->total;
		s->longest = c->longest > s->longest ? c->longest : s->longest;
	}
	if (used)
		qsort(sums, used, sizeof(*sums), by_count);
	*out = sums;
	*list = calls;
	return used;
}

static void sum_json(struct jw *j, const struct call_sum *s)
{
	__u32 abi = s->nr >> 16;
	char name[32];

	jw_object(j, NULL, JSON_INLINE);
	jw_str(j, "name", s->name);
	jw_u64(j, "number", s->nr & 0xffff);
	jw_str(j, "abi", abi < 3 ? abi_names[abi] : "other");
	jw_u64(j, "count", s->count);
	jw_u64_if(j, "filtered", s->filtered);
	jw_u64_if(j, "denied", s->denied);
	if (s->errors) {
		jw_object(j, "errors", JSON_INLINE);
		for (size_t i = 0; i < s->nr_calls; i++) {
			if (!s->calls[i]->err)
				continue;
			report_errno_name(name, sizeof(name), s->calls[i]->err);
			jw_u64(j, name, s->calls[i]->count);
		}
		jw_end(j);
	}
	jw_u64_if(j, "time_total", s->total);
	jw_u64_if(j, "time_max", s->longest);
	jw_end(j);
}

static void phase_json(struct report *rep, struct jw *j, enum phase phase)
{
	struct call_sum *sums;
	void **list;
	size_t nr = report_call_sums(rep, phase, &sums, &list);

	jw_u64(j, "count", rep->syscalls.count[phase]);
	jw_u64(j, "errors", rep->syscalls.errors[phase]);
	jw_u64(j, "distinct", nr);
	jw_u64(j, "folded", rep->syscalls.folded[phase]);
	jw_array(j, "calls", JSON_LINES);
	for (size_t i = 0; i < nr; i++)
		sum_json(j, &sums[i]);
	jw_end(j);
	free(sums);
	free(list);
}

void report_syscall_json(struct report *rep, struct jw *j)
{
	jw_object(j, "syscalls", JSON_LINES);
	jw_bool(j, "timed", rep->syscalls.timed);
	phase_json(rep, j, PHASE_RUN);
	tally_json(rep, j, "arguments", &rep->syscalls.arguments, -1);
	tally_json(rep, j, "io_uring", &rep->syscalls.io_uring, -1);
	jw_end(j);
}

void report_syscall_setup_json(struct report *rep, struct jw *j)
{
	jw_object(j, "syscalls", JSON_LINES);
	phase_json(rep, j, PHASE_SETUP);
	jw_end(j);
}

void report_arguments(struct report *rep, const struct record *r)
{
	tally_add(rep, &rep->syscalls.arguments, r);
}

void report_io_uring(struct report *rep, const struct record *r)
{
	tally_add(rep, &rep->syscalls.io_uring, r);
}

void report_check(struct report *rep, const struct record *r)
{
	const struct ev_capability_checks *e = (const struct ev_capability_checks *)r->hdr;

	/* every fork and mmap is a probe; nothing depends on them */
	if (e->probe)
		rep->probes += e->count;
	else
		tally_add(rep, &rep->checks, r);
}

void report_capability_json(struct report *rep, struct jw *j)
{
	jw_object(j, "capabilities", JSON_LINES);
	jw_u64(j, "folded", rep->checks.t.folded);
	jw_u64(j, "probes", rep->probes);
	tally_json(rep, j, "checks", &rep->checks, -1);
	jw_end(j);
}
