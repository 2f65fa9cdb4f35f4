// SPDX-License-Identifier: MIT
/* Which bytes are a record, and what becomes of its paths. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include "records.h"

static union any_record rec;

static void *make(enum ev_type type)
{
	begin_record(&rec, type);
	return &rec;
}

static void every_type_passes_empty_and_with_a_tail(void **state)
{
	(void)state;
	for (int t = 0; t < EV__MAX; t++) {
		make(t);
		assert_int_equal(record_check(&rec, rec.hdr.len), 0);
		ADD_STR(&rec, "tail");
		assert_int_equal(record_check(&rec, rec.hdr.len), 0);
		record_normalise(&rec);
	}
}

static void wrong_lengths_fail(void **state)
{
	(void)state;
	for (int t = 0; t < EV__MAX; t++) {
		size_t size = event_descs[t].size;

		make(t);
		for (size_t len = 0; len < size; len++) {
			rec.hdr.len = len;
			assert_int_equal(record_check(&rec, len), -EBADMSG);
		}
		rec.hdr.len = size;
		assert_int_equal(record_check(&rec, size + 1), -EBADMSG);
		assert_int_equal(record_check(&rec, size - 1), -EBADMSG);
	}
	make(EV_file_open);
	assert_int_equal(record_check(&rec, EV_MAX_LEN + 1), -EBADMSG);
	rec.hdr.type = EV__MAX;
	assert_int_equal(record_check(&rec, rec.hdr.len), -EBADMSG);
	rec.hdr.type = 0xffff;
	assert_int_equal(record_check(&rec, rec.hdr.len), -EBADMSG);
}

static void try_ref(size_t offset, size_t size)
{
	const struct {
		unsigned int off, len;
		bool good;
	} cases[] = {
		{0, 0, true},	       {65535, 0, true},     {size, 4, true},
		{size + 3, 1, true},   {size, 5, false},     {size + 4, 1, false},
		{size - 1, 1, false},  {0, 1, false},	     {0, size + 4, false},
		{65535, 65535, false}, {size, 65535, false}, {65535, 1, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ev_ref r = {(__u16)cases[i].off, (__u16)cases[i].len};

		memcpy(rec.bytes + offset, &r, sizeof(r));
		assert_int_equal(record_check(&rec, rec.hdr.len), cases[i].good ? 0 : -EBADMSG);
	}
	memset(rec.bytes + offset, 0, sizeof(struct ev_ref));
}

/* Every reference of every event, four bytes of tail. */
static void references_must_stay_in_the_tail(void **state)
{
	unsigned int tried = 0;

	(void)state;
	for (int t = 0; t < EV__MAX; t++) {
		const struct event_desc *d = &event_descs[t];

		make(t);
		ADD_STR(&rec, "tail");
		for (unsigned int i = 0; i < d->nr_fields; i++) {
			const struct field_desc *f = &d->fields[i];

			if (type_descs[f->type].size == sizeof(struct ev_ref) &&
			    (f->type == FT_str || f->type == FT_path || f->type == FT_strv)) {
				try_ref(f->offset, d->size);
				tried++;
			}
			if (f->type == FT_sysargs) {
				try_ref(f->offset + offsetof(struct ev_sysargs, s[0]), d->size);
				try_ref(f->offset + offsetof(struct ev_sysargs, s[1]), d->size);
				tried++;
			}
		}
	}
	assert_true(tried > 40);
}

/* ---- paths ---- */

static void expect(struct ev_ref r, const char *want)
{
	size_t len;
	const char *s = record_bytes(&rec.hdr, r, &len);

	if (len != strlen(want) || memcmp(s, want, len))
		fail_msg("\"%.*s\", not \"%s\"", (int)len, s, want);
}

#define WALK(literal, flags, want) try_path(literal, sizeof(literal), flags, want)

static void try_path(const char *walked, size_t len, __u32 flags, const char *want)
{
	struct ev_file_open *e = make(EV_file_open);

	e->path = add_bytes(&rec, walked, len);
	e->path_flags = flags;
	assert_int_equal(record_check(&rec, rec.hdr.len), 0);
	record_normalise(&rec);
	expect(e->path, want);
	assert_int_equal(record_check(&rec, rec.hdr.len), 0);
	record_normalise(&rec); /* once more changes nothing */
	expect(e->path, want);
}

static void walked_paths_are_turned_round(void **state)
{
	(void)state;
	WALK("bash\0bin\0usr", 0, "/usr/bin/bash");
	WALK("", 0, "/");
	WALK("x", 0, "/x");
	WALK("..x\0. .", 0, "/. ./..x");
	WALK("with\nnewline\0\xff\xfe", 0, "/\xff\xfe/with\nnewline");
	try_path("/already/plain", 14, 0, "/already/plain");
	try_path("relative", 8, PATH_ARGUMENT, "relative");
	/* a memfd may be called anything: only arguments are cleaned */
	WALK("memfd:/../../bin/sh", PATH_UNREACHABLE, "/memfd:/../../bin/sh");
}

static void arguments_are_cleaned(void **state)
{
	(void)state;
	WALK("../x/./y\0cwd\0home", PATH_ARGUMENT, "/home/x/y");
	WALK("/etc//passwd", PATH_ARGUMENT, "/etc/passwd");
	WALK("/", PATH_ARGUMENT, "/");
	WALK("", PATH_ARGUMENT, "/");
	WALK(".\0", PATH_ARGUMENT, "/");
	WALK("..\0..\0..", PATH_ARGUMENT, "/");
	WALK("x\0", PATH_ARGUMENT, "/x");
	WALK("../../../../../etc/shadow\0a\0b", PATH_ARGUMENT, "/etc/shadow");
	WALK("a/b/\0c", PATH_ARGUMENT, "/c/a/b");
	WALK("...\0.a\0..b", PATH_ARGUMENT, "/..b/.a/...");
	WALK("a/..", PATH_ARGUMENT, "/");
	WALK("////", PATH_ARGUMENT | PATH_TRUNCATED, "/");
}

static void flags_belong_to_their_path(void **state)
{
	struct ev_file_rename *e = make(EV_file_rename);

	(void)state;
	e->path = ADD_WALK(&rec, "../a\0d");
	e->target = ADD_WALK(&rec, "../b\0d");
	e->target_flags = PATH_ARGUMENT;
	record_normalise(&rec);
	expect(e->path, "/d/../a");
	expect(e->target, "/b");
}

static void what_execve_was_given_is_an_argument(void **state)
{
	struct ev_process_exec_failed *f = make(EV_process_exec_failed);
	struct ev_process_exec *e;

	(void)state;
	f->filename = ADD_WALK(&rec, "./../run.sh\0work\0home");
	record_normalise(&rec);
	expect(f->filename, "/home/run.sh");

	/* and what runs is not: its name must not turn into another program's */
	e = make(EV_process_exec);
	e->exe = ADD_WALK(&rec, "memfd:x/../../usr/bin/sh");
	e->cwd = ADD_WALK(&rec, "work\0home");
	record_normalise(&rec);
	expect(e->exe, "/memfd:x/../../usr/bin/sh");
	expect(e->cwd, "/home/work");
}

static void mount_points_are_prefixes(void **state)
{
	struct ev_file_open *e = make(EV_file_open);

	(void)state;
	e->path = ADD_WALK(&rec, "file\0dir\0data");
	e->mount = (struct ev_ref){e->path.off, 5};
	record_normalise(&rec);
	expect(e->path, "/data/dir/file");
	expect(e->mount, "/data");

	e = make(EV_file_open);
	e->path = ADD_WALK(&rec, "passwd\0etc");
	e->mount = (struct ev_ref){e->path.off, 0};
	record_normalise(&rec);
	expect(e->mount, "/");

	e = make(EV_file_open); /* there is none */
	e->path = ADD_WALK(&rec, "passwd\0etc");
	record_normalise(&rec);
	assert_int_equal(e->mount.len, 0);

	e = make(
		EV_file_open); /* a lie: the reference would lead into the header, or out of the record */
	ADD_STR(&rec, "tail");
	e->mount = (struct ev_ref){8, 0};
	record_normalise(&rec);
	assert_int_equal(e->mount.len, 0);
	e->mount = (struct ev_ref){rec.hdr.len, 0};
	record_normalise(&rec);
	assert_int_equal(e->mount.len, 0);
}

/* All paths of all events are found, whatever they are called. */
static void no_path_is_forgotten(void **state)
{
	(void)state;
	for (int t = 0; t < EV__MAX; t++)
		for (unsigned int i = 0; i < event_descs[t].nr_fields; i++) {
			const struct field_desc *f = &event_descs[t].fields[i];
			struct ev_ref r;

			if (f->type != FT_path)
				continue;
			make(t);
			r = ADD_WALK(&rec, "b\0a");
			memcpy(rec.bytes + f->offset, &r, sizeof(r));
			record_normalise(&rec);
			memcpy(&r, rec.bytes + f->offset, sizeof(r));
			expect(r, "/a/b");
		}
}

static void numbers_keep_their_sign(void **state)
{
	struct ev_process_exit *e = make(EV_process_exit);
	struct ev_file_truncate *t;

	(void)state;
	e->code = -1;
	e->max_rss = 1ULL << 40;
	assert_true(record_number(&rec.hdr, field_of(EV_process_exit, "code")) == (__u64)-1);
	assert_true(record_number(&rec.hdr, field_of(EV_process_exit, "max_rss")) == 1ULL << 40);
	t = make(EV_file_truncate);
	t->length = -5;
	t->err = -13;
	t->dev = 0xffffffff;
	assert_true(record_number(&rec.hdr, field_of(EV_file_truncate, "length")) == (__u64)-5);
	assert_true(record_number(&rec.hdr, field_of(EV_file_truncate, "err")) == (__u64)-13);
	assert_true(record_number(&rec.hdr, field_of(EV_file_truncate, "dev")) == 0xffffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_passes_empty_and_with_a_tail),
		cmocka_unit_test(wrong_lengths_fail),
		cmocka_unit_test(references_must_stay_in_the_tail),
		cmocka_unit_test(walked_paths_are_turned_round),
		cmocka_unit_test(arguments_are_cleaned),
		cmocka_unit_test(flags_belong_to_their_path),
		cmocka_unit_test(what_execve_was_given_is_an_argument),
		cmocka_unit_test(mount_points_are_prefixes),
		cmocka_unit_test(no_path_is_forgotten),
		cmocka_unit_test(numbers_keep_their_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
