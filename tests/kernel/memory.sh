#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Allocations of the modules fail while leases come and go and while data flows: refused, or slower, never broken.
. "$(dirname "$0")/lib.sh"
two_machines
truncate -s 32M /var/tmp/image
lender superdev offer add image class blk path /var/tmp/image
eventually 20 "home sees the offer" home superdev offer show lender/image

cycle() {
	local round
	for round in 1 2 3; do
		echo "round $round"
		home superdev lease add "lender/$1" timeout 10 || true # refused for want of memory: fine
		home superdev lease del "lender/$1" force || true      # there may be none
	done
}
refused=0
for module in superdev superdev_blk; do
	step "leases come and go while allocations of $module fail"
	um_failslab $module 10 40 -- cycle image >/tmp/cycle.out 2>&1 || true # the status is the last command's
	refused=$((refused + UM_FAILED))
done
[ $refused -gt 0 ] || um_fail "no allocation was made to fail"
echo "$refused allocations failed"

step "the same with processors"
um_load superdev_cpu
lender superdev offer add cpu class cpu memory 64M
eventually 20 "home sees the offer" home superdev offer show lender/cpu
um_failslab superdev_cpu 50 40 -- cycle cpu >/tmp/cycle.out 2>&1 || true
[ "$UM_FAILED" -gt 0 ] || um_fail "no allocation of superdev_cpu was made to fail"
has_figures() { is home "device list" '[d["load_age_ms"] is not None for d in x]' "[True]"; }
eventually 30 "nothing is left of it" is home "lease list" 'len(x)' 0
home superdev lease add lender/cpu
eventually 10 "with memory back it has figures" has_figures
home superdev lease del lender/cpu
lender superdev offer del cpu
um_unload superdev_cpu

step "with memory back, all is well"
eventually 30 "nothing is left of it" is home "lease list" 'len(x)' 0
# shellcheck disable=SC2034 # verify() reads it
disk=$(home superdev lease add lender/image)
verify after --rw=randwrite --bs=4k --iodepth=8 --size=8m

step "data flows while allocations of the modules fail"
um_failslab superdev_blk 5 50 -- verify blk --rw=randrw --bsrange=4k-64k --iodepth=8 --size=8m
um_failslab superdev 5 50 -- verify core --rw=randrw --bsrange=4k-64k --iodepth=8 --size=8m
home superdev lease del lender/image force
end_machines
