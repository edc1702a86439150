// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lease.c: borrowing and giving back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "output.h"
#include "superdev_wire.h"

#define ADD_TIMEOUT_S   30
#define DEL_TIMEOUT_MS  30000
#define LINK_TIMEOUT_MS 2000
#define LINK_TICK_NS    2000000

static int del(struct cli *cli, const char *peer, const char *offer, bool is_forced)
{
	struct sdv_lease_info info = { .force = is_forced };

	snprintf(info.peer, sizeof(info.peer), "%s", peer);
	SDV_SET(&info, SUPERDEV_A_LEASE_PEER);
	snprintf(info.offer, sizeof(info.offer), "%s", offer);
	SDV_SET(&info, SUPERDEV_A_LEASE_OFFER);
	if (is_forced)
		SDV_SET(&info, SUPERDEV_A_LEASE_FORCE);
	return sdv_nl_lease(cli->nl, SUPERDEV_CMD_LEASE_DEL, &info, NULL);
}

/* The lease by its number, as it is now.  0, -ENOENT, or -errno. */
static int get(struct cli *cli, uint32_t id, struct sdv_lease_info *ret_lease)
{
	const struct sdv_lease_info *lease;
	struct cli_registry registry;
	int r = cli_registry_load(cli, CLI_LEASES, &registry);

	if (r)
		return r;
	lease = cli_find_lease(&registry, id);
	if (lease)
		*ret_lease = *lease;
	cli_registry_free(&registry);
	return lease ? 0 : -ENOENT;
}

static int is_usable(struct cli *cli, void *arg)
{
	struct sdv_lease_info *lease = arg;
	int r = get(cli, lease->id, lease);

	if (r)
		return r == -ENOENT ? -ECANCELED : r;
	switch (lease->state) {
	case SUPERDEV_LEASE_STATE_ACTIVE: return 1;
	case SUPERDEV_LEASE_STATE_FAILED:
	case SUPERDEV_LEASE_STATE_REVOKED: return -ECONNREFUSED;
	case SUPERDEV_LEASE_STATE_RETURNING:
	case SUPERDEV_LEASE_STATE_GONE: return -ECANCELED;
	case SUPERDEV_LEASE_STATE_REQUESTED:
	case SUPERDEV_LEASE_STATE_GRANTED:
	case SUPERDEV_LEASE_STATE_SUSPENDED: break;
	}
	return 0;
}

static int is_gone(struct cli *cli, void *arg)
{
	struct sdv_lease_info *lease = arg;
	int r = get(cli, lease->id, lease);

	return r == -ENOENT ? 1 : r;
}

/* Which of the two names is not known, and what it may have meant. */
static int no_such_offer(struct cli *cli, const char *name, const char *peer, const char *offer)
{
	struct cli_registry registry;
	const char **names, *near;
	bool has_peer = false;
	size_t nr = 0, i;
	int r;

	r = cli_registry_load(cli, CLI_PEERS | CLI_OFFERS, &registry);
	if (r)
		return cli_refused(cli, name, r);
	for (i = 0; i < registry.nr_peers; i++)
		has_peer |= !strcmp(registry.peers[i].name, peer);
	if (has_peer) {
		names = cli_alloc((registry.nr_offers + 1) * sizeof(*names));
		for (i = 0; i < registry.nr_offers; i++)
			if (!strcmp(registry.offers[i].peer, peer))
				names[nr++] = registry.offers[i].name;
	} else {
		nr = cli_registry_names(&registry, CLI_PEERS, &names);
	}
	near = cli_nearest(has_peer ? offer : peer, names, nr);
	r = cli_fail(cli, name, "%s '%s'%s%s%s", has_peer ? "the peer has no offer" : "there is no peer",
		     has_peer ? offer : peer,
		     near       ? "; did you mean '"
		     : has_peer ? "; see: superdev offer list"
				: "; see: superdev peer list",
		     near ? near : "", near ? "'?" : "");
	free(names);
	cli_registry_free(&registry);
	return r;
}

static int add_failed(struct cli *cli, const char *name, const struct sdv_lease_info *lease,
		      unsigned int timeout_s, int r)
{
	struct sdv_peer_info peer = { 0 };

	switch (r) {
	case -ECONNREFUSED:
		return cli_fail(cli, name, "%s",
				*lease->error ? lease->error : "the peer refuses it without a reason");
	case -ECANCELED: return cli_fail(cli, name, "it was given back meanwhile");
	case -ENOTCONN:
		return cli_fail(cli, name,
				"no agent is running that could take it; try: systemctl start superdevd");
	case -EINTR: return cli_fail(cli, name, "interrupted; the lease is given back");
	case -ETIMEDOUT:
		if (!sdv_nl_peer_get(cli->nl, lease->peer, &peer) && peer.state != SUPERDEV_PEER_STATE_ONLINE)
			return cli_fail(cli, name, "the peer is %s%s%s%s", cli_peer_word(peer.state),
					*peer.error ? " (" : "", peer.error, *peer.error ? ")" : "");
		return cli_fail(cli, name, "it is still only %s after %u seconds%s%s",
				cli_lease_word(lease->state), timeout_s, *lease->error ? ": " : "",
				lease->error);
	default: return cli_refused(cli, name, r);
	}
}

/* udev makes a disk's link a moment after the node; where no udev runs, nobody does. */
static void print_path(const struct sdv_lease_info *lease)
{
	const struct timespec tick = { .tv_nsec = LINK_TICK_NS };
	const uint64_t start = cli_now_ms();
	char path[256], node[256];
	bool may_come;
	struct stat st;

	if (!cli_device_node(lease, node, sizeof(node)))
		return;
	may_come = !access("/run/udev/control", F_OK) && !stat(node, &st) && S_ISBLK(st.st_mode);
	for (;;) {
		cli_device_path(lease, path, sizeof(path));
		if (!may_come || strcmp(path, node) != 0 || cli_now_ms() - start >= LINK_TIMEOUT_MS)
			break;
		nanosleep(&tick, NULL);
	}
	puts(path);
	fflush(stdout);
}

/* As the kernel takes them: "all", or absolute paths with colons between them. */
static int take_paths(struct cli *cli, const char *name, const char *paths, struct sdv_lease_info *info)
{
	bool is_all = !strcmp(paths, "all");

	if (!is_all && *paths != '/')
		return cli_fail(cli, name, "paths '%s': not absolute, and not: all", paths);
	if (strlen(paths) >= sizeof(info->paths))
		return cli_fail(cli, name, "paths '%.40s...': more than %zu bytes", paths,
				sizeof(info->paths) - 1);
	snprintf(info->paths, sizeof(info->paths), "%s", is_all ? "" : paths);
	SDV_SET(info, SUPERDEV_A_LEASE_PATHS);
	return 0;
}

int cli_lease_set(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "PEER/OFFER"), *why;
	struct sdv_lease_info info = { 0 };
	int r;

	why = cli_pair_split(name, info.peer, info.offer);
	if (why)
		return cli_fail(cli, name, "%s", why);
	SDV_SET(&info, SUPERDEV_A_LEASE_PEER);
	SDV_SET(&info, SUPERDEV_A_LEASE_OFFER);
	r = take_paths(cli, name, cli_arg(args, "paths"), &info);
	if (r)
		return r;
	r = sdv_nl_lease(cli->nl, SUPERDEV_CMD_LEASE_SET, &info, NULL);
	if (r == -ENOENT)
		return cli_fail(cli, name, "there is no such lease; see: superdev lease list");
	return r ? cli_refused(cli, name, r) : 0;
}

int cli_lease_add(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "PEER/OFFER"), *lanes = cli_arg(args, "lanes");
	const char *timeout = cli_arg(args, "timeout"), *why;
	struct sdv_lease_info info = { 0 }, lease;
	uint32_t timeout_s = ADD_TIMEOUT_S;
	int r, status;

	why = cli_pair_split(name, info.peer, info.offer);
	if (why)
		return cli_fail(cli, name, "%s", why);
	SDV_SET(&info, SUPERDEV_A_LEASE_PEER);
	SDV_SET(&info, SUPERDEV_A_LEASE_OFFER);
	if (lanes) {
		why = cli_number_parse(lanes, 1, SUPERDEV_MAX_LANES, &info.lanes_wanted);
		if (why)
			return cli_fail(cli, name, "lanes '%s' %s", lanes, why);
		SDV_SET(&info, SUPERDEV_A_LEASE_LANES_WANTED);
	}
	if (timeout) {
		why = cli_number_parse(timeout, 0, 86400, &timeout_s);
		if (why)
			return cli_fail(cli, name, "timeout '%s' %s", timeout, why);
	}
	if (cli_arg(args, "ro")) {
		info.read_only = true;
		SDV_SET(&info, SUPERDEV_A_LEASE_READ_ONLY);
	}
	if (cli_arg(args, "paths")) {
		status = take_paths(cli, name, cli_arg(args, "paths"), &info);
		if (status)
			return status;
	}

	r = cli_watch(cli);
	if (!r)
		r = sdv_nl_lease(cli->nl, SUPERDEV_CMD_LEASE_ADD, &info, &info.id);
	if (r == -ENOENT)
		return no_such_offer(cli, name, info.peer, info.offer);
	if (r)
		return cli_refused(cli, name, r);
	/* Wanted from now on, whenever the peer comes. */
	if (!timeout_s)
		return 0;

	lease = info;
	cli_interrupt_begin();
	r = cli_wait(cli, is_usable, &lease, timeout_s * 1000, "waiting for the device");
	if (r > 0) {
		print_path(&lease);
		cli_interrupt_end();
		return 0;
	}
	status = add_failed(cli, name, &lease, timeout_s, r);
	/* And wait for that, or trying again would find it still there. */
	if (r != -ECANCELED && !del(cli, info.peer, info.offer, true))
		cli_wait(cli, is_gone, &lease, DEL_TIMEOUT_MS, "giving the lease back");
	cli_interrupt_end();
	return status;
}

int cli_lease_del(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "PEER/OFFER"), *why;
	char peer[SDV_NAME_SIZE], offer[SDV_NAME_SIZE];
	const struct sdv_lease_info *held;
	struct cli_registry registry;
	struct sdv_lease_info lease;
	bool is_lent = false;
	size_t i;
	int r;

	why = cli_pair_split(name, peer, offer);
	if (why)
		return cli_fail(cli, name, "%s", why);
	r = cli_registry_load(cli, CLI_LEASES, &registry);
	if (r)
		return cli_refused(cli, name, r);
	held = cli_find_held(&registry, peer, offer);
	if (held)
		lease = *held;
	for (i = 0; i < registry.nr_leases; i++)
		is_lent |= !strcmp(registry.leases[i].peer, peer) && !strcmp(registry.leases[i].offer, offer);
	cli_registry_free(&registry);
	if (!held && is_lent)
		return cli_fail(cli, name,
				"it is lent and not held; to take it back: superdev offer del %s force",
				offer);
	if (!held)
		return cli_fail(cli, name, "there is no such lease; see: superdev lease list");

	r = cli_watch(cli);
	if (!r)
		r = del(cli, peer, offer, cli_arg(args, "force"));
	if (r == -ENOENT)
		return 0;
	if (r)
		return cli_refused(cli, name, r);
	cli_interrupt_begin();
	r = cli_wait(cli, is_gone, &lease, DEL_TIMEOUT_MS, "giving the lease back");
	cli_interrupt_end();
	if (r == -ETIMEDOUT || r == -EINTR || r == -ENOTCONN)
		return cli_fail(cli, name,
				"it is being given back and not gone yet; see: superdev lease list");
	return r < 0 ? cli_refused(cli, name, r) : 0;
}
