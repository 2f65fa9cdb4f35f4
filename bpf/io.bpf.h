/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls that move data: the exit of one becomes up to two ends (sendfile(2) reads one file
 * and writes another). syscall_exit or syscall_io finds out once what the ends are, and leaves it in struct seen; the
 * subsystems' io programs account those that are their own, and pass on while there are others:
 *
 *	for (i = 0; i < 2; i++)
 *		if (now->end[i].dir && now->end[i].class == IO_FILE)
 *			...
 *	io_next(ctx, now, IO_FILE);
 *
 * What counts: a call that succeeded, once per end, with the bytes that it returned. A call that
 * failed counts nothing here (syscall.calls has it, with its errno).
 *
 * The descriptor is looked up at the exit. When another thread has closed it meanwhile, the end is
 * IO_GONE and the file subsystem accounts it without a file; when another thread has closed it and
 * opened something else under the same number, the end is wrongly that file's: no tracepoint tells.
 */
#ifndef EBPFMON_IO_BPF_H
#define EBPFMON_IO_BPF_H

#include "sys.bpf.h"
#include "path.bpf.h"

enum io_dir {
	IO_NONE,
	IO_READ,
	IO_WRITE,
	IO_MMAP,
	IO_EITHER, /* in the table only: the way the descriptor is open for */
};

/* Whose end it is: in the order of subsystems.def, in which the exit passes through them. */
enum io_class {
	IO_NOBODY, /* there is no such end, or it is not accounted by call */
	IO_GONE, /* closed by another thread during the call */
	IO_FILE, /* regular files, directories, devices, anonymous files without another owner */
	IO_IPC, /* pipes, FIFOs, POSIX queues, eventfd, signalfd, sockets that are not inet */
	IO_NET, /* AF_INET and AF_INET6 sockets, but TCP's: its bytes are told when it closes */
};

/* What file.io and ipc.io have in common. */
#define io_sums_add(to, from)                                                                      \
	do {                                                                                       \
		__sync_fetch_and_add(&(to)->reads, (from)->reads);                                 \
		__sync_fetch_and_add(&(to)->read_bytes, (from)->read_bytes);                       \
		__sync_fetch_and_add(&(to)->writes, (from)->writes);                               \
		__sync_fetch_and_add(&(to)->written_bytes, (from)->written_bytes);                 \
	} while (0)

/* What the call moves whose exit this CPU is dealing with. */
__inline_always struct io_now *io_now_get(void)
{
	struct seen *who = seen_slot((struct task_struct *)bpf_get_current_task());

	return who ? &who->io : NULL;
}

/* What a call does with which of its arguments. How it tells the bytes: as its result, unless... */
enum io_result {
	IO_BYTES, /* ... it does */
	IO_NO_BYTES, /* names of a directory, a mapping: no bytes of a file */
	IO_MESSAGES, /* it tells messages, and leaves their lengths in a struct mmsghdr[] */
	IO_LENGTH, /* it tells 0, and moved argument 2 */
};

struct io_shape {
	__u8 dir, arg; /* first end: enum io_dir, which argument is its descriptor */
	__u8 dir2, arg2; /* second end */
	__u8 result; /* enum io_result */
};

/* One end, argument 0, and the result tells the bytes: most of all calls that move data. */
#define IO_PLAIN_CALLS                                                                             \
	IO_PLAIN(read, IO_READ)                                                                    \
	IO_PLAIN(pread64, IO_READ)                                                                 \
	IO_PLAIN(readv, IO_READ)                                                                   \
	IO_PLAIN(preadv, IO_READ)                                                                  \
	IO_PLAIN(preadv2, IO_READ)                                                                 \
	IO_PLAIN(recvfrom, IO_READ)                                                                \
	IO_PLAIN(recvmsg, IO_READ)                                                                 \
	IO_PLAIN(mq_timedreceive, IO_READ)                                                         \
	IO_PLAIN(write, IO_WRITE)                                                                  \
	IO_PLAIN(pwrite64, IO_WRITE)                                                               \
	IO_PLAIN(writev, IO_WRITE)                                                                 \
	IO_PLAIN(pwritev, IO_WRITE)                                                                \
	IO_PLAIN(pwritev2, IO_WRITE)                                                               \
	IO_PLAIN(sendto, IO_WRITE)                                                                 \
	IO_PLAIN(sendmsg, IO_WRITE)

#define IO_PLAIN(call, way) [__NR_##call] = {.dir = (way)},
static const volatile struct io_shape io_shapes[EV_NR_SYSCALLS] = {
	[__NR_recvmmsg] = {.dir = IO_READ, .result = IO_MESSAGES},
	[__NR_getdents64] = {.dir = IO_READ, .result = IO_NO_BYTES},
#ifdef __NR_getdents
	[__NR_getdents] = {.dir = IO_READ, .result = IO_NO_BYTES},
#endif
	[__NR_sendmmsg] = {.dir = IO_WRITE, .result = IO_MESSAGES},
	[__NR_mq_timedsend] = {.dir = IO_WRITE, .result = IO_LENGTH},
	[__NR_vmsplice] = {.dir = IO_EITHER},
	[__NR_sendfile] = {IO_WRITE, 0, IO_READ, 1, IO_BYTES},
	[__NR_copy_file_range] = {IO_READ, 0, IO_WRITE, 2, IO_BYTES},
	[__NR_splice] = {IO_READ, 0, IO_WRITE, 2, IO_BYTES},
	[__NR_tee] = {IO_READ, 0, IO_WRITE, 1, IO_BYTES}, /* what is read stays in the pipe */
	[__NR_mmap] = {.dir = IO_MMAP, .arg = 4, .result = IO_NO_BYTES},
	IO_PLAIN_CALLS};
#undef IO_PLAIN

/* include/linux/fs.h, uapi/linux/stat.h, uapi/linux/magic.h */
#define FMODE_READ	    0x1
#define FMODE_WRITE	    0x2
#define FMODE_CREATED	    0x100000
#define S_IFMT		    0170000
#define S_IFSOCK	    0140000
#define S_IFLNK		    0120000
#define S_IFREG		    0100000
#define S_IFBLK		    0060000
#define S_IFDIR		    0040000
#define S_IFCHR		    0020000
#define S_IFIFO		    0010000
#define ANON_INODE_FS_MAGIC 0x09041934
#define MQUEUE_MAGIC	    0x19800202
#define SOCK_STREAM	    1
#define AF_INET		    2
#define AF_INET6	    10
#define MAP_ANONYMOUS	    0x20

/* The socket behind a file whose inode is S_IFSOCK. */
__inline_always struct sock *file_sock(struct file *f)
{
	struct socket *sock = BPF_CORE_READ(f, private_data);

	return READ_ADDRESS(sock, sk);
}

/* Anonymous inodes are told apart by name alone; these carry messages between processes. */
__inline_always bool anon_is_ipc(struct file *f)
{
	static const char names[] = "[eventfd]\0\0\0\0\0\0\0[signalfd]\0\0\0\0\0\0";
	__u64 name[2] = {}, want[4];

	__builtin_memcpy(want, names, sizeof(want));
	bpf_probe_read_kernel_str(name, 12, BPF_CORE_READ(f, f_path.dentry, d_name.name));
	return (name[0] == want[0] && name[1] == want[1]) ||
	       (name[0] == want[2] && name[1] == want[3]);
}

/* Whose a socket is, and whether anybody accounts what a call moves through it. */
__inline_always __u32 socket_class(struct file *f)
{
	struct sock *sk = file_sock(f);
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family != AF_INET && family != AF_INET6)
		return IO_IPC;
	return BPF_CORE_READ(sk, sk_type) == SOCK_STREAM ? IO_NOBODY : IO_NET;
}

__inline_always int io_class_of(struct file *f)
{
	struct inode *inode = BPF_CORE_READ(f, f_inode);
	__u16 mode = BPF_CORE_READ(inode, i_mode) & S_IFMT;
	__u64 magic;

	if (!inode)
		return IO_GONE;
	if (mode == S_IFIFO)
		return IO_IPC;
	if (mode == S_IFSOCK)
		return socket_class(f);
	if (mode && mode != S_IFREG)
		return IO_FILE;
	magic = BPF_CORE_READ(inode, i_sb, s_magic);
	if (magic == ANON_INODE_FS_MAGIC) /* its mode is 0, or S_IFREG from 6.16 on */
		return anon_is_ipc(f) ? IO_IPC : IO_FILE;
	return magic == MQUEUE_MAGIC ? IO_IPC : IO_FILE;
}

/* A function of its own: verified once, and its result does not multiply the states of callers. */
__attribute__((noinline)) int io_class(__u64 file)
{
	return io_class_of((struct file *)file);
}

/*
 * Arguments are on the stack, where the verifier allows no variable index, and newer clang (22)
 * makes one of the comparisons unless each value has to be there by itself.
 */
__inline_always int io_arg(const struct sys_call *c, __u8 n)
{
	int a0 = c->a[0], a1 = c->a[1], a2 = c->a[2], a4 = c->a[4];

	barrier_var(a0);
	barrier_var(a1);
	barrier_var(a2);
	barrier_var(a4);
	if (n == 0)
		return a0;
	if (n == 1)
		return a1;
	return n == 2 ? a2 : a4;
}

/*
 * Sum of msg_len over the first @n of a struct mmsghdr[]: @size bytes each, msg_len at @at. A
 * function of its own: its loop is verified once, however many ways lead to it.
 */
__attribute__((noinline)) __u64 message_bytes(__u64 at, __u32 size, __s32 n)
{
	__u64 bytes = 0;
	__u32 len;

	for (int i = 0; i < 1024 /* UIO_MAXIOV: the kernel takes no more */; i++) {
		if (i >= n)
			break;
		len = 0;
		bpf_probe_read_user(&len, sizeof(len), (void *)at);
		bytes += len;
		at += size;
	}
	return bytes;
}

__inline_always __u64 io_message_bytes(const struct sys_call *c, long n)
{
	if (c->abi == EV_ABI_COMPAT)
		return message_bytes(c->a[1] + 28, 32, n);
	return message_bytes(c->a[1] + 56, 64, n);
}

__inline_always void io_end_of(struct io_end *end, __u32 dir, struct file *f, __u64 bytes)
{
	end->dir = dir;
	end->bytes = bytes;
	end->class = IO_GONE;
	end->file = (__u64)f;
	if (!f)
		return;
	end->class = io_class(end->file);
	if (dir == IO_EITHER) /* vmsplice(2): fs/splice.c asks in this order */
		end->dir = BPF_CORE_READ(f, f_mode) & FMODE_WRITE ? IO_WRITE : IO_READ;
}

__inline_always void io_end_fill(struct io_end *end, __u32 dir, int fd, __u64 bytes)
{
	io_end_of(end, dir, fd_file(fd), bytes);
}

/* A mapping of a file? i386 has a second mmap, with its arguments in memory. */
__inline_always bool io_maps_file(const struct sys_call *c, int *fd)
{
	__u32 arg[5] = {};

	*fd = c->a[4];
	if (c->abi != EV_ABI_COMPAT || c->raw != COMPAT_old_mmap)
		return !(c->a[3] & MAP_ANONYMOUS);
	if (bpf_probe_read_user(arg, sizeof(arg), (void *)c->a[0]))
		return false;
	*fd = arg[4];
	return !(arg[3] & MAP_ANONYMOUS);
}

/* The ends of the call that exits with @ret; both are IO_NONE when it failed or moves no data. */
__inline_always void io_ends(struct io_now *now, const struct sys_call *c, long ret)
{
	struct io_shape shape = {};
	__u64 bytes = ret;
	__u32 nr = c->nr;
	int fd;

	now->nr = nr;
	now->end[0].dir = now->end[1].dir = IO_NONE;
	now->end[0].class = now->end[1].class = IO_NOBODY;
	if (nr >= EV_NR_SYSCALLS || (ret < 0 && ret > -4096))
		return;
	bound(nr, EV_NR_SYSCALLS - 1);
	shape.dir = io_shapes[nr].dir;
	shape.arg = io_shapes[nr].arg;
	shape.dir2 = io_shapes[nr].dir2;
	shape.arg2 = io_shapes[nr].arg2;
	shape.result = io_shapes[nr].result;
	if (!shape.dir)
		return;
	fd = io_arg(c, shape.arg);
	if (shape.dir == IO_MMAP && !io_maps_file(c, &fd))
		return;
	if (shape.result == IO_NO_BYTES)
		bytes = 0;
	else if (shape.result == IO_LENGTH)
		bytes = c->a[2];
	else if (shape.result == IO_MESSAGES)
		bytes = io_message_bytes(c, ret);
	io_end_fill(&now->end[0], shape.dir, fd, bytes);
	if (shape.dir2)
		io_end_fill(&now->end[1], shape.dir2, io_arg(c, shape.arg2), bytes);
}

/*
 * The way of a plain call; IO_NONE: it is another. syscall_exit deals with these itself, without syscall_io, if
 * they are of the native ABI: each program, map and table on the way is memory that the call would not touch.
 */
__inline_always __u32 io_plain(__u32 nr)
{
	switch (nr) {
#define IO_PLAIN(call, way)                                                                        \
	case __NR_##call: return way;
		IO_PLAIN_CALLS
#undef IO_PLAIN
	}
	return IO_NONE;
}

/*
 * The end of such a call that has not failed. Does not return if somebody accounts it. The tail calls have
 * constant places, by __NR_read, which all of these programs want: to those the kernel jumps, where it would
 * look for others in the map.
 */
__inline_always void io_plain_end(void *ctx, struct io_now *now, int fd, __u64 bytes)
{
	struct file *f = fd_file(fd);

	now->end[0].bytes = bytes;
	now->end[0].file = (__u64)f;
	now->end[0].class = f ? io_class_of(f) : IO_GONE;
	now->end[1].dir = IO_NONE;
	now->end[1].class = IO_NOBODY;
	barrier();
	switch (now->end[0].class) {
	case IO_GONE:
	case IO_FILE:
		bpf_tail_call_static(ctx, &sys_progs,
				     (EVS_syscall + 1) * EV_NR_SYSCALLS + __NR_read);
		break;
	case IO_IPC:
		bpf_tail_call_static(ctx, &sys_progs, (EVS_file + 1) * EV_NR_SYSCALLS + __NR_read);
		break;
	case IO_NET:
		bpf_tail_call_static(ctx, &sys_progs, (EVS_ipc + 1) * EV_NR_SYSCALLS + __NR_read);
		break;
	}
}

/* Passes the exit on to whose an end is that is of a class behind @own. */
__inline_always void io_next(void *ctx, const struct io_now *now, __u32 own)
{
	__u32 a = now->end[0].class, b = now->end[1].class, next = a > own ? a : b;

	if (b > own && b < next)
		next = b;
	if (next > own) /* subsystems before which there is nothing to be done are not visited */
		sys_next(ctx,
			 next == IO_NET	  ? EVS_ipc
			 : next == IO_IPC ? EVS_file
					  : EVS_syscall,
			 now->nr);
}

#endif
