#!/bin/bash
# SPDX-License-Identifier: MIT
# How many lines of src/ the tests run, of an executable built for that: unit, live, verify, completion, and
# the generated documents. The table is printed, and kept with the lines themselves in build/coverage/html.
# Fails below the limit. Root.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
limit=85
build=build/coverage
status=0

find $build -name '*.gcda' -delete
export EBPFMON=$build/ebpfmon BUILD=$build
# Of the live tests not: Docker's that repeat runc's; how fast it is, how it is linked, and what it says as user
# nobody, who cannot write its counters, when built like this.
LIVE_OPTIONS="${LIVE_OPTIONS:---runtime run,runc,docker -k ^(?!docker/(file|ipc|tcp|syscall|process)|flood|safety.hardened|message/not_root)}" \
	tests/run.sh unit live verify || status=1
for test in tests/install/completion.sh tests/lint/documents.sh; do
	$test || status=1
done
mkdir -p $build/html
gcovr --root . --filter 'src/' --object-directory $build --exclude-unreachable-branches \
	--html-details $build/html/index.html --txt $build/coverage.txt --json-summary $build/coverage.json \
	--fail-under-line $limit $build || status=1
cat $build/coverage.txt
[ $status = 0 ] || echo "coverage: tests failed, or fewer lines than $limit% were run"
exit $status
