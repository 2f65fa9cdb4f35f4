/* SPDX-License-Identifier: GPL-2.0 */
/*
 * io_uring: requests, which are no system calls. One is looked at when it is submitted, as only then
 * the names that it was given are there for certain, and when it completes, with its result and the
 * file that it was about. Both happen in a task of the process: the one that submits, a worker or a
 * submission thread of io_uring's, all of which are threads of the process, in its cgroup.
 *
 * Not told, as the kernel has no tracepoint for it: the result of a request that asked for no
 * completion in case of success, and the single completions of one that goes on (multishot): they
 * come without their request.
 *
 * The tracepoint io_uring_complete gives the request since 5.19, as its second argument.
 */
#ifndef EBPFMON_URING_BPF_H
#define EBPFMON_URING_BPF_H

#include "io.bpf.h"

struct io_ring_ctx; /* as such only since 6.16; a void * before */

enum uring_op { /* include/uapi/linux/io_uring.h */
		URING_READV = 1,
		URING_WRITEV = 2,
		URING_READ_FIXED = 4,
		URING_WRITE_FIXED = 5,
		URING_SENDMSG = 9,
		URING_RECVMSG = 10,
		URING_ACCEPT = 13,
		URING_CONNECT = 16,
		URING_OPENAT = 18,
		URING_READ = 22,
		URING_WRITE = 23,
		URING_SEND = 26,
		URING_RECV = 27,
		URING_OPENAT2 = 28,
		URING_SPLICE = 30,
		URING_TEE = 33,
		URING_RENAMEAT = 35,
		URING_UNLINKAT = 36,
		URING_MKDIRAT = 37,
		URING_SYMLINKAT = 38,
		URING_LINKAT = 39,
		URING_SEND_ZC = 47,
		URING_SENDMSG_ZC = 48,
		URING_LISTEN = 57,
		URING_READV_FIXED = 60,
		URING_WRITEV_FIXED = 61,
		URING_OPS,
};

/* Which way a request moves data: enum io_dir. */
static const volatile __u8 uring_dirs[64] = {
	[URING_READV] = IO_READ,       [URING_WRITEV] = IO_WRITE,
	[URING_READ_FIXED] = IO_READ,  [URING_WRITE_FIXED] = IO_WRITE,
	[URING_SENDMSG] = IO_WRITE,    [URING_RECVMSG] = IO_READ,
	[URING_READ] = IO_READ,	       [URING_WRITE] = IO_WRITE,
	[URING_SEND] = IO_WRITE,       [URING_RECV] = IO_READ,
	[URING_SPLICE] = IO_WRITE,     [URING_TEE] = IO_WRITE,
	[URING_SEND_ZC] = IO_WRITE,    [URING_SENDMSG_ZC] = IO_WRITE,
	[URING_READV_FIXED] = IO_READ, [URING_WRITEV_FIXED] = IO_WRITE,
};

_Static_assert(URING_OPS <= 64, "uring_dirs has a place for each");

/* io_uring_submit_sqe has had other arguments in every few versions. */
extern int LINUX_KERNEL_VERSION __kconfig;
#define KERNEL(major, minor) ((major) << 16 | (minor) << 8)

#define REQ_F_CQE_SKIP                                                                             \
	(1 << 6) /* IOSQE_CQE_SKIP_SUCCESS: the flags of a request begin with those */
#define SPLICE_F_FD_FIXED (1u << 31) /* SPLICE_F_FD_IN_FIXED */

struct uring_done {
	struct io_kiocb *req;
	__u32 op;
	int ret;
};

/* What the tracepoint io_uring_complete tells; false: nothing. */
__inline_always bool uring_completes(struct uring_done *d, struct io_kiocb *req)
{
	if (!req) /* of a request that goes on, or of a message by another ring */
		return false;
	d->req = req;
	d->op = BPF_CORE_READ(req, opcode);
	d->ret = BPF_CORE_READ(req, cqe.res);
	return true;
}

/* The ends of a request that completes, as io_ends() has those of a call; false: it moved nothing. */
__inline_always bool uring_ends(struct io_end end[2], const struct uring_done *d)
{
	struct io_kiocb *req =
		d->req; /* BPF_CORE_READ(d->req, …) would relocate struct uring_done */
	struct io_splice *splice = (struct io_splice *)req;
	__u32 op = d->op & 63, dir;

	bound(op, 63);
	dir = uring_dirs[op];
	if (d->op >= URING_OPS || dir == IO_NONE || d->ret < 0)
		return false;
	end[1].dir = IO_NONE;
	end[1].class = IO_NOBODY;
	io_end_of(&end[0], dir, READ_ADDRESS(req, file), d->ret);
	if ((op == URING_SPLICE || op == URING_TEE) &&
	    !(BPF_CORE_READ(splice, flags) & SPLICE_F_FD_FIXED))
		io_end_fill(&end[1], IO_READ, BPF_CORE_READ(splice, splice_fd_in), d->ret);
	return true;
}

#endif
