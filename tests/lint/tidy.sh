#!/bin/bash
# SPDX-License-Identifier: MIT
# clang-tidy (.clang-tidy names the checks) has no findings in user-space code.
set -euo pipefail
git ls-files 'src/*.c' | grep -v bpf_objects | xargs -P "$(nproc)" -n 4 \
	clang-tidy --quiet --warnings-as-errors='*' -- -std=gnu11 -D_GNU_SOURCE -DEBPFMON_VERSION='"lint"' \
	-Iinclude -Iinclude/events -Isrc -Ibuild/include 2>&1 | grep -vE '^[0-9]+ warnings? (generated|treated)' || true
exit "${PIPESTATUS[1]}"
