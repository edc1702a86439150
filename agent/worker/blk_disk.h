/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blk_disk.h: what the lent disk is like.
 *
 * Looked at by root before the sandbox is entered, and told to home, whose
 * block layer then keeps to it; blk.c checks every request against it all the
 * same.
 */
#ifndef SDV_BLK_DISK_H
#define SDV_BLK_DISK_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct sdv_disk - a block device or a regular file that stands for one
 *
 * Sizes in bytes; the members are attributes of the blk-config set.
 * @is_block:	a block device
 * @is_punchable: a file whose file system can punch holes
 */
struct sdv_disk {
	bool is_block;
	bool is_punchable;
	uint64_t size;
	uint32_t logical_block;
	uint32_t physical_block;
	uint32_t io_min;
	uint32_t io_opt;
	uint32_t max_discard;
	uint32_t discard_granularity;
	uint32_t max_zeroes;
	bool has_write_cache;
	bool is_rotational;
	bool is_read_only;
};

int sdv_disk_look(struct sdv_disk *ret_disk, int fd, bool is_read_only);
int sdv_disk_size(uint64_t *ret_size, const struct sdv_disk *disk, int fd);

#endif
