#!/bin/bash
# SPDX-License-Identifier: MIT
# The BPF side compiles for arm64 as well: its registers, its system calls, and what fits on its stack.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests/core/uapi_arm64.sh "$work"
for source in bpf/*.bpf.c; do
	${CLANG:-clang} -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_arm64 -Wall -Wextra -Werror -Wno-unused-parameter \
		-Iinclude -Iinclude/events -Ivmlinux -I"$work" -idirafter "/usr/include/$(uname -m)-linux-gnu" \
		-c -o "$work/object" "$source"
done
