// SPDX-License-Identifier: MIT
/*
 * Which files were used, and how much. Sums are exact whatever happens: each record is added to
 * the total and to exactly one of: a listed file, a directory that files were folded into, the
 * rest that was folded, or the files whose path is not known.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "container/container.h"
#include "../names.h" /* not include/names.h, which the search path has first */
#include "report/report_state.h"

#define MAX_ERRNOS 16 /* different errors kept per file; more are counted as the last one */

/* The seven fields that every file event begins with, wherever they lie in its struct. */
struct file_id {
	struct ev_ref path, mount;
	__u32 fs, dev, path_flags;
	__u64 ino;
};

#define FILE_ID_OF(e)                                                                              \
	{                                                                                          \
		.path = (e)->path, .mount = (e)->mount, .fs = (e)->fs, .dev = (e)->dev,            \
		.path_flags = (e)->path_flags, .ino = (e)->ino                                     \
	}

static void stats_add(struct file_stats *to, const struct file_stats *s)
{
	to->opens += s->opens;
	to->failed += s->failed;
	to->created += s->created;
	to->inherited += s->inherited;
	to->reads += s->reads;
	to->read_bytes += s->read_bytes;
	to->writes += s->writes;
	to->written_bytes += s->written_bytes;
	to->mmaps += s->mmaps;
}

static struct report_volume *volume_of(struct report *rep, const struct ev_hdr *hdr,
				       const struct file_id *id)
{
	struct report_volume *v;
	bool fresh;
	size_t len;
	const char *s = report_string(rep, hdr, id->mount, &len);

	if (!s)
		return NULL;
	v = table_get(rep, &rep->files.volumes, s, len, sizeof(*v), &fresh);
	if (!v) {
		rep->files.volumes.folded++;
		return NULL;
	}
	if (fresh) {
		v->fs = id->fs;
		v->dev = id->dev;
	}
	return v;
}

/* Where the name of the directory of @path ends: "/a/b" -> "/a", "/a" -> "/". */
static size_t directory_len(const char *path, size_t len)
{
	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len && path[len - 1] != '/')
		len--;
	return len > 1 ? len - 1 : len;
}

static struct report_directory *directory_of(struct report *rep, const char *path, size_t len)
{
	struct report_directory *d;
	bool fresh;

	d = table_get(rep, &rep->files.directories, path, directory_len(path, len), sizeof(*d),
		      &fresh);
	return d;
}

static void file_seen(struct report_file *f, const struct record *r, const struct file_id *id)
{
	if (f->ino && id->ino && (f->ino != id->ino || f->dev != id->dev))
		f->replaced = true;
	if (id->ino) {
		f->ino = id->ino;
		f->dev = id->dev;
		f->fs = id->fs;
	}
	f->path_flags |= id->path_flags;
	if (!f->first || r->wall < f->first)
		f->first = r->wall;
	if (r->wall > f->last)
		f->last = r->wall;
}

/* The listed file of that path; NULL when it is folded, *dir then says into which directory. */
static struct report_file *listed_file(struct report *rep, const char *path, size_t len,
				       struct report_directory **dir)
{
	struct report_files *fs = &rep->files;
	struct report_file *f = table_find(rep, &fs->all, path, len);
	bool fresh;

	if (f)
		return f;
	*dir = directory_of(rep, path, len);
	/* One directory full of temporary files must not push all others out of the list. */
	if (*dir && (*dir)->listed >= rep->limits->files_per_directory)
		return NULL;
	f = table_get(rep, &fs->all, path, len, sizeof(*f), &fresh);
	if (f && *dir)
		(*dir)->listed++;
	return f;
}

/* Adds @st where it belongs. Returns the listed file, or NULL. */
static struct report_file *account(struct report *rep, const struct record *r,
				   const struct file_id *id, const struct file_stats *st)
{
	struct report_files *fs = &rep->files;
	struct report_directory *dir = NULL;
	struct report_volume *v = volume_of(rep, r->hdr, id);
	struct report_file *f;
	const char *path;
	size_t len;

	stats_add(v ? &v->st : &fs->no_volume, st);
	path = report_string(rep, r->hdr, id->path, &len);
	if (!path) {
		stats_add(&fs->unknown, st);
		return NULL;
	}
	f = listed_file(rep, path, len, &dir);
	if (!f) {
		fs->folded_records++;
		if (dir)
			dir->folded_records++;
		stats_add(dir ? &dir->folded : &fs->folded, st);
		return NULL;
	}
	if (!f->first)
		f->process = report_process_of(rep, r);
	if (v && !f->volume) {
		f->volume = v;
		v->files++;
	}
	file_seen(f, r, id);
	stats_add(&f->st, st);
	return f;
}

static void count_errno(struct report *rep, struct report_file *f, __u32 err)
{
	struct errno_count *c = f->errors;
	unsigned int nr = 0;

	while (c && c->err != err && ++nr < MAX_ERRNOS)
		c = c->next;
	if (!c) {
		c = arena_alloc(&rep->arena, sizeof(*c));
		if (!c) {
			f->other_errors++;
			return;
		}
		c->err = err;
		c->next = f->errors;
		f->errors = c;
	}
	c->count++;
}

void report_open(struct report *rep, const struct record *r)
{
	const struct ev_file_open *e = (const struct ev_file_open *)r->hdr;
	const struct file_id id = FILE_ID_OF(e);
	struct file_stats st = {.opens = !e->err, .failed = !!e->err, .created = !!e->created};
	struct report_process *p;
	struct report_file *f;

	stats_add(&rep->files.total[record_phase(r)], &st);
	if (record_phase(r) == PHASE_SETUP)
		return;
	f = account(rep, r, &id, &st);
	p = report_process_of(rep, r);
	if (p)
		p->files_opened += st.opens;
	if (!f)
		return;
	if (e->err) {
		count_errno(rep, f, report_errno(e->err));
		return;
	}
	f->kind = e->kind;
	f->mode = e->mode;
	f->have_mode = true;
	f->flags |= e->flags & ~(__u32)O_ACCMODE;
	f->access |= 1u << (e->flags & O_ACCMODE);
}

void report_inherit(struct report *rep, const struct record *r)
{
	const struct ev_file_inherit *e = (const struct ev_file_inherit *)r->hdr;
	const struct file_id id = FILE_ID_OF(e);
	struct file_stats st = {.inherited = 1};
	struct report_file *f;

	stats_add(&rep->files.total[record_phase(r)], &st);
	if (record_phase(r) == PHASE_SETUP)
		return;
	f = account(rep, r, &id, &st);
	if (f && !f->kind)
		f->kind = e->kind;
}

void report_file_io(struct report *rep, const struct record *r)
{
	const struct ev_file_io *e = (const struct ev_file_io *)r->hdr;
	const struct file_id id = FILE_ID_OF(e);
	struct file_stats st = {
		.reads = e->reads,
		.read_bytes = e->read_bytes,
		.writes = e->writes,
		.written_bytes = e->written_bytes,
		.mmaps = e->mmaps,
	};
	struct report_process *p;

	stats_add(&rep->files.total[record_phase(r)], &st);
	if (record_phase(r) == PHASE_SETUP)
		return;
	account(rep, r, &id, &st);
	p = report_process_of(rep, r);
	if (p) {
		p->read_bytes += st.read_bytes;
		p->written_bytes += st.written_bytes;
	}
}

void report_change(struct report *rep, const struct record *r)
{
	tally_add(rep, &rep->files.changes, r);
}

void report_file_stats_json(struct jw *j, const struct file_stats *s)
{
	jw_u64(j, "opens", s->opens);
	jw_u64_if(j, "failed", s->failed);
	jw_u64_if(j, "created", s->created);
	jw_u64_if(j, "inherited", s->inherited);
	jw_u64(j, "reads", s->reads);
	jw_u64(j, "read_bytes", s->read_bytes);
	jw_u64(j, "writes", s->writes);
	jw_u64(j, "written_bytes", s->written_bytes);
	jw_u64_if(j, "mmaps", s->mmaps);
}

void report_flags_json(struct jw *j, const char *key, enum field_type type, __u32 flags)
{
	const struct flag_name *n = flag_names(type);

	if (!flags)
		return;
	jw_array(j, key, JSON_INLINE);
	for (; n && n->name; n++)
		if (n->mask && n->value && (flags & n->mask) == n->value)
			jw_str(j, NULL, n->name);
	jw_end(j);
}

const char *report_enum(enum field_type type, __u32 value)
{
	const char *name = name_enum(type, value);

	return name ? name : "other";
}

static void open_flags_json(struct jw *j, const struct report_file *f)
{
	static const char *const access[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
	const struct flag_name *n = flag_names(FT_oflags);

	if (!f->access)
		return;
	jw_array(j, "flags", JSON_INLINE);
	for (unsigned int i = 0; i < 4; i++)
		if (f->access & 1u << i)
			jw_str(j, NULL, access[i]);
	for (; n && n->name; n++)
		if (n->value && !(n->mask & O_ACCMODE) && (f->flags & n->mask) == n->value)
			jw_str(j, NULL, n->name);
	jw_end(j);
}

static void errors_json(struct jw *j, const struct report_file *f)
{
	char name[32];

	if (!f->errors && !f->other_errors)
		return;
	jw_object(j, "errors", JSON_INLINE);
	for (const struct errno_count *c = f->errors; c; c = c->next) {
		report_errno_name(name, sizeof(name), c->err);
		jw_u64(j, name, c->count);
	}
	jw_u64_if(j, "other", f->other_errors);
	jw_end(j);
}

static void device_json(struct jw *j, __u32 dev)
{
	char s[32];

	/* The kernel's own dev_t: 12 bits of major, 20 of minor. */
	snprintf(s, sizeof(s), "%u:%u", dev >> 20, dev & 0xfffff);
	jw_str(j, "device", s);
}

static void file_json(struct jw *j, const struct report_file *f)
{
	char mode[16];

	jw_object(j, NULL, JSON_INLINE);
	jw_bytes(j, "path", f->node.key, f->node.len);
	if (f->kind)
		jw_str(j, "type", report_enum(FT_filekind, f->kind));
	report_file_stats_json(j, &f->st);
	errors_json(j, f);
	open_flags_json(j, f);
	if (f->have_mode) {
		snprintf(mode, sizeof(mode), "%04o", f->mode & 07777);
		jw_str(j, "mode", mode);
	}
	if (f->volume)
		jw_bytes(j, "mount", f->volume->node.key, f->volume->node.len);
	if (f->fs)
		jw_str_if(j, "fs", name_enum(FT_fstype, f->fs));
	if (f->ino) {
		device_json(j, f->dev);
		jw_u64(j, "inode", f->ino);
	}
	jw_true_if(j, "replaced", f->replaced);
	report_flags_json(j, "path_flags", FT_pathflags, f->path_flags);
	if (f->process)
		jw_u64(j, "process", f->process->id);
	jw_time(j, "first", f->first);
	jw_time(j, "last", f->last);
	jw_end(j);
}

static void folded_json(struct report *rep, struct jw *j)
{
	struct report_files *fs = &rep->files;
	void **dirs = table_by_key(&fs->directories);

	jw_object(j, "folded", JSON_LINES);
	jw_u64(j, "records", fs->folded_records);
	jw_array(j, "directories", JSON_LINES);
	for (size_t i = 0; dirs && i < fs->directories.h.nr; i++) {
		const struct report_directory *d = dirs[i];

		if (!d->folded_records)
			continue;
		jw_object(j, NULL, JSON_INLINE);
		jw_bytes(j, "path", d->node.key, d->node.len);
		jw_u64(j, "records", d->folded_records);
		report_file_stats_json(j, &d->folded);
		jw_end(j);
	}
	jw_end(j);
	jw_object(j, "rest", JSON_INLINE);
	report_file_stats_json(j, &fs->folded);
	jw_end(j);
	jw_u64(j, "changes", fs->changes.t.folded);
	jw_u64(j, "volumes", fs->volumes.folded);
	jw_end(j);
	free(dirs);
}

/* What a mount point is, told by the runtime's list of mounts, or else by its file system. */
const char *report_volume_kind(const struct report *rep, const struct report_volume *v,
			       const struct container_mount **mount)
{
	const struct container_info *info = &rep->container->info;
	const char *fs = name_enum(FT_fstype, v->fs);

	*mount = NULL;
	for (size_t i = 0; i < info->nr_mounts; i++) {
		const struct container_mount *m = &info->mounts[i];

		if (!m->destination || strlen(m->destination) != v->node.len ||
		    memcmp(m->destination, v->node.key, v->node.len))
			continue;
		*mount = m;
		return m->name ? "volume" : m->type ? m->type : "bind";
	}
	if (v->node.len == 1)
		return "image";
	if (fs && strcmp(fs, "ext4") && strcmp(fs, "ext2/ext3") && strcmp(fs, "xfs") &&
	    strcmp(fs, "btrfs") && strcmp(fs, "overlay") && strcmp(fs, "overlayfs"))
		return fs;
	return "bind";
}

static void volume_json(const struct report *rep, struct jw *j, const struct report_volume *v)
{
	const struct container_mount *m;
	const char *kind = report_volume_kind(rep, v, &m);

	jw_object(j, NULL, JSON_INLINE);
	jw_bytes(j, "mount", v->node.key, v->node.len);
	jw_str(j, "kind", kind);
	jw_str_if(j, "fs", name_enum(FT_fstype, v->fs));
	device_json(j, v->dev);
	if (m) {
		jw_str_if(j, "source", m->source);
		jw_str_if(j, "name", m->name);
		jw_bool(j, "read_only", !m->rw);
	}
	jw_u64(j, "files", v->files);
	report_file_stats_json(j, &v->st);
	jw_end(j);
}

static void volumes_json(struct report *rep, struct jw *j)
{
	struct report_files *fs = &rep->files;
	void **list = table_by_key(&fs->volumes);
	static const struct file_stats none;

	jw_array(j, "volumes", JSON_LINES);
	for (size_t i = 0; list && i < fs->volumes.h.nr; i++)
		volume_json(rep, j, list[i]);
	if (memcmp(&fs->no_volume, &none, sizeof(none))) {
		jw_object(j, NULL, JSON_INLINE);
		jw_str(j, "kind", "unknown");
		report_file_stats_json(j, &fs->no_volume);
		jw_end(j);
	}
	jw_end(j);
	free(list);
}

void report_file_json(struct report *rep, struct jw *j)
{
	struct report_files *fs = &rep->files;
	void **list = table_by_key(&fs->all);

	jw_object(j, "files", JSON_LINES);
	jw_u64(j, "listed", fs->all.h.nr);
	jw_object(j, "total", JSON_INLINE);
	report_file_stats_json(j, &fs->total[PHASE_RUN]);
	jw_end(j);
	jw_object(j, "unknown", JSON_INLINE);
	report_file_stats_json(j, &fs->unknown);
	jw_end(j);
	folded_json(rep, j);
	jw_array(j, "list", JSON_LINES);
	for (size_t i = 0; list && i < fs->all.h.nr; i++)
		file_json(j, list[i]);
	jw_end(j);
	tally_json(rep, j, "changes", &fs->changes, -1);
	jw_end(j);
	free(list);
	volumes_json(rep, j);
}
