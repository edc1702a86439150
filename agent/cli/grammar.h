/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grammar.h: a usage line, as people read it, is also how arguments are read.
 *
 *	NAME class CLASS [path PATH] [ro]
 *
 * UPPER: a value in its place.  lower UPPER or lower a|b: a word and its value.
 * lower: a word.  [ ]: may be left out.  lower [UPPER]: the value may.  Words
 * with what belongs to them may come in any order, after the values.  A value that
 * ends in "..." is the last, and is all words from there on, whatever they are.
 */
#ifndef CLI_GRAMMAR_H
#define CLI_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

#define CLI_MAX_ARGS 8
#define CLI_MAX_WORD 24
#define CLI_WHY_SIZE 512

struct cli_arg {
	char word[CLI_MAX_WORD];  /* "": a value in its place */
	char value[CLI_MAX_WORD]; /* "": a word alone */
	bool is_optional;
	bool is_value_optional;
};

struct cli_grammar {
	unsigned int nr;
	struct cli_arg arg[CLI_MAX_ARGS];
};

/* What was given: a value, "" for a word without one, NULL where it was left out. */
struct cli_args {
	struct cli_grammar grammar;
	const char *given[CLI_MAX_ARGS];
	int nr_rest; /* words of a value that ends in "..." */
	char *const *rest;
};

/* Usage lines are written in this program: one that is wrong ends it. */
void cli_grammar_read(const char *usage, struct cli_grammar *ret_grammar);

/**
 * cli_args_read - the words of a command line by its usage
 * @usage:	as above
 * @nr:		of @words
 * @words:	after the command; they must outlive @ret_args
 * @ret_args:	what was given
 * @why:	set when it is not 0
 *
 * Return: 0, or -EINVAL.
 */
int cli_args_read(const char *usage, int nr, char *const *words, struct cli_args *ret_args,
		  char why[CLI_WHY_SIZE]);

/* By word, or by the name of a value that has none; NULL if not given. */
const char *cli_arg(const struct cli_args *args, const char *name);

/* What may come at the end of @words: an argument and whether its value is awaited. */
struct cli_next {
	const struct cli_arg *arg;
	bool is_value;
};

/* At most CLI_MAX_ARGS + 1 of them, for completion. */
size_t cli_grammar_next(const struct cli_grammar *grammar, int nr, char *const *words,
			struct cli_next ret_next[CLI_MAX_ARGS + 1]);

#endif
