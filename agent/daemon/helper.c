// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper.c: work that may block, in a forked child.
 */
#include "helper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fdpass.h"

struct helper {
	struct list node;
	struct daemon *d;
	struct sdv_op poll;
	struct timer timeout;
	int pidfd; /* -1: not forked */
	int fd;
	bool is_over; /* only waiting for poll to end */
	helper_done_fn done;
	void *arg;
};

struct message {
	int error;
	_Alignas(max_align_t) char result[HELPER_RESULT_SIZE];
};

static int receive_message(int sock, struct message *ret_message, int *ret_fd)
{
	ssize_t n = sdv_fds_receive(sock, ret_message, sizeof(*ret_message), ret_fd, 1, MSG_DONTWAIT);

	if (n < 0)
		return (int)n;
	if (n == sizeof(*ret_message))
		return 0;
	if (*ret_fd >= 0)
		close(*ret_fd);
	return -EPIPE;
}

__attribute__((noreturn)) static void child(int sock, helper_work_fn work, const void *arg)
{
	struct message message = { 0 };
	sigset_t none;
	int fd = -1;

	/* Nothing of the daemon stays open here, or a new one could not listen. */
	if (dup2(sock, 3) < 0)
		_exit(1);
	close_range(4, ~0U, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	message.error = work(arg, message.result, &fd);
	/* Where the daemon is gone there is nobody to tell. */
	_exit(sdv_fds_send(3, &message, sizeof(message), &fd, 1, 0) ? 1 : 0);
}

static void helper_free(struct helper *helper)
{
	list_del(&helper->node);
	close(helper->fd);
	if (helper->pidfd >= 0)
		close(helper->pidfd);
	free(helper);
}

static void helper_end(struct helper *helper, int error, const void *result, int fd)
{
	helper_done_fn done = helper->done;
	void *arg = helper->arg;

	helper_cancel(helper);
	if (done)
		done(arg, error, result, fd);
	else if (fd >= 0)
		close(fd);
}

static void helper_readable(struct sdv_op *op, int result, bool more)
{
	struct helper *helper = container_of(op, struct helper, poll);
	struct message message;
	int fd, r;

	(void)more;
	if (helper->is_over) {
		helper_free(helper);
		return;
	}
	if (result < 0)
		r = result;
	else
		r = receive_message(helper->fd, &message, &fd);
	if (r < 0)
		helper_end(helper, r == -ECONNRESET ? -EPIPE : r, NULL, -1);
	else
		helper_end(helper, message.error, message.result, fd);
}

static void helper_late(struct timer *timer)
{
	struct helper *helper = container_of(timer, struct helper, timeout);

	helper_end(helper, -ETIMEDOUT, NULL, -1);
}

int helper_start(struct daemon *d, helper_work_fn work, const void *work_arg, unsigned int timeout_ms,
		 helper_done_fn done, void *done_arg, struct helper **ret_helper)
{
	struct helper *helper;
	int pair[2], r;
	pid_t pid;

	helper = calloc(1, sizeof(*helper));
	if (!helper)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		r = -errno;
		goto err_free;
	}
	helper->d = d;
	helper->fd = pair[0];
	helper->pidfd = -1;
	helper->done = done;
	helper->arg = done_arg;
	helper->poll.done = helper_readable;
	timer_init(&helper->timeout, &d->timers, helper_late);
	r = sdv_op_poll(d->loop, &helper->poll, helper->fd, POLLIN, false);
	if (r < 0)
		goto err_close;
	list_add_tail(&d->helpers, &helper->node);
	pid = fork();
	if (!pid)
		child(pair[1], work, work_arg);
	r = pid < 0 ? -errno : 0;
	close(pair[1]);
	if (r < 0) {
		helper_cancel(helper);
		return r;
	}
	helper->pidfd = syscall(SYS_pidfd_open, pid, 0);
	timer_start(&helper->timeout, timeout_ms);
	*ret_helper = helper;
	return 0;

err_close:
	close(pair[0]);
	close(pair[1]);
err_free:
	free(helper);
	return r;
}

void helper_cancel(struct helper *helper)
{
	timer_stop(&helper->timeout);
	helper->is_over = true;
	if (helper->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, helper->pidfd, SIGKILL, NULL, 0);
	if (helper->poll.is_active)
		sdv_op_cancel(helper->d->loop, &helper->poll);
	else
		helper_free(helper);
}

void helpers_close(struct daemon *d)
{
	list_for_each_safe(helper, &d->helpers, struct helper, node)
		helper_cancel(helper);
}
