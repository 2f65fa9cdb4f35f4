#!/bin/bash
# SPDX-License-Identifier: MIT
#
# selftest.sh [KERNEL]…: prove that run.sh keeps its promises: what a guest offers on each kernel
# (guest/selftest), and, on the first one only, how every kind of end is reported.
# TAP on stdout.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/vm/kernel.sh
. "$vm_dir/kernel.sh"

number=0
failed=0

# One line of TAP. $1: description. $2: whether it holds, 0 for yes.
result() {
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		printf 'ok %d - %s\n' "$number" "$1"
	else
		printf 'not ok %d - %s\n' "$number" "$1"
		failed=1
	fi
}

# Run run.sh and compare its exit status and a piece of its output.
# $1: description. $2: status. $3: text that stdout or stderr must have. Rest: arguments.
expect() {
	local what=$1 status=$2 text=$3 start=$SECONDS got=0 bad=0
	shift 3
	"$vm_dir/run.sh" "$@" >"$work/log" 2>&1 || got=$?
	[ "$got" -eq "$status" ] || bad=1
	[ -z "$text" ] || grep -qF -- "$text" "$work/log" || bad=1
	result "$what ($((SECONDS - start)) s)" "$bad"
	[ "$bad" -eq 0 ] || printf '# status %d, expected %d\n' "$got" "$status"
	if [ "$bad" -ne 0 ] || [ -n "${VERBOSE:-}" ]; then
		sed 's/^/# /' "$work/log"
	fi
}

# All that a guest offers. $1: kernel. $2: kind of cgroups.
test_guest() {
	local directory btf bad=0
	directory=$(kernel_get "$1")
	btf=$("$vm_dir/btf.sh" "$1")
	rm -rf "$work/out"
	expect "guest with kernel $1, cgroup $2" 0 'seconds since' --kernel "$1" --cgroup "$2" \
		--share "$vm_dir" --out "$work/out" -- "$vm_dir/guest/selftest" \
		"$(cat "$directory/release")" "$(sha256sum <"$btf" | cut -d' ' -f1)" "$2"
	grep -qw execve "$work/out/strace.log" || bad=1
	result '/out comes back' "$bad"
}

# Every end that a machine can come to. $1: kernel.
test_ends() {
	expect 'exit status passes' 7 '' --kernel "$1" -- sh -c 'exit 7'
	# shellcheck disable=SC2016
	expect 'a signal is 128+N' 139 '' --kernel "$1" -- sh -c 'kill -SEGV $$'
	expect 'a missing command is 127' 127 'no-such-thing' --kernel "$1" -- no-such-thing
	# shellcheck disable=SC2016
	expect 'arguments and variables arrive' 0 "a  'b\" \$c|*|d e" --kernel "$1" --env 'V=d e' -- \
		sh -c 'printf "%s|%s|%s\n" "$1" "$2" "$V"' sh "a  'b\" \$c" '*'
	expect 'a daemon left behind does not hold the machine' 0 '' --kernel "$1" -- \
		sh -c 'setsid sleep 1000 & exit 0'
	expect 'a command that takes too long' 124 'sleep 1000' --kernel "$1" --timeout 5 -- sleep 1000
	expect 'a panic' 123 'the kernel panicked' --kernel "$1" -- \
		sh -c 'echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger'
	expect 'a machine that is switched off' 123 'without the command' --kernel "$1" -- \
		busybox poweroff -f
	expect 'an unknown kernel' 125 'no kernel 0.1' --kernel 0.1 -- true
}

main() {
	local kernel kernels=("$@")
	[ $# -gt 0 ] || kernels=(6.1 6.12)
	vm_need_emulator
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	for kernel in "${kernels[@]}"; do
		test_guest "$kernel" v2
	done
	test_guest "${kernels[0]}" v1
	test_guest "${kernels[0]}" hybrid
	test_ends "${kernels[0]}"
	printf '1..%d\n' "$number"
	return "$failed"
}

main "$@"
