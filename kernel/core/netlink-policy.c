// SPDX-License-Identifier: GPL-2.0-only
/*
 * netlink-policy.c: commands on the policy: what it did, unload, and a trial.
 *
 * The policy is the machine's and not a namespace's, hence no lock of the
 * registry here; a trial is about the leases of the process that would start
 * the program.
 */
#include <linux/cleanup.h>
#include <linux/fs.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/pid.h>
#include <linux/sched/task.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "netlink-gen.h"
#include "netlink.h"
#include "policy.h"
#include "registry.h"

/* 64-bit attributes are not padded: the specification names no attribute for it. */
static int put_u64(struct sk_buff *skb, int type, u64 value)
{
	return nla_put(skb, type, sizeof(value), &value);
}

static int put_text(struct sk_buff *skb, int type, const char *text)
{
	return text[0] ? nla_put_string(skb, type, text) : 0;
}

static int fill_info(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct sdv_policy_info *policy = object;
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if ((policy->name[0] &&
	     (nla_put_string(skb, SUPERDEV_A_POLICY_NAME, policy->name) ||
	      put_u64(skb, SUPERDEV_A_POLICY_SINCE, policy->since) ||
	      put_u64(skb, SUPERDEV_A_POLICY_DECISIONS, policy->decisions) ||
	      put_u64(skb, SUPERDEV_A_POLICY_REMOTE, policy->remote) ||
	      put_u64(skb, SUPERDEV_A_POLICY_DECLINED, policy->declined))) ||
	    (policy->last_name[0] &&
	     (nla_put_string(skb, SUPERDEV_A_POLICY_LAST_NAME, policy->last_name) ||
	      put_u64(skb, SUPERDEV_A_POLICY_LAST_TIME, policy->last_time) ||
	      put_text(skb, SUPERDEV_A_POLICY_LAST_ERROR, policy->last_error)))) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/**
 * sdv_notify_policy() - a policy was attached, detached or replaced
 *
 * Whoever watches the machine watches its initial namespace; the others hear
 * of what is theirs.
 *
 * Context: sleeps; the order of events is that of calls, so under policy_mutex.
 */
void sdv_notify_policy(void)
{
	struct sdv_to to = { .cmd = SUPERDEV_CMD_POLICY_NTF };
	struct sdv_policy_info policy;
	struct sk_buff *skb;

	if (!genl_has_listeners(&sdv_family, &init_net, SUPERDEV_NLGRP_EVENTS))
		return;
	sdv_policy_info(&policy);
	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb || fill_info(skb, &to, &policy)) {
		nlmsg_free(skb);
		genl_set_err(&sdv_family, &init_net, 0, SUPERDEV_NLGRP_EVENTS, -ENOBUFS);
		return;
	}
	genlmsg_multicast_netns(&sdv_family, &init_net, skb, 0, SUPERDEV_NLGRP_EVENTS,
				GFP_KERNEL);
}

int superdev_nl_policy_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_policy_info policy;

	sdv_policy_info(&policy);
	return sdv_reply(info, SUPERDEV_CMD_POLICY_GET, fill_info, &policy);
}

int superdev_nl_policy_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	int err = sdv_policy_del();

	if (err)
		return sdv_refuse(info->extack, NULL, err, "no policy is attached");
	return 0;
}

static int fill_choice(struct sk_buff *skb, const struct sdv_to *to, const void *object)
{
	const struct sdv_choice *choice = object;
	void *header = sdv_put_header(skb, to);

	if (!header)
		return -EMSGSIZE;
	if (put_text(skb, SUPERDEV_A_POLICY_NAME, choice->policy) ||
	    (choice->lease &&
	     (nla_put_u32(skb, SUPERDEV_A_POLICY_LEASE, choice->lease) ||
	      nla_put_string(skb, SUPERDEV_A_POLICY_PEER, choice->peer) ||
	      nla_put_string(skb, SUPERDEV_A_POLICY_OFFER, choice->offer))) ||
	    put_text(skb, SUPERDEV_A_POLICY_WHY, choice->why) ||
	    put_u64(skb, SUPERDEV_A_POLICY_TOOK_NS, choice->took_ns)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/* The process that would start it, with a reference, and its namespace, with one. */
static int get_task(struct genl_info *info, struct task_struct **ret_task, struct net **ret_net)
{
	const struct nlattr *attr = info->attrs[SUPERDEV_A_POLICY_PID];
	struct task_struct *task;
	struct net *net = NULL;
	struct pid *pid;

	if (!attr) {
		*ret_task = get_task_struct(current);
		*ret_net = get_net(genl_info_net(info));
		return 0;
	}
	pid = find_get_pid(nla_get_u32(attr));
	task = get_pid_task(pid, PIDTYPE_TGID);
	put_pid(pid);
	if (task)
		net = get_net_ns_by_pid(nla_get_u32(attr));
	if (IS_ERR_OR_NULL(net)) {
		if (task)
			put_task_struct(task);
		return sdv_refuse(info->extack, attr, -ESRCH, "there is no process %u",
				  nla_get_u32(attr));
	}
	*ret_task = task;
	*ret_net = net;
	return 0;
}

int superdev_nl_policy_try_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct path path __free(path_put) = {};
	struct sdv_exec_ask ask = { .is_trial = true };
	struct sdv_choice choice;
	int err;

	err = sdv_get_name(info, SUPERDEV_A_POLICY_CLASS, "the class of the leases", &ask.class);
	if (err)
		return err;
	err = sdv_require(info, SUPERDEV_A_POLICY_PATH, "the path of a program");
	if (err)
		return err;
	ask.path = nla_data(info->attrs[SUPERDEV_A_POLICY_PATH]);
	/* We run in the sender's context, so this is what the sender may reach. */
	err = kern_path(ask.path, LOOKUP_FOLLOW, &path);
	if (err)
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_POLICY_PATH], err,
				  "no way to the program: '%*pE': %pe", (int)strlen(ask.path),
				  ask.path, ERR_PTR(err));
	ask.inode = d_inode(path.dentry);
	if (!S_ISREG(ask.inode->i_mode))
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_POLICY_PATH], -ENOEXEC,
				  "that is no program but something else: '%*pE'",
				  (int)strlen(ask.path), ask.path);
	err = get_task(info, &ask.task, &ask.net);
	if (err)
		return err;
	sdv_policy_pick_exec(&ask, &choice);
	put_net(ask.net);
	put_task_struct(ask.task);
	return sdv_reply(info, SUPERDEV_CMD_POLICY_TRY, fill_choice, &choice);
}
