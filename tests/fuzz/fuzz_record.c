// SPDX-License-Identifier: MIT
/*
 * Any bytes as a record. What record_check() lets pass must survive normalising and still pass;
 * every column in every form is valid UTF-8 without control characters, every line is JSON
 * without a key twice, and strings come back from it byte for byte.
 */
#include <sys/mman.h>
#include <unistd.h>
#include "columns.h"
#include "fuzz.h"
#include "sinks.h"

static void check_columns(const struct record *r)
{
	const struct columns *cols = columns_of(r->hdr->type);
	struct buf b = {};

	for (unsigned int i = 0; i < cols->nr; i++)
		for (int form = FORM_JSON; form <= FORM_TEXT; form++) {
			buf_reset(&b);
			if (!column_format(&b, r, &cols->col[i], form)) {
				check(b.len == 0);
				continue;
			}
			check((b.len || form != FORM_JSON) &&
			      harmless(b.data, b.len)); /* a name may be empty */
			if (form == FORM_JSON)
				cJSON_Delete(parse_json(b.data, b.len));
		}
	buf_free(&b);
}

static void check_strings(const struct record *r)
{
	struct buf b = {};

	for (unsigned int i = 0; i < r->desc->nr_fields; i++) {
		const struct field_desc *f = &r->desc->fields[i];
		const char *s;
		struct ev_ref ref;
		cJSON *json;
		size_t len;

		if (f->type != FT_str && f->type != FT_path)
			continue;
		memcpy(&ref, (const char *)r->hdr + f->offset, sizeof(ref));
		s = record_bytes(r->hdr, ref, &len);
		if (!s || memchr(s, 0, len)) /* cJSON's strings end at a NUL */
			continue;
		buf_reset(&b);
		check(value_format(&b, r, f, FORM_JSON));
		json = parse_json(b.data, b.len);
		check(original_bytes(json->valuestring) == len &&
		      !memcmp(json->valuestring, s, len));
		cJSON_Delete(json);
	}
	buf_free(&b);
}

static void check_line(const struct record *r, bool json)
{
	static struct sink *sinks[2];
	static int fds[2];
	char line[512 * 1024];
	ssize_t len;

	if (!sinks[json]) {
		fds[json] = memfd_create("line", MFD_CLOEXEC);
		sinks[json] = json ? sink_jsonl_new(fds[json]) : sink_text_new(fds[json], false);
	}
	check(!sinks[json]->ops->event(sinks[json], r) && !sinks[json]->ops->flush(sinks[json]));
	len = pread(fds[json], line, sizeof(line), 0);
	check(len > 1 && len < (ssize_t)sizeof(line) && line[len - 1] == '\n' &&
	      harmless(line, (size_t)len - 1));
	if (json)
		cJSON_Delete(parse_json(line, (size_t)len - 1));
	check(!ftruncate(fds[json], 0) && !lseek(fds[json], 0, SEEK_SET));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct container c = {.id = id};
	struct process p = {};
	struct ev_hdr *hdr;
	struct record r;
	char *buf;

	if (size > EV_MAX_LEN)
		return 0;
	buf = malloc(size ? size : 1); /* exact size: ASan sees every overread */
	memcpy(buf, data, size);
	hdr = (struct ev_hdr *)buf;
	if (size >= sizeof(*hdr) && !(hdr->pad & 1))
		help_record(buf, size);
	if (record_check(buf, size))
		goto out;
	record_normalise(buf);
	check(!record_check(buf, size));
	p.exe = buf; /* any bytes */
	p.exe_len = size > 4096 ? 4096 : size;
	r = (struct record){.hdr = hdr,
			    .desc = &event_descs[hdr->type],
			    .container = &c,
			    .process = &p,
			    .wall = hdr->time,
			    .boot_to_wall = (__s64)hdr->start};
	check_columns(&r);
	check_strings(&r);
	check_line(&r, true);
	check_line(&r, false);
out:
	free(buf);
	return 0;
}
