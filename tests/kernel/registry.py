# SPDX-License-Identifier: GPL-2.0-or-later
#
# registry.py: what the registry of the core does and refuses, case by case.
# One scenario: the groups below run in order and build on each other.  The
# peer "pal" lends; "nas" and "guest" are there to be confused with it.

import os
import pathlib
import subprocess
import time
from errno import (E2BIG, EAGAIN, EALREADY, EBADF, EBUSY, EEXIST, EINVAL, ENAMETOOLONG, ENODEV, ENOENT,
                   ENOSPC, ENOTSOCK, EPERM, ERANGE, ESTALE)

from cases import Cases
from netlink import C, Netlink, Pair, Refused, Watch, wait_for

DEVICES = pathlib.Path("/sys/bus/superdev/devices")
PEERS = 1024
KEYS = [bytes([number]) * 32 for number in range(10)]
CLEAR = C["TRANSPORT_CLEAR"]
STATE = {name.removeprefix("LEASE_STATE_"): value for name, value in C.items() if name.startswith("LEASE_STATE_")}

cases = Cases("registry")
check, refused = cases.check, cases.refused
agent, user, watch, pair = Netlink(), Netlink(), Watch(), Pair()
ends = []  # the lender's ends of all lanes: closed, a lane would end


def load(module):
    subprocess.run(["modprobe", module], check=True)


def unload(module):
    """Not modprobe -r, which takes the core along."""
    return subprocess.run(["rmmod", module], stderr=subprocess.DEVNULL, check=False).returncode == 0


def devices():
    return list(DEVICES.iterdir())


def lease(number):
    return user.do("LEASE_GET", id=number)


def lease_is(number, state):
    return lease(number)["state"] == STATE[state]


def soon(sentence, claim):
    check(sentence, wait_for(claim), "it did not come to that")


def want(offer):
    return user.do("LEASE_ADD", peer="pal", offer=offer)["id"]


def grant(lease_id, number, epoch, class_="null"):
    agent.do("LEASE_REPORT", id=lease_id, state=STATE["GRANTED"], number=number, epoch=epoch,
             class_=class_, boot=b"B" * 16)


def report(lease_id, state, **values):
    agent.do("LEASE_REPORT", id=lease_id, state=STATE[state], **values)


def lane(lease_id, index, epoch, transport=CLEAR, by=None):
    near, far = pair.connect()
    ends.append(far)
    with near:
        (by or agent).do("LANE_ADD", lease=lease_id, index=index, epoch=epoch, fd=near.fileno(), transport=transport)
    return far


def add_peer(**values):
    return user.do("PEER_ADD", **values)


def agents():
    refused("without an agent nothing can be reported", EPERM, user.do, "PEER_REPORT", name="x")
    refused("an agent needs a name", EINVAL, agent.do, "AGENT_BIND")
    agent.do("AGENT_BIND", name="home", key=KEYS[1], version="0.1", features=7, port=7338, boot=b"b" * 16)
    check("that an agent runs is told", watch.heard()[-1][0] == "AGENT_NTF")
    check("all see who the agent is", user.do("AGENT_GET")["name"] == "home")
    refused("there is one agent at most", EBUSY, user.do, "AGENT_BIND", name="home", key=KEYS[1])
    refused("only the agent reports", EPERM, user.do, "PEER_REPORT", name="x", state=2)


def names():
    for name, why in (("", "is not empty"), (".", "is not '.'"), ("..", "is not '..'"), ("a/b", "has no slash"),
                      ("-a", "does not begin with a dash"), ("_x", "does not begin with an underscore"),
                      ("a b", "has no space"), ("a\nb", "has no line end"), ("\x1b[31m", "has no escape"),
                      ("a\xff", "is ASCII"), ("a" * 64, "has 63 letters at most")):
        refused(f"a name {why}", EINVAL, add_peer, name=name, key=KEYS[2])
    refused("a peer needs a name", EINVAL, add_peer, key=KEYS[2])


def peers():
    refused("a key of 31 bytes is none", ERANGE, add_peer, name="nas", key=b"x" * 31)
    refused("a key of zeroes is none", EINVAL, add_peer, name="nas", key=bytes(32))
    refused("this machine is no peer of itself", EINVAL, add_peer, name="nas", key=KEYS[1])
    refused("a peer needs a key or an address", EINVAL, add_peer, name="nas")
    refused("an address has no space", EINVAL, add_peer, name="nas", address="a b")
    add_peer(name="nas", key=KEYS[2], address="10.0.0.2:7338")
    refused("a name is one peer's", EEXIST, add_peer, name="nas", key=KEYS[3])
    refused("a key is one peer's", EEXIST, add_peer, name="n" * 63, key=KEYS[2])
    refused("a peer that is not there can't be set", ENOENT, user.do, "PEER_SET", name="nope", transport=0)
    refused("a peer that is not there can't be got", ENOENT, user.do, "PEER_GET", name="nope")
    refused("a peer that is not there can't be removed", ENOENT, user.do, "PEER_DEL", name="nope")
    refused("to set nothing is a mistake", EINVAL, user.do, "PEER_SET", name="nas")


def pairing():
    add_peer(name="pal", address="pal")
    refused("a peer without key can't be trusted", EINVAL, user.do, "PEER_SET", name="pal", trust=1, code="1")
    agent.do("PEER_REPORT", name="pal", key=KEYS[4], code="123 456")
    refused("trust needs the code", EINVAL, user.do, "PEER_SET", name="pal", trust=1)
    refused("trust needs the right code", ESTALE, user.do, "PEER_SET", name="pal", trust=1, code="123457")
    user.do("PEER_SET", name="pal", trust=1, code="123456")
    pal = user.do("PEER_GET", name="pal")
    check("the code counts without its space, and is forgotten", pal["trust"] == 1 and "code" not in pal, pal)
    refused("a trusted key is not replaced", EPERM, agent.do, "PEER_REPORT", name="pal", key=KEYS[9], code="1")
    refused("trust is not taken back by setting it", EINVAL, user.do, "PEER_SET", name="pal", trust=0)
    refused("a state that is none is refused", ERANGE, agent.do, "PEER_REPORT", name="pal", state=9)
    agent.do("PEER_REPORT", name="pal", state=C["PEER_STATE_ONLINE"], rtt_us=100)
    watch.heard()
    agent.do("PEER_REPORT", name="pal", state=C["PEER_STATE_ONLINE"], rtt_us=100)
    check("a report of what is known is not told again", not watch.heard())
    agent.do("PEER_REPORT", name="guest", key=KEYS[5], code="1")


def offers():
    def add(**values):
        return user.do("OFFER_ADD", name="d0", **values)

    def say(**values):
        return agent.do("OFFER_REPORT", **values)

    refused("an offer needs a class", EINVAL, add)
    refused("the path of an offer is absolute", EINVAL, add, class_="blk", path="dev")
    refused("the path of an offer has no line end", EINVAL, add, class_="blk", path="/dev\n/x")
    refused("the path of an offer has a limit", ENAMETOOLONG, add, class_="blk", path="/" + "x" * 1500)
    add(class_="blk", path="/dev/vdb")
    refused("the name of an offer is one offer's", EEXIST, add, class_="blk")
    properties = [{"name": "latency", "value": "5us", "source": 1}, {"name": "where", "value": "here", "source": 0}]
    say(name="d0", state=1, size=1 << 30, property=properties)
    check("properties of an offer are kept", user.do("OFFER_GET", name="d0")["property"] == properties)
    long = [{"name": f"p{number}", "value": "v" * 255, "source": 1} for number in range(10)]
    refused("properties have a limit", E2BIG, say, name="d0", property=long)
    refused("a property is not empty", EINVAL, say, name="d0", property={})
    refused("an offer does not change its class", EINVAL, say, name="d0", class_="null")
    refused("an offer that is not there can't be reported", ENOENT, say, name="zz", state=1)
    refused("who is not trusted has no offers", EPERM, say, peer="guest", name="zz", class_="blk", state=1)
    for name in "n0", "n1", "n2":
        say(peer="pal", name=name, class_="null", state=C["OFFER_STATE_READY"])
    say(peer="pal", name="n2", state=C["OFFER_STATE_FAILED"])
    found = {offer["name"] for offer in user.dump("OFFER_GET")}
    check("a peer's offer that is no more is forgotten", found == {"d0", "n0", "n1"}, found)
    user.do("OFFER_ADD", name="c0", class_="cpu", cpus=3, memory=5 << 32)
    say(name="c0", state=1, property=[{"name": "cpus", "value": "2", "source": 0}])
    offer = user.do("OFFER_GET", name="c0")
    check("what is wanted of processors is kept, whatever is reported",
          (offer["cpus"], offer["memory"]) == (3, 5 << 32), offer)
    user.do("OFFER_DEL", name="c0")
    user.do("OFFER_ADD", name="c0", class_="cpu", cpus=0)
    offer = user.do("OFFER_GET", name="c0")
    check("what is not wanted is not told", "cpus" not in offer and "memory" not in offer, offer)
    user.do("OFFER_DEL", name="c0")


def requests():
    def add(**values):
        return user.do("LEASE_ADD", **values)

    refused("a lease needs a peer that is there", ENOENT, add, peer="nope", offer="n0")
    refused("a lease needs an offer that is there", ENOENT, add, peer="pal", offer="zz")
    refused("from who is not trusted nothing is borrowed", EPERM, add, peer="guest", offer="zz")
    refused("lanes have a limit", ERANGE, add, peer="pal", offer="n0", lanes_wanted=33)
    refused("paths are absolute", EINVAL, add, peer="pal", offer="n0", paths="usr")
    number = want("n0")
    check("a lease shows all files unless told otherwise", "paths" not in lease(number), lease(number))

    def show(**values):
        return user.do("LEASE_SET", **({"peer": "pal", "offer": "n0"} | values))

    refused("what is to be changed has to be said", EINVAL, show)
    refused("only what is held can be changed", ENOENT, show, offer="zz", paths="/usr")
    for paths in "usr", "/usr:", "/usr::/etc", ":/usr", "/usr:etc":
        refused(f"paths are absolute, with colons between them: not '{paths}'", EINVAL, show, paths=paths)
    refused("paths have a limit", EINVAL, show, paths="/" + "x" * 1023)
    show(paths="/usr:/etc")
    check("it shows what it was told to", lease(number)["paths"] == "/usr:/etc", lease(number))
    show(paths="")
    check("nothing said again is all of them", "paths" not in lease(number), lease(number))
    refused("an offer is borrowed once", EEXIST, add, peer="pal", offer="n0")
    refused("before the grant there are no lanes", ENODEV, lane, number, 0, 1)
    refused("a grant has a number and an epoch", EINVAL, report, number, "GRANTED")
    refused("active is for the kernel to say", EINVAL, report, number, "ACTIVE")
    refused("what a held lease runs is not denied anything here", EINVAL, agent.do, "LEASE_REPORT", id=number, denied=1)
    refused("a config has a limit", E2BIG, agent.do, "LEASE_REPORT", id=number, config=b"x" * 513)
    refused("zero is no number of a lease", EINVAL, agent.do, "LEASE_REPORT", id=number, number=0)
    grant(number, 77, 3)
    refused("a grant does not change the class", EINVAL, grant, number, 77, 3, "blk")
    refused("an epoch does not go back", ESTALE, grant, number, 77, 2)
    refused("another number needs another epoch", EINVAL, grant, number, 78, 3)
    check("what was granted is granted", lease_is(number, "GRANTED"), lease(number))
    return number


def lanes(number):
    def add(**values):
        return agent.do("LANE_ADD", **({"lease": number, "index": 0, "epoch": 3, "transport": CLEAR} | values))

    refused("a lane in clear needs the word of both", EPERM, lane, number, 0, 3)
    user.do("PEER_SET", name="pal", transport=CLEAR)
    refused("a lane in clear needs the peer's word too", EPERM, lane, number, 0, 3)
    agent.do("PEER_REPORT", name="pal", peer_transport=CLEAR)
    refused("a lane that is said to be encrypted is", EINVAL, lane, number, 0, 3, C["TRANSPORT_TLS"])
    refused("a lane needs a file descriptor", EBADF, add, fd=9999)
    with open("/dev/null", "rb") as null:
        refused("a lane is a socket", ENOTSOCK, add, fd=null.fileno())
        refused("the index of a lane has a limit", ERANGE, add, index=32, fd=null.fileno())
    refused("a lane is of the lease's epoch", ESTALE, lane, number, 0, 2)
    refused("only the agent makes lanes", EPERM, lane, number, 0, 3, CLEAR, user)

    first = lane(number, 0, 3)
    soon("without its class module a lease says so", lambda: "no driver" in lease(number).get("error", ""))
    check("without its class module a lease is not active", lease_is(number, "GRANTED"))
    load("superdev_null")
    soon("with module and lane a lease is active", lambda: lease_is(number, "ACTIVE"))
    check("an active lease has a device", pathlib.Path("/dev", lease(number)["device"]).exists(), lease(number))
    second = lane(number, 1, 3)
    check("lanes are counted", len(user.dump("LANE_GET")) == 2 == lease(number)["lanes"], lease(number))
    refused("an index is one lane's", EEXIST, lane, number, 1, 3)

    watch.heard()
    first.close()
    second.close()
    soon("without lanes a lease is suspended", lambda: lease_is(number, "SUSPENDED") and not lease(number)["lanes"])
    told = [name for name, _ in watch.heard()]
    check("the end of each lane is told", told.count("LANE_DOWN_NTF") == 2, told)
    lane(number, 0, 3)
    check("with a lane again a lease is active again", lease_is(number, "ACTIVE"))
    user.do("LANE_DEL", lease=number, index=0)
    check("a lane that was removed is gone", lease_is(number, "SUSPENDED"))
    refused("a lane that is gone can't be removed", ENOENT, user.do, "LANE_DEL", lease=number, index=0)

    lane(number, 0, 3)
    grant(number, 99, 4)
    now = lease(number)
    check("a new epoch ends the lanes of the old one",
          now["epoch"] == 4 and now["number"] == 99 and now["state"] == STATE["SUSPENDED"], now)
    refused("a lane of the old epoch is refused", ESTALE, lane, number, 0, 3)
    lane(number, 0, 4)
    check("a lane of the new epoch makes it active", lease_is(number, "ACTIVE"))


def class_module(number):
    unload("superdev_null")
    now = lease(number)
    check("a lease outlives its class module", now["state"] == STATE["SUSPENDED"] and "device" not in now, now)
    check("a lease without its class module says so", "unloaded" in now["error"], now)
    lane(number, 0, 4)
    check("a lane without class module makes nothing active", lease_is(number, "SUSPENDED"))
    load("superdev_null")
    soon("the class module is back and so is the device", lambda: lease_is(number, "ACTIVE"))
    check("and the error is gone", "error" not in lease(number), lease(number))


def giving_back(number):
    with open("/dev/" + lease(number)["device"], "r+b", buffering=0) as device:
        refused("a device in use is not given back", EBUSY, user.do, "LEASE_DEL", peer="pal", offer="n0")
        check("and goes on", lease_is(number, "ACTIVE"))
        user.do("LEASE_DEL", peer="pal", offer="n0", force=True)
        check("by force it is", lease_is(number, "RETURNING"), lease(number))
        refused("once is enough", EALREADY, user.do, "LEASE_DEL", peer="pal", offer="n0")
        refused("a lease that goes gets no lanes", ENODEV, lane, number, 0, 4)
        try:
            device.write(b"x")
            check("a device that is gone says ENODEV", False, "it took a byte")
        except OSError as error:
            check("a device that is gone says ENODEV", error.errno == ENODEV, error)
    soon("the device is gone", lambda: not devices())
    watch.heard()
    report(number, "GONE")
    check("that a lease is gone is told", watch.heard()[-1][0] == "LEASE_DEL_NTF")
    refused("a lease that is gone can't be got", ENOENT, lease, number)


def taking_back():
    number = want("n0")
    report(number, "FAILED", error="exclusive\x1b and taken")
    check("a lease that failed says why, without escapes", "\x1b" not in lease(number)["error"], lease(number))
    refused("what failed is not granted", EINVAL, grant, number, 5, 5)
    report(number, "REQUESTED")
    grant(number, 5, 5)
    lane(number, 0, 5)
    soon("what failed can be asked for again", lambda: lease_is(number, "ACTIVE"))
    report(number, "REVOKED", error="owner took it")
    soon("what the lender took back has no device", lambda: lease_is(number, "REVOKED") and not devices())
    refused("a peer with leases is not removed", EBUSY, user.do, "PEER_DEL", name="pal")
    return number


def lending():
    def lent(**values):
        return agent.do("LEASE_REPORT", **({"peer": "pal", "offer": "d0", "number": 1, "epoch": 1} | values))

    refused("only what is offered is lent", ENOENT, lent, offer="qq")
    refused("what is lent is not held", EINVAL, lent, role=C["ROLE_HELD"])
    number = lent(state=STATE["ACTIVE"])["id"]
    refused("what is lent is not given back from here", EPERM, user.do, "LEASE_DEL", peer="pal", offer="d0")
    refused("what is lent has no lanes here", EINVAL, lane, number, 0, 1)
    check("where no guest was denied anything, nothing is told", "denied" not in lease(number), lease(number))
    refused("what guests were denied is for the agent to say", EPERM, user.do, "LEASE_REPORT", id=number, denied=1)
    refused("and without a state", EINVAL, agent.do, "LEASE_REPORT", id=number, denied=1, state=STATE["ACTIVE"])
    watch.heard()
    agent.do("LEASE_REPORT", id=number, denied=1 << 40)
    check("what guests were denied is told of the lease", lease(number)["denied"] == 1 << 40, lease(number))
    check("but only to who asks", not watch.heard())
    agent.do("LEASE_REPORT", id=number, lanes=3)
    check("and stays when something else is said", lease(number)["denied"] == 1 << 40 and lease(number)["lanes"] == 3, lease(number))
    refused("an offer that is lent is not removed", EBUSY, user.do, "OFFER_DEL", name="d0")
    user.do("OFFER_DEL", name="d0", force=True)
    check("by force it is, and its lease revoked", lease_is(number, "REVOKED"), lease(number))
    refused("what is revoked stays so", EINVAL, agent.do, "LEASE_REPORT", id=number, state=STATE["ACTIVE"])
    refused("an offer that is going has its name", EEXIST, user.do, "OFFER_ADD", name="d0", class_="blk")
    watch.heard()
    report(number, "GONE")
    told = [name for name, _ in watch.heard()]
    check("an offer goes with its last lease", told == ["LEASE_DEL_NTF", "OFFER_DEL_NTF"], told)


def removing_a_peer(number):
    report(number, "REQUESTED")
    grant(number, 6, 6)
    lane(number, 0, 6)
    wait_for(lambda: lease_is(number, "ACTIVE"))
    with open("/dev/" + lease(number)["device"], "r+b", buffering=0):
        user.do("PEER_DEL", name="pal", force=True)
        soon("a peer goes by force with all that is his",
             lambda: not (user.dump("LEASE_GET") or user.dump("OFFER_GET") or devices()))


def without_agent():
    agent.do("PEER_REPORT", name="nas", state=C["PEER_STATE_ONLINE"])
    watch.heard()
    agent.close()
    told = watch.heard()
    check("the end of the agent is told", told and told[-1][0] == "AGENT_NTF" and not told[-1][1]["running"], told)
    check("without an agent nobody is online", user.do("PEER_GET", name="nas")["state"] != C["PEER_STATE_ONLINE"])
    refused("without an agent nobody is paired", EAGAIN, add_peer, name="pal", address="pal")
    user.do("LEASE_ADD", peer="nas", offer="n0")
    user.do("LEASE_DEL", peer="nas", offer="n0")
    check("without an agent a lease goes at once", not user.dump("LEASE_GET"))


def bounds():
    try:
        for number in range(PEERS + 9):
            add_peer(name=f"p{number}", key=number.to_bytes(4, "little") * 7 + b"more")
        check("peers have a limit", False, "there is none")
    except Refused as refusal:
        check("peers have a limit", refusal.errno == ENOSPC, refusal)
    found = {peer["name"] for peer in user.dump("PEER_GET")}
    check("a dump has all of them", len(found) == PEERS, len(found))


def nobody():
    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        other = Netlink()
        seen = len(other.dump("PEER_GET"))
        try:
            other.do("PEER_DEL", name="p2")
            os._exit(2)
        except Refused as refusal:
            os._exit(seen != PEERS or refusal.errno != EPERM)
    status = os.waitpid(child, 0)[1]
    check("nobody may look, and no more", status == 0, status)


def unloading():
    global agent
    agent = Netlink()
    agent.do("AGENT_BIND", name="home", key=KEYS[1])
    user.do("PEER_SET", name="nas", transport=CLEAR)
    agent.do("PEER_REPORT", name="nas", peer_transport=CLEAR)
    for offer in range(5):
        number = user.do("LEASE_ADD", peer="nas", offer=f"o{offer}")["id"]
        grant(number, 100 + offer, 1)
        for index in range(3):
            lane(number, index, 1)
    soon("five leases with three lanes are active", lambda: len(user.dump("LANE_GET")) == 15 and {
        one["state"] for one in user.dump("LEASE_GET")} == {STATE["ACTIVE"]})
    check("the core is not unloaded under a class", not unload("superdev"))
    check("the class is unloaded under its leases", unload("superdev_null"))
    check("the core is not unloaded under an agent", not unload("superdev"))
    agent.close()
    soon("the core is unloaded with leases and lanes", lambda: unload("superdev"))


agents()
names()
peers()
pairing()
offers()
held = requests()
lanes(held)
class_module(held)
giving_back(held)
held = taking_back()
lending()
removing_a_peer(held)
without_agent()
bounds()
nobody()
unloading()
cases.end()
