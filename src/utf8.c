// SPDX-License-Identifier: MIT
#include "utf8.h"

size_t utf8_decode(const void *bytes, size_t len, __u32 *cp)
{
	static const struct {
		unsigned char mask, lead;
		__u32 least;
	} forms[] = {
		{0x80, 0x00, 0},
		{0xe0, 0xc0, 0x80},
		{0xf0, 0xe0, 0x800},
		{0xf8, 0xf0, 0x10000},
	};
	const unsigned char *s = bytes;

	for (size_t n = 0; n < 4; n++) {
		if ((s[0] & forms[n].mask) != forms[n].lead)
			continue;
		if (n >= len)
			return 0;
		*cp = s[0] & ~forms[n].mask;
		for (size_t i = 1; i <= n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			*cp = *cp << 6 | (s[i] & 0x3f);
		}
		if (*cp < forms[n].least || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
			return 0;
		return n + 1;
	}
	return 0;
}
