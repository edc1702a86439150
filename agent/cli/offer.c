// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * offer.c: commands that change what this machine lends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry.h"

#define ADD_TIMEOUT_MS 15000
#define DEL_TIMEOUT_MS 30000

static int del(struct cli *cli, const char *name, bool is_forced)
{
	struct sdv_offer_info info = { .force = is_forced };

	snprintf(info.name, sizeof(info.name), "%s", name);
	SDV_SET(&info, SUPERDEV_A_OFFER_NAME);
	if (is_forced)
		SDV_SET(&info, SUPERDEV_A_OFFER_FORCE);
	return sdv_nl_offer(cli->nl, SUPERDEV_CMD_OFFER_DEL, &info);
}

static int is_looked_at(struct cli *cli, void *arg)
{
	struct sdv_offer_info *offer = arg, now;
	int r = sdv_nl_offer_get(cli->nl, NULL, offer->name, &now);

	if (r == -ENOENT)
		return -ECANCELED;
	if (r)
		return r;
	*offer = now;
	switch (now.state) {
	case SUPERDEV_OFFER_STATE_READY: return 1;
	case SUPERDEV_OFFER_STATE_FAILED: return -ECONNREFUSED;
	case SUPERDEV_OFFER_STATE_REMOVING: return -ECANCELED;
	case SUPERDEV_OFFER_STATE_PENDING: break;
	}
	return 0;
}

static int add_failed(struct cli *cli, const struct sdv_offer_info *offer, int r)
{
	switch (r) {
	case -ECONNREFUSED:
		return cli_fail(cli, offer->name, "%s",
				*offer->error ? offer->error : "the agent refuses it without a reason");
	case -ECANCELED: return cli_fail(cli, offer->name, "it was withdrawn meanwhile");
	case -ETIMEDOUT:
		return cli_fail(cli, offer->name, "the agent did not look at it within %d seconds",
				ADD_TIMEOUT_MS / 1000);
	case -ENOTCONN:
		return cli_fail(cli, offer->name,
				"no agent is running that could look at it; try: systemctl start superdevd");
	case -EINTR: return cli_fail(cli, offer->name, "interrupted; it is withdrawn");
	default: return cli_refused(cli, offer->name, r);
	}
}

/* What belongs to one class only; the agent knows whether there is so much. */
static int take_processors(struct cli *cli, const struct cli_args *args, struct sdv_offer_info *info)
{
	const char *cpus = cli_arg(args, "cpus"), *memory = cli_arg(args, "memory"), *why;

	if (strcmp(info->class_name, "cpu") != 0 && (cpus || memory))
		return cli_misuse(cli, "class '%s' has no %s; it goes with class cpu", info->class_name,
				  cpus ? "cpus" : "memory");
	if (!strcmp(info->class_name, "cpu") && (cli_arg(args, "path") || cli_arg(args, "ro")))
		return cli_misuse(cli, "class cpu takes no %s; what it lends is: cpus N, memory SIZE",
				  cli_arg(args, "path") ? "path" : "ro");
	if (cpus) {
		why = cli_number_parse(cpus, 1, 65536, &info->cpus);
		if (why)
			return cli_fail(cli, info->name, "cpus '%s' %s", cpus, why);
		SDV_SET(info, SUPERDEV_A_OFFER_CPUS);
	}
	if (memory) {
		why = cli_size_parse(memory, &info->memory);
		if (why)
			return cli_fail(cli, info->name, "memory '%s' %s", memory, why);
		if (!info->memory)
			return cli_fail(cli, info->name, "memory '%s': nothing runs in none", memory);
		SDV_SET(info, SUPERDEV_A_OFFER_MEMORY);
	}
	return 0;
}

/* Offers it, and returns when the agent has looked at it: a status, as commands do. */
static int lend(struct cli *cli, struct sdv_offer_info *info)
{
	int r = cli_watch(cli), status;

	if (!r)
		r = sdv_nl_offer(cli->nl, SUPERDEV_CMD_OFFER_ADD, info);
	if (r)
		return cli_refused(cli, info->name, r);
	cli_interrupt_begin();
	r = cli_wait(cli, is_looked_at, info, ADD_TIMEOUT_MS, "waiting for the agent to look at it");
	cli_interrupt_end();
	if (r > 0)
		return 0;
	status = add_failed(cli, info, r);
	if (r != -ECANCELED)
		del(cli, info->name, true);
	return status;
}

int cli_offer_add(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "NAME"), *class_name = cli_arg(args, "class");
	const char *path = cli_arg(args, "path"), *why;
	struct sdv_offer_info info = { 0 };
	int r, status;

	why = cli_name_check(name);
	if (why)
		return cli_fail(cli, name, "%s", why);
	why = cli_name_check(class_name);
	if (why)
		return cli_fail(cli, name, "class '%s' %s", class_name, why);
	if (!strcmp(class_name, "blk") && !path)
		return cli_misuse(cli, "class blk needs: path PATH, of a block device or a file");
	snprintf(info.name, sizeof(info.name), "%s", name);
	SDV_SET(&info, SUPERDEV_A_OFFER_NAME);
	snprintf(info.class_name, sizeof(info.class_name), "%s", class_name);
	SDV_SET(&info, SUPERDEV_A_OFFER_CLASS);
	status = take_processors(cli, args, &info);
	if (status)
		return status;
	if (path) {
		r = *path ? cli_path_absolute(path, info.path, sizeof(info.path)) : -ENOENT;
		if (r)
			return cli_fail(cli, name, "path '%s': %s", path,
					*path ? strerror(-r) : "it is empty");
		SDV_SET(&info, SUPERDEV_A_OFFER_PATH);
	}
	if (cli_arg(args, "ro")) {
		info.read_only = true;
		SDV_SET(&info, SUPERDEV_A_OFFER_READ_ONLY);
	}

	return lend(cli, &info);
}

static int is_gone(struct cli *cli, void *arg)
{
	struct sdv_offer_info offer;
	int r = sdv_nl_offer_get(cli->nl, NULL, arg, &offer);

	return r == -ENOENT ? 1 : r;
}

int cli_offer_del(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "NAME"), *why;
	int r;

	why = cli_name_check(name);
	if (why)
		return cli_fail(cli, name, "%s", why);
	r = cli_watch(cli);
	if (!r)
		r = del(cli, name, cli_arg(args, "force"));
	if (r == -ENOENT)
		return cli_no_such(cli, CLI_OFFERS, name);
	if (r)
		return cli_refused(cli, name, r);
	cli_interrupt_begin();
	r = cli_wait(cli, is_gone, (void *)name, DEL_TIMEOUT_MS, "waiting for the lease to end");
	cli_interrupt_end();
	if (r == -ETIMEDOUT || r == -EINTR)
		return cli_fail(cli, name,
				"it is being withdrawn and not gone yet; see: superdev offer list");
	if (r == -ENOTCONN)
		return cli_fail(cli, name,
				"no agent is running that could end it; try: systemctl start superdevd");
	return r < 0 ? cli_refused(cli, name, r) : 0;
}

/* What `offer add` said of it. */
static void wanted_of(const struct sdv_offer_info *offer, struct sdv_offer_info *ret_wanted)
{
	struct sdv_offer_info wanted = { .read_only = offer->read_only };

	snprintf(wanted.name, sizeof(wanted.name), "%s", offer->name);
	snprintf(wanted.class_name, sizeof(wanted.class_name), "%s", offer->class_name);
	snprintf(wanted.path, sizeof(wanted.path), "%s", offer->path);
	wanted.cpus = offer->cpus;
	wanted.memory = offer->memory;
	SDV_SET(&wanted, SUPERDEV_A_OFFER_NAME);
	SDV_SET(&wanted, SUPERDEV_A_OFFER_CLASS);
	if (*wanted.path)
		SDV_SET(&wanted, SUPERDEV_A_OFFER_PATH);
	if (wanted.read_only)
		SDV_SET(&wanted, SUPERDEV_A_OFFER_READ_ONLY);
	if (wanted.cpus)
		SDV_SET(&wanted, SUPERDEV_A_OFFER_CPUS);
	if (wanted.memory)
		SDV_SET(&wanted, SUPERDEV_A_OFFER_MEMORY);
	*ret_wanted = wanted;
}

/*
 * The leases end with the offer, which then is there anew: nobody who held one
 * holds it any more, and whoever wants one asks.
 */
int cli_offer_revoke(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "NAME"), *why;
	struct sdv_offer_info offer, wanted;
	int r;

	why = cli_name_check(name);
	if (why)
		return cli_fail(cli, name, "%s", why);
	r = cli_watch(cli);
	if (!r)
		r = sdv_nl_offer_get(cli->nl, NULL, name, &offer);
	if (!r)
		r = del(cli, name, true);
	if (r == -ENOENT)
		return cli_no_such(cli, CLI_OFFERS, name);
	if (r)
		return cli_refused(cli, name, r);
	wanted_of(&offer, &wanted);
	cli_interrupt_begin();
	r = cli_wait(cli, is_gone, (void *)name, DEL_TIMEOUT_MS, "waiting for its leases to end");
	cli_interrupt_end();
	if (r == -ENOTCONN)
		return cli_fail(
			cli, name,
			"no agent is running that could end its leases; try: systemctl start superdevd");
	if (r < 0)
		return cli_fail(cli, name,
				"its leases have not ended yet, and it is not offered any more; see: "
				"superdev offer list");
	return lend(cli, &wanted);
}
