// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nl_parse.c: bytes from the kernel to the structs of nl.h.
 *
 * The kernel is trusted, but what it repeats comes from peers and from a module
 * that may be older or newer than this program; so every length is checked
 * here, once, and nowhere else.
 */
#include "nl_parse.h"

#include <assert.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <string.h>

#define FIELD(type, member, set, name, k)          \
	{ .attr = SUPERDEV_A_##set##_##name,       \
	  .kind = SDV_NL_##k,                      \
	  .offset = offsetof(struct type, member), \
	  .size = sizeof(((struct type *)0)->member) }

#define SET(array) { .fields = (array), .nr_fields = sizeof(array) / sizeof((array)[0]) }

static_assert(sizeof(enum superdev_lease_state) == 4, "enumerations travel as 32 bits");
static_assert(offsetof(struct sdv_agent_info, has) == 0, "has comes first");
static_assert(offsetof(struct sdv_peer_info, has) == 0, "has comes first");
static_assert(offsetof(struct sdv_offer_info, has) == 0, "has comes first");
static_assert(offsetof(struct sdv_lease_info, has) == 0, "has comes first");
static_assert(offsetof(struct sdv_lane_info, has) == 0, "has comes first");
static_assert(offsetof(struct sdv_policy_info, has) == 0, "has comes first");
static_assert(offsetof(struct sdv_spread_info, has) == 0, "has comes first");
static_assert(offsetof(struct sdv_task_info, has) == 0, "has comes first");

static const struct sdv_nl_field agent_fields[] = {
	FIELD(sdv_agent_info, name, AGENT, NAME, STRING),
	FIELD(sdv_agent_info, key, AGENT, KEY, BINARY),
	FIELD(sdv_agent_info, version, AGENT, VERSION, STRING),
	FIELD(sdv_agent_info, features, AGENT, FEATURES, U64),
	FIELD(sdv_agent_info, port, AGENT, PORT, U16),
	FIELD(sdv_agent_info, running, AGENT, RUNNING, U8),
	FIELD(sdv_agent_info, boot, AGENT, BOOT, BINARY),
};

static const struct sdv_nl_field peer_fields[] = {
	FIELD(sdv_peer_info, name, PEER, NAME, STRING),
	FIELD(sdv_peer_info, key, PEER, KEY, BINARY),
	FIELD(sdv_peer_info, address, PEER, ADDRESS, STRING),
	FIELD(sdv_peer_info, trust, PEER, TRUST, U32),
	FIELD(sdv_peer_info, state, PEER, STATE, U32),
	FIELD(sdv_peer_info, transport, PEER, TRANSPORT, U32),
	FIELD(sdv_peer_info, peer_transport, PEER, PEER_TRANSPORT, U32),
	FIELD(sdv_peer_info, code, PEER, CODE, STRING),
	FIELD(sdv_peer_info, rtt_us, PEER, RTT_US, U32),
	FIELD(sdv_peer_info, error, PEER, ERROR, STRING),
	FIELD(sdv_peer_info, force, PEER, FORCE, FLAG),
};

static const struct sdv_nl_field offer_fields[] = {
	FIELD(sdv_offer_info, peer, OFFER, PEER, STRING),
	FIELD(sdv_offer_info, name, OFFER, NAME, STRING),
	FIELD(sdv_offer_info, class_name, OFFER, CLASS, STRING),
	FIELD(sdv_offer_info, path, OFFER, PATH, STRING),
	FIELD(sdv_offer_info, read_only, OFFER, READ_ONLY, FLAG),
	FIELD(sdv_offer_info, size, OFFER, SIZE, U64),
	FIELD(sdv_offer_info, state, OFFER, STATE, U32),
	FIELD(sdv_offer_info, property, OFFER, PROPERTY, PROPERTY),
	FIELD(sdv_offer_info, error, OFFER, ERROR, STRING),
	FIELD(sdv_offer_info, force, OFFER, FORCE, FLAG),
	FIELD(sdv_offer_info, cpus, OFFER, CPUS, U32),
	FIELD(sdv_offer_info, memory, OFFER, MEMORY, U64),
};

static const struct sdv_nl_field lease_fields[] = {
	FIELD(sdv_lease_info, id, LEASE, ID, U32),
	FIELD(sdv_lease_info, peer, LEASE, PEER, STRING),
	FIELD(sdv_lease_info, offer, LEASE, OFFER, STRING),
	FIELD(sdv_lease_info, class_name, LEASE, CLASS, STRING),
	FIELD(sdv_lease_info, role, LEASE, ROLE, U32),
	FIELD(sdv_lease_info, state, LEASE, STATE, U32),
	FIELD(sdv_lease_info, number, LEASE, NUMBER, U64),
	FIELD(sdv_lease_info, epoch, LEASE, EPOCH, U32),
	FIELD(sdv_lease_info, read_only, LEASE, READ_ONLY, FLAG),
	FIELD(sdv_lease_info, lanes, LEASE, LANES, U32),
	FIELD(sdv_lease_info, lanes_wanted, LEASE, LANES_WANTED, U32),
	FIELD(sdv_lease_info, device, LEASE, DEVICE, STRING),
	{ .attr = SUPERDEV_A_LEASE_CONFIG,
	  .kind = SDV_NL_BLOB,
	  .offset = offsetof(struct sdv_lease_info, config),
	  .size = SUPERDEV_CONFIG_LEN,
	  .len_offset = offsetof(struct sdv_lease_info, config_len) },
	FIELD(sdv_lease_info, boot, LEASE, BOOT, BINARY),
	FIELD(sdv_lease_info, error, LEASE, ERROR, STRING),
	FIELD(sdv_lease_info, force, LEASE, FORCE, FLAG),
	FIELD(sdv_lease_info, cpus, LEASE, CPUS, U32),
	FIELD(sdv_lease_info, load, LEASE, LOAD, U32),
	FIELD(sdv_lease_info, tasks, LEASE, TASKS, U32),
	FIELD(sdv_lease_info, used_us, LEASE, USED_US, U64),
	FIELD(sdv_lease_info, memory, LEASE, MEMORY, U64),
	FIELD(sdv_lease_info, load_age_ms, LEASE, LOAD_AGE, U32),
	FIELD(sdv_lease_info, paths, LEASE, PATHS, STRING),
	FIELD(sdv_lease_info, denied, LEASE, DENIED, U64),
};

static const struct sdv_nl_field lane_fields[] = {
	FIELD(sdv_lane_info, lease, LANE, LEASE, U32),
	FIELD(sdv_lane_info, index, LANE, INDEX, U32),
	FIELD(sdv_lane_info, epoch, LANE, EPOCH, U32),
	FIELD(sdv_lane_info, fd, LANE, FD, U32),
	FIELD(sdv_lane_info, transport, LANE, TRANSPORT, U32),
	FIELD(sdv_lane_info, tx_bytes, LANE, TX_BYTES, U64),
	FIELD(sdv_lane_info, rx_bytes, LANE, RX_BYTES, U64),
	FIELD(sdv_lane_info, tx_frames, LANE, TX_FRAMES, U64),
	FIELD(sdv_lane_info, rx_frames, LANE, RX_FRAMES, U64),
	FIELD(sdv_lane_info, error, LANE, ERROR, STRING),
};

static const struct sdv_nl_field policy_fields[] = {
	FIELD(sdv_policy_info, name, POLICY, NAME, STRING),
	FIELD(sdv_policy_info, since, POLICY, SINCE, U64),
	FIELD(sdv_policy_info, decisions, POLICY, DECISIONS, U64),
	FIELD(sdv_policy_info, remote, POLICY, REMOTE, U64),
	FIELD(sdv_policy_info, declined, POLICY, DECLINED, U64),
	FIELD(sdv_policy_info, last_name, POLICY, LAST_NAME, STRING),
	FIELD(sdv_policy_info, last_time, POLICY, LAST_TIME, U64),
	FIELD(sdv_policy_info, last_error, POLICY, LAST_ERROR, STRING),
	FIELD(sdv_policy_info, path, POLICY, PATH, STRING),
	FIELD(sdv_policy_info, class_name, POLICY, CLASS, STRING),
	FIELD(sdv_policy_info, pid, POLICY, PID, U32),
	FIELD(sdv_policy_info, lease, POLICY, LEASE, U32),
	FIELD(sdv_policy_info, peer, POLICY, PEER, STRING),
	FIELD(sdv_policy_info, offer, POLICY, OFFER, STRING),
	FIELD(sdv_policy_info, why, POLICY, WHY, STRING),
	FIELD(sdv_policy_info, took_ns, POLICY, TOOK_NS, U64),
};

static const struct sdv_nl_field spread_fields[] = {
	FIELD(sdv_spread_info, cgroup, SPREAD, CGROUP, STRING),
	FIELD(sdv_spread_info, id, SPREAD, ID, U64),
};

static const struct sdv_nl_field candidate_fields[] = {
	FIELD(sdv_candidate, lease, CANDIDATE, LEASE, U32),
	FIELD(sdv_candidate, peer, CANDIDATE, PEER, STRING),
	FIELD(sdv_candidate, offer, CANDIDATE, OFFER, STRING),
	FIELD(sdv_candidate, state, CANDIDATE, STATE, U32),
	FIELD(sdv_candidate, lanes, CANDIDATE, LANES, U32),
	FIELD(sdv_candidate, rtt_us, CANDIDATE, RTT_US, U32),
	FIELD(sdv_candidate, cpus, CANDIDATE, CPUS, U32),
	FIELD(sdv_candidate, load, CANDIDATE, LOAD, U32),
	FIELD(sdv_candidate, load_age_s, CANDIDATE, LOAD_AGE, U32),
	FIELD(sdv_candidate, tasks, CANDIDATE, TASKS, U32),
};

static const struct sdv_nl_field task_fields[] = {
	FIELD(sdv_task_info, pid, TASK, PID, U32),
	FIELD(sdv_task_info, uid, TASK, UID, U32),
	FIELD(sdv_task_info, program, TASK, PROGRAM, STRING),
	FIELD(sdv_task_info, lease, TASK, LEASE, U32),
	FIELD(sdv_task_info, peer, TASK, PEER, STRING),
	FIELD(sdv_task_info, offer, TASK, OFFER, STRING),
	FIELD(sdv_task_info, policy, TASK, POLICY, STRING),
	FIELD(sdv_task_info, why, TASK, WHY, STRING),
	FIELD(sdv_task_info, since_ns, TASK, SINCE, U64),
	FIELD(sdv_task_info, took_ns, TASK, TOOK_NS, U64),
	FIELD(sdv_task_info, ended, TASK, ENDED, FLAG),
	FIELD(sdv_task_info, cpus, TASK, CPUS, U32),
	FIELD(sdv_task_info, load, TASK, LOAD, U32),
	FIELD(sdv_task_info, runs, TASK, RUNS, U32),
	FIELD(sdv_task_info, wall_us, TASK, WALL_US, U64),
	FIELD(sdv_task_info, cpu_us, TASK, CPU_US, U64),
	FIELD(sdv_task_info, remote_runs, TASK, REMOTE_RUNS, U32),
	FIELD(sdv_task_info, remote_us, TASK, REMOTE_US, U64),
	FIELD(sdv_task_info, leases, TASK, LEASES, U32),
	FIELD(sdv_task_info, candidate, TASK, CANDIDATE, CANDIDATE),
	FIELD(sdv_task_info, utime_us, TASK, UTIME_US, U64),
	FIELD(sdv_task_info, stime_us, TASK, STIME_US, U64),
	FIELD(sdv_task_info, maxrss_kb, TASK, MAXRSS_KB, U64),
	FIELD(sdv_task_info, minflt, TASK, MINFLT, U64),
	FIELD(sdv_task_info, majflt, TASK, MAJFLT, U64),
	FIELD(sdv_task_info, inblock, TASK, INBLOCK, U64),
	FIELD(sdv_task_info, oublock, TASK, OUBLOCK, U64),
	FIELD(sdv_task_info, nvcsw, TASK, NVCSW, U64),
	FIELD(sdv_task_info, nivcsw, TASK, NIVCSW, U64),
};

static const struct sdv_nl_field property_fields[] = {
	FIELD(sdv_property, name, PROPERTY, NAME, STRING),
	FIELD(sdv_property, value, PROPERTY, VALUE, STRING),
	FIELD(sdv_property, source, PROPERTY, SOURCE, U32),
	FIELD(sdv_property, time, PROPERTY, TIME, U64),
};

const struct sdv_nl_set sdv_nl_agent_set = SET(agent_fields);
const struct sdv_nl_set sdv_nl_peer_set = SET(peer_fields);
const struct sdv_nl_set sdv_nl_offer_set = SET(offer_fields);
const struct sdv_nl_set sdv_nl_lease_set = SET(lease_fields);
const struct sdv_nl_set sdv_nl_lane_set = SET(lane_fields);
const struct sdv_nl_set sdv_nl_policy_set = SET(policy_fields);
const struct sdv_nl_set sdv_nl_spread_set = SET(spread_fields);
const struct sdv_nl_set sdv_nl_candidate_set = SET(candidate_fields);
const struct sdv_nl_set sdv_nl_task_set = SET(task_fields);
const struct sdv_nl_set sdv_nl_property_set = SET(property_fields);

bool sdv_nl_next(const uint8_t **buf, size_t *len, struct sdv_nl_msg *ret_msg)
{
	struct nlmsghdr hdr;
	size_t step;

	if (*len < sizeof(hdr))
		return false;
	memcpy(&hdr, *buf, sizeof(hdr));
	if (hdr.nlmsg_len < sizeof(hdr) || hdr.nlmsg_len > *len)
		return false;

	ret_msg->hdr = hdr;
	ret_msg->payload = *buf + sizeof(hdr);
	ret_msg->len = hdr.nlmsg_len - sizeof(hdr);

	/* The padding of the last message may be missing. */
	step = NLMSG_ALIGN((size_t)hdr.nlmsg_len);
	if (step > *len)
		step = *len;
	*buf += step;
	*len -= step;
	return true;
}

struct attr {
	uint16_t type;
	const uint8_t *data;
	size_t len;
};

/* 1: one was taken; 0: the end; -EBADMSG: what is left is no attribute. */
static int attr_next(const uint8_t **buf, size_t *len, struct attr *ret_attr)
{
	struct nlattr hdr;
	size_t step;

	if (!*len)
		return 0;
	if (*len < sizeof(hdr))
		return -EBADMSG;
	memcpy(&hdr, *buf, sizeof(hdr));
	if (hdr.nla_len < sizeof(hdr) || hdr.nla_len > *len)
		return -EBADMSG;

	ret_attr->type = hdr.nla_type & NLA_TYPE_MASK;
	ret_attr->data = *buf + sizeof(hdr);
	ret_attr->len = hdr.nla_len - sizeof(hdr);

	step = NLA_ALIGN((size_t)hdr.nla_len);
	if (step > *len)
		step = *len;
	*buf += step;
	*len -= step;
	return 1;
}

static int set_parse(const struct sdv_nl_set *set, const uint8_t *buf, size_t len, uint8_t *object,
		     uint64_t *has);

static int property_parse(struct sdv_offer_info *offer, const struct attr *attr)
{
	uint64_t has = 0;

	/* More than there is room for say nothing that anybody here reads. */
	if (offer->nr_properties == SDV_PROPERTIES)
		return 0;
	return set_parse(&sdv_nl_property_set, attr->data, attr->len,
			 (uint8_t *)&offer->property[offer->nr_properties++], &has);
}

static int candidate_parse(struct sdv_task_info *task, const struct attr *attr)
{
	struct sdv_candidate *candidate;

	if (task->nr_candidates == SDV_CANDIDATES)
		return 0;
	candidate = &task->candidate[task->nr_candidates++];
	return set_parse(&sdv_nl_candidate_set, attr->data, attr->len, (uint8_t *)candidate, &candidate->has);
}

static int field_parse(const struct sdv_nl_field *field, const struct attr *attr, uint8_t *object)
{
	uint8_t *member = object + field->offset;

	switch ((enum sdv_nl_kind)field->kind) {
	case SDV_NL_STRING:
		if (!attr->len || attr->len > field->size ||
		    memchr(attr->data, 0, attr->len) != attr->data + attr->len - 1)
			return -EBADMSG;
		memcpy(member, attr->data, attr->len);
		return 0;
	case SDV_NL_BINARY:
	case SDV_NL_U8:
	case SDV_NL_U16:
	case SDV_NL_U32:
	case SDV_NL_U64:
		if (attr->len != field->size)
			return -EBADMSG;
		memcpy(member, attr->data, attr->len);
		return 0;
	case SDV_NL_BLOB:
		if (attr->len > field->size)
			return -EBADMSG;
		memcpy(member, attr->data, attr->len);
		memcpy(object + field->len_offset, &attr->len, sizeof(attr->len));
		return 0;
	case SDV_NL_FLAG: *(bool *)member = true; return 0;
	case SDV_NL_PROPERTY: return property_parse((struct sdv_offer_info *)object, attr);
	case SDV_NL_CANDIDATE: return candidate_parse((struct sdv_task_info *)object, attr);
	}
	return -EBADMSG;
}

static int set_parse(const struct sdv_nl_set *set, const uint8_t *buf, size_t len, uint8_t *object,
		     uint64_t *has)
{
	struct attr attr;
	unsigned int i;
	int r;

	while ((r = attr_next(&buf, &len, &attr)) > 0) {
		for (i = 0; i < set->nr_fields; i++)
			if (set->fields[i].attr == attr.type)
				break;
		if (i == set->nr_fields)
			continue;
		/* Only nests come more than once; a text must not end up as a mix of two. */
		if (set->fields[i].kind != SDV_NL_PROPERTY && set->fields[i].kind != SDV_NL_CANDIDATE &&
		    (*has & (UINT64_C(1) << attr.type)))
			return -EBADMSG;
		r = field_parse(&set->fields[i], &attr, object);
		if (r)
			return r;
		*has |= UINT64_C(1) << attr.type;
	}
	return r;
}

int sdv_nl_parse_event(const uint8_t *payload, size_t len, struct sdv_event *ret_event)
{
	const struct sdv_nl_set *set;
	struct genlmsghdr hdr;
	struct sdv_event event;
	uint64_t has = 0;
	int r;

	if (len < sizeof(hdr))
		return -EBADMSG;
	memcpy(&hdr, payload, sizeof(hdr));

	switch (hdr.cmd) {
	case SUPERDEV_CMD_AGENT_GET:
	case SUPERDEV_CMD_AGENT_NTF: set = &sdv_nl_agent_set; break;
	case SUPERDEV_CMD_PEER_GET:
	case SUPERDEV_CMD_PEER_NTF:
	case SUPERDEV_CMD_PEER_DEL_NTF: set = &sdv_nl_peer_set; break;
	case SUPERDEV_CMD_OFFER_GET:
	case SUPERDEV_CMD_OFFER_NTF:
	case SUPERDEV_CMD_OFFER_DEL_NTF: set = &sdv_nl_offer_set; break;
	case SUPERDEV_CMD_LEASE_GET:
	case SUPERDEV_CMD_LEASE_ADD:
	case SUPERDEV_CMD_LEASE_REPORT:
	case SUPERDEV_CMD_LEASE_NTF:
	case SUPERDEV_CMD_LEASE_DEL_NTF: set = &sdv_nl_lease_set; break;
	case SUPERDEV_CMD_LANE_GET:
	case SUPERDEV_CMD_LANE_DOWN_NTF: set = &sdv_nl_lane_set; break;
	case SUPERDEV_CMD_POLICY_GET:
	case SUPERDEV_CMD_POLICY_TRY:
	case SUPERDEV_CMD_POLICY_NTF: set = &sdv_nl_policy_set; break;
	case SUPERDEV_CMD_SPREAD_GET:
	case SUPERDEV_CMD_SPREAD_NTF:
	case SUPERDEV_CMD_SPREAD_DEL_NTF: set = &sdv_nl_spread_set; break;
	case SUPERDEV_CMD_TASK_GET:
	case SUPERDEV_CMD_DECISION_GET: set = &sdv_nl_task_set; break;
	default: return -EOPNOTSUPP;
	}

	memset(&event, 0, sizeof(event));
	event.cmd = hdr.cmd;
	r = set_parse(set, payload + sizeof(hdr), len - sizeof(hdr), (uint8_t *)&event.agent, &has);
	if (r)
		return r;
	memcpy(&event.agent, &has, sizeof(has));
	*ret_event = event;
	return 0;
}

int sdv_nl_parse_ack(const struct sdv_nl_msg *msg, char *text, size_t size)
{
	const uint8_t *buf = msg->payload;
	size_t len = msg->len, skip = 0, n;
	struct nlmsghdr request;
	struct attr attr;
	int32_t error;

	text[0] = 0;
	if (len < sizeof(error))
		return -EBADMSG;
	memcpy(&error, buf, sizeof(error));
	buf += sizeof(error);
	len -= sizeof(error);
	if (error > 0 || error < -4095)
		return -EBADMSG;

	/* An error repeats the header of the request, and unless capped all of it. */
	if (msg->hdr.nlmsg_type == NLMSG_ERROR) {
		if (len < sizeof(request))
			return -EBADMSG;
		memcpy(&request, buf, sizeof(request));
		skip = sizeof(request);
		if (!(msg->hdr.nlmsg_flags & NLM_F_CAPPED) && error)
			skip = NLMSG_ALIGN((size_t)request.nlmsg_len);
		if (skip < sizeof(request))
			return -EBADMSG;
	}
	if (!(msg->hdr.nlmsg_flags & NLM_F_ACK_TLVS))
		return error;
	if (skip > len)
		return -EBADMSG;
	buf += skip;
	len -= skip;

	while (attr_next(&buf, &len, &attr) > 0) {
		if (attr.type != NLMSGERR_ATTR_MSG)
			continue;
		n = strnlen((const char *)attr.data, attr.len);
		if (n > size - 1)
			n = size - 1;
		memcpy(text, attr.data, n);
		text[n] = 0;
	}
	return error;
}
