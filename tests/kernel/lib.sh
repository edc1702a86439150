# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the tests in user-mode Linux share.  A test boots the debug kernel and
# runs itself in it; the run fails on any report of the kernel.  Sourced first:
#
#	. "$(dirname "$0")/lib.sh"
#
# Everything after that line runs inside, as root, with UM_LIB's helpers.
if [ -z "${UM_LIB:-}" ]; then
	cd "$(dirname "$0")/../.." || exit 1
	exec scripts/lab um run --agent --timeout "${TIMEOUT:-400}" --memory 768M \
		${CPUS:+--cpus "$CPUS"} -- bash "/src/tests/kernel/${0##*/}"
fi
set -euo pipefail
# shellcheck source=../../scripts/lab.d/um/machines.sh
. "$UM_LIB/machines.sh"

step() { echo "--- $*"; }
home() { um_exec home "$@"; }
lender() { um_exec lender "$@"; }
eventually() { um_wait "$1" "${@:3}" >/dev/null 2>&1 || um_fail "not within $1 s: $2"; }

# get MACHINE "OBJECT list" 'python expression over the list x'
get() {
	um_exec "$1" sh -c "superdev -j $2" | python3 -c "import sys,json; x=json.load(sys.stdin); print($3)"
}
is() { [ "$(get "$1" "$2" "$3")" = "$4" ]; }
held_is() { is home "lease list" "\" \".join(l[\"state\"] for l in x if l[\"offer\"]==\"$1\") or \"none\"" "$2"; }

# Two machines that trust each other; the modules of both are the one kernel's.
two_machines() {
	um_load superdev
	um_load superdev_blk
	um_load superdev_null
	um_load tls
	um_machines home lender
	um_daemon home
	um_daemon lender
	home superdev peer add lender key "$(lender superdev key)" address lender
	lender superdev peer add home key "$(home superdev key)" address home
	eventually 20 "home sees lender online" is home "peer list" 'x[0]["state"]' online
	step "home and lender trust each other"
}

# lend_file NAME SIZE [transport clear]: an image of the lender is borrowed; the node is in $disk.
lend_file() {
	truncate -s "$2" "/var/tmp/$1"
	lender superdev offer add "$1" class blk path "/var/tmp/$1"
	eventually 20 "home sees the offer" home superdev offer show "lender/$1"
	disk=$(home superdev lease add "lender/$1")
	[ -b "$disk" ] || um_fail "'$disk' is no disk"
}

in_clear() {
	home superdev peer set lender transport clear
	lender superdev peer set home transport clear
}

verify() {
	fio --name="$1" --filename="$disk" --direct=1 --ioengine=io_uring --verify=crc32c --verify_fatal=1 --verify_state_save=0 \
		--minimal "${@:2}" >/dev/null || um_fail "fio: $1"
}

end_machines() {
	um_daemon_end home
	um_daemon_end lender
	pkill -f superdev-worker || [ $? = 1 ]
	um_unload superdev_blk superdev_null superdev
	step "unloaded, nothing left"
}
