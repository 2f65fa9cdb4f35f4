#!/bin/bash
# SPDX-License-Identifier: MIT
# Plain `make` needs neither root nor the kernel's BTF: nobody builds a copy where /sys/kernel/btf is hidden.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

git ls-files -z --cached --others --exclude-standard | xargs -0 tar cf - | tar xf - -C "$work"
chown -R nobody "$work"
# shellcheck disable=SC2016 # for the shell in the mount namespace
unshare -m sh -c '
	[ ! -d /sys/kernel/btf ] || mount -t tmpfs -o mode=755 none /sys/kernel/btf || exit 1
	[ ! -e /sys/kernel/btf/vmlinux ] || exit 1
	cd "$1" && exec setpriv --reuid=nobody --clear-groups env -i PATH=/usr/bin:/bin make -s -j2 WERROR=-Werror' - "$work"
[ "$(stat -c %U "$work/ebpfmon")" = nobody ]
setpriv --reuid=nobody --clear-groups "$work/ebpfmon" --version
# and it says clearly what it cannot do as nobody
status=0
setpriv --reuid=nobody --clear-groups "$work/ebpfmon" run -- true 2>"$work/says" || status=$?
[ $status = 125 ] && grep -q root "$work/says"
