// SPDX-License-Identifier: MIT
/*
 * The benchmark's small workloads, and the way into a container of the benchmark's own.
 *
 *	workload enter [-c CPU] CGROUP -- COMMAND...	become COMMAND in that cgroup, in a mount namespace of its own
 *	workload time COMMAND...			run COMMAND and measure it from outside
 *	workload populate				a sleeping process in each cgroup named on standard input
 *	workload paced RATE N				N calls of getppid, RATE a second
 *	workload NAME N				N operations of the loop NAME, in the current directory
 *
 * Each measurement is one JSON object on standard output: operations, system calls made by them
 * (0: not known), wall-clock and CPU nanoseconds (own and of ended children).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1u << 20)

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "workload: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static long long ns_of(struct timeval tv)
{
	return tv.tv_sec * 1000000000LL + tv.tv_usec * 1000LL;
}

static long long cpu_ns(void)
{
	struct rusage self, children;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	return ns_of(self.ru_utime) + ns_of(self.ru_stime) + ns_of(children.ru_utime) +
	       ns_of(children.ru_stime);
}

static long long wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void print(long ops, long calls, long long wall, long long cpu)
{
	printf("{\"ops\": %ld, \"calls\": %ld, \"wall_ns\": %lld, \"cpu_ns\": %lld}\n", ops, calls,
	       wall, cpu);
}

/* ---- loops: each makes @n operations ---- */

static void getppid_loop(long n)
{
	for (long i = 0; i < n; i++)
		syscall(SYS_getppid);
}

/* One byte of a file that is there. */
static void pread_loop(long n)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char c;

	for (long i = 0; i < n; i++)
		check(pread(fd, &c, 1, 0) == 1, "pread");
	close(fd);
}

static void write_file(const char *path)
{
	static const char kib[1024];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	check(fd >= 0 && write(fd, kib, sizeof(kib)) == sizeof(kib), path);
	close(fd);
}

static void files_loop(long n)
{
	for (long i = 0; i < n; i++) {
		write_file("churn");
		unlink("churn");
	}
}

/* N files, none twice, 1,000 in a directory; they stay. */
static void distinct_loop(long n)
{
	char path[64];

	for (long i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "d%ld", i / 1000);
		if (i % 1000 == 0)
			check(!mkdir(path, 0700) || errno == EEXIST, path);
		snprintf(path, sizeof(path), "d%ld/f%ld", i / 1000, i % 1000);
		write_file(path);
	}
}

static void exec_loop(long n)
{
	for (long i = 0; i < n; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			execl("/bin/true", "true", NULL);
			_exit(127);
		}
		check(pid > 0 && waitpid(pid, &status, 0) == pid && !status, "/bin/true");
	}
}

static void ping_pong(long n, int read_fd, int write_fd, int peer_read, int peer_write)
{
	pid_t pid = fork();
	char c = 0;

	check(pid >= 0, "fork");
	for (long i = 0; i < n; i++)
		if (pid)
			check(write(write_fd, &c, 1) == 1 && read(read_fd, &c, 1) == 1, "ping");
		else
			check(read(peer_read, &c, 1) == 1 && write(peer_write, &c, 1) == 1, "pong");
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static void pipe_loop(long n)
{
	int to[2], from[2];

	check(!pipe(to) && !pipe(from), "pipe");
	ping_pong(n, from[0], to[1], to[0], from[1]);
}

static void unix_loop(long n)
{
	int pair[2];

	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	ping_pong(n, pair[0], pair[0], pair[1], pair[1]);
}

/*
 * Connections from and to this very process: on loopback connect() returns when both ends are
 * there. The client resets, so that no port is left waiting.
 */
static void tcp(long n, int family, struct sockaddr *addr, socklen_t len)
{
	struct linger reset = {.l_onoff = 1};
	int server = socket(family, SOCK_STREAM, 0);

	check(server >= 0 && !bind(server, addr, len) && !listen(server, 16) &&
		      !getsockname(server, addr, &len),
	      "listen");
	for (long i = 0; i < n; i++) {
		int client = socket(family, SOCK_STREAM, 0), other;

		setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		check(client >= 0 && !connect(client, addr, len), "connect");
		other = accept(server, NULL, NULL);
		check(other >= 0, "accept");
		close(client);
		close(other);
	}
}

static void tcp4_loop(long n)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	tcp(n, AF_INET, (struct sockaddr *)&a, sizeof(a));
}

static void tcp6_loop(long n)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	tcp(n, AF_INET6, (struct sockaddr *)&a, sizeof(a));
}

static void readwrite_loop(long n)
{
	int fd = open("mib", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *buf = calloc(1, MIB);

	check(fd >= 0 && buf, "mib");
	for (long i = 0; i < n; i++)
		check(pwrite(fd, buf, MIB, 0) == MIB && pread(fd, buf, MIB, 0) == MIB, "mib");
	free(buf);
	close(fd);
	unlink("mib");
}

/* @n calls in all, by @nr processes at once, none of which begins before all are there. */
static void in_processes(long n, int nr)
{
	int gate[2];

	check(!pipe(gate), "pipe");
	for (int i = 0; i < nr; i++) {
		pid_t pid = fork();
		char c;

		check(pid >= 0, "fork");
		if (pid)
			continue;
		close(gate[1]);
		check(read(gate[0], &c, 1) == 0, "gate");
		getppid_loop(n / nr);
		_exit(0);
	}
	close(gate[1]);
	while (wait(NULL) > 0)
		;
}

static void both_loop(long n)
{
	in_processes(n, 2);
}

static void processes10_loop(long n)
{
	in_processes(n, 10);
}

static void processes100_loop(long n)
{
	in_processes(n, 100);
}

static void processes1000_loop(long n)
{
	in_processes(n, 1000);
}

static const struct loop {
	const char *name;
	void (*run)(long n);
	int calls; /* an operation's system calls */
} loops[] = {
	{"getppid", getppid_loop, 1},
	{"pread", pread_loop, 1},
	{"files", files_loop, 4},
	{"distinct", distinct_loop, 3},
	{"exec", exec_loop, 0},
	{"pipe", pipe_loop, 4},
	{"unix", unix_loop, 4},
	{"tcp4", tcp4_loop, 6},
	{"tcp6", tcp6_loop, 6},
	{"readwrite", readwrite_loop, 2},
	{"both", both_loop, 1},
	{"processes10", processes10_loop, 1},
	{"processes100", processes100_loop, 1},
	{"processes1000", processes1000_loop, 1},
};

static int run_loop(const char *name, long n)
{
	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		long long wall, cpu;

		if (strcmp(loops[i].name, name))
			continue;
		cpu = cpu_ns();
		wall = wall_ns();
		loops[i].run(n);
		print(n, n * loops[i].calls, wall_ns() - wall, cpu_ns() - cpu);
		return 0;
	}
	fprintf(stderr, "workload: no loop is called %s\n", name);
	return 2;
}

/* ---- commands ---- */

static void move(const char *cgroup)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	check(fd >= 0 && write(fd, "0", 1) == 1, path);
	close(fd);
}

/* In namespaces of its own, as an entry point is: otherwise ebpfmon takes it for a runtime's set-up. */
static int enter(int argc, char **argv)
{
	cpu_set_t cpus;

	if (argc > 2 && !strcmp(argv[0], "-c")) {
		CPU_ZERO(&cpus);
		CPU_SET(atoi(argv[1]), &cpus);
		check(!sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity");
		argc -= 2;
		argv += 2;
	}
	if (argc < 3 || strcmp(argv[1], "--"))
		return 2;
	move(argv[0]);
	check(!unshare(CLONE_NEWNS), "unshare");
	execvp(argv[2], argv + 2);
	check(0, argv[2]);
	return 127;
}

static int time_command(char **argv)
{
	long long cpu = cpu_ns(), wall = wall_ns();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	check(pid > 0 && waitpid(pid, &status, 0) == pid, argv[0]);
	print(1, 0, wall_ns() - wall, cpu_ns() - cpu);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* In bursts of a millisecond's calls; whoever cannot keep up goes on as fast as it can. */
static int paced(long rate, long n)
{
	long long begin = wall_ns(), cpu = cpu_ns();
	long burst = rate / 1000 + 1;

	for (long done = 0; done < n; done += burst) {
		while (wall_ns() - begin < done * 1000000000LL / rate)
			;
		getppid_loop(n - done < burst ? n - done : burst);
	}
	print(n, n, wall_ns() - begin, cpu_ns() - cpu);
	return 0;
}

/*
 * One process in every cgroup of the list on standard input (a directory a line), which makes a
 * few calls and then sleeps; "ready", and a second line ends them.
 */
static int populate(void)
{
	char dir[PATH_MAX];
	int gate[2];
	long nr = 0;

	check(!pipe(gate), "pipe");
	while (fgets(dir, sizeof(dir), stdin) && dir[0] != '\n') {
		pid_t pid;

		dir[strcspn(dir, "\n")] = 0;
		pid = fork();
		check(pid >= 0, "fork");
		if (!pid) {
			char c;

			close(gate[1]);
			move(dir);
			getppid_loop(10);
			close(open("/etc/passwd", O_RDONLY));
			if (read(gate[0], &c, 1) >= 0)
				_exit(0);
		}
		nr++;
	}
	printf("ready %ld\n", nr);
	fflush(stdout);
	while (fgets(dir, sizeof(dir), stdin))
		;
	close(gate[1]);
	while (wait(NULL) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "enter"))
		return enter(argc - 2, argv + 2);
	if (argc > 2 && !strcmp(argv[1], "time"))
		return time_command(argv + 2);
	if (argc == 2 && !strcmp(argv[1], "populate"))
		return populate();
	if (argc == 4 && !strcmp(argv[1], "paced"))
		return paced(atol(argv[2]), atol(argv[3]));
	if (argc == 3)
		return run_loop(argv[1], atol(argv[2]));
	fprintf(stderr, "usage: workload enter|time|populate|paced|LOOP N\n");
	return 2;
}
