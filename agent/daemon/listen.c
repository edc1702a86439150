// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * listen.c: the listening socket, and strangers: connections whose other end
 * has not yet shown that it is anybody.
 *
 * Whoever can reach the port can make strangers, so they cost little (no TLS
 * session before the first byte), live 10 s at most, and are limited in all and
 * per source.  Above a limit the one that is least likely to become a peer goes:
 * one that has not said a byte before one that has, and the oldest of these.
 */
#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "control.h"
#include "guest_lender.h"
#include "lease_lender.h"
#include "pair.h"
#include "peer.h"

#define ACCEPT_BURST 64  /* at one go, then others have their turn */
#define PAUSE_MS     500 /* without descriptors */
#define LOG_PER_S    5
#define REPEAT_MS    60000 /* the same once more is not worth a line */

struct listener {
	struct daemon *d;
	int fd;
	struct sdv_op poll;
	struct timer pause;
	struct list strangers; /* oldest first */
	unsigned int count;
	uint64_t log_s; /* the second that logged counts in */
	unsigned int logged, unlogged;
	char last_why[SDV_TEXT_SIZE];
	uint64_t last_ms;
};

/* Anybody can cause these lines: a few a second are enough. */
static void log_stranger(struct listener *listener, const struct conn *conn, const char *why)
{
	uint64_t now_s = now_ms() / 1000;

	/* A home that is not trusted tries again and again. */
	if (now_ms() - listener->last_ms < REPEAT_MS && !strcmp(listener->last_why, why))
		return;
	if (listener->log_s != now_s) {
		if (listener->unlogged)
			sdv_log(SDV_LOG_NOTICE, "%u more connections refused or given up",
				listener->unlogged);
		listener->log_s = now_s;
		listener->logged = listener->unlogged = 0;
	}
	if (listener->logged == LOG_PER_S) {
		listener->unlogged++;
		return;
	}
	listener->logged++;
	listener->last_ms = now_ms();
	snprintf(listener->last_why, sizeof(listener->last_why), "%s", why);
	sdv_log(SDV_LOG_NOTICE, "connection from %s: %s", conn->text, why);
}

/* Sources are counted by IPv4 address or by IPv6 /64, of which one machine has all. */
static void source_of(const struct sockaddr_storage *addr, uint8_t ret_source[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(ret_source, 0, 16);
	if (addr->ss_family == AF_INET) {
		memcpy(ret_source, &((const struct sockaddr_in *)addr)->sin_addr, 4);
		return;
	}
	memcpy(ret_source, &((const struct sockaddr_in6 *)addr)->sin6_addr, 16);
	if (memcmp(ret_source, mapped, sizeof(mapped)) != 0)
		memset(ret_source + 8, 0, 8);
}

/* Makes room for one more of @addr. */
static void limit_strangers(struct listener *listener, const struct sockaddr_storage *addr)
{
	const struct daemon_conf *conf = &listener->d->conf;
	struct conn *victim = NULL, *victim_of_source = NULL;
	unsigned int total = 0, of_source = 0;
	uint8_t source[16], other[16];

	source_of(addr, source);
	list_for_each(conn, &listener->strangers, struct conn, strangers) {
		total++;
		if (!victim || (victim->has_spoken && !conn->has_spoken))
			victim = conn;
		source_of(&conn->addr, other);
		if (memcmp(source, other, sizeof(source)) != 0)
			continue;
		of_source++;
		if (!victim_of_source || (victim_of_source->has_spoken && !conn->has_spoken))
			victim_of_source = conn;
	}
	if (of_source >= conf->strangers_per_source)
		conn_fail(victim_of_source, -EDQUOT, "more than %u unfinished connections of one source",
			  conf->strangers_per_source);
	else if (total >= conf->strangers)
		conn_fail(victim, -EDQUOT, "more than %u unfinished connections", conf->strangers);
}

static uint32_t stranger_hello(struct conn *conn, char *error, size_t error_size)
{
	struct peer *peer = peer_by_key(conn->d, conn->key);
	char text[SDV_KEY_TEXT_SIZE];

	if (peer)
		conn->ours.transport = peer->info.transport;
	if (conn->theirs.purpose == SUPERDEV_PURPOSE_PAIR)
		return pair_accept(conn, peer, error, error_size);
	if (!peer || !peer_is_trusted(peer)) {
		sdv_key_to_text(conn->key, text);
		snprintf(error, error_size,
			 "key %s is not trusted here: pair the machines, or add it as a peer", text);
		return SUPERDEV_ST_PERM;
	}
	switch (conn->theirs.purpose) {
	case SUPERDEV_PURPOSE_CONTROL:
		conn->peer = peer;
		conn->ops = &control_ops;
		return SUPERDEV_ST_OK;
	case SUPERDEV_PURPOSE_LANE: return lender_lane_hello(conn, peer, error, error_size);
	case SUPERDEV_PURPOSE_TASK:
	case SUPERDEV_PURPOSE_FILES: return guest_hello(conn, peer, error, error_size);
	default: break;
	}
	snprintf(error, error_size, "no connections for purpose %u here", conn->theirs.purpose);
	return SUPERDEV_ST_NOTSUPP;
}

static void stranger_closed(struct conn *conn, int error, const char *why)
{
	(void)error;
	log_stranger(conn->d->listener, conn, why);
}

static const struct conn_ops stranger_ops = {
	.hello = stranger_hello,
	.closed = stranger_closed,
};

static void listen_again(struct listener *listener)
{
	int r = sdv_op_poll(listener->d->loop, &listener->poll, listener->fd, POLLIN, false);

	/* No room on the ring now is no reason never to listen again. */
	if (r < 0)
		timer_start(&listener->pause, PAUSE_MS);
}

static void pause_over(struct timer *timer)
{
	listen_again(container_of(timer, struct listener, pause));
}

/* Without descriptors: strangers are the ones that can go. */
static void run_dry(struct listener *listener, int error)
{
	sdv_log(SDV_LOG_WARNING, "accept: %s; pausing for %d ms", strerror(error), PAUSE_MS);
	if (!list_is_empty(&listener->strangers))
		conn_fail(list_entry(listener->strangers.next, struct conn, strangers), -error,
			  "given up for %s", strerror(error));
	timer_start(&listener->pause, PAUSE_MS);
}

static void listener_readable(struct sdv_op *op, int result, bool more)
{
	struct listener *listener = container_of(op, struct listener, poll);

	(void)more;
	if (result == -ECANCELED)
		return;
	for (int i = 0; i < ACCEPT_BURST; i++) {
		struct sockaddr_storage addr = { 0 };
		socklen_t len = sizeof(addr);
		struct conn *conn;
		int fd;

		fd = accept4(listener->fd, (struct sockaddr *)&addr, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			run_dry(listener, errno);
			return;
		}
		if (fd < 0 && errno == EAGAIN)
			break;
		if (fd < 0)
			continue; /* that one was gone before it was accepted */
		limit_strangers(listener, &addr);
		if (conn_accept(listener->d, fd, &addr, &stranger_ops, NULL, &conn) < 0)
			continue;
		list_add_tail(&listener->strangers, &conn->strangers);
	}
	listen_again(listener);
}

static int open_socket(const struct addrinfo *info)
{
	int fd, r, on = 1, off = 0;

	fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (info->ai_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0) ||
	    bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int open_address(struct daemon *d, const char *address)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
	}, *info;
	char port[8];
	int r;

	snprintf(port, sizeof(port), "%u", d->conf.port);
	r = getaddrinfo(address, port, &hints, &info);
	if (r) {
		sdv_log(SDV_LOG_ERR, "listen '%s': is no numeric address: %s", address, gai_strerror(r));
		return -EINVAL;
	}
	r = open_socket(info);
	freeaddrinfo(info);
	return r;
}

int listener_open(struct daemon *d)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	const char *address = d->conf.listen;

	if (!listener)
		return -ENOMEM;
	listener->d = d;
	listener->poll.done = listener_readable;
	list_init(&listener->strangers);
	timer_init(&listener->pause, &d->timers, pause_over);
	listener->fd = open_address(d, address);
	/* The default stands for everything there is; some kernels have no IPv6. */
	if (listener->fd == -EAFNOSUPPORT && !strcmp(address, "::")) {
		address = "0.0.0.0";
		listener->fd = open_address(d, address);
	}
	if (listener->fd < 0) {
		int r = listener->fd;

		sdv_log(SDV_LOG_ERR, "listen on '%s' port %u: %s", address, d->conf.port, strerror(-r));
		free(listener);
		return r;
	}
	d->listener = listener;
	listen_again(listener);
	return 0;
}

void listener_close(struct daemon *d)
{
	struct listener *listener = d->listener;

	if (!listener)
		return;
	timer_stop(&listener->pause);
	if (listener->poll.is_active)
		sdv_op_cancel(d->loop, &listener->poll);
	while (listener->poll.is_active && sdv_loop_step(d->loop, true) >= 0)
		;
	close(listener->fd);
	free(listener);
	d->listener = NULL;
}
