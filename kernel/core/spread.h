/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * spread.h: whose programs may go elsewhere, which went, and why.
 *
 * spread.c has the cgroups that are set to spread and what keeps a process here
 * whatever a policy says; decision.c remembers programs that are elsewhere, and the
 * last decisions; used.c what these programs use.  A class module asks when a program
 * starts and tells what became of it; netlink-spread.c shows.
 */
#ifndef _SUPERDEV_SPREAD_H
#define _SUPERDEV_SPREAD_H

#include <linux/atomic.h>
#include <linux/cgroup.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "policy.h"

struct net;
struct pid;
struct sdv_device;
struct sdv_ns;
struct task_struct;

/* Bounds per namespace, so that nobody fills the memory of the machine. */
#define SDV_SPREAD_CGROUPS	1024
#define SDV_SPREAD_TASKS	32768
/* Decisions that are remembered. */
#define SDV_DECISIONS		256

/**
 * struct sdv_spread_cgroup - a cgroup that is set to spread
 * @id:		of the cgroup, which is never used again
 * @cgroup:	a reference
 * @path:	in its hierarchy
 */
struct sdv_spread_cgroup {
	u64		id;
	struct cgroup	*cgroup;
	char		path[];
};

/* As the attributes of task-used are ordered. */
enum sdv_used_what {
	SDV_USED_UTIME,		/* microseconds */
	SDV_USED_STIME,
	SDV_USED_MAXRSS,	/* KiB */
	SDV_USED_MINFLT,
	SDV_USED_MAJFLT,
	SDV_USED_INBLOCK,	/* 512 bytes */
	SDV_USED_OUBLOCK,
	SDV_USED_NVCSW,
	SDV_USED_NIVCSW,
	SDV_USED_NR,
};

/**
 * struct sdv_used - what a program has used since it began, as getrusage(2) counts
 * @figure:	by enum sdv_used_what
 */
struct sdv_used {
	u64	figure[SDV_USED_NR];
};

/**
 * struct sdv_decision - where a program went, and why
 * @pid:	of the process, a reference
 * @uid:	its user
 * @since_ns:	when, since 1970
 * @began_ns:	the same, since the machine was started
 * @program:	as it was named; of a long one the end
 * @choice:	what was decided; no lease, it runs here
 * @figures:	what that rests on; zeroes where no policy was asked
 * @number:	of the copy among the last decisions, from 1; 0, there is none
 * @has_used:	its lender has said what it used
 * @used:	that
 */
struct sdv_decision {
	struct pid		*pid;
	kuid_t			uid;
	u64			since_ns;
	u64			began_ns;
	char			program[SDV_POLICY_PATH_SIZE];
	struct sdv_choice	choice;
	struct sdv_figures	figures;
	u64			number;
	bool			has_used;
	struct sdv_used		used;
};

/**
 * struct sdv_spread - what of a registry is about programs
 * @cgroups:	struct sdv_spread_cgroup by id; only whether there is one may be
 *		asked under RCU
 * @nr_cgroups:	in @cgroups
 * @tasks:	struct sdv_decision of programs that are elsewhere, by the pid of
 *		their process in the initial namespace; RCU as above
 * @nr_tasks:	in @tasks
 * @generation:	changes with either; dumps compare it
 * @ring:	the last SDV_DECISIONS; NULL until a cgroup is set to spread
 * @nr_decisions: that were ever made; the next one's place follows from it
 * @sweep:	drops what has ended
 *
 * All but that is protected by sdv_ns.lock.
 */
struct sdv_spread {
	struct xarray		cgroups;
	unsigned int		nr_cgroups;
	struct xarray		tasks;
	unsigned int		nr_tasks;
	unsigned int		generation;
	struct sdv_decision	*ring;
	u64			nr_decisions;
	struct delayed_work	sweep;
};

/* Cgroups and tasks of all namespaces: without any, no exec looks further. */
extern atomic_t sdv_spread_users;

/**
 * sdv_spread_is_on() - whether anything is set to spread, or elsewhere
 *
 * Return: false where no namespace has a cgroup or a task.  One load.
 */
static inline bool sdv_spread_is_on(void)
{
	return atomic_read(&sdv_spread_users) > 0;
}

/**
 * sdv_cgroup_is_dead() - whether a cgroup was removed
 * @cgroup: the cgroup, of which the caller has a reference
 *
 * Newer kernels have this in a header.
 */
static inline bool sdv_cgroup_is_dead(const struct cgroup *cgroup)
{
	return !(READ_ONCE(cgroup->self.flags) & CSS_ONLINE);
}

/* spread.c; for class modules. */
bool sdv_spread_has_current(struct net *net);
const char *sdv_spread_objection(struct net *net, struct task_struct *task);
bool sdv_spread_is_agent(struct net *net);

/* spread.c; for core. */
void sdv_spread_init(struct sdv_ns *ns);
void sdv_spread_exit(struct sdv_ns *ns);
int sdv_spread_add(struct sdv_ns *ns, struct cgroup *cgroup);
struct sdv_spread_cgroup *sdv_spread_find(struct sdv_ns *ns, struct cgroup *cgroup);
void sdv_spread_del(struct sdv_ns *ns, struct sdv_spread_cgroup *spread);
void sdv_spread_sweep(struct sdv_ns *ns);
void sdv_spread_sweep_later(struct sdv_ns *ns);

/* decision.c; for class modules. */
struct sdv_decision *sdv_decision_alloc(const char *program);
void sdv_decision_free(struct sdv_decision *decision);
void sdv_decision_note(struct net *net, const struct sdv_decision *decision);
int sdv_task_add(struct net *net, struct sdv_decision *decision);
bool sdv_task_is_current(struct net *net);
void sdv_task_end(struct net *net, const char *why);
bool sdv_device_has_tasks(const struct sdv_device *sdev);

/* decision.c; for core. */
int sdv_task_used(struct net *net, const struct sdv_used *used,
		  enum sdv_used_what *ret_what);
bool sdv_pid_has_ended(struct pid *pid);
void sdv_task_sweep(struct sdv_ns *ns);
void sdv_decision_exit(struct sdv_ns *ns);

/* used.c; for decision.c. */
int sdv_used_check(const struct sdv_used *was, const struct sdv_used *now, u64 took_us,
		   enum sdv_used_what *ret_what);
void sdv_used_charge(const struct sdv_used *was, const struct sdv_used *now);

/* netlink-spread.c */
void sdv_notify_spread(struct sdv_ns *ns, const struct sdv_spread_cgroup *spread);
void sdv_notify_spread_del(struct sdv_ns *ns, const struct sdv_spread_cgroup *spread);

#endif /* _SUPERDEV_SPREAD_H */
