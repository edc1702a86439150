#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A trusted peer turns hostile, and a stranger has a key: neither gets more than its due, nobody else notices.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
start_clean
introduce
path=$(lend_disk disk0)
number=$(home sh -c 'cat /sys/bus/superdev/devices/superdev*/number')

scripts/lab root -- make -j2 --no-print-directory build/obj/tests/system/stranger
scripts/lab put home build/obj/tests/system/stranger /run/stranger
home chmod 755 /run/stranger
home modprobe tls
key=$(home /run/stranger key /run/stranger.key)
epoch=$(get home "lease list" 'x[0]["epoch"]')
before=$(lender sh -c 'echo $(pidof superdevd) $(pidof superdev-worker)')

step "a key that nobody knows"
home /run/stranger unknown lender /run/stranger.key
is lender "peer list" 'len([p for p in x if p["trust"]=="trusted"])' 1 || fail "the stranger is trusted"

step "a trusted peer that is hostile"
lender superdev peer add stranger key "$key"
home /run/stranger old lender /run/stranger.key
home /run/stranger frames lender /run/stranger.key
home /run/stranger theft lender /run/stranger.key "$number"
home /run/stranger flood lender /run/stranger.key

step "nobody else noticed"
[ "$(lender sh -c 'echo $(pidof superdevd) $(pidof superdev-worker)')" = "$before" ] || fail "a process died"
lease_is home disk0 active || fail "the lease suffered"
# Had it been returned or taken, it would have been made anew.
[ "$(get home "lease list" 'x[0]["epoch"]')" = "$epoch" ] || fail "the lease was lost, and made anew"
home dd if="$path" of=/dev/null bs=1M count=8 iflag=direct status=none
home superdev lease del lender/disk0
no_kernel_report home lender
