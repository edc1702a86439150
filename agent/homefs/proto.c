// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proto.c: operations on home's files, as bytes.  See proto.h.
 *
 * What an operation may carry is one line of a table, so that a field that it
 * does not use is refused everywhere and in the same way.
 */
#include "proto.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Fields and names that an operation has. */
#define USES_NODE   (1u << 0)
#define USES_NODE2  (1u << 1)
#define USES_ARG    (1u << 2)
#define USES_MODE   (1u << 3)
#define USES_UMASK  (1u << 4)
#define USES_OFFSET (1u << 5)
#define USES_NAME   (1u << 6)
#define USES_NAME2  (1u << 7)
#define USES_XATTR  (1u << 8) /* name is one of an extended attribute */
#define MAY_NAME    (1u << 9) /* name may be missing */
#define NO_REPLY    (1u << 10)
#define FROM_HOME   (1u << 11)
#define MAY_NO_NODE (1u << 12)

/**
 * struct rule - what one operation may carry
 * @uses:	USES_*; what is not used is 0
 * @flags:	which there are
 * @count_max:	of the header's count, and of the data of a reply
 * @data_min, @data_max: of the request
 * @reply_min, @reply_max: of the reply's payload
 */
struct rule {
	uint32_t uses, flags, count_max;
	uint32_t data_min, data_max;
	uint32_t reply_min, reply_max;
};

#define REPLY(type)  .reply_min = sizeof(type), .reply_max = sizeof(type)
#define DATA(type)   .data_min = sizeof(type), .data_max = sizeof(type)
#define OPEN_FLAGS   (SUPERDEV_FS_O_READ | SUPERDEV_FS_O_WRITE | SUPERDEV_FS_O_TRUNC | SUPERDEV_FS_O_EXCL)
#define MAKES        (USES_NODE | USES_NAME | USES_MODE | USES_UMASK)
#define ENTRY        REPLY(struct superdev_fs_entry)
#define ATTR         REPLY(struct superdev_fs_attr)
#define COUNT_FORGET ((size_t)4096)

static const struct rule rules[SUPERDEV_FS_END - SUPERDEV_FS_HELLO] = {
#define RULE(op) [SUPERDEV_FS_##op - SUPERDEV_FS_HELLO]
	RULE(HELLO) = { REPLY(struct superdev_fs_hello) },
	RULE(FORGET) = { .uses = NO_REPLY,
			 .data_min = sizeof(struct superdev_fs_forget),
			 .data_max = COUNT_FORGET * sizeof(struct superdev_fs_forget) },
	RULE(LOOKUP) = { .uses = USES_NODE | USES_NAME, ENTRY },
	RULE(READDIR) = { .uses = USES_NODE | USES_ARG,
			  .count_max = SUPERDEV_FS_IO_MAX,
			  .reply_max = SUPERDEV_FS_IO_MAX },
	RULE(GETATTR) = { .uses = USES_NODE, ATTR },
	RULE(SETATTR) = { .uses = USES_NODE, DATA(struct superdev_fs_setattr), ATTR },
	RULE(READLINK) = { .uses = USES_NODE, .reply_min = 1, .reply_max = SUPERDEV_FS_TARGET_MAX },
	RULE(OPEN) = { .uses = USES_NODE, .flags = OPEN_FLAGS & ~SUPERDEV_FS_O_EXCL, ATTR },
	RULE(RELEASE) = { .uses = USES_NODE | NO_REPLY },
	RULE(CREATE) = { .uses = MAKES, .flags = OPEN_FLAGS, ENTRY },
	RULE(MKDIR) = { .uses = MAKES, ENTRY },
	RULE(MKNOD) = { .uses = MAKES, ENTRY },
	RULE(SYMLINK) = { .uses = USES_NODE | USES_NAME,
			  .data_min = 1,
			  .data_max = SUPERDEV_FS_TARGET_MAX,
			  ENTRY },
	RULE(LINK) = { .uses = USES_NODE | USES_NODE2 | USES_NAME, ENTRY },
	RULE(UNLINK) = { .uses = USES_NODE | USES_NAME },
	RULE(RMDIR) = { .uses = USES_NODE | USES_NAME },
	RULE(RENAME) = { .uses = USES_NODE | USES_NODE2 | USES_NAME | USES_NAME2,
			 .flags = SUPERDEV_FS_RENAME_NOREPLACE | SUPERDEV_FS_RENAME_EXCHANGE },
	RULE(READ) = { .uses = USES_NODE | USES_OFFSET,
		       .count_max = SUPERDEV_FS_IO_MAX,
		       .reply_max = SUPERDEV_FS_IO_MAX },
	RULE(WRITE) = { .uses = USES_NODE | USES_OFFSET,
			.flags = SUPERDEV_FS_W_APPEND,
			.data_min = 1,
			.data_max = SUPERDEV_FS_IO_MAX,
			ATTR },
	RULE(FSYNC) = { .uses = USES_NODE, .flags = SUPERDEV_FS_SYNC_DATA },
	RULE(FALLOCATE) = { .uses = USES_NODE | USES_OFFSET | USES_ARG | USES_MODE, ATTR },
	RULE(LSEEK) = { .uses = USES_NODE | USES_OFFSET,
			.flags = SUPERDEV_FS_SEEK_DATA | SUPERDEV_FS_SEEK_HOLE,
			REPLY(__le64) },
	RULE(STATFS) = { .uses = USES_NODE, REPLY(struct superdev_fs_statfs) },
	RULE(GETXATTR) = { .uses = USES_NODE | USES_NAME | USES_XATTR, .reply_max = SUPERDEV_FS_XATTR_MAX },
	RULE(LISTXATTR) = { .uses = USES_NODE, .reply_max = SUPERDEV_FS_XATTR_MAX },
	RULE(SETXATTR) = { .uses = USES_NODE | USES_NAME | USES_XATTR,
			   .flags = SUPERDEV_FS_X_CREATE | SUPERDEV_FS_X_REPLACE,
			   .data_max = SUPERDEV_FS_XATTR_MAX },
	RULE(REMOVEXATTR) = { .uses = USES_NODE | USES_NAME | USES_XATTR },
	RULE(LOCK) = { .uses = USES_NODE, DATA(struct superdev_fs_lock), REPLY(struct superdev_fs_lock) },
	RULE(UNLOCK) = { .uses = USES_NODE | USES_ARG },
	RULE(CANCEL) = { .uses = USES_ARG | NO_REPLY },
	RULE(COPY) = { .uses = USES_NODE | USES_NODE2 | USES_ARG | USES_OFFSET,
		       .count_max = 1u << 30,
		       REPLY(__le64) },
	RULE(SYNC) = { .uses = 0 },
	RULE(INVAL) = { .uses = USES_NODE | MAY_NO_NODE | USES_NAME | MAY_NAME | NO_REPLY | FROM_HOME,
			.flags = SUPERDEV_FS_I_NAME | SUPERDEV_FS_I_ATTR | SUPERDEV_FS_I_DATA |
				 SUPERDEV_FS_I_ALL },
};

static const struct rule *rule_of(uint8_t op)
{
	if (op < SUPERDEV_FS_HELLO || op >= SUPERDEV_FS_END)
		return NULL;
	return &rules[op - SUPERDEV_FS_HELLO];
}

bool sdv_fs_has_reply(uint8_t op)
{
	const struct rule *rule = rule_of(op);

	return !rule || !(rule->uses & NO_REPLY);
}

int sdv_fs_head_check(const struct superdev_frame *frame, bool from_home, struct sdv_head *ret_head)
{
	static const struct sdv_frame_rules frame_rules = {
		.class = SUPERDEV_CLASS_CPU,
		.max_length = (uint32_t)SDV_FS_PAYLOAD_MAX,
	};
	const struct rule *rule;
	struct sdv_head head;
	int r = sdv_frame_check(frame, &frame_rules, &head);

	if (r)
		return r == -EMSGSIZE ? r : -EPROTO;
	if (head.seq || head.flags & ~SUPERDEV_F_REPLY)
		return -EPROTO;
	rule = rule_of(head.op);
	if (from_home) {
		/* Home answers, or tells what it may tell. */
		bool is_told = rule && rule->uses & FROM_HOME;

		if (!rule || is_told == !!(head.flags & SUPERDEV_F_REPLY))
			return -EPROTO;
	} else if (head.flags & SUPERDEV_F_REPLY) {
		return -EPROTO;
	}
	*ret_head = head;
	return 0;
}

bool sdv_fs_is_name(const char *name, size_t len)
{
	if (!len || len > SUPERDEV_FS_NAME_MAX || memchr(name, '/', len) || memchr(name, 0, len))
		return false;
	return !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

void sdv_fs_name_put(char *to, const char *name)
{
	size_t len = strnlen(name, SUPERDEV_FS_NAME_MAX);

	memcpy(to, name, len);
	to[len] = 0;
}

static bool is_xattr_name(const char *name, size_t len)
{
	return len && len <= SUPERDEV_FS_NAME_MAX && !memchr(name, 0, len);
}

static bool name_copy(char *ret_name, const uint8_t *from, size_t len, bool is_xattr)
{
	const char *name = (const char *)from;

	if (is_xattr ? !is_xattr_name(name, len) : !sdv_fs_is_name(name, len))
		return false;
	memcpy(ret_name, name, len);
	ret_name[len] = 0;
	return true;
}

/* Fields that the operation does not use must be 0; one that it needs is not. */
static bool fields_are_right(const struct rule *rule, const struct sdv_fs_request *request)
{
	uint32_t uses = rule->uses;

	if (!(uses & USES_NODE) != !request->node && !(uses & MAY_NO_NODE))
		return false;
	if (!(uses & USES_NODE2) != !request->node2)
		return false;
	if ((!(uses & USES_ARG) && request->arg) || (!(uses & USES_MODE) && request->mode) ||
	    (!(uses & USES_UMASK) && request->umask) || (!(uses & USES_OFFSET) && request->offset))
		return false;
	/* The kernel's offsets are signed; what is behind them would wrap. */
	if (request->offset > INT64_MAX || request->umask & ~0777u || request->flags & ~rule->flags)
		return false;
	return request->count <= rule->count_max;
}

/* What only some values of the fields mean something. */
static bool values_are_right(const struct sdv_fs_request *request)
{
	uint32_t type = request->mode & S_IFMT;
	uint32_t both = SUPERDEV_FS_SEEK_DATA | SUPERDEV_FS_SEEK_HOLE;

	switch (request->op) {
	case SUPERDEV_FS_FORGET: return request->data_len % sizeof(struct superdev_fs_forget) == 0;
	case SUPERDEV_FS_CREATE:
	case SUPERDEV_FS_MKDIR: return !(request->mode & ~07777u);
	case SUPERDEV_FS_MKNOD:
		return (type == S_IFREG || type == S_IFIFO) && !(request->mode & ~(S_IFMT | 07777u));
	case SUPERDEV_FS_SYMLINK: return !memchr(request->data, 0, request->data_len);
	case SUPERDEV_FS_LSEEK: return request->flags && request->flags != both;
	case SUPERDEV_FS_RENAME:
		return request->flags != (SUPERDEV_FS_RENAME_NOREPLACE | SUPERDEV_FS_RENAME_EXCHANGE);
	case SUPERDEV_FS_FALLOCATE: return request->arg && request->arg <= INT64_MAX - request->offset;
	case SUPERDEV_FS_WRITE: return request->data_len <= INT64_MAX - request->offset;
	case SUPERDEV_FS_READ: return request->count <= INT64_MAX - request->offset;
	case SUPERDEV_FS_COPY:
		return request->count <= INT64_MAX - request->offset && request->arg <= INT64_MAX &&
		       request->count <= INT64_MAX - request->arg;
	case SUPERDEV_FS_INVAL: {
		bool is_all = request->flags == SUPERDEV_FS_I_ALL;

		if (!request->flags || is_all != !request->node ||
		    (!is_all && request->flags & SUPERDEV_FS_I_ALL))
			return false;
		return !(request->flags & SUPERDEV_FS_I_NAME) == !request->name[0];
	}
	default: return true;
	}
}

int sdv_fs_request_parse(const struct sdv_head *head, const uint8_t *payload,
			 struct sdv_fs_request *ret_request)
{
	const struct rule *rule = rule_of(head->op);
	struct superdev_fs_request fixed;
	struct sdv_fs_request request;
	size_t len = head->length, name_len, name2_len;
	bool is_xattr;

	if (!rule)
		return -ENOSYS;
	if (len < sizeof(fixed))
		return -EINVAL;
	memcpy(&fixed, payload, sizeof(fixed));
	payload += sizeof(fixed);
	len -= sizeof(fixed);
	name_len = le16toh(fixed.name_len);
	name2_len = le16toh(fixed.name2_len);
	if (name_len > len || name2_len > len - name_len)
		return -EINVAL;
	request = (struct sdv_fs_request){
		.op = head->op,
		.tag = head->tag,
		.offset = head->offset,
		.count = head->count,
		.node = le64toh(fixed.node),
		.node2 = le64toh(fixed.node2),
		.arg = le64toh(fixed.arg),
		.flags = le32toh(fixed.flags),
		.mode = le32toh(fixed.mode),
		.umask = le32toh(fixed.umask),
		.data = payload + name_len + name2_len,
		.data_len = (uint32_t)(len - name_len - name2_len),
	};
	is_xattr = rule->uses & USES_XATTR;
	if (name_len || (rule->uses & USES_NAME && !(rule->uses & MAY_NAME)))
		if (!(rule->uses & USES_NAME) || !name_copy(request.name, payload, name_len, is_xattr))
			return -EINVAL;
	if (name2_len || rule->uses & USES_NAME2)
		if (!(rule->uses & USES_NAME2) ||
		    !name_copy(request.name2, payload + name_len, name2_len, false))
			return -EINVAL;
	if (request.data_len < rule->data_min || request.data_len > rule->data_max)
		return -EINVAL;
	if (!fields_are_right(rule, &request) || !values_are_right(&request))
		return -EINVAL;
	*ret_request = request;
	return 0;
}

size_t sdv_fs_request_build(const struct sdv_fs_request *request, struct superdev_frame *ret_frame,
			    uint8_t *fixed)
{
	size_t name_len = strlen(request->name), name2_len = strlen(request->name2);
	struct superdev_fs_request wire = {
		.node = htole64(request->node),
		.node2 = htole64(request->node2),
		.arg = htole64(request->arg),
		.flags = htole32(request->flags),
		.mode = htole32(request->mode),
		.umask = htole32(request->umask),
		.name_len = htole16((uint16_t)name_len),
		.name2_len = htole16((uint16_t)name2_len),
	};
	size_t len = sizeof(wire) + name_len + name2_len;
	struct sdv_head head = {
		.class = SUPERDEV_CLASS_CPU,
		.op = request->op,
		.tag = request->tag,
		.offset = request->offset,
		.count = request->count,
		.length = (uint32_t)(len + request->data_len),
	};

	memcpy(fixed, &wire, sizeof(wire));
	memcpy(fixed + sizeof(wire), request->name, name_len);
	memcpy(fixed + sizeof(wire) + name_len, request->name2, name2_len);
	sdv_frame_build(ret_frame, &head);
	return len;
}

void sdv_fs_reply_build(const struct sdv_fs_request *request, int error, uint64_t flags, uint32_t length,
			struct superdev_frame *ret_frame)
{
	struct sdv_head head = {
		.class = SUPERDEV_CLASS_CPU,
		.op = request->op,
		.flags = SUPERDEV_F_REPLY,
		.tag = request->tag,
		.status = sdv_status_of_errno(error),
		.length = length,
		.offset = flags,
		.count = (uint32_t)-error,
	};

	sdv_frame_build(ret_frame, &head);
}

int sdv_fs_reply_check(const struct sdv_head *head, uint32_t count)
{
	const struct rule *rule = rule_of(head->op);
	uint32_t max;

	if (!rule || head->offset & ~(SUPERDEV_FS_R_LEASED | SUPERDEV_FS_R_END))
		return -EPROTO;
	if (head->status) {
		/* The kernel keeps 512 and up to itself; none of it may reach a program. */
		if (head->length || !head->count || head->count >= 512)
			return -EPROTO;
		return -(int)head->count;
	}
	max = rule->reply_max;
	if (rule->count_max && max > count && rule->reply_min != rule->reply_max)
		max = count;
	if (head->count || head->length < rule->reply_min || head->length > max)
		return -EPROTO;
	return 0;
}

static uint32_t get32(const __le32 *value)
{
	return le32toh(*value);
}

static uint64_t get64(const __le64 *value)
{
	return le64toh(*value);
}

#define NSEC_MAX 999999999u

int sdv_fs_attr_load(const uint8_t *data, struct sdv_fs_attr *ret_attr)
{
	struct superdev_fs_attr wire;
	struct sdv_fs_attr attr;

	memcpy(&wire, data, sizeof(wire));
	attr = (struct sdv_fs_attr){
		.ino = get64(&wire.ino),
		.size = get64(&wire.size),
		.blocks = get64(&wire.blocks),
		.atime = (int64_t)get64(&wire.atime),
		.mtime = (int64_t)get64(&wire.mtime),
		.ctime = (int64_t)get64(&wire.ctime),
		.atime_nsec = get32(&wire.atime_nsec),
		.mtime_nsec = get32(&wire.mtime_nsec),
		.ctime_nsec = get32(&wire.ctime_nsec),
		.mode = get32(&wire.mode),
		.nlink = get32(&wire.nlink),
		.uid = get32(&wire.uid),
		.gid = get32(&wire.gid),
		.rdev = get32(&wire.rdev),
		.blksize = get32(&wire.blksize),
		.access = get32(&wire.access),
		.flags = get32(&wire.flags),
	};
	switch (attr.mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK: break;
	default: return -EPROTO;
	}
	if (attr.mode & ~(S_IFMT | 07777u) || attr.size > INT64_MAX || attr.atime_nsec > NSEC_MAX ||
	    attr.mtime_nsec > NSEC_MAX || attr.ctime_nsec > NSEC_MAX || attr.access > 7 ||
	    attr.flags & ~(SUPERDEV_FS_A_LEASED | SUPERDEV_FS_A_NAMED | SUPERDEV_FS_A_NO_XATTR) ||
	    wire.reserved)
		return -EPROTO;
	*ret_attr = attr;
	return 0;
}

void sdv_fs_attr_store(uint8_t *data, const struct sdv_fs_attr *attr)
{
	struct superdev_fs_attr wire = {
		.ino = htole64(attr->ino),
		.size = htole64(attr->size),
		.blocks = htole64(attr->blocks),
		.atime = htole64((uint64_t)attr->atime),
		.mtime = htole64((uint64_t)attr->mtime),
		.ctime = htole64((uint64_t)attr->ctime),
		.atime_nsec = htole32(attr->atime_nsec),
		.mtime_nsec = htole32(attr->mtime_nsec),
		.ctime_nsec = htole32(attr->ctime_nsec),
		.mode = htole32(attr->mode),
		.nlink = htole32(attr->nlink),
		.uid = htole32(attr->uid),
		.gid = htole32(attr->gid),
		.rdev = htole32(attr->rdev),
		.blksize = htole32(attr->blksize),
		.access = htole32(attr->access),
		.flags = htole32(attr->flags),
	};

	memcpy(data, &wire, sizeof(wire));
}

int sdv_fs_entry_load(const uint8_t *data, struct sdv_fs_entry *ret_entry)
{
	struct sdv_fs_entry entry;
	int r = sdv_fs_attr_load(data + offsetof(struct superdev_fs_entry, attr), &entry.attr);

	entry.node = sdv_fs_u64_load(data);
	if (r || !entry.node)
		return -EPROTO;
	*ret_entry = entry;
	return 0;
}

void sdv_fs_entry_store(uint8_t *data, const struct sdv_fs_entry *entry)
{
	sdv_fs_u64_store(data, entry->node);
	sdv_fs_attr_store(data + offsetof(struct superdev_fs_entry, attr), &entry->attr);
}

int sdv_fs_setattr_load(const uint8_t *data, struct sdv_fs_setattr *ret_set)
{
	const uint32_t known = SUPERDEV_FS_S_MODE | SUPERDEV_FS_S_UID | SUPERDEV_FS_S_GID |
			       SUPERDEV_FS_S_SIZE | SUPERDEV_FS_S_ATIME | SUPERDEV_FS_S_MTIME |
			       SUPERDEV_FS_S_ATIME_NOW | SUPERDEV_FS_S_MTIME_NOW;
	struct superdev_fs_setattr wire;
	struct sdv_fs_setattr set;

	memcpy(&wire, data, sizeof(wire));
	set = (struct sdv_fs_setattr){
		.valid = get32(&wire.valid),
		.mode = get32(&wire.mode),
		.uid = get32(&wire.uid),
		.gid = get32(&wire.gid),
		.size = get64(&wire.size),
		.atime = (int64_t)get64(&wire.atime),
		.mtime = (int64_t)get64(&wire.mtime),
		.atime_nsec = get32(&wire.atime_nsec),
		.mtime_nsec = get32(&wire.mtime_nsec),
	};
	if (set.valid & ~known || set.mode & ~07777u || set.size > INT64_MAX || set.atime_nsec > NSEC_MAX ||
	    set.mtime_nsec > NSEC_MAX)
		return -EINVAL;
	*ret_set = set;
	return 0;
}

void sdv_fs_setattr_store(uint8_t *data, const struct sdv_fs_setattr *set)
{
	struct superdev_fs_setattr wire = {
		.valid = htole32(set->valid),
		.mode = htole32(set->mode),
		.uid = htole32(set->uid),
		.gid = htole32(set->gid),
		.size = htole64(set->size),
		.atime = htole64((uint64_t)set->atime),
		.mtime = htole64((uint64_t)set->mtime),
		.atime_nsec = htole32(set->atime_nsec),
		.mtime_nsec = htole32(set->mtime_nsec),
	};

	memcpy(data, &wire, sizeof(wire));
}

int sdv_fs_statfs_load(const uint8_t *data, struct sdv_fs_statfs *ret_fs)
{
	struct superdev_fs_statfs wire;

	memcpy(&wire, data, sizeof(wire));
	*ret_fs = (struct sdv_fs_statfs){
		.blocks = get64(&wire.blocks),
		.bfree = get64(&wire.bfree),
		.bavail = get64(&wire.bavail),
		.files = get64(&wire.files),
		.ffree = get64(&wire.ffree),
		.bsize = get32(&wire.bsize),
		.namelen = get32(&wire.namelen),
	};
	return 0;
}

void sdv_fs_statfs_store(uint8_t *data, const struct sdv_fs_statfs *fs)
{
	struct superdev_fs_statfs wire = {
		.blocks = htole64(fs->blocks),
		.bfree = htole64(fs->bfree),
		.bavail = htole64(fs->bavail),
		.files = htole64(fs->files),
		.ffree = htole64(fs->ffree),
		.bsize = htole32(fs->bsize),
		.namelen = htole32(fs->namelen),
	};

	memcpy(data, &wire, sizeof(wire));
}

int sdv_fs_lock_load(const uint8_t *data, struct sdv_fs_lock *ret_lock)
{
	struct superdev_fs_lock wire;
	struct sdv_fs_lock lock;

	memcpy(&wire, data, sizeof(wire));
	lock = (struct sdv_fs_lock){
		.owner = get64(&wire.owner),
		.start = get64(&wire.start),
		.end = get64(&wire.end),
		.type = wire.type,
		.kind = wire.kind,
		.what = wire.what,
		.pid = get32(&wire.pid),
	};
	if (lock.start > lock.end || lock.end > INT64_MAX || lock.type > SUPERDEV_FS_L_UNLOCK ||
	    lock.kind > SUPERDEV_FS_L_FLOCK || lock.what > SUPERDEV_FS_L_WAIT || wire.reserved)
		return -EINVAL;
	*ret_lock = lock;
	return 0;
}

void sdv_fs_lock_store(uint8_t *data, const struct sdv_fs_lock *lock)
{
	struct superdev_fs_lock wire = {
		.owner = htole64(lock->owner),
		.start = htole64(lock->start),
		.end = htole64(lock->end),
		.type = lock->type,
		.kind = lock->kind,
		.what = lock->what,
		.pid = htole32(lock->pid),
	};

	memcpy(data, &wire, sizeof(wire));
}

uint64_t sdv_fs_u64_load(const uint8_t *data)
{
	__le64 wire;

	memcpy(&wire, data, sizeof(wire));
	return get64(&wire);
}

void sdv_fs_u64_store(uint8_t *data, uint64_t value)
{
	__le64 wire = htole64(value);

	memcpy(data, &wire, sizeof(wire));
}

static size_t dirent_size(size_t name_len)
{
	return (sizeof(struct superdev_fs_dirent) + name_len + 7) & ~(size_t)7;
}

int sdv_fs_dirent_next(const uint8_t *data, size_t size, size_t *pos, struct sdv_fs_entry *ret_entry,
		       uint64_t *ret_cookie, char *ret_name)
{
	static const uint8_t zeros[8];
	const uint8_t *p = data + *pos;
	struct superdev_fs_dirent wire;
	struct sdv_fs_entry entry;
	size_t name_len;

	if (*pos == size)
		return 0;
	if (size - *pos < sizeof(wire))
		return -EPROTO;
	memcpy(&wire, p, sizeof(wire));
	name_len = le16toh(wire.name_len);
	if (size - *pos < dirent_size(name_len) || memcmp(wire.reserved, zeros, sizeof(wire.reserved)) != 0)
		return -EPROTO;
	/* A node of 0 is allowed here, and only here. */
	entry.node = get64(&wire.entry.node);
	if (sdv_fs_attr_load(p + offsetof(struct superdev_fs_entry, attr), &entry.attr) ||
	    !name_copy(ret_name, p + sizeof(wire), name_len, false))
		return -EPROTO;
	*ret_entry = entry;
	*ret_cookie = get64(&wire.cookie);
	*pos += dirent_size(name_len);
	return 1;
}

bool sdv_fs_dirent_add(uint8_t *data, size_t size, size_t *pos, const struct sdv_fs_entry *entry,
		       uint64_t cookie, const char *name)
{
	struct superdev_fs_dirent wire = { .cookie = htole64(cookie) };
	size_t name_len = strnlen(name, SUPERDEV_FS_NAME_MAX), len = dirent_size(name_len);

	if (size - *pos < len)
		return false;
	wire.name_len = htole16((uint16_t)name_len);
	sdv_fs_entry_store((uint8_t *)&wire.entry, entry);
	memset(data + *pos + len - 8, 0, 8);
	memcpy(data + *pos, &wire, sizeof(wire));
	memcpy(data + *pos + sizeof(wire), name, name_len);
	*pos += len;
	return true;
}
