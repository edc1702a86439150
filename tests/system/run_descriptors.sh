#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest's pipes and files are home's own: positions, what is not read, locks, readiness, signals.
. "$(dirname "$0")/lib.sh"
begin_borrowed
id=$(lease_id)

step "each case here and there"
scripts/lab put home tests/system/descriptors.py /tmp/descriptors.py
home env SUPERDEV_VERBOSE=1 timeout 400 python3 /tmp/descriptors.py $DEPUTY --lease "$id" -- || fail "they differ"

step "an ordinary user's, too"
home sh -c 'chmod 711 /root; cd /tmp && SUPERDEV_VERBOSE=1 setpriv --reuid 1000 --regid 1000 --clear-groups timeout 400 \
	python3 /tmp/descriptors.py "$@"' x $DEPUTY --lease "$id" -- || fail "they differ for user 1000"

step "a loop over a pipe loses no line to programs that do not read it"
[ "$(home sh -c "seq 20 | while read n; do $DEPUTY --lease $id -- /bin/echo echo \$n; done" | xargs)" = "$(seq 20 | xargs)" ] ||
	fail "lines are missing"

step "an open whose asker is killed before home's answer leaves no descriptor at home"
home tee /tmp/asks.py >/dev/null <<'P'
import os, signal, sys, time
def opens(is_killed):
	pid = os.fork()
	if not pid:
		# Of a file and of a pipe; the second is not come to before the first is answered.
		for name in ("/proc/self/fd/%d" % n for n in ((0, 1) if turn % 2 else (1, 0))):
			os.open(name, os.O_RDONLY if name.endswith("0") else os.O_WRONLY)
		os._exit(0)
	time.sleep(0.5 if is_killed else 0)
	if is_killed:
		os.kill(pid, signal.SIGKILL)
	return os.waitpid(pid, 0)[1]
for turn in range(2):
	assert opens(False) == 0
print("up", flush=True)
sys.stdin.readline()
ends = [opens(True) for turn in range(8)]
# Each of these comes after what the killed ones asked for.
for turn in range(2):
	assert opens(False) == 0
print(ends.count(signal.SIGKILL), flush=True)
sys.stdin.readline()
P
home sh -c 'rm -f /tmp/asks.fifo; mkfifo /tmp/asks.fifo; sleep 1000 >/tmp/asks.fifo & echo $! >/tmp/asks.pid'
in_background opens "$DEPUTY --lease $id -- /usr/bin/python3 python3 /tmp/asks.py </tmp/asks.fifo"
eventually 30 "it is up" home grep up /tmp/opens.out
deputy=$(home pgrep -f "^$DEPUTY.*/tmp/asks.py")
fds() { home sh -c "ls /proc/$deputy/fd | wc -l"; }
before=$(fds)
scripts/lab net home lender delay 400
home sh -c 'echo >/tmp/asks.fifo'
eventually 60 "they are killed" home grep -x '[0-9]*' /tmp/opens.out
scripts/lab net home lender clear
[ "$(home tail -n 1 /tmp/opens.out)" = 8 ] || fail "only $(home tail -n 1 /tmp/opens.out) of 8 were killed in time"
same_fds() { [ "$(fds)" = "$before" ]; }
eventually 10 "the deputy has as many descriptors as before, $before" same_fds
home sh -c 'echo >/tmp/asks.fifo; kill $(cat /tmp/asks.pid)'
wait_for opens
[ "$(status_of opens)" = 0 ] || fail "it ended with $(status_of opens): $(home cat /tmp/opens.err)"

step "nothing is left"
eventually 20 "descriptors and locks are gone with the programs" lender sh -c \
	'[ "$(ls -l /proc/*/fd 2>/dev/null | grep -c remote-)" = 0 ]'
no_kernel_report home lender
