#!/bin/bash
# SPDX-License-Identifier: MIT
#
# btf.sh KERNEL [ARCH]: extract the raw BTF of a kernel of kernels.tsv into the cache and print its path.
# No VM is booted: relocations of every program can be checked against every kernel in seconds.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/vm/kernel.sh
. "$vm_dir/kernel.sh"

# How a compressed kernel begins, and what unpacks it (scripts/Makefile.lib of the kernel).
btf_packings='
fd377a58 xz
28b52ffd zstd
1f8b0808 gzip
1f8b0800 gzip
02214c18 lz4
'
# How BTF begins: magic, version 1, no flags, a header of 24 bytes (include/uapi/linux/btf.h).
btf_start='\x9f\xeb\x01\x00\x18\x00\x00\x00'

# Print the offsets of a byte string. $1: expression. $2: file.
btf_find() {
	{ LC_ALL=C grep -aobP -- "$1" "$2" || true; } | cut -d: -f1
}

# Print a number out of a file. $1: file. $2: offset. $3: its size in bytes.
btf_number() {
	od -An -v -tu"$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# Is it a kernel for arm64, not compressed? Its header says so (Documentation/arch/arm64/booting.rst).
btf_is_bare() {
	[ "$(od -An -v -tx1 -j 56 -N 4 "$1" | tr -d ' ')" = 41524d64 ]
}

# Unpack the kernel proper out of a bootable image of x86: the image's header says where it is, in
# setup_sects, payload_offset and payload_length (Documentation/arch/x86/boot.rst).
# $1: image. $2: file to write.
btf_unpack() {
	local at length begin magic tool
	at=$((($(btf_number "$1" $((0x1f1)) 1) + 1) * 512 + $(btf_number "$1" $((0x248)) 4)))
	length=$(btf_number "$1" $((0x24c)) 4)
	begin=$(od -An -v -tx1 -j "$at" -N 4 "$1" | tr -d ' ')
	while read -r magic tool; do
		[ "$begin" = "$magic" ] || continue
		# The unpacked size follows the packed data, which some tools complain about.
		tail -c +$((at + 1)) "$1" | { head -c "$length"; cat >/dev/null; } |
			"$tool" -dc >"$2" 2>/dev/null || [ -s "$2" ]
		return
	done <<<"$btf_packings"
	vm_die "$1 is packed in a way that is not known here: it begins with $begin"
}

# Cut the BTF out of a kernel: the header says how long types and strings are. The bytes may occur by
# chance, so the largest find is taken that ends within the file. $1: kernel. $2: file to write.
btf_cut() {
	local offset header types_at types_len strings_at strings_len size end best=0 at=0
	end=$(stat -c %s "$1")
	for offset in $(btf_find "$btf_start" "$1"); do
		read -r header types_at types_len strings_at strings_len < <(
			od -An -v -tu4 -w20 -j $((offset + 4)) -N 20 "$1")
		size=$((types_at + types_len))
		[ $((strings_at + strings_len)) -le "$size" ] || size=$((strings_at + strings_len))
		[ $((offset + header + size)) -le "$end" ] || continue
		[ $((header + size)) -le "$best" ] || { best=$((header + size)); at=$offset; }
	done
	[ "$best" -gt 0 ] || vm_die "no BTF in $1"
	tail -c +$((at + 1)) "$1" | { head -c "$best"; cat >/dev/null; } >"$2"
}

main() {
	local directory
	vm_arch=${2:-amd64}
	[ $# -eq 1 ] || [ $# -eq 2 ] || vm_die "usage: btf.sh KERNEL [ARCH], one of: $(kernel_names | tr '\n' ' ')"
	vm_need_tools
	directory=$(kernel_get "$1")
	(
		vm_lock "btf-$1-$vm_arch"
		if [ ! -e "$directory/btf" ]; then
			trap 'rm -f "$directory/vmlinux" "$directory/btf.part"' EXIT
			if btf_is_bare "$directory/vmlinuz"; then
				cp "$directory/vmlinuz" "$directory/vmlinux"
			else
				btf_unpack "$directory/vmlinuz" "$directory/vmlinux"
			fi
			btf_cut "$directory/vmlinux" "$directory/btf.part"
			mv "$directory/btf.part" "$directory/btf"
		fi
	)
	printf '%s\n' "$directory/btf"
}

main "$@"
