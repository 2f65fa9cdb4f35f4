#!/bin/bash
# SPDX-License-Identifier: MIT
# cppcheck has no findings in user-space code.
set -euo pipefail
mapfile -t files < <(git ls-files 'src/*.c' | grep -v bpf_objects)
cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr --std=c11 \
	-D_GNU_SOURCE -DEBPFMON_VERSION='"lint"' -D'cJSON_ArrayForEach(e,a)=for(e=(a)->child;e;e=e->next)' \
	-U_CJSON --suppress=missingIncludeSystem --suppress=unknownMacro -Iinclude -Iinclude/events -Isrc \
	-j "$(nproc)" "${files[@]}"
