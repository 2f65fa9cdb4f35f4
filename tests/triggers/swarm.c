// SPDX-License-Identifier: MIT
/*
 * Many containers in little time, without a runtime: each a cgroup named as Docker's are, with
 * namespaces of its own and a process in it that keeps a secret.
 *
 *	trigger swarm DIR COUNT WAVE secret|exit
 *
 * makes COUNT of them below DIR, WAVE at a time, and says of each a line of JSON: its id, the
 * process's pid on the host, the secret word, the secret size, how it ended. "secret WORD SIZE" is
 * what they run: WORD is in the argument vector and a file's name, SIZE bytes go through a socket.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "swarm.h"
#include "trigger.h"

#define SIZE_BASE  20000 /* no packet or buffer of the machine's own has such sizes by chance */
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC)

struct one {
	char id[65], dir[4096], word[32];
	unsigned int size;
	pid_t pid;
	int go; /* write end: it begins when this is closed */
};

/* splitmix64: numbers that differ in every digit, the same in every run. */
static unsigned long long mix(unsigned long long x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static void name(struct one *o, const char *dir, unsigned int i)
{
	unsigned long long seed = (unsigned long long)getpid() << 32 | i;

	for (int k = 0; k < 4; k++)
		sprintf(o->id + 16 * k, "%016llx", mix(seed * 4 + k));
	sprintf(o->word, "w%016llx", mix(~seed));
	snprintf(o->dir, sizeof(o->dir), "%s/docker-%s.scope", dir, o->id);
	o->size = SIZE_BASE + i;
}

static void put_into(const char *dir, pid_t pid)
{
	char path[4200], text[32];
	int fd, len = sprintf(text, "%d\n", pid);

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	fd = must(open(path, O_WRONLY | O_CLOEXEC));
	must(write(fd, text, len));
	close(fd);
}

/* As runtimes do it: the process waits in its namespaces until it is in its cgroup. */
static void begin(struct one *o, const char *what)
{
	char size[16], byte;
	int ends[2];

	must(mkdir(o->dir, 0755));
	must(pipe2(ends, O_CLOEXEC));
	o->pid = must(syscall(SYS_clone, NAMESPACES | SIGCHLD, NULL, NULL, NULL, 0));
	if (!o->pid) {
		close(ends[1]);
		if (read(ends[0], &byte, 1) < 0)
			_exit(98);
		sprintf(size, "%u", o->size);
		if (!strcmp(what, "exit"))
			execl("/proc/self/exe", "trigger", "exit", "0", NULL);
		else
			execl("/proc/self/exe", "trigger", "secret", o->word, size, NULL);
		_exit(97);
	}
	close(ends[0]);
	o->go = ends[1];
	put_into(o->dir, o->pid);
}

static void end(const struct one *o)
{
	int status = wait_for(o->pid), tries = 0;

	/* exiting tasks leave their cgroup a moment after wait(2) has told of them */
	while (rmdir(o->dir) && errno == EBUSY && ++tries < 1000)
		usleep(1000);
	printf("{\"id\":\"%s\",\"pid\":%d,\"word\":\"%s\",\"size\":%u,\"status\":%d}\n", o->id,
	       o->pid, o->word, o->size, status);
}

int swarm(int argc, char **argv)
{
	unsigned int count, wave, nr;
	struct one *all;

	if (argc != 6)
		die("swarm DIR COUNT WAVE secret|exit");
	count = atoi(argv[3]);
	wave = atoi(argv[4]);
	all = calloc(wave, sizeof(*all));
	for (unsigned int i = 0; i < count; i += nr) {
		nr = count - i < wave ? count - i : wave;
		for (unsigned int k = 0; k < nr; k++) {
			name(&all[k], argv[2], i + k);
			begin(&all[k], argv[5]);
		}
		for (unsigned int k = 0; k < nr; k++)
			close(all[k].go); /* all at once */
		for (unsigned int k = 0; k < nr; k++)
			end(&all[k]);
	}
	free(all);
	return 0;
}

static void send_all(const struct sockaddr_in *to, size_t size)
{
	int fd = must(socket(AF_INET, SOCK_STREAM, 0));
	char *data = calloc(1, size);

	must(connect(fd, (const struct sockaddr *)to, sizeof(*to)));
	if (send(fd, data, size, 0) != (ssize_t)size)
		die("send: %m");
	free(data);
	close(fd);
}

struct clone3_args {
	unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
		set_tid, set_tid_size, cgroup;
};

static void reuse_child(const char *word)
{
	execl("/proc/self/exe", "trigger", "noop", word, NULL);
	_exit(97);
}

/* Two processes, one after the other, with the same pid; tells it. */
int reuse(void)
{
	struct clone3_args args = {.exit_signal = SIGCHLD, .set_tid_size = 1};
	pid_t pid = must(fork()), again;

	if (!pid)
		reuse_child("first");
	if (wait_for(pid))
		die("the first child failed");
	args.set_tid = (unsigned long long)(uintptr_t)&pid;
	again = must(syscall(SYS_clone3, &args, sizeof(args)));
	if (!again)
		reuse_child("second");
	if (again != pid || wait_for(again))
		die("the second child failed");
	printf("{\"pid\":%d}\n", pid);
	return 0;
}

int secret(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	size_t size, got = 0;
	char path[64], buf[8192];
	int fd, conn;
	pid_t child;
	ssize_t n;

	if (argc != 4)
		die("secret WORD SIZE");
	size = atoi(argv[3]);
	snprintf(path, sizeof(path), "/tmp/%s", argv[2]);
	close(must(open(path, O_CREAT | O_EXCL | O_WRONLY, 0600)));
	must(unlink(path));
	fd = must(socket(AF_INET, SOCK_STREAM, 0));
	must(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	must(listen(fd, 1));
	must(getsockname(fd, (struct sockaddr *)&a, &len));
	child = must(fork());
	if (!child) {
		close(fd);
		send_all(&a, size);
		_exit(0);
	}
	conn = must(accept(fd, NULL, NULL));
	while ((n = must(read(conn, buf, sizeof(buf)))) > 0)
		got += n;
	close(conn);
	return got == size && wait_for(child) == 0 ? 0 : 1;
}
