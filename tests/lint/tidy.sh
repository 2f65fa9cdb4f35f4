#!/bin/bash
# SPDX-License-Identifier: MIT
# clang-tidy (.clang-tidy names the checks) has no findings in user-space code.
set -euo pipefail
git ls-files 'src/*.c' | grep -v bpf_objects | xargs -P "$(nproc)" -n 6 \
	clang-tidy --quiet --warnings-as-errors='*' --extra-arg=-std=gnu11 --extra-arg=-D_GNU_SOURCE \
	--extra-arg='-DEBPFMON_VERSION="lint"' --extra-arg=-Iinclude --extra-arg=-Iinclude/events --extra-arg=-Isrc
