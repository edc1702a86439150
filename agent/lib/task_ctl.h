/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * task_ctl.h: how a deputy asks the agent of its machine for a connection.
 *
 * A SOCK_SEQPACKET socket that everybody may connect to; who asks is who the
 * kernel says.  One question, one answer, in host order; both are of one build,
 * but who asks may be anything.
 */
#ifndef SDV_TASK_CTL_H
#define SDV_TASK_CTL_H

#include <stdint.h>

#define SDV_TASK_SOCKET      "/run/superdev/task.sock"
#define SDV_TASK_CTL_VERSION 1u

/**
 * struct sdv_task_ask - a deputy wants to run a program at a lender
 * @version:	SDV_TASK_CTL_VERSION
 * @lease:	this machine's number of the lease, as in `superdev -j lease list`
 * @reserved:	zero
 */
struct sdv_task_ask {
	uint32_t version;
	uint32_t lease;
	uint64_t reserved;
};

/**
 * struct sdv_task_answer - comes with a descriptor, or says why it does not
 * @version:	SDV_TASK_CTL_VERSION
 * @error:	0, or an errno: then there is no descriptor, and the program runs here
 * @number:	of the lease at the lender: what frames carry
 * @epoch:	likewise
 * @is_clear:	the connection is not encrypted: frames carry checksums
 * @text:	the reason, with a zero byte
 */
struct sdv_task_answer {
	uint32_t version;
	uint32_t error;
	uint64_t number;
	uint32_t epoch;
	uint32_t is_clear;
	char text[232];
};

_Static_assert(sizeof(struct sdv_task_ask) == 16, "size of struct sdv_task_ask");
_Static_assert(sizeof(struct sdv_task_answer) == 256, "size of struct sdv_task_answer");

#endif
