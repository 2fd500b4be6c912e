# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What the end-to-end tests share. Sourced by each NAME.test.
#
# A test makes a guest (guest_initrd), writes the host's script to
# $E2E_DIR/script, and starts the lab's host (host). In the host's script,
# helpers of host-lib.sh are at hand.
set -eu -o pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lab/common.sh
. "$here/../../lab/common.sh"
: "${E2E_DIR:?is set by tests/e2e/run}"

# A value measured; one word.
measured() {
	echo "$1 $2" >>"$E2E_DIR/measured"
}

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

# guest_initrd KERNEL <SCRIPT [OPTIONS OF lab/initrd]: the kernel and an initial
# file system whose /guest is the script, as vmlinuz and initrd in $E2E_DIR. It
# is appended to $guest_base, or to what lab/guest has made for the kernel.
guest_initrd() {
	local kernel=$1 work
	shift
	work=$(mktemp -d)
	cat >"$work/guest"
	"$lab_dir/initrd" -o "$work/own" -f "$work/guest=guest" \
		-b "$lab_build/tests/e2e/prog/verify" "$@"
	cat "${guest_base:-$lab_build/lab/guest/initrd-$kernel}" "$work/own" \
		>"$E2E_DIR/initrd"
	cp "$lab_build/lab/guest/vmlinuz-$kernel" "$E2E_DIR/vmlinuz"
	rm -rf "$work"
}

# Start the host with viaduct and the tests' programs; options of lab/host.
host() {
	cp "$here/host-lib.sh" "$E2E_DIR/"
	"$lab_dir/host" --dir "$E2E_DIR" \
		--program "$lab_build/cli/viaduct" \
		--program "$lab_build/tests/e2e/prog/squeeze" \
		--program "$lab_build/tests/e2e/prog/verify" "$@"
}

# The value of "key value" in a file of $E2E_DIR; empty if there is none.
value() {
	sed -n "s/^$2 \\(.*\\)/\\1/p" "$E2E_DIR/$1" | tr -d '\r' | tail -n 1
}
