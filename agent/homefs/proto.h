/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proto.h: operations on home's files, as bytes.
 *
 * Both ends build and check what they exchange here and nowhere else: what a
 * peer sent is used only after one of these functions has said 0.  Needs libc
 * alone, so that fuzzers can have it.  uapi/superdev_wire.h has the formats.
 */
#ifndef SDV_HOMEFS_PROTO_H
#define SDV_HOMEFS_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/**
 * struct sdv_fs_attr - a file's attributes, in the byte order of this machine
 *
 * Fields as in struct superdev_fs_attr.
 */
struct sdv_fs_attr {
	uint64_t ino, size, blocks;
	int64_t atime, mtime, ctime;
	uint32_t atime_nsec, mtime_nsec, ctime_nsec;
	uint32_t mode, nlink, uid, gid, rdev, blksize;
	uint32_t access, flags;
};

struct sdv_fs_entry {
	uint64_t node;
	struct sdv_fs_attr attr;
};

struct sdv_fs_setattr {
	uint32_t valid, mode, uid, gid;
	uint64_t size;
	int64_t atime, mtime;
	uint32_t atime_nsec, mtime_nsec;
};

struct sdv_fs_statfs {
	uint64_t blocks, bfree, bavail, files, ffree;
	uint32_t bsize, namelen;
};

struct sdv_fs_lock {
	uint64_t owner, start, end;
	uint8_t type, kind, what;
	uint32_t pid;
};

/**
 * struct sdv_fs_request - a request, or an INVAL
 * @op, @tag, @offset, @count: of the header
 * @name, @name2: end in a zero byte here; empty where the operation has none
 * @data:	into the payload that was parsed
 */
struct sdv_fs_request {
	uint8_t op;
	uint32_t tag;
	uint64_t offset;
	uint32_t count;
	uint64_t node, node2, arg;
	uint32_t flags, mode, umask;
	char name[SUPERDEV_FS_NAME_MAX + 1];
	char name2[SUPERDEV_FS_NAME_MAX + 1];
	const uint8_t *data;
	uint32_t data_len;
};

/* Most bytes that come before a request's data, and most of any frame. */
#define SDV_FS_FIXED_MAX   (sizeof(struct superdev_fs_request) + 2 * (size_t)SUPERDEV_FS_NAME_MAX)
#define SDV_FS_PAYLOAD_MAX (SDV_FS_FIXED_MAX + (size_t)SUPERDEV_FS_IO_MAX)

/**
 * sdv_fs_head_check - is this frame one that the connection may carry?
 * @frame:	as received
 * @from_home:	it came from home: a reply, or an INVAL
 * @ret_head:	written on success
 *
 * Return: 0; -EPROTO or -EMSGSIZE: the connection must be closed.
 */
int sdv_fs_head_check(const struct superdev_frame *frame, bool from_home, struct sdv_head *ret_head);

/**
 * sdv_fs_request_parse - reads what was asked
 * @head:	from sdv_fs_head_check()
 * @payload:	head->length bytes; the result points into it
 * @ret_request: written on success
 *
 * Return: 0; -ENOSYS: the operation is not known; -EINVAL: it is malformed, and
 * to be refused.
 */
int sdv_fs_request_parse(const struct sdv_head *head, const uint8_t *payload,
			 struct sdv_fs_request *ret_request);

/* True for operations that are answered. */
bool sdv_fs_has_reply(uint8_t op);

/**
 * sdv_fs_request_build - writes all of a request but its data
 * @request:	what is asked; data_len bytes of data follow what is written
 * @ret_frame:	its header
 * @fixed:	SDV_FS_FIXED_MAX bytes of room
 *
 * Return: bytes of @fixed that were written.
 */
size_t sdv_fs_request_build(const struct sdv_fs_request *request, struct superdev_frame *ret_frame,
			    uint8_t *fixed);

/**
 * sdv_fs_reply_build - the header of a reply
 * @request:	what is answered
 * @error:	0 or -errno
 * @flags:	SUPERDEV_FS_R_*
 * @length:	bytes that follow; 0 with an error
 */
void sdv_fs_reply_build(const struct sdv_fs_request *request, int error, uint64_t flags, uint32_t length,
			struct superdev_frame *ret_frame);

/**
 * sdv_fs_reply_check - has a reply the shape of its operation?
 * @head:	from sdv_fs_head_check(); its op must be the request's
 * @count:	of the request: most bytes of data that were asked for
 *
 * Return: 0, or the -errno that home refused with; -EPROTO: malformed.
 */
int sdv_fs_reply_check(const struct sdv_head *head, uint32_t count);

/* Payloads of checked length; -EPROTO where a value cannot be. */
int sdv_fs_attr_load(const uint8_t *data, struct sdv_fs_attr *ret_attr);
int sdv_fs_entry_load(const uint8_t *data, struct sdv_fs_entry *ret_entry);
int sdv_fs_setattr_load(const uint8_t *data, struct sdv_fs_setattr *ret_set);
int sdv_fs_statfs_load(const uint8_t *data, struct sdv_fs_statfs *ret_fs);
int sdv_fs_lock_load(const uint8_t *data, struct sdv_fs_lock *ret_lock);
uint64_t sdv_fs_u64_load(const uint8_t *data);
void sdv_fs_attr_store(uint8_t *data, const struct sdv_fs_attr *attr);
void sdv_fs_entry_store(uint8_t *data, const struct sdv_fs_entry *entry);
void sdv_fs_setattr_store(uint8_t *data, const struct sdv_fs_setattr *set);
void sdv_fs_statfs_store(uint8_t *data, const struct sdv_fs_statfs *fs);
void sdv_fs_lock_store(uint8_t *data, const struct sdv_fs_lock *lock);
void sdv_fs_u64_store(uint8_t *data, uint64_t value);

/**
 * sdv_fs_dirent_next - the entry of a READDIR reply at *@pos
 * @pos:	starts at 0, is moved behind the entry
 * @ret_entry, @ret_cookie, @ret_name: written on success; @ret_name is of
 *		SUPERDEV_FS_NAME_MAX + 1 bytes
 *
 * Return: 1; 0 at the end; -EPROTO.
 */
int sdv_fs_dirent_next(const uint8_t *data, size_t size, size_t *pos, struct sdv_fs_entry *ret_entry,
		       uint64_t *ret_cookie, char *ret_name);

/* Appends an entry at *@pos and moves it on; false where it does not fit. */
bool sdv_fs_dirent_add(uint8_t *data, size_t size, size_t *pos, const struct sdv_fs_entry *entry,
		       uint64_t cookie, const char *name);

/* Could a directory have an entry of this name?  "." and ".." are none. */
bool sdv_fs_is_name(const char *name, size_t len);
/* Copies a name that was checked into SUPERDEV_FS_NAME_MAX + 1 bytes; a longer one is cut. */
void sdv_fs_name_put(char *to, const char *name);

#endif
