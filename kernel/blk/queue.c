// SPDX-License-Identifier: GPL-2.0-only
/*
 * queue.c: requests of a borrowed disk, from the block layer to a lane and back.
 *
 * A request that was accepted is sent on some lane.  When the lane dies before
 * the answer came, or none is up, it is parked with its tag and its sequence
 * number, and sent again as a replay.  So it ends in one of two ways only: it
 * was answered and its message came back, or the disk died while it was parked.
 */
#include <linux/blk-mq.h>
#include <linux/bvec.h>
#include <linux/slab.h>
#include "blk.h"

/* Whoever starves the lender of memory should not do so in a tight loop. */
#define RETRY_MS	100

static struct request *to_rq(struct sdv_blk_req *req)
{
	return blk_mq_rq_from_pdu(req);
}

static struct sdv_blk_queue *req_queue(struct sdv_blk_req *req)
{
	return to_rq(req)->mq_hctx->driver_data;
}

static bool is_read(const struct sdv_blk_req *req)
{
	return req->msg.hdr.op == SUPERDEV_BLK_READ;
}

/* Ending ------------------------------------------------------------------- */

static void free_bvecs(struct sdv_blk *blk, struct sdv_blk_req *req)
{
	if (req->bvecs && req->bvecs != req->inline_bvecs)
		mempool_free(req->bvecs, blk->bvec_pool);
	req->bvecs = NULL;
}

/*
 * No lane has anything to do with @req any more.  The slot is emptied first: the
 * block layer may use the tag again at once.
 */
static void req_end(struct sdv_blk_queue *queue, struct sdv_blk_req *req, blk_status_t status)
{
	unsigned int index = sdv_blk_tag_index(le32_to_cpu(req->msg.hdr.tag));
	struct request *rq = to_rq(req);

	spin_lock(&queue->lock);
	queue->slots[index].req = NULL;
	spin_unlock(&queue->lock);
	free_bvecs(queue->blk, req);

	/* The lender is short of memory; that is for a while, and no error. */
	if (status == BLK_STS_RESOURCE) {
		blk_mq_requeue_request(rq, false);
		blk_mq_delay_kick_requeue_list(rq->q, RETRY_MS);
		return;
	}
	req->status = status;
	blk_mq_complete_request(rq);
}

static void complete_rq(struct request *rq)
{
	struct sdv_blk_req *req = blk_mq_rq_to_pdu(rq);

	blk_mq_end_request(rq, req->status);
}

static blk_status_t status_of(u32 status)
{
	switch (status) {
	case SUPERDEV_ST_OK:
		return BLK_STS_OK;
	case SUPERDEV_ST_NOSPC:
		return BLK_STS_NOSPC;
	case SUPERDEV_ST_NOTSUPP:
		return BLK_STS_NOTSUPP;
	case SUPERDEV_ST_NOMEM:
		return BLK_STS_RESOURCE;
	default:
		return BLK_STS_IOERR;
	}
}

/* What an answer means for the lender's volatile cache. */
static void account_answer(struct sdv_blk *blk, struct sdv_blk_req *req)
{
	if (!blk->config.has_write_cache || req->status)
		return;
	switch (req->msg.hdr.op) {
	case SUPERDEV_BLK_FLUSH:
		sdv_blk_cache_flushed(&blk->cache, req->flush);
		break;
	case SUPERDEV_BLK_WRITE:
	case SUPERDEV_BLK_ZEROES:
	case SUPERDEV_BLK_DISCARD:
		if (!(le16_to_cpu(req->msg.hdr.flags) & SUPERDEV_F_FUA))
			sdv_blk_cache_ack(&blk->cache);
	}
}

/* Sending ------------------------------------------------------------------ */

static void msg_sent(struct sdv_lane *lane, struct sdv_msg *msg, int error)
{
	struct sdv_blk_req *req = container_of(msg, struct sdv_blk_req, msg);
	struct sdv_blk_queue *queue = req_queue(req);
	blk_status_t status;
	bool is_over;

	/* Where the lane died, sdv_blk_lane_lost() comes next and parks the request. */
	spin_lock(&queue->lock);
	req->is_owned = false;
	is_over = req->is_answered;
	status = req->status;
	spin_unlock(&queue->lock);
	if (is_over)
		req_end(queue, req, status);
}

/*
 * Gives @req to a lane, to be pushed by the caller.
 * Return: the lane, with a reference, or NULL when none is up; in that case the
 * request is still the caller's.
 */
static struct sdv_lane *req_send(struct sdv_blk_queue *queue, struct sdv_blk_req *req)
{
	struct sdv_device *sdev = queue->blk->sdev;
	struct sdv_lane *lane;

	while ((lane = sdv_lane_get(sdev, queue->index))) {
		req->msg.payload = req->data;
		if (is_read(req) || !req->msg.hdr.length)
			iov_iter_bvec(&req->msg.payload, ITER_SOURCE, NULL, 0, 0);
		/* The answer may come before sdv_lane_send() returns. */
		spin_lock(&queue->lock);
		req->lane = lane;
		req->is_owned = true;
		spin_unlock(&queue->lock);
		if (!sdv_lane_send(lane, &req->msg, true))
			return lane;
		spin_lock(&queue->lock);
		req->lane = NULL;
		req->is_owned = false;
		spin_unlock(&queue->lock);
		sdv_lane_put(lane);
	}
	return NULL;
}

static void req_park(struct sdv_blk *blk, struct sdv_blk_req *req)
{
	spin_lock(&blk->park_lock);
	list_add_tail(&req->parked, &blk->parked);
	spin_unlock(&blk->park_lock);
}

/* Sends what waits for a lane, or ends it; in park_work and nowhere else. */
static void park_work(struct work_struct *work)
{
	struct sdv_blk *blk = container_of(work, struct sdv_blk, park_work);
	struct sdv_blk_req *req;
	LIST_HEAD(parked);

	spin_lock(&blk->park_lock);
	list_splice_init(&blk->parked, &parked);
	spin_unlock(&blk->park_lock);

	while ((req = list_first_entry_or_null(&parked, struct sdv_blk_req, parked))) {
		struct sdv_blk_queue *queue = req_queue(req);
		struct sdv_lane *lane;

		list_del_init(&req->parked);
		if (READ_ONCE(blk->is_dead)) {
			req_end(queue, req, BLK_STS_OFFLINE);
			continue;
		}
		if (req->msg.hdr.op == SUPERDEV_BLK_FLUSH &&
		    sdv_blk_cache_take_loss(&blk->cache)) {
			req_end(queue, req, BLK_STS_IOERR);
			continue;
		}
		lane = req_send(queue, req);
		if (!lane) {
			list_add(&req->parked, &parked);
			break;
		}
		sdv_lane_push(lane);
		sdv_lane_put(lane);
	}
	if (list_empty(&parked))
		return;

	spin_lock(&blk->park_lock);
	list_splice(&parked, &blk->parked);
	spin_unlock(&blk->park_lock);
	sdv_blk_unpark(blk);
}

/**
 * sdv_blk_unpark() - look at the parked requests again
 * @blk:	the disk
 *
 * To be called when a lane came up, when the disk died, and after a request was
 * parked: either this sees what changed, or who changed it sees the request.
 *
 * Context: any.
 */
void sdv_blk_unpark(struct sdv_blk *blk)
{
	struct sdv_lane *lane = NULL;

	/* Between parking and looking, and between a change and looking for the parked. */
	smp_mb();
	if (!READ_ONCE(blk->is_dead)) {
		lane = sdv_lane_get(blk->sdev, 0);
		if (!lane)
			return;
		sdv_lane_put(lane);
	}
	queue_work(sdv_blk_wq, &blk->park_work);
}

/**
 * sdv_blk_lane_lost() - send again what a lane left unanswered
 * @blk:	the disk
 * @lane:	a lane that is down: none of its callbacks run any more
 */
void sdv_blk_lane_lost(struct sdv_blk *blk, struct sdv_lane *lane)
{
	unsigned int q, i;

	for (q = 0; q < blk->tag_set.nr_hw_queues; q++) {
		struct sdv_blk_queue *queue = &blk->queues[q];

		spin_lock(&queue->lock);
		for (i = 0; i < blk->tag_set.queue_depth; i++) {
			struct sdv_blk_req *req = queue->slots[i].req;

			/* Owned still: its sender is about to be refused. */
			if (!req || req->lane != lane || req->is_owned || req->is_answered)
				continue;
			req->lane = NULL;
			req->msg.hdr.flags |= cpu_to_le16(SUPERDEV_F_REPLAY);
			req_park(blk, req);
		}
		spin_unlock(&queue->lock);
	}
	sdv_blk_unpark(blk);
}

static void push_all(struct sdv_blk_queue *queue)
{
	unsigned int i;

	for (i = 0; READ_ONCE(queue->unpushed) && i < SUPERDEV_MAX_LANES; i++) {
		struct sdv_lane *lane;

		if (!test_and_clear_bit(i, &queue->unpushed))
			continue;
		/* Any other lane that comes back for @i does no harm. */
		lane = sdv_lane_get(queue->blk->sdev, i);
		if (!lane)
			continue;
		sdv_lane_push(lane);
		sdv_lane_put(lane);
	}
}

/* From the block layer ------------------------------------------------------- */

/* Sets req->data to all pages of the request. */
static blk_status_t map_data(struct sdv_blk *blk, struct sdv_blk_req *req)
{
	struct request *rq = to_rq(req);
	unsigned int dir = is_read(req) ? ITER_DEST : ITER_SOURCE;
	struct bio *bio = rq->bio;
	struct req_iterator rq_iter;
	struct bio_vec bvec;
	unsigned int n = 0;

	if (bio == rq->biotail) {
		const struct bio_vec *first = __bvec_iter_bvec(bio->bi_io_vec, bio->bi_iter);
		struct bvec_iter iter;

		bio_for_each_bvec(bvec, bio, iter)
			n++;
		iov_iter_bvec(&req->data, dir, first, n, bio->bi_iter.bi_size);
		req->data.iov_offset = mp_bvec_iter_offset(bio->bi_io_vec, bio->bi_iter) -
				       first->bv_offset;
		return BLK_STS_OK;
	}

	rq_for_each_bvec(bvec, rq, rq_iter)
		n++;
	if (n > SDV_BLK_MAX_SEGMENTS)
		return BLK_STS_IOERR;
	req->bvecs = req->inline_bvecs;
	if (n > SDV_BLK_INLINE_BVECS)
		req->bvecs = mempool_alloc(blk->bvec_pool, GFP_NOWAIT | __GFP_NOWARN);
	/* Whoever has the last of the pool is on its way, and we are asked again. */
	if (!req->bvecs)
		return BLK_STS_RESOURCE;
	n = 0;
	rq_for_each_bvec(bvec, rq, rq_iter)
		req->bvecs[n++] = bvec;
	iov_iter_bvec(&req->data, dir, req->bvecs, n, blk_rq_bytes(rq));
	return BLK_STS_OK;
}

/* The frame that asks for @rq, all but its tag and seq. */
static blk_status_t map_request(struct sdv_blk *blk, struct sdv_blk_req *req)
{
	struct request *rq = to_rq(req);
	struct superdev_frame *hdr = &req->msg.hdr;
	u16 flags = 0;

	req->bvecs = NULL;
	req->msg.sent = msg_sent;
	memset(hdr, 0, sizeof(*hdr));
	hdr->offset = cpu_to_le64((u64)blk_rq_pos(rq) << SECTOR_SHIFT);
	hdr->count = cpu_to_le32(blk_rq_bytes(rq));
	if (rq->cmd_flags & REQ_FUA)
		flags |= SUPERDEV_F_FUA;

	switch (req_op(rq)) {
	case REQ_OP_READ:
		hdr->op = SUPERDEV_BLK_READ;
		return map_data(blk, req);
	case REQ_OP_WRITE:
		hdr->op = SUPERDEV_BLK_WRITE;
		hdr->length = hdr->count;
		hdr->flags = cpu_to_le16(flags);
		return map_data(blk, req);
	case REQ_OP_FLUSH:
		hdr->op = SUPERDEV_BLK_FLUSH;
		hdr->offset = 0;
		hdr->count = 0;
		return BLK_STS_OK;
	case REQ_OP_DISCARD:
		hdr->op = SUPERDEV_BLK_DISCARD;
		return BLK_STS_OK;
	case REQ_OP_WRITE_ZEROES:
		hdr->op = SUPERDEV_BLK_ZEROES;
		if (rq->cmd_flags & REQ_NOUNMAP)
			flags |= SUPERDEV_F_NOUNMAP;
		hdr->flags = cpu_to_le16(flags);
		return BLK_STS_OK;
	default:
		return BLK_STS_NOTSUPP;
	}
}

static blk_status_t queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct sdv_blk_req *req = blk_mq_rq_to_pdu(bd->rq);
	struct sdv_blk_queue *queue = hctx->driver_data;
	struct sdv_blk *blk = queue->blk;
	struct sdv_blk_slot *slot = &queue->slots[bd->rq->tag];
	bool is_last = bd->last;
	struct sdv_lane *lane;
	blk_status_t status;

	if (READ_ONCE(blk->is_dead))
		return BLK_STS_OFFLINE;
	status = map_request(blk, req);
	if (status)
		return status;
	if (req->msg.hdr.op == SUPERDEV_BLK_FLUSH) {
		if (sdv_blk_cache_take_loss(&blk->cache))
			return BLK_STS_IOERR;
		req->flush = sdv_blk_cache_flush(&blk->cache);
	}

	blk_mq_start_request(bd->rq);
	req->lane = NULL;
	req->is_owned = false;
	req->is_receiving = false;
	req->is_answered = false;
	req->status = BLK_STS_OK;
	req->msg.hdr.tag = cpu_to_le32(sdv_blk_tag(queue->index, bd->rq->tag));
	req->msg.hdr.seq = cpu_to_le64(++slot->seq);
	spin_lock(&queue->lock);
	slot->req = req;
	spin_unlock(&queue->lock);

	lane = req_send(queue, req);
	if (!lane) {
		req_park(blk, req);
		sdv_blk_unpark(blk);
		return BLK_STS_OK;
	}
	if (is_last) {
		sdv_lane_push(lane);
		push_all(queue);
	} else {
		set_bit(sdv_lane_index(lane), &queue->unpushed);
	}
	sdv_lane_put(lane);
	return BLK_STS_OK;
}

static void commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	push_all(hctx->driver_data);
}

/*
 * A request is never ended while a lane or the lender may still touch its pages.
 * A lane that took too long is replaced instead, and its requests are replayed;
 * a request without lane waits, for as long as the lease is held.
 */
static enum blk_eh_timer_return timed_out(struct request *rq)
{
	struct sdv_blk_req *req = blk_mq_rq_to_pdu(rq);
	struct sdv_blk_queue *queue = req_queue(req);

	/* While a request is in its slot, the lane that it names is there. */
	spin_lock(&queue->lock);
	if (queue->slots[rq->tag].req == req && req->lane)
		sdv_lane_kill(req->lane, -ETIMEDOUT);
	spin_unlock(&queue->lock);
	return BLK_EH_RESET_TIMER;
}

static int init_hctx(struct blk_mq_hw_ctx *hctx, void *data, unsigned int index)
{
	struct sdv_blk *blk = data;

	hctx->driver_data = &blk->queues[index];
	return 0;
}

const struct blk_mq_ops sdv_blk_mq_ops = {
	.queue_rq	= queue_rq,
	.commit_rqs	= commit_rqs,
	.complete	= complete_rq,
	.timeout	= timed_out,
	.init_hctx	= init_hctx,
};

/* From the lanes ------------------------------------------------------------- */

static int lane_header(struct sdv_device *sdev, struct sdv_lane *lane,
		       const struct superdev_frame *hdr,
		       struct iov_iter *ret_payload, void **ret_cookie)
{
	struct sdv_blk *blk = dev_get_drvdata(&sdev->dev);
	u32 tag = le32_to_cpu(hdr->tag);
	struct sdv_blk_req *req = NULL;
	struct sdv_blk_queue *queue;
	int error = -EPROTO;

	if (sdv_blk_tag_queue(tag) >= blk->tag_set.nr_hw_queues ||
	    sdv_blk_tag_index(tag) >= blk->tag_set.queue_depth)
		goto out;
	queue = &blk->queues[sdv_blk_tag_queue(tag)];
	spin_lock(&queue->lock);
	req = queue->slots[sdv_blk_tag_index(tag)].req;
	if (req && req->lane == lane && !req->is_receiving && !req->is_answered)
		error = sdv_blk_reply_check(hdr, &req->msg.hdr);
	if (!error)
		req->is_receiving = true;
	spin_unlock(&queue->lock);
	if (!error) {
		*ret_payload = req->data;
		*ret_cookie = req;
	}
out:
	if (error == -EPROTO)
		dev_warn_ratelimited(&sdev->dev,
				     "'%s' answered what was not asked (tag %#x, op %u)\n",
				     sdev->peer, tag, hdr->op);
	return error;
}

static void lane_done(struct sdv_device *sdev, struct sdv_lane *lane,
		      const struct superdev_frame *hdr, void *cookie, int error)
{
	struct sdv_blk_req *req = cookie;
	struct sdv_blk_queue *queue = req_queue(req);
	blk_status_t status = status_of(le32_to_cpu(hdr->status));
	bool is_over;

	spin_lock(&queue->lock);
	req->is_receiving = false;
	if (!error) {
		req->is_answered = true;
		req->status = status;
		account_answer(queue->blk, req);
	}
	is_over = req->is_answered && !req->is_owned;
	spin_unlock(&queue->lock);
	if (is_over)
		req_end(queue, req, status);
}

const struct sdv_lane_ops sdv_blk_lane_ops = {
	.header	= lane_header,
	.done	= lane_done,
};

/* Tables of the tags --------------------------------------------------------- */

/**
 * sdv_blk_queues_alloc() - tables for the queues of a disk
 * @blk:	its tag_set says how many and how deep
 *
 * Return: 0 or -ENOMEM; sdv_blk_queues_free() is to follow either way.
 */
int sdv_blk_queues_alloc(struct sdv_blk *blk)
{
	unsigned int i;

	spin_lock_init(&blk->park_lock);
	INIT_LIST_HEAD(&blk->parked);
	INIT_WORK(&blk->park_work, park_work);
	for (i = 0; i < blk->tag_set.nr_hw_queues; i++) {
		struct sdv_blk_queue *queue = &blk->queues[i];

		queue->blk = blk;
		queue->index = i;
		spin_lock_init(&queue->lock);
		queue->slots = kvcalloc(blk->tag_set.queue_depth, sizeof(*queue->slots),
					GFP_KERNEL);
		if (!queue->slots)
			return -ENOMEM;
	}
	return 0;
}

void sdv_blk_queues_free(struct sdv_blk *blk)
{
	unsigned int i;

	for (i = 0; i < blk->tag_set.nr_hw_queues; i++)
		kvfree(blk->queues[i].slots);
}
