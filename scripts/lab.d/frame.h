/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What travels between the lab's client, a machine's keeper on the host and the agent in the
 * machine, and the byte queues that all three hold it in.  Both ends are built from one tree for
 * one processor, so the header is in native order and has no version.
 *
 * A session is one command.  Data of a session is sent only within a window that the receiver
 * opens again with FRAME_ACK after it passed the data on: one command whose reader sleeps does
 * not hold up the others, and no queue grows beyond window × sessions.
 */
#ifndef LAB_FRAME_H
#define LAB_FRAME_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRAME_WINDOW (1U << 20)		/* bytes under way per session and direction */
#define FRAME_MAX_DATA (32U << 10)	/* a virtio-serial write takes no more at once */

enum frame_type {
	/* agent to keeper, session 0 */
	FRAME_HELLO = 1,	/* the agent started: no older session lives */
	FRAME_READY,		/* u32 status, text: the machine finished its start */
	FRAME_LOG,		/* text for the log file of superdevd */

	/* client to agent */
	FRAME_OPEN,		/* struct frame_open, then NUL-terminated arguments */
	FRAME_STDIN,
	FRAME_STDIN_EOF,
	FRAME_SIGNAL,		/* u32 number: for the command's process group */
	FRAME_WINSIZE,		/* u16 rows, u16 columns */
	FRAME_CLOSE,		/* the client is gone: end the command (sent by the keeper) */
	FRAME_POWEROFF,		/* session 0, sent by the keeper */

	/* agent to client */
	FRAME_STDOUT,
	FRAME_STDERR,
	FRAME_EXIT,		/* u32 exit status; last frame of a session */

	/* both ways */
	FRAME_ACK,		/* u32 bytes passed on */

	/* client to keeper, first frame of a connection */
	FRAME_WAIT,		/* answered by FRAME_TEXT when the machine is ready */
	FRAME_STATUS,		/* answered by FRAME_TEXT */
	FRAME_KILL,		/* cut the power; answered by FRAME_GONE */
	FRAME_SHUTDOWN,		/* ask the agent to power off; answered by FRAME_GONE */

	/* keeper to client */
	FRAME_TEXT,		/* u32 status, text */
	FRAME_GONE,		/* text: the machine ended; last frame of a connection */
};

struct frame {
	uint32_t session;
	uint16_t type;
	uint16_t reserved;	/* 0 */
	uint32_t len;		/* of the data that follows, at most FRAME_MAX_DATA */
};
_Static_assert(sizeof(struct frame) == 12, "frame header");

struct frame_open {
	uint16_t has_pty;
	uint16_t rows;
	uint16_t columns;
	uint16_t argc;		/* then the value of TERM, then argc arguments */
};
_Static_assert(sizeof(struct frame_open) == 8, "open frame");

/* Bytes in order of arrival; start is the first one still held. */
struct queue {
	char *data;
	size_t start;
	size_t end;
	size_t size;
};

static inline void die_of(const char *what)
{
	fprintf(stderr, "lab: %s: %s\n", what, strerror(errno));
	exit(255);
}

static inline size_t queue_len(const struct queue *q)
{
	return q->end - q->start;
}

/* Makes room for len more bytes and returns where they go; queue_added() then counts them. */
static inline char *queue_room(struct queue *q, size_t len)
{
	if (q->start == q->end)
		q->start = q->end = 0;
	if (q->size - q->end < len && q->start) {
		memmove(q->data, q->data + q->start, queue_len(q));
		q->end -= q->start;
		q->start = 0;
	}
	if (q->size - q->end < len) {
		q->size = (q->end + len) * 2;
		q->data = realloc(q->data, q->size);
		if (!q->data)
			die_of("memory");
	}
	return q->data + q->end;
}

static inline void queue_added(struct queue *q, size_t len)
{
	q->end += len;
}

static inline void queue_put(struct queue *q, const void *data, size_t len)
{
	if (!len)
		return;
	memcpy(queue_room(q, len), data, len);
	queue_added(q, len);
}

static inline void queue_free(struct queue *q)
{
	free(q->data);
	memset(q, 0, sizeof(*q));
}

/* Writes what fd takes, at most max bytes of it; returns the count, 0 if it takes none now, or
 * -errno. */
static inline ssize_t queue_write(struct queue *q, int fd, size_t max)
{
	size_t len = queue_len(q) < max ? queue_len(q) : max;
	ssize_t n;

	if (!len)
		return 0;
	n = write(fd, q->data + q->start, len);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	q->start += (size_t)n;
	return n;
}

/* Reads what fd has, at most max bytes; returns the count, 0 at its end, -EAGAIN if it has none
 * now, or another -errno. */
static inline ssize_t queue_read(struct queue *q, int fd, size_t max)
{
	ssize_t n = read(fd, queue_room(q, max), max);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	queue_added(q, (size_t)n);
	return n;
}

static inline void frame_put(struct queue *q, uint32_t session, enum frame_type type,
			     const void *data, size_t len)
{
	struct frame f = { .session = session, .type = (uint16_t)type, .len = (uint32_t)len };

	queue_put(q, &f, sizeof(f));
	queue_put(q, data, len);
}

static inline void frame_put_u32(struct queue *q, uint32_t session, enum frame_type type,
				 uint32_t value)
{
	frame_put(q, session, type, &value, sizeof(value));
}

/* Takes the next whole frame off the queue: its header into *ret_f, its data, valid until the
 * queue is next changed, into *ret_data.  False if none is there yet. */
static inline bool frame_take(struct queue *q, struct frame *ret_f, char **ret_data)
{
	if (queue_len(q) < sizeof(*ret_f))
		return false;
	memcpy(ret_f, q->data + q->start, sizeof(*ret_f));
	if (ret_f->len > FRAME_MAX_DATA) {
		fprintf(stderr, "lab: a frame of %u bytes: the stream is out of step\n", ret_f->len);
		exit(255);
	}
	if (queue_len(q) < sizeof(*ret_f) + ret_f->len)
		return false;
	*ret_data = q->data + q->start + sizeof(*ret_f);
	q->start += sizeof(*ret_f) + ret_f->len;
	return true;
}

static inline uint32_t frame_u32(const struct frame *f, const char *data)
{
	uint32_t value = 0;

	if (f->len >= sizeof(value))
		memcpy(&value, data, sizeof(value));
	return value;
}

static inline uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline void set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		die_of("O_NONBLOCK");
}

#endif
