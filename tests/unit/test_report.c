// SPDX-License-Identifier: MIT
/*
 * The report against figures that the tests compute for themselves from the records they feed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "container/container.h"
#include "report/report.h"
#include "session.h"
#include "sink.h"

#define BOOT_TO_WALL 1700000000000000000LL
#define ID1	     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2	     "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static char dir[] = "/tmp/ebpfmon-report-XXXXXX";
static const struct report_host host = {"host", "6.1.0", "x86_64", "boot", 2};
static struct container one, two;
static union {
	struct ev_hdr hdr;
	char bytes[EV_MAX_LEN];
	__u64 align;
} rec;
static __u64 now;

/* ---- making records ---- */

static void *begin(enum ev_type type, __u32 pid, __u16 flags)
{
	memset(&rec, 0, event_descs[type].size);
	rec.hdr.type = type;
	rec.hdr.len = event_descs[type].size;
	rec.hdr.flags = flags;
	rec.hdr.time = now += 1000;
	rec.hdr.pid = rec.hdr.tid = pid;
	rec.hdr.start = pid ? 1000 + pid : 0;
	rec.hdr.vpid = pid % 100;
	rec.hdr.ppid = 1;
	strcpy(rec.hdr.comm, "prog");
	return &rec;
}

static struct ev_ref bytes(const void *s, size_t len)
{
	struct ev_ref r = {rec.hdr.len, (__u16)len};

	memcpy(rec.bytes + rec.hdr.len, s, len);
	rec.hdr.len += len;
	return r;
}

static struct ev_ref str(const char *s)
{
	return bytes(s, strlen(s));
}

static void feed(struct sink *s, struct container *c)
{
	struct record r = {
		.hdr = &rec.hdr,
		.desc = &event_descs[rec.hdr.type],
		.container = c,
		.wall = rec.hdr.time + BOOT_TO_WALL,
		.boot_to_wall = BOOT_TO_WALL,
	};

	assert_int_equal(s->ops->event(s, &r), 0);
}

static void fork_of(struct sink *s, __u32 parent, __u32 child, __u16 flags)
{
	struct ev_process_fork *e = begin(EV_process_fork, parent, flags);

	e->child_pid = e->child_tid = child;
	e->child_vpid = child % 100;
	e->child_start = 1000 + child;
	feed(s, &one);
}

static void exec_of(struct sink *s, __u32 pid, const char *exe, const char *argv, size_t len,
		    __u16 flags)
{
	struct ev_process_exec *e = begin(EV_process_exec, pid, flags);

	e->exe = str(exe);
	e->filename = str(exe);
	e->argv = bytes(argv, len);
	e->cwd = str("/");
	feed(s, &one);
}

static void calls(struct sink *s, __u32 pid, __u32 nr, int err, __u64 count, __u16 flags)
{
	struct ev_syscall_calls *e = begin(EV_syscall_calls, pid, flags);

	e->nr = nr;
	e->err = err;
	e->count = count;
	e->total = 10 * count;
	e->longest = count;
	feed(s, &one);
}

static void open_file(struct sink *s, const char *path, int err, __u32 flags)
{
	struct ev_file_open *e = begin(EV_file_open, 7, 0);

	if (path)
		e->path = str(path);
	if (!err)
		e->mount = str("/");
	e->flags = flags;
	e->kind = err ? 0 : FILEKIND_REGULAR;
	e->mode = 0644;
	e->err = err;
	e->ino = err ? 0 : 42;
	feed(s, &one);
}

static void file_io(struct sink *s, const char *path, __u64 rd, __u64 wr, __u16 flags)
{
	struct ev_file_io *e = begin(EV_file_io, 7, flags);

	if (path) {
		e->path = str(path);
		e->mount = str(strncmp(path, "/data/", 6) ? "/" : "/data");
	}
	e->reads = rd != 0;
	e->read_bytes = rd;
	e->writes = wr != 0;
	e->written_bytes = wr;
	feed(s, &one);
}

static struct ev_addr v4(__u8 a, __u8 b, __u8 c, __u8 d)
{
	return (struct ev_addr){{[10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d}};
}

/* ---- running the sink ---- */

static struct session session(void)
{
	struct session s = {
		.begin = BOOT_TO_WALL,
		.end = BOOT_TO_WALL + now,
		.end_boot = now,
		.boot_to_wall = BOOT_TO_WALL,
		.end_reason = "container stopped",
	};

	memset(s.subsystems, true, sizeof(s.subsystems));
	return s;
}

static struct sink *sink(struct report_limits limits, const char *output)
{
	struct report_options o = {
		.output = output, .version = "1.2.3", .host = &host, .limits = limits};
	int err = -1;
	struct sink *s = sink_report_new(&o, &err);

	assert_int_equal(err, 0);
	assert_non_null(s);
	return s;
}

static struct sink *fresh(struct report_limits limits)
{
	return sink(limits, dir);
}

#define NO_LIMITS ((struct report_limits){0})

static char *slurp(const char *name)
{
	char path[512];
	struct stat st;
	char *s;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return NULL;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	s = calloc(1, (size_t)st.st_size + 1);
	assert_int_equal(read(fd, s, (size_t)st.st_size), st.st_size);
	close(fd);
	return s;
}

static cJSON *doc_of(const char *name)
{
	char *s = slurp(name);
	cJSON *doc;

	assert_non_null(s);
	doc = cJSON_Parse(s);
	assert_non_null(doc);
	free(s);
	return doc;
}

static cJSON *done(struct sink *s)
{
	struct session end = session();

	assert_int_equal(s->ops->finish(s, &end), 0);
	s->ops->free(s);
	return doc_of("web.json");
}

/* "files.list.0.path": names of members and numbers of elements. */
static const cJSON *at(const cJSON *o, const char *path)
{
	char key[64];

	while (*path) {
		size_t n = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		o = cJSON_IsArray(o) ? cJSON_GetArrayItem(o, atoi(key))
				     : cJSON_GetObjectItemCaseSensitive(o, key);
		if (!o)
			return NULL;
		path += n + (path[n] == '.');
	}
	return o;
}

static double num(const cJSON *o, const char *path)
{
	const cJSON *v = at(o, path);

	if (!cJSON_IsNumber(v))
		fail_msg("no number at %s", path);
	return v->valuedouble;
}

static const char *text(const cJSON *o, const char *path)
{
	const cJSON *v = at(o, path);

	if (!cJSON_IsString(v))
		fail_msg("no string at %s", path);
	return v->valuestring;
}

static double sum(const cJSON *list, const char *key)
{
	const cJSON *e, *v;
	double s = 0;

	cJSON_ArrayForEach(e, list)
	{
		v = cJSON_GetObjectItemCaseSensitive(e, key);
		s += v ? v->valuedouble : 0;
	}
	return s;
}

/* ---- tests ---- */

static void test_process_tree(void **state)
{
	struct sink *s = fresh(NO_LIMITS);
	struct ev_process_exit *x;
	cJSON *doc;

	(void)state;
	exec_of(s, 100, "/usr/bin/runc", "runc\0init", 9, EV_F_SETUP);
	fork_of(s, 100, 101, EV_F_SETUP);
	exec_of(s, 100, "/bin/sh", "sh\0-c\0a b", 9, 0);
	exec_of(s, 100, "/bin/sh", "sh\0again", 8, 0);
	fork_of(s, 100, 102, 0);
	fork_of(s, 102, 103, 0);
	exec_of(s, 103, "/bin/ls", "ls", 2, 0);
	x = begin(EV_process_exit, 103, 0);
	x->code = 3;
	x->cpu_time = 5000;
	x->max_rss = 4096;
	feed(s, &one);
	doc = done(s);
	assert_int_equal(num(doc, "processes.listed"), 4);
	assert_int_equal(num(doc, "processes.forked"), 3);
	assert_int_equal(num(doc, "summary.processes.count"), 3);
	assert_int_equal(num(doc, "summary.processes.executables"), 2);
	assert_int_equal(cJSON_GetArraySize(at(doc, "processes.tree")), 1);
	assert_int_equal(num(doc, "processes.tree.0.pid"), 100);
	assert_null(at(doc, "processes.tree.0.setup"));
	assert_int_equal(cJSON_GetArraySize(at(doc, "processes.tree.0.execs")), 3);
	assert_string_equal(text(doc, "processes.tree.0.execs.0.phase"), "setup");
	assert_string_equal(text(doc, "processes.tree.0.execs.1.argv.2"), "a b");
	assert_string_equal(text(doc, "processes.tree.0.args.1"), "again");
	assert_true(cJSON_IsTrue(at(doc, "processes.tree.0.children.0.setup")));
	assert_string_equal(text(doc, "processes.tree.0.children.1.children.0.exe"), "/bin/ls");
	assert_int_equal(num(doc, "processes.tree.0.children.1.children.0.exit_code"), 3);
	assert_int_equal(num(doc, "processes.tree.0.children.1.children.0.cpu_time"), 5000);
	assert_int_equal(num(doc, "processes.tree.0.children.1.children.0.parent"), 2);
	cJSON_Delete(doc);
}

static void test_deep_chain(void **state)
{
	struct sink *s = fresh(NO_LIMITS);
	const cJSON *p;
	int depth = 0;
	cJSON *doc;

	(void)state;
	for (__u32 pid = 1; pid < 3000; pid++)
		fork_of(s, pid, pid + 1, 0);
	doc = done(s);
	assert_int_equal(num(doc, "processes.listed"), 3000);
	for (p = at(doc, "processes.tree.0"); at(p, "children.0"); p = at(p, "children.0"))
		depth++;
	assert_true(depth > 20 && depth < 60);
	assert_true(cJSON_IsTrue(at(p, "flattened")));
	cJSON_Delete(doc);
}

static void test_process_limit(void **state)
{
	struct sink *s = fresh((struct report_limits){.processes = 10, .execs = 2});
	cJSON *doc;

	(void)state;
	for (__u32 pid = 2; pid < 102; pid++) {
		fork_of(s, 1, pid, 0);
		exec_of(s, pid, "/bin/true", "true", 4, 0);
		calls(s, pid, 1, 0, 5, 0);
	}
	doc = done(s);
	assert_int_equal(num(doc, "processes.listed"), 10);
	assert_int_equal(num(doc, "processes.forked"), 100);
	assert_int_equal(num(doc, "processes.folded.forks"), 91);
	assert_int_equal(num(doc, "processes.folded.execs"), 98);
	assert_int_equal(num(doc, "syscalls.count"), 500);
	assert_false(cJSON_IsTrue(at(doc, "recording.complete")));
	cJSON_Delete(doc);
}

static void test_syscalls(void **state)
{
	struct sink *s = fresh(NO_LIMITS);
	__u64 total = 0, errors = 0;
	cJSON *doc;

	(void)state;
	for (__u32 i = 1; i <= 50; i++) {
		calls(s, 10 + i % 3, 1, 0, i, 0);
		calls(s, 10 + i % 3, 0, i % 2 ? -ENOENT : 0, 2 * i, 0);
		calls(s, 10 + i % 3, 0, 0, 7, EV_F_SETUP);
		total += 3 * i;
		errors += i % 2 ? 2 * i : 0;
	}
	calls(s, 10, EV_SYSNR(EV_ABI_COMPAT, 4), 0, 1, 0);
	doc = done(s);
	assert_int_equal(num(doc, "syscalls.count"), total + 1);
	assert_int_equal(num(doc, "syscalls.errors"), errors);
	assert_int_equal(num(doc, "syscalls.distinct"), 3);
	assert_int_equal(sum(at(doc, "syscalls.calls"), "count"), total + 1);
	assert_int_equal(num(doc, "syscalls.calls.0.errors.ENOENT"), errors);
	assert_int_equal(num(doc, "syscalls.calls.1.time_total"), 10 * 1275);
	assert_int_equal(num(doc, "syscalls.calls.1.time_max"), 50);
	assert_string_equal(text(doc, "syscalls.calls.2.abi"), "compat");
	assert_int_equal(num(doc, "setup.syscalls.count"), 350);
	assert_int_equal(num(doc, "processes.tree.0.syscalls.count") +
				 num(doc, "processes.tree.1.syscalls.count") +
				 num(doc, "processes.tree.2.syscalls.count"),
			 total + 1);
	cJSON_Delete(doc);
}

static void test_files(void **state)
{
	struct sink *s = fresh(NO_LIMITS);
	struct ev_file_rename *e;
	cJSON *doc;

	(void)state;
	open_file(s, "/etc/passwd", 0, O_RDONLY);
	open_file(s, "/etc/passwd", 0, O_RDWR | O_TRUNC);
	open_file(s, "/etc/passwd", -EACCES, 0);
	open_file(s, "/etc/none", ENOENT, 0);
	open_file(s, "/etc/none", -ENOENT, 0);
	file_io(s, "/etc/passwd", 100, 0, 0);
	file_io(s, "/etc/passwd", 11, 20, 0);
	file_io(s, "/data/x", 0, 1000, 0);
	file_io(s, NULL, 5, 5, 0);
	file_io(s, "/etc/passwd", 77, 0, EV_F_SETUP);
	e = begin(EV_file_rename, 7, 0);
	e->path = str("/a");
	e->target = str("/b");
	feed(s, &one);
	feed(s, &one);
	doc = done(s);
	assert_int_equal(num(doc, "files.listed"), 3);
	assert_string_equal(text(doc, "files.list.2.path"), "/etc/passwd");
	assert_int_equal(num(doc, "files.list.2.opens"), 2);
	assert_int_equal(num(doc, "files.list.2.read_bytes"), 111);
	assert_int_equal(num(doc, "files.list.2.written_bytes"), 20);
	assert_int_equal(num(doc, "files.list.2.errors.EACCES"), 1);
	assert_string_equal(text(doc, "files.list.2.flags.0"), "O_RDONLY");
	assert_string_equal(text(doc, "files.list.2.flags.1"), "O_RDWR");
	assert_string_equal(text(doc, "files.list.2.mode"), "0644");
	assert_int_equal(num(doc, "files.list.1.errors.ENOENT"), 2);
	assert_int_equal(num(doc, "files.unknown.read_bytes"), 5);
	assert_int_equal(num(doc, "files.total.read_bytes"), 116);
	assert_int_equal(num(doc, "files.total.written_bytes"), 1025);
	assert_int_equal(num(doc, "setup.files.read_bytes"), 77);
	assert_string_equal(text(doc, "volumes.0.kind"), "image");
	assert_string_equal(text(doc, "volumes.1.kind"), "volume");
	assert_string_equal(text(doc, "volumes.1.name"), "store");
	assert_int_equal(num(doc, "volumes.1.written_bytes"), 1000);
	assert_int_equal(sum(at(doc, "volumes"), "written_bytes"), 1025);
	assert_int_equal(num(doc, "files.changes.0.count"), 2);
	assert_string_equal(text(doc, "files.changes.0.target"), "/b");
	cJSON_Delete(doc);
}

static void test_file_limits(void **state)
{
	struct sink *s = fresh(
		(struct report_limits){.files = 20, .files_per_directory = 8, .directories = 5});
	__u64 rd = 0, wr = 0;
	char path[64];
	cJSON *doc;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "/d%d/f%d", i % 17, i * 7919 % 501);
		file_io(s, i % 31 ? path : NULL, (__u64)i, i % 3 ? 0 : (__u64)(2 * i), 0);
		rd += (__u64)i;
		wr += i % 3 ? 0 : (__u64)(2 * i);
	}
	doc = done(s);
	assert_int_equal(num(doc, "files.total.read_bytes"), rd);
	assert_int_equal(num(doc, "files.total.written_bytes"), wr);
	assert_int_equal(sum(at(doc, "files.list"), "read_bytes") +
				 sum(at(doc, "files.folded.directories"), "read_bytes") +
				 num(doc, "files.folded.rest.read_bytes") +
				 num(doc, "files.unknown.read_bytes"),
			 rd);
	assert_true(num(doc, "files.listed") <= 20);
	assert_true(cJSON_GetArraySize(at(doc, "files.folded.directories")) <= 5);
	assert_true(num(doc, "files.folded.records") > 4000);
	cJSON_Delete(doc);
}

static void tcp(struct sink *s, struct container *c, enum ev_type type, __u32 pid,
		struct ev_addr la, __u32 lp, struct ev_addr pa, __u32 pp, __u64 sock, int err)
{
	struct ev_tcp_connect *e = begin(type, pid, 0);

	/* connect, accept, close and existing begin alike. */
	e->family = 2;
	e->local_addr = la;
	e->local_port = lp;
	e->peer_addr = pa;
	e->peer_port = pp;
	e->sock = sock;
	if (type == EV_tcp_connect) {
		e->err = err;
		e->latency = 1234;
	}
	if (type == EV_tcp_close) {
		struct ev_tcp_close *x = (struct ev_tcp_close *)e;

		x->sent = 100 + sock;
		x->received = 200 + sock;
		x->rtt = 55;
		x->duration = 500;
		x->outgoing = 1;
		x->err = err;
	}
	feed(s, c);
}

static void test_tcp(void **state)
{
	struct sink *s = fresh(NO_LIMITS);
	struct ev_addr a = v4(10, 0, 0, 1), b = v4(10, 0, 0, 2), lo = v4(127, 0, 0, 1);
	cJSON *doc, *other;

	(void)state;
	tcp(s, &one, EV_tcp_connect, 5, a, 4000, b, 80, 1, 0);
	tcp(s, &two, EV_tcp_accept, 6, b, 80, a, 4000, 2, 0);
	tcp(s, &one, EV_tcp_close, 5, a, 4000, b, 80, 1, 0);
	tcp(s, &two, EV_tcp_close, 6, b, 80, a, 4000, 2, ECONNRESET);
	for (int i = 0; i < 10; i++)
		tcp(s, &one, EV_tcp_connect, 5, a, 0, b, 81, 3, -ECONNREFUSED);
	tcp(s, &one, EV_tcp_close, 5, a, 0, b, 81, 3, 0);
	tcp(s, &one, EV_tcp_existing, 5, a, 9, b, 9, 4, 0);
	tcp(s, &one, EV_tcp_connect, 5, lo, 50, lo, 60, 5, 0);
	tcp(s, &two, EV_tcp_accept, 6, lo, 60, lo, 50, 6, 0);
	tcp(s, &one, EV_tcp_close, 5, a, 1, b, 2, 77, 0);
	doc = done(s);
	other = doc_of("db.json");
	assert_int_equal(num(doc, "tcp.listed"), 5);
	assert_string_equal(text(doc, "tcp.connections.0.direction"), "out");
	assert_string_equal(text(doc, "tcp.connections.0.peer.address"), "10.0.0.2");
	assert_int_equal(num(doc, "tcp.connections.0.sent_bytes"), 101);
	assert_int_equal(num(doc, "tcp.connections.0.latency"), 1234);
	assert_string_equal(text(doc, "tcp.connections.0.peer_end.container.name"), "db");
	assert_string_equal(text(other, "tcp.connections.0.peer_end.container.name"), "web");
	assert_string_equal(text(other, "tcp.connections.0.error"), "ECONNRESET");
	assert_string_equal(text(doc, "tcp.connections.1.connect_error"), "ECONNREFUSED");
	assert_int_equal(num(doc, "tcp.connections.1.count"), 10);
	assert_true(cJSON_IsTrue(at(doc, "tcp.connections.2.existing")));
	/* 127.0.0.1 of one container is not that of the other. */
	assert_null(at(doc, "tcp.connections.3.peer_end"));
	assert_int_equal(num(doc, "tcp.total.failed"), 10);
	assert_int_equal(num(doc, "tcp.total.unopened"), 1);
	assert_int_equal(num(doc, "tcp.total.sent_bytes"), 101 + 177);
	assert_int_equal(sum(at(doc, "tcp.peers"), "sent_bytes"), 101 + 177);
	cJSON_Delete(doc);
	cJSON_Delete(other);
}

static void test_tcp_limits(void **state)
{
	struct sink *s = fresh((struct report_limits){.connections = 10, .peers = 4});
	__u64 sent = 0;
	cJSON *doc;

	(void)state;
	for (__u64 i = 0; i < 1000; i++) {
		tcp(s, &one, EV_tcp_connect, 5, v4(1, 1, 1, 1), (__u32)i, v4(2, 2, 2, (__u8)i), 80,
		    i, 0);
		tcp(s, &one, EV_tcp_close, 5, v4(1, 1, 1, 1), (__u32)i, v4(2, 2, 2, (__u8)i), 80, i,
		    0);
		sent += 100 + i;
	}
	doc = done(s);
	assert_int_equal(num(doc, "tcp.listed"), 10);
	assert_int_equal(num(doc, "tcp.folded.connections"), 990);
	assert_int_equal(num(doc, "tcp.total.opened"), 1000);
	assert_int_equal(num(doc, "tcp.total.sent_bytes"), sent);
	assert_int_equal(sum(at(doc, "tcp.connections"), "sent_bytes") +
				 num(doc, "tcp.folded.sent_bytes"),
			 sent);
	assert_int_equal(sum(at(doc, "tcp.peers"), "sent_bytes") +
				 num(doc, "tcp.folded.peer_sums.sent_bytes"),
			 sent);
	cJSON_Delete(doc);
}

static void ipc_io(struct sink *s, struct container *c, __u32 pid, __u32 kind, __u64 ino,
		   __u64 peer, __u64 rd, __u64 wr)
{
	struct ev_ipc_io *e = begin(EV_ipc_io, pid, 0);

	e->kind = kind;
	e->ino = ino;
	e->peer_ino = peer;
	e->reads = rd != 0;
	e->read_bytes = rd;
	e->writes = wr != 0;
	e->written_bytes = wr;
	feed(s, c);
}

static void test_ipc(void **state)
{
	struct sink *s = fresh(NO_LIMITS);
	struct ev_ipc_signal *g;
	struct ev_ipc_sysv *v;
	cJSON *doc;

	(void)state;
	ipc_io(s, &one, 5, IPCKIND_PIPE, 900, 0, 0, 64);
	ipc_io(s, &one, 6, IPCKIND_PIPE, 900, 0, 64, 0);
	ipc_io(s, &one, 5, IPCKIND_UNIX_STREAM, 1, 0, 10, 20); /* wrote before it was accepted */
	ipc_io(s, &one, 6, IPCKIND_UNIX_STREAM, 2, 1, 20, 10);
	ipc_io(s, &one, 5, IPCKIND_UNIX_STREAM, 3, 0, 1, 1);
	ipc_io(s, &two, 8, IPCKIND_UNIX_STREAM, 4, 3, 1, 1);
	for (int i = 0; i < 3; i++) {
		g = begin(EV_ipc_signal, 5, 0);
		g->sig = SIGTERM;
		g->target_pid = 6;
		g->target_tid = 600 + (__u32)i;
		g->target_comm = str("victim");
		feed(s, &one);
	}
	for (int i = 0; i < 4; i++) {
		v = begin(EV_ipc_sysv, 5, 0);
		v->op = SYSVOP_SHMGET;
		v->id = 3;
		v->count = 2;
		v->bytes = 4096;
		feed(s, &one);
	}
	doc = done(s);
	assert_int_equal(cJSON_GetArraySize(at(doc, "ipc.pipes")), 1);
	assert_int_equal(num(doc, "ipc.pipes.0.writers.0.pid"), 5);
	assert_int_equal(num(doc, "ipc.pipes.0.writers.0.written_bytes"), 64);
	assert_int_equal(cJSON_GetArraySize(at(doc, "ipc.pipes.0.writers")), 1);
	assert_int_equal(num(doc, "ipc.pipes.0.readers.0.pid"), 6);
	assert_int_equal(cJSON_GetArraySize(at(doc, "ipc.unix")), 2);
	assert_int_equal(num(doc, "ipc.unix.0.ends.0.users.0.pid"), 5);
	assert_int_equal(num(doc, "ipc.unix.0.ends.1.users.0.pid"), 6);
	assert_string_equal(text(doc, "ipc.unix.1.ends.1.container.name"), "db");
	assert_int_equal(num(doc, "ipc.unix.1.ends.1.users.0.pid"), 8);
	assert_int_equal(num(doc, "ipc.signals.0.count"), 3);
	assert_string_equal(text(doc, "ipc.signals.0.sig"), "SIGTERM");
	assert_int_equal(num(doc, "ipc.sysv.0.count"), 8);
	assert_int_equal(num(doc, "ipc.sysv.0.bytes"), 16384);
	cJSON_Delete(doc);
}

/* A report that is read back is anybody's: its strings need not be UTF-8, which cJSON does not check. */
static void test_text_of_any_bytes(void **state)
{
	static const char *const names[] = {
		"\xc1\xa1", /* overlong: an a */
		"\xe0\x80\x9b",	    "\xed\xa0\x80", /* ESC, overlong; a surrogate */
		"\xf4\x90\x80\x80", "\xff\xfe", /* above U+10FFFF; never in UTF-8 */
		"\xe2\x82", /* cut */
	};
	char json[256], out[16384];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		FILE *f = fmemopen(out, sizeof(out), "w");
		cJSON *doc;

		snprintf(json, sizeof(json),
			 "{\"schema\":\"ebpfmon.report\",\"schema_version\":1,"
			 "\"container\":{\"name\":\"<%s>\"}}",
			 names[i]);
		doc = cJSON_Parse(json);
		assert_non_null(doc);
		assert_int_equal(report_text(f, doc, 100), 0);
		fclose(f);
		cJSON_Delete(doc);
		assert_null(strstr(out, names[i]));
		assert_non_null(strstr(out, "<\\x"));
	}
}

static void test_hostile_strings(void **state)
{
	struct sink *s;
	char path[300], out[65536];
	struct report_options o = {.output = dir, .host = &host};
	FILE *f = fmemopen(out, sizeof(out), "w");
	struct session end;
	cJSON *doc;
	int err;

	(void)state;
	o.text = f;
	s = sink_report_new(&o, &err);
	assert_non_null(s);
	path[0] = '/';
	for (int i = 1; i < 256; i++)
		path[i] = (char)i;
	path[256] = 0;
	open_file(s, path, 0, 0);
	exec_of(s, 5, path, "\x1b[2J\0\"\\", 7, 0);
	end = session();
	assert_int_equal(s->ops->finish(s, &end), 0);
	s->ops->free(s);
	fclose(f);
	doc = doc_of("web.json");
	/* U+F700 + byte for what is not UTF-8 */
	assert_non_null(strstr(text(doc, "files.list.0.path"), "\xef\x9f\xbf"));
	cJSON_Delete(doc);
	for (const char *p = out; *p; p++)
		assert_true(*p == '\n' || ((unsigned char)*p >= 0x20 && *p != 0x7f));
	assert_non_null(strstr(out, "\\x1b[2J"));
}

static void created(struct sink *s, const char *path)
{
	struct ev_file_create *e = begin(EV_file_create, 5, 0);

	e->path = str(path);
	feed(s, &one);
}

/* Alike things are one line: files made in a directory, users of one name; a short life is not "0 ns". */
static void test_text_sums_up(void **state)
{
	static char out[65536];
	struct report_options o = {.output = dir, .host = &host};
	FILE *f = fmemopen(out, sizeof(out), "w");
	struct ev_ipc_unix_connect *e;
	struct session end;
	struct sink *s;
	int err;

	(void)state;
	o.text = f;
	s = sink_report_new(&o, &err);
	assert_non_null(s);
	for (int i = 0; i < 20; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/many/f%d", i);
		created(s, path);
	}
	created(s, "/few/a");
	created(s, "/few/b");
	for (__u32 pid = 5; pid < 8; pid++)
		ipc_io(s, &one, pid, IPCKIND_PIPE, 900, 0, 0, 64);
	for (__u64 ino = 910; ino < 930; ino++)
		ipc_io(s, &one, 5, IPCKIND_PIPE, ino, 0, 0, 7);
	ipc_io(s, &one, 5, IPCKIND_MQUEUE, 901, 0, 3, 4);
	e = begin(EV_ipc_unix_connect, 5, 0);
	e->kind = IPCKIND_UNIX_STREAM;
	e->name = str("/run/nobody");
	e->err = ECONNREFUSED;
	feed(s, &one);
	begin(EV_process_exit, 5, 0);
	feed(s, &one);
	end = session();
	assert_int_equal(s->ops->finish(s, &end), 0);
	s->ops->free(s);
	fclose(f);
	assert_non_null(strstr(out, "create    20 in /many\n"));
	assert_non_null(strstr(out, "create    /few/a\n"));
	assert_non_null(strstr(out, " ×3 -> ?  192 B\n"));
	assert_non_null(strstr(out, " -> ?  7 B  (20 times)\n"));
	assert_non_null(strstr(out, "4 B written, 3 B read\n"));
	assert_non_null(strstr(out, " -> /run/nobody  ECONNREFUSED\n"));
	assert_non_null(strstr(out, "  <10 ms  exit 0\n"));
}

static void test_strings_are_cut(void **state)
{
	struct sink *s = fresh((struct report_limits){.string = 10});
	cJSON *doc;

	(void)state;
	open_file(s, "/0123456789abcdef", 0, 0);
	exec_of(s, 5, "/bin/a",
		"0123\0"
		"456789\0xyz",
		15, 0);
	doc = done(s);
	assert_string_equal(text(doc, "files.list.0.path"), "/012345678");
	assert_int_equal(cJSON_GetArraySize(at(doc, "processes.tree.1.args")), 2);
	assert_true(cJSON_IsTrue(at(doc, "processes.tree.1.args_truncated")));
	cJSON_Delete(doc);
}

static void test_memory_limit(void **state)
{
	struct sink *s = fresh((struct report_limits){.memory = 300000});
	__u64 rd = 0;
	char path[256];
	cJSON *doc;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		snprintf(path, sizeof(path), "/%0100d", i);
		file_io(s, path, 3, 0, 0);
		fork_of(s, 1, (__u32)i + 10, 0);
		calls(s, (__u32)i + 10, (__u32)i, 0, 1, 0);
		rd += 3;
	}
	doc = done(s);
	assert_true(num(doc, "limits.memory_used") <= 300000);
	assert_int_equal(num(doc, "files.total.read_bytes"), rd);
	assert_int_equal(num(doc, "syscalls.count"), 20000);
	assert_int_equal(sum(at(doc, "files.list"), "read_bytes") +
				 sum(at(doc, "files.folded.directories"), "read_bytes") +
				 num(doc, "files.folded.rest.read_bytes"),
			 rd);
	cJSON_Delete(doc);
}

static int count_files(void)
{
	DIR *d = opendir(dir);
	int nr = 0;

	while (readdir(d))
		nr++;
	closedir(d);
	return nr - 2;
}

static void empty_dir(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
}

static void test_names(void **state)
{
	char *names[] = {"../../etc/passwd", "web", "web", "", ".hidden", "a/b\nc"};
	struct container c[6] = {0};
	struct session end = session();
	struct sink *s;

	(void)state;
	empty_dir();
	s = fresh(NO_LIMITS);
	for (int i = 0; i < 6; i++) {
		c[i].id = ID1;
		c[i].info.name = names[i];
		begin(EV_process_exit, 1, 0);
		feed(s, &c[i]);
	}
	assert_int_equal(s->ops->finish(s, &end), 0);
	s->ops->free(s);
	assert_int_equal(count_files(), 6);
	cJSON_Delete(doc_of("_._.._etc_passwd-0123456789ab.json"));
	cJSON_Delete(doc_of("web.json"));
	cJSON_Delete(doc_of("web-0123456789ab.json"));
	empty_dir();
}

static void test_one_file(void **state)
{
	struct session end = session();
	char path[128];
	struct sink *s;
	cJSON *doc;

	(void)state;
	snprintf(path, sizeof(path), "%s/out.json", dir);
	s = sink(NO_LIMITS, path);
	assert_int_equal(s->ops->finish(s, &end), -ENOENT);
	s->ops->free(s);
	assert_int_equal(count_files(), 0);
	s = sink(NO_LIMITS, path);
	begin(EV_process_exit, 1, 0);
	feed(s, &one);
	feed(s, &two);
	assert_int_equal(sink_report_containers(s), 2);
	assert_int_equal(s->ops->finish(s, &end), 0);
	s->ops->free(s);
	doc = doc_of("out.json");
	assert_string_equal(text(doc, "container.name"), "web");
	cJSON_Delete(doc);
	doc = doc_of("out-db.json");
	assert_string_equal(text(doc, "container.name"), "db");
	cJSON_Delete(doc);
	assert_int_equal(count_files(), 2);
	empty_dir();
}

static void test_bad_outputs(void **state)
{
	static const struct {
		const char *output;
		int err;
	} cases[] = {
		{"/nonexistent/report.json", -ENOENT},
		{"/nonexistent/x/", -ENOENT},
		{"/dev/null/x.json", -ENOTDIR},
		{"", -EINVAL},
	};
	struct report_options o = {.host = &host};
	char path[128];
	int err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		o.output = cases[i].output;
		assert_null(sink_report_new(&o, &err));
		assert_int_equal(err, cases[i].err);
	}
	snprintf(path, sizeof(path), "%s/link.json", dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	o.output = path;
	assert_null(sink_report_new(&o, &err));
	assert_int_equal(err, -ELOOP);
	empty_dir();
}

static void test_device_is_not_replaced(void **state)
{
	struct session end = session();
	struct sink *s = sink(NO_LIMITS, "/dev/null");
	struct stat st;

	(void)state;
	begin(EV_process_exit, 1, 0);
	feed(s, &one);
	assert_int_equal(s->ops->finish(s, &end), 0);
	s->ops->free(s);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
}

static void test_gaps_are_told(void **state)
{
	static const struct coverage rows[] = {
		{.program = "file_open", .subsystem = "file", .active = true},
		{.program = "cap_capable",
		 .subsystem = "process",
		 .reason = "refused by this kernel"},
		{.program = "tcp_close", .subsystem = "tcp", .reason = "not asked for"},
	};
	struct sink *s = fresh(NO_LIMITS);
	struct session end = session();
	cJSON *doc;

	(void)state;
	begin(EV_process_exit, 1, 0);
	feed(s, &one);
	end.lost[EV_file_open] = 7;
	end.lost_other = 1;
	end.coverage = rows;
	end.nr_coverage = 3;
	assert_int_equal(s->ops->finish(s, &end), 0);
	assert_true(sink_report_partial(s));
	s->ops->free(s);
	doc = doc_of("web.json");
	assert_int_equal(num(doc, "lost.total"), 8);
	assert_int_equal(cJSON_GetObjectItem(at(doc, "lost.events"), "file.open")->valueint, 7);
	assert_string_equal(text(doc, "coverage.1.reason"), "refused by this kernel");
	assert_int_equal(cJSON_GetArraySize(at(doc, "recording.partial")), 2);
	cJSON_Delete(doc);
}

/* Any record at all, with limits that are always full: nothing may break, and it stays JSON. */
static void test_random(void **state)
{
	struct report_limits l = {.processes = 20,
				  .execs = 10,
				  .process_syscalls = 10,
				  .files = 10,
				  .directories = 3,
				  .volumes = 2,
				  .changes = 10,
				  .channels = 5,
				  .channel_users = 8,
				  .ipc_events = 7,
				  .connections = 6,
				  .peers = 5,
				  .process_events = 5,
				  .syscalls = 9,
				  .string = 50};
	struct sink *s = fresh(l);
	struct container *c[] = {&one, &two};

	(void)state;
	srandom(1);
	for (int i = 0; i < 100000; i++) {
		const struct event_desc *d = &event_descs[random() % EV__MAX];
		struct ev_hdr *h =
			begin((enum ev_type)(d - event_descs), (__u32)random() % 30, random() % 8);
		for (size_t k = sizeof(*h); k < d->size; k++)
			rec.bytes[k] = random() % 4 ? 0 : (char)random();
		for (unsigned int f = 0; f < d->nr_fields; f++) {
			struct ev_ref ref = {0};
			char junk[100];

			if (d->fields[f].type != FT_str && d->fields[f].type != FT_path &&
			    d->fields[f].type != FT_strv)
				continue;
			for (size_t k = 0; k < sizeof(junk); k++)
				junk[k] = (char)(random() % 8 ? 'a' : random());
			ref = bytes(junk, (size_t)random() % sizeof(junk));
			memcpy(rec.bytes + d->fields[f].offset, &ref, sizeof(ref));
			if (d->fields[f].type != FT_str && ref.len)
				rec.bytes[ref.off] = '/';
		}
		/* within what the kernel can say; and sums must not wrap, as they are checked */
		for (unsigned int f = 0; f < d->nr_fields; f++)
			if (d->fields[f].type == FT_port || d->fields[f].type == FT_err)
				memset(rec.bytes + d->fields[f].offset + 2, 0, 2);
			else if (type_descs[d->fields[f].type].size == 8)
				memset(rec.bytes + d->fields[f].offset + 4, 0, 4);
		/* what sysargs refer to is inside the record */
		if (h->type == EV_syscall_call)
			memset(&((struct ev_syscall_call *)&rec)->args, 0,
			       sizeof(struct ev_sysargs));
		feed(s, c[random() % 2]);
	}
	cJSON_Delete(done(s));
	cJSON_Delete(doc_of("db.json"));
}

static void test_container_section(void **state)
{
	static struct container_network networks[] = {
		{.name = "front", .ipv4 = "172.18.0.2", .mac = "02:42:ac:12:00:02"},
		{.name = "host"},
	};
	static char *addresses[] = {"172.18.0.2", "fd00::7"};
	struct sink *s = fresh(NO_LIMITS);
	struct session end = session();
	cJSON *doc;

	(void)state;
	two.runtime = "runc";
	one.parent = &two;
	one.qos = "burstable";
	one.info.image = "nginx";
	one.info.image_id = "sha256:1";
	one.info.image_digest = "sha256:2";
	one.info.pod_name = "p";
	one.info.networks = networks;
	one.info.nr_networks = 2;
	one.addresses = addresses;
	one.nr_addresses = 2;
	one.info.caps = 1;
	one.info.caps_known = true;
	one.seen = (struct container_seen){.known = true,
					   .seccomp = 2,
					   .no_new_privs = true,
					   .uid = 7,
					   .gid = 8,
					   .cap_bounding = 1ULL << 21};
	begin(EV_process_exit, 7, 0);
	feed(s, &one);
	assert_int_equal(s->ops->finish(s, &end), 0);
	s->ops->free(s);
	doc = doc_of("web.json");
	assert_string_equal(text(doc, "container.parents.0.id"), ID2);
	assert_string_equal(text(doc, "container.parents.0.runtime"), "runc");
	assert_string_equal(text(doc, "container.image.id"), "sha256:1");
	assert_string_equal(text(doc, "container.image.digest"), "sha256:2");
	assert_string_equal(text(doc, "container.pod.qos"), "burstable");
	assert_string_equal(text(doc, "container.networks.1"), "host");
	assert_string_equal(text(doc, "container.addresses.0.network"), "front");
	assert_string_equal(text(doc, "container.addresses.0.mac"), "02:42:ac:12:00:02");
	/* what the runtime told is not told again; what it did not, is */
	assert_string_equal(text(doc, "container.addresses.1.address"), "fd00::7");
	assert_null(at(doc, "container.addresses.2"));
	assert_string_equal(text(doc, "container.capabilities.0"), "CAP_CHOWN");
	assert_string_equal(text(doc, "container.first_process.seccomp"), "filter");
	assert_string_equal(text(doc, "container.first_process.bounding.0"), "CAP_SYS_ADMIN");
	assert_null(at(doc, "container.first_process.effective.0"));
	cJSON_Delete(doc);
}

static int setup(void **state)
{
	static struct container_mount mount = {.destination = "/data",
					       .source = "/var/lib/store",
					       .type = "volume",
					       .name = "store",
					       .rw = true};

	(void)state;
	now = 1000000;
	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	one.id = ID1;
	one.info.name = "web";
	one.runtime = "docker";
	one.cgroup_path = "/docker/" ID1;
	one.created = 1;
	one.started = 2;
	one.stopped = 3;
	one.info.mounts = &mount;
	one.info.nr_mounts = 1;
	two.id = ID2;
	two.info.name = "db";
	return 0;
}

static int group_setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	if (getenv("REPORT_KEEP"))
		return 0;
	empty_dir();
	return rmdir(dir);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names),
		TEST(test_one_file),
		TEST(test_bad_outputs),
		TEST(test_device_is_not_replaced),
		TEST(test_process_tree),
		TEST(test_deep_chain),
		TEST(test_process_limit),
		TEST(test_syscalls),
		TEST(test_files),
		TEST(test_file_limits),
		TEST(test_tcp),
		TEST(test_tcp_limits),
		TEST(test_ipc),
		TEST(test_hostile_strings),
		TEST(test_text_of_any_bytes),
		TEST(test_text_sums_up),
		TEST(test_strings_are_cut),
		TEST(test_memory_limit),
		TEST(test_container_section),
		TEST(test_gaps_are_told),
		TEST(test_random),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
