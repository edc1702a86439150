/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fdpass.h: descriptors with a message over a Unix socket.
 */
#ifndef SDV_FDPASS_H
#define SDV_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

/* With one message. */
#define SDV_FDS_MAX 32

/**
 * sdv_fds_send - sends a message, and descriptors with it
 * @data:	the message
 * @len:	bytes of it, at least 1
 * @fds:	what goes with it; those that are -1 are left out
 * @nr:		at most SDV_FDS_MAX
 * @flags:	MSG_DONTWAIT or 0; a closed socket raises no signal
 *
 * Return: 0; -EMSGSIZE: only a part was taken, and the descriptors with it;
 * -EAGAIN, -EPIPE, … as sendmsg(2).
 */
int sdv_fds_send(int sock, const void *data, size_t len, const int *fds, unsigned int nr, int flags);

/**
 * sdv_fds_receive - receives a message, and what comes with it
 * @data:	the message
 * @len:	bytes that there are for it
 * @ret_fds:	the descriptors, close-on-exec; -1 where none came
 * @nr:		of @ret_fds, at most SDV_FDS_MAX; the kernel closes what is beyond
 * @flags:	MSG_DONTWAIT or 0
 *
 * Return: bytes of the message, 0 at the end; -errno, and then nothing came.
 */
ssize_t sdv_fds_receive(int sock, void *data, size_t len, int *ret_fds, unsigned int nr, int flags);

#endif
