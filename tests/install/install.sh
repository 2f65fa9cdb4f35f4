#!/bin/bash
# SPDX-License-Identifier: MIT
# `make install` puts everything below DESTDIR and PREFIX, what is installed runs with nothing beside
# it but its shared libraries, and `make uninstall` leaves no file. Needs root for chroot(2).
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "$*"
	exit 1
}

make -s install DESTDIR="$work/dest" PREFIX=/opt/e
(cd "$work/dest" && find . -type f -printf '%m %P\n' | sort -k2) >"$work/got"
diff -u "$work/got" - <<-END || fail "these files were expected (+)"
	755 opt/e/sbin/ebpfmon
	644 opt/e/share/bash-completion/completions/ebpfmon
	644 opt/e/share/ebpfmon/report.schema.json
	644 opt/e/share/man/man8/ebpfmon.8
END
bash -n "$work/dest/opt/e/share/bash-completion/completions/ebpfmon"
! command -v man >/dev/null || man -l --warnings "$work/dest/opt/e/share/man/man8/ebpfmon.8" >/dev/null 2>"$work/man" ||
	fail "man cannot show the page"
[ ! -s "$work/man" ] || fail "man warns: $(cat "$work/man")"

# a root with the executable and the libraries that it names, and nothing else
exe=$work/dest/opt/e/sbin/ebpfmon
root=$work/root
mkdir -p "$root"
install -D "$exe" "$root/ebpfmon"
ldd "$exe" | grep -oE '/[^ ]+' | while read -r lib; do
	install -D "$lib" "$root$lib"
done
! ldd "$exe" | grep -E 'libbpf|libseccomp|not found' || fail "a library that not every host has"
[ "$(chroot "$root" /ebpfmon --version)" = "ebpfmon $(cat VERSION)" ] || fail "--version alone in a root"
chroot "$root" /ebpfmon list events -f markdown | cmp - docs/manual/events.md || fail "list events alone in a root"

# the kernel's own file systems, as every host has them; in a mount namespace, so that nothing stays mounted
mkdir -p "$root/proc" "$root/sys" "$root/tmp"
status=0
# shellcheck disable=SC2016 # for the shell in the mount namespace
unshare -m sh -c 'mount --rbind /proc "$1/proc" && mount --rbind /sys "$1/sys" && cd / &&
	{ chroot "$1" /ebpfmon doctor || [ $? = 3 ]; } && chroot "$1" /ebpfmon run -o /tmp/report.json -- /ebpfmon --version' \
	- "$root" >"$work/log" 2>&1 || status=$?
[ $status = 0 ] || fail "alone in a root, it ended with $status: $(tail -n 5 "$work/log")"
python3 - "$root/tmp/report.json" <<-'END' || fail "the report does not tell of the command"
	import json, sys
	report = json.load(open(sys.argv[1]))
	assert "/ebpfmon" in json.dumps(report["processes"])
END

make -s uninstall DESTDIR="$work/dest" PREFIX=/opt/e
left=$(find "$work/dest" -type f)
[ -z "$left" ] || fail "uninstall leaves: $left"
