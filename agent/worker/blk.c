// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk.c: the worker of the blk class: one disk, read and written by home.
 *
 * Every request is checked against the disk before anything is done; one that
 * does not fit gets a status and harms nobody.  Operations of the ring do the
 * work; those that change the disk pass the table of blk_table.h first.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>

#include "blk_disk.h"
#include "blk_table.h"
#include "lane.h"

/* A process serves one lease, so there is one disk. */
static struct {
	struct sdv_disk disk;
	struct sdv_blk_table table;
} blk;

#define BACKING SDV_FIXED(SDV_SLOT_BACKING)

static int blk_open(struct sdv_worker *worker)
{
	int r = sdv_disk_look(&blk.disk, SDV_WORKER_FD_BACKING, worker->flags & SDV_WORKER_F_READ_ONLY);

	if (r)
		return r;
	blk.table = (struct sdv_blk_table){ 0 };
	worker->kinds = 1u << SDV_OP_READ_BUFFER;
	if (blk.disk.is_read_only)
		return 0;
	worker->kinds |= 1u << SDV_OP_WRITE_BUFFER | 1u << SDV_OP_FSYNC | 1u << SDV_OP_FALLOCATE;
	if (blk.disk.is_block)
		worker->kinds |= 1u << SDV_OP_DISCARD;
	return 0;
}

static int blk_config(struct sdv_worker *worker, void *data, size_t size)
{
	const struct sdv_disk *disk = &blk.disk;
	struct sdv_attr_writer w;

	(void)worker;
	sdv_attr_begin(&w, data, size);
	sdv_put_u64(&w, SUPERDEV_A_BLK_CONFIG_SIZE, disk->size);
	sdv_put_u32(&w, SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK, disk->logical_block);
	sdv_put_u32(&w, SUPERDEV_A_BLK_CONFIG_PHYSICAL_BLOCK, disk->physical_block);
	sdv_put_u32(&w, SUPERDEV_A_BLK_CONFIG_IO_MIN, disk->io_min);
	sdv_put_u32(&w, SUPERDEV_A_BLK_CONFIG_IO_OPT, disk->io_opt);
	sdv_put_u32(&w, SUPERDEV_A_BLK_CONFIG_MAX_IO, SUPERDEV_MAX_PAYLOAD);
	sdv_put_u32(&w, SUPERDEV_A_BLK_CONFIG_MAX_DISCARD, disk->max_discard);
	sdv_put_u32(&w, SUPERDEV_A_BLK_CONFIG_DISCARD_GRANULARITY, disk->discard_granularity);
	sdv_put_u32(&w, SUPERDEV_A_BLK_CONFIG_MAX_ZEROES, disk->max_zeroes);
	sdv_put_u8(&w, SUPERDEV_A_BLK_CONFIG_WRITE_CACHE, disk->has_write_cache);
	sdv_put_u8(&w, SUPERDEV_A_BLK_CONFIG_ROTATIONAL, disk->is_rotational);
	sdv_put_u8(&w, SUPERDEV_A_BLK_CONFIG_READ_ONLY, disk->is_read_only);
	sdv_put_u32(&w, SUPERDEV_A_BLK_CONFIG_QUEUE_DEPTH, SDV_WORKER_DEPTH);
	sdv_put_u32(&w, SUPERDEV_A_BLK_CONFIG_QUEUES, SDV_WORKER_QUEUES);
	return sdv_attr_end(&w);
}

/* A range of whole blocks within the disk, of at most @max bytes. */
static bool range_is_good(const struct sdv_head *head, uint32_t max)
{
	const struct sdv_disk *disk = &blk.disk;

	return head->count && head->count <= max && !(head->count % disk->logical_block) &&
	       !(head->offset % disk->logical_block) && head->offset <= disk->size &&
	       head->count <= disk->size - head->offset;
}

static uint32_t blk_check(struct sdv_worker *worker, struct sdv_request *request)
{
	const uint16_t any = SUPERDEV_F_REPLAY | SUPERDEV_F_CSUM;
	const struct sdv_disk *disk = &blk.disk;
	const struct sdv_head *head = &request->head;
	uint16_t flags = any;
	uint32_t max = 0;

	(void)worker;
	switch (head->op) {
	case SUPERDEV_BLK_READ: max = SUPERDEV_MAX_PAYLOAD; break;
	case SUPERDEV_BLK_WRITE:
		max = SUPERDEV_MAX_PAYLOAD;
		flags |= SUPERDEV_F_FUA;
		break;
	case SUPERDEV_BLK_FLUSH: break;
	case SUPERDEV_BLK_DISCARD: max = disk->max_discard; break;
	case SUPERDEV_BLK_ZEROES:
		max = disk->max_zeroes;
		flags |= SUPERDEV_F_NOUNMAP;
		break;
	default: return SUPERDEV_ST_NOTSUPP;
	}
	if (head->flags & ~flags || !sdv_blk_tag_is_valid(head->tag) ||
	    head->length != (head->op == SUPERDEV_BLK_WRITE ? head->count : 0))
		return SUPERDEV_ST_INVAL;
	if (disk->is_read_only && head->op != SUPERDEV_BLK_READ && head->op != SUPERDEV_BLK_FLUSH)
		return SUPERDEV_ST_ROFS;
	if (head->op == SUPERDEV_BLK_FLUSH)
		return SUPERDEV_ST_OK;
	if (!max)
		return SUPERDEV_ST_NOTSUPP;
	if (!range_is_good(head, max))
		return SUPERDEV_ST_INVAL;
	if (head->op == SUPERDEV_BLK_READ || head->op == SUPERDEV_BLK_WRITE)
		request->need = head->count;
	return SUPERDEV_ST_OK;
}

static void finish(struct sdv_request *request, uint32_t status)
{
	bool is_read = request->head.op == SUPERDEV_BLK_READ;

	if (is_read)
		sdv_request_reply(request, status, status == SUPERDEV_ST_OK ? request->head.count : 0);
	else
		sdv_blk_table_end(&blk.table, request, status, true);
}

/* The lender has no room to start it; nothing was done, home may ask again. */
static void refuse(struct sdv_request *request)
{
	if (request->head.op == SUPERDEV_BLK_READ)
		sdv_request_reply(request, SUPERDEV_ST_NOMEM, 0);
	else
		sdv_blk_table_end(&blk.table, request, SUPERDEV_ST_NOMEM, false);
}

static int start_zeroes(struct sdv_request *request, bool may_unmap)
{
	return sdv_op_fallocate(request->worker->loop, &request->op, BACKING,
				FALLOC_FL_KEEP_SIZE |
					(may_unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE),
				request->head.offset, request->head.count);
}

/* Starts, or goes on with, the request's operation. */
static int start(struct sdv_request *request)
{
	struct sdv_loop *loop = request->worker->loop;
	const struct sdv_head *head = &request->head;
	uint64_t offset = head->offset + request->done;
	uint32_t left = head->count - request->done;

	switch (head->op) {
	case SUPERDEV_BLK_READ:
		return sdv_op_read_buffer(loop, &request->op, BACKING, request->data + request->done, left,
					  offset);
	case SUPERDEV_BLK_WRITE:
		return sdv_op_write_buffer(loop, &request->op, BACKING, request->data + request->done, left,
					   offset, head->flags & SUPERDEV_F_FUA ? RWF_DSYNC : 0);
	case SUPERDEV_BLK_FLUSH: return sdv_op_fsync(loop, &request->op, BACKING, true);
	case SUPERDEV_BLK_DISCARD:
		if (blk.disk.is_block)
			return sdv_op_discard(loop, &request->op, BACKING, offset, left);
		return start_zeroes(request, true);
	default: return start_zeroes(request, !(head->flags & SUPERDEV_F_NOUNMAP));
	}
}

static void op_done(struct sdv_op *op, int result, bool more)
{
	struct sdv_request *request = (struct sdv_request *)((char *)op - offsetof(struct sdv_request, op));
	const struct sdv_head *head = &request->head;
	bool is_transfer = head->op == SUPERDEV_BLK_READ || head->op == SUPERDEV_BLK_WRITE;
	bool may_retry = false;

	(void)more;
	if (result == -EINTR || result == -EAGAIN) {
		may_retry = true;
	} else if (is_transfer && result > 0) {
		request->done += (uint32_t)result;
		may_retry = request->done < head->count;
	} else if (is_transfer && !result) {
		result = -EIO; /* the disk has become shorter */
	} else if (head->op == SUPERDEV_BLK_ZEROES && result == -EOPNOTSUPP &&
		   !(head->flags & SUPERDEV_F_NOUNMAP)) {
		/* It cannot unmap; then zeros are written. */
		if (start_zeroes(request, false))
			refuse(request);
		else
			request->head.flags |= SUPERDEV_F_NOUNMAP;
		return;
	}
	if (may_retry) {
		if (start(request))
			refuse(request);
		return;
	}
	finish(request, sdv_status_of_errno(result < 0 ? result : 0));
}

static void blk_run(struct sdv_worker *worker, struct sdv_request *request)
{
	(void)worker;
	request->op.done = op_done;
	if (request->head.op != SUPERDEV_BLK_READ) {
		switch (sdv_blk_table_begin(&blk.table, request)) {
		case SDV_BLK_RUN: break;
		case SDV_BLK_CONFLICT:
			sdv_lane_close(request->lane, -EPROTO);
			sdv_request_put(request);
			return;
		default: return;
		}
		/* Nothing was written that a flush could be about. */
		if (request->head.op == SUPERDEV_BLK_FLUSH && blk.disk.is_read_only) {
			finish(request, SUPERDEV_ST_OK);
			return;
		}
	}
	if (start(request))
		refuse(request);
}

static bool blk_tick(struct sdv_worker *worker)
{
	uint64_t size;

	(void)worker;
	if (sdv_disk_size(&size, &blk.disk, SDV_WORKER_FD_BACKING) || size == blk.disk.size)
		return false;
	blk.disk.size = size;
	return true;
}

const struct sdv_worker_class sdv_blk_class = {
	.name = "blk",
	.wire_class = SUPERDEV_CLASS_BLK,
	.needs_backing = true,
	.open = blk_open,
	.config = blk_config,
	.check = blk_check,
	.run = blk_run,
	.tick = blk_tick,
};
