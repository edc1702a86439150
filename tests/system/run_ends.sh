#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every way in which a program at a lender ends before its time: it says so, and nothing is left.
# KERNELS: stable
# SECONDS: 900
. "$(dirname "$0")/lib.sh"
start_clean
introduce
home sh -c "echo of home >/etc/of_home"
borrow_processors
id=$(lease_id)

step "home's agent is killed: what runs goes on, and more can be started"
in_background go "$DEPUTY --lease $id -- /bin/sh sh -c 'echo up; sleep 8; cat /etc/of_home; exit 5'"
eventually 20 "it is up" home grep up /tmp/go.out
home lab-superdevd kill
home lab-superdevd start
wait_for go
[ "$(status_of go)" = 5 ] && home grep "of home" /tmp/go.out || fail "it did not survive: $(status_of go)"
eventually 30 "the lease is active" lease_is home cpu active
id=$(lease_id)
[ "$(where)" = lender ] || fail "the new agent does not run them there"

step "the lender's agent is killed: what ran ends, with a message, and nothing is left"
in_background go "$DEPUTY --lease $id -- /bin/sleep sleep 1000"
eventually 20 "it runs there" lender pgrep -f "^sleep 1000"
lender lab-superdevd kill
lender lab-superdevd start
wait_for go
[ "$(status_of go)" = 137 ] && home grep "lost the lender" /tmp/go.err || fail "it ended with $(status_of go)"
nothing_left
eventually 60 "the lease is active" lease_is home cpu active
eventually 30 "programs run there again" runs_there

step "who makes hosts of guests is killed: what runs goes on, and more can be started"
in_background go "$DEPUTY --lease $id -- /bin/sh sh -c 'echo up; sleep 8; cat /etc/of_home; exit 5'"
eventually 20 "it is up" home grep up /tmp/go.out
before=$(lender pgrep -x superdev-host)
lender kill -9 "$before"
eventually 30 "programs run there again" runs_there
eventually 10 "another one makes them" lender sh -c '[ "$(pgrep -x superdev-host)" -gt "$0" ]' "$before"
wait_for go
[ "$(status_of go)" = 5 ] && home grep "of home" /tmp/go.out || fail "it did not survive: $(status_of go)"

step "a lease by which a program runs is not given back"
in_background go "superdev run on lender/cpu sleep 1000"
eventually 20 "it runs there" lender pgrep -f "^sleep 1000"
refused home "in use" superdev lease del lender/cpu
home sh -c 'kill $(pgrep -f "^$0.*sleep 1000")' "$DEPUTY"
wait_for go
eventually 10 "it is no longer listed" is home "task list" 'len(x)' 0

step "the lease is given back by force: guests end, nothing is left"
in_background go "$DEPUTY --lease $id -- /bin/sh sh -c 'trap \"\" TERM INT HUP; sleep 1000 & setsid sleep 1000 & sleep 1000'"
eventually 20 "it runs there" lender pgrep -f "^sleep 1000"
home superdev lease del lender/cpu force
wait_for go
[ "$(status_of go)" = 137 ] && home grep "lost the lender" /tmp/go.err || fail "it ended with $(status_of go)"
nothing_left
eventually 20 "no cgroup is left" sh -c '! scripts/lab exec lender -- find /sys/fs/cgroup -name "lease-*" | grep .'
[ "$(home sh -c "$DEPUTY --verbose --lease $id -- /bin/cat cat /proc/cmdline 2>&1" | grep -c -e "runs here: no lease" -e lab.name=home)" = 2 ] || fail "not here"

step "the lender takes everything back at once, and others may have it then"
home superdev lease add lender/cpu
id=$(lease_id)
in_background go "$DEPUTY --lease $id -- /bin/sleep sleep 1000"
eventually 20 "it runs there" lender pgrep -f "^sleep 1000"
refused lender "no such offer" superdev offer revoke nothing
lender superdev offer revoke cpu
wait_for go
[ "$(status_of go)" = 137 ] || fail "it ended with $(status_of go)"
nothing_left
eventually 20 "the lease says so" lease_is home cpu revoked
home superdev lease del lender/cpu
is lender "offer list" '[[o["state"],o["cpus"],o["memory_bytes"]] for o in x]' "[['ready', 1, 536870912]]" || fail "the offer is another one"
lender superdev offer del cpu

step "the lender loses power: what ran ends with a message, what is started then runs here"
borrow_processors
in_background go "$DEPUTY --lease $id -- /bin/sleep sleep 1000"
eventually 20 "it runs there" lender pgrep -f "^sleep 1000"
scripts/lab kill lender
[ "$(where)" = home ] || fail "it ran somewhere else"
wait_for go 60
[ "$(status_of go)" = 137 ] && home grep "lost the lender" /tmp/go.err || fail "it ended with $(status_of go)"
scripts/lab start lender
eventually 60 "the lease is active" lease_is home cpu active
eventually 30 "programs run there again" runs_there

step "home loses power: its guests end, and nothing of them is left"
in_background go "$DEPUTY --lease $id -- /bin/sleep sleep 1000"
eventually 20 "it runs there" lender pgrep -f "^sleep 1000"
scripts/lab kill home
eventually 60 "its guests are gone" no_guests
eventually 90 "its files are gone" lender sh -c '! pgrep -x superdev-homefs'
scripts/lab start home
nothing_left
no_kernel_report home lender
