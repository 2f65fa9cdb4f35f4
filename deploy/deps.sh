#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs the Debian packages that are missing. deps.sh build|test|bench|vm|verify (each includes build, the last
# three also test); deps.sh arm64: what CROSS=aarch64-linux-gnu- needs on an amd64 machine, and what tests/vm/arm64.sh does.
set -euo pipefail

build=(gcc make libc6-dev linux-libc-dev clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev libcjson-dev
	libseccomp-dev uthash-dev)

missing() {
	local p
	for p in "$@"; do
		# a package counts when it is installed, or provided by one that is
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || echo "$p"
	done
}

main() {
	local -n want=$1
	local list
	mapfile -t list < <(missing "${want[@]}")
	[ ${#list[@]} -eq 0 ] && return
	if [ "$(id -u)" != 0 ]; then
		echo "missing packages: ${list[*]} (as root: make deps installs them)" >&2
		exit 1
	fi
	echo "  INSTALL  ${list[*]}"
	[ "$1" != arm64 ] || dpkg --add-architecture arm64
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q >/dev/null
	# servers are only wanted as programs: nothing may start by being installed
	local policy=/usr/sbin/policy-rc.d made=
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
		made=yes
	fi
	local status=0
	apt-get install -q -y --no-install-recommends --no-remove "${list[@]}" >/tmp/ebpfmon-deps.log 2>&1 || status=$?
	[ -z "$made" ] || rm -f $policy
	if [ $status != 0 ]; then
		tail -n 20 /tmp/ebpfmon-deps.log >&2
		exit $status
	fi
}

# To make 32-bit programs, beside the compiler that there is: gcc-multilib would drive the cross compilers out.
m32=()
if [ "$(dpkg --print-architecture)" = amd64 ] && [ "${1:-}" != build ]; then
	main build
	m32=(libc6-dev-i386 "lib32gcc-$(gcc -dumpversion | cut -d. -f1)-dev")
fi

test=("${build[@]}" libcmocka-dev libclang-rt-dev python3 python3-jsonschema python3-yaml apparmor strace jq runc docker.io
	gcovr patchelf busybox-static iproute2 perl sqlite3 git redis-server redis-tools nginx-light apache2-utils curl
	openssl tar findutils "${m32[@]}" shellcheck clang-format clang-tidy cppcheck codespell)
# shellcheck disable=SC2034 # read by name, in main()
bench=("${test[@]}" bpftrace libbpf-tools linux-perf)
# shellcheck disable=SC2034
vm=("${test[@]}" qemu-system-x86 mmdebstrap e2fsprogs cpio xz-utils zstd lz4 kmod)
# shellcheck disable=SC2034
verify=("${test[@]}" memcached postgresql golang-go)

# shellcheck disable=SC2034
arm64=("${build[@]}" gcc-aarch64-linux-gnu libc6-dev:arm64 linux-libc-dev:arm64 libbpf-dev:arm64 libelf-dev:arm64
	zlib1g-dev:arm64 libcjson-dev:arm64 libseccomp-dev:arm64 qemu-system-arm e2fsprogs cpio)

case "${1:-}" in
build | test | bench | vm | verify | arm64) main "$1" ;;
*)
	echo "usage: deps.sh build|test|bench|vm|verify|arm64" >&2
	exit 2
	;;
esac
