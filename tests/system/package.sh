#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The Debian packages install on a machine with systemd: DKMS builds the modules, the service runs and remembers.
# KERNELS: stable
# SECONDS: 1200
# LAB: --init systemd
. "$(dirname "$0")/lib.sh"

step "packages are built, and installed at home over what the lab had put there"
scripts/lab root -- make deb
home sh -ec 'systemctl stop superdevd; modprobe -r superdev_blk superdev_cpu superdev_null superdev
	rm -rf /usr/sbin/superdevd /usr/bin/superdev /usr/libexec/superdev /usr/lib/modules/*/updates/superdev* /var/lib/superdev
	depmod
	# DKMS builds for every kernel that has headers; compiling is slow here, and one tells enough.
	for other in /usr/lib/modules/*; do [ "${other##*/}" = "$(uname -r)" ] || rm -f "$other/build"; done'
for deb in build/deb/superdev_*.deb build/deb/superdev-dkms_*.deb; do
	scripts/lab put home "$deb" "/var/tmp/${deb##*/}"
done
home sh -ec 'DEBIAN_FRONTEND=noninteractive dpkg -i /var/tmp/superdev*.deb
	dkms status superdev | grep installed
	modinfo -n superdev_blk | grep dkms
	modinfo -n superdev:cpu | grep dkms
	systemctl daemon-reload; systemctl enable --now superdevd; systemctl is-active superdevd'

step "the installed pieces lend and borrow"
introduce
path=$(lend_disk disk0)
home sh -ec "mkfs.ext4 -qF $path; mkdir -p /mnt/t; mount $path /mnt/t; cp -a /etc /mnt/t/; (cd /etc; find . -type f -print0 | xargs -0 sha256sum) >/tmp/sums; (cd /mnt/t/etc; sha256sum --quiet -c /tmp/sums); umount /mnt/t"

step "the service is killed, restarted, stopped: the disk stays"
home sh -c "dd if=$path of=/dev/null bs=1M count=2 iflag=direct status=none"
home systemctl kill -s KILL superdevd
eventually 30 "systemd restarts it" home sh -c 'systemctl is-active superdevd && superdev peer list | grep -q online'
home systemctl restart superdevd
lender systemctl restart superdevd
home sh -c "dd if=$path of=/dev/null bs=1M count=2 iflag=direct status=none"
home sh -c 'journalctl -u superdevd --no-pager | tail -n 20'

step "the unit is as closed as its work allows"
home systemd-analyze security --no-pager superdevd | tail -n 1
score=$(home systemd-analyze security --no-pager superdevd | sed -n 's/.*exposure level for superdevd.service: \([0-9]*\)\.\([0-9]\).*/\1\2/p')
# In tenths; the unit explains what its work does not allow.
[ "$score" -le 66 ] || fail "systemd-analyze security says $score tenths"
home superdev lease del lender/disk0
no_kernel_report home lender
