# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A step of scripts/demo, with the machines up and paired.  Home builds a part of
# LibTomMath alone, then with lender's processor, and compares every object.  All of its
# 154 sources would take an emulated processor a minute and a half, without optimization.

SPREAD_MAKE='make -j4 IGNORE_SPEED=1 $(ls bn_mp_[a-g]*.c | sed s/c$/o/)'

# spread_build FOLDER COMMAND: builds a fresh copy there, sets spread_ms.
# The folder has the same name each time, since a compiler may write it into what it makes.
spread_build()
{
	home sh -c 'rm -rf /srv/build && cp -a /srv/libtommath /srv/build'
	spread_ms=$(home sh -c "cd /srv/build || exit; s=\$(date +%s%N)
		$2 >/tmp/spread.log 2>&1 </dev/null || { tail -n 3 /tmp/spread.log >&2; exit 1; }
		e=\$(date +%s%N); echo \$(((e - s) / 1000000))") || return
	home sh -c "rm -rf '$1' && cp -a /srv/build '$1'"
}

demo_spread()
{
	local alone_ms differ objects turn

	step "A processor of lender, lent as easily: LibTomMath, built by both"
	rm -rf build/demo
	scripts/lab "source" libtommath build/demo/libtommath
	scripts/lab put home build/demo/libtommath /srv/libtommath
	shown lender superdev offer add cpu class cpu cpus 1 memory 600M
	wait_for 20 "the offer" home superdev offer show lender/cpu
	shown home superdev lease add lender/cpu
	# The compiler comes from the disk the first time, which is not what is compared.
	home sh -c 'echo "int x;" >/tmp/warm.c; gcc -c -o /tmp/warm.o /tmp/warm.c'

	printf '         home# %s\n' "$SPREAD_MAKE"
	spread_build /srv/alone "$SPREAD_MAKE" || { echo "scripts/demo: home alone could not build it" >&2; exit 1; }
	alone_ms=$spread_ms
	note "home alone: $((alone_ms / 1000)).$((alone_ms / 100 % 10)) s"
	# The second time the lender has what it read of home's compiler and headers.
	for turn in "the first time" "again"; do
		printf '         home# superdev run %s\n' "$SPREAD_MAKE"
		spread_build /srv/spread "superdev run $SPREAD_MAKE" ||
			{ echo "scripts/demo: it could not be built by both" >&2; exit 1; }
		note "home and lender, $turn: $((spread_ms / 1000)).$((spread_ms / 100 % 10)) s, $(awk -v a="$alone_ms" -v b="$spread_ms" \
			'BEGIN { printf "%.2f", a / b }') times as fast"
	done

	objects=$(home sh -c 'cd /srv/alone && ls *.o | wc -l')
	differ=$(home sh -c 'cd /srv/alone && for o in *.o; do cmp -s $o /srv/spread/$o || echo $o; done')
	[ -z "$differ" ] || { echo "scripts/demo: built by both, these are not the same: $differ" >&2; exit 1; }
	note "$objects of $objects files are the same, byte for byte"
	shown home superdev lease del lender/cpu
	shown lender superdev offer del cpu
}
