// SPDX-License-Identifier: MIT
/*
 * "escape PID": the known ways out of a container, each up to the point where it would do harm, against
 * process PID, which the test started outside. Says how each attempt ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "adversary.h"
#include "trigger.h"

static const char *separator = "{\"trigger\":\"escape\",";

static void say(const char *what, long ret)
{
	printf("%s\"%s\":\"%s\"", separator, what, ret < 0 ? strerrorname_np(errno) : "done");
	separator = ",";
}

/* A disk of the host's: a device node for one that is not there. */
static void disk(void)
{
	must(mkdir("disk", 0755));
	must(mknod("sdz", S_IFBLK | 0600, makedev(259, 0xffff0)));
	say("disk", mount("sdz", "disk", "ext4", MS_RDONLY, NULL));
}

/* Files that the kernel executes what is written into; nothing is written. */
static void helpers(void)
{
	int fd = open("/proc/sys/kernel/core_pattern", O_WRONLY);

	say("core_pattern", fd);
	close(fd);
	must(mkdir("cg", 0755));
	say("cgroup", mount("none", "cg", "cgroup", 0, "pids"));
	fd = open("cg/release_agent", O_WRONLY);
	say("release_agent", fd);
	close(fd);
}

static void docker_socket(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/vol/docker.sock"};
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));

	say("docker.sock", connect(fd, (struct sockaddr *)&un, sizeof(un)));
	close(fd);
}

static void other_process(pid_t pid)
{
	char path[64];
	int fd, status;

	say("ptrace", ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	waitpid(pid, &status, __WALL);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	snprintf(path, sizeof(path), "/proc/%d/root/etc/hostname", pid);
	fd = open(path, O_RDONLY);
	say("root", fd);
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	fd = open(path, O_RDONLY);
	say("nsenter", fd < 0 ? fd : setns(fd, CLONE_NEWUTS));
	close(fd);
}

/* CVE-2019-5736: the runtime's own file, by way of a descriptor of the program that runs. */
static void overwrite(void)
{
	char path[64];
	int fd = must(open("/proc/self/exe", O_PATH)), rw;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rw = open(path, O_WRONLY);
	say("overwrite", rw);
	close(rw);
	close(fd);
}

/* A handle of the root directory's, without a path to it. */
static void handle(void)
{
	struct {
		struct file_handle h;
		unsigned char room[8];
	} u = {.h = {.handle_bytes = 8, .handle_type = 1}, .room = {2}};
	int dir = must(open("/", O_RDONLY | O_DIRECTORY));

	say("handle", open_by_handle_at(dir, &u.h, O_RDONLY));
	close(dir);
}

int escape(int argc, char **argv)
{
	if (argc != 3)
		die("escape PID");
	disk();
	helpers();
	docker_socket();
	say("module", syscall(SYS_init_module, "no module", 9, ""));
	other_process(atoi(argv[2]));
	overwrite();
	handle();
	printf("}\n");
	return 0;
}
