# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Packages by the machine's own apt configuration, downloaded and unpacked, not
# installed. Sourced after common.sh by scripts that have a folder $work.

codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
apt_opts=()

# A private apt: our sources, our lists, nothing of the machine's is changed.
# With an argument, for that architecture and no other.
private_apt() {
	local archive
	archive=$(apt-get indextargets --format \
		'$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)' |
		awk -v r="$codename" '$1 == "Packages" && $2 == r &&
			$3 == "main" { print $4; exit }')
	[ -n "$archive" ] ||
		die "apt knows no archive for $codename; run apt-get update"
	mkdir -p "$work"/apt/{state/lists/partial,cache/archives/partial,parts}
	apt-get indextargets --format \
		'$(CREATED_BY) deb $(REPO_URI) $(RELEASE) $(COMPONENT)' |
		awk -v r="$codename" '$1 == "Packages" && index($4, r) == 1 &&
			$5 == "main" { $1 = ""; print }' | sort -u \
		>"$work/apt/list"
	echo "deb $archive $codename-backports main" >>"$work/apt/list"
	apt_opts=(-o Dir::State="$work/apt/state"
		-o Dir::State::status=/var/lib/dpkg/status
		-o Dir::Cache="$work/apt/cache"
		-o Dir::Etc::SourceList="$work/apt/list"
		-o Dir::Etc::SourceParts="$work/apt/parts"
		-o APT::Sandbox::User=root -o Acquire::Languages=none
		${1:+-o APT::Architecture="$1" -o APT::Architectures="$1"})
	apt-get "${apt_opts[@]}" update -qq
}

# The packages that $1 depends on and whose names match $3; $1's newest version
# in the suites that match $2 is asked.
depends() {
	local version
	version=$(apt-cache "${apt_opts[@]}" madison "$1" |
		awk -v s="$2" '$6 ~ ("^" s "/") { print $3; exit }')
	[ -n "$version" ] || die "no package $1 in $2"
	apt-cache "${apt_opts[@]}" show "$1=$version" |
		sed -n 's/^Depends: //p' | tr ',|' '\n\n' |
		sed 's/^ *//; s/ .*//' | grep -E "$3"
}

# Package $1 into folder $2; from suite $3, or the newest.
unpack() {
	(cd "$work" && apt-get "${apt_opts[@]}" ${3:+-t "$3"} download -qq "$1") ||
		die "cannot download $1"
	dpkg-deb -x "$work/$1"_*.deb "$2"
	rm -f "$work/$1"_*.deb
}
