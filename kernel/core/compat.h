/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h: what differs between the kernels that superdev builds for, 6.12 to
 * the newest.  Every shim says which version makes it unnecessary.
 */
#ifndef _SUPERDEV_COMPAT_H
#define _SUPERDEV_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/version.h>
#include <linux/workqueue.h>

/* Lanes -------------------------------------------------------------------- */

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
/* 6.17: a workqueue says that it wants to be bound to CPUs. */
#define SDV_WQ_PERCPU	WQ_PERCPU
#else
#define SDV_WQ_PERCPU	0
#endif

/* Policy ------------------------------------------------------------------- */

#ifdef KF_TRUSTED_ARGS
#define SDV_KF_TRUSTED_ARGS	KF_TRUSTED_ARGS
#else
/* 7.0: every function takes trusted arguments unless it says otherwise. */
#define SDV_KF_TRUSTED_ARGS	0
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
/* 6.15: a struct_ops program knows its table while functions are looked up for it. */
static inline bool sdv_prog_is_of(const struct bpf_prog *prog, const struct bpf_struct_ops *ops,
				  const struct btf *btf)
{
	return prog->aux->st_ops == ops;
}
#else
/* The table is the only one of its module, so its types tell. */
static inline bool sdv_prog_is_of(const struct bpf_prog *prog, const struct bpf_struct_ops *ops,
				  const struct btf *btf)
{
	return btf && prog->aux->attach_btf == btf;
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
