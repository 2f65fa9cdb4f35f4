// SPDX-License-Identifier: MIT
#include "report/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "value.h"

#define FLUSH_AT 65536

static void flush(struct json *j)
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

static void new_line(struct json *j)
{
	static const char tabs[] = "\n\t\t\t\t\t\t\t\t";
	unsigned int depth = j->depth < sizeof(tabs) - 2 ? j->depth : sizeof(tabs) - 2;

	buf_add(&j->b, tabs, 1 + depth);
}

/* Everything that comes before a value: comma, line break, key. */
static void lead(struct json *j, const char *key)
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

static void begin(struct json *j, const char *key, enum json_style style, const char *brackets)
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

void json_object(struct json *j, const char *key, enum json_style style)
{
	begin(j, key, style, "{}");
}

void json_array(struct json *j, const char *key, enum json_style style)
{
	begin(j, key, style, "[]");
}

void json_end(struct json *j)
{
	if (!j->depth)
		return;
	j->depth--;
	if (j->stack[j->depth].lines && j->stack[j->depth].any)
		new_line(j);
	buf_char(&j->b, j->stack[j->depth].close);
}

void json_u64(struct json *j, const char *key, __u64 v)
{
	lead(j, key);
	buf_u64(&j->b, v);
}

void json_i64(struct json *j, const char *key, __s64 v)
{
	lead(j, key);
	buf_i64(&j->b, v);
}

void json_bool(struct json *j, const char *key, bool v)
{
	lead(j, key);
	buf_str(&j->b, v ? "true" : "false");
}

void json_bytes(struct json *j, const char *key, const char *s, size_t len)
{
	lead(j, key);
	buf_char(&j->b, '"');
	value_json_bytes(&j->b, s, len);
	buf_char(&j->b, '"');
}

void json_str(struct json *j, const char *key, const char *s)
{
	if (s) {
		json_bytes(j, key, s, strlen(s));
		return;
	}
	lead(j, key);
	buf_str(&j->b, "null");
}

void json_format_time(char *out, __u64 wall)
{
	time_t sec = (time_t)(wall / 1000000000);
	struct tm tm;
	size_t n;

	gmtime_r(&sec, &tm);
	n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, 32 - n, ".%09uZ", (unsigned int)(wall % 1000000000));
}

void json_time(struct json *j, const char *key, __u64 wall)
{
	char s[32];

	if (!wall)
		return;
	json_format_time(s, wall);
	json_str(j, key, s);
}

void json_raw(struct json *j, const char *key, const char *s, size_t len)
{
	if (!len)
		return;
	lead(j, key);
	buf_add(&j->b, s, len);
}

void json_u64_if(struct json *j, const char *key, __u64 v)
{
	if (v)
		json_u64(j, key, v);
}

void json_true_if(struct json *j, const char *key, bool v)
{
	if (v)
		json_bool(j, key, true);
}

void json_str_if(struct json *j, const char *key, const char *s)
{
	if (s && *s)
		json_str(j, key, s);
}

int json_finish(struct json *j)
{
	while (j->depth)
		json_end(j);
	buf_char(&j->b, '\n');
	if (j->fd >= 0)
		flush(j);
	if (j->b.err && !j->err)
		j->err = j->b.err;
	return j->err;
}

void json_free(struct json *j)
{
	buf_free(&j->b);
}
