#!/bin/bash
# SPDX-License-Identifier: MIT
# cppcheck has no findings in user-space code. (It takes uthash's look-ups for uses of what they set, and
# from 2.17 on a loop downwards for one that reads what was never written.)
set -euo pipefail
mapfile -t files < <(git ls-files 'src/*.c' | grep -v bpf_objects)
cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr --std=c11 \
	-D_GNU_SOURCE -D__x86_64__ -DEBPFMON_VERSION='"lint"' --include=tests/lint/cppcheck.h \
	--suppress=missingIncludeSystem --suppress=unknownMacro --suppress=uninitvar:src/process_table.c \
	--suppress=uninitvar:src/report/report_process.c --suppress=normalCheckLevelMaxBranches \
	-Iinclude -Iinclude/events -Isrc -j "$(nproc)" "${files[@]}"
