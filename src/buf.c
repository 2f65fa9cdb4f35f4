// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "buf.h"

bool buf_grow(struct buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 256;
	char *data;

	if (b->err)
		return false;
	if (b->data && b->cap - b->len > more)
		return true;
	while (cap - b->len <= more)
		cap *= 2;
	data = realloc(b->data, cap);
	if (!data) {
		b->err = -ENOMEM;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

/* "00" to "99": two digits for each division. */
static const char pairs[] = "00010203040506070809101112131415161718192021222324"
			    "25262728293031323334353637383940414243444546474849"
			    "50515253545556575859606162636465666768697071727374"
			    "75767778798081828384858687888990919293949596979899";

void buf_u64(struct buf *b, unsigned long long v)
{
	char digits[24], *p = digits + sizeof(digits);

	for (; v >= 100; v /= 100)
		memcpy(p -= 2, pairs + 2 * (v % 100), 2);
	if (v >= 10)
		memcpy(p -= 2, pairs + 2 * v, 2);
	else
		*--p = (char)('0' + v);
	buf_add(b, p, digits + sizeof(digits) - p);
}

void buf_i64(struct buf *b, long long v)
{
	if (v < 0)
		buf_char(b, '-');
	buf_u64(b, v < 0 ? 0ULL - (unsigned long long)v : (unsigned long long)v);
}

void buf_hex(struct buf *b, unsigned long long v)
{
	char digits[18], *p = digits + sizeof(digits);

	do
		*--p = "0123456789abcdef"[v & 15];
	while (v >>= 4);
	*--p = 'x';
	*--p = '0';
	buf_add(b, p, digits + sizeof(digits) - p);
}

void buf_digits(struct buf *b, unsigned long long v, unsigned int base, unsigned int width)
{
	char digits[24];
	unsigned int i = width;

	if (base == 8) {
		for (; i > 0; v /= 8)
			digits[--i] = '0' + v % 8;
	} else {
		for (; i >= 2; v /= 100)
			memcpy(digits + (i -= 2), pairs + 2 * (v % 100), 2);
		if (i)
			digits[0] = '0' + v % 10;
	}
	buf_add(b, digits, width);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !buf_grow(b, n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, n + 1, fmt, ap);
	va_end(ap);
	b->len += n;
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->err = 0;
	if (b->data)
		b->data[0] = 0;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){};
}
