// SPDX-License-Identifier: MIT
/*
 * Connections: connect or accept begins one, close ends it, the socket's identity joins them. Per
 * remote end everything is summed as well, so that what no longer fits the list is still there.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "container/container.h"
#include "../names.h" /* not include/names.h, which the search path has first */
#include "report/report_state.h"

struct peer_key {
	struct ev_addr addr;
	__u32 family, direction, port, pad;
};

struct ends_key {
	struct ev_addr local_addr, peer_addr;
	__u32 local_port, peer_port;
};

struct failure_key {
	struct ev_addr addr;
	__u32 port, err, family, pid;
	__u64 start;
};

/* The socket of a connection that is still open. Used again when it closes. */
struct sock_node {
	struct hash_node node;
	struct sock_node *next_free;
	__u64 sock;
	struct report_connection *c;
};

/* The ends, which every connection event carries under the same names. */
struct ends {
	struct ev_addr local_addr, peer_addr;
	__u32 family, local_port, peer_port;
	__u64 sock;
};

#define ENDS_OF(e)                                                                                 \
	{                                                                                          \
		.local_addr = (e)->local_addr, .peer_addr = (e)->peer_addr, .family = (e)->family, \
		.local_port = (e)->local_port, .peer_port = (e)->peer_port, .sock = (e)->sock      \
	}

static const char *const directions[] = {
	[DIR_UNKNOWN] = "unknown",
	[DIR_OUT] = "out",
	[DIR_IN] = "in",
};

static struct sock_node *sock_find(const struct report *rep, __u64 sock)
{
	return table_find(rep, &rep->tcp.by_sock, &sock, sizeof(sock));
}

static void sock_forget(struct report *rep, struct sock_node *n)
{
	if (!n)
		return;
	hash_remove(&rep->tcp.by_sock.h, &n->node);
	n->next_free = rep->tcp.free_nodes;
	rep->tcp.free_nodes = n;
}

static void sock_remember(struct report *rep, __u64 sock, struct report_connection *c)
{
	struct table *t = &rep->tcp.by_sock;
	struct sock_node *n;

	/* A socket of that identity that was not seen to close is another one now. */
	sock_forget(rep, sock_find(rep, sock));
	n = rep->tcp.free_nodes;
	if (n)
		rep->tcp.free_nodes = n->next_free;
	else if (t->h.nr < t->limit)
		n = arena_alloc(&rep->arena, sizeof(*n));
	if (!n)
		return;
	n->sock = sock;
	n->c = c;
	if (hash_add(&t->h, hash_bytes(rep->seed, &n->sock, sizeof(n->sock)), &n->node, &n->sock,
		     sizeof(n->sock)))
		n->c = NULL;
}

static struct report_peer *peer_get(struct report *rep, const struct ends *e,
				    enum report_direction direction)
{
	struct peer_key k = {.addr = e->peer_addr,
			     .family = e->family,
			     .direction = direction,
			     .port = direction == DIR_IN ? e->local_port : e->peer_port};
	struct report_peer *p;
	bool fresh;

	p = table_get(rep, &rep->tcp.peers, &k, sizeof(k), sizeof(*p), &fresh);
	if (!p) {
		rep->tcp.peers.folded++;
		return &rep->tcp.folded_peers;
	}
	p->addr = k.addr;
	p->family = k.family;
	p->direction = direction;
	p->port = k.port;
	return p;
}

static void fill(struct report *rep, struct report_connection *c, const struct record *r,
		 const struct ends *e, enum report_direction direction)
{
	c->report = rep;
	c->process = report_process_of(rep, r);
	c->pid = r->hdr->pid;
	if (!(r->hdr->flags & EV_F_NOPROC))
		memcpy(c->comm, r->hdr->comm, EV_COMM_LEN);
	c->family = e->family;
	c->local_addr = e->local_addr;
	c->local_port = e->local_port;
	c->peer_addr = e->peer_addr;
	c->peer_port = e->peer_port;
	c->direction = direction;
	c->first = r->wall;
	c->last = r->wall;
	c->count = 1;
}

static void append(struct report *rep, struct report_connection *c)
{
	if (rep->tcp.last_conn)
		rep->tcp.last_conn->next = c;
	else
		rep->tcp.first = c;
	rep->tcp.last_conn = c;
	rep->tcp.nr++;
}

/* A new entry of the list; NULL, and counted, when there is no room. */
static struct report_connection *new_connection(struct report *rep, const struct record *r,
						const struct ends *e,
						enum report_direction direction)
{
	struct report_connection *c = NULL;

	if (rep->tcp.nr < rep->limits->connections)
		c = arena_alloc(&rep->arena, sizeof(*c));
	if (!c) {
		rep->tcp.folded++;
		return NULL;
	}
	fill(rep, c, r, e, direction);
	append(rep, c);
	return c;
}

static void opened(struct report *rep, const struct record *r, const struct ends *e,
		   enum report_direction direction, __u64 latency)
{
	struct report_connection *c = new_connection(rep, r, e, direction);

	peer_get(rep, e, direction)->connections++;
	if (!c) {
		/* Its close must not find the connection that had this socket before. */
		sock_forget(rep, sock_find(rep, e->sock));
		return;
	}
	c->latency = latency;
	c->open = true;
	c->existing = r->hdr->type == EV_tcp_existing;
	sock_remember(rep, e->sock, c);
}

/* Attempts of one process that fail alike are one entry: who knocks at a closed door does it often. */
static void failed(struct report *rep, const struct record *r, const struct ends *e, __u32 err,
		   __u64 latency)
{
	struct failure_key k = {.addr = e->peer_addr,
				.port = e->peer_port,
				.err = err,
				.family = e->family,
				.pid = r->hdr->pid,
				.start = r->hdr->start};
	struct report_connection *c = NULL;
	struct failure {
		struct hash_node node;
		struct report_connection *c;
	} * f;
	bool fresh;

	rep->tcp.failed++;
	peer_get(rep, e, DIR_OUT)->failed++;
	f = table_get(rep, &rep->tcp.failures, &k, sizeof(k), sizeof(*f), &fresh);
	if (f && f->c) {
		c = f->c;
		c->count++;
		c->last = r->wall;
	} else {
		c = new_connection(rep, r, e, DIR_OUT);
		if (f)
			f->c = c;
	}
	if (!c)
		return;
	c->connect_err = err;
	c->latency = latency > c->latency ? latency : c->latency;
	/* Its close tells nothing more: the socket leads nowhere. */
	sock_remember(rep, e->sock, c);
}

void report_connect(struct report *rep, const struct record *r)
{
	const struct ev_tcp_connect *e = (const struct ev_tcp_connect *)r->hdr;
	const struct ends ends = ENDS_OF(e);

	if (e->err) {
		failed(rep, r, &ends, report_errno(e->err), e->latency);
		return;
	}
	rep->tcp.opened++;
	opened(rep, r, &ends, DIR_OUT, e->latency);
}

void report_accept(struct report *rep, const struct record *r)
{
	const struct ev_tcp_accept *e = (const struct ev_tcp_accept *)r->hdr;
	const struct ends ends = ENDS_OF(e);

	rep->tcp.accepted++;
	opened(rep, r, &ends, DIR_IN, 0);
}

void report_existing(struct report *rep, const struct record *r)
{
	const struct ev_tcp_existing *e = (const struct ev_tcp_existing *)r->hdr;
	const struct ends ends = ENDS_OF(e);

	if (e->listening) {
		tally_add(rep, &rep->tcp.listeners, r);
		return;
	}
	rep->tcp.existing++;
	opened(rep, r, &ends, DIR_UNKNOWN, 0);
}

void report_listen(struct report *rep, const struct record *r)
{
	tally_add(rep, &rep->tcp.listeners, r);
}

static void ended(struct report_connection *c, const struct record *r, const struct ev_tcp_close *e)
{
	c->closed = e->open ? 0 : r->wall;
	c->open = e->open;
	c->last = r->wall;
	if (c->direction == DIR_UNKNOWN)
		c->direction = e->outgoing ? DIR_OUT : DIR_IN;
	c->sent = e->sent;
	c->received = e->received;
	c->segs_out = e->segs_out;
	c->segs_in = e->segs_in;
	c->retransmits = e->retransmits;
	c->rtt = e->rtt;
	c->duration = e->duration;
	c->err = report_errno(e->err);
	/* An entry made before both ends were known (a connect in progress) learns them now. */
	c->local_addr = e->local_addr;
	c->local_port = e->local_port;
}

void report_close(struct report *rep, const struct record *r)
{
	const struct ev_tcp_close *e = (const struct ev_tcp_close *)r->hdr;
	const struct ends ends = ENDS_OF(e);
	enum report_direction direction = e->outgoing ? DIR_OUT : DIR_IN;
	struct sock_node *n = sock_find(rep, ends.sock);
	struct report_connection *c = n ? n->c : NULL;
	struct report_peer *peer;

	sock_forget(rep, n);
	if (c && c->connect_err)
		return;
	rep->tcp.closed += !e->open;
	rep->tcp.sent += e->sent;
	rep->tcp.received += e->received;
	rep->tcp.retransmits += e->retransmits;
	peer = peer_get(rep, &ends, c ? c->direction : direction);
	peer->sent += e->sent;
	peer->received += e->received;
	peer->retransmits += e->retransmits;
	/* Once connections have been folded, a close without its beginning is most likely theirs. */
	if (!c && !rep->tcp.folded) {
		c = new_connection(rep, r, &ends, direction);
		rep->tcp.unopened++;
		peer->connections++;
		if (c)
			c->first = r->wall - (e->duration < r->wall ? e->duration : 0);
	}
	if (c) {
		ended(c, r, e);
		return;
	}
	rep->tcp.folded_sent += e->sent;
	rep->tcp.folded_received += e->received;
}

void report_datagrams(struct report *rep, const struct record *r)
{
	const struct ev_tcp_datagrams *e = (const struct ev_tcp_datagrams *)r->hdr;

	rep->tcp.udp_sent += e->sent;
	rep->tcp.udp_received += e->received;
	tally_add(rep, &rep->tcp.datagrams, r);
}

static bool is_v4(const struct ev_addr *a)
{
	static const __u8 mapped[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(a->b, mapped, sizeof(mapped));
}

static bool is_loopback(const struct ev_addr *a)
{
	static const __u8 one[16] = {[15] = 1};

	return is_v4(a) ? a->b[12] == 127 : !memcmp(a->b, one, sizeof(one));
}

void report_address(char *out, size_t size, const struct ev_addr *a)
{
	const char *s = is_v4(a) ? inet_ntop(AF_INET, a->b + 12, out, (socklen_t)size)
				 : inet_ntop(AF_INET6, a->b, out, (socklen_t)size);

	if (!s && size)
		out[0] = 0;
}

void report_tcp_index(struct report *rep, struct hash *by_ends)
{
	for (struct report_connection *c = rep->tcp.first; c; c = c->next) {
		struct ends_key k = {.local_addr = c->local_addr,
				     .peer_addr = c->peer_addr,
				     .local_port = c->local_port,
				     .peer_port = c->peer_port};
		struct ends_key *kept = arena_alloc(&rep->index, sizeof(k));

		if (c->connect_err || !kept)
			continue;
		*kept = k;
		/* Without memory for it, a peer is not named: no more than that. */
		(void)hash_add(by_ends, hash_bytes(by_ends->seed, kept, sizeof(k)), &c->node, kept,
			       sizeof(k));
	}
}

static __u64 apart(const struct report_connection *a, const struct report_connection *b)
{
	return a->first > b->first ? a->first - b->first : b->first - a->first;
}

/*
 * The same connection as its other end recorded it. Ports are used again, so the nearest in time
 * is taken. A loopback address means something else in each network namespace: it only matches
 * within the container.
 */
static const struct report_connection *other_end(const struct report_connection *c,
						 const struct hash *by_ends)
{
	struct ends_key k = {.local_addr = c->peer_addr,
			     .peer_addr = c->local_addr,
			     .local_port = c->peer_port,
			     .peer_port = c->local_port};
	bool loopback = is_loopback(&c->local_addr) || is_loopback(&c->peer_addr);
	const struct report_connection *best = NULL;
	struct hash_node *n;

	n = hash_find(by_ends, hash_bytes(by_ends->seed, &k, sizeof(k)), &k, sizeof(k));
	for (; n; n = hash_next_equal(n)) {
		const struct report_connection *o = (const struct report_connection *)n;

		if (o == c || (loopback && o->report != c->report))
			continue;
		if (!best || apart(o, c) < apart(best, c))
			best = o;
	}
	return best;
}

void report_tcp_join(struct report *rep, const struct hash *by_ends)
{
	for (struct report_connection *c = rep->tcp.first; c; c = c->next)
		if (!c->connect_err)
			c->peer = other_end(c, by_ends);
}

static void end_json(struct jw *j, const char *key, const struct ev_addr *addr, __u32 port)
{
	char s[INET6_ADDRSTRLEN];

	report_address(s, sizeof(s), addr);
	jw_object(j, key, JSON_INLINE);
	jw_str(j, "address", s);
	jw_u64(j, "port", port);
	jw_end(j);
}

static void error_json(struct jw *j, const char *key, __u32 err)
{
	char name[32];

	if (!err)
		return;
	report_errno_name(name, sizeof(name), err);
	jw_str(j, key, name);
}

static void peer_end_json(const struct report *rep, struct jw *j, const struct report_connection *o)
{
	jw_object(j, "peer_end", JSON_INLINE);
	report_container_ref(j, "container", o->report->container);
	jw_bool(j, "same_container", o->report == rep);
	report_process_ref(j, o->process, o->pid, o->comm);
	jw_end(j);
}

static void connection_json(const struct report *rep, struct jw *j,
			    const struct report_connection *c)
{
	jw_object(j, NULL, JSON_INLINE);
	jw_str(j, "direction", directions[c->direction]);
	jw_str_if(j, "family", name_enum(FT_family, c->family));
	end_json(j, "local", &c->local_addr, c->local_port);
	end_json(j, "peer", &c->peer_addr, c->peer_port);
	report_process_ref(j, c->process, c->pid, c->comm);
	error_json(j, "connect_error", c->connect_err);
	if (c->connect_err)
		jw_u64(j, "count", c->count);
	jw_time(j, "first", c->first);
	jw_time(j, "closed", c->closed);
	if (c->connect_err && c->count > 1)
		jw_time(j, "last", c->last);
	jw_u64_if(j, "latency", c->latency);
	if (!c->connect_err) {
		jw_u64(j, "sent_bytes", c->sent);
		jw_u64(j, "received_bytes", c->received);
		jw_u64(j, "sent_segments", c->segs_out);
		jw_u64(j, "received_segments", c->segs_in);
		jw_u64(j, "retransmits", c->retransmits);
		jw_u64_if(j, "rtt", c->rtt);
		jw_u64_if(j, "duration", c->duration);
	}
	error_json(j, "error", c->err);
	jw_true_if(j, "existing", c->existing);
	jw_true_if(j, "still_open", c->open);
	if (c->peer)
		peer_end_json(rep, j, c->peer);
	jw_end(j);
}

static void peer_sums_json(struct jw *j, const struct report_peer *p)
{
	jw_u64(j, "connections", p->connections);
	jw_u64_if(j, "failed", p->failed);
	jw_u64(j, "sent_bytes", p->sent);
	jw_u64(j, "received_bytes", p->received);
	jw_u64_if(j, "retransmits", p->retransmits);
}

static int by_traffic(const void *a, const void *b)
{
	const struct report_peer *x = *(struct report_peer *const *)a;
	const struct report_peer *y = *(struct report_peer *const *)b;
	__u64 nx = x->sent + x->received, ny = y->sent + y->received;

	if (nx != ny)
		return nx > ny ? -1 : 1;
	return memcmp(x->node.key, y->node.key, sizeof(struct peer_key));
}

static void peers_json(struct report *rep, struct jw *j)
{
	void **list = table_sorted(&rep->tcp.peers, by_traffic);

	jw_array(j, "peers", JSON_LINES);
	for (size_t i = 0; list && i < rep->tcp.peers.h.nr; i++) {
		const struct report_peer *p = list[i];
		char s[INET6_ADDRSTRLEN];

		report_address(s, sizeof(s), &p->addr);
		jw_object(j, NULL, JSON_INLINE);
		jw_str(j, "direction", directions[p->direction]);
		jw_str(j, "address", s);
		jw_u64(j, p->direction == DIR_IN ? "local_port" : "port", p->port);
		peer_sums_json(j, p);
		jw_end(j);
	}
	jw_end(j);
	free(list);
}

static void total_json(struct jw *j, const struct report_tcp *t)
{
	jw_object(j, "total", JSON_INLINE);
	jw_u64(j, "opened", t->opened);
	jw_u64(j, "accepted", t->accepted);
	jw_u64(j, "failed", t->failed);
	jw_u64(j, "existing", t->existing);
	jw_u64(j, "unopened", t->unopened);
	jw_u64(j, "closed", t->closed);
	jw_u64(j, "sent_bytes", t->sent);
	jw_u64(j, "received_bytes", t->received);
	jw_u64(j, "retransmits", t->retransmits);
	jw_u64(j, "udp_sent_bytes", t->udp_sent);
	jw_u64(j, "udp_received_bytes", t->udp_received);
	jw_end(j);
}

void report_tcp_json(struct report *rep, struct jw *j)
{
	const struct report_tcp *t = &rep->tcp;

	jw_object(j, "tcp", JSON_LINES);
	jw_u64(j, "listed", t->nr);
	total_json(j, t);
	jw_object(j, "folded", JSON_INLINE);
	jw_u64(j, "connections", t->folded);
	jw_u64(j, "sent_bytes", t->folded_sent);
	jw_u64(j, "received_bytes", t->folded_received);
	jw_u64(j, "listeners", t->listeners.t.folded);
	jw_u64(j, "udp", t->datagrams.t.folded);
	jw_u64(j, "peers", t->peers.folded);
	jw_object(j, "peer_sums", JSON_INLINE);
	peer_sums_json(j, &t->folded_peers);
	jw_end(j);
	jw_end(j);
	jw_array(j, "connections", JSON_LINES);
	for (const struct report_connection *c = t->first; c; c = c->next)
		connection_json(rep, j, c);
	jw_end(j);
	tally_json(rep, j, "listeners", &t->listeners, -1);
	peers_json(rep, j);
	jw_end(j);
	jw_object(j, "udp", JSON_LINES);
	tally_json(rep, j, "peers", &t->datagrams, -1);
	jw_end(j);
}
