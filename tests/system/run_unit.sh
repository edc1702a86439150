#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs run at a lender whose agent is the systemd unit: its hardening leaves guests what programs need.
# LAB: --init systemd
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
start_clean
introduce
borrow_processors
id=$(lease_id)

step "a program runs there, of root and of a user"
[ "$(where)" = lender ] || fail "it ran here: $(there /bin/true true 2>&1)"
[ "$(there /bin/hostname hostname)" = home ] || fail "another host name"
[ "$(user /usr/bin/id id -u)" = 1000 ] || fail "another user"

step "what the unit could keep from programs works"
there /bin/sh sh -c 'echo x >/usr/local/by_root && chown 1000:1000 /usr/local/by_root && mkdir -p /tmp/group && chmod 2775 /tmp/group'
[ "$(home stat -c '%u %a' /usr/local/by_root /tmp/group | xargs)" = "1000 644 0 2775" ] || fail "root's files"
[ "$(there /usr/bin/setarch setarch -R echo personality)" = personality ] || fail "personality"
[ "$(there /usr/bin/python3 python3 -c 'import mmap
mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
print("code")')" = code ] || fail "memory that is written and executed"

step "guests are in the unit's subtree, and in its limits"
base=/sys/fs/cgroup/system.slice/superdevd.service
lender sh -c "cd $base/lease-*/guests && ls && grep . host/cgroup.procs && cat ../memory.max ../pids.max ../cpu.max cgroup.subtree_control"
[ "$(lender sh -c "cat $base/lease-*/memory.max")" = $((512 << 20)) ] || fail "the lease's memory"

step "the agent is restarted: guests end, the lease and new ones go on"
in_background go "$DEPUTY --lease $id -- /bin/sleep sleep 1000"
eventually 20 "it runs there" lender pgrep -f "^sleep 1000"
lender systemctl restart superdevd
wait_for go
[ "$(status_of go)" = 137 ] || fail "it ended with $(status_of go)"
nothing_left
eventually 60 "the lease is active" lease_is home cpu active
eventually 30 "programs run there again" runs_there
home superdev lease del lender/cpu force
nothing_left
lender systemd-analyze security superdevd | tail -n 1
no_kernel_report home lender
