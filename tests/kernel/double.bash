# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For tests against lender-double, which tells the kernel what no agent and no
# honest lender would.  To be sourced first, in the place of lib.sh.
if [ -z "${UM_LIB:-}" ]; then
	(cd "$(dirname "$0")/../.." &&
		scripts/lab root -- make --no-print-directory build/obj/tests/kernel/lender-double >&2) || exit 1
fi
# What waits for a lane can not be killed: a test that fails may hang, and not for long.
export TIMEOUT=${TIMEOUT:-150}
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

test_name=${0##*/}
test_name=${test_name%.sh}
failed=0

# expect SENTENCE COMMAND…: a case; COMMAND, which may be a function, tells whether it holds.
expect() {
	if "${@:2}"; then
		echo "ok $test_name: $1"
	else
		echo "not ok $test_name: $1"
		failed=1
	fi
}
fails() { ! "$@"; }

# within COMMAND…: it comes to hold, in ten seconds.
within() { um_wait 10 "$@" 2>/dev/null; }

# in_state PROCESS LETTER: as ps has it; D waits for a disk.
in_state() { [ "$(cut -d' ' -f3 "/proc/$1/stat")" = "$2" ]; }

# double_start CLASS LANES [OPTION…]: borrows from it; what came of that remains to be seen.
double_start() {
	local line
	coproc DOUBLE { exec /src/build/obj/tests/kernel/lender-double "$@"; }
	# Of a coprocess's own descriptors a subshell knows nothing.
	exec 8<&"${DOUBLE[0]}" 9>&"${DOUBLE[1]}"
	eval "exec ${DOUBLE[0]}<&- ${DOUBLE[1]}>&-"
	double_pid=$DOUBLE_PID
	read -r line <&8 || um_fail "lender-double $* ended"
	[ "$line" = ready ] || um_fail "lender-double: $line"
	nr_lanes=$2
}

# double_begin CLASS LANES [OPTION…]: the same, and its lanes are up; $device is what came of that.
double_begin() {
	double_start "$@"
	all_up || um_fail "the lanes do not come up"
	case $1 in
	blk) device=/dev/superdev0 ;;
	null) device=/dev/superdev-null0 ;;
	cpu) device=/sys/bus/superdev/devices/superdev0 ;;
	esac
}

double_end() {
	exec 8<&- 9>&-
	wait "$double_pid"
}

# double COMMAND…: prints its answer, mostly 0 or an errno.
double() {
	local answer
	echo "$*" >&9
	read -r answer <&8 || um_fail "lender-double ended at '$*'"
	echo "$answer"
}
tell() { [ "$(double "$@")" = 0 ] || um_fail "lender-double refused '$*'"; }

double_says() { [ "$(double "${@:2}")" = "$1" ]; }
all_up() { within double_says "$nr_lanes" lanes; }
none_up() { within double_says 0 lanes; }
STATE_ACTIVE=2 STATE_SUSPENDED=3
is_active() { double_says $STATE_ACTIVE state; }
is_suspended() { double_says $STATE_SUSPENDED state; }
is_gone() { [ ! -e "$device" ] && double_says -1 state; }

# All lanes are cut and none is made, until tell go.
no_lanes() {
	tell hold
	tell cut
	none_up
}

# sound FIO-OPTION…: what is written is what is read.
sound() {
	fio --name=sound --filename="$device" --direct=1 --ioengine=io_uring --verify=crc32c --verify_fatal=1 \
		--verify_state_save=0 --minimal "$@" >/tmp/fio.out 2>&1 || { tail -n 3 /tmp/fio.out >&2; return 1; }
}

# double_unload [MODULE…]: the class modules, or these, and the core; ends the test.
double_unload() {
	[ $# -gt 0 ] || set -- superdev_blk superdev_null
	um_unload "$@" superdev || um_fail "the modules do not go"
	exit $failed
}
