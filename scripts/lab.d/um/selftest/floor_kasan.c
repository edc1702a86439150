// SPDX-License-Identifier: GPL-2.0-only
/* A fault that KASAN reports: a read of freed memory. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

static int __init floor_kasan_init(void)
{
	/* volatile: the compiler knows this mistake when it sees it. */
	char *volatile object = kmalloc(64, GFP_KERNEL);
	int value;

	if (!object)
		return -ENOMEM;
	kfree(object);
	value = READ_ONCE(object[8]);
	return value == 1 ? -EIO : 0;
}

static void __exit floor_kasan_exit(void)
{
}

module_init(floor_kasan_init);
module_exit(floor_kasan_exit);
MODULE_DESCRIPTION("superdev debug floor: use after free");
MODULE_LICENSE("GPL");
