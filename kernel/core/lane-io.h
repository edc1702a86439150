/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lane-io.h: a lane from inside, shared by lane.c (its life and its socket) and
 * lane-io.c (its frames).
 */
#ifndef _SUPERDEV_LANE_IO_H
#define _SUPERDEV_LANE_IO_H

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>
#include <net/sock.h>
#include "bus.h"
#include "frame.h"
#include "lane.h"

enum lane_flag {
	LANE_DEAD,
};

/* Messages in the order in which they are sent, linked by sdv_msg.node. */
struct msg_queue {
	struct llist_node *first;
	struct llist_node **last;
};

struct lane_callbacks {
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	void (*error_report)(struct sock *sk);
};

struct sdv_lane {
	struct sdv_device *sdev;	/* a reference on its dev */
	struct socket *sock;		/* a reference on its file */
	refcount_t refs;		/* the table's, and one per get */
	struct rcu_head rcu;
	struct sdv_frame_expect expect;
	u32 index;
	u32 transport;
	int cpu;
	unsigned long flags;		/* enum lane_flag */
	int reason;			/* valid with LANE_DEAD */
	struct completion is_down;
	struct work_struct io_work;
	struct work_struct down_work;
	struct lane_callbacks saved;	/* written under sk_callback_lock */

	struct llist_head submitted;

	/*
	 * send_mutex protects the fields below, and keeps sequences of
	 * MSG_MORE together.  Submitters take it by trylock only.
	 */
	struct mutex send_mutex;
	struct msg_queue pending;	/* the first may be partly sent */
	struct msg_queue corked;	/* sent, but pages lie in an open record */
	size_t header_sent;		/* of the first pending message */
	bool is_spliced;		/* pages of it were spliced */
	u64 tx_key_bytes;
	u64 tx_bytes;
	u64 tx_frames;

	/* Receiving: io_work alone, and down_work when that is over. */
	struct superdev_frame rx_header;
	size_t rx_have;			/* bytes of rx_header, or of the payload */
	bool rx_in_payload;
	struct xxh64_state rx_csum;
	struct iov_iter rx_payload;
	void *rx_cookie;
	const struct sdv_lane_ops *rx_ops;	/* since header() returned 0 */
	u64 rx_key_bytes;
	u64 rx_bytes;
	u64 rx_frames;
};

static inline bool lane_is_dead(const struct sdv_lane *lane)
{
	return test_bit(LANE_DEAD, &lane->flags);
}

static inline bool lane_is_tls(const struct sdv_lane *lane)
{
	return lane->transport == SUPERDEV_TRANSPORT_TLS;
}

void sdv_lane_io_init(struct sdv_lane *lane);
void sdv_lane_io_end(struct sdv_lane *lane);
void sdv_lane_io_wake(struct sdv_lane *lane);
int sdv_lane_io_start(void);
void sdv_lane_io_stop(void);

#endif /* _SUPERDEV_LANE_IO_H */
