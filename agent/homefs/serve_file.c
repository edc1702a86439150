// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * serve_file.c: contents of files.
 *
 * Only regular files have any here: what else a path leads to (devices, FIFOs,
 * sockets) belongs to home's kernel and is not opened for a lender.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/uio.h>
#include <unistd.h>

static int attr_answer(struct sdv_work *work, struct sdv_node *node)
{
	struct sdv_fs_attr attr;
	int r = sdv_attr_look(work->serve, node, &attr);

	if (r)
		return r;
	sdv_fs_attr_store(work->out, &attr);
	work->out_len = sizeof(struct superdev_fs_attr);
	return 0;
}

static void u64_answer(struct sdv_work *work, uint64_t value)
{
	sdv_fs_u64_store(work->out, value);
	work->out_len = sizeof(__le64);
}

/* Opens a descriptor of its own even where there is one: rights may have changed since. */
static int file_open(struct sdv_work *work, struct sdv_node *node)
{
	uint32_t wanted = work->request.flags;
	bool is_write = wanted & (SUPERDEV_FS_O_WRITE | SUPERDEV_FS_O_TRUNC);
	int flags = !is_write ? O_RDONLY : wanted & SUPERDEV_FS_O_READ ? O_RDWR : O_WRONLY;
	int trunc = wanted & SUPERDEV_FS_O_TRUNC ? O_TRUNC : 0;
	int fd, r;

	if (node->type != S_IFREG)
		return -EINVAL;
	r = is_write ? sdv_node_may_change(node) : 0;
	if (r)
		return r;
	/* The lender's kernel reads around what it writes, if it may. */
	if (flags == O_WRONLY) {
		fd = sdv_node_reopen(work->serve, node, O_RDWR | trunc);
		if (fd >= 0)
			flags = O_RDWR;
		else
			fd = sdv_node_reopen(work->serve, node, O_WRONLY | trunc);
	} else {
		fd = sdv_node_reopen(work->serve, node, flags | trunc);
	}
	if (fd < 0)
		return fd;
	sdv_node_adopt(work->serve, node, fd, flags);
	r = attr_answer(work, node);
	if (!r)
		sdv_node_pin(work->serve, node);
	return r;
}

int sdv_do_open(struct sdv_work *work)
{
	struct sdv_node *node = sdv_node_get(work->serve, work->request.node);
	int r = node ? file_open(work, node) : -ESTALE;

	sdv_node_put(work->serve, node);
	return r;
}

int sdv_do_release(struct sdv_work *work)
{
	struct sdv_node *node = sdv_node_get(work->serve, work->request.node);

	if (node)
		sdv_node_unpin(work->serve, node);
	sdv_node_put(work->serve, node);
	return 0;
}

/* The node of a request and its descriptor, with a reference. */
static int io_get(struct sdv_work *work, bool is_write, struct sdv_node **ret_node)
{
	struct sdv_node *node = sdv_node_get(work->serve, work->request.node);
	int fd;

	if (!node)
		return -ESTALE;
	fd = is_write ? sdv_node_may_change(node) : 0;
	if (!fd)
		fd = sdv_node_io(work->serve, node, is_write);
	if (fd < 0)
		sdv_node_put(work->serve, node);
	else
		*ret_node = node;
	return fd;
}

int sdv_do_read(struct sdv_work *work)
{
	const struct sdv_fs_request *request = &work->request;
	struct sdv_node *node;
	uint32_t done = 0;
	ssize_t n = 1;
	int fd = io_get(work, false, &node);

	if (fd < 0)
		return fd;
	pthread_mutex_lock(&work->serve->lock);
	node->is_leased = true;
	pthread_mutex_unlock(&work->serve->lock);
	while (done < request->count && n > 0) {
		n = pread(fd, work->out + done, request->count - done, (off_t)(request->offset + done));
		if (n > 0)
			done += (uint32_t)n;
	}
	work->out_len = done;
	if (n < 0 && !done)
		fd = -errno;
	sdv_node_put(work->serve, node);
	return fd < 0 ? fd : 0;
}

int sdv_do_write(struct sdv_work *work)
{
	const struct sdv_fs_request *request = &work->request;
	int flags = request->flags & SUPERDEV_FS_W_APPEND ? RWF_APPEND : 0;
	struct iovec part = { (void *)request->data, request->data_len };
	uint64_t offset = request->offset;
	struct sdv_node *node;
	int fd = io_get(work, true, &node), r = 0;

	if (fd < 0)
		return fd;
	while (part.iov_len && !r) {
		ssize_t n = pwritev2(fd, &part, 1, (off_t)offset, flags);

		if (n < 0)
			r = -errno;
		else if (!n)
			r = -EIO;
		else
			part = (struct iovec){ (uint8_t *)part.iov_base + n, part.iov_len - (size_t)n };
		if (n > 0)
			offset += (uint64_t)n;
	}
	if (!r)
		r = attr_answer(work, node);
	sdv_node_put(work->serve, node);
	return r;
}

int sdv_do_fsync(struct sdv_work *work)
{
	struct sdv_node *node = sdv_node_get(work->serve, work->request.node);
	bool is_data = work->request.flags & SUPERDEV_FS_SYNC_DATA;
	int fd, r = 0;
	bool is_own = false;

	if (!node)
		return -ESTALE;
	if (node->type == S_IFDIR) {
		fd = sdv_node_reopen(work->serve, node, O_RDONLY | O_DIRECTORY);
		is_own = true;
	} else {
		fd = sdv_node_io(work->serve, node, false);
		if (fd == -EACCES)
			fd = sdv_node_io(work->serve, node, true);
	}
	if (fd < 0)
		r = fd;
	else if ((is_data ? fdatasync(fd) : fsync(fd)) < 0)
		r = -errno;
	if (is_own && fd >= 0)
		close(fd);
	sdv_node_put(work->serve, node);
	return r;
}

int sdv_do_fallocate(struct sdv_work *work)
{
	const struct sdv_fs_request *request = &work->request;
	const uint32_t known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE |
			       FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE;
	struct sdv_node *node;
	int fd, r = 0;

	if (request->mode & ~known)
		return -EOPNOTSUPP;
	fd = io_get(work, true, &node);
	if (fd < 0)
		return fd;
	if (fallocate(fd, (int)request->mode, (off_t)request->offset, (off_t)request->arg) < 0)
		r = -errno;
	if (!r)
		r = attr_answer(work, node);
	sdv_node_put(work->serve, node);
	return r;
}

int sdv_do_lseek(struct sdv_work *work)
{
	const struct sdv_fs_request *request = &work->request;
	struct sdv_node *node;
	int fd = io_get(work, false, &node);
	off_t at;

	if (fd < 0)
		return fd;
	/* Its position is nobody's: every read and write here names its own. */
	at = lseek(fd, (off_t)request->offset,
		   request->flags == SUPERDEV_FS_SEEK_DATA ? SEEK_DATA : SEEK_HOLE);
	if (at < 0)
		fd = -errno;
	else
		u64_answer(work, (uint64_t)at);
	sdv_node_put(work->serve, node);
	return fd < 0 ? fd : 0;
}

int sdv_do_copy(struct sdv_work *work)
{
	const struct sdv_fs_request *request = &work->request;
	off_t from_at = (off_t)request->offset, to_at = (off_t)request->arg;
	struct sdv_node *from, *to;
	int fd = io_get(work, false, &from), to_fd, r;
	ssize_t n = -1;

	if (fd < 0)
		return fd;
	to = sdv_node_get(work->serve, request->node2);
	r = to ? sdv_node_may_change(to) : -ESTALE;
	if (!r) {
		to_fd = sdv_node_io(work->serve, to, true);
		r = to_fd < 0 ? to_fd : 0;
	}
	if (!r)
		n = copy_file_range(fd, &from_at, to_fd, &to_at, request->count, 0);
	if (!r && n < 0)
		r = -errno;
	if (!r)
		u64_answer(work, (uint64_t)n);
	sdv_node_put(work->serve, to);
	sdv_node_put(work->serve, from);
	return r;
}
