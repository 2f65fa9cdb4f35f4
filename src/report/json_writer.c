// SPDX-License-Identifier: MIT
#include "report/json_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "value.h"

#define FLUSH_AT 65536

static void flush(struct jw *j)
{
	size_t done = 0;

	if (j->b.err && !j->err)
		j->err = j->b.err;
	while (!j->err && done < j->b.len) {
		ssize_t n = write(j->fd, j->b.data + done, j->b.len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			j->err = -errno;
	}
	buf_reset(&j->b);
}

static void new_line(struct jw *j)
{
	static const char tabs[] = "\n\t\t\t\t\t\t\t\t";
	unsigned int depth = j->depth < sizeof(tabs) - 2 ? j->depth : sizeof(tabs) - 2;

	buf_add(&j->b, tabs, 1 + depth);
}

/* Everything that comes before a value: comma, line break, key. */
static void lead(struct jw *j, const char *key)
{
	if (j->fd >= 0 && j->b.len >= FLUSH_AT)
		flush(j);
	if (!j->depth)
		return;
	if (j->stack[j->depth - 1].any)
		buf_add(&j->b, ", ", j->stack[j->depth - 1].lines ? 1 : 2);
	j->stack[j->depth - 1].any = true;
	if (j->stack[j->depth - 1].lines)
		new_line(j);
	if (key) {
		buf_char(&j->b, '"');
		buf_str(&j->b, key);
		buf_add(&j->b, "\": ", 3);
	}
}

static void begin(struct jw *j, const char *key, enum json_style style, const char *brackets)
{
	lead(j, key);
	buf_char(&j->b, brackets[0]);
	if (j->depth == JSON_DEPTH) {
		/* Callers bound their nesting; this only keeps a mistake from writing elsewhere. */
		j->err = j->err ? j->err : -E2BIG;
		return;
	}
	j->stack[j->depth].close = brackets[1];
	j->stack[j->depth].lines = style == JSON_LINES;
	j->stack[j->depth].any = false;
	j->depth++;
}

void jw_object(struct jw *j, const char *key, enum json_style style)
{
	begin(j, key, style, "{}");
}

void jw_array(struct jw *j, const char *key, enum json_style style)
{
	begin(j, key, style, "[]");
}

void jw_end(struct jw *j)
{
	if (!j->depth)
		return;
	j->depth--;
	if (j->stack[j->depth].lines && j->stack[j->depth].any)
		new_line(j);
	buf_char(&j->b, j->stack[j->depth].close);
}

void jw_u64(struct jw *j, const char *key, __u64 v)
{
	lead(j, key);
	buf_u64(&j->b, v);
}

void jw_i64(struct jw *j, const char *key, __s64 v)
{
	lead(j, key);
	buf_i64(&j->b, v);
}

void jw_bool(struct jw *j, const char *key, bool v)
{
	lead(j, key);
	buf_str(&j->b, v ? "true" : "false");
}

void jw_bytes(struct jw *j, const char *key, const char *s, size_t len)
{
	lead(j, key);
	buf_char(&j->b, '"');
	value_json_bytes(&j->b, s, len);
	buf_char(&j->b, '"');
}

void jw_str(struct jw *j, const char *key, const char *s)
{
	if (s) {
		jw_bytes(j, key, s, strlen(s));
		return;
	}
	lead(j, key);
	buf_str(&j->b, "null");
}

void jw_format_time(char *out, __u64 wall)
{
	time_t sec = (time_t)(wall / 1000000000);
	struct tm tm;
	size_t n;

	gmtime_r(&sec, &tm);
	n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, 32 - n, ".%09uZ", (unsigned int)(wall % 1000000000));
}

void jw_time(struct jw *j, const char *key, __u64 wall)
{
	__u64 sec = wall / 1000000000;
	__u32 ns = (__u32)(wall % 1000000000);

	if (!wall)
		return;
	/* Neighbours in a list often share the second; the calendar is what costs. */
	if (sec != j->time_sec || !j->time[0])
		jw_format_time(j->time, wall);
	j->time_sec = sec;
	/* "2026-11-23T22:13:20.001001000Z": the fraction is in columns 20 to 28 */
	for (unsigned int i = 28; i > 19; i--, ns /= 10)
		j->time[i] = (char)('0' + ns % 10);
	lead(j, key);
	buf_char(&j->b, '"');
	buf_str(&j->b, j->time);
	buf_char(&j->b, '"');
}

void jw_raw(struct jw *j, const char *key, const char *s, size_t len)
{
	if (!len)
		return;
	lead(j, key);
	buf_add(&j->b, s, len);
}

void jw_u64_if(struct jw *j, const char *key, __u64 v)
{
	if (v)
		jw_u64(j, key, v);
}

void jw_true_if(struct jw *j, const char *key, bool v)
{
	if (v)
		jw_bool(j, key, true);
}

void jw_str_if(struct jw *j, const char *key, const char *s)
{
	if (s && *s)
		jw_str(j, key, s);
}

int jw_finish(struct jw *j)
{
	while (j->depth)
		jw_end(j);
	buf_char(&j->b, '\n');
	if (j->fd >= 0)
		flush(j);
	if (j->b.err && !j->err)
		j->err = j->b.err;
	return j->err;
}

void jw_free(struct jw *j)
{
	buf_free(&j->b);
}
