/* SPDX-License-Identifier: MIT */
/* A growing byte buffer. A failed allocation is remembered in .err and makes later appends no-ops. */
#ifndef EBPFMON_BUF_H
#define EBPFMON_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct buf {
	char *data; /* NUL-terminated whenever not NULL */
	size_t len, cap;
	int err; /* 0 or -ENOMEM */
};

/* Makes room for @more bytes and a NUL; false when there is no memory. For the functions below. */
bool buf_grow(struct buf *b, size_t more);

/* These two run some fifty times per event: inline, and the common case is a compare and a copy. */
static inline void buf_add(struct buf *b, const void *data, size_t len)
{
	if ((b->err || b->cap - b->len <= len) && !buf_grow(b, len))
		return;
	memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = 0;
}

static inline void buf_char(struct buf *b, char c)
{
	if ((!b->data || b->err || b->cap - b->len <= 1) && !buf_grow(b, 1))
		return;
	b->data[b->len++] = c;
	b->data[b->len] = 0;
}

/* Takes back what was added since it was @len bytes long. */
static inline void buf_cut(struct buf *b, size_t len)
{
	b->len = len;
	if (b->data)
		b->data[len] = 0;
}

void buf_str(struct buf *b, const char *s);
void buf_u64(struct buf *b, unsigned long long v);
void buf_i64(struct buf *b, long long v);
void buf_hex(struct buf *b, unsigned long long v); /* "0x1f" */
/* @width decimal (base 10) or octal (8) digits, zeros in front; higher digits are lost. */
void buf_digits(struct buf *b, unsigned long long v, unsigned int base, unsigned int width);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *fmt, ...);
void buf_reset(struct buf *b); /* empties, keeps the memory */
void buf_free(struct buf *b);

#endif
