/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The serial line between the runner on the host (host.c) and the first process of a user-mode
 * machine (init.c): frames of a small header and at most FRAME_MAX bytes.
 */
#ifndef UM_FRAME_H
#define UM_FRAME_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* One frame of input is in flight at a time, which keeps the terminal's input buffer from
 * overflowing (4096 bytes) without trusting the throttling of an emulated line.
 */
#define FRAME_MAX 2048

enum frame_type {
	FRAME_READY = 1,	/* guest: the line is raw, COMMAND is about to start */
	FRAME_OUT,		/* guest: bytes of COMMAND's standard output */
	FRAME_ERR,		/* guest: bytes of COMMAND's standard error */
	FRAME_IN,		/* host: bytes for its standard input; none: the end of it */
	FRAME_TAKEN,		/* guest: the last FRAME_IN has been written */
	FRAME_EXIT,		/* guest: COMMAND has ended; one byte, the exit status */
};

struct frame {
	uint8_t type;
	uint8_t pad;
	uint16_t length;	/* both ends are the same machine: host order */
	uint8_t data[FRAME_MAX];
};

#define FRAME_HEADER 4

static inline int write_all(int fd, const void *data, size_t length)
{
	const char *p = data;

	while (length) {
		ssize_t n = write(fd, p, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		length -= n;
	}
	return 0;
}

/* Returns 0, or -EPIPE when the other end is gone. */
static inline int read_all(int fd, void *data, size_t length)
{
	char *p = data;

	while (length) {
		ssize_t n = read(fd, p, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EPIPE;
		p += n;
		length -= n;
	}
	return 0;
}

static inline int frame_send(int fd, int type, const void *data, size_t length)
{
	struct frame frame = { .type = type, .length = length };

	memcpy(frame.data, data, length);
	return write_all(fd, &frame, FRAME_HEADER + length);
}

static inline int frame_receive(int fd, struct frame *frame)
{
	int err = read_all(fd, frame, FRAME_HEADER);

	if (err)
		return err;
	if (frame->length > FRAME_MAX)
		return -EPROTO;
	return read_all(fd, frame->data, frame->length);
}

#endif
