#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What bash, coreutils and Python have to test themselves comes out at a lender as it does at home.
# KERNELS: stable
# SECONDS: 1200
. "$(dirname "$0")/lib.sh"

step "the suites, from Debian's sources; of their programs the machines have the same versions"
work=build/selftests
rm -rf $work
mkdir -p $work/tree/{bash,coreutils,python}
for source in bash coreutils python3.13; do
	scripts/lab "source" $source $work/$source || skip "no source of $source could be had"
done
cp -a $work/bash/tests/. $work/tree/bash/
cp -a $work/coreutils/{tests,init.cfg} $work/tree/coreutils/
cp -a $work/python3.13/Lib/test tests/system/selftests_unittest.py $work/tree/python/
# Of what configure finds out, tests look for features only: without them they are skipped.
: >$work/tree/coreutils/config.h
mkdir $work/tree/coreutils/src
# shellcheck disable=SC2016
scripts/lab root -- sh -euc '
	cd "$1"
	touch bash/config.h
	for program in recho zecho xcase printenv; do
		gcc -std=gnu89 -w -include stdlib.h -include string.h -include unistd.h -DHAVE_STDLIB_H -DHAVE_STRING_H -DHAVE_UNISTD_H \
			-I bash -o tree/bash/$program bash/support/$program.c
	done
	dpkg -L coreutils | sed -n "s,^/usr/s\?bin/,,p" >tree/coreutils/programs' selftests "/src/$work"
# getlimits needs the whole project to be configured; these are its lines of whole numbers.
python3 - >$work/tree/coreutils/src/getlimits <<'P'
print("#!/bin/sh\ncat <<'END'")
for name, bits, sign in [("CHAR", 8, 1), ("SCHAR", 8, 1), ("UCHAR", 8, 0), ("SHRT", 16, 1), ("INT", 32, 1), ("UINT", 32, 0),
		("LONG", 64, 1), ("ULONG", 64, 0), ("SIZE", 64, 0), ("SSIZE", 64, 1), ("TIME_T", 64, 1), ("UID_T", 32, 0),
		("GID_T", 32, 0), ("PID_T", 32, 1), ("OFF_T", 64, 1), ("INTMAX", 64, 1), ("UINTMAX", 64, 0)]:
	end = 1 << bits - sign
	print(f"{name}_MAX={end - 1}\n{name}_OFLOW={end}")
	if sign:
		print(f"{name}_MIN={-end}\n{name}_UFLOW={-end - 1}")
print("END")
P
chmod 755 $work/tree/coreutils/src/getlimits
mkdir $work/tree/{bash,coreutils,python}/{tmp,out}
cp -a $work/tree/coreutils $work/tree/coreutils.user

begin_borrowed
id=$(lease_id)
home sh -c 'rm -rf /srv/selftests && mkdir /srv/selftests'
for side in here there; do
	scripts/lab put home $work/tree /srv/selftests/$side
	home chown -R 1000:1000 /srv/selftests/$side/coreutils.user
done
for file in selftests.py selftests.cases; do scripts/lab put home tests/system/$file /srv/$file; done

step "each case here and there"
home python3 /srv/selftests.py /srv/selftests "$id" /srv/selftests.cases || fail "they differ in other ways than are known"

step "nothing is left"
home rm -r /srv/selftests
eventually 20 "no guest's program is left" lender sh -c '! pgrep -x "bash|python3|perl"'
no_kernel_report home lender
