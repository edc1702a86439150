// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * deputy_ask.c: asks the agent of this machine for a connection to a lender.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "deputy.h"
#include "fdpass.h"
#include "task_ctl.h"

/* The agent gives up before that. */
#define ANSWER_S 10

static int answer_receive(int sock, struct sdv_task_answer *ret_answer, int *ret_fd)
{
	ssize_t n = sdv_fds_receive(sock, ret_answer, sizeof(*ret_answer), ret_fd, 1, 0);

	if (n < 0)
		return n == -EAGAIN ? -ETIMEDOUT : (int)n;
	if (n == (ssize_t)sizeof(*ret_answer) && ret_answer->version == SDV_TASK_CTL_VERSION)
		return 0;
	if (*ret_fd >= 0)
		close(*ret_fd);
	*ret_fd = -1;
	return n ? -EPROTO : -ECONNRESET;
}

/* A signal is the program's, which then is started here and gets it: nobody waits for a lender. */
static int answer_wait(int sock, int signals)
{
	struct pollfd polls[] = { { .fd = sock, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	int n;

	do
		n = poll(polls, 2, ANSWER_S * 1000);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (polls[0].revents)
		return 0;
	return n ? -EINTR : -ETIMEDOUT;
}

static int ask(int sock, const struct sockaddr_un *addr, uint32_t lease)
{
	const struct sdv_task_ask question = { .version = SDV_TASK_CTL_VERSION, .lease = lease };
	const struct timeval patience = { .tv_sec = ANSWER_S };

	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
	    connect(sock, (const struct sockaddr *)addr, sizeof(*addr)) ||
	    send(sock, &question, sizeof(question), MSG_NOSIGNAL) != (ssize_t)sizeof(question))
		return -errno;
	return 0;
}

int sdv_deputy_ask(const char *path, uint32_t lease, int signals, struct sdv_frame_rules *rules, int *ret_fd,
		   char *ret_why, size_t size)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct sdv_task_answer answer;
	int sock, r;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		snprintf(ret_why, size, "the path of the agent's socket is too long");
		return -ENAMETOOLONG;
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0) {
		snprintf(ret_why, size, "socket: %s", strerror(errno));
		return -errno;
	}
	r = ask(sock, &addr, lease);
	if (!r)
		r = answer_wait(sock, signals);
	if (!r)
		r = answer_receive(sock, &answer, ret_fd);
	close(sock);
	if (r) {
		snprintf(ret_why, size, "the agent at %s: %s", path, strerror(-r));
		return r;
	}
	if (*ret_fd < 0) {
		snprintf(ret_why, size, "%.*s", (int)sizeof(answer.text), answer.text);
		return answer.error && answer.error < 4096 ? -(int)answer.error : -EPROTO;
	}
	rules->lease = answer.number;
	rules->epoch = answer.epoch;
	rules->must_csum = answer.is_clear;
	return 0;
}
