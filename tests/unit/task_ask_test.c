// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task_ask_test.c: what anybody on a machine may say to its agent.
 *
 * LINK: agent/daemon/task_ask.c
 */
#include <errno.h>
#include <string.h>

#include "../../agent/daemon/task_ask.h"
#include "harness.h"

static const struct sdv_task_ask good = { .version = SDV_TASK_CTL_VERSION, .lease = 7 };
static struct sdv_task_ask got;
static const char *why;

TEST("a question is read as it was asked")
{
	CHECK(!task_ask_parse(&good, sizeof(good), &got, &why) && got.lease == 7);
}

TEST("a question of any other size is refused")
{
	char data[2 * sizeof(good)] = { 0 };

	memcpy(data, &good, sizeof(good));
	for (size_t len = 0; len <= sizeof(data); len++)
		CHECK(len == sizeof(good) || task_ask_parse(data, len, &got, &why) == -EINVAL);
}

TEST("another version is told from nonsense, whatever its size")
{
	struct sdv_task_ask ask = good;

	ask.version++;
	CHECK(task_ask_parse(&ask, sizeof(ask), &got, &why) == -EPROTONOSUPPORT && strstr(why, "versions"));
	CHECK(task_ask_parse(&ask, sizeof(ask.version), &got, &why) == -EPROTONOSUPPORT);
}

TEST("no lease, and bits that mean nothing, are refused, and nothing is given out")
{
	struct sdv_task_ask ask = good;

	memset(&got, 0x55, sizeof(got));
	ask.lease = 0;
	CHECK(task_ask_parse(&ask, sizeof(ask), &got, &why) == -EINVAL);
	ask = good;
	ask.reserved = 1ull << 63;
	CHECK(task_ask_parse(&ask, sizeof(ask), &got, &why) == -EINVAL && strstr(why, "reserved"));
	CHECK(got.lease == 0x55555555);
}

int main(void)
{
	return test_main("task_ask");
}
