#!/bin/bash
# SPDX-License-Identifier: MIT
# The completion that `ebpfmon --completion bash` prints, asked as bash asks it.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0

ebpfmon=${EBPFMON:-./ebpfmon}
script=$("$ebpfmon" --completion bash)
shellcheck -s bash - <<<"$script"

# complete WORD...: what is offered for the last of the words, one a line
complete() {
	bash --norc --noprofile -c '
		source /dev/stdin <<<"$1"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_ebpfmon
		printf "%s\n" "${COMPREPLY[@]}"' - "$script" "$@"
}

# offers WANTED WORD...: all of the wanted, separated by blanks, are offered
offers() {
	local want=$1 w got
	shift
	got=$(complete "$@")
	for w in $want; do
		grep -qxF -- "$w" <<<"$got" || {
			echo "'$*': $w is not offered"
			bad=1
		}
	done
}

# only WANTED WORD...: they, and nothing else
only() {
	local want=$1 got
	shift
	got=$(complete "$@" | sort | paste -sd' ')
	[ "$got" = "$want" ] || {
		echo "'$*': wanted $want, got $got"
		bad=1
	}
}

# independent of the tables: what the manual pages and --help say
commands=$("$ebpfmon" --help | sed -nE 's/^  ebpfmon ([a-z]+) +[a-z].*/\1/p' | sort -u)
offers "$commands --version --container" ./ebpfmon ""
for c in record run recommend diff check calibrate; do
	options=$("$ebpfmon" $c --help | grep -oE '^  (-.,|  ) --[a-z-]+' | grep -oE -- '--.*')
	offers "$options" ./ebpfmon $c --
done
events=$("$ebpfmon" list events -f json | python3 -c 'import json,sys
for e in json.load(sys.stdin): print(e["name"])' | paste -sd' ')
[ -n "$events" ]
offers "$events process tcp" ./ebpfmon -e ""
only "process.exec process.exec_failed" ./ebpfmon run -e process.exec
only "file,tcp.connect" ./ebpfmon -e file,tcp.con
only "-file.open" ./ebpfmon -e -file.op
only "always" ./ebpfmon --color = al
only "json jsonl" ./ebpfmon -f j
only "events" ./ebpfmon list ev
only "kubernetes" ./ebpfmon recommend ku
only "oci" ./ebpfmon recommend capabilities -f o
only "text" ./ebpfmon diff -f t
only "json" ./ebpfmon doctor -f j
only "" ./ebpfmon -d ""
offers "cat" ./ebpfmon run -q -- ca
only "/etc/hostname" ./ebpfmon run -- cat /etc/hostnam
exit $bad
