#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two machines pair when people on both sides agree to the same code, and not otherwise.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
start_clean

pending_code() { get "$1" "peer list" "([p.get(\"code\") or \"\" for p in x if p[\"trust\"]==\"pending\"] or [\"\"])[0]"; }
has_code() { [ -n "$(pending_code "$1")" ]; }

step "home asks, a person at each side compares"
home sh -c 'rm -f /tmp/answer; mkfifo /tmp/answer; (exec superdev peer pair lender </tmp/answer >/tmp/pair.out 2>&1) & echo $! >/tmp/pair.pid; exec 3>/tmp/answer; sleep 60 >&3 & echo $! >/tmp/hold.pid' &
eventually 20 "home has a code" has_code home
eventually 20 "lender has a code" has_code lender
code=$(pending_code home)
[ "$code" = "$(pending_code lender)" ] || fail "codes differ: '$code' and '$(pending_code lender)'"
home grep -q "$code" /tmp/pair.out || fail "the person at home is not shown the code"

step "a wrong code is refused at the lender, the right one accepted"
asked_by=$(get lender "peer list" 'x[0]["name"]')
wrong=$(printf '%s' "$code" | tr 0123456789 1234567890)
refused lender code superdev peer trust "$asked_by" "$wrong"
lender superdev peer trust "$asked_by" "$code"
home sh -c 'echo y >/tmp/answer'
eventually 20 "home trusts lender" is home "peer list" 'x[0]["trust"]' trusted
eventually 20 "home sees lender online" is home "peer list" 'x[0]["state"]' online
home sh -c 'kill $(cat /tmp/hold.pid)'

step "the keys are each other's"
[ "$(get home "peer list" 'x[0]["key"]')" = "$(lender superdev key)" ] || fail "home pinned a wrong key"
[ "$(get lender "peer list" 'x[0]["key"]')" = "$(home superdev key)" ] || fail "lender pinned a wrong key"

step "saying no leaves nothing"
clean home lender
home sh -c 'rm -f /tmp/answer; mkfifo /tmp/answer; (exec superdev peer pair lender </tmp/answer >/tmp/pair.out 2>&1) & exec 3>/tmp/answer; sleep 60 >&3 & echo $! >/tmp/hold.pid' &
eventually 20 "home has a code again" has_code home
home sh -c 'echo n >/tmp/answer; kill $(cat /tmp/hold.pid)'
eventually 20 "home forgot" is home "peer list" 'len(x)' 0

step "the wrong key at the other end is refused and said so"
clean home lender
# Not home's, but a key: of the last characters only some are possible.
wrong_key=$(home superdev key)
wrong_key=$(printf '%s' "${wrong_key:0:40}" | tr 'A-Ma-m' 'N-Zn-z')${wrong_key:40}
lender superdev peer add home key "$(home superdev key)"
home superdev peer add lender key "$wrong_key" address lender
eventually 20 "the peer is refused" is home "peer list" 'x[0]["state"]' refused
home superdev peer list
wait
no_kernel_report home lender
