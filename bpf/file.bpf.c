// SPDX-License-Identifier: GPL-2.0
/*
 * Files: opening, reading and writing, and changes to the tree. All at the exit of system calls:
 * a call that leaves a descriptor is told from the kernel's own file, the others from their
 * arguments (PATH_ARGUMENT) and the directory that these are relative to, or, where there are
 * kprobes, from what the kernel found during the call (PATH_IN_CALL).
 */
#include "io.bpf.h"
#include "leader.bpf.h"
#include "resolved.bpf.h"
#include "uring.bpf.h"
#include "traced.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define O_WRONLY  01
#define O_CREAT	  0100
#define O_EXCL	  0200
#define O_NOCTTY  0400
#define O_TRUNC	  01000
#define O_CLOEXEC 02000000
#if defined(__TARGET_ARCH_x86)
#define O_LARGEFILE 0100000
#define O_NOFOLLOW  0400000
#elif defined(__TARGET_ARCH_arm64)
#define O_LARGEFILE 0400000
#define O_NOFOLLOW  0100000
#endif
#define AT_SYMLINK_NOFOLLOW   0x100
#define AT_REMOVEDIR	      0x200
#define AT_SYMLINK_FOLLOW     0x400
#define MOVE_MOUNT_T_SYMLINKS 0x10
#define UMOUNT_NOFOLLOW	      8

/* ---- which open file is it ---- */

/*
 * Identity numbers of open files. A struct file is soon used again at the same address: an entry
 * is good as long as what the file leads to is the same, and every open that is seen replaces it.
 * That a stale entry's place is taken by an unseen open of the very same name is harmless: the
 * number then still leads to the right path. Entries pushed out get a new number when used again.
 */
struct file_ident {
	__u64 id;
	__u64 dentry, mnt, inode;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64); /* address of the struct file */
	__type(value, struct file_ident);
} file_ids SEC(".maps");

/* How many numbers each CPU has given. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} file_ids_given SEC(".maps");

/* A number that no other open file has had. */
static __always_inline __u64 ident_number(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&file_ids_given, &zero);

	return n ? (__u64)(bpf_get_smp_processor_id() + 1) << 44 | ++*n : 0;
}

static __always_inline void ident_of(struct file_ident *i, struct file *f)
{
	i->dentry = (__u64)BPF_CORE_READ(f, f_path.dentry);
	i->mnt = (__u64)BPF_CORE_READ(f, f_path.mnt);
	i->inode = (__u64)BPF_CORE_READ(f, f_inode);
}

/* The number of an open file; 0: it has none. */
static __always_inline __u64 ident_find(struct file *f)
{
	__u64 addr = (__u64)f;
	struct file_ident *have = bpf_map_lookup_elem(&file_ids, &addr);

	if (!have)
		return 0;
	return have->dentry == (__u64)BPF_CORE_READ(f, f_path.dentry) &&
			       have->mnt == (__u64)BPF_CORE_READ(f, f_path.mnt) &&
			       have->inode == (__u64)BPF_CORE_READ(f, f_inode)
		       ? have->id
		       : 0;
}

/* @have: its place, if there is one for its address. */
static __always_inline __u64 ident_give(struct file *f, struct file_ident *have)
{
	__u64 addr = (__u64)f, id = ident_number();
	struct file_ident i = {};

	if (have) { /* the number first: whoever reads it meanwhile finds another file's, or this */
		have->id = id;
		barrier();
		ident_of(have, f);
		return id;
	}
	i.id = id;
	ident_of(&i, f);
	bpf_map_update_elem(&file_ids, &addr, &i, BPF_ANY);
	return id;
}

static __always_inline void ident_forget(struct file *f)
{
	__u64 addr = (__u64)f;

	bpf_map_delete_elem(&file_ids, &addr);
}

static __always_inline __u32 mode_kind(__u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return FILEKIND_REGULAR;
	case S_IFDIR: return FILEKIND_DIRECTORY;
	case S_IFLNK: return FILEKIND_SYMLINK;
	case S_IFCHR: return FILEKIND_CHARDEV;
	case S_IFBLK: return FILEKIND_BLOCKDEV;
	case S_IFIFO: return FILEKIND_FIFO;
	case S_IFSOCK: return FILEKIND_SOCKET;
	}
	return FILEKIND_OTHER;
}

static __always_inline __u32 file_kind(struct file *f)
{
	struct inode *inode = BPF_CORE_READ(f, f_inode);

	if (BPF_CORE_READ(inode, i_sb, s_magic) == ANON_INODE_FS_MAGIC)
		return FILEKIND_ANON;
	return mode_kind(BPF_CORE_READ(inode, i_mode));
}

/* ---- FILE_ID: the fields with which every event of a file begins ---- */

struct file_id {
	struct ev_hdr hdr;
	evt_path path;
	evt_str mount;
	evt_u32 mount_id;
	evt_fstype fs;
	evt_dev dev;
	evt_u64 ino;
	evt_pathflags path_flags;
};

#define FILE_ID_ASSERT(name)                                                                       \
	_Static_assert(__builtin_offsetof(struct ev_file_##name, path_flags) ==                    \
			       __builtin_offsetof(struct file_id, path_flags),                     \
		       "FILE_ID comes first")
FILE_ID_ASSERT(open);
FILE_ID_ASSERT(inherit);
FILE_ID_ASSERT(io);
FILE_ID_ASSERT(mount);

/* All but the path. */
static __always_inline void file_id_numbers(struct file_id *id, struct file *f)
{
	struct inode *inode = BPF_CORE_READ(f, f_inode);
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	struct mount *m = real_mount(BPF_CORE_READ(f, f_path.mnt));

	id->mount_id = BPF_CORE_READ(m, mnt_id);
	id->fs = BPF_CORE_READ(sb, s_magic);
	id->dev = BPF_CORE_READ(sb, s_dev);
	id->ino = BPF_CORE_READ(inode, i_ino);
}

static __always_inline void file_id_fill(struct scratch *s, struct file *f)
{
	struct file_id *id = (struct file_id *)s->buf;

	file_id_numbers(id, f);
	id->path_flags = tail_file_path(s, &id->path, &id->mount, f);
}

/* ---- reading and writing ---- */

struct io_key {
	__u64 cgroup;
	__u64 file; /* identity number; 0: closed by another thread during the call */
	__u32 tgid;
	__u32 start; /* low bits of the start time; IO_SETUP */
};

#define IO_SETUP (1u << 31)

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct io_key);
	__type(value, struct ev_file_io);
} file_io SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct io_key);
	__type(value, struct ev_file_io);
} file_io_rest SEC(".maps");

/* A new record is written here first: too big for the stack beside what else is there. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ev_file_io);
} file_io_new SEC(".maps");

static __always_inline __u32 io_key_start(__u32 start, bool setup)
{
	return (start & ~IO_SETUP) | (setup ? IO_SETUP : 0);
}

static __always_inline void io_key_fill(struct io_key *k, __u64 file)
{
	const struct seen *who = seen_caller();

	if (!who)
		return;
	k->cgroup = who->cgroup;
	k->file = file;
	k->tgid = who->tgid;
	k->start = io_key_start(who->start, who->setup);
}

static __always_inline void io_add(struct ev_file_io *v, __u32 dir, __u64 bytes)
{
	switch (dir) {
	case IO_READ:
		__sync_fetch_and_add(&v->reads, 1);
		__sync_fetch_and_add(&v->read_bytes, bytes);
		break;
	case IO_WRITE:
		__sync_fetch_and_add(&v->writes, 1);
		__sync_fetch_and_add(&v->written_bytes, bytes);
		break;
	case IO_MMAP: __sync_fetch_and_add(&v->mmaps, 1); break;
	}
}

/*
 * First use of a file whose opening was not seen: from before, from outside, or passed on. Its
 * record is sent whenever there are counters to be joined with it.
 */
static __always_inline __u64 file_adopt(struct file *f)
{
	struct scratch *s = ev_begin_always(EV_file_inherit, sizeof(struct ev_file_inherit));
	struct ev_file_inherit *e;
	__u64 id = ident_give(f, NULL);

	if (!s)
		return id;
	e = (struct ev_file_inherit *)s->buf;
	e->file = id;
	e->kind = file_kind(f);
	file_id_fill(s, f);
	ev_end(s, false);
	return id;
}

/* @v has room nowhere: summed without its file as well. */
static __always_inline void io_rest(struct ev_file_io *v, struct io_key *k)
{
	struct ev_file_io *old;

	__builtin_memset(&v->path, 0,
			 __builtin_offsetof(struct file_id, path_flags) -
				 __builtin_offsetof(struct file_id, path));
	v->file = k->file = k->tgid = 0;
	k->start &= IO_SETUP;
	old = counter_rest(&file_io_rest, k, &v->hdr, sizeof(*v));
	if (!old)
		return;
	io_sums_add(old, v);
	__sync_fetch_and_add(&old->mmaps, v->mmaps);
}

/* ---- the files of first threads ---- */

/* Which place has the file at @address, or, for 0, is free; EV_LEADER_FILES: none. */
static __always_inline __u32 leader_file_place(struct ev_leader *l, __u64 address)
{
	volatile __u32 *found = &l->file_found; /* there the verifier does not follow it */
	__u32 i;

#pragma unroll
	for (i = 0; i < EV_LEADER_FILES; i++)
		if (l->file_at[i] == address)
			break;
	*found = i;
	return *found;
}

/*
 * What was counted at a place leaves it: with the file itself (@final), or because another file needs the place.
 * Then it waits with the other counters, where its file is counted further: none takes a place twice.
 */
static __always_inline void leader_file_leaves(struct ev_leader *l, __u32 i, bool final)
{
	struct io_key k = {};
	struct ev_file_io *v;

	bound(i, EV_LEADER_FILES - 1);
	v = &l->file[i].io;
	l->file_at[i] = 0;
	if (!(v->reads | v->writes | v->mmaps))
		return;
	k.cgroup = v->hdr.cgroup;
	k.file = v->file;
	k.tgid = v->hdr.pid;
	k.start = io_key_start(v->hdr.start >> 10, v->hdr.flags & EV_F_SETUP);
	if (!final && !bpf_map_update_elem(&file_io, &k, v, BPF_NOEXIST))
		return;
	if (bpf_ringbuf_output(&ring, v, sizeof(*v), BPF_RB_NO_WAKEUP) &&
	    bpf_map_update_elem(&file_io, &k, v, BPF_NOEXIST))
		io_rest(v, &k);
}

/* The counter of @f, if it has a place and that is still its own. */
static __always_inline struct ev_file_io *leader_file(struct ev_leader *l, struct file *f,
						      bool setup)
{
	__u32 i = leader_file_place(l, (__u64)f);
	struct ev_leader_file *p;

	if (i >= EV_LEADER_FILES)
		return NULL;
	p = &l->file[i];
	/* the name as well: another thread may have opened another file, where all of this one was */
	if (p->dentry == (__u64)BPF_CORE_READ(f, f_path.dentry) &&
	    p->mnt == (__u64)BPF_CORE_READ(f, f_path.mnt) &&
	    p->inode == (__u64)BPF_CORE_READ(f, f_inode) &&
	    p->name == BPF_CORE_READ(f, f_path.dentry, d_name.hash_len) &&
	    !(p->io.hdr.flags & EV_F_SETUP) == !setup)
		return &p->io;
	leader_file_leaves(l, i, true);
	return NULL;
}

/* A place for @f: its number. The caller fills in the counter, then the address. */
static __always_inline __u32 leader_file_take(struct ev_leader *l, struct file *f)
{
	__u32 i = leader_file_place(l, 0);
	struct ev_leader_file *p;
	struct file_ident *have;
	__u64 address;

	if (i >= EV_LEADER_FILES) {
		i = l->file_next++;
		bound(i, EV_LEADER_FILES - 1);
		address = l->file_at[i];
		have = bpf_map_lookup_elem(&file_ids, &address);
		leader_file_leaves(l, i, !have || have->id != l->file[i].io.file);
	}
	bound(i, EV_LEADER_FILES - 1);
	p = &l->file[i];
	p->dentry = (__u64)BPF_CORE_READ(f, f_path.dentry);
	p->mnt = (__u64)BPF_CORE_READ(f, f_path.mnt);
	p->inode = (__u64)BPF_CORE_READ(f, f_inode);
	p->name = BPF_CORE_READ(f, f_path.dentry, d_name.hash_len);
	return i;
}

/* @f was opened, as @e tells: whoever opens a file mostly uses it next. */
static __always_inline void leader_file_opened(struct ev_leader *l, struct file *f,
					       const struct ev_file_open *e)
{
	__u32 i = leader_file_take(l, f);
	struct ev_file_io *v;

	bound(i, EV_LEADER_FILES - 1);
	v = &l->file[i].io;
	__builtin_memset(v, 0, sizeof(*v));
	v->hdr = e->hdr;
	v->hdr.type = EV_file_io;
	v->hdr.len = sizeof(*v);
	v->mount_id = e->mount_id;
	v->fs = e->fs;
	v->dev = e->dev;
	v->ino = e->ino;
	v->file = e->file;
	l->file_at[i] = (__u64)f;
}

/* The first use of a file by a process; @l: its first thread's entry, if that is who uses it. */
static __always_inline void io_first(struct file *f, __u64 id, __u32 dir, __u64 bytes,
				     struct ev_leader *l)
{
	const struct seen *who = seen_caller();
	struct ev_file_io *v, *old;
	struct io_key k = {};
	__u32 zero = 0, i;

	v = bpf_map_lookup_elem(&file_io_new, &zero);
	if (!v || !who)
		return;
	__builtin_memset(v, 0, sizeof(*v));
	seen_header(&v->hdr, who, EV_file_io, sizeof(*v), bpf_ktime_get_boot_ns());
	if (!filter_task(v->hdr.pid, v->hdr.uid, v->hdr.comm))
		return;
	if (f) {
		file_id_numbers((struct file_id *)v, f);
		if (!id)
			id = file_adopt(f);
	}
	v->file = id;
	io_add(v, dir, bytes);
	if (l) {
		i = leader_file_take(l, f);
		bound(i, EV_LEADER_FILES - 1);
		l->file[i].io = *v;
		l->file_at[i] = (__u64)f;
		return;
	}
	io_key_fill(&k, id);
	if (bpf_map_update_elem(&file_io, &k, v, BPF_NOEXIST) == 0)
		return;
	/* another CPU was first, or the map is full */
	old = bpf_map_lookup_elem(&file_io, &k);
	if (old)
		io_add(old, dir, bytes);
	else
		io_rest(v, &k);
}

/*
 * Accounts one end; @own: of the call that ends here. A function of its own: verified once, not for every way to
 * either end.
 */
__attribute__((noinline)) int io_account(__u64 file, __u32 dir, __u64 bytes, bool own)
{
	struct file *f = (struct file *)file;
	const struct seen *who = seen_caller();
	struct ev_leader *l = f && own && who ? leader_entry(who) : NULL;
	struct ev_file_io *v = l ? leader_file(l, f, who->setup) : NULL;
	struct io_key k = {};
	__u64 id = 0;

	if (!v) {
		id = f ? ident_find(f) : 0;
		if (id || !f) {
			io_key_fill(&k, id);
			v = bpf_map_lookup_elem(&file_io, &k);
		}
	}
	if (v)
		io_add(v, dir, bytes);
	else
		io_first(f, id, dir, bytes, l);
	return 0;
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_io_exit, struct pt_regs *regs, long ret)
{
	struct io_now *now = io_now_get();

	if (!now)
		return 0;
	for (int i = 0; i < 2 && ev_enabled(EV_file_io); i++) {
		const struct io_end *end = &now->end[i];

		if (end->class == IO_FILE || end->class == IO_GONE)
			io_account(end->file, end->dir, end->bytes, true);
	}
	io_next(ctx, now, IO_FILE);
	return 0;
}

/* ---- opening ---- */

/*
 * A new file has come to a used address: what this process did with the file that was there is
 * final. It leaves now, so that a process that opens files all day does not fill the map. Returns the
 * place of the old file's number, or NULL. @l: the entry of the first thread that has opened it, or NULL.
 */
static __always_inline struct file_ident *io_retire(struct file *f, struct ev_leader *l)
{
	__u64 addr = (__u64)f;
	struct file_ident *old = bpf_map_lookup_elem(&file_ids, &addr);
	__u32 i = l ? leader_file_place(l, addr) : EV_LEADER_FILES;
	struct ev_file_io *v;
	struct io_key k = {};

	if (i < EV_LEADER_FILES)
		leader_file_leaves(l, i, true);
	if (!old)
		return NULL;
	io_key_fill(&k, old->id);
	v = bpf_map_lookup_elem(&file_io, &k);
	if (v && bpf_ringbuf_output(&ring, v, sizeof(*v), BPF_RB_NO_WAKEUP) == 0)
		bpf_map_delete_elem(&file_io, &k);
	return old;
}

/* The flags argument of an open. */
static __always_inline __u32 open_flags(const struct sys_call *c)
{
	__u64 flags = 0;

	switch (c->nr) {
#ifdef __NR_open
	case __NR_open: return c->a[1];
	case __NR_creat: return O_CREAT | O_WRONLY | O_TRUNC;
#endif
	case __NR_openat2: /* struct open_how begins with it */
		bpf_probe_read_user(&flags, sizeof(flags), (void *)c->a[2]);
		return flags;
	}
	return c->a[2];
}

static __always_inline void open_argument(struct scratch *s, const struct sys_call *c, __u32 flags)
{
	struct file_id *id = (struct file_id *)s->buf;
	bool at = c->nr == __NR_openat || c->nr == __NR_openat2;

	if (c->nr == __NR_open_by_handle_at) /* a handle is no path */
		return;
	id->path_flags = tail_path_at(s, &id->path, at ? (int)c->a[0] : EV_AT_FDCWD,
				      (void *)(at ? c->a[1] : c->a[0]));
	if (!(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		id->path_flags |= PATH_FOLLOW;
}

/* At the exit of a call, or (@how: EV_F_IO_URING) elsewhere. */
static __always_inline struct scratch *open_begin(__u32 type, __u32 size, __u32 how)
{
	struct scratch *s = how ? ev_begin(type, size) : call_begin(type, size);

	if (s)
		((struct ev_hdr *)s->buf)->flags |= how;
	return s;
}

static __always_inline void open_created(struct file *f, __u32 how)
{
	struct scratch *s = open_begin(EV_file_create, sizeof(struct ev_file_create), how);
	struct ev_file_create *e;

	if (!s)
		return;
	e = (struct ev_file_create *)s->buf;
	e->kind = file_kind(f);
	e->mode = BPF_CORE_READ(f, f_inode, i_mode) & 07777;
	file_id_fill(s, f);
	ev_end(s, false);
}

static __always_inline void open_fill(struct ev_file_open *e, struct file *f, __u32 flags,
				      bool created)
{
	e->kind = file_kind(f);
	e->mode = BPF_CORE_READ(f, f_inode, i_mode) & 07777;
	/* the file keeps neither those of the opening itself nor the descriptor's; O_LARGEFILE is always added */
	e->flags = BPF_CORE_READ(f, f_flags) & ~O_LARGEFILE;
	e->flags |= flags & (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	e->created = created;
}

/*
 * An open that left a descriptor is told by its file. When it created the file, user space makes
 * file.create of the same record; a record of its own is for those who want that alone.
 */
static __always_inline void open_succeeded(struct file *f, int fd, __u32 flags, __u32 how)
{
	bool io = ev_enabled(EV_file_io), created = BPF_CORE_READ(f, f_mode) & FMODE_CREATED;
	const struct seen *who = seen_caller();
	struct ev_leader *l = io && !how && who ? leader_entry(who) : NULL;
	struct file_ident *place = io ? io_retire(f, l) : NULL;
	struct scratch *s = open_begin(EV_file_open, sizeof(struct ev_file_open), how);
	struct ev_file_open *e;

	if (!s) {
		if (io)
			ident_forget(f); /* whoever uses it first tells what it is */
		if (created)
			open_created(f, how);
		return;
	}
	e = (struct ev_file_open *)s->buf;
	e->fd = fd;
	open_fill(e, f, flags, created);
	e->file = io ? ident_give(f, place) : 0;
	file_id_fill(s, f);
	if (l)
		leader_file_opened(l, f, e);
	if (!ev_end(s, false) && created && ev_enabled(EV_file_create))
		ev_lost(EV_file_create);
}

/* Without a file: it failed, or another thread has closed it already. */
static __always_inline void open_without_file(const struct sys_call *c, long ret, __u32 flags)
{
	struct scratch *s = call_begin(EV_file_open, sizeof(struct ev_file_open));
	struct ev_file_open *e;

	if (!s)
		return;
	e = (struct ev_file_open *)s->buf;
	e->fd = ret < 0 ? -1 : ret;
	e->err = ret < 0 ? -ret : 0;
	e->flags = flags;
	open_argument(s, c, flags);
	ev_end(s, false);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_open, struct pt_regs *regs, long ret)
{
	struct file *f = ret < 0 ? NULL : fd_file(ret);
	struct sys_call c;

	sys_read(&c, regs);
	if (f)
		open_succeeded(f, ret, open_flags(&c), 0);
	else
		open_without_file(&c, ret, open_flags(&c));
	sys_next(ctx, EVS_file, c.nr);
	return 0;
}

/* ---- changes to the tree ---- */

/* A call that changes the tree, at its exit. */
struct change {
	struct sys_call call;
	struct scratch *s; /* NULL: nobody wants it */
	/* its arguments; not of calls that are BY_OTHER */
	__u32 form;
	int fd; /* of the file, or of the directory */
	const void *path;
	__u64 rest[3]; /* the arguments after that */
};

static __always_inline void change_read(struct change *c, struct pt_regs *regs)
{
	const __u64 *a = c->call.a;
	bool at;

	sys_read(&c->call, regs);
	c->form = call_form(c->call.nr);
	at = c->form == BY_AT;
	c->fd = at || c->form == BY_FD ? (int)a[0] : EV_AT_FDCWD;
	c->path = (void *)(at ? a[1] : a[0]);
	c->rest[0] = at ? a[2] : a[1];
	c->rest[1] = at ? a[3] : a[2];
	c->rest[2] = at ? a[4] : a[3];
}

/* The event to be filled, or NULL. Either way change_end() comes last. */
static __always_inline void *change_begin(struct change *c, struct pt_regs *regs, __u32 type,
					  __u32 size)
{
	change_read(c, regs);
	c->s = call_begin(type, size);
	return c->s ? c->s->buf : NULL;
}

static __always_inline int change_end(void *ctx, const struct change *c)
{
	if (c->s)
		ev_end(c->s, false);
	resolved_forget(FIRST_PATH);
	resolved_forget(SECOND_PATH);
	sys_next(ctx, EVS_file, c->call.nr);
	return 0;
}

/* AT_EMPTY_PATH: the descriptor itself is meant. (Without that flag the call fails.) */
static __always_inline bool change_is_of_fd(const struct change *c)
{
	char first = 0;

	if (c->form != BY_AT || c->fd < 0)
		return c->form == BY_FD;
	return !c->path || (bpf_probe_read_user(&first, 1, c->path) == 0 && !first);
}

/* The file that the call was about, as the hooks saw it; false: they did not. */
static __always_inline bool resolved_fill(const struct change *c)
{
	struct file_id *id = (struct file_id *)c->s->buf;
	struct resolved *r = resolved_find(FIRST_PATH, c->call.nr);

	if (!r)
		return false;
	id->mount_id = r->mount_id;
	id->fs = r->fs;
	id->dev = r->dev;
	id->ino = r->ino;
	id->path_flags = tail_resolved(c->s, &id->path, r);
	id->mount.off = id->path.off;
	id->mount.len = r->mount_len;
	return true;
}

/* @follow: PATH_FOLLOW when the call follows a symbolic link at the end of the path. */
static __always_inline void path_fill(const struct change *c, int dirfd, const void *path,
				      __u32 follow)
{
	struct file_id *id = (struct file_id *)c->s->buf;

	if (!resolved_fill(c))
		id->path_flags = tail_path_at(c->s, &id->path, dirfd, path) | follow;
}

/* The file of a call that is not BY_OTHER. */
static __always_inline void file_fill(const struct change *c, __u32 follow)
{
	struct file *f;

	if (!change_is_of_fd(c)) {
		path_fill(c, c->fd, c->path, follow);
		return;
	}
	f = fd_file(c->fd);
	if (f)
		file_id_fill(c->s, f);
}

/* The second name of rename and link: rest[0] is the path, or its directory and rest[1] the path. */
static __always_inline __u32 second_path(const struct change *c, struct ev_ref *ref)
{
	struct resolved *r = resolved_find(SECOND_PATH, c->call.nr);
	bool at = c->form == BY_AT;

	return r ? tail_resolved(c->s, ref, r)
		 : tail_path_at(c->s, ref, at ? (int)c->rest[0] : EV_AT_FDCWD,
				(void *)(at ? c->rest[1] : c->rest[0]));
}

#define ERR(ret) ((ret) < 0 ? -(ret) : 0)

/* mknod(2)'s device number as the kernel has it (include/linux/kdev_t.h); 0: not of a device. */
static __always_inline __u32 node_device(__u32 mode, __u32 dev)
{
	mode &= S_IFMT;
	if (mode != S_IFBLK && mode != S_IFCHR)
		return 0;
	return (dev >> 8 & 0xfff) << 20 | (dev >> 12 & 0xfff00) | (dev & 0xff);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_create, struct pt_regs *regs, long ret)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct ev_file_create *e;
	struct change c;

	e = change_begin(&c, regs, EV_file_create, sizeof(*e));
	if (e) {
		e->kind = c.rest[0] & S_IFMT ? mode_kind(c.rest[0]) : FILEKIND_REGULAR;
		e->node = node_device(c.rest[0], c.rest[1]);
		e->mode = c.rest[0] & 07777 & ~BPF_CORE_READ(task, fs, umask);
		e->err = ERR(ret);
		file_fill(&c, 0);
	}
	return change_end(ctx, &c);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_rename, struct pt_regs *regs, long ret)
{
	struct ev_file_rename *e;
	struct change c;

	e = change_begin(&c, regs, EV_file_rename, sizeof(*e));
	if (e) {
		e->flags = c.call.nr == __NR_renameat2 ? c.rest[2] : 0;
		e->err = ERR(ret);
		file_fill(&c, 0);
		e->target_flags = second_path(&c, &e->target);
	}
	return change_end(ctx, &c);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_link, struct pt_regs *regs, long ret)
{
	struct ev_file_link *e;
	struct change c;

	e = change_begin(&c, regs, EV_file_link, sizeof(*e));
	if (e) {
		e->err = ERR(ret);
		file_fill(&c, c.form == BY_AT && c.rest[2] & AT_SYMLINK_FOLLOW ? PATH_FOLLOW : 0);
		e->target_flags = second_path(&c, &e->target);
	}
	return change_end(ctx, &c);
}

/* unlink, rmdir, and unlinkat, which is both: the records are alike. */
_Static_assert(sizeof(struct ev_file_unlink) == sizeof(struct ev_file_rmdir),
	       "one program makes both");

static __always_inline bool removes_directory(struct pt_regs *regs)
{
	struct sys_call c;

	sys_read(&c, regs);
#ifdef __NR_rmdir
	if (c.nr == __NR_rmdir)
		return true;
#endif
	return c.nr == __NR_unlinkat && c.a[2] & AT_REMOVEDIR;
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_unlink, struct pt_regs *regs, long ret)
{
	__u32 type = removes_directory(regs) ? EV_file_rmdir : EV_file_unlink;
	struct ev_file_unlink *e;
	struct change c;

	e = change_begin(&c, regs, type, sizeof(*e));
	if (e) {
		e->err = ERR(ret);
		file_fill(&c, 0);
	}
	return change_end(ctx, &c);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_mkdir, struct pt_regs *regs, long ret)
{
	struct ev_file_mkdir *e;
	struct change c;

	e = change_begin(&c, regs, EV_file_mkdir, sizeof(*e));
	if (e) {
		e->mode = c.rest[0] & 07777;
		e->err = ERR(ret);
		file_fill(&c, 0);
	}
	return change_end(ctx, &c);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_symlink, struct pt_regs *regs, long ret)
{
	struct ev_file_symlink *e;
	struct change c;
	const __u64 *a = c.call.a;
	bool at;

	e = change_begin(&c, regs, EV_file_symlink, sizeof(*e));
	if (e) {
		at = c.call.nr == __NR_symlinkat;
		e->err = ERR(ret);
		tail_ustr(c.s, &e->content, (void *)a[0]);
		path_fill(&c, at ? (int)a[1] : EV_AT_FDCWD, (void *)(at ? a[2] : a[1]), 0);
	}
	return change_end(ctx, &c);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_chmod, struct pt_regs *regs, long ret)
{
	struct ev_file_chmod *e;
	struct change c;
	bool nofollow;

	e = change_begin(&c, regs, EV_file_chmod, sizeof(*e));
	if (e) {
		e->mode = c.rest[0] & 07777;
		e->err = ERR(ret);
		nofollow = c.call.nr == __NR_fchmodat2 && c.rest[1] & AT_SYMLINK_NOFOLLOW;
		file_fill(&c, nofollow ? 0 : PATH_FOLLOW);
	}
	return change_end(ctx, &c);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_chown, struct pt_regs *regs, long ret)
{
	struct ev_file_chown *e;
	struct change c;
	bool nofollow;

	e = change_begin(&c, regs, EV_file_chown, sizeof(*e));
	if (e) {
		e->owner = c.rest[0];
		e->group = c.rest[1];
		e->err = ERR(ret);
		nofollow = c.form == BY_AT && c.rest[2] & AT_SYMLINK_NOFOLLOW;
#ifdef __NR_lchown
		nofollow |= c.call.nr == __NR_lchown;
#endif
		file_fill(&c, nofollow ? 0 : PATH_FOLLOW);
	}
	return change_end(ctx, &c);
}

/* struct xattr_args, which setxattrat(2) is given: include/uapi/linux/xattr.h, 6.13 */
struct xattr_args {
	__u64 value;
	__u32 size, flags;
};

/* The name stands after the path, in setxattrat(2) and removexattrat(2) after the flags. */
static __always_inline void xattr_fill(const struct change *c, struct ev_file_xattr *e)
{
	struct xattr_args args = {};
	__u32 nr = c->call.nr;

	e->removed = nr == __NR_removexattr || nr == __NR_lremovexattr || nr == __NR_fremovexattr ||
		     nr == __NR_removexattrat;
	if (nr == __NR_setxattrat) {
		bpf_probe_read_user(&args, sizeof(args), (void *)c->call.a[4]);
		e->size = args.size;
	} else if (!e->removed) {
		e->size = c->rest[2];
	}
	tail_ustr(c->s, &e->name, (void *)(c->form == BY_AT ? c->rest[1] : c->rest[0]));
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_xattr, struct pt_regs *regs, long ret)
{
	struct ev_file_xattr *e;
	struct change c;
	bool nofollow;

	e = change_begin(&c, regs, EV_file_xattr, sizeof(*e));
	if (e) {
		e->err = ERR(ret);
		xattr_fill(&c, e);
		nofollow = c.call.nr == __NR_lsetxattr || c.call.nr == __NR_lremovexattr ||
			   (c.form == BY_AT && c.rest[0] & AT_SYMLINK_NOFOLLOW);
		file_fill(&c, nofollow ? 0 : PATH_FOLLOW);
	}
	return change_end(ctx, &c);
}

/* The 32-bit ABI has the length as one number, or (truncate64) as two: arm's in aligned registers. */
static __always_inline __s64 truncate_length(const struct change *c)
{
	if (c->call.abi != EV_ABI_COMPAT)
		return c->rest[0];
	if (c->call.raw != COMPAT_truncate64 && c->call.raw != COMPAT_ftruncate64)
		return (__s32)c->rest[0];
#if defined(__TARGET_ARCH_x86)
	return c->rest[0] | c->rest[1] << 32;
#else
	return c->rest[1] | c->rest[2] << 32;
#endif
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_truncate, struct pt_regs *regs, long ret)
{
	struct ev_file_truncate *e;
	struct change c;

	e = change_begin(&c, regs, EV_file_truncate, sizeof(*e));
	if (e) {
		e->length = truncate_length(&c);
		e->err = ERR(ret);
		file_fill(&c, PATH_FOLLOW);
	}
	return change_end(ctx, &c);
}

/* ---- mounts ---- */

/* mount(2) and the calls like it name what is mounted, and where. */
static __always_inline void mount_fill(const struct change *c, struct ev_file_mount *e)
{
	const __u64 *a = c->call.a;
	int at = EV_AT_FDCWD;
	const void *path = NULL;
	__u32 follow = PATH_FOLLOW;

	switch (c->call.nr) {
	case __NR_mount:
		e->flags = a[3];
		path = (void *)a[1];
		tail_ustr(c->s, &e->source, (void *)a[0]);
		tail_ustr(c->s, &e->type, (void *)a[2]);
		break;
	case __NR_pivot_root: /* the new root; the source is where the old one goes */
		path = (void *)a[0];
		tail_ustr(c->s, &e->source, (void *)a[1]);
		break;
	case __NR_move_mount:
		at = a[2];
		path = (void *)a[3];
		follow = a[4] & MOVE_MOUNT_T_SYMLINKS ? PATH_FOLLOW : 0;
		tail_ustr(c->s, &e->source, (void *)a[1]);
		break;
	case __NR_open_tree:
	case __NR_mount_setattr:
		at = a[0];
		path = (void *)a[1];
		follow = a[2] & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW;
		break;
	}
	if (path)
		path_fill(c, at, path, follow);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_mount, struct pt_regs *regs, long ret)
{
	struct ev_file_mount *e;
	struct change c;

	e = change_begin(&c, regs, EV_file_mount, sizeof(*e));
	if (e) {
		e->op = EV_SYSNR(c.call.abi, c.call.raw);
		e->err = ERR(ret);
		mount_fill(&c, e);
	}
	return change_end(ctx, &c);
}

SEC("tp_btf/sys_exit")
int SYS_EXIT(file_umount, struct pt_regs *regs, long ret)
{
	struct ev_file_umount *e;
	struct change c;

	e = change_begin(&c, regs, EV_file_umount, sizeof(*e));
	if (e) {
		e->flags =
			c.call.abi == EV_ABI_COMPAT && c.call.raw == COMPAT_umount ? 0 : c.rest[0];
		e->err = ERR(ret);
		file_fill(&c, e->flags & UMOUNT_NOFOLLOW ? 0 : PATH_FOLLOW);
	}
	return change_end(ctx, &c);
}

/* ---- io_uring ---- */

/* Records of requests with names, as they were submitted: each waits for its result. */
#define URING_RECORD 12288
struct uring_asked {
	struct file_id begin; /* all these records begin so */
	__u8 rest[URING_RECORD - sizeof(struct file_id)];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __u64); /* address of the request */
	__type(value, struct uring_asked);
} uring_asked SEC(".maps");

/* The records that a request with names becomes. */
union uring_record {
	struct ev_file_open open;
	struct ev_file_rename rename;
	struct ev_file_unlink unlink; /* file.rmdir is alike */
	struct ev_file_mkdir mkdir;
	struct ev_file_symlink symlink;
	struct ev_file_link link;
};

/* A name in one of the structs io_open, io_link, ...; from 7.0 on it lies in a struct of its own. */
#define URING_NAME(type, req, field)                                                               \
	(bpf_core_field_exists(((struct type *)0)->field)                                          \
		 ? BPF_CORE_READ((struct type *)(req), field)                                      \
		 : BPF_CORE_READ((struct type##___delayed *)(req), field.__incomplete_filename))

#define URING_FIELD(type, req, field) BPF_CORE_READ((struct type *)(req), field)

static __always_inline __u32 uring_type(__u32 op, struct io_kiocb *req)
{
	switch (op) {
	case URING_OPENAT:
	case URING_OPENAT2: return EV_file_open;
	case URING_RENAMEAT: return EV_file_rename;
	case URING_UNLINKAT:
		return URING_FIELD(io_unlink, req, flags) & AT_REMOVEDIR ? EV_file_rmdir
									 : EV_file_unlink;
	case URING_MKDIRAT: return EV_file_mkdir;
	case URING_SYMLINKAT: return EV_file_symlink;
	case URING_LINKAT: return EV_file_link;
	}
	return EV__MAX;
}

/* The flags that an open asks for; the kernel has put O_LARGEFILE to them. */
static __always_inline __u32 uring_open_flags(struct io_kiocb *req)
{
	return URING_FIELD(io_open, req, how.flags) & ~O_LARGEFILE;
}

static __always_inline __u32 uring_open_follows(__u32 flags)
{
	return flags & O_NOFOLLOW || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)
		       ? 0
		       : PATH_FOLLOW;
}

/* What there is besides the first name and where that begins. */
static __always_inline void uring_rest(struct scratch *s, __u32 op, struct io_kiocb *req)
{
	union uring_record *e = (union uring_record *)s->buf;
	struct file_id *id = (struct file_id *)s->buf;
	struct filename *content;

	switch (op) {
	case URING_OPENAT:
	case URING_OPENAT2:
		e->open.flags = uring_open_flags(req);
		e->open.fd = -1;
		id->path_flags |= uring_open_follows(e->open.flags);
		break;
	case URING_RENAMEAT:
		e->rename.flags = URING_FIELD(io_rename, req, flags);
		e->rename.target_flags =
			tail_path_copied(s, &e->rename.target, URING_FIELD(io_rename, req, new_dfd),
					 URING_NAME(io_rename, req, newpath));
		break;
	case URING_LINKAT:
		if (URING_FIELD(io_link, req, flags) & AT_SYMLINK_FOLLOW)
			id->path_flags |= PATH_FOLLOW;
		e->link.target_flags =
			tail_path_copied(s, &e->link.target, URING_FIELD(io_link, req, new_dfd),
					 URING_NAME(io_link, req, newpath));
		break;
	case URING_MKDIRAT: e->mkdir.mode = URING_FIELD(io_mkdir, req, mode) & 07777; break;
	case URING_SYMLINKAT:
		content = URING_NAME(io_link, req, oldpath);
		tail_kstr(s, &e->symlink.content, BPF_CORE_READ(content, name));
		break;
	}
}

static __always_inline struct filename *uring_first_name(__u32 op, struct io_kiocb *req, int *dfd)
{
	switch (op) {
	case URING_RENAMEAT:
		*dfd = URING_FIELD(io_rename, req, old_dfd);
		return URING_NAME(io_rename, req, oldpath);
	case URING_UNLINKAT:
		*dfd = URING_FIELD(io_unlink, req, dfd);
		return URING_NAME(io_unlink, req, filename);
	case URING_MKDIRAT:
		*dfd = URING_FIELD(io_mkdir, req, dfd);
		return URING_NAME(io_mkdir, req, filename);
	case URING_SYMLINKAT: /* the link itself; the other is what it says */
		*dfd = URING_FIELD(io_link, req, new_dfd);
		return URING_NAME(io_link, req, newpath);
	case URING_LINKAT:
		*dfd = URING_FIELD(io_link, req, old_dfd);
		return URING_NAME(io_link, req, oldpath);
	}
	*dfd = URING_FIELD(io_open, req, dfd);
	return URING_NAME(io_open, req, filename);
}

/* Keeps what a request with names asks for. One that wants no completion is told now: nothing tells its result. */
static __always_inline int uring_submitted(struct io_kiocb *req)
{
	__u32 op = BPF_CORE_READ(req, opcode), type = uring_type(op, req);
	struct filename *name;
	struct file_id *id;
	struct scratch *s;
	__u64 key;
	int dfd;

	if (type == EV__MAX || !current_watched())
		return 0;
	s = ev_begin(type, sizeof(union uring_record));
	if (!s)
		return 0;
	id = (struct file_id *)s->buf;
	id->hdr.flags |= EV_F_IO_URING;
	name = uring_first_name(op, req, &dfd);
	id->path_flags = tail_path_copied(s, &id->path, dfd, name);
	uring_rest(s, op, req);
	if (BPF_CORE_READ(req, flags) & REQ_F_CQE_SKIP) {
		ev_end(s, false);
		return 0;
	}
	id->hdr.len = s->off;
	key = (__u64)req;
	if (s->off > URING_RECORD || bpf_map_update_elem(&uring_asked, &key, s->buf, BPF_ANY))
		ev_lost(type);
	ev_abort(s);
	return 0;
}

TRACED("tp_btf/io_uring_submit_req", file_uring_submit, struct io_kiocb *req)
{
	return uring_submitted(req);
}

/* Its name before 6.2. Before 6.0 the request was not the first argument, and the names are done without. */
SEC("tp_btf/io_uring_submit_sqe")
int file_uring_submit_sqe(__u64 *ctx)
{
	struct io_kiocb *req = (struct io_kiocb *)ctx[0];

	if (!bpf_core_field_exists(req->cqe) || LINUX_KERNEL_VERSION < KERNEL(6, 0))
		return 0;
	return uring_submitted(req);
}

/* Where the errno is in the record. */
static __always_inline void uring_set_error(union uring_record *e, __u32 type, int err)
{
	switch (type) {
	case EV_file_open: e->open.err = err; break;
	case EV_file_rename: e->rename.err = err; break;
	case EV_file_unlink:
	case EV_file_rmdir: e->unlink.err = err; break;
	case EV_file_mkdir: e->mkdir.err = err; break;
	case EV_file_symlink: e->symlink.err = err; break;
	case EV_file_link: e->link.err = err; break;
	}
}

/* Tells a request by what was kept of it. */
static __always_inline void uring_tell(const struct uring_done *d, struct uring_asked *asked)
{
	struct ev_hdr *h = &asked->begin.hdr;
	__u32 type = h->type;
	__u64 len = h->len;

	if (len > URING_RECORD)
		return;
	h->time = bpf_ktime_get_boot_ns();
	uring_set_error((union uring_record *)asked, type, d->ret < 0 ? -d->ret : 0);
	ev_output(asked, type, len, false);
}

static __always_inline void uring_named_done(const struct uring_done *d)
{
	bool opens = d->op == URING_OPENAT || d->op == URING_OPENAT2;
	struct io_open *open = (struct io_open *)d->req;
	__u64 key = (__u64)open;
	struct uring_asked *asked = bpf_map_lookup_elem(&uring_asked, &key);
	struct file *f = NULL;

	/* with a slot, the file is in the ring's own table: there is no descriptor */
	if (opens && d->ret >= 0 && !BPF_CORE_READ(open, file_slot))
		f = fd_file(d->ret);
	if (f)
		open_succeeded(f, d->ret, uring_open_flags(d->req), EV_F_IO_URING);
	else if (asked)
		uring_tell(d, asked);
	if (asked)
		bpf_map_delete_elem(&uring_asked, &key);
}

TRACED("tp_btf/io_uring_complete", file_uring, struct io_ring_ctx *ring, struct io_kiocb *req)
{
	struct uring_done d;
	struct io_end end[2];

	if (!uring_completes(&d, req))
		return 0;
	if (uring_type(d.op, d.req) != EV__MAX) {
		if (current_watched()) /* a ring's remains are cleared away by the kernel */
			uring_named_done(&d);
		return 0;
	}
	if (!ev_enabled(EV_file_io) || !uring_ends(end, &d) || !seen_watched())
		return 0;
	for (int i = 0; i < 2; i++)
		if (end[i].class == IO_FILE || end[i].class == IO_GONE)
			io_account(end[i].file, end[i].dir, end[i].bytes, false);
	return 0;
}
