// SPDX-License-Identifier: MIT
/*
 * Any bytes as what the kernel sends during a recording: records, one behind the other, through the
 * whole pipeline into every sink. Lines are JSON or harmless text, CSV rows are quoted rightly, and the
 * report is JSON that `recommend` and the text form read back. The first byte chooses the limits.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "advise.h"
#include "fuzz.h"
#include "log.h"
#include "pipeline.h"
#include "report/report.h"
#include "session.h"
#include "sinks.h"

#define OUTPUT_MAX (64u << 20)
#define CGROUPS	   4 /* two containers, a cgroup inside of the first, one that nobody knows */
#define SECOND	   1000000000ULL

static char dir[] = "/dev/shm/ebpfmon-fuzz.XXXXXX";
static int dirfd_out = -1;

struct run {
	struct pipeline p;
	struct filter filter;
	int json, text; /* what the streams wrote, in memory */
};

static void clean(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		fprintf(stderr, "%s is left\n", dir);
}

static void prepare(void)
{
	if (dirfd_out >= 0)
		return;
	log_level = LOG_ERROR;
	check(mkdtemp(dir) != NULL);
	atexit(clean);
	dirfd_out = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(dirfd_out >= 0);
}

static void add(struct run *r, struct sink *s)
{
	check(s != NULL);
	s->next = r->p.sinks;
	r->p.sinks = s;
}

static void decided(void *arg, struct container *c)
{
	pipeline_decided(arg, c);
}

/* @few: of everything that the report bounds, at most so many. */
static void begin(struct run *r, size_t few)
{
	static const struct report_host host = {.hostname = "h", .cpus = 1};
	struct report_options ro = {.output = dir, .version = "0", .host = &host};
	struct container_select sel = {
		.runtimes = {.root = dir}, .keep = true, .decided = decided, .arg = &r->p};
	struct container *parent;
	int err;

#define LIMIT(member, value, doc) ro.limits.member = few;
	REPORT_LIMITS(LIMIT)
#undef LIMIT
	if (few) { /* bytes, not things */
		ro.limits.string = 16;
		ro.limits.memory = ro.limits.memory_total = 1 << 20;
	}
	memset(r->filter.events, true, sizeof(r->filter.events));
	r->p.filter = &r->filter;
	r->p.boot_to_wall = SECOND;
	r->p.containers = container_table_new(&sel);
	check(r->p.containers && !pipeline_init(&r->p));
	r->json = memfd_create("json", MFD_CLOEXEC);
	r->text = memfd_create("text", MFD_CLOEXEC);
	add(r, sink_jsonl_new(dup(r->json)));
	add(r, sink_text_new(dup(r->text), false));
	add(r, sink_csv_new(dir));
	add(r, sink_report_new(&ro, &err));
	parent = container_table_add(r->p.containers, 0, "/web", "web", 1);
	check(parent && container_table_add(r->p.containers, 1, "/db", "db", 1));
}

static __u64 cgroup(__u64 id)
{
	return id % CGROUPS;
}

/* The few cgroups there are, and a child is made only in them: others are looked for in the machine's own. */
static void help_cgroups(struct ev_hdr *hdr)
{
	hdr->cgroup = cgroup(hdr->cgroup);
	if (hdr->type == EV_container_cgroup_create &&
	    hdr->len >= sizeof(struct ev_container_cgroup_create)) {
		struct ev_container_cgroup_create *e = (void *)hdr;

		e->id = cgroup(e->id);
		e->parent = cgroup(e->parent);
		hdr->pid = 0;
	} else if (hdr->type == EV_container_cgroup_remove &&
		   hdr->len >= sizeof(struct ev_container_cgroup_remove)) {
		struct ev_container_cgroup_remove *e = (void *)hdr;

		e->id = cgroup(e->id);
	} else if (hdr->type == EV_process_fork && hdr->len >= sizeof(struct ev_process_fork)) {
		struct ev_process_fork *e = (void *)hdr;

		e->child_cgroup = cgroup(e->child_cgroup);
	}
}

/* How long the record is that begins here: what it says itself, if there is so much. */
static size_t length(const uint8_t *data, size_t size)
{
	struct ev_hdr hdr;

	if (size < sizeof(hdr))
		return size;
	memcpy(&hdr, data, sizeof(hdr));
	if (hdr.len < sizeof(hdr) || hdr.len > size)
		hdr.len = size < 1024 ? size : 1024;
	return hdr.len;
}

static void feed_all(struct run *r, const uint8_t *data, size_t size)
{
	while (size) {
		size_t n = length(data, size);
		char *record = malloc(n); /* exact size: ASan sees every overread */
		struct ev_hdr *hdr = (struct ev_hdr *)record;

		memcpy(record, data, n);
		if (n >= sizeof(*hdr)) {
			if (!(hdr->pad & 1))
				help_record(record, n);
			help_cgroups(hdr);
		}
		pipeline_feed(&r->p, record, n);
		free(record);
		data += n;
		size -= n;
	}
}

/* Reads all of a file; the caller frees. */
static char *content(int fd, size_t *len)
{
	struct stat st;
	char *s;

	check(!fstat(fd, &st) && st.st_size <= OUTPUT_MAX);
	*len = st.st_size;
	s = malloc(*len + 1);
	check(s && pread(fd, s, *len, 0) == (ssize_t)*len);
	s[*len] = '\0';
	return s;
}

static void check_lines(int fd, bool json)
{
	size_t len;
	char *all = content(fd, &len);

	for (char *s = all, *end; s < all + len; s = end + 1) {
		end = memchr(s, '\n', all + len - s);
		check(end && end > s && harmless(s, end - s));
		if (json)
			cJSON_Delete(parse_json(s, end - s));
	}
	free(all);
}

/* RFC 4180: every row has as many fields as the first one. */
static void check_csv(const char *s, size_t len)
{
	size_t fields = 1, first = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"')
			quoted = !quoted;
		else if (s[i] == ',' && !quoted)
			fields++;
		if (s[i] != '\n')
			continue;
		check(!quoted && i && s[i - 1] == '\r');
		if (!first)
			first = fields;
		check(fields == first);
		fields = 1;
	}
	check(!quoted && len && s[len - 1] == '\n');
}

static void check_report(const char *s, size_t len)
{
	struct advice *a = advice_new();
	cJSON *doc = cJSON_ParseWithLength(s, len);
	FILE *out;
	char *text;

	check(a && doc && keys_unique(doc) && !advice_add(a, doc));
	out = open_memstream(&text, &len);
	check(!report_text(out, doc, 100) && !fclose(out));
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
		check(harmless(line, end - line));
	free(text);
	cJSON_Delete(doc);
	advice_free(a);
}

/* The files that CSV and the report wrote; they are removed. */
static void check_files(void)
{
	DIR *d = fdopendir(openat(dirfd_out, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;

	check(d != NULL);
	while ((e = readdir(d))) {
		const char *dot = strrchr(e->d_name, '.');
		size_t len;
		char *s;
		int fd;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		fd = openat(dirfd_out, e->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		check(fd >= 0 && dot);
		s = content(fd, &len);
		if (!strcmp(dot, ".csv"))
			check_csv(s, len);
		else
			check_report(s, len);
		free(s);
		close(fd);
		unlinkat(dirfd_out, e->d_name, 0);
	}
	closedir(d);
}

static void end(struct run *r)
{
	struct session session = {
		.begin = SECOND, .end = 2 * SECOND, .end_boot = SECOND, .end_reason = "signal"};

	pipeline_expire(&r->p, ~0ULL / 2, SECOND);
	pipeline_flush(&r->p);
	check(!r->p.err && !pipeline_finish(&r->p, &session));
	while (r->p.sinks) {
		struct sink *s = r->p.sinks;

		r->p.sinks = s->next;
		s->ops->free(s);
	}
	pipeline_exit(&r->p);
	container_table_free(r->p.containers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = {};

	if (!size)
		return 0;
	prepare();
	begin(&r, data[0] & 1 ? 2 : 0);
	feed_all(&r, data + 1, size - 1);
	end(&r);
	check_lines(r.json, true);
	check_lines(r.text, false);
	check_files();
	close(r.json);
	close(r.text);
	return 0;
}
