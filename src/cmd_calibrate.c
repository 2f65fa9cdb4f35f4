// SPDX-License-Identifier: MIT
/*
 * ebpfmon calibrate: what a runtime calls between loading the filter and the entry point. Which of
 * the calls come is chance (Go's scheduler), so many trivial containers are started, under a filter that
 * allows everything, and recorded as any other. Others depend on how it is started: the container that
 * engines create and start later waits under the filter (crun), and a user's gets the user's output (runc).
 */
#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base_set.h"
#include "commands.h"
#include "json_at.h"
#include "json_file.h"
#include "log.h"
#include "recorder.h"

#define MODES 2 /* BASE_PLAIN, BASE_NNP */
#define USER  65534 /* any but root */

/* How containers are started, in turn; in each way in each mode. */
static const struct start_way {
	bool created; /* create, then start, as engines do; otherwise run */
	unsigned int user;
} ways[] = {{false, 0}, {true, 0}, {false, USER}, {true, USER}};

#define NR_WAYS (sizeof(ways) / sizeof(ways[0]))

struct calibration {
	const char *runtime; /* what is executed */
	char name[64], version[64]; /* what it says it is */
	char dir[64]; /* of our own: bundles, the runtime's state, reports, and what it says */
	char prefix[64]; /* of the containers' ids */
	__u32 starts;
	struct fact_set calls[MODES]; /* count: in how many starts */
	__u32 seen[MODES]; /* starts that were recorded whole */
};

/* ---- the runtime ---- */

/* In a child: argv, with its output in @out. */
static void become(const char *const *argv, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

/* "runc version 1.1.5+ds1" is the first line of what `--version` says; crun's is alike. */
static int ask_version(struct calibration *c)
{
	const char *const argv[] = {c->runtime, "--version", NULL};
	int fds[2], status = -1;
	char text[256] = "";
	pid_t pid;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid)
		become(argv, fds[1]);
	close(fds[1]);
	n = pid > 0 ? read(fds[0], text, sizeof(text) - 1) : -1;
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	text[n > 0 ? n : 0] = 0;
	if (sscanf(text, "%63s version %63s", c->name, c->version) == 2 &&
	    base_set_is_word(c->name) && base_set_is_word(c->version))
		return 0;
	log_error(
		"calibrate: `%s --version` does not tell a version: is it installed, and runc or crun?",
		c->runtime);
	return -ENOENT;
}

/* ---- the containers ---- */

/* The host's programs, read-only; the entry point is true(1). */
static const char config_text[] =
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":false,\"user\":{\"uid\":%u,\"gid\":%u},"
	"\"args\":[\"/bin/true\"],\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],\"noNewPrivileges\":%s,"
	"\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],\"permitted\":[\"CAP_KILL\"]}},"
	"\"root\":{\"path\":\"%s/rootfs\",\"readonly\":true},\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}%s],"
	"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
	"{\"type\":\"mount\"},{\"type\":\"network\"}],"
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[]}}}\n";

/* Where a bundle is. */
static void bundle_path(char *path, size_t size, const struct calibration *c, enum base_mode mode,
			unsigned int user)
{
	snprintf(path, size, "%s/%s-%u", c->dir, base_mode_name(mode), user);
}

static int make_bundle(const struct calibration *c, enum base_mode mode, unsigned int user)
{
	static const char *const places[] = {"bin", "lib", "lib32", "lib64", "libx32", "usr"};
	char mounts[6 * (PATH_MAX + 128)] = "", real[PATH_MAX], path[PATH_MAX];
	bool ok;
	FILE *f;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "/%s", places[i]);
		if (realpath(path, real))
			snprintf(mounts + strlen(mounts), sizeof(mounts) - strlen(mounts),
				 ",{\"destination\":\"%s\",\"source\":\"%s\",\"type\":\"bind\","
				 "\"options\":[\"rbind\",\"ro\"]}",
				 path, real);
	}
	bundle_path(path, sizeof(path), c, mode, user);
	if (mkdir(path, 0700))
		return -errno;
	strcat(path, "/config.json");
	f = fopen(path, "we");
	if (!f)
		return -errno;
	ok = fprintf(f, config_text, user, user, mode == BASE_NNP ? "true" : "false", c->dir,
		     mounts) > 0;
	return fclose(f) || !ok ? -EIO : 0;
}

static int make_places(struct calibration *c)
{
	char path[128];
	int err = 0;

	snprintf(c->prefix, sizeof(c->prefix), "ebpfmon-calibrate-%d-", getpid());
	snprintf(c->dir, sizeof(c->dir), "/tmp/ebpfmon-calibrate-XXXXXX");
	if (!mkdtemp(c->dir)) {
		err = -errno;
		c->dir[0] = 0;
	}
	snprintf(path, sizeof(path), "%s/rootfs", c->dir);
	if (!err && mkdir(path, 0755))
		err = -errno;
	for (int mode = 0; mode < MODES && !err; mode++) {
		err = make_bundle(c, mode, 0);
		err = err ? err : make_bundle(c, mode, USER);
	}
	if (err)
		log_error("calibrate: cannot make bundles in /tmp: %s", strerror(-err));
	return err;
}

/* ---- starting them, in a child ---- */

static volatile sig_atomic_t no_more;

static void on_term(int sig)
{
	(void)sig;
	no_more = 1;
}

/* A child of ours, or one that came to us. Did it end well? */
static bool ended_well(pid_t pid)
{
	int status;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	return got == pid && !status;
}

static bool command(const char *const *argv, int out)
{
	pid_t pid = fork();

	if (!pid)
		become(argv, out);
	return pid > 0 && ended_well(pid);
}

static pid_t read_pid(const char *path)
{
	FILE *f = fopen(path, "re");
	int pid = 0;

	if (f) {
		if (fscanf(f, "%d", &pid) != 1)
			pid = 0;
		fclose(f);
	}
	return pid;
}

/* Of what was created, the first process comes to us, when the runtime ends: we are its subreaper. */
static bool create_and_start(const struct calibration *c, const char *state, const char *bundle,
			     const char *id, int out)
{
	char file[96];
	const char *const create[] = {c->runtime, "--root",	state, "create", "--bundle",
				      bundle,	  "--pid-file", file,  id,	 NULL};
	const char *const start[] = {c->runtime, "--root", state, "start", id, NULL};
	const char *const delete[] = {c->runtime, "--root", state, "delete", "--force", id, NULL};
	pid_t pid;
	bool ok;

	snprintf(file, sizeof(file), "%s/pid", c->dir);
	ok = command(create, out);
	pid = ok ? read_pid(file) : 0;
	ok = pid > 0 && command(start, out) && ended_well(pid);
	return command(delete, out) && ok;
}

static bool start_one(const struct calibration *c, __u32 i, int out)
{
	const struct start_way *way = &ways[i / MODES % NR_WAYS];
	enum base_mode mode = i % MODES;
	char state[96], bundle[96], id[128];
	const char *const run[] = {c->runtime, "--root", state, "run",
				   "--bundle", bundle,	 id,	NULL};

	snprintf(state, sizeof(state), "%s/state", c->dir);
	bundle_path(bundle, sizeof(bundle), c, mode, way->user);
	snprintf(id, sizeof(id), "%s%s-%u", c->prefix, base_mode_name(mode), i);
	/* as a pipe of an engine's is, it is not yet the user's */
	if (fchown(out, 0, 0))
		return false;
	return way->created ? create_and_start(c, state, bundle, id, out) : command(run, out);
}

/* One after the other. Ends with 0 when all of them did. SIGTERM: after the one that is being started. */
static void start_all(const struct calibration *c)
{
	const struct sigaction stop = {.sa_handler = on_term};
	char path[96];
	bool ok = true;
	int out;

	/* what the terminal sends is for the recorder, whose handlers are not for us */
	setsid();
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigaction(SIGTERM, &stop, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	snprintf(path, sizeof(path), "%s/said", c->dir);
	out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	for (__u32 i = 0; i < MODES * c->starts && ok && !no_more; i++)
		ok = start_one(c, i, out);
	_exit(!ok || no_more);
}

static void show_said(const struct calibration *c)
{
	char path[96], line[512], last[512] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/said", c->dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		snprintf(last, sizeof(last), "%.*s", (int)strcspn(line, "\n"), line);
	if (f)
		fclose(f);
	log_error("calibrate: %s did not run a container; it said: %s", c->runtime, last);
}

/* ---- recording them ---- */

static int record(const struct calibration *c)
{
	char pattern[80], output[96];
	const char *argv[] = {
		"record", "-q",	  "-w", "-c", pattern, "-e", "container,process,syscall",
		"-o",	  output, NULL};
	int status = -1, ended = EXIT_FAIL;
	struct recorder r;
	struct options o;
	pid_t pid = 0;

	snprintf(pattern, sizeof(pattern), "%s*", c->prefix);
	snprintf(output, sizeof(output), "%s/reports/", c->dir);
	if (options_parse(&o, OPT_RECORD, sizeof(argv) / sizeof(argv[0]) - 1, (char *const *)argv))
		return -EINVAL;
	if (!recorder_open(&r, &o) && !recorder_start(&r)) {
		pid = fork();
		if (!pid)
			start_all(c);
		while (pid > 0 && recorder_turn(&r))
			if (waitpid(pid, &status, WNOHANG) == pid) {
				pid = 0;
				break;
			}
		ended = recorder_finish(&r, "calibrated");
	}
	recorder_close(&r);
	if (pid > 0) { /* a signal ended the recording: our starts end with it */
		kill(pid, SIGTERM);
		waitpid(pid, NULL, 0);
		log_error("calibrate: interrupted; nothing is kept");
		return -EINTR;
	}
	if (status)
		show_said(c);
	return status || ended != EXIT_OK ? -EIO : 0;
}

/* ---- what comes of it ---- */

static void take_report(struct calibration *c, const cJSON *report)
{
	const char *id = json_text(json_at(report, "container"), "id");
	const cJSON *call, *setup = json_at(json_at(report, "setup"), "syscalls");
	size_t len = strlen(c->prefix);
	int mode = 0;

	while (mode < MODES &&
	       (strncmp(id, c->prefix, len) != 0 ||
		strncmp(id + len, base_mode_name(mode), strlen(base_mode_name(mode))) != 0))
		mode++;
	if (mode == MODES || json_number(json_at(report, "lost"), "total") > 0 ||
	    !cJSON_GetArraySize(json_at(setup, "calls")))
		return;
	c->seen[mode]++;
	cJSON_ArrayForEach(call, json_at(setup, "calls"))
	{
		if (json_number(call, "filtered") > 0 && base_set_is_word(json_text(call, "name")))
			fact_add(&c->calls[mode], json_text(call, "name"), 1, c->seen[mode]);
	}
}

static int take_reports(struct calibration *c)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/reports", c->dir);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		cJSON *doc;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/reports/%s", c->dir, e->d_name);
		doc = json_read(path);
		take_report(c, doc);
		cJSON_Delete(doc);
	}
	if (d)
		closedir(d);
	for (int mode = 0; mode < MODES; mode++) {
		fact_settle(&c->calls[mode]);
		if (c->calls[mode].no_memory || c->seen[mode] < c->starts) {
			log_error(
				"calibrate: %u of %u starts were recorded whole; with fewer things going on it may work",
				c->seen[mode], c->starts);
			return -EIO;
		}
	}
	return 0;
}

static cJSON *document(const struct calibration *c)
{
	cJSON *doc = cJSON_CreateObject(), *modes;
	struct utsname host = {};

	uname(&host);
	cJSON_AddStringToObject(doc, "schema", "ebpfmon.base_set");
	cJSON_AddNumberToObject(doc, "schema_version", 1);
	cJSON_AddStringToObject(doc, "runtime", c->name);
	cJSON_AddStringToObject(doc, "version", c->version);
	cJSON_AddStringToObject(doc, "kernel", host.release);
	cJSON_AddNumberToObject(doc, "starts", c->starts);
	modes = cJSON_AddObjectToObject(doc, "modes");
	for (int mode = 0; mode < MODES; mode++) {
		cJSON *list = cJSON_AddArrayToObject(modes, base_mode_name(mode));

		for (size_t i = 0; i < c->calls[mode].nr; i++) {
			cJSON *call = cJSON_CreateObject();

			cJSON_AddStringToObject(call, "name", c->calls[mode].v[i].key);
			cJSON_AddNumberToObject(call, "starts", (double)c->calls[mode].v[i].count);
			cJSON_AddItemToArray(list, call);
		}
	}
	return doc;
}

/* Whole or not at all: under another name first. */
static int keep(const struct calibration *c, const char *state)
{
	char path[PATH_MAX], draft[PATH_MAX];
	cJSON *doc = document(c);
	int err;

	snprintf(path, sizeof(path), "%.3000s/base", state);
	if ((mkdir(state, 0755) && errno != EEXIST) || (mkdir(path, 0755) && errno != EEXIST))
		log_warn("cannot make %s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%.3000s/base/%s-%s.json", state, c->name, c->version);
	snprintf(draft, sizeof(draft), "%.3000s/base/.%s-%s.%d", state, c->name, c->version,
		 getpid());
	err = json_write(draft, doc);
	if (!err && rename(draft, path)) {
		err = -errno;
		log_error("cannot write %s: %s", path, strerror(errno));
		unlink(draft);
	}
	cJSON_Delete(doc);
	if (!err)
		printf("%s %s, %u starts: %zu calls, %zu with no-new-privileges; kept in %s\n",
		       c->name, c->version, c->starts, c->calls[BASE_PLAIN].nr,
		       c->calls[BASE_NNP].nr, path);
	return err;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path) && errno != ENOENT ? -1 : 0;
}

static void clean(struct calibration *c)
{
	/* FTW_MOUNT: should a container's mount have stayed, what is in it is not ours */
	if (c->dir[0] && nftw(c->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT))
		log_warn("cannot remove all of %s: %s", c->dir, strerror(errno));
	for (int mode = 0; mode < MODES; mode++)
		fact_set_free(&c->calls[mode]);
}

int cmd_calibrate(int argc, char **argv)
{
	struct calibration c = {};
	struct options o;
	int err = options_parse(&o, OPT_CALIBRATE, argc, argv);

	if (err)
		return err > 0 ? EXIT_OK : EXIT_USAGE;
	c.runtime = o.nr_operands ? o.operands[0] : "runc";
	c.starts = o.starts;
	err = ask_version(&c);
	if (!err)
		err = make_places(&c);
	if (!err)
		err = record(&c);
	if (!err)
		err = take_reports(&c);
	if (!err)
		err = keep(&c, o.state ? o.state : BASE_SET_DIR);
	clean(&c);
	return err || fflush(stdout) ? EXIT_FAIL : EXIT_OK;
}
