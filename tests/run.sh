#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs test suites and adds up what they say: tests/run.sh SUITE... ; the last line is
# "N passed, N failed, N skipped". Each skip is shown with its reason.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

build=${BUILD:-build}
logs=$build/logs
passed=0 failed=0 skipped=0

mkdir -p "$logs"

# count PASSED FAILED SKIPPED: adds to the sums
count() {
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# check NAME COMMAND...: one test; its output is shown when it fails. 77 is "cannot be done here", its
# last line says why.
check() {
	local name=$1 log status=0
	shift
	log=$logs/${name//[^a-zA-Z0-9.-]/_}.log
	"$@" >"$log" 2>&1 || status=$?
	if [ $status = 0 ]; then
		echo "passed  $name"
		count 1 0 0
	elif [ $status = 77 ]; then
		skip "$name" "$(tail -n 1 "$log")"
	else
		echo "failed  $name"
		tail -n 40 "$log" | sed 's/^/  /'
		count 0 1 0
	fi
}

skip() {
	echo "skipped $1: $2"
	count 0 0 1
}

# summed NAME COMMAND...: a suite whose last line is "N passed, N failed, N skipped"
summed() {
	local name=$1 log line status
	shift
	log=$logs/$name.log
	"$@" 2>&1 | tee "$log" | grep -E '^(failed|skipped|  )'
	status=${PIPESTATUS[0]}
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
	if [ -z "$line" ]; then
		echo "failed  $name: it ended with $status and without its sums"
		tail -n 20 "$log" | sed 's/^/  /'
		count 0 1 0
		return
	fi
	echo "suite   $name: $line"
	read -r -a n <<<"${line//[^0-9]/ }"
	count "${n[0]}" "${n[1]}" "${n[2]}"
}

# cmocka programs, each test by itself
suite_unit() {
	local t log ok bad skips status
	for t in "$build"/tests/unit/test_*; do
		[[ -x $t && ! $t =~ \.[a-z]+$ ]] || continue
		log=$logs/$(basename "$t").log
		CMOCKA_MESSAGE_OUTPUT=TAP timeout 120 "$t" >"$log" 2>&1
		status=$?
		ok=$(grep -cE '^ok ' "$log")
		bad=$(grep -E '^not ok ' "$log" | grep -cv '# SKIP')
		skips=$(grep -c '# SKIP' "$log")	# cmocka calls a skipped test "not ok"
		# a crash, a sanitizer's report or a test without tests is a failure as well
		if [ $status != 0 ] && [ "$bad" = 0 ] || [ "$ok" = 0 ]; then
			bad=$((bad + 1))
		fi
		count "$ok" "$bad" "$skips"
		echo "suite   $(basename "$t"): $ok passed, $bad failed, $skips skipped"
		grep '# SKIP' "$log" | sed 's/^/  skipped: /'
		[ "$bad" = 0 ] || grep -vE '^ok ' "$log" | tail -n 40 | sed 's/^/  /'
	done
}

# a minute in CI, some seconds here: the corpora and what comes near them
suite_fuzz() {
	local t seconds=${FUZZ_SECONDS:-5} corpus
	for t in "$build"/tests/fuzz/fuzz_*; do
		[[ -x $t && ! $t =~ \.[a-z]+$ ]] || continue
		corpus=tests/fuzz/corpus/$(basename "$t")
		mkdir -p "$build/corpus/$(basename "$t")"
		if [ -d "$corpus" ]; then
			check "$(basename "$t")" "$t" -max_total_time="$seconds" -artifact_prefix="$logs/" \
				"$build/corpus/$(basename "$t")" "$corpus"
		else
			check "$(basename "$t")" "$t" -max_total_time="$seconds" -artifact_prefix="$logs/" \
				"$build/corpus/$(basename "$t")"
		fi
	done
}

suite_lint() {
	local f
	for f in tests/lint/*.sh; do
		check "$(basename "$f" .sh)" "$f"
	done
}

# what `make install` installs, and that anybody can build it
suite_install() {
	local f
	if [ "$(id -u)" != 0 ]; then
		skip install "it needs root"
		return
	fi
	for f in tests/install/*.sh; do
		check "$(basename "$f" .sh)" "$f"
	done
}

suite_live() {
	if [ "$(id -u)" != 0 ]; then
		skip live "it needs root"
		return
	fi
	grep -q ' - cgroup2 ' /proc/self/mountinfo || {
		mkdir -p /sys/fs/cgroup/unified
		mount -t cgroup2 none /sys/fs/cgroup/unified
	}
	# shellcheck disable=SC2086 # words
	summed live python3 tests/live/run.py --ebpfmon "${EBPFMON:-./ebpfmon}" ${LIVE_OPTIONS:-}
}

# relocations and tracepoints of every program against every kernel
suite_core() {
	summed core python3 tests/core/check.py --build "$build"
}

# in_vm KERNEL[/v1|/hybrid]: the live tests in a virtual machine; cgroup v2 if nothing else is said
in_vm() {
	local cgroup=${1#*/}
	[ "$cgroup" != "$1" ] || cgroup=v2
	# shellcheck disable=SC2086 # words
	tests/vm/run.sh --kernel "${1%/*}" --cgroup "$cgroup" --memory 2048 --share "$PWD" --timeout 1200 \
		--env LIVE_SHARED=1 --env LIVE_START_TIMEOUT=90 --env LIVE_RUN_TIMEOUT=240 -- \
		python3 tests/live/run.py --ebpfmon "$PWD/ebpfmon" --trigger "$PWD/$build/tests/trigger" \
		${VM_OPTIONS:---runtime runc,engines -k ^(runc/(process|syscall|file|ipc|tcp|capability)|engines/)}
}

# the same live tests in virtual machines; emulation keeps one CPU busy for each
suite_vm() {
	local k kernels
	read -r -a kernels <<<"${KERNEL:-6.1 6.12}"
	for k in "${kernels[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
			wait -n
		done
		in_vm "$k" >"$logs/vm-${k/\//-}.out" 2>&1 &
	done
	wait
	for k in "${kernels[@]}"; do
		summed "vm-${k/\//-}" cat "$logs/vm-${k/\//-}.out"
	done
}

for suite in "$@"; do
	"suite_$suite"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ $((passed + skipped)) != 0 ]
