/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pump.h: carries the streams of one task over its connection.
 *
 * Deputy and relay each have one: what can be read from a local descriptor goes
 * to the other end, what comes from there is written to it.  A stream may have
 * under way what its reader has room for (credit) and no more, so one that
 * nobody reads delays itself and nothing else.  No memory is allocated, no
 * descriptor is waited for but in sdv_pump_turn().
 */
#ifndef SDV_TASK_PUMP_H
#define SDV_TASK_PUMP_H

#include <poll.h>
#include <signal.h>
#include <sys/types.h>

#include "proto.h"

struct sdv_pump;
struct sdv_pump_stream;

#define SDV_PUMP_EXTRA 4 /* descriptors that the owner waits for beside */

/* As read(2) and write(2) on a descriptor that does not block: -1 and errno. */
typedef ssize_t sdv_pump_read_fn(struct sdv_pump_stream *stream, void *buf, size_t len);
typedef ssize_t sdv_pump_write_fn(struct sdv_pump_stream *stream, const void *buf, size_t len);

/**
 * struct sdv_pump_stream - one stream, both ways
 * @pump:	whose it is
 * @index:	its number
 * @in_fd:	read here, sent there; -1: no more, or never
 * @out_fd:	written here what comes from there; -1 likewise; may be @in_fd
 * @is_in_paused, @is_out_paused: the owner's: not now, though there is something to do
 * @read, @write: how; sdv_pump_read, sdv_pump_write, sdv_pump_recv, sdv_pump_send or the owner's
 * @in_credit:	bytes that the peer has room for
 * @window:	bytes that the peer may still send us
 * @credit_due:	bytes that have left our memory since the peer was told
 * @buf, @pos, @len: what came and could not be written yet; a ring
 * @unread:	where the local reader went away: bytes that it left
 */
struct sdv_pump_stream {
	struct sdv_pump *pump;
	unsigned int index;
	int in_fd, out_fd;
	bool is_in_paused, is_out_paused;
	sdv_pump_read_fn *read;
	sdv_pump_write_fn *write;
	uint32_t in_credit, window, credit_due;
	uint32_t pos, len, unread;
	bool is_eof_due, is_close_due, has_out_ended;
	uint8_t buf[SUPERDEV_TASK_WINDOW];
};

/**
 * struct sdv_pump_ops - what the owner does
 * @frame:	a frame that is of no stream has come, with its payload; its lengths have been
 *		checked.  -EAGAIN: show it again in the next turn; other errors end the connection
 * @in_close:	@in_fd has ended, or nobody at the peer reads the stream any more, and left @unread
 *		bytes of what it was sent; both may happen, so @in_fd may be -1.  Closes it,
 *		unless it is @out_fd too
 * @out_close:	the peer has sent its last byte and it was written, or the local reader is gone.
 *		Likewise with @out_fd
 * @left:	bytes that the reader of @out_fd has not taken from the descriptor
 */
struct sdv_pump_ops {
	int (*frame)(struct sdv_pump *pump, const struct sdv_head *head, const void *payload);
	void (*in_close)(struct sdv_pump_stream *stream, uint32_t unread);
	void (*out_close)(struct sdv_pump_stream *stream);
	uint32_t (*left)(struct sdv_pump_stream *stream);
};

#define SDV_PUMP_TX (256u << 10)
#define SDV_PUMP_RX (2 * (SDV_TASK_MAX_PAYLOAD + sizeof(struct superdev_frame)))

struct sdv_pump {
	int fd;
	enum sdv_task_side side;
	struct sdv_frame_rules rules;
	const struct sdv_pump_ops *ops;
	unsigned int nr_streams;
	bool is_held; /* ops->frame() said -EAGAIN */
	size_t tx_pos, tx_len, rx_pos, rx_len;
	struct pollfd extra[SDV_PUMP_EXTRA]; /* the owner's; revents after a turn */
	unsigned int nr_extra;
	uint8_t tx[SDV_PUMP_TX], rx[SDV_PUMP_RX];
	struct sdv_pump_stream streams[SUPERDEV_TASK_MAX_STREAMS];
};

/* Most of it is never touched: has the kernel give it small pages, rather than clear 2 MiB for the first byte. */
void sdv_pump_thin(struct sdv_pump *pump);

/* Both ends number streams alike: call it for 0, 1, 2 … */
struct sdv_pump_stream *sdv_pump_add(struct sdv_pump *pump, int in_fd, int out_fd, sdv_pump_read_fn *read,
				     sdv_pump_write_fn *write);

/**
 * sdv_pump_turn - waits, and moves what can be moved
 * @timeout_ms:	at most so long; -1: for ever
 *
 * Return: 0; -ECONNRESET: the peer has closed; -EPROTO and others of
 * sdv_task_frame_check(); what ops->frame() or the socket said.
 */
int sdv_pump_turn(struct sdv_pump *pump, int timeout_ms);

/* Nobody will read what comes for @stream any more: as if its local reader had gone. */
void sdv_pump_abandon(struct sdv_pump_stream *stream);

/* Sends what was put, without waiting; 0 or -errno. */
int sdv_pump_flush(struct sdv_pump *pump);

/**
 * sdv_pump_put - one more frame to send
 * @offset, @count: as the op wants them
 *
 * Return: 0; -EAGAIN: no room now.  There is always room right after a turn for
 * a few small frames.
 */
int sdv_pump_put(struct sdv_pump *pump, uint8_t op, uint16_t flags, uint64_t offset, uint32_t count,
		 const void *payload, size_t len);

/* Whether the largest frame, and the few small ones, can be put. */
bool sdv_pump_has_room(struct sdv_pump *pump);

/* Whether all that came for @stream has been written. */
static inline bool sdv_pump_is_flushed(const struct sdv_pump_stream *stream)
{
	return stream->out_fd < 0 || !stream->len;
}

/* Whether everything put has been sent. */
static inline bool sdv_pump_is_sent(const struct sdv_pump *pump)
{
	return pump->tx_pos == pump->tx_len;
}

sdv_pump_read_fn sdv_pump_read, sdv_pump_recv;
sdv_pump_write_fn sdv_pump_write, sdv_pump_send;

#endif
