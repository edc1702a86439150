/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.h: frames over one connected socket, sent by many threads.
 *
 * One thread at a time receives.  Home sends and waits for room; the lender
 * posts, which never waits, because what it sends from the thread that receives
 * must not depend on home having read.
 */
#ifndef SDV_HOMEFS_LINK_H
#define SDV_HOMEFS_LINK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "proto.h"

#define SDV_LINK_BUFFER (64u << 10)
#define SDV_LINK_PARTS  4u

/**
 * struct sdv_link - the connection
 * @in, @in_pos, @in_len: received and not yet used; the receiver's
 * @lock:	protects the rest, and the order of what is sent
 * @first, @last: what was posted and waits for room
 * @has_post:	signalled when @first appears, and when the link ends
 * @error:	0, or why nothing can be sent any more
 */
struct sdv_link {
	int fd;
	size_t in_pos, in_len;
	pthread_mutex_t lock;
	struct sdv_post *first, *last;
	pthread_cond_t has_post;
	int error;
	uint8_t in[SDV_LINK_BUFFER];
};

/**
 * sdv_link_open - takes the socket
 * @fd:		stays the caller's to close, after all threads are gone
 *
 * A TCP connection gets its delay switched off, and ends where the other side
 * is not heard of for 15 seconds.
 */
void sdv_link_open(struct sdv_link *link, int fd);

/**
 * sdv_link_recv_head - waits for a frame
 *
 * Return: 1; 0: the other side has closed; -errno, after which nothing more can
 * be received.
 */
int sdv_link_recv_head(struct sdv_link *link, bool from_home, struct sdv_head *ret_head);
/* The head.length bytes that follow; 1, 0 or -errno as above. */
int sdv_link_recv_body(struct sdv_link *link, uint8_t *data, size_t len);

/* Sends a frame and waits until it is on its way; 0 or -errno. */
int sdv_link_send(struct sdv_link *link, const struct iovec *parts, unsigned int nr_parts);

/*
 * Sends what there is room for and keeps a copy of the rest, which
 * sdv_link_run_posts() sends; 0, or -errno and nothing was sent.
 */
int sdv_link_post(struct sdv_link *link, const struct iovec *parts, unsigned int nr_parts);
/* Sends what was posted until the link ends; a thread of its own. */
void sdv_link_run_posts(struct sdv_link *link);

/* Has it ended?  Any thread. */
bool sdv_link_is_over(struct sdv_link *link);
/* Nothing more is received or sent, now; any thread. */
void sdv_link_end(struct sdv_link *link);

#endif
