// SPDX-License-Identifier: MIT
/*
 * For LD_PRELOAD: the kernel refuses the BPF programs whose names are in EBPFMON_TEST_REFUSE, by commas, as
 * the verifier would. libbpf enters the kernel by syscall(2) of the C library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* Is a name, of which the kernel gets the first 15 bytes, in the list? */
static int refused(const char *name)
{
	const char *list = getenv("EBPFMON_TEST_REFUSE");

	while (list && *list) {
		size_t len = strcspn(list, ","), cut = BPF_OBJ_NAME_LEN - 1;

		if (strlen(name) == (len < cut ? len : cut) && !strncmp(list, name, strlen(name)))
			return 1;
		list += len + (list[len] == ',');
	}
	return 0;
}

long syscall(long nr, ...)
{
	long (*next)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long a[6];
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (nr == SYS_bpf && a[0] == BPF_PROG_LOAD &&
	    refused(((const union bpf_attr *)a[1])->prog_name)) {
		errno = EINVAL;
		return -1;
	}
	return next(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
