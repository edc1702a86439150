// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf_test.c: files of "key = value" lines, and what is wrong with them.
 */
#include <errno.h>
#include <string.h>

#include "conf.h"
#include "harness.h"

static char name[8], path[32], error[256];
static uint32_t port;

static const struct sdv_conf_key keys[] = {
	{ "name", SDV_CONF_STRING, name, sizeof(name), 0, 0 },
	{ "dir", SDV_CONF_PATH, path, sizeof(path), 0, 0 },
	{ "port", SDV_CONF_NUMBER, &port, 0, 1, 65535 },
	{ 0 },
};

static int parse(const char *text)
{
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", text);
	strcpy(name, "old");
	port = 7;
	error[0] = '\0';
	return sdv_conf_parse(keys, "file", copy, error, sizeof(error));
}

TEST("keys are set, and blanks, comments and empty lines passed over")
{
	CHECK(parse("# comment\n\n  name =  nas \nport=1234\n\tdir = /a b\n") == 0);
	CHECK(!strcmp(name, "nas") && port == 1234 && !strcmp(path, "/a b"));
}

TEST("what a file does not set stays as it was")
{
	CHECK(parse("") == 0 && parse("# name = x") == 0);
	CHECK(!strcmp(name, "old") && port == 7);
}

TEST("an unknown key is refused with its line and quoted")
{
	CHECK(parse("port = 1\nprot = 2\n") == -EINVAL);
	CHECK(!strcmp(error, "file:2: unknown key 'prot'"));
}

TEST("a line without = is refused and quoted")
{
	CHECK(parse("nonsense") == -EINVAL);
	CHECK(!strcmp(error, "file:1: 'nonsense' is not key = value"));
}

TEST("numbers are digits within their limits")
{
	static const char *const bad[] = { "port = 0",
					   "port = 65536",
					   "port = 12x",
					   "port =",
					   "port = -1",
					   "port = +1",
					   "port = 99999999999999999999999" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(parse(bad[i]) == -EINVAL);
		CHECK(strstr(error, "is no number from 1 to 65535") && port == 7);
	}
	CHECK(parse("port = 65535") == 0 && port == 65535);
}

TEST("a value that is too long or empty is refused")
{
	CHECK(parse("name = 12345678") == -EINVAL && !strcmp(name, "old"));
	CHECK(parse("name =") == -EINVAL);
	CHECK(parse("name = 1234567") == 0);
}

TEST("a path is absolute")
{
	CHECK(parse("dir = relative") == -EINVAL);
	CHECK(strstr(error, "'relative' is no absolute path"));
}

TEST("a file that is not there has its own error")
{
	CHECK(sdv_conf_read(keys, "/nonexistent/superdev.conf", error, sizeof(error)) == -ENOENT);
	CHECK(strstr(error, "/nonexistent/superdev.conf: "));
}

int main(void)
{
	return test_main("conf");
}
