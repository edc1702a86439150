/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn.h: one TCP connection with another machine: connect, TLS handshake,
 * HELLO both ways, kernel TLS; then control frames, or a lane to hand over.
 */
#ifndef SDV_CONN_H
#define SDV_CONN_H

#include <sys/socket.h>

#include "daemon.h"
#include "hello.h"

struct peer;
struct conn;

enum conn_state {
	CONN_CONNECT,
	CONN_HANDSHAKE,
	CONN_HELLO_SEND,
	CONN_HELLO_WAIT,
	CONN_OPEN,
	CONN_CLOSED, /* only waiting for operations in flight */
};

/**
 * struct conn_ops - what becomes of a connection
 * @hello:	a client said HELLO (conn->theirs, conn->key); returns the status
 *		of the reply and, where that is not 0, the reason.  Sets the ops
 *		and owner for what follows.  Only for accepted connections.
 * @open:	HELLO was exchanged and the socket is armed as conn->transport says
 * @frame:	a control frame came; @payload is @head->length bytes
 * @closed:	the connection is no more; not called for conn_close() by its owner
 *		nor after conn_take_fd()
 */
struct conn_ops {
	uint32_t (*hello)(struct conn *conn, char *error, size_t error_size);
	void (*open)(struct conn *conn);
	void (*frame)(struct conn *conn, const struct sdv_head *head, const void *payload);
	void (*closed)(struct conn *conn, int error, const char *why);
};

struct conn {
	struct list node;      /* daemon.conns */
	struct list strangers; /* listen.c: accepted, not authenticated */
	struct daemon *d;
	uint64_t id; /* never used again; names a connection that may be gone */
	const struct conn_ops *ops;
	void *owner;

	enum conn_state state;
	int fd;
	bool is_server;
	bool is_refusal;    /* the HELLO reply being sent refuses */
	bool has_spoken;    /* a byte came */
	unsigned int depth; /* calls into this connection: not to be freed */
	struct sdv_op rx, tx;
	struct timer deadline;
	struct sdv_tls *tls;
	struct sockaddr_storage addr;
	char text[80]; /* address and port, for messages */

	bool is_pinned;
	uint8_t key[SUPERDEV_KEY_LEN]; /* pinned, or found in the handshake */
	struct hello ours, theirs;
	uint32_t status; /* of the HELLO reply */
	enum superdev_transport transport;

	uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len, out_size;
	int cut_error;      /* why the deadline of an open one was armed */
	uint64_t frames_ms; /* when frames_left was last filled up */
	uint32_t frames_left;

	/* control.c's */
	struct peer *peer;
	struct list calls;
	uint32_t last_tag;
	struct timer ping;
	uint64_t heard_ms;
	unsigned int jobs; /* requests of the other end that are being worked on */
	bool has_pinged;   /* the other end; all its RESUMEs came before */
};

/**
 * conn_connect - opens a connection and says HELLO
 * @addr:	where to
 * @pin:	the key that must be there; NULL: any
 * @ours:	our HELLO; name, version, features, port and boot are filled in
 * @ret_conn:	freed by itself after @ops->closed, conn_close() or conn_take_fd()
 *
 * Return: 0, or -errno at once; then no op is called.
 */
int conn_connect(struct daemon *d, const struct sockaddr *addr, socklen_t addr_len, const uint8_t *pin,
		 const struct hello *ours, const struct conn_ops *ops, void *owner, struct conn **ret_conn);

/* An accepted socket, which it takes over; the other end speaks first. */
int conn_accept(struct daemon *d, int fd, const struct sockaddr_storage *addr, const struct conn_ops *ops,
		void *owner, struct conn **ret_conn);

/* For the owner; @ops->closed is not called. */
void conn_close(struct conn *conn);
/* Ends it for a reason that the owner is told. */
void conn_fail(struct conn *conn, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A closed connection is not freed between these two. */
void conn_hold(struct conn *conn);
void conn_release(struct conn *conn);
/* The armed socket of an open connection, which is over with that. */
int conn_take_fd(struct conn *conn);

/**
 * conn_send - queues a control frame on an open connection
 *
 * Never blocks and never fails towards the caller: a peer that does not read
 * is cut off, from the loop.
 */
void conn_send(struct conn *conn, const struct sdv_head *head, const void *payload);

/* NULL: gone. */
struct conn *conn_by_id(struct daemon *d, uint64_t id);
void conns_close(struct daemon *d);

/* "ADDR:PORT" or "[ADDR]:PORT", with IPv4 in IPv6 unpacked. */
void sockaddr_text(const struct sockaddr_storage *addr, char *ret_text, size_t size);
void sockaddr_host(const struct sockaddr_storage *addr, char *ret_text, size_t size);

#endif
