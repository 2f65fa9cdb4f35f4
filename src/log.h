/* SPDX-License-Identifier: MIT */
/* What people read while it runs: one line each, on stderr, never mixed with data. */
#ifndef EBPFMON_LOG_H
#define EBPFMON_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_level;

/* Control characters in what is printed are shown as '?': names may come from a container. */
__attribute__((format(printf, 2, 3))) void log_print(enum log_level level, const char *fmt, ...);

#define log_error(...) log_print(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_print(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_print(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_print(LOG_DEBUG, __VA_ARGS__)

#endif
