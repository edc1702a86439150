/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * processors.h: what an offer of class cpu lends of this machine.
 */
#ifndef SDV_PROCESSORS_H
#define SDV_PROCESSORS_H

#include "daemon.h"
#include "worker_proc.h"

struct processors {
	uint32_t cpus;   /* processors' worth of time */
	uint64_t memory; /* bytes */
	char architecture[SDV_NAME_SIZE];
	char error[SDV_TEXT_SIZE];
};

/**
 * processors_look - what an offer means on this machine as it is now
 * @info:		the offer
 * @ret_processors:	what is lent; on -EINVAL error alone
 *
 * Return: 0; -EINVAL: it asks for what is not here; -errno.
 */
int processors_look(const struct sdv_offer_info *info, struct processors *ret_processors);

/**
 * processors_lend - what a lease's worker is told, and its cgroup
 * @info:	the offer
 * @task:	of the worker; gets terms and, where there can be one, a cgroup,
 *		which the caller closes
 * @error:	on failure, why
 *
 * Return: 0 or -errno, as processors_look(), for things may have changed since.
 */
int processors_lend(struct daemon *d, const struct sdv_offer_info *info, struct worker_task *task,
		    char *error, size_t error_size);

#endif
