# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shared by all parts of scripts/lab: where things are, how they are told to the person who
# waits, the packages the host needs, and commands inside the cached Debian 13 root.
# To be sourced by bash with `set -u`; defines functions and the LAB_* variables.
# shellcheck shell=bash

LAB_D=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
LAB_TREE=$(cd "$LAB_D/../.." && pwd -P)
LAB_BUILD=$LAB_TREE/build/lab
LAB_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/superdev

# The outermost script's start, so that times go on when demo or test call the lab.
export SUPERDEV_T0=${SUPERDEV_T0:-$EPOCHREALTIME}

# say TEXT…: one line on stderr, headed by the time since the outermost script began.
say()
{
	local us=$(( ${EPOCHREALTIME/[.,]/} - ${SUPERDEV_T0/[.,]/} ))

	printf '[%4d.%d s] %s\n' $((us / 1000000)) $((us / 100000 % 10)) "$*" >&2
}

# die TEXT…: the work could not be done.
die()
{
	say "error: $*"
	exit 1
}

# bad_input TEXT…: the caller asked for something that does not exist; nothing was done.
bad_input()
{
	printf 'lab: %s\n' "$*" >&2
	exit 2
}

# progress LABEL LOG COMMAND…: runs COMMAND with its output in LOG. On a terminal a line shows
# the time and the last line of the log, elsewhere a line comes every ten seconds.
# Returns the status of COMMAND, after showing the end of the log if that is not 0.
progress()
{
	local label=$1 log=$2 pid rc=0 start=$EPOCHSECONDS next=10 last frame=0
	shift 2

	mkdir -p "$(dirname "$log")"
	say "$label …"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		if [[ -t 2 ]]; then
			last=$(tail -c 300 "$log" | tr '\r\033' '\n ' | grep . | tail -n 1)
			printf '\r\033[K  %s %d s  %.60s' "${PROGRESS_FRAMES:frame++%4:1}" \
				$((EPOCHSECONDS - start)) "$last" >&2
		elif ((EPOCHSECONDS - start >= next)); then
			say "  $label: $((EPOCHSECONDS - start)) s: $(tail -c 300 "$log" |
				tr '\r\033' '\n ' | grep . | tail -n 1 | cut -c 1-80)"
			next=$((next + 10))
		fi
		sleep 0.2
	done
	wait $pid || rc=$?
	[[ -t 2 ]] && printf '\r\033[K' >&2
	if ((rc)); then
		say "$label: failed with status $rc after $((EPOCHSECONDS - start)) s; the end of $log:"
		tail -n 25 "$log" | sed 's/^/    /' >&2
	elif ((EPOCHSECONDS - start > 2)); then
		say "  done in $((EPOCHSECONDS - start)) s"
	fi
	return $rc
}
PROGRESS_FRAMES='|/-\'

# hash_of: 16 hexadecimal digits for what comes on stdin.
hash_of()
{
	sha256sum | cut -c 1-16
}

# host_needs COMMAND:PACKAGE…: installs the packages whose command is missing on this machine.
host_needs()
{
	local pair missing=() log=$LAB_BUILD/log/host-packages.log

	for pair; do
		PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null ||
			missing+=("${pair#*:}")
	done
	((${#missing[@]})) || return 0
	((EUID == 0)) || die "these packages are missing and need root to be installed: ${missing[*]}"
	mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
	progress "installing on this machine: ${missing[*]}" "$log" \
		host_install "${missing[@]}" ||
		die "apt could not install ${missing[*]}"
}

# Old package lists name files that the mirror no longer has: only then are they fetched anew.
host_install()
{
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y --no-install-recommends "$@" ||
		{ apt-get update && apt-get install -y --no-install-recommends "$@"; }
}

# with_lock NAME COMMAND…: one at a time over all clones of this user.
with_lock()
{
	local name=$1 fd rc=0
	shift

	mkdir -p "$LAB_CACHE"
	exec {fd}>"$LAB_CACHE/$name.lock"
	if ! flock -n "$fd"; then
		say "waiting: somebody else is building $name"
		flock "$fd"
	fi
	"$@" || rc=$?
	exec {fd}>&-
	return $rc
}

# shellcheck source=root.sh
. "$LAB_D/root.sh"
