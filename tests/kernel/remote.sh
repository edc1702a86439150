#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Remote files: each operation, signals and death, hostile workers, and real programs whose descriptors are elsewhere.
CPUS=${CPUS:-2}
programs=(remote-ops remote-signals remote-ready remote-locks remote-hostile)
if [ -z "${UM_LIB:-}" ]; then
	(cd "$(dirname "$0")/../.." &&
		scripts/lab root -- make --no-print-directory "${programs[@]/#/build/obj/tests/kernel/}" \
			build/obj/tests/kernel/remote-double >&2) || exit 1
fi
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"
bin=/src/build/obj/tests/kernel
um_load superdev_cpu
failed=0

# expect SENTENCE COMMAND…: a case.
expect() {
	if "${@:2}"; then
		echo "ok remote: $1"
	else
		echo "not ok remote: $1 (status $?)"
		failed=1
	fi
}
remote() { "$bin/remote-double" pipes "$@"; }

for program in "${programs[@]}"; do
	step "$program"
	"$bin/$program" || failed=1
done

step "programs whose files and pipes are remote"
head -c 3000000 /dev/urandom >/tmp/data
file_to_file() { remote cat </tmp/data >/tmp/copy && cmp /tmp/data /tmp/copy; }
expect "cat copies a file into a file" file_to_file
pipe_to_pipe() { cmp /tmp/data <(cat /tmp/data | remote cat | cat); }
expect "cat copies a pipe into a pipe" pipe_to_pipe
position() {
	local begun=0 rest
	{
		remote dd bs=1000 count=1 status=none >/tmp/begun || begun=1
		cat >/tmp/rest
	} </tmp/data
	rest=$(stat -c %s /tmp/rest)
	[ $begun = 0 ] && [ "$rest" = 2999000 ] && cat /tmp/begun /tmp/rest | cmp - /tmp/data
}
expect "the position of a file is one for both machines" position
append() {
	rm -f /tmp/log
	for writer in 1 2 3; do
		remote sh -c "for i in 1 2 3 4 5 6 7 8 9; do echo $writer; done" >>/tmp/log &
	done
	wait
	[ "$(sort /tmp/log | uniq -c | awk '{ print $1 }' | xargs)" = "9 9 9" ]
}
expect "what is appended from several sides is all there" append
broken() {
	local status
	remote yes | head -n 1 >/dev/null
	status=("${PIPESTATUS[@]}")
	[ "${status[0]}" = 141 ]
}
expect "yes ends by SIGPIPE when nobody reads" broken
again() { [ "$(echo in | remote sh -c 'cat </dev/stdin >/dev/stdout')" = in ]; }
expect "/dev/stdin and /dev/stdout are opened once more" again
truncated() {
	echo "what was there" >/tmp/short
	remote sh -c 'echo new >/dev/stdout' 1<>/tmp/short
	[ "$(cat /tmp/short)" = new ]
}
expect "a file that is opened once more to be written anew is cut short" truncated
python() {
	echo one | remote python3 -c '
import os, select, sys
select.select([0], [], [])
assert sys.stdin.readline() == "one\n" and sys.stdin.read() == ""
poll = select.epoll()
poll.register(0, select.EPOLLIN)
assert poll.poll(20)[0][0] == 0
' | cat
	[ "${PIPESTATUS[1]}" = 0 ]
}
expect "select and epoll see data and the end of a pipe" python
speed() {
	local begin=${EPOCHREALTIME/[.,]/} took
	head -c 64M /dev/zero | remote cat | cmp -n 67108864 - /dev/zero || return
	took=$((${EPOCHREALTIME/[.,]/} - begin))
	echo "64 MiB in and out by pipes in $((took / 1000)) ms"
}
expect "64 MiB go through" speed

step "programs on a remote terminal"
python3 /src/tests/kernel/remote-tty.py "$bin/remote-double" || failed=1

step "allocations of the module fail"
copies() {
	local round
	for round in 1 2 3 4 5 6 7 8 9 10 11 12; do
		echo "round $round" | remote sh -c 'cat; cat </dev/stdin; echo done >/dev/stderr' || true # refused: fine
	done
	remote dd bs=10000 status=none <"/tmp/data" >/tmp/copy || true
}
um_failslab superdev_cpu 30 200 -- copies >/tmp/copies.out 2>&1 || true # the status is the last command's
[ "$UM_FAILED" -gt 0 ] || um_fail "no allocation was made to fail"
echo "$UM_FAILED allocations failed"
expect "with memory back, all is well" file_to_file

step "copies from and to programs fail"
um_inject fail_usercopy superdev_cpu 10 300 -- copies >/tmp/copies.out 2>&1 || true # as above
[ "$UM_FAILED" -gt 0 ] || um_fail "no copy was made to fail"
echo "$UM_FAILED copies failed"
expect "with copies as they were, all is well" file_to_file

no_lost_locks() { ! dmesg | grep -i "leaked.*lock"; }
expect "no lock outlived its file" no_lost_locks

um_unload superdev_cpu
step "unloaded, nothing left"
exit $failed
