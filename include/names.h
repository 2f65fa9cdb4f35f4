/* SPDX-License-Identifier: MIT */
/* Values of the named types that are ours, not the kernel's: BPF fills them in, src/names.c names them. */
#ifndef EBPFMON_NAMES_H
#define EBPFMON_NAMES_H

enum ev_filekind {
	FILEKIND_OTHER,
	FILEKIND_REGULAR,
	FILEKIND_DIRECTORY,
	FILEKIND_SYMLINK,
	FILEKIND_CHARDEV,
	FILEKIND_BLOCKDEV,
	FILEKIND_FIFO,
	FILEKIND_SOCKET,
	FILEKIND_ANON,
};

enum ev_ipckind {
	IPCKIND_OTHER,
	IPCKIND_PIPE,
	IPCKIND_FIFO,
	IPCKIND_UNIX_STREAM,
	IPCKIND_UNIX_DGRAM,
	IPCKIND_UNIX_SEQPACKET,
	IPCKIND_EVENTFD,
	IPCKIND_MQUEUE,
	IPCKIND_SIGNALFD,
	IPCKIND_NETLINK,
};

enum ev_sysvop {
	SYSVOP_OTHER,
	SYSVOP_SHMGET,
	SYSVOP_SHMAT,
	SYSVOP_SHMDT,
	SYSVOP_SHMCTL,
	SYSVOP_MSGGET,
	SYSVOP_MSGSND,
	SYSVOP_MSGRCV,
	SYSVOP_MSGCTL,
	SYSVOP_SEMGET,
	SYSVOP_SEMOP,
	SYSVOP_SEMCTL,
};

/*
 * Type sigcode: si_code as it is, when it means the same for every signal (SI_USER and below,
 * SI_KERNEL); the others mean something for one signal only.
 */
#define EV_SIGCODE(sig, code)                                                                      \
	((code) > 0 && (code) < 0x80 ? (__u32)(sig) << 16 | (code) : (__u32)(code))

enum ev_capns {
	CAPNS_INITIAL, /* the host's */
	CAPNS_OWN, /* the one the process is in, which is not the host's */
	CAPNS_OTHER,
};

/* How an exec ended a process's set-up. */
enum ev_entry {
	ENTRY_NONE,
	ENTRY_SETUP, /* of a process that somebody outside had brought in */
	ENTRY_MOVED, /* of one that was moved from elsewhere inside: only a nested container's entry */
};

enum ev_exeflags {
	EXE_UPPER = 1 << 0, /* on overlayfs, the file lives in the container's own (upper) layer */
	EXE_LOWER = 1 << 1, /* on overlayfs, the file is the image's */
	EXE_MODIFIED = 1 << 2, /* the inode changed after the container's cgroup was created */
	EXE_MEMFD = 1 << 3, /* memfd_create(2): never on a disk */
	EXE_DELETED = 1 << 4, /* no name leads to it any more */
};

enum ev_pathflags {
	PATH_ARGUMENT =
		1
		<< 0, /* from the call's argument and the directory it is relative to: no object to ask */
	PATH_LOOKUP =
		1 << 1, /* ... and symbolic links in it resolved afterwards, from user space */
	PATH_DELETED = 1 << 2, /* no name leads to the file any more */
	PATH_UNREACHABLE = 1 << 3, /* not below the root of the process's mount namespace */
	PATH_TRUNCATED = 1 << 4, /* too long or too deep: the beginning is missing */
	PATH_UNREADABLE = 1 << 5, /* the argument's memory could not be read */
	PATH_FOLLOW =
		1 << 6, /* with PATH_ARGUMENT: the call follows a symbolic link at the end, too */
	PATH_IN_CALL = 1 << 7, /* from what the kernel found during the call (bpf/paths.bpf.c) */
	PATH_EMPTY =
		1
		<< 8, /* the argument was empty: the path is of what it is relative to (AT_EMPTY_PATH) */
};

#endif
