// SPDX-License-Identifier: MIT
/*
 * LD_PRELOADed: a kernel that refuses the BPF programs whose names begin with $REFUSE_PROGRAMS. libbpf calls
 * bpf(2) by syscall(3), which is replaced here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

long syscall(long nr, ...)
{
	static long (*real)(long nr, ...);
	const char *prefix = getenv("REFUSE_PROGRAMS");
	long a[6];
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (!real)
		real = (long (*)(long nr, ...))dlsym(RTLD_NEXT, "syscall");
	if (nr == SYS_bpf && a[0] == BPF_PROG_LOAD && prefix &&
	    !strncmp(((union bpf_attr *)a[1])->prog_name, prefix, strlen(prefix))) {
		errno = EPERM;
		return -1;
	}
	return real(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
