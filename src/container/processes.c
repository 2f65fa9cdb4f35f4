// SPDX-License-Identifier: MIT
#include "container/processes.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX     32
#define ADDRESSES_MAX 64
#define LINES_MAX     65536 /* of a file that a container can make as long as it likes */

/* CLOCK_BOOTTIME in ns; 0 when it is gone. proc(5): the 22nd field, counted behind the last ')'. */
static __u64 start_of(pid_t pid)
{
	char path[64], text[1024];
	unsigned long long ticks;
	int field = 2, fd;
	ssize_t n;
	char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	for (p = strrchr(text, ')'); p && field < 22; field++)
		p = strchr(p + 1, ' ');
	ticks = p ? strtoull(p + 1, NULL, 10) : 0;
	return ticks * (1000000000ULL / (unsigned long long)sysconf(_SC_CLK_TCK));
}

bool container_process_is(pid_t pid, __u64 start)
{
	__u64 tick = 1000000000ULL / (__u64)sysconf(_SC_CLK_TCK), now = start_of(pid);

	return now && start / tick == now / tick;
}

static void add_process(struct container_processes *out, pid_t pid)
{
	__u64 start = start_of(pid);

	out->nr++;
	if (!start ||
	    (out->first && (start > out->since || (start == out->since && pid > out->first))))
		return;
	out->first = pid;
	out->since = start;
}

static void read_procs(int dir, struct container_processes *out)
{
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[32];

	if (!f) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		long pid = strtol(line, NULL, 10);

		if (pid > 0)
			add_process(out, (pid_t)pid);
		else /* of another pid namespace than ours */
			out->nr++;
	}
	fclose(f);
}

/* @dirfd is taken over. */
static void walk(int dirfd, int depth, struct container_processes *out)
{
	DIR *d = fdopendir(dirfd);
	struct dirent *e;

	if (!d) {
		close(dirfd);
		return;
	}
	read_procs(dirfd, out);
	while (depth < DEPTH_MAX && (e = readdir(d))) {
		int fd;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		fd = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0)
			walk(fd, depth + 1, out);
	}
	closedir(d);
}

void container_processes_read(const char *mount, const char *cgroup_path,
			      struct container_processes *out)
{
	char path[2 * PATH_MAX];
	int fd;

	*out = (struct container_processes){.nr = 0};
	snprintf(path, sizeof(path), "%s%s", mount, cgroup_path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		walk(fd, 0, out);
}

/* ---- what the kernel says of a process ---- */

static FILE *open_proc(pid_t pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return fopen(path, "re");
}

bool container_seen_read(pid_t pid, struct container_seen *out)
{
	FILE *f = pid > 0 ? open_proc(pid, "status") : NULL;
	struct container_seen s = {.known = false};
	unsigned int value;
	char line[512];

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Seccomp: %u", &value) == 1)
			s.seccomp = (__u8)value;
		else if (sscanf(line, "NoNewPrivs: %u", &value) == 1)
			s.no_new_privs = value;
		else if (sscanf(line, "Uid: %*u %u", &s.uid) == 1)
			s.known = true;
		else if (sscanf(line, "Gid: %*u %u", &s.gid) == 1 ||
			 sscanf(line, "CapEff: %llx", &s.cap_effective) == 1 ||
			 sscanf(line, "CapBnd: %llx", &s.cap_bounding) == 1)
			continue;
	}
	fclose(f);
	if (s.known)
		*out = s;
	return s.known;
}

static bool own_network(pid_t pid)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return stat(path, &theirs) || stat("/proc/self/ns/net", &ours) ||
	       theirs.st_ino != ours.st_ino;
}

struct addresses {
	char seen[ADDRESSES_MAX][INET6_ADDRSTRLEN];
	unsigned int nr;
	void (*fn)(const char *address, void *arg);
	void *arg;
};

static void give_address(struct addresses *a, const char *address)
{
	for (unsigned int i = 0; i < a->nr; i++)
		if (!strcmp(a->seen[i], address))
			return;
	if (a->nr == ADDRESSES_MAX)
		return;
	snprintf(a->seen[a->nr++], INET6_ADDRSTRLEN, "%s", address);
	a->fn(address, a->arg);
}

/* fib_trie: "|-- ADDRESS", and "/32 host LOCAL" below those that are the host's own. */
static void read_ipv4(FILE *f, struct addresses *a)
{
	char line[256], last[INET_ADDRSTRLEN] = "";
	unsigned int lines = 0;

	while (fgets(line, sizeof(line), f) && lines++ < LINES_MAX) {
		const char *leaf = strstr(line, "|-- ");

		if (leaf)
			sscanf(leaf + 4, "%15s", last);
		else if (strstr(line, "/32 host LOCAL") && strncmp(last, "127.", 4) != 0 && *last)
			give_address(a, last);
	}
}

/* if_inet6: 32 hex digits, index, prefix length, scope (0: global), flags, name. */
static void read_ipv6(FILE *f, struct addresses *a)
{
	char line[256], hex[33], text[INET6_ADDRSTRLEN];
	unsigned int scope, lines = 0;

	while (fgets(line, sizeof(line), f) && lines++ < LINES_MAX) {
		struct in6_addr addr;
		bool ok = sscanf(line, "%32s %*x %*x %x", hex, &scope) == 2 && strlen(hex) == 32;

		for (unsigned int i = 0; ok && i < 16; i++)
			ok = sscanf(hex + 2 * i, "%2hhx", &addr.s6_addr[i]) == 1;
		if (ok && !scope && inet_ntop(AF_INET6, &addr, text, sizeof(text)))
			give_address(a, text);
	}
}

void container_addresses_read(pid_t pid, void (*fn)(const char *address, void *arg), void *arg)
{
	static const struct {
		const char *file;
		void (*read)(FILE *f, struct addresses *a);
	} files[] = {{"net/fib_trie", read_ipv4}, {"net/if_inet6", read_ipv6}};
	struct addresses a = {.fn = fn, .arg = arg};

	if (pid <= 0 || !own_network(pid))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		FILE *f = open_proc(pid, files[i].file);

		if (!f)
			continue;
		files[i].read(f, &a);
		fclose(f);
	}
}
