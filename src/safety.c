// SPDX-License-Identifier: MIT
#include <stddef.h>
#include "../src/names.h" /* not include/names.h, which the search path has first */
#include "safety.h"

static const struct {
	const char *why, *calls;
} safety[] = {
#define SAFETY(why, calls) {why, calls},
#include "safety.def"
};

const char *safety_reason(const char *name)
{
	for (size_t i = 0; i < sizeof(safety) / sizeof(safety[0]); i++)
		if (name_in_list(safety[i].calls, name))
			return safety[i].why;
	return NULL;
}
