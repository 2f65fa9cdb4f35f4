#!/bin/bash
# SPDX-License-Identifier: MIT
# uapi_arm64.sh DIR: makes there the headers asm/ that BPF objects for arm64 are compiled with. arm64 has the
# kernel's generic numbers, so that no package of another architecture is needed.
set -euo pipefail
mkdir -p "$1/asm"
printf '#define %s\n' __ARCH_WANT_RENAMEAT __ARCH_WANT_NEW_STAT __ARCH_WANT_SET_GET_RLIMIT \
	__ARCH_WANT_TIME32_SYSCALLS __ARCH_WANT_SYS_CLONE3 __ARCH_WANT_MEMFD_SECRET >"$1/asm/unistd.h"
echo '#include <asm-generic/unistd.h>' >>"$1/asm/unistd.h"
printf '#define __BITS_PER_LONG 64\n#include <asm-generic/bitsperlong.h>\n' >"$1/asm/bitsperlong.h"
