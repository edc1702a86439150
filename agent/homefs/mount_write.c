// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount_write.c: what programs write, on its way home.
 *
 * It is sent at once, or while an earlier write is on its way collected and sent
 * then; the program does not wait for either.  Whoever could notice (close,
 * fsync, attributes, reading, locks, another change) does.  An error is reported
 * to every open file that was there, at close or fsync.
 */
#include "mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT_MAX        8u
#define COLLECTED_MAX        (256u << 10)
#define FILE_UNCONFIRMED_MAX (4u << 20)
#define ALL_UNCONFIRMED_MAX  (64u << 20)

static bool overlaps_sent(const struct sdv_file *file, const struct sdv_extent *extent)
{
	const struct sdv_extent *other;

	for (other = file->first; other; other = other->next)
		if (other->is_sent && other->offset < extent->offset + extent->len &&
		    extent->offset < other->offset + other->len)
			return true;
	return false;
}

static void waiters_run(struct sdv_mount *mount, struct sdv_waiter **list)
{
	struct sdv_waiter *waiter = *list;

	*list = NULL;
	while (waiter) {
		struct sdv_waiter *next = waiter->next;

		waiter->run(mount, waiter->arg);
		free(waiter);
		waiter = next;
	}
}

static void extent_done(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
			uint32_t len, uint64_t flags);

static void extent_send(struct sdv_mount *mount, struct sdv_file *file, struct sdv_extent *extent)
{
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_WRITE,
		.node = file->number,
		.offset = extent->offset,
		.data = extent->data,
		.data_len = extent->len,
	};
	uint8_t *data = extent->data;
	struct sdv_call *call = sdv_call_new(NULL, file, NULL);

	extent->is_sent = true;
	extent->data = NULL;
	file->nr_sent++;
	if (!call) {
		/* Nobody can be asked to wait for memory here; the program gets the error at close. */
		struct sdv_call failed = { .file = file, .extent = extent };

		extent_done(mount, &failed, -ENOMEM, NULL, 0, 0);
	} else {
		call->extent = extent;
		call->done = extent_done;
		/* Only the first of several in flight gets an answer that is new enough. */
		sdv_file_fence(mount, file);
		sdv_call_send(mount, call, &request);
	}
	free(data);
}

/* Sends what may go: nothing overtakes what it overwrites, and small pieces wait to become larger. */
static void extents_send(struct sdv_mount *mount, struct sdv_file *file)
{
	bool is_wanted = file->waiters || file->writers;
	struct sdv_extent *extent = file->first;

	while (extent && file->nr_sent < IN_FLIGHT_MAX) {
		if (extent->is_sent) {
			extent = extent->next;
			continue;
		}
		if (overlaps_sent(file, extent))
			return;
		if (!extent->next && file->nr_sent && !is_wanted && extent->len < COLLECTED_MAX)
			return;
		extent_send(mount, file, extent);
		/* It may have failed at once, and others with it. */
		extent = file->first;
	}
}

static void extent_remove(struct sdv_mount *mount, struct sdv_file *file, struct sdv_extent *extent)
{
	struct sdv_extent **at = &file->first, *before = NULL;

	while (*at != extent) {
		before = *at;
		at = &(*at)->next;
	}
	*at = extent->next;
	if (file->last == extent)
		file->last = before;
	file->nr_sent -= extent->is_sent;
	file->unconfirmed -= extent->len;
	mount->unconfirmed -= extent->len;
	free(extent->data);
	free(extent);
}

static void error_note(struct sdv_file *file, int error)
{
	file->error = error;
	file->error_count++;
}

static void extent_done(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
			uint32_t len, uint64_t flags)
{
	struct sdv_file *file = call->file;
	struct sdv_fs_attr attr;
	uint64_t written_end = file->written_end;

	(void)len, (void)flags;
	sdv_file_hold(file);
	extent_remove(mount, file, call->extent);
	/* What is kept here is not what is there. */
	if (error)
		sdv_bytes_drop(mount, file);
	if (error)
		error_note(file, error);
	else if (data && !sdv_fs_attr_load(data, &attr))
		sdv_file_take(mount, file, &attr, call->stamp);
	if (file->first) {
		file->has_attr = false;
		file->written_end = written_end;
	}
	/* What was asked while it was on its way may not know of it. */
	file->fence = ++mount->clock;
	/* The one that was made without memory is not of the heap. */
	if (call->done)
		sdv_call_free(mount, call);
	/* Nothing can follow where home has gone. */
	while (mount->is_over && file->first && !file->first->is_sent)
		extent_remove(mount, file, file->first);
	extents_send(mount, file);
	if (!file->first)
		waiters_run(mount, &file->waiters);
	if (file->unconfirmed < FILE_UNCONFIRMED_MAX / 2)
		waiters_run(mount, &file->writers);
	sdv_file_put(mount, file);
}

void sdv_when_clean(struct sdv_mount *mount, struct sdv_file *file,
		    void (*run)(struct sdv_mount *mount, void *arg), void *arg)
{
	struct sdv_waiter *waiter = NULL;

	if (file->first)
		waiter = malloc(sizeof(*waiter));
	/* Without memory it sees what home has, which is as if it had come earlier. */
	if (!waiter) {
		run(mount, arg);
		return;
	}
	*waiter = (struct sdv_waiter){ file->waiters, run, arg };
	file->waiters = waiter;
	extents_send(mount, file);
}

static bool extent_extend(struct sdv_extent *extent, const uint8_t *data, size_t len, uint64_t offset)
{
	uint32_t size;
	uint8_t *larger;

	if (!extent || extent->is_sent || extent->offset + extent->len != offset ||
	    extent->len + len > SUPERDEV_FS_IO_MAX)
		return false;
	if (extent->len + len > extent->size) {
		size = extent->len + (uint32_t)len > 2 * extent->size ? extent->len + (uint32_t)len
								      : 2 * extent->size;
		larger = realloc(extent->data, size);
		if (!larger)
			return false;
		extent->data = larger;
		extent->size = size;
	}
	memcpy(extent->data + extent->len, data, len);
	extent->len += (uint32_t)len;
	return true;
}

/* At most SUPERDEV_FS_IO_MAX bytes. */
static int extent_add(struct sdv_mount *mount, struct sdv_file *file, const uint8_t *data, size_t len,
		      uint64_t offset)
{
	struct sdv_extent *extent;

	if (!extent_extend(file->last, data, len, offset)) {
		extent = calloc(1, sizeof(*extent));
		if (extent)
			extent->data = malloc(len);
		if (!extent || !extent->data) {
			free(extent);
			return -ENOMEM;
		}
		memcpy(extent->data, data, len);
		extent->offset = offset;
		extent->len = extent->size = (uint32_t)len;
		if (file->last)
			file->last->next = extent;
		else
			file->first = extent;
		file->last = extent;
	}
	file->unconfirmed += len;
	mount->unconfirmed += len;
	if (offset + len > file->written_end)
		file->written_end = offset + len;
	sdv_bytes_write(mount, file, data, len, offset);
	return 0;
}

/* A write that has to wait, with a copy of what is written. */
struct later {
	struct sdv_call *call;
	size_t len;
	uint8_t data[];
};

static void append_done(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
			uint32_t len, uint64_t flags)
{
	struct sdv_fs_attr attr;

	(void)len, (void)flags;
	if (!error)
		error = sdv_fs_attr_load(data, &attr) ? -EIO : 0;
	if (!error) {
		/* Somebody else appended as well: the kernel put it at the wrong place. */
		if (attr.size != call->offset + call->size)
			sdv_notice_file(mount, call->file, true);
		sdv_file_take(mount, call->file, &attr, call->stamp);
	}
	call->file->fence = ++mount->clock;
	if (error)
		sdv_answer_error(call->req, error);
	else
		sdv_answer_count(call->req, call->size);
	sdv_call_free(mount, call);
}

static void append_send(struct sdv_mount *mount, void *arg)
{
	struct later *later = arg;
	struct sdv_call *call = later->call;
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_WRITE,
		.node = call->file->number,
		.offset = call->offset,
		.flags = SUPERDEV_FS_W_APPEND,
		.data = later->data,
		.data_len = (uint32_t)later->len,
	};

	call->done = append_done;
	sdv_bytes_drop(mount, call->file);
	sdv_file_fence(mount, call->file);
	sdv_call_send(mount, call, &request);
	free(later);
}

static void write_again(struct sdv_mount *mount, void *arg)
{
	struct later *later = arg;
	struct sdv_call *call = later->call;
	int r = mount->is_over ? -ENOTCONN
			       : extent_add(mount, call->file, later->data, later->len, call->offset);

	if (!r)
		extents_send(mount, call->file);
	if (r)
		sdv_answer_error(call->req, r);
	else
		sdv_answer_count(call->req, later->len);
	sdv_call_free(mount, call);
	free(later);
}

static struct later *write_later(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file,
				 const uint8_t *data, size_t size, uint64_t offset)
{
	struct later *later = malloc(sizeof(*later) + size);
	struct sdv_call *call = sdv_call_new(req, file, NULL);

	if (!later || !call) {
		if (call)
			sdv_call_free(mount, call);
		free(later);
		return NULL;
	}
	call->offset = offset;
	call->size = (uint32_t)size;
	later->call = call;
	later->len = size;
	memcpy(later->data, data, size);
	return later;
}

void sdv_on_write(struct sdv_mount *mount, struct fuse_req *req, struct sdv_open *open, const uint8_t *data,
		  size_t size, uint64_t offset)
{
	struct sdv_file *file = open->file;
	bool is_append = open->flags & O_APPEND;
	struct sdv_waiter *waiter;
	struct later *later;
	int r = 0;

	if (size > SUPERDEV_FS_IO_MAX)
		size = SUPERDEV_FS_IO_MAX;
	if (mount->is_over) {
		sdv_answer_error(req, -ENOTCONN);
		return;
	}
	if (!is_append && file->unconfirmed < FILE_UNCONFIRMED_MAX &&
	    mount->unconfirmed < ALL_UNCONFIRMED_MAX) {
		r = extent_add(mount, file, data, size, offset);
		file->has_attr = false;
		if (r) {
			sdv_answer_error(req, r);
			return;
		}
		/* First the answer: what is sent may fail at once and wake others. */
		sdv_answer_count(req, size);
		extents_send(mount, file);
		return;
	}
	later = write_later(mount, req, file, data, size, offset);
	waiter = later && !is_append && file->first ? malloc(sizeof(*waiter)) : NULL;
	if (!later) {
		sdv_answer_error(req, -ENOMEM);
	} else if (is_append) {
		sdv_when_clean(mount, file, append_send, later);
	} else if (!waiter) {
		write_again(mount, later);
	} else {
		*waiter = (struct sdv_waiter){ file->writers, write_again, later };
		file->writers = waiter;
		extents_send(mount, file);
	}
}
