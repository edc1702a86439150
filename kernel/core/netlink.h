/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netlink.h: what the commands share; netlink*.c alone.
 */
#ifndef _SUPERDEV_NETLINK_H
#define _SUPERDEV_NETLINK_H

#include "registry.h"

int sdv_require(struct genl_info *info, int type, const char *what);
int sdv_get_name(struct genl_info *info, int type, const char *what, const char **ret_name);
int sdv_get_peer(struct genl_info *info, struct sdv_ns *ns, int type,
		 struct sdv_peer **ret_peer);
int sdv_get_lease_names(struct genl_info *info, const char **ret_peer, const char **ret_offer);
int sdv_get_paths(struct genl_info *info, const char **ret_paths);
int sdv_reply(struct genl_info *info, u8 cmd, sdv_fill_fn fill, const void *object);
int sdv_dump(struct sk_buff *skb, struct netlink_callback *cb, struct sdv_table *table,
	     u8 cmd, sdv_fill_fn fill);
int sdv_dump_xa(struct sk_buff *skb, struct netlink_callback *cb, struct xarray *xa,
		unsigned int generation, u8 cmd, sdv_fill_fn fill);

#endif /* _SUPERDEV_NETLINK_H */
