// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount_control.c: who may ask the lender's process for something: the agent, and
 * each guest's process 1 by a channel of its own that the agent hands over.
 *
 * The agent's is a stream of lines.  With "guest" comes a descriptor, the mount's
 * end of a SOCK_SEQPACKET pair; on it nothing is understood but "sync", so that a
 * guest that gets hold of the other end can do no more than wait.
 */
#include "mount.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHANNELS_MAX 512u /* of guests; a lender's agent has fewer */
#define FDS_MAX      8u   /* that come with one message */

/**
 * struct sdv_channel - somebody who may ask
 * @fd:		-1: closed, and only waited for by @waits
 * @waits:	answers that are on their way; under sdv_mount.notice_lock
 */
struct sdv_channel {
	int fd;
	unsigned int waits;
};

static const char *const op_names[SUPERDEV_FS_END - SUPERDEV_FS_HELLO] = {
#define NAME(op, name) [SUPERDEV_FS_##op - SUPERDEV_FS_HELLO] = #name
	NAME(LOOKUP, lookup),       NAME(READDIR, readdir),   NAME(GETATTR, getattr),
	NAME(SETATTR, setattr),     NAME(READLINK, readlink), NAME(OPEN, open),
	NAME(CREATE, create),       NAME(MKDIR, mkdir),       NAME(MKNOD, mknod),
	NAME(SYMLINK, symlink),     NAME(LINK, link),         NAME(UNLINK, unlink),
	NAME(RMDIR, rmdir),         NAME(RENAME, rename),     NAME(READ, read),
	NAME(WRITE, write),         NAME(FSYNC, fsync),       NAME(FALLOCATE, fallocate),
	NAME(LSEEK, lseek),         NAME(STATFS, statfs),     NAME(GETXATTR, getxattr),
	NAME(LISTXATTR, listxattr), NAME(SETXATTR, setxattr), NAME(REMOVEXATTR, removexattr),
	NAME(LOCK, lock),           NAME(UNLOCK, unlock),     NAME(COPY, copy),
};

/* The control thread's. */
static struct {
	struct sdv_channel *channels[CHANNELS_MAX + 1]; /* the first is the agent's */
	unsigned int nr;
	int fds[FDS_MAX]; /* came, and no line has named them yet */
	unsigned int nr_fds;
	char line[32];
	size_t len;
} control;

static void say(int fd, const char *text)
{
	ssize_t n = send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);

	/* Where nobody listens any more nothing is lost. */
	(void)n;
}

void sdv_control_ready(struct sdv_mount *mount)
{
	if (mount->control_fd >= 0)
		say(mount->control_fd, "ready\n");
}

static void say_round_trips(struct sdv_mount *mount)
{
	char text[1024] = "round-trips";
	uint64_t total = 0;
	size_t len;

	pthread_mutex_lock(&mount->lock);
	for (size_t i = 0; i < SUPERDEV_FS_END - SUPERDEV_FS_HELLO; i++) {
		len = strlen(text);
		total += mount->round_trips[i];
		if (mount->round_trips[i])
			snprintf(text + len, sizeof(text) - len, " %s %" PRIu64,
				 op_names[i] ? op_names[i] : "other", mount->round_trips[i]);
	}
	pthread_mutex_unlock(&mount->lock);
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, " total %" PRIu64 "\n", total);
	say(mount->control_fd, text);
}

/* Under notice_lock. */
static void channel_try_free(struct sdv_channel *channel)
{
	if (channel->fd < 0 && !channel->waits)
		free(channel);
}

void sdv_control_answer(struct sdv_mount *mount, struct sdv_channel *channel, bool is_synced)
{
	pthread_mutex_lock(&mount->notice_lock);
	channel->waits--;
	/* Else home is gone: the process ends, and with it the channel. */
	if (is_synced && channel->fd >= 0)
		say(channel->fd, "synced\n");
	channel_try_free(channel);
	pthread_mutex_unlock(&mount->notice_lock);
}

static void channel_sync(struct sdv_mount *mount, struct sdv_channel *channel)
{
	pthread_mutex_lock(&mount->notice_lock);
	channel->waits++;
	pthread_mutex_unlock(&mount->notice_lock);
	sdv_call_sync(mount, channel);
}

/* It takes @fd. */
static void channel_add(int fd)
{
	struct sdv_channel *channel = control.nr <= CHANNELS_MAX ? calloc(1, sizeof(*channel)) : NULL;

	if (!channel) {
		close(fd);
		return;
	}
	channel->fd = fd;
	control.channels[control.nr++] = channel;
}

static void channel_close(struct sdv_mount *mount, unsigned int i)
{
	struct sdv_channel *channel = control.channels[i];

	control.channels[i] = control.channels[--control.nr];
	pthread_mutex_lock(&mount->notice_lock);
	close(channel->fd);
	channel->fd = -1;
	channel_try_free(channel);
	pthread_mutex_unlock(&mount->notice_lock);
}

static void line_run(struct sdv_mount *mount, const char *line)
{
	if (!strcmp(line, "sync")) {
		channel_sync(mount, control.channels[0]);
	} else if (!strcmp(line, "round-trips")) {
		say_round_trips(mount);
	} else if (!strcmp(line, "guest") && control.nr_fds) {
		channel_add(control.fds[0]);
		control.nr_fds--;
		memmove(control.fds, control.fds + 1, control.nr_fds * sizeof(int));
	}
}

static void bytes_take(struct sdv_mount *mount, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n') {
			/* What is too long is no line of ours. */
			if (control.len < sizeof(control.line) - 1)
				control.line[control.len++] = bytes[i];
			continue;
		}
		control.line[control.len] = '\0';
		control.len = 0;
		line_run(mount, control.line);
	}
}

static void fds_take(struct msghdr *msg)
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (control.nr_fds < FDS_MAX)
				control.fds[control.nr_fds++] = fd;
			else
				close(fd);
		}
	}
}

/* False: the agent is gone. */
static bool agent_read(struct sdv_mount *mount)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} space;
	char bytes[256];
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &space,
		.msg_controllen = sizeof(space),
	};
	ssize_t n = recvmsg(control.channels[0]->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	fds_take(&msg);
	bytes_take(mount, bytes, (size_t)n);
	return n > 0;
}

/* False: it is over. */
static bool guest_read(struct sdv_mount *mount, struct sdv_channel *channel)
{
	char text[8];
	ssize_t n = recv(channel->fd, text, sizeof(text), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n != 5 || memcmp(text, "sync\n", 5) != 0)
		return false;
	channel_sync(mount, channel);
	return true;
}

void sdv_control_run(struct sdv_mount *mount)
{
	static struct pollfd polls[CHANNELS_MAX + 1];
	bool has_agent = true;

	channel_add(dup(mount->control_fd));
	while (control.nr && (has_agent || control.nr > 1)) {
		for (unsigned int i = 0; i < control.nr; i++)
			polls[i] = (struct pollfd){ .fd = control.channels[i]->fd, .events = POLLIN };
		/* Its guests go on without it. */
		if (!has_agent)
			polls[0].fd = -1;
		if (poll(polls, control.nr, -1) < 0 && errno != EINTR)
			return;
		/* From the last, whose place the closed one's is. */
		for (unsigned int i = control.nr - 1; i; i--)
			if (polls[i].revents && !guest_read(mount, control.channels[i]))
				channel_close(mount, i);
		if (polls[0].revents && !agent_read(mount))
			has_agent = false;
	}
}
