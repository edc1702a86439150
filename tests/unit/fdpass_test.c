// SPDX-License-Identifier: GPL-2.0-or-later
/* fdpass_test.c: descriptors over real sockets. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fdpass.h"
#include "harness.h"

static int pair[2];

static void begin(int type)
{
	CHECK(!socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair));
}

static void end(void)
{
	close(pair[0]);
	close(pair[1]);
}

/* The lowest number that is free: what is left open is noticed by it. */
static int lowest(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

TEST("descriptors come with their message, those that are none are left out")
{
	int pipes[2], got[3], first = lowest();
	char text[8], byte;

	begin(SOCK_SEQPACKET);
	CHECK(!pipe(pipes));
	CHECK(!sdv_fds_send(pair[0], "abc", 3, (int[]){ -1, pipes[1], pipes[0] }, 3, 0));
	CHECK(sdv_fds_receive(pair[1], text, sizeof(text), got, 3, 0) == 3 && !memcmp(text, "abc", 3));
	CHECK(got[0] >= 0 && got[1] >= 0 && got[2] == -1);
	CHECK(fcntl(got[0], F_GETFD) == FD_CLOEXEC);
	CHECK(write(got[0], "x", 1) == 1 && read(pipes[0], &byte, 1) == 1 && byte == 'x');
	close(got[0]);
	close(got[1]);
	close(pipes[0]);
	close(pipes[1]);
	end();
	CHECK(lowest() == first);
}

TEST("a message without any, and the end, have none")
{
	int got = 0, none = -1;
	char byte;

	begin(SOCK_SEQPACKET);
	CHECK(!sdv_fds_send(pair[0], "a", 1, &none, 1, 0));
	CHECK(sdv_fds_receive(pair[1], &byte, 1, &got, 1, 0) == 1 && got == -1);
	CHECK(sdv_fds_receive(pair[1], &byte, 1, &got, 1, MSG_DONTWAIT) == -EAGAIN && got == -1);
	close(pair[0]);
	CHECK(sdv_fds_receive(pair[1], &byte, 1, &got, 1, 0) == 0 && got == -1);
	close(pair[1]);
}

TEST("more than are wanted are not kept open")
{
	int got[2], first = lowest();
	char byte;

	begin(SOCK_STREAM);
	for (unsigned int nr = 1; nr <= 2; nr++) {
		CHECK(!sdv_fds_send(pair[0], "a", 1, (int[]){ 0, 1, 2, 0, 1 }, 5, 0));
		CHECK(sdv_fds_receive(pair[1], &byte, 1, got, nr, 0) == 1);
		for (unsigned int i = 0; i < nr; i++) {
			CHECK(got[i] >= 0);
			close(got[i]);
		}
	}
	end();
	CHECK(lowest() == first);
}

TEST("too many, and nobody who reads, are errors and no signals")
{
	int fds[SDV_FDS_MAX + 1] = { 0 };

	begin(SOCK_STREAM);
	CHECK(sdv_fds_send(pair[0], "a", 1, fds, SDV_FDS_MAX + 1, 0) == -E2BIG);
	CHECK(sdv_fds_receive(pair[1], fds, 1, fds, SDV_FDS_MAX + 1, 0) == -E2BIG);
	close(pair[1]);
	CHECK(sdv_fds_send(pair[0], "a", 1, fds, 1, 0) == -EPIPE);
	close(pair[0]);
}

int main(void)
{
	return test_main("fdpass");
}
