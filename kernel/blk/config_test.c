// SPDX-License-Identifier: GPL-2.0-only
/*
 * config_test.c: KUnit suite of config.c: each refusal, and what passes.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/random.h>
#include "config.c"

/* Attributes as a lender would send them: one value each, or absent. */
struct attrs {
	u64 value[SUPERDEV_A_BLK_CONFIG_MAX + 1];
	bool is_set[SUPERDEV_A_BLK_CONFIG_MAX + 1];
};

static void set(struct attrs *attrs, int type, u64 value)
{
	attrs->value[type] = value;
	attrs->is_set[type] = true;
}

static struct attrs good(void)
{
	struct attrs attrs = { };

	set(&attrs, SUPERDEV_A_BLK_CONFIG_SIZE, SZ_1G);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK, 512);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_PHYSICAL_BLOCK, 4096);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_IO_MIN, 4096);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_IO_OPT, SZ_64K);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_MAX_IO, SZ_1M);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_MAX_DISCARD, SZ_8M);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_DISCARD_GRANULARITY, 4096);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_MAX_ZEROES, SZ_8M);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_WRITE_CACHE, 1);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_ROTATIONAL, 0);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_READ_ONLY, 0);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_QUEUE_DEPTH, 128);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_QUEUES, 4);
	return attrs;
}

/* Return: bytes of @buf used. */
static size_t encode(const struct attrs *attrs, u8 *buf)
{
	size_t len = 0;
	int type;

	for (type = 1; type <= SUPERDEV_A_BLK_CONFIG_MAX; type++) {
		struct nlattr *nla = (struct nlattr *)(buf + len);
		u64 value = attrs->value[type];
		u32 value32 = value;
		u8 value8 = value;

		if (!attrs->is_set[type])
			continue;
		nla->nla_type = type;
		switch (blk_policy[type].type) {
		case NLA_U64:
			nla->nla_len = nla_attr_size(sizeof(value));
			memcpy(nla_data(nla), &value, sizeof(value));
			break;
		case NLA_U32:
			nla->nla_len = nla_attr_size(sizeof(value32));
			memcpy(nla_data(nla), &value32, sizeof(value32));
			break;
		default:
			nla->nla_len = nla_attr_size(sizeof(value8));
			memset(nla_data(nla), 0, NLA_ALIGNTO);
			memcpy(nla_data(nla), &value8, sizeof(value8));
		}
		len += NLA_ALIGN(nla->nla_len);
	}
	return len;
}

static int parse(const struct attrs *attrs, struct sdv_blk_config *ret_config)
{
	u8 buf[SUPERDEV_CONFIG_LEN] __aligned(4);
	const char *why = NULL;

	return sdv_blk_config_parse(buf, encode(attrs, buf), ret_config, &why);
}

static void a_good_config_passes(struct kunit *test)
{
	struct attrs attrs = good();
	struct sdv_blk_config config;

	KUNIT_ASSERT_EQ(test, parse(&attrs, &config), 0);
	KUNIT_EXPECT_EQ(test, config.size, SZ_1G);
	KUNIT_EXPECT_EQ(test, config.physical_block, 4096);
	KUNIT_EXPECT_EQ(test, config.max_discard, SZ_8M);
	KUNIT_EXPECT_EQ(test, config.queue_depth, 128);
	KUNIT_EXPECT_TRUE(test, config.has_write_cache);
	KUNIT_EXPECT_FALSE(test, config.is_read_only);
}

static void optional_attributes_have_defaults(struct kunit *test)
{
	struct attrs attrs = { };
	struct sdv_blk_config config;

	set(&attrs, SUPERDEV_A_BLK_CONFIG_SIZE, SZ_1M);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK, 4096);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_MAX_IO, SZ_64K);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_QUEUE_DEPTH, 1);
	set(&attrs, SUPERDEV_A_BLK_CONFIG_QUEUES, 1);
	KUNIT_ASSERT_EQ(test, parse(&attrs, &config), 0);
	KUNIT_EXPECT_EQ(test, config.physical_block, 4096);
	KUNIT_EXPECT_EQ(test, config.max_discard, 0);
	KUNIT_EXPECT_FALSE(test, config.has_write_cache);
}

static void needed_attributes_are_missed(struct kunit *test)
{
	static const int needed[] = {
		SUPERDEV_A_BLK_CONFIG_SIZE, SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK,
		SUPERDEV_A_BLK_CONFIG_MAX_IO, SUPERDEV_A_BLK_CONFIG_QUEUE_DEPTH,
		SUPERDEV_A_BLK_CONFIG_QUEUES,
	};
	struct sdv_blk_config config;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(needed); i++) {
		struct attrs attrs = good();

		attrs.is_set[needed[i]] = false;
		KUNIT_EXPECT_EQ_MSG(test, parse(&attrs, &config), -EINVAL,
				    "attribute %d", needed[i]);
	}
}

struct refusal {
	const char *name;
	int type;
	u64 value;
};

static const struct refusal refusals[] = {
	{ "no size",			SUPERDEV_A_BLK_CONFIG_SIZE, 0 },
	{ "size of half a block",	SUPERDEV_A_BLK_CONFIG_SIZE, SZ_1G + 256 },
	{ "size beyond all offsets",	SUPERDEV_A_BLK_CONFIG_SIZE, 1ULL << 63 },
	{ "no logical block",		SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK, 0 },
	{ "small logical block",	SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK, 256 },
	{ "odd logical block",		SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK, 520 },
	{ "large logical block",	SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK, 8192 },
	{ "small physical block",	SUPERDEV_A_BLK_CONFIG_PHYSICAL_BLOCK, 256 },
	{ "odd physical block",		SUPERDEV_A_BLK_CONFIG_PHYSICAL_BLOCK, 5120 },
	{ "huge physical block",	SUPERDEV_A_BLK_CONFIG_PHYSICAL_BLOCK, SZ_2M },
	{ "odd io-min",			SUPERDEV_A_BLK_CONFIG_IO_MIN, 1000 },
	{ "odd io-opt",			SUPERDEV_A_BLK_CONFIG_IO_OPT, 1 },
	{ "no max-io",			SUPERDEV_A_BLK_CONFIG_MAX_IO, 0 },
	{ "max-io below a page",	SUPERDEV_A_BLK_CONFIG_MAX_IO, 2048 },
	{ "max-io beyond a frame",	SUPERDEV_A_BLK_CONFIG_MAX_IO, SZ_1M + 512 },
	{ "odd max-io",			SUPERDEV_A_BLK_CONFIG_MAX_IO, SZ_64K + 1 },
	{ "odd max-discard",		SUPERDEV_A_BLK_CONFIG_MAX_DISCARD, SZ_8M + 1 },
	{ "max-discard too small",	SUPERDEV_A_BLK_CONFIG_MAX_DISCARD, 512 },
	{ "odd granularity",		SUPERDEV_A_BLK_CONFIG_DISCARD_GRANULARITY, 100 },
	{ "granularity too large",	SUPERDEV_A_BLK_CONFIG_DISCARD_GRANULARITY, SZ_16M },
	{ "odd max-zeroes",		SUPERDEV_A_BLK_CONFIG_MAX_ZEROES, 100 },
	{ "write-cache of 2",		SUPERDEV_A_BLK_CONFIG_WRITE_CACHE, 2 },
	{ "rotational of 255",		SUPERDEV_A_BLK_CONFIG_ROTATIONAL, 255 },
	{ "read-only of 3",		SUPERDEV_A_BLK_CONFIG_READ_ONLY, 3 },
	{ "no depth",			SUPERDEV_A_BLK_CONFIG_QUEUE_DEPTH, 0 },
	{ "depth beyond tags",		SUPERDEV_A_BLK_CONFIG_QUEUE_DEPTH, 4097 },
	{ "no queues",			SUPERDEV_A_BLK_CONFIG_QUEUES, 0 },
	{ "more queues than lanes",	SUPERDEV_A_BLK_CONFIG_QUEUES, 33 },
};

static void refusal_name(const struct refusal *refusal, char *desc)
{
	strscpy(desc, refusal->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(refusals, refusals, refusal_name);

static void impossible_values_are_refused(struct kunit *test)
{
	const struct refusal *refusal = test->param_value;
	struct attrs attrs = good();
	struct sdv_blk_config config;

	set(&attrs, refusal->type, refusal->value);
	KUNIT_EXPECT_EQ(test, parse(&attrs, &config), -EINVAL);
}

static void malformed_attributes_are_refused(struct kunit *test)
{
	u8 buf[SUPERDEV_CONFIG_LEN] __aligned(4);
	struct attrs attrs = good();
	struct sdv_blk_config config;
	const char *why = NULL;
	size_t len = encode(&attrs, buf);

	KUNIT_EXPECT_NE(test, sdv_blk_config_parse(buf, len - 3, &config, &why), 0);
	/* The size in four bytes, where eight belong. */
	((struct nlattr *)buf)->nla_len = nla_attr_size(4);
	KUNIT_EXPECT_EQ(test, sdv_blk_config_parse(buf, len, &config, &why), -EBADMSG);
	KUNIT_EXPECT_NOT_NULL(test, why);
	KUNIT_EXPECT_NE(test, sdv_blk_config_parse(buf, 0, &config, &why), 0);
}

static void newer_attributes_are_passed_over(struct kunit *test)
{
	u8 buf[SUPERDEV_CONFIG_LEN] __aligned(4);
	struct attrs attrs = good();
	struct sdv_blk_config config;
	size_t len = encode(&attrs, buf);
	struct nlattr *nla = (struct nlattr *)(buf + len);
	const char *why;

	nla->nla_type = SUPERDEV_A_BLK_CONFIG_MAX + 9;
	nla->nla_len = nla_attr_size(4);
	memset(nla_data(nla), 0xff, 4);
	KUNIT_EXPECT_EQ(test, sdv_blk_config_parse(buf, len + nla_total_size(4), &config, &why),
			0);
}

static void garbage_never_passes_unjudged(struct kunit *test)
{
	u8 buf[128] __aligned(4);
	unsigned int i;

	for (i = 0; i < 10000; i++) {
		struct sdv_blk_config config;
		const char *why = NULL;

		get_random_bytes(buf, sizeof(buf));
		if (sdv_blk_config_parse(buf, get_random_u32_below(sizeof(buf)), &config, &why))
			KUNIT_EXPECT_NOT_NULL(test, why);
	}
}

static void only_the_size_changes_in_use(struct kunit *test)
{
	struct attrs attrs = good();
	struct sdv_blk_config now, then;
	const char *why;

	KUNIT_ASSERT_EQ(test, parse(&attrs, &now), 0);
	then = now;
	then.size = SZ_2M;
	KUNIT_EXPECT_EQ(test, sdv_blk_config_fits(&now, &then, &why), 0);
	then.max_io = SZ_64K;
	KUNIT_EXPECT_EQ(test, sdv_blk_config_fits(&now, &then, &why), -EINVAL);
	then = now;
	then.logical_block = 4096;
	KUNIT_EXPECT_EQ(test, sdv_blk_config_fits(&now, &then, &why), -EINVAL);
	then = now;
	then.max_discard = 0;
	KUNIT_EXPECT_EQ(test, sdv_blk_config_fits(&now, &then, &why), -EINVAL);
	then = now;
	then.is_read_only = true;
	KUNIT_EXPECT_EQ(test, sdv_blk_config_fits(&now, &then, &why), -EINVAL);
	then = now;
	then.queue_depth = 64;
	KUNIT_EXPECT_EQ(test, sdv_blk_config_fits(&now, &then, &why), -EINVAL);
	then = now;
	then.queues = 3;
	KUNIT_EXPECT_EQ(test, sdv_blk_config_fits(&now, &then, &why), -EINVAL);
	then = now;
	now.has_write_cache = false;
	KUNIT_EXPECT_EQ(test, sdv_blk_config_fits(&now, &then, &why), -EINVAL);
}

static void limits_are_what_the_lender_said(struct kunit *test)
{
	struct attrs attrs = good();
	struct sdv_blk_config config;
	struct queue_limits lim;

	KUNIT_ASSERT_EQ(test, parse(&attrs, &config), 0);
	sdv_blk_config_limits(&config, &lim);
	KUNIT_EXPECT_EQ(test, lim.logical_block_size, 512);
	KUNIT_EXPECT_EQ(test, lim.max_hw_sectors, SZ_1M >> SECTOR_SHIFT);
	KUNIT_EXPECT_EQ(test, lim.max_hw_discard_sectors, SZ_8M >> SECTOR_SHIFT);
	KUNIT_EXPECT_TRUE(test, lim.features & BLK_FEAT_WRITE_CACHE);
	KUNIT_EXPECT_TRUE(test, lim.features & BLK_FEAT_FUA);
	KUNIT_EXPECT_FALSE(test, lim.features & BLK_FEAT_ROTATIONAL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_good_config_passes),
	KUNIT_CASE(optional_attributes_have_defaults),
	KUNIT_CASE(needed_attributes_are_missed),
	KUNIT_CASE_PARAM(impossible_values_are_refused, refusals_gen_params),
	KUNIT_CASE(malformed_attributes_are_refused),
	KUNIT_CASE(newer_attributes_are_passed_over),
	KUNIT_CASE(garbage_never_passes_unjudged),
	KUNIT_CASE(only_the_size_changes_in_use),
	KUNIT_CASE(limits_are_what_the_lender_said),
	{ }
};

static struct kunit_suite suite = {
	.name = "superdev_blk_config",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("superdev: tests of the config of disks");
MODULE_LICENSE("GPL");
