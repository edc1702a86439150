#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent of either end is killed and started again while fio verifies: I/O pauses at most, no byte is wrong.
. "$(dirname "$0")/lib.sh"
start_clean
introduce
path=$(lend_disk disk0)

restart_agent() {
	on "$1" lab-superdevd kill
	on "$1" lab-superdevd start
	eventually 20 "the agent of $1 answers" is "$1" "peer list" 'x[0]["state"]' online
}

for machine in home lender; do
	step "the agent of $machine is killed under load, twice"
	start_load "$path"
	restart_agent "$machine"
	sleep 1
	restart_agent "$machine"
	finish_load "a killed agent of $machine"
	eventually 20 "the lease is active" lease_is home disk0 active
done

step "the worker is killed under load"
start_load "$path"
lender pkill -9 -x superdev-worker
finish_load "a killed worker"
eventually 20 "the lease is active" lease_is home disk0 active

step "after all that, the agents still do their work"
home superdev lease del lender/disk0
home superdev lease add lender/disk0
home superdev lease del lender/disk0
eventually 10 "no worker is left" lender sh -c '! pidof superdev-worker'
no_kernel_report home lender
