/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/superdev.yaml */
/* YNL-GEN kernel header */

#ifndef _LINUX_SUPERDEV_GEN_H
#define _LINUX_SUPERDEV_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/superdev.h>

/* Common nested types */
extern const struct nla_policy superdev_property_nl_policy[SUPERDEV_A_PROPERTY_TIME + 1];

/* Ops table for superdev */
extern const struct genl_split_ops superdev_nl_ops[36];

int superdev_nl_command_begin(const struct genl_split_ops *ops,
			      struct sk_buff *skb, struct genl_info *info);
int superdev_nl_report_begin(const struct genl_split_ops *ops,
			     struct sk_buff *skb, struct genl_info *info);
void
superdev_nl_command_end(const struct genl_split_ops *ops, struct sk_buff *skb,
			struct genl_info *info);

int superdev_nl_agent_get_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_agent_bind_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_peer_get_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_peer_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int superdev_nl_peer_add_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_peer_set_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_peer_del_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_peer_report_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_offer_get_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_offer_get_dumpit(struct sk_buff *skb,
				 struct netlink_callback *cb);
int superdev_nl_offer_add_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_offer_del_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_offer_report_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_lease_get_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_lease_get_dumpit(struct sk_buff *skb,
				 struct netlink_callback *cb);
int superdev_nl_lease_add_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_lease_del_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_lease_report_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_lane_get_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_lane_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int superdev_nl_lane_add_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_lane_del_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_policy_get_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_policy_del_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_policy_try_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_spread_get_dumpit(struct sk_buff *skb,
				  struct netlink_callback *cb);
int superdev_nl_spread_add_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_spread_del_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_task_get_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_task_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int superdev_nl_decision_get_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_decision_get_dumpit(struct sk_buff *skb,
				    struct netlink_callback *cb);
int superdev_nl_task_add_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_task_check_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_lease_set_doit(struct sk_buff *skb, struct genl_info *info);
int superdev_nl_task_used_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	SUPERDEV_NLGRP_EVENTS,
};

#endif /* _LINUX_SUPERDEV_GEN_H */
