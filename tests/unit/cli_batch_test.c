// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cli_batch_test.c: lines of a batch, and how save writes words (agent/cli/lexer.c).
 */
// LINK: agent/cli/lexer.c agent/cli/parse.c
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../agent/cli/lexer.h"
#include "harness.h"

/* Whether @line is the words that follow, up to NULL. */
static bool gives(const char *line, const char *const *want)
{
	struct cli_words words;
	bool is_right;
	int i;

	if (cli_lex(line, strlen(line), &words))
		return false;
	for (i = 0; i < words.nr && want[i] && !strcmp(words.word[i], want[i]); i++)
		;
	is_right = i == words.nr && !want[i] && !words.word[words.nr];
	cli_words_free(&words);
	return is_right;
}

#define GIVES(line, ...) gives(line, (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static bool is_refused(const char *line, const char *why)
{
	struct cli_words words;
	const char *got = cli_lex(line, strlen(line), &words);

	return got && strstr(got, why);
}

static bool comes_back(const char *word)
{
	char *quoted = cli_quote(word);
	bool is_right = gives(quoted, (const char *const[]){ word, NULL });

	free(quoted);
	return is_right;
}

TEST("blanks part words, and a line may have none")
{
	CHECK(GIVES("offer add x", "offer", "add", "x"));
	CHECK(GIVES("  offer\tadd  x \r\n", "offer", "add", "x"));
	CHECK(GIVES(""));
	CHECK(GIVES(" \n"));
}

TEST("a comment begins where a word would")
{
	CHECK(GIVES("# all of it"));
	CHECK(GIVES("peer # the rest", "peer"));
	CHECK(GIVES("a#b", "a#b"));
	CHECK(GIVES("'#' \\#", "#", "#"));
}

TEST("quotes keep blanks, and all other meaning off")
{
	CHECK(GIVES("path '/a b'", "path", "/a b"));
	CHECK(GIVES("path \"/a b\"", "path", "/a b"));
	CHECK(GIVES("/a' 'b\" \"c", "/a b c"));
	CHECK(GIVES("''", ""));
	CHECK(GIVES("'\\n\"'", "\\n\""));
}

TEST("a backslash outside of quotes keeps the next character as it is")
{
	CHECK(GIVES("a\\ b", "a b"));
	CHECK(GIVES("\\'", "'"));
	CHECK(GIVES("\\n", "n"));
}

TEST("escapes within double quotes make bytes")
{
	CHECK(GIVES("\"a\\nb\\tc\\\\d\\\"e\\x41\"", "a\nb\tc\\d\"eA"));
}

TEST("what has no end or no meaning is refused, not guessed")
{
	struct cli_words words;

	CHECK(is_refused("'a", "'"));
	CHECK(is_refused("\"a", "\""));
	CHECK(is_refused("a\\", "backslash"));
	CHECK(is_refused("\"\\q\"", "backslash"));
	CHECK(is_refused("\"\\x4\"", "backslash"));
	CHECK(is_refused("\"\\x00\"", "backslash"));
	CHECK(is_refused("\"\\", "backslash"));
	CHECK(cli_lex("a\0b", 3, &words) != NULL);
}

TEST("more words than any command has are refused")
{
	char many[3 * CLI_MAX_WORDS];
	struct cli_words words;
	unsigned int i;

	memset(many, ' ', sizeof(many));
	for (i = 0; i <= CLI_MAX_WORDS; i++)
		many[2 * i] = 'w';
	CHECK(cli_lex(many, sizeof(many), &words) != NULL);
	CHECK(!cli_lex(many, 2 * CLI_MAX_WORDS, &words));
	CHECK(words.nr == CLI_MAX_WORDS);
	cli_words_free(&words);
}

TEST("what save writes, batch reads")
{
	char every[256];
	unsigned int i;

	CHECK(comes_back("disk0"));
	CHECK(comes_back(""));
	CHECK(comes_back("/dev/disk/by id/\"x\"\n'\\#"));
	CHECK(comes_back("\033[31m\xff\xc2\x9b"));
	for (i = 1; i < 256; i++)
		every[i - 1] = (char)i;
	every[255] = 0;
	CHECK(comes_back(every));
}

TEST("what save writes is one line without control characters")
{
	unsigned int i;
	char *quoted = cli_quote("a\nb\033\177\x9b");

	for (i = 0; quoted[i]; i++)
		CHECK((unsigned char)quoted[i] >= ' ' && (unsigned char)quoted[i] < 0x7f);
	free(quoted);
}

int main(void)
{
	return test_main("cli_batch");
}
