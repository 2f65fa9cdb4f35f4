#!/bin/bash
# SPDX-License-Identifier: MIT
# LIBBPF_DIR: a libbpf that is too old, or none, ends the build with a sentence that says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# version MAJOR MINOR: a tree that says it is this version
version() {
	mkdir -p "$work/include/bpf" "$work/lib"
	touch "$work/lib/libbpf.a" "$work/include/bpf/bpf.h"
	printf '#define LIBBPF_%s_VERSION %s\n' MAJOR "$1" MINOR "$2" >"$work/include/bpf/libbpf_version.h"
}

# refused TEXT: make does nothing, and says that
refused() {
	if make -n LIBBPF_DIR="$work" >"$work/out" 2>&1 || ! grep -qF "$1" "$work/out"; then
		echo "it should have said: $1"
		cat "$work/out"
		exit 1
	fi
}

refused "there is no lib/libbpf.a below it"
version 1 0
refused "libbpf is 1.0, and 1.1 or newer is needed"
version 0 12
refused "libbpf is 0.12, and 1.1 or newer is needed"
rm "$work/include/bpf/libbpf_version.h"
refused "libbpf is before 0.6, and 1.1 or newer is needed"
for newer in "1 1" "1 10" "2 0"; do
	# shellcheck disable=SC2086 # two numbers
	version $newer
	make -n LIBBPF_DIR="$work" >/dev/null
done
