# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Packages by the machine's own apt configuration, downloaded and unpacked, not
# installed. Sourced after common.sh by scripts that have a folder $work.

codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
apt_opts=()

# The machine's own suites, "URI SUITE" in a line each.
own_suites() {
	apt-get indextargets --format \
		'$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)' |
		awk -v r="$codename" '$1 == "Packages" && index($2, r) == 1 &&
			$3 == "main" { sub("/$", "", $4); print $4, $2 }' |
		sort -u
}

# The archive that the release itself is taken from.
archive() {
	local uri
	uri=$(own_suites | awk -v r="$codename" '$2 == r { print $1; exit }')
	[ -n "$uri" ] ||
		die "apt knows no archive for $codename; run apt-get update"
	echo "$uri"
}

# apt_world NAME STATUS [ARCH] <SOURCES: an apt with sources and lists of its
# own, that takes for installed what the file STATUS says; for architecture
# ARCH, or the machine's. Nothing of the machine's is changed.
apt_world() {
	local dir=$work/apt-$1
	mkdir -p "$dir"/{state/lists/partial,cache/archives/partial,parts}
	cat >"$dir/list"
	apt_opts=(-o Dir::State="$dir/state"
		-o Dir::State::status="$2"
		-o Dir::Cache="$dir/cache"
		-o Dir::Etc::SourceList="$dir/list"
		-o Dir::Etc::SourceParts="$dir/parts"
		-o APT::Sandbox::User=root -o Acquire::Languages=none
		${3:+-o APT::Architecture="$3" -o APT::Architectures="$3"})
	apt-get "${apt_opts[@]}" update -qq
}

# The machine's own suites, its backports and the releases $2...; $1 is the
# architecture, or empty.
private_apt() {
	local from suite arch=$1
	from=$(archive)
	shift
	apt_world own /var/lib/dpkg/status "$arch" < <({
		own_suites
		for suite in "$codename-backports" "$@"; do
			echo "$from $suite"
		done
	} | sort -u | sed 's/.*/deb & main/')
}

# Release $1 and its backports alone, with nothing installed.
release_apt() {
	local from
	from=$(archive)
	: >"$work/nothing"
	apt_world "$1" "$work/nothing" \
		< <(printf "deb $from %s main\n" "$1" "$1-backports")
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

# Package $1 and all that it needs, as release_apt()'s apt resolves it, into
# folder $2; from suite $3 where that has it.
unpack_closure() {
	local deb
	apt-get "${apt_opts[@]}" -t "$3" install -qq -y --download-only \
		--no-install-recommends "$1" >/dev/null ||
		die "cannot download $1 and what it needs"
	for deb in "$work/apt-"*/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$2"
		rm "$deb"
	done
}
