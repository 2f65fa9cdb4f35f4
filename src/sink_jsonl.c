// SPDX-License-Identifier: MIT
/* JSON lines: one self-contained object a line, dotted keys nested. */
#include <errno.h>
#include <stdlib.h>
#include "columns.h"
#include "output.h"
#include "sinks.h"

/* A line under way. */
struct line {
	unsigned int open; /* objects */
	unsigned int keep; /* of these, how many all columns since the last shown one share */
	bool any; /* something was shown: a comma comes first */
};

/* Whose a record is takes most of a line, and often stays the same. */
struct memo {
	struct record_whose whose;
	struct buf text; /* of the columns that say so */
	struct line after; /* where the line stands behind them */
};

#define MEMOS 64 /* tasks that take turns; a power of 2 */

struct sink_jsonl {
	struct sink sink;
	struct output out;
	struct memo memos[MEMOS]; /* by task and type */
};

/* The columns [@from, @to). */
static void put_columns(struct buf *b, struct line *l, const struct record *r,
			const struct columns *cols, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++) {
		const struct column *c = &cols->col[i];
		size_t before = b->len;

		if (c->shared < l->keep)
			l->keep = c->shared;
		/* the key is written first, and taken back when there is no value; no comma before the first */
		buf_add(b, "}}}}}", l->open - l->keep);
		buf_add(b, c->lead[l->keep].s + !l->any, c->lead[l->keep].len - !l->any);
		if (column_format(b, r, c, FORM_JSON)) {
			l->open = l->keep = c->depth - 1;
			l->any = true;
		} else {
			buf_cut(b, before);
		}
	}
}

static void put_whose(struct sink_jsonl *s, struct line *l, const struct record *r,
		      const struct columns *cols)
{
	struct memo *m = &s->memos[(r->hdr->tid + 31 * r->hdr->type) % MEMOS];
	struct buf *b = &s->out.buf;
	size_t begin = b->len;

	if (record_same_whose(&m->whose, r) && m->text.len) {
		buf_add(b, m->text.data, m->text.len);
		*l = m->after;
		return;
	}
	put_columns(b, l, r, cols, cols->whose, cols->own);
	buf_reset(&m->text);
	if (!b->err && r->epoch)
		buf_add(&m->text, b->data + begin, b->len - begin);
	if (m->text.err)
		buf_reset(&m->text);
	m->after = *l;
}

static int on_event(struct sink *sink, const struct record *r)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;
	const struct columns *cols = columns_of(r->hdr->type);
	struct buf *b = &s->out.buf;
	struct line l = {};

	if (!cols->col)
		return -ENOMEM;
	buf_char(b, '{');
	put_columns(b, &l, r, cols, 0, cols->whose);
	put_whose(s, &l, r, cols);
	put_columns(b, &l, r, cols, cols->own, cols->nr);
	buf_add(b, "}}}}}", l.open + 1);
	buf_char(b, '\n');
	return output_record(&s->out);
}

static int on_flush(struct sink *sink)
{
	return output_flush(&((struct sink_jsonl *)sink)->out);
}

static void on_free(struct sink *sink)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;

	output_close(&s->out);
	for (unsigned int i = 0; i < MEMOS; i++)
		buf_free(&s->memos[i].text);
	free(s);
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
