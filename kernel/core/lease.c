// SPDX-License-Identifier: GPL-2.0-only
/*
 * lease.c: leases, and when the device of a held one is plugged and unplugged.
 *
 * netlink.c grants, changes and ends leases; bus.c tells how their drivers
 * fare, lane.c which lanes are up.  Plugging runs a class driver's probe, which
 * may wait for I/O and so for lanes; it is done by a work item that holds no
 * lock of ours.
 */
#include <linux/slab.h>

#include "bus.h"
#include "lane.h"
#include "registry.h"
#include "trace.h"

static struct kmem_cache *lease_cache;
static struct workqueue_struct *lease_wq;

static const char *const lease_states[] = {
	[SUPERDEV_LEASE_STATE_REQUESTED] = "requested",
	[SUPERDEV_LEASE_STATE_GRANTED]	 = "granted",
	[SUPERDEV_LEASE_STATE_ACTIVE]	 = "active",
	[SUPERDEV_LEASE_STATE_SUSPENDED] = "suspended",
	[SUPERDEV_LEASE_STATE_RETURNING] = "returning",
	[SUPERDEV_LEASE_STATE_REVOKED]	 = "revoked",
	[SUPERDEV_LEASE_STATE_FAILED]	 = "failed",
	[SUPERDEV_LEASE_STATE_GONE]	 = "gone",
};

#define LEASE(state) BIT(SUPERDEV_LEASE_STATE_##state)
#define LEASE_ENDED (LEASE(RETURNING) | LEASE(REVOKED) | LEASE(FAILED))

/* At home: the agent gets as far as granted, from there on lanes and driver say. */
static const u8 held_may_become[] = {
	[SUPERDEV_LEASE_STATE_REQUESTED] = LEASE(GRANTED) | LEASE_ENDED,
	[SUPERDEV_LEASE_STATE_GRANTED]	 = LEASE(ACTIVE) | LEASE(SUSPENDED) | LEASE_ENDED,
	[SUPERDEV_LEASE_STATE_ACTIVE]	 = LEASE(SUSPENDED) | LEASE_ENDED,
	[SUPERDEV_LEASE_STATE_SUSPENDED] = LEASE(ACTIVE) | LEASE_ENDED,
	[SUPERDEV_LEASE_STATE_RETURNING] = 0,
	[SUPERDEV_LEASE_STATE_REVOKED]	 = LEASE(REQUESTED) | LEASE(RETURNING),
	[SUPERDEV_LEASE_STATE_FAILED]	 = LEASE(REQUESTED) | LEASE(RETURNING) | LEASE(REVOKED),
};

/* At the lender all is the agent's word, but what was revoked stays so. */
#define LEASE_LIVE (LEASE(GRANTED) | LEASE(ACTIVE) | LEASE(SUSPENDED))
static const u8 lent_may_become[] = {
	[SUPERDEV_LEASE_STATE_REQUESTED] = LEASE_LIVE | LEASE_ENDED,
	[SUPERDEV_LEASE_STATE_GRANTED]	 = LEASE_LIVE | LEASE_ENDED,
	[SUPERDEV_LEASE_STATE_ACTIVE]	 = LEASE_LIVE | LEASE_ENDED,
	[SUPERDEV_LEASE_STATE_SUSPENDED] = LEASE_LIVE | LEASE_ENDED,
	[SUPERDEV_LEASE_STATE_RETURNING] = LEASE(REVOKED),
	[SUPERDEV_LEASE_STATE_REVOKED]	 = 0,
	[SUPERDEV_LEASE_STATE_FAILED]	 = LEASE_LIVE | LEASE(RETURNING) | LEASE(REVOKED),
};

/**
 * sdv_lease_state_name() - a state in words
 * @state: the state
 *
 * Return: the word.
 */
const char *sdv_lease_state_name(enum superdev_lease_state state)
{
	return lease_states[state];
}

static void lease_release(struct kref *kref)
{
	struct sdv_lease *lease = container_of(kref, struct sdv_lease, kref);

	sdv_ns_put(lease->ns);
	kmem_cache_free(lease_cache, lease);
}

/**
 * sdv_lease_get() - takes a reference
 * @lease: a lease that somebody has one of
 *
 * Return: @lease.
 */
struct sdv_lease *sdv_lease_get(struct sdv_lease *lease)
{
	kref_get(&lease->kref);
	return lease;
}

/**
 * sdv_lease_put() - gives a reference back
 * @lease: the lease, freed with the last one, or NULL
 */
void sdv_lease_put(struct sdv_lease *lease)
{
	if (lease)
		kref_put(&lease->kref, lease_release);
}

/**
 * sdv_lease_find() - a lease by id
 * @ns: the registry
 * @id: its id
 *
 * Context: sdv_ns.lock held.
 * Return: the lease without a reference, or NULL.
 */
struct sdv_lease *sdv_lease_find(struct sdv_ns *ns, u32 id)
{
	lockdep_assert_held(&ns->lock);
	return xa_load(&ns->leases.xa, id);
}

/* @role -1, @peer and @offer NULL: any. */
static bool lease_matches(const struct sdv_lease *lease, int role, const char *peer,
			  const char *offer)
{
	return (role < 0 || lease->role == role) && (!peer || !strcmp(lease->peer, peer)) &&
	       (!offer || !strcmp(lease->offer, offer));
}

/**
 * sdv_lease_lookup() - a lease by what it is of
 * @ns: the registry
 * @role: held or lent
 * @peer: name of the peer
 * @offer: name of the offer
 *
 * Context: sdv_ns.lock held.
 * Return: the lease without a reference, or NULL.
 */
struct sdv_lease *sdv_lease_lookup(struct sdv_ns *ns, enum superdev_role role,
				   const char *peer, const char *offer)
{
	struct sdv_lease *lease;
	unsigned long id;

	lockdep_assert_held(&ns->lock);
	xa_for_each(&ns->leases.xa, id, lease)
		if (lease_matches(lease, role, peer, offer))
			return lease;
	return NULL;
}

/**
 * sdv_lease_count() - leases with a peer, or of an offer
 * @ns: the registry
 * @role: held, lent, or -1 for both
 * @peer: name of the peer, or NULL for all
 * @offer: name of the offer, or NULL for all
 *
 * Context: sdv_ns.lock held.
 * Return: how many.
 */
unsigned int sdv_lease_count(struct sdv_ns *ns, int role, const char *peer,
			     const char *offer)
{
	struct sdv_lease *lease;
	unsigned int count = 0;
	unsigned long id;

	lockdep_assert_held(&ns->lock);
	xa_for_each(&ns->leases.xa, id, lease)
		count += lease_matches(lease, role, peer, offer);
	return count;
}

/**
 * sdv_lease_may_become() - whether a lease may go to that state
 * @lease: the lease
 * @state: the state; its own is allowed, gone never
 *
 * Return: true if it may.
 */
bool sdv_lease_may_become(const struct sdv_lease *lease, enum superdev_lease_state state)
{
	const u8 *table = lease->role == SUPERDEV_ROLE_HELD ? held_may_become : lent_may_become;

	return state == lease->state || table[lease->state] & BIT(state);
}

/**
 * sdv_lease_set_state() - the only place where a lease's state changes; tells
 * @lease: the lease
 * @state: the new state, or the same when other fields changed
 *
 * Context: sdv_ns.lock held.
 * Return: 0, or -EINVAL where that change does not exist.
 */
int sdv_lease_set_state(struct sdv_lease *lease, enum superdev_lease_state state)
{
	lockdep_assert_held(&lease->ns->lock);
	if (!sdv_lease_may_become(lease, state))
		return -EINVAL;
	if (state != lease->state)
		trace_superdev_lease(lease->id, lease->peer, lease->offer, lease->role,
				     lease->state, state);
	WRITE_ONCE(lease->state, state);
	sdv_notify_lease(lease->ns, lease);
	return 0;
}

static bool lease_is_live(const struct sdv_lease *lease)
{
	return BIT(lease->state) & LEASE_LIVE;
}

/* A held, granted lease is what its driver and its lanes make it; tells. */
static void lease_settle(struct sdv_lease *lease)
{
	enum superdev_lease_state state = lease->state;

	if (lease_is_live(lease)) {
		if (lease->is_bound && lease->lanes)
			state = SUPERDEV_LEASE_STATE_ACTIVE;
		else if (lease->is_bound || state != SUPERDEV_LEASE_STATE_GRANTED)
			state = SUPERDEV_LEASE_STATE_SUSPENDED;
	}
	sdv_lease_set_state(lease, state);
}

static void lease_queue_work(struct sdv_lease *lease)
{
	lockdep_assert_held(&lease->ns->lock);
	if (!queue_work(lease_wq, &lease->work))
		return;
	sdv_lease_get(lease);
	atomic_inc(&lease->ns->nr_works);
}

/* Out of the table; the caller or queued work still has a reference. */
static void lease_remove(struct sdv_lease *lease)
{
	struct sdv_ns *ns = lease->ns;
	struct sdv_offer *offer;

	lockdep_assert_held(&ns->lock);
	if (lease->is_removed)
		return;
	lease->is_removed = true;
	sdv_table_del(&ns->leases, lease->id);
	trace_superdev_lease(lease->id, lease->peer, lease->offer, lease->role,
			     lease->state, SUPERDEV_LEASE_STATE_GONE);
	sdv_notify_lease_del(ns, lease);

	/* The last lease of an offer that is being withdrawn takes it along. */
	if (lease->role == SUPERDEV_ROLE_LENT) {
		offer = sdv_offer_find(ns, NULL, lease->offer);
		if (offer && offer->state == SUPERDEV_OFFER_STATE_REMOVING &&
		    !sdv_lease_count(ns, SUPERDEV_ROLE_LENT, NULL, lease->offer))
			sdv_offer_del(ns, offer);
	}
	sdv_lease_put(lease);
}

/* The device is to go; the work item sees to it. */
static void lease_drop_device(struct sdv_lease *lease)
{
	lockdep_assert_held(&lease->ns->lock);
	if (!lease->sdev)
		return;
	lease->old_sdev = lease->sdev;
	lease->sdev = NULL;
	lease->is_bound = false;
	lease->lanes = 0;
	lease->device[0] = '\0';
	lease_queue_work(lease);
}

static void lease_plug(struct sdv_lease *lease, struct sdv_device *sdev)
{
	struct sdv_ns *ns = lease->ns;
	int err;

	err = sdv_device_plug(sdev);
	if (err) {
		sdv_lease_probe_failed(sdev, err);
		return;
	}
	mutex_lock(&ns->lock);
	if (lease->sdev == sdev && !lease->is_bound && !lease->error[0]) {
		snprintf(lease->error, sizeof(lease->error),
			 "no driver for class '%s' is loaded", lease->class);
		sdv_lease_set_state(lease, lease->state);
	}
	mutex_unlock(&ns->lock);
}

/*
 * One work item per lease, so plugging and unplugging never run at once.  Who
 * wants a device gone has called sdv_device_close() before, which ends the I/O
 * that a probe may be waiting for.
 */
static void lease_work(struct work_struct *work)
{
	struct sdv_lease *lease = container_of(work, struct sdv_lease, work);
	struct sdv_ns *ns = lease->ns;
	struct sdv_device *sdev;

	mutex_lock(&ns->lock);
	sdev = lease->sdev;
	if (sdev && lease->lanes && !sdev->is_plugged) {
		sdv_device_get(sdev);
		mutex_unlock(&ns->lock);
		lease_plug(lease, sdev);
		sdv_device_put(sdev);
		mutex_lock(&ns->lock);
	}
	sdev = lease->old_sdev;
	if (sdev) {
		mutex_unlock(&ns->lock);
		sdv_device_unplug(sdev);
		sdv_device_put(sdev);
		mutex_lock(&ns->lock);
		lease->old_sdev = NULL;
	}
	if (lease->forget)
		lease_remove(lease);
	if (atomic_dec_and_test(&ns->nr_works))
		wake_up_var(&ns->nr_works);
	mutex_unlock(&ns->lock);
	sdv_lease_put(lease);
}

/**
 * sdv_lease_alloc() - a new lease: requested
 * @ns: the registry
 * @role: held or lent
 * @peer: name of the peer
 * @offer: name of the offer
 *
 * Return: the lease, for sdv_lease_add() or sdv_lease_put(), or NULL.
 */
struct sdv_lease *sdv_lease_alloc(struct sdv_ns *ns, enum superdev_role role,
				  const char *peer, const char *offer)
{
	struct sdv_lease *lease;

	lease = kmem_cache_zalloc(lease_cache, GFP_KERNEL_ACCOUNT);
	if (!lease)
		return NULL;
	kref_init(&lease->kref);
	INIT_WORK(&lease->work, lease_work);
	lease->ns = sdv_ns_get(ns);
	lease->role = role;
	lease->state = SUPERDEV_LEASE_STATE_REQUESTED;
	strscpy(lease->peer, peer);
	strscpy(lease->offer, offer);
	return lease;
}

/**
 * sdv_lease_add() - enters a lease in the registry, and tells
 * @lease: from sdv_lease_alloc(); the registry's from now on, also on error
 *
 * Context: sdv_ns.lock held.
 * Return: 0, or -ENOMEM.
 */
int sdv_lease_add(struct sdv_lease *lease)
{
	int err;

	lockdep_assert_held(&lease->ns->lock);
	err = sdv_table_add(&lease->ns->leases, lease, &lease->id);
	if (err) {
		sdv_lease_put(lease);
		return err;
	}
	trace_superdev_lease(lease->id, lease->peer, lease->offer, lease->role,
			     lease->state, lease->state);
	sdv_notify_lease(lease->ns, lease);
	return 0;
}

/**
 * sdv_lease_end() - a lease comes to its end
 * @lease: the lease; the caller has a reference
 * @state: returning, revoked or failed; gone, when it is only to be forgotten
 * @force: also where the device is in use
 * @forget: remove the lease as soon as its device is gone
 * @error: what a person reads, or NULL
 *
 * The device takes no new I/O when this returns; a work item unplugs it.
 *
 * Context: sdv_ns.op_lock held, sdv_ns.lock not.  Sleeps.
 * Return: 0, -EBUSY where the device is in use and not @force, or -EINVAL where
 * the lease can't go to that state.
 */
int sdv_lease_end(struct sdv_lease *lease, enum superdev_lease_state state, bool force,
		  bool forget, const char *error)
{
	struct sdv_ns *ns = lease->ns;
	struct sdv_device *sdev;
	int err = 0;

	lockdep_assert_held(&ns->op_lock);
	mutex_lock(&ns->lock);
	if (state != SUPERDEV_LEASE_STATE_GONE && !sdv_lease_may_become(lease, state)) {
		mutex_unlock(&ns->lock);
		return -EINVAL;
	}
	sdev = lease->sdev;
	if (sdev)
		sdv_device_get(sdev);
	mutex_unlock(&ns->lock);

	if (sdev) {
		err = sdv_device_close(sdev, force);
		sdv_device_put(sdev);
		if (err)
			return err;
	}

	mutex_lock(&ns->lock);
	lease_drop_device(lease);
	if (error)
		strscpy(lease->error, error);
	if (state != SUPERDEV_LEASE_STATE_GONE && (state != lease->state || error))
		/* Should a probe have failed meanwhile, it may stay failed. */
		sdv_lease_set_state(lease, state);
	if (forget) {
		lease->forget = true;
		if (!lease->old_sdev)
			lease_remove(lease);
	}
	mutex_unlock(&ns->lock);
	return 0;
}

/* The first lease behind @id that matches, with a reference. */
static struct sdv_lease *lease_next(struct sdv_ns *ns, unsigned long *id, int role,
				    const char *peer, const char *offer)
{
	struct sdv_lease *lease;

	mutex_lock(&ns->lock);
	xa_for_each_start(&ns->leases.xa, *id, lease, *id) {
		if (!lease_matches(lease, role, peer, offer))
			continue;
		sdv_lease_get(lease);
		break;
	}
	mutex_unlock(&ns->lock);
	(*id)++;
	return lease;
}

/**
 * sdv_lease_end_all() - ends leases by force
 * @ns: the registry
 * @role: held, lent, or -1 for both
 * @peer: name of the peer, or NULL for all
 * @offer: name of the offer, or NULL for all
 * @forget_lent: forget lent ones at once, as nobody will report that they are
 *	gone; held ones are forgotten when their device is unplugged
 *
 * Context: sdv_ns.op_lock held, sdv_ns.lock not.  Sleeps.
 */
void sdv_lease_end_all(struct sdv_ns *ns, int role, const char *peer, const char *offer,
		       bool forget_lent)
{
	enum superdev_lease_state state;
	struct sdv_lease *lease;
	unsigned long id = 0;
	bool forget;

	while ((lease = lease_next(ns, &id, role, peer, offer))) {
		forget = lease->role == SUPERDEV_ROLE_HELD || forget_lent;
		state = lease->role == SUPERDEV_ROLE_HELD ? SUPERDEV_LEASE_STATE_RETURNING :
							    SUPERDEV_LEASE_STATE_REVOKED;
		sdv_lease_end(lease, state, true, forget, NULL);
		sdv_lease_put(lease);
	}
}

/**
 * sdv_lease_wait_all() - waits until every lease that was ended is gone
 * @ns: the registry, where nobody adds leases any more
 *
 * Context: sleeps; neither lock held.
 */
void sdv_lease_wait_all(struct sdv_ns *ns)
{
	wait_var_event(&ns->nr_works, !atomic_read(&ns->nr_works));
}

/*
 * What others tell of a lease's device.  A device that is going (old_sdev) has
 * nothing to say any more.
 */

/**
 * sdv_lease_probing() - a class driver is about to be probed
 * @sdev: its device; a text that is left over from a former one goes
 */
void sdv_lease_probing(struct sdv_device *sdev)
{
	struct sdv_lease *lease = sdev->lease;

	mutex_lock(&lease->ns->lock);
	if (lease->sdev == sdev)
		lease->error[0] = '\0';
	mutex_unlock(&lease->ns->lock);
}

/**
 * sdv_lease_bound() - a class driver has a lease's device
 * @sdev: the device
 * @node: its node in /dev, or NULL
 */
void sdv_lease_bound(struct sdv_device *sdev, const char *node)
{
	struct sdv_lease *lease = sdev->lease;

	mutex_lock(&lease->ns->lock);
	if (lease->sdev == sdev) {
		lease->is_bound = true;
		strscpy(lease->device, node ?: "");
		lease_settle(lease);
	}
	mutex_unlock(&lease->ns->lock);
}

/**
 * sdv_lease_unbound() - the class driver goes, and the device stays
 * @sdev: the device
 */
void sdv_lease_unbound(struct sdv_device *sdev)
{
	struct sdv_lease *lease = sdev->lease;

	mutex_lock(&lease->ns->lock);
	if (lease->sdev == sdev) {
		lease->is_bound = false;
		lease->device[0] = '\0';
		snprintf(lease->error, sizeof(lease->error),
			 "the driver for class '%s' was unloaded", lease->class);
		lease_settle(lease);
	}
	mutex_unlock(&lease->ns->lock);
}

/**
 * sdv_lease_probe_failed() - no device can be made of this lease
 * @sdev: the device; it will be unplugged
 * @error: why; the driver may have left a better text
 */
void sdv_lease_probe_failed(struct sdv_device *sdev, int error)
{
	struct sdv_lease *lease = sdev->lease;

	mutex_lock(&lease->ns->lock);
	if (lease->sdev == sdev) {
		if (!lease->error[0])
			snprintf(lease->error, sizeof(lease->error),
				 "the driver for class '%s' failed: %pe", lease->class,
				 ERR_PTR(error));
		lease_drop_device(lease);
		sdv_lease_set_state(lease, SUPERDEV_LEASE_STATE_FAILED);
	}
	mutex_unlock(&lease->ns->lock);
}

/**
 * sdv_lease_set_error() - a class driver has something to say
 * @sdev: the device
 * @text: what a person reads
 */
void sdv_lease_set_error(struct sdv_device *sdev, const char *text)
{
	struct sdv_lease *lease = sdev->lease;

	mutex_lock(&lease->ns->lock);
	if (lease->sdev == sdev) {
		sdv_copy_text(lease->error, sizeof(lease->error), text);
		sdv_lease_set_state(lease, lease->state);
	}
	mutex_unlock(&lease->ns->lock);
}

/**
 * sdv_lease_lane_changed() - a lane came up or went down; tells
 * @sdev: the device, with nr_lanes as it is now
 * @index: which lane
 * @is_up: it came up
 * @reason: why it went down: 0 it was closed, else -errno
 *
 * The first lane plugs the device.
 *
 * Context: sleeps; lane_mutex may be held.
 */
void sdv_lease_lane_changed(struct sdv_device *sdev, u32 index, bool is_up, int reason)
{
	struct sdv_lease *lease = sdev->lease;
	struct sdv_ns *ns = lease->ns;

	mutex_lock(&ns->lock);
	ns->lane_generation++;
	if (!is_up)
		sdv_notify_lane_down(ns, lease->id, index, reason);
	if (lease->sdev == sdev) {
		lease->lanes = READ_ONCE(sdev->nr_lanes);
		lease_settle(lease);
		if (is_up)
			lease_queue_work(lease);
	}
	mutex_unlock(&ns->lock);
}

/**
 * sdv_lease_init() - makes what leases need
 *
 * Return: 0, or -ENOMEM.
 */
int sdv_lease_init(void)
{
	lease_cache = KMEM_CACHE(sdv_lease, SLAB_ACCOUNT);
	if (!lease_cache)
		return -ENOMEM;
	/* Unbound: one lease's slow probe must not delay another's plugging. */
	lease_wq = alloc_workqueue("superdev", WQ_UNBOUND, 0);
	if (!lease_wq) {
		kmem_cache_destroy(lease_cache);
		return -ENOMEM;
	}
	return 0;
}

/**
 * sdv_lease_exit() - undoes sdv_lease_init()
 *
 * Context: no registry is left, and every device was released.
 */
void sdv_lease_exit(void)
{
	destroy_workqueue(lease_wq);
	kmem_cache_destroy(lease_cache);
}
