# SPDX-License-Identifier: GPL-2.0-or-later
#
# netlink.py: the generic netlink family superdev, for the tests beside it.
# Nothing of libnl and nothing of the agent, so that a test can say what
# neither would.  Constants come from uapi/superdev.h.

import errno
import os
import re
import socket
import struct
import time

HEADER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../uapi/superdev.h")

AF_NETLINK, NETLINK_GENERIC, SOL_NETLINK = 16, 16, 270
NETLINK_ADD_MEMBERSHIP, NETLINK_EXT_ACK = 1, 11
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP, NLM_F_CAPPED, NLM_F_ACK_TLVS = 1, 4, 0x300, 0x100, 0x200
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLMSGERR_ATTR_MSG = 1
NLA_NESTED, NLA_TYPE_MASK = 0x8000, 0x3fff
GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_ATTR_MCAST_GROUPS, CTRL_ATTR_MCAST_GRP_ID = 1, 2, 7, 2


def read_constants():
    constants = {}
    with open(HEADER, encoding="utf-8") as header:
        for body in re.findall(r"enum[^{]*\{(.*?)\}", header.read(), re.S):
            value = -1
            for name, given in re.findall(r"^\s*(\w+)(?:\s*=\s*(\d+))?\s*,", body, re.M):
                value = int(given) if given else value + 1
                constants[name.removeprefix("SUPERDEV_")] = value
    return constants


C = read_constants()
COMMANDS = {name[4:]: value for name, value in C.items() if name.startswith("CMD_")}
COMMAND_NAMES = {value: name for name, value in COMMANDS.items()}

# Attributes that are no u32, by the last part of their name.
WIDTHS = {"running": "B", "port": "H", "features": "Q", "size": "Q", "number": "Q", "time": "Q",
          "memory": "Q", "used_us": "Q", "tx_bytes": "Q", "rx_bytes": "Q", "tx_frames": "Q", "rx_frames": "Q",
          "since": "Q", "decisions": "Q", "remote": "Q", "declined": "Q", "last_time": "Q", "took_ns": "Q", "denied": "Q",
          "wall_us": "Q", "cpu_us": "Q", "remote_us": "Q", "utime_us": "Q", "stime_us": "Q", "maxrss_kb": "Q", "minflt": "Q",
          "majflt": "Q", "inblock": "Q", "oublock": "Q", "nvcsw": "Q", "nivcsw": "Q"}
TEXTS = {"name", "version", "address", "code", "error", "peer", "offer", "class", "path", "device", "value", "why",
         "last_name", "last_error", "paths"}


def pack(kind, data):
    """One attribute."""
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def unpack(data):
    """Yields the (kind, payload) of attributes that follow each other."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind & NLA_TYPE_MASK, data[4:length]
        data = data[(length + 3) & ~3:]


def encode(kind, **values):
    """Attributes of an object, say PEER, by name: int, str, bytes, True for a flag, a dict of a
    property, or a list of these."""
    body = b""
    for name, value in values.items():
        name = name.rstrip("_")  # class_: Python has the word already
        number = C[f"A_{kind}_{name.upper()}"]
        for one in value if isinstance(value, list) else [value]:
            if one is True:
                body += pack(number, b"")
            elif isinstance(one, int):
                body += pack(number, struct.pack("=" + WIDTHS.get(name, "I"), one))
            elif isinstance(one, str):
                body += pack(number, one.encode("latin-1") + b"\0")
            elif isinstance(one, dict):
                body += pack(number | NLA_NESTED, encode(name.upper(), **one))
            else:
                body += pack(number, one)
    return body


def decode(kind, body):
    """The reverse: a dict; a property that repeats is a list."""
    names = {C[n]: n.removeprefix(f"A_{kind}_").lower() for n in C if n.startswith(f"A_{kind}_")}
    values = {}
    for number, data in unpack(body):
        name = names.get(number, number)
        if name in TEXTS:
            values[name] = data[:-1].decode("latin-1")
        elif name == "property":
            values.setdefault(name, []).append(decode("PROPERTY", data))
        elif len(data) == struct.calcsize("=" + WIDTHS.get(name, "I")):
            values[name] = struct.unpack("=" + WIDTHS.get(name, "I"), data)[0]
        else:
            values[name] = data
    return values


class Refused(OSError):
    """The kernel said no; text is what it said beside the number."""

    def __init__(self, number, text):
        super().__init__(number, os.strerror(number))
        self.text = text

    def __str__(self):
        return f"{errno.errorcode.get(self.errno, self.errno)}: {self.text}"


class Netlink:
    """A socket of the family superdev, in the network namespace of who makes it."""

    def __init__(self, timeout=10):
        self.socket = socket.socket(AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self.socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.socket.bind((0, 0))
        self.socket.settimeout(timeout)
        self.sequence = 0
        error, text, replies = self.transact(GENL_ID_CTRL, CTRL_CMD_GETFAMILY,
                                             pack(CTRL_ATTR_FAMILY_NAME, b"superdev\0"))
        if error:
            raise Refused(-error, text)
        found = dict(unpack(replies[0][1]))
        self.family = struct.unpack("=H", found[CTRL_ATTR_FAMILY_ID])[0]
        group = dict(unpack(next(unpack(found[CTRL_ATTR_MCAST_GROUPS]))[1]))
        self.group = struct.unpack("=I", group[CTRL_ATTR_MCAST_GRP_ID])[0]

    def transact(self, family, command, body, flags=NLM_F_REQUEST | NLM_F_ACK):
        """Sends one request as it is.  Returns its error, 0 or negative, the kernel's text or
        None, and the (command, attributes) that came back."""
        self.sequence += 1
        self.socket.send(struct.pack("=IHHIIBBH", 20 + len(body), family, flags, self.sequence, 0,
                                     command, 1, 0) + body)
        replies = []
        while True:
            data = self.socket.recv(1 << 16)
            while data:
                length, kind, reply_flags, sequence, _ = struct.unpack_from("=IHHII", data)
                message, data = data[16:length], data[(length + 3) & ~3:]
                if sequence != self.sequence:
                    continue  # of a request that was given up
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    return verdict(kind, message, reply_flags) + (replies,)
                replies.append((message[0], message[4:]))

    def do(self, command, **values):
        """One request by name; returns what came back, decoded, or None.  Raises Refused."""
        kind = command.split("_", maxsplit=1)[0]
        error, text, replies = self.transact(self.family, COMMANDS[command], encode(kind, **values))
        if error:
            raise Refused(-error, text)
        return decode(kind, replies[0][1]) if replies else None

    def dump(self, command):
        """All objects of a kind, as a list."""
        kind = command.split("_", maxsplit=1)[0]
        error, text, replies = self.transact(self.family, COMMANDS[command], b"", NLM_F_REQUEST | NLM_F_DUMP)
        if error:
            raise Refused(-error, text)
        return [decode(kind, body) for _, body in replies]

    def close(self):
        self.socket.close()


class Watch(Netlink):
    """A socket that hears the notifications."""

    def __init__(self):
        super().__init__()
        self.socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, self.group)

    def heard(self):
        """All notifications since the last call, as (command, values).  Those of requests that were
        answered are there: the kernel sends them before the answer."""
        self.socket.settimeout(0.01)
        found = []
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except (TimeoutError, BlockingIOError):
                return found
            length = struct.unpack_from("=I", data)[0]
            name = COMMAND_NAMES[data[16]]
            found.append((name, decode(name.split("_", maxsplit=1)[0], data[20:length])))


def verdict(kind, message, flags):
    """What an answer says: its error, and its text or None."""
    error = struct.unpack_from("=i", message)[0] if len(message) >= 4 else 0
    if kind == NLMSG_DONE or not flags & NLM_F_ACK_TLVS:
        return error, None
    asked = struct.unpack_from("=I", message, 4)[0]
    start = 4 + (16 if flags & NLM_F_CAPPED else (asked + 3) & ~3)
    text = dict(unpack(message[start:])).get(NLMSGERR_ATTR_MSG)
    return error, text[:-1].decode("latin-1") if text else None


def wait_for(claim, seconds=10):
    """Waits until claim() holds; returns whether it came to that."""
    until = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


class Pair:
    """TCP connections of this machine with itself, for lanes."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)

    def connect(self):
        """The two ends of a new one: what the agent hands over, and the lender's."""
        near = socket.create_connection(self.server.getsockname())
        return near, self.server.accept()[0]
