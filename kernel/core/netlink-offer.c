// SPDX-License-Identifier: GPL-2.0-only
/*
 * netlink-offer.c: commands on offers, this machine's and its peers'.
 */
#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "netlink-gen.h"
#include "netlink.h"
#include "registry.h"

/* The peer of an offer attribute set; NULL without one, for this machine. */
static int find_offer_peer(struct genl_info *info, struct sdv_ns *ns,
			   struct sdv_peer **ret_peer)
{
	*ret_peer = NULL;
	if (!info->attrs[SUPERDEV_A_OFFER_PEER])
		return 0;
	return sdv_get_peer(info, ns, SUPERDEV_A_OFFER_PEER, ret_peer);
}

static int find_offer(struct genl_info *info, struct sdv_ns *ns, const struct sdv_peer *peer,
		      struct sdv_offer **ret_offer)
{
	const char *name;
	int err;

	err = sdv_get_name(info, SUPERDEV_A_OFFER_NAME, "the name of an offer", &name);
	if (err)
		return err;
	*ret_offer = sdv_offer_find(ns, peer, name);
	if (!*ret_offer)
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_OFFER_NAME], -ENOENT,
				  "no such offer of %s: '%s'",
				  peer ? peer->name : "this machine", name);
	return 0;
}

int superdev_nl_offer_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct sdv_offer *offer;
	struct sdv_peer *peer;
	int err;

	guard(mutex)(&ns->lock);
	err = find_offer_peer(info, ns, &peer);
	if (err)
		return err;
	err = find_offer(info, ns, peer, &offer);
	if (err)
		return err;
	return sdv_reply(info, SUPERDEV_CMD_OFFER_GET, sdv_fill_offer, offer);
}

int superdev_nl_offer_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct sdv_ns *ns = sdv_ns(sock_net(skb->sk));

	guard(mutex)(&ns->lock);
	return sdv_dump(skb, cb, &ns->offers, SUPERDEV_CMD_OFFER_GET, sdv_fill_offer);
}

static int get_path(struct genl_info *info, char **ret_path)
{
	const struct nlattr *attr = info->attrs[SUPERDEV_A_OFFER_PATH];
	const char *path = nla_data(attr);
	size_t len = strlen(path);
	const char *c;

	if (len >= SDV_PATH_SIZE)
		return sdv_refuse(info->extack, attr, -ENAMETOOLONG,
				  "a path has at most %u bytes: '%*pE'", SDV_PATH_SIZE - 1,
				  20, path);
	if (*path != '/')
		return sdv_refuse(info->extack, attr, -EINVAL,
				  "a path begins with a slash: '%*pE'", (int)len, path);
	for (c = path; *c; c++)
		if (iscntrl(*c))
			return sdv_refuse(info->extack, attr, -EINVAL,
					  "a path has no control characters: '%*pE'", (int)len,
					  path);
	*ret_path = kstrdup(path, GFP_KERNEL_ACCOUNT);
	return *ret_path ? 0 : -ENOMEM;
}

static int check_offer_room(struct genl_info *info, const struct sdv_ns *ns)
{
	if (ns->offers.count < SDV_MAX_OFFERS)
		return 0;
	return sdv_refuse(info->extack, NULL, -ENOSPC, "there are %u offers already",
			  ns->offers.count);
}

int superdev_nl_offer_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	const char *name, *class;
	struct sdv_offer *offer;
	int err;

	err = sdv_get_name(info, SUPERDEV_A_OFFER_NAME, "the name of an offer", &name);
	if (err)
		return err;
	err = sdv_get_name(info, SUPERDEV_A_OFFER_CLASS, "the class of an offer", &class);
	if (err)
		return err;

	guard(mutex)(&ns->lock);
	offer = sdv_offer_find(ns, NULL, name);
	if (offer)
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_OFFER_NAME], -EEXIST,
				  "there is an offer of that name, %s: '%s'",
				  sdv_offer_state_name(offer->state), name);
	err = check_offer_room(info, ns);
	if (err)
		return err;
	offer = sdv_offer_alloc(NULL, name);
	if (!offer)
		return -ENOMEM;
	if (info->attrs[SUPERDEV_A_OFFER_PATH]) {
		err = get_path(info, &offer->path);
		if (err) {
			sdv_offer_free(offer);
			return err;
		}
	}
	strscpy(offer->class, class);
	offer->read_only = nla_get_flag(info->attrs[SUPERDEV_A_OFFER_READ_ONLY]);
	/* What they mean is between the tool and the agent; 0 is as if absent. */
	if (info->attrs[SUPERDEV_A_OFFER_CPUS])
		offer->cpus = nla_get_u32(info->attrs[SUPERDEV_A_OFFER_CPUS]);
	if (info->attrs[SUPERDEV_A_OFFER_MEMORY])
		offer->memory = nla_get_u64(info->attrs[SUPERDEV_A_OFFER_MEMORY]);
	return sdv_offer_add(ns, offer);
}

int superdev_nl_offer_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	char name[SUPERDEV_NAME_LEN + 1];
	struct sdv_offer *offer;
	unsigned int count;
	bool is_bound;
	int err;

	scoped_guard(mutex, &ns->lock) {
		err = find_offer(info, ns, NULL, &offer);
		if (err)
			return err;
		is_bound = sdv_agent_is_bound(ns);
		count = sdv_lease_count(ns, SUPERDEV_ROLE_LENT, NULL, offer->name);
		if (!count) {
			sdv_offer_del(ns, offer);
			return 0;
		}
		if (!info->attrs[SUPERDEV_A_OFFER_FORCE])
			return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_OFFER_NAME], -EBUSY,
					  "%u leases of that offer are lent: '%s'", count,
					  offer->name);
		strscpy(name, offer->name);
		err = sdv_offer_set_state(ns, offer, SUPERDEV_OFFER_STATE_REMOVING);
		if (err)
			return err;
	}
	/* The offer goes with the last of them. */
	sdv_lease_end_all(ns, SUPERDEV_ROLE_LENT, NULL, name, !is_bound);
	return 0;
}

/* All property attributes of a report, checked, as they came. */
static int get_properties(struct genl_info *info, void **ret_properties, size_t *ret_len)
{
	struct nlattr *values[SUPERDEV_A_PROPERTY_TIME + 1];
	const struct nlattr *attr;
	size_t len = 0;
	char *to;
	int rem, err;

	nlmsg_for_each_attr_type(attr, SUPERDEV_A_OFFER_PROPERTY, info->nlhdr, GENL_HDRLEN, rem) {
		err = nla_parse_nested(values, SUPERDEV_A_PROPERTY_TIME, attr,
				       superdev_property_nl_policy, info->extack);
		if (err)
			return err;
		if (!values[SUPERDEV_A_PROPERTY_NAME] || !values[SUPERDEV_A_PROPERTY_VALUE])
			return sdv_refuse(info->extack, attr, -EINVAL,
					  "a property has a name and a value");
		if (!sdv_name_is_valid(nla_data(values[SUPERDEV_A_PROPERTY_NAME])))
			return sdv_refuse(info->extack, attr, -EINVAL,
					  "a property's name is letters, digits and . _ -");
		len += nla_total_size(nla_len(attr));
	}
	if (len > SDV_PROPERTIES_LEN)
		return sdv_refuse(info->extack, NULL, -E2BIG,
				  "properties take at most %u bytes, not %zu", SDV_PROPERTIES_LEN,
				  len);
	if (!len)
		return 0;
	to = kzalloc(len, GFP_KERNEL_ACCOUNT);
	if (!to)
		return -ENOMEM;
	*ret_properties = to;
	*ret_len = len;
	nlmsg_for_each_attr_type(attr, SUPERDEV_A_OFFER_PROPERTY, info->nlhdr, GENL_HDRLEN, rem) {
		memcpy(to, attr, attr->nla_len);
		to += nla_total_size(nla_len(attr));
	}
	return 0;
}

/* The offer that a report is about; a peer's is added. */
static int get_reported_offer(struct genl_info *info, struct sdv_ns *ns, struct sdv_peer *peer,
			      struct sdv_offer **ret_offer, bool *ret_is_new)
{
	const char *name, *class;
	int err;

	err = find_offer(info, ns, peer, ret_offer);
	*ret_is_new = false;
	if (err != -ENOENT || !peer)
		return err;
	if (peer->trust != SUPERDEV_TRUST_TRUSTED)
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_OFFER_PEER], -EPERM,
				  "that peer is not trusted: '%s'", peer->name);
	err = sdv_get_name(info, SUPERDEV_A_OFFER_CLASS, "the class of an offer", &class);
	if (err)
		return err;
	err = check_offer_room(info, ns);
	if (err)
		return err;
	name = nla_data(info->attrs[SUPERDEV_A_OFFER_NAME]);
	*ret_offer = sdv_offer_alloc(peer, name);
	if (!*ret_offer)
		return -ENOMEM;
	strscpy((*ret_offer)->class, class);
	*ret_is_new = true;
	return 0;
}

/* What a report says of an offer it does not forget. */
static void apply_offer_report(struct genl_info *info, struct sdv_offer *offer)
{
	struct nlattr **attrs = info->attrs;

	/* A peer's offer is as reported; one's own may only become stricter. */
	if (offer->peer)
		offer->read_only = nla_get_flag(attrs[SUPERDEV_A_OFFER_READ_ONLY]);
	else
		offer->read_only |= nla_get_flag(attrs[SUPERDEV_A_OFFER_READ_ONLY]);
	if (attrs[SUPERDEV_A_OFFER_SIZE]) {
		offer->size = nla_get_u64(attrs[SUPERDEV_A_OFFER_SIZE]);
		offer->has_size = true;
	}
	if (attrs[SUPERDEV_A_OFFER_ERROR])
		sdv_copy_text_attr(offer->error, sizeof(offer->error),
				   attrs[SUPERDEV_A_OFFER_ERROR]);
	else if (attrs[SUPERDEV_A_OFFER_STATE])
		offer->error[0] = '\0';
}

/* Nothing of an offer is left: the agent ended its work, or its peer did. */
static int forget_offer(struct genl_info *info, struct sdv_ns *ns, struct sdv_peer *peer)
{
	struct sdv_offer *offer;
	int err;

	err = find_offer(info, ns, peer, &offer);
	if (err == -ENOENT)
		/* It went with its last lease. */
		return 0;
	if (err)
		return err;
	if (!peer && offer->state != SUPERDEV_OFFER_STATE_REMOVING)
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_OFFER_STATE], -EINVAL,
				  "nobody withdrew the offer: '%s'", offer->name);
	if (!peer && sdv_lease_count(ns, SUPERDEV_ROLE_LENT, NULL, offer->name))
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_OFFER_NAME], -EBUSY,
				  "leases of that offer are lent: '%s'", offer->name);
	sdv_offer_del(ns, offer);
	return 0;
}

int superdev_nl_offer_report_doit(struct sk_buff *skb, struct genl_info *info)
{
	void *properties __free(kfree) = NULL;
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct nlattr **attrs = info->attrs;
	enum superdev_offer_state state;
	struct sdv_offer *offer;
	size_t properties_len;
	struct sdv_peer *peer;
	bool is_new;
	int err;

	err = get_properties(info, &properties, &properties_len);
	if (err)
		return err;

	guard(mutex)(&ns->lock);
	err = find_offer_peer(info, ns, &peer);
	if (err)
		return err;
	state = attrs[SUPERDEV_A_OFFER_STATE] ? nla_get_u32(attrs[SUPERDEV_A_OFFER_STATE]) :
						SUPERDEV_OFFER_STATE_PENDING;
	if (attrs[SUPERDEV_A_OFFER_STATE] &&
	    (state == SUPERDEV_OFFER_STATE_REMOVING ||
	     (peer && state == SUPERDEV_OFFER_STATE_FAILED)))
		return forget_offer(info, ns, peer);

	err = get_reported_offer(info, ns, peer, &offer, &is_new);
	if (err)
		return err;
	if (!attrs[SUPERDEV_A_OFFER_STATE])
		state = offer->state;
	if (attrs[SUPERDEV_A_OFFER_CLASS] &&
	    nla_strcmp(attrs[SUPERDEV_A_OFFER_CLASS], offer->class))
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_OFFER_CLASS], -EINVAL,
				  "the class of that offer is '%s'", offer->class);
	if (!sdv_offer_may_become(offer, state))
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_OFFER_STATE], -EINVAL,
				  "an offer that is %s can't become %s: '%s'",
				  sdv_offer_state_name(offer->state), sdv_offer_state_name(state),
				  offer->name);
	apply_offer_report(info, offer);
	if (properties) {
		kfree(offer->properties);
		offer->properties = no_free_ptr(properties);
		offer->properties_len = properties_len;
	}
	if (is_new) {
		offer->state = state;
		return sdv_offer_add(ns, offer);
	}
	return sdv_offer_set_state(ns, offer, state);
}
