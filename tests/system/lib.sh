# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the system tests share.  The machines are up; scripts/test sees to it.
#
#	  home ───── one private network ───── lender
#	  borrows                              lends /dev/vdb (1 GiB) and /dev/vdc (256 MiB)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

on() { local machine=$1; shift; scripts/lab exec "$machine" -- "$@"; }
home() { on home "$@"; }
lender() { on lender "$@"; }

step() { echo "--- $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "$*"; exit 77; }

# refused MACHINE "part of the message" COMMAND…: it must fail, saying so in one line.
refused() {
	local machine=$1 want=$2 output status=0
	shift 2
	output=$(on "$machine" "$@" 2>&1 </dev/null) || status=$?
	[ $status -ne 0 ] || fail "'$*' should have been refused, and printed: $output"
	case $output in
	*"$want"*) echo "refused, as it should: $output" ;;
	*) fail "'$*' was refused without saying '$want': $output" ;;
	esac
	[ "$(printf '%s\n' "$output" | wc -l)" -le 2 ] || fail "more than two lines for a refusal: $output"
}

# eventually SECONDS "what" COMMAND…: waits until the command succeeds.
eventually() {
	local seconds=$1 what=$2 end said=
	end=$(($(date +%s) + $1))
	shift 2
	until said=$("$@" 2>&1); do
		[ "$(date +%s)" -lt "$end" ] || fail "not within $seconds s: $what; the last that was said: $said"
		sleep 0.2
	done
}

# get MACHINE "OBJECT list" 'python expression over the list x': prints it.
get() {
	on "$1" sh -c "superdev -j $2 | python3 -c 'import sys,json; x=json.load(sys.stdin); print($3)'"
}
is() { [ "$(get "$1" "$2" "$3")" = "$4" ]; }
lease_state() { get "$1" "lease list" "\" \".join(l[\"state\"] for l in x if l[\"offer\"]==\"$2\") or \"none\""; }
lease_is() { [ "$(lease_state "$1" "$2")" = "$3" ]; }

# All of a machine's superdev state is gone afterwards.
clean() {
	local machine
	for machine in "$@"; do
		on "$machine" sh -c '
			for m in $(awk "/superdev|\/mnt\/t/ {print \$2}" /proc/mounts); do umount -l "$m"; done
			names() { superdev -j "$1" list | python3 -c "import sys,json
for o in json.load(sys.stdin): print(eval(sys.argv[1], o))" "$2"; }
			for l in $(superdev -j lease list | python3 -c "import sys,json
for o in json.load(sys.stdin):
	if o.get(\"role\",\"held\")==\"held\": print(o[\"peer\"]+\"/\"+o[\"offer\"])"); do superdev lease del $l force; done
			for o in $(superdev -j offer list | python3 -c "import sys,json
for o in json.load(sys.stdin):
	if not o.get(\"peer\"): print(o[\"name\"])"); do superdev offer del $o force; done
			for p in $(superdev -j peer list | python3 -c "import sys,json
for o in json.load(sys.stdin): print(o[\"name\"])"); do superdev peer del $p force; done
			superdev policy unload 2>/dev/null
			exit 0'
	done
}

# Every test starts from nothing but running agents, on an untroubled network.
start_clean() {
	scripts/lab net home lender clear
	scripts/lab net home lender up
	# A test that failed may have left them otherwise.
	home sh -c 'modprobe superdev && lab-superdevd start'
	lender sh -c 'modprobe superdev && lab-superdevd start'
	clean home lender
	step "both machines are clean"
}

# Trust without people, as scripts do it.
introduce() {
	local home_key lender_key
	home_key=$(home superdev key)
	lender_key=$(lender superdev key)
	home superdev peer add lender key "$lender_key" address lender
	lender superdev peer add home key "$home_key" address home
	eventually 20 "home sees lender online" is home "peer list" 'x[0]["state"]' online
	step "home and lender trust each other"
}

# lend_disk NAME [PATH [ro]]: lent and borrowed; prints the device's path.
lend_disk() {
	lender superdev offer add "$1" class blk path "${2:-/dev/vdb}" ${3:+"$3"} >&2
	eventually 20 "home sees the offer $1" home superdev offer show "lender/$1"
	home superdev lease add "lender/$1"
}

# start_load PATH [FIO OPTION…]: fio at home writes, reads back and verifies, over and over, until finish_load.
start_load() {
	local path=$1
	shift
	home sh -c 'rm -f /tmp/fio.status; (fio --name=load --filename="$@" --direct=1 --ioengine=libaio --iodepth=16 --verify=crc32c \
		--verify_fatal=1 --time_based --runtime=600 --minimal >/tmp/fio.out 2>&1; echo $? >/tmp/fio.status) </dev/null >/dev/null 2>&1 &' \
		load "$path" --rw=randwrite --bs=4k --size=512k "$@"
	eventually 10 "fio runs" home pgrep -x fio
}
# finish_load "what happened to it": it has lived through that, and found every byte right.
finish_load() {
	local status
	# Time to read back what was written meanwhile.
	sleep 3
	home pkill -INT -x fio || { home cat /tmp/fio.out; fail "fio ended before this did: $1"; }
	eventually 60 "fio ends" home test -e /tmp/fio.status
	# 128 is fio's word for having been interrupted without an error.
	status=$(home cat /tmp/fio.status)
	[ "$status" = 128 ] || { home cat /tmp/fio.out; fail "fio under: $1 (status $status)"; }
	[ "$(home cut -d';' -f6 /tmp/fio.out | tail -n 1)" -gt 0 ] || fail "fio verified nothing under: $1"
}

# No kernel report on either machine since it booted.
no_kernel_report() {
	local machine
	for machine in "$@"; do
		if on "$machine" dmesg | grep -E 'BUG|WARNING|Oops|general protection|hung_task|blocked for more'; then
			fail "kernel report on $machine"
		fi
	done
}

# Programs at the lender ------------------------------------------------------

DEPUTY=/usr/libexec/superdev/superdev-deputy
id=
# borrow_processors: the lender lends one, home has it, and $id is home's number of the lease.
borrow_processors() {
	lender superdev offer add cpu class cpu cpus 1 memory 512M
	eventually 20 "home sees the offer" home superdev offer show lender/cpu
	home superdev lease add lender/cpu
	id=$(lease_id)
}
lease_id() { get home "lease list" '[l["id"] for l in x if l["offer"]=="cpu"][0]'; }
# begin_borrowed: from nothing to a lender where programs of home run.
begin_borrowed() {
	start_clean
	introduce
	borrow_processors
	[ "$(where)" = lender ] || fail "it ran here"
}
# there PATH ARGV0 ARG…: the program at home whose deputy asks for the lender.
there() { home env SUPERDEV_VERBOSE=1 $DEPUTY --lease "$id" -- "$@"; }
# user PATH ARGV0 ARG…: the same, of an ordinary user.
user() { home setpriv --reuid 1000 --regid 1000 --clear-groups env SUPERDEV_VERBOSE=1 $DEPUTY --lease "$id" -- "$@"; }
# The name of the machine that a program runs on, from its /proc.
name_of_machine() { tr ' ' '\n' | sed -n 's/^lab.name=//p'; }
where() { there /bin/cat cat /proc/cmdline | name_of_machine; }
# in_background NAME COMMAND: at home; its output and status go to /tmp/NAME.*
in_background() {
	home sh -c 'rm -f /tmp/$0.*; (SUPERDEV_VERBOSE=1 sh -c "$1" >/tmp/$0.out 2>/tmp/$0.err </dev/null; echo $? >/tmp/$0.status) >/dev/null 2>&1 & ' "$1" "$2"
}
status_of() { home cat "/tmp/$1.status"; }
wait_for() { eventually "${2:-30}" "$1 ends" home test -s "/tmp/$1.status"; }
guests() { lender sh -c 'pgrep -x superdev-guest | wc -l'; }
no_guests() { [ "$(guests)" = 0 ]; }
nothing_left() {
	eventually 20 "no guest's process is left" lender sh -c '! pgrep -x "superdev-guest|superdev-host|superdev-homefs"'
	eventually 20 "no mount is left" lender sh -c '! grep fuse.superdev /proc/mounts && ! ls -A /run/superdev/guest 2>/dev/null | grep .'
	eventually 20 "no cgroup of a guest is left" lender sh -c '! find /sys/fs/cgroup -path "*lease-*" -name "guest-*" | grep .'
}
runs_there() { [ "$(where)" = lender ]; }
