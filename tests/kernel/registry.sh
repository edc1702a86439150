#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The registry of the core: what it takes, what it refuses and why, and how leases live, one case a line.
. "$(dirname "$0")/lib.sh"
um_load superdev
python3 /src/tests/kernel/registry.py
! um_is_loaded superdev || um_fail "the core is still loaded"
