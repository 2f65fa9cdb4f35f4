#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes those seeds again that are real: records as this machine's kernel sends them while each trigger
# runs (fuzz_pipeline; fuzz_record gets them one by one), and reports of the same runs (fuzz_report). Root.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
out=$build/seeds
rm -rf "$out"
mkdir -p "$out"/{fuzz_pipeline,fuzz_record,fuzz_report}

for trigger in $("$build/tests/trigger" 2>/dev/null | awk '{ print $1 }'); do
	case $trigger in
	process.tree | tcp.client | file.inherit | tcp.existing | syscall.blocked | tcp.still_open) continue ;;
	esac
	work=$(mktemp -d)
	(
		cd "$work"
		EBPFMON_CAPTURE=$work/records timeout 20 unshare --net --ipc "$OLDPWD/$build/tests/fuzz/capture" run \
			-q --syscalls=trace -o "$work/report.json" -- "$OLDPWD/$build/tests/trigger" "$trigger" </dev/null >/dev/null 2>&1
	) || true
	if [ -s "$work/records" ]; then
		# the first byte is fuzz_pipeline's own
		{ printf '\0'; head -c 16384 "$work/records"; } >"$out/fuzz_pipeline/$trigger"
		python3 tests/fuzz/split.py "$work/records" "$out/fuzz_record"
	fi
	[ ! -s "$work/report.json" ] || jq -c ".coverage |= .[:3]" "$work/report.json" >"$out/fuzz_report/$trigger"
	find "$out/fuzz_report" -size +36k -delete
	rm -rf "$work"
done
# what reaches nothing that others do not reach is no seed
for name in fuzz_pipeline fuzz_record fuzz_report; do
	rm -rf "tests/fuzz/corpus/$name"
	mkdir -p "tests/fuzz/corpus/$name"
	"$build/tests/fuzz/$name" -merge=1 "tests/fuzz/corpus/$name" "$out/$name" 2>&1 | tail -n 1
done
