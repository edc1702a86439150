// SPDX-License-Identifier: GPL-2.0-only
/* A hang: loading it never ends. */
#include <linux/completion.h>
#include <linux/init.h>
#include <linux/module.h>

static DECLARE_COMPLETION(never);

static int __init floor_hang_init(void)
{
	wait_for_completion(&never);
	return 0;
}

static void __exit floor_hang_exit(void)
{
}

module_init(floor_hang_init);
module_exit(floor_hang_exit);
MODULE_DESCRIPTION("superdev debug floor: hang");
MODULE_LICENSE("GPL");
