#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What both peers say of encryption changes while programs of home run at the lender: these go on as they began.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"
begin_borrowed
id=$(lease_id)
home sh -c 'head -c 2000000 /dev/urandom >/tmp/bytes; printf "%s\n" "$(seq 200)" >/tmp/lines'

# transport_set KIND: at both ends, as one alone has no effect.
transport_set() {
	home superdev peer set lender transport "$1"
	lender superdev peer set home transport "$1"
	eventually 30 "the lender is there" is home "peer list" 'x[0]["state"]' online
}

# seen WORD: whether the word crosses the wire in clear while a program at the lender writes it to a pipe.
seen() {
	home python3 - "$1" $DEPUTY --lease "$id" -- /bin/sh sh -c "for i in \$(seq 50); do echo $1; done; echo up; read x" <<'P'
import socket, subprocess, sys, time
word = sys.argv[1].encode()
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
SO_RCVBUFFORCE = 33
s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
program = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
said = b""
while not said.endswith(b"up\n"):
    more = program.stdout.read1(65536)
    assert more, "the program ended early"
    said += more
assert said.count(word) == 50, said
s.setblocking(False)
# Of the image, too, which has the script: only what came from the lender is looked at.
found = packets = 0
while True:
    try:
        packet, address = s.recvfrom(65536)
    except BlockingIOError:
        break
    if address[2] == socket.PACKET_OUTGOING:
        continue
    packets += 1
    found |= word in packet
assert packets > 10, "the capture saw too little: %d" % packets
program.communicate(b"\n")
assert program.returncode == 0, program.returncode
print("clear" if found else "hidden")
P
}
is_seen() { [ "$(seen attackatdawn)" = "$1" ]; }

# What a program does on its descriptors and on files that it opens by path, in two parts.
# shellcheck disable=SC2016 # for the shell there
script='exec 3</tmp/lines 4>/tmp/of.written
for i in $(seq 100); do read x <&3; echo "$x" >&4; read y; echo "$y"; done
echo half >&2
until test -e /tmp/of.on; do sleep 0.2; done
for i in $(seq 100); do read x <&3; echo "$x" >&4; read y; echo "$y"; done
cat /tmp/bytes >/tmp/of.bytes; echo whole >&2'
home tee /tmp/steps.sh <<<"$script" >/dev/null
half_way() {
	home rm -f /tmp/of.on /tmp/of.written /tmp/of.bytes
	in_background go "$DEPUTY --lease $id -- /bin/sh sh /tmp/steps.sh </tmp/lines | cat >/tmp/of.piped"
	eventually 60 "it is half way" home grep -q half /tmp/go.err
	lender pgrep -f "^sh /tmp/steps.sh" >/dev/null || fail "it does not run there"
}
goes_on() {
	home touch /tmp/of.on
	wait_for go 60
	home sh -c 'cmp /tmp/lines /tmp/of.piped && cmp /tmp/lines /tmp/of.written && cmp /tmp/bytes /tmp/of.bytes' ||
		fail "it left something else: $(home cat /tmp/go.err)"
	[ "$(home cat /tmp/go.err | xargs)" = "half whole" ] || fail "it said $(home cat /tmp/go.err)"
}

step "encrypted at first"
is_seen hidden || fail "what programs write crosses the wire in clear"

step "both say clear while a program runs: it goes on, the next one's connection is clear"
half_way
transport_set clear
eventually 30 "programs run there" runs_there
eventually 30 "new connections are clear" is_seen clear
lender pgrep -f "^sh /tmp/steps.sh" >/dev/null || fail "it does not run any more"
goes_on

step "a build there gives the same objects over it"
home sh -c 'rm -rf /tmp/tree; mkdir -p /tmp/tree/inc && cd /tmp/tree &&
	for i in 1 2 3 4; do
		echo "int f$i(int);" >inc/f$i.h
		printf "#include <stdio.h>\n#include \"inc/f$i.h\"\nint f$i(int x)\n{\n\treturn printf(\"%%d\\\\n\", x * $i);\n}\n" >f$i.c
	done
	printf "%s\n" "OBJS := \$(patsubst %.c,%.o,\$(wildcard f*.c))" "lib.a: \$(OBJS)" "	rm -f \$@; ar rcD \$@ \$^; cp /proc/sys/kernel/random/boot_id where" "%.o: %.c" "	gcc -O2 -g -c -o \$@ \$<" "clean:" "	rm -f *.o *.a" >Makefile
	make -s && sha256sum f*.o lib.a >/tmp/local.sums && make -s clean'
home sh -c 'cd /tmp/tree && superdev run on lender make -s -j2 && sha256sum -c --quiet /tmp/local.sums' || fail "the objects differ"
[ "$(home cat /tmp/tree/where)" = "$(lender cat /proc/sys/kernel/random/boot_id)" ] || fail "it was built here"

step "and back"
half_way
transport_set tls
eventually 30 "programs run there" runs_there
eventually 30 "new connections are encrypted" is_seen hidden
lender pgrep -f "^sh /tmp/steps.sh" >/dev/null || fail "it does not run any more"
goes_on

step "to and fro ten times, while programs start: each runs once"
home sh -c 'rm -f /tmp/ran; touch /tmp/of.flip'
in_background flip "while test -e /tmp/of.flip; do superdev peer set lender transport clear; sleep 0.3; superdev peer set lender transport tls; sleep 0.3; done"
lender superdev peer set home transport clear
for i in $(seq 12); do
	status=0
	there /bin/sh sh -c "echo $i >>/tmp/ran; exit 9" || status=$?
	[ $status = 9 ] || fail "program $i ended with $status"
done
home rm /tmp/of.flip
wait_for flip
lender superdev peer set home transport tls
[ "$(home cat /tmp/ran | xargs)" = "$(seq 12 | xargs)" ] || fail "they ran: $(home cat /tmp/ran | xargs)"
eventually 30 "programs run there" runs_there
no_kernel_report home lender
