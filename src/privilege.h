/* SPDX-License-Identifier: MIT */
/* What ebpfmon itself may do while it records: no more than recording takes. */
#ifndef EBPFMON_PRIVILEGE_H
#define EBPFMON_PRIVILEGE_H

#include <stdbool.h>

/* The name of a capability without which no program can be loaded and that is not there, or NULL. */
const char *privilege_missing(void);

/*
 * To be called once, when all programs are attached and the command of `run` has been forked (it
 * keeps what ebpfmon was started with). Raises the process's priority, so that who makes the records
 * cannot keep them from being read; lets go of the capabilities that are not needed any more, for
 * good; with @sandbox puts a seccomp filter on top. Fails only for the filter: 0 or -errno, after
 * saying what is wrong.
 */
int privilege_settle(bool sandbox);

#endif
