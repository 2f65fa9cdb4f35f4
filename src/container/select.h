/* SPDX-License-Identifier: MIT */
/*
 * Which containers --container and --unit mean. A pattern is
 *
 *	[KIND:]TEXT	KIND: id, name, image, label, pod, runtime; without one, id or name
 *
 * TEXT may be a glob. Pure.
 */
#ifndef EBPFMON_CONTAINER_SELECT_H
#define EBPFMON_CONTAINER_SELECT_H

#include <stdbool.h>
#include <stddef.h>

struct container;

/* How well a pattern fits; the better ones win over FIT_PREFIX when it is asked which one is meant. */
enum select_fit {
	FIT_NONE,
	FIT_PREFIX, /* the beginning of an id of 64 digits */
	FIT_GLOB, /* and what is not about one container: image, label, pod */
	FIT_EXACT, /* the whole id or name */
};

#define SELECT_PREFIX_MIN 4 /* digits of an id that are enough */

enum select_fit select_fits(const char *pattern, const struct container *c);

/* Does it mean one container, so that two that fit are one too many? */
bool select_is_single(const char *pattern);
/* Does it mean whatever comes, so that it is no error when nothing fits yet? */
bool select_is_glob(const char *pattern);

/* Does --unit @pattern mean the systemd unit @unit, of @n bytes? Without a type, services. */
bool select_fits_unit(const char *pattern, const char *unit, size_t n);

#endif
