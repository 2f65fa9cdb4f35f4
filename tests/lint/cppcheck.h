/* SPDX-License-Identifier: MIT */
/* For cppcheck, which does not read system headers: the macro of cJSON that looks like no C. */
#define cJSON_ArrayForEach(e, a) for ((e) = (a) ? (a)->child : 0; (e); (e) = (e)->next)
