// SPDX-License-Identifier: MIT
/* Any bytes as a cgroup path: no crash, and of what is accepted the promises of the header hold. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "container/cgroup_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cgroup_path cp, again;
	char *path = malloc(size ? size : 1); /* exact size: ASan sees every overread */
	const char *unit;
	size_t n;
	int err;

	if (!path)
		return 0;
	memcpy(path, data, size);
	memset(&cp, 0xa5, sizeof(cp));
	again = cp;
	if (!cgroup_path_unit(path, size, &unit, &n)) {
		check(n > 0 && unit > path && unit + n + (path[size - 1] == '/') == path + size);
		check(cgroup_path_parse(path, size, &cp) == -ENOENT);
		memcpy(&cp, &again, sizeof(cp));
	}
	err = cgroup_path_parse(path, size, &cp);
	check(err == 0 || err == -ENOENT || err == -EINVAL);
	if (err) {
		check(!memcmp(&cp, &again, sizeof(cp)));
		free(path);
		return 0;
	}
	check(cp.depth_start > 0 && cp.depth_start < cp.depth_end && cp.depth_end <= size);
	check(path[cp.depth_start - 1] == '/');
	check(cp.depth_end == size || path[cp.depth_end] == '/' || path[cp.depth_end] == ' ');
	check(memchr(cp.id, '\0', sizeof(cp.id)) && cgroup_path_id_is_safe(cp.id));
	check(memchr(cp.pod_uid, '\0', sizeof(cp.pod_uid)) != NULL);
	check(!cp.qos || cp.pod_uid[0]);
	check(cp.owner_uid >= -1);
	/* the container's own path says the same, and one less deep what encloses it */
	check(!cgroup_path_parse(path, cp.depth_end, &again));
	check(again.depth_end == cp.depth_end && !strcmp(again.id, cp.id));
	err = cgroup_path_parse(path, cp.depth_start, &again);
	check(cp.nested ? !err && again.nested == cp.nested - 1 : err == -ENOENT);
	free(path);
	return 0;
}
