/* SPDX-License-Identifier: MIT */
/* What the fuzzers have in common. */
#ifndef EBPFMON_TESTS_FUZZ_H
#define EBPFMON_TESTS_FUZZ_H

#include <stdint.h>
#include "../unit/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check(int ok)
{
	if (!ok)
		abort();
}

/* One whole JSON text, without a key twice. */
static inline cJSON *parse_json(const char *s, size_t len)
{
	const char *end;
	cJSON *json = cJSON_ParseWithLengthOpts(s, len, &end, false);

	check(json && end == s + len && keys_unique(json));
	return json;
}

static inline void fit_ref(char *buf, size_t offset, size_t fixed, size_t size)
{
	struct ev_ref r;

	memcpy(&r, buf + offset, sizeof(r));
	r.off = fixed + (size > fixed ? r.off % (size - fixed) : 0);
	r.len = r.len % (size - r.off + 1);
	memcpy(buf + offset, &r, sizeof(r));
}

/* Random references seldom lead into the tail: some inputs are helped, so that what lies behind is reached. */
static inline void help_record(char *buf, size_t size)
{
	struct ev_hdr *hdr = (struct ev_hdr *)buf;
	const struct event_desc *d;

	hdr->type %= EV__MAX;
	hdr->len = size;
	d = &event_descs[hdr->type];
	if (size < d->size)
		return;
	for (unsigned int i = 0; i < d->nr_fields; i++) {
		const struct field_desc *f = &d->fields[i];

		if (f->type == FT_str || f->type == FT_path || f->type == FT_strv)
			fit_ref(buf, f->offset, d->size, size);
		if (f->type == FT_sysargs)
			for (size_t j = 0; j < 2; j++)
				fit_ref(buf,
					f->offset + offsetof(struct ev_sysargs, s) +
						j * sizeof(struct ev_ref),
					d->size, size);
	}
}

#endif
