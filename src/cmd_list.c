// SPDX-License-Identifier: MIT
/* ebpfmon list: events, containers. */
#include <cjson/cJSON.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "buf.h"
#include "commands.h"
#include "container/table.h"
#include "events_doc.h"
#include "log.h"
#include "value.h"

enum list_format { LIST_TEXT, LIST_JSON, LIST_MARKDOWN };

static int put(struct buf *b)
{
	bool ok = !b->err && fwrite(b->data, 1, b->len, stdout) == b->len && fflush(stdout) == 0;

	buf_free(b);
	return ok ? EXIT_OK : EXIT_FAIL;
}

static int list_events(enum list_format format)
{
	struct buf b = {};

	if (format == LIST_MARKDOWN)
		events_doc_markdown(&b);
	else
		events_list(&b, format == LIST_JSON);
	return put(&b);
}

/* ---- containers ---- */

struct facts {
	unsigned int processes;
	time_t since;
};

/* Processes of the cgroup and all below it. */
static unsigned int count_processes(const char *dir, int depth)
{
	char path[8192], line[64];
	unsigned int n = 0;
	struct dirent *e;
	FILE *f;
	DIR *d;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		n++;
	if (f)
		fclose(f);
	d = depth < 16 ? opendir(dir) : NULL;
	while (d && (e = readdir(d))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		n += count_processes(path, depth + 1);
	}
	if (d)
		closedir(d);
	return n;
}

static struct facts facts_of(const struct container *c)
{
	char *mount = cgroup_mount(), path[8192];
	struct facts f = {};
	struct stat st;

	if (!mount)
		return f;
	snprintf(path, sizeof(path), "%s%s", mount, c->cgroup_path);
	free(mount);
	f.processes = count_processes(path, 0);
	if (stat(path, &st) == 0)
		f.since = st.st_mtime;
	return f;
}

/* A column of a name that may come from a container: escaped, cut to what fits. */
static void column(struct buf *b, const char *s, int width)
{
	struct buf safe = {};

	value_json_bytes(&safe, s ? s : "-", s ? strlen(s) : 1);
	buf_printf(b, "%-*.*s ", width, width, safe.data ? safe.data : "-");
	buf_free(&safe);
}

static int text_row(struct container *c, void *arg)
{
	struct facts f = facts_of(c);
	struct buf *b = arg;
	char since[32] = "-";
	struct tm tm;

	if (f.since && localtime_r(&f.since, &tm))
		strftime(since, sizeof(since), "%F %T", &tm);
	column(b, c->id, 12);
	column(b, c->info.name, 24);
	column(b, c->info.image, 24);
	column(b, c->runtime, 12);
	column(b, c->info.pod_name, 20);
	buf_printf(b, "%9u %s\n", f.processes, since);
	return 0;
}

static void set_string(cJSON *o, const char *key, const char *s)
{
	struct buf safe = {};

	if (!s)
		return;
	value_json_bytes(&safe, s, strlen(s));
	/* already escaped as the inside of a JSON string */
	buf_printf(&safe, "\"");
	if (safe.data) {
		struct buf raw = {};

		buf_printf(&raw, "\"%s", safe.data);
		if (raw.data)
			cJSON_AddRawToObject(o, key, raw.data);
		buf_free(&raw);
	}
	buf_free(&safe);
}

static int json_row(struct container *c, void *arg)
{
	struct facts f = facts_of(c);
	cJSON *o = cJSON_CreateObject();

	if (!o)
		return -1;
	set_string(o, "id", c->id);
	set_string(o, "name", c->info.name);
	set_string(o, "image", c->info.image);
	set_string(o, "runtime", c->runtime);
	set_string(o, "pod", c->info.pod_name);
	set_string(o, "namespace", c->info.pod_namespace);
	set_string(o, "cgroup", c->cgroup_path);
	cJSON_AddNumberToObject(o, "processes", f.processes);
	cJSON_AddNumberToObject(o, "since", (double)f.since);
	cJSON_AddItemToArray(arg, o);
	return 0;
}

static int list_containers(enum list_format format)
{
	struct container_select all = {};
	struct container_table *t = container_table_new(&all);
	struct buf b = {};
	cJSON *rows = cJSON_CreateArray();
	int err = t && rows ? container_table_scan(t, 0) : -1;

	if (err) {
		log_error("cannot read the cgroup v2 hierarchy: %s",
			  err == -1 ? "out of memory" : strerror(-err));
	} else if (format == LIST_JSON) {
		char *text = NULL;

		container_table_each(t, json_row, rows);
		text = cJSON_Print(rows);
		if (text)
			buf_printf(&b, "%s\n", text);
		cJSON_free(text);
	} else {
		buf_printf(&b, "%-12s %-24s %-24s %-12s %-20s %9s %s\n", "CONTAINER ID", "NAME",
			   "IMAGE", "RUNTIME", "POD", "PROCESSES", "SINCE");
		container_table_each(t, text_row, &b);
	}
	cJSON_Delete(rows);
	container_table_free(t);
	return err ? EXIT_FAIL : put(&b);
}

static int usage(FILE *out, int status)
{
	fprintf(out, "Usage: ebpfmon list events [-f text|json|markdown]\n"
		     "       ebpfmon list containers [-f text|json]\n");
	return status;
}

int cmd_list(int argc, char **argv)
{
	static const char *const formats[] = {"text", "json", "markdown"};
	enum list_format format = LIST_TEXT;

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
		return usage(stdout, EXIT_OK);
	if (argc == 4 && !strcmp(argv[2], "-f")) {
		while (format <= LIST_MARKDOWN && strcmp(argv[3], formats[format]))
			format++;
		if (format > LIST_MARKDOWN) {
			log_error("list: '%s' is none of text, json, markdown", argv[3]);
			return EXIT_USAGE;
		}
	} else if (argc != 2) {
		return usage(stderr, EXIT_USAGE);
	}
	if (!strcmp(argv[1], "events"))
		return list_events(format);
	if (!strcmp(argv[1], "containers"))
		return list_containers(format);
	log_error("list: '%s' is neither events nor containers", argv[1]);
	return EXIT_USAGE;
}
