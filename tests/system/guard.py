# SPDX-License-Identifier: GPL-2.0-or-later
#
# guard.py CGROUP: what a process can do that got past every other wall: it has
# all capabilities and a filter that lets everything pass, but is where guests
# are.  Prints one line for each attempt; the second time without the filter,
# which makes it no guest.
import ctypes
import errno
import json
import os
import signal
import socket
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
SYS = {"bpf": 321, "add_key": 248, "perf_event_open": 298, "io_uring_setup": 425, "pidfd_getfd": 438}
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x10000000, 0x20000000


def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def syscall(name, *arguments):
    return call(libc.syscall(SYS[name], *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]))


def filter_all():
    """A filter that lets everything pass: guests have a stricter one."""
    program = ctypes.create_string_buffer(struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000))
    fprog = ctypes.create_string_buffer(struct.pack("<H6xQ", 1, ctypes.addressof(program)))
    call(libc.prctl(38, 1, 0, 0, 0))
    call(libc.prctl(22, 2, fprog, 0, 0))


def attempts(outside, udp, pidfd):
    def mount():
        call(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None))

    def kill_own():
        pid = os.fork()
        if not pid:
            time.sleep(60)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def own_file():
        os.close(os.open("/etc/hostname", os.O_RDONLY))

    return {
        "own file": own_file,
        "unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "own child": kill_own,
        "pipe": lambda: os.close(os.open(f"/proc/self/fd/{os.pipe()[0]}", os.O_RDONLY)),
        "outside file": lambda: os.close(os.open("etc/hostname", os.O_RDONLY, dir_fd=outside)),
        "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
        "connect": lambda: udp.connect(("127.0.0.1", 9)),
        "outside process": lambda: os.close(syscall("pidfd_getfd", pidfd, 0, 0)),
        "bpf": lambda: os.close(syscall("bpf", 0, ctypes.create_string_buffer(struct.pack("<IIII", 2, 4, 4, 1), 64), 64)),
        "key": lambda: syscall("add_key", b"user", b"guard", b"x", 1, -2),
        "perf": lambda: os.close(syscall("perf_event_open", ctypes.create_string_buffer(struct.pack("<IIQ", 1, 112, 0), 112), 0, -1, -1, 0)),
        "mount": mount,
        # The last two: no capability is left after this, and there are two threads after that.
        "namespace": lambda: call(libc.unshare(CLONE_NEWUSER)),
        "uring": lambda: os.close(syscall("io_uring_setup", 1, ctypes.create_string_buffer(struct.pack("<III", 0, 0, 2), 120))),
    }


def guest(cgroup, has_filter, out):
    victim = os.fork()
    if not victim:
        time.sleep(300)
    with open(f"{cgroup}/cgroup.procs", "w", encoding="ascii") as procs:
        procs.write(str(os.getpid()))
    outside, udp = os.open("/", os.O_DIRECTORY), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    pidfd = os.pidfd_open(victim)
    call(libc.unshare(CLONE_NEWPID | CLONE_NEWNS))
    pid = os.fork()
    if not pid:
        call(libc.mount(None, b"/", None, 0x44000, None))  # MS_REC | MS_PRIVATE
        call(libc.mount(b"proc", b"/proc", b"proc", 0, None))
        if has_filter:
            filter_all()
        for name, attempt in attempts(outside, udp, pidfd).items():
            try:
                attempt()
                result = "ok"
            except OSError as error:
                result = errno.errorcode.get(error.errno, str(error.errno))
            os.write(out, json.dumps([name, result]).encode() + b"\n")
        os._exit(0)
    os.waitpid(pid, 0)
    os.kill(victim, signal.SIGKILL)
    os.waitpid(victim, 0)
    os._exit(0)


def run(cgroup, has_filter):
    end, out = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(end)
        guest(cgroup, has_filter, out)
    os.close(out)
    with os.fdopen(end) as lines:
        results = dict(json.loads(line) for line in lines)
    os.waitpid(pid, 0)
    return results


os.makedirs(sys.argv[1], exist_ok=True)
guarded, free = run(sys.argv[1], True), run(sys.argv[1], False)
bad = 0
for what, result in free.items():
    own = what in ("own file", "unix socket", "own child", "pipe")
    is_good = result == "ok" and guarded.get(what) == ("ok" if own else "EPERM")
    bad += not is_good
    print(f"{'ok' if is_good else 'not ok'}: {what}: a guest gets {guarded.get(what)}, another process {result}")
sys.exit(bad or len(free) < 14)
