// SPDX-License-Identifier: MIT
/* A report as text: every kind of line, against lines written by hand from the document. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "report/report.h"

#define HEAD "{\"schema\":\"ebpfmon.report\",\"schema_version\":1,"

/* The text of a document, @width columns; the caller frees it. */
static char *text_of(const char *json, unsigned int width)
{
	cJSON *doc = cJSON_Parse(json);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(doc);
	assert_non_null(f);
	assert_int_equal(report_text(f, doc, width), 0);
	fclose(f);
	cJSON_Delete(doc);
	return text;
}

/* A whole line, without the blanks at its end. */
static void has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *s = text; *s; s += strcspn(s, "\n") + 1) {
		size_t n = strcspn(s, "\n");

		while (n && s[n - 1] == ' ')
			n--;
		if (n == len && !strncmp(s, line, len))
			return;
	}
	fail_msg("no line '%s' in:\n%s", line, text);
}

static void test_head(void **state)
{
	char *text;

	(void)state;
	text = text_of(
		HEAD
		"\"container\":{\"name\":\"web\",\"id\":\"0123456789abcdef0123456789abcdef"
		"0123456789abcdef0123456789abcdef\",\"runtime\":\"docker\","
		"\"image\":{\"name\":\"nginx:1\"},\"exit_code\":-1,\"exit_signal\":\"SIGKILL\"},"
		"\"host\":{\"hostname\":\"h\",\"kernel\":\"6.1.0\"},"
		"\"recording\":{\"duration\":1500000000,\"complete\":false,"
		"\"partial\":[\"existing\",\"lost\"]}}",
		100);
	has_line(text, "web  0123456789ab…  docker  nginx:1");
	has_line(text, "recorded for 1.50 s on h (Linux 6.1.0); ended with SIGKILL");
	has_line(text, "partial: existing lost");
	free(text);
	text = text_of(HEAD "\"container\":{\"id\":\"x\",\"runtime\":\"runc\",\"exit_code\":3},"
			    "\"recording\":{\"complete\":true}}",
		       100);
	has_line(text, "x  runc");
	assert_non_null(strstr(text, "ended with exit code 3"));
	has_line(text, "complete: from its first instruction to its end, nothing lost");
	free(text);
}

static void test_processes(void **state)
{
	char *text;

	(void)state;
	text = text_of(
		HEAD
		"\"summary\":{\"processes\":{\"count\":5,\"executables\":1,\"failed_execs\":1}},"
		"\"processes\":{\"tree\":[{\"id\":1,\"vpid\":1,\"args\":[\"sh\",\"-c\",\"a b\"],\"exit_code\":0,"
		"\"cpu_time\":20000000,\"children\":["
		"{\"id\":2,\"vpid\":2,\"exe\":\"/bin/x\",\"exit_code\":1,\"exit_signal\":\"SIGSEGV\"},"
		"{\"id\":3,\"vpid\":3,\"comm\":\"gone\",\"left\":\"12:00\"},"
		"{\"id\":4,\"vpid\":4,\"comm\":\"dead\",\"zombie\":true},"
		"{\"id\":5,\"vpid\":5,\"comm\":\"init\",\"setup\":true,\"children\":["
		"{\"id\":6,\"vpid\":6,\"comm\":\"deep\",\"exec_session\":{\"process\":6}}]}]}],"
		"\"exec_failed\":[{\"comm\":\"sh\",\"filename\":\"/no/such\",\"error\":\"ENOENT\",\"count\":2}],"
		"\"credentials\":[{\"comm\":\"su\",\"op\":\"setuid\",\"euid\":7,\"egid\":8},"
		"{},{},{},{},{}],"
		"\"namespaces\":[{\"comm\":\"u\",\"op\":\"unshare\",\"flags\":[\"NEWNS\",\"NEWNET\"],\"error\":\"EPERM\"}]}}",
		90);
	has_line(
		text,
		"PROCESSES  5 processes, 1 program, 1 failed exec                           CPU  END");
	has_line(
		text,
		"  1 sh -c 'a b'                                                        20.0 ms  exit 0");
	has_line(
		text,
		"    2 /bin/x                                                            <10 ms  SIGSEGV");
	has_line(
		text,
		"    3 gone                                                            moved away");
	has_line(text,
		 "    4 dead                                                            zombie");
	/* set-up is left out, what it started is not */
	has_line(text,
		 "    [exec] 6 deep                                                     running");
	assert_null(strstr(text, "5 init"));
	has_line(text, "  exec failed   sh /no/such ENOENT ×2");
	has_line(text, "  credentials   su setuid -> uid 7, gid 8");
	has_line(text, "  … and 2 more");
	has_line(text, "  namespaces    u unshare NEWNS NEWNET EPERM");
	free(text);
}

static void test_syscalls(void **state)
{
	char *text;

	(void)state;
	text = text_of(HEAD
		       "\"syscalls\":{\"count\":1234567,\"distinct\":1,\"errors\":5},"
		       "\"summary\":{\"syscalls\":{\"top\":[{\"name\":\"read\",\"count\":1234567}],"
		       "\"top_errors\":[{\"name\":\"openat\",\"error\":\"ENOENT\",\"count\":5}]}}}",
		       100);
	has_line(text, "SYSCALLS   1,234,567 calls of 1 kind, 5 failed");
	has_line(text, "  most     read 1,234,567");
	has_line(text, "  errors   openat ENOENT 5");
	free(text);
}

static void test_files(void **state)
{
	char *text;

	(void)state;
	text = text_of(
		HEAD
		"\"files\":{\"listed\":4,\"total\":{\"opens\":9,\"read_bytes\":2048,\"written_bytes\":10},"
		"\"list\":[{\"path\":\"/usr/lib/a/b.so\",\"opens\":1,\"read_bytes\":1024},"
		"{\"path\":\"/usr/lib/c.so\",\"opens\":2,\"failed\":3,\"read_bytes\":1024},"
		"{\"path\":\"/tmp/x\",\"opens\":1,\"written_bytes\":10},{\"path\":\"/y\"}],"
		"\"folded\":{\"directories\":[{\"path\":\"/usr/lib\",\"records\":7,\"opens\":7}]},"
		"\"changes\":[{\"event\":\"file.unlink\",\"path\":\"/tmp/1\"},{\"event\":\"file.unlink\",\"path\":\"/tmp/2\"},"
		"{\"event\":\"file.unlink\",\"path\":\"/tmp/3\"},"
		"{\"event\":\"file.rename\",\"path\":\"/a\",\"target\":\"/b\",\"error\":\"EXDEV\",\"count\":4}]},"
		"\"volumes\":[{\"mount\":\"/data\",\"kind\":\"bind\",\"opens\":1,\"written_bytes\":10},{\"kind\":\"tmpfs\"}]}",
		100);
	has_line(text, "FILES      4 files, 2.0 KiB read, 10 B written");
	/* sums below two directories; what was folded adds opens, but no file */
	assert_non_null(strstr(text, "  /usr/lib "));
	has_line(
		text,
		"  /usr/lib                                 2 files            10         3     2.0 KiB         0 B");
	has_line(
		text,
		"  /data                                    bind                1                   0 B        10 B");
	assert_non_null(strstr(text, "(no mount known)"));
	has_line(text, "    unlink    3 in /tmp");
	has_line(text, "    rename    /a -> /b ×4 EXDEV");
	free(text);
}

static void test_network(void **state)
{
	static const char udp[] =
		"{\"comm\":\"dig\",\"peer_addr\":\"10.0.0.53\",\"peer_port\":53,\"sent\":40,\"received\":80}";
	char json[8192], *text;

	(void)state;
	snprintf(
		json, sizeof(json),
		HEAD
		"\"tcp\":{\"listed\":3,\"total\":{\"opened\":2,\"accepted\":1,\"failed\":1},"
		"\"listeners\":[{\"comm\":\"httpd\",\"local_addr\":\"0.0.0.0\",\"local_port\":80}],"
		"\"connections\":[{\"comm\":\"curl\",\"direction\":\"out\",\"peer\":{\"address\":\"2001:db8::1\",\"port\":443},"
		"\"sent_bytes\":100,\"received_bytes\":2048,\"rtt\":2000000,\"retransmits\":2,"
		"\"peer_end\":{\"container\":{\"name\":\"db\"}}},"
		"{\"comm\":\"httpd\",\"direction\":\"in\",\"peer\":{\"address\":\"10.0.0.1\",\"port\":999},"
		"\"local\":{\"port\":80},\"peer_end\":{\"container\":{\"name\":\"web\"},\"same_container\":true}},"
		"{\"comm\":\"nc\",\"direction\":\"out\",\"peer\":{\"address\":\"10.0.0.2\",\"port\":1},"
		"\"connect_error\":\"ECONNREFUSED\",\"count\":3}]},"
		"\"udp\":{\"peers\":[%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s]}}",
		udp, udp, udp, udp, udp, udp, udp, udp, udp, udp, udp, udp, udp, udp);
	text = text_of(json, 120);
	has_line(text, "NETWORK    2 out, 1 in, 1 failed");
	has_line(text, "  httpd           listens on 0.0.0.0:80");
	has_line(
		text,
		"  curl            -> [2001:db8::1]:443 db  sent 100 B, received 2.0 KiB, rtt 2.0 ms, 2 sent again");
	has_line(text, "  httpd           <- 10.0.0.1:999 on 80  sent 0 B, received 0 B");
	has_line(text, "  nc              -> 10.0.0.2:1  ECONNREFUSED ×3");
	has_line(text, "  dig             udp 10.0.0.53:53  sent 40 B, received 80 B");
	has_line(text, "  … and 2 more");
	free(text);
}

static void test_ipc(void **state)
{
	char *text;

	(void)state;
	text = text_of(
		HEAD
		"\"ipc\":{\"pipes\":[{\"type\":\"pipe\",\"writers\":[{\"comm\":\"a\",\"written_bytes\":10},"
		"{\"comm\":\"a\",\"written_bytes\":20},{\"comm\":\"b\"},{\"comm\":\"c\"},{\"comm\":\"d\"}],\"readers\":[]},"
		"{\"type\":\"fifo\",\"writers\":[{\"comm\":\"w\"}],\"readers\":[{\"comm\":\"r\"}],\"name\":\"/run/f\"}],"
		"\"unix\":[{\"type\":\"unix_stream\",\"ends\":[{\"users\":[{\"comm\":\"cl\",\"written_bytes\":5,\"read_bytes\":6}]},"
		"{\"users\":[{\"comm\":\"sv\"}],\"name\":\"/run/s\"}]}],"
		"\"failed_connects\":[{\"kind\":\"unix_stream\",\"comm\":\"cl\",\"name\":\"/no\",\"error\":\"ENOENT\",\"count\":2}],"
		"\"others\":[{\"type\":\"mqueue\",\"name\":\"/q\",\"users\":[{\"comm\":\"m\",\"written_bytes\":1,\"read_bytes\":2}]}],"
		"\"signals\":[{\"sig\":\"SIGCHLD\",\"comm\":\"noise\"},"
		"{\"sig\":\"SIGTERM\",\"comm\":\"k\",\"target_comm\":\"v\",\"count\":2,\"crosses\":true},"
		"{\"sig\":\"SIGHUP\",\"comm\":\"k\",\"target_comm\":\"v\"},{\"sig\":\"SIGHUP\",\"comm\":\"k\",\"target_comm\":\"v\"}],"
		"\"sysv\":[{\"op\":\"shmget\",\"comm\":\"s\",\"count\":2,\"bytes\":4096}],"
		"\"ptrace\":[{\"request\":\"ATTACH\",\"comm\":\"p\",\"target_pid\":9,\"error\":\"EPERM\"}]}}",
		100);
	has_line(text, "IPC");
	has_line(text, "  pipe            a ×2,b,c,… -> ?  30 B");
	has_line(text, "  fifo            w -> r  0 B  /run/f");
	has_line(text, "  unix_stream     cl - sv  5 B / 6 B  /run/s");
	has_line(text, "  unix_stream     cl -> /no  ENOENT ×2");
	has_line(text, "  mqueue          m  1 B written, 2 B read  /q");
	has_line(text, "  SIGTERM         k -> v ×2  across the container's boundary");
	has_line(text, "  SIGHUP          k -> v  (2 times)");
	has_line(text, "  shmget          s ×2  4.0 KiB");
	has_line(text, "  ATTACH          p -> 9  EPERM");
	assert_null(strstr(text, "noise"));
	free(text);
}

/* Of a long list, as many lines as a person reads, and how many more there are. */
static void test_long_lists(void **state)
{
	char json[65536] = HEAD "\"processes\":{\"tree\":[";
	char *text;

	(void)state;
	for (int i = 0; i < 60; i++)
		sprintf(json + strlen(json), "%s{\"vpid\":%d,\"comm\":\"c%d\"}", i ? "," : "", i,
			i);
	strcat(json, "]},\"ipc\":{\"signals\":[");
	for (int i = 0; i < 20; i++)
		sprintf(json + strlen(json), "%s{\"sig\":\"SIGUSR1\",\"comm\":\"s%d\"}",
			i ? "," : "", i);
	strcat(json, "]}}");
	text = text_of(json, 100);
	assert_non_null(strstr(text, "39 c39 "));
	assert_null(strstr(text, "40 c40 "));
	has_line(text, "  … and 20 more");
	assert_non_null(strstr(text, "s11"));
	assert_null(strstr(text, "s12"));
	has_line(text, "  … and 8 more");
	free(text);
}

static void test_gaps(void **state)
{
	char *text;

	(void)state;
	text = text_of(HEAD "\"lost\":{\"total\":12,\"events\":{\"file.open\":12}},\"folded\":1,"
			    "\"coverage\":[{\"program\":\"a\",\"missing\":false},"
			    "{\"program\":\"tcp_state\",\"missing\":true,\"reason\":\"EPERM\"}]}",
		       100);
	has_line(text, "LOST       12 records of the whole recording  file.open 12");
	has_line(text, "FOLDED     1 record is only in the sums: a list was full");
	has_line(text, "NOT SEEN   tcp_state: EPERM");
	free(text);
}

/* Nothing is wider than it was asked to be; less than 72 columns is not had. */
static void test_width(void **state)
{
	static const unsigned int widths[] = {1, 72, 100};
	char name[512], json[2048];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	snprintf(
		json, sizeof(json),
		HEAD
		"\"container\":{\"name\":\"%s\",\"image\":{\"name\":\"%s\"}},"
		"\"files\":{\"listed\":1,\"changes\":[{\"event\":\"file.unlink\",\"path\":\"/%s\"}]}}",
		name, name, name);
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		char *text = text_of(json, widths[i]);
		unsigned int col = 0;

		for (const char *s = text; *s; s++) {
			col = *s == '\n' ? 0 : col + ((*s & 0xc0) != 0x80);
			assert_in_range(col, 0, widths[i] < 72 ? 72 : widths[i]);
		}
		free(text);
	}
}

static void test_no_report(void **state)
{
	static const char *const others[] = {"{}", "[]",
					     "{\"schema\":\"ebpfmon.report\",\"schema_version\":2}",
					     "{\"schema\":1,\"schema_version\":1}"};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		cJSON *doc = cJSON_Parse(others[i]);

		assert_int_equal(report_text(stderr, doc, 100), -EINVAL);
		cJSON_Delete(doc);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),	   cmocka_unit_test(test_processes),
		cmocka_unit_test(test_syscalls),   cmocka_unit_test(test_files),
		cmocka_unit_test(test_network),	   cmocka_unit_test(test_ipc),
		cmocka_unit_test(test_long_lists), cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_width),	   cmocka_unit_test(test_no_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
