#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every byte written to a borrowed disk is read back as written, whatever the request looks like.
. "$(dirname "$0")/lib.sh"
start_clean
introduce
path=$(lend_disk disk0)

fio_verify() {
	home fio --name="$1" --filename="$path" --direct=1 --ioengine=libaio --verify=crc32c \
		--verify_fatal=1 --group_reporting --minimal "${@:2}" >/dev/null
	step "$1: verified"
}
# Emulated machines do some hundred requests a second: the shapes matter here, not the amounts.
fio_verify small --rw=randwrite --bs=4k --iodepth=32 --size=3m
fio_verify mixed --rw=randrw --bsrange=512-256k --bs_unaligned=0 --blockalign=512 --iodepth=16 --size=8m --offset=4m
fio_verify large --rw=write --bs=1m --iodepth=4 --size=12m --offset=12m
fio_verify flushed --rw=randwrite --bs=8k --iodepth=8 --size=1m --offset=24m --fdatasync=16
fio_verify jobs --rw=randwrite --bs=4k --iodepth=8 --size=512k --numjobs=3 --offset=25m --offset_increment=1m

step "what the lender's disk holds is what home wrote"
sum=$(home sh -c "dd if=$path bs=1M count=28 iflag=direct status=none | sha256sum")
[ "$sum" = "$(lender sh -c 'dd if=/dev/vdb bs=1M count=28 iflag=direct status=none | sha256sum')" ] ||
	fail "home and lender see different data"

step "discard and write zeroes reach the disk"
home dd if=/dev/urandom of="$path" bs=1M count=2 oflag=direct status=none
home blkdiscard --zeroout --offset 0 --length 1M "$path"
home sh -c "cmp -n 1048576 $path /dev/zero" || fail "zeroed range is not zero"
home blkdiscard --offset 1M --length 1M "$path"
home superdev lease del lender/disk0
no_kernel_report home lender
