#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A machine that has a share of the host's processor uses that and no more.
# KERNELS: stable
# LAB: --share 100
. "$(dirname "$0")/lib.sh"

# used NAME: processor time of its QEMU so far, in clock ticks.
used() {
	local pid
	pid=$(scripts/lab status | sed -n "s/^$1: .*qemu \([0-9]*\).*/\1/p")
	awk '{ print $14 + $15 }' "/proc/$pid/stat"
}
# percent SECONDS NAME: of one processor, over that time.
percent() {
	local before began=${EPOCHREALTIME/./}
	before=$(used "$2")
	sleep "$1"
	echo $((($(used "$2") - before) * 1000000 / $(getconf CLK_TCK) * 100 / (${EPOCHREALTIME/./} - began)))
}
finish() { home pkill yes || true; lender pkill yes || true; }
trap finish EXIT
home sh -c 'yes >/dev/null 2>&1 </dev/null &'
lender sh -c 'yes >/dev/null 2>&1 </dev/null &'

for share in 40 20; do
	step "a share of $share percent"
	scripts/lab share $share
	for name in home lender; do
		got=$(percent 4 $name)
		echo "$name: $got percent"
		[ "$got" -le $((share + 3)) ] || fail "$name used $got percent of a processor, and has $share"
		# A host that is short of processors cannot give what is not there.
		[ "$got" -ge $((share / 4)) ] || fail "$name got $got percent of a processor only, and has $share"
	done
done

step "what is no share"
for share in 0 4 1000 many 30%; do
	if scripts/lab share "$share" 2>build/test/share.refused; then fail "'$share' was taken"; fi
	grep -qF "'$share'" build/test/share.refused || fail "the refusal of '$share' does not name it"
done
