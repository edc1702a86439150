/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lexer.h: a line of a batch file to words, and a word to how it is written there.
 *
 * Words are parted by blanks; '#' at the beginning of a word starts a comment.
 * Within '…' all stands for itself; within "…", and outside of quotes, a
 * backslash keeps the meaning off the next character; within "…" alone, \n,
 * \t and \xNN are a new line, a tab and a byte.
 */
#ifndef CLI_LEXER_H
#define CLI_LEXER_H

#include <stddef.h>

#define CLI_MAX_WORDS 32

struct cli_words {
	int nr;
	char *word[CLI_MAX_WORDS + 1]; /* NULL after the last, as in argv */
	char *text;                    /* what they point into */
};

/* NULL and words to be freed (maybe none), or why not and nothing to be freed. */
const char *cli_lex(const char *line, size_t len, struct cli_words *ret_words);
void cli_words_free(struct cli_words *words);

/* @word as cli_lex() gives it back, with quotes only where it needs them; to be freed. */
char *cli_quote(const char *word);

#endif
