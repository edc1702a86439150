// SPDX-License-Identifier: GPL-2.0-only
/*
 * bus.c: the bus "superdev": devices, drivers, and when callbacks run.
 *
 * lease.c makes, plugs and unplugs devices, class modules register drivers,
 * lane.c calls back through here.
 */
#include <linux/idr.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "bus.h"
#include "lane.h"
#include "registry.h"

static struct kmem_cache *device_cache;
static DEFINE_IDA(device_ida);
/* Devices that were not released yet; the module's code has to wait for them. */
static atomic_t nr_devices;

/*
 * Attributes, see Documentation/sysfs
 */

static ssize_t class_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_sdv_device(dev)->class);
}
static DEVICE_ATTR_RO(class);

static ssize_t peer_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_sdv_device(dev)->peer);
}
static DEVICE_ATTR_RO(peer);

static ssize_t offer_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_sdv_device(dev)->offer);
}
static DEVICE_ATTR_RO(offer);

static ssize_t number_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(to_sdv_device(dev)->number));
}
static DEVICE_ATTR_RO(number);

static ssize_t epoch_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_sdv_device(dev)->epoch));
}
static DEVICE_ATTR_RO(epoch);

static ssize_t lanes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_sdv_device(dev)->nr_lanes));
}
static DEVICE_ATTR_RO(lanes);

static ssize_t lease_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_sdv_device(dev)->lease->id);
}
static DEVICE_ATTR_RO(lease);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sdv_lease *lease = to_sdv_device(dev)->lease;

	return sysfs_emit(buf, "%s\n", sdv_lease_state_name(READ_ONCE(lease->state)));
}
static DEVICE_ATTR_RO(state);

static ssize_t modalias_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "superdev:%s\n", to_sdv_device(dev)->class);
}
static DEVICE_ATTR_RO(modalias);

static struct attribute *superdev_attrs[] = {
	&dev_attr_class.attr,
	&dev_attr_peer.attr,
	&dev_attr_offer.attr,
	&dev_attr_number.attr,
	&dev_attr_epoch.attr,
	&dev_attr_lanes.attr,
	&dev_attr_lease.attr,
	&dev_attr_state.attr,
	&dev_attr_modalias.attr,
	NULL,
};
ATTRIBUTE_GROUPS(superdev);

/*
 * When callbacks run
 */

/**
 * sdv_device_driver() - the driver that takes callbacks of a device
 * @sdev: the device
 *
 * Context: lane_mutex held, or from a lane of @sdev that is up.
 * Return: the driver, or NULL when none is bound.  The driver of a device does
 * not change while one of its lanes is up and has seen it.
 */
const struct sdv_driver *sdv_device_driver(struct sdv_device *sdev)
{
	/* Pairs with sdv_device_start(): what probe made is seen, too. */
	if (!smp_load_acquire(&sdev->is_bound))
		return NULL;
	return to_sdv_driver(sdev->dev.driver);
}
EXPORT_SYMBOL_GPL(sdv_device_driver);

/* Closes all lanes; returns with lane_mutex held and none up. */
static void lock_without_lanes(struct sdv_device *sdev)
{
	for (;;) {
		sdv_lane_close(sdev, SUPERDEV_MAX_LANES);
		mutex_lock(&sdev->lane_mutex);
		if (!sdev->nr_lanes)
			return;
		/* The agent was quick to bring another one. */
		mutex_unlock(&sdev->lane_mutex);
	}
}

/**
 * sdv_device_start() - a driver's callbacks may run from now on
 * @sdev: the device
 *
 * For a driver's probe, before it uses a lane: a lane may die at once, and its
 * requests come back through lane_down.  lane_up is called for lanes that are
 * up already.  A second call does nothing.
 *
 * Context: in probe; lane_mutex not held.
 * Return: 0, or -ENODEV when the device is to be unplugged.
 */
int sdv_device_start(struct sdv_device *sdev)
{
	const struct sdv_driver *sdrv = to_sdv_driver(sdev->dev.driver);
	struct sdv_lane *lane;
	unsigned int i;

	guard(mutex)(&sdev->lane_mutex);
	if (sdev->is_dead)
		return -ENODEV;
	if (sdev->is_bound)
		return 0;
	/* Pairs with sdv_device_driver(). */
	smp_store_release(&sdev->is_bound, true);
	for (i = 0; i < SUPERDEV_MAX_LANES && sdrv->lane_up; i++) {
		lane = rcu_dereference_protected(sdev->lanes[i],
						 lockdep_is_held(&sdev->lane_mutex));
		if (lane)
			sdrv->lane_up(sdev, lane);
	}
	return 0;
}
EXPORT_SYMBOL_GPL(sdv_device_start);

/**
 * sdv_device_stop() - no callback of the driver runs any more
 * @sdev: the device
 *
 * Closes all lanes, so lane_down is called for each that is up.  For a driver's
 * probe where it fails behind sdv_device_start().  A second call does nothing.
 *
 * Context: in probe; lane_mutex not held.  Sleeps.
 */
void sdv_device_stop(struct sdv_device *sdev)
{
	/* Only probe and remove change it, under the driver core's device lock. */
	if (!READ_ONCE(sdev->is_bound))
		return;
	lock_without_lanes(sdev);
	WRITE_ONCE(sdev->is_bound, false);
	mutex_unlock(&sdev->lane_mutex);
}
EXPORT_SYMBOL_GPL(sdv_device_stop);

/**
 * sdv_device_lane_up() - tells the driver of a lane
 * @sdev: the device
 * @lane: the lane, in sdev->lanes
 *
 * Context: lane_mutex held.
 */
void sdv_device_lane_up(struct sdv_device *sdev, struct sdv_lane *lane)
{
	const struct sdv_driver *sdrv = sdv_device_driver(sdev);

	lockdep_assert_held(&sdev->lane_mutex);
	if (sdrv && sdrv->lane_up)
		sdrv->lane_up(sdev, lane);
}

/**
 * sdv_device_lane_down() - tells the driver that a lane is no more
 * @sdev: the device
 * @lane: the lane, no longer in sdev->lanes
 *
 * Context: lane_mutex held.
 */
void sdv_device_lane_down(struct sdv_device *sdev, struct sdv_lane *lane)
{
	const struct sdv_driver *sdrv = sdv_device_driver(sdev);

	lockdep_assert_held(&sdev->lane_mutex);
	if (sdrv && sdrv->lane_down)
		sdrv->lane_down(sdev, lane);
}

/**
 * sdv_device_error() - the text that a user reads as the lease's error
 * @sdev: the device
 * @format: printf-like; at most 255 bytes of the result are kept
 *
 * Context: sleeps; lane_mutex may be held.
 */
void sdv_device_error(struct sdv_device *sdev, const char *format, ...)
{
	char text[SDV_TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vscnprintf(text, sizeof(text), format, args);
	va_end(args);
	sdv_lease_set_error(sdev, text);
}
EXPORT_SYMBOL_GPL(sdv_device_error);

/**
 * sdv_device_set_load() - a class driver tells how its lender fares
 * @sdev: the device
 * @load: the figures, or NULL where nobody knows any more
 *
 * Core forgets them when the driver goes.
 *
 * Context: any but NMI.
 */
void sdv_device_set_load(struct sdv_device *sdev, const struct sdv_load *load)
{
	static const struct sdv_load unknown;
	unsigned long flags;

	/* A reader in an interrupt on this processor would wait for us for ever. */
	write_seqlock_irqsave(&sdev->load_lock, flags);
	sdev->load = load ? *load : unknown;
	write_sequnlock_irqrestore(&sdev->load_lock, flags);
}
EXPORT_SYMBOL_GPL(sdv_device_set_load);

/**
 * sdv_device_get_load() - how the lender of a device fares
 * @sdev: the device
 * @ret_load: the figures, all of one moment; written on true
 *
 * Takes no lock.
 *
 * Context: any but NMI.
 * Return: true, or false where its class driver says nothing.
 */
bool sdv_device_get_load(struct sdv_device *sdev, struct sdv_load *ret_load)
{
	struct sdv_load load;
	unsigned int seq;

	do {
		seq = read_seqbegin(&sdev->load_lock);
		load = sdev->load;
	} while (read_seqretry(&sdev->load_lock, seq));
	if (!load.cpus)
		return false;
	*ret_load = load;
	return true;
}
EXPORT_SYMBOL_GPL(sdv_device_get_load);

/*
 * The bus
 */

static int bus_match(struct device *dev, const struct device_driver *driver)
{
	return !strcmp(to_sdv_device(dev)->class, to_sdv_driver(driver)->class);
}

static int bus_uevent(const struct device *dev, struct kobj_uevent_env *env)
{
	const struct sdv_device *sdev = to_sdv_device(dev);
	int err;

	err = add_uevent_var(env, "MODALIAS=superdev:%s", sdev->class);
	if (!err)
		err = add_uevent_var(env, "SUPERDEV_PEER=%s", sdev->peer);
	if (!err)
		err = add_uevent_var(env, "SUPERDEV_OFFER=%s", sdev->offer);
	if (!err)
		err = add_uevent_var(env, "SUPERDEV_CLASS=%s", sdev->class);
	if (!err)
		err = add_uevent_var(env, "SUPERDEV_NUMBER=%llu", READ_ONCE(sdev->number));
	return err;
}

/* lane_mutex is not held: probing may do I/O, which waits for lanes. */
static int bus_probe(struct device *dev)
{
	const struct sdv_driver *sdrv = to_sdv_driver(dev->driver);
	struct sdv_device *sdev = to_sdv_device(dev);
	char node[SDV_NODE_SIZE] = "";
	const char *name;
	int err;

	sdv_lease_probing(sdev);
	err = sdrv->probe(sdev);
	if (err) {
		/* For a driver that forgot; it has freed what lanes would use. */
		sdv_device_stop(sdev);
		goto err_failed;
	}
	err = sdv_device_start(sdev);
	if (err)
		goto err_remove;

	mutex_lock(&sdev->lane_mutex);
	name = sdrv->node ? sdrv->node(sdev) : NULL;
	if (name)
		strscpy(node, name);
	mutex_unlock(&sdev->lane_mutex);
	sdv_lease_bound(sdev, node);
	return 0;

err_remove:
	/* It was started by probe, perhaps, and its lanes are up. */
	sdv_device_stop(sdev);
	sdrv->remove(sdev);
err_failed:
	sdv_device_set_load(sdev, NULL);
	sdv_lease_probe_failed(sdev, err);
	return err;
}

/*
 * Runs when the device is unplugged, then all lanes are closed already, and when
 * the driver's module goes, then they are closed here: what a lane received
 * could not be handed to anybody.  The agent makes new ones, for the next driver.
 */
static void bus_remove(struct device *dev)
{
	const struct sdv_driver *sdrv = to_sdv_driver(dev->driver);
	struct sdv_device *sdev = to_sdv_device(dev);

	sdv_device_stop(sdev);
	sdv_lease_unbound(sdev);
	sdrv->remove(sdev);
	sdv_device_set_load(sdev, NULL);
}

static const struct bus_type sdv_bus = {
	.name		= "superdev",
	.dev_groups	= superdev_groups,
	.match		= bus_match,
	.uevent		= bus_uevent,
	.probe		= bus_probe,
	.remove		= bus_remove,
};

/**
 * sdv_driver_register() - a class driver is there
 * @driver: the driver; binds at once to the devices of its class
 *
 * Context: sleeps.
 * Return: 0, -EINVAL where the driver lacks what it needs, or what the driver
 * core says.
 */
int sdv_driver_register(struct sdv_driver *driver)
{
	if (!driver->class || !sdv_name_is_valid(driver->class) || !driver->probe ||
	    !driver->remove || !driver->lane_ops || !driver->lane_ops->header ||
	    !driver->lane_ops->done)
		return -EINVAL;
	driver->driver.bus = &sdv_bus;
	return driver_register(&driver->driver);
}
EXPORT_SYMBOL_GPL(sdv_driver_register);

/**
 * sdv_driver_unregister() - a class driver goes
 * @driver: the driver; it has no device when this returns
 *
 * Context: sleeps.
 */
void sdv_driver_unregister(struct sdv_driver *driver)
{
	driver_unregister(&driver->driver);
}
EXPORT_SYMBOL_GPL(sdv_driver_unregister);

/*
 * Devices
 */

static void device_release(struct device *dev)
{
	struct sdv_device *sdev = to_sdv_device(dev);

	ida_free(&device_ida, sdev->index);
	sdv_lease_put(sdev->lease);
	mutex_destroy(&sdev->lane_mutex);
	kmem_cache_free(device_cache, sdev);
	if (atomic_dec_and_test(&nr_devices))
		wake_up_var(&nr_devices);
}

/**
 * sdv_device_alloc() - a device for a lease, not plugged
 * @lease: the lease; the device takes a reference
 * @class: class name
 * @peer: name of the lender
 * @offer: name of the offer
 *
 * Context: sleeps.
 * Return: the device with a reference for sdv_device_put(), or NULL.
 */
struct sdv_device *sdv_device_alloc(struct sdv_lease *lease, const char *class,
				    const char *peer, const char *offer)
{
	struct sdv_device *sdev;
	int index;

	sdev = kmem_cache_zalloc(device_cache, GFP_KERNEL_ACCOUNT);
	if (!sdev)
		return NULL;
	index = ida_alloc(&device_ida, GFP_KERNEL);
	if (index < 0) {
		kmem_cache_free(device_cache, sdev);
		return NULL;
	}
	atomic_inc(&nr_devices);
	sdev->index = index;
	sdev->lease = sdv_lease_get(lease);
	mutex_init(&sdev->lane_mutex);
	seqlock_init(&sdev->load_lock);
	strscpy(sdev->class, class);
	strscpy(sdev->peer, peer);
	strscpy(sdev->offer, offer);
	sdev->dev.bus = &sdv_bus;
	sdev->dev.release = device_release;
	device_initialize(&sdev->dev);
	if (dev_set_name(&sdev->dev, "superdev%d", index)) {
		put_device(&sdev->dev);
		return NULL;
	}
	return sdev;
}

/**
 * sdv_device_get() - takes a reference
 * @sdev: a device that somebody has one of
 *
 * Return: @sdev.
 */
struct sdv_device *sdv_device_get(struct sdv_device *sdev)
{
	get_device(&sdev->dev);
	return sdev;
}

/**
 * sdv_device_put() - gives a reference back
 * @sdev: the device, or NULL
 */
void sdv_device_put(struct sdv_device *sdev)
{
	if (sdev)
		put_device(&sdev->dev);
}

/**
 * sdv_device_plug() - the device appears, and a driver for its class binds to it
 * @sdev: the device
 *
 * That no driver is there or that its probe fails is no error here; lease.c is
 * told by bus_probe().
 *
 * Context: the lease's work item; no lock held.
 * Return: 0, or what device_add() says.
 */
int sdv_device_plug(struct sdv_device *sdev)
{
	int err;

	err = device_add(&sdev->dev);
	sdev->is_plugged = !err;
	return err;
}

/**
 * sdv_device_close() - the device is about to be unplugged
 * @sdev: the device
 * @force: also where it is in use
 *
 * From now on no lane is taken and new I/O fails with ENODEV; a driver's probe
 * that waits for I/O comes to an end.  A second call does nothing.
 *
 * Context: sleeps; takes lane_mutex.
 * Return: 0, or -EBUSY where it has users and not @force.
 */
int sdv_device_close(struct sdv_device *sdev, bool force)
{
	const struct sdv_driver *sdrv;
	int err;

	guard(mutex)(&sdev->lane_mutex);
	if (sdev->is_dead)
		return 0;
	sdrv = sdv_device_driver(sdev);
	if (sdrv && sdrv->close) {
		err = sdrv->close(sdev, force);
		if (err && !force)
			return err;
	}
	WRITE_ONCE(sdev->is_dead, true);
	return 0;
}

/**
 * sdv_device_unplug() - closes all lanes; the device disappears
 * @sdev: the device, plugged or not
 *
 * Context: the lease's work item; no lock held.  Sleeps.
 */
void sdv_device_unplug(struct sdv_device *sdev)
{
	sdv_device_close(sdev, true);
	sdv_lane_close(sdev, SUPERDEV_MAX_LANES);
	if (sdev->is_plugged)
		device_del(&sdev->dev);
	sdev->is_plugged = false;
}

/**
 * sdv_device_configure() - the class's attributes change
 * @sdev: the device
 * @config: the new ones, all of them
 * @len: their bytes, at most SUPERDEV_CONFIG_LEN
 * @extack: where the driver says why it can't
 *
 * Context: sleeps; takes lane_mutex.
 * Return: 0, -EOPNOTSUPP where the driver can't change at all, or what it says.
 */
int sdv_device_configure(struct sdv_device *sdev, const void *config, size_t len,
			 struct netlink_ext_ack *extack)
{
	const struct sdv_driver *sdrv;
	int err;

	guard(mutex)(&sdev->lane_mutex);
	if (sdev->config_len == len && !memcmp(sdev->config, config, len))
		return 0;
	sdrv = sdv_device_driver(sdev);
	if (sdrv && !sdrv->configure)
		return sdv_refuse(extack, NULL, -EOPNOTSUPP,
				  "a device of this class can't change: '%s'", sdev->class);
	if (sdrv) {
		err = sdrv->configure(sdev, config, len, extack);
		if (err) {
			NL_SET_ERR_MSG_WEAK(extack, "refused by the driver of the class");
			return err;
		}
	}
	memcpy(sdev->config, config, len);
	sdev->config_len = len;
	return 0;
}

/**
 * sdv_device_set_epoch() - the lease goes on under a new epoch
 * @sdev: the device; its lanes are closed
 * @number: the lender's number of the lease from now on
 * @epoch: the epoch from now on
 * @boot: the lender's boot identity
 *
 * Context: sleeps; takes lane_mutex.
 */
void sdv_device_set_epoch(struct sdv_device *sdev, u64 number, u32 epoch, const u8 boot[16])
{
	lock_without_lanes(sdev);
	WRITE_ONCE(sdev->number, number);
	WRITE_ONCE(sdev->epoch, epoch);
	memcpy(sdev->boot, boot, sizeof(sdev->boot));
	mutex_unlock(&sdev->lane_mutex);
}

/**
 * sdv_bus_init() - the bus is there
 *
 * Return: 0, or -errno.
 */
int sdv_bus_init(void)
{
	int err;

	device_cache = KMEM_CACHE(sdv_device, SLAB_ACCOUNT);
	if (!device_cache)
		return -ENOMEM;
	err = bus_register(&sdv_bus);
	if (err)
		kmem_cache_destroy(device_cache);
	return err;
}

/**
 * sdv_bus_exit() - the bus goes
 *
 * Waits for devices that were unplugged and whose last user, say a reader of a
 * sysfs file, is not through yet.
 *
 * Context: every device was unplugged.  Sleeps.
 */
void sdv_bus_exit(void)
{
	wait_var_event(&nr_devices, !atomic_read(&nr_devices));
	bus_unregister(&sdv_bus);
	kmem_cache_destroy(device_cache);
}
