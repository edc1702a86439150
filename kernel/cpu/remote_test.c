// SPDX-License-Identifier: GPL-2.0-only
/*
 * remote_test.c: KUnit suite of remote-check.h: what a worker may write.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "remote-check.h"

static struct superdev_remote_new good_new(void)
{
	return (struct superdev_remote_new) {
		.cookie = 1,
		.kind = SUPERDEV_REMOTE_TTY,
		.flags = O_RDWR | O_CLOEXEC,
		.mode = 0620,
	};
}

static struct superdev_remote_reply good_reply(s64 result, u32 length)
{
	return (struct superdev_remote_reply) {
		.id = 7,
		.type = SUPERDEV_REMOTE_REPLY,
		.result = result,
		.length = length,
	};
}

static struct superdev_remote_reply good_news(void)
{
	return (struct superdev_remote_reply) {
		.cookie = 1,
		.type = SUPERDEV_REMOTE_READY,
		.sequence = 1,
		.ready = (__force u32)EPOLLIN,
	};
}

#define NEW_WITH(field, value)						\
	({								\
		struct superdev_remote_new new_ = good_new();		\
		new_.field = (value);					\
		sdv_remote_new_check(&new_);				\
	})

static void a_new_file_has_a_cookie_a_kind_and_known_flags(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, NEW_WITH(cookie, 5), 0);
	KUNIT_EXPECT_EQ(test, NEW_WITH(cookie, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, NEW_WITH(cookie, SUPERDEV_REMOTE_COOKIE_OURS), -EINVAL);
	KUNIT_EXPECT_EQ(test, NEW_WITH(kind, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, NEW_WITH(kind, SUPERDEV_REMOTE_CHR), 0);
	KUNIT_EXPECT_EQ(test, NEW_WITH(kind, SUPERDEV_REMOTE_CHR + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, NEW_WITH(flags, O_RDONLY | O_APPEND | O_NONBLOCK), 0);
	KUNIT_EXPECT_EQ(test, NEW_WITH(flags, O_ACCMODE), -EINVAL);
	KUNIT_EXPECT_EQ(test, NEW_WITH(flags, O_PATH), -EINVAL);
	KUNIT_EXPECT_EQ(test, NEW_WITH(mode, 07777), 0);
	KUNIT_EXPECT_EQ(test, NEW_WITH(mode, 010000), -EINVAL);
}

static void a_name_has_a_length_and_a_length_a_name(struct kunit *test)
{
	struct superdev_remote_new new = good_new();

	new.name = 4096;
	KUNIT_EXPECT_EQ(test, sdv_remote_new_check(&new), -EINVAL);
	new.name_length = SUPERDEV_REMOTE_NAME_MAX;
	KUNIT_EXPECT_EQ(test, sdv_remote_new_check(&new), 0);
	new.name_length++;
	KUNIT_EXPECT_EQ(test, sdv_remote_new_check(&new), -EINVAL);
	new.name = 0;
	new.name_length = 1;
	KUNIT_EXPECT_EQ(test, sdv_remote_new_check(&new), -EINVAL);
}

static void a_message_is_as_long_as_it_says(struct kunit *test)
{
	struct superdev_remote_reply reply = good_reply(10, 10);

	KUNIT_EXPECT_EQ(test, sdv_remote_message_check(&reply, sizeof(reply) + 10), 0);
	KUNIT_EXPECT_EQ(test, sdv_remote_message_check(&reply, sizeof(reply)), -EINVAL);
	KUNIT_EXPECT_EQ(test, sdv_remote_message_check(&reply, sizeof(reply) + 11), -EINVAL);
	reply.length = U32_MAX;
	KUNIT_EXPECT_EQ(test, sdv_remote_message_check(&reply, sizeof(reply) + 10), -EINVAL);
	reply = good_reply(0, 0);
	reply.reserved = 1;
	KUNIT_EXPECT_EQ(test, sdv_remote_message_check(&reply, sizeof(reply)), -EINVAL);
	reply = good_reply(0, 0);
	reply.type = 0;
	KUNIT_EXPECT_EQ(test, sdv_remote_message_check(&reply, sizeof(reply)), -EINVAL);
}

#define NEWS_WITH(field, value)						\
	({								\
		struct superdev_remote_reply news_ = good_news();	\
		news_.field = (value);					\
		sdv_remote_message_check(&news_, sizeof(news_));	\
	})

static void news_are_of_a_file_and_counted(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, NEWS_WITH(cookie, 2), 0);
	KUNIT_EXPECT_EQ(test, NEWS_WITH(ready, 0), 0);
	KUNIT_EXPECT_EQ(test, NEWS_WITH(cookie, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, NEWS_WITH(id, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, NEWS_WITH(sequence, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, NEWS_WITH(result, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, NEWS_WITH(ready, (__force u32)EPOLLET), -EINVAL);
	KUNIT_EXPECT_EQ(test, NEWS_WITH(ready, (__force u32)EPOLLEXCLUSIVE), -EINVAL);
}

static int answer_is(u32 op, s64 result, u32 length)
{
	struct superdev_remote_request ask = {
		.op = op,
		.length = 100,
		.data_length = 50,
	};
	struct superdev_remote_reply reply = good_reply(result, length);

	/* These have no data back. */
	if (op != SUPERDEV_REMOTE_READ && op != SUPERDEV_REMOTE_IOCTL &&
	    op != SUPERDEV_REMOTE_GETATTR)
		ask.length = 0;
	if (op == SUPERDEV_REMOTE_POLL)
		reply.sequence = 1;
	return sdv_remote_answer_check(&ask, &reply);
}

static void answers_pass(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_READ, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_READ, 100, 100), 0);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_WRITE, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_WRITE, 50, 0), 0);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_SEEK, S64_MAX, 0), 0);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_IOCTL, 5, 100), 0);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_GETATTR, 0, 100), 0);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_POLL, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_SYNC, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_SYNC, -SDV_REMOTE_ERRNO_MAX, 0), 0);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_IOCTL, -ENOTTY, 0), 0);
}

static void no_more_comes_back_than_was_asked(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_READ, 101, 101), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_READ, 10, 11), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_READ, 11, 10), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_READ, 1ll << 32, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_WRITE, 51, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_WRITE, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_WRITE, 1, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_IOCTL, 0, 99), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_IOCTL, 1ll << 31, 100), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_GETATTR, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_SYNC, 1, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_RELEASE, 1, 0), -EINVAL);
}

static void errors_are_errnos_without_data(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_READ, -EIO, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_READ, -SDV_REMOTE_ERRNO_MAX - 1, 0),
			-EINVAL);
	/* ERESTARTSYS and its kin would reach the guest. */
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_READ, -512, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, answer_is(SUPERDEV_REMOTE_READ, S64_MIN, 0), -EINVAL);
}

static void attributes_are_plausible(struct kunit *test)
{
	struct superdev_remote_attr attr = { .blksize = 4096, .mode = 0644 };

	KUNIT_EXPECT_EQ(test, sdv_remote_attr_check(&attr), 0);
	attr.mode = S_IFBLK;
	KUNIT_EXPECT_EQ(test, sdv_remote_attr_check(&attr), -EIO);
	attr.mode = 0644;
	attr.size = 1ull << 63;
	KUNIT_EXPECT_EQ(test, sdv_remote_attr_check(&attr), -EIO);
	attr.size = 0;
	attr.ctime_ns = NSEC_PER_SEC;
	KUNIT_EXPECT_EQ(test, sdv_remote_attr_check(&attr), -EIO);
	attr.ctime_ns = 0;
	attr.blksize = 0;
	KUNIT_EXPECT_EQ(test, sdv_remote_attr_check(&attr), -EIO);
}

static void locks_are_plausible(struct kunit *test)
{
	struct superdev_remote_lock lock = { .type = F_UNLCK, .start = -1, .end = -2 };

	KUNIT_EXPECT_EQ(test, sdv_remote_lock_check(&lock), 0);
	lock.type = F_WRLCK;
	KUNIT_EXPECT_EQ(test, sdv_remote_lock_check(&lock), -EIO);
	lock.start = 0;
	lock.end = S64_MAX;
	KUNIT_EXPECT_EQ(test, sdv_remote_lock_check(&lock), 0);
	lock.pid = 1u << 31;
	KUNIT_EXPECT_EQ(test, sdv_remote_lock_check(&lock), -EIO);
	lock.pid = 0;
	lock.type = 3;
	KUNIT_EXPECT_EQ(test, sdv_remote_lock_check(&lock), -EIO);
}

static struct kunit_case remote_cases[] = {
	KUNIT_CASE(a_new_file_has_a_cookie_a_kind_and_known_flags),
	KUNIT_CASE(a_name_has_a_length_and_a_length_a_name),
	KUNIT_CASE(a_message_is_as_long_as_it_says),
	KUNIT_CASE(news_are_of_a_file_and_counted),
	KUNIT_CASE(answers_pass),
	KUNIT_CASE(no_more_comes_back_than_was_asked),
	KUNIT_CASE(errors_are_errnos_without_data),
	KUNIT_CASE(attributes_are_plausible),
	KUNIT_CASE(locks_are_plausible),
	{}
};

static struct kunit_suite remote_suite = {
	.name = "superdev_remote",
	.test_cases = remote_cases,
};

kunit_test_suite(remote_suite);

MODULE_DESCRIPTION("superdev: tests of remote files");
MODULE_LICENSE("GPL");
