// SPDX-License-Identifier: MIT
/* JSON lines: one self-contained object a line, dotted keys nested. */
#include <stdlib.h>
#include "columns.h"
#include "output.h"
#include "sinks.h"

struct sink_jsonl {
	struct sink sink;
	struct output out;
};

/* How many parts of their keys two columns share: objects that stay open from one to the next. */
static unsigned int shared(const struct column *a, const struct column *b)
{
	unsigned int d = 0;

	while (d + 1 < a->depth && d + 1 < b->depth && a->part[d].group == b->part[d].group)
		d++;
	return d;
}

static void key(struct buf *b, const struct column *c, unsigned int d)
{
	buf_char(b, '"');
	buf_add(b, c->key + c->part[d].off, c->part[d].len);
	buf_add(b, "\":", 2);
}

/* Closes the objects that @last had open and @c is not in, opens those that it is in. */
static void lead(struct buf *b, const struct column *last, const struct column *c)
{
	unsigned int d = 0;

	if (last) {
		d = shared(last, c);
		for (unsigned int i = last->depth - 1; i > d; i--)
			buf_char(b, '}');
		buf_char(b, ',');
	}
	for (; d + 1 < c->depth; d++) {
		key(b, c, d);
		buf_char(b, '{');
	}
	key(b, c, d);
}

static int on_event(struct sink *sink, const struct record *r)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;
	const struct columns *cols = columns_of(r->hdr->type);
	const struct column *last = NULL;
	struct buf *b = &s->out.buf;

	buf_char(b, '{');
	for (unsigned int i = 0; i < cols->nr; i++) {
		size_t before = b->len;

		/* the key is written first, and taken back when there is no value */
		lead(b, last, &cols->col[i]);
		if (column_format(b, r, &cols->col[i], FORM_JSON))
			last = &cols->col[i];
		else
			b->len = before;
	}
	for (unsigned int i = last ? last->depth : 1; i > 0; i--)
		buf_char(b, '}');
	buf_char(b, '\n');
	return output_record(&s->out);
}

static int on_flush(struct sink *sink)
{
	return output_flush(&((struct sink_jsonl *)sink)->out);
}

static void on_free(struct sink *sink)
{
	output_close(&((struct sink_jsonl *)sink)->out);
	free(sink);
}

static const struct sink_ops ops = {.name = "jsonl", .event = on_event, .flush = on_flush, .free = on_free};

struct sink *sink_jsonl_new(int fd)
{
	struct sink_jsonl *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->sink.ops = &ops;
	s->out.fd = fd;
	return &s->sink;
}
