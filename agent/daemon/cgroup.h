/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cgroup.h: what runs here for a home, bounded and weighed by cgroup v2.
 *
 *	BASE/lease-NUMBER		limits, and idle weight: the owner never notices
 *	BASE/lease-NUMBER/worker	the worker of the lease
 *	BASE/lease-NUMBER/guests	programs of home, each with one below
 *	BASE/lease-NUMBER/guests/host	and what hosts them, with home's files
 *
 * BASE is the cgroup that systemd gave away to the agent (Delegate=), or
 * "superdev" at the top.  Where there is no cgroup v2, or controllers are
 * missing, less is bounded, which is said once.
 */
#ifndef SDV_CGROUP_H
#define SDV_CGROUP_H

#include <sys/types.h>

#include "daemon.h"

/**
 * cgroup_make - the cgroup of a lease, for a new worker: one that is still in it is killed
 * @number:	of the lease
 * @cpus:	processors' worth of time
 * @memory:	bytes
 *
 * Return: a descriptor of its directory, or -errno; -EOPNOTSUPP: there is no
 * cgroup v2.
 */
int cgroup_make(struct daemon *d, uint64_t number, uint32_t cpus, uint64_t memory);

/* Moves a worker into the cgroup of @fd.  Return: 0 or -errno. */
int cgroup_enter(int fd, pid_t pid);

#define CGROUP_PATH_SIZE 640

/**
 * cgroup_guests - where guests of a lease are
 * @ret_path:	CGROUP_PATH_SIZE bytes; the directory below which each gets one
 * @ret_host:	directory for what hosts them, which the caller closes
 *
 * The lease has its cgroup already.  Return: 0 or -errno; -EOPNOTSUPP: there is
 * no cgroup v2.
 */
int cgroup_guests(struct daemon *d, uint64_t number, char *ret_path, int *ret_host);

/* Kills one, by its id in guest_ctl.h; its host tidies up after it.  False: it has none yet. */
bool cgroup_guest_kill(struct daemon *d, uint64_t number, uint32_t id);
/* Removes what a host that has ended could not remove itself. */
void cgroup_guest_tidy(struct daemon *d, uint64_t number, uint32_t id);
/* Kills all guests of a lease, their hosts and home's files there; false: there are no cgroups. */
bool cgroup_guests_kill(struct daemon *d, uint64_t number);

/*
 * The lease has ended: its cgroup goes as soon as it is empty; what is in it
 * after some seconds is killed.
 */
void cgroup_drop(struct daemon *d, uint64_t number);

/* The id of BASE, which is made if need be.  Return: 0 or -errno; -EOPNOTSUPP: there is no cgroup v2. */
int cgroup_base_id(struct daemon *d, uint64_t *ret_id);
/* The number of the lease whose cgroup has that id, or 0. */
uint64_t cgroup_lease(struct daemon *d, uint64_t id);

/* Those that are empty and that no lease of @d names. */
void cgroups_tidy(struct daemon *d);
/* The daemon ends; what is not empty yet is the next one's to tidy. */
void cgroups_close(struct daemon *d);

#endif
