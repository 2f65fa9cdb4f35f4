/* SPDX-License-Identifier: MIT */
/* A growing byte buffer. A failed allocation is remembered in .err and makes later appends no-ops. */
#ifndef EBPFMON_BUF_H
#define EBPFMON_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *data;	/* NUL-terminated whenever not NULL */
	size_t len, cap;
	int err;	/* 0 or -ENOMEM */
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_u64(struct buf *b, unsigned long long v);
void buf_i64(struct buf *b, long long v);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *fmt, ...);
void buf_reset(struct buf *b);	/* empties, keeps the memory */
void buf_free(struct buf *b);

#endif
