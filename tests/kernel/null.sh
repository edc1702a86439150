#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The class null: an echo, a source and a sink, while lanes end at every point, and what a reader without lanes gets.
# shellcheck source=tests/kernel/double.bash
. "$(dirname "$0")/double.bash"
um_load superdev_null
um_load superdev_blk
um_load tls
EBUSY=16

read_begin() {
	dd if="$device" of=/dev/null bs=10 count=1 status=none 2>/tmp/read.out &
	reader=$!
}
read_says_no_device() { ! wait $reader && grep -q "No such device" /tmp/read.out; }

for transport in clear tls; do
	double_begin null 3 $transport
	for where in never unread unapplied unanswered midway; do
		tell chaos $where 20
		python3 /src/tests/kernel/null.py "$device" "$transport, cut $where" || failed=1
	done
	tell chaos never
	all_up
	exec 5<"$device"
	expect "$transport: an open device is not given back" double_says $EBUSY return
	exec 5<&-
	no_lanes
	read_begin
	expect "$transport: without lanes a read waits" within in_state $reader S
	expect "$transport: by force the device is given back" double_says 0 return force
	expect "$transport: the read ended with ENODEV" read_says_no_device
	expect "$transport: the device is gone" within is_gone
	expect "$transport: what the kernel sent was without fault" double_says 0 stat faults
	double_end
	rmmod superdev_null superdev_blk superdev
	um_load superdev_null
	um_load superdev_blk
done
double_unload
