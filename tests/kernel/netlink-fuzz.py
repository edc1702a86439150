# SPDX-License-Identifier: GPL-2.0-or-later
#
# netlink-fuzz.py RUNS [nobody]: sends random requests to the family superdev.
# Half are well-formed with values from a small pool, so that objects come
# into being and meet; half are bent.  As nobody, no request but a look may
# succeed.  The kernel's debug options are the judge of the rest.

import random
import struct
import sys

from netlink import C, COMMANDS, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, Netlink, pack

runs, nobody = int(sys.argv[1]), len(sys.argv) > 2
random.seed(7)
requests = {name: value for name, value in COMMANDS.items() if not name.endswith("_NTF")}
assert len(requests) > 15 and requests["AGENT_GET"] == 1, requests

client = Netlink()
ASK, DUMP = NLM_F_REQUEST | NLM_F_ACK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP

NAMES = [b"a\0", b"lender\0", b"home\0", b"disk0\0", b"blk\0", b"null\0", b"a/b\0", b"..\0", b"\0", b"x" * 63 + b"\0",
         b"x" * 64 + b"\0", b"caf\xc3\xa9\0", b"a\x1b[2J\0", b"unterminated", b"/dev/vdb\0", b"127.0.0.1\0", b"no\0pe\0"]
KEYS = [bytes([i]) * 32 for i in range(4)]


def value():
    return random.choice([
        lambda: random.choice(NAMES), lambda: random.choice(NAMES), lambda: random.choice(KEYS),
        lambda: struct.pack("<I", random.choice([0, 1, 2, 3, 5, 31, 32, 1 << 31, 0xffffffff])),
        lambda: struct.pack("<Q", random.choice([0, 1, 1 << 40, (1 << 64) - 1])),
        lambda: bytes(16), lambda: b"", lambda: bytes(random.randrange(0, 600)),
        lambda: pack(random.randrange(1, 20), struct.pack("<Q", random.choice([0, 512, 4096, 1 << 63])))])()


def body():
    kinds = random.sample(range(0, 20), random.randrange(0, 9))
    data = b"".join(pack(kind, value()) for kind in kinds)
    if random.random() < 0.3 and data:
        bent = bytearray(data)
        for _ in range(random.randrange(1, 4)):
            bent[random.randrange(len(bent))] = random.randrange(256)
        data = bytes(bent)[:random.randrange(1, len(bent) + 1)]
    return data


# Well-formed ones: {command: [(attribute, values)]}.
def u32(*values):
    return [struct.pack("<I", v) for v in values]


GOOD = {
    "AGENT_BIND": [("AGENT_NAME", NAMES[:3]), ("AGENT_KEY", KEYS), ("AGENT_VERSION", NAMES[:1]), ("AGENT_PORT", [b"\1\2"])],
    "PEER_ADD": [("PEER_NAME", NAMES[:4]), ("PEER_KEY", KEYS), ("PEER_ADDRESS", [b"127.0.0.1\0"])],
    "PEER_SET": [("PEER_NAME", NAMES[:4]), ("PEER_TRANSPORT", u32(0, 1))],
    "PEER_DEL": [("PEER_NAME", NAMES[:4]), ("PEER_FORCE", [b""])],
    "PEER_REPORT": [("PEER_NAME", NAMES[:4]), ("PEER_STATE", u32(0, 1, 2, 3)), ("PEER_RTT_US", u32(7))],
    "OFFER_ADD": [("OFFER_NAME", NAMES[:4]), ("OFFER_CLASS", [b"blk\0", b"null\0", b"cpu\0"]), ("OFFER_PATH", [b"/dev/vdb\0"]),
                  ("OFFER_CPUS", u32(0, 4, 0xffffffff)), ("OFFER_MEMORY", [b"\xff" * 8])],
    "OFFER_DEL": [("OFFER_NAME", NAMES[:4]), ("OFFER_FORCE", [b""])],
    "OFFER_REPORT": [("OFFER_PEER", NAMES[:3]), ("OFFER_NAME", NAMES[:4]), ("OFFER_CLASS", [b"blk\0", b"null\0"]),
                     ("OFFER_STATE", u32(0, 1, 2, 3))],
    "LEASE_ADD": [("LEASE_PEER", NAMES[:3]), ("LEASE_OFFER", NAMES[:4])],
    "LEASE_DEL": [("LEASE_PEER", NAMES[:3]), ("LEASE_OFFER", NAMES[:4]), ("LEASE_FORCE", [b""])],
    "LEASE_REPORT": [("LEASE_ID", u32(1, 2, 3)), ("LEASE_STATE", u32(*range(8))), ("LEASE_CLASS", [b"blk\0", b"null\0"]),
                     ("LEASE_NUMBER", [struct.pack("<Q", 9)]), ("LEASE_EPOCH", u32(1, 2)),
                     ("LEASE_CONFIG", [pack(1, struct.pack("<Q", 1 << 20)), b"", bytes(600)])],
    "LANE_ADD": [("LANE_LEASE", u32(1, 2, 3)), ("LANE_INDEX", u32(0, 1, 99)), ("LANE_EPOCH", u32(1, 2)),
                 ("LANE_FD", u32(0, 1, client.socket.fileno(), 999)), ("LANE_TRANSPORT", u32(0, 1))],
    "LANE_DEL": [("LANE_LEASE", u32(1, 2, 3)), ("LANE_INDEX", u32(0, 1))],
    "POLICY_TRY": [("POLICY_PATH", [b"/bin/sh\0", b"/\0", b"/nosuch\0"]), ("POLICY_CLASS", [b"cpu\0", b"null\0"]),
                   ("POLICY_PID", u32(1, 0, 0xffffffff))],
    "POLICY_DEL": [],
    "SPREAD_ADD": [("SPREAD_CGROUP", [b"/\0", b"/none\0", b"none\0", b"/fuzz\0", b"/cgroup.procs\0", b"/" + b"x" * 1022 + b"\0"])],
    "SPREAD_DEL": [("SPREAD_CGROUP", [b"/\0", b"/none\0", b"/fuzz\0"])],
    "TASK_GET": [("TASK_PID", u32(1, 0, 0xffffffff))],
    "DECISION_GET": [("TASK_PID", u32(1, 0, 0xffffffff))],
    "TASK_ADD": [("TASK_PROGRAM", [b"/bin/sh\0"]), ("TASK_LEASE", u32(0, 1, 2, 3))],
}


def good(name):
    return b"".join(pack(C["A_" + kind], random.choice(values))
                    for kind, values in GOOD[name] if random.random() < 0.9)


succeeded, refused, silent = {}, 0, 0
for _ in range(runs):
    if random.random() < 0.5:
        name = random.choice(list(GOOD))
        command, data, flags = requests[name], good(name), ASK
    else:
        name, command = random.choice(list(requests.items()))
        data, flags = body(), random.choice([ASK, ASK, DUMP])
    error, text, _ = client.transact(client.family, command, data, flags)
    if error:
        refused += 1
        # Without a handler or a permission, the kernel's generic part refuses before us.
        silent += text is None and error not in (-95, -1)
        assert not nobody or error, name
    else:
        succeeded[name] = succeeded.get(name, 0) + 1
        assert not nobody or "GET" in name or flags & NLM_F_DUMP, f"nobody may {name}"

for name in ("PEER_GET", "OFFER_GET", "LEASE_GET", "LANE_GET"):
    client.dump(name)
if not nobody:
    assert sum(succeeded.values()) > runs // 50, succeeded
    assert {"PEER_ADD", "OFFER_ADD", "AGENT_BIND", "POLICY_TRY"} <= set(succeeded), succeeded
    assert silent == 0, f"{silent} of {refused} refusals came without a text"
print(f"{runs} requests: {sum(succeeded.values())} carried out, {refused} refused, none worse")
