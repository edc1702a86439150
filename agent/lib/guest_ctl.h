/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_ctl.h: how the agent of a lender has superdev-guest --control host one guest more.
 *
 * A SOCK_STREAM pair: a queue of packets would be full with ten.  Messages are in host order, as both are of one build.
 * With a request come the guest's connection, and its way to ask the mount for "sync"; with
 * the answer comes a descriptor of the process that hosts it, whose end is the guest's.
 */
#ifndef SDV_GUEST_CTL_H
#define SDV_GUEST_CTL_H

#include <stdint.h>

enum sdv_guest_ctl_fd {
	SDV_GUEST_CTL_CONNECTION,
	SDV_GUEST_CTL_SYNC,
	SDV_GUEST_CTL_NR_FDS,
};

/**
 * struct sdv_guest_request - one guest
 * @id:		names its cgroup, "guest-ID"; not that of another guest of the lease
 * @is_clear:	frames of its connection carry checksums
 */
struct sdv_guest_request {
	uint32_t id;
	uint32_t is_clear;
};

/**
 * struct sdv_guest_answer - it is hosted
 * @id:		as asked
 * @error:	0, or an errno: then no descriptor comes
 */
struct sdv_guest_answer {
	uint32_t id;
	uint32_t error;
};

#endif
