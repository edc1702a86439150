#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Remote files: each operation, signals and death, hostile workers, and real programs whose descriptors are elsewhere.
programs=(remote-ops)
if [ -z "${UM_LIB:-}" ]; then
	(cd "$(dirname "$0")/../.." &&
		scripts/lab root -- make --no-print-directory "${programs[@]/#/build/obj/tests/kernel/}" >&2) || exit 1
fi
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"
bin=/src/build/obj/tests/kernel
um_load superdev_cpu
failed=0
for program in "${programs[@]}"; do
	step "$program"
	"$bin/$program" || failed=1
done
um_unload superdev_cpu
exit $failed
