#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ext4 and xfs live on a borrowed disk: a real tree is copied, the disk goes away and comes back, checksums hold.
. "$(dirname "$0")/lib.sh"
start_clean
introduce
path=$(lend_disk disk0)

for fs in ext4 xfs; do
	step "$fs: make, mount, copy, unmount, return"
	home sh -ec "
		case $fs in ext4) mkfs.ext4 -qF $path;; xfs) mkfs.xfs -qf $path;; esac
		mkdir -p /mnt/t; mount $path /mnt/t
		mkdir /mnt/t/tree
		cd /usr/lib/python3.13
		find . -name '*.py' -print0 | sort -z >/tmp/files
		tar -cf - --null -T /tmp/files | tar -C /mnt/t/tree -xpf -
		xargs -0 sha256sum </tmp/files >/tmp/sums
		cd /
		umount /mnt/t"
	home superdev lease del lender/disk0
	home superdev lease add lender/disk0
	step "$fs: borrowed again, every checksum holds, and the file system is sound"
	home sh -ec "
		mount $path /mnt/t
		cd /mnt/t/tree && sha256sum --quiet -c /tmp/sums
		test \$(wc -l </tmp/sums) -gt 500
		fstrim /mnt/t
		sha256sum --quiet -c /tmp/sums
		cd /; umount /mnt/t
		case $fs in ext4) e2fsck -fn $path >/dev/null;; xfs) xfs_repair -n $path >/dev/null 2>&1;; esac"
	step "$fs: the lender, on its own disk, reads the same"
	home superdev lease del lender/disk0
	lender sh -ec "mkdir -p /mnt/t; mount -o ro /dev/vdb /mnt/t; test -d /mnt/t/tree; umount /mnt/t"
	home superdev lease add lender/disk0
done
home superdev lease del lender/disk0
no_kernel_report home lender
