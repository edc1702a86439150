// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * homefs_proto_fuzz.c: any bytes as a request, an answer or a directory.
 *
 * The first byte chooses the end that they come from, the second the operation.
 * Magic and class are put right, or nothing behind them would be reached.  What
 * is accepted must be within its bounds, and survive being written again.
 */
// LINK: agent/homefs/proto.c
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "../../agent/homefs/proto.h"

#define MUST(claim)              \
	do {                     \
		if (!(claim))    \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void request_try(const struct sdv_head *head, const uint8_t *data)
{
	static uint8_t again[SDV_FS_PAYLOAD_MAX];
	struct sdv_fs_request request;
	struct superdev_frame frame;
	struct sdv_fs_setattr set;
	struct sdv_fs_lock lock;
	size_t len;

	if (sdv_fs_request_parse(head, data, &request))
		return;
	MUST(strlen(request.name) <= SUPERDEV_FS_NAME_MAX && strlen(request.name2) <= SUPERDEV_FS_NAME_MAX);
	MUST(request.data >= data && request.data + request.data_len == data + head->length);
	MUST(request.offset <= INT64_MAX);
	len = sdv_fs_request_build(&request, &frame, again);
	MUST(len + request.data_len == head->length && !memcmp(again, data, len));
	if (request.op == SUPERDEV_FS_SETATTR && !sdv_fs_setattr_load(request.data, &set))
		MUST(set.size <= INT64_MAX);
	if (request.op == SUPERDEV_FS_LOCK && !sdv_fs_lock_load(request.data, &lock))
		MUST(lock.start <= lock.end && lock.end <= INT64_MAX);
}

static void reply_try(const struct sdv_head *head, const uint8_t *data)
{
	char name[SUPERDEV_FS_NAME_MAX + 1];
	struct sdv_fs_statfs fs;
	struct sdv_fs_entry entry;
	struct sdv_fs_attr attr;
	uint64_t cookie;
	size_t pos = 0;

	if (sdv_fs_reply_check(head, 4096))
		return;
	switch (head->op) {
	case SUPERDEV_FS_READDIR:
		while (sdv_fs_dirent_next(data, head->length, &pos, &entry, &cookie, name) > 0)
			MUST(pos <= head->length && sdv_fs_is_name(name, strlen(name)));
		break;
	case SUPERDEV_FS_HELLO:
	case SUPERDEV_FS_LOOKUP:
	case SUPERDEV_FS_CREATE: MUST(sdv_fs_entry_load(data, &entry) || entry.node); break;
	case SUPERDEV_FS_GETATTR:
	case SUPERDEV_FS_WRITE: MUST(sdv_fs_attr_load(data, &attr) || attr.size <= INT64_MAX); break;
	case SUPERDEV_FS_STATFS: sdv_fs_statfs_load(data, &fs); break;
	default: break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct superdev_frame frame = { 0 };
	struct sdv_head head;
	bool from_home;

	if (size < 2 + sizeof(frame))
		return 0;
	from_home = data[0] & 1;
	memcpy(&frame, data + 2, sizeof(frame));
	frame.magic = htole32(SUPERDEV_MAGIC);
	frame.class = SUPERDEV_CLASS_CPU;
	frame.op = SUPERDEV_FS_HELLO + data[1] % (SUPERDEV_FS_END - SUPERDEV_FS_HELLO + 1);
	frame.length = htole32((uint32_t)(size - 2 - sizeof(frame)));
	if (sdv_fs_head_check(&frame, from_home, &head))
		return 0;
	if (!from_home || head.op == SUPERDEV_FS_INVAL)
		request_try(&head, data + 2 + sizeof(frame));
	else
		reply_try(&head, data + 2 + sizeof(frame));
	return 0;
}
