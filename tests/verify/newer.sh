#!/bin/bash
# SPDX-License-Identifier: MIT
#
# newer.sh: runc and crun as Debian's sid has them, for a host of any release: prints the directory they are in.
# They bring their own C library, which is written into them, as runc starts itself again by /proc/self/exe.
# The first run fetches them into the cache of tests/vm; "version" there says what they are. Exit code 77: the archive
# does not give them.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/lib.sh"

programs='runc crun'
directory=${EBPFMON_CACHE:-${HOME:-/root}/.cache/ebpfmon}/runtimes

# The packages and all that they depend on: with an empty list of what is installed, apt fetches the C library as well.
# $1: apt state.
newer_fetch() {
	local name
	vm_apt_update "$1" sid
	# shellcheck disable=SC2086
	vm_apt "$1" apt-get install --download-only -y --no-install-recommends $programs >"$1/log" 2>&1 || {
		tail -n 3 "$1/log" >&2
		echo "Debian's sid, where apt's sources have it, does not give $programs" >&2
		exit 77
	}
	for name in $programs; do
		dpkg-deb -I "$(echo "$1/cache/archives/${name}"_*.deb)" | awk -v p="$name" '$1 == "Version:" { print p, $2 }'
	done >"$1/version"
}

# $1: apt state with the packages. $2: directory to make: the programs, and lib. $3: what it will be called.
newer_unpack() {
	local deb name program
	for deb in "$1"/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$1/tree"
	done
	mkdir -p "$2/lib"
	find "$1/tree" \( -name '*.so' -o -name '*.so.*' \) -not -type d -not -path '*/gconv/*' -exec cp -n -t "$2/lib" {} +
	for name in $programs; do
		program=$(find "$1/tree" -type f -path "*bin/$name")
		cp "$program" "$2/$name"
		# --force-rpath: it holds for the libraries' own libraries as well
		patchelf --set-interpreter "$3/lib/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$3/lib" "$2/$name"
	done
	cp "$1/version" "$2/version"
}

main() {
	local work
	# in a virtual machine the cache is there to be read only
	if [ ! -e "$directory/version" ]; then
		[ "$(dpkg --print-architecture)" = amd64 ] || { echo "only amd64's are fetched" >&2; exit 77; }
		command -v patchelf >/dev/null || { echo "patchelf is not installed" >&2; exit 77; }
		mkdir -p "$(dirname "$directory")"
		vm_lock runtimes
	fi
	if [ ! -e "$directory/version" ]; then
		work=$(mktemp -d "$directory.XXXXXX")
		# shellcheck disable=SC2064
		trap "rm -rf '$work'" EXIT
		newer_fetch "$work"
		newer_unpack "$work" "$work/made" "$directory"
		chmod 755 "$work/made"
		mv "$work/made" "$directory"
	fi
	printf '%s\n' "$directory"
}

main
