// SPDX-License-Identifier: GPL-2.0-only
/*
 * netlink-spread.c: commands on cgroups that are set to spread, on programs that
 * are elsewhere, and on why.
 */
#include <linux/cgroup.h>
#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/pid_namespace.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "netlink-gen.h"
#include "netlink.h"
#include "registry.h"
#include "spread.h"

/* 64-bit attributes are not padded: the specification names no attribute for it. */
static int put_u64(struct sk_buff *skb, int type, u64 value)
{
	return nla_put(skb, type, sizeof(value), &value);
}

static int put_text(struct sk_buff *skb, int type, const char *text)
{
	return text[0] ? nla_put_string(skb, type, text) : 0;
}

/* Cgroups ---------------------------------------------------------------------- */

static int fill_spread(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct sdv_spread_cgroup *spread = object;
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if (nla_put_string(skb, SUPERDEV_A_SPREAD_CGROUP, spread->path) ||
	    put_u64(skb, SUPERDEV_A_SPREAD_ID, spread->id)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/**
 * sdv_notify_spread() - a cgroup was set to spread
 * @ns: the registry
 * @spread: the cgroup
 */
void sdv_notify_spread(struct sdv_ns *ns, const struct sdv_spread_cgroup *spread)
{
	sdv_notify(ns, SUPERDEV_CMD_SPREAD_NTF, fill_spread, spread);
}

/**
 * sdv_notify_spread_del() - a cgroup is no longer set to spread
 * @ns: the registry
 * @spread: the cgroup
 */
void sdv_notify_spread_del(struct sdv_ns *ns, const struct sdv_spread_cgroup *spread)
{
	sdv_notify(ns, SUPERDEV_CMD_SPREAD_DEL_NTF, fill_spread, spread);
}

int superdev_nl_spread_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct sdv_ns *ns = sdv_ns(sock_net(skb->sk));

	guard(mutex)(&ns->lock);
	if (!cb->args[0])
		sdv_spread_sweep(ns);
	return sdv_dump_xa(skb, cb, &ns->spread.cgroups, ns->spread.generation,
			   SUPERDEV_CMD_SPREAD_GET, fill_spread);
}

static void put_cgroup(struct cgroup *cgroup)
{
	if (!IS_ERR_OR_NULL(cgroup))
		cgroup_put(cgroup);
}

DEFINE_FREE(cgroup, struct cgroup *, put_cgroup(_T))

/* The cgroup that the request names, with a reference, or -errno with the reason said. */
static struct cgroup *get_cgroup(struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[SUPERDEV_A_SPREAD_CGROUP];
	struct cgroup *cgroup;
	const char *path;
	int err;

	err = sdv_require(info, SUPERDEV_A_SPREAD_CGROUP, "the path of a cgroup");
	if (err)
		return ERR_PTR(err);
	path = nla_data(attr);
	if (path[0] != '/')
		return ERR_PTR(sdv_refuse(info->extack, attr, -EINVAL,
					  "the path of a cgroup begins with '/': '%*pE'",
					  (int)strlen(path), path));
	cgroup = cgroup_get_from_path(path);
	if (PTR_ERR(cgroup) == -ENOTDIR)
		return ERR_PTR(sdv_refuse(info->extack, attr, -ENOTDIR,
					  "that is a file of a cgroup: '%*pE'",
					  (int)strlen(path), path));
	if (IS_ERR(cgroup))
		return ERR_PTR(sdv_refuse(info->extack, attr, PTR_ERR(cgroup),
					  "there is no cgroup '%*pE' of version 2",
					  (int)strlen(path), path));
	return cgroup;
}

int superdev_nl_spread_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct cgroup *cgroup __free(cgroup) = get_cgroup(info);
	struct nlattr *attr = info->attrs[SUPERDEV_A_SPREAD_CGROUP];
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	int err;

	if (IS_ERR(cgroup))
		return PTR_ERR(cgroup);
	/* All that the machine itself runs, agents among it. */
	if (!cgroup_parent(cgroup))
		return sdv_refuse(info->extack, attr, -EINVAL,
				  "'%s' is the whole machine; name a cgroup below it",
				  (char *)nla_data(attr));

	guard(mutex)(&ns->lock);
	sdv_spread_sweep(ns);
	if (sdv_spread_find(ns, cgroup))
		return 0;
	if (sdv_cgroup_is_dead(cgroup))
		return sdv_refuse(info->extack, attr, -ENOENT, "it was just removed");
	if (ns->spread.nr_cgroups >= SDV_SPREAD_CGROUPS)
		return sdv_refuse(info->extack, NULL, -ENOSPC,
				  "%u cgroups are set to spread already", ns->spread.nr_cgroups);
	err = sdv_spread_add(ns, cgroup);
	if (err == -ENAMETOOLONG)
		return sdv_refuse(info->extack, attr, err, "its path is longer than 1023 bytes");
	return err;
}

int superdev_nl_spread_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct cgroup *cgroup __free(cgroup) = get_cgroup(info);
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	struct nlattr *attr = info->attrs[SUPERDEV_A_SPREAD_CGROUP];
	struct sdv_spread_cgroup *spread;
	struct cgroup *above;

	if (IS_ERR(cgroup))
		return PTR_ERR(cgroup);
	guard(mutex)(&ns->lock);
	spread = sdv_spread_find(ns, cgroup);
	if (spread) {
		sdv_spread_del(ns, spread);
		return 0;
	}
	for (above = cgroup_parent(cgroup); above; above = cgroup_parent(above)) {
		spread = sdv_spread_find(ns, above);
		if (spread)
			return sdv_refuse(info->extack, attr, -ENOENT,
					  "not this one is set to spread, but one above: '%s'",
					  spread->path);
	}
	return sdv_refuse(info->extack, attr, -ENOENT, "it is not set to spread: '%s'",
			  (char *)nla_data(attr));
}

/* Tasks and decisions ------------------------------------------------------------ */

static int put_candidate(struct sk_buff *skb, const struct superdev_exec_lease *lease)
{
	struct nlattr *nest = nla_nest_start(skb, SUPERDEV_A_TASK_CANDIDATE);

	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u32(skb, SUPERDEV_A_CANDIDATE_LEASE, lease->id) ||
	    nla_put_string(skb, SUPERDEV_A_CANDIDATE_PEER, lease->peer) ||
	    nla_put_string(skb, SUPERDEV_A_CANDIDATE_OFFER, lease->offer) ||
	    nla_put_u32(skb, SUPERDEV_A_CANDIDATE_STATE, lease->state) ||
	    nla_put_u32(skb, SUPERDEV_A_CANDIDATE_LANES, lease->lanes) ||
	    nla_put_u32(skb, SUPERDEV_A_CANDIDATE_TASKS, lease->tasks) ||
	    (lease->rtt_us && nla_put_u32(skb, SUPERDEV_A_CANDIDATE_RTT_US, lease->rtt_us)) ||
	    (lease->cpus && nla_put_u32(skb, SUPERDEV_A_CANDIDATE_CPUS, lease->cpus)) ||
	    (lease->load != U32_MAX &&
	     (nla_put_u32(skb, SUPERDEV_A_CANDIDATE_LOAD, lease->load) ||
	      nla_put_u32(skb, SUPERDEV_A_CANDIDATE_LOAD_AGE, lease->load_age_s))))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_figures(struct sk_buff *skb, const struct sdv_figures *figures)
{
	const struct superdev_cost *cost = &figures->cost;
	u32 i;

	if (!figures->nr_cpus)
		return 0;
	if (nla_put_u32(skb, SUPERDEV_A_TASK_CPUS, figures->nr_cpus) ||
	    nla_put_u32(skb, SUPERDEV_A_TASK_LOAD, figures->load) ||
	    nla_put_u32(skb, SUPERDEV_A_TASK_LEASES, figures->nr_leases))
		return -EMSGSIZE;
	if (figures->has_cost &&
	    (put_u64(skb, SUPERDEV_A_TASK_CPU_US, cost->cpu_us) ||
	     (cost->runs && (nla_put_u32(skb, SUPERDEV_A_TASK_RUNS, cost->runs) ||
			     put_u64(skb, SUPERDEV_A_TASK_WALL_US, cost->wall_us))) ||
	     (cost->remote_runs &&
	      (nla_put_u32(skb, SUPERDEV_A_TASK_REMOTE_RUNS, cost->remote_runs) ||
	       put_u64(skb, SUPERDEV_A_TASK_REMOTE_US, cost->remote_us)))))
		return -EMSGSIZE;
	for (i = 0; i < figures->nr_kept; i++)
		if (put_candidate(skb, &figures->leases[i]))
			return -EMSGSIZE;
	return 0;
}

static_assert(SUPERDEV_A_TASK_NIVCSW - SUPERDEV_A_TASK_UTIME_US + 1 == SDV_USED_NR);

static int put_used(struct sk_buff *skb, const struct sdv_decision *decision)
{
	unsigned int i;

	for (i = 0; decision->has_used && i < SDV_USED_NR; i++)
		if (put_u64(skb, SUPERDEV_A_TASK_UTIME_US + i, decision->used.figure[i]))
			return -EMSGSIZE;
	return 0;
}

/* A decision as the caller sees pids and users, with all that it rests on. */
static int fill_decision(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct sdv_decision *decision = object;
	const struct sdv_choice *choice = &decision->choice;
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if (nla_put_u32(skb, SUPERDEV_A_TASK_PID,
			pid_nr_ns(decision->pid, task_active_pid_ns(current))) ||
	    nla_put_u32(skb, SUPERDEV_A_TASK_UID,
			from_kuid_munged(current_user_ns(), decision->uid)) ||
	    nla_put_string(skb, SUPERDEV_A_TASK_PROGRAM, decision->program) ||
	    (choice->lease &&
	     (nla_put_u32(skb, SUPERDEV_A_TASK_LEASE, choice->lease) ||
	      nla_put_string(skb, SUPERDEV_A_TASK_PEER, choice->peer) ||
	      nla_put_string(skb, SUPERDEV_A_TASK_OFFER, choice->offer))) ||
	    put_text(skb, SUPERDEV_A_TASK_POLICY, choice->policy) ||
	    put_text(skb, SUPERDEV_A_TASK_WHY, choice->why) ||
	    put_u64(skb, SUPERDEV_A_TASK_SINCE, decision->since_ns) ||
	    (choice->took_ns && put_u64(skb, SUPERDEV_A_TASK_TOOK_NS, choice->took_ns)) ||
	    (sdv_pid_has_ended(decision->pid) && nla_put_flag(skb, SUPERDEV_A_TASK_ENDED)) ||
	    put_figures(skb, &decision->figures) || put_used(skb, decision)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/* Everybody sees their own; who rules the namespace sees all, as far as it has their numbers. */
static bool is_visible(struct sk_buff *request, struct net *net,
		       const struct sdv_decision *decision)
{
	if (!pid_nr_ns(decision->pid, task_active_pid_ns(current)))
		return false;
	return uid_eq(NETLINK_CREDS(request)->uid, decision->uid) ||
	       netlink_ns_capable(request, net->user_ns, CAP_NET_ADMIN);
}

static int refuse_pid(struct genl_info *info, const char *what)
{
	const struct nlattr *attr = info->attrs[SUPERDEV_A_TASK_PID];

	return sdv_refuse(info->extack, attr, -ENOENT, "%s %u", what, nla_get_u32(attr));
}

/* The lease that a request names, where a program can go by it: its names, in @ret_choice. */
static int get_choice(struct genl_info *info, struct sdv_ns *ns, struct sdv_choice *ret_choice)
{
	const struct nlattr *attr = info->attrs[SUPERDEV_A_TASK_LEASE];
	struct sdv_lease *lease;

	lockdep_assert_held(&ns->lock);
	lease = sdv_lease_find(ns, nla_get_u32(attr));
	if (!lease || lease->role != SUPERDEV_ROLE_HELD)
		return sdv_refuse(info->extack, attr, -ENOENT, "no lease %u is held",
				  nla_get_u32(attr));
	if (lease->state != SUPERDEV_LEASE_STATE_ACTIVE)
		return sdv_refuse(info->extack, attr, -EAGAIN, "the lease is %s: '%s/%s'",
				  sdv_lease_state_name(lease->state), lease->peer, lease->offer);
	ret_choice->lease = lease->id;
	strscpy(ret_choice->peer, lease->peer);
	strscpy(ret_choice->offer, lease->offer);
	strscpy(ret_choice->why, "asked for by name");
	return 0;
}

DEFINE_FREE(decision, struct sdv_decision *, sdv_decision_free(_T))

int superdev_nl_task_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_decision *decision __free(decision) = NULL;
	struct net *net = genl_info_net(info);
	struct sdv_ns *ns = sdv_ns(net);
	int err;

	err = sdv_require(info, SUPERDEV_A_TASK_PROGRAM, "the path of a program");
	if (!err)
		err = sdv_require(info, SUPERDEV_A_TASK_LEASE, "the number of a lease");
	if (err)
		return err;
	decision = sdv_decision_alloc(nla_data(info->attrs[SUPERDEV_A_TASK_PROGRAM]));
	if (!decision)
		return -ENOMEM;
	scoped_guard(mutex, &ns->lock)
		err = get_choice(info, ns, &decision->choice);
	if (!err)
		err = sdv_task_add(net, decision);
	if (!err)
		/* The registry's now. */
		decision = NULL;
	return err;
}

int superdev_nl_task_used_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *attr;
	enum sdv_used_what what;
	struct sdv_used used;
	unsigned int i;
	int err;

	for (i = 0; i < SDV_USED_NR; i++) {
		err = sdv_require(info, SUPERDEV_A_TASK_UTIME_US + i, "one of the figures");
		if (err)
			return err;
		used.figure[i] = nla_get_u64(info->attrs[SUPERDEV_A_TASK_UTIME_US + i]);
	}
	err = sdv_task_used(genl_info_net(info), &used, &what);
	if (err == -EPERM)
		return sdv_refuse(info->extack, NULL, err,
				  "the sender stands for no program that is elsewhere");
	if (!err)
		return 0;
	attr = info->attrs[SUPERDEV_A_TASK_UTIME_US + what];
	return sdv_refuse(info->extack, attr, err, err == -EINVAL ?
			  "the program had used more than %llu already" :
			  "no machine does that much in the time: %llu", nla_get_u64(attr));
}

int superdev_nl_task_check_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[SUPERDEV_A_TASK_PID];
	struct task_struct *task;
	const char *why;
	struct pid *pid;
	int err;

	err = sdv_require(info, SUPERDEV_A_TASK_PID, "the number of a process");
	if (err)
		return err;
	pid = find_get_pid(nla_get_u32(attr));
	task = get_pid_task(pid, PIDTYPE_TGID);
	put_pid(pid);
	if (!task)
		return sdv_refuse(info->extack, attr, -ESRCH, "there is no process %u",
				  nla_get_u32(attr));
	why = sdv_spread_objection(genl_info_net(info), task);
	put_task_struct(task);
	return why ? sdv_refuse(info->extack, attr, -EPERM, "%s", why) : 0;
}

int superdev_nl_task_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	static const char none[] = "no program of yours is elsewhere by the process";
	struct net *net = genl_info_net(info);
	struct sdv_ns *ns = sdv_ns(net);
	struct sdv_decision *task;
	struct pid *pid;
	int err;

	err = sdv_require(info, SUPERDEV_A_TASK_PID, "the number of a process");
	if (err)
		return err;
	guard(mutex)(&ns->lock);
	sdv_task_sweep(ns);
	pid = find_get_pid(nla_get_u32(info->attrs[SUPERDEV_A_TASK_PID]));
	task = pid ? xa_load(&ns->spread.tasks, pid_nr(pid)) : NULL;
	if (!task || task->pid != pid || !is_visible(skb, net, task))
		err = refuse_pid(info, none);
	else
		err = sdv_reply(info, SUPERDEV_CMD_TASK_GET, fill_decision, task);
	put_pid(pid);
	return err;
}

/* Where a dump goes on. */
struct cursor {
	u64 next;
};

static_assert(sizeof(struct cursor) <= sizeof_field(struct netlink_callback, ctx));

static struct sdv_to to_of(struct netlink_callback *cb, u8 cmd)
{
	return (struct sdv_to) {
		.portid	= NETLINK_CB(cb->skb).portid,
		.seq	= cb->nlh->nlmsg_seq,
		.flags	= NLM_F_MULTI,
		.cmd	= cmd,
		.cb	= cb,
	};
}

int superdev_nl_task_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct sdv_to to = to_of(cb, SUPERDEV_CMD_TASK_GET);
	struct cursor *cursor = (void *)cb->ctx;
	struct net *net = sock_net(skb->sk);
	struct sdv_ns *ns = sdv_ns(net);
	struct sdv_decision *task;
	unsigned long number;
	int err;

	guard(mutex)(&ns->lock);
	if (!cursor->next)
		sdv_task_sweep(ns);
	/* They come and go all the time: a dump that missed some is no worse than one too early. */
	xa_for_each_start(&ns->spread.tasks, number, task, cursor->next) {
		if (is_visible(cb->skb, net, task)) {
			err = fill_decision(skb, &to, task);
			if (err)
				return skb->len ?: err;
		}
		cursor->next = number + 1;
	}
	return skb->len;
}

int superdev_nl_decision_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct net *net = genl_info_net(info);
	struct sdv_ns *ns = sdv_ns(net);
	struct sdv_decision *decision;
	u64 i, nr;
	u32 wanted;
	int err;

	err = sdv_require(info, SUPERDEV_A_TASK_PID, "the number of a process");
	if (err)
		return err;
	wanted = nla_get_u32(info->attrs[SUPERDEV_A_TASK_PID]);
	guard(mutex)(&ns->lock);
	nr = ns->spread.nr_decisions;
	for (i = 1; i <= min_t(u64, nr, SDV_DECISIONS); i++) {
		decision = &ns->spread.ring[(nr - i) % SDV_DECISIONS];
		if (wanted && pid_nr_ns(decision->pid, task_active_pid_ns(current)) == wanted &&
		    is_visible(skb, net, decision))
			return sdv_reply(info, SUPERDEV_CMD_DECISION_GET, fill_decision, decision);
	}
	return refuse_pid(info, "nothing that you may see is known of the process");
}

int superdev_nl_decision_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct sdv_to to = to_of(cb, SUPERDEV_CMD_DECISION_GET);
	struct cursor *cursor = (void *)cb->ctx;
	struct net *net = sock_net(skb->sk);
	struct sdv_ns *ns = sdv_ns(net);
	struct sdv_decision *decision;
	u64 nr;
	int err;

	guard(mutex)(&ns->lock);
	nr = ns->spread.nr_decisions;
	if (nr > SDV_DECISIONS)
		cursor->next = max(cursor->next, nr - SDV_DECISIONS);
	for (; cursor->next < nr; cursor->next++) {
		decision = &ns->spread.ring[cursor->next % SDV_DECISIONS];
		if (!is_visible(cb->skb, net, decision))
			continue;
		err = fill_decision(skb, &to, decision);
		if (err)
			return skb->len ?: err;
	}
	return skb->len;
}
