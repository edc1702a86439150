# SPDX-License-Identifier: GPL-2.0-or-later
#
# remote-tty.py DOUBLE: programs on a terminal that is a remote file: what a person
# would type, and what they would see.

import os
import re
import select
import subprocess
import sys
import time

from cases import Cases

double = sys.argv[1]
cases = Cases("remote-tty")


class Terminal:
    """COMMAND on a remote terminal, and who sits before it."""

    def __init__(self, *command):
        environment = dict(os.environ, TERM="xterm", PS1="ready> ", HISTFILE="")
        self.process = subprocess.Popen([double, "tty", *command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env=environment, bufsize=0)
        self.seen = ""

    def shows(self, pattern):
        """It comes to show that, in twenty seconds; what was before is forgotten."""
        until = time.monotonic() + 20
        while not (match := re.search(pattern, self.seen)):
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                print(f"shown instead of {pattern!r}: {self.seen!r}")
                return False
            part = os.read(self.process.stdout.fileno(), 4096)
            if not part:
                print(f"ended instead of {pattern!r}: {self.seen!r}")
                return False
            self.seen += part.decode(errors="replace")
        self.seen = self.seen[match.end():]
        return True

    def type(self, text):
        self.process.stdin.write(text.encode())
        return True

    def ends(self, status=0):
        """It ends like that, whatever it shows until then."""
        try:
            self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            print("it does not end")
            return False
        if self.process.returncode != status:
            print(f"its status is {self.process.returncode}")
        return self.process.returncode == status


terminal = Terminal("tty")
cases.check("tty knows its name", terminal.shows(r"/dev/pts/\d+\r\n") and terminal.ends())

terminal = Terminal("stty", "size")
cases.check("stty knows its size", terminal.shows(r"24 80\r\n") and terminal.ends())

terminal = Terminal("sh", "-c", "stty -echo cols 99; stty -a; stty echo; stty -a")
cases.check("stty changes it",
            terminal.shows(r"columns 99;") and terminal.shows(r" -echo ") and terminal.shows(r" echo ") and
            terminal.ends())

terminal = Terminal("python3", "-c", "import os; print('same', os.tcgetpgrp(0) == os.getpgrp(), os.isatty(2))")
cases.check("its foreground group is the program's", terminal.shows("same True True") and terminal.ends())

terminal = Terminal("cat")
cases.check("cat copies lines until the end of input",
            terminal.type("one\n") and terminal.shows(r"one\r\none\r\n") and
            terminal.type("two\n") and terminal.shows(r"two\r\ntwo\r\n") and
            terminal.type("\x04") and terminal.ends())

terminal = Terminal("cat")
cases.check("an interrupt key ends cat while it reads",
            terminal.type("x\n") and terminal.shows(r"x\r\nx\r\n") and
            terminal.type("\x03") and terminal.ends(128 + 2))

# The next line is typed when the prompt is there: what is typed before goes to whom it may.
terminal = Terminal("bash", "--norc", "-i")
cases.check("bash has job control",
            terminal.shows("ready> ") and
            terminal.type("echo $((6 * 7))\n") and terminal.shows(r"\r42\r\n") and terminal.shows("ready> ") and
            terminal.type("cat -n\n") and terminal.shows(r"cat -n\r\n") and
            terminal.type("to cat\n") and terminal.shows(r"1\s+to cat\r\n") and
            terminal.type("\x1a") and terminal.shows("Stopped") and terminal.shows("ready> ") and
            terminal.type("jobs\n") and terminal.shows(r"Stopped +cat -n") and terminal.shows("ready> ") and
            terminal.type("fg\n") and terminal.shows(r"cat -n\r\n") and
            terminal.type("again\n") and terminal.shows(r"2\s+again\r\n") and
            terminal.type("\x03") and terminal.shows("ready> ") and
            terminal.type("echo $?\n") and terminal.shows(r"\r130\r\n") and terminal.shows("ready> ") and
            terminal.type("sleep 1000 &\n") and terminal.shows(r"\[1\] \d+") and terminal.shows("ready> ") and
            terminal.type("kill %1; wait %1; echo $?\n") and terminal.shows(r"143\r\n") and terminal.shows("ready> ") and
            terminal.type("exit 7\n") and terminal.ends(7))

terminal = Terminal("bash", "--norc", "-i")
cases.check("bash edits lines and completes names",
            terminal.shows("ready> ") and
            terminal.type("echo abd\x08c\n") and terminal.shows(r"\rabc\r\n") and terminal.shows("ready> ") and
            terminal.type("ls -d /etc/passw\t\n") and terminal.shows(r"\r/etc/passwd\r\n") and
            terminal.shows("ready> ") and
            terminal.type("\x04") and terminal.ends())

with open("/tmp/lines", "w", encoding="ascii") as file:
    file.writelines(f"line {number}.\n" for number in range(1, 101))
terminal = Terminal("less", "/tmp/lines")
cases.check("less shows pages",
            terminal.shows(r"line 1\.") and terminal.shows(r"line 23\.") and
            terminal.type(" ") and terminal.shows(r"line 46\.") and
            terminal.type("G") and terminal.shows(r"line 100\.") and
            terminal.type("?line 50\n") and terminal.shows(r"line 50") and
            terminal.type("q") and terminal.ends())

terminal = Terminal("script", "-qec", "stty size; cat", "/dev/null")
cases.check("script copies between it and a terminal of its own",
            terminal.shows(r"24 80\r\n") and
            terminal.type("inner\n") and terminal.shows(r"inner\r\ninner\r\n") and
            terminal.type("\x04") and terminal.ends())

terminal = Terminal("sh", "-c", "echo there >/proc/self/fd/2; read x </proc/self/fd/0; echo got $x >/proc/self/fd/1")
cases.check("what is opened once more by /proc is the same terminal",
            terminal.shows(r"there\r\n") and terminal.type("it\n") and terminal.shows(r"got it\r\n") and
            terminal.ends())
cases.end()
