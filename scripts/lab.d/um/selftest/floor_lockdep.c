// SPDX-License-Identifier: GPL-2.0-only
/* A fault that lockdep reports though nothing hangs: two locks, taken in both orders. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static int __init floor_lockdep_init(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

static void __exit floor_lockdep_exit(void)
{
}

module_init(floor_lockdep_init);
module_exit(floor_lockdep_exit);
MODULE_DESCRIPTION("superdev debug floor: lock inversion");
MODULE_LICENSE("GPL");
