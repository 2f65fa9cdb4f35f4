// SPDX-License-Identifier: MIT
/*
 * What the BPF programs do with one call each, on values of the test's choice: exact counts, nothing
 * of whom nobody watches, no fault whatever a caller passes, and an account of all that finds no room.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "leader.h"
#include "place.h"
#include "place.skel.h"
#include "programs.h"
#include "record.h"

static struct programs all; /* with every event; what needs another configuration loads its own */

static int open_all(void **state)
{
	const struct loader_options o = programs_options();

	(void)state;
	programs_open(&all, &o);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	programs_close(&all);
	return 0;
}

static int forget(void **state)
{
	programs_forget(&all);
	*state = &all;
	return 0;
}

static void times(struct programs *p, unsigned int n, int nr, long ret)
{
	const struct call c = {.nr = nr, .a = {-1}, .ret = ret};

	while (n--)
		programs_exit(p, &c);
}

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static const char *string_of(const struct programs *p, struct ev_ref ref)
{
	static char text[EV_MAX_LEN + 1];
	size_t len = 0;
	const char *s = record_bytes((const struct ev_hdr *)p->kept, ref, &len);

	if (!s)
		return "(none)";
	memcpy(text, s, len);
	text[len] = 0;
	return text;
}

/* ---- counts ---- */

static void test_counts_are_exact(void **state)
{
	struct programs *p = *state;
	struct ev_syscall_calls v;

	times(p, 100, __NR_getppid, 17);
	times(p, 7, __NR_openat, -ENOENT);
	times(p, 3, __NR_openat, -EACCES);
	times(p, 1, __NR_openat, -4096); /* beyond the errors: a result */
	assert_int_equal(programs_counted(p, "syscall_calls", __NR_getppid, 0).count, 100);
	assert_int_equal(programs_counted(p, "syscall_calls", __NR_openat, ENOENT).count, 7);
	assert_int_equal(programs_counted(p, "syscall_calls", __NR_openat, EACCES).count, 3);
	assert_int_equal(programs_counted(p, "syscall_calls", __NR_openat, 0).count, 1);
	v = programs_counted(p, "syscall_calls", ANY, ANY);
	assert_int_equal(v.count, 111);
	assert_int_equal(v.hdr.pid, getpid());
	assert_int_equal(v.hdr.uid, getuid());
	assert_int_equal(v.hdr.cgroup, p->cgroup);
	programs_drain(p);
	assert_int_equal(p->received[EV_syscall_call], 111);
}

static void test_durations(void **state)
{
	const struct timespec ms = {.tv_nsec = 1000000};
	struct programs *p = *state;
	const struct call c = {.nr = __NR_getpid};
	struct ev_syscall_calls v;
	__u64 begin = now_ns();

	for (int i = 0; i < 5; i++) {
		programs_enter(p, &c);
		nanosleep(&ms, NULL);
		programs_exit(p, &c);
	}
	times(p, 1, __NR_getppid, 0); /* of which no entry was seen: its duration is not known */
	v = programs_counted(p, "syscall_calls", __NR_getpid, 0);
	assert_int_equal(v.count, 5);
	assert_in_range(v.total, 5 * 1000000ULL, now_ns() - begin);
	assert_in_range(v.longest, 1000000ULL, v.total);
	assert_int_equal(programs_counted(p, "syscall_calls", __NR_getppid, 0).total, 0);
}

static void test_nobody_else(void **state)
{
	static const char *const maps[] = {"syscall_calls", "syscall_inflight", "members"};
	struct programs *p = *state;
	const struct call c = {.nr = __NR_openat, .ret = -ENOENT};
	char key[64];

	loader_mark(p->loader, p->cgroup, CG_IGNORED, 0, true);
	for (int round = 0; round < 2; round++) {
		programs_enter(p, &c);
		times(p, 10, __NR_openat, -ENOENT);
		times(p, 10, __NR_setns, 0);
		RUN(p, "process_fork", p->place->bss->place.task);
		RUN(p, "process_exec", p->place->bss->place.task);
		RUN(p, "syscall_newtask", p->place->bss->place.task);
		programs_drain(p);
		for (unsigned int type = 0; type < EV__MAX; type++)
			assert_int_equal(p->received[type], 0);
		for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
			assert_int_not_equal(
				bpf_map_get_next_key(loader_map(p->loader, maps[i]), NULL, key), 0);
		programs_clear(p, "cgroups"); /* then: not known at all */
		loader_mark(p->loader, 0, CG_IGNORED, 0, true);
	}
	assert_int_equal(p->broken, 0);
}

static void test_filter_by_process(void **state)
{
	struct loader_options o = programs_options();
	struct programs p;

	(void)state;
	memset(o.subsystems, false, sizeof(o.subsystems));
	o.config.nr_pids = 1;
	o.config.pids[0] = getpid() + 1;
	programs_open(&p, &o);
	times(&p, 10, __NR_getppid, 0);
	programs_drain(&p);
	assert_int_equal(programs_counted(&p, "syscall_calls", ANY, ANY).count, 0);
	assert_int_equal(p.received[EV_syscall_call], 0);
	programs_close(&p);

	o.config.pids[0] = getpid();
	programs_open(&p, &o);
	times(&p, 10, __NR_getppid, 0);
	assert_int_equal(programs_counted(&p, "syscall_calls", __NR_getppid, 0).count, 10);
	programs_close(&p);
}

static void test_numbers(void **state)
{
	struct programs *p = *state;

	/* behind rt_sigreturn the number is gone, and the result is a register of the program's */
	times(p, 2, -1, -ENOENT);
	assert_int_equal(programs_counted(p, "syscall_calls", __NR_rt_sigreturn, 0).count, 2);
	times(p, 3, 0xffff, -ENOSYS);
	assert_int_equal(programs_counted(p, "syscall_calls", 0xffff, ENOSYS).count, 3);
#if defined(__x86_64__)
	times(p, 4, 0x40000000 | __NR_getppid, 1);
	assert_int_equal(
		programs_counted(p, "syscall_calls", EV_SYSNR(EV_ABI_X32, __NR_getppid), 0).count,
		4);
	/* a child comes out of its parent's call, once */
	RUN(p, "syscall_newtask", p->place->bss->place.task);
	times(p, 3, __NR_clone, 0);
	assert_int_equal(programs_counted(p, "syscall_calls", __NR_clone, 0).count, 2);
#endif
}

/* ---- what callers pass ---- */

/* A page that ends where nothing is mapped, full of 'x': no string in it has an end. */
static char *edge(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	memset(at, 'x', page);
	assert_int_equal(munmap(at + page, page), 0);
	return at;
}

static void test_every_call_with_hostile_arguments(void **state)
{
	static const long results[] = {0, 1, 3, 1 << 20, LONG_MAX, -EFAULT, -4095, -4096, LONG_MIN};
	const long page = sysconf(_SC_PAGESIZE);
	struct programs *p = *state;
	char *page_at = edge();
	const __u64 values[] = {
		0,
		1,
		~0ULL,
		(__u64)page_at, /* as long as a page, and no end */
		(__u64)page_at + page - 1,
		1ULL << 63, /* no address at all */
		p->place->bss->place.task, /* the kernel's */
		(__u64) "/etc/../etc//passwd",
	};
	struct ev_syscall_calls at_once, rest;
	unsigned long runs = 0;

	for (int nr = -2; nr < EV_NR_SYSCALLS + 2; nr++) {
		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++)
			for (size_t r = 0; r < sizeof(results) / sizeof(results[0]); r++, runs++) {
				struct call c = {.nr = nr, .ret = results[r]};

				for (int i = 0; i < 6; i++)
					c.a[i] = values[v];
				programs_exit(p, &c);
			}
		programs_drain(p);
	}
	at_once = programs_counted(p, "syscall_calls", ANY, ANY);
	rest = programs_counted(p, "syscall_calls_rest", ANY, ANY);
	assert_int_equal(at_once.count + rest.count, runs);
	assert_int_equal(p->received[EV_syscall_call] + programs_lost(p, EV_syscall_call), runs);
	assert_int_equal(programs_lost(p, EV_syscall_call), 0);
	assert_int_equal(p->broken, 0);
	assert_true(p->received[EV_file_open] > 0);
	munmap(page_at, page);
}

/* A kernel that is broken, or whose types moved: what is no object is read as zeros, and all goes on. */
static void test_every_hook_with_hostile_pointers(void **state)
{
	static const __u64 values[] = {0, 1, 4096, 1ULL << 63, ~0ULL, 0xffff800000000000ULL};
	struct programs *p = *state;

	for (unsigned int i = 0; i < p->nr_programs; i++)
		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
			__u64 args[12];

			for (int a = 0; a < 12; a++)
				args[a] = values[v];
			programs_run(p, p->program[i].name, args);
		}
	programs_drain(p);
	assert_int_equal(p->broken, 0);
	programs_forget(p);
	times(p, 5, __NR_getppid, 0);
	assert_int_equal(programs_counted(p, "syscall_calls", ANY, ANY).count, 5);
}

static void test_the_file_not_the_argument(void **state)
{
	struct programs *p = *state;
	const struct ev_file_open *e = (const struct ev_file_open *)p->kept;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	struct call c = {
		.nr = __NR_openat, .a = {AT_FDCWD, (__u64) "/etc/shadow", O_RDONLY}, .ret = fd};
	char want[64];

	p->keep = EV_file_open;
	programs_exit(p, &c);
	programs_drain(p);
	snprintf(want, sizeof(want), "/proc/%d/status", getpid());
	assert_int_equal(p->received[EV_file_open], 1);
	assert_string_equal(string_of(p, e->path), want);
	assert_string_equal(string_of(p, e->mount), "/proc");
	assert_int_equal(e->fd, fd);
	assert_false(e->path_flags & PATH_ARGUMENT);
	close(fd);
}

static void test_failed_opens(void **state)
{
	char *page_at = edge(), cwd[PATH_MAX], want[PATH_MAX + 16];
	struct programs *p = *state;
	const struct ev_file_open *e = (const struct ev_file_open *)p->kept;
	struct call c = {.nr = __NR_openat, .a = {AT_FDCWD}, .ret = -ENOENT};

	p->keep = EV_file_open;
	c.a[1] = (__u64) "no//such/../file";
	programs_exit(p, &c);
	programs_drain(p);
	snprintf(want, sizeof(want), "%s/no/file", getcwd(cwd, sizeof(cwd)));
	assert_string_equal(string_of(p, e->path), want);
	assert_int_equal(e->err, ENOENT);

	c.a[1] = (__u64)page_at; /* 4096 bytes without an end: what the kernel would take is kept */
	programs_exit(p, &c);
	c.ret = -EFAULT;
	c.a[1] = 1ULL << 63;
	programs_exit(p, &c);
	programs_drain(p);
	assert_true(e->path_flags & PATH_UNREADABLE);
	assert_int_equal(e->path.len, 0);
	assert_int_equal(p->received[EV_file_open], 3);
	assert_int_equal(p->broken, 0);
	munmap(page_at, sysconf(_SC_PAGESIZE));
}

/* ---- no room ---- */

static void test_full_counters(void **state)
{
	struct programs *p = *state;
	struct ev_syscall_calls v;

	times(p, 5, __NR_getppid, 0);
	programs_fill(p, "syscall_calls");
	times(p, 5, __NR_getppid, 0); /* there already */
	times(p, 20, __NR_getuid, 0);
	assert_int_equal(programs_counted(p, "syscall_calls", __NR_getppid, 0).count, 10);
	v = programs_counted(p, "syscall_calls_rest", __NR_getuid, 0);
	assert_int_equal(v.count, 20); /* by container: no process */
	assert_int_equal(v.hdr.cgroup, p->cgroup);
	assert_int_equal(v.hdr.pid, 0);
	assert_true(v.hdr.flags & EV_F_NOPROC);

	programs_fill(p, "syscall_calls_rest");
	times(p, 30, __NR_getgid, 0);
	programs_drain(p);
	assert_int_equal(p->received[EV_syscall_calls], 30); /* one by one */
	assert_int_equal(p->broken, 0);
}

static void test_full_ring(void **state)
{
	struct loader_options o = programs_options();
	struct programs p;

	(void)state;
	o.ring_bytes = 4096;
	o.config.trace_syscalls = 0;
	programs_open(&p, &o);
	times(&p, 100, __NR_setuid, 0);
	times(&p, 50, __NR_unshare, 0);
	programs_drain(&p);
	assert_in_range(p.received[EV_process_credentials], 1, 99);
	assert_int_equal(p.received[EV_process_credentials] +
				 programs_lost(&p, EV_process_credentials),
			 100);
	assert_int_equal(
		p.received[EV_process_namespaces] + programs_lost(&p, EV_process_namespaces), 50);
	assert_true(programs_lost(&p, EV_process_namespaces) > 0);
	assert_int_equal(programs_counted(&p, "syscall_calls", ANY, ANY).count, 150);
	memset(p.received, 0, sizeof(p.received));
	times(&p, 1, __NR_unshare, 0); /* read, it takes records again */
	programs_drain(&p);
	assert_int_equal(p.received[EV_process_namespaces], 1);
	programs_close(&p);
}

/* The one entry of a map. */
static void only_entry(struct programs *p, const char *map, void *value)
{
	int fd = loader_map(p->loader, map);
	char key[64], next[64];

	assert_int_equal(bpf_map_get_next_key(fd, NULL, key), 0);
	assert_int_not_equal(bpf_map_get_next_key(fd, key, next), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, key, value), 0);
}

/* Neither the counters' maps nor the ring take anything: sums by container lack nothing. */
static void test_full_counters_and_ring(void **state)
{
	static const char *const maps[] = {"file_io", "ipc_io", "syscall_arguments"};
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), ends[2];
	struct loader_options o = programs_options();
	struct ev_syscall_arguments arguments;
	struct ev_file_io of_file;
	struct ev_ipc_io of_pipe;
	struct programs p;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	o.ring_bytes = 4096;
	o.config.trace_syscalls = 0;
	programs_open(&p, &o);
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		programs_fill(&p, maps[i]);
	times(&p, 100, __NR_setuid, 0);
	assert_true(programs_lost(&p, EV_process_credentials) > 0);
	for (int i = 0; i < 30; i++) {
		programs_exit(&p, &(struct call){.nr = __NR_read, .a = {file}, .ret = 10});
		programs_exit(&p, &(struct call){.nr = __NR_write, .a = {ends[1]}, .ret = 3});
		programs_exit(&p, &(struct call){.nr = __NR_socket, .a = {1, 2}, .ret = -EPERM});
	}
	only_entry(&p, "file_io_rest", &of_file);
	assert_int_equal(of_file.reads, 30);
	assert_int_equal(of_file.read_bytes, 300);
	assert_int_equal(of_file.hdr.cgroup, p.cgroup);
	assert_true(of_file.hdr.flags & EV_F_NOPROC);
	assert_int_equal(of_file.file | of_file.ino | of_file.hdr.pid, 0);
	only_entry(&p, "ipc_io_rest", &of_pipe);
	assert_int_equal(of_pipe.writes, 30);
	assert_int_equal(of_pipe.written_bytes, 90);
	assert_int_equal(of_pipe.kind, IPCKIND_PIPE);
	only_entry(&p, "syscall_arguments_rest", &arguments);
	assert_int_equal(arguments.count, 30);
	assert_int_equal(arguments.err, EPERM);
	assert_int_equal(programs_lost(&p, EV_file_io), 0);
	assert_int_equal(programs_lost(&p, EV_ipc_io), 0);
	assert_int_equal(programs_lost(&p, EV_syscall_arguments), 0);
	programs_close(&p);
	close(file);
	close(ends[0]);
	close(ends[1]);
}

/* The scratch space is in use, as by a program that this one interrupted: a loss, and counted. */
static void test_clash(void **state)
{
	int cpus = libbpf_num_possible_cpus();
	struct programs *p = *state;
	int fd = loader_map(p->loader, "scratch");
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), zero = 0;
	char *space;

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	space = calloc(cpus, info.value_size);
	assert_non_null(space);
	for (int cpu = 0; cpu < cpus; cpu++) /* it begins with `busy` */
		memcpy(space + (size_t)cpu * info.value_size, &(__u32){1}, 4);
	assert_int_equal(bpf_map_update_elem(fd, &zero, space, BPF_ANY), 0);
	times(p, 6, __NR_openat, -ENOENT);
	memset(space, 0, (size_t)cpus * info.value_size);
	assert_int_equal(bpf_map_update_elem(fd, &zero, space, BPF_ANY), 0);
	times(p, 4, __NR_openat, -ENOENT);
	programs_drain(p);
	assert_int_equal(programs_lost(p, EV_file_open), 6);
	assert_int_equal(p->received[EV_file_open], 4);
	assert_int_equal(programs_counted(p, "syscall_calls", __NR_openat, ENOENT).count, 10);
	free(space);
}

static void test_full_cgroups(void **state)
{
	struct programs *p = *state;
	const struct ev_container_cgroup_create *e =
		(const struct ev_container_cgroup_create *)p->kept;
	__u64 path = programs_string(p, "/system.slice/x\ny");
	struct ev_cgroup c;

	p->keep = EV_container_cgroup_create;
	programs_clear(p, "cgroups");
	RUN(p, "container_cgroup_create", p->place->bss->place.cgroup, path);
	programs_drain(p);
	assert_int_equal(e->id, p->cgroup);
	assert_string_equal(string_of(p, e->path), "/system.slice/x\ny");
	assert_int_equal(bpf_map_lookup_elem(loader_map(p->loader, "cgroups"), &p->cgroup, &c), 0);
	assert_int_equal(programs_lost(p, EV_container_cgroup_create), 0);

	programs_clear(p, "cgroups");
	programs_fill(p, "cgroups");
	RUN(p, "container_cgroup_create", p->place->bss->place.cgroup, path);
	programs_drain(p);
	assert_int_equal(programs_lost(p, EV_container_cgroup_create), 1);
	assert_int_equal(p->received[EV_container_cgroup_create], 2); /* told all the same */
}

/* ---- the phase of a process ---- */

static void test_setup_ends_with_exec(void **state)
{
	struct programs *p = *state;
	const struct ev_process_exec *e = (const struct ev_process_exec *)p->kept;
	const struct place *at = &p->place->bss->place;
	char exe[PATH_MAX] = "", cwd[PATH_MAX];

	p->keep = EV_process_exec;
	loader_mark(p->loader, p->cgroup, CG_DECIDED | CG_RUN, 0, true);
	RUN(p, "container_cgroup_attach", at->cgroup, programs_string(p, "/x"), at->task, 1);
	times(p, 3, __NR_getppid, 0);
	assert_true(programs_counted(p, "syscall_calls", __NR_getppid, 0).hdr.flags & EV_F_SETUP);
	RUN(p, "process_exec", at->task, getpid(), 1ULL << 63 /* no linux_binprm */);
	times(p, 4, __NR_getuid, 0);
	assert_false(programs_counted(p, "syscall_calls", __NR_getuid, 0).hdr.flags & EV_F_SETUP);
	programs_drain(p);
	assert_int_equal(p->received[EV_container_cgroup_attach], 1);
	assert_int_equal(p->received[EV_process_exec], 1);
	assert_int_equal(e->entry, ENTRY_SETUP);
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_string_equal(string_of(p, e->exe), exe);
	assert_string_equal(string_of(p, e->cwd), getcwd(cwd, sizeof(cwd)));
	assert_int_equal(e->filename.len, 0);
}

static void test_full_members(void **state)
{
	struct programs *p = *state;
	const struct place *at = &p->place->bss->place;
	__u32 pid = getpid();
	char member[64];

	RUN(p, "container_cgroup_attach", at->cgroup, programs_string(p, "/x"), at->task, 1);
	assert_int_equal(bpf_map_lookup_elem(loader_map(p->loader, "members"), &pid, member), 0);
	RUN(p, "process_free", at->task);
	assert_int_not_equal(bpf_map_lookup_elem(loader_map(p->loader, "members"), &pid, member),
			     0);
	programs_fill(p, "members");
	RUN(p, "container_cgroup_attach", at->cgroup, programs_string(p, "/x"), at->task, 1);
	programs_drain(p);
	assert_int_equal(programs_lost(p, EV_container_cgroup_attach), 1);
	assert_int_equal(p->received[EV_container_cgroup_attach], 2);
}

/* ---- kernels that preempt programs: bpf/traced.bpf.h ---- */

static unsigned long forks_told(struct programs *p)
{
	programs_drain(p);
	return p->received[EV_process_fork];
}

static void fork_copies(struct programs *p, __u64 task)
{
	RUN(p, "process_fork_second", task);
	RUN(p, "process_fork_third", task);
	RUN(p, "process_fork_last", task);
}

/* Copies do what has not been done yet, and nothing else, whatever comes between. */
static void test_copies(void **state)
{
	struct loader_options o = programs_options();
	const struct place *at;
	struct programs p;
	__u64 done = 0;

	(void)state;
	if (!programs_kernel_has("bpf_preempt_disable")) {
		print_message("no bpf_preempt_disable() (6.11 and newer have it)\n");
		skip();
	}
	o.config.preempted = 1;
	programs_open(&p, &o);
	programs_forget(&p);
	at = &p.place->bss->place;
	RUN(&p, "process_fork", at->task);
	fork_copies(&p, at->task);
	assert_int_equal(forks_told(&p), 1);
	/* the kernel left the first out; the first and the second; all but the last; and the last, before */
	fork_copies(&p, at->task);
	assert_int_equal(forks_told(&p), 2);
	RUN(&p, "process_fork_third", at->task);
	RUN(&p, "process_fork_last", at->task);
	assert_int_equal(forks_told(&p), 3);
	RUN(&p, "process_fork_last", at->task);
	assert_int_equal(forks_told(&p), 4);
	RUN(&p, "process_fork", at->task);
	RUN(&p, "process_fork", at->task);
	fork_copies(&p, at->task);
	assert_int_equal(forks_told(&p), 6);
	/* on top comes another program's call about the same task */
	RUN(&p, "process_fork", at->task);
	RUN(&p, "process_rename", at->task, 0);
	RUN(&p, "process_rename_second", at->task, 0);
	RUN(&p, "process_rename_third", at->task, 0);
	RUN(&p, "process_rename_last", at->task, 0);
	fork_copies(&p, at->task);
	assert_int_equal(forks_told(&p), 7);
	assert_int_equal(bpf_map_lookup_elem(loader_map(p.loader, "copied"),
					     (char[32]){"process_fork"}, &done),
			 0);
	assert_int_equal(done, 3);
	programs_close(&p);
}

/* ---- the calls of first threads ---- */

static __u32 leader_slot(const struct programs *p)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(loader_map(p->loader, "leaders"), &info, &len), 0);
	return getpid() % info.max_entries;
}

static struct ev_leader leader_entry(const struct programs *p)
{
	__u32 slot = leader_slot(p);
	struct ev_leader l;

	assert_int_equal(bpf_map_lookup_elem(loader_map(p->loader, "leaders"), &slot, &l), 0);
	return l;
}

static void leader_set(const struct programs *p, const struct ev_leader *l)
{
	__u32 slot = leader_slot(p);

	assert_int_equal(bpf_map_update_elem(loader_map(p->loader, "leaders"), &slot, l, BPF_ANY),
			 0);
	loader_mark(p->loader, p->cgroup, CG_DECIDED, 0, true); /* who is who is looked up anew */
}

/* What is said of who owns the place; 0: nobody does. */
static __u32 leader_state(const struct programs *p)
{
	__u32 slot = leader_slot(p), state = 0;

	bpf_map_lookup_elem(loader_map(p->loader, "leaders_owned"), &slot, &state);
	return state;
}

static __u64 leader_count(const struct programs *p, int nr, int err)
{
	struct ev_leader l = leader_entry(p);
	__u64 sum = 0;

	for (int i = 0; i < EV_LEADER_CALLS; i++)
		if ((nr == ANY || l.call[i].nr == (__u32)nr) &&
		    (err == ANY || l.call[i].err == err))
			sum += l.call[i].count;
	return sum;
}

static void *in_thread(void *arg)
{
	times(arg, 5, __NR_getppid, 0);
	return NULL;
}

static void open_leaders(struct programs *p)
{
	struct loader_options o = programs_options();

	o.config.time_syscalls = o.config.trace_syscalls = 0;
	o.config.leaders = 1;
	programs_open(p, &o);
}

static void test_first_threads(void **state)
{
	struct ev_leader l;
	struct programs p;
	pthread_t thread;

	(void)state;
	open_leaders(&p);
	times(&p, 100, __NR_getppid, 17);
	times(&p, 7, __NR_openat, -ENOENT);
	times(&p, 2, __NR_openat, 3);
	l = leader_entry(&p);
	assert_int_equal(l.hdr.pid, getpid());
	assert_int_equal(l.hdr.uid, getuid());
	assert_int_equal(l.hdr.cgroup, p.cgroup);
	assert_int_equal(leader_state(&p), LEADER_LIVES);
	assert_int_equal(leader_count(&p, __NR_getppid, 0), 100);
	assert_int_equal(leader_count(&p, __NR_openat, ENOENT), 7);
	assert_int_equal(leader_count(&p, ANY, ANY), 109);
	assert_int_equal(programs_counted(&p, "syscall_calls", ANY, ANY).count, 0);

	/* other threads' */
	assert_int_equal(pthread_create(&thread, NULL, in_thread, &p), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(programs_counted(&p, "syscall_calls", __NR_getppid, 0).count, 5);
	assert_int_equal(leader_count(&p, __NR_getppid, 0), 100);

	/* more than there are places for; nothing is counted twice, and most have one */
	for (int err = 1; err <= 2 * EV_LEADER_CALLS; err++)
		times(&p, 3, __NR_dup, -err);
	for (int err = 1; err <= 2 * EV_LEADER_CALLS; err++)
		assert_int_equal(leader_count(&p, __NR_dup, err) +
					 programs_counted(&p, "syscall_calls", __NR_dup, err).count,
				 3);
	assert_in_range(leader_count(&p, ANY, ANY), 109 + 3 * (EV_LEADER_CALLS / 2),
			109 + 3 * EV_LEADER_CALLS);
	programs_close(&p);
}

static void test_first_threads_end(void **state)
{
	struct programs p;
	__u32 lives = LEADER_LIVES, slot;

	(void)state;
	open_leaders(&p);
	times(&p, 10, __NR_getppid, 0);
	RUN(&p, "syscall_task_exit", p.place->bss->place.task);
	assert_int_equal(leader_entry(&p).ended, 1);
	assert_int_equal(leader_state(&p), LEADER_ENDED);
	/* said once: what happens to the entry after that is user space's affair */
	slot = leader_slot(&p);
	assert_int_equal(bpf_map_update_elem(loader_map(p.loader, "leaders_owned"), &slot, &lives,
					     BPF_EXIST),
			 0);
	RUN(&p, "syscall_task_exit", p.place->bss->place.task);
	assert_int_equal(leader_state(&p), LEADER_LIVES);
	/* who is the first thread after that, as execve(2) by another makes it, has no place */
	loader_mark(p.loader, p.cgroup, CG_DECIDED, 0, true);
	times(&p, 4, __NR_getppid, 0);
	assert_int_equal(leader_count(&p, __NR_getppid, 0), 10);
	assert_int_equal(programs_counted(&p, "syscall_calls", __NR_getppid, 0).count, 4);
	programs_close(&p);
}

/* A place of another process, of the same in another cgroup, and one that is just made free. */
static void test_first_threads_places(void **state)
{
	struct ev_leader l, free_one = {};
	struct programs p;

	(void)state;
	open_leaders(&p);
	times(&p, 1, __NR_getppid, 0);
	l = leader_entry(&p);
	l.hdr.start++;
	leader_set(&p, &l);
	times(&p, 1, __NR_getppid, 0);
	l.hdr.start--;
	l.hdr.cgroup++;
	leader_set(&p, &l);
	times(&p, 1, __NR_getppid, 0);
	assert_int_equal(leader_count(&p, ANY, ANY), 1);
	assert_int_equal(programs_counted(&p, "syscall_calls", __NR_getppid, 0).count, 2);

	l.hdr.cgroup--;
	leader_set(&p, &l);
	times(&p, 1, __NR_getppid, 0);
	assert_int_equal(leader_count(&p, ANY, ANY), 2);
	/* taken from under the thread, which still knows its place */
	l = leader_entry(&p);
	assert_int_equal(bpf_map_update_elem(loader_map(p.loader, "leaders"),
					     &(__u32){leader_slot(&p)}, &free_one, BPF_ANY),
			 0);
	times(&p, 1, __NR_getppid, 0);
	leader_set(&p, &free_one);
	times(&p, 1, __NR_getppid, 0); /* still owned */
	assert_int_equal(leader_count(&p, ANY, ANY), 0);
	assert_int_equal(programs_counted(&p, "syscall_calls", __NR_getppid, 0).count, 4);
	programs_clear(&p, "leaders_owned");
	leader_set(&p, &free_one);
	times(&p, 1, __NR_getppid, 0);
	assert_int_equal(leader_count(&p, __NR_getppid, 0), 1);
	programs_close(&p);
}

/* Its entry goes by the name of what it has executed; in the set-up phase by that of before; and by neither elsewhere. */
static void test_first_threads_names(void **state)
{
	struct ev_leader l;
	struct programs p;
	char was[16];

	(void)state;
	open_leaders(&p);
	assert_int_equal(prctl(PR_GET_NAME, was), 0);
	times(&p, 1, __NR_getppid, 0);
	assert_int_equal(prctl(PR_SET_NAME, "executed"), 0);
	RUN(&p, "syscall_exec", p.place->bss->place.task);
	l = leader_entry(&p);
	assert_string_equal(l.hdr.comm, "executed");
	assert_string_equal(l.setup.comm, was);
	assert_int_equal(prctl(PR_SET_NAME, "elsewhere"), 0);
	l.hdr.cgroup++;
	leader_set(&p, &l);
	RUN(&p, "syscall_exec", p.place->bss->place.task);
	assert_string_equal(leader_entry(&p).hdr.comm, "executed");
	assert_int_equal(prctl(PR_SET_NAME, was), 0);
	programs_close(&p);
}

/* What is counted of an open file: at its place, among the other counters, and in the ring. */
struct file_sums {
	struct ev_file_io placed, waiting, told;
	unsigned int places, records;
};

static void file_sums_add(struct ev_file_io *sum, const struct ev_file_io *v)
{
	sum->file = v->file;
	sum->reads += v->reads;
	sum->read_bytes += v->read_bytes;
	sum->writes += v->writes;
	sum->written_bytes += v->written_bytes;
}

/* Of the file with the inode number @ino. What the ring has is added to @s. */
static void file_sums_take(struct programs *p, __u64 ino, struct file_sums *s)
{
	const struct ev_file_io *told = (const struct ev_file_io *)p->kept;
	struct ev_leader l = leader_entry(p);
	int fd = loader_map(p->loader, "file_io");
	char key[64], *at = NULL;
	struct ev_file_io v;

	memset(&s->placed, 0, sizeof(s->placed));
	memset(&s->waiting, 0, sizeof(s->waiting));
	s->places = 0;
	for (int i = 0; i < EV_LEADER_FILES; i++)
		if (l.file_at[i] && l.file[i].io.ino == ino) {
			file_sums_add(&s->placed, &l.file[i].io);
			s->places++;
		}
	for (; !bpf_map_get_next_key(fd, at, key); at = key)
		if (!bpf_map_lookup_elem(fd, key, &v) && v.ino == ino)
			file_sums_add(&s->waiting, &v);
	memset(p->received, 0, sizeof(p->received));
	p->keep = EV_file_io;
	programs_drain(p);
	assert_in_range(p->received[EV_file_io], 0, 1);
	if (p->received[EV_file_io] && told->ino == ino) {
		file_sums_add(&s->told, told);
		s->records++;
	}
}

static __u64 ino_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void use(struct programs *p, int fd, unsigned int n, int nr, long bytes)
{
	while (n--)
		programs_exit(p, &(struct call){.nr = nr, .a = {fd}, .ret = bytes});
}

static int open_another(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

struct reader {
	struct programs *p;
	int fd;
};

static void *read_in_thread(void *arg)
{
	struct reader *r = arg;

	use(r->p, r->fd, 5, __NR_read, 1);
	return NULL;
}

/* Another thread does. */
static void read_elsewhere(struct programs *p, int fd)
{
	struct reader r = {p, fd};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, read_in_thread, &r), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_first_threads_files(void **state)
{
	int fd = open_another(), others[EV_LEADER_FILES];
	struct file_sums s = {};
	struct programs p;
	__u64 id;

	(void)state;
	open_leaders(&p);
	use(&p, fd, 3, __NR_read, 10);
	use(&p, fd, 2, __NR_write, 7);
	file_sums_take(&p, ino_of(fd), &s);
	assert_int_equal(s.places, 1);
	assert_int_equal(s.placed.reads, 3);
	assert_int_equal(s.placed.read_bytes, 30);
	assert_int_equal(s.placed.writes, 2);
	assert_int_equal(s.placed.written_bytes, 14);
	assert_int_equal(s.waiting.reads + s.told.reads, 0);
	id = s.placed.file;
	assert_int_not_equal(id, 0);

	/* other threads' */
	read_elsewhere(&p, fd);
	file_sums_take(&p, ino_of(fd), &s);
	assert_int_equal(s.placed.reads, 3);
	assert_int_equal(s.waiting.reads, 5);
	assert_int_equal(s.waiting.file, id);
	programs_clear(&p, "file_io");

	/* more files than places: the one that was first waits with the other counters, and is counted there */
	for (int i = 0; i < EV_LEADER_FILES; i++) {
		others[i] = open_another();
		use(&p, others[i], 1, __NR_read, 1);
	}
	file_sums_take(&p, ino_of(fd), &s);
	assert_int_equal(s.places, 0);
	assert_int_equal(s.waiting.reads, 3);
	use(&p, fd, 4, __NR_read, 10);
	for (int i = 0; i < EV_LEADER_FILES; i++)
		use(&p, others[i], 1, __NR_read, 1);
	file_sums_take(&p, ino_of(fd), &s);
	assert_int_equal(s.places, 0);
	assert_int_equal(s.waiting.reads, 7);
	assert_int_equal(s.waiting.written_bytes, 14);
	assert_int_equal(s.waiting.file, id);
	assert_int_equal(s.records, 0);
	for (int i = 0; i < EV_LEADER_FILES; i++) {
		struct file_sums other = {};

		file_sums_take(&p, ino_of(others[i]), &other);
		assert_int_equal(other.placed.reads, 2);
		close(others[i]);
	}
	close(fd);
	programs_close(&p);
}

/* A file opened at the address of another, seen and unseen; and one that is not told for want of room in the ring. */
static void test_first_threads_files_end(void **state)
{
	int fd = open_another();
	struct call open_call = {.nr = __NR_openat, .a = {AT_FDCWD, (__u64) "x"}, .ret = fd};
	struct file_sums s = {};
	struct ev_leader l;
	struct programs p;
	__u64 id;

	(void)state;
	open_leaders(&p);
	use(&p, fd, 3, __NR_read, 10);
	file_sums_take(&p, ino_of(fd), &s);
	id = s.placed.file;
	programs_exit(&p, &open_call);
	file_sums_take(&p, ino_of(fd), &s);
	assert_int_equal(s.places, 1); /* whoever opens a file mostly uses it next */
	assert_int_equal(s.placed.reads, 0);
	assert_int_not_equal(s.placed.file, id); /* another number for what was opened anew */
	assert_int_equal(s.records, 1);
	assert_int_equal(s.told.reads, 3);
	assert_int_equal(s.told.file, id);
	assert_int_equal(s.waiting.reads, 0);
	/* what another thread has done with it leaves as well */
	read_elsewhere(&p, fd);
	file_sums_take(&p, ino_of(fd), &s);
	assert_int_equal(s.waiting.reads, 5);
	programs_exit(&p, &open_call);
	file_sums_take(&p, ino_of(fd), &s);
	assert_int_equal(s.waiting.reads, 0);
	assert_int_equal(s.records, 2);
	assert_int_equal(s.told.reads, 3 + 5);

	use(&p, fd, 4, __NR_read, 10);
	file_sums_take(&p, ino_of(fd), &s);
	assert_int_equal(s.placed.reads, 4);
	assert_int_equal(s.places, 1);

	l = leader_entry(&p);
	for (int i = 0; i < EV_LEADER_FILES; i++)
		l.file[i].name++;
	leader_set(&p, &l);
	use(&p, fd, 2, __NR_read, 10);
	file_sums_take(&p, ino_of(fd), &s);
	assert_int_equal(s.records, 3);
	assert_int_equal(s.told.reads, 3 + 5 + 4);
	assert_int_equal(s.placed.reads, 2);

	/* until the ring is full; then what was counted waits */
	for (int i = 0; i < 200000 && !programs_lost(&p, EV_file_open); i++) {
		use(&p, fd, 1, __NR_read, 10);
		programs_exit(&p, &open_call);
	}
	assert_true(programs_lost(&p, EV_file_open) > 0);
	programs_clear(&p, "file_io");
	use(&p, fd, 6, __NR_write, 10);
	programs_exit(&p, &open_call);
	p.keep = 0;
	programs_drain(&p);
	memset(&s, 0, sizeof(s));
	file_sums_take(&p, ino_of(fd), &s);
	assert_int_equal(s.waiting.writes, 6);
	assert_int_equal(s.waiting.written_bytes, 60);
	close(fd);
	programs_close(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_counts_are_exact, forget),
		cmocka_unit_test_setup(test_durations, forget),
		cmocka_unit_test_setup(test_nobody_else, forget),
		cmocka_unit_test(test_filter_by_process),
		cmocka_unit_test_setup(test_numbers, forget),
		cmocka_unit_test_setup(test_every_call_with_hostile_arguments, forget),
		cmocka_unit_test_setup(test_every_hook_with_hostile_pointers, forget),
		cmocka_unit_test_setup(test_the_file_not_the_argument, forget),
		cmocka_unit_test_setup(test_failed_opens, forget),
		cmocka_unit_test_setup(test_full_counters, forget),
		cmocka_unit_test(test_full_ring),
		cmocka_unit_test(test_full_counters_and_ring),
		cmocka_unit_test_setup(test_clash, forget),
		cmocka_unit_test_setup(test_full_cgroups, forget),
		cmocka_unit_test_setup(test_setup_ends_with_exec, forget),
		cmocka_unit_test_setup(test_full_members, forget),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_first_threads),
		cmocka_unit_test(test_first_threads_end),
		cmocka_unit_test(test_first_threads_places),
		cmocka_unit_test(test_first_threads_names),
		cmocka_unit_test(test_first_threads_files),
		cmocka_unit_test(test_first_threads_files_end),
	};
	const char *why = programs_refused();

	if (why) {
		puts(why);
		return 77;
	}
	return cmocka_run_group_tests(tests, open_all, close_all);
}
