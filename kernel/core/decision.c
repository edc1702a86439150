// SPDX-License-Identifier: GPL-2.0-only
/*
 * decision.c: programs that are elsewhere, and the last decisions on all.
 *
 * A program is elsewhere for as long as the process at home lives that stands for
 * it, unless that process gives up and has it run here after all.
 */
#include <linux/cred.h>
#include <linux/math64.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <net/net_namespace.h>

#include "bus.h"
#include "registry.h"
#include "spread.h"

static struct pid *current_pid(void)
{
	return task_tgid(current);
}

static u32 number_of(struct pid *pid)
{
	return pid_nr(pid);
}

/**
 * sdv_decision_alloc() - a decision on a program that the caller starts
 * @program: as it was named
 *
 * Context: process; may be called where the caller's program is just replaced.
 * Return: the decision: here, for no reason; for sdv_task_add() or
 * sdv_decision_free().  Or NULL.
 */
struct sdv_decision *sdv_decision_alloc(const char *program)
{
	struct sdv_decision *decision = kzalloc(sizeof(*decision), GFP_KERNEL_ACCOUNT);
	size_t len = strlen(program);

	if (!decision)
		return NULL;
	decision->pid = get_pid(current_pid());
	decision->uid = current_uid();
	decision->since_ns = ktime_get_real_ns();
	decision->began_ns = ktime_get_boottime_ns();
	sdv_copy_text(decision->program, sizeof(decision->program),
		      len < sizeof(decision->program) ? program :
		      program + len - (sizeof(decision->program) - 1));
	return decision;
}
EXPORT_SYMBOL_GPL(sdv_decision_alloc);

/**
 * sdv_decision_free() - frees one that nobody else has
 * @decision: the decision, or NULL
 */
void sdv_decision_free(struct sdv_decision *decision)
{
	if (!decision)
		return;
	put_pid(decision->pid);
	kfree(decision);
}
EXPORT_SYMBOL_GPL(sdv_decision_free);

static void note(struct sdv_ns *ns, const struct sdv_decision *decision)
{
	struct sdv_decision *place;

	lockdep_assert_held(&ns->lock);
	if (!ns->spread.ring)
		return;
	place = &ns->spread.ring[ns->spread.nr_decisions++ % SDV_DECISIONS];
	put_pid(place->pid);
	*place = *decision;
	get_pid(place->pid);
}

/**
 * sdv_decision_note() - remembers a decision among the last
 * @net: the namespace
 * @decision: the decision; copied
 */
void sdv_decision_note(struct net *net, const struct sdv_decision *decision)
{
	struct sdv_ns *ns = sdv_ns(net);

	guard(mutex)(&ns->lock);
	note(ns, decision);
}
EXPORT_SYMBOL_GPL(sdv_decision_note);

/* Tasks ------------------------------------------------------------------------ */

/* Takes it out; the caller frees. */
static struct sdv_decision *task_take(struct sdv_ns *ns, u32 number)
{
	struct sdv_decision *task = xa_erase(&ns->spread.tasks, number);

	lockdep_assert_held(&ns->lock);
	if (!task)
		return NULL;
	ns->spread.nr_tasks--;
	ns->spread.generation++;
	atomic_dec(&sdv_spread_users);
	return task;
}

/**
 * sdv_task_add() - the program of the caller's process is about to be elsewhere
 * @net: the caller's namespace
 * @decision: from sdv_decision_alloc(), of the same process; the registry's when
 *	      this returned 0
 *
 * It is remembered among the last decisions, too.
 *
 * Context: process.  Sleeps.
 * Return: 0, -ENOMEM, or -ENOSPC where too many are elsewhere.
 */
int sdv_task_add(struct net *net, struct sdv_decision *decision)
{
	struct sdv_ns *ns = sdv_ns(net);
	u32 number = number_of(decision->pid);
	int err;

	guard(mutex)(&ns->lock);
	/* Of an earlier process of that number, or of an exec that failed later. */
	sdv_decision_free(task_take(ns, number));
	if (ns->spread.nr_tasks >= SDV_SPREAD_TASKS) {
		sdv_task_sweep(ns);
		if (ns->spread.nr_tasks >= SDV_SPREAD_TASKS)
			return -ENOSPC;
	}
	err = xa_err(xa_store(&ns->spread.tasks, number, decision, GFP_KERNEL_ACCOUNT));
	if (err)
		return err;
	ns->spread.nr_tasks++;
	ns->spread.generation++;
	atomic_inc(&sdv_spread_users);
	note(ns, decision);
	decision->number = ns->spread.nr_decisions;
	sdv_spread_sweep_later(ns);
	return 0;
}
EXPORT_SYMBOL_GPL(sdv_task_add);

/* The copy of a task among the last decisions; NULL where others have taken its place. */
static struct sdv_decision *copy_of(struct sdv_ns *ns, const struct sdv_decision *task)
{
	lockdep_assert_held(&ns->lock);
	if (!task->number || ns->spread.nr_decisions - task->number >= SDV_DECISIONS)
		return NULL;
	return &ns->spread.ring[(task->number - 1) % SDV_DECISIONS];
}

/**
 * sdv_task_used() - what the program has used that the caller's process stands for
 * @net: the caller's namespace
 * @used: since it began; what is more than last time goes to the process's account
 * @ret_what: on -EINVAL and -ERANGE, the figure that is meant
 *
 * Context: process.  Sleeps.
 * Return: 0; -EPERM: the process stands for no program; -EINVAL: a figure is less than
 * it was; -ERANGE: one is more than any machine does in the time.
 */
int sdv_task_used(struct net *net, const struct sdv_used *used,
		  enum sdv_used_what *ret_what)
{
	struct sdv_ns *ns = sdv_ns(net);
	struct sdv_decision *task, *copy;
	u64 took_ns;
	int err;

	guard(mutex)(&ns->lock);
	task = xa_load(&ns->spread.tasks, number_of(current_pid()));
	if (!task || task->pid != current_pid())
		return -EPERM;
	took_ns = ktime_get_boottime_ns() - task->began_ns;
	err = sdv_used_check(&task->used, used, div_u64(took_ns, NSEC_PER_USEC), ret_what);
	if (err)
		return err;
	sdv_used_charge(&task->used, used);
	task->used = *used;
	task->has_used = true;
	copy = copy_of(ns, task);
	if (copy) {
		copy->used = *used;
		copy->has_used = true;
	}
	return 0;
}

/**
 * sdv_task_is_current() - whether the caller's process stands for a program elsewhere
 * @net: the caller's namespace
 *
 * Return: true where it may: an earlier process of its number may have been meant.
 */
bool sdv_task_is_current(struct net *net)
{
	struct sdv_ns *ns = sdv_ns(net);

	return xa_load(&ns->spread.tasks, number_of(current_pid()));
}
EXPORT_SYMBOL_GPL(sdv_task_is_current);

/**
 * sdv_task_end() - the caller's process does not stand for a program any more
 * @net: the caller's namespace
 * @why: remembered as a decision, that the program runs here; NULL: it is not
 */
void sdv_task_end(struct net *net, const char *why)
{
	struct sdv_decision *decision __free(kfree) = NULL;
	struct sdv_ns *ns = sdv_ns(net);

	guard(mutex)(&ns->lock);
	decision = task_take(ns, number_of(current_pid()));
	if (!decision)
		return;
	if (why && decision->pid == current_pid()) {
		decision->since_ns = ktime_get_real_ns();
		decision->choice.lease = 0;
		strscpy(decision->choice.why, why);
		note(ns, decision);
	}
	put_pid(decision->pid);
}
EXPORT_SYMBOL_GPL(sdv_task_end);

/**
 * sdv_pid_has_ended() - whether nothing of a process runs any more
 * @pid: of its first thread
 *
 * Return: true also where its parent has not been told yet.
 */
bool sdv_pid_has_ended(struct pid *pid)
{
	struct task_struct *task;

	guard(rcu)();
	task = pid_task(pid, PIDTYPE_TGID);
	return !task || (READ_ONCE(task->exit_state) && thread_group_empty(task));
}

/**
 * sdv_device_has_tasks() - whether programs of this home run by the lease of a device
 * @sdev: the device
 *
 * Context: sleeps; sdv_ns.lock not held, lane_mutex may be.
 * Return: true if any does.
 */
bool sdv_device_has_tasks(const struct sdv_device *sdev)
{
	struct sdv_ns *ns = sdev->lease->ns;
	struct sdv_decision *task;
	unsigned long number;

	guard(mutex)(&ns->lock);
	xa_for_each(&ns->spread.tasks, number, task)
		if (task->choice.lease == sdev->lease->id && !sdv_pid_has_ended(task->pid))
			return true;
	return false;
}
EXPORT_SYMBOL_GPL(sdv_device_has_tasks);

/**
 * sdv_task_sweep() - forgets tasks whose process has ended
 * @ns: the registry
 *
 * Context: sdv_ns.lock held.
 */
void sdv_task_sweep(struct sdv_ns *ns)
{
	struct sdv_decision *task;
	unsigned long number;

	lockdep_assert_held(&ns->lock);
	xa_for_each(&ns->spread.tasks, number, task)
		if (sdv_pid_has_ended(task->pid))
			sdv_decision_free(task_take(ns, number));
}

/**
 * sdv_decision_exit() - all is forgotten
 * @ns: the registry
 *
 * Context: sdv_ns.lock held.
 */
void sdv_decision_exit(struct sdv_ns *ns)
{
	struct sdv_decision *task;
	unsigned long number;
	unsigned int i;

	lockdep_assert_held(&ns->lock);
	xa_for_each(&ns->spread.tasks, number, task)
		sdv_decision_free(task_take(ns, number));
	for (i = 0; ns->spread.ring && i < SDV_DECISIONS; i++)
		put_pid(ns->spread.ring[i].pid);
	kvfree(ns->spread.ring);
	ns->spread.ring = NULL;
}
