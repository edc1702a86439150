#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
selftests.py DIR LEASE CASES: what others wrote to test their programs, run at home and at a lender.

DIR has here/SUITE and there/SUITE, two copies of the same tests: both machines run them at once
and do not meet.  A case is one program that is started: a script of a suite, or a module with many
tests.  CASES lists them, SUITE/CASE, and below a case what differs in it, indented:

	TEST HERE THERE WHY…

TEST is a pattern of names of tests, `-` in a case that has none; HERE and THERE are patterns of
outcomes, and `may` for HERE says that it need not differ each time.  Whatever else differs is an error, and so is
what is listed and does not.  What is not as listed is tried again: tests may hang on time.
"""
import collections, fnmatch, hashlib, os, re, signal, subprocess, sys, threading, time

TIMEOUT_S = 120
TRIES = 3
DEPUTY = "/usr/libexec/superdev/superdev-deputy"
USER = "setpriv --reuid 1000 --regid 1000 --clear-groups".split()
ENVIRONMENT = dict(LC_ALL="C", LANGUAGE="C", TZ="UTC0", PATH="/usr/sbin:/usr/bin", HOME="/nowhere", TERM="dumb")


def bash(tree, case, out):
	return ["/bin/sh", "run-" + case], dict(THIS_SH="/bin/bash", BUILD_DIR=tree, BASH_TSTOUT=f"{tree}/tmp/{case}.out",
						PATH=f"{tree}:/usr/sbin:/usr/bin", TMPDIR=tree + "/tmp")


def coreutils(tree, case, out):
	"""As the makefile starts it, with the system's programs, which are of that version."""
	name = "tests/" + case
	environment = dict(VERSION="9.7", PACKAGE_VERSION="9.7", LOCALE_FR="none", LOCALE_FR_UTF8="none", srcdir=".", top_srcdir=".",
			   abs_top_builddir=tree, abs_top_srcdir=tree, abs_srcdir=tree, TMPDIR=tree, fail="0", host_os="linux-gnu",
			   host_triplet="x86_64-pc-linux-gnu", CONFIG_HEADER=tree + "/config.h", EXEEXT="", CC="gcc", AWK="awk",
			   EGREP="grep -E", MAKE="make", PERL="perl", SHELL="/bin/bash", PATH=tree + "/src:/usr/sbin:/usr/bin",
			   CU_TEST_NAME="coreutils," + name.replace("/", "-"))
	with open(tree + "/programs") as f:
		environment["built_programs"] = " ".join(f.read().split())
	run = f"perl -w -Itests -MCuSkip -MCoreutils -M'CuTmpdir qw({name})'" if name.endswith(".pl") else "bash"
	return ["/bin/bash", "-c", f"exec {run} {name} 9>&2"], environment


def python(tree, case, out):
	return ["/usr/bin/python3", tree + "/selftests_unittest.py", case, out], dict(LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1", TMPDIR=tree + "/tmp")


SUITES = dict(bash=bash, coreutils=coreutils, python=python)
SUITES["coreutils.user"] = coreutils


class Side:
	"""One of the two machines: its copy of the tests, and how a program is started there."""

	def __init__(self, name, directory, lease):
		self.name, self.dir, self.lease, self.results = name, directory + "/" + name, lease, {}

	def argv(self, suite, argv):
		user = USER if suite.endswith(".user") else []
		if self.lease is None:
			return user + argv
		if user:
			# The path, then the name that the program is to have.
			return user + [DEPUTY, "--lease", self.lease, "--", argv[0]] + argv
		return "superdev run on lender".split() + argv

	def path(self, suite, case, kind):
		return f"{self.dir}/{suite}/out/{case.replace('/', '-')}.{kind}"

	def run(self, suite, case):
		tree, out = f"{self.dir}/{suite}", self.path(suite, case, "tests")
		argv, environment = SUITES[suite](tree, case, out)
		if self.lease is not None:
			environment["SUPERDEV_VERBOSE"] = "1"
		for stale in (out, self.path(suite, case, "log")):
			if os.path.exists(stale):
				os.remove(stale)
		began = time.monotonic()
		with open(self.path(suite, case, "log"), "w") as log:
			process = subprocess.Popen(self.argv(suite, argv), cwd=tree, env=ENVIRONMENT | environment, stdin=subprocess.DEVNULL,
						   stdout=log, stderr=log, start_new_session=True)
			try:
				# 77 is a script's word for having been skipped.
				state = {0: "ok", 77: "skip"}.get(process.wait(timeout=TIMEOUT_S), "fail")
			except subprocess.TimeoutExpired:
				state = "late"
		try:
			os.killpg(process.pid, signal.SIGKILL)
		except ProcessLookupError:
			pass
		process.wait()
		said = self.said(suite, case)
		if "runs here: " in said:
			sys.exit(f"{suite}/{case} ran at home: {said}")
		if suite == "bash" and state == "fail":
			# It says in which lines its output is not what it should be.  In which it is alike on both, and numbers of
			# processes are not.
			lines = re.sub(r"\d{3,}", "N", "\n".join(re.findall("^[<>] .*", said, re.M)))
			state += ":" + hashlib.sha256(lines.encode()).hexdigest()[:8]
		tests = {}
		if os.path.exists(out):
			with open(out) as f:
				tests = dict(line.split() for line in f)
		self.results[suite, case] = tests if tests and state != "late" else {"-": state}
		print(f"{self.name:5} {suite}/{case} {state} {time.monotonic() - began:.1f} s", flush=True)

	def said(self, suite, case):
		with open(self.path(suite, case, "log"), errors="replace") as log:
			return log.read().replace(self.dir, "DIR")


def run_both(sides, cases):
	def run_all(side):
		for suite, case in cases:
			side.run(suite, case)
	threads = [threading.Thread(target=run_all, args=(side,)) for side in sides]
	for t in threads:
		t.start()
	for t in threads:
		t.join()


def read_cases(path):
	"""{(suite, case): [(pattern, here, there, why)]}"""
	cases = {}
	with open(path) as f:
		for line in f:
			if line.startswith("\t"):
				known.append(tuple(line.split(None, 3)))
			elif line.strip() and not line.startswith("#"):
				known = cases.setdefault(tuple(line.strip().split("/", 1)), [])
	return cases


def compare(sides, case, known):
	"""(how many tests, those that differ, what is not as listed)"""
	here, there = (side.results[case] for side in sides)
	names = sorted(here.keys() | there.keys())
	found = {n: (here.get(n, "none"), there.get(n, "none")) for n in names}
	found = {n: states for n, states in found.items() if states[0] != states[1]}
	wrong = []
	missing = [k for k in known if k[1] != "may"]
	for name, states in found.items():
		match = [k for k in known if fnmatch.fnmatchcase(name, k[0]) and
			 (k[1] == "may" or fnmatch.fnmatchcase(states[0], k[1])) and fnmatch.fnmatchcase(states[1], k[2])]
		if not match:
			wrong.append(f"{name}: {states[0]} at home, {states[1]} at the lender")
		missing = [k for k in missing if k not in match]
	wrong += [f"{k[0]}: does not differ, but is listed: {' '.join(k[1:])}".rstrip() for k in missing]
	if "late" in here.values():
		wrong.append(f"not over after {TIMEOUT_S} s")
	return len(names), len(found), wrong


def main():
	directory, lease, path = sys.argv[1:]
	cases = read_cases(path)
	sides = [Side("here", directory, None), Side("there", directory, lease)]
	todo = list(cases)
	for _ in range(TRIES):
		run_both(sides, todo)
		todo = [c for c in todo if compare(sides, c, cases[c])[2]]
	total = collections.defaultdict(lambda: [0, 0, 0])
	for c in cases:
		tests, different, wrong = compare(sides, c, cases[c])
		total[c[0]] = [a + b for a, b in zip(total[c[0]], (1, tests, different))]
		for line in wrong:
			print(f"\n{'/'.join(c)}: {line}")
		if wrong:
			for side in sides:
				print(f"--- {side.name}\n" + side.said(*c)[-3000:])
	for suite, (count, tests, different) in total.items():
		print(f"{suite}: {count} cases, {tests} tests, {tests - different} the same, {different} different as listed or above")
	sys.exit(1 if todo else 0)


main()
