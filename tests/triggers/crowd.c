// SPDX-License-Identifier: MIT
/* Too many of everything: what a container may do to fill its watcher's tables. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "adversary.h"
#include "trigger.h"

/* A file each, removed at once, so that any tmpfs holds them. */
static void files(long count)
{
	char name[32];

	for (long i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "f%ld", i);
		close(must(open(name, O_CREAT | O_EXCL | O_WRONLY, 0600)));
		must(unlink(name));
	}
	printf("{\"trigger\":\"files\",\"file.open\":%ld,\"file.unlink\":%ld}\n", count, count);
}

struct bomb {
	long made, refused;
};

static void burst(struct bomb *b)
{
	while (__sync_fetch_and_add(&b->refused, 0) < 100) {
		pid_t pid = raw_fork();

		if (pid > 0)
			__sync_fetch_and_add(&b->made, 1);
		else if (pid < 0)
			__sync_fetch_and_add(&b->refused, 1);
	}
}

/* Everybody forks until forks have been refused for a hundred times. */
static void bomb(void)
{
	struct bomb *b =
		mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t self = getpid();

	if (b == MAP_FAILED)
		die("mmap: %m");
	burst(b);
	if (getpid() != self)
		_exit(0);
	while (wait(NULL) > 0) /* orphans, too: this is their pid namespace's first process */
		;
	printf("{\"trigger\":\"bomb\",\"made\":%ld,\"refused\":%ld}\n", b->made, b->refused);
}

/* A process after another, each with a word of its own; with a small pid_max pids come again. */
static void pids(long count)
{
	int fd = must(open("/proc/sys/kernel/pid_max", O_WRONLY));
	char word[32];

	if (write(fd, "301", 3) != 3) /* the least: include/linux/pid.h RESERVED_PIDS */
		die("pid_max: %m");
	close(fd);
	for (long i = 0; i < count; i++) {
		pid_t pid = must(fork());

		if (!pid) {
			snprintf(word, sizeof(word), "w%ld", i);
			execl("/proc/self/exe", "trigger", "noop", word, NULL);
			_exit(97);
		}
		if (wait_for(pid))
			die("a child failed");
	}
	printf("{\"trigger\":\"pids\"}\n");
}

/* Processes whose two threads end at the same moment. */
static void ends(long count)
{
	for (long i = 0; i < count; i++) {
		pthread_t thread;
		pid_t pid = must(fork());

		if (!pid) {
			must(-pthread_create(&thread, NULL, thread_nothing, NULL));
			if (i % 2)
				pthread_join(thread, NULL);
			_exit((int)(i % 100));
		}
		if (WEXITSTATUS(wait_for(pid)) != i % 100)
			die("a child did not end as it should");
	}
	printf("{\"trigger\":\"ends\"}\n");
}

int crowd(int argc, char **argv)
{
	long count = argc > 3 ? atol(argv[3]) : 0;

	if (argc > 3 && !strcmp(argv[2], "files"))
		files(count);
	else if (argc > 3 && !strcmp(argv[2], "pids"))
		pids(count);
	else if (argc > 3 && !strcmp(argv[2], "ends"))
		ends(count);
	else if (argc > 2 && !strcmp(argv[2], "bomb"))
		bomb();
	else
		die("crowd files N, pids N, ends N, bomb");
	return 0;
}
