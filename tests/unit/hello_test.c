// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hello_test.c: HELLO, the first frame of every connection.
 *
 * LINK: agent/daemon/hello.c
 */
#include <errno.h>
#include <string.h>

#include "../../agent/daemon/hello.h"
#include "harness.h"

static const struct hello lane = {
	.name = "home",
	.version = "1",
	.features = SUPERDEV_FEAT_REQUIRED,
	.port = 7338,
	.purpose = SUPERDEV_PURPOSE_LANE,
	.lease = 0x123456789abcdef0,
	.epoch = 3,
	.index = 7,
	.transport = SUPERDEV_TRANSPORT_CLEAR,
	.boot = { 1, 2, 3 },
};

static uint8_t frame[HELLO_SIZE_MAX + 1];
static struct sdv_head head;
static struct hello got;

TEST("a HELLO is read as it was written")
{
	int len = hello_write(&lane, frame, sizeof(frame));

	CHECK(len > 0 && hello_read(frame, len, false, &head, &got) == 0);
	CHECK(!strcmp(got.name, "home") && got.features == lane.features && got.port == 7338);
	CHECK(got.purpose == SUPERDEV_PURPOSE_LANE && got.lease == lane.lease && got.epoch == 3);
	CHECK(got.index == 7 && got.transport == SUPERDEV_TRANSPORT_CLEAR && got.boot[2] == 3);
}

TEST("a HELLO for a task says whose it is, and which files go with it")
{
	struct hello task = lane;
	int len;

	task.purpose = SUPERDEV_PURPOSE_TASK;
	task.has_user = true;
	task.user = 65533;
	task.session = 0xfedcba9876543210;
	len = hello_write(&task, frame, sizeof(frame));
	CHECK(len > 0 && hello_read(frame, len, false, &head, &got) == 0);
	CHECK(hello_is_for_task(&got) && got.lease == lane.lease && got.epoch == 3 && !got.index);
	CHECK(got.has_user && got.user == 65533 && got.session == task.session);
	/* Home's root is a user like any other, and no user is not home's root. */
	task.purpose = SUPERDEV_PURPOSE_FILES;
	task.user = 0;
	len = hello_write(&task, frame, sizeof(frame));
	CHECK(len > 0 && hello_read(frame, len, false, &head, &got) == 0 && got.has_user && !got.user);
	task.has_user = false;
	len = hello_write(&task, frame, sizeof(frame));
	CHECK(len > 0 && hello_read(frame, len, false, &head, &got) == 0 && !got.has_user);
	len = hello_write(&lane, frame, sizeof(frame));
	CHECK(len > 0 && hello_read(frame, len, false, &head, &got) == 0);
	CHECK(!hello_is_for_task(&got) && !got.has_user && !got.session);
}

TEST("a HELLO that has not come whole is waited for")
{
	int len = hello_write(&lane, frame, sizeof(frame));

	for (int i = 0; i < len; i++)
		CHECK(hello_read(frame, i, false, &head, &got) == -EAGAIN);
}

TEST("nothing may follow a HELLO before it is answered")
{
	int len = hello_write(&lane, frame, sizeof(frame));

	CHECK(hello_read(frame, len + 1, false, &head, &got) == -EPROTO);
}

TEST("a refusal carries its status and its reason")
{
	struct hello refusal = { .purpose = SUPERDEV_PURPOSE_LANE, .error = "no such lease" };
	int len;

	len = hello_write(&lane, frame, sizeof(frame));
	CHECK(hello_read(frame, len, false, &head, &got) == 0);
	len = hello_write_reply(&refusal, &head, SUPERDEV_ST_STALE, frame, sizeof(frame));
	CHECK(len > 0 && hello_read(frame, len, true, &head, &got) == 0);
	CHECK(head.status == SUPERDEV_ST_STALE && !strcmp(got.error, "no such lease"));
}

TEST("a request is no reply, and a reply no request")
{
	int len = hello_write(&lane, frame, sizeof(frame));

	CHECK(hello_read(frame, len, true, &head, &got) == -EPROTO);
}

TEST("another op, a wrong magic or a length beyond the limit is refused at the header")
{
	static const struct {
		size_t at;
		uint8_t byte;
		int error;
	} bad[] = {
		{ offsetof(struct superdev_frame, op), SUPERDEV_CTL_PING, -EPROTO },
		{ offsetof(struct superdev_frame, magic), 0, -EPROTO },
		{ offsetof(struct superdev_frame, length) + 2, 1, -EMSGSIZE },
		{ offsetof(struct superdev_frame, reserved), 1, -EPROTO },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(hello_write(&lane, frame, sizeof(frame)) > 0);
		frame[bad[i].at] = bad[i].byte;
		CHECK(hello_read(frame, sizeof(struct superdev_frame), false, &head, &got) == bad[i].error);
	}
}

int main(void)
{
	return test_main("hello");
}
