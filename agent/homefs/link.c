// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link.c: frames over one connected socket.  See link.h.
 */
#include "link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SILENCE_S 15

struct sdv_post {
	struct sdv_post *next;
	size_t len, sent;
	uint8_t bytes[];
};

void sdv_link_open(struct sdv_link *link, int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, SILENCE_S / 3 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, SILENCE_S / 3 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 2 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, SILENCE_S * 1000 },
	};

	memset(link, 0, offsetof(struct sdv_link, in));
	link->fd = fd;
	pthread_mutex_init(&link->lock, NULL);
	pthread_cond_init(&link->has_post, NULL);
	/* On a socket of another family they fail, and are not needed. */
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

/* At least one byte into @data, 0 at the end. */
static ssize_t receive(struct sdv_link *link, uint8_t *data, size_t len)
{
	ssize_t n;

	do {
		n = recv(link->fd, data, len, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int sdv_link_recv_body(struct sdv_link *link, uint8_t *data, size_t len)
{
	while (len) {
		size_t have = link->in_len - link->in_pos;
		ssize_t n;

		if (have) {
			have = have < len ? have : len;
			memcpy(data, link->in + link->in_pos, have);
			link->in_pos += have;
			data += have;
			len -= have;
			continue;
		}
		/* What is large goes where it belongs; what is small brings its followers along. */
		if (len >= sizeof(link->in) / 2) {
			n = receive(link, data, len);
			if (n <= 0)
				return (int)n;
			data += n;
			len -= (size_t)n;
			continue;
		}
		n = receive(link, link->in, sizeof(link->in));
		if (n <= 0)
			return (int)n;
		link->in_pos = 0;
		link->in_len = (size_t)n;
	}
	return 1;
}

int sdv_link_recv_head(struct sdv_link *link, bool from_home, struct sdv_head *ret_head)
{
	struct superdev_frame frame;
	int r = sdv_link_recv_body(link, (uint8_t *)&frame, sizeof(frame));

	if (r <= 0)
		return r;
	r = sdv_fs_head_check(&frame, from_home, ret_head);
	return r ? r : 1;
}

/* Moves the parts on by @n bytes; returns the first that is not used up. */
static unsigned int parts_skip(struct iovec *parts, unsigned int nr_parts, size_t n)
{
	unsigned int first = 0;

	while (first < nr_parts && n >= parts[first].iov_len)
		n -= parts[first++].iov_len;
	if (first < nr_parts) {
		parts[first].iov_base = (uint8_t *)parts[first].iov_base + n;
		parts[first].iov_len -= n;
	}
	return first;
}

/* Under the lock.  Sends as much as there is room for (all, if @flags let it wait); bytes or -errno. */
static ssize_t parts_send(struct sdv_link *link, const struct iovec *parts, unsigned int nr_parts, int flags)
{
	struct iovec rest[SDV_LINK_PARTS];
	size_t total = 0;
	unsigned int first = 0;

	memcpy(rest, parts, nr_parts * sizeof(*parts));
	while ((first += parts_skip(rest + first, nr_parts - first, 0)) < nr_parts) {
		struct msghdr msg = { .msg_iov = rest + first, .msg_iovlen = nr_parts - first };
		ssize_t n = sendmsg(link->fd, &msg, MSG_NOSIGNAL | flags);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && flags & MSG_DONTWAIT)
			break;
		if (n < 0) {
			link->error = -errno;
			return link->error;
		}
		total += (size_t)n;
		first += parts_skip(rest + first, nr_parts - first, (size_t)n);
	}
	return (ssize_t)total;
}

int sdv_link_send(struct sdv_link *link, const struct iovec *parts, unsigned int nr_parts)
{
	ssize_t n;

	pthread_mutex_lock(&link->lock);
	n = link->error;
	if (!n)
		n = parts_send(link, parts, nr_parts, 0);
	pthread_mutex_unlock(&link->lock);
	return n < 0 ? (int)n : 0;
}

/* Under the lock: keeps what follows the first @sent bytes. */
static int post_keep(struct sdv_link *link, const struct iovec *parts, unsigned int nr_parts, size_t sent)
{
	struct iovec rest[SDV_LINK_PARTS];
	struct sdv_post *post;
	unsigned int first;
	size_t len = 0;

	memcpy(rest, parts, nr_parts * sizeof(*parts));
	first = parts_skip(rest, nr_parts, sent);
	for (unsigned int i = first; i < nr_parts; i++)
		len += rest[i].iov_len;
	if (!len)
		return 0;
	post = malloc(sizeof(*post) + len);
	if (!post)
		return -ENOMEM;
	*post = (struct sdv_post){ .len = len };
	len = 0;
	for (unsigned int i = first; i < nr_parts; i++) {
		/* A part of no bytes may be nowhere. */
		if (!rest[i].iov_len)
			continue;
		memcpy(post->bytes + len, rest[i].iov_base, rest[i].iov_len);
		len += rest[i].iov_len;
	}
	if (link->last)
		link->last->next = post;
	else
		link->first = post;
	link->last = post;
	pthread_cond_signal(&link->has_post);
	return 0;
}

int sdv_link_post(struct sdv_link *link, const struct iovec *parts, unsigned int nr_parts)
{
	ssize_t n = 0;
	int r;

	pthread_mutex_lock(&link->lock);
	r = link->error;
	if (!r && !link->first)
		n = parts_send(link, parts, nr_parts, MSG_DONTWAIT);
	if (n < 0)
		r = (int)n;
	if (!r)
		r = post_keep(link, parts, nr_parts, (size_t)n);
	/* A frame of which only the beginning went out makes the rest unreadable. */
	if (r == -ENOMEM && n > 0)
		link->error = r;
	pthread_mutex_unlock(&link->lock);
	return r;
}

void sdv_link_run_posts(struct sdv_link *link)
{
	pthread_mutex_lock(&link->lock);
	while (!link->error) {
		struct sdv_post *post = link->first;
		struct pollfd poll_fd = { .fd = link->fd, .events = POLLOUT };
		struct iovec part;
		ssize_t n;

		if (!post) {
			pthread_cond_wait(&link->has_post, &link->lock);
			continue;
		}
		part = (struct iovec){ post->bytes + post->sent, post->len - post->sent };
		n = parts_send(link, &part, 1, MSG_DONTWAIT);
		if (n < 0)
			break;
		post->sent += (size_t)n;
		if (post->sent == post->len) {
			link->first = post->next;
			if (!link->first)
				link->last = NULL;
			free(post);
			continue;
		}
		pthread_mutex_unlock(&link->lock);
		poll(&poll_fd, 1, -1);
		pthread_mutex_lock(&link->lock);
	}
	while (link->first) {
		struct sdv_post *post = link->first;

		link->first = post->next;
		free(post);
	}
	link->last = NULL;
	pthread_mutex_unlock(&link->lock);
	sdv_link_end(link);
}

bool sdv_link_is_over(struct sdv_link *link)
{
	bool is_over;

	pthread_mutex_lock(&link->lock);
	is_over = link->error;
	pthread_mutex_unlock(&link->lock);
	return is_over;
}

void sdv_link_end(struct sdv_link *link)
{
	/* First, for one who holds the lock may be waiting for room. */
	shutdown(link->fd, SHUT_RDWR);
	pthread_mutex_lock(&link->lock);
	if (!link->error)
		link->error = -ENOTCONN;
	pthread_cond_broadcast(&link->has_post);
	pthread_mutex_unlock(&link->lock);
}
