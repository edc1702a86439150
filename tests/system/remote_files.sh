#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Remote files on the kernels that people have: each operation, signals, poll, locks, and bash on a remote terminal.
. "$(dirname "$0")/lib.sh"
programs=(remote-ops remote-signals remote-ready remote-locks remote-hostile remote-double)
scripts/lab root -- make --no-print-directory "${programs[@]/#/build/obj/tests/kernel/}" >&2
lender rm -rf /tmp/remote
lender mkdir /tmp/remote
for file in "${programs[@]/#/build/obj/tests/kernel/}" tests/kernel/{remote-tty,cases}.py; do
	scripts/lab put lender "$file" "/tmp/remote/${file##*/}"
done
# What the cases of all tests in Python share wants more of the tree than this one needs.
lender sh -c 'cd /tmp/remote && chmod +x remote-* && echo "class Refused(Exception): pass" >netlink.py'

lender modprobe superdev_cpu
for program in remote-ops remote-signals remote-ready remote-locks remote-hostile; do
	step "$program"
	lender timeout 120 "/tmp/remote/$program" || fail "$program"
done
step "programs on a remote terminal"
lender timeout 120 python3 /tmp/remote/remote-tty.py /tmp/remote/remote-double || fail "remote-tty"
eventually 10 "the module goes" lender rmmod superdev_cpu
lender sh -c '! dmesg | grep -iE "Slab cache still has|Objects remaining|BUG:|WARNING:|leaked .*lock"' || fail "the kernel complains"
lender rm -rf /tmp/remote
