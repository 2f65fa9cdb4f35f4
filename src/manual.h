/* SPDX-License-Identifier: MIT */
/* The manual page, from the option table (`ebpfmon --man`). */
#ifndef EBPFMON_MANUAL_H
#define EBPFMON_MANUAL_H

#include <stdio.h>

/* Writes the page in man(7) form; an exit status. */
int manual_page(FILE *out);

#endif
