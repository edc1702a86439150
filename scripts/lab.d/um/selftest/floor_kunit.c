// SPDX-License-Identifier: GPL-2.0-only
/* A KUnit suite of one case, which fails when the module is loaded with wrong=1. */
#include <kunit/test.h>
#include <linux/module.h>

static bool wrong;
module_param(wrong, bool, 0444);

static void floor_sum(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 1 + 1, wrong ? 3 : 2);
}

static struct kunit_case floor_cases[] = {
	KUNIT_CASE(floor_sum),
	{}
};

static struct kunit_suite floor_suite = {
	.name = "floor",
	.test_cases = floor_cases,
};

kunit_test_suite(floor_suite);
MODULE_DESCRIPTION("superdev debug floor: a KUnit suite");
MODULE_LICENSE("GPL");
