# SPDX-License-Identifier: GPL-2.0-or-later
#
# The private network of the machines, in one of two makes:
#   switch  host/switch.c: links that `lab net` cuts, delays and slows down; build/lab/net
#   fast    a bridge with a tap per machine, in a network namespace of this clone's own
# shellcheck shell=bash

LAB_NET=$LAB_BUILD/net

# Named after the clone's place, so that clones do not meet.
net_namespace()
{
	echo "superdev-lab-$(echo "$LAB_TREE" | hash_of)"
}

net_start()
{
	local kind=$1 ns number
	shift

	rm -rf "$LAB_NET" && mkdir -p "$LAB_NET" || return
	if [[ $kind == switch ]]; then
		"$LAB_BIN/switch" "$LAB_NET" "$@"
		return
	fi
	host_needs ip:iproute2
	ns=$(net_namespace)
	ip netns add "$ns" && ip -n "$ns" link add br0 type bridge &&
		ip -n "$ns" link set br0 up || return
	for ((number = 1; number <= $#; number++)); do
		ip -n "$ns" tuntap add dev "tap$number" mode tap vnet_hdr &&
			ip -n "$ns" link set "tap$number" master br0 up || return
	done
}

net_stop()
{
	local pid

	pid=$(cat "$LAB_NET/switch.pid" 2>/dev/null)
	! is_our_process "$pid" switch "$LAB_NET" || kill "$pid"
	if [[ $(up_setting net) == fast ]] && ip netns list | grep -q "^$(net_namespace)"; then
		ip netns delete "$(net_namespace)"
	fi
	rm -rf "$LAB_NET"
}

# What stands before QEMU's command, an argument a line.
net_prefix()
{
	[[ $(up_setting net) != fast ]] || printf '%s\n' ip netns exec "$(net_namespace)"
}

net_device()
{
	local name=$1 number=$2

	if [[ $(up_setting net) == fast ]]; then
		echo "tap,id=net,ifname=tap$number,script=no,downscript=no,vnet_hdr=on"
	else
		# Relative to the machine's folder, for the sake of long paths.
		echo "stream,id=net,server=off,addr.type=unix,addr.path=../../net/$name.port"
	fi
}

cmd_net()
{
	local a b what value=

	[[ -e $LAB_UP ]] || { say "no machines are up: run 'lab up' first"; exit 1; }
	[[ $(up_setting net) == switch ]] ||
		bad_input "net: these machines are joined by a bridge; links obey 'lab net' only after 'lab up --net switch'"
	if (($# == 0)); then
		"$LAB_BIN/client" "$LAB_NET" control show
		return
	fi
	(($# >= 3)) || bad_input "net takes two machines and down|up|delay MS|loss PERCENT|rate BITS|clear"
	a=$1 b=$2 what=$3
	need_machine "$a"
	need_machine "$b"
	[[ $a != "$b" ]] || bad_input "net: '$a' has no link to itself"
	case $what in
	down | up | clear)
		(($# == 3)) || bad_input "net: $what takes no value, not '$4'"
		;;
	delay | loss | rate)
		(($# == 4)) || bad_input "net: $what takes one value"
		value=$(net_value "$what" "$4") || exit
		;;
	*)
		bad_input "net: '$what' is none of down, up, delay, loss, rate, clear"
		;;
	esac
	"$LAB_BIN/client" "$LAB_NET" control "set $a $b $what $value"
}

# net_value WHAT TEXT: prints the number, of bits for a rate with k, m or g behind it.
net_value()
{
	local what=$1 text=$2 factor=1 number

	number=${text%bit}
	if [[ $what == rate ]]; then
		case $number in
		*[kK]) factor=1000 number=${number%?} ;;
		*[mM]) factor=1000000 number=${number%?} ;;
		*[gG]) factor=1000000000 number=${number%?} ;;
		esac
	fi
	[[ $number =~ ^[0-9]+(\.[0-9]+)?$ ]] || bad_input "net: $what '$text' is no number"
	awk -v n="$number" -v f=$factor -v what="$what" -v text="$text" 'BEGIN {
		if (what == "loss" && n > 100 || what == "rate" && n * f < 1000 ||
		    what == "delay" && n > 60000)
			exit 1
		printf "%.3f", n * f
	}' || bad_input "net: $what '$text' is out of range (delay up to 60000 ms, loss up to 100 percent, rate from 1k)"
}
