# SPDX-License-Identifier: GPL-2.0-or-later
#
# null.py DEVICE HOW: a device of the class null, used by three threads at once
# for each of its purposes.  Their requests share lanes and not files.

import os
import random
import sys
import threading

from cases import Cases

SIZES = [1, 63, 4096, 5000, 65536, 200000, 1 << 20]
device, how = sys.argv[1:]
cases = Cases("null")


def read_all(file, size):
    data = b""
    while len(data) < size:
        part = os.read(file, size - len(data))
        if not part:
            return data
        data += part
    return data


def echo(chance):
    """What was written is read back."""
    file = os.open(device, os.O_RDWR)
    data = os.urandom(chance.choice(SIZES))
    good = os.write(file, data) == len(data) and read_all(file, len(data)) == data
    os.close(file)
    return good


def source(chance):
    """A read at any offset gives the pattern."""
    file = os.open(device, os.O_RDONLY)
    size, offset = chance.choice(SIZES), chance.randrange(1 << 40)
    turn = bytes((offset + index) % 251 for index in range(251))
    good = os.pread(file, size, offset) == (turn * (size // 251 + 1))[:size]
    os.close(file)
    return good


def sink(chance):
    """All that is written is taken."""
    file = os.open(device, os.O_WRONLY)
    size = chance.choice(SIZES)
    good = os.write(file, bytes(size)) == size
    os.close(file)
    return good


def run(act, seed, results):
    chance = random.Random(seed)
    try:
        results.append(all(act(chance) for _ in range(5)))
    except OSError as error:
        results.append(error)


for purpose in echo, source, sink:
    done = []
    threads = [threading.Thread(target=run, args=(purpose, seed, done)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cases.check(f"{how}: the {purpose.__name__} is true to its name", done == [True] * 3, done)
cases.end()
