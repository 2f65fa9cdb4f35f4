// SPDX-License-Identifier: MIT
/*
 * How many events a second the streaming formats take on one core: a file.open as the kernel
 * sends it, checked, normalised and formatted, written to /dev/null; and what a streamed system
 * call costs on all of its way through the pipeline.
 *
 *	bench_format [EVENTS]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "container/container.h"
#include "pipeline.h"
#include "process.h"
#include "record.h"
#include "sinks.h"

static const char walked[] = "libc.so.6\0x86_64-linux-gnu\0lib\0usr"; /* and the array's own NUL */

union open_record {
	struct ev_file_open e;
	char bytes[sizeof(struct ev_file_open) + sizeof(walked)];
};

static void make(union open_record *u)
{
	*u = (union open_record){.e = {
					 .hdr = {.type = EV_file_open,
						 .len = sizeof(u->bytes),
						 .time = 987654321987654321,
						 .cgroup = 4711,
						 .start = 12345,
						 .pid = 31415,
						 .tid = 31416,
						 .vpid = 7,
						 .ppid = 31400,
						 .uid = 1000,
						 .gid = 1000,
						 .comm = "nginx"},
					 .path = {sizeof(u->e), sizeof(walked)},
					 .mount = {sizeof(u->e), 4},
					 .mount_id = 1234,
					 .fs = 0x794c7630,
					 .dev = 50,
					 .ino = 1234567,
					 .kind = FILEKIND_REGULAR,
					 .flags = O_RDONLY | O_CLOEXEC,
					 .mode = 0644,
					 .fd = 3,
				 }};
	memcpy(u->bytes + sizeof(u->e), walked, sizeof(walked));
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* @epoch: 0: every event is another process's, as far as the sink knows; 1: all are the same one's */
static int run(struct sink *s, const char *name, long nr, __u64 epoch)
{
	static char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	static char exe[] = "/usr/sbin/nginx";
	struct container c = {.id = id};
	struct process p = {.exe = exe, .exe_len = sizeof(exe) - 1};
	union open_record master, u;
	double begin;
	int err = 0;

	if (!s) {
		fprintf(stderr, "bench_format: %s: %s\n", name, strerror(errno));
		return 1;
	}
	make(&master);
	begin = now();
	for (long i = 0; i < nr && !err; i++) {
		struct record r = {.hdr = &u.e.hdr,
				   .desc = &event_descs[EV_file_open],
				   .container = &c,
				   .process = &p,
				   .epoch = epoch};

		u = master;
		u.e.hdr.time += i * 1000;
		err = record_check(&u, sizeof(u.bytes));
		record_normalise(&u);
		r.wall = u.e.hdr.time + 777777777777777777;
		if (!err)
			err = s->ops->event(s, &r);
		if (!err && i % 256 == 255)
			err = s->ops->flush(s);
	}
	printf("%-18s %6.0f ns an event, %.2f million events a second\n", name,
	       (now() - begin) / (double)nr * 1e9, (double)nr / (now() - begin) / 1e6);
	s->ops->free(s);
	return err != 0;
}

static void make_call(struct ev_syscall_call *e, __u32 nr)
{
	*e = (struct ev_syscall_call){
		.hdr = {.type = EV_syscall_call,
			.len = sizeof(*e),
			.time = 987654321987654321,
			.cgroup = 4711,
			.start = 12345,
			.pid = 31415,
			.tid = 31415,
			.vpid = 7,
			.ppid = 31400,
			.comm = "workload"},
		.nr = nr,
		.args = {.a = {3, 0x7ffd12345678, 4096, 0x55d0c0ffee00, 0, 0}, .nr = nr},
		.ret = 31400,
		.duration = 123,
	};
}

/* Calls of @processes in turn, as the reader gets them from the ring. */
static int run_calls(const char *name, long nr, __u32 nr_call, __u32 processes)
{
	static struct filter filter;
	struct container_select select = {};
	struct pipeline p = {.filter = &filter};
	struct ev_syscall_call master, e;
	double begin;
	int err;

	make_call(&master, EV_SYSNR(EV_ABI_NATIVE, nr_call));
	memset(filter.events, true, sizeof(filter.events));
	p.containers = container_table_new(&select);
	p.sinks = sink_jsonl_new(open("/dev/null", O_WRONLY | O_CLOEXEC));
	err = p.containers && p.sinks ? pipeline_init(&p) : -ENOMEM;
	if (err || !container_table_add(p.containers, 4711, "/bench", "bench", 1))
		return 1;
	begin = now();
	for (long i = 0; i < nr; i++) {
		e = master;
		e.hdr.pid += i % processes;
		e.hdr.tid += i % processes;
		e.hdr.time += i * 600;
		pipeline_feed(&p, &e, sizeof(e));
	}
	printf("%-18s %6.0f ns an event, %.2f million events a second\n", name,
	       (now() - begin) / (double)nr * 1e9, (double)nr / (now() - begin) / 1e6);
	err = p.err || p.bad || p.stray;
	p.sinks->ops->free(p.sinks);
	pipeline_exit(&p);
	container_table_free(p.containers);
	return err;
}

int main(int argc, char **argv)
{
	long nr = argc > 1 ? strtol(argv[1], NULL, 10) : 2000000;
	char dir[] = "/tmp/bench_format.XXXXXX";
	int err;

	if (nr <= 0 || !mkdtemp(dir)) {
		fprintf(stderr, "usage: bench_format [EVENTS]\n");
		return 2;
	}
	err = run(sink_jsonl_new(open("/dev/null", O_WRONLY | O_CLOEXEC)), "jsonl", nr, 0);
	err |= run(sink_jsonl_new(open("/dev/null", O_WRONLY | O_CLOEXEC)), "jsonl, one process",
		   nr, 1);
	err |= run_calls("getppid", nr, __NR_getppid, 1);
	err |= run_calls("read, 2 processes", nr, __NR_read, 2);
	err |= run(sink_text_new(open("/dev/null", O_WRONLY | O_CLOEXEC), false), "text", nr, 0);
	err |= run(sink_csv_new(dir), "csv", nr, 0);
	if (chdir(dir) || unlink("file.open.csv") || rmdir(dir))
		perror("bench_format: removing the CSV files");
	return err;
}
