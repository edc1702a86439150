#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Lanes are cut, the network fails, loses and delays while fio verifies: I/O waits and goes on, no byte is wrong.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
start_clean
introduce
path=$(lend_disk disk0)

load() {
	local what=$1
	shift
	step "$what"
	start_load "$path" --rw=randrw --bsrange=4k-128k --size=4m
	"$@"
	finish_load "$what"
	eventually 30 "the lease is active" lease_is home disk0 active
}
reset_sockets() {
	local round
	for round in 1 2 3 4; do
		echo "round $round"
		sleep 1
		"$1" ss -K dport = :7338 or sport = :7338 >/dev/null
	done
}
cable() {
	scripts/lab net home lender down
	sleep 3
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
	sleep 6
	scripts/lab net home lender clear
}
load "every socket is reset at home, four times" reset_sockets home
load "every socket is reset at the lender, four times" reset_sockets lender
load "the cable is out for 3 s" cable
load "the cable is out for 20 s" long_cut
load "a poor network: 20 ms, 2 % lost" poor
home superdev lease del lender/disk0
no_kernel_report home lender
