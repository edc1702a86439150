// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c: superdev.ko comes and goes.
 */
#include <linux/module.h>

#include "bus.h"
#include "lane.h"
#include "policy.h"
#include "registry.h"

static int __init superdev_init(void)
{
	int err;

	err = sdv_lease_init();
	if (err)
		return err;
	err = sdv_bus_init();
	if (err)
		goto err_lease;
	err = sdv_lane_init();
	if (err)
		goto err_bus;
	err = sdv_cost_init();
	if (err)
		goto err_lane;
	err = sdv_registry_init();
	if (err)
		goto err_cost;
	err = sdv_policy_bpf_init();
	if (err)
		goto err_registry;
	err = sdv_cost_bpf_init();
	if (err)
		goto err_registry;
	err = sdv_netlink_init();
	if (err)
		goto err_registry;
	return 0;

err_registry:
	sdv_registry_stop();
	sdv_registry_exit();
err_cost:
	sdv_cost_exit();
err_lane:
	sdv_lane_exit();
err_bus:
	sdv_bus_exit();
err_lease:
	sdv_lease_exit();
	return err;
}

/*
 * No class module is loaded any more (they use our symbols), but there may be
 * everything else: leases, unbound devices, lanes that receive.  First nobody
 * can ask for more, then the registries end and with them devices and lanes.
 */
static void __exit superdev_exit(void)
{
	sdv_netlink_exit();
	sdv_policy_exit();
	sdv_registry_stop();
	sdv_lane_exit();
	sdv_bus_exit();
	sdv_lease_exit();
	sdv_registry_exit();
	sdv_cost_exit();
}

module_init(superdev_init);
module_exit(superdev_exit);

MODULE_DESCRIPTION("superdev: devices of other machines as local ones");
MODULE_LICENSE("GPL");
MODULE_ALIAS_GENL_FAMILY("superdev");
