#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One offer of processors is lent to two homes at once, each with its own limits and figures; a disk still is lent to one.
# KERNELS: stable
# LAB: --machines home,lender,second --memory 768M
. "$(dirname "$0")/lib.sh"
start_clean
clean second
introduce
second() { on second "$@"; }
second superdev peer add lender key "$(lender superdev key)" address lender
lender superdev peer add second key "$(second superdev key)" address second
eventually 20 "the second home sees lender online" is second "peer list" 'x[0]["state"]' online
device_of() { get "$1" "device list" '[x[0]["cpus"], x[0]["load_age_ms"] is not None]'; }
has_figures() { [ "$(device_of "$1")" = "[1, True]" ]; }
nr_lent() { get lender "lease list" 'len([l for l in x if l["role"]=="lent" and l["state"]=="active"])'; }
nr_cgroups() { lender sh -c 'ls -d /sys/fs/cgroup/superdev/lease-* 2>/dev/null | wc -l'; }
lent_are() { [ "$(nr_lent) $(nr_cgroups)" = "$1 $1" ]; }

step "both homes borrow one offer"
lender superdev offer add cpu class cpu cpus 1 memory 128M
for machine in home second; do
	eventually 20 "$machine sees the offer" on $machine superdev offer show lender/cpu
	on $machine superdev lease add lender/cpu
	eventually 10 "$machine has figures" has_figures $machine
done
eventually 10 "two leases are lent, each with a cgroup" lent_are 2
[ "$(get lender "lease list" 'len({l["epoch"] for l in x})')" = 2 ] || fail "two leases have one epoch"

step "the lender's agent is killed: it knows both again"
lender lab-superdevd kill
lender lab-superdevd start
eventually 20 "two leases are lent" lent_are 2
for machine in home second; do
	eventually 20 "$machine's lease is active" lease_is $machine cpu active
	eventually 10 "$machine has figures" has_figures $machine
done

step "one goes, the other does not notice"
home superdev lease del lender/cpu
eventually 10 "one lease is left" lent_are 1
sleep 3
has_figures second || fail "the second home lost its figures"
[ "$(get second "device list" 'x[0]["load_age_ms"] < 3000')" = True ] || fail "the second home's figures are old"

step "the lender loses power with a lease out: it is resumed, while the other home takes one anew"
scripts/lab kill lender
scripts/lab start lender
eventually 90 "the second home's lease is active" lease_is second cpu active
eventually 20 "the second home has figures" has_figures second
eventually 20 "home sees the offer" is home "offer list" 'x[0]["state"]' ready
home superdev lease add lender/cpu
eventually 10 "two leases are lent" lent_are 2

step "a disk has one holder"
lender superdev offer add disk class blk path /dev/vdb
eventually 20 "home sees the disk" home superdev offer show lender/disk
eventually 20 "the second home sees the disk" second superdev offer show lender/disk
home superdev lease add lender/disk
refused second "lent to another peer" superdev lease add lender/disk

step "the lender takes the processors back from both"
lender superdev offer del cpu force
for machine in home second; do
	eventually 20 "$machine's lease is revoked" lease_is $machine cpu revoked
	on $machine superdev lease del lender/cpu
done
home superdev lease del lender/disk
eventually 10 "no cgroup is left" lent_are 0
clean second
no_kernel_report home lender second
