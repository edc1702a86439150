// SPDX-License-Identifier: GPL-2.0-only
/*
 * netlink-lease.c: commands on leases and lanes.
 *
 * Granting and ending a lease waits for lanes and class drivers; that happens
 * with sdv_ns.op_lock held, and sdv_ns.lock not.
 */
#include <linux/cleanup.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "bus.h"
#include "lane.h"
#include "netlink-gen.h"
#include "netlink.h"
#include "registry.h"

DEFINE_FREE(sdv_lease, struct sdv_lease *, sdv_lease_put(_T))
DEFINE_FREE(sdv_device, struct sdv_device *, sdv_device_put(_T))

static int find_lease_id(struct genl_info *info, struct sdv_ns *ns, int type,
			 struct sdv_lease **ret_lease)
{
	u32 id = nla_get_u32(info->attrs[type]);

	*ret_lease = sdv_lease_find(ns, id);
	if (!*ret_lease)
		return sdv_refuse(info->extack, info->attrs[type], -ENOENT,
				  "no such lease: %u", id);
	return 0;
}

int superdev_nl_lease_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	const char *peer, *offer;
	struct sdv_lease *lease;
	int err;

	guard(mutex)(&ns->lock);
	if (info->attrs[SUPERDEV_A_LEASE_ID]) {
		err = find_lease_id(info, ns, SUPERDEV_A_LEASE_ID, &lease);
		if (err)
			return err;
	} else {
		err = sdv_get_lease_names(info, &peer, &offer);
		if (err)
			return err;
		lease = sdv_lease_lookup(ns, SUPERDEV_ROLE_HELD, peer, offer) ?:
			sdv_lease_lookup(ns, SUPERDEV_ROLE_LENT, peer, offer);
		if (!lease)
			return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_LEASE_OFFER],
					  -ENOENT, "no such lease: '%s/%s'", peer, offer);
	}
	return sdv_reply(info, SUPERDEV_CMD_LEASE_GET, sdv_fill_lease, lease);
}

int superdev_nl_lease_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct sdv_ns *ns = sdv_ns(sock_net(skb->sk));

	guard(mutex)(&ns->lock);
	return sdv_dump(skb, cb, &ns->leases, SUPERDEV_CMD_LEASE_GET, sdv_fill_lease);
}

/* The answer of lease-add and lease-report. */
static int fill_lease_id(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if (nla_put_u32(skb, SUPERDEV_A_LEASE_ID, *(const u32 *)object)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

static int get_lanes_wanted(struct genl_info *info, u32 *ret_lanes)
{
	const struct nlattr *attr = info->attrs[SUPERDEV_A_LEASE_LANES_WANTED];

	if (!attr)
		return 0;
	if (nla_get_u32(attr) > SUPERDEV_MAX_LANES)
		return sdv_refuse(info->extack, attr, -ERANGE,
				  "a lease has at most %u lanes, not %u", SUPERDEV_MAX_LANES,
				  nla_get_u32(attr));
	*ret_lanes = nla_get_u32(attr);
	return 0;
}

static int check_lease_room(struct genl_info *info, const struct sdv_ns *ns)
{
	if (ns->leases.count < SDV_MAX_LEASES)
		return 0;
	return sdv_refuse(info->extack, NULL, -ENOSPC, "there are %u leases already",
			  ns->leases.count);
}

/*
 * Wanting a lease, and giving it back
 */

/* Whether a lease of that offer can be asked for; the offer, where it is known. */
static int check_lease_add(struct genl_info *info, struct sdv_ns *ns, const char *name,
			   struct sdv_offer **ret_offer)
{
	struct nlattr **attrs = info->attrs;
	struct sdv_lease *lease;
	struct sdv_peer *peer;
	int err;

	err = sdv_get_peer(info, ns, SUPERDEV_A_LEASE_PEER, &peer);
	if (err)
		return err;
	if (peer->trust != SUPERDEV_TRUST_TRUSTED)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_PEER], -EPERM,
				  "that peer is not trusted yet: '%s'", peer->name);
	lease = sdv_lease_lookup(ns, SUPERDEV_ROLE_HELD, peer->name, name);
	if (lease)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_OFFER], -EEXIST,
				  "there is a lease of that offer, %s: '%s'",
				  sdv_lease_state_name(lease->state), name);
	*ret_offer = sdv_offer_find(ns, peer, name);
	/* What an offline peer offers is seen when it is back. */
	if (!*ret_offer && peer->state == SUPERDEV_PEER_STATE_ONLINE)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_OFFER], -ENOENT,
				  "peer '%.24s' has no offer '%s'", peer->name, name);
	return check_lease_room(info, ns);
}

int superdev_nl_lease_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct sdv_offer *offer = NULL;
	const char *peer, *name, *paths;
	struct sdv_lease *lease;
	u32 lanes_wanted = 0;
	int err;

	err = sdv_get_lease_names(info, &peer, &name);
	if (err)
		return err;
	err = get_lanes_wanted(info, &lanes_wanted);
	if (err)
		return err;
	err = sdv_get_paths(info, &paths);
	if (err)
		return err;

	guard(mutex)(&ns->lock);
	err = check_lease_add(info, ns, name, &offer);
	if (err)
		return err;
	lease = sdv_lease_alloc(ns, SUPERDEV_ROLE_HELD, peer, name);
	if (!lease)
		return -ENOMEM;
	lease->read_only = nla_get_flag(info->attrs[SUPERDEV_A_LEASE_READ_ONLY]);
	lease->lanes_wanted = lanes_wanted;
	strscpy(lease->paths, paths);
	if (offer)
		strscpy(lease->class, offer->class);
	err = sdv_lease_add(lease);
	if (err)
		return err;
	return sdv_reply(info, SUPERDEV_CMD_LEASE_ADD, fill_lease_id, &lease->id);
}

int superdev_nl_lease_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct sdv_lease *lease __free(sdv_lease) = NULL;
	bool force, is_bound, is_returning;
	const char *peer, *offer;
	int err;

	err = sdv_get_lease_names(info, &peer, &offer);
	if (err)
		return err;
	force = nla_get_flag(info->attrs[SUPERDEV_A_LEASE_FORCE]);
	scoped_guard(mutex, &ns->lock) {
		struct sdv_lease *found = sdv_lease_lookup(ns, SUPERDEV_ROLE_HELD, peer, offer);

		if (!found && sdv_lease_lookup(ns, SUPERDEV_ROLE_LENT, peer, offer))
			return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_LEASE_OFFER],
					  -EPERM, "lent, not held; withdraw the offer: '%s'",
					  offer);
		if (!found)
			return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_LEASE_OFFER],
					  -ENOENT, "no such lease: '%s/%s'", peer, offer);
		lease = sdv_lease_get(found);
		is_bound = sdv_agent_is_bound(ns);
		is_returning = lease->state == SUPERDEV_LEASE_STATE_RETURNING;
	}
	if (is_returning && is_bound && !force)
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_LEASE_OFFER], -EALREADY,
				  "that lease is being given back: '%s/%s'", peer, offer);
	/* The agent tells the lender and reports it gone; force does not wait twice. */
	err = sdv_lease_end(lease, SUPERDEV_LEASE_STATE_RETURNING, force,
			    !is_bound || is_returning, NULL);
	if (err == -EBUSY)
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_LEASE_OFFER], err,
				  "the device is in use, force would end that: '%s/%s'", peer,
				  offer);
	return err;
}

/*
 * What the agent reports
 */

/**
 * struct report - a lease-report, parsed
 * @state:	as reported; valid with @has_state
 * @has_state:	there was one
 * @number:	0 where there was none
 * @epoch:	0 where there was none
 * @lanes_wanted: valid with @has_lanes_wanted
 * @has_lanes_wanted: there was one
 * @class:	or NULL
 * @config:	or NULL
 * @config_len:	bytes of @config
 * @boot:	or NULL
 * @error:	empty where there was none
 */
struct report {
	enum superdev_lease_state state;
	bool		has_state;
	u64		number;
	u32		epoch;
	u32		lanes_wanted;
	bool		has_lanes_wanted;
	const char	*class;
	const void	*config;
	size_t		config_len;
	const u8	*boot;
	char		error[SDV_TEXT_SIZE];
};

static int get_report(struct genl_info *info, struct report *ret_report)
{
	struct nlattr **attrs = info->attrs;
	struct report *report = ret_report;
	int err;

	if (attrs[SUPERDEV_A_LEASE_STATE]) {
		report->state = nla_get_u32(attrs[SUPERDEV_A_LEASE_STATE]);
		report->has_state = true;
	}
	if (attrs[SUPERDEV_A_LEASE_NUMBER]) {
		report->number = nla_get_u64(attrs[SUPERDEV_A_LEASE_NUMBER]);
		if (!report->number)
			return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_NUMBER], -EINVAL,
					  "the number of a lease is not 0");
	}
	if (attrs[SUPERDEV_A_LEASE_EPOCH]) {
		report->epoch = nla_get_u32(attrs[SUPERDEV_A_LEASE_EPOCH]);
		if (!report->epoch)
			return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_EPOCH], -EINVAL,
					  "the epoch of a lease is not 0");
	}
	err = get_lanes_wanted(info, &report->lanes_wanted);
	if (err)
		return err;
	report->has_lanes_wanted = attrs[SUPERDEV_A_LEASE_LANES_WANTED];
	if (attrs[SUPERDEV_A_LEASE_CLASS]) {
		err = sdv_get_name(info, SUPERDEV_A_LEASE_CLASS, "the class of a lease",
				   &report->class);
		if (err)
			return err;
	}
	if (attrs[SUPERDEV_A_LEASE_CONFIG]) {
		report->config = nla_data(attrs[SUPERDEV_A_LEASE_CONFIG]);
		report->config_len = nla_len(attrs[SUPERDEV_A_LEASE_CONFIG]);
		if (report->config_len > SUPERDEV_CONFIG_LEN)
			return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_CONFIG], -E2BIG,
					  "the config of a lease has at most %u bytes, not %zu",
					  SUPERDEV_CONFIG_LEN, report->config_len);
	}
	if (attrs[SUPERDEV_A_LEASE_BOOT])
		report->boot = nla_data(attrs[SUPERDEV_A_LEASE_BOOT]);
	if (attrs[SUPERDEV_A_LEASE_ERROR])
		sdv_copy_text_attr(report->error, sizeof(report->error),
				   attrs[SUPERDEV_A_LEASE_ERROR]);
	return 0;
}

/* Takes over what a lease of either role keeps of a report. */
static void apply_report(struct sdv_lease *lease, const struct report *report)
{
	lockdep_assert_held(&lease->ns->lock);
	if (report->number)
		lease->number = report->number;
	if (report->epoch)
		lease->epoch = report->epoch;
	if (report->has_lanes_wanted)
		lease->lanes_wanted = report->lanes_wanted;
	if (report->class)
		strscpy(lease->class, report->class);
	if (report->config) {
		memcpy(lease->config, report->config, report->config_len);
		lease->config_len = report->config_len;
	}
	if (report->boot) {
		memcpy(lease->boot, report->boot, sizeof(lease->boot));
		lease->has_boot = true;
	}
	if (report->error[0] || report->has_state)
		strscpy(lease->error, report->error);
}

/* Number, epoch and class against what the lease has; op_lock keeps that still. */
static int check_grant(struct genl_info *info, const struct sdv_lease *lease,
		       const struct report *report)
{
	struct nlattr **attrs = info->attrs;

	if (!report->number || !report->epoch || !(report->class || lease->class[0]))
		return sdv_refuse(info->extack, NULL, -EINVAL,
				  "missing: number, epoch or class of lease %u", lease->id);
	if (report->class && lease->class[0] && strcmp(report->class, lease->class))
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_CLASS], -EINVAL,
				  "the class of lease %u is '%s'", lease->id, lease->class);
	if (report->epoch < lease->epoch)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_EPOCH], -ESTALE,
				  "lease %u is at epoch %u already, not %u", lease->id,
				  lease->epoch, report->epoch);
	if (report->epoch == lease->epoch && report->number != lease->number)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_NUMBER], -EINVAL,
				  "lease %u has another number at epoch %u", lease->id,
				  lease->epoch);
	return 0;
}

/*
 * The lender granted the lease (first: its device is made, to be plugged with
 * the first lane), or goes on with it: under a new epoch, or with a new config.
 */
static int report_granted(struct genl_info *info, struct sdv_lease *lease,
			  const struct report *report)
{
	static const u8 no_boot[SDV_BOOT_LEN];
	struct sdv_device *sdev __free(sdv_device) = NULL;
	struct sdv_ns *ns = lease->ns;
	bool is_first = false;
	int err;

	/* Where it was revoked before, its former device may still be going. */
	flush_work(&lease->work);
	scoped_guard(mutex, &ns->lock) {
		if (lease->state != SUPERDEV_LEASE_STATE_REQUESTED && !lease->sdev)
			return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_LEASE_STATE],
					  -EINVAL, "lease %u is %s, it can't be granted",
					  lease->id, sdv_lease_state_name(lease->state));
		err = check_grant(info, lease, report);
		if (err)
			return err;
		is_first = !lease->sdev;
		if (!is_first)
			sdev = sdv_device_get(lease->sdev);
	}
	if (is_first) {
		sdev = sdv_device_alloc(lease, report->class ?: lease->class, lease->peer,
					lease->offer);
		if (!sdev)
			return -ENOMEM;
	}

	/* The driver may refuse a config, but not an epoch: so first the config. */
	if (report->config) {
		err = sdv_device_configure(sdev, report->config, report->config_len,
					   info->extack);
		if (err)
			return err;
	}
	if (is_first || report->epoch != lease->epoch)
		sdv_device_set_epoch(sdev, report->number, report->epoch,
				     report->boot ?: no_boot);

	guard(mutex)(&ns->lock);
	apply_report(lease, report);
	if (!is_first)
		return sdv_lease_set_state(lease, lease->state);
	lease->sdev = no_free_ptr(sdev);
	return sdv_lease_set_state(lease, SUPERDEV_LEASE_STATE_GRANTED);
}

static int report_held(struct genl_info *info, struct sdv_lease *lease,
		       const struct report *report)
{
	struct sdv_ns *ns = lease->ns;
	const char *error = report->error[0] ? report->error : NULL;
	int err = -EINVAL;

	if (!report->has_state) {
		if (report->number || report->epoch || report->config)
			return report_granted(info, lease, report);
		guard(mutex)(&ns->lock);
		apply_report(lease, report);
		return sdv_lease_set_state(lease, lease->state);
	}

	switch (report->state) {
	case SUPERDEV_LEASE_STATE_GRANTED:
		return report_granted(info, lease, report);
	case SUPERDEV_LEASE_STATE_REQUESTED:
		scoped_guard(mutex, &ns->lock) {
			if (!sdv_lease_may_become(lease, report->state))
				break;
			/* It starts again, maybe at a lender that knows nothing. */
			lease->number = 0;
			lease->epoch = 0;
			apply_report(lease, report);
			return sdv_lease_set_state(lease, report->state);
		}
		break;
	case SUPERDEV_LEASE_STATE_FAILED:
	case SUPERDEV_LEASE_STATE_REVOKED:
		err = sdv_lease_end(lease, report->state, true, false, error);
		break;
	case SUPERDEV_LEASE_STATE_GONE:
		return sdv_lease_end(lease, report->state, true, true, error);
	default:
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_LEASE_STATE], -EINVAL,
				  "that state of a held lease is not the agent's to say: %s",
				  sdv_lease_state_name(report->state));
	}
	if (err == -EINVAL)
		sdv_refuse(info->extack, info->attrs[SUPERDEV_A_LEASE_STATE], err,
			   "lease %u is %s, it can't become %s", lease->id,
			   sdv_lease_state_name(lease->state),
			   sdv_lease_state_name(report->state));
	return err;
}

static int report_lent(struct genl_info *info, struct sdv_lease *lease,
		       const struct report *report)
{
	struct nlattr **attrs = info->attrs;
	struct sdv_ns *ns = lease->ns;
	enum superdev_lease_state state;

	if (report->has_state && report->state == SUPERDEV_LEASE_STATE_GONE)
		return sdv_lease_end(lease, report->state, true, true, NULL);

	guard(mutex)(&ns->lock);
	state = report->has_state ? report->state : lease->state;
	if (!sdv_lease_may_become(lease, state))
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_STATE], -EINVAL,
				  "lease %u is %s, it can't become %s", lease->id,
				  sdv_lease_state_name(lease->state),
				  sdv_lease_state_name(state));
	apply_report(lease, report);
	lease->read_only |= nla_get_flag(attrs[SUPERDEV_A_LEASE_READ_ONLY]);
	if (attrs[SUPERDEV_A_LEASE_LANES])
		lease->lanes = min(nla_get_u32(attrs[SUPERDEV_A_LEASE_LANES]),
				   SUPERDEV_MAX_LANES);
	return sdv_lease_set_state(lease, state);
}

/* It says no more than that: who watches leases is not woken as often as guests like. */
static int report_denied(struct genl_info *info, struct sdv_lease *lease)
{
	const struct nlattr *attr = info->attrs[SUPERDEV_A_LEASE_DENIED];

	if (lease->role != SUPERDEV_ROLE_LENT)
		return sdv_refuse(info->extack, attr, -EINVAL,
				  "lease %u is held: what it runs is elsewhere", lease->id);
	if (info->attrs[SUPERDEV_A_LEASE_STATE])
		return sdv_refuse(info->extack, attr, -EINVAL,
				  "what was denied is reported without a state");
	guard(mutex)(&lease->ns->lock);
	lease->denied = nla_get_u64(attr);
	return 0;
}

/* A lease that this machine lends, so far known to the agent alone. */
static int report_new_lent(struct genl_info *info, struct sdv_ns *ns,
			   const struct report *report)
{
	struct nlattr **attrs = info->attrs;
	const char *peer_name, *offer_name;
	enum superdev_lease_state state;
	struct sdv_lease *lease;
	struct sdv_offer *offer;
	struct sdv_peer *peer;
	int err;

	err = sdv_get_lease_names(info, &peer_name, &offer_name);
	if (err)
		return err;
	if (attrs[SUPERDEV_A_LEASE_ROLE] &&
	    nla_get_u32(attrs[SUPERDEV_A_LEASE_ROLE]) != SUPERDEV_ROLE_LENT)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_ROLE], -EINVAL,
				  "only lent leases are added by a report: '%s/%s'", peer_name,
				  offer_name);
	if (!report->number || !report->epoch)
		return sdv_refuse(info->extack, NULL, -EINVAL,
				  "missing: number or epoch of '%s/%s'", peer_name, offer_name);
	state = report->has_state ? report->state : SUPERDEV_LEASE_STATE_GRANTED;
	if (state != SUPERDEV_LEASE_STATE_GRANTED && state != SUPERDEV_LEASE_STATE_ACTIVE &&
	    state != SUPERDEV_LEASE_STATE_SUSPENDED)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_STATE], -EINVAL,
				  "a lease is not lent as %s: '%s/%s'",
				  sdv_lease_state_name(state), peer_name, offer_name);

	guard(mutex)(&ns->lock);
	err = sdv_get_peer(info, ns, SUPERDEV_A_LEASE_PEER, &peer);
	if (err)
		return err;
	if (peer->trust != SUPERDEV_TRUST_TRUSTED)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_PEER], -EPERM,
				  "that peer is not trusted: '%s'", peer_name);
	offer = sdv_offer_find(ns, NULL, offer_name);
	if (!offer)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_OFFER], -ENOENT,
				  "no such offer of this machine: '%s'", offer_name);
	if (offer->state == SUPERDEV_OFFER_STATE_REMOVING)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LEASE_OFFER], -EBUSY,
				  "that offer is being withdrawn: '%s'", offer_name);
	err = check_lease_room(info, ns);
	if (err)
		return err;
	lease = sdv_lease_alloc(ns, SUPERDEV_ROLE_LENT, peer_name, offer_name);
	if (!lease)
		return -ENOMEM;
	strscpy(lease->class, offer->class);
	lease->state = state;
	lease->read_only = nla_get_flag(attrs[SUPERDEV_A_LEASE_READ_ONLY]);
	if (attrs[SUPERDEV_A_LEASE_LANES])
		lease->lanes = min(nla_get_u32(attrs[SUPERDEV_A_LEASE_LANES]),
				   SUPERDEV_MAX_LANES);
	apply_report(lease, report);
	err = sdv_lease_add(lease);
	if (err)
		return err;
	return sdv_reply(info, SUPERDEV_CMD_LEASE_REPORT, fill_lease_id, &lease->id);
}

int superdev_nl_lease_report_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct sdv_lease *lease __free(sdv_lease) = NULL;
	struct report report = { };
	int err;

	err = get_report(info, &report);
	if (err)
		return err;
	if (!info->attrs[SUPERDEV_A_LEASE_ID])
		return report_new_lent(info, ns, &report);

	scoped_guard(mutex, &ns->lock) {
		struct sdv_lease *found;

		err = find_lease_id(info, ns, SUPERDEV_A_LEASE_ID, &found);
		if (err)
			return err;
		/* Its device may still be going; it must not be given another. */
		if (found->forget)
			return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_LEASE_ID],
					  -ENOENT, "lease %u is over", found->id);
		lease = sdv_lease_get(found);
	}
	if (info->attrs[SUPERDEV_A_LEASE_DENIED])
		err = report_denied(info, lease);
	else if (lease->role == SUPERDEV_ROLE_HELD)
		err = report_held(info, lease, &report);
	else
		err = report_lent(info, lease, &report);
	if (err)
		return err;
	guard(mutex)(&ns->lock);
	return sdv_reply(info, SUPERDEV_CMD_LEASE_REPORT, fill_lease_id, &lease->id);
}

/*
 * Lanes
 */

/* The device that a lane command is about, with a reference. */
static int get_lane_device(struct genl_info *info, struct sdv_ns *ns,
			   struct sdv_device **ret_sdev, u32 *ret_index)
{
	struct nlattr **attrs = info->attrs;
	struct sdv_lease *lease;
	int err;

	lockdep_assert_held(&ns->lock);
	err = sdv_require(info, SUPERDEV_A_LANE_LEASE, "the id of a lease");
	if (err)
		return err;
	err = sdv_require(info, SUPERDEV_A_LANE_INDEX, "the index of a lane");
	if (err)
		return err;
	*ret_index = nla_get_u32(attrs[SUPERDEV_A_LANE_INDEX]);
	if (*ret_index >= SUPERDEV_MAX_LANES)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LANE_INDEX], -ERANGE,
				  "lanes have indices below %u, not %u", SUPERDEV_MAX_LANES,
				  *ret_index);
	err = find_lease_id(info, ns, SUPERDEV_A_LANE_LEASE, &lease);
	if (err)
		return err;
	if (lease->role != SUPERDEV_ROLE_HELD)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LANE_LEASE], -EINVAL,
				  "lease %u is lent, its lanes are the worker's", lease->id);
	if (!lease->sdev)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_LANE_LEASE], -ENODEV,
				  "lease %u is %s and takes no lanes", lease->id,
				  sdv_lease_state_name(lease->state));
	*ret_sdev = sdv_device_get(lease->sdev);
	return 0;
}

static int get_transport(struct genl_info *info, struct sdv_ns *ns,
			 const struct sdv_device *sdev, u32 *ret_transport)
{
	const struct nlattr *attr = info->attrs[SUPERDEV_A_LANE_TRANSPORT];
	struct sdv_peer *peer;

	lockdep_assert_held(&ns->lock);
	*ret_transport = attr ? nla_get_u32(attr) : SUPERDEV_TRANSPORT_TLS;
	if (*ret_transport == SUPERDEV_TRANSPORT_TLS)
		return 0;
	peer = sdv_peer_find(ns, sdev->peer);
	if (peer && peer->transport == SUPERDEV_TRANSPORT_CLEAR &&
	    peer->peer_transport == SUPERDEV_TRANSPORT_CLEAR)
		return 0;
	return sdv_refuse(info->extack, attr, -EPERM,
			  "both sides have to want clear lanes, they don't: '%s'", sdev->peer);
}

int superdev_nl_lane_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct sdv_device *sdev __free(sdv_device) = NULL;
	u32 index, transport;
	int err;

	err = sdv_require(info, SUPERDEV_A_LANE_EPOCH, "the epoch of a lane");
	if (err)
		return err;
	err = sdv_require(info, SUPERDEV_A_LANE_FD, "the socket of a lane");
	if (err)
		return err;
	scoped_guard(mutex, &ns->lock) {
		err = get_lane_device(info, ns, &sdev, &index);
		if (err)
			return err;
		err = get_transport(info, ns, sdev, &transport);
		if (err)
			return err;
	}
	err = sdv_lane_open(sdev, ns->net, nla_get_u32(info->attrs[SUPERDEV_A_LANE_FD]), index,
			    nla_get_u32(info->attrs[SUPERDEV_A_LANE_EPOCH]), transport,
			    info->extack);
	if (err)
		NL_SET_ERR_MSG_WEAK(info->extack, "the socket can't become a lane");
	return err;
}

int superdev_nl_lane_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct sdv_device *sdev __free(sdv_device) = NULL;
	u32 index;
	int err;

	scoped_guard(mutex, &ns->lock) {
		err = get_lane_device(info, ns, &sdev, &index);
		if (err)
			return err;
	}
	err = sdv_lane_close(sdev, index);
	if (err)
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_LANE_INDEX], err,
				  "lane %u is not up", index);
	return 0;
}

/* A lane on its way into a message. */
struct lane_info {
	u32			lease;
	struct sdv_lane_stats	stats;
};

static int fill_lane(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct lane_info *lane = object;
	const struct sdv_lane_stats *stats = &lane->stats;
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if (nla_put_u32(skb, SUPERDEV_A_LANE_LEASE, lane->lease) ||
	    nla_put_u32(skb, SUPERDEV_A_LANE_INDEX, stats->index) ||
	    nla_put_u32(skb, SUPERDEV_A_LANE_EPOCH, stats->epoch) ||
	    nla_put_u32(skb, SUPERDEV_A_LANE_TRANSPORT, stats->transport) ||
	    nla_put(skb, SUPERDEV_A_LANE_TX_BYTES, sizeof(u64), &stats->tx_bytes) ||
	    nla_put(skb, SUPERDEV_A_LANE_RX_BYTES, sizeof(u64), &stats->rx_bytes) ||
	    nla_put(skb, SUPERDEV_A_LANE_TX_FRAMES, sizeof(u64), &stats->tx_frames) ||
	    nla_put(skb, SUPERDEV_A_LANE_RX_FRAMES, sizeof(u64), &stats->rx_frames)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/* False where no lane of that index is up. */
static bool get_lane_info(const struct sdv_lease *lease, struct sdv_device *sdev, u32 index,
			  struct lane_info *ret_info)
{
	struct sdv_lane *lane;

	guard(rcu)();
	lane = rcu_dereference(sdev->lanes[index]);
	if (!lane)
		return false;
	ret_info->lease = lease->id;
	sdv_lane_get_stats(lane, &ret_info->stats);
	return true;
}

int superdev_nl_lane_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct sdv_device *sdev __free(sdv_device) = NULL;
	struct lane_info lane;
	u32 index;
	int err;

	guard(mutex)(&ns->lock);
	err = get_lane_device(info, ns, &sdev, &index);
	if (err)
		return err;
	if (!get_lane_info(sdev->lease, sdev, index, &lane))
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_LANE_INDEX], -ENOENT,
				  "lane %u is not up", index);
	return sdv_reply(info, SUPERDEV_CMD_LANE_GET, fill_lane, &lane);
}

struct lane_cursor {
	unsigned long	lease;
	u32		index;
};

static_assert(sizeof(struct lane_cursor) <= sizeof_field(struct netlink_callback, ctx));

int superdev_nl_lane_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct sdv_ns *ns = sdv_ns(sock_net(skb->sk));
	struct lane_cursor *cursor = (void *)cb->ctx;
	struct sdv_to to = {
		.portid	= NETLINK_CB(cb->skb).portid,
		.seq	= cb->nlh->nlmsg_seq,
		.flags	= NLM_F_MULTI,
		.cmd	= SUPERDEV_CMD_LANE_GET,
		.cb	= cb,
	};
	struct sdv_lease *lease;
	struct lane_info lane;
	unsigned long id;
	int err;

	guard(mutex)(&ns->lock);
	cb->seq = ns->lane_generation;
	xa_for_each_start(&ns->leases.xa, id, lease, cursor->lease) {
		if (id != cursor->lease)
			cursor->index = 0;
		cursor->lease = id;
		for (; lease->sdev && cursor->index < SUPERDEV_MAX_LANES; cursor->index++) {
			if (!get_lane_info(lease, lease->sdev, cursor->index, &lane))
				continue;
			err = fill_lane(skb, &to, &lane);
			if (err)
				return skb->len ?: err;
		}
	}
	/* Past the last lease, should there be another call. */
	cursor->lease = U32_MAX;
	return skb->len;
}
