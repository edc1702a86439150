#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Leases, lanes, files, modules and readers come and go all at once, at last without memory.
CPUS=${CPUS:-2}
export TIMEOUT=150
. "$(dirname "$0")/lib.sh"
um_load superdev
um_load superdev_null
python3 /src/tests/kernel/races.py 8
python3 /src/tests/kernel/races.py 8 unload
um_load superdev_null
um_failslab superdev 3 100000 -- python3 /src/tests/kernel/races.py 8 unload "short of memory"
[ "$UM_FAILED" -gt 0 ] || um_fail "no allocation was made to fail"
um_is_loaded superdev_null || um_load superdev_null
um_unload superdev_null superdev
