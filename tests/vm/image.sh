#!/bin/bash
# SPDX-License-Identifier: MIT
#
# image.sh: make the root disk of the VMs, if the cache lacks it, and print its path. One disk serves
# all kernels: their modules are a disk of their own (kernel.sh). Also sourced by run.sh.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

image_free_mib=1024 # what a run may write to /, until the snapshot is thrown away

# The disk's name tells what it was made from, so that another list of packages is another disk.
image_key() {
	{ vm_codename; echo "$vm_arch"; cat "$vm_dir/image.sh" "$vm_dir/packages.txt"; } | sha256sum | cut -c1-12
}

# Options for the apt inside mmdebstrap, which does not read this machine's configuration: how to
# reach the archive, one line each.
image_apt_options() {
	apt-config dump | grep -E '^Acquire::(https?::|Check-)' || true
}

# What packages do when they are installed, for a tree whose programs cannot run here. $1: directory.
image_finish_foreign() {
	local name
	for name in passwd group; do
		cp "$1/usr/share/base-passwd/$name.master" "$1/etc/$name"
	done
	for name in awk=mawk nc=nc.openbsd which=which.debianutils; do
		[ ! -e "$1/usr/bin/${name#*=}" ] || ln -sf "${name#*=}" "$1/usr/bin/${name%=*}"
	done
	echo 'passwd: files' >"$1/etc/nsswitch.conf"
	echo 'hosts: files' >>"$1/etc/nsswitch.conf"
}

# Unpack the packages into a tree and finish what an installer would. $1: directory.
image_tree() {
	local tree=$1 codename packages sources option options=() how=(--variant=essential)
	codename=$(vm_codename)
	packages=$(sed -E '/^(#|$)/d' "$vm_dir/packages.txt" | paste -sd,)
	sources=$(for s in "$codename" "$codename-security"; do vm_apt_source "$s"; done)
	while read -r option; do
		options+=(--aptopt="$option")
	done < <(image_apt_options)
	[ "$vm_arch" = amd64 ] || how=(--variant=extract --include='?essential'
		--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr)
	# No documentation and no fsync: both halve the time, and nobody reads man pages in there.
	mmdebstrap --quiet --mode=root --architectures="$vm_arch" "${how[@]}" \
		--include="$packages" "${options[@]}" \
		--dpkgopt=force-unsafe-io \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		"$codename" "$tree" - <<<"$sources" >&2
	[ "$vm_arch" = amd64 ] || image_finish_foreign "$tree"
	rm -rf "$tree"/var/lib/apt/lists "$tree"/var/cache/apt "$tree"/etc/apt/sources.list* \
		"$tree/etc/resolv.conf"
	: >"$tree/etc/resolv.conf"
	printf 'ebpfmon-vm\n' >"$tree/etc/hostname"
	printf '127.0.0.1 localhost ebpfmon-vm\n::1 localhost\n' >"$tree/etc/hosts"
	printf '0123456789abcdef0123456789abcdef\n' >"$tree/etc/machine-id"
	mkdir -p "$tree/out"
}

# Make the disk under another name until it is whole. $1: its path.
image_make() {
	local work start=$SECONDS mib
	[ "$(id -u)" -eq 0 ] || vm_die "making the root disk needs root"
	vm_say "making the root disk, once (1 to 3 minutes)"
	work=$(mktemp -d "$vm_cache/image.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$work'" EXIT
	image_tree "$work/tree"
	mib=$(du -sm "$work/tree" | cut -f1)
	mke2fs -q -t ext4 -O '^has_journal' -m 0 -d "$work/tree" \
		"$work/disk" $((mib + mib / 10 + image_free_mib))M >/dev/null
	mv "$work/disk" "$1"
	vm_say "root disk: $mib MiB in $((SECONDS - start)) s"
}

# Print the disk's path, made first if need be.
image_get() {
	local image
	image=$vm_cache/root-$(image_key).ext4
	(
		vm_lock root
		if [ ! -e "$image" ]; then
			image_make "$image"
		fi
	) >&2
	printf '%s\n' "$image"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	[ $# -eq 0 ] || vm_die "usage: image.sh"
	vm_need_tools
	image_get
fi
