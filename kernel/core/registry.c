// SPDX-License-Identifier: GPL-2.0-only
/*
 * registry.c: the registry of each network namespace, its peers and offers.
 *
 * netlink.c changes it on request; lease.c owns the leases in it.
 */
#include <linux/ctype.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "registry.h"
#define CREATE_TRACE_POINTS
#include "trace.h"

static unsigned int sdv_net_id __read_mostly;
static struct kmem_cache *ns_cache;
static struct kmem_cache *peer_cache;
static struct kmem_cache *offer_cache;

/**
 * sdv_ns() - the registry of a network namespace
 * @net: the namespace, alive
 *
 * Return: the registry, which @net holds a reference to.
 */
struct sdv_ns *sdv_ns(struct net *net)
{
	return *(struct sdv_ns **)net_generic(net, sdv_net_id);
}

static void ns_release(struct kref *kref)
{
	struct sdv_ns *ns = container_of(kref, struct sdv_ns, kref);

	mutex_destroy(&ns->lock);
	mutex_destroy(&ns->op_lock);
	kmem_cache_free(ns_cache, ns);
}

/**
 * sdv_ns_get() - takes a reference
 * @ns: a registry that somebody has one of
 *
 * Return: @ns.
 */
struct sdv_ns *sdv_ns_get(struct sdv_ns *ns)
{
	kref_get(&ns->kref);
	return ns;
}

/**
 * sdv_ns_put() - gives a reference back
 * @ns: the registry, freed with the last one
 */
void sdv_ns_put(struct sdv_ns *ns)
{
	kref_put(&ns->kref, ns_release);
}

/*
 * Tables
 */

/**
 * sdv_table_init() - an empty table
 * @table: what to initialise
 */
void sdv_table_init(struct sdv_table *table)
{
	xa_init_flags(&table->xa, XA_FLAGS_ALLOC1);
	table->generation = 1;
}

/**
 * sdv_table_add() - gives an object an id and its place
 * @table: the table, below the limit of its kind
 * @object: the object
 * @ret_id: set to its id; ids are not used again soon, so that somebody who
 *	    still talks of a former object gets ENOENT
 *
 * Context: sdv_ns.lock held.
 * Return: 0, or -ENOMEM.
 */
int sdv_table_add(struct sdv_table *table, void *object, u32 *ret_id)
{
	int err;

	err = xa_alloc_cyclic(&table->xa, ret_id, object, XA_LIMIT(1, INT_MAX),
			      &table->next_id, GFP_KERNEL_ACCOUNT);
	if (err < 0)
		return err;
	table->count++;
	table->generation++;
	return 0;
}

/**
 * sdv_table_del() - takes an object out
 * @table: the table
 * @id: the object's id
 *
 * Context: sdv_ns.lock held.
 */
void sdv_table_del(struct sdv_table *table, u32 id)
{
	xa_erase(&table->xa, id);
	table->count--;
	table->generation++;
}

/*
 * What people write and read
 */

/**
 * sdv_name_is_valid() - whether this can be the name of a peer, offer or class
 * @name: the text
 *
 * Names become path components below /dev and values in uevents, so they are
 * letters, digits, dots, dashes and underscores, and begin with neither dot nor
 * dash.  Their length is checked by netlink's policy.
 *
 * Return: true if it can.
 */
bool sdv_name_is_valid(const char *name)
{
	const char *c;

	if (!isascii(*name) || !isalnum(*name))
		return false;
	for (c = name; *c; c++)
		if (!isascii(*c) || !(isalnum(*c) || *c == '.' || *c == '_' || *c == '-'))
			return false;
	return true;
}

/**
 * sdv_copy_text() - copies a text that people will read
 * @to: destination
 * @size: its size; what is longer is cut
 * @from: the text; it may stem from another machine, so control characters,
 *	  which would move a terminal's cursor, become blanks
 */
void sdv_copy_text(char *to, size_t size, const char *from)
{
	char *c;

	strscpy(to, from, size);
	for (c = to; *c; c++)
		if (iscntrl(*c))
			*c = ' ';
}

/**
 * sdv_copy_text_attr() - sdv_copy_text() of a string attribute
 * @to: destination
 * @size: its size
 * @attr: the attribute, NUL-terminated as the policy demands
 */
void sdv_copy_text_attr(char *to, size_t size, const struct nlattr *attr)
{
	sdv_copy_text(to, size, nla_data(attr));
}

/**
 * sdv_refuse() - says why, where an extack is wanted
 * @extack: of the request, or NULL
 * @attr: the attribute that is to blame, or NULL
 * @error: what to return
 * @format: the reason, printf-like; what is too long for an extack is cut, so
 *	    the reason comes first and what it quotes last
 *
 * Return: @error.
 */
int sdv_refuse(struct netlink_ext_ack *extack, const struct nlattr *attr, int error,
	       const char *format, ...)
{
	char text[NETLINK_MAX_FMTMSG_LEN];
	va_list args;

	va_start(args, format);
	vscnprintf(text, sizeof(text), format, args);
	va_end(args);
	NL_SET_ERR_MSG_FMT(extack, "%s", text);
	if (attr)
		NL_SET_BAD_ATTR(extack, attr);
	return error;
}

/*
 * The agent
 */

/**
 * sdv_agent_is_bound() - whether an agent serves this namespace now
 * @ns: the registry
 *
 * Context: any; the answer is stable for a command that the agent itself sent.
 * Return: true if there is one.
 */
bool sdv_agent_is_bound(const struct sdv_ns *ns)
{
	return READ_ONCE(ns->agent.portid) != 0;
}

/**
 * sdv_agent_unbind() - the agent's socket is closed
 * @ns: the registry
 *
 * Nobody is connected to the peers any more and no pairing goes on, so a code
 * that somebody still compares must not lead to trust.  Leases stay: their
 * lanes are the kernel's.
 *
 * Context: sdv_ns.lock held.
 */
void sdv_agent_unbind(struct sdv_ns *ns)
{
	struct sdv_peer *peer;
	unsigned long id;

	lockdep_assert_held(&ns->lock);
	trace_superdev_agent(ns->agent.portid, false);
	WRITE_ONCE(ns->agent.portid, 0);
	put_pid(ns->agent.pid);
	ns->agent.pid = NULL;
	xa_for_each(&ns->peers.xa, id, peer) {
		bool had_code = peer->code[0];

		peer->code[0] = '\0';
		peer->rtt_us = 0;
		if (peer->state != SUPERDEV_PEER_STATE_OFFLINE)
			sdv_peer_set_state(ns, peer, SUPERDEV_PEER_STATE_OFFLINE);
		else if (had_code)
			sdv_notify_peer(ns, peer);
	}
	sdv_notify_agent(ns);
}

/*
 * Peers
 */

/**
 * sdv_peer_find() - a peer by name
 * @ns: the registry
 * @name: its name
 *
 * Context: sdv_ns.lock held.
 * Return: the peer, or NULL.
 */
struct sdv_peer *sdv_peer_find(struct sdv_ns *ns, const char *name)
{
	struct sdv_peer *peer;
	unsigned long id;

	lockdep_assert_held(&ns->lock);
	xa_for_each(&ns->peers.xa, id, peer)
		if (!strcmp(peer->name, name))
			return peer;
	return NULL;
}

/**
 * sdv_peer_find_key() - a peer by key
 * @ns: the registry
 * @key: SUPERDEV_KEY_LEN bytes
 *
 * Context: sdv_ns.lock held.
 * Return: the peer, or NULL.
 */
struct sdv_peer *sdv_peer_find_key(struct sdv_ns *ns, const u8 *key)
{
	struct sdv_peer *peer;
	unsigned long id;

	lockdep_assert_held(&ns->lock);
	xa_for_each(&ns->peers.xa, id, peer)
		if (peer->has_key && !memcmp(peer->key, key, SUPERDEV_KEY_LEN))
			return peer;
	return NULL;
}

/**
 * sdv_peer_alloc() - a new peer: pending, offline, without key
 * @name: its name, valid
 *
 * Return: the peer, to be given to sdv_peer_add(), or NULL.
 */
struct sdv_peer *sdv_peer_alloc(const char *name)
{
	struct sdv_peer *peer;

	peer = kmem_cache_zalloc(peer_cache, GFP_KERNEL_ACCOUNT);
	if (peer)
		strscpy(peer->name, name);
	return peer;
}

/**
 * sdv_peer_add() - enters a peer in the registry, and tells
 * @ns: the registry
 * @peer: from sdv_peer_alloc(); the registry's from now on, also on error
 *
 * Context: sdv_ns.lock held.
 * Return: 0, or -ENOMEM.
 */
int sdv_peer_add(struct sdv_ns *ns, struct sdv_peer *peer)
{
	int err;

	lockdep_assert_held(&ns->lock);
	err = sdv_table_add(&ns->peers, peer, &peer->id);
	if (err) {
		kmem_cache_free(peer_cache, peer);
		return err;
	}
	trace_superdev_peer(peer->name, peer->trust, peer->state);
	sdv_notify_peer(ns, peer);
	return 0;
}

/**
 * sdv_peer_del() - forgets a peer and its offers, and tells
 * @ns: the registry
 * @peer: the peer; freed
 *
 * Context: sdv_ns.lock held.
 */
void sdv_peer_del(struct sdv_ns *ns, struct sdv_peer *peer)
{
	struct sdv_offer *offer;
	unsigned long id;

	lockdep_assert_held(&ns->lock);
	xa_for_each(&ns->offers.xa, id, offer)
		if (offer->peer == peer)
			sdv_offer_del(ns, offer);
	sdv_table_del(&ns->peers, peer->id);
	sdv_notify_peer_del(ns, peer);
	kmem_cache_free(peer_cache, peer);
}

/**
 * sdv_peer_set_trust() - a person has decided; tells
 * @ns: the registry
 * @peer: the peer, with a key
 * @trust: what to; trust once given ends with the peer
 *
 * Context: sdv_ns.lock held.
 * Return: 0, or -EINVAL where that change does not exist.
 */
int sdv_peer_set_trust(struct sdv_ns *ns, struct sdv_peer *peer, enum superdev_trust trust)
{
	lockdep_assert_held(&ns->lock);
	if (trust == peer->trust)
		return 0;
	if (trust != SUPERDEV_TRUST_TRUSTED || !peer->has_key)
		return -EINVAL;
	peer->trust = trust;
	peer->code[0] = '\0';
	trace_superdev_peer(peer->name, peer->trust, peer->state);
	sdv_notify_peer(ns, peer);
	return 0;
}

/**
 * sdv_peer_set_state() - the agent found out, or is gone; tells
 * @ns: the registry
 * @peer: the peer
 * @state: any; the agent is free to go from each to each
 *
 * Context: sdv_ns.lock held.
 */
void sdv_peer_set_state(struct sdv_ns *ns, struct sdv_peer *peer,
			enum superdev_peer_state state)
{
	lockdep_assert_held(&ns->lock);
	peer->state = state;
	trace_superdev_peer(peer->name, peer->trust, peer->state);
	sdv_notify_peer(ns, peer);
}

/*
 * Offers
 */

#define OFFER(state) BIT(SUPERDEV_OFFER_STATE_##state)

static const u8 offer_may_become[] = {
	[SUPERDEV_OFFER_STATE_PENDING]	= OFFER(READY) | OFFER(FAILED) | OFFER(REMOVING),
	[SUPERDEV_OFFER_STATE_READY]	= OFFER(PENDING) | OFFER(FAILED) | OFFER(REMOVING),
	[SUPERDEV_OFFER_STATE_FAILED]	= OFFER(PENDING) | OFFER(READY) | OFFER(REMOVING),
	[SUPERDEV_OFFER_STATE_REMOVING]	= 0,
};

static const char *const offer_states[] = {
	[SUPERDEV_OFFER_STATE_PENDING]	= "pending",
	[SUPERDEV_OFFER_STATE_READY]	= "ready",
	[SUPERDEV_OFFER_STATE_FAILED]	= "failed",
	[SUPERDEV_OFFER_STATE_REMOVING]	= "removing",
};

/**
 * sdv_offer_state_name() - a state in words
 * @state: the state, of an offer or as policy has let through
 *
 * Return: the word.
 */
const char *sdv_offer_state_name(enum superdev_offer_state state)
{
	return offer_states[state];
}

/**
 * sdv_offer_find() - an offer by name
 * @ns: the registry
 * @peer: whose, or NULL for this machine's
 * @name: its name
 *
 * Context: sdv_ns.lock held.
 * Return: the offer, or NULL.
 */
struct sdv_offer *sdv_offer_find(struct sdv_ns *ns, const struct sdv_peer *peer,
				 const char *name)
{
	struct sdv_offer *offer;
	unsigned long id;

	lockdep_assert_held(&ns->lock);
	xa_for_each(&ns->offers.xa, id, offer)
		if (offer->peer == peer && !strcmp(offer->name, name))
			return offer;
	return NULL;
}

/**
 * sdv_offer_alloc() - a new offer: pending, without path and properties
 * @peer: whose, or NULL for this machine's
 * @name: its name, valid
 *
 * Return: the offer, for sdv_offer_add() or sdv_offer_free(), or NULL.
 */
struct sdv_offer *sdv_offer_alloc(struct sdv_peer *peer, const char *name)
{
	struct sdv_offer *offer;

	offer = kmem_cache_zalloc(offer_cache, GFP_KERNEL_ACCOUNT);
	if (!offer)
		return NULL;
	offer->peer = peer;
	strscpy(offer->name, name);
	return offer;
}

/**
 * sdv_offer_free() - frees an offer that is in no registry
 * @offer: the offer
 */
void sdv_offer_free(struct sdv_offer *offer)
{
	kfree(offer->properties);
	kfree(offer->path);
	kmem_cache_free(offer_cache, offer);
}

/**
 * sdv_offer_add() - enters an offer in the registry, and tells
 * @ns: the registry
 * @offer: from sdv_offer_alloc(); the registry's from now on, also on error
 *
 * Context: sdv_ns.lock held.
 * Return: 0, or -ENOMEM.
 */
int sdv_offer_add(struct sdv_ns *ns, struct sdv_offer *offer)
{
	int err;

	lockdep_assert_held(&ns->lock);
	err = sdv_table_add(&ns->offers, offer, &offer->id);
	if (err) {
		sdv_offer_free(offer);
		return err;
	}
	trace_superdev_offer(offer->peer ? offer->peer->name : "", offer->name,
			     offer->state, offer->state);
	sdv_notify_offer(ns, offer);
	return 0;
}

/**
 * sdv_offer_del() - forgets an offer, and tells
 * @ns: the registry
 * @offer: the offer; freed
 *
 * Context: sdv_ns.lock held.
 */
void sdv_offer_del(struct sdv_ns *ns, struct sdv_offer *offer)
{
	lockdep_assert_held(&ns->lock);
	sdv_table_del(&ns->offers, offer->id);
	sdv_notify_offer_del(ns, offer);
	sdv_offer_free(offer);
}

/**
 * sdv_offer_may_become() - whether an offer may go to that state
 * @offer: the offer
 * @state: the state; its own is allowed
 *
 * Return: true if it may.
 */
bool sdv_offer_may_become(const struct sdv_offer *offer, enum superdev_offer_state state)
{
	return state == offer->state || offer_may_become[offer->state] & BIT(state);
}

/**
 * sdv_offer_set_state() - the only place where an offer's state changes; tells
 * @ns: the registry
 * @offer: the offer
 * @state: the new state, or the same when other fields changed
 *
 * Context: sdv_ns.lock held.
 * Return: 0, or -EINVAL where that change does not exist.
 */
int sdv_offer_set_state(struct sdv_ns *ns, struct sdv_offer *offer,
			enum superdev_offer_state state)
{
	lockdep_assert_held(&ns->lock);
	if (!sdv_offer_may_become(offer, state))
		return -EINVAL;
	trace_superdev_offer(offer->peer ? offer->peer->name : "", offer->name,
			     offer->state, state);
	offer->state = state;
	sdv_notify_offer(ns, offer);
	return 0;
}

/*
 * Namespaces
 */

static int __net_init registry_net_init(struct net *net)
{
	struct sdv_ns **slot = net_generic(net, sdv_net_id);
	struct sdv_ns *ns;

	ns = kmem_cache_zalloc(ns_cache, GFP_KERNEL_ACCOUNT);
	if (!ns)
		return -ENOMEM;
	kref_init(&ns->kref);
	ns->net = net;
	mutex_init(&ns->op_lock);
	mutex_init(&ns->lock);
	sdv_table_init(&ns->peers);
	sdv_table_init(&ns->offers);
	sdv_table_init(&ns->leases);
	ns->lane_generation = 1;
	sdv_spread_init(ns);
	*slot = ns;
	return 0;
}

/*
 * The namespace ends, or the module does.  No command runs any more: those hold
 * the namespace, and the family is unregistered before the module goes.  What
 * may still be inside are lanes (only when the module goes: their sockets hold the
 * namespace), work items and class drivers being probed or removed; they are done
 * when the last device is unplugged.  A lane that was down before may tell so
 * later: it has a reference to the device, that to the lease, that to the registry.
 */
static void __net_exit registry_net_exit(struct net *net)
{
	struct sdv_ns *ns = sdv_ns(net);
	struct sdv_offer *offer;
	struct sdv_peer *peer;
	unsigned long id;

	mutex_lock(&ns->op_lock);
	sdv_lease_end_all(ns, -1, NULL, NULL, true);
	mutex_unlock(&ns->op_lock);
	sdv_lease_wait_all(ns);

	mutex_lock(&ns->lock);
	xa_for_each(&ns->offers.xa, id, offer)
		if (!offer->peer)
			sdv_offer_del(ns, offer);
	xa_for_each(&ns->peers.xa, id, peer)
		sdv_peer_del(ns, peer);
	ns->net = NULL;
	put_pid(ns->agent.pid);
	ns->agent.pid = NULL;
	mutex_unlock(&ns->lock);
	sdv_spread_exit(ns);

	xa_destroy(&ns->leases.xa);
	xa_destroy(&ns->offers.xa);
	xa_destroy(&ns->peers.xa);
	sdv_ns_put(ns);
}

static struct pernet_operations registry_net_ops = {
	.init	= registry_net_init,
	.exit	= registry_net_exit,
	.id	= &sdv_net_id,
	.size	= sizeof(struct sdv_ns *),
};

/**
 * sdv_registry_init() - a registry for every namespace from now on
 *
 * Return: 0, or -ENOMEM.
 */
int sdv_registry_init(void)
{
	int err;

	ns_cache = KMEM_CACHE(sdv_ns, SLAB_ACCOUNT);
	if (!ns_cache)
		return -ENOMEM;
	err = -ENOMEM;
	peer_cache = KMEM_CACHE(sdv_peer, SLAB_ACCOUNT);
	if (!peer_cache)
		goto err_destroy_ns;
	offer_cache = KMEM_CACHE(sdv_offer, SLAB_ACCOUNT);
	if (!offer_cache)
		goto err_destroy_peers;
	err = register_pernet_device(&registry_net_ops);
	if (err)
		goto err_destroy_offers;
	return 0;

err_destroy_offers:
	kmem_cache_destroy(offer_cache);
err_destroy_peers:
	kmem_cache_destroy(peer_cache);
err_destroy_ns:
	kmem_cache_destroy(ns_cache);
	return err;
}

/**
 * sdv_registry_stop() - ends every registry: devices go, lanes close
 *
 * Context: the family is unregistered.
 */
void sdv_registry_stop(void)
{
	unregister_pernet_device(&registry_net_ops);
}

/**
 * sdv_registry_exit() - undoes the rest of sdv_registry_init()
 *
 * Context: every device and so every lease was released.
 */
void sdv_registry_exit(void)
{
	kmem_cache_destroy(offer_cache);
	kmem_cache_destroy(peer_cache);
	kmem_cache_destroy(ns_cache);
}
