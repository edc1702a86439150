// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount_bytes.c: contents of small files that are kept here.
 *
 * The kernel keeps pages, but not those of which a program wrote a part, and it
 * asks for a file piece by piece.  So what was read beyond what it asked for is
 * kept until it does, and what was written from the beginning of an empty file
 * is kept while the file is known: an assembler reads what it wrote, and what
 * the compiler wrote before.  Nothing is kept of a file whose changes at home
 * would not be told.
 */
#include "mount.h"

#include <stdlib.h>
#include <string.h>

#define WHOLE_MAX (1u << 20)
#define ALL_MAX   (64u << 20)

void sdv_bytes_drop(struct sdv_mount *mount, struct sdv_file *file)
{
	mount->bytes_total -= file->bytes_max;
	free(file->bytes);
	file->bytes = NULL;
	file->bytes_len = file->bytes_max = 0;
	file->is_whole = false;
}

/* There is too much of it: what is written now is wanted sooner than what was written before. */
static void others_drop(struct sdv_mount *mount, const struct sdv_file *file)
{
	for (size_t i = 0; i < mount->files.nr_buckets; i++) {
		struct sdv_link_in_table *link = mount->files.buckets[i];

		for (; link; link = link->next) {
			struct sdv_file *other = sdv_container(link, struct sdv_file, by_number);

			if (other != file && other->bytes)
				sdv_bytes_drop(mount, other);
		}
	}
}

/* Room for @len bytes in all; false: dropped. */
static bool room_make(struct sdv_mount *mount, struct sdv_file *file, uint64_t len)
{
	uint32_t max = file->bytes_max ? file->bytes_max : 4096;
	uint8_t *larger;

	while (max < len && max < WHOLE_MAX)
		max *= 2;
	if (len > max) {
		sdv_bytes_drop(mount, file);
		return false;
	}
	if (max == file->bytes_max)
		return true;
	if (mount->bytes_total + max > ALL_MAX)
		others_drop(mount, file);
	larger = realloc(file->bytes, max);
	if (!larger) {
		sdv_bytes_drop(mount, file);
		return false;
	}
	mount->bytes_total += max - file->bytes_max;
	file->bytes = larger;
	file->bytes_max = max;
	return true;
}

void sdv_bytes_begin(struct sdv_mount *mount, struct sdv_file *file)
{
	sdv_bytes_drop(mount, file);
	file->bytes_offset = 0;
	file->is_whole = true;
}

void sdv_bytes_write(struct sdv_mount *mount, struct sdv_file *file, const uint8_t *data, size_t len,
		     uint64_t offset)
{
	if (!file->is_whole) {
		sdv_bytes_drop(mount, file);
		return;
	}
	if (!room_make(mount, file, offset + len))
		return;
	if (offset > file->bytes_len)
		memset(file->bytes + file->bytes_len, 0, offset - file->bytes_len);
	memcpy(file->bytes + offset, data, len);
	if (offset + len > file->bytes_len)
		file->bytes_len = (uint32_t)(offset + len);
}

void sdv_bytes_keep(struct sdv_mount *mount, struct sdv_file *file, const uint8_t *data, uint32_t len,
		    uint64_t offset)
{
	sdv_bytes_drop(mount, file);
	if (!room_make(mount, file, len))
		return;
	memcpy(file->bytes, data, len);
	file->bytes_len = len;
	file->bytes_offset = offset;
}

bool sdv_bytes_find(const struct sdv_file *file, uint64_t offset, size_t size, const uint8_t **ret_data,
		    size_t *ret_len)
{
	uint64_t end = offset + size, have = file->bytes_offset + file->bytes_len;

	/* The last page of a file is asked for whole. */
	if (!file->is_whole && file->has_attr && end > file->attr.size && offset < file->attr.size)
		end = file->attr.size;
	if (file->is_whole && end > have)
		end = have > offset ? have : offset;
	if (!file->is_whole && (!file->bytes || offset < file->bytes_offset || end > have))
		return false;
	*ret_data = end > offset ? file->bytes + (offset - file->bytes_offset) : (const uint8_t *)"";
	*ret_len = end - offset;
	return true;
}
