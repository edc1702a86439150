// SPDX-License-Identifier: GPL-2.0-only
/*
 * No fault: what the other modules do, done right.  Writing to its parameter allocates and frees
 * an object, which fails as allocations do: for tests of fault injection.
 */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static struct kmem_cache *cache;

static int floor_clean_allocate(const char *value, const struct kernel_param *param)
{
	void *object = kmem_cache_alloc(cache, GFP_KERNEL);

	if (!object)
		return -ENOMEM;
	kmem_cache_free(cache, object);
	return 0;
}

static const struct kernel_param_ops allocate_ops = {
	.set = floor_clean_allocate,
};

module_param_cb(allocate, &allocate_ops, NULL, 0200);

static int __init floor_clean_init(void)
{
	cache = kmem_cache_create("floor_clean", 64, 0, 0, NULL);
	if (!cache)
		return -ENOMEM;
	mutex_lock(&first);
	mutex_lock(&second);
	msleep(20);
	mutex_unlock(&second);
	mutex_unlock(&first);
	return 0;
}

static void __exit floor_clean_exit(void)
{
	kmem_cache_destroy(cache);
}

module_init(floor_clean_init);
module_exit(floor_clean_exit);
MODULE_DESCRIPTION("superdev debug floor: no fault");
MODULE_LICENSE("GPL");
