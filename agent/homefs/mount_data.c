// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount_data.c: opening, reading, closing, and the rest that has to do with
 * contents of files.  mount_write.c has writing.
 */
#include "mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Smaller files are read whole: the round trip costs more than the bytes. */
#define AHEAD_MAX (256u << 10)

struct sdv_open *sdv_open_new(struct sdv_file *file, int flags, bool is_at_home)
{
	struct sdv_open *open = calloc(1, sizeof(*open));

	if (!open)
		return NULL;
	open->file = file;
	open->flags = flags;
	open->is_at_home = is_at_home;
	open->error_count = file->error_count;
	sdv_file_hold(file);
	return open;
}

void sdv_open_free(struct sdv_mount *mount, struct sdv_open *open)
{
	for (size_t i = 0; i < open->list_len; i++)
		free(open->list[i].name);
	free(open->list);
	free(open->lockers);
	sdv_file_put(mount, open->file);
	free(open);
}

/* Opening and closing ------------------------------------------------------- */

static void open_answer(struct sdv_mount *mount, struct sdv_call *call, bool is_at_home, bool is_kept)
{
	struct sdv_open *open = sdv_open_new(call->file, (int)call->flags, is_at_home);
	bool was_suspect = call->file->is_suspect;

	/* What the kernel has read while nothing told it of changes, it must not keep. */
	call->file->is_suspect = !is_kept;
	if (!open) {
		struct sdv_fs_request release = { .op = SUPERDEV_FS_RELEASE, .node = call->file->number };

		if (is_at_home)
			sdv_call_tell(mount, &release);
		sdv_answer_error(call->req, -ENOMEM);
	} else {
		/* It writes nothing that a close would have to wait for; locks are mostly for who writes. */
		open->is_quiet = (call->flags & O_ACCMODE) == O_RDONLY && !call->file->has_locks;
		sdv_answer_open(call->req, open, is_kept && !was_suspect);
	}
	sdv_call_free(mount, call);
}

static void open_done(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		      uint32_t len, uint64_t flags)
{
	struct sdv_fs_attr attr;
	bool is_kept = false;

	(void)len, (void)flags;
	if (!error)
		error = sdv_fs_attr_load(data, &attr) ? -EIO : 0;
	if (error) {
		sdv_answer_error(call->req, error);
		sdv_call_free(mount, call);
		return;
	}
	if (sdv_file_take(mount, call->file, &attr, call->stamp))
		is_kept = call->file->has_attr;
	if (call->flags & O_TRUNC)
		call->file->fence = ++mount->clock;
	if (call->flags & O_TRUNC && is_kept && !attr.size)
		sdv_bytes_begin(mount, call->file);
	open_answer(mount, call, true, is_kept);
}

static void open_send(struct sdv_mount *mount, void *arg)
{
	struct sdv_call *call = arg;
	int mode = (int)call->flags & O_ACCMODE;
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_OPEN,
		.node = call->file->number,
		.flags = (mode != O_WRONLY ? SUPERDEV_FS_O_READ : 0) |
			 (mode != O_RDONLY ? SUPERDEV_FS_O_WRITE : 0) |
			 (call->flags & O_TRUNC ? SUPERDEV_FS_O_TRUNC : 0),
	};

	if (call->flags & O_TRUNC) {
		sdv_bytes_drop(mount, call->file);
		sdv_file_fence(mount, call->file);
	}
	call->done = open_done;
	sdv_call_send(mount, call, &request);
}

void sdv_on_open(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, int flags)
{
	struct sdv_call *call = sdv_call_new(req, file, NULL);

	if (!call) {
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	call->flags = (uint32_t)flags;
	/* To read what may be kept, nobody need be asked: home would tell if it were otherwise. */
	if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_TRUNC) && file->has_attr &&
	    file->attr.access & 4 && !mount->is_over)
		open_answer(mount, call, false, true);
	else
		sdv_when_clean(mount, file, open_send, call);
}

static void closed(struct sdv_mount *mount, void *arg)
{
	struct sdv_open *open = arg;
	struct sdv_fs_request request = { .op = SUPERDEV_FS_RELEASE, .node = open->file->number };

	if (open->is_at_home)
		sdv_call_tell(mount, &request);
	sdv_open_free(mount, open);
}

static void opendir_go_on(struct sdv_mount *mount, struct sdv_call *call, int error,
			  const struct sdv_fs_attr *attr, bool is_kept)
{
	struct sdv_open *open = NULL;

	(void)is_kept;
	if (!error && !(attr->access & 4))
		error = -EACCES;
	if (!error) {
		open = sdv_open_new(call->file, (int)call->flags, false);
		error = open ? 0 : -ENOMEM;
	}
	if (error)
		sdv_answer_error(call->req, error);
	else
		sdv_answer_open(call->req, open, call->file->is_complete);
	sdv_call_free(mount, call);
}

void sdv_on_opendir(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *dir, int flags)
{
	struct sdv_call *call = sdv_call_new(req, dir, NULL);

	if (!call) {
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	call->flags = (uint32_t)flags;
	call->go_on = opendir_go_on;
	sdv_attr_fetch(mount, call);
}

void sdv_open_close(struct sdv_mount *mount, struct sdv_open *open)
{
	sdv_when_clean(mount, open->file, closed, open);
}

static void lock_dropped(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
			 uint32_t len, uint64_t flags)
{
	(void)error, (void)data, (void)len, (void)flags;
	call->file->drops_done++;
	sdv_call_free(mount, call);
}

static void flock_drop(struct sdv_mount *mount, struct sdv_file *file, uint64_t owner)
{
	struct sdv_fs_lock lock = {
		.owner = owner,
		.end = INT64_MAX,
		.type = SUPERDEV_FS_L_UNLOCK,
		.kind = SUPERDEV_FS_L_FLOCK,
		.what = SUPERDEV_FS_L_SET,
	};
	uint8_t data[sizeof(struct superdev_fs_lock)];
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_LOCK,
		.node = file->number,
		.data = data,
		.data_len = sizeof(data),
	};
	struct sdv_call *call = sdv_call_new(NULL, file, NULL);

	if (!call)
		return;
	sdv_fs_lock_store(data, &lock);
	call->done = lock_dropped;
	file->drops_begun++;
	sdv_call_send(mount, call, &request);
}

static void posix_drop(struct sdv_mount *mount, struct sdv_file *file, uint64_t owner)
{
	struct sdv_fs_request request = { .op = SUPERDEV_FS_UNLOCK, .node = file->number, .arg = owner };
	struct sdv_call *call = sdv_call_new(NULL, file, NULL);

	if (!call)
		return;
	call->done = lock_dropped;
	file->drops_begun++;
	sdv_call_send(mount, call, &request);
}

void sdv_open_flocked(struct sdv_open *open, bool has_flock)
{
	open->file->nr_flocked += (unsigned int)has_flock - (unsigned int)open->has_flock;
	open->has_flock = has_flock;
}

void sdv_on_release(struct sdv_mount *mount, struct fuse_req *req, struct sdv_open *open, uint64_t owner,
		    bool has_flock)
{
	if (has_flock)
		flock_drop(mount, open->file, owner);
	sdv_open_flocked(open, false);
	for (unsigned int i = 0; i < open->nr_lockers; i++)
		posix_drop(mount, open->file, open->lockers[i]);
	sdv_answer_error(req, 0);
	sdv_open_close(mount, open);
}

/* The error of writes since this one was opened or last told. */
static int error_take(struct sdv_open *open)
{
	if (open->error_count == open->file->error_count)
		return 0;
	open->error_count = open->file->error_count;
	return open->file->error;
}

static void unlocked(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		     uint32_t len, uint64_t flags)
{
	int earlier = error_take(call->open);

	(void)data, (void)len, (void)flags;
	sdv_answer_error(call->req, earlier ? earlier : error);
	sdv_call_free(mount, call);
}

static void flush_run(struct sdv_mount *mount, void *arg)
{
	struct sdv_call *call = arg;
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_UNLOCK,
		.node = call->file->number,
		.arg = call->owner,
	};

	if (call->file->has_locks) {
		call->done = unlocked;
		sdv_call_send(mount, call, &request);
		return;
	}
	sdv_answer_error(call->req, error_take(call->open));
	sdv_call_free(mount, call);
}

void sdv_on_flush(struct sdv_mount *mount, struct fuse_req *req, struct sdv_open *open, uint64_t owner)
{
	struct sdv_call *call;

	if (!open->file->first && !open->file->has_locks) {
		sdv_answer_error(req, error_take(open));
		return;
	}
	call = sdv_call_new(req, open->file, NULL);
	if (!call) {
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	call->open = open;
	call->owner = owner;
	sdv_when_clean(mount, open->file, flush_run, call);
}

static void fsync_run(struct sdv_mount *mount, void *arg)
{
	struct sdv_call *call = arg;
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_FSYNC,
		.node = call->file->number,
		.flags = call->flags,
	};

	call->done = unlocked;
	sdv_call_send(mount, call, &request);
}

void sdv_on_fsync(struct sdv_mount *mount, struct fuse_req *req, struct sdv_open *open, bool is_data)
{
	struct sdv_call *call = sdv_call_new(req, open->file, NULL);

	if (!call) {
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	call->open = open;
	call->flags = is_data ? SUPERDEV_FS_SYNC_DATA : 0;
	sdv_when_clean(mount, open->file, fsync_run, call);
}

/* Reading ------------------------------------------------------------------- */

static void read_done(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		      uint32_t len, uint64_t flags)
{
	struct sdv_file *file = call->file;

	(void)flags;
	if (error) {
		sdv_answer_error(call->req, error);
		sdv_call_free(mount, call);
		return;
	}
	/* What the kernel did not ask for yet, it will: it reads on, or maps the file. */
	if (len > call->size && file->has_attr && call->stamp >= file->fence && !file->is_whole)
		sdv_bytes_keep(mount, file, data + call->size, len - call->size, call->offset + call->size);
	sdv_answer_data(call->req, data, len < call->size ? len : call->size);
	sdv_call_free(mount, call);
}

static void read_send(struct sdv_mount *mount, void *arg)
{
	struct sdv_call *call = arg;
	struct sdv_file *file = call->file;
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_READ,
		.node = file->number,
		.offset = call->offset,
		.count = call->size,
	};

	if (!call->offset && file->has_attr && file->attr.size > call->size && file->attr.size <= AHEAD_MAX)
		request.count = (uint32_t)file->attr.size;
	call->done = read_done;
	sdv_call_send(mount, call, &request);
}

void sdv_on_read(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, size_t size,
		 uint64_t offset)
{
	struct sdv_call *call;
	const uint8_t *data;
	size_t len;

	if (sdv_bytes_find(file, offset, size, &data, &len) && !mount->is_over) {
		sdv_answer_data(req, data, len);
		/* The kernel has all of it now. */
		if (!file->is_whole && offset + len == file->bytes_offset + file->bytes_len)
			sdv_bytes_drop(mount, file);
		return;
	}
	call = sdv_call_new(req, file, NULL);
	if (!call) {
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	call->offset = offset;
	call->size = (uint32_t)(size < SUPERDEV_FS_IO_MAX ? size : SUPERDEV_FS_IO_MAX);
	sdv_when_clean(mount, file, read_send, call);
}

/* The rest ------------------------------------------------------------------- */

static void fallocate_done(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
			   uint32_t len, uint64_t flags)
{
	struct sdv_fs_attr attr;

	(void)len, (void)flags;
	if (!error && !sdv_fs_attr_load(data, &attr))
		sdv_file_take(mount, call->file, &attr, call->stamp);
	call->file->fence = ++mount->clock;
	sdv_answer_error(call->req, error);
	sdv_call_free(mount, call);
}

static void fallocate_send(struct sdv_mount *mount, void *arg)
{
	struct sdv_call *call = arg;
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_FALLOCATE,
		.node = call->file->number,
		.offset = call->offset,
		.arg = call->owner,
		.mode = call->flags,
	};

	sdv_bytes_drop(mount, call->file);
	sdv_file_fence(mount, call->file);
	call->done = fallocate_done;
	sdv_call_send(mount, call, &request);
}

void sdv_on_fallocate(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, int mode,
		      uint64_t offset, uint64_t len)
{
	struct sdv_call *call = sdv_call_new(req, file, NULL);

	if (!call) {
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	call->offset = offset;
	call->owner = len;
	call->flags = (uint32_t)mode;
	sdv_when_clean(mount, file, fallocate_send, call);
}

static void lseek_done(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		       uint32_t len, uint64_t flags)
{
	uint64_t at = error ? 0 : sdv_fs_u64_load(data);

	(void)len, (void)flags;
	if (!error && at > INT64_MAX)
		error = -EIO;
	if (error)
		sdv_answer_error(call->req, error);
	else
		sdv_answer_offset(call->req, at);
	sdv_call_free(mount, call);
}

static void lseek_send(struct sdv_mount *mount, void *arg)
{
	struct sdv_call *call = arg;
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_LSEEK,
		.node = call->file->number,
		.offset = call->offset,
		.flags = call->flags,
	};

	call->done = lseek_done;
	sdv_call_send(mount, call, &request);
}

void sdv_on_lseek(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, uint64_t offset,
		  int whence)
{
	struct sdv_call *call = sdv_call_new(req, file, NULL);

	if (!call) {
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	call->offset = offset;
	call->flags = whence == SEEK_DATA ? SUPERDEV_FS_SEEK_DATA : SUPERDEV_FS_SEEK_HOLE;
	sdv_when_clean(mount, file, lseek_send, call);
}

static void copy_done(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		      uint32_t len, uint64_t flags)
{
	uint64_t count = error ? 0 : sdv_fs_u64_load(data);

	(void)len, (void)flags;
	if (!error && count > call->size)
		error = -EIO;
	/* @dir is the file copied to. */
	sdv_file_fence(mount, call->dir);
	sdv_notice_file(mount, call->dir, false);
	if (error)
		sdv_answer_error(call->req, error);
	else
		sdv_answer_count(call->req, count);
	sdv_call_free(mount, call);
}

static void copy_send(struct sdv_mount *mount, void *arg)
{
	struct sdv_call *call = arg;
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_COPY,
		.node = call->file->number,
		.node2 = call->dir->number,
		.offset = call->offset,
		.arg = call->owner,
		.count = call->size,
	};

	sdv_bytes_drop(mount, call->dir);
	sdv_file_fence(mount, call->dir);
	call->done = copy_done;
	sdv_call_send(mount, call, &request);
}

static void copy_from_clean(struct sdv_mount *mount, void *arg)
{
	struct sdv_call *call = arg;

	sdv_when_clean(mount, call->dir, copy_send, call);
}

void sdv_on_copy(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *from, uint64_t from_offset,
		 struct sdv_file *to, uint64_t to_offset, size_t size)
{
	struct sdv_call *call = sdv_call_new(req, from, to);

	if (!call) {
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	call->offset = from_offset;
	call->owner = to_offset;
	call->size = (uint32_t)(size < (1u << 30) ? size : 1u << 30);
	sdv_when_clean(mount, from, copy_from_clean, call);
}
