// SPDX-License-Identifier: MIT
/* How values are shown, a table per type. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include "records.h"
#include "value.h"

#define ABSENT	     "(absent)"
#define BOOT_TO_WALL 1700000000000000000LL

static union any_record rec;
static struct buf out;

static const char *format(const char *member, enum value_form form)
{
	struct container c = {};
	struct record r = {.hdr = &rec.hdr,
			   .desc = &event_descs[rec.hdr.type],
			   .container = &c,
			   .boot_to_wall = BOOT_TO_WALL};

	buf_reset(&out);
	if (!value_format(&out, &r, field_of(rec.hdr.type, member), form)) {
		assert_int_equal(out.len, 0);
		return ABSENT;
	}
	return out.data ? out.data : "";
}

/* A value of a field, in the three forms; @value has the field's width. */
static void shown(enum ev_type type, const char *member, __u64 value, const char *json,
		  const char *plain, const char *text)
{
	const struct field_desc *f = field_of(type, member);

	begin_record(&rec, type);
	memcpy(rec.bytes + f->offset, &value, type_descs[f->type].size);
	assert_string_equal(format(member, FORM_JSON), json);
	assert_string_equal(format(member, FORM_PLAIN), plain);
	assert_string_equal(format(member, FORM_TEXT), text);
}

static void numbers(void **state)
{
	(void)state;
	shown(EV_tcp_listen, "backlog", 0, "0", "0", "0");
	shown(EV_file_open, "ino", UINT64_MAX, "18446744073709551615", "18446744073709551615",
	      "18446744073709551615");
	shown(EV_file_truncate, "length", (__u64)INT64_MIN, "-9223372036854775808",
	      "-9223372036854775808", "-9223372036854775808");
	shown(EV_process_exit, "code", (__u32)-1, "-1", "-1", "-1");
	shown(EV_file_open, "created", 1, "true", "true", "yes");
	shown(EV_file_open, "created", 0, "false", "false", "no");
	shown(EV_file_io, "read_bytes", 1536, "1536", "1536", "1.5KiB");
	shown(EV_file_io, "read_bytes", 999, "999", "999", "999B");
	shown(EV_file_io, "reads", 1000000, "1000000", "1000000", "1000000");
	shown(EV_process_exit, "duration", 1500000, "1500000", "1500000", "1.5ms");
	shown(EV_process_exit, "duration", 0, "0", "0", "0ns");
	shown(EV_ipc_sysv, "key", 0xdeadbeef, "\"0xdeadbeef\"", "0xdeadbeef", "0xdeadbeef");
	shown(EV_ipc_sysv, "key", 0, "\"0x0\"", "0x0", "0x0");
	shown(EV_tcp_connect, "peer_port", 443, "443", "443", "443");
	shown(EV_file_chown, "owner", (__u32)-1, "-1", "-1", "-1");
}

static void zero_is_absent_where_there_is_no_zero(void **state)
{
	(void)state;
	shown(EV_file_open, "err", 0, ABSENT, ABSENT, ABSENT);
	shown(EV_process_exit, "sig", 0, ABSENT, ABSENT, ABSENT);
	shown(EV_ipc_signal, "target_pid", 0, ABSENT, ABSENT, ABSENT);
	shown(EV_file_open, "fs", 0, ABSENT, ABSENT, ABSENT);
	shown(EV_file_open, "dev", 0, ABSENT, ABSENT, ABSENT);
	shown(EV_file_open, "mount_id", 0, ABSENT, ABSENT, ABSENT);
	shown(EV_file_open, "ino", 0, ABSENT, ABSENT, ABSENT);
	shown(EV_file_open, "path_flags", 0, ABSENT, ABSENT, ABSENT);
	shown(EV_process_fork, "child_start", 0, ABSENT, ABSENT, ABSENT);
	shown(EV_file_open, "path", 0, ABSENT, ABSENT, ABSENT);
	shown(EV_process_exec, "argv", 0, ABSENT, ABSENT, ABSENT);
	shown(EV_process_exec, "cap_ambient", 0, "[]", "-", "-");
	shown(EV_process_exit, "code", 0, "0", "0", "0");
	shown(EV_process_exec, "euid", 0, "0", "0", "0");
}

static void names(void **state)
{
	(void)state;
	shown(EV_file_open, "err", ENOENT, "\"ENOENT\"", "ENOENT", "ENOENT");
	shown(EV_file_open, "err", (__u32)-ENOENT, "\"ENOENT\"", "ENOENT", "ENOENT");
	shown(EV_file_open, "err", 4000, "\"errno_4000\"", "errno_4000", "errno_4000");
	shown(EV_file_open, "err", 0x80000000, "\"errno_2147483648\"", "errno_2147483648",
	      "errno_2147483648");
	shown(EV_syscall_calls, "err", 512, "\"ERESTARTSYS\"", "ERESTARTSYS", "ERESTARTSYS");
	shown(EV_file_open, "mode", 0644, "\"0644\"", "0644", "0644");
	shown(EV_file_open, "mode", 04755, "\"4755\"", "4755", "4755");
	shown(EV_file_open, "mode", 0100644, "\"0644\"", "0644", "0644");
	shown(EV_file_open, "dev", 8 << 20 | 1, "\"8:1\"", "8:1", "8:1");
	shown(EV_file_open, "fs", 0x794c7630, "\"overlay\"", "overlay", "overlay");
	shown(EV_file_open, "fs", 7, "\"fstype_7\"", "fstype_7", "fstype_7");
	shown(EV_process_exit, "sig", SIGKILL, "\"SIGKILL\"", "SIGKILL", "SIGKILL");
	shown(EV_process_exit, "sig", 99, "\"sig_99\"", "sig_99", "sig_99");
	shown(EV_tcp_connect, "family", AF_INET6, "\"ipv6\"", "ipv6", "ipv6");
	shown(EV_ipc_channel, "kind", IPCKIND_UNIX_STREAM, "\"unix_stream\"", "unix_stream",
	      "unix_stream");
	shown(EV_ipc_ptrace, "request", 16, "\"PTRACE_ATTACH\"", "PTRACE_ATTACH", "PTRACE_ATTACH");
	shown(EV_process_exec, "seccomp", 2, "\"filter\"", "filter", "filter");
	shown(EV_ipc_signal, "code", EV_SIGCODE(SIGSEGV, 1), "\"SEGV_MAPERR\"", "SEGV_MAPERR",
	      "SEGV_MAPERR");
}

static void system_calls(void **state)
{
	(void)state;
	shown(EV_syscall_calls, "nr", 999, "\"syscall_999\"", "syscall_999", "syscall_999");
	shown(EV_syscall_calls, "nr", 462, "\"mseal\"", "mseal", "mseal");
	shown(EV_syscall_calls, "nr", 0xffffffff, "(absent)", "(absent)", "(absent)");
#ifdef __x86_64__
	shown(EV_syscall_calls, "nr", 59, "\"execve\"", "execve", "execve");
	shown(EV_syscall_calls, "nr", EV_SYSNR(EV_ABI_COMPAT, 11), "\"compat:execve\"",
	      "compat:execve", "compat:execve");
	shown(EV_syscall_calls, "nr", EV_SYSNR(EV_ABI_X32, 59), "\"x32:syscall_59\"",
	      "x32:syscall_59", "x32:syscall_59");
	shown(EV_syscall_calls, "nr", EV_SYSNR(EV_ABI_X32, 520), "\"x32:execve\"", "x32:execve",
	      "x32:execve");
#endif
}

static void sets(void **state)
{
	(void)state;
	shown(EV_file_open, "flags", O_RDONLY, "[\"O_RDONLY\"]", "O_RDONLY", "O_RDONLY");
	shown(EV_file_open, "flags", O_RDWR | O_CREAT | O_CLOEXEC,
	      "[\"O_RDWR\",\"O_CREAT\",\"O_CLOEXEC\"]", "O_RDWR|O_CREAT|O_CLOEXEC",
	      "O_RDWR|O_CREAT|O_CLOEXEC");
	shown(EV_file_open, "flags", O_SYNC, "[\"O_RDONLY\",\"O_SYNC\"]", "O_RDONLY|O_SYNC",
	      "O_RDONLY|O_SYNC");
	shown(EV_file_open, "flags", O_DSYNC, "[\"O_RDONLY\",\"O_DSYNC\"]", "O_RDONLY|O_DSYNC",
	      "O_RDONLY|O_DSYNC");
	shown(EV_file_open, "flags", O_WRONLY | O_TMPFILE, "[\"O_WRONLY\",\"O_TMPFILE\"]",
	      "O_WRONLY|O_TMPFILE", "O_WRONLY|O_TMPFILE");
	shown(EV_file_open, "flags", O_DIRECTORY, "[\"O_RDONLY\",\"O_DIRECTORY\"]",
	      "O_RDONLY|O_DIRECTORY", "O_RDONLY|O_DIRECTORY");
	shown(EV_file_open, "flags", 0x80000003, "[\"0x80000003\"]", "0x80000003", "0x80000003");
	shown(EV_process_namespaces, "flags", 0x80, "[\"CLONE_NEWTIME\"]", "CLONE_NEWTIME",
	      "CLONE_NEWTIME");
	shown(EV_process_namespaces, "flags", 0, "[]", "-", "-");
	shown(EV_process_fork, "flags", 0x4000 | SIGCHLD, "[\"CLONE_VFORK\",\"SIGCHLD\"]",
	      "CLONE_VFORK|SIGCHLD", "CLONE_VFORK|SIGCHLD");
	shown(EV_file_mount, "flags", 0xc0ed0001, "[\"MS_MGC_VAL\",\"MS_RDONLY\"]",
	      "MS_MGC_VAL|MS_RDONLY", "MS_MGC_VAL|MS_RDONLY");
	shown(EV_file_open, "path_flags", PATH_ARGUMENT | PATH_DELETED,
	      "[\"argument\",\"deleted\"]", "argument|deleted", "argument|deleted");
	shown(EV_process_exec, "cap_effective", 1ULL << 21 | 1, "[\"CAP_CHOWN\",\"CAP_SYS_ADMIN\"]",
	      "CAP_CHOWN|CAP_SYS_ADMIN", "CAP_CHOWN|CAP_SYS_ADMIN");
	shown(EV_process_exec, "cap_effective", 1ULL << 63, "[\"CAP_63\"]", "CAP_63", "CAP_63");
}

static void times(void **state)
{
	static const struct {
		__u64 wall;
		const char *want;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000000000Z"},
		{1, "1970-01-01T00:00:00.000000001Z"},
		{951782399999999999ULL, "2000-02-28T23:59:59.999999999Z"},
		{951782400000000000ULL, "2000-02-29T00:00:00.000000000Z"},
		{1709251199123456789ULL, "2024-02-29T23:59:59.123456789Z"},
		{1735689599000000000ULL, "2024-12-31T23:59:59.000000000Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		assert_true(value_time(&out, cases[i].wall, FORM_PLAIN));
		assert_string_equal(out.data, cases[i].want);
	}
	/* every day until the clock runs out, against the C library */
	for (__u64 day = 0; day < UINT64_MAX / 1000000000 / 86400; day++) {
		time_t t = (time_t)day * 86400 + 86399;
		char want[32];
		struct tm tm;

		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.000000000Z", gmtime_r(&t, &tm));
		buf_reset(&out);
		value_time(&out, (__u64)t * 1000000000, FORM_PLAIN);
		assert_string_equal(out.data, want);
	}
	/* within a second, and back to one that was before */
	for (unsigned int i = 0; i < 1000; i++) {
		__u64 wall =
			1700000000000000000ULL + i % 3 * 400000000ULL + i % 5 * 1000000000ULL + i;
		time_t t = (time_t)(wall / 1000000000);
		char want[64], date[32];
		struct tm tm;

		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", gmtime_r(&t, &tm));
		snprintf(want, sizeof(want), "%s.%09lluZ", date, wall % 1000000000);
		buf_reset(&out);
		value_time(&out, wall, FORM_PLAIN);
		assert_string_equal(out.data, want);
	}
	shown(EV_process_fork, "child_start", 5, "\"2023-11-14T22:13:20.000000005Z\"",
	      "2023-11-14T22:13:20.000000005Z", "22:13:20.000");
}

static void try_addr(const __u8 *b, const char *want)
{
	struct ev_tcp_connect *e = (struct ev_tcp_connect *)&rec;

	begin_record(&rec, EV_tcp_connect);
	memcpy(e->peer_addr.b, b, 16);
	assert_string_equal(format("peer_addr", FORM_PLAIN), want);
}

/* RFC 5952, section 4 */
static void addresses(void **state)
{
	(void)state;
	try_addr((__u8[16]){[10] = 0xff, 0xff, 192, 0, 2, 1}, "192.0.2.1");
	try_addr((__u8[16]){[10] = 0xff, 0xff}, "0.0.0.0");
	try_addr((__u8[16]){}, "::");
	try_addr((__u8[16]){[15] = 1}, "::1");
	try_addr((__u8[16]){0x20, 0x01, 0x0d, 0xb8, [15] = 1}, "2001:db8::1");
	try_addr((__u8[16]){0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1},
		 "2001:db8:0:1:1:1:1:1");
	try_addr((__u8[16]){0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1},
		 "2001:db8::1:0:0:1");
	try_addr((__u8[16]){0xfe, 0x80, [8] = 0xAB, 0xCD, [15] = 9}, "fe80::abcd:0:0:9");
}

/* ---- text ---- */

static void escaped(const char *bytes, size_t len, const char *json, const char *plain)
{
	buf_reset(&out);
	value_json_bytes(&out, bytes, len);
	assert_string_equal(out.data ? out.data : "", json);
	buf_reset(&out);
	value_bytes(&out, bytes, len, FORM_PLAIN);
	assert_string_equal(out.data ? out.data : "", plain);
}

#define ESCAPED(literal, json, plain) escaped(literal, sizeof(literal) - 1, json, plain)

static void bytes_are_escaped(void **state)
{
	(void)state;
	ESCAPED("", "", "");
	ESCAPED("plain text", "plain text", "plain text");
	ESCAPED("a\"b\\c", "a\\\"b\\\\c", "a\"b\\\\c");
	ESCAPED("\b\f\n\r\t", "\\b\\f\\n\\r\\t", "\\b\\f\\n\\r\\t");
	ESCAPED("\0\1\x1b[31m\x7f", "\\u0000\\u0001\\u001b[31m\\u007f",
		"\\u0000\\u0001\\u001b[31m\\u007f");
	ESCAPED("\xc2\x9b"
		"31m",
		"\\u009b31m", "\\u009b31m"); /* C1: CSI in one character */
	ESCAPED("\xc2\xa0", "\xc2\xa0", "\xc2\xa0");
	ESCAPED("h\xc3\xa9\xe6\x96\x87\xf0\x9f\x90\xb3", "h\xc3\xa9\xe6\x96\x87\xf0\x9f\x90\xb3",
		"h\xc3\xa9\xe6\x96\x87\xf0\x9f\x90\xb3");
	ESCAPED("\xe2\x80\xae"
		"cod.exe",
		"\\u202ecod.exe", "\\u202ecod.exe"); /* right to left from here */
	ESCAPED("\xff", "\\uf7ff", "\\uf7ff");
	ESCAPED("\xc0\xaf", "\\uf7c0\\uf7af", "\\uf7c0\\uf7af"); /* overlong */
	ESCAPED("\xed\xa0\x80", "\\uf7ed\\uf7a0\\uf780", "\\uf7ed\\uf7a0\\uf780"); /* surrogate */
	ESCAPED("\xf4\x90\x80\x80", "\\uf7f4\\uf790\\uf780\\uf780", "\\uf7f4\\uf790\\uf780\\uf780");
	ESCAPED("\xe6\x96", "\\uf7e6\\uf796", "\\uf7e6\\uf796"); /* cut */
	ESCAPED("\xef\x9f\xbf", "\\uf7ef\\uf79f\\uf7bf",
		"\\uf7ef\\uf79f\\uf7bf"); /* what we escape with */
	ESCAPED("\xef\x9b\xbf\xef\xa0\x80", "\xef\x9b\xbf\xef\xa0\x80",
		"\xef\x9b\xbf\xef\xa0\x80"); /* its neighbours */
}

/* Every string of up to three of these bytes comes back from JSON. */
static void escaping_can_be_undone(void **state)
{
	static const unsigned char bytes[] = {1,    '\n', '"',	'\\', 'u',  '7',  0x7f, 0x80,
					      0x9c, 0x9f, 0xbf, 0xc2, 0xe2, 0xef, 0xf0, 0xff};
	const size_t nr = sizeof(bytes);

	(void)state;
	for (size_t i = 0; i < nr * nr * nr * nr; i++) {
		char s[4] = {(char)bytes[i % nr], (char)bytes[i / nr % nr],
			     (char)bytes[i / nr / nr % nr], (char)bytes[i / nr / nr / nr]};
		cJSON *json;

		buf_reset(&out);
		value_bytes(&out, s, sizeof(s), FORM_JSON);
		assert_true(harmless(out.data, out.len));
		json = cJSON_Parse(out.data);
		assert_non_null(json);
		assert_int_equal(original_bytes(json->valuestring), sizeof(s));
		assert_memory_equal(json->valuestring, s, sizeof(s));
		cJSON_Delete(json);
	}
}

static void strings_and_vectors(void **state)
{
	struct ev_process_exec *e = (struct ev_process_exec *)&rec;

	(void)state;
	begin_record(&rec, EV_process_exec);
	e->filename = ADD_STR(&rec, "./a \"b\"");
	e->argv = ADD_WALK(&rec, "sh\0-c\0\0echo 'hi' >/dev/null\0a=b,c");
	assert_string_equal(format("filename", FORM_JSON), "\"./a \\\"b\\\"\"");
	assert_string_equal(format("filename", FORM_PLAIN), "./a \"b\"");
	assert_string_equal(format("argv", FORM_JSON),
			    "[\"sh\",\"-c\",\"\",\"echo 'hi' >/dev/null\",\"a=b,c\"]");
	assert_string_equal(format("argv", FORM_PLAIN),
			    "sh -c '' 'echo '\\''hi'\\'' >/dev/null' a=b,c");
	e->argv = ADD_STR(&rec, "cut\0off");
	assert_string_equal(format("argv", FORM_JSON), "[\"cut\",\"off\"]");
	e->argv = ADD_WALK(&rec, "");
	assert_string_equal(format("argv", FORM_JSON), "[\"\"]");
	e->argv = ADD_WALK(&rec, "a\x1b[1m'\\\n\xff\xc2\x85\xc3\xa9");
	assert_string_equal(format("argv", FORM_TEXT),
			    "$'a\\x1b[1m\\'\\\\\\x0a\\xff\\u0085\xc3\xa9'");
}

/* ---- arguments of system calls ---- */

static void try_args(__u32 nr, const __u64 *a, __u32 mask, const char *s0, const char *s1,
		     const char *json)
{
	struct ev_syscall_call *e = (struct ev_syscall_call *)&rec;

	begin_record(&rec, EV_syscall_call);
	e->nr = e->args.nr = nr;
	memcpy(e->args.a, a, sizeof(e->args.a));
	e->args.str_mask = mask;
	if (s0)
		e->args.s[0] = add_bytes(&rec, s0, strlen(s0));
	if (s1)
		e->args.s[1] = add_bytes(&rec, s1, strlen(s1));
	assert_string_equal(format("args", FORM_JSON), json);
}

static void arguments(void **state)
{
	(void)state;
#ifdef __x86_64__
	const __u64 big = 0xffffffffffffffffULL;

	try_args(257, (__u64[6]){0xffffff9c, 0x1000, O_WRONLY | O_CREAT, 0644}, 2, "/tmp/x", NULL,
		 "[\"AT_FDCWD\",\"/tmp/x\",\"O_WRONLY|O_CREAT\",\"0644\"]");
	try_args(257, (__u64[6]){5, 0x1000, 0, 0}, 2, NULL, NULL,
		 "[\"5\",\"0x1000\",\"O_RDONLY\",\"0000\"]");
	try_args(82, (__u64[6]){1, 2}, 3, "a", "b\n", "[\"a\",\"b\\n\"]");
	try_args(62, (__u64[6]){0xffffffff, 9}, 0, NULL, NULL, "[\"-1\",\"SIGKILL\"]");
	try_args(
		9, (__u64[6]){0, 4096, 3, 0x22, big, 0}, 0, NULL, NULL,
		"[\"0x0\",\"4096\",\"PROT_READ|PROT_WRITE\",\"MAP_PRIVATE|MAP_ANONYMOUS\",\"-1\",\"0\"]");
	try_args(41, (__u64[6]){AF_INET6, 1, 0}, 0, NULL, NULL, "[\"AF_INET6\",\"1\",\"0\"]");
	try_args(39, (__u64[6]){1, 2, 3}, 0, NULL, NULL, "[]");
	try_args(999, (__u64[6]){1, 0, 255, big, 0, 0}, 0, NULL, NULL,
		 "[\"0x1\",\"0x0\",\"0xff\",\"0xffffffffffffffff\",\"0x0\",\"0x0\"]");
	try_args(0xffffffff, (__u64[6]){}, 0x3f, NULL, NULL,
		 "[\"0x0\",\"0x0\",\"0x0\",\"0x0\",\"0x0\",\"0x0\"]");
#else
	skip();
#endif
}

/* Around every power of ten and of two, against the C library. */
static void digits(void **state)
{
	unsigned long long around[20 + 64], v;
	unsigned int nr = 0;
	char want[32];

	(void)state;
	for (v = 1; nr < 20; v *= 10)
		around[nr++] = v;
	for (unsigned int bit = 0; bit < 64; bit++)
		around[nr++] = 1ULL << bit;
	for (unsigned int i = 0; i < nr; i++)
		for (int d = -2; d <= 2; d++) {
			v = around[i] + (unsigned long long)d;
			buf_reset(&out);
			buf_u64(&out, v);
			snprintf(want, sizeof(want), "%llu", v);
			assert_string_equal(out.data, want);
			buf_reset(&out);
			buf_i64(&out, (long long)v);
			snprintf(want, sizeof(want), "%lld", (long long)v);
			assert_string_equal(out.data, want);
			for (int width = 1; width < 10; width++) {
				unsigned long long tens = 1;

				for (int j = 0; j < width; j++)
					tens *= 10;
				buf_reset(&out);
				buf_digits(&out, v, 10, (unsigned int)width);
				snprintf(want, sizeof(want), "%0*llu", width, v % tens);
				assert_string_equal(out.data, want);
				buf_reset(&out);
				buf_digits(&out, v, 8, (unsigned int)width);
				snprintf(want, sizeof(want), "%0*llo", width,
					 v & ((1ULL << 3 * width) - 1));
				assert_string_equal(out.data, want);
			}
		}
}

static void memory_is_not_needed_to_go_on(void **state)
{
	struct buf b = {.err = -ENOMEM};

	(void)state;
	buf_add(&b, "x", 1);
	buf_char(&b, 'x');
	buf_u64(&b, 1);
	buf_printf(&b, "%d", 1);
	value_json_bytes(&b, "\x1b\xff", 2);
	assert_true(!b.data && !b.len && b.err == -ENOMEM);
}

static int teardown(void **state)
{
	(void)state;
	buf_free(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(zero_is_absent_where_there_is_no_zero),
		cmocka_unit_test(names),
		cmocka_unit_test(system_calls),
		cmocka_unit_test(sets),
		cmocka_unit_test(times),
		cmocka_unit_test(digits),
		cmocka_unit_test(addresses),
		cmocka_unit_test(bytes_are_escaped),
		cmocka_unit_test(escaping_can_be_undone),
		cmocka_unit_test(strings_and_vectors),
		cmocka_unit_test(arguments),
		cmocka_unit_test(memory_is_not_needed_to_go_on),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, teardown);
}
