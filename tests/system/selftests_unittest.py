#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
selftests_unittest.py MODULE OUT: Python's own test of that module; a line for each test in OUT, its name and outcome.

Lies beside the package `test` of Python's source, and runs in a directory of its own.
"""
import os, sys, unittest
from test import support
from test.support import os_helper

# As its own runner without options: nothing that takes a network, much memory or long.
support.use_resources = []
out = open(sys.argv[2], "w")


class Result(unittest.TextTestResult):
	def startTest(self, test):
		super().startTest(test)
		self.before = len(self.failures), len(self.errors), len(self.skipped)

	def stopTest(self, test):
		super().stopTest(test)
		more = [after > before for after, before in zip((len(self.failures), len(self.errors), len(self.skipped)), self.before)]
		print(test.id(), "fail" if more[0] else "error" if more[1] else "skip" if more[2] else "ok", file=out)


with os_helper.temp_cwd(os.path.abspath("tmp/" + sys.argv[1])):
	suite = unittest.defaultTestLoader.loadTestsFromName("test." + sys.argv[1])
	result = unittest.TextTestRunner(resultclass=Result).run(suite)
out.close()
sys.exit(not result.wasSuccessful())
