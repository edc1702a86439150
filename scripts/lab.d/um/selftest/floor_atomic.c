// SPDX-License-Identifier: GPL-2.0-only
/* A fault that DEBUG_ATOMIC_SLEEP reports: a sleep under a spinlock. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>

static DEFINE_SPINLOCK(spin);
static DEFINE_MUTEX(mutex);

static int __init floor_atomic_init(void)
{
	spin_lock(&spin);
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
	spin_unlock(&spin);
	return 0;
}

static void __exit floor_atomic_exit(void)
{
}

module_init(floor_atomic_init);
module_exit(floor_atomic_exit);
MODULE_DESCRIPTION("superdev debug floor: sleep in atomic context");
MODULE_LICENSE("GPL");
