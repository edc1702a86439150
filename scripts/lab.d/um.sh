#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lab um build [--bench]
#	Makes the user-mode kernel: the debug one, or the one for measuring.  Both are cached.
# lab um modules [--bench] [--source DIR]
#	Builds the project's modules (or those of DIR, which has a Kbuild) for it, prints where.
# lab um run [--bench] [OPTION…] -- COMMAND…
#	Boots it, runs COMMAND in it as root with the tree, read-only, at /src, and powers off.
#	--cpus N           processors; 1, with --bench 2
#	--memory SIZE      512M, with --bench 1G
#	--timeout SECONDS  600; the machine is ended then
#	--modules PATH     modules to install instead of the project's
#	--source DIR       modules to build and install instead of the project's
#	--no-modules       none
#	--agent            superdevd and superdev, built and installed
#	--out DIR          what is at /out, the one place that outlives the machine
#	--boot ARGUMENT    for the kernel's command line
#	--keep             keep the folder of the run though all went well
# lab um kernel [--bench]
#	Prints the release and the build tree of that kernel.
#
# Exit status of run: COMMAND's; or 70, there was a kernel report (which is shown); 71, the
# kernel died without one; 124, it took too long.
# shellcheck disable=SC2317 # functions that with_lock and progress call
set -u
set -o pipefail

# shellcheck source=common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

UM_D=$LAB_D/um
UM_BUILD=$LAB_BUILD/um
STATUS_REPORT=70
STATUS_KERNEL_DIED=71
STATUS_TIMEOUT=124

# Lines that a whole build prints, for the person who waits.
declare -A UM_LINES=([debug]=1830 [bench]=1750)

# Folders of the kernel's source whose Kconfig is read and whose code nobody builds here: left
# out they halve the time of unpacking.
UM_LEFT_OUT=(
	arch/[acdhlmnopqrs]* sound drivers/gpu/drm/amd drivers/gpu/drm/i915 drivers/gpu/drm/xe drivers/gpu/drm/nouveau
	drivers/gpu/drm/msm drivers/gpu/drm/radeon drivers/net/ethernet drivers/net/wireless
	drivers/media drivers/staging drivers/infiniband drivers/scsi drivers/iio drivers/clk
	drivers/usb drivers/pinctrl drivers/video/fbdev tools/testing tools/perf
)

# Folders that are compiled without sanitizers, to save a minute: they are not what is tested,
# and what they do with objects of ours they do through block, fs, net/core and lib.
UM_NOT_SANITIZED=(
	crypto lib/crypto drivers/gpu/drm drivers/md drivers/nvme drivers/pci drivers/tty fs/ext4
	fs/fuse fs/jbd2 fs/overlayfs kernel/trace net/bridge net/ipv6 net/netfilter security
)

usage()
{
	sed -n '/^# lab um build/,/^# kernel died/s/^# \{0,1\}//p' "$LAB_D/um.sh"
}

# um_in_root COMMAND…: in the Debian 13 root, with the tree and the cache at their own paths,
# because kernel trees remember them.
um_in_root()
{
	mkdir -p "$LAB_CACHE"
	# shellcheck disable=SC2016 # expanded by the inner shell
	"$UM_ROOT/inroot" "$UM_ROOT" / bash -c '
		for dir in "$1" "$2"; do
			mkdir -p "$dir" && mount --rbind "/src$dir" "$dir" || exit
		done
		shift 2
		exec "$@"' um "$LAB_CACHE" "$LAB_TREE" "$@"
}

# The Debian version of the root's kernel source.
um_source_version()
{
	awk '/^Package: linux-source-/ { found = 1 } found && /^Version: / { print $2; exit }' \
		"$UM_ROOT/root/var/lib/dpkg/status"
}

# um_source: prints the folder of the patched source, unpacking it first if need be.
um_source()
{
	local version entry
	version=$(um_source_version) || return
	[[ $version ]] || die "the Debian 13 root has no kernel source"
	entry=$LAB_CACHE/um-source-$({ echo "$version" "${UM_LEFT_OUT[@]}" "${UM_NOT_SANITIZED[@]}"; cat "$UM_D"/*.patch; } | hash_of)
	[[ -d $entry ]] || with_lock um-source um_source_make "$entry" >&2 || return
	echo "$entry"
}

um_source_make()
{
	local entry=$1 tmp
	[[ ! -d $entry ]] || return 0
	host_needs xz:xz-utils patch:patch
	tmp=$(mktemp -d "$LAB_CACHE/tmp.um-source.XXXXXX") || return
	progress "unpacking the kernel's source" "$LAB_BUILD/log/um-source.log" \
		um_source_unpack "$tmp" ||
		{ rm -rf "$tmp"; die "no kernel source"; }
	mv -T "$tmp" "$entry"
}

um_source_unpack()
{
	local tmp=$1 dir patch exclude=()
	for dir in "${UM_LEFT_OUT[@]}"; do
		exclude+=("--exclude=*/$dir/*."{c,h,S,dts,dtsi})
	done
	chmod 755 "$tmp"
	tar -C "$tmp" --strip-components=1 --wildcards "${exclude[@]}" \
		--exclude='*/Documentation/*/*' -xJf "$UM_ROOT/linux-source.tar.xz" || return
	for patch in "$UM_D"/*.patch; do
		patch -d "$tmp" -p1 <"$patch" || return
	done
	for dir in "${UM_NOT_SANITIZED[@]}"; do
		find "$tmp/$dir" -name Makefile -exec \
			sed -i '1i KASAN_SANITIZE := n\nUBSAN_SANITIZE := n' {} + || return
	done
}

um_kernel_inputs()
{
	local source
	source=$(um_source) || return
	echo "${source##*/}"
	sed -n '/^Package: gcc-14$/,/^$/s/^Version: //p' "$UM_ROOT/root/var/lib/dpkg/status"
	cat "$UM_D/config.common" "$UM_D/config.$1"
}

# um_kernel debug|bench: prints its cache entry, building it first if need be:
#   linux      the kernel           build/     what external modules are built against
#   modules/   its modules          release    its release; written last
um_kernel()
{
	local flavour=$1 entry
	entry=$LAB_CACHE/um-$flavour-$(um_kernel_inputs "$flavour" | hash_of) || return
	[[ -e $entry/release ]] || with_lock "um-$flavour" um_kernel_make "$flavour" "$entry" >&2 || return
	echo "$entry"
}

# An interrupted build goes on where it was: it has a name of its own until it is whole.
um_kernel_make()
{
	local flavour=$1 entry=$2 source
	[[ ! -e $entry/release ]] || return 0
	source=$(um_source) || return
	mkdir -p "$entry.part/build"
	progress "building the user-mode kernel, $flavour (once; some 8 minutes on 2 idle processors)" \
		"$LAB_BUILD/log/um-$flavour.log" \
		um_kernel_build "$flavour" "$source" "$entry.part" || die "no user-mode kernel"
	mv -T "$entry.part" "$entry"
}

um_kernel_build()
{
	local flavour=$1 source=$2 part=$3 build=$3/build release
	cat "$UM_D/config.common" "$UM_D/config.$flavour" >"$part/fragment"
	um_in_root make -C "$source" -s ARCH=um O="$build" \
		KCONFIG_ALLCONFIG="$part/fragment" allnoconfig || return
	um_config_check "$part/fragment" "$build/.config" || return

	um_in_root make -C "$source" -j"$(nproc)" ARCH=um O="$build" KBUILD_BUILD_HOST=um \
		KBUILD_BUILD_USER=um linux modules 2>&1 | um_percent "${UM_LINES[$flavour]}" || return
	um_in_root make -C "$source" -s ARCH=um O="$build" INSTALL_MOD_PATH="$part/stage" \
		INSTALL_MOD_STRIP=1 modules_install || return
	release=$(<"$build/include/config/kernel.release")
	rm -rf "$part/modules"
	mv "$part/stage/lib/modules/$release" "$part/modules" || return
	rm -rf "$part/stage" "$part/modules/build" "$part/modules/source"
	mv "$build/vmlinux" "$part/linux" || return
	rm -f "$build/linux" "$build"/vmlinux.* "$build"/.tmp_vmlinux*
	# External modules need headers, configuration and symbols, no objects.
	find "$build" -type f ! -path "$build/scripts/*" \
		'(' -name '*.o' -o -name '*.ko' -o -name '*.a' -o -name '.*.cmd' -o -name '*.mod.c' ')' \
		-delete || return
	# Its makefile knows where it is: there, soon.
	sed -i "s|$part/|${part%.part}/|g" "$build/Makefile" || return
	echo "$release" >"$part/release"
}

# um_percent TOTAL: make prints a line per object, so a count of them says how far it is.
um_percent()
{
	local line count=0
	while IFS= read -r line; do
		[[ $line != "  "[A-Z]* ]] || line="$((++count < $1 ? count * 100 / $1 : 99))% $line"
		printf '%s\n' "$line"
	done
}

# An option that Kconfig silently dropped would be a check silently missing.
um_config_check()
{
	local line lost=0
	while IFS= read -r line; do
		if [[ $line == *=n ]]; then
			! grep -q "^${line%n}[ym]" "$2" && continue
		else
			grep -qxF "$line" "$2" && continue
		fi
		echo "not in the configuration: $line"
		lost=1
	done < <(grep '^CONFIG_' "$1")
	return "$lost"
}

# um_tools: prints the folder of the two programs of a run: host, and boot/init.
um_tools()
{
	local entry
	entry=$LAB_CACHE/um-tools-$(cat "$UM_D"/{frame.h,host.c,init.c} | hash_of)
	[[ -d $entry ]] || with_lock um-tools um_tools_make "$entry" >&2 || return
	echo "$entry"
}

um_tools_make()
{
	local entry=$1 tmp name
	[[ ! -d $entry ]] || return 0
	tmp=$(mktemp -d "$LAB_CACHE/tmp.um-tools.XXXXXX") || return
	chmod 755 "$tmp"
	# What init mounts on, in a file system that it can't write.
	mkdir -p "$tmp"/boot/{dev,proc,um,root,dest,upper,new}
	for name in host boot/init; do
		um_in_root gcc -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -Wshadow -Werror -static \
			-o "$tmp/$name" "$UM_D/${name#boot/}.c" ||
			{ rm -rf "$tmp"; die "no tools for user-mode machines"; }
	done
	mv -T "$tmp" "$entry"
}

# um_modules FLAVOUR [DIR]: builds modules if a source is newer, prints their folder.
um_modules()
{
	local flavour=$1 source=${2-} kernel release out stamp
	kernel=$(um_kernel "$flavour") || return
	release=$(<"$kernel/release")
	if [[ $source ]]; then
		source=$(readlink -e "$source") || bad_input "--source: no such folder: $2"
		out=$UM_BUILD/kbuild/$release/${source##*/}
		stamp=$out/.built
		set -- "$source"
	else
		[[ -e $LAB_TREE/Kbuild ]] || return 0
		out=$LAB_TREE/build/modules/$release
		stamp=$out/.built
		set -- "$LAB_TREE"/{Kbuild,kernel,uapi}
	fi
	if [[ ! -e $stamp || $kernel/release -nt $stamp || $(find "$@" -newer "$stamp" -print -quit) ]]; then
		with_lock um-modules um_modules_make "$kernel" "$release" "$out" "$source" >&2 || return
	fi
	echo "$out"
}

um_modules_make()
{
	local kernel=$1 release=$2 out=$3 source=$4 log=$LAB_BUILD/log/um-modules-$$.log status=0
	mkdir -p "$out"
	[[ ! $kernel/release -nt $out/.built ]] || rm -f "$out/.built"
	if [[ $source ]]; then
		cp -au "$source/." "$out/"
		set -- make -C "$kernel/build" ARCH=um M="$out" modules
	else
		set -- make -C "$LAB_TREE" --no-print-directory KVERS="$release" \
			KDIR="$kernel/build" KBUILD_ARGS="ARCH=um" modules
	fi
	progress "building modules for the user-mode kernel ($release)" "$log" \
		um_in_root "$@" -j"$(nproc)" || status=$?
	rm -f "$log"
	((status == 0)) || return 1
	touch "$out/.built"
}

# um_agent: installs the programs into what is laid over the root.
um_agent()
{
	local log=$LAB_BUILD/log/um-agent-$$.log status=0
	progress "building the agent for user-mode machines" "$log" \
		with_lock um-agent root_exec make -j"$(nproc)" --no-print-directory \
		install-agent DESTDIR=build/lab/dest >&2 || status=$?
	rm -f "$log"
	return $status
}

# um_stage_modules KERNEL DIR [MODULES]: the kernel's modules and the project's, as modprobe
# wants them.  Copied for each run: another run may build new ones meanwhile.
um_stage_modules()
{
	local kernel=$1 dir=$2 modules=${3-} release stage=$2.stage
	release=$(<"$kernel/release")
	mkdir -p "$stage/lib/modules"
	cp -a "$kernel/modules" "$stage/lib/modules/$release" || return
	if [[ $modules ]]; then
		mkdir "$stage/lib/modules/$release/updates" &&
			cp "$modules"/*.ko "$stage/lib/modules/$release/updates/" || return
		host_needs depmod:kmod
		PATH=$PATH:/usr/sbin:/sbin depmod -b "$stage" "$release" || return
	fi
	mv -T "$stage/lib/modules/$release" "$dir" && rm -r "$stage"
}

um_run()
{
	local flavour=debug cpus='' memory='' timeout=600 modules='' source='' any_modules=1 agent=''
	local out='' boot=() keep='' kernel tools run status mode need

	while (($#)); do
		case $1 in
		--bench) flavour=bench ;;
		--no-modules) any_modules='' ;;
		--agent) agent=1 ;;
		--keep) keep=1 ;;
		--cpus | --memory | --timeout | --modules | --source | --out | --boot)
			(($# > 1)) || bad_input "um run: $1 needs a value"
			case $1 in
			--cpus) cpus=$2 ;;
			--memory) memory=$2 ;;
			--timeout) timeout=$2 ;;
			--modules) modules=$2 ;;
			--source) source=$2 ;;
			--out) out=$2 ;;
			--boot) boot+=("$2") ;;
			esac
			shift
			;;
		--) shift; break ;;
		*) bad_input "um run: unknown option '$1'; COMMAND comes after --" ;;
		esac
		shift
	done
	(($#)) || bad_input "um run: no command; say: lab um run -- COMMAND…"
	: "${cpus:=$([[ $flavour == bench ]] && echo 2 || echo 1)}"
	: "${memory:=$([[ $flavour == bench ]] && echo 1G || echo 512M)}"
	[[ $cpus =~ ^[1-4]$ ]] || bad_input "um run: --cpus $cpus: 1 to 4"
	[[ $memory =~ ^[1-9][0-9]*[MG]$ ]] || bad_input "um run: --memory $memory: a number and M or G"
	[[ $timeout =~ ^[1-9][0-9]*$ ]] || bad_input "um run: --timeout $timeout: a number of seconds"
	[[ ! $modules || -d $modules ]] || bad_input "um run: --modules $modules: no such folder"

	kernel=$(um_kernel "$flavour") || exit 1
	tools=$(um_tools) || exit 1
	if [[ $any_modules && ! $modules ]]; then
		modules=$(um_modules "$flavour" "$source") || exit 1
	fi
	[[ ! $agent ]] || um_agent || exit 1

	mkdir -p "$UM_BUILD"
	find "$UM_BUILD" -maxdepth 1 -name 'run.*' -mtime +0 -exec rm -rf {} +
	run=$(mktemp -d "$UM_BUILD/run.XXXXXX") || exit 1
	chmod 755 "$run"
	printf '%s\0' "$@" >"$run/command"
	um_environment >"$run/environ"
	: >"$run/console"
	ln -s "$UM_ROOT/root" "$run/root"
	ln -s "$tools/boot" "$run/boot"
	ln -s "$LAB_TREE" "$run/src"
	[[ ! $agent ]] || ln -s "$LAB_BUILD/dest" "$run/dest"
	if [[ $out ]]; then
		mkdir -p "$out" && ln -s "$(readlink -e "$out")" "$run/out" || exit 1
	else
		mkdir "$run/out"
	fi
	um_stage_modules "$kernel" "$run/lib" "$modules" || die "no modules for the machine"

	# The machine's memory is a file, by default in /dev/shm, which may be small in a container.
	need=${memory%[MG]}
	[[ $memory != *G ]] || need=$((need * 1024))
	(($(df -Pm /dev/shm | awk 'END { print $4 + 0 }') > need)) || export TMPDIR=/tmp
	# Two processors need the seccomp way of running user code; one may have the other.
	mode=off
	((cpus == 1)) || mode=on
	cd "$run" || exit 1
	"$tools/host" --timeout "$timeout" --console console -- "$kernel/linux" \
		hostfs=/proc/self/cwd rootfstype=hostfs rootflags=boot root=/dev/root ro init=/init \
		mem="$memory" ncpus="$cpus" seccomp="$mode" loglevel=7 panic=-1 \
		con=null con0=fd:1 ssl=null ssl0=fd:3 uml_dir=./ umid=um \
		"${boot[@]}"
	status=$?
	cd "$LAB_TREE" || exit 1
	um_verdict "$run" "$status"
	status=$?
	if ((status == 0)) || [[ ! -s $run/console ]]; then
		[[ $keep ]] || rm -rf "$run"
	else
		say "the run is kept in ${run#"$LAB_TREE/"} (console, out)"
	fi
	exit $status
}

# What a command in the machine knows of the outside: as little as makes it the same everywhere.
um_environment()
{
	printf '%s\0' PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root USER=root SHELL=/bin/bash LANG=C.UTF-8 "TERM=${TERM:-dumb}" \
		UM_LIB=/src/scripts/lab.d/um
}

# um_verdict RUN STATUS: the exit status of `run`, after telling what the console says.
um_verdict()
{
	local run=$1 status=$2 reports
	if ! reports=$(awk -f "$UM_D/reports.awk" "$UM_D/known-reports" "$run/console"); then
		printf '%s\n' "$reports" >&2
		say "the kernel reported (above)"
		return $STATUS_REPORT
	fi
	case $status in
	"$STATUS_TIMEOUT")
		grep -m 1 -B 20 -A 120 'sysrq: Show Blocked State' "$run/console" >&2 ||
			tail -n 60 "$run/console" >&2
		say "the machine was ended: it hung, or took longer than its --timeout" ;;
	"$STATUS_KERNEL_DIED")
		tail -n 60 "$run/console" >&2
		say "the kernel ended before the command did" ;;
	esac
	return "$status"
}

um_flavour_only()
{
	UM_FLAVOUR=debug
	while (($#)); do
		case $1 in
		--bench) UM_FLAVOUR=bench ;;
		*) bad_input "um: unknown option '$1'; only --bench" ;;
		esac
		shift
	done
}

um_main()
{
	local kernel flavour=debug source=''

	# One root for all steps: its inputs may change while a kernel is built.
	case ${1-} in
	build | kernel | modules | run) UM_ROOT=$(root_dir) || exit 1 ;;
	esac
	case ${1-} in
	build)
		um_flavour_only "${@:2}"
		um_kernel "$UM_FLAVOUR" >/dev/null && um_tools >/dev/null || exit 1
		;;
	kernel)
		um_flavour_only "${@:2}"
		kernel=$(um_kernel "$UM_FLAVOUR") || exit 1
		printf '%s %s\n' "$(<"$kernel/release")" "$kernel/build"
		;;
	modules)
		shift
		while (($#)); do
			case $1 in
			--bench) flavour=bench ;;
			--source) (($# > 1)) || bad_input "um modules: --source needs a folder"; source=$2; shift ;;
			*) bad_input "um modules: unknown option '$1'" ;;
			esac
			shift
		done
		um_modules "$flavour" "$source" || exit 1
		;;
	run)
		um_run "${@:2}"
		;;
	help | -h | --help)
		usage
		;;
	--bench)
		exec "$LAB_D/um.sh" run "$@"
		;;
	*)
		bad_input "um: '${1-}' is none of build, modules, run, kernel; lab um help says more"
		;;
	esac
}

um_main "$@"; exit
