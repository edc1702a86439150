#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""superdev run on a terminal, under a shell with job control."""
import os, pty, re, select, signal, sys, time

pid, terminal = pty.fork()
if not pid:
	os.environ.update(PS1="prompt> ", TERM="dumb", SPREAD="")
	os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])

seen = ""


def wait(pattern, seconds=20):
	"""What the terminal shows up to that, which must come."""
	global seen
	until = time.monotonic() + seconds
	while not re.search(pattern, seen):
		left = until - time.monotonic()
		if left <= 0 or not select.select([terminal], [], [], left)[0]:
			sys.exit("FAILED: no '%s' in %r" % (pattern, seen))
		seen += os.read(terminal, 4096).decode()
	end = re.search(pattern, seen).end()
	text, seen = seen[:end], seen[end:]
	return text


def line(text):
	os.write(terminal, text.encode() + b"\n")


# One process: a shell that is just starting another one would lose the terminal's signal, as shells do.
SLEEPER = "superdev run perl -e '$| = 1; print \"beg\" . \"un\\n\"; sleep 1000'"


def prompt():
	wait("prompt> ")


prompt()
def status(number):
	"""A shell that sees a command die by Ctrl-C drops the rest of the line."""
	prompt()
	line("echo status=$?")
	wait("status=%d\r" % number)
	prompt()


line(SLEEPER)
wait("begun")
os.write(terminal, b"\x03")
status(130)
print("Ctrl-C ends the command, and superdev run with it")

line(SLEEPER)
wait("begun")
os.write(terminal, b"\x1a")
wait("Stopped")
prompt()
line("jobs; echo do''ne")
wait("Stopped.*superdev run")
wait("done")
prompt()
line("fg")
wait("superdev run")
time.sleep(0.5)
os.write(terminal, b"\x03")
status(130)
print("Ctrl-Z stops both, fg goes on")

line("superdev run cat; echo status=$?")
time.sleep(1)
line("what is typed")
wait("what is typed\r\nwhat is typed")
os.write(terminal, b"\x04")
wait("status=0")
prompt()
print("the command reads the terminal")

line("superdev run bash --norc --noprofile -i; echo outer=$?")
prompt()
line("sleep 1000")
time.sleep(0.5)
os.write(terminal, b"\x1a")
wait("Stopped")
prompt()
line("fg")
wait("sleep")
time.sleep(0.5)
os.write(terminal, b"\x03")
prompt()
line("exit 3")
wait("outer=3")
prompt()
print("a shell has jobs of its own")

line("superdev run sh -c 'sleep 0.5; echo in the back''ground' & wait; echo status=$?")
wait("in the background")
wait("status=0")
prompt()
print("it runs in the background")

line("exit")
os.waitpid(pid, 0)
