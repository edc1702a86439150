#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Policies in BPF: loaded, asked, swapped under load, detached when they answer nonsense.
. "$(dirname "$0")/lib.sh"
policies=/usr/lib/superdev/policy
start_clean
home sh -c 'superdev policy unload 2>/dev/null; rm -rf /tmp/policy; mkdir /tmp/policy; modprobe superdev_null'
scripts/lab root -- make -s bpf-tests
for object in build/bpf/tests/*.bpf.o; do
	scripts/lab put home "$object" "/tmp/policy/${object##*/}"
done
home mkdir -p /tmp/policy/tests/kernel /tmp/policy/tests/system /tmp/policy/uapi
for file in tests/kernel/netlink.py tests/system/policy-sight.py uapi/superdev.h; do
	scripts/lab put home "$file" "/tmp/policy/$file"
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
*"there is room here"* | *"no lender has more room"*) ;;
*) fail "it says: $(try why true)" ;;
esac

step "another one takes its place"
home superdev policy load $policies/fastest.bpf.o
[ "$(shown 'x["name"]')" = fastest ] || fail "not swapped: $(shown x)"
[ "$(shown 'x["before"]["error"]')" = "replaced by 'fastest'" ] || fail "before: $(shown x)"
[ "$(try why true)" = "no run of it was seen here yet" ] || fail "it says: $(try why true)"

step "the module stays while a policy is attached"
home lab-superdevd stop
refused home "in use" modprobe -r superdev_cpu superdev_null superdev_blk superdev
home superdev policy unload
[ "$(shown 'x["name"]')" = None ] || fail "still attached: $(shown x)"
home test ! -e /sys/fs/bpf/superdev/policy
eventually 10 "the module can be unloaded" home modprobe -r superdev_cpu superdev_null superdev_blk superdev
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

step "a policy sees the leases of the namespace that asks, its process and what was measured"
home superdev policy load /tmp/policy/witness.bpf.o
home python3 /tmp/policy/tests/system/policy-sight.py
[ "$(shown 'x["name"]')" = witness ] || fail "the witness was detached: $(shown x)"
[ "$(shown 'x["decisions"]')" = 0 ] || fail "trials were counted: $(shown x)"

step "programs are measured from exec to exit, scripts as what they are"
home sh -ec 'cd /tmp/policy; for name in first second; do cp /bin/sleep $name; done
	printf "#!/bin/sh\n/bin/sleep 0.2\n" >script; chmod +x script'
home superdev policy load $policies/fastest.bpf.o
is_measured() {
	home /tmp/policy/first 0.05
	[ "$(try why /tmp/policy/first)" != "no run of it was seen here yet" ]
}
eventually 90 "programs are measured" is_measured
[ "$(try why /tmp/policy/second)" = "no run of it was seen here yet" ] || fail "$(try why /tmp/policy/second)"
home sh -ec 'cd /tmp/policy; ./second 0.3; ./second 0.3; ./script; ./script; ./script'
home superdev policy load /tmp/policy/witness.bpf.o
# ran NAME RUNS MICROSECONDS: a file's runs, and their time, at least.
ran() {
	local why wall
	why=$(try why "/tmp/policy/$1")
	echo "$1: $why"
	wall=${why#*wall=}
	case $why in
	*" runs=$2 "*) [ "${wall%% *}" -ge "$3" ] && [ "${wall%% *}" -lt $(($3 * 30)) ] ;;
	*) false ;;
	esac
}
ran second 2 300000 || fail "second: $(try why /tmp/policy/second)"
ran script 3 200000 || fail "script: $(try why /tmp/policy/script)"
home lab-superdevd stop
home sh -c 'cp /bin/sleep /tmp/policy/third; /tmp/policy/third 0.05'
home superdev policy load $policies/fastest.bpf.o
[ "$(try why /tmp/policy/third)" = "no run of it was seen here yet" ] || fail "the meter outlives its agent"
home lab-superdevd start
home superdev policy load /tmp/policy/witness.bpf.o

introduce
step "a policy sees how a lender of processors fares"
lender superdev offer add cpu0 class cpu
eventually 20 "home sees the offer" home superdev offer show lender/cpu0
home superdev lease add lender/cpu0
sees_figures() { home superdev -j policy try true | grep -E 'cpu0 state=2 lanes=1 .*cpus=1 load=[0-9]{1,4}"'; }
eventually 10 "the policy sees a load" sees_figures
home superdev policy load /tmp/policy/witness.bpf.o
home superdev lease del lender/cpu0
lender superdev offer del cpu0

step "a lease can be picked, for its class"
lender superdev offer add null0 class null
eventually 20 "home sees the offer" home superdev offer show lender/null0
home superdev lease add lender/null0
home superdev policy load /tmp/policy/remote.bpf.o
[ "$(try offer true class null)" = null0 ] || fail "the lease was not picked: $(home superdev policy try true class null)"
home superdev policy try true class null
[ "$(try lease true)" = None ] || fail "a lease of class null was picked for class cpu"

step "local-first lends out what there is no room for, and what is worth the way"
home superdev policy load $policies/local-first.bpf.o
# Of a program that never ran here nothing is known that could speak against it.
home sh -c 'cp /bin/true /tmp/policy/fresh; for i in 1 2 3; do (while :; do :; done) </dev/null >/dev/null 2>&1 & echo $!; done >/tmp/policy/busy'
[ "$(try offer /tmp/policy/fresh class null)" = null0 ] || fail "all processors are busy: $(home superdev policy try /tmp/policy/fresh class null)"
home superdev policy try sh class null
case $(try why true class null) in
"it takes 3000 us, not worth"*) ;;
*) fail "a run needs 3 ms, a start there more: $(home superdev policy try true class null)" ;;
esac
home sh -c 'kill $(cat /tmp/policy/busy)'
# Alone: who reads a pipe may want the processor, too.
there_is_room() {
	local answer
	answer=$(home superdev policy try sh class null)
	printf '%s\n' "$answer"
	[[ $answer == *"room here"* ]]
}
eventually 20 "there is room again" there_is_room

step "fastest compares what is expected here and there"
home superdev policy load $policies/fastest.bpf.o
case $(try why true class null) in
*"us are expected here, "*" there") ;;
*) fail "it says: $(try why true class null)" ;;
esac

step "a lease that is picked and not active is not used"
home superdev policy load /tmp/policy/remote.bpf.o
home modprobe -r superdev_null
eventually 10 "the lease is suspended" lease_is home null0 suspended
case $(try why true class null) in
*"lease picked is suspended: 'lender/null0'"*) ;;
*) fail "it says: $(try why true class null)" ;;
esac
home superdev lease del lender/null0

step "who asks while policies are swapped is answered by one of them"
home superdev policy load $policies/fastest.bpf.o
home sh -c 'cat >/tmp/policy/ask.py <<"EOF"
import os, sys
sys.path.insert(0, "/tmp/policy/tests/kernel")
from netlink import Netlink
client, names = Netlink(), {}
while not os.path.exists("/tmp/policy/stop"):
    name = client.do("POLICY_TRY", path="/bin/true", class_="cpu").get("name")
    names[name] = names.get(name, 0) + 1
print(names)
sys.exit(names.keys() != {"fastest", "local-first"})
EOF
	(python3 /tmp/policy/ask.py >/tmp/policy/asked 2>&1; echo $? >/tmp/policy/status) </dev/null >/dev/null 2>&1 &'
home sh -ec 'for i in $(seq 10); do
	superdev policy load /usr/lib/superdev/policy/local-first.bpf.o
	superdev policy load /usr/lib/superdev/policy/fastest.bpf.o
done; touch /tmp/policy/stop'
eventually 20 "who asks ends" home test -e /tmp/policy/status
home cat /tmp/policy/asked
[ "$(home cat /tmp/policy/status)" = 0 ] || fail "not all were answered"

step "the example of the documentation is a policy"
mkdir -p build/doc
sed -n '/^```c$/,/^```$/p' Documentation/policy/README.md | grep -v '^```' >build/doc/first.bpf.c
scripts/lab root -- sh -ec 'clang -O2 -g -target bpf -mcpu=v3 -Iuapi -Ibpf/policy \
	-idirafter "/usr/include/$(cc -dumpmachine)" -c -o build/doc/first.bpf.o build/doc/first.bpf.c'
scripts/lab put home build/doc/first.bpf.o /tmp/policy/first.bpf.o
home superdev policy load /tmp/policy/first.bpf.o
[ "$(get home "" 'x["policy"]["name"]')" = first ] || fail "the overview does not have it"
home superdev policy load $policies/fastest.bpf.o

step "only root changes it, anybody may look"
nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
# shellcheck disable=SC2086 # the command is words
{
	refused home "not permitted" $nobody superdev policy load $policies/fastest.bpf.o
	refused home "not permitted" $nobody superdev policy unload
	refused home "not permitted" $nobody superdev policy try true
	home $nobody superdev policy show
	refused home "not permitted" $nobody unshare -rn superdev policy try true
	refused home "not permitted" $nobody unshare -rn superdev policy unload
}
[ "$(shown 'x["name"]')" = fastest ] || fail "somebody changed it: $(shown x)"

step "what can't be loaded is refused with the reason, and the policy stays"
refused home "no such file" superdev policy load /nosuch
refused home "it is no file" superdev policy load /tmp
refused home "no BPF object" superdev policy load /bin/true
refused home "no struct superdev_policy" superdev policy load /tmp/policy/outsider.bpf.o
refused home "more than one" superdev policy load /tmp/policy/twice.bpf.o
refused home "name be letters" superdev policy load /tmp/policy/badname.bpf.o
refused home "no such program" superdev policy try nosuch
refused home "no program" superdev policy try /tmp
refused home "no process 4194305" superdev policy try true pid 4194305
output=$(home superdev policy load /tmp/policy/unchecked.bpf.o 2>&1) && fail "the verifier let it pass"
printf '%s\n' "$output"
case $output in
*"the kernel refuses it"*"invalid mem access"* | *"the kernel refuses it"*"NULL check"*) ;;
*) fail "the verifier's words are missing" ;;
esac
[ "$(printf '%s\n' "$output" | wc -l)" -le 14 ] || fail "too many lines"
home superdev policy load /tmp/policy/sleepy.bpf.o 2>/dev/null && fail "it may sleep"
[ "$(shown 'x["name"]')" = fastest ] || fail "it is gone: $(shown x)"
home superdev policy | grep -q fastest || fail "policy alone does not show it"
refused home "has no command 'list'" superdev policy list

step "no other program may call the functions of policies"
output=$(home bpftool struct_ops register /tmp/policy/outsider.bpf.o 2>&1) && fail "an outsider was let in"
case $output in
*"superdev_exec_learn is not allowed"*) ;;
*) fail "it was refused for another reason: $output" ;;
esac

step "a policy that is attached by another pin is not ours to replace, but to unload"
home superdev policy load /tmp/policy/silent.bpf.o
home mv /sys/fs/bpf/superdev/policy /sys/fs/bpf/other
[ "$(shown 'x["name"]')" = silent ] || fail "not attached: $(shown x)"
refused home "another policy is attached" superdev policy load $policies/fastest.bpf.o
home superdev policy unload
[ "$(shown 'x["name"]')" = None ] || fail "still attached: $(shown x)"
home sh -c 'rm /sys/fs/bpf/other; test ! -e /sys/fs/bpf/superdev/policy'

step "when the pin goes, the policy goes"
home superdev policy load $policies/fastest.bpf.o
home rm /sys/fs/bpf/superdev/policy
eventually 10 "it is detached" home sh -c 'superdev -j policy show | grep -q "\"name\": *null"'
[ "$(shown 'x["before"]["error"]')" = "the link that attached it was closed" ] || fail "it says: $(shown x)"
no_kernel_report home
