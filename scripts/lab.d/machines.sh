# SPDX-License-Identifier: GPL-2.0-or-later
#
# The machines: up, down, start, kill, exec, files.  State of this clone lies in
#   build/lab/up                    configuration of `lab up`; there while machines are up
#   build/lab/machines/NAME/        disks, sockets, logs; args: how QEMU was called
# The processes are host/keeper.c's (one per machine, QEMU its child) and net.sh's switch.
# shellcheck shell=bash

LAB_UP=$LAB_BUILD/up
LAB_MACHINES=$LAB_BUILD/machines
LAB_BIN=$LAB_BUILD/bin
SUBNET=10.83.0
SPARE_SIZE=2G
CACHED_SIZE=256M
START_TIMEOUT=180
# Self-tests and calibrations that cost an emulated processor seconds; no random addresses, so
# that two traces can be compared.
MACHINE_QUICK_START='mitigations=off audit=0 cryptomgr.notests no_timer_check tsc=reliable nokaslr'
SHUTDOWN_TIMEOUT=4

machine_names()
{
	[[ ! -e $LAB_UP ]] || sed -n 's/^machines //p' "$LAB_UP" | tr ',' '\n'
}

up_setting()
{
	sed -n "s/^$1 //p" "$LAB_UP"
}

# need_machine NAME: refuses a name that is not one of the machines that are up.
need_machine()
{
	local known

	[[ -e $LAB_UP ]] || { say "no machines are up: run 'lab up' first"; exit 1; }
	known=$(machine_names | paste -sd, | sed 's/,/, /g')
	machine_names | grep -qxF -- "$1" ||
		bad_input "there is no machine '$1'; there are: $known"
}

# keeper_pid NAME: prints the pid of the machine's keeper if it lives.
keeper_pid()
{
	local dir=$LAB_MACHINES/$1 pid

	pid=$(cat "$dir/keeper.pid" 2>/dev/null) || return
	is_our_process "$pid" keeper "$dir" && echo "$pid"
}

# is_our_process PID NAME DIR: whether it is what it was when its pid was written down.
is_our_process()
{
	[[ $1 && $(cat "/proc/$1/comm" 2>/dev/null) == "$2" &&
		$(readlink "/proc/$1/cwd") == "$3" ]]
}

# accelerator: kvm where a kernel really boots with it, else tcg; tried once per boot of the host.
accelerator()
{
	local cached image log=$LAB_BUILD/log/kvm-probe.log answer=tcg

	cached=$LAB_CACHE/accelerator-$(cat /proc/sys/kernel/random/boot_id)
	if [[ ! -e $cached ]]; then
		if [[ -r /dev/kvm && -w /dev/kvm ]]; then
			say "trying whether KVM works here (at most 8 s) …"
			image=$(image_dir) || return
			timeout -k 1 8 qemu-system-x86_64 -nodefaults -display none -machine q35 \
				-accel kvm -cpu host -m 256M -no-reboot -serial stdio -monitor none \
				-kernel "$image/stable/vmlinuz" -initrd "$LAB_BUILD/initrd.stable" \
				-append 'console=ttyS0 panic=-1 lab.init=probe' >"$log" 2>&1 </dev/null
			! grep -q 'this accelerator works' "$log" || answer=kvm
		fi
		rm -f "$LAB_CACHE"/accelerator-*
		echo $answer >"$cached"
		say "  machines run with $(accelerator_words $answer)"
	fi
	cat "$cached"
}

accelerator_words()
{
	case $1 in
	kvm) echo 'KVM' ;;
	tcg) echo 'software emulation, because KVM does not work here' ;;
	esac
}

cmd_up()
{
	local machines=home,lender kernel=stable cpus=1 memory=1G init=tiny net=switch share=none superdev=with
	local want names name

	while (($#)); do
		case $1 in
		--bare) superdev=without; shift; continue ;;
		--machines | --kernel | --cpus | --memory | --init | --net | --share) ;;
		*) bad_input "up: '$1' is no option; see 'lab help'" ;;
		esac
		(($# > 1)) || bad_input "up: $1 needs a value"
		printf -v "${1#--}" %s "$2"
		shift 2
	done
	[[ $kernel == stable || $kernel == next ]] ||
		bad_input "--kernel: '$kernel' is neither stable nor next"
	[[ $init == tiny || $init == systemd ]] ||
		bad_input "--init: '$init' is neither tiny nor systemd"
	[[ $net == switch || $net == fast ]] || bad_input "--net: '$net' is neither switch nor fast"
	[[ $cpus =~ ^[1-9][0-9]?$ ]] || bad_input "--cpus: '$cpus' is no number from 1 to 99"
	[[ $memory =~ ^[1-9][0-9]*[MG]$ ]] ||
		bad_input "--memory: '$memory' is no size such as 512M or 2G"
	[[ $share == none ]] || is_share "$share" ||
		bad_input "--share: '$share' is no percentage of one processor from 5 to 999"
	IFS=, read -ra names <<<"$machines"
	for name in "${names[@]}"; do
		[[ $name =~ ^[a-z][a-z0-9-]{0,30}$ ]] || bad_input \
			"--machines: '$name' is no machine name (a-z, 0-9 and -, a letter first, at most 31)"
	done
	((${#names[@]} >= 1 && ${#names[@]} <= 16)) ||
		bad_input "--machines: '$machines' names ${#names[@]} machines; 1 to 16 are possible"
	[[ ! $(printf '%s\n' "${names[@]}" | sort | uniq -d) ]] ||
		bad_input "--machines: '$machines' names a machine twice"

	want=$(printf '%s\n' "machines $machines" "kernel $kernel" "cpus $cpus" \
		"memory $memory" "init $init" "net $net" "share $share" "superdev $superdev")
	if [[ -e $LAB_UP ]]; then
		[[ $(cat "$LAB_UP") == "$want" ]] || die "machines are up already, with another" \
			"configuration ($(paste -sd' ' "$LAB_UP")): run 'lab down' first"
		for name in "${names[@]}"; do
			keeper_pid "$name" >/dev/null ||
				die "machine '$name' is not running: 'lab start $name' or 'lab down'"
		done
		say "up already: ${machines//,/, }"
		return 0
	fi

	prepare
	[[ $superdev == without ]] || project_build || return
	initrd_build "$kernel" $superdev || return
	accelerator >/dev/null || return
	say "booting ${machines//,/, }: $(root_kernel "$kernel"), $cpus CPU, $memory, $init init," \
		"$(accelerator)"
	mkdir -p "$LAB_MACHINES"
	printf '%s\n' "$want" >"$LAB_UP"
	if ! net_start "$net" "${names[@]}" ||
		! { [[ $share == none ]] || share_start "$share" "${names[@]}"; } ||
		! machines_create "${names[@]}" || ! machines_start "${names[@]}"; then
		cmd_down
		return 1
	fi
	machines_wait "${names[@]}" && return
	say "the machines are left as they are; 'lab log NAME' shows more, 'lab down' ends them"
	return 1
}

# prepare: all that does not depend on superdev's own source.
prepare()
{
	((EUID == 0)) || die "the lab needs root rights"
	host_needs qemu-system-x86_64:qemu-system-x86 qemu-img:qemu-utils flock:util-linux
	root_dir >/dev/null && image_dir >/dev/null && tools_build || exit
}

machines_create()
{
	local image name dir number=0

	image=$(image_dir) || return
	for name; do
		dir=$LAB_MACHINES/$name
		number=$((number + 1))
		rm -rf "$dir" && mkdir -p "$dir" || return
		qemu-img create -q -f qcow2 -F raw -b "$image/disk.img" "$dir/root.qcow2" &&
			truncate -s "$SPARE_SIZE" "$dir/vdb.img" &&
			truncate -s "$CACHED_SIZE" "$dir/vdc.img" || return
		machine_args "$name" "$number" "$image" >"$dir/args" || return
	done
}

# machine_args NAME NUMBER IMAGE: QEMU's command, an argument a line.
machine_args()
{
	local name=$1 number=$2 image=$3 accel cpu kernel

	kernel=$(up_setting kernel)
	if [[ $(accelerator) == kvm ]]; then
		accel=kvm cpu=host
	else
		# Emulated, "rep movsb" moves a byte per turn: a tenth of what the loops reach
		# that kernel and C library take where the processor does not claim to be fast at it.
		accel=tcg,thread=multi,tb-size=256 cpu=max,erms=off,fsrm=off
	fi

	net_prefix
	printf '%s\n' qemu-system-x86_64 -name "$name" -nodefaults -no-user-config -display none \
		-machine q35 -accel "$accel" -cpu "$cpu" -smp "$(up_setting cpus)" \
		-m "$(up_setting memory)" -no-reboot -monitor none \
		-kernel "$image/$kernel/vmlinuz" -initrd "$LAB_BUILD/initrd.$kernel" -append \
		"console=ttyS0 loglevel=4 panic=-1 oops=panic net.ifnames=0 $MACHINE_QUICK_START $(machine_parameters "$name")" \
		-chardev file,id=console,path=console.log -serial chardev:console \
		-device virtio-serial-pci -chardev socket,id=agent,path=agent.sock \
		-device virtserialport,chardev=agent,name=lab.agent
	# The page cache of the host outlives a machine, so no disk needs its flushes: what a
	# machine wrote is there after a power cut, what it only had in memory is not.
	printf '%s\n' \
		-drive if=none,id=root,format=qcow2,file=root.qcow2,cache=unsafe,discard=unmap \
		-device virtio-blk-pci,drive=root,serial="$name-root" \
		-drive if=none,id=spare,format=raw,file=vdb.img,cache=unsafe,discard=unmap \
		-device virtio-blk-pci,drive=spare,serial="$name-spare",write-cache=off \
		-drive if=none,id=cached,format=raw,file=vdc.img,cache=unsafe,discard=unmap \
		-device virtio-blk-pci,drive=cached,serial="$name-cached",write-cache=on
	printf '%s\n' -netdev "$(net_device "$name" "$number")" -device \
		"virtio-net-pci,netdev=net,romfile=,mac=$(printf '52:54:00:5d:00:%02x' "$number")"
}

# What guest/init.c wants to know.
machine_parameters()
{
	local name=$1 other hosts='' i=0

	for other in $(machine_names); do
		i=$((i + 1))
		hosts+=${hosts:+,}$other:$SUBNET.$i
	done
	echo "lab.name=$name lab.id=$(echo "$LAB_TREE $name" | sha256sum | cut -c 1-32)" \
		"lab.init=$(up_setting init) lab.hosts=$hosts"
}

machine_start()
{
	local name=$1 dir=$LAB_MACHINES/$1 args

	mapfile -t args <"$dir/args"
	[[ ! -e $dir/console.log ]] || mv "$dir/console.log" "$dir/console.previous.log"
	(share_enter "$name" && exec "$LAB_BIN/keeper" "$dir" "${args[@]}") && return
	say "error: machine '$name' cannot be started"
	return 1
}

machines_start()
{
	local name

	for name; do
		machine_start "$name" || return
	done
}

# Waits until every machine finished its start; tells about each as it comes.
machines_wait()
{
	local name text rc failed=0

	for name; do
		rc=0
		text=$("$LAB_BIN/client" "$LAB_MACHINES/$name" wait "$START_TIMEOUT" 2>&1) || rc=$?
		case $rc in
		0) say "  $name answers:$text" ;;
		254) say "error: $name did not finish its start within $START_TIMEOUT s"; failed=1 ;;
		*) say "error: $name: ${text# }"; failed=1 ;;
		esac
		((!rc)) || last_words "$name" | sed 's/^/    /' >&2
	done
	return $failed
}

# What explains a failed start: the console from its first alarm on, the end of superdevd's log.
last_words()
{
	local dir=$LAB_MACHINES/$1

	awk '/lab init:|BUG:|Oops|WARNING:|Kernel panic/ { on = 1 } on && n++ < 25' "$dir/console.log"
	tail -n 15 "$dir/superdevd.log"
}

cmd_start()
{
	(($# == 1)) || bad_input "start takes a machine"
	need_machine "$1"
	! keeper_pid "$1" >/dev/null || bad_input "machine '$1' runs already"
	say "booting $1 with the disks it had"
	machine_start "$1" && machines_wait "$1"
}

cmd_kill()
{
	(($# == 1)) || bad_input "kill takes a machine"
	need_machine "$1"
	keeper_pid "$1" >/dev/null || bad_input "machine '$1' does not run: $(ended_text "$1")"
	"$LAB_BIN/client" "$LAB_MACHINES/$1" kill || return
	wait_gone "$1"
	say "cut the power of $1"
}

ended_text()
{
	cat "$LAB_MACHINES/$1/ended" 2>/dev/null || echo 'its keeper was killed'
}

# wait_gone NAME: returns when the keeper is gone, ending it after two seconds.
wait_gone()
{
	local pid tries=0

	while pid=$(keeper_pid "$1"); do
		((++tries != 40)) || kill -KILL "$pid"
		sleep 0.05
	done
}

machine_shutdown()
{
	keeper_pid "$1" >/dev/null || return 0
	"$LAB_BIN/client" "$LAB_MACHINES/$1" shutdown "$SHUTDOWN_TIMEOUT" 2>/dev/null ||
		"$LAB_BIN/client" "$LAB_MACHINES/$1" kill 2 2>/dev/null
	wait_gone "$1"
}

cmd_down()
{
	local name names pids=()

	(($# == 0)) || bad_input "down takes no argument, not '$1'"
	if [[ ! -e $LAB_UP ]]; then
		say "no machines are up"
		return 0
	fi
	mapfile -t names < <(machine_names)
	for name in "${names[@]}"; do
		machine_shutdown "$name" &
		pids+=($!)
	done
	wait "${pids[@]}"
	net_stop
	share_stop "${names[@]}"
	for name in "${names[@]}"; do
		rm -f "$LAB_MACHINES/$name"/{root.qcow2,vdb.img,vdc.img,sock,agent.sock,keeper.pid}
	done
	rm "$LAB_UP"
	say "down: ${names[*]}; their logs stay in ${LAB_MACHINES#"$PWD/"}"
}

cmd_exec()
{
	local name=${1-}

	(($# >= 1)) || bad_input "exec takes a machine and a command"
	shift
	[[ ${1-} != -- ]] || shift
	(($#)) || bad_input "exec: there is no command for '$name' to run"
	need_machine "$name"
	exec "$LAB_BIN/client" "$LAB_MACHINES/$name" exec "$@"
}

cmd_shell()
{
	(($# == 1)) || bad_input "shell takes a machine"
	need_machine "$1"
	exec "$LAB_BIN/client" "$LAB_MACHINES/$1" exec -t bash -l
}

machine_run()
{
	"$LAB_BIN/client" "$LAB_MACHINES/$1" exec "${@:2}"
}

# Like cp -a: into DST where that is a folder, else under the name DST.
cmd_put()
{
	local name src dst base

	(($# == 3)) || bad_input "put takes a machine, a source here and a destination there"
	name=$1 src=$2 dst=$3
	need_machine "$name"
	[[ -e $src ]] || bad_input "put: there is no '$src' here"
	base=$(basename "$(realpath "$src")")
	if [[ -d $src ]]; then
		tar -C "$src" -cf - . | machine_run "$name" sh -ec '
			[ ! -d "$1" ] || set -- "$1/$2"
			mkdir -p "$1"
			exec tar -C "$1" -xpf -' put "$dst" "$base" || return 1
	else
		machine_run "$name" sh -ec '
			[ ! -d "$1" ] || set -- "$1/$2" "$2" "$3"
			cat >"$1"
			chmod "$3" "$1"' put "$dst" "$base" "$(stat -c %a "$src")" <"$src" || return 1
	fi
}

cmd_get()
{
	local name src dst base

	(($# == 3)) || bad_input "get takes a machine, a source there and a destination here"
	name=$1 src=$2 dst=$3
	need_machine "$name"
	base=$(basename "$src")
	if machine_run "$name" test -d "$src" </dev/null; then
		[[ ! -d $dst ]] || dst=$dst/$base
		mkdir -p "$dst" || return
		machine_run "$name" tar -C "$src" -cf - . </dev/null | tar -C "$dst" -xpf -
	else
		machine_run "$name" test -e "$src" </dev/null ||
			bad_input "get: there is no '$src' in machine '$name'"
		[[ ! -d $dst ]] || dst=$dst/$base
		machine_run "$name" cat "$src" </dev/null >"$dst" &&
			chmod "$(machine_run "$name" stat -c %a "$src" </dev/null)" "$dst"
	fi
}

cmd_status()
{
	local name rc=0

	(($# == 0)) || bad_input "status takes no argument, not '$1'"
	if [[ ! -e $LAB_UP ]]; then
		echo "no machines are up"
		return 0
	fi
	paste -sd' ' "$LAB_UP"
	for name in $(machine_names); do
		printf '%s: ' "$name"
		if keeper_pid "$name" >/dev/null; then
			"$LAB_BIN/client" "$LAB_MACHINES/$name" status 5 || rc=1
		else
			ended_text "$name"
			echo
			rc=1
		fi
	done
	return $rc
}

cmd_log()
{
	local file=console.log

	if [[ ${1-} == -d ]]; then
		file=superdevd.log
		shift
	elif [[ ${2-} == -d ]]; then
		file=superdevd.log
		set -- "$1"
	fi
	(($# == 1)) || bad_input "log takes a machine, and -d for superdevd's log"
	[[ $1 =~ ^[a-z][a-z0-9-]*$ && -d $LAB_MACHINES/$1 ]] ||
		bad_input "there was no machine '$1'"
	cat "$LAB_MACHINES/$1/$file"
}
