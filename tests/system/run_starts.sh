#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The link between home and lender is poor, or every connection is reset, while programs start: none runs twice.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
begin_borrowed
id=$(lease_id)
home sh -c 'head -c 500000 /dev/urandom >/tmp/bytes'

step "on a poor link, 200 ms and 2 % lost, each program runs once"
home rm -f /tmp/ran
scripts/lab net home lender delay 200
scripts/lab net home lender loss 2
went=0
for i in $(seq 4); do
	said=$(there /bin/sh sh -c "echo $i >>/tmp/ran; cat /proc/cmdline; exit 9" 2>&1) && fail "program $i has status 0"
	[ "$(name_of_machine <<<"$said")" = lender ] && went=$((went + 1))
	grep "lost the lender" <<<"$said" && fail "program $i was lost"
done
[ "$(there /usr/bin/md5sum md5sum /tmp/bytes)" = "$(home md5sum /tmp/bytes)" ] || fail "other bytes"
scripts/lab net home lender clear
[ "$(home cat /tmp/ran | xargs)" = "1 2 3 4" ] || fail "they ran: $(home cat /tmp/ran | xargs)"
echo "$went of 4 ran at the lender"
eventually 60 "programs run there" runs_there

step "every connection is reset at some moment of a start: the program runs once, or is said to be lost"
scripts/lab put home tests/system/starts.py /tmp/starts.py
home env SUPERDEV_VERBOSE=1 timeout 300 python3 /tmp/starts.py $DEPUTY --lease "$id" -- || fail "a start went wrong"
eventually 60 "the lease is active" lease_is home cpu active
eventually 30 "programs run there again" runs_there
no_kernel_report home lender
