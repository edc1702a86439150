#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest's pipes and files are home's own: positions, what is not read, locks, readiness, signals.
. "$(dirname "$0")/lib.sh"
start_clean
introduce
borrow_processors
id=$(lease_id)
[ "$(where)" = lender ] || fail "it ran here"

step "each case here and there"
scripts/lab put home tests/system/descriptors.py /tmp/descriptors.py
home env SUPERDEV_VERBOSE=1 timeout 400 python3 /tmp/descriptors.py $DEPUTY --lease "$id" -- || fail "they differ"

step "an ordinary user's, too"
home sh -c 'chmod 711 /root; cd /tmp && SUPERDEV_VERBOSE=1 setpriv --reuid 1000 --regid 1000 --clear-groups timeout 400 \
	python3 /tmp/descriptors.py "$@"' x $DEPUTY --lease "$id" -- || fail "they differ for user 1000"

step "a loop over a pipe loses no line to programs that do not read it"
[ "$(home sh -c "seq 20 | while read n; do $DEPUTY --lease $id -- /bin/echo echo \$n; done" | xargs)" = "$(seq 20 | xargs)" ] ||
	fail "lines are missing"

step "nothing is left"
eventually 20 "descriptors and locks are gone with the programs" lender sh -c \
	'[ "$(ls -l /proc/*/fd 2>/dev/null | grep -c remote-)" = 0 ]'
no_kernel_report home lender
