#!/bin/bash
# SPDX-License-Identifier: MIT
# Do the fuzzers reach what they are for? Runs their corpora once, built for that (make fuzz-coverage), and
# prints for each how many lines of its files were run. Fails when one reaches less than half of a file.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build/fuzz-coverage}
least=50
status=0

# FUZZER FILE…: what it is for
targets='fuzz_record src/record.c src/value.c src/columns.c src/sink_jsonl.c src/sink_text.c src/sysargs.c
fuzz_pipeline src/pipeline.c src/process_table.c src/sink_csv.c src/report/report.c src/report/report_file.c src/report/report_ipc.c src/report/report_process.c src/report/report_tcp.c src/report/report_text.c
fuzz_cgroup_path src/container/cgroup_path.c
fuzz_runtime src/container/runtime_docker.c src/container/runtime_oci.c src/container/runtime_machine.c src/container/runtime_creator.c src/container/runtime_storage.c src/container/state_file.c src/container/select.c
fuzz_report src/facts.c src/advise.c src/advise_seccomp.c src/advise_apparmor.c src/report/report_text.c
fuzz_advice src/facts.c src/advise_container.c src/advise_capabilities.c src/check.c
fuzz_profile src/check.c
fuzz_options src/options.c'

while read -r name files; do
	seeds=()
	for dir in "tests/fuzz/corpus/$name" "build/corpus/$name"; do
		[ ! -d "$dir" ] || seeds+=("$dir")
	done
	LLVM_PROFILE_FILE=$build/$name.raw "$build/tests/fuzz/$name" -runs=0 "${seeds[@]}" >"$build/$name.log" 2>&1
	llvm-profdata merge -o "$build/$name.prof" "$build/$name.raw"
	# file, …, lines, missed, part in %, by llvm-cov's table
	# shellcheck disable=SC2086 # a list of names
	llvm-cov report "$build/tests/fuzz/$name" -instr-profile="$build/$name.prof" $files |
		awk -v name="$name" -v least=$least '$1 ~ /\.c$/ {
			n = split($1, path, "/")
			printf "%-17s %-22s %4d of %4d lines, %s\n", name, path[n], $8 - $9, $8, $10
			if ($10 + 0 < least) bad = 1
		} END { exit bad }' || status=1
done <<<"$targets"
exit $status
