/* SPDX-License-Identifier: MIT */
#ifndef EBPFMON_CLOCK_H
#define EBPFMON_CLOCK_H

#include <linux/types.h>
#include <time.h>

/* The clock's time in ns. */
static inline __u64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* What to add to CLOCK_BOOTTIME to get CLOCK_REALTIME, ns. */
static inline __s64 clock_boot_to_wall(void)
{
	return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
}

#endif
