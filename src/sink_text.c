// SPDX-License-Identifier: MIT
/* Text for people: a line an event, what matters first, colours only on a terminal. */
#include <stdlib.h>
#include <string.h>
#include "columns.h"
#include "container/container.h"
#include "output.h"
#include "sinks.h"

struct sink_text {
	struct sink sink;
	struct output out;
	bool colour;
};

#define DIM	"\033[2m"
#define BOLD	"\033[1m"
#define RED	"\033[31m"
#define OFF	"\033[0m"

static void paint(struct sink_text *s, const char *code)
{
	if (s->colour)
		buf_str(&s->out.buf, code);
}

/* Pads what was written since @from to @width columns. */
static void pad(struct buf *b, size_t from, size_t width)
{
	while (b->len - from < width)
		buf_char(b, ' ');
	buf_char(b, ' ');
}

static void who(struct sink_text *s, const struct record *r)
{
	const char *name = container_name(r->container);
	struct buf *b = &s->out.buf;
	size_t from;

	paint(s, DIM);
	value_time(b, r->wall, FORM_TEXT);
	buf_char(b, ' ');
	paint(s, OFF);
	from = b->len;
	value_json_bytes(b, name, strlen(name));
	pad(b, from, 12);
	from = b->len;
	if (r->hdr->flags & EV_F_NOPROC) {
		buf_char(b, '-');
	} else {
		value_json_bytes(b, r->hdr->comm, strnlen(r->hdr->comm, EV_COMM_LEN));
		buf_printf(b, "[%u]", r->hdr->pid);
	}
	pad(b, from, 18);
	paint(s, BOLD);
	from = b->len;
	buf_str(b, r->desc->name);
	pad(b, from, 16);
	paint(s, OFF);
}

/* The last part of a key says enough on a line that names the event. */
static const char *short_key(const struct column *c)
{
	return c->key + c->part[c->depth - 1].off;
}

static int on_event(struct sink *sink, const struct record *r)
{
	struct sink_text *s = (struct sink_text *)sink;
	const struct columns *cols = columns_of(r->hdr->type);
	struct buf *b = &s->out.buf;

	who(s, r);
	for (unsigned int i = 0; i < cols->nr; i++) {
		const struct column *c = &cols->col[i];
		bool error = c->field && c->field->type == FT_err;
		size_t before = b->len;

		if (!c->field)
			continue;
		paint(s, error ? RED : DIM);
		buf_printf(b, "%s=", short_key(c));
		if (!error)
			paint(s, OFF);
		if (column_format(b, r, c, FORM_TEXT)) {
			if (error)
				paint(s, OFF);
			buf_char(b, ' ');
		} else {
			b->len = before;
		}
	}
	if (r->hdr->flags & EV_F_SETUP)
		buf_str(b, "(setup)");
	buf_char(b, '\n');
	return output_record(&s->out);
}

static int on_flush(struct sink *sink)
{
	return output_flush(&((struct sink_text *)sink)->out);
}

static void on_free(struct sink *sink)
{
	output_close(&((struct sink_text *)sink)->out);
	free(sink);
}

static const struct sink_ops ops = {.name = "text", .event = on_event, .flush = on_flush, .free = on_free};

struct sink *sink_text_new(int fd, bool colour)
{
	struct sink_text *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->sink.ops = &ops;
	s->out.fd = fd;
	s->colour = colour;
	return &s->sink;
}
