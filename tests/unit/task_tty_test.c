// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task_tty_test.c: programs on a terminal at home that run at a lender.
 *
 * The test holds the master of a pseudo terminal.  A child of it is the shell:
 * session leader, with the deputy as a job in the foreground, or not.
 */
#include <sys/ioctl.h>
#include <termios.h>

#include "task_job.h"

static struct {
	int master, control, events; /* control: commands to the shell; events: what becomes of its job */
	pid_t shell;
	struct termios before;
} tty;

static const char *tty_name(void)
{
	static char name[64];

	CHECK(!ptsname_r(tty.master, name, sizeof(name)));
	return name;
}

/* The job's state, as waitpid() has it, goes to @events; 'f' continues it in the foreground. */
static _Noreturn void shell_run(pid_t deputy, int control, int events)
{
	struct pollfd poller = { .fd = control, .events = POLLIN };
	char command;
	int status;

	for (;;) {
		pid_t pid = waitpid(deputy, &status, WNOHANG | WUNTRACED);

		if (pid == deputy && WIFSTOPPED(status))
			tcsetpgrp(0, getpgrp());
		if (pid == deputy && write(events, &status, sizeof(status)) != sizeof(status))
			_exit(1);
		if (pid == deputy && !WIFSTOPPED(status))
			_exit(0);
		if (poll(&poller, 1, 5) <= 0)
			continue;
		if (read(control, &command, 1) != 1)
			_exit(0);
		if (command == 'f' || command == 'F')
			tcsetpgrp(0, deputy);
		if (command == 'f' || command == 'b')
			kill(-deputy, SIGCONT);
	}
}

static _Noreturn void shell(const char *name, bool is_background, int control, int events)
{
	char path[PATH_MAX];
	const char *args[] = { "superdev-deputy", "--fd", "60", "--verbose", "--",
			       "/bin/sh",         "sh",   "-c", job.script,  NULL };
	pid_t deputy;
	int fd;

	job_path(path, "superdev-deputy");
	signal(SIGTTOU, SIG_IGN);
	close(tty.master);
	setsid();
	fd = open(name, O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0))
		_exit(97);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	close(fd);
	deputy = fork();
	if (!deputy) {
		setpgid(0, 0);
		if (!is_background)
			tcsetpgrp(0, getpid());
		signal(SIGTTOU, SIG_DFL);
		dup2(job.home, 60);
		execv(path, (char **)args);
		_exit(99);
	}
	setpgid(deputy, deputy);
	close(job.home);
	close(job.lender);
	shell_run(deputy, control, events);
}

static void tty_start(const char *script, bool is_background)
{
	const struct winsize size = { .ws_row = 31, .ws_col = 71 };
	char guest[PATH_MAX];
	int control[2], events[2];

	if (tty.shell > 0) {
		kill(tty.shell, SIGKILL);
		close(tty.master);
		close(tty.control);
		close(tty.events);
	}
	job_new(script);
	job_path(guest, "superdev-guest");
	job_connect();
	tty.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(tty.master >= 0 && !grantpt(tty.master) && !unlockpt(tty.master));
	CHECK(!ioctl(tty.master, TIOCSWINSZ, &size) && !tcgetattr(tty.master, &tty.before));
	CHECK(!pipe2(control, O_CLOEXEC) && !pipe2(events, O_CLOEXEC));
	fflush(stdout);
	job.guest = fork();
	if (!job.guest)
		job_exec_guest(guest);
	tty.shell = fork();
	if (!tty.shell)
		shell(tty_name(), is_background, control[0], events[1]);
	close(control[0]);
	close(events[1]);
	tty.control = control[1];
	tty.events = events[0];
	close(job.home);
	close(job.lender);
	job.out_fd = tty.master;
}

/* What next becomes of the job. */
static int tty_event(void)
{
	struct pollfd poller = { .fd = tty.events, .events = POLLIN };
	int status;

	CHECK(poll(&poller, 1, JOB_SECONDS * 1000) == 1);
	CHECK(read(tty.events, &status, sizeof(status)) == sizeof(status));
	return status;
}

static void tty_read(const char *what)
{
	int64_t end = job_now_ms() + JOB_SECONDS * 1000;

	while (!strstr(job.out, what)) {
		struct pollfd poller = { .fd = tty.master, .events = POLLIN };
		ssize_t n;

		if (job_now_ms() >= end)
			printf("# so far: %s\n", job.out);
		CHECK(job_now_ms() < end);
		if (poll(&poller, 1, 1000) <= 0)
			continue;
		n = read(tty.master, job.out + job.out_len, JOB_TEXT - 1 - job.out_len);
		if (n <= 0)
			printf("# at the end: %s; what became of the job: %x\n", job.out,
			       (unsigned int)tty_event());
		CHECK(n > 0);
		job.out_len += (size_t)n;
		job.out[job.out_len] = 0;
	}
}

static void tty_type(const char *text)
{
	CHECK(write(tty.master, text, strlen(text)) == (ssize_t)strlen(text));
}

static void tty_command(char command)
{
	CHECK(write(tty.control, &command, 1) == 1);
}

static void tty_ends(int status)
{
	CHECK(tty_event() == status);
	job_reap(tty.shell);
	tty.shell = 0;
	CHECK(!strstr(job.out, "runs here"));
	/* It has to go when its deputy does. */
	job.guest_status = job_reap(job.guest);
	job.guest = 0;
	close(tty.master);
	close(tty.control);
	close(tty.events);
}

TEST("the program is on a terminal of home's size, modes and name of its own")
{
	tty_start("test -t 0 && test -t 1 && tty && stty size && stty -a && echo done", false);
	tty_read("done");
	CHECK(strstr(job.out, "/dev/pts/0\r\n31 71\r\n"));
	CHECK(strstr(job.out, " icanon") && strstr(job.out, " onlcr"));
	tty_ends(0);
}

TEST("each line ends as it does at home")
{
	tty_start("printf 'one\\ntwo\\r\\nthree\\rfour\\n'", false);
	tty_read("four\r\n");
	CHECK(!strcmp(job.out, "one\r\ntwo\r\r\nthree\rfour\r\n"));
	tty_ends(0);
}

TEST("what is typed is echoed once and read, and Ctrl-D ends it")
{
	tty_start("echo ready; cat; echo end", false);
	tty_read("ready\r\n");
	tty_type("line\n");
	tty_read("line\r\nline\r\n");
	tty_type("\004");
	tty_read("end\r\n");
	CHECK(!strcmp(job.out, "ready\r\nline\r\nline\r\nend\r\n"));
	tty_ends(0);
}

TEST("lines and a Ctrl-D that are typed ahead are read one after the other")
{
	tty_start("echo ready; sleep 0.5; cat; read x; echo got $x", false);
	tty_read("ready\r\n");
	tty_type("a\nb\n\004c\n");
	tty_read("got c\r\n");
	tty_ends(0);
}

TEST("Ctrl-C interrupts the program and all of its job")
{
	tty_start("trap 'echo caught; exit 8' INT; echo ready; sleep 100", false);
	tty_read("ready\r\n");
	tty_type("\003");
	tty_read("caught");
	tty_ends(8 << 8);
	tty_start("echo ready; exec sleep 100", false);
	tty_read("ready\r\n");
	tty_type("\003");
	tty_ends(SIGINT);
}

TEST("Ctrl-Z stops the program, then its deputy; fg continues both")
{
	int status;

	tty_start("echo ready; cat; echo end", false);
	tty_read("ready\r\n");
	/* A shell that is still making its child could not be stopped anywhere. */
	tty_type("first\n");
	tty_read("first\r\nfirst\r\n");
	tty_type("\032");
	status = tty_event();
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
	tty_command('f');
	tty_type("again\n");
	tty_read("again\r\nagain\r\n");
	tty_type("\004");
	tty_read("end");
	tty_ends(0);
}

TEST("in the background it writes but takes nothing that is typed, until fg")
{
	struct timespec pause = { .tv_nsec = 300000000 };

	tty_start("echo ready; cat; echo end", true);
	tty_read("ready\r\n");
	tty_type("typed\n");
	tty_read("typed\r\n");
	/* Long enough for it to be taken, were it taken. */
	nanosleep(&pause, NULL);
	CHECK(!strcmp(job.out, "ready\r\ntyped\r\n"));
	tty_command('F');
	tty_read("typed\r\ntyped\r\n");
	tty_type("\004");
	tty_ends(0);
}

TEST("a change of the window's size reaches the program with its signal")
{
	const struct winsize size = { .ws_row = 44, .ws_col = 99 };

	tty_start("trap 'stty size; exit 2' WINCH; echo ready; while :; do sleep 0.05; done", false);
	tty_read("ready\r\n");
	CHECK(!ioctl(tty.master, TIOCSWINSZ, &size));
	tty_read("44 99\r\n");
	tty_ends(2 << 8);
}

TEST("modes that the program sets are home's, raw keys are read one by one")
{
	struct termios now;

	tty_start("stty -echo; echo ready; read x; echo; echo got $x; stty echo; "
		  "stty raw; echo raw; dd bs=1 count=1 2>/dev/null | od -c; stty sane; echo sane",
		  false);
	tty_read("ready\r\n");
	CHECK(!tcgetattr(tty.master, &now) && !(now.c_lflag & ECHO) && now.c_lflag & ICANON);
	tty_type("secret\n");
	tty_read("got secret\r\n");
	CHECK(!strstr(job.out, "secret\r\ngot"));
	tty_read("raw");
	tty_type("\003");
	tty_read("003");
	tty_read("sane");
	CHECK(!tcgetattr(tty.master, &now) && now.c_lflag & ECHO && now.c_lflag & ICANON &&
	      now.c_lflag & ISIG);
	tty_ends(0);
}

TEST("a terminal that is hung up ends the program")
{
	tty_start("echo ready; exec sleep 100", false);
	tty_read("ready\r\n");
	close(tty.master);
	tty.master = -1;
	job.guest_status = job_reap(job.guest);
	job.guest = 0;
}

int main(void)
{
	if (geteuid()) {
		printf("needs root, for namespaces of other users\n");
		return 77;
	}
	signal(SIGPIPE, SIG_IGN);
	return test_main("task_tty");
}
