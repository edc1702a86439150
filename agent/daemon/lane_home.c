// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lane_home.c: the lanes of held leases: made, made anew, handed to the kernel.
 */
#include "lane_home.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lease_home.h"
#include "peer.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 2000
#define WEAR_CHECK_MS  10000
#define DUMP_MAX       4096 /* lanes looked at in one dump */
/*
 * AES-GCM is safe for about 2^24 records of one key (RFC 8446, section 5.5), and
 * 6.12 cannot change the key of a socket.  A record carries up to 16 KiB, and a
 * frame ends one: half of the budget leaves 10 s at any speed there is.
 */
#define RECORDS_MAX    (UINT64_C(1) << 23)
#define RECORD_SIZE    16384

struct lane_watch {
	struct daemon *d;
	struct timer wear;
	struct timer sync;
};

static struct peer *slot_peer(const struct lane_slot *slot)
{
	return peer_by_name(slot->held->d, slot->held->info.peer);
}

static int lane_command(struct lane_slot *slot, int cmd, struct sdv_lane_info *info)
{
	info->lease = slot->held->info.id;
	info->index = slot->index;
	SDV_SET(info, SUPERDEV_A_LANE_LEASE);
	SDV_SET(info, SUPERDEV_A_LANE_INDEX);
	return sdv_nl_lane(slot->held->d->nl, cmd, info);
}

static void slot_failed(struct lane_slot *slot, int error, const char *why)
{
	struct peer *peer = slot_peer(slot);

	if (strcmp(slot->error, why) != 0) {
		sdv_log(SDV_LOG_WARNING, "lease %s/%s: lane %u: %s", slot->held->info.peer,
			slot->held->info.offer, slot->index, why);
		snprintf(slot->error, sizeof(slot->error), "%s", why);
	}
	timer_start(&slot->retry, slot->backoff_ms);
	slot->backoff_ms *= 2;
	if (slot->backoff_ms > BACKOFF_MAX_MS)
		slot->backoff_ms = BACKOFF_MAX_MS;
	if (error == -ESTALE)
		held_is_stale(slot->held);
	else if (peer && peer->out)
		control_probe(peer->out);
}

/* The socket is armed and answered for: the kernel's from now on. */
static void slot_open(struct conn *conn)
{
	struct sdv_lane_info info = { .epoch = conn->ours.epoch, .transport = conn->transport };
	struct lane_slot *slot = conn->owner;
	struct sdv_lane_info old = { 0 };
	char why[SDV_TEXT_SIZE];
	int fd, r;

	slot->conn = NULL;
	fd = conn_take_fd(conn);
	if (slot->is_up)
		lane_command(slot, SUPERDEV_CMD_LANE_DEL, &old);
	slot->is_up = false;
	info.fd = fd;
	SDV_SET(&info, SUPERDEV_A_LANE_EPOCH);
	SDV_SET(&info, SUPERDEV_A_LANE_FD);
	SDV_SET(&info, SUPERDEV_A_LANE_TRANSPORT);
	r = lane_command(slot, SUPERDEV_CMD_LANE_ADD, &info);
	if (r == -EEXIST && !lane_command(slot, SUPERDEV_CMD_LANE_DEL, &old))
		r = lane_command(slot, SUPERDEV_CMD_LANE_ADD, &info);
	close(fd);
	if (r < 0) {
		snprintf(why, sizeof(why), "the kernel does not take it: %.150s (%s)",
			 sdv_nl_error(slot->held->d->nl), strerror(-r));
		slot_failed(slot, r, why);
		return;
	}
	sdv_log(SDV_LOG_INFO, "lease %s/%s: lane %u up, epoch %u%s", slot->held->info.peer,
		slot->held->info.offer, slot->index, info.epoch,
		info.transport == SUPERDEV_TRANSPORT_CLEAR ? ", in clear" : "");
	slot->is_up = true;
	slot->backoff_ms = BACKOFF_MIN_MS;
	slot->error[0] = '\0';
}

static void slot_closed(struct conn *conn, int error, const char *why)
{
	struct lane_slot *slot = conn->owner;

	slot->conn = NULL;
	slot_failed(slot, error, why);
}

static const struct conn_ops slot_ops = {
	.open = slot_open,
	.closed = slot_closed,
};

static void slot_make(struct lane_slot *slot)
{
	struct held *held = slot->held;
	struct peer *peer = slot_peer(slot);
	struct hello hello = {
		.purpose = SUPERDEV_PURPOSE_LANE,
		.lease = held->info.number,
		.epoch = held->info.epoch,
		.index = slot->index,
	};
	const struct sockaddr *addr;
	char why[SDV_TEXT_SIZE];
	socklen_t len;
	int r;

	timer_stop(&slot->retry);
	/* Without a control connection nothing is agreed; peer.c sees to that first. */
	if (slot->conn || held->phase != HELD_UP || !peer || !peer_sockaddr(peer, &addr, &len))
		return;
	hello.transport = peer->info.transport;
	r = conn_connect(held->d, addr, len, peer->info.key, &hello, &slot_ops, slot, &slot->conn);
	if (r < 0) {
		snprintf(why, sizeof(why), "connect: %s", strerror(-r));
		slot_failed(slot, r, why);
	}
}

static void slot_due(struct timer *timer)
{
	struct lane_slot *slot = container_of(timer, struct lane_slot, retry);

	slot_make(slot);
}

static void slot_stop(struct lane_slot *slot)
{
	timer_stop(&slot->retry);
	if (slot->conn)
		conn_close(slot->conn);
	slot->conn = NULL;
	slot->backoff_ms = BACKOFF_MIN_MS;
}

/* Of a lease ------------------------------------------------------------- */

void lanes_init(struct held *held)
{
	for (uint32_t i = 0; i < SUPERDEV_MAX_LANES; i++) {
		held->lanes[i].held = held;
		held->lanes[i].index = i;
		held->lanes[i].backoff_ms = BACKOFF_MIN_MS;
		timer_init(&held->lanes[i].retry, &held->d->timers, slot_due);
	}
}

void lanes_make(struct held *held)
{
	for (unsigned int i = 0; i < held->nr_lanes; i++)
		if (!held->lanes[i].is_up)
			slot_make(&held->lanes[i]);
}

void lanes_renew(struct held *held)
{
	for (unsigned int i = 0; i < held->nr_lanes; i++) {
		slot_stop(&held->lanes[i]);
		slot_make(&held->lanes[i]);
	}
}

void lanes_stop(struct held *held)
{
	for (unsigned int i = 0; i < SUPERDEV_MAX_LANES; i++)
		slot_stop(&held->lanes[i]);
}

/* From the kernel -------------------------------------------------------- */

struct lane_dump {
	unsigned int count;
	struct sdv_lane_info lanes[];
};

static void take_lane(void *arg, const struct sdv_event *event)
{
	struct lane_dump *dump = arg;

	if (dump->count < DUMP_MAX)
		dump->lanes[dump->count++] = event->lane;
}

static struct lane_dump *dump_lanes(struct daemon *d)
{
	struct lane_dump *dump = malloc(sizeof(*dump) + DUMP_MAX * sizeof(dump->lanes[0]));
	int r;

	if (!dump)
		return NULL;
	dump->count = 0;
	r = sdv_nl_dump(d->nl, SUPERDEV_CMD_LANE_GET, take_lane, dump);
	if (r < 0) {
		sdv_log(SDV_LOG_ERR, "lanes: %s (%s)", sdv_nl_error(d->nl), strerror(-r));
		free(dump);
		return NULL;
	}
	return dump;
}

void lanes_sync(struct daemon *d)
{
	struct lane_dump *dump = dump_lanes(d);

	if (!dump) {
		timer_start(&d->lane_watch->sync, BACKOFF_MAX_MS);
		return;
	}
	list_for_each(held, &d->helds, struct held, node) {
		bool is_up[SUPERDEV_MAX_LANES] = { false };

		for (unsigned int i = 0; i < dump->count; i++)
			if (dump->lanes[i].lease == held->info.id &&
			    dump->lanes[i].index < SUPERDEV_MAX_LANES)
				is_up[dump->lanes[i].index] = true;
		for (unsigned int i = 0; i < SUPERDEV_MAX_LANES; i++)
			held->lanes[i].is_up = is_up[i];
		lanes_make(held);
	}
	free(dump);
}

/*
 * A notification may be older than the lane that is at its index by now: so it
 * only says that it is time to look, once for all that come together.
 */
void lane_down(struct daemon *d, const struct sdv_lane_info *info)
{
	struct held *held = held_by_id(d, info->lease);
	struct peer *peer = held ? peer_by_name(d, held->info.peer) : NULL;

	if (!held)
		return;
	sdv_log(SDV_LOG_INFO, "lease %s/%s: lane %u down: %s", held->info.peer, held->info.offer, info->index,
		info->error[0] ? info->error : "closed");
	if (peer && !peer->out)
		peer_dial_now(peer);
	timer_start(&d->lane_watch->sync, 0);
}

static void sync_due(struct timer *timer)
{
	struct lane_watch *watch = container_of(timer, struct lane_watch, sync);

	lanes_sync(watch->d);
}

static bool is_worn(const struct sdv_lane_info *info)
{
	return info->tx_frames * 2 + info->tx_bytes / RECORD_SIZE > RECORDS_MAX ||
	       info->rx_frames * 2 + info->rx_bytes / RECORD_SIZE > RECORDS_MAX;
}

static void wear_due(struct timer *timer)
{
	struct lane_watch *watch = container_of(timer, struct lane_watch, wear);
	struct lane_dump *dump;

	timer_start(timer, WEAR_CHECK_MS);
	if (list_is_empty(&watch->d->helds))
		return;
	dump = dump_lanes(watch->d);
	for (unsigned int i = 0; dump && i < dump->count; i++) {
		const struct sdv_lane_info *info = &dump->lanes[i];
		struct held *held = held_by_id(watch->d, info->lease);

		if (!held || info->index >= held->nr_lanes || info->transport != SUPERDEV_TRANSPORT_TLS ||
		    !is_worn(info))
			continue;
		sdv_log(SDV_LOG_INFO, "lease %s/%s: lane %u: its key has served long enough", held->info.peer,
			held->info.offer, info->index);
		slot_make(&held->lanes[info->index]);
	}
	free(dump);
}

int lanes_open(struct daemon *d)
{
	struct lane_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	watch->d = d;
	timer_init(&watch->wear, &d->timers, wear_due);
	timer_init(&watch->sync, &d->timers, sync_due);
	timer_start(&watch->wear, WEAR_CHECK_MS);
	d->lane_watch = watch;
	return 0;
}

void lanes_close(struct daemon *d)
{
	if (!d->lane_watch)
		return;
	timer_stop(&d->lane_watch->wear);
	timer_stop(&d->lane_watch->sync);
	free(d->lane_watch);
	d->lane_watch = NULL;
}
