// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy.c: the policy that is attached, and what becomes of its answers.
 *
 * One policy serves the whole machine: who may load BPF programs rules the
 * machine and not a namespace.  But it is shown the leases of the namespace
 * that asks, and no others.
 *
 * A policy runs under RCU and must not sleep.  What it reads was gathered
 * before, by us, who may sleep; so it sees one moment, holds no lock while it
 * runs, and later members can be called from where lanes send.  It is asked to
 * choose, never trusted: an answer that no lease matches, a failure, or taking
 * too long detaches it, for a reason that is kept, and the default serves.
 */
#include <kunit/visibility.h>
#include <linux/bpf.h>
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/sched/loadavg.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "bus.h"
#include "policy.h"
#include "registry.h"
#include "spread.h"
#include "trace.h"

/**
 * struct policy - one that is attached
 * @ops:	its table; BPF's memory, which outlives a grace period
 * @link:	what attaches it; no reference: it lives until sdv_policy_detach()
 * @rcu:	for whoever still asks it
 * @since:	when it was attached, seconds since 1970
 * @decisions:	questions
 * @remote:	answered with a lease
 * @declined:	left to the default
 * @slow:	decisions in a row that took too long
 * @is_ended:	bit 0: it is asked no more, and @detach_work has it detached
 */
struct policy {
	const struct superdev_policy	*ops;
	struct bpf_link			*link;
	struct rcu_head			rcu;
	time64_t			since;
	atomic64_t			decisions;
	atomic64_t			remote;
	atomic64_t			declined;
	atomic_t			slow;
	unsigned long			is_ended;
};

/* One question; @exec is what the policy gets. */
struct question {
	struct superdev_exec		exec;
	bool				is_picked;
	bool				has_cost;
	u32				lease;
	struct superdev_cost		cost;
	char				why[SDV_POLICY_WHY_SIZE];
	struct superdev_exec_lease	leases[];
};

/* Changes of @attached.  Taken inside BPF's own lock of links. */
static DEFINE_MUTEX(policy_mutex);
static struct policy __rcu *attached;

/* The last_* members; the rest of it is made when somebody asks. */
static DEFINE_SPINLOCK(last_lock);
static struct sdv_policy_info last;

static void set_last(const struct superdev_policy *ops, const char *why)
{
	guard(spinlock)(&last_lock);
	strscpy(last.last_name, ops->name);
	strscpy(last.last_error, why);
	last.last_time = ktime_get_real_seconds();
}

/*
 * Attaching and detaching
 */

/*
 * Has the link let go of the table, which calls sdv_policy_detach().  From a
 * work item, as whoever asked can't wait for BPF's locks.
 */
static void detach_work_fn(struct work_struct *work)
{
	struct bpf_link *link = NULL;
	struct policy *policy;

	mutex_lock(&policy_mutex);
	policy = rcu_dereference_protected(attached, lockdep_is_held(&policy_mutex));
	/* Tests attach without a link. */
	if (policy && policy->link && test_bit(0, &policy->is_ended))
		/* A link that is just being released calls sdv_policy_detach() anyway. */
		link = bpf_link_inc_not_zero(policy->link);
	mutex_unlock(&policy_mutex);
	if (IS_ERR_OR_NULL(link))
		return;
	link->ops->detach(link);
	bpf_link_put(link);
}

static DECLARE_WORK(detach_work, detach_work_fn);

/* It is asked no more.  Context: RCU, or policy_mutex held. */
static void policy_end(struct policy *policy, const char *why)
{
	if (test_and_set_bit(0, &policy->is_ended))
		return;
	set_last(policy->ops, why);
	schedule_work(&detach_work);
}

static struct policy *policy_alloc(const struct superdev_policy *ops, struct bpf_link *link)
{
	struct policy *policy;

	policy = kzalloc(sizeof(*policy), GFP_KERNEL);
	if (!policy)
		return NULL;
	policy->ops = ops;
	policy->link = link;
	policy->since = ktime_get_real_seconds();
	return policy;
}

/**
 * sdv_policy_attach() - a table is registered
 * @ops: the table; stays for a grace period after sdv_policy_detach()
 * @link: the link that attaches it, alive until sdv_policy_detach()
 *
 * Context: sleeps.
 * Return: 0, -EBUSY where one is attached, -ENOMEM.
 */
int sdv_policy_attach(const struct superdev_policy *ops, struct bpf_link *link)
{
	struct policy *policy;

	guard(mutex)(&policy_mutex);
	if (rcu_access_pointer(attached))
		return -EBUSY;
	policy = policy_alloc(ops, link);
	if (!policy)
		return -ENOMEM;
	rcu_assign_pointer(attached, policy);
	trace_superdev_policy(ops->name, "attached");
	sdv_notify_policy();
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(sdv_policy_attach);

/**
 * sdv_policy_detach() - a table is unregistered
 * @ops: the one that was attached, or swapped in last
 *
 * It may still be deciding on other processors when this returns, for a grace
 * period; BPF keeps the table for as long.
 *
 * Context: sleeps.
 */
void sdv_policy_detach(const struct superdev_policy *ops)
{
	struct policy *policy;

	guard(mutex)(&policy_mutex);
	policy = rcu_dereference_protected(attached, lockdep_is_held(&policy_mutex));
	if (!policy || policy->ops != ops)
		return;
	RCU_INIT_POINTER(attached, NULL);
	if (!test_and_set_bit(0, &policy->is_ended))
		set_last(ops, "the link that attached it was closed");
	trace_superdev_policy(ops->name, "detached");
	sdv_notify_policy();
	kfree_rcu(policy, rcu);
}
EXPORT_SYMBOL_IF_KUNIT(sdv_policy_detach);

/**
 * sdv_policy_swap() - another table takes the place of one
 * @ops: the new one
 * @old: the one that was attached
 * @link: their link
 *
 * Each question is decided by one of the two, and none by the default.
 *
 * Context: sleeps.
 * Return: 0, -EAGAIN where the old one is being detached for what it did: attach
 * the new one instead; -ENOMEM.
 */
int sdv_policy_swap(const struct superdev_policy *ops, const struct superdev_policy *old,
		    struct bpf_link *link)
{
	char why[sizeof(last.last_error)];
	struct policy *policy, *former;

	guard(mutex)(&policy_mutex);
	former = rcu_dereference_protected(attached, lockdep_is_held(&policy_mutex));
	if (!former || former->ops != old || test_bit(0, &former->is_ended))
		return -EAGAIN;
	policy = policy_alloc(ops, link);
	if (!policy)
		return -ENOMEM;
	snprintf(why, sizeof(why), "replaced by '%s'", ops->name);
	set_last(old, why);
	/*
	 * The former is not marked as ended: who has it already shall have its
	 * answer.  Should that be nonsense, the work item finds another one here.
	 */
	rcu_assign_pointer(attached, policy);
	trace_superdev_policy(ops->name, "swapped in");
	sdv_notify_policy();
	kfree_rcu(former, rcu);
	return 0;
}

/**
 * sdv_policy_del() - detaches the policy, whoever attached it
 *
 * Context: sleeps.
 * Return: 0 when it is detached, -ENOENT where there is none.
 */
int sdv_policy_del(void)
{
	struct policy *policy;

	scoped_guard(mutex, &policy_mutex) {
		policy = rcu_dereference_protected(attached, lockdep_is_held(&policy_mutex));
		if (!policy)
			return -ENOENT;
		policy_end(policy, "unloaded on request");
	}
	flush_work(&detach_work);
	return 0;
}

/**
 * sdv_policy_info() - what there is to tell
 * @ret_info: filled
 */
void sdv_policy_info(struct sdv_policy_info *ret_info)
{
	struct policy *policy;

	spin_lock(&last_lock);
	*ret_info = last;
	spin_unlock(&last_lock);
	guard(rcu)();
	policy = rcu_dereference(attached);
	if (!policy || test_bit(0, &policy->is_ended))
		return;
	strscpy(ret_info->name, policy->ops->name);
	ret_info->since = policy->since;
	ret_info->decisions = atomic64_read(&policy->decisions);
	ret_info->remote = atomic64_read(&policy->remote);
	ret_info->declined = atomic64_read(&policy->declined);
}

/*
 * Questions
 */

/* "12" or "0.75" in hundredths; false where it is no such number. */
static bool hundredths(const char *text, u32 *ret_value)
{
	unsigned int digits = 0, decimals = 0;
	bool is_fraction = false;
	u64 value = 0;

	for (; *text; text++) {
		if (*text == '.' && !is_fraction) {
			is_fraction = true;
			continue;
		}
		if (*text < '0' || *text > '9' || value > U32_MAX / 1000)
			return false;
		if (decimals == 2)
			continue;
		digits++;
		decimals += is_fraction;
		value = 10 * value + (*text - '0');
	}
	for (; decimals < 2; decimals++)
		value *= 10;
	*ret_value = value;
	return digits && value < U32_MAX;
}

/* What an offer says of its machine; its properties were judged when they came. */
static void show_property(struct superdev_exec_lease *shown, const struct nlattr *property)
{
	struct nlattr *attrs[SUPERDEV_A_PROPERTY_MAX + 1];
	u64 now = ktime_get_real_seconds(), then;
	const char *name;
	u32 value;

	if (nla_parse_nested(attrs, SUPERDEV_A_PROPERTY_MAX, property, NULL, NULL) ||
	    !attrs[SUPERDEV_A_PROPERTY_NAME] || !attrs[SUPERDEV_A_PROPERTY_VALUE])
		return;
	name = nla_data(attrs[SUPERDEV_A_PROPERTY_NAME]);
	if (!hundredths(nla_data(attrs[SUPERDEV_A_PROPERTY_VALUE]), &value))
		return;
	if (!strcmp(name, "cpus")) {
		shown->cpus = value / 100;
	} else if (!strcmp(name, "load")) {
		shown->load = value;
		then = attrs[SUPERDEV_A_PROPERTY_TIME] ?
			nla_get_u64(attrs[SUPERDEV_A_PROPERTY_TIME]) : 0;
		shown->load_age_s = then < now ? min_t(u64, now - then, U32_MAX) : 0;
	}
}

/* What its class driver hears of the lender is newer than what the offer says. */
static void show_load(struct superdev_exec_lease *shown, struct sdv_device *sdev)
{
	struct sdv_load load;
	u64 tasks, spare;

	if (!sdev || !sdv_device_get_load(sdev, &load))
		return;
	shown->cpus = load.cpus;
	if (!load.time)
		return;
	/*
	 * In hundredths, without what runs for us, which count_tasks() knows better;
	 * processors that are not lent take theirs first.
	 */
	tasks = div_u64((u64)(load.load - load.own) * load.online, 10);
	spare = load.online > load.cpus ? (load.online - load.cpus) * 100ULL : 0;
	shown->load = tasks > spare ? min_t(u64, tasks - spare, U32_MAX - 1) : 0;
	shown->load_age_s = sdv_load_age_ms(&load) / MSEC_PER_SEC;
}

static void show_lease(struct sdv_ns *ns, const struct sdv_lease *lease,
		       struct superdev_exec_lease *shown)
{
	const struct sdv_peer *peer = sdv_peer_find(ns, lease->peer);
	const struct sdv_offer *offer;
	const struct nlattr *property;
	int rest;

	shown->id = lease->id;
	shown->state = lease->state;
	shown->lanes = lease->lanes;
	shown->load = U32_MAX;
	strscpy(shown->peer, lease->peer);
	strscpy(shown->offer, lease->offer);
	if (!peer)
		return;
	shown->rtt_us = peer->rtt_us;
	offer = sdv_offer_find(ns, peer, lease->offer);
	if (!offer)
		return;
	nla_for_each_attr(property, offer->properties, offer->properties_len, rest)
		show_property(shown, property);
	show_load(shown, lease->sdev);
}

static bool is_for(const struct sdv_lease *lease, const char *class)
{
	return lease->role == SUPERDEV_ROLE_HELD && !strcmp(lease->class, class) &&
	       (lease->state == SUPERDEV_LEASE_STATE_GRANTED ||
		lease->state == SUPERDEV_LEASE_STATE_ACTIVE ||
		lease->state == SUPERDEV_LEASE_STATE_SUSPENDED);
}

static u64 cgroup_of(struct task_struct *task)
{
#ifdef CONFIG_CGROUPS
	guard(rcu)();
	return cgroup_id(task_dfl_cgroup(task));
#else
	return 0;
#endif
}

/* What was sent a moment ago is in no lender's figures yet. */
static void count_tasks(struct sdv_ns *ns, struct question *question)
{
	struct sdv_decision *task;
	unsigned long number;
	unsigned int i;

	lockdep_assert_held(&ns->lock);
	xa_for_each(&ns->spread.tasks, number, task) {
		if (sdv_pid_has_ended(task->pid))
			continue;
		for (i = 0; i < question->exec.nr_leases; i++)
			question->leases[i].tasks += question->leases[i].id == task->choice.lease;
	}
}

/* All that a policy may want to know, as of now; to be freed with kfree(), or NULL. */
static struct question *question_alloc(const struct sdv_exec_ask *ask)
{
	struct sdv_ns *ns = sdv_ns(ask->net);
	struct question *question;
	struct sdv_lease *lease;
	struct superdev_exec *exec;
	unsigned int nr = 0;
	unsigned long id;
	size_t len;

	guard(mutex)(&ns->lock);
	xa_for_each(&ns->leases.xa, id, lease)
		nr += is_for(lease, ask->class);
	nr = min(nr, SDV_POLICY_LEASES);
	question = kzalloc(struct_size(question, leases, nr), GFP_KERNEL);
	if (!question)
		return NULL;
	exec = &question->exec;
	xa_for_each(&ns->leases.xa, id, lease)
		if (exec->nr_leases < nr && is_for(lease, ask->class))
			show_lease(ns, lease, &question->leases[exec->nr_leases++]);
	count_tasks(ns, question);

	exec->pid = task_tgid_nr(ask->task);
	exec->uid = from_kuid_munged(&init_user_ns, task_uid(ask->task));
	exec->nice = task_nice(ask->task);
	exec->cgroup = cgroup_of(ask->task);
	exec->nr_cpus = num_online_cpus();
	exec->load = (u64)READ_ONCE(avenrun[0]) * 100 >> FSHIFT;
	sdv_program_of(ask->inode, &exec->program);
	question->has_cost = sdv_cost_get(&exec->program, &question->cost);
	len = strlen(ask->path);
	strscpy(exec->path, len < sizeof(exec->path) ? ask->path :
		ask->path + len - (sizeof(exec->path) - 1));
	return question;
}

/**
 * sdv_exec_lease() - one of the leases that a policy may pick
 * @exec: what the policy was called with
 * @index: from 0 on
 *
 * Return: the lease, until the policy returns; or NULL.
 */
const struct superdev_exec_lease *sdv_exec_lease(const struct superdev_exec *exec, u32 index)
{
	const struct question *question = container_of_const(exec, struct question, exec);

	return index < exec->nr_leases ? &question->leases[index] : NULL;
}
EXPORT_SYMBOL_IF_KUNIT(sdv_exec_lease);

/**
 * sdv_exec_cost() - what earlier runs of the program took
 * @exec: what the policy was called with
 *
 * Return: averages, until the policy returns; NULL where no run was seen.
 */
const struct superdev_cost *sdv_exec_cost(const struct superdev_exec *exec)
{
	const struct question *question = container_of_const(exec, struct question, exec);

	return question->has_cost ? &question->cost : NULL;
}

/**
 * sdv_exec_pick() - a policy has made up its mind; the last word counts
 * @exec: what the policy was called with
 * @lease: id of a lease that it was shown, or 0: here
 * @why: in words
 * @len: bytes of @why that may be read
 */
void sdv_exec_pick(struct superdev_exec *exec, u32 lease, const char *why, size_t len)
{
	struct question *question = container_of(exec, struct question, exec);

	question->is_picked = true;
	question->lease = lease;
	len = strnlen(why, min(len, sizeof(question->why) - 1));
	memcpy(question->why, why, len);
	question->why[len] = '\0';
}
EXPORT_SYMBOL_IF_KUNIT(sdv_exec_pick);

static const struct superdev_exec_lease *picked_lease(const struct question *question)
{
	u32 i;

	for (i = 0; i < question->exec.nr_leases; i++)
		if (question->leases[i].id == question->lease)
			return &question->leases[i];
	return NULL;
}

/* Whether a decision took too long, alone or as the last of some in a row. */
static bool is_too_slow(struct policy *policy, u64 took_ns)
{
	if (took_ns < SDV_POLICY_SLOW_MS * NSEC_PER_MSEC) {
		if (atomic_read(&policy->slow))
			atomic_set(&policy->slow, 0);
		return false;
	}
	/* The clock ran on where the caller was preempted: one slow answer is none. */
	return took_ns >= SDV_POLICY_STUCK_MS * NSEC_PER_MSEC ||
	       atomic_inc_return(&policy->slow) >= SDV_POLICY_SLOW_IN_A_ROW;
}

/* Fills in @why; returns whether the answer is one that a policy may give. */
static bool judge(struct policy *policy, const struct question *question, int result,
		  struct sdv_choice *choice)
{
	const struct superdev_exec_lease *lease;

	if (result) {
		snprintf(choice->why, sizeof(choice->why), "pick_exec failed with %d", result);
		return false;
	}
	if (is_too_slow(policy, choice->took_ns)) {
		snprintf(choice->why, sizeof(choice->why), "pick_exec took %llu ms",
			 div_u64(choice->took_ns, NSEC_PER_MSEC));
		return false;
	}
	if (!question->is_picked) {
		snprintf(choice->why, sizeof(choice->why), "the policy has no opinion");
		return true;
	}
	if (!question->lease) {
		sdv_copy_text(choice->why, sizeof(choice->why), question->why);
		return true;
	}
	lease = picked_lease(question);
	if (!lease) {
		snprintf(choice->why, sizeof(choice->why),
			 "pick_exec picked lease %u, which is none that it was shown",
			 question->lease);
		return false;
	}
	if (lease->state != SUPERDEV_LEASE_STATE_ACTIVE) {
		snprintf(choice->why, sizeof(choice->why), "the lease picked is %s: '%s/%s'",
			 sdv_lease_state_name(lease->state), lease->peer, lease->offer);
		return true;
	}
	choice->lease = lease->id;
	strscpy(choice->peer, lease->peer);
	strscpy(choice->offer, lease->offer);
	sdv_copy_text(choice->why, sizeof(choice->why), question->why);
	return true;
}

static void count(struct policy *policy, const struct question *question,
		  const struct sdv_choice *choice)
{
	atomic64_inc(&policy->decisions);
	if (choice->lease)
		atomic64_inc(&policy->remote);
	else if (!question->is_picked || question->lease)
		atomic64_inc(&policy->declined);
}

static void keep_figures(const struct question *question, struct sdv_figures *figures)
{
	const struct superdev_exec_lease *picked = picked_lease(question);
	const struct superdev_exec *exec = &question->exec;
	u32 i;

	figures->nr_cpus = exec->nr_cpus;
	figures->load = exec->load;
	figures->nr_leases = exec->nr_leases;
	figures->has_cost = question->has_cost;
	figures->cost = question->cost;
	if (picked)
		figures->leases[figures->nr_kept++] = *picked;
	for (i = 0; i < exec->nr_leases && figures->nr_kept < SDV_FIGURES_LEASES; i++)
		if (&question->leases[i] != picked)
			figures->leases[figures->nr_kept++] = question->leases[i];
}

/**
 * sdv_policy_pick_exec() - where a program that is about to start shall run
 * @ask: the question
 * @ret_choice: the answer; always filled
 *
 * The lease was active a moment ago and may not be any more; who can't use it
 * runs the program here.
 *
 * Context: process, no lock of the registry held; takes sdv_ns.lock.  Sleeps,
 * but not for long: the policy itself does not.
 * Return: the id of a lease, or 0: here.
 */
u32 sdv_policy_pick_exec(const struct sdv_exec_ask *ask, struct sdv_choice *ret_choice)
{
	struct question *question = NULL;
	struct policy *policy;
	u64 began;
	int result;

	memset(ret_choice, 0, sizeof(*ret_choice));
	if (ask->ret_figures)
		memset(ask->ret_figures, 0, sizeof(*ask->ret_figures));
	if (rcu_access_pointer(attached)) {
		question = question_alloc(ask);
		if (!question)
			strscpy(ret_choice->why, "there is no memory to ask the policy");
	}

	rcu_read_lock();
	policy = rcu_dereference(attached);
	if (question && policy && !test_bit(0, &policy->is_ended)) {
		strscpy(ret_choice->policy, policy->ops->name);
		began = ktime_get_ns();
		result = policy->ops->pick_exec(&question->exec);
		ret_choice->took_ns = ktime_get_ns() - began;
		if (!judge(policy, question, result, ret_choice))
			policy_end(policy, ret_choice->why);
		if (!ask->is_trial)
			count(policy, question, ret_choice);
		if (ask->ret_figures)
			keep_figures(question, ask->ret_figures);
	} else if (!ret_choice->why[0]) {
		strscpy(ret_choice->why, "no policy is attached");
	}
	rcu_read_unlock();

	trace_superdev_decision(task_tgid_nr(ask->task), ask->path, ret_choice);
	kfree(question);
	return ret_choice->lease;
}
EXPORT_SYMBOL_GPL(sdv_policy_pick_exec);

/**
 * sdv_policy_exit() - waits for what may still run
 *
 * An attached policy holds the module, so none is; but the work that detached
 * the last one may be on its way out.
 *
 * Context: sleeps.
 */
void sdv_policy_exit(void)
{
	flush_work(&detach_work);
}
