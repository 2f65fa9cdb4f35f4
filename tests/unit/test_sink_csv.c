// SPDX-License-Identifier: MIT
/* CSV: read back by a parser of RFC 4180, and written where nobody can play tricks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "columns.h"
#include "records.h"
#include "sinks.h"

static union any_record rec;
static struct container web = {.id = (char *)"c0ffee", .info.name = (char *)"web"};
static char dir[] = "/tmp/ebpfmon-csv-XXXXXX", got[65536];

static void make_open(const char *path, size_t len)
{
	struct ev_file_open *e = (struct ev_file_open *)&rec;

	begin_record(&rec, EV_file_open);
	e->path = add_bytes(&rec, path, len);
	rec.hdr.pid = 5;
	memcpy(rec.hdr.comm, "a,b", 3);
}

static int feed(struct sink *s)
{
	struct record r = {.hdr = &rec.hdr, .desc = &event_descs[rec.hdr.type], .container = &web};

	return s->ops->event(s, &r);
}

static size_t slurp(const char *name)
{
	char path[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, got, sizeof(got) - 1);
	assert_true(n >= 0);
	got[n] = 0;
	close(fd);
	return (size_t)n;
}

/* The next cell, unquoted in place; *@p moves behind it and its separator. *@last: it ended the row. */
static char *cell(char **p, bool *last)
{
	char *s = *p, *out = *p, *begin = *p;

	if (*s == '"') {
		for (s++; *s != '"' || s[1] == '"'; *out++ = *s++) {
			assert_true(*s);
			s += *s == '"';
		}
		s++;
	} else {
		while (*s && *s != ',' && *s != '\r') {
			assert_true(*s != '"' && *s != '\n');
			*out++ = *s++;
		}
	}
	*last = *s == '\r';
	assert_true(*last ? s[1] == '\n' : *s == ',');
	*p = s + (*last ? 2 : 1);
	*out = 0;
	return begin;
}

static void rows_have_the_columns_of_the_head(void **state)
{
	const struct columns *cols = columns_of(EV_file_open);
	struct sink *s = sink_csv_new(dir);
	char *p = got;

	(void)state;
	assert_non_null(s);
	make_open("/a,\"b\"\r\n\xff c ", 12);
	assert_int_equal(feed(s), 0);
	make_open("/plain", 6);
	assert_int_equal(feed(s), 0);
	assert_int_equal(s->ops->flush(s), 0);
	s->ops->free(s);
	slurp("file.open.csv");
	for (int row = 0; row < 3; row++)
		for (unsigned int i = 0; i < cols->nr; i++) {
			bool last;
			const char *c = cell(&p, &last);

			assert_int_equal(last, i == cols->nr - 1);
			if (!row)
				assert_string_equal(c, cols->col[i].key);
			else if (!strcmp(cols->col[i].key, "file.path"))
				assert_string_equal(c, row == 1 ? "/a,\"b\"\\r\\n\\uf7ff c "
								: "/plain");
			else if (!strcmp(cols->col[i].key, "process.comm"))
				assert_string_equal(c, "a,b");
			else if (!strcmp(cols->col[i].key, "error"))
				assert_string_equal(c, "");
		}
	assert_int_equal(*p, 0);
}

static void each_event_has_its_file(void **state)
{
	struct sink *s = sink_csv_new(dir);

	(void)state;
	for (int t = 0; t < EV__MAX; t++) {
		begin_record(&rec, t);
		assert_int_equal(feed(s), 0);
	}
	s->ops->free(s);
	for (int t = 0; t < EV__MAX; t++) {
		struct stat st;
		char name[128], path[256];

		snprintf(name, sizeof(name), "%s.csv", event_descs[t].name);
		assert_true(slurp(name) > 100);
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
}

/* What stands at the name is not followed, not written into and not kept open to its owner. */
static void links_are_replaced(void **state)
{
	struct sink *s;
	char path[256], victim[256];
	int fd;

	(void)state;
	snprintf(victim, sizeof(victim), "%s/victim", dir);
	snprintf(path, sizeof(path), "%s/file.open.csv", dir);
	for (int hard = 0; hard < 2; hard++) {
		fd = open(victim, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		assert_int_equal(write(fd, "precious", 8), 8);
		close(fd);
		unlink(path);
		assert_int_equal(hard ? link(victim, path) : symlink(victim, path), 0);
		s = sink_csv_new(dir);
		make_open("/x", 2);
		assert_int_equal(feed(s), 0);
		s->ops->free(s);
		assert_int_equal(slurp("victim"), 8);
		assert_true(slurp("file.open.csv") > 100);
	}
	unlink(victim);
}

static void trouble_is_told(void **state)
{
	struct sink *s;
	char path[256];

	(void)state;
	errno = 0;
	assert_null(sink_csv_new("/proc/version"));
	assert_int_equal(errno, ENOTDIR);
	assert_null(sink_csv_new("/no/such/place"));
	assert_int_equal(errno, ENOENT);
	/* a directory where the file should be */
	snprintf(path, sizeof(path), "%s/file.open.csv", dir);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	s = sink_csv_new(dir);
	make_open("/x", 2);
	assert_true(feed(s) < 0);
	assert_true(feed(s) < 0);
	s->ops->free(s);
	rmdir(path);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char path[256];

	(void)state;
	for (int t = 0; t < EV__MAX; t++) {
		snprintf(path, sizeof(path), "%s/%s.csv", dir, event_descs[t].name);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_have_the_columns_of_the_head),
		cmocka_unit_test(each_event_has_its_file),
		cmocka_unit_test(links_are_replaced),
		cmocka_unit_test(trouble_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
