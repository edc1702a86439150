#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs that start at lenders: which do, what their deputy gets, what stays, and faults on the way.
TIMEOUT=${TIMEOUT:-400}
CPUS=${CPUS:-2}
if [ -z "${UM_LIB:-}" ]; then
	(cd "$(dirname "$0")/../.." &&
		scripts/lab root -- make --no-print-directory build/obj/tests/kernel/spread-deputy >&2) || exit 1
fi
# shellcheck source=tests/kernel/double.bash
. "$(dirname "$0")/double.bash"

deputy=/src/build/obj/tests/kernel/spread-deputy
top=/sys/fs/cgroup
[ -e $top/cgroup.procs ] || mount -t cgroup2 cgroup2 $top
cgroup=$top/spread
mkdir $cgroup $cgroup/below
# in_cgroup COMMAND…: runs it below the cgroup that is set to spread.
in_cgroup() { sh -c "echo 0 >$cgroup/below/cgroup.procs"' && exec "$@"' sh "$@"; }
away() { echo "$1" >/sys/module/superdev_policy_test/parameters/away; }
refuses() { ! "${@:2}" >/tmp/refused 2>&1 && grep -q -- "$1" /tmp/refused; }
marks() { superdev -j set show | python3 -c 'import json,sys; print(" ".join(s["cgroup"] for s in json.load(sys.stdin)))'; }
# shellcheck disable=SC2120 # none is a case
marks_are() { [ "$(marks)" = "$*" ]; }
gone() { ! superdev -j task list | grep -q '"pid"'; }
shows() { [ "$(SPREAD=show in_cgroup /bin/echo here | head -n 1)" = "$1" ]; }

expect "the deputy has to be named by an absolute path" fails um_load superdev_cpu deputy=here 2>/dev/null
um_load superdev_cpu deputy=$deputy
um_load tls

step "cgroups"
expect "none is set to spread at first" marks_are
expect "one is" superdev set spread $cgroup on
expect "and is listed, by its path in the hierarchy" marks_are /spread
expect "to set it again is no error" superdev set spread /spread on
expect "the whole machine is not" refuses "whole machine" superdev set spread $top on
expect "what is no cgroup is not" refuses "no cgroup '/none'" superdev set spread /none on
expect "a file of a cgroup is not" refuses "file of a cgroup" superdev set spread /spread/cgroup.procs on
expect "a path has to begin with a slash" refuses "is no cgroup" superdev set spread none on
expect "one below is not set by itself" refuses "one above: '/spread'" superdev set spread $cgroup/below off
expect "it needs privileges" refuses "not permitted" setpriv --reuid 65534 --clear-groups --bounding-set -all superdev set spread $cgroup off
expect "save tells how to set it again" eval 'superdev save | grep -qx "set spread /spread on"'
expect "it is unset" superdev set spread $cgroup off
expect "and that once" refuses "not set to spread" superdev set spread $cgroup off
superdev monitor >/tmp/events &
watcher=$!
sleep 0.5
mkdir $top/short
superdev set spread $top/short on
expect "what is set is told" within grep -q "cgroup /short: may spread" /tmp/events
rmdir $top/short
expect "a cgroup that is removed is forgotten, and that is told" within grep -q "cgroup /short: does not" /tmp/events
expect "and is listed no more" marks_are
kill $watcher
many() {
	local n
	for n in $(seq 200); do mkdir $top/many$n && superdev set spread $top/many$n on || return; done
	[ "$(marks | wc -w)" = 200 ] && rmdir $top/many* && marks_are
}
expect "two hundred come and go" many

step "decisions"
superdev set spread $cgroup on
expect "without an agent programs stay" eval '[ "$(SPREAD=show in_cgroup /bin/echo here)" = here ]'
double_begin cpu 2 clear
lease=$(superdev -j lease list | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["id"])')
expect "without a policy programs stay" eval '[ "$(SPREAD=show in_cgroup /bin/echo here)" = here ]'
um_load superdev_policy_test
expect "with a policy that wants them away they go" shows $deputy
expect "outside the cgroup they stay" eval '[ "$(SPREAD=show /bin/echo here)" = here ]'
away N
expect "where the policy wants them here they stay" shows here
away Y
no_lanes
expect "where the lease is not active they stay" shows here
tell go
all_up
within is_active
in_cgroup python3 /src/tests/kernel/spread-cases.py "$lease" $deputy || failed=1

step "superdev run"
want=0
status() { local status=0; "$@" || status=$?; [ $status = "$want" ]; }
want=42 expect "what its command starts goes" eval 'SPREAD=show status superdev run env /bin/true >/dev/null'
want=7 expect "its status comes back" status superdev run sh -c 'exit 7'
want=127 expect "what does not exist is 127" status superdev run /no/such 2>/dev/null
want=126 expect "what can't be executed is 126" status superdev run /etc/passwd 2>/dev/null
want=143 expect "a signal ends it as its command" status superdev run sh -c 'kill -TERM $$'
expect "no cgroup is left" eval 'within fails ls -d $top/superdev/run-* 2>/dev/null && within marks_are /spread'
expect "it runs there, by name" eval '[ "$(SPREAD=show superdev run on lender /bin/echo a b | sed -n 5p)" = /bin/echo ]'
expect "nobody is known by another name" refuses "no such peer" superdev run on nobody true
want=127 expect "what does not exist is 127 there, too" status superdev run on lender /no/such 2>/dev/null
want=126 expect "and what can't be executed 126" status superdev run on lender /etc/passwd 2>/dev/null

step "faults"
cd /tmp && printf '#!/bin/sh\nexit 0\n' >script && chmod +x script
# Where it is the modules that lack memory, each program runs, there or here.
starts() { for _ in $(seq 60); do in_cgroup /bin/sh -c '/bin/true && ./script' || return; done; }
for module in superdev_cpu superdev; do
	expect "what $module has no memory for runs all the same" um_failslab $module 30 300 -- starts
	echo "$UM_FAILED allocations of $module failed"
	[ "$UM_FAILED" -gt 0 ] || um_fail "no allocation of $module was made to fail"
done
# Where it is the process that starts something, it may fail as ever; each time another one.
failed_starts=0 injected=0
for _ in $(seq 40); do
	um_failslab task 5 20 -- in_cgroup /bin/sh -c '/bin/true && ./script' >/tmp/faults.out 2>&1 || failed_starts=$((failed_starts + 1))
	injected=$((injected + UM_FAILED))
done
echo "$injected allocations of programs that start failed, and $failed_starts of 40 of these"
[ $injected -ge 40 ] || um_fail "only $injected allocations of programs that start were made to fail"
expect "with memory back they go" shows $deputy
expect "nothing is listed that has ended" within gone

step "unload under load"
load() { while :; do in_cgroup /bin/sh -c '/bin/true; /bin/true'; done; }
for _ in 1 2 3; do load 2>/dev/null & loads+=($!); done
for _ in $(seq 10); do
	um_wait 20 rmmod superdev_cpu 2>/dev/null || um_fail "superdev_cpu does not go"
	sleep 0.2
	um_load superdev_cpu deputy=$deputy
	sleep 0.2
done
kill "${loads[@]}"
status=0
wait "${loads[@]}" 2>/dev/null || status=$?
expect "the load went on until it was ended" [ $status = 143 ]
all_up
within is_active
expect "after ten loads and unloads they go" shows $deputy
sh -c "echo 0 >$cgroup/below/cgroup.procs; exec sleep 1000" &
sleep 0.5
kill -KILL $!
status=0
wait $! 2>/dev/null || status=$?
expect "what stands for a program can be killed" [ $status = 137 ]
expect "what is killed is forgotten" within gone
within rmdir $cgroup/below
expect "a cgroup that is set to spread can be removed" rmdir $cgroup
expect "and is forgotten" marks_are
double_end
rmmod superdev_policy_test
double_unload superdev_cpu
