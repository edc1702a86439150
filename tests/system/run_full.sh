#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A disk at home that is full, and a lender without processes or memory left: programs are told as they are here, or run here.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
start_clean
introduce
lender superdev offer add cpu class cpu cpus 1 memory 192M
eventually 20 "home sees the offer" home superdev offer show lender/cpu
home superdev lease add lender/cpu
id=$(lease_id)
[ "$(where)" = lender ] || fail "it ran here"
scripts/lab put home tests/system/full.py /tmp/full.py
home sh -c 'head -c 12000000 /dev/urandom >/tmp/big'
home modprobe loop

# small [OPTION…]: another empty file system at home, of 8 MiB, in $dir: what serves home's files may have the last one open.
nr=0
small() {
	nr=$((nr + 1))
	dir=/mnt/t$nr
	# shellcheck disable=SC2016 # for the inner shell
	home sh -c 'rm -f /tmp/disk; dir=$1; shift; truncate -s 8M /tmp/disk && mkfs.ext4 -q -F -b 4096 "$@" /tmp/disk &&
		mkdir -p "$dir" && mount -o loop /tmp/disk "$dir"' sh "$dir" "$@"
}
says_full() { grep -q "No space left on device" <<<"$1"; }
# both COMMAND: here, then there, each on an empty file system; it has the same status, and gives the same reason.
both() {
	local here there here_status=0 there_status=0
	small
	here=$(home env "dir=$dir" sh -c "$1" 2>&1) || here_status=$?
	small
	there=$(there /usr/bin/env env "dir=$dir" sh -c "$1" 2>&1) || there_status=$?
	echo "'$1': status $here_status: ${here##*$'\n'}; there: ${there##*$'\n'}"
	[ $here_status = $there_status ] && { ! says_full "$here" || says_full "$there"; } ||
		fail "there it has status $there_status: $there"
}

step "a file that is opened by path: the program is told in time, what fits is there"
small
[ "$(home python3 /tmp/full.py "$dir" path)" = "True True" ] || fail "here it is different"
for _ in 1 2 3; do
	small
	said=$(there /usr/bin/python3 python3 /tmp/full.py "$dir" path)
	[ "$said" = "True True" ] || fail "there: $said"
	[ "$(home df --output=avail "$dir" | tail -n 1)" -lt 200 ] || fail "$(home df "$dir") is not full"
done

step "one that was opened here: as here, but for the blocks that ext4 spends on where others are"
small
[ "$(home sh -c "python3 /tmp/full.py $dir descriptor 2>&1 >$dir/file")" = True ] || fail "here it is different"
size=$(home stat -c %s "$dir/file")
small
[ "$(home sh -c "$DEPUTY --lease $id -- /usr/bin/python3 python3 /tmp/full.py $dir descriptor 2>&1 >$dir/file")" = True ] ||
	fail "the program was told something else"
more=$(($(home stat -c %s "$dir/file") - size))
[ "${more#-}" -le 16384 ] || fail "$(home stat -c %s "$dir/file") bytes, here $size"

step "commands fail as they do here"
both 'cp /tmp/big $dir/file'
both 'dd if=/tmp/big of=$dir/file bs=64k conv=fsync status=none'
both 'cat /tmp/big >$dir/file'
both 'tar cf $dir/file.tar -C /tmp big'
both 'mkdir $dir/d && cp /tmp/full.py $dir/d && cat $dir/d/full.py'

step "names that have no room: as here"
small -N 64
here=$(home python3 /tmp/full.py "$dir" names)
small -N 64
[ "$(there /usr/bin/python3 python3 /tmp/full.py "$dir" names)" = "$here" ] || fail "another number of names than: $here"
echo "$here"

step "with room again, what is written is there"
home sh -c "rm -rf $dir/[0-9]*"
there /bin/cp cp /tmp/full.py "$dir/copy"
home cmp /tmp/full.py "$dir/copy"

step "a lender without processes left: what is started runs here, what runs there is told by fork()"
group=$(lender find /sys/fs/cgroup -type d -name "lease-*" | head -n 1)
home rm -f /tmp/of.on
in_background forks "$DEPUTY --lease $id -- /usr/bin/python3 python3 -c 'import os, time
print(1, flush=True)
while not os.path.exists(\"/tmp/of.on\"): time.sleep(0.1)
try:
	os.fork()
except OSError as e:
	print(e.strerror)'"
eventually 30 "it is up" home grep 1 /tmp/forks.out
lender sh -c 'cat '"$group"'/pids.current >'"$group"'/pids.max'
home touch /tmp/of.on
wait_for forks
[ "$(home cat /tmp/forks.out | xargs)" = "1 Resource temporarily unavailable" ] || fail "it was told $(home cat /tmp/forks.out)"
lender sh -c 'echo 1 >'"$group"'/pids.max'
home rm -f /tmp/ran
for i in $(seq 10); do there /bin/sh sh -c "echo $i >>/tmp/ran"; done
[ "$(home cat /tmp/ran | xargs)" = "$(seq 10 | xargs)" ] || fail "they ran: $(home cat /tmp/ran | xargs)"
[ "$(where)" = home ] || fail "it ran there"
lender sh -c 'echo 1000 >'"$group"'/pids.max'
eventually 30 "programs run there again" runs_there

step "a lender without memory left: who takes it is killed, others go on"
home rm -f /tmp/of.on
in_background other "$DEPUTY --lease $id -- /bin/sh sh -c 'echo up; until test -e /tmp/of.on; do sleep 0.2; done; exit 5'"
eventually 20 "it is up" home grep up /tmp/other.out
in_background greedy "$DEPUTY --lease $id -- /usr/bin/python3 python3 -c 'x = []
while True: x.append(bytearray(1 << 20))'"
wait_for greedy 60
[ "$(status_of greedy)" = 137 ] || fail "it ended with $(status_of greedy)"
home cat /tmp/greedy.err
home touch /tmp/of.on
wait_for other
[ "$(status_of other)" = 5 ] || fail "the other one ended with $(status_of other): $(home cat /tmp/other.err)"
eventually 30 "programs run there" runs_there
lease_is home cpu active || fail "the lease is $(lease_state home cpu)"
no_kernel_report home lender
