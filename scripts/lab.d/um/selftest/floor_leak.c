// SPDX-License-Identifier: GPL-2.0-only
/* A fault that only unloading shows: an object is left in the slab cache. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

static struct kmem_cache *cache;

static int __init floor_leak_init(void)
{
	cache = kmem_cache_create("floor_leak", 64, 0, 0, NULL);
	if (!cache)
		return -ENOMEM;
	if (!kmem_cache_alloc(cache, GFP_KERNEL)) {
		kmem_cache_destroy(cache);
		return -ENOMEM;
	}
	return 0;
}

static void __exit floor_leak_exit(void)
{
	kmem_cache_destroy(cache);
}

module_init(floor_leak_init);
module_exit(floor_leak_exit);
MODULE_DESCRIPTION("superdev debug floor: slab object left at unload");
MODULE_LICENSE("GPL");
