/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpu.h: what the files of class cpu share.  main.c has the device, its config
 * and its attributes, status.c asks the lender how it fares.
 */
#ifndef _SUPERDEV_CPU_H
#define _SUPERDEV_CPU_H

#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/workqueue.h>
#include "bus.h"
#include "config.h"
#include "lane.h"

/**
 * struct sdv_cpu - the processors of a lender
 * @sdev:	whose device this is; outlives this
 * @lock:	protects all that follows but @work
 * @config:	what is lent
 * @work:	asks, and sees to it that answers come
 * @nr_lanes:	lanes that lane_up() told of and lane_down() did not yet.  0 before
 *		remove(), and a lane that comes after that is not ours
 * @lane:	that the question is on, with a reference; NULL where none is open
 * @msg:	the question
 * @asked:	jiffies at that
 * @is_owned:	the lane has @msg
 * @is_receiving: between header() and done()
 * @is_over:	it was answered, or its lane went down
 * @status:	where the answer goes
 * @answer:	@status, for the lane
 */
struct sdv_cpu {
	struct sdv_device		*sdev;
	spinlock_t			lock;	/* see above */
	struct sdv_cpu_config		config;
	struct delayed_work		work;
	unsigned int			nr_lanes;
	struct sdv_lane			*lane;
	struct sdv_msg			msg;
	unsigned long			asked;
	u64				seq;
	bool				is_owned;
	bool				is_receiving;
	bool				is_over;
	struct superdev_cpu_status	status;
	struct kvec			answer;
};

/* Where questions are asked; made and destroyed with the module. */
extern struct workqueue_struct *sdv_cpu_wq;
extern const struct sdv_lane_ops sdv_cpu_lane_ops;

void sdv_cpu_status_init(struct sdv_cpu *cpu);
void sdv_cpu_status_stop(struct sdv_cpu *cpu);
void sdv_cpu_lane_up(struct sdv_device *sdev, struct sdv_lane *lane);
void sdv_cpu_lane_down(struct sdv_device *sdev, struct sdv_lane *lane);

#endif /* _SUPERDEV_CPU_H */
