// SPDX-License-Identifier: GPL-2.0-only
/* A fault that ends the machine: a write to where nothing is. */
#include <linux/init.h>
#include <linux/module.h>

static int __init floor_oops_init(void)
{
	int *volatile nowhere = (int *)64;

	WRITE_ONCE(*nowhere, 1);
	return 0;
}

static void __exit floor_oops_exit(void)
{
}

module_init(floor_oops_init);
module_exit(floor_oops_exit);
MODULE_DESCRIPTION("superdev debug floor: oops");
MODULE_LICENSE("GPL");
