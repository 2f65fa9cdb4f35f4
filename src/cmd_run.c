// SPDX-License-Identifier: MIT
/*
 * ebpfmon run: a command in a cgroup of its own, watched as if it were a container, from its
 * first instruction.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "clock.h"
#include "commands.h"
#include "log.h"
#include "privilege.h"
#include "recorder.h"

#define CGROUP_TRIES 100

struct command {
	char cgroup[4200]; /* directory */
	pid_t pid;
	int go; /* write end: a byte lets the child go on */
	int status; /* of wait(2) */
	bool ended;
};

/*
 * Makes the directory @mount/@name, or @mount/@name.N: another ebpfmon of our pid may have been killed, and left its
 * cgroup, or a command that is still there. Writes what comes behind @mount to @path. 0 or -errno.
 */
static int make_directory(char *path, size_t size, const char *mount, struct command *c)
{
	int n = snprintf(path, size, "/ebpfmon-run-%d", getpid());

	for (int tries = 0; tries < CGROUP_TRIES; tries++) {
		if (tries)
			snprintf(path + n, size - n, ".%d", tries);
		snprintf(c->cgroup, sizeof(c->cgroup), "%s%s", mount, path);
		if (!mkdir(c->cgroup, 0755))
			return 0;
		if (errno != EEXIST)
			return -errno;
		if (!rmdir(c->cgroup) && !mkdir(c->cgroup, 0755)) /* it was empty */
			return 0;
	}
	return -EEXIST;
}

static int make_cgroup(struct command *c, struct recorder *r, const char *name)
{
	char *mount = cgroup_mount(), path[64];
	struct stat st;
	int err;

	if (!mount) {
		log_error(
			"run needs a cgroup hierarchy: mount -t cgroup2 none /sys/fs/cgroup/unified");
		return -ENOENT;
	}
	err = make_directory(path, sizeof(path), mount, c);
	free(mount);
	if (!err && stat(c->cgroup, &st))
		err = -errno;
	if (err) {
		log_error("cannot make the cgroup %s: %s", c->cgroup, strerror(-err));
		c->cgroup[0] = 0;
		return err;
	}
	return container_table_add(r->containers, st.st_ino, path, name, clock_ns(CLOCK_BOOTTIME))
		       ? 0
		       : -ENOMEM;
}

/* The child waits until it is in its cgroup, then becomes the command. */
static void child(int go, char *const *argv)
{
	char byte;

	signal(SIGPIPE, SIG_DFL);
	if (read(go, &byte, 1) != 1)
		_exit(127);
	close(go);
	execvp(argv[0], argv);
	fprintf(stderr, "ebpfmon: error: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int start(struct command *c, char *const *argv)
{
	int pipefd[2], fd, err = 0;
	char path[4300];

	if (pipe2(pipefd, O_CLOEXEC))
		return -errno;
	c->pid = fork();
	if (c->pid == 0) {
		close(pipefd[1]);
		child(pipefd[0], argv);
	}
	close(pipefd[0]);
	snprintf(path, sizeof(path), "%s/cgroup.procs", c->cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (c->pid < 0 || fd < 0 || dprintf(fd, "%d\n", c->pid) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (!err && write(pipefd[1], "", 1) != 1)
		err = -errno;
	close(pipefd[1]); /* without the byte, the child gives up */
	if (err)
		log_error("cannot start %s in a cgroup of its own: %s", argv[0], strerror(-err));
	return err;
}

static bool populated(const struct command *c)
{
	char path[4300], line[64];
	bool yes = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.events", c->cgroup);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		yes |= !strcmp(line, "populated 1\n");
	if (f)
		fclose(f);
	return yes;
}

/* Like strace -f: what the command leaves behind belongs to it, so its end is theirs. */
static bool ended(struct command *c)
{
	if (!c->ended && waitpid(c->pid, &c->status, WNOHANG) == c->pid)
		c->ended = true;
	return c->ended && !populated(c);
}

static int record(struct recorder *r, struct command *c)
{
	const char *why = NULL;

	while (recorder_turn(r))
		if (ended(c)) {
			why = "command exited";
			break;
		}
	return recorder_finish(r, why);
}

static int exit_status(const struct command *c, int recorded)
{
	if (recorded != EXIT_OK && recorded != EXIT_INTERRUPTED)
		return recorded == EXIT_PARTIAL ? EXIT_PARTIAL : EXIT_RUN;
	if (!c->ended)
		return recorded;
	return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);
}

int cmd_run(int argc, char **argv)
{
	struct command c = {};
	struct options o;
	struct recorder r;
	int err = options_parse(&o, OPT_RUN, argc, argv), status = EXIT_RUN;

	if (err)
		return err > 0 ? EXIT_OK : EXIT_USAGE;
	/* nothing but the command: a pattern that no container is called */
	o.containers = (struct string_list){.v = {"\n"}, .nr = 1};
	o.wait = true;
	err = recorder_open(&r, &o);
	if (!err)
		err = recorder_start(&r);
	if (!err)
		err = make_cgroup(&c, &r, o.name ? o.name : o.command[0]);
	if (!err)
		err = start(&c, o.command);
	if (!err)
		err = privilege_settle(o.sandbox);
	if (!err)
		status = exit_status(&c, record(&r, &c));
	recorder_close(&r);
	if (c.cgroup[0] && rmdir(c.cgroup) && c.ended)
		log_warn("cannot remove %s: %s", c.cgroup, strerror(errno));
	return status;
}
