// SPDX-License-Identifier: GPL-2.0-only
/*
 * netlink-wish.c: what is wished of a held lease and may change while it is held.
 */
#include <linux/cleanup.h>
#include <linux/string.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "netlink-gen.h"
#include "netlink.h"
#include "registry.h"

/**
 * sdv_get_lease_names() - what names a lease: the peer, and the offer
 * @info: the command
 * @ret_peer: name of the peer
 * @ret_offer: name of the offer
 *
 * Return: 0, or -EINVAL, and the text says why.
 */
int sdv_get_lease_names(struct genl_info *info, const char **ret_peer, const char **ret_offer)
{
	int err;

	err = sdv_get_name(info, SUPERDEV_A_LEASE_PEER, "the name of a peer", ret_peer);
	if (err)
		return err;
	return sdv_get_name(info, SUPERDEV_A_LEASE_OFFER, "the name of an offer", ret_offer);
}

/**
 * sdv_get_paths() - what a lease is to show of this machine's files
 * @info: the command
 * @ret_paths: absolute paths with colons between them; empty: all
 *
 * Whoever serves the files takes them like that.
 *
 * Return: 0, or -EINVAL, and the text says why.
 */
int sdv_get_paths(struct genl_info *info, const char **ret_paths)
{
	const struct nlattr *attr = info->attrs[SUPERDEV_A_LEASE_PATHS];
	const char *at;

	*ret_paths = "";
	if (!attr || !*(const char *)nla_data(attr))
		return 0;
	*ret_paths = nla_data(attr);
	at = *ret_paths;
	while (*at == '/') {
		at = strchr(at, ':');
		if (!at)
			return 0;
		at++;
	}
	return sdv_refuse(info->extack, attr, -EINVAL,
			  "not absolute paths with colons between them: '%s'", *ret_paths);
}

int superdev_nl_lease_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sdv_ns *ns = sdv_ns(genl_info_net(info));
	const char *peer, *offer, *paths;
	struct sdv_lease *lease;
	int err;

	err = sdv_get_lease_names(info, &peer, &offer);
	if (err)
		return err;
	if (!info->attrs[SUPERDEV_A_LEASE_PATHS])
		return sdv_refuse(info->extack, NULL, -EINVAL, "missing: paths for '%s/%s'", peer,
				  offer);
	err = sdv_get_paths(info, &paths);
	if (err)
		return err;

	guard(mutex)(&ns->lock);
	lease = sdv_lease_lookup(ns, SUPERDEV_ROLE_HELD, peer, offer);
	if (!lease)
		return sdv_refuse(info->extack, info->attrs[SUPERDEV_A_LEASE_OFFER], -ENOENT,
				  "no such lease: '%s/%s'", peer, offer);
	strscpy(lease->paths, paths);
	sdv_notify_lease(ns, lease);
	return 0;
}
