// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * offer.c: what this machine lends, and what its peers announce.
 */
#include "offer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backing.h"
#include "lease_lender.h"
#include "processors.h"
#include "state.h"

#define LOOK_MS    15000
#define REMOTE_MAX 256 /* offers of one peer; more are not looked at */

/* An offer of a peer, as reported to the kernel. */
struct remote_offer {
	struct list node; /* peer.offers */
	char name[SDV_NAME_SIZE];
	bool is_fresh; /* announced on the connection that there is now */
};

struct offer *offer_by_name(struct daemon *d, const char *name)
{
	list_for_each(offer, &d->offers, struct offer, node)
		if (!strcmp(offer->info.name, name))
			return offer;
	return NULL;
}

bool offer_is_pending(const struct offer *offer)
{
	return offer->looker || offer->info.state == SUPERDEV_OFFER_STATE_PENDING;
}

/* A disk has one writer; processors have a scheduler. */
bool offer_is_shared(const struct offer *offer)
{
	return !strcmp(offer->info.class_name, "cpu");
}

static void offer_report(struct daemon *d, struct sdv_offer_info *info)
{
	int r;

	SDV_SET(info, SUPERDEV_A_OFFER_NAME);
	SDV_SET(info, SUPERDEV_A_OFFER_STATE);
	r = sdv_nl_offer(d->nl, SUPERDEV_CMD_OFFER_REPORT, info);
	if (r < 0 && r != -ENOENT)
		sdv_log(SDV_LOG_ERR, "offer '%s%s%s': report refused: %s (%s)", info->peer,
			info->peer[0] ? "/" : "", info->name, sdv_nl_error(d->nl), strerror(-r));
}

/* Announcing ------------------------------------------------------------- */

static void announce(const struct offer *offer, struct conn *conn)
{
	const struct sdv_offer_info *info = &offer->info;
	struct sdv_attr_writer w;
	uint8_t data[8192];

	/* A home of a superdev that knows no processors could do nothing with it. */
	if (!strcmp(info->class_name, "cpu") && !(conn->theirs.features & SUPERDEV_FEAT_CPU))
		return;
	sdv_attr_begin(&w, data, sizeof(data));
	sdv_put_string(&w, SUPERDEV_A_OFFER_NAME, info->name);
	if (offer->is_ready) {
		sdv_put_string(&w, SUPERDEV_A_OFFER_CLASS, info->class_name);
		if (info->read_only)
			sdv_put_flag(&w, SUPERDEV_A_OFFER_READ_ONLY);
		sdv_put_u64(&w, SUPERDEV_A_OFFER_SIZE, info->size);
	}
	for (unsigned int i = 0; offer->is_ready && i < info->nr_properties; i++) {
		size_t nest = sdv_nest_begin(&w, SUPERDEV_A_OFFER_PROPERTY);

		sdv_put_string(&w, SUPERDEV_A_PROPERTY_NAME, info->property[i].name);
		sdv_put_string(&w, SUPERDEV_A_PROPERTY_VALUE, info->property[i].value);
		sdv_put_u32(&w, SUPERDEV_A_PROPERTY_SOURCE, info->property[i].source);
		sdv_put_u64(&w, SUPERDEV_A_PROPERTY_TIME, info->property[i].time);
		sdv_nest_end(&w, nest);
	}
	control_tell(conn, offer->is_ready ? SUPERDEV_CTL_OFFER : SUPERDEV_CTL_OFFER_GONE, &w);
}

static void announce_to_all(const struct offer *offer)
{
	list_for_each(peer, &offer->d->peers, struct peer, node)
		if (peer->in)
			announce(offer, peer->in);
}

void offers_announce_all(struct conn *conn)
{
	list_for_each(offer, &conn->d->offers, struct offer, node)
		if (offer->is_ready)
			announce(offer, conn);
}

static void set_ready(struct offer *offer, bool is_ready)
{
	if (offer->is_ready == is_ready && !is_ready)
		return;
	offer->is_ready = is_ready;
	announce_to_all(offer);
}

/* Looking ---------------------------------------------------------------- */

static void add_property(struct sdv_offer_info *info, const char *name, const char *value)
{
	struct sdv_property *property = &info->property[info->nr_properties++];

	snprintf(property->name, sizeof(property->name), "%s", name);
	snprintf(property->value, sizeof(property->value), "%s", value);
	property->source = SUPERDEV_PROPERTY_SOURCE_CLAIMED;
	property->time = time(NULL);
}

static void offer_failed(struct offer *offer, const char *why)
{
	struct sdv_offer_info info = { .state = SUPERDEV_OFFER_STATE_FAILED };

	sdv_log(SDV_LOG_WARNING, "offer '%s': %s", offer->info.name, why);
	snprintf(info.name, sizeof(info.name), "%s", offer->info.name);
	snprintf(info.error, sizeof(info.error), "%s", why);
	SDV_SET(&info, SUPERDEV_A_OFFER_ERROR);
	offer->info.state = info.state;
	set_ready(offer, false);
	offer_report(offer->d, &info);
	lender_offer_settled(offer);
}

/* @found: its size and properties */
static void offer_ready(struct offer *offer, const struct sdv_offer_info *found)
{
	struct sdv_offer_info info = *found;

	snprintf(info.name, sizeof(info.name), "%s", offer->info.name);
	info.state = SUPERDEV_OFFER_STATE_READY;
	SDV_SET(&info, SUPERDEV_A_OFFER_SIZE);
	if (info.nr_properties)
		SDV_SET(&info, SUPERDEV_A_OFFER_PROPERTY);
	offer->info.state = info.state;
	offer->info.size = info.size;
	memcpy(offer->info.property, info.property, sizeof(info.property));
	offer->info.nr_properties = info.nr_properties;
	offer_report(offer->d, &info);
	set_ready(offer, true);
	lender_offer_settled(offer);
}

static void offer_found(struct offer *offer, const struct backing *backing)
{
	struct sdv_offer_info info = { .size = backing->size };

	if (backing->kind[0])
		add_property(&info, "medium", backing->kind);
	if (backing->kind[0] && backing->has_rotational)
		add_property(&info, "rotational", backing->rotational ? "1" : "0");
	sdv_log(SDV_LOG_INFO, "offer '%s': ready, class %s, %llu bytes%s", offer->info.name,
		offer->info.class_name, (unsigned long long)info.size,
		offer->info.read_only ? ", read-only" : "");
	offer_ready(offer, &info);
}

static void look_at_processors(struct offer *offer)
{
	struct sdv_offer_info info = { 0 };
	struct processors processors;
	char number[24];
	int r;

	if (offer->info.path[0] || offer->info.read_only) {
		offer_failed(offer, "class 'cpu' takes neither path nor ro");
		return;
	}
	r = processors_look(&offer->info, &processors);
	if (r < 0) {
		offer_failed(offer, processors.error[0] ? processors.error : strerror(-r));
		return;
	}
	snprintf(number, sizeof(number), "%u", processors.cpus);
	add_property(&info, "cpus", number);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)processors.memory);
	add_property(&info, "memory", number);
	add_property(&info, "arch", processors.architecture);
	sdv_log(SDV_LOG_INFO, "offer '%s': ready, class cpu, %u cpus, %llu bytes of memory", offer->info.name,
		processors.cpus, (unsigned long long)processors.memory);
	offer_ready(offer, &info);
}

static void looked(void *arg, int error, const void *result, int fd)
{
	const struct backing *backing = result;
	struct offer *offer = arg;

	/* A look does not keep it open. */
	(void)fd;
	offer->looker = NULL;
	if (error && (!backing || !backing->error[0]))
		offer_failed(offer, strerror(-error));
	else if (error)
		offer_failed(offer, backing->error);
	else
		offer_found(offer, backing);
}

void offer_look(struct offer *offer)
{
	struct backing_request request = { .is_read_only = offer->info.read_only };
	const struct backing none = { 0 };
	char why[SDV_TEXT_SIZE];
	int r;

	if (offer->looker)
		return;
	if (!strcmp(offer->info.class_name, "null")) {
		offer_found(offer, &none);
		return;
	}
	if (!strcmp(offer->info.class_name, "cpu")) {
		look_at_processors(offer);
		return;
	}
	if (strcmp(offer->info.class_name, "blk") != 0) {
		snprintf(why, sizeof(why), "superdevd %s cannot lend class '%s'", SDV_VERSION,
			 offer->info.class_name);
		offer_failed(offer, why);
		return;
	}
	if (!offer->info.path[0]) {
		offer_failed(offer, "class 'blk' needs a path");
		return;
	}
	snprintf(request.path, sizeof(request.path), "%s", offer->info.path);
	r = helper_start(offer->d, backing_look, &request, LOOK_MS, looked, offer, &offer->looker);
	if (r < 0)
		offer_failed(offer, strerror(-r));
}

void offer_resized(struct offer *offer, uint64_t size)
{
	struct sdv_offer_info info = { .state = offer->info.state, .size = size };

	if (!offer->is_ready || offer->info.size == size)
		return;
	offer->info.size = size;
	snprintf(info.name, sizeof(info.name), "%s", offer->info.name);
	SDV_SET(&info, SUPERDEV_A_OFFER_SIZE);
	offer_report(offer->d, &info);
	announce_to_all(offer);
}

/* Of peers --------------------------------------------------------------- */

static struct remote_offer *remote_find(struct peer *peer, const char *name)
{
	list_for_each(remote, &peer->offers, struct remote_offer, node)
		if (!strcmp(remote->name, name))
			return remote;
	return NULL;
}

static struct remote_offer *remote_add(struct peer *peer, const char *name)
{
	struct remote_offer *remote;
	unsigned int count = 0;

	list_for_each(other, &peer->offers, struct remote_offer, node)
		count++;
	if (count >= REMOTE_MAX)
		return NULL;
	remote = calloc(1, sizeof(*remote));
	if (!remote)
		return NULL;
	snprintf(remote->name, sizeof(remote->name), "%s", name);
	list_add_tail(&peer->offers, &remote->node);
	return remote;
}

static void remote_free(struct remote_offer *remote)
{
	list_del(&remote->node);
	free(remote);
}

static void remote_forget(struct peer *peer, struct remote_offer *remote)
{
	struct sdv_offer_info info = { .state = SUPERDEV_OFFER_STATE_FAILED };

	snprintf(info.peer, sizeof(info.peer), "%s", peer->info.name);
	snprintf(info.name, sizeof(info.name), "%s", remote->name);
	SDV_SET(&info, SUPERDEV_A_OFFER_PEER);
	remote_free(remote);
	offer_report(peer->d, &info);
}

static void take_properties(struct sdv_offer_info *info, const void *payload, size_t len)
{
	struct sdv_attr attrs[SUPERDEV_A_PROPERTY_MAX + 1], nest;
	size_t pos = 0;

	while (info->nr_properties < SDV_PROPERTIES &&
	       sdv_attr_next(payload, len, SUPERDEV_A_OFFER_PROPERTY, &pos, &nest)) {
		struct sdv_property *property = &info->property[info->nr_properties];

		if (sdv_attr_parse(&sdv_property_set, nest.data, nest.len, attrs, NULL) < 0 ||
		    !sdv_has(&attrs[SUPERDEV_A_PROPERTY_NAME]) || !sdv_has(&attrs[SUPERDEV_A_PROPERTY_VALUE]))
			continue;
		snprintf(property->name, sizeof(property->name), "%s",
			 sdv_get_string(&attrs[SUPERDEV_A_PROPERTY_NAME]));
		snprintf(property->value, sizeof(property->value), "%s",
			 sdv_get_string(&attrs[SUPERDEV_A_PROPERTY_VALUE]));
		property->source = sdv_get_u32(&attrs[SUPERDEV_A_PROPERTY_SOURCE]);
		property->time = sdv_get_u64(&attrs[SUPERDEV_A_PROPERTY_TIME]);
		info->nr_properties++;
		SDV_SET(info, SUPERDEV_A_OFFER_PROPERTY);
	}
}

void offer_announced(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		     const void *payload)
{
	struct sdv_offer_info info = { .state = SUPERDEV_OFFER_STATE_READY };
	struct remote_offer *remote;

	if (!sdv_has(&attrs[SUPERDEV_A_OFFER_NAME]) || !sdv_has(&attrs[SUPERDEV_A_OFFER_CLASS])) {
		sdv_log(SDV_LOG_WARNING, "peer '%s': announced an offer without name or class",
			peer->info.name);
		return;
	}
	snprintf(info.peer, sizeof(info.peer), "%s", peer->info.name);
	snprintf(info.name, sizeof(info.name), "%s", sdv_get_string(&attrs[SUPERDEV_A_OFFER_NAME]));
	snprintf(info.class_name, sizeof(info.class_name), "%s",
		 sdv_get_string(&attrs[SUPERDEV_A_OFFER_CLASS]));
	SDV_SET(&info, SUPERDEV_A_OFFER_PEER);
	SDV_SET(&info, SUPERDEV_A_OFFER_CLASS);
	if (sdv_has(&attrs[SUPERDEV_A_OFFER_READ_ONLY])) {
		info.read_only = true;
		SDV_SET(&info, SUPERDEV_A_OFFER_READ_ONLY);
	}
	if (sdv_has(&attrs[SUPERDEV_A_OFFER_SIZE])) {
		info.size = sdv_get_u64(&attrs[SUPERDEV_A_OFFER_SIZE]);
		SDV_SET(&info, SUPERDEV_A_OFFER_SIZE);
	}
	take_properties(&info, payload, request->head.length);
	remote = remote_find(peer, info.name);
	if (!remote)
		remote = remote_add(peer, info.name);
	if (!remote) {
		sdv_log(SDV_LOG_WARNING, "peer '%s': offer '%s' left out: more than %d", peer->info.name,
			info.name, REMOTE_MAX);
		return;
	}
	remote->is_fresh = true;
	offer_report(peer->d, &info);
}

void offer_withdrawn(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		     const void *payload)
{
	struct remote_offer *remote;

	(void)request;
	(void)payload;
	if (!sdv_has(&attrs[SUPERDEV_A_OFFER_NAME]))
		return;
	remote = remote_find(peer, sdv_get_string(&attrs[SUPERDEV_A_OFFER_NAME]));
	if (remote)
		remote_forget(peer, remote);
}

void offers_heard_all(struct peer *peer)
{
	list_for_each_safe(remote, &peer->offers, struct remote_offer, node)
		if (!remote->is_fresh)
			remote_forget(peer, remote);
}

void offers_unhear(struct peer *peer)
{
	list_for_each(remote, &peer->offers, struct remote_offer, node)
		remote->is_fresh = false;
}

void offers_forget(struct peer *peer)
{
	list_for_each_safe(remote, &peer->offers, struct remote_offer, node)
		remote_forget(peer, remote);
}

void offers_unlink(struct peer *peer)
{
	list_for_each_safe(remote, &peer->offers, struct remote_offer, node)
		remote_free(remote);
}

/* From the kernel's registry --------------------------------------------- */

static void remote_event(struct daemon *d, const struct sdv_offer_info *info)
{
	struct peer *peer = peer_by_name(d, info->peer);

	/* Known by an agent before this one: to be confirmed, or to go. */
	if (peer && info->state == SUPERDEV_OFFER_STATE_READY && !remote_find(peer, info->name))
		remote_add(peer, info->name);
}

static void offer_free(struct offer *offer)
{
	if (offer->looker)
		helper_cancel(offer->looker);
	list_del(&offer->node);
	free(offer);
}

/* Being withdrawn: first its leases end, then it is said to be gone. */
static void offer_remove(struct offer *offer)
{
	struct sdv_offer_info info = { .state = SUPERDEV_OFFER_STATE_REMOVING };

	snprintf(info.name, sizeof(info.name), "%s", offer->info.name);
	set_ready(offer, false);
	lender_offer_removed(offer);
	offer_report(offer->d, &info);
}

void offer_event(struct daemon *d, const struct sdv_offer_info *info)
{
	struct offer *offer;

	if (info->peer[0]) {
		remote_event(d, info);
		return;
	}
	offer = offer_by_name(d, info->name);
	if (!offer) {
		offer = calloc(1, sizeof(*offer));
		if (!offer) {
			sdv_log(SDV_LOG_ERR, "offer '%s': out of memory", info->name);
			return;
		}
		offer->d = d;
		offer->is_ready = info->state == SUPERDEV_OFFER_STATE_READY;
		list_add_tail(&d->offers, &offer->node);
		state_changed(d);
	}
	offer->is_seen = true;
	/* Told before our report: what is lent meanwhile must not be looked at as if it were free. */
	if (info->state == SUPERDEV_OFFER_STATE_PENDING && offer->is_ready)
		return;
	offer->info = *info;
	if (info->state == SUPERDEV_OFFER_STATE_PENDING)
		offer_look(offer);
	else if (info->state == SUPERDEV_OFFER_STATE_REMOVING)
		offer_remove(offer);
}

void offer_deleted(struct daemon *d, const char *peer_name, const char *name)
{
	struct peer *peer = peer_name[0] ? peer_by_name(d, peer_name) : NULL;
	struct remote_offer *remote = peer ? remote_find(peer, name) : NULL;
	struct offer *offer = peer_name[0] ? NULL : offer_by_name(d, name);

	if (remote)
		remote_free(remote);
	if (!offer)
		return;
	sdv_log(SDV_LOG_INFO, "offer '%s': withdrawn", name);
	set_ready(offer, false);
	lender_offer_removed(offer);
	offer_free(offer);
	state_changed(d);
}

void offers_unsee(struct daemon *d)
{
	list_for_each(offer, &d->offers, struct offer, node)
		offer->is_seen = false;
}

void offers_sweep(struct daemon *d)
{
	list_for_each_safe(offer, &d->offers, struct offer, node)
		if (!offer->is_seen)
			offer_deleted(d, "", offer->info.name);
}

void offers_close(struct daemon *d)
{
	list_for_each_safe(offer, &d->offers, struct offer, node)
		offer_free(offer);
}
