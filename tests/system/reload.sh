#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Modules are unloaded and loaded again, idle and with a lease; two leases live side by side.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
start_clean
introduce

step "two leases at once"
one=$(lend_disk disk0)
two=$(lend_disk disk1 /dev/vdc)
home sh -ec "
	verify() { fio --name=two --filename=\$1 --direct=1 --rw=randwrite --bs=4k --iodepth=8 --ioengine=libaio --size=1m --verify=crc32c --minimal >/dev/null; }
	verify $one &
	verify $two
	wait \$!"

step "the class module is unloaded under its leases, and loaded again"
home modprobe -r superdev_blk
eventually 5 "the devices are gone" home test ! -e "$one" -a ! -e "$two"
refused home "in use" modprobe -r superdev
home modprobe superdev_blk
eventually 20 "both devices are back" home test -e "$one" -a -e "$two"
home dd if="$one" of=/dev/null bs=1M count=8 iflag=direct status=none

step "a module in use stays"
home sh -c "sleep 100 <$one & echo \$! >/tmp/holder"
refused home "use" modprobe -r superdev_blk
home sh -c 'kill $(cat /tmp/holder)'

step "everything is unloaded and loaded again, ten times"
home superdev lease del lender/disk0
home superdev lease del lender/disk1
home lab-superdevd stop
home sh -ec 'for i in $(seq 10); do modprobe -r superdev_blk superdev_cpu superdev_null superdev; modprobe -a superdev_blk superdev_cpu; done'
home lab-superdevd start
eventually 20 "the agent is back, and remembers its peer" is home "peer list" 'x[0]["state"]' online
no_kernel_report home lender
