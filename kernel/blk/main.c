// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c: class blk, a borrowed disk as a local one: its life and its config.
 *
 * The disk is named as its device is, "superdev0": a name of a SCSI disk or of
 * another driver it can never be.
 */
#include <linux/blk-mq.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "blk.h"
#include "compat.h"

/* A request that takes longer costs its lane, and is sent again on another. */
#define TIMEOUT_S	30

struct kmem_cache *sdv_blk_bvec_cache;
struct workqueue_struct *sdv_blk_wq;

static int blk_open(struct gendisk *disk, blk_mode_t mode)
{
	struct sdv_blk *blk = disk->private_data;

	/* blk_close() decides under the same open_mutex. */
	return blk->is_dead ? -ENODEV : 0;
}

/* Of a disk that was never added, or of one that nobody has a reference to. */
static void blk_free(struct sdv_blk *blk)
{
	sdv_blk_queues_free(blk);
	mempool_destroy(blk->bvec_pool);
	kvfree(blk);
}

static void blk_free_disk(struct gendisk *disk)
{
	blk_free(disk->private_data);
}

static const struct block_device_operations blk_fops = {
	.owner		= THIS_MODULE,
	.open		= blk_open,
	.free_disk	= blk_free_disk,
};

static struct sdv_blk *blk_alloc(struct sdv_device *sdev, const struct sdv_blk_config *config)
{
	unsigned int nr_queues = min(config->queues, num_online_cpus());
	struct blk_mq_tag_set *set;
	struct sdv_blk *blk;

	blk = kvzalloc(struct_size(blk, queues, nr_queues), GFP_KERNEL);
	if (!blk)
		return NULL;
	blk->sdev = sdev;
	blk->config = *config;
	memcpy(blk->boot, sdev->boot, sizeof(blk->boot));
	set = &blk->tag_set;
	set->ops = &sdv_blk_mq_ops;
	set->nr_hw_queues = nr_queues;
	set->queue_depth = config->queue_depth;
	set->numa_node = NUMA_NO_NODE;
	set->cmd_size = sizeof(struct sdv_blk_req);
	set->timeout = TIMEOUT_S * HZ;
	set->flags = SDV_BLK_MQ_F;
	set->driver_data = blk;

	blk->bvec_pool = mempool_create_slab_pool(1, sdv_blk_bvec_cache);
	if (!blk->bvec_pool || sdv_blk_queues_alloc(blk) || blk_mq_alloc_tag_set(set)) {
		blk_free(blk);
		return NULL;
	}
	return blk;
}

static struct gendisk *blk_alloc_disk_of(struct sdv_blk *blk)
{
	struct sdv_device *sdev = blk->sdev;
	struct queue_limits lim;
	struct gendisk *disk;

	sdv_blk_config_limits(&blk->config, &lim);
	disk = blk_mq_alloc_disk(&blk->tag_set, &lim, blk);
	if (IS_ERR(disk)) {
		sdv_device_error(sdev, "no disk can be made of this config (%pe)", disk);
		return disk;
	}
	disk->private_data = blk;
	disk->fops = &blk_fops;
	strscpy(disk->disk_name, dev_name(&sdev->dev), sizeof(disk->disk_name));
	set_capacity(disk, blk->config.size >> SECTOR_SHIFT);
	if (blk->config.is_read_only)
		set_disk_ro(disk, true);
	blk->disk = disk;
	return disk;
}

static int blk_probe(struct sdv_device *sdev)
{
	struct sdv_blk_config config;
	struct sdv_blk *blk;
	const char *why;
	int error;

	mutex_lock(&sdev->lane_mutex);
	error = sdv_blk_config_parse(sdev->config, sdev->config_len, &config, &why);
	mutex_unlock(&sdev->lane_mutex);
	if (error) {
		sdv_device_error(sdev, "%s", why);
		return error;
	}
	blk = blk_alloc(sdev, &config);
	if (!blk)
		return -ENOMEM;
	error = PTR_ERR_OR_ZERO(blk_alloc_disk_of(blk));
	if (error)
		goto err_free_tag_set;

	/* The partition scan of device_add_disk() needs the lanes. */
	dev_set_drvdata(&sdev->dev, blk);
	error = sdv_device_start(sdev);
	if (error)
		goto err_put_disk;
	error = device_add_disk(&sdev->dev, blk->disk, NULL);
	if (error) {
		sdv_device_error(sdev, "the disk cannot be added (%pe)", ERR_PTR(error));
		goto err_stop;
	}
	return 0;

err_stop:
	sdv_device_stop(sdev);
	cancel_work_sync(&blk->park_work);
err_put_disk:
	put_disk(blk->disk);
err_free_tag_set:
	blk_mq_free_tag_set(&blk->tag_set);
	blk_free(blk);
	return error;
}

/*
 * All lanes are down: what was in flight is parked, or will be by submitters that
 * are still looking for a lane.  Each of them sees is_dead, or is seen by
 * park_work, so every request ends and del_gendisk() gets its queue drained.
 */
static void blk_remove(struct sdv_device *sdev)
{
	struct sdv_blk *blk = dev_get_drvdata(&sdev->dev);

	WRITE_ONCE(blk->is_dead, true);
	sdv_blk_unpark(blk);
	/* Tells file systems, so that they don't try to write back to the end. */
	blk_mark_disk_dead(blk->disk);
	del_gendisk(blk->disk);
	cancel_work_sync(&blk->park_work);
	blk_mq_free_tag_set(&blk->tag_set);
	put_disk(blk->disk);
}

static int blk_configure(struct sdv_device *sdev, const void *attrs, size_t len,
			 struct netlink_ext_ack *extack)
{
	struct sdv_blk *blk = dev_get_drvdata(&sdev->dev);
	struct sdv_blk_config config;
	const char *why;
	int error;

	error = sdv_blk_config_parse(attrs, len, &config, &why);
	if (!error)
		error = sdv_blk_config_fits(&blk->config, &config, &why);
	if (error) {
		NL_SET_ERR_MSG_FMT(extack, "%s", why);
		return error;
	}
	/* Nothing here may freeze the queue: it may be waiting for a lane. */
	if (config.size != blk->config.size) {
		dev_info(&sdev->dev, "size changes from %llu to %llu bytes\n",
			 blk->config.size, config.size);
		blk->config.size = config.size;
		set_capacity_and_notify(blk->disk, config.size >> SECTOR_SHIFT);
	}
	return 0;
}

/*
 * Without @force only when nobody has the disk open, and nobody can open it after
 * that.  open_mutex is not waited for: its holder may be waiting for a lane, and
 * lanes wait for the lane_mutex that is held here; and who holds it is a user.
 */
static int blk_close(struct sdv_device *sdev, bool force)
{
	struct sdv_blk *blk = dev_get_drvdata(&sdev->dev);
	struct gendisk *disk = blk->disk;

	if (!force) {
		if (!mutex_trylock(&disk->open_mutex))
			return -EBUSY;
		if (disk_openers(disk)) {
			mutex_unlock(&disk->open_mutex);
			return -EBUSY;
		}
		WRITE_ONCE(blk->is_dead, true);
		mutex_unlock(&disk->open_mutex);
	}
	WRITE_ONCE(blk->is_dead, true);
	sdv_blk_unpark(blk);
	return 0;
}

static void blk_lane_up(struct sdv_device *sdev, struct sdv_lane *lane)
{
	struct sdv_blk *blk = dev_get_drvdata(&sdev->dev);

	if (memcmp(blk->boot, sdev->boot, sizeof(blk->boot))) {
		memcpy(blk->boot, sdev->boot, sizeof(blk->boot));
		if (sdv_blk_cache_reboot(&blk->cache))
			dev_err(&sdev->dev,
				"'%s' was restarted and lost writes that were not flushed; the next flush fails\n",
				sdev->peer);
	}
	sdv_blk_unpark(blk);
}

static void blk_lane_down(struct sdv_device *sdev, struct sdv_lane *lane)
{
	sdv_blk_lane_lost(dev_get_drvdata(&sdev->dev), lane);
}

static const char *blk_node(struct sdv_device *sdev)
{
	struct sdv_blk *blk = dev_get_drvdata(&sdev->dev);

	return blk->disk->disk_name;
}

static struct sdv_driver blk_driver = {
	.driver = {
		.name	= "superdev_blk",
		.owner	= THIS_MODULE,
	},
	.class		= "blk",
	.wire_class	= SUPERDEV_CLASS_BLK,
	.lane_ops	= &sdv_blk_lane_ops,
	.probe		= blk_probe,
	.remove		= blk_remove,
	.configure	= blk_configure,
	.close		= blk_close,
	.lane_up	= blk_lane_up,
	.lane_down	= blk_lane_down,
	.node		= blk_node,
};

static int __init blk_init(void)
{
	int error = -ENOMEM;

	sdv_blk_bvec_cache = kmem_cache_create("sdv_blk_bvecs",
					       SDV_BLK_MAX_SEGMENTS * sizeof(struct bio_vec),
					       0, 0, NULL);
	if (!sdv_blk_bvec_cache)
		return error;
	sdv_blk_wq = alloc_workqueue("superdev_blk", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!sdv_blk_wq)
		goto err_destroy_cache;
	error = sdv_driver_register(&blk_driver);
	if (error)
		goto err_destroy_wq;
	return 0;

err_destroy_wq:
	destroy_workqueue(sdv_blk_wq);
err_destroy_cache:
	kmem_cache_destroy(sdv_blk_bvec_cache);
	return error;
}

static void __exit blk_exit(void)
{
	sdv_driver_unregister(&blk_driver);
	destroy_workqueue(sdv_blk_wq);
	kmem_cache_destroy(sdv_blk_bvec_cache);
}

module_init(blk_init);
module_exit(blk_exit);
MODULE_DESCRIPTION("superdev: borrowed disks");
MODULE_LICENSE("GPL");
MODULE_ALIAS("superdev:blk");
