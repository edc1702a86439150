#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The KUnit suites of the modules, with KASAN, lockdep and UBSAN watching.
. "$(dirname "$0")/lib.sh"
um_load superdev
found=0
# superdev_policy_test is a policy, and no suite.
for module in $(find "/lib/modules/$(uname -r)" -name '*_test.ko' | grep -Ev 'floor|policy_test'); do
	name=${module##*/}
	step "${name%.ko}"
	um_kunit "${name%.ko}"
	found=$((found + 1))
done
[ $found -gt 0 ] || um_fail "no suite was found"
um_unload superdev
