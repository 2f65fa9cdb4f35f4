// SPDX-License-Identifier: MIT
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include "loader.h"
#include "log.h"
#include "names.h"

#define OBJECT(name) const void *name##_elf(size_t *len);
#define TRACEPOINT(subsystem, program, doc)
#define SYSCALLS(subsystem, program, calls, doc)
#include "hooks.def"

const void *maps_elf(size_t *len);

enum hook_kind { HOOK_TRACEPOINT, HOOK_REFINEMENT, HOOK_SYSCALLS, HOOK_OUTSIDE, HOOK_ITERATOR };

struct hook {
	enum hook_kind kind;
	enum ev_subsystem sub;
	const char *program;
	const char *calls; /* of HOOK_SYSCALLS and HOOK_OUTSIDE: EXIT_OF, then native names */
	const char *doc;
	const char *map; /* of HOOK_ITERATOR: what it goes over, when that is a map */
	bool nested; /* interrupts come to it while a task is there */
	const char *instead; /* of another program, where the kernel has no hook for that one */
	const char *type, *member; /* a struct and its member, without which it can tell nothing */
};

struct object_row {
	const char *name;
	const void *(*elf)(size_t *len);
};

static const struct object_row object_rows[] = {
#define OBJECT(name) {#name, name##_elf},
#define TRACEPOINT(subsystem, program, doc)
#define SYSCALLS(subsystem, program, calls, doc)
#include "hooks.def"
};

#define EXIT_OF "sys_exit: "

#define HOOK(k, subsystem, name, text, ...)                                                        \
	{.kind = (k), .sub = EVS_##subsystem, .program = #name, .doc = (text), ##__VA_ARGS__},

static const struct hook hooks[] = {
#define OBJECT(name)
#define TRACEPOINT(subsystem, program, doc) HOOK(HOOK_TRACEPOINT, subsystem, program, doc)
#define NESTED(subsystem, program, doc)                                                            \
	HOOK(HOOK_TRACEPOINT, subsystem, program, doc, .nested = true)
#define ALTERNATIVE(subsystem, program, other, doc)                                                \
	HOOK(HOOK_TRACEPOINT, subsystem, program, doc, .instead = #other)
#define NEEDING(subsystem, program, struct_name, member_name, doc)                                 \
	HOOK(HOOK_TRACEPOINT, subsystem, program, doc, .type = #struct_name, .member = #member_name)
#define REFINEMENT(subsystem, program, doc) HOOK(HOOK_REFINEMENT, subsystem, program, doc)
#define SYSCALLS(subsystem, program, names, doc)                                                   \
	HOOK(HOOK_SYSCALLS, subsystem, program, doc, .calls = EXIT_OF names)
#define OUTSIDE(subsystem, program, names, doc)                                                    \
	HOOK(HOOK_OUTSIDE, subsystem, program, doc, .calls = EXIT_OF names)
#define ITERATOR(subsystem, program, doc) HOOK(HOOK_ITERATOR, subsystem, program, doc)
#define FINAL_ITERATOR(subsystem, program, over, doc)                                              \
	HOOK(HOOK_ITERATOR, subsystem, program, doc, .map = #over)
#define FALLBACK(subsystem, program, other, doc)                                                   \
	HOOK(HOOK_ITERATOR, subsystem, program, doc, .instead = #other)
#include "hooks.def"
};

/* hooks.def once more, as it is written: an object, then its programs. */
static const struct {
	const char *object, *program;
} order[] = {
#define OBJECT(name)				 {#name, NULL},
#define TRACEPOINT(subsystem, program, doc)	 {NULL, #program},
#define SYSCALLS(subsystem, program, calls, doc) {NULL, #program},
#define ITERATOR(subsystem, program, doc)	 {NULL, #program},
#include "hooks.def"
};

/* With ask_verifier: its sums (BPF_LOG_STATS of linux/bpf_verifier.h, since 5.2), or what it objects to. */
#define VERIFIER_STATS 4
/* The log ends small, but what the kernel wrote on the way, and dropped again, must have fitted. */
#define VERIFIER_LOG_BYTES (1 << 18)

/* The section of `cfg` (bpf/ev.bpf.h): one for all objects, so that what each program reads is in one place. */
#define CONFIG_MAP ".rodata.cfg"

#define NR_HOOKS   (sizeof(hooks) / sizeof(hooks[0]))
#define NR_OBJECTS (sizeof(object_rows) / sizeof(object_rows[0]))

#define NR_SYSCALL_SECTIONS 2

/* What the names of a program's copies end in, in the order in which they are attached: bpf/traced.bpf.h. */
static const char *const copy_suffixes[] = {"_second", "_third", "_last"};
#define NR_COPIES (sizeof(copy_suffixes) / sizeof(copy_suffixes[0]))

struct loader {
	struct loader_options options;
	struct btf *btf; /* the kernel's; NULL: cannot be read */
	struct bpf_object *maps; /* those that several objects have: bpf/maps.bpf.c */
	struct bpf_object
		*objects[NR_OBJECTS]; /* NULL: no program of it is wanted, or it cannot be loaded */
	int errors[NR_OBJECTS]; /* of load_object() */
	pthread_mutex_t
		lock; /* while objects are loaded: all of this but what the kernel is busy with */
	unsigned int next_object; /* that nobody has begun to load */
	struct bpf_link *links[NR_HOOKS];
	struct bpf_link *copies[NR_HOOKS][NR_COPIES];
	bool no_copies[NR_HOOKS]; /* the kernel refuses one of them */
	__u64 missed_before[NR_HOOKS]; /* missed() when the program and its copies were attached */
	struct coverage coverage[NR_HOOKS];
	int policy; /* SCHED_* that ebpfmon was started with */
	int handlers[NR_SYSCALL_SECTIONS]; /* libbpf's numbers of ours; 0: none */
	struct ev_state *state; /* the map of that name */
	char sections[NR_HOOKS][64];
	char (*logs)[VERIFIER_LOG_BYTES]; /* one for each hook; NULL unless ask_verifier */
	bool no_logs; /* one of them was too small */
};

/* ---- what libbpf says ---- */

/* The program that libbpf last said it could not load: it tells only by way of its log. */
static _Thread_local char failed_program[64];
static _Thread_local char failed_why[128];

static int on_log(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[512], *at;
	va_list again;

	va_copy(again, ap);
	vsnprintf(line, sizeof(line), fmt, ap);
	if (log_level >= LOG_DEBUG && level == LIBBPF_WARN)
		vfprintf(stderr, fmt, again); /* with all of the verifier's log */
	va_end(again);
	line[strcspn(line, "\n")] = 0;
	at = strstr(line, "prog '");
	if (level == LIBBPF_WARN && at && strstr(line, "failed to load")) {
		snprintf(failed_program, sizeof(failed_program), "%.*s", (int)strcspn(at + 6, "'"),
			 at + 6);
		return 0;
	}
	at = strstr(line, "BPF program load failed: ");
	if (level == LIBBPF_WARN && at)
		snprintf(failed_why, sizeof(failed_why), "%s", at + 25);
	return 0;
}

/* ---- memory before 5.11 ---- */

/*
 * Kernels before 5.11 count the memory of programs and maps against RLIMIT_MEMLOCK (setrlimit(2)), for all
 * of a user's processes together; later ones against the memory cgroup. libbpf knows them apart by a helper
 * function, but can no longer do so once the limit is reached: here the release tells.
 */
static bool memlock_limits(struct rlimit *limit)
{
	int major = 0, minor = 0;
	struct utsname u;

	return !uname(&u) && sscanf(u.release, "%d.%d", &major, &minor) == 2 &&
	       (major < 5 || (major == 5 && minor < 11)) && !getrlimit(RLIMIT_MEMLOCK, limit) &&
	       limit->rlim_cur != RLIM_INFINITY;
}

/* libbpf asks for no limit at all, which takes CAP_SYS_RESOURCE. Without it there is what the hard limit allows. */
static void raise_memlock(void)
{
	struct rlimit limit;

	if (!memlock_limits(&limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		log_debug("cannot raise RLIMIT_MEMLOCK: %s", strerror(errno));
}

/* What the kernel means by @err, negative: EPERM is also what it says when that limit is reached. */
static const char *refusal(int err)
{
	struct rlimit limit;

	return err == -EPERM && memlock_limits(&limit)
		       ? "RLIMIT_MEMLOCK leaves too little memory for BPF on this kernel: ulimit -l unlimited, "
			 "LimitMEMLOCK=infinity, or CAP_SYS_RESOURCE"
		       : strerror(-err);
}

/* ---- coverage ---- */

static struct coverage *coverage_of(struct loader *l, const char *program)
{
	for (size_t i = 0; i < NR_HOOKS; i++)
		if (!strcmp(hooks[i].program, program))
			return &l->coverage[i];
	return NULL;
}

static void coverage_lost(struct loader *l, const char *program, const char *why)
{
	struct coverage *c = coverage_of(l, program);

	if (!c)
		return;
	c->active = false;
	snprintf(c->reason, sizeof(c->reason), "%s", why);
}

static bool copy_wanted(const struct loader *l, size_t hook, size_t copy)
{
	bool last = copy == NR_COPIES - 1;

	return (l->options.config.preempted || (hooks[hook].nested && last)) &&
	       !l->no_copies[hook] && !l->coverage[hook].reason[0];
}

/* Is @name a copy's? @hook and @copy then say which. */
static bool copy_named(const char *name, size_t *hook, size_t *copy)
{
	for (size_t i = 0; i < NR_HOOKS; i++) {
		size_t len = strlen(hooks[i].program);

		if (strncmp(hooks[i].program, name, len))
			continue;
		for (size_t n = 0; n < NR_COPIES; n++)
			if (!strcmp(name + len, copy_suffixes[n])) {
				*hook = i;
				*copy = n;
				return true;
			}
	}
	return false;
}

static bool attaches(const struct hook *h)
{
	return h->kind == HOOK_TRACEPOINT || h->kind == HOOK_REFINEMENT;
}

static bool event_chosen(const struct loader *l, enum ev_type type)
{
	return l->options.config.events[type / 64] >> type % 64 & 1;
}

/*
 * A program on sys_exit costs every system call of the host something. Of containers and processes these
 * events need it, of the other subsystems all but a few.
 */
static bool exits_wanted(const struct loader *l)
{
	static const enum ev_type at_exit[] = {EV_container_enter, EV_process_exec_failed,
					       EV_process_credentials, EV_process_namespaces};

	for (size_t i = 0; i < sizeof(at_exit) / sizeof(at_exit[0]); i++)
		if (event_chosen(l, at_exit[i]))
			return true;
	for (int sub = 0; sub < EVS__MAX; sub++)
		if (sub != EVS_container && sub != EVS_process && l->options.subsystems[sub])
			return true;
	return false;
}

static bool event_wanted(const struct loader *l, enum ev_type type)
{
	return l->options.subsystems[event_descs[type].sub] && event_chosen(l, type);
}

/*
 * Calls that move data are most of all calls, and finding out what they move it at is most of their cost: the
 * programs for them go without when none of what they give is wanted.
 */
static bool io_wanted(const struct loader *l, const char *program)
{
	static const struct {
		const char *program;
		enum ev_type gives;
	} rows[] = {
		{"file_io_exit", EV_file_io}, {"file_io_exit", EV_file_inherit},
		{"ipc_io_count", EV_ipc_io},  {"ipc_io_count", EV_ipc_channel},
		{"tcp_io", EV_tcp_datagrams},
	};
	bool all = !strcmp(program, "syscall_io"), io = all;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (all || !strcmp(program, rows[i].program)) {
			io = true;
			if (event_wanted(l, rows[i].gives))
				return true;
		}
	return !io;
}

static bool hook_wanted(const struct loader *l, const struct hook *h)
{
	if (!io_wanted(l, h->program))
		return false;
	if (!strcmp(h->program, "syscall_enter") && !l->options.trace_enter)
		return false;
	if ((h->calls || h->sub == EVS_syscall) && !exits_wanted(l))
		return false;
	/* containers and processes are always followed; syscall_exit serves everybody */
	return h->sub == EVS_container || h->sub == EVS_process || h->sub == EVS_syscall ||
	       l->options.subsystems[h->sub];
}

/* How many of the programs of an object are there to be loaded? With @err: they are lost with it. */
static unsigned int object_programs(struct loader *l, const char *name, int err)
{
	unsigned int nr = 0;
	bool inside = false;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const struct coverage *c =
			order[i].program ? coverage_of(l, order[i].program) : NULL;

		if (order[i].object)
			inside = !strcmp(order[i].object, name);
		if (!inside || !c || c->reason[0])
			continue;
		nr++;
		if (err)
			coverage_lost(l, order[i].program, refusal(err));
	}
	return nr;
}

/* ---- what the verifier says ---- */

static char *verifier_log(const struct loader *l, const char *program)
{
	const struct coverage *c = coverage_of((struct loader *)l, program);

	return l->logs && !l->no_logs && c ? l->logs[c - l->coverage] : NULL;
}

/* Its objection is the last line before its sums. */
static const char *verifier_objection(char *log)
{
	char *end = log ? strstr(log, "verification time ") : NULL, *line;

	if (!end || end - log < 2)
		return NULL;
	end[-1] = 0;
	line = strrchr(log, '\n');
	return line ? line + 1 : log;
}

/* After @obj is loaded: the sums end in "processed N insns (limit …". */
static void note_verified(struct loader *l, const struct bpf_object *obj)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj)
	{
		const char *log = verifier_log(l, bpf_program__name(prog));
		const char *sum = log ? strstr(log, "processed ") : NULL;

		if (sum)
			coverage_of(l, bpf_program__name(prog))->verified =
				strtoul(sum + strlen("processed "), NULL, 10);
	}
}

/* ---- objects ---- */

/*
 * From 6.1 on the kernel has an allocator for BPF programs in any context: entries then take memory when
 * they are there, and not all at once. What a container must not be missed for stays allocated.
 */
static int allocate_as_needed(const struct loader *l, struct bpf_map *map)
{
	if (!l->btf || btf__find_by_name_kind(l->btf, "bpf_mem_alloc", BTF_KIND_STRUCT) < 0 ||
	    bpf_map__type(map) != BPF_MAP_TYPE_HASH || !strcmp(bpf_map__name(map), "cgroups"))
		return 0;
	return bpf_map__set_map_flags(map, bpf_map__map_flags(map) | BPF_F_NO_PREALLOC);
}

/* Data of one object's programs, as a map: not to be shared. */
static bool is_own_section(const char *map)
{
	return map[0] == '.' && strcmp(map, CONFIG_MAP) != 0;
}

/* Every map is made once: those of several objects by maps.bpf.c. */
static int prepare_maps(const struct loader *l, struct bpf_object *obj)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, obj)
	{
		const char *name = bpf_map__name(map);
		int shared = l->maps ? bpf_object__find_map_fd_by_name(l->maps, name) : -ENOENT;

		if (bpf_map__type(map) == BPF_MAP_TYPE_TASK_STORAGE && !l->options.config.preempted)
			bpf_map__set_autocreate(map, false); /* not there before 5.11 */
		else if (shared >= 0 && !is_own_section(name))
			err = bpf_map__reuse_fd(map, shared);
		else if (!strcmp(name, "ring"))
			bpf_map__set_max_entries(map, l->options.ring_bytes);
		else if ((!strcmp(name, "syscall_inflight") && !l->options.trace_enter) ||
			 (!strcmp(name, "leaders") && !l->options.config.leaders))
			bpf_map__set_max_entries(map, 1);
		else
			err = allocate_as_needed(l, map);
		if (err)
			return err;
	}
	return 0;
}

/* Does the kernel have the tracepoint of a program "tp_btf/NAME"? */
static bool has_tracepoint(const struct loader *l, const struct bpf_program *p)
{
	const char *section = bpf_program__section_name(p);
	char type[96];

	if (!l->btf || strncmp(section, "tp_btf/", 7))
		return false;
	snprintf(type, sizeof(type), "btf_trace_%s", section + 7);
	return btf__find_by_name_kind(l->btf, type, BTF_KIND_TYPEDEF) > 0;
}

/* ---- kernels that preempt programs ---- */

static const char *const syscall_sections[NR_SYSCALL_SECTIONS] = {"tp_btf/sys_enter",
								  "tp_btf/sys_exit"};

static int attach_classic(const struct bpf_program *p, long cookie, struct bpf_link **link)
{
	const char *name = strchr(bpf_program__section_name(p), '/') + 1;

	(void)cookie;
	*link = bpf_program__attach_tracepoint(p, "raw_syscalls", name);
	return *link ? 0 : -errno;
}

/* Classic tracepoints are found by their numbers, which tracefs has. */
static bool has_classic(void)
{
	return !access("/sys/kernel/tracing/events/raw_syscalls/sys_exit/id", R_OK) ||
	       !access("/sys/kernel/debug/tracing/events/raw_syscalls/sys_exit/id", R_OK);
}

/*
 * From 7.1 on the kernel may preempt programs of tracepoints, and leaves out who comes to the same program on that
 * CPU meanwhile: bpf/traced.bpf.h. Classic ones it does not preempt: those of system calls become that
 * (bpf/sys.bpf.h). The change is known by a function that came with it. Before objects are opened:
 * libbpf keeps pointers to its handlers.
 */
static int choose_classic(struct loader *l)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_attach_fn = attach_classic);

	if (l->btf &&
	    btf__find_by_name_kind(l->btf, "trace_call_bpf_faultable", BTF_KIND_FUNC) >= 0)
		l->options.config.preempted = true;
	if (!l->options.config.preempted || l->options.no_classic)
		return 0;
	if (!has_classic()) {
		log_error("this kernel needs tracefs: mount -t tracefs nodev /sys/kernel/tracing");
		return -ENOENT;
	}
	for (size_t i = 0; i < NR_SYSCALL_SECTIONS; i++)
		l->handlers[i] = libbpf_register_prog_handler(syscall_sections[i],
							      BPF_PROG_TYPE_TRACEPOINT, 0, &opts);
	l->options.config.classic_sys = true;
	return 0;
}

/* Of two programs that give the same, one is wanted. */
static void choose_alternatives(struct loader *l, struct bpf_object *obj)
{
	for (size_t i = 0; i < NR_HOOKS; i++) {
		const char *instead = attaches(&hooks[i]) ? hooks[i].instead : NULL;
		struct bpf_program *p =
			instead ? bpf_object__find_program_by_name(obj, instead) : NULL;
		struct coverage *c;

		if (!p)
			continue;
		c = has_tracepoint(l, p) ? &l->coverage[i] : coverage_of(l, instead);
		if (!c || c->reason[0])
			continue;
		c->spare = true;
		snprintf(c->reason, sizeof(c->reason), "%s gives it on this kernel",
			 c == &l->coverage[i] ? instead : hooks[i].program);
	}
}

/* An iterator that stands in for one that the kernel refuses. */
static void choose_fallbacks(struct loader *l)
{
	for (size_t i = 0; i < NR_HOOKS; i++) {
		struct coverage *c = &l->coverage[i], *first;

		if (hooks[i].kind != HOOK_ITERATOR || !hooks[i].instead)
			continue;
		first = coverage_of(l, hooks[i].instead);
		first->spare = true;
		if (!first->reason[0]) {
			c->spare = true;
			snprintf(c->reason, sizeof(c->reason), "%s gives it on this kernel",
				 hooks[i].instead);
		} else if (c->spare) { /* refused since */
			c->spare = false;
			c->reason[0] = 0;
		}
	}
}

static bool has_member(const struct btf *btf, const char *type, const char *member)
{
	int id = btf ? btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT) : -1;
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);

	for (int i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), member))
			return true;
	return false;
}

/* By its BTF, which may be another kernel's (tests/core); where that has no functions, by what this one shows. */
static bool has_kprobes(const struct loader *l)
{
	return (l->btf && btf__find_by_name_kind(l->btf, "register_kprobe", BTF_KIND_FUNC) > 0) ||
	       !access("/sys/bus/event_source/devices/kprobe", F_OK);
}

/* Programs for which the kernel is too old, or too new, or made without what they need. */
static void leave_out_lacking(struct loader *l)
{
	bool kprobes = has_kprobes(l);

	l->options.config.resolves = kprobes;
	for (size_t i = 0; i < NR_HOOKS; i++) {
		struct coverage *c = &l->coverage[i];

		if (c->reason[0])
			continue;
		if (hooks[i].type && !has_member(l->btf, hooks[i].type, hooks[i].member))
			snprintf(c->reason, sizeof(c->reason), LACKS "%s in struct %s",
				 hooks[i].member, hooks[i].type);
		else if (hooks[i].kind == HOOK_REFINEMENT && !kprobes)
			snprintf(c->reason, sizeof(c->reason), "this kernel has no kprobes");
	}
}

static int prepare(struct loader *l, struct bpf_object *obj)
{
	struct bpf_program *prog;

	choose_alternatives(l, obj);
	choose_fallbacks(l);
	bpf_object__for_each_program(prog, obj)
	{
		const struct coverage *c = coverage_of(l, bpf_program__name(prog));
		char *log = verifier_log(l, bpf_program__name(prog));
		size_t hook, copy;

		bpf_program__set_autoload(prog, copy_named(bpf_program__name(prog), &hook, &copy)
							? copy_wanted(l, hook, copy)
							: c && !c->reason[0]);
		if (log) {
			bpf_program__set_log_level(prog, VERIFIER_STATS);
			bpf_program__set_log_buf(prog, log, VERIFIER_LOG_BYTES);
		}
	}
	return prepare_maps(l, obj);
}

static void name_sections(struct loader *l, const struct bpf_object *obj)
{
	for (size_t i = 0; i < NR_HOOKS; i++) {
		const struct bpf_program *p =
			bpf_object__find_program_by_name(obj, hooks[i].program);
		bool classic = p && bpf_program__type(p) == BPF_PROG_TYPE_TRACEPOINT;
		const char *section = p ? bpf_program__section_name(p) : "";

		if (p)
			snprintf(l->sections[i], sizeof(l->sections[i]), "%s%s",
				 classic ? "tp/raw_syscalls" : "",
				 classic ? strchr(section, '/') : section);
	}
}

/*
 * The bytes of an object are pages of the executable, which would stay resident for good. Whoever reads
 * them again gets them from the file.
 */
static void forget_bytes(const void *(*elf)(size_t *len))
{
	size_t len, page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)elf(&len);
	uintptr_t begin = (at + page - 1) & ~(page - 1), end = (at + len) & ~(page - 1);

	if (begin < end)
		madvise((void *)begin, end - begin, MADV_DONTNEED);
}

/* NULL, and errno. */
static struct bpf_object *open_elf(const char *name, const void *(*elf)(size_t *len))
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);
	size_t len;
	const void *bytes = elf(&len);

	return bpf_object__open_mem(bytes, len, &opts);
}

/* Stays closed if none of its programs is wanted. */
static int open_object(struct loader *l, size_t i)
{
	l->objects[i] = open_elf(object_rows[i].name, object_rows[i].elf);
	if (!l->objects[i])
		return -errno;
	name_sections(l, l->objects[i]);
	if (!object_programs(l, object_rows[i].name, 0)) {
		bpf_object__close(l->objects[i]);
		l->objects[i] = NULL;
	}
	return 0;
}

static bool map_wanted(const struct loader *l, const char *name)
{
	for (size_t i = 0; i < NR_OBJECTS; i++)
		if (l->objects[i] && bpf_object__find_map_by_name(l->objects[i], name))
			return !is_own_section(name);
	return false;
}

static int make_maps(struct loader *l)
{
	struct bpf_object *maps = open_elf("maps", maps_elf);
	struct bpf_map *map;
	int err;

	if (!maps)
		return -errno;
	bpf_object__for_each_map(map, maps)
		bpf_map__set_autocreate(map, map_wanted(l, bpf_map__name(map)));
	map = bpf_object__find_map_by_name(maps, CONFIG_MAP);
	err = map ? bpf_map__set_initial_value(map, &l->options.config, sizeof(l->options.config))
		  : -ENOENT;
	if (!err)
		err = prepare_maps(l, maps);
	if (!err)
		err = bpf_object__load(maps);
	l->maps = maps;
	return err;
}

/*
 * Loads one object. A program that the kernel refuses is noted and left out, and the object is
 * tried again without it.
 */
static int load_object(struct loader *l, size_t i)
{
	int err = 0;

	for (size_t tries = 0; tries < NR_HOOKS; tries++) {
		char why[sizeof(((struct coverage *)0)->reason)];
		const char *objection;
		size_t hook, copy;

		if (tries)
			err = open_object(l, i);
		if (err || !l->objects[i])
			return err;
		err = prepare(l, l->objects[i]);
		failed_program[0] = failed_why[0] = 0;
		if (!err) {
			pthread_mutex_unlock(&l->lock);
			err = bpf_object__load(l->objects[i]);
			pthread_mutex_lock(&l->lock);
		}
		if (!err) {
			note_verified(l, l->objects[i]);
			return 0;
		}
		bpf_object__close(l->objects[i]);
		l->objects[i] = NULL;
		if (l->logs && err == -ENOSPC) { /* a log that was too small: do without */
			l->no_logs = true;
			continue;
		}
		if (copy_named(failed_program, &hook, &copy)) { /* the first goes on alone */
			l->no_copies[hook] = true;
			continue;
		}
		if (!failed_program[0] || !coverage_of(l, failed_program))
			return err;
		objection = verifier_objection(verifier_log(l, failed_program));
		snprintf(why, sizeof(why), "the kernel refuses it: %s",
			 objection			  ? objection
			 : failed_why[0] && err != -EPERM ? failed_why
							  : refusal(err));
		coverage_lost(l, failed_program, why);
	}
	return err;
}

/* Loads one object after another that nobody has begun yet. */
static void *load_some(void *loader)
{
	struct loader *l = loader;

	pthread_mutex_lock(&l->lock);
	while (l->next_object < NR_OBJECTS) {
		unsigned int i = l->next_object++;

		if (l->objects[i])
			l->errors[i] = load_object(l, i);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/*
 * Most of a start is the verifier, which goes through one program on each CPU that asks it to. Each takes
 * some 15 MiB meanwhile, for the kernel's BTF.
 */
#define LOADERS 4

static void load_all(struct loader *l)
{
	pthread_t threads[LOADERS - 1];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int nr = 0;

	mallopt(M_ARENA_MAX, 1); /* one that malloc_trim() takes all of */
	while (nr < LOADERS - 1 && nr + 1 < cpus &&
	       !pthread_create(&threads[nr], NULL, load_some, l))
		nr++;
	load_some(l);
	while (nr > 0)
		pthread_join(threads[--nr], NULL);
}

static struct bpf_program *find_program(const struct loader *l, const char *name)
{
	for (size_t i = 0; i < NR_OBJECTS; i++) {
		struct bpf_program *p =
			l->objects[i] ? bpf_object__find_program_by_name(l->objects[i], name)
				      : NULL;

		if (p)
			return p;
	}
	return NULL;
}

int loader_map(const struct loader *l, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(l->maps, name);

	for (size_t i = 0; fd < 0 && i < NR_OBJECTS; i++)
		if (l->objects[i])
			fd = bpf_object__find_map_fd_by_name(l->objects[i], name);
	return fd < 0 ? -ENOENT : fd;
}

static void name_hooks(struct loader *l)
{
	for (size_t i = 0; i < NR_HOOKS; i++) {
		struct coverage *c = &l->coverage[i];

		c->program = hooks[i].program;
		c->doc = hooks[i].doc;
		c->subsystem = subsystem_names[hooks[i].sub];
		c->spare = hooks[i].kind == HOOK_REFINEMENT;
		c->hook = hooks[i].calls ? hooks[i].calls : l->sections[i];
		if (!hook_wanted(l, &hooks[i]))
			snprintf(c->reason, sizeof(c->reason), NOT_ASKED_FOR);
	}
}

/* For each call whose exit a program wants; @p: what each_call() was given. */
typedef int call_fn(struct loader *l, const struct hook *h, __u32 nr, const struct bpf_program *p);

static int each_call(struct loader *l, const struct hook *h, call_fn *fn,
		     const struct bpf_program *p)
{
	char calls[1024], *save = NULL;
	int err = 0;

	snprintf(calls, sizeof(calls), "%s", h->calls + strlen(EXIT_OF));
	for (char *name = strtok_r(calls, " ", &save); name && !err;
	     name = strtok_r(NULL, " ", &save)) {
		int nr = syscall_number(EV_ABI_NATIVE, name);

		if (nr >= 0 && nr < EV_NR_SYSCALLS)
			err = fn(l, h, nr, p);
	}
	return err;
}

static int mark_call(struct loader *l, const struct hook *h, __u32 nr, const struct bpf_program *p)
{
	(void)h;
	(void)p;
	l->options.config.calls[nr / 64] |= 1ULL << nr % 64;
	return 0;
}

/* The exits that programs other than syscall_exit want. */
static void mark_calls(struct loader *l)
{
	for (size_t i = 0; i < NR_HOOKS; i++)
		if (hooks[i].kind == HOOK_SYSCALLS && !l->coverage[i].reason[0])
			each_call(l, &hooks[i], mark_call, NULL);
}

/* The place of a v1 controller in css_set.subsys[] depends on how the kernel was configured. */
static int find_controller(struct loader_options *o)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *t;
	char name[64];
	int id, err = -ENOENT;

	if (!btf)
		return -errno;
	snprintf(name, sizeof(name), "%s_cgrp_id", o->cgroup_controller);
	id = btf__find_by_name_kind(btf, "cgroup_subsys_id", BTF_KIND_ENUM);
	t = id < 0 ? NULL : btf__type_by_id(btf, id);
	for (int i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_enum(t)[i].name_off), name)) {
			o->config.cgroup_subsys = btf_enum(t)[i].val;
			err = 0;
		}
	btf__free(btf);
	return err;
}

int loader_open(struct loader **out, const struct loader_options *o)
{
	struct loader *l = calloc(1, sizeof(*l));
	int err, loaded = 0;

	if (!l)
		return -ENOMEM;
	l->options = *o;
	l->policy = sched_getscheduler(0);
	pthread_mutex_init(&l->lock, NULL);
	if (o->ask_verifier)
		l->logs = calloc(NR_HOOKS, sizeof(*l->logs));
	libbpf_set_print(on_log);
	raise_memlock();
	err = o->cgroup_controller[0] ? find_controller(&l->options) : 0;
	if (err) {
		log_error("this kernel does not say where the controller %s is: %s",
			  o->cgroup_controller, strerror(-err));
		loader_close(l);
		return err;
	}
	l->btf = btf__load_vmlinux_btf();
	if (libbpf_get_error(l->btf))
		l->btf = NULL;
	err = choose_classic(l);
	if (err) {
		loader_close(l);
		return err;
	}
	name_hooks(l);
	leave_out_lacking(l);
	mark_calls(l);
	for (size_t i = 0; i < NR_OBJECTS; i++)
		l->errors[i] = open_object(l, i);
	err = make_maps(l);
	if (err) {
		log_error("cannot make the maps of the BPF programs: %s", refusal(err));
		loader_close(l);
		return err;
	}
	load_all(l);
	for (size_t i = 0; i < NR_OBJECTS; i++) {
		err = l->errors[i];
		loaded += !err;
		if (err)
			object_programs(l, object_rows[i].name, err);
		if (err &&
		    i < 2) { /* without processes and system calls there is nothing to tell */
			log_error("cannot load the BPF object '%s': %s", object_rows[i].name,
				  refusal(err));
			loader_close(l);
			return err;
		}
	}
	/* some 15 MiB that only loading needed */
	btf__free(l->btf);
	l->btf = NULL;
	malloc_trim(0);
	forget_bytes(maps_elf);
	for (size_t i = 0; i < NR_OBJECTS; i++)
		forget_bytes(object_rows[i].elf);
	*out = l;
	return loaded ? 0 : -ENOTSUP;
}

/* ---- system calls ---- */

static int put_program(const struct loader *l, __u32 row, __u32 nr, const struct bpf_program *p)
{
	__u32 key = row * EV_NR_SYSCALLS + nr;
	int fd = bpf_program__fd(p);

	return bpf_map_update_elem(loader_map(l, "sys_progs"), &key, &fd, BPF_ANY);
}

/* Row in which subsystem @sub looks for who comes after it. */
static __u32 next_row(int sub)
{
	return sub + 1;
}

/*
 * Puts a program where it is found at the exit of one call: behind every earlier subsystem that
 * wants the same call, else first. Rows are filled from the last subsystem to the first.
 */
static int chain(struct loader *l, const struct hook *h, __u32 nr, const struct bpf_program *p)
{
	int err;

	if (h->kind == HOOK_OUTSIDE)
		return put_program(l, EVS__MAX + 1, nr, p);
	err = put_program(l, 0, nr, p);
	for (int sub = 0; !err && sub < (int)h->sub; sub++)
		err = put_program(l, next_row(sub), nr, p);
	return err;
}

static int chain_all(struct loader *l)
{
	/* later subsystems first: an earlier one then takes over the rows before it */
	for (int sub = EVS__MAX - 1; sub >= 0; sub--)
		for (size_t i = 0; i < NR_HOOKS; i++) {
			struct bpf_program *p;
			int err;

			if (!hooks[i].calls || (int)hooks[i].sub != sub || l->coverage[i].reason[0])
				continue;
			p = find_program(l, hooks[i].program);
			if (!p) {
				coverage_lost(l, hooks[i].program,
					      "its object could not be loaded");
				continue;
			}
			err = each_call(l, &hooks[i], chain, p);
			if (err)
				coverage_lost(l, hooks[i].program, strerror(-err));
			else
				l->coverage[i].active = true;
		}
	return 0;
}

/* The number of a call of the 32-bit ABI in the native one, where mmap2, chown32, ftruncate64 are mmap, chown, ftruncate. */
static int native_number(const char *name)
{
	static const char *const suffixes[] = {"_time64", "64", "32", "2"};
	int nr = syscall_number(EV_ABI_NATIVE, name);
	size_t len = strlen(name);
	char plain[64];

	if (nr < 0 && !strcmp(name, "umount"))
		return syscall_number(EV_ABI_NATIVE, "umount2");
	for (size_t i = 0; nr < 0 && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t n = strlen(suffixes[i]);

		if (len <= n || len >= sizeof(plain) || strcmp(name + len - n, suffixes[i]))
			continue;
		snprintf(plain, sizeof(plain), "%.*s", (int)(len - n), name);
		nr = syscall_number(EV_ABI_NATIVE, plain);
	}
	return nr;
}

/* Calls of the 32-bit ABI have other numbers: the kernel side is given the native one, found by name. */
static void map_compat(const struct loader *l)
{
	int fd = loader_map(l, "compat_nr");

	for (__u32 nr = 0; fd >= 0 && nr < EV_NR_SYSCALLS; nr++) {
		const char *name = name_syscall(EV_SYSNR(EV_ABI_COMPAT, nr));
		int native = name ? native_number(name) : -1;
		__u32 value = native >= 0 ? native + 1 : 0;

		if (value)
			bpf_map_update_elem(fd, &nr, &value, BPF_ANY);
	}
}

/* What socketcall(2) and ipc(2) stand for, by their first argument: linux/net.h, linux/ipc.h. */
static const char *const multiplexed[2 * MULTIPLEXED_IPC] = {
	[1] = "socket",
	[2] = "bind",
	[3] = "connect",
	[4] = "listen",
	[5] = "accept",
	[6] = "getsockname",
	[7] = "getpeername",
	[8] = "socketpair",
	[9] = "sendto",
	[10] = "recvfrom",
	[11] = "sendto",
	[12] = "recvfrom",
	[13] = "shutdown",
	[14] = "setsockopt",
	[15] = "getsockopt",
	[16] = "sendmsg",
	[17] = "recvmsg",
	[18] = "accept4",
	[19] = "recvmmsg",
	[20] = "sendmmsg",
	[MULTIPLEXED_IPC + 1] = "semop",
	[MULTIPLEXED_IPC + 2] = "semget",
	[MULTIPLEXED_IPC + 3] = "semctl",
	[MULTIPLEXED_IPC + 4] = "semtimedop",
	[MULTIPLEXED_IPC + 11] = "msgsnd",
	[MULTIPLEXED_IPC + 12] = "msgrcv",
	[MULTIPLEXED_IPC + 13] = "msgget",
	[MULTIPLEXED_IPC + 14] = "msgctl",
	[MULTIPLEXED_IPC + 21] = "shmat",
	[MULTIPLEXED_IPC + 22] = "shmdt",
	[MULTIPLEXED_IPC + 23] = "shmget",
	[MULTIPLEXED_IPC + 24] = "shmctl",
};

static void map_multiplexed(const struct loader *l)
{
	int fd = loader_map(l, "multiplexed_nr");

	for (__u32 i = 0; fd >= 0 && i < 2 * MULTIPLEXED_IPC; i++) {
		int native = multiplexed[i] ? syscall_number(EV_ABI_NATIVE, multiplexed[i]) : -1;
		__u32 value = native + 1;

		if (value)
			bpf_map_update_elem(fd, &i, &value, BPF_ANY);
	}
}

/* ---- attaching ---- */

#define ENOTSUPP_ 524 /* the kernel's own: include/linux/errno.h */

/* What errno of an attach means. */
static const char *attach_error(const struct bpf_program *p, int err)
{
	if (err == ENOTSUPP_)
		return "this kernel cannot do that on this architecture";
	if (err == ENOENT && bpf_program__type(p) == BPF_PROG_TYPE_KPROBE)
		return "this kernel has no such function";
	return strerror(err);
}

static void attach_one(struct loader *l, size_t i)
{
	struct bpf_program *p = find_program(l, hooks[i].program);
	struct bpf_link *link;

	if (!p) {
		coverage_lost(l, hooks[i].program, "its object could not be loaded");
		return;
	}
	link = bpf_program__attach(p);
	if (!link) {
		char why[120];

		snprintf(why, sizeof(why), "cannot attach: %s", attach_error(p, errno));
		coverage_lost(l, hooks[i].program, why);
		return;
	}
	l->links[i] = link;
	l->coverage[i].active = true;
}

/* Behind the first. Without them the first goes on alone. */
static void attach_copies(struct loader *l, size_t i)
{
	for (size_t n = 0; n < NR_COPIES; n++) {
		struct bpf_program *p;
		char name[64];

		snprintf(name, sizeof(name), "%s%s", hooks[i].program, copy_suffixes[n]);
		p = find_program(l, name);
		if (!p || bpf_program__fd(p) < 0) /* none, or not loaded */
			continue;
		l->copies[i][n] = bpf_program__attach(p);
		if (!l->copies[i][n])
			log_debug("%s: cannot attach: %s", name, strerror(errno));
	}
}

/* How often the kernel has left out a program and its copies. */
static __u64 missed(const struct loader *l, size_t i)
{
	const struct bpf_program *p = find_program(l, hooks[i].program);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	char key[32] = "";
	__u64 done = 0;

	if (!p || bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len))
		return 0;
	snprintf(key, sizeof(key), "%s", hooks[i].program);
	loader_hold_cpu(l);
	if (!attaches(&hooks[i]) || bpf_map_lookup_elem(loader_map(l, "copied"), key, &done))
		done = 0;
	loader_release_cpu(l);
	return info.recursion_misses > done ? info.recursion_misses - done : 0;
}

static int map_state(struct loader *l)
{
	int fd = loader_map(l, "state");
	void *at =
		fd < 0 ? MAP_FAILED
		       : mmap(NULL, sizeof(*l->state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return fd < 0 ? fd : -errno;
	l->state = at;
	return 0;
}

int loader_attach(struct loader *l)
{
	int err = map_state(l);

	if (err)
		return err;
	chain_all(l);
	loader_hold_cpu(l); /* another instance may be recording */
	map_compat(l);
	map_multiplexed(l);
	loader_release_cpu(l);
	for (size_t i = 0; i < NR_HOOKS; i++) {
		if (attaches(&hooks[i]) && !l->coverage[i].reason[0]) {
			attach_one(l, i);
			attach_copies(l, i);
			l->missed_before[i] = missed(l, i);
		} else if (hooks[i].kind == HOOK_ITERATOR && !l->coverage[i].reason[0])
			l->coverage[i].active = find_program(l, hooks[i].program) != NULL;
	}
	return !exits_wanted(l) || coverage_of(l, "syscall_exit")->active ? 0 : -ENOTSUP;
}

/* The copies before the first. */
static void destroy_links(struct loader *l, size_t i)
{
	for (size_t n = NR_COPIES; n-- > 0;) {
		bpf_link__destroy(l->copies[i][n]);
		l->copies[i][n] = NULL;
	}
	bpf_link__destroy(l->links[i]);
	l->links[i] = NULL;
}

/*
 * What is missed while programs go is not part of the recording; and what the first has
 * just been left out of, a copy may be about to do. So it is asked before and after.
 */
void loader_detach(struct loader *l)
{
	__u64 before[NR_HOOKS];

	for (size_t i = 0; i < NR_HOOKS; i++)
		before[i] = missed(l, i);
	for (size_t i = 0; i < NR_HOOKS; i++) {
		__u64 after;

		destroy_links(l, i);
		after = missed(l, i);
		if (after > before[i])
			after = before[i];
		l->coverage[i].missed =
			after > l->missed_before[i] ? after - l->missed_before[i] : 0;
	}
}

void loader_close(struct loader *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < NR_HOOKS; i++)
		destroy_links(l, i);
	if (l->state)
		munmap(l->state, sizeof(*l->state));
	for (size_t i = 0; i < NR_OBJECTS; i++)
		bpf_object__close(l->objects[i]);
	bpf_object__close(l->maps);
	for (size_t i = 0; i < NR_SYSCALL_SECTIONS; i++)
		if (l->handlers[i] > 0)
			libbpf_unregister_prog_handler(l->handlers[i]);
	btf__free(l->btf);
	pthread_mutex_destroy(&l->lock);
	free(l->logs);
	free(l);
}

const struct coverage *loader_coverage(const struct loader *l, unsigned int *nr)
{
	*nr = NR_HOOKS;
	return l->coverage;
}

int loader_iterate(const struct loader *l, const char *program)
{
	struct bpf_program *p = find_program(l, program);
	LIBBPF_OPTS(bpf_iter_attach_opts, opts);
	union bpf_iter_link_info over = {};
	struct bpf_link *link;
	int fd;

	if (!p)
		return -ENOENT;
	for (size_t i = 0; i < NR_HOOKS; i++)
		if (hooks[i].map && !strcmp(hooks[i].program, program)) {
			over.map.map_fd = loader_map(l, hooks[i].map);
			opts.link_info = &over;
			opts.link_info_len = sizeof(over);
		}
	link = bpf_program__attach_iter(p, &opts);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	bpf_link__destroy(link);
	return fd;
}

static void state_changed(const struct loader *l)
{
	if (l->state)
		__atomic_fetch_add(&l->state->generation, 1, __ATOMIC_SEQ_CST);
}

/* @policy: SCHED_FIFO or what it was before. */
static void set_policy(int policy, int priority)
{
	struct sched_param param = {.sched_priority = priority};

	if (sched_setscheduler(0, policy, &param))
		log_debug("cannot set the scheduling policy: %s", strerror(errno));
}

static unsigned int held; /* a container may be decided about while counters are taken */

static bool holds_cpu(const struct loader *l)
{
	return l->options.config.classic_sys && l->policy == SCHED_OTHER;
}

void loader_hold_cpu(const struct loader *l)
{
	if (holds_cpu(l) && !held++)
		set_policy(SCHED_FIFO, 1);
}

void loader_release_cpu(const struct loader *l)
{
	if (holds_cpu(l) && !--held)
		set_policy(SCHED_OTHER, 0);
}

int loader_mark(const struct loader *l, __u64 cgroup, __u32 flags, __u64 created, bool add)
{
	struct ev_cgroup c = {.flags = flags, .created = created};
	int fd = loader_map(l, "cgroups"), err;

	loader_hold_cpu(l);
	err = bpf_map_update_elem(fd, &cgroup, &c, add ? BPF_ANY : BPF_EXIST);
	loader_release_cpu(l);
	state_changed(l);
	return err;
}

void loader_sleeps(const struct loader *l, bool eager)
{
	l->state->eager = eager;
	__atomic_store_n(&l->state->awake, 0, __ATOMIC_SEQ_CST);
}

void loader_scanned(const struct loader *l)
{
	l->state->scanned = 1;
	state_changed(l);
}
