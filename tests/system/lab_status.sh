#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A command's status reaches whoever started it in a machine, though the keeper has closed before all was acknowledged.
# KERNELS: stable
. "$(dirname "$0")/lib.sh"

step "in the machines"
for status in 0 7 255; do
	got=0
	home sh -c "echo said; exit $status" >/dev/null || got=$?
	[ $got = $status ] || fail "a command that ended with $status is said to have ended with $got"
done

step "a keeper that hears no acknowledgement"
scripts/lab root -- python3 - build/lab/bin/client <<'P'
import os, socket, struct, subprocess, sys, tempfile
STDOUT, EXIT, STATUS = 11, 13, 42

def frame(type, data):
    return struct.pack("=IHHI", 0, type, 0, len(data)) + data

with tempfile.TemporaryDirectory() as keeper:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.join(keeper, "sock"))
    listener.listen()
    client = subprocess.Popen([os.path.abspath(sys.argv[1]), keeper, "exec", "true"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE)
    connection, _ = listener.accept()
    connection.recv(65536)
    connection.shutdown(socket.SHUT_RD)
    connection.sendall(frame(STDOUT, b"said\n"))
    # It has passed that on, and so it has tried to acknowledge it.
    assert client.stdout.readline() == b"said\n"
    try:
        client.wait(0.5)
    except subprocess.TimeoutExpired:
        connection.sendall(frame(EXIT, struct.pack("=I", STATUS)))
    assert client.wait(10) == STATUS, f"status {client.returncode} instead of {STATUS}"
P
