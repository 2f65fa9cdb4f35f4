// SPDX-License-Identifier: GPL-2.0
/*
 * Communication between processes: pipes, unix sockets, message queues and eventfds with what goes
 * through them; System V objects; signals; ptrace and its relatives.
 */
#include "uring.bpf.h"
#include "task.bpf.h"
#include "unix.bpf.h"
#include "traced.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* A call that a signal cut off and that the kernel will make again: nothing came of it yet. */
static __always_inline bool sys_restarts(long ret)
{
	return ret <= -512 /* ERESTARTSYS */ && ret > -4096;
}

static __always_inline __s32 sys_err(long ret)
{
	return ret < 0 && ret > -4096 ? -ret : 0;
}

static __always_inline bool hdr_wanted(struct ev_hdr *h)
{
	return filter_task(h->pid, h->uid, h->comm);
}

/* ---- channels: what goes through pipes, unix sockets, queues, eventfds ---- */

#define PIPEFS_MAGIC 0x50495045
#define AF_NETLINK   16

/*
 * A channel is its inode, not the open file: both ends of a pipe, and each opening of a FIFO, sum up
 * to one entry per process. The kernel soon makes a new pipe where an old one was, so that the
 * inode's number tells whether an entry is still that of its channel (io_retire()).
 */
struct io_key {
	__u64 cgroup;
	__u64 object;
	__u32 tgid;
	__u32 start;
	__u32 setup;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct io_key);
	__type(value, struct ev_ipc_io);
} ipc_io SEC(".maps");

/* Without their channels as well. The key's object is their kind. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, struct io_key);
	__type(value, struct ev_ipc_io);
} ipc_io_rest SEC(".maps");

/* A new record is written here first: the stack has no room for it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ev_ipc_io);
} ipc_io_new SEC(".maps");

struct channel {
	struct file *file;
	struct sock *sk; /* of a unix socket */
	__u64 object; /* with ino, what tells it from all others */
	__u64 ino;
	__u32 kind; /* enum ev_ipckind */
};

/* eventfds and signalfds share one inode: they are what the file's private data says. */
static __always_inline void channel_anon(struct channel *ch)
{
	struct file *f = ch->file; /* BPF_CORE_READ(ch->file, …) would relocate struct channel */
	struct eventfd_ctx *ctx = BPF_CORE_READ(f, private_data);
	char first = 0;

	bpf_probe_read_kernel(&first, 1, BPF_CORE_READ(f, f_path.dentry, d_name.name) + 1);
	ch->object = (__u64)ctx;
	if (first == 'e') { /* "[eventfd]" */
		ch->kind = IPCKIND_EVENTFD;
		ch->ino = BPF_CORE_READ(ctx, id);
	} else {
		ch->kind = IPCKIND_SIGNALFD;
	}
}

static __always_inline void channel_socket(struct channel *ch)
{
	struct sock *sk = file_sock(ch->file);
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family == AF_UNIX) {
		ch->sk = sk;
		ch->kind = unix_kind(sk);
	} else if (family == AF_NETLINK) {
		ch->kind = IPCKIND_NETLINK;
	}
}

/* Which channel an IO_IPC file is. */
static __always_inline void channel_of(struct channel *ch, struct file *f)
{
	struct inode *inode = BPF_CORE_READ(f, f_inode);
	__u64 magic = BPF_CORE_READ(inode, i_sb, s_magic);

	__builtin_memset(ch, 0, sizeof(*ch));
	ch->file = f;
	if (magic == ANON_INODE_FS_MAGIC) {
		channel_anon(ch);
		return;
	}
	ch->object = (__u64)inode;
	ch->ino = BPF_CORE_READ(inode, i_ino);
	if (magic == PIPEFS_MAGIC)
		ch->kind = IPCKIND_PIPE;
	else if (magic == MQUEUE_MAGIC)
		ch->kind = IPCKIND_MQUEUE;
	else if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFIFO)
		ch->kind = IPCKIND_FIFO;
	else
		channel_socket(ch);
}

static __always_inline __u64 channel_peer_ino(struct channel *ch)
{
	struct sock *peer = ch->sk ? unix_peer(ch->sk) : NULL;

	return peer ? sock_ino(peer) : 0;
}

/* Where the address is of a datagram without a fixed peer: an address of @len bytes, or in a msghdr. */
enum { TO_NOBODY = 0, TO_MSGHDR = ~0u, TO_MSGHDR_COMPAT = ~0u - 1 };

static __always_inline __u32 channel_to(const struct sys_call *c, __u64 *to)
{
	*to = c->nr == __NR_sendto ? c->a[4] : c->a[1];
	if (c->nr == __NR_sendto)
		return c->a[5];
	if (c->nr != __NR_sendmsg && c->nr != __NR_sendmmsg)
		return TO_NOBODY;
	return c->abi == EV_ABI_COMPAT ? TO_MSGHDR_COMPAT : TO_MSGHDR;
}

static __always_inline __u32 channel_destination(struct scratch *s, struct ev_ref *ref, __u64 to,
						 __u32 len)
{
	struct {
		__u64 name;
		__u32 len;
	} m = {}; /* begin of struct msghdr */
	struct {
		__u32 name, len;
	} m32 = {}; /* ... of the compat ABI's */

	if (len == TO_MSGHDR) {
		bpf_probe_read_user(&m, sizeof(m), (void *)to);
		to = m.name;
		len = m.len;
	} else if (len == TO_MSGHDR_COMPAT) {
		bpf_probe_read_user(&m32, sizeof(m32), (void *)to);
		to = m32.name;
		len = m32.len;
	}
	return len == TO_NOBODY ? 0 : tail_unix_arg(s, ref, to, len);
}

static __always_inline void channel_unix_names(struct scratch *s, struct channel *ch, __u64 to,
					       __u32 to_len)
{
	struct ev_ipc_channel *e = (struct ev_ipc_channel *)s->buf;
	struct sock *peer = unix_peer(ch->sk);

	e->name_flags = tail_unix_name(s, &e->name, ch->sk);
	e->peer_pid = unix_peer_pid(ch->sk);
	if (peer) {
		e->peer_ino = sock_ino(peer);
		e->peer_name_flags = tail_unix_name(s, &e->peer_name, peer);
	} else if (ch->kind == IPCKIND_UNIX_DGRAM) {
		e->peer_name_flags = channel_destination(s, &e->peer_name, to, to_len);
	}
}

/* A queue's name: its dentry's, with the slash that mq_open(3) is given. */
static __always_inline void tail_mqueue_name(struct scratch *s, struct ev_ref *ref, struct file *f)
{
	char *dst = tail_room(s);
	long n;

	if (!dst)
		return;
	dst[0] = '/';
	/* without its NUL, it is not taken for a path that was walked */
	n = bpf_probe_read_kernel_str(dst + 1, 256, BPF_CORE_READ(f, f_path.dentry, d_name.name));
	if (n > 1)
		tail_take(s, ref, n);
}

static __always_inline void channel_announce(struct channel *ch, __u64 to, __u32 to_len)
{
	struct scratch *s = ev_begin(EV_ipc_channel, sizeof(struct ev_ipc_channel));
	struct ev_ipc_channel *e;

	if (!s)
		return;
	e = (struct ev_ipc_channel *)s->buf;
	e->kind = ch->kind;
	e->ino = ch->ino;
	if (ch->sk)
		channel_unix_names(s, ch, to, to_len);
	else if (ch->kind == IPCKIND_MQUEUE)
		tail_mqueue_name(s, &e->name, ch->file);
	else if (ch->kind == IPCKIND_FIFO)
		e->name_flags = tail_file_path(s, &e->name, NULL, ch->file);
	ev_end(s, false);
}

static __always_inline void io_add(struct ev_ipc_io *v, __u32 dir, __u64 bytes)
{
	if (dir == IO_READ) {
		__sync_fetch_and_add(&v->reads, 1);
		__sync_fetch_and_add(&v->read_bytes, bytes);
	} else if (dir == IO_WRITE) {
		__sync_fetch_and_add(&v->writes, 1);
		__sync_fetch_and_add(&v->written_bytes, bytes);
	}
}

/* @v has room nowhere: summed by container and kind. */
static __always_inline void io_rest(struct ev_ipc_io *v, const struct io_key *of)
{
	struct io_key k = {.cgroup = of->cgroup, .object = v->kind, .setup = of->setup};
	struct ev_ipc_io *old;

	v->ino = v->peer_ino = v->object = 0;
	old = counter_rest(&ipc_io_rest, &k, &v->hdr, sizeof(*v));
	if (!old)
		return;
	io_sums_add(old, v);
}

/* The channel of entry @old is gone, and another is where it was: its sums are final. */
static __always_inline void io_retire(struct ev_ipc_io *old, const struct io_key *k,
				      struct ev_ipc_io *room)
{
	*room = *old;
	if (bpf_map_delete_elem(&ipc_io, k) == 0 && /* by one CPU only */
	    bpf_ringbuf_output(&ring, room, sizeof(*room), ev_wakeup(false)))
		io_rest(room, k);
}

/*
 * Counts a call on a channel; the first one of a process announces it. A function of its own, with
 * numbers for arguments: verified once, and its stack is apart from the callers'.
 */
__attribute__((noinline)) int channel_count(__u64 file, __u32 dir, __u64 bytes, __u64 to,
					    __u32 to_len)
{
	const struct seen *who = seen_caller();
	struct ev_ipc_io *v, *old;
	struct io_key k = {};
	struct channel ch;
	__u32 zero = 0;

	if (!who)
		return 0;
	channel_of(&ch, (struct file *)file);
	k.cgroup = who->cgroup;
	k.object = ch.object;
	k.tgid = who->tgid;
	k.start = who->start;
	k.setup = who->setup;
	old = bpf_map_lookup_elem(&ipc_io, &k);
	if (old && old->ino == ch.ino) {
		io_add(old, dir, bytes);
		if (ch.sk && !old->peer_ino) /* written to before it was accepted */
			old->peer_ino = channel_peer_ino(&ch);
		return 0;
	}
	v = bpf_map_lookup_elem(&ipc_io_new, &zero);
	if (!v)
		return 0;
	if (old)
		io_retire(old, &k, v);
	__builtin_memset(v, 0, sizeof(*v));
	seen_header(&v->hdr, who, EV_ipc_io, sizeof(*v), bpf_ktime_get_boot_ns());
	if (!hdr_wanted(&v->hdr))
		return 0;
	v->kind = ch.kind;
	v->ino = ch.ino;
	v->peer_ino = channel_peer_ino(&ch);
	v->object = ch.object;
	io_add(v, dir, bytes);
	if (bpf_map_update_elem(&ipc_io, &k, v, BPF_NOEXIST) == 0) {
		channel_announce(&ch, to, to_len);
		return 0;
	}
	/* another CPU was first, or the map is full */
	old = bpf_map_lookup_elem(&ipc_io, &k);
	if (old)
		io_add(old, dir, bytes);
	else
		io_rest(v, &k);
	return 0;
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(ipc_io_count, struct pt_regs *regs, long ret)
{
	struct io_now *now = io_now_get();
	struct sys_call c;
	__u32 to_len;
	__u64 to;

	if (!now)
		return 0;
	sys_read(&c, regs);
	sys_demultiplex(&c);
	to_len = channel_to(&c, &to);
	for (int i = 0; i < 2; i++) {
		const struct io_end *end = &now->end[i];

		if (end->class == IO_IPC)
			channel_count(end->file, end->dir, end->bytes, to, to_len);
	}
	io_next(ctx, now, IO_IPC);
	return 0;
}

/* Requests to io_uring. A datagram's destination is not told: the kernel has a copy of it, elsewhere each version. */
TRACED("tp_btf/io_uring_complete", ipc_uring, struct io_ring_ctx *ring, struct io_kiocb *req)
{
	struct uring_done d;
	struct io_end end[2];

	if (!uring_completes(&d, req) || !uring_ends(end, &d) || !seen_watched())
		return 0;
	for (int i = 0; i < 2; i++)
		if (end[i].class == IO_IPC)
			channel_count(end[i].file, end[i].dir, end[i].bytes, 0, TO_NOBODY);
	return 0;
}

/* Who opens a queue has a hand in it, though nothing went through yet. */
SEC("tp_btf/sys_exit")
int SYS_EXIT(ipc_mq_open, struct pt_regs *regs, long ret)
{
	struct file *f = ret >= 0 ? fd_file(ret) : NULL;
	struct sys_call c;

	sys_read(&c, regs);
	if (f)
		channel_count((__u64)f, IO_NONE, 0, 0, TO_NOBODY);
	sys_next(ctx, EVS_ipc, c.nr);
	return 0;
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(ipc_pipe, struct pt_regs *regs, long ret)
{
	struct ev_ipc_pipe e = {};
	int fds[2] = {-1, -1};
	struct sys_call c;
	struct file *f;

	sys_read(&c, regs);
	if (ret == 0 && ev_enabled(EV_ipc_pipe) &&
	    !bpf_probe_read_user(fds, sizeof(fds), (void *)c.a[0])) {
		f = fd_file(fds[0]);
		ev_header(&e.hdr, EV_ipc_pipe, sizeof(e));
		e.ino = f ? BPF_CORE_READ(f, f_inode, i_ino) : 0;
		if (hdr_wanted(&e.hdr))
			ev_submit_fixed(&e, EV_ipc_pipe, false);
	}
	sys_next(ctx, EVS_ipc, c.nr);
	return 0;
}

/* ---- unix sockets ---- */

/* bind(2) and listen(2) make the same record of the same socket. */
_Static_assert(sizeof(struct ev_ipc_unix_bind) == sizeof(struct ev_ipc_unix_listen), "alike");
_Static_assert(__builtin_offsetof(struct ev_ipc_unix_bind, err) ==
		       __builtin_offsetof(struct ev_ipc_unix_listen, err),
	       "alike");

static __always_inline void unix_named(const struct sys_call *c, __u32 type, long ret)
{
	struct sock *sk = file_unix_sock(fd_file(c->a[0]));
	struct ev_ipc_unix_bind *e;
	struct scratch *s;

	if (!sk)
		return;
	s = call_begin(type, sizeof(*e));
	if (!s)
		return;
	e = (struct ev_ipc_unix_bind *)s->buf;
	e->kind = unix_kind(sk);
	e->ino = sock_ino(sk);
	e->err = sys_err(ret);
	if (type == EV_ipc_unix_bind && ret)
		e->name_flags = tail_unix_arg(s, &e->name, c->a[1], c->a[2]);
	else
		e->name_flags = tail_unix_name(s, &e->name, sk);
	ev_end(s, false);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(ipc_unix_bind, struct pt_regs *regs, long ret)
{
	struct sys_call c;

	sys_read(&c, regs);
	sys_demultiplex(&c);
	unix_named(&c, EV_ipc_unix_bind, ret);
	sys_next(ctx, EVS_ipc, c.nr);
	return 0;
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(ipc_unix_listen, struct pt_regs *regs, long ret)
{
	struct sys_call c;

	sys_read(&c, regs);
	sys_demultiplex(&c);
	unix_named(&c, EV_ipc_unix_listen, ret);
	sys_next(ctx, EVS_ipc, c.nr);
	return 0;
}

/*
 * What was connected to: the file that the other end is bound to, or, when that is not in the tree
 * that the caller sees (a socket of the host, mounted into a container) or nothing was connected,
 * what the caller called it.
 */
static __always_inline __u32 tail_connected(struct scratch *s, struct ev_ref *ref,
					    struct sock *peer, const struct sys_call *c)
{
	__u32 off = s->off, flags;

	if (peer) {
		flags = tail_unix_name(s, ref, peer);
		if (c->nr != __NR_connect || !(flags & (PATH_UNREACHABLE | PATH_ARGUMENT)))
			return flags;
		s->off = off;
	}
	ref->off = ref->len = 0;
	return c->nr == __NR_connect ? tail_unix_arg(s, ref, c->a[1], c->a[2]) : 0;
}

static __always_inline void unix_connected(const struct sys_call *c, int fd, long ret)
{
	struct sock *sk = file_unix_sock(fd_file(fd)), *peer;
	struct ev_ipc_unix_connect *e;
	struct scratch *s;

	if (!sk)
		return;
	s = call_begin(EV_ipc_unix_connect, sizeof(*e));
	if (!s)
		return;
	e = (struct ev_ipc_unix_connect *)s->buf;
	e->kind = unix_kind(sk);
	e->ino = sock_ino(sk);
	e->pair = c->nr == __NR_socketpair;
	e->err = sys_err(ret);
	peer = ret ? NULL : unix_peer(sk);
	if (peer) {
		e->peer_ino = sock_ino(peer);
		e->peer_pid = unix_peer_pid(sk);
	}
	e->name_flags = tail_connected(s, &e->name, peer, c);
	ev_end(s, false);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(ipc_unix_connect, struct pt_regs *regs, long ret)
{
	int fds[2] = {-1, -1};
	struct sys_call c;

	sys_read(&c, regs);
	sys_demultiplex(&c);
	if (c.nr == __NR_connect)
		fds[0] = c.a[0];
	else if (ret == 0) /* socketpair(2) */
		bpf_probe_read_user(fds, sizeof(fds), (void *)c.a[3]);
	if (!sys_restarts(ret))
		unix_connected(&c, fds[0], ret);
	sys_next(ctx, EVS_ipc, c.nr);
	return 0;
}

static __always_inline void unix_accepted(int fd)
{
	struct sock *sk = file_unix_sock(fd_file(fd)), *peer;
	struct ev_ipc_unix_accept *e;
	struct scratch *s;

	if (!sk)
		return;
	s = call_begin(EV_ipc_unix_accept, sizeof(*e));
	if (!s)
		return;
	e = (struct ev_ipc_unix_accept *)s->buf;
	e->kind = unix_kind(sk);
	e->ino = sock_ino(sk);
	peer = unix_peer(sk);
	e->peer_ino = peer ? sock_ino(peer) : 0;
	e->peer_pid = unix_peer_pid(sk);
	e->name_flags = tail_unix_name(s, &e->name, sk);
	ev_end(s, false);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(ipc_unix_accept, struct pt_regs *regs, long ret)
{
	struct sys_call c;

	sys_read(&c, regs);
	sys_demultiplex(&c);
	if (ret >= 0)
		unix_accepted(ret);
	sys_next(ctx, EVS_ipc, c.nr);
	return 0;
}

/* ---- System V ---- */

#define IPC_CREAT   01000
#define IPC_PRIVATE 0

struct sysv_key {
	__u64 cgroup;
	__u64 key;
	__u32 tgid;
	__u32 start;
	__u32 op; /* enum ev_sysvop; bit 31: set-up phase */
	__s32 id;
	__s32 err;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sysv_key);
	__type(value, struct ev_ipc_sysv);
} ipc_sysv SEC(".maps");

/* Without their objects as well. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, struct sysv_key);
	__type(value, struct ev_ipc_sysv);
} ipc_sysv_rest SEC(".maps");

/* Where a process has attached which segment: shmdt(2) tells the address alone. */
struct shm_at {
	__u64 addr;
	__u32 tgid;
	__u32 start;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct shm_at);
	__type(value, __s32);
} ipc_shm_at SEC(".maps");

/* What one call did: to be counted. */
struct sysv_call {
	__u64 key;
	__u64 bytes;
	__u32 op;
	__s32 id; /* -1: not known */
};

static __always_inline __u32 sysv_op(__u32 nr)
{
	switch (nr) {
	case __NR_shmget: return SYSVOP_SHMGET;
	case __NR_shmat: return SYSVOP_SHMAT;
	case __NR_shmdt: return SYSVOP_SHMDT;
	case __NR_shmctl: return SYSVOP_SHMCTL;
	case __NR_msgget: return SYSVOP_MSGGET;
	case __NR_msgsnd: return SYSVOP_MSGSND;
	case __NR_msgrcv: return SYSVOP_MSGRCV;
	case __NR_msgctl: return SYSVOP_MSGCTL;
	case __NR_semget: return SYSVOP_SEMGET;
	case __NR_semop:
	case __NR_semtimedop: return SYSVOP_SEMOP;
	case __NR_semctl: return SYSVOP_SEMCTL;
	}
	return SYSVOP_OTHER;
}

/* Addresses are results too: what fails is in the last page. */
static __always_inline void sysv_shm_at(struct sysv_call *v, const struct sys_call *c, long ret)
{
	const struct seen *who = seen_caller();
	struct shm_at at = {};
	__s32 *id;

	if (!who)
		return;
	at.tgid = who->tgid;
	at.start = who->start;
	if (v->op == SYSVOP_SHMAT) {
		at.addr = ret;
		if (sys_is_multiplexed(c->abi, c->raw)) { /* ipc(2) returns it through memory */
			__u32 low = 0;

			bpf_probe_read_user(&low, sizeof(low), (void *)c->a[3]);
			at.addr = low;
		}
		if (!sys_err(ret))
			bpf_map_update_elem(&ipc_shm_at, &at, &v->id, BPF_ANY);
		return;
	}
	at.addr = c->a[0];
	id = bpf_map_lookup_elem(&ipc_shm_at, &at);
	v->id = id ? *id : -1;
	if (!sys_err(ret))
		bpf_map_delete_elem(&ipc_shm_at, &at);
}

static __always_inline void sysv_read(struct sysv_call *v, const struct sys_call *c, long ret)
{
	bool ok = !sys_err(ret);

	v->key = v->bytes = 0;
	v->op = sysv_op(c->nr);
	v->id = c->a[0];
	switch (v->op) {
	case SYSVOP_SHMGET:
	case SYSVOP_MSGGET:
	case SYSVOP_SEMGET:
		v->key = (__u32)c->a[0];
		v->id = ok ? ret : -1;
		if (v->op == SYSVOP_SHMGET && ok && (v->key == IPC_PRIVATE || c->a[2] & IPC_CREAT))
			v->bytes = c->a[1];
		break;
	case SYSVOP_SHMAT:
	case SYSVOP_SHMDT: sysv_shm_at(v, c, ret); break;
	case SYSVOP_MSGSND: v->bytes = ok ? c->a[2] : 0; break;
	case SYSVOP_MSGRCV: v->bytes = ok ? ret : 0; break;
	}
}

static __always_inline void sysv_add(struct ev_ipc_sysv *v, const struct sysv_call *call)
{
	__sync_fetch_and_add(&v->count, 1);
	if (call->op != SYSVOP_SHMGET) /* asked for again, a segment does not grow */
		__sync_fetch_and_add(&v->bytes, call->bytes);
}

static __always_inline void sysv_count(const struct sysv_call *call, __s32 err)
{
	const struct seen *who = seen_caller();
	struct ev_ipc_sysv e = {}, *v;
	struct sysv_key k = {};

	if (!who)
		return;
	k.cgroup = who->cgroup;
	k.key = call->key;
	k.tgid = who->tgid;
	k.start = who->start;
	k.op = call->op | (who->setup ? 1u << 31 : 0);
	k.id = call->id;
	k.err = err;
	v = bpf_map_lookup_elem(&ipc_sysv, &k);
	if (v) {
		sysv_add(v, call);
		return;
	}
	ev_header(&e.hdr, EV_ipc_sysv, sizeof(e));
	if (!hdr_wanted(&e.hdr))
		return;
	e.op = call->op;
	e.id = call->id;
	e.key = call->key;
	e.err = err;
	e.count = 1;
	e.bytes = call->bytes;
	if (bpf_map_update_elem(&ipc_sysv, &k, &e, BPF_NOEXIST) == 0)
		return;
	/* another CPU was first, or the map is full */
	v = bpf_map_lookup_elem(&ipc_sysv, &k);
	if (!v) {
		k.tgid = k.start = 0;
		k.key = e.key = 0;
		k.id = e.id = -1;
		v = counter_rest(&ipc_sysv_rest, &k, &e.hdr, sizeof(e));
	}
	if (v)
		sysv_add(v, call);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(ipc_sysv_count, struct pt_regs *regs, long ret)
{
	struct sysv_call call;
	struct sys_call c;

	sys_read(&c, regs);
	sys_demultiplex(&c);
	if (ev_enabled(EV_ipc_sysv) && !sys_restarts(ret)) {
		sysv_read(&call, &c, ret);
		sysv_count(&call, sys_err(ret));
	}
	sys_next(ctx, EVS_ipc, c.nr);
	return 0;
}

/* ---- signals ---- */

/* si_code, uapi/asm-generic/siginfo.h */
#define SI_USER	      0
#define SI_KERNEL     0x80
#define SI_QUEUE      -1
#define SI_MESGQ      -3
#define SI_TKILL      -6
#define CLD_EXITED    1
#define CLD_CONTINUED 6

/* The native numbers: alike on x86 and arm64. */
#define SIGILL	4
#define SIGTRAP 5
#define SIGBUS	7
#define SIGFPE	8
#define SIGSEGV 11
#define SIGCHLD 17
#define SIGSYS	31

/* `info` is a pointer, or one of these: include/linux/sched/signal.h */
#define SEND_SIG_NOINFO 0
#define SEND_SIG_PRIV	1

struct signal_record {
	struct ev_ipc_signal e;
	char comm
		[EV_COMM_LEN]; /* the tail: this runs in interrupts, where the scratch space may be in use */
};

static __always_inline __s32 signal_code(__u64 info)
{
	struct kernel_siginfo *si = (struct kernel_siginfo *)info;

	if (info == SEND_SIG_NOINFO)
		return SI_USER;
	return info == SEND_SIG_PRIV ? SI_KERNEL : BPF_CORE_READ(si, si_code);
}

/* SIGCHLD names the child, which is who sends it unless its parent died and it is handed on. */
static __always_inline bool signal_from_child(__u64 info, struct task_struct *current,
					      struct task_struct *target)
{
	struct kernel_siginfo *si = (struct kernel_siginfo *)info;
	__u32 child = BPF_CORE_READ(si, _sifields._sigchld._pid);

	return child && child == task_vpid_at(current, task_pid_level(target));
}

/* Faults of the instruction that the task executes; SIGPIPE and SIGXFSZ come as SI_USER. */
static __always_inline bool signal_is_fault(int sig)
{
	return sig == SIGILL || sig == SIGTRAP || sig == SIGBUS || sig == SIGFPE ||
	       sig == SIGSEGV || sig == SIGSYS;
}

/* A caller may put any negative si_code into a signal: in these calls, it is the caller's. */
static __always_inline bool signal_queued(struct task_struct *current)
{
	struct pt_regs *regs = task_regs(current);
	__u32 nr = regs ? sys_native(sys_abi(current), sys_nr(regs)) : EV_NR_SYSCALLS;

	return nr == __NR_rt_sigqueueinfo || nr == __NR_rt_tgsigqueueinfo ||
	       nr == __NR_pidfd_send_signal;
}

/*
 * Is the current task who made the signal? It is when it called for it (kill(2), sigqueue(3),
 * mq_timedsend(2) with a notification), when its own instruction caused it, and when it tells its
 * parent that it ends or stops. It is not when an interrupt borrowed it (timers, network) or when
 * the kernel acted in its place (the OOM killer): those signals have no sender. The code tells
 * which, except that a caller may claim to be a timer.
 */
static __always_inline bool signal_is_currents(void *ctx, int sig, __u64 info, __s32 code,
					       struct task_struct *target)
{
	struct task_struct *current = (struct task_struct *)bpf_get_current_task();

	if (task_is_kernel(current))
		return false;
	if (sig == SIGCHLD && code >= CLD_EXITED && code <= CLD_CONTINUED)
		return signal_from_child(info, current, target);
	if (code > 0)
		return signal_is_fault(sig) && target == current;
	if (!on_task_stack(ctx_address(ctx)))
		return false;
	return code == SI_USER || code == SI_TKILL || code == SI_QUEUE || code == SI_MESGQ ||
	       signal_queued(current);
}

static __always_inline void signal_send(struct signal_record *r, __u64 cgroup)
{
	if (!cgroup_watched(cgroup))
		return;
	r->e.hdr.cgroup = cgroup;
	ev_submit_fixed(r, EV_ipc_signal, false);
}

/* The filters by process let a signal pass when they want either side of it. */
static __always_inline bool signal_wanted(struct signal_record *r, struct task_struct *target)
{
	return (!(r->e.hdr.flags & EV_F_NOPROC) && hdr_wanted(&r->e.hdr)) ||
	       filter_task(r->e.target_pid, BPF_CORE_READ(target, real_cred, uid.val), r->comm);
}

TRACED("tp_btf/signal_generate", ipc_signal, int sig)
{
	struct signal_record r = {};
	__u64 args[5], from, to;
	struct task_struct *target;
	__s32 code;
	long n;

	/*
	 * (sig, info, target, group, result): read as numbers, since kernels differ in what they
	 * allow to be done with an `info` that may be 0, 1 or a pointer
	 */
	if (!ev_enabled(EV_ipc_signal) || bpf_probe_read_kernel(args, sizeof(args), ctx))
		return 0;
	target = (struct task_struct *)args[2];
	from = current_cgroup_id();
	to = task_cgroup_id(target);
	if (!cgroup_watched(to) && !cgroup_watched(from))
		return 0;
	r.e.sig = sig;
	code = signal_code(args[1]);
	r.e.code = EV_SIGCODE(sig, code);
	r.e.target_pid = BPF_CORE_READ(target, tgid);
	r.e.target_tid = BPF_CORE_READ(target, pid);
	r.e.target_cgroup = to;
	r.e.result = args[4];
	n = bpf_core_read_str(r.comm, sizeof(r.comm), &target->comm);
	r.e.target_comm.off = sizeof(r.e);
	r.e.target_comm.len = n > 1 ? n - 1 : 0;
	if (signal_is_currents(ctx, sig, args[1], code, target)) {
		ev_header(&r.e.hdr, EV_ipc_signal, sizeof(r));
		r.e.sender_cgroup = from;
		r.e.crosses = from != to; /* user space knows which of them are one container */
	} else {
		r.e.hdr.type = EV_ipc_signal;
		r.e.hdr.len = sizeof(r);
		r.e.hdr.time = bpf_ktime_get_boot_ns();
		r.e.hdr.flags = EV_F_NOPROC | (task_in_setup(target) ? EV_F_SETUP : 0);
	}
	if (!signal_wanted(&r, target))
		return 0;
	if (r.e.crosses) {
		signal_send(&r, from);
		/* in the target's container, it is the target's phase that counts */
		r.e.hdr.flags &= ~EV_F_SETUP;
		r.e.hdr.flags |= task_in_setup(target) ? EV_F_SETUP : 0;
	}
	signal_send(&r, to);
	return 0;
}

/* ---- into another process ---- */

#define PTRACE_TRACEME 0
#define PID_FS_MAGIC   0x50494446

SEC("tp_btf/sys_exit")
int SYS_EXIT(ipc_ptrace, struct pt_regs *regs, long ret)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct ev_ipc_ptrace e = {};
	struct sys_call c;

	sys_read(&c, regs);
	if (ev_enabled(EV_ipc_ptrace)) {
		ev_header(&e.hdr, EV_ipc_ptrace, sizeof(e));
		e.request = c.a[0];
		e.err = sys_err(ret);
		if (e.request ==
		    PTRACE_TRACEME) { /* its parent is to trace it; the argument is ignored */
			e.target_pid = e.hdr.ppid;
			e.target_arg =
				task_vpid_at(BPF_CORE_READ(t, real_parent), task_pid_level(t));
		} else {
			e.target_arg = c.a[1];
			e.target_pid = vpid_tgid(e.target_arg);
		}
		if (hdr_wanted(&e.hdr))
			ev_submit_fixed(&e, EV_ipc_ptrace, false);
	}
	sys_next(ctx, EVS_ipc, c.nr);
	return 0;
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(ipc_process_vm, struct pt_regs *regs, long ret)
{
	struct ev_ipc_process_vm e = {};
	struct sys_call c;

	sys_read(&c, regs);
	if (ev_enabled(EV_ipc_process_vm)) {
		ev_header(&e.hdr, EV_ipc_process_vm, sizeof(e));
		e.op = EV_SYSNR(c.abi, c.raw);
		e.target_arg = c.a[0];
		e.target_pid = vpid_tgid(e.target_arg);
		e.err = sys_err(ret);
		e.bytes = e.err ? 0 : ret;
		if (hdr_wanted(&e.hdr))
			ev_submit_fixed(&e, EV_ipc_process_vm, false);
	}
	sys_next(ctx, EVS_ipc, c.nr);
	return 0;
}

/* The process that a pidfd stands for. From 6.9 on pidfds have a file system of their own. */
static __always_inline __u32 pidfd_tgid(int fd)
{
	struct file *f = fd_file(fd);
	char name[8] = {};
	__u64 magic;

	if (!f)
		return 0;
	magic = BPF_CORE_READ(f, f_inode, i_sb, s_magic);
	if (magic == PID_FS_MAGIC)
		return pid_tgid(BPF_CORE_READ(f, f_inode, i_private));
	if (magic != ANON_INODE_FS_MAGIC)
		return 0;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(f, f_path.dentry, d_name.name));
	if (__builtin_memcmp(name, "[pidfd]", 8))
		return 0;
	return pid_tgid(BPF_CORE_READ(f, private_data));
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(ipc_pidfd_getfd, struct pt_regs *regs, long ret)
{
	struct ev_ipc_pidfd_getfd e = {};
	struct sys_call c;

	sys_read(&c, regs);
	if (ev_enabled(EV_ipc_pidfd_getfd)) {
		ev_header(&e.hdr, EV_ipc_pidfd_getfd, sizeof(e));
		e.target_pid = pidfd_tgid(c.a[0]);
		e.target_fd = c.a[1];
		e.err = sys_err(ret);
		e.fd = e.err ? -1 : ret;
		if (hdr_wanted(&e.hdr))
			ev_submit_fixed(&e, EV_ipc_pidfd_getfd, false);
	}
	sys_next(ctx, EVS_ipc, c.nr);
	return 0;
}
