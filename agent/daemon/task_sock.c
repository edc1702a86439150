// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task_sock.c: the socket on which deputies of this machine ask for connections.
 *
 * Everybody may connect, so everything is bounded: clients in all and of one
 * user, the time until they ask, and what they can ask.  Who is confined gets
 * nothing.  One question and one
 * answer make a client; nothing is kept for one that does not read its answer.
 */
#include "task_sock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fdpass.h"
#include "task_ask.h"
#include "task_home.h"

/* Linux 6.5; not in every C library's headers. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define CLIENTS_MAX 1024
#define OF_USER_MAX 128
#define ASK_MS      5000 /* from connecting to asking */
#define ANSWER_MS   9000 /* a deputy does not wait longer than a little more */
#define BURST       64

struct task_sock {
	struct daemon *d;
	int fd;
	struct sdv_op poll;
	struct list clients;
	unsigned int count;
};

static void client_free(struct task_client *client)
{
	list_del(&client->all);
	close(client->fd);
	close(client->pidfd);
	free(client);
}

/* It is freed when its operation, which is in flight whenever it is not running, says so. */
static void client_end(struct task_client *client)
{
	if (client->is_over)
		return;
	client->is_over = true;
	client->sock->count--;
	list_del(&client->node);
	timer_stop(&client->timer);
	if (client->poll.is_active)
		sdv_op_cancel(client->sock->d->loop, &client->poll);
}

static void answer(struct task_client *client, const struct sdv_task_answer *answer, int fd)
{
	/* Whoever does not take it has gone, or wants nothing. */
	(void)sdv_fds_send(client->fd, answer, sizeof(*answer), &fd, 1, MSG_DONTWAIT);
	client_end(client);
}

void task_client_give(struct task_client *client, int fd, uint64_t number, uint32_t epoch, bool is_clear)
{
	const struct sdv_task_answer given = {
		.version = SDV_TASK_CTL_VERSION,
		.number = number,
		.epoch = epoch,
		.is_clear = is_clear,
	};

	answer(client, &given, fd);
}

void task_client_refuse(struct task_client *client, int error, const char *why)
{
	struct sdv_task_answer refused = {
		.version = SDV_TASK_CTL_VERSION,
		.error = (uint32_t)(error < 0 ? -error : error),
	};

	snprintf(refused.text, sizeof(refused.text), "%s", why);
	answer(client, &refused, -1);
}

static void client_late(struct timer *timer)
{
	struct task_client *client = container_of(timer, struct task_client, timer);

	if (client->has_asked)
		task_client_refuse(client, -ETIMEDOUT, "there is no connection to the lender yet");
	else
		client_end(client);
}

/*
 * A process that was confined must not get rights back from a connection: what it
 * is served, and what runs for it at the lender, has its user's.  The kernel says
 * whether it was.  Return: 0, or -errno and @ret_why.
 */
static int client_check(struct task_client *client, char *ret_why, size_t size)
{
	struct pollfd ended = { .fd = client->pidfd, .events = POLLIN };
	struct sdv_nl *nl = client->sock->d->nl;
	int r = sdv_nl_task_check(nl, (uint32_t)client->pid);

	if (client->user.nr_groups > TASK_GROUPS_MAX) {
		snprintf(ret_why, size, "it is in more than %d groups", TASK_GROUPS_MAX);
		r = -EOVERFLOW;
	} else if (r == -EPERM) {
		snprintf(ret_why, size, "%s", sdv_nl_error(nl));
	} else if (r) {
		snprintf(ret_why, size, "its process cannot be looked at: %s", strerror(-r));
	} else if (poll(&ended, 1, 0)) {
		/* The number may have been another process's by then. */
		snprintf(ret_why, size, "its process has ended");
		r = -ESRCH;
	}
	return r;
}

static void client_ask(struct task_client *client)
{
	char data[sizeof(struct sdv_task_ask) + 1];
	char refusal[SDV_TEXT_SIZE];
	struct sdv_task_ask ask;
	const char *why;
	ssize_t n = recv(client->fd, data, sizeof(data), MSG_DONTWAIT);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Gone, or says more than its one question. */
	if (n <= 0 || client->has_asked) {
		client_end(client);
		return;
	}
	client->has_asked = true;
	r = task_ask_parse(data, (size_t)n, &ask, &why);
	if (r < 0) {
		task_client_refuse(client, r, why);
		return;
	}
	r = client_check(client, refusal, sizeof(refusal));
	if (r < 0) {
		task_client_refuse(client, r, refusal);
		return;
	}
	timer_start(&client->timer, ANSWER_MS);
	task_want(client->sock->d, client, ask.lease);
}

static void client_readable(struct sdv_op *op, int result, bool more)
{
	struct task_client *client = container_of(op, struct task_client, poll);

	(void)more;
	if (!client->is_over && result < 0)
		client_end(client);
	else if (!client->is_over)
		client_ask(client);
	if (!client->is_over &&
	    sdv_op_poll(client->sock->d->loop, &client->poll, client->fd, POLLIN, false) < 0)
		client_end(client);
	if (client->is_over)
		client_free(client);
}

static unsigned int count_of(const struct task_sock *sock, uid_t uid)
{
	unsigned int count = 0;

	list_for_each(client, &sock->clients, struct task_client, all)
		count += client->user.uid == uid && !client->is_over;
	return count;
}

/* Who connected; 0 or -errno. */
static int client_identify(struct task_client *client)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	client->pid = cred.pid;
	client->user.uid = cred.uid;
	client->user.gid = cred.gid;
	len = sizeof(client->user.groups);
	if (!getsockopt(client->fd, SOL_SOCKET, SO_PEERGROUPS, client->user.groups, &len))
		client->user.nr_groups = len / sizeof(gid_t);
	else if (errno == ERANGE)
		client->user.nr_groups = TASK_GROUPS_MAX + 1;
	else
		return -errno;
	len = sizeof(client->pidfd);
	return getsockopt(client->fd, SOL_SOCKET, SO_PEERPIDFD, &client->pidfd, &len) < 0 ? -errno : 0;
}

/* It takes @fd. */
static void client_new(struct task_sock *sock, int fd)
{
	struct task_client *client = sock->count < CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;

	if (!client) {
		close(fd);
		return;
	}
	client->sock = sock;
	client->fd = fd;
	client->pidfd = -1;
	if (client_identify(client) < 0 || count_of(sock, client->user.uid) >= OF_USER_MAX)
		goto err_close;
	client->poll.done = client_readable;
	list_init(&client->node);
	timer_init(&client->timer, &sock->d->timers, client_late);
	if (sdv_op_poll(sock->d->loop, &client->poll, fd, POLLIN, false) < 0)
		goto err_close;
	list_add_tail(&sock->clients, &client->all);
	sock->count++;
	timer_start(&client->timer, ASK_MS);
	return;

err_close:
	close(fd);
	if (client->pidfd >= 0)
		close(client->pidfd);
	free(client);
}

static void sock_readable(struct sdv_op *op, int result, bool more)
{
	struct task_sock *sock = container_of(op, struct task_sock, poll);

	(void)more;
	if (result == -ECANCELED)
		return;
	for (int i = 0; i < BURST; i++) {
		int fd = accept4(sock->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			break;
		client_new(sock, fd);
	}
	if (sdv_op_poll(sock->d->loop, &sock->poll, sock->fd, POLLIN, false) < 0)
		sdv_log(SDV_LOG_ERR, "tasks: deputies cannot ask any more");
}

int task_sock_open(struct daemon *d)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct task_sock *sock = calloc(1, sizeof(*sock));
	int r = sock ? 0 : -ENOMEM;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/task.sock", d->conf.runtime_dir);
	if (!r) {
		sock->d = d;
		sock->poll.done = sock_readable;
		list_init(&sock->clients);
		sock->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		unlink(addr.sun_path);
		if (sock->fd < 0 || bind(sock->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		    listen(sock->fd, SOMAXCONN) < 0 || chmod(addr.sun_path, 0666) < 0)
			r = -errno;
	}
	if (!r)
		r = sdv_op_poll(d->loop, &sock->poll, sock->fd, POLLIN, false);
	if (r < 0) {
		sdv_log(SDV_LOG_ERR, "socket %s: %s", addr.sun_path, strerror(-r));
		if (sock && sock->fd >= 0)
			close(sock->fd);
		free(sock);
		return r;
	}
	d->task_sock = sock;
	return 0;
}

void task_sock_close(struct daemon *d)
{
	struct task_sock *sock = d->task_sock;

	if (!sock)
		return;
	list_for_each_safe(client, &sock->clients, struct task_client, all)
		client_end(client);
	if (sock->poll.is_active)
		sdv_op_cancel(d->loop, &sock->poll);
	while ((sock->poll.is_active || !list_is_empty(&sock->clients)) && sdv_loop_step(d->loop, true) >= 0)
		;
	close(sock->fd);
	free(sock);
	d->task_sock = NULL;
}
