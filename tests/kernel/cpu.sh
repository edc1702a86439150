#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Borrowed processors: figures that move, lenders that lie or fall silent, lanes that end, and removal while all is in use.
TIMEOUT=${TIMEOUT:-300}
# shellcheck source=tests/kernel/double.bash
. "$(dirname "$0")/double.bash"
um_load superdev_cpu
um_load tls

says() { [ "$(cat "$device/$1" 2>/dev/null)" = "$2" ]; }
comes() { within says "$1" "$2"; }
is_fresh() { (($(cat "$device/age_ms") < 3000)); }
is_stale() { (($(cat "$device/age_ms") > 3500)); }
ends_are_more() { (($(double stat ends) > $1)); }
has_no_figures() { ! cat "$device/load" 2>/tmp/cat.out && grep -q "No data available" /tmp/cat.out; }

# The answer to one question, whichever is next, is bad: one lane ends and is replaced, and figures go on.
ends_one_lane() {
	local ends
	ends=$(double stat ends)
	tell bad "$1"
	within double_says $((ends + 1)) stat ends && all_up && is_active && within is_fresh &&
		double_says $((ends + 1)) stat ends
}

# A lender that says FIELD NUMBER has its lanes ended, and nothing of it is believed.
is_not_believed() {
	local ends load
	ends=$(double stat ends)
	load=$(cat "$device/load")
	tell figure "$1" "$2"
	within ends_are_more "$ends" || return
	tell figure "$1" "$3"
	[ "$(cat "$device/load")" = "$load" ] && all_up && within is_active && within is_fresh
}

# What the lender cannot say costs no lane; what it said before gets older, and is told with its age.
costs_no_lane() {
	local ends
	ends=$(double stat ends)
	tell bad "$1"
	sleep 2.5
	double_says "$ends" stat ends && is_active && within is_fresh
}

nothing_is_asked() {
	local frames
	frames=$(double stat frames)
	sleep 3
	double_says "$frames" stat frames
}

read_all() {
	while :; do
		cat "$device"/* "$device/driver/module/refcnt" >/dev/null 2>&1 || true
	done
}

failed_lease() { double_says 6 state; }

for key in missing cpus memory architecture xcr0 cut; do
	double_start cpu 1 wrong=$key
	expect "a lender whose config is wrong ($key) is refused" within failed_lease
	expect "and has no figures ($key)" [ ! -e /sys/bus/superdev/devices/superdev0/cpus ]
	expect "the lease can be given back ($key)" double_says 0 return force
	expect "and is gone ($key)" within double_says -1 state
	double_end
	# The double introduces itself to a registry that knows nobody.
	rmmod superdev_cpu superdev
	um_load superdev_cpu
done

for transport in clear tls; do
	double_begin cpu 2 $transport
	expect "$transport: what is lent is told" eval says cpus 2 '&&' says memory $((1 << 30)) '&&' says architecture x86_64
	expect "$transport: and what programs need to know" \
		eval says features "'x86-64-v3 xcr0=0x7 xsave=832'" '&&' says page_size 4096 '&&' says kernel 6.12.0-double
	expect "$transport: figures come without being waited for" comes load 0
	tell figure load 700
	tell figure tasks 3
	tell figure memory 123456789
	tell figure used_us 5000001
	tell figure cpus 9
	expect "$transport: the load moves" comes load 700
	expect "$transport: with it all other figures" eval comes tasks 3 '&&' comes memory_available 123456789 '&&' \
		comes used_us 5000001 '&&' comes cpus_online 9
	expect "$transport: what is lent is not what is online" says cpus 2
	sleep 3
	expect "$transport: figures are asked for again and again" is_fresh
	expect "$transport: the registry tells the same" \
		eval 'superdev -j device list | grep -q "\"cpus\":2,\"load\":700,\"tasks\":3,\"used_us\":5000001,"'

	# What comes before a class sees a frame is tried at length by lanes.sh.
	for kind in op request unused-tag unknown-status stale seq epoch length huge-length csum no-status; do
		expect "$transport: an answer with a bad $kind ends its lane and nothing else" ends_one_lane $kind
	done
	expect "$transport: a lender short of memory keeps its lane" costs_no_lane no-memory
	expect "$transport: a lender that can't say keeps its lane" costs_no_lane io-error

	expect "$transport: no load is above the highest" is_not_believed load 2001 700
	expect "$transport: no machine is without processors" is_not_believed cpus 0 9
	expect "$transport: no machine has that many processors" is_not_believed cpus 65537 9
	expect "$transport: no machine has that many processes" is_not_believed tasks 4194305 3
	expect "$transport: no machine has that much memory" is_not_believed memory 0x8000000000000000 5
	expect "$transport: no lease has used that much time" is_not_believed used_us 0xffffffffffffffff 5
	expect "$transport: what is reserved is zero" is_not_believed reserved 1 0
	expect "$transport: what of the load is its own is no more than all of it" is_not_believed own 2001 0

	no_lanes
	expect "$transport: without lanes the lease is suspended, and figures get older" eval is_suspended '&&' within is_stale
	expect "$transport: without lanes nothing is asked" nothing_is_asked
	tell go
	expect "$transport: with lanes again figures are fresh" eval within is_fresh '&&' within is_active
	tell reboot
	expect "$transport: a lender that was booted goes on telling" eval all_up '&&' within is_fresh

	ends=$(double stat ends)
	tell chaos silent 1
	expect "$transport: a lender that falls silent has its lane replaced" um_wait 40 ends_are_more "$ends"
	tell chaos never
	expect "$transport: and is heard when it speaks again" within is_fresh

	read_all &
	reader=$!
	for _ in 1 2 3 4 5; do
		echo superdev0 >/sys/bus/superdev/drivers/superdev_cpu/unbind
		echo superdev0 >/sys/bus/superdev/drivers/superdev_cpu/bind
	done
	expect "$transport: the driver comes and goes under readers" eval all_up '&&' within is_fresh
	rmmod superdev_cpu
	expect "$transport: without its module it is suspended, and has no figures" \
		eval within is_suspended '&&' '[ ! -e $device/load ]' '&&' 'superdev -j device list | grep -qx "\[\]"'
	um_load superdev_cpu
	expect "$transport: with its module again figures are fresh" eval all_up '&&' within is_fresh
	no_lanes
	rmmod superdev_cpu
	um_load superdev_cpu
	expect "$transport: a driver that has not heard of its lender says so" eval '[ "$(cat $device/cpus)" = 2 ]' '&&' has_no_figures
	tell go
	expect "$transport: until it hears" eval all_up '&&' within is_fresh
	expect "$transport: it is given back under readers" double_says 0 return
	expect "$transport: and is gone" within is_gone
	kill $reader
	wait $reader || true
	expect "$transport: what the kernel sent was without fault" double_says 0 stat faults
	double_end
	rmmod superdev_cpu superdev
	um_load superdev_cpu
done
double_unload superdev_cpu
