// SPDX-License-Identifier: GPL-2.0-or-later
/* wire_test.c: frames and attributes, as bytes. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "wire.h"

static const struct sdv_frame_rules rules = {
	.class = SUPERDEV_CLASS_BLK,
	.lease = 7,
	.epoch = 3,
	.max_length = SUPERDEV_MAX_PAYLOAD,
};

static struct superdev_frame good_frame(void)
{
	struct sdv_head head = {
		.class = SUPERDEV_CLASS_BLK,
		.op = SUPERDEV_BLK_WRITE,
		.tag = 0x10002,
		.lease = 7,
		.seq = 5,
		.epoch = 3,
		.length = 4096,
		.offset = 8192,
		.count = 4096,
	};
	struct superdev_frame frame;

	sdv_frame_build(&frame, &head);
	return frame;
}

static int check(const struct superdev_frame *frame)
{
	struct sdv_head head;

	return sdv_frame_check(frame, &rules, &head);
}

TEST("a frame that was built is checked and read back")
{
	struct superdev_frame frame = good_frame();
	struct sdv_head head;

	CHECK(!sdv_frame_check(&frame, &rules, &head));
	CHECK(head.class == SUPERDEV_CLASS_BLK && head.op == SUPERDEV_BLK_WRITE);
	CHECK(head.tag == 0x10002 && head.lease == 7 && head.seq == 5 && head.epoch == 3);
	CHECK(head.length == 4096 && head.offset == 8192 && head.count == 4096 && !head.flags);
}

TEST("the bytes of a frame are little endian, in the order of the header file")
{
	struct superdev_frame frame = good_frame();
	const uint8_t *bytes = (const uint8_t *)&frame;

	CHECK(!memcmp(bytes, "sdv1\x02\x02\0\0\x02\0\x01\0", 12));
	CHECK(bytes[16] == 7 && bytes[24] == 5 && bytes[32] == 3 && bytes[37] == 0x10);
}

TEST("wrong magic, class, unknown flags, reserved bytes and a request's status are refused")
{
	struct superdev_frame frame = good_frame();

	frame.magic ^= htole32(1);
	CHECK(check(&frame) == -EPROTO);
	frame = good_frame();
	frame.class = SUPERDEV_CLASS_NULL;
	CHECK(check(&frame) == -EPROTO);
	frame = good_frame();
	frame.flags = htole16(SUPERDEV_F_KNOWN + 1);
	CHECK(check(&frame) == -EPROTO);
	frame = good_frame();
	frame.reserved = htole64(1);
	CHECK(check(&frame) == -EPROTO);
	frame = good_frame();
	frame.status = htole32(SUPERDEV_ST_IO);
	CHECK(check(&frame) == -EPROTO);
	frame.flags = htole16(SUPERDEV_F_REPLY);
	CHECK(!check(&frame));
	frame.status = htole32(SUPERDEV_ST_NR);
	CHECK(check(&frame) == -EPROTO);
	frame = good_frame();
	frame.csum = htole32(1);
	CHECK(check(&frame) == -EPROTO);
}

TEST("a length over the limit is refused, of a control frame a smaller one")
{
	struct superdev_frame frame = good_frame();
	struct sdv_frame_rules control = { .max_length = SUPERDEV_MAX_PAYLOAD };
	struct sdv_head head = { .length = SUPERDEV_MAX_CONTROL + 1 };

	frame.length = htole32(SUPERDEV_MAX_PAYLOAD + 1);
	CHECK(check(&frame) == -EMSGSIZE);
	frame.length = htole32(UINT32_MAX);
	CHECK(check(&frame) == -EMSGSIZE);
	sdv_frame_build(&frame, &head);
	CHECK(sdv_frame_check(&frame, &control, &head) == -EMSGSIZE);
	head.length = SUPERDEV_MAX_CONTROL;
	sdv_frame_build(&frame, &head);
	CHECK(!sdv_frame_check(&frame, &control, &head));
}

TEST("another lease or epoch is stale, and its length is known all the same")
{
	struct superdev_frame frame = good_frame();
	struct sdv_head head = { 0 };

	frame.epoch = htole32(2);
	CHECK(sdv_frame_check(&frame, &rules, &head) == -ESTALE && head.length == 4096);
	frame = good_frame();
	frame.lease = htole64(8);
	CHECK(check(&frame) == -ESTALE);
}

/* The same frame and the same value as in kernel/core/frame_test.c. */
TEST("a checksum is that of the kernel, in one piece and in two")
{
	struct superdev_frame frame = { .magic = htole32(SUPERDEV_MAGIC), .csum = htole32(1) };
	uint8_t payload[100];

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)i;
	for (size_t first = 0; first <= sizeof(payload); first++) {
		struct sdv_csum csum;

		sdv_csum_begin(&csum, &frame);
		sdv_csum_add(&csum, payload, first);
		sdv_csum_add(&csum, payload + first, sizeof(payload) - first);
		CHECK(sdv_csum_end(&csum) == 0x909a96cb);
	}
}

TEST("a sealed frame is intact until a bit of it changes")
{
	struct superdev_frame frame = good_frame();
	uint8_t payload[100] = { 1 };

	CHECK(sdv_frame_is_intact(&frame, payload, sizeof(payload)));
	sdv_frame_seal(&frame, payload, sizeof(payload));
	CHECK(sdv_frame_is_intact(&frame, payload, sizeof(payload)));
	payload[99] ^= 1;
	CHECK(!sdv_frame_is_intact(&frame, payload, sizeof(payload)));
	payload[99] ^= 1;
	frame.tag ^= htole32(1);
	CHECK(!sdv_frame_is_intact(&frame, payload, sizeof(payload)));
}

TEST("a connection that protects nothing refuses frames without a checksum")
{
	struct superdev_frame frame = good_frame();
	struct sdv_frame_rules clear = rules;
	struct sdv_head head;

	clear.must_csum = true;
	CHECK(sdv_frame_check(&frame, &clear, &head) == -EPROTO);
	sdv_frame_seal(&frame, NULL, 0);
	CHECK(!sdv_frame_check(&frame, &clear, &head));
}

TEST("every status becomes an errno and comes back as itself")
{
	for (uint32_t status = 0; status < SUPERDEV_ST_NR; status++)
		CHECK(sdv_status_of_errno(sdv_errno_of_status(status)) == status);
	CHECK(sdv_status_of_errno(-EDQUOT) == SUPERDEV_ST_NOSPC);
	CHECK(sdv_status_of_errno(EXDEV) == SUPERDEV_ST_IO);
	CHECK(sdv_errno_of_status(UINT32_MAX) == -EIO);
}

/* An offer with two properties. */
static int offer_write(uint8_t *data, size_t size)
{
	struct sdv_attr_writer w;

	sdv_attr_begin(&w, data, size);
	sdv_put_string(&w, SUPERDEV_A_OFFER_NAME, "disk0");
	sdv_put_flag(&w, SUPERDEV_A_OFFER_READ_ONLY);
	sdv_put_u64(&w, SUPERDEV_A_OFFER_SIZE, 1ull << 40);
	for (int i = 0; i < 2; i++) {
		size_t nest = sdv_nest_begin(&w, SUPERDEV_A_OFFER_PROPERTY);

		sdv_put_string(&w, SUPERDEV_A_PROPERTY_NAME, i ? "rotational" : "latency");
		sdv_put_u32(&w, SUPERDEV_A_PROPERTY_SOURCE, SUPERDEV_PROPERTY_SOURCE_MEASURED);
		sdv_nest_end(&w, nest);
	}
	return sdv_attr_end(&w);
}

TEST("attributes that were written are found again, nests and repeated ones too")
{
	struct sdv_attr offer[SUPERDEV_A_OFFER_MAX + 1], property[SUPERDEV_A_PROPERTY_MAX + 1], nest;
	uint8_t data[256];
	int len = offer_write(data, sizeof(data)), nr = 0;
	size_t pos = 0;

	CHECK(len > 0 && len % 4 == 0);
	CHECK(!sdv_attr_parse(&sdv_offer_set, data, (size_t)len, offer, NULL));
	CHECK(!strcmp(sdv_get_string(&offer[SUPERDEV_A_OFFER_NAME]), "disk0"));
	CHECK(sdv_has(&offer[SUPERDEV_A_OFFER_READ_ONLY]) && !sdv_has(&offer[SUPERDEV_A_OFFER_FORCE]));
	CHECK(sdv_get_u64(&offer[SUPERDEV_A_OFFER_SIZE]) == 1ull << 40);
	CHECK(!sdv_get_string(&offer[SUPERDEV_A_OFFER_PATH]));
	CHECK(!sdv_get_u32(&offer[SUPERDEV_A_OFFER_STATE]));
	while (sdv_attr_next(data, (size_t)len, SUPERDEV_A_OFFER_PROPERTY, &pos, &nest)) {
		CHECK(!sdv_attr_parse(&sdv_property_set, nest.data, nest.len, property, NULL));
		CHECK(!strcmp(sdv_get_string(&property[SUPERDEV_A_PROPERTY_NAME]),
			      nr++ ? "rotational" : "latency"));
		CHECK(sdv_get_u32(&property[SUPERDEV_A_PROPERTY_SOURCE]) == 1);
	}
	CHECK(nr == 2);
}

TEST("a buffer that is too small is an error, however small it is")
{
	uint8_t data[256];
	int len = offer_write(data, sizeof(data));

	for (int size = 0; size < len; size++)
		CHECK(offer_write(data, (size_t)size) == -EMSGSIZE);
	CHECK(offer_write(data, (size_t)len) == len);
}

TEST("a message that is cut short is refused or has fewer attributes")
{
	struct sdv_attr offer[SUPERDEV_A_OFFER_MAX + 1];
	uint8_t data[256];
	size_t len = (size_t)offer_write(data, sizeof(data));

	for (size_t cut = 0; cut < len; cut++) {
		int r = sdv_attr_parse(&sdv_offer_set, data, cut, offer, NULL);

		CHECK(!r || r == -EBADMSG);
	}
}

/* One attribute as raw bytes, parsed as an offer. */
static int parse_raw(const void *data, size_t len, unsigned int *ret_bad)
{
	struct sdv_attr offer[SUPERDEV_A_OFFER_MAX + 1];

	return sdv_attr_parse(&sdv_offer_set, data, len, offer, ret_bad);
}

TEST("strings must end in one zero, and fit")
{
	uint8_t data[128];
	struct sdv_attr_writer w;
	char name[SUPERDEV_NAME_LEN + 2];
	unsigned int bad;

	CHECK(parse_raw("\x06\0\x02\0ab", 6, &bad) == -EINVAL && bad == SUPERDEV_A_OFFER_NAME);
	CHECK(parse_raw("\x08\0\x02\0a\0b\0", 8, NULL) == -EINVAL);
	CHECK(parse_raw("\x04\0\x02\0", 4, NULL) == -EINVAL);
	CHECK(parse_raw("\x05\0\x02\0\0", 5, NULL) == -EINVAL);
	CHECK(!parse_raw("\x06\0\x02\0a", 6, NULL));
	memset(name, 'n', sizeof(name));
	name[SUPERDEV_NAME_LEN + 1] = 0;
	sdv_attr_begin(&w, data, sizeof(data));
	sdv_put_string(&w, SUPERDEV_A_OFFER_NAME, name);
	CHECK(parse_raw(data, (size_t)sdv_attr_end(&w), NULL) == -EINVAL);
	name[SUPERDEV_NAME_LEN] = 0;
	sdv_attr_begin(&w, data, sizeof(data));
	sdv_put_string(&w, SUPERDEV_A_OFFER_NAME, name);
	CHECK(!parse_raw(data, (size_t)sdv_attr_end(&w), NULL));
}

TEST("integers of the wrong size, enumerations beyond their end and flags with a value are refused")
{
	CHECK(parse_raw("\x08\0\x06\0\1\2\3\4", 8, NULL) == -EINVAL);
	CHECK(!parse_raw("\x08\0\x07\0\3\0\0\0", 8, NULL));
	CHECK(parse_raw("\x08\0\x07\0\4\0\0\0", 8, NULL) == -EINVAL);
	CHECK(parse_raw("\x08\0\x05\0\1\0\0\0", 8, NULL) == -EINVAL);
}

TEST("what is there twice and may not be is refused")
{
	CHECK(parse_raw("\4\0\5\0\4\0\5\0", 8, NULL) == -EINVAL);
	CHECK(!parse_raw("\4\0\x08\0\4\0\x08\0", 8, NULL));
}

TEST("attributes from the future are passed over")
{
	CHECK(!parse_raw("\x08\0\xff\x7f....\x06\0\x00\0..\0\0\4\0\5\0", 20, NULL));
}

TEST("lengths that do not add up are refused")
{
	CHECK(parse_raw("\3\0\5\0", 4, NULL) == -EBADMSG);
	CHECK(parse_raw("\0\0\5\0", 4, NULL) == -EBADMSG);
	CHECK(parse_raw("\x09\0\5\0....", 8, NULL) == -EBADMSG);
	CHECK(parse_raw("\4\0\5", 3, NULL) == -EBADMSG);
	/* the property's name is longer than the property */
	CHECK(parse_raw("\x0a\0\x08\0\x09\0\1\0ab", 10, NULL) == -EBADMSG);
}

int main(void)
{
	return test_main("wire");
}
