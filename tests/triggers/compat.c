// SPDX-License-Identifier: MIT
/*
 * The i386 ABI's calls that stand for many, socketcall(2) and ipc(2), made by a 64-bit program:
 * "int $0x80" takes addresses below 4 GiB.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "trigger.h"

#ifdef __x86_64__

#define SOCKETCALL 102
#define IPC	   117

enum { CALL_SOCKET = 1, CALL_BIND, CALL_CONNECT, CALL_LISTEN, CALL_ACCEPT };
enum { CALL_SEND = 9, CALL_RECV = 10 };
enum { CALL_MSGSND = 11, CALL_MSGRCV, CALL_MSGGET, CALL_MSGCTL };
enum { CALL_SHMAT = 21, CALL_SHMDT, CALL_SHMGET, CALL_SHMCTL };

/* What the calls point to: one page that 32 bits can address. */
static struct low {
	uint32_t args[6];
	uint32_t address;
	struct sockaddr_in in;
	struct {
		int32_t type;
		char text[500];
	} msg;
	char buf[3000];
} * low;

static uint32_t low_addr(void *p)
{
	return (uint32_t)(uintptr_t)p;
}

static void prepare_low(void)
{
	low = mmap(NULL, sizeof(*low), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED)
		die("mmap: %m");
}

/* The registers of a call in the i386 ABI: ebx, ecx, edx, esi, edi; its result. */
static long call32(long nr, long a, long b, long c, long d, long e)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static void try_compat(void *arg)
{
	(void)arg;
	_exit(call32(20, 0, 0, 0, 0, 0) == getpid() ? 0 : 1); /* getpid */
}

static bool have_compat(void)
{
	return !wait_for(spawn(try_compat, NULL));
}

static long socketcall(long call, long a, long b, long c, long d)
{
	/* the last words of a page: what lies behind must not be needed */
	uint32_t *args = (uint32_t *)((char *)low + 4096 - 4 * sizeof(*args));

	args[0] = a;
	args[1] = b;
	args[2] = c;
	args[3] = d;
	return call32(SOCKETCALL, call, low_addr(args), 0, 0, 0);
}

static int bound_port(int fd)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);

	must(getsockname(fd, (struct sockaddr *)&in, &len));
	return ntohs(in.sin_port);
}

static void connection_fact(const char *event, int local, int peer)
{
	fact(event);
	fact_str("network.type", "ipv4");
	fact_str("network.local.address", "127.0.0.1");
	fact_int("network.local.port", local);
	fact_str("network.peer.address", "127.0.0.1");
	fact_int("network.peer.port", peer);
}

static void closed_fact(int local, int peer, bool outgoing, long sent, long received)
{
	connection_fact("tcp.close", local, peer);
	fact_bool("network.outgoing", outgoing);
	fact_int("network.sent_bytes", sent);
	fact_int("network.received_bytes", received);
	fact_end();
}

/* Asserts that 300 bytes go from one end to the other by send() and recv() of socketcall(2). */
static void run_socketcall(int argc, char **argv)
{
	int l, a, c, port, local;

	(void)argc;
	(void)argv;
	loopback_up();
	prepare_low();
	if (!have_compat()) {
		open_ended("tcp.listen");
		return;
	}
	low->in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	l = must(socketcall(CALL_SOCKET, AF_INET, SOCK_STREAM, 0, 0));
	must(socketcall(CALL_BIND, l, low_addr(&low->in), sizeof(low->in), 0));
	must(socketcall(CALL_LISTEN, l, 9, 0, 0));
	port = bound_port(l);
	fact("tcp.listen");
	fact_str("network.local.address", "127.0.0.1");
	fact_int("network.local.port", port);
	fact_int("network.backlog", 9);
	fact_end();
	low->in.sin_port = htons(port);
	c = must(socketcall(CALL_SOCKET, AF_INET, SOCK_STREAM, 0, 0));
	must(socketcall(CALL_CONNECT, c, low_addr(&low->in), sizeof(low->in), 0));
	local = bound_port(c);
	connection_fact("tcp.connect", local, port);
	fact_end();
	a = must(socketcall(CALL_ACCEPT, l, 0, 0, 0));
	connection_fact("tcp.accept", port, local);
	fact_end();
	if (socketcall(CALL_SEND, c, low_addr(low->buf), 300, 0) != 300 ||
	    socketcall(CALL_RECV, a, low_addr(low->buf), 300, MSG_WAITALL) != 300)
		die("send and recv");
	close(c);
	if (read(a, low->buf, 1) != 0)
		die("no end");
	close(a);
	close(l);
	closed_fact(local, port, true, 300, 0);
	closed_fact(port, local, false, 0, 300);
}

static void sysv_fact(const char *op, int id, long key, long count, long bytes)
{
	fact("ipc.sysv");
	fact_str("ipc.operation", op);
	if (id >= 0)
		fact_int("ipc.id", id);
	if (key >= 0)
		fact_int("ipc.key.number", key);
	fact_int("ipc.count", count);
	if (bytes >= 0)
		fact_int("ipc.bytes", bytes);
	fact_end();
}

static void compat_messages(void)
{
	int id = must(call32(IPC, CALL_MSGGET, IPC_PRIVATE, IPC_CREAT | 0600, 0, 0));

	sysv_fact("msgget", id, 0, 1, -1);
	low->msg.type = 1;
	must(call32(IPC, CALL_MSGSND, id, 123, 0, low_addr(&low->msg)));
	must(call32(IPC, CALL_MSGSND, id, 77, 0, low_addr(&low->msg)));
	sysv_fact("msgsnd", id, -1, 2, 200);
	/* version 1: the type comes in the sixth register, and any will do */
	if (call32(IPC, CALL_MSGRCV | 1 << 16, id, 500, 0, low_addr(&low->msg)) <= 0)
		die("msgrcv");
	must(call32(IPC, CALL_MSGCTL, id, IPC_RMID | 0x100, 0, 0));
	sysv_fact("msgctl", id, -1, 1, -1);
}

static void compat_memory(void)
{
	key_t key = 0x45430000 + getpid();
	int id = must(call32(IPC, CALL_SHMGET, key, 4096, IPC_CREAT | 0600, 0));

	sysv_fact("shmget", id, key, 1, -1);
	must(call32(IPC, CALL_SHMAT, id, 0, low_addr(&low->address), 0));
	sysv_fact("shmat", id, -1, 1, -1);
	must(call32(IPC, CALL_SHMDT, 0, 0, 0, low->address));
	sysv_fact("shmdt", id, -1, 1, -1);
	must(call32(IPC, CALL_SHMCTL, id, IPC_RMID | 0x100, 0, 0));
	sysv_fact("shmctl", id, -1, 1, -1);
}

static void run_ipc(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	prepare_low();
	open_ended("ipc.sysv"); /* of msgrcv: the sixth register says which message comes first */
	if (!have_compat())
		return;
	compat_messages();
	compat_memory();
}

const struct trigger compat_triggers[] = {
	{"tcp.socketcall", run_socketcall, NULL, "a connection by way of i386's socketcall"},
	{"ipc.sysv.compat", run_ipc, NULL, "System V messages and memory by way of i386's ipc"},
	{NULL, NULL, NULL, NULL},
};

#else

const struct trigger compat_triggers[] = {{NULL, NULL, NULL, NULL}};

#endif
