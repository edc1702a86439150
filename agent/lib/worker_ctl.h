/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker_ctl.h: what the agent and a worker say to each other.
 *
 * One struct per SOCK_SEQPACKET message, in host order: both ends are on one
 * machine and of one build.  The agent believes nothing of it that could hurt
 * another lease: a worker reads a stranger's frames and may be taken over.
 */
#ifndef SDV_WORKER_CTL_H
#define SDV_WORKER_CTL_H

#include <stdint.h>

#define SDV_WORKER_CTL_VERSION 1

/* Descriptors that an exec'd superdev-worker finds. */
#define SDV_WORKER_FD_CONTROL 3 /* SOCK_SEQPACKET to the agent */
#define SDV_WORKER_FD_LISTEN  4 /* SOCK_SEQPACKET, listening: a new agent comes in here */
#define SDV_WORKER_FD_BACKING \
	5 /* what is lent, open with the lease's rights; cpu: its cgroup; may be absent */

enum sdv_worker_msg_type {
	/* agent to worker */
	SDV_WORKER_START = 1,      /* first; lease, epoch, flags, config */
	SDV_WORKER_LANE = 2,       /* with one descriptor: a lane, armed; index, transport */
	SDV_WORKER_LANE_CLOSE = 3, /* index */
	SDV_WORKER_STOP = 4,       /* finish what is in flight, then exit 0 */
	/* worker to agent */
	SDV_WORKER_READY = 16,     /* sandboxed; also the first message to a new agent */
	SDV_WORKER_LANE_DOWN = 17, /* index, error */
	SDV_WORKER_CONFIG = 18,    /* the backing changed size: config */
};

#define SDV_WORKER_F_READ_ONLY (1u << 0)

struct sdv_worker_msg {
	uint32_t type;
	uint32_t version;
	uint64_t lease;
	uint32_t epoch;
	uint32_t index;
	uint32_t transport; /* enum superdev_transport */
	uint32_t flags;
	int32_t error;
	uint32_t config_len;
	uint8_t config
		[512]; /* the class's attributes, wire encoding; START: what is lent, READY, CONFIG: all */
};

#endif
