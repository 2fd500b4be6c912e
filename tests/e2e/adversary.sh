# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The adversarial host: while a guest's disk is slow, so that DMA is in flight
# for long, the host pages the guest's memory out without pause and compacts.
# Used with real pins (adversary.test) and, as the negative control, with a
# host that does not pin (adversary-control.test). $1: the program, $2: the host's
# memory, $3: seconds of single pages, $4: after how many the host is stopped.

adversary() {
	local program=$1
	echo "${3:-15}" >"$E2E_DIR/seconds-of-pages"
	guest_initrd 6.1-cloud -b /sbin/mke2fs=bin/mkfs.ext4 \
		-f "$E2E_DIR/seconds-of-pages=seconds" <<'E2'
while [ ! -b /dev/nvme0n1 ]; do sleep 0.2; done
mkfs.ext4 -q /dev/nvme0n1 && mount /dev/nvme0n1 /mnt || exit 1
echo "io begins"
run() {
	VERIFY_CHUNK=$1 verify loop "$2" "$3" "$4" || echo "verify: failed"
}
# Single pages, which go straight; so many at once that each is in flight for
# most of the time. Without pins this is what shows it.
i=0 s=$(cat /seconds)
while [ $((i += 1)) -le 24 ]; do run 4 /mnt/$i 0.0625 "$s" & done
run 64 /mnt/long 1 "$s" &
wait
# Then much: requests of many single pages each, as long as it takes.
i=0
while [ $((i += 1)) -le 24 ]; do VERIFY_APART=1 run 256 /mnt/$i 11 1 & done
wait
echo "io ended"
E2
	cat >"$E2E_DIR/script" <<E2
. ./host-lib.sh
before=\$(sed -n 's/^pgmigrate_success //p' /proc/vmstat)
viaduct() {
	case \$1 in
	run) shift && command $program run "\$@" ;;
	*) command viaduct "\$@" ;;
	esac
}
# A guest whose memory breaks ends; it need not find out by itself.
run_vm vm --cpus 2 --assign 01:00.0 --no-reboot --append oops=panic
broken() { said vm "verify: "; }
wait_said vm "io begins"
squeeze \$(stat vm pid) 256 300 >squeeze.out &
until said vm "io ended" || broken || [ -e vm.status ]; do
	viaduct ctl --name vm status --json >now.json && mv now.json status.json
	sleep 1
done
echo "migrated \$((\$(sed -n 's/^pgmigrate_success //p' /proc/vmstat) - before))" \
	>migrated.out
! broken || viaduct ctl --name vm quit
vm_status vm
wait
exit 0
E2
	host --device nvme --iops 60 --timeout "${4:-900}" --memory "${2:-1536M}" \
		--program "$lab_build/tests/e2e/prog/viaduct-nopin"
}

adversary_numbers() {
	measured verified_bytes "$(sed -n 's/^verified //p' "$E2E_DIR/vm.log" |
		tr -d '\r' | awk '{ n += $1 } END { print n + 0 }')"
	measured wrong_words "$(sed -n 's/^errors //p' "$E2E_DIR/vm.log" |
		tr -d '\r' | awk '{ n += $1 } END { print n + 0 }')"
	measured swapped_peak_bytes "$(value squeeze.out swapped_peak)"
	measured pageout_rounds "$(value squeeze.out rounds)"
	measured pages_migrated "$(value migrated.out migrated)"
	measured pinned_peak_bytes "$(jq .pinned_peak_bytes "$E2E_DIR/status.json")"
}
