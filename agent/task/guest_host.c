// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest_host.c: superdev-guest --control: hosts guests of one user of one home, one after another.
 *
 * What is the same for all of them is there once: a process that is running, its mounts
 * with the guests' root and their /dev, open directories.  For each guest it divides itself,
 * and the child goes on as a superdev-guest that was started for one does.  It reads
 * what the agent of this machine says, and nothing else.
 */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fdpass.h"
#include "guest.h"
#include "guest_ctl.h"

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "superdev-guest: can't %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void fds_close(const int *fds)
{
	for (int i = 0; i < SDV_GUEST_CTL_NR_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Where the agent does not read it, the guest is as good as gone: its connection was the agent's to give. */
static void answer(int control, uint32_t id, int error, int pidfd)
{
	const struct sdv_guest_answer message = { .id = id, .error = (uint32_t)error };

	sdv_fds_send(control, &message, sizeof(message), &pidfd, 1, 0);
}

static void become(struct sdv_guest_options *options, const struct sdv_guest_request *request, const int *fds)
{
	prctl(PR_SET_NAME, "superdev-guest");
	signal(SIGCHLD, SIG_DFL);
	setsid();
	close(options->control);
	options->control = -1;
	options->fd = fds[SDV_GUEST_CTL_CONNECTION];
	options->sync = fds[SDV_GUEST_CTL_SYNC];
	options->id = request->id;
	options->rules.must_csum = request->is_clear;
}

void sdv_guest_host(struct sdv_guest_options *options)
{
	struct sdv_guest_request request;
	int fds[SDV_GUEST_CTL_NR_FDS], pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};

	prctl(PR_SET_NAME, "superdev-host");
	/* Who wants to know how one ended has its descriptor. */
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		ssize_t n = sdv_fds_receive(options->control, &request, sizeof(request), fds,
					    SDV_GUEST_CTL_NR_FDS, 0);
		pid_t pid;

		if (n == -EINTR)
			continue;
		/* The agent is gone, or wants no more of them; those that are there go on. */
		if (n <= 0)
			_exit(0);
		if (n != (ssize_t)sizeof(request) || fds[SDV_GUEST_CTL_CONNECTION] < 0) {
			errno = EPROTO;
			die("understand the agent");
		}
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
		if (!pid) {
			become(options, &request, fds);
			return;
		}
		answer(options->control, request.id, pid < 0 ? errno : 0, pid < 0 ? -1 : pidfd);
		if (pid > 0)
			close(pidfd);
		fds_close(fds);
	}
}
