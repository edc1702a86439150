/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker_proc.h: workers as processes: start, find again, talk to, stop.
 *
 * A worker outlives the agent: it has its own session and a listening socket
 * by the number of its lease, where the next agent finds it.
 */
#ifndef SDV_WORKER_PROC_H
#define SDV_WORKER_PROC_H

#include "daemon.h"
#include "worker_ctl.h"

struct lent;
struct worker;

/**
 * struct worker_task - what a worker is started for
 * @class_name:	what it serves
 * @number:	of the lease
 * @epoch:	of the lease
 * @read_only:	rights
 * @backing:	descriptor, which stays the caller's, or -1
 * @cgroup:	the lease's, of cgroup_make(), or -1; likewise
 * @terms:	what is lent, in attributes of the class; @terms_len bytes
 */
struct worker_task {
	const char *class_name;
	uint64_t number;
	uint32_t epoch;
	bool read_only;
	int backing;
	int cgroup;
	uint8_t terms[64];
	uint32_t terms_len;
};

/*
 * Starts one for a lease; lender_worker_*() are called with @lent.
 * Return: 0 or -errno.
 */
int worker_start(struct daemon *d, struct lent *lent, const struct worker_task *task,
		 struct worker **ret_worker);
/* Looks for one of an agent before this; -ENOENT, -ECONNREFUSED: there is none. */
int worker_adopt(struct daemon *d, struct lent *lent, uint64_t number, struct worker **ret_worker);

/* Hands over a lane; @fd stays the caller's.  Return: 0 or -errno. */
int worker_lane(struct worker *worker, int fd, uint32_t index, enum superdev_transport transport);

/* Ends it, by force when it does not end by itself; its lease hears no more of it. */
void worker_stop(struct worker *worker);

/* The daemon ends and the workers go on. */
void workers_leave(struct daemon *d);
/* Sockets of workers that no lease of @d names. */
void workers_tidy(struct daemon *d);

#endif
