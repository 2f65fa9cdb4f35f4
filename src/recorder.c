// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "audit.h"
#include "clock.h"
#include "commands.h"
#include "container/hierarchy.h"
#include "container/select.h"
#include "log.h"
#include "names.h"
#include "output.h"
#include "privilege.h"
#include "recorder.h"
#include "report/report.h"
#include "sinks.h"

#define POLL_MS 100
/* What waits when the reader is woken: the rest of a ring is for while it writes. */
#define WAKEUP_BYTES (2u << 20)
/* When nothing came for so many turns, the wait is longer, and the first record ends it. */
#define QUIET_TURNS 10
#define QUIET_MS    500
#define ARGS_MAX    8192 /* bytes of an argument vector, as in bpf/process.bpf.c */
#define SWEEP_NS    1000000000ULL
#define UNDECIDED_NS                                                                               \
	(30 *                                                                                      \
	 1000000000ULL) /* a new cgroup in which nothing container-like ran for so long is none */

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

/* ---- settings for the kernel side ---- */

static unsigned int namespace_inode(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

/*
 * Kernel functions by which the stacks of capability checks are understood (kernel/capability.c,
 * security/commoncap.c): those that ask without auditing it, and the one that all checks end in.
 */
static void find_functions(struct ev_config *c)
{
	/* cap_vm_enough_memory() jumps to cap_capable() in newer kernels: then its caller is seen */
	static const char *const names[EV_PROBES + 1] = {
		"ns_capable_noaudit",	"has_ns_capability_noaudit",	"has_capability_noaudit",
		"cap_vm_enough_memory", "security_vm_enough_memory_mm", "cap_capable"};
	FILE *f = fopen("/proc/kallsyms", "re");
	struct ev_range *open = NULL;
	unsigned int left = EV_PROBES + 1;
	char line[512], *name;

	/* a function reaches up to the next symbol */
	while (f && (left || open) && fgets(line, sizeof(line), f)) {
		/* "ADDRESS T NAME": some 200,000 of them, for which sscanf() takes as long as the kernel does */
		unsigned long long at = strtoull(line, &name, 16);

		if (!at || strlen(name) < 4)
			continue;
		name += 3;
		name[strcspn(name, "\t\n")] = 0;
		if (open && at > open->begin) {
			open->end = at;
			open = NULL;
		}
		for (size_t i = 0; i <= EV_PROBES; i++)
			if (!strcmp(name, names[i])) {
				open = i < EV_PROBES ? &c->probes[i] : &c->cap_capable;
				open->begin = at;
				left--;
			}
	}
	if (f)
		fclose(f);
}

/* Process 1 may be closed to us; where ebpfmon runs is as good, but inside a container. */
static void find_host_namespaces(struct ev_config *c)
{
	static const char *const names[] = {"mnt", "pid", "net", "ipc", "uts", "user"};
	char path[64];

	_Static_assert(sizeof(names) / sizeof(names[0]) ==
			       sizeof(c->host_ns) / sizeof(c->host_ns[0]),
		       "a name for each");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/proc/1/ns/%s", names[i]);
		c->host_ns[i] = namespace_inode(path);
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		if (!c->host_ns[i])
			c->host_ns[i] = namespace_inode(path);
	}
}

static void configure(const struct options *o, struct loader_options *lo)
{
	struct ev_config *c = &lo->config;

	lo->ring_bytes = o->buffer;
	c->wakeup_bytes = o->buffer / 4 < WAKEUP_BYTES ? o->buffer / 4 : WAKEUP_BYTES;
	c->stream_bytes = o->buffer - o->buffer / 8;
	c->adopt_new = 1;
	c->time_syscalls = o->syscalls != SYSCALLS_TOTALS;
	c->trace_syscalls = o->syscalls == SYSCALLS_TRACE;
	lo->trace_enter = c->time_syscalls;
	find_host_namespaces(c);
	c->self_tgid = getpid();
	for (int i = 0; i < EV__MAX; i++) {
		if (!o->events[i])
			continue;
		c->events[i / 64] |= 1ULL << i % 64;
		lo->subsystems[event_descs[i].sub] = true;
	}
	c->count_syscalls = o->events[EV_syscall_calls];
	c->join_checks = o->events[EV_capability_checks];
	if (c->join_checks)
		find_functions(c);
	c->audit_off = c->join_checks && audit_is_off();
	/* counters of files are nameless without the records that say which file it is */
	if (o->events[EV_file_io])
		c->events[EV_file_inherit / 64] |= 1ULL << EV_file_inherit % 64,
			c->events[EV_file_open / 64] |= 1ULL << EV_file_open % 64;
	for (c->nr_pids = 0; c->nr_pids < o->pids.nr && c->nr_pids < EV_FILTER_MAX; c->nr_pids++)
		c->pids[c->nr_pids] = o->pids.v[c->nr_pids];
	for (c->nr_uids = 0; c->nr_uids < o->uids.nr && c->nr_uids < EV_FILTER_MAX; c->nr_uids++)
		c->uids[c->nr_uids] = o->uids.v[c->nr_uids];
	/* more of them than the kernel takes: then only the pipeline leaves others out */
	if (o->ports.nr <= EV_FILTER_MAX)
		for (; c->nr_ports < o->ports.nr; c->nr_ports++)
			c->ports[c->nr_ports] = o->ports.v[c->nr_ports];
	for (c->nr_comms = 0; c->nr_comms < o->comms.nr && c->nr_comms < EV_FILTER_MAX;
	     c->nr_comms++)
		snprintf(c->comms[c->nr_comms], sizeof(c->comms[0]), "%s", o->comms.v[c->nr_comms]);
	c->leaders = c->count_syscalls && !c->time_syscalls && !c->nr_pids && !c->nr_uids &&
		     !c->nr_comms;
}

/* Without any, the scan will say so. */
static void choose_hierarchy(struct loader_options *lo)
{
	struct cgroup_hierarchy h;

	if (cgroup_hierarchy_find(&h))
		return;
	lo->config.cgroup_hierarchy = h.id;
	snprintf(lo->cgroup_controller, sizeof(lo->cgroup_controller), "%s", h.controller);
	if (h.id)
		log_info(
			"no cgroup v2: containers are told apart by the cgroups of the v1 controller %s",
			h.controller);
}

void recorder_settings(const struct options *o, struct loader_options *lo)
{
	configure(o, lo);
	choose_hierarchy(lo);
}

static int check_limits(const struct options *o)
{
	const struct {
		const char *name;
		unsigned int nr;
	} lists[] = {
		{"pid", o->pids.nr},
		{"uid", o->uids.nr},
		{"comm", o->comms.nr},
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (lists[i].nr > EV_FILTER_MAX) {
			log_error("--%s can be given %d times at most", lists[i].name,
				  EV_FILTER_MAX);
			return -EINVAL;
		}
	return 0;
}

/* ---- containers ---- */

/* Does the kernel side put new cgroups into its map by itself? */
static bool adopts(const struct recorder *r)
{
	unsigned int nr;
	const struct coverage *c = loader_coverage(r->loader, &nr);

	for (unsigned int i = 0; i < nr; i++)
		if (!strcmp(c[i].program, "container_cgroup_create"))
			return c[i].active;
	return false;
}

static void mark(void *arg, __u64 cgroup, __u32 flags)
{
	struct recorder *r = arg;

	loader_mark(r->loader, cgroup, flags, clock_ns(CLOCK_BOOTTIME), !r->scanned || !adopts(r));
}

static void decided(void *arg, struct container *c)
{
	struct recorder *r = arg;

	pipeline_decided(&r->pipeline, c);
	if (c->state == CT_WATCHED && !c->existing)
		log_info("container %s (%s) starts", container_name(c),
			 c->runtime ? c->runtime : "unknown runtime");
}

struct names {
	char text[1024];
	unsigned int nr, existing;
};

static int add_name(struct container *c, void *arg)
{
	struct names *n = arg;
	size_t len = strlen(n->text);

	n->nr++;
	snprintf(n->text + len, sizeof(n->text) - len, "%s%s", len ? ", " : "", container_name(c));
	return 0;
}

#define CANDIDATES_MAX 12

/* Those that a pattern may mean, within a line. */
struct candidates {
	char text[1024];
	unsigned int nr;
};

/* Adds "NAME (ID, RUNTIME)", or "ID (RUNTIME)" where there is no other name: either can be given to --container. */
static int add_candidate(struct container *c, void *arg)
{
	const char *id = c->short_id[0] ? c->short_id : c->id, *name = c->info.name;
	struct candidates *all = arg;
	size_t len = strlen(all->text);
	bool named = name && strcmp(name, id) != 0;

	if (!c->known || ++all->nr > CANDIDATES_MAX)
		return 0;
	snprintf(all->text + len, sizeof(all->text) - len, "%s%.64s (%.64s%s%s)", len ? ", " : "",
		 named ? name : id, named ? id : "", named ? ", " : "",
		 c->runtime ? c->runtime : "unknown runtime");
	return 0;
}

static const char *candidates_text(struct candidates *all)
{
	size_t len = strlen(all->text);

	if (all->nr > CANDIDATES_MAX)
		snprintf(all->text + len, sizeof(all->text) - len,
			 " and %u more (ebpfmon list containers)", all->nr - CANDIDATES_MAX);
	return all->nr ? all->text : "none";
}

/* Says so, with every container on the host, whatever was asked for. */
static int no_such_container(const char *pattern)
{
	struct container_select select = {};
	struct container_table *t = container_table_new(&select);
	struct candidates all = {};

	if (t && container_table_scan(t, 0) == 0)
		container_table_each(t, add_candidate, &all);
	container_table_free(t);
	log_error("no container matches '%s' (--wait waits for one to start); there are: %s",
		  pattern, candidates_text(&all));
	return -ENODEV;
}

static int several_containers(struct recorder *r, unsigned int i)
{
	struct candidates all = {};

	container_table_meant(r->containers, i, add_candidate, &all);
	log_error("'%s' means several containers; say which, by id: %s",
		  r->options->containers.v[i], candidates_text(&all));
	return -ENOTUNIQ;
}

/* Is what was asked for there, and once only where one is meant? */
static int check_selection(struct recorder *r)
{
	const struct options *o = r->options;

	for (unsigned int i = 0; i < o->containers.nr; i++) {
		const char *pattern = o->containers.v[i];
		unsigned int n = container_table_meant(r->containers, i, NULL, NULL);

		if (n > 1 && select_is_single(pattern))
			return several_containers(r, i);
		if (!n && !o->wait && !select_is_glob(pattern))
			return no_such_container(pattern);
	}
	for (unsigned int i = 0; i < o->units.nr; i++) {
		if (o->wait || select_is_glob(o->units.v[i]) ||
		    container_table_unit_found(r->containers, i))
			continue;
		log_error("no running unit is called '%s' (--wait waits for it to start)",
			  o->units.v[i]);
		return -ENODEV;
	}
	return 0;
}

/* ---- sinks ---- */

static void add_sink(struct recorder *r, struct sink *s)
{
	s->next = r->pipeline.sinks;
	r->pipeline.sinks = s;
}

static bool want_colour(const struct options *o)
{
	const char *no_color = getenv("NO_COLOR");

	if (o->color != COLOR_AUTO)
		return o->color == COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no_color && *no_color);
}

static enum format choose_format(const struct options *o)
{
	if (o->format != FORMAT_DEFAULT)
		return o->format;
	if (o->output)
		return FORMAT_REPORT;
	return isatty(STDOUT_FILENO) ? FORMAT_TEXT : FORMAT_JSONL;
}

static int open_stream(const struct options *o)
{
	if (!o->output || !strcmp(o->output, "-"))
		return dup(STDOUT_FILENO);
	return output_create(o->output);
}

static struct sink *stream_sink(const struct options *o, enum format format)
{
	struct sink *s;
	int fd;

	if (format == FORMAT_CSV) {
		if (!o->output || !strcmp(o->output, "-")) {
			log_error("csv has a file per event: say where with -o DIR/");
			return NULL;
		}
		s = sink_csv_new(o->output);
		if (!s)
			log_error("cannot write to %s: %s", o->output, strerror(errno));
		return s;
	}
	fd = open_stream(o);
	if (fd < 0)
		return NULL;
	return format == FORMAT_TEXT ? sink_text_new(fd, want_colour(o)) : sink_jsonl_new(fd);
}

static int open_sinks(struct recorder *r)
{
	const struct options *o = r->options;
	enum format format = choose_format(o);
	struct sink *s;
	int err = -EINVAL;

	if (format == FORMAT_REPORT) {
		struct report_options ro = {.output = o->output ? o->output : "-",
					    .version = EBPFMON_VERSION};

		/* a person who writes the report to a file sees its summary */
		if (o->output && strcmp(o->output, "-") && (o->summary || isatty(STDOUT_FILENO)))
			ro.text = stdout;
		s = sink_report_new(&ro, &err);
	} else {
		s = stream_sink(o, format);
	}
	if (!s)
		return err ? err : -EINVAL;
	r->own_output = !o->output || !strcmp(o->output, "-");
	add_sink(r, s);
	return 0;
}

/* ---- life ---- */

static int check_host(void)
{
	const char *missing;

	if (geteuid() != 0) {
		log_error("ebpfmon must be run as root (sudo ebpfmon ...)");
		return -EPERM;
	}
	missing = privilege_missing();
	if (missing) {
		log_error(
			"loading BPF programs takes %s (or CAP_SYS_ADMIN), which whoever started ebpfmon took away",
			missing);
		return -EPERM;
	}
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		log_error(
			"this kernel has no BTF (/sys/kernel/btf/vmlinux): CONFIG_DEBUG_INFO_BTF=y is needed");
		return -ENOTSUP;
	}
	return 0;
}

int recorder_open(struct recorder *r, struct options *o)
{
	struct loader_options lo = {};
	struct container_select sel = {
		.patterns = o->containers.v,
		.nr = o->containers.nr,
		.units = o->units.v,
		.nr_units = o->units.nr,
		.mark = mark,
		.decided = decided,
		.arg = r,
	};
	int err;

	memset(r, 0, sizeof(*r));
	r->options = o;
	log_level = o->quiet ? LOG_WARN : o->verbose ? LOG_DEBUG : LOG_INFO;
	err = check_limits(o);
	if (!err)
		err = check_host();
	if (!err)
		err = open_sinks(r);
	if (err)
		return err;
	recorder_settings(o, &lo);
	err = loader_open(&r->loader, &lo);
	if (err)
		return err;
	for (const struct sink *s = r->pipeline.sinks; s; s = s->next)
		sel.keep |= s->keeps_containers;
	r->containers = r->pipeline.containers = container_table_new(&sel);
	memcpy(r->filter.events, o->events, sizeof(r->filter.events));
	r->filter.prefixes = o->prefixes.v;
	r->filter.nr_prefixes = o->prefixes.nr;
	r->filter.ports = o->ports.v;
	r->filter.nr_ports = o->ports.nr;
	r->filter.pids = o->pids.v;
	r->filter.nr_pids = o->pids.nr;
	r->filter.uids = o->uids.v;
	r->filter.nr_uids = o->uids.nr;
	r->filter.comms = o->comms.v;
	r->filter.nr_comms = o->comms.nr;
	r->pipeline.filter = &r->filter;
	r->pipeline.boot_to_wall = clock_boot_to_wall();
	memcpy(r->session.subsystems, lo.subsystems, sizeof(r->session.subsystems));
	r->session.syscall_time = lo.config.time_syscalls;
	err = r->containers ? pipeline_init(&r->pipeline) : -ENOMEM;
	return err ? err : source_open(&r->source, r->loader, &r->pipeline);
}

static int announce_existing(struct container *c, void *arg)
{
	struct recorder *r = arg;
	struct ev_hdr hdr = {.time = clock_ns(CLOCK_BOOTTIME),
			     .cgroup = c->cgroup,
			     .flags = EV_F_EXISTING | EV_F_NOPROC};

	if (c->existing)
		pipeline_start(&r->pipeline, c, &hdr);
	return 0;
}

/* The arguments of a process that was there before: its memory is not the iterator's to read. */
static int read_args(struct process *p, void *arg)
{
	char path[64], *args;
	ssize_t n;
	int fd;

	(void)arg;
	if (!p->existing || p->args)
		return 0;
	snprintf(path, sizeof(path), "/proc/%u/cmdline", p->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	args = fd < 0 ? NULL : malloc(ARGS_MAX);
	n = args ? read(fd, args, ARGS_MAX) : -1;
	if (n > 0) {
		p->args = args;
		p->args_len = n;
		p->args_cut = n == ARGS_MAX;
	} else {
		free(args);
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

int recorder_start(struct recorder *r)
{
	struct names there = {};
	int err;

	catch_signals();
	r->session.begin_boot = clock_ns(CLOCK_BOOTTIME);
	r->session.boot_to_wall = r->pipeline.boot_to_wall;
	r->session.begin = r->session.begin_boot + r->pipeline.boot_to_wall;
	err = loader_attach(r->loader);
	if (err) {
		log_error("cannot attach to system calls: %s (ebpfmon doctor)", strerror(-err));
		return err;
	}
	/* after attaching: what starts meanwhile is seen by one or the other, or both */
	err = container_table_scan(r->containers, r->session.begin_boot);
	if (err) {
		log_error(
			"cannot read the cgroup hierarchy: %s (mount -t cgroup2 none /sys/fs/cgroup/unified)",
			strerror(-err));
		return err;
	}
	r->scanned = true;
	err = check_selection(r);
	if (err)
		return err;
	container_table_each(r->containers, add_name, &there);
	r->pipeline.learning = true;
	source_iterate(r->source, "process_existing");
	loader_scanned(r->loader);
	process_table_each(r->pipeline.processes, read_args, NULL);
	pipeline_settle(&r->pipeline);
	container_table_each(r->containers, announce_existing, r);
	source_iterate(r->source, "process_existing");
	source_iterate(r->source, "tcp_existing");
	log_info("recording %s%s%s",
		 r->options->nr_operands ? r->options->operands[0]
		 : there.nr		 ? there.text
					 : "containers as they start",
		 there.nr && !r->options->containers.nr && !r->options->units.nr
			 ? " (and those that start)"
			 : "",
		 r->options->duration ? "" : "; Ctrl-C ends it");
	return 0;
}

/* A table that nobody takes entries out of would grow without end. */
static void note_lost_ends(struct recorder *r)
{
	__u64 lost = source_lost_of(r->source, EV_process_exit) +
		     source_lost_of(r->source, EV_container_cgroup_remove);

	r->pipeline.ends_lost |= lost != r->ends_lost;
	r->ends_lost = lost;
}

/* No longer than the recording is to last; milliseconds. */
static int wait_ms(const struct recorder *r, int ms)
{
	__u64 now = clock_ns(CLOCK_BOOTTIME), end = r->session.begin_boot + r->options->duration;

	if (!r->options->duration || now + (__u64)ms * 1000000 <= end)
		return ms;
	return now < end ? (int)((end - now) / 1000000) + 1 : 0;
}

bool recorder_turn(struct recorder *r)
{
	bool quiet = r->quiet_turns >= QUIET_TURNS;
	__u64 now;
	int n = source_poll(r->source, wait_ms(r, quiet ? QUIET_MS : POLL_MS), quiet);

	if (n < 0)
		log_debug("ring: %s", strerror(-n));
	r->quiet_turns = n ? 0 : r->quiet_turns + 1;
	now = clock_ns(CLOCK_BOOTTIME);
	if (now >= r->next_sweep) {
		r->next_sweep = now + SWEEP_NS;
		source_sweep(r->source);
		note_lost_ends(r);
		pipeline_expire(&r->pipeline, now, UNDECIDED_NS);
	}
	pipeline_flush(&r->pipeline);
	if (r->pipeline.err)
		r->session.end_reason = "output failed";
	else if (caught)
		r->session.end_reason = "signal";
	else if (r->options->duration && now - r->session.begin_boot >= r->options->duration)
		r->session.end_reason = "duration";
	else if (r->options->exit_with_container && r->pipeline.wanted_stopped)
		r->session.end_reason = "container stopped";
	else
		return true;
	r->interrupted = caught == SIGINT;
	return false;
}

/* ---- calls that have not returned ---- */

static bool under_filter(__u32 pid, pid_t tid)
{
	char path[64], line[256];
	bool yes = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/task/%d/status", pid, tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		yes |= !strcmp(line, "Seccomp:\t2\n");
	if (f)
		fclose(f);
	return yes;
}

/* By which ABI a program makes its calls: /proc/PID/task/TID/syscall does not say, but the program's class does. */
static __u32 program_abi(__u32 pid)
{
	unsigned char ident[EI_NIDENT];
	__u32 abi = EV_ABI_NATIVE;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	f = fopen(path, "re");
	if (f && fread(ident, sizeof(ident), 1, f) == 1 && ident[EI_CLASS] == ELFCLASS32)
		abi = EV_ABI_COMPAT;
	if (f)
		fclose(f);
	return abi;
}

static void feed_unfinished(struct recorder *r, const struct process *p, pid_t tid, __u32 abi)
{
	struct ev_syscall_calls e = {.count = 1, .unfinished = 1};
	char path[64], line[64] = "";
	FILE *f;
	int nr;

	snprintf(path, sizeof(path), "/proc/%u/task/%d/syscall", p->pid, tid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(line, sizeof(line), f) && sscanf(line, "%d", &nr) == 1 && nr >= 0) {
		e.hdr = (struct ev_hdr){
			.type = EV_syscall_calls,
			.len = sizeof(e),
			.time = clock_ns(CLOCK_BOOTTIME),
			.cgroup = p->cgroup,
			.start = p->start,
			.pid = p->pid,
			.tid = tid,
			.vpid = p->vpid,
			.ppid = p->ppid,
			.uid = p->uid,
			.gid = p->gid,
			.flags = p->setup ? EV_F_SETUP : 0,
		};
		memcpy(e.hdr.comm, p->comm, sizeof(e.hdr.comm));
		e.nr = nr & EV_X32_BIT ? EV_SYSNR(EV_ABI_X32, nr & ~EV_X32_BIT) : EV_SYSNR(abi, nr);
		e.filtered = under_filter(p->pid, tid);
		pipeline_feed(&r->pipeline, &e, sizeof(e));
	}
	fclose(f);
}

static int feed_unfinished_of(struct process *p, void *arg)
{
	char path[64];
	struct dirent *e;
	__u32 abi;
	DIR *d;

	if (p->exited)
		return 0;
	abi = program_abi(p->pid);
	snprintf(path, sizeof(path), "/proc/%u/task", p->pid);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			feed_unfinished(arg, p, atoi(e->d_name), abi);
	if (d)
		closedir(d);
	return 0;
}

/* ---- the end ---- */

static int warn_coverage(struct recorder *r)
{
	int missing = 0;

	for (unsigned int i = 0; i < r->session.nr_coverage; i++) {
		const struct coverage *c = &r->session.coverage[i];

		if (!coverage_is_missing(c))
			continue;
		log_warn("%s was not recorded by %s: %s", c->subsystem, c->program, c->reason);
		missing++;
	}
	return missing;
}

static int warn_lost(struct recorder *r)
{
	__u64 total = r->session.lost_other;

	for (int i = 0; i < EV__MAX; i++) {
		total += r->session.lost[i];
		if (r->session.lost[i])
			log_warn("lost: %llu records of %s (a bigger --buffer helps)",
				 r->session.lost[i], event_descs[i].name);
	}
	for (unsigned int i = 0; i < r->session.nr_coverage; i++) {
		const struct coverage *c = &r->session.coverage[i];

		total += c->missed;
		if (c->missed)
			log_warn("lost: the kernel left out %llu runs of %s (%s)", c->missed,
				 c->program, c->doc);
	}
	if (r->pipeline.bad)
		log_warn("%llu malformed records", r->pipeline.bad);
	return total > 0;
}

int recorder_finish(struct recorder *r, const char *why)
{
	int drained, err, missing, lost;

	/*
	 * Connections that are still open, while the programs are attached: one that ends between the
	 * two would be told by neither. What waits in the ring came before.
	 */
	source_poll(r->source, 0, false);
	if (source_iterate(r->source, "tcp_still_open") < 0)
		source_iterate(r->source, "tcp_still_walked");
	loader_detach(r->loader);
	drained = source_drain(r->source);
	if (drained)
		log_error("not everything that was recorded could be read: %s", strerror(-drained));
	process_table_each(r->pipeline.processes, feed_unfinished_of, r);
	r->session.end_boot = clock_ns(CLOCK_BOOTTIME);
	r->session.end = r->session.end_boot + r->pipeline.boot_to_wall;
	if (why)
		r->session.end_reason = why;
	r->session.coverage = loader_coverage(r->loader, &r->session.nr_coverage);
	source_lost(r->source, r->session.lost);
	for (int i = 0; i < EV__MAX; i++)
		r->session.lost[i] += r->pipeline.lost[i];
	r->session.lost_other = r->pipeline.bad;
	pipeline_flush(&r->pipeline);
	/* also of what could not all be read: the sinks say what is missing */
	err = pipeline_finish(&r->pipeline, &r->session);
	missing = warn_coverage(r);
	lost = warn_lost(r);
	if (!err)
		err = r->pipeline.err;
	if (err == -EPIPE) /* `| head`: the reader has had enough */
		err = 0;
	if (err || drained) /* whoever failed has said so (sink.h) */
		return EXIT_FAIL;
	if (r->options->strict && (missing || lost))
		return EXIT_PARTIAL;
	return r->interrupted && !r->options->output ? EXIT_INTERRUPTED : EXIT_OK;
}

void recorder_close(struct recorder *r)
{
	struct sink *s = r->pipeline.sinks, *next;

	source_close(r->source);
	loader_close(r->loader);
	for (; s; s = next) {
		next = s->next;
		s->ops->free(s);
	}
	pipeline_exit(&r->pipeline);
	container_table_free(r->containers);
}
