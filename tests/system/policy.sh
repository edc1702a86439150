#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Policies in BPF: loaded, asked, swapped under load, detached when they answer nonsense.
. "$(dirname "$0")/lib.sh"
policies=/usr/lib/superdev/policy
start_clean
home sh -c 'superdev policy unload 2>/dev/null; rm -rf /tmp/policy; mkdir /tmp/policy'
scripts/lab root -- make -s bpf-tests
for object in build/bpf/tests/*.bpf.o; do
	scripts/lab put home "$object" "/tmp/policy/${object##*/}"
done

# try FIELD PROGRAM…: one field of what would be decided.
try() {
	local field=$1
	shift
	get home "policy try $*" "x[\"$field\"]"
}
shown() { get home "policy show" "$1"; }

step "without a policy all work stays here"
[ "$(shown 'x["name"]')" = None ] || fail "a policy is attached: $(shown x)"
[ "$(try lease true)" = None ] || fail "the default picked a lease"
[ "$(try why true)" = "no policy is attached" ] || fail "the default says: $(try why true)"
refused home "no policy is attached" superdev policy unload

step "a policy is loaded, survives its loader, and says why"
home superdev policy load $policies/local-first.bpf.o
home superdev policy show
[ "$(shown 'x["name"]')" = local-first ] || fail "not attached: $(shown x)"
home superdev policy try true
case $(try why true) in
*"there is room here"* | *"no lender has room"*) ;;
*) fail "it says: $(try why true)" ;;
esac

step "another one takes its place"
home superdev policy load $policies/fastest.bpf.o
[ "$(shown 'x["name"]')" = fastest ] || fail "not swapped: $(shown x)"
[ "$(shown 'x["before"]["error"]')" = "replaced by 'fastest'" ] || fail "before: $(shown x)"
[ "$(try why true)" = "no run of it was seen here yet" ] || fail "it says: $(try why true)"

step "the module stays while a policy is attached"
home lab-superdevd stop
refused home "in use" modprobe -r superdev_null superdev_blk superdev
home superdev policy unload
[ "$(shown 'x["name"]')" = None ] || fail "still attached: $(shown x)"
home test ! -e /sys/fs/bpf/superdev/policy
eventually 10 "the module can be unloaded" home modprobe -r superdev_null superdev_blk superdev
home modprobe superdev
home lab-superdevd start

step "nonsense, failures and slowness end a policy, for a reason that is kept"
# ended NAME "part of the reason": whether that policy was detached for it.
ended() {
	eventually 10 "$1 is detached" home sh -c 'superdev -j policy show | grep -q "\"name\": *null"'
	case $(shown 'x["before"]["name"] + ": " + x["before"]["error"]') in
	"$1: "*"$2"*) echo "$1: $(shown 'x["before"]["error"]')" ;;
	*) fail "of $1: $(shown x)" ;;
	esac
}
home superdev policy load /tmp/policy/nonsense.bpf.o
[ "$(try lease true)" = None ] || fail "nonsense was believed"
ended nonsense "picked lease 4711"
home superdev policy load /tmp/policy/fails.bpf.o
home superdev policy try true
ended fails "failed with -5"
home superdev policy load /tmp/policy/slow.bpf.o
home sh -c 'for i in 1 2 3 4; do superdev policy try true; done'
ended slow "took"
home superdev policy load /tmp/policy/silent.bpf.o
[ "$(try why true)" = "the policy has no opinion" ] || fail "it says: $(try why true)"
home superdev policy unload
home test ! -e /sys/fs/bpf/superdev/policy
home dmesg | tail -n 3
no_kernel_report home
