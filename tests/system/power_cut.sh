#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The lender loses power while fio verifies, and comes back: I/O waits and goes on, no acknowledged byte is lost.
. "$(dirname "$0")/lib.sh"
start_clean
introduce
path=$(lend_disk disk0)
epoch=$(get home "lease list" 'x[0]["epoch"]')

start_load "$path"
sleep 1
step "power is cut"
scripts/lab kill lender
eventually 40 "home knows" lease_is home disk0 suspended
home pgrep -x fio >/dev/null || fail "fio gave up"
step "power is back"
scripts/lab start lender
eventually 60 "the lease is active again" lease_is home disk0 active
[ "$(get home "lease list" 'x[0]["epoch"]')" -gt "$epoch" ] || fail "the epoch did not rise"
finish_load "a power cut of the lender"
home superdev lease del lender/disk0

step "the home loses power: the lease waits for it, then is its own again"
path=$(home superdev lease add lender/disk0)
home dd if=/dev/urandom of="$path" bs=1M count=4 oflag=direct status=none
sum=$(lender sh -c 'dd if=/dev/vdb bs=1M count=4 iflag=direct status=none | sha256sum')
scripts/lab kill home
scripts/lab start home
eventually 60 "home has its lease back" lease_is home disk0 active
[ "$(home sh -c "dd if=$path bs=1M count=4 iflag=direct status=none | sha256sum")" = "$sum" ] || fail "other data after home came back"
home superdev lease del lender/disk0
no_kernel_report home lender
