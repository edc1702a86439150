// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy_test.c: a policy for tests, in kernels where BPF can't be one.
 *
 * It has all that it is asked go by the first active lease, while its parameter
 * says so.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "policy.h"

static bool is_away = true;
module_param_named(away, is_away, bool, 0644);
MODULE_PARM_DESC(away, "whether programs go elsewhere");

static void pick(struct superdev_exec *exec, u32 lease, const char *why)
{
	sdv_exec_pick(exec, lease, why, strlen(why) + 1);
}

static int pick_exec(struct superdev_exec *exec)
{
	const struct superdev_exec_lease *lease;
	u32 i;

	for (i = 0; READ_ONCE(is_away) && (lease = sdv_exec_lease(exec, i)); i++) {
		if (lease->state == SUPERDEV_LEASE_STATE_ACTIVE) {
			pick(exec, lease->id, "the test wants it away");
			return 0;
		}
	}
	pick(exec, 0, "the test wants it here");
	return 0;
}

static const struct superdev_policy test_policy = {
	.pick_exec	= pick_exec,
	.name		= "test",
};

static int __init policy_test_init(void)
{
	return sdv_policy_attach(&test_policy, NULL);
}

static void __exit policy_test_exit(void)
{
	sdv_policy_detach(&test_policy);
	/* It may still be deciding. */
	synchronize_rcu();
}

module_init(policy_test_init);
module_exit(policy_test_exit);
MODULE_DESCRIPTION("superdev: a policy for tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
