// SPDX-License-Identifier: MIT
/*
 * Who talks to whom inside the machine. A channel (a pipe, one end of a unix socket, …) is known
 * by its inode number; the processes that used it hang on it, and the two ends of a socket are
 * put together when the report is written, across containers too.
 */
#include <stdlib.h>
#include <string.h>
#include "container/container.h"
#include "../names.h" /* not include/names.h, which the search path has first */
#include "report/report_state.h"

struct channel_key {
	__u64 ino;
	__u32 kind, pad;
};

struct user_key {
	__u64 ino;
	__u32 kind, pid;
	__u64 start;
};

static __u32 kind_index(__u32 kind)
{
	return kind <= IPCKIND_NETLINK ? kind : IPCKIND_OTHER;
}

static bool is_unix(__u32 kind)
{
	return kind == IPCKIND_UNIX_STREAM || kind == IPCKIND_UNIX_DGRAM ||
	       kind == IPCKIND_UNIX_SEQPACKET;
}

static bool is_pipe(__u32 kind)
{
	return kind == IPCKIND_PIPE || kind == IPCKIND_FIFO;
}

static struct report_channel *channel_get(struct report *rep, const struct record *r, __u32 kind,
					  __u64 ino)
{
	struct channel_key k = {.ino = ino, .kind = kind};
	struct report_channel *c;
	bool fresh;

	c = table_get(rep, &rep->ipc.channels, &k, sizeof(k), sizeof(*c), &fresh);
	if (!c) {
		rep->ipc.channels.folded++;
		rep->ipc.folded[kind_index(kind)].records++;
		return NULL;
	}
	if (fresh) {
		c->kind = kind;
		c->ino = ino;
		c->first = r->wall;
		rep->ipc.total[kind_index(kind)].channels++;
	}
	if (r->wall > c->last)
		c->last = r->wall;
	return c;
}

static void set_name(struct report *rep, struct text *t, const struct record *r, struct ev_ref ref)
{
	size_t len;
	const char *s = report_string(rep, r->hdr, ref, &len);

	if (s && !t->s)
		*t = report_text_copy(rep, s, len);
}

static struct channel_user *user_get(struct report *rep, const struct record *r,
				     struct report_channel *c)
{
	struct user_key k = {
		.ino = c->ino, .kind = c->kind, .pid = r->hdr->pid, .start = r->hdr->start};
	struct channel_user *u;
	bool fresh;

	u = table_get(rep, &rep->ipc.users, &k, sizeof(k), sizeof(*u), &fresh);
	if (!u) {
		rep->ipc.users.folded++;
		return NULL;
	}
	if (fresh) {
		u->process = report_process_of(rep, r);
		u->pid = r->hdr->pid;
		memcpy(u->comm, r->hdr->comm, EV_COMM_LEN);
		u->next = c->users;
		c->users = u;
	}
	return u;
}

void report_pipe(struct report *rep, const struct record *r)
{
	const struct ev_ipc_pipe *e = (const struct ev_ipc_pipe *)r->hdr;
	struct report_channel *c = channel_get(rep, r, IPCKIND_PIPE, e->ino);

	rep->ipc.total[IPCKIND_PIPE].made++;
	if (c)
		c->maker = report_process_of(rep, r);
}

void report_channel(struct report *rep, const struct record *r)
{
	const struct ev_ipc_channel *e = (const struct ev_ipc_channel *)r->hdr;
	struct report_channel *c = channel_get(rep, r, e->kind, e->ino);

	if (!c)
		return;
	if (e->peer_ino)
		c->peer_ino = e->peer_ino;
	if (e->peer_pid)
		c->peer_pid = e->peer_pid;
	set_name(rep, &c->name, r, e->name);
	set_name(rep, &c->peer_name, r, e->peer_name);
	user_get(rep, r, c);
}

static void add_io(struct channel_sums *s, const struct ev_ipc_io *e)
{
	s->reads += e->reads;
	s->read_bytes += e->read_bytes;
	s->writes += e->writes;
	s->written_bytes += e->written_bytes;
}

void report_channel_io(struct report *rep, const struct record *r)
{
	const struct ev_ipc_io *e = (const struct ev_ipc_io *)r->hdr;
	struct report_channel *c = channel_get(rep, r, e->kind, e->ino);
	struct channel_user *u = c ? user_get(rep, r, c) : NULL;

	add_io(&rep->ipc.total[kind_index(e->kind)], e);
	if (!u) {
		add_io(&rep->ipc.folded[kind_index(e->kind)], e);
		return;
	}
	if (e->peer_ino)
		c->peer_ino = e->peer_ino;
	u->reads += e->reads;
	u->read_bytes += e->read_bytes;
	u->writes += e->writes;
	u->written_bytes += e->written_bytes;
}

void report_unix_connect(struct report *rep, const struct record *r)
{
	const struct ev_ipc_unix_connect *e = (const struct ev_ipc_unix_connect *)r->hdr;
	struct report_channel *c;

	if (e->err) {
		tally_add(rep, &rep->ipc.events, r);
		return;
	}
	rep->ipc.total[kind_index(e->kind)].made++;
	c = channel_get(rep, r, e->kind, e->ino);
	if (!c)
		return;
	c->connected = !e->pair;
	c->pair = e->pair;
	c->maker = report_process_of(rep, r);
	if (e->peer_ino)
		c->peer_ino = e->peer_ino;
	if (e->peer_pid)
		c->peer_pid = e->peer_pid;
	set_name(rep, &c->peer_name, r, e->name);
}

void report_unix_accept(struct report *rep, const struct record *r)
{
	const struct ev_ipc_unix_accept *e = (const struct ev_ipc_unix_accept *)r->hdr;
	struct report_channel *c = channel_get(rep, r, e->kind, e->ino);

	if (!c)
		return;
	c->accepted = true;
	c->maker = report_process_of(rep, r);
	if (e->peer_ino)
		c->peer_ino = e->peer_ino;
	if (e->peer_pid)
		c->peer_pid = e->peer_pid;
	set_name(rep, &c->name, r, e->name);
}

void report_unix_name(struct report *rep, const struct record *r)
{
	/* bind and listen begin alike; a listener is no channel, it only gives its name. */
	const struct ev_ipc_unix_bind *e = (const struct ev_ipc_unix_bind *)r->hdr;
	struct report_channel *c;

	tally_add(rep, &rep->ipc.events, r);
	if (r->hdr->type != EV_ipc_unix_bind || e->err || e->kind != IPCKIND_UNIX_DGRAM)
		return;
	c = channel_get(rep, r, e->kind, e->ino);
	if (c)
		set_name(rep, &c->name, r, e->name);
}

void report_ipc_event(struct report *rep, const struct record *r)
{
	const struct ev_ipc_signal *e = (const struct ev_ipc_signal *)r->hdr;

	if (r->hdr->type == EV_ipc_signal) {
		rep->ipc.signals++;
		rep->ipc.signals_crossing += e->crosses != 0;
	}
	tally_add(rep, &rep->ipc.events, r);
}

static void sums_json(struct jw *j, __u64 calls, __u64 bytes, const char *verb, const char *done)
{
	jw_u64(j, verb, calls);
	jw_u64(j, done, bytes);
}

static void users_json(struct jw *j, const char *key, const struct report_channel *c, bool reads,
		       bool writes)
{
	jw_array(j, key, JSON_INLINE);
	for (const struct channel_user *u = c ? c->users : NULL; u; u = u->next) {
		/* Who only opened a pipe is neither its reader nor its writer. */
		if (!(reads && u->reads) && !(writes && u->writes) && !(reads && writes))
			continue;
		jw_object(j, NULL, JSON_INLINE);
		report_process_ref(j, u->process, u->pid, u->comm);
		if (reads)
			sums_json(j, u->reads, u->read_bytes, "reads", "read_bytes");
		if (writes)
			sums_json(j, u->writes, u->written_bytes, "writes", "written_bytes");
		jw_end(j);
	}
	jw_end(j);
}

static void text_json(struct jw *j, const char *key, struct text t)
{
	if (t.s)
		jw_bytes(j, key, t.s, t.len);
}

static void channel_head(struct jw *j, const struct report_channel *c)
{
	jw_object(j, NULL, JSON_INLINE);
	jw_str(j, "type", report_enum(FT_ipckind, c->kind));
}

static void times_json(struct jw *j, const struct report_channel *c)
{
	jw_time(j, "first", c->first);
	jw_time(j, "last", c->last);
}

static void pipe_json(struct jw *j, const struct report_channel *c)
{
	channel_head(j, c);
	jw_u64(j, "inode", c->ino);
	text_json(j, "name", c->name);
	if (c->maker)
		jw_u64(j, "made_by", c->maker->id);
	users_json(j, "writers", c, false, true);
	users_json(j, "readers", c, true, false);
	times_json(j, c);
	jw_end(j);
}

static void other_json(struct jw *j, const struct report_channel *c)
{
	channel_head(j, c);
	jw_u64(j, "inode", c->ino);
	text_json(j, "name", c->name);
	users_json(j, "users", c, true, true);
	times_json(j, c);
	jw_end(j);
}

static struct report_channel *end_of(const struct report *rep, __u32 kind, __u64 ino)
{
	struct channel_key k = {.ino = ino, .kind = kind};

	return ino ? table_find(rep, &rep->ipc.channels, &k, sizeof(k)) : NULL;
}

/* The other end of @c: here, or in another container of this recording (*where). */
static struct report_channel *peer_of(const struct report *rep, const struct report_channel *c,
				      const struct report **where)
{
	struct report_channel *peer = end_of(rep, c->kind, c->peer_ino);

	*where = rep;
	if (peer || !c->peer_ino)
		return peer;
	for (*where = report_first(rep); *where; *where = (*where)->next) {
		peer = end_of(*where, c->kind, c->peer_ino);
		if (peer)
			return peer;
	}
	return NULL;
}

/*
 * Whoever connects, and writes before it is accepted, is not told who is at the other end: the one
 * that accepted knows. Datagram sockets have no one other end.
 */
void report_ipc_join(struct report *rep)
{
	const struct report *where;
	struct hash_node *n;

	table_for_each(&rep->ipc.channels, n)
	{
		struct report_channel *c = (struct report_channel *)n, *peer;

		if (c->kind != IPCKIND_UNIX_STREAM && c->kind != IPCKIND_UNIX_SEQPACKET)
			continue;
		peer = peer_of(rep, c, &where);
		if (peer && !peer->peer_ino)
			peer->peer_ino = c->ino;
	}
}

static void end_json(struct jw *j, const struct report *rep, const struct report *where,
		     const struct report_channel *c, const struct report_channel *other, __u64 ino)
{
	struct text name = c ? c->name : (struct text){0};

	if (!name.s && other)
		name = other->peer_name;
	jw_object(j, NULL, JSON_INLINE);
	jw_u64_if(j, "inode", ino);
	text_json(j, "name", name);
	if (c && c->accepted)
		jw_str(j, "role", "accepted");
	else if (c && c->connected)
		jw_str(j, "role", "connected");
	if (!c && other)
		jw_u64_if(j, "pid", other->peer_pid);
	if (where && where != rep)
		report_container_ref(j, "container", where->container);
	users_json(j, "users", c, true, true);
	jw_end(j);
}

static void unix_json(struct jw *j, const struct report *rep, struct report_channel *c)
{
	const struct report *where;
	struct report_channel *peer = peer_of(rep, c, &where);

	if (where == rep && peer)
		peer->listed = true;
	c->listed = true;
	channel_head(j, c);
	jw_true_if(j, "pair", c->pair || (peer && peer->pair));
	jw_array(j, "ends", JSON_INLINE);
	end_json(j, rep, rep, c, peer, c->ino);
	if (peer != c && (c->peer_ino || c->peer_name.s || c->peer_pid))
		end_json(j, rep, peer ? where : NULL, peer, c, c->peer_ino);
	jw_end(j);
	times_json(j, c);
	jw_end(j);
}

static int by_time(const void *a, const void *b)
{
	const struct report_channel *x = *(struct report_channel *const *)a;
	const struct report_channel *y = *(struct report_channel *const *)b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void totals_json(struct jw *j, const char *key, const struct channel_sums *list, bool folded)
{
	jw_object(j, key, JSON_LINES);
	for (__u32 kind = 0; kind <= IPCKIND_NETLINK; kind++) {
		const struct channel_sums *s = &list[kind];
		const char *name = name_enum(FT_ipckind, kind);

		if (!name || !(s->channels | s->records | s->reads | s->writes | s->made))
			continue;
		jw_object(j, name, JSON_INLINE);
		if (folded)
			jw_u64(j, "records", s->records);
		else
			jw_u64(j, "channels", s->channels);
		jw_u64_if(j, "made", s->made);
		sums_json(j, s->reads, s->read_bytes, "reads", "read_bytes");
		sums_json(j, s->writes, s->written_bytes, "writes", "written_bytes");
		jw_end(j);
	}
	jw_end(j);
}

static void channels_json(struct report *rep, struct jw *j)
{
	void **list = table_sorted(&rep->ipc.channels, by_time);
	size_t nr = list ? rep->ipc.channels.h.nr : 0;

	jw_array(j, "pipes", JSON_LINES);
	for (size_t i = 0; i < nr; i++)
		if (is_pipe(((struct report_channel *)list[i])->kind))
			pipe_json(j, list[i]);
	jw_end(j);
	jw_array(j, "unix", JSON_LINES);
	for (size_t i = 0; i < nr; i++)
		((struct report_channel *)list[i])->listed = false;
	for (size_t i = 0; i < nr; i++) {
		struct report_channel *c = list[i];

		if (is_unix(c->kind) && !c->listed)
			unix_json(j, rep, c);
	}
	jw_end(j);
	jw_array(j, "others", JSON_LINES);
	for (size_t i = 0; i < nr; i++) {
		__u32 kind = ((struct report_channel *)list[i])->kind;

		if (!is_pipe(kind) && !is_unix(kind))
			other_json(j, list[i]);
	}
	jw_end(j);
	free(list);
}

void report_ipc_json(struct report *rep, struct jw *j)
{
	static const struct {
		const char *key;
		int type;
	} lists[] = {
		{"bound", EV_ipc_unix_bind},
		{"listeners", EV_ipc_unix_listen},
		{"failed_connects", EV_ipc_unix_connect},
		{"sysv", EV_ipc_sysv},
		{"signals", EV_ipc_signal},
		{"ptrace", EV_ipc_ptrace},
		{"process_vm", EV_ipc_process_vm},
		{"pidfd_getfd", EV_ipc_pidfd_getfd},
	};
	const struct report_ipc *ipc = &rep->ipc;

	jw_object(j, "ipc", JSON_LINES);
	totals_json(j, "total", ipc->total, false);
	jw_object(j, "folded", JSON_LINES);
	jw_u64(j, "records", ipc->channels.folded);
	jw_u64(j, "users", ipc->users.folded);
	jw_u64(j, "events", ipc->events.t.folded);
	totals_json(j, "channels", ipc->folded, true);
	jw_end(j);
	channels_json(rep, j);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		tally_json(rep, j, lists[i].key, &ipc->events, lists[i].type);
	jw_end(j);
}
