#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The link between home and lender is cut while programs of home run there: they end at both ends, and say so.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
begin_borrowed
id=$(lease_id)

# What runs while the link is cut; each COMMAND…: for all of it.
names="idle pipe full write read stdin"
each() { local name; for name in $names; do "$@" "$name"; done; }
ended() {
	wait_for "$1" 60
	[ "$(status_of "$1")" = 137 ] || fail "$1 ended with $(status_of "$1")"
	[ "$(home grep -c "^superdev: .*: lost the lender that ran it: " "/tmp/$1.err")" = 1 ] ||
		fail "$1 does not say why it ended, but: $(home cat "/tmp/$1.err")"
}
# started NAME PROGRAM…: of what in_background has begun, this is at the lender.
started() { eventually 30 "$1 runs there" lender pgrep -f "^$2"; }

step "a cut that is shorter than the patience of TCP is not noticed"
home sh -c 'head -c 3000000 /dev/urandom >/tmp/bytes; truncate -s 16G /tmp/sparse'
in_background count "$DEPUTY --lease $id -- /bin/sh sh -c 'for i in 1 2 3 4 5 6; do echo \$i; sleep 1; done; exit 3'"
eventually 20 "it is up" home grep 1 /tmp/count.out
in_background sum "$DEPUTY --lease $id -- /usr/bin/md5sum md5sum /tmp/bytes"
scripts/lab net home lender down
sleep 6
scripts/lab net home lender up
wait_for count
wait_for sum
[ "$(status_of count)" = 3 ] && [ "$(home cat /tmp/count.out | xargs)" = "1 2 3 4 5 6" ] ||
	fail "it ended with $(status_of count): $(home cat /tmp/count.err)"
[ "$(home cat /tmp/sum.out)" = "$(home md5sum /tmp/bytes)" ] || fail "other bytes: $(home cat /tmp/sum.out /tmp/sum.err)"

step "a longer one ends what runs there, whatever it does, at both ends"
eventually 30 "programs run there" runs_there
home rm -f /tmp/pipe.end /tmp/full.end
in_background idle "$DEPUTY --lease $id -- /bin/sleep sleep 1000"
in_background pipe "{ $DEPUTY --lease $id -- /usr/bin/yes yes of_pipe; echo \$? >/tmp/pipe.end; } | cat >/dev/null; exit \$(cat /tmp/pipe.end)"
in_background full "{ $DEPUTY --lease $id -- /usr/bin/yes yes of_full; echo \$? >/tmp/full.end; } |
	until test -s /tmp/full.end; do sleep 0.2; done; exit \$(cat /tmp/full.end)"
in_background write "$DEPUTY --lease $id -- /bin/sh sh -c 'while dd if=/dev/zero of=/tmp/written bs=64k count=64 status=none; do :; done'"
in_background read "$DEPUTY --lease $id -- /usr/bin/md5sum md5sum /tmp/sparse"
in_background stdin "$DEPUTY --lease $id -- /usr/bin/md5sum md5sum </tmp/sparse"
started idle "sleep 1000"
started pipe "yes of_pipe"
started full "yes of_full"
started write "sh -c while dd"
started read "md5sum /tmp/sparse"
started stdin 'md5sum$'
scripts/lab net home lender down
cut=$(home date +%s)
[ "$(where)" = home ] || fail "it ran somewhere else"
took=$(($(home date +%s) - cut))
[ "$took" -le 15 ] || fail "a start waited $took s for a lender that is not there"
each ended
for name in $names; do
	took=$(($(home stat -c %Y "/tmp/$name.status") - cut))
	echo "$name: $took s after the cut: $(home cat "/tmp/$name.err")"
	# 30 s, and up to 45 have been seen where the network says that there is no route.
	[ "$took" -le 55 ] || late=1
done
[ -z "${late:-}" ] || fail "that took too long"
nothing_left
[ "$(where)" = home ] || fail "it ran somewhere else"
eventually 20 "its files are not served any more" home sh -c '! pgrep -x superdev-homefs'

step "with the link programs run there again, and none of those that ended"
scripts/lab net home lender up
eventually 60 "the lease is active" lease_is home cpu active
eventually 30 "programs run there again" runs_there
[ "$(lender sh -c 'pgrep -f "^(yes of|md5sum|sleep 1000)" | wc -l')" = 0 ] || fail "something runs on"

no_kernel_report home lender
