#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Three hundred programs one after the other leave nothing at either end.
# KERNELS: stable
# SECONDS: 1200
. "$(dirname "$0")/lib.sh"
start_clean
introduce
borrow_processors
id=$(lease_id)
there /bin/true true

step "300 starts leave nothing"
facts() {
	on "$1" sh -c 'p=$(pidof superdevd); echo fds $(ls /proc/$p/fd | wc -l); echo processes $(pgrep -x "superdev.*" | wc -l);
		echo mounts $(grep -c superdev /proc/mounts); echo cgroups $(find /sys/fs/cgroup -type d | wc -l)'
}
eventually 60 "spare connections are dropped" no_guests
facts home >/tmp/run.home.$$
facts lender >/tmp/run.lender.$$
home sh -c 'for i in $(seq 300); do '"$DEPUTY --lease $id"' -- /bin/true true || exit 1; done; date' || fail "one of 300"
[ "$(guests)" -le 60 ] || fail "$(guests) processes of guests at once"
eventually 60 "spare connections are dropped" no_guests
same() { facts "$1" | diff "/tmp/run.$1.$$" -; }
eventually 20 "home is as before" same home
eventually 20 "the lender is as before" same lender
cat /tmp/run.home.$$ /tmp/run.lender.$$
rm /tmp/run.home.$$ /tmp/run.lender.$$
no_kernel_report home lender
