#!/bin/bash
# SPDX-License-Identifier: MIT
# The main job on a real workload, for `make run`: a container that runs already, else a demo.
set -euo pipefail

ebpfmon=${1:-./ebpfmon}
report=${REPORT:-report.json}

if [ "$(id -u)" != 0 ]; then
	echo "make run records what containers do, which takes root: sudo make run" >&2
	exit 1
fi
# the default cgroup hierarchy is there on every host, but not always mounted
if ! grep -q ' - cgroup2 ' /proc/self/mountinfo; then
	mkdir -p /sys/fs/cgroup/unified
	mount -t cgroup2 none /sys/fs/cgroup/unified
fi

first=$("$ebpfmon" list containers -f json | sed -n 's/^.*"id":[[:space:]]*"\([^"]*\)".*$/\1/p' | head -n 1)
if [ -n "$first" ]; then
	echo "Recording the running container $first for 10 seconds ..."
	"$ebpfmon" --container "$first" --duration 10s --output "$report" --summary
else
	echo "No container runs here: recording a demo ..."
	"$ebpfmon" run --name demo --output "$report" --summary -- "$(dirname "$0")/demo.sh"
fi
echo
echo "The report is in $report; a look inside: jq .summary $report"
