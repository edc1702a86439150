#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Netlink messages of every shape, valid and not, from root and from nobody: refused or done, never worse.
. "$(dirname "$0")/lib.sh"
um_load superdev
um_load superdev_blk
um_load superdev_null
um_machines home
python3 /src/tests/kernel/netlink-fuzz.py "${RUNS:-20000}"
home python3 /src/tests/kernel/netlink-fuzz.py "${RUNS:-20000}"
setpriv --reuid 65534 --regid 65534 --clear-groups python3 /src/tests/kernel/netlink-fuzz.py 3000 nobody
um_unload superdev_blk superdev_null superdev
