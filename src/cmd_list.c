// SPDX-License-Identifier: MIT
/* ebpfmon list: events, containers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "buf.h"
#include "clock.h"
#include "commands.h"
#include "container/processes.h"
#include "container/table.h"
#include "events_doc.h"
#include "log.h"
#include "report/report_container.h"
#include "report/text_out.h"
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

struct row {
	const struct container *c;
	struct container_processes processes;
	char pod[600];
};

struct rows {
	struct row *v;
	unsigned int nr;
	char *mount;
	bool no_memory;
};

static int add_row(struct container *c, void *arg)
{
	struct rows *rows = arg;
	const struct container_info *info = &c->info;
	struct row *more, *r;

	if (!c->known)
		return 0;
	more = realloc(rows->v, (rows->nr + 1) * sizeof(*more));
	if (!more) {
		rows->no_memory = true;
		return -1;
	}
	rows->v = more;
	r = &more[rows->nr++];
	*r = (struct row){.c = c};
	if (info->pod_name || info->pod_uid)
		snprintf(r->pod, sizeof(r->pod), "%.250s%s%.250s",
			 info->pod_namespace && info->pod_name ? info->pod_namespace : "",
			 info->pod_namespace && info->pod_name ? "/" : "",
			 info->pod_name ? info->pod_name : info->pod_uid);
	container_processes_read(rows->mount, c->cgroup_path, &r->processes);
	if (!r->processes.nr) /* what somebody left behind, or has not begun yet */
		rows->nr--;
	return 0;
}

static void since_text(const struct row *r, __s64 boot_to_wall, char *out, size_t size)
{
	time_t t = (time_t)((r->processes.since + (__u64)boot_to_wall) / 1000000000);
	struct tm tm;

	snprintf(out, size, "-");
	if (r->processes.first && localtime_r(&t, &tm))
		strftime(out, size, "%F %T", &tm);
}

static const char *const headings[] = {"CONTAINER ID", "NAME",	    "IMAGE", "RUNTIME",
				       "POD",	       "PROCESSES", "SINCE"};

enum { COLUMNS = 7 };

/* Its values as bytes; numbers go to @number and @since. */
static void values_of(const struct row *r, __s64 boot_to_wall, const char *v[COLUMNS],
		      char number[16], char since[32])
{
	const struct container *c = r->c;

	snprintf(number, 16, "%u", r->processes.nr);
	since_text(r, boot_to_wall, since, 32);
	v[0] = c->short_id[0] ? c->short_id : c->id;
	v[1] = c->info.name ? c->info.name : "-";
	v[2] = c->info.image ? c->info.image : "-";
	v[3] = c->runtime ? c->runtime : "-";
	v[4] = r->pod[0] ? r->pod : "-";
	v[5] = number;
	v[6] = since;
}

/* Names are anybody's: first what is no text is made text, then what would move the cursor. */
static void put_column(struct text_out *t, const char *s, unsigned int max)
{
	struct buf text = {};

	value_bytes(&text, s, strlen(s), FORM_TEXT);
	text_put(t, text.data, max);
	if (text.err)
		t->err = text.err;
	buf_free(&text);
}

/* As wide as what is in it, and cut where it would push the others off the screen. */
static int show_text(const struct rows *rows, __s64 boot_to_wall)
{
	static const unsigned int widest[COLUMNS] = {24, 40, 48, 20, 40, 9, 19};
	unsigned int width[COLUMNS], col;
	struct text_out t = {.out = stdout, .width = 4096};
	const char *v[COLUMNS];
	char number[16], since[32];

	for (int k = 0; k < COLUMNS; k++)
		width[k] = (unsigned int)strlen(headings[k]);
	for (unsigned int i = 0; i < rows->nr; i++) {
		values_of(&rows->v[i], boot_to_wall, v, number, since);
		for (int k = 0; k < COLUMNS; k++) {
			/* escapes make it longer: measured as it is written */
			struct text_out measure = {.width = 4096};

			put_column(&measure, v[k], widest[k]);
			if (measure.col > width[k])
				width[k] = measure.col;
			buf_free(&measure.line);
		}
	}
	for (unsigned int i = 0; i <= rows->nr; i++) {
		if (i)
			values_of(&rows->v[i - 1], boot_to_wall, v, number, since);
		col = 0;
		for (int k = 0; k < COLUMNS; k++) {
			text_pad(&t, col);
			put_column(&t, i ? v[k] : headings[k], width[k]);
			col += width[k] + 2;
		}
		text_end(&t);
	}
	buf_free(&t.line);
	return t.err;
}

/* The same as a report's "container", and what runs in it now. */
static int show_json(const struct rows *rows, __s64 boot_to_wall)
{
	struct jw j = {.fd = STDOUT_FILENO};
	int err;

	jw_array(&j, NULL, JSON_LINES);
	for (unsigned int i = 0; i < rows->nr; i++) {
		const struct row *r = &rows->v[i];

		jw_object(&j, NULL, JSON_LINES);
		report_container_json(&j, r->c, boot_to_wall);
		jw_u64(&j, "processes", r->processes.nr);
		if (r->processes.first)
			jw_time(&j, "since", r->processes.since + (__u64)boot_to_wall);
		jw_end(&j);
	}
	jw_end(&j);
	err = jw_finish(&j);
	jw_free(&j);
	return err;
}

static int list_containers(enum list_format format)
{
	struct container_select all = {};
	struct container_table *t = container_table_new(&all);
	struct rows rows = {.mount = cgroup_mount()};
	__s64 boot_to_wall = clock_boot_to_wall();
	int err = t ? container_table_scan(t, clock_ns(CLOCK_BOOTTIME)) : -ENOMEM;

	if (!err)
		container_table_each(t, add_row, &rows);
	if (rows.no_memory)
		err = -ENOMEM;
	if (err)
		log_error("cannot read the cgroup hierarchy: %s", strerror(-err));
	else if (format == LIST_JSON)
		err = show_json(&rows, boot_to_wall);
	else
		err = show_text(&rows, boot_to_wall);
	if (!err && fflush(stdout))
		err = -errno;
	free(rows.v);
	free(rows.mount);
	container_table_free(t);
	return err && err != -EPIPE ? EXIT_FAIL : EXIT_OK;
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
	if (!strcmp(argv[1], "containers") && format == LIST_MARKDOWN) {
		log_error("list containers: '%s' is neither text nor json", argv[3]);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "containers"))
		return list_containers(format);
	log_error("list: '%s' is neither events nor containers", argv[1]);
	return EXIT_USAGE;
}
