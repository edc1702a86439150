#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Lanes end at every point in the life of a request, and whatever a lender answers costs it no more than the lane.
# shellcheck source=tests/kernel/double.bash
. "$(dirname "$0")/double.bash"
um_load superdev_blk
um_load superdev_null
um_load tls
key_bytes=/sys/module/superdev/parameters/lane_key_bytes

cut_keeps_data() {
	local ends status=0
	ends=$(double stat ends)
	tell chaos "$1" 9
	sound --rw=randrw --bsrange=4k-256k --iodepth=16 --size=6m || status=1
	tell chaos never
	all_up || return
	(($(double stat ends) > ends + 3 && status == 0))
}

repeats_grew() { (($(double stat repeats) > $1)); }

read_one() { dd if="$device" of=/dev/null bs=4k count=1 iflag=direct status=none 2>/tmp/dd.out; }

# The read is answered in the end, on another lane; one lane ended and is replaced, the lease is as it was.
ends_one_lane() {
	local ends
	ends=$(double stat ends)
	tell bad "$1"
	read_one || return
	within double_says $((ends + 1)) stat ends && all_up && is_active && double_says $((ends + 1)) stat ends
}

ends_no_lane() {
	local ends
	ends=$(double stat ends)
	tell bad "$1"
	"${@:2}" && double_says "$ends" stat ends
}

says_io_error() { ! read_one && grep -q "Input/output error" /tmp/dd.out; }

spent_lanes() { dmesg | grep -cE 'is down \(-(127|EKEYEXPIRED)\)' || true; }
keys_are_replaced() {
	local limit status=0
	limit=$(<$key_bytes)
	echo 1000000 >$key_bytes
	sound --rw=write --bs=128k --iodepth=4 --size=4m || status=1
	echo "$limit" >$key_bytes
	(($(spent_lanes) > 3 && status == 0))
}

for transport in clear tls; do
	double_begin blk 2 $transport
	expect "$transport: what is written is what is read" sound --rw=randrw --bsrange=4k-256k --iodepth=16 --size=6m
	expect "$transport: lanes cut before a request was read lose nothing" cut_keeps_data unread
	expect "$transport: lanes cut before a request was applied lose nothing" cut_keeps_data unapplied
	repeats=$(double stat repeats)
	expect "$transport: lanes cut before a request was answered lose nothing" cut_keeps_data unanswered
	expect "$transport: what was applied and not answered was sent again" repeats_grew "$repeats"
	expect "$transport: lanes cut in the middle of a reply lose nothing" cut_keeps_data midway

	for kind in magic class op unknown-flag request unused-tag tag-beyond-queues unknown-status stale lease \
		seq epoch length huge-length reserved csum csum-flag; do
		expect "$transport: a reply with a bad $kind ends its lane and nothing else" ends_one_lane $kind
	done
	expect "$transport: a lender short of memory is asked again" ends_no_lane no-memory read_one
	expect "$transport: an error of the medium is an error of the request" ends_no_lane io-error says_io_error

	if [ $transport = tls ]; then
		expect "tls: lanes that have spent their keys are replaced" keys_are_replaced
		all_up
	fi
	expect "$transport: what the kernel sent was without fault" double_says 0 stat faults
	expect "$transport: an idle disk is given back" double_says 0 return
	expect "$transport: and is gone" within is_gone
	double_end
	rmmod superdev_blk superdev_null superdev
	um_load superdev_blk
	um_load superdev_null
done
double_unload
