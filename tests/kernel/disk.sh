#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A borrowed disk under all debug options: data, file systems, resize, both transports, unload.
. "$(dirname "$0")/lib.sh"
two_machines
lend_file image 64M
step "encrypted: $disk"
verify small --rw=randwrite --bs=4k --iodepth=16 --size=8m
verify mixed --rw=randrw --bsrange=512-256k --blockalign=512 --iodepth=8 --size=24m --offset=16m

step "resize"
truncate -s 96M /var/tmp/image
is_96m() { [ "$(blockdev --getsize64 "$disk")" = $((96 << 20)) ]; }
eventually 20 "the disk has grown" is_96m

for fs in ext4 xfs; do
	step "$fs"
	case $fs in
	ext4) mkfs.ext4 -qF "$disk" ;;
	xfs) truncate -s 320M /var/tmp/image; sleep 3; mkfs.xfs -qf "$disk" ;;
	esac
	mkdir -p /tmp/mnt
	mount "$disk" /tmp/mnt
	cp -a /etc /tmp/mnt/
	sync
	diff -r /etc /tmp/mnt/etc
	rm -rf /tmp/mnt/etc
	fstrim /tmp/mnt
	umount /tmp/mnt
done

step "in clear, with checksums"
home superdev lease del lender/image
in_clear
disk=$(home superdev lease add lender/image)
verify clear --rw=randrw --bsrange=4k-128k --iodepth=16 --size=24m
home superdev lease del lender/image
end_machines
