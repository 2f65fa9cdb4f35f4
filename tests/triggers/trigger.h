/* SPDX-License-Identifier: MIT */
/*
 * One static program that causes exactly the events it is asked for and then says what it did, as
 * it saw it itself: "trigger file.open" prints one JSON object. Each thing it did is a fact, with
 * the names that ebpfmon shows (include/events):
 *
 *	{"trigger":"file.open", "pid":1, "complete":["file.open"],
 *	 "facts":[{"event":"file.open", "process.vpid":1, "file.path":"/work/a", …}, …]}
 *
 * "complete" lists the events of which the facts are all there are: one more is an error too.
 * Facts of children and threads go to the same list, which is shared memory.
 */
#ifndef TRIGGER_H
#define TRIGGER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct trigger {
	const char *name;
	void (*run)(int argc, char **argv);
	void (*prepare)(
		void); /* before the wait of "trigger -w": what is there when recording starts */
	const char *doc;
};

extern const struct trigger process_triggers[], syscall_triggers[], file_triggers[], ipc_triggers[],
	tcp_triggers[], compat_triggers[], attack_triggers[], uring_triggers[];

/* A fact is begun, gets its values, and is added by fact_end(). One at a time in a thread. */
void fact(const char *event);
void fact_str(const char *key, const char *value);
void fact_bytes(const char *key, const char *value, size_t len); /* may be no text: hexadecimal */
void fact_int(const char *key, long long value);
void fact_octal(const char *key, unsigned int value);
void fact_bool(const char *key, bool value);
void fact_list(const char *key, const char *words); /* separated by blanks; order is not compared */
void fact_strv(const char *key, char *const *argv); /* order is compared */
void fact_vpid(const char *key,
	       pid_t pid); /* a pid as seen here; the harness makes it the host's */
void fact_err(int err); /* 0: none */
void fact_owner(pid_t pid); /* which process it is about, 0: none; else the caller */
void fact_end(void);
/* The facts are all there are of this event. Events with facts are complete unless made open. */
void complete(const char *event);
void open_ended(const char *event);

/* Fails loudly: a trigger that could not do its work must not pass for one that did. */
void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...);
#define must(expr)                                                                                 \
	({                                                                                         \
		long _r = (long)(expr);                                                            \
		if (_r < 0)                                                                        \
			die("%s:%d: %s: %m", __FILE__, __LINE__, #expr);                           \
		_r;                                                                                \
	})

/* Absolute form of a name below the work directory (the current directory at start). */
const char *base(void);
char *below_base(const char *name); /* one of a few static buffers */
const char *self_path(void); /* this program's file */
pid_t spawn(void (*fn)(void *arg), void *arg); /* fork, run, _exit(0) */
int wait_for(pid_t pid); /* status as of waitpid */
void *thread_nothing(void *arg); /* of a thread that ends at once */
void wait_state(pid_t pid,
		char state); /* until proc(5) says that of it: 'S' is asleep in a call, 'Z' ended */
bool kernel_at_least(int major, int minor);
void loopback_up(void); /* in a new network namespace it is down */
void wait_for_go(void); /* "-w": a line from standard input */

/* fork(2) and pause(2) themselves; arm64 has neither, and does with others what libc has by these names. */
#ifdef SYS_fork
static inline pid_t raw_fork(void)
{
	return syscall(SYS_fork);
}
#else
static inline pid_t raw_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}
#endif

#ifdef SYS_pause
#define RAW_PAUSE "pause"
static inline int raw_pause(void)
{
	return syscall(SYS_pause);
}
#else
#define RAW_PAUSE "ppoll"
static inline int raw_pause(void)
{
	return syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}
#endif

#endif
