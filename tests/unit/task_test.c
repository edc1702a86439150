// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task_test.c: programs run at a lender, and nobody can tell.
 *
 * Deputy and guest are the programs themselves, on one machine: it is root's,
 * with user namespaces.
 */
#include <grp.h>

#include "task_job.h"

TEST("a program's exit status is the deputy's")
{
	job_run("exit 0");
	CHECK(job_exited(0));
	job_run("exit 7");
	CHECK(job_exited(7));
	job_run("exit 255");
	CHECK(job_exited(255));
}

TEST("a program that a signal ends ends its deputy by the same")
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGSEGV, SIGABRT, SIGUSR1, SIGHUP };
	char script[32];

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		snprintf(script, sizeof(script), "kill -%d $$", signals[i]);
		job_run(script);
		CHECK(job_signalled(signals[i]) && !WCOREDUMP(job.status));
	}
}

TEST("output and errors come out where they belong, input goes in, and its end does")
{
	job_new("echo out; echo err >&2; cat; echo end");
	job_start();
	CHECK(write(job.in, "in\n", 3) == 3);
	job_end();
	CHECK(job_ran_there() && job_exited(0));
	CHECK(!strcmp(job.out, "out\nin\nend\n") && !strcmp(job.err, "err\n"));
}

TEST("it runs in other namespaces than the deputy, without capabilities")
{
	job_run("cat /proc/self/uid_map; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status");
	CHECK(strstr(job.out, "1048576"));
	CHECK(strstr(job.out, "CapEff:\t0000000000000000") && strstr(job.out, "CapBnd:\t0000000000000000"));
	CHECK(strstr(job.out, "NoNewPrivs:\t1") && strstr(job.out, "Seccomp:\t2"));
}

static void setup_as_home(void)
{
	const struct rlimit files = { 77, 99 };
	const gid_t groups[] = { 4242, 4343 };

	umask(027);
	if (chdir("/usr/share") || setpriority(PRIO_PROCESS, 0, 5) || setrlimit(RLIMIT_NOFILE, &files) ||
	    setgroups(2, groups) || setresgid(1234, 1234, 1234) || setresuid(4321, 4321, 4321))
		_exit(98);
	setenv("MARK", "of home", 1);
}

TEST("directory, umask, limits, priority, users, environment, pids and host name are home's")
{
	char line[128], host[65];

	job_new("pwd; umask; ulimit -Sn; ulimit -Hn; nice; id -u; id -g; id -G; echo \"$MARK\"; echo $$; echo $PPID; "
		"hostname");
	job.setup = setup_as_home;
	job_start();
	job_end();
	CHECK(job_ran_there() && job_exited(0));
	gethostname(host, sizeof(host));
	snprintf(line, sizeof(line),
		 "/usr/share\n0027\n77\n99\n5\n4321\n1234\n1234 4242 4343\nof home\n%d\n%d\n%s\n", job.deputy,
		 getpid(), host);
	CHECK(!strcmp(job.out, line));
}

static void setup_signals(void)
{
	sigset_t mask;

	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

TEST("signals that home blocks or ignores are blocked or ignored")
{
	job_new("exec grep -E '^Sig(Blk|Ign):' /proc/self/status");
	job.setup = setup_signals;
	job_start();
	job_end();
	CHECK(job_ran_there());
	CHECK(strstr(job.out, "SigBlk:\t0000000000000800") && strstr(job.out, "SigIgn:\t0000000000000200"));
}

static void setup_group(void)
{
	setpgid(0, 0);
}

TEST("who leads its process group there leads it here, who does not does not")
{
	char line[64];

	job_new("ps -o pid=,pgid= -p $$");
	job.setup = setup_group;
	job_start();
	job_end();
	snprintf(line, sizeof(line), "%d", job.deputy);
	CHECK(job_ran_there() && strstr(job.out, line) && strstr(strstr(job.out, line) + 1, line));
	job_run("ps -o pgid= -p $$");
	CHECK(atoi(job.out) == getpgrp());
}

TEST("a program's parent can't be harmed by it, and it stays")
{
	job_run("kill -9 $PPID; kill -0 1 && kill -0 $PPID; sleep 0.1; grep PPid /proc/self/status; "
		"ps -o stat= -p $PPID");
	CHECK(strstr(job.out, "S"));
}

TEST("signals sent to the deputy are the program's")
{
	job_new("trap 'echo usr1; exit 3' USR1; echo ready; while :; do sleep 0.05; done");
	job_start();
	job_read("ready");
	CHECK(!kill(job.deputy, SIGUSR1));
	job_end();
	CHECK(job_exited(3) && !strcmp(job.out, "ready\nusr1\n"));

	job_new("echo ready; exec sleep 100");
	job_start();
	job_read("ready");
	CHECK(!kill(job.deputy, SIGTERM));
	job_end();
	CHECK(job_signalled(SIGTERM));
}

TEST("a program that is stopped stops its deputy, and goes on with it")
{
	int status;

	job_new("echo ready; kill -STOP $$; echo again");
	job_start();
	job_read("ready");
	CHECK(waitpid(job.deputy, &status, WUNTRACED) == job.deputy && WIFSTOPPED(status));
	CHECK(WSTOPSIG(status) == SIGSTOP);
	CHECK(!kill(job.deputy, SIGCONT));
	job_end();
	CHECK(job_exited(0) && !strcmp(job.out, "ready\nagain\n"));
}

TEST("a stop that is asked for at home stops the program first")
{
	int status;

	/* It counts only while it runs. */
	job_new("trap 'echo stopping; kill -STOP $$; echo on' TSTP; echo ready; "
		"while [ ! -e /proc/self/nothing ]; do sleep 0.05; done");
	job.setup = setup_group;
	job_start();
	job_read("ready");
	CHECK(!kill(job.deputy, SIGTSTP));
	CHECK(waitpid(job.deputy, &status, WUNTRACED) == job.deputy && WIFSTOPPED(status));
	job_read("stopping");
	CHECK(!kill(job.deputy, SIGCONT));
	job_read("on\n");
	CHECK(!kill(job.deputy, SIGTERM));
	job_end();
	CHECK(job_signalled(SIGTERM));
}

TEST("who writes to a pipe that home has closed gets SIGPIPE")
{
	job_new("trap 'echo $? >&2' EXIT; yes; echo \"yes: $?\" >&2");
	job_start();
	job_read("y\ny\n");
	job_close(&job.out_fd);
	job_read(NULL);
	job_end();
	CHECK(job_exited(0) && strstr(job.err, "yes: 141"));
}

TEST("home's writer gets EPIPE when the program closes its input")
{
	char block[4096] = { 0 };
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	job_new("exec 0<&-; echo closed; exec sleep 100");
	job_start();
	job_read("closed");
	do
		n = write(job.in, block, sizeof(block));
	while (n > 0);
	CHECK(n < 0 && errno == EPIPE);
	kill(job.deputy, SIGTERM);
	job_end();
	CHECK(job_signalled(SIGTERM));
}

TEST("what others read from the same file begins where the program has stopped")
{
	int fd = job_file("one\ntwo\nthree\n");

	job_new("read line; echo $line");
	job.input = fd;
	job_start();
	job_end();
	CHECK(job_ran_there() && !strcmp(job.out, "one\n") && lseek(fd, 0, SEEK_CUR) == 4);
	job_new("exec cat");
	job.input = fd;
	job_start();
	job_end();
	CHECK(job_ran_there() && !strcmp(job.out, "two\nthree\n"));
	close(fd);
}

static int sink;

static void setup_append(void)
{
	dup2(sink, 1);
	dup2(sink, 2);
}

TEST("output and errors that are one file stay in order in it")
{
	char text[64] = "";

	sink = job_file("");
	job_new("for i in 1 2 3; do echo out$i; echo err$i >&2; done");
	job.setup = setup_append;
	job_start();
	job_end();
	CHECK(job_exited(0));
	CHECK(pread(sink, text, sizeof(text) - 1, 0) == 30);
	CHECK(!strcmp(text, "out1\nerr1\nout2\nerr2\nout3\nerr3\n"));
	close(sink);
}

#define BIG (100u << 20)

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 24);
}

/* In a process of its own: writes BIG bytes and ends. */
static void feed(int fd)
{
	static uint8_t block[65536];
	size_t done = 0;

	while (done < BIG) {
		size_t len = 0;

		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = byte_at(done + i);
		while (len < sizeof(block)) {
			ssize_t n = write(fd, block + len, sizeof(block) - len);

			if (n <= 0)
				_exit(1);
			len += (size_t)n;
		}
		done += len;
	}
	_exit(0);
}

TEST("100 MiB through a program are byte for byte the same, however slow they are read")
{
	static uint8_t block[65536];
	const struct timespec pause = { .tv_nsec = 3000000 };
	size_t done = 0;
	pid_t feeder;
	ssize_t n;

	job_new("exec cat");
	job.is_tcp = true;
	job_start();
	feeder = fork();
	if (!feeder)
		feed(job.in);
	job_close(&job.in);
	while ((n = read(job.out_fd, block, sizeof(block))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			CHECK(block[i] == byte_at(done + (size_t)i));
		done += (size_t)n;
		/* Now and then nobody reads for a while. */
		if (done % 100 < 5)
			nanosleep(&pause, NULL);
	}
	CHECK(done == BIG);
	job_end();
	CHECK(job_ran_there() && job_exited(0) && !job_reap(feeder));
}

TEST("output that nobody reads blocks its writer and nothing else")
{
	job_new("yes & echo $! >&2; trap 'echo got it >&2; kill -9 $!; exit 4' USR1; "
		"while :; do sleep 0.05; echo alive >&2; done");
	job_start();
	/* Nobody reads job.out_fd; errors and signals go on all the same. */
	for (size_t at = 0; !strstr(job.err + at, "alive");)
		CHECK(job_take(&job.err_fd, job.err, &job.err_len));
	CHECK(!kill(job.deputy, SIGUSR1));
	while (!strstr(job.err, "got it"))
		CHECK(job_take(&job.err_fd, job.err, &job.err_len));
	job_close(&job.out_fd);
	job_end();
	CHECK(job_exited(4));
}

static char *huge[64];

TEST("arguments and environment may be as large as Linux lets them be")
{
	static const char *argv[48] = { "sh", "-c", "echo $# ${#1} ${#BIG}; cat /proc/self/cmdline | wc -c",
					"sh" };
	size_t nr = 4;

	for (; nr < 4 + 14; nr++) {
		huge[nr] = malloc(131000);
		memset(huge[nr], 'a' + (int)nr, 130999);
		huge[nr][130999] = 0;
		argv[nr] = huge[nr];
	}
	argv[nr] = NULL;
	setenv("BIG", huge[4], 1);
	job_new(NULL);
	job.argv = argv;
	job_start();
	job_end();
	unsetenv("BIG");
	for (size_t i = 4; i < nr; i++)
		free(huge[i]);
	CHECK(job_ran_there() && job_exited(0));
	CHECK(!strncmp(job.out, "14 130999 130999\n", 17));
}

TEST("frames with checksums, over TCP")
{
	job_new("cat; exit 9");
	job.is_tcp = true;
	job.is_clear = true;
	job_start();
	CHECK(write(job.in, "in\n", 3) == 3);
	job_end();
	CHECK(job_ran_there() && job_exited(9) && !strcmp(job.out, "in\n"));
}

TEST("processes that a program leaves behind write on after it has ended")
{
	job_new("(sleep 0.3; echo late) & echo early; exit 6");
	job_start();
	job_read("early\n");
	job.status = job_reap(job.deputy);
	CHECK(job_exited(6));
	job.deputy = 0;
	job_close(&job.cut);
	job_read("late\n");
	job_read(NULL);
	CHECK(job_ran_there());
	CHECK(WIFEXITED(job_reap(job.guest)));
	job.guest = 0;
}

TEST("a program that the lender does not have runs here, and fails as it would")
{
	job_new(NULL);
	job.path = "/nonexistent";
	job.argv = (const char *const[]){ "nonexistent", NULL };
	job_start();
	job_end();
	CHECK(!job_ran_there() && strstr(job.err, "can't execute /nonexistent") && job_exited(127));
}

static void setup_message(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) || dup2(fds[0], 9) < 0)
		_exit(98);
}

TEST("what can't be relayed keeps a program here")
{
	job_new("echo here; exit 3");
	job.setup = setup_message;
	job_start();
	job_end();
	CHECK(!job_ran_there() && job_exited(3) && !strcmp(job.out, "here\n"));
}

static void setup_high_user(void)
{
	if (setgroups(0, NULL) || setresgid(70000, 70000, 70000) || setresuid(70000, 70000, 70000))
		_exit(98);
}

TEST("users that the lender can't map keep a program here")
{
	job_new("id -u");
	job.setup = setup_high_user;
	job_start();
	job_end();
	CHECK(!job_ran_there() && job_exited(0) && !strcmp(job.out, "70000\n"));
}

/* A lender of the test's: takes what comes until the connection has nothing more. */
static void lender_read_some(size_t least)
{
	static uint8_t block[65536];
	size_t done = 0;

	while (done < least) {
		ssize_t n = read(job.lender, block, sizeof(block));

		CHECK(n > 0);
		done += (size_t)n;
	}
}

TEST("a connection that is cut before the start is as if there had been none")
{
	job_new("cat; exit 5");
	job.has_no_lender = true;
	job_start();
	CHECK(write(job.in, "in\n", 3) == 3);
	lender_read_some(64);
	job_close(&job.lender);
	job_end();
	CHECK(!job_ran_there() && job_exited(5) && !strcmp(job.out, "in\n"));
}

TEST("a lender that says nonsense does not run the program, home does")
{
	char nonsense[256];

	memset(nonsense, 0x5a, sizeof(nonsense));
	job_new("cat; exit 5");
	job.has_no_lender = true;
	job_start();
	lender_read_some(64);
	CHECK(send(job.lender, nonsense, sizeof(nonsense), MSG_NOSIGNAL) == sizeof(nonsense));
	job_end();
	CHECK(!job_ran_there() && job_exited(5));
}

static int tokens[2];

static void has_tokens(void)
{
	char flags[64];

	snprintf(flags, sizeof(flags), " -j3 --jobserver-auth=%d,%d", tokens[0], tokens[1]);
	setenv("MAKEFLAGS", flags, 1);
	fcntl(tokens[0], F_SETFD, 0);
	fcntl(tokens[1], F_SETFD, 0);
}

TEST("make's tokens are not read ahead: where they would be, the program runs here")
{
	char text[8];

	CHECK(!pipe2(tokens, O_CLOEXEC) && write(tokens[1], "++", 2) == 2);
	job_new("exit 3");
	job.setup = has_tokens;
	job_start();
	job_end();
	CHECK(!job_ran_there() && job_exited(3));
	CHECK(read(tokens[0], text, sizeof(text)) == 2);
	close(tokens[0]);
	close(tokens[1]);
}

TEST("a signal that comes before the start is the program's, here")
{
	job_new("echo here; exec sleep 100");
	job.has_no_lender = true;
	job_start();
	lender_read_some(64);
	CHECK(!kill(job.deputy, SIGTERM));
	job_end();
	CHECK(job_signalled(SIGTERM));
}

TEST("a connection that is cut later ends the program there, and is a kill here")
{
	job_new("echo ready; exec sleep 1000");
	job_start();
	job_read("ready");
	CHECK(!shutdown(job.cut, SHUT_RDWR));
	job_end();
	CHECK(job_signalled(SIGKILL) && strstr(job.err, "lost the lender"));
	CHECK(WIFEXITED(job.guest_status));
}

TEST("a guest's host that is killed is a kill here")
{
	job_new("echo ready; exec sleep 1000");
	job_start();
	job_read("ready");
	CHECK(!kill(job.guest, SIGKILL));
	job_end();
	CHECK(job_signalled(SIGKILL) && strstr(job.err, "lost the lender"));
}

TEST("a deputy that is killed takes its program with it")
{
	char marker[64];

	snprintf(marker, sizeof(marker), "sleep 98%d", getpid());
	job_new(NULL);
	job.argv = (const char *const[]){ "sh", "-c", "echo ready; exec $0", marker, NULL };
	job_start();
	job_read("ready");
	CHECK(!kill(job.deputy, SIGKILL));
	job_end();
	CHECK(job_signalled(SIGKILL) && WIFEXITED(job.guest_status));
	snprintf(marker, sizeof(marker), "pgrep -f 'slee[p] 98%d' >/dev/null", getpid());
	CHECK(system(marker) != 0);
}

TEST("a program that ignores every signal ends with its host")
{
	job_new("trap '' HUP INT QUIT TERM USR1 USR2 TSTP; (trap '' HUP TERM; setsid sleep 1000) & "
		"echo ready; while :; do sleep 1; done");
	job_start();
	job_read("ready");
	CHECK(!shutdown(job.cut, SHUT_RDWR));
	job_end();
	CHECK(WIFEXITED(job.guest_status));
}

TEST("a guest has as many processes as it is let, and no more")
{
	static const char *const limited[] = { "--pids", "64", NULL };
	static const char script[] = "for i in $(seq 100); do sleep 60 & done; echo all of them";

	job_new(script);
	job.guest_args = limited;
	job_start();
	job.status = job_reap(job.deputy);
	job.deputy = 0;
	CHECK(!shutdown(job.cut, SHUT_RDWR));
	job_read(NULL);
	CHECK(job_ran_there() && strstr(job.err, "fork") && !strstr(job.out, "all of them"));
	job_reap(job.guest);
	job.guest = 0;
	/* Without the limit it has them: so it is the limit. */
	job_new(script);
	job_start();
	job_read("all of them");
	CHECK(!shutdown(job.cut, SHUT_RDWR));
	job_end();
	CHECK(job_ran_there());
}

TEST("a fork bomb stays within its limit, and nothing of it is left")
{
	static const char *const limited[] = { "--pids", "64", NULL };

	job_new("bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 0.5; echo through; kill -9 -1");
	job.guest_args = limited;
	job_start();
	job_read("through");
	CHECK(!shutdown(job.cut, SHUT_RDWR));
	job_end();
	CHECK(WIFEXITED(job.guest_status));
}

static unsigned int count(const char *command)
{
	char text[64] = "";
	FILE *f = popen(command, "re");

	CHECK(f && fgets(text, sizeof(text), f));
	pclose(f);
	return (unsigned int)atoi(text);
}

TEST("a thousand programs leave nothing behind")
{
	unsigned int fds, processes, mounts, ptys;

	job_run("exit 1");
	fds = count("ls /proc/$PPID/fd | wc -l");
	processes = count("ls -d /proc/[0-9]* | wc -l");
	mounts = count("wc -l </proc/self/mountinfo");
	ptys = count("ls /dev/pts | wc -l");
	for (int i = 0; i < 1000; i++) {
		job_run("exit 1");
		CHECK(job_exited(1));
	}
	CHECK(count("ls /proc/$PPID/fd | wc -l") == fds);
	CHECK(count("wc -l </proc/self/mountinfo") == mounts);
	CHECK(count("ls /dev/pts | wc -l") == ptys);
	/* Others come and go on this machine: a leak would be a thousand. */
	CHECK(count("ls -d /proc/[0-9]* | wc -l") < processes + 100);
}

int main(void)
{
	if (geteuid()) {
		printf("needs root, for namespaces of other users\n");
		return 77;
	}
	signal(SIGPIPE, SIG_IGN);
	return test_main("task");
}
