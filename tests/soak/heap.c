// SPDX-License-Identifier: MIT
/*
 * For LD_PRELOAD: once a second, $SOAK_HEAP gets the bytes that ebpfmon has allocated. What it keeps
 * shows there at once, which the resident set, with the allocator's free pages in it, hides for long.
 * The recording's loop passes by poll(2).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void tell(void)
{
	static int fd = -1;
	static time_t last;
	const char *path = getenv("SOAK_HEAP");
	struct mallinfo2 m;
	char line[32];
	int len;

	if (!path || time(NULL) == last)
		return;
	last = time(NULL);
	if (fd < 0)
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	m = mallinfo2();
	len = snprintf(line, sizeof(line), "%20zu\n", m.uordblks + m.hblkhd);
	if (fd < 0 || pwrite(fd, line, len, 0) != len)
		abort();
}

int poll(struct pollfd *fds, nfds_t nr, int ms)
{
	int (*real)(struct pollfd * fds, nfds_t nr, int ms) = dlsym(RTLD_NEXT, "poll");

	tell();
	return real(fds, nr, ms);
}
