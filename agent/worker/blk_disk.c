// SPDX-License-Identifier: GPL-2.0-or-later
/* blk_disk.c: what the lent disk is like.  See blk_disk.h. */
#include "blk_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * Longest discard and write zeroes: long enough that their number does not
 * matter, short enough that a slow disk answers while somebody waits.
 */
#define MAX_DISCARD (1u << 30)
#define MAX_ZEROES  (64u << 20)
#define SECTOR      512u
#define PAGE        4096u

/* A line of the device's queue directory; a partition has its disk's. */
static int queue_read(dev_t dev, const char *name, char *ret_line, size_t size)
{
	static const char *const forms[] = { "/sys/dev/block/%u:%u/queue/%s",
					     "/sys/dev/block/%u:%u/../queue/%s" };

	for (int i = 0; i < 2; i++) {
		char path[128];
		ssize_t len;
		int fd;

		snprintf(path, sizeof(path), forms[i], major(dev), minor(dev), name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		len = read(fd, ret_line, size - 1);
		close(fd);
		if (len <= 0)
			return -EIO;
		ret_line[len] = 0;
		ret_line[strcspn(ret_line, "\n")] = 0;
		return 0;
	}
	return -ENOENT;
}

/* What is not there counts as 0: an older kernel, or one without sysfs. */
static uint64_t queue_number(dev_t dev, const char *name)
{
	char line[32];

	return queue_read(dev, name, line, sizeof(line)) ? 0 : strtoull(line, NULL, 10);
}

static uint32_t at_most(uint64_t value, uint32_t limit)
{
	return value < limit ? (uint32_t)value : limit;
}

static int block_look(struct sdv_disk *disk, int fd, dev_t dev)
{
	unsigned int physical, io_min, io_opt;
	char line[32];
	int logical;

	if (ioctl(fd, BLKSSZGET, &logical) || ioctl(fd, BLKPBSZGET, &physical) ||
	    ioctl(fd, BLKIOMIN, &io_min) || ioctl(fd, BLKIOOPT, &io_opt))
		return -errno;
	disk->is_block = true;
	disk->logical_block = (uint32_t)logical;
	disk->physical_block = physical;
	disk->io_min = io_min;
	disk->io_opt = io_opt;
	disk->max_discard = at_most(queue_number(dev, "discard_max_bytes"), MAX_DISCARD);
	disk->discard_granularity = at_most(queue_number(dev, "discard_granularity"), UINT32_MAX);
	disk->is_rotational = queue_number(dev, "rotational");
	/* Unless the kernel is sure that there is no volatile cache, there is one. */
	disk->has_write_cache =
		queue_read(dev, "write_cache", line, sizeof(line)) || strcmp(line, "write through") != 0;
	return 0;
}

/* What direct I/O demands of its offsets is what a block of the file is. */
static int file_look(struct sdv_disk *disk, int fd)
{
	uint32_t block = SECTOR;
	struct statx st;
	int flags = fcntl(fd, F_GETFL);
	off_t end = lseek(fd, 0, SEEK_END);

	if (flags < 0 || end < 0)
		return -errno;
	if (flags & O_DIRECT) {
		if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st))
			return -errno;
		block = st.stx_mask & STATX_DIOALIGN ? st.stx_dio_offset_align : PAGE;
	}
	if (block < SECTOR)
		block = SECTOR;
	if (block > PAGE || block & (block - 1))
		return -EOPNOTSUPP;
	disk->logical_block = block;
	disk->physical_block = PAGE;
	disk->io_min = PAGE;
	disk->has_write_cache = true;
	/* Tried beyond the end, where there is nothing to lose. */
	disk->is_punchable = !disk->is_read_only &&
			     !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, end + PAGE, PAGE);
	if (disk->is_punchable) {
		disk->max_discard = MAX_DISCARD;
		disk->discard_granularity = PAGE;
	}
	return 0;
}

/**
 * sdv_disk_size - how long it is now, in whole logical blocks
 *
 * Needs lseek(fd, 0, SEEK_END) alone, which the sandbox leaves.
 * Return: 0 or -errno.
 */
int sdv_disk_size(uint64_t *ret_size, const struct sdv_disk *disk, int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		return -errno;
	*ret_size = (uint64_t)end - (uint64_t)end % disk->logical_block;
	return 0;
}

/**
 * sdv_disk_look - finds out all there is to know about a disk
 * @fd:			open with the lease's rights, with O_DIRECT where possible
 * @is_read_only:	the lease is
 *
 * Return: 0; -ENOTBLK: neither a block device nor a regular file; -EOPNOTSUPP:
 * direct I/O needs blocks of more than a page; -errno.
 */
int sdv_disk_look(struct sdv_disk *ret_disk, int fd, bool is_read_only)
{
	struct sdv_disk disk = { .logical_block = SECTOR, .is_read_only = is_read_only };
	struct stat st;
	int r;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISBLK(st.st_mode))
		r = block_look(&disk, fd, st.st_rdev);
	else if (S_ISREG(st.st_mode))
		r = file_look(&disk, fd);
	else
		r = -ENOTBLK;
	if (!r)
		r = sdv_disk_size(&disk.size, &disk, fd);
	if (r)
		return r;
	disk.max_zeroes = is_read_only ? 0 : MAX_ZEROES;
	if (is_read_only)
		disk.max_discard = 0;
	/* Limits are whole blocks, or home would cut requests within one. */
	disk.max_discard -= disk.max_discard % disk.logical_block;
	*ret_disk = disk;
	return 0;
}
