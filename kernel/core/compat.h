/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h: what differs between the kernels that superdev builds for, 6.12 to
 * the newest.  Every shim says which version makes it unnecessary.
 */
#ifndef _SUPERDEV_COMPAT_H
#define _SUPERDEV_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/crc32.h>
#include <linux/crc32c.h>
#include <linux/skbuff.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <net/sock.h>

/* Lanes -------------------------------------------------------------------- */

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
/* 6.17: a workqueue says that it wants to be bound to CPUs. */
#define SDV_WQ_PERCPU	WQ_PERCPU
#else
#define SDV_WQ_PERCPU	0
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
/* 6.16: CRC-32C over the data of an skb. */
static inline u32 sdv_skb_crc32c(const struct sk_buff *skb, int offset, int len, u32 crc)
{
	return skb_crc32c(skb, offset, len, crc);
}
#else
static inline __wsum sdv_crc32c_update(const void *data, int len, __wsum crc)
{
	return (__force __wsum)crc32c((__force u32)crc, data, len);
}

static inline __wsum sdv_crc32c_combine(__wsum crc, __wsum crc2, int offset, int len)
{
	return (__force __wsum)__crc32c_le_combine((__force u32)crc, (__force u32)crc2, len);
}

static inline u32 sdv_skb_crc32c(const struct sk_buff *skb, int offset, int len, u32 crc)
{
	static const struct skb_checksum_ops ops = {
		.update = sdv_crc32c_update,
		.combine = sdv_crc32c_combine,
	};

	return (__force u32)__skb_checksum(skb, offset, len, (__force __wsum)crc, &ops);
}
#endif

/* Class blk ------------------------------------------------------------------ */

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
/* 6.14: every queue merges. */
#define SDV_BLK_MQ_F	(BLK_MQ_F_BLOCKING | BLK_MQ_F_SHOULD_MERGE)
#else
#define SDV_BLK_MQ_F	BLK_MQ_F_BLOCKING
#endif

#endif /* _SUPERDEV_COMPAT_H */
