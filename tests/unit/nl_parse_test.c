// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nl_parse_test.c: messages of the kernel (agent/lib/nl_parse.c).
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>

#include "../../agent/lib/nl_parse.h"
#include "harness.h"

/* A message that is being written. */
static uint8_t buf[8192];
static size_t len;

static void begin(int cmd)
{
	const struct genlmsghdr hdr = { .cmd = (uint8_t)cmd, .version = 1 };

	memset(buf, 0xaa, sizeof(buf));
	memcpy(buf, &hdr, sizeof(hdr));
	len = sizeof(hdr);
}

static void put(int attr, const void *data, size_t size)
{
	const struct nlattr hdr = { .nla_len = (uint16_t)(sizeof(hdr) + size), .nla_type = (uint16_t)attr };

	memcpy(buf + len, &hdr, sizeof(hdr));
	if (size)
		memcpy(buf + len + sizeof(hdr), data, size);
	len += NLA_ALIGN(sizeof(hdr) + size);
}

static void put_text(int attr, const char *text)
{
	put(attr, text, strlen(text) + 1);
}

static void put_u32(int attr, uint32_t value)
{
	put(attr, &value, sizeof(value));
}

static struct sdv_event event;

/* From a block of exactly that size, so that a byte too far is seen. */
static int parse(void)
{
	uint8_t *copy = malloc(len);
	int r;

	memcpy(copy, buf, len);
	r = sdv_nl_parse_event(copy, len, &event);
	free(copy);
	return r;
}

static struct nlmsghdr hdr_of(int type, int flags, size_t size)
{
	return (struct nlmsghdr){ .nlmsg_len = (uint32_t)(sizeof(struct nlmsghdr) + size),
				  .nlmsg_type = (uint16_t)type,
				  .nlmsg_flags = (uint16_t)flags };
}

TEST("a peer is read, and what was not sent is not there")
{
	const uint8_t key[SUPERDEV_KEY_LEN] = { 1, 2, 3 };

	begin(SUPERDEV_CMD_PEER_NTF);
	put_text(SUPERDEV_A_PEER_NAME, "nas");
	put(SUPERDEV_A_PEER_KEY, key, sizeof(key));
	put_u32(SUPERDEV_A_PEER_STATE, SUPERDEV_PEER_STATE_ONLINE);
	put_u32(SUPERDEV_A_PEER_RTT_US, 312);
	CHECK(parse() == 0);
	CHECK(event.cmd == SUPERDEV_CMD_PEER_NTF);
	CHECK(!strcmp(event.peer.name, "nas") && !memcmp(event.peer.key, key, sizeof(key)));
	CHECK(event.peer.state == SUPERDEV_PEER_STATE_ONLINE && event.peer.rtt_us == 312);
	CHECK(SDV_HAS(&event.peer, SUPERDEV_A_PEER_KEY));
	CHECK(!SDV_HAS(&event.peer, SUPERDEV_A_PEER_ADDRESS) && !*event.peer.address);
}

TEST("properties are collected, and more than there is room for are passed over")
{
	uint64_t size = UINT64_C(1) << 40;
	unsigned int i;

	begin(SUPERDEV_CMD_OFFER_GET);
	put_text(SUPERDEV_A_OFFER_NAME, "disk0");
	put(SUPERDEV_A_OFFER_SIZE, &size, sizeof(size));
	put(SUPERDEV_A_OFFER_READ_ONLY, NULL, 0);
	for (i = 0; i < SDV_PROPERTIES + 3; i++) {
		size_t at = len;
		struct nlattr nest;

		put(SUPERDEV_A_OFFER_PROPERTY | NLA_F_NESTED, NULL, 0);
		put_text(SUPERDEV_A_PROPERTY_NAME, "latency");
		put_text(SUPERDEV_A_PROPERTY_VALUE, "1");
		nest.nla_type = SUPERDEV_A_OFFER_PROPERTY | NLA_F_NESTED;
		nest.nla_len = (uint16_t)(len - at);
		memcpy(buf + at, &nest, sizeof(nest));
	}
	CHECK(parse() == 0);
	CHECK(event.offer.size == size && event.offer.read_only);
	CHECK(event.offer.nr_properties == SDV_PROPERTIES);
	CHECK(!strcmp(event.offer.property[SDV_PROPERTIES - 1].name, "latency"));
}

TEST("a lease's configuration keeps its length")
{
	uint8_t config[SUPERDEV_CONFIG_LEN + 1] = { 7 };

	begin(SUPERDEV_CMD_LEASE_GET);
	put(SUPERDEV_A_LEASE_CONFIG, config, SUPERDEV_CONFIG_LEN);
	CHECK(parse() == 0 && event.lease.config_len == SUPERDEV_CONFIG_LEN);
	begin(SUPERDEV_CMD_LEASE_GET);
	put(SUPERDEV_A_LEASE_CONFIG, config, SUPERDEV_CONFIG_LEN + 1);
	CHECK(parse() == -EBADMSG);
}

TEST("a policy is read, and what was attached before")
{
	const uint64_t decisions = 7;

	begin(SUPERDEV_CMD_POLICY_GET);
	put_text(SUPERDEV_A_POLICY_NAME, "fastest");
	put(SUPERDEV_A_POLICY_DECISIONS, &decisions, sizeof(decisions));
	put_text(SUPERDEV_A_POLICY_LAST_ERROR, "unloaded");
	CHECK(!parse() && !strcmp(event.policy.name, "fastest") && event.policy.decisions == 7);
	CHECK(!strcmp(event.policy.last_error, "unloaded") && !*event.policy.last_name);
	CHECK(!SDV_HAS(&event.policy, SUPERDEV_A_POLICY_LEASE));
	begin(SUPERDEV_CMD_POLICY_TRY);
	put_u32(SUPERDEV_A_POLICY_LEASE, 3);
	put_text(SUPERDEV_A_POLICY_WHY, "it is idle");
	CHECK(!parse() && SDV_HAS(&event.policy, SUPERDEV_A_POLICY_LEASE) && event.policy.lease == 3);
	begin(SUPERDEV_CMD_POLICY_TRY);
	put_u32(SUPERDEV_A_POLICY_TOOK_NS, 3);
	CHECK(parse() == -EBADMSG);
}

TEST("a text without end, with more than one, or too long is refused")
{
	char longest[SUPERDEV_NAME_LEN + 2];

	begin(SUPERDEV_CMD_PEER_GET);
	put(SUPERDEV_A_PEER_NAME, "nas", 3);
	CHECK(parse() == -EBADMSG);
	begin(SUPERDEV_CMD_PEER_GET);
	put(SUPERDEV_A_PEER_NAME, "n\0s", 4);
	CHECK(parse() == -EBADMSG);
	begin(SUPERDEV_CMD_PEER_GET);
	put(SUPERDEV_A_PEER_NAME, NULL, 0);
	CHECK(parse() == -EBADMSG);
	memset(longest, 'n', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	begin(SUPERDEV_CMD_PEER_GET);
	put(SUPERDEV_A_PEER_NAME, longest, sizeof(longest));
	CHECK(parse() == -EBADMSG);
}

TEST("a number or key of another size is refused")
{
	const uint8_t key[SUPERDEV_KEY_LEN] = { 1, 2, 3 };

	begin(SUPERDEV_CMD_PEER_GET);
	put(SUPERDEV_A_PEER_RTT_US, key, 8);
	CHECK(parse() == -EBADMSG);
	begin(SUPERDEV_CMD_PEER_GET);
	put(SUPERDEV_A_PEER_KEY, key, 31);
	CHECK(parse() == -EBADMSG);
}

TEST("an attribute twice is refused")
{
	begin(SUPERDEV_CMD_PEER_GET);
	put_text(SUPERDEV_A_PEER_NAME, "nas");
	put_text(SUPERDEV_A_PEER_NAME, "x");
	CHECK(parse() == -EBADMSG);
}

TEST("an attribute beyond the message is refused, one of a newer kernel passed over")
{
	const uint8_t key[SUPERDEV_KEY_LEN] = { 1, 2, 3 };

	begin(SUPERDEV_CMD_PEER_GET);
	put_text(SUPERDEV_A_PEER_NAME, "nas");
	put(999, key, 5);
	CHECK(parse() == 0 && !strcmp(event.peer.name, "nas"));
	len -= 8;
	CHECK(parse() == -EBADMSG);
	begin(SUPERDEV_CMD_PEER_GET);
	len = 3;
	CHECK(parse() == -EBADMSG);
}

TEST("an operation that is not known is told apart")
{
	begin(200);
	CHECK(parse() == -EOPNOTSUPP);
}

/* A verdict: its number, and the header of a request that is repeated with @rest bytes. */
static void verdict(int32_t error, size_t rest)
{
	const struct nlmsghdr request = hdr_of(20, 0, rest);

	memcpy(buf, &error, sizeof(error));
	memcpy(buf + sizeof(error), &request, sizeof(request));
	len = sizeof(error) + sizeof(request);
}

static char text[16];

static int parse_ack(int type, int flags)
{
	const struct sdv_nl_msg msg = { .hdr = hdr_of(type, flags, len), .payload = buf, .len = len };

	return sdv_nl_parse_ack(&msg, text, sizeof(text));
}

TEST("a refusal has its errno and the kernel's text")
{
	verdict(-EBUSY, 100);
	put_text(NLMSGERR_ATTR_MSG, "in use");
	CHECK(parse_ack(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS) == -EBUSY);
	CHECK(!strcmp(text, "in use"));
}

TEST("the text is found behind a request that is repeated whole, and cut to the room there is")
{
	verdict(-EBUSY, 6);
	len += NLMSG_ALIGN(6);
	put_text(NLMSGERR_ATTR_MSG, "a text that is longer than the room");
	CHECK(parse_ack(NLMSG_ERROR, NLM_F_ACK_TLVS) == -EBUSY);
	CHECK(!strcmp(text, "a text that is "));
	len = 20;
	CHECK(parse_ack(NLMSG_ERROR, NLM_F_ACK_TLVS) == -EBADMSG);
}

TEST("the end of a dump may be a refusal too")
{
	verdict(-EBUSY, 0);
	len = 4;
	CHECK(parse_ack(NLMSG_DONE, 0) == -EBUSY && !*text);
}

TEST("what is no verdict is none")
{
	verdict(0, 0);
	CHECK(parse_ack(NLMSG_ERROR, NLM_F_CAPPED) == 0);
	len = 3;
	CHECK(parse_ack(NLMSG_DONE, 0) == -EBADMSG);
	verdict(5, 0);
	CHECK(parse_ack(NLMSG_ERROR, NLM_F_CAPPED) == -EBADMSG);
}

TEST("messages are taken off a datagram one by one")
{
	const uint8_t *at = buf;
	struct sdv_nl_msg msg;
	struct nlmsghdr hdr;

	hdr = hdr_of(20, 0, 3);
	memcpy(buf, &hdr, sizeof(hdr));
	memcpy(buf + 20, &hdr, sizeof(hdr));
	len = 39;
	CHECK(sdv_nl_next(&at, &len, &msg) && msg.len == 3 && msg.payload == buf + 16);
	CHECK(sdv_nl_next(&at, &len, &msg) && msg.len == 3 && msg.payload == buf + 36);
	CHECK(!sdv_nl_next(&at, &len, &msg) && !len);
}

TEST("a header that does not fit ends it")
{
	const uint8_t *at = buf;
	struct sdv_nl_msg msg;
	struct nlmsghdr hdr;

	hdr = hdr_of(20, 0, 3);
	memcpy(buf, &hdr, sizeof(hdr));
	at = buf;
	len = 18;
	CHECK(!sdv_nl_next(&at, &len, &msg) && len == 18);
	hdr.nlmsg_len = 0;
	memcpy(buf, &hdr, sizeof(hdr));
	CHECK(!sdv_nl_next(&at, &len, &msg) && len == 18);
}

TEST("a decision is read with the leases it rests on, as far as there is room")
{
	uint8_t nest[64];
	struct nlattr hdr = { .nla_type = SUPERDEV_A_CANDIDATE_OFFER };
	unsigned int i;
	size_t size;

	hdr.nla_len = sizeof(hdr) + 4;
	memcpy(nest, &hdr, sizeof(hdr));
	memcpy(nest + sizeof(hdr), "cpu", 4);
	size = sizeof(hdr) + 4;
	begin(SUPERDEV_CMD_DECISION_GET);
	put_u32(SUPERDEV_A_TASK_PID, 7);
	put_text(SUPERDEV_A_TASK_WHY, "there is room");
	put(SUPERDEV_A_TASK_ENDED, NULL, 0);
	for (i = 0; i < SDV_CANDIDATES + 2; i++)
		put(SUPERDEV_A_TASK_CANDIDATE, nest, size);
	CHECK(!parse() && event.task.pid == 7 && event.task.ended &&
	      !strcmp(event.task.why, "there is room"));
	CHECK(event.task.nr_candidates == SDV_CANDIDATES && !strcmp(event.task.candidate[3].offer, "cpu"));
	CHECK(!SDV_HAS(&event.task, SUPERDEV_A_TASK_LEASE));
	CHECK(SDV_HAS(&event.task.candidate[0], SUPERDEV_A_CANDIDATE_OFFER));
	CHECK(!SDV_HAS(&event.task.candidate[0], SUPERDEV_A_CANDIDATE_LOAD));
	CHECK(!SDV_HAS(&event.task, SUPERDEV_A_TASK_UTIME_US));
	/* A text without its end. */
	nest[size - 1] = 'x';
	begin(SUPERDEV_CMD_TASK_GET);
	put(SUPERDEV_A_TASK_CANDIDATE, nest, size);
	CHECK(parse() == -EBADMSG);
}

int main(void)
{
	return test_main("nl_parse");
}
