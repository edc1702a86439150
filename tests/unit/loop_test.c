// SPDX-License-Identifier: GPL-2.0-or-later
/* loop_test.c: operations on a real ring, open and sealed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "loop.h"

static struct sdv_loop *loop;
static int last_result, nr_done;

static void done(struct sdv_op *op, int result, bool more)
{
	(void)op, (void)more;
	last_result = result;
	nr_done++;
}

static void open_loop(bool sealed)
{
	const struct sdv_loop_params params = { .entries = 8, .fixed_files = 4, .sealed = sealed };

	sdv_loop_close(loop);
	loop = NULL;
	CHECK(!sdv_loop_open(&loop, &params));
	nr_done = 0;
}

/* The result of the one operation in flight. */
static int result_wait(void)
{
	int before = nr_done;

	while (nr_done == before)
		CHECK(!sdv_loop_step(loop, true));
	return last_result;
}

static int sealed_loop(uint32_t kinds, int fd)
{
	open_loop(true);
	CHECK(!sdv_loop_register_file(loop, 0, fd));
	CHECK(!sdv_loop_seal(loop, kinds));
	return fd;
}

TEST("what is sent on one end is received at the other")
{
	struct sdv_op send_op = { .done = done }, recv_op = { .done = done };
	char buf[8];
	int fds[2];

	open_loop(false);
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CHECK(!sdv_op_send(loop, &send_op, fds[0], "hello", 5, 0));
	CHECK(result_wait() == 5);
	CHECK(!sdv_op_recv(loop, &recv_op, fds[1], buf, sizeof(buf), 0));
	CHECK(recv_op.is_active && sdv_op_recv(loop, &recv_op, fds[1], buf, 1, 0) == -EBUSY);
	CHECK(result_wait() == 5 && !memcmp(buf, "hello", 5) && !recv_op.is_active);
	close(fds[0]);
	close(fds[1]);
}

static struct again {
	int fd;
	char *buf;
} again;

static void receive_again(struct sdv_op *op, int result, bool more)
{
	done(op, result, more);
	CHECK(!sdv_op_recv(loop, op, again.fd, again.buf, 8, 0));
}

TEST("a quiet send is over when its round is, and ends none")
{
	struct sdv_op send_op = { .done = done }, recv_op = { .done = done };
	char buf[8];
	struct iovec iov = { "hello", 5 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	sealed_loop(1u << SDV_OP_SENDMSG | 1u << SDV_OP_RECV, fds[0]);
	CHECK(!sdv_op_sendmsg_quiet(loop, &send_op, SDV_FIXED(0), &msg, 5, MSG_WAITALL));
	CHECK(send_op.is_active && !nr_done);
	CHECK(!sdv_loop_step(loop, false));
	CHECK(nr_done == 1 && last_result == 5 && !send_op.is_active);
	CHECK(recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT) == 5);

	/* Two operations in one round that waits: the one that tells ends it, and both are over. */
	CHECK(send(fds[1], "hi", 2, 0) == 2);
	CHECK(!sdv_op_recv(loop, &recv_op, SDV_FIXED(0), buf, sizeof(buf), 0));
	CHECK(!sdv_op_sendmsg_quiet(loop, &send_op, SDV_FIXED(0), &msg, 5, MSG_WAITALL));
	CHECK(!sdv_loop_step(loop, true));
	CHECK(nr_done == 3 && last_result == 5 && !recv_op.is_active && !send_op.is_active);

	/* Also where the callbacks of its round have started something else. */
	recv_op.done = receive_again;
	again = (struct again){ SDV_FIXED(0), buf };
	CHECK(send(fds[1], "hi", 2, 0) == 2);
	CHECK(!sdv_op_recv(loop, &recv_op, SDV_FIXED(0), buf, sizeof(buf), 0));
	CHECK(!sdv_op_sendmsg_quiet(loop, &send_op, SDV_FIXED(0), &msg, 5, MSG_WAITALL));
	CHECK(!sdv_loop_step(loop, true));
	CHECK(nr_done == 5 && recv_op.is_active && !send_op.is_active);
	close(fds[0]);
	close(fds[1]);
}

TEST("a quiet send tells what there was no room for, and may be started again from there")
{
	static char bytes[4 << 20];
	struct sdv_op send_op = { .done = done };
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	sealed_loop(1u << SDV_OP_SENDMSG, fds[0]);
	CHECK(!sdv_op_sendmsg_quiet(loop, &send_op, SDV_FIXED(0), &msg, sizeof(bytes), MSG_WAITALL));
	CHECK(!sdv_loop_step(loop, true));
	CHECK(nr_done == 1 && last_result > 0 && last_result < (int)sizeof(bytes) && !send_op.is_active);
	CHECK(!sdv_op_sendmsg_quiet(loop, &send_op, SDV_FIXED(0), &msg, sizeof(bytes), MSG_WAITALL));
	CHECK(!sdv_loop_step(loop, true));
	CHECK(nr_done == 2 && last_result == -EAGAIN);
	close(fds[1]);
	CHECK(!sdv_op_sendmsg_quiet(loop, &send_op, SDV_FIXED(0), &msg, sizeof(bytes), MSG_WAITALL));
	CHECK(!sdv_loop_step(loop, true));
	CHECK(nr_done == 3 && last_result < 0 && last_result != -EAGAIN);
	CHECK(!sdv_loop_step(loop, false) && nr_done == 3);
	close(fds[0]);
}

TEST("a timeout fires with 0, a cancelled one ends with -ECANCELED")
{
	struct sdv_op op = { .done = done };

	open_loop(false);
	CHECK(!sdv_op_timeout(loop, &op, 1));
	CHECK(result_wait() == 0);
	CHECK(!sdv_op_timeout(loop, &op, 60000));
	CHECK(!sdv_loop_step(loop, false));
	CHECK(!sdv_op_cancel(loop, &op));
	CHECK(result_wait() == -ECANCELED && !op.is_active);
	CHECK(!sdv_op_cancel(loop, &op));
}

TEST("a multishot poll goes on telling until it is cancelled")
{
	struct sdv_op op = { .done = done };
	int fds[2];

	open_loop(false);
	CHECK(!pipe(fds));
	CHECK(!sdv_op_poll(loop, &op, fds[0], POLLIN, true));
	for (int i = 0; i < 3; i++) {
		CHECK(write(fds[1], "x", 1) == 1);
		CHECK(result_wait() & POLLIN && op.is_active);
	}
	CHECK(!sdv_op_cancel(loop, &op));
	CHECK(result_wait() == -ECANCELED && !op.is_active);
	close(fds[0]);
	close(fds[1]);
}

TEST("more operations than entries are started at once, and all end")
{
	static struct sdv_op ops[100];

	open_loop(false);
	for (int i = 0; i < 100; i++) {
		ops[i].done = done;
		CHECK(!sdv_op_timeout(loop, &ops[i], 1));
	}
	while (nr_done < 100)
		CHECK(!sdv_loop_step(loop, true));
}

static void stop(struct sdv_op *op, int result, bool more)
{
	(void)op, (void)result, (void)more;
	sdv_loop_stop(loop, 42);
}

TEST("a loop runs until it is stopped, and returns what it was given")
{
	struct sdv_op op = { .done = stop };

	open_loop(false);
	CHECK(!sdv_op_timeout(loop, &op, 1));
	CHECK(sdv_loop_run(loop) == 42);
}

TEST("a sealed loop reads fixed files into registered memory, and nothing else")
{
	const uint32_t kinds = 1u << SDV_OP_READ_BUFFER | 1u << SDV_OP_INSTALL;
	struct sdv_op op = { .done = done };
	uint8_t *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("disk", MFD_CLOEXEC);

	CHECK(fd >= 0 && memory != MAP_FAILED && write(fd, "superdev", 8) == 8);
	open_loop(true);
	CHECK(!sdv_loop_register_buffer(loop, memory, 1 << 20));
	CHECK(!sdv_loop_register_file(loop, 0, fd));
	CHECK(!sdv_loop_seal(loop, kinds));
	CHECK(!sdv_op_read_buffer(loop, &op, SDV_FIXED(0), memory + 100, 50, 0));
	CHECK(result_wait() == 8 && !memcmp(memory + 100, "superdev", 8));
	CHECK(!sdv_op_read_buffer(loop, &op, fd, memory, 8, 0) && result_wait() == -EACCES);
	CHECK(!sdv_op_read(loop, &op, SDV_FIXED(0), memory, 8, 0) && result_wait() == -EACCES);
	CHECK(!sdv_op_write_buffer(loop, &op, SDV_FIXED(0), memory, 8, 0, 0) && result_wait() == -EACCES);
	CHECK(sdv_loop_register_file(loop, 1, fd) < 0);
	close(fd);
	munmap(memory, 1 << 20);
}

TEST("without registered memory a sealed loop reads all the same")
{
	struct sdv_op op = { .done = done };
	char buf[8];
	int fd = sealed_loop(1u << SDV_OP_READ_BUFFER, memfd_create("disk", MFD_CLOEXEC));

	CHECK(write(fd, "superdev", 8) == 8);
	CHECK(!sdv_op_read_buffer(loop, &op, SDV_FIXED(0), buf, 8, 0) && result_wait() == 8);
	close(fd);
}

TEST("a sealed loop takes a new file into its table, uses it, and lets it go")
{
	struct sdv_op op = { .done = done };
	int fds[2], none = -1;
	char buf[8];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	sealed_loop(1u << SDV_OP_SEND | 1u << SDV_OP_INSTALL, STDERR_FILENO);
	CHECK(!sdv_op_install(loop, &op, 2, &fds[0]));
	close(fds[0]);
	CHECK(result_wait() >= 0);
	CHECK(!sdv_op_send(loop, &op, SDV_FIXED(2), "hello", 5, 0) && result_wait() == 5);
	CHECK(recv(fds[1], buf, sizeof(buf), 0) == 5);
	CHECK(!sdv_op_install(loop, &op, 2, &none) && result_wait() >= 0);
	CHECK(recv(fds[1], buf, sizeof(buf), 0) == 0);
	close(fds[1]);
}

TEST("a sealed loop that may not install keeps the table that it has")
{
	struct sdv_op op = { .done = done };
	int fd = sealed_loop(1u << SDV_OP_SEND, STDERR_FILENO);

	CHECK(sdv_op_install(loop, &op, 2, &fd) == -EACCES && !op.is_active);
}

int main(void)
{
	const struct sdv_loop_params params = { .entries = 8 };
	int r = sdv_loop_open(&loop, &params);

	if (r == -ENOSYS || r == -EPERM) {
		printf("skip loop: no io_uring for us here: %s\n", strerror(-r));
		return 77;
	}
	r = test_main("loop");
	sdv_loop_close(loop);
	return r;
}
