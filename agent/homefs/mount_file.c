// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount_file.c: what home told of files and names, until it says otherwise.
 *
 * An answer from home is as old as the moment when it was asked for, as far as
 * can be known here.  So a clock counts what makes answers old (an INVAL, a
 * change from here), each call bears the time when it was sent, and what is
 * older than the last change of what it is about is used once but not kept.
 */
#include "mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FORGETS_MAX 128u
#define NAMES_MAX   500000u
/* Names that home lacks are remembered that many in a directory: the kernel's own memory is not told of. */
#define ABSENT_MAX  4096u

static uint64_t number_hash(uint64_t number)
{
	return sdv_hash_number(0, number);
}

struct sdv_file *sdv_file_find(struct sdv_mount *mount, uint64_t number)
{
	struct sdv_link_in_table *link = sdv_table_first(&mount->files, number_hash(number));

	for (; link; link = sdv_table_next(link)) {
		struct sdv_file *file = sdv_container(link, struct sdv_file, by_number);

		if (file->number == number)
			return file;
	}
	return NULL;
}

struct sdv_file *sdv_file_told(struct sdv_mount *mount, uint64_t number)
{
	struct sdv_file *file = sdv_file_find(mount, number);

	if (!file) {
		file = calloc(1, sizeof(*file));
		if (!file)
			return NULL;
		file->number = number;
		if (sdv_table_add(&mount->files, &file->by_number, number_hash(number))) {
			free(file);
			return NULL;
		}
	}
	file->told++;
	return file;
}

void sdv_file_hold(struct sdv_file *file)
{
	file->refs++;
}

static void forgets_send(struct sdv_mount *mount)
{
	struct sdv_fs_request request = {
		.op = SUPERDEV_FS_FORGET,
		.data = (uint8_t *)mount->forgets,
		.data_len = (uint32_t)(mount->nr_forgets * sizeof(*mount->forgets)),
	};

	sdv_call_tell(mount, &request);
	mount->nr_forgets = 0;
}

static void forget_add(struct sdv_mount *mount, const struct sdv_file *file)
{
	if (!mount->forgets)
		mount->forgets = malloc(FORGETS_MAX * sizeof(*mount->forgets));
	if (!mount->forgets)
		return;
	sdv_fs_u64_store((uint8_t *)&mount->forgets[mount->nr_forgets].node, file->number);
	sdv_fs_u64_store((uint8_t *)&mount->forgets[mount->nr_forgets].count, file->told);
	if (++mount->nr_forgets == FORGETS_MAX)
		forgets_send(mount);
}

static void name_free(struct sdv_mount *mount, struct sdv_file *dir, struct sdv_name *name)
{
	mount->nr_names--;
	dir->nr_absent -= name->state == SDV_NAME_ABSENT;
	free(name);
}

static void reap(struct sdv_mount *mount, struct sdv_file *file)
{
	if (file->refs || file->lookups || file->first || file == mount->root)
		return;
	for (size_t i = 0; i < file->names.nr_buckets; i++) {
		while (file->names.buckets[i]) {
			struct sdv_link_in_table *link = file->names.buckets[i];
			struct sdv_name *name = sdv_container(link, struct sdv_name, link);
			struct sdv_file *child = name->file;

			sdv_table_del(&file->names, link);
			name_free(mount, file, name);
			/* A tree is as deep here as the kernel remembers, which remembers parents. */
			if (child)
				sdv_file_put(mount, child);
		}
	}
	sdv_table_free(&file->names);
	sdv_table_del(&mount->files, &file->by_number);
	forget_add(mount, file);
	sdv_bytes_drop(mount, file);
	free(file);
}

void sdv_file_put(struct sdv_mount *mount, struct sdv_file *file)
{
	file->refs--;
	reap(mount, file);
}

void sdv_file_forget(struct sdv_mount *mount, struct sdv_file *file, uint64_t lookups)
{
	file->lookups -= lookups < file->lookups ? lookups : file->lookups;
	reap(mount, file);
}

bool sdv_file_take(struct sdv_mount *mount, struct sdv_file *file, const struct sdv_fs_attr *attr,
		   uint64_t stamp)
{
	/* A file does not become another kind of file: that is another number. */
	if (stamp < file->fence || stamp < mount->lost_fence ||
	    (file->attr.mode && (file->attr.mode ^ attr->mode) & S_IFMT))
		return false;
	file->attr = *attr;
	file->has_attr = attr->flags & SUPERDEV_FS_A_LEASED;
	file->written_end = 0;
	if (!file->has_attr)
		sdv_bytes_drop(mount, file);
	return true;
}

uint64_t sdv_file_fence(struct sdv_mount *mount, struct sdv_file *file)
{
	file->fence = ++mount->clock;
	file->has_attr = false;
	return mount->clock;
}

struct sdv_name *sdv_name_find(const struct sdv_file *dir, const char *name)
{
	struct sdv_link_in_table *link = sdv_table_first(&dir->names, sdv_hash_name(0, name));

	for (; link; link = sdv_table_next(link)) {
		struct sdv_name *found = sdv_container(link, struct sdv_name, link);

		if (!strcmp(found->name, name))
			return found;
	}
	return NULL;
}

struct sdv_name *sdv_name_set(struct sdv_mount *mount, struct sdv_file *dir, const char *name,
			      enum sdv_name_state state, struct sdv_file *file)
{
	struct sdv_name *found = sdv_name_find(dir, name);
	struct sdv_file *old;

	if (!found) {
		if (state == SDV_NAME_ABSENT && dir->nr_absent >= ABSENT_MAX)
			return NULL;
		size_t size = strlen(name) + 1;

		found = calloc(1, sizeof(*found) + size);
		if (!found)
			return NULL;
		memcpy(found->name, name, size);
		found->state = SDV_NAME_UNKNOWN;
		if (sdv_table_add(&dir->names, &found->link, sdv_hash_name(0, name))) {
			free(found);
			return NULL;
		}
		mount->nr_names++;
	}
	dir->nr_absent += (state == SDV_NAME_ABSENT) - (found->state == SDV_NAME_ABSENT);
	old = found->file;
	found->state = state;
	found->file = file;
	if (file)
		sdv_file_hold(file);
	if (old)
		sdv_file_put(mount, old);
	return found;
}

void sdv_name_drop(struct sdv_mount *mount, struct sdv_file *dir, struct sdv_name *name)
{
	struct sdv_file *file = name->file;

	/* In a complete listing, not being in it means not being there. */
	if (dir->is_complete) {
		sdv_name_set(mount, dir, name->name, SDV_NAME_UNKNOWN, NULL);
		name->is_in_kernel = false;
		return;
	}
	sdv_table_del(&dir->names, &name->link);
	name_free(mount, dir, name);
	if (file)
		sdv_file_put(mount, file);
}

void sdv_names_fence(struct sdv_mount *mount, struct sdv_file *dir)
{
	dir->names_fence = ++mount->clock;
	/* Its times and its size change with its names. */
	sdv_file_fence(mount, dir);
}

void sdv_names_each(struct sdv_file *dir, void (*run)(struct sdv_name *name, void *arg), void *arg)
{
	for (size_t i = 0; i < dir->names.nr_buckets; i++)
		for (struct sdv_link_in_table *link = dir->names.buckets[i]; link; link = link->next)
			run(sdv_container(link, struct sdv_name, link), arg);
}

void sdv_names_forget(struct sdv_mount *mount, struct sdv_file *dir)
{
	sdv_names_fence(mount, dir);
	dir->told_fence = mount->clock;
	dir->is_complete = false;
	for (size_t i = 0; i < dir->names.nr_buckets; i++) {
		while (dir->names.buckets[i]) {
			struct sdv_name *name = sdv_container(dir->names.buckets[i], struct sdv_name, link);

			if (name->is_in_kernel)
				sdv_notice_name(mount, dir, name->name);
			sdv_name_drop(mount, dir, name);
		}
	}
}

static void dir_trim(struct sdv_mount *mount, struct sdv_file *dir)
{
	/* A hostile home may have told that it is in itself. */
	sdv_file_hold(dir);
	dir->is_complete = false;
	for (size_t i = 0; i < dir->names.nr_buckets; i++) {
		struct sdv_link_in_table *link = dir->names.buckets[i], *next;

		for (; link; link = next) {
			struct sdv_name *name = sdv_container(link, struct sdv_name, link);

			next = link->next;
			if (!name->is_in_kernel || (name->file && !name->file->lookups))
				sdv_name_drop(mount, dir, name);
		}
	}
	sdv_file_put(mount, dir);
}

void sdv_names_trim(struct sdv_mount *mount)
{
	size_t i = 0;

	if (!mount->max_names)
		mount->max_names = NAMES_MAX;
	if (mount->nr_names < mount->max_names)
		return;
	while (i < mount->files.nr_buckets) {
		struct sdv_link_in_table *link = mount->files.buckets[i];
		bool is_trimmed = false;

		for (; link && !is_trimmed; link = link->next) {
			struct sdv_file *dir = sdv_container(link, struct sdv_file, by_number);

			is_trimmed = dir->is_complete;
			/* Files go with their names, and the chain is another one then. */
			if (is_trimmed)
				dir_trim(mount, dir);
		}
		i += !is_trimmed;
	}
	mount->max_names = 2 * mount->nr_names > NAMES_MAX ? 2 * mount->nr_names : NAMES_MAX;
}

static void name_inval(struct sdv_mount *mount, struct sdv_file *dir, const char *text)
{
	struct sdv_name *name = sdv_name_find(dir, text);

	sdv_names_fence(mount, dir);
	dir->told_fence = mount->clock;
	sdv_notice_name(mount, dir, text);
	if (name)
		sdv_name_drop(mount, dir, name);
	/* A new name must appear in listings that are made of this one. */
	else if (dir->is_complete && !sdv_name_set(mount, dir, text, SDV_NAME_UNKNOWN, NULL))
		dir->is_complete = false;
}

static void contents_inval(struct sdv_mount *mount, struct sdv_file *file, bool has_data)
{
	sdv_file_fence(mount, file);
	if (has_data)
		sdv_bytes_drop(mount, file);
	sdv_notice_file(mount, file, has_data);
	if (has_data && file->names.nr)
		sdv_names_forget(mount, file);
}

/* Home lost count: everything may be different. */
static void all_inval(struct sdv_mount *mount)
{
	mount->lost_fence = ++mount->clock;
	for (size_t i = 0; i < mount->files.nr_buckets; i++) {
		struct sdv_link_in_table *link = mount->files.buckets[i];

		while (link) {
			struct sdv_file *file = sdv_container(link, struct sdv_file, by_number);

			/* Held, so that forgetting its names does not free it and lose the place. */
			sdv_file_hold(file);
			file->names_fence = file->told_fence = mount->clock;
			sdv_file_fence(mount, file);
			sdv_bytes_drop(mount, file);
			sdv_notice_file(mount, file, true);
			link = link->next;
		}
	}
	for (size_t i = 0; i < mount->files.nr_buckets; i++) {
		struct sdv_link_in_table *link = mount->files.buckets[i];

		for (; link; link = link->next)
			sdv_names_forget(mount, sdv_container(link, struct sdv_file, by_number));
	}
	for (size_t i = 0; i < mount->files.nr_buckets; i++) {
		struct sdv_link_in_table *link = mount->files.buckets[i], *next;

		for (; link; link = next) {
			next = link->next;
			sdv_file_put(mount, sdv_container(link, struct sdv_file, by_number));
		}
	}
}

void sdv_file_inval(struct sdv_mount *mount, const struct sdv_fs_request *inval)
{
	struct sdv_file *file;

	if (inval->flags & SUPERDEV_FS_I_ALL) {
		all_inval(mount);
		return;
	}
	file = sdv_file_find(mount, inval->node);
	if (!file) {
		/* It may be on its way here, in an answer that is older than this. */
		mount->lost_fence = ++mount->clock;
		return;
	}
	sdv_file_hold(file);
	if (inval->flags & SUPERDEV_FS_I_NAME) {
		name_inval(mount, file, inval->name);
		/* A listing in the kernel is its data. */
		sdv_notice_file(mount, file, true);
	} else {
		contents_inval(mount, file, inval->flags & SUPERDEV_FS_I_DATA);
	}
	sdv_file_put(mount, file);
}

/* Which directories have it is not kept here: the few that are asked again are no loss. */
struct stale {
	struct sdv_mount *mount;
	struct sdv_file *dir, *file;
	struct sdv_name *found;
};

static void stale_look(struct sdv_name *name, void *arg)
{
	struct stale *stale = arg;

	if (name->file == stale->file)
		stale->found = name;
}

void sdv_file_stale(struct sdv_mount *mount, struct sdv_file *file)
{
	sdv_file_hold(file);
	contents_inval(mount, file, true);
	for (size_t i = 0; i < mount->files.nr_buckets; i++) {
		for (struct sdv_link_in_table *link = mount->files.buckets[i]; link; link = link->next) {
			struct stale stale = { mount, sdv_container(link, struct sdv_file, by_number), file,
					       NULL };

			sdv_names_each(stale.dir, stale_look, &stale);
			if (!stale.found)
				continue;
			sdv_names_fence(mount, stale.dir);
			sdv_notice_name(mount, stale.dir, stale.found->name);
			sdv_name_drop(mount, stale.dir, stale.found);
		}
	}
	sdv_file_put(mount, file);
}
