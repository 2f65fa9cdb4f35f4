#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kernel.sh NAME [ARCH]: fetch a kernel of kernels.tsv into the cache and print its directory, which holds
#   release        its version, as uname -r prints it
#   vmlinuz        to boot
#   initrd.cpio    busybox and the modules without which the root disk cannot be mounted
#   modules.ext4   all modules, for the guest's /lib/modules/RELEASE
# Also sourced by run.sh and btf.sh.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Modules for the initramfs: the disks and their file system, and the ports to the host. What a
# kernel has built in, or calls otherwise, is skipped. ext4 asks for crc32c only by a soft dependency.
kernel_boot_modules='virtio_pci virtio_blk virtio_console crc32c_generic crc32c_intel crc32c-cryptoapi ext4'

# The table's names of $vm_arch, for usage texts and loops.
kernel_names() {
	awk -F'\t' -v arch="$vm_arch" '!/^#/ && $2 == arch { print $1 }' "$vm_dir/kernels.tsv"
}

# The table's line of one kernel of $vm_arch. $1: name.
kernel_row() {
	local row
	row=$(awk -F'\t' -v name="$1" -v arch="$vm_arch" '!/^#/ && $1 == name && $2 == arch' "$vm_dir/kernels.tsv")
	[ -n "$row" ] || vm_die "no kernel $1 for $vm_arch in kernels.tsv; there are: $(kernel_names | tr '\n' ' ')"
	printf '%s\n' "$row"
}

# The versions to try: the pinned one, then what may stand in for it, newest first. The archive drops
# old versions, and at times names files that are gone.
# $1: apt state. $2: pinned version. $3: fallback expression. $4: one package's pattern.
kernel_versions() {
	local prefix=${4%%@*} suffix=${4#*@}
	printf '%s\n' "$2"
	vm_apt "$1" apt-cache pkgnames "$prefix" |
		sed -nE "s/^$prefix($3)$suffix\$/\1/p" | { grep -vxF -- "$2" || true; } | sort -rV
}

# Download one version's packages and unpack them. $1: apt state. $2: version. $3: packages,
# separated by commas. $4: directory to unpack to.
kernel_unpack() {
	local state=$1 version=$2 patterns pattern deb
	IFS=, read -ra patterns <<<"$3"
	rm -rf "$state/debs" "$4"
	mkdir -p "$state/debs" "$4"
	for pattern in "${patterns[@]}"; do
		(cd "$state/debs" && vm_apt "$state" apt-get download "${pattern/@/$version}") \
			>"$state/log" 2>&1 || return 1
	done
	for deb in "$state"/debs/*.deb; do
		dpkg-deb -x "$deb" "$4" || return 1
	done
}

# Debian moved things between releases: everything ends in $1/lib/modules/RELEASE, vmlinuz beside it,
# modules unpacked (busybox's insmod reads no .xz) and indexed. $1: unpacked tree. Prints the release.
kernel_normalise() {
	local tree=$1 release image
	if [ -d "$tree/usr/lib/modules" ]; then
		mkdir -p "$tree/lib"
		mv "$tree/usr/lib/modules" "$tree/lib/modules"
	fi
	release=$(ls "$tree/lib/modules")
	image=$(find "$tree/boot" "$tree/lib/modules/$release" -maxdepth 1 -name 'vmlinuz*' \
		2>/dev/null | sed -n 1p || true)
	[ -n "$image" ] || vm_die "no vmlinuz in the packages of $release"
	mv "$image" "$tree/vmlinuz"
	find "$tree/lib/modules" -name '*.ko.xz' -print0 | xargs -0r xz -d
	find "$tree/lib/modules" -name '*.ko.zst' -print0 | xargs -0r zstd -q -d --rm
	depmod -b "$tree" "$release"
	printf '%s\n' "$release"
}

# Print the files of one module, those it depends on first. $1: modules.dep. $2: name.
kernel_load_order() {
	awk -v want="$2" '
		function bare(path) { sub(/.*\//, "", path); sub(/\.ko$/, "", path); gsub(/-/, "_", path); return path }
		function visit(path,   parts, n, i) {
			if (path in seen) return
			seen[path] = 1
			n = split(needs[path], parts, " ")
			for (i = n; i >= 1; i--) visit(parts[i])
			print path
		}
		{ path = $1; sub(/:$/, "", path); $1 = ""; needs[path] = $0; files[bare(path)] = path }
		END { if (bare(want) in files) visit(files[bare(want)]) }' "$1"
}

# The part of the initramfs that depends on the kernel alone; run.sh appends its own to it.
# $1: unpacked tree. $2: release. $3: file to write. $4: busybox for the machine.
kernel_initrd() {
	local modules=$1/lib/modules/$2 root=$1/initrd name file
	mkdir -p "$root"/{bin,mod,dev,proc,sys,new}
	cp "$4" "$root/bin/busybox"
	for name in $kernel_boot_modules; do
		kernel_load_order "$modules/modules.dep" "$name"
	done | awk '!seen[$0]++' | while read -r file; do
		cp "$modules/$file" "$root/mod/"
		printf '%s\n' "${file##*/}" >>"$root/mod/order"
	done
	(cd "$root" && find . | busybox cpio -o -H newc) >"$3" 2>/dev/null
}

# Make a kernel's directory, under another name until it is whole. $1: its row. $2: the directory.
kernel_make() {
	local name suites version fallback packages busybox state tree release candidate got=''
	IFS=$'\t' read -r name _ suites version fallback packages <<<"$1"
	busybox=$(command -v busybox)
	if [ "$vm_arch" != amd64 ]; then
		packages+=,busybox-static
		[[ ,$suites, = *,$(vm_codename),* ]] || suites+=,$(vm_codename)
		busybox=
	fi
	state=$(mktemp -d "$vm_cache/kernel-$name.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$state'" EXIT
	tree=$state/tree
	vm_say "fetching kernel $name ($version)"
	# shellcheck disable=SC2086
	vm_apt_update "$state" ${suites//,/ }
	while read -r candidate; do
		kernel_unpack "$state" "$candidate" "$packages" "$tree" && { got=$candidate; break; }
		vm_say "kernel $name: the packages of $candidate cannot be had"
	done < <(kernel_versions "$state" "$version" "$fallback" "${packages%%,*}")
	[ -n "$got" ] || vm_die "kernel $name: nothing in $suites; see $vm_dir/kernels.tsv"
	release=$(kernel_normalise "$tree")
	mkdir "$state/out"
	[ -n "$busybox" ] || busybox=$(find "$tree/bin" "$tree/usr/bin" -name busybox 2>/dev/null | sed -n 1p || true)
	kernel_initrd "$tree" "$release" "$state/out/initrd.cpio" "$busybox"
	vm_disk_of "$tree/lib/modules/$release" "$state/out/modules.ext4"
	mv "$tree/vmlinuz" "$state/out/"
	printf '%s\n' "$release" >"$state/out/release"
	printf '%s\n' "$got" >"$state/out/version"
	printf '%s\n' "$1" >"$state/out/row"
	rm -rf "$2"
	mv "$state/out" "$2"
}

# Print the directory of a kernel, made first if the cache lacks it or the table has changed.
# $1: name.
kernel_get() {
	local row dir=$vm_cache/kernel/$1 version
	[ "$vm_arch" = amd64 ] || dir+=-$vm_arch
	row=$(kernel_row "$1")
	mkdir -p "$vm_cache/kernel"
	(
		vm_lock "kernel-${dir##*/}"
		if [ ! -e "$dir/row" ] || [ "$(cat "$dir/row")" != "$row" ]; then
			kernel_make "$row" "$dir"
		fi
	) >&2
	version=$(cat "$dir/version")
	[ "$version" = "$(cut -f4 <<<"$row")" ] ||
		vm_say "kernel $1: the pinned $(cut -f4 <<<"$row") was not to be had; this is $version"
	printf '%s\n' "$dir"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	vm_arch=${2:-amd64}
	[ $# -eq 1 ] || [ $# -eq 2 ] || vm_die "usage: kernel.sh NAME [ARCH], one of: $(kernel_names | tr '\n' ' ')"
	vm_need_tools
	kernel_get "$1"
fi
