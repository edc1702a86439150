// SPDX-License-Identifier: GPL-2.0-only
/*
 * config.c: judges the blk-config attributes that came from the lender.
 *
 * Whatever passes here must not make the block layer warn, divide by zero or
 * send a request that the wire cannot carry.
 */
#include <linux/log2.h>
#include <linux/minmax.h>
#include <net/netlink.h>
#include <uapi/superdev.h>
#include <uapi/superdev_wire.h>
#include "config.h"

static const struct nla_policy blk_policy[SUPERDEV_A_BLK_CONFIG_MAX + 1] = {
	[SUPERDEV_A_BLK_CONFIG_SIZE]			= { .type = NLA_U64 },
	[SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK]		= { .type = NLA_U32 },
	[SUPERDEV_A_BLK_CONFIG_PHYSICAL_BLOCK]		= { .type = NLA_U32 },
	[SUPERDEV_A_BLK_CONFIG_IO_MIN]			= { .type = NLA_U32 },
	[SUPERDEV_A_BLK_CONFIG_IO_OPT]			= { .type = NLA_U32 },
	[SUPERDEV_A_BLK_CONFIG_MAX_IO]			= { .type = NLA_U32 },
	[SUPERDEV_A_BLK_CONFIG_MAX_DISCARD]		= { .type = NLA_U32 },
	[SUPERDEV_A_BLK_CONFIG_DISCARD_GRANULARITY]	= { .type = NLA_U32 },
	[SUPERDEV_A_BLK_CONFIG_MAX_ZEROES]		= { .type = NLA_U32 },
	[SUPERDEV_A_BLK_CONFIG_WRITE_CACHE]		= { .type = NLA_U8 },
	[SUPERDEV_A_BLK_CONFIG_ROTATIONAL]		= { .type = NLA_U8 },
	[SUPERDEV_A_BLK_CONFIG_READ_ONLY]		= { .type = NLA_U8 },
	[SUPERDEV_A_BLK_CONFIG_QUEUE_DEPTH]		= { .type = NLA_U32 },
	[SUPERDEV_A_BLK_CONFIG_QUEUES]			= { .type = NLA_U32 },
};

static u32 get_u32(struct nlattr **tb, int type, u32 missing)
{
	return tb[type] ? nla_get_u32(tb[type]) : missing;
}

/* Return: 0, 1, or 2 for what is neither. */
static u8 get_bool(struct nlattr **tb, int type)
{
	return tb[type] ? min_t(u8, nla_get_u8(tb[type]), 2) : 0;
}

/* Return: what is wrong with the sizes of @c in words, or NULL. */
static const char *wrong_sizes(const struct sdv_blk_config *c)
{
	if (!is_power_of_2(c->logical_block) || c->logical_block < SECTOR_SIZE ||
	    c->logical_block > min_t(u32, PAGE_SIZE, SZ_4K))
		return "blk config: logical-block is no power of two from 512 to 4096";
	if (!is_power_of_2(c->physical_block) || c->physical_block < c->logical_block ||
	    c->physical_block > SZ_1M)
		return "blk config: physical-block is no power of two from logical-block to 1 MiB";
	if (!c->size || c->size > S64_MAX || c->size % c->logical_block)
		return "blk config: size is no multiple of logical-block";
	if (c->io_min % c->logical_block || c->io_opt % c->logical_block)
		return "blk config: io-min or io-opt is no multiple of logical-block";
	if (c->max_io < max_t(u32, PAGE_SIZE, SZ_4K) || c->max_io > SUPERDEV_MAX_PAYLOAD ||
	    c->max_io % c->logical_block)
		return "blk config: max-io is not whole blocks from one page to 1 MiB";
	return NULL;
}

static const char *wrong_limits(const struct sdv_blk_config *c)
{
	if (c->max_discard % c->logical_block || c->discard_granularity % c->logical_block)
		return "blk config: max-discard or discard-granularity is not whole blocks";
	/* The block layer would not split what is longer than max-discard. */
	if (c->max_discard && c->max_discard < max(c->discard_granularity, c->physical_block))
		return "blk config: max-discard is less than discard-granularity or physical-block";
	if (c->max_zeroes % c->logical_block)
		return "blk config: max-zeroes is not whole blocks";
	if (!c->queue_depth || c->queue_depth > SDV_BLK_MAX_DEPTH)
		return "blk config: queue-depth is not from 1 to 4096";
	if (!c->queues || c->queues > SUPERDEV_MAX_LANES)
		return "blk config: queues is not from 1 to 32";
	return NULL;
}

/**
 * sdv_blk_config_parse() - judge the attributes that describe a disk
 * @attrs:	attributes of the blk-config set
 * @len:	their length in bytes
 * @ret_config:	what they say
 * @ret_why:	in words, what is wrong
 *
 * Attributes of a newer set are passed over.
 *
 * Return: 0; -EBADMSG for what are no attributes of this set; -EINVAL for
 * values that no disk can have or this kernel cannot serve.
 */
int sdv_blk_config_parse(const void *attrs, size_t len, struct sdv_blk_config *ret_config,
			 const char **ret_why)
{
	struct nlattr *tb[SUPERDEV_A_BLK_CONFIG_MAX + 1];
	struct sdv_blk_config c;
	u8 cache, rotational, read_only;
	int error;

	error = __nla_parse(tb, SUPERDEV_A_BLK_CONFIG_MAX, attrs, len, blk_policy,
			    NL_VALIDATE_TRAILING | NL_VALIDATE_UNSPEC |
			    NL_VALIDATE_STRICT_ATTRS, NULL);
	if (error) {
		*ret_why = "blk config: malformed attributes";
		return -EBADMSG;
	}
	if (!tb[SUPERDEV_A_BLK_CONFIG_SIZE] || !tb[SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK] ||
	    !tb[SUPERDEV_A_BLK_CONFIG_MAX_IO] || !tb[SUPERDEV_A_BLK_CONFIG_QUEUE_DEPTH] ||
	    !tb[SUPERDEV_A_BLK_CONFIG_QUEUES]) {
		*ret_why = "blk config: size, block, max-io, queue-depth or queues is missing";
		return -EINVAL;
	}
	cache = get_bool(tb, SUPERDEV_A_BLK_CONFIG_WRITE_CACHE);
	rotational = get_bool(tb, SUPERDEV_A_BLK_CONFIG_ROTATIONAL);
	read_only = get_bool(tb, SUPERDEV_A_BLK_CONFIG_READ_ONLY);
	if (cache > 1 || rotational > 1 || read_only > 1) {
		*ret_why = "blk config: write-cache, rotational or read-only is neither 0 nor 1";
		return -EINVAL;
	}

	c = (struct sdv_blk_config) {
		.size = nla_get_u64(tb[SUPERDEV_A_BLK_CONFIG_SIZE]),
		.logical_block = nla_get_u32(tb[SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK]),
		.io_min = get_u32(tb, SUPERDEV_A_BLK_CONFIG_IO_MIN, 0),
		.io_opt = get_u32(tb, SUPERDEV_A_BLK_CONFIG_IO_OPT, 0),
		.max_io = nla_get_u32(tb[SUPERDEV_A_BLK_CONFIG_MAX_IO]),
		.max_discard = get_u32(tb, SUPERDEV_A_BLK_CONFIG_MAX_DISCARD, 0),
		.discard_granularity =
			get_u32(tb, SUPERDEV_A_BLK_CONFIG_DISCARD_GRANULARITY, 0),
		.max_zeroes = get_u32(tb, SUPERDEV_A_BLK_CONFIG_MAX_ZEROES, 0),
		.queue_depth = nla_get_u32(tb[SUPERDEV_A_BLK_CONFIG_QUEUE_DEPTH]),
		.queues = nla_get_u32(tb[SUPERDEV_A_BLK_CONFIG_QUEUES]),
		.has_write_cache = cache,
		.is_rotational = rotational,
		.is_read_only = read_only,
	};
	c.physical_block = get_u32(tb, SUPERDEV_A_BLK_CONFIG_PHYSICAL_BLOCK, c.logical_block);
	*ret_why = wrong_sizes(&c);
	if (!*ret_why)
		*ret_why = wrong_limits(&c);
	if (*ret_why)
		return -EINVAL;
	*ret_config = c;
	return 0;
}

/**
 * sdv_blk_config_fits() - can a disk that is plugged become another
 * @now:	what the plugged disk promises
 * @then:	what the lender says now
 * @ret_why:	in words, what does not fit
 *
 * Only the size may change in use.  Else @then must be able to do all that
 * @now promised; hints and what it could do beyond that have no effect until
 * the lease is taken anew.
 *
 * Return: 0, or -EINVAL.
 */
int sdv_blk_config_fits(const struct sdv_blk_config *now, const struct sdv_blk_config *then,
			const char **ret_why)
{
	if (then->logical_block != now->logical_block)
		*ret_why = "blk config: logical-block cannot change in use";
	else if (then->max_io < now->max_io)
		*ret_why = "blk config: max-io cannot shrink in use";
	else if (then->max_discard < now->max_discard ||
		 then->max_zeroes < now->max_zeroes)
		*ret_why = "blk config: max-discard and max-zeroes cannot shrink in use";
	else if (then->is_read_only && !now->is_read_only)
		*ret_why = "blk config: a disk cannot become read-only in use";
	else if (then->has_write_cache && !now->has_write_cache)
		*ret_why = "blk config: a write cache cannot be switched on in use";
	else if (then->queue_depth < now->queue_depth || then->queues < now->queues)
		*ret_why = "blk config: queue-depth and queues cannot shrink in use";
	else
		return 0;
	return -EINVAL;
}

/**
 * sdv_blk_config_limits() - what the block layer is told of a disk
 * @config:	a config that sdv_blk_config_parse() returned
 * @ret_lim:	for blk_mq_alloc_disk()
 */
void sdv_blk_config_limits(const struct sdv_blk_config *config, struct queue_limits *ret_lim)
{
	*ret_lim = (struct queue_limits) {
		.logical_block_size	= config->logical_block,
		.physical_block_size	= config->physical_block,
		.io_min			= config->io_min,
		.io_opt			= config->io_opt,
		.max_hw_sectors		= config->max_io >> SECTOR_SHIFT,
		.max_segments		= SDV_BLK_MAX_SEGMENTS,
		.max_segment_size	= UINT_MAX,
		.max_hw_discard_sectors	= config->max_discard >> SECTOR_SHIFT,
		.discard_granularity	= config->discard_granularity,
		.max_write_zeroes_sectors = config->max_zeroes >> SECTOR_SHIFT,
		/* Lanes in clear send a checksum of pages before the pages. */
		.features		= BLK_FEAT_STABLE_WRITES,
	};
	if (config->has_write_cache)
		ret_lim->features |= BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA;
	if (config->is_rotational)
		ret_lim->features |= BLK_FEAT_ROTATIONAL;
}
