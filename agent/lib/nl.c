// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nl.c: requests to the generic netlink family "superdev", and its notifications.
 *
 * libnl makes sockets and messages and finds the family.  Answers are received
 * here, because libnl's own errno values cannot tell lost notifications from
 * a lack of memory; they are read by nl_parse.c.
 */
#include "nl.h"

#include <errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "nl_parse.h"

/* The kernel puts at most 32 KiB of a dump in one datagram. */
#define RECV_SIZE        65536
#define WATCH_RCVBUF     (8 * 1024 * 1024)
#define REQUEST_RCVBUF   (1024 * 1024)
/* Answers are queued before sendmsg() returns: this only ends a wait for one that was lost. */
#define ANSWER_TIMEOUT_S 10
#define DUMP_TRIES       32

struct sdv_nl {
	struct nl_sock *request;
	struct nl_sock *watch; /* NULL until sdv_nl_watch() */
	int family;
	char error[SDV_TEXT_SIZE];
	/* Apart, because what a notification leads to may be a request. */
	uint8_t request_buf[RECV_SIZE];
	uint8_t watch_buf[RECV_SIZE];
};

/* Where the answers of one request go; messages of a dump are kept as they came. */
struct answer {
	struct sdv_event event;
	bool has_event;
	bool is_dump;
	bool is_torn; /* NLM_F_DUMP_INTR was seen */
	uint8_t *kept;
	size_t kept_len, kept_size;
};

/* libnl has its own error numbers; those that a caller can act on are told apart. */
static int nle_to_errno(int nle)
{
	switch (nle < 0 ? -nle : nle) {
	case NLE_SUCCESS: return 0;
	case NLE_OBJ_NOTFOUND: return -ENOENT;
	case NLE_NOMEM: return -ENOMEM;
	case NLE_PERM:
	case NLE_NOACCESS: return -EPERM;
	case NLE_AF_NOSUPPORT:
	case NLE_PROTO_MISMATCH: return -EPROTONOSUPPORT;
	case NLE_AGAIN: return -EAGAIN;
	case NLE_INTR: return -EINTR;
	case NLE_MSGSIZE:
	case NLE_MSG_TOOSHORT: return -EMSGSIZE;
	default: return -EIO;
	}
}

static void set_rcvbuf(int fd, int size)
{
	/* Beyond the system's limit where that is allowed, up to it elsewhere. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

int sdv_nl_open(struct sdv_nl **ret_nl)
{
	const struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
	const int yes = 1;
	struct sdv_nl *nl;
	int r, fd;

	nl = calloc(1, sizeof(*nl));
	if (!nl)
		return -ENOMEM;
	nl->request = nl_socket_alloc();
	if (!nl->request) {
		r = -ENOMEM;
		goto err_close;
	}
	r = nle_to_errno(genl_connect(nl->request));
	if (r)
		goto err_close;

	nl->family = genl_ctrl_resolve(nl->request, SUPERDEV_FAMILY_NAME);
	if (nl->family < 0) {
		r = nle_to_errno(nl->family);
		goto err_close;
	}

	/* From kernel 4.12 on; the text of a refusal is half of what there is to say. */
	fd = nl_socket_get_fd(nl->request);
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &yes, sizeof(yes)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof(yes)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0) {
		r = -errno;
		goto err_close;
	}
	set_rcvbuf(fd, REQUEST_RCVBUF);

	*ret_nl = nl;
	return 0;

err_close:
	sdv_nl_close(nl);
	return r;
}

void sdv_nl_close(struct sdv_nl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->watch);
	nl_socket_free(nl->request);
	free(nl);
}

const char *sdv_nl_error(const struct sdv_nl *nl)
{
	return nl->error;
}

/* One datagram of the kernel's.  Bytes, or -errno; those of other senders are passed over. */
static ssize_t recv_kernel(int fd, uint8_t *buf)
{
	struct sockaddr_nl from;
	struct iovec iov = { .iov_base = buf, .iov_len = RECV_SIZE };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t n;

	for (;;) {
		msg.msg_namelen = sizeof(from);
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (msg.msg_namelen < sizeof(from) || from.nl_family != AF_NETLINK || from.nl_pid)
			continue;
		if (msg.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		return n;
	}
}

static int answer_keep(struct answer *answer, const struct sdv_nl_msg *msg)
{
	size_t need = sizeof(msg->len) + msg->len, size = answer->kept_size;
	uint8_t *kept;

	if (!answer->kept || size - answer->kept_len < need) {
		size = 2 * size + need;
		kept = realloc(answer->kept, size);
		if (!kept)
			return -ENOMEM;
		answer->kept = kept;
		answer->kept_size = size;
	}
	memcpy(answer->kept + answer->kept_len, &msg->len, sizeof(msg->len));
	memcpy(answer->kept + answer->kept_len + sizeof(msg->len), msg->payload, msg->len);
	answer->kept_len += need;
	return 0;
}

/* 1: that was the last one, and *ret_result the verdict; 0: go on; -errno. */
static int answer_take(struct sdv_nl *nl, struct answer *answer, const struct sdv_nl_msg *msg,
		       int *ret_result)
{
	int r;

	if (msg->hdr.nlmsg_flags & NLM_F_DUMP_INTR)
		answer->is_torn = true;

	switch (msg->hdr.nlmsg_type) {
	case NLMSG_ERROR:
	case NLMSG_DONE: *ret_result = sdv_nl_parse_ack(msg, nl->error, sizeof(nl->error)); return 1;
	case NLMSG_NOOP: return 0;
	case NLMSG_OVERRUN: return -ENOBUFS;
	default: break;
	}
	if (msg->hdr.nlmsg_type != nl->family)
		return 0;
	if (answer->is_dump)
		return answer_keep(answer, msg);
	r = sdv_nl_parse_event(msg->payload, msg->len, &answer->event);
	if (!r)
		answer->has_event = true;
	return r == -EOPNOTSUPP ? 0 : r;
}

/* Sends @msg, which is consumed, and reads all that the kernel answers to it. */
static int transact(struct sdv_nl *nl, struct nl_msg *msg, struct answer *answer)
{
	int fd = nl_socket_get_fd(nl->request), result = 0, failed = 0, r;
	const uint8_t *at;
	struct sdv_nl_msg part;
	uint32_t seq;
	ssize_t n;
	size_t len;

	nl->error[0] = 0;
	nl_complete_msg(nl->request, msg);
	seq = nlmsg_hdr(msg)->nlmsg_seq;
	do
		n = send(fd, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, 0);
	while (n < 0 && errno == EINTR);
	r = n < 0 ? -errno : 0;
	nlmsg_free(msg);
	if (r)
		return r;

	for (;;) {
		n = recv_kernel(fd, nl->request_buf);
		if (n < 0)
			return n == -EAGAIN ? -ETIMEDOUT : n;
		at = nl->request_buf;
		len = n;
		while (sdv_nl_next(&at, &len, &part)) {
			/* The rest of an earlier request that was given up. */
			if (part.hdr.nlmsg_seq != seq)
				continue;
			r = answer_take(nl, answer, &part, &result);
			if (r > 0)
				return failed ? failed : result;
			if (r < 0 && !failed)
				failed = r;
		}
		if (len)
			return -EBADMSG;
	}
}

static struct nl_msg *request_new(const struct sdv_nl *nl, int cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc_size(16384);

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0, flags, cmd,
				SUPERDEV_FAMILY_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int set_put(struct nl_msg *msg, const struct sdv_nl_set *set, const void *object, uint64_t has);

static int properties_put(struct nl_msg *msg, int attr, const struct sdv_offer_info *offer)
{
	struct nlattr *nest;
	unsigned int i;
	int r;

	if (offer->nr_properties > SDV_PROPERTIES)
		return -EINVAL;
	for (i = 0; i < offer->nr_properties; i++) {
		nest = nla_nest_start(msg, attr | NLA_F_NESTED);
		if (!nest)
			return -EMSGSIZE;
		r = set_put(msg, &sdv_nl_property_set, &offer->property[i], ~UINT64_C(0));
		if (r)
			return r;
		nla_nest_end(msg, nest);
	}
	return 0;
}

static int field_put(struct nl_msg *msg, const struct sdv_nl_field *field, const uint8_t *object)
{
	const uint8_t *member = object + field->offset;
	size_t len;

	switch ((enum sdv_nl_kind)field->kind) {
	case SDV_NL_STRING:
		len = strnlen((const char *)member, field->size);
		if (len == field->size)
			return -EINVAL;
		return nle_to_errno(nla_put(msg, field->attr, len + 1, member));
	case SDV_NL_BINARY:
	case SDV_NL_U8:
	case SDV_NL_U16:
	case SDV_NL_U32:
	case SDV_NL_U64: return nle_to_errno(nla_put(msg, field->attr, field->size, member));
	case SDV_NL_BLOB:
		memcpy(&len, object + field->len_offset, sizeof(len));
		if (len > field->size)
			return -EINVAL;
		return nle_to_errno(nla_put(msg, field->attr, len, member));
	case SDV_NL_FLAG: return *(const bool *)member ? nle_to_errno(nla_put_flag(msg, field->attr)) : 0;
	case SDV_NL_PROPERTY: return properties_put(msg, field->attr, (const struct sdv_offer_info *)object);
	case SDV_NL_CANDIDATE: break;
	}
	return -EINVAL;
}

static int set_put(struct nl_msg *msg, const struct sdv_nl_set *set, const void *object, uint64_t has)
{
	unsigned int i;
	int r;

	for (i = 0; i < set->nr_fields; i++) {
		if (!(has & (UINT64_C(1) << set->fields[i].attr)))
			continue;
		r = field_put(msg, &set->fields[i], object);
		if (r)
			return r;
	}
	return 0;
}

static int request(struct sdv_nl *nl, int cmd, const struct sdv_nl_set *set, const void *object, uint64_t has,
		   struct answer *answer)
{
	struct nl_msg *msg;
	int r;

	nl->error[0] = 0;
	msg = request_new(nl, cmd, NLM_F_ACK);
	if (!msg)
		return -ENOMEM;
	r = set_put(msg, set, object, has);
	if (r) {
		nlmsg_free(msg);
		return r;
	}
	return transact(nl, msg, answer);
}

/* A request whose answer is an object; of another kind than asked for is no answer. */
static int request_get(struct sdv_nl *nl, int cmd, const struct sdv_nl_set *set, const void *object,
		       uint64_t has, struct answer *answer)
{
	int r = request(nl, cmd, set, object, has, answer);

	if (r)
		return r;
	return answer->has_event && answer->event.cmd == cmd ? 0 : -EBADMSG;
}

int sdv_nl_agent_get(struct sdv_nl *nl, struct sdv_agent_info *ret_agent)
{
	struct answer answer = { 0 };
	int r = request_get(nl, SUPERDEV_CMD_AGENT_GET, &sdv_nl_agent_set, NULL, 0, &answer);

	if (!r)
		*ret_agent = answer.event.agent;
	return r;
}

int sdv_nl_agent_bind(struct sdv_nl *nl, const struct sdv_agent_info *info)
{
	struct answer answer = { 0 };

	return request(nl, SUPERDEV_CMD_AGENT_BIND, &sdv_nl_agent_set, info, info->has, &answer);
}

int sdv_nl_peer(struct sdv_nl *nl, int cmd, const struct sdv_peer_info *info)
{
	struct answer answer = { 0 };

	return request(nl, cmd, &sdv_nl_peer_set, info, info->has, &answer);
}

int sdv_nl_offer(struct sdv_nl *nl, int cmd, const struct sdv_offer_info *info)
{
	struct answer answer = { 0 };

	return request(nl, cmd, &sdv_nl_offer_set, info, info->has, &answer);
}

int sdv_nl_lease(struct sdv_nl *nl, int cmd, const struct sdv_lease_info *info, uint32_t *ret_id)
{
	struct answer answer = { 0 };
	int r = request(nl, cmd, &sdv_nl_lease_set, info, info->has, &answer);

	if (r || !ret_id)
		return r;
	if (answer.has_event && answer.event.cmd == cmd && SDV_HAS(&answer.event.lease, SUPERDEV_A_LEASE_ID))
		*ret_id = answer.event.lease.id;
	else if (SDV_HAS(info, SUPERDEV_A_LEASE_ID))
		*ret_id = info->id;
	else
		return -EBADMSG;
	return 0;
}

int sdv_nl_lane(struct sdv_nl *nl, int cmd, const struct sdv_lane_info *info)
{
	struct answer answer = { 0 };

	return request(nl, cmd, &sdv_nl_lane_set, info, info->has, &answer);
}

int sdv_nl_policy_get(struct sdv_nl *nl, struct sdv_policy_info *ret_policy)
{
	struct answer answer = { 0 };
	int r = request_get(nl, SUPERDEV_CMD_POLICY_GET, &sdv_nl_policy_set, NULL, 0, &answer);

	if (!r)
		*ret_policy = answer.event.policy;
	return r;
}

int sdv_nl_policy_del(struct sdv_nl *nl)
{
	struct answer answer = { 0 };

	return request(nl, SUPERDEV_CMD_POLICY_DEL, &sdv_nl_policy_set, NULL, 0, &answer);
}

int sdv_nl_spread(struct sdv_nl *nl, int cmd, const char *cgroup)
{
	struct sdv_spread_info info = { 0 };
	struct answer answer = { 0 };

	if (strlen(cgroup) >= sizeof(info.cgroup))
		return -ENAMETOOLONG;
	stpcpy(info.cgroup, cgroup);
	SDV_SET(&info, SUPERDEV_A_SPREAD_CGROUP);
	return request(nl, cmd, &sdv_nl_spread_set, &info, info.has, &answer);
}

int sdv_nl_task_get(struct sdv_nl *nl, int cmd, uint32_t pid, struct sdv_task_info *ret_task)
{
	struct sdv_task_info info = { .pid = pid };
	struct answer answer = { 0 };
	int r;

	SDV_SET(&info, SUPERDEV_A_TASK_PID);
	r = request_get(nl, cmd, &sdv_nl_task_set, &info, info.has, &answer);
	if (!r)
		*ret_task = answer.event.task;
	return r;
}

int sdv_nl_task_check(struct sdv_nl *nl, uint32_t pid)
{
	struct sdv_task_info info = { .pid = pid };
	struct answer answer = { 0 };

	SDV_SET(&info, SUPERDEV_A_TASK_PID);
	return request(nl, SUPERDEV_CMD_TASK_CHECK, &sdv_nl_task_set, &info, info.has, &answer);
}

int sdv_nl_task_add(struct sdv_nl *nl, const char *program, uint32_t lease)
{
	struct sdv_task_info info = { .lease = lease };
	struct answer answer = { 0 };
	size_t len = strlen(program);

	/* Of a long one the end, which is what tells programs apart. */
	if (len >= sizeof(info.program))
		program += len - (sizeof(info.program) - 1);
	stpcpy(info.program, program);
	SDV_SET(&info, SUPERDEV_A_TASK_PROGRAM);
	SDV_SET(&info, SUPERDEV_A_TASK_LEASE);
	return request(nl, SUPERDEV_CMD_TASK_ADD, &sdv_nl_task_set, &info, info.has, &answer);
}

int sdv_nl_policy_try(struct sdv_nl *nl, const struct sdv_policy_info *question,
		      struct sdv_policy_info *ret_choice)
{
	struct answer answer = { 0 };
	int r = request_get(nl, SUPERDEV_CMD_POLICY_TRY, &sdv_nl_policy_set, question, question->has,
			    &answer);

	if (!r)
		*ret_choice = answer.event.policy;
	return r;
}

/* A name that no object can have: -ENOENT, as for any other that is not there. */
static int name_copy(char *dst, const char *src)
{
	size_t len = strlen(src);

	if (!len || len >= SDV_NAME_SIZE)
		return -ENOENT;
	memcpy(dst, src, len + 1);
	return 0;
}

int sdv_nl_peer_get(struct sdv_nl *nl, const char *name, struct sdv_peer_info *ret_peer)
{
	struct sdv_peer_info info = { 0 };
	struct answer answer = { 0 };
	int r;

	r = name_copy(info.name, name);
	if (r)
		return r;
	SDV_SET(&info, SUPERDEV_A_PEER_NAME);
	r = request_get(nl, SUPERDEV_CMD_PEER_GET, &sdv_nl_peer_set, &info, info.has, &answer);
	if (!r)
		*ret_peer = answer.event.peer;
	return r;
}

int sdv_nl_offer_get(struct sdv_nl *nl, const char *peer, const char *name, struct sdv_offer_info *ret_offer)
{
	struct sdv_offer_info info = { 0 };
	struct answer answer = { 0 };
	int r;

	if (peer && *peer) {
		r = name_copy(info.peer, peer);
		if (r)
			return r;
		SDV_SET(&info, SUPERDEV_A_OFFER_PEER);
	}
	r = name_copy(info.name, name);
	if (r)
		return r;
	SDV_SET(&info, SUPERDEV_A_OFFER_NAME);
	r = request_get(nl, SUPERDEV_CMD_OFFER_GET, &sdv_nl_offer_set, &info, info.has, &answer);
	if (!r)
		*ret_offer = answer.event.offer;
	return r;
}

int sdv_nl_lease_get(struct sdv_nl *nl, const char *peer, const char *offer, struct sdv_lease_info *ret_lease)
{
	struct sdv_lease_info info = { 0 };
	struct answer answer = { 0 };
	int r;

	r = name_copy(info.peer, peer);
	if (!r)
		r = name_copy(info.offer, offer);
	if (r)
		return r;
	SDV_SET(&info, SUPERDEV_A_LEASE_PEER);
	SDV_SET(&info, SUPERDEV_A_LEASE_OFFER);
	r = request_get(nl, SUPERDEV_CMD_LEASE_GET, &sdv_nl_lease_set, &info, info.has, &answer);
	if (!r)
		*ret_lease = answer.event.lease;
	return r;
}

/* Hands out what a complete dump left, so that @fn may make requests of its own. */
static int answer_replay(const struct answer *answer, int cmd, sdv_nl_fn fn, void *arg)
{
	struct sdv_event event;
	size_t at, len;
	int r, failed = 0;

	for (at = 0; at < answer->kept_len; at += sizeof(len) + len) {
		memcpy(&len, answer->kept + at, sizeof(len));
		r = sdv_nl_parse_event(answer->kept + at + sizeof(len), len, &event);
		if (!r && event.cmd != cmd)
			r = -EBADMSG;
		if (!r)
			fn(arg, &event);
		else if (!failed)
			failed = r;
	}
	return failed;
}

int sdv_nl_dump(struct sdv_nl *nl, int cmd, sdv_nl_fn fn, void *arg)
{
	struct answer answer = { .is_dump = true };
	struct nl_msg *msg;
	int r, tries;

	/* The registry changed meanwhile: what came may have gaps or doubles.  Once more. */
	for (tries = 0; tries < DUMP_TRIES; tries++) {
		answer.kept_len = 0;
		answer.is_torn = false;
		msg = request_new(nl, cmd, NLM_F_DUMP);
		r = msg ? transact(nl, msg, &answer) : -ENOMEM;
		if (r || !answer.is_torn)
			break;
	}
	if (!r && answer.is_torn)
		r = -EAGAIN;
	if (!r)
		r = answer_replay(&answer, cmd, fn, arg);
	free(answer.kept);
	return r;
}

int sdv_nl_watch(struct sdv_nl *nl)
{
	struct nl_sock *watch;
	int r, group;

	if (nl->watch)
		return -EALREADY;
	watch = nl_socket_alloc();
	if (!watch)
		return -ENOMEM;
	r = nle_to_errno(genl_connect(watch));
	if (r)
		goto err_free;
	/* Asked on this socket: on the other one libnl would miss the answers that it did not see. */
	group = genl_ctrl_resolve_grp(watch, SUPERDEV_FAMILY_NAME, SUPERDEV_MCGRP_EVENTS);
	r = nle_to_errno(group < 0 ? group : 0);
	if (r)
		goto err_free;
	set_rcvbuf(nl_socket_get_fd(watch), WATCH_RCVBUF);
	r = nle_to_errno(nl_socket_add_membership(watch, group));
	if (!r)
		r = nle_to_errno(nl_socket_set_nonblocking(watch));
	if (r)
		goto err_free;
	nl->watch = watch;
	return 0;

err_free:
	nl_socket_free(watch);
	return r;
}

int sdv_nl_watch_fd(const struct sdv_nl *nl)
{
	return nl->watch ? nl_socket_get_fd(nl->watch) : -EBADF;
}

int sdv_nl_watch_read(struct sdv_nl *nl, sdv_nl_fn fn, void *arg)
{
	int fd = sdv_nl_watch_fd(nl), r, failed = 0;
	struct sdv_event event;
	struct sdv_nl_msg part;
	const uint8_t *at;
	ssize_t n;
	size_t len;

	if (fd < 0)
		return fd;
	/* To the last one: an edge-triggered waiter would not be woken for the rest. */
	for (;;) {
		n = recv_kernel(fd, nl->watch_buf);
		if (n == -EAGAIN)
			return failed;
		if (n < 0)
			return n;
		at = nl->watch_buf;
		len = n;
		while (sdv_nl_next(&at, &len, &part)) {
			if (part.hdr.nlmsg_type != nl->family)
				continue;
			r = sdv_nl_parse_event(part.payload, part.len, &event);
			if (!r)
				fn(arg, &event);
			else if (r != -EOPNOTSUPP && !failed)
				failed = r;
		}
		if (len && !failed)
			failed = -EBADMSG;
	}
}
