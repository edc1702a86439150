// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount_name.c: names, as they are.
 *
 * A name is told to the kernel as something to be kept exactly when it is in the
 * directory's table at that moment: so whatever takes it out of the table knows
 * whether the kernel must be told, too.
 */
#include "mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LISTED_SOON_MAX 30000u   /* entries that are fetched for the sake of lookups */
#define LISTED_MAX      4000000u /* for readdir */
#define LOOKUPS_MIN     2u       /* in a directory, before all of it is fetched */

bool sdv_name_copy(char *to, const char *name)
{
	if (!sdv_fs_is_name(name, strlen(name)))
		return false;
	sdv_fs_name_put(to, name);
	return true;
}

struct sdv_call *sdv_name_call(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file,
			       struct sdv_file *dir, const char *name)
{
	struct sdv_call *call = sdv_call_new(req, file, dir);

	if (call)
		call->name = strdup(name);
	if (call && call->name)
		return call;
	if (call)
		sdv_call_free(mount, call);
	sdv_answer_error(req, -ENOMEM);
	return NULL;
}

static void absent_answer(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *dir,
			  const char *text)
{
	struct sdv_name *name = sdv_name_set(mount, dir, text, SDV_NAME_ABSENT, NULL);

	if (!name) {
		sdv_answer_error(req, -ENOENT);
		return;
	}
	name->is_in_kernel = true;
	sdv_answer_entry(req, NULL, NULL, true, false);
}

/* The answer, whatever is to be kept of it; @call is done then. */
static void entry_give(struct sdv_mount *mount, struct sdv_call *call, const struct sdv_fs_attr *attr,
		       bool keep_attr)
{
	struct sdv_name *name = sdv_name_find(call->dir, call->name);
	bool keep_name = name && name->state == SDV_NAME_THERE && name->file == call->file;

	if (keep_name)
		name->is_in_kernel = true;
	if (call->open)
		sdv_answer_create(call->req, call->file, attr, keep_name, keep_attr, call->open);
	else
		sdv_answer_entry(call->req, call->file, attr, keep_name, keep_attr);
	sdv_call_free(mount, call);
}

static void entry_go_on(struct sdv_mount *mount, struct sdv_call *call, int error,
			const struct sdv_fs_attr *attr, bool is_kept)
{
	struct sdv_name *name;

	if (!error) {
		entry_give(mount, call, attr, is_kept);
		return;
	}
	/* It has gone since it was listed, perhaps: the kernel looks again after ESTALE. */
	name = sdv_name_find(call->dir, call->name);
	if (name && name->file == call->file)
		sdv_name_drop(mount, call->dir, name);
	if (call->open)
		sdv_open_close(mount, call->open);
	sdv_answer_error(call->req, error);
	sdv_call_free(mount, call);
}

void sdv_entry_answer(struct sdv_mount *mount, struct sdv_call *call)
{
	struct sdv_file *file = call->file;

	/* A directory's attributes are looked at when they are wanted for themselves. */
	if (!file->has_attr && S_ISDIR(file->attr.mode)) {
		entry_give(mount, call, &file->attr, false);
		return;
	}
	call->go_on = entry_go_on;
	sdv_attr_fetch(mount, call);
}

/* Lookup ------------------------------------------------------------------- */

static void listing_start(struct sdv_mount *mount, struct sdv_file *dir, struct fuse_req *req,
			  struct sdv_open *open, size_t size);

int sdv_entry_learn(struct sdv_mount *mount, struct sdv_call *call, const uint8_t *data, bool is_own)
{
	struct sdv_file *dir = call->dir, *file;
	bool is_new = call->stamp >= (is_own ? dir->told_fence : dir->names_fence);
	struct sdv_fs_entry entry;
	struct sdv_name *name;

	if (sdv_fs_entry_load(data, &entry))
		return -EIO;
	file = sdv_file_told(mount, entry.node);
	if (!file)
		return -ENOMEM;
	if (call->file)
		sdv_file_put(mount, call->file);
	call->file = file;
	sdv_file_hold(file);
	if (file->attr.mode && (file->attr.mode ^ entry.attr.mode) & S_IFMT)
		return -EIO;
	if (!sdv_file_take(mount, file, &entry.attr, call->stamp) && !file->attr.mode)
		file->attr = entry.attr;
	if (is_new && call->stamp >= mount->lost_fence && entry.attr.flags & SUPERDEV_FS_A_NAMED) {
		sdv_name_set(mount, dir, call->name, SDV_NAME_THERE, file);
	} else {
		name = sdv_name_find(dir, call->name);
		if (name && is_own)
			sdv_name_drop(mount, dir, name);
	}
	return 0;
}

static void looked_up(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		      uint32_t len, uint64_t flags)
{
	bool is_new = call->stamp >= call->dir->names_fence;
	bool is_accepted;

	(void)len;
	if (error == -ENOENT && flags & SUPERDEV_FS_R_LEASED && is_new) {
		absent_answer(mount, call->req, call->dir, call->name);
		sdv_call_free(mount, call);
		return;
	}
	if (!error)
		error = sdv_entry_learn(mount, call, data, false);
	if (error) {
		sdv_answer_error(call->req, error);
		sdv_call_free(mount, call);
		return;
	}
	is_accepted = call->stamp >= call->file->fence && call->stamp >= mount->lost_fence;
	/* Good for once, where home does not notice changes. */
	if (is_accepted && !call->file->has_attr && !call->file->first)
		entry_give(mount, call, &call->file->attr, false);
	else
		sdv_entry_answer(mount, call);
}

void sdv_on_lookup(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *dir, const char *text)
{
	struct sdv_fs_request request = { .op = SUPERDEV_FS_LOOKUP, .node = dir->number };
	struct sdv_name *name = sdv_name_find(dir, text);
	struct sdv_call *call;

	if (!sdv_name_copy(request.name, text)) {
		sdv_answer_error(req, -ENAMETOOLONG);
		return;
	}
	if ((name && name->state == SDV_NAME_ABSENT) || (!name && dir->is_complete)) {
		absent_answer(mount, req, dir, text);
		return;
	}
	call = sdv_name_call(mount, req, name ? name->file : NULL, dir, text);
	if (!call)
		return;
	if (name && name->state == SDV_NAME_THERE) {
		sdv_entry_answer(mount, call);
		return;
	}
	call->done = looked_up;
	sdv_call_send(mount, call, &request);
	if (++dir->nr_lookups >= LOOKUPS_MIN && !dir->is_complete && !dir->is_listing && !dir->is_large)
		listing_start(mount, dir, NULL, NULL, 0);
}

/* Listing ------------------------------------------------------------------ */

/**
 * struct listing - a directory as home tells it, part by part
 * @stamp:	when the first part was asked for
 * @req:	who waits, with @size bytes of room; NULL: it is for lookups to come
 */
struct listing {
	uint64_t stamp;
	struct fuse_req *req;
	struct sdv_open *open;
	size_t size;
	bool is_leased;
	struct listed {
		char *name;
		struct sdv_file *file; /* NULL: only the type is known */
		uint64_t ino;
		uint32_t mode;
	} *entries;
	size_t len, max;
};

static int list_add(struct sdv_open *open, const char *name, uint64_t ino, uint32_t mode)
{
	if (open->list_len == open->list_max) {
		size_t max = open->list_max ? open->list_max * 2 : 64;
		struct sdv_listed *list = realloc(open->list, max * sizeof(*list));

		if (!list)
			return -ENOMEM;
		open->list = list;
		open->list_max = max;
	}
	open->list[open->list_len].name = strdup(name);
	if (!open->list[open->list_len].name)
		return -ENOMEM;
	open->list[open->list_len].ino = ino;
	open->list[open->list_len++].mode = mode;
	return 0;
}

/* An empty list but for the two that every directory has. */
static int list_begin(struct sdv_open *open)
{
	int r;

	for (size_t i = 0; i < open->list_len; i++)
		free(open->list[i].name);
	open->list_len = 0;
	r = list_add(open, ".", open->file->attr.ino, S_IFDIR);
	return r ? r : list_add(open, "..", open->file->attr.ino, S_IFDIR);
}

struct list_from_names {
	struct sdv_open *open;
	int error;
	bool has_unknown;
};

static void list_name(struct sdv_name *name, void *arg)
{
	struct list_from_names *from = arg;

	if (name->state == SDV_NAME_UNKNOWN)
		from->has_unknown = true;
	if (name->state == SDV_NAME_THERE && !from->error)
		from->error = list_add(from->open, name->name, name->file->attr.ino, name->file->attr.mode);
}

/* What is known is made the table of names; what the kernel believed beyond that, it must forget. */
static void listing_install(struct sdv_mount *mount, struct sdv_file *dir, const struct listing *listing)
{
	uint32_t round = ++mount->round;

	for (size_t i = 0; i < listing->len; i++) {
		const struct listed *entry = &listing->entries[i];
		struct sdv_name *name = sdv_name_find(dir, entry->name);

		if (name && name->is_in_kernel && name->file != entry->file) {
			sdv_notice_name(mount, dir, entry->name);
			name->is_in_kernel = false;
		}
		name = sdv_name_set(mount, dir, entry->name, entry->file ? SDV_NAME_THERE : SDV_NAME_UNKNOWN,
				    entry->file);
		if (!name)
			return;
		name->round = round;
	}
	for (size_t i = 0; i < dir->names.nr_buckets; i++) {
		struct sdv_link_in_table *link = dir->names.buckets[i], *next;

		for (; link; link = next) {
			struct sdv_name *name = sdv_container(link, struct sdv_name, link);

			next = link->next;
			if (name->round == round || name->state == SDV_NAME_ABSENT)
				continue;
			if (name->is_in_kernel)
				sdv_notice_name(mount, dir, name->name);
			sdv_name_drop(mount, dir, name);
		}
	}
	dir->is_complete = true;
	sdv_names_trim(mount);
}

static void listing_end(struct sdv_mount *mount, struct sdv_call *call, struct listing *listing, int error)
{
	struct sdv_file *dir = call->dir;

	if (!error && listing->is_leased && listing->stamp >= dir->names_fence &&
	    listing->stamp >= mount->lost_fence)
		listing_install(mount, dir, listing);
	if (listing->req && !error)
		error = list_begin(listing->open);
	for (size_t i = 0; i < listing->len; i++) {
		struct listed *entry = &listing->entries[i];

		if (listing->req && !error)
			error = list_add(listing->open, entry->name, entry->ino, entry->mode);
		if (entry->file)
			sdv_file_put(mount, entry->file);
		free(entry->name);
	}
	if (!listing->req)
		dir->is_listing = false;
	else if (error)
		sdv_answer_error(listing->req, error);
	else
		sdv_answer_list(listing->req, listing->open, listing->size, 0);
	free(listing->entries);
	free(listing);
	sdv_call_free(mount, call);
}

static int listing_add(struct sdv_mount *mount, struct listing *listing, const struct sdv_fs_entry *entry,
		       const char *name, uint64_t stamp)
{
	struct listed *listed;

	if (listing->len == listing->max) {
		size_t max = listing->max ? listing->max * 2 : 64;
		struct listed *entries = realloc(listing->entries, max * sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		listing->entries = entries;
		listing->max = max;
	}
	listed = &listing->entries[listing->len];
	*listed = (struct listed){ .ino = entry->attr.ino, .mode = entry->attr.mode };
	listed->name = strdup(name);
	if (!listed->name)
		return -ENOMEM;
	listing->len++;
	if (!entry->node)
		return 0;
	listed->file = sdv_file_told(mount, entry->node);
	if (!listed->file)
		return -ENOMEM;
	sdv_file_hold(listed->file);
	if (listed->file->attr.mode && (listed->file->attr.mode ^ entry->attr.mode) & S_IFMT)
		return -EIO;
	/* While something is on its way there, what was listed is not its size. */
	if (!listed->file->first)
		sdv_file_take(mount, listed->file, &entry->attr, stamp);
	if (!listed->file->attr.mode)
		listed->file->attr = entry->attr;
	return 0;
}

static void listing_ask(struct sdv_mount *mount, struct sdv_call *call, uint64_t cookie);

static void listed(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		   uint32_t len, uint64_t flags)
{
	struct listing *listing = (struct listing *)(uintptr_t)call->owner;
	size_t pos = 0, before = listing->len;
	char name[SUPERDEV_FS_NAME_MAX + 1];
	struct sdv_fs_entry entry;
	uint64_t cookie = 0;
	int r = 1;

	while (!error && r > 0) {
		r = sdv_fs_dirent_next(data, len, &pos, &entry, &cookie, name);
		if (r < 0)
			error = -EIO;
		else if (r > 0)
			error = listing_add(mount, listing, &entry, name, call->stamp);
	}
	listing->is_leased = listing->is_leased && flags & SUPERDEV_FS_R_LEASED;
	if (!listing->req && listing->len > LISTED_SOON_MAX) {
		call->dir->is_large = true;
		error = -E2BIG;
	}
	if (!error && listing->len > LISTED_MAX)
		error = -ENOMEM;
	if (!error && !(flags & SUPERDEV_FS_R_END) && listing->len == before)
		error = -EIO;
	if (error || flags & SUPERDEV_FS_R_END)
		listing_end(mount, call, listing, error);
	else
		listing_ask(mount, call, cookie);
}

static void listing_ask(struct sdv_mount *mount, struct sdv_call *call, uint64_t cookie)
{
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_READDIR,
		.node = call->dir->number,
		.arg = cookie,
		.count = SUPERDEV_FS_IO_MAX,
	};

	call->done = listed;
	sdv_call_send(mount, call, &request);
}

static void listing_start(struct sdv_mount *mount, struct sdv_file *dir, struct fuse_req *req,
			  struct sdv_open *open, size_t size)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	struct sdv_call *call = sdv_call_new(req, NULL, dir);

	if (!listing || !call) {
		if (call)
			sdv_call_free(mount, call);
		free(listing);
		if (req)
			sdv_answer_error(req, -ENOMEM);
		return;
	}
	*listing = (struct listing){
		.stamp = mount->clock,
		.req = req,
		.open = open,
		.size = size,
		.is_leased = true,
	};
	call->owner = (uintptr_t)listing;
	if (!req)
		dir->is_listing = true;
	listing_ask(mount, call, 0);
}

void sdv_on_readdir(struct sdv_mount *mount, struct fuse_req *req, struct sdv_open *open, size_t size,
		    uint64_t offset)
{
	struct list_from_names from = { .open = open };

	if (offset) {
		sdv_answer_list(req, open, size, offset);
		return;
	}
	if (open->file->is_complete) {
		from.error = list_begin(open);
		sdv_names_each(open->file, list_name, &from);
		if (from.error)
			sdv_answer_error(req, from.error);
		else if (!from.has_unknown)
			sdv_answer_list(req, open, size, 0);
		if (from.error || !from.has_unknown)
			return;
	}
	listing_start(mount, open->file, req, open, size);
}

/* Links -------------------------------------------------------------------- */

static void link_read(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		      uint32_t len, uint64_t flags)
{
	char target[SUPERDEV_FS_TARGET_MAX + 1];

	(void)flags;
	if (!error && memchr(data, 0, len))
		error = -EIO;
	if (error) {
		sdv_answer_error(call->req, error);
	} else {
		memcpy(target, data, len);
		target[len] = 0;
		sdv_answer_link(call->req, target);
	}
	sdv_call_free(mount, call);
}

void sdv_on_readlink(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file)
{
	struct sdv_fs_request request = { .op = SUPERDEV_FS_READLINK, .node = file->number };
	struct sdv_call *call = sdv_call_new(req, file, NULL);

	if (!call) {
		sdv_answer_error(req, -ENOMEM);
		return;
	}
	call->done = link_read;
	sdv_call_send(mount, call, &request);
}
