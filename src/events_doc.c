// SPDX-License-Identifier: MIT
#include <string.h>
#include "columns.h"
#include "events_doc.h"

/* What the same thing is called elsewhere. OpenTelemetry's names are ours where it has one; ECS differs in these. */
static const struct {
	const char *key, *otel, *ecs;
} mapping[] = {
	{"time", "Timestamp", "@timestamp"},
	{"event", "EventName", "event.action"},
	{"container.id", "container.id", "container.id"},
	{"container.name", "container.name", "container.name"},
	{"container.image.name", "container.image.name", "container.image.name"},
	{"container.runtime.name", "container.runtime.name", "container.runtime"},
	{"process.pid", "process.pid", "process.pid"},
	{"process.tid", "thread.id", "process.thread.id"},
	{"process.vpid", "process.vpid", ""},
	{"process.parent_pid", "process.parent_pid", "process.parent.pid"},
	{"process.user.id", "process.real_user.id", "process.real_user.id"},
	{"process.group.id", "", "process.real_group.id"},
	{"process.effective_user.id", "process.user.id", "process.user.id"},
	{"process.comm", "thread.name", "process.thread.name"},
	{"process.executable.path", "process.executable.path", "process.executable"},
	{"process.command_args", "process.command_args", "process.args"},
	{"process.working_directory", "process.working_directory", "process.working_directory"},
	{"process.exit.code", "process.exit.code", "process.exit_code"},
	{"process.child.creation.time", "process.creation.time", "process.start"},
	{"file.path", "file.path", "file.path"},
	{"file.inode", "file.inode", "file.inode"},
	{"file.mode", "file.mode", "file.mode"},
	{"file.size", "file.size", "file.size"},
	{"network.type", "network.type", "network.type"},
	{"network.local.address", "network.local.address",
	 "source.ip (outgoing), destination.ip (incoming)"},
	{"network.local.port", "network.local.port", "source.port, destination.port"},
	{"network.peer.address", "network.peer.address",
	 "destination.ip (outgoing), source.ip (incoming)"},
	{"network.peer.port", "network.peer.port", "destination.port, source.port"},
	{"error", "error.type", "error.code"},
};

static void markdown_row(struct buf *b, const struct column *c)
{
	const char *otel = "", *ecs = "";

	for (size_t i = 0; i < sizeof(mapping) / sizeof(mapping[0]); i++)
		if (!strcmp(mapping[i].key, c->key)) {
			otel = mapping[i].otel;
			ecs = mapping[i].ecs;
		}
	buf_printf(b, "| `%s` | %s | %s | %s | %s |\n", c->key, c->type, c->doc, otel, ecs);
}

static void markdown_head(struct buf *b)
{
	buf_str(b, "\n| field | type | meaning | OpenTelemetry | ECS |\n|---|---|---|---|---|\n");
}

static void markdown_types(struct buf *b)
{
	buf_str(b, "\n## Types\n\n| type | holds |\n|---|---|\n");
	for (int i = 0; i < FT__MAX; i++)
		buf_printf(b, "| %s | %s |\n", type_descs[i].name, type_descs[i].doc);
}

void events_doc_markdown(struct buf *b)
{
	const struct columns *any = columns_of(EV_container_start);

	buf_str(b,
		"# Events\n\nMade from the declarations in `include/events/` by `make docs`; do not edit.\n\n"
		"Keys are dotted here, in CSV and in rules; in JSON they nest: `file.path` is `.file.path` to jq.\n"
		"A field that has no value is left out. Strings are UTF-8; a byte that is not is shown as the\n"
		"character U+F700 + byte, and so is each byte of a character U+F700 to U+F7FF that was there, so that\n"
		"the way back is exact. Control characters are escaped, as `\\u001b`, and so are the marks that\n"
		"reverse or hide text on a terminal.\n\n"
		"In CSV, a file per event, an absent value is an empty cell and an empty set is `-`; sets are joined\n"
		"by `|`, and a command line is quoted as a shell reads it. Text is escaped as in JSON but for `\"`, which\n"
		"RFC 4180 doubles. Cells are what the container wrote: a spreadsheet may take one that begins with `=`,\n"
		"`+`, `-` or `@` for a formula, so import the columns as text.\n\n## Every event\n");
	markdown_head(b);
	for (unsigned int i = 0; i < any->nr; i++)
		if (!any->col[i].field)
			markdown_row(b, &any->col[i]);
	for (int sub = 0; sub < EVS__MAX; sub++) {
		buf_printf(b, "\n## %s: %s\n", subsystem_names[sub], subsystem_docs[sub]);
		for (int type = 0; type < EV__MAX; type++) {
			const struct columns *cols = columns_of(type);

			if (event_descs[type].sub != sub)
				continue;
			buf_printf(
				b, "\n### %s\n\n%s%s\n", event_descs[type].name,
				event_descs[type].doc,
				event_descs[type].counter
					? " Summed in the kernel; reported when the process ends, or the recording."
					: "");
			markdown_head(b);
			for (unsigned int i = 0; i < cols->nr; i++)
				if (cols->col[i].field)
					markdown_row(b, &cols->col[i]);
		}
	}
	markdown_types(b);
}

static void json_string(struct buf *b, const char *key, const char *s)
{
	buf_printf(b, "\"%s\":\"", key);
	value_json_bytes(b, s, strlen(s));
	buf_char(b, '"');
}

static void json_event(struct buf *b, int type)
{
	const struct columns *cols = columns_of(type);

	buf_str(b, type ? ",\n " : "\n ");
	buf_char(b, '{');
	json_string(b, "name", event_descs[type].name);
	buf_char(b, ',');
	json_string(b, "doc", event_descs[type].doc);
	buf_printf(b, ",\"counter\":%s,\"fields\":[", event_descs[type].counter ? "true" : "false");
	for (unsigned int i = 0; i < cols->nr; i++) {
		buf_str(b, i ? ",{" : "{");
		json_string(b, "key", cols->col[i].key);
		buf_char(b, ',');
		json_string(b, "type", cols->col[i].type);
		buf_char(b, ',');
		json_string(b, "doc", cols->col[i].doc);
		buf_char(b, '}');
	}
	buf_str(b, "]}");
}

void events_list(struct buf *b, bool json)
{
	if (json)
		buf_char(b, '[');
	for (int type = 0; type < EV__MAX; type++) {
		if (json)
			json_event(b, type);
		else
			buf_printf(b, "%-26s %s\n", event_descs[type].name, event_descs[type].doc);
	}
	if (json)
		buf_str(b, "\n]\n");
}
