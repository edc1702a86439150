# SPDX-License-Identifier: GPL-2.0-or-later
#
# races.py SECONDS [unload] [HOW]: everything that can happen to leases of the
# class null happens at once, from threads that know nothing of each other; with
# "unload" the class module goes and comes too.  HOW is for the report: who runs
# this may let allocations of the core fail meanwhile.
# Whether that is survived is for the kernel's debug options to judge; here it
# counts only that each thing was done, and that all can be cleared away after.

import collections
import os
import pathlib
import random
import subprocess
import sys
import threading
import time
from errno import ENOENT, ENOMEM

from cases import Cases
from netlink import C, Netlink, Pair, Refused, wait_for

DEVICES = pathlib.Path("/sys/bus/superdev/devices")
OFFERS = ["a", "b", "c"]
CLEAR = C["TRANSPORT_CLEAR"]
STATE = {name.removeprefix("LEASE_STATE_"): value for name, value in C.items() if name.startswith("LEASE_STATE_")}

seconds, options = float(sys.argv[1]), sys.argv[2:]
how = " and ".join(["under load", *options])
cases = Cases("races")
counts = collections.Counter()
until = time.monotonic() + seconds
ends, ends_lock = [], threading.Lock()  # the lender's ends of lanes
agent, pair = Netlink(), Pair()


def attempt(what, act, *arguments, **values):
    """Refusals are part of it, answers that never come are not."""
    try:
        answer = act(*arguments, **values)
        counts[what] += 1
        return answer
    except Refused:
        counts["refused"] += 1
    return None


def report(lease, state, **values):
    return attempt(state, agent.do, "LEASE_REPORT", id=lease["id"], state=STATE[state], **values)


def add_lane(lease, index, epoch):
    try:
        near, far = pair.connect()
    except OSError:  # for want of memory
        return
    with near:
        attempt("LANE_ADD", agent.do, "LANE_ADD", lease=lease["id"], index=index, epoch=epoch, fd=near.fileno(),
                transport=CLEAR)
    with ends_lock:
        ends.append(far)


def serve(lease, chance):
    """What an agent does about a lease, and now and then what it does not."""
    state, epoch = lease["state"], lease.get("epoch", 1)
    if state == STATE["REQUESTED"]:
        report(lease, "GRANTED", number=chance.randrange(1, 99), epoch=1, class_="null", boot=b"b" * 16)
    if state <= STATE["SUSPENDED"]:
        for index in range(3):
            if chance.random() < 0.5:
                add_lane(lease, index, epoch)
        if chance.random() < 0.1:
            attempt("epoch", agent.do, "LEASE_REPORT", id=lease["id"], number=chance.randrange(1, 99), epoch=epoch + 1)
        if chance.random() < 0.05:
            attempt("LANE_DEL", agent.do, "LANE_DEL", lease=lease["id"], index=0)
        if chance.random() < 0.05:
            report(lease, chance.choice(["REVOKED", "FAILED"]), error="said so")
        if chance.random() < 0.02:
            report(lease, "GONE")
    elif state == STATE["RETURNING"]:
        report(lease, "GONE")
    elif chance.random() < 0.5:
        report(lease, "REQUESTED")


def agents(chance):
    for lease in attempt("LEASE_GET", agent.dump, "LEASE_GET") or []:
        serve(lease, chance)


def users(chance, user):
    offer = chance.choice(OFFERS)
    attempt("LEASE_ADD", user.do, "LEASE_ADD", peer="nas", offer=offer)
    time.sleep(chance.random() / 5)
    force = {"force": True} if chance.random() < 0.5 else {}
    if chance.random() < 0.7:
        attempt("LEASE_DEL", user.do, "LEASE_DEL", peer="nas", offer=offer, **force)


def readers(chance, user):
    for kind in "PEER_GET", "LEASE_GET", "LANE_GET":
        attempt("dump", user.dump, kind)
    try:
        for device in pathlib.Path("/dev").glob("superdev-null*"):
            file = os.open(device, chance.choice([os.O_RDONLY, os.O_WRONLY]) | os.O_NONBLOCK)
            time.sleep(0.02)
            os.close(file)
            counts["open"] += 1
        for device in DEVICES.iterdir():
            counts["sysfs"] += bool((device / "state").read_text())
    except OSError:
        counts["missed"] += 1


def cutters(chance):
    time.sleep(0.05)
    with ends_lock:
        while len(ends) > 6:
            ends.pop(chance.randrange(len(ends))).close()


def modules(_):
    subprocess.run(["modprobe", "superdev_null"], stderr=subprocess.DEVNULL, check=False)
    time.sleep(0.4)
    if not subprocess.run(["rmmod", "superdev_null"], stderr=subprocess.DEVNULL, check=False).returncode:
        counts["unload"] += 1


def repeat(act, seed, *arguments):
    chance = random.Random(seed)
    while time.monotonic() < until:
        try:
            act(chance, *arguments)
        except (OSError, KeyError) as error:
            # A dump that was short of memory lacks attributes, a socket a message.
            counts[f"{act.__name__}: {error}"[:60]] += 1


def insist(act, *arguments, **values):
    """Until there is memory for it."""
    while True:
        try:
            return act(*arguments, **values)
        except Refused as refusal:
            if refusal.errno != ENOMEM:
                raise


def clear_away():
    """What one agent and one user can do; then nothing may be left."""
    for lease in insist(agent.dump, "LEASE_GET"):
        try:
            insist(agent.do, "LEASE_REPORT", id=lease["id"], state=STATE["GONE"])
        except Refused as refusal:
            if refusal.errno != ENOENT:
                raise
    return not insist(agent.dump, "LEASE_GET") and not list(DEVICES.iterdir())


insist(agent.do, "AGENT_BIND", name="home", key=b"h" * 32)
insist(agent.do, "PEER_ADD", name="nas", key=b"n" * 32, transport=CLEAR, address="nas")
insist(agent.do, "PEER_REPORT", name="nas", peer_transport=CLEAR)
for offer_name in OFFERS:
    insist(agent.do, "OFFER_REPORT", peer="nas", name=offer_name, class_="null", state=C["OFFER_STATE_READY"])

work = [(agents,), (users, Netlink()), (users, Netlink()), (readers, Netlink()), (cutters,)]
if "unload" in options:
    work.append((modules,))
threads = [threading.Thread(target=repeat, args=(act, seed, *rest)) for seed, (act, *rest) in enumerate(work)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(seconds + 30)

print(dict(counts))
cases.check(f"{how}: all threads come to an end", not any(thread.is_alive() for thread in threads))
wanted = {"LEASE_ADD", "LEASE_DEL", "LANE_ADD", "GRANTED", "GONE", "dump"} | ({"unload"} & set(options))
cases.check(f"{how}: leases and lanes came and went", wanted <= set(counts), wanted - set(counts))
cases.check(f"{how}: all can be cleared away", wait_for(clear_away))
insist(agent.do, "PEER_DEL", name="nas", force=True)
cases.end()
