#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A network namespace ends while a lease is active in it, and somebody outside has a socket of it.
. "$(dirname "$0")/lib.sh"
um_load superdev
um_load superdev_null
python3 /src/tests/kernel/namespace-end.py
um_unload superdev_null superdev
