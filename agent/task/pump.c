// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pump.c: carries the streams of one task over its connection.  See pump.h.
 *
 * What is to be told of a stream is remembered as a fact (is_eof_due, credit_due
 * …) and becomes a frame when there is room, so nothing piles up where the peer
 * does not read.
 */
#include "pump.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Kept free of data, for the frames that say something. */
#define RESERVE     (4u << 10)
/* Told in steps, or every byte would be answered. */
#define CREDIT_STEP (SUPERDEV_TASK_WINDOW / 4)

ssize_t sdv_pump_read(struct sdv_pump_stream *stream, void *buf, size_t len)
{
	return read(stream->in_fd, buf, len);
}

ssize_t sdv_pump_write(struct sdv_pump_stream *stream, const void *buf, size_t len)
{
	return write(stream->out_fd, buf, len);
}

ssize_t sdv_pump_recv(struct sdv_pump_stream *stream, void *buf, size_t len)
{
	return recv(stream->in_fd, buf, len, MSG_DONTWAIT);
}

ssize_t sdv_pump_send(struct sdv_pump_stream *stream, const void *buf, size_t len)
{
	return send(stream->out_fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void sdv_pump_thin(struct sdv_pump *pump)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)pump + page - 1) & ~(page - 1);

	/* A kernel without huge pages refuses, and gives small ones anyway. */
	madvise((void *)begin, (uintptr_t)pump + sizeof(*pump) - begin, MADV_NOHUGEPAGE);
}

struct sdv_pump_stream *sdv_pump_add(struct sdv_pump *pump, int in_fd, int out_fd, sdv_pump_read_fn *read,
				     sdv_pump_write_fn *write)
{
	struct sdv_pump_stream *stream = &pump->streams[pump->nr_streams];

	/* Not the ring: memory that was never used costs nothing. */
	stream->pump = pump;
	stream->index = pump->nr_streams++;
	stream->in_fd = in_fd;
	stream->out_fd = out_fd;
	stream->read = read;
	stream->write = write;
	stream->in_credit = SUPERDEV_TASK_WINDOW;
	stream->window = SUPERDEV_TASK_WINDOW;
	return stream;
}

static bool can_wait(int error)
{
	return error == EAGAIN || error == EINTR;
}

/* Room for @len more bytes behind what is to be sent; NULL: not now. */
static uint8_t *tx_room(struct sdv_pump *pump, size_t len)
{
	if (pump->tx_pos && pump->tx_len + len > sizeof(pump->tx)) {
		memmove(pump->tx, pump->tx + pump->tx_pos, pump->tx_len - pump->tx_pos);
		pump->tx_len -= pump->tx_pos;
		pump->tx_pos = 0;
	}
	return pump->tx_len + len <= sizeof(pump->tx) ? pump->tx + pump->tx_len : NULL;
}

/* The header of a frame whose payload lies behind it already. */
static void tx_frame(struct sdv_pump *pump, uint8_t *at, const struct sdv_head *fields)
{
	struct sdv_head head = *fields;
	struct superdev_frame frame;

	head.class = SUPERDEV_CLASS_CPU;
	head.lease = pump->rules.lease;
	head.epoch = pump->rules.epoch;
	sdv_frame_build(&frame, &head);
	if (pump->rules.must_csum)
		sdv_frame_seal(&frame, at + sizeof(frame), head.length);
	memcpy(at, &frame, sizeof(frame));
	pump->tx_len += sizeof(frame) + head.length;
}

int sdv_pump_put(struct sdv_pump *pump, uint8_t op, uint16_t flags, uint64_t offset, uint32_t count,
		 const void *payload, size_t len)
{
	const struct sdv_head head = {
		.op = op, .flags = flags, .offset = offset, .count = count, .length = (uint32_t)len
	};
	uint8_t *at = tx_room(pump, sizeof(struct superdev_frame) + len);

	if (!at)
		return -EAGAIN;
	if (len)
		memcpy(at + sizeof(struct superdev_frame), payload, len);
	tx_frame(pump, at, &head);
	return 0;
}

bool sdv_pump_has_room(struct sdv_pump *pump)
{
	return tx_room(pump, sizeof(struct superdev_frame) + SDV_TASK_MAX_PAYLOAD + RESERVE);
}

int sdv_pump_flush(struct sdv_pump *pump)
{
	while (pump->tx_pos < pump->tx_len) {
		ssize_t n = send(pump->fd, pump->tx + pump->tx_pos, pump->tx_len - pump->tx_pos,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && can_wait(errno))
			return 0;
		if (n < 0)
			return -errno;
		pump->tx_pos += (size_t)n;
	}
	pump->tx_pos = 0;
	pump->tx_len = 0;
	return 0;
}

/* What is to be told, as long as there is room; the order matters to nobody but EOF, after data. */
static void facts_put(struct sdv_pump_stream *stream)
{
	struct sdv_pump *pump = stream->pump;

	if (stream->is_eof_due && !sdv_pump_put(pump, SUPERDEV_TASK_EOF, 0, stream->index, 0, NULL, 0))
		stream->is_eof_due = false;
	if (stream->is_close_due &&
	    !sdv_pump_put(pump, SUPERDEV_TASK_CLOSE, 0, stream->index, stream->unread, NULL, 0))
		stream->is_close_due = false;
	if (stream->credit_due >= CREDIT_STEP && stream->out_fd >= 0 && !stream->has_out_ended &&
	    !sdv_pump_put(pump, SUPERDEV_TASK_CREDIT, 0, stream->index, stream->credit_due, NULL, 0)) {
		stream->window += stream->credit_due;
		stream->credit_due = 0;
	}
}

static void out_end(struct sdv_pump_stream *stream)
{
	stream->pump->ops->out_close(stream);
	stream->out_fd = -1;
	stream->len = 0;
}

/* The local reader is gone: the peer is told, and what it left. */
static void out_fail(struct sdv_pump_stream *stream)
{
	stream->unread = stream->len + stream->pump->ops->left(stream);
	stream->is_close_due = true;
	out_end(stream);
}

void sdv_pump_abandon(struct sdv_pump_stream *stream)
{
	if (stream->out_fd >= 0) {
		out_fail(stream);
	} else {
		stream->unread = stream->pump->ops->left(stream);
		stream->is_close_due = true;
	}
	facts_put(stream);
}

/* Writes @len bytes as far as they go: how many, which is fewer where there is no more room. */
static size_t out_write(struct sdv_pump_stream *stream, const uint8_t *data, size_t len)
{
	size_t done = 0;

	while (done < len && !stream->is_out_paused) {
		ssize_t n = stream->write(stream, data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			stream->len += (uint32_t)(len - done);
			out_fail(stream);
			return len;
		}
		done += (size_t)n;
	}
	stream->credit_due += (uint32_t)done;
	return done;
}

static void out_drain(struct sdv_pump_stream *stream)
{
	while (stream->out_fd >= 0 && stream->len) {
		size_t piece = sizeof(stream->buf) - stream->pos, done;

		if (piece > stream->len)
			piece = stream->len;
		/* out_fail() counts what is not written: it is told of this piece by out_write(). */
		stream->len -= (uint32_t)piece;
		done = out_write(stream, stream->buf + stream->pos, piece);
		if (stream->out_fd < 0)
			return;
		stream->len += (uint32_t)(piece - done);
		stream->pos = (stream->pos + (uint32_t)done) % sizeof(stream->buf);
		if (done < piece)
			return;
	}
	if (stream->out_fd >= 0 && stream->has_out_ended)
		out_end(stream);
}

static void out_keep(struct sdv_pump_stream *stream, const uint8_t *data, size_t len)
{
	size_t at = (stream->pos + stream->len) % sizeof(stream->buf), piece = sizeof(stream->buf) - at;

	if (piece > len)
		piece = len;
	memcpy(stream->buf + at, data, piece);
	memcpy(stream->buf, data + piece, len - piece);
	stream->len += (uint32_t)len;
}

static int data_come(struct sdv_pump_stream *stream, const uint8_t *data, uint32_t len)
{
	size_t done = 0;

	if (len > stream->window || stream->has_out_ended)
		return -EPROTO;
	stream->window -= len;
	if (stream->out_fd < 0)
		return 0;
	if (!stream->len)
		done = out_write(stream, data, len);
	if (stream->out_fd >= 0)
		out_keep(stream, data + done, len - done);
	return 0;
}

static int stream_frame(struct sdv_pump *pump, const struct sdv_head *head, const void *payload)
{
	struct sdv_pump_stream *stream = &pump->streams[head->offset];

	if (head->offset >= pump->nr_streams)
		return -EPROTO;
	switch (head->op) {
	case SUPERDEV_TASK_DATA: return data_come(stream, payload, head->length);
	case SUPERDEV_TASK_EOF:
		stream->has_out_ended = true;
		out_drain(stream);
		return 0;
	case SUPERDEV_TASK_CLOSE:
		/* Even where it has ended here: what was not read may be given back. */
		pump->ops->in_close(stream, head->count);
		stream->in_fd = -1;
		return 0;
	default: return sdv_task_credit_add(&stream->in_credit, head->count);
	}
}

static int frame_handle(struct sdv_pump *pump, const struct sdv_head *head, const void *payload)
{
	switch (head->op) {
	case SUPERDEV_TASK_DATA:
	case SUPERDEV_TASK_EOF:
	case SUPERDEV_TASK_CLOSE:
	case SUPERDEV_TASK_CREDIT: return stream_frame(pump, head, payload);
	default: return pump->ops->frame(pump, head, payload);
	}
}

/* Every frame that has come whole. */
static int frames_parse(struct sdv_pump *pump)
{
	int r = 0;

	while (!r && pump->rx_len - pump->rx_pos >= sizeof(struct superdev_frame)) {
		const uint8_t *at = pump->rx + pump->rx_pos;
		struct superdev_frame frame;
		struct sdv_head head;

		memcpy(&frame, at, sizeof(frame));
		r = sdv_task_frame_check(&frame, &pump->rules, pump->side, &head);
		if (r)
			return r;
		if (pump->rx_len - pump->rx_pos < sizeof(frame) + head.length)
			break;
		if (!sdv_frame_is_intact(&frame, at + sizeof(frame), head.length))
			return -EBADMSG;
		r = frame_handle(pump, &head, at + sizeof(frame));
		if (!r)
			pump->rx_pos += sizeof(frame) + head.length;
	}
	pump->is_held = r == -EAGAIN;
	if (pump->is_held)
		r = 0;
	memmove(pump->rx, pump->rx + pump->rx_pos, pump->rx_len - pump->rx_pos);
	pump->rx_len -= pump->rx_pos;
	pump->rx_pos = 0;
	return r;
}

static int connection_read(struct sdv_pump *pump)
{
	ssize_t n;

	if (pump->rx_len == sizeof(pump->rx))
		return 0;
	n = recv(pump->fd, pump->rx + pump->rx_len, sizeof(pump->rx) - pump->rx_len, MSG_DONTWAIT);
	if (n < 0)
		return can_wait(errno) ? 0 : -errno;
	if (!n)
		return -ECONNRESET;
	pump->rx_len += (size_t)n;
	return frames_parse(pump);
}

/* One frame of what can be read, no more than the peer has room for. */
static void in_read(struct sdv_pump_stream *stream)
{
	struct sdv_pump *pump = stream->pump;
	struct sdv_head head = { .op = SUPERDEV_TASK_DATA, .offset = stream->index };
	size_t room = stream->in_credit < SUPERDEV_TASK_MAX_DATA ? stream->in_credit : SUPERDEV_TASK_MAX_DATA;
	uint8_t *at = tx_room(pump, sizeof(struct superdev_frame) + SUPERDEV_TASK_MAX_DATA + RESERVE);
	ssize_t n;

	if (!at || !room)
		return;
	n = stream->read(stream, at + sizeof(struct superdev_frame), room);
	if (n < 0 && can_wait(errno))
		return;
	if (n <= 0) {
		/* What fails to be read has ended, for all that a program could do about it. */
		stream->is_eof_due = true;
		pump->ops->in_close(stream, 0);
		stream->in_fd = -1;
		return;
	}
	head.length = (uint32_t)n;
	stream->in_credit -= (uint32_t)n;
	tx_frame(pump, at, &head);
}

/* One entry for in and one for out: a descriptor that nothing is wanted of must not wake us. */
static void stream_watch(struct sdv_pump_stream *stream, bool has_room, struct pollfd *in, struct pollfd *out)
{
	bool wants_in = has_room && stream->in_fd >= 0 && stream->in_credit && !stream->is_in_paused;
	bool wants_out = stream->out_fd >= 0 && stream->len && !stream->is_out_paused;
	/* A pipe says so when its last reader goes; a socket says other things then. */
	bool is_watched =
		stream->out_fd >= 0 && stream->out_fd != stream->in_fd && stream->write == sdv_pump_write;

	*in = (struct pollfd){ .fd = wants_in ? stream->in_fd : -1, .events = POLLIN };
	*out = (struct pollfd){ .fd = wants_out || is_watched ? stream->out_fd : -1,
				.events = wants_out ? POLLOUT : 0 };
}

static void stream_serve(struct sdv_pump_stream *stream, const struct pollfd *in, const struct pollfd *out)
{
	if (out->revents && stream->out_fd >= 0) {
		if (stream->len)
			out_drain(stream);
		else if (out->revents & (POLLERR | POLLHUP | POLLNVAL))
			out_fail(stream);
	}
	if (in->revents && stream->in_fd >= 0)
		in_read(stream);
	facts_put(stream);
}

int sdv_pump_turn(struct sdv_pump *pump, int timeout_ms)
{
	struct pollfd fds[1 + SDV_PUMP_EXTRA + 2 * SUPERDEV_TASK_MAX_STREAMS];
	struct pollfd *connection = fds, *extra = fds + 1, *streams = extra + pump->nr_extra;
	bool has_room = tx_room(pump, sizeof(struct superdev_frame) + SUPERDEV_TASK_MAX_DATA + RESERVE);
	/* One that is added while this turn lasts was not waited for. */
	unsigned int nr = pump->nr_streams;
	int r = 0;

	*connection = (struct pollfd){ .fd = pump->fd };
	if (pump->rx_len < sizeof(pump->rx) && !pump->is_held)
		connection->events |= POLLIN;
	if (!sdv_pump_is_sent(pump))
		connection->events |= POLLOUT;
	memcpy(extra, pump->extra, pump->nr_extra * sizeof(*extra));
	for (unsigned int i = 0; i < nr; i++)
		stream_watch(&pump->streams[i], has_room, &streams[(size_t)2 * i],
			     &streams[(size_t)2 * i + 1]);
	if (poll(fds, 1 + pump->nr_extra + 2 * nr, timeout_ms) < 0) {
		if (errno != EINTR)
			return -errno;
		for (unsigned int i = 0; i < 1 + pump->nr_extra + 2 * nr; i++)
			fds[i].revents = 0;
	}
	memcpy(pump->extra, extra, pump->nr_extra * sizeof(*extra));
	for (unsigned int i = 0; i < nr; i++)
		stream_serve(&pump->streams[i], &streams[(size_t)2 * i], &streams[(size_t)2 * i + 1]);
	if (pump->is_held)
		r = frames_parse(pump);
	if (!r && connection->revents & (POLLIN | POLLHUP | POLLERR))
		r = connection_read(pump);
	for (unsigned int i = 0; i < pump->nr_streams; i++)
		facts_put(&pump->streams[i]);
	return r ? r : sdv_pump_flush(pump);
}
