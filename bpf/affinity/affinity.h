/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * affinity.h: what affinity.bpf.c is told of a cgroup, for both of them.
 */
#ifndef SUPERDEV_AFFINITY_H
#define SUPERDEV_AFFINITY_H

#include <linux/types.h>

/**
 * struct sdv_borrowed - processors that programs of a cgroup have beside this machine's
 * @first:	number of the first: behind all that this machine could have
 * @nr:		how many; what does not fit into a mask is left out
 */
struct sdv_borrowed {
	__u32 first;
	__u32 nr;
};

#endif /* SUPERDEV_AFFINITY_H */
