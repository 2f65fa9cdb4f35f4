// SPDX-License-Identifier: MIT
/* Triggers of include/events/tcp.def: both ends of each connection are here. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "trigger.h"

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static char buf[65536];

static socklen_t addr_len(const union addr *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

static union addr make_addr(const char *text, int port)
{
	union addr a;

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1) {
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons(port);
	} else {
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons(port);
		if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) != 1)
			die("not an address: %s", text);
	}
	return a;
}

static int port_of(const union addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET ? a->in.sin_port : a->in6.sin6_port);
}

/* "127.0.0.1", also of a v4-mapped address; says so in *family. */
static const char *text_of(const union addr *a, const char **family)
{
	static char texts[8][INET6_ADDRSTRLEN];
	static int turn;
	char *text = texts[turn++ % 8];

	*family = "ipv4";
	if (a->sa.sa_family == AF_INET)
		return inet_ntop(AF_INET, &a->in.sin_addr, text, INET6_ADDRSTRLEN);
	if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return inet_ntop(AF_INET, &a->in6.sin6_addr.s6_addr[12], text, INET6_ADDRSTRLEN);
	*family = "ipv6";
	return inet_ntop(AF_INET6, &a->in6.sin6_addr, text, INET6_ADDRSTRLEN);
}

/* The ends of a connection, kept as getpeername(2) fails once it is closed. */
struct ends {
	union addr local, peer;
};

static struct ends ends_of(int fd)
{
	struct ends e;
	socklen_t len = sizeof(e.local);

	memset(&e, 0, sizeof(e));
	must(getsockname(fd, &e.local.sa, &len));
	len = sizeof(e.peer);
	if (getpeername(fd, &e.peer.sa, &len))
		e.peer.sa.sa_family = 0;
	return e;
}

static void ends_facts(const struct ends *e)
{
	const char *family, *text = text_of(&e->local, &family);

	fact_str("network.type", family);
	fact_str("network.local.address", text);
	fact_int("network.local.port", port_of(&e->local));
	if (!e->peer.sa.sa_family)
		return;
	text = text_of(&e->peer, &family);
	fact_str("network.peer.address", text);
	fact_int("network.peer.port", port_of(&e->peer));
}

static void ends_fact(const char *event, const struct ends *e, int err)
{
	fact(event);
	ends_facts(e);
	fact_err(err);
	fact_end();
}

static void close_fact(const struct ends *e, bool outgoing, long sent, long received, int err)
{
	fact("tcp.close");
	ends_facts(e);
	fact_bool("network.outgoing", outgoing);
	fact_int("network.sent_bytes", sent);
	fact_int("network.received_bytes", received);
	fact_err(err);
	fact_end();
}

static int listener(const char *text)
{
	union addr a = make_addr(text, 0);
	int fd = must(socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
	struct ends e;

	must(bind(fd, &a.sa, addr_len(&a)));
	must(listen(fd, 17));
	e = ends_of(fd);
	fact("tcp.listen");
	ends_facts(&e);
	fact_int("network.backlog", 17);
	fact_end();
	return fd;
}

static int listener_port(int fd)
{
	struct ends e = ends_of(fd);

	return port_of(&e.local);
}

static int accepted(int l, struct ends *e)
{
	int fd = must(accept(l, NULL, NULL));

	*e = ends_of(fd);
	ends_fact("tcp.accept", e, 0);
	return fd;
}

static int connected(const char *text, int port, struct ends *e)
{
	union addr a = make_addr(text, port);
	int fd = must(socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));

	must(connect(fd, &a.sa, addr_len(&a)));
	*e = ends_of(fd);
	ends_fact("tcp.connect", e, 0);
	return fd;
}

static long send_all(int fd, long n)
{
	long done = 0;

	while (done < n) {
		long part = n - done < (long)sizeof(buf) ? n - done : (long)sizeof(buf);

		done += must(send(fd, buf, part, MSG_NOSIGNAL));
	}
	return done;
}

static long receive_all(int fd)
{
	long n, done = 0;

	while ((n = must(read(fd, buf, sizeof(buf)))))
		done += n;
	return done;
}

/* --- a conversation: the client sends @up bytes, half-closes, and gets @down bytes --- */

struct talk {
	const char *connect_to;
	const char *listen_on;
	int port;
	long up, down;
};

static void talk_client(void *arg)
{
	struct talk *t = arg;
	struct ends e;
	int fd = connected(t->connect_to, t->port, &e);
	long sent = send_all(fd, t->up), received;

	must(shutdown(fd, SHUT_WR));
	received = receive_all(fd);
	close(fd);
	close_fact(&e, true, sent, received, 0);
}

static void talk(struct talk *t, int times)
{
	int l = listener(t->listen_on);

	t->port = listener_port(l);
	for (int i = 0; i < times; i++) {
		pid_t pid = spawn(talk_client, t);
		struct ends e;
		int fd = accepted(l, &e);
		long received = receive_all(fd), sent = send_all(fd, t->down);

		close(fd);
		close_fact(&e, false, sent, received, 0);
		if (wait_for(pid))
			die("the client failed");
	}
	close(l);
}

static void run_talk(int argc, char **argv)
{
	struct talk v4 = {"127.0.0.1", "127.0.0.1", 0, 1000, 2000};
	struct talk v6 = {"::1", "::1", 0, 333, 444};
	struct talk mapped = {"::ffff:127.0.0.1", "::", 0, 555, 0};
	struct talk dual = {"127.0.0.1", "::", 0, 0, 777};
	struct talk large = {"127.0.0.1", "127.0.0.1", 0, 50000000, 30000000};
	struct talk large6 = {"::1", "::1", 0, 20000000, 10000000};

	(void)argc;
	(void)argv;
	loopback_up();
	talk(&v4, 1);
	talk(&v6, 1);
	talk(&mapped, 1);
	talk(&dual, 1);
	talk(&large, 1);
	talk(&large6, 1);
}

static void run_many(int argc, char **argv)
{
	struct talk v4 = {"127.0.0.1", "127.0.0.1", 0, 10, 20};
	struct talk v6 = {"::1", "::1", 0, 10, 20};

	(void)argc;
	(void)argv;
	loopback_up();
	talk(&v4, 200);
	talk(&v6, 200);
}

/* --- connections that fail --- */

static void failing(const char *text, int port)
{
	union addr a = make_addr(text, port);
	int fd = must(socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0)), err;
	const char *family;

	err = connect(fd, &a.sa, addr_len(&a)) ? errno : 0;
	if (!err)
		die("connected to %s port %d", text, port);
	fact("tcp.connect");
	text = text_of(&a, &family);
	fact_str("network.type", family);
	fact_str("network.peer.address", text);
	fact_int("network.peer.port", port);
	fact_err(err);
	fact_end();
	close(fd);
}

/* Established (or refused) after connect(2) has returned. */
static void nonblocking(const char *text, int port)
{
	union addr a = make_addr(text, port);
	int fd = must(socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	int ret = connect(fd, &a.sa, addr_len(&a)), err = 0;
	socklen_t len = sizeof(err);
	const char *family;

	if (ret && errno != EINPROGRESS)
		die("connect: %m");
	must(poll(&pfd, 1, 5000));
	must(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	fact("tcp.connect");
	fact_str("network.peer.address", text_of(&a, &family));
	fact_int("network.peer.port", port);
	fact_err(err);
	fact_end();
	close(fd);
}

/* A port that nobody listens on: bound, then given back. */
static int free_port(const char *text)
{
	union addr a = make_addr(text, 0);
	int fd = must(socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0)), port;

	must(bind(fd, &a.sa, addr_len(&a)));
	port = listener_port(fd);
	close(fd);
	return port;
}

static void run_connect(int argc, char **argv)
{
	int l4, l6;

	(void)argc;
	(void)argv;
	loopback_up();
	l4 = listener("127.0.0.1");
	l6 = listener("::1");
	failing("127.0.0.1", free_port("127.0.0.1"));
	failing("::1", free_port("::1"));
	failing("::ffff:127.0.0.1", free_port("127.0.0.1"));
	failing("2001:db8::1", 80); /* ENETUNREACH without a route */
	nonblocking("127.0.0.1", listener_port(l4));
	nonblocking("::1", listener_port(l6));
	nonblocking("127.0.0.1", free_port("127.0.0.1"));
	close(l4);
	close(l6);
}

/* The server closes with unread data: the client gets a reset. */
static void reset_client(void *arg)
{
	struct talk *t = arg;
	struct ends e;
	int fd = connected(t->connect_to, t->port, &e);
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	send_all(fd, 1000);
	must(poll(&pfd, 1, 5000));
	if (read(fd, buf, 1) >= 0 || errno != ECONNRESET)
		die("no reset");
	close(fd);
	fact("tcp.close");
	ends_facts(&e);
	fact_bool("network.outgoing", true);
	fact_int("network.sent_bytes", 1000);
	fact_int("network.received_bytes", 0);
	fact_end();
}

static void run_reset(int argc, char **argv)
{
	struct linger hard = {1, 0};
	struct talk t = {.connect_to = "127.0.0.1"};
	int l, fd;
	struct ends e;
	pid_t pid;

	(void)argc;
	(void)argv;
	loopback_up();
	l = listener("127.0.0.1");
	t.port = listener_port(l);
	pid = spawn(reset_client, &t);
	fd = accepted(l, &e);
	must(recv(fd, buf, 1000, MSG_WAITALL));
	must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)));
	close(fd);
	close_fact(&e, false, 0, 1000, 0);
	if (wait_for(pid))
		die("the client failed");
}

/* --- there before the recording --- */

static int old_listener, old_client, old_server;
static struct ends old_client_ends, old_server_ends;

static void prepare_existing(void)
{
	union addr a = make_addr("127.0.0.1", 0);

	loopback_up();
	old_listener = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	must(bind(old_listener, &a.sa, addr_len(&a)));
	must(listen(old_listener, 3));
	a = ends_of(old_listener).local;
	old_client = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	must(connect(old_client, &a.sa, addr_len(&a)));
	old_server = must(accept(old_listener, NULL, NULL));
	old_client_ends = ends_of(old_client);
	old_server_ends = ends_of(old_server);
}

static void existing_fact(const struct ends *e, bool listening)
{
	fact("tcp.existing");
	ends_facts(e);
	fact_bool("network.listening", listening);
	fact_end();
}

static void run_existing(int argc, char **argv)
{
	struct ends e = ends_of(old_listener);

	(void)argc;
	(void)argv;
	existing_fact(&e, true);
	existing_fact(&old_client_ends, false);
	existing_fact(&old_server_ends, false);
	complete("tcp.connect");
	complete("tcp.accept");
	send_all(old_client, 100);
	must(recv(old_server, buf, 100, MSG_WAITALL));
	close(old_client);
	close(old_server);
	fact("tcp.close");
	ends_facts(&old_client_ends);
	fact_end();
	fact("tcp.close");
	ends_facts(&old_server_ends);
	fact_end();
}

static void still_open_fact(const struct ends *e, pid_t owner, long sent, long received)
{
	fact("tcp.close");
	fact_owner(owner);
	ends_facts(e);
	fact_bool("network.still_open", true);
	fact_int("network.sent_bytes", sent);
	fact_int("network.received_bytes", received);
	fact_end();
}

/* Still open at the end of the recording (use -w: the harness stops it first). One end waits to be accepted. */
static void run_still_open(int argc, char **argv)
{
	struct ends client, server, waits;
	int l, fd, acc;

	(void)argc;
	(void)argv;
	loopback_up();
	l = listener("127.0.0.1");
	fd = connected("127.0.0.1", listener_port(l), &client);
	acc = accepted(l, &server);
	send_all(fd, 4321);
	must(recv(acc, buf, 4321, MSG_WAITALL));
	still_open_fact(&client, getpid(), 4321, 0);
	still_open_fact(&server, getpid(), 0, 4321);
	fd = connected("127.0.0.1", listener_port(l), &client);
	send_all(fd, 1234);
	waits = (struct ends){client.peer, client.local};
	still_open_fact(&client, getpid(), 1234, 0);
	still_open_fact(&waits, 0, 0, 1234);
}

/* --- one end only, for a peer elsewhere: "tcp.client ADDRESS PORT UP" --- */

static void run_client(int argc, char **argv)
{
	struct ends e;
	long sent, received;
	int fd;

	if (argc < 4)
		die("tcp.client ADDRESS PORT BYTES");
	fd = connected(argv[1], atoi(argv[2]), &e);
	sent = send_all(fd, atol(argv[3]));
	must(shutdown(fd, SHUT_WR));
	received = receive_all(fd);
	close(fd);
	close_fact(&e, true, sent, received, 0);
}

/* --- UDP --- */

static void udp_fact(pid_t pid, const struct ends *e, long sends, long sent, long receives,
		     long received)
{
	fact("tcp.datagrams");
	fact_owner(pid);
	ends_facts(e);
	fact_int("network.sent_datagrams", sends);
	fact_int("network.sent_bytes", sent);
	fact_int("network.received_datagrams", receives);
	fact_int("network.received_bytes", received);
	fact_end();
}

static int udp_bound(const char *text)
{
	union addr a = make_addr(text, 0);
	int fd = must(socket(a.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	must(bind(fd, &a.sa, addr_len(&a)));
	return fd;
}

/* A asks B: A is connected if @connects, B is not and answers where it came from. */
static void udp_talk(const char *text, bool connects)
{
	int a = udp_bound(text), b = udp_bound(text);
	struct ends ea = ends_of(a), eb = ends_of(b);
	union addr to = eb.local, from;
	socklen_t len;

	if (connects)
		must(connect(a, &to.sa, addr_len(&to)));
	for (int i = 0; i < 5; i++) {
		if (connects)
			must(send(a, buf, 100 + i, 0));
		else
			must(sendto(a, buf, 100 + i, 0, &to.sa, addr_len(&to)));
		len = sizeof(from);
		must(recvfrom(b, buf, sizeof(buf), 0, &from.sa, &len));
	}
	must(sendto(b, buf, 60, 0, &from.sa, len));
	len = sizeof(from);
	must(recvfrom(a, buf, sizeof(buf), 0, &from.sa, &len));
	ea.peer = eb.local;
	eb.peer = ea.local;
	udp_fact(getpid(), &ea, 5, 510, 1, 60);
	udp_fact(getpid(), &eb, 1, 60, 5, 510);
	close(a);
	close(b);
}

static void run_datagrams(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	loopback_up();
	udp_talk("127.0.0.1", true);
	udp_talk("127.0.0.1", false);
	udp_talk("::1", true);
	udp_talk("::1", false);
}

const struct trigger tcp_triggers[] = {
	{"tcp.talk", run_talk, NULL,
	 "connect, accept, close; IPv4, IPv6, v4-mapped; half-close; large"},
	{"tcp.many", run_many, NULL, "400 connections"},
	{"tcp.connect", run_connect, NULL, "refused, unreachable, nonblocking"},
	{"tcp.reset", run_reset, NULL, "a connection that is reset"},
	{"tcp.existing", run_existing, prepare_existing, "open before the recording (use -w)"},
	{"tcp.still_open", run_still_open, NULL, "open when the recording ends (use -w)"},
	{"tcp.client", run_client, NULL, "ADDRESS PORT BYTES: one connection to a peer elsewhere"},
	{"tcp.datagrams", run_datagrams, NULL, "UDP, connected and not, IPv4 and IPv6"},
	{NULL, NULL, NULL, NULL},
};
