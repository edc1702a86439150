// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backing.c: the disk or file behind an offer.
 */
#include "backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define RETRY_MS 20

/* O_NONBLOCK: a FIFO of that name must not hold us up. */
static int open_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/* A partition tells it by the disk that it is on. */
static void find_rotational(dev_t dev, struct backing *backing)
{
	static const char *const formats[] = {
		"/sys/dev/block/%u:%u/queue/rotational",
		"/sys/dev/block/%u:%u/../queue/rotational",
	};
	char path[80], c;
	int fd;

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		snprintf(path, sizeof(path), formats[i], major(dev), minor(dev));
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, &c, 1) == 1) {
			backing->has_rotational = true;
			backing->rotational = c == '1';
		}
		close(fd);
		return;
	}
}

static int describe(int fd, struct backing *backing)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode)) {
		strcpy(backing->kind, "file");
		backing->size = st.st_size;
	} else if (S_ISBLK(st.st_mode)) {
		strcpy(backing->kind, "disk");
		if (ioctl(fd, BLKGETSIZE64, &backing->size) < 0)
			return -errno;
		find_rotational(st.st_rdev, backing);
	} else {
		return -ENOTBLK;
	}
	return backing->size ? 0 : -ENODATA;
}

/*
 * O_EXCL keeps out mounts, swap, RAID, LVM and other holders; it means nothing
 * for regular files, which the lock keeps apart, if only among us.
 */
static int take(const char *path, int flags, bool is_shared, struct backing *backing)
{
	struct stat st;
	int fd, r;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return -ENOTBLK;
	if (S_ISBLK(st.st_mode) && !is_shared)
		flags |= O_EXCL;
	fd = open_path(path, flags);
	if (fd < 0)
		return fd;
	r = describe(fd, backing);
	if (!r && flock(fd, (is_shared ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0)
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int fail(struct backing *backing, const char *path, int error)
{
	const char *why;

	switch (error) {
	case -EBUSY: why = "is in use: mounted, swapped on, or held by another program"; break;
	case -ENOTBLK: why = "is neither a block device nor a regular file"; break;
	case -ENODATA: why = "has no bytes"; break;
	case -EROFS:
	case -EACCES: why = "cannot be written: offer it read-only (ro)"; break;
	default:
		snprintf(backing->error, sizeof(backing->error), "path '%.180s': %s", path, strerror(-error));
		return error;
	}
	snprintf(backing->error, sizeof(backing->error), "path '%.180s' %s", path, why);
	return error;
}

int backing_look(const void *arg, void *result, int *ret_fd)
{
	const struct backing_request *request = arg;
	struct backing *backing = result;
	int fd;

	(void)ret_fd;
	fd = take(request->path, request->is_read_only ? O_RDONLY : O_RDWR, false, backing);
	if (fd < 0)
		return fail(backing, request->path, fd);
	close(fd);
	return 0;
}

int backing_open(const void *arg, void *result, int *ret_fd)
{
	const struct backing_request *request = arg;
	int flags = request->is_read_only ? O_RDONLY : O_RDWR;
	uint64_t until = now_ms() + request->patience_ms;
	struct backing *backing = result;
	int fd;

	do {
		fd = take(request->path, flags | O_DIRECT, request->is_shared, backing);
		/* Some file systems have no direct I/O. */
		if (fd == -EINVAL)
			fd = take(request->path, flags, request->is_shared, backing);
		if (fd != -EBUSY || now_ms() >= until)
			break;
		usleep(RETRY_MS * 1000);
	} while (true);
	if (fd < 0)
		return fail(backing, request->path, fd);
	/* Only the opening was not to block. */
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0)
		return fail(backing, request->path, -errno);
	*ret_fd = fd;
	return 0;
}
