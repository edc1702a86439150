#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Strangers send garbage and open ten thousand connections: nobody else notices, nothing dies, no memory is left behind.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
start_clean
introduce
path=$(lend_disk disk0)
pids() { lender sh -c 'echo $(pidof superdevd) $(pidof superdev-worker)'; }
before=$(pids)
resident() { lender awk '/VmRSS/ {print $2}' "/proc/$(lender pidof superdevd)/status"; }
rss=$(resident)

step "garbage, truncated and oversized messages"
home python3 - <<'P'
import os, random, socket, struct
random.seed(1)
hello = bytes.fromhex("16030100c8010000c40303") + bytes(300)
samples = [b"", b"\0", b"\xff" * 100000, b"GET / HTTP/1.0\r\n\r\n", b"sdv1" + b"\xff" * 60,
           struct.pack("<I", 0x31766473) + bytes(60), hello[:20], hello, b"\x16\x03\x01\xff\xff" + bytes(70000)]
samples += [os.urandom(random.randrange(1, 5000)) for _ in range(200)]
for sample in samples:
    with socket.create_connection(("lender", 7338), timeout=10) as s:
        try:
            s.sendall(sample)
            s.settimeout(0.05)
            s.recv(100)
        except OSError:
            pass
P
home dd if="$path" of=/dev/null bs=1M count=4 iflag=direct status=none

step "ten thousand connections that never finish"
home python3 - <<'P'
import resource, socket
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
held, made = [], 0
while made < 10000:
    s = socket.socket()
    s.settimeout(2)
    try:
        s.connect(("lender", 7338))
        s.send(b"\x16\x03\x01")
    except OSError:
        pass
    made += 1
    held.append(s)
    if len(held) > 500:
        held.pop(0).close()
print(made)
P
home dd if="$path" of=/dev/null bs=1M count=4 iflag=direct status=none
[ "$(pids)" = "$before" ] || fail "processes changed: $before, now $(pids)"
eventually 20 "the lender answers as before" is home "peer list" 'x[0]["state"]' online
sleep 11
[ "$(lender sh -c 'ls /proc/$(pidof superdevd)/fd | wc -l')" -lt 60 ] || fail "descriptors are left behind"
[ "$(resident)" -lt $((rss + 4096)) ] || fail "memory is left behind: $rss KiB, now $(resident) KiB"

step "a stranger with a key of its own gets nothing but pairing"
is lender "peer list" 'len(x)' 1 || fail "a stranger became a peer"

step "an unprivileged user may look, and may not change anything"
home setpriv --reuid 65534 --regid 65534 --clear-groups superdev lease list
refused home "CAP_NET_ADMIN" setpriv --reuid 65534 --regid 65534 --clear-groups superdev lease del lender/disk0
refused home "CAP_NET_ADMIN" setpriv --reuid 65534 --regid 65534 --clear-groups superdev offer add x class blk path /dev/vdb
home superdev lease del lender/disk0
no_kernel_report home lender
