#!/bin/bash
# SPDX-License-Identifier: MIT
# How many lines of src/ the unit, live and install tests run, of an executable built for that: the table
# is printed, and kept with the lines themselves in build/coverage/html. Fails below the limit. Root.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
limit=85
build=build/coverage
status=0

find $build -name '*.gcda' -delete
BUILD=$build tests/run.sh unit || status=1
# what has no containers of its own comes by `run`; Docker repeats what runc does, but for its own metadata
EBPFMON=$build/ebpfmon BUILD=$build \
	LIVE_OPTIONS="${LIVE_OPTIONS:---runtime run,runc,docker -k ^(?!docker/(file|ipc|tcp|syscall|process))}" \
	tests/run.sh live || status=1
EBPFMON=$build/ebpfmon tests/install/completion.sh || status=1
mkdir -p $build/html
gcovr --root . --filter 'src/' --object-directory $build --exclude-unreachable-branches \
	--html-details $build/html/index.html --txt $build/coverage.txt --json-summary $build/coverage.json \
	--fail-under-line $limit $build || status=1
cat $build/coverage.txt
[ $status = 0 ] || echo "coverage: tests failed, or fewer lines than $limit% were run"
exit $status
