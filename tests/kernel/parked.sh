#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A disk without lanes: its requests wait, and end when lanes come or the lease goes; what a reboot of the lender costs.
# shellcheck source=tests/kernel/double.bash
. "$(dirname "$0")/double.bash"
um_load superdev_blk
um_load superdev_null
EBUSY=16

write_begin() {
	dd if=/dev/zero of="$device" bs=64k count=4 oflag=direct status=none 2>/tmp/write.out &
	writer=$!
}
waits() { within in_state $writer D && is_suspended; }
ends_well() { wait $writer; }
says_no_device() { ! wait "$1" && grep -q "No such device" "$2"; }

make_dirty() { dd if=/dev/zero of="$device" bs=64k count=4 oflag=direct status=none; }
flush() { sync "$device" 2>/dev/null; }
one_flush_fails() { fails flush && flush && flush; }
reboot_lender() { tell reboot && all_up; }

double_begin blk 2
expect "without lanes a disk is suspended" eval no_lanes '&&' is_suspended
frames=$(double stat frames)
write_begin
expect "without lanes a write waits" waits
expect "without lanes nothing is sent" double_says "$frames" stat frames
tell go
expect "with lanes again it ends well" ends_well
expect "with lanes again the disk is active" within is_active

exec 5<"$device"
expect "an open disk is not given back" double_says $EBUSY return
expect "and goes on" is_active
exec 5<&-

make_dirty
reboot_lender
expect "of a lender that was booted with unflushed writes one flush fails" one_flush_fails
make_dirty
flush
reboot_lender
expect "of a lender that was booted without unflushed writes no flush fails" flush
make_dirty
no_lanes
sync "$device" 2>/dev/null &
writer=$!
expect "without lanes a flush waits" waits
tell reboot
tell go
expect "a flush that waits while the lender is booted fails" fails ends_well
expect "and the next one does not" flush
all_up

no_lanes
write_begin
dd if="$device" of=/dev/null bs=64k count=1 iflag=direct status=none 2>/tmp/read.out &
reader=$!
expect "a direct write and a direct read wait" eval waits '&&' within in_state $reader D
expect "by force a disk is given back that has waiting requests" double_says 0 return force
expect "the write ended with ENODEV" says_no_device $writer /tmp/write.out
expect "the read ended with ENODEV" says_no_device $reader /tmp/read.out
expect "the disk is gone" within is_gone
expect "what the kernel sent was without fault" double_says 0 stat faults
double_end

rmmod superdev_blk superdev_null superdev
um_load superdev_blk
um_load superdev_null
double_begin blk 1 nocache
make_dirty
reboot_lender
expect "of a lender without write cache that was booted no flush fails" flush
expect "a lender without write cache is never asked to flush" double_says 0 stat flushes

mkfs.ext4 -qF "$device"
mkdir -p /tmp/mnt
mount "$device" /tmp/mnt
cp -a /etc /tmp/mnt
no_lanes
sync -f /tmp/mnt 2>/dev/null &
writer=$!
expect "without lanes a file system waits" waits
expect "by force a disk is given back that is mounted" double_says 0 return force
expect "the file system hears of it" fails ends_well
expect "the file system can be unmounted" umount /tmp/mnt
expect "then the disk is gone" within is_gone
double_end
double_unload
