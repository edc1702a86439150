/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * track.h: rules of the blk class that need no block layer: tags, what a reply
 * may say, and which acknowledged writes a flush covers.  Used by queue.c;
 * track_test.c tries them alone.
 */
#ifndef _SUPERDEV_BLK_TRACK_H
#define _SUPERDEV_BLK_TRACK_H

#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <uapi/superdev_wire.h>

/* Tags are unique over all hardware queues, whatever lane a request takes. */
static inline u32 sdv_blk_tag(unsigned int queue, unsigned int index)
{
	return queue << 16 | index;
}

static inline unsigned int sdv_blk_tag_queue(u32 tag)
{
	return tag >> 16;
}

static inline unsigned int sdv_blk_tag_index(u32 tag)
{
	return tag & 0xffff;
}

/**
 * sdv_blk_reply_check() - does a header answer a request
 * @hdr:	a header that sdv_frame_check() passed
 * @asked:	the header that was sent
 *
 * Return: 0; -ESTALE where the lender says that the lease is not ours any
 * more, so that the lane ends and the agent finds out; -EPROTO where this is
 * no answer to that.
 */
static inline int sdv_blk_reply_check(const struct superdev_frame *hdr,
				      const struct superdev_frame *asked)
{
	u32 length = 0;

	if (!(le16_to_cpu(hdr->flags) & SUPERDEV_F_REPLY) || hdr->op != asked->op ||
	    hdr->tag != asked->tag || hdr->seq != asked->seq)
		return -EPROTO;
	if (le32_to_cpu(hdr->status) == SUPERDEV_ST_STALE)
		return -ESTALE;
	if (hdr->op == SUPERDEV_BLK_READ && !hdr->status)
		length = le32_to_cpu(asked->count);
	return le32_to_cpu(hdr->length) == length ? 0 : -EPROTO;
}

/**
 * struct sdv_blk_cache - what may lie in the lender's volatile cache
 * @started:	flushes that were begun
 * @dirty:	number of the flush that would cover all acknowledged writes
 * @flushed:	highest number of a flush that succeeded
 * @is_lost:	the cache is gone with writes that were acknowledged, and no
 *		flush has said so yet
 */
struct sdv_blk_cache {
	atomic64_t started;
	atomic64_t dirty;
	atomic64_t flushed;
	atomic_t is_lost;
};

static inline void sdv_blk_raise(atomic64_t *value, s64 to)
{
	s64 old = atomic64_read(value);

	while (old < to && !atomic64_try_cmpxchg(value, &old, to))
		;
}

/* A write was acknowledged: only a flush that begins from now on covers it. */
static inline void sdv_blk_cache_ack(struct sdv_blk_cache *cache)
{
	sdv_blk_raise(&cache->dirty, atomic64_read(&cache->started) + 1);
}

/* Return: the number of a flush that is about to be sent. */
static inline s64 sdv_blk_cache_flush(struct sdv_blk_cache *cache)
{
	return atomic64_inc_return(&cache->started);
}

static inline void sdv_blk_cache_flushed(struct sdv_blk_cache *cache, s64 number)
{
	sdv_blk_raise(&cache->flushed, number);
}

/* The lender was booted anew.  Return: whether acknowledged writes are lost. */
static inline bool sdv_blk_cache_reboot(struct sdv_blk_cache *cache)
{
	s64 dirty = atomic64_read(&cache->dirty);

	if (dirty <= atomic64_read(&cache->flushed))
		return false;
	sdv_blk_raise(&cache->flushed, dirty);
	atomic_set(&cache->is_lost, 1);
	return true;
}

/* Return: whether this flush has to fail; true once for each loss. */
static inline bool sdv_blk_cache_take_loss(struct sdv_blk_cache *cache)
{
	return atomic_read(&cache->is_lost) && atomic_xchg(&cache->is_lost, 0);
}

#endif /* _SUPERDEV_BLK_TRACK_H */
