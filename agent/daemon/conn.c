// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conn.c: one TCP connection with another machine: connect, TLS handshake,
 * HELLO both ways, kernel TLS; then control frames, or a lane to hand over.
 *
 * There is at most one poll operation for reading and one for writing in
 * flight; the system calls themselves never block.  A connection is freed when
 * it is closed, no operation is in flight and no call into it is running.
 */
#include "conn.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETUP_MS     10000 /* connect, handshake and HELLO together */
#define DEAD_MS      30000 /* sent, and not acknowledged by the other end's TCP */
#define OUT_MAX      (256u << 10)
#define IN_SIZE      (sizeof(struct superdev_frame) + SUPERDEV_MAX_CONTROL)
#define FRAMES_BURST 2000 /* control frames; more than FRAMES_PER_S for long is a flood */
#define FRAMES_PER_S 200

void sockaddr_host(const struct sockaddr_storage *addr, char *ret_text, size_t size)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
	struct sockaddr_in in = { .sin_family = AF_INET };
	const struct sockaddr *sa = (const struct sockaddr *)addr;
	socklen_t len = addr->ss_family == AF_INET6 ? sizeof(*in6) : sizeof(in);

	if (addr->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		memcpy(&in.sin_addr, in6->sin6_addr.s6_addr + 12, 4);
		sa = (const struct sockaddr *)&in;
		len = sizeof(in);
	}
	if (getnameinfo(sa, len, ret_text, size, NULL, 0, NI_NUMERICHOST))
		snprintf(ret_text, size, "?");
}

void sockaddr_text(const struct sockaddr_storage *addr, char *ret_text, size_t size)
{
	unsigned int port = ntohs(addr->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)addr)->sin6_port
							      : ((const struct sockaddr_in *)addr)->sin_port);
	char host[64];

	sockaddr_host(addr, host, sizeof(host));
	snprintf(ret_text, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

static void set_socket_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },  { SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 5 }, { IPPROTO_TCP, TCP_KEEPINTVL, 5 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },  { IPPROTO_TCP, TCP_USER_TIMEOUT, DEAD_MS },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int)) < 0)
			sdv_log(SDV_LOG_WARNING, "socket option %d: %s", options[i].name, strerror(errno));
}

/* Life ------------------------------------------------------------------- */

static void conn_try_free(struct conn *conn)
{
	if (conn->state != CONN_CLOSED || conn->depth || conn->rx.is_active || conn->tx.is_active)
		return;
	list_del(&conn->node);
	if (conn->fd >= 0)
		close(conn->fd);
	free(conn->in);
	free(conn->out);
	free(conn);
}

void conn_hold(struct conn *conn)
{
	conn->depth++;
}

void conn_release(struct conn *conn)
{
	conn->depth--;
	conn_try_free(conn);
}

/* All but the descriptor, which operations in flight may still name. */
static void conn_shut(struct conn *conn)
{
	conn->state = CONN_CLOSED;
	timer_stop(&conn->deadline);
	timer_stop(&conn->ping);
	list_del(&conn->strangers);
	sdv_tls_close(conn->tls);
	conn->tls = NULL;
	if (conn->rx.is_active)
		sdv_op_cancel(conn->d->loop, &conn->rx);
	if (conn->tx.is_active)
		sdv_op_cancel(conn->d->loop, &conn->tx);
}

void conn_close(struct conn *conn)
{
	if (conn->state == CONN_CLOSED)
		return;
	conn_shut(conn);
	if (conn->fd >= 0)
		shutdown(conn->fd, SHUT_RDWR);
	conn_try_free(conn);
}

void conn_fail(struct conn *conn, int error, const char *format, ...)
{
	char why[SDV_TEXT_SIZE];
	va_list args;

	if (conn->state == CONN_CLOSED)
		return;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	conn_hold(conn);
	conn_shut(conn);
	if (conn->fd >= 0)
		shutdown(conn->fd, SHUT_RDWR);
	if (conn->ops->closed)
		conn->ops->closed(conn, error, why);
	conn_release(conn);
}

int conn_take_fd(struct conn *conn)
{
	int fd = conn->fd;

	conn->fd = -1;
	conn_shut(conn);
	conn_try_free(conn);
	return fd;
}

struct conn *conn_by_id(struct daemon *d, uint64_t id)
{
	list_for_each(conn, &d->conns, struct conn, node)
		if (conn->id == id && conn->state != CONN_CLOSED)
			return conn;
	return NULL;
}

void conns_close(struct daemon *d)
{
	list_for_each_safe(conn, &d->conns, struct conn, node)
		conn_close(conn);
}

static void conn_late(struct timer *timer)
{
	struct conn *conn = container_of(timer, struct conn, deadline);
	static const char *const phase[] = {
		[CONN_CONNECT] = "no answer",
		[CONN_HANDSHAKE] = "TLS handshake not finished",
		[CONN_HELLO_SEND] = "HELLO not taken",
		[CONN_HELLO_WAIT] = "no HELLO",
	};

	if (conn->state == CONN_OPEN)
		conn_fail(conn, conn->cut_error, "send: %s",
			  conn->cut_error == -ENOBUFS ? "the other end does not read"
						      : strerror(-conn->cut_error));
	else
		conn_fail(conn, -ETIMEDOUT, "%s within %d s", phase[conn->state], SETUP_MS / 1000);
}

/* Setting up ------------------------------------------------------------- */

static void conn_wait(struct conn *conn, bool for_write)
{
	int r = sdv_op_poll(conn->d->loop, &conn->rx, conn->fd, for_write ? POLLOUT : POLLIN, false);

	if (r < 0)
		conn_fail(conn, r, "poll: %s", strerror(-r));
}

static void conn_fail_tls(struct conn *conn, int error)
{
	const char *why = sdv_tls_error(conn->tls);

	/* The text is the session's, which closing frees. */
	if (error == -EKEYREJECTED)
		conn_fail(conn, error, "%s has another key than this peer", conn->text);
	else if (why[0])
		conn_fail(conn, error, "%.190s", why);
	else
		conn_fail(conn, error, "%s", strerror(-error));
}

static void conn_opened(struct conn *conn)
{
	bool is_clear = (conn->ours.purpose == SUPERDEV_PURPOSE_LANE || hello_is_for_task(&conn->ours)) &&
			conn->ours.transport == SUPERDEV_TRANSPORT_CLEAR &&
			conn->theirs.transport == SUPERDEV_TRANSPORT_CLEAR;
	int r;

	conn->transport = is_clear ? SUPERDEV_TRANSPORT_CLEAR : SUPERDEV_TRANSPORT_TLS;
	if (!is_clear) {
		r = sdv_tls_arm(conn->tls);
		if (r < 0) {
			conn_fail(conn, r, "kernel TLS: %s",
				  r == -ENOPROTOOPT ? "this kernel has none (module tls)" : strerror(-r));
			return;
		}
	}
	sdv_tls_close(conn->tls);
	conn->tls = NULL;
	timer_stop(&conn->deadline);
	list_del(&conn->strangers);
	conn->in_len = 0;
	conn->heard_ms = now_ms();
	conn->frames_ms = conn->heard_ms;
	conn->frames_left = FRAMES_BURST;
	conn->state = CONN_OPEN;
	conn->ops->open(conn);
	if (conn->state == CONN_OPEN)
		conn_wait(conn, false);
}

static void fill_hello(struct daemon *d, struct hello *hello)
{
	snprintf(hello->name, sizeof(hello->name), "%s", d->conf.name);
	snprintf(hello->version, sizeof(hello->version), "%s", SDV_VERSION);
	hello->features = FEATURES;
	hello->port = d->conf.port;
	memcpy(hello->boot, d->boot, sizeof(hello->boot));
}

/* The server's side: a whole HELLO is there. */
static int answer_hello(struct conn *conn, const struct sdv_head *request)
{
	char error[SDV_TEXT_SIZE] = "";
	int len;

	conn->ours.purpose = conn->theirs.purpose;
	if ((conn->theirs.features & SUPERDEV_FEAT_REQUIRED) != SUPERDEV_FEAT_REQUIRED) {
		conn->status = SUPERDEV_ST_NOTSUPP;
		snprintf(error, sizeof(error), "needs features %#llx, superdev %s there has %#llx: update it",
			 (unsigned long long)SUPERDEV_FEAT_REQUIRED, conn->theirs.version,
			 (unsigned long long)conn->theirs.features);
	} else {
		conn->status = conn->ops->hello(conn, error, sizeof(error));
	}
	fill_hello(conn->d, &conn->ours);
	snprintf(conn->ours.error, sizeof(conn->ours.error), "%s", error);
	len = hello_write_reply(&conn->ours, request, conn->status, conn->out, conn->out_size);
	if (len < 0)
		return len;
	conn->out_len = len;
	conn->is_refusal = conn->status;
	conn->state = CONN_HELLO_SEND;
	return 0;
}

/* The client's side. */
static int take_hello_reply(struct conn *conn, const struct sdv_head *head)
{
	conn->status = head->status;
	if (conn->status) {
		conn_fail(conn, sdv_errno_of_status(conn->status), "refused by %s: %s", conn->text,
			  conn->theirs.error[0] ? conn->theirs.error
						: strerror(-sdv_errno_of_status(conn->status)));
		return -ECANCELED;
	}
	if ((conn->theirs.features & SUPERDEV_FEAT_REQUIRED) != SUPERDEV_FEAT_REQUIRED) {
		conn_fail(conn, -EOPNOTSUPP, "superdev %s there lacks features %#llx: update it",
			  conn->theirs.version,
			  (unsigned long long)(SUPERDEV_FEAT_REQUIRED & ~conn->theirs.features));
		return -ECANCELED;
	}
	conn_opened(conn);
	return -ECANCELED;
}

/* Reads until a HELLO is whole; -EAGAIN: wait for more. -ECANCELED: all is said and done. */
static int receive_hello(struct conn *conn)
{
	struct sdv_head head;
	int r;

	do {
		if (conn->in_len == HELLO_SIZE_MAX)
			return -EMSGSIZE;
		r = sdv_tls_recv(conn->tls, conn->in + conn->in_len, HELLO_SIZE_MAX - conn->in_len);
		if (r <= 0)
			return r < 0 ? r : -ECONNRESET;
		conn->in_len += r;
		r = hello_read(conn->in, conn->in_len, !conn->is_server, &head, &conn->theirs);
	} while (r == -EAGAIN);
	if (r < 0) {
		conn_fail(conn, r, "sent no HELLO (%s)", strerror(-r));
		return -ECANCELED;
	}
	return conn->is_server ? answer_hello(conn, &head) : take_hello_reply(conn, &head);
}

static int finish_connect(struct conn *conn)
{
	socklen_t len = sizeof(int);
	int error = 0, r;

	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error) {
		conn_fail(conn, -error, "connect to %s: %s", conn->text, strerror(error));
		return -ECANCELED;
	}
	r = sdv_tls_open(&conn->tls, conn->d->key, conn->fd, false, conn->is_pinned ? conn->key : NULL);
	if (r < 0) {
		conn_fail(conn, r, "TLS: %s", strerror(-r));
		return -ECANCELED;
	}
	conn->state = CONN_HANDSHAKE;
	return 0;
}

static int shake_hands(struct conn *conn)
{
	int r;

	if (!conn->tls) {
		/* Memory of a session is only spent on those who say something. */
		r = sdv_tls_open(&conn->tls, conn->d->key, conn->fd, true, NULL);
		if (r < 0) {
			conn_fail(conn, r, "TLS: %s", strerror(-r));
			return -ECANCELED;
		}
	}
	conn->has_spoken = true;
	r = sdv_tls_handshake(conn->tls);
	if (r < 0)
		return r;
	memcpy(conn->key, sdv_tls_peer_key(conn->tls), sizeof(conn->key));
	if (!memcmp(conn->key, conn->d->public_key, sizeof(conn->key))) {
		conn_fail(conn, -ELOOP, "%s has the key of this machine: it is this machine, or a copy",
			  conn->text);
		return -ECANCELED;
	}
	conn->in = malloc(IN_SIZE);
	conn->out = malloc(HELLO_SIZE_MAX);
	if (!conn->in || !conn->out)
		return -ENOMEM;
	conn->out_size = HELLO_SIZE_MAX;
	conn->state = CONN_HELLO_WAIT;
	if (!conn->is_server) {
		fill_hello(conn->d, &conn->ours);
		r = hello_write(&conn->ours, conn->out, conn->out_size);
		if (r < 0)
			return r;
		conn->out_len = r;
		conn->state = CONN_HELLO_SEND;
	}
	return 0;
}

static int send_hello(struct conn *conn)
{
	int r = sdv_tls_send(conn->tls, conn->out, conn->out_len);

	if (r < 0)
		return r;
	conn->out_len = 0;
	if (!conn->is_server) {
		conn->state = CONN_HELLO_WAIT;
		return 0;
	}
	if (conn->is_refusal)
		conn_fail(conn, sdv_errno_of_status(conn->status), "refused: %s", conn->ours.error);
	else
		conn_opened(conn);
	return -ECANCELED;
}

static void conn_set_up(struct conn *conn)
{
	int r = 0;

	while (!r) {
		switch (conn->state) {
		case CONN_CONNECT: r = finish_connect(conn); break;
		case CONN_HANDSHAKE: r = shake_hands(conn); break;
		case CONN_HELLO_SEND: r = send_hello(conn); break;
		case CONN_HELLO_WAIT: r = receive_hello(conn); break;
		case CONN_OPEN:
		case CONN_CLOSED: return;
		}
	}
	if (r == -EAGAIN)
		conn_wait(conn, sdv_tls_wants_write(conn->tls));
	else if (r != -ECANCELED && conn->state != CONN_CLOSED)
		conn_fail_tls(conn, r);
}

/* Control frames --------------------------------------------------------- */

static bool is_flood(struct conn *conn)
{
	uint64_t now = now_ms(), fresh;

	fresh = (now - conn->frames_ms) * FRAMES_PER_S / 1000;
	if (fresh) {
		conn->frames_left =
			fresh > FRAMES_BURST - conn->frames_left ? FRAMES_BURST : conn->frames_left + fresh;
		conn->frames_ms = now;
	}
	if (!conn->frames_left)
		return true;
	conn->frames_left--;
	return false;
}

/* Hands on the frames that are whole; what remains is moved to the front. */
static void take_frames(struct conn *conn)
{
	static const struct sdv_frame_rules rules = {
		.class = SUPERDEV_CLASS_CONTROL,
		.max_length = SUPERDEV_MAX_CONTROL,
	};
	struct superdev_frame frame;
	struct sdv_head head;
	size_t at = 0, total;
	int r;

	while (conn->in_len - at >= sizeof(frame)) {
		memcpy(&frame, conn->in + at, sizeof(frame));
		r = sdv_frame_check(&frame, &rules, &head);
		if (r < 0) {
			conn_fail(conn, r, "sent what is no control frame (%s)", strerror(-r));
			return;
		}
		total = sizeof(frame) + head.length;
		if (conn->in_len - at < total)
			break;
		if (!sdv_frame_is_intact(&frame, conn->in + at + sizeof(frame), head.length)) {
			conn_fail(conn, -EBADMSG, "sent a frame with a wrong checksum");
			return;
		}
		if (is_flood(conn)) {
			conn_fail(conn, -EDQUOT, "sends more than %d control frames a second", FRAMES_PER_S);
			return;
		}
		conn->ops->frame(conn, &head, conn->in + at + sizeof(frame));
		if (conn->state != CONN_OPEN)
			return;
		at += total;
	}
	memmove(conn->in, conn->in + at, conn->in_len - at);
	conn->in_len -= at;
}

static void conn_receive(struct conn *conn)
{
	ssize_t n;

	n = recv(conn->fd, conn->in + conn->in_len, IN_SIZE - conn->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		conn_wait(conn, false);
		return;
	}
	if (n < 0) {
		conn_fail(conn, -errno, "receive: %s", strerror(errno));
		return;
	}
	if (!n) {
		conn_fail(conn, -ECONNRESET, "the other end closed the connection");
		return;
	}
	conn->in_len += n;
	conn->heard_ms = now_ms();
	take_frames(conn);
	if (conn->state == CONN_OPEN)
		conn_wait(conn, false);
}

/* Sends what is queued; 0, or -errno of a dead connection. */
static int conn_flush(struct conn *conn)
{
	size_t at = 0;
	ssize_t n;
	int r = 0;

	while (at < conn->out_len) {
		n = send(conn->fd, conn->out + at, conn->out_len - at, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -errno;
			break;
		}
		at += n;
	}
	memmove(conn->out, conn->out + at, conn->out_len - at);
	conn->out_len -= at;
	if (r != -EAGAIN)
		return r;
	return sdv_op_poll(conn->d->loop, &conn->tx, conn->fd, POLLOUT, false);
}

static int conn_queue(struct conn *conn, const void *data, size_t len)
{
	if (conn->out_len + len > conn->out_size) {
		size_t size = conn->out_size;
		uint8_t *out;

		while (size < conn->out_len + len)
			size *= 2;
		if (size > OUT_MAX)
			return -ENOBUFS;
		out = realloc(conn->out, size);
		if (!out)
			return -ENOMEM;
		conn->out = out;
		conn->out_size = size;
	}
	if (len)
		memcpy(conn->out + conn->out_len, data, len);
	conn->out_len += len;
	return 0;
}

void conn_send(struct conn *conn, const struct sdv_head *head, const void *payload)
{
	struct superdev_frame frame;
	int r;

	/* An armed deadline: it is to be cut, see below. */
	if (conn->state != CONN_OPEN || timer_is_armed(&conn->deadline))
		return;
	sdv_frame_build(&frame, head);
	r = conn_queue(conn, &frame, sizeof(frame));
	if (!r)
		r = conn_queue(conn, payload, head->length);
	if (!r && !conn->tx.is_active)
		r = conn_flush(conn);
	/* Whether or not it is dead, its owner is in the middle of something. */
	if (r < 0) {
		conn->cut_error = r;
		timer_start(&conn->deadline, 0);
	}
}

/* Operations ------------------------------------------------------------- */

static void conn_readable(struct sdv_op *op, int result, bool more)
{
	struct conn *conn = container_of(op, struct conn, rx);

	(void)more;
	conn_hold(conn);
	if (conn->state == CONN_CLOSED)
		;
	else if (result < 0)
		conn_fail(conn, result, "poll: %s", strerror(-result));
	else if (conn->state == CONN_OPEN)
		conn_receive(conn);
	else
		conn_set_up(conn);
	conn_release(conn);
}

static void conn_writable(struct sdv_op *op, int result, bool more)
{
	struct conn *conn = container_of(op, struct conn, tx);
	int r;

	(void)more;
	conn_hold(conn);
	if (conn->state == CONN_OPEN) {
		r = result < 0 ? result : conn_flush(conn);
		if (r < 0)
			conn_fail(conn, r, "send: %s", strerror(-r));
	}
	conn_release(conn);
}

static struct conn *conn_new(struct daemon *d, int fd, const struct conn_ops *ops, void *owner)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->d = d;
	conn->id = ++d->last_conn_id;
	conn->fd = fd;
	conn->ops = ops;
	conn->owner = owner;
	conn->rx.done = conn_readable;
	conn->tx.done = conn_writable;
	list_init(&conn->strangers);
	list_init(&conn->calls);
	timer_init(&conn->deadline, &d->timers, conn_late);
	timer_init(&conn->ping, &d->timers, NULL);
	list_add_tail(&d->conns, &conn->node);
	return conn;
}

/* Frees a connection that never came to life; its descriptor stays the caller's. */
static void conn_drop(struct conn *conn)
{
	list_del(&conn->node);
	free(conn);
}

int conn_connect(struct daemon *d, const struct sockaddr *addr, socklen_t addr_len, const uint8_t *pin,
		 const struct hello *ours, const struct conn_ops *ops, void *owner, struct conn **ret_conn)
{
	struct conn *conn;
	int fd, r;

	fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	set_socket_options(fd);
	if (connect(fd, addr, addr_len) < 0 && errno != EINPROGRESS) {
		r = -errno;
		goto err_close;
	}
	conn = conn_new(d, fd, ops, owner);
	if (!conn) {
		r = -ENOMEM;
		goto err_close;
	}
	memcpy(&conn->addr, addr, addr_len);
	sockaddr_text(&conn->addr, conn->text, sizeof(conn->text));
	conn->ours = *ours;
	if (pin) {
		memcpy(conn->key, pin, sizeof(conn->key));
		conn->is_pinned = true;
	}
	r = sdv_op_poll(d->loop, &conn->rx, fd, POLLOUT, false);
	if (r < 0)
		goto err_drop;
	timer_start(&conn->deadline, SETUP_MS);
	*ret_conn = conn;
	return 0;

err_drop:
	conn_drop(conn);
err_close:
	close(fd);
	return r;
}

int conn_accept(struct daemon *d, int fd, const struct sockaddr_storage *addr, const struct conn_ops *ops,
		void *owner, struct conn **ret_conn)
{
	struct conn *conn;
	int r;

	conn = conn_new(d, fd, ops, owner);
	if (!conn) {
		r = -ENOMEM;
		goto err_close;
	}
	set_socket_options(fd);
	conn->is_server = true;
	conn->state = CONN_HANDSHAKE;
	conn->addr = *addr;
	sockaddr_text(&conn->addr, conn->text, sizeof(conn->text));
	r = sdv_op_poll(d->loop, &conn->rx, fd, POLLIN, false);
	if (r < 0)
		goto err_drop;
	timer_start(&conn->deadline, SETUP_MS);
	*ret_conn = conn;
	return 0;

err_drop:
	conn_drop(conn);
err_close:
	close(fd);
	return r;
}
