#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A lent file grows, and the borrowed disk grows with it; a read-only lease refuses writes.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
start_clean
introduce
lender sh -c 'rm -f /var/tmp/image; truncate -s 64M /var/tmp/image'
path=$(lend_disk image /var/tmp/image)
[ "$(home blockdev --getsize64 "$path")" = $((64 << 20)) ] || fail "wrong size"
lender truncate -s 96M /var/tmp/image
is_96m() { [ "$(home blockdev --getsize64 "$path")" = $((96 << 20)) ]; }
eventually 20 "the disk has grown" is_96m
home dd if=/dev/urandom of="$path" bs=1M seek=90 count=4 oflag=direct status=none
home superdev lease del lender/image
lender superdev offer del image

step "read-only"
path=$(lend_disk image /var/tmp/image ro)
[ "$(home blockdev --getro "$path")" = 1 ] || fail "not read-only"
refused home "not permitted" dd if=/dev/zero of="$path" bs=4k count=1 oflag=direct status=none
home dd if="$path" of=/dev/null bs=1M count=8 iflag=direct status=none
home superdev lease del lender/image
no_kernel_report home lender
