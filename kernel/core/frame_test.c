// SPDX-License-Identifier: GPL-2.0-only
/*
 * frame_test.c: KUnit suite of frame.h: which headers a lane takes.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/random.h>
#include "frame.h"

static const struct sdv_frame_expect tls = {
	.lease = 0x1122334455667788, .epoch = 7, .class = SUPERDEV_CLASS_BLK,
};

static const struct sdv_frame_expect clear = {
	.lease = 0x1122334455667788, .epoch = 7, .class = SUPERDEV_CLASS_BLK,
	.needs_csum = true,
};

static struct superdev_frame good(void)
{
	return (struct superdev_frame) {
		.magic = cpu_to_le32(SUPERDEV_MAGIC),
		.class = SUPERDEV_CLASS_BLK,
		.op = SUPERDEV_BLK_READ,
		.flags = cpu_to_le16(SUPERDEV_F_REPLY),
		.tag = cpu_to_le32(3),
		.lease = cpu_to_le64(0x1122334455667788),
		.seq = cpu_to_le64(9),
		.epoch = cpu_to_le32(7),
		.length = cpu_to_le32(4096),
	};
}

static int check(const struct superdev_frame *hdr, const struct sdv_frame_expect *expect)
{
	const char *why;

	return sdv_frame_check(hdr, expect, &why);
}

static void good_frames_pass(struct kunit *test)
{
	struct superdev_frame hdr = good();

	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), 0);
	hdr.status = cpu_to_le32(SUPERDEV_ST_NR - 1);
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), 0);
	hdr.length = cpu_to_le32(SUPERDEV_MAX_PAYLOAD);
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), 0);
	hdr.flags |= cpu_to_le16(SUPERDEV_F_CSUM);
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), 0);
	KUNIT_EXPECT_EQ(test, check(&hdr, &clear), 0);
}

static void wrong_magic_is_refused(struct kunit *test)
{
	struct superdev_frame hdr = good();

	hdr.magic ^= cpu_to_le32(1);
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), -EPROTO);
}

static void another_class_is_refused(struct kunit *test)
{
	struct superdev_frame hdr = good();

	hdr.class = SUPERDEV_CLASS_NULL;
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), -EPROTO);
}

static void unknown_flags_are_refused(struct kunit *test)
{
	unsigned int bit;

	for (bit = 0; bit < 16; bit++) {
		struct superdev_frame hdr = good();

		if (BIT(bit) & SUPERDEV_F_KNOWN)
			continue;
		hdr.flags |= cpu_to_le16(BIT(bit));
		KUNIT_EXPECT_EQ(test, check(&hdr, &tls), -EPROTO);
	}
}

static void reserved_has_to_be_zero(struct kunit *test)
{
	struct superdev_frame hdr = good();

	hdr.reserved = cpu_to_le64(1ULL << 63);
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), -EPROTO);
}

static void status_out_of_place_is_refused(struct kunit *test)
{
	struct superdev_frame hdr = good();

	hdr.status = cpu_to_le32(SUPERDEV_ST_NR);
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), -EPROTO);
	hdr.status = cpu_to_le32(SUPERDEV_ST_IO);
	hdr.flags = 0;
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), -EPROTO);
}

static void oversize_is_refused(struct kunit *test)
{
	struct superdev_frame hdr = good();

	hdr.length = cpu_to_le32(SUPERDEV_MAX_PAYLOAD + 1);
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), -EMSGSIZE);
	hdr.length = cpu_to_le32(U32_MAX);
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), -EMSGSIZE);
}

static void another_lease_or_epoch_is_stale(struct kunit *test)
{
	struct superdev_frame hdr = good();

	hdr.epoch = cpu_to_le32(6);
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), -ESTALE);
	hdr.epoch = cpu_to_le32(8);
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), -ESTALE);
	hdr = good();
	hdr.lease ^= cpu_to_le64(1);
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), -ESTALE);
}

static void clear_lanes_need_a_checksum(struct kunit *test)
{
	struct superdev_frame hdr = good();

	KUNIT_EXPECT_EQ(test, check(&hdr, &clear), -EPROTO);
	hdr.csum = cpu_to_le32(1);
	KUNIT_EXPECT_EQ(test, check(&hdr, &tls), -EPROTO);
}

static void garbage_is_refused(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 10000; i++) {
		struct superdev_frame hdr;

		get_random_bytes(&hdr, sizeof(hdr));
		hdr.magic = cpu_to_le32(SUPERDEV_MAGIC);
		KUNIT_EXPECT_LT(test, check(&hdr, &tls), 0);
	}
}

static void checksum_passes_over_its_own_field(struct kunit *test)
{
	struct superdev_frame hdr = good();
	struct xxh64_state state;
	__le32 csum;

	sdv_frame_csum_begin(&state, &hdr);
	csum = sdv_frame_csum(&state);
	hdr.csum = csum;
	sdv_frame_csum_begin(&state, &hdr);
	KUNIT_EXPECT_EQ(test, (__force u32)sdv_frame_csum(&state), (__force u32)csum);
	hdr.seq ^= cpu_to_le64(1);
	sdv_frame_csum_begin(&state, &hdr);
	KUNIT_EXPECT_NE(test, (__force u32)sdv_frame_csum(&state), (__force u32)csum);
}

/* The same frame and the same value as in tests/unit/wire_test.c. */
static void checksum_is_that_of_the_agent(struct kunit *test)
{
	struct superdev_frame hdr = { .magic = cpu_to_le32(SUPERDEV_MAGIC) };
	struct xxh64_state state;
	u8 payload[100];
	int i;

	for (i = 0; i < sizeof(payload); i++)
		payload[i] = i;
	sdv_frame_csum_begin(&state, &hdr);
	xxh64_update(&state, payload, 33);
	xxh64_update(&state, payload + 33, sizeof(payload) - 33);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(sdv_frame_csum(&state)), 0x909a96cbu);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(good_frames_pass),
	KUNIT_CASE(wrong_magic_is_refused),
	KUNIT_CASE(another_class_is_refused),
	KUNIT_CASE(unknown_flags_are_refused),
	KUNIT_CASE(reserved_has_to_be_zero),
	KUNIT_CASE(status_out_of_place_is_refused),
	KUNIT_CASE(oversize_is_refused),
	KUNIT_CASE(another_lease_or_epoch_is_stale),
	KUNIT_CASE(clear_lanes_need_a_checksum),
	KUNIT_CASE(garbage_is_refused),
	KUNIT_CASE(checksum_passes_over_its_own_field),
	KUNIT_CASE(checksum_is_that_of_the_agent),
	{ }
};

static struct kunit_suite suite = {
	.name = "superdev_frame",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("superdev: tests of frame headers");
MODULE_LICENSE("GPL");
