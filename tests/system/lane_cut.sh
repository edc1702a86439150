#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Lanes are cut, the network fails, loses and delays while fio verifies: I/O waits and goes on, no byte is wrong.
. "$(dirname "$0")/lib.sh"
start_clean
introduce
path=$(lend_disk disk0)

load() {
	local what=$1
	shift
	step "$what"
	home sh -c "rm -f /tmp/fio.status; (fio --name=load --filename=$path --direct=1 --ioengine=libaio --rw=randrw \
		--bsrange=4k-128k --iodepth=16 --size=32m --verify=crc32c --verify_fatal=1 --time_based --runtime=12 --minimal >/tmp/fio.out 2>&1; \
		echo \$? >/tmp/fio.status) </dev/null >/dev/null 2>&1 &"
	eventually 10 "fio runs" home pgrep -x fio
	"$@"
	eventually 180 "fio ends" home test -e /tmp/fio.status
	[ "$(home cat /tmp/fio.status)" = 0 ] || { home cat /tmp/fio.out; fail "fio under: $what"; }
	eventually 30 "the lease is active" lease_is home disk0 active
}
reset_sockets() {
	local i
	for i in 1 2 3 4; do
		sleep 1
		"$1" ss -K dport = :7338 or sport = :7338 >/dev/null
	done
}
cable() {
	scripts/lab net home lender down
	sleep 4
	scripts/lab net home lender up
}
long_cut() {
	scripts/lab net home lender down
	sleep 20
	scripts/lab net home lender up
}
poor() {
	scripts/lab net home lender delay 20
	scripts/lab net home lender loss 2
	sleep 8
	scripts/lab net home lender clear
}
load "every socket is reset at home, four times" reset_sockets home
load "every socket is reset at the lender, four times" reset_sockets lender
load "the cable is out for 4 s" cable
load "the cable is out for 20 s" long_cut
load "a poor network: 20 ms, 2 % lost" poor
home superdev lease del lender/disk0
no_kernel_report home lender
