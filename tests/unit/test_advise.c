// SPDX-License-Identifier: MIT
/* Advice against reports that the tests write themselves. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "advice.h"

static struct advice_form form = {.base = {.runtime = "runc"}};

typedef void renderer(FILE *out, const struct advice *a, const struct advice_form *f);

/* What @render writes, until it is asked again. */
static const char *text_of(renderer *render)
{
	static char text[1 << 16];
	FILE *f = fmemopen(text, sizeof(text), "w");

	assert_non_null(f);
	render(f, advice, &form);
	fclose(f);
	return text;
}

static cJSON *profile(enum advice_action action)
{
	const char *text;
	cJSON *doc;

	form.action = action;
	text = text_of(advice_seccomp);
	doc = cJSON_Parse(text);
	assert_non_null(doc);
	return doc;
}

static bool names(const cJSON *doc, int rule, const char *name)
{
	const cJSON *r = cJSON_GetArrayItem(cJSON_GetObjectItem(doc, "syscalls"), rule), *n;

	cJSON_ArrayForEach(
		n, cJSON_GetObjectItem(r, "names")) if (!strcmp(n->valuestring, name)) return true;
	return false;
}

static void recorded_calls_are_allowed(void **state)
{
	cJSON *doc;

	(void)state;
	assert_int_equal(add(HEAD
			     "\"syscalls\":{\"calls\":[{\"name\":\"socket\",\"count\":2},"
			     "{\"name\":\"keyctl\",\"count\":3,\"denied\":3,\"filtered\":3},"
			     "{\"name\":\"no\\\"such\",\"count\":1}]},"
			     "\"setup\":{\"syscalls\":{\"calls\":[{\"name\":\"mount\",\"count\":1},"
			     "{\"name\":\"getgid\",\"count\":1,\"filtered\":1}]}}}"),
			 0);
	doc = profile(ADVICE_ERRNO);
	assert_true(names(doc, 0, "socket"));
	assert_true(names(doc, 0, "getgid"));
	assert_true(names(doc, 0, "futex"));
	assert_false(names(doc, 0, "mount"));
	assert_false(names(doc, 0, "keyctl"));
	assert_true(names(doc, 1, "mount"));
	assert_true(names(doc, 1, "clone3"));
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "architectures")), 1);
	assert_true(advice->doubts & DOUBT_DENIED);
	cJSON_Delete(doc);
	doc = profile(ADVICE_KILL);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "syscalls")), 1);
	cJSON_Delete(doc);
}

#ifdef __x86_64__
/* ABIs that are left out kill; what one of them called is allowed by its name. */
static void abis_that_were_used(void **state)
{
	static const char *const archs[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
	const cJSON *list;
	cJSON *doc;

	(void)state;
	add(HEAD "\"syscalls\":{\"calls\":[{\"name\":\"compat:mmap2\",\"count\":2},"
		 "{\"name\":\"x32:keyctl\",\"count\":1}]}}");
	doc = profile(ADVICE_ERRNO);
	list = cJSON_GetObjectItem(doc, "architectures");
	assert_int_equal(cJSON_GetArraySize(list), 3);
	for (int i = 0; i < 3; i++)
		assert_string_equal(cJSON_GetArrayItem(list, i)->valuestring, archs[i]);
	assert_true(names(doc, 0, "mmap2"));
	assert_true(names(doc, 0, "keyctl"));
	assert_true(names(doc, 1, "socketcall")); /* refused: of one ABI in use, not called */
	cJSON_Delete(doc);
}
#endif

static void reports_merge(void **state)
{
	(void)state;
	add(HEAD "\"syscalls\":{\"calls\":[{\"name\":\"read\",\"count\":2,\"filtered\":2}]}}");
	add(HEAD "\"syscalls\":{\"calls\":[{\"name\":\"read\",\"count\":5,\"filtered\":5}]}}");
	assert_int_equal(advice->reports, 2);
#ifdef __x86_64__
	assert_int_equal(advice->calls[0][0].runs, 2);
	assert_int_equal(advice->calls[0][0].count, 7);
#endif
	assert_false(advice->doubts & DOUBT_NO_FILTER);
	assert_true(advice->doubts & DOUBT_SHORT);
}

/* What there is to doubt after a report that ends with @more. */
static unsigned int doubts_after(const char *more)
{
	char text[2048];

	snprintf(text, sizeof(text), HEAD "%s}", more);
	assert_int_equal(add(text), 0);
	return advice->doubts;
}

#define DURATION(ns, partial) "\"recording\":{\"duration\":" ns ",\"partial\":[" partial "]}"
#define LISTENS		      ",\"tcp\":{\"listeners\":[{\"local_addr\":\"::\",\"local_port\":80}]}"
#define SIGNAL(sig, result)   ",\"ipc\":{\"signals\":[{\"sig\":\"" sig "\",\"result\":" result "}]}"

/* Each phase is doubted until one report shows it; the lengths add up. */
static void phases_that_were_not_seen(void **state)
{
	const unsigned int phases = DOUBT_SHORT | DOUBT_EXISTING | DOUBT_NO_END | DOUBT_KILLED |
				    DOUBT_NO_RELOAD | DOUBT_NO_EXEC;

	(void)state;
	assert_int_equal(doubts_after(DURATION("6e9", "\"was_running_before\",\"still_running\"")) &
				 phases,
			 DOUBT_SHORT | DOUBT_EXISTING | DOUBT_NO_END);
	assert_int_equal(doubts_after(DURATION("6e9", "") LISTENS
				      ",\"container\":{\"exit_signal\":\"SIGKILL\"}") &
				 phases,
			 DOUBT_KILLED | DOUBT_NO_RELOAD | DOUBT_NO_EXEC);
	assert_int_equal(doubts_after(DURATION("0", "") SIGNAL("SIGHUP", "1")) & phases,
			 DOUBT_NO_RELOAD | DOUBT_NO_EXEC); /* ignored */
	assert_int_equal(doubts_after(DURATION("0", "\"still_running\"") SIGNAL("SIGCHLD", "0")) &
				 phases,
			 DOUBT_NO_RELOAD | DOUBT_NO_EXEC);
	assert_int_equal(doubts_after(DURATION("0", "") SIGNAL("SIGHUP", "0")) & phases,
			 DOUBT_NO_EXEC);
	assert_int_equal(doubts_after(DURATION("0", "") ",\"processes\":{\"tree\":[{\"children\":["
							"{\"exec_session\":{\"pid\":7}}]}]}") &
				 phases,
			 0);
}

static const char *warnings(void)
{
	static char text[1 << 14];
	FILE *f = fmemopen(text, sizeof(text), "w");

	assert_non_null(f);
	text[0] = 0;
	advice_warn(f, advice, "# ");
	fclose(f);
	return text;
}

static void each_doubt_is_a_line(void **state)
{
	unsigned int lines = 0;

	(void)state;
	for (int bit = 0; DOUBT_LOST << bit <= DOUBT_REFUSED; bit++) {
		advice->doubts = DOUBT_LOST << bit;
		lines += strchr(warnings(), '\n') == warnings() + strlen(warnings()) - 1 &&
			 strlen(warnings()) > 10;
	}
	assert_int_equal(lines, 16);
	advice->doubts = 0;
	assert_string_equal(warnings(), "");
}

/* A filter does not see what io_uring does: what was seen is named, and nothing that is no name. */
static void io_uring_is_warned_of(void **state)
{
	(void)state;
	assert_int_equal(
		doubts_after(
			"\"syscalls\":{\"calls\":[{\"name\":\"io_uring_setup\",\"count\":1}]}") &
			DOUBT_IO_URING,
		DOUBT_IO_URING);
	advice->doubts = DOUBT_IO_URING;
	assert_string_equal(warnings(), "# io_uring was used: its operations pass seccomp by\n");
	doubts_after("\"syscalls\":{\"io_uring\":[{\"op\":\"OPENAT\",\"count\":2},"
		     "{\"op\":\"CONNECT\",\"count\":1},{\"op\":\"no op\",\"count\":1}]}");
	advice->doubts &= DOUBT_IO_URING;
	assert_string_equal(
		warnings(),
		"# io_uring was used: its operations pass seccomp by: CONNECT, OPENAT\n");
}

#define CALL(more)                                                                                 \
	"\"syscalls\":{\"calls\":[{\"name\":\"keyctl\",\"count\":2,\"filtered\":2" more "}]}"

/* A filter's ENOSYS looks like the kernel's, but in a record that is timed. */
static void refused_perhaps_by_a_filter(void **state)
{
	(void)state;
	doubts_after("\"recording\":{\"syscall_time\":true}," CALL(",\"errors\":{\"ENOSYS\":2}"));
	assert_false(advice->doubts & DOUBT_REFUSED);
	done(state);
	fresh(state);
	doubts_after(CALL(",\"errors\":{\"EINVAL\":1,\"EPERM\":1}"));
	assert_false(advice->doubts & DOUBT_REFUSED);
	done(state);
	fresh(state);
	doubts_after(CALL(",\"errors\":{\"ENOSYS\":1,\"EPERM\":1}"));
	assert_true(advice->doubts & DOUBT_REFUSED);
	assert_non_null(strstr(warnings(), ", and are allowed: keyctl\n"));
	doubts_after(CALL("")); /* another run, in which it did not fail */
	assert_false(advice->doubts & DOUBT_REFUSED);
}

static void what_a_report_admits(void **state)
{
	static const struct {
		const char *report;
		unsigned int doubt; /* that is there with it, and not without */
	} rows[] = {
		{DURATION("6e10", "\"lost_records\""), DOUBT_LOST},
		{"\"lost\":{\"total\":1}", DOUBT_LOST},
		{DURATION("6e10", "\"missing_coverage\""), DOUBT_COVERAGE},
		{DURATION("6e10", "\"folded\""), DOUBT_FOLDED},
		{"\"syscalls\":{\"calls\":[{\"name\":\"read\",\"count\":2,\"denied\":2}]}",
		 DOUBT_DENIED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_false(doubts_after(DURATION("6e10", "")) & rows[i].doubt);
		assert_true(doubts_after(rows[i].report) & rows[i].doubt);
		done(state);
		fresh(state);
	}
}

static void entries_are_explained(void **state)
{
	const char *text;

	(void)state;
	add(HEAD
	    "\"syscalls\":{\"calls\":[{\"name\":\"ptrace\",\"count\":2,\"filtered\":2}]},"
	    "\"processes\":{\"tree\":[{\"comm\":\"gdb\",\"syscalls\":{\"calls\":[{\"name\":\"ptrace\"}]}}]}}");
	add(HEAD
	    "\"syscalls\":{\"calls\":[{\"name\":\"ptrace\",\"count\":5,\"filtered\":5},"
	    "{\"name\":\"keyctl\",\"count\":3,\"denied\":3,\"filtered\":3}]},"
	    "\"setup\":{\"syscalls\":{\"calls\":[{\"name\":\"acct\",\"count\":1,\"filtered\":1}]}}}");
	text = text_of(advice_seccomp_explain);
	assert_non_null(strstr(
		text,
		"\nptrace                   recorded 7 times, in 2 of 2 reports, first by gdb\n"));
	assert_non_null(strstr(
		text,
		"\nacct                     recorded 1 times, in 1 of 2 reports, by the runtime before the entry point\n"));
	assert_non_null(
		strstr(text, "\nkeyctl                   left out: a filter denied it, 3 times\n"));
	assert_non_null(strstr(text, "\nexit_group               always in: "));
	assert_non_null(strstr(text, "makes it after the filter is loaded\n"));
	/* of Docker's default, what is not here */
	assert_non_null(strstr(strstr(text, "\nDocker's default allows "), " socket "));
	assert_null(strstr(strstr(text, "\nDocker's default allows "), " ptrace "));
}

static void needed_capabilities(void **state)
{
	(void)state;
	add(HEAD
	    "\"capabilities\":{\"checks\":["
	    "{\"cap\":\"CAP_CHOWN\",\"granted\":true,\"own\":true,\"count\":1},"
	    "{\"cap\":\"CAP_KILL\",\"granted\":true,\"own\":false,\"count\":1},"
	    "{\"cap\":\"CAP_FOWNER\",\"granted\":true,\"own\":true,\"error\":\"ENOENT\",\"count\":1},"
	    "{\"cap\":\"CAP_SYS_ADMIN\",\"granted\":true,\"probe\":true,\"own\":true,\"count\":1},"
	    "{\"cap\":\"CAP_NET_RAW\",\"granted\":false,\"own\":true,\"error\":\"EPERM\",\"count\":1}]}}");
	assert_int_equal(advice->needed[0].runs, 1);
	assert_int_equal(advice->needed[3].runs, 0);
	assert_int_equal(advice->needed[5].runs, 0);
	assert_int_equal(advice->needed[21].runs, 0);
	assert_int_equal(advice->denied[13].runs, 1);
}

static void hostile_reports(void **state)
{
	(void)state;
	assert_int_equal(add("[]"), -EINVAL);
	assert_int_equal(add("{\"schema\":1}"), -EINVAL);
	assert_int_equal(
		add(HEAD "\"syscalls\":7,\"coverage\":{},\"recording\":[],\"lost\":\"x\"}"), 0);
	assert_int_equal(add(HEAD
			     "\"syscalls\":{\"calls\":[7,{},{\"name\":9},{\"name\":\"compat:\"},"
			     "{\"name\":\"read\",\"count\":-1e300}]}}"),
			 0);
}

/* The rules beyond the first two, which allow @name by its arguments; -1: it is allowed whole. */
static int narrowed(const cJSON *doc, const char *name)
{
	int nr = 0;

	if (names(doc, 0, name))
		return -1;
	for (int i = 2; i < cJSON_GetArraySize(cJSON_GetObjectItem(doc, "syscalls")); i++)
		nr += names(doc, i, name);
	return nr;
}

#define ARGUMENT(nr, a, count)                                                                     \
	"{\"nr\":\"" nr "\",\"a\":\"" a "\",\"b\":\"0x1\",\"c\":\"0x0\",\"count\":" count "}"

static void arguments_narrow(void **state)
{
	const cJSON *rule, *arg;
	cJSON *doc;

	(void)state;
	add(HEAD
	    "\"syscalls\":{\"calls\":[{\"name\":\"socket\",\"count\":4},"
	    "{\"name\":\"ioctl\",\"count\":2},{\"name\":\"personality\",\"count\":1},"
	    "{\"name\":\"clone3\",\"count\":1}],\"arguments\":[" ARGUMENT("socket", "0x2", "2") "," ARGUMENT(
		    "socket", "0x1",
		    "1") "," ARGUMENT("socket", "0x2",
				      "1") "," ARGUMENT("ioctl", "0x5401",
							"1") "," ARGUMENT("personality",
									  "0xffffffff", "1") "]}}");
	form.args = true;
	doc = profile(ADVICE_ERRNO);
	form.args = false;
	assert_int_equal(narrowed(doc, "socket"), 2);
	assert_int_equal(narrowed(doc, "personality"), 1);
	assert_int_equal(narrowed(doc, "ioctl"), -1); /* one of two is not known */
	assert_int_equal(narrowed(doc, "clone3"), -1);
	assert_false(names(doc, 1, "socket")); /* no ENOSYS beside its own rules */
	rule = cJSON_GetArrayItem(cJSON_GetObjectItem(doc, "syscalls"), 2);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(rule, "args")), 3);
	arg = cJSON_GetArrayItem(cJSON_GetObjectItem(rule, "args"), 0);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(arg, "op")),
			    "SCMP_CMP_MASKED_EQ");
	cJSON_Delete(doc);
}

static bool allows_family(const cJSON *doc, int family)
{
	const cJSON *rule, *arg;

	cJSON_ArrayForEach(rule, cJSON_GetObjectItem(doc, "syscalls"))
	{
		arg = cJSON_GetArrayItem(cJSON_GetObjectItem(rule, "args"), 0);
		if (!strcmp(cJSON_GetArrayItem(cJSON_GetObjectItem(rule, "names"), 0)->valuestring,
			    "socket") &&
		    cJSON_GetArraySize(cJSON_GetObjectItem(rule, "args")) == 1 &&
		    cJSON_GetObjectItem(arg, "valueTwo")->valueint == family)
			return true;
	}
	return false;
}

/* Whether IPv4 or IPv6 is for others to say; nothing else is allowed that was not seen. */
static void sockets_are_narrowed_to_families(void **state)
{
	cJSON *doc;

	(void)state;
	add(HEAD
	    "\"syscalls\":{\"calls\":[{\"name\":\"socket\",\"count\":3},{\"name\":\"ioctl\",\"count\":1}],"
	    "\"arguments\":[" ARGUMENT("socket", "0x2", "2") "," ARGUMENT(
		    "socket", "0x1", "1") "," ARGUMENT("ioctl", "0x5401", "1") "]}}");
	doc = profile(ADVICE_ERRNO);
	assert_int_equal(narrowed(doc, "socket"), 3);
	assert_int_equal(narrowed(doc, "ioctl"), -1);
	assert_true(allows_family(doc, 1));
	assert_true(allows_family(doc, 2));
	assert_true(allows_family(doc, 10));
	assert_false(allows_family(doc, 38));
	assert_false(names(doc, 1, "socket"));
	cJSON_Delete(doc);
}

static void calls_that_always_failed_are_kept(void **state)
{
	struct advice_entry e;
	cJSON *doc;

	(void)state;
	add(HEAD "\"syscalls\":{\"calls\":["
		 "{\"name\":\"access\",\"count\":2,\"errors\":{\"ENOENT\":2}},"
		 "{\"name\":\"ioctl\",\"count\":2,\"errors\":{\"ENOTTY\":1}},"
		 "{\"name\":\"rt_sigsuspend\",\"count\":1,\"errors\":{\"ERESTARTNOHAND\":1}}]}}");
	e = advice_call(advice, "access");
	assert_true(advice_in_vain(&e));
	e = advice_call(advice, "ioctl");
	assert_false(advice_in_vain(&e));
	e = advice_call(advice, "rt_sigsuspend"); /* this is how it succeeds */
	assert_false(advice_in_vain(&e));
	e = advice_call(advice, "mount");
	assert_false(advice_in_vain(&e));
	doc = profile(ADVICE_ERRNO);
	assert_true(names(doc, 0, "access"));
	cJSON_Delete(doc);
}

static void the_runtimes_calls_stay_whole(void **state)
{
	cJSON *doc;

	(void)state;
	add(HEAD
	    "\"syscalls\":{\"calls\":[{\"name\":\"prctl\",\"count\":1}],\"arguments\":[" ARGUMENT(
		    "prctl", "0xf", "1") "]}}");
	form.args = true;
	form.base.mode = BASE_PLAIN;
	doc = profile(ADVICE_ERRNO);
	assert_int_equal(narrowed(doc, "prctl"), -1);
	cJSON_Delete(doc);
	form.base.mode = BASE_NNP; /* then runc drops no capabilities under the filter */
	doc = profile(ADVICE_ERRNO);
	assert_int_equal(narrowed(doc, "prctl"), 1);
	assert_true(names(doc, 1, "setgroups"));
	cJSON_Delete(doc);
	form.args = false;
	form.base.mode = BASE_PLAIN;
}

static void the_weakest_capability(void **state)
{
	(void)state;
	add(HEAD
	    "\"capabilities\":{\"checks\":["
	    "{\"process\":1,\"nr\":\"openat\",\"cap\":\"CAP_DAC_READ_SEARCH\",\"granted\":false,"
	    "\"own\":true,\"count\":2},"
	    "{\"process\":1,\"nr\":\"openat\",\"cap\":\"CAP_DAC_OVERRIDE\",\"granted\":true,"
	    "\"own\":true,\"count\":2},"
	    "{\"process\":1,\"nr\":\"bpf\",\"cap\":\"CAP_SYS_ADMIN\",\"granted\":true,"
	    "\"own\":true,\"count\":1}]}}");
	assert_int_equal(advice->needed[2].runs, 1); /* reading was all */
	assert_int_equal(advice->needed[1].runs, 0);
	assert_int_equal(advice->needed[21].runs, 1); /* CAP_BPF was not asked for */
	add(HEAD "\"capabilities\":{\"checks\":["
		 "{\"process\":1,\"nr\":\"openat\",\"cap\":\"CAP_DAC_OVERRIDE\",\"granted\":true,"
		 "\"own\":true,\"count\":2}]}}");
	assert_int_equal(advice->needed[1].runs, 1);
	assert_int_equal(advice->needed[2].runs, 0); /* covered by the other now */
}

#define FILES                                                                                                                     \
	"\"container\":{\"name\":\"We b\",\"image\":{\"name\":\"x'y\"},\"mounts\":["                                              \
	"{\"destination\":\"/data\",\"type\":\"volume\",\"name\":\"v1\",\"read_only\":false},"                                    \
	"{\"destination\":\"/conf\",\"source\":\"/h\",\"type\":\"bind\",\"read_only\":false}]},"                                  \
	"\"processes\":{\"tree\":[{\"uid\":7,\"gid\":8,\"syscalls\":{\"count\":1}},{\"uid\":0,\"gid\":0}]},\"files\":{\"list\":[" \
	"{\"path\":\"/data/a\",\"opens\":1,\"writes\":1},{\"path\":\"/proc/self/x\",\"opens\":1,\"writes\":1},"                   \
	"{\"path\":\"/run/n/pid\",\"opens\":1,\"created\":1},"                                                                    \
	"{\"path\":\"/var/lib/db\",\"opens\":1,\"writes\":1}]},"                                                                  \
	"\"tcp\":{\"listeners\":[{\"local_addr\":\"::\",\"local_port\":80},"                                                      \
	"{\"local_addr\":\"0.0.0.0\",\"local_port\":80},{\"local_addr\":\"127.0.0.1\",\"local_port\":9}],"                        \
	"\"peers\":[{\"direction\":\"out\",\"address\":\"fd00::1\",\"port\":443},"                                                \
	"{\"direction\":\"out\",\"address\":\"x: evil\",\"port\":1}]},"                                                           \
	"\"udp\":{\"peers\":[{\"peer_addr\":\"10.0.0.2\",\"peer_port\":53,\"local_port\":40000,"                                  \
	"\"sends\":1}]}}"

static void docker_command(void **state)
{
	const char *text;

	(void)state;
	add(HEAD FILES);
	text = text_of(advice_docker);
	assert_non_null(strstr(text, "--name we-b "));
	assert_non_null(strstr(text, "seccomp=we-b-seccomp.json"));
	assert_non_null(strstr(text, "--user 7:8"));
	assert_non_null(strstr(text, "--read-only"));
	assert_non_null(strstr(text, "--tmpfs /run/n \\"));
	assert_non_null(strstr(text, "-v we-b-var-lib:/var/lib \\"));
	assert_non_null(strstr(text, "-v v1:/data \\"));
	assert_non_null(strstr(text, "-v /h:/conf:ro \\"));
	assert_non_null(strstr(text, "-p 80:80 \\"));
	assert_null(strstr(strstr(text, "-p 80:80") + 1, "-p "));
	assert_null(strstr(text, "/proc"));
	assert_non_null(strstr(text, "$'x\\'y'"));
}

static void compose_file(void **state)
{
	const char *text;

	(void)state;
	add(HEAD FILES);
	text = text_of(advice_compose);
	assert_non_null(strstr(text, "services:\n  we-b:\n"));
	assert_non_null(strstr(text, "    user: \"7:8\"\n"));
	assert_non_null(strstr(
		text, "      - type: volume\n        source: \"v1\"\n        target: \"/data\"\n"
		      "        read_only: false\n"));
	assert_non_null(strstr(
		text, "      - type: bind\n        source: \"/h\"\n        target: \"/conf\"\n"
		      "        read_only: true\n"));
	assert_non_null(strstr(text, "    ports:\n      - \"80:80\"\n"));
	assert_non_null(strstr(text, "  \"v1\": {external: true}\n"));
	assert_non_null(strstr(text, "  \"we-b-var-lib\": {}\n"));
}

static void kubernetes_policy(void **state)
{
	const char *text;

	(void)state;
	add(HEAD FILES);
	text = text_of(advice_kubernetes);
	assert_non_null(strstr(text, "cidr: \"fd00::1/128\""));
	assert_non_null(strstr(text, "cidr: \"10.0.0.2/32\""));
	assert_non_null(strstr(text, "- protocol: UDP\n          port: 53\n"));
	assert_null(strstr(text, "evil"));
	assert_non_null(strstr(text, "runAsUser: 7"));
	assert_non_null(strstr(text, "claimName: v1"));
}

static void strings_are_escaped(void **state)
{
	char text[256] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	(void)state;
	advice_quote(f, "a\"\n\x1b\xe2\x80\xae\xf0\x9f\x98\x80\x7f\xff\xc1\xa1");
	advice_yaml(f, "\xf0\x9f\x98\x80");
	advice_shell(f, "a b'\x1b");
	advice_shell(f, "");
	fclose(f);
	assert_string_equal(
		text,
		"\"a\\\"\\u000a\\u001b\\u202e\\ud83d\\ude00\\u007f\\u00ff\\u00c1\\u00a1\"\"\\U0001f600\""
		"$'a b\\'\\x1b'$''");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(recorded_calls_are_allowed),
#ifdef __x86_64__
		TEST(abis_that_were_used),
#endif
		TEST(reports_merge),
		TEST(phases_that_were_not_seen),
		TEST(each_doubt_is_a_line),
		TEST(io_uring_is_warned_of),
		TEST(what_a_report_admits),
		TEST(entries_are_explained),
		TEST(refused_perhaps_by_a_filter),
		TEST(needed_capabilities),
		TEST(hostile_reports),
		TEST(arguments_narrow),
		TEST(the_runtimes_calls_stay_whole),
		TEST(sockets_are_narrowed_to_families),
		TEST(calls_that_always_failed_are_kept),
		TEST(the_weakest_capability),
		TEST(docker_command),
		TEST(compose_file),
		TEST(kubernetes_policy),
		TEST(strings_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
