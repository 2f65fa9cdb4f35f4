// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include "container/hierarchy.h"
#include "place.h"
#include "place.skel.h"
#include "programs.h"
#include "record.h"

/* The registers' image as the kernel keeps it (struct pt_regs), at the beginning of place.memory. */
#if defined(__x86_64__)
struct image {
	struct user_regs_struct r; /* up to ss the same as pt_regs */
};
#elif defined(__aarch64__)
struct image {
	struct user_regs_struct r; /* user_pt_regs */
	__u64 orig_x0;
	__s32 syscallno;
};
#endif

#define STRING_AT 2048 /* in place.memory */

static struct programs *loading; /* libbpf's callbacks are given no pointer */

/* The loader attaches: which programs, and nothing else. */
static int on_attach(const struct bpf_program *prog, long cookie, struct bpf_link **link)
{
	struct programs *p = loading;

	(void)cookie;
	*link = NULL;
	p->program[p->nr_programs].name = bpf_program__name(prog);
	p->program[p->nr_programs++].fd = bpf_program__fd(prog);
	return -EOPNOTSUPP;
}

bool programs_kernel_has(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return has;
}

const char *programs_refused(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	LIBBPF_OPTS(libbpf_prog_handler_opts, handler, .prog_attach_fn = on_attach);
	struct cgroup_hierarchy h;
	struct place_bpf *place;
	int err;

	if (geteuid())
		return "it needs root";
	if (cgroup_hierarchy_find(&h) || h.id)
		return "there is no cgroup v2";
	if (!programs_kernel_has("bpf_rdonly_cast"))
		return "the kernel has no bpf_rdonly_cast() (6.2 and newer have)";
	place = place_bpf__open_and_load();
	if (!place)
		return "the kernel loads no raw_tp program";
	err = bpf_prog_test_run_opts(bpf_program__fd(place->progs.place_find), &opts);
	place_bpf__destroy(place);
	if (err)
		return "the kernel does not run raw_tp programs by BPF_PROG_TEST_RUN";
	if (libbpf_register_prog_handler("tp_btf+", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, &handler) < 0)
		return "libbpf takes no handler of sections";
	return NULL;
}

struct loader_options programs_options(void)
{
	struct loader_options o = {
		.ring_bytes = 8 << 20,
		.trace_enter = true,
		.no_classic = true, /* we have handlers of our own */
		.config = {.wakeup_bytes = 8 << 20,
			   .stream_bytes = 8 << 20,
			   .adopt_new = 1,
			   .count_syscalls = 1,
			   .time_syscalls = 1,
			   .trace_syscalls = 1,
			   .join_checks = 1},
	};

	memset(o.config.events, 0xff, sizeof(o.config.events));
	memset(o.subsystems, true, sizeof(o.subsystems));
	return o;
}

/* By the cgroup's directory: what the kernel's helpers say is what is tested. */
static __u64 own_cgroup(void)
{
	char line[4096], path[8192];
	struct cgroup_hierarchy h;
	struct stat st = {};
	FILE *f = fopen("/proc/self/cgroup", "re");

	assert_int_equal(cgroup_hierarchy_find(&h), 0);
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "0::", 3))
			continue;
		snprintf(path, sizeof(path), "%s%s", h.mount, line + 3);
		assert_int_equal(stat(path, &st), 0);
	}
	fclose(f);
	return st.st_ino;
}

static int on_record(void *arg, void *data, size_t len)
{
	struct programs *p = arg;
	const struct ev_hdr *h = data;

	if (record_check(data, len)) {
		p->broken++;
		return 0;
	}
	p->received[h->type]++;
	if (h->type == p->keep) {
		memcpy(p->kept, data, len);
		record_normalise(p->kept);
	}
	return 0;
}

void programs_open(struct programs *p, const struct loader_options *o)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	memset(p, 0, sizeof(*p));
	loading = p;
	assert_int_equal(loader_open(&p->loader, o), 0);
	/* all is in its place but what would be attached; that is what it says */
	assert_int_equal(loader_attach(p->loader), -ENOTSUP);
	p->ring = ring_buffer__new(loader_map(p->loader, "ring"), on_record, p, NULL);
	assert_non_null(p->ring);
	p->place = place_bpf__open_and_load();
	assert_non_null(p->place);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(p->place->progs.place_find), &opts),
			 0);
	p->cgroup = own_cgroup();
	programs_forget(p);
}

void programs_close(struct programs *p)
{
	ring_buffer__free(p->ring);
	place_bpf__destroy(p->place);
	loader_close(p->loader);
}

void programs_run(struct programs *p, const char *name, const __u64 args[12])
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = 12 * sizeof(args[0]));

	for (unsigned int i = 0; i < p->nr_programs; i++)
		if (!strcmp(p->program[i].name, name)) {
			assert_int_equal(bpf_prog_test_run_opts(p->program[i].fd, &opts), 0);
			assert_int_equal(opts.retval, 0);
			return;
		}
	fail_msg("no program %s", name);
}

static __u64 put_image(struct programs *p, const struct call *c)
{
	struct image *i = (struct image *)p->place->bss->place.memory;

#if defined(__x86_64__)
	i->r.orig_rax = c->nr;
	i->r.rdi = c->a[0];
	i->r.rsi = c->a[1];
	i->r.rdx = c->a[2];
	i->r.r10 = c->a[3];
	i->r.r8 = c->a[4];
	i->r.r9 = c->a[5];
#elif defined(__aarch64__)
	i->syscallno = c->nr;
	i->orig_x0 = c->a[0];
	for (int n = 1; n < 6; n++)
		i->r.regs[n] = c->a[n];
#endif
	return p->place->bss->place.memory_at;
}

void programs_enter(struct programs *p, const struct call *c)
{
	RUN(p, "syscall_enter", put_image(p, c), c->nr);
}

void programs_exit(struct programs *p, const struct call *c)
{
	RUN(p, "syscall_exit", put_image(p, c), c->ret);
}

__u64 programs_string(struct programs *p, const char *text)
{
	snprintf((char *)p->place->bss->place.memory + STRING_AT,
		 sizeof(p->place->bss->place.memory) - STRING_AT, "%s", text);
	return p->place->bss->place.memory_at + STRING_AT;
}

void programs_drain(struct programs *p)
{
	assert_true(ring_buffer__consume(p->ring) >= 0);
}

unsigned long programs_lost(const struct programs *p, enum ev_type type)
{
	int cpus = libbpf_num_possible_cpus();
	__u64 *each = calloc(cpus, sizeof(*each));
	unsigned long sum = 0;
	__u32 key = type;

	assert_non_null(each);
	assert_int_equal(bpf_map_lookup_elem(loader_map(p->loader, "lost"), &key, each), 0);
	for (int i = 0; i < cpus; i++)
		sum += each[i];
	free(each);
	return sum;
}

struct ev_syscall_calls programs_counted(const struct programs *p, const char *map, int sysnr,
					 int err)
{
	int fd = loader_map(p->loader, map);
	struct ev_syscall_calls sum = {}, v;
	char key[64], *at = NULL;

	while (!bpf_map_get_next_key(fd, at, key)) {
		at = key;
		if (bpf_map_lookup_elem(fd, key, &v) || (sysnr != ANY && (int)v.nr != sysnr) ||
		    (err != ANY && v.err != err))
			continue;
		sum.hdr = v.hdr;
		sum.count += v.count;
		sum.total += v.total;
		if (v.longest > sum.longest)
			sum.longest = v.longest;
	}
	return sum;
}

void programs_fill(const struct programs *p, const char *map)
{
	int fd = loader_map(p->loader, map), err = 0;
	static const char value[4096];
	unsigned char key[64];

	/* cgroups, pids and addresses that there are not */
	memset(key, 0x77, sizeof(key));
	for (unsigned int i = 0; !err && i < 1u << 24; i++) {
		memcpy(key, &i, 3);
		err = bpf_map_update_elem(fd, key, value, BPF_ANY);
	}
	assert_int_equal(err, -E2BIG);
}

void programs_clear(const struct programs *p, const char *map)
{
	int fd = loader_map(p->loader, map);
	char key[64];

	while (!bpf_map_get_next_key(fd, NULL, key))
		assert_int_equal(bpf_map_delete_elem(fd, key), 0);
}

void programs_forget(struct programs *p)
{
	static const char *const maps[] = {"syscall_calls", "syscall_calls_rest",
					   "syscall_first", "syscall_inflight",
					   "members",	    "cgroups"};
	__u64 *none = calloc(libbpf_num_possible_cpus(), sizeof(*none));

	assert_non_null(none);
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		programs_clear(p, maps[i]);
	for (__u32 type = 0; type < EV__MAX; type++)
		bpf_map_update_elem(loader_map(p->loader, "lost"), &type, none, BPF_ANY);
	free(none);
	programs_drain(p);
	memset(p->received, 0, sizeof(p->received));
	p->broken = 0;
	p->keep = 0;
	assert_int_equal(loader_mark(p->loader, p->cgroup, CG_DECIDED, 0, true), 0);
}
