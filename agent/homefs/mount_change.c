// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount_change.c: making, moving and removing names.
 *
 * Home does it and the program waits: only home knows whether it may be done.
 * While it is on its way, nothing that was asked before is kept of the names in
 * that directory; afterwards the table has what home answered, unless home has
 * told of yet another change meanwhile.
 */
#include "mount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#define RENAME_EXCHANGE  (1 << 1)
#endif

/* The answer to what makes a name: an entry. */
static void made(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data, uint32_t len,
		 uint64_t flags)
{
	struct sdv_name *name;

	(void)len, (void)flags;
	if (!error)
		error = sdv_entry_learn(mount, call, data, true);
	/* What was asked while it was on its way may not know of it. */
	sdv_names_fence(mount, call->dir);
	if (!error) {
		sdv_entry_answer(mount, call);
		return;
	}
	/* There is something that was not known of, or there is not what was. */
	name = sdv_name_find(call->dir, call->name);
	if (name && !name->is_in_kernel)
		sdv_name_drop(mount, call->dir, name);
	if (error == -EEXIST)
		sdv_notice_name(mount, call->dir, call->name);
	sdv_answer_error(call->req, error);
	sdv_call_free(mount, call);
}

void sdv_on_make(struct sdv_mount *mount, struct fuse_req *req, uint8_t op, struct sdv_file *dir,
		 const char *name, uint32_t mode, uint32_t mask, const char *target)
{
	struct sdv_fs_request request = {
		.op = op,
		.node = dir->number,
		.mode = mode,
		.umask = mask & 0777,
		.data = (const uint8_t *)target,
		.data_len = target ? (uint32_t)strlen(target) : 0,
	};
	struct sdv_call *call;

	if (!sdv_name_copy(request.name, name) || request.data_len > SUPERDEV_FS_TARGET_MAX) {
		sdv_answer_error(req, -ENAMETOOLONG);
		return;
	}
	call = sdv_name_call(mount, req, NULL, dir, name);
	if (!call)
		return;
	sdv_names_fence(mount, dir);
	call->done = made;
	sdv_call_send(mount, call, &request);
}

static void created(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		    uint32_t len, uint64_t flags)
{
	struct sdv_fs_request release = { .op = SUPERDEV_FS_RELEASE };

	if (!error)
		error = sdv_entry_learn(mount, call, data, true);
	if (!error) {
		call->open = sdv_open_new(call->file, (int)call->flags, true);
		release.node = call->file->number;
		if (!call->open)
			sdv_call_tell(mount, &release);
	}
	if (error || !call->open) {
		made(mount, call, error ? error : -ENOMEM, data, len, flags);
		return;
	}
	if (call->file->has_attr && !call->file->attr.size && !call->file->first)
		sdv_bytes_begin(mount, call->file);
	sdv_names_fence(mount, call->dir);
	sdv_entry_answer(mount, call);
}

void sdv_on_create(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *dir, const char *name,
		   uint32_t mode, uint32_t mask, int flags)
{
	int access = flags & O_ACCMODE;
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_CREATE,
		.node = dir->number,
		.mode = mode & 07777,
		.umask = mask & 0777,
		.flags = (access != O_WRONLY ? SUPERDEV_FS_O_READ : 0) |
			 (access != O_RDONLY ? SUPERDEV_FS_O_WRITE : 0) |
			 (flags & O_TRUNC ? SUPERDEV_FS_O_TRUNC : 0) |
			 (flags & O_EXCL ? SUPERDEV_FS_O_EXCL : 0),
	};
	struct sdv_call *call;

	if (!sdv_name_copy(request.name, name)) {
		sdv_answer_error(req, -ENAMETOOLONG);
		return;
	}
	call = sdv_name_call(mount, req, NULL, dir, name);
	if (!call)
		return;
	call->flags = (uint32_t)flags;
	sdv_names_fence(mount, dir);
	call->done = created;
	sdv_call_send(mount, call, &request);
}

static void link_send(struct sdv_mount *mount, void *arg)
{
	struct sdv_call *call = arg;
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_LINK,
		.node = call->file->number,
		.node2 = call->dir->number,
	};

	/* Checked when it was asked. */
	sdv_name_copy(request.name, call->name);
	/* Its link count changes, too. */
	sdv_file_fence(mount, call->file);
	sdv_names_fence(mount, call->dir);
	call->done = made;
	sdv_call_send(mount, call, &request);
}

void sdv_on_link(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, struct sdv_file *dir,
		 const char *name)
{
	struct sdv_call *call;

	if (!sdv_fs_is_name(name, strlen(name))) {
		sdv_answer_error(req, -ENAMETOOLONG);
		return;
	}
	call = sdv_name_call(mount, req, file, dir, name);
	if (call)
		sdv_when_clean(mount, file, link_send, call);
}

/* What a name stood for has another link count and other times. */
static void victim_fence(struct sdv_mount *mount, struct sdv_file *dir, const char *text)
{
	struct sdv_name *name = sdv_name_find(dir, text);

	if (name && name->file)
		sdv_file_fence(mount, name->file);
}

/* The name is another thing now, which the kernel knows, for it did it. */
static void name_changed(struct sdv_mount *mount, struct sdv_file *dir, const char *text, uint64_t stamp,
			 struct sdv_file *file)
{
	struct sdv_name *name = sdv_name_find(dir, text);

	if (stamp < dir->told_fence) {
		if (name)
			sdv_name_drop(mount, dir, name);
		sdv_notice_name(mount, dir, text);
		return;
	}
	name = sdv_name_set(mount, dir, text, file ? SDV_NAME_THERE : SDV_NAME_ABSENT, file);
	if (name)
		name->is_in_kernel = true;
	else
		sdv_notice_name(mount, dir, text);
}

static void unlinked(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		     uint32_t len, uint64_t flags)
{
	struct sdv_name *name;

	(void)data, (void)len, (void)flags;
	if (call->file)
		sdv_file_fence(mount, call->file);
	if (!error) {
		name_changed(mount, call->dir, call->name, call->stamp, NULL);
	} else if (error == -ENOENT) {
		name = sdv_name_find(call->dir, call->name);
		if (name)
			sdv_name_drop(mount, call->dir, name);
		sdv_notice_name(mount, call->dir, call->name);
	}
	sdv_names_fence(mount, call->dir);
	sdv_answer_error(call->req, error);
	sdv_call_free(mount, call);
}

void sdv_on_unlink(struct sdv_mount *mount, struct fuse_req *req, uint8_t op, struct sdv_file *dir,
		   const char *name)
{
	struct sdv_fs_request request = { .op = op, .node = dir->number };
	struct sdv_name *known = sdv_name_find(dir, name);
	struct sdv_call *call;

	if (!sdv_name_copy(request.name, name)) {
		sdv_answer_error(req, -ENAMETOOLONG);
		return;
	}
	call = sdv_name_call(mount, req, known ? known->file : NULL, dir, name);
	if (!call)
		return;
	victim_fence(mount, dir, name);
	sdv_names_fence(mount, dir);
	call->done = unlinked;
	sdv_call_send(mount, call, &request);
}

static void renamed(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		    uint32_t len, uint64_t flags)
{
	struct sdv_name *from = sdv_name_find(call->dir, call->name);
	struct sdv_name *to = sdv_name_find(call->dir2, call->name2);
	struct sdv_file *moved = from ? from->file : NULL, *other = to ? to->file : NULL;

	(void)data, (void)len, (void)flags;
	if (moved)
		sdv_file_hold(moved);
	if (other)
		sdv_file_hold(other);
	if (!error && moved && moved == other) {
		/* Two names of one file: nothing has happened, whatever the kernel thinks. */
		sdv_notice_name(mount, call->dir, call->name);
		sdv_notice_name(mount, call->dir2, call->name2);
	} else if (!error) {
		bool is_exchange = call->flags & SUPERDEV_FS_RENAME_EXCHANGE;

		name_changed(mount, call->dir, call->name, call->stamp, is_exchange ? other : NULL);
		if (moved) {
			name_changed(mount, call->dir2, call->name2, call->stamp, moved);
		} else {
			if (to)
				sdv_name_drop(mount, call->dir2, to);
			else
				call->dir2->is_complete = false;
			sdv_notice_name(mount, call->dir2, call->name2);
		}
	}
	if (moved) {
		sdv_file_fence(mount, moved);
		sdv_file_put(mount, moved);
	}
	if (other) {
		sdv_file_fence(mount, other);
		sdv_file_put(mount, other);
	}
	sdv_names_fence(mount, call->dir);
	sdv_names_fence(mount, call->dir2);
	sdv_answer_error(call->req, error);
	sdv_call_free(mount, call);
}

void sdv_on_rename(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *dir, const char *name,
		   struct sdv_file *dir2, const char *name2, unsigned int flags)
{
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_RENAME,
		.node = dir->number,
		.node2 = dir2->number,
		.flags = (flags & RENAME_NOREPLACE ? SUPERDEV_FS_RENAME_NOREPLACE : 0) |
			 (flags & RENAME_EXCHANGE ? SUPERDEV_FS_RENAME_EXCHANGE : 0),
	};
	struct sdv_call *call;

	/* RENAME_WHITEOUT is for file systems that lie on this one. */
	if (flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE)) {
		sdv_answer_error(req, -EINVAL);
		return;
	}
	if (!sdv_name_copy(request.name, name) || !sdv_name_copy(request.name2, name2)) {
		sdv_answer_error(req, -ENAMETOOLONG);
		return;
	}
	call = sdv_name_call(mount, req, NULL, dir, name);
	if (!call)
		return;
	call->name2 = strdup(name2);
	call->dir2 = dir2;
	sdv_file_hold(dir2);
	if (!call->name2) {
		sdv_answer_error(req, -ENOMEM);
		sdv_call_free(mount, call);
		return;
	}
	call->flags = request.flags;
	victim_fence(mount, dir, name);
	victim_fence(mount, dir2, name2);
	/* Both before it is sent: its stamp must be no older than either. */
	sdv_names_fence(mount, dir);
	sdv_names_fence(mount, dir2);
	call->done = renamed;
	sdv_call_send(mount, call, &request);
}
