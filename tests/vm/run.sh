#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Run a command as root in a virtual machine with a chosen kernel; see docs/test/vm.md.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/vm/kernel.sh
. "$vm_dir/kernel.sh"
# shellcheck source=tests/vm/image.sh
. "$vm_dir/image.sh"

kernel=6.1
vm_arch=amd64
cgroup=v2
timeout=300
grace=60 # seconds to boot and to collect /out, on top of the command's time
memory=1024
cpus=2
append=
console=
out=
action=run
shares=()
environment=()
command=()

usage() {
	cat <<-END
	usage: tests/vm/run.sh [OPTION]… -- COMMAND [ARGUMENT]…
	       tests/vm/run.sh --prepare [--kernel NAME]
	       tests/vm/run.sh --list

	Runs COMMAND as root in a virtual machine, with its output on ours, and ends with its exit status.

	  --kernel NAME      the kernel ($(kernel_names | paste -sd' ')); default $kernel
	  --arch NAME        amd64 (default) or arm64
	  --share DIR        make DIR readable in the machine, at the same path; may be repeated
	  --out DIR          afterwards copy the machine's /out to DIR
	  --env NAME=VALUE   set a variable for COMMAND; may be repeated
	  --timeout SECONDS  kill COMMAND after that time; default $timeout
	  --cgroup KIND      v2 (default), v1 or hybrid
	  --memory MIB       default $memory
	  --cpus N           default $cpus
	  --append WORDS     more words for the kernel's command line, as 'lsm=lockdown,yama,bpf'
	  --console FILE     where the kernel's messages go; default: shown only if the machine dies
	  --prepare          only fetch the kernel and make the root disk
	  --list             list the kernels

	COMMAND starts in the current directory if that is shared, otherwise in /.

	Exit status: COMMAND's (128+N if signal N killed it); $vm_exit_timeout it took too long; $vm_exit_died the
	machine died; $vm_exit_failed the machine could not be made or started.
	END
}

# Read the command line into the variables above.
parse_options() {
	local option
	while [ $# -gt 0 ]; do
		option=$1
		shift
		case $option in
		--) command=("$@"); break ;;
		-h | --help) usage; exit 0 ;;
		--list) action=list; continue ;;
		--prepare) action=prepare; continue ;;
		esac
		[ $# -gt 0 ] || vm_die "$option: unknown option, or its value is missing (try --help)"
		case $option in
		--kernel) kernel=$1 ;;
		--arch) vm_arch=$1 ;;
		--share) shares+=("$(realpath -s -- "$1")") ;;
		--out) out=$(realpath -m -- "$1") ;;
		--env) environment+=("$1") ;;
		--timeout) timeout=$1 ;;
		--cgroup) cgroup=$1 ;;
		--memory) memory=$1 ;;
		--cpus) cpus=$1 ;;
		--append) append=$1 ;;
		--console) console=$(realpath -m -- "$1") ;;
		*) vm_die "unknown option $option (try --help)" ;;
		esac
		shift
	done
}

# Refuse what would otherwise fail late, in the guest, with a message of someone else's.
check_options() {
	local number share
	for number in "$timeout" "$memory" "$cpus"; do
		[[ $number =~ ^[1-9][0-9]*$ ]] || vm_die "not a number above 0: $number"
	done
	case $vm_arch in amd64 | arm64) ;; *) vm_die "--arch: not amd64 or arm64: $vm_arch" ;; esac
	case $cgroup in v1 | v2 | hybrid) ;; *) vm_die "--cgroup: not v1, v2 or hybrid: $cgroup" ;; esac
	for share in "${shares[@]}"; do
		[ -d "$share" ] || vm_die "--share: not a directory: $share"
		case $share in
		/ | /bin | /dev | /dev/* | /etc | /lib | /lib64 | /out | /proc | /proc/* | /run | /run/* | \
			/sbin | /sys | /sys/* | /tmp | /usr | /var)
			vm_die "--share: would hide the machine's own: $share" ;;
		*[[:space:],]*) vm_die "--share: spaces and commas cannot be passed on: $share" ;;
		esac
	done
	# A directory inside another shared one is mounted after it.
	[ ${#shares[@]} -eq 0 ] || mapfile -t shares < <(printf '%s\n' "${shares[@]}" | LC_ALL=C sort -u)
	[ "$action" != run ] || [ ${#command[@]} -gt 0 ] || vm_die "no command (try --help)"
}

# The command as a script for bash in the guest: the shell's own quoting carries any argument.
write_command() {
	local entry
	printf 'cd %q 2>/dev/null || cd /\n' "$PWD"
	printf 'export EBPFMON_VM=%q\n' "$kernel"
	for entry in "${environment[@]}"; do
		printf 'export %q\n' "$entry"
	done
	printf 'exec'
	printf ' %q' "${command[@]}"
	printf '\n'
}

# The run's own part of the initramfs; the kernel unpacks one archive after the other.
# $1: file with the kernel's part. $2: file to write.
write_initrd() {
	local tree=$work/initrd index=0 share
	mkdir -p "$tree/vm"
	install -m 755 "$vm_dir/guest/init" "$tree/init"
	install -m 755 "$vm_dir/guest/main" "$tree/vm/main"
	write_command >"$tree/vm/command"
	printf 'cgroup=%s timeout=%s collect_out=%d\n' "$cgroup" "$timeout" "${out:+1}" >"$tree/vm/settings"
	for share in "${shares[@]}"; do
		printf 'share%d %s\n' $((index++)) "$share"
	done >"$tree/vm/shares"
	{ cat "$1"; (cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null); } >"$2"
}

# Add a disk to qemu's arguments. $1: serial, by which the guest finds it. $2: image. $3: its options.
add_disk() {
	qemu+=(-drive "file=$2,format=raw,if=none,id=$1,cache=unsafe,$3"
		-device "virtio-blk-pci,drive=$1,serial=$1")
}

# Add a port to qemu's arguments, on which the guest writes to a file of ours. $1: name. $2: file.
add_port() {
	qemu+=(-chardev "file,id=$1,path=$2" -device "virtserialport,chardev=$1,name=$1")
}

# qemu's arguments, in the array qemu. $1: directory of the kernel. $2: root disk.
# thread=single: with a thread for each CPU, qemu 7.2 may go on executing an instruction that another CPU
# has overwritten. Kernels overwrite theirs whenever a tracepoint is attached, and die of it (docs/test/vm.md).
# apparmor=0: without its parser, which would be one more package, Docker and LXC refuse to start anything.
build_qemu() {
	local index=0 share tty=ttyS0 words="loglevel=5 panic=-1 oops=panic apparmor=0 rdinit=/init"
	# on a busy host the timer's ticks come too late for a test at boot, which would panic
	[ "$vm_arch" = arm64 ] || words+=" no_timer_check"
	# without erms and fsrm: kernels that see them copy by "rep movsb", which is emulated byte by byte
	qemu=(qemu-system-x86_64 -cpu "max,-erms,-fsrm")
	if [ "$vm_arch" = arm64 ]; then
		# pauth-impdef: emulating the real signatures of pointers takes half of the time
		qemu=(qemu-system-aarch64 -M virt -cpu 'max,pauth-impdef=on')
		tty=ttyAMA0
	fi
	qemu+=(-accel 'tcg,thread=single' -smp "$cpus" -m "$memory"
		-nodefaults -no-user-config -display none -no-reboot -rtc base=utc
		-kernel "$1/vmlinuz" -initrd "$work/initrd.cpio" -append "console=$tty $words $append"
		-chardev "file,id=console,path=$work/console" -serial chardev:console
		-device virtio-serial-pci)
	add_port stdout "$work/stdout"
	add_port stderr "$work/stderr"
	add_port status "$work/status"
	[ -z "$out" ] || add_port out "$work/out.tar"
	# snapshot=on: writes go to a file in TMPDIR that goes away, so runs share one disk.
	add_disk root "$2" snapshot=on
	add_disk modules "$1/modules.ext4" readonly=on
	for share in "${shares[@]}"; do
		vm_disk_of "$share" "$work/share$index"
		add_disk "share$index" "$work/share$index" readonly=on
		index=$((index + 1))
	done
}

# Start qemu and wait for it and for the last of its output. Sets gone, the status of timeout(1).
run_qemu() {
	local readers=()
	mkfifo "$work/stdout" "$work/stderr"
	# Held open here, so that a qemu that dies early leaves no reader waiting for a writer.
	exec {hold_out}<>"$work/stdout" {hold_err}<>"$work/stderr"
	cat "$work/stdout" {hold_out}>&- {hold_err}>&- &
	readers+=($!)
	cat "$work/stderr" >&2 {hold_out}>&- {hold_err}>&- &
	readers+=($!)
	TMPDIR=$work timeout -k 5 $((timeout + grace)) "${qemu[@]}" \
		</dev/null >"$work/qemu.log" 2>&1 {hold_out}>&- {hold_err}>&- &
	machine=$!
	gone=0
	wait "$machine" || gone=$?
	machine=
	exec {hold_out}>&- {hold_err}>&-
	wait "${readers[@]}" || true
}

# Say what the machine said last. $1: why.
show_death() {
	vm_say "$1; the last of qemu's and the kernel's messages:"
	{ cat "$work/qemu.log"; tail -n 60 "$work/console" 2>/dev/null || true; } | sed 's/\r$//; s/^/vm: | /' >&2
}

# Turn what is left of the machine into an exit status.
conclude() {
	local status
	[ -z "$console" ] || cat "$work/console" >"$console"
	if [ -n "$out" ] && [ -s "$work/out.tar" ]; then
		mkdir -p "$out"
		tar -C "$out" -xf "$work/out.tar" || vm_say "/out arrived incomplete"
	fi
	# A warning of the kernel's is no failure of the command, but nobody should miss it.
	grep -aE 'WARNING:|BUG:|Oops:|INFO: (task|rcu)' "$work/console" 2>/dev/null |
		sed "s/\r\$//; s/^/vm: kernel $kernel: /" >&2 || true
	status=$(cat "$work/status" 2>/dev/null || true)
	case $status in
	timeout)
		vm_say "the command took more than $timeout s"
		exit "$vm_exit_timeout"
		;;
	[0-9]*) exit "$status" ;;
	esac
	if [ "$gone" = 124 ] || [ "$gone" = 137 ]; then
		show_death "the machine hung: nothing after $((timeout + grace)) s"
		exit "$vm_exit_timeout"
	elif [ ! -s "$work/console" ] && [ "$gone" != 0 ]; then
		show_death "qemu failed"
		exit "$vm_exit_failed"
	fi
	if grep -q 'Kernel panic' "$work/console"; then
		show_death "the kernel panicked"
	else
		show_death "the machine ended without the command's status"
	fi
	exit "$vm_exit_died"
}

# Leave nothing behind, whatever ended us.
clean_up() {
	[ -z "${machine:-}" ] || kill "$machine" 2>/dev/null || true
	[ -z "${work:-}" ] || rm -rf "$work"
}

main() {
	local directory disk
	parse_options "$@"
	check_options
	if [ "$action" = list ]; then
		kernel_names
		return
	fi
	vm_need_emulator
	directory=$(kernel_get "$kernel")
	disk=$(image_get)
	[ "$action" = run ] || return 0
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	work=$(mktemp -d "${TMPDIR:-/tmp}/ebpfmon-vm.XXXXXX")
	write_initrd "$directory/initrd.cpio" "$work/initrd.cpio"
	build_qemu "$directory" "$disk"
	run_qemu
	conclude
}

main "$@"
