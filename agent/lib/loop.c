// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop.c: one io_uring, and the operations in flight on it.  See loop.h.
 *
 * A round is one io_uring_enter: it submits what the last round's callbacks
 * started, and sleeps until something finishes.  The kernel finishes nothing
 * behind our back (DEFER_TASKRUN), so callbacks never race with each other.
 */
#include "loop.h"

#include <errno.h>
#include <liburing.h>
#include <linux/blkdev.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct sdv_loop {
	struct io_uring ring;
	/*
	 * Where the loop is sealed.  A ring that takes operations on fixed files
	 * alone cannot fill its own table: IORING_OP_FILES_UPDATE refuses
	 * IOSQE_FIXED_FILE.  So a second ring, which is allowed nothing but
	 * that and IORING_OP_MSG_RING, passes files on to the first.
	 */
	struct io_uring installer;
	bool is_sealed;
	bool has_installer;
	bool has_buffer;
	bool is_stopped;
	int result;
	struct sdv_op *quiet, *quiet_submitted; /* see quiet_end() */
	int vacant;                             /* eventfd that stands in emptied entries of a sealed table */
};

#define RING_FLAGS (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL)

static int installer_open(struct sdv_loop *loop)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER,
	};
	int r;

	loop->vacant = eventfd(0, EFD_CLOEXEC);
	if (loop->vacant < 0)
		return -errno;
	r = io_uring_queue_init_params(4, &loop->installer, &params);
	if (r < 0)
		return r;
	loop->has_installer = true;
	return io_uring_register_files_sparse(&loop->installer, 1);
}

/**
 * sdv_loop_open - makes a loop
 * @ret_loop:	the loop
 * @params:	sizes, and whether it will be sealed
 *
 * Return: 0; -ENOMEM, -EPERM (io_uring is disabled on this machine), or what
 * io_uring_setup(2) and io_uring_register(2) say.
 */
int sdv_loop_open(struct sdv_loop **ret_loop, const struct sdv_loop_params *params)
{
	struct io_uring_params ring = {
		.flags = RING_FLAGS | IORING_SETUP_CQSIZE,
		.cq_entries = params->entries * 4,
	};
	struct sdv_loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	loop->vacant = -1;
	if (params->sealed)
		ring.flags |= IORING_SETUP_R_DISABLED;
	r = io_uring_queue_init_params(params->entries, &loop->ring, &ring);
	if (r < 0) {
		free(loop);
		return r;
	}
	if (params->fixed_files)
		r = io_uring_register_files_sparse(&loop->ring, params->fixed_files);
	if (r >= 0 && params->sealed)
		r = installer_open(loop);
	if (r < 0) {
		sdv_loop_close(loop);
		return r;
	}
	/* A child of a fork has no use for the ring, and must not share it. */
	io_uring_ring_dontfork(&loop->ring);
	*ret_loop = loop;
	return 0;
}

/**
 * sdv_loop_close - frees a loop
 *
 * The kernel may write into the buffers of operations still in flight for a
 * moment longer: cancel them first, or exit.
 */
void sdv_loop_close(struct sdv_loop *loop)
{
	if (!loop)
		return;
	io_uring_queue_exit(&loop->ring);
	if (loop->has_installer)
		io_uring_queue_exit(&loop->installer);
	if (loop->vacant >= 0)
		close(loop->vacant);
	free(loop);
}

/* It failed, and has told so. */
static void quiet_drop(struct sdv_loop *loop, struct sdv_op *op)
{
	struct sdv_op **link = &loop->quiet_submitted;

	while (*link && *link != op)
		link = &(*link)->next_quiet;
	/* Of a submission in between: start() found no entry. */
	for (link = *link ? link : &loop->quiet; *link != op;)
		link = &(*link)->next_quiet;
	*link = op->next_quiet;
	op->is_quiet = false;
}

/* Everything that was started has been submitted; callbacks start more. */
static void quiet_submitted(struct sdv_loop *loop)
{
	struct sdv_op **end = &loop->quiet_submitted;

	while (*end)
		end = &(*end)->next_quiet;
	*end = loop->quiet;
	loop->quiet = NULL;
}

/*
 * Quiet operations tell only when they fail, and the kernel ends them while they
 * are submitted.  So those that were, and of which no result was found, did what
 * they were asked.
 */
static void quiet_end(struct sdv_loop *loop)
{
	struct sdv_op *op = loop->quiet_submitted;

	if (!op || loop->is_stopped || io_uring_cq_has_overflow(&loop->ring))
		return;
	loop->quiet_submitted = NULL;
	while (op) {
		struct sdv_op *next = op->next_quiet;

		op->is_quiet = false;
		op->is_active = false;
		op->done(op, op->quiet_result, false);
		op = next;
	}
}

static void dispatch(struct sdv_loop *loop)
{
	struct io_uring_cqe *cqe;

	while (!loop->is_stopped && !io_uring_peek_cqe(&loop->ring, &cqe)) {
		struct sdv_op *op = io_uring_cqe_get_data(cqe);
		bool more = cqe->flags & IORING_CQE_F_MORE;
		int result = cqe->res;

		io_uring_cqe_seen(&loop->ring, cqe);
		if (!op) /* of a cancellation: the cancelled one tells */
			continue;
		if (op->is_timeout && result == -ETIME)
			result = 0;
		if (op->is_quiet)
			quiet_drop(loop, op);
		if (!more)
			op->is_active = false;
		op->done(op, result, more);
	}
}

/**
 * sdv_loop_step - one round: submit, wait, call back
 * @wait:	sleep until at least one operation gave a result
 *
 * Return: 0 or what io_uring_enter(2) says; a signal ends the wait with 0.
 */
int sdv_loop_step(struct sdv_loop *loop, bool wait)
{
	int r = wait ? io_uring_submit_and_wait(&loop->ring, 1) : io_uring_submit_and_get_events(&loop->ring);

	/* EBUSY, EAGAIN: no room for results until some are taken, which comes now. */
	if (r < 0 && r != -EINTR && r != -EBUSY && r != -EAGAIN)
		return r;
	if (!io_uring_sq_ready(&loop->ring))
		quiet_submitted(loop);
	dispatch(loop);
	quiet_end(loop);
	return 0;
}

int sdv_loop_run(struct sdv_loop *loop)
{
	loop->is_stopped = false;
	while (!loop->is_stopped) {
		int r = sdv_loop_step(loop, true);

		if (r < 0)
			return r;
	}
	return loop->result;
}

void sdv_loop_stop(struct sdv_loop *loop, int result)
{
	loop->is_stopped = true;
	loop->result = result;
}

/* An entry for @op, on its way once the caller has filled it in; NULL: *@ret says why. */
static struct io_uring_sqe *start(struct sdv_loop *loop, struct sdv_op *op, int *ret)
{
	struct io_uring_sqe *sqe;

	if (op->is_active) {
		*ret = -EBUSY;
		return NULL;
	}
	sqe = io_uring_get_sqe(&loop->ring);
	if (!sqe) {
		io_uring_submit(&loop->ring);
		sqe = io_uring_get_sqe(&loop->ring);
	}
	if (!sqe) {
		*ret = -EAGAIN;
		return NULL;
	}
	op->is_active = true;
	op->is_timeout = false;
	op->is_quiet = false;
	*ret = 0;
	return sqe;
}

/* After the prep call, which clears the entry. */
static void finish(struct sdv_loop *loop, struct io_uring_sqe *sqe, void *op, int fd)
{
	io_uring_sqe_set_data(sqe, op);
	if (fd <= SDV_FIXED(0)) {
		sqe->fd = SDV_FIXED(0) - fd;
		sqe->flags |= IOSQE_FIXED_FILE;
	} else if (loop->is_sealed && fd < 0) {
		/* Operations without a file pass the restriction with it set, too. */
		sqe->flags |= IOSQE_FIXED_FILE;
	}
}

/* Every operation is: an entry, its prep call, its owner and its file. */
#define START(loop, op, fd, prep)                                       \
	({                                                              \
		int start_ret;                                          \
		struct io_uring_sqe *sqe = start(loop, op, &start_ret); \
                                                                        \
		if (sqe) {                                              \
			prep;                                           \
			finish(loop, sqe, op, fd);                      \
		}                                                       \
		start_ret;                                              \
	})

int sdv_op_poll(struct sdv_loop *loop, struct sdv_op *op, int fd, unsigned int events, bool multishot)
{
	if (multishot)
		return START(loop, op, fd, io_uring_prep_poll_multishot(sqe, fd, events));
	return START(loop, op, fd, io_uring_prep_poll_add(sqe, fd, events));
}

int sdv_op_accept(struct sdv_loop *loop, struct sdv_op *op, int fd, bool multishot)
{
	if (multishot)
		return START(loop, op, fd, io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC));
	return START(loop, op, fd, io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC));
}

int sdv_op_connect(struct sdv_loop *loop, struct sdv_op *op, int fd, const struct sockaddr *addr,
		   socklen_t len)
{
	return START(loop, op, fd, io_uring_prep_connect(sqe, fd, addr, len));
}

int sdv_op_recv(struct sdv_loop *loop, struct sdv_op *op, int fd, void *buf, size_t len, int flags)
{
	return START(loop, op, fd, io_uring_prep_recv(sqe, fd, buf, len, flags));
}

int sdv_op_send(struct sdv_loop *loop, struct sdv_op *op, int fd, const void *buf, size_t len, int flags)
{
	return START(loop, op, fd, io_uring_prep_send(sqe, fd, buf, len, flags | MSG_NOSIGNAL));
}

int sdv_op_recvmsg(struct sdv_loop *loop, struct sdv_op *op, int fd, struct msghdr *msg, int flags)
{
	return START(loop, op, fd, io_uring_prep_recvmsg(sqe, fd, msg, (unsigned int)flags));
}

int sdv_op_sendmsg(struct sdv_loop *loop, struct sdv_op *op, int fd, const struct msghdr *msg, int flags)
{
	return START(loop, op, fd, io_uring_prep_sendmsg(sqe, fd, msg, (unsigned int)(flags | MSG_NOSIGNAL)));
}

int sdv_op_sendmsg_quiet(struct sdv_loop *loop, struct sdv_op *op, int fd, const struct msghdr *msg,
			 size_t len, int flags)
{
	/* MSG_DONTWAIT keeps the ring from going on with it behind our back. */
	int r = START(loop, op, fd, {
		io_uring_prep_sendmsg(sqe, fd, msg, (unsigned int)(flags | MSG_NOSIGNAL | MSG_DONTWAIT));
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	});

	if (r)
		return r;
	op->is_quiet = true;
	op->quiet_result = (int)len;
	op->next_quiet = loop->quiet;
	loop->quiet = op;
	return 0;
}

int sdv_op_timeout(struct sdv_loop *loop, struct sdv_op *op, uint64_t timeout_ms)
{
	_Static_assert(sizeof(op->timeout) == sizeof(struct __kernel_timespec), "same layout");
	int r;

	if (op->is_active)
		return -EBUSY;
	op->timeout.sec = (long long)(timeout_ms / 1000);
	op->timeout.nsec = (long long)(timeout_ms % 1000) * 1000000;
	r = START(loop, op, -1, io_uring_prep_timeout(sqe, (struct __kernel_timespec *)&op->timeout, 0, 0));
	op->is_timeout = !r;
	return r;
}

int sdv_op_read(struct sdv_loop *loop, struct sdv_op *op, int fd, void *buf, size_t len, uint64_t offset)
{
	return START(loop, op, fd, io_uring_prep_read(sqe, fd, buf, (unsigned int)len, offset));
}

int sdv_op_write(struct sdv_loop *loop, struct sdv_op *op, int fd, const void *buf, size_t len,
		 uint64_t offset, int rw_flags)
{
	return START(loop, op, fd, {
		io_uring_prep_write(sqe, fd, buf, (unsigned int)len, offset);
		sqe->rw_flags = rw_flags;
	});
}

int sdv_op_fsync(struct sdv_loop *loop, struct sdv_op *op, int fd, bool datasync)
{
	return START(loop, op, fd, io_uring_prep_fsync(sqe, fd, datasync ? IORING_FSYNC_DATASYNC : 0));
}

int sdv_op_fallocate(struct sdv_loop *loop, struct sdv_op *op, int fd, int mode, uint64_t offset,
		     uint64_t len)
{
	return START(loop, op, fd, io_uring_prep_fallocate(sqe, fd, mode, offset, len));
}

int sdv_op_close(struct sdv_loop *loop, struct sdv_op *op, int fd)
{
	return START(loop, op, fd, io_uring_prep_close(sqe, fd));
}

/**
 * sdv_op_cancel - asks the kernel to end an operation early
 *
 * op->done is still called, with -ECANCELED, or with the result if that was
 * quicker.  Return: 0, also where @op is not in flight; -EAGAIN.
 */
int sdv_op_cancel(struct sdv_loop *loop, struct sdv_op *op)
{
	struct sdv_op nobody = { .done = NULL };
	struct io_uring_sqe *sqe;
	int r;

	if (!op->is_active)
		return 0;
	sqe = start(loop, &nobody, &r);
	if (!sqe)
		return r;
	io_uring_prep_cancel(sqe, op, 0);
	finish(loop, sqe, NULL, -1);
	return 0;
}

/**
 * sdv_loop_register_buffer - pins memory for sdv_op_read_buffer() and _write_buffer()
 *
 * Return: 0; -ENOMEM: there is a limit on pinned memory.  Those operations then
 * work all the same, and pin what they need for as long as they run.
 */
int sdv_loop_register_buffer(struct sdv_loop *loop, void *base, size_t len)
{
	struct iovec iov = { base, len };
	int r = io_uring_register_buffers(&loop->ring, &iov, 1);

	loop->has_buffer = !r;
	return r;
}

int sdv_loop_register_file(struct sdv_loop *loop, unsigned int index, int fd)
{
	int r = io_uring_register_files_update(&loop->ring, index, &fd, 1);

	return r < 0 ? r : 0;
}

static const uint8_t kind_opcode[SDV_OP_NR] = {
	[SDV_OP_POLL] = IORING_OP_POLL_ADD,
	[SDV_OP_ACCEPT] = IORING_OP_ACCEPT,
	[SDV_OP_CONNECT] = IORING_OP_CONNECT,
	[SDV_OP_RECV] = IORING_OP_RECV,
	[SDV_OP_SEND] = IORING_OP_SEND,
	[SDV_OP_RECVMSG] = IORING_OP_RECVMSG,
	[SDV_OP_SENDMSG] = IORING_OP_SENDMSG,
	[SDV_OP_TIMEOUT] = IORING_OP_TIMEOUT,
	[SDV_OP_READ] = IORING_OP_READ,
	[SDV_OP_WRITE] = IORING_OP_WRITE,
	[SDV_OP_FSYNC] = IORING_OP_FSYNC,
	[SDV_OP_FALLOCATE] = IORING_OP_FALLOCATE,
	[SDV_OP_CLOSE] = IORING_OP_CLOSE,
	[SDV_OP_CANCEL] = IORING_OP_ASYNC_CANCEL,
	[SDV_OP_INSTALL] = IORING_OP_FILES_UPDATE,
	[SDV_OP_READ_BUFFER] = IORING_OP_READ_FIXED,
	[SDV_OP_WRITE_BUFFER] = IORING_OP_WRITE_FIXED,
	[SDV_OP_DISCARD] = IORING_OP_URING_CMD,
};

static int restrict_and_enable(struct io_uring *ring, struct io_uring_restriction *rules, unsigned int nr)
{
	int r = io_uring_register_restrictions(ring, rules, nr);

	return r < 0 ? r : io_uring_enable_rings(ring);
}

/**
 * sdv_loop_seal - restricts a loop for good, and enables it
 * @kinds:	mask of 1 << enum sdv_op_kind; without SDV_OP_INSTALL the fixed
 *		table can never change again
 *
 * From now on the kernel refuses (EACCES) every other operation, every one on
 * a file that is not in the fixed table, and every registration.  The calling
 * thread becomes the loop's.
 * Return: 0 or what io_uring_register(2) says.
 */
int sdv_loop_seal(struct sdv_loop *loop, uint32_t kinds)
{
	struct io_uring_restriction rules[SDV_OP_NR + 2] = { 0 };
	struct io_uring_restriction installer_rules[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_FILES_UPDATE },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_MSG_RING },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		  .sqe_flags = IOSQE_IO_LINK | IOSQE_IO_HARDLINK },
	};
	bool may_install = kinds & 1u << SDV_OP_INSTALL;
	unsigned int nr = 0;
	int r;

	kinds &= ~(1u << SDV_OP_INSTALL);
	if (!loop->has_buffer) {
		kinds |= kinds & 1u << SDV_OP_READ_BUFFER ? 1u << SDV_OP_READ : 0;
		kinds |= kinds & 1u << SDV_OP_WRITE_BUFFER ? 1u << SDV_OP_WRITE : 0;
	}
	for (unsigned int kind = 0; kind < SDV_OP_NR; kind++)
		if (kinds & 1u << kind)
			rules[nr++] = (struct io_uring_restriction){
				.opcode = IORING_RESTRICTION_SQE_OP,
				.sqe_op = kind_opcode[kind],
			};
	rules[nr++] = (struct io_uring_restriction){
		.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		.sqe_flags = IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS,
	};
	rules[nr++] = (struct io_uring_restriction){
		.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
		.sqe_flags = IOSQE_FIXED_FILE,
	};
	r = restrict_and_enable(&loop->ring, rules, nr);
	if (r < 0)
		return r;
	loop->is_sealed = true;
	if (!may_install) {
		io_uring_queue_exit(&loop->installer);
		loop->has_installer = false;
		return 0;
	}
	return restrict_and_enable(&loop->installer, installer_rules, 3);
}

/* Into the installer's own table, across to the loop's, and out of the installer's again. */
static int install_sealed(struct sdv_loop *loop, struct sdv_op *op, unsigned int index, int *fd)
{
	static const int none = -1;
	struct io_uring *from = &loop->installer;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	int r;

	sqe = io_uring_get_sqe(from);
	io_uring_prep_files_update(sqe, *fd < 0 ? &loop->vacant : fd, 1, 0);
	sqe->flags |= IOSQE_IO_LINK;
	sqe = io_uring_get_sqe(from);
	io_uring_prep_msg_ring_fd(sqe, loop->ring.ring_fd, 0, (int)index, (uintptr_t)op, 0);
	sqe->flags |= IOSQE_IO_HARDLINK;
	sqe = io_uring_get_sqe(from);
	io_uring_prep_files_update(sqe, (int *)&none, 1, 0);

	op->is_active = true;
	op->is_timeout = false;
	do
		r = io_uring_submit_and_wait(from, 3);
	while (r == -EINTR);
	for (int i = 0; i < 3 && r >= 0 && !io_uring_peek_cqe(from, &cqe); i++) {
		if (cqe->res < 0 && cqe->res != -ECANCELED)
			r = cqe->res;
		io_uring_cqe_seen(from, cqe);
	}
	op->is_active = r >= 0;
	return r < 0 ? r : 0;
}

int sdv_op_install(struct sdv_loop *loop, struct sdv_op *op, unsigned int index, int *fd)
{
	if (!loop->is_sealed)
		return START(loop, op, -1, io_uring_prep_files_update(sqe, fd, 1, (int)index));
	if (op->is_active)
		return -EBUSY;
	return loop->has_installer ? install_sealed(loop, op, index, fd) : -EACCES;
}

int sdv_op_read_buffer(struct sdv_loop *loop, struct sdv_op *op, int fd, void *buf, size_t len,
		       uint64_t offset)
{
	if (!loop->has_buffer)
		return sdv_op_read(loop, op, fd, buf, len, offset);
	return START(loop, op, fd, io_uring_prep_read_fixed(sqe, fd, buf, (unsigned int)len, offset, 0));
}

int sdv_op_write_buffer(struct sdv_loop *loop, struct sdv_op *op, int fd, const void *buf, size_t len,
			uint64_t offset, int rw_flags)
{
	if (!loop->has_buffer)
		return sdv_op_write(loop, op, fd, buf, len, offset, rw_flags);
	return START(loop, op, fd, {
		io_uring_prep_write_fixed(sqe, fd, buf, (unsigned int)len, offset, 0);
		sqe->rw_flags = rw_flags;
	});
}

int sdv_op_discard(struct sdv_loop *loop, struct sdv_op *op, int fd, uint64_t offset, uint64_t len)
{
	return START(loop, op, fd, io_uring_prep_cmd_discard(sqe, fd, offset, len));
}
