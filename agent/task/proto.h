/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proto.h: what a deputy and the host of its guest say to each other, as bytes.
 *
 * Every length, number and name that the other end sends is checked here and
 * nowhere else.  Needs libc alone, so that fuzzers can have it; used by deputy,
 * relay and the guest's process 1.  Documentation/tasks tells it in prose.
 */
#ifndef SDV_TASK_PROTO_H
#define SDV_TASK_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

#define SDV_TASK_MAX_PAYLOAD (sizeof(struct superdev_task_request) + SUPERDEV_TASK_MAX_REMOTE)

/* The side that receives: each may be sent only some of the operations. */
enum sdv_task_side {
	SDV_TASK_HOME,
	SDV_TASK_LENDER,
};

/**
 * sdv_task_frame_check - is this header one that may come, and what does it say?
 * @frame:	as received
 * @rules:	of the connection; class and max_length are set here
 * @side:	who receives
 * @ret_head:	written where the result is 0
 *
 * Checks op, direction, length, stream and numbers, but not what the payload
 * says.  Return: 0; -EPROTO, -EMSGSIZE, -ESTALE as sdv_frame_check(): whatever it
 * is, the connection has to be closed.
 */
int sdv_task_frame_check(const struct superdev_frame *frame, const struct sdv_frame_rules *rules,
			 enum sdv_task_side side, struct sdv_head *ret_head);

/**
 * struct sdv_task_parts - how much of an image has come
 */
struct sdv_task_parts {
	uint32_t size, done;
};

/* Whether @head is the next part; -EPROTO where it is not, 1 where it was the last, or 0. */
int sdv_task_parts_add(struct sdv_task_parts *parts, const struct sdv_head *head);

/* Adds a peer's credit; -EPROTO where it is more than a window. */
int sdv_task_credit_add(uint32_t *credit, uint32_t count);

struct sdv_task_rlimit {
	uint64_t soft, hard;
};

/* As struct superdev_task_modes, in the byte order of this machine. */
struct sdv_task_modes {
	uint32_t valid, iflag, oflag, cflag, lflag;
	uint8_t cc[SUPERDEV_TASK_NR_CC];
	uint16_t rows, cols, xpixel, ypixel;
};

struct sdv_task_fd {
	uint32_t fd;
	uint16_t stream;
	uint8_t kind, mode;
	uint32_t flags, device;
};

/**
 * struct sdv_task_image - struct superdev_task_image in the byte order of this machine
 *
 * Strings, @groups and @fds point into the bytes that were checked, or to what
 * is to be written.  @argv and @envp are one string after the other.
 */
struct sdv_task_image {
	const char *path, *cwd, *host, *argv, *envp;
	uint32_t argc, argv_len, envc, envp_len, nr_groups, nr_fds;
	uint32_t flags, umask, uid, gid, personality, pid, ppid, pgid, sid;
	int32_t nice;
	uint64_t sig_blocked, sig_ignored;
	struct sdv_task_rlimit rlimits[SUPERDEV_TASK_NR_RLIMITS];
	struct sdv_task_modes modes;
	const __le32 *groups;
	const struct superdev_task_fd *fds;
};

/**
 * struct sdv_task_streams - what the table of descriptors comes to
 * @nr:		streams
 * @kind:	of each
 * @mode:	SUPERDEV_TASK_MODE_* that any of its descriptors has
 */
struct sdv_task_streams {
	unsigned int nr;
	uint8_t kind[SUPERDEV_TASK_MAX_STREAMS], mode[SUPERDEV_TASK_MAX_STREAMS];
};

/**
 * sdv_task_image_check - is this an image?
 * @data:	all of it, aligned to 8 bytes
 * @len:	bytes
 * @ret_image:	points into @data
 * @ret_streams: of its table of descriptors
 *
 * Return: 0; -EBADMSG: lengths do not add up, a string has no end or too many;
 * -EINVAL: a number is out of its range, or reserved bytes are not zero;
 * -EPROTO: the table of descriptors contradicts itself.
 */
int sdv_task_image_check(const void *data, size_t len, struct sdv_task_image *ret_image,
			 struct sdv_task_streams *ret_streams);

/* The bytes that @image comes to; 0 where they would be too many. */
size_t sdv_task_image_size(const struct sdv_task_image *image);

/* Writes sdv_task_image_size() bytes. */
void sdv_task_image_build(const struct sdv_task_image *image, void *ret_data);

/* Entry @index of a checked image's table. */
struct sdv_task_fd sdv_task_fd_get(const struct sdv_task_image *image, uint32_t index);
void sdv_task_fd_put(struct superdev_task_fd *ret_fd, const struct sdv_task_fd *fd);

/* Points @ret_strings, of @nr + 1 entries, at @nr strings that lie one after the other. */
void sdv_task_strings(const char *data, uint32_t nr, char **ret_strings);

/* -EINVAL: an unknown flag of @valid, or a line discipline that is none. */
int sdv_task_modes_get(const struct superdev_task_modes *modes, struct sdv_task_modes *ret_modes);
void sdv_task_modes_put(struct superdev_task_modes *ret_modes, const struct sdv_task_modes *modes);

/* What a program used; any number is one, the kernel judges what a machine can have done. */
struct sdv_task_used {
	uint64_t utime_us, stime_us, maxrss_kb, minflt, majflt, inblock, oublock, nvcsw, nivcsw;
};

void sdv_task_used_get(const struct superdev_task_used *payload, struct sdv_task_used *ret_used);
void sdv_task_used_put(struct superdev_task_used *ret_payload, const struct sdv_task_used *used);

struct sdv_task_exit {
	uint32_t code, signal, flags;
	struct sdv_task_used used;
};

/* -EINVAL: no such signal, a code above 255, an unknown flag. */
int sdv_task_exit_get(const struct superdev_task_exit *payload, struct sdv_task_exit *ret_exit);
void sdv_task_exit_put(struct superdev_task_exit *ret_payload, const struct sdv_task_exit *end);

/* The errno (positive) and the text, at most 123 bytes of printable characters. */
int sdv_task_refusal_get(const struct superdev_task_refusal *payload, char ret_text[124]);
void sdv_task_refusal_put(struct superdev_task_refusal *ret_payload, int error, const char *text);

/* Remote files: in the terms of uapi/superdev_cpu.h, which is this machine's own. */

struct superdev_remote_request;
struct superdev_remote_reply;

/**
 * sdv_task_request_get - what home is asked to do
 * @payload:	of a frame that was checked
 * @len:	bytes
 * @ret_ask:	pid and tid are 0
 * @ret_data:	its data, of ret_ask->data_length bytes; a lock is struct superdev_remote_lock.
 *		At least SUPERDEV_TASK_MAX_REMOTE bytes, aligned to 8
 *
 * Return: 0; -EPROTO: no such operation, or lengths and numbers that it can't have.
 */
int sdv_task_request_get(const void *payload, uint32_t len, struct superdev_remote_request *ret_ask,
			 void *ret_data);

/**
 * sdv_task_request_put - the same as a payload
 * @ask, @data:	as the kernel had it, @data as many bytes as it says
 * @ret_payload: SDV_TASK_MAX_PAYLOAD bytes
 *
 * Return: bytes; 0: home knows no such operation.
 */
uint32_t sdv_task_request_put(const struct superdev_remote_request *ask, const void *data, void *ret_payload);

/**
 * sdv_task_answer_get - what came of it, for the kernel
 * @payload, @len: as above
 * @first_id:	what home's user and group 0 are here
 * @ret_reply:	the data follows it: SUPERDEV_REMOTE_MESSAGE_MAX bytes, aligned to 8
 * @ret_opened:	cookie of the file that there is now, should the kernel not want it; or 0
 *
 * Whether it answers what was asked is the kernel's to see.  Return: 0; -EPROTO.
 */
int sdv_task_answer_get(const void *payload, uint32_t len, uint32_t first_id,
			struct superdev_remote_reply *ret_reply, uint64_t *ret_opened);

/**
 * sdv_task_answer_put - the same as a payload
 * @op:		that is answered; 0: news
 * @reply, @data: as the kernel would want them; @reply->cookie that of the file that was opened
 * @ret_payload: SDV_TASK_MAX_PAYLOAD bytes
 *
 * Return: bytes.
 */
uint32_t sdv_task_answer_put(uint32_t op, const struct superdev_remote_reply *reply, const void *data,
			     void *ret_payload);

#endif
