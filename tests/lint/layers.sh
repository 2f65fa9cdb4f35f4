#!/bin/bash
# SPDX-License-Identifier: MIT
# Dependencies go one way (docs/design): who includes what he must not, is named.
set -euo pipefail
bad=0

# forbid FILES PATTERN WHY: no file of FILES may include PATTERN
forbid() {
	local hits
	# shellcheck disable=SC2086 # a list of names
	hits=$(grep -nE "^#include [<\"]($2)" $1 || true)
	[ -z "$hits" ] || {
		echo "$3:"
		echo "$hits"
		bad=1
	}
}

pure="src/schema.* src/record.* src/value.* src/names.h src/columns.* src/buf.* src/utf8.* src/events_doc.* src/file_names.* src/process_table.* src/container/cgroup_path.*"
user=$(git ls-files 'src/*.c' 'src/*.h' | grep -vE '^src/(loader|source|bpf_objects)\.')

forbid "$user" 'bpf/' 'only the loader and the source know libbpf'
forbid "$pure" '(stdio_ext|fcntl|unistd|dirent|sys/stat|sys/mman|bpf/).*' 'pure code does no I/O' || true
forbid "$(git ls-files 'src/sink_*' 'src/report/*')" '(loader|source|pipeline|recorder)\.h' 'sinks know the schema and the container table, nothing above them'
forbid "$(git ls-files 'bpf/*')" '(stdio|stdlib|string)\.h' 'BPF code has no C library'
forbid "$(git ls-files 'include/*')" '(bpf|stdio|stdlib)' 'include/ knows nothing'
exit $bad
