#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs test suites and adds up what they say: tests/run.sh SUITE... ; the last line is
# "N passed, N failed, N skipped". Each skip is shown with its reason.
set -uo pipefail
shopt -s extglob
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

need_cgroup2() {
	grep -q ' - cgroup2 ' /proc/self/mountinfo || {
		mkdir -p /sys/fs/cgroup/unified
		mount -t cgroup2 none /sys/fs/cgroup/unified
	}
}

# cmocka programs, each test by itself
cmocka() {
	local t log ok bad skips status
	for t in "$@"; do
		[[ -x $t && ! $t =~ \.[a-z]+$ ]] || continue
		log=$logs/$(basename "$t").log
		CMOCKA_MESSAGE_OUTPUT=TAP timeout 120 "$t" >"$log" 2>&1
		status=$?
		if [ $status = 77 ]; then
			skip "$(basename "$t")" "$(tail -n 1 "$log")"
			continue
		fi
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

suite_unit() {
	cmocka "$build"/tests/unit/test_*
}

# the BPF programs, called by bpf(2) instead of by the kernel's tracepoints
suite_bpf() {
	[ "$(id -u)" != 0 ] || need_cgroup2
	cmocka "$build"/tests/bpf/test_*
}

# fuzz NAME: its end is left in a file, since several run at once
fuzz() {
	local corpora=("$build/corpus/$1")
	mkdir -p "${corpora[0]}"
	[ ! -d "tests/fuzz/corpus/$1" ] || corpora+=("tests/fuzz/corpus/$1")
	"$build/tests/fuzz/$1" -max_total_time="${FUZZ_SECONDS:-5}" -print_final_stats=1 -artifact_prefix="$logs/" \
		"${corpora[@]}" >"$logs/$1.out" 2>&1
	echo $? >"$logs/$1.status"
}

fuzz_result() {
	cat "$logs/$1.out"
	return "$(cat "$logs/$1.status")"
}

# A minute each in CI, some seconds here: the corpora and what comes near them, how often, and how much of
# the program (in edges) they have come by.
suite_fuzz() {
	local t names=()
	for t in "$build"/tests/fuzz/fuzz_*; do
		[[ -x $t && ! $t =~ \.[a-z]+$ ]] || continue
		names+=("$(basename "$t")")
	done
	for t in "${names[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
			wait -n
		done
		fuzz "$t" &
	done
	wait
	for t in "${names[@]}"; do
		check "$t" fuzz_result "$t"
		echo "  $(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$t.out") executions," \
			"$(grep -oE 'cov: [0-9]+' "$logs/$t.out" | tail -n 1)"
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

# every program as the nearest kernel of tests/vm/programs.tsv has it
native_doctor() {
	"${EBPFMON:-./ebpfmon}" doctor -f json >"$logs/doctor.json" || [ $? = 3 ] || return 1
	tests/vm/programs.py native "$logs/doctor.json"
}

suite_live() {
	if [ "$(id -u)" != 0 ]; then
		skip live "it needs root"
		return
	fi
	need_cgroup2
	check doctor native_doctor
	# shellcheck disable=SC2086 # words
	summed live python3 tests/live/run.py --ebpfmon "${EBPFMON:-./ebpfmon}" -j 2 ${LIVE_OPTIONS:-}
}

# relocations and tracepoints of every program against every kernel
suite_core() {
	summed core python3 tests/core/check.py --build "$build"
	check programs.py tests/vm/programs_test.py
}

# workloads under their own advice: some of those that `make verify` takes
suite_verify() {
	if [ "$(id -u)" != 0 ]; then
		skip verify "it needs root"
		return
	fi
	check strace.overlap python3 tests/verify/truth.py
	summed verify python3 tests/verify/verify.py --quick --table "$logs/verify.table"
}

# one profile under Docker, and under this and the newest runc; what it leaves in build/portable is for virtual machines, too
suite_portable() {
	if [ "$(id -u)" != 0 ]; then
		skip portable "it needs root"
		return
	fi
	check portable.record python3 tests/verify/portable.py record || return
	summed portable python3 tests/verify/portable.py verify runc newer:runc docker:newer:runc
}

# the same file as it is made here, in a virtual machine: what this host cannot run
portable_vm() {
	local cache=${EBPFMON_CACHE:-$HOME/.cache/ebpfmon} shares=(--share "$PWD")
	local -x PORTABLE_WORKLOAD=${PORTABLE_WORKLOAD:-busybox} # a server takes a machine that nobody else uses
	python3 tests/verify/portable.py record || return
	tests/verify/newer.sh >/dev/null 2>&1 && shares+=(--share "$cache/runtimes")
	tests/vm/run.sh --kernel 6.12 --memory 2048 "${shares[@]}" --env EBPFMON_CACHE="$cache" --env VERIFY_TIMEOUT=120 \
		--env PORTABLE_WORKLOAD="$PORTABLE_WORKLOAD" --timeout 1500 -- python3 tests/verify/portable.py verify \
		crun newer:crun newer:runc podman
}

# Kernels as KERNEL= takes them: NAME[/arm64][/v1|/hybrid], cgroup v2 if nothing else is said; and portable, a machine
# for portable_vm. Those that take long first.
vm_all='6.12 6.1 7.3 6.1/arm64 7.3/arm64 5.10 6.1/v1 6.1/hybrid 7.2 portable 6.12/arm64 5.10-rt 6.1-rt 6.18 6.16 5.10/arm64'
vm_ci='6.1 5.10 6.1/v1 7.3 portable'
vm_events='runc/(process|syscall|file|ipc|tcp|capability)'
vm_own='attacks.(host_disk|release_agent|binfmt)|faults.clock_back' # what changes the machine
vm_arm64='runc/(process|syscall|file|ipc|tcp)|refused.offline' # without fexit: no capability.checks
vm_hooks='runc/(process|capability|syscall.(calls|io)|file.(open$|io|rename|paths)|ipc.(signal|unix$|sysv.shm)|tcp.(talk|datagrams))'
vm_more="$vm_hooks|runc/(file.inherit|tcp.(exist|still))|refused.offline" # with a recording of their own
vm_cases='case.(new_parent|start_stop|tree|phases|exec|attached)' # what of it depends on the kernel
vm_engines='engines/|docker/(process.exec|case.start_stop|identity.list)$' # Docker's daemon on the machine itself

# vm_options KERNEL: which live tests it runs. On 6.12 all that depend on the kernel; each event on the oldest, the newest,
# and on arm64; one of each kind of hook on the rest. The times are in docs/test/vm.md. Two tests at a time, since each
# waits for the next sweep half of its time.
vm_options() {
	local runtime=runc tests
	case $1${VM_CI:+/ci} in
	6.12) tests="$vm_events|refused.(program|field|offline)|runc/(attribution|identity.(?!later)|$vm_cases|message|attack|advice.seccomp|truth.(shell|tar))|$vm_own" ;;
	6.1 | 6.1/ci) runtime=runc,docker,engines tests="$vm_more|$vm_engines|$vm_own" ;;
	*/v1* | */hybrid*) runtime=runc,docker,engines tests="runc/process|runc/file.open$|$vm_engines|attacks.release_agent" ;;
	6.1/arm64*) tests=$vm_arm64 ;;
	5.10/arm64*) tests='runc/(process.(fork|credentials)|syscall.calls|ipc.signal|tcp.talk)' ;;
	5.10) tests="$vm_events|refused.(program|offline)|faults.memlock" ;;
	5.10/ci) tests="$vm_more|faults.memlock" ;;
	7.3) tests="$vm_events|refused.offline" ;;
	7.3/ci) tests=$vm_more ;;
	*) tests=$vm_hooks ;;
	esac
	echo "--runtime $runtime -j 2 -k ^($tests)"
}

# in_vm KERNEL OPTION...: the doctor and these live tests in a virtual machine; none: the doctor alone
in_vm() {
	local k=$1 arch=amd64 cgroup=v2 exe=$PWD/ebpfmon tests=$PWD/$build/tests/trigger
	shift
	[[ $k != */v1 ]] || cgroup=v1
	[[ $k != */hybrid ]] || cgroup=hybrid
	[[ $k != */arm64* ]] || arch=arm64 exe=$PWD/build/arm64/ebpfmon tests=$PWD/build/arm64/tests/trigger
	tests/vm/run.sh --kernel "${k%%/*}" --arch $arch --cgroup $cgroup --memory 2048 --share "$PWD" --timeout 5400 \
		--out "$build/vm/${k//\//+}" --env LIVE_SHARED=1 --env LIVE_START_TIMEOUT=600 --env LIVE_RUN_TIMEOUT=900 -- \
		tests/vm/guest/tests "$exe" "$tests" "$@"
}

# timed_vm NAME COMMAND...: and at the end what it took, as a line of the machine's own. The processor's time
# is what can be compared: others may work on the same machine.
timed_vm() {
	local name=$1 load TIMEFORMAT
	shift
	read -r load _ </proc/loadavg
	TIMEFORMAT="vm: kernel $name: %0lR; of a processor %0lU, system %0lS; load before $load"
	time "$@"
}

# What the doctor said in each machine against tests/vm/programs.tsv, and the live tests' results.
vm_results() {
	local k
	for k in "$@"; do
		if [ "$k" = portable ]; then
			sed -n 's/^vm: kernel/  &/p' "$logs/vm-portable.out"
			summed vm-portable cat "$logs/vm-portable.out"
			continue
		fi
		check "vm-${k//\//-}.programs" tests/vm/programs.py check "$k" "$build/vm/${k//\//+}/doctor.json"
		# another kernel than the one asked for; what the kernel complained of; what it took
		sed -n 's/^vm: kernel/  &/p' "$logs/vm-${k//\//-}.out" | sort -u
		[ -z "${VM_OPTIONS:-$(vm_options "$k")}" ] || summed "vm-${k//\//-}" cat "$logs/vm-${k//\//-}.out"
	done
}

# Makes tests/vm/programs.tsv anew, by what the doctor says on these kernels.
suite_vm_update() {
	local k kernels
	read -r -a kernels <<<"${KERNEL:-$vm_all}"
	rm -rf "$build/vm/doctor"
	mkdir -p "$build/vm/doctor"
	for k in "${kernels[@]}"; do
		[[ $k != @(portable|*/v1|*/hybrid) ]] || continue
		check "doctor on $k" in_vm "$k" || continue
		cp "$build/vm/${k//\//+}/doctor.json" "$build/vm/doctor/${k//\//+}.json"
	done
	check programs.tsv tests/vm/programs.py update "$build/vm/doctor"
}

# The same live tests in virtual machines; emulation keeps one CPU busy for each.
suite_vm() {
	local k kernels options
	read -r -a kernels <<<"${KERNEL:-${VM_CI:+$vm_ci}}"
	[ ${#kernels[@]} != 0 ] || read -r -a kernels <<<"$vm_all"
	for k in "${kernels[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "${VM_JOBS:-$(nproc)}" ]; do
			wait -n
		done
		if [ "$k" = portable ]; then
			timed_vm portable portable_vm >"$logs/vm-portable.out" 2>&1 &
			continue
		fi
		read -r -a options <<<"${VM_OPTIONS:-$(vm_options "$k")}"
		rm -rf "$build/vm/${k//\//+}"
		timed_vm "$k" in_vm "$k" "${options[@]}" >"$logs/vm-${k//\//-}.out" 2>&1 &
	done
	wait
	vm_results "${kernels[@]}"
}

for suite in "$@"; do
	"suite_$suite"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ $((passed + skipped)) != 0 ]
