/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nl.h: the generic netlink family "superdev" as C structs and calls.
 *
 * The only file that knows libnl.  The agent and the CLI both use it; neither
 * sees an attribute.
 */
#ifndef SDV_NL_H
#define SDV_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "superdev.h"

#define SDV_NAME_SIZE  (SUPERDEV_NAME_LEN + 1)
#define SDV_TEXT_SIZE  256
#define SDV_PATHS_SIZE 1024
#define SDV_PROPERTIES 16
#define SDV_CANDIDATES 4

/* Which members of a struct are meant, in requests and in answers. */
#define SDV_HAS(info, bit) ((info)->has & (UINT64_C(1) << (bit)))
#define SDV_SET(info, bit) ((info)->has |= (UINT64_C(1) << (bit)))
/* The bit of a member is its attribute, e.g. SUPERDEV_A_PEER_KEY. */

struct sdv_agent_info {
	uint64_t has;
	char name[SDV_NAME_SIZE];
	uint8_t key[SUPERDEV_KEY_LEN];
	char version[SDV_NAME_SIZE];
	uint64_t features;
	uint16_t port;
	uint8_t running;
	uint8_t boot[16];
};

struct sdv_peer_info {
	uint64_t has;
	char name[SDV_NAME_SIZE];
	uint8_t key[SUPERDEV_KEY_LEN];
	char address[SDV_TEXT_SIZE];
	enum superdev_trust trust;
	enum superdev_peer_state state;
	enum superdev_transport transport, peer_transport;
	char code[16];
	uint32_t rtt_us;
	char error[SDV_TEXT_SIZE];
	bool force;
};

struct sdv_property {
	char name[SDV_NAME_SIZE];
	char value[SDV_TEXT_SIZE];
	enum superdev_property_source source;
	uint64_t time;
};

struct sdv_offer_info {
	uint64_t has;
	char peer[SDV_NAME_SIZE];
	char name[SDV_NAME_SIZE];
	char class_name[SDV_NAME_SIZE];
	char path[4096];
	bool read_only;
	uint64_t size;
	enum superdev_offer_state state;
	struct sdv_property property[SDV_PROPERTIES];
	unsigned int nr_properties;
	char error[SDV_TEXT_SIZE];
	bool force;
	uint32_t cpus;   /* as wanted; what is lent is told by the properties */
	uint64_t memory; /* bytes, likewise */
};

struct sdv_lease_info {
	uint64_t has;
	uint32_t id;
	char peer[SDV_NAME_SIZE];
	char offer[SDV_NAME_SIZE];
	char class_name[SDV_NAME_SIZE];
	enum superdev_role role;
	enum superdev_lease_state state;
	uint64_t number;
	uint32_t epoch;
	bool read_only;
	uint32_t lanes, lanes_wanted;
	char device[128];
	uint8_t config[SUPERDEV_CONFIG_LEN];
	size_t config_len;
	uint8_t boot[16];
	char error[SDV_TEXT_SIZE];
	bool force;
	uint32_t cpus, load, tasks; /* these and the following: where its class has them */
	uint64_t used_us, memory;
	uint32_t load_age_ms;
	char paths[SDV_PATHS_SIZE]; /* absolute, with colons between them */
	uint64_t denied;            /* what guests of a lent one tried in vain; how often */
};

struct sdv_lane_info {
	uint64_t has;
	uint32_t lease, index, epoch, fd;
	enum superdev_transport transport;
	uint64_t tx_bytes, rx_bytes, tx_frames, rx_frames;
	char error[SDV_TEXT_SIZE];
};

/* What decides where work goes; or, of a trial, question and answer. */
struct sdv_policy_info {
	uint64_t has;
	char name[SDV_NAME_SIZE];
	uint64_t since, decisions, remote, declined;
	char last_name[SDV_NAME_SIZE];
	uint64_t last_time;
	char last_error[SDV_TEXT_SIZE];
	char path[4096];
	char class_name[SDV_NAME_SIZE];
	uint32_t pid, lease;
	char peer[SDV_NAME_SIZE];
	char offer[SDV_NAME_SIZE];
	char why[SDV_TEXT_SIZE];
	uint64_t took_ns;
};

/* A cgroup whose programs may run elsewhere. */
struct sdv_spread_info {
	uint64_t has;
	char cgroup[1024];
	uint64_t id;
};

/* A lease that a policy was shown. */
struct sdv_candidate {
	uint64_t has;
	uint32_t lease;
	char peer[SDV_NAME_SIZE];
	char offer[SDV_NAME_SIZE];
	enum superdev_lease_state state;
	uint32_t lanes, rtt_us, cpus;
	uint32_t load; /* in 1/100 of a task */
	uint32_t load_age_s;
	uint32_t tasks; /* of this home, there */
};

/* Where a program went, why, and what that rests on. */
struct sdv_task_info {
	uint64_t has;
	uint32_t pid, uid, lease;
	char program[SDV_TEXT_SIZE];
	char peer[SDV_NAME_SIZE];
	char offer[SDV_NAME_SIZE];
	char policy[SDV_NAME_SIZE];
	char why[SDV_TEXT_SIZE];
	uint64_t since_ns, took_ns;
	bool ended;
	uint32_t cpus, load, runs, remote_runs, leases;
	uint64_t wall_us, cpu_us, remote_us;
	/* What it used where it ran, as getrusage(2) counts. */
	uint64_t utime_us, stime_us, maxrss_kb, minflt, majflt, inblock, oublock, nvcsw, nivcsw;
	struct sdv_candidate candidate[SDV_CANDIDATES];
	unsigned int nr_candidates;
};

/* What a notification or a dump gives; cmd says which member. */
struct sdv_event {
	int cmd; /* SUPERDEV_CMD_..._NTF, or ..._GET in a dump */
	union {
		struct sdv_agent_info agent;
		struct sdv_peer_info peer;
		struct sdv_offer_info offer;
		struct sdv_lease_info lease;
		struct sdv_lane_info lane;
		struct sdv_policy_info policy;
		struct sdv_spread_info spread;
		struct sdv_task_info task;
	};
};

struct sdv_nl;
typedef void (*sdv_nl_fn)(void *arg, const struct sdv_event *event);

/*
 * Every call returns 0 or -errno; sdv_nl_error() is then the kernel's text for
 * it, or "".  -ENOENT of open: the module is not loaded.
 */
int sdv_nl_open(struct sdv_nl **ret_nl);
void sdv_nl_close(struct sdv_nl *nl);
const char *sdv_nl_error(const struct sdv_nl *nl);

/* A second socket that is subscribed to the notifications; not blocking.
 * -ENOBUFS of read: some were lost, dump everything again. */
int sdv_nl_watch(struct sdv_nl *nl);
int sdv_nl_watch_fd(const struct sdv_nl *nl);
int sdv_nl_watch_read(struct sdv_nl *nl, sdv_nl_fn fn, void *arg);

/* Dumps; cmd is SUPERDEV_CMD_{PEER,OFFER,LEASE,LANE,SPREAD,TASK,DECISION}_GET. */
int sdv_nl_dump(struct sdv_nl *nl, int cmd, sdv_nl_fn fn, void *arg);
int sdv_nl_agent_get(struct sdv_nl *nl, struct sdv_agent_info *ret_agent);

/* Requests: cmd is the operation, the members that info->has names are sent. */
int sdv_nl_agent_bind(struct sdv_nl *nl, const struct sdv_agent_info *info);
int sdv_nl_peer(struct sdv_nl *nl, int cmd, const struct sdv_peer_info *info);
int sdv_nl_offer(struct sdv_nl *nl, int cmd, const struct sdv_offer_info *info);
/* ret_id may be NULL; set by LEASE_ADD and LEASE_REPORT. */
int sdv_nl_lease(struct sdv_nl *nl, int cmd, const struct sdv_lease_info *info, uint32_t *ret_id);
int sdv_nl_lane(struct sdv_nl *nl, int cmd, const struct sdv_lane_info *info);
/* The machine's policy; get works without one, too.  -ENOENT of del: there is none. */
int sdv_nl_policy_get(struct sdv_nl *nl, struct sdv_policy_info *ret_policy);
int sdv_nl_policy_del(struct sdv_nl *nl);
/* What would be decided of question's path, class and pid. */
int sdv_nl_policy_try(struct sdv_nl *nl, const struct sdv_policy_info *question,
		      struct sdv_policy_info *ret_choice);
/* cmd is SPREAD_ADD or SPREAD_DEL. */
int sdv_nl_spread(struct sdv_nl *nl, int cmd, const char *cgroup);
/* What is known of a process; cmd is TASK_GET or DECISION_GET.  -ENOENT: nothing. */
int sdv_nl_task_get(struct sdv_nl *nl, int cmd, uint32_t pid, struct sdv_task_info *ret_task);
/* Whether programs of a process may go elsewhere.  -EPERM: sdv_nl_error() says why not. */
int sdv_nl_task_check(struct sdv_nl *nl, uint32_t pid);
/* This process is about to become the deputy of @program. */
int sdv_nl_task_add(struct sdv_nl *nl, const char *program, uint32_t lease);
/* One object by name; -ENOENT. */
int sdv_nl_peer_get(struct sdv_nl *nl, const char *name, struct sdv_peer_info *ret_peer);
int sdv_nl_offer_get(struct sdv_nl *nl, const char *peer, const char *name, struct sdv_offer_info *ret_offer);
int sdv_nl_lease_get(struct sdv_nl *nl, const char *peer, const char *offer,
		     struct sdv_lease_info *ret_lease);

#endif
