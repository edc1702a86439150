# SPDX-License-Identifier: GPL-2.0-or-later
#
# namespace-end.py: a network namespace ends while a lease is active in it.
# A lane holds the namespace, as any socket does; so does whoever was given a
# duplicate of the lane's socket, and that one may still call into it.

import fcntl
import os
import pathlib
import socket

from cases import Cases
from netlink import C, Netlink, Pair, wait_for

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
DEVICES = pathlib.Path("/sys/bus/superdev/devices")
CLEAR = C["TRANSPORT_CLEAR"]
cases = Cases("namespace-end")


def devices():
    return list(DEVICES.iterdir())


def loopback_up():
    with socket.socket() as any_socket:
        request = b"lo".ljust(16, b"\0") + IFF_UP.to_bytes(2, "little") + bytes(14)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)


def child(give, what):
    """In a namespace of its own: an agent, a lease, a lane; then it ends with all that it has,
    but for what it gave away."""
    os.unshare(CLONE_NEWNET)
    loopback_up()
    agent, (near, far) = Netlink(), Pair().connect()
    agent.do("AGENT_BIND", name="home", key=b"h" * 32)
    assert not agent.dump("PEER_GET")  # those of other namespaces are not seen
    agent.do("PEER_ADD", name="nas", key=b"n" * 32, transport=CLEAR, address="nas")
    agent.do("PEER_REPORT", name="nas", peer_transport=CLEAR)
    agent.do("OFFER_REPORT", peer="nas", name="disk", class_="null", state=C["OFFER_STATE_READY"])
    lease = agent.do("LEASE_ADD", peer="nas", offer="disk")["id"]
    agent.do("LEASE_REPORT", id=lease, state=C["LEASE_STATE_GRANTED"], number=1, epoch=1, class_="null")
    agent.do("LANE_ADD", lease=lease, index=0, epoch=1, fd=near.fileno(), transport=CLEAR)
    assert wait_for(lambda: agent.do("LEASE_GET", id=lease)["state"] == C["LEASE_STATE_ACTIVE"])
    if what:
        socket.send_fds(give, [b"."], [(near if what == "near" else far).fileno()])
    give.sendall(b"x")
    os._exit(0)


def end_namespace(what):
    """Returns the socket that outlives the namespace's processes, or None."""
    take, give = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            child(give, what)
        finally:
            os._exit(1)
    give.close()
    kept = socket.recv_fds(take, 1, 1)[1] if what else []
    status = os.waitpid(pid, 0)[1]
    assert status == 0, f"the child ended with {status}"
    take.close()
    return socket.socket(fileno=kept[0]) if kept else None


def all_is_gone():
    return wait_for(lambda: not devices())


def use_in_vain(duplicate):
    """Every call returns; what it returns is no matter."""
    calls = 0
    for call in (lambda: duplicate.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 200),
                 lambda: duplicate.connect(("127.0.0.1", 80)), lambda: duplicate.bind(("127.0.0.1", 0)),
                 lambda: duplicate.send(b"x", socket.MSG_DONTWAIT), lambda: duplicate.listen(5),
                 duplicate.getsockname):
        try:
            call()
        except OSError:
            pass
        calls += 1
    return calls == 6


end_namespace(None)
cases.check("a namespace takes its leases along", all_is_gone(), devices())

far_end = end_namespace("far")
cases.check("a lane whose far end lives holds its namespace", len(devices()) == 1, devices())
far_end.close()
cases.check("with the far end goes the namespace", all_is_gone(), devices())

near_end = end_namespace("near")
lane_ended = wait_for(lambda: not near_end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in (1, 4, 5))
cases.check("a lane ends though its socket has a duplicate", lane_ended)
cases.check("a duplicate of a lane's socket does no harm", use_in_vain(near_end))
near_end.close()
cases.check("with the duplicate goes the namespace", all_is_gone(), devices())
cases.end()
