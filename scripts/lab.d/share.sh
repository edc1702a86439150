# SPDX-License-Identifier: GPL-2.0-or-later
#
# A cap on what a machine may use of the host's processors, so that machines which are compared
# have the same, whatever else the host does: a control group per machine, below one of this
# clone's own, in the hierarchy of the processor controller of either version.
# `lab up --share PERCENT` makes them, `lab share` changes them, `lab down` removes them.
# shellcheck shell=bash

SHARE_PERIOD_US=10000	# short, so that a machine that has used its share does not pause for long

# share_root: prints the mounted hierarchy that has the processor controller.
share_root()
{
	local root

	root=$(awk '$3 == "cgroup" && $4 ~ /(^|,)cpu(,|$)/ { print $2; exit }' /proc/self/mounts)
	if [[ ! $root ]]; then
		root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
		[[ $root ]] && grep -qw cpu "$root/cgroup.controllers" || return
	fi
	echo "$root"
}

share_dir()
{
	local root

	root=$(share_root) || return
	echo "$root/$(net_namespace)"
}

# share_set NAME PERCENT: of one processor.
share_set()
{
	local dir quota

	dir=$(share_dir) && [[ -d $dir/$1 ]] || return
	quota=$(($2 * SHARE_PERIOD_US / 100))
	if [[ -e $dir/$1/cpu.max ]]; then
		echo "$quota $SHARE_PERIOD_US" >"$dir/$1/cpu.max"
	else
		echo "$SHARE_PERIOD_US" >"$dir/$1/cpu.cfs_period_us" &&
			echo "$quota" >"$dir/$1/cpu.cfs_quota_us"
	fi
}

# share_start PERCENT NAME…: the groups, empty.
share_start()
{
	local percent=$1 dir name
	shift

	if ! dir=$(share_dir); then
		say "error: --share: no control group hierarchy of this host has the processor controller"
		return 1
	fi
	[[ ! -e ${dir%/*}/cgroup.subtree_control ]] || echo +cpu >"${dir%/*}/cgroup.subtree_control" || return
	mkdir -p "$dir" || return
	[[ ! -e $dir/cgroup.subtree_control ]] || echo +cpu >"$dir/cgroup.subtree_control" || return
	for name; do
		mkdir -p "$dir/$name" && share_set "$name" "$percent" || return
	done
}

# share_enter NAME: this process and its children, where machines have a share.
share_enter()
{
	local dir

	[[ $(up_setting share) != none ]] || return 0
	dir=$(share_dir) && echo "$BASHPID" >"$dir/$1/cgroup.procs"
}

share_stop()
{
	local dir name

	dir=$(share_dir) && [[ -d $dir ]] || return 0
	for name; do
		rmdir "$dir/$name"
	done
	rmdir "$dir"
}

# is_share TEXT: whether it is a percentage of one processor that a machine can live with.
is_share()
{
	[[ $1 =~ ^[1-9][0-9]{0,2}$ ]] && (($1 >= 5))
}

cmd_share()
{
	local name

	(($# == 1)) || bad_input "share takes a percentage of one processor"
	is_share "$1" || bad_input "share: '$1' is no percentage from 5 to 999"
	[[ -e $LAB_UP ]] || { say "no machines are up: run 'lab up' first"; exit 1; }
	[[ $(up_setting share) != none ]] || bad_input \
		"share: these machines have none to change; 'lab up --share $1' gives them one"
	for name in $(machine_names); do
		share_set "$name" "$1" || die "the share of '$name' cannot be changed"
	done
}
