#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Inside user-mode Linux: home and lender as two network namespaces, then storage.py; its result is the last line.
set -euo pipefail
# shellcheck source=../lab.d/um/machines.sh
. "$UM_LIB/machines.sh"
for module in superdev superdev_blk tls brd nbd nvme-tcp nvmet-tcp; do
	modprobe "$module" 2>/dev/null || true # some are built in
done
um_machines home lender >&2
um_daemon home >&2
um_daemon lender >&2
cd /src
exec python3 -B scripts/bench.d/storage.py --floor um "$@"
