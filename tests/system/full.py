#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
full.py DIR HOW: fills the file system of DIR, and says in which way it was told that it is full.

Writing by path an error may come as late as at fsync or close, as on any file system of another machine; what
was confirmed by then has to be there.
"""
import errno, os, sys

BLOCK = 65536


def block(i):
	return b"%08d" % i * (BLOCK // 8)


def attempt(what, function, *args):
	try:
		return function(*args)
	except OSError as e:
		told.append((what, errno.errorcode[e.errno]))
		return None


def fill(fd):
	"""Blocks that are all different, until one does not fit; those that did, in bytes."""
	done = 0
	while done < 64 << 20:
		n = attempt("write", os.write, fd, block(done // BLOCK)[done % BLOCK:])
		if n is None:
			break
		done += n
	return done


def is_prefix(path):
	"""What is in the file is the beginning of what was written, and nothing else."""
	with open(path, "rb") as f:
		i = 0
		while data := f.read(BLOCK):
			if data != block(i)[:len(data)]:
				return False
			i += 1
	return True


told = []
directory, how = sys.argv[1:]
path = directory + "/file"
if how == "descriptor":
	# It was opened at home, and is this program's output.
	done = fill(1)
	size = os.fstat(1).st_size
	print(told == [("write", "ENOSPC")] and size == done, file=sys.stderr)
elif how == "path":
	fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
	fill(fd)
	attempt("fsync", os.fsync, fd)
	attempt("close", os.close, fd)
	print(bool(told) and {e for _, e in told} == {"ENOSPC"}, is_prefix(path))
	print(told, os.stat(path).st_size, file=sys.stderr)
elif how == "names":
	made = 0
	while made < 1000 and attempt("create", os.mkdir, "%s/%d" % (directory, made)) is None and not told:
		made += 1
	print(told, made)
