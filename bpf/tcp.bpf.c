// SPDX-License-Identifier: GPL-2.0
/*
 * TCP connections and UDP traffic, IPv4 and IPv6.
 *
 * A connection's states change wherever its packets are handled: in a softirq on top of any task.
 * So nothing here asks who is current, except where the kernel is known to work for the caller (the
 * begin of a connect, the exit of a system call). What was learnt there is kept per socket in
 * `socks`; a socket that is not there is told by the cgroup of the task that made it, without a
 * process (EV_F_NOPROC).
 *
 *	connect(2)    CLOSE -> SYN_SENT             `socks`: who, since when
 *	              SYN_SENT -> ESTABLISHED       tcp.connect
 *	              SYN_SENT -> CLOSE             tcp.connect with errno, now or at the call's exit
 *	listener      SYN_RECV -> ESTABLISHED       `socks`: the listener's cgroup, no process
 *	accept(2)     exit                          tcp.accept; `socks`: who
 *	              any of these -> CLOSE          tcp.close
 *
 * The state becomes CLOSE when the connection has ended for good (what is in TIME_WAIT is no
 * longer a struct sock), which may be long after close(2): only then are the numbers final. A
 * connection that nobody accepted ends with a tcp.close alone, without a process.
 */
#include "sys.bpf.h"
#include "uring.bpf.h"
#include "traced.bpf.h"
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "GPL";

#define AF_UNSPEC     0
#define IPPROTO_TCP   6
#define IPPROTO_UDP   17
#define IPPROTO_MPTCP 262
#define SOCKFS_MAGIC  0x534f434b
#define SOCK_DONE     1 /* enum sock_flags, include/net/sock.h: a FIN has been received in order */
#define MSG_PEEK      0x2
#define MSG_ERRQUEUE  0x2000

enum tcp_state { /* include/net/tcp_states.h */
		 TCP_ESTABLISHED = 1,
		 TCP_SYN_SENT,
		 TCP_SYN_RECV,
		 TCP_FIN_WAIT1,
		 TCP_FIN_WAIT2,
		 TCP_TIME_WAIT,
		 TCP_CLOSE,
		 TCP_CLOSE_WAIT,
		 TCP_LAST_ACK,
		 TCP_LISTEN,
		 TCP_CLOSING,
		 TCP_NEW_SYN_RECV,
};

#define ENOENT	      2
#define EINTR	      4
#define EEXIST	      17
#define EISCONN	      106
#define EALREADY      114
#define EINPROGRESS   115
#define ECANCELED     125
#define ERESTARTSYS   512 /* include/linux/errno.h: the call goes on, or starts again */
#define ERESTART_LAST 516

enum conn_flags {
	CONN_CONNECTING = 1 << 0, /* connect(2) has begun and is not decided */
	CONN_OUTGOING = 1 << 1, /* this side opened it */
	CONN_ACCEPTED = 1 << 2,
	CONN_FOUND = 1 << 3, /* it was there before: which side opened it is not known */
	CONN_LISTENS = 1 << 4, /* a listener; kept so that it is not told twice at start */
	CONN_TOLD_OPEN = 1 << 5, /* told as still open: recording ends */
};

struct conn {
	struct ev_hdr owner; /* of the process that connected or accepted */
	__u64 id; /* `sock` in the records */
	__u64 since; /* begin of the connect, then of the connection; CLOCK_BOOTTIME, 0: not known */
	__u32 flags; /* enum conn_flags */
	__u32 peer_port; /* as in the socket: is it still the same one? */
};

/*
 * Key: address of the struct sock. Entries go when the socket's state becomes CLOSE. Memory is
 * taken as needed: hosts have few connections or very many.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, __u64);
	__type(value, struct conn);
} socks SEC(".maps");

/*
 * Sockets that are CLOSE, and that a system call may still come back to: connect(2) to fetch the
 * error of an attempt that was already told, accept(2) to fetch a connection that has already
 * ended. Most never do: the oldest make room.
 */
struct ended {
	__u64 id;
	__u64 ino; /* inode of the socket: its address may be another's by now. 0 if never accepted */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct ended);
} socks_ended SEC(".maps");

/* Attempts that failed in connect(2) with nothing in sk_err: its exit has the errno. Key: tid. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct ev_tcp_connect);
} tcp_failing SEC(".maps");

/* ---- what a socket says ---- */

/* The ends are the first fields of all records alike: they are filled in through the shortest. */
#define ENDS(e) ((struct ev_tcp_accept *)(e))
#define SAME_PLACE(type, member)                                                                   \
	_Static_assert(__builtin_offsetof(struct ev_tcp_##type, member) ==                         \
			       __builtin_offsetof(struct ev_tcp_accept, member),                   \
		       #type "." #member)
SAME_PLACE(connect, sock);
SAME_PLACE(close, sock);
SAME_PLACE(existing, sock);
SAME_PLACE(datagrams, peer_port);
SAME_PLACE(listen, local_port);

__inline_always __u16 sock_protocol(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_protocol);
}

__inline_always __u32 sock_state(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_state);
}

__inline_always void addr_v4(struct ev_addr *a, __u32 addr)
{
	__u32 *w = (__u32 *)a;

	w[0] = w[1] = 0;
	w[2] = bpf_htonl(0xffff);
	w[3] = addr;
}

__inline_always bool addr_is_v4(const struct ev_addr *a)
{
	const __u32 *w = (const __u32 *)a;

	return !w[0] && !w[1] && w[2] == bpf_htonl(0xffff);
}

__inline_always bool addr_is_any(const struct ev_addr *a)
{
	const __u32 *w = (const __u32 *)a;

	return !w[0] && !w[1] && !w[2] && !w[3];
}

/* What talks IPv4 is IPv4, whatever the socket was made for; "::" beside it is 0.0.0.0. */
__inline_always void ends_settle(struct ev_tcp_accept *e)
{
	bool local4 = addr_is_v4(&e->local_addr), peer4 = addr_is_v4(&e->peer_addr);

	e->family = local4 || peer4 ? AF_INET : AF_INET6;
	if (peer4 && addr_is_any(&e->local_addr))
		addr_v4(&e->local_addr, 0);
	if (local4 && addr_is_any(&e->peer_addr))
		addr_v4(&e->peer_addr, 0);
}

/* The local port is read from inet_sport: skc_num is 0 again once the state becomes CLOSE. */
__inline_always void ends_local(struct ev_tcp_accept *e, struct sock *sk)
{
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET)
		addr_v4(&e->local_addr, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
	else
		bpf_core_read(&e->local_addr, sizeof(e->local_addr),
			      &sk->__sk_common.skc_v6_rcv_saddr);
	e->local_port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
}

__inline_always void ends_peer(struct ev_tcp_accept *e, struct sock *sk)
{
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET)
		addr_v4(&e->peer_addr, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	else
		bpf_core_read(&e->peer_addr, sizeof(e->peer_addr), &sk->__sk_common.skc_v6_daddr);
	e->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
}

__inline_always void ends_of(struct ev_tcp_accept *e, struct sock *sk)
{
	ends_local(e, sk);
	ends_peer(e, sk);
	ends_settle(e);
}

/* The peer as a struct sockaddr in user memory names it; false when there is none. */
__inline_always bool ends_user_peer(struct ev_tcp_accept *e, struct sock *sk, const void *uaddr,
				    int len)
{
	struct {
		__u16 family;
		__u16 port;
		__u32 v4; /* sin6_flowinfo */
	} in = {};

	if (!uaddr || len < 8 || bpf_probe_read_user(&in, sizeof(in), uaddr))
		return false;
	if (in.family == AF_UNSPEC && BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET)
		in.family = AF_INET; /* as the kernel takes it */
	if (in.family == AF_INET)
		addr_v4(&e->peer_addr, in.v4);
	else if (in.family != AF_INET6 ||
		 bpf_probe_read_user(&e->peer_addr, sizeof(e->peer_addr), uaddr + 8))
		return false;
	e->peer_port = bpf_ntohs(in.port);
	return true;
}

/*
 * The cgroup of the task that made the socket (or its listener); 0: not known. Sockets have none
 * of v1: there, only what a process does to a socket tells whose it is.
 */
__inline_always __u64 sock_cgroup(struct sock *sk)
{
	struct sock_cgroup_data___val *old;
	struct cgroup *cgroup;

	if (cfg.cgroup_hierarchy)
		return 0;
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	} else {
		old = (void *)sk + bpf_core_field_offset(struct sock, sk_cgrp_data);
		cgroup = (struct cgroup *)BPF_CORE_READ(old, val);
		if ((__u64)cgroup & 3) /* is_data, no_refcnt: v1 net_cls or net_prio is in use */
			return 0;
	}
	return cgroup ? BPF_CORE_READ(cgroup, kn, id) : 0;
}

__inline_always __u64 sock_ino(struct sock *sk)
{
	struct socket *sock = BPF_CORE_READ(sk, sk_socket);
	struct socket_alloc *a = (void *)sock - bpf_core_field_offset(struct socket_alloc, socket);

	return sock ? BPF_CORE_READ(a, vfs_inode.i_ino) : 0;
}

/* The internet socket behind an open file, or NULL. */
__inline_always struct sock *file_inet(struct file *f)
{
	struct inode *inode;
	struct sock *sk;
	__u16 family;

	if (!f)
		return NULL;
	inode = BPF_CORE_READ(f, f_inode);
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK ||
	    BPF_CORE_READ(inode, i_sb, s_magic) !=
		    SOCKFS_MAGIC) /* else: a unix socket's name, O_PATH */
		return NULL;
	sk = file_sock(f);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	return family == AF_INET || family == AF_INET6 ? sk : NULL;
}

/* ---- records ---- */

/* One CPU registers one socket at a time: time and CPU are never the same twice. */
__inline_always __u64 conn_new_id(__u64 now)
{
	return now << 10 | (bpf_get_smp_processor_id() & 1023);
}

/* A connection of which only the container is known. */
__inline_always void conn_nobody(struct conn *c, __u64 cgroup, __u64 since, __u32 flags)
{
	__builtin_memset(c, 0, sizeof(*c));
	c->owner.flags = EV_F_NOPROC;
	c->owner.cgroup = cgroup;
	c->id = conn_new_id(bpf_ktime_get_boot_ns());
	c->since = since;
	c->flags = flags;
}

/* For want of room (or of a lock) its tcp.close will be nobody's, or not told at all. */
__inline_always void conn_put(struct sock *sk, struct conn *c, __u64 flags)
{
	__u64 key = (__u64)sk;
	long err;

	c->peer_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	err = bpf_map_update_elem(&socks, &key, c, flags);
	if (err && err != -EEXIST &&
	    err != -ENOENT) /* those two are what the caller's flags ask for */
		ev_lost(EV_tcp_close);
}

/* User space has decided against this container? One that has ended is not in the map any more. */
__inline_always bool conn_ignored(const struct conn *c)
{
	__u64 id = c->owner.cgroup;
	struct ev_cgroup *cg = bpf_map_lookup_elem(&cgroups, &id);

	return cg && cg->flags & CG_IGNORED;
}

__inline_always void conn_header(struct ev_hdr *h, const struct conn *c, __u32 type, __u32 len)
{
	*h = c->owner;
	h->type = type;
	h->len = len;
	h->time = bpf_ktime_get_boot_ns();
}

__inline_always bool wanted_ports(const struct ev_hdr *h, __u32 type, __u32 local, __u32 peer)
{
	return ev_enabled(type) && filter_task(h->pid, h->uid, h->comm) && filter_port(local, peer);
}

/* Of a record with two ends. */
#define wanted(e, type) wanted_ports(&(e)->hdr, type, (e)->local_port, (e)->peer_port)

__inline_always void connect_fill(struct ev_tcp_connect *e, struct sock *sk, const struct conn *c,
				  int err)
{
	conn_header(&e->hdr, c, EV_tcp_connect, sizeof(*e));
	ends_of(ENDS(e), sk);
	e->sock = c->id;
	if (c->since)
		e->latency = e->hdr.time - c->since;
	e->err = err;
}

__inline_always bool fin_queued(__u32 state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_TIME_WAIT ||
	       state == TCP_CLOSING || state == TCP_LAST_ACK;
}

/*
 * Payload, exactly, from the sequence numbers; SYN and FIN each take one.
 *
 * Sent: acknowledged (bytes_acked, 64 bits) plus in flight (snd_nxt - snd_una). That is what was
 * handed to the network at least once. bytes_sent - bytes_retrans is not: what the local queue
 * refuses (a full qdisc, a firewall's DROP) is sent again as new, and counted again. bytes_acked
 * holds our SYN when this side opened the connection (a child of a listener begins behind it), and
 * our FIN is in the sum when it was queued and everything queued was sent.
 *
 * Received: bytes_received (64 bits) is how far rcv_nxt has moved since the SYN: the peer's FIN is
 * in it once it arrived in order, which sets SOCK_DONE (tcp_fin() in net/ipv4/tcp_input.c).
 */
__inline_always void close_bytes(struct ev_tcp_close *e, struct sock *sk, __u32 state, __u32 flags)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	__u32 next = BPF_CORE_READ(tp, snd_nxt);
	__u64 sent = BPF_CORE_READ(tp, bytes_acked) + (__u32)(next - BPF_CORE_READ(tp, snd_una));

	if (fin_queued(state) && next == BPF_CORE_READ(tp, write_seq))
		sent--;
	e->outgoing = !!(flags & CONN_OUTGOING);
	/* not seen from the beginning: the SYN in `sent` tells, unless the local queue refused something */
	if (flags & CONN_FOUND)
		e->outgoing = sent ==
			      BPF_CORE_READ(tp, bytes_sent) - BPF_CORE_READ(tp, bytes_retrans) + 1;
	if (e->outgoing && sent)
		sent--;
	e->sent = sent;
	e->received = BPF_CORE_READ(tp, bytes_received);
	if (BPF_CORE_READ(sk, __sk_common.skc_flags) >> SOCK_DONE & 1 && e->received)
		e->received--;
}

__inline_always void close_fill(struct ev_tcp_close *e, struct sock *sk, const struct conn *c,
				__u32 state)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	conn_header(&e->hdr, c, EV_tcp_close, sizeof(*e));
	ends_of(ENDS(e), sk);
	e->sock = c->id;
	close_bytes(e, sk, state, c->flags);
	e->segs_out = BPF_CORE_READ(tp, segs_out);
	e->segs_in = BPF_CORE_READ(tp, segs_in);
	e->retransmits = BPF_CORE_READ(tp, total_retrans);
	e->rtt = (__u64)(BPF_CORE_READ(tp, srtt_us) >> 3) * 1000;
	if (c->since)
		e->duration = e->hdr.time - c->since;
	e->err = BPF_CORE_READ(sk, sk_err);
}

__inline_always void send_connect(struct sock *sk, const struct conn *c, int err)
{
	struct ev_tcp_connect e = {};

	connect_fill(&e, sk, c, err);
	if (wanted(&e, EV_tcp_connect))
		ev_submit_fixed(&e, EV_tcp_connect, false);
}

__inline_always void send_close(struct sock *sk, const struct conn *c, __u32 state)
{
	struct ev_tcp_close e = {};

	if (!ev_enabled(EV_tcp_close))
		return;
	close_fill(&e, sk, c, state);
	if (wanted(&e, EV_tcp_close))
		ev_submit_fixed(&e, EV_tcp_close, false);
}

/* ---- states ---- */

/* In the context of the task that connects: connect(2), a fast open's sendmsg(2), io_uring. */
__inline_always void connect_begins(struct sock *sk)
{
	struct conn c = {};

	if (!current_watched())
		return;
	ev_header(&c.owner, 0, 0);
	c.since = c.owner.time;
	c.id = conn_new_id(c.since);
	c.flags = CONN_CONNECTING | CONN_OUTGOING;
	conn_put(sk, &c, BPF_ANY);
}

__inline_always void established(struct sock *sk, __u32 old)
{
	__u64 key = (__u64)sk, cgroup;
	struct conn c = {}, *have = bpf_map_lookup_elem(&socks, &key);

	if (have) {
		if (!(have->flags & CONN_CONNECTING))
			return;
		have->flags &= ~CONN_CONNECTING;
		c = *have;
		have->since = bpf_ktime_get_boot_ns();
		if (!(c.flags & CONN_TOLD_OPEN) && !conn_ignored(&c))
			send_connect(sk, &c, 0);
		return;
	}
	cgroup = sock_cgroup(sk);
	if (!cgroup_watched(cgroup))
		return;
	conn_nobody(&c, cgroup, 0, old == TCP_SYN_SENT ? CONN_OUTGOING : 0);
	if (old == TCP_SYN_SENT) /* begun before it was watched, or by somebody outside */
		send_connect(sk, &c, 0);
	c.since = bpf_ktime_get_boot_ns();
	conn_put(sk, &c, BPF_NOEXIST);
}

__inline_always bool current_connects(void)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct pt_regs *regs = task_regs(t);

	return regs && sys_native(sys_abi(t), sys_nr(regs)) == __NR_connect;
}

/*
 * sk_err is set when the network decided (refused, unreachable, timed out), in whatever context.
 * Otherwise the caller itself goes back: connect(2) fails on its way, and its exit tells why; or
 * the socket is closed while the attempt is under way.
 */
__inline_always void connect_fails(struct sock *sk, const struct conn *c)
{
	__u32 tid = bpf_get_current_pid_tgid();
	int err = BPF_CORE_READ(sk, sk_err);
	struct ended ended = {.id = c->id};
	struct ev_tcp_connect e = {};
	__u64 key = (__u64)sk;

	connect_fill(&e, sk, c, err ? err : ECANCELED);
	if (!wanted(&e, EV_tcp_connect))
		return;
	if (!err && current_connects()) {
		bpf_map_update_elem(&tcp_failing, &tid, &e, BPF_ANY);
		return;
	}
	ended.ino = sock_ino(sk);
	if (ended.ino)
		bpf_map_update_elem(&socks_ended, &key, &ended, BPF_ANY);
	ev_submit_fixed(&e, EV_tcp_connect, false);
}

__inline_always void connection_ends(struct sock *sk, const struct conn *c, __u32 old)
{
	struct ended ended = {.id = c->id};
	__u64 key = (__u64)sk;

	if (!(c->flags & (CONN_OUTGOING | CONN_ACCEPTED | CONN_FOUND)))
		bpf_map_update_elem(&socks_ended, &key, &ended, BPF_ANY);
	send_close(sk, c, old);
}

__inline_always void closed(struct sock *sk, __u32 old)
{
	__u64 key = (__u64)sk, cgroup;
	struct conn c, *have = bpf_map_lookup_elem(&socks, &key);

	if (have) {
		c = *have;
		bpf_map_delete_elem(&socks, &key);
		if (c.flags & CONN_TOLD_OPEN || conn_ignored(&c))
			return;
	} else {
		cgroup = sock_cgroup(sk);
		if (old == TCP_SYN_RECV || !cgroup_watched(cgroup))
			return;
		conn_nobody(&c, cgroup, 0, old == TCP_SYN_SENT ? CONN_CONNECTING : CONN_FOUND);
	}
	if (c.flags & CONN_CONNECTING)
		connect_fails(sk, &c);
	else
		connection_ends(sk, &c, old);
}

__inline_always void state_changes(struct sock *sk, int old, int new)
{
	__u64 key = (__u64)sk;

	if (new == TCP_CLOSE && old == TCP_LISTEN) /* of whatever protocol */
		bpf_map_delete_elem(&socks, &key);
	else if (sock_protocol(sk) != IPPROTO_TCP)
		return;
	else if (new == TCP_SYN_SENT)
		connect_begins(sk);
	else if (new == TCP_ESTABLISHED)
		established(sk, old);
	else
		closed(sk, old);
}

/* Most changes tell nothing. */
__inline_always bool state_matters(int old, int new)
{
	return new == TCP_SYN_SENT || new == TCP_ESTABLISHED || (new == TCP_CLOSE &&old != new);
}

/*
 * A softirq may come on top of this program with a change of another socket, which since 6.1 would be missed. (Where
 * programs are not preempted the first and the last are never both left out: states change in tasks and
 * in softirqs, and no softirq interrupts another.)
 */
TRACED_NESTED("tp_btf/inet_sock_set_state", tcp_state, struct sock *sk, int old, int new)
{
	if (state_matters(old, new))
		state_changes(sk, old, new);
	return 0;
}

/* ---- at the exit of a system call ---- */

__inline_always struct sock *fd_tcp(int fd)
{
	struct sock *sk = file_inet(fd_file(fd));

	return sk && sock_protocol(sk) == IPPROTO_TCP ? sk : NULL;
}

/* Failed, and not because an earlier attempt is under way, has succeeded, or goes on by itself. */
__inline_always bool attempt_failed(long ret)
{
	return ret < 0 && ret != -EINPROGRESS && ret != -EALREADY && ret != -EISCONN &&
	       ret != -EINTR && (ret > -ERESTARTSYS || ret < -ERESTART_LAST);
}

/*
 * A connect failed without ever leaving CLOSE: no route, no such address, not allowed. Or it
 * fetches the error of an attempt that failed since, which has been told: once only, the next
 * connect(2) is a new attempt (__inet_stream_connect() in net/ipv4/af_inet.c).
 */
__inline_always void connect_refused_here(struct sock *sk, const void *uaddr, int len, long ret,
					  __u32 how)
{
	__u64 key = (__u64)sk, ino;
	struct ev_tcp_connect e = {};
	struct ended *ended;

	if (!sk)
		return;
	ended = bpf_map_lookup_elem(&socks_ended, &key);
	ino = sock_ino(sk);
	if (ended && ended->ino && ended->ino == ino) {
		bpf_map_delete_elem(&socks_ended, &key);
		return;
	}
	ev_header(&e.hdr, EV_tcp_connect, sizeof(e));
	e.hdr.flags |= how;
	ends_of(ENDS(&e), sk);
	if (ends_user_peer(ENDS(&e), sk, uaddr, len))
		ends_settle(ENDS(&e));
	e.sock = conn_new_id(e.hdr.time);
	e.err = -ret;
	if (wanted(&e, EV_tcp_connect))
		ev_submit_fixed(&e, EV_tcp_connect, false);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(tcp_connect, struct pt_regs *regs, long ret)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct ev_tcp_connect *failing;
	struct sys_call call;

	sys_read(&call, regs);
	sys_demultiplex(&call);
	failing = bpf_map_lookup_elem(&tcp_failing, &tid);
	if (failing) {
		if (ret < 0)
			failing->err = -ret;
		ev_submit_fixed(failing, EV_tcp_connect, false);
		bpf_map_delete_elem(&tcp_failing, &tid);
	} else if (attempt_failed(ret)) {
		connect_refused_here(fd_tcp(call.a[0]), (void *)call.a[1], call.a[2], ret, 0);
	}
	sys_next(ctx, EVS_tcp, call.nr);
	return 0;
}

/* The connection is the accepting process's from here on, whoever made the listener. */
__inline_always void accepted(struct sock *sk, __u32 how)
{
	__u64 key = (__u64)sk;
	struct conn c = {}, *have = bpf_map_lookup_elem(&socks, &key);
	struct ev_tcp_accept e = {};
	struct ended *ended;

	ev_header(&c.owner, EV_tcp_accept, sizeof(e));
	c.flags = CONN_ACCEPTED;
	if (have) {
		c.id = have->id;
		c.since = have->since;
		/* not BPF_ANY: it may end on another CPU meanwhile, and would then stay for ever */
		conn_put(sk, &c, BPF_EXIST);
	} else if (sock_state(sk) != TCP_CLOSE) {
		c.since = c.owner.time;
		c.id = conn_new_id(c.since);
		conn_put(sk, &c, BPF_NOEXIST);
	} else {
		ended = bpf_map_lookup_elem(&socks_ended, &key);
		c.id = ended ? ended->id : conn_new_id(c.owner.time);
	}
	e.hdr = c.owner;
	e.hdr.flags |= how;
	ends_of(&e, sk);
	e.sock = c.id;
	if (wanted(&e, EV_tcp_accept))
		ev_submit_fixed(&e, EV_tcp_accept, false);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(tcp_accept, struct pt_regs *regs, long ret)
{
	struct sys_call call;
	struct sock *sk;

	sys_read(&call, regs);
	sys_demultiplex(&call);
	sk = ret >= 0 ? fd_tcp(ret) : NULL;
	if (sk)
		accepted(sk, 0);
	sys_next(ctx, EVS_tcp, call.nr);
	return 0;
}

__inline_always void listens(struct sock *sk, __u32 backlog, long ret, __u32 how)
{
	__u16 protocol = sk ? sock_protocol(sk) : 0;
	struct ev_tcp_listen e = {};
	struct conn c = {};

	/* a multipath listener takes plain connections as well: Go's servers ask for it */
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
		return;
	ev_header(&e.hdr, EV_tcp_listen, sizeof(e));
	e.hdr.flags |= how;
	if (ret == 0) {
		c.owner = e.hdr;
		c.flags = CONN_LISTENS;
		conn_put(sk, &c, BPF_ANY);
	}
	ends_local(ENDS(&e), sk);
	e.family = addr_is_v4(&e.local_addr) ? AF_INET : AF_INET6;
	e.backlog = backlog;
	e.err = ret < 0 ? -ret : 0;
	if (wanted_ports(&e.hdr, EV_tcp_listen, e.local_port, 0))
		ev_submit_fixed(&e, EV_tcp_listen, false);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(tcp_listen, struct pt_regs *regs, long ret)
{
	struct sys_call call;

	sys_read(&call, regs);
	sys_demultiplex(&call);
	listens(file_inet(fd_file(call.a[0])), call.a[1], ret, 0);
	sys_next(ctx, EVS_tcp, call.nr);
	return 0;
}

/* ---- connections that are there at start, and still there at the end ---- */

/*
 * Over all open files of all tasks, once, at start. The first task that holds a socket is taken
 * for its owner. A record that does not fit the reader's buffer any more is asked for again:
 * nothing may have been remembered then.
 */
SEC("iter/task_file")
int tcp_existing(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct ev_tcp_existing e = {};
	struct file *file = ctx->file;
	struct conn c = {};
	__u16 protocol;
	struct sock *sk;
	__u32 state;
	__u64 key;

	if (!task || !file || !cgroup_watched(task_cgroup_id(task)))
		return 0;
	sk = file_inet(file);
	if (!sk)
		return 0;
	protocol = sock_protocol(sk);
	state = sock_state(sk);
	if (state == TCP_CLOSE ||
	    (protocol != IPPROTO_TCP && !(protocol == IPPROTO_MPTCP && state == TCP_LISTEN)))
		return 0;
	ev_header_of(&c.owner, EV_tcp_existing, sizeof(e), task);
	c.id = conn_new_id(c.owner.time);
	c.since = c.owner.time;
	c.flags = CONN_FOUND;
	if (state == TCP_LISTEN)
		c.flags = CONN_LISTENS;
	else if (state == TCP_SYN_SENT)
		c.flags = CONN_CONNECTING | CONN_OUTGOING;
	c.peer_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	key = (__u64)sk;
	if (bpf_map_update_elem(&socks, &key, &c, BPF_NOEXIST))
		return 0; /* another task holds it as well, or it was opened since recording began */
	if (sock_state(sk) == TCP_CLOSE)
		bpf_map_delete_elem(&socks, &key); /* ended just now */
	e.hdr = c.owner;
	e.hdr.flags |= EV_F_EXISTING;
	ends_of(ENDS(&e), sk);
	e.sock = c.id;
	e.listening = state == TCP_LISTEN;
	if (state != TCP_SYN_SENT && wanted(&e, EV_tcp_existing) &&
	    bpf_seq_write(ctx->meta->seq, &e, sizeof(e)))
		bpf_map_delete_elem(&socks, &key);
	return 0;
}

/*
 * Is the socket gone though its entry is there? Then its end was missed. (One that ends at this
 * moment has lost its entry before its state changes.)
 */
__inline_always bool conn_stale(struct sock *sk, const struct conn *c, __u32 state)
{
	__u64 key = (__u64)sk;
	struct conn *now;

	if (sock_protocol(sk) == IPPROTO_TCP && state != TCP_CLOSE && state <= TCP_CLOSING &&
	    BPF_CORE_READ(sk, __sk_common.skc_dport) == c->peer_port)
		return false;
	now = bpf_map_lookup_elem(&socks, &key);
	if (now && now->id == c->id)
		ev_lost(EV_tcp_close);
	return true;
}

#define STILL_OPEN(seq, e, type)                                                                   \
	(!wanted(e, type) ? 0                                                                      \
	 : (seq)	  ? bpf_seq_write(seq, e, sizeof(*(e)))                                    \
			  : (ev_submit_fixed(e, type, false), 0))

/* Told once: one that ends later is not told again. @seq: NULL for the ring. */
__inline_always void still_open(struct seq_file *seq, struct sock *sk, struct conn *have)
{
	__u32 state = sock_state(sk);
	struct conn c = *have;
	long err = 0;

	if (c.flags & (CONN_LISTENS | CONN_TOLD_OPEN) || conn_ignored(&c) ||
	    conn_stale(sk, &c, state))
		return;
	if (c.flags & CONN_CONNECTING) {
		struct ev_tcp_connect e = {};

		connect_fill(&e, sk, &c, EINPROGRESS);
		err = STILL_OPEN(seq, &e, EV_tcp_connect);
	} else {
		struct ev_tcp_close e = {};

		close_fill(&e, sk, &c, state);
		e.open = 1;
		err = STILL_OPEN(seq, &e, EV_tcp_close);
	}
	if (!err)
		have->flags = c.flags | CONN_TOLD_OPEN;
}

/*
 * Over all entries of `socks`, once, when recording ends and while tcp_state is still attached:
 * also sockets that no process holds any more, or not yet.
 */
SEC("iter/bpf_map_elem")
int tcp_still_open(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 *key = ctx->key;
	struct conn *have = ctx->value;

	if (key && have)
		still_open(ctx->meta->seq, (struct sock *)*key, have);
	return 0;
}

static long still_open_each(struct bpf_map *map, const __u64 *key, struct conn *have, void *ctx)
{
	still_open(NULL, (struct sock *)*key, have);
	return 0;
}

/* The same where the kernel's policy refuses that: with the first task, whichever that is. */
SEC("iter/task")
int tcp_still_walked(struct bpf_iter__task *ctx)
{
	if (ctx->task && !ctx->meta->seq_num)
		bpf_for_each_map_elem(&socks, still_open_each, NULL, 0);
	return 0;
}

/* ---- UDP ---- */

struct datagrams_key {
	__u64 cgroup;
	__u32 tgid;
	__u32 start; /* low bits of the start time: a pid that was used again is another process */
	struct ev_addr local_addr, peer_addr;
	__u16 local_port, peer_port;
	__u32 setup;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct datagrams_key);
	__type(value, struct ev_tcp_datagrams);
} tcp_datagrams SEC(".maps");

/* Without their ends as well. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct datagrams_key);
	__type(value, struct ev_tcp_datagrams);
} tcp_datagrams_rest SEC(".maps");

/*
 * A datagram's record and its key are made here first: the stack of calls has no room for them (512
 * bytes for all together), and system call exits do not interrupt one another.
 */
struct datagram_new {
	struct ev_tcp_datagrams d;
	struct datagrams_key k;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct datagram_new);
} tcp_datagram SEC(".maps");

__inline_always void datagrams_add(struct ev_tcp_datagrams *to, const struct ev_tcp_datagrams *d)
{
	__sync_fetch_and_add(&to->sends, d->sends);
	__sync_fetch_and_add(&to->sent, d->sent);
	__sync_fetch_and_add(&to->receives, d->receives);
	__sync_fetch_and_add(&to->received, d->received);
}

__inline_always void datagrams_count(struct ev_tcp_datagrams *d, struct datagrams_key *k)
{
	const struct seen *who = seen_caller();
	struct ev_tcp_datagrams *have;

	if (!who)
		return;
	k->cgroup = who->cgroup;
	k->tgid = who->tgid;
	k->start = who->start;
	k->local_addr = d->local_addr;
	k->peer_addr = d->peer_addr;
	k->local_port = d->local_port;
	k->peer_port = d->peer_port;
	k->setup = who->setup;
	have = bpf_map_lookup_elem(&tcp_datagrams, k);
	if (have) {
		datagrams_add(have, d);
		return;
	}
	seen_header(&d->hdr, who, EV_tcp_datagrams, sizeof(*d), bpf_ktime_get_boot_ns());
	if (!wanted(d, EV_tcp_datagrams) || !bpf_map_update_elem(&tcp_datagrams, k, d, BPF_NOEXIST))
		return;
	/* another CPU was first, or the map is full */
	have = bpf_map_lookup_elem(&tcp_datagrams, k);
	if (!have) {
		k->tgid = k->start = 0;
		__builtin_memset(&k->local_addr, 0, sizeof(k->local_addr) + sizeof(k->peer_addr));
		k->local_port = k->peer_port = d->local_port = d->peer_port = 0;
		d->local_addr = k->local_addr;
		d->peer_addr = k->peer_addr;
		have = counter_rest(&tcp_datagrams_rest, k, &d->hdr, sizeof(*d));
	}
	if (have)
		datagrams_add(have, d);
}

/*
 * One datagram of @bytes on @addr, a struct sock of UDP. The peer is the one named at @name, if
 * there is one, else the one the socket is connected to. A function of its own: it is called in a
 * loop over messages.
 */
__attribute__((noinline)) int datagram(__u64 addr, __u64 name, int namelen, __u32 bytes, int dir)
{
	struct sock *sk = (struct sock *)addr;
	struct ev_tcp_datagrams *d;
	struct datagram_new *new;
	__u32 zero = 0;

	new = bpf_map_lookup_elem(&tcp_datagram, &zero);
	if (!new)
		return 0;
	d = &new->d;
	__builtin_memset(d, 0, sizeof(*d));
	ends_local(ENDS(d), sk);
	if (!ends_user_peer(ENDS(d), sk, (void *)name, namelen))
		ends_peer(ENDS(d), sk);
	ends_settle(ENDS(d));
	if (dir == IO_WRITE) {
		d->sends = 1;
		d->sent = bytes;
	} else {
		d->receives = 1;
		d->received = bytes;
	}
	datagrams_count(d, &new->k);
	return 0;
}

/* The head of the struct msghdr at @at: where the peer's address is. */
__inline_always __u64 message_name(__u32 abi, __u64 at, int *namelen)
{
	struct {
		__u64 name;
		int namelen;
	} native = {};
	struct {
		__u32 name;
		int namelen;
	} compat = {};

	if (abi == EV_ABI_COMPAT) {
		bpf_probe_read_user(&compat, sizeof(compat), (void *)at);
		*namelen = compat.namelen;
		return compat.name;
	}
	bpf_probe_read_user(&native, 12, (void *)at);
	*namelen = native.namelen;
	return native.name;
}

/* Message @i of a struct mmsghdr[]: each is a struct msghdr and the bytes that were moved. */
__attribute__((noinline)) int datagram_of(__u64 addr, __u64 messages, __u32 i, __u32 abi, int dir)
{
	__u64 at = messages + i * (abi == EV_ABI_COMPAT ? 32 : 64), name;
	__u32 len = 0;
	int namelen;

	bpf_probe_read_user(&len, sizeof(len), (void *)at + (abi == EV_ABI_COMPAT ? 28 : 56));
	name = message_name(abi, at, &namelen);
	return datagram(addr, name, namelen, len, dir);
}

__attribute__((noinline)) int datagram_each(__u64 addr, __u64 messages, int n, __u32 abi, int dir)
{
	for (int i = 0; i < 1024 /* UIO_MAXIOV: the kernel takes no more */; i++) {
		if (i >= n)
			break;
		datagram_of(addr, messages, i, abi, dir);
	}
	return 0;
}

/* Looking at a datagram without taking it, or at an error, is no traffic. */
__inline_always bool only_looks(const struct sys_call *call)
{
	__u64 flags = 0;

	if (call->nr == __NR_recvmsg)
		flags = call->a[2];
	else if (call->nr == __NR_recvfrom || call->nr == __NR_recvmmsg)
		flags = call->a[3];
	return flags & (MSG_PEEK | MSG_ERRQUEUE);
}

__inline_always void datagram_end(const struct sys_call *call, const struct io_end *end, long ret)
{
	int namelen = 0;
	__u64 name = 0;
	struct sock *sk;

	if (end->class != IO_NET || (end->dir != IO_READ && end->dir != IO_WRITE) ||
	    only_looks(call))
		return;
	sk = file_sock((struct file *)end->file);
	if (sock_protocol(sk) != IPPROTO_UDP)
		return;
	switch (call->nr) {
	case __NR_sendmmsg:
	case __NR_recvmmsg: datagram_each((__u64)sk, call->a[1], ret, call->abi, end->dir); return;
	case __NR_sendmsg:
	case __NR_recvmsg: name = message_name(call->abi, call->a[1], &namelen); break;
	case __NR_sendto:
		name = call->a[4];
		namelen = call->a[5];
		break;
	case __NR_recvfrom:
		name = call->a[4];
		if (name)
			bpf_probe_read_user(&namelen, sizeof(namelen), (void *)call->a[5]);
		break;
	case __NR_splice:
	case __NR_sendfile:
		if (!ret) /* the end of the file, not an empty datagram */
			return;
	}
	datagram((__u64)sk, name, namelen, end->bytes, end->dir);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(tcp_io, struct pt_regs *regs, long ret)
{
	struct io_now *now = io_now_get();
	struct sys_call call;

	if (!now)
		return 0;
	sys_read(&call, regs);
	sys_demultiplex(&call);
	datagram_end(&call, &now->end[0], ret);
	datagram_end(&call, &now->end[1], ret);
	io_next(ctx, now, IO_NET);
	return 0;
}

/* ---- io_uring ---- */

/* The connection of a request to connect is told by its states, wherever they change; but not why it failed at once. */
__inline_always void uring_connects(const struct uring_done *d)
{
	struct io_kiocb *req = d->req;
	struct io_connect *c = (struct io_connect *)req;
	struct sock *sk = file_inet(BPF_CORE_READ(req, file));

	if (attempt_failed(d->ret) && sk && sock_protocol(sk) == IPPROTO_TCP)
		connect_refused_here(sk, BPF_CORE_READ(c, addr), BPF_CORE_READ(c, addr_len), d->ret,
				     EV_F_IO_URING);
}

/* With a slot, the connection is in the ring's own table; then nobody's until it ends. */
__inline_always void uring_accepts(const struct uring_done *d)
{
	struct io_accept *a = (struct io_accept *)d->req;
	struct sock *sk = NULL;

	if (d->ret >= 0 && !BPF_CORE_READ(a, file_slot))
		sk = fd_tcp(d->ret);
	if (sk)
		accepted(sk, EV_F_IO_URING);
}

__inline_always void uring_listens(const struct uring_done *d)
{
	struct io_kiocb *req = d->req;
	struct io_listen *l = (struct io_listen *)req;

	if (bpf_core_type_exists(struct io_listen))
		listens(file_inet(BPF_CORE_READ(req, file)), BPF_CORE_READ(l, backlog), d->ret,
			EV_F_IO_URING);
}

/* A datagram; its peer, where the request has it in a struct msghdr, else the socket's. */
__inline_always void uring_datagram(const struct uring_done *d, const struct io_end *end)
{
	bool message =
		d->op == URING_SENDMSG || d->op == URING_RECVMSG || d->op == URING_SENDMSG_ZC;
	bool plain = d->op == URING_SEND || d->op == URING_RECV; /* else a read or a write */
	struct io_sr_msg *m = (struct io_sr_msg *)d->req;
	int namelen = 0;
	__u64 name = 0;
	struct sock *sk;

	if (end->class != IO_NET)
		return;
	sk = file_sock((struct file *)end->file);
	if (sock_protocol(sk) != IPPROTO_UDP)
		return;
	if ((message || plain) && BPF_CORE_READ(m, msg_flags) & (MSG_PEEK | MSG_ERRQUEUE))
		return;
	if (message)
		name = message_name(EV_ABI_NATIVE, (__u64)BPF_CORE_READ(m, umsg), &namelen);
	datagram((__u64)sk, name, namelen, end->bytes, end->dir);
}

TRACED("tp_btf/io_uring_complete", tcp_uring, struct io_ring_ctx *ring, struct io_kiocb *req)
{
	struct uring_done d;
	struct io_end end[2];

	if (!uring_completes(&d, req))
		return 0;
	if (uring_ends(end, &d)) {
		if (seen_watched())
			uring_datagram(&d, &end[0]);
		return 0;
	}
	if (!current_watched())
		return 0;
	switch (d.op) {
	case URING_CONNECT: uring_connects(&d); break;
	case URING_ACCEPT: uring_accepts(&d); break;
	case URING_LISTEN: uring_listens(&d); break;
	}
	return 0;
}
