# SPDX-License-Identifier: GPL-2.0-or-later
#
# The cached Debian 13 root: made once per list of packages, never changed afterwards, used by
# `lab root` for compiling and testing and, as a disk image, by the machines.
# Sourced by common.sh.  An entry of the cache is a folder root-KEY:
#   root/      the tree        kernels    lines "stable KV" and "next KV"
#   inroot     runs a command in it       linux-source.tar.xz   source of the next kernel
# shellcheck shell=bash

# The inputs of the root: a change of any of them makes a new entry.
root_inputs()
{
	cat "$LAB_D/packages" "$LAB_D/root-next-kernel" "$LAB_D/host/inroot.c"
	declare -f root_bootstrap root_extend
}

root_packages()
{
	sed 's/#.*//' "$LAB_D/packages" | xargs -n 1 | sort -u
}

# Packages that `lab build --with` added for this tree, sorted, one a line.
root_extra_packages()
{
	[[ ! -e $LAB_BUILD/with ]] || cat "$LAB_BUILD/with"
}

# root_key [base]: name of the cache entry; base leaves the added packages out.
root_key()
{
	{
		root_inputs
		[[ ${1-} == base ]] || root_extra_packages
	} | hash_of
}

# root_dir: prints the cache entry's path, making it first if need be.
root_dir()
{
	local base entry
	base=$LAB_CACHE/root-$(root_key base)
	entry=$LAB_CACHE/root-$(root_key)

	[[ -e $base/kernels ]] || with_lock root root_build_base "$base" >&2 || return
	[[ -e $entry/kernels ]] || with_lock root root_build_extra "$base" "$entry" >&2 || return
	: >"$entry/used"
	echo "$entry"
}

# cache_prune: removes what no call used for two weeks; entries say by their file `used`.
cache_prune()
{
	local entry

	find "$LAB_CACHE" -mindepth 2 -maxdepth 2 -name used -mtime +14 -printf '%h\n' |
		while read -r entry; do
			say "removing $entry, not used for two weeks"
			rm -rf "$entry"
		done
	find "$LAB_CACHE" -mindepth 1 -maxdepth 1 -name 'tmp.*' -mtime +1 -exec rm -rf {} +
}

# root_kernel stable|next: prints the release of that kernel.
root_kernel()
{
	local entry
	entry=$(root_dir) || return
	awk -v k="$1" '$1 == k { print $2 }' "$entry/kernels"
}

# root_exec COMMAND…: runs it in the root with the tree at /src and there; see host/inroot.c.
root_exec()
{
	local entry
	entry=$(root_dir) || return
	"$entry/inroot" "$entry" "$LAB_TREE" "$@"
}

root_build_base()
{
	local entry=$1 tmp

	[[ ! -e $entry/kernels ]] || return 0
	((EUID == 0)) || die "making the Debian 13 root needs root rights"
	host_needs mmdebstrap:mmdebstrap unshare:util-linux flock:util-linux
	tmp=$(mktemp -d "$LAB_CACHE/tmp.root.XXXXXX") || return
	chmod 755 "$tmp"
	progress "making a Debian 13 root with compilers and kernels (once, about 3 minutes)" \
		"$LAB_BUILD/log/root.log" root_bootstrap "$tmp" ||
		{ rm -rf "$tmp"; die "no Debian 13 root"; }
	mv -T "$tmp" "$entry"
	cache_prune
}

root_bootstrap()
{
	local tmp=$1 mirrors proxy args=()

	mapfile -t mirrors < <(root_mirrors)
	proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
	[[ -z $proxy ]] || args+=("--aptopt=Acquire::http::Proxy \"$proxy\"")
	# Manual pages and translations are a third of the files and nobody reads them here.
	INITRD=No mmdebstrap --variant=minbase --mode=root "${args[@]}" \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt=force-unsafe-io \
		--include="$(root_packages | paste -sd,)" \
		--setup-hook="$LAB_D/root-next-kernel sources \"\$1\"" \
		--customize-hook="$LAB_D/root-next-kernel install \"\$1\"" \
		trixie "$tmp/root" "${mirrors[@]}" || return
	mkdir -p "$tmp/root/src" "$tmp/mnt" || return
	mv "$tmp/root/usr/src"/linux-source-*.tar.xz "$tmp/linux-source.tar.xz" || return
	chroot "$tmp/root" gcc -O2 -static -Wall -Wextra -Wshadow -Werror -x c - \
		-o /src/inroot <"$LAB_D/host/inroot.c" || return
	mv "$tmp/root/src/inroot" "$tmp/inroot" || return
	mv "$tmp/root/src/kernels" "$tmp/kernels"
}

# Sources lines for trixie at the mirror that this machine is set to use; none, and so the
# default of mmdebstrap, where it uses none over HTTP or is no Debian.
root_mirrors()
{
	local codename
	codename=$(. /etc/os-release && [[ $ID == debian ]] && echo "${VERSION_CODENAME-}")
	[[ $codename ]] || return 0

	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk -v c="$codename" '
			$2 != "main" || $3 !~ /^https?:/ || seen[$1]++ { next }
			$1 == c { print "deb", $3, "trixie main"; print "deb", $3, "trixie-updates main" }
			$1 == c "-security" { print "deb", $3, "trixie-security main" }' |
		sort -k 3
}

# A root with more packages starts as a copy of the plain one.
root_build_extra()
{
	local base=$1 entry=$2 tmp

	[[ ! -e $entry/kernels ]] || return 0
	tmp=$(mktemp -d "$LAB_CACHE/tmp.root.XXXXXX") || return
	chmod 755 "$tmp"
	progress "adding to the root: $(root_extra_packages | paste -sd' ')" \
		"$LAB_BUILD/log/root-extra.log" root_extend "$base" "$tmp" ||
		{ rm -rf "$tmp"; die "these packages could not be added: $(root_extra_packages | paste -sd' ')"; }
	mv -T "$tmp" "$entry"
}

root_extend()
{
	local base=$1 tmp=$2 packages

	mapfile -t packages < <(root_extra_packages)
	cp -a --reflink=auto "$base/." "$tmp/" || return
	cp -L /etc/resolv.conf "$tmp/root/etc/resolv.conf" || return
	unshare --mount --pid --fork --kill-child bash -euc '
		root=$1; shift
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		export DEBIAN_FRONTEND=noninteractive INITRD=No
		printf "#!/bin/sh\nexit 101\n" >"$root/usr/sbin/policy-rc.d"
		chmod 755 "$root/usr/sbin/policy-rc.d"
		chroot "$root" apt-get update
		chroot "$root" apt-get install -y --no-install-recommends "$@"
		rm "$root/usr/sbin/policy-rc.d"
		chroot "$root" apt-get clean
	' bash "$tmp/root" "${packages[@]}"
}
