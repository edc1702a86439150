/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry.h: the kernel's registry, read whole and sorted; and waiting for it
 * to change.
 */
#ifndef CLI_REGISTRY_H
#define CLI_REGISTRY_H

#include "cli.h"

struct cli_registry {
	bool is_running; /* an agent is bound */
	struct sdv_agent_info agent;
	struct sdv_peer_info *peers;
	struct sdv_offer_info *offers; /* this machine's first */
	struct sdv_lease_info *leases; /* held ones first */
	struct sdv_lane_info *lanes;
	struct sdv_policy_info policy; /* nameless: none is attached */
	struct sdv_spread_info *spread;
	size_t nr_peers, nr_offers, nr_leases, nr_lanes, nr_spread;
};

enum { /* bits: what to read */
       CLI_AGENT = 1,
       CLI_PEERS = 2,
       CLI_OFFERS = 4,
       CLI_LEASES = 8,
       CLI_LANES = 16,
       CLI_POLICY = 32,
       CLI_SPREAD = 64,
};

/* 0 or -errno, and then nothing is to be freed. */
int cli_registry_load(struct cli *cli, unsigned int what, struct cli_registry *ret_registry);
void cli_registry_free(struct cli_registry *registry);

/* The lease of this machine on PEER/OFFER, or by number; NULL. */
const struct sdv_lease_info *cli_find_held(const struct cli_registry *registry, const char *peer,
					   const char *offer);
const struct sdv_lease_info *cli_find_lease(const struct cli_registry *registry, uint32_t id);

/* Names of the kind of @what in @registry, for suggestions; the array is to be freed. */
size_t cli_registry_names(const struct cli_registry *registry, unsigned int what, const char ***ret_names);
/* "there is no …; did you mean …": CLI_FAILED. */
int cli_no_such(struct cli *cli, unsigned int what, const char *name);

/**
 * typedef cli_check_fn - whether what is waited for has come
 *
 * Return: 0: not yet; above 0: yes; -errno: it won't come any more.
 */
typedef int (*cli_check_fn)(struct cli *cli, void *arg);

/**
 * cli_watch - subscribe to notifications, before the request whose effect is awaited
 *
 * Return: 0, or -errno.
 */
int cli_watch(struct cli *cli);

/**
 * cli_wait - look again after every notification
 * @check:	looks
 * @timeout_ms:	for how long, at most
 * @what:	shown on a terminal when it takes long
 *
 * Return: what @check gave unless 0; -ETIMEDOUT; -EINTR: a signal asked to end;
 * -ENOTCONN: no agent is running that could bring it about.
 */
int cli_wait(struct cli *cli, cli_check_fn check, void *arg, unsigned int timeout_ms, const char *what);

/* Drains the notifications.  Return: 0, or -errno. */
int cli_watch_drain(struct cli *cli);

/* Between these SIGINT and SIGTERM only set what cli_is_interrupted() gives. */
void cli_interrupt_begin(void);
void cli_interrupt_end(void);
bool cli_is_interrupted(void);

uint64_t cli_now_ms(void);

#endif
