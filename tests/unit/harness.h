/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * harness.h: the least that a unit test needs.
 *
 *	TEST("a frame of the wrong magic is refused") { CHECK(x == y); }
 *	int main(void) { return test_main("wire"); }
 *
 * One line per test: "ok NAME: sentence" or "not ok NAME: sentence, why".  A
 * failed CHECK ends its test and no other; its text says where and what.
 */
#ifndef SDV_HARNESS_H
#define SDV_HARNESS_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
	const char *sentence;
	void (*run)(void);
	struct test *next;
};

static struct test *test_first, **test_end = &test_first;
static jmp_buf test_failed;
static char test_why[512];

#define TEST(sentence)           TEST_NAMED(sentence, __COUNTER__)
#define TEST_NAMED(sentence, id) TEST_PASTE(sentence, id)
#define TEST_PASTE(what, id)                                             \
	static void test_run_##id(void);                                 \
	__attribute__((constructor)) static void test_add_##id(void)     \
	{                                                                \
		static struct test test = { what, test_run_##id, NULL }; \
                                                                         \
		*test_end = &test;                                       \
		test_end = &test.next;                                   \
	}                                                                \
	static void test_run_##id(void)

/* For helpers of tests, too: it does not return where the claim is false. */
#define CHECK(claim)                                                                                   \
	do {                                                                                           \
		if (!(claim)) {                                                                        \
			snprintf(test_why, sizeof(test_why), "%s:%d: %s", __FILE__, __LINE__, #claim); \
			longjmp(test_failed, 1);                                                       \
		}                                                                                      \
	} while (0)

static int test_main(const char *name)
{
	static int failed, nr; /* static: longjmp leaves them alone */
	static struct test *test;
	const char *only = getenv("ONLY");

	for (test = test_first; test; test = test->next) {
		/* ONLY=word runs those whose sentence has it. */
		if (only && !strstr(test->sentence, only))
			continue;
		nr++;
		if (!setjmp(test_failed)) {
			test->run();
			printf("ok %s: %s\n", name, test->sentence);
		} else {
			printf("not ok %s: %s, %s\n", name, test->sentence, test_why);
			failed = 1;
		}
		fflush(stdout);
	}
	if (!nr)
		printf("not ok %s: no test says '%s'\n", name, only ? only : "");
	return failed || !nr;
}

#endif
