/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bus.h: the bus "superdev", its devices and its class drivers.
 *
 * A held lease is a struct sdv_device; a class driver binds to it by the
 * lease's class.  Called by registry.c (which makes and unplugs devices) and
 * by the class modules (which register drivers).
 */
#ifndef _SUPERDEV_BUS_H
#define _SUPERDEV_BUS_H

#include <linux/device.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/seqlock.h>
#include <uapi/superdev.h>
#include <uapi/superdev_wire.h>

struct sdv_lane;
struct sdv_lane_ops;
struct sdv_lease;

/**
 * struct sdv_load - how the lender of a device fares, for choosing among lenders
 * @cpus:	processors that the device stands for, at least 1
 * @load:	how busy the lender is, in 1/1000: as superdev_cpu_status.load
 * @own:	the part of @load that comes of this lease
 * @online:	processors that are online there
 * @tasks:	processes that run there for this lease
 * @memory:	bytes that are available there
 * @used_us:	processor time that the lease has used
 * @time:	when all but @cpus was said, by ktime_get_boottime_ns(); 0, never yet
 *
 * Written by the class driver, by sdv_device_set_load(); read by whoever has the
 * device, by sdv_device_get_load().
 */
struct sdv_load {
	u32	cpus;
	u32	load;
	u32	own;
	u32	online;
	u32	tasks;
	u64	memory;
	u64	used_us;
	u64	time;
};

/**
 * sdv_load_age_ms() - how old figures are
 * @load: figures with a time
 *
 * Return: milliseconds since then, at most U32_MAX.
 */
static inline u32 sdv_load_age_ms(const struct sdv_load *load)
{
	u64 age_ms = div_u64(ktime_get_boottime_ns() - load->time, NSEC_PER_MSEC);

	return min_t(u64, age_ms, U32_MAX);
}

/**
 * struct sdv_device - a lease as a device
 * @dev:	on bus "superdev", named "superdevN"; its release frees this
 * @index:	the N
 * @lease:	the lease, a reference held until release
 * @class:	class name, as in SUPERDEV_A_LEASE_CLASS
 * @peer:	name of the lender
 * @offer:	name of the offer
 * @number:	the lender's number of the lease, for frames
 * @epoch:	epoch of the lease; read with READ_ONCE(), changed by
 *		sdv_device_set_epoch() when no lane of an older one is left
 * @is_bound:	the driver takes callbacks: from sdv_device_start() until its
 *		remove begins or its probe fails.  Becomes false only while no
 *		lane is up, so what a lane has seen bound stays bound for as
 *		long as that lane lives.  Protected by @lane_mutex
 * @is_dead:	unplugged or about to be: new I/O fails with ENODEV, new lanes
 *		are refused; written under @lane_mutex, never reset
 * @is_plugged:	device_add() succeeded; only the lease's work item looks
 * @lane_mutex:	serialises the callbacks of the driver and their beginning and
 *		end (@is_bound); protects writes of @lanes
 * @lanes:	open lanes by index, RCU
 * @nr_lanes:	entries of @lanes that are not NULL
 * @config:	the class's attributes as last reported; protected by @lane_mutex
 * @config_len:	bytes of @config
 * @boot:	the lender's boot identity at this epoch
 * @load_lock:	writers of @load, and that readers see one writing whole
 * @load:	what the class driver last said; cpus is 0 where it says nothing
 */
struct sdv_device {
	struct device		dev;
	int			index;
	struct sdv_lease	*lease;
	char			class[SUPERDEV_NAME_LEN + 1];
	char			peer[SUPERDEV_NAME_LEN + 1];
	char			offer[SUPERDEV_NAME_LEN + 1];
	u64			number;
	u32			epoch;
	bool			is_bound;
	bool			is_dead;
	bool			is_plugged;
	/* Callbacks; @is_bound, @is_dead, @config, writes of @lanes. */
	struct mutex		lane_mutex;
	struct sdv_lane __rcu	*lanes[SUPERDEV_MAX_LANES];
	unsigned int		nr_lanes;
	u8			config[SUPERDEV_CONFIG_LEN];
	size_t			config_len;
	u8			boot[16];
	/* @load */
	seqlock_t		load_lock;
	struct sdv_load		load;
};

#define to_sdv_device(d) container_of(d, struct sdv_device, dev)

/**
 * struct sdv_driver - a class driver
 * @driver:	embedded; name and owner set by the driver
 * @class:	class name; MODULE_ALIAS("superdev:<class>")
 * @wire_class:	enum superdev_wire_class of its frames
 * @lane_ops:	how its frames are received, see lane.h
 * @probe:	makes the local device from sdev->config; lanes may be up.
 *		Sleeps.  Before the first frame is sent, and so before anything
 *		that does I/O by itself (a partition scan), it has to call
 *		sdv_device_start(); otherwise that is done when it returned 0.
 *		On error the text that the user reads is left by
 *		sdv_device_error(); an error path behind sdv_device_start()
 *		begins with sdv_device_stop().
 * @remove:	the local device goes away; what is still in flight is to be
 *		ended with ENODEV.  Sleeps.  No lane is up that the driver knows
 *		and no callback runs during or after it.
 * @configure:	sdev->config is to become @config (resize, limits); refuses
 *		with extack text what it can't do.  Optional.
 * @close:	no new users from now on; -EBUSY while there are users and not
 *		@force.  After 0 the device will be unplugged: requests that
 *		wait for a lane are ended with ENODEV, and so are new ones.
 *		Optional.
 * @lane_up:	a lane can take frames; requests that waited may be sent.  Called
 *		at sdv_device_start() for each lane that is up already.
 * @lane_down:	no callback of @lane runs any more, and none of its messages
 *		is owned by it; requests in flight on it are to be sent again.
 * @node:	name of the node below /dev, e.g. "sdv0", or NULL
 *
 * All are called in process context.  @configure, @close, @lane_up, @lane_down
 * and @node are called with lane_mutex held, @probe and @remove are not: those
 * may do I/O and wait for it, and I/O may need a lane that comes up or goes down
 * meanwhile, which takes lane_mutex.  For the same reason a callback under
 * lane_mutex must not wait for I/O of this device, nor for a lock under which
 * somebody does (a disk's open_mutex, a queue freeze).
 */
struct sdv_driver {
	struct device_driver	driver;
	const char		*class;
	u8			wire_class;
	const struct sdv_lane_ops *lane_ops;
	int  (*probe)(struct sdv_device *sdev);
	void (*remove)(struct sdv_device *sdev);
	int  (*configure)(struct sdv_device *sdev, const void *config, size_t len,
			  struct netlink_ext_ack *extack);
	int  (*close)(struct sdv_device *sdev, bool force);
	void (*lane_up)(struct sdv_device *sdev, struct sdv_lane *lane);
	void (*lane_down)(struct sdv_device *sdev, struct sdv_lane *lane);
	const char *(*node)(struct sdv_device *sdev);
};

#define to_sdv_driver(d) container_of_const(d, struct sdv_driver, driver)

int sdv_driver_register(struct sdv_driver *driver);
void sdv_driver_unregister(struct sdv_driver *driver);

int sdv_device_start(struct sdv_device *sdev);
void sdv_device_stop(struct sdv_device *sdev);

void sdv_device_set_load(struct sdv_device *sdev, const struct sdv_load *load);
bool sdv_device_get_load(struct sdv_device *sdev, struct sdv_load *ret_load);

/* The text a user reads as the lease's error; printf-like, at most 255 bytes. */
__printf(2, 3) void sdv_device_error(struct sdv_device *sdev, const char *format, ...);

int sdv_bus_init(void);
void sdv_bus_exit(void);

/* For registry.c alone. */
struct sdv_device *sdv_device_alloc(struct sdv_lease *lease, const char *class,
				    const char *peer, const char *offer);
struct sdv_device *sdv_device_get(struct sdv_device *sdev);
void sdv_device_put(struct sdv_device *sdev);
int sdv_device_plug(struct sdv_device *sdev);	/* device_add(): uevent, binds a driver */
int sdv_device_close(struct sdv_device *sdev, bool force);
void sdv_device_unplug(struct sdv_device *sdev); /* device_del(); closes all lanes */
int sdv_device_configure(struct sdv_device *sdev, const void *config, size_t len,
			 struct netlink_ext_ack *extack);
void sdv_device_set_epoch(struct sdv_device *sdev, u64 number, u32 epoch, const u8 boot[16]);

/*
 * For lane.c alone: the bound driver's callbacks, nothing when none is bound;
 * lane_mutex is held.  sdv_device_driver() is NULL when none is bound; a lane
 * that got one may use it until the lane is down.
 */
const struct sdv_driver *sdv_device_driver(struct sdv_device *sdev);
void sdv_device_lane_up(struct sdv_device *sdev, struct sdv_lane *lane);
void sdv_device_lane_down(struct sdv_device *sdev, struct sdv_lane *lane);

#endif /* _SUPERDEV_BUS_H */
