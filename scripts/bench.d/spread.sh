#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# scripts/bench spread: the machines, the project, the programs that measure; then spread.py.
#
# The project is GNU Nettle's static library, 241 objects of C: a real one whose sources are
# small, because a compiler takes some thirty times as long in an emulated processor.  For the
# same reason it is built without optimization (BENCH_CFLAGS), which changes nothing about what
# a build does beyond the compiler itself.  It is configured here, not where time is measured.
set -euo pipefail

SOURCE=nettle TARGET=${BENCH_TARGET:-libnettle.a}
CFLAGS=${BENCH_CFLAGS:--O0}
PACKAGES=distcc,icecc,openssh-client,openssh-server,nfs-common,nfs-kernel-server,diod

kernel=stable out=build/bench lenders=2 share=60 pass=()
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) kernel=${2:?}; shift ;;
	--out) out=${2:?}; shift ;;
	--lenders) lenders=${2:?}; shift ;;
	--share) share=${2:?}; shift ;;
	--rounds | --only | --starts | --systems) pass+=("$1" "${2:?}"); shift ;;
	*) echo "scripts/bench: unknown argument '$1'" >&2; exit 2 ;;
	esac
	shift
done
case $lenders in
1) machines=home,lender ;;
2) machines=home,lender,second ;;
*) echo "scripts/bench: --lenders: '$lenders' is neither 1 nor 2" >&2; exit 2 ;;
esac

mkdir -p "$out"
scripts/lab build --with "$PACKAGES"
work=build/bench/spread
rm -rf $work
mkdir -p $work
scripts/lab "source" $SOURCE $work/project.ready
version=$(sed -n '1s/.*(\([0-9.]*\).*/\1/p' $work/project.ready/debian/changelog)
# All times made one, so that make finds nothing but objects missing.
# shellcheck disable=SC2016
scripts/lab root -- sh -euc '
	cd "$1"
	cc -O2 -static -Wall -Wextra -Wshadow -Werror -D_GNU_SOURCE -o launch /src/scripts/bench.d/launch.c
	cc -O2 -static -Wall -Wextra -Wshadow -Werror -D_GNU_SOURCE -o periodic /src/scripts/bench.d/periodic.c
	cd project.ready
	./configure --disable-shared --disable-assembler --disable-public-key --disable-openssl \
		--disable-documentation CFLAGS="$2" >../configure.log 2>&1
	sed -i "s/^CFLAGS = .*/CFLAGS = $2/" config.make
	find . -exec touch -h -d "2026-01-01" {} +' bench "/src/$work" "$CFLAGS"

trap 'scripts/lab down' EXIT
scripts/lab down
# A kernel that is held back while it measures its clock has a wrong one.
scripts/lab up --machines "$machines" --kernel "$kernel" --net fast --share 200
scripts/lab share "$share"
scripts/lab put home $work/project.ready /srv/project.ready
for machine in ${machines//,/ }; do
	scripts/lab put "$machine" $work/launch /srv/launch
	scripts/lab put "$machine" $work/periodic /srv/periodic
done
python3 -B scripts/bench.d/spread.py --out "$out" --lenders "$lenders" --share "$share" --target "$TARGET" \
	--project "$SOURCE $version, $TARGET, $CFLAGS" ${pass[@]+"${pass[@]}"}
