// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * registry.c: the kernel's registry, read whole and sorted.
 */
#include "registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One growing array per kind; all of them hold structs whose size is given. */
struct list {
	void *items;
	size_t nr, size;
};

static void list_add(struct list *list, const void *item, size_t item_size)
{
	if (list->nr == list->size) {
		void *more;

		list->size = 2 * list->size + 8;
		more = cli_alloc(list->size * item_size);
		if (list->nr)
			memcpy(more, list->items, list->nr * item_size);
		free(list->items);
		list->items = more;
	}
	memcpy((char *)list->items + list->nr++ * item_size, item, item_size);
}

struct load {
	struct list peers, offers, leases, lanes, spread;
};

static void take(void *arg, const struct sdv_event *event)
{
	struct load *load = arg;

	switch (event->cmd) {
	case SUPERDEV_CMD_PEER_GET: list_add(&load->peers, &event->peer, sizeof(event->peer)); break;
	case SUPERDEV_CMD_OFFER_GET: list_add(&load->offers, &event->offer, sizeof(event->offer)); break;
	case SUPERDEV_CMD_LEASE_GET: list_add(&load->leases, &event->lease, sizeof(event->lease)); break;
	case SUPERDEV_CMD_LANE_GET: list_add(&load->lanes, &event->lane, sizeof(event->lane)); break;
	case SUPERDEV_CMD_SPREAD_GET: list_add(&load->spread, &event->spread, sizeof(event->spread)); break;
	default: break;
	}
}

static int by_peer(const void *a, const void *b)
{
	const struct sdv_peer_info *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int by_offer(const void *a, const void *b)
{
	const struct sdv_offer_info *x = a, *y = b;
	int r = strcmp(x->peer, y->peer);

	return r ? r : strcmp(x->name, y->name);
}

static int by_lease(const void *a, const void *b)
{
	const struct sdv_lease_info *x = a, *y = b;
	int r = (x->role > y->role) - (x->role < y->role);

	if (!r)
		r = strcmp(x->peer, y->peer);
	if (!r)
		r = strcmp(x->offer, y->offer);
	return r ? r : (x->id > y->id) - (x->id < y->id);
}

static int by_lane(const void *a, const void *b)
{
	const struct sdv_lane_info *x = a, *y = b;

	if (x->lease != y->lease)
		return x->lease < y->lease ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static int by_cgroup(const void *a, const void *b)
{
	const struct sdv_spread_info *x = a, *y = b;

	return strcmp(x->cgroup, y->cgroup);
}

static void sort(const struct list *list, size_t size, int (*order)(const void *, const void *))
{
	if (list->nr > 1)
		qsort(list->items, list->nr, size, order);
}

int cli_registry_load(struct cli *cli, unsigned int what, struct cli_registry *ret_registry)
{
	static const struct {
		unsigned int what;
		int cmd;
	} dumps[] = {
		{ CLI_PEERS, SUPERDEV_CMD_PEER_GET },    { CLI_OFFERS, SUPERDEV_CMD_OFFER_GET },
		{ CLI_LEASES, SUPERDEV_CMD_LEASE_GET },  { CLI_LANES, SUPERDEV_CMD_LANE_GET },
		{ CLI_SPREAD, SUPERDEV_CMD_SPREAD_GET },
	};
	struct cli_registry registry = { 0 };
	struct load load = { 0 };
	size_t i;
	int r = 0;

	if (what & CLI_AGENT) {
		r = sdv_nl_agent_get(cli->nl, &registry.agent);
		/* A kernel that never had an agent may have nothing to tell of it. */
		if (r == -ENOENT || r == -ENOTCONN)
			r = 0;
		registry.is_running = registry.agent.running;
	}
	if (!r && what & CLI_POLICY) {
		r = sdv_nl_policy_get(cli->nl, &registry.policy);
		/* An older module has none. */
		if (r == -EOPNOTSUPP)
			r = 0;
	}
	for (i = 0; !r && i < sizeof(dumps) / sizeof(dumps[0]); i++)
		if (what & dumps[i].what)
			r = sdv_nl_dump(cli->nl, dumps[i].cmd, take, &load);

	sort(&load.peers, sizeof(struct sdv_peer_info), by_peer);
	sort(&load.offers, sizeof(struct sdv_offer_info), by_offer);
	sort(&load.leases, sizeof(struct sdv_lease_info), by_lease);
	sort(&load.lanes, sizeof(struct sdv_lane_info), by_lane);
	sort(&load.spread, sizeof(struct sdv_spread_info), by_cgroup);
	registry.peers = load.peers.items;
	registry.offers = load.offers.items;
	registry.leases = load.leases.items;
	registry.lanes = load.lanes.items;
	registry.spread = load.spread.items;
	registry.nr_spread = load.spread.nr;
	registry.nr_peers = load.peers.nr;
	registry.nr_offers = load.offers.nr;
	registry.nr_leases = load.leases.nr;
	registry.nr_lanes = load.lanes.nr;
	if (r) {
		cli_registry_free(&registry);
		return r;
	}
	*ret_registry = registry;
	return 0;
}

void cli_registry_free(struct cli_registry *registry)
{
	free(registry->peers);
	free(registry->offers);
	free(registry->leases);
	free(registry->lanes);
	free(registry->spread);
	*registry = (struct cli_registry){ 0 };
}

const struct sdv_lease_info *cli_find_held(const struct cli_registry *registry, const char *peer,
					   const char *offer)
{
	size_t i;

	for (i = 0; i < registry->nr_leases; i++)
		if (registry->leases[i].role == SUPERDEV_ROLE_HELD &&
		    !strcmp(registry->leases[i].peer, peer) && !strcmp(registry->leases[i].offer, offer))
			return &registry->leases[i];
	return NULL;
}

const struct sdv_lease_info *cli_find_lease(const struct cli_registry *registry, uint32_t id)
{
	size_t i;

	for (i = 0; i < registry->nr_leases; i++)
		if (registry->leases[i].id == id)
			return &registry->leases[i];
	return NULL;
}

size_t cli_registry_names(const struct cli_registry *registry, unsigned int what, const char ***ret_names)
{
	size_t max = registry->nr_peers + registry->nr_offers + registry->nr_leases, nr = 0, i;
	const char **names = cli_alloc((max + 1) * sizeof(*names));

	if (what & CLI_PEERS)
		for (i = 0; i < registry->nr_peers; i++)
			names[nr++] = registry->peers[i].name;
	if (what & CLI_OFFERS)
		for (i = 0; i < registry->nr_offers; i++)
			if (!*registry->offers[i].peer)
				names[nr++] = registry->offers[i].name;
	*ret_names = names;
	return nr;
}

int cli_no_such(struct cli *cli, unsigned int what, const char *name)
{
	const char *kind = what == CLI_PEERS ? "peer" : "offer", *near;
	struct cli_registry registry;
	const char **names;
	size_t nr;
	int r;

	r = cli_registry_load(cli, what, &registry);
	if (r)
		return cli_refused(cli, name, r);
	nr = cli_registry_names(&registry, what, &names);
	near = cli_nearest(name, names, nr);
	if (near)
		r = cli_fail(cli, name, "there is no such %s; did you mean '%s'?", kind, near);
	else
		r = cli_fail(cli, name, "there is no such %s; see: superdev %s list", kind, kind);
	free(names);
	cli_registry_free(&registry);
	return r;
}
