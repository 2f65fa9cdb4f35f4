// SPDX-License-Identifier: MIT
/* The streaming sinks: what stands on their lines, and what becomes of them when writing fails. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "columns.h"
#include "output.h"
#include "records.h"
#include "sinks.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static union any_record rec;
static struct container web = {.id = (char *)ID, .info.name = (char *)"web"};
static struct process nginx = {.exe = (char *)"/usr/sbin/nginx", .exe_len = 15};
static char got[1 << 20];

static struct record record(void)
{
	return (struct record){.hdr = &rec.hdr,
			       .desc = &event_descs[rec.hdr.type],
			       .container = &web,
			       .process = &nginx,
			       .wall = 1700000000123456789ULL};
}

static void begin(enum ev_type type)
{
	begin_record(&rec, type);
	rec.hdr.pid = 100;
	rec.hdr.tid = 101;
	rec.hdr.vpid = 7;
	rec.hdr.ppid = 99;
	rec.hdr.uid = 33;
	rec.hdr.gid = 34;
	memcpy(rec.hdr.comm, "nginx: worker 16", EV_COMM_LEN); /* all 16 bytes, no NUL */
}

static void make_open(void)
{
	struct ev_file_open *e = (struct ev_file_open *)&rec;

	begin(EV_file_open);
	e->path = ADD_WALK(&rec, "conf, \"old\"\0etc");
	e->mount = (struct ev_ref){e->path.off, 0};
	e->flags = O_RDONLY | O_CLOEXEC;
	e->err = ENOENT;
	e->ino = 12;
	record_normalise(&rec);
}

/* A line of a sink that writes to @fd, which is made of memory. */
static const char *line_of(struct sink *s, int fd)
{
	struct record r = record();
	ssize_t n;

	assert_non_null(s);
	assert_int_equal(s->ops->event(s, &r), 0);
	assert_int_equal(s->ops->flush(s), 0);
	n = pread(fd, got, sizeof(got) - 1, 0);
	assert_true(n > 0);
	got[n] = 0;
	s->ops->free(s);
	return got;
}

static int memory(void)
{
	return memfd_create("sink", MFD_CLOEXEC);
}

static cJSON *json_line(void)
{
	int fd = memory();
	const char *line = line_of(sink_jsonl_new(dup(fd)), fd);
	cJSON *json = cJSON_Parse(line);

	close(fd);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_non_null(json);
	assert_true(keys_unique(json));
	return json;
}

static void a_json_line_in_full(void **state)
{
	struct ev_file_rename *e = (struct ev_file_rename *)&rec;
	int fd = memory();

	(void)state;
	begin(EV_file_rename);
	e->path = ADD_STR(&rec, "/a");
	e->target = ADD_STR(&rec, "/b");
	e->target_flags = PATH_ARGUMENT;
	assert_string_equal(
		line_of(sink_jsonl_new(dup(fd)), fd),
		"{\"schema_version\":1,\"time\":\"2023-11-14T22:13:20.123456789Z\",\"event\":\"file.rename\",\"phase\":\"run\","
		"\"container\":{\"id\":\"" ID "\",\"name\":\"web\"},"
		"\"process\":{\"pid\":100,\"tid\":101,\"vpid\":7,\"parent_pid\":99,\"user\":{\"id\":33},\"group\":{\"id\":34},"
		"\"comm\":\"nginx: worker 16\",\"executable\":{\"path\":\"/usr/sbin/nginx\"}},"
		"\"file\":{\"path\":\"/a\",\"target_path\":\"/b\",\"target_path_flags\":[\"argument\"],\"rename_flags\":0}}\n");
	close(fd);
}

static void json_nests_whatever_is_absent(void **state)
{
	cJSON *json;

	(void)state;
	make_open();
	rec.hdr.flags = EV_F_SETUP | EV_F_EXISTING;
	json = json_line();
	assert_string_equal(str_at(json, "phase"), "setup");
	assert_true(cJSON_IsTrue(at(json, "existing")));
	assert_string_equal(str_at(json, "file.path"), "/etc/conf, \"old\"");
	assert_string_equal(str_at(json, "file.mount.path"), "/");
	assert_string_equal(str_at(json, "error"), "ENOENT");
	cJSON_Delete(json);

	begin(EV_tcp_accept); /* nobody's */
	rec.hdr.flags = EV_F_NOPROC;
	json = json_line();
	assert_null(at(json, "process.pid"));
	assert_null(at(json, "existing"));
	assert_string_equal(str_at(json, "network.local.address"), "::");
	cJSON_Delete(json);
}

static void own_fields_replace_common_ones(void **state)
{
	struct ev_process_exec *e = (struct ev_process_exec *)&rec;
	cJSON *json;

	(void)state;
	begin(EV_process_exec);
	e->exe = ADD_STR(&rec, "/bin/busybox");
	e->argv = ADD_WALK(&rec, "ls\0-l");
	json = json_line();
	assert_string_equal(str_at(json, "process.executable.path"), "/bin/busybox");
	assert_int_equal(cJSON_GetArraySize(at(json, "process.command_args")), 2);
	assert_int_equal(cJSON_GetNumberValue(at(json, "process.effective_user.id")), 0);
	cJSON_Delete(json);
}

/* Each event with nothing in it, and with something in every field. */
static void every_event_makes_a_line(void **state)
{
	(void)state;
	for (int t = 0; t < EV__MAX; t++)
		for (int full = 0; full < 2; full++) {
			struct ev_ref tail;

			begin(t);
			if (full) {
				memset(rec.bytes + sizeof(rec.hdr), 1,
				       event_descs[t].size - sizeof(rec.hdr));
				tail = ADD_WALK(&rec, "one\0t\x1bwo\"\xff");
				for (unsigned int i = 0; i < event_descs[t].nr_fields; i++) {
					const struct field_desc *f = &event_descs[t].fields[i];

					if (f->type == FT_str || f->type == FT_path ||
					    f->type == FT_strv)
						memcpy(rec.bytes + f->offset, &tail, sizeof(tail));
					if (f->type == FT_sysargs)
						memset(rec.bytes + f->offset +
							       offsetof(struct ev_sysargs, s),
						       0, 2 * sizeof(tail));
				}
			}
			assert_int_equal(record_check(&rec, rec.hdr.len), 0);
			cJSON_Delete(json_line());
			assert_true(harmless(got, strlen(got) - 1));
			for (unsigned int i = 0; full && i < event_descs[t].nr_fields; i++)
				if (event_descs[t].fields[i].key) {
					const char *last =
						strrchr(event_descs[t].fields[i].key, '.');

					assert_non_null(
						strstr(got, last ? last + 1
								 : event_descs[t].fields[i].key));
				}
		}
}

/* ---- text ---- */

static void text_is_for_people(void **state)
{
	struct ev_tcp_connect *c = (struct ev_tcp_connect *)&rec;
	int fd = memory();

	(void)state;
	make_open();
	assert_string_equal(
		line_of(sink_text_new(dup(fd), false), fd),
		"22:13:20.123 web          nginx: worker 16[100] file.open        "
		"path=/etc/conf, \"old\" type=other open_flags=O_RDONLY|O_CLOEXEC mode=0000 descriptor=0 error=ENOENT\n");
	close(fd);
	fd = memory();
	begin(EV_tcp_connect);
	c->family = 2;
	memcpy(c->local_addr.b, (__u8[16]){[10] = 0xff, 0xff, 10, 0, 0, 1}, 16);
	memcpy(c->peer_addr.b, (__u8[16]){[10] = 0xff, 0xff, 10, 0, 0, 2}, 16);
	c->peer_port = 443;
	c->latency = 1234567;
	line_of(sink_text_new(dup(fd), false), fd);
	assert_non_null(strstr(got, " local.address=10.0.0.1 "));
	assert_non_null(strstr(got, " peer.address=10.0.0.2 peer.port=443 latency=1.2ms\n"));
	close(fd);
}

static void colour_is_asked_for(void **state)
{
	int fd = memory();
	size_t escapes = 0, offs = 0;

	(void)state;
	make_open();
	memcpy(rec.hdr.comm, "\033[2Jevil\n\0\0\0\0\0\0\0", EV_COMM_LEN);
	line_of(sink_text_new(dup(fd), false), fd);
	assert_null(strchr(got, '\033'));
	assert_non_null(strstr(got, "\\u001b[2Jevil\\n[100]"));
	close(fd);
	fd = memory();
	for (const char *p = line_of(sink_text_new(dup(fd), true), fd); (p = strchr(p, '\033'));
	     p++) {
		escapes++;
		offs += !strncmp(p, "\033[0m", 4);
	}
	assert_true(escapes > 4 && offs * 2 == escapes); /* what is switched on is switched off */
	assert_non_null(strstr(got, "\033[31merror=ENOENT\033[0m"));
	close(fd);
}

/* ---- trouble ---- */

static void a_reader_that_leaves_ends_it(void **state)
{
	struct record r;
	struct sink *s;
	int fds[2];

	(void)state;
	make_open();
	r = record();
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	s = sink_jsonl_new(fds[1]);
	assert_int_equal(s->ops->event(s, &r), 0);
	close(fds[0]);
	assert_int_equal(s->ops->flush(s), -EPIPE);
	assert_int_equal(s->ops->event(s, &r), -EPIPE); /* from now on */
	s->ops->free(s);
}

/* A file on the disk that the tests run on, without a name. */
static int disk(void)
{
	char path[] = "test_sink_stream.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

/* As a disk that is full: the limit on file sizes cuts a line in two. */
static void full_disk(int fd, rlim_t most)
{
	struct rlimit before, limit;
	struct record r;
	struct stat st;
	struct sink *s;
	ssize_t n;
	int err = 0;

	make_open();
	r = record();
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = most;
	s = sink_jsonl_new(dup(fd));
	setrlimit(RLIMIT_FSIZE, &limit);
	for (int i = 0; i < 5000 && !err; i++)
		err = s->ops->event(s, &r);
	if (!err)
		err = s->ops->flush(s);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(err, -EFBIG);
	assert_int_equal(fstat(fd, &st), 0);
	n = pread(fd, got, sizeof(got), 0);
	assert_true(n == st.st_size && n > (ssize_t)most - 2000 && n <= (ssize_t)most &&
		    got[n - 1] == '\n');
	s->ops->free(s);
	close(fd);
}

static void a_full_disk_leaves_whole_lines(void **state)
{
	(void)state;
	full_disk(memory(), 10000);
	full_disk(memory(), OUTPUT_BATCH + 10000);
	full_disk(disk(), 10000);
	full_disk(disk(), OUTPUT_BATCH - 10000);
	full_disk(disk(), OUTPUT_BATCH + 10000);
}

/* More than a batch at once, with and without what the kernel does for it: every byte, in order. */
static void a_flood(int fd)
{
	struct output o = {.fd = dup(fd)};
	char line[40];
	FILE *f;

	for (int i = 0; i < 100000; i++) {
		buf_printf(&o.buf, "line %d of a flood\n", i);
		assert_int_equal(output_record(&o), 0);
		if (i % 30001 == 7) /* the end of a turn */
			assert_int_equal(output_flush(&o), 0);
	}
	output_close(&o);
	assert_int_equal(o.dropped, 0);
	lseek(fd, 0, SEEK_SET);
	f = fdopen(fd, "r");
	assert_non_null(f);
	for (int i = 0; i < 100000; i++) {
		char want[40];

		snprintf(want, sizeof(want), "line %d of a flood\n", i);
		assert_string_equal(fgets(line, sizeof(line), f), want);
	}
	assert_null(fgets(line, sizeof(line), f));
	fclose(f);
}

static void a_flood_is_written_whole(void **state)
{
	(void)state;
	a_flood(memory());
	a_flood(disk());
}

static void what_was_lost_is_counted(void **state)
{
	struct output o = {.fd = -1};

	(void)state;
	buf_str(&o.buf, "one\ntwo\nthree\n");
	assert_int_equal(output_flush(&o), -EBADF);
	assert_int_equal(o.dropped, 3);
	buf_str(&o.buf, "four\n");
	assert_int_equal(output_flush(&o), -EBADF);
	assert_int_equal(o.dropped, 4);
	o.err = -EPIPE;
	output_close(&o);

	/* memory ran out in the middle of the second line */
	o = (struct output){.fd = memory()};
	buf_str(&o.buf, "one\ntw");
	o.buf.err = -ENOMEM;
	assert_int_equal(output_record(&o), -ENOMEM);
	assert_int_equal(o.dropped, 1);
	assert_int_equal(pread(o.fd, got, 100, 0), 4);
	o.err = -EPIPE;
	output_close(&o);
}

struct reader {
	int fd;
	size_t bytes, lines;
};

static void *slow_reader(void *arg)
{
	struct reader *r = arg;
	char buf[5000];
	ssize_t n;

	while ((n = read(r->fd, buf, sizeof(buf))) > 0) {
		r->bytes += (size_t)n;
		for (ssize_t i = 0; i < n; i++)
			r->lines += buf[i] == '\n';
		usleep(200);
	}
	return NULL;
}

static void a_slow_reader_is_waited_for(void **state)
{
	struct reader reader = {};
	pthread_t thread;
	struct record r;
	struct sink *s;
	int fds[2];

	(void)state;
	make_open();
	r = record();
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	fcntl(fds[0], F_SETFL, 0);
	reader.fd = fds[0];
	pthread_create(&thread, NULL, slow_reader, &reader);
	s = sink_jsonl_new(fds[1]);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(s->ops->event(s, &r), 0);
	s->ops->free(s);
	pthread_join(thread, NULL);
	assert_int_equal(reader.lines, 2000);
	close(fds[0]);
}

/* What is written of a row of records in which something changes from each to the next but one. */
static const char *lines_of_changes(bool known)
{
	struct container db = {.id = (char *)ID, .info.name = (char *)"db"};
	struct process in_session = nginx;
	int fd = memory();
	struct sink *s = sink_jsonl_new(dup(fd));
	ssize_t n;

	in_session.session_pid = 42;
	for (unsigned int type = 0; type < EV__MAX; type++)
		for (unsigned int step = 0; step < 20; step++) {
			struct record r;

			begin(type);
			r = record();
			r.epoch = known ? 1 : 0;
			switch (step / 2) {
			case 1: rec.hdr.comm[0] = 'N'; break;
			case 2: rec.hdr.flags = EV_F_SETUP; break;
			case 3: rec.hdr.tid++; break;
			case 4: r.process = NULL; break;
			case 5: r.process = &in_session; break;
			case 6: r.container = &db; break;
			case 7:
				db.info.name = (char *)"cache"; /* at the same place */
				r.container = &db;
				r.epoch = known ? 2 : 0;
				break;
			case 8: rec.hdr.flags = EV_F_NOPROC | EV_F_EXISTING; break;
			}
			r.wall += step;
			assert_int_equal(s->ops->event(s, &r), 0);
		}
	assert_int_equal(s->ops->flush(s), 0);
	n = pread(fd, got, sizeof(got) - 1, 0);
	assert_in_range(n, 1, sizeof(got) - 2);
	got[n] = 0;
	s->ops->free(s);
	close(fd);
	return got;
}

static void what_stays_the_same_is_written_all_the_same(void **state)
{
	char *each;

	(void)state;
	each = strdup(lines_of_changes(false));
	assert_non_null(each);
	assert_string_equal(lines_of_changes(true), each);
	free(each);
}

/* More tasks than the sink remembers, in turn, and again after something was learnt of one of them. */
static const char *lines_of_turns(bool known)
{
	struct process one = nginx;
	int fd = memory();
	struct sink *s = sink_jsonl_new(dup(fd));
	ssize_t n;

	assert_non_null(s);
	for (unsigned int step = 0; step < 900; step++) {
		struct record r;

		begin(step % 2 ? EV_syscall_call : EV_file_chmod);
		rec.hdr.tid = step % 150;
		rec.hdr.pid = rec.hdr.tid / 2;
		if (step == 600)
			one.exe_len = 5;
		r = record();
		if (rec.hdr.pid == 7)
			r.process = &one;
		r.epoch = known ? 1 + (step >= 600) : 0;
		r.wall += step * 7654321;
		assert_int_equal(s->ops->event(s, &r), 0);
	}
	assert_int_equal(s->ops->flush(s), 0);
	n = pread(fd, got, sizeof(got) - 1, 0);
	assert_in_range(n, 900, sizeof(got) - 2);
	got[n] = 0;
	s->ops->free(s);
	close(fd);
	return got;
}

static void tasks_that_take_turns_are_not_mixed_up(void **state)
{
	unsigned int step = 0;
	char *each, *save = NULL;

	(void)state;
	each = strdup(lines_of_turns(false));
	assert_non_null(each);
	assert_string_equal(lines_of_turns(true), each);
	for (char *line = strtok_r(each, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		cJSON *json = cJSON_Parse(line);

		assert_non_null(json);
		assert_true(cJSON_GetNumberValue(at(json, "process.tid")) == step % 150);
		assert_string_equal(str_at(json, "process.executable.path"),
				    step >= 600 && step % 150 / 2 == 7 ? "/usr/"
								       : "/usr/sbin/nginx");
		cJSON_Delete(json);
		step++;
	}
	assert_int_equal(step, 900);
	free(each);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_json_line_in_full),
		cmocka_unit_test(json_nests_whatever_is_absent),
		cmocka_unit_test(own_fields_replace_common_ones),
		cmocka_unit_test(every_event_makes_a_line),
		cmocka_unit_test(text_is_for_people),
		cmocka_unit_test(colour_is_asked_for),
		cmocka_unit_test(a_reader_that_leaves_ends_it),
		cmocka_unit_test(a_full_disk_leaves_whole_lines),
		cmocka_unit_test(a_flood_is_written_whole),
		cmocka_unit_test(what_was_lost_is_counted),
		cmocka_unit_test(a_slow_reader_is_waited_for),
		cmocka_unit_test(what_stays_the_same_is_written_all_the_same),
		cmocka_unit_test(tasks_that_take_turns_are_not_mixed_up),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
