// SPDX-License-Identifier: GPL-2.0-only
/* A fault that UBSAN reports: a shift by more than the width. */
#include <linux/init.h>
#include <linux/module.h>

static int __init floor_ubsan_init(void)
{
	volatile int by = 40;

	return (1 << by) == 12345 ? -EIO : 0;
}

static void __exit floor_ubsan_exit(void)
{
}

module_init(floor_ubsan_init);
module_exit(floor_ubsan_exit);
MODULE_DESCRIPTION("superdev debug floor: shift out of bounds");
MODULE_LICENSE("GPL");
