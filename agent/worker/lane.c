// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lane.c: frames of one connection in, replies out.  See lane.h.
 *
 * At most one receive and one send are in flight per lane.  Whatever has come
 * is parsed at once; replies that a round of the loop has made go out together,
 * when the round is over.  A frame that breaks the protocol ends its lane and
 * nothing else: home makes a new one and asks again.
 */
#include "lane.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* From here on a payload is worth a receive of its own, without a copy. */
#define DIRECT 4096u
/* And from here on it is likely that the next one is as long. */
#define LONG   (16u << 10)
/* The longest record of TLS (RFC 8446, section 5.1). */
#define RECORD (16u << 10)

static void lane_parse(struct sdv_lane *lane);

static struct sdv_request *request_get(struct sdv_lane *lane)
{
	struct sdv_worker *worker = lane->worker;
	struct sdv_request *request = worker->free;

	if (!request)
		return NULL;
	worker->free = request->next;
	worker->nr_running++;
	request->lane = lane;
	request->generation = lane->generation;
	request->data = NULL;
	request->need = 0;
	request->done = 0;
	request->reply_len = 0;
	request->twins = NULL;
	request->next = NULL;
	return request;
}

/**
 * sdv_request_put - the request is over; nobody is answered
 *
 * Its operation must not be in flight.
 */
void sdv_request_put(struct sdv_request *request)
{
	struct sdv_worker *worker = request->worker;

	if (request->data)
		sdv_arena_free(worker->arena, request->data);
	request->data = NULL;
	request->next = worker->free;
	worker->free = request;
	worker->nr_running--;
	worker->has_room = true;
}

/* It has something to send when the round is over. */
static void lane_mark(struct sdv_lane *lane)
{
	if (lane->is_dirty)
		return;
	lane->is_dirty = true;
	lane->next_dirty = lane->worker->dirty;
	lane->worker->dirty = lane;
}

/**
 * sdv_request_reply - answers a request, and is done with it
 * @status:	enum superdev_status
 * @len:	bytes of request->data that go with it; 0 unless @status is OK
 *
 * The reply goes to the lane that the request came on.  Where that is gone, so
 * is the reply: home asks again on another.
 */
void sdv_request_reply(struct sdv_request *request, uint32_t status, uint32_t len)
{
	struct sdv_lane *lane = request->lane;

	if (lane->state != SDV_LANE_OPEN || lane->generation != request->generation) {
		sdv_request_put(request);
		return;
	}
	sdv_frame_reply(&request->reply, &request->head, status, len);
	if (lane->is_clear)
		sdv_frame_seal(&request->reply, request->data, len);
	request->reply_len = len;
	request->next = NULL;
	*lane->tx_end = request;
	lane->tx_end = &request->next;
	lane_mark(lane);
}

static void requests_put(struct sdv_request *request)
{
	while (request) {
		struct sdv_request *next = request->next;

		sdv_request_put(request);
		request = next;
	}
}

/* The last step of closing: the entry is empty and the socket is gone. */
static void lane_emptied(struct sdv_op *op, int result, bool more)
{
	struct sdv_lane *lane = (struct sdv_lane *)((char *)op - offsetof(struct sdv_lane, install_op));

	(void)result, (void)more;
	lane->state = SDV_LANE_CLOSED;
	lane->worker->lane_down(lane->worker, lane->index, lane->error);
}

/* Once nothing is in flight that uses the lane's memory or its socket. */
static void lane_empty(struct sdv_lane *lane)
{
	static int nothing = -1;

	if (lane->state != SDV_LANE_CLOSING || lane->recv_op.is_active || lane->send_op.is_active ||
	    lane->install_op.is_active)
		return;
	requests_put(lane->tx_sent);
	lane->tx_sent = NULL;
	if (lane->rx)
		sdv_request_put(lane->rx);
	lane->rx = NULL;
	lane->install_op.done = lane_emptied;
	if (sdv_op_install(lane->worker->loop, &lane->install_op, SDV_SLOT_LANES + lane->index, &nothing))
		/* The socket stays in the entry, unused, until the next lane replaces it. */
		lane_emptied(&lane->install_op, 0, false);
}

/**
 * sdv_lane_close - ends a lane
 * @error:	-errno for the agent's message, 0 where it was asked for
 *
 * Requests already running go on and find nobody to answer to.
 * worker->lane_down() is called when it is over.
 */
void sdv_lane_close(struct sdv_lane *lane, int error)
{
	if (lane->state != SDV_LANE_OPEN && lane->state != SDV_LANE_OPENING)
		return;
	lane->state = SDV_LANE_CLOSING;
	lane->generation++;
	lane->error = error;
	requests_put(lane->tx);
	lane->tx = NULL;
	lane->tx_end = &lane->tx;
	sdv_op_cancel(lane->worker->loop, &lane->recv_op);
	sdv_op_cancel(lane->worker->loop, &lane->send_op);
	lane_empty(lane);
}

static void lane_receive(struct sdv_lane *lane)
{
	struct sdv_request *rx = lane->rx;
	size_t left = rx ? rx->head.length - lane->rx_done : 0, room;
	int r;

	if (lane->state != SDV_LANE_OPEN || lane->recv_op.is_active)
		return;
	lane->rx_is_direct = rx && rx->data && left >= DIRECT;
	if (lane->rx_is_direct) {
		r = sdv_op_recv(lane->worker->loop, &lane->recv_op, SDV_FIXED(SDV_SLOT_LANES + lane->index),
				rx->data + lane->rx_done, left, MSG_WAITALL);
	} else {
		memmove(lane->stage, lane->stage + lane->stage_pos, lane->stage_len - lane->stage_pos);
		lane->stage_len -= lane->stage_pos;
		lane->stage_pos = 0;
		room = SDV_LANE_STAGE - lane->stage_len;
		if (!rx && lane->rx_frames_only && lane->stage_len < sizeof(struct superdev_frame))
			room = sizeof(struct superdev_frame) - lane->stage_len;
		r = sdv_op_recv(lane->worker->loop, &lane->recv_op, SDV_FIXED(SDV_SLOT_LANES + lane->index),
				lane->stage + lane->stage_len, room, 0);
	}
	if (r)
		sdv_lane_close(lane, r);
}

static void lane_received(struct sdv_op *op, int result, bool more)
{
	struct sdv_lane *lane = (struct sdv_lane *)((char *)op - offsetof(struct sdv_lane, recv_op));

	(void)more;
	if (lane->state == SDV_LANE_CLOSING) {
		lane_empty(lane);
		return;
	}
	if (result == -EINTR || result == -EAGAIN) {
		lane_receive(lane);
		return;
	}
	if (result <= 0) {
		sdv_lane_close(lane, result ? result : -ECONNRESET);
		return;
	}
	if (lane->rx_is_direct) {
		if (lane->is_clear)
			sdv_csum_add(&lane->rx_csum, lane->rx->data + lane->rx_done, (size_t)result);
		lane->rx_done += (uint32_t)result;
	} else {
		lane->stage_len += (size_t)result;
	}
	lane_parse(lane);
}

/* Until something is freed: what the lane holds back, TCP holds back at home. */
static void lane_wait(struct sdv_lane *lane)
{
	struct sdv_lane **end = &lane->worker->waiting;

	if (lane->is_waiting)
		return;
	while (*end)
		end = &(*end)->next_waiting;
	lane->is_waiting = true;
	lane->next_waiting = NULL;
	*end = lane;
}

/* The header of the next frame is in the stage.  0: lane->rx is it; -EAGAIN: wait; or fatal. */
static int lane_header(struct sdv_lane *lane)
{
	struct superdev_frame frame;
	struct sdv_request *request;
	struct sdv_head head;
	int r;

	memcpy(&frame, lane->stage + lane->stage_pos, sizeof(frame));
	r = sdv_frame_check(&frame, &lane->rules, &head);
	if (r && r != -ESTALE)
		return r;
	if (head.flags & SUPERDEV_F_REPLY)
		return -EPROTO;
	request = request_get(lane);
	if (!request)
		return -EAGAIN;
	request->head = head;
	request->status = r ? SUPERDEV_ST_STALE : lane->worker->class->check(lane->worker, request);
	/* Whatever a class thinks of a request, its payload stays within its memory. */
	if (request->need > SDV_ARENA_MAX || (request->need && head.length > request->need))
		request->status = SUPERDEV_ST_INVAL;
	lane->stage_pos += sizeof(frame);
	lane->rx = request;
	lane->rx_done = 0;
	lane->rx_frames_only = head.length >= LONG;
	if (lane->is_clear) {
		/* Compared with this when the payload is complete; see payload_is_intact(). */
		request->reply.csum = frame.csum;
		sdv_csum_begin(&lane->rx_csum, &frame);
	}
	return 0;
}

/* request->reply is free until there is a reply, so it keeps the sum that was sent. */
static bool payload_is_intact(const struct sdv_lane *lane)
{
	return !lane->is_clear || le32toh(lane->rx->reply.csum) == sdv_csum_end(&lane->rx_csum);
}

/* Takes what the stage has of the payload; true when it is complete. */
static bool lane_payload(struct sdv_lane *lane)
{
	struct sdv_request *rx = lane->rx;
	size_t have = lane->stage_len - lane->stage_pos, left = rx->head.length - lane->rx_done;
	size_t len = have < left ? have : left;

	if (len) {
		const uint8_t *from = lane->stage + lane->stage_pos;

		if (rx->data)
			memcpy(rx->data + lane->rx_done, from, len);
		if (lane->is_clear)
			sdv_csum_add(&lane->rx_csum, from, len);
		lane->stage_pos += len;
		lane->rx_done += (uint32_t)len;
	}
	return lane->rx_done == rx->head.length;
}

/* Runs every request that is complete, then receives more, or waits for memory. */
static void lane_parse(struct sdv_lane *lane)
{
	struct sdv_worker *worker = lane->worker;

	while (lane->state == SDV_LANE_OPEN) {
		struct sdv_request *rx = lane->rx;

		if (!rx) {
			int r;

			if (lane->stage_len - lane->stage_pos < sizeof(struct superdev_frame))
				break;
			r = lane_header(lane);
			if (r == -EAGAIN) {
				lane_wait(lane);
				return;
			}
			if (r) {
				sdv_lane_close(lane, r);
				return;
			}
			rx = lane->rx;
		}
		if (rx->status == SUPERDEV_ST_OK && rx->need && !rx->data) {
			rx->data = sdv_arena_alloc(worker->arena, rx->need);
			if (!rx->data) {
				lane_wait(lane);
				return;
			}
		}
		if (!lane_payload(lane))
			break;
		if (!payload_is_intact(lane)) {
			sdv_lane_close(lane, -EBADMSG);
			return;
		}
		lane->rx = NULL;
		if (rx->status != SUPERDEV_ST_OK)
			sdv_request_reply(rx, rx->status, 0);
		else
			worker->class->run(worker, rx);
	}
	lane_receive(lane);
}

/* What a socket had no room for, or what is not to be waited for. */
static void lane_send(struct sdv_lane *lane)
{
	/* Kernel TLS knows no MSG_WAITALL in a send of a ring: what is short is continued. */
	int r = sdv_op_sendmsg(lane->worker->loop, &lane->send_op, SDV_FIXED(SDV_SLOT_LANES + lane->index),
			       &lane->msg, lane->is_clear ? MSG_WAITALL : 0);

	if (r)
		sdv_lane_close(lane, r);
}

/*
 * A send that ends when the next request comes saves a lone requester's lender
 * one system call of three.  Not while what it ends is waited for: its memory, or
 * its turn.  Nor where it is long, and there may be no room for it.  Kernel TLS
 * knows no MSG_WAITALL, but takes what fits a record as a whole: it waits for
 * room, and with MSG_DONTWAIT gives up, only before it.
 */
static bool may_send_quietly(const struct sdv_lane *lane, size_t len)
{
	return len <= RECORD && !lane->tx && !lane->worker->waiting;
}

/* Sends as many of the waiting replies as one message takes. */
static void lane_flush(struct sdv_lane *lane)
{
	struct sdv_request *last = NULL;
	unsigned int nr = 0;
	size_t len = 0;
	int r;

	if (lane->state != SDV_LANE_OPEN || lane->send_op.is_active || !lane->tx)
		return;
	for (struct sdv_request *next = lane->tx; next && nr + 2 <= SDV_LANE_IOV; next = next->next) {
		lane->iov[nr++] = (struct iovec){ &next->reply, sizeof(next->reply) };
		if (next->reply_len)
			lane->iov[nr++] = (struct iovec){ next->data, next->reply_len };
		len += sizeof(next->reply) + next->reply_len;
		last = next;
	}
	lane->tx_sent = lane->tx;
	lane->tx = last->next;
	last->next = NULL;
	if (!lane->tx)
		lane->tx_end = &lane->tx;
	lane->msg = (struct msghdr){ .msg_iov = lane->iov, .msg_iovlen = nr };
	if (!may_send_quietly(lane, len)) {
		lane_send(lane);
		return;
	}
	r = sdv_op_sendmsg_quiet(lane->worker->loop, &lane->send_op, SDV_FIXED(SDV_SLOT_LANES + lane->index),
				 &lane->msg, len, lane->is_clear ? MSG_WAITALL : 0);
	if (r)
		sdv_lane_close(lane, r);
}

static void lane_sent(struct sdv_op *op, int result, bool more)
{
	struct sdv_lane *lane = (struct sdv_lane *)((char *)op - offsetof(struct sdv_lane, send_op));
	size_t sent = result > 0 ? (size_t)result : 0;

	(void)more;
	if (lane->state == SDV_LANE_CLOSING) {
		lane_empty(lane);
		return;
	}
	if (result < 0 && result != -EINTR && result != -EAGAIN) {
		sdv_lane_close(lane, result);
		return;
	}
	while (lane->msg.msg_iovlen && sent >= lane->msg.msg_iov->iov_len) {
		sent -= lane->msg.msg_iov->iov_len;
		lane->msg.msg_iov++;
		lane->msg.msg_iovlen--;
	}
	if (lane->msg.msg_iovlen) {
		lane->msg.msg_iov->iov_base = (uint8_t *)lane->msg.msg_iov->iov_base + sent;
		lane->msg.msg_iov->iov_len -= sent;
		lane_send(lane);
		return;
	}
	requests_put(lane->tx_sent);
	lane->tx_sent = NULL;
	lane_mark(lane);
}

static void lane_installed(struct sdv_op *op, int result, bool more)
{
	struct sdv_lane *lane = (struct sdv_lane *)((char *)op - offsetof(struct sdv_lane, install_op));

	(void)more;
	if (lane->state == SDV_LANE_CLOSING) {
		lane_empty(lane);
		return;
	}
	lane->state = SDV_LANE_OPEN;
	if (result < 0)
		sdv_lane_close(lane, result);
	else
		lane_receive(lane);
}

/**
 * sdv_lane_open - begins to serve a connection
 * @fd:		the socket; may be closed when this returns
 * @is_clear:	its frames carry checksums
 *
 * Return: 0; -EBUSY where the entry is still in use; what sdv_op_install() says.
 */
int sdv_lane_open(struct sdv_lane *lane, int fd, bool is_clear)
{
	struct sdv_worker *worker = lane->worker;
	int r;

	if (lane->state != SDV_LANE_CLOSED)
		return -EBUSY;
	lane->fd = fd;
	lane->install_op.done = lane_installed;
	r = sdv_op_install(worker->loop, &lane->install_op, SDV_SLOT_LANES + lane->index, &lane->fd);
	if (r)
		return r;
	lane->state = SDV_LANE_OPENING;
	lane->is_clear = is_clear;
	lane->rules = (struct sdv_frame_rules){
		.class = worker->class->wire_class,
		.must_csum = is_clear,
		.lease = worker->lease,
		.epoch = worker->epoch,
		.max_length = SUPERDEV_MAX_PAYLOAD,
	};
	lane->rx_frames_only = false;
	lane->stage_pos = 0;
	lane->stage_len = 0;
	return 0;
}

/**
 * sdv_lanes_turn - between two rounds of the loop
 *
 * Goes on with lanes that waited for memory, and sends what the round has made.
 */
void sdv_lanes_turn(struct sdv_worker *worker)
{
	struct sdv_lane *lane = worker->has_room ? worker->waiting : NULL;

	if (lane) /* one that must wait again goes into a new list */
		worker->waiting = NULL;
	worker->has_room = false;
	while (lane) {
		struct sdv_lane *next = lane->next_waiting;

		lane->is_waiting = false;
		lane_parse(lane);
		lane = next;
	}
	while ((lane = worker->dirty)) {
		worker->dirty = lane->next_dirty;
		lane->is_dirty = false;
		lane_flush(lane);
	}
}

/**
 * sdv_lanes_init - allocates every lane and every request that there will be
 *
 * Return: 0 or -ENOMEM.
 */
int sdv_lanes_init(struct sdv_worker *worker)
{
	uint8_t *stages = malloc((size_t)SUPERDEV_MAX_LANES * SDV_LANE_STAGE);

	worker->lanes = calloc(SUPERDEV_MAX_LANES, sizeof(*worker->lanes));
	worker->requests = calloc(SDV_WORKER_REQUESTS, sizeof(*worker->requests));
	if (!stages || !worker->lanes || !worker->requests) {
		free(stages);
		free(worker->lanes);
		free(worker->requests);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < SUPERDEV_MAX_LANES; i++) {
		struct sdv_lane *lane = &worker->lanes[i];

		lane->worker = worker;
		lane->index = i;
		lane->recv_op.done = lane_received;
		lane->send_op.done = lane_sent;
		lane->stage = stages + (size_t)i * SDV_LANE_STAGE;
		lane->tx_end = &lane->tx;
	}
	for (unsigned int i = SDV_WORKER_REQUESTS; i; i--) {
		struct sdv_request *request = &worker->requests[i - 1];

		request->worker = worker;
		request->next = worker->free;
		worker->free = request;
	}
	return 0;
}
