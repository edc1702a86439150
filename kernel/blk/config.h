/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config.h: the blk-config attributes of a lease, judged and turned into what
 * the block layer takes.  Called by main.c; config_test.c tries each refusal.
 */
#ifndef _SUPERDEV_BLK_CONFIG_H
#define _SUPERDEV_BLK_CONFIG_H

#include <linux/blkdev.h>
#include <linux/types.h>

/* More in flight in one hardware queue than this gains nothing, and costs. */
#define SDV_BLK_MAX_DEPTH	4096
/* Segments of one request: a page each in the largest. */
#define SDV_BLK_MAX_SEGMENTS	256

/**
 * struct sdv_blk_config - a disk as its lender describes it
 *
 * Fields are the attributes of the blk-config set, with defaults filled in.
 */
struct sdv_blk_config {
	u64 size;
	u32 logical_block;
	u32 physical_block;
	u32 io_min;
	u32 io_opt;
	u32 max_io;
	u32 max_discard;
	u32 discard_granularity;
	u32 max_zeroes;
	u32 queue_depth;
	u32 queues;
	bool has_write_cache;
	bool is_rotational;
	bool is_read_only;
};

int sdv_blk_config_parse(const void *attrs, size_t len, struct sdv_blk_config *ret_config,
			 const char **ret_why);
int sdv_blk_config_fits(const struct sdv_blk_config *now, const struct sdv_blk_config *then,
			const char **ret_why);
void sdv_blk_config_limits(const struct sdv_blk_config *config, struct queue_limits *ret_lim);

#endif /* _SUPERDEV_BLK_CONFIG_H */
