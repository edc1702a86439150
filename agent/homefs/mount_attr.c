// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount_attr.c: attributes, extended attributes, rights and locks.
 */
#include "mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define TRIES_MAX 3u

static void attr_ask(struct sdv_mount *mount, void *arg);

static void attr_asked(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		       uint32_t len, uint64_t flags)
{
	struct sdv_file *file = call->file;
	struct sdv_fs_attr attr;

	(void)len, (void)flags;
	if (!error)
		error = sdv_fs_attr_load(data, &attr) ? -EIO : 0;
	/* One number is one file. */
	if (!error && file->attr.mode && (file->attr.mode ^ attr.mode) & S_IFMT)
		error = -EIO;
	if (error) {
		call->go_on(mount, call, error, NULL, false);
		return;
	}
	if (sdv_file_take(mount, file, &attr, call->stamp)) {
		call->go_on(mount, call, 0, &file->attr, file->has_attr);
		return;
	}
	if (++call->tries < TRIES_MAX) {
		sdv_when_clean(mount, file, attr_ask, call);
		return;
	}
	/* Somebody writes without a pause.  The kernel would cut off what lies behind the size. */
	if (attr.size < file->written_end)
		attr.size = file->written_end;
	call->go_on(mount, call, 0, &attr, false);
}

static void attr_ask(struct sdv_mount *mount, void *arg)
{
	struct sdv_call *call = arg;
	struct sdv_fs_request request = { .op = SUPERDEV_FS_GETATTR, .node = call->file->number };

	if (call->file->has_attr) {
		call->go_on(mount, call, 0, &call->file->attr, true);
		return;
	}
	call->done = attr_asked;
	sdv_call_send(mount, call, &request);
}

void sdv_attr_fetch(struct sdv_mount *mount, struct sdv_call *call)
{
	call->tries = 0;
	sdv_when_clean(mount, call->file, attr_ask, call);
}

static void getattr_go_on(struct sdv_mount *mount, struct sdv_call *call, int error,
			  const struct sdv_fs_attr *attr, bool is_kept)
{
	if (error)
		sdv_answer_error(call->req, error);
	else
		sdv_answer_attr(call->req, attr, is_kept);
	sdv_call_free(mount, call);
}

void sdv_on_getattr(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file)
{
	struct sdv_call *call = sdv_call_new(req, file, NULL);

	if (!call) {
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	call->go_on = getattr_go_on;
	sdv_attr_fetch(mount, call);
}

/* Answers that are the file's attributes after a change that was made by @call. */
static void attr_changed(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
			 uint32_t len, uint64_t flags)
{
	struct sdv_fs_attr attr;
	bool is_kept;

	(void)len, (void)flags;
	if (!error)
		error = sdv_fs_attr_load(data, &attr) ? -EIO : 0;
	if (error) {
		sdv_file_fence(mount, call->file);
		sdv_answer_error(call->req, error);
	} else {
		is_kept = sdv_file_take(mount, call->file, &attr, call->stamp) && call->file->has_attr;
		/* Emptied. */
		if (call->size && is_kept)
			sdv_bytes_begin(mount, call->file);
		/* What was looked at before the change, and is still on its way, is too old. */
		call->file->fence = ++mount->clock;
		/* Who may no longer look into it is not to find what is known of it. */
		if (S_ISDIR(attr.mode) && !(attr.access & 1)) {
			sdv_names_forget(mount, call->file);
			is_kept = false;
		}
		sdv_answer_attr(call->req, &attr, is_kept);
	}
	sdv_call_free(mount, call);
}

struct setattr {
	struct sdv_call *call;
	uint32_t valid;
	uint64_t size;
	uint8_t data[sizeof(struct superdev_fs_setattr)];
};

static void setattr_send(struct sdv_mount *mount, void *arg)
{
	struct setattr *set = arg;
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_SETATTR,
		.node = set->call->file->number,
		.data = set->data,
		.data_len = sizeof(set->data),
	};

	set->call->size = set->valid & SUPERDEV_FS_S_SIZE && !set->size;
	if (set->valid & SUPERDEV_FS_S_SIZE)
		sdv_bytes_drop(mount, set->call->file);
	sdv_file_fence(mount, set->call->file);
	set->call->done = attr_changed;
	sdv_call_send(mount, set->call, &request);
	free(set);
}

void sdv_on_setattr(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file,
		    const struct sdv_fs_setattr *set)
{
	struct setattr *setattr = malloc(sizeof(*setattr));
	struct sdv_call *call = sdv_call_new(req, file, NULL);

	if (!setattr || !call) {
		if (call)
			sdv_call_free(mount, call);
		free(setattr);
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	setattr->call = call;
	setattr->valid = set->valid;
	setattr->size = set->size;
	sdv_fs_setattr_store(setattr->data, set);
	sdv_when_clean(mount, file, setattr_send, setattr);
}

static void access_go_on(struct sdv_mount *mount, struct sdv_call *call, int error,
			 const struct sdv_fs_attr *attr, bool is_kept)
{
	(void)is_kept;
	if (!error && (attr->access & call->flags) != call->flags)
		error = -EACCES;
	sdv_answer_error(call->req, error);
	sdv_call_free(mount, call);
}

void sdv_on_access(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, int mask)
{
	struct sdv_call *call = sdv_call_new(req, file, NULL);

	if (!call) {
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	call->flags = (uint32_t)mask & 7;
	call->go_on = access_go_on;
	sdv_attr_fetch(mount, call);
}

/* Sends a request about @file whose answer is not kept; @done frees the call. */
static void ask(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file,
		struct sdv_fs_request *request, size_t size,
		void (*done)(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
			     uint32_t len, uint64_t flags))
{
	struct sdv_call *call = sdv_call_new(req, file, NULL);

	if (!call) {
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	request->node = file->number;
	call->size = (uint32_t)size;
	call->done = done;
	sdv_call_send(mount, call, request);
}

static void statfs_done(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
			uint32_t len, uint64_t flags)
{
	struct sdv_fs_statfs fs;

	(void)len, (void)flags;
	if (!error)
		error = sdv_fs_statfs_load(data, &fs);
	if (error)
		sdv_answer_error(call->req, error);
	else
		sdv_answer_statfs(call->req, &fs);
	sdv_call_free(mount, call);
}

void sdv_on_statfs(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file)
{
	struct sdv_fs_request request = { .op = SUPERDEV_FS_STATFS };

	ask(mount, req, file, &request, 0, statfs_done);
}

/* A value, or its length where the program gave no room. */
static void value_done(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		       uint32_t len, uint64_t flags)
{
	(void)flags;
	if (error)
		sdv_answer_error(call->req, error);
	else if (!call->size)
		sdv_answer_xattr_size(call->req, len);
	else if (len > call->size)
		sdv_answer_error(call->req, -ERANGE);
	else
		sdv_answer_data(call->req, data, len);
	sdv_call_free(mount, call);
}

static bool has_no_xattr(const struct sdv_file *file)
{
	return file->has_attr && file->attr.flags & SUPERDEV_FS_A_NO_XATTR;
}

static bool name_fits(struct sdv_fs_request *request, const char *name)
{
	if (strlen(name) > SUPERDEV_FS_NAME_MAX)
		return false;
	sdv_fs_name_put(request->name, name);
	return true;
}

/* Whether there are any comes with the attributes, which are mostly here. */
static void getxattr_go_on(struct sdv_mount *mount, struct sdv_call *call, int error,
			   const struct sdv_fs_attr *attr, bool is_kept)
{
	struct sdv_fs_request request = { .op = SUPERDEV_FS_GETXATTR, .node = call->file->number };

	(void)is_kept;
	if (!error && attr->flags & SUPERDEV_FS_A_NO_XATTR)
		error = -ENODATA;
	if (!error && !name_fits(&request, call->name))
		error = -ERANGE;
	if (error) {
		sdv_answer_error(call->req, error);
		sdv_call_free(mount, call);
		return;
	}
	call->done = value_done;
	sdv_call_send(mount, call, &request);
}

void sdv_on_getxattr(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, const char *name,
		     size_t size)
{
	struct sdv_call *call;

	/*
	 * Asked before every first write.  What is being written has none, or
	 * had them told, and waiting for what is on its way would take turns
	 * with writing.
	 */
	if (file->first && file->attr.flags & SUPERDEV_FS_A_NO_XATTR) {
		sdv_answer_error(req, -ENODATA);
		return;
	}
	call = sdv_call_new(req, file, NULL);
	if (call)
		call->name = strdup(name);
	if (!call || !call->name) {
		if (call)
			sdv_call_free(mount, call);
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	call->size = (uint32_t)size;
	call->go_on = getxattr_go_on;
	sdv_attr_fetch(mount, call);
}

void sdv_on_listxattr(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, size_t size)
{
	struct sdv_fs_request request = { .op = SUPERDEV_FS_LISTXATTR };

	if (has_no_xattr(file) && size)
		sdv_answer_data(req, "", 0);
	else if (has_no_xattr(file))
		sdv_answer_xattr_size(req, 0);
	else
		ask(mount, req, file, &request, size, value_done);
}

static void xattr_changed(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
			  uint32_t len, uint64_t flags)
{
	(void)data, (void)len, (void)flags;
	/* An ACL changes the mode as well. */
	sdv_file_fence(mount, call->file);
	if (!error)
		sdv_notice_file(mount, call->file, false);
	sdv_answer_error(call->req, error);
	sdv_call_free(mount, call);
}

void sdv_on_setxattr(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, const char *name,
		     const void *value, size_t size, int flags)
{
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_SETXATTR,
		.flags = (flags & XATTR_CREATE ? SUPERDEV_FS_X_CREATE : 0) |
			 (flags & XATTR_REPLACE ? SUPERDEV_FS_X_REPLACE : 0),
		.data = value,
		.data_len = (uint32_t)size,
	};

	if (!name_fits(&request, name) || size > SUPERDEV_FS_XATTR_MAX) {
		sdv_answer_error(req, -ERANGE);
		return;
	}
	sdv_file_fence(mount, file);
	ask(mount, req, file, &request, 0, xattr_changed);
}

void sdv_on_removexattr(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file,
			const char *name)
{
	struct sdv_fs_request request = { .op = SUPERDEV_FS_REMOVEXATTR };

	if (!name_fits(&request, name)) {
		sdv_answer_error(req, -ERANGE);
		return;
	}
	sdv_file_fence(mount, file);
	ask(mount, req, file, &request, 0, xattr_changed);
}

/* How often a refusal is doubted while another descriptor here has a flock. */
#define LOCK_TRIES 4

struct lock {
	struct sdv_call *call;
	uint8_t data[sizeof(struct superdev_fs_lock)];
	uint32_t drops_done;
	bool is_waiting, is_flock, is_lock;
};

static void lock_send(struct sdv_mount *mount, void *arg);

static void lock_done(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		      uint32_t len, uint64_t flags)
{
	struct lock *lock = call->arg;
	struct sdv_fs_lock answer;

	(void)len, (void)flags;
	/*
	 * The kernel does not wait for a lock to be given back that goes with its descriptor.
	 * For programs here it has gone with close(): a refusal that may be due to it is none.
	 * Another thread may have read that from the kernel and be about to tell it.
	 */
	if (error == -EAGAIN && (call->file->drops_begun != lock->drops_done ||
				 (call->file->nr_flocked && call->tries++ < LOCK_TRIES))) {
		lock_send(mount, lock);
		return;
	}
	if (!error)
		error = sdv_fs_lock_load(data, &answer) ? -EIO : 0;
	if (!error && lock->is_flock)
		sdv_open_flocked(call->open, lock->is_lock);
	if (error)
		sdv_answer_error(call->req, error);
	else if (call->flags == SUPERDEV_FS_L_TEST)
		sdv_answer_lock(call->req, &answer);
	else
		sdv_answer_error(call->req, 0);
	free(lock);
	sdv_call_free(mount, call);
}

/* Who gives a lock back has written what it protected: home must have it first. */
static void lock_send(struct sdv_mount *mount, void *arg)
{
	struct lock *lock = arg;
	struct sdv_call *call = lock->call;
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_LOCK,
		.node = call->file->number,
		.data = lock->data,
		.data_len = sizeof(lock->data),
	};

	call->done = lock_done;
	lock->drops_done = call->file->drops_done;
	/* The answer, which ends the kernel's request, cannot be looked at before the lock is free. */
	if (sdv_call_send(mount, call, &request) && lock->is_waiting)
		sdv_answer_interruptible(call->req, call->tag);
}

/* Whose locks are to be given back with @open, as nobody tells when they are; false: no memory. */
static bool locker_note(struct sdv_open *open, uint64_t owner)
{
	uint64_t *larger;

	for (unsigned int i = 0; i < open->nr_lockers; i++)
		if (open->lockers[i] == owner)
			return true;
	larger = realloc(open->lockers, (open->nr_lockers + 1) * sizeof(*larger));
	if (!larger)
		return false;
	open->lockers = larger;
	open->lockers[open->nr_lockers++] = owner;
	return true;
}

void sdv_on_lock(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, struct sdv_open *open,
		 const struct sdv_fs_lock *lock)
{
	struct lock *later = malloc(sizeof(*later));
	struct sdv_call *call = sdv_call_new(req, file, NULL);
	bool is_kept = lock->kind == SUPERDEV_FS_L_POSIX && lock->what != SUPERDEV_FS_L_TEST &&
		       lock->type != SUPERDEV_FS_L_UNLOCK;

	if (!later || !call || (is_kept && open->is_quiet && !locker_note(open, lock->owner))) {
		if (call)
			sdv_call_free(mount, call);
		free(later);
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	if (is_kept)
		file->has_locks = true;
	call->flags = lock->what;
	call->arg = later;
	call->open = open;
	later->call = call;
	later->is_waiting = lock->what == SUPERDEV_FS_L_WAIT;
	later->is_flock = lock->kind == SUPERDEV_FS_L_FLOCK;
	later->is_lock = lock->type != SUPERDEV_FS_L_UNLOCK;
	sdv_fs_lock_store(later->data, lock);
	sdv_when_clean(mount, file, lock_send, later);
}
