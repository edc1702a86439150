// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proto_remote.c: operations on home's files, as bytes.
 *
 * Between what superdev_cpu.ko asks and is answered (uapi/superdev_cpu.h), which
 * is this machine's own, and what goes to the other (uapi/superdev_wire.h).  See
 * proto.h.  What comes in is a stranger's until the functions here have said 0.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "proto.h"
#include "superdev_cpu.h"

#define COMMANDS_OPEN  (O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_NOCTTY)
#define COMMANDS_ALLOC 0x7fu /* FALLOC_FL_*, which home's kernel looks at, too */
#define FLAGS                                                                               \
	(SUPERDEV_TASK_R_F_OFFSET | SUPERDEV_TASK_R_F_NONBLOCK | SUPERDEV_TASK_R_F_APPEND | \
	 SUPERDEV_TASK_R_F_SYNC)
#define MAX_ERRNO  133
#define READY_BITS 0x3fffu

/* The wire's numbers are those of the kernel here. */
enum { WIRE_F_SYNC = SUPERDEV_TASK_R_F_SYNC, WIRE_MAX = SUPERDEV_TASK_MAX_REMOTE };
_Static_assert((int)SUPERDEV_TASK_R_READ == SUPERDEV_REMOTE_READ, "the same numbers");
_Static_assert((int)SUPERDEV_TASK_R_NREAD == SUPERDEV_REMOTE_IOCTL, "the same numbers");
_Static_assert((int)SUPERDEV_TASK_R_INTERRUPT == SUPERDEV_REMOTE_INTERRUPT, "the same numbers");
_Static_assert((int)WIRE_F_SYNC == SUPERDEV_REMOTE_F_SYNC, "the same bits");
_Static_assert((int)WIRE_MAX == SUPERDEV_REMOTE_DATA_MAX, "as much at once");

/* What each operation may ask for; @data and @max_data: bytes that come with it. */
static const struct op_rule {
	uint32_t flags;
	uint32_t data, max_data;
	uint32_t max_length;
	uint32_t commands; /* bits */
	bool has_offset, has_argument, has_no_id, has_no_cookie;
} op_rules[] = {
#define OP(op) [SUPERDEV_TASK_R_##op]
	OP(READ) = { .flags = SUPERDEV_TASK_R_F_OFFSET | SUPERDEV_TASK_R_F_NONBLOCK,
		     .max_length = SUPERDEV_TASK_MAX_REMOTE,
		     .has_offset = true },
	OP(WRITE) = { .flags = FLAGS, .max_data = SUPERDEV_TASK_MAX_REMOTE, .has_offset = true },
	OP(POLL) = { .data = 0 },
	OP(NREAD) = { .flags = SUPERDEV_TASK_R_F_NONBLOCK, .max_length = sizeof(__le32) },
	OP(SEEK) = { .commands = 7, .has_offset = true },
	OP(SYNC) = { .commands = 1 },
	OP(LOCK) = { .data = sizeof(struct superdev_task_lock),
		     .max_data = sizeof(struct superdev_task_lock),
		     .max_length = sizeof(struct superdev_task_lock) },
	OP(GETATTR) = { .max_length = sizeof(struct superdev_task_attr) },
	OP(TRUNCATE) = { .has_offset = true },
	OP(ALLOCATE) = { .commands = COMMANDS_ALLOC, .has_offset = true, .has_argument = true },
	OP(OPEN) = { .commands = COMMANDS_OPEN, .has_argument = true },
	OP(RELEASE) = { .has_no_id = true },
	OP(INTERRUPT) = { .has_no_cookie = true },
#undef OP
};

#define NR_RULES (sizeof(op_rules) / sizeof(*op_rules))

/* Locks ---------------------------------------------------------------------- */

static const uint8_t lock_types[] = {
	[F_RDLCK] = SUPERDEV_FS_L_READ,
	[F_WRLCK] = SUPERDEV_FS_L_WRITE,
	[F_UNLCK] = SUPERDEV_FS_L_UNLOCK,
};

static void lock_put(const struct superdev_remote_lock *lock, uint8_t what, void *ret_bytes)
{
	const struct superdev_task_lock bytes = {
		.owner = htole64(lock->owner),
		.start = htole64((uint64_t)lock->start),
		.end = htole64((uint64_t)lock->end),
		.type = lock->type <= F_UNLCK ? lock_types[lock->type] : SUPERDEV_FS_L_UNLOCK,
		.what = what,
		.pid = htole32(lock->pid),
	};

	memcpy(ret_bytes, &bytes, sizeof(bytes));
}

static int lock_get(const void *data, struct superdev_remote_lock *ret_lock, uint8_t *ret_what)
{
	static const uint8_t types[] = {
		[SUPERDEV_FS_L_READ] = F_RDLCK,
		[SUPERDEV_FS_L_WRITE] = F_WRLCK,
		[SUPERDEV_FS_L_UNLOCK] = F_UNLCK,
	};
	struct superdev_task_lock bytes;

	memcpy(&bytes, data, sizeof(bytes));
	if (bytes.type > SUPERDEV_FS_L_UNLOCK || bytes.what > SUPERDEV_FS_L_WAIT || bytes.reserved[0] ||
	    bytes.reserved[1])
		return -EPROTO;
	*ret_lock = (struct superdev_remote_lock){
		.owner = le64toh(bytes.owner),
		.start = (int64_t)le64toh(bytes.start),
		.end = (int64_t)le64toh(bytes.end),
		.type = types[bytes.type],
		.pid = le32toh(bytes.pid),
	};
	if (ret_lock->start < 0 || ret_lock->end < ret_lock->start || ret_lock->pid > INT32_MAX)
		return -EPROTO;
	*ret_what = bytes.what;
	return 0;
}

/* Requests ------------------------------------------------------------------- */

static bool is_request(const struct superdev_remote_request *ask)
{
	const struct op_rule *rule = &op_rules[ask->op];

	if (ask->flags & ~rule->flags || ask->data_length < rule->data || ask->data_length > rule->max_data ||
	    ask->length > rule->max_length || ask->command & ~rule->commands)
		return false;
	if (!ask->id != rule->has_no_id || !ask->cookie != rule->has_no_cookie)
		return false;
	if ((!rule->has_offset && ask->offset) || (!rule->has_argument && ask->argument))
		return false;
	/* A position is none; only lseek() may go back. */
	if (ask->offset < 0 && ask->op != SUPERDEV_REMOTE_SEEK)
		return false;
	return ask->op != SUPERDEV_REMOTE_OPEN || ask->argument & SUPERDEV_REMOTE_COOKIE_OURS;
}

/* The command of fcntl() that what is asked of a lock comes to. */
static int lock_command(struct superdev_remote_request *ask, void *data)
{
	static const int commands[] = {
		[SUPERDEV_FS_L_TEST] = F_GETLK,
		[SUPERDEV_FS_L_SET] = F_SETLK,
		[SUPERDEV_FS_L_WAIT] = F_SETLKW,
	};
	struct superdev_remote_lock lock;
	uint8_t what;

	if (lock_get(data, &lock, &what) || (what == SUPERDEV_FS_L_TEST) != !!ask->length)
		return -EPROTO;
	memcpy(data, &lock, sizeof(lock));
	ask->command = (uint32_t)commands[what];
	return 0;
}

int sdv_task_request_get(const void *payload, uint32_t len, struct superdev_remote_request *ret_ask,
			 void *ret_data)
{
	struct superdev_task_request bytes;
	struct superdev_remote_request ask;

	if (len < sizeof(bytes) || len > SDV_TASK_MAX_PAYLOAD)
		return -EPROTO;
	memcpy(&bytes, payload, sizeof(bytes));
	ask = (struct superdev_remote_request){
		.id = le64toh(bytes.id),
		.cookie = le64toh(bytes.cookie),
		.op = le32toh(bytes.op),
		.flags = le32toh(bytes.flags),
		.offset = (int64_t)le64toh(bytes.offset),
		.argument = le64toh(bytes.argument),
		.command = le32toh(bytes.command),
		.length = le32toh(bytes.length),
		.data_length = len - (uint32_t)sizeof(bytes),
	};
	if (!ask.op || ask.op >= NR_RULES || !is_request(&ask))
		return -EPROTO;
	memcpy(ret_data, (const uint8_t *)payload + sizeof(bytes), ask.data_length);
	if (ask.op == SUPERDEV_REMOTE_LOCK && lock_command(&ask, ret_data))
		return -EPROTO;
	if (ask.op == SUPERDEV_REMOTE_IOCTL)
		ask.command = FIONREAD;
	*ret_ask = ask;
	return 0;
}

uint32_t sdv_task_request_put(const struct superdev_remote_request *ask, const void *data, void *ret_payload)
{
	const struct superdev_task_request bytes = {
		.id = htole64(ask->id),
		.cookie = htole64(ask->op == SUPERDEV_REMOTE_INTERRUPT ? 0 : ask->cookie),
		.offset = htole64((uint64_t)ask->offset),
		.argument = htole64(ask->argument),
		.op = htole32(ask->op),
		/* That it stands without its asker is the kernel's matter. */
		.flags = htole32(ask->flags & FLAGS),
		.command = htole32(ask->op == SUPERDEV_REMOTE_LOCK || ask->op == SUPERDEV_REMOTE_IOCTL
					   ? 0
					   : ask->command),
		.length = htole32(ask->length),
	};
	struct superdev_remote_lock lock;
	uint8_t *to = ret_payload;

	if (ask->op == SUPERDEV_REMOTE_IOCTL && ask->command != FIONREAD)
		return 0;
	memcpy(to, &bytes, sizeof(bytes));
	if (ask->op != SUPERDEV_REMOTE_LOCK) {
		if (ask->data_length)
			memcpy(to + sizeof(bytes), data, ask->data_length);
		return (uint32_t)sizeof(bytes) + ask->data_length;
	}
	memcpy(&lock, data, sizeof(lock));
	lock_put(&lock,
		 ask->command == F_GETLK   ? SUPERDEV_FS_L_TEST
		 : ask->command == F_SETLK ? SUPERDEV_FS_L_SET
					   : SUPERDEV_FS_L_WAIT,
		 to + sizeof(bytes));
	return sizeof(bytes) + sizeof(struct superdev_task_lock);
}

/* Answers -------------------------------------------------------------------- */

static void attr_put(const struct superdev_remote_attr *attr, void *ret_bytes)
{
	const struct superdev_task_attr bytes = {
		.size = htole64(attr->size),
		.blocks = htole64(attr->blocks),
		.atime = htole64((uint64_t)attr->atime),
		.mtime = htole64((uint64_t)attr->mtime),
		.ctime = htole64((uint64_t)attr->ctime),
		.atime_nsec = htole32(attr->atime_ns),
		.mtime_nsec = htole32(attr->mtime_ns),
		.ctime_nsec = htole32(attr->ctime_ns),
		.mode = htole32(attr->mode),
		.nlink = htole32(attr->nlink),
		.uid = htole32(attr->uid),
		.gid = htole32(attr->gid),
		.blksize = htole32(attr->blksize),
	};

	memcpy(ret_bytes, &bytes, sizeof(bytes));
}

/* Who has no number in the guest's namespace shows there as nobody, whatever we say here. */
static uint32_t id_of(__le32 id, uint32_t first_id)
{
	return le32toh(id) <= UINT16_MAX ? first_id + le32toh(id) : UINT32_MAX - 1;
}

static void attr_get(const void *data, uint32_t first_id, void *ret_attr)
{
	struct superdev_task_attr bytes;
	struct superdev_remote_attr attr;

	memcpy(&bytes, data, sizeof(bytes));
	attr = (struct superdev_remote_attr){
		.size = le64toh(bytes.size),
		.blocks = le64toh(bytes.blocks),
		.atime = (int64_t)le64toh(bytes.atime),
		.mtime = (int64_t)le64toh(bytes.mtime),
		.ctime = (int64_t)le64toh(bytes.ctime),
		.atime_ns = le32toh(bytes.atime_nsec),
		.mtime_ns = le32toh(bytes.mtime_nsec),
		.ctime_ns = le32toh(bytes.ctime_nsec),
		.mode = le32toh(bytes.mode),
		.nlink = le32toh(bytes.nlink),
		.uid = id_of(bytes.uid, first_id),
		.gid = id_of(bytes.gid, first_id),
		.blksize = le32toh(bytes.blksize),
	};
	memcpy(ret_attr, &attr, sizeof(attr));
}

/* Bytes of data that an answer to @op has where it is no error; -1: any. */
static int64_t data_length(uint32_t op)
{
	switch (op) {
	case SUPERDEV_TASK_R_READ: return -1;
	case SUPERDEV_TASK_R_NREAD: return sizeof(__le32);
	case SUPERDEV_TASK_R_GETATTR: return sizeof(struct superdev_task_attr);
	case SUPERDEV_TASK_R_LOCK: return -1; /* a test alone has some */
	default: return 0;
	}
}

/* The data of an answer in this machine's own terms, behind its header. */
static int data_get(uint32_t op, const uint8_t *data, uint32_t len, uint32_t first_id, void *ret_data)
{
	struct superdev_remote_lock lock;
	uint8_t what;
	__le32 number;

	if (op == SUPERDEV_TASK_R_GETATTR && len) {
		attr_get(data, first_id, ret_data);
	} else if (op == SUPERDEV_TASK_R_NREAD && len) {
		memcpy(&number, data, sizeof(number));
		number = (__le32)le32toh(number);
		memcpy(ret_data, &number, sizeof(number));
	} else if (op == SUPERDEV_TASK_R_LOCK && len) {
		if (len != sizeof(struct superdev_task_lock) || lock_get(data, &lock, &what))
			return -EPROTO;
		memcpy(ret_data, &lock, sizeof(lock));
	} else {
		memcpy(ret_data, data, len);
	}
	return 0;
}

int sdv_task_answer_get(const void *payload, uint32_t len, uint32_t first_id,
			struct superdev_remote_reply *ret_reply, uint64_t *ret_opened)
{
	struct superdev_task_answer bytes;
	struct superdev_remote_reply reply;
	uint32_t op;
	int64_t need;

	if (len < sizeof(bytes) || len > sizeof(bytes) + SUPERDEV_TASK_MAX_REMOTE)
		return -EPROTO;
	memcpy(&bytes, payload, sizeof(bytes));
	op = le32toh(bytes.op);
	reply = (struct superdev_remote_reply){
		.id = le64toh(bytes.id),
		.cookie = le64toh(bytes.cookie),
		.type = op ? SUPERDEV_REMOTE_REPLY : SUPERDEV_REMOTE_READY,
		.length = len - (uint32_t)sizeof(bytes),
		.result = (int64_t)le64toh(bytes.result),
		.sequence = le64toh(bytes.sequence),
		.ready = le32toh(bytes.ready),
	};
	need = reply.result < 0 ? 0 : data_length(op);
	if (op >= SUPERDEV_TASK_R_RELEASE || !op != !reply.id || reply.result < -MAX_ERRNO ||
	    reply.ready & ~READY_BITS || (need >= 0 && reply.length != need))
		return -EPROTO;
	*ret_opened = op == SUPERDEV_TASK_R_OPEN && reply.result >= 0 ? reply.cookie : 0;
	if (op)
		reply.cookie = 0;
	memcpy(ret_reply, &reply, sizeof(reply));
	return data_get(op, (const uint8_t *)payload + sizeof(bytes), reply.length, first_id, ret_reply + 1);
}

uint32_t sdv_task_answer_put(uint32_t op, const struct superdev_remote_reply *reply, const void *data,
			     void *ret_payload)
{
	const struct superdev_task_answer bytes = {
		.id = htole64(reply->id),
		.cookie = htole64(reply->cookie),
		.result = htole64((uint64_t)reply->result),
		.sequence = htole64(reply->sequence),
		.ready = htole32(reply->ready),
		.op = htole32(op),
	};
	uint8_t *to = (uint8_t *)ret_payload + sizeof(bytes);
	struct superdev_remote_attr attr;
	struct superdev_remote_lock lock;
	uint32_t number;

	memcpy(ret_payload, &bytes, sizeof(bytes));
	if (!reply->length)
		return sizeof(bytes);
	if (op == SUPERDEV_REMOTE_GETATTR) {
		memcpy(&attr, data, sizeof(attr));
		attr_put(&attr, to);
	} else if (op == SUPERDEV_REMOTE_LOCK) {
		memcpy(&lock, data, sizeof(lock));
		lock_put(&lock, SUPERDEV_FS_L_TEST, to);
	} else if (op == SUPERDEV_REMOTE_IOCTL) {
		memcpy(&number, data, sizeof(number));
		number = htole32(number);
		memcpy(to, &number, sizeof(number));
	} else {
		memcpy(to, data, reply->length);
	}
	return (uint32_t)sizeof(bytes) + reply->length;
}
