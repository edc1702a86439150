// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control.c: control connections: requests and their answers, pings, and who
 * gets which op.
 */
#include "control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lease_home.h"
#include "lease_lender.h"
#include "offer.h"
#include "peer.h"

#define PING_MS  5000
#define DEAD_MS  15000
#define PROBE_MS 2000
#define JOBS_MAX 32 /* of one connection that are being worked on */

struct call {
	struct list node; /* conn.calls */
	struct conn *conn;
	uint32_t tag;
	uint8_t op;
	bool is_probe;
	uint64_t sent_us;
	struct timer timeout;
	control_reply_fn fn;
	void *arg;
};

/* Asking ----------------------------------------------------------------- */

static const struct sdv_attr no_attrs[SUPERDEV_A_LEASE_MAX + 1];

static void call_end(struct call *call, int error, const struct sdv_attr *attrs)
{
	control_reply_fn fn = call->fn;
	void *arg = call->arg;

	timer_stop(&call->timeout);
	list_del(&call->node);
	free(call);
	if (fn)
		fn(arg, error, attrs);
}

static void call_late(struct timer *timer)
{
	struct call *call = container_of(timer, struct call, timeout);

	call_end(call, -ETIMEDOUT, no_attrs);
}

static struct call *call_new(struct conn *conn, unsigned int op, unsigned int timeout_ms, control_reply_fn fn,
			     void *arg)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->conn = conn;
	call->tag = ++conn->last_tag;
	call->op = op;
	call->sent_us = now_us();
	call->fn = fn;
	call->arg = arg;
	timer_init(&call->timeout, &conn->d->timers, call_late);
	timer_start(&call->timeout, timeout_ms);
	list_add_tail(&conn->calls, &call->node);
	return call;
}

void control_call(struct conn *conn, unsigned int op, const struct sdv_attr_writer *w,
		  unsigned int timeout_ms, control_reply_fn fn, void *arg)
{
	struct call *call = call_new(conn, op, timeout_ms, fn, arg);

	if (!call || sdv_attr_end(w) < 0) {
		sdv_log(SDV_LOG_ERR, "control op %u to %s could not be sent", op, conn->text);
		if (call)
			timer_start(&call->timeout, 0);
		return;
	}
	conn_send(conn,
		  &(struct sdv_head){
			  .class = SUPERDEV_CLASS_CONTROL, .op = op, .tag = call->tag, .length = w->len },
		  w->data);
}

void control_forget(struct daemon *d, const void *arg)
{
	list_for_each(conn, &d->conns, struct conn, node)
		list_for_each(call, &conn->calls, struct call, node)
			if (call->arg == arg)
				call->fn = NULL;
}

void control_tell(struct conn *conn, unsigned int op, const struct sdv_attr_writer *w)
{
	if (sdv_attr_end(w) < 0) {
		sdv_log(SDV_LOG_ERR, "control op %u to %s is too long", op, conn->text);
		return;
	}
	conn_send(conn, &(struct sdv_head){ .class = SUPERDEV_CLASS_CONTROL, .op = op, .length = w->len },
		  w->data);
}

static void calls_end(struct conn *conn)
{
	while (!list_is_empty(&conn->calls))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): each is taken off the list before it is freed */
		call_end(list_entry(conn->calls.next, struct call, node), -ECONNRESET, no_attrs);
}

/* Answering -------------------------------------------------------------- */

void control_answer(struct daemon *d, const struct control_request *request, uint32_t status,
		    const struct sdv_attr_writer *w)
{
	struct conn *conn = conn_by_id(d, request->conn_id);
	struct sdv_head head = request->head;

	if (!conn || conn->state != CONN_OPEN)
		return;
	if (conn->jobs)
		conn->jobs--;
	head.flags = SUPERDEV_F_REPLY;
	head.status = status;
	head.length = w ? w->len : 0;
	conn_send(conn, &head, w ? w->data : NULL);
}

void control_refuse(struct daemon *d, const struct control_request *request, uint32_t status,
		    const char *format, ...)
{
	char why[SDV_TEXT_SIZE];
	uint8_t data[SDV_TEXT_SIZE + 8];
	struct sdv_attr_writer w;
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	sdv_attr_begin(&w, data, sizeof(data));
	sdv_put_string(&w, SUPERDEV_A_LEASE_ERROR, why);
	control_answer(d, request, status, &w);
}

/* Pings ------------------------------------------------------------------ */

static void ping_late(struct timer *timer)
{
	struct call *call = container_of(timer, struct call, timeout);

	/* Anything that was heard meanwhile is as good as the answer. */
	if (!call->is_probe && now_ms() - call->conn->heard_ms < DEAD_MS)
		call_end(call, 0, no_attrs);
	else
		conn_fail(call->conn, -ETIMEDOUT, "does not answer");
}

static void ping(struct conn *conn, unsigned int patience_ms, bool is_probe)
{
	struct call *call = call_new(conn, SUPERDEV_CTL_PING, patience_ms, NULL, NULL);

	if (!call)
		return;
	call->is_probe = is_probe;
	call->timeout.fn = ping_late;
	conn_send(conn,
		  &(struct sdv_head){
			  .class = SUPERDEV_CLASS_CONTROL, .op = SUPERDEV_CTL_PING, .tag = call->tag },
		  NULL);
}

static void ping_due(struct timer *timer)
{
	struct conn *conn = container_of(timer, struct conn, ping);

	ping(conn, DEAD_MS - PING_MS, false);
	timer_start(&conn->ping, PING_MS);
}

void control_probe(struct conn *conn)
{
	list_for_each(call, &conn->calls, struct call, node)
		if (call->is_probe)
			return;
	ping(conn, PROBE_MS, true);
}

/* Receiving -------------------------------------------------------------- */

static void take_reply(struct conn *conn, const struct sdv_head *head, const void *payload)
{
	struct sdv_attr attrs[SUPERDEV_A_LEASE_MAX + 1];
	int error = sdv_errno_of_status(head->status);

	list_for_each(call, &conn->calls, struct call, node) {
		if (call->tag != head->tag || call->op != head->op)
			continue;
		if (call->op == SUPERDEV_CTL_PING) {
			if (conn->peer)
				peer_measured(conn->peer, now_us() - call->sent_us);
			call_end(call, 0, no_attrs);
			return;
		}
		if (sdv_attr_parse(&sdv_lease_set, payload, head->length, attrs, NULL) < 0)
			call_end(call, -EBADMSG, no_attrs);
		else
			call_end(call, error, attrs);
		return;
	}
	/* The answer to something that was given up meanwhile. */
}

struct control_route {
	const char *name;
	const struct sdv_attr_set *set;
	bool is_for_lender; /* to be taken by the side that accepted, or by the other */
	bool is_answered;
	void (*take)(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		     const void *payload);
};

static const struct control_route routes[] = {
	[SUPERDEV_CTL_OFFER] = { "OFFER", &sdv_offer_set, false, false, offer_announced },
	[SUPERDEV_CTL_OFFER_GONE] = { "OFFER_GONE", &sdv_offer_set, false, false, offer_withdrawn },
	[SUPERDEV_CTL_LEASE] = { "LEASE", &sdv_lease_set, true, true, lender_lease },
	[SUPERDEV_CTL_RESUME] = { "RESUME", &sdv_lease_set, true, true, lender_resume },
	[SUPERDEV_CTL_RETURN] = { "RETURN", &sdv_lease_set, true, true, lender_return },
	[SUPERDEV_CTL_REVOKE] = { "REVOKE", &sdv_lease_set, false, true, home_revoked },
	[SUPERDEV_CTL_CONFIG] = { "CONFIG", &sdv_lease_set, false, true, home_configured },
};

static void take_transport(struct conn *conn, const void *payload, size_t len)
{
	struct sdv_attr attrs[SUPERDEV_A_PEER_MAX + 1];

	if (sdv_attr_parse(&sdv_peer_set, payload, len, attrs, NULL) < 0 ||
	    !sdv_has(&attrs[SUPERDEV_A_PEER_TRANSPORT]))
		conn_fail(conn, -EBADMSG, "sent a malformed TRANSPORT");
	else
		peer_wants_transport(conn->peer, sdv_get_u32(&attrs[SUPERDEV_A_PEER_TRANSPORT]));
}

static void take_ping(struct conn *conn, const struct control_request *request)
{
	struct peer *peer = conn->peer;

	conn->jobs++;
	control_answer(conn->d, request, SUPERDEV_ST_OK, NULL);
	if (conn->has_pinged)
		return;
	/* What the other end has to say about what it lends or holds came before. */
	conn->has_pinged = true;
	if (conn->is_server)
		lender_heard_all(peer, conn);
	else
		offers_heard_all(peer);
}

static void take_frame(struct conn *conn, const struct sdv_head *head, const void *payload)
{
	/* Largest set of all routes. */
	struct sdv_attr attrs[SUPERDEV_A_LEASE_MAX + 1];
	struct control_request request = { .conn_id = conn->id, .head = *head };
	const struct control_route *route = NULL;

	_Static_assert((int)SUPERDEV_A_LEASE_MAX >= (int)SUPERDEV_A_OFFER_MAX, "attrs holds both sets");
	if (head->flags & SUPERDEV_F_REPLY) {
		take_reply(conn, head, payload);
		return;
	}
	if (head->op == SUPERDEV_CTL_PING) {
		if (head->length)
			conn_fail(conn, -EBADMSG, "sent a malformed PING");
		else
			take_ping(conn, &request);
		return;
	}
	if (head->op == SUPERDEV_CTL_TRANSPORT) {
		take_transport(conn, payload, head->length);
		return;
	}
	if (head->op < sizeof(routes) / sizeof(routes[0]) && routes[head->op].take)
		route = &routes[head->op];
	if (!route || route->is_for_lender != conn->is_server) {
		conn->jobs++;
		control_refuse(conn->d, &request, SUPERDEV_ST_NOTSUPP, "no control op %u here", head->op);
		return;
	}
	if (sdv_attr_parse(route->set, payload, head->length, attrs, NULL) < 0) {
		conn_fail(conn, -EBADMSG, "sent a malformed %s", route->name);
		return;
	}
	if (route->is_answered && ++conn->jobs > JOBS_MAX) {
		conn_fail(conn, -EDQUOT, "asks for more than %d things at once", JOBS_MAX);
		return;
	}
	route->take(conn->peer, &request, attrs, payload);
}

static void control_closed(struct conn *conn, int error, const char *why)
{
	calls_end(conn);
	if (conn->peer)
		peer_conn_closed(conn->peer, conn, error, why);
}

void control_start(struct conn *conn, struct peer *peer)
{
	conn->peer = peer;
	conn->ping.fn = ping_due;
	timer_start(&conn->ping, 0);
}

void control_close(struct conn *conn)
{
	conn_hold(conn);
	conn_close(conn);
	calls_end(conn);
	conn->peer = NULL;
	conn_release(conn);
}

static void control_open(struct conn *conn)
{
	peer_conn_open(conn);
}

const struct conn_ops control_ops = {
	.open = control_open,
	.frame = take_frame,
	.closed = control_closed,
};
