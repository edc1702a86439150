// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lent_conn.c: connections of homes that name a lease of theirs: lanes, and whether others may.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lease_lender.h"
#include "lent.h"
#include "worker_proc.h"

static struct lent *lane_lease(struct conn *conn)
{
	struct peer *peer = peer_by_key(conn->d, conn->key);
	struct lent *lent = peer ? lent_find(conn->d, peer->info.name, conn->theirs.lease) : NULL;

	if (!lent || lent->phase != LENT_UP || lent->epoch != conn->theirs.epoch)
		return NULL;
	return lent;
}

bool lender_holds(struct conn *conn, const char *class_name)
{
	struct lent *lent = lane_lease(conn);

	return lent && (!class_name || !strcmp(lent->class_name, class_name));
}

int lender_offer(struct daemon *d, uint64_t number, struct sdv_offer_info *ret_info)
{
	struct lent *lent = lent_find(d, NULL, number);
	struct offer *offer = lent ? offer_by_name(d, lent->offer) : NULL;

	if (!offer)
		return -ENOENT;
	*ret_info = offer->info;
	return 0;
}

void lender_each_number(struct daemon *d, bool (*fn)(struct daemon *d, uint64_t number))
{
	list_for_each(lent, &d->lents, struct lent, node)
		fn(d, lent->number);
}

static void lane_open(struct conn *conn)
{
	enum superdev_transport transport = conn->transport;
	struct lent *lent = lane_lease(conn);
	uint32_t index = conn->theirs.index;
	int fd, r;

	if (!lent) {
		conn_close(conn);
		return;
	}
	fd = conn_take_fd(conn);
	r = worker_lane(lent->worker, fd, index, transport);
	close(fd);
	if (r < 0) {
		sdv_log(SDV_LOG_ERR, "lease %s of '%s': lane %u: worker does not take it: %s", lent->offer,
			lent->peer, index, strerror(-r));
		return;
	}
	sdv_log(SDV_LOG_DEBUG, "lease %s of '%s': lane %u up%s", lent->offer, lent->peer, index,
		transport == SUPERDEV_TRANSPORT_CLEAR ? " in clear" : "");
	lent->lanes |= 1u << index;
	lent_report_lanes(lent);
}

static void lane_closed(struct conn *conn, int error, const char *why)
{
	if (error != -ESTALE)
		sdv_log(SDV_LOG_NOTICE, "lane from %s: %s", conn->text, why);
}

static const struct conn_ops lane_ops = {
	.open = lane_open,
	.closed = lane_closed,
};

uint32_t lender_lane_hello(struct conn *conn, struct peer *peer, char *error, size_t error_size)
{
	conn->ops = &lane_ops;
	if (conn->theirs.index >= SUPERDEV_MAX_LANES) {
		snprintf(error, error_size, "lane %u is more than %u", conn->theirs.index,
			 SUPERDEV_MAX_LANES - 1);
		return SUPERDEV_ST_INVAL;
	}
	if (!lane_lease(conn)) {
		snprintf(error, error_size, "'%s' has no lease %" PRIu64 " at epoch %u", peer->info.name,
			 conn->theirs.lease, conn->theirs.epoch);
		return SUPERDEV_ST_STALE;
	}
	return SUPERDEV_ST_OK;
}
