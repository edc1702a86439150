#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# superdev top, on a terminal and without one.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
start_clean
introduce
disk=$(lend_disk disk0)
lender superdev offer add cpu0 class cpu
eventually 20 "home sees the offer" home superdev offer show lender/cpu0
home superdev lease add lender/cpu0
# The screen of the machine that it runs on.
tmux_home() { home tmux -L top "$@"; }
screen() { tmux_home capture-pane -p -t top; }
shows() { screen | grep -Eq "$1"; }
# top_is EXPRESSION: of the object that top prints.
top_is() { [ "$(get home "top" "$1")" = True ]; }

step "without a terminal it prints one sample"
home superdev top </dev/null
home sh -c 'superdev top </dev/null | grep -Eq "^lender +online +1 +[0-9]+% +[0-9]+ "' || fail "the lender's figures are missing"
top_is '[m["name"] for m in x["machines"]]==["home","lender"] and x["machines"][0]["cpus"]==1' || fail "machines: $(home superdev -j top)"
top_is 'all(l["pauses"]==0 for l in x["leases"]) and len(x["leases"])==2' || fail "leases: $(home superdev -j top)"
refused home "'twice'" superdev top twice

step "bytes are counted while they move"
home sh -c "dd if=$disk of=/dev/null bs=64k iflag=direct count=100000 </dev/null >/dev/null 2>&1 & echo \$! >/tmp/reader"
moves() { top_is '[l for l in x["leases"] if l["offer"]=="disk0"][0]["rx_bytes_per_s"] > 100000'; }
eventually 20 "reading is seen" moves

step "on a terminal it is live"
home sh -c 'TERM=xterm tmux -L top -f /dev/null new-session -d -s top -x 130 -y 30 "superdev top; echo status \$?; sleep 1000"'
eventually 20 "machines are on the screen" shows "^lender +online"
eventually 20 "leases are on the screen" shows "^lender/disk0 +blk +active +.*[kM]i?B/s"
screen
home kill "$(home cat /tmp/reader)"

step "a pause is counted, however short"
scripts/lab net home lender down
eventually 40 "the lease is suspended" lease_is home disk0 suspended
eventually 5 "that is on the screen" shows "^lender/disk0 +blk +suspended .* 1, [0-9]+\.[0-9] s"
scripts/lab net home lender up
eventually 40 "the lease is active" lease_is home disk0 active
eventually 5 "that is on the screen" shows "^lender/disk0 +blk +active .* 1, [0-9]+\.[0-9] s"
screen

step "it follows the size of its terminal, and ends with q"
tmux_home resize-window -t top -x 40 -y 5
eventually 5 "it is cut" shows "^MACHINE"
tmux_home resize-window -t top -x 130 -y 30
tmux_home send-keys -t top q
eventually 10 "it has ended well" shows "^status 0"
shows "MACHINE" && fail "it left its screen behind"
tmux_home kill-server
home superdev lease del lender/cpu0
home superdev lease del lender/disk0
no_kernel_report home lender
