#!/bin/bash
# SPDX-License-Identifier: MIT
# The BPF side compiles for arm64 as well: its registers, its system calls, and what fits on its stack.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# arm64 has the kernel's generic numbers, so that no package of another architecture is needed
mkdir "$work/asm"
printf '#define %s\n' __ARCH_WANT_RENAMEAT __ARCH_WANT_NEW_STAT __ARCH_WANT_SET_GET_RLIMIT \
	__ARCH_WANT_TIME32_SYSCALLS __ARCH_WANT_SYS_CLONE3 __ARCH_WANT_MEMFD_SECRET >"$work/asm/unistd.h"
echo '#include <asm-generic/unistd.h>' >>"$work/asm/unistd.h"
printf '#define __BITS_PER_LONG 64\n#include <asm-generic/bitsperlong.h>\n' >"$work/asm/bitsperlong.h"
for source in bpf/*.bpf.c; do
	${CLANG:-clang} -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_arm64 -Wall -Wextra -Werror -Wno-unused-parameter \
		-Iinclude -Iinclude/events -Ivmlinux -I"$work" -idirafter "/usr/include/$(uname -m)-linux-gnu" \
		-c -o "$work/object" "$source"
done
