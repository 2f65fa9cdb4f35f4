// SPDX-License-Identifier: MIT
/* The table of triggers, and how they tell what they did. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "adversary.h"
#include "swarm.h"
#include "trigger.h"

#define FACTS_SIZE (8 << 20)
#define FACT_SIZE  262144
#define MAX_MARKS  32

/* Shared by all processes of the trigger. */
static struct shared {
	volatile int lock;
	size_t len;
	int nr_complete, nr_open;
	char complete[MAX_MARKS][32], open[MAX_MARKS][32];
	char facts[FACTS_SIZE];
} * shared;

static __thread char *cur; /* FACT_SIZE bytes, the fact being built */
static __thread size_t cur_len;
static __thread pid_t cur_owner;
static char base_path[4096], exe_path[4096];
static bool waits;

void die(const char *fmt, ...)
{
	va_list ap;
	int err = errno;

	va_start(ap, fmt);
	fprintf(stderr, "trigger: ");
	errno = err;
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	_exit(99);
}

static void shared_lock(void)
{
	while (__sync_lock_test_and_set(&shared->lock, 1))
		;
}

static void shared_unlock(void)
{
	__sync_lock_release(&shared->lock);
}

static void __attribute__((format(printf, 1, 2))) add(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cur_len += vsnprintf(cur + cur_len, FACT_SIZE - cur_len, fmt, ap);
	va_end(ap);
	if (cur_len >= FACT_SIZE)
		die("fact too long");
}

/* Bytes that are not ASCII are given as \u00XX; the harness turns the string to latin-1 for bytes. */
static void add_json(const char *s, size_t len)
{
	add("\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = s[i];

		if (c == '"' || c == '\\')
			add("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			add("\\u%04x", c);
		else
			add("%c", c);
	}
	add("\"");
}

static void mark(char marks[][32], int *nr, const char *event)
{
	shared_lock();
	for (int i = 0; i < *nr; i++)
		if (!strcmp(marks[i], event))
			goto out;
	if (*nr < MAX_MARKS)
		snprintf(marks[(*nr)++], 32, "%s", event);
out:
	shared_unlock();
}

void complete(const char *event)
{
	mark(shared->complete, &shared->nr_complete, event);
}

void open_ended(const char *event)
{
	mark(shared->open, &shared->nr_open, event);
}

void fact(const char *event)
{
	if (!cur)
		cur = mmap(NULL, FACT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);
	if (cur == MAP_FAILED)
		die("mmap: %m");
	complete(event);
	cur_len = 0;
	cur_owner = getpid();
	add("{\"event\":\"%s\"", event);
}

void fact_owner(pid_t pid)
{
	cur_owner = pid;
}

void fact_bytes(const char *key, const char *value, size_t len)
{
	add(",\"%s\":", key);
	add_json(value, len);
}

void fact_str(const char *key, const char *value)
{
	fact_bytes(key, value, strlen(value));
}

void fact_int(const char *key, long long value)
{
	add(",\"%s\":%lld", key, value);
}

void fact_octal(const char *key, unsigned int value)
{
	add(",\"%s\":{\"octal\":%u}", key, value);
}

void fact_bool(const char *key, bool value)
{
	add(",\"%s\":%s", key, value ? "true" : "false");
}

void fact_list(const char *key, const char *words)
{
	const char *sep = "";

	add(",\"%s\":{\"set\":[", key);
	while (*words) {
		size_t len = strcspn(words, " ");

		if (len) {
			add("%s", sep);
			add_json(words, len);
			sep = ",";
		}
		words += len + (words[len] == ' ');
	}
	add("]}");
}

void fact_strv(const char *key, char *const *argv)
{
	add(",\"%s\":[", key);
	for (int i = 0; argv[i]; i++) {
		add("%s", i ? "," : "");
		add_json(argv[i], strlen(argv[i]));
	}
	add("]");
}

void fact_vpid(const char *key, pid_t pid)
{
	add(",\"%s\":{\"vpid\":%d}", key, pid);
}

void fact_err(int err)
{
	if (err)
		fact_str("error", strerrorname_np(err) ?: "?");
	else
		add(",\"error\":null");
}

void fact_end(void)
{
	if (cur_owner)
		add(",\"process.vpid\":%d}", cur_owner);
	else
		add(",\"process.vpid\":null}");
	shared_lock();
	if (shared->len + cur_len + 2 > FACTS_SIZE)
		die("too many facts");
	if (shared->len)
		shared->facts[shared->len++] = ',';
	memcpy(shared->facts + shared->len, cur, cur_len);
	shared->len += cur_len;
	shared_unlock();
}

const char *base(void)
{
	return base_path;
}

char *below_base(const char *name)
{
	static char bufs[16][8192];
	static int turn;
	char *buf = bufs[turn++ % 16];

	if (snprintf(buf, sizeof(bufs[0]), "%s/%s", strcmp(base_path, "/") ? base_path : "",
		     name) >= (int)sizeof(bufs[0]))
		die("%s: too long", name);
	return buf;
}

const char *self_path(void)
{
	return exe_path;
}

pid_t spawn(void (*fn)(void *arg), void *arg)
{
	pid_t pid = must(fork());

	if (pid)
		return pid;
	cur = NULL;
	fn(arg);
	_exit(0);
}

int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			die("waitpid: %m");
	return status;
}

void *thread_nothing(void *arg)
{
	return arg;
}

void wait_state(pid_t pid, char state)
{
	char path[32], text[128], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		fd = must(open(path, O_RDONLY));
		n = must(read(fd, text, sizeof(text) - 1));
		close(fd);
		text[n] = 0;
		at = strrchr(text, ')'); /* the end of the name */
		if (at && at[1] && at[2] == state)
			return;
		usleep(1000);
	}
}

bool kernel_at_least(int major, int minor)
{
	struct utsname u;
	int a = 0, b = 0;

	uname(&u);
	sscanf(u.release, "%d.%d", &a, &b);
	return a > major || (a == major && b >= minor);
}

void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo"};
	int fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	must(ioctl(fd, SIOCGIFFLAGS, &ifr));
	if (!(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP | IFF_RUNNING;
		must(ioctl(fd, SIOCSIFFLAGS, &ifr));
		usleep(200000); /* ::1 is there a moment later */
	}
	close(fd);
}

/* Byte by byte, so that what follows on standard input stays there. */
void wait_for_go(void)
{
	char c = 0;

	if (!waits)
		return;
	while (read(0, &c, 1) == 1 && c != '\n')
		;
}

static void write_all(const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(1, buf, len);

		if (n < 0)
			die("stdout: %m");
		buf += n;
		len -= n;
	}
}

static void say_ready(void)
{
	static const char ready[] = "{\"ready\":true}\n";

	write_all(ready, sizeof(ready) - 1);
}

static void report(const char *name)
{
	static char head[8192];
	const char *sep = "";
	size_t len;

	len = snprintf(head, sizeof(head),
		       "{\"trigger\":\"%s\",\"pid\":%d,\"exe\":\"%s\",\"base\":\"%s\","
		       "\"complete\":[",
		       name, getpid(), exe_path, base_path);
	for (int i = 0; i < shared->nr_complete; i++) {
		bool skip = false;

		for (int j = 0; j < shared->nr_open; j++)
			skip |= !strcmp(shared->complete[i], shared->open[j]);
		if (skip)
			continue;
		len += snprintf(head + len, sizeof(head) - len, "%s\"%s\"", sep,
				shared->complete[i]);
		sep = ",";
	}
	len += snprintf(head + len, sizeof(head) - len, "],\"facts\":[");
	write_all(head, len);
	write_all(shared->facts, shared->len);
	write_all("]}\n", 3);
}

static const struct trigger *const tables[] = {
	process_triggers, syscall_triggers, file_triggers,   ipc_triggers,
	tcp_triggers,	  compat_triggers,  attack_triggers, uring_triggers,
};

static const struct trigger *find(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct trigger *t = tables[i]; t->name; t++)
			if (!strcmp(t->name, name))
				return t;
	return NULL;
}

static void list(void)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct trigger *t = tables[i]; t->name; t++)
			printf("%-28s %s\n", t->name, t->doc);
}

/* What the triggers execute themselves: "noop …" ends with 0, "exit N" with N. */
static void helpers(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "noop"))
		_exit(0);
	if (argc > 2 && !strcmp(argv[1], "exit"))
		_exit(atoi(argv[2]));
	if (argc > 2 && !strcmp(argv[1], "getsid")) {
		for (int n = atoi(argv[2]); n > 0; n--)
			must(getsid(0));
		_exit(0);
	}
}

/*
 * "start COMMAND…": says it is ready, and runs the command in a child when told. So a tracer that
 * attaches in between sees all that the child does, from its first instruction.
 */
static int start(char **command)
{
	pid_t pid;
	int status;

	waits = true;
	loopback_up();
	say_ready();
	wait_for_go();
	pid = must(fork());
	if (!pid) {
		execv(command[0], command);
		die("%s: %m", command[0]);
	}
	status = wait_for(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Those that tell what they did in a form of their own. */
static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} programs[] = {{"swarm", swarm},
		{"secret", secret},
		{"flood", flood},
		{"crowd", crowd},
		{"escape", escape}};

int main(int argc, char **argv)
{
	const struct trigger *t;
	ssize_t n;

	helpers(argc, argv);
	for (size_t i = 0; argc > 1 && i < sizeof(programs) / sizeof(programs[0]); i++)
		if (!strcmp(argv[1], programs[i].name))
			return programs[i].run(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "reuse"))
		return reuse();
	if (argc > 2 && !strcmp(argv[1], "start"))
		return start(argv + 2);
	if (argc > 1 && !strcmp(argv[1], "-w")) {
		waits = true;
		argc--;
		argv++;
	}
	if (argc < 2) {
		fprintf(stderr, "usage: trigger [-w] NAME [ARG...]\n");
		list();
		return 2;
	}
	t = find(argv[1]);
	if (!t) {
		fprintf(stderr, "trigger: no trigger \"%s\"\n", argv[1]);
		return 2;
	}
	umask(0); /* modes are as asked for */
	if (!getcwd(base_path, sizeof(base_path)))
		die("getcwd: %m");
	n = must(readlink("/proc/self/exe", exe_path, sizeof(exe_path) - 1));
	exe_path[n] = 0;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die("mmap: %m");
	if (t->prepare)
		t->prepare();
	if (waits)
		say_ready();
	wait_for_go();
	t->run(argc - 1, argv + 1);
	report(t->name);
	/*
	 * Symbolic links in arguments are looked up after the fact, below the root of a live process
	 * (docs/manual, Paths): these triggers live as long as a container's first process does.
	 */
	if (!strncmp(t->name, "file.", 5) || !strncmp(t->name, "attack.", 7))
		usleep(300000);
	wait_for_go(); /* the harness looks at what is still there */
	return 0;
}
