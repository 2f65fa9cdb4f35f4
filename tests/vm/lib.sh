# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What the scripts of tests/vm share: messages, the cache, the host's tools and Debian's archive.
# Sourced, never run, by scripts that say set -euo pipefail.
# Functions that make something are called where set -e holds: never behind if, && or ||.

shopt -s inherit_errexit
PATH=$PATH:/usr/sbin:/sbin

# shellcheck disable=SC2034 # used by those that source this
vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
vm_cache=${EBPFMON_CACHE:-${HOME:-/root}/.cache/ebpfmon}/vm
vm_arch=amd64 # the machine's, as Debian calls it: amd64 or arm64

# Exit codes of run.sh's own: beside the command's, so out of the way of usual ones.
# shellcheck disable=SC2034
vm_exit_died=123    # the guest panicked or vanished before the command's status came
# shellcheck disable=SC2034
vm_exit_timeout=124 # as timeout(1)
vm_exit_failed=125  # as docker run: the command never started

# Messages go to stderr: stdout belongs to the guest's command, or is a path that is asked for.
vm_say() {
	printf 'vm: %s\n' "$*" >&2
}

# What stops us is never the command's doing, so it has an exit code of its own.
vm_die() {
	vm_say "$*"
	exit "$vm_exit_failed"
}

# Every host tool that the scripts call, with the Debian package to install for it.
vm_tools='
mmdebstrap         mmdebstrap
mke2fs             e2fsprogs
depmod             kmod
busybox            busybox-static
apt-get            apt
dpkg-deb           dpkg
flock              util-linux
xz                 xz-utils
zstd               zstd
gzip               gzip
lz4                lz4
tar                tar
'

# A fresh machine lacks several of them: name all that is missing at once, not one for each try.
# $1: lines of tools with their packages.
vm_need() {
	local tool package missing=
	while read -r tool package; do
		[ -z "$tool" ] || command -v "$tool" >/dev/null || missing+=" $package"
	done <<<"$1"
	[ -z "$missing" ] || vm_die "tools are missing; install these Debian packages:$missing"
	# The guest's first program has no libraries beside it.
	if ldd "$(command -v busybox)" >/dev/null 2>&1; then
		vm_die "busybox is linked dynamically; install the Debian package busybox-static"
	fi
}

vm_need_tools() {
	vm_need "$vm_tools"
}

# The same to boot a machine.
vm_need_emulator() {
	case $vm_arch in
	amd64) vm_need "$vm_tools"'qemu-system-x86_64 qemu-system-x86' ;;
	arm64) vm_need "$vm_tools"'qemu-system-aarch64 qemu-system-arm' ;;
	esac
}

# Only one process fills a part of the cache; the others wait for it and then find the result.
# $1 is the part's name. The lock is held until the calling (sub)shell ends.
vm_lock() {
	mkdir -p "$vm_cache/lock"
	exec {vm_lock_fd}>"$vm_cache/lock/$1"
	flock -w 2 "$vm_lock_fd" || { vm_say "waiting for another run that makes $1"; flock "$vm_lock_fd"; }
}

# The codename of the host's Debian, whose libraries the built executable needs in the guest.
vm_codename() {
	# shellcheck disable=SC1091
	(. /etc/os-release && printf '%s\n' "${VERSION_CODENAME:?}")
}

# Where a suite is found. No archive's address stands in this repository: it is what apt on this
# machine uses, with another suite's name. apt itself reads its sources, whatever form they have.
# $1: suite. Prints a line for sources.list.
vm_apt_source() {
	local suite=$1 want=$1 here uri keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	here=$(vm_codename)
	case $suite in
	*-security) want=$here-security ;;
	*) want=$here ;;
	esac
	uri=$(apt-get update --print-uris |
		sed -nE "s#^'([^']*)/dists/$want/(In)?Release'.*#\1#p" | sed -n 1p)
	[ -n "$uri" ] || vm_die "apt's sources name no suite $want, from which to derive where $suite is"
	[ -e "$keyring" ] || vm_die "$keyring is missing; install debian-archive-keyring"
	printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$uri" "$suite"
}

# apt with configuration, lists and cache of its own, so that the machine's stay as they are; the
# machine's proxies still hold. $1: directory of the state, from vm_apt_update. Rest: tool and arguments.
vm_apt() {
	local state=$1 tool=$2
	shift 2
	"$tool" -q -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
		-o Dir::Cache="$state/cache" -o Dir::Etc::sourcelist="$state/sources.list" \
		-o Dir::Etc::sourceparts=- -o Dir::Etc::preferencesparts=- -o Acquire::Languages=none \
		-o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root \
		-o APT::Architecture="$vm_arch" -o APT::Architectures="$vm_arch" "$@"
}

# Make such a state for some suites and fetch their indexes. A suite that has vanished must not hide
# the others, so each is fetched by itself. $1: directory. Rest: suites.
vm_apt_update() {
	local state=$1 suite line
	shift
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
	: >"$state/status"
	for suite in "$@"; do
		line=$(vm_apt_source "$suite")
		printf '%s\n' "$line" >>"$state/sources.list"
	done
	vm_apt "$state" apt-get update >"$state/log" 2>&1 || {
		vm_say "apt could not fetch every index of: $*"
		cat "$state/log" >&2
	}
}

# A read-only disk out of a directory. ext4, since the guest has it loaded anyhow and every kernel
# reads it; made in one pass, sparse, without what only a written file system needs.
# $1: directory. $2: image to write.
vm_disk_of() {
	local dir=$1 image=$2 kib apparent inodes
	# A file may take less room here than there (compression), or less than its length (holes).
	kib=$(du -sk "$dir" | cut -f1)
	apparent=$(du -sk --apparent-size "$dir" | cut -f1)
	[ "$kib" -ge "$apparent" ] || kib=$apparent
	inodes=$(find "$dir" -printf . | wc -c)
	# Twice the inodes: mke2fs drops a small last block group and its share of them. Per file up to
	# a block more than it is long, and its inodes; then room for bitmaps and tables.
	mke2fs -q -t ext4 -O '^has_journal,^resize_inode' -m 0 -N $((inodes * 2 + 64)) -d "$dir" \
		"$image" $((kib + kib / 16 + inodes * 5 + 8192))k >/dev/null
}
