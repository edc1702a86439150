/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lent.h: a lease that this machine lends, as lease_lender.c and lent_conn.c know it.
 */
#ifndef SDV_LENT_H
#define SDV_LENT_H

#include "control.h"

struct helper;
struct worker;

enum lent_phase {
	LENT_IDLE, /* no worker */
	LENT_OPENING,
	LENT_STARTING,
	LENT_SAVING,
	LENT_UP,
};

struct lent {
	struct list node;
	struct daemon *d;
	uint32_t id; /* the kernel's; 0: it does not know yet */
	bool is_seen;
	char peer[SDV_NAME_SIZE], offer[SDV_NAME_SIZE], class_name[SDV_NAME_SIZE];
	uint8_t key[SUPERDEV_KEY_LEN];
	uint64_t number;
	uint32_t epoch;
	bool read_only;
	enum lent_phase phase;
	struct helper *opener;
	struct worker *worker;
	uint8_t config[SUPERDEV_CONFIG_LEN];
	size_t config_len;
	uint32_t lanes_wanted;
	uint32_t lanes;  /* bit by index */
	uint64_t denied; /* what its guests tried in vain, also while another agent looked */
	bool has_request;
	struct control_request request; /* answered when it is up, or fails */
	uint64_t heard_on;              /* connection on which home last asked for it */
};

/* @peer: NULL: whoever's. */
struct lent *lent_find(struct daemon *d, const char *peer, uint64_t number);
/* Tells the kernel which lanes are up. */
void lent_report_lanes(struct lent *lent);

#endif
