// SPDX-License-Identifier: GPL-2.0-only
/*
 * config_test.c: KUnit suite of config.c: each refusal, and what passes.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/random.h>
#include "config.c"

/* Attributes as a lender would send them: one value or text each, or absent. */
struct attrs {
	u64 value[SUPERDEV_A_CPU_CONFIG_MAX + 1];
	const char *text[SUPERDEV_A_CPU_CONFIG_MAX + 1];
	bool is_set[SUPERDEV_A_CPU_CONFIG_MAX + 1];
};

static void set(struct attrs *attrs, int type, u64 value)
{
	attrs->value[type] = value;
	attrs->is_set[type] = true;
}

static void set_text(struct attrs *attrs, int type, const char *text)
{
	attrs->text[type] = text;
	attrs->is_set[type] = true;
}

static struct attrs good(void)
{
	struct attrs attrs = { };

	set(&attrs, SUPERDEV_A_CPU_CONFIG_CPUS, 4);
	set(&attrs, SUPERDEV_A_CPU_CONFIG_MEMORY, SZ_1G);
	set_text(&attrs, SUPERDEV_A_CPU_CONFIG_ARCHITECTURE, "x86_64");
	set_text(&attrs, SUPERDEV_A_CPU_CONFIG_KERNEL, "6.12.107+deb13-amd64");
	set(&attrs, SUPERDEV_A_CPU_CONFIG_PAGE_SIZE, SZ_4K);
	set(&attrs, SUPERDEV_A_CPU_CONFIG_X86_LEVEL, 3);
	set(&attrs, SUPERDEV_A_CPU_CONFIG_XCR0, 7);
	set(&attrs, SUPERDEV_A_CPU_CONFIG_XSAVE_SIZE, 832);
	return attrs;
}

static struct attrs good_other(void)
{
	struct attrs attrs = good();

	set_text(&attrs, SUPERDEV_A_CPU_CONFIG_ARCHITECTURE, "aarch64");
	attrs.is_set[SUPERDEV_A_CPU_CONFIG_X86_LEVEL] = false;
	attrs.is_set[SUPERDEV_A_CPU_CONFIG_XCR0] = false;
	attrs.is_set[SUPERDEV_A_CPU_CONFIG_XSAVE_SIZE] = false;
	return attrs;
}

/* Return: bytes of @buf used. */
static size_t encode(const struct attrs *attrs, u8 *buf)
{
	size_t len = 0;
	int type;

	for (type = 1; type <= SUPERDEV_A_CPU_CONFIG_MAX; type++) {
		struct nlattr *nla = (struct nlattr *)(buf + len);
		u32 value32 = attrs->value[type];
		const void *value = &attrs->value[type];
		size_t size = sizeof(u64);

		if (!attrs->is_set[type])
			continue;
		if (cpu_policy[type].type == NLA_NUL_STRING) {
			value = attrs->text[type];
			size = strlen(value) + 1;
		} else if (cpu_policy[type].type == NLA_U32) {
			value = &value32;
			size = sizeof(value32);
		}
		memset(nla, 0, nla_total_size(size));
		nla->nla_type = type;
		nla->nla_len = nla_attr_size(size);
		memcpy(nla_data(nla), value, size);
		len += nla_total_size(size);
	}
	return len;
}

static int parse(const struct attrs *attrs, struct sdv_cpu_config *ret_config)
{
	u8 buf[SUPERDEV_CONFIG_LEN] __aligned(4);
	const char *why = NULL;

	return sdv_cpu_config_parse(buf, encode(attrs, buf), ret_config, &why);
}

static void a_good_config_passes(struct kunit *test)
{
	struct attrs attrs = good();
	struct sdv_cpu_config config;

	KUNIT_ASSERT_EQ(test, parse(&attrs, &config), 0);
	KUNIT_EXPECT_EQ(test, config.cpus, 4);
	KUNIT_EXPECT_EQ(test, config.memory, SZ_1G);
	KUNIT_EXPECT_STREQ(test, config.architecture, "x86_64");
	KUNIT_EXPECT_STREQ(test, config.kernel, "6.12.107+deb13-amd64");
	KUNIT_EXPECT_EQ(test, config.page_size, SZ_4K);
	KUNIT_EXPECT_EQ(test, config.x86_level, 3);
	KUNIT_EXPECT_EQ(test, config.xcr0, 7);
	KUNIT_EXPECT_EQ(test, config.xsave_size, 832);
}

static void another_architecture_passes(struct kunit *test)
{
	struct attrs attrs = good_other();
	struct sdv_cpu_config config;

	KUNIT_ASSERT_EQ(test, parse(&attrs, &config), 0);
	KUNIT_EXPECT_STREQ(test, config.architecture, "aarch64");
	KUNIT_EXPECT_EQ(test, config.x86_level, 0);
}

static void an_x86_without_xsave_passes(struct kunit *test)
{
	struct attrs attrs = good();
	struct sdv_cpu_config config;

	attrs.is_set[SUPERDEV_A_CPU_CONFIG_XCR0] = false;
	attrs.is_set[SUPERDEV_A_CPU_CONFIG_XSAVE_SIZE] = false;
	KUNIT_EXPECT_EQ(test, parse(&attrs, &config), 0);
}

static void needed_attributes_are_missed(struct kunit *test)
{
	static const int needed[] = {
		SUPERDEV_A_CPU_CONFIG_CPUS, SUPERDEV_A_CPU_CONFIG_MEMORY,
		SUPERDEV_A_CPU_CONFIG_ARCHITECTURE, SUPERDEV_A_CPU_CONFIG_KERNEL,
		SUPERDEV_A_CPU_CONFIG_PAGE_SIZE, SUPERDEV_A_CPU_CONFIG_X86_LEVEL,
		SUPERDEV_A_CPU_CONFIG_XCR0, SUPERDEV_A_CPU_CONFIG_XSAVE_SIZE,
	};
	struct sdv_cpu_config config;
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
	const char *text;
};

static const struct refusal refusals[] = {
	{ "no processor", SUPERDEV_A_CPU_CONFIG_CPUS, 0 },
	{ "too many processors", SUPERDEV_A_CPU_CONFIG_CPUS, SDV_CPU_MAX_CPUS + 1 },
	{ "no memory", SUPERDEV_A_CPU_CONFIG_MEMORY, 0 },
	{ "hardly any memory", SUPERDEV_A_CPU_CONFIG_MEMORY, SZ_1M - 1 },
	{ "negative memory", SUPERDEV_A_CPU_CONFIG_MEMORY, (u64)S64_MAX + 1 },
	{ "an empty architecture", SUPERDEV_A_CPU_CONFIG_ARCHITECTURE, 0, "" },
	{ "an architecture of two lines", SUPERDEV_A_CPU_CONFIG_ARCHITECTURE, 0, "x86\n64" },
	{ "an x86 level of arm", SUPERDEV_A_CPU_CONFIG_ARCHITECTURE, 0, "aarch64" },
	{ "a kernel that is a path", SUPERDEV_A_CPU_CONFIG_KERNEL, 0, "../6.12" },
	{ "a kernel with an escape", SUPERDEV_A_CPU_CONFIG_KERNEL, 0, "6.12\033[31m" },
	{ "a kernel that is not ASCII", SUPERDEV_A_CPU_CONFIG_KERNEL, 0, "6.12\xff" },
	{ "no page size", SUPERDEV_A_CPU_CONFIG_PAGE_SIZE, 0 },
	{ "a small page", SUPERDEV_A_CPU_CONFIG_PAGE_SIZE, 2048 },
	{ "a large page", SUPERDEV_A_CPU_CONFIG_PAGE_SIZE, SZ_2M },
	{ "a crooked page", SUPERDEV_A_CPU_CONFIG_PAGE_SIZE, 12288 },
	{ "level 0", SUPERDEV_A_CPU_CONFIG_X86_LEVEL, 0 },
	{ "level 5", SUPERDEV_A_CPU_CONFIG_X86_LEVEL, 5 },
	{ "xcr0 of nothing", SUPERDEV_A_CPU_CONFIG_XCR0, 0 },
	{ "xcr0 without x87", SUPERDEV_A_CPU_CONFIG_XCR0, 6 },
	{ "xcr0 without SSE", SUPERDEV_A_CPU_CONFIG_XCR0, 5 },
	{ "states of no size", SUPERDEV_A_CPU_CONFIG_XSAVE_SIZE, 0 },
	{ "states that are too small", SUPERDEV_A_CPU_CONFIG_XSAVE_SIZE, 512 },
	{ "states that are too large", SUPERDEV_A_CPU_CONFIG_XSAVE_SIZE, SZ_64K + 1 },
};

static void refusal_name(const struct refusal *refusal, char *name)
{
	strscpy(name, refusal->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(refusals, refusals, refusal_name);

static void impossible_values_are_refused(struct kunit *test)
{
	const struct refusal *refusal = test->param_value;
	struct attrs attrs = good();
	struct sdv_cpu_config config;

	if (refusal->text)
		set_text(&attrs, refusal->type, refusal->text);
	else
		set(&attrs, refusal->type, refusal->value);
	KUNIT_EXPECT_EQ(test, parse(&attrs, &config), -EINVAL);
}

static void malformed_attributes_are_refused(struct kunit *test)
{
	u8 buf[SUPERDEV_CONFIG_LEN] __aligned(4);
	struct attrs attrs = good();
	struct sdv_cpu_config config;
	const char *why = NULL;
	struct nlattr *nla = (struct nlattr *)buf;
	size_t len = encode(&attrs, buf);

	KUNIT_EXPECT_EQ(test, sdv_cpu_config_parse(buf, len - 5, &config, &why), -EBADMSG);
	nla->nla_len = nla_attr_size(2);
	KUNIT_EXPECT_EQ(test, sdv_cpu_config_parse(buf, len, &config, &why), -EBADMSG);
	KUNIT_EXPECT_NOT_NULL(test, why);
	KUNIT_EXPECT_EQ(test, sdv_cpu_config_parse(buf, 0, &config, &why), -EINVAL);
	/* A text without its end, and one that is too long. */
	nla->nla_type = SUPERDEV_A_CPU_CONFIG_KERNEL;
	nla->nla_len = nla_attr_size(4);
	memcpy(nla_data(nla), "6.12", 4);
	KUNIT_EXPECT_EQ(test, sdv_cpu_config_parse(buf, nla->nla_len, &config, &why), -EBADMSG);
	nla->nla_len = nla_attr_size(SUPERDEV_NAME_LEN + 2);
	memset(nla_data(nla), 'x', SUPERDEV_NAME_LEN + 1);
	((char *)nla_data(nla))[SUPERDEV_NAME_LEN + 1] = '\0';
	KUNIT_EXPECT_EQ(test, sdv_cpu_config_parse(buf, nla->nla_len, &config, &why), -EBADMSG);
}

static void newer_attributes_are_passed_over(struct kunit *test)
{
	u8 buf[SUPERDEV_CONFIG_LEN] __aligned(4);
	struct attrs attrs = good();
	struct sdv_cpu_config config;
	size_t len = encode(&attrs, buf);
	struct nlattr *nla = (struct nlattr *)(buf + len);
	const char *why;

	nla->nla_type = SUPERDEV_A_CPU_CONFIG_MAX + 9;
	nla->nla_len = nla_attr_size(4);
	memset(nla_data(nla), 0xff, 4);
	KUNIT_EXPECT_EQ(test, sdv_cpu_config_parse(buf, len + nla_total_size(4), &config, &why),
			0);
}

static void garbage_never_passes_unjudged(struct kunit *test)
{
	u8 buf[128] __aligned(4);
	unsigned int i;

	for (i = 0; i < 10000; i++) {
		struct sdv_cpu_config config;
		const char *why = NULL;

		get_random_bytes(buf, sizeof(buf));
		if (sdv_cpu_config_parse(buf, get_random_u32_below(sizeof(buf)), &config, &why))
			KUNIT_EXPECT_NOT_NULL(test, why);
	}
}

static void programs_find_in_use_what_they_were_started_for(struct kunit *test)
{
	struct attrs attrs = good();
	struct sdv_cpu_config now, then;
	const char *why;

	KUNIT_ASSERT_EQ(test, parse(&attrs, &now), 0);
	then = now;
	then.cpus = 1;
	then.memory = SZ_64M;
	strscpy(then.kernel, "7.3.4");
	then.xcr0 |= 0xe0;
	then.x86_level = 4;
	KUNIT_EXPECT_EQ(test, sdv_cpu_config_fits(&now, &then, &why), 0);
	then = now;
	then.page_size = SZ_64K;
	KUNIT_EXPECT_EQ(test, sdv_cpu_config_fits(&now, &then, &why), -EINVAL);
	then = now;
	strscpy(then.architecture, "riscv64");
	KUNIT_EXPECT_EQ(test, sdv_cpu_config_fits(&now, &then, &why), -EINVAL);
	then = now;
	then.x86_level = 2;
	KUNIT_EXPECT_EQ(test, sdv_cpu_config_fits(&now, &then, &why), -EINVAL);
	then = now;
	then.xcr0 = 3;
	KUNIT_EXPECT_EQ(test, sdv_cpu_config_fits(&now, &then, &why), -EINVAL);
}

static struct superdev_cpu_status good_status(void)
{
	return (struct superdev_cpu_status) {
		.load = cpu_to_le32(1500),
		.cpus = cpu_to_le32(8),
		.tasks = cpu_to_le32(3),
		.own = cpu_to_le32(1500),
		.memory = cpu_to_le64(SZ_1G),
		.used_us = cpu_to_le64(12345678),
	};
}

static void a_status_is_taken(struct kunit *test)
{
	struct superdev_cpu_status status = good_status();
	struct sdv_load load = { .cpus = 2, .time = 99 };

	KUNIT_ASSERT_EQ(test, sdv_cpu_status_parse(&status, &load), 0);
	KUNIT_EXPECT_EQ(test, load.load, 1500);
	KUNIT_EXPECT_EQ(test, load.own, 1500);
	KUNIT_EXPECT_EQ(test, load.online, 8);
	KUNIT_EXPECT_EQ(test, load.tasks, 3);
	KUNIT_EXPECT_EQ(test, load.memory, SZ_1G);
	KUNIT_EXPECT_EQ(test, load.used_us, 12345678);
	/* Of these the config and the caller know. */
	KUNIT_EXPECT_EQ(test, load.cpus, 2);
	KUNIT_EXPECT_EQ(test, load.time, 99);
}

static void an_impossible_status_is_refused(struct kunit *test)
{
	struct superdev_cpu_status bad[] = {
		good_status(), good_status(), good_status(), good_status(), good_status(),
		good_status(), good_status(), good_status(),
	};
	struct sdv_load load, before;
	unsigned int i;

	bad[0].load = cpu_to_le32(SUPERDEV_CPU_LOAD_MAX + 1);
	bad[1].cpus = 0;
	bad[2].cpus = cpu_to_le32(SDV_CPU_MAX_CPUS + 1);
	bad[3].tasks = cpu_to_le32(SDV_CPU_MAX_TASKS + 1);
	bad[4].memory = cpu_to_le64(U64_MAX);
	bad[5].used_us = cpu_to_le64(U64_MAX);
	bad[6].own = cpu_to_le32(1501);
	bad[7].reserved[3] = cpu_to_le64(1);
	memset(&load, 0x5a, sizeof(load));
	before = load;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, sdv_cpu_status_parse(&bad[i], &load), -EPROTO,
				    "status %u", i);
	KUNIT_EXPECT_MEMEQ(test, &load, &before, sizeof(load));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_good_config_passes),
	KUNIT_CASE(another_architecture_passes),
	KUNIT_CASE(an_x86_without_xsave_passes),
	KUNIT_CASE(needed_attributes_are_missed),
	KUNIT_CASE_PARAM(impossible_values_are_refused, refusals_gen_params),
	KUNIT_CASE(malformed_attributes_are_refused),
	KUNIT_CASE(newer_attributes_are_passed_over),
	KUNIT_CASE(garbage_never_passes_unjudged),
	KUNIT_CASE(programs_find_in_use_what_they_were_started_for),
	KUNIT_CASE(a_status_is_taken),
	KUNIT_CASE(an_impossible_status_is_refused),
	{ }
};

static struct kunit_suite suite = {
	.name = "superdev_cpu_config",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("superdev: tests of what lenders say of their processors");
MODULE_LICENSE("GPL");
