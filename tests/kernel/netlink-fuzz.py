# SPDX-License-Identifier: GPL-2.0-or-later
#
# netlink-fuzz.py RUNS [nobody]: sends random requests to the family superdev.
# Half are well-formed with values from a small pool, so that objects come
# into being and meet; half are bent.  As nobody, no request but a look may
# succeed.  The kernel's debug options are the judge of the rest.

import random
import re
import socket
import struct
import sys

runs, nobody = int(sys.argv[1]), len(sys.argv) > 2
random.seed(7)
constants = {}
with open("/src/uapi/superdev.h", encoding="utf-8") as header:
    for body in re.findall(r"enum[^{]*\{(.*?)\}", header.read(), re.S):
        value = -1
        for entry in re.findall(r"^\s*(\w+)(?:\s*=\s*(\d+))?\s*,", body, re.M):
            value = int(entry[1]) if entry[1] else value + 1
            constants[entry[0]] = value
commands = {n: v for n, v in constants.items() if n.startswith("SUPERDEV_CMD_") and not n.endswith("_NTF")}
assert len(commands) > 15 and commands["SUPERDEV_CMD_AGENT_GET"] == 1, commands

sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
sock.bind((0, 0))
sock.settimeout(5)
sock.setsockopt(270, 11, 1)  # NETLINK_EXT_ACK


def attr(kind, data):
    return struct.pack("<HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def request(family, command, body, flags):
    message = struct.pack("<IHHIIBBH", 20 + len(body), family, flags, 1, 0, command, 1, 0) + body
    sock.send(message)
    first = None
    while True:
        data = sock.recv(1 << 16)
        while data:
            length, kind, reply_flags = struct.unpack("<IHH", data[:8])
            error = struct.unpack("<i", data[16:20])[0] if kind in (2, 3) and length >= 20 else None
            if kind in (2, 3):
                return error if error is not None else 0, first, (reply_flags & 0x200) != 0
            first = first or data[16:length]
            data = data[(length + 3) & ~3:]


_, reply, _ = request(16, 3, attr(2, b"superdev\0"), 5)
family = struct.unpack("<H", reply[reply.index(struct.pack("<HH", 6, 1)) + 4:][:2])[0]

NAMES = [b"a\0", b"lender\0", b"home\0", b"disk0\0", b"blk\0", b"null\0", b"a/b\0", b"..\0", b"\0", b"x" * 63 + b"\0",
         b"x" * 64 + b"\0", b"caf\xc3\xa9\0", b"a\x1b[2J\0", b"unterminated", b"/dev/vdb\0", b"127.0.0.1\0", b"no\0pe\0"]
KEYS = [bytes([i]) * 32 for i in range(4)]


def value():
    return random.choice([
        lambda: random.choice(NAMES), lambda: random.choice(NAMES), lambda: random.choice(KEYS),
        lambda: struct.pack("<I", random.choice([0, 1, 2, 3, 5, 31, 32, 1 << 31, 0xffffffff])),
        lambda: struct.pack("<Q", random.choice([0, 1, 1 << 40, (1 << 64) - 1])),
        lambda: bytes(16), lambda: b"", lambda: bytes(random.randrange(0, 600)),
        lambda: attr(random.randrange(1, 20), struct.pack("<Q", random.choice([0, 512, 4096, 1 << 63])))])()


def body():
    kinds = random.sample(range(0, 20), random.randrange(0, 9))
    data = b"".join(attr(kind, value()) for kind in kinds)
    if random.random() < 0.3 and data:
        bent = bytearray(data)
        for _ in range(random.randrange(1, 4)):
            bent[random.randrange(len(bent))] = random.randrange(256)
        data = bytes(bent)[:random.randrange(1, len(bent) + 1)]
    return data


# Well-formed ones: {command: [(attribute, values)]}.
def u32(*values):
    return [struct.pack("<I", v) for v in values]


C = constants
GOOD = {
    "AGENT_BIND": [("AGENT_NAME", NAMES[:3]), ("AGENT_KEY", KEYS), ("AGENT_VERSION", NAMES[:1]), ("AGENT_PORT", [b"\1\2"])],
    "PEER_ADD": [("PEER_NAME", NAMES[:4]), ("PEER_KEY", KEYS), ("PEER_ADDRESS", [b"127.0.0.1\0"])],
    "PEER_SET": [("PEER_NAME", NAMES[:4]), ("PEER_TRANSPORT", u32(0, 1))],
    "PEER_DEL": [("PEER_NAME", NAMES[:4]), ("PEER_FORCE", [b""])],
    "PEER_REPORT": [("PEER_NAME", NAMES[:4]), ("PEER_STATE", u32(0, 1, 2, 3)), ("PEER_RTT_US", u32(7))],
    "OFFER_ADD": [("OFFER_NAME", NAMES[:4]), ("OFFER_CLASS", [b"blk\0", b"null\0"]), ("OFFER_PATH", [b"/dev/vdb\0"])],
    "OFFER_DEL": [("OFFER_NAME", NAMES[:4]), ("OFFER_FORCE", [b""])],
    "OFFER_REPORT": [("OFFER_PEER", NAMES[:3]), ("OFFER_NAME", NAMES[:4]), ("OFFER_CLASS", [b"blk\0", b"null\0"]),
                     ("OFFER_STATE", u32(0, 1, 2, 3))],
    "LEASE_ADD": [("LEASE_PEER", NAMES[:3]), ("LEASE_OFFER", NAMES[:4])],
    "LEASE_DEL": [("LEASE_PEER", NAMES[:3]), ("LEASE_OFFER", NAMES[:4]), ("LEASE_FORCE", [b""])],
    "LEASE_REPORT": [("LEASE_ID", u32(1, 2, 3)), ("LEASE_STATE", u32(*range(8))), ("LEASE_CLASS", [b"blk\0", b"null\0"]),
                     ("LEASE_NUMBER", [struct.pack("<Q", 9)]), ("LEASE_EPOCH", u32(1, 2)),
                     ("LEASE_CONFIG", [attr(1, struct.pack("<Q", 1 << 20)), b"", bytes(600)])],
    "LANE_ADD": [("LANE_LEASE", u32(1, 2, 3)), ("LANE_INDEX", u32(0, 1, 99)), ("LANE_EPOCH", u32(1, 2)),
                 ("LANE_FD", u32(0, 1, sock.fileno(), 999)), ("LANE_TRANSPORT", u32(0, 1))],
    "LANE_DEL": [("LANE_LEASE", u32(1, 2, 3)), ("LANE_INDEX", u32(0, 1))],
}


def good(name):
    return b"".join(attr(C["SUPERDEV_A_" + kind], random.choice(values))
                    for kind, values in GOOD[name] if random.random() < 0.9)


succeeded, refused, silent = {}, 0, 0
for _ in range(runs):
    if random.random() < 0.5:
        name = random.choice(list(GOOD))
        command, data, flags = C["SUPERDEV_CMD_" + name], good(name), 5
    else:
        name, command = random.choice(list(commands.items()))
        data, flags = body(), random.choice([5, 5, 0x305])
    error, _, has_text = request(family, command, data, flags)
    if error:
        refused += 1
        # Without a handler or a permission, the kernel's generic part refuses before us.
        silent += not has_text and error not in (-95, -1)
        assert not nobody or error, name
    else:
        succeeded[name] = succeeded.get(name, 0) + 1
        assert not nobody or "GET" in name or flags & 0x300, f"nobody may {name}"

for name in ("PEER_GET", "OFFER_GET", "LEASE_GET", "LANE_GET"):
    assert request(family, C["SUPERDEV_CMD_" + name], b"", 0x305)[0] == 0, name
if not nobody:
    assert sum(succeeded.values()) > runs // 50, succeeded
    assert {"PEER_ADD", "OFFER_ADD", "AGENT_BIND"} <= set(succeeded), succeeded
    assert silent == 0, f"{silent} of {refused} refusals came without a text"
print(f"{runs} requests: {sum(succeeded.values())} carried out, {refused} refused, none worse")
