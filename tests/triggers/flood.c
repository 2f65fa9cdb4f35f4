// SPDX-License-Identifier: MIT
/*
 * "flood KIND MILLISECONDS": as many forks and execs, opens, or connections as the machine makes, a
 * process on every CPU. Says what was made, by the counts of those that made it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "adversary.h"
#include "trigger.h"

#define MAX_WORKERS 512

struct kind {
	const char *name;
	void (*prepare)(unsigned int worker);
	void (*once)(void);
	const char *
		events; /* of each turn, as members of a JSON object; %1$llu is the number of turns */
	const char *calls; /* system calls of each turn likewise */
};

static int listener = -1;
static struct sockaddr_in own;

static void fork_once(void)
{
	pid_t pid = must(raw_fork());

	if (!pid) {
		execl("/proc/self/exe", "trigger", "noop", NULL);
		_exit(97);
	}
	if (wait_for(pid))
		die("a child failed");
}

static void open_prepare(unsigned int worker)
{
	(void)worker;
	close(must(open("flood", O_CREAT | O_WRONLY, 0600)));
}

static void open_once(void)
{
	int fd = must(syscall(SYS_openat, AT_FDCWD, "flood", O_RDONLY, 0));

	syscall(SYS_close, fd);
}

/* An address of its own for each, so that ports do not run out; closed by reset, so that they are free at once. */
static void connect_prepare(unsigned int worker)
{
	socklen_t len = sizeof(own);

	own.sin_family = AF_INET;
	own.sin_addr.s_addr = htonl(0x7f000002 + worker);
	listener = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	must(bind(listener, (struct sockaddr *)&own, sizeof(own)));
	must(listen(listener, 16));
	must(getsockname(listener, (struct sockaddr *)&own, &len));
}

static void connect_once(void)
{
	static const struct linger reset = {.l_onoff = 1};
	int to = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), from;

	must(syscall(SYS_connect, to, &own, sizeof(own)));
	from = must(syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC));
	must(setsockopt(to, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)));
	close(to);
	close(from);
}

static const struct kind kinds[] = {
	{"fork", NULL, fork_once,
	 "\"process.fork\":%1$llu,\"process.exec\":%1$llu,\"process.exit\":%1$llu",
	 "\"execve\":%1$llu,\"wait4\":%1$llu"},
	{"open", open_prepare, open_once, "\"file.open\":%1$llu", "\"openat\":%1$llu"},
	{"connect", connect_prepare, connect_once,
	 "\"tcp.connect\":%1$llu,\"tcp.accept\":%1$llu,\"tcp.close\":%2$llu",
	 "\"connect\":%1$llu,\"accept4\":%1$llu"},
};

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void work(const struct kind *k, unsigned int worker, long ms, unsigned long long *turns)
{
	cpu_set_t one;
	long long end;

	CPU_ZERO(&one);
	CPU_SET(worker, &one);
	sched_setaffinity(0, sizeof(one), &one);
	if (k->prepare)
		k->prepare(worker);
	for (end = now_ms() + ms; now_ms() < end; ++*turns)
		k->once();
	_exit(0);
}

int flood(int argc, char **argv)
{
	unsigned long long *turns, sum = 0;
	cpu_set_t cpus;
	long nr; /* sysconf(3) would open files */
	const struct kind *k = NULL;
	pid_t pids[MAX_WORKERS];

	for (size_t i = 0; argc == 4 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(argv[2], kinds[i].name))
			k = &kinds[i];
	if (!k)
		die("flood fork|open|connect MILLISECONDS");
	loopback_up();
	turns = mmap(NULL, MAX_WORKERS * sizeof(*turns), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (turns == MAP_FAILED)
		die("mmap: %m");
	printf("{\"begins\":true}\n");
	fflush(stdout);
	must(sched_getaffinity(0, sizeof(cpus), &cpus));
	nr = CPU_COUNT(&cpus) < MAX_WORKERS ? CPU_COUNT(&cpus) : MAX_WORKERS;
	for (long i = 0; i < nr; i++) {
		pids[i] = must(raw_fork());
		if (!pids[i])
			work(k, i, atol(argv[3]), &turns[i]);
	}
	for (long i = 0; i < nr; i++) {
		if (wait_for(pids[i]))
			die("a worker failed");
		sum += turns[i];
	}
	printf("{\"trigger\":\"flood\",\"workers\":%ld,\"events\":{", nr);
	printf(k->events, sum, 2 * sum);
	printf("},\"calls\":{");
	printf(k->calls, sum);
	printf("}}\n");
	return 0;
}
