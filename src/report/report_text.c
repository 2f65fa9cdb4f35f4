// SPDX-License-Identifier: MIT
/* A report as text: who, how long, what ran, what it did, what is missing. Made from the JSON alone. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "report/report.h"
#include "report/text_out.h"

#define WIDTH	    100
#define ID_HEX	    64 /* digits of an id, of which people know the first 12 */
#define ACTS	    4 /* rows of failed execs, and of changes of credentials and namespaces */
#define LIST	    12 /* rows of a list that are shown; the rest is counted */
#define TREE_ROWS   40
#define TREE_INDENT 24 /* deeper is not indented further */
#define LABEL	    11

static const cJSON *get(const cJSON *o, const char *path)
{
	char key[64];

	/* "files.total.opens": one level after the other */
	while (o && *path) {
		size_t n = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		o = cJSON_GetObjectItemCaseSensitive(o, key);
		path += n + (path[n] == '.');
	}
	return o;
}

static double number(const cJSON *o, const char *path)
{
	const cJSON *v = get(o, path);

	return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static const char *string(const cJSON *o, const char *path)
{
	return cJSON_GetStringValue(get(o, path));
}

static bool is_true(const cJSON *o, const char *path)
{
	return cJSON_IsTrue(get(o, path));
}

static void heading(struct text_out *t, const char *label)
{
	text_end(t);
	text_add(t, "%s", label);
	text_pad(t, LABEL);
}

static void more(struct text_out *t, int shown, int all)
{
	char s[32];

	if (all <= shown)
		return;
	text_pad(t, 2);
	text_add(t, "… and %s more", text_count(s, all - shown));
	text_end(t);
}

static void count_of(struct text_out *t, double n, const char *one, const char *many)
{
	char s[32];

	text_add(t, "%s %s", text_count(s, n), n == 1 ? one : many);
}

static void head_text(struct text_out *t, const cJSON *doc)
{
	const char *name = string(doc, "container.name"), *id = string(doc, "container.id");
	const char *image = string(doc, "container.image.name");

	text_put(t, name ? name : id, 40);
	if (name && id) {
		text_add(t, "  ");
		text_put(t, id, strlen(id) == ID_HEX ? 13 : 40);
	}
	text_add(t, "  ");
	text_put(t, string(doc, "container.runtime"), 16);
	if (image) {
		text_add(t, "  ");
		text_put(t, image, 0);
	}
	text_end(t);
}

static void life_text(struct text_out *t, const cJSON *doc)
{
	const cJSON *exit = get(doc, "container.exit_code");
	const cJSON *why;
	char s[32];

	text_add(t, "recorded for %s on ", text_ns(s, number(doc, "recording.duration")));
	text_put(t, string(doc, "host.hostname"), 30);
	text_add(t, " (Linux ");
	text_put(t, string(doc, "host.kernel"), 30);
	text_add(t, "); ");
	if (cJSON_IsNumber(exit)) {
		const char *sig = string(doc, "container.exit_signal");

		text_add(t, "ended with ");
		if (sig)
			text_put(t, sig, 12);
		else
			text_add(t, "exit code %.0f", exit->valuedouble);
	} else {
		text_add(t, "still running");
	}
	text_end(t);
	if (is_true(doc, "recording.complete")) {
		text_add(t, "complete: from its first instruction to its end, nothing lost");
	} else {
		text_add(t, "partial:");
		cJSON_ArrayForEach(why, get(doc, "recording.partial"))
		{
			text_add(t, " ");
			text_put(t, cJSON_GetStringValue(why), 30);
		}
	}
	text_end(t);
}

struct tree {
	struct text_out *t;
	int rows, all;
};

static void args_text(struct text_out *t, const cJSON *p)
{
	const cJSON *a, *args = get(p, "args");

	if (!cJSON_GetArraySize(args)) {
		text_put(t, string(p, "exe") ? string(p, "exe") : string(p, "comm"), 0);
		return;
	}
	cJSON_ArrayForEach(a, args)
	{
		const char *s = cJSON_GetStringValue(a);

		text_add(t, "%s", a == args->child || t->col >= t->width ? "" : " ");
		if (s && (!*s || strpbrk(s, " \"'\\\n\t|&;<>$`"))) {
			text_add(t, "'");
			text_put(t, s, 0);
			if (t->col < t->width)
				text_add(t, "'");
		} else {
			text_put(t, s, 0);
		}
	}
}

static void exit_text(struct text_out *t, const cJSON *p)
{
	const cJSON *code = get(p, "exit_code");
	const char *sig = string(p, "exit_signal");
	char s[32];

	if (!cJSON_IsNumber(code)) {
		text_add(t, string(p, "left")	   ? "moved away"
			    : is_true(p, "zombie") ? "zombie"
						   : "running");
		return;
	}
	/* the scheduler accounts by ticks and switches: whoever ran in between is not nothing */
	text_add(t, "%8s  ", number(p, "cpu_time") ? text_ns(s, number(p, "cpu_time")) : "<10 ms");
	if (sig)
		text_put(t, sig, 10);
	else
		text_add(t, "exit %.0f", code->valuedouble);
}

/* Did an "exec" bring it in, other than by descent? */
static bool begins_session(const cJSON *p)
{
	const cJSON *first = get(p, "exec_session.process");

	return cJSON_IsNumber(first) && first->valuedouble == number(p, "id");
}

static void tree_text(struct tree *tr, const cJSON *p, unsigned int indent)
{
	struct text_out *t = tr->t;
	unsigned int width = t->width;
	const cJSON *child;

	if (is_true(p, "setup"))
		goto children;
	tr->all++;
	if (tr->rows < TREE_ROWS) {
		tr->rows++;
		text_pad(t, 2 + (indent < TREE_INDENT ? indent : TREE_INDENT));
		text_add(t, "%s%.0f ", begins_session(p) ? "[exec] " : "", number(p, "vpid"));
		t->width = width - 22;
		args_text(t, p);
		text_pad(t, width - 20);
		t->width = width;
		exit_text(t, p);
		text_end(t);
	}
	indent += 2;
children:
	cJSON_ArrayForEach(child, get(p, "children")) tree_text(tr, child, indent);
}

/* What processes did to be something else, or could not. */
static void acts_text(struct text_out *t, const cJSON *doc)
{
	static const struct {
		const char *path, *label, *what;
	} lists[] = {
		{"processes.exec_failed", "exec failed", "filename"},
		{"processes.credentials", "credentials", "op"},
		{"processes.namespaces", "namespaces", "op"},
	};
	const cJSON *e, *flag;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		int nr = 0;

		cJSON_ArrayForEach(e, get(doc, lists[i].path))
		{
			if (nr++ >= ACTS)
				continue;
			text_pad(t, 2);
			text_add(t, "%s", lists[i].label);
			text_pad(t, 16);
			text_put(t, string(e, "comm"), 15);
			text_add(t, " ");
			text_put(t, string(e, lists[i].what), 50);
			if (cJSON_IsNumber(get(e, "euid")))
				text_add(t, " -> uid %.0f, gid %.0f", number(e, "euid"),
					 number(e, "egid"));
			cJSON_ArrayForEach(flag, get(e, "flags"))
			{
				text_add(t, " ");
				text_put(t, cJSON_GetStringValue(flag), 20);
			}
			text_put(t, string(e, "error") ? " " : NULL, 0);
			text_put(t, string(e, "error"), 16);
			if (number(e, "count") > 1)
				text_add(t, " ×%.0f", number(e, "count"));
			text_end(t);
		}
		more(t, ACTS, nr);
	}
}

static void process_text(struct text_out *t, const cJSON *doc)
{
	struct tree tr = {.t = t};
	const cJSON *p;

	heading(t, "PROCESSES");
	count_of(t, number(doc, "summary.processes.count"), "process", "processes");
	text_add(t, ", ");
	count_of(t, number(doc, "summary.processes.executables"), "program", "programs");
	if (number(doc, "summary.processes.failed_execs")) {
		text_add(t, ", ");
		count_of(t, number(doc, "summary.processes.failed_execs"), "failed exec",
			 "failed execs");
	}
	text_pad(t, t->width - 20);
	text_add(t, "     CPU  END");
	text_end(t);
	cJSON_ArrayForEach(p, get(doc, "processes.tree")) tree_text(&tr, p, 0);
	more(t, tr.rows, tr.all);
	acts_text(t, doc);
}

static void syscall_text(struct text_out *t, const cJSON *doc)
{
	const cJSON *c;
	char s[32];

	if (!number(doc, "syscalls.count"))
		return;
	heading(t, "SYSCALLS");
	count_of(t, number(doc, "syscalls.count"), "call", "calls");
	text_add(t, " of ");
	count_of(t, number(doc, "syscalls.distinct"), "kind", "kinds");
	text_add(t, ", %s failed", text_count(s, number(doc, "syscalls.errors")));
	text_end(t);
	text_pad(t, 2);
	text_add(t, "most");
	text_pad(t, LABEL);
	cJSON_ArrayForEach(c, get(doc, "summary.syscalls.top"))
	{
		text_put(t, string(c, "name"), 24);
		text_add(t, " %s  ", text_count(s, number(c, "count")));
	}
	text_end(t);
	if (!cJSON_GetArraySize(get(doc, "summary.syscalls.top_errors")))
		return;
	text_pad(t, 2);
	text_add(t, "errors");
	text_pad(t, LABEL);
	cJSON_ArrayForEach(c, get(doc, "summary.syscalls.top_errors"))
	{
		if (t->col + 30 > t->width)
			break;
		text_put(t, string(c, "name"), 24);
		text_add(t, " ");
		text_put(t, string(c, "error"), 16);
		text_add(t, " %s  ", text_count(s, number(c, "count")));
	}
	text_end(t);
}

/* Sums of the files below one directory. */
struct dir_sum {
	char path[128];
	double files, opens, failed, read, written;
};

/* "/usr/lib/x/y.so" -> "/usr/lib": as many directories as a reader can take in. */
static void dir_name(char *out, size_t size, const char *path)
{
	size_t n = 0, last = 0, depth = 0;

	for (n = 0; path[n] && n + 1 < size && depth < 3; n++)
		if (n && path[n] == '/') {
			last = n;
			if (++depth == 2)
				break;
		}
	snprintf(out, size, "%.*s", last ? (int)last : 1, last ? path : "/");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct dir_sum *)a)->path, ((const struct dir_sum *)b)->path);
}

static int by_use(const void *a, const void *b)
{
	const struct dir_sum *x = a, *y = b;
	double dx = x->read + x->written, dy = y->read + y->written;

	if (dx != dy)
		return dx > dy ? -1 : 1;
	if (x->opens + x->failed != y->opens + y->failed)
		return x->opens + x->failed > y->opens + y->failed ? -1 : 1;
	return by_name(a, b);
}

static size_t add_dirs(struct dir_sum *d, size_t nr, const cJSON *list)
{
	const cJSON *f;

	cJSON_ArrayForEach(f, list)
	{
		const char *path = string(f, "path");

		char inside[256];
		bool folded = get(f, "records");

		/* A folded directory stands for files in it. */
		snprintf(inside, sizeof(inside), folded ? "%s/." : "%s", path ? path : "/");
		dir_name(d[nr].path, sizeof(d->path), inside);
		d[nr].files = folded ? 0 : 1;
		d[nr].opens = number(f, "opens");
		d[nr].failed = number(f, "failed");
		d[nr].read = number(f, "read_bytes");
		d[nr].written = number(f, "written_bytes");
		nr++;
	}
	return nr;
}

static size_t merge_dirs(struct dir_sum *d, size_t nr)
{
	size_t to = 0;

	qsort(d, nr, sizeof(*d), by_name);
	for (size_t i = 1; i < nr; i++) {
		if (strcmp(d[to].path, d[i].path)) {
			d[++to] = d[i];
			continue;
		}
		d[to].files += d[i].files;
		d[to].opens += d[i].opens;
		d[to].failed += d[i].failed;
		d[to].read += d[i].read;
		d[to].written += d[i].written;
	}
	nr = nr ? to + 1 : 0;
	qsort(d, nr, sizeof(*d), by_use);
	return nr;
}

static void usage_row(struct text_out *t, const char *name, const char *kind, double opens,
		      double failed, double read, double written)
{
	unsigned int right = t->width - 46;
	char s[32];

	text_pad(t, 2);
	text_put(t, name, right - 14);
	text_pad(t, right - 11);
	text_put(t, kind, 10);
	text_pad(t, right);
	text_add(t, "%10s", text_count(s, opens));
	text_add(t, "%10s", failed ? text_count(s, failed) : "");
	text_add(t, "%12s", text_bytes(s, read));
	text_add(t, "%12s", text_bytes(s, written));
	text_end(t);
}

static void directories_text(struct text_out *t, const cJSON *doc)
{
	const cJSON *list = get(doc, "files.list"), *folded = get(doc, "files.folded.directories");
	size_t all = (size_t)cJSON_GetArraySize(list) + (size_t)cJSON_GetArraySize(folded), nr;
	struct dir_sum *d = all ? calloc(all, sizeof(*d)) : NULL;
	char kind[32], s[24];

	if (!d)
		return;
	nr = merge_dirs(d, add_dirs(d, add_dirs(d, 0, list), folded));
	for (size_t i = 0; i < nr && i < LIST; i++) {
		snprintf(kind, sizeof(kind), "%s file%s", text_count(s, d[i].files),
			 d[i].files == 1 ? "" : "s");
		usage_row(t, d[i].path, kind, d[i].opens, d[i].failed, d[i].read, d[i].written);
	}
	more(t, LIST, (int)nr);
	free(d);
}

static bool same_text(const cJSON *a, const cJSON *b, const char *key)
{
	const char *x = string(a, key), *y = string(b, key);

	return x && y ? !strcmp(x, y) : x == y;
}

/* The part of a change's path that is its directory. */
static size_t directory_len(const cJSON *c)
{
	const char *path = string(c, "path"), *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash - path : 0;
}

/* How many changes from @c on are the same done to files of one directory. */
static int changes_alike(const cJSON *c)
{
	size_t len = directory_len(c);
	int nr = 1;

	for (const cJSON *d = c->next; len && d && !string(c, "target"); d = d->next, nr++)
		if (!same_text(c, d, "event") || !same_text(c, d, "error") || string(d, "target") ||
		    directory_len(d) != len ||
		    strncmp(string(c, "path"), string(d, "path"), len) != 0)
			break;
	return nr;
}

static void change_text(struct text_out *t, const cJSON *c, int alike)
{
	const char *event = string(c, "event"), *dot = event ? strchr(event, '.') : NULL;
	unsigned int width = (t->width - 30) / (string(c, "target") ? 2 : 1);
	char dir[512];

	text_pad(t, 4);
	text_put(t, dot ? dot + 1 : event, 10);
	text_pad(t, 14);
	if (alike > 1) {
		snprintf(dir, sizeof(dir), "%.*s", (int)directory_len(c), string(c, "path"));
		text_add(t, "%d in ", alike);
		text_put(t, dir, width);
	} else {
		text_put(t, string(c, "path"), width);
	}
	if (string(c, "target")) {
		text_add(t, " -> ");
		text_put(t, string(c, "target"), width);
	}
	if (alike == 1 && number(c, "count") > 1)
		text_add(t, " ×%.0f", number(c, "count"));
	if (string(c, "error")) {
		text_add(t, " ");
		text_put(t, string(c, "error"), 16);
	}
	text_end(t);
}

static void changes_text(struct text_out *t, const cJSON *doc)
{
	const cJSON *list = get(doc, "files.changes"), *c = list ? list->child : NULL;
	int rows = 0, shown = 0;

	if (!c)
		return;
	text_pad(t, 2);
	text_add(t, "changes");
	text_end(t);
	while (c && rows++ < LIST) {
		int alike = changes_alike(c);

		alike = alike < 3 ? 1 : alike; /* two lines say more than their sum */
		change_text(t, c, alike);
		shown += alike;
		while (c && alike--)
			c = c->next;
	}
	more(t, shown, cJSON_GetArraySize(list));
}

static void file_text(struct text_out *t, const cJSON *doc)
{
	const cJSON *v;
	char s[32];

	if (!number(doc, "files.listed") && !number(doc, "files.total.opens") &&
	    !cJSON_GetArraySize(get(doc, "files.changes")))
		return;
	heading(t, "FILES");
	count_of(t, number(doc, "files.listed"), "file", "files");
	text_add(t, ", %s read", text_bytes(s, number(doc, "files.total.read_bytes")));
	text_add(t, ", %s written", text_bytes(s, number(doc, "files.total.written_bytes")));
	text_end(t);
	text_pad(t, t->width - 46);
	text_add(t, "%10s%10s%12s%12s", "OPENS", "FAILED", "READ", "WRITTEN");
	text_end(t);
	cJSON_ArrayForEach(v, get(doc, "volumes"))
	{
		const char *mount = string(v, "mount");

		usage_row(t, mount ? mount : "(no mount known)", string(v, "kind"),
			  number(v, "opens"), number(v, "failed"), number(v, "read_bytes"),
			  number(v, "written_bytes"));
	}
	text_add(t, "  by directory");
	text_end(t);
	directories_text(t, doc);
	changes_text(t, doc);
}

static void address_text(struct text_out *t, const char *address, double port)
{
	bool v6 = address && strchr(address, ':');

	text_add(t, v6 ? "[" : "");
	text_put(t, address, 46);
	text_add(t, "%s:%.0f", v6 ? "]" : "", port);
}

static void connection_text(struct text_out *t, const cJSON *c)
{
	const char *direction = string(c, "direction"), *err = string(c, "connect_error");
	bool in = direction && !strcmp(direction, "in");
	char s[32];

	text_pad(t, 2);
	text_put(t, string(c, "comm"), 15);
	text_pad(t, 18);
	text_add(t, in ? "<- " : "-> ");
	address_text(t, string(c, "peer.address"), number(c, "peer.port"));
	if (in)
		text_add(t, " on %.0f", number(c, "local.port"));
	if (string(c, "peer_end.container.name") && !is_true(c, "peer_end.same_container")) {
		text_add(t, " ");
		text_put(t, string(c, "peer_end.container.name"), 16);
	}
	text_add(t, "  ");
	if (err) {
		text_put(t, err, 16);
		if (number(c, "count") > 1)
			text_add(t, " ×%.0f", number(c, "count"));
	} else {
		text_add(t, "sent %s", text_bytes(s, number(c, "sent_bytes")));
		text_add(t, ", received %s", text_bytes(s, number(c, "received_bytes")));
		if (number(c, "rtt"))
			text_add(t, ", rtt %s", text_ns(s, number(c, "rtt")));
		if (number(c, "retransmits"))
			text_add(t, ", %.0f sent again", number(c, "retransmits"));
	}
	text_end(t);
}

static void udp_text(struct text_out *t, const cJSON *doc)
{
	const cJSON *u;
	int nr = 0;
	char s[32];

	cJSON_ArrayForEach(u, get(doc, "udp.peers"))
	{
		if (nr++ >= LIST)
			continue;
		text_pad(t, 2);
		text_put(t, string(u, "comm"), 15);
		text_pad(t, 18);
		text_add(t, "udp ");
		address_text(t, string(u, "peer_addr"), number(u, "peer_port"));
		text_add(t, "  sent %s", text_bytes(s, number(u, "sent")));
		text_add(t, ", received %s", text_bytes(s, number(u, "received")));
		text_end(t);
	}
	more(t, LIST, nr);
}

static void network_text(struct text_out *t, const cJSON *doc)
{
	const cJSON *c, *listeners = get(doc, "tcp.listeners");
	int nr = 0;

	if (!number(doc, "tcp.listed") && !cJSON_GetArraySize(listeners) &&
	    !cJSON_GetArraySize(get(doc, "udp.peers")))
		return;
	heading(t, "NETWORK");
	text_add(t, "%.0f out, %.0f in, %.0f failed", number(doc, "tcp.total.opened"),
		 number(doc, "tcp.total.accepted"), number(doc, "tcp.total.failed"));
	text_end(t);
	cJSON_ArrayForEach(c, listeners)
	{
		if (nr++ >= LIST)
			break;
		text_pad(t, 2);
		text_put(t, string(c, "comm"), 15);
		text_pad(t, 18);
		text_add(t, "listens on ");
		address_text(t, string(c, "local_addr"), number(c, "local_port"));
		text_end(t);
	}
	nr = 0;
	cJSON_ArrayForEach(c, get(doc, "tcp.connections"))
	{
		if (nr++ < LIST)
			connection_text(t, c);
	}
	more(t, LIST, nr);
	udp_text(t, doc);
}

#define USERS 3

/* Whose it is, by name: "sh,perl ×3". */
static void users_text(struct text_out *t, const cJSON *list)
{
	const char *shown[USERS];
	const cJSON *u, *v;
	int nr = 0;

	cJSON_ArrayForEach(u, list)
	{
		const char *comm = string(u, "comm") ? string(u, "comm") : "?";
		int i = 0, alike = 0;

		while (i < nr && strcmp(shown[i], comm) != 0)
			i++;
		if (i < nr)
			continue;
		if (nr == USERS) {
			text_add(t, ",…");
			break;
		}
		shown[nr++] = comm;
		for (v = u; v; v = v->next)
			alike += string(v, "comm") && !strcmp(string(v, "comm"), comm);
		text_add(t, nr > 1 ? "," : "");
		text_put(t, comm, 15);
		if (alike > 1)
			text_add(t, " ×%d", alike);
	}
	if (!nr)
		text_add(t, "?");
}

static double sum_of(const cJSON *list, const char *key)
{
	const cJSON *u;
	double sum = 0;

	cJSON_ArrayForEach(u, list) sum += number(u, key);
	return sum;
}

static void pipe_text(struct text_out *t, const cJSON *p)
{
	char s[32];

	text_pad(t, 2);
	text_put(t, string(p, "type"), 14);
	text_pad(t, 18);
	users_text(t, get(p, "writers"));
	text_add(t, " -> ");
	users_text(t, get(p, "readers"));
	text_add(t, "  %s", text_bytes(s, sum_of(get(p, "writers"), "written_bytes")));
	text_put(t, string(p, "name") ? "  " : NULL, 0);
	text_put(t, string(p, "name"), 0);
}

static void unix_text(struct text_out *t, const cJSON *c)
{
	const cJSON *a = cJSON_GetArrayItem(get(c, "ends"), 0);
	const cJSON *b = cJSON_GetArrayItem(get(c, "ends"), 1);
	const char *name = string(a, "name") ? string(a, "name") : string(b, "name");
	char s[32];

	text_pad(t, 2);
	text_put(t, string(c, "type"), 15);
	text_pad(t, 18);
	users_text(t, get(a, "users"));
	text_add(t, " - ");
	users_text(t, get(b, "users"));
	text_add(t, "  %s", text_bytes(s, sum_of(get(a, "users"), "written_bytes")));
	text_add(t, " / %s", text_bytes(s, sum_of(get(a, "users"), "read_bytes")));
	text_put(t, name ? "  " : NULL, 0);
	text_put(t, name, 0);
}

/* An eventfd, a POSIX message queue: those who use it are writers and readers alike. */
static void other_text(struct text_out *t, const cJSON *o)
{
	const cJSON *users = get(o, "users");
	char s[32];

	text_pad(t, 2);
	text_put(t, string(o, "type"), 15);
	text_pad(t, 18);
	users_text(t, users);
	text_add(t, "  %s written", text_bytes(s, sum_of(users, "written_bytes")));
	text_add(t, ", %s read", text_bytes(s, sum_of(users, "read_bytes")));
	text_put(t, string(o, "name") ? "  " : NULL, 0);
	text_put(t, string(o, "name"), 0);
}

/* A unix socket that nobody answered. */
static void refused_text(struct text_out *t, const cJSON *e)
{
	text_pad(t, 2);
	text_put(t, string(e, "kind"), 15);
	text_pad(t, 18);
	text_put(t, string(e, "comm"), 15);
	text_add(t, " -> ");
	text_put(t, string(e, "name"), 40);
	text_add(t, "  ");
	text_put(t, string(e, "error"), 16);
	if (number(e, "count") > 1)
		text_add(t, " ×%.0f", number(e, "count"));
}

static void signal_text(struct text_out *t, const cJSON *e)
{
	text_pad(t, 2);
	text_put(t, string(e, "sig"), 15);
	text_pad(t, 18);
	text_put(t, string(e, "comm"), 15);
	text_add(t, " -> ");
	text_put(t, string(e, "target_comm"), 15);
	if (number(e, "count") > 1)
		text_add(t, " ×%.0f", number(e, "count"));
	if (is_true(e, "crosses"))
		text_add(t, "  across the container's boundary");
}

/* That children end is in the tree already. */
static bool is_noise(const cJSON *e)
{
	const char *sig = string(e, "sig");

	return sig && !strcmp(sig, "SIGCHLD") && !is_true(e, "crosses");
}

static void sysv_text(struct text_out *t, const cJSON *e)
{
	char s[32];

	text_pad(t, 2);
	text_put(t, string(e, "op") ? string(e, "op") : string(e, "request"), 17);
	text_pad(t, 18);
	text_put(t, string(e, "comm"), 15);
	if (get(e, "target_pid"))
		text_add(t, " -> %.0f", number(e, "target_pid"));
	if (number(e, "count") > 1)
		text_add(t, " ×%.0f", number(e, "count"));
	if (number(e, "bytes"))
		text_add(t, "  %s", text_bytes(s, number(e, "bytes")));
	text_put(t, string(e, "error") ? "  " : NULL, 0);
	text_put(t, string(e, "error"), 16);
}

/* Rows of which several in a row may say the same: that is one line, and how often. */
struct alike {
	struct buf last;
	int count;
};

static void alike_flush(struct text_out *t, struct alike *a)
{
	if (a->count) {
		buf_add(&t->line, a->last.data, a->last.len);
		if (a->count > 1)
			text_add(t, "  (%d times)", a->count);
		text_end(t);
	}
	buf_reset(&a->last);
	a->count = 0;
}

/* Takes the line that was just made; whether it was one more like the last. */
static bool alike_take(struct text_out *t, struct alike *a)
{
	bool same = a->count && a->last.len == t->line.len &&
		    !memcmp(a->last.data, t->line.data, a->last.len);
	struct buf made = t->line;

	t->line = (struct buf){};
	if (!same) {
		alike_flush(t, a);
		buf_add(&a->last, made.data, made.len);
	}
	a->count++;
	buf_free(&made);
	t->col = 0;
	return same;
}

/* At most LIST lines of one list. */
static void ipc_list(struct text_out *t, const cJSON *list,
		     void (*row)(struct text_out *t, const cJSON *e), bool *begun)
{
	struct alike alike = {};
	int lines = 0, all = 0, shown = 0;
	const cJSON *e;

	cJSON_ArrayForEach(e, list)
	{
		if (is_noise(e))
			continue;
		if (!*begun) {
			heading(t, "IPC");
			text_end(t);
		}
		*begun = true;
		all++;
		if (lines > LIST)
			continue;
		row(t, e);
		lines += !alike_take(t, &alike);
		if (lines <= LIST) {
			shown++;
		} else { /* one too many */
			buf_reset(&alike.last);
			alike.count = 0;
		}
	}
	alike_flush(t, &alike);
	buf_free(&alike.last);
	more(t, shown, all);
}

static void ipc_text(struct text_out *t, const cJSON *doc)
{
	static const struct {
		const char *path;
		void (*row)(struct text_out *t, const cJSON *e);
	} lists[] = {
		{"ipc.pipes", pipe_text},
		{"ipc.unix", unix_text},
		{"ipc.failed_connects", refused_text},
		{"ipc.others", other_text},
		{"ipc.signals", signal_text},
		{"ipc.sysv", sysv_text},
		{"ipc.ptrace", sysv_text},
		{"ipc.process_vm", sysv_text},
		{"ipc.pidfd_getfd", sysv_text},
	};
	bool begun = false;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		ipc_list(t, get(doc, lists[i].path), lists[i].row, &begun);
}

static void gaps_text(struct text_out *t, const cJSON *doc)
{
	const cJSON *c, *e;
	char s[32];

	if (number(doc, "lost.total")) {
		heading(t, "LOST");
		count_of(t, number(doc, "lost.total"), "record", "records");
		text_add(t, " of the whole recording");
		cJSON_ArrayForEach(e, get(doc, "lost.events"))
		{
			text_add(t, "  ");
			text_put(t, e->string, 24);
			text_add(t, " %s", text_count(s, e->valuedouble));
		}
		text_end(t);
	}
	if (number(doc, "folded")) {
		heading(t, "FOLDED");
		count_of(t, number(doc, "folded"), "record is", "records are");
		text_add(t, " only in the sums: a list was full");
		text_end(t);
	}
	cJSON_ArrayForEach(c, get(doc, "coverage"))
	{
		if (!is_true(c, "missing"))
			continue;
		heading(t, "NOT SEEN");
		text_put(t, string(c, "program"), 24);
		text_add(t, ": ");
		text_put(t, string(c, "reason"), 0);
		text_end(t);
	}
}

int report_text(FILE *out, const cJSON *doc, unsigned int width)
{
	struct text_out t = {.out = out, .width = width ? width : WIDTH};
	const char *schema = string(doc, "schema");

	if (!schema || strcmp(schema, REPORT_SCHEMA) ||
	    number(doc, "schema_version") != REPORT_VERSION)
		return -EINVAL;
	if (t.width < 72)
		t.width = 72;
	head_text(&t, doc);
	life_text(&t, doc);
	process_text(&t, doc);
	syscall_text(&t, doc);
	file_text(&t, doc);
	network_text(&t, doc);
	ipc_text(&t, doc);
	gaps_text(&t, doc);
	if (fflush(out) && !t.err)
		t.err = -errno;
	buf_free(&t.line);
	return t.err;
}
