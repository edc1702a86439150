#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Processors are lent and borrowed: offers in every form, figures that follow the lender, and every way in which it ends.
. "$(dirname "$0")/lib.sh"
start_clean
introduce

# figure NAME: of the device, in sysfs.
device() { echo "/sys/bus/superdev/devices/$(home sh -c 'grep -lx cpu /sys/bus/superdev/devices/*/class | cut -d/ -f6 | tail -n 1')"; }
figure() { home cat "$(device)/$1"; }
figure_is() { [ "$(figure "$1")" = "$2" ]; }
is_fresh() { [ "$(figure age_ms)" -lt 5000 ]; }
above() { [ "$(figure "$1")" -gt "$2" ]; }
below() { [ "$(figure "$1")" -lt "$2" ]; }
no_device() { home sh -c '! grep -qsx cpu /sys/bus/superdev/devices/*/class'; }
active() { lease_is home "$1" active; }
# Those of this machine alone, so that cgroups of others do not count.
no_cgroup() { lender sh -c '! ls -d /sys/fs/cgroup/superdev/lease-* /sys/fs/cgroup/system.slice/superdevd.service/lease-* 2>/dev/null'; }
offer_of() { get lender "offer list" "[o for o in x if o[\"name\"]==\"$1\"][0][\"$2\"]"; }

step "offers that can't be are refused with the reason"
refused lender "'99': this machine has" superdev offer add bad class cpu cpus 99
refused lender "'0' is no number" superdev offer add bad class cpu cpus 0
refused lender "'many' is no number" superdev offer add bad class cpu cpus many
refused lender "'1X' is no size" superdev offer add bad class cpu memory 1X
refused lender "'0': nothing runs" superdev offer add bad class cpu memory 0
refused lender "too little to run anything" superdev offer add bad class cpu memory 1M
refused lender "this machine has" superdev offer add bad class cpu memory 1T
refused lender "takes no path" superdev offer add bad class cpu path /dev/vdb
refused lender "takes no ro" superdev offer add bad class cpu ro
refused lender "'blk' has no cpus" superdev offer add bad class blk path /dev/vdb cpus 1
refused lender "'null' has no memory" superdev offer add bad class null memory 1G
is lender "offer list" 'len(x)' 0 || fail "a refused offer is still there"

step "without words all processors and half of the memory are lent, with words what they say"
online=$(lender getconf _NPROCESSORS_ONLN)
total=$(($(lender awk '/MemTotal/ {print $2}' /proc/meminfo) * 1024))
lender superdev offer add cpu class cpu
[ "$(offer_of cpu cpus)" = "$online" ] || fail "not all processors are lent: $(offer_of cpu cpus)"
half=$(offer_of cpu memory_bytes)
((half > total * 45 / 100 && half < total * 55 / 100)) || fail "$half bytes are not half of $total"
lender superdev offer add small class cpu cpus 1 memory 128M
[ "$(offer_of small cpus) $(offer_of small memory_bytes)" = "1 $((128 << 20))" ] || fail "small is not as wanted"
lender superdev offer add other class cpu memory 100000000
[ "$(offer_of other cpus) $(offer_of other memory_bytes)" = "$online 100000000" ] || fail "other is not as wanted"
lender superdev offer list
lender superdev offer show small
lender superdev save >/tmp/cpu.save.$$
grep -x "offer add cpu class cpu" /tmp/cpu.save.$$
grep -x "offer add small class cpu cpus 1 memory $((128 << 20))" /tmp/cpu.save.$$
for name in cpu small other; do lender superdev offer del $name; done
grep "^offer" /tmp/cpu.save.$$ | lender superdev batch -
rm /tmp/cpu.save.$$
[ "$(offer_of small cpus) $(offer_of small memory_bytes)" = "1 $((128 << 20))" ] || fail "a batch does not bring them back"

step "home sees them with their properties, and borrows"
eventually 20 "home sees the offer" home superdev offer show lender/small
get home "offer list" '[[o["name"],o["cpus"],o["memory_bytes"],o["properties"]["arch"]["value"]] for o in x]'
is home "offer list" '[[o["cpus"],o["memory_bytes"]] for o in x if o["name"]=="small"][0]' "[1, $((128 << 20))]" || fail "home sees other figures"
home sh -c 'lsmod | grep -q superdev_cpu && modprobe -r superdev_cpu; true'
[ -z "$(home superdev lease add lender/small)" ] || fail "a device without a node has a path"
active small || fail "it is not usable when lease add returns"
home sh -c 'lsmod | grep superdev_cpu'
for name in cpus memory architecture features kernel page_size; do echo "$name: $(figure $name)"; done
figure_is cpus 1 || fail "cpus"
figure_is memory $((128 << 20)) || fail "memory"
figure_is architecture "$(lender uname -m)" || fail "architecture"
figure_is kernel "$(lender uname -r)" || fail "kernel"
figure_is page_size "$(lender getconf PAGESIZE)" || fail "page size"
eventually 10 "the lender says how it fares" is_fresh
figure_is cpus_online "$online" || fail "online"
figure_is tasks 0 || fail "tasks"
((($(figure memory_available) < total && $(figure memory_available) > 0))) || fail "memory available"
home superdev device list
home superdev device show lender/small
get home "device list" '[[d[k] for k in "device path cpus load tasks used_us".split()] for d in x]'
is home "device list" '[x[0]["cpus"], x[0]["tasks"]]' "[1, 0]" || fail "device list has other figures"

step "the shell completes what there is"
[ "$(home superdev complete offer add x class c)" = cpu ] || fail "class cpu is not completed"
[ "$(home superdev complete device show l)" = lender/small ] || fail "the device is not completed"
home superdev complete offer add x class cpu "" | grep -qx memory || fail "memory is not completed"

step "what runs there is bounded: its cgroup"
cgroup=$(lender sh -c 'ls -d /sys/fs/cgroup/superdev/lease-* /sys/fs/cgroup/system.slice/superdevd.service/lease-* 2>/dev/null | tail -n 1')
# Beside the agent where systemd gave it a subtree, else at the top.
own=$(lender sh -c 'cut -d: -f3 /proc/$(pidof superdevd)/cgroup')
case $own in */agent) base=/sys/fs/cgroup${own%/agent} ;; *) base=/sys/fs/cgroup/superdev ;; esac
[ "${cgroup%/*}" = "$base" ] || fail "the agent is in '$own', the lease in '$cgroup'"
echo "$cgroup"
lender sh -c "cd $cgroup; for f in cpu.idle cpu.max memory.max pids.max worker/cgroup.procs; do echo \$f: \$(cat \$f); done"
[ "$(lender sh -c "cd $cgroup; cat cpu.idle cpu.max memory.max pids.max | tr '\n' ' '")" = "1 100000 100000 $((128 << 20)) 4096 " ] || fail "limits"
[ -n "$(lender cat "$cgroup/worker/cgroup.procs")" ] || fail "the worker is not in its cgroup"

step "the figures follow the lender: it is idle, burns, and is idle again"
eventually 30 "the lender is idle" below load 600
used=$(figure used_us)
lender sh -c 'for i in $(seq $(getconf _NPROCESSORS_ONLN)); do (exec timeout 120 sh -c "while :; do :; done") & echo $!; done >/tmp/burners </dev/null 2>/dev/null'
eventually 30 "the load rises" above load 900
home superdev device list
lender sh -c 'kill $(cat /tmp/burners)'
eventually 30 "the load falls" below load 600
eventually 30 "the lease's own time is counted" above used_us "$used"

step "a home has one lease of an offer, and of several offers one each"
refused home "there is a lease" superdev lease add lender/small
home superdev lease add lender/cpu
is home "device list" 'len(x)' 2 || fail "there are not two devices"
home superdev lease del lender/cpu

step "agents of either end are killed: figures go on, and are fresh again"
for machine in home lender; do
	on $machine lab-superdevd kill
	eventually 10 "asked without the agent of $machine" is_fresh
	on $machine lab-superdevd start
	eventually 20 "the agent of $machine answers" is $machine "peer list" 'x[0]["state"]' online
	eventually 20 "the lease is active" active small
	eventually 10 "figures are fresh" is_fresh
done
[ "$(offer_of small cpus) $(offer_of cpu cpus)" = "1 $online" ] || fail "a restarted agent has other offers"

step "the worker is killed: another one answers, in the same cgroup"
lender pkill -9 -x superdev-worker
eventually 20 "the lease is active" active small
eventually 10 "figures are fresh" is_fresh
[ -n "$(lender cat "$cgroup/worker/cgroup.procs")" ] || fail "the new worker is not in the cgroup"

step "while the lender is away figures get older, and afterwards they are fresh"
scripts/lab net home lender down
eventually 30 "figures get older" above age_ms 6000
eventually 60 "the lease is suspended" lease_is home small suspended
scripts/lab net home lender up
eventually 60 "the lease is active" active small
eventually 20 "figures are fresh" is_fresh

step "given back, nothing is left"
home superdev lease del lender/small
eventually 10 "the device is gone" no_device
eventually 10 "no worker is left" lender sh -c '! pidof superdev-worker'
eventually 10 "no cgroup is left" no_cgroup

step "the class module is unloaded under the lease, and loaded again"
home superdev lease add lender/cpu
home modprobe -r superdev_cpu
eventually 10 "the lease is suspended" lease_is home cpu suspended
home modprobe superdev_cpu
eventually 20 "the lease is active" active cpu
eventually 10 "figures are fresh" is_fresh

step "the lender takes it back"
lender superdev offer del cpu force
eventually 20 "the device is gone" no_device
eventually 20 "the lease says so" lease_is home cpu revoked
eventually 10 "no cgroup is left" no_cgroup
home superdev lease del lender/cpu
home modprobe -r superdev_cpu
no_kernel_report home lender
