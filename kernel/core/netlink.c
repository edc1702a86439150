// SPDX-License-Identifier: GPL-2.0-only
/*
 * netlink.c: the generic netlink family; commands on the agent and on peers.
 *
 * Checks what userspace says against the registry and refuses in words; the
 * registry itself changes in registry.c and lease.c.  Commands on offers are in
 * netlink-offer.c, on leases and lanes in netlink-lease.c.
 */
#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "netlink-gen.h"
#include "netlink.h"
#include "registry.h"
#include "trace.h"

/*
 * Parsing
 */

/**
 * sdv_require() - an attribute that has to be there
 * @info: the request
 * @type: the attribute, known to the command's policy
 * @what: what it is, in words
 *
 * Return: 0, or -EINVAL.
 */
int sdv_require(struct genl_info *info, int type, const char *what)
{
	if (info->attrs[type])
		return 0;
	NL_SET_ERR_ATTR_MISS(info->extack, NULL, type);
	return sdv_refuse(info->extack, NULL, -EINVAL, "missing: %s", what);
}

/**
 * sdv_get_name() - a name that has to be there
 * @info: the request
 * @type: the attribute, a string known to the command's policy
 * @what: what it names, in words
 * @ret_name: the name, inside the request
 *
 * Return: 0, or -EINVAL.
 */
int sdv_get_name(struct genl_info *info, int type, const char *what, const char **ret_name)
{
	const char *name;
	int err;

	err = sdv_require(info, type, what);
	if (err)
		return err;
	name = nla_data(info->attrs[type]);
	if (!sdv_name_is_valid(name))
		return sdv_refuse(info->extack, info->attrs[type], -EINVAL,
				  "%s has to be letters, digits and . _ -, not '%*pE'", what,
				  (int)strlen(name), name);
	*ret_name = name;
	return 0;
}

/* Host names, addresses with zone, brackets and port. */
static int get_address(struct genl_info *info, char *ret_address)
{
	const struct nlattr *attr = info->attrs[SUPERDEV_A_PEER_ADDRESS];
	const char *text = nla_data(attr);
	const char *c;

	for (c = text; *c; c++)
		if (!isascii(*c) || !(isalnum(*c) || strchr(".-_:%[]", *c)))
			break;
	if (*c || !*text || *text == '-')
		return sdv_refuse(info->extack, attr, -EINVAL, "no host name or address: '%*pE'",
				  (int)strlen(text), text);
	strscpy(ret_address, text, SDV_TEXT_SIZE);
	return 0;
}

static int get_key(struct genl_info *info, struct sdv_ns *ns, const struct sdv_peer *owner,
		   u8 *ret_key)
{
	const struct nlattr *attr = info->attrs[SUPERDEV_A_PEER_KEY];
	const u8 *key = nla_data(attr);
	struct sdv_peer *other;

	if (!memchr_inv(key, 0, SUPERDEV_KEY_LEN))
		return sdv_refuse(info->extack, attr, -EINVAL, "the key is all zeroes");
	if (ns->agent.is_known && !memcmp(key, ns->agent.key, SUPERDEV_KEY_LEN))
		return sdv_refuse(info->extack, attr, -EINVAL,
				  "that is the key of this machine itself");
	other = sdv_peer_find_key(ns, key);
	if (other && other != owner)
		return sdv_refuse(info->extack, attr, -EEXIST,
				  "the key belongs to a peer already: '%s'", other->name);
	memcpy(ret_key, key, SUPERDEV_KEY_LEN);
	return 0;
}

/**
 * sdv_get_peer() - a peer whose name has to be there
 * @info: the request
 * @ns: the registry
 * @type: the attribute with its name, known to the command's policy
 * @ret_peer: the peer
 *
 * Context: sdv_ns.lock held.
 * Return: 0, -EINVAL or -ENOENT.
 */
int sdv_get_peer(struct genl_info *info, struct sdv_ns *ns, int type,
		 struct sdv_peer **ret_peer)
{
	const char *name;
	int err;

	err = sdv_get_name(info, type, "the name of a peer", &name);
	if (err)
		return err;
	*ret_peer = sdv_peer_find(ns, name);
	if (!*ret_peer)
		return sdv_refuse(info->extack, info->attrs[type], -ENOENT,
				  "no such peer: '%s'", name);
	return 0;
}

/*
 * Answers
 */

/**
 * sdv_reply() - answers a request with one object
 * @info: the request
 * @cmd: the command of the answer
 * @fill: fills the message
 * @object: from what
 *
 * Context: sdv_ns.lock held.
 * Return: 0, or -errno.
 */
int sdv_reply(struct genl_info *info, u8 cmd, sdv_fill_fn fill, const void *object)
{
	struct sdv_to to = { .portid = info->snd_portid, .seq = info->snd_seq, .cmd = cmd };
	struct sk_buff *skb;
	int err;

	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	err = fill(skb, &to, object);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	return genlmsg_reply(skb, info);
}

struct dump_cursor {
	unsigned long next_id;
};

static_assert(sizeof(struct dump_cursor) <= sizeof_field(struct netlink_callback, ctx));

/**
 * sdv_dump() - sends a table, as much as fits, from where the last call ended
 * @skb: the buffer
 * @cb: the dump
 * @table: the table
 * @cmd: the command of the answers
 * @fill: fills one message
 *
 * Context: sdv_ns.lock held.
 * Return: bytes in @skb, 0 at the end, or -errno.
 */
int sdv_dump(struct sk_buff *skb, struct netlink_callback *cb, struct sdv_table *table,
	     u8 cmd, sdv_fill_fn fill)
{
	return sdv_dump_xa(skb, cb, &table->xa, table->generation, cmd, fill);
}

/**
 * sdv_dump_xa() - the same of objects that have no ids of ours
 * @skb: the buffer
 * @cb: the dump
 * @xa: the objects
 * @generation: changes whenever one is added or removed
 * @cmd: the command of the answers
 * @fill: fills one message
 *
 * Context: sdv_ns.lock held.
 * Return: bytes in @skb, 0 at the end, or -errno.
 */
int sdv_dump_xa(struct sk_buff *skb, struct netlink_callback *cb, struct xarray *xa,
		unsigned int generation, u8 cmd, sdv_fill_fn fill)
{
	struct sdv_to to = {
		.portid	= NETLINK_CB(cb->skb).portid,
		.seq	= cb->nlh->nlmsg_seq,
		.flags	= NLM_F_MULTI,
		.cmd	= cmd,
		.cb	= cb,
	};
	struct dump_cursor *cursor = (void *)cb->ctx;
	unsigned long id;
	void *object;
	int err;

	cb->seq = generation;
	xa_for_each_start(xa, id, object, cursor->next_id) {
		err = fill(skb, &to, object);
		if (err)
			return skb->len ?: err;
		cursor->next_id = id + 1;
	}
	return skb->len;
}

/*
 * The agent
 */

int superdev_nl_agent_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));

	guard(mutex)(&ns->lock);
	return sdv_reply(info, SUPERDEV_CMD_AGENT_GET, sdv_fill_agent, &ns->agent);
}

int superdev_nl_agent_bind_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct nlattr **attrs = info->attrs;
	struct sdv_agent agent = { .portid = info->snd_portid, .is_known = true };
	const char *name;
	int err;

	err = sdv_get_name(info, SUPERDEV_A_AGENT_NAME, "this machine's name", &name);
	if (err)
		return err;
	err = sdv_require(info, SUPERDEV_A_AGENT_KEY, "this machine's key");
	if (err)
		return err;

	guard(mutex)(&ns->lock);
	if (ns->agent.portid && ns->agent.portid != info->snd_portid)
		return sdv_refuse(info->extack, NULL, -EBUSY,
				  "another agent is bound already, with netlink port %u",
				  ns->agent.portid);
	strscpy(agent.name, name);
	nla_memcpy(agent.key, attrs[SUPERDEV_A_AGENT_KEY], sizeof(agent.key));
	if (attrs[SUPERDEV_A_AGENT_VERSION])
		sdv_copy_text_attr(agent.version, sizeof(agent.version),
				   attrs[SUPERDEV_A_AGENT_VERSION]);
	if (attrs[SUPERDEV_A_AGENT_FEATURES])
		agent.features = nla_get_u64(attrs[SUPERDEV_A_AGENT_FEATURES]);
	if (attrs[SUPERDEV_A_AGENT_PORT])
		agent.port = nla_get_u16(attrs[SUPERDEV_A_AGENT_PORT]);
	if (attrs[SUPERDEV_A_AGENT_BOOT])
		nla_memcpy(agent.boot, attrs[SUPERDEV_A_AGENT_BOOT], sizeof(agent.boot));
	/*
	 * Unloading would take the registry from under a running agent, and its
	 * peers, offers and leases with it.  Until socket_closed().
	 */
	if (!ns->agent.portid && !try_module_get(THIS_MODULE))
		return sdv_refuse(info->extack, NULL, -ENODEV, "the module is being unloaded");
	put_pid(ns->agent.pid);
	agent.pid = get_pid(task_tgid(current));
	ns->agent = agent;
	trace_superdev_agent(agent.portid, true);
	sdv_notify_agent(ns);
	return 0;
}

/* A socket closed; if it was the agent's, the agent is gone. */
static int socket_closed(struct notifier_block *block, unsigned long event, void *data)
{
	const struct netlink_notify *closed = data;
	struct sdv_ns *ns;

	if (event != NETLINK_URELEASE || closed->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;
	ns = sdv_ns(closed->net);
	if (READ_ONCE(ns->agent.portid) != closed->portid)
		return NOTIFY_DONE;
	mutex_lock(&ns->lock);
	if (ns->agent.portid == closed->portid) {
		sdv_agent_unbind(ns);
		/* Our exit waits for this notifier. */
		module_put(THIS_MODULE);
	}
	mutex_unlock(&ns->lock);
	return NOTIFY_OK;
}

static struct notifier_block socket_notifier = {
	.notifier_call = socket_closed,
};

/*
 * Peers
 */

int superdev_nl_peer_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct sdv_peer *peer;
	int err;

	guard(mutex)(&ns->lock);
	err = sdv_get_peer(info, ns, SUPERDEV_A_PEER_NAME, &peer);
	if (err)
		return err;
	return sdv_reply(info, SUPERDEV_CMD_PEER_GET, sdv_fill_peer, peer);
}

int superdev_nl_peer_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct sdv_ns *ns = sdv_ns(sock_net(skb->sk));

	guard(mutex)(&ns->lock);
	return sdv_dump(skb, cb, &ns->peers, SUPERDEV_CMD_PEER_GET, sdv_fill_peer);
}

/*
 * Adds a peer that the attributes describe; what peer-add and peer-report share.
 * The attributes that it looks at are known to both policies.
 */
static int add_peer(struct genl_info *info, struct sdv_ns *ns, const char *name,
		    const struct sdv_peer *like)
{
	struct sdv_peer *peer;

	if (ns->peers.count >= SDV_MAX_PEERS)
		return sdv_refuse(info->extack, NULL, -ENOSPC, "there are %u peers already",
				  ns->peers.count);
	peer = sdv_peer_alloc(name);
	if (!peer)
		return -ENOMEM;
	*peer = *like;
	strscpy(peer->name, name);
	return sdv_peer_add(ns, peer);
}

int superdev_nl_peer_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct nlattr **attrs = info->attrs;
	struct sdv_peer *peer __free(kfree) = kzalloc(sizeof(*peer), GFP_KERNEL);
	const char *name;
	int err;

	if (!peer)
		return -ENOMEM;
	err = sdv_get_name(info, SUPERDEV_A_PEER_NAME, "the name of a peer", &name);
	if (err)
		return err;

	guard(mutex)(&ns->lock);
	if (sdv_peer_find(ns, name))
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_PEER_NAME], -EEXIST,
				  "there is a peer of that name: '%s'", name);
	if (attrs[SUPERDEV_A_PEER_ADDRESS]) {
		err = get_address(info, peer->address);
		if (err)
			return err;
	}
	if (attrs[SUPERDEV_A_PEER_KEY]) {
		err = get_key(info, ns, NULL, peer->key);
		if (err)
			return err;
		peer->has_key = true;
		peer->trust = SUPERDEV_TRUST_TRUSTED;
	} else {
		err = sdv_require(info, SUPERDEV_A_PEER_ADDRESS,
				  "a key to trust, or an address to pair with");
		if (err)
			return err;
		if (!sdv_agent_is_bound(ns))
			return sdv_refuse(info->extack, NULL, -EAGAIN,
					  "no agent runs that could pair with '%s'",
					  peer->address);
	}
	if (attrs[SUPERDEV_A_PEER_TRANSPORT])
		peer->transport = nla_get_u32(attrs[SUPERDEV_A_PEER_TRANSPORT]);
	return add_peer(info, ns, name, peer);
}

/* People type a code with or without the blank in its middle. */
static bool codes_match(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a == ' ')
			a++;
		while (*b == ' ')
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			return true;
	}
}

/* Whether a person may trust @peer now, having compared the code of the request. */
static int check_trust(struct genl_info *info, const struct sdv_peer *peer)
{
	struct nlattr **attrs = info->attrs;
	int err;

	if (nla_get_u32(attrs[SUPERDEV_A_PEER_TRUST]) != SUPERDEV_TRUST_TRUSTED) {
		if (peer->trust == SUPERDEV_TRUST_PENDING)
			return 0;
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_PEER_TRUST], -EINVAL,
				  "trust ends by deleting the peer: '%s'", peer->name);
	}
	if (peer->trust == SUPERDEV_TRUST_TRUSTED)
		return 0;
	if (!peer->has_key)
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_PEER_TRUST], -EINVAL,
				  "pairing has not brought a key yet: '%s'", peer->name);
	err = sdv_require(info, SUPERDEV_A_PEER_CODE, "the code that was compared");
	if (err)
		return err;
	if (!peer->code[0])
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_PEER_CODE], -ESTALE,
				  "that pairing is over, pair again: '%s'", peer->name);
	if (!codes_match(peer->code, nla_data(attrs[SUPERDEV_A_PEER_CODE])))
		return sdv_refuse(info->extack, attrs[SUPERDEV_A_PEER_CODE], -ESTALE,
				  "that is not the present code of peer '%s'", peer->name);
	return 0;
}

int superdev_nl_peer_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct nlattr **attrs = info->attrs;
	char address[SDV_TEXT_SIZE];
	struct sdv_peer *peer;
	int err;

	guard(mutex)(&ns->lock);
	err = sdv_get_peer(info, ns, SUPERDEV_A_PEER_NAME, &peer);
	if (err)
		return err;
	if (!attrs[SUPERDEV_A_PEER_ADDRESS] && !attrs[SUPERDEV_A_PEER_TRUST] &&
	    !attrs[SUPERDEV_A_PEER_TRANSPORT])
		return sdv_refuse(info->extack, NULL, -EINVAL,
				  "missing: address, transport or trust for peer '%s'",
				  peer->name);
	if (attrs[SUPERDEV_A_PEER_ADDRESS]) {
		err = get_address(info, address);
		if (err)
			return err;
	}
	if (attrs[SUPERDEV_A_PEER_TRUST]) {
		err = check_trust(info, peer);
		if (err)
			return err;
	}

	if (attrs[SUPERDEV_A_PEER_ADDRESS])
		strscpy(peer->address, address);
	if (attrs[SUPERDEV_A_PEER_TRANSPORT])
		peer->transport = nla_get_u32(attrs[SUPERDEV_A_PEER_TRANSPORT]);
	if (attrs[SUPERDEV_A_PEER_TRUST] &&
	    nla_get_u32(attrs[SUPERDEV_A_PEER_TRUST]) != peer->trust)
		return sdv_peer_set_trust(ns, peer, SUPERDEV_TRUST_TRUSTED);
	sdv_notify_peer(ns, peer);
	return 0;
}

int superdev_nl_peer_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	char name[SUPERDEV_NAME_LEN + 1];
	struct sdv_peer *peer;
	unsigned int count;
	bool is_bound;
	int err;

	scoped_guard(mutex, &ns->lock) {
		err = sdv_get_peer(info, ns, SUPERDEV_A_PEER_NAME, &peer);
		if (err)
			return err;
		strscpy(name, peer->name);
		is_bound = sdv_agent_is_bound(ns);
		count = sdv_lease_count(ns, -1, name, NULL);
		if (count && !info->attrs[SUPERDEV_A_PEER_FORCE])
			return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_PEER_NAME], -EBUSY,
					  "%u leases are held from or lent to peer '%s'", count,
					  name);
	}

	/*
	 * Held ones are forgotten without the agent, whose way to the peer ends
	 * here; lent ones stay, revoked, until it says that their workers ended.
	 */
	sdv_lease_end_all(ns, -1, name, NULL, !is_bound);

	guard(mutex)(&ns->lock);
	/* Only commands delete peers, and this is the one that runs. */
	sdv_peer_del(ns, peer);
	return 0;
}

/* A pairing from outside: somebody at the other machine asked for it. */
static int report_new_peer(struct genl_info *info, struct sdv_ns *ns, const char *name,
			   struct sdv_peer *peer)
{
	int err;

	err = sdv_require(info, SUPERDEV_A_PEER_KEY, "the key of a peer that is to be added");
	if (err)
		return err;
	return add_peer(info, ns, name, peer);
}

int superdev_nl_peer_report_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct sdv_peer *now __free(kfree) = kzalloc(sizeof(*now), GFP_KERNEL);
	struct nlattr **attrs = info->attrs;
	struct sdv_peer *peer;
	const char *name;
	int err;

	if (!now)
		return -ENOMEM;
	err = sdv_get_name(info, SUPERDEV_A_PEER_NAME, "the name of a peer", &name);
	if (err)
		return err;

	guard(mutex)(&ns->lock);
	peer = sdv_peer_find(ns, name);
	if (peer)
		*now = *peer;
	if (attrs[SUPERDEV_A_PEER_KEY]) {
		err = get_key(info, ns, peer, now->key);
		if (err)
			return err;
		now->has_key = true;
		if (peer && peer->has_key && memcmp(peer->key, now->key, sizeof(now->key)) &&
		    (peer->trust == SUPERDEV_TRUST_TRUSTED || !attrs[SUPERDEV_A_PEER_CODE]))
			return sdv_refuse(info->extack, attrs[SUPERDEV_A_PEER_KEY], -EPERM,
					  "the key of that peer is settled: '%s'", name);
	}
	if (attrs[SUPERDEV_A_PEER_ADDRESS]) {
		err = get_address(info, now->address);
		if (err)
			return err;
	}
	if (attrs[SUPERDEV_A_PEER_STATE])
		now->state = nla_get_u32(attrs[SUPERDEV_A_PEER_STATE]);
	if (attrs[SUPERDEV_A_PEER_PEER_TRANSPORT])
		now->peer_transport = nla_get_u32(attrs[SUPERDEV_A_PEER_PEER_TRANSPORT]);
	if (attrs[SUPERDEV_A_PEER_CODE] && now->trust == SUPERDEV_TRUST_PENDING)
		sdv_copy_text_attr(now->code, sizeof(now->code), attrs[SUPERDEV_A_PEER_CODE]);
	if (attrs[SUPERDEV_A_PEER_RTT_US])
		now->rtt_us = nla_get_u32(attrs[SUPERDEV_A_PEER_RTT_US]);
	if (attrs[SUPERDEV_A_PEER_ERROR])
		sdv_copy_text_attr(now->error, sizeof(now->error), attrs[SUPERDEV_A_PEER_ERROR]);
	if (!peer)
		return report_new_peer(info, ns, name, now);

	/* The agent repeats itself with every ping; watchers need not hear that. */
	if (!memcmp(now, peer, sizeof(*now)))
		return 0;
	*peer = *now;
	sdv_peer_set_state(ns, peer, now->state);
	return 0;
}

/*
 * The family
 */

/* Commands that change something run one at a time in each namespace. */
int superdev_nl_command_begin(const struct genl_split_ops *ops, struct sk_buff *skb,
			      struct genl_info *info)
{
	mutex_lock(&sdv_ns(genl_info_net(info))->op_lock);
	return 0;
}

/* The same for those that only the bound agent may give. */
int superdev_nl_report_begin(const struct genl_split_ops *ops, struct sk_buff *skb,
			     struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));

	mutex_lock(&ns->op_lock);
	if (READ_ONCE(ns->agent.portid) == info->snd_portid)
		return 0;
	mutex_unlock(&ns->op_lock);
	return sdv_refuse(info->extack, NULL, -EPERM,
			  "only the agent may say that, from the socket that it bound");
}

void superdev_nl_command_end(const struct genl_split_ops *ops, struct sk_buff *skb,
			     struct genl_info *info)
{
	mutex_unlock(&sdv_ns(genl_info_net(info))->op_lock);
}

static const struct genl_multicast_group groups[] = {
	[SUPERDEV_NLGRP_EVENTS] = { .name = SUPERDEV_MCGRP_EVENTS },
};

struct genl_family sdv_family __ro_after_init = {
	.name		= SUPERDEV_FAMILY_NAME,
	.version	= SUPERDEV_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= superdev_nl_ops,
	.n_split_ops	= ARRAY_SIZE(superdev_nl_ops),
	.mcgrps		= groups,
	.n_mcgrps	= ARRAY_SIZE(groups),
};

/**
 * sdv_netlink_init() - commands may come
 *
 * Return: 0, or -errno.
 */
int __init sdv_netlink_init(void)
{
	int err;

	err = netlink_register_notifier(&socket_notifier);
	if (err)
		return err;
	err = genl_register_family(&sdv_family);
	if (err)
		netlink_unregister_notifier(&socket_notifier);
	return err;
}

/**
 * sdv_netlink_exit() - no command runs any more
 */
void sdv_netlink_exit(void)
{
	genl_unregister_family(&sdv_family);
	netlink_unregister_notifier(&socket_notifier);
}
