// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/superdev.yaml */
/* YNL-GEN kernel source */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink-gen.h"

#include <uapi/superdev.h>

/* Common nested types */
const struct nla_policy superdev_property_nl_policy[SUPERDEV_A_PROPERTY_TIME + 1] = {
	[SUPERDEV_A_PROPERTY_NAME] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_PROPERTY_VALUE] = { .type = NLA_NUL_STRING, .len = 255, },
	[SUPERDEV_A_PROPERTY_SOURCE] = NLA_POLICY_MAX(NLA_U32, 2),
	[SUPERDEV_A_PROPERTY_TIME] = { .type = NLA_U64, },
};

/* SUPERDEV_CMD_AGENT_BIND - do */
static const struct nla_policy superdev_agent_bind_nl_policy[SUPERDEV_A_AGENT_BOOT + 1] = {
	[SUPERDEV_A_AGENT_NAME] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_AGENT_KEY] = NLA_POLICY_EXACT_LEN(SUPERDEV_KEY_LEN),
	[SUPERDEV_A_AGENT_VERSION] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_AGENT_FEATURES] = { .type = NLA_U64, },
	[SUPERDEV_A_AGENT_PORT] = { .type = NLA_U16, },
	[SUPERDEV_A_AGENT_BOOT] = NLA_POLICY_EXACT_LEN(16),
};

/* SUPERDEV_CMD_PEER_GET - do */
static const struct nla_policy superdev_peer_get_nl_policy[SUPERDEV_A_PEER_NAME + 1] = {
	[SUPERDEV_A_PEER_NAME] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
};

/* SUPERDEV_CMD_PEER_ADD - do */
static const struct nla_policy superdev_peer_add_nl_policy[SUPERDEV_A_PEER_TRANSPORT + 1] = {
	[SUPERDEV_A_PEER_NAME] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_PEER_KEY] = NLA_POLICY_EXACT_LEN(SUPERDEV_KEY_LEN),
	[SUPERDEV_A_PEER_ADDRESS] = { .type = NLA_NUL_STRING, .len = 255, },
	[SUPERDEV_A_PEER_TRANSPORT] = NLA_POLICY_MAX(NLA_U32, 1),
};

/* SUPERDEV_CMD_PEER_SET - do */
static const struct nla_policy superdev_peer_set_nl_policy[SUPERDEV_A_PEER_CODE + 1] = {
	[SUPERDEV_A_PEER_NAME] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_PEER_ADDRESS] = { .type = NLA_NUL_STRING, .len = 255, },
	[SUPERDEV_A_PEER_TRUST] = NLA_POLICY_MAX(NLA_U32, 1),
	[SUPERDEV_A_PEER_TRANSPORT] = NLA_POLICY_MAX(NLA_U32, 1),
	[SUPERDEV_A_PEER_CODE] = { .type = NLA_NUL_STRING, .len = 15, },
};

/* SUPERDEV_CMD_PEER_DEL - do */
static const struct nla_policy superdev_peer_del_nl_policy[SUPERDEV_A_PEER_FORCE + 1] = {
	[SUPERDEV_A_PEER_NAME] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_PEER_FORCE] = { .type = NLA_FLAG, },
};

/* SUPERDEV_CMD_PEER_REPORT - do */
static const struct nla_policy superdev_peer_report_nl_policy[SUPERDEV_A_PEER_ERROR + 1] = {
	[SUPERDEV_A_PEER_NAME] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_PEER_KEY] = NLA_POLICY_EXACT_LEN(SUPERDEV_KEY_LEN),
	[SUPERDEV_A_PEER_ADDRESS] = { .type = NLA_NUL_STRING, .len = 255, },
	[SUPERDEV_A_PEER_STATE] = NLA_POLICY_MAX(NLA_U32, 3),
	[SUPERDEV_A_PEER_PEER_TRANSPORT] = NLA_POLICY_MAX(NLA_U32, 1),
	[SUPERDEV_A_PEER_CODE] = { .type = NLA_NUL_STRING, .len = 15, },
	[SUPERDEV_A_PEER_RTT_US] = { .type = NLA_U32, },
	[SUPERDEV_A_PEER_ERROR] = { .type = NLA_NUL_STRING, .len = 255, },
};

/* SUPERDEV_CMD_OFFER_GET - do */
static const struct nla_policy superdev_offer_get_nl_policy[SUPERDEV_A_OFFER_NAME + 1] = {
	[SUPERDEV_A_OFFER_PEER] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_OFFER_NAME] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
};

/* SUPERDEV_CMD_OFFER_ADD - do */
static const struct nla_policy superdev_offer_add_nl_policy[SUPERDEV_A_OFFER_MEMORY + 1] = {
	[SUPERDEV_A_OFFER_NAME] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_OFFER_CLASS] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_OFFER_PATH] = { .type = NLA_NUL_STRING, .len = 4095, },
	[SUPERDEV_A_OFFER_READ_ONLY] = { .type = NLA_FLAG, },
	[SUPERDEV_A_OFFER_CPUS] = { .type = NLA_U32, },
	[SUPERDEV_A_OFFER_MEMORY] = { .type = NLA_U64, },
};

/* SUPERDEV_CMD_OFFER_DEL - do */
static const struct nla_policy superdev_offer_del_nl_policy[SUPERDEV_A_OFFER_FORCE + 1] = {
	[SUPERDEV_A_OFFER_NAME] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_OFFER_FORCE] = { .type = NLA_FLAG, },
};

/* SUPERDEV_CMD_OFFER_REPORT - do */
static const struct nla_policy superdev_offer_report_nl_policy[SUPERDEV_A_OFFER_ERROR + 1] = {
	[SUPERDEV_A_OFFER_PEER] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_OFFER_NAME] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_OFFER_CLASS] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_OFFER_READ_ONLY] = { .type = NLA_FLAG, },
	[SUPERDEV_A_OFFER_SIZE] = { .type = NLA_U64, },
	[SUPERDEV_A_OFFER_STATE] = NLA_POLICY_MAX(NLA_U32, 3),
	[SUPERDEV_A_OFFER_PROPERTY] = NLA_POLICY_NESTED(superdev_property_nl_policy),
	[SUPERDEV_A_OFFER_ERROR] = { .type = NLA_NUL_STRING, .len = 255, },
};

/* SUPERDEV_CMD_LEASE_GET - do */
static const struct nla_policy superdev_lease_get_nl_policy[SUPERDEV_A_LEASE_OFFER + 1] = {
	[SUPERDEV_A_LEASE_ID] = { .type = NLA_U32, },
	[SUPERDEV_A_LEASE_PEER] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_LEASE_OFFER] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
};

/* SUPERDEV_CMD_LEASE_ADD - do */
static const struct nla_policy superdev_lease_add_nl_policy[SUPERDEV_A_LEASE_PATHS + 1] = {
	[SUPERDEV_A_LEASE_PEER] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_LEASE_OFFER] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_LEASE_READ_ONLY] = { .type = NLA_FLAG, },
	[SUPERDEV_A_LEASE_LANES_WANTED] = { .type = NLA_U32, },
	[SUPERDEV_A_LEASE_PATHS] = { .type = NLA_NUL_STRING, .len = 1023, },
};

/* SUPERDEV_CMD_LEASE_DEL - do */
static const struct nla_policy superdev_lease_del_nl_policy[SUPERDEV_A_LEASE_FORCE + 1] = {
	[SUPERDEV_A_LEASE_PEER] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_LEASE_OFFER] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_LEASE_FORCE] = { .type = NLA_FLAG, },
};

/* SUPERDEV_CMD_LEASE_REPORT - do */
static const struct nla_policy superdev_lease_report_nl_policy[SUPERDEV_A_LEASE_DENIED + 1] = {
	[SUPERDEV_A_LEASE_ID] = { .type = NLA_U32, },
	[SUPERDEV_A_LEASE_PEER] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_LEASE_OFFER] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_LEASE_CLASS] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_LEASE_ROLE] = NLA_POLICY_MAX(NLA_U32, 1),
	[SUPERDEV_A_LEASE_STATE] = NLA_POLICY_MAX(NLA_U32, 7),
	[SUPERDEV_A_LEASE_NUMBER] = { .type = NLA_U64, },
	[SUPERDEV_A_LEASE_EPOCH] = { .type = NLA_U32, },
	[SUPERDEV_A_LEASE_READ_ONLY] = { .type = NLA_FLAG, },
	[SUPERDEV_A_LEASE_LANES] = { .type = NLA_U32, },
	[SUPERDEV_A_LEASE_LANES_WANTED] = { .type = NLA_U32, },
	[SUPERDEV_A_LEASE_CONFIG] = { .type = NLA_BINARY, },
	[SUPERDEV_A_LEASE_BOOT] = NLA_POLICY_EXACT_LEN(16),
	[SUPERDEV_A_LEASE_ERROR] = { .type = NLA_NUL_STRING, .len = 255, },
	[SUPERDEV_A_LEASE_DENIED] = { .type = NLA_U64, },
};

/* SUPERDEV_CMD_LANE_GET - do */
static const struct nla_policy superdev_lane_get_nl_policy[SUPERDEV_A_LANE_INDEX + 1] = {
	[SUPERDEV_A_LANE_LEASE] = { .type = NLA_U32, },
	[SUPERDEV_A_LANE_INDEX] = { .type = NLA_U32, },
};

/* SUPERDEV_CMD_LANE_ADD - do */
static const struct nla_policy superdev_lane_add_nl_policy[SUPERDEV_A_LANE_TRANSPORT + 1] = {
	[SUPERDEV_A_LANE_LEASE] = { .type = NLA_U32, },
	[SUPERDEV_A_LANE_INDEX] = { .type = NLA_U32, },
	[SUPERDEV_A_LANE_EPOCH] = { .type = NLA_U32, },
	[SUPERDEV_A_LANE_FD] = { .type = NLA_U32, },
	[SUPERDEV_A_LANE_TRANSPORT] = NLA_POLICY_MAX(NLA_U32, 1),
};

/* SUPERDEV_CMD_LANE_DEL - do */
static const struct nla_policy superdev_lane_del_nl_policy[SUPERDEV_A_LANE_INDEX + 1] = {
	[SUPERDEV_A_LANE_LEASE] = { .type = NLA_U32, },
	[SUPERDEV_A_LANE_INDEX] = { .type = NLA_U32, },
};

/* SUPERDEV_CMD_POLICY_TRY - do */
static const struct nla_policy superdev_policy_try_nl_policy[SUPERDEV_A_POLICY_PID + 1] = {
	[SUPERDEV_A_POLICY_PATH] = { .type = NLA_NUL_STRING, .len = 4095, },
	[SUPERDEV_A_POLICY_CLASS] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_POLICY_PID] = { .type = NLA_U32, },
};

/* SUPERDEV_CMD_SPREAD_ADD - do */
static const struct nla_policy superdev_spread_add_nl_policy[SUPERDEV_A_SPREAD_CGROUP + 1] = {
	[SUPERDEV_A_SPREAD_CGROUP] = { .type = NLA_NUL_STRING, .len = 1023, },
};

/* SUPERDEV_CMD_SPREAD_DEL - do */
static const struct nla_policy superdev_spread_del_nl_policy[SUPERDEV_A_SPREAD_CGROUP + 1] = {
	[SUPERDEV_A_SPREAD_CGROUP] = { .type = NLA_NUL_STRING, .len = 1023, },
};

/* SUPERDEV_CMD_TASK_GET - do */
static const struct nla_policy superdev_task_get_nl_policy[SUPERDEV_A_TASK_PID + 1] = {
	[SUPERDEV_A_TASK_PID] = { .type = NLA_U32, },
};

/* SUPERDEV_CMD_DECISION_GET - do */
static const struct nla_policy superdev_decision_get_nl_policy[SUPERDEV_A_TASK_PID + 1] = {
	[SUPERDEV_A_TASK_PID] = { .type = NLA_U32, },
};

/* SUPERDEV_CMD_TASK_ADD - do */
static const struct nla_policy superdev_task_add_nl_policy[SUPERDEV_A_TASK_LEASE + 1] = {
	[SUPERDEV_A_TASK_PROGRAM] = { .type = NLA_NUL_STRING, .len = 255, },
	[SUPERDEV_A_TASK_LEASE] = { .type = NLA_U32, },
};

/* SUPERDEV_CMD_TASK_CHECK - do */
static const struct nla_policy superdev_task_check_nl_policy[SUPERDEV_A_TASK_PID + 1] = {
	[SUPERDEV_A_TASK_PID] = { .type = NLA_U32, },
};

/* SUPERDEV_CMD_LEASE_SET - do */
static const struct nla_policy superdev_lease_set_nl_policy[SUPERDEV_A_LEASE_PATHS + 1] = {
	[SUPERDEV_A_LEASE_PEER] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_LEASE_OFFER] = { .type = NLA_NUL_STRING, .len = SUPERDEV_NAME_LEN, },
	[SUPERDEV_A_LEASE_PATHS] = { .type = NLA_NUL_STRING, .len = 1023, },
};

/* SUPERDEV_CMD_TASK_USED - do */
static const struct nla_policy superdev_task_used_nl_policy[SUPERDEV_A_TASK_NIVCSW + 1] = {
	[SUPERDEV_A_TASK_UTIME_US] = { .type = NLA_U64, },
	[SUPERDEV_A_TASK_STIME_US] = { .type = NLA_U64, },
	[SUPERDEV_A_TASK_MAXRSS_KB] = { .type = NLA_U64, },
	[SUPERDEV_A_TASK_MINFLT] = { .type = NLA_U64, },
	[SUPERDEV_A_TASK_MAJFLT] = { .type = NLA_U64, },
	[SUPERDEV_A_TASK_INBLOCK] = { .type = NLA_U64, },
	[SUPERDEV_A_TASK_OUBLOCK] = { .type = NLA_U64, },
	[SUPERDEV_A_TASK_NVCSW] = { .type = NLA_U64, },
	[SUPERDEV_A_TASK_NIVCSW] = { .type = NLA_U64, },
};

/* Ops table for superdev */
const struct genl_split_ops superdev_nl_ops[36] = {
	{
		.cmd	= SUPERDEV_CMD_AGENT_GET,
		.doit	= superdev_nl_agent_get_doit,
		.flags	= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_AGENT_BIND,
		.pre_doit	= superdev_nl_command_begin,
		.doit		= superdev_nl_agent_bind_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_agent_bind_nl_policy,
		.maxattr	= SUPERDEV_A_AGENT_BOOT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_PEER_GET,
		.doit		= superdev_nl_peer_get_doit,
		.policy		= superdev_peer_get_nl_policy,
		.maxattr	= SUPERDEV_A_PEER_NAME,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= SUPERDEV_CMD_PEER_GET,
		.dumpit	= superdev_nl_peer_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= SUPERDEV_CMD_PEER_ADD,
		.pre_doit	= superdev_nl_command_begin,
		.doit		= superdev_nl_peer_add_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_peer_add_nl_policy,
		.maxattr	= SUPERDEV_A_PEER_TRANSPORT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_PEER_SET,
		.pre_doit	= superdev_nl_command_begin,
		.doit		= superdev_nl_peer_set_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_peer_set_nl_policy,
		.maxattr	= SUPERDEV_A_PEER_CODE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_PEER_DEL,
		.pre_doit	= superdev_nl_command_begin,
		.doit		= superdev_nl_peer_del_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_peer_del_nl_policy,
		.maxattr	= SUPERDEV_A_PEER_FORCE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_PEER_REPORT,
		.pre_doit	= superdev_nl_report_begin,
		.doit		= superdev_nl_peer_report_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_peer_report_nl_policy,
		.maxattr	= SUPERDEV_A_PEER_ERROR,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_OFFER_GET,
		.doit		= superdev_nl_offer_get_doit,
		.policy		= superdev_offer_get_nl_policy,
		.maxattr	= SUPERDEV_A_OFFER_NAME,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= SUPERDEV_CMD_OFFER_GET,
		.dumpit	= superdev_nl_offer_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= SUPERDEV_CMD_OFFER_ADD,
		.pre_doit	= superdev_nl_command_begin,
		.doit		= superdev_nl_offer_add_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_offer_add_nl_policy,
		.maxattr	= SUPERDEV_A_OFFER_MEMORY,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_OFFER_DEL,
		.pre_doit	= superdev_nl_command_begin,
		.doit		= superdev_nl_offer_del_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_offer_del_nl_policy,
		.maxattr	= SUPERDEV_A_OFFER_FORCE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_OFFER_REPORT,
		.pre_doit	= superdev_nl_report_begin,
		.doit		= superdev_nl_offer_report_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_offer_report_nl_policy,
		.maxattr	= SUPERDEV_A_OFFER_ERROR,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_LEASE_GET,
		.doit		= superdev_nl_lease_get_doit,
		.policy		= superdev_lease_get_nl_policy,
		.maxattr	= SUPERDEV_A_LEASE_OFFER,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= SUPERDEV_CMD_LEASE_GET,
		.dumpit	= superdev_nl_lease_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= SUPERDEV_CMD_LEASE_ADD,
		.pre_doit	= superdev_nl_command_begin,
		.doit		= superdev_nl_lease_add_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_lease_add_nl_policy,
		.maxattr	= SUPERDEV_A_LEASE_PATHS,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_LEASE_DEL,
		.pre_doit	= superdev_nl_command_begin,
		.doit		= superdev_nl_lease_del_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_lease_del_nl_policy,
		.maxattr	= SUPERDEV_A_LEASE_FORCE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_LEASE_REPORT,
		.pre_doit	= superdev_nl_report_begin,
		.doit		= superdev_nl_lease_report_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_lease_report_nl_policy,
		.maxattr	= SUPERDEV_A_LEASE_DENIED,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_LANE_GET,
		.doit		= superdev_nl_lane_get_doit,
		.policy		= superdev_lane_get_nl_policy,
		.maxattr	= SUPERDEV_A_LANE_INDEX,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= SUPERDEV_CMD_LANE_GET,
		.dumpit	= superdev_nl_lane_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= SUPERDEV_CMD_LANE_ADD,
		.pre_doit	= superdev_nl_report_begin,
		.doit		= superdev_nl_lane_add_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_lane_add_nl_policy,
		.maxattr	= SUPERDEV_A_LANE_TRANSPORT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_LANE_DEL,
		.pre_doit	= superdev_nl_command_begin,
		.doit		= superdev_nl_lane_del_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_lane_del_nl_policy,
		.maxattr	= SUPERDEV_A_LANE_INDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= SUPERDEV_CMD_POLICY_GET,
		.doit	= superdev_nl_policy_get_doit,
		.flags	= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= SUPERDEV_CMD_POLICY_DEL,
		.doit	= superdev_nl_policy_del_doit,
		.flags	= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_POLICY_TRY,
		.doit		= superdev_nl_policy_try_doit,
		.policy		= superdev_policy_try_nl_policy,
		.maxattr	= SUPERDEV_A_POLICY_PID,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= SUPERDEV_CMD_SPREAD_GET,
		.dumpit	= superdev_nl_spread_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= SUPERDEV_CMD_SPREAD_ADD,
		.pre_doit	= superdev_nl_command_begin,
		.doit		= superdev_nl_spread_add_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_spread_add_nl_policy,
		.maxattr	= SUPERDEV_A_SPREAD_CGROUP,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_SPREAD_DEL,
		.pre_doit	= superdev_nl_command_begin,
		.doit		= superdev_nl_spread_del_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_spread_del_nl_policy,
		.maxattr	= SUPERDEV_A_SPREAD_CGROUP,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_TASK_GET,
		.doit		= superdev_nl_task_get_doit,
		.policy		= superdev_task_get_nl_policy,
		.maxattr	= SUPERDEV_A_TASK_PID,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= SUPERDEV_CMD_TASK_GET,
		.dumpit	= superdev_nl_task_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= SUPERDEV_CMD_DECISION_GET,
		.doit		= superdev_nl_decision_get_doit,
		.policy		= superdev_decision_get_nl_policy,
		.maxattr	= SUPERDEV_A_TASK_PID,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= SUPERDEV_CMD_DECISION_GET,
		.dumpit	= superdev_nl_decision_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= SUPERDEV_CMD_TASK_ADD,
		.doit		= superdev_nl_task_add_doit,
		.policy		= superdev_task_add_nl_policy,
		.maxattr	= SUPERDEV_A_TASK_LEASE,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_TASK_CHECK,
		.doit		= superdev_nl_task_check_doit,
		.policy		= superdev_task_check_nl_policy,
		.maxattr	= SUPERDEV_A_TASK_PID,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_LEASE_SET,
		.pre_doit	= superdev_nl_command_begin,
		.doit		= superdev_nl_lease_set_doit,
		.post_doit	= superdev_nl_command_end,
		.policy		= superdev_lease_set_nl_policy,
		.maxattr	= SUPERDEV_A_LEASE_PATHS,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= SUPERDEV_CMD_TASK_USED,
		.doit		= superdev_nl_task_used_doit,
		.policy		= superdev_task_used_nl_policy,
		.maxattr	= SUPERDEV_A_TASK_NIVCSW,
		.flags		= GENL_CMD_CAP_DO,
	},
};

static const struct genl_multicast_group superdev_nl_mcgrps[] = {
	[SUPERDEV_NLGRP_EVENTS] = { "events", },
};
