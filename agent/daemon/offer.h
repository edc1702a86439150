/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * offer.h: what this machine lends, and what its peers announce.
 */
#ifndef SDV_OFFER_H
#define SDV_OFFER_H

#include "control.h"
#include "helper.h"
#include "peer.h"

/**
 * struct offer - an offer of this machine
 * @info:	as the kernel last said
 * @looker:	the child that looks at it, while it is pending
 * @is_ready:	announced to peers
 */
struct offer {
	struct list node;
	struct daemon *d;
	struct sdv_offer_info info;
	struct helper *looker;
	bool is_ready;
	bool is_seen;
};

struct offer *offer_by_name(struct daemon *d, const char *name);
bool offer_is_pending(const struct offer *offer);
/* Whether several homes may hold leases of it that can write. */
bool offer_is_shared(const struct offer *offer);
/* Looks at it again: what failed may be there now. */
void offer_look(struct offer *offer);

/* It was seen to have another size now. */
void offer_resized(struct offer *offer, uint64_t size);

/* From the kernel's registry. */
void offer_event(struct daemon *d, const struct sdv_offer_info *info);
void offer_deleted(struct daemon *d, const char *peer, const char *name);
void offers_unsee(struct daemon *d);
void offers_sweep(struct daemon *d);

/* To a home that has just connected. */
void offers_announce_all(struct conn *conn);

/* From a lender. */
void offer_announced(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		     const void *payload);
void offer_withdrawn(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		     const void *payload);
/* It has announced all that there is on this connection; the connection is gone;
 * it is offline for long or deleted; only our memory of them is to go. */
void offers_heard_all(struct peer *peer);
void offers_unhear(struct peer *peer);
void offers_forget(struct peer *peer);
void offers_unlink(struct peer *peer);

void offers_close(struct daemon *d);

#endif
