// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a user-mode kernel in a session of its own and is its command's standard input, output
 * and error (frame.h); ends with the command's exit status.
 *
 *	host [--timeout SECONDS] --console FILE -- KERNEL ARGUMENT…
 *
 * The kernel gets the serial line as descriptor 3 and the console as descriptor 1, a socket as
 * well: it can't wait for a file, and complains on opening a console that it can't read.
 *
 * Exit status 124: the time was up, and the console ends with what every task waited for; 71:
 * the kernel ended without a word from the command.  In both cases, and when a signal ends this
 * program, nothing of the kernel's processes is left.
 */
#include "frame.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define STATUS_KERNEL_DIED 71
#define STATUS_TIMEOUT 124

/* Where the kernel listens for its console commands: below uml_dir=./ umid=um. */
#define MCONSOLE "um/mconsole"

static volatile sig_atomic_t ended_by;
static volatile sig_atomic_t child_changed;

static void on_signal(int signal)
{
	if (signal == SIGCHLD)
		child_changed = 1;
	else
		ended_by = signal;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "lab um: %s: %s\n", what, strerror(errno));
	exit(STATUS_KERNEL_DIED);
}

static pid_t start(char **command, int console, int line)
{
	const struct rlimit none = { 0 };
	pid_t parent = getpid(), pid = fork();
	int null;

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;

	setsid();
	/* A panic aborts the process, whose core has all memory of the machine in it. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_KERNEL_DIED);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(console, 1) < 0 || dup2(console, 2) < 0 ||
	    dup2(line, 3) < 0)
		_exit(STATUS_KERNEL_DIED);
	execv(command[0], command);
	perror(command[0]);
	_exit(STATUS_KERNEL_DIED);
}

/* The kernel's helpers are other processes of its session, and become ours when it ends. */
static void end_all(pid_t pid)
{
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static bool console_command(const char *command)
{
	struct {
		uint32_t magic, version, length;
		char data[512];
	} request = { .magic = 0xcafebabe, .version = 2, .length = strlen(command) };
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = MCONSOLE };
	struct sockaddr_un me = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool sent;

	memcpy(request.data, command, request.length);
	/* An address of our own, without which the kernel's answer is an error on its console. */
	sent = fd >= 0 && !bind(fd, (struct sockaddr *)&me, sizeof(sa_family_t)) &&
	       sendto(fd, &request, sizeof(request), MSG_DONTWAIT, (struct sockaddr *)&to,
		      sizeof(to)) == sizeof(request);
	if (fd >= 0)
		close(fd);
	return sent;
}

struct run {
	int line;
	int console;		/* the kernel's, and the file that it goes to */
	int file;
	bool ready;		/* the guest reads its line */
	bool input_open;	/* there may be more on our standard input */
	bool in_flight;		/* a FRAME_IN waits for its FRAME_TAKEN */
	int status;		/* of the command; -1 while it runs */
};

/* Takes what is on the console; false when there is nothing now, or never again. */
static bool take_console(struct run *run)
{
	char data[65536];
	ssize_t n = read(run->console, data, sizeof(data));

	if (n > 0 && write_all(run->file, data, n))
		die("console file");
	return n > 0 || (n < 0 && errno == EINTR);
}

/* As long as @ms, with the console's socket kept empty, since what does not fit is lost. */
static void wait_console(struct run *run, int ms)
{
	int64_t until = now_ms() + ms;

	while (now_ms() < until) {
		struct pollfd fd = { .fd = run->console, .events = POLLIN };

		if (poll(&fd, 1, 10) > 0 && !take_console(run))
			break;
	}
}

/* Backtraces of the blocked tasks, then the locks held, on the console of a hung machine. */
static void ask_why(struct run *run)
{
	if (console_command("sysrq w"))
		wait_console(run, 1000);
	if (console_command("sysrq d"))
		wait_console(run, 1000);
}

static void take_frame(struct run *run)
{
	struct frame frame;
	int err = frame_receive(run->line, &frame);

	if (err) {
		if (run->status < 0)
			run->status = STATUS_KERNEL_DIED;
		return;
	}
	switch (frame.type) {
	case FRAME_READY:
		run->ready = true;
		break;
	case FRAME_OUT:
	case FRAME_ERR:
		/* Our reader may be gone; the command shall run to its end all the same. */
		(void)!write_all(frame.type == FRAME_OUT ? 1 : 2, frame.data, frame.length);
		break;
	case FRAME_TAKEN:
		run->in_flight = false;
		break;
	case FRAME_EXIT:
		run->status = frame.data[0];
		break;
	}
}

static void give_input(struct run *run)
{
	char data[FRAME_MAX];
	ssize_t n = read(0, data, sizeof(data));

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0)
		n = 0;
	run->input_open = n;
	run->in_flight = !frame_send(run->line, FRAME_IN, data, n);
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return !waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid == pid;
}

static int run_command(struct run *run, pid_t pid, int64_t deadline)
{
	while (run->status < 0) {
		bool wants_input = run->ready && run->input_open && !run->in_flight;
		struct pollfd fds[] = {
			{ .fd = run->line, .events = POLLIN },
			{ .fd = run->console, .events = POLLIN },
			{ .fd = wants_input ? 0 : -1, .events = POLLIN },
		};
		int64_t left = deadline ? deadline - now_ms() : 1000;

		if (ended_by)
			return 128 + ended_by;
		if (left <= 0) {
			ask_why(run);
			return STATUS_TIMEOUT;
		}
		/* At most a second at a time: a signal may come just before the wait. */
		if (poll(fds, 3, left > 1000 ? 1000 : left) > 0) {
			if (fds[1].revents && !take_console(run))
				return STATUS_KERNEL_DIED;
			if (fds[0].revents)
				take_frame(run);
			else if (fds[2].revents)
				give_input(run);
		} else if (child_changed && has_ended(pid)) {
			return STATUS_KERNEL_DIED;
		}
	}
	return run->status;
}

/* Power-off is tested code too: the kernel is given some seconds to end by itself. */
static bool await_end(struct run *run, pid_t pid)
{
	int64_t deadline = now_ms() + 20000;

	while (now_ms() < deadline && !ended_by) {
		struct pollfd fd = { .fd = run->console, .events = POLLIN };

		if (has_ended(pid))
			return true;
		if (poll(&fd, 1, 10) > 0)
			take_console(run);
	}
	return false;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct run run = { .input_open = true, .status = -1 };
	const char *file = NULL;
	int line[2], console[2], status, i, room = 4 << 20;
	int64_t timeout_ms = 0;
	pid_t pid;

	for (i = 1; i + 1 < argc && strcmp(argv[i], "--"); i += 2) {
		if (!strcmp(argv[i], "--timeout"))
			timeout_ms = atoll(argv[i + 1]) * 1000;
		else if (!strcmp(argv[i], "--console"))
			file = argv[i + 1];
		else
			break;
	}
	if (!file || i + 1 >= argc || strcmp(argv[i], "--")) {
		fprintf(stderr, "usage: host [--timeout SECONDS] --console FILE -- KERNEL ARGUMENT…\n");
		return 2;
	}

	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGCHLD, &action, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	run.file = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (run.file < 0)
		die(file);
	/* The file has number 3, or a higher one: start() overwrites none that it still needs. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, console) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line))
		die("socketpair");
	/* A report of thousands of lines comes in one burst. */
	setsockopt(console[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	run.console = console[0];
	run.line = line[0];
	pid = start(argv + i + 1, console[1], line[1]);
	close(console[1]);
	close(line[1]);

	status = run_command(&run, pid, timeout_ms ? now_ms() + timeout_ms : 0);
	if (run.status >= 0 && run.status != STATUS_KERNEL_DIED && !await_end(&run, pid)) {
		fprintf(stderr, "lab um: the machine did not power off\n");
		ask_why(&run);
		status = STATUS_TIMEOUT;
	}
	end_all(pid);
	while (take_console(&run))
		;
	return status;
}
