// SPDX-License-Identifier: GPL-2.0-only
/*
 * spread.c: cgroups that are set to spread, and processes that stay here anyway.
 *
 * A cgroup is set to spread for one network namespace, as all of a registry is:
 * of its processes, those of that namespace are meant.
 */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/path.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seccomp.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "registry.h"
#include "spread.h"
#include "trace.h"

/* What has ended is dropped within this time, and whenever somebody looks. */
#define SWEEP_MS	2000
#define CGROUP_PATH_SIZE 1024

atomic_t sdv_spread_users = ATOMIC_INIT(0);
EXPORT_SYMBOL_GPL(sdv_spread_users);

/* Cgroups ---------------------------------------------------------------------- */

/**
 * sdv_spread_find() - whether this very cgroup is set to spread
 * @ns: the registry
 * @cgroup: the cgroup
 *
 * Context: sdv_ns.lock held.
 * Return: the entry, or NULL.
 */
struct sdv_spread_cgroup *sdv_spread_find(struct sdv_ns *ns, struct cgroup *cgroup)
{
	lockdep_assert_held(&ns->lock);
	return xa_load(&ns->spread.cgroups, cgroup_id(cgroup));
}

/**
 * sdv_spread_add() - sets a cgroup to spread, and tells
 * @ns: the registry, below its limit
 * @cgroup: the cgroup, not set to spread yet; a reference is taken
 *
 * Context: sdv_ns.lock held.  Sleeps.
 * Return: 0, -ENOMEM, or -ENAMETOOLONG where its path is longer than 1023 bytes.
 */
int sdv_spread_add(struct sdv_ns *ns, struct cgroup *cgroup)
{
	char *path __free(kfree) = kmalloc(CGROUP_PATH_SIZE, GFP_KERNEL);
	struct sdv_spread_cgroup *spread;
	int len, err;

	lockdep_assert_held(&ns->lock);
	if (!path)
		return -ENOMEM;
	len = cgroup_path(cgroup, path, CGROUP_PATH_SIZE);
	if (len < 0 || len >= CGROUP_PATH_SIZE)
		return -ENAMETOOLONG;
	if (!ns->spread.ring) {
		ns->spread.ring = kvcalloc(SDV_DECISIONS, sizeof(*ns->spread.ring),
					   GFP_KERNEL_ACCOUNT);
		if (!ns->spread.ring)
			return -ENOMEM;
	}
	len = strlen(path) + 1;
	spread = kzalloc(struct_size(spread, path, len), GFP_KERNEL_ACCOUNT);
	if (!spread)
		return -ENOMEM;
	spread->id = cgroup_id(cgroup);
	memcpy(spread->path, path, len);
	err = xa_err(xa_store(&ns->spread.cgroups, spread->id, spread, GFP_KERNEL_ACCOUNT));
	if (err) {
		kfree(spread);
		return err;
	}
	cgroup_get(cgroup);
	spread->cgroup = cgroup;
	ns->spread.nr_cgroups++;
	ns->spread.generation++;
	atomic_inc(&sdv_spread_users);
	sdv_notify_spread(ns, spread);
	sdv_spread_sweep_later(ns);
	return 0;
}

/**
 * sdv_spread_del() - a cgroup is no longer set to spread; tells
 * @ns: the registry
 * @spread: the entry; freed
 *
 * Context: sdv_ns.lock held.
 */
void sdv_spread_del(struct sdv_ns *ns, struct sdv_spread_cgroup *spread)
{
	lockdep_assert_held(&ns->lock);
	xa_erase(&ns->spread.cgroups, spread->id);
	ns->spread.nr_cgroups--;
	ns->spread.generation++;
	atomic_dec(&sdv_spread_users);
	sdv_notify_spread_del(ns, spread);
	cgroup_put(spread->cgroup);
	/* Who looked under RCU has not looked into it. */
	kfree(spread);
}

/**
 * sdv_spread_sweep() - drops cgroups and tasks that are no more
 * @ns: the registry
 *
 * Context: sdv_ns.lock held.
 */
void sdv_spread_sweep(struct sdv_ns *ns)
{
	struct sdv_spread_cgroup *spread;
	unsigned long id;

	lockdep_assert_held(&ns->lock);
	xa_for_each(&ns->spread.cgroups, id, spread)
		if (sdv_cgroup_is_dead(spread->cgroup))
			sdv_spread_del(ns, spread);
	sdv_task_sweep(ns);
}

static void sweep_work_fn(struct work_struct *work)
{
	struct sdv_ns *ns = container_of(to_delayed_work(work), struct sdv_ns, spread.sweep);

	guard(mutex)(&ns->lock);
	sdv_spread_sweep(ns);
	if (ns->net)
		sdv_spread_sweep_later(ns);
}

/**
 * sdv_spread_sweep_later() - sees to it that what ends is dropped
 * @ns: the registry
 *
 * Context: sdv_ns.lock held.
 */
void sdv_spread_sweep_later(struct sdv_ns *ns)
{
	lockdep_assert_held(&ns->lock);
	if (ns->spread.nr_cgroups || ns->spread.nr_tasks)
		schedule_delayed_work(&ns->spread.sweep, msecs_to_jiffies(SWEEP_MS));
}

/* Processes -------------------------------------------------------------------- */

/**
 * sdv_spread_has_current() - whether the caller's programs may go elsewhere
 * @net: the caller's network namespace
 *
 * Return: true where its cgroup, or one above, is set to spread.
 */
bool sdv_spread_has_current(struct net *net)
{
	struct sdv_ns *ns = sdv_ns(net);
	struct cgroup *cgroup;

	guard(rcu)();
	for (cgroup = task_dfl_cgroup(current); cgroup; cgroup = cgroup_parent(cgroup))
		if (xa_load(&ns->spread.cgroups, cgroup_id(cgroup)))
			return true;
	return false;
}
EXPORT_SYMBOL_GPL(sdv_spread_has_current);

/* What root's files are served with; see agent/daemon/spawn.c. */
static bool is_less_than_root(const struct cred *cred)
{
	static const int caps[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
				    CAP_FSETID };
	unsigned int i;

	if (!uid_eq(cred->uid, GLOBAL_ROOT_UID))
		return false;
	for (i = 0; i < ARRAY_SIZE(caps); i++)
		if (!cap_raised(cred->cap_effective, caps[i]))
			return true;
	return false;
}

/*
 * Files are served, and guests run, with the rights that a user has by itself: a
 * process that has fewer must not get those back by way of a lender, nor may one
 * that has more lose them unnoticed.
 */
static const char *object_to_rights(struct task_struct *task, const struct cred *agent)
{
	const struct cred *cred = get_task_cred(task);
	const char *why = NULL;

	if (cred->user_ns != agent->user_ns)
		why = "it is in another user namespace than the agent";
	else if (!uid_eq(cred->uid, cred->euid) || !uid_eq(cred->uid, cred->suid) ||
		 !uid_eq(cred->uid, cred->fsuid) || !gid_eq(cred->gid, cred->egid) ||
		 !gid_eq(cred->gid, cred->sgid) || !gid_eq(cred->gid, cred->fsgid))
		why = "it runs with rights of two users or groups";
	else if (task_no_new_privs(task) || seccomp_mode(&task->seccomp))
		why = "it is in a sandbox";
	else if (!uid_eq(cred->uid, GLOBAL_ROOT_UID) && !cap_isclear(cred->cap_ambient))
		why = "it is given capabilities";
	else if (is_less_than_root(cred))
		why = "it is root without all rights to files";
	put_cred(cred);
	return why;
}

static bool get_root(struct task_struct *task, struct path *ret_root)
{
	bool has_one = false;

	task_lock(task);
	if (task->fs) {
		get_fs_root(task->fs, ret_root);
		has_one = true;
	}
	task_unlock(task);
	return has_one;
}

/* Also the same mount namespace: each has mounts of its own. */
static bool has_same_root(struct task_struct *a, struct task_struct *b)
{
	struct path root_a, root_b;
	bool is_same = false;

	if (!get_root(a, &root_a))
		return false;
	if (get_root(b, &root_b)) {
		is_same = path_equal(&root_a, &root_b);
		path_put(&root_b);
	}
	path_put(&root_a);
	return is_same;
}

/* Process 1 where the agent is; a sandbox may have one of its own. */
static struct task_struct *get_init(struct task_struct *agent)
{
	struct pid_namespace *ns;
	struct task_struct *task;

	guard(rcu)();
	ns = task_active_pid_ns(agent);
	task = ns ? pid_task(find_pid_ns(1, ns), PIDTYPE_TGID) : NULL;
	return task ? get_task_struct(task) : NULL;
}

static const char *object(struct task_struct *task, struct task_struct *agent)
{
	const struct cred *agent_cred = get_task_cred(agent);
	struct task_struct *init;
	const char *why;
	bool is_ours;

	why = object_to_rights(task, agent_cred);
	put_cred(agent_cred);
	if (why)
		return why;
	/*
	 * The agent serves the tree that it sees.  An init system may have given it
	 * mounts of its own that differ in what is read-only.
	 */
	is_ours = has_same_root(task, agent);
	init = is_ours ? NULL : get_init(agent);
	if (init) {
		is_ours = has_same_root(task, init);
		put_task_struct(init);
	}
	return is_ours ? NULL : "it has another root or other mounts than the agent";
}

/**
 * sdv_spread_objection() - why programs of a process can't go elsewhere at all
 * @net: the network namespace whose agent is meant
 * @task: the process
 *
 * Context: process.  Sleeps.
 * Return: NULL: they can; else the reason, for people, for ever.
 */
const char *sdv_spread_objection(struct net *net, struct task_struct *task)
{
	struct sdv_ns *ns = sdv_ns(net);
	struct task_struct *agent;
	const char *why;

	scoped_guard(mutex, &ns->lock)
		agent = get_pid_task(ns->agent.pid, PIDTYPE_TGID);
	if (!agent)
		return "no agent runs";
	why = object(task, agent);
	put_task_struct(agent);
	return why;
}
EXPORT_SYMBOL_GPL(sdv_spread_objection);

static bool runs_our_program(struct task_struct *task)
{
	struct mm_struct *mm = get_task_mm(task);
	struct file *ours, *theirs;
	bool is_ours;

	if (!mm)
		return false;
	rcu_read_lock();
	ours = get_file_rcu(&current->mm->exe_file);
	theirs = get_file_rcu(&mm->exe_file);
	rcu_read_unlock();
	is_ours = ours && theirs && file_inode(ours) == file_inode(theirs);
	if (ours)
		fput(ours);
	if (theirs)
		fput(theirs);
	mmput(mm);
	return is_ours;
}

/**
 * sdv_spread_is_agent() - whether the caller runs the program that the agent runs
 * @net: the network namespace whose agent is meant
 *
 * Context: process that has a user's memory.  Sleeps.
 * Return: true for the agent, and for what it has forked.
 */
bool sdv_spread_is_agent(struct net *net)
{
	struct sdv_ns *ns = sdv_ns(net);
	struct task_struct *agent;
	bool is_agent;

	scoped_guard(mutex, &ns->lock)
		agent = get_pid_task(ns->agent.pid, PIDTYPE_TGID);
	if (!agent)
		return false;
	is_agent = runs_our_program(agent);
	put_task_struct(agent);
	return is_agent;
}
EXPORT_SYMBOL_GPL(sdv_spread_is_agent);

/* Life ------------------------------------------------------------------------- */

/**
 * sdv_spread_init() - nothing is set to spread
 * @ns: a registry that is being made
 */
void sdv_spread_init(struct sdv_ns *ns)
{
	xa_init(&ns->spread.cgroups);
	xa_init(&ns->spread.tasks);
	ns->spread.generation = 1;
	INIT_DELAYED_WORK(&ns->spread.sweep, sweep_work_fn);
}

/**
 * sdv_spread_exit() - all is forgotten
 * @ns: a registry whose network namespace is NULL already
 *
 * No process is in that namespace, so nobody asks; what may still be inside is the
 * work item, which does not queue itself any more.
 *
 * Context: sleeps; sdv_ns.lock not held.
 */
void sdv_spread_exit(struct sdv_ns *ns)
{
	struct sdv_spread_cgroup *spread;
	unsigned long id;

	cancel_delayed_work_sync(&ns->spread.sweep);
	guard(mutex)(&ns->lock);
	xa_for_each(&ns->spread.cgroups, id, spread)
		sdv_spread_del(ns, spread);
	sdv_decision_exit(ns);
	xa_destroy(&ns->spread.cgroups);
	xa_destroy(&ns->spread.tasks);
}
