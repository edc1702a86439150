/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease_home.h: leases that this machine holds: asking, resuming, giving back.
 */
#ifndef SDV_LEASE_HOME_H
#define SDV_LEASE_HOME_H

#include "control.h"
#include "lane_home.h"
#include "peer.h"

enum held_phase {
	HELD_IDLE, /* to be asked for or resumed when the lender is there */
	HELD_ASKING,
	HELD_LOADING, /* the class module */
	HELD_RESUMING,
	HELD_UP, /* agreed on, on the connection that there is or was last */
	HELD_RETURNING,
	HELD_OVER, /* refused or revoked; kept until a person deletes it */
};

struct held {
	struct list node;
	struct daemon *d;
	struct sdv_lease_info info; /* as the kernel last said, and what was agreed since */
	bool is_seen;
	enum held_phase phase;
	bool was_granted; /* the kernel has its device */
	struct timer retry;
	struct helper *loader;
	struct lane_slot lanes[SUPERDEV_MAX_LANES];
	unsigned int nr_lanes;
	char task_error[SDV_TEXT_SIZE]; /* last logged, task_home.c's */
};

/* A lane was refused as stale: the lender has to be asked how it stands. */
void held_is_stale(struct held *held);

void home_peer_online(struct peer *peer);
void home_peer_offline(struct peer *peer);
void home_peer_deleted(struct peer *peer);
void home_transport_changed(struct peer *peer);

/* Control ops of a lender. */
void home_revoked(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		  const void *payload);
void home_configured(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		     const void *payload);

/* From the kernel's registry. */
void held_event(struct daemon *d, const struct sdv_lease_info *info);
void held_deleted(struct daemon *d, uint32_t id);
void helds_unsee(struct daemon *d);
void helds_sweep(struct daemon *d);
struct held *held_by_id(struct daemon *d, uint32_t id);

/* The daemon ends; lanes and leases stay. */
void helds_close(struct daemon *d);

#endif
