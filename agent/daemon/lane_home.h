/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lane_home.h: the lanes of held leases: made, made anew, handed to the kernel.
 */
#ifndef SDV_LANE_HOME_H
#define SDV_LANE_HOME_H

#include "conn.h"

struct held;

/**
 * struct lane_slot - one index of a lease
 * @is_up:	the kernel has a lane there
 * @conn:	the next one, being set up
 */
struct lane_slot {
	struct held *held;
	uint32_t index;
	bool is_up;
	struct conn *conn;
	struct timer retry;
	unsigned int backoff_ms;
	char error[SDV_TEXT_SIZE]; /* last logged */
};

void lanes_init(struct held *held);
/* Makes those of the lease that are missing. */
void lanes_make(struct held *held);
/* Replaces all: make before break. */
void lanes_renew(struct held *held);
/* No more attempts; those that are up stay. */
void lanes_stop(struct held *held);

/* From the kernel: a lane went down; what is up, of all leases. */
void lane_down(struct daemon *d, const struct sdv_lane_info *info);
void lanes_sync(struct daemon *d);

/* Looks at what lanes carried, now and then: keys wear out. */
int lanes_open(struct daemon *d);
void lanes_close(struct daemon *d);

#endif
