// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * remote-double.c: runs a program whose descriptors 0, 1 and 2 are remote files, with
 * home in this process.
 *
 *	remote-double pipes COMMAND…	they are our own, whatever these are
 *	remote-double tty COMMAND…	they are a terminal; our input is typed there, and
 *					what it shows is our output
 *
 * LINK: tests/kernel/remote-home.c
 *
 * Exits as COMMAND does; 125 where home or the kernel failed it.  The session that a
 * terminal belongs to has a process of its own, which stands for home's deputy.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote-home.h"

#define FAILED 125

static void fail(const char *what)
{
	fprintf(stderr, "remote-double: ");
	perror(what);
	exit(FAILED);
}

static __u32 kind_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		fail("fstat");
	switch (st.st_mode & S_IFMT) {
	case S_IFIFO: return SUPERDEV_REMOTE_PIPE;
	case S_IFSOCK: return SUPERDEV_REMOTE_SOCKET;
	case S_IFREG: return SUPERDEV_REMOTE_FILE;
	default: return isatty(fd) ? SUPERDEV_REMOTE_TTY : SUPERDEV_REMOTE_CHR;
	}
}

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void become(char **command, const int remote[3])
{
	for (int i = 0; i < 3; i++)
		if (dup2(remote[i], i) < 0)
			fail("dup2");
	signal(SIGPIPE, SIG_DFL);
	execvp(command[0], command);
	_exit(127);
}

/* All files of the program were released: the kernel told of each. */
static void expect_released(struct home *home)
{
	for (int i = 0; i < 100 && home_files(home); i++)
		usleep(50000);
	if (home_files(home)) {
		fprintf(stderr, "remote-double: %d files were not released\n", home_files(home));
		exit(FAILED);
	}
}

static int run_pipes(char **command)
{
	struct home *home = home_begin();
	int remote[3], status;
	pid_t child;

	if (!home)
		fail(SUPERDEV_REMOTE_DEVICE);
	for (int i = 0; i < 3; i++) {
		remote[i] =
			home_file(home, dup(i), kind_of(i), fcntl(i, F_GETFL) & (O_ACCMODE | O_APPEND), NULL);
		if (remote[i] < 0)
			fail("a remote file");
	}
	child = fork();
	if (!child)
		become(command, remote);
	for (int i = 0; i < 3; i++)
		close(remote[i]);
	if (waitpid(child, &status, 0) != child)
		fail("waitpid");
	expect_released(home);
	home_end(home);
	return status_of(status);
}

/* The session's leader: begins the program, and does what only its session may. */
static void keep(struct home *home, int tty, int socket, char **command, int remote)
{
	const int remotes[3] = { remote, remote, remote };
	pid_t child;
	int status;

	home_forget(home);
	/* The terminal hangs up then, and that ends the rest. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setsid() < 0 || ioctl(tty, TIOCSCTTY, 0))
		fail("TIOCSCTTY");
	signal(SIGTTOU, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	child = fork();
	if (!child) {
		setpgid(0, 0);
		tcsetpgrp(tty, getpid());
		signal(SIGTTOU, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		become(command, remotes);
	}
	close(remote);
	if (!fork()) {
		home_keep(socket, tty);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child)
		fail("waitpid");
	/* The keeper goes with the socket; the terminal hangs up with us. */
	_exit(status_of(status));
}

/* One way of the terminal, as long as something is there to be read. */
static bool pump(int from, int to)
{
	char data[4096];
	ssize_t length = read(from, data, sizeof(data));

	for (ssize_t done = 0; done < length;) {
		ssize_t written = write(to, data + done, (size_t)(length - done));

		if (written < 0)
			return false;
		done += written;
	}
	return length > 0;
}

static int run_tty(char **command)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct home *home = home_begin();
	int master, tty, remote, sockets[2], status;
	struct pollfd pollfds[3];
	pid_t leader;

	if (!home)
		fail(SUPERDEV_REMOTE_DEVICE);
	if (openpty(&master, &tty, NULL, NULL, &size) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets))
		fail("a terminal");
	home_terminal(home, sockets[0]);
	remote = home_file(home, dup(tty), SUPERDEV_REMOTE_TTY, O_RDWR, ttyname(tty));
	if (remote < 0)
		fail("a remote file");
	leader = fork();
	if (!leader) {
		close(sockets[0]);
		close(master);
		keep(home, tty, sockets[1], command, remote);
	}
	close(remote);
	close(sockets[1]);
	close(tty);
	pollfds[0] = (struct pollfd){ .fd = master, .events = POLLIN };
	pollfds[1] = (struct pollfd){ .fd = 0, .events = POLLIN };
	pollfds[2] = (struct pollfd){ .fd = pidfd_open(leader, 0), .events = POLLIN };
	while (poll(pollfds, 3, -1) >= 0) {
		if (pollfds[0].revents && !pump(master, 1))
			break;
		if (pollfds[1].revents && !pump(0, master))
			pollfds[1].fd = -1;
		if (pollfds[2].revents && !(pollfds[0].revents & POLLIN))
			break;
	}
	if (waitpid(leader, &status, 0) != leader)
		fail("waitpid");
	expect_released(home);
	home_end(home);
	return status_of(status);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc > 2 && !strcmp(argv[1], "pipes"))
		return run_pipes(argv + 2);
	if (argc > 2 && !strcmp(argv[1], "tty"))
		return run_tty(argv + 2);
	fprintf(stderr, "usage: remote-double pipes|tty COMMAND...\n");
	return FAILED;
}
