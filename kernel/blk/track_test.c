// SPDX-License-Identifier: GPL-2.0-only
/*
 * track_test.c: KUnit suite of track.h: tags, replies, and the lender's cache.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include "track.h"

static struct superdev_frame asked(u8 op)
{
	return (struct superdev_frame) {
		.op = op,
		.tag = cpu_to_le32(sdv_blk_tag(2, 17)),
		.seq = cpu_to_le64(41),
		.count = cpu_to_le32(8192),
	};
}

static struct superdev_frame answer(u8 op, u32 length)
{
	struct superdev_frame hdr = asked(op);

	hdr.flags = cpu_to_le16(SUPERDEV_F_REPLY);
	hdr.length = cpu_to_le32(length);
	return hdr;
}

static void tags_hold_queue_and_index(struct kunit *test)
{
	u32 tag = sdv_blk_tag(31, 4095);

	KUNIT_EXPECT_EQ(test, sdv_blk_tag_queue(tag), 31);
	KUNIT_EXPECT_EQ(test, sdv_blk_tag_index(tag), 4095);
	KUNIT_EXPECT_NE(test, sdv_blk_tag(0, 1), sdv_blk_tag(1, 0));
}

static void answers_pass(struct kunit *test)
{
	struct superdev_frame read = asked(SUPERDEV_BLK_READ);
	struct superdev_frame write = asked(SUPERDEV_BLK_WRITE);
	struct superdev_frame hdr = answer(SUPERDEV_BLK_READ, 8192);

	KUNIT_EXPECT_EQ(test, sdv_blk_reply_check(&hdr, &read), 0);
	hdr = answer(SUPERDEV_BLK_WRITE, 0);
	KUNIT_EXPECT_EQ(test, sdv_blk_reply_check(&hdr, &write), 0);
	hdr = answer(SUPERDEV_BLK_READ, 0);
	hdr.status = cpu_to_le32(SUPERDEV_ST_IO);
	KUNIT_EXPECT_EQ(test, sdv_blk_reply_check(&hdr, &read), 0);
}

static void what_was_not_asked_is_refused(struct kunit *test)
{
	struct superdev_frame read = asked(SUPERDEV_BLK_READ);
	struct superdev_frame hdr;

	hdr = answer(SUPERDEV_BLK_READ, 8192);
	hdr.flags = 0;
	KUNIT_EXPECT_EQ(test, sdv_blk_reply_check(&hdr, &read), -EPROTO);
	hdr = answer(SUPERDEV_BLK_WRITE, 0);
	KUNIT_EXPECT_EQ(test, sdv_blk_reply_check(&hdr, &read), -EPROTO);
	hdr = answer(SUPERDEV_BLK_READ, 8192);
	hdr.seq = cpu_to_le64(40);
	KUNIT_EXPECT_EQ(test, sdv_blk_reply_check(&hdr, &read), -EPROTO);
	hdr = answer(SUPERDEV_BLK_READ, 8192);
	hdr.tag = cpu_to_le32(sdv_blk_tag(2, 18));
	KUNIT_EXPECT_EQ(test, sdv_blk_reply_check(&hdr, &read), -EPROTO);
}

static void payload_of_another_length_is_refused(struct kunit *test)
{
	struct superdev_frame read = asked(SUPERDEV_BLK_READ);
	struct superdev_frame write = asked(SUPERDEV_BLK_WRITE);
	struct superdev_frame hdr;

	hdr = answer(SUPERDEV_BLK_READ, 8191);
	KUNIT_EXPECT_EQ(test, sdv_blk_reply_check(&hdr, &read), -EPROTO);
	hdr = answer(SUPERDEV_BLK_READ, 8193);
	KUNIT_EXPECT_EQ(test, sdv_blk_reply_check(&hdr, &read), -EPROTO);
	hdr = answer(SUPERDEV_BLK_READ, 8192);
	hdr.status = cpu_to_le32(SUPERDEV_ST_IO);
	KUNIT_EXPECT_EQ(test, sdv_blk_reply_check(&hdr, &read), -EPROTO);
	hdr = answer(SUPERDEV_BLK_WRITE, 512);
	KUNIT_EXPECT_EQ(test, sdv_blk_reply_check(&hdr, &write), -EPROTO);
}

static void stale_leases_end_the_lane(struct kunit *test)
{
	struct superdev_frame read = asked(SUPERDEV_BLK_READ);
	struct superdev_frame hdr = answer(SUPERDEV_BLK_READ, 0);

	hdr.status = cpu_to_le32(SUPERDEV_ST_STALE);
	KUNIT_EXPECT_EQ(test, sdv_blk_reply_check(&hdr, &read), -ESTALE);
}

static void clean_cache_survives_a_reboot(struct kunit *test)
{
	struct sdv_blk_cache cache = { };

	KUNIT_EXPECT_FALSE(test, sdv_blk_cache_reboot(&cache));
	sdv_blk_cache_ack(&cache);
	sdv_blk_cache_flushed(&cache, sdv_blk_cache_flush(&cache));
	KUNIT_EXPECT_FALSE(test, sdv_blk_cache_reboot(&cache));
	KUNIT_EXPECT_FALSE(test, sdv_blk_cache_take_loss(&cache));
}

static void lost_writes_fail_one_flush(struct kunit *test)
{
	struct sdv_blk_cache cache = { };

	sdv_blk_cache_ack(&cache);
	KUNIT_EXPECT_TRUE(test, sdv_blk_cache_reboot(&cache));
	KUNIT_EXPECT_TRUE(test, sdv_blk_cache_take_loss(&cache));
	KUNIT_EXPECT_FALSE(test, sdv_blk_cache_take_loss(&cache));
	KUNIT_EXPECT_FALSE(test, sdv_blk_cache_reboot(&cache));
}

static void a_flush_covers_what_was_acknowledged_before_it(struct kunit *test)
{
	struct sdv_blk_cache cache = { };
	s64 flush;

	sdv_blk_cache_ack(&cache);
	flush = sdv_blk_cache_flush(&cache);
	sdv_blk_cache_ack(&cache);
	sdv_blk_cache_flushed(&cache, flush);
	KUNIT_EXPECT_TRUE(test, sdv_blk_cache_reboot(&cache));
}

static void a_flush_in_flight_covers_nothing(struct kunit *test)
{
	struct sdv_blk_cache cache = { };

	sdv_blk_cache_ack(&cache);
	sdv_blk_cache_flush(&cache);
	KUNIT_EXPECT_TRUE(test, sdv_blk_cache_reboot(&cache));
}

static void flushes_may_end_in_another_order(struct kunit *test)
{
	struct sdv_blk_cache cache = { };
	s64 first, second;

	sdv_blk_cache_ack(&cache);
	first = sdv_blk_cache_flush(&cache);
	sdv_blk_cache_ack(&cache);
	second = sdv_blk_cache_flush(&cache);
	sdv_blk_cache_flushed(&cache, second);
	sdv_blk_cache_flushed(&cache, first);
	KUNIT_EXPECT_FALSE(test, sdv_blk_cache_reboot(&cache));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(tags_hold_queue_and_index),
	KUNIT_CASE(answers_pass),
	KUNIT_CASE(what_was_not_asked_is_refused),
	KUNIT_CASE(payload_of_another_length_is_refused),
	KUNIT_CASE(stale_leases_end_the_lane),
	KUNIT_CASE(clean_cache_survives_a_reboot),
	KUNIT_CASE(lost_writes_fail_one_flush),
	KUNIT_CASE(a_flush_covers_what_was_acknowledged_before_it),
	KUNIT_CASE(a_flush_in_flight_covers_nothing),
	KUNIT_CASE(flushes_may_end_in_another_order),
	{ }
};

static struct kunit_suite suite = {
	.name = "superdev_blk_track",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("superdev: tests of tags, replies and flushes");
MODULE_LICENSE("GPL");
