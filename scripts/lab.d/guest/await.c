// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * await PIDFILE COMMAND…: starts a daemon in a session of its own and returns when it says that
 * it is ready (sd_notify(3)), as systemd would; with status 1 if it ends before or is not ready
 * in time.  Used by lab-superdevd where there is no systemd.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

#define READY_TIMEOUT_MS 60000
#define NOTIFY_SOCKET AGENT_RUN_DIR "/notify"

static int fail(const char *what)
{
	fprintf(stderr, "await: %s: %s\n", what, strerror(errno));
	return 1;
}

static int write_pid(const char *path, pid_t pid)
{
	FILE *f = fopen(path, "we");

	if (!f || fprintf(f, "%d\n", pid) < 0 || fclose(f))
		return fail(path);
	return 0;
}

int await_run(int argc, char **argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = NOTIFY_SOCKET };
	struct pollfd fds[2];
	sigset_t mask, old;
	char text[1024];
	int status;
	ssize_t n;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: await PIDFILE COMMAND…\n");
		return 2;
	}
	unlink(NOTIFY_SOCKET);
	fds[0] = (struct pollfd){ .fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0),
				  .events = POLLIN };
	if (fds[0].fd < 0 || bind(fds[0].fd, (struct sockaddr *)&sun, sizeof(sun)))
		return fail(NOTIFY_SOCKET);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, &old);
	fds[1] = (struct pollfd){ .fd = signalfd(-1, &mask, SFD_CLOEXEC), .events = POLLIN };

	pid = fork();
	if (pid < 0)
		return fail("fork");
	if (!pid) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		setsid();
		setenv("NOTIFY_SOCKET", NOTIFY_SOCKET, 1);
		execv(argv[2], argv + 2);
		_exit(fail(argv[2]));
	}
	if (write_pid(argv[1], pid))
		return 1;
	while (poll(fds, 2, READY_TIMEOUT_MS) > 0) {
		if (fds[1].revents && waitpid(pid, &status, WNOHANG) == pid) {
			fprintf(stderr, "await: %s ended with %s %d before it was ready\n", argv[2],
				WIFSIGNALED(status) ? "signal" : "status",
				WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			return 1;
		}
		n = fds[0].revents ? recv(fds[0].fd, text, sizeof(text) - 1, 0) : 0;
		text[n > 0 ? n : 0] = 0;
		if (strstr(text, "READY=1")) {
			unlink(NOTIFY_SOCKET);
			return 0;
		}
	}
	fprintf(stderr, "await: %s is not ready after %d s\n", argv[2], READY_TIMEOUT_MS / 1000);
	return 1;
}
