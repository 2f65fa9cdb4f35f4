/* SPDX-License-Identifier: MIT */
/* The parts of a report's state; see report_state.h. */
#ifndef EBPFMON_REPORT_PARTS_H
#define EBPFMON_REPORT_PARTS_H

#include <stdbool.h>
#include "events.h"
#include "hash.h"

enum phase { PHASE_RUN, PHASE_SETUP, PHASE__MAX };

struct text {
	const char *s;
	size_t len;
};

struct table {
	struct hash h;
	struct hash_node *first, *last; /* all entries, in the order of their appearance */
	size_t limit;
	__u64 folded; /* records that found no room */
};

/* In the order of appearance: the order in memory, too, which counts when there are a million. */
#define table_for_each(t, n) for ((n) = (t)->first; (n); (n) = (n)->after)

#define TALLY_SUMS 8

/* Records that say the same thing, counted. */
struct tally {
	struct table t;
	__u64 folded[EV__MAX];
};

struct errno_count {
	struct errno_count *next;
	__u32 err;
	__u64 count;
};

struct report_exec {
	struct report_exec *next;
	__u64 time;
	bool setup;
	struct text fields; /* members of a JSON object */
};

/* One system call of one process, or of the container in one phase, with one result. */
struct report_call {
	struct hash_node node;
	struct report_call *next; /* of the same process */
	__u32 nr, err;
	enum phase phase;
	__u64 count, filtered, denied, total, longest;
};

struct report_process {
	struct hash_node node;
	__u32 id; /* in the order of appearance */
	__u32 pid, vpid, ppid, uid, gid;
	__u64 start, end; /* CLOCK_BOOTTIME */
	struct report_process *parent, *children, *last_child, *sibling;
	char comm[EV_COMM_LEN + 1];
	struct text exe, args; /* args: a JSON array */
	struct report_exec *execs, *last_exec;
	__u32 threads;
	bool setup, existing, zombie, exited, core, args_cut, left;
	__u32 session_pid; /* the process by which its "exec" session began; 0: none */
	__u64 session_start;
	int code, signal;
	__u64 cpu_time, max_rss;
	struct report_call *calls;
	__u64 nr_calls[PHASE__MAX], nr_errors[PHASE__MAX], folded_calls, folded_execs;
	__u64 read_bytes, written_bytes, files_opened;
};

struct report_processes {
	struct table all;
	struct table calls;
	size_t nr_execs;
	__u64 forked, exited, threads, folded_execs, folded_forks;
	struct tally events;
	struct report_process *cached;
};

/* One system call, all its results together. */
struct call_sum {
	char name[64];
	__u32 nr;
	__u64 count, errors, filtered, denied, total, longest;
	struct report_call **calls; /* one per result */
	size_t nr_calls;
};

struct report_syscalls {
	struct table all;
	__u64 count[PHASE__MAX], errors[PHASE__MAX], folded[PHASE__MAX];
	bool timed;
	struct tally arguments, io_uring;
};

struct file_stats {
	__u64 opens, failed, created, inherited, reads, read_bytes, writes, written_bytes, mmaps;
};

struct report_volume {
	struct hash_node node; /* mount point */
	__u32 fs, dev;
	__u64 files;
	struct file_stats st;
};

struct report_directory {
	struct hash_node node;
	__u64 listed, folded_records;
	struct file_stats folded;
};

struct report_file {
	struct hash_node node; /* path */
	struct report_volume *volume;
	struct report_process *process; /* that used it first */
	struct errno_count *errors;
	struct file_stats st;
	__u64 first, last, ino;
	__u32 kind, mode, fs, dev, flags, access, path_flags;
	__u64 other_errors;
	bool replaced, have_mode;
};

struct report_files {
	struct table all, directories, volumes;
	struct file_stats total[PHASE__MAX], unknown, folded, no_volume;
	__u64 folded_records;
	struct tally changes;
};

struct channel_user {
	struct hash_node node;
	struct channel_user *next;
	struct report_process *process;
	__u32 pid;
	char comm[EV_COMM_LEN + 1];
	__u64 reads, read_bytes, writes, written_bytes;
};

struct report_channel {
	struct hash_node node;
	__u32 kind;
	__u64 ino, peer_ino;
	__u64 first, last;
	struct text name, peer_name;
	__u32 peer_pid;
	bool pair, accepted, connected, listed;
	struct report_process *maker;
	struct channel_user *users;
};

struct channel_sums {
	__u64 channels, made, records, reads, read_bytes, writes, written_bytes;
};

struct report_ipc {
	struct table channels, users;
	struct channel_sums total[IPCKIND_NETLINK + 1], folded[IPCKIND_NETLINK + 1];
	struct tally events;
	__u64 signals, signals_crossing;
};

enum report_direction { DIR_UNKNOWN, DIR_OUT, DIR_IN };

struct report_connection {
	struct hash_node node; /* its ends, local first: where a peer's record is found */
	struct report_connection *next;
	struct report_process *process;
	__u32 pid;
	char comm[EV_COMM_LEN + 1];
	__u32 family, local_port, peer_port;
	struct ev_addr local_addr, peer_addr;
	enum report_direction direction;
	__u64 first, last, closed; /* wall */
	__u64 count; /* attempts that failed alike are one entry */
	__u64 latency, sent, received, segs_out, segs_in, retransmits, rtt, duration;
	__u32 connect_err, err;
	bool existing, open;
	const struct report_connection *peer; /* the same connection, seen from its other end */
	const struct report *report;
};

struct report_peer {
	struct hash_node node;
	__u32 family, port, direction;
	struct ev_addr addr;
	__u64 connections, failed, sent, received, retransmits;
};

struct report_tcp {
	struct table by_sock, failures, peers;
	struct report_connection *first, *last_conn;
	struct sock_node *free_nodes;
	size_t nr;
	__u64 opened, accepted, failed, existing, unopened, closed, sent, received, retransmits;
	__u64 folded, folded_sent, folded_received, udp_sent, udp_received;
	struct report_peer folded_peers;
	struct tally listeners, datagrams;
};

#endif
