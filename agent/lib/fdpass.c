// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fdpass.c: descriptors with a message over a Unix socket.  See fdpass.h.
 */
#include "fdpass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int) * SDV_FDS_MAX)];
};

int sdv_fds_send(int sock, const void *data, size_t len, const int *fds, unsigned int nr, int flags)
{
	union control control = { 0 };
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int sent[SDV_FDS_MAX];
	unsigned int nr_sent = 0;
	ssize_t n;

	if (nr > SDV_FDS_MAX)
		return -E2BIG;
	for (unsigned int i = 0; i < nr; i++)
		if (fds[i] >= 0)
			sent[nr_sent++] = fds[i];
	if (nr_sent) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * nr_sent);
		memcpy(CMSG_DATA(&control.header), sent, sizeof(int) * nr_sent);
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nr_sent);
	}
	do
		n = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EMSGSIZE;
}

ssize_t sdv_fds_receive(int sock, void *data, size_t len, int *ret_fds, unsigned int nr, int flags)
{
	union control control;
	struct iovec iov = { data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
	unsigned int nr_come = 0;
	struct cmsghdr *cmsg;
	ssize_t n;

	if (nr > SDV_FDS_MAX)
		return -E2BIG;
	for (unsigned int i = 0; i < nr; i++)
		ret_fds[i] = -1;
	msg.msg_controllen = CMSG_SPACE(sizeof(int) * nr);
	do
		n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		nr_come = (unsigned int)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	/* No more than @nr fit: but where alignment made room for one, it is closed here. */
	for (unsigned int i = 0; i < nr_come; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
		if (i < nr)
			ret_fds[i] = fd;
		else
			close(fd);
	}
	return n;
}
