// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cli_batch_fuzz.c: any bytes as a line of a batch; words come back from their quotes.
 */
// LINK: agent/cli/lexer.c agent/cli/grammar.c agent/cli/parse.c
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../agent/cli/grammar.h"
#include "../../agent/cli/lexer.h"
#include "../../agent/cli/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_word(const char *word)
{
	char *quoted = cli_quote(word), *escaped = cli_escape(word);
	char peer[SDV_NAME_SIZE], offer[SDV_NAME_SIZE], name[SDV_NAME_SIZE], code[CLI_CODE_DIGITS + 1];
	uint64_t bytes;
	uint8_t key[SUPERDEV_KEY_LEN];
	struct cli_words words;
	uint32_t number;
	size_t i;

	if (cli_lex(quoted, strlen(quoted), &words) || words.nr != 1 || strcmp(words.word[0], word))
		abort();
	cli_words_free(&words);
	for (i = 0; escaped[i]; i++)
		if ((unsigned char)escaped[i] < ' ' || escaped[i] == 0x7f)
			abort();
	cli_width(escaped);
	free(escaped);
	free(quoted);

	cli_name_check(word);
	cli_key_parse(word, key);
	cli_pair_split(word, peer, offer);
	cli_number_parse(word, 1, 32, &number);
	if (!cli_size_parse(word, &bytes) && bytes > INT64_MAX)
		abort();
	cli_code_normalise(word, code);
	/* An address that is taken gives a name that is one. */
	if (!cli_address_check(word)) {
		cli_address_name(word, name);
		if (strlen(name) > SUPERDEV_NAME_LEN)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const usages[] = {
		"",
		"NAME",
		"NAME [force]",
		"NAME [CODE]",
		"NAME class CLASS [path PATH] [ro]",
		"ADDRESS [name NAME] [yes [CODE]]",
		"NAME [transport tls|clear] [address HOST]",
	};
	struct cli_next next[CLI_MAX_ARGS + 1];
	struct cli_grammar grammar;
	char why[CLI_WHY_SIZE];
	struct cli_words words;
	struct cli_args args;
	size_t i;
	int k;

	if (cli_lex((const char *)data, size, &words))
		return 0;
	for (k = 0; k < words.nr; k++)
		check_word(words.word[k]);
	for (i = 0; i < sizeof(usages) / sizeof(usages[0]); i++) {
		cli_args_read(usages[i], words.nr, words.word, &args, why);
		cli_grammar_read(usages[i], &grammar);
		cli_grammar_next(&grammar, words.nr, words.word, next);
	}
	cli_words_free(&words);
	return 0;
}
