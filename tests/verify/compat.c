// SPDX-License-Identifier: MIT
/* Built for i386: files, a pipe to a child, a socket pair (by socketcall), a signal. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t signals;

static void count(int sig)
{
	(void)sig;
	signals++;
}

int main(void)
{
	char text[32] = "";
	int s[2], status = 0, fd = open("/etc/hostname", O_RDONLY);
	ssize_t n;

	signal(SIGUSR1, count);
	raise(SIGUSR1);
	if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		return 1;
	if (!fork()) {
		n = write(s[1], "from the child", 14);
		_exit(n == 14 ? 3 : 4);
	}
	n = read(s[0], text, sizeof(text) - 1);
	wait(&status);
	printf("%zu bytes, %zd: %s, child %d, signals %d, file size %ld\n", sizeof(long), n, text,
	       WEXITSTATUS(status), (int)signals, lseek(fd, 0, SEEK_END) > 0 ? 1L : 0L);
	return 6;
}
