/* SPDX-License-Identifier: MIT */
/*
 * What both sides see: the record as it travels from a BPF program to user space.
 *
 *	+-----------+----------------------------+------------------------------+
 *	| struct    | the event's own fields     | tail: strings and arrays     |
 *	| ev_hdr    | (events/<subsystem>.def)   | that {off, len} refer to     |
 *	+-----------+----------------------------+------------------------------+
 *	0           sizeof(struct ev_hdr)        sizeof(struct ev_X)        hdr.len
 *
 * Offsets count from the start of the record. Counters (COUNTER in the .def files) are
 * records as well: the value of the map is the record, without a tail.
 */
#ifndef EBPFMON_WIRE_H
#define EBPFMON_WIRE_H

#define EV_COMM_LEN 16
#define EV_MAX_LEN  28672 /* largest record, bytes; a per-CPU map value must stay below 32 KiB */

/* A piece of the tail. len 0 means "not there". */
struct ev_ref {
	__u16 off;
	__u16 len;
};

/* Always the 16-byte form; IPv4 is v4-mapped (::ffff:a.b.c.d) and shown as IPv4. */
struct ev_addr {
	__u8 b[16];
};

/* The arguments of a streamed system call: numbers as passed, strings where they are paths. */
struct ev_sysargs {
	__u64 a[6];
	__u32 nr; /* as in type sysnr: ABI and number */
	__u32 str_mask; /* bit i: argument i is a string; s[] holds them in order */
	struct ev_ref s[2];
};

enum ev_hdr_flags {
	EV_F_SETUP =
		1
		<< 0, /* the runtime prepares the container; the entry point has not been executed */
	EV_F_EXISTING = 1 << 1, /* state found at start, not something that happened now */
	EV_F_NOPROC =
		1
		<< 2, /* the process is not known (interrupt context, orphaned socket): pid.. are 0 */
	EV_F_OUTSIDE = 1 << 3, /* the process is not in the container's cgroup */
	EV_F_IO_URING = 1 << 4, /* by a request to io_uring, not by a system call */
};

struct ev_hdr {
	__u16 type; /* enum ev_type */
	__u16 len; /* whole record, bytes */
	__u16 flags; /* enum ev_hdr_flags */
	__u16 pad;
	__u64 time; /* CLOCK_BOOTTIME, ns */
	__u64 cgroup; /* id of the cgroup the task is in (with EV_F_OUTSIDE: that it acts upon) */
	__u64 start; /* when the process started, CLOCK_BOOTTIME, ns: with pid, its identity */
	__u32 pid; /* thread group id, as the host sees it */
	__u32 tid;
	__u32 vpid; /* thread group id, as the innermost pid namespace sees it */
	__u32 ppid;
	__u32 uid;
	__u32 gid;
	char comm[EV_COMM_LEN];
};

/* System call numbers carry their ABI: the two ABIs number differently. */
#define EV_ABI_NATIVE	  0u
#define EV_ABI_COMPAT	  1u /* i386 on x86-64, arm on arm64 */
#define EV_ABI_X32	  2u
#define EV_X32_BIT	  0x40000000 /* in the number of such a call, as the kernel has it */
#define EV_SYSNR(abi, nr) ((abi) << 16 | (nr))

#endif
