# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What the lab's scripts share. Sourced, with set -eu.

lab_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab_top=$(dirname "$lab_dir")
lab_build=${VIADUCT_BUILD:-$lab_top/build}
lab_cache=${VIADUCT_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/viaduct}
export lab_dir lab_top lab_build lab_cache

# The kernels that the lab knows, by name.
lab_kernels=(6.1 6.1-cloud 6.12 6.12-cloud newest)

# A PATH that begins with what builds modules for kernel $1, where that is not
# the machine's own compiler.
lab_tools() {
	local own=$lab_cache/kernel/$1/usr/bin
	echo "$([ ! -d "$own" ] || echo "$own:")$PATH"
}

# The release whose emulator the lab uses, and where that is.
lab_emulator_release=trixie
lab_emulator=$lab_cache/emulator/$lab_emulator_release
export lab_emulator_release lab_emulator

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}
