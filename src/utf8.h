/* SPDX-License-Identifier: MIT */
/* UTF-8, by RFC 3629: neither overlong forms, nor surrogates, nor anything above U+10FFFF. Pure. */
#ifndef EBPFMON_UTF8_H
#define EBPFMON_UTF8_H

#include <linux/types.h>
#include <stddef.h>

/* Length of the valid sequence that begins the @len bytes at @s (at least one), or 0; *cp gets the code point. */
size_t utf8_decode(const void *s, size_t len, __u32 *cp);

#endif
