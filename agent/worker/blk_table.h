/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blk_table.h: which writes were done, so that asking again is harmless.
 *
 * When a lane dies, home sends its requests again on another one, and can't
 * know which of them were done.  (tag, seq) tells: there is at most one request
 * of a tag at a time, and seq counts them.  Owned by blk.c; reads are not in it,
 * they simply run again.
 */
#ifndef SDV_BLK_TABLE_H
#define SDV_BLK_TABLE_H

#include "worker.h"

/* A tag is hardware queue << 16 | number within it. */
#define SDV_BLK_TAGS (SDV_WORKER_QUEUES * SDV_WORKER_DEPTH)

struct sdv_blk_tag {
	enum { SDV_TAG_IDLE, SDV_TAG_RUNNING, SDV_TAG_DONE } state;
	uint32_t status;
	uint64_t seq;
	struct sdv_request *running;
};

struct sdv_blk_table {
	struct sdv_blk_tag tags[SDV_BLK_TAGS];
};

enum sdv_blk_verdict {
	SDV_BLK_RUN,      /* new: run it, then sdv_blk_table_end() */
	SDV_BLK_TWIN,     /* runs already; will be answered with that one */
	SDV_BLK_ANSWERED, /* was done: has been answered from the record */
	SDV_BLK_OLD,      /* home has long had its answer; has been put */
	SDV_BLK_CONFLICT, /* an older request of the tag still runs: not allowed */
};

bool sdv_blk_tag_is_valid(uint32_t tag);
enum sdv_blk_verdict sdv_blk_table_begin(struct sdv_blk_table *table, struct sdv_request *request);
void sdv_blk_table_end(struct sdv_blk_table *table, struct sdv_request *request, uint32_t status,
		       bool is_done);

#endif
