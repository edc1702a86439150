// SPDX-License-Identifier: GPL-2.0-only
/*
 * notify.c: objects as netlink messages: answers, dumps and events.
 *
 * The same function fills all three, so a watcher needs no second parser.
 * Called with sdv_ns.lock held, which keeps objects still and events in order.
 */
#include <net/genetlink.h>

#include "bus.h"
#include "netlink-gen.h"
#include "registry.h"

/* Whatever an offer holds, it fits: 600 bytes are for all but path and properties. */
static_assert(SDV_PATH_SIZE + SDV_PROPERTIES_LEN + 600 < NLMSG_GOODSIZE);

/**
 * sdv_put_header() - begins a message
 * @skb: the buffer
 * @to: where it goes
 *
 * Return: the header for genlmsg_end() or genlmsg_cancel(), or NULL where there
 * is no room.
 */
void *sdv_put_header(struct sk_buff *skb, const struct sdv_to *to)
{
	void *header;

	header = genlmsg_put(skb, to->portid, to->seq, &sdv_family, to->flags, to->cmd);
	if (header && to->cb)
		genl_dump_check_consistent(to->cb, header);
	return header;
}

/* 64-bit attributes are not padded: the specification names no attribute for it. */
static int put_u64(struct sk_buff *skb, int type, u64 value)
{
	return nla_put(skb, type, sizeof(value), &value);
}

/* Empty texts are left out. */
static int put_text(struct sk_buff *skb, int type, const char *text)
{
	return text[0] ? nla_put_string(skb, type, text) : 0;
}

static int put_flag(struct sk_buff *skb, int type, bool is_set)
{
	return is_set ? nla_put_flag(skb, type) : 0;
}

/**
 * sdv_fill_agent() - the agent as a message
 * @skb: the buffer
 * @to: where it goes
 * @object: struct sdv_agent
 *
 * Return: 0, or -EMSGSIZE where there is no room; then @skb is as before.
 */
int sdv_fill_agent(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct sdv_agent *agent = object;
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if (nla_put_u8(skb, SUPERDEV_A_AGENT_RUNNING, agent->portid != 0))
		goto err_cancel;
	if (agent->is_known &&
	    (nla_put_string(skb, SUPERDEV_A_AGENT_NAME, agent->name) ||
	     nla_put(skb, SUPERDEV_A_AGENT_KEY, sizeof(agent->key), agent->key) ||
	     put_text(skb, SUPERDEV_A_AGENT_VERSION, agent->version) ||
	     put_u64(skb, SUPERDEV_A_AGENT_FEATURES, agent->features) ||
	     nla_put_u16(skb, SUPERDEV_A_AGENT_PORT, agent->port) ||
	     nla_put(skb, SUPERDEV_A_AGENT_BOOT, sizeof(agent->boot), agent->boot)))
		goto err_cancel;
	genlmsg_end(skb, header);
	return 0;

err_cancel:
	genlmsg_cancel(skb, header);
	return -EMSGSIZE;
}

/**
 * sdv_fill_peer() - a peer as a message
 * @skb: the buffer
 * @to: where it goes
 * @object: struct sdv_peer
 *
 * Return: 0, or -EMSGSIZE where there is no room; then @skb is as before.
 */
int sdv_fill_peer(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct sdv_peer *peer = object;
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if (nla_put_string(skb, SUPERDEV_A_PEER_NAME, peer->name) ||
	    (peer->has_key &&
	     nla_put(skb, SUPERDEV_A_PEER_KEY, sizeof(peer->key), peer->key)) ||
	    put_text(skb, SUPERDEV_A_PEER_ADDRESS, peer->address) ||
	    nla_put_u32(skb, SUPERDEV_A_PEER_TRUST, peer->trust) ||
	    nla_put_u32(skb, SUPERDEV_A_PEER_STATE, peer->state) ||
	    nla_put_u32(skb, SUPERDEV_A_PEER_TRANSPORT, peer->transport) ||
	    nla_put_u32(skb, SUPERDEV_A_PEER_PEER_TRANSPORT, peer->peer_transport) ||
	    put_text(skb, SUPERDEV_A_PEER_CODE, peer->code) ||
	    (peer->rtt_us && nla_put_u32(skb, SUPERDEV_A_PEER_RTT_US, peer->rtt_us)) ||
	    put_text(skb, SUPERDEV_A_PEER_ERROR, peer->error)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/**
 * sdv_fill_offer() - an offer as a message
 * @skb: the buffer
 * @to: where it goes
 * @object: struct sdv_offer
 *
 * Return: 0, or -EMSGSIZE where there is no room; then @skb is as before.
 */
int sdv_fill_offer(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct sdv_offer *offer = object;
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if ((offer->peer && nla_put_string(skb, SUPERDEV_A_OFFER_PEER, offer->peer->name)) ||
	    nla_put_string(skb, SUPERDEV_A_OFFER_NAME, offer->name) ||
	    nla_put_string(skb, SUPERDEV_A_OFFER_CLASS, offer->class) ||
	    (offer->path && nla_put_string(skb, SUPERDEV_A_OFFER_PATH, offer->path)) ||
	    put_flag(skb, SUPERDEV_A_OFFER_READ_ONLY, offer->read_only) ||
	    (offer->has_size && put_u64(skb, SUPERDEV_A_OFFER_SIZE, offer->size)) ||
	    nla_put_u32(skb, SUPERDEV_A_OFFER_STATE, offer->state) ||
	    (offer->properties_len &&
	     nla_append(skb, offer->properties_len, offer->properties)) ||
	    put_text(skb, SUPERDEV_A_OFFER_ERROR, offer->error) ||
	    (offer->cpus && nla_put_u32(skb, SUPERDEV_A_OFFER_CPUS, offer->cpus)) ||
	    (offer->memory && put_u64(skb, SUPERDEV_A_OFFER_MEMORY, offer->memory))) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/* How its lender fares, where the class driver of its device has found out. */
static int put_load(struct sk_buff *skb, const struct sdv_lease *lease)
{
	struct sdv_load load;

	if (!lease->sdev || !sdv_device_get_load(lease->sdev, &load))
		return 0;
	if (nla_put_u32(skb, SUPERDEV_A_LEASE_CPUS, load.cpus))
		return -EMSGSIZE;
	if (!load.time)
		return 0;
	if (nla_put_u32(skb, SUPERDEV_A_LEASE_LOAD, load.load) ||
	    nla_put_u32(skb, SUPERDEV_A_LEASE_TASKS, load.tasks) ||
	    put_u64(skb, SUPERDEV_A_LEASE_USED_US, load.used_us) ||
	    put_u64(skb, SUPERDEV_A_LEASE_MEMORY, load.memory) ||
	    nla_put_u32(skb, SUPERDEV_A_LEASE_LOAD_AGE, sdv_load_age_ms(&load)))
		return -EMSGSIZE;
	return 0;
}

/**
 * sdv_fill_lease() - a lease as a message
 * @skb: the buffer
 * @to: where it goes
 * @object: struct sdv_lease
 *
 * Return: 0, or -EMSGSIZE where there is no room; then @skb is as before.
 */
int sdv_fill_lease(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct sdv_lease *lease = object;
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if (nla_put_u32(skb, SUPERDEV_A_LEASE_ID, lease->id) ||
	    nla_put_string(skb, SUPERDEV_A_LEASE_PEER, lease->peer) ||
	    nla_put_string(skb, SUPERDEV_A_LEASE_OFFER, lease->offer) ||
	    put_text(skb, SUPERDEV_A_LEASE_CLASS, lease->class) ||
	    nla_put_u32(skb, SUPERDEV_A_LEASE_ROLE, lease->role) ||
	    nla_put_u32(skb, SUPERDEV_A_LEASE_STATE, lease->state) ||
	    (lease->number && put_u64(skb, SUPERDEV_A_LEASE_NUMBER, lease->number)) ||
	    (lease->epoch && nla_put_u32(skb, SUPERDEV_A_LEASE_EPOCH, lease->epoch)) ||
	    put_flag(skb, SUPERDEV_A_LEASE_READ_ONLY, lease->read_only) ||
	    nla_put_u32(skb, SUPERDEV_A_LEASE_LANES, lease->lanes) ||
	    (lease->lanes_wanted &&
	     nla_put_u32(skb, SUPERDEV_A_LEASE_LANES_WANTED, lease->lanes_wanted)) ||
	    put_text(skb, SUPERDEV_A_LEASE_DEVICE, lease->device) ||
	    put_text(skb, SUPERDEV_A_LEASE_PATHS, lease->paths) ||
	    (lease->config_len &&
	     nla_put(skb, SUPERDEV_A_LEASE_CONFIG, lease->config_len, lease->config)) ||
	    (lease->has_boot &&
	     nla_put(skb, SUPERDEV_A_LEASE_BOOT, sizeof(lease->boot), lease->boot)) ||
	    put_text(skb, SUPERDEV_A_LEASE_ERROR, lease->error) ||
	    (lease->denied && put_u64(skb, SUPERDEV_A_LEASE_DENIED, lease->denied)) ||
	    put_load(skb, lease)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/*
 * Events
 */

static int fill_peer_del(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct sdv_peer *peer = object;
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if (nla_put_string(skb, SUPERDEV_A_PEER_NAME, peer->name)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

static int fill_offer_del(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct sdv_offer *offer = object;
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if ((offer->peer && nla_put_string(skb, SUPERDEV_A_OFFER_PEER, offer->peer->name)) ||
	    nla_put_string(skb, SUPERDEV_A_OFFER_NAME, offer->name)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

static int fill_lease_del(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct sdv_lease *lease = object;
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if (nla_put_u32(skb, SUPERDEV_A_LEASE_ID, lease->id) ||
	    nla_put_string(skb, SUPERDEV_A_LEASE_PEER, lease->peer) ||
	    nla_put_string(skb, SUPERDEV_A_LEASE_OFFER, lease->offer) ||
	    nla_put_u32(skb, SUPERDEV_A_LEASE_ROLE, lease->role)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

struct lane_down {
	u32	lease;
	u32	index;
	int	reason;
};

static const char *lane_down_text(int reason)
{
	switch (reason) {
	case 0:
	case -ESHUTDOWN:
		return "closed on request";
	case -EPROTO:
		return "the lender broke the protocol";
	case -EBADMSG:
		return "a checksum or an authentication tag was wrong";
	case -ECONNRESET:
	case -EPIPE:
		return "the lender closed the connection";
	case -ETIMEDOUT:
		return "the lender does not answer";
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		return "the lender can't be reached";
	case -EKEYEXPIRED:
		return "its keys were used up";
	default:
		return NULL;
	}
}

static int fill_lane_down(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct lane_down *down = object;
	const char *text = lane_down_text(down->reason);
	void *header = sdv_put_header(skb, to);
	char number[24];

	if (!header)
		return -EMSGSIZE;
	if (!text) {
		snprintf(number, sizeof(number), "%pe", ERR_PTR(down->reason));
		text = number;
	}
	if (nla_put_u32(skb, SUPERDEV_A_LANE_LEASE, down->lease) ||
	    nla_put_u32(skb, SUPERDEV_A_LANE_INDEX, down->index) ||
	    nla_put_string(skb, SUPERDEV_A_LANE_ERROR, text)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/**
 * sdv_notify() - tells watchers
 * @ns: the registry
 * @cmd: the command of the event
 * @fill: fills the message
 * @object: from what
 *
 * A watcher that misses an event is told so (ENOBUFS), and dumps again.
 *
 * Context: sdv_ns.lock held.
 */
void sdv_notify(struct sdv_ns *ns, u8 cmd, sdv_fill_fn fill, const void *object)
{
	struct sdv_to to = { .cmd = cmd };
	struct sk_buff *skb;

	lockdep_assert_held(&ns->lock);
	if (!ns->net || !genl_has_listeners(&sdv_family, ns->net, SUPERDEV_NLGRP_EVENTS))
		return;
	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb || fill(skb, &to, object)) {
		nlmsg_free(skb);
		genl_set_err(&sdv_family, ns->net, 0, SUPERDEV_NLGRP_EVENTS, -ENOBUFS);
		return;
	}
	genlmsg_multicast_netns(&sdv_family, ns->net, skb, 0, SUPERDEV_NLGRP_EVENTS,
				GFP_KERNEL);
}

/**
 * sdv_notify_agent() - an agent came or went
 * @ns: the registry
 */
void sdv_notify_agent(struct sdv_ns *ns)
{
	sdv_notify(ns, SUPERDEV_CMD_AGENT_NTF, sdv_fill_agent, &ns->agent);
}

/**
 * sdv_notify_peer() - a peer appeared or changed
 * @ns: the registry
 * @peer: the peer
 */
void sdv_notify_peer(struct sdv_ns *ns, const struct sdv_peer *peer)
{
	sdv_notify(ns, SUPERDEV_CMD_PEER_NTF, sdv_fill_peer, peer);
}

/**
 * sdv_notify_peer_del() - a peer is no more
 * @ns: the registry
 * @peer: what it was
 */
void sdv_notify_peer_del(struct sdv_ns *ns, const struct sdv_peer *peer)
{
	sdv_notify(ns, SUPERDEV_CMD_PEER_DEL_NTF, fill_peer_del, peer);
}

/**
 * sdv_notify_offer() - an offer appeared or changed
 * @ns: the registry
 * @offer: the offer
 */
void sdv_notify_offer(struct sdv_ns *ns, const struct sdv_offer *offer)
{
	sdv_notify(ns, SUPERDEV_CMD_OFFER_NTF, sdv_fill_offer, offer);
}

/**
 * sdv_notify_offer_del() - an offer is no more
 * @ns: the registry
 * @offer: what it was
 */
void sdv_notify_offer_del(struct sdv_ns *ns, const struct sdv_offer *offer)
{
	sdv_notify(ns, SUPERDEV_CMD_OFFER_DEL_NTF, fill_offer_del, offer);
}

/**
 * sdv_notify_lease() - a lease appeared or changed
 * @ns: the registry
 * @lease: the lease
 */
void sdv_notify_lease(struct sdv_ns *ns, const struct sdv_lease *lease)
{
	sdv_notify(ns, SUPERDEV_CMD_LEASE_NTF, sdv_fill_lease, lease);
}

/**
 * sdv_notify_lease_del() - a lease is no more
 * @ns: the registry
 * @lease: what it was
 */
void sdv_notify_lease_del(struct sdv_ns *ns, const struct sdv_lease *lease)
{
	sdv_notify(ns, SUPERDEV_CMD_LEASE_DEL_NTF, fill_lease_del, lease);
}

/**
 * sdv_notify_lane_down() - a lane is no more
 * @ns: the registry
 * @lease: id of its lease
 * @index: which lane
 * @reason: 0 it was closed, else -errno
 */
void sdv_notify_lane_down(struct sdv_ns *ns, u32 lease, u32 index, int reason)
{
	struct lane_down down = { .lease = lease, .index = index, .reason = reason };

	sdv_notify(ns, SUPERDEV_CMD_LANE_DOWN_NTF, fill_lane_down, &down);
}
