/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h: what differs between the kernels that superdev builds for, 6.12 to
 * the newest.  Every shim says which version makes it unnecessary.
 */
#ifndef _SUPERDEV_COMPAT_H
#define _SUPERDEV_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/version.h>
#include <linux/workqueue.h>

/* Lanes -------------------------------------------------------------------- */

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
/* 6.17: a workqueue says that it wants to be bound to CPUs. */
#define SDV_WQ_PERCPU	WQ_PERCPU
#else
#define SDV_WQ_PERCPU	0
#endif

/* Class blk ------------------------------------------------------------------ */

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
/* 6.14: every queue merges. */
#define SDV_BLK_MQ_F	(BLK_MQ_F_BLOCKING | BLK_MQ_F_SHOULD_MERGE)
#else
#define SDV_BLK_MQ_F	BLK_MQ_F_BLOCKING
#endif

#endif /* _SUPERDEV_COMPAT_H */
