#!/bin/bash
# SPDX-License-Identifier: MIT
# The fuzzers for hours: long.sh HOURS. All at once, each core with one of them at a time, in rounds of
# half an hour at most. What they find out is kept in build/corpus and merged at the end, so that the
# next run, and `make fuzz`, begin there. Ends with 1 when there is a finding; its input is in build/logs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
hours=${1:?hours}
status=0

seeds() { # the corpus of the repository, if there is one
	[ ! -d "tests/fuzz/corpus/$1" ] || echo "tests/fuzz/corpus/$1"
}

# fuzz NAME SECONDS
fuzz() {
	local own=$build/corpus/$1
	mkdir -p "$own" "$build/logs"
	# shellcheck disable=SC2046 # none, or one
	"$build/tests/fuzz/$1" -max_total_time="$2" -artifact_prefix="$build/logs/$1-" "$own" $(seeds "$1") \
		>"$build/logs/$1-long.log" 2>&1 && return
	echo "failed  $1"
	tail -n 40 "$build/logs/$1-long.log" | sed 's/^/  /'
	return 1
}

# merge NAME: only what reaches something of its own stays
merge() {
	local own=$build/corpus/$1 new=$build/corpus/$1.new
	mkdir -p "$new"
	# shellcheck disable=SC2046
	"$build/tests/fuzz/$1" -merge=1 "$new" $(seeds "$1") "$own" >"$build/logs/$1-merge.log" 2>&1 || return
	rm -rf "$own"
	mv "$new" "$own"
	echo "$1: $(find "$own" -type f | wc -l) inputs, $(grep -oE 'cov: [0-9]+' "$build/logs/$1-long.log" | tail -n 1)"
}

mapfile -t names < <(basename -a tests/fuzz/fuzz_*.c | sed 's/\.c$//')
jobs=$(nproc)
total=$(awk -v h="$hours" -v j="$jobs" -v n="${#names[@]}" 'BEGIN { printf "%d", h * 3600 * j / n }')
rounds=$(((total + 1799) / 1800))
for ((round = 0; round < rounds; round++)); do
	for name in "${names[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
			wait -n || status=1
		done
		fuzz "$name" $((total / rounds)) &
	done
done
while [ "$(jobs -p | wc -l)" != 0 ]; do
	wait -n || status=1
done
for name in "${names[@]}"; do
	merge "$name"
done
exit $status
