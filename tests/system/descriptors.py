#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
descriptors.py PREFIX…: what programs do to their descriptors, started here and by PREFIX.

Each case has a program and descriptors that are shared with this process.  Run in
both ways it has to say the same, end the same way, and leave the same behind.
"""
import fcntl, os, signal, subprocess, sys, tempfile

PREFIX = sys.argv[1:]
HEAD = "import os, sys, fcntl, select, errno, signal, struct, termios, time\n"
failed = []


class Case:
	"""One run: descriptors by number, and what is left when it is over."""

	def __init__(self, prefix):
		self.prefix, self.fds, self.left = prefix, {}, []

	def file(self, number, text, flags=os.O_RDWR):
		path = tempfile.mktemp(dir="/tmp")
		with open(path, "w") as f:
			f.write(text)
		self.fds[number] = os.open(path, flags)
		return path

	def pipe_in(self, number, data=b"", is_open=False):
		r, w = os.pipe()
		os.write(w, data)
		self.fds[number] = r
		if not is_open:
			os.close(w)
		return w

	def pipe_out(self, number):
		r, w = os.pipe()
		self.fds[number] = w
		return r

	def argv(self, program):
		return self.prefix + ["/usr/bin/python3"] + (["python3"] if self.prefix else []) + ["-c", HEAD + program]

	def start(self, program, **more):
		def place():
			# Above all numbers first, so that none is in the way of another.
			high = {n: fcntl.fcntl(fd, fcntl.F_DUPFD, 500) for n, fd in self.fds.items()}
			for n, fd in high.items():
				os.dup2(fd, n)
			os.closerange(500, 1000)
		return subprocess.Popen(self.argv(program), stdin=None if 0 in self.fds else subprocess.DEVNULL,
					stdout=None if 1 in self.fds else subprocess.PIPE, stderr=subprocess.PIPE,
					preexec_fn=place, close_fds=False, **more)

	def run(self, program, **more):
		process = self.start(program, **more)
		out, err = process.communicate(timeout=60)
		if b"runs here" in err:
			raise RuntimeError(err.decode())
		return [process.returncode, (out or b"").decode(), err.decode()]


def left_in(fd):
	os.set_blocking(fd, False)
	try:
		return os.read(fd, 1 << 20)
	except BlockingIOError:
		return None


def pipe_shared(c):
	"""A reader takes what it asked for, and leaves the rest to the next one."""
	w = c.pipe_in(0, b"one\ntwo\nthree\n")
	return c.run("print(os.read(0, 4))"), left_in(c.fds[0])


def pipe_unread(c):
	"""A program that reads nothing takes nothing, as in `while read`."""
	w = c.pipe_in(0, b"x" * 5000)
	return c.run("print(1)"), len(left_in(c.fds[0]))


def pipe_end(c):
	w = c.pipe_in(0, b"abc")
	return c.run("print(os.read(0, 100), os.read(0, 100))")


def pipe_broken(c):
	r = c.pipe_out(3)
	os.close(r)
	return c.run("""
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
try: os.write(3, b"x")
except OSError as e: print(e.errno)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.write(3, b"x")
print("not reached")""")


def pipe_closed_early(c):
	"""Who reads sees the end when the program closes, not when it ends."""
	r = c.pipe_out(3)
	process = c.start("os.write(3, b'last'); os.close(3); time.sleep(60)")
	os.close(c.fds[3])
	text = os.read(r, 100) + os.read(r, 100)
	process.terminate()
	return text, process.wait(timeout=30)


def pipe_nonblock(c):
	w = c.pipe_in(0, is_open=True)
	return c.run("""
os.set_blocking(0, False)
try: os.read(0, 1)
except OSError as e: print(e.errno)
print(select.select([0], [], [], 0)[0])
os.set_blocking(0, True)"""), os.get_blocking(c.fds[0])


def pipe_poll(c):
	w = c.pipe_in(0, is_open=True)
	r = c.pipe_out(3)
	process = c.start("""
p = select.poll(); p.register(0, select.POLLIN)
print(p.poll(0)); os.write(3, b"ready")
print(p.poll(20000)); print(os.read(0, 10)); print(p.poll(0))
e = select.epoll(); e.register(0, select.EPOLLIN | select.EPOLLET)
os.write(3, b"again"); print(e.poll(20)); print(struct.unpack("i", fcntl.ioctl(0, termios.FIONREAD, b"1234")))""")
	for word in (b"ready", b"again"):
		if os.read(r, 5) != word:
			raise RuntimeError("no word")
		os.write(w, b"news")
	out, err = process.communicate(timeout=60)
	return process.returncode, out, err


def pipe_big(c):
	"""More than a pipe holds, both ways."""
	r = c.pipe_out(3)
	process = c.start("n = 0\nwhile n < 1 << 20: n += os.write(3, bytes(range(256)) * 256)")
	os.close(c.fds[3])
	total = b""
	while (more := os.read(r, 1 << 16)):
		total += more
	return process.wait(timeout=60), total == bytes(range(256)) * 4096


def pipe_signal(c):
	"""A read that waits is interrupted, and what comes then is not lost."""
	w = c.pipe_in(0, is_open=True)
	r = c.pipe_out(3)
	process = c.start("""
def caught(*a): os.write(3, b"caught")
signal.signal(signal.SIGUSR1, caught)
os.write(3, b"waits!")
print(os.read(0, 10))""")
	os.read(r, 6)
	process.send_signal(signal.SIGUSR1)
	if os.read(r, 6) != b"caught":
		raise RuntimeError("not caught")
	os.write(w, b"later")
	out, err = process.communicate(timeout=60)
	return process.returncode, out, err


def make_tokens(c):
	"""The job server's pipe: one token taken, used and given back, the others left alone."""
	r, w = os.pipe()
	os.write(w, b"+++")
	c.fds = {5: r, 6: w}
	env = dict(os.environ, MAKEFLAGS=" -j4 --jobserver-auth=5,6")
	return c.run("t = os.read(5, 1); print(t); os.write(6, t)", env=env), left_in(r)


def file_position(c):
	c.file(0, "0123456789")
	return c.run("print(os.read(0, 4), os.lseek(0, 0, 1), os.lseek(0, -2, 2), os.read(0, 9), os.lseek(0, 6, 0))"), \
		os.lseek(c.fds[0], 0, os.SEEK_CUR)


def file_write(c):
	path = c.file(3, "0123456789")
	os.lseek(c.fds[3], 3, os.SEEK_SET)
	said = c.run("""
print(os.write(3, b"abc"), os.pwrite(3, b"Z", 9), os.pread(3, 3, 0))
os.ftruncate(3, 10); os.fsync(3); os.fdatasync(3); print(os.fstat(3).st_size, oct(os.fstat(3).st_mode))
try: os.lseek(3, -1, 0)
except OSError as e: print(e.errno)""")
	return said, open(path).read(), os.lseek(c.fds[3], 0, os.SEEK_CUR)


def file_append(c):
	path = c.file(3, "start ", os.O_WRONLY | os.O_APPEND)
	said = c.run("print(os.write(3, b'there ')); os.system('echo child >&3')")
	os.write(c.fds[3], b"home")
	return said, open(path).read()


def file_shared_by_children(c):
	"""Parent, child and home go on where the other stopped."""
	c.file(0, "".join("line %d\n" % i for i in range(6)))
	return c.run("""
print(os.read(0, 7)); sys.stdout.flush()
os.system("head -c 7; dd bs=7 count=1 status=none")
print(os.read(0, 7))"""), os.read(c.fds[0], 100)


def file_locks(c):
	path = c.file(3, "0123456789")
	fcntl.lockf(c.fds[3], fcntl.LOCK_EX, 1, 5)
	said = c.run("""
for start in (0, 5):
	try: fcntl.lockf(3, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, start); print("locked", start)
	except OSError as e: print(e.errno in (errno.EAGAIN, errno.EACCES))
pid = os.fork()
if not pid:
	try: fcntl.lockf(3, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0); print("has it, too")
	except OSError as e: print("refused")
	os._exit(0)
os.waitpid(pid, 0)""")
	other = os.open(path, os.O_RDWR)
	fcntl.flock(other, fcntl.LOCK_EX)
	more = c.run("""
try: fcntl.flock(3, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError as e: print(e.errno)""")
	os.close(other)
	return said, more, c.run("fcntl.flock(3, fcntl.LOCK_EX | fcntl.LOCK_NB); print('has it')")


def file_again(c):
	"""Opened by its number it has a position of its own."""
	c.file(0, "0123456789")
	return c.run("print(os.read(0, 4)); print(open('/proc/self/fd/0').read(2), open('/proc/self/fd/0').read(3))"), \
		os.lseek(c.fds[0], 0, os.SEEK_CUR)


def file_both(c):
	"""One file for output and errors: in order."""
	path = c.file(1, "")
	c.fds[2] = c.fds[1]
	said = c.run("os.write(1, b'a'); os.write(2, b'b'); os.system('echo c; echo d >&2'); os.write(1, b'e')")
	return said, open(path).read()


def shell_loop(c):
	"""The shell's own way with a file as input: read takes a line and seeks back."""
	c.file(0, "a\nb\nc\n")
	process = subprocess.run(c.prefix + ["/bin/sh"] + (["sh"] if c.prefix else []) + ["-c",
		"read x; echo $x; read y; echo $y"], stdin=c.fds[0], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
	return process.stdout, process.stderr, os.read(c.fds[0], 10)


def sealed_output(c):
	"""Nothing of what was written is missing when the status is known."""
	results = []
	for i in range(20):
		path = tempfile.mktemp(dir="/tmp")
		with open(path, "w") as f:
			subprocess.run(c.prefix + ["/bin/echo"] + (["echo"] if c.prefix else []) + ["round %d" % i], stdout=f)
		results.append(open(path).read())
	return results


for name, case in list(globals().items()):
	if not callable(case) or not getattr(case, "__code__", None) or case.__code__.co_varnames[:1] != ("c",):
		continue
	results = []
	for prefix in ([], PREFIX):
		try:
			results.append(case(Case(prefix)))
		except Exception as e:
			results.append("%s: %s" % (type(e).__name__, e))
	if results[0] == results[1]:
		print("ok", name)
	else:
		print("not ok", name, "\n\there: ", results[0], "\n\tthere:", results[1])
		failed.append(name)
	sys.stdout.flush()
sys.exit(1 if failed else 0)
