# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests inside a user-mode machine: modules loaded, tested, made to fail, and unloaded with
# nothing left behind.  To be sourced by bash, as  . "$UM_LIB/guest.sh".
# shellcheck shell=bash

UM_FAULTS=/sys/kernel/debug

# um_fail TEXT…: ends the test.
um_fail()
{
	printf 'FAILED: %s\n' "$*" >&2
	exit 1
}

# um_wait SECONDS COMMAND…: repeats COMMAND until it succeeds; fails when it never does.
um_wait()
{
	local until=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
	shift
	until "$@"; do
		((${EPOCHREALTIME/[.,]/} < until)) || return 1
		sleep 0.05
	done
}

# um_load MODULE [PARAMETER=VALUE…]
um_load()
{
	modprobe "$@"
}

um_is_loaded()
{
	[[ -e /sys/module/$1 ]]
}

um_remove_module()
{
	rmmod "$1" 2>/dev/null
}

# um_unload MODULE…: removes them in that order, waiting five seconds for the last user of each
# to leave, and fails when one stays or leaves objects in a slab cache of its own.
um_unload()
{
	local module before after
	before=$(um_leftovers)
	for module; do
		if ! um_wait 5 um_remove_module "$module"; then
			printf 'module %s stays: %s users\n' "$module" \
				"$(cat "/sys/module/$module/refcnt" 2>/dev/null)" >&2
			return 1
		fi
		! um_is_loaded "$module" || return 1
	done
	after=$(um_leftovers)
	[[ $before == "$after" ]] || {
		printf 'left behind by %s: %s reports more\n' "$*" $((after - before)) >&2
		return 1
	}
}

# How often the kernel found a slab cache that was not empty when it was destroyed.
um_leftovers()
{
	dmesg | awk '/Slab cache still has objects|Objects remaining/ { n++ } END { print n + 0 }'
}

# um_kunit MODULE [PARAMETER=VALUE…]: runs the KUnit suites of that module by loading it, prints their results, and
# fails when a case failed or there was no suite.
um_kunit()
{
	local module=$1 before suite status=1
	before=$(ls "$UM_FAULTS/kunit") || return
	modprobe "$@" || return
	for suite in "$UM_FAULTS"/kunit/*/results; do
		[[ -e $suite ]] || continue
		grep -qxF "$(basename "${suite%/results}")" <<<"$before" && continue
		cat "$suite"
		((status != 1)) || status=0
		! grep -q '^ *not ok' "$suite" || status=2
	done
	rmmod "$module" || return
	((status == 0))
}

# um_text_of MODULE: prints the first and last address of its code.  Its last function may cross
# into the next page; behind the code is a page that nobody has.
um_text_of()
{
	local low='' high='' address
	while read -r address; do
		[[ $low ]] || low=$address
		high=$address
	done < <(awk -v m="[$1]" '$4 == m && $2 ~ /[tT]/ { print $1 }' /proc/kallsyms | sort)
	[[ $low ]] || return
	printf '0x%x 0x%x\n' $((16#$low)) $(((16#$high | 4095) + 4096))
}

# um_failslab MODULE|task|PID PROBABILITY TIMES -- COMMAND…: while COMMAND, which may be a
# function, runs, PROBABILITY percent of some slab allocations fail, but TIMES of them at most
# (-1: no limit): those that come from code of MODULE, that COMMAND and its children make
# ("task"; the start of a program is among them), or that the process PID makes.
# Sets UM_FAILED to their number, as far as TIMES limits it; returns COMMAND's status.
um_failslab()
{
	um_inject failslab "$@"
}

# um_fail_page_alloc, um_fail_request: the same for whole pages, and for block requests.
um_fail_page_alloc()
{
	um_inject fail_page_alloc "$@"
}

um_fail_request()
{
	um_inject fail_make_request "$@"
}

um_inject()
{
	local at=$UM_FAULTS/$1 whose=$2 probability=$3 times=$4 range status=0
	[[ $5 == -- ]] || um_fail "um_inject: no -- before the command"
	shift 5

	echo 0 >"$at/probability"
	echo 1 >"$at/interval"
	echo 0 >"$at/verbose"
	echo "$times" >"$at/times"
	[[ ! -e $at/ignore-gfp-wait ]] || echo N >"$at/ignore-gfp-wait"
	[[ ! -e $at/min-order ]] || echo 0 >"$at/min-order"
	if [[ $whose == task || $whose =~ ^[0-9]+$ ]]; then
		echo Y >"$at/task-filter"
		echo 0 >"$at/require-start"
		echo 0xffffffffffffffff >"$at/require-end"
	else
		range=$(um_text_of "$whose") || um_fail "module $whose has no code: is it loaded?"
		echo N >"$at/task-filter"
		echo 32 >"$at/stacktrace-depth"
		echo "${range% *}" >"$at/require-start"
		echo "${range#* }" >"$at/require-end"
	fi
	# Last: from here on it fails.
	echo "$probability" >"$at/probability"
	if [[ $whose == task ]]; then
		(echo 1 >/proc/$BASHPID/make-it-fail && "$@") || status=$?
	elif [[ $whose =~ ^[0-9]+$ ]]; then
		echo 1 >"/proc/$whose/make-it-fail"
		"$@" || status=$?
		[[ ! -e /proc/$whose ]] || echo 0 >"/proc/$whose/make-it-fail"
	else
		"$@" || status=$?
	fi
	echo 0 >"$at/probability"
	# shellcheck disable=SC2034 # for the caller
	UM_FAILED=$((times - $(cat "$at/times")))
	return $status
}
