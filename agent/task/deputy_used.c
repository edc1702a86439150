// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * deputy_used.c: tells the kernel what the program used that this process stands for.
 *
 * It happens once a second and at the end, so there is a socket for each time, and
 * none among the descriptors of a process that has its program's.  Not by libnl: a
 * deputy is small and links nothing, as each start waits for it.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deputy.h"
#include "superdev.h"

/* A message of generic netlink that is built, or was received: a family tells all its operations. */
struct message {
	struct nlmsghdr head;
	struct genlmsghdr genl;
	uint8_t attrs[8192];
};

static void begin(struct message *msg, uint16_t type, uint8_t cmd, uint16_t flags)
{
	msg->head = (struct nlmsghdr){
		.nlmsg_len = offsetof(struct message, attrs),
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | flags,
	};
	msg->genl = (struct genlmsghdr){ .cmd = cmd, .version = 1 };
}

static void attr_add(struct message *msg, uint16_t type, const void *data, size_t len)
{
	uint8_t *at = (uint8_t *)msg + msg->head.nlmsg_len;
	struct nlattr attr = { .nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type };
	size_t all = NLA_ALIGN(NLA_HDRLEN + len);

	memset(at, 0, all);
	memcpy(at, &attr, sizeof(attr));
	memcpy(at + NLA_HDRLEN, data, len);
	msg->head.nlmsg_len += (uint32_t)all;
}

/* Sends @msg, and has the answer there instead: 0, or what the kernel says, or -errno. */
static int ask(int sock, struct message *msg)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int32_t error;
	ssize_t n;

	if (sendto(sock, msg, msg->head.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	/* It is there already: a request is served by who sends it. */
	n = recv(sock, msg, sizeof(*msg), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)offsetof(struct message, attrs) || msg->head.nlmsg_len > (size_t)n)
		return -EPROTO;
	if (msg->head.nlmsg_type != NLMSG_ERROR)
		return 0;
	memcpy(&error, &msg->genl, sizeof(error));
	return error;
}

/* The number of our family; -ENOENT: the module is not loaded. */
static int family_get(int sock, struct message *msg)
{
	size_t pos = offsetof(struct message, attrs);
	uint16_t number;
	int r;

	begin(msg, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	attr_add(msg, CTRL_ATTR_FAMILY_NAME, SUPERDEV_FAMILY_NAME, sizeof(SUPERDEV_FAMILY_NAME));
	r = ask(sock, msg);
	while (!r && pos + NLA_HDRLEN <= msg->head.nlmsg_len) {
		const uint8_t *at = (const uint8_t *)msg + pos;
		struct nlattr attr;

		memcpy(&attr, at, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > msg->head.nlmsg_len - pos)
			break;
		if (attr.nla_type == CTRL_ATTR_FAMILY_ID && attr.nla_len == NLA_HDRLEN + sizeof(number)) {
			memcpy(&number, at + NLA_HDRLEN, sizeof(number));
			return number;
		}
		pos += NLA_ALIGN(attr.nla_len);
	}
	return r ? r : -EPROTO;
}

int sdv_deputy_used_tell(const struct sdv_task_used *used)
{
	const struct {
		uint16_t attr;
		uint64_t figure;
	} all[] = {
		{ SUPERDEV_A_TASK_UTIME_US, used->utime_us },   { SUPERDEV_A_TASK_STIME_US, used->stime_us },
		{ SUPERDEV_A_TASK_MAXRSS_KB, used->maxrss_kb }, { SUPERDEV_A_TASK_MINFLT, used->minflt },
		{ SUPERDEV_A_TASK_MAJFLT, used->majflt },       { SUPERDEV_A_TASK_INBLOCK, used->inblock },
		{ SUPERDEV_A_TASK_OUBLOCK, used->oublock },     { SUPERDEV_A_TASK_NVCSW, used->nvcsw },
		{ SUPERDEV_A_TASK_NIVCSW, used->nivcsw },
	};
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), r;
	struct message msg;

	if (sock < 0)
		return -errno;
	r = family_get(sock, &msg);
	if (r >= 0) {
		begin(&msg, (uint16_t)r, SUPERDEV_CMD_TASK_USED, NLM_F_ACK);
		for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
			attr_add(&msg, all[i].attr, &all[i].figure, sizeof(all[i].figure));
		r = ask(sock, &msg);
	}
	close(sock);
	return r;
}
