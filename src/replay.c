// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "clock.h"
#include "replay.h"

#define OUTPUT_MAX (16u << 20) /* bytes that are compared; what is more is read and dropped */
#define GRACE_SECS 10
#define TICK_MS	   50

const char *const effect_names[EFFECT__MAX] = {"NONE", "LOG", "EXIT", "RESULT", "START"};

/* ---- capturing ---- */

static int append(struct captured *c, const char *data, size_t len)
{
	char *more;

	if (c->len + len > OUTPUT_MAX)
		return 0;
	more = realloc(c->text, c->len + len + 1);
	if (!more)
		return -ENOMEM;
	memcpy(more + c->len, data, len);
	c->text = more;
	c->len += len;
	more[c->len] = 0;
	return 0;
}

/* Something to read, or the end: then the descriptor is closed and becomes -1. */
static int drain(struct pollfd *p, struct captured *c)
{
	char buf[65536];
	ssize_t n = read(p->fd, buf, sizeof(buf));

	if (n > 0)
		return append(c, buf, (size_t)n);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	close(p->fd);
	p->fd = -1;
	return 0;
}

static void __attribute__((noreturn)) child(char *const *argv, int out, int err)
{
	int null = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	execvp(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Ends what takes too long: once politely, so that a client may end its container. */
static void hurry(pid_t pid, __u64 now, __u64 end, int *sent)
{
	if (now >= end && !*sent)
		*sent = SIGTERM;
	else if (now >= end + GRACE_SECS * 1000000000ull && *sent == SIGTERM)
		*sent = SIGKILL;
	else
		return;
	kill(-pid, *sent);
}

/* The command has ended and its output was read; what it left behind may hold the pipes open. */
static int follow(const struct replay *r, pid_t pid, struct pollfd *fds, struct outcome *o)
{
	__u64 end = clock_ns(CLOCK_MONOTONIC) + r->timeout * 1000000000ull;
	bool ended = false;
	int status = 0, sent = 0, err = 0;

	while (!ended || poll(fds, 2, 0) > 0) {
		if (poll(fds, 2, TICK_MS) > 0) {
			if (fds[0].revents)
				err = drain(&fds[0], &o->out);
			if (fds[1].revents && !err)
				err = drain(&fds[1], &o->err);
		} else if (!ended && fds[0].fd < 0 && fds[1].fd < 0) {
			nanosleep(&(struct timespec){.tv_nsec = TICK_MS * 100000L}, NULL);
		}
		if (!ended && waitpid(pid, &status, WNOHANG) == pid)
			ended = true;
		if (err)
			kill(-pid, SIGKILL);
		else if (!ended)
			hurry(pid, clock_ns(CLOCK_MONOTONIC), end, &sent);
	}
	o->status = sent ? -1 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return err;
}

/* ---- what does not count ---- */

static int replace(const regex_t *what, struct captured *c)
{
	struct captured to = {NULL, 0};
	regmatch_t m;
	size_t from = 0;
	int err = 0;

	while (!err && from < c->len) {
		m.rm_so = (regoff_t)from;
		m.rm_eo = (regoff_t)c->len;
		if (regexec(what, c->text, 1, &m, REG_STARTEND) || m.rm_eo == m.rm_so)
			break;
		err = append(&to, c->text + from, (size_t)m.rm_so - from);
		err = err ? err : append(&to, "*", 1);
		from = (size_t)m.rm_eo;
	}
	if (!err && from)
		err = append(&to, c->text + from, c->len - from);
	if (err || !from) {
		free(to.text);
		return err;
	}
	free(c->text);
	*c = to;
	return 0;
}

static int normalise(const struct replay *r, struct outcome *o)
{
	int err = 0;

	for (unsigned int i = 0; i < r->nr_ignore && !err; i++) {
		err = replace(&r->ignore[i], &o->out);
		err = err ? err : replace(&r->ignore[i], &o->err);
	}
	return err;
}

int replay_run(const struct replay *r, char *const *argv, struct outcome *o)
{
	struct outcome got = {0};
	int out[2], errs[2], err;
	struct pollfd fds[2];
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		return -errno;
	if (pipe2(errs, O_CLOEXEC)) {
		err = -errno;
		close(out[0]);
		close(out[1]);
		return err;
	}
	pid = fork();
	err = -errno;
	if (!pid)
		child(argv, out[1], errs[1]);
	close(out[1]);
	close(errs[1]);
	fds[0] = (struct pollfd){out[0], POLLIN, 0};
	fds[1] = (struct pollfd){errs[0], POLLIN, 0};
	if (pid > 0) {
		setpgid(pid, pid);
		err = follow(r, pid, fds, &got);
		err = err ? err : normalise(r, &got);
	}
	for (int i = 0; i < 2; i++)
		if (fds[i].fd >= 0)
			close(fds[i].fd);
	if (err)
		outcome_free(&got);
	else
		*o = got;
	return err;
}

void outcome_free(struct outcome *o)
{
	free(o->out.text);
	free(o->err.text);
	*o = (struct outcome){0};
}

static bool same(const struct captured *a, const struct captured *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->text, b->text, a->len));
}

enum effect replay_effect(const struct outcome *want, const struct outcome *got, bool log)
{
	if (got->status == -1 && want->status != -1)
		return EFFECT_RESULT;
	if (got->status != want->status && want->out.len && !got->out.len)
		return EFFECT_START;
	if (!same(&want->out, &got->out))
		return EFFECT_RESULT;
	if (got->status != want->status)
		return EFFECT_EXIT;
	return log && !same(&want->err, &got->err) ? EFFECT_LOG : EFFECT_NONE;
}
