/* SPDX-License-Identifier: MIT */
#ifndef EBPFMON_AUDIT_H
#define EBPFMON_AUDIT_H

#include <stdbool.h>

/* Does the kernel say that its audit is off? False also when it does not answer (CAP_AUDIT_CONTROL). */
bool audit_is_off(void);

#endif
