/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's types that the BPF programs read: only these, and of these only the members that
 * are read. libbpf finds where they really are on the running kernel (CO-RE), so this file builds
 * where there is no BTF, and shows at a glance what of the kernel is touched.
 *
 * A member that was renamed has its old form in a struct with a suffix (struct foo___old), which
 * CO-RE ignores when it looks for the type.
 */
#ifndef EBPFMON_VMLINUX_H
#define EBPFMON_VMLINUX_H
#define __VMLINUX_H__ /* for bpf_tracing.h: registers have the kernel's names */

#include <linux/types.h>
#include <linux/bpf.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
enum { false = 0, true = 1 };

/* Registers at a system call. Not relocated: this is user ABI (arch/.../uapi/asm/ptrace.h). */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	unsigned long long regs[31], sp, pc, pstate;
};
struct pt_regs {
	struct user_pt_regs user_regs;
	unsigned long long orig_x0;
	int syscallno;
};
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

struct hlist_bl_node {
	struct hlist_bl_node *next, **pprev;
};

typedef struct {
	unsigned int val;
} kuid_t;

typedef struct {
	unsigned int val;
} kgid_t;

/* ---- files ---- */

struct qstr {
	union {
		struct {
			u32 hash;
			u32 len;
		};
		u64 hash_len;
	};
	const unsigned char *name;
};

struct file_system_type {
	const char *name;
};

struct timespec64 {
	long long tv_sec;
	long tv_nsec;
};

struct super_block {
	unsigned int s_dev;
	unsigned long s_magic;
	struct dentry *s_root;
};

struct inode {
	unsigned short i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	struct super_block *i_sb;
	unsigned long i_ino; /* u64 from 7.2 on: as wide, everywhere we run */
	unsigned int i_nlink;
	unsigned int i_rdev;
	long long i_size;
	long long i_ctime_sec; /* from 6.12 on; before: inode___ctime */
	struct pipe_inode_info *i_pipe;
	void *i_private;
};

struct inode___ctime {
	struct timespec64 i_ctime;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
	int mnt_flags;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
	int mnt_id;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	unsigned int f_mode;
	unsigned int f_flags;
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
	long long f_pos;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	int umask;
	struct path root, pwd;
};

/* ---- tasks ---- */

typedef struct {
	u64 val; /* u32[2] before 6.12: the same eight bytes */
} kernel_cap_t;

struct ns_common {
	unsigned int inum;
};

struct user_namespace {
	int level;
	struct ns_common ns;
};

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t suid;
	kgid_t sgid;
	kuid_t euid;
	kgid_t egid;
	kuid_t fsuid;
	kgid_t fsgid;
	kernel_cap_t cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient;
	struct user_namespace *user_ns;
};

struct mm_struct {
	unsigned long arg_start, arg_end;
	struct file *exe_file;
};

struct mnt_namespace {
	struct ns_common ns;
};

/* An idr is a tree of these: lib/xarray.c */
struct xa_node {
	unsigned char shift;
	void *slots[64]; /* 16 with CONFIG_BASE_SMALL */
};

struct xarray {
	void *xa_head;
};

struct idr {
	struct xarray idr_rt;
};

struct pid_namespace {
	struct idr idr;
	struct ns_common ns;
	unsigned int level;
};

struct net {
	struct ns_common ns;
};

struct uts_namespace {
	struct ns_common ns;
};

struct ipc_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct pid_namespace *pid_ns_for_children;
	struct net *net_ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct hlist_head tasks[4];
	struct upid numbers[1];
};

union __sifields {
	struct {
		int _pid;
	} _sigchld;
};

struct kernel_siginfo {
	int si_code;
	union __sifields _sifields;
};

struct sched_entity {
	u64 sum_exec_runtime;
};

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
	unsigned long long sum_sched_runtime;
	unsigned long maxrss;
};

struct seccomp {
	int mode;
	atomic_t filter_count; /* from 5.11 on */
};

struct thread_info {
	unsigned long flags;
	u32 status;
};

struct kernfs_node {
	u64 id;
	struct kernfs_node *__parent; /* from 6.16 on; before: kernfs_node___parent */
};

struct kernfs_node___parent {
	struct kernfs_node *parent;
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
	int level;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup *dfl_cgrp;
	struct cgroup_subsys_state *subsys[1]; /* as many as there are controllers */
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	struct mm_struct *mm;
	int exit_code;
	unsigned long atomic_flags;
	int pid, tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct hlist_node pid_links[4];
	u64 start_boottime;
	struct cred *cred; /* const in the kernel; clang 22 then refuses BPF_CORE_READ */
	struct cred *real_cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct seccomp seccomp;
	struct css_set *cgroups;
	struct sched_entity se;
	void *stack;
};

struct linux_binprm {
	const char *filename;
	const char *interp;
	int argc;
	struct file *file;
};

/* ---- io_uring ---- */

struct filename {
	const char *name;
};

struct io_cqe {
	s32 res;
};

struct io_kiocb {
	struct file *file;
	u8 opcode;
	u32 flags; /* u64 from 6.12 on: these are the lower half */
	atomic_t poll_refs; /* 5.15, and 5.10.162, which has 5.15's io_uring */
	struct io_cqe cqe; /* 5.19 */
};

/* What a request is asked for lies at the begin of its struct io_kiocb, as one of these. */

struct open_how {
	u64 flags;
};

struct io_open {
	int dfd;
	u32 file_slot;
	struct filename *filename;
	struct open_how how;
};

struct io_unlink {
	int dfd;
	int flags;
	struct filename *filename;
};

struct io_mkdir {
	int dfd;
	u16 mode;
	struct filename *filename;
};

struct io_rename {
	int old_dfd, new_dfd;
	struct filename *oldpath, *newpath;
	int flags;
};

struct io_link { /* symlinks as well */
	int old_dfd, new_dfd;
	struct filename *oldpath, *newpath;
	int flags;
};

/* The names from 7.0 on. */
struct delayed_filename {
	struct filename *__incomplete_filename;
};

struct io_open___delayed {
	struct delayed_filename filename;
};

struct io_unlink___delayed {
	struct delayed_filename filename;
};

struct io_mkdir___delayed {
	struct delayed_filename filename;
};

struct io_rename___delayed {
	struct delayed_filename oldpath, newpath;
};

struct io_link___delayed {
	struct delayed_filename oldpath, newpath;
};

struct io_splice {
	int splice_fd_in;
	unsigned int flags;
};

struct io_connect {
	void *addr;
	int addr_len;
};

struct io_accept {
	u32 file_slot;
};

struct io_listen { /* 6.11 */
	int backlog;
};

struct io_sr_msg {
	void *umsg;
	int msg_flags;
};

/* ---- sockets, pipes ---- */

struct eventfd_ctx {
	int id;
};

struct pipe_inode_info {
	unsigned int readers, writers;
};

struct in6_addr {
	union {
		u8 u6_addr8[16];
		u32 u6_addr32[4];
	} in6_u;
};

struct sock_cgroup_data {
	struct cgroup *cgroup; /* from 5.15 on; before: sock_cgroup_data___val */
};

struct sock_cgroup_data___val {
	u64 val;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	union {
		struct {
			u32 skc_daddr;
			u32 skc_rcv_saddr;
		};
	};
	union {
		struct {
			u16 skc_dport; /* network order */
			u16 skc_num; /* host order */
		};
	};
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags; /* bits: enum sock_flags */
};

struct sock {
	struct sock_common __sk_common;
	int sk_err;
	u16 sk_type;
	u16 sk_protocol;
	u8 sk_shutdown;
	u32 sk_ack_backlog;
	u32 sk_max_ack_backlog;
	struct socket *sk_socket;
	struct pid *sk_peer_pid;
	struct sock_cgroup_data sk_cgrp_data;
};

struct socket {
	short type;
	struct file *file;
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct inet_sock {
	struct sock sk;
	u16 inet_sport; /* network order */
	u32 inet_saddr;
};

struct tcp_sock {
	u64 bytes_received, bytes_acked, bytes_sent, bytes_retrans;
	u32 snd_una, snd_nxt, write_seq;
	u32 segs_in, segs_out, total_retrans, srtt_us, data_segs_in, data_segs_out;
};

struct unix_address {
	int len;
	struct {
		u16 sun_family;
		char sun_path[108];
	} name[];
};

struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct sock *peer;
	struct path path;
};

/* ---- BPF iterators ---- */

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

#pragma clang attribute pop

#endif
