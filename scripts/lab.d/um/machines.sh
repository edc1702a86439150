# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests inside a user-mode machine: several machines in its one kernel.
# To be sourced by bash, as  . "$UM_LIB/machines.sh".
#
#	   um0, a bridge                     each machine: namespaces of
#	  ┌───┴────┬─────────┐               network, mounts and host name;
#	um-home  um-lender  um-…             own /etc/hosts, /etc/superdev,
#	  │        │                         /var/lib/superdev and /run;
#	 eth0     eth0                       10.77.0.1, .2, … and fd77::1, ::2, …
#	 home     lender
#
# shellcheck shell=bash

# shellcheck source=guest.sh
. "$UM_LIB/guest.sh"

UM_STATE=/tmp/um
UM_MACHINES=()

# um_machines NAME…: makes them.  A machine lives until the kernel does.
um_machines()
{
	local name peer number=0
	mkdir -p $UM_STATE /etc/superdev /var/lib/superdev
	[[ -e /sys/class/net/um0 ]] || ip link add um0 type bridge || return
	ip link set um0 up || return
	UM_MACHINES+=("$@")
	((${#UM_MACHINES[@]} <= 14)) || um_fail "um_machines: 14 is the limit"
	for name in "${UM_MACHINES[@]}"; do
		echo $((++number)) >"$UM_STATE/$name.number"
	done
	for name; do
		um_make_machine "$name" || return
	done
	for name in "${UM_MACHINES[@]}"; do
		{
			echo "127.0.0.1 localhost"
			for peer in "${UM_MACHINES[@]}"; do
				echo "$(um_address "$peer") $peer"
			done
		} >"$UM_STATE/$name.hosts"
	done
}

um_address()
{
	echo "10.77.0.$(<"$UM_STATE/$1.number")"
}

um_make_machine()
{
	local name=$1 number keeper
	number=$(<"$UM_STATE/$name.number")
	echo "127.0.0.1 localhost" >"$UM_STATE/$name.hosts"
	mkfifo "$UM_STATE/$name.ready" || return
	# The keeper holds the namespaces.  sysfs shows the network of who mounts it.
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --net --mount --uts bash -c '
		set -e
		hostname "$1"
		ip link set lo up
		mount -t sysfs sysfs /sys
		mount -t debugfs debugfs /sys/kernel/debug
		mount -t configfs configfs /sys/kernel/config
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		mount -t securityfs securityfs /sys/kernel/security
		for dir in /etc/superdev /var/lib/superdev /run; do
			mount -t tmpfs -o mode=755 tmpfs $dir
		done
		mount --bind "$2/$1.hosts" /etc/hosts
		echo $BASHPID >"$2/$1.ready"
		exec sleep infinity' um "$name" $UM_STATE </dev/null >/dev/null &
	keeper=$(<"$UM_STATE/$name.ready")
	rm "$UM_STATE/$name.ready"
	[[ $keeper ]] || return
	echo "$keeper" >"$UM_STATE/$name.pid"
	ip link add "um-$name" type veth peer name eth0 netns "$keeper" || return
	ip link set "um-$name" master um0 up || return
	um_exec "$name" sh -ec "
		ip address add 10.77.0.$number/24 dev eth0
		ip -6 address add fd77::$number/64 dev eth0 nodad
		ip link set eth0 up"
}

# um_exec NAME COMMAND…: runs it in that machine, in the present folder.
um_exec()
{
	[[ -e $UM_STATE/$1.pid ]] || um_fail "there is no machine $1"
	nsenter --target "$(<"$UM_STATE/$1.pid")" --net --mount --uts --wdns="$PWD" -- "${@:2}"
}

# um_net A B down|up|delay MS|loss PERCENT|rate BITS|clear: the network between two machines.
# delay and loss are those of one way; rate takes tc's units, as in 10mbit.  down and up leave
# the rest as it was, clear takes all of it away.
um_net()
{
	local a=$1 b=$2 what=$3 value=${4-} rules=$UM_STATE/net-$1-$2 word
	[[ $a < $b ]] || { um_net "$b" "$a" "${@:3}"; return; }
	case $what in
	down) value=1 ;;
	up) what=down value='' ;;
	clear) rm -f "$rules".* ;;
	delay | loss | rate) [[ $value ]] || um_fail "um_net $what: no value" ;;
	*) um_fail "um_net: unknown '$what'" ;;
	esac
	[[ $what == clear ]] || echo "$value" >"$rules.$what"

	local netem=(limit 100000)
	for word in delay loss rate; do
		value=$(um_rule "$rules.$word")
		[[ $value && ($word != loss || ! $(um_rule "$rules.down")) ]] || continue
		case $word in
		delay) netem+=(delay "${value}ms") ;;
		loss) netem+=(loss "$value%") ;;
		rate) netem+=(rate "$value") ;;
		esac
	done
	[[ ! $(um_rule "$rules.down") ]] || netem+=(loss 100%)
	um_shape "$a" "$b" "${netem[@]}" && um_shape "$b" "$a" "${netem[@]}"
}

# um_rule FILE: its contents; nothing where there is none.
um_rule()
{
	[[ ! -e $1 ]] || cat "$1"
}

# um_shape FROM TO NETEM…: a band of its own for what FROM sends to TO.
um_shape()
{
	local from=$1 to=$2 number
	number=$(<"$UM_STATE/$to.number")
	shift 2
	# Not a pipe to grep -q: with pipefail its early end would look like an answer.
	if [[ $(um_exec "$from" tc qdisc show dev eth0) != *"qdisc prio 1:"* ]]; then
		um_exec "$from" tc qdisc add dev eth0 root handle 1: prio bands 16 \
			priomap 15 15 15 15 15 15 15 15 15 15 15 15 15 15 15 15 || return
	fi
	if [[ ! -e $UM_STATE/$from.shapes-$to ]]; then
		um_exec "$from" tc filter add dev eth0 parent 1: protocol ip prio $((number * 2)) \
			u32 match ip dst "10.77.0.$number/32" flowid "1:$(printf %x "$number")" &&
			um_exec "$from" tc filter add dev eth0 parent 1: protocol ipv6 \
				prio $((number * 2 + 1)) u32 match ip6 dst "fd77::$number/128" \
				flowid "1:$(printf %x "$number")" || return
		: >"$UM_STATE/$from.shapes-$to"
	fi
	um_exec "$from" tc qdisc replace dev eth0 parent "1:$(printf %x "$number")" \
		handle "$(printf %x $((number + 16))):" netem "$@"
}

# um_daemon NAME [OPTION…]: starts superdevd there, its messages going to /out/NAME.log, and
# returns when the CLI says that it runs.  UM_SUPERDEVD may name another build of it.
um_daemon()
{
	local name=$1
	shift
	# Not um_exec: the process that we remember has to become superdevd itself.
	nsenter --target "$(<"$UM_STATE/$name.pid")" --net --mount --uts -- \
		setsid "${UM_SUPERDEVD:-superdevd}" "$@" </dev/null >>"/out/$name.log" 2>&1 &
	echo $! >"$UM_STATE/$name.agent"
	if ! um_wait 20 um_daemon_settled "$name" || ! um_daemon_runs "$name"; then
		printf 'superdevd of %s is not ready; the end of /out/%s.log:\n' "$name" "$name" >&2
		tail -n 20 "/out/$name.log" >&2
		return 1
	fi
}

# It is bound to the kernel, or has ended.
um_daemon_settled()
{
	[[ $(um_exec "$1" superdev -j 2>/dev/null) =~ '"running":'\ *true ]] || ! um_daemon_runs "$1"
}

um_daemon_runs()
{
	kill -0 "$(<"$UM_STATE/$1.agent")" 2>/dev/null
}

um_daemon_ended()
{
	! um_daemon_runs "$1"
}

# um_daemon_end NAME [SIGNAL]: ends it; returns when it is gone, and fails after ten seconds.
um_daemon_end()
{
	kill "-${2:-TERM}" "$(<"$UM_STATE/$1.agent")" || return
	um_wait 10 um_daemon_ended "$1" && return
	printf 'superdevd of %s does not end\n' "$1" >&2
	return 1
}
