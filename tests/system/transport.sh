#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Lanes are encrypted unless both peers say clear; what they say can change under load.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
start_clean
introduce
path=$(lend_disk disk0)
home sh -c "yes 'attack at dawn' | dd of=$path bs=64k count=16 iflag=fullblock oflag=direct status=none"

# seen: whether the text crosses the wire in clear while it is read.
seen() {
	home python3 - "$path" <<'P'
import socket, subprocess, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
SO_RCVBUFFORCE = 33
s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
s.settimeout(0.2)
reader = subprocess.Popen(["dd", "if=" + sys.argv[1], "of=/dev/null", "bs=64k", "count=16", "iflag=direct", "status=none"])
found, seen = False, 0
end = None
while end is None or time.monotonic() < end:
    # Others may be talking all the time: what matters is there when the reader is through.
    if end is None and reader.poll() is not None:
        end = time.monotonic() + 0.5
    try:
        packet = s.recv(65536)
    except TimeoutError:
        continue
    seen += len(packet)
    found |= b"attack at dawn" in packet
assert reader.returncode == 0, "the reader failed"
assert seen > 500000, "the capture saw too little: %d" % seen
print("clear" if found else "hidden")
P
}
[ "$(seen)" = hidden ] || fail "data crosses the wire in clear"
step "one side alone can't have it clear"
home superdev peer set lender transport clear
sleep 2
[ "$(seen)" = hidden ] || fail "one side's wish sufficed"
step "both sides say clear, under load"
start_load "$path" --offset=64m --rw=randrw --bs=16k
lender superdev peer set home transport clear
is_clear() { [ "$(seen)" = clear ]; }
eventually 30 "lanes are clear" is_clear
home superdev | grep -i clear || fail "superdev does not show that lanes are in clear"
finish_load "a change of transport"
step "and back"
lender superdev peer set home transport tls
is_hidden() { [ "$(seen)" = hidden ]; }
eventually 30 "lanes are encrypted" is_hidden
home superdev lease del lender/disk0

step "both sides say clear while the first connection is being made"
for _ in 1 2 3; do
	clean home lender
	home_key=$(home superdev key)
	home superdev peer add lender key "$(lender superdev key)" address lender
	lender sh -c "superdev peer add home key $home_key address home; superdev peer set home transport clear"
	home superdev peer set lender transport clear
	path=$(lend_disk disk0)
	[ "$(seen)" = clear ] || fail "the lanes are not in clear"
done
no_kernel_report home lender
