// SPDX-License-Identifier: GPL-2.0-only
/* A fault that DEBUG_OBJECTS reports: a pending work item is freed. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

static void floor_object_work(struct work_struct *work)
{
}

static int __init floor_object_init(void)
{
	struct delayed_work *work = kmalloc(sizeof(*work), GFP_KERNEL);

	if (!work)
		return -ENOMEM;
	INIT_DELAYED_WORK(work, floor_object_work);
	schedule_delayed_work(work, 3600 * HZ);
	kfree(work);
	return 0;
}

static void __exit floor_object_exit(void)
{
}

module_init(floor_object_init);
module_exit(floor_object_exit);
MODULE_DESCRIPTION("superdev debug floor: free of a pending work item");
MODULE_LICENSE("GPL");
