// SPDX-License-Identifier: MIT
/* Text for people: a line an event, what matters first, colours only on a terminal. */
#include <stdlib.h>
#include <string.h>
#include "columns.h"
#include "container/container.h"
#include "output.h"
#include "sinks.h"

#define MAX_COLUMNS 64

struct sink_text {
	struct sink sink;
	struct output out;
	bool colour;
	bool known[EV__MAX]; /* which columns of this event are shown has been worked out */
	bool shown[EV__MAX][MAX_COLUMNS];
};

#define DIM  "\033[2m"
#define BOLD "\033[1m"
#define RED  "\033[31m"
#define OFF  "\033[0m"

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
	value_bytes(b, name ? name : "-", name ? strlen(name) : 1, FORM_TEXT);
	pad(b, from, 12);
	from = b->len;
	if (r->hdr->flags & EV_F_NOPROC) {
		buf_char(b, '-');
	} else {
		value_bytes(b, r->hdr->comm, strnlen(r->hdr->comm, EV_COMM_LEN), FORM_TEXT);
		buf_char(b, '[');
		buf_u64(b, r->hdr->pid);
		buf_char(b, ']');
	}
	pad(b, from, 18);
	paint(s, BOLD);
	from = b->len;
	buf_str(b, r->desc->name);
	pad(b, from, 16);
	paint(s, OFF);
}

/* What a person reading along does not need; JSON and CSV have it. By key, or the beginning of keys. */
static const char *const unread[] = {
	"file.mount.",
	"file.device",
	"file.inode",
	"file.fs",
	"process.capabilities.",
	"process.seccomp",
	"exec_session.start",
	"process.executable.device",
	"process.executable.inode",
	"process.executable.fs",
	"process.executable.changed",
	"process.child.creation.",
	"ipc.inode",
	"ipc.peer_inode",
	"network.type",
};

/* Types in which 0 says nothing that is worth a place on the line. */
static const bool zero_is_dull[FT__MAX] = {
	[FT_u32] = true,	[FT_u64] = true,      [FT_boolean] = true,  [FT_count] = true,
	[FT_bytes] = true,	[FT_ns] = true,	      [FT_hex] = true,	    [FT_caps] = true,
	[FT_cloneflags] = true, [FT_mntflags] = true, [FT_exeflags] = true,
};

static bool worth_reading(const struct column *c)
{
	if (!c->field)
		return false;
	for (size_t i = 0; i < sizeof(unread) / sizeof(unread[0]); i++)
		if (!strncmp(c->key, unread[i], strlen(unread[i])))
			return false;
	return true;
}

/* "path=/etc/passwd ": the line names the subsystem already, so keys go without it. */
static void field(struct sink_text *s, const struct record *r, const struct column *c)
{
	bool error = c->field->type == FT_err;
	struct buf *b = &s->out.buf;
	size_t before = b->len;
	unsigned int from = c->part[c->depth > 1].off;

	if (zero_is_dull[c->field->type] && !record_number(r->hdr, c->field))
		return;
	paint(s, error ? RED : DIM);
	buf_str(b, c->key + from);
	buf_char(b, '=');
	if (!error)
		paint(s, OFF);
	if (!column_format(b, r, c, FORM_TEXT)) {
		buf_cut(b, before);
		return;
	}
	if (error)
		paint(s, OFF);
	buf_char(b, ' ');
}

static int on_event(struct sink *sink, const struct record *r)
{
	struct sink_text *s = (struct sink_text *)sink;
	enum ev_type type = r->hdr->type;
	const struct columns *cols = columns_of(type);
	struct buf *b = &s->out.buf;

	if (!s->known[type]) {
		s->known[type] = true;
		for (unsigned int i = 0; i < cols->nr && i < MAX_COLUMNS; i++)
			s->shown[type][i] = worth_reading(&cols->col[i]);
	}
	who(s, r);
	for (unsigned int i = 0; i < cols->nr && i < MAX_COLUMNS; i++)
		if (s->shown[type][i])
			field(s, r, &cols->col[i]);
	if (r->hdr->flags & EV_F_SETUP)
		buf_str(b, "(setup)");
	else if (b->len && b->data[b->len - 1] == ' ')
		buf_cut(b, b->len - 1);
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

static const struct sink_ops ops = {
	.name = "text", .event = on_event, .flush = on_flush, .free = on_free};

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
