// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cli_grammar_test.c: arguments are read by their usage line (agent/cli/grammar.c).
 */
// LINK: agent/cli/grammar.c agent/cli/parse.c
#include <stdlib.h>
#include <string.h>

#include "../../agent/cli/grammar.h"
#include "harness.h"

#define MAX 8

static struct cli_args args;
static char why[CLI_WHY_SIZE];
static char text[256];
static char *words[MAX];

/* @line split at blanks; the words stay until the next call. */
static int split(const char *line)
{
	char *at = text, *word;
	int nr = 0;

	strcpy(text, line);
	while ((word = strsep(&at, " ")) && nr < MAX)
		if (*word)
			words[nr++] = word;
	return nr;
}

static bool takes(const char *usage, const char *line)
{
	return !cli_args_read(usage, split(line), words, &args, why);
}

static bool given(const char *name, const char *value)
{
	const char *got = cli_arg(&args, name);

	return got && value ? !strcmp(got, value) : !got && !value;
}

static bool may_follow(const char *usage, const char *line, const char *word)
{
	struct cli_next next[CLI_MAX_ARGS + 1];
	struct cli_grammar grammar;
	size_t nr, i;

	cli_grammar_read(usage, &grammar);
	nr = cli_grammar_next(&grammar, split(line), words, next);
	for (i = 0; i < nr; i++)
		if (!strcmp(next[i].is_value ? next[i].arg->value : next[i].arg->word, word))
			return true;
	return false;
}

TEST("values come in their place, words in any order")
{
	static const char offer[] = "NAME class CLASS [path PATH] [ro]";

	CHECK(takes(offer, "x class blk path /p ro"));
	CHECK(given("NAME", "x") && given("class", "blk") && given("path", "/p") && given("ro", ""));
	CHECK(takes(offer, "x ro path /p class blk"));
	CHECK(given("NAME", "x") && given("class", "blk") && given("path", "/p") && given("ro", ""));
	CHECK(takes(offer, "x class null"));
	CHECK(given("path", NULL) && given("ro", NULL));
}

TEST("an offer of processors is read in any order")
{
	static const char offer[] = "NAME class CLASS [path PATH] [ro] [cpus N] [memory SIZE]";

	CHECK(takes(offer, "x class cpu"));
	CHECK(given("cpus", NULL) && given("memory", NULL));
	CHECK(takes(offer, "x memory 1G cpus 4 class cpu"));
	CHECK(given("class", "cpu") && given("cpus", "4") && given("memory", "1G"));
	CHECK(!takes(offer, "x class cpu cpus") && strstr(why, "N"));
	CHECK(!takes(offer, "x class cpu cpu 4") && strstr(why, "'cpus'"));
	CHECK(may_follow(offer, "x class cpu", "memory") && may_follow(offer, "x class cpu cpus", "N"));
}

TEST("a value may be spelled like a word")
{
	static const char offer[] = "NAME class CLASS [path PATH] [ro]";

	CHECK(takes(offer, "class class class path path"));
	CHECK(given("NAME", "class") && given("class", "class") && given("path", "path"));
}

TEST("what is missing is named")
{
	static const char offer[] = "NAME class CLASS [path PATH] [ro]";

	CHECK(!takes(offer, "") && strstr(why, "NAME"));
	CHECK(!takes(offer, "x") && strstr(why, "class CLASS"));
	CHECK(!takes(offer, "x class") && strstr(why, "CLASS"));
	CHECK(!takes(offer, "x class blk path") && strstr(why, "PATH"));
}

TEST("what is unknown is quoted, with what was meant")
{
	static const char offer[] = "NAME class CLASS [path PATH] [ro]";

	CHECK(!takes(offer, "x class blk pth /p") && strstr(why, "'pth'") && strstr(why, "'path'"));
	CHECK(!takes(offer, "x class blk frobnicate") && strstr(why, "'ro'"));
	CHECK(!takes("", "x") && strstr(why, "'x'"));
}

TEST("nothing is given twice")
{
	static const char offer[] = "NAME class CLASS [path PATH] [ro]";

	CHECK(!takes(offer, "x class blk ro ro") && strstr(why, "twice"));
	CHECK(!takes(offer, "x class blk class null") && strstr(why, "twice"));
}

TEST("alternatives are the only values")
{
	static const char set[] = "NAME [transport tls|clear] [address HOST]";

	CHECK(takes(set, "x transport clear") && given("transport", "clear"));
	CHECK(!takes(set, "x transport clea") && strstr(why, "tls|clear"));
	CHECK(!takes(set, "x transport tls|clear"));
	CHECK(!takes(set, "x transport"));
}

TEST("a value that may be left out is not taken from the next word")
{
	static const char pair[] = "ADDRESS [name NAME] [yes [CODE]]";

	CHECK(takes(pair, "nas yes") && given("yes", ""));
	CHECK(takes(pair, "nas yes 123456") && given("yes", "123456"));
	CHECK(takes(pair, "nas yes name x") && given("yes", "") && given("name", "x"));
	CHECK(takes(pair, "nas name yes yes") && given("name", "yes") && given("yes", ""));
}

TEST("completion knows what may follow")
{
	static const char offer[] = "NAME class CLASS [path PATH] [ro]";
	static const char pair[] = "ADDRESS [name NAME] [yes [CODE]]";
	static const char set[] = "NAME [transport tls|clear] [address HOST]";

	CHECK(may_follow(offer, "", "NAME"));
	CHECK(!may_follow(offer, "", "ro"));
	CHECK(may_follow(offer, "x", "class") && may_follow(offer, "x", "ro"));
	CHECK(may_follow(offer, "x class", "CLASS") && !may_follow(offer, "x class", "ro"));
	CHECK(may_follow(offer, "x class blk", "path") && !may_follow(offer, "x class blk", "class"));
	CHECK(may_follow(set, "x transport", "tls|clear"));
	CHECK(may_follow(pair, "x yes", "CODE") && may_follow(pair, "x yes", "name"));
	CHECK(!may_follow(offer, "x frob", "ro"));
}

TEST("a value that ends in dots is all words that are left, whatever they are")
{
	const char *usage = "[on PLACE] [COMMAND...]";

	CHECK(takes(usage, "make -j8 on x") && args.nr_rest == 4 && given("COMMAND...", "make") &&
	      given("on", NULL));
	CHECK(!strcmp(args.rest[1], "-j8") && !strcmp(args.rest[3], "x"));
	CHECK(takes(usage, "on there make on x") && given("on", "there") && args.nr_rest == 3);
	CHECK(takes(usage, "-- on x") && given("on", NULL) && args.nr_rest == 2 &&
	      !strcmp(args.rest[0], "on"));
	CHECK(takes(usage, "on there -- on") && given("on", "there") && args.nr_rest == 1);
	CHECK(takes(usage, "") && !args.nr_rest && given("COMMAND...", NULL));
	CHECK(takes(usage, "--") && !args.nr_rest && given("COMMAND...", NULL));
	CHECK(!takes(usage, "on"));
}

int main(void)
{
	return test_main("cli_grammar");
}
