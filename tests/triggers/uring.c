// SPDX-License-Identifier: MIT
/*
 * Triggers that do by io_uring what others do by system calls. By hand, without liburing: a ring of eight, one
 * request at a time, its result from the ring itself.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>
#include "trigger.h"

#define PTR(p) ((unsigned long)(p))

struct uring {
	struct io_uring_params params;
	int fd;
	char *rings; /* IORING_FEAT_SINGLE_MMAP: 5.4 */
	struct io_uring_sqe *sqes;
};

static unsigned int *ring_at(const struct uring *u, unsigned int offset)
{
	return (unsigned int *)(u->rings + offset);
}

static void uring_make(struct uring *u)
{
	struct io_uring_params *p = &u->params;
	size_t sq, cq;

	memset(u, 0, sizeof(*u));
	u->fd = must(syscall(SYS_io_uring_setup, 8, p));
	sq = p->sq_off.array + p->sq_entries * sizeof(unsigned int);
	cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	u->rings = mmap(NULL, sq > cq ? sq : cq, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
			IORING_OFF_SQ_RING);
	u->sqes = mmap(NULL, p->sq_entries * sizeof(*u->sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
		       u->fd, IORING_OFF_SQES);
	if (u->rings == MAP_FAILED || u->sqes == MAP_FAILED)
		die("mmap of io_uring's rings: %m");
}

static void uring_submit(struct uring *u, const struct io_uring_sqe *what, unsigned int wait)
{
	unsigned int *tail = ring_at(u, u->params.sq_off.tail),
		     at = *tail & (u->params.sq_entries - 1);

	u->sqes[at] = *what;
	ring_at(u, u->params.sq_off.array)[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	must(syscall(SYS_io_uring_enter, u->fd, 1, wait, IORING_ENTER_GETEVENTS, NULL, 0));
}

static int uring_result(struct uring *u)
{
	unsigned int *head = ring_at(u, u->params.cq_off.head);
	struct io_uring_cqe *cqes = (void *)(u->rings + u->params.cq_off.cqes);
	int res;

	while (__atomic_load_n(ring_at(u, u->params.cq_off.tail), __ATOMIC_ACQUIRE) == *head)
		must(syscall(SYS_io_uring_enter, u->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	res = cqes[*head & (u->params.cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return res;
}

/* One request and its completion; returns its result, and sets errno by it. */
static int uring_do(struct uring *u, const struct io_uring_sqe *what)
{
	int res;

	uring_submit(u, what, 1);
	res = uring_result(u);
	errno = res < 0 ? -res : 0;
	return res;
}

static void uring_fact(const char *operation, int count, int silent)
{
	fact("syscall.io_uring");
	fact_str("io_uring.operation", operation);
	fact_int("io_uring.count", count);
	fact_int("io_uring.silent", silent);
	fact_end();
}

static void run_operations(int argc, char **argv)
{
	struct io_uring_sqe nop = {.opcode = IORING_OP_NOP};
	struct uring u;

	(void)argc;
	(void)argv;
	uring_make(&u);
	for (int i = 0; i < 20; i++)
		if (uring_do(&u, &nop))
			die("io_uring: a nop failed");
	if (kernel_at_least(5, 17)) {
		nop.flags = IOSQE_CQE_SKIP_SUCCESS;
		for (int i = 0; i < 3; i++)
			uring_submit(&u, &nop, 0);
		uring_fact("nop", 23, 3);
	} else {
		uring_fact("nop", 20, 0);
	}
	close(u.fd);
}

/* Before 5.19 the kernel does not tell which request completes: then only that there was one is told. */
static bool told(const char *event)
{
	struct io_uring_sqe nop = {.opcode = IORING_OP_NOP};
	struct uring u;

	if (kernel_at_least(5, 19))
		return true;
	open_ended(event);
	uring_make(&u);
	if (uring_do(&u, &nop))
		die("io_uring: a nop failed");
	uring_fact("nop", 1, 0);
	close(u.fd);
	return false;
}

/* ---- files ---- */

static int open_request(struct uring *u, const char *path, int flags, int sqe_flags)
{
	struct io_uring_sqe sqe = {.opcode = IORING_OP_OPENAT,
				   .flags = sqe_flags,
				   .fd = AT_FDCWD,
				   .addr = PTR(path),
				   .len = 0644,
				   .open_flags = flags};

	return uring_do(u, &sqe);
}

/* The open of @path, as it ended; @inode of the file, where there is one. */
static void open_fact(const char *path, int fd, bool created)
{
	struct stat st;

	fact("file.open");
	fact_str("file.path", path);
	fact_bool("via_io_uring", true);
	fact_err(fd < 0 ? -fd : 0);
	fact_bool("file.created", created);
	if (fd >= 0) {
		must(fstat(fd, &st));
		fact_int("file.inode", st.st_ino);
		fact_int("file.descriptor", fd);
		fact_octal("file.mode", st.st_mode & 07777);
	}
	fact_end();
	if (!created)
		return;
	fact("file.create");
	fact_str("file.path", path);
	fact_bool("via_io_uring", true);
	fact_octal("file.mode", 0644);
	fact_end();
}

/* An open into the ring's own table of files: no descriptor of the process's leads to it. */
static void open_in_slot(struct uring *u)
{
	int none[] = {-1};
	struct io_uring_sqe sqe = {.opcode = IORING_OP_OPENAT,
				   .fd = AT_FDCWD,
				   .addr = PTR("made"),
				   .open_flags = O_RDONLY,
				   .file_index = 1};
	char buf[64];
	int n;

	must(syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_FILES, none, 1));
	if (uring_do(u, &sqe))
		die("io_uring: open into a slot: %m");
	fact("file.open");
	fact_str("file.path", below_base("made"));
	fact_bool("via_io_uring", true);
	fact_end();
	sqe = (struct io_uring_sqe){.opcode = IORING_OP_READ,
				    .flags = IOSQE_FIXED_FILE,
				    .addr = PTR(buf),
				    .len = sizeof(buf)};
	n = uring_do(u, &sqe);
	if (n != 18)
		die("io_uring: read from a slot: %d", n);
}

/* One whose success the kernel does not tell: it is told as it was asked for. */
static void open_silently(struct uring *u)
{
	struct io_uring_sqe sqe = {.opcode = IORING_OP_OPENAT,
				   .flags = IOSQE_CQE_SKIP_SUCCESS,
				   .fd = AT_FDCWD,
				   .addr = PTR("made"),
				   .open_flags = O_RDONLY};

	uring_submit(u, &sqe, 0);
	fact("file.open");
	fact_str("file.path", below_base("made"));
	fact_bool("via_io_uring", true);
	fact_err(0);
	fact_int("file.descriptor", -1);
	fact_end();
}

/* @reads of 6 bytes of the file behind @fd, the last at its end; @how are flags of the request. */
static void read_whole(struct uring *u, int fd, int reads, int how)
{
	char buf[6];
	struct iovec iov = {buf, sizeof(buf)};

	for (int i = 0; i < reads; i++) {
		struct io_uring_sqe sqe = {.opcode = i % 2 ? IORING_OP_READV : IORING_OP_READ,
					   .flags = how,
					   .fd = fd,
					   .off = 6L * i,
					   .addr = i % 2 ? PTR(&iov) : PTR(buf),
					   .len = i % 2 ? 1 : sizeof(buf)};
		int n = uring_do(u, &sqe);

		if (n != (i + 1 < reads ? 6 : 0))
			die("io_uring: read %d: %d", i, n);
	}
}

static void run_files(int argc, char **argv)
{
	struct uring u;
	int fd, again, none;

	(void)argc;
	(void)argv;
	if (!told("file.open"))
		return;
	uring_make(&u);
	fd = open_request(&u, "made", O_CREAT | O_RDWR, 0);
	if (fd < 0)
		die("io_uring: openat: %m");
	open_fact(below_base("made"), fd, true);
	for (int i = 0; i < 3; i++) {
		struct io_uring_sqe sqe = {.opcode = IORING_OP_WRITE,
					   .fd = fd,
					   .off = 6L * i,
					   .addr = PTR("secret"),
					   .len = 6};

		if (uring_do(&u, &sqe) != 6)
			die("io_uring: a write failed");
	}
	/* by a worker of io_uring's, not by this task */
	again = open_request(&u, "./made", O_RDONLY, IOSQE_ASYNC);
	if (again < 0)
		die("io_uring: openat by a worker: %m");
	open_fact(below_base("made"), again, false);
	read_whole(&u, fd, 4, 0);
	read_whole(&u, again, 4, IOSQE_ASYNC);
	none = open_request(&u, "nothing", O_RDONLY, 0);
	open_fact(below_base("nothing"), none, false);
	none = open_request(&u, "made/below", O_RDONLY, IOSQE_ASYNC);
	open_fact(below_base("made/below"), none, false);
	open_in_slot(&u);
	open_silently(&u);
	fact("file.io"); /* uring_make() */
	fact_str("file.path", "/[io_uring]");
	fact_int("file.mmaps", 2);
	fact_end();
	fact("file.io");
	fact_str("file.path", below_base("made"));
	fact_int("file.reads", 9);
	fact_int("file.read_bytes", 54);
	fact_int("file.writes", 3);
	fact_int("file.written_bytes", 18);
	fact_end();
	close(fd);
	close(again);
	close(u.fd);
}

static void change_fact(const char *event, const char *path, int err)
{
	fact(event);
	fact_str("file.path", path);
	fact_bool("via_io_uring", true);
	fact_err(err);
}

/* The table's requests, one after the other. */
static void run_tree(int argc, char **argv)
{
	static const struct {
		const char *event;
		int op, err;
		const char *path, *other; /* other: the new name, or what a link says */
		int flags;
	} steps[] = {
		{"file.mkdir", IORING_OP_MKDIRAT, 0, "dir", NULL, 0},
		{"file.mkdir", IORING_OP_MKDIRAT, EEXIST, "dir", NULL, 0},
		{"file.symlink", IORING_OP_SYMLINKAT, 0, "dir/link", "where/ever", 0},
		{"file.rename", IORING_OP_RENAMEAT, 0, "dir/link", "dir/other", 0},
		{"file.link", IORING_OP_LINKAT, 0, "dir/other", "dir/third", 0},
		{"file.unlink", IORING_OP_UNLINKAT, 0, "dir/other", NULL, 0},
		{"file.unlink", IORING_OP_UNLINKAT, ENOENT, "dir/other", NULL, 0},
		{"file.unlink", IORING_OP_UNLINKAT, 0, "dir/third", NULL, 0},
		{"file.rmdir", IORING_OP_UNLINKAT, 0, "dir", NULL, AT_REMOVEDIR},
	};
	struct uring u;

	(void)argc;
	(void)argv;
	if (!told("file.unlink"))
		return;
	uring_make(&u);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		bool link = steps[i].op == IORING_OP_SYMLINKAT;
		struct io_uring_sqe sqe = {.opcode = steps[i].op,
					   .fd = AT_FDCWD,
					   .addr = PTR(link ? steps[i].other : steps[i].path),
					   .addr2 = PTR(link ? steps[i].path : steps[i].other),
					   .len = steps[i].op == IORING_OP_MKDIRAT ? 0700
						  : steps[i].other && !link	   ? AT_FDCWD
										   : 0,
					   .unlink_flags = steps[i].flags};
		int res = uring_do(&u, &sqe);

		if (res != -steps[i].err)
			die("io_uring: %s %s: %d", steps[i].event, steps[i].path, res);
		change_fact(steps[i].event, below_base(steps[i].path), steps[i].err);
		if (link)
			fact_str("file.link_content", steps[i].other);
		else if (steps[i].other)
			fact_str("file.target_path", below_base(steps[i].other));
		fact_end();
	}
	close(u.fd);
}

/* ---- connections ---- */

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				    .sin_port = htons(port)};
}

static int port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	must(getsockname(fd, (struct sockaddr *)&a, &len));
	return ntohs(a.sin_port);
}

static int connect_request(struct uring *u, int fd, const struct sockaddr_in *to, int how)
{
	struct io_uring_sqe sqe = {.opcode = IORING_OP_CONNECT,
				   .flags = how,
				   .fd = fd,
				   .addr = PTR(to),
				   .off = sizeof(*to)};

	return uring_do(u, &sqe);
}

static void connect_fact(const char *address, int port, int err)
{
	fact("tcp.connect");
	fact_str("network.peer.address", address);
	fact_int("network.peer.port", port);
	fact_err(err);
	fact_end();
}

static int move(struct uring *u, int op, int fd, const char *buf, int len)
{
	struct io_uring_sqe sqe = {.opcode = op, .fd = fd, .addr = PTR(buf), .len = len};
	int n = uring_do(u, &sqe);

	if (n < 0)
		die("io_uring: operation %d: %m", op);
	return n;
}

static void close_fact(int local, int peer, bool outgoing, int sent, int received)
{
	fact("tcp.close");
	fact_int("network.local.port", local);
	fact_int("network.peer.port", peer);
	fact_bool("network.outgoing", outgoing);
	fact_int("network.sent_bytes", sent);
	fact_int("network.received_bytes", received);
	fact_end();
}

/* One connection, both of whose ends are ours. */
static void talk(struct uring *u, int listener, int how)
{
	struct sockaddr_in to = loopback(port_of(listener));
	int fd = must(socket(AF_INET, SOCK_STREAM, 0)), port, peer;
	struct io_uring_sqe sqe = {.opcode = IORING_OP_ACCEPT, .flags = how, .fd = listener};
	char buf[4096];

	if (connect_request(u, fd, &to, how))
		die("io_uring: connect: %m");
	port = port_of(fd);
	connect_fact("127.0.0.1", ntohs(to.sin_port), 0);
	peer = uring_do(u, &sqe);
	if (peer < 0)
		die("io_uring: accept: %m");
	fact("tcp.accept");
	fact_bool("via_io_uring", true);
	fact_int("network.local.port", ntohs(to.sin_port));
	fact_int("network.peer.port", port);
	fact_end();
	if (move(u, IORING_OP_SEND, fd, buf, 1000) != 1000 ||
	    move(u, IORING_OP_RECV, peer, buf, sizeof(buf)) != 1000 ||
	    move(u, IORING_OP_WRITE, peer, buf, 300) != 300 ||
	    move(u, IORING_OP_READ, fd, buf, sizeof(buf)) != 300)
		die("io_uring: not all arrived");
	close(fd);
	close(peer);
	close_fact(port, ntohs(to.sin_port), true, 1000, 300);
	close_fact(ntohs(to.sin_port), port, false, 300, 1000);
}

static void refused(struct uring *u, int how)
{
	int fd = must(socket(AF_INET, SOCK_STREAM, 0)),
	    other = must(socket(AF_INET, SOCK_STREAM, 0)), err;
	struct sockaddr_in to = loopback(0);

	must(bind(other, (struct sockaddr *)&to, sizeof(to)));
	to = loopback(port_of(other)); /* nobody listens there */
	err = connect_request(u, fd, &to, how);
	if (err != -ECONNREFUSED)
		die("io_uring: connected: %d", err);
	connect_fact("127.0.0.1", ntohs(to.sin_port), -err);
	close(fd);
	close(other);
}

static void unreachable(struct uring *u)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x01020304), .sin_port = htons(80)};
	int fd = must(socket(AF_INET, SOCK_STREAM, 0)), err = connect_request(u, fd, &to, 0);

	if (err >= 0)
		die("io_uring: 1.2.3.4 is reached");
	connect_fact("1.2.3.4", 80, -err);
	close(fd);
}

static void run_connections(int argc, char **argv)
{
	struct sockaddr_in any = loopback(0);
	int l = must(socket(AF_INET, SOCK_STREAM, 0));
	struct uring u;

	(void)argc;
	(void)argv;
	if (!told("tcp.accept"))
		return;
	loopback_up();
	uring_make(&u);
	must(bind(l, (struct sockaddr *)&any, sizeof(any)));
	must(listen(l, 5));
	talk(&u, l, 0);
	talk(&u, l, IOSQE_ASYNC);
	refused(&u, 0);
	refused(&u, IOSQE_ASYNC);
	unreachable(&u);
	close(l);
	close(u.fd);
}

/* ---- pipes, datagrams ---- */

static void run_pipe(int argc, char **argv)
{
	struct uring u;
	struct stat st;
	char buf[64];
	int fds[2];

	(void)argc;
	(void)argv;
	open_ended("ipc.io"); /* standard input and output may be pipes */
	if (!told("ipc.io"))
		return;
	uring_make(&u);
	must(pipe(fds));
	must(fstat(fds[0], &st));
	for (int i = 0; i < 3; i++)
		if (move(&u, IORING_OP_WRITE, fds[1], buf, 10) != 10 ||
		    move(&u, IORING_OP_READ, fds[0], buf, 10) != 10)
			die("io_uring: pipe");
	fact("ipc.io");
	fact_str("ipc.type", "pipe");
	fact_int("ipc.inode", st.st_ino);
	fact_int("ipc.reads", 3);
	fact_int("ipc.read_bytes", 30);
	fact_int("ipc.writes", 3);
	fact_int("ipc.written_bytes", 30);
	fact_end();
	close(u.fd);
}

static void datagrams_fact(int local, int peer, int sends, int sent, int receives, int received)
{
	fact("tcp.datagrams");
	fact_int("network.local.port", local);
	fact_int("network.peer.port", peer);
	fact_int("network.sent_datagrams", sends);
	fact_int("network.sent_bytes", sent);
	fact_int("network.received_datagrams", receives);
	fact_int("network.received_bytes", received);
	fact_end();
}

/* A connected socket that sends, and one that asks from whom it receives. */
static void run_datagrams(int argc, char **argv)
{
	struct sockaddr_in any = loopback(0), to, from = {0};
	int a = must(socket(AF_INET, SOCK_DGRAM, 0)), b = must(socket(AF_INET, SOCK_DGRAM, 0));
	char buf[500];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
	struct uring u;

	(void)argc;
	(void)argv;
	if (!told("tcp.datagrams"))
		return;
	loopback_up();
	uring_make(&u);
	must(bind(b, (struct sockaddr *)&any, sizeof(any)));
	to = loopback(port_of(b));
	must(connect(a, (struct sockaddr *)&to, sizeof(to)));
	for (int i = 0; i < 4; i++)
		if (move(&u, IORING_OP_SEND, a, buf, 100) != 100 ||
		    move(&u, IORING_OP_RECVMSG, b, (char *)&m, 1) != 100)
			die("io_uring: datagrams");
	datagrams_fact(port_of(a), port_of(b), 4, 400, 0, 0);
	datagrams_fact(port_of(b), port_of(a), 0, 0, 4, 400);
	close(a);
	close(b);
	close(u.fd);
}

const struct trigger uring_triggers[] = {
	{"syscall.io_uring", run_operations, NULL, "requests that no filter sees"},
	{"file.open.io_uring", run_files, NULL, "opens, reads and writes by requests"},
	{"file.unlink.io_uring", run_tree, NULL, "changes to the tree by requests"},
	{"tcp.connect.io_uring", run_connections, NULL, "connections by requests"},
	{"ipc.io.io_uring", run_pipe, NULL, "a pipe, by requests"},
	{"tcp.datagrams.io_uring", run_datagrams, NULL, "UDP by requests"},
	{NULL, NULL, NULL, NULL},
};
