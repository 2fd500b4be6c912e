# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
# For the scripts that end-to-end tests run in the lab's host (busybox sh, in
# the shared folder). Sourced with ". ./host-lib.sh".
set -u

# What the machines' threads are doing: state, time in user and kernel, where it waits.
threads() {
	for t in /proc/[0-9]*/task/[0-9]*; do
		case $(cat "$t/comm" 2>/dev/null) in
		*viaduct* | vcpu* | kvm*) ;;
		*) [ "$(cat "${t%/task/*}/comm" 2>/dev/null)" = viaduct ] || continue ;;
		esac
		echo "${t##*/} $(cat "$t/comm") $(sed 's/.*) //' "$t/stat" |
			cut -d' ' -f1,12,13) $(cat "$t/wchan")"
	done 2>/dev/null
}

# For whoever wants to know why: two looks, so that what runs is told from what
# waits. In state.out, and threads in the log.
say_state() {
	threads >before.out
	cat /proc/interrupts >state.out
	sleep 2
	threads | diff before.out - | grep '^[<>]' | head -n 40
	grep -v ' [RZ] ' before.out | head -n 40
	for s in /run/viaduct/*.sock; do
		timeout 10 viaduct ctl --name "$(basename "$s" .sock)" counters
	done >>state.out 2>&1
	cat /proc/interrupts >>state.out
	dmesg | tail -n 20 >>state.out
}

fail() {
	echo "FAIL: $*"
	say_state
	exit 1
}

# run_vm NAME ARGS...: start a virtual machine in the background; its console
# goes to NAME.log, its exit status to NAME.status.
run_vm() {
	vm=$1
	shift
	rm -f "$vm.status"
	(
		viaduct run --name "$vm" --kernel vmlinuz --initrd initrd \
			--memory 512M --cmdline "console=ttyS0 quiet panic=-1" \
			"$@" >"$vm.log" 2>&1
		echo $? >"$vm.status"
	) &
}

# wait_for SECONDS COMMAND...: until the command succeeds. SECONDS is what an
# idle machine needs, and more; a busy one gets four times as long.
wait_for() {
	left=$(($1 * 20))
	shift
	until "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.2
	done
}

# The VM has ended; its exit status.
vm_status() {
	wait_for "${2:-120}" test -e "$1.status" ||
		fail "$1 did not end: $(tail -n 5 "$1.log")"
	cat "$1.status"
}

said() {
	grep -q "$2" "$1.log" 2>/dev/null
}

# wait_said NAME TEXT [SECONDS]: the guest has printed it; fails if it cannot
# any more.
said_or_over() {
	said "$1" "$2" || [ -e "$1.status" ]
}

wait_said() {
	wait_for "${3:-60}" said_or_over "$1" "$2"
	said "$1" "$2" || fail "$1 did not say '$2'"
}

# stat NAME FIELD: a number of the VM's status.
stat() {
	viaduct ctl --name "$1" status --json |
		tr ',{}' '\n\n\n' | sed -n "s/^ *\"$2\": *//p" | head -n 1
}
