// SPDX-License-Identifier: MIT
/* Any bytes as a seccomp profile that `check` reads: what it finds has a name and a reason, both printable. */
#include <errno.h>
#include "check.h"
#include "fuzz.h"
#include "log.h"

/* What the profile is held against: calls of two ABIs, one denied, a capability that was given. */
static const char report[] =
	"{\"schema\":\"ebpfmon.report\",\"schema_version\":1,"
	"\"capabilities\":{\"given\":[\"CAP_SYS_ADMIN\"],\"checks\":[]},"
	"\"syscalls\":{\"run\":[{\"name\":\"openat\",\"count\":7},{\"name\":\"clone\",\"count\":1},"
	"{\"name\":\"compat:socketcall\",\"count\":2},"
	"{\"name\":\"mount\",\"count\":1,\"error\":\"EPERM\"}]}}";

static struct advice *recorded(void)
{
	static struct advice *a;

	if (!a) {
		cJSON *doc = cJSON_Parse(report);

		log_level = LOG_ERROR;
		a = advice_new();
		check(a && !advice_add(a, doc));
		cJSON_Delete(doc);
	}
	return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cJSON *profile = cJSON_ParseWithLength((const char *)data, size);
	const struct base_choice base = {.runtime = size & 1 ? "runc" : NULL};
	const char *wrong = NULL;
	struct check c = {};
	int err;

	if (!profile)
		return 0;
	err = check_profile(&c, profile, recorded(), &base, &wrong);
	check(err == 0 || (err == -EINVAL && wrong));
	for (size_t i = 0; i < c.nr; i++) {
		const struct check_finding *f = &c.v[i];

		check(f->kind < CHECK__KINDS && check_kind_name(f->kind));
		check(memchr(f->name, 0, sizeof(f->name)) && memchr(f->why, 0, sizeof(f->why)));
		check(*f->name && harmless(f->name, strlen(f->name)) &&
		      harmless(f->why, strlen(f->why)));
	}
	free(c.v);
	cJSON_Delete(profile);
	return 0;
}
