// SPDX-License-Identifier: MIT
/* CSV as RFC 4180 has it: a file per event type, a header row, CRLF; a field is quoted when it must be. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "columns.h"
#include "output.h"
#include "sinks.h"

struct sink_csv {
	struct sink sink;
	int dir;
	struct output out[EV__MAX];
	bool open[EV__MAX];
	struct buf value;
};

/* Quoted when a reader could otherwise take it apart, or trim it. Control characters come escaped. */
static bool needs_quotes(const char *s, size_t len)
{
	return memchr(s, ',', len) || memchr(s, '"', len) || s[0] == ' ' || s[len - 1] == ' ';
}

static void field(struct buf *out, const struct buf *v)
{
	if (!v->len)
		return;
	if (!needs_quotes(v->data, v->len)) {
		buf_add(out, v->data, v->len);
		return;
	}
	buf_char(out, '"');
	for (size_t i = 0; i < v->len; i++) {
		if (v->data[i] == '"')
			buf_char(out, '"');
		buf_char(out, v->data[i]);
	}
	buf_char(out, '"');
}

/* The directory may be one that others write to: nothing that stands there is followed or appended to. */
static int open_file(struct sink_csv *s, enum ev_type type)
{
	const struct columns *cols = columns_of(type);
	struct output *o = &s->out[type];
	char name[80];

	if (!cols->col)
		return -ENOMEM;
	snprintf(name, sizeof(name), "%s.csv", event_descs[type].name);
	s->open[type] = true;
	if (unlinkat(s->dir, name, 0) && errno != ENOENT)
		o->err = -errno;
	o->fd = openat(s->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (o->fd < 0)
		o->err = -errno;
	for (unsigned int i = 0; i < cols->nr; i++) {
		if (i)
			buf_char(&o->buf, ',');
		buf_str(&o->buf, cols->col[i].key);
	}
	buf_str(&o->buf, "\r\n");
	return o->err;
}

static int on_event(struct sink *sink, const struct record *r)
{
	struct sink_csv *s = (struct sink_csv *)sink;
	const struct columns *cols = columns_of(r->hdr->type);
	struct output *o = &s->out[r->hdr->type];

	if (!s->open[r->hdr->type] && open_file(s, r->hdr->type))
		return o->err;
	for (unsigned int i = 0; i < cols->nr; i++) {
		if (i)
			buf_char(&o->buf, ',');
		buf_reset(&s->value);
		if (column_format(&s->value, r, &cols->col[i], FORM_PLAIN))
			field(&o->buf, &s->value);
	}
	if (s->value.err) /* a cell was cut: so is the line */
		o->buf.err = s->value.err;
	buf_str(&o->buf, "\r\n");
	return output_record(o);
}

static int on_flush(struct sink *sink)
{
	struct sink_csv *s = (struct sink_csv *)sink;
	int first = 0;

	for (int i = 0; i < EV__MAX; i++) {
		int err = s->open[i] ? output_flush(&s->out[i]) : 0;

		if (err && !first)
			first = err;
	}
	return first;
}

static void on_free(struct sink *sink)
{
	struct sink_csv *s = (struct sink_csv *)sink;

	for (int i = 0; i < EV__MAX; i++)
		if (s->open[i])
			output_close(&s->out[i]);
	buf_free(&s->value);
	close(s->dir);
	free(s);
}

static const struct sink_ops ops = {
	.name = "csv", .event = on_event, .flush = on_flush, .free = on_free};

struct sink *sink_csv_new(const char *dir)
{
	struct sink_csv *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->sink.ops = &ops;
	s->dir = mkdir(dir, 0700) && errno != EEXIST
			 ? -1
			 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0) {
		free(s);
		return NULL;
	}
	return &s->sink;
}
