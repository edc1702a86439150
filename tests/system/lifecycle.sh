#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A lease from the first word to the last, and every refusal on the way.
. "$(dirname "$0")/lib.sh"
start_clean
introduce

step "offers that can't be are refused with the reason"
refused lender "/dev/nosuch" superdev offer add bad class blk path /dev/nosuch
refused lender "vda" superdev offer add bad class blk path /dev/vda
refused lender "/etc" superdev offer add bad class blk path /etc
refused lender "frob" superdev offer add bad class frob path /dev/vdb
refused lender "a/b" superdev offer add a/b class blk path /dev/vdb
refused lender "63" superdev offer add "$(printf 'n%.0s' $(seq 64))" class blk path /dev/vdb
is lender "offer list" 'len(x)' 0 || fail "a refused offer is still there"

step "what does not exist can't be leased"
refused home "nobody" superdev lease add nobody/disk0
refused home "nosuch" superdev lease add lender/nosuch
refused home "lender" superdev lease add lender

step "a disk is lent and borrowed"
path=$(lend_disk disk0)
[ "$path" = /dev/superdev/lender/disk0 ] || fail "the path is '$path'"
home test -b "$path"
[ "$(home blockdev --getsize64 "$path")" = "$(lender blockdev --getsize64 /dev/vdb)" ] || fail "sizes differ"
lease_is home disk0 active || fail "the lease is not active at home"
lease_is lender disk0 active || fail "the lease is not active at the lender"

step "JSON has the keys that scripts use"
get home "peer list" '[x[0][k] for k in "name key address state trust rtt_us".split()]'
get home "offer list" '[x[0][k] for k in "peer name class size properties".split()]'
get home "lease list" '[x[0][k] for k in "peer offer class state epoch lanes device".split()]'
get home "device list" 'x[0]["device"]'

step "an exclusive offer is leased once, a busy disk is in use"
refused home "lender/disk0" superdev lease add lender/disk0
refused lender "use" superdev offer add again class blk path /dev/vdb
refused lender "disk0" superdev offer del disk0

step "a busy device is not given back, unless forced"
home sh -c "sleep 100 <$path & echo \$! >/tmp/holder"
refused home "use" superdev lease del lender/disk0
lease_is home disk0 active || fail "a refused lease del changed the lease"
home dd if="$path" of=/dev/null bs=1M count=4 status=none
home superdev lease del lender/disk0 force
home sh -c 'kill $(cat /tmp/holder)'
eventually 10 "the device is gone" home test ! -e "$path"
eventually 10 "no lease at the lender" is lender "lease list" 'len(x)' 0

step "a returned disk can be borrowed again, at a higher epoch"
path=$(home superdev lease add lender/disk0)
first=$(get home "lease list" 'x[0]["epoch"]')
home superdev lease del lender/disk0
home superdev lease add lender/disk0
second=$(get home "lease list" 'x[0]["epoch"]')
[ "$second" -gt "$first" ] || fail "epoch $second after $first"

step "the lender takes it back: who has it open gets no data any more, the device disappears"
# A read in flight gets ENODEV; later ones see a device of size 0, as of any disk that is gone.
home sh -c "exec 3<$path; touch /tmp/reading; while [ \$(dd bs=4k count=1 iflag=direct <&3 2>/tmp/dd.err | wc -c) = 4096 ]; do sleep 0.1; done; touch /tmp/failed" &
eventually 20 "somebody reads" home test -e /tmp/reading
lender superdev offer del disk0 force
eventually 20 "reads fail" home test -e /tmp/failed
home rm -f /tmp/failed /tmp/reading
eventually 20 "the device is gone" home test ! -e "$path"
eventually 20 "the offer is gone at home" is home "offer list" 'len(x)' 0
wait
no_kernel_report home lender
