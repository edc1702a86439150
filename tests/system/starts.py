#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
starts.py PREFIX…: programs whose connections are reset while each is started.

A program adds its number to a file of home's.  However its start ends, the number is there once at
most, and exactly once where the program was not lost.
"""
import collections, os, subprocess, sys, time

PREFIX = sys.argv[1:]
RAN, STEP_S, FIRST, LAST = "/tmp/starts.ran", 0.06, -4, 6


def reset():
	"""All connections of agents, deputies and files of this machine; it takes a while to get to that."""
	return subprocess.Popen(["ss", "-K", "dport", "=", ":7338", "or", "sport", "=", ":7338"], stdout=subprocess.DEVNULL)


def start(number):
	script = f"echo {number} >>{RAN}; tr ' ' '\\n' </proc/cmdline | sed -n s/^lab.name=//p; exit 9"
	return subprocess.Popen(PREFIX + ["/bin/sh", "sh", "-c", script], stdin=subprocess.DEVNULL,
				stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def outcome(process):
	out, err = process.communicate(timeout=60)
	if process.returncode == 9:
		return "there" if out.strip() == "lender" else "here, and why" if "runs here: " in err else "here"
	# A program that was through has closed what this could be said on.
	return "lost" if process.returncode == -9 and (not err or "lost the lender" in err) else "%d: %s" % (process.returncode, err)


def runs_there():
	return outcome(start("probe")) == "there"


ends, wrong = {}, False
with open(RAN, "w"):
	pass
for number in range(FIRST, LAST):
	end = time.monotonic() + 30
	while not runs_there():
		if time.monotonic() > end:
			sys.exit("programs do not run there again")
		time.sleep(0.1)
	if number < 0:
		resetting = reset()
		time.sleep(-number * STEP_S)
	process = start(number)
	if number >= 0:
		time.sleep(number * STEP_S)
		resetting = reset()
	ends[number] = outcome(process)
	resetting.wait()
ran = collections.Counter(open(RAN).read().split())
for number, end in ends.items():
	times = ran[str(number)]
	if times > 1 or end not in ("there", "here, and why", "lost") or (end != "lost" and not times):
		print(f"{number * STEP_S:.2f} s after its start: {end}; it ran {times} times")
		wrong = True
print(dict(collections.Counter(ends.values())))
sys.exit(wrong)
