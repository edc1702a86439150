/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.h: one io_uring, and the operations in flight on it.
 *
 * loop.c is the only file that knows liburing.  The daemon has one loop for
 * everything; a worker has one that is restricted and sealed before it reads a
 * stranger's first byte.  A loop belongs to the thread that opened it (a sealed
 * one: that sealed it), and to no other.
 */
#ifndef SDV_LOOP_H
#define SDV_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct sdv_loop;
struct sdv_op;

/**
 * typedef sdv_op_fn - an operation is finished (or, multishot, gave a result)
 * @op:		the operation; may be started again from here unless @more
 * @result:	as the system call's, or -errno (-ECANCELED after sdv_op_cancel())
 * @more:	multishot, and further results will come
 */
typedef void (*sdv_op_fn)(struct sdv_op *op, int result, bool more);

/**
 * struct sdv_op - one operation in flight; embedded by its owner
 * @done:	set by the owner before the operation is started
 * @is_active:	loop.c's: between start and the last call of @done.  The owner
 *		must not free or reuse the operation meanwhile; it cancels and
 *		waits for @done.
 */
struct sdv_op {
	sdv_op_fn done;
	bool is_active;
	bool is_timeout; /* loop.c's: -ETIME means that it fired */
	bool is_quiet;   /* loop.c's: no result within its round means @quiet_result */
	int quiet_result;
	struct sdv_op *next_quiet;
	struct {
		long long sec, nsec;
	} timeout; /* loop.c's: laid out as __kernel_timespec */
};

struct sdv_loop_params {
	unsigned int entries;     /* submission queue; completion is 4 times that */
	unsigned int fixed_files; /* sparse table of that many, 0 for none */
	bool sealed;              /* created disabled; see sdv_loop_seal() */
};

int sdv_loop_open(struct sdv_loop **ret_loop, const struct sdv_loop_params *params);
void sdv_loop_close(struct sdv_loop *loop);
/* Runs until sdv_loop_stop(); returns what that was given. */
int sdv_loop_run(struct sdv_loop *loop);
void sdv_loop_stop(struct sdv_loop *loop, int result);
/* One round: submit, wait for at least one completion unless !wait, dispatch. */
int sdv_loop_step(struct sdv_loop *loop, bool wait);

/*
 * Every start returns 0 or -errno (-EBUSY: op is in flight, -EAGAIN: no entry
 * free even after submitting).  fd is a descriptor, or SDV_FIXED(i): entry i of
 * the fixed table.
 */
#define SDV_FIXED(i) (-2 - (int)(i))

int sdv_op_poll(struct sdv_loop *loop, struct sdv_op *op, int fd, unsigned int events, bool multishot);
int sdv_op_accept(struct sdv_loop *loop, struct sdv_op *op, int fd,
		  bool multishot); /* result: fd, close-on-exec */
int sdv_op_connect(struct sdv_loop *loop, struct sdv_op *op, int fd, const struct sockaddr *addr,
		   socklen_t len);
int sdv_op_recv(struct sdv_loop *loop, struct sdv_op *op, int fd, void *buf, size_t len, int flags);
int sdv_op_send(struct sdv_loop *loop, struct sdv_op *op, int fd, const void *buf, size_t len, int flags);
int sdv_op_recvmsg(struct sdv_loop *loop, struct sdv_op *op, int fd, struct msghdr *msg, int flags);
int sdv_op_sendmsg(struct sdv_loop *loop, struct sdv_op *op, int fd, const struct msghdr *msg, int flags);
/*
 * The same, all of @len bytes that @msg has at once or not at all, and no reason
 * for a round to end: @op->done is called when the round that submits it ends for
 * another reason.  So a round that has only this to submit goes to sleep, and
 * saves a system call.  A result below @len, -EAGAIN for none, says that the
 * socket had no room.  @flags: MSG_WAITALL, or 0 where the socket refuses that
 * and takes a message of this length whole or not at all.
 */
int sdv_op_sendmsg_quiet(struct sdv_loop *loop, struct sdv_op *op, int fd, const struct msghdr *msg,
			 size_t len, int flags);
int sdv_op_timeout(struct sdv_loop *loop, struct sdv_op *op,
		   uint64_t timeout_ms); /* result: 0 when it fired */
int sdv_op_read(struct sdv_loop *loop, struct sdv_op *op, int fd, void *buf, size_t len, uint64_t offset);
int sdv_op_write(struct sdv_loop *loop, struct sdv_op *op, int fd, const void *buf, size_t len,
		 uint64_t offset, int rw_flags);
int sdv_op_fsync(struct sdv_loop *loop, struct sdv_op *op, int fd, bool datasync);
int sdv_op_fallocate(struct sdv_loop *loop, struct sdv_op *op, int fd, int mode, uint64_t offset,
		     uint64_t len);
int sdv_op_close(struct sdv_loop *loop, struct sdv_op *op, int fd);
/* op->done is called with -ECANCELED, or with the result if that was quicker. */
int sdv_op_cancel(struct sdv_loop *loop, struct sdv_op *op);

/* The worker's: */
enum sdv_op_kind { /* bits of sdv_loop_seal()'s mask */
		   SDV_OP_POLL,
		   SDV_OP_ACCEPT,
		   SDV_OP_CONNECT,
		   SDV_OP_RECV,
		   SDV_OP_SEND,
		   SDV_OP_RECVMSG,
		   SDV_OP_SENDMSG,
		   SDV_OP_TIMEOUT,
		   SDV_OP_READ,
		   SDV_OP_WRITE,
		   SDV_OP_FSYNC,
		   SDV_OP_FALLOCATE,
		   SDV_OP_CLOSE,
		   SDV_OP_CANCEL,
		   SDV_OP_INSTALL,
		   SDV_OP_READ_BUFFER,
		   SDV_OP_WRITE_BUFFER,
		   SDV_OP_DISCARD,
		   SDV_OP_NR,
};
/* Memory that read and write use without pinning it each time; once, before the seal. */
int sdv_loop_register_buffer(struct sdv_loop *loop, void *base, size_t len);
int sdv_loop_register_file(struct sdv_loop *loop, unsigned int index, int fd);
/*
 * Restricts the ring to @kinds (a mask of 1 << enum sdv_op_kind) on fixed files
 * and enables it.  Nothing can be registered afterwards.
 */
int sdv_loop_seal(struct sdv_loop *loop, uint32_t kinds);
/*
 * Puts *@fd into entry @index of the fixed table (-1 empties it), on a sealed
 * loop too.  The descriptor itself may be closed when this returns 0; the entry
 * is there when op->done is called, unless that gets an error.
 */
int sdv_op_install(struct sdv_loop *loop, struct sdv_op *op, unsigned int index, int *fd);
int sdv_op_read_buffer(struct sdv_loop *loop, struct sdv_op *op, int fd, void *buf, size_t len,
		       uint64_t offset);
int sdv_op_write_buffer(struct sdv_loop *loop, struct sdv_op *op, int fd, const void *buf, size_t len,
			uint64_t offset, int rw_flags);
/* Block device discard (Linux 6.12: BLOCK_URING_CMD_DISCARD). */
int sdv_op_discard(struct sdv_loop *loop, struct sdv_op *op, int fd, uint64_t offset, uint64_t len);

#endif
