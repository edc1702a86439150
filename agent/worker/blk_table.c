// SPDX-License-Identifier: GPL-2.0-or-later
/* blk_table.c: which writes were done, so that asking again is harmless.  See blk_table.h. */
#include "blk_table.h"

bool sdv_blk_tag_is_valid(uint32_t tag)
{
	return tag >> 16 < SDV_WORKER_QUEUES && (tag & 0xffff) < SDV_WORKER_DEPTH;
}

static struct sdv_blk_tag *tag_of(struct sdv_blk_table *table, const struct sdv_request *request)
{
	uint32_t tag = request->head.tag;

	return &table->tags[(tag >> 16) * SDV_WORKER_DEPTH + (tag & 0xffff)];
}

/**
 * sdv_blk_table_begin - a request that changes the disk, with its whole payload, is here
 * @request:	of a valid tag
 *
 * Return: see enum sdv_blk_verdict.  With SDV_BLK_RUN and SDV_BLK_CONFLICT the
 * request is still the caller's, with the others it is no more.
 */
enum sdv_blk_verdict sdv_blk_table_begin(struct sdv_blk_table *table, struct sdv_request *request)
{
	struct sdv_blk_tag *tag = tag_of(table, request);
	uint64_t seq = request->head.seq;

	if (seq < tag->seq) {
		sdv_request_put(request);
		return SDV_BLK_OLD;
	}
	if (tag->state == SDV_TAG_RUNNING && seq == tag->seq) {
		/*
		 * Which of the lanes it came on home still listens to is not known
		 * here, so each arrival gets an answer on its own lane.
		 */
		request->next = tag->running->twins;
		tag->running->twins = request;
		return SDV_BLK_TWIN;
	}
	if (tag->state == SDV_TAG_DONE && seq == tag->seq) {
		sdv_request_reply(request, tag->status, 0);
		return SDV_BLK_ANSWERED;
	}
	/*
	 * Home may use a tag again only when its last request was answered.  If
	 * this ran now, the older write could land on top of it.
	 */
	if (tag->state == SDV_TAG_RUNNING)
		return SDV_BLK_CONFLICT;
	*tag = (struct sdv_blk_tag){ .state = SDV_TAG_RUNNING, .seq = seq, .running = request };
	return SDV_BLK_RUN;
}

/**
 * sdv_blk_table_end - a request that was begun is finished: answers it and its twins
 * @status:	enum superdev_status
 * @is_done:	remember the status; else the same request may run once more
 */
void sdv_blk_table_end(struct sdv_blk_table *table, struct sdv_request *request, uint32_t status,
		       bool is_done)
{
	struct sdv_blk_tag *tag = tag_of(table, request);
	struct sdv_request *twin = request->twins;

	tag->state = is_done ? SDV_TAG_DONE : SDV_TAG_IDLE;
	tag->status = status;
	tag->running = NULL;
	request->twins = NULL;
	sdv_request_reply(request, status, 0);
	while (twin) {
		struct sdv_request *next = twin->next;

		sdv_request_reply(twin, status, 0);
		twin = next;
	}
}
