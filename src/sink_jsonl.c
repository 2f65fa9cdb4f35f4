// SPDX-License-Identifier: MIT
/* JSON lines: one self-contained object a line, dotted keys nested. */
#include <errno.h>
#include <stdlib.h>
#include "columns.h"
#include "output.h"
#include "sinks.h"

struct sink_jsonl {
	struct sink sink;
	struct output out;
};

static int on_event(struct sink *sink, const struct record *r)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;
	const struct columns *cols = columns_of(r->hdr->type);
	struct buf *b = &s->out.buf;
	unsigned int open = 0, keep = 0;
	bool any = false;

	if (!cols->col)
		return -ENOMEM;
	buf_char(b, '{');
	for (unsigned int i = 0; i < cols->nr; i++) {
		const struct column *c = &cols->col[i];
		size_t before = b->len;

		/* what is still open for this column is what all columns since the last shown one share */
		if (c->shared < keep)
			keep = c->shared;
		/* the key is written first, and taken back when there is no value; no comma before the first */
		buf_add(b, "}}}}}", open - keep);
		buf_add(b, c->lead[keep].s + !any, c->lead[keep].len - !any);
		if (column_format(b, r, c, FORM_JSON)) {
			open = keep = c->depth - 1;
			any = true;
		} else {
			buf_cut(b, before);
		}
	}
	buf_add(b, "}}}}}", open + 1);
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

_Static_assert(COLUMN_DEPTH <= 5, "on_event() closes at most five objects");

static const struct sink_ops ops = {
	.name = "jsonl", .event = on_event, .flush = on_flush, .free = on_free};

struct sink *sink_jsonl_new(int fd)
{
	struct sink_jsonl *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->sink.ops = &ops;
	s->out.fd = fd;
	return &s->sink;
}
