#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Agents end and come back while processors are lent: home resumes a lease whose worker the lender still looks for.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
begin_borrowed
id=$(lease_id)
epoch() { get home "lease list" '[l["epoch"] for l in x if l["offer"]=="cpu"][0]'; }
workers() { lender sh -c 'pgrep -x superdev-worker | xargs'; }
has_workers() { [ "$(workers)" = "$1" ]; }

step "home's agent is killed with a stock of guests there: who runs goes on, the others are replaced"
eventually 30 "there is a stock" lender sh -c '[ "$(pgrep -x superdev-guest | wc -l)" -ge 8 ]'
home rm -f /tmp/of.on
in_background go "$DEPUTY --lease $id -- /bin/sh sh -c 'echo up; until test -e /tmp/of.on; do sleep 0.2; done; cat /etc/passwd; exit 4' | cat"
eventually 20 "it is up" home grep up /tmp/go.out
parked=$(lender sh -c 'for p in $(pgrep -x superdev-guest); do pgrep -P $p -x sh >/dev/null || echo $p; done | xargs')
home lab-superdevd kill
eventually 20 "only its guest is left" lender sh -c '[ "$(find /sys/fs/cgroup -path "*lease-*" -name "guest-*" | wc -l)" = 1 ]'
home lab-superdevd start
eventually 30 "the lease is active" lease_is home cpu active
id=$(lease_id)
eventually 30 "programs run there" runs_there
home touch /tmp/of.on
wait_for go
[ "$(home sed 1d /tmp/go.out)" = "$(home cat /etc/passwd)" ] || fail "it has ended otherwise: $(home cat /tmp/go.out /tmp/go.err)"
echo "there had been $(wc -w <<<"$parked") processes of others"

# being_adopted: the lender's agent is another, and has not heard of its worker, which home does not know of either.
being_adopted() {
	old=$(workers) before=$(epoch)
	lender sh -c "kill -STOP $old"
	lender lab-superdevd kill
	lender lab-superdevd start
	is_resuming
}
# It has no other reason to be refused: home has asked, and was not answered.
is_resuming() {
	asked() { there /bin/true true 2>&1 | grep -q "it is not agreed on now"; }
	eventually 9 "home asks for it to be resumed" asked
}

step "a lease that is resumed while it is being adopted is the one of before"
being_adopted
lender sh -c "kill -CONT $old; true"
eventually 20 "programs run there" runs_there
[ "$(epoch) $(workers)" = "$before $old" ] || fail "epoch $before, worker $old became $(epoch), $(workers)"
eventually 10 "the lender says that it is active" lease_is lender cpu active

step "so it is when home's agent ends meanwhile, and asks once more"
being_adopted
home lab-superdevd kill
home lab-superdevd start
is_resuming
lender sh -c "kill -CONT $old; true"
eventually 20 "programs run there" runs_there
[ "$(epoch) $(workers)" = "$before $old" ] || fail "epoch $before, worker $old became $(epoch), $(workers)"

step "a worker that ends then is replaced by one of another epoch"
being_adopted
lender sh -c "kill -KILL $old 2>/dev/null; true"
eventually 20 "programs run there" runs_there
[ "$(epoch)" -gt "$before" ] && [ "$(workers)" != "$old" ] || fail "epoch $before, worker $old became $(epoch), $(workers)"

step "so is one that says nothing, and it does not stay"
being_adopted
eventually 30 "programs run there" runs_there
[ "$(epoch)" -gt "$before" ] || fail "epoch $before became $(epoch)"
lender sh -c "kill -CONT $old 2>/dev/null; true"
eventually 20 "it ends" lender sh -c "for p in $old; do ! kill -0 \$p || exit 1; done"
[ "$(workers)" != "$old" ] || fail "it is the one of before"
[ "$(where)" = lender ] || fail "it does no harm to the other"

step "a lease that is given back then leaves nothing"
being_adopted
home superdev lease del lender/cpu
lender sh -c "kill -CONT $old; true"
eventually 20 "no worker is left" lender sh -c '! pgrep -x superdev-worker'
nothing_left
eventually 20 "no cgroup is left" lender sh -c '! find /sys/fs/cgroup -name "lease-*" | grep .'
is lender "offer list" 'x[0]["state"]' ready || fail "the offer is $(get lender "offer list" 'x[0]["state"]')"
home superdev lease add lender/cpu
id=$(lease_id)
[ "$(where)" = lender ] || fail "it ran here"
no_kernel_report home lender
