/* SPDX-License-Identifier: MIT */
/*
 * What is counted of a process's first thread (its thread group's leader), one map entry for each such thread: most
 * processes have no other, and a thread alone needs no search in a hash. Each count becomes a record.
 */
#ifndef EBPFMON_LEADER_H
#define EBPFMON_LEADER_H

#include "events.h"

#define EV_LEADER_BITS	 6
#define EV_LEADER_CALLS	 (1 << EV_LEADER_BITS)
#define EV_LEADER_FILES	 8 /* a power of two */
#define EV_CALL_SETUP	 (1u << 31) /* in .nr, beside what type sysnr says */
#define EV_CALL_FILTERED (1u << 30)

struct ev_call_count {
	__u32 nr;
	__s32 err;
	__u64 count; /* 0: the place is free */
	__u64 time; /* of the first one */
};

struct ev_leader_file {
	__u64 dentry, mnt, inode,
		name; /* what the struct file led to; the name's hash and length */
	struct ev_file_io io;
};

struct ev_leader {
	struct ev_hdr
		hdr; /* name and ids are of its last execve(2), then of its end; .pid 0: the entry is free */
	struct ev_hdr setup; /* the same for its calls in the set-up phase: of when it began */
	__u64 ended; /* it makes no more calls */
	struct ev_call_count call[EV_LEADER_CALLS];
	__u32 file_found; /* where the last search ended */
	__u32 file_next; /* the place that the next file takes */
	__u64 file_at[EV_LEADER_FILES]; /* addresses of their struct file; 0: the place is free */
	struct ev_leader_file file[EV_LEADER_FILES];
};

enum ev_leader_state { LEADER_LIVES = 1, LEADER_ENDED };

#endif
