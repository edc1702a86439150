/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker_double.h: a worker whose loop is memory, for tests and fuzzers.
 *
 * Stands in for loop.c: lanes are byte strings, the disk is an array, and an
 * operation is finished when double_turn() says so.  The test decides how
 * much a receive or a send takes at once, and whether the disk answers.
 */
#ifndef SDV_WORKER_DOUBLE_H
#define SDV_WORKER_DOUBLE_H

#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../agent/worker/lane.h"

#define DOUBLE_DISK (1u << 20)
#define DOUBLE_OUT  (5u << 20)

enum double_kind { DOUBLE_RECV, DOUBLE_SEND, DOUBLE_QUIET, DOUBLE_DISK_OP, DOUBLE_DONE };

struct double_op {
	struct sdv_op *op;
	enum double_kind kind;
	unsigned int slot;
	void *buf;
	size_t len;
	const struct msghdr *msg;
	bool wants_all;
	bool is_sent; /* quiet, and over; told when the round ends */
	int result;
};

static struct {
	struct sdv_worker worker;
	struct double_op ops[SDV_WORKER_REQUESTS + 128];
	unsigned int nr_ops;
	struct {
		const uint8_t *in;
		size_t in_len;
		bool has_ended;
		uint8_t *out;
		size_t out_len;
	} lanes[SUPERDEV_MAX_LANES];
	unsigned int nr_sends, nr_quiet;
	unsigned int nr_disk_ops;
	int last_rw_flags;
	int last_mode;
	size_t max_recv, max_send, max_disk;
	bool holds_disk;
	int disk_error;
	const char *texts[SDV_WORKER_FILES]; /* what the class's files say; NULL: they fail */
	unsigned int nr_texts;               /* read so far */
	int start_error;
	uint32_t down;
	int down_error;
	uint8_t disk[DOUBLE_DISK];
} dbl;

static int double_add(struct sdv_op *op, struct double_op one)
{
	if (op->is_active)
		return -EBUSY;
	op->is_active = true;
	one.op = op;
	dbl.ops[dbl.nr_ops++] = one;
	return 0;
}

int sdv_op_recv(struct sdv_loop *loop, struct sdv_op *op, int fd, void *buf, size_t len, int flags)
{
	(void)loop;
	return double_add(op, (struct double_op){ .kind = DOUBLE_RECV,
						  .slot = (unsigned int)(SDV_FIXED(0) - fd) - SDV_SLOT_LANES,
						  .buf = buf,
						  .len = len,
						  .wants_all = flags & MSG_WAITALL });
}

int sdv_op_sendmsg(struct sdv_loop *loop, struct sdv_op *op, int fd, const struct msghdr *msg, int flags)
{
	(void)loop, (void)flags;
	return double_add(op, (struct double_op){ .kind = DOUBLE_SEND,
						  .slot = (unsigned int)(SDV_FIXED(0) - fd) - SDV_SLOT_LANES,
						  .msg = msg });
}

int sdv_op_sendmsg_quiet(struct sdv_loop *loop, struct sdv_op *op, int fd, const struct msghdr *msg,
			 size_t len, int flags)
{
	(void)loop, (void)flags;
	return double_add(op, (struct double_op){ .kind = DOUBLE_QUIET,
						  .slot = (unsigned int)(SDV_FIXED(0) - fd) - SDV_SLOT_LANES,
						  .len = len,
						  .msg = msg });
}

int sdv_op_install(struct sdv_loop *loop, struct sdv_op *op, unsigned int index, int *fd)
{
	(void)loop, (void)index, (void)fd;
	return double_add(op, (struct double_op){ .kind = DOUBLE_DONE });
}

int sdv_op_cancel(struct sdv_loop *loop, struct sdv_op *op)
{
	(void)loop;
	for (unsigned int i = 0; i < dbl.nr_ops; i++)
		if (dbl.ops[i].op == op) {
			dbl.ops[i].kind = DOUBLE_DONE;
			dbl.ops[i].result = dbl.ops[i].is_sent ? dbl.ops[i].result : -ECANCELED;
			dbl.ops[i].is_sent = false;
		}
	return 0;
}

/* Does the work at once; holds_disk holds back its end. */
static int disk_op(struct sdv_op *op, int result)
{
	if (dbl.start_error)
		return dbl.start_error;
	dbl.nr_disk_ops++;
	return double_add(op, (struct double_op){ .kind = DOUBLE_DISK_OP,
						  .result = dbl.disk_error ? dbl.disk_error : result });
}

static size_t disk_len(size_t len, uint64_t offset)
{
	if (offset > DOUBLE_DISK || len > DOUBLE_DISK - offset)
		abort(); /* the worker let a range through that is not the disk's */
	return dbl.max_disk && len > dbl.max_disk ? dbl.max_disk : len;
}

int sdv_op_read(struct sdv_loop *loop, struct sdv_op *op, int fd, void *buf, size_t len, uint64_t offset)
{
	const char *text = dbl.texts[(unsigned int)(SDV_FIXED(0) - fd) - SDV_SLOT_FILES];
	size_t size = text ? strlen(text) : 0;

	(void)loop;
	if (offset)
		abort(); /* such a file is read from its beginning */
	size = size < len ? size : len;
	if (text)
		memcpy(buf, text, size);
	dbl.nr_texts++;
	return disk_op(op, text ? (int)size : -EIO);
}

int sdv_op_read_buffer(struct sdv_loop *loop, struct sdv_op *op, int fd, void *buf, size_t len,
		       uint64_t offset)
{
	(void)loop, (void)fd;
	len = disk_len(len, offset);
	memcpy(buf, dbl.disk + offset, len);
	return disk_op(op, (int)len);
}

int sdv_op_write_buffer(struct sdv_loop *loop, struct sdv_op *op, int fd, const void *buf, size_t len,
			uint64_t offset, int rw_flags)
{
	(void)loop, (void)fd;
	len = disk_len(len, offset);
	dbl.last_rw_flags = rw_flags;
	if (!dbl.start_error && !dbl.disk_error)
		memcpy(dbl.disk + offset, buf, len);
	return disk_op(op, (int)len);
}

int sdv_op_fsync(struct sdv_loop *loop, struct sdv_op *op, int fd, bool datasync)
{
	(void)loop, (void)fd, (void)datasync;
	return disk_op(op, 0);
}

int sdv_op_fallocate(struct sdv_loop *loop, struct sdv_op *op, int fd, int mode, uint64_t offset,
		     uint64_t len)
{
	(void)loop, (void)fd;
	if (disk_len(len, offset) && !dbl.disk_error)
		memset(dbl.disk + offset, 0, len);
	dbl.last_mode = mode;
	return disk_op(op, 0);
}

int sdv_op_discard(struct sdv_loop *loop, struct sdv_op *op, int fd, uint64_t offset, uint64_t len)
{
	return sdv_op_fallocate(loop, op, fd, 0, offset, len);
}

/* What the socket takes of a message. */
static int double_take(const struct double_op *one)
{
	size_t room = dbl.max_send ? dbl.max_send : SIZE_MAX;
	int taken = 0;

	dbl.nr_sends++;
	for (size_t i = 0; i < one->msg->msg_iovlen && room; i++) {
		size_t part = one->msg->msg_iov[i].iov_len;

		part = part < room ? part : room;
		room -= part;
		taken += (int)part;
		if (dbl.lanes[one->slot].out_len + part > DOUBLE_OUT)
			continue; /* fuzzers ask for more than they look at */
		memcpy(dbl.lanes[one->slot].out + dbl.lanes[one->slot].out_len, one->msg->msg_iov[i].iov_base,
		       part);
		dbl.lanes[one->slot].out_len += part;
	}
	return taken;
}

/* False: it still waits. */
static bool double_finish(struct double_op *one, int *ret_result)
{
	size_t len = one->len;

	switch (one->kind) {
	case DOUBLE_DISK_OP: *ret_result = one->result; return !dbl.holds_disk;
	case DOUBLE_DONE: *ret_result = one->result; return true;
	case DOUBLE_RECV:
		if (dbl.max_recv && len > dbl.max_recv && !one->wants_all)
			len = dbl.max_recv;
		if (len > dbl.lanes[one->slot].in_len)
			len = dbl.lanes[one->slot].in_len;
		*ret_result = (int)len;
		if (!len)
			return dbl.lanes[one->slot].has_ended;
		if (one->wants_all && len < one->len && !dbl.lanes[one->slot].has_ended)
			return false;
		memcpy(one->buf, dbl.lanes[one->slot].in, len);
		dbl.lanes[one->slot].in += len;
		dbl.lanes[one->slot].in_len -= len;
		return true;
	case DOUBLE_SEND: *ret_result = double_take(one); return true;
	case DOUBLE_QUIET:
		if (one->is_sent)
			return false;
		*ret_result = one->result = double_take(one);
		one->is_sent = *ret_result == (int)one->len;
		dbl.nr_quiet += one->is_sent;
		return !one->is_sent;
	}
	return false;
}

static void double_tell(unsigned int i, int result)
{
	struct sdv_op *op = dbl.ops[i].op;

	memmove(&dbl.ops[i], &dbl.ops[i + 1], (--dbl.nr_ops - i) * sizeof(*dbl.ops));
	op->is_active = false;
	op->done(op, result, false);
}

/* Rounds of the loop, until nothing more can happen. */
static void double_turn(void)
{
	bool moves = true;

	while (moves) {
		unsigned int nr;

		sdv_lanes_turn(&dbl.worker);
		moves = false;
		nr = dbl.nr_ops;
		for (unsigned int i = 0; i < nr;) {
			int result;

			if (!double_finish(&dbl.ops[i], &result)) {
				i++;
				continue;
			}
			double_tell(i, result);
			moves = true;
			/* A callback may have changed what is pending: look at all again. */
			i = 0;
			nr = dbl.nr_ops;
		}
		/* Otherwise the loop sleeps. */
		for (unsigned int i = 0; i < dbl.nr_ops && moves;) {
			if (dbl.ops[i].is_sent)
				double_tell(i, dbl.ops[i].result);
			else
				i++;
		}
	}
}

static void double_lane_down(struct sdv_worker *worker, unsigned int index, int error)
{
	(void)worker;
	dbl.down |= 1u << index;
	dbl.down_error = error;
}

/* Ends a test: closes every lane; true where nothing is left over. */
static bool double_close(void)
{
	dbl.holds_disk = false;
	for (unsigned int i = 0; i < SUPERDEV_MAX_LANES; i++)
		sdv_lane_close(&dbl.worker.lanes[i], 0);
	double_turn();
	sdv_arena_close(dbl.worker.arena);
	dbl.worker.arena = NULL;
	return !dbl.worker.nr_running && !dbl.nr_ops;
}

/* Begins a test: a worker of @class with no lanes; memory is made once. */
static void double_open(const struct sdv_worker_class *class, size_t arena, uint32_t flags)
{
	struct sdv_worker *worker = &dbl.worker;
	struct sdv_lane *lanes = worker->lanes;
	int fd;

	if (worker->arena) /* the last test failed half-way */
		double_close();
	if (!lanes) {
		fd = memfd_create("disk", MFD_CLOEXEC);
		if (ftruncate(fd, DOUBLE_DISK) ||
		    (fd != SDV_WORKER_FD_BACKING && dup2(fd, SDV_WORKER_FD_BACKING) < 0))
			abort();
		if (sdv_lanes_init(worker))
			abort();
		for (unsigned int i = 0; i < SUPERDEV_MAX_LANES; i++)
			dbl.lanes[i].out = malloc(DOUBLE_OUT);
	}
	worker->class = class;
	worker->lease = 77;
	worker->epoch = 3;
	worker->flags = flags;
	worker->lane_down = double_lane_down;
	dbl.max_recv = dbl.max_send = dbl.max_disk = 0;
	dbl.nr_sends = dbl.nr_quiet = dbl.nr_disk_ops = 0;
	dbl.holds_disk = false;
	dbl.disk_error = dbl.start_error = 0;
	dbl.down = 0;
	memset(dbl.disk, 0, sizeof(dbl.disk));
	if (sdv_arena_open(&worker->arena, arena) || class->open(worker))
		abort();
}

static void double_lane(unsigned int index, bool is_clear)
{
	dbl.lanes[index].in_len = 0;
	dbl.lanes[index].has_ended = false;
	dbl.lanes[index].out_len = 0;
	if (sdv_lane_open(&dbl.worker.lanes[index], 9, is_clear))
		abort();
	double_turn();
}

/* What home sends; @data must stay until it was taken. */
static void double_send(unsigned int index, const void *data, size_t len)
{
	dbl.lanes[index].in = data;
	dbl.lanes[index].in_len = len;
	double_turn();
}

#endif
