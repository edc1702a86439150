#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The lender loses power while fio verifies, and comes back: I/O waits and goes on, no acknowledged byte is lost.
. "$(dirname "$0")/lib.sh"
start_clean
introduce
path=$(lend_disk disk0)
epoch=$(get home "lease list" 'x[0]["epoch"]')

home sh -c "rm -f /tmp/fio.status; (fio --name=load --filename=$path --direct=1 --ioengine=libaio --rw=randwrite \
	--bs=4k --iodepth=16 --size=32m --verify=crc32c --verify_fatal=1 --minimal >/tmp/fio.out 2>&1; \
	echo \$? >/tmp/fio.status) </dev/null >/dev/null 2>&1 &"
eventually 10 "fio runs" home pgrep -x fio
sleep 1
step "power is cut"
scripts/lab kill lender
eventually 40 "home knows" lease_is home disk0 suspended
home pgrep -x fio >/dev/null || fail "fio gave up"
step "power is back"
scripts/lab start lender
eventually 60 "the lease is active again" lease_is home disk0 active
[ "$(get home "lease list" 'x[0]["epoch"]')" -gt "$epoch" ] || fail "the epoch did not rise"
eventually 120 "fio ends" home test -e /tmp/fio.status
[ "$(home cat /tmp/fio.status)" = 0 ] || { home cat /tmp/fio.out; fail "fio over a power cut"; }
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
