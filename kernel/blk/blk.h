/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * blk.h: a borrowed disk, shared by main.c (device and life) and queue.c
 * (requests).
 */
#ifndef _SUPERDEV_BLK_H
#define _SUPERDEV_BLK_H

#include <linux/blk-mq.h>
#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "bus.h"
#include "config.h"
#include "lane.h"
#include "track.h"

/* Requests of several bios need their segments in one array. */
#define SDV_BLK_INLINE_BVECS	8

/**
 * struct sdv_blk_req - the driver's part of a request
 *
 * The request belongs to the block layer again after blk_mq_complete_request(),
 * which is called once, when it was answered and its message was returned: until
 * then a lane may touch its pages.  Fields below @lane are protected by the lock
 * of the queue; the others are written by who starts the request.
 *
 * @msg:	the frame that asks; carries tag and seq, the same in every replay
 * @data:	pages of the request, from the start
 * @bvecs:	segments of @data where they are not those of a single bio; from
 *		the pool unless @inline_bvecs
 * @flush:	number of a flush, see struct sdv_blk_cache
 * @parked:	in sdv_blk.parked, when it is on no lane
 * @lane:	the lane that it was sent on and that may answer; no reference,
 *		lane_down() clears it before the lane goes
 * @is_owned:	the lane has the message, or is about to get it
 * @is_receiving: between header() and done()
 * @is_answered: the reply came, with @status
 * @status:	what the request ends with
 */
struct sdv_blk_req {
	struct sdv_msg		msg;
	struct iov_iter		data;
	struct bio_vec		*bvecs;
	struct bio_vec		inline_bvecs[SDV_BLK_INLINE_BVECS];
	s64			flush;
	struct list_head	parked;
	struct sdv_lane		*lane;
	bool			is_owned;
	bool			is_receiving;
	bool			is_answered;
	blk_status_t		status;
};

/**
 * struct sdv_blk_slot - one tag
 * @seq:	uses so far
 * @req:	the request that has the tag, from its start to its end
 */
struct sdv_blk_slot {
	u64			seq;
	struct sdv_blk_req	*req;
};

/**
 * struct sdv_blk_queue - a hardware queue
 * @lock:	protects @slots and the state of their requests; taken in lane
 *		callbacks and submission, never with interrupts off
 * @unpushed:	bit per lane that got frames which nobody pushed yet
 * @slots:	by tag
 */
struct sdv_blk_queue {
	struct sdv_blk		*blk;
	unsigned int		index;
	spinlock_t		lock;	/* see above */
	unsigned long		unpushed;
	struct sdv_blk_slot	*slots;
};

/**
 * struct sdv_blk - a borrowed disk; freed with its gendisk
 * @config:	what the disk promises; @config.size may change, under lane_mutex
 * @is_dead:	new requests and those without a lane end with ENODEV; never reset
 * @park_lock:	protects @parked; taken inside a queue's lock
 * @parked:	requests that wait for a lane, oldest first
 * @park_work:	sends, or ends, what is parked
 * @boot:	boot identity of the lender that the cache is of; lane_mutex
 * @cache:	acknowledged writes that the lender could lose
 */
struct sdv_blk {
	struct sdv_device	*sdev;
	struct gendisk		*disk;
	struct blk_mq_tag_set	tag_set;
	struct sdv_blk_config	config;
	bool			is_dead;
	spinlock_t		park_lock; /* see above */
	struct list_head	parked;
	struct work_struct	park_work;
	u8			boot[16];
	struct sdv_blk_cache	cache;
	mempool_t		*bvec_pool;
	struct sdv_blk_queue	queues[];
};

extern struct kmem_cache *sdv_blk_bvec_cache;
extern struct workqueue_struct *sdv_blk_wq;

/* queue.c */
extern const struct blk_mq_ops sdv_blk_mq_ops;
extern const struct sdv_lane_ops sdv_blk_lane_ops;
int sdv_blk_queues_alloc(struct sdv_blk *blk);
void sdv_blk_queues_free(struct sdv_blk *blk);
void sdv_blk_lane_lost(struct sdv_blk *blk, struct sdv_lane *lane);
void sdv_blk_unpark(struct sdv_blk *blk);

#endif /* _SUPERDEV_BLK_H */
