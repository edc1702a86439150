# SPDX-License-Identifier: GPL-2.0-or-later
#
# cases.py: what a test in Python says.  One line a case, as
#	ok registry: a peer needs a key or an address
# and the exit status tells whether all were.

import errno
import sys

from netlink import Refused


class Cases:
    """The cases of the test NAME."""

    def __init__(self, name):
        self.name = name
        self.failed = 0

    def check(self, sentence, claim, detail=""):
        if claim:
            print(f"ok {self.name}: {sentence}", flush=True)
        else:
            print(f"not ok {self.name}: {sentence}: {detail}", flush=True)
            self.failed += 1

    def refused(self, sentence, wanted, act, /, *args, **kwargs):
        """act() has to be refused with that number, and with a text that tells why."""
        try:
            got = act(*args, **kwargs)
        except Refused as refusal:
            self.check(sentence, refusal.errno == wanted and refusal.text,
                       f"{refusal}, not {errno.errorcode[wanted]} with a text")
        else:
            self.check(sentence, False, f"it was done: {got}")

    def end(self):
        sys.exit(self.failed != 0)
