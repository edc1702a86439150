#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The network fails, agents and the worker killed, leases ended by force and modules unloaded, all under load.
. "$(dirname "$0")/lib.sh"
two_machines
lend_file image 64M

load_begin() {
	fio --name=load --filename="$disk" --direct=1 --ioengine=io_uring --rw=randrw --bsrange=4k-64k --iodepth=16 \
		--size=24m --verify=crc32c --verify_fatal=1 --verify_state_save=0 --time_based --runtime="${1:-10}" --minimal >/tmp/fio.out 2>&1 &
	load=$!
	sleep 1
}
load_end() { wait "$load" || { tail -n 5 /tmp/fio.out; um_fail "fio under: $1"; }; }

step "the network is cut for three seconds"
load_begin
um_net home lender down
sleep 3
um_net home lender up
load_end "a cut"
step "loss and delay"
load_begin
um_net home lender delay 5
um_net home lender loss 3
load_end "loss"
um_net home lender clear

for machine in home lender; do
	step "the agent of $machine is killed"
	load_begin
	um_daemon_end $machine KILL || true # it is gone, which is what was wanted
	um_daemon $machine
	load_end "a killed agent of $machine"
done
step "the worker is killed"
load_begin
pkill -9 -f superdev-worker
load_end "a killed worker"
eventually 20 "active again" held_is image active

step "the lease is ended by force under load"
load_begin 30
home superdev lease del lender/image force
wait "$load" && um_fail "fio ended well on a disk that was gone"
[ ! -b "$disk" ] || um_fail "$disk is still there"

step "revoked under load"
disk=$(home superdev lease add lender/image)
load_begin 30
lender superdev offer del image force
wait "$load" && um_fail "fio ended well on a disk that was taken back"
eventually 10 "the device is gone" test ! -b "$disk"

step "the class module is unloaded with parked requests, and the lease lives on"
lend_file second 32M
um_net home lender down
eventually 40 "suspended" held_is second suspended
dd if="$disk" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null &
reader=$!
sleep 1
home superdev lease del lender/second force
wait "$reader" && um_fail "a read of a disk that is gone succeeded"
um_net home lender up
end_machines
