/* SPDX-License-Identifier: MIT */
/* Names of numbers: errno, signals, system calls, capabilities, flags. Pure. */
#ifndef EBPFMON_NAMES_USER_H
#define EBPFMON_NAMES_USER_H

#include <linux/types.h>
#include "schema.h"

/* Is @name one of the words of @list, which have a space between them? */
bool name_in_list(const char *list, const char *name);
/* Each returns a static string, or NULL when the number has no name. */
const char *name_errno(int err); /* 2 or -2 -> "ENOENT" */
const char *name_signal(unsigned int sig); /* 15 -> "SIGTERM" */
const char *name_capability(unsigned int cap); /* 21 -> "CAP_SYS_ADMIN" */
const char *name_syscall(__u32 sysnr); /* EV_SYSNR(abi, nr) -> "openat"; no ABI prefix */
const char *name_abi(__u32 abi); /* what reports put before it: "", "compat:", "x32:" */
int syscall_number(__u32 abi, const char *name); /* the way back, -1 when unknown */
/* Of a type declared with ENUM in types.def: the value's name. */
const char *name_enum(enum field_type type, __u64 value);

struct flag_name {
	__u64 mask, value; /* the flag is set when (v & mask) == value */
	const char *name;
};
/* Of a type declared with FLAGS: its table, ended by a NULL name. */
const struct flag_name *flag_names(enum field_type type);
/*
 * Takes the next flag out of *@rest: its name, with *@table moved behind it. NULL when none is left;
 * then *@rest holds the bits that have no name.
 */
const char *flag_take(const struct flag_name **table, __u64 *rest);

#endif
