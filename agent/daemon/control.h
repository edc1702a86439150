/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.h: control connections: requests and their answers, pings, and who
 * gets which op.
 *
 * Each side opens one to every trusted peer.  On a connection the side that
 * accepted it is the lender: it announces offers and serves leases; the side
 * that opened it is home.
 */
#ifndef SDV_CONTROL_H
#define SDV_CONTROL_H

#include "conn.h"
#include "wire.h"

/**
 * typedef control_reply_fn - a request was answered, or will not be
 * @arg:	as given to control_call()
 * @error:	0 or -errno of the status; -ECONNRESET: the connection ended first;
 *		-ETIMEDOUT; -EBADMSG: nonsense came
 * @attrs:	where @error is 0 or a status, the answer's attributes, of the lease
 *		set; all absent otherwise
 */
typedef void (*control_reply_fn)(void *arg, int error, const struct sdv_attr *attrs);

extern const struct conn_ops control_ops;

/* A connection was opened for a peer: starts pings.  What must come before the
 * first one is sent by the caller. */
void control_start(struct conn *conn, struct peer *peer);
/* Ends the connection; its calls are answered with -ECONNRESET. */
void control_close(struct conn *conn);
/* A ping at once, with little patience: something suggests that the peer is gone. */
void control_probe(struct conn *conn);

/* A request with the attributes of @w; @fn is called exactly once, never from
 * here, unless control_forget(@arg) comes first. */
void control_call(struct conn *conn, unsigned int op, const struct sdv_attr_writer *w,
		  unsigned int timeout_ms, control_reply_fn fn, void *arg);
void control_forget(struct daemon *d, const void *arg);

/* A message that is not answered. */
void control_tell(struct conn *conn, unsigned int op, const struct sdv_attr_writer *w);

/* A request that is answered later, perhaps after its connection is gone. */
struct control_request {
	uint64_t conn_id;
	struct sdv_head head;
};

/* @w may be NULL. */
void control_answer(struct daemon *d, const struct control_request *request, uint32_t status,
		    const struct sdv_attr_writer *w);
/* An answer with nothing but a reason. */
void control_refuse(struct daemon *d, const struct control_request *request, uint32_t status,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
