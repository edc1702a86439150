#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs of home run at a lender, through both agents: what they see and leave, and who may.
. "$(dirname "$0")/lib.sh"
start_clean
introduce
borrow_processors
id=$(lease_id)

step "a program runs there, and sees home"
[ "$(where)" = lender ] || fail "it ran here"
[ "$(there /bin/hostname hostname)" = home ] || fail "another host name"
[ "$(there /bin/pwd pwd)" = /root ] || fail "another directory"
[ "$(there /usr/bin/id id)" = "$(home id)" ] || fail "another user"
home sh -c "echo of home >/etc/of_home"
[ "$(there /bin/cat cat /etc/of_home)" = "of home" ] || fail "another file"
refused home "No such file" $DEPUTY --lease "$id" -- /bin/cat cat /nothing

step "streams, statuses and signals"
[ "$(echo abc | there /usr/bin/tr tr a-z A-Z)" = ABC ] || fail "a pipe"
head -c 300000 /dev/urandom >/tmp/run.$$
[ "$(there /usr/bin/md5sum md5sum </tmp/run.$$)" = "$(md5sum </tmp/run.$$)" ] || fail "300 kB do not come through"
rm /tmp/run.$$
[ "$(there /bin/sh sh -c 'echo out; echo err >&2' 2>/dev/null)" = out ] || fail "two streams are one"
for want in 0 1 7 255; do
	got=0
	there /bin/sh sh -c "exit $want" || got=$?
	[ $got = $want ] || fail "status $got instead of $want"
done
in_background sig "$DEPUTY --lease $id -- /bin/sh sh -c 'trap \"echo caught; exit 3\" USR1; echo up; while :; do sleep 0.1; done'"
eventually 20 "it is up" home grep up /tmp/sig.out
home pkill -USR1 -f "^$DEPUTY.*caught"
wait_for sig
[ "$(status_of sig)" = 3 ] || fail "a caught signal: $(status_of sig)"
home grep caught /tmp/sig.out
in_background sig "$DEPUTY --lease $id -- /bin/sleep sleep 1000"
eventually 20 "it runs there" lender pgrep -f "^sleep 1000"
home pkill -TERM -x sleep
wait_for sig
[ "$(status_of sig)" = 143 ] || fail "SIGTERM ends it with $(status_of sig)"
eventually 10 "it is gone there" lender sh -c '! pgrep -f "^sleep 1000"'

step "what it writes is at home, its owner's; what home writes is seen by the next one"
there /bin/sh sh -c 'echo written there >/tmp/by_root; umask 077; mkdir -p /tmp/dir; echo x >/tmp/dir/x'
[ "$(home cat /tmp/by_root)" = "written there" ] || fail "the file has other contents"
[ "$(home stat -c %u:%g:%a /tmp/by_root /tmp/dir /tmp/dir/x | xargs)" = "0:0:644 0:0:700 0:0:600" ] || fail "owner or mode"
for i in 1 2 3 4 5 6 7 8 9 10; do
	home sh -c "echo $i >/tmp/turn; echo $i >/tmp/turn.$i"
	[ "$(there /bin/cat cat /tmp/turn /tmp/turn.$i | xargs)" = "$i $i" ] || fail "turn $i is not seen"
	home rm /tmp/turn.$i
	[ "$(there /bin/sh sh -c "test -e /tmp/turn.$i || echo gone")" = gone ] || fail "turn $i is still seen"
done

step "an ordinary user may, and has that user's rights"
home sh -c 'echo secret >/root/secret; chmod 600 /root/secret; chmod 755 /root; install -d -o 1000 -g 1000 /tmp/mine'
[ "$(user /bin/cat cat /proc/cmdline | name_of_machine)" = lender ] || fail "it ran here"
[ "$(user /usr/bin/id id -u)" = 1000 ] || fail "another user"
refused home "Permission denied" setpriv --reuid 1000 --regid 1000 --clear-groups $DEPUTY --lease "$id" -- /bin/cat cat /root/secret
refused home "Permission denied" setpriv --reuid 1000 --regid 1000 --clear-groups $DEPUTY --lease "$id" -- /usr/bin/touch touch /etc/by_user
user /bin/sh sh -c 'echo mine >/tmp/mine/file; ln -s file /tmp/mine/link; chmod 640 /tmp/mine/file'
[ "$(home stat -c %u:%g:%a /tmp/mine/file)" = 1000:1000:640 ] || fail "the user's file"
[ "$(user /usr/bin/stat stat -c %u:%g /tmp/mine/file /etc/passwd | xargs)" = "1000:1000 0:0" ] || fail "owners as seen there"
home sh -c 'for p in $(pgrep -x superdev-homefs); do grep -E "^(Uid|CapEff|NoNewPrivs)" /proc/$p/status; done | sort | uniq -c'
home sh -c 'p=$(pgrep -u 1000 -x superdev-homefs); grep -q "^CapEff:.0*$" /proc/$p/status && grep -q "^CapBnd:.00000000000001[0-9a-f]*$" /proc/$p/status; grep Cap /proc/$p/status'
lender sh -c 'for p in $(pgrep -x superdev-homefs); do grep -q "^CapEff:.0*$" /proc/$p/status || exit 1; done' || fail "what mounts has privileges"

step "a lease shows the files that it is told to show, and no others"
refused home "not absolute" superdev lease set lender/cpu paths tmp
refused home "not absolute paths" superdev lease set lender/cpu paths /usr:tmp
refused home "no such lease" superdev lease set lender/nothing paths /usr
home superdev lease set lender/cpu paths /usr:/lib:/lib64:/bin:/etc:/tmp/mine
home superdev lease show lender/cpu | grep -x "paths  */usr:/lib:/lib64:/bin:/etc:/tmp/mine"
home superdev save | grep "^lease add lender/cpu paths /usr:/lib:/lib64:/bin:/etc:/tmp/mine timeout 0$"
is home "lease list" 'x[0]["paths"]' /usr:/lib:/lib64:/bin:/etc:/tmp/mine || fail "the registry has other paths"
in_tmp() { home sh -c "cd /etc; SUPERDEV_VERBOSE=1 $DEPUTY --lease $id -- /bin/ls ls $*"; }
[ "$(in_tmp /tmp | xargs)" = mine ] || fail "more than the path is shown: $(in_tmp /tmp)"
[ "$(in_tmp /tmp/mine | xargs)" = "file link" ] || fail "the path itself is not shown"
home superdev lease set lender/cpu paths all
in_tmp /tmp | grep -x by_root || fail "not all is shown again"

step "a C project is compiled there to the same bytes"
home sh -c '
	rm -rf /tmp/tree; mkdir -p /tmp/tree/inc; cd /tmp/tree
	for i in 1 2 3; do
		echo "int f$i(int);" >inc/f$i.h
		printf "#include <stdio.h>\n#include \"inc/f$i.h\"\nint f$i(int x)\n{\n\treturn printf(\"%%d\\\\n\", x * $i);\n}\n" >f$i.c
		gcc -O2 -g -Wall -c -o local$i.o f$i.c || exit 1
	done'
for i in 1 2 3; do
	home sh -c "cd /tmp/tree && SUPERDEV_VERBOSE=1 $DEPUTY --lease $id -- /usr/bin/gcc gcc -O2 -g -Wall -c -o there$i.o f$i.c && cmp local$i.o there$i.o" ||
		fail "object $i differs"
done

step "who is confined runs it here, and is given no rights by way of the lender"
confined() {
	local why=$1 said
	shift
	said=$(home sh -c "$* env SUPERDEV_VERBOSE=1 $DEPUTY --lease $id -- /bin/cat cat /proc/cmdline 2>&1")
	case $said in
	*"runs here: "*"$why"*lab.name=home*) ;;
	*) fail "confined by $*: $said" ;;
	esac
}
confined "in a sandbox" setpriv --no-new-privs
confined "other mounts" unshare -m
confined "another user namespace" unshare -Ur
confined "root without all rights" setpriv --bounding-set -dac_override
confined "more than 64 groups" "setpriv --groups \$(seq -s, 100 200)"

step "files are served with the groups of the very process"
home sh -c 'echo secret >/srv/of_group && chgrp 2000 /srv/of_group && chmod 640 /srv/of_group && mkdir -p /srv/open && chmod 777 /srv/open'
of_group() { home setpriv --reuid 1000 "$@" env SUPERDEV_VERBOSE=1 $DEPUTY --lease "$id" -- /bin/cat cat /srv/of_group; }
[ "$(of_group --regid 1000 --groups 2000)" = secret ] || fail "a member of the group can't read it"
of_group --regid 1000 --clear-groups 2>/tmp/run.$$ && fail "who has left the group reads it"
grep -q "Permission denied" /tmp/run.$$ || { cat /tmp/run.$$; fail "it failed in another way"; }
home setpriv --reuid 1000 --regid 2000 --clear-groups $DEPUTY --lease "$id" -- /usr/bin/touch touch /srv/open/file
[ "$(home stat -c %u:%g /srv/open/file)" = 1000:2000 ] || fail "the file is of $(home stat -c %u:%g /srv/open/file)"

step "what it used there is on its parent's account, and is seen meanwhile"
home tee /tmp/spin.py >/dev/null <<'P'
import sys, time
while time.process_time() < float(sys.argv[1]):
	sum(range(100000))
P
# real, user, system: of a program that has nothing but its processor to wait for.
times=$(home bash -c 'TIMEFORMAT="%R %U %S"; time superdev run on lender python3 /tmp/spin.py 5' 2>&1)
echo "real, user and system time: $times"
python3 - "$times" <<'P' || fail "the shell's time is another: $times"
import sys
real, user, system = map(float, sys.argv[1].split())
assert 4 < user and 5 <= user + system <= real + 0.5 and user + system < 10
P
in_background burn "superdev run on lender python3 /tmp/spin.py 20"
used_us() { get home "task list" '[t["used_us"] or 0 for t in x if t["program"].endswith("/python3")][0]'; }
is_above() { [ "$(used_us)" -gt "$1" ]; }
eventually 60 "its use is listed" is_above 0
before=$(used_us)
eventually 20 "it grows" is_above "$((before + 1000000))"
home superdev task list
wait_for burn 120
[ "$(status_of burn)" = 0 ] || fail "it ended with $(status_of burn)"

step "asked for what is not there, it runs here and says why"
for bad in 4711 0x7fffffff; do
	home sh -c "$DEPUTY --verbose --lease $bad -- /bin/cat cat /proc/cmdline 2>&1" >/tmp/run.$$
	grep "runs here: no lease" /tmp/run.$$ && grep -q lab.name=home /tmp/run.$$ || { cat /tmp/run.$$; fail "lease $bad"; }
done
home python3 - <<'P'
import socket, struct
def ask(data):
	s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
	s.connect("/run/superdev/task.sock")
	s.settimeout(20)
	s.send(data)
	return s.recv(1000)
for data in (b"x", b"", struct.pack("IIQ", 2, 1, 0), struct.pack("IIQ", 1, 0, 0), struct.pack("IIQ", 1, 1, 1), b"y" * 1000):
	if data:
		answer = ask(data)
		assert struct.unpack_from("II", answer)[1], (data, answer)
		print(answer[24:].split(b"\0")[0].decode())
crowd = []
for i in range(600):
	s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
	s.connect("/run/superdev/task.sock")
	crowd.append(s)
P
[ "$(where)" = lender ] || fail "not there after a crowd"
no_kernel_report home lender
