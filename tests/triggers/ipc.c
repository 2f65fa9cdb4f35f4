// SPDX-License-Identifier: MIT
/* Triggers of include/events/ipc.def. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "trigger.h"

static char buf[65536];

static ino_t inode(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	return st.st_ino;
}

static void channel_fact(const char *kind, ino_t ino, const char *name)
{
	fact("ipc.channel");
	fact_str("ipc.type", kind);
	fact_int("ipc.inode", ino);
	if (name)
		fact_str("ipc.name", name);
	fact_end();
}

static void io_fact(const char *kind, ino_t ino, long reads, long read_bytes, long writes,
		    long written_bytes)
{
	fact("ipc.io");
	fact_str("ipc.type", kind);
	fact_int("ipc.inode", ino);
	fact_int("ipc.reads", reads);
	fact_int("ipc.read_bytes", read_bytes);
	fact_int("ipc.writes", writes);
	fact_int("ipc.written_bytes", written_bytes);
	fact_end();
}

/* Standard input and output may be pipes or sockets themselves. */
static void channels_open_ended(void)
{
	open_ended("ipc.channel");
	open_ended("ipc.io");
}

/* --- pipes --- */

struct ends {
	int fd;
	ino_t ino;
	const char *kind;
	const char *name;
};

static void write_end(void *arg)
{
	struct ends *e = arg;

	for (int i = 0; i < 10; i++)
		must(write(e->fd, buf, 100 + i));
	channel_fact(e->kind, e->ino, e->name);
	io_fact(e->kind, e->ino, 0, 0, 10, 1045);
}

static void pipe_fact(ino_t ino)
{
	fact("ipc.pipe");
	fact_int("ipc.inode", ino);
	fact_end();
}

/* Reads to the end; the number of calls is the reader's own count, end of file included. */
static void read_end(const char *kind, int fd, ino_t ino, const char *name)
{
	long reads = 0, bytes = 0, n;

	do {
		n = must(read(fd, buf, 333));
		reads++;
		bytes += n;
	} while (n);
	channel_fact(kind, ino, name);
	io_fact(kind, ino, reads, bytes, 0, 0);
}

static void run_pipe(int argc, char **argv)
{
	struct iovec iov[2] = {{buf, 50}, {buf, 60}};
	int p[2], q[2];
	struct ends e;
	pid_t pid;

	(void)argc;
	(void)argv;
	must(pipe(p));
	pipe_fact(inode(p[0]));
	e = (struct ends){p[1], inode(p[1]), "pipe", NULL};
	pid = must(fork());
	if (!pid) {
		close(p[0]);
		write_end(&e);
		_exit(0);
	}
	close(p[1]);
	read_end("pipe", p[0], e.ino, NULL);
	wait_for(pid);
	must(pipe2(q, O_CLOEXEC));
	pipe_fact(inode(q[0]));
	must(writev(q[1], iov, 2));
	must(readv(q[0], iov, 2));
	channel_fact("pipe", inode(q[0]), NULL);
	io_fact("pipe", inode(q[0]), 1, 110, 1, 110);
	channels_open_ended();
}

static void fifo_child(void *arg)
{
	struct ends e = {.kind = "fifo", .name = arg};

	e.fd = must(open(arg, O_WRONLY));
	e.ino = inode(e.fd);
	write_end(&e);
}

static void run_fifo(int argc, char **argv)
{
	char *path = below_base("fifo");
	pid_t pid;
	int fd;

	(void)argc;
	(void)argv;
	must(mkfifo(path, 0600));
	pid = spawn(fifo_child, path);
	fd = must(open(path, O_RDONLY));
	read_end("fifo", fd, inode(fd), path);
	wait_for(pid);
	channels_open_ended();
}

/* --- unix sockets --- */

/* @name beginning with '@' is abstract. */
static socklen_t unix_addr(struct sockaddr_un *sun, const char *name)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	strcpy(sun->sun_path, name);
	if (*name != '@')
		return offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1;
	sun->sun_path[0] = 0;
	return offsetof(struct sockaddr_un, sun_path) + strlen(name);
}

static const char *unix_kind(int type)
{
	return type == SOCK_STREAM  ? "unix_stream"
	       : type == SOCK_DGRAM ? "unix_dgram"
				    : "unix_seqpacket";
}

static void name_fact(const char *event, int type, int fd, const char *name, int err)
{
	fact(event);
	fact_str("ipc.type", unix_kind(type));
	fact_int("ipc.inode", inode(fd));
	fact_str("ipc.name", name);
	fact_err(err);
	fact_end();
}

static int bound(int type, const char *name)
{
	struct sockaddr_un sun;
	socklen_t len = unix_addr(&sun, name);
	int fd = must(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));

	must(bind(fd, (struct sockaddr *)&sun, len));
	name_fact("ipc.unix_bind", type, fd, name, 0);
	if (type == SOCK_DGRAM)
		return fd;
	must(listen(fd, 5));
	name_fact("ipc.unix_listen", type, fd, name, 0);
	return fd;
}

static int connected(int type, const char *name, pid_t server)
{
	struct sockaddr_un sun;
	socklen_t len = unix_addr(&sun, name);
	int fd = must(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
	int err = connect(fd, (struct sockaddr *)&sun, len) ? errno : 0;

	fact("ipc.unix_connect");
	fact_str("ipc.type", unix_kind(type));
	fact_int("ipc.inode", inode(fd));
	fact_str("ipc.peer_name", name);
	if (server)
		fact_vpid("ipc.peer.pid", server);
	fact_bool("ipc.pair", false);
	fact_err(err);
	fact_end();
	return fd;
}

struct client {
	int type;
	const char *name;
	pid_t server;
};

static void stream_client(void *arg)
{
	struct client *c = arg;
	int fd = connected(c->type, c->name, c->server);

	for (int i = 0; i < 3; i++)
		must(send(fd, buf, 1000, 0));
	must(recv(fd, buf, 500, MSG_WAITALL));
	channel_fact(unix_kind(c->type), inode(fd), NULL);
	io_fact(unix_kind(c->type), inode(fd), 1, 500, 3, 3000);
}

static void stream_server(int type, const char *name)
{
	struct client c = {type, name, getpid()};
	int fd, l = bound(type, name);
	pid_t pid = spawn(stream_client, &c);

	fd = must(accept(l, NULL, NULL));
	fact("ipc.unix_accept");
	fact_str("ipc.type", unix_kind(type));
	fact_int("ipc.inode", inode(fd));
	fact_str("ipc.name", name);
	fact_vpid("ipc.peer.pid", pid);
	fact_end();
	for (int i = 0; i < 3; i++)
		must(recv(fd, buf, 1000, MSG_WAITALL));
	must(write(fd, buf, 500));
	channel_fact(unix_kind(type), inode(fd), name);
	io_fact(unix_kind(type), inode(fd), 3, 3000, 1, 500);
	wait_for(pid);
	close(fd);
	close(l);
}

static void dgram_client(void *arg)
{
	struct client *c = arg;
	int fd = connected(SOCK_DGRAM, c->name, 0);
	struct sockaddr_un sun;
	socklen_t len = unix_addr(&sun, c->name);

	for (int i = 0; i < 4; i++)
		must(send(fd, buf, 200, 0));
	must(sendto(fd, buf, 30, 0, (struct sockaddr *)&sun, len));
	io_fact("unix_dgram", inode(fd), 0, 0, 5, 830);
}

static void dgram_server(const char *name)
{
	struct client c = {SOCK_DGRAM, name, 0};
	int fd = bound(SOCK_DGRAM, name);
	long bytes = 0;
	pid_t pid = spawn(dgram_client, &c);

	for (int i = 0; i < 5; i++)
		bytes += must(recv(fd, buf, sizeof(buf), 0));
	io_fact("unix_dgram", inode(fd), 5, bytes, 0, 0);
	wait_for(pid);
	close(fd);
}

static void run_unix(int argc, char **argv)
{
	struct sockaddr_un sun;
	socklen_t len;
	int fd;

	(void)argc;
	(void)argv;
	stream_server(SOCK_STREAM, below_base("stream.sock"));
	stream_server(SOCK_STREAM, "@trigger-stream");
	stream_server(SOCK_SEQPACKET, below_base("seq.sock"));
	dgram_server(below_base("dgram.sock"));
	dgram_server("@trigger-dgram");
	close(connected(SOCK_STREAM, below_base("stream.sock"), 0)); /* ECONNREFUSED */
	close(connected(SOCK_STREAM, below_base("none.sock"), 0)); /* ENOENT */
	fd = must(socket(AF_UNIX, SOCK_STREAM, 0));
	len = unix_addr(&sun, below_base("stream.sock"));
	if (!bind(fd, (struct sockaddr *)&sun, len))
		die("bound twice");
	name_fact("ipc.unix_bind", SOCK_STREAM, fd, below_base("stream.sock"), EADDRINUSE);
	close(fd);
	channels_open_ended();
}

/* A relative socket path is shown absolute. */
static void run_unix_relative(int argc, char **argv)
{
	struct sockaddr_un sun;
	socklen_t len = unix_addr(&sun, "relative.sock");
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));

	(void)argc;
	(void)argv;
	must(bind(fd, (struct sockaddr *)&sun, len));
	name_fact("ipc.unix_bind", SOCK_STREAM, fd, below_base("relative.sock"), 0);
}

static void run_socketpair(int argc, char **argv)
{
	int p[2];

	(void)argc;
	(void)argv;
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	fact("ipc.unix_connect");
	fact_str("ipc.type", "unix_stream");
	fact_int("ipc.inode", inode(p[0]));
	fact_int("ipc.peer_inode", inode(p[1]));
	fact_bool("ipc.pair", true);
	fact_end();
	must(write(p[0], buf, 111));
	must(read(p[1], buf, 111));
	must(send(p[1], buf, 222, 0));
	must(recv(p[0], buf, 222, 0));
	io_fact("unix_stream", inode(p[0]), 1, 222, 1, 111);
	io_fact("unix_stream", inode(p[1]), 1, 111, 1, 222);
	channels_open_ended();
}

/* --- System V --- */

static void sysv_fact(const char *op, int id, long key, int err, long count, long bytes)
{
	fact("ipc.sysv");
	fact_str("ipc.operation", op);
	if (id >= 0)
		fact_int("ipc.id", id);
	if (key >= 0)
		fact_int("ipc.key.number", key);
	fact_err(err);
	fact_int("ipc.count", count);
	if (bytes >= 0)
		fact_int("ipc.bytes", bytes);
	fact_end();
}

static void run_sysv_shm(int argc, char **argv)
{
	key_t key = 0x45420000 + getpid();
	int id = must(shmget(key, 8192, IPC_CREAT | 0600));
	void *at[3];

	(void)argc;
	(void)argv;
	sysv_fact("shmget", id, key, 0, 1, -1);
	for (int i = 0; i < 3; i++)
		at[i] = shmat(id, NULL, 0);
	sysv_fact("shmat", id, -1, 0, 3, -1);
	for (int i = 0; i < 3; i++)
		must(shmdt(at[i]));
	must(shmctl(id, IPC_RMID, NULL));
	sysv_fact("shmctl", id, -1, 0, 1, -1);
	sysv_fact("shmget", -1, key, ENOENT, 1, -1);
	if (shmget(key, 8192, 0) >= 0)
		die("there are two");
	sysv_fact("shmdt", -1, -1, 0, 3, -1);
}

static void run_sysv_msg(int argc, char **argv)
{
	struct {
		long type;
		char text[500];
	} m = {.type = 1};
	int id = must(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
	long sent = 0;

	(void)argc;
	(void)argv;
	sysv_fact("msgget", id, 0, 0, 1, -1);
	for (int i = 0; i < 5; i++) {
		must(msgsnd(id, &m, 100 + i, 0));
		sent += 100 + i;
	}
	sysv_fact("msgsnd", id, -1, 0, 5, sent);
	sent = 0;
	for (int i = 0; i < 4; i++)
		sent += must(msgrcv(id, &m, 500, 0, 0));
	sysv_fact("msgrcv", id, -1, 0, 4, sent);
	must(msgctl(id, IPC_RMID, NULL));
	sysv_fact("msgctl", id, -1, 0, 1, -1);
}

static void run_sysv_sem(int argc, char **argv)
{
	int id = must(semget(IPC_PRIVATE, 2, IPC_CREAT | 0600));
	struct sembuf up = {0, 1, 0}, down = {0, -1, IPC_NOWAIT};

	(void)argc;
	(void)argv;
	sysv_fact("semget", id, 0, 0, 1, -1);
	for (int i = 0; i < 6; i++)
		must(semop(id, &up, 1));
	sysv_fact("semop", id, -1, 0, 6, -1);
	must(semctl(id, 1, SETVAL, 0));
	down.sem_num = 1;
	if (!semop(id, &down, 1))
		die("the semaphore was not 0");
	sysv_fact("semop", id, -1, EAGAIN, 1, -1);
	must(semctl(id, 0, IPC_RMID));
	sysv_fact("semctl", id, -1, 0, 2, -1);
}

/* --- POSIX --- */

static void run_mqueue(int argc, char **argv)
{
	struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = 512};
	char name[64];
	long bytes = 0;
	mqd_t q;

	(void)argc;
	(void)argv;
	snprintf(name, sizeof(name), "/trigger-%d", getpid());
	q = must(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
	for (int i = 0; i < 7; i++) {
		must(mq_send(q, buf, 100 + i, 0));
		bytes += 100 + i;
	}
	for (int i = 0; i < 7; i++)
		must(mq_receive(q, buf, 512, NULL));
	channel_fact("mqueue", inode(q), name);
	io_fact("mqueue", inode(q), 7, bytes, 7, bytes);
	must(mq_unlink(name));
	must(mq_close(q));
	channels_open_ended();
}

/* A shared memory object is a file of /dev/shm. */
static void run_shm_open(int argc, char **argv)
{
	char name[64], path[128];
	int fd;

	(void)argc;
	(void)argv;
	snprintf(name, sizeof(name), "/trigger-%d", getpid());
	snprintf(path, sizeof(path), "/dev/shm%s", name);
	fd = must(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
	fact("file.open");
	fact_str("file.path", path);
	fact_bool("file.created", true);
	fact_int("file.inode", inode(fd));
	fact_end();
	must(ftruncate(fd, 4096));
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
		die("mmap: %m");
	must(shm_unlink(name));
	fact("file.unlink");
	fact_str("file.path", path);
	fact_end();
	fact("file.io");
	fact_str("file.path", path);
	fact_int("file.mmaps", 1);
	fact_end();
	open_ended("file.io");
}

/* All eventfds share one inode; what tells them apart is the number in /proc. */
static int eventfd_id(int fd)
{
	char path[64], line[128];
	int id = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "eventfd-id: %d", &id) == 1)
			break;
	if (f)
		fclose(f);
	return id;
}

static void run_eventfd(int argc, char **argv)
{
	int fd = must(eventfd(0, EFD_CLOEXEC)), id = eventfd_id(fd);
	unsigned long long v = 1;

	(void)argc;
	(void)argv;
	for (int i = 0; i < 4; i++)
		must(write(fd, &v, 8));
	must(read(fd, &v, 8));
	channel_fact("eventfd", id, NULL);
	io_fact("eventfd", id, 1, 8, 4, 32);
	channels_open_ended();
}

/* --- signals --- */

static void signal_fact(const char *sig, const char *code, pid_t target)
{
	fact("ipc.signal");
	fact_str("signal.name", sig);
	fact_str("signal.code", code);
	fact_vpid("signal.target.pid", target);
	fact_bool("signal.crosses_container", false);
	fact_end();
}

static void on_signal(int sig)
{
	(void)sig;
}

static void wait_killed(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static void run_signal(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	union sigval val = {.sival_int = 42};
	pid_t pid;

	(void)argc;
	(void)argv;
	must(sigaction(SIGUSR1, &sa, NULL));
	must(sigaction(SIGUSR2, &sa, NULL));
	must(sigaction(SIGALRM, &sa, NULL));
	for (int i = 0; i < 3; i++) {
		must(kill(getpid(), SIGUSR1));
		signal_fact("SIGUSR1", "SI_USER", getpid());
	}
	must(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2));
	signal_fact("SIGUSR2", "SI_TKILL", getpid());
	must(sigqueue(getpid(), SIGUSR1, val));
	signal_fact("SIGUSR1", "SI_QUEUE", getpid());
	pid = spawn(wait_killed, NULL);
	usleep(50000);
	must(kill(pid, SIGUSR2));
	signal_fact("SIGUSR2", "SI_USER", pid);
	must(kill(pid, 0)); /* sends nothing */
	must(kill(pid, SIGKILL));
	signal_fact("SIGKILL", "SI_USER", pid);
	wait_for(pid);
	fact("ipc.signal");
	fact_owner(pid);
	fact_str("signal.name", "SIGCHLD");
	fact_str("signal.code", "CLD_KILLED");
	fact_vpid("signal.target.pid", getpid());
	fact_end();
}

/* --- looking into another process --- */

static void traced_fact(const char *request, pid_t target, int err)
{
	fact("ipc.ptrace");
	fact_str("ptrace.request", request);
	if (target) {
		fact_vpid("ptrace.target.pid", target);
		fact_int("ptrace.target.vpid", target);
	}
	fact_err(err);
	fact_end();
}

static void run_ptrace(int argc, char **argv)
{
	static long word = 0x1234;
	pid_t pid = spawn(wait_killed, NULL);
	int status;

	(void)argc;
	(void)argv;
	must(ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	traced_fact("PTRACE_ATTACH", pid, 0);
	must(waitpid(pid, &status, __WALL));
	for (int i = 0; i < 3; i++) {
		if (ptrace(PTRACE_PEEKDATA, pid, &word, NULL) != 0x1234)
			die("peek: %m");
		traced_fact("PTRACE_PEEKDATA", pid, 0);
	}
	must(ptrace(PTRACE_DETACH, pid, NULL, NULL));
	traced_fact("PTRACE_DETACH", pid, 0);
	if (!ptrace(PTRACE_CONT, pid, NULL, NULL))
		die("no longer traced");
	traced_fact("PTRACE_CONT", pid, ESRCH);
	kill(pid, SIGKILL);
	wait_for(pid);
	pid = must(fork());
	if (!pid) {
		must(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		_exit(0);
	}
	fact("ipc.ptrace");
	fact_owner(pid);
	fact_str("ptrace.request", "PTRACE_TRACEME");
	fact_end();
	wait_for(pid);
}

static void vm_fact(const char *op, pid_t target, long bytes, int err)
{
	fact("ipc.process_vm");
	fact_str("syscall.name", op);
	fact_int("ipc.target.vpid", target);
	if (!err) {
		fact_vpid("ipc.target.pid", target);
		fact_int("ipc.bytes", bytes);
	}
	fact_err(err);
	fact_end();
}

static void run_process_vm(int argc, char **argv)
{
	pid_t pid = spawn(wait_killed, NULL);
	struct iovec here = {buf, 5000}, there = {buf, 5000};

	(void)argc;
	(void)argv;
	vm_fact("process_vm_readv", pid, must(process_vm_readv(pid, &here, 1, &there, 1, 0)), 0);
	here.iov_len = there.iov_len = 1234;
	vm_fact("process_vm_writev", pid, must(process_vm_writev(pid, &here, 1, &there, 1, 0)), 0);
	kill(pid, SIGKILL);
	wait_for(pid);
	if (process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0)
		die("the dead can be read");
	vm_fact("process_vm_readv", pid, 0, ESRCH);
}

static void run_pidfd_getfd(int argc, char **argv)
{
	pid_t pid = spawn(wait_killed, NULL);
	int pidfd, fd;

	(void)argc;
	(void)argv;
	pidfd = must(syscall(SYS_pidfd_open, pid, 0));
	fd = must(syscall(SYS_pidfd_getfd, pidfd, 1, 0));
	fact("ipc.pidfd_getfd");
	fact_vpid("ipc.target.pid", pid);
	fact_int("ipc.target.fd", 1);
	fact_int("file.descriptor", fd);
	fact_end();
	if (syscall(SYS_pidfd_getfd, pidfd, 999, 0) >= 0)
		die("there is a descriptor 999");
	fact("ipc.pidfd_getfd");
	fact_int("ipc.target.fd", 999);
	fact_err(EBADF);
	fact_end();
	kill(pid, SIGKILL);
	wait_for(pid);
}

const struct trigger ipc_triggers[] = {
	{"ipc.pipe", run_pipe, NULL, "pipe, pipe2, and bytes through them"},
	{"ipc.fifo", run_fifo, NULL, "a FIFO between two processes"},
	{"ipc.unix", run_unix, NULL, "stream, seqpacket, datagram; path and abstract; failures"},
	{"ipc.unix.relative", run_unix_relative, NULL, "a relative socket path"},
	{"ipc.socketpair", run_socketpair, NULL, "socketpair"},
	{"ipc.sysv.shm", run_sysv_shm, NULL, "System V shared memory"},
	{"ipc.sysv.msg", run_sysv_msg, NULL, "System V messages"},
	{"ipc.sysv.sem", run_sysv_sem, NULL, "System V semaphores"},
	{"ipc.mqueue", run_mqueue, NULL, "a POSIX message queue"},
	{"ipc.shm_open", run_shm_open, NULL, "a POSIX shared memory object"},
	{"ipc.eventfd", run_eventfd, NULL, "eventfd"},
	{"ipc.signal", run_signal, NULL, "kill, tgkill, sigqueue, SIGCHLD"},
	{"ipc.ptrace", run_ptrace, NULL, "attach, peek, detach, traceme"},
	{"ipc.process_vm", run_process_vm, NULL, "process_vm_readv, process_vm_writev"},
	{"ipc.pidfd_getfd", run_pidfd_getfd, NULL, "pidfd_getfd"},
	{NULL, NULL, NULL, NULL},
};
