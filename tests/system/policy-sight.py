# SPDX-License-Identifier: GPL-2.0-or-later
#
# policy-sight.py: in a network namespace of its own, is the agent of a machine
# that holds a lease of class cpu, and has the policy "witness", which must be
# attached, tell what it sees; then who watches hears of policies.

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../kernel"))
from netlink import C, Netlink, Refused, Watch  # noqa: E402

outside, watch = Netlink(), Watch()
os.unshare(os.CLONE_NEWNET)
agent, deaf = Netlink(), Watch()


def sight(client, **values):
    answer = client.do("POLICY_TRY", path="/bin/true", **values)
    assert answer["name"] == "witness" and "lease" not in answer, answer
    return answer["why"]


def expect(what, saw, want):
    assert want in saw, f"{what}: {saw!r} lacks {want!r}"
    print(f"ok: {what}: {saw}")


agent.do("AGENT_BIND", name="home", key=b"h" * 32)
agent.do("PEER_ADD", name="lender", key=b"l" * 32)
agent.do("PEER_REPORT", name="lender", state=C["PEER_STATE_ONLINE"], rtt_us=250)
agent.do("OFFER_REPORT", peer="lender", name="cpu0", class_="cpu", state=C["OFFER_STATE_READY"],
         property=[{"name": "cpus", "value": "16", "time": 1},
                   {"name": "load", "value": "3.257", "time": 2},
                   {"name": "colour", "value": "green"}])
expect("a machine that holds no lease is shown none", sight(agent, class_="cpu"), "runs=")

lease = agent.do("LEASE_ADD", peer="lender", offer="cpu0")["id"]
expect("a lease that is not granted is not shown", sight(agent, class_="cpu"), "runs=")
agent.do("LEASE_REPORT", id=lease, state=C["LEASE_STATE_GRANTED"], number=1, epoch=1, class_="cpu")
expect("a lease is shown with its peer's round trip and its offer's properties", sight(agent, class_="cpu"),
       f"cpu0 state={C['LEASE_STATE_GRANTED']} lanes=0 rtt=250 cpus=16 load=325")
expect("a lease of another class is not shown", sight(agent, class_="blk"), "runs=")
expect("nor is one of another namespace", sight(outside, class_="cpu"), "runs=")
expect("but of the one where the process is that would start it",
       sight(outside, class_="cpu", pid=os.getpid()), "cpu0 state=")

for load in ("x", "", ".", "1.2.3", "-1", "99999999999"):
    try:
        agent.do("OFFER_REPORT", peer="lender", name="cpu0", property=[{"name": "load", "value": load}])
    except Refused as refused:
        print(f"ok: a load of {load!r} is refused: {refused}")
        continue
    expect(f"a load of {load!r} is none", sight(agent, class_="cpu"), "load=4294967295")

os.nice(7)
expect("the process that would start it is seen", sight(outside, class_="blk", pid=os.getpid()), "uid=0 nice=7")
for _ in range(3):
    saw = sight(agent, class_="blk")
expect("what was measured is remembered", saw, "wall=4000 /bin/true")
assert int(saw.split("runs=")[1].split()[0]) >= 10, saw

for values, why in (({"class_": "cpu", "pid": 4194305}, "no process"), ({"class_": "a/b"}, "letters"),
                    ({"class_": "cpu", "pid": 0}, "no process"), ({}, "missing")):
    try:
        agent.do("POLICY_TRY", path="/bin/true", **values)
    except Refused as refused:
        expect(f"{values} is refused", str(refused), why)
        continue
    raise AssertionError(f"{values} was not refused")

watch.heard(), deaf.heard()
for file in ("/usr/lib/superdev/policy/fastest.bpf.o", "/tmp/policy/witness.bpf.o"):
    subprocess.run(["superdev", "policy", "load", file], check=True)
heard = [(name, values["name"]) for name, values in watch.heard()]
assert heard == [("POLICY_NTF", "fastest"), ("POLICY_NTF", "witness")], heard
assert not deaf.heard()
print("ok: who watches the machine hears of policies, who watches another namespace does not")
