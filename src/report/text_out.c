// SPDX-License-Identifier: MIT
#include "report/text_out.h"
#include "utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

void text_end(struct text_out *t)
{
	if (t->line.err && !t->err)
		t->err = t->line.err;
	while (t->line.len && t->line.data[t->line.len - 1] == ' ')
		t->line.len--;
	if (t->line.len && fwrite(t->line.data, 1, t->line.len, t->out) != t->line.len && !t->err)
		t->err = errno ? -errno : -EIO;
	if (fputc('\n', t->out) == EOF && !t->err)
		t->err = errno ? -errno : -EIO;
	buf_reset(&t->line);
	t->col = 0;
}

void text_add(struct text_out *t, const char *fmt, ...)
{
	char s[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s, sizeof(s), fmt, ap);
	va_end(ap);
	buf_str(&t->line, s);
	for (const char *p = s; *p; p++)
		t->col += ((unsigned char)*p & 0xc0) != 0x80;
}

void text_pad(struct text_out *t, unsigned int col)
{
	while (t->col < col)
		text_add(t, "%*s", (int)(col - t->col), "");
}

/* The character at *@s, which is moved behind it; a byte that is no UTF-8 as U+F700 + byte, as JSON has it. */
static uint32_t next_char(const char **s)
{
	__u32 c;
	size_t n = utf8_decode(*s, strnlen(*s, 4), &c);

	if (!n)
		return 0xf700 + (unsigned char)*(*s)++;
	*s += n;
	return c;
}

/* What would move the cursor, hide, or turn the text around on the reader. */
static bool is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xd800 && c < 0xe000) || (c >= 0xfff0 && c <= 0xfffb) || c >= 0xe0000;
}

/* East Asian wide characters and emoji take two columns. */
static unsigned int columns_of(uint32_t c)
{
	return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
			       (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
			       (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
			       (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd)
		       ? 2
		       : 1;
}

static unsigned int show_char(char *out, size_t size, const char *from, const char *to, uint32_t c)
{
	if (c >= 0xf700 && c <= 0xf7ff)
		return (unsigned int)snprintf(out, size, "\\x%02x", c & 0xff);
	if (c == '\n' || c == '\t')
		return (unsigned int)snprintf(out, size, c == '\n' ? "\\n" : "\\t");
	if (is_unsafe(c))
		return (unsigned int)snprintf(out, size, c < 0x100 ? "\\x%02x" : "\\u{%x}", c);
	snprintf(out, size, "%.*s", (int)(to - from), from);
	return columns_of(c);
}

void text_put(struct text_out *t, const char *s, unsigned int max)
{
	unsigned int left = t->width > t->col ? t->width - t->col : 0;

	if (!s || !*s)
		return;
	if (!max || max > left)
		max = left;
	while (*s && max) {
		const char *from = s;
		uint32_t c = next_char(&s);
		char shown[16];
		unsigned int n = show_char(shown, sizeof(shown), from, s, c);

		if (n > max || (n == max && *s)) {
			buf_str(&t->line, "…");
			t->col++;
			return;
		}
		buf_str(&t->line, shown);
		t->col += n;
		max -= n;
	}
}

const char *text_count(char *out, double v)
{
	char digits[32];
	int n = snprintf(digits, sizeof(digits), "%.0f", v > 0 && v < 1e19 ? v : 0), at = 0;

	for (int i = 0; i < n && at < 30; i++) {
		if (i && (n - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = 0;
	return out;
}

const char *text_bytes(char *out, double v)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned int i = 0;

	while (v >= 1024 && i < 6) {
		v /= 1024;
		i++;
	}
	snprintf(out, 32, i && v < 100 ? "%.1f %s" : "%.0f %s", v, units[i]);
	return out;
}

const char *text_ns(char *out, double v)
{
	if (v < 1e3)
		snprintf(out, 32, "%.0f ns", v);
	else if (v < 1e6)
		snprintf(out, 32, "%.0f µs", v / 1e3);
	else if (v < 1e9)
		snprintf(out, 32, "%.1f ms", v / 1e6);
	else if (v < 60e9)
		snprintf(out, 32, "%.2f s", v / 1e9);
	else if (v < 3600e9)
		snprintf(out, 32, "%.0f min %.0f s", (double)(long)(v / 60e9),
			 (double)((long)(v / 1e9) % 60));
	else
		snprintf(out, 32, "%.0f h %.0f min", (double)(long)(v / 3600e9),
			 (double)((long)(v / 60e9) % 60));
	return out;
}
