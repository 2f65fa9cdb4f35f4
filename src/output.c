// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <unistd.h>
#include "output.h"

int output_flush(struct output *o)
{
	size_t done = 0;

	if (o->buf.err && !o->err)
		o->err = o->buf.err;
	while (!o->err && done < o->buf.len) {
		ssize_t n = write(o->fd, o->buf.data + done, o->buf.len - done);

		if (n >= 0) {
			done += n;
		} else if (errno == EAGAIN) {	/* somebody else made the descriptor non-blocking */
			struct pollfd p = {.fd = o->fd, .events = POLLOUT};

			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			o->err = -errno;
		}
	}
	o->dropped += o->buf.len - done;
	buf_reset(&o->buf);
	return o->err;
}

int output_record(struct output *o)
{
	return o->buf.len >= OUTPUT_BATCH || o->buf.err ? output_flush(o) : o->err;
}

void output_close(struct output *o)
{
	output_flush(o);
	buf_free(&o->buf);
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}
