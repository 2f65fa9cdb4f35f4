#!/bin/bash
# SPDX-License-Identifier: MIT
# The generated documents are what the tables say.
set -euo pipefail
ebpfmon=${EBPFMON:-./ebpfmon}
"$ebpfmon" list events -f markdown | diff -u docs/manual/events.md - || {
	echo "make docs makes them again"
	exit 1
}
"$ebpfmon" --man | diff -u docs/manual/ebpfmon.8 -
