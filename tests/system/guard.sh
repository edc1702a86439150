#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest that got past namespaces and filter runs into the guard, and that is told.
. "$(dirname "$0")/lib.sh"
start_clean
introduce
lender superdev offer add cpu0 class cpu
eventually 20 "home sees the offer" home superdev offer show lender/cpu0
home superdev lease add lender/cpu0
scripts/lab put lender tests/system/guard.py /tmp/guard.py
lease=$(lender sh -c 'ls -d /sys/fs/cgroup/superdev/lease-* /sys/fs/cgroup/system.slice/superdevd.service/lease-* 2>/dev/null | head -1')
[ -n "$lease" ] || fail "the lease has no cgroup"

step "what is a guest's stays allowed, what is not is denied"
# told PATTERN: that the agent of the lender said so since lines_before.
lines_before=0
log() { scripts/lab log lender -d | tail -n "+$((lines_before + 1))"; }
# To the end: who reads only as far as the first makes a failure of what is before it in the pipe.
told() { log | grep "$1" >/dev/null; }
is_guarded() { told "guests are guarded"; }
eventually 90 "the guard stands" is_guarded
lender python3 /tmp/guard.py "$lease/test" || fail "the guard lets guests out, or keeps them from what they may"

step "the owner reads of it, and not of each time"
log | grep "was denied to"
for what in "open a file from outside" "use a socket" "look into a process" "use BPF" "make a key" "change mounts" \
	"make a user namespace" "use io_uring" "use performance events"; do
	told "lease ${lease##*-}: guest 'python3' .*denied to $what" || fail "not told: $what"
done

step "the lease has their number, for who looks at it there"
denied() { get lender "lease list" 'x[0]["denied"]'; }
is_counted() { [ "$(denied)" -ge 9 ]; }
eventually 10 "they are counted" is_counted
before=$(denied)
lender superdev lease list | grep "guests were denied $before attempts"
lender superdev lease show home/cpu0 | grep -x "denied  *$before attempts of guests to get out"
is lender "lease show home/cpu0" 'x["denied"]' "$before" || fail "one lease has another number"
is home "lease list" 'x[0]["denied"]' 0 || fail "home counts, too"

step "without its agent there is no guard, and the next one stands it up again"
lender lab-superdevd stop
lender python3 /tmp/guard.py "$lease/test" >/dev/null && fail "the guard outlives its agent"
lines_before=$(scripts/lab log lender -d | wc -l)
lender lab-superdevd start
eventually 90 "the guard stands" is_guarded
lender python3 /tmp/guard.py "$lease/test"
goes_on() { [ "$(denied)" -ge $((before + 9)) ]; }
eventually 10 "the number goes on" goes_on
lender rmdir "$lease/test"
home superdev lease del lender/cpu0
lender superdev offer del cpu0
no_kernel_report home lender
