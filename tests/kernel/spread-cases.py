#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that start in a cgroup that is set to spread: what goes to the deputy, and what stays.

	spread-cases.py LEASE DEPUTY

Runs in that cgroup, with a policy that sends away all that it is asked.
"""
import ctypes, ctypes.util, errno, json, os, resource, shutil, signal, struct, subprocess, sys, threading

LEASE, DEPUTY = sys.argv[1], sys.argv[2]
failed = False
libc = ctypes.CDLL(None, use_errno=True)


def case(sentence, holds, *seen):
	global failed
	if not holds:
		failed = True
	print("%s spread: %s%s" % ("ok" if holds else "not ok", sentence, "" if holds else " %r" % (seen,)), flush=True)


def show(argv, executable=None, **more):
	"""What the deputy was started with; None where the program itself ran."""
	env = dict(os.environ, SPREAD="show", **more.pop("env", {}))
	done = subprocess.run(argv, executable=executable, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, **more)
	if done.returncode != 42:
		return None
	return [line for line in done.stdout.decode(errors="surrogateescape").split("\n") if line and not line.startswith("fd ")]


def superdev(*words):
	env = dict(os.environ)
	env.pop("SPREAD", None)
	return json.loads(subprocess.run(["superdev", "-j", *words], stdout=subprocess.PIPE, env=env, check=True).stdout)


def why(pid):
	"""Why the last program of that process ran where it ran."""
	return superdev("explain", str(pid))["why"]


def stays(sentence, reason, run):
	"""A program that prints 'here'; by a process of its own, whose decision is looked up."""
	read, write = os.pipe()
	pid = os.fork()
	if not pid:
		os.dup2(write, 1)
		os.environ["SPREAD"] = "show"
		try:
			run()
		except OSError as error:
			os.write(2, b"%s\n" % str(error).encode())
		os._exit(99)
	os.close(write)
	said = b""
	while True:
		more = os.read(read, 4096)
		if not more:
			break
		said += more
	os.close(read)
	os.waitpid(pid, 0)
	try:
		text = why(pid)
	except subprocess.CalledProcessError:
		text = "(unknown)"
	case(sentence, said == b"here\n" and reason in text, said, text)


def away(path, *argv):
	return [DEPUTY, "--lease", LEASE, "--", path, *argv]


tree = "/tmp/spread"
shutil.rmtree(tree, ignore_errors=True)
os.makedirs(tree)
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tree], check=True, env=dict(os.environ, SPREAD=""))
os.chdir(tree)


def program(name, text=None):
	"""A program that prints 'here' with arguments -e here."""
	path = os.path.join(tree, name)
	if text is None:
		shutil.copy("/bin/echo", path)
	else:
		with open(path, "w") as out:
			out.write(text)
	os.chmod(path, 0o755)
	return path


# What the deputy gets ---------------------------------------------------------
case("the deputy gets the path, and the arguments from the program's own name on",
	show(["name", "a", "", "b c"], executable="/bin/echo") == away("/bin/echo", "name", "a", "b c"),
	show(["name", "a", "", "b c"], executable="/bin/echo"))
program("echo")
case("of a name relative to the folder it gets the whole path", show(["./echo", "x"]) == away(tree + "/./echo", "./echo", "x"),
	show(["./echo", "x"]))
program("script", "#!/bin/sh -e\necho here\n")
case("a script is decided on, not its interpreter, and is told the name that was used",
	show(["./script", "x"]) == away("./script", "./script", "x"), show(["./script", "x"]))
case("a script by its path", show([tree + "/script"]) == away(tree + "/script", tree + "/script"))
os.symlink("echo", "link")
case("a link stays what it was called", show([tree + "/link"]) == away(tree + "/link", tree + "/link"))
def fds():
	read, write = os.pipe()
	done = subprocess.run(["/bin/true"], stdout=subprocess.PIPE, pass_fds=[read, write], env=dict(os.environ, SPREAD="show"))
	got = {int(line[3:]) for line in done.stdout.decode().split("\n") if line.startswith("fd ")}
	return got == {0, 1, 2, read, write}
case("the deputy has the program's descriptors and no others", fds())
def same_process():
	child = subprocess.Popen(["/bin/sh", "-c", "echo $$"], stdout=subprocess.PIPE)
	return int(child.communicate()[0]) == child.pid
case("a deputy that gives up becomes the program, in the same process", same_process())
case("and that is not asked again", show(["/bin/sh", "-c", "exec /bin/true"]) is not None and
	subprocess.run(["/bin/echo", "x"], stdout=subprocess.PIPE).stdout == b"x\n")
def told():
	child = subprocess.Popen(["/bin/true"])
	child.wait()
	return why(child.pid) == "the lender did not take it"
case("it is told that the program runs here after all", told())
case("exit statuses come through", subprocess.run(["/bin/sh", "-c", "exit 7"]).returncode == 7)
def missing():
	try:
		subprocess.run(["/no/such/program"])
	except FileNotFoundError:
		return True
case("a program that does not exist is reported as ever", missing())
def not_executable():
	with open("text", "w") as out:
		out.write("no program\n")
	try:
		subprocess.run([tree + "/text"])
	except PermissionError:
		pass
	else:
		return False
	os.chmod("text", 0o755)
	try:
		subprocess.run([tree + "/text"])
	except OSError as error:
		return error.errno == errno.ENOEXEC
case("what is no program is reported as ever", not_executable())

# What stays -------------------------------------------------------------------
def run(path, **more):
	return lambda: os.execv(path, [os.path.basename(path), "here"])
path = program("setuid")
os.chmod(path, 0o4755)
stays("a set-user-ID program stays", "set-user-ID", run(path))
path = program("setgid")
os.chmod(path, 0o2755)
stays("a set-group-ID program stays", "set-user-ID", run(path))
path = program("caps")
# cap_net_raw+ep, version 2.
os.setxattr(path, "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
stays("a program with capabilities stays", "capabilities", run(path))
path = program("unreadable")
os.chmod(path, 0o111)
def as_nobody():
	os.setgid(65534)
	os.setuid(65534)
	os.execv(path, ["x", "here"])
stays("what can be executed but not read stays", "can't be read", as_nobody)
def two_users():
	os.setresuid(0, 65534, 0)
	os.execv("/bin/echo", ["echo", "here"])
stays("who has the rights of two users stays", "two users", two_users)
def sandboxed():
	libc.prctl(38, 1, 0, 0, 0)
	os.execv("/bin/echo", ["echo", "here"])
stays("who can gain no rights any more, as in a sandbox, stays", "sandbox", sandboxed)
def less_than_root():
	"""CAP_DAC_OVERRIDE is no longer effective."""
	head = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
	data = ctypes.create_string_buffer(24)
	libc.syscall(125, head, data)
	data[0] = bytes([data.raw[0] & ~2])
	libc.syscall(126, head, data)
	os.execv("/bin/echo", ["echo", "here"])
stays("root without all rights to files stays", "root without", less_than_root)
def deleted():
	program("gone")
	fd = os.open(tree + "/gone", os.O_RDONLY | os.O_CLOEXEC)
	os.unlink(tree + "/gone")
	os.execve(fd, ["gone", "here"], dict(os.environ))
stays("a file without a path stays", "no path", deleted)
def memory():
	fd = os.memfd_create("program")
	with open("/bin/echo", "rb") as source:
		os.write(fd, source.read())
	os.execve(fd, ["memfd", "here"], dict(os.environ))
stays("a memfd stays", "no path", memory)
def chroot():
	os.chroot("/")
	os.chdir(tree)
	os.execv("/bin/echo", ["echo", "here"])
def other_root():
	for name in ("bin", "lib", "lib64", "usr"):
		os.makedirs(tree + "/root/" + name, exist_ok=True)
	os.makedirs(tree + "/root", exist_ok=True)
	CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18
	libc.unshare(CLONE_NEWNS)
	os.execv("/bin/echo", ["echo", "here"])
stays("a process with other mounts stays", "other mounts", other_root)
def bound_root():
	libc.mount(b"/", (tree + "/root").encode(), None, 4096, None)
	os.chroot(tree + "/root")
	os.execv("/bin/echo", ["echo", "here"])
stays("a process with another root stays", "another root", bound_root)
libc.umount2((tree + "/root").encode(), 2)
with open("/bin/true", "rb") as source:
	image = bytearray(source.read())
def elf(name, at, byte):
	bad = bytearray(image)
	bad[at] = byte
	with open(tree + "/" + name, "wb") as out:
		out.write(bad)
	os.chmod(tree + "/" + name, 0o755)
	pid = os.fork()
	if not pid:
		os.environ["SPREAD"] = "show"
		try:
			os.execv(tree + "/" + name, [name])
		except OSError:
			os._exit(77)
	status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
	# What of its header is not looked at here, execve() may run.
	return status in (0, 77) and "kind of machine" in why(pid)
case("a program of 32 bit stays, for execve() to judge", elf("elf32", 4, 1))
case("a program of another machine stays", elf("arm", 18, 183))
case("a program of the other byte order stays", elf("msb", 5, 2))
case("what is neither program nor library stays", elf("core", 16, 4))
program("nested", "#!%s/script\n" % tree)
stays("a script of a script stays", "interpreter is no program", run(tree + "/nested"))
program("relative", "#!sh\necho here\n")
program("sh", "#!/bin/sh\necho here\n")
shutil.copy("/bin/sh", tree + "/sh")
stays("a script with a relative interpreter stays", "first line", run(tree + "/relative"))
path = program("suid-sh")
shutil.copy("/bin/sh", path)
os.chmod(path, 0o4755)
program("suid-script", "#!%s\necho here\n" % path)
stays("a script with a set-user-ID interpreter stays", "set-user-ID", run(tree + "/suid-script"))
def traced():
	libc.ptrace(0, 0, 0, 0)
	os.execv("/bin/echo", ["echo", "here"])
def ptrace_case():
	read, write = os.pipe()
	pid = os.fork()
	if not pid:
		os.dup2(write, 1)
		os.environ["SPREAD"] = "show"
		traced()
	os.close(write)
	while True:
		_, status = os.waitpid(pid, 0)
		if not os.WIFSTOPPED(status):
			break
		libc.ptrace(7, pid, 0, 0)
	said = os.read(read, 100)
	return said == b"here\n" and why(pid) == "it is traced"
case("a traced program stays", ptrace_case())

# Limits -----------------------------------------------------------------------
def longest():
	"""Arguments that fit, but not with the deputy's before them."""
	soft, hard = 512 * 1024, -1
	import resource
	resource.setrlimit(resource.RLIMIT_STACK, (soft, resource.getrlimit(resource.RLIMIT_STACK)[1]))
	went = stayed = 0
	for size in range(126000, 131100, 8):
		pid = os.fork()
		if not pid:
			os.environ.clear()
			os.environ["SPREAD"] = "show"
			os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
			try:
				os.execv("/bin/echo", ["echo", "x" * size])
			except OSError as error:
				os._exit(100 + (error.errno != errno.E2BIG))
		status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
		if status == 42:
			went += 1
		elif status == 0:
			stayed += 1
		elif status == 100:
			break
		else:
			return False, status
	return went > 0 and stayed > 0, went, stayed
def in_child(function):
	read, write = os.pipe()
	pid = os.fork()
	if not pid:
		os.write(write, repr(function()).encode())
		os._exit(0)
	os.close(write)
	os.waitpid(pid, 0)
	return eval(os.read(read, 1000))
result = in_child(longest)
case("arguments to which the deputy's are too much stay, the longest are refused as ever", result[0], *result)
case("a long path", show(["x", "y"], executable="/" + "./" * 2000 + "bin/echo") == away("/" + "./" * 2000 + "bin/echo", "x", "y"))

# Threads, many ----------------------------------------------------------------
def from_thread():
	pid = os.fork()
	if not pid:
		def go():
			os.environ["SPREAD"] = ""
			os.execv("/bin/sh", ["sh", "-c", "exit 5"])
		threading.Thread(target=go).start()
		threading.Event().wait()
	return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
case("a thread's exec takes the whole process, as ever", from_thread())
case("a thousand in a row", subprocess.run(["/bin/sh", "-c",
	"i=0; while [ $i -lt 1000 ]; do /bin/true || exit 1; i=$((i+1)); done"]).returncode == 0)
def at_once():
	children = [subprocess.Popen(["/bin/sh", "-c", "i=0; while [ $i -lt 100 ]; do /bin/true || exit 1; i=$((i+1)); done"])
		for _ in range(8)]
	return all(child.wait() == 0 for child in children)
case("eight at once, a hundred times", at_once())

# What is told -----------------------------------------------------------------
child = subprocess.Popen(["/bin/sleep", "1000"], env=dict(os.environ, SPREAD="stay"))
def listed(pid):
	return [task for task in superdev("task", "list") if task["pid"] == pid]
for _ in range(100):
	if listed(child.pid):
		break
tasks = listed(child.pid)
case("a program that is elsewhere is listed, with its path, lease and reason", len(tasks) == 1 and
	tasks[0]["program"] == "/bin/sleep" and str(tasks[0]["lease"]) == LEASE and tasks[0]["peer"] == "lender" and
	tasks[0]["why"] == "the test wants it away", tasks)
told = superdev("explain", str(child.pid))
case("and explained, with the figures", told["policy"] == "test" and told["cpus"] == os.cpu_count() and
	told["leases"] == 1 and told["candidates"][0]["peer"] == "lender" and told["candidates"][0]["cpus"] == 2, told)
def as_user():
	pid = os.fork()
	if not pid:
		os.setgid(65534)
		os.setuid(65534)
		own = [task["uid"] == 65534 for task in superdev("task", "recent")]
		os._exit(0 if superdev("task", "list") == [] and own and all(own) else 1)
	return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
case("others do not see it", as_user())
os.system("SPREAD= pkill -P %d" % child.pid)
child.wait()
case("when it has ended it is listed no more", not listed(child.pid))
case("and is explained still", superdev("explain", str(child.pid))["ended"])
# What is used there -------------------------------------------------------------
def use(reports, argv=("/bin/true",), look=None):
	"""A deputy whose program has used that; what the kernel said, wait4's figures, what look() sees meanwhile."""
	text = ";".join(",".join(str(figure) for figure in report) for report in reports)
	child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ, SPREAD="used", USED=text))
	answers = [int(child.stdout.readline()) for _ in range(len(reports) + 1)]
	seen = look(child.pid) if look else None
	child.stdin.close()
	_, status, usage = os.wait4(child.pid, 0)
	child.stdout.close()
	child.returncode = os.waitstatus_to_exitcode(status)
	return answers, usage, seen, child.pid
def is_near(seconds, want):
	return want <= seconds < want + 1
before = resource.getrusage(resource.RUSAGE_CHILDREN)
answers, usage, task, pid = use([(1000000, 0, 0, 5), (3000000, 1500000, 3000000, 1000, 200, 3000, 4000, 50000, 60000)],
	look=lambda pid: listed(pid)[0])
after = resource.getrusage(resource.RUSAGE_CHILDREN)
case("a deputy tells what its program uses, and its child does not", answers == [0, 0, errno.EPERM], answers)
case("its parent's wait4() has it, once", is_near(usage.ru_utime, 3) and is_near(usage.ru_stime, 1.5) and usage.ru_maxrss == 3000000 and
	1000 <= usage.ru_minflt < 3000 and 200 <= usage.ru_majflt < 300 and 3000 <= usage.ru_inblock < 4000 and
	4000 <= usage.ru_oublock < 5000 and 50000 <= usage.ru_nvcsw < 51000 and 60000 <= usage.ru_nivcsw < 61000, usage)
case("and so have its children's times", is_near(after.ru_utime - before.ru_utime, 3) and is_near(after.ru_stime - before.ru_stime, 1.5),
	before, after)
case("it is listed while it runs", task["used_us"] == 4500000 and task["utime_us"] == 3000000 and task["maxrss_kb"] == 3000000, task)
recent = [task for task in superdev("task", "recent") if task["pid"] == pid]
case("and among the last decisions, later", len(recent) == 1 and recent[0]["used_us"] == 4500000, recent)
answers, usage, _, _ = use([(3000000, 2000000), (2000000, 2000000), (3000000, 2000000)])
case("figures that go back are refused, and cost nothing", answers == [0, errno.EINVAL, 0, errno.EPERM] and is_near(usage.ru_utime, 3) and
	is_near(usage.ru_stime, 2), answers, usage)
answers, usage, _, _ = use([(10**15,), (0, 2**64 - 1), (0, 0, 2**43), (0, 0, 0, 10**15), (0, 0, 0, 0, 0, 0, 0, 0, 2**64 - 1), (1000000,)])
case("and so are figures of no machine", answers == [errno.ERANGE] * 5 + [0, errno.EPERM] and is_near(usage.ru_utime, 1) and
	usage.ru_stime < 1 and usage.ru_maxrss < 1000000 and usage.ru_nivcsw < 10000, answers, usage)
answers, usage, _, _ = use([(3000000,)], argv=(DEPUTY,))
case("who is no deputy is refused", answers == [errno.EPERM] * 2 and usage.ru_utime < 2, answers, usage)
os.chdir("/")
subprocess.run(["umount", "-l", tree], check=True)
sys.exit(failed)
