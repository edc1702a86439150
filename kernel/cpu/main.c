// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c: class cpu, the processors of a lender: life, config and attributes.
 *
 * There is no local node: what this device is to its users are figures, in sysfs
 * and in the bus's struct sdv_load, by which programs are given away.
 */
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "cpu.h"
#include "exec.h"
#include "remote.h"
#include "spread.h"

/* Attributes, see Documentation/sysfs ---------------------------------------- */

/* One moment's config; the driver core removes attributes before remove() runs. */
static struct sdv_cpu_config config_of(struct device *dev)
{
	struct sdv_cpu *cpu = dev_get_drvdata(dev);
	struct sdv_cpu_config config;

	spin_lock(&cpu->lock);
	config = cpu->config;
	spin_unlock(&cpu->lock);
	return config;
}

static ssize_t cpus_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", config_of(dev).cpus);
}
static DEVICE_ATTR_RO(cpus);

static ssize_t memory_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", config_of(dev).memory);
}
static DEVICE_ATTR_RO(memory);

static ssize_t architecture_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sdv_cpu_config config = config_of(dev);

	return sysfs_emit(buf, "%s\n", config.architecture);
}
static DEVICE_ATTR_RO(architecture);

static ssize_t kernel_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sdv_cpu_config config = config_of(dev);

	return sysfs_emit(buf, "%s\n", config.kernel);
}
static DEVICE_ATTR_RO(kernel);

static ssize_t page_size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", config_of(dev).page_size);
}
static DEVICE_ATTR_RO(page_size);

/* Words, as in /proc/cpuinfo; more may come behind these. */
static ssize_t features_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sdv_cpu_config config = config_of(dev);
	int len = 0;

	if (config.x86_level)
		len += sysfs_emit_at(buf, len, "x86-64-v%u", config.x86_level);
	if (config.xcr0)
		len += sysfs_emit_at(buf, len, " xcr0=%#llx xsave=%u", config.xcr0,
				     config.xsave_size);
	return len + sysfs_emit_at(buf, len, "\n");
}
static DEVICE_ATTR_RO(features);

/* Return: 0, or -ENODATA where the lender has said nothing yet. */
static int figures_of(struct device *dev, struct sdv_load *ret_load)
{
	struct sdv_load load;

	if (!sdv_device_get_load(to_sdv_device(dev), &load) || !load.time)
		return -ENODATA;
	*ret_load = load;
	return 0;
}

#define FIGURE_ATTR(name, format, value)						\
	static ssize_t name##_show(struct device *dev, struct device_attribute *attr,	\
				   char *buf)						\
	{										\
		struct sdv_load load;							\
		int error = figures_of(dev, &load);					\
											\
		return error ?: sysfs_emit(buf, format "\n", value);			\
	}										\
	static DEVICE_ATTR_RO(name)

FIGURE_ATTR(load, "%u", load.load);
FIGURE_ATTR(cpus_online, "%u", load.online);
FIGURE_ATTR(tasks, "%u", load.tasks);
FIGURE_ATTR(used_us, "%llu", load.used_us);
FIGURE_ATTR(memory_available, "%llu", load.memory);
FIGURE_ATTR(age_ms, "%u", sdv_load_age_ms(&load));

static struct attribute *cpu_attrs[] = {
	&dev_attr_cpus.attr,
	&dev_attr_memory.attr,
	&dev_attr_architecture.attr,
	&dev_attr_features.attr,
	&dev_attr_kernel.attr,
	&dev_attr_page_size.attr,
	&dev_attr_load.attr,
	&dev_attr_cpus_online.attr,
	&dev_attr_tasks.attr,
	&dev_attr_used_us.attr,
	&dev_attr_memory_available.attr,
	&dev_attr_age_ms.attr,
	NULL,
};
ATTRIBUTE_GROUPS(cpu);

/* Life ----------------------------------------------------------------------- */

static int cpu_probe(struct sdv_device *sdev)
{
	struct sdv_load load = { };
	struct sdv_cpu *cpu;
	const char *why;
	int error;

	cpu = kzalloc(sizeof(*cpu), GFP_KERNEL);
	if (!cpu)
		return -ENOMEM;
	cpu->sdev = sdev;
	mutex_lock(&sdev->lane_mutex);
	error = sdv_cpu_config_parse(sdev->config, sdev->config_len, &cpu->config, &why);
	mutex_unlock(&sdev->lane_mutex);
	if (error) {
		sdv_device_error(sdev, "%s", why);
		kfree(cpu);
		return error;
	}
	sdv_cpu_status_init(cpu);
	load.cpus = cpu->config.cpus;
	sdv_device_set_load(sdev, &load);
	dev_set_drvdata(&sdev->dev, cpu);
	/* With the first lane comes the first question. */
	error = sdv_device_start(sdev);
	if (error)
		kfree(cpu);
	return error;
}

static void cpu_remove(struct sdv_device *sdev)
{
	struct sdv_cpu *cpu = dev_get_drvdata(&sdev->dev);

	sdv_cpu_status_stop(cpu);
	kfree(cpu);
}

static int cpu_configure(struct sdv_device *sdev, const void *attrs, size_t len,
			 struct netlink_ext_ack *extack)
{
	struct sdv_cpu *cpu = dev_get_drvdata(&sdev->dev);
	struct sdv_cpu_config config;
	struct sdv_load load;
	const char *why;
	int error;

	error = sdv_cpu_config_parse(attrs, len, &config, &why);
	if (!error)
		error = sdv_cpu_config_fits(&cpu->config, &config, &why);
	if (error) {
		NL_SET_ERR_MSG_FMT(extack, "%s", why);
		return error;
	}
	spin_lock(&cpu->lock);
	cpu->config = config;
	/* What the lender said stays true, but for how much it lends. */
	if (sdv_device_get_load(sdev, &load)) {
		load.cpus = config.cpus;
		sdv_device_set_load(sdev, &load);
	}
	spin_unlock(&cpu->lock);
	kobject_uevent(&sdev->dev.kobj, KOBJ_CHANGE);
	return 0;
}

/* Programs that run there are its users; their agent ends them with the lease. */
static int cpu_close(struct sdv_device *sdev, bool force)
{
	return !force && sdv_device_has_tasks(sdev) ? -EBUSY : 0;
}

static struct sdv_driver cpu_driver = {
	.driver = {
		.name		= "superdev_cpu",
		.owner		= THIS_MODULE,
		.dev_groups	= cpu_groups,
	},
	.class		= "cpu",
	.wire_class	= SUPERDEV_CLASS_CPU,
	.lane_ops	= &sdv_cpu_lane_ops,
	.probe		= cpu_probe,
	.remove		= cpu_remove,
	.close		= cpu_close,
	.configure	= cpu_configure,
	.lane_up	= sdv_cpu_lane_up,
	.lane_down	= sdv_cpu_lane_down,
};

static int __init cpus_init(void)
{
	int error;

	sdv_cpu_wq = alloc_workqueue("superdev_cpu", WQ_UNBOUND, 0);
	if (!sdv_cpu_wq)
		return -ENOMEM;
	error = sdv_driver_register(&cpu_driver);
	if (error)
		goto err_destroy_wq;
	error = sdv_remote_init();
	if (error)
		goto err_unregister;
	error = sdv_exec_init();
	if (error)
		goto err_remote;
	return 0;

err_remote:
	sdv_remote_exit();
err_unregister:
	sdv_driver_unregister(&cpu_driver);
err_destroy_wq:
	destroy_workqueue(sdv_cpu_wq);
	return error;
}

static void __exit cpus_exit(void)
{
	sdv_exec_exit();
	sdv_remote_exit();
	sdv_driver_unregister(&cpu_driver);
	destroy_workqueue(sdv_cpu_wq);
}

module_init(cpus_init);
module_exit(cpus_exit);
MODULE_DESCRIPTION("superdev: class cpu, processors of other machines");
MODULE_LICENSE("GPL");
MODULE_ALIAS("superdev:cpu");
