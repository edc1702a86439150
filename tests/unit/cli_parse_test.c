// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cli_parse_test.c: what people type and read (agent/cli/parse.c).
 */
// LINK: agent/cli/parse.c
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "../../agent/cli/parse.h"
#include "harness.h"

static bool escapes_to(const char *text, const char *want)
{
	char *escaped = cli_escape(text);
	bool is_right = !strcmp(escaped, want);

	free(escaped);
	return is_right;
}

static bool size_is(uint64_t bytes, const char *want)
{
	char text[CLI_SIZE_TEXT];

	cli_size_format(bytes, text);
	return !strcmp(text, want);
}

static bool rtt_is(uint32_t rtt_us, const char *want)
{
	char text[CLI_SIZE_TEXT];

	cli_rtt_format(rtt_us, text);
	return !strcmp(text, want);
}

static bool name_of(const char *address, const char *want)
{
	char name[SDV_NAME_SIZE];

	cli_address_name(address, name);
	return !strcmp(name, want) && !cli_name_check(name);
}

TEST("a name has letters, digits, dots, dashes and underscores")
{
	CHECK(!cli_name_check("nas"));
	CHECK(!cli_name_check("N4-s_1.example"));
	CHECK(!cli_name_check("0"));
}

TEST("a name may have 63 characters and no more")
{
	char longest[SUPERDEV_NAME_LEN + 2];

	memset(longest, 'n', sizeof(longest));
	longest[SUPERDEV_NAME_LEN + 1] = 0;
	CHECK(cli_name_check(longest) && strstr(cli_name_check(longest), "63"));
	longest[SUPERDEV_NAME_LEN] = 0;
	CHECK(!cli_name_check(longest));
}

TEST("what would leave a directory, hide, or look like an option is no name")
{
	CHECK(cli_name_check(""));
	CHECK(strstr(cli_name_check("a/b"), "slash"));
	CHECK(cli_name_check(".."));
	CHECK(cli_name_check(".hidden"));
	CHECK(cli_name_check("-j"));
	CHECK(cli_name_check("_x"));
}

TEST("blanks, control characters and bytes beyond ASCII are in no name")
{
	CHECK(cli_name_check("a b"));
	CHECK(cli_name_check("a\n"));
	CHECK(cli_name_check("\033[31m"));
	CHECK(cli_name_check("n\xc3\xa4s"));
}

TEST("every key comes back from its text")
{
	uint8_t key[SUPERDEV_KEY_LEN];
	uint8_t back[SUPERDEV_KEY_LEN];
	char text[CLI_KEY_TEXT];
	unsigned int i;
	unsigned int k;

	for (i = 0; i < 256; i++) {
		for (k = 0; k < sizeof(key); k++)
			key[k] = (uint8_t)(i * 37 + k * 101 + 1);
		cli_key_format(key, text);
		CHECK(strlen(text) == CLI_KEY_TEXT - 1);
		CHECK(!cli_key_parse(text, back));
		CHECK(!memcmp(key, back, sizeof(key)));
	}
}

TEST("the text of a key is base64 as others write it")
{
	uint8_t key[SUPERDEV_KEY_LEN];
	char text[CLI_KEY_TEXT];
	unsigned int k;

	for (k = 0; k < sizeof(key); k++)
		key[k] = (uint8_t)k;
	cli_key_format(key, text);
	CHECK(!strcmp(text, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
}

TEST("a text of another length, alphabet or end is no key")
{
	uint8_t back[SUPERDEV_KEY_LEN];

	CHECK(cli_key_parse("", back));
	CHECK(cli_key_parse("AAECAwQF", back));
	CHECK(cli_key_parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", back));
	CHECK(cli_key_parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==", back));
	CHECK(cli_key_parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A", back));
	CHECK(cli_key_parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH-8=", back));
	CHECK(cli_key_parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH\xff"
			    "8=",
			    back));
}

TEST("a key has one text only: bits that say nothing must be zero")
{
	uint8_t back[SUPERDEV_KEY_LEN];

	CHECK(cli_key_parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", back));
}

TEST("the key of zeroes is refused")
{
	static const char zero[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	uint8_t back[SUPERDEV_KEY_LEN];

	CHECK(cli_key_parse(zero, back) && strstr(cli_key_parse(zero, back), "zero"));
}

TEST("hosts and addresses are taken with and without a port")
{
	CHECK(!cli_address_check("nas"));
	CHECK(!cli_address_check("nas.example.org"));
	CHECK(!cli_address_check("nas:7338"));
	CHECK(!cli_address_check("192.0.2.1"));
	CHECK(!cli_address_check("192.0.2.1:1"));
	CHECK(!cli_address_check("2001:db8::1"));
	CHECK(!cli_address_check("fe80::1%eth0"));
	CHECK(!cli_address_check("[2001:db8::1]"));
	CHECK(!cli_address_check("[2001:db8::1]:65535"));
}

TEST("what is no address is refused")
{
	CHECK(cli_address_check(""));
	CHECK(cli_address_check(":7338"));
	CHECK(cli_address_check("nas:"));
	CHECK(cli_address_check("nas:0"));
	CHECK(cli_address_check("nas:65536"));
	CHECK(cli_address_check("nas:99999999999999999999"));
	CHECK(cli_address_check("nas:x"));
	CHECK(cli_address_check("a b"));
	CHECK(cli_address_check("-nas"));
	CHECK(cli_address_check("user@nas"));
	CHECK(cli_address_check("[::1"));
	CHECK(cli_address_check("[::1]x"));
	CHECK(cli_address_check("[nas]:1"));
	CHECK(cli_address_check("::1%"));
}

TEST("an address has at most 255 characters")
{
	char longest[SDV_TEXT_SIZE + 1];

	memset(longest, 'n', sizeof(longest));
	longest[SDV_TEXT_SIZE] = 0;
	CHECK(cli_address_check(longest));
	longest[SDV_TEXT_SIZE - 1] = 0;
	CHECK(!cli_address_check(longest));
	CHECK(name_of(longest, "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"));
}

TEST("a peer without a name is called after its address")
{
	CHECK(name_of("nas", "nas"));
	CHECK(name_of("nas.example.org:99", "nas"));
	CHECK(name_of("192.0.2.1:99", "192.0.2.1"));
	CHECK(name_of("2001:db8::1", "2001-db8--1"));
	CHECK(name_of("[fe80::1%eth0]:99", "fe80--1"));
	CHECK(name_of("::1", "ip--1"));
}

TEST("PEER/OFFER is two names and one slash")
{
	char peer[SDV_NAME_SIZE];
	char offer[SDV_NAME_SIZE];

	CHECK(!cli_pair_split("nas/disk0", peer, offer));
	CHECK(!strcmp(peer, "nas") && !strcmp(offer, "disk0"));
	CHECK(cli_pair_split("nas", peer, offer));
	CHECK(cli_pair_split("/disk0", peer, offer));
	CHECK(cli_pair_split("nas/", peer, offer));
	CHECK(cli_pair_split("nas/disk0/x", peer, offer));
	CHECK(cli_pair_split("../disk0", peer, offer));
	CHECK(cli_pair_split("nas/..", peer, offer));
}

TEST("both halves of PEER/OFFER have at most 63 characters")
{
	char peer[SDV_NAME_SIZE];
	char offer[SDV_NAME_SIZE];
	char text[2 * SDV_NAME_SIZE + 2];

	memset(text, 'n', sizeof(text));
	text[SUPERDEV_NAME_LEN] = '/';
	text[2 * SUPERDEV_NAME_LEN + 1] = 0;
	CHECK(!cli_pair_split(text, peer, offer));
	CHECK(strlen(peer) == SUPERDEV_NAME_LEN && strlen(offer) == SUPERDEV_NAME_LEN);
	text[2 * SUPERDEV_NAME_LEN + 1] = 'n';
	text[2 * SUPERDEV_NAME_LEN + 2] = 0;
	CHECK(cli_pair_split(text, peer, offer));
	memset(text, 'n', SUPERDEV_NAME_LEN + 1);
	strcpy(text + SUPERDEV_NAME_LEN + 1, "/x");
	CHECK(cli_pair_split(text, peer, offer));
}

TEST("a number is digits within its range")
{
	uint32_t number = 0;

	CHECK(!cli_number_parse("32", 1, 32, &number) && number == 32);
	CHECK(!cli_number_parse("4294967295", 0, UINT32_MAX, &number) && number == UINT32_MAX);
	CHECK(cli_number_parse("33", 1, 32, &number) && number == UINT32_MAX);
	CHECK(cli_number_parse("0", 1, 32, &number));
	CHECK(cli_number_parse("4294967296", 0, UINT32_MAX, &number));
	CHECK(cli_number_parse("99999999999999999999999", 0, UINT32_MAX, &number));
	CHECK(cli_number_parse("", 0, 9, &number));
	CHECK(cli_number_parse("-1", 0, 9, &number));
	CHECK(cli_number_parse("+1", 0, 9, &number));
	CHECK(cli_number_parse("1x", 0, 9, &number));
}

TEST("a code is six digits, blanks apart")
{
	char code[CLI_CODE_DIGITS + 1];

	CHECK(cli_code_normalise("123 456", code) && !strcmp(code, "123456"));
	CHECK(cli_code_equal("123 456", "123456"));
	CHECK(cli_code_equal("123-456", "123 456"));
	CHECK(!cli_code_equal("123 456", "123 457"));
	CHECK(!cli_code_equal("", ""));
	CHECK(!cli_code_equal("12345", "12345"));
	CHECK(!cli_code_normalise("1234567", code));
	CHECK(!cli_code_normalise("12345x", code));
}

TEST("sizes are rounded to a tenth of a binary unit")
{
	CHECK(size_is(0, "0 B"));
	CHECK(size_is(1023, "1023 B"));
	CHECK(size_is(1024, "1.0 KiB"));
	CHECK(size_is(1536, "1.5 KiB"));
	CHECK(size_is(UINT64_C(1) << 20, "1.0 MiB"));
	CHECK(size_is((UINT64_C(1) << 20) - 1, "1.0 MiB"));
	CHECK(size_is((UINT64_C(1) << 30) + (UINT64_C(1) << 29), "1.5 GiB"));
	CHECK(size_is(UINT64_C(10) << 40, "10.0 TiB"));
	CHECK(size_is(UINT64_MAX, "16.0 EiB"));
}

TEST("round trips are shown in milliseconds or seconds")
{
	CHECK(rtt_is(0, "0.00 ms"));
	CHECK(rtt_is(312, "0.31 ms"));
	CHECK(rtt_is(999999, "999.99 ms"));
	CHECK(rtt_is(1200000, "1.20 s"));
}

TEST("a path that is too long is refused, not cut")
{
	char path[16];

	CHECK(!cli_path_absolute("/dev/vdb", path, sizeof(path)) && !strcmp(path, "/dev/vdb"));
	CHECK(cli_path_absolute("/dev/disk/by-id/x", path, sizeof(path)));
}

TEST("no byte of an escape sequence passes")
{
	CHECK(escapes_to("nas", "nas"));
	CHECK(escapes_to("\033[31mred", "\\x1b[31mred"));
	CHECK(escapes_to("a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd"));
	CHECK(escapes_to("\177", "\\x7f"));
	CHECK(escapes_to("\xc2\x9b"
			 "31m",
			 "\\xc2\\x9b31m"));
	CHECK(escapes_to("\x9b", "\\x9b"));
}

TEST("a backslash is doubled, so an escape can't be forged")
{
	CHECK(escapes_to("\\x1b", "\\\\x1b"));
}

TEST("letters beyond ASCII pass where the locale has them")
{
	CHECK(escapes_to("n\xc3\xa4s", "n\xc3\xa4s"));
	CHECK(escapes_to("n\xc3", "n\\xc3"));
	CHECK(cli_width("n\xc3\xa4s") == 3);
}

TEST("marks that turn the direction of a line are shown as bytes")
{
	CHECK(escapes_to("a\xe2\x80\xae"
			 "b",
			 "a\\xe2\\x80\\xaeb"));
}

TEST("a mistyped word finds the one that was meant, a strange one none")
{
	static const char *const words[] = { "peer", "offer", "lease", "device" };

	CHECK(cli_nearest("pere", words, 4) == words[0]);
	CHECK(cli_nearest("ofer", words, 4) == words[1]);
	CHECK(cli_nearest("leases", words, 4) == words[2]);
	CHECK(!cli_nearest("x", words, 4));
	CHECK(!cli_nearest("helicopter", words, 4));
	CHECK(!cli_nearest("peer", words, 0));
}

TEST("a program without a slash is looked for in PATH, one with it is not")
{
	char path[256];

	setenv("PATH", "/nosuch::relative:/usr/bin:/bin", 1);
	CHECK(!cli_program_find("sh", path, sizeof(path)));
	CHECK(!strcmp(path, "/usr/bin/sh") || !strcmp(path, "/bin/sh"));
	CHECK(cli_program_find("no such program", path, sizeof(path)) == -ENOENT);
	CHECK(cli_program_find("", path, sizeof(path)) == -ENOENT);
	CHECK(!cli_program_find("/no/such", path, sizeof(path)) && !strcmp(path, "/no/such"));
	CHECK(!cli_program_find("./x", path, sizeof(path)) && path[0] == '/');
	CHECK(cli_program_find("sh", path, 7) == -ENOENT);
	setenv("PATH", "", 1);
	CHECK(cli_program_find("sh", path, sizeof(path)) == -ENOENT);
	unsetenv("PATH");
	CHECK(cli_program_find("sh", path, sizeof(path)) == -ENOENT);
}

TEST("a folder in PATH is no program")
{
	char path[256];

	setenv("PATH", "/", 1);
	CHECK(cli_program_find("usr", path, sizeof(path)) == -ENOENT);
}

static bool size_reads(const char *text, uint64_t want)
{
	uint64_t bytes = 1234;

	return !cli_size_parse(text, &bytes) && bytes == want;
}

TEST("a size is a number of bytes, or of K, M, G or T")
{
	uint64_t bytes;

	CHECK(size_reads("0", 0) && size_reads("1", 1) && size_reads("4096", 4096));
	CHECK(size_reads("1K", 1024) && size_reads("512M", 512ull << 20) && size_reads("3G", 3ull << 30));
	CHECK(size_reads("2T", 2ull << 40));
	CHECK(size_reads("9223372036854775807", INT64_MAX));
	CHECK(cli_size_parse("9223372036854775808", &bytes) &&
	      cli_size_parse("99999999999999999999", &bytes));
	CHECK(cli_size_parse("8388608T", &bytes) && size_reads("8388607T", 8388607ull << 40));
	CHECK(cli_size_parse("", &bytes) && cli_size_parse("M", &bytes) && cli_size_parse("-1", &bytes));
	CHECK(cli_size_parse("1MB", &bytes) && cli_size_parse("1m", &bytes) && cli_size_parse("1 M", &bytes));
	CHECK(cli_size_parse("0x10", &bytes) && cli_size_parse("1.5G", &bytes));
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	return test_main("cli_parse");
}
