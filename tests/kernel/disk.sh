#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A borrowed disk under all debug options: data, a file system, resize, both transports, unload.
. "$(dirname "$0")/lib.sh"
two_machines
lend_file image 64M
step "encrypted: $disk"
verify small --rw=randwrite --bs=4k --iodepth=16 --size=8m
verify mixed --rw=randrw --bsrange=4k-256k --iodepth=8 --size=24m --offset=16m

step "resize"
truncate -s 96M /var/tmp/image
is_96m() { [ "$(blockdev --getsize64 "$disk")" = $((96 << 20)) ]; }
eventually 20 "the disk has grown" is_96m

step "ext4"
mkfs.ext4 -qF "$disk"
mkdir -p /tmp/mnt
mount "$disk" /tmp/mnt
cp -a /etc /tmp/mnt/
sync
(cd /etc && find . -type f -print0 | sort -z | xargs -0 sha256sum) >/tmp/sums
(cd /tmp/mnt/etc && sha256sum --quiet -c /tmp/sums)
rm -rf /tmp/mnt/etc
fstrim /tmp/mnt
umount /tmp/mnt

step "in clear, with checksums"
home superdev lease del lender/image
in_clear
disk=$(home superdev lease add lender/image)
verify clear --rw=randrw --bsrange=4k-128k --iodepth=16 --size=24m
home superdev lease del lender/image
end_machines
