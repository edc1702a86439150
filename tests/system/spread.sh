#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs go to lenders by a policy in BPF: superdev run, its shell's view of it, and a build, with a deputy that gives up.
. "$(dirname "$0")/lib.sh"
start_clean
introduce
scripts/lab root -- make -s bpf-tests build/obj/tests/kernel/spread-deputy
scripts/lab put home build/bpf/tests/away.bpf.o /tmp/away.bpf.o
scripts/lab put home build/obj/tests/kernel/spread-deputy /tmp/spread-deputy
scripts/lab put home tests/system/spread-tty.py /tmp/spread-tty.py
home sh -c 'chmod 755 /tmp/spread-deputy; superdev policy unload 2>/dev/null; modprobe -r superdev_cpu; modprobe superdev_cpu deputy=/tmp/spread-deputy'

lender superdev offer add cpu class cpu cpus 1 memory 256M
eventually 20 "home sees the offer" home superdev offer show lender/cpu
home superdev lease add lender/cpu
lease=$(get home "lease list" 'x[0]["id"]')
no_runs() { home sh -c '! ls -d /sys/fs/cgroup/superdev/run-* 2>/dev/null' && is home "set show" "len(x)" 0; }

step "without a policy, local-first is loaded"
home superdev run true
is home "policy show" 'x["name"]' local-first || fail "there is no policy: $(home superdev policy)"
eventually 10 "the cgroup is gone" no_runs

step "with one that wants them away, programs go"
home superdev policy load /tmp/away.bpf.o
home superdev policy try true
[ "$(home env SPREAD=show superdev run echo here)" = here ] || fail "the command itself went, and not what it starts"
went=$(home sh -c 'SPREAD=show superdev run env echo a "b c"; true')
[ "$(sed '/^fd/d' <<<"$went" | paste -sd'|')" = "/tmp/spread-deputy|--lease|$lease|--|/usr/bin/echo|echo|a|b c" ] || fail "the deputy got: $went"
is home "task recent" 'x[-1]["why"]' "all goes to lender"
[ "$(get home "policy show" 'x["remote"] > 0')" = True ] || fail "it was not counted"
went=$(home sh -c 'SPREAD=show superdev run on lender/cpu echo a; true')
[ "$(sed '/^fd/d' <<<"$went" | paste -sd'|')" = "/tmp/spread-deputy|--lease|$lease|--|/usr/bin/echo|echo|a" ] || fail "by name it got: $went"

step "what runs there is listed and explained"
home sh -c 'SPREAD=stay superdev run env sh -c "sleep 1000; true" >/dev/null 2>&1 </dev/null & sleep 1'
home superdev task list
is home "task list" '[t["peer"] for t in x if t["program"].endswith("/sh")][0]' lender || fail "it is not listed"
pid=$(get home "task list" '[t["pid"] for t in x if t["program"].endswith("/sh")][0]')
home superdev explain "$pid"
is home "explain $pid" '[x["policy"], x["why"], x["candidates"][0]["offer"]]' "['away', 'all goes to lender', 'cpu']" || fail "it is not explained"
home superdev explain 1
is home "explain 1" 'x["decided"]' False || fail "of process 1: $(get home "explain 1" x)"
home superdev set show
home pkill -x sleep
eventually 10 "nothing is listed any more" is home "task list" 'len(x)' 0
eventually 10 "the cgroup is gone" no_runs

step "refusals"
refused home "there is no such process" superdev explain 4000000
refused home "is no number" superdev explain one
refused home "no such peer" superdev run on nobody true
refused home "no processors are borrowed" superdev run on lender/none true
refused home "there is no such program" superdev run /no/such
refused home "Permission denied" superdev run /etc/passwd
refused home "there is no such program" superdev run on lender /no/such
refused home "whole machine" superdev set spread /sys/fs/cgroup on
refused home "there is no cgroup '/none'" superdev set spread /none on
refused home "neither 'on' nor 'off'" superdev set spread /none maybe
refused home "try it with sudo" setpriv --reuid 65534 --clear-groups superdev run true
eventually 10 "no refusal leaves a cgroup" no_runs

step "exit statuses and signals"
status_of() { home sh -c 'superdev run "$@" >/dev/null 2>&1 </dev/null; echo $?' sh "$@"; }
[ "$(status_of true) $(status_of false) $(status_of sh -c 'exit 200')" = "0 1 200" ] || fail "statuses differ"
[ "$(status_of /no/such) $(status_of /etc/passwd)" = "127 126" ] || fail "statuses of what can't start differ"
# shellcheck disable=SC2016 # for the inner shell
[ "$(status_of sh -c 'kill -KILL $$')" = 137 ] || fail "the status of a killed command differs"
[ "$(home sh -c 'timeout 1 superdev run sleep 100; echo $?')" = 124 ] || fail "timeout does not reach it"
[ "$(home sh -c 'echo in | superdev run cat | tr a-z A-Z')" = IN ] || fail "pipes differ"

step "borrowed processors count"
here=$(home nproc)
[ "$(home superdev run nproc)" = $((here + 1)) ] || fail "nproc says $(home superdev run nproc)"
home sh -c 'mkdir /sys/fs/cgroup/counted && superdev set spread /sys/fs/cgroup/counted on'
counted() { home sh -c 'echo 0 >/sys/fs/cgroup/counted/cgroup.procs; exec "$@"' sh "$@"; }
[ "$(counted nproc)" = $((here + 1)) ] || fail "nproc says $(counted nproc)"
counted python3 -c 'import os; m = os.sched_getaffinity(0); os.sched_setaffinity(0, m); assert m == os.sched_getaffinity(0)'
[ "$(home nproc)" = "$here" ] || fail "nproc says $(home nproc) elsewhere"
home superdev set spread /sys/fs/cgroup/counted off
[ "$(counted nproc)" = "$here" ] || fail "nproc says $(counted nproc) where it does not spread"
home rmdir /sys/fs/cgroup/counted

step "what is left in the background keeps the cgroup, and only so long"
home sh -c 'superdev run sh -c "sleep 3 >/dev/null 2>&1 &"; ls -d /sys/fs/cgroup/superdev/run-*'
eventually 15 "the cgroup is gone" no_runs

step "job control"
home python3 /tmp/spread-tty.py
eventually 10 "the cgroup is gone" no_runs

step "a build gives the same result"
home sh -c 'rm -rf /tmp/tree && mkdir /tmp/tree && cd /tmp/tree &&
	for i in 1 2 3 4 5 6 7 8; do echo "int f$i(int x) { return x * $i; }" >f$i.c; done &&
	printf "%s\n" "OBJS := \$(patsubst %.c,%.o,\$(wildcard f*.c))" "lib.a: \$(OBJS)" "	rm -f \$@; ar rcD \$@ \$^" "%.o: %.c" "	gcc -O2 -c -o \$@ \$<" "clean:" "	rm -f *.o *.a" >Makefile'
home sh -c 'cd /tmp/tree && make -s && sha256sum f*.o lib.a >/tmp/local.sums && make -s clean'
home sh -c 'cd /tmp/tree && superdev run make -s -j4 && sha256sum -c --quiet /tmp/local.sums'
[ "$(get home "task recent" 'len([t for t in x if t["program"].endswith("gcc")]) > 0')" = True ] || fail "gcc was not decided on"

step "with the deputy gone all stays"
home rm /tmp/spread-deputy
[ "$(home env SPREAD=show superdev run env echo here)" = here ] || fail "it went"
case $(get home "task recent" 'x[-1]["why"]') in
"the deputy can't be started: '/tmp/spread-deputy': "*) ;;
*) fail "it is told: $(get home "task recent" 'x[-1]')" ;;
esac

step "nothing is left"
home superdev policy unload
home superdev lease del lender/cpu
[ "$(home superdev run nproc)" = "$here" ] || fail "what was given back is counted"
home modprobe -r superdev_cpu
no_kernel_report home lender
