#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The debug floor itself: a fault of each kind is reported and fails the run, a run without one
# passes, and nothing of the host is changed.  A floor that is silent would prove nothing.
set -uo pipefail
# shellcheck disable=SC2016 # expanded in the machine
cd "$(dirname "$0")/../.." || exit 1

scripts/lab um modules --source scripts/lab.d/um/selftest || exit 1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

# expect SENTENCE STATUS PATTERN RUN-ARGUMENT…: a run ends with that status, and what it says has
# a line that matches.
expect()
{
	local sentence=$1 status=$2 pattern=$3 got
	shift 3
	scripts/lab um run --source scripts/lab.d/um/selftest "$@" >"$log" 2>&1 </dev/null
	got=$?
	if ((got == status)) && grep -q -- "$pattern" "$log"; then
		echo "ok floor: $sentence"
	else
		echo "not ok floor: $sentence: status $got, wanted $status and '$pattern'"
		tail -n 40 "$log" | sed 's/^/    /'
		failed=1
	fi
}

expect_report()
{
	expect "$1 is reported" 70 "$2" -- sh -c "modprobe $3 && modprobe -r $3"
}

expect "a module without a fault passes" 0 'still here' -- \
	sh -c 'modprobe floor_clean && modprobe -r floor_clean && echo still here'
expect_report "use of freed memory" 'KASAN: slab-use-after-free in floor_kasan_init' floor_kasan
expect_report "a lock inversion" 'possible circular locking dependency' floor_lockdep
expect_report "a sleep in atomic context" 'sleeping function called from invalid' floor_atomic
expect_report "a shift too far" 'shift-out-of-bounds in .*floor_ubsan' floor_ubsan
expect_report "the free of a pending work item" 'ODEBUG: free active .*work' floor_object
expect_report "an object left at unload" 'floor_leak.*Objects remaining' floor_leak
expect "an oops ends the machine with its trace" 70 'floor_oops_init' -- modprobe floor_oops
expect "a hang is ended, and what waits is shown" 124 'floor_hang_init' --timeout 15 -- \
	modprobe floor_hang

expect "um_unload tells of a leak" 70 'unload=1' -- \
	bash -c '. "$UM_LIB/guest.sh"; um_load floor_leak; um_unload floor_leak; echo unload=$?'
expect "um_unload passes a clean module" 0 'unload=0' -- \
	bash -c '. "$UM_LIB/guest.sh"; um_load floor_clean; um_unload floor_clean; echo unload=$?'
expect "a KUnit suite that passes passes" 0 'kunit=0' -- \
	bash -c '. "$UM_LIB/guest.sh"; um_kunit floor_kunit; echo kunit=$?'
expect "a KUnit suite that fails fails" 0 'kunit=1' -- \
	bash -c '. "$UM_LIB/guest.sh"; um_kunit floor_kunit wrong=1; echo kunit=$?'
expect "an allocation of a module is made to fail" 0 'parameter=1 failed=1 again=0' -- bash -c '
	. "$UM_LIB/guest.sh"
	um_load floor_clean
	allocate() { echo 1 >/sys/module/floor_clean/parameters/allocate; }
	um_failslab floor_clean 100 1 -- allocate 2>/dev/null
	first=$?
	failed=$UM_FAILED
	allocate
	echo parameter=$first failed=$failed again=$?'
expect "allocations of a task are made to fail" 0 'task=1 failed=1' -- bash -c '
	. "$UM_LIB/guest.sh"
	um_load floor_clean
	allocate() { echo 1 >/sys/module/floor_clean/parameters/allocate; }
	um_failslab task 100 1 -- allocate 2>/dev/null
	echo task=$? failed=$UM_FAILED'

expect "the exit status is passed through" 3 '^three$' -- sh -c 'echo three; exit 3'
expect "two processors boot without a report" 0 '^2$' --cpus 2 -- nproc
expect "several machines are in one kernel" 0 'cut and mended' -- bash -c '
	. "$UM_LIB/machines.sh"
	um_machines home lender third && um_exec home ping -qc 1 lender && um_net home lender down &&
		! um_exec home ping -qc 1 -W 1 lender && um_exec home ping -qc 1 third &&
		um_net home lender up && um_exec home ping -qc 1 lender && echo cut and mended'
expect "the tree can not be written" 0 'Read-only file system' -- \
	sh -c '! touch /src/README.floor && touch /etc/floor /out/floor'
[[ ! -e README.floor ]] || { echo "not ok floor: the tree was written"; failed=1; }

# Bytes, not lines: the serial line in between has a terminal's appetite for some of them.
sum=$(head -c 200000 /dev/urandom | tee "$log" | sha256sum)
got=$(scripts/lab um run --no-modules -- sh -c 'cat; echo aside >&2' <"$log" 2>/dev/null | sha256sum)
if [[ $sum == "$got" ]]; then
	echo "ok floor: input and output are passed through byte for byte"
else
	echo "not ok floor: input and output differ"
	failed=1
fi
exit $failed
