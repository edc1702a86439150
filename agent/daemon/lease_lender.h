/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease_lender.h: leases that this machine lends, each with its worker.
 */
#ifndef SDV_LEASE_LENDER_H
#define SDV_LEASE_LENDER_H

#include "control.h"
#include "offer.h"
#include "peer.h"
#include "worker_ctl.h"

struct lent;

/* Control ops of a home. */
void lender_lease(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		  const void *payload);
void lender_resume(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		   const void *payload);
void lender_return(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		   const void *payload);
/* All that it wants to resume it has said on @conn. */
void lender_heard_all(struct peer *peer, struct conn *conn);
/* HELLO for PURPOSE_LANE; as conn_ops.hello. */
uint32_t lender_lane_hello(struct conn *conn, struct peer *peer, char *error, size_t error_size);

/*
 * Whether the lease that @conn's HELLO names is lent to who sent it, at that epoch,
 * and of class @class_name; NULL: of any.
 */
bool lender_holds(struct conn *conn, const char *class_name);
/* The offer that a lease is of; -ENOENT. */
int lender_offer(struct daemon *d, uint64_t number, struct sdv_offer_info *ret_info);
/* The guard has denied guests of a lease @more things; the kernel is told. */
void lender_denied(struct daemon *d, uint64_t number, uint64_t more);
void lender_each_number(struct daemon *d, bool (*fn)(struct daemon *d, uint64_t number));

/* From workers. */
void lender_worker_ready(struct lent *lent, const struct sdv_worker_msg *message);
void lender_worker_lane_down(struct lent *lent, uint32_t index, int error);
void lender_worker_config(struct lent *lent, const struct sdv_worker_msg *message);
void lender_worker_gone(struct lent *lent);

/* An offer is no longer pending; is withdrawn. */
void lender_offer_settled(struct offer *offer);
void lender_offer_removed(struct offer *offer);
void lender_peer_deleted(struct peer *peer);

/* From the kernel's registry. */
void lent_event(struct daemon *d, const struct sdv_lease_info *info);
void lent_deleted(struct daemon *d, uint32_t id);
void lents_unsee(struct daemon *d);
void lents_sweep(struct daemon *d);
bool lender_knows(struct daemon *d, uint64_t number);

/* The daemon ends; workers and leases stay. */
void lents_close(struct daemon *d);

#endif
