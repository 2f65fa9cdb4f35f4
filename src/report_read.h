/* SPDX-License-Identifier: MIT */
/* Reports from files, merged. */
#ifndef EBPFMON_REPORT_READ_H
#define EBPFMON_REPORT_READ_H

#include "advise.h"

/* The advice of @nr reports; advice_free() it. NULL, after saying which of them is wrong and why. */
struct advice *report_read(char *const *paths, int nr);

#endif
