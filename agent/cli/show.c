// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * show.c: lists, single objects, and all of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"

#define SIZE_COLUMN 48

static int load(struct cli *cli, unsigned int what, struct cli_registry *registry)
{
	int r = cli_registry_load(cli, what, registry);

	return r ? cli_refused(cli, NULL, r) : 0;
}

/* Lanes are in clear only where both sides want it; who wants it alone should see why not. */
static const char *transport_text(const struct sdv_peer_info *peer)
{
	bool here = peer->transport == SUPERDEV_TRANSPORT_CLEAR;
	bool there = peer->peer_transport == SUPERDEV_TRANSPORT_CLEAR;

	if (!SDV_HAS(peer, SUPERDEV_A_PEER_PEER_TRANSPORT))
		return here ? "clear wanted" : "tls";
	if (here && there)
		return "clear";
	return here ? "tls, clear wanted" : there ? "tls, peer wants clear" : "tls";
}

static enum cli_tint transport_tint(const struct sdv_peer_info *peer)
{
	return peer->transport == SUPERDEV_TRANSPORT_CLEAR ? CLI_WAITING : CLI_PLAIN;
}

static void rtt_text(const struct sdv_peer_info *peer, char text[CLI_SIZE_TEXT])
{
	text[0] = 0;
	if (peer->state == SUPERDEV_PEER_STATE_ONLINE && peer->rtt_us)
		cli_rtt_format(peer->rtt_us, text);
}

static void peers_print(struct cli *cli, const struct cli_registry *registry)
{
	struct cli_table *table = cli_table_new(cli);
	char rtt[CLI_SIZE_TEXT];
	size_t i;

	cli_cell(table, CLI_STRONG, "PEER");
	cli_cell(table, CLI_STRONG, "STATE");
	cli_cell(table, CLI_STRONG, "TRUST");
	cli_cell(table, CLI_STRONG, "TRANSPORT");
	cli_cell(table, CLI_STRONG, "RTT");
	cli_cell(table, CLI_STRONG, "ADDRESS");
	cli_cell(table, CLI_STRONG, "NOTE");
	cli_row(table);
	for (i = 0; i < registry->nr_peers; i++) {
		const struct sdv_peer_info *peer = &registry->peers[i];
		bool is_pending = peer->trust == SUPERDEV_TRUST_PENDING;

		rtt_text(peer, rtt);
		cli_cell(table, CLI_PLAIN, "%s", peer->name);
		cli_cell(table, cli_peer_tint(peer), "%s", cli_peer_word(peer->state));
		cli_cell(table, is_pending ? CLI_WAITING : CLI_PLAIN, "%s", cli_trust_word(peer->trust));
		cli_cell(table, transport_tint(peer), "%s", transport_text(peer));
		cli_cell(table, CLI_PLAIN, "%s", rtt);
		cli_cell(table, CLI_PLAIN, "%s", peer->address);
		if (is_pending && *peer->code)
			cli_cell(table, CLI_WAITING, "wants to pair, code %s", peer->code);
		else
			cli_cell(table, CLI_BAD, "%s", peer->error);
		cli_row(table);
	}
	cli_table_print(table);
}

/* "4 cpus, 2.0 GiB" of processors, else the size. */
static void offer_size_text(const struct sdv_offer_info *offer, char text[SIZE_COLUMN])
{
	uint32_t cpus = cli_offer_cpus(offer);
	uint64_t memory = cli_offer_memory(offer);
	char size[CLI_SIZE_TEXT] = "";

	if (memory || offer->size)
		cli_size_format(memory ? memory : offer->size, size);
	if (cpus)
		snprintf(text, SIZE_COLUMN, "%" PRIu32 " cpus%s%s", cpus, *size ? ", " : "", size);
	else
		snprintf(text, SIZE_COLUMN, "%s", size);
}

static const char *access_text(const char *class_name, bool read_only)
{
	/* Nobody can write to a processor, but others may use it, too. */
	return !strcmp(class_name, "cpu") ? "shared" : read_only ? "ro" : "rw";
}

static void offers_print(struct cli *cli, const struct cli_registry *registry)
{
	struct cli_table *table = cli_table_new(cli);
	char size[SIZE_COLUMN];
	size_t i;

	cli_cell(table, CLI_STRONG, "OFFER");
	cli_cell(table, CLI_STRONG, "CLASS");
	cli_cell(table, CLI_STRONG, "STATE");
	cli_cell(table, CLI_STRONG, "SIZE");
	cli_cell(table, CLI_STRONG, "ACCESS");
	cli_cell(table, CLI_STRONG, "PATH");
	cli_cell(table, CLI_STRONG, "NOTE");
	cli_row(table);
	for (i = 0; i < registry->nr_offers; i++) {
		const struct sdv_offer_info *offer = &registry->offers[i];

		offer_size_text(offer, size);
		cli_cell(table, CLI_PLAIN, "%s%s%s", offer->peer, *offer->peer ? "/" : "", offer->name);
		cli_cell(table, CLI_PLAIN, "%s", offer->class_name);
		cli_cell(table, cli_offer_tint(offer), "%s", cli_offer_word(offer->state));
		cli_cell(table, CLI_PLAIN, "%s", size);
		cli_cell(table, CLI_PLAIN, "%s", access_text(offer->class_name, offer->read_only));
		cli_cell(table, CLI_PLAIN, "%s", offer->path);
		cli_cell(table, CLI_BAD, "%s", offer->error);
		cli_row(table);
	}
	cli_table_print(table);
}

static void leases_print(struct cli *cli, const struct cli_registry *registry)
{
	struct cli_table *table = cli_table_new(cli);
	char path[256];
	size_t i;

	cli_cell(table, CLI_STRONG, "LEASE");
	cli_cell(table, CLI_STRONG, "CLASS");
	cli_cell(table, CLI_STRONG, "STATE");
	cli_cell(table, CLI_STRONG, "LANES");
	cli_cell(table, CLI_STRONG, "EPOCH");
	cli_cell(table, CLI_STRONG, "ACCESS");
	cli_cell(table, CLI_STRONG, "DEVICE");
	cli_cell(table, CLI_STRONG, "NOTE");
	cli_row(table);
	for (i = 0; i < registry->nr_leases; i++) {
		const struct sdv_lease_info *lease = &registry->leases[i];

		if (lease->role == SUPERDEV_ROLE_LENT)
			cli_cell(table, CLI_PLAIN, "%s, lent to %s", lease->offer, lease->peer);
		else
			cli_cell(table, CLI_PLAIN, "%s/%s", lease->peer, lease->offer);
		cli_cell(table, CLI_PLAIN, "%s", lease->class_name);
		cli_cell(table, cli_lease_tint(lease), "%s", cli_lease_word(lease->state));
		if (SDV_HAS(lease, SUPERDEV_A_LEASE_LANES_WANTED) && lease->lanes_wanted)
			cli_cell(table, CLI_PLAIN, "%" PRIu32 "/%" PRIu32, lease->lanes, lease->lanes_wanted);
		else if (SDV_HAS(lease, SUPERDEV_A_LEASE_LANES))
			cli_cell(table, CLI_PLAIN, "%" PRIu32, lease->lanes);
		else
			cli_cell(table, CLI_PLAIN, "%s", "");
		if (lease->epoch)
			cli_cell(table, CLI_PLAIN, "%" PRIu32, lease->epoch);
		else
			cli_cell(table, CLI_PLAIN, "%s", "");
		cli_cell(table, CLI_PLAIN, "%s", access_text(lease->class_name, lease->read_only));
		cli_cell(table, CLI_PLAIN, "%s", cli_device_path(lease, path, sizeof(path)) ? path : "");
		if (lease->denied && !*lease->error)
			cli_cell(table, CLI_BAD, "guests were denied %" PRIu64 " attempts", lease->denied);
		else
			cli_cell(table, CLI_BAD, "%s", lease->error);
		cli_row(table);
	}
	cli_table_print(table);
}

/* Lanes of one lease, or of all if @id is 0. */
static void lanes_print(struct cli *cli, const struct cli_registry *registry, uint32_t id)
{
	struct cli_table *table = cli_table_new(cli);
	char out[CLI_SIZE_TEXT], in[CLI_SIZE_TEXT];
	const struct sdv_lease_info *lease;
	size_t i;

	cli_cell(table, CLI_STRONG, "LANE");
	cli_cell(table, CLI_STRONG, "TRANSPORT");
	cli_cell(table, CLI_STRONG, "EPOCH");
	cli_cell(table, CLI_STRONG, "SENT");
	cli_cell(table, CLI_STRONG, "RECEIVED");
	cli_row(table);
	for (i = 0; i < registry->nr_lanes; i++) {
		const struct sdv_lane_info *lane = &registry->lanes[i];

		lease = cli_find_lease(registry, lane->lease);
		/* Between the two dumps it went. */
		if (!lease || (id && id != lane->lease))
			continue;
		cli_size_format(lane->tx_bytes, out);
		cli_size_format(lane->rx_bytes, in);
		cli_cell(table, CLI_PLAIN, "%s/%s %" PRIu32, lease->peer, lease->offer, lane->index);
		cli_cell(table, lane->transport == SUPERDEV_TRANSPORT_CLEAR ? CLI_WAITING : CLI_PLAIN, "%s",
			 cli_transport_word(lane->transport));
		cli_cell(table, CLI_PLAIN, "%" PRIu32, lane->epoch);
		cli_cell(table, CLI_PLAIN, "%s", out);
		cli_cell(table, CLI_PLAIN, "%s", in);
		cli_row(table);
	}
	cli_table_print(table);
}

static void agent_print(struct cli *cli, const struct cli_registry *registry)
{
	const struct sdv_agent_info *agent = &registry->agent;
	struct cli_table *table = cli_table_new(cli);
	char key[CLI_KEY_TEXT];

	cli_cell(table, CLI_STRONG, "%s", *agent->name ? agent->name : "this machine");
	if (!registry->is_running)
		cli_cell(table, CLI_BAD, "no agent is running; try: systemctl start superdevd");
	else
		cli_cell(table, CLI_GOOD, "agent %s, port %u", agent->version, agent->port);
	cli_row(table);
	if (SDV_HAS(agent, SUPERDEV_A_AGENT_KEY)) {
		cli_key_format(agent->key, key);
		cli_cell(table, CLI_PLAIN, "key");
		cli_cell(table, CLI_PLAIN, "%s", key);
		cli_row(table);
	}
	if (*registry->policy.name) {
		cli_cell(table, CLI_PLAIN, "policy");
		cli_cell(table, CLI_PLAIN, "%s", registry->policy.name);
		cli_row(table);
	}
	cli_facts_print(table);
}

#define JSON_ARRAY(of, nr, make)                                        \
	({                                                              \
		json_object *array_ = json_object_new_array();          \
		for (size_t i_ = 0; i_ < (nr); i_++)                    \
			json_object_array_add(array_, make(&(of)[i_])); \
		array_;                                                 \
	})

static json_object *devices_json(const struct cli_registry *registry)
{
	json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < registry->nr_leases; i++)
		if (cli_is_device(&registry->leases[i]))
			json_object_array_add(array, cli_json_device(&registry->leases[i]));
	return array;
}

int cli_show(struct cli *cli, const struct cli_args *args)
{
	struct cli_registry registry;
	json_object *json;

	(void)args;
	if (load(cli, CLI_AGENT | CLI_PEERS | CLI_OFFERS | CLI_LEASES | CLI_LANES | CLI_POLICY, &registry))
		return CLI_FAILED;
	if (cli->is_json) {
		json = json_object_new_object();
		json_object_object_add(json, "agent", cli_json_agent(&registry.agent));
		json_object_object_add(json, "peers",
				       JSON_ARRAY(registry.peers, registry.nr_peers, cli_json_peer));
		json_object_object_add(json, "offers",
				       JSON_ARRAY(registry.offers, registry.nr_offers, cli_json_offer));
		json_object_object_add(json, "leases",
				       JSON_ARRAY(registry.leases, registry.nr_leases, cli_json_lease));
		json_object_object_add(json, "lanes",
				       JSON_ARRAY(registry.lanes, registry.nr_lanes, cli_json_lane));
		json_object_object_add(json, "devices", devices_json(&registry));
		json_object_object_add(json, "policy", cli_json_policy(&registry.policy));
		cli_json_print(json);
	} else {
		agent_print(cli, &registry);
		if (!registry.nr_peers)
			puts("\nNo peers yet; get to know one: superdev peer pair ADDRESS");
		else
			putchar('\n');
		peers_print(cli, &registry);
		if (registry.nr_offers)
			putchar('\n');
		offers_print(cli, &registry);
		if (registry.nr_leases)
			putchar('\n');
		leases_print(cli, &registry);
		if (registry.nr_lanes)
			putchar('\n');
		lanes_print(cli, &registry, 0);
	}
	cli_registry_free(&registry);
	return 0;
}

int cli_peer_list(struct cli *cli, const struct cli_args *args)
{
	struct cli_registry registry;

	(void)args;
	if (load(cli, CLI_PEERS, &registry))
		return CLI_FAILED;
	if (cli->is_json)
		cli_json_print(JSON_ARRAY(registry.peers, registry.nr_peers, cli_json_peer));
	else
		peers_print(cli, &registry);
	cli_registry_free(&registry);
	return 0;
}

int cli_offer_list(struct cli *cli, const struct cli_args *args)
{
	struct cli_registry registry;

	(void)args;
	if (load(cli, CLI_OFFERS, &registry))
		return CLI_FAILED;
	if (cli->is_json)
		cli_json_print(JSON_ARRAY(registry.offers, registry.nr_offers, cli_json_offer));
	else
		offers_print(cli, &registry);
	cli_registry_free(&registry);
	return 0;
}

int cli_lease_list(struct cli *cli, const struct cli_args *args)
{
	struct cli_registry registry;

	(void)args;
	if (load(cli, CLI_LEASES, &registry))
		return CLI_FAILED;
	if (cli->is_json)
		cli_json_print(JSON_ARRAY(registry.leases, registry.nr_leases, cli_json_lease));
	else
		leases_print(cli, &registry);
	cli_registry_free(&registry);
	return 0;
}

static bool has_processors(const struct cli_registry *registry)
{
	for (size_t i = 0; i < registry->nr_leases; i++)
		if (SDV_HAS(&registry->leases[i], SUPERDEV_A_LEASE_CPUS))
			return true;
	return false;
}

/* Four cells, of which a lender that has said nothing yet fills one. */
static void processors_print(struct cli_table *table, const struct sdv_lease_info *lease)
{
	char load_text[CLI_SIZE_TEXT] = "", used[CLI_SIZE_TEXT] = "", tasks[CLI_SIZE_TEXT] = "",
	     cpus[CLI_SIZE_TEXT] = "";

	if (SDV_HAS(lease, SUPERDEV_A_LEASE_CPUS))
		snprintf(cpus, sizeof(cpus), "%" PRIu32, lease->cpus);
	if (SDV_HAS(lease, SUPERDEV_A_LEASE_LOAD)) {
		cli_load_format(lease->load, load_text);
		cli_used_format(lease->used_us, used);
		snprintf(tasks, sizeof(tasks), "%" PRIu32, lease->tasks);
	}
	cli_cell(table, CLI_PLAIN, "%s", cpus);
	cli_cell(table, CLI_PLAIN, "%s", load_text);
	cli_cell(table, CLI_PLAIN, "%s", tasks);
	cli_cell(table, CLI_PLAIN, "%s", used);
}

int cli_device_list(struct cli *cli, const struct cli_args *args)
{
	struct cli_registry registry;
	struct cli_table *table;
	char path[256], node[256];
	size_t i;

	(void)args;
	if (load(cli, CLI_LEASES, &registry))
		return CLI_FAILED;
	if (cli->is_json) {
		cli_json_print(devices_json(&registry));
		cli_registry_free(&registry);
		return 0;
	}
	table = cli_table_new(cli);
	cli_cell(table, CLI_STRONG, "DEVICE");
	cli_cell(table, CLI_STRONG, "NODE");
	cli_cell(table, CLI_STRONG, "LEASE");
	cli_cell(table, CLI_STRONG, "CLASS");
	cli_cell(table, CLI_STRONG, "STATE");
	cli_cell(table, CLI_STRONG, "ACCESS");
	if (has_processors(&registry)) {
		cli_cell(table, CLI_STRONG, "CPUS");
		cli_cell(table, CLI_STRONG, "LOAD");
		cli_cell(table, CLI_STRONG, "TASKS");
		cli_cell(table, CLI_STRONG, "USED");
	}
	cli_row(table);
	for (i = 0; i < registry.nr_leases; i++) {
		const struct sdv_lease_info *lease = &registry.leases[i];

		if (!cli_is_device(lease))
			continue;
		if (!cli_device_node(lease, node, sizeof(node)) ||
		    !cli_device_path(lease, path, sizeof(path))) {
			/* It has none: it is called as in device show. */
			snprintf(path, sizeof(path), "%s/%s", lease->peer, lease->offer);
			node[0] = 0;
		}
		cli_cell(table, CLI_PLAIN, "%s", path);
		cli_cell(table, CLI_PLAIN, "%s", node);
		cli_cell(table, CLI_PLAIN, "%s/%s", lease->peer, lease->offer);
		cli_cell(table, CLI_PLAIN, "%s", lease->class_name);
		cli_cell(table, cli_lease_tint(lease), "%s", cli_lease_word(lease->state));
		cli_cell(table, CLI_PLAIN, "%s", access_text(lease->class_name, lease->read_only));
		processors_print(table, lease);
		cli_row(table);
	}
	cli_table_print(table);
	cli_registry_free(&registry);
	return 0;
}

/* Single objects --------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static void fact(struct cli_table *table, enum cli_tint tint,
						       const char *name, const char *format, ...)
{
	char text[4200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!*text)
		return;
	cli_cell(table, CLI_STRONG, "%s", name);
	cli_cell(table, tint, "%s", text);
	cli_row(table);
}

int cli_peer_show(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "NAME");
	char key[CLI_KEY_TEXT] = "", rtt[CLI_SIZE_TEXT];
	struct sdv_peer_info peer;
	struct cli_table *table;
	int r;

	r = sdv_nl_peer_get(cli->nl, name, &peer);
	if (r == -ENOENT)
		return cli_no_such(cli, CLI_PEERS, name);
	if (r)
		return cli_refused(cli, name, r);
	if (cli->is_json) {
		cli_json_print(cli_json_peer(&peer));
		return 0;
	}
	if (SDV_HAS(&peer, SUPERDEV_A_PEER_KEY))
		cli_key_format(peer.key, key);
	rtt_text(&peer, rtt);
	table = cli_table_new(cli);
	fact(table, CLI_PLAIN, "peer", "%s", peer.name);
	fact(table, cli_peer_tint(&peer), "state", "%s", cli_peer_word(peer.state));
	fact(table, CLI_PLAIN, "trust", "%s", cli_trust_word(peer.trust));
	fact(table, CLI_WAITING, "code", "%s", peer.code);
	fact(table, transport_tint(&peer), "transport", "%s", transport_text(&peer));
	fact(table, CLI_PLAIN, "round trip", "%s", rtt);
	fact(table, CLI_PLAIN, "address", "%s", peer.address);
	fact(table, CLI_PLAIN, "key", "%s", key);
	fact(table, CLI_BAD, "error", "%s", peer.error);
	cli_facts_print(table);
	return 0;
}

int cli_offer_show(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "OFFER"), *why;
	char peer[SDV_NAME_SIZE] = "", own[SDV_NAME_SIZE], text[CLI_SIZE_TEXT], age[64];
	struct sdv_offer_info offer;
	struct cli_table *table;
	unsigned int i;
	struct tm tm;
	time_t time;
	int r;

	if (strchr(name, '/')) {
		why = cli_pair_split(name, peer, own);
	} else {
		why = cli_name_check(name);
		snprintf(own, sizeof(own), "%s", name);
	}
	if (why)
		return cli_fail(cli, name, "%s", why);
	r = sdv_nl_offer_get(cli->nl, peer, own, &offer);
	if (r == -ENOENT && !*peer)
		return cli_no_such(cli, CLI_OFFERS, name);
	if (r)
		return cli_refused(cli, name, r);
	if (cli->is_json) {
		cli_json_print(cli_json_offer(&offer));
		return 0;
	}
	table = cli_table_new(cli);
	fact(table, CLI_PLAIN, "offer", "%s", offer.name);
	fact(table, CLI_PLAIN, "of", "%s", *offer.peer ? offer.peer : "this machine");
	fact(table, CLI_PLAIN, "class", "%s", offer.class_name);
	fact(table, cli_offer_tint(&offer), "state", "%s", cli_offer_word(offer.state));
	cli_size_format(offer.size, text);
	if (offer.size)
		fact(table, CLI_PLAIN, "size", "%s (%" PRIu64 " bytes)", text, offer.size);
	if (!strcmp(offer.class_name, "cpu"))
		fact(table, CLI_PLAIN, "access", "shared");
	else
		fact(table, CLI_PLAIN, "access", "%s", offer.read_only ? "read-only" : "read-write");
	fact(table, CLI_PLAIN, "path", "%s", offer.path);
	if (offer.cpus)
		fact(table, CLI_PLAIN, "cpus wanted", "%" PRIu32, offer.cpus);
	if (offer.memory)
		fact(table, CLI_PLAIN, "memory wanted", "%" PRIu64 " bytes", offer.memory);
	for (i = 0; i < offer.nr_properties; i++) {
		time = (time_t)offer.property[i].time;
		age[0] = 0;
		if (time && localtime_r(&time, &tm))
			strftime(age, sizeof(age), " %F %T", &tm);
		fact(table, CLI_PLAIN, offer.property[i].name, "%s (%s%s)", offer.property[i].value,
		     cli_source_word(offer.property[i].source), age);
	}
	fact(table, CLI_BAD, "error", "%s", offer.error);
	cli_facts_print(table);
	return 0;
}

static void processors_facts(struct cli_table *table, const struct sdv_lease_info *lease)
{
	char text[CLI_SIZE_TEXT];

	if (SDV_HAS(lease, SUPERDEV_A_LEASE_CPUS))
		fact(table, CLI_PLAIN, "cpus", "%" PRIu32, lease->cpus);
	if (!SDV_HAS(lease, SUPERDEV_A_LEASE_LOAD))
		return;
	cli_load_format(lease->load, text);
	fact(table, CLI_PLAIN, "load", "%s, %" PRIu32 ".%" PRIu32 " s ago", text, lease->load_age_ms / 1000,
	     lease->load_age_ms % 1000 / 100);
	fact(table, CLI_PLAIN, "tasks", "%" PRIu32, lease->tasks);
	cli_used_format(lease->used_us, text);
	fact(table, CLI_PLAIN, "used", "%s", text);
	cli_size_format(lease->memory, text);
	fact(table, CLI_PLAIN, "free memory", "%s", text);
}

static void lease_facts(struct cli *cli, const struct sdv_lease_info *lease)
{
	struct cli_table *table = cli_table_new(cli);
	char path[256];

	fact(table, CLI_PLAIN, "lease", "%s/%s", lease->peer, lease->offer);
	fact(table, CLI_PLAIN, "role", "%s",
	     lease->role == SUPERDEV_ROLE_LENT ? "lent to the peer" : "held from the peer");
	fact(table, CLI_PLAIN, "class", "%s", lease->class_name);
	fact(table, cli_lease_tint(lease), "state", "%s", cli_lease_word(lease->state));
	if (!strcmp(lease->class_name, "cpu"))
		fact(table, CLI_PLAIN, "access", "shared");
	else
		fact(table, CLI_PLAIN, "access", "%s", lease->read_only ? "read-only" : "read-write");
	fact(table, CLI_PLAIN, "lanes", "%" PRIu32 " up, %" PRIu32 " wanted", lease->lanes,
	     lease->lanes_wanted);
	fact(table, CLI_PLAIN, "epoch", "%" PRIu32, lease->epoch);
	if (cli_device_path(lease, path, sizeof(path)))
		fact(table, CLI_PLAIN, "device", "%s", path);
	if (cli_device_node(lease, path, sizeof(path)))
		fact(table, CLI_PLAIN, "node", "%s", path);
	processors_facts(table, lease);
	if (*lease->paths)
		fact(table, CLI_PLAIN, "paths", "%s", lease->paths);
	if (lease->denied)
		fact(table, CLI_BAD, "denied", "%" PRIu64 " attempts of guests to get out", lease->denied);
	fact(table, CLI_BAD, "error", "%s", lease->error);
	cli_facts_print(table);
}

static json_object *lease_with_lanes(const struct cli_registry *registry, const struct sdv_lease_info *lease)
{
	json_object *json = cli_json_lease(lease), *array = json_object_new_array();
	size_t i;

	for (i = 0; i < registry->nr_lanes; i++)
		if (registry->lanes[i].lease == lease->id)
			json_object_array_add(array, cli_json_lane(&registry->lanes[i]));
	json_object_object_add(json, "lane", array);
	return json;
}

int cli_lease_show(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "PEER/OFFER"), *why;
	char peer[SDV_NAME_SIZE], offer[SDV_NAME_SIZE];
	const struct sdv_lease_info *lease;
	struct cli_registry registry;
	size_t i;
	int r = 0;

	why = cli_pair_split(name, peer, offer);
	if (why)
		return cli_fail(cli, name, "%s", why);
	if (load(cli, CLI_LEASES | CLI_LANES, &registry))
		return CLI_FAILED;
	lease = cli_find_held(&registry, peer, offer);
	/* The same two names can also be one that is lent; the one held has the device. */
	for (i = 0; !lease && i < registry.nr_leases; i++)
		if (!strcmp(registry.leases[i].peer, peer) && !strcmp(registry.leases[i].offer, offer))
			lease = &registry.leases[i];
	if (!lease) {
		r = cli_fail(cli, name, "there is no such lease; see: superdev lease list");
	} else if (cli->is_json) {
		cli_json_print(lease_with_lanes(&registry, lease));
	} else {
		lease_facts(cli, lease);
		if (lease->lanes)
			putchar('\n');
		lanes_print(cli, &registry, lease->id);
	}
	cli_registry_free(&registry);
	return r;
}

int cli_device_show(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "DEVICE");
	const struct sdv_lease_info *lease = NULL;
	char both[2 * SDV_NAME_SIZE], node[256], link[256];
	struct cli_registry registry;
	size_t i;
	int r = 0;

	if (load(cli, CLI_LEASES, &registry))
		return CLI_FAILED;
	for (i = 0; !lease && i < registry.nr_leases; i++) {
		const struct sdv_lease_info *one = &registry.leases[i];

		if (!cli_is_device(one))
			continue;
		if (!cli_device_node(one, node, sizeof(node)))
			node[0] = 0;
		snprintf(both, sizeof(both), "%s/%s", one->peer, one->offer);
		snprintf(link, sizeof(link), "/dev/superdev/%s", both);
		if (!strcmp(name, both) || !strcmp(name, link) || !strcmp(name, node))
			lease = one;
	}
	if (!lease)
		r = cli_fail(cli, name, "there is no such device; see: superdev device list");
	else if (cli->is_json)
		cli_json_print(cli_json_device(lease));
	else
		lease_facts(cli, lease);
	cli_registry_free(&registry);
	return r;
}
